"""Runs: leases, fences, and what follows from a decision, all in one transaction."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from cases import audit, customers, intake, policies, queries, runs, switches
from cases.crypto import vault_of
from cases.lifecycle import State
from cases.models import Case, Event, Notification, ProfileVersion, Role, Run, RunState
from tests import factories as a
from verification.evidence import Field, Measures
from verification.policy import SHIPPED
from verification.reasons import PhotoKind, ReasonCode


def test_an_order_carries_what_a_worker_needs(session, now, settings):
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    assert (order.case_id, order.attempt, order.fence, order.begun_at) == (case.id, 1, 1, now)
    assert (order.claim, order.profile) == (a.CLAIM, a.PROFILE)
    assert order.policy == policies.current(session) and order.policy.version == 1
    assert order.standing == ()
    assert order.selfie == intake.photo(session, case, PhotoKind.SELFIE).id
    assert order.document == intake.photo(session, case, PhotoKind.DOCUMENT).id
    assert order.on_file == customers.face_on_file(session, case.customer_id).id
    assert order.lease_until == now + settings.lease
    assert case.state is State.VERIFYING
    assert not any(word in repr(order) for word in a.PERSONAL if len(word) > 3)


def test_an_account_without_a_face_has_none_in_the_order(session, now):
    case = a.a_submitted(session, now=now, customer=a.a_customer(session, now=now, face=False))
    assert a.begun(session, case, now=now).on_file is None


@pytest.mark.parametrize("state", [s for s in State if s is not State.SUBMITTED])
def test_a_case_that_is_not_waiting_is_left_alone(session, now, state):
    case = a.in_state(session, state, now=now)
    version = case.version
    assert runs.begin(session, case.id, now=now) is None
    assert case.version == version
    assert runs.begin(session, uuid4(), now=now) is None


def test_approval_and_profile_change_are_one(session, now):
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    assert a.finished(session, order, now=now) is State.APPROVED
    profile, email = customers.current_profile(session, case.customer)
    assert profile.values == {**a.PROFILE.values, **a.CLAIM.values}
    assert profile.earlier_numbers == ("700000001",)
    assert email == a.OLD_EMAIL
    assert case.applied_version_id == case.customer.profile_version_id
    assert case.prior_version_id == order.profile_version_id
    run = session.get_one(Run, order.run_id)
    assert (run.state, run.outcome, run.reasons, run.policy_version, run.seconds) == (RunState.FINISHED, "approve", [], 1, 1.5)
    assert Measures.from_json(run.measures) == a.good_measures()


def test_if_anything_fails_nothing_of_it_happened(database, now, monkeypatch):
    with database.transaction() as session:
        case = a.a_submitted(session, now=now)
        order = a.begun(session, case, now=now)
    real = audit.record

    def failing(session, kind, **more):
        if kind == "run_finished":
            raise RuntimeError("the disk is full")
        return real(session, kind, **more)

    monkeypatch.setattr(audit, "record", failing)
    with pytest.raises(RuntimeError), database.transaction() as session:
        a.finished(session, order, now=now)
    monkeypatch.undo()
    with database.transaction() as session:
        found = session.get_one(type(case), case.id)
        assert found.state is State.VERIFYING and found.applied_version_id is None
        assert customers.current_profile(session, found.customer)[0] == a.PROFILE
        assert session.scalar(select(func.count()).select_from(Notification)) == 0
        assert session.get_one(Run, order.run_id).state is RunState.RUNNING
        assert a.finished(session, order, now=now) is State.APPROVED  # and it can be done again


def test_a_retake_names_its_photo(session, now):
    case = a.a_needs_retake(session, now=now)
    assert case.retake == ["selfie"]
    assert case.reasons[:2] == ["selfie_blurred", "no_face_in_selfie"]
    assert session.scalars(select(Notification.kind)).all() == ["needs_retake"]


def test_a_referral_says_until_when(session, now, settings):
    case = a.a_submitted(session, now=now)
    assert a.finished(session, a.begun(session, case, now=now), now=now, evidence=a.a_letter_different()) is State.IN_REVIEW
    assert case.reasons == ["surname_differs"]
    assert case.due_at == now + timedelta(hours=settings.review_hours)


def test_readings_are_sealed_under_the_case_and_measures_hold_no_name(session, now):
    case = a.an_approved(session, now=now)
    run = session.scalars(select(Run)).one()
    for word in a.PERSONAL:
        if len(word) > 3:
            assert word.encode() not in run.readings_sealed
            assert word not in json.dumps(run.measures)
    readings = vault_of(session).open_json(case.data_key, run.readings_sealed, runs.readings_place(run.id))
    assert readings["reading"]["fields"]["surname"]["value"] == "BERGMANTEST"
    assert readings["comparisons"]["surname"]["rule"] == "exact"


def test_what_is_not_a_number_is_kept_as_not_measured(session, now):
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    evidence = a.with_measures(
        a.good_evidence(), confidence={Field.SURNAME: float("nan")}, pairs=a.faces(selfie_on_file=float("inf"))
    )
    assert a.finished(session, order, now=now, evidence=evidence) is State.IN_REVIEW
    assert "evidence_missing" in case.reasons
    run = session.scalars(select(Run)).one()
    assert run.measures["confidence"]["surname"] is None
    assert run.measures["pairs"]["selfie_on_file"]["similarity"] is None


def test_the_second_finish_of_a_run_writes_nothing(session, now):
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    assert a.finished(session, order, now=now) is State.APPROVED
    before = (case.version, session.scalar(select(func.count()).select_from(Event)))
    assert a.finished(session, order, now=now) is None
    assert (case.version, session.scalar(select(func.count()).select_from(Event))) == before


def test_a_late_run_is_fenced_off(session, now):
    case = a.a_submitted(session, now=now)
    late = a.begun(session, case, now=now)
    later = now + timedelta(hours=1)
    assert runs.recover(session, now=later) == [case.id]
    order = a.begun(session, case, now=later)
    assert order.fence == late.fence + 1
    events = session.scalar(select(func.count()).select_from(Event))
    assert a.finished(session, late, now=later) is None
    assert session.scalar(select(func.count()).select_from(Event)) == events
    assert case.state is State.VERIFYING
    assert a.finished(session, order, now=later, evidence=a.a_letter_different()) is State.IN_REVIEW
    assert a.finished(session, late, now=later) is None
    assert customers.current_profile(session, case.customer)[0] == a.PROFILE


def test_a_forged_fence_writes_nothing(session, now):
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    assert a.finished(session, replace(order, fence=order.fence + 1), now=now) is None
    assert a.finished(session, replace(order, run_id=uuid4()), now=now) is None
    assert case.state is State.VERIFYING


def test_a_run_is_taken_back_only_when_its_lease_ended(session, now, settings):
    case = a.a_submitted(session, now=now)
    a.begun(session, case, now=now)
    assert runs.recover(session, now=now + settings.lease - timedelta(seconds=1)) == []
    assert case.state is State.VERIFYING
    assert runs.recover(session, now=now + settings.lease) == [case.id]
    assert (case.state, case.enqueued_at) == (State.SUBMITTED, None)
    assert runs.recover(session, now=now + settings.lease) == []


def test_after_too_many_runs_a_person_goes_on(session, now, settings):
    case = a.a_submitted(session, now=now)
    moment = now
    for attempt in range(settings.max_runs):
        a.begun(session, case, now=moment)
        moment += settings.lease
        waiting = runs.recover(session, now=moment)
        assert waiting == ([case.id] if attempt < settings.max_runs - 1 else [])
    assert case.state is State.IN_REVIEW
    assert case.reasons == ["processing_failed"]
    assert session.scalars(select(Notification.kind)).all() == ["in_review"]
    assert session.scalar(select(func.count()).where(Run.state == RunState.ABANDONED)) == settings.max_runs
    assert audit.verify(session).ok


def test_a_new_submission_gets_its_runs_anew(session, now, settings):
    case = a.a_needs_retake(session, now=now)
    assert case.runs_this_attempt == 1
    a.add_photos(session, case, now=now)
    intake.submit(session, case.id, consent_version=a.CONSENT, now=now)
    assert case.runs_this_attempt == 0


def test_a_run_left_behind_is_closed_without_touching_the_case(session, now, settings):
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    case.fence += 1  # as if the case had gone on without it
    assert runs.recover(session, now=now + settings.lease) == []
    assert session.get_one(Run, order.run_id).state is RunState.ABANDONED
    assert case.state is State.VERIFYING


def test_who_was_not_rung_is_found(session, now):
    first, second = a.a_submitted(session, now=now), a.a_submitted(session, now=now + timedelta(seconds=1))
    older = timedelta(seconds=10)
    assert runs.unrung(session, now=now, older_than=older) == [first.id, second.id]
    version = first.version
    runs.mark_rung(session, [first.id], now=now)
    assert runs.unrung(session, now=now, older_than=older) == [second.id]
    assert runs.unrung(session, now=now + older, older_than=older) == [first.id, second.id]
    session.refresh(first)
    assert first.version == version
    runs.mark_rung(session, [], now=now)


def test_everything_to_people_holds_on_the_next_decision(session, now):
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    lead = a.a_member(session, Role.LEAD, now=now)
    switches.to_people(session, by=lead, reason="An attack.", now=now)
    assert order.standing == ()
    assert a.finished(session, order, now=now) is State.IN_REVIEW
    assert case.reasons == ["everything_to_people"]
    assert session.scalars(select(Event).where(Event.kind == "run_finished")).one().details["decided_again"] is True


def test_who_was_turned_away_by_a_person_does_not_simply_try_the_machine_again(session, now):
    refused = a.a_rejected(session, now=now)
    later = now + timedelta(days=30)
    order = a.begun(session, a.a_submitted(session, now=later, customer=refused.customer), now=later)
    assert order.standing == (ReasonCode.ACCOUNT_UNDER_WATCH,)
    assert a.finished(session, order, now=later) is State.IN_REVIEW
    assert session.get_one(Case, order.case_id).reasons == ["account_under_watch"]


def test_a_new_mail_address_is_never_applied_by_the_machine_alone(session, now):
    case = a.a_submitted(session, now=now, new_email=a.NEW_EMAIL)
    assert a.finished(session, a.begun(session, case, now=now), now=now) is State.IN_REVIEW
    assert case.reasons == ["contact_changes"]
    assert customers.current_profile(session, case.customer)[1] == a.OLD_EMAIL


def test_a_photo_sent_in_spite_of_its_problems_is_looked_at_by_a_person_as_promised(session, now):
    case = a.a_draft(session, now=now)
    intake.photo(session, case, PhotoKind.SELFIE).accepted_despite = ["selfie_blurred"]
    intake.submit(session, case.id, consent_version=a.CONSENT, now=now)
    assert a.finished(session, a.begun(session, case, now=now), now=now) is State.IN_REVIEW
    assert case.reasons == ["photo_sent_anyway"]


def test_a_face_on_file_that_was_replaced_meanwhile_is_looked_at_anew(session, now):
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    customers.set_face_on_file(session, case.customer, a.jpeg(77), quality=a.GOOD_QUALITY, now=now)
    assert a.finished(session, order, now=now) is State.SUBMITTED
    assert session.get_one(Run, order.run_id).state is RunState.ABANDONED


def test_after_the_watch_the_machine_decides_again(session, now):
    refused = a.a_rejected(session, now=now)
    later = now + timedelta(days=session.info["settings"].watch_days + 1)
    order = a.begun(session, a.a_submitted(session, now=later, customer=refused.customer), now=later)
    assert order.standing == ()
    assert a.finished(session, order, now=later) is State.APPROVED


def test_a_dispute_puts_the_account_under_watch_and_others_are_left_alone(session, now):
    disputed = a.an_approved(session, now=now)
    disputed.disputed_at = now
    session.flush()
    assert customers.under_watch(session, disputed.customer_id, now=now) is True
    assert customers.under_watch(session, a.an_approved(session, now=now).customer_id, now=now) is False


def test_a_tighter_policy_holds_on_the_next_decision(session, now):
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    ops = a.a_member(session, Role.OPS, now=now)
    tighter = a.proposed(session, replace(SHIPPED, min_selfie_document=9.5), by=ops, now=now)
    assert a.finished(session, order, now=now) is State.IN_REVIEW
    run = session.scalars(select(Run)).one()
    assert run.policy_version == tighter.version == 2
    assert run.reasons == ["selfie_document_faces_unsure"]


def test_a_decision_by_a_policy_that_does_not_hold_is_not_believed(session, now):
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    evidence = a.with_measures(a.good_evidence(), pairs=a.faces(selfie_document=5.0))
    lenient = replace(SHIPPED, version=99, min_selfie_document=0.0)
    assert a.finished(session, order, now=now, evidence=evidence, policy=lenient) is State.IN_REVIEW


def test_evidence_about_other_details_than_the_accounts_is_not_used(session, now):
    """The host system changed the profile while a worker looked: it has to look again."""
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    moved = replace(a.PROFILE, values={**a.PROFILE.values, Field.DATE_OF_BIRTH: "1991-02-03"})
    customers.upsert(session, case.customer.external_id, moved, email=a.OLD_EMAIL, locale="en", now=now)
    assert a.finished(session, order, now=now) is State.SUBMITTED
    assert case.id in runs.unrung(session, now=now)
    again = a.begun(session, case, now=now)
    assert again.profile == moved
    assert a.finished(session, again, now=now) is State.APPROVED


def test_the_table_refuses_a_second_run_and_an_approval_without_measures(database, now):
    with database.transaction() as session:
        case = a.a_submitted(session, now=now)
        order = a.begun(session, case, now=now)
        run = session.get_one(Run, order.run_id)
        facts = {c.name: getattr(run, c.name) for c in Run.__table__.columns}
    with pytest.raises(DBAPIError), database.transaction() as session:
        session.execute(Run.__table__.insert().values({**facts, "id": uuid4(), "fence": 2}))
    with pytest.raises(DBAPIError), database.transaction() as session:
        session.execute(Run.__table__.update().values(state=RunState.FINISHED, finished_at=now, outcome="approve", measures=None))
    with pytest.raises(DBAPIError), database.transaction() as session:
        session.execute(text("UPDATE runs SET outcome = 'approve'"))


def test_one_application_per_case_is_held_by_the_table(database, now):
    with database.transaction() as session:
        case = a.an_approved(session, now=now)
        version = session.get_one(ProfileVersion, case.applied_version_id)
        facts = {c.name: getattr(version, c.name) for c in ProfileVersion.__table__.columns}
    with pytest.raises(DBAPIError), database.transaction() as session:
        session.execute(ProfileVersion.__table__.insert().values({**facts, "id": uuid4(), "number": 99}))


def test_the_page_shows_what_the_last_run_found(session, now):
    case = a.an_in_review(session, now=now, evidence=a.a_letter_different())
    page = queries.case_page(session, case.id, now=now)
    assert page.reasons == (ReasonCode.SURNAME_DIFFERS,)
    assert page.measures == a.a_letter_different().measures
