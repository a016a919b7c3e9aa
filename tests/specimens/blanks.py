"""Print invented people onto photographed blanks of Russian passports: a phone photo of a paper that nobody owns.

The blanks lie outside this project (`../shared/data/blanks`, its README says what they are): paper, guilloche, hologram, light
and hands are real, every personal thing is erased. Here each erased line is printed again, in place, at its letter height and in
its ink, for somebody made up by a grammar; the zone is right in every digit. The label that comes with a picture has the form of
`../shared/data/documents/labels.json`, so that every benchmark can read a folder written by `write`.

The marks ОБРАЗЕЦ / SPECIMEN of the blanks stay, and are drawn again over a portrait that is pasted in.
"""

from __future__ import annotations

import io
import itertools
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, JpegImagePlugin

from tests.specimens.draw import Person, font, internal_zone, td3_zone
from tests.specimens.photograph import GRADES

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Kind = Literal["RU_INTERNAL_1997", "RU_INTERNAL_2011", "RU_TRAVEL_2003", "RU_TRAVEL_2010"]
KINDS: tuple[Kind, ...] = ("RU_INTERNAL_1997", "RU_INTERNAL_2011", "RU_TRAVEL_2003", "RU_TRAVEL_2010")

ROOT = Path(__file__).resolve().parents[2]
BLANKS = ROOT.parent / "shared" / "data" / "blanks"
TYPED = ("FreeMonoBold.ttf", "LiberationMono-Bold.ttf", "LiberationMono-Regular.ttf", "PTM55F.ttf", "DejaVuSansMono.ttf")
"""Print of one width, as most offices have it; which of them is drawn by lot."""
SET = ("LiberationSans-Regular.ttf", "LiberationSans-Bold.ttf", "PTN57F.ttf", "DejaVuSans.ttf")
"""Print of natural widths: travel passports since 2010, and offices whose dates are narrower than their names."""
NUMBER = ("PTM55F.ttf", "LiberationMono-Regular.ttf", "DejaVuSansMono.ttf")
ZONE = "OCRB.otf"
MARK = "DejaVuSans-Bold.ttf"

_FINE = 3.0  # pixels of a letter's drawing for one of the photo: enough that the warp adds no blur of its own
_REACH = 24.0  # letter height (pixels) for which the grades of `photograph` were made; blur follows the height
_FIELDS = ("issue_date", "unit_code", "birth_date", "sex", "expiry_date")  # always of the length that was there before


