"""Draw the supporting pages of a Russian internal passport of nobody: earlier passports (19) and family status (14).

A page of 88 x 125 mm at 12 pixels a millimetre with stamps on it: a frame, a form's wording in one ink, and what an office
filled in, typed, stamped or by hand. That stamps name these values is public (facts/documents.md 3.5); their wording and rows
are not, so three arrangements are invented of each, and they copy no real stamp. Knows nothing of cameras.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.specimens import blanks
from tests.specimens.blanks import SET, TYPED
from tests.specimens.draw import NOT_A_DOCUMENT, PX, Colour, Page, Pixels, Quad, font, guilloche

Kind = Literal["earlier_passports", "family_status"]
KINDS: tuple[Kind, ...] = ("earlier_passports", "family_status")
EntryKind = Literal["passport", "foreign_passport", "marriage", "divorce"]
Filled = Literal["typed", "stamped", "hand"]
WIDE, TALL = 88.0, 125.0  # mm, decree 828
INKS: tuple[Colour, ...] = ((52, 54, 148), (96, 48, 140), (38, 40, 48), (32, 72, 150))  # blue, violet, black, bright blue
TYPE_INKS: tuple[Colour, ...] = ((30, 30, 40), (40, 44, 110), (30, 30, 40))
HAND = "Z003-MediumItalic.otf"
"""A chancery hand: slanted and round. No network here was trained on it, and none shall read it."""
HEADINGS: dict[Kind, str] = {"earlier_passports": "СВЕДЕНИЯ О РАНЕЕ ВЫДАННЫХ ПАСПОРТАХ", "family_status": "СЕМЕЙНОЕ ПОЛОЖЕНИЕ"}
_MONTHS = "ЯНВАРЯ ФЕВРАЛЯ МАРТА АПРЕЛЯ МАЯ ИЮНЯ ИЮЛЯ АВГУСТА СЕНТЯБРЯ ОКТЯБРЯ НОЯБРЯ ДЕКАБРЯ".split()  # noqa: SIM905

TITLE, LABEL, SMALL = 3.2, 2.7, 2.0  # mm, height of the em of a stamp's own wording
PITCH = 5.0  # mm from row to row
_TURN = 3.5  # degrees a stamp is held askew, at most


@dataclass(frozen=True, kw_only=True, slots=True)
class Stamp:
    """One entry: `values` by the names of `verification.papers.Detail`, dates ISO. `style` 0 to 2 arranges the same values."""

    kind: EntryKind
    values: dict[str, str]
    style: int = 0
    filled: Filled = "typed"
    words: bool = False  # months as words


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Drawn:
    """A flat page: RGB uint8 (H, W, 3), its truth by the names of `python -m verification supporting`, where the stamps are."""

    image: Pixels
    truth: dict[str, Any]
    quads: dict[str, Quad]


# --- Somebody who does not exist


def invented(kind: EntryKind, rng: np.random.Generator, *, today: date, style: int | None = None) -> Stamp:
    """Make an entry up. `style` None lets the lot decide."""
    at = int(rng.integers(3)) if style is None else style
    filled: Filled = "stamped" if rng.random() < 0.25 else "typed"
    day = today - timedelta(days=int(rng.integers(400, 9000)))
    region = blanks._REGIONS[int(rng.integers(len(blanks._REGIONS)))]
    if kind == "passport":
        series = f"{region[3]}{(day.year - int(rng.integers(0, 2))) % 100:02d}"
        values = {
            "document_number": f"{series}{int(rng.integers(101, 1_000_000)):06d}",
            "issued_on": day.isoformat(),
            "issuer": _short(lambda: blanks._issuer(rng, region, day.year)),
            "issuer_code": f"{region[2]}{int(rng.integers(4))}-{int(rng.integers(1, 100)):03d}",
        }
    elif kind == "foreign_passport":
        values = {
            "document_number": f"{int(rng.choice((51, 53, 63, 64, 65, 70, 71, 72, 75, 76)))}{int(rng.integers(10**6, 10**7))}",
            "issued_on": day.isoformat(),
            "issuer": f"{rng.choice(('ФМС', 'МВД'))} {region[2]}{int(rng.integers(1, 100)):03d}",
        }
    else:
        woman = bool(rng.random() < 0.5)
        born = day - timedelta(days=int(rng.integers(7000, 16000)))
        values = {
            "surname": _short(lambda: blanks.surname(rng, woman=woman), 24),
            "given_names": blanks.given_name(rng, woman=woman),
            "date_of_birth": born.isoformat(),
            "registered_on": day.isoformat(),
            "act_number": str(int(rng.integers(1, 4000))),
            "issuer": _short(lambda: _registry(rng, region)),
        }
        if father := blanks.patronymic(rng, woman=woman):
            values["patronymic"] = father
        if kind == "divorce":
            values["surname_after"] = _short(lambda: blanks.surname(rng, woman=not woman), 20)
    return Stamp(kind=kind, values=values, style=at, filled=filled, words=bool(rng.random() < 0.15))


def _registry(rng: np.random.Generator, region: tuple[str, str, str, str]) -> str:
    town = blanks.town(rng)
    ways = [f"ОТДЕЛ ЗАГС Г. {town}", f"ОТДЕЛ ЗАГС АДМИНИСТРАЦИИ Г. {town} {region[1]}",
            f"ДВОРЕЦ БРАКОСОЧЕТАНИЯ № {rng.integers(1, 6)}", f"{town[:-1]}СКИЙ ОТДЕЛ ЗАГС {region[1]}",
            f"ТЕРРИТОРИАЛЬНЫЙ ОТДЕЛ ЗАГС № {rng.integers(1, 30)}"]  # fmt: skip
    return str(rng.choice(ways))


def _short(make: Any, most: int = 58) -> str:
    for _ in range(200):
        text = str(make())
        if len(text) <= most:
            return text
    raise ValueError("no text is short enough")


# --- Rows of a stamp


@dataclass(frozen=True, slots=True)
class _Word:
    """A piece of a row: the form's own wording, or with a `name` what was filled in."""

    text: str
    name: str = ""
    size: float = LABEL
    middle: bool = False


