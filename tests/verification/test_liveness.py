"""Signs of life: what a burst must be, what its times and faces show, and what the policy makes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.verification.test_decision import A_GOOD_RUN, POLICY
from verification.challenge import MAX_FRAME_BYTES, Burst, BurstRejected, Challenge, Sign, Turn
from verification.decision import Outcome, decide
from verification.evidence import ChangeReason, Liveness, Measures
from verification.faces import liveness, quality
from verification.faces.encode import encode
from verification.policy import SHIPPED, for_given, loosens
from verification.reasons import ReasonCode

FACES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "faces"
SHOWN = Liveness(frames=6, turned=1.0, depth=0.4, same_face=9.0, timely=True)
A_CORRECTION = replace(A_GOOD_RUN, reason=ChangeReason.MISTAKE, change_letters=dict.fromkeys(A_GOOD_RUN.changes, 1))


def jpeg(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


def a_burst(**other) -> Burst:
    given = {
        "challenge": Challenge(turns=(Turn.LEFT, Turn.RIGHT)),
        "frames": tuple(jpeg(np.full((96, 72, 3), 40 * n, np.uint8)) for n in range(1, 7)),
        "times": (2.6, 3.1, 6.2, 6.7, 9.8, 10.3),
        "steps": (0, 0, 1, 1, 2, 2),
        "elapsed": 13.0,
        "camera": "Front camera",
    }
    return Burst(**{**given, **other})


# --- What is sent


def test_a_burst_comes_back_from_bytes_as_it_was():
    assert Burst.from_bytes(a_burst().to_bytes()) == a_burst()
    assert "Front camera" not in repr(a_burst())


def test_bytes_that_are_longer_or_shorter_than_they_say_are_refused():
    for wrong in (a_burst().to_bytes() + b"x", a_burst().to_bytes()[:-1]):
        with pytest.raises(ValueError):
            Burst.from_bytes(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"frames": (b"x",) * 5},
        {"frames": (b"x" * (MAX_FRAME_BYTES + 1),) * 6},
        {"times": (float("inf"),) * 6},
        {"times": (-1.0,) * 6},
        {"steps": (0, 0, 1, 1, 2, 3)},
        {"elapsed": float("nan")},
        {"camera": "x" * 201},
    ],
)
def test_what_cannot_be_an_answer_is_no_burst(wrong):
    with pytest.raises(BurstRejected):
        a_burst(**wrong)


# --- Times, cameras, repeated frames


def test_frames_at_the_pages_pace_are_timely():
    assert liveness.timely(a_burst())


@pytest.mark.parametrize(
    "wrong",
    [
        {"times": (2.6, 3.1, 3.3, 6.7, 9.8, 10.3)},  # nobody turns within a fifth of a second
        {"times": (2.6, 2.6, 6.2, 6.7, 9.8, 10.3)},
        {"times": (3.1, 2.6, 6.2, 6.7, 9.8, 10.3)},
        {"times": (2.6, 3.1, 6.2, 6.7, 9.8, 20.3)},  # longer than the server waited
        {"steps": (0, 0, 2, 2, 1, 1)},
        {"steps": (0, 0, 1, 1, 1, 1)},
        {"elapsed": 200.0},
    ],
)
def test_frames_out_of_order_or_time_are_not(wrong):
    assert not liveness.timely(a_burst(**wrong))


def test_only_times_that_no_camera_gives_are_impossible():
    assert not liveness.impossible(a_burst())
    assert liveness.impossible(a_burst(times=(3.1, 2.6, 6.2, 6.7, 9.8, 10.3)))
    assert liveness.impossible(a_burst(elapsed=5.0))


@pytest.mark.parametrize(
    ("camera", "program"),
    [
        ("OBS Virtual Camera", True),
        ("fake_device_0", True),
        ("FaceTime HD Camera (2C0E:82E3)", False),
        ("Front Camera", False),
        ("camera2 1, facing front", False),
        ("HP TrueVision HD", False),
        ("Observator Labs 4K", False),
        ("", False),
    ],
)
def test_names_of_programs_are_known(camera, program):
    assert liveness.is_program(camera) is program


def test_without_a_face_in_any_frame_nothing_is_shown_and_nothing_raised():
    same = jpeg(np.full((96, 72, 3), 90, np.uint8))
    broken = a_burst(frames=(b"\xff\xd8\xffno", same, same, *a_burst().frames[3:]), camera="ManyCam")
    shown = liveness.judge(broken, selfie=None)
    assert shown == Liveness(
        frames=0, turned=0.0, depth=None, same_face=None, timely=True, signs=(Sign.FRAMES_REPEATED, Sign.CAMERA_VIRTUAL)
    )


# --- Landmarks


def marks(nose: float, lean: float = 0.0) -> np.ndarray:
    points = np.array([[164, 180], [236, 180], [200 + 72 * nose, 222], [172, 257], [228, 257]], np.float32)
    turn = cv2.getRotationMatrix2D((200, 200), lean, 1.0)
    return np.asarray(np.c_[points, np.ones(5)] @ turn.T, np.float32)


@pytest.mark.parametrize("lean", [-20.0, 0.0, 20.0])
def test_the_nose_is_measured_along_the_eyes_however_the_head_leans(lean):
    assert liveness.asymmetry(marks(0.25, lean)) == pytest.approx(0.25, abs=1e-3)


def test_a_nose_to_the_persons_left_is_a_head_turned_left():
    left, straight, right = (quality.pose(marks(nose)) for nose in (0.25, 0.0, -0.25))
    assert left is not None and straight is not None and right is not None
    assert left[0] > 15 > abs(straight[0]) and right[0] < -15


# --- Real faces: stills laid flat, or upon a head, before the same lens


@pytest.fixture(scope="module")
def people():
    if not (FACES / "pairs.json").is_file():
        pytest.skip("needs ../shared/data/faces")
    from tests.benchmarks import liveness as bench

    listing = json.loads((FACES / "pairs.json").read_text(encoding="utf-8"))["images"]
    return [bench.still_of(FACES, entry) for entry in bench.people(listing)[:2]]


def drawn(frame, rng) -> Burst:
    """A burst of what `frame(yaw)` draws, in the order left, right."""
    from tests.benchmarks import liveness as bench

    frames = tuple(jpeg(bench.photographed(frame(yaw), rng)) for yaw in (0.0, 0.0, 26.0, 30.0, -26.0, -30.0))
    return a_burst(frames=frames)


def test_a_head_that_turns_shows_life_and_a_photo_that_turns_does_not(people):
    from tests.benchmarks import liveness as bench

    one, other = people
    rng = np.random.default_rng(3)
    head = drawn(lambda yaw: bench.head(one, rng, distance=500.0, yaw=yaw, nose=0.36), rng)
    shown = liveness.judge(head, selfie=one.picture)
    assert (shown.frames, shown.turned, shown.timely, shown.signs) == (6, 1.0, True, ())
    assert shown.depth is not None and shown.depth >= 2 * SHIPPED.min_depth
    assert shown.same_face is not None and shown.same_face >= SHIPPED.min_same_face
    asked = replace(head, challenge=Challenge(turns=(Turn.RIGHT, Turn.LEFT)))
    assert liveness.judge(asked, selfie=None).turned == 0.0  # the turns of another order
    stranger = liveness.judge(head, selfie=other.picture)
    assert stranger.same_face is not None and stranger.same_face < SHIPPED.min_same_face
    flat = [bench.found(bench.photographed(bench.sheet(one, rng, distance=500.0, yaw=yaw, bend=0.0), rng)) for yaw in (0.0, 30.0)]
    assert flat[0] is not None and flat[1] is not None
    depth = liveness.depth(flat[0], flat[1])
    assert depth is not None and depth < SHIPPED.min_depth / 2


def test_a_photo_held_up_between_the_frames_of_another_head_does_not_speak_for_it(people):
    from tests.benchmarks import liveness as bench

    victim, thief = people
    rng = np.random.default_rng(0)
    photo = [bench.photographed(bench.sheet(victim, rng, distance=500.0, yaw=4.0, bend=0.0), rng) for _ in range(3)]
    own = [bench.photographed(bench.head(thief, rng, distance=500.0, yaw=yaw, nose=0.36), rng) for yaw in (0.0, 30.0, -30.0)]
    of_photo, of_thief = ([bench.found(frame) for frame in frames] for frames in (photo, own))
    selfie = encode(bench.found(victim.picture))
    alone = liveness.same_face(of_photo, selfie)
    assert alone is not None and alone >= SHIPPED.min_same_face
    for turned in of_thief:  # one frame of another face is enough, however clear the others are
        mixed = liveness.same_face([*of_photo, None, turned], selfie)
        assert mixed is not None and mixed < SHIPPED.min_same_face
    assert liveness.same_face([None, None], selfie) is None


def test_corners_that_no_flat_picture_fits_tell_nothing(people, monkeypatch):
    from tests.benchmarks import liveness as bench

    face = bench.found(people[0].picture)
    assert liveness.depth(face, face) == 0.0
    monkeypatch.setattr(cv2, "findHomography", lambda *_: (None, None))
    assert liveness.depth(face, face) is None


# --- What the policy makes of it


def reasons(measures: Measures, policy=POLICY):
    return decide(measures, policy, attempt=1).reasons


def test_a_correction_without_a_turn_of_the_head_goes_to_a_person():
    assert ChangeReason.MISTAKE.value in SHIPPED.require_liveness_for
    assert reasons(A_CORRECTION) == (ReasonCode.LIVENESS_NOT_SHOWN,)
    assert decide(A_CORRECTION, POLICY, attempt=1).outcome is Outcome.REFER
    assert decide(replace(A_CORRECTION, liveness=SHOWN), POLICY, attempt=1).outcome is Outcome.APPROVE


def test_other_changes_do_not_ask_for_it():
    assert decide(A_GOOD_RUN, POLICY, attempt=1).outcome is Outcome.APPROVE
    asks = replace(POLICY, require_liveness_for=(ChangeReason.MARRIAGE.value,))
    assert reasons(A_GOOD_RUN, asks) == (ReasonCode.LIVENESS_NOT_SHOWN,)


def test_on_the_lines_passes():
    least = replace(SHOWN, turned=POLICY.min_turned, depth=POLICY.min_depth, same_face=POLICY.min_same_face)
    assert reasons(replace(A_CORRECTION, liveness=least)) == ()


@pytest.mark.parametrize(
    "doubtful",
    [
        {"turned": 0.5},
        {"turned": None},
        {"depth": 0.01},
        {"depth": None},
        {"depth": float("nan")},
        {"same_face": 1.0},
        {"same_face": None},
        {"timely": False},
        {"timely": None},
        {"signs": (Sign.CAMERA_VIRTUAL.value,)},
        {"signs": (Sign.FRAMES_REPEATED.value,)},
        {"signs": (Sign.TIMES_IMPOSSIBLE.value,)},
    ],
)
def test_a_doubtful_turn_goes_to_a_person_whatever_changes(doubtful):
    for run in (A_GOOD_RUN, A_CORRECTION):
        told = decide(replace(run, liveness=replace(SHOWN, **doubtful)), POLICY, attempt=1)
        assert (told.outcome, told.reasons) == (Outcome.REFER, (ReasonCode.LIVENESS_DOUBTED,))


def test_a_sign_that_the_policy_does_not_list_only_informs():
    lists_none = replace(POLICY, refer_on_liveness_signs=())
    assert reasons(replace(A_GOOD_RUN, liveness=replace(SHOWN, signs=(Sign.CAMERA_VIRTUAL.value,))), lists_none) == ()
    assert "refer_on_liveness_signs" in loosens(POLICY, lists_none)
    assert "require_liveness_for" in loosens(POLICY, replace(POLICY, require_liveness_for=()))


def test_a_blurred_document_is_retaken_before_a_person_is_asked_for_the_missing_turn():
    blurred = replace(A_CORRECTION, problems=(ReasonCode.DOCUMENT_BLURRED,))
    assert decide(blurred, POLICY, attempt=1).outcome is Outcome.RETAKE


def test_files_given_by_hand_are_asked_for_a_turn_only_where_one_was_given():
    assert for_given(SHIPPED, profile=True, on_file=True).require_liveness_for == ()
    assert for_given(SHIPPED, profile=True, on_file=True, head_turn=True) == SHIPPED


def test_liveness_survives_json():
    run = replace(A_GOOD_RUN, liveness=replace(SHOWN, signs=(Sign.CAMERA_VIRTUAL.value,)))
    assert Measures.from_json(json.loads(json.dumps(run.to_json()))) == run
