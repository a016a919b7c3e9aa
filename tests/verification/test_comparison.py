"""What was typed against what is printed, and against the account."""

from __future__ import annotations

import pytest

from verification import comparison, continuity
from verification.evidence import (
    ChangeReason,
    Claim,
    DocumentReading,
    DocumentType,
    Field,
    FieldReading,
    MrzReading,
    Profile,
    Source,
)


def printed(**values: str) -> DocumentReading:
    fields = {Field(k): FieldReading(value=v, confidence=0.95, certain=True, source=Source.MRZ) for k, v in values.items()}
    return DocumentReading(country="RUS", fields=fields)


def claim(reason: ChangeReason = ChangeReason.MARRIAGE, **values: str) -> Claim:
    return Claim(reason=reason, values={Field(k): v for k, v in values.items()})


def test_the_one_letter_that_differs_is_named_with_its_places():
    compared, _ = comparison.agree(claim(document_number="70 1234567"), printed(document_number="701234561"))[
        Field.DOCUMENT_NUMBER
    ]
    (difference,) = compared.differences
    assert (difference.claimed, difference.read) == ("7", "1")
    assert (difference.claimed_at, difference.read_at) == (9, 8)
    assert compared.agreement == pytest.approx(8 / 9)


@pytest.mark.parametrize(
    ("field", "typed", "read", "equal"),
    [
        ("document_number", "70 1234567", "701234567", True),
        ("issuer_code", "770-045", "770045", True),
        ("issuer", "Отделом УФМС России, по гор. Москве", "ОТДЕЛОМ УФМС РОССИИ ПО ГОР. МОСКВЕ", True),
        ("date_of_birth", "1985-03-07", "1985-03-07", True),
        ("date_of_birth", "1985-03-07", "1985-07-03", False),
        ("sex", "M", "F", False),
        ("document_number", "701234567", "", False),
        ("document_number", "А123", "A123", True),  # a Cyrillic letter, named as a look-alike
        ("document_number", "0123", "O123", False),
        ("issuer", "---", "...", False),
    ],
)
def test_each_kind_of_value_has_its_rule(field, typed, read, equal):
    compared = comparison.compare(Field(field), typed, read, country="RUS")
    assert (compared.agreement == 1.0) is equal
    assert equal == (compared.rule is not None)


def test_a_field_that_is_not_on_the_document_is_not_agreed():
    compared, source = comparison.agree(claim(issuer="X"), printed(surname="IVANOV"))[Field.ISSUER]
    assert compared.read is None and compared.agreement == 0.0 and source is None


def test_a_cyrillic_claim_meets_the_cyrillic_print_of_a_document_in_two_scripts():
    page = printed(surname="SHCHERBAKOVA", surname_native="ЩЕРБАКОВА")
    compared, source = comparison.agree(claim(surname="Щербакова"), page)[Field.SURNAME]
    assert compared.agreement == 1.0 and source is not None


def test_one_letter_in_a_surname_is_seen():
    compared, _ = comparison.agree(claim(surname="Ivanova"), printed(surname="IVANOVO"))[Field.SURNAME]
    assert compared.agreement < 1.0
    assert [(d.claimed.upper(), d.read) for d in compared.differences] == [("A", "O")]


HELD = Profile(
    values={
        Field.SURNAME: "Иванова",
        Field.GIVEN_NAMES: "Анна",
        Field.DATE_OF_BIRTH: "1985-03-07",
        Field.DOCUMENT_NUMBER: "45 10 111111",
    }
)


def test_only_what_really_changes_counts_as_a_change():
    typed = claim(surname="Петрова", given_names="АННА", document_number="4511123456", date_of_birth="1985-03-07")
    assert continuity.changes(typed, HELD) == (Field.SURNAME, Field.DOCUMENT_NUMBER)


def test_what_must_stay_is_held_against_the_account():
    page = printed(given_names="АННА", date_of_birth="1985-03-08", surname="ПЕТРОВА")
    kept = continuity.unchanged(HELD, page, claim(surname="Петрова"))
    assert kept[Field.GIVEN_NAMES] == 1.0 and kept[Field.DATE_OF_BIRTH] < 1.0
    assert Field.SURNAME not in kept
    assert Field.SURNAME in continuity.unchanged(HELD, page, claim(ChangeReason.NEW_PASSPORT, document_number="4511123456"))


