"""Specimens are what they say: right check digits by another rule than their own, the same pixels each time, true truth."""

from __future__ import annotations

import doctest
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
from datetime import date
from difflib import SequenceMatcher
from pathlib import Path
from string import ascii_uppercase, digits

import numpy as np
import pytest
from PIL import Image

from tests.specimens import __main__ as command
from tests.specimens import draw, people, portraits
from tests.specimens.photograph import GRADES, photograph, selfie, shoot

TODAY = date(2026, 11, 22)
TD3 = [key for key, (kind, _, _) in people.PAPERS.items() if kind == "td3"]
PERSONAS = people.personas(TODAY)
FACE = np.full((720, 560, 3), 150, np.uint8)  # for what does not look at faces: needs no download

needs_portraits = pytest.mark.skipif(
    not all((portraits.CACHE / f"{who}{n}.jpg").exists() for who, n in portraits.PICTURES),
    reason="the portraits are absent: run bin/install",
)


def paper(key: str, *, faults: draw.Faults = draw.NO_FAULTS) -> draw.Specimen:
    kind, country, person = people.PAPERS[key]
    if kind == "td3":
        return draw.draw_td3(person(TODAY), FACE, country=country, faults=faults)
    return draw.draw_ru_internal(person(TODAY), FACE, zone=key != "russian_before_2011", faults=faults)


def digit(text: str) -> int:
    """Written anew from Doc 9303-3 section 4.9, so that a slip in draw.check_digit cannot hide here."""
    worth = [ord(c) - 48 if c.isdigit() else 0 if c == "<" else ord(c) - 55 for c in text]
    return sum(value * [7, 3, 1][i % 3] for i, value in enumerate(worth)) % 10


def wrong_digits(second: str, *, internal: bool) -> set[str]:
    """Names of the check digits of a second line of 44 that do not hold; `<` for an empty field is right."""
    covered = {
        "document_number": (second[:9], second[9]),
        "date_of_birth": (second[13:19], second[19]),
        "expires_on": (second[21:27], second[27]),
        "personal_number": (second[28:42], second[42]),
        "composite": (second[:10] + second[13:20] + second[21:43], second[43]),
    }
    if internal:
        assert covered.pop("expires_on") == ("<<<<<<", "<")
    return {name for name, (text, c) in covered.items() if c != str(digit(text)) and not (c == "<" and set(text) == {"<"})}


# --- The zone


def test_the_rules_examples_hold():
    for module in (draw, people):
        assert doctest.testmod(module).failed == 0


def test_the_zone_is_that_of_the_worked_examples():
    """facts: ICAO's TD3 specimen and the Russian internal passport, both computed by others."""
    eriksson = draw.Person(
        surname="ERIKSSON", given_names="ANNA MARIA", document_number="L898902C3", date_of_birth=date(1974, 8, 12), sex="F",
        nationality="UTO", issued_on=date(2007, 4, 16), expires_on=date(2012, 4, 15), personal_number="ZE184226B",
    )  # fmt: skip
    lines, _ = draw.td3_zone(eriksson, "UTO")
    assert lines == ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
    internal = draw.Person(
        surname="ЩЕРБАКОВА", given_names="ЭЛЬВИРА", patronymic="ЮРЬЕВНА", document_number="4511123456", sex="F",
        nationality="RUS", date_of_birth=date(1985, 3, 7), issued_on=date(2011, 9, 14), issuer_code="770-045",
    )  # fmt: skip
    lines, _ = draw.internal_zone(internal)
    assert lines == ("PNRUSWERBAKOVA<<6L9VIRA<7R9EVNA<<<<<<<<<<<<<", "4511234569RUS8503079F<<<<<<<1110914770045<44")


