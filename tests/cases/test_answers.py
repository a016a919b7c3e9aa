"""Answers that wait: given, taken back, put before a second person, carried out once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from cases import answers, audit, conflicts, conversations, customers, intake, profiles, review, staff
from cases.answers import TooLate
from cases.database import Database
from cases.desk_tables import Answer, AnswerState
from cases.lifecycle import State
from cases.models import Case, Customer, Disposition, Event, FaceEncoding, Message, Notification, ProfileVersion, Role, Writer
from cases.review import AlreadyAnswered, Disposal, NoteNeeded, NotPartly, NotYours, Unchecked
from cases.settings import Mode
from tests import factories as a
from verification.evidence import Field
from verification.reasons import PhotoKind, ReasonCode

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
UNDO = timedelta(seconds=20)

DIFFER = a.with_measures(a.good_evidence(), pairs=a.faces(selfie_document=1.0))
"""A run that speaks against an approval by itself: its case is of high risk."""


@pytest.fixture
def settings(settings):
    """An answer can be taken back for 20 seconds, as shipped."""
    return settings.model_copy(update={"undo_seconds": 20})


@pytest.fixture
def agent(session, now):
    return a.a_member(session, now=now, name="Agent One")


@pytest.fixture
def other(session, now):
    return a.a_member(session, now=now, name="Agent Two")


@pytest.fixture
def senior(session, now):
    return a.a_member(session, Role.SENIOR_AGENT, now=now, name="Senior")


def another_passport(number):
    """The usual request with another passport's number: the same number relates accounts."""
    return replace(a.CLAIM, values={**a.CLAIM.values, Field.DOCUMENT_NUMBER: number})


def taken(session, agent, now, **about) -> Case:
    return review.take(session, a.an_in_review(session, now=now, **about).id, agent=agent, now=now)


def approving(case, **more) -> Disposal:
    return Disposal(**{"action": "approve", "seen_version": case.version, "note": "Looked at.", **more})


def rejecting(case, **more) -> Disposal:
    given = {"action": "reject", "reasons": (ReasonCode.ZONES_DISAGREE,), "note": "Two dates.", "seen_version": case.version}
    return Disposal(**{**given, **more})


def given(session, case, agent, now, disposal=None) -> Answer:
    """She has the case, answers, and the time to take it back goes by."""
    if case.owner_id != agent.id:
        review.take(session, case.id, agent=agent, now=now)
    answer = answers.give(session, case.id, disposal or approving(case), agent=agent, now=now)
    assert answers.carry_out(session, answer.id, now=now + UNDO)
    return answer


def kinds(session, case) -> list[str]:
    return list(session.scalars(select(Event.kind).where(Event.case_id == case.id).order_by(Event.id)))


def told(session, case) -> list[str]:
    return sorted(session.scalars(select(Notification.kind).where(Notification.case_id == case.id)))


# --- the time to take it back ---


def test_nothing_leaves_before_the_time_to_take_it_back_is_over(session, agent, now):
    case = taken(session, agent, now)
    before = told(session, case)
    answer = answers.give(session, case.id, approving(case, words="Welcome."), agent=agent, now=now)
    assert not answers.carry_out(session, answer.id, now=now + UNDO - SECOND)
    assert (case.state, case.answered_at, case.owner_id, answer.state) == (State.IN_REVIEW, now, None, AnswerState.WAITING)
    assert customers.current_profile(session, case.customer)[0] == a.PROFILE
    assert told(session, case) == before and not session.scalars(select(Message)).all()
    assert not session.scalars(select(Disposition)).all()
    assert answers.due(session, now=now + UNDO) == [answer.id]


def test_then_everything_happens_at_once(session, agent, now):
    case = taken(session, agent, now)
    answer = given(session, case, agent, now, approving(case, words="Welcome."))
    assert (case.state, case.answered_at, answer.state) == (State.APPROVED, None, AnswerState.CARRIED_OUT)
    assert customers.current_profile(session, case.customer)[0].values["surname"] == "BERGMANTEST"
    assert told(session, case) == ["approved", "in_review"]
    row = session.scalars(select(Disposition)).one()
    assert (row.id, row.action, row.staff_id) == (answer.disposition_id, "approve", agent.id)
    assert [(line.writer, line.text) for line in conversations.thread(session, case)] == [(Writer.STAFF, "Welcome.")]
    assert audit.verify(session).ok
    assert [kind for kind in kinds(session, case) if kind in ("answer_given", "disposed", "profile_changed")] == [
        "answer_given",
        "profile_changed",
        "disposed",
    ]


