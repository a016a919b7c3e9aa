"""Invented people printed onto blanks: the zone is right, the label says what is printed, the same seed gives the same pixels."""

from __future__ import annotations

import doctest
import json
import string
from dataclasses import replace
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.benchmarks import documents as benchmark
from tests.specimens import __main__ as command
from tests.specimens import blanks
from tests.specimens.draw import RUSSIAN_ZONE
from verification.documents import mrz
from verification.evidence import DocumentReading, DocumentType, Field, FieldReading, MrzReading, Source
from verification.names import compare

TODAY = date(2026, 11, 22)
CYRILLIC = "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"

needs_blanks = pytest.mark.skipif(
    not (blanks.BLANKS / "int.json").is_file(), reason="../shared/data/blanks is absent: nothing to print onto"
)


def small(kind: str) -> blanks.Blank:
    """The blank of a kind with the fewest pixels."""
    return min((b for b in blanks.blanks() if b.kind == kind), key=lambda b: b.photo().size)


def anybody(_name: str, text: str) -> bool:
    """Lines as long as any."""
    return len(text) < 60


# --- People


@pytest.mark.parametrize("woman", [False, True])
def test_names_use_every_letter_and_rare_ones_often(woman):
    rng = np.random.default_rng(1)
    names = [blanks.surname(rng, woman=woman) for _ in range(1500)]
    assert len(set(names)) > 1000
    letters = "".join(names)
    assert set(letters) <= set(CYRILLIC + "-") and set(CYRILLIC) <= set(letters)
    assert all(letters.count(rare) / len(letters) > 0.004 for rare in "ЩЭЮЦФ")  # in running Russian Щ, Э, Ф are under that
    assert 0.03 < sum("-" in name for name in names) / len(names) < 0.10


@pytest.mark.parametrize("woman", [False, True])
def test_patronymics_end_as_the_sex_says(woman):
    rng = np.random.default_rng(2)
    made = [blanks.patronymic(rng, woman=woman) for _ in range(400)]
    assert None in made
    ends = ("НА", "КЫЗЫ") if woman else ("ИЧ", "ОГЛЫ")
    assert all(name.endswith(ends) for name in made if name)


def test_the_examples_hold():
    assert doctest.testmod(blanks).failed == 0 < doctest.testmod(blanks).attempted


def test_latin_names_are_the_icao_spelling_of_the_cyrillic_ones():
    assert blanks.latin("ЩЕРБАКОВА ЭЛЬВИРА") == "SHCHERBAKOVA ELVIRA"  # facts/documents.md 4.1
    assert blanks.latin("ОБЪЕДКОВ СОЛОВЬЁВ ЮЛИЯ ЦЫГАНОВ") == "OBIEEDKOV SOLOVEV IULIIA TSYGANOV"  # 2.3, column 2014
    rng = np.random.default_rng(3)
    for _ in range(200):
        name = blanks.surname(rng, woman=bool(rng.random() < 0.5))
        assert set(blanks.latin(name)) <= set(string.ascii_uppercase + "-")
        assert compare(name, blanks.latin(name), field=Field.SURNAME, country="RUS").agreement == 1.0


# --- Papers


def made_up(kind: str, count: int) -> list[tuple[blanks.Blank, blanks.Paper]]:
    every = [b for b in blanks.blanks() if b.kind == kind]
    chosen = [every[at % len(every)] for at in range(count)]
    return [(b, blanks.invent(b, np.random.default_rng([7, at]), today=TODAY, fits=anybody)) for at, b in enumerate(chosen)]


@needs_blanks
@pytest.mark.parametrize("kind", [kind for kind in blanks.KINDS if kind != "RU_INTERNAL_1997"])
def test_the_zone_says_what_the_paper_says_with_right_check_digits(kind):
    for _, paper in made_up(kind, 40):
        person, read = paper.person, mrz.parse(paper.zone, today=TODAY)
        assert read.valid and all(read.checks.values())
        values = read.values
        assert values[Field.DOCUMENT_NUMBER] == person.document_number
        assert values[Field.DATE_OF_BIRTH] == person.date_of_birth.isoformat()
        assert values[Field.SEX] == person.sex and values[Field.NATIONALITY] == "RUS"
        if kind == "RU_INTERNAL_2011":
            assert read.document_type is DocumentType.RU_INTERNAL
            assert values[Field.ISSUED_ON] == person.issued_on.isoformat()
            assert values[Field.ISSUER_CODE] == person.issuer_code
            start = paper.zone[0][5:].split("<<")[0]
            assert start == "".join("<" if c in "- " else RUSSIAN_ZONE[c] for c in person.surname)
        else:
            assert read.document_type is DocumentType.TD3
            assert values[Field.EXPIRES_ON] == person.expires_on.isoformat()
            assert values[Field.SURNAME] == person.surname.replace("-", " ")
            assert person.surname == blanks.latin(person.surname_native)


