"""Spoil a printed blank as customers do, one fault at a time, and draw two papers that are no passports.

`python -m tests.specimens.spoiled --out DIR --fault finger stamp --count N --seed S [--kind RU_INTERNAL_2011] [--hardness easy]`

The fault lies on the photo before the phone is held worse (`blanks.spoil`): a finger is in the same light and as soft as the
page. The label is that of `blanks`, with `fault` and, by slot, the share of each printed line that something covers or cuts.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.specimens import blanks
from tests.specimens.blanks import Blank, Floats, Press, Printed, Slot
from tests.specimens.draw import FontMissing, Page, font, guilloche
from tests.specimens.photograph import GRADES, photograph

Fault = Literal["number_cut", "finger", "stamp", "handwriting", "laminated", "screen", "page_two", "page_three"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
Stranger = Literal["birth_certificate", "driving_licence"]
STRANGERS: tuple[Stranger, ...] = get_args(Stranger)

HAND = "Z003-MediumItalic.otf"
"""The only typeface of Debian's fonts-urw-base35 that was written with a pen and has Russian letters."""
_LABEL = "LiberationSerif-Regular.ttf"
_TYPED = "LiberationMono-Bold.ttf"
_PLAIN = "LiberationSans-Regular.ttf"
_BOLD = "LiberationSans-Bold.ttf"

_PAGE = 125.0  # mm, width of a page of a passport
_THUMB = (15.0, 21.0)  # mm, width of a thumb
_STAMP = (30.0, 40.0)  # mm across: seals of offices are 38 to 45, stamps of notaries and shops smaller
_VIOLET = np.array((92, 62, 150), np.float32)
_PEN = ((28, 34, 92), (34, 34, 40), (60, 44, 110))  # RGB: blue, black, violet ink


@dataclass(slots=True, eq=False)
class _Scene:
    """A printed photo (H, W, 3, 0-255) that is worked on, the blank it is printed on, and what hides it (H, W, 0-1)."""

    photo: Floats
    blank: Blank
    hidden: Floats
    rng: np.random.Generator

    @property
    def mm(self) -> float:
        """Pixels of a millimetre."""
        return float(np.linalg.norm(self.blank.corners[1] - self.blank.corners[0])) / _PAGE

    @property
    def blur(self) -> float:
        """Sigma of the photo's own edges, pixels."""
        return float(np.clip(0.1 * self.mm, 0.6, 3.0))

    def slot(self, *names: str) -> Slot | None:
        """The first of these lines that the blank has."""
        by_name = {slot.name: slot for slot in self.blank.slots}
        return next((by_name[name] for name in names if name in by_name), None)

    def cover(self, alpha: Floats, colour: Floats) -> None:
        """Lay something over the photo that nothing shines through where `alpha` (H, W) is 1."""
        self.photo += (colour - self.photo) * alpha[..., None]
        self.hidden = np.maximum(self.hidden, alpha)


# ---------------------------------------------------------------- faults


def _number_cut(scene: _Scene) -> None:
    """The photo's edge runs through the number: along it where it stands upright, else across the page's top or side."""
    h, w = scene.hidden.shape
    lot = scene.rng
    upright = [slot for slot in scene.blank.slots if slot.name.startswith("document_number_")]
    cut = np.zeros((h, w), np.float32)
    if upright:
        at = [slot.quad.mean(axis=0) for slot in upright]
        ends = np.concatenate([slot.quad for slot in upright])
        way = int(lot.integers(3))
        if way == 0:
            cut[:, max(1, round(float(np.mean([x for x, _ in at])) + lot.uniform(-0.3, 0.3) * upright[0].height)) :] = 1
        elif way == 1:
            first = min(upright, key=lambda slot: float(slot.quad[:, 1].mean()))
            top, low = float(first.quad[:, 1].min()), float(first.quad[:, 1].max())
            cut[: round(top + lot.uniform(0.2, 0.8) * (low - top))] = 1
        else:
            last = max(upright, key=lambda slot: float(slot.quad[:, 1].mean()))
            top, low = float(last.quad[:, 1].min()), float(ends[:, 1].max())
            cut[round(top + lot.uniform(0.2, 0.8) * (low - top)) :] = 1
    else:
        slot = scene.slot("document_number")
        assert slot is not None
        if lot.random() < 0.5:
            cut[: max(1, round(float(slot.quad[:, 1].mean() + lot.uniform(-0.35, 0.35) * slot.height)))] = 1
        else:
            left, right = float(slot.quad[:, 0].min()), float(slot.quad[:, 0].max())
            cut[:, round(left + lot.uniform(0.2, 0.8) * (right - left)) :] = 1
    scene.hidden = np.maximum(scene.hidden, cut)


