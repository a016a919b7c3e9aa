"""The second voice on a zone: compare each printed character with the drawn glyphs of OCR-B.

Shares nothing with the text network but the place of the characters: no training, just correlation with the font
that Doc 9303 prescribes. It does not read freely; asked whether a row says what the network read, it answers per
character how much better that glyph fits than the best other one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.documents import lines as text_lines
from verification.documents import mrz
from verification.documents.lines import Floats, Pixels, Quad

_WIDTH, _HEIGHT = 20, 28  # pixels of a cell; see models/draw_glyphs.py
_TALL: Final = 52  # pixels of the window a cell is searched in
_STRETCH: Final = (0.78, 0.85, 0.92, 1.0, 1.08, 1.17, 1.27)  # of the letters' height: perspective and odd fonts
_ASIDE: Final = 3  # pixels to each side of the expected place that a glyph is looked for
_PROBES: Final = 14  # characters by which the letters' height and line are found


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """How one row compares with the drawn glyphs.

    `fits`: correlation (-1 to 1) of each character read with its glyph; `leads`: that minus the best other glyph's;
    `rivals`: which glyph that is. A positive lead means the voice agrees.
    """

    fits: tuple[float, ...]
    leads: tuple[float, ...]
    rivals: str


@cache
def _bank() -> Floats:
    """The glyphs softened as a camera does, normalised: shape (blurs, 37, pixels)."""
    stored = np.load(Path(__file__).parent.parent / "models" / "ocrb_glyphs.npz")
    if str(stored["order"]) != mrz.ALPHABET:
        raise ValueError("ocrb_glyphs.npz holds other glyphs than the zone's alphabet")
    glyphs = stored["glyphs"].astype(np.float32) / 255
    blurred = [np.stack([cv2.GaussianBlur(g, (0, 0), s) for g in glyphs]) for s in (0.7, 1.4)]
    return np.stack([_normal(b.reshape(len(mrz.ALPHABET), -1)) for b in blurred])


def judge(picture: Pixels, quad: Quad, text: str, centres: Sequence[float], masks: Sequence[str]) -> Verdict:
    """Compare the row inside `quad` with `text`.

    `centres` says where each character stands (fraction of the row's width), `masks` which glyphs its place may hold:
    only those are rivals.
    """
    count = len(text)
    place = np.array(centres)
    steps = np.arange(count)
    slope, start = _even(steps, place)
    width = float(np.linalg.norm(quad[1] - quad[0]) + np.linalg.norm(quad[2] - quad[3])) / 2
    tall = float(np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
    scale = _WIDTH / max(slope * width, 1e-3)  # canonical pixels per photo pixel
    across = round(width * scale)
    if not 0.1 < scale < 12 or across > 4000:
        return Verdict(fits=(0.0,) * count, leads=(-1.0,) * count, rivals="?" * count)
    row = _ink(text_lines.crop_at(picture, quad, (max(16, round(width)), max(12, round(tall)))))
    bank = _bank()
    claimed = np.array([mrz.ALPHABET.index(c) for c in text])
    letters = np.array([k for k in range(count) if text[k] != "<"] or range(count))
    probes = letters[:: max(1, len(letters) // _PROBES)]  # enough characters to find the height by
    middles = [(start + slope * k) * across for k in range(count)]
    best: tuple[float, Floats, int] | None = None
    for stretch in _STRETCH:
        height = round(tall * scale / stretch)
        if height < 8:
            continue
        sized = np.asarray(
            cv2.resize(row, (across, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.float32
        )
        windows = _windows(sized, [middles[k] for k in probes])[:, :, _ASIDE : _ASIDE + _WIDTH]
        scores = np.median(_correlated(windows, bank[-1][claimed[probes]], step=2), axis=0)
        at = int(scores.argmax())
        if best is None or scores[at] > best[0]:
            best = (float(scores[at]), sized, 2 * at)
    if best is None:
        return Verdict(fits=(0.0,) * count, leads=(-1.0,) * count, rivals="?" * count)
    _, sized, down = best
    top = max(0, down - 2)
    return _verdict(_windows(sized, middles)[:, top : down + _HEIGHT + 2], claimed, bank, tuple(masks))


def _correlated(windows: Floats, glyphs: Floats, *, step: int) -> Floats:
    """Correlate each window (n, 52, 20) with its own glyph (n, 560) at every `step`-th height: shape (n, heights).

    A glyph has mean 0 and length 1, so the window's mean falls out of the product and only its length is divided by.
    """
    count = len(windows)
    rows = np.einsum("nyx,nkx->nyk", windows, glyphs.reshape(count, _HEIGHT, _WIDTH), optimize=True)  # window row by glyph row
    downs = np.arange(0, windows.shape[1] - _HEIGHT + 1, step)
    steps = np.arange(_HEIGHT)
    products = rows[:, downs[:, None] + steps[None, :], steps[None, :]].sum(axis=2)
    return np.asarray(products / _lengths(windows, downs), np.float32)


def _lengths(windows: Floats, downs: NDArray[np.intp]) -> Floats:
    """Length of each patch (28 high, the windows' width) about its own mean: shape (n, heights)."""
    flat = windows.astype(np.float64)
    sums = np.concatenate([np.zeros((len(flat), 1)), np.cumsum(flat.sum(axis=2), axis=1)], axis=1)
    squares = np.concatenate([np.zeros((len(flat), 1)), np.cumsum((flat * flat).sum(axis=2), axis=1)], axis=1)
    total = sums[:, downs + _HEIGHT] - sums[:, downs]
    square = squares[:, downs + _HEIGHT] - squares[:, downs]
    return np.asarray(np.maximum(np.sqrt(np.maximum(square - total**2 / (_HEIGHT * windows.shape[2]), 0)), 1e-3), np.float32)


def _verdict(windows: Floats, claimed: NDArray[np.intp], bank: Floats, masks: tuple[str, ...]) -> Verdict:
    count = len(claimed)
    pixels = _HEIGHT * _WIDTH
    patches = np.lib.stride_tricks.sliding_window_view(windows, (_HEIGHT, _WIDTH), axis=(1, 2)).reshape(-1, pixels)
    scores = (_normal(patches) @ bank.reshape(-1, pixels).T).reshape(count, -1, len(bank), len(mrz.ALPHABET)).max(axis=(1, 2))
    mine = scores[np.arange(count), claimed].copy()
    scores += _barred(masks)
    scores[np.arange(count), claimed] = -2
    rival = scores.argmax(axis=1)
    leads = mine - scores[np.arange(count), rival]
    return Verdict(
        fits=tuple(float(f) for f in mine), leads=tuple(float(x) for x in leads), rivals="".join(mrz.ALPHABET[r] for r in rival)
    )


@cache
def _barred(masks: tuple[str, ...]) -> Floats:
    """Zero where a glyph may stand, -1.5 where it may not: shape (len(masks), 37)."""
    table = np.full((len(masks), len(mrz.ALPHABET)), -1.5, np.float32)
    for at, mask in enumerate(masks):
        table[at, [mrz.ALPHABET.index(c) for c in mask]] = 0.0
    return table


def _windows(row: Floats, middles: list[float]) -> Floats:
    """Cut a window 26 wide and 52 high around each expected character; paper (0) beyond the edges."""
    pad_y, pad_x = _TALL, _WIDTH * 2
    framed = np.pad(row, ((pad_y, pad_y), (pad_x, pad_x)))
    top = pad_y + row.shape[0] // 2 - _TALL // 2
    windows = []
    for middle in middles:
        left = round(middle) + pad_x - _WIDTH // 2 - _ASIDE
        left = min(max(left, 0), framed.shape[1] - _WIDTH - 2 * _ASIDE)
        windows.append(framed[top : top + _TALL, left : left + _WIDTH + 2 * _ASIDE])
    return np.stack(windows)


def _ink(strip: Pixels) -> Floats:
    """Grey, the ground taken out: larger is darker than its surroundings, about 0 to 1."""
    grey = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY).astype(np.float32)
    reach = max(3, strip.shape[0] // 2 * 2 + 1)
    ground = cv2.GaussianBlur(cv2.dilate(grey, np.ones((reach // 2 * 2 + 1, reach // 2 * 2 + 1), np.uint8)), (0, 0), reach / 2)
    ink = np.clip((ground - grey) / np.maximum(ground, 30), 0, 1)
    return np.asarray(ink, np.float32)


def _even(steps: NDArray[np.intp], place: NDArray[np.float64]) -> tuple[float, float]:
    """Fit even spacing: slope and start, outliers left out of a second fit."""
    slope, start = np.polyfit(steps, place, 1)
    off = np.abs(place - (start + slope * steps))
    good = off <= max(0.5 * slope, float(np.median(off)) * 2.5)
    if good.sum() > 5:
        slope, start = np.polyfit(steps[good], place[good], 1)
    return float(slope), float(start)


def _normal(rows: Floats) -> Floats:
    centred = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-3), np.float32)
