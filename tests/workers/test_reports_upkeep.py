"""Upkeep makes Monday's report by itself, once, aside from everything else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from cases import reports
from cases.database import Database, utcnow
from cases.models import Role
from cases.reports import ReportWeek
from cases.settings import Settings
from tests import factories
from workers import process, upkeep, worker


@pytest.fixture
def used(database: Database, settings: Settings) -> Iterator[Database]:
    """The database that upkeep's tasks of this process work on."""
    process.use(settings)
    yield process.database()
    process.close()


def the_task() -> upkeep.Task:
    (task,) = (one for one in upkeep.timetable(process.settings()) if one.name == "make_reports")
    return task


def test_the_newest_whole_week_is_made_and_kept_once(used: Database) -> None:
    with used.transaction() as session:
        factories.an_approved(session, now=utcnow() - timedelta(days=15))
        lead = factories.a_member(session, Role.LEAD, now=utcnow())
    for _ in range(2):
        assert upkeep.attempt(the_task())
    with used.reading() as session:
        (week,) = reports.made_weeks(session, time_zone="Europe/Moscow")
        found = reports.shown(session, reader=lead, week=week)
    assert found is not None and week <= ReportWeek.last_whole(utcnow(), time_zone="Europe/Moscow")


def test_nothing_waits_while_a_report_is_made(used: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended, stop = threading.Event(), threading.Event(), threading.Event()
    made, beats = [], []

    def slow() -> int:
        made.append(threading.current_thread().name)
        begun.set()
        ended.wait(20)
        return 1

    def beat() -> int:
        beats.append(begun.is_set())
        if beats[-3:] == [True, True, True]:
            stop.set()
        return 1

    often = (upkeep.Task(name="make_reports", every=0.01, do=slow, aside=True), upkeep.Task(name="beat", every=0.01, do=beat))
    monkeypatch.setattr(upkeep, "timetable", lambda settings: often)
    monkeypatch.setattr(worker, "stop_on_signals", lambda: stop)
    monkeypatch.setattr(worker, "rest", lambda name: None)
    upkeep.serve()
    assert made == ["make_reports"], "it is begun once until it has ended, in a thread of its own"
    ended.set()
