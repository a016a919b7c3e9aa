"""Codes and numbers that states hand out: state codes of the zone, Kazakh IIN, Spanish DNI and NIE, Mexican CURP.

Says whether a number can be one of its kind (form and check digit), and what it encodes: birth date, sex, letters of the
names. Never what it should have been.
Sources: ICAO Doc 9303 part 3 section 5 (codes), python-stdnum (DNI, NIE, CURP), facts on the IIN's two rounds
as in the public validators of kz-iin, facts/documents.md 4.4 (CURP, clave de elector), 4.5 (SNILS, INN).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from stdnum.es import dni, nie
from stdnum.mx import curp

_ISO_3166: Final = """
ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD BGR BHR BHS BIH BLM BLR BLZ
BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN CIV CMR COD COG COK COL COM CPV CRI CUB CUW CXR CYM CYP CZE DEU
DJI DMA DNK DOM DZA ECU EGY ERI ESH ESP EST ETH FIN FJI FLK FRA FRO FSM GAB GBR GEO GGY GHA GIB GIN GLP GMB GNB GNQ GRC
GRD GRL GTM GUF GUM GUY HKG HMD HND HRV HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL ISR ITA JAM JEY JOR JPN KAZ KEN KGZ KHM
KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE LKA LSO LTU LUX LVA MAC MAF MAR MCO MDA MDG MDV MEX MHL MKD MLI MLT MMR MNE MNG
MNP MOZ MRT MSR MTQ MUS MWI MYS MYT NAM NCL NER NFK NGA NIC NIU NLD NOR NPL NRU NZL OMN PAK PAN PCN PER PHL PLW PNG POL
PRI PRK PRT PRY PSE PYF QAT REU ROU RUS RWA SAU SDN SEN SGP SGS SHN SJM SLB SLE SLV SMR SOM SPM SRB SSD STP SUR SVK SVN
SWE SWZ SXM SYC SYR TCA TCD TGO THA TJK TKL TKM TLS TON TTO TUN TUR TUV TWN TZA UGA UKR UMI URY USA UZB VAT VCT VEN VGB
VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE
"""
_ICAO_ONLY: Final = """
D GBD GBN GBO GBP GBS RKS EUE UNO UNA UNK XBA XIM XCC XCE XCO XEC XPO XES XMP XOM XDC XXA XXB XXC XXX ANT NTZ IAO UTO
"""
STATES: Final = frozenset(_ISO_3166.split()) | frozenset(_ICAO_ONLY.split())
"""Codes that may stand as issuing state or nationality in a zone (Doc 9303-3 section 5)."""

SPECIMEN_STATES: Final = frozenset({"UTO"})
"""Utopia: the issuing state of ICAO's drawn examples only."""


class Kind(StrEnum):
    """Personal numbers we know the form of."""

    IIN = "iin"  # Kazakhstan
    DNI = "dni"  # Spain, citizens
    NIE = "nie"  # Spain, foreigners
    CURP = "curp"  # Mexico
    CLAVE = "clave"  # Mexico, clave de elector on the INE
    SNILS = "snils"  # Russia, pension insurance
    INN = "inn"  # Russia, taxpayer