def _finger(scene: _Scene) -> None:
    """A thumb that holds the page lies over the surname: in from the right, or up from the left lower side."""
    slot = scene.slot("surname")
    assert slot is not None
    lot, mm = scene.rng, scene.mm
    wide = lot.uniform(*_THUMB) * mm
    along = (slot.quad[1] - slot.quad[0]) / max(float(np.linalg.norm(slot.quad[1] - slot.quad[0])), 1e-6)
    tip = slot.quad.mean(axis=0) + along * slot.width * lot.uniform(-0.45, 0.3)
    towards = math.radians(lot.uniform(-28, 28) if scene.blank.internal else lot.uniform(-20, 55))  # from the right
    way = np.array([math.cos(towards), math.sin(towards)], np.float32)
    _thumb(scene, tip, way, wide)


def _thumb(scene: _Scene, tip: NDArray[np.float32], way: NDArray[np.float32], wide: float) -> None:
    """Skin: a rod with a round end, lit from one side, with a nail and a shadow. `way` points from the tip to the hand."""
    h, w = scene.hidden.shape
    lot = scene.rng
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    u, v = (x - tip[0]) * way[0] + (y - tip[1]) * way[1], (y - tip[1]) * way[0] - (x - tip[0]) * way[1]
    radius = wide / 2 * (1 + 0.12 * np.tanh((u - wide) / wide))  # the joint is wider than the tip
    inside = np.where(u < wide / 2, np.hypot(u - wide / 2, v), np.abs(v)) / radius
    alpha = np.clip((1 - inside) * wide / 2 / max(scene.blur, 0.8) + 0.5, 0, 1).astype(np.float32)
    tone = np.array([(224, 172, 144), (198, 138, 108), (150, 100, 74), (236, 190, 166)][int(lot.integers(4))], np.float32)
    lit = np.sqrt(np.clip(1 - inside**2, 0.02, 1)) * (1 + 0.22 * lot.choice((-1, 1)) * v / radius)
    skin = tone * (0.55 + 0.5 * lit)[..., None]
    folds = np.exp(-(((u - 1.3 * wide) / (0.05 * wide)) ** 2)) + np.exp(-(((u - 1.42 * wide) / (0.04 * wide)) ** 2))
    skin *= (1 - 0.16 * folds * np.clip(1 - np.abs(v) / radius, 0, 1))[..., None]
    nail = ((u - 0.42 * wide) / (0.36 * wide)) ** 2 + (v / (0.33 * wide)) ** 2
    skin += np.clip(1.2 - nail, 0, 0.5)[..., None] * np.array((26, 24, 30), np.float32)
    grain = cv2.GaussianBlur(lot.normal(0, 5, (h, w)).astype(np.float32), (0, 0), 1.2)
    dim = 0.5 + 0.5 * float(np.median(scene.photo)) / 190  # the same light as on the page
    shadow = cv2.GaussianBlur(np.roll(alpha, (round(0.12 * wide), round(0.08 * wide)), axis=(0, 1)), (0, 0), 0.12 * wide)
    scene.photo *= (1 - 0.4 * shadow)[..., None]
    scene.cover(alpha, np.asarray(np.clip(skin * dim + grain[..., None], 0, 255), np.float32))


