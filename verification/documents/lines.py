"""Find printed lines on a picture and read them: the only home of the text networks.

PP-OCRv6's detector marks text as a probability map; its recogniser reads any Latin print in one upright crop, 48 pixels
high. Both come as files out of the `rapidocr` wheel. Our own small networks read what it does not, or not as fast: rows of
a zone (`models/ocrb_lines.md`), and print in Cyrillic, Latin and figures by shape (`models/cyrillic_lines.md`). All run in
onnxruntime on one thread (half the time of OpenCV's DNN module, measured). What a text means is decided elsewhere; here
a caller may say which characters are possible, and where.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeVar, cast

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from verification import models
from verification.models import narrowed, shapes

Pixels = NDArray[np.uint8]
"""A picture, H x W x 3, RGB."""
Quad = NDArray[np.float32]
"""Four corners, shape (4, 2), x and y in pixels: top left, top right, bottom right, bottom left in reading direction."""
Floats = NDArray[np.float32]

HEIGHT: Final = 48  # pixels: the height the recogniser was trained on
_MEAN: Final = np.array([0.485, 0.456, 0.406], np.float32)  # ImageNet, in the network's channel order (BGR in, as trained)
_STD: Final = np.array([0.229, 0.224, 0.225], np.float32)
_MAP_THRESHOLD: Final = 0.3  # PaddleOCR's own settings for DB post-processing
_BOX_THRESHOLD: Final = 0.45
_GROW: Final = 1.6  # the detector marks the core of a line; growing by area / perimeter x this restores its height
_MAX_AREA: Final = 900_000  # pixels looked at
_STRIP: Final = 550_000  # pixels looked at in one go: the detector takes about 0.25 kB of memory for each
_BEYOND: Final = 64  # pixels that a strip sees of its neighbour, a multiple of 32 as every side
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_LARGE_BLOCK: Final = 20 << 20  # bytes
_KEPT_FREE: Final = 32 << 20  # bytes
_MAX_LINES: Final = 250  # a page has fewer; noise has more
_MAX_WIDTH: Final = 2400  # pixels of a 48-high crop: 50:1, longer than any line of a document

ROW_HEIGHT: Final = 32  # pixels of a crop for our own network, and how much it is squeezed along the row: as trained
ROW_SQUEEZE: Final = 0.75
PRINT_HEIGHT: Final = 32  # pixels of a crop for our own network of printed lines, at its natural width: as trained
PRINT_WIDTHS: Final = (
    0.9,
    1.0,
    1.15,
    1.3,
)  # of the natural width, for values: 95.8 % of printed lines exact at one, 98.3 % of four
_UNLIT: Final = 75.0  # percentile of a crop's brightness above which nothing is ink
ROW_OTHER: Final = "?"  # what our network says for print that no zone holds

LATIN: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS: Final = "0123456789"
READABLE: Final = LATIN + LATIN.lower() + DIGITS + "<>.,:;-/'\"()«» ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝàáâãäåæçèéêëìíîïñòóôõöøùúûüýßŠŽšž"
"""Characters whose probability is kept; everything else the network knows is summed up as "other"."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Line:
    """One printed line: where it stands and how sure the detector was (0-1)."""

    quad: Quad
    score: float

    @property
    def width(self) -> float:
        """Length in pixels along the reading direction."""
        return float(np.linalg.norm(self.quad[1] - self.quad[0]) + np.linalg.norm(self.quad[2] - self.quad[3])) / 2

    @property
    def height(self) -> float:
        """Height in pixels, margins of the crop included (about 1.6 letters)."""
        return float(np.linalg.norm(self.quad[3] - self.quad[0]) + np.linalg.norm(self.quad[2] - self.quad[1])) / 2

    @property
    def centre(self) -> NDArray[np.float32]:
        """x, y in pixels."""
        return cast(NDArray[np.float32], self.quad.mean(axis=0))

    @property
    def direction(self) -> NDArray[np.float32]:
        """Unit vector of the reading direction."""
        along = (self.quad[1] - self.quad[0]) + (self.quad[2] - self.quad[3])
        return cast(NDArray[np.float32], (along / max(float(np.linalg.norm(along)), 1e-6)).astype(np.float32))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Reading:
    """Probabilities over time for one line crop.

    `odds`: shape (T, 1 + len(READABLE) + 1): blank, then each readable character, then everything else.
    """

    odds: Floats

    def text(self, alphabet: str = READABLE) -> tuple[str, float]:
        """Greedy text with only `alphabet` allowed, and the lowest probability among its letters (1.0 if empty)."""
        columns = _columns(alphabet)
        allowed = self.odds[:, columns]
        best = allowed.argmax(axis=1)
        peak = allowed.max(axis=1)
        text: list[str] = []
        worst, letter, previous = 1.0, 0.0, 0
        for step, probability in zip(best, peak, strict=True):
            if step and step == previous:
                letter = max(letter, float(probability))
            elif step:
                if text:
                    worst = min(worst, letter)
                text.append(alphabet[step - 1])
                letter = float(probability)
            previous = int(step)
        return "".join(text).strip(), min(worst, letter) if text else 1.0

    def spans(self, alphabet: str, least: int) -> list[tuple[float, float]]:
        """Return where runs of at least `least` characters of `alphabet` stand, as fractions of the crop's width (0-1).

        Blanks and spaces do not end a run; any other character does.
        """
        wanted = {READABLE.index(c) + 1 for c in alphabet}
        ends = {at + 1 for at, c in enumerate(READABLE) if c != " "} - wanted | {len(READABLE) + 1}
        found: list[tuple[float, float]] = []
        run: list[int] = []
        previous, frames = 0, len(self.odds)
        for at, best in enumerate([*self.odds.argmax(axis=1).tolist(), len(READABLE) + 1]):
            if best in wanted and best != previous:
                run.append(at)
            elif best in ends:
                if len(run) >= least:
                    found.append((run[0] / frames, (run[-1] + 1) / frames))
                run = []
            previous = best
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """One character as read: its odds (0-1), where its middle stands along the crop (0-1), the best other one's odds there."""

    character: str
    chance: float
    at: float
    other: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Print:
    """What our own network saw in one line of print: odds over time, shape (T, 1 + len(shapes.CLASSES)), blank first.

    It names shapes, not letters: А and A are one. Which is meant, and which are possible, the caller's alphabet says.
    """

    odds: Floats

    def letters(self, alphabet: str) -> tuple[Letter, ...]:
        """Greedy text with only `alphabet` allowed, each character with the odds of its best frame; ends stripped of spaces."""
        allowed = np.stack(
            [self.odds[:, 0], *(self.odds[:, list(columns)].sum(axis=1) for columns in shapes.letters(alphabet))], axis=1
        )
        best = allowed.argmax(axis=1)
        frames = len(best)
        found: list[Letter] = []
        start = 0
        while start < frames:
            stop = start + 1
            while stop < frames and best[stop] == best[start]:
                stop += 1
            if best[start]:
                peak = start + int(allowed[start:stop, best[start]].argmax())
                chance = float(allowed[peak, best[start]])
                others = np.delete(allowed[start:stop], [0, best[start]], axis=1)
                other = float(others.max()) if others.size else 0.0
                at = (peak + 0.5) / frames
                found.append(Letter(character=alphabet[best[start] - 1], chance=min(1.0, chance), at=at, other=min(1.0, other)))
            start = stop
        while found and found[0].character == " ":
            found.pop(0)
        while found and found[-1].character == " ":
            found.pop()
        return tuple(found)

    def text(self, alphabet: str) -> tuple[str, float]:
        """The same as a text, and the least odds among its characters (1.0 if empty)."""
        letters = self.letters(alphabet)
        return "".join(letter.character for letter in letters), min((letter.chance for letter in letters), default=1.0)


