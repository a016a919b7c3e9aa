"""Printed values by layout: files, placing, finding, two readers, the zone's word, fronts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.specimens import people, portraits
from tests.specimens.draw import PX, Faults, Page, draw_td3
from verification import documents, ocr
from verification.documents import beam, ctc, field_lines, hearing, layout, layout_files, lines, meaning, mrz, page, placing, viz
from verification.documents.hearing import Heard, Part
from verification.documents.lines import Line, Pixels, Quad
from verification.documents.mrz import ParsedMrz
from verification.documents.viz import Printed
from verification.evidence import DocumentType, Field, FieldReading, Source
from verification.models import shapes

TODAY = date(2026, 11, 22)
PAGE = np.array([(-3.75, -2.64), (128.75, -2.64), (128.75, 90.64), (-3.75, 90.64)], np.float32)  # 125 x 88 mm with 3 % around


@pytest.fixture(scope="module", autouse=True)
def networks() -> None:
    documents.load()


def field(value: str, *, certain: bool = True) -> FieldReading:
    return FieldReading(value=value, confidence=0.9, certain=certain, source=Source.MRZ)


def page_values(picture: Pixels, parsed: ParsedMrz, fields: dict[Field, FieldReading]) -> dict[Field, FieldReading]:
    """What the page of a flat drawing says beyond its zone: the drawing is the page, edge to edge."""
    found = lines.find(picture, longest=960)
    rows = [line for line in found if line.width > 0.8 * picture.shape[1]][-2:]
    rows.sort(key=lambda line: float(line.centre[1]))
    printed = [Printed(text=t, confidence=c, line=x) for x in found for t, c in [lines.read_at(picture, x.quad).text()] if t]
    names = (parsed.values[Field.SURNAME], parsed.values[Field.GIVEN_NAMES])
    confirmed = viz.confirm(parsed.values, printed, zone_names=names)
    quads = [row.quad for row in rows]
    return layout.page_fields(picture, found, PAGE * PX, quads, parsed, printed, confirmed, fields, today=TODAY)


def drawn(key: str, **other: Any) -> tuple[Pixels, ParsedMrz, dict[Field, FieldReading], people.Person]:
    _, country, paper = people.PAPERS[key]
    person = replace(paper(TODAY), **other)
    specimen = draw_td3(person, portraits.for_print("a", 1), country=country)
    parsed = mrz.parse(specimen.truth["mrz"]["lines"], today=TODAY)
    return specimen.image, parsed, {name: field(value) for name, value in parsed.values.items()}, person


# ---------------------------------------------------------------- files


def test_every_layout_file_loads_and_names_its_fields_places_inside_the_page() -> None:
    found = {lay.name: lay for lay in layout_files.layouts()}
    assert {"rus_travel_2003", "rus_travel_2010", "kaz_passport", "esp_passport", "mex_passport"} <= found.keys()
    for lay in found.values():
        for plan in lay.fields.values():
            assert all(0 < row < lay.height for row in plan.rows), (lay.name, plan.name)
            assert plan.left[0] <= plan.left[1] <= plan.right <= lay.width, (lay.name, plan.name)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("usual", ["ФМС"]),
        ("dotted", ["Г"]),
        ("alphabet", "klingon"),
        ("shape", "poem"),
        ("check", "luck"),
        ("colour", "red"),
        ("signs", "%"),
        ("pattern", "("),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, key: str, value: str) -> None:
    plan = {"left": [10, 12], "right": 60, "rows": [20], key: value}
    data = {"document": "TD3", "country": "XXA", "page": [125, 88], "letters": 2, "fields": {"issuer": plan}}
    (tmp_path / "wrong.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(layout_files.LayoutWrong, match="layout wrong"):
        layout_files.layouts(tmp_path)


# ---------------------------------------------------------------- adding a country is adding a file

FILE = {
    "document": "TD1",
    "country": "XXB",
    "page": [85.6, 54],
    "letters": 2.2,
    "portrait": [4, 14, 22, 28],
    "anchors": [{"words": "RESIDENCE CARD OF NOWHERE", "at": [10, 6, 54], "alphabet": "latin"}],
    "fields": {
        "surname": {"left": [32, 34], "right": 80, "rows": [17], "alphabet": "latin", "shape": "name", "labels": ["SURNAME"]},
        "issuer": {"left": [32, 34], "right": 80, "rows": [26], "alphabet": ["russian", "digits"]},
        "date_of_birth": {"left": [32, 34], "right": 60, "rows": [35], "shape": "date"},
        "document_number": {"left": [32, 34], "right": 70, "rows": [44], "alphabet": "latin+digits", "shape": "number",
                            "pattern": "[A-Z]{2}\\d{6}"},
    },
}  # fmt: skip


def card(*, x: float = 0.0, y: float = 0.0, number: str = "QK 482915") -> Pixels:
    """Draw the card that FILE describes, its values slipped by x, y millimetres against everything else."""
    sheet = Page.of(85.6, 54, (236, 234, 226))
    plain: dict[str, Any] = {"face": "LiberationSans-Regular.ttf", "size": 3.1}
    sheet.print("RESIDENCE CARD OF NOWHERE", 10, 7, face="LiberationSans-Bold.ttf", size=2.85)
    for text, label, row in (
        ("QUILLVANE", "Surname", 17), ("ФМС 77031", "Office", 26), ("07.03.1988", "Born", 35), (number, "Number", 44),
    ):  # fmt: skip
        sheet.print(label, 33, row - 2.6, face="LiberationSans-Regular.ttf", size=1.6, colour=(110, 100, 100))
        sheet.print(text, 33 + x, row + 1.1 + y, **plain)
    return sheet.done()


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nowhere.json").write_text(json.dumps(FILE, ensure_ascii=False), encoding="utf-8")
    known = layout_files.layouts(tmp_path)
    monkeypatch.setattr(layout_files, "layouts", lambda: known)


def on_table(picture: Pixels, *, turns: int = 0) -> Pixels:
    board = np.full((picture.shape[0] + 260, picture.shape[1] + 300, 3), (90, 104, 118), np.uint8)
    board[120 : 120 + picture.shape[0], 170 : 170 + picture.shape[1]] = picture
    return np.ascontiguousarray(np.rot90(board, turns))


def read_front(picture: Pixels) -> layout.Front | None:
    return layout.front(picture, lines.find(picture, longest=736), page.find(picture), today=TODAY)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_card_of_a_new_country_is_read_from_its_file_alone_whichever_way_up(turns: int) -> None:
    front = read_front(on_table(card(), turns=turns))
    assert front is not None
    assert (front.reading.document_type, front.reading.country) == (DocumentType.TD1, "XXB")
    assert {name.value: f.value for name, f in front.reading.fields.items()} == {
        "surname": "QUILLVANE", "issuer": "ФМС 77031", "date_of_birth": "1988-03-07", "document_number": "QK482915",
    }  # fmt: skip
    assert front.quarter_turns == -turns % 4
    assert front.reading.portrait is not None


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(("x", "y"), [(1.5, 0.9), (-1.2, -0.7), (0.0, 1.2)])
def test_values_that_slipped_are_found_all_the_same(x: float, y: float) -> None:
    front = read_front(on_table(card(x=x, y=y)))
    assert front is not None
    assert front.reading.fields[Field.SURNAME].value == "QUILLVANE"
    assert front.reading.fields[Field.DATE_OF_BIRTH].value == "1988-03-07"


@pytest.mark.usefixtures("nowhere")
def test_a_label_is_no_value_and_a_value_against_its_pattern_is_not_given() -> None:
    front = read_front(on_table(card(number="QK 48")))
    assert front is not None
    assert Field.DOCUMENT_NUMBER not in front.reading.fields
    assert "SURNAME" not in {f.value.upper() for f in front.reading.fields.values()}


@pytest.mark.usefixtures("nowhere")
def test_a_paper_without_the_words_is_no_front() -> None:
    sheet = Page.of(85.6, 54, (236, 234, 226))
    sheet.print("LIBRARY TICKET OF SOMEWHERE", 10, 7, face="LiberationSans-Bold.ttf", size=2.85)
    sheet.print("QUILLVANE", 33, 18, face="LiberationSans-Regular.ttf", size=3.1)
    assert read_front(on_table(sheet.done())) is None


# ---------------------------------------------------------------- the page of a passport


def test_a_russian_page_gives_native_names_patronymic_issuer_place_and_day() -> None:
    picture, parsed, fields, person = drawn("russian_traveller", place_of_birth="ТВЕРЬ / RUSSIA")
    got = page_values(picture, parsed, fields)
    assert {
        name: got[name].value for name in got if name in (Field.SURNAME_NATIVE, Field.GIVEN_NAMES_NATIVE, Field.PATRONYMIC)
    } == {
        Field.SURNAME_NATIVE: person.surname_native,
        Field.GIVEN_NAMES_NATIVE: person.given_names_native,
        Field.PATRONYMIC: person.patronymic,
    }
    assert got[Field.ISSUER].value == person.issuer
    assert got[Field.PLACE_OF_BIRTH].value == "ТВЕРЬ / RUSSIA"
    assert got[Field.ISSUED_ON].value == person.issued_on.isoformat()
    assert got[Field.SURNAME_NATIVE].certain and got[Field.ISSUED_ON].certain


def test_each_letter_has_its_place_from_left_to_right_on_the_line() -> None:
    picture, parsed, fields, person = drawn("russian_traveller")
    surname = page_values(picture, parsed, fields)[Field.SURNAME_NATIVE]
    boxes = [box for box in surname.letters if box is not None]
    assert len(surname.letters) == len(person.surname_native or "") == len(boxes)
    assert [box[0] for box in boxes] == sorted(box[0] for box in boxes)
    assert surname.box is not None
    assert boxes[0][0] >= surname.box[0] - 1
    assert boxes[-1][0] + boxes[-1][2] <= surname.box[0] + surname.box[2] + 1


def test_a_day_has_places_for_its_figures_in_the_order_of_the_value() -> None:
    picture, parsed, fields, _ = drawn("russian_traveller")
    day = page_values(picture, parsed, fields)[Field.ISSUED_ON]
    assert len(day.letters) == 10
    assert day.letters[4] is None and day.letters[7] is None
    year, month, first = day.letters[0], day.letters[5], day.letters[8]
    assert year is not None and month is not None and first is not None
    assert first[0] < month[0] < year[0]  # printed DD.MM.YYYY


@pytest.mark.parametrize("key", ["kazakh", "spanish", "mexican"])
def test_other_states_pages_are_read(key: str) -> None:
    picture, parsed, fields, person = drawn(key)
    got = page_values(picture, parsed, fields)
    assert got[Field.ISSUED_ON].value == person.issued_on.isoformat()
    assert got[Field.ISSUER].value == person.issuer
    assert got[Field.PLACE_OF_BIRTH].value == person.place_of_birth
    number = got.get(Field.PERSONAL_NUMBER) or fields[Field.PERSONAL_NUMBER]
    assert number.value == person.personal_number


def test_a_state_without_a_file_is_led_by_its_labels_and_never_certain() -> None:
    picture, parsed, fields, person = drawn("utopian")
    got = page_values(picture, parsed, fields)
    assert got[Field.PLACE_OF_BIRTH].value == person.place_of_birth
    assert got[Field.ISSUER].value == person.issuer
    assert not any(got[name].certain for name in (Field.PLACE_OF_BIRTH, Field.ISSUER, Field.ISSUED_ON))


# ---------------------------------------------------------------- print and zone


def heard(text: str, *, other: str | None = None, odds: float = 0.99, weak: dict[str, float] | None = None) -> Heard:
    """A value as if read: each character with its odds; `other` is what Tesseract read."""
    told = text if other is None else other
    line = Line(quad=np.array([[0, 0], [200, 0], [200, 20], [0, 20]], np.float32), score=1.0)
    return Heard(
        characters=tuple((c, (weak or {}).get(c, odds), None if c == " " else (at * 10, 0, 10, 20)) for at, c in enumerate(text)),
        agreed=told == text, yielded=False, lines=(line,), other=told,
    )  # fmt: skip


def native(print_: Heard, zone: FieldReading, *, name: Field = Field.SURNAME_NATIVE) -> dict[Field, FieldReading]:
    lay = next(lay for lay in layout_files.layouts() if lay.name == "rus_travel_2010")
    of = {Field.SURNAME_NATIVE: Field.SURNAME, Field.GIVEN_NAMES_NATIVE: Field.GIVEN_NAMES}[name]
    return meaning.meant(lay.fields[name], print_, {of: zone}, country="RUS", valid=True, today=TODAY)


@pytest.mark.parametrize(
    ("print_", "zone", "certain"),
    [
        (heard("ПОЛЯКОВ"), field("POLIAKOV"), True),
        (heard("ПОЛЯКОВ", other="ПОЛЯХОВ"), field("POLIAKOV"), True),  # the zone is the second reader
        (heard("ПОЛЯКОВ", other="ПОЛЯХОВ", odds=0.3), field("POLIAKOV"), False),
        (heard("ЗУЕВ", other="ЗУЁВ"), field("ZUEV"), False),  # Ё or Е: the zone shows neither
        (heard("ЗУЕВ", weak={"Е": 0.2}), field("ZUEV"), False),
        (heard("ЗУЕВ"), field("ZUEV"), True),
        (heard("КОНЬКОВ", other="КОНКОВ"), field("KONKOV"), False),  # Ь: the zone leaves it out
        (heard("ПОЛЯКОВ"), field("POLIAKOVA"), False),  # the zone says another name
        (heard("ЗУЕВ", weak={"Е": 0.9}), field("ZUEV"), False),  # both readers lose two dots
        (heard("ЗАЙКОВ", weak={"Й": 0.6}), field("ZAIKOV"), False),  # Й or И
        (heard("КОНЬКОВ", weak={"Ь": 0.6}), field("KONKOV"), False),
        (heard("ИВАНОВ", other="ИВАНОВА"), field("IVANOV"), False),  # the other reader saw a letter more
    ],
)
def test_a_native_name_is_certain_where_zone_and_readers_leave_no_other_letter(
    print_: Heard, zone: FieldReading, certain: bool
) -> None:
    reading = native(print_, zone)[Field.SURNAME_NATIVE]
    assert reading.value == print_.text
    assert reading.certain is certain


def test_a_kazakh_letter_that_the_zone_does_not_show_must_be_clear() -> None:
    lay = next(lay for lay in layout_files.layouts() if lay.name == "kz_id_front")
    plan = lay.fields[Field.SURNAME_NATIVE]
    for odds, certain in ((0.99, True), (0.6, False)):
        print_ = replace(heard("КАНАТОВ", weak={"К": odds}), kazakh=True)
        got = meaning.meant(plan, print_, {Field.SURNAME: field("KANATOV")}, country="KAZ", valid=True, today=TODAY)
        assert got[Field.SURNAME_NATIVE].certain is certain


def test_the_zone_chooses_no_other_text_where_both_readers_read_the_same() -> None:
    clear = replace(heard("ИВАНОВА"), choices=(heard("ИВАНОВ"),))
    got = native(clear, field("IVANOV"))[Field.SURNAME_NATIVE]
    assert (got.value, got.certain) == ("ИВАНОВА", False)
    doubtful = replace(heard("ПОЛЯХОВ", other="ПОЛЯКОБ"), choices=(heard("ПОЛЯКОВ", other="ПОЛЯКОБ"),))
    assert native(doubtful, field("POLIAKOV"))[Field.SURNAME_NATIVE].value == "ПОЛЯКОВ"


def test_a_choice_is_nearly_as_likely_and_leaves_no_letter_out() -> None:
    alphabet = "ИВАНОЕ"
    clear = read_as(spelled("ИВАНОВА", alphabet), alphabet=alphabet)
    assert [part.text for part in clear.choices()] == ["ИВАНОВА"]
    odds = spelled("ИВАНОВА", alphabet)
    for at in (18, 19):  # А or Е, and its end is faint: it may be nothing at all
        odds[at] = 0.001
        odds[at, [0, 1 + alphabet.index("А"), 1 + alphabet.index("Е")]] = 0.3, 0.36, 0.33
    texts = [part.text for part in read_as(odds, alphabet=alphabet).choices()]
    assert texts[0] == "ИВАНОВА" and "ИВАНОВЕ" in texts and "ИВАНОВ" not in texts


@pytest.mark.parametrize(
    ("name", "text", "certain"),
    [
        (Field.SURNAME_NATIVE, "БЕКЖОЛ", True),
        (Field.SURNAME_NATIVE, "БЕКЖ ОЛ", False),  # a lost hyphen, or a letter under something
        (Field.PATRONYMIC, "ҒАБИТОВНА", True),
        (Field.PATRONYMIC, "ҒАБИТОВ", False),
        (Field.PATRONYMIC, "САҢЫЛАУҚЫЗЫ", True),
        (Field.PATRONYMIC, "САҢЫЛАУҚЫ", False),
    ],
)
def test_without_a_zone_a_name_must_look_whole(name: Field, text: str, certain: bool) -> None:
    lay = next(lay for lay in layout_files.layouts() if lay.name == "kz_id_front")
    got = meaning.meant(lay.fields[name], heard(text), {}, country="KAZ", valid=False, today=TODAY)
    assert got[name].certain is certain


def test_a_patronymic_behind_given_names_must_end_as_one() -> None:
    got = native(heard("АННА ОЛЕГОВН"), field("ANNA"), name=Field.GIVEN_NAMES_NATIVE)
    assert got[Field.GIVEN_NAMES_NATIVE].certain and not got[Field.PATRONYMIC].certain


def test_two_readers_of_the_print_make_a_lonely_zone_certain_and_one_does_not() -> None:
    doubtful = field("POLIAKOV", certain=False)
    assert native(heard("ПОЛЯКОВ"), doubtful)[Field.SURNAME].certain
    assert Field.SURNAME not in native(heard("ПОЛЯКОВ", other="ПОЛЯХОВ"), doubtful)
    assert Field.SURNAME not in native(heard("ПОЛЯКОВА"), doubtful)


def test_given_names_end_where_the_zones_do_and_the_rest_is_the_patronymic() -> None:
    got = native(heard("АННА МАРИЯ ОЛЕГОВНА"), field("ANNA MARIIA"), name=Field.GIVEN_NAMES_NATIVE)
    assert got[Field.GIVEN_NAMES_NATIVE].value == "АННА МАРИЯ"
    assert got[Field.PATRONYMIC].value == "ОЛЕГОВНА"
    assert got[Field.PATRONYMIC].certain


def test_what_only_one_reader_says_of_print_alone_is_not_certain() -> None:
    got = native(heard("АННА ОЛЕГОВНА", other="АННА ОЛЕСОВНА"), field("ANNA"), name=Field.GIVEN_NAMES_NATIVE)
    assert got[Field.GIVEN_NAMES_NATIVE].certain
    assert not got[Field.PATRONYMIC].certain


@pytest.mark.parametrize(
    ("text", "certain"),
    [("Г. ТВЕРЬ / RUSSIA", True), ("Г ТВЕРЬ / RUSSIA", False), ("ГТВЕРЬ / RUSSIA", False), ("УФА / RUSSIA", True)],
)
def test_a_place_that_may_have_lost_its_dot_is_not_certain(text: str, certain: bool) -> None:
    lay = next(lay for lay in layout_files.layouts() if lay.name == "rus_travel_2010")
    got = meaning.meant(lay.fields[Field.PLACE_OF_BIRTH], heard(text), {}, country="RUS", valid=True, today=TODAY)
    assert got[Field.PLACE_OF_BIRTH].value == text
    assert got[Field.PLACE_OF_BIRTH].certain is certain


@pytest.mark.parametrize("text", ["31.02.2020", "22.11.2027", "01.01.1950", "МВД 69004"])
def test_no_day_of_issue_that_cannot_be_one(text: str) -> None:
    lay = next(lay for lay in layout_files.layouts() if lay.name == "rus_travel_2010")
    known = {Field.DATE_OF_BIRTH: field("1970-05-05"), Field.EXPIRES_ON: field("2033-01-01")}
    assert meaning.meant(lay.fields[Field.ISSUED_ON], heard(text), known, country="RUS", valid=True, today=TODAY) == {}


def test_a_wholly_other_print_is_given_but_not_certain_on_the_page() -> None:
    _, country, paper = people.PAPERS["russian_traveller"]
    faults = Faults(zone_only={"surname": "KARASIKOV"})
    specimen = draw_td3(paper(TODAY), portraits.for_print("a", 1), country=country, faults=faults)
    parsed = mrz.parse(specimen.truth["mrz"]["lines"], today=TODAY)
    got = page_values(specimen.image, parsed, {name: field(value) for name, value in parsed.values.items()})
    assert got[Field.SURNAME_NATIVE].value == "ЯСТРЕБЦОВ"
    assert not got[Field.SURNAME_NATIVE].certain


# ---------------------------------------------------------------- placing and decoding


def test_known_lines_move_the_placement_to_where_they_stand() -> None:
    lay = next(lay for lay in layout_files.layouts() if lay.name == "rus_travel_2010")
    first = placing.from_corners(lay, PAGE * PX)
    off = np.array([2.5, -1.8], np.float32) * PX
    known = [
        placing.Known(at, np.array(at, np.float32) * PX + off) for at in ((38.2, 19.1), (38.2, 38.1), (38.2, 55.9), (80.5, 10.6))
    ]
    placed = placing.place(lay, first, known)
    seen = placed.mm(np.array([[60, 45]], np.float32) * PX + off)[0]
    assert np.abs(seen - (60, 45)).max() < 0.7
    untouched = placing.place(lay, first, ())
    assert np.abs(untouched.mm(np.array([[60, 45]], np.float32) * PX)[0] - (60, 45)).max() < 0.01


def test_one_line_far_astray_does_not_move_the_page() -> None:
    lay = next(lay for lay in layout_files.layouts() if lay.name == "rus_travel_2010")
    first = placing.from_corners(lay, PAGE * PX)
    places = ((38.2, 19.1), (38.2, 28.2), (38.2, 38.1), (38.2, 55.9), (80.5, 10.6))
    known = [placing.Known(at, np.array(at, np.float32) * PX) for at in places]
    known[3] = replace_point(known[3], (62.0, 44.0))
    placed = placing.place(lay, first, known)
    assert np.abs(placed.mm(np.array([[60, 45]], np.float32) * PX)[0] - (60, 45)).max() < 0.7


def replace_point(known: placing.Known, mm: tuple[float, float]) -> placing.Known:
    return known._replace(point=np.array(mm, np.float32) * PX)


def spelled(text: str, alphabet: str, *, pause: float = 0.9) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Odds as a network gives them: each character for two frames with a pause of one frame between."""
    rows = []
    for character in text:
        for blank in (0.05, 0.05, pause):
            row = np.full(1 + len(alphabet), 0.001, np.float32)
            row[0], row[1 + alphabet.index(character)] = blank, 0.95 - blank + 0.04
            rows.append(row)
    return np.stack(rows)


