"""Weeks and their borders, reports that are kept and asked for, who may read them, and the intervals of quantiles and means."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, timedelta
from math import comb, sqrt
from statistics import stdev
from zoneinfo import ZoneInfoNotFoundError

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from cases import intake, ratings, reports, review
from cases.host_tables import ReportWish, WeeklyReport
from cases.models import Role
from cases.reports import ReportWeek, intervals, lives
from cases.settings import Settings, SettingsError
from cases.staff import NotAllowed
from tests import factories as a

LAST = ReportWeek(monday=date(2026, 11, 9), time_zone="Europe/Moscow")
"""The newest whole week at NOW, a Sunday."""

# Weeks


@pytest.mark.parametrize(
    ("monday", "zone", "begins", "hours"),
    [
        (date(2026, 3, 23), "Europe/Madrid", "2026-03-22T23:00", 167),
        (date(2026, 10, 19), "Europe/Madrid", "2026-10-18T22:00", 169),
        (date(2026, 11, 9), "Europe/Moscow", "2026-11-08T21:00", 168),
        (date(2026, 11, 9), "Asia/Almaty", "2026-11-08T19:00", 168),
        (date(2026, 11, 9), "America/Mexico_City", "2026-11-09T06:00", 168),
    ],
)
def test_a_week_begins_at_midnight_on_the_clocks_of_its_place(monday, zone, begins, hours):
    week = ReportWeek(monday=monday, time_zone=zone)
    assert week.begins == datetime.fromisoformat(begins).replace(tzinfo=UTC)
    assert week.ends - week.begins == timedelta(hours=hours) and week.ends == week.after.begins and week.before.after == week
    assert ReportWeek.holding(week.begins, time_zone=zone) == week
    assert ReportWeek.holding(week.ends - timedelta(microseconds=1), time_zone=zone) == week
    assert ReportWeek.holding(week.ends, time_zone=zone) == week.after
    assert ReportWeek.parse(str(week), time_zone=zone) == week


@pytest.mark.parametrize("text_", ["2026", "2026-W54", "2026-W00", "W47", "2026-W4x", "-1-W10", "2026-w47", "٢٠٢٦-W10"])
def test_what_is_no_week_is_refused(text_):
    with pytest.raises(ValueError):
        ReportWeek.parse(text_, time_zone="Europe/Moscow")


def test_only_a_monday_and_a_known_time_zone_make_a_week():
    with pytest.raises(ValueError):
        ReportWeek(monday=date(2026, 11, 10))
    with pytest.raises(ZoneInfoNotFoundError):
        ReportWeek(monday=date(2026, 11, 9), time_zone="Europe/Atlantis")
    with pytest.raises(SettingsError, match="TIME_ZONE=Europe/Atlantis"):
        Settings(time_zone="Europe/Atlantis").completed()


def test_the_year_of_a_week_is_that_of_its_thursday():
    assert str(ReportWeek(monday=date(2025, 12, 29), time_zone="UTC")) == "2026-W01"
    assert ReportWeek.parse("2026-W53", time_zone="UTC").monday == date(2026, 12, 28)


# The desk's clock


def hour(n):
    return LAST.begins + timedelta(hours=n)


@pytest.mark.parametrize(
    ("waits", "due"),
    [
        ([], 24),
        ([(10, 30)], 44),  # ten hours used, fourteen left
        ([(10, 30), (35, 100)], 109),
        ([(24, 30)], 24),  # it had run out when she was asked
        ([(30, 300)], 24),
        ([(10, None)], None),  # it stands still
    ],
)
def test_the_desks_clock_stands_still_while_papers_are_waited_for(waits, due):
    stay = lives.Desk(since=hour(0), waits=[(hour(begin), None if end is None else hour(end)) for begin, end in waits])
    assert stay.due(timedelta(hours=24)) == (None if due is None else hour(due))


def test_a_wait_for_papers_ends_when_it_was_to_end_and_not_when_upkeep_came():
    life = lives.Life(case_id=None)
    lives._tell(life, hour(0), "referred", "system", {"reasons": [], "new": "in_review"})
    lives._tell(life, hour(5), "paper_asked", "staff", {"paper_id": "1", "until": hour(50).isoformat()})
    lives._tell(life, hour(51), "papers_late", "system", {})
    assert life.desks[0].waits == [(hour(5), hour(50))] and life.desks[0].due(timedelta(hours=24)) == hour(69)


# Kept


@pytest.fixture
def lived(session, now):
    """A few requests in the last whole week: approved, refused, waiting; and two agents, a lead."""
    at = LAST.begins + timedelta(days=1)
    for n in range(2):
        a.an_approved(session, now=at + timedelta(hours=n))
    a.a_rejected(session, now=at)
    a.an_in_review(session, now=at)
    return a.a_member(session, Role.LEAD, now=at)


def due(database, now):
    return reports.make_due(database, now=now)


def local(day, hour, minute=0):
    """A moment by Moscow's clocks."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) - timedelta(hours=3)