def _rows(stamp: Stamp) -> list[list[_Word]]:
    v = {name: _printed(name, value, words=stamp.words) for name, value in stamp.values.items()}
    if stamp.kind == "passport":
        return _passport(stamp, v)
    if stamp.kind == "foreign_passport":
        number = v["document_number"]
        rows = [[_Word("ВЫДАН ЗАГРАНИЧНЫЙ ПАСПОРТ", size=TITLE, middle=True)]]
        if stamp.style == 0:
            return [
                *rows,
                [_Word("серия"), _Word(number[:2], "document_number"), _Word("№"), _Word(number[2:], "document_number")],
                [_Word("дата выдачи"), _Word(v["issued_on"], "issued_on"), _Word("орган"), _Word(v["issuer"], "issuer")],
            ]
        return [
            *rows,
            [_Word(f"{number[:2]} {number[2:]}", "document_number"), _Word("от"), _Word(v["issued_on"], "issued_on")],
            [_Word("выдан"), _Word(v["issuer"], "issuer")],
        ]
    return _family(stamp, v)


def _passport(stamp: Stamp, v: dict[str, str]) -> list[list[_Word]]:
    number = v["document_number"]
    issuer = _wrapped(v["issuer"], 29)
    if stamp.style == 0:
        return [
            [_Word("РАНЕЕ ВЫДАН ПАСПОРТ", size=TITLE, middle=True)],
            [_Word("серия"), _Word(f"{number[:2]} {number[2:4]}", "document_number"),
             _Word("№"), _Word(number[4:], "document_number")],
            [_Word("дата выдачи"), _Word(v["issued_on"], "issued_on")],
            [_Word("код подразделения"), _Word(v["issuer_code"], "issuer_code")],
            [_Word("кем выдан"), _Word(issuer[0], "issuer")],
            *([_Word(row, "issuer")] for row in issuer[1:]),
        ]  # fmt: skip
    if stamp.style == 1:
        return [
            [_Word("Ранее выдан паспорт"), _Word(f"{number[:4]} {number[4:]}", "document_number")],
            *([_Word(row, "issuer")] for row in _wrapped(v["issuer"], 34)),
            [_Word(v["issued_on"], "issued_on"), _Word(v["issuer_code"], "issuer_code")],
        ]  # fmt: skip
    return [
        [_Word("РАНЕЕ ВЫДАННЫЙ ПАСПОРТ", size=TITLE, middle=True)],
        [_Word("серия, номер"), _Word(f"{number[:2]} {number[2:4]} {number[4:]}", "document_number")],
        [_Word("выдан"), _Word(v["issued_on"], "issued_on"), _Word("код"), _Word(v["issuer_code"], "issuer_code")],
        *([_Word(row, "issuer", middle=True)] for row in _wrapped(v["issuer"], 34)),
        [_Word("(наименование органа)", size=SMALL, middle=True)],
    ]  # fmt: skip