def test_the_sum_over_paths_keeps_real_double_letters_and_drops_a_stutter() -> None:
    alphabet = "АЖН"
    best = beam.likeliest(spelled("АННА", alphabet))[0]
    assert "".join(alphabet[k - 1] for k in best) == "АННА"
    stutter = np.array([[0.05, 0.01, 0.94, 0.0], [0.52, 0.01, 0.47, 0.0], [0.05, 0.01, 0.94, 0.0]], np.float32)
    assert beam.likeliest(stutter)[0] in ((2,), (2, 2))
    assert ctc.odds_of(stutter, (2,)) > ctc.odds_of(stutter, (2, 1, 2))


def read_as(seen: np.ndarray[Any, np.dtype[np.float32]], *more: np.ndarray[Any, np.dtype[np.float32]], alphabet: str) -> Part:
    """A part of a line of which each look saw these odds, by columns of the alphabet."""
    columns = shapes.letters(alphabet)
    looks = []
    for odds in (seen, *more):
        whole = np.zeros((len(odds), 1 + len(shapes.CLASSES)), np.float32)
        whole[:, 0] = odds[:, 0]
        for at, own in enumerate(columns):
            whole[:, own[0]] = odds[:, at + 1]
        looks.append(whole)
    dotted = frozenset({"Г"}) if "." in alphabet else frozenset()
    return Part.of(quad_at(0, 0, 200, 20), looks, alphabet, ctc.abbreviated(alphabet, dotted) if dotted else None)


