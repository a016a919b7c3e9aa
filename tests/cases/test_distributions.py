"""How measures are distributed, by what became of each run; counts with their intervals."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select

from cases import distributions
from cases.distributions import SCALES, Ending
from cases.models import Case
from cases.ops_tables import RunRecord
from tests import factories as a
from tests.cases import past_runs
from verification.calibration import LabelledScores, count_errors, counted, shipped_errors
from verification.policy import THRESHOLDS, Looser

FACE = "min_selfie_document"


def read(session, now):
    return distributions.read(session, until=now + timedelta(minutes=1))


def endings(runs):
    return [distributions.ENDINGS[k] for k in runs.ending]


def test_every_number_of_the_policy_draws_a_line_but_one():
    numbers = {n for n, about in THRESHOLDS.items() if not about.choices and about.looser in (Looser.LOWER, Looser.HIGHER)}
    assert numbers - set(SCALES) == {"differ_below"} and set(SCALES) <= numbers
    for name in SCALES:
        assert name.startswith("max_") == (THRESHOLDS[name].looser is Looser.HIGHER)


def test_runs_are_told_apart_by_what_became_of_them(session, now):
    a.an_approved(session, now=now)
    a.approved_by_people(session, a.an_in_review(session, now=now), now=now)
    a.a_rejected(session, now=now)
    a.a_reverted(session, now=now)
    a.an_in_review(session, now=now)
    a.a_needs_retake(session, now=now)
    runs = read(session, now)
    assert sorted(endings(runs)) == sorted(
        [Ending.AUTO_APPROVED, Ending.AGENT_APPROVED, Ending.AGENT_REJECTED, Ending.OVERTURNED, Ending.OPEN, Ending.OPEN]
    )
    assert runs.n == 6 and not runs.more and int(runs.approved.sum()) == 2
    shown = runs.histogram(FACE)
    places = {e: {round(float(shown.edges[k]), 1) for k, n in enumerate(counts) if n} for e, counts in shown.counts.items()}
    assert places[Ending.AUTO_APPROVED] == {9.0} and places[Ending.AGENT_REJECTED] == {5.0}
    assert shown.n + shown.missing == 6


def test_a_line_stops_what_is_below_it_and_not_what_is_on_it(session, now):
    a.an_approved(session, now=now)
    a.an_in_review(session, now=now)
    runs = read(session, now)
    assert runs.stopped(FACE, 5.0) == dict.fromkeys(Ending, 0)
    assert runs.stopped(FACE, 5.01)[Ending.OPEN] == 1
    assert runs.stopped(FACE, 9.0)[Ending.AUTO_APPROVED] == 0 and runs.stopped(FACE, 9.01)[Ending.AUTO_APPROVED] == 1
    assert runs.stopped("max_attempts", 1)[Ending.AUTO_APPROVED] == 0
    assert runs.stopped("max_attempts", 0)[Ending.AUTO_APPROVED] == 1


def test_an_approval_undone_in_bulk_is_overturned(session, now):
    case = a.an_approved(session, now=now)
    session.get_one(Case, case.id).undone = 1
    session.flush()
    assert endings(read(session, now)) == [Ending.OVERTURNED]


def test_only_the_newest_run_of_a_case_is_the_one_that_an_agent_answered(session, now):
    case = a.a_rejected(session, now=now)
    record = session.scalars(select(RunRecord)).one()
    rows = np.frombuffer(record.packed, distributions.replays.ROW).copy()
    other = session.scalars(select(RunRecord.run_id)).one()
    assert other and rows["case_id"][0] == case.id.bytes.rstrip(b"\0")
    older = a.an_in_review(session, now=now - timedelta(days=1))
    run = session.scalars(select(RunRecord).where(RunRecord.run_id != other)).one()
    run.packed = rows.tobytes()  # as if that earlier run had been of the same case
    session.flush()
    assert older and endings(read(session, now)) == [Ending.OPEN, Ending.AGENT_REJECTED]


def test_more_runs_than_are_read_is_said_and_the_newest_count(session, now, monkeypatch):
    monkeypatch.setattr(distributions, "MOST_RUNS", 2)
    for days in (3, 2, 1, 0):
        a.an_approved(session, now=now - timedelta(days=days))
    runs = read(session, now)
    assert runs.more and runs.n == 3 and runs.since == now - timedelta(days=2)
    a_month = replace(runs).until - timedelta(days=30)
    assert runs.since > a_month


def test_nothing_measured_is_an_empty_chart(session, now):
    runs = read(session, now)
    assert (runs.n, runs.shares()) == (0, [])
    assert all(runs.histogram(name).n == 0 for name in SCALES)


def test_shares_by_group_add_up_and_carry_their_interval(settings, database, now):
    past_runs.write(settings.database_url, now=now, count=400)
    with database.reading() as session:
        runs = read(session, now)
        by = {kind: [s for s in runs.shares() if s.kind == kind] for kind in ("country", "sex", "age_band")}
    assert {s.value for s in by["country"]} == {"RUS", "KAZ", "ESP", "MEX"}
    for shares in by.values():
        assert sum(s.approved.n for s in shares) == 400
        assert sum(s.approved.wrong for s in shares) == int(runs.approved.sum())
        assert all(s.approved.low < s.approved.rate < s.approved.high for s in shares)


@pytest.mark.parametrize(
    ("wrong", "n", "low", "high"),
    [
        (0, 312, 0.0, 0.009556),  # 1 - 0.05^(1/312): "at most 0.96 %"
        (3, 10, 0.06674, 0.65245),  # tables of Clopper and Pearson
        (15, 147_312, 5.6992e-5, 1.67938e-4),
        (5, 5, 0.54928, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_a_count_has_the_interval_of_clopper_and_pearson(wrong, n, low, high):
    found = counted(wrong, n)
    assert found.low == pytest.approx(low, rel=1e-3) and found.high == pytest.approx(high, rel=1e-3)
    with pytest.raises(ValueError):
        counted(n + 1, n)


def test_errors_are_counted_at_each_line():
    pairs = LabelledScores(
        score=np.array([8.0, 9.0, 6.0, 1.0, 7.0, 2.0]), first=np.array([0, 1, 2, 0, 1, 2]), second=np.array([0, 1, 2, 1, 2, 0])
    )
    found = count_errors(pairs, rounds=20)
    assert (found.fnmr(8.0).wrong, found.fnmr(8.01).wrong, found.fnmr(6.0).wrong) == (1, 2, 0)
    assert (found.fmr(7.0).wrong, found.fmr(7.1).wrong, found.fmr(1.0).wrong, found.fmr(7.0).n) == (1, 0, 3, 3)
    again = type(found).from_json(found.to_json())
    assert again.fmr(2.0) == found.fmr(2.0) and again.fnmr(6.5) == found.fnmr(6.5)


def test_the_shipped_counts_are_of_the_shipped_calibration():
    errors = shipped_errors()
    assert set(errors) == {"clean", "printed", "poor"}
    for counts in errors.values():
        rates = [counts.fmr(float(t)).rate for t in counts.at]
        assert rates == sorted(rates, reverse=True) and counts.fmr(6.7).rate < 2e-4
        assert all(c.low <= c.rate <= c.high for c in map(counts.fmr, map(float, counts.at)))