def test_upkeep_makes_it_on_monday_at_six_and_once(session, database, lived):
    session.commit()
    assert due(database, local(16, 5, 59)) == [], "the week before is over, but nothing happened in it or earlier"
    assert due(database, local(16, 6)) == [LAST]
    assert due(database, local(16, 6)) == [] == due(database, local(22, 23))
    with database.reading() as after:
        report = reports.shown(after, reader=lived, week=LAST)
    assert report.kept and report.as_of == local(16, 6) and not report.running
    assert report.figures["decided"].value == 3 and report.figures["approved"].value == 2


def test_a_system_that_stood_still_makes_up_for_the_weeks_it_missed(session, database, lived):
    session.commit()
    due(database, local(16, 6))
    later = local(16, 6) + timedelta(weeks=3)
    assert due(database, later) == [LAST.after, LAST.after.after, LAST.after.after.after]


def test_a_kept_report_is_the_measured_one_and_stays_when_more_comes_in(session, lived):
    measured = reports.weekly(session, week=LAST, now=local(16, 6))
    row = reports.make(session, week=LAST, now=local(16, 6))
    session.expire_all()
    kept = reports.shown(session, reader=lived, week=LAST)
    assert kept.kept and not measured.kept
    assert {**vars(kept), "kept": False} == vars(measured)
    assert reports.differs(session, week=LAST) == ()
    late = session.scalars(select(review.Case).where(review.Case.state == "approved").limit(1)).one()

    ratings.give(session, late.id, "easy", now=late.closed_at + timedelta(days=6, hours=20))
    assert reports.make(session, week=LAST, now=local(18, 6)).id == row.id
    assert reports.shown(session, reader=lived, week=LAST) == kept
    assert reports.differs(session, week=LAST) == (), "a rating that came later is not in what was known then"
    again = reports.weekly(session, week=LAST, now=local(22, 6))
    moved = {name for name in again.figures if again.figures[name] != kept.figures[name]}
    assert moved == {"csat", "csat_response"} and all(again.figures[name].late for name in moved)


def test_a_record_changed_behind_its_back_is_told(session, lived):
    reports.make(session, week=LAST, now=local(16, 6))
    case = a.an_approved(session, now=LAST.begins + timedelta(days=2))  # as if it had been left out before
    assert case.closed_at < LAST.ends
    told = reports.differs(session, week=LAST)
    assert {"opened", "sent", "decided", "approved", "automation"} <= set(told) and "withdrawn" not in told


def test_nobody_changes_or_removes_a_kept_report(session, lived):
    reports.make(session, week=LAST, now=local(16, 6))
    for change in ("UPDATE weekly_reports SET definitions = 2", "DELETE FROM weekly_reports"):
        with pytest.raises(DatabaseError, match="append-only"), session.begin_nested():
            session.execute(text(change))


def test_an_older_week_is_made_when_somebody_asks_and_never_unfinished(session, database, lived, now):
    old = ReportWeek(monday=date(2026, 8, 3), time_zone="Europe/Moscow")
    running = ReportWeek.holding(now, time_zone="Europe/Moscow")
    agent = a.a_member(session, Role.AGENT, now=now)
    with pytest.raises(reports.NotOver):
        reports.wish(session, week=running, by=lived, now=now)
    with pytest.raises(NotAllowed):
        reports.wish(session, week=old, by=agent, now=now)
    for _ in range(2):
        reports.wish(session, week=old, by=lived, now=now)
    assert reports.wished(session, week=old)
    session.commit()
    assert old in due(database, now)
    with database.reading() as after:
        assert not reports.wished(after, week=old) and after.query(ReportWish).count() == 0
        assert reports.shown(after, reader=lived, week=old).figures["sent"].value == 0
        with pytest.raises(reports.NotOver):
            reports.make(after, week=running, now=now)
        assert reports.weekly(after, week=running, now=now).running
        with pytest.raises(ValueError):
            reports.weekly(after, week=running.after, now=now)


def test_parts_of_fewer_than_ten_cases_are_neither_kept_nor_shown(session, lived):
    for n in range(8):
        a.a_draft(session, now=LAST.begins + timedelta(days=2, hours=n), photos=False)
    alone = a.a_draft(session, now=LAST.begins + timedelta(days=3))
    intake.amend(session, alone.id, a.CLAIM, country="KAZ", now=LAST.begins + timedelta(days=3, minutes=5))
    reports.make(session, week=LAST, now=local(16, 6))
    whole = reports.shown(session, reader=lived, week=LAST)
    assert {(group.code, group.cases, group.small) for group in whole.countries} == {("UTO", 12, False), ("KAZ", 1, True)}
    assert not whole.countries[1].figures
    part = reports.shown(session, reader=lived, week=LAST, country="UTO")
    assert part.cases == 12 and part.countries == () == part.agents and part.funnel.steps[0].count is None
    assert part.figures == reports.weekly(session, week=LAST, now=local(16, 6), country="UTO").figures
    assert reports.shown(session, reader=lived, week=LAST, country="KAZ") is None
    assert reports.shown(session, reader=lived, week=LAST.before) is None


def test_reasons_of_few_cases_are_not_told_by_country(session, lived):
    topic = reports.weekly(session, week=LAST, now=local(16, 6)).topics.top[0]
    assert topic.cases < reports.SMALL and topic.countries == ()