def _stamp(scene: _Scene) -> None:
    """A round violet seal over the date of issue or of birth: rings, words around, an emblem of strokes; dry and wet places."""
    names = ("issue_date", "birth_date") if scene.rng.random() < 0.5 else ("birth_date", "issue_date")
    slot = scene.slot(*names)
    assert slot is not None
    lot, h, w = scene.rng, *scene.hidden.shape
    size = 640
    seal = Image.new("L", (size, size), 0)
    pen = ImageDraw.Draw(seal)
    for edge, thick in ((8, 12), (38, 4), (150, 5)):
        pen.ellipse((edge, edge, size - edge, size - edge), outline=255, width=thick)
    words = str(
        lot.choice(
            ("ОТДЕЛ КАДРОВ * ДЛЯ СПРАВОК * ", "КАНЦЕЛЯРИЯ ОКРУГА * КОПИЯ ВЕРНА * ", "НОТАРИУС ВЕРХНЕЛЕСКА * УДОСТОВЕРЕНО * ")
        )
    )
    letters = font(_BOLD, 50)
    for at, letter in enumerate(words):
        tile = Image.new("L", (80, 80), 0)
        ImageDraw.Draw(tile).text((40, 60), letter, font=letters, fill=255, anchor="ms")
        turn = 360 * at / len(words)
        tile = tile.rotate(-turn, resample=Image.Resampling.BICUBIC)
        place = (size / 2 + 225 * math.sin(math.radians(turn)) - 40, size / 2 - 225 * math.cos(math.radians(turn)) - 40)
        seal.paste(255, (round(place[0]), round(place[1])), tile)
    for _ in range(16):
        a, r = lot.uniform(0, 2 * math.pi), lot.uniform(30, 120)
        start = (size / 2 + r * math.cos(a), size / 2 + r * math.sin(a))
        pen.line(
            (*start, size / 2 + lot.uniform(-100, 100), size / 2 + lot.uniform(-100, 100)),
            fill=255,
            width=int(lot.integers(4, 10)),
        )
    across = lot.uniform(*_STAMP) * scene.mm
    middle = slot.quad.mean(axis=0) + lot.uniform(-0.3, 0.3, 2).astype(np.float32) * (slot.width, 3 * slot.height)
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), float(lot.uniform(-60, 60)), across / size)
    turn[:, 2] += middle - size / 2
    small = cv2.GaussianBlur(np.asarray(seal, np.float32) / 255, (0, 0), max(0.5, scene.blur * size / across))
    mask = cv2.warpAffine(small, turn, (w, h), flags=cv2.INTER_AREA)
    worn = cv2.resize(lot.uniform(0.35, 1.0, (9, 9)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    alpha = np.asarray(np.clip(mask * worn * lot.uniform(0.7, 1.0), 0, 1), np.float32)
    passes = _VIOLET / 255
    scene.photo *= 1 - alpha[..., None] * (1 - passes)
    disc = np.hypot(*(np.mgrid[0:h, 0:w] - middle[::-1, None, None])) < across / 2
    scene.hidden = np.maximum(scene.hidden, 0.5 * disc.astype(np.float32))  # seen through it: half


def _laminated(scene: _Scene) -> None:
    """A copy under film: paler, soft broad light lying over it, a milky rim, bubbles."""
    lot, (h, w) = scene.rng, scene.hidden.shape
    side = max(h, w)
    grey = lot.uniform(0.0, 0.5)
    luma = scene.photo @ np.array([0.299, 0.587, 0.114], np.float32)
    scene.photo += (luma[..., None] - scene.photo) * grey
    scene.photo *= lot.uniform(0.62, 0.78)
    scene.photo += lot.uniform(40, 70)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32) / side
    glow = np.zeros((h, w), np.float32)
    for _ in range(int(lot.integers(2, 5))):
        a, cx, cy = lot.uniform(0, math.pi), lot.uniform(0.1, 0.9) * w / side, lot.uniform(0.1, 0.9) * h / side
        u, v = (x - cx) * math.cos(a) + (y - cy) * math.sin(a), (y - cy) * math.cos(a) - (x - cx) * math.sin(a)
        wave = 0.02 * np.sin(u * lot.uniform(8, 20) + lot.uniform(0, 6))
        streak = np.exp(-((u / lot.uniform(0.25, 0.6)) ** 2 + ((v + wave) / lot.uniform(0.02, 0.07)) ** 2))
        glow = np.maximum(glow, np.asarray(lot.uniform(0.45, 1.0) * streak, np.float32))
    for _ in range(int(lot.integers(8, 30))):
        cx, cy, r = lot.uniform(0, w / side), lot.uniform(0, h / side), lot.uniform(0.002, 0.008)
        glow = np.maximum(glow, np.asarray(0.35 * np.exp(-(((x - cx) ** 2 + (y - cy) ** 2) / r**2)), np.float32))
    scene.photo += (250 - scene.photo) * glow[..., None]
    scene.hidden = np.maximum(scene.hidden, np.where(glow > 0.8, glow, 0).astype(np.float32))


def _screen(scene: _Scene) -> None:
    """Shown on a screen and photographed from it: its dots of red, green and blue, a cast, a turn, a window's reflection."""
    lot = scene.rng
    if max(scene.hidden.shape) < 1400:  # a phone has more pixels than the screen has dots
        scene.photo = cv2.resize(scene.photo, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        scene.hidden = cv2.resize(scene.hidden, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    h, w = scene.hidden.shape
    dots = lot.uniform(0.38, 0.6)  # of the screen to a pixel of the photo
    shown = cv2.resize(scene.photo, (round(w * dots), round(h * dots)), interpolation=cv2.INTER_AREA)
    turn = math.radians(lot.uniform(-2.5, 2.5))
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    column = dots * ((x - w / 2) * math.cos(turn) + (y - h / 2) * math.sin(turn))
    row = dots * ((y - h / 2) * math.cos(turn) - (x - w / 2) * math.sin(turn))
    places = (column + shown.shape[1] / 2).astype(np.float32), (row + shown.shape[0] / 2).astype(np.float32)
    seen = cv2.remap(shown, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(14, 14, 16))
    stripes = np.stack([0.5 + 0.5 * np.cos(2 * math.pi * (column - k / 3)) for k in range(3)], axis=-1)
    rows = 0.5 + 0.5 * np.cos(2 * math.pi * row)
    deep = lot.uniform(0.15, 0.4)
    seen *= 1 - deep * (1 - stripes) - 0.5 * deep * (1 - rows)[..., None]
    seen = 255 * np.power(np.clip(seen / 255, 0, 1), lot.uniform(0.7, 0.9))
    seen *= np.array([lot.uniform(0.82, 0.95), lot.uniform(0.92, 1.0), 1.06], np.float32)
    seen = cv2.GaussianBlur(seen, (0, 0), lot.uniform(0.5, 0.9))
    left, top, wide, high = (
        lot.uniform(0, 0.7) * w,
        lot.uniform(0, 0.6) * h,
        lot.uniform(0.15, 0.35) * w,
        lot.uniform(0.15, 0.3) * h,
    )
    window = (x > left) & (x < left + wide) & (y > top) & (y < top + high) & (np.abs(x - left - wide / 2) > 0.03 * wide)
    shine = cv2.GaussianBlur(window.astype(np.float32), (0, 0), 0.012 * max(h, w)) * lot.uniform(0.15, 0.5)
    scene.photo = np.asarray(seen + (235 - seen) * shine[..., None], np.float32)
    scene.hidden = scene.hidden[:0]  # lines lie elsewhere now, and nothing covers one


def _page_two(scene: _Scene) -> None:
    _half(scene, lower=False)


def _page_three(scene: _Scene) -> None:
    _half(scene, lower=True)


def _half(scene: _Scene, *, lower: bool) -> None:
    """Only one page of the spread is on the photo: its edge lies at the fold, a little this or that side of it."""
    if not scene.blank.internal:
        raise ValueError("only an internal passport has two pages")
    corners = scene.blank.corners
    fold = float(corners[:, 1].mean())
    upper = [slot.quad[:, 1].max() for slot in scene.blank.slots if slot.quad[:, 1].mean() < fold]
    below = [slot.quad[:, 1].min() for slot in scene.blank.slots if slot.quad[:, 1].mean() >= fold]
    at = round(float(scene.rng.uniform(max(upper), min(below)))) if max(upper) < min(below) else round(fold)
    if lower:
        scene.hidden[:at] = 1
    else:
        scene.hidden[at:] = 1


_WAYS: dict[str, Callable[[_Scene], None]] = {
    "number_cut": _number_cut,
    "finger": _finger,
    "stamp": _stamp,
    "laminated": _laminated,
    "screen": _screen,
    "page_two": _page_two,
    "page_three": _page_three,
}
_CUTS = ("number_cut", "page_two", "page_three")


def spoiled(fault: Fault, blank: Blank, *, seed: Sequence[int], today: date, hardness: str | None = None) -> Printed:
    """Print somebody onto a blank and spoil it. A pure function of its arguments.

    `label["covered"]`: by slot the share (0-1) of its line that lies under something or beyond the photo's edge; left out where
    nothing is. Raises ValueError where the blank cannot have this fault, and what `blanks.printed` raises.
    """
    lot = (*seed, FAULTS.index(fault))
    made = _by_hand(blank, seed=lot, today=today) if fault == "handwriting" else blanks.printed(blank, seed=lot, today=today)
    scene = _Scene(
        photo=made.image.astype(np.float32),
        blank=blank,
        hidden=np.zeros(made.image.shape[:2], np.float32),
        rng=np.random.default_rng([*lot, 1]),
    )
    if fault in _WAYS:
        _WAYS[fault](scene)
    covered = (
        {slot.name: share for slot in blank.slots if (share := _share(scene.hidden, slot)) > 0.02} if scene.hidden.size else {}
    )
    picture = np.clip(scene.photo + 0.5, 0, 255).astype(np.uint8)
    if fault in _CUTS:
        kept = scene.hidden < 0.5
        rows, columns = np.flatnonzero(kept.any(axis=1)), np.flatnonzero(kept.any(axis=0))
        picture = np.ascontiguousarray(picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    if hardness is not None:
        press = Press(blank=blank, rng=np.random.default_rng(list(lot)))
        picture = blanks.spoil(picture, seed=int(scene.rng.integers(2**31)), hardness=hardness, letters=press.letters("surname"))
    label = made.label | {
        "size": [picture.shape[1], picture.shape[0]],
        "fault": fault,
        "covered": {name: round(share, 2) for name, share in covered.items()},
        "tags": [*made.label["tags"], fault, *([hardness] if hardness else [])],
    }
    return Printed(image=picture, label=label)


def _share(hidden: Floats, slot: Slot) -> float:
    """The share of a line that is hidden."""
    place = np.zeros(hidden.shape, np.uint8)
    cv2.fillConvexPoly(place, np.round(slot.quad).astype(np.int32), 1)
    return float(hidden[place > 0].mean()) if place.any() else 0.0


# ---------------------------------------------------------------- by hand


class _Pen(Press):
    """Prints the values with a pen: joined small letters after the first, on a line that wavers."""

    def by_hand(self, lines: dict[str, str]) -> None:
        """Write every value but the red number."""
        before = self.photo.copy()
        self.slots = {
            name: Slot(name=name, quad=slot.quad, ink=self._ink_of(), characters=slot.characters)
            for name, slot in self.slots.items()
        }
        for name, text in lines.items():
            if name in self.slots and not name.startswith("document_number"):
                self.line(name, text if name in blanks._FIELDS or self.rng.random() < 0.25 else _sentence(text))
        ink = self.photo - before
        h, w = ink.shape[:2]
        step = self.letters("surname")
        coarse = (max(2, round(h / (2 * step))), max(2, round(w / (2 * step))))
        shift = [
            cv2.resize(self.rng.normal(0, 0.10 * step, coarse).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
            for _ in "xy"
        ]
        y, x = np.mgrid[0:h, 0:w].astype(np.float32)
        self.photo = before + cv2.remap(ink, x + shift[0], y + shift[1], cv2.INTER_LINEAR)

    def _ink_of(self) -> tuple[int, int, int]:
        return _PEN[int(self.blank.corners.sum()) % len(_PEN)]


def _sentence(text: str) -> str:
    """Names and places as people write them: a capital, then small letters."""
    return " ".join(word if len(word) < 4 and word.isupper() and "." not in word else word.capitalize() for word in text.split())


def _by_hand(blank: Blank, *, seed: Sequence[int], today: date) -> Printed:
    """Like `blanks.printed`, but all that an office prints is written; the red number and the zone are as ever."""
    rng = np.random.default_rng(list(seed))
    press = _Pen(blank=blank, rng=rng, typeface=HAND)
    ink = {slot.name: slot for slot in blank.slots}
    paper = blanks.invent(blank, rng, today=today, fits=press.fits)
    press.by_hand(dict(paper.lines))
    press.slots = ink
    for name, text in paper.lines.items():
        if name.startswith("document_number") and name in ink:
            press.line(name, text)
    if paper.zone is not None:
        press.zone(paper.zone)
    for slot in blank.slots:
        if slot.name.startswith("signature"):
            press.scribble(slot.name)
    image = press.done()
    return Printed(image=image, label=blanks._label(blank, paper, image, None))


# ---------------------------------------------------------------- papers that are no passports

_MONTHS = (
    "ЯНВАРЯ", "ФЕВРАЛЯ", "МАРТА", "АПРЕЛЯ", "МАЯ", "ИЮНЯ", "ИЮЛЯ", "АВГУСТА", "СЕНТЯБРЯ", "ОКТЯБРЯ", "НОЯБРЯ", "ДЕКАБРЯ"
)  # fmt: skip


def stranger(kind: Stranger, *, seed: int, today: date, hardness: str = "easy") -> Printed:
    """Draw and photograph a paper that is no passport but has a name, dates, a place and a number. Nobody's."""
    rng = np.random.default_rng([seed, STRANGERS.index(kind), 77])
    page = _certificate(rng, today) if kind == "birth_certificate" else _licence(rng, today)
    picture = photograph(page.done(), seed=seed, hardness=hardness)  # type: ignore[arg-type]
    label = {
        "file": f"{kind}.jpg", "size": [picture.shape[1], picture.shape[0]], "doc_type": kind, "country": "RUS",
        "mrz_format": None, "mrz": None, "printed": {}, "fault": kind, "covered": {}, "tags": ["drawn", kind, hardness],
    }  # fmt: skip
    return Printed(image=picture, label=label)


def _certificate(rng: np.random.Generator, today: date) -> Page:
    """A certificate of birth: a tall green form, typed values over rules, the day in figures and in words, a seal."""
    wide, tall = 205.0, 292.0
    page = Page.of(wide, tall, (232, 240, 226))
    for mask, tint in zip(guilloche(wide, tall, 5), ((176, 204, 168), (206, 198, 170)), strict=True):
        page.ink(0.5 * mask, tint)
    woman = bool(rng.random() < 0.5)
    born = today - timedelta(days=int(rng.integers(300, 9000)))
    given_on = born + timedelta(days=int(rng.integers(5, 60)))
    family = blanks.surname(rng, woman=woman)
    name = " ".join(filter(None, (blanks.given_name(rng, woman=woman), blanks.patronymic(rng, woman=woman))))
    page.print("СВИДЕТЕЛЬСТВО", wide / 2, 58, face=_LABEL, size=11, anchor="ms", colour=(44, 92, 66))
    page.print("О РОЖДЕНИИ", wide / 2, 69, face=_LABEL, size=8, anchor="ms", colour=(44, 92, 66))
    y = 84.0

    def row(value: str, note: str) -> None:
        nonlocal y
        page.print(value, wide / 2, y, face=_TYPED, size=5.2, anchor="ms")
        page.rule(22, wide - 18, y + 1.4, (60, 90, 70))
        page.print(note, wide / 2, y + 4.4, face=_LABEL, size=2.8, anchor="ms", colour=(60, 90, 70))
        y += 12.4

    row(family, "фамилия")
    row(name, "имя, отчество")
    row(f"{born:%d.%m.%Y}", "родился(лась)")
    row(f"{born.day} {_MONTHS[born.month - 1]} {born.year} ГОДА", "число, месяц, год (цифрами и прописью)")
    row(f"Г. {blanks.town(rng)}, РОССИЯ", "место рождения")
    row(
        f"{given_on:%d.%m.%Y} СОСТАВЛЕНА ЗАПИСЬ АКТА № {int(rng.integers(10, 4000))}",
        "о чём в книге регистрации актов о рождении",
    )
    for parent, is_mother in (("Отец", False), ("Мать", True)):
        page.print(parent, 22, y, face=_LABEL, size=4, colour=(44, 92, 66))
        row(blanks.surname(rng, woman=is_mother), "фамилия")
        row(
            " ".join(filter(None, (blanks.given_name(rng, woman=is_mother), blanks.patronymic(rng, woman=is_mother)))),
            "имя, отчество",
        )
    row(f"ОТДЕЛ ЗАГС {blanks.town(rng)[:-1]}КОГО РАЙОНА", "место государственной регистрации")
    page.print(f"Дата выдачи  {given_on:%d.%m.%Y}", 24, y + 6, face=_TYPED, size=4.4)
    page.print(
        f"{rng.choice(('I', 'II', 'III', 'IV'))}-{rng.choice(('ТН', 'АГ', 'ИК', 'БЮ'))} № {int(rng.integers(500000, 999999))}",
        wide - 24,
        y + 18,
        face=_TYPED,
        size=6,
        anchor="rs",
        colour=(170, 40, 50),
    )
    return page


def _licence(rng: np.random.Generator, today: date) -> Page:
    """A driving licence of the national kind: pink and blue, a silhouette, numbered lines in both scripts."""
    wide, tall = 85.6, 54.0
    page = Page.of(wide, tall, (240, 226, 232))
    for mask, tint in zip(guilloche(wide, tall, 9), ((226, 170, 196), (172, 190, 224)), strict=True):
        page.ink(0.55 * mask, tint)
    woman = bool(rng.random() < 0.5)
    given_on = today - timedelta(days=int(rng.integers(30, 3500)))
    born = given_on - timedelta(days=int(rng.integers(18 * 366, 60 * 365)))
    until = given_on.replace(year=given_on.year + 10, day=min(given_on.day, 28))
    family, given = blanks.surname(rng, woman=woman), blanks.given_name(rng, woman=woman)
    both = " ".join(filter(None, (given, blanks.patronymic(rng, woman=woman))))
    region = str(rng.choice(("ТВЕРСКАЯ ОБЛ.", "ПСКОВСКАЯ ОБЛ.", "АЛТАЙСКИЙ КРАЙ", "РЕСП. КАРЕЛИЯ")))
    page.print("ВОДИТЕЛЬСКОЕ УДОСТОВЕРЕНИЕ", 50, 5.6, face=_BOLD, size=3.4, anchor="ms", colour=(50, 60, 130))
    page.print("RUS", 5, 7, face=_BOLD, size=4, colour=(50, 60, 130))
    figure = np.full((400, 300, 3), 214, np.float32)
    cv2.ellipse(figure, (150, 150), (70, 92), 0, 0, 360, (150, 138, 130), -1, cv2.LINE_AA)
    cv2.ellipse(figure, (150, 420), (140, 170), 0, 180, 360, (96, 100, 112), -1, cv2.LINE_AA)
    page.picture(figure, 4, 12, 21, 28)
    number = f"{int(rng.integers(10, 99))} {int(rng.integers(10, 99))} {int(rng.integers(100000, 999999))}"
    lines = (
        f"1.  {family}", f"     {blanks.latin(family)}", f"2.  {both}", f"     {blanks.latin(both)}",
        f"3.  {born:%d.%m.%Y}   {region}", f"4a) {given_on:%d.%m.%Y}   4b) {until:%d.%m.%Y}",
        f"4c) ГИБДД {int(rng.integers(1001, 9999))}", f"5.  {number}", f"8.  {region}", "9.  B B1 M",
    )  # fmt: skip
    for at, text in enumerate(lines):
        page.print(text, 28, 11.5 + at * 4.2, face=_PLAIN, size=3.1)
    return page


# ---------------------------------------------------------------- many


def pictures(
    fault: Fault | Stranger,
    count: int,
    *,
    seed: int,
    today: date,
    hardness: str | None = None,
    kinds: Sequence[str] = (),
    folder: Path = blanks.BLANKS,
) -> Iterator[Printed]:
    """Yield `count` pictures with one fault, each of another person, going round the blanks that can have it."""
    if fault in STRANGERS:
        for at in range(count):
            made = stranger(fault, seed=seed + at, today=today, hardness=hardness or "easy")  # type: ignore[arg-type]
            made.label["file"] = f"{fault}_{at:03d}.jpg"
            yield made
        return
    halves = fault in ("page_two", "page_three")
    chosen = [b for b in blanks.blanks(folder) if (not kinds or b.kind in kinds) and (b.internal or not halves)]
    for at in range(count):
        blank = chosen[at % len(chosen)]
        made = spoiled(fault, blank, seed=(seed, at), today=today, hardness=hardness)  # type: ignore[arg-type]
        made.label["file"] = f"{fault}_{at:03d}_{made.label['file']}"
        yield made


def main(arguments: Sequence[str] | None = None) -> int:
    """Write pictures and labels.json into a folder; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.specimens.spoiled", description="Papers photographed as they should not be."
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="outside the project, or under var/")
    parser.add_argument("--fault", nargs="+", choices=(*FAULTS, *STRANGERS), default=(*FAULTS, *STRANGERS), help="default all")
    parser.add_argument("--count", type=int, default=1, metavar="N", help="of each fault; default 1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hardness", choices=tuple(GRADES))
    parser.add_argument("--kind", nargs="+", choices=blanks.KINDS, default=())
    parser.add_argument("--today", type=date.fromisoformat, default=datetime.now(UTC).date(), metavar="YYYY-MM-DD")
    given = parser.parse_args(arguments)
    try:
        made = (
            picture
            for fault in given.fault
            for picture in pictures(
                fault, given.count, seed=given.seed, today=given.today, hardness=given.hardness, kinds=given.kind
            )
        )
        count = blanks.write(made, given.out)
    except (blanks.BlanksMissing, FontMissing, ValueError, OSError) as error:
        print(f"python -m tests.specimens.spoiled: {error}", file=sys.stderr)
        return 2
    print(f"{count} pictures and labels.json in {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