def test_carrying_out_twice_is_carrying_out_once(session, agent, now):
    case = taken(session, agent, now)
    answer = given(session, case, agent, now)
    assert not answers.carry_out(session, answer.id, now=now + MINUTE)
    assert session.scalar(select(func.count()).select_from(Disposition)) == 1
    assert session.scalar(select(func.count()).where(ProfileVersion.case_id == case.id)) == 1


def test_in_time_she_takes_it_back_and_has_the_case_again(session, agent, now, settings):
    case = taken(session, agent, now)
    answer = answers.give(session, case.id, rejecting(case), agent=agent, now=now)
    assert answers.waiting_for(session, agent, now=now + SECOND).id == answer.id
    later = now + UNDO - SECOND
    answers.take_back(session, answer.id, agent=agent, now=later)
    assert (answer.state, answer.ended_at, case.answered_at) == (AnswerState.TAKEN_BACK, later, None)
    assert (case.owner_id, case.owner_until) == (agent.id, later + timedelta(minutes=settings.claim_minutes))
    assert answers.waiting_for(session, agent, now=later) is None
    assert not answers.carry_out(session, answer.id, now=now + MINUTE)
    given(session, case, agent, now + MINUTE, approving(case))
    assert case.state is State.APPROVED


def test_too_late_she_is_told_so(session, agent, other, now):
    case = taken(session, agent, now)
    answer = answers.give(session, case.id, approving(case), agent=agent, now=now)
    with pytest.raises(NotYours):
        answers.take_back(session, answer.id, agent=other, now=now)
    with pytest.raises(TooLate):
        answers.take_back(session, answer.id, agent=agent, now=now + UNDO)
    answers.carry_out(session, answer.id, now=now + UNDO)
    with pytest.raises(TooLate) as late:
        answers.take_back(session, answer.id, agent=agent, now=now + UNDO)
    assert late.value.state is AnswerState.CARRIED_OUT


def test_while_it_waits_nobody_else_has_the_case(session, agent, other, now):
    case = taken(session, agent, now)
    answers.give(session, case.id, approving(case), agent=agent, now=now)
    with pytest.raises(review.TakenBy) as refused:
        review.take(session, case.id, agent=other, now=now + SECOND)
    assert (refused.value.name, refused.value.until) == ("Agent One", now + UNDO)
    assert review.take_next(session, agent=other, now=now + SECOND) is None
    with pytest.raises(review.StalePage):
        answers.give(session, case.id, approving(case, seen_version=case.version - 1), agent=agent, now=now + SECOND)
    with pytest.raises(NotYours):
        answers.give(session, case.id, approving(case), agent=agent, now=now + SECOND)


def test_without_a_time_to_take_back_it_happens_at_once(session, agent, now):
    session.info["settings"] = session.info["settings"].model_copy(update={"undo_seconds": 0})
    case = taken(session, agent, now)
    answer = answers.give(session, case.id, approving(case), agent=agent, now=now)
    assert (answer.state, case.state) == (AnswerState.CARRIED_OUT, State.APPROVED)
    with pytest.raises(TooLate):
        answers.take_back(session, answer.id, agent=agent, now=now)


# --- the case changed meanwhile ---


def test_a_customer_who_withdraws_is_first(session, agent, now):
    case = taken(session, agent, now)
    answer = answers.give(session, case.id, approving(case), agent=agent, now=now)
    intake.withdraw(session, case.id, now=now + SECOND)
    assert (answer.state, answer.why, case.answered_at) == (AnswerState.DROPPED, ["case_closed"], None)
    assert not answers.carry_out(session, answer.id, now=now + UNDO)
    assert case.state is State.WITHDRAWN and customers.current_profile(session, case.customer)[0] == a.PROFILE
    assert [one.id for one in answers.dropped_for(session, agent)] == [answer.id]
    answers.told(session, answer.id, agent=agent, now=now + MINUTE)
    assert answers.dropped_for(session, agent) == []


def test_an_answer_from_a_page_that_lacks_the_customers_last_message_is_refused(session, agent, now):
    case = taken(session, agent, now)
    conversations.write(session, case.id, uuid4(), text="The stamp is on page 14.", now=now)
    seen = rejecting(case, seen_messages=1)
    conversations.write(session, case.id, uuid4(), text="Wait, on page 15.", now=now + SECOND)
    with pytest.raises(review.Unread):
        answers.give(session, case.id, seen, agent=agent, now=now + 2 * SECOND)
    assert case.owner_id == agent.id and case.answered_at is None
    answers.give(session, case.id, replace(seen, seen_messages=2), agent=agent, now=now + 2 * SECOND)


