"""Russian pages: placing the spread by its landmarks, sorting its rows, and real specimens."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from verification import documents
from verification.documents import ctc, russian, spread
from verification.documents.lines import Letter, Line
from verification.documents.spread import Mark, Marks
from verification.evidence import DocumentType, Field, FieldReading, Source
from verification.reasons import ReasonCode

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "documents"
TODAY = date(2026, 11, 22)
RIGHT = np.array([1.0, 0.0], np.float32)


def line_at(x: float, y: float, width: float, height: float, *, upright: bool = True) -> Line:
    """A line with its centre at x, y; lying down (read downwards) where not upright."""
    w, h = (width, height) if upright else (height, width)
    quad = np.array([[x - w / 2, y - h / 2], [x + w / 2, y - h / 2], [x + w / 2, y + h / 2], [x - w / 2, y + h / 2]], np.float32)
    return Line(quad=quad if upright else np.ascontiguousarray(np.roll(quad, -1, axis=0)), score=0.9)


def marks(scale: float = 8.0) -> Marks:
    """Landmarks of a spread lying straight at `scale` pixels per mm."""

    def value(text: str, x: float, y: float, width: float, height: float, *, upright: bool = True) -> Mark:
        return Mark(
            text=text, chance=0.99, line=line_at(x * 125 * scale, y * 176 * scale, width * scale, height * scale, upright=upright)
        )

    return Marks(
        direction=RIGHT,
        numbers=(
            value("4511123456", 0.945, 0.24, 40, 5, upright=False),
            value("4511123456", 0.945, 0.737, 39, 5, upright=False),
        ),
        dates=(value("14092011", 0.27, 0.213, 25, 4), value("07031985", 0.71, 0.729, 25, 4)),
        codes=(value("770045", 0.67, 0.209, 17, 4),),
    )


def test_the_spread_is_placed_by_its_landmarks() -> None:
    pages = spread.place(marks(), None, [])
    assert pages is not None
    placed = pages.whole
    assert np.linalg.norm(placed.photo(0.5, 0.5) - np.array([500, 704])) < 15
    x, y = placed.spread(np.array([500, 704], np.float32))
    assert abs(x - 0.5) < 0.02 and abs(y - 0.5) < 0.02


def test_dates_are_told_apart_by_the_codes_row() -> None:
    found = marks()
    names = {name: value.text for value, name in spread.named_dates(found, None)}
    assert names == {"issuer_code": "770045", "date_of_issue": "14092011", "date_of_birth": "07031985"}


def test_a_number_on_both_pages_is_certain_only_if_they_agree() -> None:
    fields: dict[Field, FieldReading] = {}
    numbers = marks().numbers
    russian._put_number(fields, numbers)
    assert fields[Field.DOCUMENT_NUMBER].certain
    other = Mark(text="4511123458", chance=0.99, line=numbers[1].line)
    russian._put_number(fields, (numbers[0], other))
    assert not fields[Field.DOCUMENT_NUMBER].certain
    russian._put_number(fields, numbers[:1])
    assert not fields[Field.DOCUMENT_NUMBER].certain  # one print, one network
    russian._put_number(fields, (replace(numbers[0], agreed=True),))
    assert fields[Field.DOCUMENT_NUMBER].certain


@pytest.mark.engines
@pytest.mark.skipif(not DATA.is_dir(), reason="the shared test pictures are not here")
@pytest.mark.parametrize("turns", [0, 1])
def test_the_specimen_spread_is_read(turns: int) -> None:
    item = json.loads((DATA / "labels.json").read_text(encoding="utf-8"))["items"][83]
    picture = np.ascontiguousarray(np.rot90(np.asarray(Image.open(DATA / item["file"]).convert("RGB")), turns))
    found = documents.read_detailed(picture, today=TODAY)
    fields = found.reading.fields
    assert found.reading.document_type is DocumentType.RU_INTERNAL and (found.quarter_turns + turns) % 4 == 0
    assert (
        fields[Field.DOCUMENT_NUMBER].value == item["fields"]["number"].replace(" ", "") and fields[Field.DOCUMENT_NUMBER].certain
    )
    for name in (Field.SURNAME, Field.GIVEN_NAMES, Field.PATRONYMIC):
        assert fields[name].value == item["fields"][name.value]
        assert len(fields[name].letters) == len(fields[name].value) and all(fields[name].letters)
    assert ReasonCode.DOCUMENT_IS_SPECIMEN in found.reading.problems


def field_of(value: str, *, certain: bool = False) -> FieldReading:
    return FieldReading(value=value, confidence=0.9, certain=certain, source=Source.VIZ)


def page_of(**values: str) -> dict[Field, FieldReading]:
    return {Field(name): field_of(value) for name, value in values.items()}


NAMED = {"surname": "ЩЕРБАКОВА", "given_names": "ЭЛЬВИРА", "patronymic": "ЮРЬЕВНА"}


@pytest.mark.parametrize(
    ("values", "alone", "passport"),
    [
        ({**NAMED, "date_of_birth": "1985-03-07", "issued_on": "2011-09-14"}, False, True),
        ({**NAMED, "date_of_birth": "2026-03-12", "issued_on": "2026-03-12"}, False, False),  # a screen with dates
        ({**NAMED, "date_of_birth": "2001-03-12", "issued_on": "2011-09-14"}, False, False),  # nobody has one at ten
        ({**NAMED, "date_of_birth": "1985-03-07"}, True, False),
        ({**NAMED, "date_of_birth": "1985-03-07", "sex": "F", "place_of_birth": "Г. ТВЕРЬ"}, True, True),
        ({"surname": "ЩЕРБАКОВА", "date_of_birth": "1985-03-07", "sex": "F", "place_of_birth": "Г. ТВЕРЬ"}, True, False),
        ({"document_number": "4511123456", "date_of_birth": "1985-03-07"}, False, True),
        ({"date_of_birth": "1985-03-07", "issued_on": "2011-09-14"}, False, False),
    ],
)
def test_what_makes_a_picture_an_internal_passport(values: dict[str, str], alone: bool, passport: bool) -> None:
    assert russian._is_passport(page_of(**values), alone=alone) is passport


def test_page_three_is_placed_by_its_date_of_birth_alone() -> None:
    whole = marks()
    lone = replace(whole, numbers=(), codes=(), dates=(whole.dates[1],))
    pages = spread.place(lone, None, [])
    assert pages is not None
    x, y = pages.lower.spread(np.array([0.71 * 1000, 0.729 * 1408], np.float32))
    assert abs(x - 0.71) < 0.01 and abs(y - 0.729) < 0.01
    assert spread.place(replace(lone, dates=()), None, []) is None


def test_yo_and_ye_are_one_letter_between_zone_and_page_and_others_are_not() -> None:
    assert russian._same(Field.SURNAME, "СЕМЁНОВ", "СЕМЕНОВ") and russian._same(Field.SURNAME, "ИВАНОВ-ПЕТРОВ", "ИВАНОВ ПЕТРОВ")
    assert not russian._same(Field.SURNAME, "СЕМЕНОВ", "СИМЕНОВ") and not russian._same(Field.ISSUER_CODE, "770-045", "770-046")


@pytest.mark.parametrize(
    ("printed", "confidence", "other"),
    [
        ("КАРАСИКОВА", 0.9, True),
        ("КАРАСИКОВА", 0.5, False),  # badly read
        ("ЩЕРБАНОВА", 0.9, False),  # a letter of Tesseract's
        ("ЮРЬЕВНА", 0.9, False),  # the row of the patronymic taken for this one
        ("ЩЕРБАКОВА ЭЛЬВИРА", 0.9, False),  # two rows in one
    ],
)
def test_a_wholly_other_name_on_the_page_speaks_against_the_zone(printed: str, confidence: float, other: bool) -> None:
    seen = replace(field_of(printed), confidence=confidence)
    assert russian._another_name(Field.SURNAME, seen, page_of(**NAMED)) is other


# ---------------------------------------------------------------- rows


def rows_on(squeeze: float, shift: float, scale: float = 8.0) -> tuple[list[Line], Marks, dict[str, int]]:
    """The printed lines of a lower page whose rows stand nearer to each other and lower than planned; a label beside them."""
    birth = 0.729
    offsets = {"surname": -0.150, "given_names": -0.077, "patronymic": -0.040, "place": 0.037, "place 2": 0.073}
    printed, numbers = [], {}
    for at, (name, offset) in enumerate(offsets.items()):
        printed.append(line_at(0.65 * 125 * scale, (birth + shift + squeeze * offset) * 176 * scale, 30 * scale, 4 * scale))
        numbers[name] = at
    printed.append(line_at(0.40 * 125 * scale, (birth + 0.03) * 176 * scale, 9 * scale, 2 * scale))  # "Место"
    return printed, marks(scale), numbers


@pytest.mark.parametrize(("squeeze", "shift"), [(1.0, 0.0), (0.84, 0.0), (1.12, 0.0), (1.0, 0.008), (0.88, -0.006)])
def test_rows_are_found_where_the_page_is_foreshortened_or_the_printer_strayed(squeeze: float, shift: float) -> None:
    printed, found, at = rows_on(squeeze, shift)
    pages = spread.place(found, None, printed)
    assert pages is not None
    rows = spread.rows(printed, found, pages, (1000, 1408))
    centres = {name: [tuple(row.line.centre.round().tolist()) for row in read] for name, read in rows.items()}
    for name, keys in (
        ("surname", ["surname"]), ("given_names", ["given_names"]), ("patronymic", ["patronymic"]),
        ("place_of_birth", ["place", "place 2"]),
    ):  # fmt: skip
        assert centres[name] == [tuple(printed[at[key]].centre.round().tolist()) for key in keys]
    assert [row.at for row in rows["place_of_birth"]] == [0, 1]


def test_the_title_is_no_row_of_the_issuer() -> None:
    title, first = (line_at(500, (0.213 + offset) * 1408, 400, 32) for offset in (-0.156, -0.117))
    pages = spread.place(marks(), None, [])
    assert pages is not None
    rows = spread.rows([title, first], marks(), pages, (1000, 1408))
    assert [row.line.centre.tolist() for row in rows["issuer"]] == [first.centre.tolist()]


def told(text: str, *, pitch: float = 0.03, chance: float = 0.95) -> list[Letter]:
    """Letters one pitch apart."""
    return [Letter(character=c, chance=chance, at=0.1 + pitch * at) for at, c in enumerate(text)]


def said(letters: list[Letter]) -> str:
    return "".join(letter.character for letter in letters)


def test_a_letter_told_twice_at_one_place_is_one_and_two_apart_are_two() -> None:
    twice = told("ВАЛОВ")
    twice.insert(3, replace(twice[2], at=twice[2].at + 0.01, chance=0.6))
    assert said(russian._once(twice)) == "ВАЛОВ"
    assert said(russian._once(told("АННА"))) == "АННА"


def test_words_part_at_spaces_and_where_a_letter_has_no_neighbour() -> None:
    assert [said(word) for word in russian._words(told("ПОС. ЮГ"))] == ["ПОС.", "ЮГ"]
    apart = [*told("ПОС."), *(replace(letter, at=letter.at + 0.15) for letter in told("ЮГ"))]
    assert [said(word) for word in russian._words(apart)] == ["ПОС.", "ЮГ"]


@pytest.mark.parametrize(
    ("seen", "meant"), [("0СТР0В", "ОСТРОВ"), ("3ЕЯ", "ЗЕЯ"), ("77О0З", "77003"), ("0", "0"), ("МВД", "МВД")]
)
def test_letters_and_figures_of_one_shape_are_told_by_their_neighbours(seen: str, meant: str) -> None:
    assert said(russian._by_neighbours(told(seen))) == meant


@pytest.mark.parametrize(
    ("second", "agreed"),
    [("ПОС. ЮГ", True), ("пос. юг", True), ("ПОС ЮГ", False), ("ПОС. ЮР", False), ("", False), ("ПОС.ЮГ", False)],
)
def test_a_second_reader_agrees_only_on_the_very_same_text(second: str, agreed: bool) -> None:
    heard = russian._Heard(letters=tuple(told("ПОС. ЮГ")), line=line_at(500, 100, 300, 30), at=0, second=second)
    assert heard.agreed is agreed


def test_a_lost_letter_leaves_a_gap_that_speaks_against_both_readers() -> None:
    letters = [letter for at, letter in enumerate(told("СТАРОЮРЬЕВ")) if at != 1]
    heard = russian._Heard(letters=tuple(letters), line=line_at(500, 100, 300, 30), at=0, second="САРОЮРЬЕВ")
    assert not heard.agreed


def test_a_field_whose_first_row_was_not_found_is_not_certain() -> None:
    row = russian._Heard(letters=tuple(told("ЮЖНЫЙ")), line=line_at(500, 100, 300, 30), at=0, second="ЮЖНЫЙ")
    fields: dict[Field, FieldReading] = {}
    russian._put_rows(fields, Field.PLACE_OF_BIRTH, [row])
    assert fields[Field.PLACE_OF_BIRTH].certain and fields[Field.PLACE_OF_BIRTH].value == "ЮЖНЫЙ"
    russian._put_rows(fields, Field.PLACE_OF_BIRTH, [replace(row, at=1)])
    assert not fields[Field.PLACE_OF_BIRTH].certain


def test_the_page_gives_the_hyphen_that_the_zone_cannot() -> None:
    assert russian._hyphened("АННА МАРИЯ", "АННА-МАРИЯ") == "АННА-МАРИЯ"
    assert russian._hyphened("СЕМЁНОВ", "СЕМЕНОВ") == "СЕМЁНОВ" and russian._hyphened("АННА МАРИЯ", "АННАМАРИЯ") == "АННА МАРИЯ"


# ---------------------------------------------------------------- what must not pass


def heard(text: str, *, at: int = 0, complete: bool = True, chance: float = 0.995) -> russian._Heard:
    """A row that both readers read."""
    line = line_at(500, 100, 900, 30)
    letters = tuple(replace(letter, chance=chance) for letter in told(text, pitch=0.02))
    return russian._Heard(letters=letters, line=line, at=at, complete=complete, second=text)


def put(name: Field, *rows: russian._Heard) -> FieldReading:
    fields: dict[Field, FieldReading] = {}
    russian._put_rows(fields, name, rows)
    return fields[name]


def test_two_red_prints_that_differ_speak_against_each_other() -> None:
    numbers = tuple(replace(number, agreed=True) for number in marks().numbers)
    other = replace(numbers[1], text="4511123458")
    assert not russian._clash(numbers) and russian._clash((numbers[0], other))
    assert not russian._clash((numbers[0], replace(other, agreed=False)))  # a misreading of one network
    picture = np.full((1408, 1000, 3), 255, np.uint8)
    own = {Field.DOCUMENT_NUMBER: replace(field_of("4511123456", certain=True), source=Source.MRZ)}
    corners = np.array([[0, 0], [1000, 0], [1000, 1408], [0, 1408]], np.float32)
    for both, against in ((numbers, False), ((numbers[0], other), True)):
        seen = replace(marks(), numbers=both)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(spread, "marks_on", lambda *_args, _seen=seen, **_more: _seen)
            fields, contradiction, *_ = russian.with_page(
                picture, corners, dict(own), [], direction=RIGHT, truncated=False, today=TODAY
            )
        assert contradiction is against and fields[Field.DOCUMENT_NUMBER].certain is not against


def test_a_double_name_broken_at_its_hyphen_is_joined_without_a_space() -> None:
    read = put(Field.SURNAME, heard("САЛТЫКОВ-"), heard("ЩЕДРИН", at=1))
    assert read.value == "САЛТЫКОВ-ЩЕДРИН" and read.certain and len(read.letters) == len(read.value)
    assert not put(Field.SURNAME, heard("САЛТЫКОВ-")).certain  # its second row was not found
    assert not put(Field.SURNAME, heard("ЩЕДРИН", at=1)).certain


def test_a_place_whose_other_rows_may_be_lost_is_not_certain() -> None:
    assert put(Field.PLACE_OF_BIRTH, heard("ЮЖНЫЙ")).certain
    assert not put(Field.PLACE_OF_BIRTH, heard("ЮЖНЫЙ", complete=False)).certain
    assert not put(Field.PLACE_OF_BIRTH, heard("Г. ЮЖНЫЙ"), heard("КРАЙ", at=2)).certain


def test_a_patronymic_without_an_ending_may_be_covered() -> None:
    assert put(Field.PATRONYMIC, heard("ПРОХОРОВИЧ")).certain and not put(Field.PATRONYMIC, heard("ПРОХОРО")).certain


def test_the_only_date_of_page_two_is_no_date_of_birth() -> None:
    """Both numbers, one date beside the upper one, no code: the numbers say on which page the date stands."""
    whole = marks()
    lone = replace(whole, codes=(), dates=(whole.dates[0],))
    pages = spread.place(lone, None, [])
    assert pages is not None
    assert [name for _, name in spread.named_dates(lone, pages.whole)] == ["date_of_issue"]
    for placed in (pages.whole, pages.upper, pages.lower):
        x, y = placed.spread(lone.dates[0].line.centre)
        assert abs(x - 0.27) < 0.01 and abs(y - 0.213) < 0.005


def test_rows_that_run_off_the_photo_are_told() -> None:
    printed, found, _ = rows_on(1.0, 0.0)
    pages = spread.place(found, None, printed)
    assert pages is not None
    assert all(row.whole for row in spread.rows(printed, found, pages, (1000, 1408))["place_of_birth"])
    cut = spread.rows(printed, found, pages, (1000, round(0.81 * 1408)))
    assert not any(row.whole for row in cut["place_of_birth"]) and all(row.whole for row in cut["patronymic"])


def test_a_zone_without_room_for_a_name_is_not_contradicted_by_its_end() -> None:
    cut, other = field_of("КОНСТАНТ", certain=True), field_of("КОНСТАНТИНОВИЧ", certain=True)
    assert russian._speaks_against(Field.PATRONYMIC, cut, other)  # with room it would be
    assert not russian._speaks_against(Field.PATRONYMIC, replace(cut, certain=False), other)
    sex = replace(field_of("F"), confidence=0.9)
    assert russian._speaks_against(Field.SEX, field_of("M", certain=True), sex)
    assert not russian._speaks_against(Field.SEX, field_of("M", certain=True), replace(sex, confidence=0.6))


# ---------------------------------------------------------------- whose page a mark is on


def test_a_code_in_another_row_is_no_code_and_leaves_the_date_where_it_stands() -> None:
    """A stamp over the date of birth was read as a code: the date of issue was then taken for the birth's, and certain."""
    whole = marks()
    stray = replace(whole.codes[0], text="220611", chance=0.5, line=line_at(600, 1050, 136, 32))
    for codes in ((stray,), (stray, replace(whole.codes[0], agreed=True)), (replace(whole.codes[0], agreed=True), stray)):
        seen = replace(whole, dates=whole.dates[:1], codes=codes)
        names = {name: mark.text for mark, name in spread.named_dates(seen, None)}
        assert names.pop("issuer_code", "770045") == "770045"
        assert names == {"date_of_issue": "14092011"}


