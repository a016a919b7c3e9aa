"""The text of machine-readable zones: ICAO's own vectors, national ones, and that no text can break the reader."""

from __future__ import annotations

import math
import random
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.benchmarks import mrz_texts
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


# --- each field by itself


def test_blind_classes_are_those_of_equal_value_modulo_ten() -> None:
    assert set(mrz.BLIND_CLASSES) == {"AKU0<", "BLV1", "CMW2", "DNX3", "EOY4", "FPZ5", "GQ6", "HR7", "IS8", "JT9"}
    assert mrz.blind_to("8") == "IS"
    with pytest.raises(mrz.MrzError):
        mrz.blind_to("Ñ")


def test_what_the_digits_cannot_see_is_told_per_character() -> None:
    parsed = mrz.parse(TD3, today=TODAY)
    assert parsed.unseen(Field.DOCUMENT_NUMBER)[:2] == ("BV1", "IS")  # L8
    assert parsed.unseen(Field.DATE_OF_BIRTH) == ("", "", "<", "", "", "")  # 740812: no two digits share a class
    assert parsed.unseen(Field.SEX) == ("M<",)  # under no digit: anything the place may hold
    assert "K" in parsed.unseen(Field.SURNAME)[0] and parsed.unseen(Field.PATRONYMIC) == ()


@pytest.mark.parametrize(
    "lines", [TD3, TD2, TD1, TD1_LONG, MRVA, MRVB, FRENCH, RU_INTERNAL, RU_TRAVEL, KAZ_CARD, ESP_CARD, MEX_CARD]
)
def test_every_letter_of_a_value_is_found_where_it_is_printed(lines: tuple[str, ...]) -> None:
    parsed = mrz.parse(lines, today=TODAY)
    for name, value in parsed.values.items():
        letters = parsed.letters(name)
        assert len(letters) == len(value) or name is Field.SEX, name
        for character, place in zip(value, letters, strict=False):
            if place is None:
                assert character in " -" or name in (Field.DATE_OF_BIRTH, Field.EXPIRES_ON, Field.ISSUED_ON)
                continue
            printed = lines[place[0]][place[1]]
            if parsed.document_type is DocumentType.RU_INTERNAL and name in (Field.SURNAME, Field.GIVEN_NAMES, Field.PATRONYMIC):
                printed = mrz.russian_letters(printed)
            assert printed == character or name is Field.SEX, name


def test_a_torn_number_has_two_places() -> None:
    assert mrz.parse(TD1_LONG, today=TODAY).places[Field.DOCUMENT_NUMBER] == ((0, 5, 14), (0, 15, 18))
    assert mrz.parse(RU_INTERNAL, today=TODAY).places[Field.DOCUMENT_NUMBER] == ((1, 0, 3), (1, 28, 29), (1, 3, 9))


def test_only_the_field_whose_digit_fails_does_not_hold_besides_the_composite() -> None:
    """A visa has no composite, so there the other fields still stand."""
    wrong = (MRVA[0], MRVA[1].replace("400907", "400917"))
    parsed = mrz.parse(wrong, today=TODAY)
    assert [parsed.holds(f) for f in (Field.DOCUMENT_NUMBER, Field.DATE_OF_BIRTH, Field.EXPIRES_ON)] == [True, False, True]
    assert not parsed.holds(Field.SURNAME) and not parsed.holds(Field.NATIONALITY)  # under no digit at all


def test_long_number_of_a_card_of_two_rows() -> None:
    data = "D23145890<UTO7408122F1204159" + "7349<<<"
    line = data + str(mrz.check_digit(data[0:10] + data[13:20] + data[21:35]))
    parsed = mrz.parse((TD2[0], line), today=TODAY)
    assert parsed.valid and parsed.values[Field.DOCUMENT_NUMBER] == "D23145890734"
    assert parsed.places[Field.DOCUMENT_NUMBER] == ((1, 0, 9), (1, 28, 31))
    assert not mrz.parse((TD3[0], TD3[1][:9] + "<" + TD3[1][10:]), today=TODAY).checks["document_number"]  # no such rule for TD3


@pytest.mark.parametrize(("digit", "holds"), [("0", True), ("<", True), ("1", False), ("A", False)])
def test_an_empty_personal_number_may_have_a_filler_for_its_digit(digit: str, holds: bool) -> None:
    body = TD3[1][:28] + "<" * 14 + digit
    line = body + str(mrz.check_digit(body[:10] + body[13:20] + body[21:43]))
    assert mrz.parse((TD3[0], line), today=TODAY).valid is holds


