"""Draw the data page of a passport of nobody, flat, at 12 pixels a millimetre: pixels and the truth about them.

Two layouts: the TD3 page (125 x 88 mm) of five states, and the spread of pages 2 and 3 of the Russian internal passport
(125 x 176 mm). Sizes and places: ICAO Doc 9303 part 3 section 4.4, part 4 figures 3 and 7; Russian fractions were read off a
public specimen. Patterns, emblems and security marks are invented: a page looks like a passport to a reader, not to an officer.
Knows nothing of cameras; `photograph` makes the phone picture.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]
Quad = NDArray[np.float32]
Kind = Literal["td3", "ru_internal"]
Colour = tuple[int, int, int]

PX = 12  # pixels a millimetre
PITCH = 2.54  # mm from letter to letter in the zone
MRZ_STRIP = 23.2  # mm from the lower edge
FONTS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".local/share/fonts", Path.home() / ".fonts")
_PACKAGES = {
    "OCRB.otf": "fonts-ocr-b",
    "LiberationSans-Regular.ttf": "fonts-liberation",
    "LiberationSans-Bold.ttf": "fonts-liberation",
    "LiberationSansNarrow-Regular.ttf": "fonts-liberation",
    "DejaVuSans.ttf": "fonts-dejavu-core",
    "DejaVuSans-Bold.ttf": "fonts-dejavu-core",
    "PTM55F.ttf": "fonts-paratype",
    "PTN57F.ttf": "fonts-paratype",
    "PTF75F.ttf": "fonts-paratype",
    "FreeMonoBold.ttf": "fonts-freefont-ttf",
}
INK: Colour = (28, 28, 38)
NOT_A_DOCUMENT = {"td3": "TEST DRAWING · NOT A DOCUMENT", "ru_internal": "РИСУНОК ДЛЯ ПРОВЕРКИ · НЕ ДОКУМЕНТ"}
"""Stands small on every page. It is not the word SPECIMEN, which a reader has to refuse: see `Faults.specimen_word`."""


class FontMissing(Exception):
    """A typeface is not installed; the text names the Debian package."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """What a paper says of somebody. Names are those of `verification.evidence.Field`; letters as printed, upper-case.

    For the Russian internal passport `surname` and `given_names` are Cyrillic; for TD3 they are Latin and `..._native`
    Cyrillic, or None where only one script is printed. `nationality` is the three-letter code. None = not printed.
    """

    surname: str
    given_names: str
    document_number: str
    date_of_birth: date
    sex: Literal["M", "F", "X"]
    nationality: str
    issued_on: date
    expires_on: date | None = None
    patronymic: str | None = None
    surname_native: str | None = None
    given_names_native: str | None = None
    issuer: str | None = None
    issuer_code: str | None = None
    place_of_birth: str | None = None
    personal_number: str | None = None

    def values(self) -> dict[str, str]:
        """Every field that is set, as `python -m verification read` writes values."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: v.isoformat() if isinstance(v, date) else v for name, v in values.items() if v is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Faults:
    """What is wrong with a paper. Values in `print_only` stand on the page and not in the zone, `zone_only` the other way.

    `wrong_check` names one printed check digit that is off by one: document_number, date_of_birth, expires_on,
    personal_number or composite. `specimen_word` prints SPECIMEN or ОБРАЗЕЦ across the page.
    """

    print_only: Mapping[str, str] = field(default_factory=dict)
    zone_only: Mapping[str, str] = field(default_factory=dict)
    wrong_check: str | None = None
    specimen_word: bool = False


NO_FAULTS = Faults()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Specimen:
    """A flat page: RGB uint8 of shape (H, W, 3), what is printed on it, and where (pixels, clockwise from the upper left).

    `truth` has the names of `python -m verification read`: document_type, country, mrz (lines, valid, checks; or None), fields
    (value, source) with the value as on the page where it stands there, portrait (box). `zones_differ` lists fields in which
    page and zone differ. Quads: "page", "portrait", "mrz_0", "mrz_1" and each printed field.
    """

    image: Pixels
    truth: dict[str, Any]
    quads: dict[str, Quad]


# --- The machine-readable zone


def check_digit(text: str) -> str:
    """Return the check digit of letters, digits and fillers: weights 7 3 1 from the left, sum modulo 10 (Doc 9303-3, 4.9).

    >>> check_digit("L898902C3")
    '6'
    """
    worth = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return str(sum((worth.index(c) if c != "<" else 0) * (7, 3, 1)[i % 3] for i, c in enumerate(text)) % 10)


def zone_letters(name: str) -> str:
    """Spell a printed Latin name for the zone: marks and apostrophes dropped, spaces and hyphens become fillers."""
    plain = unicodedata.normalize("NFD", name.upper().replace("Ø", "OE").replace("Æ", "AE").replace("ß", "SS").replace("Ł", "L"))
    spelled = "".join("<" if c in " -" else c for c in plain if c in " -" or "A" <= c <= "Z")
    return "<".join(part for part in spelled.split("<") if part)


RUSSIAN_ZONE = dict(zip("АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ", "ABVGDE2JZIQKLMNOPRSTUFHC34WXY9678", strict=True))
"""Letters of the internal passport's zone («модернизированный клер»)."""


