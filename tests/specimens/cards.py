"""Draw both sides of an identity card of nobody, flat, at 24 pixels a millimetre, and make up its holder.

Three cards of the size ID-1 (85.6 x 54 mm): the Kazakh identity card, the Spanish DNI and the Mexican credential of the INE.
Which field stands on which side, and how the zone (TD1, on the back) is filled, follows public descriptions. Places, patterns,
emblems, codes and chips are invented: a card looks like one to a reader, not to an officer. Knows nothing of cameras;
`photograph` makes the phone picture.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from stdnum.mx import curp

from tests.specimens import blanks, people
from tests.specimens.draw import (
    INK,
    NO_FAULTS,
    PITCH,
    PX,
    Colour,
    Faults,
    Page,
    Person,
    Pixels,
    Quad,
    Specimen,
    as_printed,
    check_digit,
    edited,
    font,
    guilloche,
    scribble,
    zone_letters,
)

CardKind = Literal["kz_id", "es_dni", "mx_ine"]
KINDS: tuple[CardKind, ...] = ("kz_id", "es_dni", "mx_ine")
COUNTRIES: Mapping[CardKind, str] = {"kz_id": "KAZ", "es_dni": "ESP", "mx_ine": "MEX"}
SIDES = ("front", "back", "both")
WIDE, TALL = 85.6, 54.0  # mm, ID-1
FINE = 2  # print on a card is half as large as on a page: twice the pixels of `draw` a millimetre
ROWS = (39.6, 43.9, 48.2)  # mm: baselines of the zone, as on eight published backs (38.4 to 47.0 by the middles of the rows)
LEFT = 5.0  # mm to the first letter of the zone (Doc 9303-5 figure 6)
NOT_A_CARD = "TEST DRAWING · NOT A DOCUMENT"
"""Stands small on every side, see `draw.NOT_A_DOCUMENT`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Whose card it is. `person` has the fields of `verification.evidence`; `document_number` is the one of the zone.

    `other`: what is printed and is no such field: address, parents, voter_key, section, registered, zone_tail ...
    """

    kind: CardKind
    person: Person
    other: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Card:
    """Both sides, flat. Each side's truth names only what that side says; a front has no zone, so `mrz` is None."""

    front: Specimen
    back: Specimen

    def side(self, name: str, *, seed: int = 1) -> Specimen:
        """Return "front", "back", or "both" on one sheet."""
        if name not in SIDES:
            raise ValueError(f"a side is one of {', '.join(SIDES)}")
        return together(self, seed=seed) if name == "both" else self.front if name == "front" else self.back


# --- Holders


def kazakh_latin(name: str) -> str:
    """Spell a Kazakh or Russian name in Latin letters, as passports do.

    >>> kazakh_latin("ӘБІЛҚАЙЫР")
    'ABILKAIYR'
    """
    return blanks.latin(name.translate(str.maketrans("ӘҒҚҢӨҰҮҺІ", "АГКНОУУХИ")).replace("Һ", "H"))


def _words(text: str, by: str | None = None) -> tuple[str, ...]:
    return tuple(text.split(by))


_KZ_FIRST = _words(
    "ӘБІЛ АЙ АҚ БАҚЫТ БЕК БОЛАТ ДӘУЛЕТ ЕЛ ЕР ЖАН ЖАҚСЫ ЖОЛ ЗЕЙН ИСА КЕНЖЕ ҚАЙРАТ ҚҰАН ҚҰЛ МҰХАМЕД НАР НҰР ӨМІР ӨТЕ РЫС САҒЫН "
    "САМ ТӘЖІ ТҰРСЫН ҮМІТ ҮСЕН ШЫҢҒЫС ЫРЫС ҒАЛЫМ ҒАЗИЗ"
)
_KZ_LAST = _words("БЕК БАЙ ҒАЛИ ЖАН ЖОЛ ҚАЛИ МҰРАТ СҰЛТАН ТАЙ ТІЛЕУ ХАН")
_KZ_MEN = _words("ЕРАСЫЛ ӘЛІХАН ҒАБИТ ЖӘНІБЕК ҚАНАТ НҰРСҰЛТАН ӨМІРЖАН РҮСТЕМ САҢЫЛАУ ТӨЛЕГЕН ҰЛАН ЫБЫРАЙ ІЛИЯС БАҚЫТЖАН")
_KZ_WOMEN = _words(
    "АЙГҮЛ ӘСЕЛ БОТАКӨЗ ГҮЛНАР ДИНАРА ЖҰЛДЫЗ ҚАРЛЫҒАШ МӨЛДІР НҰРГҮЛ ӨРІК РАУШАН САҒЫНЫШ ТАҢШОЛПАН ҰЛЖАН ҮМІТ ІҢКӘР ҺҮРИЯ"
)
_KZ_PLACES = _words(
    "АЛМАТЫ|АСТАНА|ҚАРАҒАНДЫ|ШЫМКЕНТ|ӨСКЕМЕН|ҚЫЗЫЛОРДА|ТҮРКІСТАН ОБЛЫСЫ|АҚТӨБЕ ОБЛЫСЫ|МАҢҒЫСТАУ ОБЛЫСЫ|ЖАМБЫЛ ОБЛЫСЫ", "|"
)
_ES_FIRST = _words(
    "ARIZ BALD CAST ECHEV FUEN GORR HERM IRIB JAÚR LLAM MONT NAVAL OLAB PEÑAL QUIR RIBAG SAND TOLM URR VALD XIM ZABAL"
)
_ES_LAST = _words("MUÑO ARES ERO LLANA OSTIZ ARRI ÉS ILLO AVENTE UETA EGUI ÁN ADA ORÍN UEÑA ÍZAR OÑO ÚS")
_ES_BEFORE = ("", "", "", "", "", "", "DE ", "DEL ", "DE LA ")
_ES_MEN = _words("JOAQUÍN ÁNGEL ÍÑIGO IÑAKI RAÚL HÉCTOR ÓSCAR MARTÍN GONZALO BENITO TOMÁS EFRÉN LUIS JOSÉ")
_ES_WOMEN = _words("BEGOÑA LUCÍA MARÍA ROCÍO ELVIRA INÉS CARMEN PILAR ÚRSULA JULIA SOFÍA NOA")
_ES_PLACES = _words("CÁDIZ|LUGO|ÁVILA|LOGROÑO|GIJÓN|MÁLAGA|A CORUÑA|ALCALÁ LA REAL|SEVILLA|TERUEL", "|")
_ES_STREETS = _words("C. OLMO|AVDA. DEL MOLINO|PLAZA CHICA|C. RÍO TUERTO|PASEO DE LA NORIA", "|")
_MX_FIRST = _words("TLAL XOCH MECA CUAUH BARR IZQU ZACA ESCO GUTI OCHO PATI QUIÑ URIB VELA HUER JARA LIMÓ NÁJE SAUC TEPO")
_MX_LAST = _words("PANECO IGUETA TITLA ERDO ALPAN ENDO ONES EJO ARTE IÑO ACHO ÁREZ OTLI UMBO ELA ÍN")
_MX_MEN = _words("ULISES JOSÉ LUIS EFRAÍN ÁNGEL OMAR IGNACIO RUBÉN NOÉ ADÁN IVÁN HUGO")
_MX_WOMEN = _words("MARÍA ITZEL XÓCHITL NOEMÍ LUZ AURORA IRMA EUGENIA OFELIA YOLANDA ANA CITLALI")
_MX_STATES = (
    ("PL", "21", "PUE."),
    ("JC", "14", "JAL."),
    ("DF", "09", "CDMX"),
    ("OC", "20", "OAX."),
    ("YN", "31", "YUC."),
    ("NL", "19", "N.L."),
)
_MX_STREETS = _words("C NOGAL|AV DEL TRABAJO|C PRIMERA DE MAYO|PRIV LAS FLORES|AND CERRO AZUL", "|")
_MX_QUARTERS = _words("COL LA LOMA|COL EL MIRADOR|FRACC LOS SAUCES|BARR SAN FELIPE|EJ AGUA FRÍA", "|")


