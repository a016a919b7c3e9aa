"""The text of machine-readable zones: ICAO's own vectors, national ones, and that no text can break the reader."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verification.documents import mrz, national
from verification.evidence import DocumentType, Field

TODAY = date(2026, 11, 22)
TD3 = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
TD2 = ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6")
TD1 = ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<")
TD1_LONG = ("I<UTOD23145890<7349<<<<<<<<<<<", "3407127M9507122UTO<<<<<<<<<<<2", "STEVENSON<<PETER<JOHN<<<<<<<<<")
MRVA = ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L8988901C4XXX4009078F96121096ZE184226B<<<<<<")
MRVB = ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "L8988901C4XXX4009078F9612109<<<<<<<<")
FRENCH = ("IDFRABERTHIER<<<<<<<<<<<<<<<<<<<<<<<", "9409923102854CORINNE<<<<<<<6512068F4")
RU_INTERNAL = ("PNRUSWERBAKOVA<<6L9VIRA<7R9EVNA<<<<<<<<<<<<<", "4511234569RUS8503079F<<<<<<<1110914770045<44")
RU_TRAVEL = ("P<RUSSHCHERBAKOVA<<ELVIRA<<<<<<<<<<<<<<<<<<<", "7012345677RUS8503079F3001019<<<<<<<<<<<<<<<6")
KAZ_CARD = ("IDKAZ0412365878880412401006<<<", "8804123F3104116KAZ<<<<<<<<<<<2", "SEIDAKHMETOVA<<MADINA<<<<<<<<<")
ESP_CARD = ("IDESPBAA000589599999999R<<<<<<", "8001014F2501017ESP<<<<<<<<<<<7", "ESPANOLA<ESPANOLA<<CARMEN<<<<<")
MEX_CARD = ("IDMEX1234567897<<1234567890123", "8503079M3012316MEX<<<<<<<<<<<1", "MARTINEZ<SANCHEZ<<JOSEFINA<<<<")


@pytest.mark.parametrize(
    ("text", "digit"),
    [("L898902C3", 6), ("510509", 2), ("AB2134<<<", 5), ("HA672242<", 6), ("520727", 3), ("451123456", 9), ("850307", 9)],
)
def test_check_digits_of_the_standard(text: str, digit: int) -> None:
    assert mrz.check_digit(text) == digit


@pytest.mark.parametrize("text", ["abc", "A B", "А", "Ñ", "1-2"])
def test_a_character_no_zone_has_never_counts_as_zero(text: str) -> None:
    with pytest.raises(mrz.MrzError):
        mrz.check_digit(text)


@pytest.mark.parametrize(
    ("lines", "layout", "country"),
    [
        (TD3, DocumentType.TD3, "UTO"),
        (TD2, DocumentType.TD2, "UTO"),
        (TD1, DocumentType.TD1, "UTO"),
        (TD1_LONG, DocumentType.TD1, "UTO"),
        (MRVA, DocumentType.MRVA, "UTO"),
        (MRVB, DocumentType.MRVB, "UTO"),
        (RU_INTERNAL, DocumentType.RU_INTERNAL, "RUS"),
        (RU_TRAVEL, DocumentType.TD3, "RUS"),
        (KAZ_CARD, DocumentType.TD1, "KAZ"),
        (ESP_CARD, DocumentType.TD1, "ESP"),
        (MEX_CARD, DocumentType.TD1, "MEX"),
        (FRENCH, DocumentType.TD2, "FRA"),
    ],
)
def test_every_vector_is_valid(lines: tuple[str, ...], layout: DocumentType, country: str) -> None:
    parsed = mrz.parse(lines, today=TODAY)
    assert (parsed.document_type, parsed.country, parsed.valid) == (layout, country, True)


def test_fields_of_the_standards_passport() -> None:
    assert mrz.parse(TD3, today=TODAY).values == {
        Field.SURNAME: "ERIKSSON",
        Field.GIVEN_NAMES: "ANNA MARIA",
        Field.DOCUMENT_NUMBER: "L898902C3",
        Field.NATIONALITY: "UTO",
        Field.DATE_OF_BIRTH: "1974-08-12",
        Field.SEX: "F",
        Field.EXPIRES_ON: "2012-04-15",
        Field.PERSONAL_NUMBER: "ZE184226B",
    }


def test_a_number_of_more_than_nine_goes_on_in_the_optional_data() -> None:
    parsed = mrz.parse(TD1_LONG, today=TODAY)
    assert parsed.values[Field.DOCUMENT_NUMBER] == "D23145890734"
    assert parsed.checks["document_number"]


def test_russian_internal_zone_is_cyrillic_and_puts_its_series_together() -> None:
    values = mrz.parse(RU_INTERNAL, today=TODAY).values
    assert [values[f] for f in (Field.SURNAME, Field.GIVEN_NAMES, Field.PATRONYMIC)] == ["ЩЕРБАКОВА", "ЭЛЬВИРА", "ЮРЬЕВНА"]
    assert values[Field.DOCUMENT_NUMBER] == "4511123456"
    assert (values[Field.ISSUED_ON], values[Field.ISSUER_CODE]) == ("2011-09-14", "770-045")
    assert Field.EXPIRES_ON not in values


def test_russian_alphabet_has_all_letters_once_and_no_0_1_5() -> None:
    assert mrz.russian_letters("RIMSKA8<KORSAKOVA") == "РИМСКАЯ КОРСАКОВА"
    assert mrz.russian_letters("2JIKOVNA") == "ЁЖИКОВНА"
    assert len(set(mrz.RUSSIAN_LATIN)) == len(set(mrz.RUSSIAN_CYRILLIC)) == 33
    assert mrz.russian_letters("IVAN0V") == ""


def test_mexican_card_says_mujer_with_an_m() -> None:
    assert mrz.parse(MEX_CARD, today=TODAY).values[Field.SEX] == "F"
    man = (MEX_CARD[0], MEX_CARD[1].replace("M3012316", "H3012316"), MEX_CARD[2])
    assert mrz.parse(man, today=TODAY).values[Field.SEX] == "M"


def test_national_numbers_in_the_zone() -> None:
    assert mrz.parse(KAZ_CARD, today=TODAY).values[Field.PERSONAL_NUMBER] == "880412401006"
    spanish = mrz.parse(ESP_CARD, today=TODAY).values
    assert (spanish[Field.DOCUMENT_NUMBER], spanish[Field.PERSONAL_NUMBER]) == ("BAA000589", "99999999R")


def test_a_single_name_has_no_given_names() -> None:
    parsed = mrz.parse(("P<UTOARKFREITH".ljust(44, "<"), TD3[1]), today=TODAY)
    assert parsed.values[Field.SURNAME] == "ARKFREITH"
    assert Field.GIVEN_NAMES not in parsed.values


def test_a_letter_in_the_last_place_means_perhaps_cut() -> None:
    full = "P<UTOPAPANDROPOULOUS<<JONATHON<ALEC<LONGNAME"
    assert len(full) == 44 and mrz.parse((full, TD3[1]), today=TODAY).truncated
    assert not mrz.parse(TD3, today=TODAY).truncated


@pytest.mark.parametrize(
    ("yymmdd", "born"),
    [("261122", "2026-11-22"), ("261123", "1926-11-23"), ("000229", "2000-02-29"), ("<<<<<<", None), ("740231", None)],
)
def test_birth_is_the_latest_century_not_after_today(yymmdd: str, born: str | None) -> None:
    line = TD3[1][:13] + yymmdd + str(mrz.check_digit(yymmdd)) + TD3[1][20:]
    assert mrz.parse((TD3[0], line), today=TODAY).values.get(Field.DATE_OF_BIRTH) == born


def test_one_wrong_digit_fails_its_own_check_and_the_composite_only() -> None:
    line = TD3[1][:14] + "5" + TD3[1][15:]
    checks = mrz.parse((TD3[0], line), today=TODAY).checks
    assert {name for name, holds in checks.items() if not holds} == {"date_of_birth", "composite"}


@pytest.mark.parametrize("swap", [("L", "1"), ("8", "S"), ("2", "C"), ("<", "K")])
def test_swaps_that_no_check_digit_sees_stay_valid(swap: tuple[str, str]) -> None:
    """Why a valid zone is not a certain one (facts 5.1)."""
    at = TD3[1].find(swap[0], 0, 9) if swap[0] != "<" else 37
    line = TD3[1][:at] + swap[1] + TD3[1][at + 1 :]
    assert line != TD3[1]
    parsed = mrz.parse((TD3[0], line), today=TODAY)
    assert parsed.checks["composite"] and parsed.checks["document_number"]


@given(st.lists(st.text(max_size=50), max_size=4))
def test_no_text_raises(lines: list[str]) -> None:
    mrz.parse(lines, today=TODAY)


_zone_line = st.text(alphabet=mrz.ALPHABET, min_size=44, max_size=44)


@settings(max_examples=300)
@given(_zone_line, _zone_line)
def test_a_random_zone_is_valid_only_if_every_digit_really_holds(first: str, second: str) -> None:
    parsed = mrz.parse((first, second), today=TODAY)
    if parsed.document_type is DocumentType.TD3 and parsed.valid:
        assert second[9] == str(mrz.check_digit(second[:9]))
        assert second[43] == str(mrz.check_digit(second[:10] + second[13:20] + second[21:43]))


@given(st.integers(0, 43), st.sampled_from(mrz.ALPHABET))
def test_one_changed_character_outside_its_class_is_always_seen(at: int, letter: str) -> None:
    covered = [*range(10), *range(13, 20), *range(21, 44)]
    old = TD3[1][at]
    line = TD3[1][:at] + letter + TD3[1][at + 1 :]
    if at not in covered or mrz.check_digit(old) == mrz.check_digit(letter):
        return
    assert not mrz.parse((TD3[0], line), today=TODAY).valid


@pytest.mark.parametrize("number", ["850307300124", "061211600012", "880412401006"])
def test_kazakh_numbers(number: str) -> None:
    assert national.iin_is_valid(number)
    assert not national.iin_is_valid(number[:-1] + str((int(number[-1]) + 1) % 10))


def test_spanish_mexican_and_russian_numbers() -> None:
    assert all(national.dni_is_valid(n) for n in ("12345678Z", "X1234567L", "Y1234567X", "Z1234567R"))
    assert national.curp_is_valid("BOXW310820HNERXN09") and not national.curp_is_valid("BOXW310820HNERXN08")
    assert (
        national.snils_is_valid("11223344595")
        and national.snils_is_valid("08765430300")
        and not national.snils_is_valid("11223344596")
    )
    assert national.inn_is_valid("500100732259") and not national.inn_is_valid("500100732258")