PLACE = "ГВЕТЬР ."


def test_a_dot_that_one_look_of_several_sees_stands_and_is_as_sure_as_it_was_seen() -> None:
    lost, faint = spelled("ГТВЕРЬ", PLACE), spelled("Г. ТВЕРЬ", PLACE)
    lost[1:3, [1 + PLACE.index("."), 1 + PLACE.index(" ")]] = 0.02
    faint[3:9] = faint[3:9] * 0.5 + 0.5 * np.eye(1, faint.shape[1], dtype=np.float32)
    part = read_as(lost, faint, alphabet=PLACE)
    assert part.text == "Г. ТВЕРЬ"
    assert part.letters[1].chance < 0.6


def test_no_dot_is_read_where_no_look_sees_one() -> None:
    assert read_as(spelled("ГТВЕРЬ", PLACE), spelled("ГТВЕРЬ", PLACE), alphabet=PLACE).text == "ГТВЕРЬ"
    assert read_as(spelled("ТВЕРЬ", PLACE), spelled("ТВЕРЬ", PLACE), alphabet=PLACE).text == "ТВЕРЬ"


def test_a_reader_that_lost_a_dot_does_not_take_it_away() -> None:
    part = read_as(spelled("Г. ТВЕРЬ", PLACE), alphabet=PLACE).joined_by("ГТВЕРЬ")
    assert part.text == "Г. ТВЕРЬ"
    assert not part.agreed