class BlanksMissing(Exception):
    """The folder of blanks is not there; the text says which."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """One line that was erased: its quad (4, 2) in photo pixels in reading order, ink (RGB) and number of characters."""

    name: str
    quad: Floats
    ink: tuple[int, int, int]
    characters: int

    @property
    def width(self) -> float:
        """Pixels from left to right, along the reading direction."""
        return float(np.linalg.norm(self.quad[1] - self.quad[0]) + np.linalg.norm(self.quad[2] - self.quad[3])) / 2

    @property
    def height(self) -> float:
        """Pixels from the top of the ink to its bottom."""
        return float(np.linalg.norm(self.quad[3] - self.quad[0]) + np.linalg.norm(self.quad[2] - self.quad[1])) / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Blank:
    """A photographed form without a person. Quads are (4, 2) in its pixels, clockwise from the upper left."""

    file: Path
    kind: Kind
    corners: Floats
    portrait: Floats
    marks: tuple[Floats, ...]
    slots: tuple[Slot, ...]
    tags: tuple[str, ...]

    @property
    def internal(self) -> bool:
        """The passport for use at home, two pages one above the other."""
        return self.kind.startswith("RU_INTERNAL")

    @property
    def zone(self) -> bool:
        """Whether it has lines for a machine-readable zone."""
        return any(slot.name == "mrz_1" for slot in self.slots)

    def rows(self, name: str) -> tuple[str, ...]:
        """Names of the slots of a field that may span several lines, from the top."""
        return tuple(slot.name for slot in self.slots if slot.name == name or re.fullmatch(rf"{name}_\d", slot.name))

    def photo(self) -> Pixels:
        """The picture, RGB uint8."""
        return np.asarray(Image.open(self.file).convert("RGB"), np.uint8)


@dataclass(frozen=True, kw_only=True, slots=True)
class Paper:
    """Somebody invented and what is printed of them: `lines` by slot name, `zone` the two lines or None."""

    person: Person
    lines: Mapping[str, str]
    zone: tuple[str, str] | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Printed:
    """A picture, RGB uint8 (H, W, 3), and its label in the form of ../shared/data/documents."""

    image: Pixels
    label: dict[str, Any]


def blanks(folder: Path = BLANKS) -> list[Blank]:
    """Return every blank, the kinds taking turns, so that a few are a fair few. Raises BlanksMissing."""
    by_kind: dict[str, list[Blank]] = {}
    for name in ("int.json", "trv.json"):
        if not (folder / name).is_file():
            raise BlanksMissing(f"there are no blanks: {name} is not in {folder.name}/ beside the other shared data")
        for item in json.loads((folder / name).read_text(encoding="utf-8")):
            blank = _blank(folder, item)
            by_kind.setdefault(blank.kind, []).append(blank)
    turns = itertools.zip_longest(*(by_kind[kind] for kind in sorted(by_kind, reverse=True)))
    return [blank for turn in turns for blank in turn if blank is not None]


def _blank(folder: Path, item: dict[str, Any]) -> Blank:
    slots = tuple(
        Slot(
            name=line["field"],
            quad=np.array(line["quad"], np.float32),
            ink=tuple(line["ink"]),
            characters=line["characters"] or 0,
        )
        for line in item["lines"]
    )
    return Blank(
        file=folder / item["file"],
        kind=item["kind"],
        corners=np.array(item["corners"], np.float32),
        portrait=np.array(item["portrait"], np.float32),
        marks=tuple(np.array(mark["quad"] if isinstance(mark, dict) else mark, np.float32) for mark in item["specimen_marks"]),
        slots=slots,
        tags=tuple(item["tags"]),
    )


# --- Somebody who does not exist


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_MEN = _words(
    "АВГУСТ АДАМ АЛЬБЕРТ АРСЕНИЙ АРТЁМ БОГДАН ВЕНИАМИН ВСЕВОЛОД ГАВРИИЛ ГЛЕБ ГЮНТЕР ДЖАМАЛ ЕВСТАФИЙ ЕФИМ ЖДАН ЗАХАР ИГНАТ "
    "ИОСИФ КАЗИМИР КИРИЛЛ КУЗЬМА ЛЕОНТИЙ ЛУКЬЯН МАТВЕЙ МИРОН МСТИСЛАВ НИКОН ОЛЕГ ОСИП ПЛАТОН ПРОХОР РОДИОН РУСТАМ САВВА "
    "СЕМЁН СПИРИДОН ТАРАС ТИХОН УСТИН ФЁДОР ФИЛИПП ХАРИТОН ЦЕЗАРЬ ЧЕСЛАВ ШАМИЛЬ ЭДУАРД ЭЛЬДАР ЮЛИАН ЮРИЙ ЯКОВ ЯН ЯРОСЛАВ"
)
_WOMEN = _words(
    "АВГУСТА АГНИЯ АЛЁНА АНФИСА АЭЛИТА БЭЛЛА ВАРВАРА ВЕРА ВЛАСТА ГАЛИНА ГЮЛЬНАРА ДЖАМИЛЯ ДИНА ЕЛИЗАВЕТА ЕФРОСИНИЯ ЖАННА "
    "ЗИНАИДА ИЗОЛЬДА ИЯ КАПИТОЛИНА КСЕНИЯ ЛАДА ЛУКЕРЬЯ МАЙЯ МАТРЁНА НАИНА НЕЛЛИ ОКСАНА ОЛЬГА ПАВЛА ПРАСКОВЬЯ РАИСА РУФИНА "
    "СОФЬЯ СЮЗАННА ТАИСИЯ УЛЬЯНА УСТИНЬЯ ФАЙРУЗА ФЁКЛА ХРИСТИНА ЦВЕТАНА ЧУЛПАН ШАРЛОТТА ЭЛЬВИРА ЭММА ЮЛИЯ ЮНОНА ЯДВИГА ЯНА"
)
_FATHERS = _words(  # father's name as it stands before ВИЧ or ВНА; those in И go ИЧ and ИНИЧНА
    "АВГУСТО АДАМО АНТОНО АРТЁМО БОГДАНО ВИКЕНТЬЕ ГЕННАДЬЕ ГЛЕБО ДЖАМАЛО ЕВГЕНЬЕ ЖДАНО ЗАХАРО ИОСИФО КАЗИМИРО ЛУКЬЯНО МАТВЕЕ "
    "МСТИСЛАВО НАУМО ОСИПО ПЛАТОНО ПРОХОРО РУСТАМО СЕМЁНО СЕРГЕЕ ТИХОНО ФЁДОРО ФИЛИППО ХАРИТОНО ЦЕЗАРЕ ШАМИЛЕ ЭДУАРДО ЭЛЬДАРО "
    "ЮЛИАНО ЮРЬЕ ЯКОВЛЕ ЯНО ЯРОСЛАВО ИЛЬИ КУЗЬМИ ЛУКИ"
)
_STEMS = _words(
    "БАРСУЧ БЕРЁЗ БУЗЫК ВЕРБЛЮЖ ВЬЮЖ ГОРБАЧ ДЁГТЯР ДУДЫШ ЕЖЕВИК ЖЕРЕБЦ ЖУЖЕЛ ЗАЦЕП ЗЮЗ ИВОЛГ ИЩЕ КАЛАШ КОРЮХ КУЦ ЛЕЩ ЛЮЛЬК "
    "МУХАМЕТЬЯР МЫШ НЕЧАЙ НЮХ ОБЪЕДК ОЩЕПК ПЛЮЩ ПОДЪЯЧ ПЧЁЛ РАЗЪЕЗЖ РЫЧ САМОХВАЛЬ СЪЕДУГ СЫЧ ТЮФЯК ТЩЕДУШ УГЛЁ УЩЕК ФЕФЁЛ "
    "ФИЛЬЧ ХВОЩ ХЛЫСТ ЦАПЛ ЦЫБУЛ ЧИЖ ЧУЩ ШЕЛЬМ ШЫРЯ ЩЕГЛ ЩУК ЭЙХ ЭРДН ЮЖАК ЮФЕР ЯКУШ ЯЩЕРИЦ"
)
_ONSETS = _words("Б В Г Д Ж З К Л М Н П Р С Т Ф Х Ц Ч Ш Щ БР ГЛ ДЖ ЗВ КР МЛ ПЛ СТ ТР ФЛ ХР ЦВ ШТ")
_VOWELS = _words("А Е Ё И О У Ы Э Ю Я")
_ENDS = (  # man, woman
    ("ОВ", "ОВА"), ("ЕВ", "ЕВА"), ("ИН", "ИНА"), ("ИЦЫН", "ИЦЫНА"), ("СКИЙ", "СКАЯ"), ("АЦКИЙ", "АЦКАЯ"), ("НОЙ", "НАЯ"),
    ("ЕНКО", "ЕНКО"), ("УК", "УК"), ("ЮК", "ЮК"), ("ЯН", "ЯН"), ("ИДЗЕ", "ИДЗЕ"), ("ЫХ", "ЫХ"), ("БАЕВ", "БАЕВА"),
    ("ЕЙЧУК", "ЕЙЧУК"),
)  # fmt: skip
_REGIONS = (  # after "по", of the region, code of the constitution, OKATO; facts/documents.md section 3.3
    ("ТВЕРСКОЙ ОБЛАСТИ", "ТВЕРСКОЙ ОБЛ.", "69", "28"), ("МОСКОВСКОЙ ОБЛАСТИ", "МОСКОВСКОЙ ОБЛ.", "50", "46"),
    ("ОРЛОВСКОЙ ОБЛАСТИ", "ОРЛОВСКОЙ ОБЛ.", "57", "54"), ("ПСКОВСКОЙ ОБЛАСТИ", "ПСКОВСКОЙ ОБЛ.", "60", "58"),
    ("ТОМСКОЙ ОБЛАСТИ", "ТОМСКОЙ ОБЛ.", "70", "69"), ("УЛЬЯНОВСКОЙ ОБЛАСТИ", "УЛЬЯНОВСКОЙ ОБЛ.", "73", "73"),
    ("ЯРОСЛАВСКОЙ ОБЛАСТИ", "ЯРОСЛАВСКОЙ ОБЛ.", "76", "78"), ("КИРОВСКОЙ ОБЛАСТИ", "КИРОВСКОЙ ОБЛ.", "43", "33"),
    ("АМУРСКОЙ ОБЛАСТИ", "АМУРСКОЙ ОБЛ.", "28", "10"), ("ИРКУТСКОЙ ОБЛАСТИ", "ИРКУТСКОЙ ОБЛ.", "38", "25"),
    ("МАГАДАНСКОЙ ОБЛАСТИ", "МАГАДАНСКОЙ ОБЛ.", "49", "44"), ("САХАЛИНСКОЙ ОБЛАСТИ", "САХАЛИНСКОЙ ОБЛ.", "65", "64"),
    ("ЧЕЛЯБИНСКОЙ ОБЛАСТИ", "ЧЕЛЯБИНСКОЙ ОБЛ.", "74", "75"), ("КУРГАНСКОЙ ОБЛАСТИ", "КУРГАНСКОЙ ОБЛ.", "45", "37"),
    ("АЛТАЙСКОМУ КРАЮ", "АЛТАЙСКОГО КРАЯ", "22", "01"), ("ПРИМОРСКОМУ КРАЮ", "ПРИМОРСКОГО КРАЯ", "25", "05"),
    ("РЕСПУБЛИКЕ КАРЕЛИЯ", "РЕСП. КАРЕЛИЯ", "10", "86"), ("ЧУВАШСКОЙ РЕСПУБЛИКЕ", "ЧУВАШСКОЙ РЕСП.", "21", "97"),
)  # fmt: skip
_BEFORE = _words("БЕЛО КРАСНО НОВО СТАРО ВЕРХНЕ НИЖНЕ ЧЕРНО МАЛО ОСТРО СУХО ЮЖНО ЩУЧЬЕ ЯСНО ДОЛГО ЖЁЛТО")
_AFTER = _words(
    "РЕЧЕНСК ГОРСК КАМЕНСК ЯРСК ДОЛЬСК ЛЕСЬЕ ПЛЁС ХОЛМСК БОРЬЕ УСТЬЕ ЛУЖЬЕ ЩЕГЛОВСК ЮРЬЕВ ПОЛЬЕ ОЗЁРСК ЦВЕТОВО ЭЛЬБАН"
)

_LATIN = dict(
    zip(
        "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ",
        _words("A B V G D E E ZH Z I I K L M N O P R S T U F KH TS CH SH SHCH IE Y - E IU IA"),
        strict=True,
    )
)


def latin(name: str) -> str:
    """Spell a Russian name in Latin letters as ICAO Doc 9303-3 section 6.B does (in force since 2014).

    >>> latin("ЩЕРБАКОВ-ОБЪЕДКОВ ИЛЬЯ")
    'SHCHERBAKOV-OBIEEDKOV ILIA'
    """
    return "".join(_LATIN[c].replace("-", "") if c in _LATIN else c for c in name)


def surname(rng: np.random.Generator, *, woman: bool) -> str:
    """Invent a surname: half of the stems are words, half are syllables, so that no letter is rare. 6 in 100 are double."""

    def one() -> str:
        if rng.random() < 0.5:
            stem = str(rng.choice(_STEMS))
        else:
            stem = "".join(str(rng.choice(_ONSETS)) + str(rng.choice(_VOWELS)) for _ in range(int(rng.integers(1, 3))))
            stem += str(rng.choice(_ONSETS[:20]))
        end = _ENDS[int(rng.integers(len(_ENDS)))][woman]
        if stem[-1] in "АЕЁИОУЫЭЮЯЙ" and end[0] in "АЕЁИОУЫЭЮЯ":
            stem += "Н"
        return stem + end

    return f"{one()}-{one()}" if rng.random() < 0.06 else one()


def given_name(rng: np.random.Generator, *, woman: bool) -> str:
    """Invent a given name; every name of the list is as likely as every other, 3 in 100 are double."""
    names = _WOMEN if woman else _MEN
    first, second = str(rng.choice(names)), str(rng.choice(names))
    return f"{first}-{second}" if rng.random() < 0.03 and first != second else first


def patronymic(rng: np.random.Generator, *, woman: bool) -> str | None:
    """Invent a patronymic: 4 in 100 people have none, 3 in 100 one of two words."""
    lot = rng.random()
    if lot < 0.04:
        return None
    if lot < 0.07:
        return f"{rng.choice(_MEN)} {'КЫЗЫ' if woman else 'ОГЛЫ'}"
    stem = str(rng.choice(_FATHERS))
    if stem.endswith("И"):
        return stem + ("НИЧНА" if woman else "Ч")
    return stem + ("ВНА" if woman else "ВИЧ")


def town(rng: np.random.Generator) -> str:
    """Put a place name together."""
    return f"{rng.choice(_BEFORE)}{rng.choice(_AFTER)}"


def _place(rng: np.random.Generator, region: tuple[str, str, str, str]) -> str:
    of_region, kind = region[1], int(rng.integers(5))
    if kind == 0:
        return f"ГОР. {town(rng)}"
    if kind == 1:
        return f"Г. {town(rng)} {of_region}"
    if kind == 2:
        return f"ПОС. {town(rng)} {of_region}"
    district = f"{rng.choice(_BEFORE)}{str(rng.choice(_AFTER[:4]))[:-1]}КОГО Р-НА"
    return f"{'ДЕР.' if kind == 3 else 'С.'} {town(rng)} {district} {of_region}"


def _issuer(rng: np.random.Generator, region: tuple[str, str, str, str], year: int) -> str:
    by, of_region = region[0], region[1]
    if year >= 2016:
        ways = [f"ГУ МВД РОССИИ ПО {by}", f"УМВД РОССИИ ПО {by}", f"ОТДЕЛОМ ПО ВОПРОСАМ МИГРАЦИИ УМВД РОССИИ ПО Г. {town(rng)}",
                f"МВД ПО {by}"]  # fmt: skip
    elif year >= 2006:
        ways = [f"ОТДЕЛОМ УФМС РОССИИ ПО {by} В ГОРОДЕ {town(rng)}", f"ОУФМС РОССИИ ПО {by} В Г. {town(rng)}",
                f"ТП УФМС РОССИИ ПО {by} В ПОС. {town(rng)}", f"УФМС РОССИИ ПО {by}"]  # fmt: skip
    else:
        ways = [f"ОВД ГОРОДА {town(rng)} {of_region}", f"УВД Г. {town(rng)}", f"ПАСПОРТНО-ВИЗОВЫМ ОТДЕЛЕНИЕМ ОВД Г. {town(rng)}",
                f"ОТДЕЛОМ ВНУТРЕННИХ ДЕЛ {town(rng)[:-1]}КОГО РАЙОНА {of_region}"]  # fmt: skip
    return str(rng.choice(ways))


def _days(rng: np.random.Generator, first: date, last: date) -> date:
    return first + timedelta(days=int(rng.integers((last - first).days + 1)))


def _years_before(day: date, years: int) -> date:
    return day.replace(year=day.year - years, day=min(day.day, 28))


Fits = Callable[[str, str], bool]
"""Whether a text has room on the line of a slot's name."""
_TRIES = 400


