"""Soft hints from fields, what personal numbers encode, and what a hint may decide: nothing, unless the policy lists it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cases import wording
from tests.verification.test_decision import A_GOOD_RUN
from verification.decision import Outcome, decide
from verification.documents import national, plausibility
from verification.documents.national import Encoded, Kind
from verification.evidence import DocumentReading, DocumentType, Field, FieldReading, Measures, Source, Values
from verification.hints import RATES, SHIPPED_TO_PEOPLE, Hint
from verification.policy import SHIPPED, Policy, loosens
from verification.reasons import MENDABLE, ReasonCode

TODAY = date(2026, 11, 22)
RUSSIAN: Values = {  # the worked example of facts/documents.md 3.4, with its patronymic
    Field.PATRONYMIC: "ЮРЬЕВНА", Field.DOCUMENT_NUMBER: "4511123456", Field.DATE_OF_BIRTH: "1985-03-07", Field.SEX: "F",
    Field.ISSUED_ON: "2011-09-14", Field.ISSUER_CODE: "770-045",
}  # fmt: skip
KAZAKH: Values = {Field.PERSONAL_NUMBER: "850307300124", Field.DATE_OF_BIRTH: "1985-03-07", Field.SEX: "M"}
MEXICAN: Values = {
    Field.PERSONAL_NUMBER: "BOXW310820HNERXN09", Field.DATE_OF_BIRTH: "1931-08-20", Field.SEX: "M", Field.SURNAME: "BOTELLO",
    Field.GIVEN_NAMES: "WENCESLAO",
}  # fmt: skip
CLAVE: Values = {
    Field.PERSONAL_NUMBER: "HRGRJN82050602H900", Field.DATE_OF_BIRTH: "1982-05-06", Field.SEX: "M",
    Field.SURNAME: "HERNANDEZ GARCIA", Field.GIVEN_NAMES: "JUAN",
}  # fmt: skip


def of_russian(**changes: str) -> tuple[Hint, ...]:
    values = {**RUSSIAN, **{Field[name.upper()]: value for name, value in changes.items()}}
    return plausibility.of_values(values, DocumentType.RU_INTERNAL, "RUS", TODAY)


def test_a_right_russian_passport_raises_nothing():
    assert of_russian() == ()


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"document_number": "4508123456"}, None),  # three years before the issue: blanks are used up
        ({"document_number": "4514123456"}, None),
        ({"document_number": "4507123456"}, Hint.SERIES_NOT_THE_YEARS),
        ({"document_number": "4515123456"}, Hint.SERIES_NOT_THE_YEARS),
        ({"issued_on": "2001-09-14", "document_number": "4599123456"}, None),  # 1999 and 2001, across the century
        ({"document_number": "4611123456"}, Hint.SERIES_NOT_THE_REGIONS),  # Moscow oblast, issued in Moscow
        ({"document_number": "1111123456", "issuer_code": "292-000"}, None),  # Arkhangelsk, as the public specimen
        ({"document_number": "1111123456", "issuer_code": "112-000"}, Hint.SERIES_NOT_THE_REGIONS),  # Komi is 87
        ({"document_number": "8711123456", "issuer_code": "112-000"}, None),
        ({"document_number": "6711123456", "issuer_code": "860-001"}, None),  # an older series of Khanty-Mansi
        ({"document_number": "0211123456"}, Hint.SERIES_UNKNOWN),
        ({"issuer_code": "910-001"}, None),  # a region the table lacks is not judged
        ({"issuer_code": "773-045"}, None),
        ({"issuer_code": "774-045"}, Hint.OFFICE_CODE_IMPOSSIBLE),
        ({"issuer_code": "000-045"}, Hint.OFFICE_CODE_IMPOSSIBLE),
        ({"issuer_code": "770045"}, Hint.OFFICE_CODE_IMPOSSIBLE),
        ({"document_number": "4511000101"}, None),
        ({"document_number": "4511000100"}, Hint.NUMBER_OUT_OF_RANGE),
        ({"document_number": "4511000000"}, None),  # a specimen's: another reason says so
        ({"sex": "M"}, Hint.SEX_NOT_THE_PATRONYMICS),
        ({"sex": "X"}, None),
        ({"date_of_birth": "1997-09-14"}, None),  # given on the fourteenth birthday
        ({"date_of_birth": "1997-09-15"}, Hint.ISSUE_DATE_IMPOSSIBLE),
        ({"issued_on": "2026-11-23", "document_number": "4526123456"}, Hint.ISSUE_DATE_IMPOSSIBLE),  # tomorrow
    ],
)
def test_russian_rules_and_the_room_they_leave(changes, hint):
    assert of_russian(**changes) == ((hint,) if hint else ())


def test_russian_rules_are_for_russian_passports_only():
    values = {**RUSSIAN, Field.DOCUMENT_NUMBER: "0207000001", Field.ISSUER_CODE: "999-9"}
    assert plausibility.of_values(values, DocumentType.TD3, "RUS", TODAY) == ()


def test_any_paper_is_issued_between_birth_and_expiry():
    dates = {Field.DATE_OF_BIRTH: "1990-01-01", Field.ISSUED_ON: "2020-01-01", Field.EXPIRES_ON: "2030-01-01"}
    assert plausibility.of_values(dates, DocumentType.TD3, "ESP", TODAY) == ()
    for name, day in ((Field.EXPIRES_ON, "2020-01-01"), (Field.DATE_OF_BIRTH, "2020-01-02"), (Field.ISSUED_ON, "2026-12-01")):
        assert plausibility.of_values({**dates, name: day}, DocumentType.TD3, "ESP", TODAY) == (Hint.ISSUE_DATE_IMPOSSIBLE,)


def test_every_region_of_a_code_has_a_series_that_is_known():
    assert len(plausibility.OKATO) == 83 and plausibility.OKATO["77"] == {"45"}
    assert all(series <= plausibility.KNOWN_SERIES for series in plausibility.OKATO.values())


@pytest.mark.parametrize(
    ("patronymic", "sex"),
    [
        ("СЕРГЕЕВИЧ", "M"), ("СЕРГЕЕВНА", "F"), ("ИЛЬИЧ", "M"), ("ИЛЬИНИЧНА", "F"), ("САИД ОГЛЫ", "M"), ("САИД-ОГЛЫ", "M"),
        ("САИД КЫЗЫ", "F"), ("НҰРЛАНҰЛЫ", "M"), ("НҰРЛАНҚЫЗЫ", "F"), ("NURLANULY", "M"), ("NURLANKYZY", "F"), ("ДЖОН", None),
        ("", None),
    ],
)  # fmt: skip
def test_a_patronymics_ending_says_the_sex(patronymic, sex):
    assert plausibility.sex_of_patronymic(patronymic) == sex


def reading(values: Values, confidence: float) -> dict[Field, FieldReading]:
    return {n: FieldReading(value=v, confidence=confidence, certain=False, source=Source.VIZ) for n, v in values.items()}


def test_a_weak_reading_accuses_nobody():
    wrong = {**RUSSIAN, Field.SEX: "M"}
    strong = plausibility.hints(reading(wrong, 0.8), DocumentType.RU_INTERNAL, "RUS", TODAY)
    assert strong == (Hint.SEX_NOT_THE_PATRONYMICS,)
    assert plausibility.hints(reading(wrong, 0.79), DocumentType.RU_INTERNAL, "RUS", TODAY) == ()


# ---------------------------------------------------------------- personal numbers


@pytest.mark.parametrize(
    ("number", "state", "kind", "says"),
    [
        ("850307300124", "KAZ", Kind.IIN, Encoded(births=(date(1985, 3, 7),), sex="M")),
        ("061211600012", "KAZ", Kind.IIN, Encoded(births=(date(2006, 12, 11),), sex="F")),  # the second round of its check
        ("12345678Z", "ESP", Kind.DNI, Encoded()),
        ("X1234567L", "ESP", Kind.NIE, Encoded()),
        ("BOXW310820HNERXN09", "MEX", Kind.CURP, Encoded(births=(date(1931, 8, 20),), sex="M")),
        ("HRGRJN82050602H900", "MEX", Kind.CLAVE, Encoded(births=(date(1982, 5, 6),), sex="M")),
        ("HRGRJN05050602M900", "MEX", Kind.CLAVE, Encoded(births=(date(1905, 5, 6), date(2005, 5, 6)), sex="F")),  # M: mujer
        ("11223344595", "RUS", Kind.SNILS, Encoded()),
        ("500100732259", "RUS", Kind.INN, Encoded()),
    ],
)
def test_what_a_number_encodes(number, state, kind, says):
    assert national.kind_of(number, state) is kind and national.is_valid(number, kind)
    got = national.encoded(number, kind)
    assert got.sex == says.sex and set(says.births) == {day for day in got.births if day <= TODAY}
    assert national.kind_of(number, "UTO") is None


def test_a_century_that_is_not_encoded_leaves_every_day_open():
    foreigner = national.encoded("850307000000", Kind.IIN)
    assert foreigner.sex is None and date(1985, 3, 7) in foreigner.births and len(foreigner.births) == 3


def test_numbers_that_look_alike_are_not_taken_for_personal_ones():
    assert national.kind_of("BAA000589", "ESP") is None  # support number of the card
    assert national.kind_of("1234567890123", "MEX") is None  # the card's back
    assert national.kind_of("G12345678", "MEX") is None


@pytest.mark.parametrize(("number", "kind"), [
    ("850307300125", Kind.IIN), ("12345678A", Kind.DNI), ("BOXW310820HNERXN08", Kind.CURP), ("11223344594", Kind.SNILS),
    ("500100732258", Kind.INN), ("HRGRJN82053602H900", Kind.CLAVE), ("HRGRJN82050633H900", Kind.CLAVE),
])  # fmt: skip
def test_a_number_that_cannot_be(number, kind):
    assert not national.is_valid(number, kind)


@pytest.mark.parametrize("paper", [(KAZAKH, "KAZ"), (MEXICAN, "MEX"), (CLAVE, "MEX")])
def test_a_personal_number_beside_what_is_printed(paper):
    values, state = paper

    def hints(**changes: str) -> tuple[Hint, ...]:
        return plausibility.of_values(
            {**values, **{Field[n.upper()]: v for n, v in changes.items()}}, DocumentType.TD1, state, TODAY
        )

    assert hints() == ()
    assert hints(date_of_birth="1985-03-08") == (Hint.PERSONAL_NUMBER_NOT_THE_BIRTH_DATES,)
    assert hints(sex="F") == (Hint.PERSONAL_NUMBER_NOT_THE_SEXES,)
    assert hints(sex="X") == ()
    if state == "MEX":
        assert hints(surname="QUIROZ") == (Hint.PERSONAL_NUMBER_NOT_THE_NAMES,)
        assert hints(given_names="PEDRO") == (Hint.PERSONAL_NUMBER_NOT_THE_NAMES,)
        assert hints(given_names=f"MARIA {values[Field.GIVEN_NAMES]}", surname=f"DE LA {values[Field.SURNAME]}") == ()


def test_a_second_surname_is_looked_at_only_where_it_is_printed():
    def fits(surname: str) -> bool:
        return national.letters_fit("HRGRJN82050602H900", Kind.CLAVE, surname=surname, given_names="JUAN")

    assert fits("HERNANDEZ") and fits("HERNÁNDEZ GARCÍA") and not fits("HERNANDEZ LOPEZ") and not fits("GOMEZ LOPEZ")
    assert national.letters_fit("XXXX310820HNERXN09", Kind.CURP, surname="ÑANDU", given_names="ÑUÑO")


def test_a_wrong_number_is_said_once_and_what_it_encodes_is_not_believed():
    wrong = {**KAZAKH, Field.PERSONAL_NUMBER: "850307300125", Field.SEX: "F"}
    assert plausibility.of_values(wrong, DocumentType.TD1, "KAZ", TODAY) == (Hint.PERSONAL_NUMBER_WRONG,)


# ---------------------------------------------------------------- what a hint may do


def test_a_hint_alone_changes_no_decision():
    hinted = replace(A_GOOD_RUN, hints=tuple(Hint))
    quiet = replace(SHIPPED, refer_on_hints=())
    assert decide(hinted, quiet, attempt=1).outcome is Outcome.APPROVE


@pytest.mark.parametrize("hint", list(Hint))
def test_a_hint_that_the_policy_lists_sends_to_a_person_and_asks_for_no_photo(hint):
    listed = replace(SHIPPED, refer_on_hints=(hint.value,))
    decision = decide(replace(A_GOOD_RUN, hints=(hint,)), listed, attempt=1)
    assert decision.outcome is Outcome.REFER and decision.reasons == (ReasonCode.DOCUMENT_DOUBTED,)
    others = tuple(h for h in Hint if h is not hint)
    assert decide(replace(A_GOOD_RUN, hints=others), listed, attempt=1).outcome is Outcome.APPROVE
    assert ReasonCode.DOCUMENT_DOUBTED not in MENDABLE


def test_the_shipped_policy_lists_only_hints_that_were_seldom_false():
    assert SHIPPED.refer_on_hints == tuple(hint.value for hint in SHIPPED_TO_PEOPLE)
    for hint in SHIPPED_TO_PEOPLE:
        assert RATES[hint].genuine >= 50 and RATES[hint].false_alarms <= 0.05 * RATES[hint].genuine


def test_every_hint_has_a_rate_and_words_in_both_languages():
    assert set(RATES) == set(Hint) == set(wording.HINTS)
    for hint in Hint:
        rate = RATES[hint]
        assert 0 <= rate.false_alarms <= rate.genuine and 0 <= rate.found <= rate.attacked
        for sentence in (wording.label, wording.hint_sentence):
            assert sentence(hint, "en") and sentence(hint, "ru") != sentence(hint, "en")


def test_fewer_hints_in_a_policy_is_looser():
    two = replace(SHIPPED, refer_on_hints=(Hint.SERIES_UNKNOWN.value, Hint.WITHOUT_COLOUR.value))
    one = replace(SHIPPED, refer_on_hints=(Hint.WITHOUT_COLOUR.value,))
    assert loosens(two, one) == ("refer_on_hints",) and loosens(one, two) == ()


def test_a_policy_stored_before_hints_were_known_still_loads():
    older = {name: value for name, value in SHIPPED.to_json().items() if name != "refer_on_hints"}
    assert Policy.from_json(older) == SHIPPED
    with pytest.raises(ValueError, match="refer_on_hints"):
        Policy.from_json({**older, "refer_on_hints": ["too_pretty"]})


def test_hints_survive_their_json_and_older_runs_have_none():
    hinted = replace(A_GOOD_RUN, hints=(Hint.SEEN_ON_SCREEN, Hint.SERIES_UNKNOWN))
    told = hinted.to_json()
    assert told["hints"] == ["seen_on_screen", "series_unknown"]
    assert Measures.from_json(told) == hinted
    assert Measures.from_json({**told, "hints": ["seen_on_screen", "of_another_time"]}).hints == (Hint.SEEN_ON_SCREEN,)
    del told["hints"]
    assert Measures.from_json(told).hints == ()


def test_the_command_line_prints_hints():
    assert DocumentReading(hints=(Hint.WITHOUT_COLOUR,)).to_json()["hints"] == ["without_colour"]