@pytest.mark.parametrize(("date", "name"), [(0, "date_of_issue"), (1, "date_of_birth")])
@pytest.mark.parametrize("number", [0, 1])
def test_the_numbers_column_tells_which_date_the_only_one_is(date: int, name: str, number: int) -> None:
    whole = marks()
    seen = replace(whole, codes=(), dates=(whole.dates[date],), numbers=(whole.numbers[number],))
    assert [found for _, found in spread.named_dates(seen, None)] == [name]


def test_the_only_number_is_of_the_page_whose_date_stands_beside_it() -> None:
    """The upper number cut off by the photo's edge, both dates and the code read: names were once read one row too low."""
    whole = marks()
    for number, name in ((0, "number_upper"), (1, "number_lower")):
        seen = replace(whole, numbers=(whole.numbers[number],))
        assert [found for _, found in spread._named_numbers(seen.numbers, seen, None)] == [name]
        pages = spread.place(seen, None, [])
        assert pages is not None and spread.fits_its_numbers(seen, pages)
        x, y = pages.lower.spread(whole.dates[1].line.centre)
        assert abs(x - 0.71) < 0.02 and abs(y - 0.729) < 0.01


def test_pages_placed_at_another_scale_than_their_number_make_nothing_certain() -> None:
    whole = marks()
    pages = spread.place(marks(scale=4.0), None, [])
    assert pages is not None and not spread.fits_its_numbers(whole, pages)
    fields = {name: field_of("ЮЖНЫЙ", certain=True) for name in (Field.SURNAME, Field.DOCUMENT_NUMBER)}
    assert [name for name, field in russian._anchored(fields, whole, pages).items() if field.certain] == [Field.DOCUMENT_NUMBER]


