"""Automatic approval stops itself when it leaves its bounds, says why, and goes on by two people alone."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from cases import halts, pace, policies, ramps, runs, switches
from cases.desk_tables import QualitySample
from cases.halts import Bound
from cases.models import AutomationSwitch, Event, Role, Run
from cases.ops_tables import CalibrationActivation, DecisionCount, Halt
from cases.ramps import Stage
from tests import factories as a
from verification.policy import SHIPPED

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def counted(session, moment, **outcomes):
    for outcome, count in outcomes.items():
        session.merge(DecisionCount(slot=pace.slot_of(moment), outcome=outcome, runs=count))
    session.flush()


def usual_week(session, now, **outcomes):
    for days in range(1, 8):
        counted(session, now - days * DAY, **outcomes)


def reviewed(session, now, *, wrong, of, undone=0):
    """Samples of automatic approvals that somebody has looked at again."""
    agent = a.a_member(session, now=now)
    case = a.an_approved(session, now=now - HOUR)
    for number in range(of):
        session.add(
            QualitySample(
                case_id=case.id, event_id=1_000_000 + number, why="random", share=0.02, staff_id=None, action="approve",
                reasons=[], answered_at=now - HOUR, drawn_at=now - HOUR, reviewer_id=agent.id, taken_until=now,
                reviewed_at=now, verdict="reject" if number < wrong else "approve", verdict_reasons=[], agrees=number >= wrong,
                overturned_at=now if number < undone else None,
            )
        )  # fmt: skip
    session.flush()


def resumed(session, now, *, then):
    lead, ops = a.a_member(session, Role.LEAD, now=now), a.a_member(session, Role.OPS, now=now)
    back = switches.propose_automation(session, by=ops, reason="Found and mended.", now=then)
    switches.confirm_automation(session, back.id, by=lead, now=then)


def test_every_run_is_counted_once_in_its_ten_minutes(session, now):
    for make in (a.an_approved, a.an_approved, a.an_in_review, a.a_needs_retake):
        make(session, now=now + timedelta(minutes=3))
    a.an_approved(session, now=now + timedelta(minutes=13))
    rows = session.execute(select(DecisionCount.slot, DecisionCount.outcome, DecisionCount.runs)).all()
    ten = timedelta(minutes=10)
    assert sorted(rows) == sorted([(now, "approve", 2), (now, "refer", 1), (now, "retake", 1), (now + ten, "approve", 1)])
    assert pace.counted(session, since=now, until=now + ten) == {"approve": 2, "refer": 1, "retake": 1}


def test_a_worker_that_died_is_counted_as_a_failure(session, now):
    a.begun(session, a.a_submitted(session, now=now), now=now)
    runs.recover(session, now=now + HOUR)
    assert pace.counted(session, since=now, until=now + 2 * HOUR) == {"failed": 1}


def test_a_quiet_night_and_a_usual_day_halt_nothing(session, now):
    assert halts.check(session, now=now) is None
    usual_week(session, now, approve=100, refer=100)
    counted(session, now, approve=110, refer=90, failed=2)
    reviewed(session, now, wrong=0, of=250)
    assert halts.check(session, now=now) is None and session.scalar(select(func.count()).select_from(Halt)) == 0


@pytest.mark.parametrize(
    ("bound", "spoil"),
    [
        (Bound.APPROVALS_PER_HOUR, lambda s, now: counted(s, now, approve=1_001, refer=1_500)),
        (Bound.APPROVALS_PER_HOUR, lambda s, now: (usual_week(s, now, approve=30), counted(s, now, approve=91, refer=9))),
        (Bound.APPROVE_SHARE, lambda s, now: (usual_week(s, now, approve=40, refer=60), counted(s, now, approve=58, refer=10))),
        (Bound.APPROVE_SHARE, lambda s, now: (usual_week(s, now, approve=40, refer=4), counted(s, now, approve=2, refer=60))),
        (Bound.OVERTURNED_SHARE, lambda s, now: reviewed(s, now, wrong=2, of=200)),
        (Bound.OVERTURNED_SHARE, lambda s, now: reviewed(s, now, wrong=3, of=10)),
        (Bound.OVERTURNED_SHARE, lambda s, now: (reviewed(s, now, wrong=0, of=5, undone=4), counted(s, now, approve=20))),
        (Bound.TECHNICAL_FAILURES, lambda s, now: counted(s, now, approve=12, failed=10)),
    ],
)  # fmt: skip
def test_each_bound_halts_when_it_is_left(session, now, bound, spoil):
    if bound is Bound.OVERTURNED_SHARE:
        counted(session, now - 2 * HOUR, refer=1)  # counting has begun before these approvals
    spoil(session, now)
    halt = halts.check(session, now=now + timedelta(seconds=1))
    assert halt is not None and halt.bound == bound and switches.everything_to_people(session)
    assert all(isinstance(number, (int, float)) for number in halt.figures.values()) and halt.figures


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s, now: (usual_week(s, now, approve=30), counted(s, now, approve=90)),  # on the line
        lambda s, now: (usual_week(s, now, approve=5), counted(s, now, approve=60)),  # fewer than one a minute
        lambda s, now: counted(s, now, approve=900),  # the first day: nothing to compare with
        lambda s, now: (usual_week(s, now, approve=40, refer=60), counted(s, now, approve=49)),  # too few runs
        lambda s, now: (usual_week(s, now, approve=60, refer=40), counted(s, now, approve=30, refer=60)),  # falls a little
        lambda s, now: (usual_week(s, now, approve=40, refer=4), counted(s, now, approve=2, refer=40)),  # falls, too few runs
        lambda s, now: reviewed(s, now, wrong=1, of=199),
        lambda s, now: reviewed(s, now, wrong=1, of=250),
        lambda s, now: reviewed(s, now, wrong=2, of=5),
        lambda s, now: counted(s, now, approve=9, failed=10),  # one worker's bad minute
    ],
)
def test_within_bounds_or_with_too_few_runs_nothing_halts(session, now, spoil):
    spoil(session, now)
    assert halts.check(session, now=now + timedelta(seconds=1)) is None


@pytest.mark.parametrize("by", ["a stricter policy", "a country given to people", "a calibration"])
def test_a_share_that_people_lowered_themselves_halts_nothing(session, now, by):
    """What was approved under other rules is no measure of what is approved now."""
    usual_week(session, now, approve=40, refer=4)
    ops = a.a_member(session, Role.OPS, now=now)
    if by == "a stricter policy":
        a.proposed(session, replace(SHIPPED, max_attempts=2), by=ops, now=now - 2 * HOUR)
    elif by == "a calibration":
        session.add(
            CalibrationActivation(
                reason="Wrong labels.", proposed_by_id=ops.id, proposed_at=now - 3 * HOUR, effective_at=now - 2 * HOUR,
                confirmed_by_id=a.a_member(session, Role.OPS, now=now).id,
            )
        )  # fmt: skip
        session.flush()
    else:
        switches.to_people(session, by=ops, reason="Forged cards.", scope="country:KAZ", now=now - 2 * HOUR)
    counted(session, now - HOUR - timedelta(minutes=20), approve=2, refer=60)
    counted(session, now, approve=2, refer=60)
    assert halts.check(session, now=now + timedelta(seconds=1)) is None
    usual_week(session, now + DAY, approve=20, refer=2)  # by the same rules, a day of which was as before
    counted(session, now + DAY, approve=250, refer=2)
    later = now + DAY + HOUR
    counted(session, later, approve=2, refer=60)
    halt = halts.check(session, now=later + timedelta(seconds=1))
    assert halt is not None and halt.bound == Bound.APPROVE_SHARE and "fall" in halt.figures


def test_a_backlog_halts(session, now):
    session.info["settings"] = session.info["settings"].model_copy(update={"halt_overdue": 1})
    for _ in range(2):
        a.an_in_review(session, now=now)
    assert halts.check(session, now=now + HOUR) is None
    halt = halts.check(session, now=now + 3 * DAY)
    assert halt is not None and (halt.bound, halt.figures) == ("referral_backlog", {"overdue": 2, "allowed": 1})


def test_a_halt_sends_the_next_case_to_people_ends_the_ramp_and_is_told(session, now):
    ops, lead = a.a_member(session, Role.OPS, now=now), a.a_member(session, Role.LEAD, now=now)
    activation = a.ramped(session, replace(SHIPPED, max_attempts=5), by=ops, second=lead, now=now, to=Stage.QUARTER)
    counted(session, now, approve=2_000)
    halt = halts.check(session, now=now + timedelta(seconds=1))
    assert halt.rolled_back_id == activation.id and ramps.under_way(session) is None
    assert policies.current(session).version == 1
    case = a.an_in_review(session, now=now + timedelta(seconds=2), evidence=None)
    assert "everything_to_people" in case.reasons
    event = session.scalars(select(Event).where(Event.kind == "automation_halted")).one()
    assert event.actor_kind == "system" and event.details["bound"] == "approvals_per_hour"
    assert halts.standing(session).id == halt.id == halts.latest(session).id
    newest = switches.switches(session)[0]
    assert newest.proposed_by is None and newest.reason.startswith("Halted by itself")
    assert session.scalars(select(Run.outcome).where(Run.case_id == case.id)).one() == "refer"


def test_a_halt_is_made_once_and_resumed_by_two(session, now):
    counted(session, now, approve=2_000)
    later = now + timedelta(seconds=1)
    assert halts.check(session, now=later) is not None
    assert halts.check(session, now=later) is None, "people look at everything already"
    ops = a.a_member(session, Role.OPS, now=now)
    back = switches.propose_automation(session, by=ops, reason="Mended.", now=later)
    with pytest.raises(policies.SamePerson):
        switches.confirm_automation(session, back.id, by=ops, now=later)
    assert halts.standing(session) is not None
    resumed_at = later + timedelta(minutes=5)
    switches.withdraw_automation(session, back.id, by=ops, now=later)
    resumed(session, now, then=resumed_at)
    assert halts.standing(session) is None and halts.latest(session) is not None
    assert halts.check(session, now=resumed_at + timedelta(seconds=30)) is None, "what people have seen does not halt again"
    counted(session, resumed_at + timedelta(minutes=10), approve=2_000)
    assert halts.check(session, now=resumed_at + timedelta(minutes=20)) is not None


def test_what_was_wrong_before_people_resumed_does_not_halt_again(session, now):
    counted(session, now - 2 * HOUR, refer=1)
    reviewed(session, now, wrong=9, of=20)
    assert halts.check(session, now=now).bound == "overturned_share"
    resumed(session, now, then=now + timedelta(minutes=1))
    assert halts.check(session, now=now + HOUR) is None


def test_two_upkeeps_at_once_make_one_halt(database, now):
    with database.transaction() as session:
        counted(session, now, approve=2_000)
    barrier, made = threading.Barrier(4), []

    def upkeep():
        barrier.wait()
        with database.transaction() as session:
            made.append(halts.check(session, now=now + timedelta(seconds=1)) is not None)

    threads = [threading.Thread(target=upkeep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False, False, False, True]
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Halt)) == 1
        assert session.scalar(select(func.count()).select_from(AutomationSwitch)) == 1


def test_the_tables_let_the_system_close_but_never_open(database, now):
    row = {"reason": "x", "proposed_by_id": None, "proposed_at": now}
    with database.transaction() as session:
        lead = a.a_member(session, Role.LEAD, now=now).id
    for change in ({"to_people": False}, {"to_people": False, "effective_at": now, "confirmed_by_id": lead}):
        with pytest.raises(DBAPIError), database.transaction() as session:
            session.execute(AutomationSwitch.__table__.insert().values({**row, **change}))
    with database.transaction() as session:
        counted(session, now, approve=2_000)
        halts.check(session, now=now + timedelta(seconds=1))
    for statement in ("UPDATE halts SET bound = 'none'", "DELETE FROM halts"):
        with pytest.raises(DBAPIError), database.transaction() as session:
            session.execute(text(statement))
