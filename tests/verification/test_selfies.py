"""What people send as a selfie: the whole chain says what is wrong and what to do, and approves none of it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cases import wording
from tests.specimens import people, portraits, scenes
from tests.specimens.draw import FontMissing
from tests.specimens.scenes import Pixels
from verification import documents, images, pipeline
from verification.decision import Decision, Outcome, decide
from verification.evidence import Claim, Evidence, Profile
from verification.faces import detect
from verification.faces.detect import Found
from verification.policy import Policy
from verification.reasons import RETAKE, PhotoKind, ReasonCode

FACES = Path(__file__).resolve().parents[3] / "shared" / "data" / "faces" / "img"
PROFILES = ("house_5394d8fe72.jpg", "lfw_f9359d368d.jpg")  # seen from the side, both
TODAY = date(2026, 11, 22)

pytestmark = pytest.mark.engines


@cache
def persona() -> people.Persona:
    return people.personas(TODAY)["approve_marriage"]


@cache
def papers() -> tuple[bytes, bytes, Pixels]:
    """Document and face on file as files, and the customer's own good selfie."""
    try:
        who = persona()
        return images.encode_jpeg(who.document_photo()), images.encode_jpeg(who.on_file_photo()), who.selfie_photo()
    except (portraits.PortraitMissing, FontMissing) as missing:
        pytest.skip(str(missing))


