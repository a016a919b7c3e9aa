"""Identity cards of Kazakhstan, Spain and Mexico: what is drawn is true, and what is read of either side is what is printed."""

from __future__ import annotations

import doctest
from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import pytest

from tests.specimens import cards
from tests.specimens.draw import Faults, FontMissing
from tests.specimens.photograph import photograph
from verification import documents, models
from verification.documents import assemble, layout, layout_files, lines, mrz, national, page
from verification.evidence import DocumentReading, DocumentType, Field, FieldReading, Source
from verification.reasons import ReasonCode

TODAY = date(2026, 11, 22)
FACE = np.full((720, 560, 3), 150, np.uint8)  # nothing here looks at faces
NUMBERS = {"kz_id": national.Kind.IIN, "es_dni": national.Kind.DNI, "mx_ine": national.Kind.CURP}
SEEDS = range(1, 41)


@cache
def card(kind: cards.CardKind, seed: int = 1) -> cards.Card:
    return cards.draw_card(cards.holder(kind, seed=seed, today=TODAY), FACE)


def values(specimen: cards.Specimen, *sources: str) -> dict[Field, str]:
    return {Field(name): v["value"] for name, v in specimen.truth["fields"].items() if not sources or v["source"] in sources}


# ---------------------------------------------------------------- what is drawn


def test_the_rules_examples_hold():
    assert doctest.testmod(cards).failed == 0


@pytest.mark.parametrize("kind", cards.KINDS)
def test_holders_have_right_zones_and_numbers(kind):
    for seed in SEEDS:
        whose = cards.holder(kind, seed=seed, today=TODAY)
        person = whose.person
        lines, checks = cards.td1_zone(whose)
        parsed = mrz.parse(lines, today=TODAY)
        assert parsed.document_type is DocumentType.TD1 and parsed.valid and all(checks.values())
        assert parsed.country == cards.COUNTRIES[kind] and not parsed.doubtful
        assert parsed.values[Field.SEX] == person.sex
        assert parsed.values[Field.DATE_OF_BIRTH] == person.date_of_birth.isoformat()
        assert parsed.values[Field.EXPIRES_ON] == person.expires_on.isoformat()
        number, encoded = person.personal_number, national.encoded(person.personal_number, NUMBERS[kind])
        assert national.is_valid(number, NUMBERS[kind])
        if kind != "es_dni":  # a DNI says nothing of its holder
            assert person.date_of_birth in encoded.births and encoded.sex == person.sex
        if kind == "mx_ine":
            assert national.letters_fit(number, NUMBERS[kind], surname=person.surname, given_names=person.given_names)
            key = whose.other["voter_key"]
            assert national.is_valid(key, national.Kind.CLAVE) and key[14] == {"M": "H", "F": "M"}[person.sex]
            assert Field.PERSONAL_NUMBER not in parsed.values  # the CURP stands on the front only
        else:
            assert parsed.values[Field.PERSONAL_NUMBER] == number != parsed.values[Field.DOCUMENT_NUMBER]


def test_both_sexes_and_names_of_all_letters_are_made_up():
    for kind, wanted in (("kz_id", "ӘҒҚҢӨҰҮІ"), ("es_dni", "ÑÁÉÍÓÚ"), ("mx_ine", "ÑÁÉÍÓ")):
        everyone = [cards.holder(kind, seed=seed, today=TODAY).person for seed in range(1, 121)]
        assert {p.sex for p in everyone} == {"M", "F"}
        letters = set("".join(f"{p.surname_native or p.surname}{p.given_names_native or p.given_names}" for p in everyone))
        assert letters.issuperset(wanted)


@pytest.mark.parametrize("kind", cards.KINDS)
def test_the_same_seed_gives_the_same_card(kind):
    again = cards.draw_card(cards.holder(kind, seed=1, today=TODAY), FACE)
    assert np.array_equal(again.front.image, card(kind).front.image) and np.array_equal(again.back.image, card(kind).back.image)


@pytest.mark.parametrize("kind", cards.KINDS)
def test_the_truth_says_what_stands_on_which_side(kind):
    front, back = card(kind).front, card(kind).back
    assert front.truth["mrz"] is None and {v["source"] for v in front.truth["fields"].values()} == {"viz"}
    assert all(name in front.quads or name == "nationality" for name in front.truth["fields"])
    both = card(kind).side("both").truth["fields"]
    assert both.keys() == front.truth["fields"].keys() | back.truth["fields"].keys()
    assert both["date_of_birth"]["source"] == "both"  # printed on the front, in the zone of the back
    if kind == "es_dni":  # the support number is the zone's document number, the DNI its optional data
        assert both["document_number"]["source"] == both["personal_number"]["source"] == "both"
        assert len(both["document_number"]["value"]) == len(both["personal_number"]["value"]) == 9