_FORMS: Final[dict[Kind, tuple[str, re.Pattern[str]]]] = {
    Kind.IIN: ("KAZ", re.compile(r"[0-9]{12}")),
    Kind.DNI: ("ESP", re.compile(r"[0-9]{8}[A-Z]")),
    Kind.NIE: ("ESP", re.compile(r"[XYZ][0-9]{7}[A-Z]")),
    Kind.CURP: ("MEX", re.compile(r"[A-Z]{4}[0-9]{6}[HM][A-Z]{5}[0-9A-Z][0-9]")),
    Kind.CLAVE: ("MEX", re.compile(r"[A-Z]{6}[0-9]{8}[HM][0-9]{3}")),
    Kind.SNILS: ("RUS", re.compile(r"[0-9]{11}")),
    Kind.INN: ("RUS", re.compile(r"[0-9]{12}")),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """What a personal number says of its holder.

    `births`: every day it may mean, () where it encodes none; more than one where it leaves the century open.
    `sex`: `M`, `F`, or None where it encodes none.
    """

    births: tuple[date, ...] = ()
    sex: str | None = None


def kind_of(number: str, country: str | None) -> Kind | None:
    """Return which kind of personal number of `country` (issuing state) has the form of `number`; None where none has.

    The form only: the digit may be wrong. Other numbers of the same papers have other forms: the support number of a Spanish
    card (three letters, six digits) is no DNI, the 13 digits of a Mexican card's back are no CURP.
    """
    for kind, (state, form) in _FORMS.items():
        if state == country and form.fullmatch(number):
            return kind
    return None


def is_valid(number: str, kind: Kind) -> bool:
    """Return whether `number` can be one of its kind: its form, its dates, and its check digit where the rule is known.

    The clave de elector's check digit is not verified: sources disagree which of its last three digits it is.
    """
    if kind is Kind.IIN:
        return iin_is_valid(number)
    if kind in (Kind.DNI, Kind.NIE):
        return dni_is_valid(number)
    if kind is Kind.CURP:
        return curp_is_valid(number)
    if kind is Kind.SNILS:
        return snils_is_valid(number)
    if kind is Kind.INN:
        return inn_is_valid(number)
    state = number[12:14]
    return bool(_FORMS[kind][1].fullmatch(number)) and "01" <= state <= "32" and bool(encoded(number, kind).births)


def encoded(number: str, kind: Kind) -> Encoded:
    """Return the birth date and sex that a number of the form of its kind encodes; nothing where they are no day or no sex.

    CURP and clave de elector write H for a man (hombre) and M for a woman (mujer).

    >>> encoded("BOXW310820HNERXN09", Kind.CURP)
    Encoded(births=(datetime.date(1931, 8, 20),), sex='M')
    """
    if not _FORMS[kind][1].fullmatch(number):
        return Encoded()
    if kind is Kind.IIN:
        seventh = int(number[6])
        sex = "" if seventh == 0 else "M" if seventh % 2 else "F"
        return Encoded(births=tuple(_days(number[:6], _IIN_CENTURIES.get(seventh, ()))), sex=sex or None)
    if kind is Kind.CURP:
        return Encoded(births=tuple(_days(number[4:10], (1900 if number[16].isdigit() else 2000,))), sex=_MEXICAN[number[10]])
    if kind is Kind.CLAVE:
        return Encoded(births=tuple(_days(number[6:12], (1900, 2000))), sex=_MEXICAN[number[14]])
    return Encoded()


_IIN_CENTURIES: Final = {0: (1800, 1900, 2000), 1: (1800,), 2: (1800,), 3: (1900,), 4: (1900,), 5: (2000,), 6: (2000,)}
_MEXICAN: Final = {"H": "M", "M": "F"}
_NAME_LETTERS: Final = {Kind.CURP: (0, 2, 3), Kind.CLAVE: (0, 2, 4)}  # places of first, second surname's, name's initial


def letters_fit(number: str, kind: Kind, *, surname: str, given_names: str) -> bool:
    """Return whether the initials in a CURP or clave de elector can be those of the names; True for kinds without letters.

    Each must be the initial of some part of the name, wherever it stands: particles and a first José or María are left out
    of these numbers, Ñ is written X, a second surname may be missing (X), and a zone may have cut it.

    >>> letters_fit("BOXW310820HNERXN09", Kind.CURP, surname="BOTELLO", given_names="WILHELM")
    True
    """
    places = _NAME_LETTERS.get(kind)
    if places is None:
        return True
    first, second, given = (number[at] for at in places)
    surnames, names = _initials(surname), _initials(given_names)
    return first in surnames and given in names and (second in surnames or second == "X" or len(surname.split()) == 1)


def _initials(name: str) -> set[str]:
    """Initials of a name's parts without diacritics; Ñ may be written N or X."""
    found = set()
    for part in name.upper().replace("-", " ").split():
        found.add(unicodedata.normalize("NFD", part)[0])
        if unicodedata.normalize("NFC", part)[0] == "Ñ":
            found.add("X")
    return found


def iin_is_valid(number: str) -> bool:
    """Return whether `number` is a possible Kazakh individual identification number (12 digits).

    Birth date, century digit (1-2: 18YY, 3-4: 19YY, 5-6: 20YY, 0: any) and check digit must hold. Two rounds:
    weights 1 to 11, and where that gives 10 the weights 3 4 5 6 7 8 9 10 11 1 2; a second 10 is never issued.
    """
    if len(number) != 12 or not _digits(number):
        return False
    digits = [int(c) for c in number]
    if not any(_days(number[:6], _IIN_CENTURIES.get(digits[6], ()))):
        return False
    check = sum(d * w for d, w in zip(digits, range(1, 12), strict=False)) % 11
    if check == 10:
        check = sum(d * w for d, w in zip(digits, (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2), strict=False)) % 11
    return check == digits[11]


def dni_is_valid(number: str) -> bool:
    """Return whether `number` is a Spanish DNI (8 digits and letter) or NIE (X Y Z, 7 digits and letter)."""
    return bool(dni.is_valid(number) or nie.is_valid(number))


def curp_is_valid(number: str) -> bool:
    """Return whether `number` is a Mexican CURP: 18 characters, dates, state code and check digit."""
    return bool(curp.is_valid(number))


def snils_is_valid(number: str) -> bool:
    """Return whether `number` is a Russian SNILS (11 digits): weights 9 to 1, sum modulo 101, 100 counts as 0.

    Numbers up to 001-001-998 were issued before the check digits and pass by their length alone.
    """
    if len(number) != 11 or not _digits(number):
        return False
    if int(number[:9]) <= 1001998:
        return True
    return sum(int(c) * w for c, w in zip(number, range(9, 0, -1), strict=False)) % 101 % 100 == int(number[9:])


def inn_is_valid(number: str) -> bool:
    """Return whether `number` is a Russian taxpayer number of a person: 12 digits with two check digits."""
    if len(number) != 12 or not _digits(number):
        return False
    digits = [int(c) for c in number]
    first = sum(d * w for d, w in zip(digits, (7, 2, 4, 10, 3, 5, 9, 4, 6, 8), strict=False)) % 11 % 10
    second = sum(d * w for d, w in zip(digits, (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8), strict=False)) % 11 % 10
    return digits[10] == first and digits[11] == second


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _days(yymmdd: str, centuries: Iterable[int]) -> Iterator[date]:
    """The days that six digits mean in each of `centuries` (1900 for 19YY) where there is such a day."""
    for century in centuries:
        try:
            yield date(century + int(yymmdd[:2]), int(yymmdd[2:4]), int(yymmdd[4:]))
        except ValueError:
            continue