def td3_zone(person: Person, country: str, *, wrong_check: str | None = None) -> tuple[tuple[str, str], dict[str, bool]]:
    """Return both lines of 44 and which printed check digits hold. Raises ValueError on what does not fit."""
    names = f"{zone_letters(person.surname)}<<{zone_letters(person.given_names)}"
    if len(names) > 39 or len(person.document_number) > 9 or person.expires_on is None:
        raise ValueError("a name of more than 39 letters, a number of more than 9 or no date of expiry: not drawn here")
    first = f"P<{country.ljust(3, '<')}{names}".ljust(44, "<")
    number, birth = person.document_number.ljust(9, "<"), f"{person.date_of_birth:%y%m%d}"
    until, own = f"{person.expires_on:%y%m%d}", _zone_number(person).ljust(14, "<")
    covered = {"document_number": number, "date_of_birth": birth, "expires_on": until, "personal_number": own}
    digits = {name: check_digit(text) for name, text in covered.items()}
    if not _zone_number(person):
        digits["personal_number"] = "<"
    digits, checks = _spoil(digits, wrong_check)
    body = "".join(covered[name] + digits[name] for name in covered)
    composite, checks["composite"] = _composite(body, wrong_check)
    sex = "<" if person.sex == "X" else person.sex
    second = f"{body[:10]}{person.nationality.ljust(3, '<')}{body[10:17]}{sex}{body[17:]}{composite}"
    return _both(first, second), checks


def _zone_number(person: Person) -> str:
    """The personal number if its 14 places hold it: a CURP of 18 stands on the page only."""
    number = person.personal_number or ""
    return number if len(number) <= 14 else ""


def internal_zone(person: Person, *, wrong_check: str | None = None) -> tuple[tuple[str, str], dict[str, bool]]:
    """Return the zone of a Russian internal passport (since July 2011) and which printed check digits hold.

    The date of expiry and its digit are fillers; the fourth digit of the series stands at place 29.
    """

    def spell(name: str) -> str:
        return "".join("<" if c in " -" else RUSSIAN_ZONE[c] for c in name.upper())

    start = f"PNRUS{spell(person.surname)}<<{spell(person.given_names)}"
    if len(start) > 42:
        raise ValueError("surname and given name of more than 37 letters: not drawn here")
    first = (start + ("<" + spell(person.patronymic) if person.patronymic else ""))[:44].ljust(44, "<")
    serial, unit = person.document_number, (person.issuer_code or "").replace("-", "")
    if len(serial) != 10 or len(unit) != 6:
        raise ValueError("the internal passport needs ten digits of series and number, and a unit code of six")
    number, birth = serial[:3] + serial[4:], f"{person.date_of_birth:%y%m%d}"
    own = f"{serial[3]}{person.issued_on:%y%m%d}{unit}<"
    digits, checks = _spoil({"document_number": check_digit(number), "date_of_birth": check_digit(birth),
                             "personal_number": check_digit(own)}, wrong_check)  # fmt: skip
    body = f"{number}{digits['document_number']}{birth}{digits['date_of_birth']}<<<<<<<{own}{digits['personal_number']}"
    composite, checks["composite"] = _composite(body, wrong_check)
    return _both(first, f"{body[:10]}RUS{body[10:17]}{person.sex}{body[17:]}{composite}"), checks


def _spoil(digits: dict[str, str], wrong: str | None) -> tuple[dict[str, str], dict[str, bool]]:
    if wrong is not None and wrong != "composite" and not digits.get(wrong, "<").isdigit():
        raise ValueError(f"there is no check digit {wrong!r} on this paper")
    spoiled = {name: str((int(digit) + 1) % 10) if name == wrong else digit for name, digit in digits.items()}
    return spoiled, {name: name != wrong for name in digits}


def _composite(body: str, wrong: str | None) -> tuple[str, bool]:
    """The composite over what is printed, so one wrong digit stays one wrong digit."""
    digit = check_digit(body)
    return (str((int(digit) + 1) % 10), False) if wrong == "composite" else (digit, True)


def _both(first: str, second: str) -> tuple[str, str]:
    if len(first) != 44 or len(second) != 44:
        raise ValueError(f"lines of {len(first)} and {len(second)} letters instead of 44")
    return first, second


# --- Paper, patterns and print


@lru_cache(maxsize=1)
def _installed() -> dict[str, Path]:
    files = (f for folder in FONTS if folder.is_dir() for f in folder.rglob("*") if f.suffix.lower() in (".otf", ".ttf"))
    return {f.name: f for f in sorted(files, reverse=True)}


@lru_cache(maxsize=64)
def font(name: str, size: float) -> ImageFont.FreeTypeFont:
    """Return a typeface by its file's name at `size` pixels. Raises FontMissing with the package to install."""
    if name not in _installed():
        raise FontMissing(f"{name} is not installed: apt-get install {_PACKAGES.get(name, 'the package that has it')}")
    return ImageFont.truetype(str(_installed()[name]), size)