def test_a_reader_that_lost_a_mark_is_followed_only_where_the_network_hardly_saw_it() -> None:
    alphabet = "ФЕЁДОР"
    clear = spelled("ФЁДОР", alphabet)
    assert read_as(clear, alphabet=alphabet).joined_by("ФЕДОР").text == "ФЁДОР"
    doubted = clear.copy()
    doubted[:, 1 + alphabet.index("Е")] = 0.8 * doubted[:, 1 + alphabet.index("Ё")]
    assert read_as(doubted, alphabet=alphabet).joined_by("ФЕДОР").text == "ФЕДОР"
    other = clear.copy()
    other[:, 1 + alphabet.index("Е")] = 0.1 * other[:, 1 + alphabet.index("Ё")]
    assert read_as(other, alphabet=alphabet).joined_by("ФЕДОР").text == "ФЁДОР"


@pytest.mark.parametrize(("text", "certain"), [("Г. ТВЕРЬ / RUSSIA", True), ("Г. ТВЕРЬ", False)])
def test_a_place_without_its_state_may_be_cut(text: str, certain: bool) -> None:
    plan = next(lay for lay in layout_files.layouts() if lay.name == "rus_travel_2010").fields[Field.PLACE_OF_BIRTH]
    got = meaning.meant(plan, heard(text), {}, country="RUS", valid=True, today=TODAY)
    assert got[Field.PLACE_OF_BIRTH].certain is certain


