"""Draw lines of ordinary print as a phone sees them: the training data of `cyrillic_lines.onnx`.

Texts come from grammars in which rare names are as common as frequent ones, set in Debian's free Cyrillic fonts (never those
that tests/specimens prints with), on drawn paper or on patches of the blank forms in `../shared/data/blanks`, every second of
them only: odd ones are kept for tests. Photographed, spoiled and cut out as `verification.documents.lines` does it. Used by
`train_cyrillic_lines.py` only. See `cyrillic_lines.md`.
"""

# ruff: noqa: SIM905 -- tables of words
from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from verification.models.drawing import HEIGHT, Floats, bent, cut, paper, spoiled
from verification.models.shapes import CLASSES, shape

Rng = np.random.Generator

BLANKS: Final = Path(__file__).resolve().parents[3] / "shared" / "data" / "blanks"
LONGEST: Final = 34  # characters of a line
_CAP: Final = 40  # pixels of a capital while drawing
_UNTRAINED: Final = (
    # the tests' typefaces, their other weights, and other files with the same outlines
    "LiberationMono", "LiberationSans", "FreeMono", "NimbusMonoPS-Bold", "DejaVuSans", "Hack-", "PTM", "PTN", "PTF75", "Cousine",
    "Arimo",
)  # fmt: skip
_UNLIKE: Final = (
    # not what offices print with: slanted, hair-thin, outlined, handwritten, for screens
    "talic", "blique", "Thin", "Hairline", "ExtraLight", "UltraLight", "Z003", "Symbola", "Emoji", "Display", "Minus", "chan",
    "Outline", "Upper", "Math", "Initials", "cmunui", "cmunci", "Smallcaps", "Ligatures",
)  # fmt: skip
_SLABS: Final = ("NimbusMono", "cmun", "Go-Mono", "monou")  # nearest to a passport office's print


class BlanksMissing(Exception):
    """The photographed forms that half of the lines are printed on are not there."""


# --- Texts

_LOUD: Final = "АЕЁИОУЫЭЮЯ"
_QUIET: Final = "БВГДЖЗЙКЛМНПРСТФХЦЧШЩ"
_RUSSIAN: Final = "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"
_KAZAKH: Final = _RUSSIAN + "ӘҒҚҢӨҰҮҺІ" * 2
_LATIN: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MARKED: Final = "ÁÉÍÓÚÜÑÇÄÖ"
_DIGITS: Final = "0123456789"
_SIGNS: Final = ".,-/№\"():;'<"
_SURNAMES: Final = (
    "ОВ ОВА ЕВ ЕВА ЁВ ИН ИНА ЫН ЫНА СКИЙ СКАЯ ЦКИЙ ЦКАЯ ОЙ АЯ ЕНКО КО УК ЮК ЧУК ЯК ЯН ШВИЛИ ДЗЕ ЫХ ИХ ЕЦ ИЧ ЛЫ БАЕВ ШИН "
    "ЩИКОВ ЬЕВ ЬЕВА ЪЯНЦ ИЯ УА Л Ь Й"
).split()
_FATHERS: Final = "ОВИЧ ОВНА ЕВИЧ ЕВНА ЬЕВИЧ ЬЕВНА ЁВИЧ ИЧ ИЧНА ИНИЧНА".split()
_GIVEN: Final = "ИЙ ИЯ А Я ЕЙ АН ОН ИС Ь ЬЯ ЬД ИНА УР МИР СЛАВ СЛАВА ФЕЯ ЕН ИЛ ЕТТА УЛЬ".split()
_PLACES: Final = (
    "Г. ГОР. ГОРОД С. СЕЛО ДЕР. Д. ПОС. П. ПГТ П.Г.Т. Р.П. СТ. СТАН. СТ-ЦА Х. АУЛ КИШЛАК МКР. Р-Н ОБЛ. КРАЙ РЕСП. "
    "РЕСПУБЛИКА ССР АО"
).split()
_AREAS: Final = (
    "Р-НА РАЙОНА Р-Н ОБЛ. ОБЛАСТИ ОБЛАСТЬ КРАЯ КРАЙ РЕСП. РЕСПУБЛИКИ АССР ССР УССР КАЗ.ССР АВТ.ОКР. ОКРУГА США РОССИЯ УКРАИНА"
).split()
_OFFICES: Final = (
    "ОТДЕЛОМ ВНУТРЕННИХ ДЕЛ|ОТДЕЛЕНИЕМ|ОТДЕЛОМ|УФМС РОССИИ ПО|ОУФМС РОССИИ ПО Г.|ОВД|УВД|ГУВД|РОВД|ГРОВД|ПВС|ПВО|ТП|ТП № |"
    "ТП УФМС|ГУ МВД РОССИИ ПО|УМВД РОССИИ ПО|МВД ПО РЕСПУБЛИКЕ|МВД|ФМС|ОТДЕЛЕНИЕМ № |ПО ВОПРОСАМ МИГРАЦИИ|МИГРАЦИОННЫМ ПУНКТОМ|"
    "ПАСПОРТНО-ВИЗОВОЙ СЛУЖБОЙ|МЕЖРАЙОННЫМ|ФЕДЕРАЛЬНОЙ|МИГРАЦИОННОЙ СЛУЖБЫ|В ГОР.|В Г.|ПО Г.|ПО РАЙОНУ|ОТДЕЛ|"
    "УПРАВЛЕНИЕМ|МИЛИЦИИ|ПОЛИЦИИ|ГОРОДСКОГО ОКРУГА|АДМИНИСТРАЦИИ|ІІМ|ҰЛТТЫҚ|ІШКІ ІСТЕР МИНИСТРЛІГІ|"
    "МИНИСТЕРСТВО ЮСТИЦИИ|ӘДІЛЕТ МИНИСТРЛІГІ"
).split("|")
_ADJECTIVE: Final = "ОМ ОГО СКОМ СКОГО СКОЙ СКОМУ СКИЙ ЦКОМ ЦКОГО НОМ НОГО ИМ ЫМ АЯ ОЕ".split()
_LABELS: Final = (
    "Фамилия|Имя|Отчество|Пол|Дата рождения|Место рождения|Паспорт выдан|Дата выдачи|Код подразделения|Личный код|"
    "Личная подпись|Орган, выдавший документ|Дата окончания срока действия|Гражданство/Nationality|Тип/Type|Номер паспорта|"
    "Учётная запись|Код государства выдачи|Фамилия/Surname|Имя/Given names|Пол/Sex|РОССИЙСКАЯ ФЕДЕРАЦИЯ|Тегі|Аты|Әкесінің аты|"
    "Туған күні|Туған жері|Ұлты|Жеке куәлік|Берген мекеме|Берілген күні|Қолданылу мерзімі|ЖСН|Apellidos|Nombre|Sexo|"
    "Nacionalidad|Fecha de nacimiento|Lugar de nacimiento|Validez|Núm. soporte|Domicilio|Clave de elector|Año de registro|"
    "Sección|Vigencia|Surname|Given names|Date of birth|Place of birth|Authority|Date of issue|Date of expiry|Passport No.|"
    "ранее выдан|серия|номер|Зарегистрирован|брак|снят с учета|ОБРАЗЕЦ|SPECIMEN"
).split("|")
_MONTHS: Final = (
    "ЯНВАРЯ ФЕВРАЛЯ МАРТА АПРЕЛЯ МАЯ ИЮНЯ ИЮЛЯ АВГУСТА СЕНТЯБРЯ ОКТЯБРЯ НОЯБРЯ ДЕКАБРЯ ЯНВ ФЕВ МАР АПР ИЮН ИЮЛ АВГ "
    "СЕН ОКТ НОЯ ДЕК"
).split()