_sessions: dict[str, Any] = {}
_keep: NDArray[np.intp] | None = None


def load() -> None:
    """Load the networks once. Call before forking: a session serves the children as it is.

    Raises `models.ModelFileMissing` where a file is absent or not the one we measured.
    """
    global _keep
    if _sessions:
        return
    _return_memory()
    for name in ("ppocr_det", "ppocr_rec", "ocrb_lines", "cyrillic_lines"):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # an arena keeps the largest picture's memory for good
        options.log_severity_level = 3
        network: str | bytes = str(models.path(name))
        if name == "ppocr_rec":
            network, characters = narrowed.recogniser(models.path(name))
            places = {character: at for at, character in enumerate(characters, 1)}  # 0 is CTC's blank
            _keep = np.array([0, *(places[c] for c in READABLE)], np.intp)
        _sessions[name] = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    del network
    _give_back_free()


def _return_memory() -> None:
    """Have the largest blocks given back to the system when they are freed, and the middling ones kept for the next map.

    Each block given back is zeroed page by page when it is asked for again, which the detector does for every layer. glibc
    raises the first bound by itself up to 32 MiB and the second to twice it; then 160 MB more stay at the peak. With these
    two, one run after the other over the 89 pictures: 0.52 instead of 0.56 CPU s a picture, 40 MB more. Elsewhere than
    glibc nothing is done.
    """
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE)
    except (OSError, AttributeError):
        return