def _family(stamp: Stamp, v: dict[str, str]) -> list[list[_Word]]:
    title = "ЗАРЕГИСТРИРОВАН БРАК" if stamp.kind == "marriage" else "БРАК РАСТОРГНУТ"
    after = (
        [[_Word("Фамилия после расторжения брака"), _Word(v["surname_after"], "surname_after")]] if "surname_after" in v else []
    )
    patronymic = v.get("patronymic", "")
    full = [_Word(v["given_names"], "given_names"), *([_Word(patronymic, "patronymic")] if patronymic else [])]
    if stamp.style == 0:
        office = _wrapped(v["issuer"], 28)
        return [
            [_Word(title, size=TITLE, middle=True)],
            [_Word("Фамилия"), _Word(v["surname"], "surname")],
            [_Word("Имя"), _Word(v["given_names"], "given_names")],
            *([[_Word("Отчество"), _Word(patronymic, "patronymic")]] if patronymic else []),
            [_Word("Дата рождения"), _Word(v["date_of_birth"], "date_of_birth")],
            [_Word("Орган ЗАГС"), _Word(office[0], "issuer")],
            *([_Word(row, "issuer")] for row in office[1:]),
            [_Word("Дата"), _Word(v["registered_on"], "registered_on"),
             _Word("запись акта №"), _Word(v["act_number"], "act_number")],
            *after,
        ]  # fmt: skip
    office = _wrapped(v["issuer"], 34)
    if stamp.style == 1:
        return [
            *([_Word(row, "issuer", middle=True)] for row in office),
            [_Word(v["registered_on"], "registered_on"), _Word(title.lower(), size=TITLE)],
            [_Word("с гр."), _Word(v["surname"], "surname")],
            full,
            [_Word(v["date_of_birth"], "date_of_birth"), _Word("года рождения")],
            [_Word("актовая запись №"), _Word(v["act_number"], "act_number")],
            *after,
        ]  # fmt: skip
    return [
        [_Word(title, size=TITLE, middle=True)],
        [_Word(v["surname"], "surname", middle=True)],
        [_Word("(фамилия)", size=SMALL, middle=True)],
        full,
        [_Word("(имя, отчество)", size=SMALL, middle=True)],
        [_Word("дата рождения"), _Word(v["date_of_birth"], "date_of_birth")],
        *([_Word(row, "issuer", middle=True)] for row in office),
        [_Word("(наименование органа ЗАГС)", size=SMALL, middle=True)],
        [_Word("а/з №"), _Word(v["act_number"], "act_number"), _Word("от"), _Word(v["registered_on"], "registered_on")],
        *after,
    ]  # fmt: skip


def _printed(name: str, value: str, *, words: bool) -> str:
    """A value as an office writes it: days with points, or their month as a word."""
    if name not in ("issued_on", "date_of_birth", "registered_on"):
        return value
    on = date.fromisoformat(value)
    return f"{on.day:02d} {_MONTHS[on.month - 1]} {on.year} Г." if words else f"{on:%d.%m.%Y}"


