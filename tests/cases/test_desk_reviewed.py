"""What a review of the desk found: each of these went wrong once."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import event

from cases import (
    answers,
    audit,
    conflicts,
    conversations,
    customers,
    figures,
    intake,
    quality,
    queue,
    replies,
    review,
    staff,
    supporting,
)
from cases.desk_tables import Answer, AnswerState, PaperKind
from cases.lifecycle import State
from cases.models import Role
from cases.review import Disposal, NotYours
from tests import factories as a
from tests.cases.test_answers import DIFFER, MINUTE, SECOND, UNDO, another_passport, approving, kinds, rejecting, settings, taken
from verification.evidence import Field
from verification.reasons import PhotoKind, ReasonCode

__all__ = ["settings"]  # a fixture: twenty seconds to take an answer back


@pytest.fixture
def agent(session, now):
    return a.a_member(session, now=now, name="Agent One")


@pytest.fixture
def other(session, now):
    return a.a_member(session, now=now, name="Agent Two")


@pytest.fixture
def third(session, now):
    return a.a_member(session, now=now, name="Agent Three")


@pytest.fixture
def senior(session, now):
    return a.a_member(session, Role.SENIOR_AGENT, now=now, name="Senior")


@pytest.fixture
def senior2(session, now):
    return a.a_member(session, Role.SENIOR_AGENT, now=now, name="Senior Two")


def given(session, case, agent, now, make=approving, **more):
    if case.owner_id != agent.id:
        review.take(session, case.id, agent=agent, now=now)
    answer = answers.give(session, case.id, make(case, **more), agent=agent, now=now)
    assert answers.carry_out(session, answer.id, now=now + UNDO)
    return answer


def appealed_case(session, agent, now):
    case = taken(session, agent, now)
    given(session, case, agent, now, rejecting)
    assert case.state is State.REJECTED
    intake.appeal(session, case.id, now=now + MINUTE)
    return case


def test_a_second_person_cannot_escape_the_disagreement_by_escalating_to_herself(session, agent, other, senior, now):
    case = appealed_case(session, agent, now)
    t = now + 2 * MINUTE
    first = given(session, case, other, t, rejecting)
    assert first.state is AnswerState.FIRST
    review.take(session, case.id, agent=senior, now=t + MINUTE)
    review.escalate(session, case.id, agent=senior, note="hm", now=t + MINUTE)
    review.take(session, case.id, agent=senior, now=t + MINUTE)
    ans = answers.give(session, case.id, approving(case), agent=senior, now=t + MINUTE)
    answers.carry_out(session, ans.id, now=t + MINUTE + UNDO)
    assert case.state is not State.APPROVED, "one senior alone overturned two refusals"


def test_next_case_is_never_one_she_may_not_answer_after_a_shared_refusal(session, agent, other, third, now):
    case = appealed_case(session, agent, now)
    t = now + 2 * MINUTE
    given(session, case, other, t, rejecting)
    given(session, case, third, t + MINUTE, rejecting)
    assert case.state is State.REJECTED
    intake.appeal(session, case.id, now=t + 3 * MINUTE)
    got = review.take_next(session, agent=other, now=t + 4 * MINUTE)
    assert got is None or got.id != case.id, "given a case that she refused as one of two"


def test_two_seniors_who_disagreed_do_not_leave_a_case_that_nobody_may_answer(session, agent, senior, senior2, now):
    case = a.an_in_review(session, now=now, evidence=DIFFER)
    given(session, case, senior, now, approving)
    assert case.second_at is not None
    t = now + MINUTE
    given(session, case, senior2, t, rejecting)
    assert case.escalated_at is not None
    can = []
    for who in (agent, senior, senior2):
        try:
            review.may_answer(session, case, who)
            can.append(who.name)
        except Exception as e:
            print(who.name, type(e).__name__)
    assert can, "nobody of the staff may answer it, for ever"


def test_next_case_gives_no_dispute_to_who_approved_it(session, senior, now):
    case = taken(session, senior, now)
    given(session, case, senior, now, approving)
    assert case.state is State.APPROVED
    token = customers.make_link(session, "not_me", case.customer, case=case, lifetime=timedelta(days=3), now=now)
    customers.report_not_me(session, customers.redeem_link(session, token, "not_me", now=now + MINUTE), now=now + MINUTE)
    got = review.take_next(session, agent=senior, now=now + 2 * MINUTE)
    assert got is None


def test_who_approved_as_first_of_two_does_not_settle_the_doubt(session, agent, senior, senior2, now):
    session.info["settings"] = session.info["settings"].model_copy(update={"quality_answers": 1.0})
    case = a.an_in_review(session, now=now, evidence=DIFFER)
    given(session, case, senior, now, approving)
    given(session, case, agent, now + MINUTE, approving)
    assert case.state is State.APPROVED
    quality.draw(session, now=now + 2 * MINUTE)
    sample = quality.take_next(session, agent=senior2, now=now + 3 * MINUTE)
    quality.give(
        session,
        sample.id,
        quality.Verdict(action="reject", reasons=frozenset({ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER})),
        agent=senior2,
        now=now + 3 * MINUTE,
    )
    with pytest.raises(NotYours):
        quality.let_stand(session, sample.id, agent=senior, note="fine", now=now + 4 * MINUTE)


def test_a_lead_who_is_an_agent_too_assigns_nothing_to_herself(session, now):
    session.info["settings"] = session.info["settings"].model_copy(update={"free_choice": False})
    both = a.a_member(session, Role.AGENT, now=now, name="Both")
    both.roles_held = ["agent", "lead"]
    case = a.an_in_review(session, now=now)
    with pytest.raises(staff.NotAllowed):
        review.assign(session, case.id, to=both, lead=both, now=now)


def test_an_answer_dropped_by_a_withdrawal_is_in_the_trail(session, agent, now):
    case = taken(session, agent, now)
    ans = answers.give(session, case.id, approving(case), agent=agent, now=now)
    intake.withdraw(session, case.id, now=now + SECOND)
    assert ans.state is AnswerState.DROPPED
    assert "answer_dropped" in kinds(session, case), kinds(session, case)


def test_a_first_answer_dropped_by_a_withdrawal_is_in_the_trail(session, agent, now):
    case = a.an_in_review(session, now=now, evidence=DIFFER)
    given(session, case, agent, now, approving)
    intake.withdraw(session, case.id, now=now + MINUTE)
    assert "answer_dropped" in kinds(session, case), kinds(session, case)


def test_an_overruled_refuser_does_not_decide_the_next_appeal(session, agent, other, senior, now):
    third = a.a_member(session, now=now, name="T3")
    case = appealed_case(session, agent, now)
    t = now + 2 * MINUTE
    given(session, case, other, t, rejecting)
    given(session, case, third, t + MINUTE, approving)
    given(session, case, senior, t + 2 * MINUTE, rejecting, reasons=(ReasonCode.DOCUMENT_EXPIRED,))
    assert case.state is State.REJECTED
    intake.appeal(session, case.id, now=t + 3 * MINUTE)
    with pytest.raises(NotYours):
        review.take(session, case.id, agent=other, now=t + 4 * MINUTE)


def test_a_senior_who_came_to_another_answer_after_an_escalation_does_not_count_as_agreeing(session, agent, other, senior, now):
    case = appealed_case(session, agent, now)
    t = now + 2 * MINUTE
    first = given(session, case, other, t, rejecting)
    third = a.a_member(session, now=now, name="T3")
    review.take(session, case.id, agent=third, now=t + MINUTE)
    review.escalate(session, case.id, agent=third, note="unsure", now=t + MINUTE)
    given(session, case, senior, t + 2 * MINUTE)
    assert (case.state, first.state) == (State.IN_REVIEW, AnswerState.DISAGREED)
    last = given(session, case, a.a_member(session, Role.SENIOR_AGENT, now=now), t + 3 * MINUTE)
    assert (case.state, first.state, last.state) == (State.APPROVED, AnswerState.OVERRULED, AnswerState.CARRIED_OUT)
    team = figures.team(session, since=now - timedelta(days=1), until=now + timedelta(days=1))
    of = {one.name: one.values["agreement"] for one in team}
    assert of["Agent Two"].value != 1.0, of


def test_the_first_of_two_whose_account_was_closed_for_cause_does_not_count(session, agent, other, now):
    case = a.an_in_review(session, now=now, evidence=DIFFER)
    given(session, case, agent, now)
    staff.change(session, agent, active=False, now=now + SECOND, actor=audit.SYSTEM)
    given(session, case, other, now + MINUTE)
    assert case.state is not State.APPROVED, "docs 0012: an answer of an account that was closed meanwhile is dropped"


def test_a_reply_that_never_left_is_not_counted(session, agent, now):
    case = a.an_in_review(session, now=now)
    review.take(session, case.id, agent=agent, now=now)
    ans = answers.give(
        session,
        case.id,
        rejecting(case, words="With a document that is valid you can send a new request at any time; it takes a few minutes."),
        agent=agent,
        now=now,
    )
    replies.used(session, case, "reject.document_expired", sent="x", locale="en", carrier_id=ans.id, filled={}, now=now)
    intake.withdraw(session, case.id, now=now + SECOND)
    assert ans.state is AnswerState.DROPPED
    assert replies.figures(session, now=now + MINUTE).get("reject.document_expired", replies.Figures()).used == 0


def test_the_quality_page_asks_few_queries(session, senior, now):
    session.info["settings"] = session.info["settings"].model_copy(update={"quality_answers": 1.0})

    def count(n):
        for _ in range(n):
            a.a_rejected(session, now=now)
        quality.draw(session, now=now)
        asked = []
        conn = session.connection()

        def note(*args):
            asked.append(1)

        event.listen(conn, "before_cursor_execute", note)
        session.flush()
        session.expunge_all()
        me = session.merge(senior)
        quality.waiting(session, agent=me, now=now)
        event.remove(conn, "before_cursor_execute", note)
        return len(asked)

    few, many = count(3), count(12)
    assert many - few <= 3, (few, many)


def test_a_message_of_a_parked_case_brings_it_to_somebody(session, agent, other, now):
    session.info["settings"] = session.info["settings"].model_copy(update={"free_choice": False})
    case = a.an_in_review(session, now=now)
    review.take_next(session, agent=agent, now=now)
    supporting.ask(session, case.id, [next(iter(PaperKind))], agent=agent, now=now)
    conversations.write(session, case.id, uuid4(), text="I have no such paper, what now?", agent=None, now=now + MINUTE)
    got = review.take_next(session, agent=other, now=now + timedelta(hours=5))
    assert got is not None and got.id == case.id


def test_closing_an_account_frees_her_cases(session, agent, now):
    case = a.an_in_review(session, now=now)
    review.take(session, case.id, agent=agent, now=now)
    staff.change(session, agent, active=False, now=now + SECOND, actor=audit.SYSTEM)
    # ten minutes at most
    other = a.a_member(session, now=now, name="o")
    assert review.take_next(session, agent=other, now=now + timedelta(minutes=11)) is not None


def test_a_reviewer_cannot_look_the_answer_up(session, now):
    session.info["settings"] = session.info["settings"].model_copy(update={"quality_answers": 1.0})
    reviewer = a.a_member(session, Role.SENIOR_AGENT, now=now, name="R")
    a.a_rejected(session, now=now)
    quality.draw(session, now=now)
    sample = quality.take_next(session, agent=reviewer, now=now)
    sheet = quality.sheet(session, sample, now=now)
    number = next(r.typed for r in sheet.fields if r.field is Field.DOCUMENT_NUMBER)
    found = queue.search(session, number, with_documents=True, viewer=reviewer.id, now=now)
    try:
        quality.of(session, sample.id, agent=reviewer, now=now)
        still = True
    except quality.NotBlind:
        still = False
    assert not (found.rows and still), "the number on the blind sheet finds the case with its state, and she may still answer"


def test_a_customer_cannot_keep_an_agent_off_her_account_for_ever(session, now):
    agent = a.a_member(
        session,
        now=now,
        name="Honest",
    )
    c = a.an_in_review(session, now=now, new_email=agent.email)
    assert review.withheld(session, agent, c, now=now)
    intake.withdraw(session, c.id, now=now)
    customer = c.customer
    later_case = a.an_in_review(session, now=now + timedelta(days=1), customer=customer)
    assert not review.related(session, agent, later_case), "one typed address, never confirmed, made the account hers for good"


def test_a_reviewer_is_given_no_related_sample_and_does_not_hang_on_one(session, now):
    session.info["settings"] = session.info["settings"].model_copy(update={"quality_answers": 1.0, "undo_seconds": 0})
    reviewer = a.a_member(session, Role.SENIOR_AGENT, now=now, name="R")
    people = [a.a_customer(session, now=now, email=f"person{n}@example.test") for n in range(6)]
    cases = [
        a.a_rejected(session, now=now, customer=one, claim=another_passport(f"45246543{n}1")) for n, one in enumerate(people)
    ]
    for c in cases[:5]:
        conflicts.say(session, reviewer, c.customer, actor=audit.SYSTEM, now=now)
    quality.draw(session, now=now)
    got = quality.take_next(session, agent=reviewer, now=now)
    if got is not None:
        quality.of(session, got.id, agent=reviewer, now=now)  # raises NotBlind
    assert got is not None, "the sixth was hers to review"


def retaking(case):
    reasons, retake = (ReasonCode.DOCUMENT_GLARE,), frozenset({PhotoKind.DOCUMENT})
    return Disposal(action="ask_retake", retake=retake, reasons=reasons, note="n", seen_version=case.version)


@pytest.mark.parametrize("make, state", [(retaking, State.NEEDS_RETAKE), (rejecting, State.REJECTED)])
def test_where_the_first_of_two_counts_for_nothing_an_answer_that_needs_one_person_is_carried_out(session, now, make, state):
    A, B = a.a_member(session, now=now, name="A"), a.a_member(session, now=now, name="B")
    case = a.an_in_review(session, now=now, evidence=DIFFER)
    given(session, case, A, now)
    staff.change(session, A, active=False, now=now, actor=audit.SYSTEM)
    given(session, case, B, now + MINUTE, make)
    assert case.state is state, (case.state, case.second_at)


def test_an_answer_whose_giving_up_fails_keeps_no_other_from_its_turn(database, now, monkeypatch):
    with database.transaction() as s:
        ids = []
        for n in range(2):
            ag = a.a_member(s, now=now, name=f"A{n}")
            c = a.an_in_review(s, now=now, claim=another_passport(f"45246543{n}1"))
            review.take(s, c.id, agent=ag, now=now)
            ids.append(answers.give(s, c.id, approving(c), agent=ag, now=now + timedelta(seconds=n)).id)
    real = answers._lock

    def broken(session, answer_id):
        if answer_id == ids[0]:
            raise RuntimeError("row is poison")
        return real(session, answer_id)

    monkeypatch.setattr(answers, "_lock", broken)
    with pytest.raises(RuntimeError):
        answers.carry_out_due(database, now=now + timedelta(minutes=1))
    with database.reading() as s:
        assert s.get_one(Answer, ids[1]).state is not AnswerState.WAITING, "the one behind it was not carried out"
