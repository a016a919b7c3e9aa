"""The job that reads one supporting paper: called here without a queue, then by a real worker from its second queue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import select, update

from cases import supporting
from cases.database import Database, utcnow
from cases.desk_tables import Paper, PaperKind
from cases.models import Case, Event
from cases.settings import Settings
from tests import factories
from tests.workers.system import System, eventually, valkey
from tests.workers.test_known_jobs import planted
from verification import images
from verification.evidence import FieldReading, Source
from verification.papers import Detail, Entry, EntryKind, PageKind, SupportingReading
from workers import faults, papers, process, queues, upkeep, worker

NUMBER = "4510123456"
READING = SupportingReading(
    kind=PageKind.EARLIER_PASSPORTS,
    entries=(
        Entry(
            kind=EntryKind.PASSPORT,
            values={Detail.DOCUMENT_NUMBER: FieldReading(value=NUMBER, confidence=0.98, certain=True, source=Source.VIZ)},
        ),
    ),
)


class Died(Exception):
    """Stands for a death."""


@pytest.fixture
def system(database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """No workers, no Redis, and a reader that always reads the same."""
    made = System(settings)
    process.use(made.settings)
    monkeypatch.setattr(papers, "read_supporting", lambda image, today: READING)
    yield made
    process.close()
    made.close()


def _blank() -> bytes:
    """A grey picture of nothing."""
    return images.encode_jpeg(np.full((480, 640, 3), 127, np.uint8))


def sent(database: Database, kind: PaperKind = PaperKind.EARLIER_PASSPORTS) -> UUID:
    """A paper of a case at the desk, as the portal commits it."""
    with database.transaction() as session:
        case = factories.an_in_review(session, now=utcnow())
        return supporting.receive(session, case.id, uuid4(), _blank(), kind=kind, now=utcnow()).id


def row(system: System, paper_id: UUID) -> Paper:
    with system.database.reading() as session:
        return session.get_one(Paper, paper_id)


def shown(system: System, paper_id: UUID) -> supporting.Shown:
    with system.database.reading() as session:
        (found,) = supporting.of(session, session.get_one(Case, session.get_one(Paper, paper_id).case_id), now=utcnow())
    return found


def events(system: System, kind: str) -> list[dict[str, Any]]:
    with system.database.reading() as session:
        return [event.details for event in session.scalars(select(Event).where(Event.kind == kind))]


def lease_ends(system: System, paper_id: UUID) -> None:
    with system.database.transaction() as session:
        session.execute(update(Paper).where(Paper.id == paper_id).values(lease_until=utcnow() - timedelta(seconds=1)))


def test_reading_twice_keeps_one_reading(system: System) -> None:
    paper_id = sent(system.database)
    assert papers.read_paper(str(paper_id)) == "read"
    assert papers.read_paper(str(paper_id)) == "not waiting"
    assert shown(system, paper_id).stamps[0].values[0].text == NUMBER
    assert len(events(system, "paper_read")) == 1


def test_the_look_is_recorded_before_anything_is_made_of_it(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    paper_id = sent(system.database)
    opened = []

    def look(image: Any, today: Any) -> SupportingReading:
        opened.extend(events(system, "paper_opened"))
        assert isinstance(image, np.ndarray)
        return READING

    monkeypatch.setattr(papers, "read_supporting", look)
    papers.read_paper(str(paper_id))
    assert opened == [{"paper_id": str(paper_id), "purpose": "reading"}]


@pytest.mark.parametrize("point", ["after_dequeue", "after_begin", "after_work", "after_finish"])
def test_wherever_a_worker_dies_the_paper_is_read_once_in_the_end(
    system: System, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    assert point in faults.POINTS
    paper_id = sent(system.database)

    def die(here: str) -> None:
        if here == point:
            raise Died

    monkeypatch.setattr(papers, "fault", die)
    with pytest.raises(Died):
        papers.read_paper(str(paper_id))
    monkeypatch.setattr(papers, "fault", lambda here: None)
    lease_ends(system, paper_id)
    assert papers.read_paper(str(paper_id)) == ("not waiting" if point == "after_finish" else "read")
    assert shown(system, paper_id).machine is supporting.Machine.READ
    assert len(events(system, "paper_read")) == 1


def test_who_comes_back_after_another_has_read_writes_nothing(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    paper_id = sent(system.database)

    def slowly(image: Any, today: Any) -> SupportingReading:
        monkeypatch.setattr(papers, "read_supporting", lambda image, today: READING)
        lease_ends(system, paper_id)
        assert papers.read_paper(str(paper_id)) == "read"
        return SupportingReading()

    monkeypatch.setattr(papers, "read_supporting", slowly)
    assert papers.read_paper(str(paper_id)) == "fenced off"
    assert shown(system, paper_id).machine is supporting.Machine.READ


def test_no_certificate_is_opened_by_a_machine(system: System) -> None:
    paper_id = sent(system.database, PaperKind.MARRIAGE_CERTIFICATE)
    assert papers.read_paper(str(paper_id)) == "not waiting" and events(system, "paper_opened") == []
    assert papers.read_paper(str(uuid4())) == "not waiting"


def test_upkeep_rings_for_a_paper_whose_ring_was_lost(database: Database, settings: Settings) -> None:
    with valkey() as server:
        made = System(settings, server)
        process.use(made.settings)
        paper_id = sent(database)
        assert upkeep.ring_papers() == 1
        assert queues.waiting(queues.PAPERS) == {paper_id}
        assert upkeep.ring_papers() == 0  # it was rung just now
        with database.transaction() as session:
            session.execute(update(Paper).values(rung_at=utcnow() - timedelta(minutes=1)))
        assert upkeep.ring_papers() == 0  # the ring lies there still
        process.close()
        made.close()


def test_upkeep_gives_cases_back_whose_customers_time_is_over(system: System) -> None:
    with system.database.transaction() as session:
        case = factories.an_in_review(session, now=utcnow())
        case.awaiting_until = utcnow() - timedelta(seconds=1)
        case_id = case.id
    (task,) = (one for one in upkeep.timetable(process.settings()) if one.name == "resume")
    assert upkeep.attempt(task)
    with system.database.reading() as session:
        assert session.get_one(Case, case_id).awaiting_until is None


def test_the_queue_of_papers_knows_its_own_job_alone() -> None:
    with valkey() as server:
        connection = server.client()
        good = planted(connection, queues.JOBS[queues.PAPERS], [str(uuid4())], origin=queues.PAPERS)
        assert good.func_name == "workers.papers.read_paper" and good.timeout == queues.TIMEOUTS[queues.PAPERS]
        for function, origin in ((queues.JOBS["verify"], queues.PAPERS), (queues.JOBS[queues.PAPERS], queues.VERIFY)):
            with pytest.raises(worker.UnknownJob):
                _ = planted(connection, function, [str(uuid4())], origin=origin).func
        connection.close()


def test_a_verify_worker_reads_papers_too(nursery: Any, database: Database, settings: Settings) -> None:
    """With the real reader: a picture of nothing is no such page, and that is what the agent is told."""
    with valkey() as server:
        made = System(settings, server, nursery, lease=60)
        try:
            paper_id = sent(database)
            made.start("verify")
            queues.ring_paper(paper_id)
            eventually(lambda: row(made, paper_id).read_at is not None, within=25, what="the paper is read", meanwhile=made.tend)
            assert shown(made, paper_id).machine is supporting.Machine.NOTHING and made.deaths == 0
            case_id = made.submit()
            waits = lambda: made.count(Case, Case.id == case_id, Case.closed_at.is_not(None)) == 1  # noqa: E731
            eventually(waits, within=30, what="requests are looked at as before")
        finally:
            made.close()


def test_without_redis_a_verify_worker_finds_papers_in_the_database(nursery: Any, database: Database, settings: Settings) -> None:
    made = System(settings, None, nursery, lease=60)
    try:
        paper_id = sent(database)
        made.start("verify")
        eventually(lambda: row(made, paper_id).read_at is not None, within=25, what="the paper is read", meanwhile=made.tend)
        assert NUMBER not in Path(made.log).read_text()
    finally:
        made.close()