def test_of_several_looks_the_text_that_all_together_find_likeliest_is_taken() -> None:
    alphabet = "ӘБІЛТЕУОВА"
    one, two = spelled("ӘБІЛТЛЕУОВА", alphabet), spelled("ӘБІЛТІЛЕУОВА", alphabet)
    for at in (12, 13):  # at its natural width the narrow letter is nearly gone
        one[at, 1 + alphabet.index("І")] = 0.4
    assert read_as(one, two, two, alphabet=alphabet).text == "ӘБІЛТІЛЕУОВА"


def test_what_is_usually_printed_is_taken_where_it_is_nearly_as_likely_and_nowhere_else() -> None:
    alphabet = "ҚРІШКСТЕМИНЛГП "
    odds = spelled("МИНИСТРЛІГ", alphabet)
    odds[-1, 1 + alphabet.index("І")] = 0.05
    part = read_as(odds, alphabet=alphabet)
    assert part.text == "МИНИСТРЛІГ"
    taken = part.usually(["МИНИСТРЛІГІ"])
    assert taken.text == "МИНИСТРЛІГІ" and taken.yielded and taken.letters[-1].chance < 0.1
    assert part.usually(["КЕМСЕР"]).text == "МИНИСТРЛІГ"


def test_kazakh_print_is_heard_in_kazakh_and_russian_in_russian(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def told(crops: list[Any], *, language: str) -> list[ocr.OcrLine]:
        asked.append(language)
        return [ocr.OcrLine(text="", confidence=0.0)] * len(crops)

    monkeypatch.setattr(ocr, "read_lines", told)
    picture = np.full((60, 300, 3), 230, np.uint8)
    line = Line(quad=quad_at(20, 15, 200, 30), score=1.0)
    for name in ("kz_id_front", "rus_travel_2010"):
        lay = next(lay for lay in layout_files.layouts() if lay.name == name)
        plan = lay.fields[Field.SURNAME_NATIVE]
        alphabet = plan.alphabets[0]
        odds = read_as(spelled("БАЛОВ", alphabet), alphabet=alphabet)
        monkeypatch.setattr(hearing, "_parts", lambda *_, part=odds, **__: [part])
        hearing.hear(picture, {Field.SURNAME_NATIVE: [line]}, lay.fields)
    assert asked == ["kaz", "rus"]


def test_a_kazakh_letter_that_only_its_mark_tells_must_be_clear() -> None:
    sure, faint = heard("ҚАНАТ"), heard("ҚАНАТ", weak={"Қ": 0.6})
    lay = next(lay for lay in layout_files.layouts() if lay.name == "kz_id_front")
    for print_, certain in ((sure, True), (faint, False)):
        plan = lay.fields[Field.GIVEN_NAMES_NATIVE]
        got = meaning.meant(plan, replace(print_, kazakh=True), {}, country="KAZ", valid=False, today=TODAY)
        assert got[Field.GIVEN_NAMES_NATIVE].certain is certain


def quad_at(x: float, y: float, wide: float, tall: float) -> Quad:
    return np.array([[x, y], [x + wide, y], [x + wide, y + tall], [x, y + tall]], np.float32)


def test_pieces_of_one_line_are_joined_and_print_beside_it_is_not() -> None:
    lay = next(lay for lay in layout_files.layouts() if lay.name == "rus_travel_2010")
    placed = placing.place(lay, placing.from_corners(lay, PAGE * PX), ())
    along = np.array([1, 0], np.float32)
    tall = 3.5 * PX
    row = (25.6 - 1.75) * PX
    pieces = [
        Line(quad=quad_at(38 * PX, row, 12 * PX, tall), score=1.0),
        Line(quad=quad_at(52 * PX, row, 20 * PX, tall), score=1.0),
    ]
    mark = Line(quad=quad_at(90 * PX, row + 8, 25 * PX, 1.5 * tall), score=1.0)
    rows = field_lines.rows_of(lay.fields.values(), field_lines.on_page([*pieces, mark], placed, along), 1.0)
    (line,) = rows[Field.GIVEN_NAMES_NATIVE]
    left, right = line.quad[:, 0].min() / PX, line.quad[:, 0].max() / PX
    assert (round(float(left)), round(float(right))) == (38, 72)


def test_a_sign_that_was_marked_apart_is_joined_to_the_tilted_line_beside_it() -> None:
    lay = next(lay for lay in layout_files.layouts() if lay.name == "rus_travel_2010")
    placed = placing.place(lay, placing.from_corners(lay, PAGE * PX), ())
    along = np.array([1, 0], np.float32)
    plan = lay.fields[Field.PLACE_OF_BIRTH]
    left, row, tall = sum(plan.left) / 2 * PX, plan.rows[0] * PX, 1.55 * plan.letters * PX
    word = quad_at(left + 0.9 * tall, row - tall / 2, 6 * tall, tall)
    word[[1, 2], 1] += 0.42 * tall  # four degrees
    for wide, high in ((0.95, 0.9), (1.05, 0.62)):  # "Г." upright as high as the line, and marked low
        sign = quad_at(left, row - high * tall / 2 - 0.02 * tall, wide * tall, high * tall)
        marked = field_lines.on_page([Line(quad=quad, score=1.0) for quad in (sign, word)], placed, along)
        (line,) = field_lines.rows_of([plan], marked, 1.0)[Field.PLACE_OF_BIRTH]
        assert line.width > 6.7 * tall, (wide, high)


def test_small_print_and_print_off_its_row_is_left_out() -> None:
    lay = next(lay for lay in layout_files.layouts() if lay.name == "rus_travel_2010")
    placed = placing.place(lay, placing.from_corners(lay, PAGE * PX), ())
    along = np.array([1, 0], np.float32)
    small = Line(quad=quad_at(38 * PX, (48.8 - 0.9) * PX, 15 * PX, 1.8 * PX), score=1.0)
    astray = Line(quad=quad_at(38 * PX, (51.8 - 1.75) * PX, 15 * PX, 3.5 * PX), score=1.0)
    assert Field.ISSUED_ON not in field_lines.rows_of(
        lay.fields.values(), field_lines.on_page([small, astray], placed, along), 1.0
    )


@pytest.mark.parametrize(
    ("text", "short"),
    [("МОСКВА /", True), ("/ RUSSIA", True), ("МОСКВА / RUSSIA", False), ("С. БОР", False), ("Г. / RUSSIA", True)],
)
def test_a_value_that_ends_in_what_joins_is_cut_short(text: str, short: bool) -> None:
    assert meaning.cut_short(text, frozenset({"Г", "С"})) is short