def test_a_stamp_read_as_a_code_is_no_second_document() -> None:
    whole = marks()
    codes = (replace(whole.codes[0], agreed=True), replace(whole.codes[0], text="220611", agreed=True))
    corners = np.array([[0, 0], [1000, 0], [1000, 1408], [0, 1408]], np.float32)

    def problems(second: Line) -> list[ReasonCode]:
        seen = replace(whole, codes=(codes[0], replace(codes[1], line=second)))
        return list(russian._problems({}, seen, corners, 1000, 1408, {}))

    assert problems(line_at(600, 800, 136, 32)) == []
    assert problems(line_at(300, 0.729 * 1408, 136, 32)) == [ReasonCode.SEVERAL_DOCUMENTS]


def test_a_date_in_no_place_of_its_own_is_left_out() -> None:
    whole = marks()
    near = replace(whole.dates[1], line=line_at(600, 420, 200, 32))  # below the code, on the same page
    seen = replace(whole, numbers=(), dates=(near,))
    assert [name for _, name in spread.named_dates(seen, None)] == ["issuer_code"]


def test_rows_of_a_page_that_only_the_other_one_places_are_not_certain() -> None:
    whole = marks()
    fields = {name: field_of("ЮЖНЫЙ", certain=True) for name in (Field.SURNAME, Field.PLACE_OF_BIRTH, Field.ISSUER)}
    pages = spread.place(whole, None, [])
    assert pages is not None
    assert russian._anchored(fields, whole, pages) == fields
    upper = replace(whole, numbers=whole.numbers[:1], dates=whole.dates[:1])
    kept = russian._anchored(fields, upper, pages)
    assert [name for name, field in kept.items() if field.certain] == [Field.ISSUER]