@pytest.mark.parametrize("key", [k for k in people.PAPERS if k != "russian_before_2011"])
def test_every_check_digit_of_a_right_paper_holds(key):
    truth = paper(key).truth
    first, second = truth["mrz"]["lines"]
    assert len(first) == len(second) == 44 and not re.search("[^A-Z0-9<]", first + second)
    assert wrong_digits(second, internal=truth["document_type"] == "RU_INTERNAL") == set()
    assert truth["mrz"]["valid"] and all(truth["mrz"]["checks"].values()) and truth["zones_differ"] == []


@pytest.mark.parametrize("wrong", ["document_number", "date_of_birth", "expires_on", "personal_number", "composite"])
def test_a_wrong_check_digit_is_wrong_alone_and_the_truth_says_so(wrong):
    truth = paper("kazakh", faults=draw.Faults(wrong_check=wrong)).truth
    assert wrong_digits(truth["mrz"]["lines"][1], internal=False) == {wrong}
    assert not truth["mrz"]["valid"] and [n for n, holds in truth["mrz"]["checks"].items() if not holds] == [wrong]


def test_a_check_digit_that_is_not_printed_cannot_be_wrong():
    with pytest.raises(ValueError, match="expires_on"):
        paper("russian_at_home", faults=draw.Faults(wrong_check="expires_on"))


def test_numbers_that_check_themselves_agree_with_another_implementation():
    stdnum = pytest.importorskip("stdnum")
    assert stdnum
    from stdnum.es import dni
    from stdnum.mx import curp

    assert dni.is_valid(people.spanish(TODAY).personal_number)
    assert curp.is_valid(people.mexican(TODAY).personal_number)


# --- The truth and the pixels


def test_an_edit_of_the_print_leaves_the_zone_and_is_named():
    right, edited = paper("mexican"), paper("mexican", faults=draw.Faults(print_only={"document_number": "G48261938"}))
    assert edited.truth["mrz"] == right.truth["mrz"]
    assert edited.truth["fields"]["document_number"] == {"value": "G48261938", "source": "both"}
    assert edited.truth["zones_differ"] == ["document_number"]
    changed = np.argwhere((right.image != edited.image).any(axis=2))
    quad = right.quads["document_number"]
    assert len(changed) > 0  # and nothing but the printed number's own place
    assert (changed[:, ::-1] >= quad.min(axis=0) - 3).all() and (changed[:, ::-1] <= quad.max(axis=0) + 3).all()


def test_an_edit_of_the_zone_leaves_the_print_and_mends_its_digits():
    edited = paper("mexican", faults=draw.Faults(zone_only={"surname": "TLALPANEKO BARRIGUETE", "date_of_birth": "1987-02-21"}))
    assert edited.truth["fields"]["date_of_birth"]["value"] == "1987-02-27"
    assert edited.truth["mrz"]["lines"][1][13:19] == "870221" and edited.truth["mrz"]["valid"]
    assert edited.truth["zones_differ"] == ["date_of_birth", "surname"]


def test_truth_has_the_fields_of_the_reader_and_nothing_that_is_not_printed():
    from verification.evidence import DocumentType, Field

    for key in people.PAPERS:
        truth = paper(key).truth
        assert set(truth["fields"]) <= {f.value for f in Field}
        assert truth["document_type"] in {t.value for t in DocumentType}
        assert json.loads(json.dumps(truth)) == truth
    bare = paper("russian_before_2011").truth
    assert bare["mrz"] is None and {f["source"] for f in bare["fields"].values()} <= {"viz", "mrz"}
    assert "personal_number" not in paper("russian_traveller").truth["fields"]


@pytest.mark.parametrize("key", list(people.PAPERS))
def test_printed_fields_do_not_touch_one_another(key):
    specimen = paper(key)
    height, width = specimen.image.shape[:2]
    boxes = {n: (*q.min(axis=0), *q.max(axis=0)) for n, q in specimen.quads.items() if n != "page"}
    for name, (x0, y0, x1, y1) in boxes.items():
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height, name
        for other, (a0, b0, a1, b1) in boxes.items():
            assert name == other or x1 <= a0 or a1 <= x0 or y1 <= b0 or b1 <= y0, f"{name} lies on {other}"