@dataclass(slots=True, eq=False)
class Page:
    """A page while it is drawn, in millimetres; ink is laid on by multiplying, as on paper."""

    width: float
    height: float
    paper: NDArray[np.float32]  # (H, W, 3), 0-255
    quads: dict[str, Quad] = field(default_factory=dict)

    @classmethod
    def of(cls, width: float, height: float, tint: Colour) -> Page:
        h, w = round(height * PX), round(width * PX)
        paper = np.empty((h, w, 3), np.float32)
        paper[:] = tint
        return cls(width, height, paper)

    def ink(self, mask: NDArray[np.float32], colour: Colour) -> None:
        """Lay ink of `colour` where `mask` (H, W, 0-1) says."""
        alpha = mask[..., None]
        self.paper *= 1 - alpha
        self.paper += alpha * np.array(colour, np.float32)

    def print(
        self, text: str, x: float, y: float, *, face: str, size: float, colour: Colour = INK, anchor: str = "ls",
        spacing: float = 0.0, name: str | None = None, alpha: float = 1.0, turn: int = 0,
    ) -> None:  # fmt: skip
        """Print a line with its baseline at (x, y) mm; `size` is the height of the em in mm, `spacing` mm between letters.

        `anchor` is Pillow's (ls left, ms middle, rs right of the baseline). `turn` 90 = reading downwards. `name` keeps the quad.
        """
        letters = font(face, size * PX)
        step = spacing * PX
        wide = letters.getlength(text) if not step else sum(letters.getlength(c) + step for c in text) - step
        tall = math.ceil(size * PX * 1.5)
        base = round(size * PX * 1.1)
        tile = Image.new("L", (math.ceil(wide) + 8, tall), 0)
        pen = ImageDraw.Draw(tile)
        at = 4.0
        if not step:
            pen.text((at, base), text, font=letters, fill=255, anchor="ls")
        else:
            for c in text:
                pen.text((at, base), c, font=letters, fill=255, anchor="ls")
                at += letters.getlength(c) + step
        shift = {"l": 0.0, "m": wide / 2, "r": wide}[anchor[0]]
        box = tile.getbbox() or (0, 0, 1, 1)
        corners = np.array([[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]]], np.float32)
        mask = np.asarray(tile, np.float32) / 255 * alpha
        if turn == 90:  # reading downwards: the letter's top looks right
            mask = np.rot90(mask, -1)
            corners = np.stack([tall - corners[:, 1], corners[:, 0]], axis=1)
            left, top = round(x * PX - (tall - base)), round(y * PX - shift - 4)
        else:
            left, top = round(x * PX - shift - 4), round(y * PX - base)
        self._lay(mask, left, top, colour)
        if name is not None:
            self.quads[name] = (corners + np.array([left, top], np.float32)).astype(np.float32)

    def _lay(self, mask: NDArray[np.float32], left: int, top: int, colour: Colour) -> None:
        h, w = self.paper.shape[:2]
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + mask.shape[1], w), min(top + mask.shape[0], h)
        if x1 <= x0 or y1 <= y0:
            return
        part = mask[y0 - top : y1 - top, x0 - left : x1 - left, None]
        window = self.paper[y0:y1, x0:x1]
        window *= 1 - part
        window += part * np.array(colour, np.float32)

    def rule(self, x0: float, x1: float, y: float, colour: Colour, *, dotted: bool = False) -> None:
        """A thin line from x0 to x1 mm."""
        row = self.paper[round(y * PX) : round(y * PX) + 2, round(x0 * PX) : round(x1 * PX)]
        keep = (np.arange(row.shape[1]) % 6 < 3)[None, :, None] if dotted else np.ones((1, row.shape[1], 1), bool)
        row[:] = np.where(keep, row * 0.35 + np.array(colour, np.float32) * 0.65, row)

    def picture(self, pixels: NDArray[np.float32], x: float, y: float, wide: float, tall: float, *, alpha: float = 1.0) -> None:
        """Print a picture of 0-255 over the page, `alpha` of it covering."""
        left, top, w, h = round(x * PX), round(y * PX), round(wide * PX), round(tall * PX)
        small = cv2.resize(pixels, (w, h), interpolation=cv2.INTER_AREA)
        window = self.paper[top : top + h, left : left + w]
        rim = np.ones((h, w), np.float32)
        soft = max(2, round(0.4 * PX))
        ramp = np.minimum(1, (np.arange(max(h, w)) + 1) / soft).astype(np.float32)
        rim *= np.minimum(ramp[:w], ramp[:w][::-1])[None, :] * np.minimum(ramp[:h], ramp[:h][::-1])[:, None]
        window += (small - window) * (alpha * rim)[..., None]

    def box(self, name: str, x: float, y: float, wide: float, tall: float) -> None:
        """Keep a place in millimetres under `name`."""
        a, b, c, d = x * PX, y * PX, (x + wide) * PX, (y + tall) * PX
        self.quads[name] = np.array([[a, b], [c, b], [c, d], [a, d]], np.float32)

    def zone(self, lines: tuple[str, str], baselines: tuple[float, float], left: float) -> None:
        """Both lines in OCR-B, each letter on its own place of the pitch."""
        # The typeface is 0.723 em wide; its letters are then 2.5 mm high (OCR-B size 1: 2.4).
        size = PITCH / 0.723
        for row, (text, y) in enumerate(zip(lines, baselines, strict=True)):
            for place, letter in enumerate(text):
                self.print(letter, left + (place + 0.5) * PITCH, y, face="OCRB.otf", size=size, colour=(20, 20, 24), anchor="ms")
            self.box(f"mrz_{row}", left, y - 2.6, 44 * PITCH, 2.75)

    def done(self) -> Pixels:
        self.box("page", 0, 0, self.width, self.height)
        return np.clip(self.paper + 0.5, 0, 255).astype(np.uint8)