def test_a_new_passport_may_not_bring_a_new_surname():
    kept = continuity.unchanged(HELD, printed(surname="ПЕТРОВА", date_of_birth="1985-03-07"), claim(ChangeReason.NEW_PASSPORT))
    assert kept[Field.SURNAME] < 1.0


@pytest.mark.parametrize(("number", "seen"), [("4510111111", True), ("4511123456", False)])
def test_the_accounts_former_number_is_looked_for(number, seen):
    assert continuity.earlier_number_seen(HELD, printed(document_number=number)) is seen
    assert continuity.earlier_number_seen(HELD, DocumentReading()) is None


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({}, "reason"),
        ({"reason": "lottery"}, "reason"),
        ({"reason": "marriage", "name": "X"}, "name"),
        ({"reason": "marriage", "date_of_birth": "07.03.1985"}, "date_of_birth"),
        ({"reason": "marriage", "sex": "W"}, "sex"),
        ({"reason": "marriage", "surname": 5}, "surname"),
    ],
)
def test_a_claim_that_cannot_be_read_names_the_key_and_not_the_value(data, named):
    with pytest.raises(ValueError, match=named) as caught:
        Claim.from_json(data)
    assert "07.03" not in str(caught.value)


@pytest.mark.parametrize("reason", [ChangeReason.MISTAKE, ChangeReason.MARRIAGE])
def test_a_name_that_is_not_changed_must_stay_though_the_reason_would_cover_it(reason):
    page = printed(surname="PETROVA", given_names="OLGA", date_of_birth="1985-03-07", expires_on="2030-01-01")
    kept = continuity.unchanged(HELD, page, claim(reason, expires_on="2030-01-01"))
    assert kept[Field.SURNAME] < 1.0 and kept[Field.GIVEN_NAMES] < 1.0


def test_what_every_document_shows_and_this_one_did_not_is_unread():
    page = printed(date_of_birth="1985-03-07")
    assert continuity.unread(HELD, page, claim(ChangeReason.NEW_PASSPORT)) == (Field.SURNAME, Field.GIVEN_NAMES)
    assert continuity.unread(HELD, page, claim(surname="Петрова")) == (Field.GIVEN_NAMES,)


def test_an_account_in_the_other_script_alone_is_held_against_the_document_too():
    native = Profile(
        values={Field.SURNAME_NATIVE: "ИВАНОВА", Field.GIVEN_NAMES_NATIVE: "АННА", Field.DATE_OF_BIRTH: "1985-03-07"}
    )
    kept = continuity.unchanged(native, printed(surname="PETROVA", given_names="OLGA"), claim(ChangeReason.NEW_PASSPORT))
    assert kept[Field.SURNAME] < 1.0 and kept[Field.GIVEN_NAMES] < 1.0


TWO_SCRIPTS = printed(surname="PUSHKIN", surname_native="ПУШКИН")


@pytest.mark.parametrize(
    ("field", "typed", "equal"),
    [
        ("surname", "PUSHKIN", True),
        ("surname", "Пушкин", True),
        ("surname_native", "ПУШКИН", True),
        ("surname", "POUCHKINE", False),  # an old order's spelling, which this passport does not print
        ("surname_native", "ПУШЬКИН", False),
        ("surname", "ПУШЬКИН", False),
    ],
)
def test_a_name_must_equal_the_line_of_its_own_script(field, typed, equal):
    compared, _ = comparison.agree(claim(**{field: typed}), TWO_SCRIPTS)[Field(field)]
    assert (compared.agreement == 1.0) is equal


def test_a_line_too_weak_to_stand_on_does_not_rule_out_the_other():
    weak = FieldReading(value="ПУШКИЙ", confidence=0.4, certain=False, source=Source.VIZ)
    page = DocumentReading(country="RUS", fields={**TWO_SCRIPTS.fields, Field.SURNAME_NATIVE: weak})
    assert comparison.agree(claim(surname="Пушкин"), page)[Field.SURNAME][0].agreement == 1.0


def test_letters_of_the_other_script_that_only_look_right_are_not_let_into_the_account():
    compared, _ = comparison.agree(claim(surname="IV\u0410NOVA"), printed(surname="IVANOVA"))[Field.SURNAME]
    assert compared.agreement < 1.0 and "homoglyphs" in (compared.rule or "")


