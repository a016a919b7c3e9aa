"""A person is erased while the whole system runs: nothing of hers is left in Redis, in the logs, or among the mails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cases import audit, notifications, privacy, tombstones
from cases.database import Database, utcnow
from cases.host_tables import ErasureRow
from cases.models import Customer, Notification, Photo
from cases.settings import Settings
from tests import factories
from tests.workers.system import System, Valkey, valkey
from workers import notify, process, queues, upkeep


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
    assert task.in_turn is not None
    with process.database().transaction() as session:
        task.in_turn(session)


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


def test_a_mail_that_is_being_sent_is_waited_for(system: System) -> None:
    now = utcnow()
    with process.database().transaction() as session:
        case = factories.a_needs_retake(session, now=now)
        mail = session.scalars(select(Notification.id)).first()
        assert mail is not None and notifications.begin_sending(session, mail, now=now) is not None
        privacy.erase(session, case.customer_id, actor=audit.HOST, reason="order", now=now)
        assert privacy.finish(session, now=now) == 0  # its sender may write the file yet
        assert privacy.finish(session, now=now + timedelta(hours=1)) == 1
