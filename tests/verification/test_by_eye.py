"""Faces that no machine may compare: found as ever, encoded never."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from tests.factories import good_measures
from tests.specimens import people
from verification import images, pipeline, replay
from verification.challenge import ORDERS, Burst, Challenge
from verification.decision import decide
from verification.evidence import ChangeReason, Claim, Evidence, Pair, Profile, Step
from verification.faces import compare, encode, liveness, voices
from verification.policy import SHIPPED
from verification.reasons import PhotoKind, ReasonCode

ON = date(2026, 11, 22)
BY_EYE = ReasonCode.FACES_BY_EYE


def run(*, by_eye: bool, tell: Any = lambda _step: None, burst: Burst | None = None) -> Evidence:
    who = people.personas(ON)["approve_marriage"]
    return pipeline.gather_evidence(
        selfie=images.encode_jpeg(who.selfie_photo()),
        document=images.encode_jpeg(who.document_photo()),
        on_file=images.encode_jpeg(who.on_file_photo()),
        claim=Claim.from_json(who.claim),
        profile=Profile.from_json(who.profile),
        on=ON,
        isolate=False,
        burst=burst,
        by_eye=by_eye,
        tell=tell,
    )


@pytest.mark.engines
def test_nothing_that_encodes_or_compares_a_face_is_called_and_all_else_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    by_machine = run(by_eye=False)

    def called(*_given: Any, **_more: Any) -> Any:
        raise AssertionError("a face was encoded or compared")

    for module, name in (
        (encode, "encode"), (compare, "encode"), (compare, "look"), (compare, "together"), (compare, "compare"),
        (voices, "distance"), (liveness, "judge"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, called)
    steps: list[Step] = []
    frames = (images.encode_jpeg(np.zeros((64, 64, 3), np.uint8)),) * 8
    burst = Burst(
        challenge=Challenge(turns=ORDERS[0], seconds=120.0), frames=frames, times=tuple(map(float, range(8))),
        steps=tuple(sorted([*range(len(ORDERS[0]) + 1)] * 4)[:8]), elapsed=20.0, camera="",
    )  # fmt: skip
    found = run(by_eye=True, tell=steps.append, burst=burst)
    assert steps == [Step.PASSPORT, Step.DETAILS], "she is not told that faces are compared"
    assert found.faces.pairs == {} and found.faces.code is None and found.measures.liveness is None
    assert found.measures.problems == (BY_EYE,)
    assert found.faces.boxes == by_machine.faces.boxes and found.faces.qualities == by_machine.faces.qualities
    assert found.reading == by_machine.reading and found.comparisons == by_machine.comparisons
    same = replace(
        found.measures,
        pairs=by_machine.measures.pairs,
        problems=by_machine.measures.problems,
        engines=by_machine.measures.engines,
    )
    assert same == by_machine.measures
    assert not [name for name in found.measures.engines if name.startswith(("sface", "dlib"))]


def test_a_replay_of_many_runs_decides_the_same_of_them_as_the_one_decision() -> None:
    cases = []
    for reason in ChangeReason:
        for problems in ((BY_EYE,), (BY_EYE, ReasonCode.SELFIE_BLURRED), (ReasonCode.NO_FACE_IN_SELFIE, BY_EYE), ()):
            for pairs in ({}, None):
                for on_file in (True, False):
                    measures = replace(good_measures(), reason=reason, problems=problems, has_face_on_file=on_file)
                    cases.append(measures if pairs is None else replace(measures, pairs=pairs))
    answers = replay.decide_all(replay.unpack([replay.pack(m, attempt=1) for m in cases]), SHIPPED)
    for number, measures in enumerate(cases):
        decision = decide(measures, SHIPPED, attempt=1)
        assert replay.OUTCOMES[answers.outcomes[number]] is decision.outcome, measures
        assert {r for r in ReasonCode if answers.with_reason(r)[number]} == set(decision.reasons), measures


def test_a_score_in_such_a_run_weighs_nothing() -> None:
    measures = replace(good_measures(), problems=(BY_EYE,))
    assert measures.pairs[Pair.SELFIE_DOCUMENT].similarity > 0
    assert decide(measures, SHIPPED, attempt=1).reasons == (BY_EYE,)
    assert PhotoKind.SELFIE not in decide(measures, SHIPPED, attempt=1).retake