def test_letters_of_the_zone_stand_at_the_pitch_of_ten_an_inch():
    specimen = paper("utopian")
    x0, y0 = specimen.quads["mrz_1"].min(axis=0).astype(int)
    x1, y1 = np.ceil(specimen.quads["mrz_1"].max(axis=0)).astype(int)
    dark = (specimen.image[y0:y1, x0:x1].max(axis=2) < 90).any(axis=0)
    cells = np.array_split(np.arange(x1 - x0), 44)
    assert all(dark[cell].any() for cell in cells)
    assert (x1 - x0) / 44 / draw.PX == pytest.approx(2.54, abs=0.02)
    rows = np.argwhere((specimen.image[y0 - 10 : y1 + 10, x0:x1].max(axis=2) < 90).any(axis=1))
    assert 2.2 <= float(np.ptp(rows)) / draw.PX <= 2.7  # mm; OCR-B size 1


@pytest.mark.engines
@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
@pytest.mark.parametrize("key", ["kazakh", "spanish", "russian_at_home"])
def test_a_flat_zone_is_legible_to_another_reader(key, tmp_path):
    specimen = paper(key)
    strip = tmp_path / "strip.png"
    Image.fromarray(specimen.image[-draw.PX * 23 :]).save(strip)
    said = subprocess.run(
        ["tesseract", strip, "-", "--psm", "6", "-l", "eng", "-c", f"tessedit_char_whitelist={ascii_uppercase}{digits}<"],
        capture_output=True, text=True, check=True, timeout=60, env=os.environ | {"OMP_THREAD_LIMIT": "1"},
    ).stdout.split()  # fmt: skip
    assert len(said) == 2
    for read, printed in zip(said, specimen.truth["mrz"]["lines"], strict=True):
        letters = printed.rstrip("<")  # plain English data take rows of fillers for K
        same = sum(block.size for block in SequenceMatcher(None, read, letters, autojunk=False).get_matching_blocks())
        assert same >= len(letters) - 2 and abs(len(read) - 44) <= 3


def test_a_text_too_long_for_its_place_is_refused():
    from dataclasses import replace

    person = people.utopian(TODAY)
    with pytest.raises(ValueError, match="39 letters"):
        draw.draw_td3(replace(person, given_names="A" * 40), FACE, country="UTO")
    with pytest.raises(ValueError, match="country"):
        draw.draw_td3(person, FACE, country="XXX")


@pytest.mark.parametrize("name", ["IVANOV", "ЯСТРЕБЦОВ", "ARIZMUÑO FUENLLANA"])
def test_one_letter_off_is_one_letter(name):
    other = draw.one_letter_off(name)
    assert len(other) == len(name) and sum(a != b for a, b in zip(name, other, strict=True)) == 1


# --- Photographs


@pytest.mark.parametrize("hardness", ["flat", *GRADES])
def test_the_same_seed_gives_the_same_photo_and_another_seed_another(hardness):
    page = paper("utopian").image
    once = photograph(page, seed=11, hardness=hardness)
    assert once.dtype == np.uint8 and once.shape[2] == 3
    assert np.array_equal(once, photograph(page, seed=11, hardness=hardness))
    if hardness != "flat":
        assert not np.array_equal(once, photograph(page, seed=12, hardness=hardness))


def test_drawing_twice_gives_the_same_pixels():
    assert np.array_equal(paper("russian_at_home").image, paper("russian_at_home").image)


