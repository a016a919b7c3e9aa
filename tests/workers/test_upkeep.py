"""The timetable: everything may be done twice, by two at once, and in the middle of an outage."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from cases import answers, audit, notifications, outgoing, review, runs, throttles
from cases.database import Database, utcnow
from cases.desk_tables import Answer, AnswerState
from cases.lifecycle import State
from cases.models import Case, Event, Heartbeat, Notification, Photo, Run, RunState, Throttle
from cases.settings import Settings
from tests import factories
from tests.workers.system import System, Valkey, valkey
from workers import process, queues, upkeep


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    with valkey() as running:
        yield running


@pytest.fixture
def system(database: Database, settings: Settings, server: Valkey) -> Iterator[System]:
    """A database and a Redis; upkeep's tasks are called here."""
    server.client().flushall()
    made = System(settings, server)
    process.use(made.settings)
    yield made
    process.close()
    made.close()


def task(name: str) -> upkeep.Task:
    (found,) = (one for one in upkeep.timetable(process.settings()) if one.name == name)
    return found


def kinds(system: System) -> Counter[str]:
    with system.database.reading() as session:
        return Counter(session.scalars(select(Event.kind)))


def two_at_once(name: str) -> list[bool]:
    """Do one task in two threads that start together."""
    gate, done = threading.Barrier(2), []

    def one() -> None:
        gate.wait()
        done.append(upkeep.attempt(task(name)))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def test_a_waiting_case_is_rung_once_however_often_upkeep_looks(system: System) -> None:
    case_id = system.submit(ring=False)
    assert [upkeep.ring_cases() for _ in range(3)] == [1, 0, 0]
    assert queues.waiting(queues.VERIFY) == {case_id}


def answered(system: System) -> tuple[UUID, UUID]:
    """An agent's approval that could be taken back until a moment ago; the answer's id and the case's."""
    at = utcnow() - timedelta(seconds=30)
    with system.database.transaction() as session:
        agent = factories.a_member(session, now=at)
        case = review.take(session, factories.an_in_review(session, now=at).id, agent=agent, now=at)
        disposal = review.Disposal(action="approve", note="Looked.", seen_version=case.version)
        session.info = {**session.info, "settings": session.info["settings"].model_copy(update={"undo_seconds": 20})}
        return answers.give(session, case.id, disposal, agent=agent, now=at).id, case.id


def test_an_answer_that_can_no_longer_be_taken_back_is_carried_out_once(system: System) -> None:
    _, case_id = answered(system)
    assert sum(two_at_once("carry_out")) == 2 and upkeep.carry_out() == 0
    with system.database.reading() as session:
        assert session.get_one(Case, case_id).state is State.APPROVED
        owed = select(Notification.kind).where(Notification.case_id == case_id, Notification.kind == "approved")
        assert session.scalars(owed).all() == ["approved"]
    assert (kinds(system)["disposed"], kinds(system)["profile_changed"]) == (1, 1)


def test_an_upkeep_that_dies_in_the_middle_of_an_answer_leaves_it_waiting(system: System) -> None:
    answer_id, case_id = answered(system)

    def dies() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answers.carry_out_due(system.database, now=utcnow(), before_commit=dies)
    with system.database.reading() as session:
        assert session.get_one(Answer, answer_id).state is AnswerState.WAITING
        assert session.get_one(Case, case_id).state is State.IN_REVIEW
    assert upkeep.carry_out() == 1
    with system.database.reading() as session:
        assert session.get_one(Case, case_id).state is State.APPROVED
        assert audit.verify(session).ok


def said(system: System) -> UUID:
    """An agent's message that could be taken back until a moment ago; the case's id."""
    at = utcnow() - timedelta(seconds=30)
    with system.database.transaction() as session:
        agent = factories.a_member(session, now=at)
        case = review.take(session, factories.an_in_review(session, now=at).id, agent=agent, now=at)
        session.info = {**session.info, "settings": session.info["settings"].model_copy(update={"undo_seconds": 20})}
        outgoing.say(session, case.id, uuid4(), text="Is it page five?", agent=agent, now=at)
        return case.id


def test_a_message_that_can_no_longer_be_taken_back_leaves_once(system: System) -> None:
    case_id = said(system)
    assert two_at_once("send_outgoing") == [True, True] and upkeep.send_outgoing() == 0
    with system.database.reading() as session:
        owed = select(Notification.kind).where(Notification.case_id == case_id, Notification.kind == "message")
        assert session.scalars(owed).all() == ["message"]
    assert (kinds(system)["message_given"], kinds(system)["message_written"]) == (1, 1)


