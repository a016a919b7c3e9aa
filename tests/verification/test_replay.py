"""A policy replayed over many runs decides as it would have decided each of them."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verification.test_decision import A_GOOD_RUN, SPOILT, policies, runs
from verification import replay
from verification.decision import decide
from verification.evidence import Liveness, Measures
from verification.policy import SHIPPED, Policy
from verification.reasons import PhotoKind, ReasonCode

CASES = st.tuples(runs(), st.integers(1, 12), st.lists(st.sampled_from(list(ReasonCode)), max_size=2, unique=True).map(tuple))


def replayed(measures: Measures, policy: Policy, attempt: int, standing: tuple[ReasonCode, ...]) -> tuple[str, set[ReasonCode]]:
    answers = replay.decide_all(replay.unpack([replay.pack(measures, attempt=attempt, standing=standing)]), policy)
    return replay.OUTCOMES[answers.outcomes[0]].value, {reason for reason in ReasonCode if answers.with_reason(reason)[0]}


def decided(measures: Measures, policy: Policy, attempt: int, standing: tuple[ReasonCode, ...]) -> tuple[str, set[ReasonCode]]:
    decision = decide(measures, policy, attempt=attempt, standing=standing)
    return decision.outcome.value, set(decision.reasons)


@settings(max_examples=600, deadline=None)
@given(CASES, policies())
def test_replay_answers_as_decide_does(case, policy):
    measures, attempt, standing = case
    assert replayed(measures, policy, attempt, standing) == decided(measures, policy, attempt, standing)


@settings(max_examples=300, deadline=None)
@given(
    st.builds(
        Liveness,
        frames=st.just(9),
        turned=st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.0]), st.floats()),
        depth=st.one_of(st.none(), st.floats(0, 1)),
        same_face=st.one_of(st.none(), st.floats(-3, 12)),
        timely=st.sampled_from([None, True, False]),
        signs=st.lists(st.sampled_from(["of a later version", *(sign.value for sign in replay.SIGNS)]), max_size=2).map(tuple),
    ),
    st.one_of(st.none(), st.floats(-1, 40), st.just(math.nan)),
    st.lists(st.sampled_from(replay.HINTS), max_size=2, unique=True).map(tuple),
    st.lists(st.sampled_from(replay.SIGNS), max_size=2, unique=True).map(tuple),
    st.booleans(),
    policies(),
)
def test_so_it_does_on_what_is_rare(liveness, years, hints, signs, own, policy):
    rare = dict(liveness=liveness, portrait_years=years, hints=hints, selfie_signs=signs, own_calibration=own)
    measures = replace(A_GOOD_RUN, has_face_on_file=False, **rare)
    assert replayed(measures, policy, 1, ()) == decided(measures, policy, 1, ())


@pytest.mark.parametrize("case", SPOILT)
@pytest.mark.parametrize("attempt", [1, SHIPPED.max_attempts])
def test_each_known_fault_is_seen(case, attempt):
    measures = replace(A_GOOD_RUN, **SPOILT[case][0])
    assert replayed(measures, SHIPPED, attempt, ()) == decided(measures, SHIPPED, attempt, ())


def test_a_file_that_is_no_picture_asks_for_that_photo():
    for kinds in ((), (PhotoKind.SELFIE,), (PhotoKind.SELFIE, PhotoKind.DOCUMENT)):
        broken = Measures(
            reason=A_GOOD_RUN.reason, document_type=None, country=None, mrz_valid=None, days_to_expiry=None,
            problems=(ReasonCode.IMAGE_DAMAGED,), undecodable=kinds,
        )  # fmt: skip
        assert replayed(broken, SHIPPED, 1, ()) == decided(broken, SHIPPED, 1, ())


def test_many_runs_are_decided_in_their_order_across_chunks(monkeypatch):
    monkeypatch.setattr(replay, "CHUNK", 3)
    cases = [A_GOOD_RUN, *(replace(A_GOOD_RUN, **spoilt) for spoilt, _ in SPOILT.values())]
    answers = replay.decide_all(replay.unpack([replay.pack(m, attempt=1) for m in cases]), SHIPPED)
    assert [replay.OUTCOMES[o] for o in answers.outcomes] == [decide(m, SHIPPED, attempt=1).outcome for m in cases]


def test_nothing_gives_nothing():
    assert replay.decide_all(replay.unpack([]), SHIPPED).outcomes.size == 0


def test_records_of_another_version_are_refused():
    packed = replay.pack(A_GOOD_RUN, attempt=1)
    with pytest.raises(replay.OtherVersion):
        replay.unpack([bytes([replay.VERSION + 1]) + packed[1:]])
    with pytest.raises(replay.OtherVersion):
        replay.unpack([packed[:-1]])


def test_a_record_holds_no_more_than_decide_weighs():
    """Who adds a measure has to say here whether `decide` weighs it; then the record and its version change too."""
    weighed = {
        "reason", "document_type", "mrz_valid", "days_to_expiry", "never_expires", "agreement", "confidence", "certain",
        "changes", "change_letters", "unchanged", "unread", "undecodable", "has_profile", "has_face_on_file", "portrait_years",
        "earlier_number_seen", "pairs", "problems", "hints", "selfie_signs", "liveness", "own_calibration",
    }  # fmt: skip
    others = {"country", "selfie", "document", "hidden", "missing", "engines"}
    assert weighed | others == {f.name for f in fields(Measures)}
    changed = replace(A_GOOD_RUN, country="KAZ", engines=("other",), hidden={}, missing=())
    assert replay.pack(changed, attempt=1) == replay.pack(A_GOOD_RUN, attempt=1)


def test_a_record_is_small():
    assert replay.RECORD.itemsize < 700 and np.dtype(replay.RECORD).isbuiltin == 0