def test_places_are_given_for_every_value_read_or_not() -> None:
    found = marks()
    pages = spread.place(found, None, [])
    assert pages is not None
    places = spread.places([], found, pages)
    assert {"surname", "issuer", "date_of_birth", "issuer_code", "number_upper", "number_lower"} <= places.keys()
    x, y = pages.whole.spread(places["patronymic"][0].mean(axis=0))
    assert abs(x - 0.66) < 0.01 and abs(y - 0.689) < 0.01
    upper = places["number_upper"][0]
    assert upper[1][1] - upper[0][1] > 250 and abs(upper[1][0] - upper[0][0]) < 5  # read downwards
    lost = spread.places([], replace(found, dates=found.dates[:1]), pages)["date_of_birth"][0]
    assert np.linalg.norm(lost.mean(axis=0) - found.dates[1].line.centre) < 10


# ---------------------------------------------------------------- decoding


def odds_for(*frames: dict[str, float], alphabet: str = russian._TEXT) -> np.ndarray:
    """Odds over time: in each frame the characters given, the rest blank; a blank frame between them."""
    rows = []
    for frame in frames:
        row = np.zeros(1 + len(alphabet), np.float32)
        for character, chance in frame.items():
            row[alphabet.index(character) + 1] = chance
        row[0] = 1 - row.sum()
        blank = np.zeros_like(row)
        blank[0] = 1.0
        rows += [row, blank]
    return np.stack(rows)