def _one(rng: Rng, things: Sequence[str]) -> str:
    return things[int(rng.integers(len(things)))]


def _some(rng: Rng, letters: str, count: int) -> str:
    return "".join(letters[i] for i in rng.integers(0, len(letters), count))


def _syllables(rng: Rng, count: int) -> str:
    """A stem that nobody has to bear; every letter about equally often."""
    word = ""
    for _ in range(count):
        kind = rng.random()
        if kind < 0.75:
            word += _one(rng, _QUIET)
        elif kind < 0.9:
            word += _one(rng, _QUIET) + _one(rng, _QUIET)
        word += _one(rng, _LOUD)
        if rng.random() < 0.12:
            word += _one(rng, _QUIET) + _one(rng, "ЬЪ")
    return word + (_one(rng, _QUIET) if rng.random() < 0.8 else "")


def _stem(rng: Rng) -> str:
    return _syllables(rng, int(rng.integers(1, 4)))


def _surname(rng: Rng) -> str:
    word = _stem(rng) + _one(rng, _SURNAMES)
    if rng.random() < 0.1:
        word += _one(rng, ("-", "-", " - ", " ")) + _stem(rng) + _one(rng, _SURNAMES)
    return word


def _given(rng: Rng) -> str:
    word = _stem(rng) + _one(rng, _GIVEN)
    return word + _one(rng, ("-", " ", " - ")) + _stem(rng) + _one(rng, _GIVEN) if rng.random() < 0.06 else word


def _patronymic(rng: Rng) -> str:
    if rng.random() < 0.08:
        return _stem(rng) + _one(rng, (" ОГЛЫ", " КЫЗЫ", " ОГЛУ", "-ОГЛЫ", " УУЛУ", " КИЗИ", "ҰЛЫ", "ҚЫЗЫ"))
    return _stem(rng) + _one(rng, _FATHERS)


def _place(rng: Rng) -> str:
    name = _stem(rng) + _one(rng, ("СК", "О", "ИНО", "ОВО", "ЬЕ", "КА", "ГОРСК", "Ы", "АЯ", "ИХА", "-НА-ДОНУ", "-2", ""))
    kind = rng.random()
    if kind < 0.3:
        return f"{_one(rng, _PLACES)} {name}"
    if kind < 0.6:
        return f"{_one(rng, _PLACES)} {name} {_stem(rng)}{_one(rng, _ADJECTIVE)} {_one(rng, _AREAS)}"
    if kind < 0.8:
        return f"{_stem(rng)}{_one(rng, _ADJECTIVE)} {_one(rng, _AREAS)}"
    if kind < 0.9:
        return f"{_one(rng, _PLACES)} {name}, {_one(rng, _PLACES)} {_stem(rng)}"
    return f"{_one(rng, _PLACES)}{name} / {_one(rng, ('USSR', 'RUSSIA', 'UKRAINE', 'KAZAKHSTAN', _some(rng, _LATIN, 5)))}"