def invent(blank: Blank, rng: np.random.Generator, *, today: date, fits: Fits) -> Paper:
    """Make somebody up for a blank: names, dates, places and numbers that go together. Raises ValueError where nothing fits."""
    woman = bool(rng.random() < 0.5)
    region = _REGIONS[int(rng.integers(len(_REGIONS)))]
    for _ in range(_TRIES):
        person = (_at_home if blank.internal else _abroad)(blank, rng, today=today, woman=woman, region=region, fits=fits)
        try:
            zone = _zone(blank, person)
        except ValueError:  # a name too long for the zone: another person
            continue
        return Paper(person=person, lines=_lines(blank, person, fits), zone=zone)
    raise ValueError(f"{blank.file.name}: no name fits")


def _zone(blank: Blank, person: Person) -> tuple[str, str] | None:
    if not blank.zone:
        return None
    return internal_zone(person)[0] if blank.internal else td3_zone(person, "RUS")[0]


def _fitting(make: Callable[[], str], good: Callable[[str], bool]) -> str:
    for _ in range(_TRIES):
        text = make()
        if good(text):
            return text
    raise ValueError("no text fits its line")


def _names(rng: np.random.Generator, *, woman: bool, good: Callable[[str, str], bool]) -> tuple[str, str, str | None]:
    family = _fitting(lambda: surname(rng, woman=woman), lambda text: good("surname", text))
    given = _fitting(lambda: given_name(rng, woman=woman), lambda text: good("given_names", text))
    father = _fitting(lambda: patronymic(rng, woman=woman) or "", lambda text: not text or good("patronymic", text))
    return family, given, father or None