def spelled(text: str) -> list[dict[str, float]]:
    return [{character: 0.99} for character in text]


@pytest.mark.parametrize(
    ("word", "dot", "read"),
    [("ПОС", 0.2, "ПОС. ЮГ"), ("Г", 0.2, "Г. ЮГ"), ("ДЕЛ", 0.6, "ДЕЛ ЮГ"), ("ДЕЛ", 0.9, "ДЕЛ. ЮГ"), ("ПОС", 0.01, "ПОС ЮГ")],
)
def test_a_faint_dot_is_read_behind_a_standing_abbreviation_and_not_behind_other_words(word: str, dot: float, read: str) -> None:
    odds = odds_for(*spelled(word), {".": dot}, *spelled(" ЮГ"))
    letters = russian._told(odds, russian._TEXT)
    assert said(list(letters)) == read
    assert all(letter.chance == pytest.approx(dot) for letter in letters if letter.character == ".")  # what was seen of it


@pytest.mark.parametrize(("space", "read"), [(0.2, "ДЕР. ЮГ"), (0.01, "ДЕР.ЮГ")])
def test_a_narrow_space_behind_a_dot_is_read_and_none_is_made_up(space: float, read: str) -> None:
    odds = odds_for(*spelled("ДЕР."), {" ": space}, *spelled("ЮГ"))
    assert said(list(russian._told(odds, russian._TEXT))) == read


