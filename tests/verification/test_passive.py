"""Weak signs in a single selfie: a screen's dots, a print's edges, glass that shines; and what the policy makes of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.specimens import presented
from tests.verification.test_decision import A_GOOD_RUN, POLICY
from verification.challenge import RATES, Sign
from verification.decision import Outcome, decide
from verification.evidence import Measures
from verification.faces import compare, detect, passive
from verification.policy import SHIPPED, loosens
from verification.reasons import PhotoKind, ReasonCode

FACES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "faces"
SELFIE = tuple(RATES)


def a_face(box: tuple[int, int, int, int]) -> detect.Found:
    """As if found there: the checks of a selfie's signs look at place and size alone."""
    x, y, w, h = box
    return detect.Found(
        box=box,
        crop=np.zeros((detect.CROP, detect.CROP, 3), np.uint8),
        landmarks=np.zeros((5, 2), np.float32),
        box_in_crop=(110.0, 90.0, 180.0, 220.0),
        score=0.95,
        eyes=0.4 * w,
        size=float(h),
        row=np.zeros(15, np.float32),
        middle=np.array([x + w / 2, y + h / 2], np.float32),
        tilt=0.0,
    )


def a_room(height: int = 800, width: int = 600, seed: int = 3) -> tuple[np.ndarray, detect.Found]:
    """Soft patches of light with a sensor's noise, and an oval of skin in the middle."""
    rng = np.random.default_rng(seed)
    wall = cv2.resize(rng.uniform(90, 150, (4, 3, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    box = (round(0.35 * width), round(0.3 * height), round(0.3 * width), round(0.32 * height))
    centre = box[0] + box[2] // 2, box[1] + box[3] // 2
    cv2.ellipse(wall, centre, (box[2] // 2, box[3] // 2), 0, 0, 360, (190, 150, 125), -1, cv2.LINE_AA)
    wall += rng.normal(0, 3, wall.shape)
    return np.clip(wall, 0, 255).astype(np.uint8), a_face(box)


def framed(picture: np.ndarray, corners: list[tuple[int, int]], thick: int = 14) -> np.ndarray:
    made = picture.copy()
    cv2.polylines(made, [np.array(corners, np.int32)], True, (238, 236, 230), thick, cv2.LINE_AA)
    return made


# --- What the pixels show


def test_an_ordinary_picture_shows_no_sign():
    assert passive.signs(*a_room()) == ()


@pytest.mark.parametrize("step", [2.6, 3.4, 5.3])
def test_a_fine_pattern_over_all_is_a_screens(step):
    picture, face = a_room()
    x = np.arange(picture.shape[1])
    grid = 6 * np.cos(2 * np.pi * x / step)[None, :, None]
    shown = np.clip(picture + grid, 0, 255).astype(np.uint8)
    assert passive.signs(shown, face) == (Sign.SCREEN_PATTERN,)


def test_a_pattern_on_a_small_part_alone_is_cloth():
    picture, face = a_room()
    shown = picture.astype(np.float32)
    shown[-150:] += 8 * np.cos(2 * np.pi * np.arange(picture.shape[1]) / 3.4)[None, :, None]
    assert Sign.SCREEN_PATTERN not in passive.signs(np.clip(shown, 0, 255).astype(np.uint8), face)


def test_the_grid_of_jpeg_is_no_screen():
    picture, face = a_room()
    packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 25])[1]
    assert Sign.SCREEN_PATTERN not in passive.signs(cv2.imdecode(packed, cv2.IMREAD_COLOR), face)


@pytest.mark.parametrize(
    "corners",
    [
        [(130, 140), (470, 140), (470, 620), (130, 620)],
        [(110, 170), (450, 120), (490, 600), (150, 650)],
        [(120, 150), (480, 150), (480, 900), (120, 900)],  # its foot is out of the picture
    ],
)
def test_straight_edges_that_frame_the_face_are_a_prints(corners):
    picture, face = a_room()
    assert passive.signs(framed(picture, corners), face) == (Sign.PICTURE_EDGES,)


def test_edges_under_a_hand_on_one_side_are_still_seen():
    picture, face = a_room()
    shown = framed(picture, [(130, 140), (470, 140), (470, 620), (130, 620)])
    cv2.ellipse(shown, (300, 640), (170, 60), 0, 0, 360, (180, 140, 120), -1)
    assert passive.signs(shown, face) == (Sign.PICTURE_EDGES,)


def test_lines_that_run_on_are_a_rooms():
    picture, face = a_room()
    shown = picture.copy()
    for x in (130, 470):
        cv2.line(shown, (x, 0), (x, 799), (238, 236, 230), 14)
    for y in (140, 620):
        cv2.line(shown, (0, y), (599, y), (238, 236, 230), 14)
    assert passive.signs(shown, face) == ()


def test_a_frame_beside_the_face_or_the_pictures_own_border_counts_not():
    picture, face = a_room()
    assert passive.signs(framed(picture, [(20, 40), (160, 40), (160, 200), (20, 200)]), face) == ()
    assert passive.signs(framed(picture, [(3, 3), (596, 3), (596, 796), (3, 796)], 4), face) == ()


def test_a_white_patch_over_the_face_is_glare_and_one_beside_it_or_of_colour_is_not():
    picture, face = a_room()
    for centre, colour, told in [
        ((300, 330), (255, 255, 255), (Sign.GLASS_GLARE,)),
        ((80, 100), (255, 255, 255), ()),
        ((300, 330), (255, 210, 190), ()),
    ]:
        shown = picture.copy()
        cv2.ellipse(shown, centre, (45, 60), 20, 0, 360, colour, -1, cv2.LINE_AA)
        assert passive.signs(shown, face) == told


@pytest.mark.parametrize(("height", "width"), [(40, 30), (200, 150), (270, 200), (1200, 900), (4000, 3000)])
def test_any_size_is_looked_at_and_nothing_is_changed(height, width):
    picture, face = a_room(height, width)
    before = picture.copy()
    told = passive.signs(picture, face)
    assert told == passive.signs(picture, face) == ()
    assert np.array_equal(picture, before)


@pytest.mark.parametrize("size", [(270, 200), (1200, 900), (4000, 3000)])
def test_edges_are_seen_at_any_size(size):
    height, width = size
    picture, face = a_room(height, width)
    corners = [(round(u * width), round(v * height)) for u, v in ((0.2, 0.17), (0.8, 0.17), (0.8, 0.78), (0.2, 0.78))]
    assert passive.signs(framed(picture, corners, max(3, width // 50)), face) == (Sign.PICTURE_EDGES,)


@pytest.mark.parametrize("box", [(-60, -50, 300, 300), (500, 700, 300, 300), (590, 790, 4, 4), (0, 0, 600, 800), (9, 9, 1, 1)])
def test_a_face_at_the_edge_tiny_or_as_large_as_the_picture_makes_nothing_raise(box):
    assert set(passive.signs(a_room()[0], a_face(box))) <= set(SELFIE)


def test_one_plain_colour_shows_no_sign_of_pattern_or_edges():
    for level in (0, 128, 255):
        told = passive.signs(np.full((800, 600, 3), level, np.uint8), a_room()[1])
        assert told == ((Sign.GLASS_GLARE,) if level == 255 else ())


def test_a_selfie_without_a_face_has_no_signs():
    assert compare.look(PhotoKind.SELFIE, np.full((480, 360, 3), 128, np.uint8)).signs == ()
    assert compare.look(PhotoKind.SELFIE, None).signs == ()


# --- Real photographs, and pictures of them held up


def stills(count: int) -> list[tuple[np.ndarray, detect.Found]]:
    if not (FACES / "pairs.json").is_file():
        pytest.skip("no ../shared/data/faces: signs of real photographs not tried")
    listing = json.loads((FACES / "pairs.json").read_text(encoding="utf-8"))["images"]
    made = []
    for entry in [e for e in listing if e["set"] == "house"][:: 433 // count][:count]:
        with Image.open(FACES / entry["file"]) as opened:
            picture = np.asarray(opened.convert("RGB"))
        face = detect.main_face(picture, kind=PhotoKind.ON_FILE).face
        assert face is not None
        made.append((picture, face))
    return made


def test_photographs_show_no_sign_and_prints_and_screens_held_up_often_do():
    seen = dict.fromkeys(SELFIE, 0)
    for number, (picture, face) in enumerate(stills(3)):
        assert passive.signs(picture, face) == ()
        for species, told in (("print", Sign.PICTURE_EDGES), ("laptop", Sign.SCREEN_PATTERN), ("glossy print", Sign.GLASS_GLARE)):
            shown = presented.presented(picture, face, species, seed=number)
            again = detect.main_face(shown, kind=PhotoKind.ON_FILE).face
            seen[told] += again is not None and told in passive.signs(shown, again)
    assert min(seen.values()) >= 1, seen


def test_a_presented_picture_is_the_same_for_the_same_seed():
    picture, face = a_room()
    for species in ("print", "cut-out", "phone"):
        once, again, other = (presented.presented(picture, face, species, seed=s) for s in (1, 1, 2))
        assert np.array_equal(once, again)
        assert once.shape != other.shape or not np.array_equal(once, other)


def test_look_tells_the_signs_of_a_selfie_and_of_no_other_photo():
    picture, face = stills(1)[0]
    middle = face.middle.astype(int)
    shown = picture.copy()
    cv2.ellipse(shown, (int(middle[0]), int(middle[1] - 0.33 * face.size)), (64, 24), 0, 0, 360, (255, 255, 255), -1)
    assert Sign.GLASS_GLARE in compare.look(PhotoKind.SELFIE, shown).signs
    assert compare.look(PhotoKind.ON_FILE, shown).signs == ()
    assert Sign.GLASS_GLARE in compare.together([compare.look(PhotoKind.SELFIE, shown)]).selfie_signs


# --- What the policy makes of them


def test_a_listed_sign_goes_to_a_person_and_never_asks_for_a_new_photo():
    for sign in SELFIE:
        lists_it = replace(POLICY, refer_on_liveness_signs=(sign.value,))
        told = decide(replace(A_GOOD_RUN, selfie_signs=(sign,)), lists_it, attempt=1)
        assert (told.outcome, told.reasons, told.retake) == (Outcome.REFER, (ReasonCode.LIVENESS_DOUBTED,), frozenset())
        lists_none = replace(POLICY, refer_on_liveness_signs=())
        assert decide(replace(A_GOOD_RUN, selfie_signs=(sign,)), lists_none, attempt=1).outcome is Outcome.APPROVE
        assert loosens(lists_it, lists_none) == ("refer_on_liveness_signs",)


def test_no_sign_mends_what_else_is_wrong():
    poor = replace(A_GOOD_RUN, pairs={})
    assert decide(poor, POLICY, attempt=1) == decide(replace(poor, selfie_signs=()), POLICY, attempt=1)
    for sign in SELFIE:
        assert decide(replace(poor, selfie_signs=(sign,)), POLICY, attempt=1).outcome is not Outcome.APPROVE


def test_what_ships_ticked_was_false_on_one_photograph_in_two_hundred_at_most():
    for sign, rate in RATES.items():
        assert rate.genuine >= 200
        if sign.value in SHIPPED.refer_on_liveness_signs:
            assert rate.false_alarms <= 0.005 * rate.genuine


def test_measures_come_back_and_runs_before_lack_them():
    seen = replace(A_GOOD_RUN, selfie_signs=(Sign.PICTURE_EDGES, Sign.GLASS_GLARE))
    told = seen.to_json()
    assert told["selfie_signs"] == ["picture_edges", "glass_glare"]
    assert Measures.from_json(json.loads(json.dumps(told))) == seen
    of_another = {**told, "selfie_signs": ["picture_edges", "of_another_time"]}
    assert Measures.from_json(of_another).selfie_signs == (Sign.PICTURE_EDGES,)
    del told["selfie_signs"]
    assert Measures.from_json(told).selfie_signs == ()
