"""Hear what a field's lines say with two readers: our own network, and Tesseract or PP-OCRv6 beside it.

A field's alphabet is a mask while the odds are decoded; nothing is put right afterwards.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from verification import ocr
from verification.documents import certainty, mrz_zone
from verification.documents import lines as text_lines
from verification.documents.beam import Text, Weigh, likeliest
from verification.documents.ctc import abbreviated, odds_of, of_alphabet, plain, plainer, spelled, weighed
from verification.documents.field_lines import LINE_BY_LETTER
from verification.documents.layout_files import CYRILLIC, FieldPlan, bare
from verification.documents.lines import Floats, Letter, Line, Pixels, Print, Quad
from verification.evidence import Box, Field, FieldReading, Source
from verification.models import shapes

Characters = tuple[tuple[str, float, Box | None], ...]
"""Of a value as printed: each character, its odds (0-1), and its box on the photo."""


_HEARD: Final = 0.5  # odds below which a letter is no letter of a certain value, whoever agrees
_TESSERACT: Final = str.maketrans("ABCEHIKMOPTXYËƏ—–", "АВСЕНІКМОРТХУЁӘ--")  # it mixes the scripts within a word
_WIDTHS: Final = (1.0, 1.3, 1.6)
"""Of a crop's natural width: narrow print is read better when stretched. Of 92 Kazakh lines of drawn cards and passports 71 were
exact at one width and 77 with Tesseract beside it; by the mean over these 74 and 86. With 2.0 Щ and Ш begin to be one."""
MARKS: Final = frozenset("ЕЁИЙШЩЬЪЦ")
"""Letters that differ from another in a mark alone, which every reader loses first."""
_SLASH: Final = 0.3  # odds from which there is a slash: no letter's shape is near it
_TRUSTED: Final = 0.8  # PP-OCRv6's least odds of a letter from which its Latin text is taken before ours
_TRIED: Final = 4  # texts of each look that are laid before the others
_YIELDS: Final = -4.0  # log odds by which another reader's text may be less likely than our own and still be what stands there
_USUAL: Final = -10.0  # the same for what the field says on most papers: right ones lay up to 4.6 behind (10), others 61 and more
_YIELDS_MARK: Final = -1.0  # the same where it has our letters less a mark. Of 17 such lines 13 were right by this, 11 by _YIELDS
_YIELDS_SIGN: Final = -9.0  # the same where it has a dot or a space that ours lost


def hear(picture: Pixels, rows: Mapping[Field, Sequence[Line]], plans: Mapping[Field, FieldPlan]) -> dict[Field, Heard]:
    """Read the lines of every field; Tesseract hears the Cyrillic ones, all in one start."""
    read: dict[Field, list[list[Part]]] = {}
    for name, lines in rows.items():
        for line in lines:
            later = any(part.alphabet == "/" for parts in read.get(name, ()) for part in parts)
            read.setdefault(name, []).append(_parts(picture, line, plans[name], later=later))
    asked = [
        (part, line.quad)
        for name, by_line in read.items()
        for line, parts in zip(rows[name], by_line, strict=True)
        for part in parts
        if part.cyrillic
    ]
    told: dict[int, str] = {}
    for language in sorted({part.language for part, _ in asked}):
        mine = [(part, quad) for part, quad in asked if part.language == language]
        texts = ocr.read_lines([_strip(picture, quad) for _, quad in mine], language=language)
        told |= {id(part): _as_printed(text.text, part) for (part, _), text in zip(mine, texts, strict=True)}
    heard = {}
    for name, by_line in read.items():
        every = [part.joined_by(told[id(part)]) if id(part) in told else part for parts in by_line for part in parts]
        if not every:
            continue
        value = _joined(every, rows[name])
        if plans[name].shape in ("name", "names") and len(every) == 1:
            choices = [_joined([part], rows[name]) for part in every[0].choices() if part.letters]
            value = replace(value, choices=tuple(choices[1:]))
        heard[name] = value
    return heard


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """A stretch of a line in one alphabet, as our network reads it, and as a second reader does ("" where it was not asked).

    `looks`: what the network saw of it at one width or several (see _WIDTHS), columns blank and then the alphabet's characters.
    `yielded`: the letters are the second reader's, which our network would have read otherwise.
    """

    letters: tuple[Letter, ...]
    quad: Quad
    looks: tuple[Floats, ...]
    alphabet: str
    second: str = ""
    yielded: bool = False
    before: str = ""  # what follows on the line: "/", "digits", or nothing
    others: tuple[Text, ...] = ()  # what else it may be, likeliest first

    @classmethod
    def of(cls, quad: Quad, odds: Sequence[Floats], alphabet: str, weigh: Weigh | None = None) -> Part:
        """Of several looks the likeliest text over all of them; `weigh` is asked what print of this kind is like."""
        looks = tuple(of_alphabet(seen, alphabet) for seen in odds)
        own, *others = _likely(looks, alphabet, weigh)
        return cls(letters=_as_seen(looks, alphabet, own), quad=quad, looks=looks, alphabet=alphabet, others=tuple(others))

    def joined_by(self, second: str, *, trusted: bool = False) -> Part:
        """With a second reader's text; where the network finds that nearly as likely as its own, both say that.

        `trusted`: the second reads this script better, and is sure: then its text stands, with our network's odds for it.
        """
        heard = replace(self, second=second)
        if not second or heard.agreed or not set(second) <= set(self.alphabet):
            return heard
        other = tuple(self.alphabet.index(c) + 1 for c in second)
        own = tuple(self.alphabet.index(letter.character) + 1 for letter in self.letters)
        same = bare(second) == bare(self.text)
        if same and len(second) < len(self.text) and not trusted:  # readers lose signs and spaces, they add none
            return heard
        alike = same and len(second) > len(self.text)  # the second saw a sign or space more
        behind = _together(self.looks, other) - _together(self.looks, own)
        if not trusted and behind < (_YIELDS_SIGN if alike else _YIELDS_MARK if plainer(second, self.text) else _YIELDS):
            return heard
        return replace(heard, letters=_as_seen(self.looks, self.alphabet, other), yielded=True, others=(own, *self.others))

    def usually(self, texts: Sequence[str]) -> Part:
        """As the likeliest of what is usually printed here, where the network finds that nearly as likely as its own reading."""
        if self.text in texts or not self.letters or not texts:
            return self
        own = tuple(self.alphabet.index(letter.character) + 1 for letter in self.letters)
        odds = {text: _together(self.looks, text) for text in (tuple(self.alphabet.index(c) + 1 for c in t) for t in texts)}
        best = max(odds, key=lambda text: odds[text])
        if odds[best] - _together(self.looks, own) < _USUAL:
            return self
        return replace(self, letters=_as_seen(self.looks, self.alphabet, best), yielded=True, others=(own, *self.others))

    def choices(self) -> Iterator[Part]:
        """The part, and as it is with each other text that is nearly as likely and leaves no letter out.

        Nothing else may be chosen by what a zone says: a letter that is seen stands there, whatever the zone says.
        """
        yield self
        own = tuple(self.alphabet.index(letter.character) + 1 for letter in self.letters)
        least = _together(self.looks, own) + _YIELDS if self.others else 0.0
        for other in self.others:
            if len(_said(other, self.alphabet)) < len(bare(self.text)) or _together(self.looks, other) < least:
                continue
            yield replace(self, letters=_as_seen(self.looks, self.alphabet, other), yielded=False, others=())

    def characters(self) -> Characters:
        """Each character with its odds and its place; None for a space."""
        return tuple(
            (letter.character, letter.chance, None if letter.character == " " else self.place(at))
            for at, letter in enumerate(self.letters)
        )

    @property
    def cyrillic(self) -> bool:
        return not CYRILLIC.isdisjoint(self.alphabet)

    @property
    def language(self) -> str:
        """The one in which Tesseract reads it: its Russian knows no Қ or Ә, its Kazakh loses Щ and Ё."""
        return "kaz" if "Қ" in self.alphabet else "rus"

    @property
    def text(self) -> str:
        return "".join(letter.character for letter in self.letters)

    @property
    def chance(self) -> float:
        return min((letter.chance for letter in self.letters), default=1.0)

    @property
    def agreed(self) -> bool:
        """Whether the second reader reads the very same, but for spaces beside a slash and the slash itself at an end."""
        return bool(self.second) and _evened(self.second) == _evened(self.text)

    def place(self, at: int) -> Box:
        """The box of one letter, reaching half-way to its neighbours."""
        middles = [letter.at for letter in self.letters]
        pitch = float(np.median(np.diff(middles))) if len(middles) > 1 else 1.0
        start = max((middles[at - 1] + middles[at]) / 2 if at else 0.0, middles[at] - 0.75 * pitch)
        end = min((middles[at] + middles[at + 1]) / 2 if at + 1 < len(middles) else 1.0, middles[at] + 0.75 * pitch)
        return certainty.box(self.quad, max(0.0, start), min(1.0, end))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Heard:
    """A value as read: its characters with their odds and places, and what stands for it."""

    characters: Characters
    agreed: bool  # a second reader read the same
    yielded: bool  # but our network alone would have read something else
    lines: tuple[Line, ...]
    cyrillic: bool = True  # some of it is in Cyrillic
    kazakh: bool = False  # that of Kazakhstan
    other: str = ""  # what the second reader read, where that is of use
    choices: tuple[Heard, ...] = ()  # of a name on one line: what else it may be, likeliest first

    @property
    def text(self) -> str:
        return "".join(c for c, _, _ in self.characters)

    @property
    def chance(self) -> float:
        return min((odds for c, odds, _ in self.characters if c != " "), default=0.0)

    def part(self, start: int, end: int) -> Heard:
        """Some of its characters; of the second reader's the words at the same end."""
        words, first = self.other.split(" "), not start
        count = len(self.text[start:end].split(" "))
        other = " ".join(words[:count] if first else words[-count:])
        return replace(self, characters=self.characters[start:end], other=other)

    def reading(self, value: str, *, certain: bool) -> FieldReading:
        """As a field, letter by letter where the value is what stands there."""
        quads = np.concatenate([line.quad for line in self.lines])
        if value == self.text:
            spots = [place for _, _, place in self.characters if place is not None]
            letters = tuple(place for _, _, place in self.characters)
            box: Box = _around(spots) if spots else certainty.box(quads, 0, 1)
        else:
            letters = ()
            box = _around([certainty.box(line.quad, 0, 1) for line in self.lines])
        return FieldReading(
            value=value, confidence=0.99 if certain else round(min(0.9, self.chance), 4), certain=certain, source=Source.VIZ,
            box=box, letters=letters if any(letters) else (),
        )  # fmt: skip