def row_of(*frames: dict[str, float]) -> russian._Heard:
    odds = odds_for(*frames)
    letters = russian._told(odds, russian._TEXT)
    return russian._Heard(letters=letters, line=line_at(500, 100, 900, 30), at=0, odds=odds, alphabet=russian._TEXT)


def test_the_second_readers_letter_stands_where_ours_is_in_doubt_and_is_not_certain() -> None:
    doubtful = row_of(*spelled("ЮЖНО"), {"К": 0.5, "Ю": 0.4}, *spelled("РЬЕВ"))
    heard = doubtful.joined_by("ЮЖНОЮРЬЕВ")
    assert heard.text == "ЮЖНОЮРЬЕВ" and not heard.agreed and heard.chance == pytest.approx(0.4)
    assert all(0 <= letter.at <= 1 for letter in heard.letters)
    assert not put(Field.PLACE_OF_BIRTH, heard).certain


@pytest.mark.parametrize("second", ["ЮЖНОПЛЕС", "ЮЖНОПЛЁС.", "ЮЖНОПЛЁС(", "ЮЖНОГЛЁС", "@", ""])
def test_the_second_reader_is_not_followed_where_ours_is_clear_nor_in_what_it_knows_badly(second: str) -> None:
    clear = row_of(*spelled("ЮЖНОПЛ"), {"Ё": 0.5, "Е": 0.49}, *spelled("С"))
    assert clear.joined_by(second).text == "ЮЖНОПЛЁС"


def test_a_second_reader_with_signs_that_a_name_cannot_have_is_not_followed() -> None:
    odds = odds_for(*spelled("ЮЖИН"), alphabet=russian._NAME)
    line = line_at(500, 100, 900, 30)
    name = russian._Heard(letters=russian._told(odds, russian._NAME), line=line, at=0, odds=odds, alphabet=russian._NAME)
    assert name.joined_by("ЮЖИН. 7").text == "ЮЖИН"


def test_what_is_as_doubtful_as_handwriting_is_no_name() -> None:
    fields: dict[Field, FieldReading] = {}
    line = line_at(500, 100, 900, 30)
    scrawl = russian._Heard(letters=tuple(told("НИЛИЦЫНА", chance=0.6)), line=line, at=0, second="тнипицына")
    russian._put_rows(fields, Field.SURNAME, [scrawl])
    assert not fields
    russian._put_rows(fields, Field.ISSUER, [scrawl])
    assert not fields[Field.ISSUER].certain


# ---------------------------------------------------------------- the zone's one filler


def test_a_double_name_is_not_taken_for_a_patronymic_unless_the_page_says_so() -> None:
    zone = {Field.GIVEN_NAMES: field_of("КИРИЛЛ", certain=True), Field.PATRONYMIC: field_of("ЭДУАРД", certain=True)}
    assert not any(field.certain for field in russian._parted(zone, {}).values())
    joined = russian._parted(zone, page_of(given_names="КИРИЛЛ-ЭДУАРД"))
    assert joined.keys() == {Field.GIVEN_NAMES} and joined[Field.GIVEN_NAMES].value == "КИРИЛЛ ЭДУАРД"
    assert russian._parted(zone, page_of(given_names="КИРИЛЛ", patronymic="ЭДУАРД")) == zone
    usual = zone | {Field.PATRONYMIC: field_of("ЭДУАРДОВИЧ", certain=True)}
    assert russian._parted(usual, {}) == usual


