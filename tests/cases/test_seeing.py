"""Whose case it is to see, and that no way leads past the limit of what one agent may hold."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import answers, audit, conflicts, conversations, intake, masked, queue, review
from cases import staff as people
from cases.desk_tables import AnswerState
from cases.lifecycle import State
from cases.models import Case, Event, Role, Staff
from cases.review import Kept
from cases.staff import NotAllowed
from tests import factories as a
from verification.evidence import Field
from verification.reasons import ReasonCode

EVERYTHING = frozenset(Field)


@pytest.fixture
def other(session: Session, now: datetime) -> Staff:
    return a.a_member(session, now=now)


@pytest.fixture
def agent(session: Session, now: datetime) -> Staff:
    return a.a_member(session, now=now)


@pytest.fixture
def senior(session: Session, now: datetime) -> Staff:
    return a.a_member(session, Role.SENIOR_AGENT, now=now)


def why(session: Session, case: Case, viewer: Staff, now: datetime) -> Kept | None:
    kept = review.kept_from(session, case, viewer, now=now)
    return kept.why if kept else None


def refusing(case: Case) -> review.Disposal:
    return review.Disposal(action="reject", reasons=(ReasonCode.SURNAME_DIFFERS,), note="n", seen_version=case.version)


def given_out(session: Session) -> None:
    session.info["settings"] = session.info["settings"].model_copy(update={"free_choice": False})


def room_for(session: Session, number: int) -> None:
    session.info["settings"] = session.info["settings"].model_copy(update={"max_open_cases": number})


@pytest.fixture(autouse=True)
def _settings_as_they_were(session: Session) -> Any:
    before = session.info["settings"]
    yield
    session.info["settings"] = before


# --- whose it is to see ---


def test_an_agent_sees_what_she_may_take_and_what_she_holds(session, now, agent, other):
    case = a.an_in_review(session, now=now)
    assert why(session, case, agent, now) is None is why(session, case, other, now)
    review.take(session, case.id, agent=agent, now=now)
    assert why(session, case, agent, now) is None
    kept = review.kept_from(session, case, other, now=now)
    assert kept is not None and (kept.why, kept.who, kept.until) == (Kept.HELD, agent.name, case.owner_until)


def test_a_claim_that_ran_out_keeps_nobody_from_it(session, now, agent, other, settings):
    case = a.an_in_review(session, now=now)
    review.take(session, case.id, agent=agent, now=now)
    later = now + timedelta(minutes=settings.claim_minutes)
    assert why(session, case, other, later) is None


def test_who_answered_sees_it_for_good_and_the_others_do_not(session, now, agent, other, senior):
    case = a.an_in_review(session, now=now)
    review.take(session, case.id, agent=agent, now=now)
    review.dispose(session, case.id, refusing(case), agent=agent, now=now)
    assert case.state is State.REJECTED
    assert why(session, case, agent, now) is None is why(session, case, senior, now)
    assert why(session, case, other, now) is Kept.AWAY


def test_an_answer_that_was_taken_back_is_none(session, now, agent, other):
    session.info["settings"] = session.info["settings"].model_copy(update={"undo_seconds": 20})
    case = a.an_in_review(session, now=now)
    review.take(session, case.id, agent=agent, now=now)
    answer = answers.give(session, case.id, refusing(case), agent=agent, now=now)
    assert why(session, case, agent, now) is None and why(session, case, other, now) is Kept.HELD
    answers.take_back(session, answer.id, agent=agent, now=now)
    review.release(session, case.id, agent=agent, now=now)
    assert not review.answered_by(session, case, agent)


def test_where_cases_are_given_out_a_free_one_is_shown_to_senior_agents_alone(session, now, agent, senior):
    given_out(session)
    case = a.an_in_review(session, now=now)
    assert why(session, case, agent, now) is Kept.GIVEN_OUT and why(session, case, senior, now) is None
    assert review.take_next(session, agent=agent, now=now) is case and why(session, case, agent, now) is None


def test_an_escalated_case_leaves_the_sight_of_who_passed_it_on(session, now, agent, senior):
    case = a.an_in_review(session, now=now)
    review.take(session, case.id, agent=agent, now=now)
    review.escalate(session, case.id, agent=agent, note="Look.", now=now)
    assert why(session, case, agent, now) is Kept.SENIOR and why(session, case, senior, now) is None


def test_whose_hands_are_full_is_told_so(session, now, agent):
    room_for(session, 1)
    one, two = a.an_in_review(session, now=now), a.an_in_review(session, now=now)
    review.take(session, one.id, agent=agent, now=now)
    kept = review.kept_from(session, two, agent, now=now)
    assert kept is not None and (kept.why, kept.limit) == (Kept.FULL, 1)


@pytest.mark.parametrize("role", [Role.SENIOR_AGENT, Role.LEAD, Role.AGENT])
def test_what_was_never_sent_is_shown_to_nobody(session, now, role):
    viewer = a.a_member(session, role, now=now)
    draft = a.a_draft(session, now=now)
    assert why(session, draft, viewer, now) is Kept.UNSENT
    intake.withdraw(session, draft.id, now=now)
    assert why(session, draft, viewer, now) is Kept.UNSENT


def test_her_own_is_shown_to_nobody_of_the_house_whatever_her_role(session, now, senior):
    case = a.an_in_review(session, now=now)
    conflicts.say(session, senior, case.customer, actor=audit.SYSTEM, now=now)
    assert why(session, case, senior, now) is Kept.TIED


def test_a_customer_who_asks_while_her_photo_is_awaited_is_read_by_any_agent_until_she_is_answered(session, now, agent, other):
    case = a.a_needs_retake(session, now=now)
    assert why(session, case, agent, now) is Kept.AWAY
    conversations.write(session, case.id, uuid4(), text="What is wrong?", now=now)
    assert why(session, case, agent, now) is None is why(session, case, other, now)
    conversations.write(session, case.id, uuid4(), text="It is blurred.", agent=agent, now=now)
    assert why(session, case, agent, now) is None and why(session, case, other, now) is Kept.AWAY


def test_who_lacks_the_page_may_see_no_case_at_all(session, now):
    case = a.an_in_review(session, now=now)
    for role in (Role.OPS, Role.AUDITOR, Role.ADMIN):
        assert not review.may_see(session, case, a.a_member(session, role, now=now), now=now)
    new = a.a_member(session, now=now)
    assert review.may_see(session, case, new, now=now)
    new.practising = True
    assert not review.may_see(session, case, new, now=now)


def test_may_take_says_what_take_does(session, now, agent, other, senior, settings):
    """For every state, lane and agent here the two agree: what is offered is granted, and what is not is refused."""
    free = [a.in_state(session, state, now=now) for state in State]
    held = a.an_in_review(session, now=now)
    review.take(session, held.id, agent=other, now=now)
    passed_on = a.an_in_review(session, now=now)
    review.take(session, passed_on.id, agent=other, now=now)
    review.escalate(session, passed_on.id, agent=other, note="Look.", now=now)
    new = a.a_member(session, now=now)
    new.practising = True
    ops = a.a_member(session, Role.OPS, now=now)
    granted = 0
    for choice in (True, False):
        session.info["settings"] = settings.model_copy(update={"free_choice": choice})
        for case in (*free, held, passed_on):
            for one in (agent, other, senior, new, ops):
                said = review.may_take(session, case, one, now)
                inner = session.begin_nested()
                try:
                    review.take(session, case.id, agent=one, now=now)
                    taken = True
                except (review.TakenBy, review.NotYours, NotAllowed, review.IllegalTransition, queue.HandsFull):
                    taken = False
                inner.rollback()
                session.expire_all()
                assert said == taken, (choice, case.state, one.roles_held)
                granted += taken
    assert granted >= 6


def test_looking_at_what_is_not_hers_is_written_down(session, now, agent):
    case = a.an_in_review(session, now=now)
    review.note_kept(session, case, agent, Kept.HELD, now=now)
    event = session.scalars(select(Event).where(Event.kind == "case_not_shown")).one()
    assert (event.case_id, event.actor_id, event.details) == (case.id, str(agent.id), {"why": "held"})
    assert review.stale(session, case).by != agent.name  # it changed nothing of the case


# --- no way leads past the limit ---


def test_a_claim_that_ran_out_comes_back_to_life_only_where_there_is_room(session, now, agent, settings):
    room_for(session, 2)
    old = [a.an_in_review(session, now=now) for _ in range(2)]
    for case in old:
        review.take(session, case.id, agent=agent, now=now)
    later = now + timedelta(minutes=settings.claim_minutes + 1)
    for _ in range(2):
        review.take(session, a.an_in_review(session, now=now).id, agent=agent, now=later)
    for case in old:
        with pytest.raises(queue.HandsFull):
            review.touch(session, case.id, agent=agent, now=later)
    assert queue.held(session, agent, now=later) == 2


def test_a_sign_of_a_case_that_is_hers_needs_no_room(session, now, agent):
    room_for(session, 1)
    case = a.an_in_review(session, now=now)
    review.take(session, case.id, agent=agent, now=now)
    assert review.touch(session, case.id, agent=agent, now=now + timedelta(minutes=1)) > case.opened_at


def test_an_answer_taken_back_with_full_hands_goes_to_the_queue(session, now, agent, other):
    session.info["settings"] = session.info["settings"].model_copy(update={"max_open_cases": 1, "undo_seconds": 20})
    case, following = a.an_in_review(session, now=now), a.an_in_review(session, now=now)
    review.take(session, case.id, agent=agent, now=now)
    answer = answers.give(session, case.id, refusing(case), agent=agent, now=now)
    review.take(session, following.id, agent=agent, now=now)
    answers.take_back(session, answer.id, agent=agent, now=now)
    assert (answer.state, case.state, case.owner_id, case.owner_until) == (AnswerState.TAKEN_BACK, State.IN_REVIEW, None, None)
    assert queue.held(session, agent, now=now) == 1
    assert review.take(session, case.id, agent=other, now=now).owner_id == other.id


def test_an_answer_that_was_dropped_with_full_hands_goes_to_the_queue(session, now, agent):
    session.info["settings"] = session.info["settings"].model_copy(update={"max_open_cases": 1, "undo_seconds": 20})
    case, following = a.an_in_review(session, now=now), a.an_in_review(session, now=now)
    review.take(session, case.id, agent=agent, now=now)
    answer = answers.give(session, case.id, refusing(case), agent=agent, now=now)
    review.take(session, following.id, agent=agent, now=now)
    conversations.write(session, case.id, uuid4(), text="Wait!", now=now + timedelta(seconds=1))
    answers.carry_out(session, answer.id, now=answer.until)
    assert (answer.state, case.owner_id) == (AnswerState.DROPPED, None)


# --- an auditor's sight ---


def test_an_auditor_sees_what_was_done_and_her_look_is_an_event(session, now, agent):
    case = a.an_in_review(session, now=now)
    review.take(session, case.id, agent=agent, now=now)
    review.dispose(session, case.id, refusing(case), agent=agent, now=now)
    found = masked.look(session, case.id, auditor=a.a_member(session, Role.AUDITOR, now=now), now=now)
    assert found.state is State.REJECTED and [one.action for one in found.answers] == ["reject"]
    assert [run.outcome for run in found.runs] == ["refer"]
    assert "masked_case_opened" in {event.kind for event in found.events}
    shown = repr(found)
    assert not [word for word in a.PERSONAL if len(word) > 3 and word in shown]


def test_only_an_auditor_has_that_sight_and_not_of_a_case_of_her_own(session, now):
    case = a.an_in_review(session, now=now)
    for role in set(Role) - {Role.AUDITOR}:
        with pytest.raises(NotAllowed):
            masked.look(session, case.id, auditor=a.a_member(session, role, now=now), now=now)
    auditor = a.a_member(session, Role.AUDITOR, now=now)
    conflicts.say(session, auditor, case.customer, actor=audit.SYSTEM, now=now)
    with pytest.raises(review.Related):
        masked.look(session, case.id, auditor=auditor, now=now)


def test_an_auditor_who_answers_cases_too_sees_none_that_waits_for_a_person(session, now, agent):
    session.info["settings"] = session.info["settings"].model_copy(update={"undo_seconds": 20})
    case = a.an_in_review(session, now=now)
    review.take(session, case.id, agent=agent, now=now)
    answer = answers.give(session, case.id, refusing(case), agent=agent, now=now)
    both = a.a_member(session, Role.AUDITOR, now=now, more=(Role.AGENT,))
    with pytest.raises(NotAllowed):
        masked.look(session, case.id, auditor=both, now=now)
    answers.carry_out(session, answer.id, now=answer.until)
    assert len(masked.look(session, case.id, auditor=both, now=now).answers) == 1


def test_every_permission_of_a_case_is_held_by_whom_the_matrix_names():
    """facts: reliability.md 5.3; docs/decisions/0020 says where and why we differ."""

    def who(permission: str) -> set[Role]:
        return {role for role in Role if permission in people.PERMISSIONS[role]}

    assert who("see_case") == {Role.AGENT, Role.SENIOR_AGENT, Role.LEAD}
    assert who("see_every_case") == {Role.SENIOR_AGENT, Role.LEAD}
    assert who("see_masked_case") == {Role.AUDITOR}
    assert who("see_photos") == who("decide") == {Role.AGENT, Role.SENIOR_AGENT}
    assert who("decide_escalated") == who("settle_disputes") == who("revert") == {Role.SENIOR_AGENT}
    assert who("verify_audit") == {Role.AUDITOR}
    assert who("manage_staff") == who("manage_keys") == {Role.ADMIN}
    assert who("propose_policy") == who("confirm_policy") == {Role.OPS, Role.LEAD}