def _joined(parts: Sequence[Part], lines: Sequence[Line]) -> Heard:
    """A value of several parts, one space between them."""
    characters: list[tuple[str, float, Box | None]] = []
    for part in parts:
        characters += [(" ", 1.0, None), *part.characters()] if characters else part.characters()
    return Heard(
        characters=_spaced_slash(characters),
        lines=tuple(lines),
        other=" ".join(part.second for part in parts),
        agreed=all(part.agreed for part in parts),
        yielded=any(part.yielded for part in parts),
        cyrillic=any(part.cyrillic for part in parts),
        kazakh=any(part.language == "kaz" for part in parts),
    )


def _spaced_slash(characters: Sequence[tuple[str, float, Box | None]]) -> Characters:
    """One space on either side of a slash: narrow print has none, wide print several, and neither means anything."""
    spaced: list[tuple[str, float, Box | None]] = []
    for character in characters:
        if character[0] == "/" and spaced and spaced[-1][0] != " ":
            spaced.append((" ", 1.0, None))
        if spaced and spaced[-1][0] == "/" and character[0] != " ":
            spaced.append((" ", 1.0, None))
        spaced.append(character)
    return tuple(spaced)


def _as_printed(text: str, part: Part) -> str:
    """Tesseract's reading of the whole line: what of it is this part's, in capitals of one script.

    It knows no Latin beside its Cyrillic: what stands behind a slash, or figures that PP-OCRv6 reads, are left out.
    """
    if part.before == "/":
        start, slash, _ = text.replace("|", "/").partition("/")
        text = start if slash else ""
    elif part.before == "digits":
        text = text.rstrip(" 0123456789.")
    kept = "".join(c for c in text.upper().translate(_TESSERACT) if c in part.alphabet)
    return " ".join(kept.split())


