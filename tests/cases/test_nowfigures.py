"""Figures of the page "Now": the last day beside the same day of the four weeks before, counted again here by hand."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from cases import nowfigures, runs
from cases.lifecycle import State
from cases.models import Heartbeat, Notification, Role, Run
from cases.nowfigures import Count, Difference, Share, Times, Way, now_figures
from tests import factories as a
from tests.cases.test_queries import counted
from verification.evidence import Step
from verification.reasons import ReasonCode

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)


def test_an_empty_system_has_no_figures_and_no_usual(session, now):
    shown = now_figures(session, now=now)
    assert (shown.days, shown.sent, shown.automation.value) == (0, Count(n=0, usual=None, days=0), None)
    assert (shown.by_machine.median, shown.run.p90, shown.waiting, shown.oldest_waiting) == (None, None, 0, None)
    assert (shown.processes, shown.reasons, shown.mails_owed) == ((), (), 0)
    assert shown.sent.difference.way is Way.NOTHING and shown.run.difference().way is Way.NOTHING


def test_a_day_is_told_with_who_decided_and_how_long_it_took(database, now):
    with database.transaction() as session:
        agent = a.a_member(session, Role.AGENT, name="Ada", now=now)
        for _ in range(3):
            a.an_approved(session, now=now - HOUR)
        a.a_needs_retake(session, now=now - HOUR)
        a.a_rejected(session, now=now - HOUR, agent=agent)
        a.an_in_review(session, now=now - HOUR)
        a.a_submitted(session, now=now - 2 * MINUTE)
    with database.reading() as session, counted(session) as seen:
        shown = now_figures(session, now=now)
    assert len(seen) <= 16
    assert (shown.sent.n, shown.decided.n) == (7, 6)
    assert {name: share.part for name, share in shown.outcomes.items()} == {"approve": 3, "retake": 1, "refer": 2}
    assert {name: count.n for name, count in shown.answers.items()} == {"approve": 0, "ask_retake": 0, "reject": 1}
    assert (shown.automation.part, shown.automation.n) == (3, 4)
    assert (shown.by_machine.n, shown.by_people.n, shown.run.n, shown.run.median) == (3, 1, 6, 1.5)
    assert (shown.waiting, shown.oldest_waiting, shown.desk.waiting) == (1, now - 2 * MINUTE, 1)
    assert dict(shown.reasons)[ReasonCode.SELFIE_BLURRED] == 1 and shown.reasons_of == 3
    assert shown.mails_owed > 0


def test_what_lies_outside_the_day_is_not_of_it(session, now):
    a.an_approved(session, now=now - timedelta(hours=24, minutes=5))
    a.an_approved(session, now=now - timedelta(hours=23, minutes=55))
    shown = now_figures(session, now=now)
    assert (shown.sent.n, shown.decided.n, shown.by_machine.n, shown.days) == (1, 1, 1, 0)


def test_the_usual_is_the_mean_of_the_same_weekdays_that_had_anything(session, now):
    for week, many in ((1, 3), (2, 1), (5, 4)):  # none in the third and fourth, the fifth is too long ago
        for _ in range(many):
            a.an_approved(session, now=now - week * WEEK - HOUR)
    a.an_approved(session, now=now - 3 * WEEK + 2 * HOUR)  # another weekday's 24 hours
    a.a_needs_retake(session, now=now - WEEK - HOUR)
    a.an_approved(session, now=now - HOUR)
    shown = now_figures(session, now=now)
    assert shown.days == 2
    assert shown.sent == Count(n=1, usual=2.5, days=2)
    share = shown.outcomes["approve"]
    assert (share.part, share.n, share.usual_part, share.usual_n) == (1, 1, 4, 5)
    assert (shown.by_machine.n, shown.by_machine.usual_n) == (1, 4)


def test_runs_taken_back_and_what_became_of_them(session, now):
    settings = session.info["settings"]
    case, other = a.a_submitted(session, now=now - HOUR), a.a_submitted(session, now=now - HOUR)
    at = now - HOUR
    for _ in range(settings.max_runs):
        assert a.begun(session, case, now=at) is not None
        at += settings.lease + MINUTE
        runs.recover(session, now=at)
    assert case.state is State.IN_REVIEW
    a.begun(session, other, now=at)
    at += settings.lease + MINUTE
    runs.recover(session, now=at)
    assert other.state is State.SUBMITTED
    shown = now_figures(session, now=at + MINUTE)
    assert (shown.abandoned.n, shown.technical.n, shown.decided.n) == (settings.max_runs + 1, 1, 0)
    order = a.begun(session, other, now=at)
    assert now_figures(session, now=at).busy == {"photos": 1}
    a.finished(session, order, now=at)
    shown = now_figures(session, now=at + MINUTE)
    assert (shown.technical.n, shown.decided.n, shown.busy) == (1, 1, {})


def test_mails_given_up_are_told_by_the_day_they_were(session, now):
    case = a.an_approved(session, now=now - HOUR)
    session.query(Notification).delete()
    for given_up, due in ((now - HOUR, now), (now - WEEK - HOUR, now), (None, now - 9 * MINUTE), (None, now + HOUR)):
        session.add(
            Notification(
                id=uuid4(), customer_id=case.customer_id, kind="approved", locale="ru", recipient_sealed=b"x",
                created_at=due - MINUTE, next_at=due, given_up_at=given_up,
            )
        )  # fmt: skip
    session.flush()
    shown = now_figures(session, now=now)
    assert (shown.mails_given_up.n, shown.mails_owed, shown.oldest_mail) == (1, 2, now - 10 * MINUTE)


def test_a_process_that_went_silent_is_not_alive(session, now):
    for name, ago in (("verify:one:1", 5), ("verify:one:2", 50), ("upkeep:one:3", 44), ("notify:one:4", 90_000)):
        session.add(Heartbeat(name=name, at=now - timedelta(seconds=ago)))
    session.flush()
    told = {p.kind: (p.alive, p.silent, p.last) for p in now_figures(session, now=now).processes}
    assert told == {
        "upkeep": (1, 0, now - timedelta(seconds=44)),
        "verify": (1, 1, now - timedelta(seconds=5)),
    }  # the mail process of yesterday is forgotten


def test_percentiles_rest_on_the_newest_and_say_so(session, now, monkeypatch):
    monkeypatch.setattr(nowfigures, "SAMPLE", 2)
    for minutes in (30, 20, 10):
        a.an_approved(session, now=now - minutes * MINUTE)
    for run, seconds in zip(session.query(Run).order_by(Run.finished_at), (9.0, 2.0, 4.0), strict=True):
        run.seconds = seconds
    session.flush()
    shown = now_figures(session, now=now)
    assert (shown.run.n, shown.run.median, shown.run.p90, shown.run.sampled) == (2, 2.0, 4.0, True)
    assert shown.by_machine.sampled and shown.sent.n == 3


@pytest.mark.parametrize(
    ("count", "way"),
    [
        (Count(n=130, usual=100.0, days=4), Way.MORE),
        (Count(n=115, usual=100.0, days=4), Way.SAME),  # two standard errors are 22
        (Count(n=70, usual=100.0, days=4), Way.LESS),
        (Count(n=1, usual=0.0, days=4), Way.SAME),
        (Count(n=9, usual=0.0, days=4), Way.MORE),
        (Count(n=9, usual=None, days=0), Way.NOTHING),
    ],
)
def test_counts_differ_beyond_chance_only(count, way):
    assert count.difference.way is way


def test_how_much_a_count_differs_is_a_share_of_the_usual():
    assert Count(n=150, usual=100.0, days=4).difference == Difference(way=Way.MORE, amount=0.5)
    assert Count(n=9, usual=0.0, days=4).difference.amount is None


def test_shares_differ_by_points_beyond_chance():
    moved = Share(part=600, n=1000, usual_part=2800, usual_n=4000).difference
    assert moved.way is Way.LESS and moved.amount == pytest.approx(10.0)
    assert Share(part=6, n=10, usual_part=28, usual_n=40).difference.way is Way.SAME
    assert Share(part=0, n=0, usual_part=28, usual_n=40).difference.way is Way.NOTHING


def test_times_differ_by_more_than_a_tenth_and_not_of_a_few():
    def times(n, median):
        return Times(n=n, median=median, p90=9.0, usual_n=100, usual_median=10.0, usual_p90=9.0)

    assert times(20, 13.0).difference() == Difference(way=Way.MORE, amount=0.3)
    assert times(20, 11.0).difference().way is Way.SAME
    assert times(20, 7.0).difference().way is Way.LESS
    assert times(19, 13.0).difference().way is Way.NOTHING
    assert times(20, 13.0).difference(p90=True).way is Way.SAME


def a_timed_run(session, at, **took):
    """A run that ended at this time, with the seconds of its steps."""
    order = a.begun(session, a.a_submitted(session, now=at), now=at)
    found = a.good_evidence(order.claim, order.profile)
    steps = {Step[name.upper()]: float(seconds) for name, seconds in took.items()}
    runs.finish(session, order, found, a.a_decision(found), seconds=sum(took.values()) or 1.0, steps=steps, now=at)


def test_each_step_stands_beside_the_same_weekday(session, now):
    for n in range(10):
        a_timed_run(session, now - HOUR, passport=1 + n, faces=2)
    a_timed_run(session, now - HOUR)  # of before steps were timed
    for week in (1, 2):
        for n in range(5):
            a_timed_run(session, now - week * WEEK - HOUR, photos=0.5, passport=10 * (1 + n))
    a_timed_run(session, now - WEEK + 2 * HOUR, passport=500)  # another weekday's 24 hours
    steps = now_figures(session, now=now).steps
    assert list(steps) == ["photos", "passport", "faces"], "in the order of a run; one that nobody took is not told"
    assert steps["passport"] == Times(n=10, median=5.0, p90=9.0, usual_n=10, usual_median=30.0, usual_p90=50.0)
    assert (steps["photos"].n, steps["photos"].median, steps["photos"].usual_n) == (0, None, 10)
    assert (steps["faces"].median, steps["faces"].usual_n, steps["faces"].usual_median) == (2.0, 0, None)


def test_steps_are_of_the_newest_runs_and_say_so(session, now, monkeypatch):
    monkeypatch.setattr(nowfigures, "SAMPLE", 3)
    for minutes in range(5):
        a_timed_run(session, now - HOUR - minutes * MINUTE, faces=1 + minutes)
    faces = now_figures(session, now=now).steps["faces"]
    assert (faces.n, faces.median, faces.p90, faces.sampled) == (3, 2.0, 3.0, True)