def _office(rng: Rng) -> str:
    kind = rng.random()
    if kind < 0.15:
        return f"{_one(rng, ('МВД', 'ФМС', 'УФМС', 'ГУВД', 'ОВД'))} {_some(rng, _DIGITS, int(rng.integers(3, 6)))}"
    parts = [_one(rng, _OFFICES)]
    while len(parts) < 3 and rng.random() < 0.7:
        more = rng.random()
        if more < 0.4:
            parts.append(_stem(rng) + _one(rng, _ADJECTIVE))
        elif more < 0.75:
            parts.append(_one(rng, _OFFICES))
        elif more < 0.85:
            parts.append(f"№ {_some(rng, _DIGITS, int(rng.integers(1, 4)))}")
        else:
            parts.append(_place(rng))
    return " ".join(parts)


def _date(rng: Rng) -> str:
    day, month = int(rng.integers(1, 32)), int(rng.integers(1, 13))
    year = int(rng.integers(1920, 2050))
    kind = rng.random()
    if kind < 0.75:
        return f"{day:02d}.{month:02d}.{year}"
    if kind < 0.83:
        return f"{day:02d} {_one(rng, _MONTHS)} {year}" + _one(rng, ("", " г.", " ГОДА"))
    return _one(rng, (" ", "-", "/", ". ")).join((f"{day:02d}", f"{month:02d}", f"{year}"))


def _number(rng: Rng) -> str:
    d = _some(rng, _DIGITS, 14)
    return _one(rng, (
        f"{d[:2]} {d[2:4]} {d[4:10]}", f"{d[:2]} {d[2:4]} {d[4:10]}", f"{d[:2]} {d[2:9]}", f"{d[:4]} {d[4:10]}", f"№ {d[:6]}",
        f"{d[:2]} № {d[2:9]}", f"{d[:3]}-{d[3:6]}", f"{d[:3]}-{d[3:6]}", f"{d[:3]}-{d[3:6]}-{d[6:9]} {d[9:11]}", d[:12], d[:9],
        f"N{d[:8]}", f"{_some(rng, _LATIN, 3)}{d[:6]}", f"{d[:8]}{_some(rng, _LATIN, 1)}",
        f"{_some(rng, _LATIN, 4)}{d[:6]}H{_some(rng, _LATIN, 5)}{d[6:8]}",
    ))  # fmt: skip


def _short(rng: Rng) -> str:
    return _one(rng, (
        "МУЖ.", "ЖЕН.", "МУЖ", "ЖЕН", "МУЖ.", "ЖЕН.", "М/M", "Ж/F", "М / M", "Ж / F", "M", "F", "Ж", "Ә/F", "Е/M",
        "P", "RUS", "KAZ", "ESP", "MEX", "H", "X", "РОССИЙСКАЯ ФЕДЕРАЦИЯ/RUSSIAN", "РОССИЙСКАЯ ФЕДЕРАЦИЯ", "RUSSIAN FEDERATION",
        "ҚАЗАҚСТАН/KAZAKHSTAN", "ҚАЗАҚ/KAZAKH", "РОССИЯ/RUSSIA", f"{_stem(rng)}/{_some(rng, _LATIN, 5)}",
        _some(rng, _RUSSIAN, 1), _some(rng, _RUSSIAN, 2), _some(rng, _DIGITS, 2), "НЕТ", "-", "БЕЗ СРОКА",
    ))  # fmt: skip


def _kazakh(rng: Rng) -> str:
    word = ""
    for _ in range(int(rng.integers(1, 4))):
        word += (
            _one(rng, "БҒГДЖЗЙКҚЛМНҢПРСТШҺ") + _one(rng, "АӘЕІЫОӨҰҮУ") + (_one(rng, "ЛРНҢТҚКМЗС") if rng.random() < 0.5 else "")
        )
    return word + _one(
        rng, ("ҰЛЫ", "ҚЫЗЫ", "ОВ", "ОВА", "ЕВ", "ОВИЧ", "БЕК", "ГҮЛ", "ІҢ", " ОБЛЫСЫ", " ҚАЛАСЫ", " АУДАНЫ", "", "", "")
    )


def _foreign(rng: Rng) -> str:
    words = []
    for _ in range(int(rng.integers(1, 4))):
        kind = rng.random()
        if kind < 0.25:
            words.append(_one(rng, ("DE", "DEL", "LA", "DE LA", "Y", "VAN", "SAN", "Mª", "D'", "MAC", "EL", "OGLY", "KYZY")))
            continue
        word = ""
        for _ in range(int(rng.integers(1, 5))):
            word += _one(rng, "BCDFGHJKLLMNÑPQRSTVWXYZÇ") + _one(rng, "AEIOUAEIOUÁÉÍÓÚÜYÄÖ")
            word += _one(rng, "NSRLZKH") if rng.random() < 0.35 else ""
        words.append(word)
    return _one(rng, (" ", " ", "-")).join(words)