def holder(kind: CardKind, *, seed: int, today: date) -> Holder:
    """Make up whose card it is; the same arguments, the same holder. Names fit the zone uncut."""
    rng = np.random.default_rng([seed, 53, KINDS.index(kind)])
    while True:
        made = {"kz_id": _kazakh, "es_dni": _spaniard, "mx_ine": _mexican}[kind](rng, today)
        if made is None:
            continue
        try:
            td1_zone(made)
        except ValueError:  # too long for its row
            continue
        return made


def _pick(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def _days(rng: np.random.Generator, today: date, *, years: int) -> tuple[date, date, date]:
    """Birth (at 18 to 74), issue (within the last nine years) and expiry, `years` after it."""
    issued = today - timedelta(days=int(rng.integers(30, 3200)))
    born = issued - timedelta(days=int(rng.integers(18 * 366, 74 * 365)))
    return born, issued, issued.replace(year=issued.year + years, day=min(issued.day, 28))


def _kazakh(rng: np.random.Generator, today: date) -> Holder | None:
    woman = bool(rng.random() < 0.5)
    born, issued, until = _days(rng, today, years=10)
    stem = _pick(rng, _KZ_FIRST) + _pick(rng, ("", *_KZ_LAST))
    family = stem + _pick(rng, (("ОВА", "ЕВА", "ҚЫЗЫ", "") if woman else ("ОВ", "ЕВ", "ҰЛЫ", "")))
    given = _pick(rng, _KZ_WOMEN if woman else _KZ_MEN)
    father = _pick(rng, _KZ_MEN)
    father += _pick(rng, ("ҚЫЗЫ", "ОВНА") if woman else ("ҰЛЫ", "ОВИЧ"))
    if rng.random() < 0.08:
        father = None
    try:
        number = people.kazakh_iin(born, "F" if woman else "M", int(rng.integers(1, 10_000)))
    except ValueError:
        return None
    return Holder(kind="kz_id", person=Person(
        surname=kazakh_latin(family), given_names=kazakh_latin(given), surname_native=family, given_names_native=given,
        patronymic=father, document_number=f"0{int(rng.integers(30_000_000, 60_000_000))}", date_of_birth=born,
        sex="F" if woman else "M", nationality="KAZ", issued_on=issued, expires_on=until,
        issuer="ҚР ІШКІ ІСТЕР МИНИСТРЛІГІ", place_of_birth=_pick(rng, _KZ_PLACES), personal_number=number,
    ))  # fmt: skip


def _letters(rng: np.random.Generator, count: int) -> str:
    return "".join(_pick(rng, "ABCDEFGHJKLMNPRSTVXZ") for _ in range(count))


def _spaniard(rng: np.random.Generator, today: date) -> Holder | None:
    woman = bool(rng.random() < 0.5)
    born, issued, until = _days(rng, today, years=10)
    family = " ".join(_pick(rng, _ES_BEFORE) + _pick(rng, _ES_FIRST) + _pick(rng, _ES_LAST) for _ in range(2))
    names = _ES_WOMEN if woman else _ES_MEN
    given = _pick(rng, names)
    if rng.random() < 0.4:
        given = " ".join(dict.fromkeys((given, _pick(rng, names))))
    place = _pick(rng, _ES_PLACES)
    other = {
        "parents": f"{_pick(rng, _ES_MEN)} / {_pick(rng, _ES_WOMEN)}",
        "address": f"{_pick(rng, _ES_STREETS)} {int(rng.integers(1, 99))} P0{int(rng.integers(1, 9))} {_pick(rng, 'ABCD')}",
        "town": _pick(rng, _ES_PLACES),
        "access_number": f"{int(rng.integers(100_000, 1_000_000))}",
        "team": f"{int(rng.integers(10_000, 60_000))}L6D1",
    }
    return Holder(kind="es_dni", other=other, person=Person(
        surname=family, given_names=given, document_number=f"{_letters(rng, 3)}{int(rng.integers(1_000_000)):06d}",
        date_of_birth=born, sex="F" if woman else "M", nationality="ESP", issued_on=issued, expires_on=until,
        place_of_birth=place, personal_number=people.spanish_dni(int(rng.integers(1_000_000, 80_000_000))),
    ))  # fmt: skip


def _bare(word: str) -> str:
    """Letters without marks; Ñ counts as X in a CURP."""
    plain = unicodedata.normalize("NFD", word.replace("Ñ", "X"))
    return "".join(c for c in plain if c.isalpha() and c.isascii())


def _inner(word: str, among: str) -> str:
    return next((c for c in word[1:] if c in among), "X")


_CONSONANTS = "BCDFGHJKLMNPQRSTVWXYZ"


def curp_of(first: str, second: str, given: str, born: date, sex: Literal["M", "F"], state: str, serial: int) -> str:
    """Return the CURP of one surname, another, and given names; `state` two letters, `serial` 0-9. Rude starts are not masked.

    >>> curp_of("TLALPANECO", "BARRIGUETE", "ULISES", date(1987, 2, 27), "M", "PL", 0)
    'TABU870227HPLLRL07'
    """
    one, two, name = _bare(first), _bare(second), _bare(_called(given))
    start = one[0] + _inner(one, "AEIOU") + two[0] + name[0]
    inner = "".join(_inner(word, _CONSONANTS) for word in (one, two, name))
    last = str(serial) if born.year < 2000 else "ABCDEFGHIJ"[serial]
    return people.mexican_curp(f"{start}{born:%y%m%d}{'H' if sex == 'M' else 'M'}{state}{inner}{last}")


def _called(given: str) -> str:
    """The given name that counts: José and María are skipped before another."""
    words = given.split()
    return words[1] if len(words) > 1 and words[0] in ("JOSÉ", "MARÍA") else words[0]


def _mexican(rng: np.random.Generator, today: date) -> Holder | None:
    woman = bool(rng.random() < 0.5)
    sex: Literal["M", "F"] = "F" if woman else "M"
    born, issued, until = _days(rng, today, years=10)
    first, second = (_pick(rng, _MX_FIRST) + _pick(rng, _MX_LAST) for _ in range(2))
    names = _MX_WOMEN if woman else _MX_MEN
    given = " ".join(dict.fromkeys(_pick(rng, names) for _ in range(int(rng.integers(1, 3)))))
    letters, digits, short = _MX_STATES[int(rng.integers(len(_MX_STATES)))]
    number = curp_of(first, second, given, born, sex, letters, int(rng.integers(10)))
    if not curp.is_valid(number):  # the four first letters are a rude word
        return None
    key = "".join(word[0] + _inner(word, _CONSONANTS) for word in map(_bare, (first, second, _called(given))))
    section = f"{int(rng.integers(1, 7000)):04d}"
    other = {
        "address": "\n".join((
            f"{_pick(rng, _MX_STREETS)} {int(rng.integers(1, 400))}",
            f"{_pick(rng, _MX_QUARTERS)} {int(rng.integers(10_000, 99_000))}",
            f"{_pick(rng, ('PUEBLA', 'TEPATITLÁN', 'MÉRIDA', 'ATLIXCO'))}, {short}",
        )),
        "voter_key": f"{key}{born:%y%m%d}{digits}{'M' if woman else 'H'}{int(rng.integers(1000)):03d}",
        "registered": f"{max(born.year + 18, 1991)} 0{int(rng.integers(0, 4))}",
        "section": section,
        "valid_years": f"{issued.year} - {until.year}",
        "reading_number": f"{section}{int(rng.integers(10**9)):09d}",
        "zone_tail": f"<0{int(rng.integers(1, 9))}<<{int(rng.integers(100_000)):05d}<",
    }  # fmt: skip
    return Holder(kind="mx_ine", other=other, person=Person(
        surname=f"{first} {second}", given_names=given, document_number=f"{int(rng.integers(10**8, 3 * 10**8))}",
        date_of_birth=born, sex=sex, nationality="MEX", issued_on=issued, expires_on=date(until.year, 12, 31),
        personal_number=number,
    ))  # fmt: skip


# --- The zone


def td1_zone(whose: Holder, *, wrong_check: str | None = None) -> tuple[tuple[str, str, str], dict[str, bool]]:
    """Return the three lines of 30 and which printed check digits hold. Raises ValueError on what does not fit.

    Kazakhstan puts the IIN, Spain the DNI with its letter behind the number; Mexico prints H or M as sex (hombre, mujer).
    """
    person, country = whose.person, COUNTRIES[whose.kind]
    names = f"{zone_letters(person.surname)}<<{zone_letters(person.given_names)}"
    if len(names) > 29 or len(person.document_number) != 9 or person.expires_on is None:
        raise ValueError("names of more than 29 letters, a number not of 9 or no date of expiry: not drawn here")
    tail = {
        "kz_id": person.personal_number or "",
        "es_dni": person.personal_number or "",
        "mx_ine": f"<<{whose.other.get('reading_number', '')}",
    }[whose.kind]
    sex = "<" if person.sex == "X" else person.sex
    if whose.kind == "mx_ine":
        sex = {"M": "H", "F": "M"}.get(person.sex, "<")
    covered = {
        "document_number": person.document_number,
        "date_of_birth": f"{person.date_of_birth:%y%m%d}",
        "expires_on": f"{person.expires_on:%y%m%d}",
    }
    if wrong_check is not None and wrong_check not in (*covered, "composite"):
        raise ValueError(f"there is no check digit {wrong_check!r} on this card")
    digits = {name: _digit(text, off=name == wrong_check) for name, text in covered.items()}
    number, birth, until = (covered[name] + digits[name] for name in covered)
    first = f"ID{country}{number}{tail}".ljust(30, "<")
    more = whose.other.get("zone_tail", "").ljust(11, "<")
    composite = _digit(first[5:] + birth + until + more, off=wrong_check == "composite")
    lines = (first, f"{birth}{sex}{until}{person.nationality.ljust(3, '<')}{more}{composite}", names.ljust(30, "<"))
    if any(len(line) != 30 for line in lines):
        raise ValueError("a row of the zone is not 30 letters long")
    return lines, {name: name != wrong_check for name in (*covered, "composite")}


def _digit(text: str, *, off: bool) -> str:
    return str((int(check_digit(text)) + off) % 10)


# --- Drawing


@dataclass(slots=True, eq=False)
class _Side:
    """One side while it is drawn, in millimetres of the card: a page twice as large underneath."""

    page: Page
    face: str
    bold: str
    label_colour: Colour
    label_size: float = 1.35

    @classmethod
    def of(cls, tint: Colour, inks: tuple[Colour, Colour], seed: int, *, face: str, bold: str, label_colour: Colour) -> _Side:
        page = Page.of(WIDE * FINE, TALL * FINE, tint)
        one, two = guilloche(WIDE * FINE, TALL * FINE, seed)
        page.ink(one * 0.5, inks[0])
        page.ink(two * 0.45, inks[1])
        return cls(page=page, face=face, bold=bold, label_colour=label_colour)

    def text(
        self, text: str, x: float, y: float, *, size: float, face: str | None = None, colour: Colour = INK,
        room: float | None = None, **more: Any,
    ) -> None:  # fmt: skip
        """Print with the baseline at (x, y); made smaller where it would be wider than `room`."""
        face = face or self.face
        if room is not None:
            size *= min(1.0, room * FINE * PX / max(1.0, font(face, size * FINE * PX).getlength(text)))
        if "spacing" in more:
            more["spacing"] *= FINE
        self.page.print(text, x * FINE, y * FINE, face=face, size=size * FINE, colour=colour, **more)

    def label(self, text: str, x: float, y: float, **more: Any) -> None:
        self.text(text, x, y, size=self.label_size, colour=self.label_colour, **more)

    def value(
        self, name: str | None, text: str | None, x: float, y: float, *, room: float, size: float = 2.55, **more: Any
    ) -> None:
        if text:
            self.text(text, x, y, size=size, room=room, name=name, **more)

    def box(self, name: str, x: float, y: float, wide: float, tall: float) -> None:
        self.page.box(name, x * FINE, y * FINE, wide * FINE, tall * FINE)

    def band(self, top: float, bottom: float, colour: Colour, alpha: float) -> None:
        rows = self.page.paper[round(top * FINE * PX) : round(bottom * FINE * PX)]
        rows += (np.array(colour, np.float32) - rows) * alpha

    def portrait(
        self, picture: Pixels, x: float, y: float, wide: float, tall: float, *, grey: float, alpha: float = 0.95
    ) -> None:
        printed = as_printed(picture, grey=grey, contrast=0.86)
        self.page.picture(printed, x * FINE, y * FINE, wide * FINE, tall * FINE, alpha=alpha)

    def mask(self, draw: Callable[[NDArray[np.uint8], float], object], colour: Colour, alpha: float) -> None:
        """Ink what `draw` puts on a canvas; it is told the pixels a millimetre."""
        canvas = np.zeros(self.page.paper.shape[:2], np.uint8)
        draw(canvas, float(FINE * PX))
        self.page.ink(canvas.astype(np.float32) / 255 * alpha, colour)

    def zone(self, lines: Sequence[str]) -> None:
        self.band(35.6, 54, (250, 250, 247), 0.5)
        size = PITCH / 0.723  # see Page.zone
        for row, (line, y) in enumerate(zip(lines, ROWS, strict=True)):
            for place, letter in enumerate(line):
                self.text(letter, LEFT + (place + 0.5) * PITCH, y, face="OCRB.otf", size=size, colour=(20, 20, 24), anchor="ms")
            self.box(f"mrz_{row}", LEFT, y - 2.6, 30 * PITCH, 2.75)

    def union(self, name: str, *parts: str) -> None:
        """One place for a value printed in several lines."""
        every = np.concatenate([self.page.quads[part] for part in parts if part in self.page.quads])
        low, high = every.min(axis=0), every.max(axis=0)
        self.page.quads[name] = np.array([low, (high[0], low[1]), high, (low[0], high[1])], np.float32)

    def done(self, faults: Faults, *, colour: Colour, mark: tuple[float, float]) -> Pixels:
        self.text(NOT_A_CARD, *mark, face="LiberationSans-Regular.ttf", size=1.0, colour=colour, anchor="rs")
        if faults.specimen_word:
            self.text("SPECIMEN", 48, 33, face="LiberationSans-Bold.ttf", size=9.5, colour=(190, 60, 60), anchor="ms", alpha=0.33)
        return self.page.done()


def draw_card(whose: Holder, portrait: Pixels, *, faults: Faults = NO_FAULTS) -> Card:
    """Draw both sides, 2054 x 1296 pixels each. Raises ValueError on names too long for the zone, FontMissing."""
    shown = Holder(kind=whose.kind, person=edited(whose.person, faults.print_only), other=whose.other)
    coded = Holder(kind=whose.kind, person=edited(whose.person, faults.zone_only), other=whose.other)
    lines, checks = td1_zone(coded, wrong_check=faults.wrong_check)
    front, back = {"kz_id": _kz_sides, "es_dni": _es_sides, "mx_ine": _mx_sides}[whose.kind](shown, portrait, lines, faults)
    zone = {"lines": list(lines), "valid": all(checks.values()), "checks": checks}
    return Card(front=_specimen(*front, shown, coded, None), back=_specimen(*back, shown, coded, zone))


_Drawn = tuple[Pixels, dict[str, Quad], frozenset[str]]
"""Pixels, places, and the fields printed on this side."""


def _dots(day: date | None) -> str:
    return f"{day:%d.%m.%Y}" if day else ""


def _kz_sides(whose: Holder, portrait: Pixels, lines: Sequence[str], faults: Faults) -> tuple[_Drawn, _Drawn]:
    p = whose.person
    style = dict(face="PTN57F.ttf", bold="PTN77F.ttf", label_colour=(70, 96, 116))
    inks: tuple[Colour, Colour] = ((126, 186, 204), (214, 200, 138))
    s = _Side.of((228, 240, 242), inks, 301, **style)  # type: ignore[arg-type]
    s.band(0, 10.6, (90, 176, 206), 0.28)
    _emblem(s, 8.2, 5.6, 3.9, (196, 158, 60))
    s.text("ҚАЗАҚСТАН РЕСПУБЛИКАСЫ", 14.5, 4.6, size=2.5, face=s.bold, colour=(24, 72, 110))
    s.text("РЕСПУБЛИКА КАЗАХСТАН · REPUBLIC OF KAZAKHSTAN", 14.5, 6.9, size=1.4, colour=(24, 72, 110))
    s.text("ЖЕКЕ КУӘЛІК / УДОСТОВЕРЕНИЕ ЛИЧНОСТИ", 14.5, 9.6, size=1.9, face=s.bold, colour=(24, 72, 110))
    s.portrait(portrait, 4, 13, 24.5, 32.5, grey=0.15)
    s.box("portrait", 4, 13, 24.5, 32.5)
    s.portrait(portrait, 71.5, 12.5, 10.5, 13.8, grey=1.0, alpha=0.3)
    x, y, step = 32.0, 14.6, 6.25
    for name, label, text in (
        ("surname_native", "ТЕГІ / ФАМИЛИЯ", p.surname_native), ("given_names_native", "АТЫ / ИМЯ", p.given_names_native),
        ("patronymic", "ӘКЕСІНІҢ АТЫ / ОТЧЕСТВО", p.patronymic),
        ("date_of_birth", "ТУҒАН КҮНІ / ДАТА РОЖДЕНИЯ", _dots(p.date_of_birth)),
    ):  # fmt: skip
        s.label(label, x, y)
        s.value(name, text, x, y + 3.1, room=38 if y < 30 else 30, size=2.9, face=s.bold)
        y += step
    s.label("ЖЫНЫСЫ / ПОЛ", 64.0, 14.6 + 3 * step)
    s.value("sex", {"M": "ЕР / М", "F": "ӘЙЕЛ / Ж", "X": "X"}[p.sex], 64.0, 17.7 + 3 * step, room=18, size=2.9, face=s.bold)
    s.label("ЖСН / ИИН", x, y + 1.6)
    s.value("personal_number", p.personal_number, x + 9.5, y + 2.0, room=34, size=3.6, face=s.bold, spacing=0.25)
    scribble(s.page, (36 * FINE, 49.0 * FINE), p.document_number)
    s.label("ИЕСІНІҢ ҚОЛЫ / ПОДПИСЬ ВЛАДЕЛЬЦА", x, 51.2)
    front = s.done(faults, colour=s.label_colour, mark=(82.5, 51.4))
    on_front = frozenset({"surname_native", "given_names_native", "patronymic", "date_of_birth", "sex", "personal_number"})

    b = _Side.of((230, 240, 240), inks, 302, **style)  # type: ignore[arg-type]
    b.text(f"№ {p.document_number}", 82, 6.2, size=3.5, face=b.bold, anchor="rs", name="document_number", spacing=0.15)
    for name, label, text, at_x, at_y in (
        ("place_of_birth", "ТУҒАН ЖЕРІ / МЕСТО РОЖДЕНИЯ", p.place_of_birth, 5.0, 5.0),
        ("nationality", "АЗАМАТТЫҒЫ / ГРАЖДАНСТВО", "ҚАЗАҚСТАН / KAZAKHSTAN", 5.0, 10.8),
        ("issuer", "БЕРГЕН ОРГАН / ОРГАН ВЫДАЧИ", p.issuer, 5.0, 16.6),
    ):
        b.label(label, at_x, at_y)
        b.value(name, text, at_x, at_y + 3.0, room=44, size=2.5, face=b.bold)
    b.label("БЕРІЛГЕН КҮНІ / ДАТА ВЫДАЧИ", 5.0, 22.4)
    b.value("issued_on", _dots(p.issued_on), 5.0, 25.4, room=30, size=2.5, face=b.bold)
    b.label("ҚОЛДАНЫЛУ МЕРЗІМІ / СРОК ДЕЙСТВИЯ", 30.0, 22.4)
    b.value("expires_on", _dots(p.expires_on), 30.0, 25.4, room=30, size=2.5, face=b.bold)
    _bars(b, p.personal_number or p.document_number, 55, 10.5, 26, 7.5)
    b.text(p.personal_number or "", 68, 20.0, size=1.5, anchor="ms", spacing=0.3)
    _emblem(b, 71, 28.0, 4.2, (196, 158, 60))
    b.zone(lines)
    back = b.done(faults, colour=b.label_colour, mark=(82.5, 52.4))
    on_back = frozenset({"document_number", "place_of_birth", "nationality", "issuer", "issued_on", "expires_on"})
    return (front, s.page.quads, on_front), (back, b.page.quads, on_back)


def _es_sides(whose: Holder, portrait: Pixels, lines: Sequence[str], faults: Faults) -> tuple[_Drawn, _Drawn]:
    p, other = whose.person, whose.other
    style = dict(face="LiberationSans-Regular.ttf", bold="LiberationSans-Bold.ttf", label_colour=(66, 104, 128))
    inks: tuple[Colour, Colour] = ((216, 160, 156), (140, 190, 200))
    s = _Side.of((240, 234, 230), inks, 311, **style)  # type: ignore[arg-type]

    def flag(canvas: NDArray[np.uint8], px: float) -> None:
        cv2.rectangle(canvas, (round(4 * px), round(3 * px)), (round(14 * px), round(10 * px)), 255, -1)

    s.mask(flag, (28, 66, 150), 0.9)
    for k in range(12):
        angle = 2 * math.pi * k / 12
        s.text("*", 9 + 2.4 * math.cos(angle), 7.5 + 2.4 * math.sin(angle), size=1.8, colour=(250, 214, 60), anchor="ms")
    s.text("ES", 9, 7.3, size=2.0, face=s.bold, colour=(245, 245, 245), anchor="ms")
    s.text("ESPAÑA", 16, 6.2, size=3.3, face=s.bold, colour=(150, 40, 52))
    s.text("DOCUMENTO NACIONAL DE IDENTIDAD", 16, 9.3, size=1.75, colour=(80, 60, 80))
    number = p.personal_number or ""
    s.text("DNI", 56.5, 9.3, size=2.4, face=s.bold, colour=(150, 40, 52))
    s.value("personal_number", number, 62.2, 9.3, room=20, size=3.1, face=s.bold)
    s.portrait(portrait, 4, 13, 25.5, 33.5, grey=1.0)
    s.box("portrait", 4, 13, 25.5, 33.5)
    s.portrait(portrait, 71.5, 35.5, 10, 13.2, grey=1.0, alpha=0.32)
    one, two = _two_surnames(p.surname)
    s.label("APELLIDOS / SURNAMES", 32, 14.2)
    s.value("surname_1", one, 32, 17.2, room=48)
    s.value("surname_2", two, 32, 20.4, room=48)
    s.union("surname", "surname_1", "surname_2")
    s.label("NOMBRE / NAME", 32, 23.4)
    s.value("given_names", p.given_names, 32, 26.4, room=48)
    for name, label, text, x, y in (
        ("sex", "SEXO / SEX", p.sex, 32, 29.6), ("nationality", "NACIONALIDAD / NATIONALITY", "ESP", 41, 29.6),
        ("date_of_birth", "NACIMIENTO / DATE OF BIRTH", f"{p.date_of_birth:%d %m %Y}", 63, 29.6),
        ("issued_on", "EMISIÓN / ISSUE", f"{p.issued_on:%d %m %Y}", 32, 35.8),
        ("expires_on", "VALIDEZ / EXPIRY", f"{p.expires_on:%d %m %Y}" if p.expires_on else "", 52, 35.8),
        ("document_number", "NUM. SOPORTE / CARD NUM.", p.document_number, 32, 42.0),
    ):  # fmt: skip
        s.label(label, x, y)
        s.value(name, text, x, y + 3.0, room=20)
    s.label("CAN", 72, 51.4)
    s.text(other.get("access_number", ""), 75.2, 51.5, size=2.0, face=s.bold)
    scribble(s.page, (38 * FINE, 51.5 * FINE), p.document_number)
    front = s.done(faults, colour=s.label_colour, mark=(29.5, 49.0))
    on_front = frozenset(
        {
            "surname",
            "given_names",
            "sex",
            "nationality",
            "date_of_birth",
            "issued_on",
            "expires_on",
            "document_number",
            "personal_number",
        }
    )

    b = _Side.of((238, 236, 232), inks, 312, **style)  # type: ignore[arg-type]
    _chip(b, 5, 12, 13, 11.5)
    for name, label, text, x, y in (
        (None, "DOMICILIO / ADDRESS", other.get("address", ""), 23, 4.6), (None, "", other.get("town", ""), 23, 8.0),
        ("place_of_birth", "LUGAR DE NACIMIENTO / PLACE OF BIRTH", p.place_of_birth, 23, 14.2),
        (None, "HIJO/A DE / PARENTS", other.get("parents", ""), 23, 20.4),
    ):  # fmt: skip
        s_y = y + 3.0
        if label:
            b.label(label, x, y)
        b.value(name, text, x, s_y, room=56, size=2.3)
    b.label("EQUIPO", 23, 28.0)
    b.text(other.get("team", ""), 23, 30.8, size=2.0)
    b.zone(lines)
    back = b.done(faults, colour=b.label_colour, mark=(82.5, 52.4))
    return (front, s.page.quads, on_front), (back, b.page.quads, frozenset({"place_of_birth"}))


def _two_surnames(surname: str) -> tuple[str, str]:
    """The lines of two surnames; a particle goes with the word behind it."""
    words, parts, held = surname.split(), [], ""
    for word in words:
        held = f"{held} {word}".strip()
        if word not in ("DE", "DEL", "LA", "LAS", "LOS", "Y"):
            parts.append(held)
            held = ""
    return " ".join(parts[:1]), " ".join(parts[1:])


def _mx_sides(whose: Holder, portrait: Pixels, lines: Sequence[str], faults: Faults) -> tuple[_Drawn, _Drawn]:
    p, other = whose.person, whose.other
    style = dict(face="DejaVuSans.ttf", bold="DejaVuSans-Bold.ttf", label_colour=(120, 84, 104))
    inks: tuple[Colour, Colour] = ((224, 176, 196), (188, 200, 178))
    s = _Side.of((243, 240, 240), inks, 321, **style)  # type: ignore[arg-type]
    s.label_size = 1.2
    s.band(10.4, 10.9, (196, 52, 122), 0.75)
    _emblem(s, 8.0, 5.5, 3.8, (110, 140, 84))
    s.text("MÉXICO", 14, 6.6, size=3.2, face=s.bold, colour=(150, 36, 92))
    s.text("INSTITUTO NACIONAL ELECTORAL", 33, 5.2, size=1.9, face=s.bold, colour=(92, 92, 98))
    s.text("CREDENCIAL PARA VOTAR", 33, 8.6, size=2.1, colour=(92, 92, 98))
    s.portrait(portrait, 3.6, 13.5, 22.5, 28.5, grey=0.0)
    s.box("portrait", 3.6, 13.5, 22.5, 28.5)
    s.portrait(portrait, 72, 38.5, 10, 13, grey=0.6, alpha=0.34)
    one, two = _two_surnames(p.surname)
    s.label("NOMBRE", 28.5, 14.2)
    for name, text, y in (("surname_1", one, 16.8), ("surname_2", two, 19.6), ("given_names", p.given_names, 22.4)):
        s.value(name, text, 28.5, y, room=36, size=2.15)
    s.union("surname", "surname_1", "surname_2")
    s.label("SEXO", 70.5, 14.2)
    s.value("sex", {"M": "H", "F": "M", "X": "X"}[p.sex], 75.5, 14.4, room=5, size=2.2)
    s.label("DOMICILIO", 28.5, 25.2)
    for at, text in enumerate(other.get("address", "").split("\n")):
        s.value(None, text, 28.5, 27.6 + 2.5 * at, room=42, size=1.85)
    s.label("CLAVE DE ELECTOR", 28.5, 35.8)
    s.text(other.get("voter_key", ""), 43.5, 35.9, size=1.95)
    s.label("CURP", 28.5, 39.4)
    s.value("personal_number", p.personal_number, 33.0, 39.5, room=32, size=1.95)
    s.label("AÑO DE REGISTRO", 59.5, 39.4)
    s.text(other.get("registered", ""), 72.5, 39.5, size=1.95)
    s.label("FECHA DE NACIMIENTO", 28.5, 42.9)
    s.value("date_of_birth", f"{p.date_of_birth:%d/%m/%Y}", 28.5, 45.7, room=20, size=1.95)
    s.label("SECCIÓN", 47.5, 42.9)
    s.text(other.get("section", ""), 47.5, 45.7, size=1.95)
    s.label("VIGENCIA", 57.5, 42.9)
    s.text(other.get("valid_years", ""), 57.5, 45.7, size=1.95)
    scribble(s.page, (7 * FINE, 48.5 * FINE), p.document_number)
    front = s.done(faults, colour=s.label_colour, mark=(64, 51.4))
    on_front = frozenset({"surname", "given_names", "sex", "personal_number", "date_of_birth"})

    b = _Side.of((243, 241, 240), inks, 322, **style)  # type: ignore[arg-type]
    _blocks(b, p.document_number, 4.5, 4.0, 15)
    _blocks(b, p.document_number[::-1], 22.0, 4.0, 15)
    _bars(b, other.get("reading_number", ""), 40, 4.0, 24, 5.0)
    b.label("INSTITUTO NACIONAL ELECTORAL", 40, 12.6)
    b.label("CIC", 40, 16.8)
    b.value("document_number", p.document_number, 43.5, 16.9, room=20, size=2.1)
    b.label("IDENTIFICADOR", 40, 20.4)
    b.text(other.get("reading_number", ""), 51.5, 20.5, size=2.1)
    _finger(b, 75.0, 13.0)
    scribble(b.page, (6 * FINE, 27.5 * FINE), p.document_number[::-1])
    b.label("FIRMA DEL SECRETARIO EJECUTIVO", 5, 31.4)
    b.zone(lines)
    back = b.done(faults, colour=b.label_colour, mark=(82.5, 52.4))
    return (front, s.page.quads, on_front), (back, b.page.quads, frozenset({"document_number"}))


def _emblem(s: _Side, x: float, y: float, radius: float, colour: Colour) -> None:
    """A woven disc, nobody's arms."""

    def draw(canvas: NDArray[np.uint8], px: float) -> None:
        centre = (round(x * px), round(y * px))
        for k, r in enumerate((1.0, 0.86, 0.42)):
            cv2.circle(canvas, centre, round(radius * r * px), 255, 3 if k else 5, cv2.LINE_AA)
        for k in range(24):
            angle = 2 * math.pi * k / 24
            ends = [
                (round((x + radius * r * math.cos(angle + turn)) * px), round((y + radius * r * math.sin(angle + turn)) * px))
                for r, turn in ((0.44, 0.0), (0.84, 0.35))
            ]
            cv2.line(canvas, *ends, 255, 3, cv2.LINE_AA)

    s.mask(draw, colour, 0.8)


def _bars(s: _Side, seed: str, x: float, y: float, wide: float, tall: float) -> None:
    """Stripes like a barcode's; they code nothing."""
    rng = np.random.default_rng([ord(c) for c in seed] or [0])

    def draw(canvas: NDArray[np.uint8], px: float) -> None:
        at = x
        while at < x + wide:
            thick, gap = rng.integers(1, 4, 2) * 0.2
            cv2.rectangle(canvas, (round(at * px), round(y * px)), (round((at + thick) * px), round((y + tall) * px)), 255, -1)
            at += float(thick + gap)

    s.mask(draw, (26, 26, 30), 0.95)


def _blocks(s: _Side, seed: str, x: float, y: float, side: float) -> None:
    """Squares like a two-dimensional code's; they code nothing."""
    rng = np.random.default_rng([ord(c) for c in seed] or [0])
    cells = rng.random((29, 29)) < 0.5
    for corner in ((0, 0), (0, 22), (22, 0)):
        part = cells[corner[0] : corner[0] + 7, corner[1] : corner[1] + 7]
        part[:] = True
        part[1:6, 1:6] = False
        part[2:5, 2:5] = True

    def draw(canvas: NDArray[np.uint8], px: float) -> None:
        size = round(side * px)
        grown = cv2.resize(cells.astype(np.uint8) * 255, (size, size), interpolation=cv2.INTER_NEAREST)
        canvas[round(y * px) : round(y * px) + size, round(x * px) : round(x * px) + size] = grown

    s.mask(draw, (26, 26, 30), 0.95)


def _chip(s: _Side, x: float, y: float, wide: float, tall: float) -> None:
    """Gold contacts."""

    def plate(canvas: NDArray[np.uint8], px: float) -> None:
        cv2.rectangle(canvas, (round(x * px), round(y * px)), (round((x + wide) * px), round((y + tall) * px)), 255, -1)

    def lines(canvas: NDArray[np.uint8], px: float) -> None:
        for share in (0.33, 0.67):
            row = round((y + tall * share) * px)
            cv2.line(canvas, (round(x * px), row), (round((x + wide) * px), row), 255, 4, cv2.LINE_AA)
            column = round((x + wide * share) * px)
            cv2.line(canvas, (column, round(y * px)), (column, round((y + tall) * px)), 255, 4, cv2.LINE_AA)

    s.mask(plate, (208, 176, 96), 0.95)
    s.mask(lines, (120, 96, 48), 0.9)


def _finger(s: _Side, x: float, y: float) -> None:
    """Loops like a finger's; nobody's."""

    def draw(canvas: NDArray[np.uint8], px: float) -> None:
        for k in range(1, 13):
            axes = (round(0.42 * k * px), round(0.62 * k * px))
            cv2.ellipse(
                canvas, (round(x * px), round((y + 0.12 * k) * px)), axes, 8, 20 + 9 * k, 345 - 3 * k, 255, 4, cv2.LINE_AA
            )

    s.mask(draw, (60, 60, 70), 0.7)


# --- Two sides on one sheet


def together(card: Card, *, seed: int = 1) -> Specimen:
    """Both sides one above the other on a sheet of paper, each a little turned: as people scan or photograph them.

    The truth is that of both; the quads are named `front.surname`, `back.mrz_0` and so on, "page" is the sheet.
    """
    rng = np.random.default_rng([seed, 71])
    px = float(FINE * PX)
    wide, tall = 100.0, 128.0
    sheet = np.empty((round(tall * px), round(wide * px), 3), np.float32)
    sheet[:] = (244, 243, 239)
    sheet += cv2.GaussianBlur(rng.normal(0, 6, sheet.shape[:2]).astype(np.float32), (0, 0), 1.2)[..., None]
    quads: dict[str, Quad] = {}
    for name, specimen, middle in (("front", card.front, 33.0), ("back", card.back, 95.0)):
        h, w = specimen.image.shape[:2]
        turn = cv2.getRotationMatrix2D((w / 2, h / 2), float(rng.uniform(-2.5, 2.5)), 1.0)
        turn[:, 2] += np.array([wide / 2 + rng.uniform(-3, 3), middle + rng.uniform(-1, 1)]) * px - np.array([w / 2, h / 2])
        size = (sheet.shape[1], sheet.shape[0])
        cover = cv2.warpAffine(_rounded(w, h), turn, size, flags=cv2.INTER_LINEAR).astype(np.float32)[..., None] / 255
        shadow = cv2.GaussianBlur(np.roll(cover[..., 0], 8, axis=(0, 1)), (0, 0), 9)[..., None]
        sheet *= 1 - 0.3 * shadow
        laid = cv2.warpAffine(specimen.image, turn, size, flags=cv2.INTER_LINEAR).astype(np.float32)
        sheet += (laid - sheet) * cover
        for part, quad in specimen.quads.items():
            quads[f"{name}.{part}"] = np.asarray(quad @ turn[:, :2].T + turn[:, 2], np.float32)
    corners = np.array([[0, 0], [wide, 0], [wide, tall], [0, tall]], np.float32) * px
    quads["page"] = corners.astype(np.float32)
    quads["portrait"] = quads["front.portrait"]
    truth = dict(card.back.truth)
    truth["fields"] = _both_sides(card)
    low, high = quads["portrait"].min(axis=0), quads["portrait"].max(axis=0)
    truth["portrait"] = {"box": [round(float(v)) for v in (*low, *(high - low))]}
    truth["zones_differ"] = sorted({*card.front.truth["zones_differ"], *card.back.truth["zones_differ"]})
    return Specimen(image=np.clip(sheet + 0.5, 0, 255).astype(np.uint8), truth=truth, quads=quads)


def _rounded(wide: int, tall: int) -> NDArray[np.uint8]:
    """The outline of a card: corners of 3.18 mm radius (ISO/IEC 7810)."""
    radius = round(3.18 * FINE * PX)
    mask = np.zeros((tall, wide), np.uint8)
    cv2.rectangle(mask, (radius, 0), (wide - radius, tall), 255, -1)
    cv2.rectangle(mask, (0, radius), (wide, tall - radius), 255, -1)
    for x in (radius, wide - radius - 1):
        for y in (radius, tall - radius - 1):
            cv2.circle(mask, (x, y), radius, 255, -1, cv2.LINE_AA)
    return mask


def _both_sides(card: Card) -> dict[str, dict[str, str]]:
    """Fields of the whole card: as printed where a side prints them, "both" where print and zone have them."""
    front, back = card.front.truth["fields"], card.back.truth["fields"]
    found = {}
    for name in (f.name for f in fields(Person)):
        printed = next((side[name]["value"] for side in (front, back) if name in side and side[name]["source"] != "mrz"), None)
        coded = name in back and back[name]["source"] != "viz"
        if printed is not None:
            found[name] = {"value": printed, "source": "both" if coded else "viz"}
        elif coded:
            found[name] = dict(back[name])
    return found


def _specimen(
    image: Pixels, quads: dict[str, Quad], printed: frozenset[str], shown: Holder, coded: Holder, zone: dict[str, Any] | None
) -> Specimen:
    """The truth of one side: printed values as they stand there, the others as the zone spells them."""
    kind = shown.kind
    viz, mrz = shown.person.values(), coded.person.values()
    in_zone = {"surname", "given_names", "document_number", "date_of_birth", "sex", "expires_on", "nationality"}
    in_zone |= set() if kind == "mx_ine" else {"personal_number"}
    differ = {name for name in in_zone & viz.keys() if viz[name] != mrz.get(name)}
    for name in ("surname", "given_names"):
        mrz[name] = zone_letters(mrz[name]).replace("<", " ")
    found: dict[str, dict[str, str]] = {}
    for name in (f.name for f in fields(Person)):
        coded_here = zone is not None and name in in_zone and name in mrz
        if name in printed and name in viz:
            found[name] = {"value": viz[name], "source": "both" if coded_here else "viz"}
        elif coded_here:
            found[name] = {"value": mrz[name], "source": "mrz"}
    corner = quads.get("portrait")
    truth = {
        "document_type": "TD1",
        "side": "front" if zone is None else "back",
        "country": COUNTRIES[kind],
        "mrz": zone,
        "fields": found,
        "portrait": None if corner is None else {"box": [round(float(v)) for v in (*corner[0], *(corner[2] - corner[0]))]},
        "zones_differ": sorted(differ & printed),
        "other": {name: text.replace("\n", " ") for name, text in shown.other.items() if name != "zone_tail"},
    }
    return Specimen(image=image, truth=truth, quads=dict(quads))


# --- Cards that are none of these


def draw_stranger(kind: Literal["driving_licence", "library"], portrait: Pixels, *, seed: int) -> Specimen:
    """Draw a card of the same size that is no identity card: a driving licence with numbered fields, or a library's."""
    rng = np.random.default_rng([seed, 91])
    person = holder("es_dni", seed=seed, today=date(2026, 1, 1)).person
    style = dict(face="LiberationSans-Regular.ttf", bold="LiberationSans-Bold.ttf", label_colour=(110, 90, 110))
    tint, inks = ((246, 226, 232), ((226, 170, 190), (190, 190, 220))) if kind == "driving_licence" else (
        (232, 238, 228), ((190, 206, 180), (206, 200, 180)))  # fmt: skip
    s = _Side.of(tint, inks, 331, **style)  # type: ignore[arg-type]
    s.portrait(portrait, 4, 14, 24, 31, grey=0.0)
    s.box("portrait", 4, 14, 24, 31)
    if kind == "driving_licence":
        s.text("PERMISO DE CONDUCCIÓN", 24, 6.4, size=2.8, face=s.bold, colour=(60, 60, 120))
        s.text("DRIVING LICENCE", 24, 9.8, size=2.0, colour=(60, 60, 120))
        rows = (f"1.  {person.surname}", f"2.  {person.given_names}",
                f"3.  {person.date_of_birth:%d.%m.%Y}  {person.place_of_birth}", f"4a. {person.issued_on:%d.%m.%Y}   4c. 41/04",
                f"4b. {person.expires_on:%d.%m.%Y}", f"5.  {person.personal_number}", "9.  AM B BE")  # fmt: skip
    else:
        s.text("CITY LIBRARY", 24, 6.6, size=3.2, face=s.bold, colour=(40, 90, 60))
        rows = ("READER", f"{person.given_names} {person.surname}", f"No. {int(rng.integers(10**7, 10**8))}", "VALID UNTIL",
                f"{person.expires_on:%d.%m.%Y}")  # fmt: skip
    for at, text in enumerate(rows):
        s.text(text, 32, 16.5 + 5 * at, size=2.5, room=50)
    image = s.done(NO_FAULTS, colour=(110, 90, 110), mark=(82.5, 51.4))
    truth: dict[str, Any] = {
        "document_type": None,
        "country": None,
        "mrz": None,
        "fields": {},
        "portrait": None,
        "zones_differ": [],
    }
    return Specimen(image=image, truth=truth, quads=dict(s.page.quads))


# --- Labels


def label(specimen: Specimen, paper: str, side: str, *, file: str, hardness: str) -> dict[str, Any]:
    """Say what a side says in the form of ../shared/data/documents; `printed` has the page's own values by field name.

    `complete`: nothing else is printed that is a field, so whatever else is read was made up.
    """
    told = specimen.truth
    return {
        "file": file,
        "doc_type": "id_card",
        "paper": f"{paper} {side}",
        "country": told["country"],
        "mrz_format": told["mrz"] and "TD1",
        "mrz": told["mrz"] and told["mrz"]["lines"],
        "mrz_conforming": told["mrz"] is not None and not paper.startswith("mx"),  # H and M as sex
        "fields": {},
        "printed": {name: value["value"] for name, value in told["fields"].items() if value["source"] != "mrz"},
        "complete": True,
        "tags": ["drawn", f"drawn_{paper}", side, hardness],
    }