def _waves(
    h: int, w: int, rng: np.random.Generator, *, pitch: float, swing: float, length: float, turn: float
) -> NDArray[np.float32]:
    """Fine parallel lines that sway together (mask 0-1); `pitch`, `swing`, `length` in mm, `turn` in radians."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float32) / PX
    u, v = x * np.sin(turn) + y * np.cos(turn), x * np.cos(turn) - y * np.sin(turn)
    sway = swing * np.sin(2 * np.pi * v / length + rng.uniform(0, 6.28)) + 0.4 * swing * np.sin(
        2 * np.pi * v / (length * 0.37) + rng.uniform(0, 6.28)
    )
    away = np.abs((u + sway) % pitch - pitch / 2)
    return np.clip(1.2 - away * PX / 1.1, 0, 1).astype(np.float32)


def _rosette(h: int, w: int, centre: tuple[float, float], radius: float, petals: int, turns: int) -> NDArray[np.float32]:
    """A woven ring of fine closed curves around `centre` (mm), mask 0-1."""
    canvas = np.zeros((h, w), np.uint8)
    t = np.linspace(0, 2 * np.pi, 720)
    for k in range(turns):
        r = radius * (0.62 + 0.30 * np.cos(petals * t + 2 * np.pi * k / turns) + 0.08 * np.cos(3 * petals * t))
        points = np.stack([centre[0] + r * np.cos(t), centre[1] + r * np.sin(t)], axis=1) * PX * 16
        cv2.polylines(canvas, [points.astype(np.int32)], True, 255, 1, cv2.LINE_AA, 4)
    return canvas.astype(np.float32) / 255


@lru_cache(maxsize=12)
def guilloche(width: float, height: float, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two masks of guilloche for two inks, the same for the same seed."""
    h, w = round(height * PX), round(width * PX)
    rng = np.random.default_rng(seed)
    first = _waves(h, w, rng, pitch=1.15, swing=1.9, length=23, turn=0.12)
    second = _waves(h, w, rng, pitch=1.6, swing=2.6, length=31, turn=-0.5)
    for x, y, radius, petals in ((0.64, 0.42, 0.30, 9), (0.16, 0.16, 0.16, 7), (0.9, 0.78, 0.2, 11)):
        second = np.maximum(second, _rosette(h, w, (x * width, y * height), radius * min(width, height), petals, 14))
    return first, second


def as_printed(portrait: Pixels, *, grey: float, contrast: float) -> NDArray[np.float32]:
    """The picture as a printer leaves it: less colour, less contrast, a coarse screen."""
    if portrait.ndim != 3 or portrait.shape[2] != 3 or portrait.dtype != np.uint8:
        raise ValueError(f"expected a portrait of uint8 RGB pixels, got {portrait.dtype} {portrait.shape}")
    colour = portrait.astype(np.float32)
    luma = colour @ np.array([0.299, 0.587, 0.114], np.float32)
    mixed = colour * (1 - grey) + luma[..., None] * grey
    return (mixed - 128) * contrast + 128 + (1 - contrast) * 50


# --- TD3: the data page of a passport for travel


@dataclass(frozen=True, kw_only=True, slots=True)
class _State:
    """How one state's page looks. Labels are `Own / Latin`; an absent label = the field is not printed."""

    heading: str
    word: str
    tint: Colour
    inks: tuple[Colour, Colour]
    labels: Mapping[str, str]
    nationality: str
    day: Callable[[date], str]
    grey: float
    number: Callable[[str], str] = str
    face: str = "LiberationSans-Regular.ttf"
    sexes: Mapping[str, str] = field(default_factory=lambda: {"M": "M", "F": "F", "X": "X"})


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_ENGLISH = {
    "surname": "Surname", "given_names": "Given names", "nationality": "Nationality", "date_of_birth": "Date of birth",
    "sex": "Sex", "place_of_birth": "Place of birth", "personal_number": "Personal No.", "issued_on": "Date of issue",
    "expires_on": "Date of expiry", "issuer": "Authority", "document_number": "Passport No.", "type": "Type", "code": "Code",
}  # fmt: skip


def _labels(**own: str) -> dict[str, str]:
    return {name: f"{own[name]} / {english}" if name in own else english for name, english in _ENGLISH.items()}


def _dots(day: date) -> str:
    return f"{day:%d.%m.%Y}"


def _spaces(day: date) -> str:
    return f"{day:%d %m %Y}"


def _month(day: date) -> str:
    return f"{day.day:02d} {_MONTHS[day.month - 1]} {day.year}"