def _strip(picture: Pixels, quad: Quad) -> ocr.Grey:
    """Crop for Tesseract: letters about 32 high, the brightest colour channel (black print stays, coloured lines fade)."""
    strip = text_lines.crop(picture, quad, height=round(ocr.LETTER * LINE_BY_LETTER))
    return np.asarray(strip.max(axis=2), np.uint8)


def _parts(picture: Pixels, line: Line, plan: FieldPlan, *, later: bool) -> list[Part]:
    """Read one line with our network, and what is not Cyrillic with PP-OCRv6 as well."""
    parts = []
    for part in _decoded(picture, line.quad, plan.alphabets, plan.dotted, later=later):
        if len(plan.alphabets) == 1:
            part = part.usually(plan.usual)
        if part.letters and not part.cyrillic and part.alphabet != "/":
            readable = "".join(c for c in part.alphabet if c in text_lines.READABLE)
            second, odds = text_lines.read_at(picture, part.quad).text(readable)
            part = part.joined_by(second if odds >= _HEARD else "", trusted=odds >= _TRUSTED)
        if part.letters:
            parts.append(part)
    return parts


def _decoded(picture: Pixels, quad: Quad, alphabets: Sequence[str], dotted: frozenset[str], *, later: bool) -> list[Part]:
    """Read a line whose parts follow each other in these alphabets.

    Where the first alphabet has a slash, that ends the first part, and a line without one is all of it, or of the next where an
    earlier line had the slash (`later`). Else the cut is at the space where the odds of both parts together are largest.
    """
    first, last = alphabets[0], alphabets[-1]
    weigh = abbreviated(first, dotted) if dotted else None
    seen = text_lines.read_print(picture, quad)
    if len(alphabets) == 1:
        return [Part.of(quad, _looks(picture, quad, seen.odds, first), first, weigh)]
    if later:
        return [Part.of(quad, [seen.odds], last)]
    if "/" in first:
        return _around_slash(picture, quad, seen, first, last, weigh) or [
            Part.of(quad, _looks(picture, quad, seen.odds, first), first, weigh)
        ]
    frames = len(seen.odds)
    logs = [
        np.concatenate([[0.0], np.cumsum(np.log(np.maximum(of_alphabet(seen.odds, alphabet).max(axis=1), 1e-6)))])
        for alphabet in (first, last)
    ]
    total = logs[0] + (logs[1][-1] - logs[1])
    space = shapes.letters(" ")[0][0]
    pauses = [t for t in range(1, frames) if seen.odds[t].argmax() == space] or [
        0, frames, *(t for t in range(1, frames) if seen.odds[t, 0] > 0.5)
    ]  # fmt: skip
    cut = max(pauses, key=lambda t: float(total[t]))
    if not 0 < cut < frames:
        return [Part.of(quad, [seen.odds], first if cut else last)]
    one, two = _stretch(quad, seen, first, 0, cut), _stretch(quad, seen, last, cut, frames)
    if not one.letters or not two.letters:
        return [Part.of(quad, [seen.odds], first if one.letters else last)]
    return [replace(one, before="digits" if two.text.isdigit() else ""), two]