def test_a_look_alike_in_a_number_is_named_and_not_let_through():
    assert comparison.compare(Field.DOCUMENT_NUMBER, "А123", "A123", country=None).rule == "homoglyphs"
    compared, _ = comparison.agree(claim(document_number="А123"), printed(document_number="A123"))[Field.DOCUMENT_NUMBER]
    assert compared.rule == "homoglyphs" and compared.agreement == pytest.approx(3 / 4)
    assert [(d.claimed_at, d.read_at) for d in compared.differences] == [(0, 0)]


def zone(row: str, kind: DocumentType = DocumentType.TD3, **values: str) -> DocumentReading:
    """A passport of which only the zone was read, with `row` as its row of names."""
    fields = {Field(k): FieldReading(value=v, confidence=0.95, certain=True, source=Source.MRZ) for k, v in values.items()}
    rows = ("I<UTO", "", row) if kind is DocumentType.TD1 else (row, "")
    return DocumentReading(document_type=kind, country="UTO", mrz=MrzReading(lines=rows, valid=True, checks={}), fields=fields)


CUT = zone("P<UTONILAVADHANANANDA<<CHAYAPA<DEJTHAMRONG<K", surname="NILAVADHANANANDA", given_names="CHAYAPA DEJTHAMRONG K")


def test_a_name_cut_off_in_the_zone_is_explained_and_left_to_a_person():
    compared, _ = comparison.agree(claim(given_names="Chayapa Dejthamrong Krasuang"), CUT)[Field.GIVEN_NAMES]
    assert compared.rule == "mrz-truncation"
    assert compared.agreement == pytest.approx(1 - 7 / 28)
    assert [(d.claimed, d.claimed_at) for d in compared.differences] == [("rasuang", 21)]


def test_a_name_is_cut_only_where_a_letter_stands_in_the_last_place():
    whole = zone("P<UTONILAVADHANANANDA<<CHAYAPA<DEJTHAMRONG<<", given_names="CHAYAPA DEJTHAMRONG")
    assert comparison.agree(claim(given_names="Chayapa Dejthamrong Kra"), whole)[Field.GIVEN_NAMES][0].rule is None
    card = zone("PAPANDROPOULOUS<<JONATHON<ALEC", DocumentType.TD1, given_names="JONATHON ALEC")
    assert comparison.agree(claim(given_names="Jonathon Alec"), card)[Field.GIVEN_NAMES][0].agreement == 1.0
    assert comparison.agree(claim(given_names="Jonathon Alecander"), card)[Field.GIVEN_NAMES][0].rule == "mrz-truncation"


def test_what_the_page_confirms_is_not_cut():
    both = FieldReading(value="CHAYAPA DEJTHAMRONG K", confidence=0.99, certain=True, source=Source.BOTH)
    page = DocumentReading(document_type=CUT.document_type, mrz=CUT.mrz, fields={**CUT.fields, Field.GIVEN_NAMES: both})
    assert comparison.agree(claim(given_names="Chayapa Dejthamrong Krasuang"), page)[Field.GIVEN_NAMES][0].rule is None


def test_a_single_name_stands_in_the_place_of_the_surname():
    page = zone("P<UTOARKFREITH<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<", surname="ARKFREITH")
    compared, source = comparison.agree(claim(given_names="Arkfreith"), page)[Field.GIVEN_NAMES]
    assert (compared.agreement, compared.rule) == (1.0, "case-and-space + single-name") and source is not None
    assert comparison.agree(claim(given_names="Arkfreid"), page)[Field.GIVEN_NAMES][0].agreement < 1.0
    two = comparison.agree(claim(given_names="Arkfreith", surname="Arkfreith"), page)
    assert two[Field.GIVEN_NAMES][0].read is None  # two names were typed, one is printed
    unread = zone("P<UTOARKFREITH<<ANNA<<<<<<<<<<<<<<<<<<<<<<<<", surname="ARKFREITH")
    assert comparison.agree(claim(given_names="Arkfreith"), unread)[Field.GIVEN_NAMES][0].read is None
    assert comparison.agree(claim(given_names="IVANOV"), printed(surname="IVANOV"))[Field.GIVEN_NAMES][0].read is None


def test_given_names_in_another_order_are_named_and_left_to_a_person():
    compared, _ = comparison.agree(claim(given_names="Maria Anna"), printed(given_names="ANNA MARIA"))[Field.GIVEN_NAMES]
    assert compared.rule == "component-order" and 0.0 <= compared.agreement < 1.0 and compared.differences