STATES: dict[str, _State] = {
    "RUS": _State(
        heading="РОССИЙСКАЯ ФЕДЕРАЦИЯ / RUSSIAN FEDERATION", word="ПАСПОРТ / PASSPORT", tint=(238, 228, 226),
        inks=((205, 150, 160), (150, 175, 205)), nationality="РОССИЙСКАЯ ФЕДЕРАЦИЯ / RUSSIAN FEDERATION", day=_dots, grey=0.35,
        number=lambda n: f"{n[:2]} {n[2:]}", sexes={"M": "М / M", "F": "Ж / F", "X": "X"}, face="PTN57F.ttf",
        labels=_labels(
            surname="Фамилия", given_names="Имя", nationality="Гражданство", date_of_birth="Дата рождения", sex="Пол",
            place_of_birth="Место рождения", personal_number="Личный номер", issued_on="Дата выдачи",
            expires_on="Дата окончания срока", issuer="Орган, выдавший документ", document_number="Номер паспорта",
            type="Тип", code="Код",
        ),
    ),
    "KAZ": _State(
        heading="ҚАЗАҚСТАН РЕСПУБЛИКАСЫ / REPUBLIC OF KAZAKHSTAN", word="ПАСПОРТ / PASSPORT", tint=(226, 236, 238),
        inks=((130, 190, 205), (205, 195, 140)), nationality="ҚАЗАҚСТАН / KAZAKHSTAN", day=_dots, grey=0.0, face="DejaVuSans.ttf",
        labels=_labels(
            surname="Тегі", given_names="Аты", nationality="Азаматтығы", date_of_birth="Туған күні", sex="Жынысы",
            place_of_birth="Туған жері", personal_number="ЖСН", issued_on="Берілген күні", expires_on="Қолданылу мерзімі",
            issuer="Берген орган", document_number="Паспорт №", type="Түрі", code="Код",
        ),
    ),
    "ESP": _State(
        heading="REINO DE ESPAÑA", word="PASAPORTE / PASSPORT", tint=(240, 232, 224), inks=((215, 165, 150), (170, 190, 165)),
        nationality="ESPAÑOLA", day=_spaces, grey=1.0,
        labels=_labels(
            surname="Apellidos", given_names="Nombre", nationality="Nacionalidad", date_of_birth="Fecha de nacimiento",
            sex="Sexo", place_of_birth="Lugar de nacimiento", personal_number="Núm. DNI", issued_on="Fecha de expedición",
            expires_on="Fecha de caducidad", issuer="Autoridad", document_number="Pasaporte núm.", type="Tipo", code="Código",
        ),
    ),
    "MEX": _State(
        heading="ESTADOS UNIDOS MEXICANOS", word="PASAPORTE / PASSPORT", tint=(230, 236, 226),
        inks=((160, 195, 165), (205, 165, 160)), nationality="MEXICANA", day=_spaces, grey=0.0,
        labels=_labels(
            surname="Apellidos", given_names="Nombres", nationality="Nacionalidad", date_of_birth="Fecha de nacimiento",
            sex="Sexo", place_of_birth="Lugar de nacimiento", personal_number="CURP", issued_on="Fecha de expedición",
            expires_on="Fecha de caducidad", issuer="Autoridad", document_number="Pasaporte No.", type="Tipo", code="Clave",
        ),
    ),
    "UTO": _State(
        heading="UTOPIA", word="PASSPORT", tint=(232, 232, 240), inks=((165, 165, 215), (180, 205, 190)), nationality="UTOPIAN",
        day=_month, grey=0.0, labels=_labels(),
    ),
}  # fmt: skip