@needs_blanks
def test_papers_hang_together():
    for kind in blanks.KINDS:
        for blank, paper in made_up(kind, 25):
            person = paper.person
            assert person.date_of_birth < person.issued_on <= TODAY
            if blank.internal:
                age = (person.issued_on - person.date_of_birth).days / 365.25
                assert age >= 14
                assert (person.issued_on >= date(2011, 7, 1)) == (kind == "RU_INTERNAL_2011") == (paper.zone is not None)
            else:
                assert person.expires_on > TODAY


@needs_blanks
def test_every_line_of_every_blank_is_printed_and_fits():
    for blank in blanks.blanks():
        press = blanks.Press(blank=blank, rng=np.random.default_rng(4))
        paper = blanks.invent(blank, np.random.default_rng(5), today=TODAY, fits=press.fits)
        names = {slot.name for slot in blank.slots if not slot.name.startswith(("mrz", "signature"))}
        missing = names - set(paper.lines)
        assert missing <= ({"patronymic"} if paper.person.patronymic is None else set()), blank.file.name
        assert all(press.fits(name, text) for name, text in paper.lines.items() if name in names)
        words = " ".join(paper.lines[row] for row in blank.rows("birth_place"))
        assert words == paper.person.place_of_birth


# --- Pictures


@needs_blanks
@pytest.mark.parametrize("hardness", [None, "hard"])
def test_the_same_seed_gives_the_same_pixels_and_another_seed_another_person(hardness):
    blank = small("RU_INTERNAL_2011")
    once = blanks.printed(blank, seed=(1, 2), today=TODAY, hardness=hardness)
    again = blanks.printed(blank, seed=(1, 2), today=TODAY, hardness=hardness)
    other = blanks.printed(blank, seed=(1, 3), today=TODAY, hardness=hardness)
    assert once.image.dtype == np.uint8 and np.array_equal(once.image, again.image) and once.label == again.label
    assert once.label["mrz"] != other.label["mrz"]
    assert [once.image.shape[1], once.image.shape[0]] == once.label["size"]


@needs_blanks
def test_a_picture_does_not_depend_on_how_many_are_asked_for():
    one, two = (list(blanks.people_on_blanks(n, seed=3, today=TODAY, kinds=["RU_TRAVEL_2003"])) for n in (1, 2))
    assert np.array_equal(one[0].image, two[0].image) and one[0].label == two[0].label


@needs_blanks
@pytest.mark.parametrize("kind", blanks.KINDS)
def test_ink_lies_on_the_lines_and_nowhere_else(kind):
    blank = small(kind)
    before = blank.photo().astype(int)
    made = blanks.printed(blank, seed=(6,), today=TODAY)
    darker = (before.mean(axis=2) - made.image.mean(axis=2)) > 25
    near = np.zeros(darker.shape, np.uint8)
    for slot in blank.slots:
        grown = cv2.dilate(cv2.fillConvexPoly(np.zeros_like(near), slot.quad.astype(np.int32), 1), np.ones((7, 7), np.uint8))
        if slot.name.startswith(("mrz", "issue_date", "birth_date", "expiry_date", "unit_code", "document_number")):
            assert darker[grown > 0].mean() > 0.06, slot.name
        wide = np.ones((max(3, round(slot.height * 1.2)), 2 * before.shape[1]), np.uint8)
        near |= cv2.dilate(grown, wide if not slot.name.startswith(("document_number_", "mrz")) else np.ones((9, 9), np.uint8))
    assert darker[near == 0].mean() < 0.002


@needs_blanks
def test_the_mark_stands_over_a_pasted_portrait():
    blank = small("RU_TRAVEL_2010")
    made = blanks.printed(blank, seed=(8,), today=TODAY, portrait=np.full((720, 560, 3), 200, np.uint8))
    low, high = blank.portrait.min(axis=0).astype(int) + 3, blank.portrait.max(axis=0).astype(int) - 3
    inside = made.image[low[1] : high[1], low[0] : high[0]].astype(int)
    red = inside[..., 0] - inside[..., 1] > 50
    assert 0.03 < red.mean() < 0.3


# --- The folder and the benchmark that reads it