@pytest.mark.parametrize("digit", ["<", "0"])
def test_russian_zone_may_have_either_digit_for_the_expiry_it_has_not(digit: str) -> None:
    assert mrz.parse((RU_INTERNAL[0], RU_INTERNAL[1][:27] + digit + RU_INTERNAL[1][28:]), today=TODAY).valid


@pytest.mark.parametrize(("born", "unstated"), [("74<<<<", True), ("<<<<<<", True), ("740231", False), ("7<0812", False)])
def test_a_day_not_known_is_not_a_day_that_cannot_be(born: str, unstated: bool) -> None:
    line = TD3[1][:13] + born + str(mrz.check_digit(born)) + TD3[1][20:43]
    parsed = mrz.parse((TD3[0], line + str(mrz.check_digit(line[:10] + line[13:20] + line[21:43]))), today=TODAY)
    assert parsed.valid and Field.DATE_OF_BIRTH not in parsed.values and not parsed.holds(Field.DATE_OF_BIRTH)
    assert (Field.DATE_OF_BIRTH in parsed.unstated, Field.DATE_OF_BIRTH in parsed.impossible) == (unstated, not unstated)


@pytest.mark.parametrize(("yymmdd", "ends"), [("760101", "2076-01-01"), ("770101", "1977-01-01"), ("961231", "1996-12-31")])
def test_expiry_belongs_to_this_century_unless_that_is_over_fifty_years_ahead(yymmdd: str, ends: str) -> None:
    line = TD3[1][:21] + yymmdd + TD3[1][27:]
    assert mrz.parse((TD3[0], line), today=TODAY).values[Field.EXPIRES_ON] == ends


@pytest.mark.parametrize("code", ["D", "GBN", "RKS", "EUE", "UNO", "UNK", "XOM", "XXA", "XXB", "XXC", "XXX", "UTO", "KAZ"])
def test_codes_beyond_iso_3166_are_known(code: str) -> None:
    parsed = mrz.parse((f"P<{code:<<3}" + TD3[0][5:], TD3[1][:10] + f"{code:<<3}" + TD3[1][13:]), today=TODAY)
    assert parsed.country == parsed.values[Field.NATIONALITY] == code
    assert parsed.country_known and Field.NATIONALITY not in parsed.doubtful
    assert parsed.specimen is (code == "UTO")


@pytest.mark.parametrize("code", ["132", "CMW", "<SI", "QQQ"])
def test_an_unknown_code_is_kept_and_doubtful(code: str) -> None:
    parsed = mrz.parse(("P<" + code + TD3[0][5:], TD3[1][:10] + code + TD3[1][13:]), today=TODAY)
    assert parsed.valid and parsed.country == parsed.values[Field.NATIONALITY] == code
    assert not parsed.country_known and Field.NATIONALITY in parsed.doubtful


@pytest.mark.parametrize(
    ("first", "fits"),
    [("P<", True), ("PP", True), ("PM", True), ("PC", True), ("PA", True), ("Q<", False), ("I<", False), ("P1", False)],
)
def test_any_second_letter_of_a_passports_code(first: str, fits: bool) -> None:
    parsed = mrz.parse((first + TD3[0][2:], TD3[1]), today=TODAY)
    assert (parsed.document_type, parsed.code, parsed.code_fits) == (DocumentType.TD3, first.rstrip("<"), fits)


@pytest.mark.parametrize(
    ("first", "fits"), [("ID", True), ("IP", True), ("AC", True), ("C<", True), ("AI", False), ("IV", False), ("P<", False)]
)
def test_codes_of_cards(first: str, fits: bool) -> None:
    assert mrz.parse((first + TD1[0][2:], *TD1[1:]), today=TODAY).code_fits is fits


def test_names_that_the_zone_does_not_settle() -> None:
    def doubtful(names: str) -> frozenset[Field]:
        return mrz.parse(("P<UTO" + names.ljust(39, "<"), TD3[1]), today=TODAY).doubtful & {Field.SURNAME, Field.GIVEN_NAMES}

    assert doubtful("ERIKSSON<<ANNA") == frozenset()
    assert doubtful("ERIKS5ON<<ANNA") == {Field.SURNAME}
    assert doubtful("PAPANDROPOULOUS<<JONATHON<ALEC<LONGNAME") == {Field.SURNAME, Field.GIVEN_NAMES}
    assert mrz.parse(RU_INTERNAL, today=TODAY).doubtful == frozenset()  # digits are letters there