def test_an_edited_card_says_where_it_differs():
    faults = Faults(print_only={"document_number": "ABC123456"})
    edited = cards.draw_card(cards.holder("es_dni", seed=1, today=TODAY), FACE, faults=faults)
    assert edited.front.truth["zones_differ"] == ["document_number"] and edited.back.truth["mrz"]["valid"]
    assert edited.side("both").truth["zones_differ"] == ["document_number"]
    assert not edited.back.truth["zones_differ"]  # it is printed on the front only


# ---------------------------------------------------------------- what is read


@pytest.fixture(scope="module")
def engine() -> None:
    try:
        documents.load()
    except models.ModelFileMissing as missing:  # pragma: no cover - bin/install brings it
        pytest.skip(str(missing))


@cache
def read(kind: cards.CardKind, side: str, hardness: str, seed: int = 1, turns: int = 0) -> DocumentReading:
    try:
        picture = photograph(card(kind, seed).side(side).image, seed=seed, hardness=hardness)
    except FontMissing as missing:  # pragma: no cover - bin/install brings it
        pytest.skip(str(missing))
    return documents.read(np.ascontiguousarray(np.rot90(picture, turns)), today=TODAY)


def made_up(reading: DocumentReading, specimen: cards.Specimen) -> dict[str, str]:
    """Certain values that neither the print nor the zone of this side says."""
    told = values(specimen)
    zone = specimen.truth["mrz"]
    coded = mrz.parse(zone["lines"], today=TODAY).values if zone else {}
    return {
        name.value: field.value
        for name, field in reading.fields.items()
        if field.certain and field.value not in (told.get(name), coded.get(name))
    }


@pytest.mark.engines
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("kind", cards.KINDS)
@pytest.mark.parametrize(("side", "hardness"), [("back", "flat"), ("back", "medium"), ("both", "medium")])
def test_the_zone_of_a_card_is_read(kind, side, hardness):
    reading, specimen = read(kind, side, hardness), card(kind).side(side)
    assert reading.document_type is DocumentType.TD1 and reading.country == cards.COUNTRIES[kind]
    assert reading.mrz is not None and list(reading.mrz.lines) == specimen.truth["mrz"]["lines"]
    coded = mrz.parse(reading.mrz.lines, today=TODAY).values
    assert {name: reading.fields[name].value for name in coded} == coded
    assert reading.fields[Field.DOCUMENT_NUMBER].certain
    assert made_up(reading, specimen) == {}
    assert ReasonCode.SEVERAL_DOCUMENTS not in reading.problems


@pytest.mark.engines
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("kind", "turns"), zip(cards.KINDS, (1, 2, 3), strict=True))
def test_a_turned_back_is_read_alike(kind, turns):
    upright, turned = read(kind, "back", "medium"), read(kind, "back", "medium", turns=turns)
    assert turned.mrz == upright.mrz and turned.document_type is DocumentType.TD1
    assert made_up(turned, card(kind).back) == {}


@pytest.mark.engines
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("sex", ["M", "F"])
def test_a_mexican_zones_m_is_a_woman(sex):
    seed = next(s for s in SEEDS if cards.holder("mx_ine", seed=s, today=TODAY).person.sex == sex)
    reading = read("mx_ine", "back", "easy", seed=seed)
    assert reading.mrz is not None and reading.mrz.lines[1][7] == {"M": "H", "F": "M"}[sex]
    assert reading.fields[Field.SEX].value == sex


@pytest.mark.engines
@pytest.mark.usefixtures("engine")
def test_the_support_number_is_not_taken_for_the_dni():
    fields = read("es_dni", "back", "medium").fields
    person = cards.holder("es_dni", seed=1, today=TODAY).person
    assert fields[Field.DOCUMENT_NUMBER].value == person.document_number
    assert fields[Field.PERSONAL_NUMBER].value == person.personal_number


# ---------------------------------------------------------------- a front by itself


def found_on(picture: np.ndarray) -> layout.Front | None:
    with lines.remembering():
        return layout.front(picture, lines.find(picture, longest=736), page.find(picture), today=TODAY)


@cache
def front(kind: cards.CardKind, hardness: str, turns: int = 0) -> documents.DetailedReading:
    picture = photograph(card(kind).front.image, seed=1, hardness=hardness)
    return documents.read_detailed(np.ascontiguousarray(np.rot90(picture, turns)), today=TODAY)