def _noise(rng: Rng) -> str:
    kind = rng.random()
    if kind < 0.2:  # narrow ones, doubled
        pool, count = _one(rng, ("ІІ11ІL", "11ІІ--..", "1І1lГ", "ТГТГІ1", "ЬЫЫЬІЪ", "--..1/", "11711")), int(rng.integers(2, 10))
        return _some(rng, pool, count) + _some(rng, _RUSSIAN, int(rng.integers(0, 5)))
    pool = (_RUSSIAN, _KAZAKH, _LATIN + _MARKED, _RUSSIAN + _DIGITS, _RUSSIAN + _DIGITS + _SIGNS, _LATIN + _DIGITS, _RUSSIAN)[
        int(rng.integers(7))
    ]
    words = [_some(rng, pool, int(rng.integers(1, 12))) for _ in range(int(rng.integers(1, 4)))]
    return " ".join(words)


_KINDS: Final = (
    (_noise, 0.11), (_surname, 0.12), (_given, 0.07), (_patronymic, 0.10), (_place, 0.17), (_office, 0.12), (_date, 0.06),
    (_number, 0.07), (_short, 0.04), (_kazakh, 0.05), (_foreign, 0.05),
)  # fmt: skip


def text(rng: Rng) -> str:
    """One line as it would be typed, 1 to LONGEST characters, mostly in capitals."""
    lot = float(rng.random())
    line = ""
    for make, share in _KINDS:
        lot -= share
        if lot < 0:
            line = make(rng)
            break
    else:  # two things on one line
        line = f"{_given(rng)} {_patronymic(rng)}" if rng.random() < 0.6 else f"{_surname(rng)} {_date(rng)}"
    case = rng.random()
    if case < 0.08:
        line = line.title()
    elif case < 0.2:
        line = line.lower()
    if rng.random() < 0.04:
        line = '«»""„“““'[2 * int(rng.integers(4)) :][:1] + line + '"'
    if rng.random() < 0.1:  # offices space as they like
        line = _one(rng, (line.replace(". ", "."), line.replace(" ", "  "), line.replace(". ", " ")))
    if line[:2].isdigit() and rng.random() < 0.2:
        line = line.replace(" ", " " * int(rng.integers(2, 6)))
    if len(line) > LONGEST:
        line = line[: LONGEST if rng.random() < 0.7 else int(rng.integers(12, LONGEST))]
    return line.strip() or "1"


# --- Typefaces


@cache
def typefaces() -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """Font files of this machine by family: those of one pitch, those of natural widths. See requirements/debian-train.txt."""

    def listed(query: str) -> dict[str, list[str]]:
        out = subprocess.run(
            ["fc-list", "-f", "%{file}\t%{family[0]}\n", query], capture_output=True, text=True, check=True
        ).stdout
        families: dict[str, list[str]] = {}
        for file, family in sorted({tuple(line.split("\t")) for line in out.splitlines() if line}):
            name = Path(file).name
            if name.endswith((".ttf", ".otf")) and not name.startswith(_UNTRAINED) and not any(k in name for k in _UNLIKE):
                families.setdefault(family, []).append(file)
        return families

    russian = listed(":lang=ru:slant=0")
    fixed = {family for family in listed(":spacing=100:lang=ru")} | {f for f in russian if "Mono" in f or "Typewriter" in f}
    one = tuple(tuple(files) for family, files in russian.items() if family in fixed)
    other = tuple(tuple(files) for family, files in russian.items() if family not in fixed)
    return one, other


@cache
def _slabs() -> tuple[tuple[str, ...], ...]:
    return tuple(family for family in typefaces()[0] if Path(family[0]).name.startswith(_SLABS))


@lru_cache(maxsize=512)
def _font(file: str) -> tuple[ImageFont.FreeTypeFont, bytes]:
    """A typeface with capitals _CAP pixels high, and how it draws what it does not have."""
    trial = ImageFont.truetype(file, 200)
    _, top, _, bottom = trial.getbbox("Н", anchor="ls")
    font = ImageFont.truetype(file, max(8, round(200 * _CAP / max(1, bottom - top))))
    return font, bytes(font.getmask("\uffff"))


@dataclass(frozen=True, slots=True, eq=False)
class _Glyph:
    ink: NDArray[np.uint8]
    left: int  # pixels from the pen to the ink
    top: int  # pixels from the baseline down to the ink's upper edge: negative
    advance: float


@lru_cache(maxsize=40000)
def _glyph(file: str, character: str) -> _Glyph | None:
    """One character, None where the typeface lacks it."""
    font, missing = _font(file)
    if character != " " and bytes(font.getmask(character)) in (missing, b""):
        return None
    left, top, right, bottom = (round(v) for v in font.getbbox(character, anchor="ls"))
    tile = Image.new("L", (max(1, right - left), max(1, bottom - top)), 0)
    ImageDraw.Draw(tile).text((-left, -top), character, font=font, fill=255, anchor="ls")
    return _Glyph(np.asarray(tile), left, top, float(font.getlength(character)))