def _wrapped(text: str, width: int) -> list[str]:
    rows = [""]
    for word in text.split():
        if rows[-1] and len(rows[-1]) + 1 + len(word) > width:
            rows.append("")
        rows[-1] = f"{rows[-1]} {word}".strip()
    return rows


# --- Ink on paper


@dataclass(eq=False)
class _Press:
    """One stamp while it is pressed: `form` and `fill` are masks (0-255) of its own wording and of what was filled in."""

    wide: float
    tall: float
    rng: np.random.Generator
    form: Page = field(init=False)
    fill: Page = field(init=False)

    def __post_init__(self) -> None:
        self.form = Page.of(self.wide, self.tall, (0, 0, 0))
        self.fill = Page.of(self.wide, self.tall, (0, 0, 0))

    def rows(self, rows: Sequence[Sequence[_Word]], *, face: str, typed: str, by_hand: bool) -> None:
        y = 5.2
        for number, row in enumerate(rows):
            small = all(word.size == SMALL for word in row)
            y += 0.0 if number == 0 else 2.9 if small else PITCH
            self._row(row, y, face=face, typed=typed, by_hand=by_hand)
        low, right, bottom = 0.4, self.wide - 0.4, self.tall - 0.4
        frame = np.array([[low, low], [right, low], [right, bottom], [low, bottom]]) * PX * 16
        canvas = np.zeros(self.form.paper.shape[:2], np.uint8)
        cv2.polylines(canvas, [frame.astype(np.int32)], True, 255, max(2, round(0.3 * PX)), cv2.LINE_AA, 4)
        self.form.ink(canvas.astype(np.float32) / 255, (255, 255, 255))

    def _row(self, row: Sequence[_Word], y: float, *, face: str, typed: str, by_hand: bool) -> None:
        x, room = 2.5, self.wide - 5.0
        sizes = [3.5 if by_hand and word.name else 3.3 if word.name else word.size for word in row]
        faces = [(HAND if by_hand else typed) if word.name else face for word in row]
        longs = [_long(word.text, f, s) for word, f, s in zip(row, faces, sizes, strict=True)]
        gaps = [1.0 if number == 0 else 1.6 for number in range(len(row))]
        if sum(longs) + sum(gaps) > room:
            shrink = room / (sum(longs) + sum(gaps))
            sizes = [s * shrink for s in sizes]
            longs = [length * shrink for length in longs]
        if row[0].middle:
            x += max(0.0, (room - sum(longs)) / 2)
        for word, f, s, length, gap in zip(row, faces, sizes, longs, gaps, strict=True):
            x += gap
            page = self.fill if word.name else self.form
            up = float(self.rng.normal(0, 0.12)) if word.name else 0.0
            if word.name and by_hand:
                self._by_hand(word.text.capitalize(), x, y + up, f, s)
            else:
                page.print(word.text, x, y + up, face=f, size=s, colour=(255, 255, 255))
            x += length

    def _by_hand(self, text: str, x: float, y: float, face: str, size: float) -> None:
        for letter in text:
            tall = size * float(self.rng.uniform(0.88, 1.12))
            self.fill.print(letter, x, y + float(self.rng.normal(0, 0.18)), face=face, size=tall, colour=(255, 255, 255))
            x += _long(letter, face, size) * float(self.rng.uniform(0.86, 0.98))


def _long(text: str, face: str, size: float) -> float:
    return float(font(face, size * PX).getlength(text)) / PX


def _height(rows: Iterable[Sequence[_Word]]) -> float:
    """Millimetres a stamp needs."""
    return 7.6 + sum(2.9 if all(word.size == SMALL for word in row) else PITCH for row in list(rows)[1:])


