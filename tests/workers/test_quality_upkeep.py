"""Upkeep's part in quality and rescue: it draws, plants and weighs on its own, and twice harms nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from cases.database import Database, utcnow
from cases.desk_tables import QualitySample
from cases.models import Case, Heartbeat
from cases.settings import Settings
from tests import factories
from workers import process, upkeep


@pytest.fixture
def used(database: Database, settings: Settings) -> Iterator[Database]:
    """The database that upkeep's tasks of this process work on."""
    process.use(settings.model_copy(update={"quality_answers": 1.0, "quality_approvals": 1.0}))
    yield process.database()
    process.close()


def done(name: str) -> None:
    (task,) = (one for one in upkeep.timetable(process.settings()) if one.name == name)
    assert upkeep.attempt(task)


def test_answers_are_drawn_and_a_specimen_is_planted_once(used: Database) -> None:
    with used.transaction() as session:
        case_id = factories.a_rejected(session, now=utcnow() - timedelta(hours=1)).id
    for _ in range(2):
        done("draw_quality")
        with used.transaction() as session:
            for mark in session.scalars(select(Heartbeat).where(Heartbeat.name == "task:draw_quality")):
                mark.at -= timedelta(hours=1)  # its turn again
    with used.reading() as session:
        found = session.execute(select(QualitySample.case_id, QualitySample.why)).all()
    assert sorted(why for _, why in found) == ["random", "specimen"]
    assert {case for case, why in found if why == "random"} == {case_id}


def test_who_waits_comes_to_the_lane_by_upkeep_alone(used: Database) -> None:
    with used.transaction() as session:
        customer = factories.a_customer(session, now=utcnow() - timedelta(days=20))
        factories.a_rejected(session, now=utcnow() - timedelta(days=9), customer=customer)
        case = factories.an_in_review(session, now=utcnow() - timedelta(days=4, minutes=1), customer=customer)
        case_id, at_first = case.id, case.rescue
    for _ in range(2):
        done("score_rescue")
    with used.reading() as session:
        assert session.get_one(Case, case_id).rescue == at_first + 4 + 2  # four days, and late