def test_words_beside_a_cover_are_not_certain_and_figures_are() -> None:
    def one(value: str) -> FieldReading:
        return FieldReading(value=value, confidence=0.98, certain=True, source=Source.VIZ)

    fields = {Field.SURNAME: one("ПЫГ"), Field.PATRONYMIC: one("ИЛЬИЧ"), Field.DATE_OF_BIRTH: one("1990-02-03")}
    left = russian._unsure(fields, (Field.SURNAME, Field.DATE_OF_BIRTH))
    assert {name for name, field in left.items() if field.certain} == {Field.PATRONYMIC, Field.DATE_OF_BIRTH}
    assert left[Field.SURNAME].value == "ПЫГ" and left[Field.SURNAME].confidence <= 0.9


def at(word: str, start: float, step: float, chance: float = 0.99) -> list[Letter]:
    return [Letter(character=c, chance=chance, at=start + step * k) for k, c in enumerate(word)]


@pytest.mark.parametrize(
    ("behind", "chance", "text", "left_out"),
    [
        (0.095, 0.99, "МАРТЫШ", False),  # a wide letter's middle is farther off than narrow ones stand
        (0.095, 0.7, "МАРТЫ", True),  # not clear: it may be the hologram's, but then nothing is certain
        (0.16, 0.99, "МАРТЫ", True),  # too far for a letter of the word
        (0.16, 0.3, "МАРТЫ", False),  # the paper's pattern
    ],
)
def test_a_clear_letter_at_a_names_end_is_its_last_or_makes_it_uncertain(
    behind: float, chance: float, text: str, left_out: bool
) -> None:
    told = [*at("МАРТЫ", 0.2, 0.05), Letter(character="Ш", chance=chance, at=0.4 + behind)]
    kept = russian._kept(told, russian._NAME, 0.1, 0.9, 0)
    assert "".join(letter.character for letter in kept) == text
    assert russian._trimmed(told, kept, 0.1, 0.9) is left_out


@pytest.mark.parametrize(("chance", "certain"), [(0.985, False), (0.995, True)])
def test_the_dots_of_yo_are_lost_first_so_a_name_with_ye_asks_for_more(chance: float, certain: bool) -> None:
    assert put(Field.SURNAME, heard("СОЛОВЬЕВ", chance=chance)).certain is certain
    assert put(Field.SURNAME, heard("САЛТЫКОВ", chance=chance)).certain


# ---------------------------------------------------------------- rows under a stamp, signs, abbreviations, pens


def test_rows_under_a_mark_that_is_too_large_for_one_are_looked_at_where_they_should_stand() -> None:
    landmarks = marks()
    pages = spread.place(landmarks, None, [])
    assert pages is not None
    plan, issue = spread.layout(), landmarks.dates[0].line
    y = pages.upper.spread(issue.centre)[1]
    (first, _), *others = plan["below_issue"]["issuer"]
    row = line_at(*pages.upper.photo(0.5, y + first), 400, 30)
    near = [offset for offset, _ in others]
    x, middle = pages.upper.photo(0.4, y + float(np.mean(near)))
    stamp = line_at(x, middle, 560, 200)

    def issuers(*found: Line) -> list[tuple[int, bool]]:
        rows = spread.rows([issue, landmarks.dates[1].line, *found], landmarks, pages, (1000, 1408))
        return [(row.at, row.marked) for row in rows["issuer"]]

    assert issuers(row) == [(0, True)]
    assert issuers(row, stamp) == [(0, True), *((at, False) for at in range(1, len(near) + 1))]


def test_what_was_read_where_nothing_was_marked_is_not_certain() -> None:
    row = russian._Heard(letters=tuple(told("ЮЖНЫЙ")), line=line_at(500, 100, 300, 30), at=0, second="ЮЖНЫЙ")
    assert row.agreed and not replace(row, marked=False).agreed


@pytest.mark.parametrize(
    ("text", "read", "doubted"),
    [
        ("ИРКУТСКОЙ ОВЛ.", "ИРКУТСКОЙ ОБЛ.", True),  # the one abbreviation with one letter otherwise
        ("ИРКУТСКОЙ ОБЛ.", "ИРКУТСКОЙ ОБЛ.", False),
        ("ПОС. ЮГ", "ПОС. ЮГ", False),
        ("ЗЫК. ЮГ", "ЗЫК. ЮГ", True),  # none is near
        ("ИМ. В.И. ЮГОВА", "ИМ. В.И. ЮГОВА", False),
    ],
)
def test_a_word_before_a_dot_is_an_abbreviation_or_not_certain(text: str, read: str, doubted: bool) -> None:
    row = russian._abbreviated(heard_row(text))
    assert (row.text, row.yielded) == (read, doubted)


