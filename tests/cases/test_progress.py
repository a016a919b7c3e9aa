"""What a customer is told of her case: the step of the check, what happened when, and how long people take these days."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from cases import conversations, customers, intake, profiles, queries, review, runs
from cases.audit import Actor
from cases.lifecycle import State
from cases.models import Role, Run
from cases.queries import LEAST_ANSWERS, MOMENTS, WEEK, Promise
from tests import factories as a
from verification.evidence import Step
from verification.reasons import PhotoKind

HOUR = timedelta(hours=1)


def doing(session, case):
    return queries.progress(session, case.id).doing


def test_the_steps_of_a_run_are_told_as_they_begin(session, now):
    case = a.a_submitted(session, now=now)
    assert doing(session, case) is None
    order = a.begun(session, case, now=now)
    assert doing(session, case) is Step.PHOTOS
    for step in (Step.PASSPORT, Step.FACES, Step.DETAILS):
        assert runs.step(session, order, step, now=now)
        assert doing(session, case) is step
    a.finished(session, order, now=now)
    assert doing(session, case) is None


def test_a_step_makes_no_page_stale(session, now):
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    version = case.version
    runs.step(session, order, Step.FACES, now=now)
    session.refresh(case)
    assert case.version == version


def test_a_run_that_was_taken_back_tells_no_more(session, now, settings):
    case = a.a_submitted(session, now=now)
    slow = a.begun(session, case, now=now)
    runs.step(session, slow, Step.FACES, now=now)
    later = now + settings.lease
    assert not runs.step(session, slow, Step.DETAILS, now=later)  # its lease is over, though nobody has taken it back yet
    runs.recover(session, now=later)
    at = queries.progress(session, case.id)
    assert (at.state, at.doing, at.again) == (State.SUBMITTED, None, True)
    second = a.begun(session, case, now=later)
    assert not runs.step(session, slow, Step.DETAILS, now=later)
    at = queries.progress(session, case.id)
    assert (at.doing, at.again) == (Step.PHOTOS, True)
    assert runs.step(session, second, Step.PASSPORT, now=later)
    assert doing(session, case) is Step.PASSPORT
    assert session.get(Run, slow.run_id).step == Step.FACES.value


def test_a_run_that_was_left_behind_speaks_for_nobody(session, now):
    case = a.a_submitted(session, now=now)
    runs.step(session, a.begun(session, case, now=now), Step.FACES, now=now)
    case.fence += 1  # the case went on without it
    session.flush()
    assert doing(session, case) is Step.PHOTOS


def test_the_first_run_of_a_submission_is_no_second_one(session, now):
    case = a.a_submitted(session, now=now)
    assert not queries.progress(session, case.id).again
    a.begun(session, case, now=now)
    assert not queries.progress(session, case.id).again


def test_a_step_of_a_worker_of_another_version_confuses_nobody(session, now):
    case = a.a_submitted(session, now=now)
    a.begun(session, case, now=now)
    session.scalars(select(Run).where(Run.case_id == case.id)).one().step = "unheard_of"
    session.flush()
    assert doing(session, case) is Step.PHOTOS


# --- What happened when


def told(session, case):
    return [moment.what for moment in queries.timeline(session, case.id)]


def test_a_retake_is_told_in_its_order(session, now):
    case = a.a_needs_retake(session, now=now)
    a.add_photos(session, case, now=now, kinds=(PhotoKind.SELFIE,))
    intake.amend(session, case.id, a.CLAIM, now=now)
    intake.submit(session, case.id, consent_version=a.CONSENT, now=now)
    a.finished(session, a.begun(session, case, now=now), now=now)
    assert told(session, case) == ["begun", "sent", "retake", "new_photo", "corrected", "sent_again", "changed"]


def test_a_review_is_told_without_the_going_and_coming_of_agents(session, now):
    case = a.an_in_review(session, now=now)
    first, second = a.a_member(session, now=now), a.a_member(session, now=now)
    review.take(session, case.id, agent=first, now=now)
    review.release(session, case.id, agent=first, now=now)
    review.take(session, case.id, agent=second, now=now)
    conversations.write(session, case.id, uuid4(), text="Hello", now=now)
    conversations.write(session, case.id, uuid4(), text="Good day", agent=second, now=now)
    disposal = review.Disposal(action="reject", reasons=tuple(review.WEIGHTY)[:1], note="No.", seen_version=case.version)
    review.dispose(session, case.id, disposal, agent=second, now=now)
    intake.appeal(session, case.id, now=now)
    review.take(session, case.id, agent=first, now=now)
    assert told(session, case) == [
        "begun", "sent", "checked", "looking", "you_wrote", "we_wrote", "not_changed", "appealed", "looking",
    ]  # fmt: skip


def test_who_holds_the_account_is_not_told_that_its_owner_objected(session, now):
    case = a.an_approved(session, now=now)
    before = told(session, case)
    token = customers.make_link(session, "not_me", case.customer, case=case, lifetime=HOUR, now=now)
    customers.report_not_me(session, customers.redeem_link(session, token, "not_me", now=now), now=now)
    before = [*before, "held"]  # what she sees in her account anyway, and not by whose word
    assert told(session, case) == before == ["begun", "sent", "changed", "held"]
    senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
    profiles.revert(session, case.id, actor=Actor.staff(senior), reason="Asked for.", now=now)
    assert told(session, case) == [*before, "undone"]


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_its_moments_and_all_are_known(session, now, state):
    moments = queries.timeline(session, a.in_state(session, state, now=now).id)
    assert moments[0].what == "begun" and {m.what for m in moments} <= set(MOMENTS)
    assert [m.at for m in moments] == sorted(m.at for m in moments)


# --- How long an answer takes these days


def answered(session, waits, *, until, agent=None):
    """Cases that waited so many hours for a person; all were answered before `until`."""
    agent = agent or a.a_member(session, now=until - WEEK)
    for hours in waits:
        begun = until - timedelta(hours=hours, minutes=5)
        case = a.an_in_review(session, now=begun)
        review.take(session, case.id, agent=agent, now=begun)
        disposal = review.Disposal(action="approve", note="Seen.", seen_version=case.version)
        review.dispose(session, case.id, disposal, agent=agent, now=begun + timedelta(hours=hours))
    return agent


def test_too_few_answers_promise_what_the_house_promises(session, now, settings):
    assert queries.promise(session, now=now) == Promise(hours=settings.review_hours, measured=False)
    answered(session, [0.5] * (LEAST_ANSWERS - 1), until=now)
    assert not queries.promise(session, now=now).measured


@pytest.mark.parametrize(
    ("waits", "hours"),
    [
        ([0.4] * 20, 1),
        ([0.5] * 18 + [2.5, 30], 1),  # the 18th of 20 is the 90th percentile
        ([0.5] * 17 + [2.5, 2.5, 30], 3),
        ([5] * 20, 6),
        ([30] * 20, 48),
    ],
)
def test_nine_of_ten_waited_no_longer_rounded_up_kindly(session, now, waits, hours):
    answered(session, waits, until=now)
    assert queries.promise(session, now=now) == Promise(hours=hours, measured=True)


def test_last_weeks_pace_promises_nothing(session, now):
    answered(session, [0.5] * 20, until=now - WEEK)
    assert not queries.promise(session, now=now).measured


def test_cases_left_lying_are_not_forgotten_in_the_promise(session, now):
    answered(session, [0.5] * 20, until=now)
    for _ in range(5):
        a.an_in_review(session, now=now - 20 * HOUR)
    a.an_in_review(session, now=now)  # just came: says nothing
    assert queries.promise(session, now=now).hours == 24


def test_an_appeal_counts_from_the_appeal(session, now):
    agent = answered(session, [1] * 19, until=now)
    case = a.a_rejected(session, now=now - 100 * HOUR)
    intake.appeal(session, case.id, now=now - HOUR)
    review.take(session, case.id, agent=agent, now=now - HOUR)
    disposal = review.Disposal(action="approve", note="Seen.", seen_version=case.version)
    review.dispose(session, case.id, disposal, agent=agent, now=now)
    assert queries.promise(session, now=now) == Promise(hours=1, measured=True)
