"""Names across scripts and spellings: equal only under a rule that has a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification import names
from verification.evidence import Field

ORDERS = ("mvd-310-french", "mvd-310", "gost-2010", "icao-9303", "mvd-782")
SPELLINGS = {  # facts 2.3: French, 310, 2010, 2014-, 782; signs written as apostrophes are left out by the passports
    "Юлия": ("Iouliia", "Yuliya", "Iuliia", "Iuliia", "Yuliya"),
    "Дмитрий": ("Dmitrii", "Dmitriy", "Dmitrii", "Dmitrii", "Dmitriy"),
    "Алексей": ("Alexei", "Aleksey", "Aleksei", "Aleksei", "Aleksey"),
    "Александр": ("Alexandr", "Aleksandr", "Aleksandr", "Aleksandr", "Aleksandr"),
    "Щербаков": ("Chtcherbakov", "Shcherbakov", "Shcherbakov", "Shcherbakov", "Shcherbakov"),
    "Цыганов": ("Tsyganov", "Tsyganov", "Tcyganov", "Tsyganov", "Tsyganov"),
    "Ильин": ("Iline", "Ilin", "Ilin", "Ilin", "Ilyin"),
    "Андреев": ("Andreev", "Andreev", "Andreev", "Andreev", "Andreyev"),
    "Семёнов": ("Semenov", "Semenov", "Semenov", "Semenov", "Semyenov"),
    "Юрьев": ("Iouriev", "Yuryev", "Iurev", "Iurev", "Yuryev"),
    "Ёлкина": ("Elkina", "Elkina", "Elkina", "Elkina", "Yolkina"),
}


def compare(claimed: str, read: str, *, country: str | None = "RUS", truncated: bool = False, field: Field = Field.SURNAME):
    return names.compare(claimed, read, field=field, country=country, truncated=truncated)


@pytest.mark.parametrize(("name", "order"), [(name, order) for name in SPELLINGS for order in ORDERS])
def test_every_order_spells_as_its_table_says(name: str, order: str) -> None:
    assert names.transliterate(name, order) == SPELLINGS[name][ORDERS.index(order)].upper()


@pytest.mark.parametrize(
    ("name", "spelling"), [(name, s) for name, spellings in SPELLINGS.items() for s in sorted(set(spellings))]
)
def test_any_order_of_the_past_is_equal_today(name: str, spelling: str) -> None:
    for one, other in ((name, spelling.upper()), (spelling, name.upper())):
        result = compare(one, other)
        assert result.agreement == 1.0 and result.rule


@pytest.mark.parametrize(
    ("claimed", "read", "rule"),
    [
        ("IVANOV", "IVANOV", "exact"),
        (" Ivanov ", "IVANOV", "case-and-space"),
        ("Anna-Maria", "ANNA MARIA", "hyphen-space"),
        ("D'Artagnan", "DARTAGNAN", "apostrophe"),
        ("Müller", "MUELLER", "diacritics-icao-9303"),
        ("Müller", "MULLER", "diacritics-icao-9303"),
        ("Muñoz", "MUNOZ", "diacritics-icao-9303"),
        ("Groß", "GROSS", "diacritics-icao-9303"),
        ("Объедков", "OBIEEDKOV", "icao-9303"),
        ("Королёва", "КОРОЛЕВА", "yo-e"),
        ("Андрей", "АНДРЕИ", "short-i"),
        ("Дмитрий", "DMITRY", "mvd-310-short"),
        ("Мария-Анна", "MARIIA ANNA", "hyphen-space + icao-9303"),
    ],
)
def test_rules_have_names(claimed: str, read: str, rule: str) -> None:
    result = compare(claimed, read)
    assert (result.agreement, result.rule) == (1.0, rule)


@pytest.mark.parametrize(
    ("claimed", "read"),
    [("Иванова", "IVANOV"), ("Иванов", "ИВАНОВА"), ("Petrov", "PETROVA"), ("Anna", "ANNE"), ("Мария", "MARINA"), ("Ким", "KHIM")],
)
def test_other_names_are_never_equal(claimed: str, read: str) -> None:
    result = compare(claimed, read)
    assert result.agreement < 1.0 and result.rule is None and result.differences


def test_a_difference_points_into_both_texts() -> None:
    (difference,) = compare("Petrova", "PETROVNA").differences
    assert (difference.claimed, difference.read, difference.claimed_at, difference.read_at) == ("", "N", 6, 6)


def test_a_difference_across_scripts_leads_back_to_the_cyrillic_letter() -> None:
    differences = compare("Петрова", "PETROXA").differences
    assert [(d.claimed, d.read, d.claimed_at, d.read_at) for d in differences] == [("в", "X", 5, 5)]


def test_latin_letters_in_a_cyrillic_word_are_folded_and_named() -> None:
    result = compare("Иванoва", "ИВАНОВА")  # the o is Latin
    assert (result.agreement, result.rule) == (1.0, "homoglyphs")
    assert [(d.claimed, d.claimed_at) for d in result.differences] == [("o", 4)]


def test_truncation_counts_only_where_the_zone_may_be_cut() -> None:
    assert compare("Papandropoulous Jonathon", "PAPANDROPOULOUS J", country=None, truncated=True).rule == "mrz-truncation"
    assert compare("Papandropoulous Jonathon", "PAPANDROPOULOUS J", country=None).agreement < 1.0
    assert compare("Jonathon", "JONES", country=None, truncated=True).agreement < 1.0


def test_state_tables_count_for_their_state_only() -> None:
    assert compare("Гончар", "HONCHAR", country="UKR").agreement == 1.0
    assert compare("Гончар", "HONCHAR", country="RUS").agreement < 1.0


def test_kazakh_letters() -> None:
    assert compare("Әлібек", "ALIBEK", country="KAZ").rule == "kazakh"
    assert compare("Қасымов", "КАСЫМОВ", country="KAZ").rule == "kazakh-russian"


def test_numbers_and_dates_are_compared_as_such() -> None:
    assert compare("45 11 123456", "4511123456", field=Field.DOCUMENT_NUMBER).agreement == 1.0
    assert compare("А123", "A123", field=Field.DOCUMENT_NUMBER).rule == "homoglyphs"
    assert compare("1990-01-01", "1990-01-02", field=Field.DATE_OF_BIRTH).agreement < 1.0
    assert compare("0123", "O123", field=Field.DOCUMENT_NUMBER).agreement < 1.0


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_breaks_the_comparison_and_only_rules_give_one(claimed: str, read: str) -> None:
    result = compare(claimed, read)
    assert 0.0 <= result.agreement <= 1.0
    assert (result.agreement == 1.0) == (result.rule is not None)
    for d in result.differences:
        assert claimed[d.claimed_at : d.claimed_at + len(d.claimed)] == d.claimed
        assert read[d.read_at : d.read_at + len(d.read)] == d.read


def test_a_hostile_name_is_answered_quickly() -> None:
    assert compare("Üñ" * 200, "UN" * 100).agreement < 1.0