@dataclass(frozen=True, slots=True)
class _Hand:
    """How a line is set."""

    file: str
    spacing: float  # of an advance
    gap: float  # of a space's advance
    tracking: float  # pixels more between letters
    loose: float  # pixels by which letters stray
    small: float  # size of small letters drawn as small capitals, 0 for plain ones


def _hand(rng: Rng, line: str) -> _Hand:
    fixed, free = typefaces()
    slabs = _slabs()
    for _ in range(40):
        kind = rng.random()
        pool = slabs if kind < 0.15 else fixed if kind < 0.55 else free
        family = pool[int(rng.integers(len(pool)))]
        file = family[int(rng.integers(len(family)))]
        if all(_glyph(file, c) is not None for c in line):
            break
    kind = rng.random()
    tracking = (
        float(rng.normal(0, 0.03))
        if kind < 0.6
        else float(rng.uniform(-0.07, 0.2))
        if kind < 0.85
        else float(rng.uniform(0.1, 0.7))
    )
    if line.replace(" ", "").isdigit() and rng.random() < 0.5:
        tracking = float(rng.uniform(0.05, 0.8))
    return _Hand(
        file=file,
        spacing=float(rng.uniform(0.88, 1.15)) if rng.random() < 0.3 else 1.0,
        gap=float(rng.uniform(0.55, 1.1)) if rng.random() < 0.35 else 1.0,
        tracking=tracking * _CAP,
        loose=float(rng.uniform(0.5, 2.2)) if rng.random() < 0.25 else 0.3,
        small=float(rng.uniform(0.7, 0.9)) if rng.random() < 0.12 else 0.0,
    )


def _typed(rng: Rng, line: str, hand: _Hand) -> NDArray[np.uint8]:
    """Ink of a line, 0-255: 4 * _CAP high, the capitals' middle at half of it, 2 * _CAP of margin left and right."""
    pen = 2.0 * _CAP
    placed: list[tuple[int, int, NDArray[np.uint8]]] = []
    base = 2.5 * _CAP
    wander = rng.normal(0, hand.loose, (len(line), 2))
    for at, character in enumerate(line):
        size = hand.small if hand.small and character.islower() else 1.0
        glyph = _glyph(hand.file, character.upper() if size < 1 and len(character.upper()) == 1 else character)
        if glyph is None:
            continue
        ink = glyph.ink
        if size < 1:
            ink = np.asarray(cv2.resize(ink, None, fx=size, fy=size, interpolation=cv2.INTER_AREA), np.uint8)
        placed.append((round(pen + glyph.left * size + wander[at, 0]), round(base + glyph.top * size + wander[at, 1]), ink))
        pen += glyph.advance * size * hand.spacing * (hand.gap if character == " " else 1.0) + hand.tracking
    canvas = np.zeros((4 * _CAP, round(max(pen, 3 * _CAP)) + 2 * _CAP), np.uint8)
    for x, y, ink in placed:
        y, x = max(0, y), max(0, x)
        place = canvas[y : y + ink.shape[0], x : x + ink.shape[1]]
        np.maximum(place, ink[: place.shape[0], : place.shape[1]], out=place)
    return canvas


def _lie(canvas: NDArray[np.uint8], ink: NDArray[np.uint8], x: int, y: int) -> None:
    """Lay `ink` onto the canvas with its corner at x, y, cut off at the edges."""
    x0, y0 = max(0, x), max(0, y)
    part = ink[y0 - y : max(0, canvas.shape[0] - y), x0 - x : max(0, canvas.shape[1] - x)]
    place = canvas[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]]
    np.maximum(place, part[: place.shape[0], : place.shape[1]], out=place)


# --- Ink


def _pressed(rng: Rng, ink: NDArray[np.uint8]) -> Floats:
    """What ribbons, needles and old heads make of letters: spread, thin, broken or dotted ink."""
    mark = ink.astype(np.float32) / 255
    kind = rng.random()
    if kind < 0.3:
        return mark
    height, width = mark.shape
    if kind < 0.42:  # a needle printer: rows of dots
        rows = float(rng.uniform(8, 15))  # dots in a capital's height
        cell = _CAP / rows
        size = (max(1, round(width / cell)), max(1, round(height / cell)))
        low = cv2.resize(mark, size, interpolation=cv2.INTER_AREA)
        low = np.clip((low - float(rng.uniform(0.25, 0.45))) * 6, 0, 1)
        mark = cv2.resize(low, (width, height), interpolation=cv2.INTER_NEAREST)
        yy = np.abs((np.arange(height, dtype=np.float32) / height * size[1]) % 1 - 0.5)[:, None]
        xx = np.abs((np.arange(width, dtype=np.float32) / width * size[0]) % 1 - 0.5)[None]
        radius = float(rng.uniform(0.42, 0.75))
        mark = np.clip(mark * np.clip((radius - np.sqrt(xx * xx + yy * yy)) * 6, 0, 1), 0, 1)
        return np.asarray(cv2.GaussianBlur(mark, (0, 0), float(rng.uniform(0.5, 1.6))), np.float32)
    # spread or thinned: the edge moves where a softened letter crosses another level than a half
    soft = cv2.GaussianBlur(mark, (0, 0), float(rng.uniform(0.8, 3.0)))
    level: Floats = np.array(rng.uniform(0.18, 0.62))
    if kind > 0.65:
        coarse = (max(2, round(width / float(rng.uniform(4, 60)))), max(2, round(height / float(rng.uniform(4, 40)))))
        level = level + float(rng.uniform(0.03, 0.18)) * cv2.resize(
            rng.normal(0, 1, coarse[::-1]).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR
        )
    mark = np.clip((soft - level) * float(rng.uniform(3, 9)) + 0.5, 0, 1)
    if rng.random() < 0.06:  # struck twice
        away = (int(rng.integers(1, 5)), int(rng.integers(0, 4)))
        mark = np.maximum(mark, 0.6 * np.roll(mark, away, (1, 0)))
    return np.asarray(mark, np.float32)