def draw_page(kind: Kind, stamps: Sequence[Stamp], *, number: str, seed: int = 1, heading: bool = True) -> Drawn:
    """Draw one page with its stamps from the top. Raises ValueError where they have no room, FontMissing.

    `number`: ten figures of the very passport, printed at the top of page 19 and the bottom of page 14.
    """
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    page = Page.of(WIDE, TALL, (238, 226, 226) if rng.random() < 0.5 else (240, 232, 220))
    for mask, ink in zip(guilloche(WIDE, TALL, 40 + seed % 5), ((214, 176, 186), (182, 198, 214)), strict=True):
        page.ink(mask * 0.8, ink)
    page.print(NOT_A_DOCUMENT["ru_internal"], WIDE / 2, TALL - 1.2, face="LiberationSans-Regular.ttf", size=1.3,
               colour=(150, 120, 120), anchor="ms")  # fmt: skip
    low = kind == "family_status"
    page.print(f"{number[:2]} {number[2:4]} {number[4:]}", WIDE / 2 + 14, TALL - 4.0 if low else 6.5, face="PTM55F.ttf", size=4.0,
               colour=(150, 40, 52), anchor="ms", spacing=0.5, name="own_number")  # fmt: skip
    page.print("14" if low else "19", 6, TALL - 4.0, face="LiberationSans-Bold.ttf", size=4.2, colour=(150, 120, 130))
    y = 9.0 if low else 12.0
    if heading:
        page.print(HEADINGS[kind], WIDE / 2, y + 2, face="LiberationSans-Bold.ttf", size=2.9, colour=(120, 82, 92), anchor="ms")
    y += 5.0
    quads: dict[str, Quad] = {}
    for at, stamp in enumerate(stamps):
        rows = _rows(stamp)
        tall = _height(rows)
        y += float(rng.uniform(1.2, 2.4))
        if y + tall > TALL - (6.5 if low else 4.0):
            raise ValueError(f"{len(stamps)} stamps have no room on the page")
        quads[f"entry_{at}"] = _press(page, stamp, rows, (float(rng.uniform(3.0, 6.0)), y), tall, rng)
        y += tall + 1.2
    image = page.done()
    entries = [{"kind": stamp.kind, "values": dict(stamp.values), "by_hand": stamp.filled == "hand"} for stamp in stamps]
    return Drawn(image=image, truth={"kind": kind, "own_number": number, "entries": entries}, quads=page.quads | quads)


def _press(
    page: Page, stamp: Stamp, rows: list[list[_Word]], corner: tuple[float, float], tall: float, rng: np.random.Generator
) -> Quad:
    wide = float(rng.uniform(77.0, 80.0))
    press = _Press(wide, tall, rng)
    face = str(rng.choice(SET))
    typed = face if stamp.filled == "stamped" else str(rng.choice(TYPED))
    press.rows(rows, face=face, typed=typed, by_hand=stamp.filled == "hand")
    ink = INKS[int(rng.integers(len(INKS)))]
    fill = ink if stamp.filled == "stamped" else INKS[3] if stamp.filled == "hand" else TYPE_INKS[int(rng.integers(3))]
    turn = float(rng.uniform(-_TURN, _TURN)) * (0.35 if tall > 42 else 1.0)
    middle = (np.array(corner) + np.array([wide, tall]) / 2) * PX
    middle[0] = min(middle[0], (WIDE - 2.0 - wide / 2) * PX)
    matrix = cv2.getRotationMatrix2D((wide * PX / 2, tall * PX / 2), turn, 1.0)
    matrix[:, 2] += middle - np.array([wide, tall]) * PX / 2
    size = (page.paper.shape[1], page.paper.shape[0])
    fill_matrix = matrix.copy()
    fill_matrix[:, 2] += rng.normal(0, 0.15 * PX, 2)  # typed into the stamp afterwards, never quite on its rules
    for layer, colour, how, weight in ((press.form, ink, matrix, 0.86), (press.fill, fill, fill_matrix, 0.92)):
        mask = cv2.warpAffine(layer.paper[..., 0] / 255, how, size, flags=cv2.INTER_LINEAR)
        page.ink(mask * _worn(mask.shape, rng) * weight, colour)
    corners = np.array([[[0, 0], [wide, 0], [wide, tall], [0, tall]]], np.float64) * PX
    quad = np.asarray(cv2.transform(corners, matrix)[0], np.float32)
    if rng.random() < 0.45:
        _vouch(page, quad, rng)
    return quad