def test_who_does_not_see_the_team_sees_no_other_agents_row(session, lived, now):
    reports.make(session, week=LAST, now=local(16, 6))
    agent = session.scalars(select(review.Staff).where(review.Staff.name.like("Agent%"))).first()
    ops = a.a_member(session, Role.OPS, now=now)
    assert [one.handled for one in reports.shown(session, reader=lived, week=LAST).agents] == [1]
    assert reports.shown(session, reader=ops, week=LAST).agents == ()
    with pytest.raises(NotAllowed):
        reports.shown(session, reader=agent, week=LAST)
    with pytest.raises(NotAllowed):
        reports.course(session, reader=agent, names=["sent"], until=LAST)
    mine = reports.own_week(session, staff=agent, week=LAST)
    assert mine.own.staff_id == agent.id and mine.own.values["reject"] == (1.0, 1) and mine.team == {}
    assert reports.own_week(session, staff=agent, week=LAST.before) is None


def test_the_course_has_a_gap_where_no_report_was_made(session, lived):
    for week in (LAST.before.before, LAST):
        reports.make(session, week=week, now=local(16, 6))
    course = reports.course(session, reader=lived, names=["sent", "automation"], until=LAST, weeks=3)
    assert [week for week, _ in course] == [LAST.before.before, LAST.before, LAST]
    assert [found and found["sent"].value for _, found in course] == [0, None, 4]
    assert reports.made_weeks(session, time_zone="Europe/Moscow") == [LAST, LAST.before.before]
    assert reports.made_weeks(session, time_zone="Europe/Madrid") == []


def test_a_kept_report_holds_codes_numbers_and_ids_of_staff_alone(session, lived):
    row = reports.make(session, week=LAST, now=local(16, 6))
    kept = json.dumps(session.get_one(WeeklyReport, row.id).document)
    people = [str(case.customer_id) for case in session.scalars(select(review.Case))]
    cases = [str(case.id) for case in session.scalars(select(review.Case))]
    names = [one.name for one in session.scalars(select(review.Staff))]
    assert not [word for word in (*people, *cases, *names, *a.PERSONAL) if len(word) > 3 and word in kept]


# Intervals


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("n", [1, 2, 5, 6, 10, 28, 29, 44, 150])
def test_ranks_are_the_narrowest_that_leave_out_a_fortieth_on_either_side(n, share):
    mass = [comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
    low = max(k for k in range(n + 1) if sum(mass[:k]) <= 0.025)
    high = min(k for k in range(1, n + 2) if sum(mass[k:]) <= 0.025)
    assert intervals.ranks(n, share) == (low, high)


def test_intervals_of_many_values_are_made_without_overflow_and_agree_with_the_normal_one():
    low, high = intervals.ranks(200_000, 0.9)
    half = 1.96 * sqrt(200_000 * 0.09)
    assert abs(low - (180_000 - half)) < 2 and abs(high - (180_000 + half)) < 2


def test_nineteen_of_twenty_intervals_hold_the_true_value_whatever_the_distribution():
    chance = random.Random(11)
    for draw, middle, top in (
        (lambda: chance.expovariate(1), 0.693147, 2.302585),
        (lambda: chance.lognormvariate(0, 1), 1.0, 3.602),
        (lambda: chance.uniform(0, 1), 0.5, 0.9),
    ):
        for n in (15, 60):
            held = {0.5: 0, 0.9: 0}
            for _ in range(800):
                some = sorted(draw() for _ in range(n))
                for share, true in ((0.5, middle), (0.9, top)):
                    low, high = intervals.quantile_interval(some, share)
                    held[share] += (low is None or low <= true) and (high is None or true <= high)
            assert all(count >= 800 * 0.95 - 3 * sqrt(800 * 0.95 * 0.05) for count in held.values()), (n, held)


def test_an_interval_has_its_value_inside_and_narrows_with_more_values():
    chance = random.Random(3)
    for _ in range(200):
        some = sorted(chance.expovariate(1) for _ in range(chance.randint(1, 80)))
        for share in (0.5, 0.9):
            low, high = intervals.quantile_interval(some, share)
            value = reports.measure.nowfigures.quantile(some, share)
            assert (low is None or low <= value) and (high is None or value <= high)
    wide, narrow = intervals.ranks(50, 0.5), intervals.ranks(5000, 0.5)
    assert (wide[1] - wide[0]) / 50 > (narrow[1] - narrow[0]) / 5000
    assert intervals.quantile_interval([], 0.5) == (None, None)


def test_a_mean_has_an_interval_from_ten_values_on_and_never_below_nothing():
    some = [float(n % 4) for n in range(40)]
    low, high = intervals.mean_interval(some)
    half = 1.959964 * stdev(some) / sqrt(40)
    assert (low, high) == (pytest.approx(1.5 - half), pytest.approx(1.5 + half))
    assert intervals.mean_interval(some[:9]) == (None, None)
    assert intervals.mean_interval([0.0] * 30 + [30.0])[0] == 0.0