def draw_td3(person: Person, portrait: Pixels, *, country: str, faults: Faults = NO_FAULTS) -> Specimen:
    """Draw a passport's data page, 1500 x 1056 pixels. `country` is one of STATES. Raises ValueError, FontMissing."""
    if country not in STATES:
        raise ValueError(f"country must be one of {', '.join(STATES)}")
    state = STATES[country]
    shown, coded = edited(person, faults.print_only), edited(person, faults.zone_only)
    lines, checks = td3_zone(coded, country, wrong_check=faults.wrong_check)
    page = Page.of(125, 88, state.tint)
    one, two = guilloche(125, 88, 100 + list(STATES).index(country))
    page.ink(one * 0.55, state.inks[0])
    page.ink(two * 0.50, state.inks[1])
    dark: Colour = (state.inks[0][0] // 2, state.inks[0][1] // 3, state.inks[0][2] // 2)
    bold = "DejaVuSans-Bold.ttf" if country == "KAZ" else "LiberationSans-Bold.ttf"
    page.print(state.heading, 6, 6.6, face=bold, size=3.1 if len(state.heading) < 42 else 2.9, colour=dark)
    page.print(state.word, 6, 11.4, face=bold, size=2.7, colour=dark)

    # Portrait 35 x 45 mm on the left, its ghost on the right, lines of the pattern over both.
    px, py, pw, ph = 6.0, 15.0, 34.0, 43.7
    printed = as_printed(portrait, grey=state.grey, contrast=0.88)
    page.picture(printed, px, py, pw, ph, alpha=0.94)
    page.box("portrait", px, py, pw, ph)
    ghost = as_printed(portrait, grey=1.0, contrast=0.8) * np.array([0.92, 0.94, 1.0], np.float32)
    page.picture(ghost, 103.5, 38.5, 16.5, 21.2, alpha=0.34)
    window = np.zeros(page.paper.shape[:2], np.float32)
    window[round(py * PX) : round((py + ph) * PX), round(px * PX) : round((px + pw) * PX)] = 1
    page.ink(one * window * 0.16, state.inks[0])
    page.ink(two * window * 0.14, state.inks[1])

    grey: Colour = (96, 88, 98)
    small = dict(face=state.face if country != "RUS" else "PTN57F.ttf", size=1.72 if country != "KAZ" else 1.5, colour=grey)
    value = dict(face=state.face, size=3.15 if country != "KAZ" else 2.75)

    def put(name: str, text: str | None, x: float, y: float, *, below: str | None = None, below_name: str | None = None) -> None:
        if text is None:
            return
        page.print(state.labels[name], x, y, **small)  # type: ignore[arg-type]
        room = (121.0 if y < 33 else 102.5) - x  # the ghost stands lower right
        wide = font(state.face, value["size"] * PX).getlength(text) / PX  # type: ignore[operator]
        fitted = {**value, "size": value["size"] * min(1.0, room / wide)}  # type: ignore[operator]
        page.print(text, x, y + 3.25, name=name if below is None else below_name, **fitted)  # type: ignore[arg-type]
        if below is not None:
            page.print(below, x, y + 6.35, name=name, **value)  # type: ignore[arg-type]

    page.print(state.labels["type"], 52.5, 9.5, **small)  # type: ignore[arg-type]
    page.print("P", 52.5, 12.75, **value)  # type: ignore[arg-type]
    page.print(state.labels["code"], 66.0, 9.5, **small)  # type: ignore[arg-type]
    page.print(country, 66.0, 12.75, **value)  # type: ignore[arg-type]
    put("document_number", state.number(shown.document_number), 88.0, 9.5)
    left, middle = 44.0, 77.0
    two_scripts = shown.surname_native is not None
    given = shown.given_names_native
    if given is not None and shown.patronymic is not None:
        given = f"{given} {shown.patronymic}"
    y = 16.4
    put("surname", shown.surname_native or shown.surname, left, y,
        below=shown.surname if two_scripts else None, below_name="surname_native")  # fmt: skip
    y += 8.6 if two_scripts else 6.2
    put("given_names", given or shown.given_names, left, y,
        below=shown.given_names if given else None, below_name="given_names_native")  # fmt: skip
    y += 8.6 if given else 6.2
    gap = 5.75 if two_scripts else 6.2
    put("nationality", state.nationality, left, y)
    y += gap
    put("date_of_birth", state.day(shown.date_of_birth), left, y)
    put("personal_number", shown.personal_number, middle, y)
    y += gap
    put("sex", state.sexes[shown.sex], left, y)
    put("place_of_birth", shown.place_of_birth, 61.0, y)
    y += gap
    put("issued_on", state.day(shown.issued_on), left, y)
    put("issuer", shown.issuer, middle, y)
    y += gap
    assert shown.expires_on is not None
    put("expires_on", state.day(shown.expires_on), left, y)

    strip = round((88 - MRZ_STRIP) * PX)
    page.paper[strip:] += (np.array([250, 249, 246], np.float32) - page.paper[strip:]) * 0.55
    page.rule(0, 125, 88 - MRZ_STRIP, dark)
    page.zone(lines, (75.2, 81.55), 6.0)
    page.print(NOT_A_DOCUMENT["td3"], 122.9, 35.0, face="LiberationSans-Regular.ttf", size=1.3, colour=grey, anchor="ms", turn=90)
    if faults.specimen_word:
        page.print("SPECIMEN", 80, 46, face="LiberationSans-Bold.ttf", size=11, colour=(190, 60, 60), anchor="ms", alpha=0.33)
    on_page = {name for name in page.quads if name in {f.name for f in fields(Person)}} | {"nationality"}
    if shown.patronymic is not None and given is not None:
        on_page.add("patronymic")
    in_zone = {"surname", "given_names", "document_number", "date_of_birth", "sex", "expires_on", "nationality"}
    in_zone |= {"personal_number"} if _zone_number(coded) else set()
    truth = _truth("TD3", country, lines, checks, shown, coded, on_page, in_zone, page)
    return Specimen(image=page.done(), truth=truth, quads=page.quads)


# --- The Russian internal passport


def draw_ru_internal(person: Person, portrait: Pixels, *, zone: bool = True, faults: Faults = NO_FAULTS) -> Specimen:
    """Draw pages 2 and 3 as they are photographed together, 1500 x 2112 pixels.

    `zone` False leaves the strip blank, as in passports from before July 2011. Raises ValueError, FontMissing.
    """
    shown, coded = edited(person, faults.print_only), edited(person, faults.zone_only)
    lines, checks = internal_zone(coded, wrong_check=faults.wrong_check) if zone else (None, {})
    if not zone and (faults.zone_only or faults.wrong_check):
        raise ValueError("a paper without a zone has no fault in it")
    wide, tall = 125.0, 176.0
    page = Page.of(wide, tall, (243, 229, 222))
    one, two = guilloche(wide, tall, 200)
    page.ink(one * 0.55, (226, 170, 160))
    page.ink(two * 0.45, (190, 190, 160))
    brown: Colour = (122, 74, 62)
    label = dict(face="PTF75F.ttf", size=2.25, colour=brown)
    # Typewriter print: one ink, one width, a little pale.
    typed = dict(face="FreeMonoBold.ttf", size=3.9, colour=(34, 32, 40))

    def at(x: float, y: float) -> tuple[float, float]:
        return x * wide, y * tall

    def put(text: str, x0: float, x1: float, y: float, name: str | None, *, size: float | None = None) -> None:
        """Centre `text` between two fractions of the width, with its middle at the fraction `y` of the height."""
        style = dict(typed) | ({"size": size} if size else {})
        room = (x1 - x0) * wide
        fits = min(1.0, room / (font("FreeMonoBold.ttf", float(style["size"]) * PX).getlength(text) / PX))  # type: ignore[arg-type]
        style["size"] = float(style["size"]) * fits  # type: ignore[arg-type]
        x, middle = at((x0 + x1) / 2, y)
        page.print(text, x, middle + 1.15, anchor="ms", name=name, **style)  # type: ignore[arg-type]

    def mark(text: str, x: float, y: float, **other: Any) -> None:
        px, py = at(x, y)
        page.print(text, px, py + 0.8, **{**label, **other})

    def rules(x0: float, x1: float, *rows: float) -> None:
        for row in rows:
            page.rule(x0 * wide, x1 * wide, row * tall + 2.0, brown, dotted=True)

    # Page 2 (upper)
    centre = at(0.475, 0.057)
    page.print(
        "РОССИЙСКАЯ ФЕДЕРАЦИЯ",
        centre[0],
        centre[1] + 1.6,
        face="PTF75F.ttf",
        size=5.0,
        colour=(150, 50, 50),
        anchor="ms",
        spacing=1.1,
    )
    mark("Паспорт выдан", 0.05, 0.091)
    rules(0.05, 0.89, 0.106, 0.141, 0.180)
    issuer = _wrap(shown.issuer or "", 32, 3)
    for row, text in zip((0.106, 0.141, 0.180), issuer, strict=False):
        put(text, 0.15, 0.88, row, None)
    if issuer:
        page.box("issuer", 0.15 * wide, 0.106 * tall - 2.2, 0.73 * wide, (0.141 - 0.106) * tall * len(issuer))
    mark("Дата выдачи", 0.05, 0.2)
    rules(0.05, 0.37, 0.218)
    put(_dots(shown.issued_on), 0.12, 0.37, 0.218, "issued_on")
    mark("Код подразделения", 0.45, 0.199)
    rules(0.45, 0.89, 0.214)
    put(shown.issuer_code or "", 0.52, 0.75, 0.214, "issuer_code")
    _seal(page, at(0.44, 0.318), shown.issuer_code or "")
    mark("Личный код", 0.57, 0.30)
    rules(0.68, 0.89, 0.32)
    mark("Личная подпись", 0.66, 0.42)
    rules(0.57, 0.89, 0.395)
    scribble(page, at(0.66, 0.385), shown.document_number)
    # Fold
    band = slice(round(0.498 * tall * PX), round(0.527 * tall * PX))
    stripes = _waves(*page.paper.shape[:2], np.random.default_rng(7), pitch=0.8, swing=0.9, length=5, turn=0.0)
    page.paper[band] += (np.array([196, 96, 92], np.float32) - page.paper[band]) * (0.35 + 0.45 * stripes[band, :, None])
    # Page 3 (lower)
    px, py, pw, ph = 0.05 * wide, 0.605 * tall, 0.275 * wide, 0.245 * tall
    page.picture(as_printed(portrait, grey=0.25, contrast=0.86), px, py, pw, ph, alpha=0.95)
    page.box("portrait", px, py, pw, ph)
    window = np.zeros(page.paper.shape[:2], np.float32)
    window[round(py * PX) : round((py + ph) * PX), round(px * PX) : round((px + pw) * PX)] = 1
    page.ink(one * window * 0.15, (226, 170, 160))
    mark("Фамилия", 0.345, 0.548)
    rules(0.345, 0.9, 0.563, 0.60)
    put(shown.surname, 0.36, 0.90, 0.563, "surname")
    mark("Имя", 0.345, 0.625)
    rules(0.345, 0.9, 0.640)
    put(shown.given_names, 0.36, 0.90, 0.640, "given_names")
    mark("Отчество", 0.345, 0.6605)
    rules(0.345, 0.9, 0.676)
    if shown.patronymic:
        put(shown.patronymic, 0.36, 0.90, 0.676, "patronymic")
    mark("Пол", 0.345, 0.701)
    rules(0.345, 0.46, 0.718)
    put({"M": "МУЖ.", "F": "ЖЕН.", "X": "X"}[shown.sex], 0.355, 0.455, 0.718, "sex")
    mark("Дата рождения", 0.49, 0.701)
    rules(0.49, 0.9, 0.718)
    put(_dots(shown.date_of_birth), 0.57, 0.82, 0.718, "date_of_birth")
    mark("Место рождения", 0.345, 0.738)
    rules(0.345, 0.9, 0.755, 0.79, 0.82, 0.845)
    place = _wrap(shown.place_of_birth or "", 24, 4)
    for row, text in zip((0.755, 0.79, 0.82, 0.845), place, strict=False):
        put(text, 0.36, 0.90, row, None)
    if place:
        page.box("place_of_birth", 0.36 * wide, 0.755 * tall - 2.2, 0.54 * wide, 5.6 * len(place))
    # Red number, reading downwards, on both pages
    n = shown.document_number
    red = dict(face="PTM55F.ttf", size=5.2, colour=(168, 34, 40), anchor="ms", spacing=0.42, turn=90)
    for name, middle in (("document_number_2", (0.126 + 0.35) / 2), ("document_number", (0.63 + 0.855) / 2)):
        page.print(f"{n[:2]} {n[2:4]} {n[4:]}", 0.918 * wide, middle * tall, name=name, **red)  # type: ignore[arg-type]
    strip = round(0.867 * tall * PX)
    page.paper[strip:] += (np.array([250, 248, 245], np.float32) - page.paper[strip:]) * 0.75
    if lines is not None:
        page.zone(lines, (tall - 12.8, tall - 6.45), 6.6)
    page.print(NOT_A_DOCUMENT["ru_internal"], 0.475 * wide, 0.475 * tall, face="PTN57F.ttf", size=1.7, colour=brown, anchor="ms")
    if faults.specimen_word:
        page.print(
            "ОБРАЗЕЦ",
            0.6 * wide,
            0.80 * tall,
            face="LiberationSans-Bold.ttf",
            size=12,
            colour=(190, 60, 60),
            anchor="ms",
            alpha=0.33,
        )
    on_page = {name for name in page.quads if name in {f.name for f in fields(Person)}}
    in_zone = (
        {"surname", "given_names", "patronymic", "document_number", "date_of_birth", "sex", "issued_on", "issuer_code"}
        if zone
        else set()
    )
    truth = _truth("RU_INTERNAL", "RUS", lines, checks, shown, coded, on_page, in_zone, page)
    return Specimen(image=page.done(), truth=truth, quads=page.quads)


def _seal(page: Page, centre: tuple[float, float], code: str) -> None:
    """A round violet seal that carries the unit's code, as offices press it."""
    canvas = np.zeros(page.paper.shape[:2], np.uint8)
    middle = (round(centre[0] * PX), round(centre[1] * PX))
    for radius, thick in ((14.5, 4), (13.6, 1), (9.5, 2)):
        cv2.circle(canvas, middle, round(radius * PX), 255, thick, cv2.LINE_AA)
    page.ink(canvas.astype(np.float32) / 255 * 0.5, (92, 84, 160))
    words = "ПОДРАЗДЕЛЕНИЕ ПО ВОПРОСАМ МИГРАЦИИ *" + " "
    face = font("PTN57F.ttf", 2.6 * PX)
    for i, letter in enumerate(words):
        turn = -90 + 360 * i / len(words)
        tile = Image.new("L", (60, 60), 0)
        ImageDraw.Draw(tile).text((30, 30), letter, font=face, fill=255, anchor="mm")
        turned = np.asarray(tile.rotate(-(turn + 90), resample=Image.Resampling.BICUBIC), np.float32) / 255 * 0.55
        x, y = middle[0] + 11.5 * PX * math.cos(math.radians(turn)), middle[1] + 11.5 * PX * math.sin(math.radians(turn))
        page._lay(turned, round(x) - 30, round(y) - 30, (92, 84, 160))
    page.print(code, centre[0], centre[1] + 1.0, face="PTN57F.ttf", size=3.2, colour=(92, 84, 160), anchor="ms", alpha=0.6)


def scribble(page: Page, start: tuple[float, float], seed: str) -> None:
    """A scribble of nobody in blue ink, different for each number."""
    rng = np.random.default_rng([int(c) for c in seed if c.isdigit()] or [0])
    t = np.linspace(0, 1, 220)
    x = start[0] + 20 * t + 1.6 * np.sin(2 * np.pi * (5 * t + rng.random()))
    y = start[1] - 2.2 * np.sin(2 * np.pi * (6.3 * t + rng.random())) * (1.1 - t) - 1.5 * t
    canvas = np.zeros(page.paper.shape[:2], np.uint8)
    cv2.polylines(canvas, [(np.stack([x, y], axis=1) * PX).astype(np.int32)], False, 255, 3, cv2.LINE_AA)
    page.ink(canvas.astype(np.float32) / 255 * 0.8, (50, 50, 120))


# --- What is true of the page


def edited(person: Person, changes: Mapping[str, str]) -> Person:
    values: dict[str, Any] = {f.name: getattr(person, f.name) for f in fields(person)}
    for name, text in changes.items():
        if name not in values:
            raise ValueError(f"a paper has no field {name!r}")
        values[name] = date.fromisoformat(text) if isinstance(values[name], date) else text
    return Person(**values)


def _truth(
    kind: str, country: str, lines: tuple[str, str] | None, checks: dict[str, bool], shown: Person, coded: Person,
    on_page: set[str], in_zone: set[str], page: Page,
) -> dict[str, Any]:  # fmt: skip
    """What a perfect reader says: values as on the page where they stand there, else as in the zone."""
    viz, mrz = shown.values(), coded.values()
    found: dict[str, dict[str, str]] = {}
    for name in (f.name for f in fields(Person)):
        source = (
            ("both" if name in in_zone else "viz")
            if name in on_page and name in viz
            else "mrz"
            if name in in_zone and name in mrz
            else None
        )
        if source is not None:
            found[name] = {"value": mrz[name] if source == "mrz" else viz[name], "source": source}
    corner = page.quads["portrait"]
    box = [round(float(v)) for v in (*corner[0], *(corner[2] - corner[0]))]
    return {
        "document_type": kind,
        "country": country,
        "mrz": None if lines is None else {"lines": list(lines), "valid": all(checks.values()), "checks": checks},
        "fields": found,
        "portrait": {"box": box},
        "zones_differ": sorted(name for name in in_zone & on_page if viz.get(name) != mrz.get(name)),
    }


def _wrap(text: str, width: int, rows: int) -> list[str]:
    """Break into at most `rows` lines of `width` letters. Raises ValueError on what does not fit."""
    out: list[str] = []
    for word in text.split():
        if out and len(out[-1]) + 1 + len(word) <= width:
            out[-1] += f" {word}"
        else:
            out.append(word)
    if len(out) > rows or any(len(line) > width for line in out):
        raise ValueError(f"text does not fit {rows} lines of {width} letters")
    return out


_SWAPS = (
    "A>O E>U I>O O>A U>E B>D D>B G>R K>L L>K M>T N>R P>M R>N S>L T>M V>P Z>R "
    "А>О Е>У И>О О>А У>Е Б>Р Д>Б Г>Р К>Л Л>К М>Т Н>Р П>М Р>Н С>Л Т>М В>П З>Р"
)


def one_letter_off(name: str) -> str:
    """Return `name` with its middle letter replaced by another of the same script (never equal under any spelling rule).

    >>> one_letter_off("IVANOV")
    'IVAROV'
    """
    swaps = dict(pair.split(">") for pair in _SWAPS.split())
    middle = sorted(range(len(name)), key=lambda i: abs(i - len(name) / 2))
    for i in middle:
        if name[i] in swaps:
            return name[:i] + swaps[name[i]] + name[i + 1 :]
    raise ValueError("no letter to change")