@pytest.mark.parametrize("hardness", list(GRADES))
@pytest.mark.parametrize(("size", "seed"), [((1500, 1056), 1), ((1500, 1056), 2), ((1500, 2112), 3)])
def test_the_whole_page_is_on_the_photo_where_the_matrix_says(hardness, size, seed):
    page = np.zeros((size[1], size[0], 3), np.uint8)
    page[...] = (40, 40, 250)  # blue, as no table is
    shot = shoot(page, seed=seed, hardness=hardness)
    h, w = page.shape[:2]
    corners = shot.place(np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32))
    tall, wide = shot.image.shape[:2]
    assert (corners >= 0).all() and (corners <= (wide, tall)).all()
    blue = shot.image[..., 2].astype(int) - shot.image[..., 0] > 60
    inside = shot.place(np.array([[w * 0.03, h * 0.03], [w * 0.97, h * 0.97], [w * 0.03, h * 0.97]], np.float32)).astype(int)
    assert all(blue[y, x] for x, y in inside)
    middle = corners.mean(axis=0)
    outside = (middle + (corners - middle) * 1.06).astype(int)
    assert not any(blue[y, x] for x, y in outside if 0 <= x < wide and 0 <= y < tall)


def test_defects_are_what_the_quality_check_calls_them():
    from verification import quality
    from verification.reasons import PhotoKind, ReasonCode

    page = paper("utopian").image
    wanted = {
        None: (),
        "blurred": (ReasonCode.DOCUMENT_BLURRED,),
        "dark": (ReasonCode.DOCUMENT_TOO_DARK,),
        "glare": (ReasonCode.DOCUMENT_GLARE,),
        "small": (ReasonCode.DOCUMENT_TOO_SMALL,),
    }
    for defect, reasons in wanted.items():
        measured = quality.measure(photograph(page, seed=3, hardness="easy", defect=defect), PhotoKind.DOCUMENT)
        assert quality.problems(measured, quality.QualityThresholds(), PhotoKind.DOCUMENT) == reasons, defect


# --- Portraits


@needs_portraits
@pytest.mark.parametrize(("kind", "reasons"), [("clear", ()), ("blurred", ("selfie_blurred",)), ("dark", ("selfie_too_dark",))])
def test_selfies_are_fit_or_unfit_as_named(kind, reasons):
    from verification import quality
    from verification.reasons import PhotoKind

    for key in (("a", 2), ("a", 3), ("b", 1)):
        made = selfie(portraits.portrait(*key), portraits.PICTURES[key].face, seed=4, kind=kind)
        assert np.array_equal(made, selfie(portraits.portrait(*key), portraits.PICTURES[key].face, seed=4, kind=kind))
        measured = quality.measure(made, PhotoKind.SELFIE)
        assert quality.problems(measured, quality.QualityThresholds(), PhotoKind.SELFIE) == reasons


@needs_portraits
def test_the_same_portrait_is_printed_each_time():
    first = portraits.for_print("a", 1).copy()
    portraits.for_print.cache_clear()
    assert np.array_equal(first, portraits.for_print("a", 1))


def test_an_absent_portrait_says_what_to_do(tmp_path):
    with pytest.raises(portraits.PortraitMissing, match="bin/install"):
        portraits.portrait("a", 1, cache=tmp_path)


def test_an_altered_portrait_is_refused(tmp_path):
    Image.new("RGB", (910, 1137)).save(tmp_path / "a1.jpg")
    with pytest.raises(portraits.PortraitMissing, match="pinned"):
        portraits.portrait("a", 1, cache=tmp_path)


def archive(folder: Path, content: bytes) -> Path:
    file = folder / "face_recognition-1.3.0.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        entry = tarfile.TarInfo("face_recognition-1.3.0/tests/test_images/picture.jpg")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return file