def test_a_customer_who_writes_is_read_before_she_is_answered(session, agent, other, now, settings):
    case = taken(session, agent, now)
    answer = answers.give(session, case.id, rejecting(case), agent=agent, now=now)
    conversations.write(session, case.id, uuid4(), text="Wait, I sent the wrong page.", now=now + SECOND)
    assert answers.carry_out(session, answer.id, now=now + UNDO)
    assert (case.state, answer.state, answer.why) == (State.IN_REVIEW, AnswerState.DROPPED, ["customer_wrote"])
    assert (case.owner_id, case.answered_at) == (agent.id, None), "its maker has it again"
    assert [one.id for one in answers.dropped_for(session, agent)] == [answer.id]
    assert "rejected" not in told(session, case)
    given(session, case, agent, now + MINUTE, rejecting(case))
    assert case.state is State.REJECTED


def test_what_she_wrote_before_the_answer_does_not_stop_it(session, agent, now):
    case = taken(session, agent, now)
    conversations.write(session, case.id, uuid4(), text="Please hurry.", now=now)
    given(session, case, agent, now + SECOND)
    assert case.state is State.APPROVED


def test_details_that_the_lender_changed_meanwhile_are_looked_at_again(session, agent, now):
    case = taken(session, agent, now)
    answer = answers.give(session, case.id, approving(case), agent=agent, now=now)
    moved = replace(a.PROFILE, values={**a.PROFILE.values, Field.SEX: "M"})
    customers.upsert(session, case.customer.external_id, moved, email=a.OLD_EMAIL, locale="en", now=now + SECOND)
    assert answers.carry_out(session, answer.id, now=now + UNDO)
    assert (answer.state, answer.why, case.state) == (AnswerState.DROPPED, ["case_changed"], State.IN_REVIEW)


def test_an_answer_of_an_account_that_was_closed_meanwhile_is_not_carried_out(session, agent, now):
    case = taken(session, agent, now)
    answer = answers.give(session, case.id, approving(case), agent=agent, now=now)
    staff.change(session, agent, active=False, now=now + SECOND, actor=audit.SYSTEM)
    assert answers.carry_out(session, answer.id, now=now + UNDO)
    assert (answer.why, case.state, case.owner_id) == (["account_closed"], State.IN_REVIEW, None)


# --- what an approval must have looked at ---


def test_a_row_that_the_machine_could_not_confirm_is_ticked_before_approving(session, agent, now):
    case = taken(session, agent, now, evidence=a.a_letter_different())
    assert review.rows_to_check(session, case) == (Field.SURNAME,)
    with pytest.raises(Unchecked) as missing:
        answers.give(session, case.id, approving(case), agent=agent, now=now)
    assert missing.value.fields == (Field.SURNAME,)
    answers.give(session, case.id, approving(case, checked=frozenset({Field.SURNAME})), agent=agent, now=now)


def test_where_no_machine_looked_every_change_is_ticked(session, agent, now):
    case = a.a_draft(session, now=now)
    intake.ask_for_person(session, case.id, consent_version=a.CONSENT, now=now)
    review.take(session, case.id, agent=agent, now=now)
    asked = (Field.SURNAME, Field.DOCUMENT_NUMBER, Field.EXPIRES_ON)
    assert review.rows_to_check(session, case) == asked
    with pytest.raises(Unchecked) as missing:
        answers.give(session, case.id, approving(case, checked=frozenset(asked[:2])), agent=agent, now=now)
    assert missing.value.fields == (Field.EXPIRES_ON,)


def test_nobody_ticks_anything_to_refuse_or_to_ask_for_a_photo(session, agent, now):
    case = taken(session, agent, now, evidence=a.a_letter_different())
    retake = Disposal(action="ask_retake", retake=frozenset({PhotoKind.DOCUMENT}), seen_version=case.version)
    assert answers.give(session, case.id, retake, agent=agent, now=now).state is AnswerState.WAITING


# --- partial acceptance ---

PASSPORT = frozenset({Field.DOCUMENT_NUMBER, Field.EXPIRES_ON})


def test_the_new_passport_is_accepted_and_the_surname_stays(session, agent, now):
    case = taken(session, agent, now)
    part = approving(case, fields=PASSPORT, words="Please send the marriage certificate.")
    answer = given(session, case, agent, now, part)
    held, _ = customers.current_profile(session, case.customer)
    assert case.state is State.APPROVED
    assert (held.values[Field.SURNAME], held.values[Field.DOCUMENT_NUMBER]) == ("ABELARDTEST", "700000002")
    assert held.values[Field.EXPIRES_ON] == "2034-05-06" and held.earlier_numbers == ("700000001",)
    assert answers.held(session, case) == ("surname",)
    assert told(session, case) == ["approved_in_part", "in_review"]
    events = {e.kind: e.details for e in session.scalars(select(Event).where(Event.case_id == case.id))}
    assert events["profile_changed"]["fields"] == ["document_number", "expires_on"]
    assert events["profile_changed"]["held"] == events["disposed"]["held"] == ["surname"]
    assert answer.fields == events["disposed"]["fields"] == ["document_number", "expires_on"]
    # And the rest may be asked for at once.
    again = a.a_draft(session, customer=case.customer, now=now + MINUTE)
    assert again.state is State.DRAFT