@pytest.mark.parametrize(
    ("text", "chance", "second", "read"),
    [
        ("ЮЖНОЛЕСЬЕ,", 0.6, "ЮЖНОЛЕСЬЕ", "ЮЖНОЛЕСЬЕ"),
        ("ЮЖНОЛЕСЬЕ,", 0.95, "ЮЖНОЛЕСЬЕ", "ЮЖНОЛЕСЬЕ,"),
        ("ЮЖНОЛЕСЬЕ,", 0.6, "ЮЖНОЛЕСЬЕ,", "ЮЖНОЛЕСЬЕ,"),
        ("ДЕЛ.", 0.8, "ДЕЛ", "ДЕЛ"),
        ("ОБЛ.", 0.6, "ОБЛ", "ОБЛ."),
    ],
)
def test_a_faint_sign_at_a_rows_end_is_print_only_if_both_readers_see_it(
    text: str, chance: float, second: str, read: str
) -> None:
    row = heard_row(text)
    row = replace(row, letters=(*row.letters[:-1], replace(row.letters[-1], chance=chance)), second=second)
    assert russian._without_speck(row).text == read
    assert russian._without_speck(row).yielded is (text != read)


@pytest.mark.parametrize(("odds", "plain", "pen"), [(0.6, 0.99, True), (0.9, 0.99, False), (0.6, 0.5, False)])
def test_a_page_filled_in_with_a_pen_is_told_by_its_letters_beside_the_plain_number(odds: float, plain: float, pen: bool) -> None:
    rows = [russian._Heard(letters=tuple(told("ЮЖНОЛЕСЬЕ", chance=odds)), line=line_at(500, 100, 300, 30), at=0)] * 3
    seen = marks()
    seen = replace(seen, numbers=tuple(replace(number, agreed=True, chance=plain) for number in seen.numbers))
    assert russian._by_hand(rows, seen) is pen


def heard_row(text: str) -> russian._Heard:
    return russian._Heard(letters=tuple(told(text)), line=line_at(500, 100, 300, 30), at=0, second=text)


@pytest.mark.parametrize(
    ("second", "own", "plainer"),
    [("ФЕДОР", "ФЁДОР", True), ("ФЁДОР", "ФЕДОР", False), ("КР ІШКІ", "ҚР ІШКІ", True), ("ФОДОР", "ФЁДОР", False)],
)
def test_a_reader_that_lost_a_mark_is_told(second: str, own: str, plainer: bool) -> None:
    assert ctc.plainer(second, own) is plainer


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("ИМЯ", True),
        ("КОД ПОДРАЗДЕЛЕ ИЯ", True),
        ("ФАМИЛИН", True),
        ("МЕСТО РОЖДЕНИЯ", True),
        ("ПОЛ", False),
        ("НАИНА", False),
        ("ИМА", False),
    ],
)
def test_the_pages_own_labels_are_no_values(text: str, label: bool) -> None:
    assert russian._is_label(text) is label
    assert russian._holds_label(f"{text} АННА" if text == "ИМЯ" else text) is label


def test_a_label_read_where_a_value_was_expected_is_left_out_and_makes_the_rest_uncertain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = {"given_names": ["ИМЯ"], "surname": ["ПЕТРОВА"], "issuer": ["ОВД ГОРОДА КИМРЫ", "КОД ПОДРАЗДЕЛЕ ИЯ"]}
    place = spread.Row(line=line_at(500, 100, 300, 30), before=0, behind=0, at=0, off=0, whole=True)
    rows = {name: [replace(place, at=at) for at in range(len(texts))] for name, texts in said.items()}
    texts = {id(row): text for name in said for row, text in zip(rows[name], said[name], strict=True)}
    monkeypatch.setattr(spread, "named_dates", lambda *_: [])
    monkeypatch.setattr(spread, "rows", lambda *_: rows)
    monkeypatch.setattr(spread, "sex_place", lambda *_: None)
    monkeypatch.setattr(russian, "_read_row", lambda _picture, row, _alphabet: heard(texts[id(row)], at=row.at))
    monkeypatch.setattr(russian, "_with_second", lambda _picture, read: read)
    pages = SimpleNamespace(whole=None)
    fields, _ = russian._page_fields(np.zeros((100, 100, 3), np.uint8), [], replace(marks(), numbers=()), pages, today=TODAY)
    assert Field.GIVEN_NAMES not in fields and fields[Field.SURNAME].certain
    assert fields[Field.ISSUER].value == "ОВД ГОРОДА КИМРЫ" and not fields[Field.ISSUER].certain
