"""Which replays count before a policy may be proposed: none that is old, short, blind or half of it left out; and nothing that
one of them found is forgotten by another."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from cases import audit, policies, privacy, replays
from cases.models import Event, Role
from cases.ops_tables import RunRecord
from cases.replays import Lack
from tests import factories as a
from verification.policy import SHIPPED

DAY = timedelta(days=1)
LENIENT = replace(SHIPPED, min_selfie_document=4.0)
STRICT = replace(SHIPPED, min_selfie_document=9.5)


@pytest.fixture
def lead(session, now):
    return a.a_member(session, Role.LEAD, now=now)


@pytest.fixture
def draft(session, now, lead):
    return policies.draft(session, LENIENT, author=lead, reason="Fewer referrals.", now=now).version


def replayed(session, version, lead, now, days):
    return replays.attach(session, version, since=now - days * DAY, by=lead, now=now)


def lack(session, version, now):
    found = replays.seen(session, version, now=now)
    if found.lack is None:
        assert found.report is not None
    else:
        with pytest.raises(replays.NotReplayed) as refused:
            replays.require_seen(session, version, now=now)
        assert refused.value.lack is found.lack
    return found.lack


def test_a_newer_and_shorter_replay_forgets_no_wrong_approval_of_an_older_one(session, now, lead, draft):
    old = a.a_rejected(session, now=now - 10 * DAY)
    a.an_approved(session, now=now - DAY / 2)
    first = replayed(session, draft, lead, now, 30)
    assert replayed(session, draft, lead, now + timedelta(minutes=1), 1).wrong == 0
    with pytest.raises(replays.Unopened) as left:
        policies.propose(session, draft, by=lead, reason="Kinder.", now=now + timedelta(minutes=2))
    assert left.value.count == 1
    assert [one.case_id for one in replays.to_open(session, draft)] == [old.id]
    replays.open_wrong(session, first.id, old.id, by=lead, now=now)
    assert replays.require_seen(session, draft, now=now + timedelta(minutes=2)).id == first.id, "the short one does not count"


def test_a_case_that_two_replays_found_is_opened_once(session, now, lead, draft):
    case, other = a.a_rejected(session, now=now - 2 * DAY), a.a_rejected(session, now=now - 2 * DAY)
    first = replayed(session, draft, lead, now, 30)
    second = replayed(session, draft, lead, now + DAY, 30)
    assert {one.report_id for one in replays.to_open(session, draft)} == {second.id} and first.wrong == second.wrong == 2
    replays.open_wrong(session, first.id, case.id, by=lead, now=now)
    found = replays.seen(session, draft, now=now + DAY)
    assert (found.state, found.unopened) == ("unopened", 1)
    following = replays.next_unopened(session, draft)
    assert following is not None and following.case_id == other.id
    replays.open_wrong(session, second.id, other.id, by=lead, now=now)
    assert replays.seen(session, draft, now=now + DAY).state == "ready" and replays.next_unopened(session, draft) is None
    assert [one.opened_at for one in replays.to_open(session, draft)] == [now, now]


def test_too_many_wrong_ones_are_too_many_whatever_a_later_replay_says(session, now, lead, draft, monkeypatch):
    a.a_rejected(session, now=now - 2 * DAY), a.a_rejected(session, now=now - 2 * DAY)
    monkeypatch.setattr(replays, "MOST_WRONG", 1)
    first = replayed(session, draft, lead, now, 30)
    for one in replays.wrongs(session, first):
        replays.open_wrong(session, first.id, one.case_id, by=lead, now=now)
    now += timedelta(minutes=1)
    assert replayed(session, draft, lead, now, 1).wrong == 0
    found = replays.seen(session, draft, now=now)
    assert (found.unopened, found.excess, found.state) == (0, 1, "unopened")
    with pytest.raises(replays.Unopened):
        replays.require_seen(session, draft, now=now)


def test_a_replay_counts_for_a_week(session, now, lead, draft):
    a.an_approved(session, now=now - DAY)
    replayed(session, draft, lead, now, 30)
    assert lack(session, draft, now + replays.REPORT_HOLDS) is None
    assert lack(session, draft, now + replays.REPORT_HOLDS + timedelta(seconds=1)) is Lack.TOO_OLD


def test_what_is_wrong_is_to_be_opened_though_the_replay_that_found_it_is_old(session, now, lead, draft):
    a.a_rejected(session, now=now - 27 * DAY)
    replayed(session, draft, lead, now, 30)
    later = now + 20 * DAY
    a.an_approved(session, now=later - DAY)
    assert replayed(session, draft, lead, later, 30).wrong == 0, "it lies before the window now"
    assert (found := replays.seen(session, draft, now=later)).lack is None and found.unopened == 1


@pytest.mark.parametrize(("days", "why"), [(1, Lack.TOO_SHORT), (27, Lack.TOO_SHORT), (28, None)])
def test_a_replay_looks_back_four_weeks_where_there_are_runs_that_old(session, now, lead, draft, days, why):
    for age in (27.5, 0.5):
        a.an_approved(session, now=now - age * DAY)
    replayed(session, draft, lead, now, days)
    assert lack(session, draft, now) is why


def test_it_need_not_look_back_further_than_there_are_runs(session, now, lead, draft):
    a.an_approved(session, now=now - DAY / 2)
    a.an_approved(session, now=now - 40 * DAY)
    replayed(session, draft, lead, now, 1)
    assert lack(session, draft, now) is None, "of the last four weeks it saw all"


def test_a_short_replay_after_a_long_one_takes_nothing_away(session, now, lead, draft):
    for age in (20, 0.5):
        a.an_approved(session, now=now - age * DAY)
    long = replayed(session, draft, lead, now, 30)
    replayed(session, draft, lead, now + timedelta(minutes=1), 1)
    assert replays.require_seen(session, draft, now=now + timedelta(minutes=2)).id == long.id


def test_without_any_run_it_may_be_proposed_and_that_is_known(session, now, lead, draft):
    replayed(session, draft, lead, now, 30)
    found = replays.seen(session, draft, now=now)
    assert (found.state, found.blind) == ("ready", True)
    assert policies.propose(session, draft, by=lead, reason="Kinder.", now=now).effective_at is None


@pytest.mark.parametrize("age", [-1, 60])
def test_a_replay_that_looked_at_nothing_does_not_count_once_there_are_runs(session, now, lead, draft, age):
    """Neither where they came after it nor where they lie before its window."""
    if age > 0:
        a.an_approved(session, now=now - age * DAY)
    replayed(session, draft, lead, now, 30)
    if age < 0:
        a.an_approved(session, now=now - age * DAY)
    assert lack(session, draft, now + 2 * DAY) is Lack.SAW_NOTHING


@pytest.mark.parametrize("how", ["of another packing", "gone"])
def test_a_replay_that_left_out_most_does_not_count_until_they_are_packed(session, now, lead, draft, how):
    for _each in range(3):
        a.a_rejected(session, now=now - DAY)
    records = session.scalars(select(RunRecord)).all()
    for record in records[1:]:
        record.packed = b"\xff" + record.packed[1:]
    session.flush()
    if how == "gone":
        session.execute(delete(RunRecord).where(RunRecord.run_id.in_([record.run_id for record in records[1:]])))
    report = replayed(session, draft, lead, now, 30)
    assert (replays.of(report).runs, replays.of(report).skipped) == (1, 2)
    assert lack(session, draft, now) is Lack.SKIPPED_MOST
    assert replays.backfill(session) == 2
    report = replayed(session, draft, lead, now, 30)
    assert (replays.of(report).runs, replays.of(report).skipped) == (3, 0) and lack(session, draft, now) is None


def test_half_left_out_is_told_and_still_counts(session, now, lead, draft):
    a.an_approved(session, now=now - DAY), a.an_approved(session, now=now - DAY)
    record = session.scalars(select(RunRecord)).first()
    session.execute(delete(RunRecord).where(RunRecord.run_id == record.run_id))
    assert replays.of(replayed(session, draft, lead, now, 30)).skipped == 1
    assert lack(session, draft, now) is None


def test_trials_and_who_was_erased_are_neither_packed_nor_missed(session, now, lead, draft):
    hers, trial = a.an_approved(session, now=now - 60 * DAY), a.an_approved(session, now=now - 60 * DAY)
    trial.trial = True
    session.execute(delete(RunRecord))
    privacy.erase(session, hers.customer_id, actor=audit.Actor.staff(lead), reason="wish", now=now - 30 * DAY, by=lead)
    assert session.scalars(select(Event.kind).where(Event.kind == "erased")).all(), "it took place"
    assert replays.backfill(session) == 0
    report = replayed(session, draft, lead, now, 90)
    assert (replays.of(report).runs, replays.of(report).skipped) == (0, 0)
    assert replays.seen(session, draft, now=now).blind, "there is no run that could be looked at"


# What asks for it


def test_a_tightening_is_replayed_too_and_then_takes_one_person(session, now, lead):
    a.an_approved(session, now=now - DAY)
    version = policies.draft(session, STRICT, author=lead, reason="Safer.", now=now).version
    with pytest.raises(replays.NotReplayed):
        policies.propose(session, version, by=lead, reason="Safer.", now=now)
    assert policies.current(session).version == 1
    report = replayed(session, version, lead, now, 30)
    assert replays.of(report).flows == {"approve>refer": 1}, "what it costs is seen before it holds"
    assert policies.propose(session, version, by=lead, reason="Safer.", now=now + DAY).effective_at == now + DAY
    assert policies.current(session).version == version


def test_who_confirms_late_confirms_what_was_looked_at_lately(session, now, lead, draft):
    a.an_approved(session, now=now - DAY)
    replayed(session, draft, lead, now, 30)
    waiting = policies.propose(session, draft, by=lead, reason="Kinder.", now=now)
    second = a.a_member(session, Role.OPS, now=now)
    with pytest.raises(replays.NotReplayed) as refused:
        policies.confirm(session, waiting.id, by=second, now=now + 8 * DAY)
    assert refused.value.lack is Lack.TOO_OLD and waiting.confirmed_by_id is None
    a.a_rejected(session, now=now + 7 * DAY)
    replayed(session, draft, lead, now + 8 * DAY, 30)
    with pytest.raises(replays.Unopened):
        policies.confirm(session, waiting.id, by=second, now=now + 8 * DAY)
    (wrong,) = replays.to_open(session, draft)
    replays.open_wrong(session, wrong.report_id, wrong.case_id, by=second, now=now + 8 * DAY)
    assert policies.confirm(session, waiting.id, by=second, now=now + 8 * DAY).confirmed_by_id == second.id