def test_old_french_card_cut_at_the_end_of_its_surname() -> None:
    surname = "B" * 25
    assert mrz.parse(("IDFRA" + surname + "<" * 6, FRENCH[1]), today=TODAY).truncated
    assert not mrz.parse(FRENCH, today=TODAY).truncated


@pytest.mark.parametrize(
    ("code", "letter", "sex", "doubtful"),
    [("ID", "M", "F", False), ("ID", "H", "M", False), ("ID", "F", "F", False), ("I<", "M", "M", True), ("I<", "H", "M", False)],
)
def test_the_m_of_other_mexican_cards_is_not_settled(code: str, letter: str, sex: str, doubtful: bool) -> None:
    lines = (code + MEX_CARD[0][2:], MEX_CARD[1][:7] + letter + MEX_CARD[1][8:], MEX_CARD[2])
    parsed = mrz.parse(lines, today=TODAY)
    assert (parsed.values[Field.SEX], Field.SEX in parsed.doubtful) == (sex, doubtful)


def test_national_numbers_vouch_for_themselves() -> None:
    assert mrz.parse(KAZ_CARD, today=TODAY).national_digit is True
    assert mrz.parse(ESP_CARD, today=TODAY).national_digit is True
    assert mrz.parse(TD3, today=TODAY).national_digit is None
    swapped = mrz.parse((KAZ_CARD[0].replace("880412401006", "880412401060"), *KAZ_CARD[1:]), today=TODAY)
    assert swapped.national_digit is False and Field.PERSONAL_NUMBER in swapped.doubtful
    passport = ("P<KAZSEIDAKHMETOVA<<MADINA".ljust(44, "<"), "N123456785KAZ8503079M3001019850307300124<<74")
    parsed = mrz.parse(passport, today=TODAY)
    assert parsed.valid and parsed.values[Field.PERSONAL_NUMBER] == "850307300124" and parsed.national_digit


@pytest.mark.parametrize(
    ("names", "given", "patronymic", "settled"),
    [
        ("IVANOV<<IVAN<IVANOVI3", "ИВАН", "ИВАНОВИЧ", True),
        ("IVANOVA<<ANNA<MARI8<IVANOVNA", "АННА МАРИЯ", "ИВАНОВНА", True),
        ("ALIEV<<ALI<VELI<OGLY", "АЛИ", "ВЕЛИ ОГЛЫ", True),
        ("KIM<<A<B<V", "А", "Б В", False),
        ("KIM<<ANNA", "АННА", None, True),
        ("XC<<XC<ULY<C<<ULY", "ЪЦ УЛЫ", "УЛЫ", True),
    ],
)
def test_given_names_and_patronymic(names: str, given: str, patronymic: str | None, settled: bool) -> None:
    parsed = mrz.parse(("PNRUS" + names.ljust(39, "<"), RU_INTERNAL[1]), today=TODAY)
    assert (parsed.values.get(Field.GIVEN_NAMES), parsed.values.get(Field.PATRONYMIC)) == (given, patronymic)
    assert (Field.PATRONYMIC not in parsed.doubtful) is settled


# --- no false "valid": what arithmetic allows, and no more

STRINGS = 200_000  # a million take 36 s: `python tests/benchmarks/mrz_texts.py`
ZONES = 10_000


def test_random_strings_break_nothing_and_pass_no_digit_more_often_than_chance() -> None:
    found = mrz_texts.tally(mrz_texts.random_texts(random.Random(4), STRINGS))
    assert (found.strings, found.exceptions, found.disagree) == (STRINGS, 0, 0)
    assert sum(found.shaped.values()) > STRINGS * 0.4
    for kind, zones in found.shaped.items():
        chance, count = (0.1 if kind[1] == "digits" else 1 / 37), mrz_texts.digits_of(kind[0])
        if kind[0] in ("TD1", "TD2") and kind[1] == "any":
            chance += chance**2 / count  # a filler for the digit: the number may be long, with its digit further on
        tried = zones * count
        off = abs(found.digits[kind] - tried * chance) / math.sqrt(tried * chance * (1 - chance))
        assert off < 6, kind  # standard deviations
        lucky = zones * chance**count
        assert found.passed[kind] <= lucky + 6 * math.sqrt(lucky) + 2, kind


