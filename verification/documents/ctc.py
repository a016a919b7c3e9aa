"""From a network's odds over time to a text's letters: where each stands, and how likely the text is over all its alignments."""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np

from verification.documents.beam import Text, Weigh
from verification.documents.lines import Floats, Letter
from verification.models import shapes

_DOTTED: Final = 4.0  # times likelier that a dot follows a standing abbreviation than none, and that none follows another word
_SPACED: Final = 30.0  # times likelier that a space follows a dot than a letter: so in every labelled place, set narrow

_MARKED: Final = "ЁЙҚҒҢҮҰӨҺ"
_UNMARKED: Final = str.maketrans(_MARKED, "ЕИКГНУУОН")


def plainer(second: str, own: str) -> bool:
    """Whether a second reader has our network's letters less a mark: those are lost more often than made up."""
    marks, others = (sum(text.count(c) for c in _MARKED) for text in (own, second))
    own, second = ("".join(c for c in text.translate(_UNMARKED) if c.isalnum()) for text in (own, second))
    return others < marks and own == second


def of_alphabet(odds: Floats, alphabet: str) -> Floats:
    """The odds of blank and of each character of an alphabet: shape (T, 1 + len(alphabet))."""
    columns = shapes.letters(alphabet)
    summed = np.stack([odds[:, 0], *(odds[:, list(own)].sum(axis=1) for own in columns)], axis=1)
    return np.asarray(np.minimum(summed, 1.0), np.float32)


def plain(text: Text, alphabet: str) -> Text:
    """Without spaces at its ends, and with one between words."""
    space = alphabet.find(" ") + 1
    kept = [k for at, k in enumerate(text) if k != space or (at and text[at - 1] != space)]
    while kept and kept[-1] == space:
        kept.pop()
    return tuple(kept)


@cache
def abbreviated(alphabet: str, standing: frozenset[str]) -> Weigh:
    """How places are written, for `beam.likeliest`: an abbreviation of `standing` has a dot, no other word has, then a space."""
    dot, space = alphabet.index(".") + 1, alphabet.index(" ") + 1
    known = {tuple(alphabet.index(c) + 1 for c in word) for word in standing}
    letters = {at for at, c in enumerate(alphabet, 1) if c.isalpha()}

    def weigh(text: Text, column: int) -> float:
        if not text or text[-1] == space or (column in letters and text[-1] in letters):
            return 1.0
        if text[-1] == dot:
            return _SPACED if column == space else 1 / _SPACED if column in letters else 1.0
        start = next((at for at in range(len(text) - 1, -1, -1) if text[at] in (space, dot)), -1) + 1
        if text[start:] in known:
            return _DOTTED if column == dot else 1 / _DOTTED if column in (space, 0) else 1.0
        return 1 / _DOTTED if column == dot else 1.0

    return weigh


def weighed(text: Text, weigh: Weigh | None) -> float:
    """Log of all that `weigh` says of a text, its end included; 0.0 without it."""
    return sum(math.log(weigh(text[:at], column)) for at, column in enumerate((*text, 0))) if weigh is not None else 0.0


def spelled(allowed: Floats, alphabet: str, text: Text) -> tuple[Letter, ...]:
    """The characters of a text where they are strongest, without spaces at its ends, and one between words."""
    space = alphabet.find(" ") + 1
    text = tuple(k for at, k in enumerate(text) if not at or k != space or text[at - 1] != space)
    letters = [
        Letter(character=alphabet[k - 1], chance=float(allowed[at, k]), at=(at + 0.5) / len(allowed))
        for k, at in zip(text, _aligned(allowed, text), strict=True)
    ]
    while letters and letters[0].character == " ":
        letters.pop(0)
    while letters and letters[-1].character == " ":
        letters.pop()
    return tuple(letters)


def odds_of(allowed: Floats, text: Text) -> float:
    """Log odds of a text, summed over all its alignments (CTC's forward pass)."""
    states = [0]
    for k in text:
        states += [k, 0]
    logs = np.log(np.maximum(allowed[:, states], 1e-6)).astype(np.float64)
    skip = np.array([s >= 2 and states[s] != 0 and states[s] != states[s - 2] for s in range(len(states))])
    padded = np.full(len(states) + 2, -np.inf)  # two places before the first state, so that steps are slices
    score = padded[2:]
    score[:2] = logs[0, :2]
    for frame in logs[1:]:
        step = np.logaddexp(score, padded[1:-1])
        score[:] = np.logaddexp(step, np.where(skip, padded[:-2], -np.inf)) + frame
    return float(np.logaddexp(score[-1], score[-2])) if len(states) > 1 else float(score[0])


def _aligned(allowed: Floats, text: Text) -> list[int]:
    """The frame in which each character of a text is strongest, on the text's best path."""
    if not text:
        return []
    states = [0]
    for k in text:
        states += [k, 0]
    count = len(states)
    logs = np.log(np.maximum(allowed[:, states], 1e-6))
    skip = np.array([s >= 2 and states[s] != 0 and states[s] != states[s - 2] for s in range(count)])
    padded = np.full(count + 2, -1e9)
    score = padded[2:]
    score[:2] = logs[0, :2]
    steps = np.zeros((len(allowed), count), np.int8)
    for t in range(1, len(allowed)):
        ways = np.stack([score, padded[1:-1], np.where(skip, padded[:-2], -1e9)])
        steps[t] = ways.argmax(axis=0)
        score[:] = ways.max(axis=0) + logs[t]
    at = count - 1 if score[-1] >= score[-2] else count - 2
    peaks: dict[int, int] = {}
    for t in range(len(allowed) - 1, -1, -1):
        if at % 2 and (at not in peaks or allowed[t, states[at]] > allowed[peaks[at], states[at]]):
            peaks[at] = t
        at -= int(steps[t, at])
    return [peaks.get(2 * n + 1, 0) for n in range(len(text))]