def _surroundings(rng: Rng, canvas: NDArray[np.uint8], line: str, hand: _Hand) -> None:
    """Draw what stands near a line: neighbours, labels, rules, all only partly in the crop."""
    height, width = canvas.shape
    middle = height // 2
    for side in (-1, 1):
        kind = rng.random()
        if kind < 0.2:  # another line of the same hand
            other = _typed(rng, text(rng).upper()[: len(line) + 4], hand)
            away = round(float(rng.uniform(1.35, 2.7)) * _CAP)
            _lie(canvas, other, int(rng.integers(-3 * _CAP, 2 * _CAP)), middle + side * away - 2 * _CAP)
        elif kind < 0.4:  # a label in small print
            words = _one(rng, _LABELS) if rng.random() < 0.8 else text(rng).lower()
            other = _typed(rng, words, _hand(rng, words))
            size = float(rng.uniform(0.35, 0.65))
            other = np.asarray(cv2.resize(other, None, fx=size, fy=size, interpolation=cv2.INTER_AREA), np.uint8)
            other = np.asarray(other * float(rng.uniform(0.4, 1.0)), np.uint8)
            away = round(float(rng.uniform(0.95, 1.5)) * _CAP)
            _lie(canvas, other, int(rng.integers(-_CAP, max(1, width - _CAP))), middle + side * away - other.shape[0] // 2)
    if rng.random() < 0.3:  # a rule to write on, dotted or drawn
        y = middle + round(float(rng.uniform(0.5, 1.1) if rng.random() < 0.8 else rng.uniform(-0.2, 0.5)) * _CAP)
        thick, tone = int(rng.integers(1, 4)), int(rng.integers(90, 256))
        if rng.random() < 0.6:
            step = int(rng.integers(4, 20))
            for x in range(int(rng.integers(step)), width, step):
                cv2.circle(canvas, (x, y), thick, tone, -1)
        else:
            cv2.line(canvas, (0, y + int(rng.integers(-2, 3))), (width, y), tone, thick)


def _strokes(rng: Rng, size: tuple[int, int], letter: float) -> Floats:
    """A signature's swing or a stamp's rim across the line, 0-1."""
    width, height = size
    over = np.zeros((height, width), np.float32)
    thick = max(1, round(letter * float(rng.uniform(0.05, 0.16))))
    if rng.random() < 0.5:
        radius = letter * float(rng.uniform(3, 12))
        centre = (round(float(rng.uniform(-0.2, 1.2)) * width), round(height / 2 + float(rng.uniform(-1, 1)) * radius))
        for step in (1.0, float(rng.uniform(0.75, 0.95))):
            cv2.circle(over, centre, round(radius * step), 1.0, thick, cv2.LINE_AA)
    else:
        count = int(rng.integers(4, 9))
        x = np.sort(rng.uniform(-0.1, 1.1, count)) * min(width, 14 * letter) + float(rng.uniform(0, 0.6)) * width
        y = height / 2 + rng.normal(0, 1.1 * letter, count)
        fine = np.linspace(0, count - 1, 12 * count)
        corners = np.stack([np.interp(fine, np.arange(count), x), np.interp(fine, np.arange(count), y)], 1)
        points = cv2.GaussianBlur(corners.astype(np.float32), (1, 9), 3)
        cv2.polylines(over, [np.round(points).astype(np.int32)], False, 1.0, thick, cv2.LINE_AA)
    return over


# --- Ground


@dataclass(frozen=True, slots=True, eq=False)
class _Form:
    grey: NDArray[np.uint8]
    corners: Floats
    lines: tuple[tuple[Floats, float], ...]  # quad and height of its letters


@cache
def forms() -> tuple[_Form, ...]:
    """The photographed blanks with even numbers. Raises BlanksMissing."""
    found = []
    for name in ("int.json", "trv.json"):
        if not (BLANKS / name).is_file():
            raise BlanksMissing(f"training prints on photographed blanks: {name} is not in ../shared/data/{BLANKS.name}")
        for item in json.loads((BLANKS / name).read_text(encoding="utf-8")):
            if int(Path(item["file"]).stem[-2:]) % 2:
                continue
            with Image.open(BLANKS / item["file"]) as picture:
                grey = cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2GRAY)
            lines = tuple(
                (np.array(line["quad"], np.float32), float(line["letter_height"]))
                for line in item["lines"]
                if line["letter_height"] and not line["field"].startswith("mrz")
            )
            found.append(_Form(grey.astype(np.uint8), np.array(item["corners"], np.float32), lines))
    return tuple(found)