def _at_home(
    blank: Blank, rng: np.random.Generator, *, today: date, woman: bool, region: tuple[str, str, str, str], fits: Fits
) -> Person:
    new = blank.kind == "RU_INTERNAL_2011"
    issued = _days(rng, date(2011, 7, 1), today) if new else _days(rng, date(1998, 3, 1), date(2011, 6, 30))
    age = int(rng.choice((14, 20, 45))) if rng.random() < 0.7 else int(rng.integers(15, 76))
    born = _years_before(issued, age) - timedelta(days=int(rng.integers(6, 90)))
    family, given, father = _names(rng, woman=woman, good=fits)
    rows, room = blank.rows("issuer"), sum(slot.characters for slot in blank.slots if slot.name.startswith("issuer"))
    issuer = _fitting(
        lambda: _issuer(rng, region, issued.year), lambda text: 2 * len(text) > room and bool(_wrapped(text, rows, fits))
    )
    place = _fitting(lambda: _place(rng, region), lambda text: bool(_wrapped(text, blank.rows("birth_place"), fits)))
    year = max(97, issued.year % 100) if issued.year < 2000 else (issued.year - int(rng.integers(2))) % 100
    return Person(
        surname=family, given_names=given, patronymic=father, sex="F" if woman else "M", nationality="RUS",
        document_number=f"{region[3]}{year:02d}{int(rng.integers(101, 1_000_000)):06d}", date_of_birth=born, issued_on=issued,
        issuer=issuer, issuer_code=f"{region[2]}{int(rng.integers(4))}-{int(rng.integers(1, 120)):03d}", place_of_birth=place,
    )  # fmt: skip


def _abroad(
    blank: Blank, rng: np.random.Generator, *, today: date, woman: bool, region: tuple[str, str, str, str], fits: Fits
) -> Person:
    years = 5 if blank.kind == "RU_TRAVEL_2003" else 10
    issued = _days(rng, _years_before(today, years), today - timedelta(days=1))  # all of them still valid
    until = issued.replace(year=issued.year + years, day=min(issued.day, 28))
    born = _years_before(issued, int(rng.integers(1, 80))) - timedelta(days=int(rng.integers(1, 360)))

    def good(name: str, text: str) -> bool:
        if name == "surname":
            return fits("surname", text) and fits("surname_latin", latin(text))
        if name == "given_names":
            return fits("given_names_latin", latin(text)) and fits("given_names_patronymic", text)
        return True

    family, given, father = _names(rng, woman=woman, good=good)
    for _ in range(_TRIES):
        if father is None or fits("given_names_patronymic", f"{given} {father}"):
            break
        given, father = _names(rng, woman=woman, good=good)[1:]
    state = "USSR" if born < date(1991, 12, 26) else "RUSSIA"
    rows = blank.rows("birth_place")
    place = _fitting(
        lambda: f"{rng.choice(('Г.', 'С.', 'ПОС.'))} {town(rng)} / {state}", lambda text: bool(_wrapped(text, rows, fits))
    )
    series = int(rng.choice((60, 61, 62, 63, 64) if years == 5 else (70, 71, 72, 73, 74, 75, 76, 77)))
    return Person(
        surname=latin(family), given_names=latin(given), surname_native=family, given_names_native=given, patronymic=father,
        sex="F" if woman else "M", nationality="RUS", document_number=f"{series}{int(rng.integers(10_000_000)):07d}",
        date_of_birth=born, issued_on=issued, expires_on=until, place_of_birth=place,
        issuer=f"{'ФМС' if 2006 <= issued.year <= 2016 else 'МВД'} {region[2]}{int(rng.integers(1, 100)):03d}",
    )  # fmt: skip


def _wrapped(text: str, rows: Sequence[str], fits: Fits) -> list[str] | None:
    """Break a text over exactly these rows, as evenly as it goes; None where it does not fit."""
    words = text.split()
    if len(words) < len(rows):
        return None
    best: tuple[int, list[str]] | None = None
    for cuts in itertools.combinations(range(1, len(words)), len(rows) - 1):
        parts = [" ".join(words[a:b]) for a, b in itertools.pairwise((0, *cuts, len(words)))]
        longest = max(map(len, parts))
        if (best is None or longest < best[0]) and all(map(fits, rows, parts)):
            best = longest, parts
    return best[1] if best else None


def _lines(blank: Blank, person: Person, fits: Fits) -> dict[str, str]:
    def dots(day: date | None) -> str:
        return f"{day:%d.%m.%Y}" if day else ""

    n = person.document_number
    wanted = {"issue_date": dots(person.issued_on), "birth_date": dots(person.date_of_birth)}
    if blank.internal:
        short = next(slot.characters for slot in blank.slots if slot.name == "sex") < 4
        wanted |= {
            "surname": person.surname, "given_names": person.given_names, "patronymic": person.patronymic or "",
            "sex": {"M": "МУЖ", "F": "ЖЕН"}[person.sex] + ("" if short else "."), "unit_code": person.issuer_code or "",
            "document_number_upper": f"{n[:2]} {n[2:4]} {n[4:]}", "document_number_lower": f"{n[:2]} {n[2:4]} {n[4:]}",
        }  # fmt: skip
    else:
        wanted |= {
            "surname": person.surname_native or "", "surname_latin": person.surname, "given_names_latin": person.given_names,
            "given_names_patronymic": " ".join(filter(None, (person.given_names_native, person.patronymic))),
            "sex": {"M": "М/M", "F": "Ж/F"}[person.sex], "expiry_date": dots(person.expires_on),
            "document_number": f"{n[:2]} {n[2:]}", "authority": person.issuer or "",
        }  # fmt: skip
    for name, text in (("issuer", person.issuer), ("birth_place", person.place_of_birth)):
        rows = blank.rows(name)
        parts = _wrapped(text or "", rows, fits) if rows else None
        wanted |= dict(zip(rows, parts, strict=True)) if parts else {}
    return {name: text for name, text in wanted.items() if text}


# --- Ink on paper


