"""What a customer does with her request."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from cases import audit, customers, intake, retention
from cases.intake import AlreadyOpen, Incomplete, NothingChanges, TooLate
from cases.lifecycle import IllegalTransition, State
from cases.models import Event, Notification, Photo, Run, RunState
from tests import factories as a
from verification.evidence import ChangeReason, Claim, Field
from verification.reasons import PhotoKind, ReasonCode


def test_a_draft_keeps_the_claim_sealed(session, now):
    case = a.a_draft(session, now=now, new_email=a.NEW_EMAIL)
    assert intake.claim_of(session, case) == (a.CLAIM, a.NEW_EMAIL)
    assert (case.state, case.change_reason, case.country, case.attempt) == (State.DRAFT, ChangeReason.MARRIAGE, "UTO", 0)
    assert case.base_version_id == case.customer.profile_version_id
    assert b"BERGMANTEST" not in case.claim_sealed


def test_the_claim_of_one_case_does_not_open_in_another(session, now):
    one, other = a.a_draft(session, now=now), a.a_draft(session, now=now)
    other.claim_sealed, other.data_key = one.claim_sealed, one.data_key
    from cases.crypto import Unreadable

    with pytest.raises(Unreadable):
        intake.claim_of(session, other)


def test_a_customer_has_one_open_case(session, now):
    case = a.a_draft(session, now=now)
    with pytest.raises(AlreadyOpen) as refused:
        a.a_draft(session, now=now, customer=case.customer)
    assert refused.value.case_id == case.id
    intake.withdraw(session, case.id, now=now)
    assert a.a_draft(session, now=now, customer=case.customer).id != case.id


def test_a_claim_has_to_change_something(session, now):
    customer = a.a_customer(session, now=now)
    same = Claim(reason=ChangeReason.MISTAKE, values={Field.SURNAME: a.PROFILE.values[Field.SURNAME]})
    for email in (None, a.OLD_EMAIL):
        with pytest.raises(NothingChanges):
            intake.open_case(session, customer, same, country=None, new_email=email, locale="en", now=now)
    case = intake.open_case(session, customer, same, country=None, new_email=a.NEW_EMAIL, locale="en", now=now)
    with pytest.raises(NothingChanges):
        intake.amend(session, case.id, same, country=None, new_email=None, now=now)


def test_amending_replaces_the_claim(session, now):
    case = a.a_draft(session, now=now)
    seen = case.version
    other = Claim(reason=ChangeReason.DIVORCE, values={Field.SURNAME: "CARLSENTEST"})
    intake.amend(session, case.id, other, country="KAZ", new_email=None, now=now)
    assert intake.claim_of(session, case) == (other, None)
    assert (case.change_reason, case.country, case.version) == (ChangeReason.DIVORCE, "KAZ", seen + 1)


@pytest.mark.parametrize("state", [s for s in State if s not in (State.DRAFT, State.NEEDS_RETAKE)])
def test_nothing_is_amended_or_attached_once_it_is_sent(session, now, state):
    case = a.in_state(session, state, now=now)
    with pytest.raises(IllegalTransition):
        intake.amend(session, case.id, a.CLAIM, country=None, new_email=None, now=now)
    with pytest.raises(IllegalTransition):
        intake.attach_photo(session, case.id, PhotoKind.SELFIE, a.jpeg(1), a.GOOD_QUALITY, now=now)


def test_the_same_photo_twice_is_one_row_and_a_new_one_takes_its_place(session, now):
    case = a.a_draft(session, now=now, photos=False)

    def attach(seed, **more):
        return intake.attach_photo(session, case.id, PhotoKind.SELFIE, a.jpeg(seed), a.GOOD_QUALITY, now=now, **more)

    first = attach(1)
    assert attach(1) is first
    assert attach(1, accepted_despite=[ReasonCode.SELFIE_BLURRED]).accepted_despite == ["selfie_blurred"]
    second = attach(2)
    assert (first.current, second.current) == (False, True)
    assert intake.photo(session, case, PhotoKind.SELFIE) is second
    assert session.scalar(select(func.count()).select_from(Photo).where(Photo.case_id == case.id)) == 2


def test_customers_send_no_face_on_file(session, now):
    case = a.a_draft(session, now=now)
    with pytest.raises(ValueError):
        intake.attach_photo(session, case.id, PhotoKind.ON_FILE, a.jpeg(1), a.GOOD_QUALITY, now=now)


def test_what_is_missing_is_named_all_at_once(session, now):
    case = a.a_draft(session, now=now, photos=False)
    with pytest.raises(Incomplete) as refused:
        intake.submit(session, case.id, consent_version=a.CONSENT, now=now)
    assert refused.value.missing == ("document", "selfie")
    a.add_photos(session, case, now=now, kinds=(PhotoKind.DOCUMENT,))
    with pytest.raises(Incomplete) as refused:
        intake.submit(session, case.id, consent_version=a.CONSENT, now=now)
    assert refused.value.missing == ("selfie",)
    assert case.state is State.DRAFT


def test_submitting_records_consent_and_waits_to_be_rung(session, now):
    case = a.a_submitted(session, now=now)
    assert (case.state, case.attempt, case.enqueued_at, case.submitted_at) == (State.SUBMITTED, 1, None, now)
    assert (case.consent_version, case.consented_at) == (a.CONSENT, now)
    consent = session.scalars(select(Event).where(Event.kind == "consent_given")).one()
    assert consent.details == {"consent_version": a.CONSENT, "by_eye": False, "days": 30}
    with pytest.raises(ValueError):
        intake.submit(session, a.a_draft(session, now=now).id, consent_version="", now=now)


def test_submitting_twice_is_refused(session, now):
    case = a.a_submitted(session, now=now)
    with pytest.raises(IllegalTransition) as refused:
        intake.submit(session, case.id, consent_version=a.CONSENT, now=now)
    assert refused.value.state is State.SUBMITTED
    assert case.attempt == 1


def test_a_retake_needs_a_new_photo_of_what_was_asked_and_nothing_else(session, now):
    case = a.a_needs_retake(session, now=now)
    assert case.retake == ["selfie"]
    with pytest.raises(Incomplete) as refused:
        intake.submit(session, case.id, consent_version=a.CONSENT, now=now)
    assert refused.value.missing == ("selfie",)
    a.add_photos(session, case, now=now, kinds=(PhotoKind.SELFIE,))
    intake.submit(session, case.id, consent_version=a.CONSENT, now=now)
    assert (case.state, case.attempt, case.retake, case.reasons) == (State.SUBMITTED, 2, [], [])
    assert intake.photo(session, case, PhotoKind.SELFIE).attempt == 2
    assert intake.photo(session, case, PhotoKind.DOCUMENT).attempt == 1


@pytest.mark.parametrize("state", [State.DRAFT, State.NEEDS_RETAKE, State.SUBMITTED, State.VERIFYING])
def test_a_person_can_be_asked_for_at_any_time(session, now, settings, state):
    case = a.in_state(session, state, now=now)
    told = list(case.reasons)
    intake.ask_for_person(session, case.id, consent_version=a.CONSENT, now=now)
    assert case.state is State.IN_REVIEW
    assert case.reasons[0] == "customer_asked_for_person"
    assert case.due_at == now + timedelta(hours=settings.review_hours)
    assert session.scalars(select(Notification.kind).where(Notification.case_id == case.id)).all()[-1] == "in_review"
    assert session.scalar(select(func.count()).where(Run.state == RunState.RUNNING)) == 0
    assert case.attempt >= 1
    assert told == [] or state is State.NEEDS_RETAKE


def test_a_person_can_be_asked_for_without_any_photo(session, now):
    case = a.a_draft(session, now=now, photos=False)
    assert intake.ask_for_person(session, case.id, consent_version=a.CONSENT, now=now).state is State.IN_REVIEW


def test_withdrawing_takes_the_run_back(session, now):
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    intake.withdraw(session, case.id, now=now)
    assert session.get_one(Run, order.run_id).state is RunState.ABANDONED
    assert a.finished(session, order, now=now) is None
    assert case.state is State.WITHDRAWN


def test_an_appeal_opens_a_rejected_case_again(session, now):
    case = a.a_rejected(session, now=now)
    intake.appeal(session, case.id, now=now)
    assert (case.state, case.closed_at, case.referred_at) == (State.IN_REVIEW, None, now)


def test_no_appeal_beside_an_open_case_or_after_shredding(session, now, settings):
    case = a.a_rejected(session, now=now)
    other = a.a_draft(session, now=now, customer=case.customer)
    with pytest.raises(AlreadyOpen):
        intake.appeal(session, case.id, now=now)
    intake.withdraw(session, other.id, now=now)
    later = now + timedelta(days=settings.photo_days)
    assert case.id in retention.shred_due(session, now=later)
    with pytest.raises(TooLate):
        intake.appeal(session, case.id, now=later)


def test_the_pending_name_is_nowhere_outside_the_case(database, settings, now):
    """Not in any table in clear text, whatever the case went through."""
    with database.transaction() as session:
        a.an_in_review(session, now=now, new_email=a.NEW_EMAIL)
        a.a_rejected(session, now=now)
        a.an_approved(session, now=now, new_email=a.NEW_EMAIL)
        moved = replace(a.PROFILE, values={**a.PROFILE.values, Field.GIVEN_NAMES: "OTHERTEST"})
        customers.upsert(session, "h9", moved, email=a.OLD_EMAIL, locale="en", now=now)
        assert audit.verify(session).ok
        dump = []
        from cases.models import Base

        for table in Base.metadata.sorted_tables:
            for row in session.execute(text(f"SELECT * FROM {table.name}")):
                dump.append(repr([bytes(v) if isinstance(v, memoryview) else v for v in row]))
    everything = "\n".join(dump)
    assert len(everything) > 10_000
    for word in (*a.PERSONAL, "OTHERTEST"):
        if len(word) > 3:
            assert word not in everything