def _patch(rng: Rng, size: tuple[int, int], letter: float) -> Floats:
    """A piece of a photographed blank, mostly where a line stands, at the scale of `letter` pixels a capital; 0-1."""
    form = forms()[int(rng.integers(len(forms())))]
    quad, tall = form.lines[int(rng.integers(len(form.lines)))]
    along = quad[1] - quad[0]
    along = along / max(float(np.linalg.norm(along)), 1e-6)
    if rng.random() < 0.6:
        centre = quad.mean(0) + rng.normal(0, 0.4, 2) * tall
    else:
        mix = rng.dirichlet(np.ones(4))
        centre = mix @ form.corners
        if rng.random() < 0.2:
            along = np.array([-along[1], along[0]])
    if rng.random() < 0.1:
        along = -along
    zoom = tall / letter * float(np.exp(rng.normal(0, 0.25)))
    down = np.array([-along[1], along[0]])
    corner = centre - zoom * (along * size[0] / 2 + down * size[1] / 2)
    matrix = np.stack([zoom * along, zoom * down, corner], 1).astype(np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    piece = cv2.warpAffine(form.grey, matrix, size, flags=flags, borderMode=cv2.BORDER_REFLECT).astype(np.float32) / 255
    return np.clip(piece * float(rng.uniform(0.8, 1.15)), 0.04, 1.05)


# --- A line on a photo


def sample(rng: Rng, *, plain: float = 0.0) -> tuple[NDArray[np.uint8], str]:
    """One crop, HEIGHT pixels high, grey, and the shapes it shows (characters of CLASSES).

    `plain`: share of lines that are large, clean and alone, as a beginner needs them.
    """
    if rng.random() < plain:
        return _clean(rng)
    line = text(rng)
    hand = _hand(rng, line)
    line = "".join(c for c in line if _glyph(hand.file, c) is not None).strip() or "1"
    ink = _typed(rng, line, hand)
    wide = ink.shape[1]
    if rng.random() < 0.06:  # a label on the same line, before the value or behind it
        line, ink = _labelled(rng, line, ink, before=bool(rng.random() < 0.7))
        if rng.random() < 0.3:
            line, ink = _labelled(rng, line, ink, before=False)
        wide = ink.shape[1]
    canvas = np.zeros((6 * _CAP, wide), np.uint8)
    _lie(canvas, ink, 0, _CAP)
    _surroundings(rng, canvas, line, hand)
    said = " ".join("".join(shape(c) for c in line).split())
    return _photographed(rng, _pressed(rng, canvas)), said


def _labelled(rng: Rng, line: str, ink: NDArray[np.uint8], *, before: bool) -> tuple[str, NDArray[np.uint8]]:
    """Set a label in smaller print on the line's own baseline."""
    words = _one(rng, _LABELS)
    hand = _hand(rng, words)
    words = "".join(c for c in words if _glyph(hand.file, c) is not None)
    size = float(rng.uniform(0.45, 0.9))
    label = _typed(rng, words, hand)
    label = np.asarray(cv2.resize(label, None, fx=size, fy=size, interpolation=cv2.INTER_AREA), np.uint8)
    gap = round(float(rng.uniform(0.3, 2.0)) * _CAP)
    long = label.shape[1] - round(4 * _CAP * size)  # without its margins
    both = np.zeros((ink.shape[0], ink.shape[1] + long + gap), np.uint8)
    start = 2 * _CAP if before else ink.shape[1] - 2 * _CAP + gap
    _lie(both, label, start - round(2 * _CAP * size), 2 * _CAP - label.shape[0] // 2 + round((1 - size) * _CAP / 2))
    _lie(both, ink, long + gap if before else 0, 0)
    return (f"{words} {line}" if before else f"{line} {words}"), both


def _clean(rng: Rng) -> tuple[NDArray[np.uint8], str]:
    """A line in dark ink on even paper, at the size of a crop."""
    line = text(rng)
    hand = _hand(rng, line)
    line = "".join(c for c in line if _glyph(hand.file, c) is not None).strip() or "1"
    ink = _typed(rng, line, hand).astype(np.float32) / 255
    photo = 0.9 - 0.8 * ink
    tall, edge = 1.62 * _CAP, 1.6 * _CAP
    box = (edge, ink.shape[0] / 2 - tall / 2, ink.shape[1] - edge, ink.shape[0] / 2 + tall / 2)
    crop = cut(photo, box, max(16, round((box[2] - box[0]) / tall * HEIGHT)))
    return crop, " ".join("".join(shape(c) for c in line).split())


def _photographed(rng: Rng, ink: Floats) -> NDArray[np.uint8]:
    """The ink on paper, photographed at some size, and cut out with a quad that is a little off."""
    letter = float(np.exp(rng.uniform(np.log(7.0), np.log(38.0))))  # pixels of a capital on the photo
    if rng.random() < 0.4:
        letter = float(rng.uniform(8.0, 17.0))
    stretch = float(np.exp(rng.uniform(np.log(0.55 if rng.random() < 0.3 else 0.7), np.log(1.3)))) if rng.random() < 0.6 else 1.0
    scale = letter / _CAP
    high, wide = ink.shape
    size = (max(24, round(wide * scale * stretch)), max(16, round(high * scale)))
    if scale < 0.5:
        ink = cv2.resize(ink, None, fx=min(1.0, 2.2 * scale), fy=min(1.0, 2.2 * scale), interpolation=cv2.INTER_AREA)
    corners = np.array([[0, 0], [ink.shape[1], 0], [ink.shape[1], ink.shape[0]], [0, ink.shape[0]]], np.float32)
    lean = rng.normal(0, 0.06, (4, 2)) * letter if rng.random() < 0.6 else np.zeros((4, 2))
    turn = float(
        np.clip(rng.normal(0, 0.012) * size[0] / 2, -0.25 * letter, 0.25 * letter)
    )  # the quad is not quite along the row
    placed = np.array([[0, -turn], [size[0], turn], [size[0], size[1] + turn], [0, size[1] - turn]], np.float32)
    if rng.random() < 0.15:  # letters that lean, seen from aside
        placed[:2, 0] += float(rng.normal(0, 0.12)) * size[1]
    matrix = cv2.getPerspectiveTransform(corners, placed + lean.astype(np.float32))
    mark = cv2.warpPerspective(ink, matrix, size, flags=cv2.INTER_LINEAR)
    if rng.random() < 0.2:
        mark = bent(rng, mark, letter)
    photo = _patch(rng, size, letter) if rng.random() < 0.65 else paper(rng, size, letter)
    strength = float(rng.uniform(0.25, 1.0)) if rng.random() < 0.2 else float(rng.uniform(0.7, 1.0))
    if rng.random() < 0.25:  # ink that is worn or unevenly pressed
        mark = mark * cv2.resize(rng.uniform(0.35, 1, (3, 14)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    mark = mark * strength
    black = float(rng.uniform(0.0, 0.6)) if rng.random() < 0.4 else float(rng.uniform(0.0, 0.3))
    photo = photo * (1 - mark) + black * mark * cv2.blur(photo, (15, 15))
    if rng.random() < 0.1:
        photo = photo * (1 - float(rng.uniform(0.2, 0.75)) * _strokes(rng, size, letter))
    if rng.random() < 0.08:  # a hologram's glitter
        grid = rng.normal(0, 1, (max(2, size[1] // 6), max(2, size[0] // 6))).astype(np.float32)
        glitter = np.maximum(cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC), 0)
        photo = photo + float(rng.uniform(0.03, 0.2)) * glitter
    photo = np.clip(photo, 0, 1.1)
    photo = spoiled(rng, photo, letter) if rng.random() < 0.5 else _kept(rng, photo)
    # cut as the detector finds lines: 1.5 to 2.2 letters high, 0.2 to 0.6 beyond the ends, 0.03 letters high (131 printed lines)
    tall = letter * float(rng.uniform(1.25, 2.25))
    middle = size[1] / 2 + float(rng.normal(-0.02, 0.08)) * letter
    margin = 2 * letter * stretch
    loose = letter * (0.35 if rng.random() < 0.5 else 1.0)
    left = margin - float(rng.uniform(0.0, 1.5)) * loose - 0.08 * letter
    right = size[0] - margin + float(rng.uniform(0.0, 1.5)) * loose + 0.08 * letter
    across = max(16, round((right - left) / tall * HEIGHT * float(np.clip(rng.normal(1, 0.04), 0.85, 1.15))))
    return cut(photo, (left, middle - tall / 2, right, middle + tall / 2), across)


def _kept(rng: Rng, photo: Floats) -> Floats:
    """What a careful photo or a scan loses: a little sharpness, a little noise, compression."""
    photo = cv2.GaussianBlur(photo, (0, 0), float(rng.uniform(0.3, 1.1)))
    photo = photo + rng.normal(0, float(rng.uniform(0, 0.02)), photo.shape)
    stream = io.BytesIO()
    Image.fromarray(np.clip(photo * 255, 0, 255).astype(np.uint8)).save(stream, "JPEG", quality=int(rng.integers(45, 96)))
    return np.asarray(Image.open(stream), np.float32) / 255


def main(folder: str, count: int = 120) -> None:
    """Draw a sheet to look at, what each line says beneath it: `python -m verification.models.draw_cyrillic_lines FOLDER`."""
    rng = np.random.default_rng(7)
    sheet = Image.new("L", (1600, 54 * (count // 2)), 128)
    whole = next(file for family in typefaces()[1] for file in family if _glyph(file, "Ұ") is not None)
    pen, small = ImageDraw.Draw(sheet), ImageFont.truetype(whole, 15)
    for at in range(count):
        crop, said = sample(rng)
        x, y = at % 2 * 800, at // 2 * 54
        sheet.paste(Image.fromarray(crop[:, :790]), (x, y))
        pen.text((x, y + 33), said, fill=255, font=small)
    sheet.save(Path(folder) / "cyrillic_lines.png")


if __name__ == "__main__":
    import sys

    main(sys.argv[1])
    print(len(CLASSES), "shapes", *(len(pool) for pool in typefaces()), "families")
