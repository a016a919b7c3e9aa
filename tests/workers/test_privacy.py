"""A person is erased while the whole system runs: nothing of hers is left in Redis, in the logs, or among the mails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from cases import audit, notifications, privacy, tombstones
from cases.database import Database, utcnow
from cases.host_tables import ErasureRow
from cases.models import Case, Customer, Heartbeat, Notification, Photo
from cases.settings import Settings
from tests import factories
from tests.workers.system import System, Valkey, valkey
from workers import logs, notify, process, queues, upkeep


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    with valkey() as running:
        yield running


@pytest.fixture
def system(database: Database, settings: Settings, server: Valkey) -> Iterator[System]:
    server.client().flushall()
    made = System(settings, server)
    process.use(made.settings)
    yield made
    process.close()
    made.close()


def do(name: str) -> None:
    (task,) = (one for one in upkeep.timetable(process.settings()) if one.name == name)
    assert task.apart is not None and task.aside
    task.apart()


def in_redis(server: Valkey) -> str:
    """Every key and every value, whatever its type."""
    client, told = server.client(), []
    for key in client.scan_iter("*"):
        read: dict[bytes, Any] = {
            b"string": client.get, b"hash": client.hgetall, b"set": client.smembers,
            b"list": lambda k: client.lrange(k, 0, -1), b"zset": lambda k: client.zrange(k, 0, -1),
        }  # fmt: skip
        told.append(repr((key, read[client.type(key)](key))))
    return "\n".join(told)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_neither_redis_nor_logs_nor_mails_know_her_afterwards(
    system: System, server: Valkey, capfd: pytest.CaptureFixture[str]
) -> None:
    now = utcnow()
    with process.database().transaction() as session:
        case = factories.a_needs_retake(session, now=now)
        customer = session.get_one(Customer, case.customer_id)
        external = customer.external_id
        mail = session.scalars(select(Notification.id).where(Notification.customer_id == customer.id)).first()
        pictures = session.scalars(select(Photo.sha256).where(Photo.customer_id == customer.id)).all()
    assert mail is not None
    queues.ring_notification(mail)
    queues.ring_verify(case.id)
    assert notify.send_notification(str(mail)) == "sent"
    folder = process.settings().data_dir
    assert factories.OLD_EMAIL.encode() in files_of(folder)[f"mail/{mail}.eml"]  # it lies there before
    with process.database().transaction() as session:
        told = privacy.erase(session, case.customer_id, actor=audit.HOST, reason="order", now=now)
    assert told.state == "done"
    do("erase")
    with process.database().reading() as session:
        row = session.scalars(select(ErasureRow)).one()
        assert row.finished_at is not None
    wanted = [one for one in (*factories.PERSONAL, external, *pictures) if len(one) > 5]
    places = {"Redis": in_redis(server), "logs": "".join(capfd.readouterr())}
    sqlite = {name for name in files_of(folder) if name.startswith("peremena.db")}
    places |= {name: data.decode("latin-1") for name, data in files_of(folder).items() if name not in sqlite}
    assert "tombstones/tombstones.log" in places
    for where, text in places.items():
        assert not [one for one in wanted if one.casefold() in text.casefold()], where


def test_upkeep_writes_tombstones_and_carries_out_what_waited(system: System) -> None:
    now = utcnow()
    with process.database().transaction() as session:
        case = factories.a_rejected(session, now=now - timedelta(days=15))
        waiting = privacy.erase(
            session, case.customer_id, actor=audit.HOST, reason="wish", now=now - timedelta(days=14, hours=12)
        )
    assert waiting.state == "waiting"
    do("erase")
    with process.database().reading() as session:
        told = privacy.of(session, case.customer_id, now=now)
    assert told is not None and told.state == "done"
    settings = process.settings()
    do("erase")
    assert len(tombstones.read(settings, [tombstones.folder(settings)])) == 1


class Away:
    """A store that does not answer."""

    def __getattr__(self, name: str) -> Any:
        raise OSError("the store is away")


def test_while_the_store_is_away_erasures_happen_and_tombstones_are_written(system: System) -> None:
    now, settings = utcnow(), process.settings()
    with process.database().transaction() as session:
        at_once = factories.a_draft(session, now=now)
        privacy.erase(session, at_once.customer_id, actor=audit.HOST, reason="wish", now=now)
        waited = factories.a_rejected(session, now=now - timedelta(days=15))
        privacy.erase(session, waited.customer_id, actor=audit.HOST, reason="wish", now=now - timedelta(days=14, hours=12))
        over = factories.a_rejected(session, now=now - timedelta(days=60))
    store = process.database().info["photos"]
    process.database().info["photos"] = Away()
    do("erase")
    do("shred")
    with process.database().reading() as session:
        assert session.get_one(Customer, waited.customer_id).data_key.wrapped is None
        assert session.get_one(Case, over.id).data_key.wrapped is None, "its key goes while its blobs stay"
        assert session.scalars(select(ErasureRow.finished_at)).all() == [None, None]
        assert privacy.counts(session).unwritten == 0
    assert len(tombstones.read(settings, [tombstones.folder(settings)])) == 2
    process.database().info["photos"] = store
    do("erase")
    with process.database().reading() as session:
        assert None not in session.scalars(select(ErasureRow.finished_at)).all()
        blobs = session.scalars(select(Photo.blob).where(Photo.case_id.in_((at_once.id, waited.id, over.id)))).all()
        assert blobs and not set(blobs) & set(dict(store.names()))


def test_one_blob_that_cannot_be_removed_keeps_no_other(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    now = utcnow()
    with process.database().transaction() as session:
        stuck, other = factories.a_draft(session, now=now), factories.a_draft(session, now=now)
        for case in (stuck, other):
            privacy.erase(session, case.customer_id, actor=audit.HOST, reason="wish", now=now)
        bad = session.scalars(select(Photo.blob).where(Photo.case_id == stuck.id)).first()
    store = process.database().info["photos"]
    real = store.shred

    def shred(name: str) -> None:
        if name == bad:
            raise OSError("locked")
        real(name)

    monkeypatch.setattr(store, "shred", shred)
    do("erase")
    assert [name for name, _ in store.names()] == [bad]
    with process.database().reading() as session:
        told = {row.customer_id: row.finished_at for row in session.scalars(select(ErasureRow))}
        assert told[stuck.customer_id] is None and told[other.customer_id] is not None


def test_one_person_who_cannot_be_erased_keeps_nobody_else(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    now = utcnow()
    with process.database().transaction() as session:
        ids = []
        for _ in range(3):
            case = factories.a_rejected(session, now=now - timedelta(days=15))
            ids.append(case.customer_id)
            privacy.erase(session, case.customer_id, actor=audit.HOST, reason="wish", now=now - timedelta(days=14, hours=12))
    real = privacy._destroy

    def destroy(session: Any, row: ErasureRow, *given: Any, **more: Any) -> None:
        real(session, row, *given, **more)
        if row.customer_id == ids[1]:
            raise RuntimeError(factories.OLD_EMAIL)

    monkeypatch.setattr(privacy, "_destroy", destroy)
    with capture_logs() as lines:
        do("erase")
    with process.database().reading() as session:
        assert [session.get_one(Customer, one).data_key.wrapped is None for one in ids] == [True, False, True]
        assert [privacy.of(session, one, now=now).state for one in ids] == ["done", "waiting", "done"]
    settings = process.settings()
    assert len(tombstones.read(settings, [tombstones.folder(settings)])) == 2, "none of whom is not erased"
    [line] = lines
    assert (line["event"], line["task"], line["type"]) == ("task_failed", "erase", "RuntimeError")
    assert set(line) - {"log_level"} <= logs.KEYS and factories.OLD_EMAIL not in str(line)


def test_what_asks_the_store_stands_aside_and_holds_no_transaction(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = {task.name: task for task in upkeep.timetable(process.settings())}
    now = utcnow()
    with process.database().transaction() as session:
        case = factories.a_draft(session, now=now)
        privacy.erase(session, case.customer_id, actor=audit.HOST, reason="wish", now=now)
    store, asked = process.database().info["photos"], []
    real = type(store).shred

    def shred(self: Any, name: str) -> None:
        with process.database().transaction() as session:  # SQLite has one writer: nobody else is writing now
            session.add(Heartbeat(name=f"other-{len(asked)}", at=now))
        asked.append(name)
        real(self, name)

    monkeypatch.setattr(type(store), "shred", shred)
    for name in ("erase", "shred", "remove_orphans"):
        assert tasks[name].aside, "a store that hangs must stop nothing else"
        assert upkeep.attempt(tasks[name])
    assert len(asked) == 3
    assert upkeep.take_turn(tasks["erase"], now=now) == 0, "its turn is taken"


def test_a_mail_that_is_being_sent_is_waited_for(system: System) -> None:
    now = utcnow()
    with process.database().transaction() as session:
        case = factories.a_needs_retake(session, now=now)
        mail = session.scalars(select(Notification.id)).first()
        assert mail is not None and notifications.begin_sending(session, mail, now=now) is not None
        privacy.erase(session, case.customer_id, actor=audit.HOST, reason="order", now=now)
        assert privacy.finish(session, now=now) == 0  # its sender may write the file yet
        assert privacy.finish(session, now=now + timedelta(hours=1)) == 1