def test_all_of_it_named_one_by_one_is_no_part(session, agent, now):
    case = taken(session, agent, now)
    answer = given(session, case, agent, now, approving(case, fields=PASSPORT | {Field.SURNAME}))
    assert (answer.fields, answers.held(session, case), told(session, case)) == (None, (), ["approved", "in_review"])


def test_what_belongs_together_is_accepted_together(session, agent, now):
    case = taken(session, agent, now)
    with pytest.raises(NotPartly) as apart:
        answers.give(session, case.id, approving(case, fields=frozenset({Field.DOCUMENT_NUMBER})), agent=agent, now=now)
    assert apart.value.fields == (Field.DOCUMENT_NUMBER, Field.EXPIRES_ON)
    for wrong in (frozenset(), frozenset({Field.SEX}), PASSPORT | {Field.DATE_OF_BIRTH}):
        with pytest.raises(ValueError):
            answers.give(session, case.id, approving(case, fields=wrong), agent=agent, now=now)


def test_what_is_held_back_is_explained_in_a_note_and_need_not_be_ticked(session, agent, now):
    case = taken(session, agent, now, evidence=a.a_letter_different())
    with pytest.raises(NoteNeeded):
        answers.give(session, case.id, approving(case, fields=PASSPORT, note=""), agent=agent, now=now)
    answers.give(session, case.id, approving(case, fields=PASSPORT), agent=agent, now=now)


def test_a_new_address_may_be_held_back_and_hears_nothing(session, agent, other, now):
    case = a.a_submitted(session, now=now, new_email=a.NEW_EMAIL)
    assert a.finished(session, a.begun(session, case, now=now), now=now) is State.IN_REVIEW
    for one in (agent, other):
        review.take(session, case.id, agent=one, now=now)
        given(session, case, one, now, approving(case, with_email=False))
    assert case.state is State.APPROVED and answers.held(session, case) == ("email",)
    assert customers.current_profile(session, case.customer)[1] == a.OLD_EMAIL
    rows = session.scalars(select(Notification).where(Notification.kind == "approved_in_part")).all()
    assert [row.to_old_address for row in rows] == [True]


# --- a second pair of eyes ---


def test_a_risky_approval_waits_for_another_person_who_does_not_see_it(session, agent, other, now):
    case = taken(session, agent, now, evidence=DIFFER)
    answer = given(session, case, agent, now, approving(case, note="Twins? No: same scar."))
    assert (case.state, answer.state, answer.disposition_id) == (State.IN_REVIEW, AnswerState.FIRST, None)
    assert case.second_at is not None and case.answered_at is None and review.lane(case) == "second"
    assert answers.visible(session, case, other) == []
    assert [line.mine for line in answers.visible(session, case, agent)] == [True]
    said = session.scalars(select(Event).where(Event.kind == "answer_given")).one().details
    assert set(said) == {"answer_id", "second", "until"}, "the trail does not tell the second person what the first said"
    done = given(session, case, other, now + MINUTE)
    assert (case.state, answer.state, done.state) == (State.APPROVED, AnswerState.FOLLOWED, AnswerState.CARRIED_OUT)
    assert (done.first_id, done.first_staff_id) == (answer.id, agent.id)
    assert session.scalars(select(Disposition.staff_id)).all() == [other.id]
    assert {line.by for line in answers.visible(session, case, other)} == {"Agent One", "Agent Two"}


def test_a_second_persons_answer_waits_as_well(session, agent, other, now):
    case = taken(session, agent, now, evidence=DIFFER)
    given(session, case, agent, now)
    review.take(session, case.id, agent=other, now=now + MINUTE)
    answer = answers.give(session, case.id, approving(case), agent=other, now=now + MINUTE)
    assert case.state is State.IN_REVIEW
    answers.take_back(session, answer.id, agent=other, now=now + MINUTE + SECOND)
    assert review.lane(case) == "second" and case.owner_id == other.id
    given(session, case, other, now + 2 * MINUTE)
    assert case.state is State.APPROVED


def test_nobody_checks_her_own(session, agent, now):
    case = taken(session, agent, now, evidence=DIFFER)
    given(session, case, agent, now)
    with pytest.raises(AlreadyAnswered):
        review.take(session, case.id, agent=agent, now=now + MINUTE)
    assert review.take_next(session, agent=agent, now=now + MINUTE) is None
    case.owner_id, case.owner_until = agent.id, now + timedelta(hours=1)  # however she got it
    session.flush()
    with pytest.raises(AlreadyAnswered):
        answers.give(session, case.id, approving(case), agent=agent, now=now + MINUTE)