@cache
def own_face() -> Found:
    found = detect.main_face(papers()[2]).face
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def one_reading(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The document is the same in all of these, and reading is what takes long: it is read once."""
    read = documents.read_detailed
    monkeypatch.setattr(
        pipeline.documents, "read_detailed", lambda picture, *, today: _read(read, picture.tobytes(), picture, today)
    )
    yield


_kept: dict[int, documents.DetailedReading] = {}


def _read(
    read: Callable[..., documents.DetailedReading], content: bytes, picture: Pixels, today: date
) -> documents.DetailedReading:
    key = hash(content)
    if key not in _kept:
        _kept[key] = read(picture, today=today)
    return _kept[key]


def judged(selfie: Pixels) -> tuple[Evidence, Decision]:
    document, on_file, _ = papers()
    who = persona()
    evidence = pipeline.gather_evidence(
        selfie=images.encode_jpeg(np.ascontiguousarray(selfie)),
        document=document,
        on_file=on_file,
        claim=Claim.from_json(who.claim),
        profile=Profile.from_json(who.profile),
        on=TODAY,
        isolate=False,
    )
    return evidence, decide(evidence.measures, Policy(), attempt=1)


def sent_back(selfie: Pixels, *reasons: ReasonCode) -> Decision:
    """The reasons are told, in both languages, with what to do; the selfie alone is asked for again."""
    _, decision = judged(selfie)
    assert set(reasons) <= set(decision.reasons), decision.reasons
    assert decision.outcome is Outcome.RETAKE and decision.retake == {PhotoKind.SELFIE}, decision
    for reason in reasons:
        assert RETAKE[reason] == {PhotoKind.SELFIE}
        for language in ("en", "ru"):
            assert wording.customer_sentence(reason, language) and wording.advice(reason, language)
    return decision


def beside(*pictures: Pixels) -> Pixels:
    tall = min(p.shape[0] for p in pictures)
    return np.hstack([p[:tall] for p in pictures])


def stranger() -> Pixels:
    return people.selfie(portraits.portrait("b", 1), portraits.PICTURES[("b", 1)].face, seed=7)


# ---------------------------------------------------------------- the good one


def test_her_own_good_selfie_passes_so_what_follows_is_the_selfies_doing() -> None:
    evidence, decision = judged(papers()[2])
    assert decision.outcome is Outcome.APPROVE, decision.reasons
    seen = evidence.measures.selfie
    assert seen.yaw is not None and abs(seen.yaw) < 25 and seen.head_size is not None and seen.head_size > 60
    assert seen.eyes_visible is not None and seen.eyes_visible > 0.3
    assert seen.mouth_visible is not None and seen.mouth_visible > 0.5
    assert evidence.measures.document.head_size is not None
    assert type(evidence.measures).from_json(evidence.measures.to_json()) == evidence.measures


# ---------------------------------------------------------------- no person, or not one


def test_where_no_face_is_none_is_compared() -> None:
    sent_back(scenes.room(1200, 900), ReasonCode.NO_FACE_IN_SELFIE)


def test_a_cartoon_is_no_face_or_not_hers() -> None:
    _, decision = judged(scenes.cartoon())
    assert decision.outcome is not Outcome.APPROVE
    assert {ReasonCode.NO_FACE_IN_SELFIE, ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER} & set(decision.reasons)


def test_two_equal_faces() -> None:
    sent_back(beside(papers()[2], stranger()), ReasonCode.SEVERAL_FACES_IN_SELFIE)


def test_a_face_of_thirty_pixels() -> None:
    own = scenes.head(papers()[2], own_face())
    tiny = scenes.resized(own, round(30 * own.shape[0] / own_face().size))
    sent_back(scenes.pasted(scenes.room(640, 480), tiny, 200, 250, soft=True), ReasonCode.FACE_TOO_SMALL)


# ---------------------------------------------------------------- not to be seen


def test_upside_down() -> None:
    sent_back(papers()[2][::-1, ::-1], ReasonCode.SELFIE_UPSIDE_DOWN)


def test_a_selfie_on_its_side_is_no_fault_of_hers() -> None:
    _, decision = judged(np.rot90(papers()[2]))
    assert decision.outcome is Outcome.APPROVE, decision.reasons


@pytest.mark.parametrize("colour", [(150, 185, 205), (245, 245, 245), (25, 25, 28)], ids=["blue", "white", "black"])
def test_a_mask(colour: tuple[int, int, int]) -> None:
    sent_back(scenes.masked(papers()[2], own_face(), colour), ReasonCode.FACE_COVERED)


def test_dark_glasses() -> None:
    sent_back(scenes.sunglasses(papers()[2], own_face()), ReasonCode.EYES_NOT_SEEN)


def test_against_the_window() -> None:
    sent_back(scenes.against_light(papers()[2], own_face()), ReasonCode.FACE_TOO_DARK)


def test_half_in_shadow() -> None:
    sent_back(scenes.side_lit(papers()[2], own_face()), ReasonCode.FACE_UNEVENLY_LIT)


@pytest.mark.skipif(not FACES.is_dir(), reason="../shared/data/faces is absent")
def test_a_profile_is_turned_away() -> None:
    """Two of the development faces are seen from the side."""
    profiles = [FACES / name for name in PROFILES if (FACES / name).is_file()]
    if not profiles:
        pytest.skip("the development faces have changed")
    for file in profiles:
        with Image.open(file) as opened:
            picture = np.asarray(opened.convert("RGB"))
        _, decision = judged(picture)
        assert ReasonCode.FACE_TURNED_AWAY in decision.reasons and decision.outcome is not Outcome.APPROVE


# ---------------------------------------------------------------- no person of flesh


def test_a_statue() -> None:
    _, decision = judged(scenes.statue(papers()[2]))
    assert decision.outcome is not Outcome.APPROVE
    assert {ReasonCode.FACE_WITHOUT_COLOUR, ReasonCode.NO_FACE_IN_SELFIE} & set(decision.reasons)


def test_a_painting_of_somebody_else_is_somebody_else() -> None:
    _, decision = judged(scenes.painting(stranger()))
    assert decision.outcome is Outcome.REFER
    assert ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER in decision.reasons


# ---------------------------------------------------------------- the passport


def test_the_passport_in_the_selfies_place_is_told_as_such() -> None:
    for who in (persona(), people.personas(TODAY)["refer_thief"]):
        sent_back(who.document_photo(), ReasonCode.SELFIE_IS_A_DOCUMENT)


def test_the_printed_portrait_in_the_selfies_place_goes_to_a_person_who_is_told() -> None:
    """The same photograph twice: cut out of the page, or the file it was printed from."""
    page = persona().document_photo()
    printed = detect.portrait(page)
    assert printed is not None
    cut = scenes.resized(scenes.head(page, printed, height=1.35), 900)
    for selfie in (cut, np.asarray(portraits.for_print("a", 1))):
        _, decision = judged(selfie)
        assert ReasonCode.SELFIE_IS_THE_DOCUMENT in decision.reasons
        assert decision.outcome is Outcome.REFER


def test_a_passport_held_up_beside_the_face_is_not_in_the_way() -> None:
    page = scenes.resized(np.asarray(persona().draw().image), 620)
    selfie = papers()[2]
    scene = np.vstack([selfie, np.full((page.shape[0] + 20, selfie.shape[1], 3), 150, np.uint8)])
    scene = scenes.pasted(scene, page, 30, selfie.shape[0] + 5)
    evidence, _ = judged(scene)
    assert not {ReasonCode.SELFIE_IS_A_DOCUMENT, ReasonCode.SEVERAL_FACES_IN_SELFIE} & set(evidence.measures.problems)
    _, top, _, tall = evidence.faces.boxes[PhotoKind.SELFIE.value]
    assert top + tall / 2 < selfie.shape[0]


# ---------------------------------------------------------------- no picture at all


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0" + bytes(200)])
def test_a_file_that_is_no_picture(data: bytes) -> None:
    document, on_file, _ = papers()
    evidence = pipeline.gather_evidence(
        selfie=data, document=document, on_file=on_file, claim=Claim.from_json(persona().claim),
        profile=Profile.from_json(persona().profile), on=TODAY, isolate=False,
    )  # fmt: skip
    decision = decide(evidence.measures, Policy(), attempt=1)
    assert decision.outcome is Outcome.RETAKE and decision.retake == {PhotoKind.SELFIE}


def test_a_grey_scan_of_her_is_asked_for_in_colour() -> None:
    grey = cv2.cvtColor(papers()[2], cv2.COLOR_RGB2GRAY)
    out = io.BytesIO()
    Image.fromarray(grey).save(out, "PNG")
    with Image.open(io.BytesIO(out.getvalue())) as opened:
        sent_back(np.asarray(opened.convert("RGB")), ReasonCode.FACE_WITHOUT_COLOUR)