def test_damaged_zones_pass_exactly_where_arithmetic_lets_them() -> None:
    table = mrz_texts.damage_all(random.Random(5), ZONES)
    assert sum(row["zones"] + row["unchanged"] for row in table.values()) == ZONES
    assert sum(row["disagree"] for row in table.values()) == 0  # with a second computation, from the tables of the standard
    assert table["one, outside its class"]["valid"] == 0
    inside = table["one, inside its class"]
    assert inside["valid"] + inside["long"] == inside["zones"]
    assert table["one, not covered"]["valid"] == table["one, not covered"]["zones"]
    two = table["two in one field"]
    assert abs(two["valid"] / two["zones"] - 0.1) < 6 * math.sqrt(0.09 / two["zones"])
    for row in ("inserted, row longer", "deleted, row shorter"):
        assert table[row]["valid"] == 0
    assert sum(row["long"] for row in table.values()) <= 2


@settings(max_examples=400)
@given(st.sampled_from(mrz_texts.LAYOUTS), st.integers(0, 2**32), st.data())
def test_a_zone_is_valid_only_by_the_standards_own_tables(layout: DocumentType, seed: int, data: st.DataObject) -> None:
    lines = [list(line) for line in mrz_texts.zone(random.Random(seed), layout)]
    for _ in range(data.draw(st.integers(0, 3))):
        row, at = data.draw(st.sampled_from(sorted(mrz_texts.WEIGHTS[layout])))
        lines[row][at] = data.draw(st.sampled_from(mrz.ALPHABET))
    texts = tuple("".join(line) for line in lines)
    if "<" not in (texts[0][14], texts[1][9]):
        assert mrz.parse(texts, today=TODAY).valid is mrz_texts.allowed(layout, texts)


@given(st.lists(st.text(alphabet=mrz.ALPHABET + "aÑ ", min_size=0, max_size=45), max_size=4), st.dates())
def test_no_text_and_no_day_raises(lines: list[str], today: date) -> None:
    parsed = mrz.parse(lines, today=today)
    for name in Field:
        assert len(parsed.unseen(name)) >= 0 and len(parsed.letters(name)) <= 44 and parsed.holds(name) in (True, False)


@given(st.sampled_from([(2, 44), (2, 36), (3, 30)]), st.data(), st.dates())
def test_no_text_of_the_right_shape_raises(shape: tuple[int, int], data: st.DataObject, today: date) -> None:
    line = st.text(alphabet=mrz.ALPHABET, min_size=shape[1], max_size=shape[1])
    lines = [data.draw(line) for _ in range(shape[0])]
    lines[0] = data.draw(st.sampled_from(["", "PNRUS", "IDFRA", "V", "P"])) + lines[0]
    lines[0] = lines[0][: shape[1]]
    parsed = mrz.parse(lines, today=today)
    assert parsed.document_type is not None
    for name, value in parsed.values.items():
        assert len(parsed.letters(name)) == len(value)
        assert len(parsed.unseen(name)) == sum(end - start for _, start, end in parsed.places[name])


# --- numbers of states


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


def test_the_century_of_a_kazakh_number_stands_in_its_seventh_digit() -> None:
    def with_digit(eleven: str) -> str:
        return next((eleven + d for d in "0123456789" if national.iin_is_valid(eleven + d)), "")

    assert with_digit("00022950012")  # 29 February 2000
    assert not with_digit("00022930012")  # 1900 had none
    assert not with_digit("00022970012")  # no such century


def test_who_is_a_hundred_was_not_born_after_the_passport_was_given() -> None:
    """Two figures of a year leave the century open; a Russian zone says the day of issue too, and nobody gets one before 14."""
    for birth, issued, born in (
        ("250307", "130915", "1925-03-07"),
        ("850307", "130915", "1985-03-07"),
        ("100307", "240401", "2010-03-07"),
    ):
        line = f"451123456{mrz.check_digit('451123456')}RUS{birth}{mrz.check_digit(birth)}F<<<<<<<1{issued}770045<"
        line += str(mrz.check_digit(line[28:42]))
        line += str(mrz.check_digit(line[0:10] + line[13:20] + line[21:43]))
        parsed = mrz.parse(("PNRUSWERBAKOVA<<6L9VIRA<7R9EVNA<<<<<<<<<<<<<", line), today=date(2026, 11, 22))
        assert parsed.valid and parsed.values[Field.DATE_OF_BIRTH] == born