def test_the_database_refuses_a_checker_who_is_the_maker(session, agent, other, now):
    case = taken(session, agent, now, evidence=DIFFER)
    first = given(session, case, agent, now)

    def second(**more):
        row = {
            "id": uuid4(), "case_id": case.id, "staff_id": agent.id, "state": AnswerState.WAITING, "action": "approve",
            "reasons": [], "retake": [], "checked": [], "held": [], "why": [], "data_key_id": case.data_key_id, "case_version": 1,
            "given_at": now, "until": now, "first_id": first.id, "first_staff_id": agent.id,
        }  # fmt: skip
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(Answer.__table__.insert().values({**row, **more}))

    second()  # her own
    second(first_staff_id=other.id)  # her own, under another's name
    second(staff_id=other.id, first_staff_id=None)  # nobody's
    disposition = Disposition(case_id=case.id, staff_id=agent.id, action="approve", reasons=[], created_at=now)
    session.add(disposition)
    session.flush()
    with pytest.raises(IntegrityError), session.begin_nested():  # and a first answer is never what is carried out
        first.state, first.disposition_id, first.ended_at = AnswerState.CARRIED_OUT, disposition.id, now
        session.flush()


def test_two_who_disagree_are_settled_by_a_senior_who_is_neither(session, agent, other, senior, now):
    case = taken(session, agent, now, evidence=DIFFER)
    first = given(session, case, agent, now)
    second = given(session, case, other, now + MINUTE, rejecting(review.take(session, case.id, agent=other, now=now + MINUTE)))
    assert (first.state, second.state, case.state) == (AnswerState.DISAGREED, AnswerState.DISAGREED, State.IN_REVIEW)
    assert review.lane(case) == "senior" and case.second_at is None
    third = a.a_member(session, now=now)
    with pytest.raises(staff.NotAllowed):
        review.take(session, case.id, agent=third, now=now + 2 * MINUTE)
    assert review.take_next(session, agent=third, now=now + 2 * MINUTE) is None
    assert answers.visible(session, case, third) == []
    assert {line.action for line in answers.visible(session, case, senior)} == {"approve", "reject"}
    assert review.take_next(session, agent=senior, now=now + 2 * MINUTE).id == case.id
    last = given(session, case, senior, now + 2 * MINUTE)
    assert (case.state, last.state) == (State.APPROVED, AnswerState.CARRIED_OUT)
    assert (first.state, second.state) == (AnswerState.FOLLOWED, AnswerState.OVERRULED)
    assert (last.first_staff_id, last.second_staff_id) == (agent.id, other.id)
    assert session.scalar(select(func.count()).select_from(Disposition)) == 1


def test_a_senior_who_gave_one_of_two_answers_does_not_settle_them(session, agent, senior, now):
    case = taken(session, senior, now, evidence=DIFFER)
    given(session, case, senior, now)
    given(session, case, agent, now + MINUTE, rejecting(review.take(session, case.id, agent=agent, now=now + MINUTE)))
    assert review.lane(case) == "senior"
    with pytest.raises(AlreadyAnswered):
        review.take(session, case.id, agent=senior, now=now + 2 * MINUTE)
    assert review.take_next(session, agent=senior, now=now + 2 * MINUTE) is None


def test_two_who_accept_different_parts_disagree(session, agent, other, now):
    case = taken(session, agent, now, evidence=DIFFER)
    given(session, case, agent, now)
    given(session, case, other, now + MINUTE, approving(review.take(session, case.id, agent=other, now=now), fields=PASSPORT))
    assert review.lane(case) == "senior"


def test_a_refusal_is_one_persons_until_there_was_an_appeal_then_two_persons(session, agent, other, now):
    third = a.a_member(session, now=now)
    case = taken(session, agent, now, evidence=DIFFER)
    given(session, case, agent, now, rejecting(case))
    assert case.state is State.REJECTED
    intake.appeal(session, case.id, now=now + MINUTE)
    assert case.risk == "high"
    with pytest.raises(NotYours):
        review.take(session, case.id, agent=agent, now=now + MINUTE)
    first = given(session, case, other, now + MINUTE, rejecting(review.take(session, case.id, agent=other, now=now + MINUTE)))
    assert (case.state, first.why) == (State.IN_REVIEW, ["appealed"])
    both = (ReasonCode.DOCUMENT_EXPIRED, ReasonCode.ZONES_DISAGREE)
    again = rejecting(review.take(session, case.id, agent=third, now=now + MINUTE), reasons=both)
    given(session, case, third, now + MINUTE, again)
    assert (case.state, case.reasons) == (State.REJECTED, ["zones_disagree"]), "the reason that both saw"
    intake.appeal(session, case.id, now=now + 3 * MINUTE)
    for one in (agent, other, third):  # each of them refused it
        with pytest.raises(NotYours):
            review.take(session, case.id, agent=one, now=now + 3 * MINUTE)