def test_an_archive_with_another_hash_is_refused(tmp_path):
    with pytest.raises(portraits.FetchError, match="not the archive"):
        portraits.unpack(archive(tmp_path, b"pixels"), cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_an_archive_without_the_pictures_is_refused(tmp_path):
    file = archive(tmp_path, b"pixels")
    requirement = tmp_path / "specimens.txt"
    requirement.write_text(f"face-recognition==1.3.0 --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n")
    with pytest.raises(portraits.FetchError, match="lacks 4"):
        portraits.unpack(file, cache=tmp_path / "cache", requirement=requirement)


def test_pip_itself_refuses_a_wrong_hash(tmp_path, monkeypatch):
    """With an index that serves another archive under the pinned name: nothing is unpacked, nothing is built."""
    index = tmp_path / "index"
    index.mkdir()
    archive(index, b"pixels")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    with pytest.raises(portraits.FetchError, match=r"(?i)hash"):
        portraits.fetch(tmp_path / "folder", cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@needs_portraits
def test_fetching_again_downloads_nothing(tmp_path, monkeypatch):
    def fail(*_args, **_kw):
        raise AssertionError("pip was called")

    monkeypatch.setattr(portraits.subprocess, "run", fail)
    assert set(portraits.fetch(tmp_path)) == {"a1", "a2", "a3", "b1"}


# --- Personas and the command


@pytest.mark.parametrize("key", list(PERSONAS))
def test_claims_and_profiles_are_what_the_engine_reads(key):
    from verification.evidence import Claim, Profile
    from verification.reasons import ReasonCode

    persona = PERSONAS[key]
    assert Claim.from_json(persona.claim).to_json() == persona.claim
    assert Profile.from_json(persona.profile).to_json() == persona.profile
    assert persona.paper.sex == "M"  # the two people in the photographs are men
    assert persona.expected["outcome"] in ("approve", "retake", "refer") and key.startswith(persona.expected["outcome"])
    assert all(ReasonCode(reason) for reason in persona.expected["reasons"])
    if persona.selfie[0] == "a":
        assert len({persona.selfie, persona.printed, persona.on_file}) == 3  # three photographs, never one twice


@pytest.mark.parametrize("today", [date(2024, 2, 29), date(2026, 11, 22), date(2031, 1, 1)])
def test_papers_are_never_stale_but_the_expired_one(today):
    for key, persona in people.personas(today).items():
        until = persona.paper.expires_on
        if until is not None:
            assert (until < today) == (key == "refer_expired")
        assert persona.paper.date_of_birth < persona.paper.issued_on <= today


def test_the_demo_has_one_persona_for_each_outcome():
    assert [PERSONAS[key].expected["outcome"] for key in people.DEMO] == ["approve", "refer", "retake"]


@needs_portraits
def test_the_command_writes_a_photo_and_its_truth(tmp_path):
    out, truth = tmp_path / "photo.jpg", tmp_path / "truth.json"
    arguments = ["draw", "--kind", "td3", "--person", "kazakh", "--hardness", "medium", "--seed", "1", "--today", "2026-11-22"]
    assert command.main([*arguments, "--out", str(out), "--truth", str(truth)]) == 0
    told = json.loads(truth.read_text(encoding="utf-8"))
    with Image.open(out) as photo:
        x, y, w, h = told["portrait"]["box"]
        assert x >= 0 and y >= 0 and x + w <= photo.width and y + h <= photo.height
    assert told["mrz"]["valid"] and told["fields"]["surname"]["value"] == people.kazakh(TODAY).surname


def test_the_command_names_what_is_wrong_in_one_line(tmp_path, capsys):
    assert command.main(["draw", "--person", "nobody", "--out", str(tmp_path / "x.jpg")]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "nobody" in told


@needs_portraits
def test_a_persona_is_written_whole(tmp_path):
    assert command.main(["personas", "--out", str(tmp_path), "--today", "2026-11-22", "--only", "refer_one_letter"]) == 0
    folder = tmp_path / "refer_one_letter"
    wanted = {"selfie.jpg", "document.jpg", "on_file.jpg", "claim.json", "profile.json", "expected.json"}
    assert {f.name for f in folder.iterdir()} == wanted
    claim = json.loads((folder / "claim.json").read_text(encoding="utf-8"))
    printed = PERSONAS["refer_one_letter"].paper.surname
    assert sum(a != b for a, b in zip(claim["surname"], printed, strict=True)) == 1


def test_a_missing_font_names_its_package(monkeypatch):
    draw.font.cache_clear()
    monkeypatch.setattr(draw, "_installed", dict)
    with pytest.raises(draw.FontMissing, match="fonts-ocr-b"):
        draw.font("OCRB.otf", 40)
