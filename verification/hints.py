"""Soft hints that a paper is not what it seems: named, never proof.

A hint refuses nobody, and most decide nothing: the agent reads it beside the case with what it is worth. A policy may list
hints that stop an automatic approval. Where they come from: `documents.plausibility` (fields that do not go together) and
`documents.authenticity` (pixels). Sentences stand in `cases.wording`. What other codes say already is no hint: print against
zone, wrong check digits, specimen words, expiry (`reasons`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Hint(StrEnum):
    """One observation each, in the order in which an agent reads them."""

    # Fields that do not go together (documents.plausibility).
    ISSUE_DATE_IMPOSSIBLE = "issue_date_impossible"  # before the age of issue, in the future, or not before the expiry
    SERIES_NOT_THE_YEARS = "series_not_the_years"  # Russian series, digits 3-4, against the year of issue
    SERIES_NOT_THE_REGIONS = "series_not_the_regions"  # Russian series, digits 1-2, against the issuing office's region
    SERIES_UNKNOWN = "series_unknown"
    OFFICE_CODE_IMPOSSIBLE = "office_code_impossible"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    SEX_NOT_THE_PATRONYMICS = "sex_not_the_patronymics"
    PERSONAL_NUMBER_WRONG = "personal_number_wrong"  # its own check digit or letter fails
    PERSONAL_NUMBER_NOT_THE_BIRTH_DATES = "personal_number_not_the_birth_dates"
    PERSONAL_NUMBER_NOT_THE_SEXES = "personal_number_not_the_sexes"
    PERSONAL_NUMBER_NOT_THE_NAMES = "personal_number_not_the_names"

    # Pixels (documents.authenticity).
    ZONE_TYPEFACE_ODD = "zone_typeface_odd"  # not OCR-B
    ZONE_SPACING_ODD = "zone_spacing_odd"  # letters off the places of an even row
    SEEN_ON_SCREEN = "seen_on_screen"  # one fine pattern all over the page
    WITHOUT_COLOUR = "without_colour"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """How often a hint speaks: of `genuine` papers without fault `false_alarms`, of `attacked` ones `found`.

    Attacks are made by code, so `found` says what the check can see, not what forgers do.
    """

    false_alarms: int
    genuine: int
    found: int
    attacked: int


RATES: dict[Hint, Rate] = {
    Hint.ISSUE_DATE_IMPOSSIBLE: Rate(false_alarms=0, genuine=50, found=7, attacked=50),
    Hint.SERIES_NOT_THE_YEARS: Rate(false_alarms=0, genuine=25, found=23, attacked=25),
    Hint.SERIES_NOT_THE_REGIONS: Rate(false_alarms=0, genuine=25, found=25, attacked=25),
    Hint.SERIES_UNKNOWN: Rate(false_alarms=0, genuine=25, found=4, attacked=25),
    Hint.OFFICE_CODE_IMPOSSIBLE: Rate(false_alarms=0, genuine=25, found=11, attacked=25),
    Hint.NUMBER_OUT_OF_RANGE: Rate(false_alarms=0, genuine=25, found=0, attacked=25),
    Hint.SEX_NOT_THE_PATRONYMICS: Rate(false_alarms=0, genuine=46, found=46, attacked=46),
    Hint.PERSONAL_NUMBER_WRONG: Rate(false_alarms=0, genuine=3, found=2, attacked=3),
    Hint.PERSONAL_NUMBER_NOT_THE_BIRTH_DATES: Rate(false_alarms=0, genuine=2, found=2, attacked=2),
    Hint.PERSONAL_NUMBER_NOT_THE_SEXES: Rate(false_alarms=0, genuine=2, found=2, attacked=2),
    Hint.PERSONAL_NUMBER_NOT_THE_NAMES: Rate(false_alarms=0, genuine=1, found=1, attacked=1),
    Hint.ZONE_TYPEFACE_ODD: Rate(false_alarms=0, genuine=116, found=42, attacked=42),
    Hint.ZONE_SPACING_ODD: Rate(false_alarms=1, genuine=116, found=26, attacked=36),
    Hint.SEEN_ON_SCREEN: Rate(false_alarms=2, genuine=53, found=20, attacked=36),
    Hint.WITHOUT_COLOUR: Rate(false_alarms=3, genuine=116, found=34, attacked=36),
}
"""As `tests/benchmarks/authenticity.py --blanks 40 --drawn 1 --attacks 12` prints them.

Fields: what invented people's papers and few specimens say, one value changed at random. Pictures: shared/data/documents, people
printed on photographed blanks, drawn specimens; for a screen only those large enough to tell. The false alarms: a drawn card
whose zone is set unevenly, two scans with a printer's raster, three pictures that are grey indeed.
"""

SHIPPED_TO_PEOPLE: tuple[Hint, ...] = (
    Hint.ZONE_TYPEFACE_ODD,
    Hint.ZONE_SPACING_ODD,
    Hint.SEEN_ON_SCREEN,
    Hint.WITHOUT_COLOUR,
)
"""Hints that stop an automatic approval as shipped: measured on 50 papers or more and false on fewer than 5 in 100.

Those from fields were met on too few papers to know how often offices err.
"""
