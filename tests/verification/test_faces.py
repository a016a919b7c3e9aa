"""Faces: found at any orientation and size, told apart, and never an exception. Needs the development pictures."""

from __future__ import annotations

import importlib.util
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from verification import faces
from verification.calibration import CLEAN, POOR, PRINTED, SHIPPED_FILE, FmrTable
from verification.evidence import Pair
from verification.faces import compare, detect, encode, voices
from verification.reasons import PhotoKind, ReasonCode

SHARED = Path(__file__).resolve().parents[3] / "shared"
FACES = SHARED / "data" / "faces"
with_faces = pytest.mark.skipif(not (FACES / "pairs.json").is_file(), reason="../shared/data/faces is absent")
with_pages = pytest.mark.skipif(not (SHARED / "tools" / "printed_portrait.py").is_file(), reason="../shared/tools is absent")


@pytest.fixture(scope="module")
def listing() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FACES / "pairs.json").read_text())
    return found


@pytest.fixture(scope="module")
def people(listing: dict[str, Any]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Twelve people, each on a candid photo and on an official portrait."""
    by: dict[str, dict[str, str]] = {}
    for image in listing["images"]:
        by.setdefault(image["person"], {})[image["set"]] = image["file"]
    both = [files for _, files in sorted(by.items()) if {"house", "congress"} <= set(files)]
    return [(picture(files["congress"]), picture(files["house"])) for files in both[::40][:8]]


def picture(file: str) -> np.ndarray:
    with Image.open(FACES / file) as opened:
        return np.asarray(opened.convert("RGB"))


def page(face: np.ndarray, level: int, seed: int = 0) -> np.ndarray:
    """The face printed on an imitated data page and photographed."""
    spec = importlib.util.spec_from_file_location("printed_portrait", SHARED / "tools" / "printed_portrait.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = detect.main_face(face, kind=PhotoKind.ON_FILE).face
    assert found is not None
    x, y, w, h = found.box
    side = (w + h) // 2
    made: np.ndarray = module.simulate(
        face, (x + w // 2 - side // 2, y + int(h * 0.54) - side // 2, side, side), level, seed=seed
    )[0]
    return made


def turned(image: np.ndarray, degrees: float) -> np.ndarray:
    return np.asarray(
        Image.fromarray(image).rotate(degrees, expand=True, resample=Image.Resampling.BICUBIC, fillcolor=(120, 120, 120))
    )


def code_of(image: np.ndarray) -> encode.Encodings:
    found = detect.main_face(image).face
    assert found is not None
    return encode.encode(found)


def scaled(image: np.ndarray, longest: int) -> np.ndarray:
    factor = longest / max(image.shape[:2])
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=how))


# Finding


@with_faces
@pytest.mark.parametrize("degrees", [0, 15, 30, 45, 60, 90, 135, 180, 270, 315])
def test_a_face_is_found_at_every_orientation_and_is_the_same_person(people, degrees):
    for _, portrait in people[:2]:
        found = detect.main_face(turned(portrait, degrees))
        assert found.face is not None and found.problems == ()
        assert compare.compare(code_of(portrait), encode.encode(found.face)).similarity > 6.0


@with_faces
@pytest.mark.parametrize("longest", [90, 160, 640, 3000])
def test_a_face_is_found_at_every_size_and_boxes_scale(people, longest):
    for _, portrait in people[:2]:
        usual, found = detect.main_face(portrait).face, detect.main_face(scaled(portrait, longest)).face
        assert usual is not None and found is not None
        assert compare.compare(encode.encode(usual), encode.encode(found)).similarity > 4.0
        expected = np.array(usual.box) * longest / max(portrait.shape[:2])
        assert np.abs(np.array(found.box) - expected).max() < 0.15 * longest
        assert found.size == pytest.approx(usual.size * longest / max(portrait.shape[:2]), rel=0.15)


@with_faces
@pytest.mark.parametrize("turn", [1, 2, 3])
def test_boxes_of_turned_pictures_are_in_their_own_pixels(people, turn):
    for _, portrait in people[:4]:
        wide = np.pad(portrait, ((0, 0), (0, 200), (0, 0)), constant_values=128)
        upright, lying = detect.main_face(wide).face, detect.main_face(np.ascontiguousarray(np.rot90(wide, turn))).face
        assert upright is not None and lying is not None
        mask = np.zeros(wide.shape[:2], np.uint8)
        x, y, w, h = upright.box
        mask[y : y + h, x : x + w] = 1
        rows, columns = np.nonzero(np.rot90(mask, turn))
        ours = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
        assert detect._overlap(tuple(int(v) for v in ours), lying.box) > 0.8  # type: ignore[arg-type]


@with_faces
def test_two_equal_faces_are_several_and_a_small_second_one_is_a_bystander(people):
    (_, a), (_, b) = people[0], people[1]
    pair = np.hstack([scaled(a, 600), scaled(b, 600)])
    assert ReasonCode.SEVERAL_FACES_IN_SELFIE in detect.main_face(pair).problems
    assert detect.main_face(pair, kind=PhotoKind.ON_FILE).problems == ()
    crowd = np.full((900, 1300, 3), 140, np.uint8)
    large, small = scaled(a, 850), scaled(b, 350)
    crowd[20 : 20 + large.shape[0], 20 : 20 + large.shape[1]] = large
    crowd[100 : 100 + small.shape[0], 1290 - small.shape[1] : 1290] = small
    found = detect.main_face(crowd)
    assert found.face is not None and found.problems == ()
    assert compare.compare(code_of(a), encode.encode(found.face)).similarity > 6.0


@with_faces
@with_pages
def test_a_passport_held_beside_the_face_is_not_another_person(people):
    candid, portrait = people[2]
    passport = scaled(page(portrait, 1), 420)
    selfie = np.full((1000, 1000, 3), 150, np.uint8)
    face = scaled(candid, 780)
    selfie[10 : 10 + face.shape[0], 10 : 10 + face.shape[1]] = face
    selfie[1000 - passport.shape[0] :, 1000 - passport.shape[1] :] = passport
    found = detect.main_face(selfie)
    assert found.face is not None and found.problems == ()
    assert found.face.box[0] < 500
    assert compare.compare(code_of(candid), encode.encode(found.face)).similarity > 6.0


@with_faces
def test_a_tiny_face_is_asked_for_again(people):
    far = np.full((600, 600, 3), 140, np.uint8)
    small = scaled(people[0][1], 80)
    far[200 : 200 + small.shape[0], 200 : 200 + small.shape[1]] = small
    assert detect.main_face(far).problems == (ReasonCode.FACE_TOO_SMALL,)


@with_faces
@with_pages
@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_the_portrait_is_found_on_a_page_however_it_lies(people, turn):
    candid, portrait = people[3]
    photo = np.ascontiguousarray(np.rot90(page(portrait, 1), turn))
    found = detect.portrait(photo)
    assert found is not None
    assert compare.compare(code_of(candid), encode.encode(found), Pair.SELFIE_DOCUMENT).fmr < 1e-3
    near = detect.portrait(photo, found.box, quarter_turns=(4 - turn) % 4)
    assert near is not None and detect._overlap(near.box, found.box) > 0.7


@with_faces
@with_pages
def test_the_ghost_image_is_not_the_portrait(people):
    _, portrait = people[4]
    photo = page(portrait, 0)
    ghost = scaled(people[5][1], 200).astype(float) * 0.35 + 150
    photo = photo.copy()
    photo[400 : 400 + ghost.shape[0], 1000 : 1000 + ghost.shape[1]] = ghost.clip(0, 255).astype(np.uint8)
    found = detect.portrait(photo)
    assert found is not None and found.box[0] < 450


@with_faces
@with_pages
def test_a_wrong_region_does_not_hide_the_portrait(people):
    photo = page(people[3][1], 1)
    assert detect.portrait(photo, (photo.shape[1] - 60, photo.shape[0] - 60, 50, 50)) is not None
    assert detect.portrait(photo, (5000, 5000, 10, 10)) is not None


# Comparing


@with_faces
def test_the_same_person_is_alike_and_others_are_not(people):
    official = [code_of(portrait) for _, portrait in people]
    for n, (candid, _) in enumerate(people):
        codes = code_of(candid)
        measured = [compare.compare(codes, other) for other in official]
        best = max(range(len(people)), key=lambda k: measured[k].similarity)
        assert best == n
        assert measured[n].fmr is not None and measured[n].fmr < 1e-3 and measured[n].voices_agree
        assert all(m.fmr is not None and m.fmr > 1e-4 for k, m in enumerate(measured) if k != n)


@with_faces
def test_encoding_is_deterministic_in_shape_and_in_threads(people):
    _, portrait = people[0]
    first = code_of(portrait)
    assert first.sface.shape == first.dlib.shape == (128,)
    assert np.linalg.norm(first.sface) == pytest.approx(1.0)
    with ThreadPoolExecutor(4) as pool:
        for again in pool.map(lambda _: code_of(portrait), range(6)):
            assert (again.sface == first.sface).all() and (again.dlib == first.dlib).all()


@with_faces
def test_a_mirrored_photo_encodes_almost_alike(people):
    _, portrait = people[1]
    a, b = code_of(portrait), code_of(np.ascontiguousarray(portrait[:, ::-1]))
    assert float(a.sface @ b.sface) > 0.85 and float(np.linalg.norm(a.dlib - b.dlib)) < 0.25


@with_faces
def test_comparison_is_symmetric_and_names_each_condition(people):
    a, b = code_of(people[0][0]), code_of(people[1][1])
    assert compare.compare(a, b) == compare.compare(b, a)
    clean, printed = (compare.compare(a, b, pair) for pair in (Pair.SELFIE_ON_FILE, Pair.SELFIE_DOCUMENT))
    assert clean.similarity == printed.similarity and clean.fmr != printed.fmr


@with_faces
def test_voices_that_contradict_each_other_are_told(people):
    a, b = code_of(people[0][0]), code_of(people[0][1])
    assert compare.compare(a, b).voices_agree
    stranger = code_of(people[5][1])
    mixed = encode.Encodings(sface=b.sface, dlib=a.dlib + (0.9 / 128**0.5), chip=b.chip)
    assert not compare.compare(a, mixed).voices_agree
    assert not compare.compare(a, encode.Encodings(sface=-a.sface, dlib=a.dlib, chip=stranger.chip)).voices_agree


def test_the_shipped_calibration_is_sound():
    shipped = compare.calibration()
    assert set(shipped.tables) == set(compare.CONDITION.values())
    for table in shipped.tables.values():
        assert isinstance(table, FmrTable)
        assert {"data", "people", "impostor_pairs", "date", "limits"} <= set(table.card)
        assert table.supported <= 1e-4  # the rate that approval aims at is one that n can show
        assert 3.0 < table.threshold(1e-3) < table.threshold(1e-4) < 9.0
        assert table.threshold(1e-4) == pytest.approx(6.7, abs=0.4)  # the scale of the policy's lines stays
    assert set(shipped.voices) == set(shipped.centres) == {CLEAN, PRINTED, POOR}
    assert SHIPPED_FILE.stat().st_size < 40_000


@with_faces
@with_pages
def test_a_printed_portrait_is_measured_as_one_and_a_poor_one_as_poor(people):
    for level, condition in ((1, PRINTED), (2, PRINTED), (3, POOR)):
        found = detect.portrait(page(people[0][1], level))
        assert found is not None
        assert encode.encode(found, printed=True).condition == condition
        assert encode.encode(found).condition == CLEAN


@with_faces
@with_pages
def test_what_a_print_does_to_all_faces_is_taken_away_before_comparing(people):
    gained = []
    for candid, portrait in people[:3]:
        found = detect.portrait(page(portrait, 2))
        assert found is not None
        own, printed = code_of(candid), encode.encode(found, printed=True)
        naked = replace(printed, condition=CLEAN)
        gained.append(compare.distances(own, naked)["sface"] - compare.distances(own, printed)["sface"])
    assert all(g > 0 for g in gained)  # one person's faces come nearer


@with_faces
def test_a_poor_print_is_looked_at_in_three_sizes_and_both_ways(people):
    found = detect.main_face(people[0][1]).face
    assert found is not None
    chip = voices.Seen(found=found).five_points
    seen = voices.views(chip, True)
    assert len(seen) == 6 and len(voices.views(chip, False)) == 2
    assert all((one[:, ::-1] == mirrored).all() for one, mirrored in zip(seen[::2], seen[1::2], strict=True))
    middle = slice(46, 66), slice(46, 66)
    for other in seen[2::2]:
        assert not (other == chip).all()
        assert np.abs(other[middle].astype(int) - chip[middle]).mean() < 12  # the middle stays where it is


@with_faces
def test_only_poor_prints_are_smoothed(people):
    found = detect.main_face(people[0][1]).face
    assert found is not None
    plain, smooth = voices.Seen(found=found), voices.Seen(found=found, smooth=True)
    assert (plain.five_points == plain.plain).all() and (smooth.plain == plain.plain).all()
    rough = [float(np.abs(np.diff(chip.astype(float), axis=0)).mean()) for chip in (plain.five_points, smooth.five_points)]
    assert rough[1] < 0.9 * rough[0]


# One case


@with_faces
@with_pages
def test_a_case_with_three_photos_gives_three_pairs(people):
    candid, portrait = people[3]
    photo = page(portrait, 1)
    seen = faces.compare.read_faces(candid, photo, portrait, portrait=None)
    assert set(seen.pairs) == set(Pair) and set(seen.boxes) == {"selfie", "document", "on_file"}
    assert seen.problems == ()
    assert all(m.fmr is not None and m.fmr < 1e-3 for m in seen.pairs.values())


@with_faces
@with_pages
def test_a_selfie_that_is_the_printed_portrait_is_told(people):
    hits = 0
    for n, (_, portrait) in enumerate(people[:4]):
        photo = page(portrait, 1, seed=n)
        hits += ReasonCode.SELFIE_IS_THE_DOCUMENT in compare.read_faces(portrait, photo, None).problems
        told = set(compare.read_faces(photo, photo, None).problems)
        assert told & {ReasonCode.SELFIE_IS_THE_DOCUMENT, ReasonCode.SELFIE_IS_A_DOCUMENT}
    assert hits >= 3
    for candid, portrait in people[:5]:
        assert ReasonCode.SELFIE_IS_THE_DOCUMENT not in compare.read_faces(candid, page(portrait, 1), None).problems


@with_faces
def test_a_selfie_that_is_a_copy_of_the_face_on_file_is_told(people):
    for candid, portrait in people[:4]:
        height, width = portrait.shape[:2]
        smaller = np.asarray(cv2.resize(portrait, (width * 4 // 5, height * 4 // 5), interpolation=cv2.INTER_AREA))
        for copy in (portrait, smaller):
            assert ReasonCode.SELFIE_IS_ON_FILE in compare.read_faces(copy, None, portrait).problems
        assert ReasonCode.SELFIE_IS_ON_FILE not in compare.read_faces(candid, None, portrait).problems


@with_faces
def test_what_is_missing_is_left_out_and_named(people):
    blank = np.full((400, 300, 3), 128, np.uint8)
    seen = compare.read_faces(blank, blank, blank)
    assert seen.pairs == {} and seen.boxes == {}
    assert set(seen.problems) == {ReasonCode.NO_FACE_IN_SELFIE, ReasonCode.PORTRAIT_NOT_FOUND}
    assert compare.read_faces(None, None, None) == type(seen)()
    only = compare.read_faces(people[0][0], None, people[0][1])
    assert set(only.pairs) == {Pair.SELFIE_ON_FILE} and only.problems == ()


@pytest.mark.parametrize("shape", [(1, 1, 3), (64, 64, 3), (2, 3000, 3), (3000, 5, 3), (700, 700, 3)])
@pytest.mark.parametrize("fill", ["black", "noise"])
def test_no_picture_raises(shape, fill):
    image = {"black": np.zeros(shape, np.uint8),
             "noise": np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)}[fill]  # fmt: skip
    seen = compare.read_faces(image, image, image, portrait=(0, 0, shape[1], shape[0]), quarter_turns=3)
    assert all(isinstance(p, ReasonCode) for p in seen.problems)


@with_faces
def test_every_cut_of_a_face_is_survived(people):
    _, portrait = people[0]
    dice = np.random.default_rng(0)
    for _ in range(10):
        y, x = (int(dice.integers(0, n - 20)) for n in portrait.shape[:2])
        part = np.ascontiguousarray(portrait[y : y + int(dice.integers(5, 400)), x : x + int(dice.integers(5, 400))])
        compare.read_faces(part, part, None)


def test_engines_are_named_and_load_twice():
    faces.load()
    faces.load()
    assert len(faces.engines()) == 5 and all(faces.engines()) and faces.engines()[-1] == compare.calibration().label