PRINTED = {
    "kz_id": (Field.SURNAME_NATIVE, Field.DATE_OF_BIRTH, Field.SEX, Field.PERSONAL_NUMBER),
    "es_dni": (
        Field.SURNAME, Field.GIVEN_NAMES, Field.SEX, Field.NATIONALITY, Field.DATE_OF_BIRTH, Field.ISSUED_ON, Field.EXPIRES_ON,
        Field.DOCUMENT_NUMBER, Field.PERSONAL_NUMBER,
    ),
    "mx_ine": (Field.SURNAME, Field.GIVEN_NAMES, Field.DATE_OF_BIRTH, Field.PERSONAL_NUMBER),
}  # fmt: skip
"""What is read of each front without its back."""


@pytest.mark.engines
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("hardness", ["flat", "medium"])
@pytest.mark.parametrize("kind", cards.KINDS)
def test_a_front_is_told_by_its_words_and_read(kind, hardness):
    found, told = front(kind, hardness), values(card(kind).front)
    assert found.quarter_turns == 0
    reading = found.reading
    assert reading.document_type is DocumentType.TD1 and reading.country == cards.COUNTRIES[kind] and reading.mrz is None
    assert {name: reading.fields[name].value for name in PRINTED[kind]} == {name: told[name] for name in PRINTED[kind]}
    assert reading.fields.keys() <= told.keys() and made_up(reading, card(kind).front) == {}
    assert reading.portrait is not None


@pytest.mark.engines
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("kind", "turns"), zip(cards.KINDS, (1, 2, 3), strict=True))
def test_a_turned_front_is_read_alike(kind, turns):
    found = front(kind, "medium", turns)
    assert found.quarter_turns == 4 - turns
    assert found.reading.country == cards.COUNTRIES[kind]
    assert found.reading.fields[Field.DATE_OF_BIRTH].value == values(card(kind).front)[Field.DATE_OF_BIRTH]
    assert made_up(found.reading, card(kind).front) == {}