def test_two_refusals_without_a_common_reason_are_no_agreement(session, agent, other, now):
    third = a.a_member(session, now=now)
    case = taken(session, agent, now)
    given(session, case, agent, now, rejecting(case))
    intake.appeal(session, case.id, now=now + MINUTE)
    given(session, case, other, now + MINUTE, rejecting(review.take(session, case.id, agent=other, now=now + MINUTE)))
    mine = rejecting(review.take(session, case.id, agent=third, now=now + MINUTE), reasons=(ReasonCode.DOCUMENT_EXPIRED,))
    given(session, case, third, now + MINUTE, mine)
    assert review.lane(case) == "senior"


def test_an_approval_that_overturns_a_colleague_takes_two(session, agent, other, now):
    third = a.a_member(session, now=now)
    case = taken(session, agent, now)
    given(session, case, agent, now, rejecting(case))
    intake.appeal(session, case.id, now=now + MINUTE)
    given(session, case, other, now + MINUTE)
    assert case.state is State.IN_REVIEW
    given(session, case, third, now + MINUTE)
    assert case.state is State.APPROVED


def test_asking_for_a_photo_never_takes_two(session, agent, now):
    case = taken(session, agent, now, evidence=DIFFER)
    retake = Disposal(action="ask_retake", retake=frozenset({PhotoKind.SELFIE}), seen_version=case.version)
    given(session, case, agent, now, retake)
    assert case.state is State.NEEDS_RETAKE


def test_a_first_answer_falls_with_the_case(session, agent, other, now):
    case = taken(session, agent, now, evidence=DIFFER)
    first = given(session, case, agent, now)
    intake.withdraw(session, case.id, now=now + MINUTE)
    assert (first.state, case.second_at) == (AnswerState.DROPPED, None)


def test_who_gave_the_first_of_two_approvals_neither_reverts_nor_settles(session, other, senior, now):
    case = taken(session, senior, now, evidence=DIFFER)
    given(session, case, senior, now)
    given(session, case, other, now + MINUTE)
    with pytest.raises(profiles.OwnApproval):
        profiles.revert(session, case.id, actor=audit.Actor.staff(senior), reason="x", now=now + 2 * MINUTE)
    case.disputed_at = now + 2 * MINUTE
    with pytest.raises(profiles.OwnApproval):
        review.settle_dispute(session, case.id, agent=senior, note="x", seen_version=case.version, now=now + 2 * MINUTE)


# --- escalation and notes ---


def test_an_escalated_case_is_a_seniors(session, agent, other, senior, now):
    case = taken(session, agent, now)
    with pytest.raises(NoteNeeded):
        review.escalate(session, case.id, agent=agent, note=" ", now=now)
    with pytest.raises(NotYours):
        review.escalate(session, case.id, agent=other, note="x", now=now)
    review.escalate(session, case.id, agent=agent, note="A court paper I cannot judge.", now=now)
    assert (case.owner_id, case.escalated_at, review.lane(case)) == (None, now, "senior")
    for one in (agent, other):
        with pytest.raises(staff.NotAllowed):
            review.take(session, case.id, agent=one, now=now)
        assert review.take_next(session, agent=one, now=now) is None
    assert review.take_next(session, agent=senior, now=now).id == case.id
    assert [(n.kind, n.by, n.text) for n in review.notes(session, case, senior)] == [
        ("escalation", "Agent One", "A court paper I cannot judge.")
    ]
    given(session, case, senior, now)
    assert (case.state, case.escalated_at) == (State.APPROVED, None)


def test_a_photo_that_a_senior_asked_for_comes_back_to_a_senior(session, agent, senior, now):
    case = taken(session, agent, now)
    review.escalate(session, case.id, agent=agent, note="x", now=now)
    review.take(session, case.id, agent=senior, now=now)
    retake = Disposal(action="ask_retake", retake=frozenset({PhotoKind.SELFIE}), seen_version=case.version)
    given(session, case, senior, now, retake)
    intake.ask_for_person(session, case.id, consent_version=a.CONSENT, now=now + MINUTE)
    assert review.lane(case) == "senior"


