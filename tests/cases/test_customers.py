"""Accounts as the host system sends them, and the secret links."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from cases import audit, customers, intake, review
from cases.customers import LinkExpired, LinkUnknown
from cases.lifecycle import State
from cases.models import Case, Customer, Event, Link, ProfileSource, ProfileVersion, Role
from tests import factories as a
from verification.evidence import Field
from verification.reasons import PhotoKind

DAY = timedelta(days=1)


def versions(session, customer):
    return session.scalars(
        select(ProfileVersion).where(ProfileVersion.customer_id == customer.id).order_by(ProfileVersion.number)
    ).all()


def test_a_new_account_and_the_same_again_make_one_version(session, now):
    customer = customers.upsert(session, "h1", a.PROFILE, email=a.OLD_EMAIL, locale="ru", now=now)
    again = customers.upsert(session, "h1", a.PROFILE, email=a.OLD_EMAIL, locale="ru", now=now)
    assert again is customer
    assert [(v.number, v.source) for v in versions(session, customer)] == [(1, ProfileSource.HOST)]
    assert customers.current_profile(session, customer) == (a.PROFILE, a.OLD_EMAIL)
    assert session.scalar(select(func.count()).select_from(Customer)) == 1


def test_each_change_by_the_host_is_a_version(session, now):
    customer = customers.upsert(session, "h1", a.PROFILE, email=a.OLD_EMAIL, locale="ru", now=now)
    changed = replace(a.PROFILE, values={**a.PROFILE.values, Field.GIVEN_NAMES: "OTHERTEST"})
    customers.upsert(session, "h1", changed, email=a.OLD_EMAIL, locale="en", now=now)
    customers.upsert(session, "h1", changed, email=a.NEW_EMAIL, locale="en", now=now)
    assert [v.number for v in versions(session, customer)] == [1, 2, 3]
    assert customers.current_profile(session, customer) == (changed, a.NEW_EMAIL)
    assert customer.locale == "en"
    last = session.scalars(select(Event).where(Event.kind == "profile_synced").order_by(Event.id.desc()).limit(1)).one()
    assert last.details == {"number": 3, "fields": [], "email_changed": True}


def test_a_sync_makes_pages_of_an_open_case_stale(session, now):
    case = a.an_in_review(session, now=now)
    seen = case.version
    moved = replace(a.PROFILE, values={**a.PROFILE.values, Field.SEX: "X"})
    customers.upsert(session, case.customer.external_id, moved, email=a.OLD_EMAIL, locale="en", now=now)
    assert case.version == seen + 1


def test_details_lie_sealed(session, now):
    customer = a.a_customer(session, now=now)
    [version] = versions(session, customer)
    for word in a.PERSONAL:
        if len(word) > 3:
            assert word.encode() not in version.profile_sealed


def test_a_hand_over_link_works_once(session, now):
    customer = a.a_customer(session, now=now)
    token = customers.make_link(session, "hand_over", customer, lifetime=DAY, now=now)
    assert customers.redeem_link(session, token, "hand_over", now=now).customer_id == customer.id
    with pytest.raises(LinkExpired):
        customers.redeem_link(session, token, "hand_over", now=now)


def test_other_links_work_until_they_expire(session, now):
    case = a.a_draft(session, now=now)
    token = customers.make_link(session, "case", case.customer, case=case, lifetime=DAY, now=now)
    for moment in (now, now + DAY / 2):
        assert customers.redeem_link(session, token, "case", now=moment).case_id == case.id
    with pytest.raises(LinkExpired):
        customers.redeem_link(session, token, "case", now=now + DAY)


def test_a_link_serves_its_purpose_only_and_its_token_is_kept_nowhere(session, now):
    customer = a.a_customer(session, now=now)
    token = customers.make_link(session, "case", customer, lifetime=DAY, now=now)
    for purpose in ("hand_over", "not_me"):
        with pytest.raises(LinkUnknown):
            customers.redeem_link(session, token, purpose, now=now)
    with pytest.raises(LinkUnknown):
        customers.redeem_link(session, token + "x", "case", now=now)
    with pytest.raises(ValueError):
        customers.make_link(session, "anything", customer, lifetime=DAY, now=now)
    link = session.scalars(select(Link)).one()
    assert token not in str(vars(link))
    assert len(token) >= 43  # 256 bits


def not_me(session, case, now):
    token = customers.make_link(session, "not_me", case.customer, case=case, lifetime=DAY, now=now)
    return customers.report_not_me(session, customers.redeem_link(session, token, "not_me", now=now), now=now)


def test_this_was_not_me_marks_an_approved_case_once(session, now):
    case = not_me(session, a.an_approved(session, now=now), now)
    assert (case.state, case.disputed_at) == (State.APPROVED, now)
    version = case.version
    assert not_me(session, case, now + DAY).disputed_at == now
    assert case.version == version
    assert session.scalar(select(func.count()).where(Event.kind == "not_me_reported")) == 2
    assert audit.verify(session).ok


@pytest.mark.parametrize("state", [State.SUBMITTED, State.VERIFYING, State.IN_REVIEW, State.NEEDS_RETAKE])
def test_this_was_not_me_withdraws_an_open_case(session, now, state):
    assert not_me(session, a.in_state(session, state, now=now), now).state is State.WITHDRAWN


def test_this_was_not_me_can_be_said_again_after_a_person_let_the_change_stand(session, now):
    case = not_me(session, a.an_approved(session, now=now), now)
    senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
    review.settle_dispute(session, case.id, agent=senior, note="By phone.", seen_version=case.version, now=now)
    again = not_me(session, case, now + DAY / 2)
    assert (again.disputed_at, again.dispute_settled_at) == (now + DAY / 2, None)
    assert review.take_next(session, agent=senior, now=now + DAY / 2).id == case.id


@pytest.mark.parametrize("state", [State.WITHDRAWN, State.EXPIRED])
def test_this_was_not_me_puts_the_account_under_watch_also_when_the_thief_closed_the_request(session, now, state):
    case = a.in_state(session, state, now=now)
    assert not customers.under_watch(session, case.customer_id, now=now)
    assert not_me(session, case, now).state is state
    assert customers.under_watch(session, case.customer_id, now=now + 80 * DAY)


def answer(session, case, action, agent, now, **more):
    review.take(session, case.id, agent=agent, now=now)
    review.dispose(session, case.id, review.Disposal(action=action, seen_version=case.version, **more), agent=agent, now=now)


def test_an_appeal_that_is_withdrawn_does_not_lift_the_watch(session, now):
    case = a.a_rejected(session, now=now)
    intake.withdraw(session, intake.appeal(session, case.id, now=now).id, now=now)
    again = a.a_submitted(session, now=now + DAY, customer=case.customer)
    assert a.finished(session, a.begun(session, again, now=now + DAY), now=now + DAY) is State.IN_REVIEW


def test_a_retake_within_an_appeal_does_not_lift_the_watch(session, now):
    case = a.a_rejected(session, now=now)
    intake.appeal(session, case.id, now=now)
    photo = frozenset({PhotoKind.SELFIE})
    answer(session, case, "ask_retake", a.a_member(session, now=now), now, retake=photo)
    a.add_photos(session, case, now=now, kinds=(PhotoKind.SELFIE,))
    intake.submit(session, case.id, consent_version=a.CONSENT, now=now)
    assert a.finished(session, a.begun(session, case, now=now), now=now) is State.IN_REVIEW


def test_who_withdraws_what_the_machine_referred_meets_a_person_next_time(session, now):
    differ = a.with_measures(a.good_evidence(), pairs=a.faces(selfie_document=1.0))
    case = a.an_in_review(session, now=now, evidence=differ)
    intake.withdraw(session, case.id, now=now)
    again = a.a_submitted(session, now=now + DAY, customer=case.customer)
    assert a.finished(session, a.begun(session, again, now=now + DAY), now=now + DAY) is State.IN_REVIEW
    assert not customers.under_watch(session, case.customer_id, now=now + 91 * DAY)


def test_whom_an_agent_approved_is_not_watched(session, now):
    plain = a.an_in_review(session, now=now)
    answer(session, plain, "approve", a.a_member(session, now=now), now)
    assert not customers.under_watch(session, plain.customer_id, now=now)
    appealed = a.a_rejected(session, now=now)
    intake.appeal(session, appealed.id, now=now)
    assert customers.under_watch(session, appealed.customer_id, now=now)
    a.approved_by_people(session, appealed, now=now)
    assert not customers.under_watch(session, appealed.customer_id, now=now)


def test_this_was_not_me_on_a_reverted_case_is_only_recorded(session, now):
    case = not_me(session, a.a_reverted(session, now=now), now)
    assert case.state is State.REVERTED and case.disputed_at is None


def test_a_link_of_another_purpose_reports_nothing(session, now):
    case = a.an_approved(session, now=now)
    token = customers.make_link(session, "case", case.customer, case=case, lifetime=DAY, now=now)
    with pytest.raises(LinkUnknown):
        customers.report_not_me(session, customers.redeem_link(session, token, "case", now=now), now=now)
    assert session.get_one(Case, case.id).disputed_at is None