def test_a_lost_ring_is_rung_again_after_a_while(system: System, server: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = system.submit(ring=False)
    upkeep.ring_cases()
    server.client().flushall()
    assert upkeep.ring_cases() == 0, "a worker may be about to take it"
    monkeypatch.setattr(upkeep, "RING_AGAIN", timedelta(0))
    assert upkeep.ring_cases() == 1
    assert queues.waiting(queues.VERIFY) == {case_id}


def test_a_long_queue_does_not_grow_by_waiting(system: System, server: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "RING_AGAIN", timedelta(0))
    cases = {system.submit() for _ in range(5)}
    for _ in range(4):
        upkeep.ring_cases()
    assert queues.waiting(queues.VERIFY) == cases
    assert server.client().llen("rq:queue:verify") == 5


def test_a_message_is_rung_once_while_it_waits(system: System, server: Valkey) -> None:
    case_id = system.submit(ring=False)
    with system.database.transaction() as session:
        (row,) = notifications.add(session, session.get_one(Case, case_id), "in_review", now=utcnow())
    assert [upkeep.ring_notifications() for _ in range(3)] == [1, 0, 0]
    assert queues.waiting(queues.NOTIFY) == {row.id}


def test_two_upkeeps_take_back_a_run_once(system: System) -> None:
    case_id = system.submit(ring=False)
    with system.database.transaction() as session:
        assert runs.begin(session, case_id, now=utcnow() - timedelta(minutes=5)) is not None
    assert two_at_once("recover") == [True, True]
    assert kinds(system)["run_requeued"] == 1
    assert system.count(Run, Run.state == RunState.ABANDONED) == 1
    assert system.count(Case, Case.state == State.SUBMITTED) == 1


def test_after_too_many_runs_a_person_looks(system: System) -> None:
    process.use(system.settings.model_copy(update={"max_runs": 2}))
    case_id = system.submit(ring=False)
    for _ in range(2):
        with process.database().transaction() as session:
            assert runs.begin(session, case_id, now=utcnow() - timedelta(minutes=5)) is not None
        assert upkeep.attempt(task("recover"))
    with system.database.reading() as session:
        case = session.get_one(Case, case_id)
        assert (case.state, case.reasons) == (State.IN_REVIEW, ["processing_failed"])
        assert session.scalars(select(Notification.kind)).all() == ["in_review"]


def test_two_upkeeps_anchor_once_an_hour(system: System) -> None:
    assert two_at_once("anchor") == [True, True]
    assert upkeep.attempt(task("anchor"))
    file = upkeep.anchors(system.settings) / audit.ANCHOR_FILE
    assert len(file.read_text().splitlines()) == 1
    with system.database.transaction() as session:
        hour_ago = utcnow() - timedelta(minutes=61)
        session.execute(update(Heartbeat).where(Heartbeat.name == "task:anchor").values(at=hour_ago))
    assert two_at_once("anchor") == [True, True]
    assert len(file.read_text().splitlines()) == 2
    with system.database.reading() as session:
        assert audit.verify(session, anchors=file).ok


def test_a_task_that_fails_gives_its_turn_back(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> str:
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(audit, "anchor", fails)
        assert not upkeep.attempt(task("anchor"))
    assert upkeep.attempt(task("anchor"))
    assert (upkeep.anchors(system.settings) / audit.ANCHOR_FILE).exists()


def test_old_drafts_expire_and_old_photos_are_shredded_once(system: System) -> None:
    case_id = system.submit(ring=False)
    long_ago = utcnow() - timedelta(days=100)
    with system.database.transaction() as session:
        case = session.get_one(Case, case_id)
        case.state, case.updated_at = State.NEEDS_RETAKE, long_ago
    assert two_at_once("expire") == [True, True]
    assert kinds(system)["expired"] == 1
    with system.database.transaction() as session:
        session.get_one(Case, case_id).closed_at = long_ago
    blobs = lambda: [file for file in (system.settings.data_dir / "photos").rglob("*") if file.is_file()]  # noqa: E731
    before = len(blobs())
    assert two_at_once("shred") == [True, True]
    assert kinds(system)["shredded"] == 1
    assert before - len(blobs()) == 2
    assert system.count(Photo, Photo.shredded_at.is_not(None)) == 2


def test_an_outage_of_redis_or_database_is_survived(system: System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    case_id = system.submit(ring=False)
    queues.connect(system.settings.model_copy(update={"redis_url": f"unix://{tmp_path}/nobody.sock"}))
    assert not upkeep.attempt(task("ring_cases"))
    assert upkeep.attempt(task("recover"))
    queues.connect(system.settings)
    assert upkeep.attempt(task("ring_cases"))
    assert queues.waiting(queues.VERIFY) == {case_id}

    def away(*_: object, **__: object) -> None:
        raise OperationalError("SELECT", {}, Exception("no such server"))

    with monkeypatch.context() as broken:
        broken.setattr(runs, "recover", away)
        assert not upkeep.attempt(task("recover"))
    assert upkeep.attempt(task("recover"))


def test_signs_of_life_of_dead_processes_are_forgotten(system: System) -> None:
    upkeep.beat()
    with system.database.transaction() as session:
        session.add(Heartbeat(name=f"verify:{uuid4().hex[:8]}:1", at=utcnow() - timedelta(hours=2)))
    assert upkeep.attempt(task("forget_processes"))
    with system.database.reading() as session:
        left = session.scalars(select(Heartbeat.name)).all()
    assert [name.split(":")[0] for name in sorted(left)] == ["task", "upkeep"]


def test_counts_of_tries_are_forgotten_once_their_window_is_over(system: System) -> None:
    moment, day = utcnow(), timedelta(days=1)
    with system.database.transaction() as session:
        for back in (0, 4):
            throttles.hit(session, "sign_in", "192.0.2.7", limit=5, window=day, now=moment - back * day)
    assert upkeep.attempt(task("forget_throttles"))
    assert system.count(Throttle) == 1
    with system.database.transaction() as session:
        assert not throttles.hit(session, "sign_in", "192.0.2.7", limit=1, window=day, now=moment), "the fresh one still counts"