def test_a_second_person_who_passes_it_on_leaves_the_second_look_to_a_senior(session, agent, other, senior, now):
    case = taken(session, agent, now, evidence=DIFFER)
    first = given(session, case, agent, now)
    review.take(session, case.id, agent=other, now=now + MINUTE)
    review.escalate(session, case.id, agent=other, note="I cannot tell.", now=now + MINUTE)
    assert review.lane(case) == "senior" and answers.visible(session, case, senior) == []
    second = given(session, case, senior, now + MINUTE, rejecting(review.take(session, case.id, agent=senior, now=now + MINUTE)))
    assert (case.state, first.state, second.state) == (State.IN_REVIEW, AnswerState.DISAGREED, AnswerState.DISAGREED)
    third = a.a_member(session, Role.SENIOR_AGENT, now=now)
    later = now + 2 * MINUTE
    given(session, case, third, later, rejecting(review.take(session, case.id, agent=third, now=later)))
    assert (case.state, first.state, second.state) == (State.REJECTED, AnswerState.OVERRULED, AnswerState.FOLLOWED)


def test_a_note_is_sealed_moves_nothing_and_is_hidden_from_the_second_person(session, agent, other, now):
    case = taken(session, agent, now, evidence=DIFFER)
    version = case.version
    row = review.add_note(session, case.id, agent=agent, note="She called: married in May.", now=now)
    assert case.version == version and b"married" not in row.text_sealed
    assert [n.text for n in review.notes(session, case, other)] == ["She called: married in May."]
    given(session, case, agent, now)
    assert review.notes(session, case, other) == []
    assert len(review.notes(session, case, agent)) == 1
    given(session, case, other, now + MINUTE)
    assert len(review.notes(session, case, other)) == 1
    assert session.scalars(select(Event.details).where(Event.kind == "note_added")).one() == {"note_id": str(row.id), "size": 27}
    with pytest.raises(staff.NotAllowed):
        review.add_note(session, case.id, agent=a.a_member(session, Role.LEAD, now=now), note="x", now=now)


# --- own and related cases ---


def test_her_own_case_never_comes_to_her(session, agent, now):
    mine = a.an_in_review(session, now=now, customer=a.a_customer(session, now=now, email=agent.email.upper()))
    theirs = a.an_in_review(session, now=now + MINUTE, claim=another_passport("700000009"))
    assert review.related(session, agent, mine) and not review.related(session, agent, theirs)
    with pytest.raises(review.Related) as own:
        review.take(session, mine.id, agent=agent, now=now + MINUTE)
    assert own.value.why is conflicts.Tie.OWN_EMAIL
    assert review.take_next(session, agent=agent, now=now + MINUTE).id == theirs.id
    mine.owner_id, mine.owner_until = agent.id, now + timedelta(hours=1)  # however she got it
    session.flush()
    with pytest.raises(review.Related):
        answers.give(session, mine.id, approving(mine), agent=agent, now=now + MINUTE)
    with pytest.raises(review.Related):
        review.add_note(session, mine.id, agent=agent, note="Please.", now=now)


def test_an_address_that_the_case_brings_counts_too(session, agent, now):
    case = a.a_submitted(session, now=now, new_email=agent.email)
    a.finished(session, a.begun(session, case, now=now), now=now)
    assert review.related(session, agent, case)


def test_that_a_case_was_kept_from_her_is_noted_once(session, agent, now):
    mine = a.an_in_review(session, now=now, customer=a.a_customer(session, now=now, email=agent.email))
    for _ in range(3):
        assert review.withheld(session, agent, mine, now=now)
    assert session.scalars(select(Event.details).where(Event.kind == "case_withheld")).all() == [{"why": "own_email"}]
    # the account is known from then on, whatever its address
    customers.upsert(session, mine.customer.external_id, a.PROFILE, email="new@elsewhere.test", locale="en", now=now)
    assert review.related(session, agent, mine)


def test_what_shares_passport_or_address_with_her_own_account_is_related(session, agent, other, now):
    account = a.a_customer(session, now=now, email="family@home.test")
    conflicts.say(session, agent, account, actor=audit.SYSTEM, now=now)

    def waiting(email, number):
        claim = another_passport(number)
        return a.an_in_review(session, now=now, customer=a.a_customer(session, now=now, email=email), claim=claim)

    assert review.related(session, agent, a.an_in_review(session, now=now, customer=account))
    family, passport = waiting("Family@home.test", "700000007"), waiting("else@home.test", "700000002")
    assert conflicts.tie(session, agent, family) is conflicts.Tie.SAME_EMAIL
    assert conflicts.tie(session, agent, passport) is conflicts.Tie.SAME_DOCUMENT
    assert not any(review.related(session, other, case) for case in (family, passport))
    assert not review.related(session, agent, waiting("namesake@home.test", "700000008")), "a surname alone relates nobody"