@pytest.mark.engines
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("name", [Field.SURNAME_NATIVE, Field.PATRONYMIC])
def test_a_thumb_on_the_last_letters_of_a_front_is_seen(name):
    picture = photograph(card("kz_id").front.image, seed=1, hardness="easy")
    clear = documents.read(picture, today=TODAY)
    assert clear.hidden == {} and clear.fields[name].value == values(card("kz_id").front)[name]
    x, y, _, tall = [box for box in clear.fields[name].letters if box is not None][-1]
    covered = picture.copy()
    covered[y - tall // 2 : y + 3 * tall // 2, x : x + 6 * tall] = (224, 172, 144)
    reading = documents.read(covered, today=TODAY)
    assert reading.hidden[name] is ReasonCode.DOCUMENT_COVERED and ReasonCode.DOCUMENT_COVERED in reading.problems
    assert name not in reading.fields or not reading.fields[name].certain


@pytest.mark.parametrize("kind", cards.KINDS)
def test_a_layout_says_where_its_fields_are_drawn(kind):
    """Left ends and rows of every field that is printed on one line, in millimetres."""
    for side in ("front", "back"):
        plan = next(one for one in layout_files.layouts() if one.name == f"{kind}_{side}")
        assert plan.country == cards.COUNTRIES[kind] and (plan.width, plan.height) == (cards.WIDE, cards.TALL)
        specimen = card(kind).side(side)
        millimetre = specimen.image.shape[1] / cards.WIDE
        for name, field in plan.fields.items():
            if len(field.rows) == 1:
                quad = specimen.quads[name.value] / millimetre
                assert field.left[0] <= quad[:, 0].min() <= field.left[1] and quad[:, 0].max() <= field.right
                assert abs(quad[:, 1].mean() - field.rows[0]) < 0.6, name
        printed = {Field(name) for name, v in specimen.truth["fields"].items() if v["source"] != "mrz"}
        assert plan.fields.keys() <= printed and printed - plan.fields.keys() <= {Field.NATIONALITY}


@pytest.mark.engines
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("kind", ["driving_licence", "library"])
def test_another_card_is_not_taken_for_one_of_these(kind):
    picture = photograph(cards.draw_stranger(kind, FACE, seed=1).image, seed=1, hardness="easy")
    assert found_on(picture) is None
    reading = documents.read(picture, today=TODAY)
    assert reading.document_type is None and reading.fields == {} and reading.problems


@pytest.mark.engines
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("kind", cards.KINDS)
def test_both_sides_on_one_photo_are_one_document(kind):
    reading, told = read(kind, "both", "medium"), values(card(kind).side("both"))
    for name in (Field.DATE_OF_BIRTH, Field.DOCUMENT_NUMBER, Field.PERSONAL_NUMBER):
        assert reading.fields[name].value == told[name] and reading.fields[name].certain
    assert reading.fields[Field.DATE_OF_BIRTH].source is Source.BOTH
    assert ReasonCode.ZONES_DISAGREE not in reading.problems


ZONE = {Field.SURNAME: "IVANOVA", Field.GIVEN_NAMES: "ANNA", Field.DATE_OF_BIRTH: "1988-03-07", Field.SEX: "F"}
HERS = {Field.SURNAME_NATIVE: "ИВАНОВА", Field.PATRONYMIC: "ОЛЕГОВНА", Field.DATE_OF_BIRTH: "1988-03-07"}


def beside(
    monkeypatch: pytest.MonkeyPatch, printed: dict[Field, str], *covered: Field
) -> tuple[dict[Field, FieldReading], bool, dict[Field, ReasonCode]]:
    """What comes of ZONE with a front that says `printed` beside it, all of it read for certain but what is `covered`."""

    def sure(values: dict[Field, str], source: Source) -> dict[Field, FieldReading]:
        return {name: FieldReading(value=v, confidence=0.99, certain=True, source=source) for name, v in values.items()}

    fields = {name: replace(one, certain=name not in covered) for name, one in sure(printed, Source.VIZ).items()}
    hidden = dict.fromkeys(covered, ReasonCode.DOCUMENT_COVERED)
    seen = DocumentReading(document_type=DocumentType.TD1, country="KAZ", fields=fields, hidden=hidden)
    corners = np.zeros((4, 2), np.float32)
    monkeypatch.setattr(layout, "front", lambda *_, **__: layout.Front(reading=seen, quarter_turns=0, corners=corners))
    monkeypatch.setattr(assemble, "_outside", lambda *_: [None] * 20)
    zone = replace(mrz.parse(cards.td1_zone(cards.holder("kz_id", seed=1, today=TODAY))[0], today=TODAY), country="KAZ")
    assert zone.valid
    return assemble._with_front(FACE, [], [], corners, zone, sure(ZONE, Source.MRZ), today=TODAY)[:3]


def test_what_only_the_front_says_is_certain_where_both_sides_name_one_person(monkeypatch):
    fields, disagree, hidden = beside(monkeypatch, HERS)
    assert not disagree and fields[Field.PATRONYMIC].certain and fields[Field.SURNAME_NATIVE].certain and not hidden


def test_what_only_the_front_says_is_uncertain_where_nothing_ties_it_to_the_back(monkeypatch):
    fields, disagree, _ = beside(monkeypatch, {name: v for name, v in HERS.items() if name is not Field.DATE_OF_BIRTH})
    assert not disagree and not fields[Field.PATRONYMIC].certain and not fields[Field.SURNAME_NATIVE].certain


@pytest.mark.parametrize(
    ("name", "value", "own"),
    [
        (Field.SURNAME_NATIVE, "ПЕТРОВА", Field.SURNAME),
        (Field.SEX, "M", Field.SEX),
        (Field.GIVEN_NAMES_NATIVE, "ОЛЬГА", Field.GIVEN_NAMES),
    ],
)
def test_another_persons_front_beside_the_back_is_told(monkeypatch, name, value, own):
    fields, disagree, _ = beside(monkeypatch, {**HERS, name: value})
    assert disagree and not fields[name].certain and not fields[own].certain and not fields[Field.PATRONYMIC].certain


def test_a_thumb_on_a_front_is_no_other_print(monkeypatch):
    fields, disagree, hidden = beside(monkeypatch, {**HERS, Field.SURNAME_NATIVE: "ИВАНО"}, Field.SURNAME_NATIVE)
    assert not disagree and fields[Field.SURNAME].certain
    assert not fields[Field.SURNAME_NATIVE].certain and not fields[Field.PATRONYMIC].certain
    assert hidden == {Field.SURNAME_NATIVE: ReasonCode.DOCUMENT_COVERED}


@pytest.mark.engines
@pytest.mark.usefixtures("engine")
def test_a_front_that_says_otherwise_than_the_zone_makes_neither_certain():
    edited = cards.draw_card(
        cards.holder("es_dni", seed=1, today=TODAY), FACE, faults=Faults(print_only={"document_number": "ABC123456"})
    )
    reading = documents.read(photograph(edited.side("both").image, seed=1, hardness="medium"), today=TODAY)
    assert ReasonCode.ZONES_DISAGREE in reading.problems and not reading.fields[Field.DOCUMENT_NUMBER].certain
    assert reading.mrz is not None and reading.mrz.valid and reading.fields[Field.DATE_OF_BIRTH].certain