def _vouch(page: Page, quad: Quad, rng: np.random.Generator) -> None:
    """An officer's pen and the edge of a round seal across the stamp's lower right corner, over print where there is some."""
    canvas = np.zeros(page.paper.shape[:2], np.uint8)
    end, along, up = quad[2], quad[3] - quad[2], quad[1] - quad[2]
    length, tall = float(np.linalg.norm(along)), float(np.linalg.norm(up))
    along, up = along / length, up / tall
    t = np.linspace(0, 1, 200)
    x = (4 + 20 * t + 2.0 * np.sin(2 * np.pi * (float(rng.uniform(3, 5)) * t + rng.random()))) * PX
    y = (4 + 2.2 * np.sin(2 * np.pi * (float(rng.uniform(4, 6)) * t + rng.random())) * (1.1 - t)) * PX
    points = (end + x[:, None] * along + y[:, None] * up) * 16
    cv2.polylines(canvas, [points.astype(np.int32)], False, 255, 4, cv2.LINE_AA, 4)
    page.ink(canvas.astype(np.float32) / 255 * 0.8, INKS[3])
    seal = np.zeros_like(canvas)
    centre = tuple(int(v * 16) for v in end + along * float(rng.uniform(2, 12)) * PX - up * float(rng.uniform(4, 10)) * PX)
    for radius in (14.0, 13.2, 9.5):
        cv2.circle(seal, centre, round(radius * PX * 16), 255, 3, cv2.LINE_AA, 4)
    page.ink(seal.astype(np.float32) / 255 * 0.55, INKS[0])


def _worn(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Rubber and ribbon take ink better here than there."""
    coarse = rng.uniform(0.72, 1.05, (9, 7)).astype(np.float32)
    fine = rng.uniform(0.8, 1.1, (shape[0] // 6, shape[1] // 6)).astype(np.float32)
    size = (shape[1], shape[0])
    return np.asarray(np.clip(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC) * cv2.resize(fine, size), 0, 1), np.float32)


def page_of(kind: Kind, count: int, *, seed: int, today: date, style: int | None = None, filled: Filled | None = None) -> Drawn:
    """Draw a page of somebody invented with as many of `count` entries as have room (one always has)."""
    rng = np.random.default_rng([seed, 31])
    number = (
        f"{rng.choice(blanks._REGIONS)[3]}{today.year % 100 - int(rng.integers(0, 3)):02d}{int(rng.integers(101, 10**6)):06d}"
    )
    stamps: list[Stamp] = []
    for at in range(count):
        if kind == "earlier_passports":
            entry: EntryKind = "foreign_passport" if at and rng.random() < 0.35 else "passport"
        else:
            entry = "divorce" if at % 2 else "marriage"
        stamp = invented(entry, rng, today=today, style=style)
        stamps.append(stamp if filled is None else Stamp(**{**_fields(stamp), "filled": filled}))
    while True:
        try:
            return draw_page(kind, stamps, number=number, seed=seed)
        except ValueError:
            if len(stamps) == 1:
                raise
            stamps.pop()


def _fields(stamp: Stamp) -> dict[str, Any]:
    return {name: getattr(stamp, name) for name in ("kind", "values", "style", "filled", "words")}


def facing(left: Drawn, right: Drawn) -> Pixels:
    """Return two pages of an open book on one sheet, with the fold between them."""
    both = np.concatenate([left.image, right.image], axis=1).astype(np.float32)
    x = np.abs(np.arange(both.shape[1]) - left.image.shape[1]) / PX
    both *= (1 - 0.35 * np.exp(-x / 1.5))[None, :, None]
    return np.clip(both + 0.5, 0, 255).astype(np.uint8)