def test_a_face_that_a_search_found_beside_hers_is_related_both_ways(session, agent, now):
    account = a.a_customer(session, now=now, email="home@home.test")
    conflicts.say(session, agent, account, actor=audit.SYSTEM, now=now)
    hers = a.an_in_review(session, now=now, customer=account)
    theirs = a.an_in_review(session, now=now, claim=another_passport("700000009"))

    def found(case, other):
        key = {"case_id": case.id, "customer_id": case.customer_id, "data_key_id": case.data_key_id}
        candidate = {"case_id": str(other.id), "customer_id": str(other.customer_id)}
        row = FaceEncoding(**key, code_sealed=b"", candidates=[candidate], searched=1, created_at=now, searched_at=now)
        session.add(row)
        session.flush()
        return row

    for case, other in ((hers, theirs), (theirs, hers)):
        assert not review.related(session, agent, theirs)
        row = found(case, other)
        assert conflicts.tie(session, agent, theirs) is conflicts.Tie.SAME_FACE
        session.delete(row)
        session.flush()


def test_only_another_person_says_that_an_account_is_not_hers(session, agent, now):
    account = a.a_customer(session, now=now)
    conflicts.say(session, agent, account, actor=audit.SYSTEM, now=now)
    with pytest.raises(staff.NotAllowed):
        conflicts.unsay(session, agent, account, actor=audit.Actor.staff(agent), now=now)
    case = a.an_in_review(session, now=now, customer=account)
    conflicts.unsay(session, agent, account, actor=audit.SYSTEM, now=now)
    assert not review.related(session, agent, case)


# --- who gets what ---


def test_where_cases_are_given_out_only_seniors_choose(session, agent, senior, now):
    session.info["settings"] = session.info["settings"].model_copy(update={"free_choice": False})
    case = a.an_in_review(session, now=now)
    with pytest.raises(staff.NotAllowed) as refused:
        review.take(session, case.id, agent=agent, now=now)
    assert refused.value.permission == "choose_cases"
    assert review.take_next(session, agent=agent, now=now).id == case.id
    review.take(session, case.id, agent=agent, now=now + MINUTE)  # she keeps what she was given
    review.release(session, case.id, agent=agent, now=now + MINUTE)
    review.take(session, case.id, agent=senior, now=now + MINUTE)


def test_whether_agents_choose_is_for_production_to_say(settings):
    assert settings.chooses_freely
    assert not settings.model_copy(update={"mode": Mode.PRODUCTION}).chooses_freely
    assert settings.model_copy(update={"mode": Mode.PRODUCTION, "free_choice": True}).chooses_freely


# --- upkeep ---


def test_upkeep_carries_out_what_is_due_and_nothing_else(database: Database, now, settings):
    made = Database.open(settings)
    with made.transaction() as session:
        agent = a.a_member(session, now=now)
        ids = []
        for wait in (0, 0, 10):
            case = taken(session, agent, now)
            ids.append(answers.give(session, case.id, approving(case), agent=agent, now=now + wait * SECOND).id)
    assert answers.carry_out_due(made, now=now + UNDO) == 2
    assert answers.carry_out_due(made, now=now + UNDO) == 0
    assert answers.carry_out_due(made, now=now + MINUTE) == 1
    with made.reading() as session:
        assert {row.state for row in session.scalars(select(Answer))} == {AnswerState.CARRIED_OUT}
        assert audit.verify(session).ok
    made.dispose()


def test_one_that_fails_stops_no_other_and_is_given_up_after_a_while(database: Database, now, settings, monkeypatch):
    made = Database.open(settings)
    with made.transaction() as session:
        agent = a.a_member(session, now=now)
        cases = [taken(session, agent, now) for _ in range(3)]
        waiting = [answers.give(session, case.id, approving(case), agent=agent, now=now).id for case in cases]
        broken = cases[0].id
    real = profiles.apply_claim

    def breaks(session, case, **more):
        real(session, case, **more)
        if case.id == broken:
            raise OSError("in the middle")

    monkeypatch.setattr(profiles, "apply_claim", breaks)
    with pytest.raises(OSError):
        answers.carry_out_due(made, now=now + UNDO)
    with made.reading() as session:
        states = [session.get_one(Answer, one).state for one in waiting]
        assert states == [AnswerState.WAITING, AnswerState.CARRIED_OUT, AnswerState.CARRIED_OUT]
        case = session.get_one(Case, broken)
        assert (
            case.state is State.IN_REVIEW
            and session.get_one(Customer, case.customer_id).profile_version_id == case.base_version_id
        )
    with pytest.raises(OSError):
        answers.carry_out_due(made, now=now + UNDO + answers.GIVE_UP)
    with made.reading() as session:
        assert session.get_one(Answer, waiting[0]).why == ["failed"]
        case = session.get_one(Case, broken)
        assert (case.answered_at, case.owner_id) == (None, None), "anybody may take it"
    made.dispose()
