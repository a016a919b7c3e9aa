"""Codes and numbers that states hand out: state codes of the zone, Kazakh IIN, Spanish DNI and NIE, Mexican CURP.

Says whether a number can be one of its kind (form and check digit); never what it should have been.
Sources: ICAO Doc 9303 part 3 section 5 (codes), python-stdnum (DNI, NIE, CURP), facts on the IIN's two rounds
as in the public validators of kz-iin.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
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


def iin_is_valid(number: str) -> bool:
    """Return whether `number` is a possible Kazakh individual identification number (12 digits).

    Birth date, century digit (1-2: 18YY, 3-4: 19YY, 5-6: 20YY, 0: any) and check digit must hold. Two rounds:
    weights 1 to 11, and where that gives 10 the weights 3 4 5 6 7 8 9 10 11 1 2; a second 10 is never issued.
    """
    if len(number) != 12 or not _digits(number):
        return False
    digits = [int(c) for c in number]
    centuries = {0: (1800, 1900, 2000), 1: (1800,), 2: (1800,), 3: (1900,), 4: (1900,), 5: (2000,), 6: (2000,)}
    if not _is_date(number[:6], centuries.get(digits[6], ())):
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


def _is_date(yymmdd: str, centuries: Iterable[int]) -> bool:
    """Return whether six digits are a day in one of `centuries` (1900 for 19YY)."""
    for century in centuries:
        try:
            date(century + int(yymmdd[:2]), int(yymmdd[2:4]), int(yymmdd[4:]))
            return True
        except ValueError:
            continue
    return False