@needs_blanks
def test_the_command_writes_a_folder_that_the_benchmark_reads(tmp_path):
    arguments = ["blanks", "--out", str(tmp_path), "--count", "3", "--seed", "2", "--today", TODAY.isoformat()]
    assert command.main([*arguments, "--kind", "RU_TRAVEL_2003", "RU_INTERNAL_2011"]) == 0
    items = json.loads((tmp_path / "labels.json").read_text(encoding="utf-8"))["items"]
    assert [item["mrz_format"] for item in items] == ["TD3", "RU", "TD3"]
    read = list(benchmark.labelled(tmp_path, variants=(None,), limit=0, only=()))
    assert len(read) == 3 and all(list(picture.shape[1::-1]) == item["size"] for _, _, item, picture in read)


@needs_blanks
def test_what_is_printed_is_what_the_benchmark_wants():
    for made in blanks.people_on_blanks(4, seed=11, today=TODAY):
        wanted = benchmark.truth(made.label)
        for name, value in made.label["printed"].items():
            assert value in wanted[Field(name)]
        if made.label["mrz"]:
            assert {Field(name) for name in made.label["printed"]} <= set(wanted)
            assert Field.NATIONALITY in wanted


@needs_blanks
def test_the_folder_must_lie_outside_the_project(capsys):
    inside = Path(blanks.ROOT) / "tests" / "not-here"
    assert command.main(["blanks", "--out", str(inside), "--count", "1"]) == 2
    assert "outside" in capsys.readouterr().err and not inside.exists()


def test_absent_blanks_are_named(tmp_path):
    with pytest.raises(blanks.BlanksMissing, match=r"int\.json"):
        blanks.blanks(tmp_path)


# --- Scoring

ITEM = {
    "file": "x.jpg", "doc_type": "internal_passport", "country": "RUS", "mrz_format": "RU", "mrz_conforming": True,
    "tags": ["glare"],
    "mrz": ["PNRUSWERBAKOVA<<6L9VIRA<7R9EVNA<<<<<<<<<<<<<", "4511234569RUS8503079F<<<<<<<1110914770045<44"],
    "fields": {}, "printed": {"surname": "ЩЕРБАКОВА", "issuer": "ОВД Г. ТВЕРЬ"},
}  # fmt: skip


def reading(**values: tuple[str, bool]) -> DocumentReading:
    fields = {
        Field(name): FieldReading(value=value, confidence=0.9, certain=sure, source=Source.VIZ)
        for name, (value, sure) in values.items()
    }
    return DocumentReading(fields=fields, mrz=MrzReading(lines=tuple(ITEM["mrz"]), valid=True, checks={}))


def test_scoring_counts_what_is_right_wrong_and_wrongly_certain():
    row = benchmark.score(
        ITEM, reading(surname=("ЩЕРБАКОВА", True), given_names=("ЭЛЬВИРА", False), issuer=("овд  г. тверь", False))
    )
    assert row["exact"] and row["format"] == "RU_INTERNAL"
    assert row["right"]["surname"] and row["right"]["issuer"] and not row["right"]["patronymic"]
    assert row["wrong_certain"] == [] and row["cer"] == {"surname": 0.0, "issuer": 0.0}

    row = benchmark.score(ITEM, reading(surname=("ШЕРБАКОВА", True), issuer=("ОВД Г. ТВЕР", False), personal_number=("1", True)))
    assert set(row["wrong_certain"]) == {"surname", "personal_number"}
    assert row["cer"]["surname"] == pytest.approx(1 / 9) and row["cer"]["issuer"] == pytest.approx(1 / 12)


def test_unread_words_are_wholly_wrong_and_the_report_names_nobody():
    lost = benchmark.score(ITEM, replace(reading(), mrz=None))
    assert lost["cer"]["surname"] == 1.0 and lost["exact"] is False
    row = {"file": "x.jpg", "group": "g", "variant": None, "seconds": 1.0, "cpu_seconds": 1.0, "peak_mib": 1.0, **lost}
    told = benchmark.report([row]) + benchmark.table([row])
    assert "under glare: exact or a glare reason   0.0 % of 1" in told and "ЩЕРБАКОВА" not in told


@pytest.mark.parametrize("key", list(benchmark.people.PAPERS))
def test_drawn_people_differ_from_cell_to_cell(key):
    kind, country, paper = benchmark.people.PAPERS[key]
    some = [benchmark.another(paper(TODAY), country, np.random.default_rng(at), kind=kind) for at in range(6)]
    assert len({person.surname for person in some}) > 3 and len({person.document_number for person in some}) == 6
    assert all(person.date_of_birth < person.issued_on for person in some)
