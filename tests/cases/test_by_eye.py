"""No machine compares her face: by her own choice, at the desk, or for everybody in a deployment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases import answers, audit, by_eye, conflicts, customers, duplicates, head_turns, intake, retention, review, runs
from cases.lifecycle import State
from cases.models import Case, Customer, Event, FaceEncoding, HeadTurn, Role, Staff
from cases.settings import Settings, SettingsError
from cases.staff import NotAllowed
from tests import factories as a
from verification.decision import Outcome, decide
from verification.evidence import ChangeReason, Evidence, Field
from verification.policy import SHIPPED
from verification.reasons import PhotoKind, ReasonCode

CODE = b"\x00" * 512


@pytest.fixture
def without(session: Session) -> Session:
    """A deployment with BIOMETRICS=off."""
    return with_settings(session, biometrics=False)


def with_settings(session: Session, **changes: Any) -> Session:
    session.info["settings"] = session.info["settings"].model_copy(update=changes)
    return session


def found_by_eye() -> Evidence:
    """What a run finds that compares nothing."""
    evidence = a.good_evidence()
    return a.with_measures(evidence, pairs={}, problems=(ReasonCode.FACES_BY_EYE,), liveness=None)


def at_desk(session: Session, now: datetime, *, chosen: bool = True) -> Case:
    case = a.a_draft(session, now=now)
    intake.submit(session, case.id, consent_version=a.CONSENT, by_eye=chosen, now=now)
    assert a.finished(session, a.begun(session, case, now=now), evidence=found_by_eye(), now=now) is State.IN_REVIEW
    return case


def taken(session: Session, case: Case, now: datetime, role: Role = Role.AGENT) -> Staff:
    agent = a.a_member(session, role, now=now)
    review.take(session, case.id, agent=agent, now=now)
    return agent


def approval(case: Case, **more: Any) -> review.Disposal:
    return review.Disposal(action="approve", seen_version=case.version, checked=frozenset(Field), **more)


def events(session: Session, kind: str) -> list[dict[str, Any]]:
    return list(session.scalars(select(Event.details).where(Event.kind == kind).order_by(Event.id)))


# Her choice


def test_her_choice_stands_with_the_account_the_consent_and_the_trail(session, now):
    case = a.a_draft(session, now=now)
    intake.submit(session, case.id, consent_version="v1", by_eye=True, now=now)
    assert case.customer.by_eye and case.consent_version == "v1+by_eye"
    assert events(session, "by_eye_chosen") == [{"by_eye": True, "forgotten": 0, "frames": 0}]
    assert events(session, "consent_given") == [{"consent_version": "v1+by_eye", "by_eye": True, "days": 30}]


def test_it_holds_for_later_requests_until_she_allows_it_again(session, now):
    case = a.a_draft(session, now=now)
    intake.submit(session, case.id, consent_version="v1", by_eye=True, now=now)
    intake.withdraw(session, case.id, now=now)
    later = a.a_draft(session, now=now, customer=case.customer)
    intake.submit(session, later.id, consent_version="v1", now=now)
    assert runs.begin(session, later.id, now=now).by_eye and later.consent_version == "v1+by_eye"
    intake.withdraw(session, later.id, now=now)
    again = a.a_draft(session, now=now, customer=case.customer)
    intake.submit(session, again.id, consent_version="v1", by_eye=False, now=now)
    assert not runs.begin(session, again.id, now=now).by_eye and again.consent_version == "v1"
    assert [told["by_eye"] for told in events(session, "by_eye_chosen")] == [True, False]


def test_who_asks_for_a_person_may_choose_it_too(session, now):
    case = a.a_draft(session, now=now)
    intake.ask_for_person(session, case.id, consent_version="v1", by_eye=True, now=now)
    assert case.customer.by_eye and case.consent_version == "v1+by_eye" and case.state is State.IN_REVIEW


def test_choosing_it_deletes_her_encodings_also_where_she_is_another_ones_candidate(session, now):
    with_settings(session, face_duplicates=True)
    mine, other = a.an_approved(session, now=now), a.an_approved(session, now=now)
    for case in (mine, other):
        assert duplicates.remember(session, case, CODE, now=now)
    row = session.get_one(FaceEncoding, other.id)
    row.candidates = [{"customer_id": str(mine.customer_id), "case_id": str(mine.id)}]
    session.flush()
    by_eye.choose(session, mine.customer, True, actor=audit.Actor.customer(mine.customer), now=now)
    assert session.scalars(select(FaceEncoding.case_id)).all() == [other.id]
    assert session.get_one(FaceEncoding, other.id).candidates == []


def test_frames_of_a_turned_head_that_she_has_not_sent_are_let_go_and_never_opened(session, now):
    case = a.a_draft(session, now=now)
    drawn = head_turns.draw(session, case.id, now=now)
    head_turns.answer(
        session, case.id, drawn.id, frames=tuple(a.jpeg(n) for n in range(8)), times=tuple(map(float, range(8))),
        steps=(0, 0, 1, 1, 1, 2, 2, 2), camera="Front camera", now=now + timedelta(seconds=20),
    )  # fmt: skip
    later = now + timedelta(minutes=1)
    intake.submit(session, case.id, consent_version="v1", by_eye=True, now=later)
    assert session.get_one(HeadTurn, drawn.id).shredded_at == later
    order = runs.begin(session, case.id, now=later)
    assert order.by_eye and order.head_turn is None
    after_all = datetime.now(UTC) + timedelta(days=1)  # files carry the time of this machine, whatever the test says it is
    assert drawn.blob in retention.orphans(session, now=after_all).blobs


def test_no_turn_of_the_head_is_drawn_or_kept_then(session, now):
    case = a.a_draft(session, now=now)
    drawn = head_turns.draw(session, case.id, now=now)
    by_eye.choose(session, case.customer, True, actor=audit.Actor.customer(case.customer), now=now)
    with pytest.raises(head_turns.ChallengeRefused):
        head_turns.draw(session, case.id, now=now)
    with pytest.raises(head_turns.ChallengeRefused):
        head_turns.answer(
            session, case.id, drawn.id, frames=(a.jpeg(1),) * 8, times=tuple(map(float, range(8))), steps=(0,) * 8,
            camera="", now=now,
        )  # fmt: skip


def test_a_run_that_compared_while_she_chose_writes_nothing_and_the_next_one_compares_nothing(session, now):
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    assert not order.by_eye
    by_eye.choose(session, case.customer, True, actor=audit.Actor.customer(case.customer), now=now)
    assert a.finished(session, order, now=now) is State.SUBMITTED
    assert events(session, "run_requeued")[-1]["why"] == "by_eye_chosen"
    assert runs.begin(session, case.id, now=now).by_eye


# What the machine says


def decided(**changes: Any) -> Any:
    measures = replace(found_by_eye().measures, **changes)
    return decide(measures, SHIPPED, attempt=1)


def test_it_always_goes_to_a_person_and_says_nothing_else_of_faces():
    for reason in ChangeReason:
        told = decided(reason=reason, has_face_on_file=False)
        assert told.outcome is Outcome.REFER and ReasonCode.FACES_BY_EYE in told.reasons
        silent = {"liveness_not_shown", "face_not_compared", "no_face_on_file"}
        assert not silent & {code.value for code in told.reasons}
    assert decided().reasons == (ReasonCode.FACES_BY_EYE,)


def test_a_bad_photo_is_asked_for_again_first():
    told = decided(problems=(ReasonCode.SELFIE_BLURRED, ReasonCode.NO_FACE_IN_SELFIE, ReasonCode.FACES_BY_EYE))
    assert told.outcome is Outcome.RETAKE and told.retake == {PhotoKind.SELFIE}


# At the desk


def test_an_approval_wants_the_tick_and_a_second_pair_of_eyes(session, now):
    case = at_desk(session, now)
    agent = taken(session, case, now)
    with pytest.raises(review.FacesNotCompared):
        answers.give(session, case.id, approval(case), agent=agent, now=now)
    given = answers.give(session, case.id, approval(case, faces=True), agent=agent, now=now)
    assert given.state.value == "first" and "faces_by_eye" in given.why
    (line,) = answers.visible(session, case, agent)
    assert line.faces and set(line.checked) == set(Field)
    second = taken(session, case, now)
    with pytest.raises(review.FacesNotCompared):
        answers.give(session, case.id, approval(case), agent=second, now=now)
    answers.give(session, case.id, approval(case, faces=True), agent=second, now=now)
    assert case.state is State.APPROVED


def test_other_answers_want_no_tick(session, now):
    case = at_desk(session, now)
    agent = taken(session, case, now)
    again = review.Disposal(action="ask_retake", retake=frozenset({PhotoKind.SELFIE}), seen_version=case.version)
    answers.give(session, case.id, again, agent=agent, now=now)
    assert case.state is State.NEEDS_RETAKE


def test_a_senior_agent_who_holds_the_case_writes_it_down_and_nobody_else_does(session, now):
    with_settings(session, face_duplicates=True)
    case = a.an_in_review(session, now=now)
    assert duplicates.remember(session, case, CODE, now=now)
    senior, agent = a.a_member(session, Role.SENIOR_AGENT, now=now), taken(session, case, now)
    with pytest.raises(NotAllowed):
        review.set_by_eye(session, case.id, agent=agent, now=now)
    with pytest.raises(review.NotYours):
        review.set_by_eye(session, case.id, agent=senior, now=now)
    review.release(session, case.id, agent=agent, now=now)
    review.take(session, case.id, agent=senior, now=now)
    before = case.version
    review.set_by_eye(session, case.id, agent=senior, now=now)
    assert case.customer.by_eye and case.version > before and case.risk == "high"
    assert session.scalar(select(func.count()).select_from(FaceEncoding)) == 0
    assert events(session, "by_eye_chosen") == [{"by_eye": True, "forgotten": 1, "frames": 0}]
    version = case.version
    review.set_by_eye(session, case.id, agent=senior, now=now)
    assert case.version == version and len(events(session, "by_eye_chosen")) == 1
    with pytest.raises(review.FacesNotCompared):
        answers.give(session, case.id, approval(case), agent=senior, now=now)


# A deployment


def test_where_biometrics_are_off_it_holds_for_everybody_whatever_a_form_says(without, now):
    session = without
    case = a.a_draft(session, now=now)
    intake.submit(session, case.id, consent_version="v1", by_eye=False, now=now)
    assert not case.customer.by_eye and case.consent_version == "v1+by_eye"
    order = runs.begin(session, case.id, now=now)
    assert order.by_eye and events(session, "run_begun")[-1]["by_eye"] is True
    assert a.finished(session, order, evidence=found_by_eye(), now=now) is State.IN_REVIEW
    assert review.faces_to_compare(session, case)


def test_faces_kept_from_before_are_deleted_by_upkeep_and_none_is_kept_or_searched(session, now):
    with_settings(session, face_duplicates=True)
    case = a.an_approved(session, now=now)
    assert duplicates.remember(session, case, CODE, now=now)
    assert by_eye.clean(session) == 0, "they stay while the switch is on"
    with_settings(session, biometrics=False)
    assert not duplicates.switched_on(session) and not duplicates.remember(session, case, CODE, now=now)
    assert by_eye.clean(session) == 1
    assert session.scalar(select(func.count()).select_from(FaceEncoding)) == 0


def test_the_switch_is_read_as_on_and_off_and_does_not_go_with_a_register_of_faces(monkeypatch, tmp_path):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("BIOMETRICS", "off")
    assert Settings.load().biometrics is False
    monkeypatch.setenv("FACE_DUPLICATES", "on")
    with pytest.raises(SettingsError, match="BIOMETRICS=on"):
        Settings.load()
    monkeypatch.setenv("BIOMETRICS", "on")
    assert Settings.load().biometrics is True


# Own cases


def test_nobody_puts_back_or_gives_out_her_own_change(session, now):
    from cases import profiles, workload

    case = a.an_approved(session, now=now)
    senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
    conflicts.say(session, senior, session.get_one(Customer, case.customer_id), actor=audit.SYSTEM, now=now)
    with pytest.raises(review.Related):
        profiles.revert(session, case.id, actor=audit.Actor.staff(senior), reason="It was wrong.", now=now)
    open_case = a.an_in_review(session, now=now)
    agent, lead = taken(session, open_case, now), a.a_member(session, Role.LEAD, now=now)
    conflicts.say(session, lead, session.get_one(Customer, open_case.customer_id), actor=audit.SYSTEM, now=now)
    friend = a.a_member(session, now=now)
    for to in (friend.id, None):
        with pytest.raises(review.Related):
            workload.move(session, open_case.id, held_by=agent.id, to=to, lead=lead, now=now)
    assert customers.current_profile(session, case.customer)[0].values and open_case.owner_id == agent.id
