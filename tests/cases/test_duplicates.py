"""The same selfie, the same face in other accounts: told to agents, kept only where it is switched on, gone with the photos."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import func, select

from cases import duplicates, intake, wording
from cases.crypto import destroy
from cases.models import Event, FaceEncoding
from tests import factories as a
from verification.calibration import shipped
from verification.decision import Outcome, decide
from verification.evidence import FACE_CODE
from verification.policy import Policy
from verification.reasons import PhotoKind, ReasonCode


def code(seed: int, near: int | None = None, off: float = 0.0) -> bytes:
    """Encodings as two networks give them: lengths 1 and about 0.9; `off` from those of `near`."""
    dice = np.random.default_rng(seed)
    made = dice.normal(size=(2, 128))
    if near is not None:
        made = np.random.default_rng(near).normal(size=(2, 128)) + off * made
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return (made * np.array([[1.0], [0.7]])).astype(FACE_CODE).tobytes()


@pytest.fixture
def switched_on(session):
    session.info["settings"] = session.info["settings"].model_copy(update={"face_duplicates": True})
    return session


def found_by(session, case, face: bytes | None, *, now) -> tuple[duplicates.Candidate, ...]:
    """Keep a face, search for it, keep what was found."""
    if not duplicates.remember(session, case, face, now=now):
        return ()
    result = duplicates.search(session, case.id)
    assert result is not None and duplicates.keep(session, result, now=now)
    return result.candidates


def rows(session) -> int:
    return session.scalar(select(func.count()).select_from(FaceEncoding))


# ---------------------------------------------------------------- the same picture


def test_the_selfie_of_another_customers_case_is_told(session, now):
    first = a.a_submitted(session, now=now)
    sent = intake.photo(session, first, PhotoKind.SELFIE)
    second = a.a_draft(session, now=now)
    assert duplicates.standing(session, second) == ()
    held = intake.photo(session, second, PhotoKind.SELFIE)
    held.sha256 = sent.sha256
    session.flush()
    assert duplicates.standing(session, second) == (ReasonCode.SELFIE_SENT_BEFORE,)
    assert duplicates.standing(session, first) == (ReasonCode.SELFIE_SENT_BEFORE,)


def test_what_lies_in_the_sandbox_says_nothing_of_a_real_customer(session, now):
    """Whoever holds a test key may put any picture there."""
    real, tried = a.a_draft(session, now=now), a.a_draft(session, now=now)
    intake.photo(session, tried, PhotoKind.SELFIE).sha256 = intake.photo(session, real, PhotoKind.SELFIE).sha256
    assert duplicates.standing(session, real) == (ReasonCode.SELFIE_SENT_BEFORE,)
    tried.customer.sandbox = tried.trial = True
    session.flush()
    assert duplicates.standing(session, real) == ()


def test_her_own_selfie_of_an_earlier_case_is_no_strangers(session, now):
    customer = a.a_customer(session, now=now)
    first = a.a_draft(session, now=now, customer=customer)
    sent = intake.photo(session, first, PhotoKind.SELFIE)
    intake.withdraw(session, first.id, now=now)
    second = a.a_draft(session, now=now + timedelta(days=1), customer=customer)
    intake.photo(session, second, PhotoKind.SELFIE).sha256 = sent.sha256
    session.flush()
    assert duplicates.standing(session, second) == ()


def test_a_selfie_that_she_replaced_counts_no_more(session, now):
    first, second = a.a_submitted(session, now=now), a.a_draft(session, now=now)
    held = intake.photo(session, second, PhotoKind.SELFIE)
    held.sha256 = intake.photo(session, first, PhotoKind.SELFIE).sha256
    session.flush()
    a.add_photos(session, second, now=now, kinds=(PhotoKind.SELFIE,))
    assert duplicates.standing(session, second) == ()


def test_a_selfie_sent_before_goes_to_a_person_and_the_sender_is_not_told_why():
    decision = decide(a.good_measures(), Policy(), attempt=1, standing=(ReasonCode.SELFIE_SENT_BEFORE,))
    assert decision.outcome is Outcome.REFER and decision.reasons == (ReasonCode.SELFIE_SENT_BEFORE,)
    for language in ("en", "ru"):
        for say in (wording.customer_sentence, wording.advice):
            assert say(ReasonCode.SELFIE_SENT_BEFORE, language) == say(ReasonCode.VOICES_DISAGREE, language)


# ---------------------------------------------------------------- the same face


def test_nothing_is_kept_or_compared_while_the_switch_is_off(session, now):
    case = a.a_submitted(session, now=now)
    assert session.info["settings"].face_duplicates is False
    assert not duplicates.remember(session, case, code(1), now=now)
    assert duplicates.search(session, case.id) is None
    assert duplicates.unsearched(session, now=now, older_than=timedelta(0), limit=9) == []
    assert rows(session) == 0 and duplicates.candidates(session, case) == ((), 0)


def test_the_same_face_in_another_account_is_found_with_odds_and_others_are_not(switched_on, now):
    session = switched_on
    cases = [a.a_submitted(session, now=now) for _ in range(6)]
    for n, case in enumerate(cases[:5]):
        assert found_by(session, case, code(n), now=now) == ()
    found = found_by(session, cases[5], code(99, near=3, off=0.35), now=now)
    assert [one.case_id for one in found] == [cases[3].id] and found[0].customer_id == cases[3].customer_id
    assert 0 <= found[0].fmr <= 1e-4 and found[0].expected == pytest.approx(5 * found[0].fmr, abs=1e-6)
    assert duplicates.candidates(session, cases[5]) == (found, 5)


def test_a_customer_is_not_her_own_double_and_a_later_run_replaces_the_earlier(switched_on, now):
    session = switched_on
    customer = a.a_customer(session, now=now)
    first = a.a_submitted(session, now=now, customer=customer)
    found_by(session, first, code(1), now=now)
    intake.withdraw(session, first.id, now=now)
    second = a.a_submitted(session, now=now, customer=customer)
    assert found_by(session, second, code(1), now=now) == ()
    assert found_by(session, second, code(2), now=now) == ()
    assert rows(session) == 2
    assert not duplicates.remember(session, second, None, now=now) and rows(session) == 1


def test_what_is_kept_is_sealed_and_dies_with_the_cases_key(switched_on, now):
    session = switched_on
    first, second = a.a_submitted(session, now=now), a.a_submitted(session, now=now)
    duplicates.remember(session, first, code(1), now=now)
    sealed = session.get(FaceEncoding, first.id).code_sealed
    assert code(1) not in sealed and code(1)[:16] not in sealed
    destroy(first.data_key, now=now)
    session.flush()
    assert found_by(session, second, code(1), now=now) == () and duplicates.candidates(session, second) == ((), 0)
    assert not duplicates.remember(session, first, code(1), now=now) and rows(session) == 1


def test_it_is_forgotten_by_case_by_person_and_whole(switched_on, now):
    session = switched_on
    first, second, third = (a.a_submitted(session, now=now) for _ in range(3))
    duplicates.remember(session, first, code(1), now=now)
    found_by(session, second, code(9, near=1, off=0.2), now=now)
    duplicates.remember(session, third, code(3), now=now)
    assert duplicates.candidates(session, second)[0]
    assert duplicates.forget_person(session, first.customer_id) == 1
    assert duplicates.candidates(session, second) == ((), 1) and rows(session) == 2
    assert duplicates.forget(session, second.id) == 1 and duplicates.forget(session, second.id) == 0
    assert duplicates.forget_all(session) == 1 and rows(session) == 0


def test_until_it_was_searched_for_the_desk_is_told_so_and_upkeep_finds_it(switched_on, now):
    session = switched_on
    first, second = a.a_submitted(session, now=now), a.a_submitted(session, now=now)
    found_by(session, first, code(1), now=now)
    assert duplicates.remember(session, second, code(1), now=now)
    assert duplicates.candidates(session, second) == ((), None)
    waiting = {"older_than": timedelta(minutes=2), "limit": 9}
    assert duplicates.unsearched(session, now=now + timedelta(minutes=1), **waiting) == []
    assert duplicates.unsearched(session, now=now + timedelta(minutes=2), **waiting) == [second.id]
    result = duplicates.search(session, second.id)
    assert duplicates.keep(session, result, now=now)
    assert [c.case_id for c in duplicates.candidates(session, second)[0]] == [first.id]
    assert not duplicates.keep(session, result, now=now) and duplicates.search(session, second.id) is None
    assert duplicates.unsearched(session, now=now + timedelta(days=1), **waiting) == []


def test_a_search_for_a_face_that_was_replaced_meanwhile_is_not_kept(switched_on, now):
    session = switched_on
    case = a.a_submitted(session, now=now)
    duplicates.remember(session, case, code(1), now=now)
    late = duplicates.search(session, case.id)
    duplicates.remember(session, case, code(2), now=now + timedelta(seconds=5))
    assert not duplicates.keep(session, late, now=now + timedelta(seconds=6))
    assert duplicates.candidates(session, case) == ((), None)


def test_a_face_that_cannot_be_opened_is_not_searched_for_for_ever(switched_on, now):
    session = switched_on
    case = a.a_submitted(session, now=now)
    duplicates.remember(session, case, code(1), now=now)
    session.get(FaceEncoding, case.id).code_sealed = b"sealed under a key that is gone"
    session.flush()
    result = duplicates.search(session, case.id)
    assert result is not None and duplicates.keep(session, result, now=now)
    assert duplicates.candidates(session, case) == ((), 0)
    assert duplicates.unsearched(session, now=now, older_than=timedelta(0), limit=9) == []


def test_each_search_is_an_event_with_counts_and_nothing_of_a_person(switched_on, now):
    session = switched_on
    first, second = a.a_submitted(session, now=now), a.a_submitted(session, now=now)
    found_by(session, first, code(1), now=now)
    found_by(session, second, code(1), now=now)
    events = session.scalars(select(Event).where(Event.kind == "faces_searched").order_by(Event.id)).all()
    assert [(e.case_id, e.details) for e in events] == [
        (first.id, {"count": 0, "candidates": 0}),
        (second.id, {"count": 1, "candidates": 1}),
    ]


def test_a_candidate_survives_json():
    parts = [([(one, one)], code(5))] if (one := uuid4()) else []
    found, searched = duplicates.closest(code(6, near=5, off=0.1), parts, shipped())
    assert searched == 1 and [duplicates.Candidate.from_json(c.to_json()) for c in found] == list(found) and found


def test_many_strangers_make_no_candidates_and_parts_do_not_matter():
    dice = np.random.default_rng(0)
    raw = dice.normal(size=(3000, 2, 128))
    raw /= np.linalg.norm(raw, axis=2, keepdims=True)
    codes = (raw * np.array([1.0, 0.7])[None, :, None]).astype(FACE_CODE)
    names = [(UUID(int=n + 1),) * 2 for n in range(3000)]
    whole = [(names, codes.tobytes())]
    parts = [(names[k : k + 700], codes[k : k + 700].tobytes()) for k in range(0, 3000, 700)]
    for sought in (codes[17].tobytes(), code(4)):
        assert duplicates.closest(sought, whole, shipped()) == duplicates.closest(sought, parts, shipped())
    found, searched = duplicates.closest(codes[17].tobytes(), parts, shipped())
    assert searched == 3000 and [c.case_id for c in found] == [names[17][0]]
    assert duplicates.closest(code(4), parts, shipped()) == ((), 3000)
