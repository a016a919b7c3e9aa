"""Specimens of the sandbox: what each stands for, through the policy that holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import cv2
import numpy as np
import pytest

from verification import images, marks, pipeline, quality, trials
from verification.decision import Outcome, decide
from verification.evidence import ChangeReason, Claim, Evidence, Field, Profile, Quality
from verification.policy import SHIPPED
from verification.reasons import PhotoKind, ReasonCode
from workers import trials as made_up

ON = date(2026, 11, 23)
PROFILE = Profile(
    values={
        Field.SURNAME: "ERIKSSON",
        Field.GIVEN_NAMES: "ANNA MARIA",
        Field.DATE_OF_BIRTH: "1990-05-01",
        Field.SEX: "F",
        Field.DOCUMENT_NUMBER: "L898902C3",
    }
)
CLAIM = Claim(reason=ChangeReason.MARRIAGE, values={Field.SURNAME: "LINDQVIST", Field.DOCUMENT_NUMBER: "L898903C4"})


def looked(
    document: str = trials.APPROVE, selfie: str = trials.APPROVE, *, claim: Claim = CLAIM, by_eye: bool = False
) -> Evidence:
    pair = trials.TRIALS[document, PhotoKind.DOCUMENT], trials.TRIALS[selfie, PhotoKind.SELFIE]
    measured = dict.fromkeys(PhotoKind, Quality())
    return made_up.stand_for(pair, measured, claim=claim, profile=PROFILE, on=ON, by_eye=by_eye)


def test_there_is_a_specimen_for_every_reason_and_one_of_each_photo_that_approves() -> None:
    assert {trial.reason for trial in trials.TRIALS.values()} == {*ReasonCode, None}
    assert {kind for key, kind in trials.TRIALS if key == trials.APPROVE} == {PhotoKind.DOCUMENT, PhotoKind.SELFIE}
    assert {trial.outcome for trial in trials.TRIALS.values()} == set(Outcome)


@pytest.mark.parametrize("trial", trials.TRIALS.values(), ids=lambda trial: f"{trial.key}-{trial.kind.value}")
def test_a_specimen_forces_what_it_says_by_way_of_the_shipped_policy(trial: trials.Trial) -> None:
    found = looked(trial.key) if trial.kind is PhotoKind.DOCUMENT else looked(selfie=trial.key)
    said = decide(found.measures, SHIPPED, attempt=1)
    assert said.outcome is trial.outcome
    assert trial.reason in said.reasons if trial.reason else said.reasons == ()
    if trial.outcome is Outcome.RETAKE:
        assert said.retake == {trial.kind}


def test_the_policy_decides_and_not_the_specimen() -> None:
    expired = looked("document_expired").measures
    assert decide(expired, SHIPPED, attempt=1).outcome is Outcome.REFER
    assert decide(expired, replace(SHIPPED, accepted_types=("RU_INTERNAL",)), attempt=1).reasons == (
        ReasonCode.DOCUMENT_TYPE_NOT_ACCEPTED,
        ReasonCode.DOCUMENT_EXPIRED,
    )
    unsure = looked("selfie_document_faces_unsure").measures
    assert decide(unsure, replace(SHIPPED, min_selfie_document=4.0), attempt=1).outcome is Outcome.APPROVE
    other = Claim(reason=ChangeReason.OTHER, values=CLAIM.values)
    assert decide(looked(claim=other).measures, SHIPPED, attempt=1).outcome is Outcome.REFER  # such a change is for people


def test_two_specimens_add_up_and_where_no_machine_may_compare_faces_a_person_does() -> None:
    both = decide(looked("document_blurred", "selfie_blurred").measures, SHIPPED, attempt=1)
    assert both.outcome is Outcome.RETAKE
    assert both.retake == {PhotoKind.DOCUMENT, PhotoKind.SELFIE}
    assert decide(looked(by_eye=True).measures, SHIPPED, attempt=1).reasons == (ReasonCode.FACES_BY_EYE,)


def test_photos_without_a_mark_are_left_to_the_engines() -> None:
    plain = images.encode_jpeg(np.full((700, 900, 3), 200, np.uint8))
    parts = {"claim": CLAIM, "profile": PROFILE, "on": ON, "by_eye": False, "isolate": False}
    assert made_up.evidence(selfie=plain, document=plain, **parts) is None
    marked = images.encode_jpeg(trials.picture(trials.APPROVE, PhotoKind.DOCUMENT))
    assert made_up.evidence(selfie=plain, document=marked, **parts) is not None
    other = images.encode_jpeg(trials.picture("document_expired", PhotoKind.DOCUMENT))
    assert made_up.evidence(selfie=other, document=plain, **parts) is None  # a document's mark on a selfie says nothing


@pytest.mark.parametrize("trial", list(trials.TRIALS.values())[::8], ids=lambda trial: trial.key)
def test_a_mark_survives_a_phone_and_our_own_jpeg_and_no_upload_rule_stops_it(trial: trials.Trial) -> None:
    page = trials.picture(trial.key, trial.kind, copy=7)
    small = np.asarray(cv2.resize(page, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    sent = images.encode_jpeg(small, quality=75)
    clean = images.encode_jpeg(images.decode(sent, isolate=False))
    kept = images.decode(clean, isolate=False)
    assert marks.read(kept) == trial.key
    assert quality.problems(quality.measure(kept, trial.kind), quality.QualityThresholds(), trial.kind) == ()


def test_a_mark_is_read_from_a_tilted_photo_of_a_printed_specimen() -> None:
    page = trials.picture("nothing_changes", PhotoKind.DOCUMENT)
    height, width = page.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = np.array([[260, 190], [1180, 240], [1130, 890], [220, 800]], np.float32)
    photo = cv2.warpPerspective(page, cv2.getPerspectiveTransform(corners, seen), (width, height), borderValue=(96, 90, 84))
    again = images.decode(images.encode_jpeg(np.asarray(photo, np.uint8), quality=70), isolate=False)
    assert marks.read(again) == "nothing_changes"


def test_other_codes_are_no_marks() -> None:
    for text in (
        "https://example.org/ticket/1",
        "peremena-specimen:",
        "peremena-specimen:../approve",
        "PEREMENA-SPECIMEN:approve",
    ):
        code = np.kron(np.asarray(cv2.QRCodeEncoder.create().encode(text), np.uint8), np.ones((10, 10), np.uint8))
        assert marks.read(np.asarray(cv2.cvtColor(np.pad(code, 60, constant_values=255), cv2.COLOR_GRAY2RGB), np.uint8)) is None


def test_a_marked_picture_is_refused_wherever_it_is_not_expected() -> None:
    picture = images.encode_jpeg(trials.picture(trials.APPROVE, PhotoKind.SELFIE))
    for kind in PhotoKind:
        with pytest.raises(images.ImageRejected) as refused:
            images.look_at_file(picture, kind)
        assert refused.value.reason is ReasonCode.IMAGE_FOR_TESTS
    clean, _ = images.measure_file(picture, PhotoKind.SELFIE, specimens=True)
    assert marks.read(images.decode(clean, isolate=False)) == trials.APPROVE


def test_a_marked_picture_that_came_past_the_upload_goes_to_a_person() -> None:
    """A live case: the engines look, and the mark alone keeps even a faultless run from being approved."""
    picture = images.encode_jpeg(trials.picture(trials.APPROVE, PhotoKind.DOCUMENT))
    photo = pipeline._photo(picture, PhotoKind.DOCUMENT, pipeline.SHIPPED_QUALITY, False)
    assert photo.problems == (ReasonCode.IMAGE_FOR_TESTS,)
    faultless = looked().measures
    said = decide(replace(faultless, problems=photo.problems), SHIPPED, attempt=1)
    assert (said.outcome, said.reasons) == (Outcome.REFER, (ReasonCode.IMAGE_FOR_TESTS,))
    assert decide(faultless, SHIPPED, attempt=1).outcome is Outcome.APPROVE
