"""Supporting pages: earlier passports and family status, drawn and photographed; what they say about the account."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.specimens import papers, people
from tests.specimens.draw import draw_ru_internal
from tests.specimens.papers import Stamp
from tests.specimens.photograph import photograph
from verification import continuity, images
from verification.documents import supporting
from verification.documents.lines import Letter, Line
from verification.documents.supporting import covers, labels, rows, stamps, words
from verification.evidence import ChangeReason, Claim, DocumentReading, Field, FieldReading, Profile, Source
from verification.papers import Detail, Entry, EntryKind, PageKind, SupportingReading
from verification.reasons import ReasonCode

TODAY = date(2026, 11, 22)
OWN = "2826604917"
EARLIER = Stamp(
    kind="passport",
    values={
        "document_number": "2807319452", "issued_on": "2007-05-16", "issuer": "ОВД ГОРОДА КИМРЫ ТВЕРСКОЙ ОБЛ.",
        "issuer_code": "692-013",
    },
)  # fmt: skip
ABROAD = Stamp(
    kind="foreign_passport", style=1, values={"document_number": "753140862", "issued_on": "2019-02-08", "issuer": "МВД 69004"}
)
MARRIAGE = Stamp(
    kind="marriage",
    values={
        "surname": "ЩЕГЛОВА", "given_names": "УЛЬЯНА", "patronymic": "ЯРОСЛАВОВНА", "date_of_birth": "1991-07-28",
        "registered_on": "2018-06-09", "act_number": "734", "issuer": "ОТДЕЛ ЗАГС Г. КИМРЫ",
    },
)  # fmt: skip
DIVORCE = Stamp(
    kind="divorce",
    style=1,
    values={
        "surname": "КУЦЕНКО", "given_names": "ЖАННА", "patronymic": "ИЛЬИНИЧНА", "date_of_birth": "1988-03-14",
        "registered_on": "2016-11-30", "act_number": "158", "issuer": "ДВОРЕЦ БРАКОСОЧЕТАНИЯ № 2", "surname_after": "БЕРЁЗИН",
    },
)  # fmt: skip


@cache
def photo(kind: papers.Kind, stamps: tuple[str, ...], hardness: str = "easy") -> np.ndarray:
    by_name = {"earlier": EARLIER, "abroad": ABROAD, "marriage": MARRIAGE, "divorce": DIVORCE, "by hand": by_hand(MARRIAGE)}
    drawn = papers.draw_page(kind, [by_name[name] for name in stamps], number=OWN, seed=4)
    return photograph(drawn.image, seed=4, hardness=hardness)  # type: ignore[arg-type]


def by_hand(stamp: Stamp) -> Stamp:
    return Stamp(kind=stamp.kind, values=stamp.values, style=stamp.style, filled="hand")


@cache
def reading(kind: papers.Kind, stamps: tuple[str, ...], hardness: str = "easy") -> SupportingReading:
    return supporting.read_supporting(photo(kind, stamps, hardness), today=TODAY)


def mostly_right(entry: Entry, stamp: Stamp, *, at_least: float) -> None:
    """Nothing is certain and wrong, and so many of the values are exactly what was drawn."""
    assert entry.kind.value == stamp.kind
    read = {detail.value: value for detail, value in entry.values.items()}
    assert not [name for name, value in read.items() if value.certain and value.value != stamp.values.get(name)]
    right = [name for name, value in stamp.values.items() if name in read and read[name].value == value]
    assert len(right) >= at_least * len(stamp.values), sorted(stamp.values.keys() - set(right))


# ---------------------------------------------------------------- reading


@pytest.mark.engines
def test_page_19_names_every_earlier_passport():
    read = reading("earlier_passports", ("earlier", "abroad"))
    assert read.kind is PageKind.EARLIER_PASSPORTS and len(read.entries) == 2
    mostly_right(read.entries[0], EARLIER, at_least=0.75)
    mostly_right(read.entries[1], ABROAD, at_least=0.66)
    assert read.own_number is not None and read.own_number.value == OWN  # stands on the page, and is none of the earlier ones
    number = read.entries[0].values[Detail.DOCUMENT_NUMBER]
    assert number.value == EARLIER.values["document_number"] and number.certain


@pytest.mark.engines
def test_a_marriage_and_a_divorce_are_two_entries():
    read = reading("family_status", ("marriage", "divorce"))
    assert read.kind is PageKind.FAMILY_STATUS and len(read.entries) == 2
    mostly_right(read.entries[0], MARRIAGE, at_least=0.7)
    mostly_right(read.entries[1], DIVORCE, at_least=0.7)


@pytest.mark.engines
@pytest.mark.parametrize("hardness", ["medium", "hard"])
def test_a_worse_photo_makes_nothing_up(hardness):
    read = reading("family_status", ("marriage",), hardness)
    assert read.kind is PageKind.FAMILY_STATUS and len(read.entries) == 1
    mostly_right(read.entries[0], MARRIAGE, at_least=0.5 if hardness == "medium" else 0.0)


@pytest.mark.engines
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_page_lies_as_it_likes(turns):
    image = np.ascontiguousarray(np.rot90(photo("earlier_passports", ("earlier", "abroad")), turns))
    read = supporting.read_supporting(image, today=TODAY)
    assert [entry.kind for entry in read.entries] == [EntryKind.PASSPORT, EntryKind.FOREIGN_PASSPORT]
    assert read.entries[0].values[Detail.DOCUMENT_NUMBER].value == EARLIER.values["document_number"]
    height, width = image.shape[:2]
    for entry in read.entries:
        for box in (entry.box, *(value.box for value in entry.values.values())):
            assert box is not None and box[0] >= 0 and box[1] >= 0 and box[0] + box[2] <= width and box[1] + box[3] <= height


@pytest.mark.engines
def test_two_facing_pages_are_kept_apart():
    left = papers.draw_page("family_status", [MARRIAGE], number=OWN, seed=4)
    right = papers.draw_page("earlier_passports", [EARLIER], number=OWN, seed=5)
    read = supporting.read_supporting(photograph(papers.facing(left, right), seed=2, hardness="easy"), today=TODAY)
    assert [entry.kind for entry in read.entries] == [EntryKind.MARRIAGE, EntryKind.PASSPORT]
    for entry, stamp in zip(read.entries, (MARRIAGE, EARLIER), strict=True):
        mostly_right(entry, stamp, at_least=0.5)


@pytest.mark.engines
def test_a_page_without_stamps_is_a_page_without_entries():
    read = reading("family_status", ())
    assert read.kind is PageKind.FAMILY_STATUS and not read.entries and not read.problems


@pytest.mark.engines
def test_handwriting_is_named_as_unread():
    read = reading("family_status", ("by hand",))
    (entry,) = read.entries
    assert entry.kind is EntryKind.MARRIAGE and ReasonCode.FIELD_NOT_READ in read.problems
    assert Detail.SURNAME in entry.unread and not any(value.certain for name, value in entry.values.items() if name in (
        Detail.SURNAME, Detail.GIVEN_NAMES, Detail.PATRONYMIC, Detail.ISSUER))  # fmt: skip


@pytest.mark.engines
def test_the_pages_with_the_portrait_are_no_supporting_page():
    portrait = np.full((720, 560, 3), 150, np.uint8)
    page = draw_ru_internal(people.russian_at_home(TODAY), portrait)
    read = supporting.read_supporting(photograph(page.image, seed=3, hardness="easy"), today=TODAY)
    assert read.kind is None and not read.entries and read.problems == (ReasonCode.DOCUMENT_NOT_KNOWN,)


@pytest.mark.engines
def test_a_selfie_is_no_paper():
    face = np.full((1280, 960, 3), (150, 160, 170), np.uint8)
    cv2.ellipse(face, (480, 600), (260, 350), 0, 0, 360, (224, 178, 150), -1)
    for x in (390, 570):
        cv2.circle(face, (x, 540), 26, (60, 40, 30), -1)
    cv2.ellipse(face, (480, 780), (90, 30), 0, 0, 180, (150, 60, 60), -1)
    read = supporting.read_supporting(cv2.GaussianBlur(face, (0, 0), 3), today=TODAY)
    assert read == SupportingReading(problems=(ReasonCode.NO_DOCUMENT_FOUND,))


@pytest.mark.engines
def test_any_array_has_an_answer():
    rng = np.random.default_rng(1)
    for picture in (
        np.zeros((20, 20, 3), np.uint8),
        rng.integers(0, 256, (400, 300, 3), np.uint8),
        np.zeros((300, 300), np.uint8),
    ):
        read = supporting.read_supporting(picture, today=TODAY)
        assert read.kind is None and read.problems[0] in (ReasonCode.NO_DOCUMENT_FOUND, ReasonCode.DOCUMENT_NOT_KNOWN)


@pytest.mark.engines
@pytest.mark.slow
def test_the_command_prints_what_was_read(tmp_path):
    file = tmp_path / "page.jpg"
    file.write_bytes(images.encode_jpeg(photo("earlier_passports", ("earlier", "abroad"))))
    done = subprocess.run(
        [sys.executable, "-m", "verification", "supporting", str(file), str(tmp_path / "none.jpg"), "--on", TODAY.isoformat()],
        cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert done.returncode == 2 and second["error"] == "file_not_readable"
    assert first["kind"] == "earlier_passports" and first["own_number"]["value"] == OWN
    assert first["entries"][0]["values"]["document_number"]["value"] == EARLIER.values["document_number"]


# ---------------------------------------------------------------- which words are what


def row(*lines: str) -> rows.Row:
    """A row as if read from one line per text."""
    said, pieces = [], []
    for at, text in enumerate(lines):
        quad = np.array([[0, 0], [400, 0], [400, 40], [0, 40]], np.float32) + np.array([500 * at, 0], np.float32)
        line = Line(quad=quad, score=0.9)
        pieces.append(line)
        step, place = 1 / (len(text) + 1), 0
        for word in text.split():
            letters = [Letter(character=c, chance=0.9, at=step * (place + n + 1)) for n, c in enumerate(word)]
            said.append(rows.Word(letters=tuple(letters), line=line))
            place += len(word) + 1
    return rows.Row(pieces=tuple(pieces), words=tuple(said))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("РАНЕЕ ВЫДАН ПАСПОРТ", EntryKind.PASSPORT),
        ("РАНЕЕ ВЫДАННЫЙ ПАСПОРТ", EntryKind.PASSPORT),
        ("РАНЕЕ ВЫДАН ПАСПОРТ 4621 093889", EntryKind.PASSPORT),
        ("ВЫДАН ЗАГРАНИЧНЫЙ ПАСПОРТ", EntryKind.FOREIGN_PASSPORT),
        ("3АРЕГИСТРИРОВАН БРАК", EntryKind.MARRIAGE),
        ("17.04.2019 БРАК РАСТОРГНУТ", EntryKind.DIVORCE),
        ("СВЕДЕНИЯ О РАНЕЕ ВЫДАННЫХ ПАСПОРТАХ", None),
        ("ФАМИЛИЯ ПОСЛЕ РАСТОРЖЕНИЯ БРАКА БЕРЁЗИН", None),
        ("ПАСПОРТ ВЫДАН", None),
        ("ДАТА ВЫДАЧИ", None),
        ("БРАКОВ", None),
    ],
)
def test_a_stamp_is_known_by_its_title(text, kind):
    assert stamps.title_of(row(text)) is kind


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ФАМИЛИЯ ЩЕГЛОВА", [((Detail.SURNAME,), "ЩЕГЛОВА")]),
        ("ФАМИЛИЯЩЕГЛОВА", [((Detail.SURNAME,), "ЩЕГЛОВА")]),
        ("ДАТА РОЖДЕНИЯ 01.02.1990", [((Detail.DATE_OF_BIRTH,), "01.02.1990")]),
        ("01.02.1990 ГОДА РОЖДЕНИЯ", [((Detail.DATE_OF_BIRTH,), "01.02.1990")]),
        ("ОРГАН ЗАГС ОТДЕЛ ЗАГС Г. КИМРЫ", [((Detail.ISSUER,), "ОТДЕЛ ЗАГС Г. КИМРЫ")]),
        ("УЛЬЯНА ЯРОСЛАВОВНА", [((), "УЛЬЯНА ЯРОСЛАВОВНА")]),
        ("КОД ПОДРАЗДЕЛЕНИЯ 692-013", [((Detail.ISSUER_CODE,), "692-013")]),
    ],
)
def test_a_value_stands_beside_its_label(text, parts):
    found = [p for p in labels.parts_of(row(text), EntryKind.MARRIAGE, title=False) if p.words or p.details]
    assert [(p.details, " ".join(word.text for word in p.words)) for p in found] == parts


def test_a_name_is_certain_only_by_two_readers():
    line = Line(quad=np.array([[0, 0], [400, 0], [400, 40], [0, 40]], np.float32), score=0.9)
    letters = tuple(Letter(character=c, chance=0.9, at=(n + 1) / 8) for n, c in enumerate("ЩЕГЛОВА"))
    alone = words._Said(letters=letters, line=line, second="ЩЕГЛОBА")  # Tesseract's Latin B is the same letter
    assert words._field(Detail.SURNAME, [alone]).certain
    other = words._Said(letters=letters, line=line, second="ЩЕГЛОВ")
    assert not words._field(Detail.SURNAME, [other]).certain
    faint = tuple(Letter(character=c, chance=0.3, at=(n + 1) / 8) for n, c in enumerate("ЩЕГЛОВА"))
    assert words._field(Detail.SURNAME, [words._Said(letters=faint, line=line, second="ИНОЕ")]) is None
    assert not words._field(Detail.PATRONYMIC, [alone]).certain  # no patronymic ends like this: it may be cut


def test_a_piece_of_a_name_is_none():
    line = Line(quad=np.array([[0, 0], [400, 0], [400, 40], [0, 40]], np.float32), score=0.9)
    letters = tuple(Letter(character=c, chance=0.99, at=(n + 1) / 8) for n, c in enumerate("ВАНА"))
    assert words._field(Detail.GIVEN_NAMES, [words._Said(letters=letters, line=line, second="ВАНА")]).certain
    assert not words._field(Detail.GIVEN_NAMES, [words._Said(letters=letters[:2], line=line, second="ВА")]).certain


@pytest.mark.parametrize(("thumb", "told"), [(None, False), ((560, 700), True), ((900, 1050), False)])
def test_words_beside_a_cover_are_not_certain(thumb, told):
    page = np.full((400, 1100, 3), (228, 216, 210), np.uint8)
    marked = [
        Line(quad=np.array([[300, y], [560, y], [560, y + 36], [300, y + 36]], np.float32), score=0.9) for y in (60, 130, 200)
    ]
    for y in (60, 130, 200):
        page[y + 8 : y + 28, 304:556:14] = 30
    if thumb:
        page[100:200, thumb[0] : thumb[1]] = (224, 172, 144)

    def value(y):
        return FieldReading(value="ВАНА", confidence=0.98, certain=True, source=Source.VIZ, box=(300, y, 260, 36))

    values = {Detail.SURNAME: value(60), Detail.GIVEN_NAMES: value(130), Detail.DOCUMENT_NUMBER: value(130)}
    entry, reasons = covers.unsure(
        Entry(kind=EntryKind.MARRIAGE, values=values, unread=()), covers.over(page, marked, np.array([1, 0], np.float32))
    )
    assert (ReasonCode.DOCUMENT_COVERED in reasons) is told
    assert entry.values[Detail.GIVEN_NAMES].certain is not told
    assert entry.values[Detail.SURNAME].certain and entry.values[Detail.DOCUMENT_NUMBER].certain


# ---------------------------------------------------------------- what it means for the account


def field(value: str, *, certain: bool = True) -> FieldReading:
    return FieldReading(value=value, confidence=0.98, certain=certain, source=Source.VIZ)


def earlier(*numbers: FieldReading | None) -> SupportingReading:
    return SupportingReading(
        kind=PageKind.EARLIER_PASSPORTS,
        entries=tuple(
            Entry(kind=EntryKind.PASSPORT, values={Detail.DOCUMENT_NUMBER: number} if number else {}) for number in numbers
        ),
    )


def family(kind: EntryKind, **values: FieldReading) -> SupportingReading:
    entry = Entry(kind=kind, values={Detail(name): value for name, value in values.items()})
    return SupportingReading(kind=PageKind.FAMILY_STATUS, entries=(entry,))


PROFILE = Profile(values={Field.SURNAME: "БАРСУЧЕНКО", Field.DOCUMENT_NUMBER: "28 07 319452"}, earlier_numbers=("2801000111",))


@pytest.mark.parametrize(
    ("pages", "told"),
    [
        (earlier(field("2807319452")), True),
        (earlier(field("4511000222"), field("2801000111")), True),
        (earlier(field("4511000222"), field("2801000111", certain=False)), None),  # nobody vouches for what was read
        (earlier(field("4511000222")), False),
        (earlier(field("4511000222", certain=False)), None),
        (earlier(field("4511000222"), None), None),
        (earlier(), None),
        (SupportingReading(), None),
    ],
)
def test_the_accounts_number_among_the_earlier_ones(pages, told):
    assert continuity.earlier_number_listed(PROFILE, pages) is told


def test_without_a_number_nothing_is_told():
    assert continuity.earlier_number_listed(Profile(values={}), earlier(field("2807319452"))) is None


@pytest.mark.parametrize(
    ("number", "certain", "told"), [("2826604917", True, True), ("2826604911", True, False), ("2826604911", False, None)]
)
def test_the_page_must_be_of_the_same_passport(number, certain, told):
    document = DocumentReading(fields={Field.DOCUMENT_NUMBER: field("2826604917")})
    assert continuity.same_passport(document, SupportingReading(own_number=field(number, certain=certain))) is told
    assert continuity.same_passport(document, SupportingReading()) is None


def claim(surname: str, reason: ChangeReason = ChangeReason.MARRIAGE) -> Claim:
    return Claim(reason=reason, values={Field.SURNAME: surname})


@pytest.mark.parametrize(
    ("surname", "spouse", "told"),
    [
        ("ЩЕГЛОВА", "ЩЕГЛОВА", True),
        ("ЩЕГЛОВА", "ЩЕГЛОВ", True),
        ("РИМСКИЙ", "РИМСКАЯ", True),
        ("SHCHEGLOVA", "ЩЕГЛОВ", True),
        ("БАРСУЧЕНКО-ЩЕГЛОВА", "ЩЕГЛОВ", True),
        ("ЩЕГЛОВА-БАРСУЧЕНКО", "ЩЕГЛОВ", True),
        ("ЩЕГЛОВА-ИВАНОВА", "ЩЕГЛОВ", False),
        ("ИВАНОВА", "ЩЕГЛОВ", False),
        ("ЩЕГОЛЕВА", "ЩЕГЛОВ", False),
    ],
)
def test_a_marriage_explains_the_spouses_surname_only(surname, spouse, told):
    assert continuity.surname_explained(claim(surname), PROFILE, family(EntryKind.MARRIAGE, surname=field(spouse))) is told


def test_a_surname_that_was_not_read_explains_nothing():
    pages = family(EntryKind.MARRIAGE, surname=field("ЩЕГЛОВ", certain=False))
    assert continuity.surname_explained(claim("ИВАНОВА"), PROFILE, pages) is None
    assert continuity.surname_explained(claim("ИВАНОВА"), PROFILE, family(EntryKind.MARRIAGE)) is None
    assert continuity.surname_explained(claim("ИВАНОВА"), PROFILE, SupportingReading(kind=PageKind.FAMILY_STATUS)) is None


def test_a_divorce_explains_the_surname_it_names():
    pages = family(EntryKind.DIVORCE, surname=field("ЩЕГЛОВ"), surname_after=field("БЕРЁЗИНА"))
    assert continuity.surname_explained(claim("БЕРЕЗИНА", ChangeReason.DIVORCE), PROFILE, pages) is True
    assert continuity.surname_explained(claim("ЩЕГЛОВА", ChangeReason.DIVORCE), PROFILE, pages) is False
    assert continuity.surname_explained(claim("БЕРЕЗИНА", ChangeReason.MARRIAGE), PROFILE, pages) is None
