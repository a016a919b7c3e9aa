"""The desk: taking, deciding, and what two agents see of each other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from cases import customers, intake, profiles, queries, review, switches
from cases.lifecycle import IllegalTransition, State
from cases.models import Disposition, Event, Notification, Role
from cases.review import Disposal, NoteNeeded, NotYours, StalePage, TakenBy
from cases.staff import NotAllowed
from tests import factories as a
from verification.reasons import PhotoKind, ReasonCode

MINUTE = timedelta(minutes=1)


@pytest.fixture
def agent(session, now):
    return a.a_member(session, now=now, name="Agent One")


@pytest.fixture
def other(session, now):
    return a.a_member(session, now=now, name="Agent Two")


@pytest.fixture
def senior(session, now):
    return a.a_member(session, Role.SENIOR_AGENT, now=now, name="Senior")


def approve(case, **more):
    return Disposal(**{"action": "approve", "seen_version": case.version, **more})


def test_a_taken_case_shows_by_whom_and_until(session, agent, other, now, settings):
    case = a.an_in_review(session, now=now)
    review.take(session, case.id, agent=agent, now=now)
    until = now + timedelta(minutes=settings.claim_minutes)
    assert (case.owner_id, case.owner_until) == (agent.id, until)
    with pytest.raises(TakenBy) as refused:
        review.take(session, case.id, agent=other, now=now + MINUTE)
    assert (refused.value.name, refused.value.until) == ("Agent One", until)


def test_taking_twice_and_signs_of_life_keep_it_without_making_the_page_stale(session, agent, now, settings):
    case = review.take(session, a.an_in_review(session, now=now).id, agent=agent, now=now)
    version = case.version
    review.take(session, case.id, agent=agent, now=now + MINUTE)
    until = review.touch(session, case.id, agent=agent, now=now + 2 * MINUTE)
    assert case.owner_until == until == now + timedelta(minutes=settings.claim_minutes + 2)
    assert case.version == version


def test_a_forgotten_case_is_free_again(session, agent, other, now, settings):
    case = review.take(session, a.an_in_review(session, now=now).id, agent=agent, now=now)
    later = now + timedelta(minutes=settings.claim_minutes)
    seen = case.version
    review.take(session, case.id, agent=other, now=later)
    assert case.owner_id == other.id
    with pytest.raises(StalePage):
        review.dispose(session, case.id, approve(case, seen_version=seen), agent=agent, now=later)
    with pytest.raises(NotYours):
        review.touch(session, case.id, agent=agent, now=later)


def test_releasing_gives_it_back(session, agent, other, now):
    case = review.take(session, a.an_in_review(session, now=now).id, agent=agent, now=now)
    with pytest.raises(NotYours):
        review.release(session, case.id, agent=other, now=now)
    review.release(session, case.id, agent=agent, now=now)
    assert case.owner_id is None
    review.take(session, case.id, agent=other, now=now)


def test_the_longest_waiting_free_case_comes_next(session, agent, other, now):
    cases = [a.an_in_review(session, now=now + timedelta(minutes=n)) for n in range(3)]
    assert review.take_next(session, agent=agent, now=now + MINUTE * 5).id == cases[0].id
    assert review.take_next(session, agent=other, now=now + MINUTE * 5).id == cases[1].id
    assert review.take_next(session, agent=agent, now=now + MINUTE * 5).id == cases[2].id
    assert review.take_next(session, agent=other, now=now + MINUTE * 5) is None


def test_disputes_come_first_for_those_who_may_settle_them(session, agent, senior, now):
    waiting = a.an_in_review(session, now=now - timedelta(days=1))
    disputed = a.an_approved(session, now=now)
    disputed.disputed_at = now
    assert review.take_next(session, agent=senior, now=now).id == disputed.id
    assert review.take_next(session, agent=agent, now=now).id == waiting.id
    with pytest.raises(NotAllowed):
        review.take(session, disputed.id, agent=agent, now=now)


@pytest.mark.parametrize("state", [s for s in State if s is not State.IN_REVIEW])
def test_only_what_waits_for_a_person_is_taken(session, agent, now, state):
    case = a.in_state(session, state, now=now)
    with pytest.raises(IllegalTransition):
        review.take(session, case.id, agent=agent, now=now)


@pytest.mark.parametrize("role", [Role.OPS, Role.LEAD, Role.AUDITOR, Role.ADMIN])
def test_others_decide_nothing(session, agent, now, role):
    case = review.take(session, a.an_in_review(session, now=now).id, agent=agent, now=now)
    member = a.a_member(session, role, now=now)
    for use in (
        lambda: review.take(session, case.id, agent=member, now=now),
        lambda: review.take_next(session, agent=member, now=now),
        lambda: review.dispose(session, case.id, approve(case), agent=member, now=now),
        lambda: review.settle_dispute(session, case.id, agent=member, note="x", seen_version=case.version, now=now),
    ):
        with pytest.raises(NotAllowed):
            use()


def test_an_agent_approves_and_the_profile_changes(session, agent, now):
    case = review.take(session, a.an_in_review(session, now=now).id, agent=agent, now=now)
    review.dispose(session, case.id, approve(case), agent=agent, now=now)
    assert (case.state, case.owner_id, case.closed_at) == (State.APPROVED, None, now)
    assert customers.current_profile(session, case.customer)[0].values["surname"] == "BERGMANTEST"
    kinds = session.scalars(
        select(Notification.kind).where(Notification.case_id == case.id).order_by(Notification.created_at)
    ).all()
    assert sorted(kinds) == ["approved", "in_review"]


def test_everything_to_people_does_not_bind_people(session, agent, now):
    case = a.an_in_review(session, now=now)
    switches.to_people(session, by=a.a_member(session, Role.LEAD, now=now), reason="x", now=now)
    review.take(session, case.id, agent=agent, now=now)
    assert review.dispose(session, case.id, approve(case), agent=agent, now=now).state is State.APPROVED


def test_a_case_has_to_be_taken_first(session, agent, now):
    case = a.an_in_review(session, now=now)
    with pytest.raises(NotYours):
        review.dispose(session, case.id, approve(case), agent=agent, now=now)


def test_a_stale_page_is_told_what_happened_by_whom_and_when(session, agent, now):
    case = review.take(session, a.an_in_review(session, now=now).id, agent=agent, now=now)
    page = approve(case)
    review.dispose(session, case.id, page, agent=agent, now=now + MINUTE)
    with pytest.raises(StalePage) as refused:
        review.dispose(session, case.id, page, agent=agent, now=now + 2 * MINUTE)
    assert (refused.value.state, refused.value.by, refused.value.at) == (State.APPROVED, "Agent One", now + MINUTE)
    assert session.scalar(select(func.count()).select_from(Disposition)) == 1


def test_a_customer_who_withdrew_was_first(session, agent, now):
    case = review.take(session, a.an_in_review(session, now=now).id, agent=agent, now=now)
    page = approve(case)
    intake.withdraw(session, case.id, now=now)
    with pytest.raises(StalePage) as refused:
        review.dispose(session, case.id, page, agent=agent, now=now)
    assert (refused.value.state, refused.value.by) == (State.WITHDRAWN, "customer")
    with pytest.raises(IllegalTransition):
        review.dispose(session, case.id, approve(case), agent=agent, now=now)


def test_a_rejection_needs_a_reason_and_a_note(session, agent, now):
    case = review.take(session, a.an_in_review(session, now=now).id, agent=agent, now=now)
    reasons = (ReasonCode.ZONES_DISAGREE,)
    with pytest.raises(ValueError):
        review.dispose(session, case.id, Disposal(action="reject", note="x", seen_version=case.version), agent=agent, now=now)
    with pytest.raises(NoteNeeded):
        review.dispose(
            session, case.id, Disposal(action="reject", reasons=reasons, seen_version=case.version), agent=agent, now=now
        )
    disposal = Disposal(action="reject", reasons=reasons, note="Two different dates.", seen_version=case.version)
    review.dispose(session, case.id, disposal, agent=agent, now=now)
    assert (case.state, case.reasons) == (State.REJECTED, ["zones_disagree"])
    row = session.scalars(select(Disposition)).one()
    assert b"dates" not in row.note_sealed
    assert queries.case_page(session, case.id, now=now).dispositions[0].note == "Two different dates."


def test_approving_against_weighty_reasons_or_without_a_document_needs_a_note(session, agent, now):
    sure = a.with_measures(a.good_evidence(), pairs=a.faces(selfie_document=1.0))
    case = review.take(session, a.an_in_review(session, now=now, evidence=sure).id, agent=agent, now=now)
    assert case.reasons == ["selfie_document_faces_differ"]
    with pytest.raises(NoteNeeded):
        review.dispose(session, case.id, approve(case), agent=agent, now=now)
    review.dispose(session, case.id, approve(case, note="Seen in the branch."), agent=agent, now=now)
    bare = a.a_draft(session, now=now, photos=False)
    intake.ask_for_person(session, bare.id, consent_version=a.CONSENT, now=now)
    review.take(session, bare.id, agent=agent, now=now)
    with pytest.raises(NoteNeeded):
        review.dispose(session, bare.id, approve(bare, checked=frozenset(a.CLAIM.values)), agent=agent, now=now)


def test_what_an_earlier_run_found_still_needs_a_note(session, agent, other, now):
    differ = a.with_measures(a.good_evidence(), pairs=a.faces(selfie_document=1.0))
    case = review.take(session, a.an_in_review(session, now=now, evidence=differ).id, agent=agent, now=now)
    retake = Disposal(action="ask_retake", retake=frozenset({PhotoKind.SELFIE}), seen_version=case.version)
    review.dispose(session, case.id, retake, agent=agent, now=now)
    intake.ask_for_person(session, case.id, consent_version=a.CONSENT, now=now)
    assert "selfie_document_faces_differ" not in case.reasons
    review.take(session, case.id, agent=other, now=now)
    with pytest.raises(NoteNeeded):
        review.dispose(session, case.id, approve(case, checked=frozenset(a.CLAIM.values)), agent=other, now=now)


def test_approving_without_a_selfie_needs_a_note(session, agent, now):
    case = a.a_draft(session, now=now, photos=False)
    a.add_photos(session, case, now=now, kinds=(PhotoKind.DOCUMENT,))
    intake.ask_for_person(session, case.id, consent_version=a.CONSENT, now=now)
    review.take(session, case.id, agent=agent, now=now)
    ticked = frozenset(a.CLAIM.values)
    with pytest.raises(NoteNeeded):
        review.dispose(session, case.id, approve(case, checked=ticked), agent=agent, now=now)
    review.dispose(session, case.id, approve(case, note="Seen in the branch.", checked=ticked), agent=agent, now=now)


def test_who_approved_does_not_settle_the_dispute_about_it(session, senior, now):
    case = review.take(session, a.an_in_review(session, now=now).id, agent=senior, now=now)
    review.dispose(session, case.id, approve(case), agent=senior, now=now)
    case.disputed_at = now
    with pytest.raises(profiles.OwnApproval):
        review.settle_dispute(session, case.id, agent=senior, note="It is fine.", seen_version=case.version, now=now)
    another = a.a_member(session, Role.SENIOR_AGENT, now=now)
    review.settle_dispute(session, case.id, agent=another, note="By phone.", seen_version=case.version, now=now)
    assert case.dispute_settled_at == now


def test_a_retake_names_photos_and_nothing_but_photos_of_the_customer(session, agent, now):
    case = review.take(session, a.an_in_review(session, now=now).id, agent=agent, now=now)
    for kinds in (frozenset(), frozenset({PhotoKind.ON_FILE})):
        with pytest.raises(ValueError):
            disposal = Disposal(action="ask_retake", retake=kinds, seen_version=case.version)
            review.dispose(session, case.id, disposal, agent=agent, now=now)
    disposal = Disposal(
        action="ask_retake",
        reasons=(ReasonCode.DOCUMENT_GLARE,),
        retake=frozenset({PhotoKind.DOCUMENT}),
        seen_version=case.version,
    )
    review.dispose(session, case.id, disposal, agent=agent, now=now)
    assert (case.state, case.retake, case.reasons) == (State.NEEDS_RETAKE, ["document"], ["document_glare"])
    with pytest.raises(ValueError):
        review.dispose(session, case.id, Disposal(action="revert", seen_version=case.version), agent=agent, now=now)


def test_another_agent_decides_an_appeal(session, agent, other, now):
    case = a.a_rejected(session, now=now, agent=agent)
    intake.appeal(session, case.id, now=now)
    with pytest.raises(NotYours):
        review.take(session, case.id, agent=agent, now=now)
    assert review.take_next(session, agent=agent, now=now) is None
    assert review.take_next(session, agent=other, now=now).id == case.id


def test_a_dispute_is_settled_with_a_note_and_leaves_the_queue(session, senior, now):
    case = a.an_approved(session, now=now)
    with pytest.raises(ValueError):
        review.settle_dispute(session, case.id, agent=senior, note="x", seen_version=case.version, now=now)
    case.disputed_at = now
    review.take(session, case.id, agent=senior, now=now)
    with pytest.raises(StalePage):
        review.settle_dispute(session, case.id, agent=senior, note="x", seen_version=case.version - 1, now=now)
    with pytest.raises(NoteNeeded):
        review.settle_dispute(session, case.id, agent=senior, note=" ", seen_version=case.version, now=now)
    review.settle_dispute(session, case.id, agent=senior, note="She forgot.", seen_version=case.version, now=now)
    assert (case.dispute_settled_at, case.owner_id, case.state) == (now, None, State.APPROVED)
    assert review.take_next(session, agent=senior, now=now) is None
    assert session.scalars(select(Event.kind).order_by(Event.id.desc()).limit(1)).one() == "dispute_settled"
