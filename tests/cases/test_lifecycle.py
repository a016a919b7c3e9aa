"""The table of moves, and that each one really happens through a service."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from cases import audit, customers, intake, moves, profiles, retention, review, runs, undo
from cases.lifecycle import CLOSED, OPEN, TRANSITIONS, Action, IllegalTransition, State, next_state
from cases.models import Role
from tests import factories as a
from verification.reasons import PhotoKind, ReasonCode


def submit(session, case, now):
    if case.state is State.NEEDS_RETAKE:
        a.add_photos(session, case, now=now)
    return intake.submit(session, case.id, consent_version=a.CONSENT, now=now)


def begin(session, case, now):
    return runs.begin(session, case.id, now=now)


def finish(evidence):
    def act(session, case, now):
        session.flush()
        run = moves.running(session, case)
        # The order of the run that factories began: asked for again from the rows.
        claim, _ = intake.claim_of(session, case)
        order = runs.Order(
            run_id=run.id,
            case_id=case.id,
            fence=run.fence,
            attempt=run.attempt,
            claim=claim,
            profile=a.PROFILE,
            profile_version_id=run.profile_version_id,
            policy=a.SHIPPED,
            standing=(),
            selfie=run.id,
            document=run.id,
            on_file=customers.face_on_file(session, case.customer_id).id,
            begun_at=now,
            lease_until=now,
        )
        return a.finished(session, order, now=now, evidence=evidence)

    return act


def disposed(action, **more):
    def act(session, case, now):
        agent = a.a_member(session, now=now)
        review.take(session, case.id, agent=agent, now=now)
        disposal = review.Disposal(action=action, note="Looked at.", seen_version=case.version, **more)
        return review.dispose(session, case.id, disposal, agent=agent, now=now)

    return act


def recover(session, case, now):
    case.runs_this_attempt = 1
    return runs.recover(session, now=now + timedelta(hours=1))


def expire(session, case, now):
    return retention.expire_drafts(session, now=now + timedelta(days=400))


def revert(session, case, now):
    senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
    return profiles.revert(session, case.id, actor=audit.Actor.staff(senior), reason="Asked for.", now=now)


def ask_for_person(session, case, now):
    return intake.ask_for_person(session, case.id, consent_version=a.CONSENT, now=now)


def withdraw(session, case, now):
    return intake.withdraw(session, case.id, now=now)


def appeal(session, case, now):
    return intake.appeal(session, case.id, now=now)


def undo_it(session, case, now):
    """As one of many, and the transaction that upkeep would have made is this test's own."""
    ops, lead = (a.a_member(session, role, now=now) for role in (Role.OPS, Role.LEAD))
    found = undo.propose(session, undo.Selection(version=1), by=ops, reason="Too lenient.", now=now)
    undo.confirm(session, found.id, by=lead, now=now)
    assert undo.carry_out(SimpleNamespace(transaction=lambda: nullcontext(session)), now=now) == 1


HOW = {
    (State.DRAFT, Action.SUBMIT): submit,
    (State.NEEDS_RETAKE, Action.SUBMIT): submit,
    (State.SUBMITTED, Action.BEGIN): begin,
    (State.SUBMITTED, Action.REFER): ask_for_person,
    (State.VERIFYING, Action.REQUEUE): recover,
    (State.VERIFYING, Action.APPROVE): finish(a.good_evidence()),
    (State.VERIFYING, Action.REFER): finish(a.a_letter_different()),
    (State.VERIFYING, Action.ASK_RETAKE): finish(a.blurred_selfie()),
    (State.IN_REVIEW, Action.APPROVE): disposed("approve"),
    (State.IN_REVIEW, Action.REJECT): disposed("reject", reasons=(ReasonCode.DOCUMENT_IS_SPECIMEN,)),
    (State.IN_REVIEW, Action.ASK_RETAKE): disposed("ask_retake", retake=frozenset({PhotoKind.DOCUMENT})),
    (State.NEEDS_RETAKE, Action.REFER): ask_for_person,
    **{(state, Action.WITHDRAW): withdraw for state in OPEN},
    (State.DRAFT, Action.EXPIRE): expire,
    (State.NEEDS_RETAKE, Action.EXPIRE): expire,
    (State.APPROVED, Action.REVERT): revert,
    (State.APPROVED, Action.UNDO): undo_it,
    (State.REJECTED, Action.APPEAL): appeal,
}
"""For each move in the table, the service through which it happens."""


def test_every_transition_has_its_service():
    assert set(HOW) == set(TRANSITIONS)


@pytest.mark.parametrize("move", TRANSITIONS, ids=lambda m: f"{m[0]}-{m[1]}")
def test_every_transition_happens(session, now, move):
    state, _ = move
    case = a.in_state(session, state, now=now)
    HOW[move](session, case, now)
    session.flush()
    # Asking for a person takes a retake through "submitted", so both moves end at the desk.
    assert case.state is TRANSITIONS[move]
    assert (case.closed_at is not None) == (case.state in CLOSED)
    assert (case.referred_at is not None) == (case.state is State.IN_REVIEW)
    assert audit.verify(session).ok


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", Action)
def test_everything_else_is_refused_and_says_where_the_case_stands(state, action):
    if (state, action) in TRANSITIONS:
        assert next_state(state, action) is TRANSITIONS[state, action]
    else:
        with pytest.raises(IllegalTransition) as refused:
            next_state(state, action)
        assert refused.value.state is state


CUSTOMERS = {
    "submit": submit,
    "ask for a person": ask_for_person,
    "withdraw": withdraw,
    "appeal": appeal,
    "revert": revert,
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", CUSTOMERS)
def test_services_refuse_what_the_table_does_not_know(database, now, state, name):
    allowed = {
        "submit": {State.DRAFT, State.NEEDS_RETAKE},
        "ask for a person": {State.DRAFT, State.NEEDS_RETAKE, State.SUBMITTED, State.VERIFYING},
        "withdraw": OPEN,
        "appeal": {State.REJECTED},
        "revert": {State.APPROVED},
    }[name]
    with database.transaction() as session:
        case = a.in_state(session, state, now=now)
    if state in allowed:
        with database.transaction() as session:
            CUSTOMERS[name](session, case, now)
        return
    with pytest.raises(IllegalTransition), database.transaction() as session:
        CUSTOMERS[name](session, case, now)
    with database.reading() as session:
        assert session.get_one(type(case), case.id).state is state


@pytest.mark.parametrize(
    "change",
    [
        "state = 'nowhere'",
        "state = 'approved', closed_at = updated_at",  # approved without an applied version
        "state = 'rejected'",  # closed without a time
        "closed_at = updated_at",
        "attempt = -1",
        "owner_until = updated_at",
        "dispute_settled_at = updated_at",
    ],
)
def test_the_table_itself_refuses_impossible_rows(database, now, change):
    with database.transaction() as session:
        a.an_in_review(session, now=now)
    with pytest.raises(DBAPIError), database.transaction() as session:
        session.execute(text(f"UPDATE cases SET {change}"))


def test_a_draft_cannot_leave_without_consent(database, now):
    with database.transaction() as session:
        a.a_draft(session, now=now)
    with pytest.raises(DBAPIError), database.transaction() as session:
        session.execute(text("UPDATE cases SET state = 'submitted'"))