def _give_back_free() -> None:
    """Return what the heap holds free to the system, so that a large map does not come on top of it."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return


def find(picture: Pixels, *, longest: int) -> list[Line]:
    """Return the printed lines of `picture`, looked for with its longest side shrunk to `longest` pixels.

    Corners are in pixels of `picture`; each line is taken to run along its longer side, left to right or
    top to bottom: which of the two ends is its start must be found out by reading.
    """
    load()
    height, width = picture.shape[:2]
    scale = min(longest / max(height, width), math.sqrt(_MAX_AREA / (height * width)))
    size = (max(32, round(width * scale / 32) * 32), max(32, round(height * scale / 32) * 32))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    normal = small[:, :, ::-1].astype(np.float32)
    normal /= 255  # in place: copies of a whole page would stand beside the network's own maps
    normal -= _MEAN
    normal /= _STD
    planes = np.ascontiguousarray(normal.transpose(2, 0, 1)[None])
    del normal, small
    back = np.array([width / size[0], height / size[1]], np.float32)
    return _lines(_chance(planes), back)


def _chance(planes: Floats) -> Floats:
    """The detector's map of a picture, shape (h, w). A large one is looked at in strips across its longer side.

    A strip sees some of its neighbour, so that nothing is cut where they meet; the network's few global averages differ a little.
    """
    height, width = planes.shape[2:]
    count = -(-height * width // _STRIP)
    _give_back_free()
    chance = np.empty((height, width), np.float32)
    axis, side = (0, height) if height >= width else (1, width)
    edges = [round(side * at / count / 32) * 32 for at in range(count + 1)]
    for start, stop in pairwise(edges):
        first, last = max(0, start - _BEYOND), min(side, stop + _BEYOND)
        seen = slice(first, last)
        strip = planes[:, :, seen] if axis == 0 else planes[:, :, :, seen]
        (found,) = _sessions["ppocr_det"].run(None, {"x": np.ascontiguousarray(strip)})
        kept = slice(start - first, stop - first)
        if axis == 0:
            chance[start:stop] = found[0, 0, kept]
        else:
            chance[:, start:stop] = found[0, 0][:, kept]
    return chance


def _lines(chance: Floats, back: Floats) -> list[Line]:
    """Turn the detector's map (h x w, 0-1) into lines; `back` scales x and y to the picture."""
    mask = cv2.dilate((chance > _MAP_THRESHOLD).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    lines = []
    for contour in contours[:_MAX_LINES]:
        (cx, cy), (w, h), turn = cv2.minAreaRect(contour)
        if min(w, h) < 2:
            continue
        x, y, bw, bh = cv2.boundingRect(contour)
        inside = np.zeros((bh, bw), np.uint8)
        cv2.drawContours(inside, [contour - np.array([[x, y]])], -1, 1, -1)
        score = float(cv2.mean(chance[y : y + bh, x : x + bw], inside)[0])
        if score < _BOX_THRESHOLD:
            continue
        grow = 2 * _GROW * (w * h) / (2 * (w + h))
        corners = cv2.boxPoints(((cx, cy), (w + grow, h + grow), turn)).astype(np.float32) * back
        lines.append(Line(quad=_ordered(corners), score=score))
    return lines


def _ordered(corners: Quad) -> Quad:
    """Order four corners so that the first edge is the longer side, running right (or down when upright)."""
    if np.linalg.norm(corners[1] - corners[0]) < np.linalg.norm(corners[2] - corners[1]):
        corners = np.roll(corners, -1, axis=0)
    along = corners[1] - corners[0]
    if (along[0] < 0) if abs(along[0]) >= abs(along[1]) else (along[1] < 0):
        corners = np.roll(corners, -2, axis=0)
    return np.ascontiguousarray(corners, dtype=np.float32)


def reversed_quad(quad: Quad) -> Quad:
    """Return the same place, read from its other end."""
    return np.ascontiguousarray(np.roll(quad, -2, axis=0))


def crop(picture: Pixels, quad: Quad, *, height: int = HEIGHT, squeeze: float = 1.0) -> Pixels:
    """Return the line inside `quad`, flattened, upright, `height` pixels high; its width is multiplied by `squeeze`."""
    width = float(np.linalg.norm(quad[1] - quad[0]) + np.linalg.norm(quad[2] - quad[3])) / 2
    tall = float(np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
    scale = height / max(tall, 1.0)
    across = int(np.clip(round(width * scale * squeeze), 16, _MAX_WIDTH * height // HEIGHT))
    target = np.array([[0, 0], [across, 0], [across, height], [0, height]], np.float32)
    if scale < 0.7:  # shrink in two steps: warping alone would skip pixels and alias
        middle = crop_at(picture, quad, (round(width), max(round(tall), height)))
        return cast(Pixels, cv2.resize(middle, (across, height), interpolation=cv2.INTER_AREA))
    matrix = cv2.getPerspectiveTransform(quad.astype(np.float32), target)
    return cast(
        Pixels, cv2.warpPerspective(picture, matrix, (across, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    )


def crop_at(picture: Pixels, quad: Quad, size: tuple[int, int]) -> Pixels:
    """Return the place inside `quad` as a picture of exactly `size` (width, height)."""
    width, height = size
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(quad.astype(np.float32), target)
    return cast(Pixels, cv2.warpPerspective(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def read(strip: Pixels) -> Reading:
    """Read one upright line crop of height 48 (H x W x 3, RGB)."""
    load()
    (odds,) = _sessions["ppocr_rec"].run(None, {"x": planes(strip)})
    kept = odds[0][:, _keep]
    other = np.clip(1 - kept.sum(axis=1, keepdims=True), 0, 1)
    return Reading(odds=np.concatenate([kept, other], axis=1).astype(np.float32))


def planes(strip: Pixels) -> Floats:
    """The crop as PP-OCRv6's recogniser takes it: shape (1, 3, H, W), blue first, -1 to 1."""
    normal = strip[:, :, ::-1].astype(np.float32)
    normal /= 127.5
    normal -= 1
    return cast(Floats, np.ascontiguousarray(normal.transpose(2, 0, 1)[None]))


def read_row(picture: Pixels, quad: Quad) -> Floats:
    """Read the line inside `quad` as a row of a zone, with our own network.

    Returns odds over time, shape (T, 39): blank, the zone's 37 characters (`mrz.ALPHABET`), any other print. T is a quarter
    of the crop's width, about four to a character.
    """
    load()
    strip = crop(picture, quad, height=ROW_HEIGHT, squeeze=ROW_SQUEEZE)
    return row_odds(strip)


def row_odds(strip: Pixels) -> Floats:
    """As `read_row`, of a crop that is ROW_HEIGHT high and squeezed already."""
    (odds,) = _sessions["ocrb_lines"].run(None, {"x": _standardised(strip)})
    return cast(Floats, odds[0])


def read_print(picture: Pixels, quad: Quad, *, widths: Sequence[float] = (1.0,)) -> Print:
    """Read the printed line inside `quad` with our own network: Cyrillic, Kazakh, Latin capitals, figures and signs.

    The quad as the detector gives it, about 1.8 capitals high; 2 ms on one core for each of `widths`: the crop's width over its
    natural one. Of several readings the surest is taken: narrow print is read better when stretched (see PRINT_WIDTHS), and
    one more is made without what shines brighter than the paper (a hologram's letters).
    """
    return _remembered(picture, quad, tuple(widths), lambda: _print_at(picture, quad, widths))


def _print_at(picture: Pixels, quad: Quad, widths: Sequence[float]) -> Print:
    strip = crop(picture, quad, height=PRINT_HEIGHT)
    best: tuple[float, Print] | None = None
    looks = [(strip, width) for width in widths]
    if len(widths) > 1:
        looks.append((np.minimum(strip, np.percentile(strip, _UNLIT, axis=(0, 1)).astype(np.uint8)), 1.0))
    for look, width in looks:
        across = max(16, round(strip.shape[1] * width))
        sized = look if width == 1.0 else cv2.resize(look, (across, PRINT_HEIGHT), interpolation=cv2.INTER_LINEAR)
        seen = print_odds(cast(Pixels, sized))
        sure = float(np.log(np.maximum(seen.odds.max(axis=1), 1e-6)).sum())
        if best is None or sure > best[0]:
            best = (sure, seen)
    if best is None:
        raise ValueError("read_print: no width to read at")
    return best[1]


def print_odds(strip: Pixels) -> Print:
    """As `read_print`, of a crop that is PRINT_HEIGHT high already (H x W x 3, RGB)."""
    load()
    (odds,) = _sessions["cyrillic_lines"].run(None, {"x": _standardised(strip)})
    return Print(odds=cast(Floats, odds[0]))


def _standardised(strip: Pixels) -> Floats:
    """Grey, mean 0 and spread 1 as trained, padded to a multiple of 4: shape (1, 1, H, W)."""
    grey = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = (grey - float(grey.mean())) / (float(grey.std()) + 8)
    planes = np.zeros((1, 1, grey.shape[0], -(-grey.shape[1] // 4) * 4), np.float32)
    planes[0, 0, :, : grey.shape[1]] = grey
    return planes


_Seen = TypeVar("_Seen", Reading, Print)
_Key = tuple[int, bytes, tuple[float, ...]]
_memory: ContextVar[dict[_Key, tuple[Pixels, Any]] | None] = ContextVar("lines read so far", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Within this block `read_at` and `read_print` read each place once: zone, page and landmarks ask for the same lines.

    Nothing read is kept after it.
    """
    token = _memory.set({})
    try:
        yield
    finally:
        _memory.reset(token)


def read_at(picture: Pixels, quad: Quad) -> Reading:
    """Read the line inside `quad`."""
    return _remembered(picture, quad, (), lambda: read(crop(picture, quad)))


def _remembered(picture: Pixels, quad: Quad, how: tuple[float, ...], look: Callable[[], _Seen]) -> _Seen:
    memory = _memory.get()
    if memory is None:
        return look()
    key = id(picture), quad.tobytes(), how
    if key not in memory:
        memory[key] = picture, look()  # with the picture: its id must not pass to another
    return cast(_Seen, memory[key][1])


def _columns(alphabet: str) -> list[int]:
    return [0, *(READABLE.index(c) + 1 for c in alphabet)]