@dataclass(eq=False)
class Press:
    """Prints lines onto one blank. `typeface` None lets the lot decide; `photo` (H, W, 3) is worked on in place, 0-255."""

    blank: Blank
    rng: np.random.Generator
    typeface: str | None = None
    photo: Floats = field(init=False)
    slots: dict[str, Slot] = field(init=False)

    def __post_init__(self) -> None:
        self.photo = self.blank.photo().astype(np.float32)
        self.slots = {slot.name: slot for slot in self.blank.slots}
        self._paper = Light.of(self.photo, self.blank)
        self._paper.sigma *= float(
            self.rng.uniform(1.0, 1.4)
        )  # the strongest edges are the sharpest: print is softer or as sharp
        self._one_width = self._typed()
        by_lot = str(self.rng.choice(TYPED if self._one_width else SET))  # drawn in any case: a given typeface moves nothing else
        self._number = str(self.rng.choice(NUMBER))
        self.typeface = self.typeface or by_lot
        if self._one_width:  # a typeface given by name may have natural widths on any blank
            self._one_width = font(self.typeface, 100).getlength("Ш") == font(self.typeface, 100).getlength(".")

    def fits(self, name: str, text: str) -> bool:
        """Whether a text has room on its line."""
        slot = self.slots[name]
        low, high = self._span(slot)
        return self._long(slot, text) <= high - low

    def letters(self, name: str) -> float:
        """Return the height of capitals on a line, pixels.

        A quad may be higher than that: by a descender or breve of the text that was there, or by the care of who drew it. Where
        letters have natural widths, the dates tell: their figures are as wide as everybody's.
        """
        tall = self._tall(name)
        return tall if self._one_width or name.startswith(("document_number", "mrz")) else tall * min(1.0, self._squeeze())

    def _tall(self, name: str) -> float:
        slot = self.slots[name]
        if name.startswith(("document_number", "mrz")):
            return slot.height
        group = [s.height for s in self._plain() if (s.quad[0][1] < self._fold()) == (slot.quad[0][1] < self._fold())]
        return slot.height if slot.height < 1.12 * float(np.median(group)) else float(np.median(group))

    def line(self, name: str, text: str) -> None:
        """Print one line of text in its slot: where it began on travel passports, centred as before on internal ones."""
        slot = self.slots[name]
        face, cap = self._face(name), self.letters(name)
        wide = self._long(slot, text)
        low, high = self._span(slot)
        centred = self.blank.internal and name not in _FIELDS and not name.startswith("document_number")
        start = (slot.width - wide) / 2 if centred else 0.0
        start = float(np.clip(start, low, max(low, high - wide)))
        mask, base, pad, left, right = _drawn(text, face, round(_FINE * cap) if cap > 8 else 24)
        across = wide / max(right - left, 1)
        drop = -(slot.height - cap) * 0.55  # of what is too high for capitals, a breve has a little less than a descender
        up = cap / _cap_height(face, mask.shape[0], base)
        self._ink(slot, mask, across, up, x=start - (left - pad) * across, base=drop, at=base, pad=pad)

    def zone(self, lines: tuple[str, str]) -> None:
        """Print both lines of the zone in OCR-B, each letter on its place of the pitch."""
        first, second = self.slots["mrz_1"], self.slots["mrz_2"]
        # OCR-B's capitals are 0.701 em high and its figures 0.770, with 0.013 em of overshoot below: measured on OCRB.otf
        em = (first.height / 0.714 + second.height / 0.783) / 2
        em = float(np.clip(em, 0.9 * _pitch(first) / 0.723, 1.12 * _pitch(first) / 0.723))
        fine = max(48, round(_FINE * em))
        for slot, text in ((first, lines[0]), (second, lines[1])):
            mask, base, pad, _, _ = _drawn(text, ZONE, 0, size=fine)
            pitch = _pitch(slot)
            across = pitch / font(ZONE, fine).getlength("A")
            self._ink(slot, mask, across, em / fine, x=-0.11 * pitch, base=-0.013 * em, at=base, pad=pad)

    def scribble(self, name: str) -> None:
        """Sign with a line that is nobody's hand."""
        slot, rng = self.slots[name], self.rng
        t = np.linspace(0, 1, 260)
        x = 0.04 + 0.9 * t + 0.05 * np.sin(2 * np.pi * (float(rng.uniform(3, 6)) * t + rng.random()))
        y = 0.5 - 0.36 * np.sin(2 * np.pi * (float(rng.uniform(4, 7)) * t + rng.random())) * (1.05 - t) - 0.1 * t
        points = (slot.quad[0] + x[:, None] * (slot.quad[1] - slot.quad[0]) + y[:, None] * (slot.quad[3] - slot.quad[0])) * 16
        low = np.floor(slot.quad.min(axis=0)).astype(int) - 4
        high = np.ceil(slot.quad.max(axis=0)).astype(int) + 4
        tile = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        pen = 0.17 * self.letters("issue_date")  # half a millimetre beside letters of 2.7
        thick = max(1, round(min(pen, 0.06 * slot.height)))
        cv2.polylines(tile, [(points - low * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 4)
        alpha = cv2.GaussianBlur(tile.astype(np.float32) / 255, (0, 0), self._paper.sigma)
        self._lay(alpha, int(low[0]), int(low[1]), slot.ink)

    def portrait(self, picture: Pixels) -> None:
        """Paste a portrait into its place, in the light of the photo, and draw the mark over it again."""
        quad = self.blank.portrait
        h, w = picture.shape[:2]
        low = np.maximum(np.floor(quad.min(axis=0)).astype(int), 0)
        high = np.minimum(np.ceil(quad.max(axis=0)).astype(int) + 1, (self.photo.shape[1], self.photo.shape[0]))
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        source = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
        matrix = cv2.getPerspectiveTransform(source, (quad - low).astype(np.float32))
        shrink = min(1.0, size[1] / h)
        soft = cv2.GaussianBlur(picture, (0, 0), max(0.3, self._paper.sigma / shrink))
        face = cv2.warpPerspective(soft, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
        cover = cv2.warpPerspective(np.full((h, w), 1.0, np.float32), matrix, size, flags=cv2.INTER_LINEAR)[..., None]
        window = self.photo[low[1] : high[1], low[0] : high[0]]
        ground = np.median(window[: max(2, size[1] // 12), size[0] // 4 : -size[0] // 4], axis=(0, 1)) / 226
        window += (face * np.minimum(ground, 1.1) + self._grain(face.shape, 1.0) - window) * cover
        self._mark()

    def _mark(self) -> None:
        """ОБРАЗЕЦ across the portrait, as the blanks have it: black at home, red on travel passports."""
        quad = self.blank.portrait
        wide = float(np.linalg.norm(quad[1] - quad[0]))
        mask, base, _, left, right = _drawn("ОБРАЗЕЦ", MARK, 60)
        scale = 0.78 * wide / (right - left)
        along = (quad[1] - quad[0]) / wide
        down = np.array([-along[1], along[0]], np.float32)
        middle = quad.mean(axis=0) + down * (60 * scale / 2 - 0.06 * float(np.linalg.norm(quad[3] - quad[0])))
        origin = middle - along * 0.39 * wide - along * left * scale - down * base * scale
        matrix = np.stack([along * scale, down * scale, origin], axis=1).astype(np.float64)
        size = (self.photo.shape[1], self.photo.shape[0])
        alpha = cv2.warpAffine(cv2.GaussianBlur(mask, (0, 0), 0.4 / scale), matrix, size)[..., None]
        colour = np.array((18, 18, 18) if self.blank.internal else (140, 30, 34), np.float32)
        self.photo += (colour - self.photo) * alpha

    # --- Measures of the blank

    def _plain(self) -> list[Slot]:
        return [s for s in self.blank.slots if s.characters and not s.name.startswith(("document_number", "mrz", "signature"))]

    def _fold(self) -> float:
        """Row between the two pages, each with its own distance from the lens; above everything on one page."""
        return float(self.blank.corners[:, 1].mean()) if self.blank.internal else -1.0

    def _typed(self) -> bool:
        """Whether all letters have one width: else dates, whose figures and points are narrow, run shorter than names."""
        if self.blank.kind == "RU_TRAVEL_2010":
            return False
        per = {s.name: s.width / s.characters for s in self._plain()}
        names = [per[n] for n in ("surname", "given_names", "patronymic", "surname_latin") if n in per]
        dates = [per[n] for n in ("birth_date", "issue_date", "unit_code") if n in per]
        return float(np.median(dates)) > 0.75 * float(np.median(names))

    def _face(self, name: str) -> str:
        assert self.typeface is not None
        return self._number if name.startswith("document_number") and self.blank.internal else self.typeface

    def _long(self, slot: Slot, text: str) -> float:
        """Length in pixels from the left of the first letter to the right of the last."""
        same = len(text) == slot.characters and (slot.name in _FIELDS or slot.name.startswith("document_number"))
        if same:
            return slot.width
        if self._one_width or slot.name.startswith("document_number"):
            return slot.width / max(slot.characters - 0.15, 1) * (len(text) - 0.15)
        return _natural(self._face(slot.name), text) * self._tall(slot.name) * self._squeeze()

    def _squeeze(self) -> float:
        """How much narrower than the typeface the office's own print is, by the lines whose text is known but for its figures."""
        likely = [
            self.slots[n].width / (_natural(self._face(n), "00.00.0000") * self._tall(n))
            for n in ("birth_date", "issue_date", "expiry_date")
            if n in self.slots
        ]
        return float(np.clip(np.median(likely), 0.7, 1.25))

    def _span(self, slot: Slot) -> tuple[float, float]:
        """How far a line may reach, pixels along it from its old left end: by the rules on the page (facts/documents.md 3.2)."""
        if slot.name in _FIELDS or slot.name.startswith("document_number"):
            return 0.0, slot.width
        if self.blank.internal:
            low = 0.16 if slot.name == "issuer_1" else 0.05 if slot.name.startswith("issuer") else 0.365
            low = 0.43 if slot.name == "birth_place_1" else low
            high = 0.885
        else:
            low, high = -1.0, 0.96  # never left of where it began
        ways = cv2.getPerspectiveTransform(self.blank.corners, np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32))
        left, right = cv2.perspectiveTransform(slot.quad[None, :2].astype(np.float64), ways)[0, :, 0]
        pixels = slot.width / max(right - left, 1e-6)
        top, bottom = float(slot.quad[:, 1].min()), float(slot.quad[:, 1].max())
        ends = [(high - left) * pixels]
        for mark in self.blank.marks:  # which no passport has: it must not hide what every passport shows
            if mark[:, 0].min() > slot.quad[0][0] and mark[:, 1].min() < bottom and mark[:, 1].max() > top:
                ends.append(float(mark[:, 0].min() - slot.quad[0][0]) - 4)
        return (min(0.0, (low - left) * pixels) if low >= 0 else 0.0), max(slot.width, min(ends))

    # --- Laying ink

    def _ink(self, slot: Slot, mask: Floats, across: float, up: float, *, x: float, base: float, at: int, pad: int) -> None:
        """Lay a drawn text: `across` and `up` are photo pixels for one of the mask's; its baseline is `base` below the quad's."""
        w, h = slot.width, slot.height
        plane = np.array([[0, -h], [w, -h], [w, 0], [0, 0]], np.float32)
        to_photo = cv2.getPerspectiveTransform(plane, slot.quad)
        to_plane = np.array([[across, 0, x - pad * across], [0, up, base - at * up], [0, 0, 1]], np.float64)
        matrix = to_photo @ to_plane
        tall, wide = mask.shape
        corners = cv2.perspectiveTransform(np.array([[[0, 0], [wide, 0], [wide, tall], [0, tall]]], np.float64), matrix)[0]
        low = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
        high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, (self.photo.shape[1], self.photo.shape[0]))
        if (high <= low).any():
            return
        heavy = float(self.rng.uniform(-0.14, 0.16))  # a ribbon or nozzle prints bolder or thinner than the typeface
        fat = cv2.GaussianBlur(mask, (0, 0), 0.03 * tall)
        mask = np.clip((mask * 0.6 + fat * 0.4 - 0.5 + heavy) * 3 + 0.5, 0, 1) * self._worn(mask.shape)
        mask = cv2.GaussianBlur(mask, (0, 0), sigmaX=self._paper.sigma / across, sigmaY=self._paper.sigma / up)
        matrix = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]], np.float64) @ matrix
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        self._lay(cv2.warpPerspective(mask, matrix, size, flags=cv2.INTER_LINEAR), int(low[0]), int(low[1]), slot.ink)

    def _worn(self, shape: tuple[int, ...]) -> Floats:
        """Ink that takes better here than there: within a letter as between letters."""
        coarse = self.rng.uniform(0.62, 1.0, (2, max(4, shape[1] // 40))).astype(np.float32)
        fine = self.rng.uniform(0.75, 1.08, (max(4, shape[0] // 8), max(4, shape[1] // 8))).astype(np.float32)
        wide, tall = shape[1], shape[0]
        worn = cv2.resize(coarse, (wide, tall), interpolation=cv2.INTER_CUBIC) * cv2.resize(fine, (wide, tall))
        return np.asarray(np.clip(worn, 0, 1), np.float32)

    def _lay(self, alpha: Floats, left: int, top: int, ink: tuple[int, int, int]) -> None:
        """Multiply ink into the paper, under what shines on it, with the grain of the photo."""
        h, w = self.photo.shape[:2]
        alpha = np.clip(alpha[max(0, -top) : h - top, max(0, -left) : w - left], 0, 1)
        left, top = max(left, 0), max(top, 0)
        if alpha.size == 0 or float(alpha.max()) < 0.05:
            return
        rows, columns = slice(top, top + alpha.shape[0]), slice(left, left + alpha.shape[1])
        window, shine = self.photo[rows, columns], self._paper.shine(rows, columns)
        matt = window - shine
        bare = np.median(matt[alpha < 0.05], axis=0) if (alpha < 0.05).any() else np.median(matt, axis=(0, 1))
        passes = np.clip(np.array(ink, np.float32) / np.maximum(bare, 1), 0.02, 0.95)
        # The colour was measured on strokes already softened by the lens: undo what the same lens does to ours
        reached = float(np.median(alpha[alpha > 0.5 * float(alpha.max())]))
        passes = np.clip(1 - (1 - passes) / max(reached, 0.35), 0.03, 0.95)
        cover = alpha[..., None] * (1 - passes)
        window[:] = matt * (1 - cover) + shine + self._grain(matt.shape, 1.0) * cover

    def _grain(self, shape: tuple[int, ...], weight: float) -> Floats:
        noise = cv2.GaussianBlur(self.rng.normal(0, 1, shape).astype(np.float32), (0, 0), 0.7)
        return np.asarray(noise * (weight * self._paper.grain / max(float(noise.std()), 1e-6)), np.float32)

    def done(self) -> Pixels:
        """The printed picture, RGB uint8, through the same compression as the blank, so that both have the same blocks."""
        pixels = np.clip(self.photo + 0.5, 0, 255).astype(np.uint8)
        held = io.BytesIO()
        with Image.open(self.blank.file) as before:
            Image.fromarray(pixels).save(
                held, "JPEG", qtables=before.quantization, subsampling=JpegImagePlugin.get_sampling(before)
            )
        return np.asarray(Image.open(held).convert("RGB"), np.uint8)


@dataclass(slots=True, eq=False)
class Light:
    """What the lens, the sensor and the lamp did to a blank: `sigma` of its blur and `grain` (std, 0-255), and what shines."""

    sigma: float
    grain: float
    over: Floats
    scale: float

    @classmethod
    def of(cls, photo: Floats, blank: Blank) -> Light:
        """Measure a blank by its own labels and plain paper."""
        grey = cv2.cvtColor(np.clip(photo, 0, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY).astype(np.float32)
        page = np.zeros(grey.shape, np.uint8)
        cv2.fillConvexPoly(page, blank.corners.astype(np.int32), 1)
        page = cv2.erode(page, np.ones((15, 15), np.uint8))
        for drawn in (blank.portrait, *blank.marks):  # no lens has seen these
            cv2.fillConvexPoly(page, drawn.astype(np.int32), 0)
            cv2.polylines(page, [drawn.astype(np.int32)], True, 0, 12)
        return cls(sigma=_blur(grey, page), grain=_noise(grey, page), **_shining(photo))

    def shine(self, rows: slice, columns: slice) -> Floats:
        """Light that lies over the print in a window: lamp and hologram, per channel."""
        wide, tall = columns.stop - columns.start, rows.stop - rows.start
        matrix = np.array([[self.scale, 0, columns.start * self.scale], [0, self.scale, rows.start * self.scale]], np.float64)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(self.over, matrix, (wide, tall), flags=flags), np.float32)


def _blur(grey: Floats, page: Pixels) -> float:
    """Sigma of the edge spread in pixels: contrast over steepest slope of the strongest tenth of the page's edges.

    A step of contrast C softened by sigma has a slope of C / (sigma * sqrt(2 pi)).
    """
    slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(grey, cv2.CV_32F, 0, 1) / 8)
    around = np.ones((9, 9), np.uint8)
    contrast = cv2.dilate(grey, around) - cv2.erode(grey, around)
    peak = (slope >= cv2.dilate(slope, np.ones((3, 3), np.uint8)) - 1e-6) & (page > 0)
    strong = peak & (contrast > np.percentile(contrast[page > 0], 97))
    if not strong.any():
        return 0.8
    spread = contrast[strong] / (slope[strong] * math.sqrt(2 * math.pi))
    # Sobel itself widens by about 0.9 pixels
    return float(np.clip(math.sqrt(max(float(np.percentile(spread, 35)) ** 2 - 0.81, 0.0)), 0.5, 3.0))


def _noise(grey: Floats, page: Pixels) -> float:
    """Standard deviation of the grain where the paper is plainest: the lowest fifth of blocks of 12 pixels."""
    rough = (grey - cv2.GaussianBlur(grey, (0, 0), 1.2)) ** 2
    mean = cv2.boxFilter(rough, -1, (12, 12))[::12, ::12][page[::12, ::12] > 0]
    return float(np.clip(math.sqrt(np.percentile(mean, 20)), 0.5, 9.0)) if mean.size else 2.0


def _shining(photo: Floats) -> dict[str, Any]:
    """What is brighter than the paper around it: the picture minus the median of its surroundings, on a small copy."""
    scale = min(1.0, 400 / max(photo.shape[:2]))
    small = cv2.resize(np.clip(photo, 0, 255).astype(np.uint8), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    ground = cv2.medianBlur(small, 61).astype(np.float32)
    over = cv2.GaussianBlur(np.maximum(small.astype(np.float32) - ground - 10, 0), (0, 0), 1.0)
    # at a bright rim the median belongs to the dark table: nothing shines by more than a lamp's spot
    return {"over": np.minimum(over, 90).astype(np.float32), "scale": scale}


def _pitch(slot: Slot) -> float:
    """Pixels from letter to letter of a zone's line: 43 steps and the ink of one letter, which is 0.78 of a step."""
    return slot.width / 43.78


def _drawn(text: str, face: str, cap: int, *, size: int | None = None) -> tuple[Floats, int, int, int, int]:
    """Draw a text with capitals `cap` pixels high (or the em at `size`).

    Returns the mask (H, W, 0-1), its baseline's row, its margin, and the first and last column with ink.
    """
    if size is None:
        size = round(100 * cap / _capital(face))
    letters = font(face, size)
    pad, base = size // 2, round(1.35 * size)
    tile = Image.new("L", (math.ceil(letters.getlength(text)) + 2 * pad, round(1.9 * size)), 0)
    ImageDraw.Draw(tile).text((pad, base), text, font=letters, fill=255, anchor="ls")
    box = tile.getbbox() or (pad, 0, pad + 1, 1)
    return np.asarray(tile, np.float32) / 255, base, pad, box[0], box[2]


def _capital(face: str) -> float:
    """Height of a plain capital at size 100."""
    return float(-font(face, 100).getbbox("Н", anchor="ls")[1])


def _cap_height(face: str, tall: int, base: int) -> float:
    """Height of a plain capital, pixels, in a mask that `_drawn` made."""
    return _capital(face) * (base / 1.35) / 100


def _natural(face: str, text: str) -> float:
    """Length of a text in heights of a capital."""
    return float(font(face, 100).getlength(text)) / _capital(face)


# --- A phone that was held worse


def spoil(picture: Pixels, *, seed: int, hardness: str, letters: float) -> Pixels:
    """Spoil a photo by a grade of `photograph`: turned, tilted, shaded, under a lamp, out of focus, compressed.

    `letters`: height of the zone's (or print's) capitals in pixels. Blur follows it, since a small copy of a sharp photo is
    as readable as the photo; the other measures are shares of the picture.
    """
    g, rng = GRADES[hardness], np.random.default_rng([seed, sorted(GRADES).index(hardness)])
    h, w = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), float(rng.uniform(-g.turn, g.turn)), 1)
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float64) @ turn[:, :2].T + turn[:, 2]
    corners += rng.uniform(-g.tilt, g.tilt, (4, 2)) * max(w, h)
    corners -= corners.min(axis=0)  # the frame grows: nothing that was on the photo is lost
    wide, tall = np.ceil(corners.max(axis=0)).astype(int)
    matrix = cv2.getPerspectiveTransform(np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32), corners.astype(np.float32))
    scene = cv2.warpPerspective(
        picture, matrix, (int(wide), int(tall)), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32)
    y, x = np.mgrid[0:tall, 0:wide].astype(np.float32) / max(wide, tall)
    way = float(rng.uniform(0, 2 * math.pi))
    slope = (x - x.mean()) * math.cos(way) + (y - y.mean()) * math.sin(way)
    scene *= (1 - g.shade * (slope - slope.min()) / float(np.ptp(slope)))[..., None]
    cx, cy = rng.uniform(0.2, 0.8) * x.max(), rng.uniform(0.2, 0.9) * y.max()
    spread = float(rng.uniform(0.05, 0.10))
    spot = np.exp(-(((x - cx) / (1.7 * spread)) ** 2 + ((y - cy) / spread) ** 2))
    scene += (255 - scene) * (g.glare * spot)[..., None]
    scene = cv2.GaussianBlur(scene, (0, 0), max(0.3, g.blur * min(1.5, letters / _REACH)))
    scene += cv2.GaussianBlur(rng.normal(0, 1.5 * g.noise, scene.shape).astype(np.float32), (0, 0), 0.6)
    held = io.BytesIO()
    Image.fromarray(np.clip(scene + 0.5, 0, 255).astype(np.uint8)).save(held, "JPEG", quality=g.quality)
    return np.asarray(Image.open(held).convert("RGB"), np.uint8)


# --- Whole pictures


def printed(
    blank: Blank, *, seed: Sequence[int], today: date, hardness: str | None = None, typeface: str | None = None,
    portrait: Pixels | None = None,
) -> Printed:  # fmt: skip
    """Print somebody onto a blank. A pure function of its arguments: same seed, same pixels.

    `hardness` None leaves the photo as it was taken. Raises ValueError where no name fits, draw.FontMissing.
    """
    rng = np.random.default_rng(list(seed))
    press = Press(blank=blank, rng=rng, typeface=typeface)
    paper = invent(blank, rng, today=today, fits=press.fits)
    for name, text in paper.lines.items():
        if name in press.slots:
            press.line(name, text)
    if paper.zone is not None:
        press.zone(paper.zone)
    for slot in blank.slots:
        if slot.name.startswith("signature"):
            press.scribble(slot.name)
    if portrait is not None:
        press.portrait(portrait)
    image = press.done()
    if hardness is not None:
        tall = press.slots["mrz_1"].height if paper.zone else press.letters("surname")
        image = spoil(image, seed=int(rng.integers(2**31)), hardness=hardness, letters=tall)
    return Printed(image=image, label=_label(blank, paper, image, hardness))


def _label(blank: Blank, paper: Paper, image: Pixels, hardness: str | None) -> dict[str, Any]:
    """Say what is printed, in the form of ../shared/data/documents; `printed` has the page's own values by field name."""
    person, lines = paper.person, paper.lines
    n = person.document_number
    on_page = {name: value for name, value in person.values().items() if name != "nationality"}
    if blank.internal:
        fields = {
            "surname": person.surname, "given_names": person.given_names, "patronymic": person.patronymic, "sex": lines["sex"],
            "birth_date": lines["birth_date"], "birth_place": person.place_of_birth, "issuer": person.issuer,
            "issue_date": lines["issue_date"], "unit_code": person.issuer_code, "number": f"{n[:2]} {n[2:4]} {n[4:]}",
        }  # fmt: skip
    else:
        assert person.expires_on is not None
        fields = {
            "doc_code": "P", "issuer": "RUS", "surname": person.surname.replace("-", " "),
            "given_names": person.given_names.replace("-", " "), "number": n, "nationality": "RUS",
            "birth_date": f"{person.date_of_birth:%y%m%d}", "sex": person.sex, "expiry_date": f"{person.expires_on:%y%m%d}",
            "optional": "",
        }  # fmt: skip
    digits = ("number", "birth", *(() if blank.internal else ("expiry",)), "optional", "composite")
    return {
        "file": f"{blank.file.stem}.jpg",
        "repo": "invented",
        "path": blank.file.name,
        "size": [image.shape[1], image.shape[0]],
        "doc_type": "internal_passport" if blank.internal else "passport",
        "country": "RUS",
        "mrz_format": None if paper.zone is None else "RU" if blank.internal else "TD3",
        "mrz": None if paper.zone is None else list(paper.zone),
        "mrz_conforming": paper.zone is not None,
        "check_digits": dict.fromkeys(digits, True) if paper.zone else {},
        "fields": {name: value for name, value in fields.items() if value is not None},
        "printed": on_page,
        "tags": [*blank.tags, "printed_blank", blank.kind.lower(), *([hardness] if hardness else [])],
    }


def people_on_blanks(
    count: int, *, seed: int, today: date, hardness: str | None = None, typeface: str | None = None,
    portraits: Mapping[str, Pixels] | None = None, folder: Path = BLANKS, kinds: Sequence[str] = (),
) -> Iterator[Printed]:  # fmt: skip
    """Yield `count` pictures, each of another person, going round the blanks. Picture `i` does not depend on `count`.

    `portraits`: by sex, "M" or "F"; a person whose sex is not there keeps the blank's silhouette. `kinds` leaves others out.
    """
    chosen = [blank for blank in blanks(folder) if not kinds or blank.kind in kinds]
    for at in range(count):
        blank, lot = chosen[at % len(chosen)], (seed, at)
        made = printed(blank, seed=lot, today=today, hardness=hardness, typeface=typeface)
        face = (portraits or {}).get(made.label["printed"]["sex"])
        if face is not None:
            made = printed(blank, seed=lot, today=today, hardness=hardness, typeface=typeface, portrait=face)
        made.label["file"] = f"{at:03d}_{made.label['file']}"
        yield made


def write(pictures: Iterator[Printed], out: Path, *, root: Path = ROOT) -> int:
    """Write pictures and labels.json into a folder; returns how many.

    Raises ValueError for a folder inside the project that git does not ignore: the blanks may not be copied into it.
    """
    where = out.resolve()
    if where.is_relative_to(root) and not where.is_relative_to(root / "var"):
        raise ValueError("pictures on blanks must stay out of the project: give a folder outside it, or under var/")
    out.mkdir(parents=True, exist_ok=True)
    labels = []
    for made in pictures:
        Image.fromarray(made.image).save(out / made.label["file"], "JPEG", quality=92)
        labels.append(made.label | {"bytes": (out / made.label["file"]).stat().st_size})
    about = "Invented people printed onto photographed blanks of Russian passports; nobody's paper (tests.specimens blanks)"
    text = json.dumps({"about": about, "items": labels}, ensure_ascii=False, indent=1)
    (out / "labels.json").write_text(text + "\n", encoding="utf-8")
    return len(labels)