def _looks(picture: Pixels, quad: Quad, natural: Floats, alphabet: str) -> list[Floats]:
    """The network's odds for a place at each of _WIDTHS, `natural` first; that alone where PP-OCRv6 reads it too."""
    if CYRILLIC.isdisjoint(alphabet):
        return [natural]
    strip = text_lines.crop(picture, quad, height=text_lines.PRINT_HEIGHT)
    seen = [natural]
    for width in _WIDTHS[1:]:
        size = (max(16, round(strip.shape[1] * width)), strip.shape[0])
        sized = np.asarray(cv2.resize(strip, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        seen.append(text_lines.print_odds(sized).odds)
    return seen


def _likely(looks: Sequence[Floats], alphabet: str, weigh: Weigh | None) -> list[Text]:
    """What a stretch may say: first the text that is likeliest over all looks together, then the others.

    With `weigh`, a text of the same letters with a dot or space more, as print of this kind has them, stands where it is not far
    less likely: each look may lose a dot between narrow letters, and none makes one up.
    """
    by_look = [[plain(text, alphabet) for text in likeliest(look, weigh)] for look in looks]
    seen = dict.fromkeys(text for texts in by_look for text in texts[: 1 if weigh is None else _TRIED])
    odds = {text: _together(looks, text) for text in seen} if len(seen) > 1 else {}
    own = max(seen, key=lambda text: odds[text] + weighed(text, weigh) if odds else 0.0)
    if weigh is not None and odds:
        least, weight, said = odds[own] + _YIELDS_SIGN, weighed(own, weigh), _said(own, alphabet)
        fuller = [t for t in seen if odds[t] >= least and weighed(t, weigh) > weight and _said(t, alphabet) == said]
        own = max(fuller, key=lambda text: odds[text] + weighed(text, weigh), default=own)
    return list(dict.fromkeys((own, *seen, *by_look[0])))


def _said(text: Text, alphabet: str) -> str:
    return bare("".join(alphabet[k - 1] for k in text))


def _together(looks: Sequence[Floats], text: Text) -> float:
    """Log odds of a text, the mean over all looks."""
    return float(np.mean([odds_of(look, text) for look in looks]))


def _as_seen(looks: Sequence[Floats], alphabet: str, text: Text) -> tuple[Letter, ...]:
    """The letters of a text with their odds, in the look that shows it best; one that a mark tells as its own width does.

    Stretched print loses marks: Ё stood there as Е with odds of 0.83, and at its natural width of 0.26.
    """
    if len(looks) == 1:
        return spelled(looks[0], alphabet, text)
    letters = spelled(max(looks, key=lambda look: odds_of(look, text)), alphabet, text)
    if MARKS.isdisjoint(letter.character for letter in letters):
        return letters
    natural = spelled(looks[0], alphabet, text)
    return tuple(
        replace(letter, chance=same.chance) if letter.character in MARKS else letter
        for letter, same in zip(letters, natural, strict=True)
    )


def _around_slash(picture: Pixels, quad: Quad, seen: Print, first: str, last: str, weigh: Weigh | None) -> list[Part] | None:
    """What stands before and behind the line's slash, and the slash; None where neither network sees one."""
    column, frames = shapes.letters("/")[0][0], len(seen.odds)
    peak = int(seen.odds[:, column].argmax())
    chance = float(seen.odds[peak, column])
    start, end = peak, peak + 1
    if chance >= _SLASH:
        while start > 0 and seen.odds[start - 1].argmax() == column:
            start -= 1
        while end < frames and seen.odds[end].argmax() == column:
            end += 1
    else:
        other = text_lines.read_at(picture, quad).odds[:, text_lines.READABLE.index("/") + 1]
        at, chance = int(other.argmax()), float(other.max())
        if chance < _SLASH:
            return None
        start, end = int((at - 0.5) / len(other) * frames), math.ceil((at + 1.5) / len(other) * frames)
    slash = Letter(character="/", chance=chance, at=0.5)
    parts = []
    if start:
        before = _stretched(quad, frames, 0, start)
        looks = _looks(picture, before, seen.odds[:start], first)
        parts.append(replace(Part.of(before, looks, first, weigh), before="/"))
    middle = _stretch(quad, seen, "/", start, end)
    parts.append(replace(middle, letters=(slash,), second="/"))
    if end < frames:
        parts.append(_stretch(quad, seen, last, end, frames))
    return [part for part in parts if part.letters]


def _stretch(quad: Quad, seen: Print, alphabet: str, start: int, end: int) -> Part:
    """The part of a line between two frames."""
    return Part.of(_stretched(quad, len(seen.odds), start, end), [seen.odds[start:end]], alphabet)


def _stretched(quad: Quad, frames: int, start: int, end: int) -> Quad:
    """The place of the frames `start` to `end` of a line's."""
    long = float(np.linalg.norm(quad[1] - quad[0]) + np.linalg.norm(quad[2] - quad[3])) / 2
    return mrz_zone.stretched(quad, start / frames * long, end / frames * long)


def _evened(text: str) -> str:
    return re.sub(r"\s*-\s*", "-", text.strip(" /|"))


def _around(boxes: Sequence[Box]) -> Box:
    left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
    return left, top, max(b[0] + b[2] for b in boxes) - left, max(b[1] + b[3] for b in boxes) - top
