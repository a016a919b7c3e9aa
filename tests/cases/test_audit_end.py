"""The end of the trail is read once in a transaction, and read anew whenever a part of it was rolled back."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.orm import Session

from cases import audit
from cases.models import Customer, Event
from tests import factories as a


def said(session: Session, now, count: int = 1) -> None:
    for _time in range(count):
        audit.record(session, "recipients_forgotten", actor=audit.SYSTEM, now=now, count=1)


def ids(database) -> list[int]:
    with database.reading() as session:
        assert audit.verify(session).ok
        return list(session.scalars(select(Event.id).order_by(Event.id)))


@pytest.fixture
def statements(database):
    """What is sent to the database, as text."""
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_rest):
        sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield sent
    event.remove(database.engine, "before_cursor_execute", note)


def reads(statements: list[str]) -> int:
    return sum("FROM events" in one for one in statements)


def turns(statements: list[str]) -> int:
    return sum("pg_advisory_xact_lock" in one for one in statements)


def test_many_events_of_one_transaction_read_the_end_once(database, now, statements):
    postgres = database.engine.dialect.name == "postgresql"
    with database.transaction() as session:
        said(session, now, 5)
    assert reads(statements) == 1 and turns(statements) == postgres
    with database.transaction() as session:  # nothing is remembered from one transaction to the next
        said(session, now, 2)
    assert reads(statements) == 2 and turns(statements) == 2 * postgres
    assert ids(database) == list(range(1, len(ids(database)) + 1))


def test_events_recorded_together_are_written_together(database, now, statements):
    with database.transaction() as session, audit.together(session):
        said(session, now, 5)
        assert not any("INSERT INTO events" in one for one in statements)
    assert sum("INSERT INTO events" in one for one in statements) == 1
    with database.transaction() as session:  # and one by one again afterwards
        said(session, now, 2)
    assert sum("INSERT INTO events" in one for one in statements) == 3
    assert ids(database)


def test_what_was_changed_before_an_event_is_written_with_it_as_ever(database, now, statements):
    with database.transaction() as session:
        customer = a.a_customer(session, now=now)
        said(session, now)
        customer.locale = "kk"
        said(session, now)
        assert any("UPDATE customers SET locale" in one for one in statements)


def test_a_session_used_again_reads_the_end_again(database, now):
    first, second = database.session(), database.session()
    for _round in range(3):
        for session in (first, second):  # in turn: what one knew of the end is old by the time it writes again
            said(session, now, 2)
            session.commit()
    said(first, now)
    first.rollback()
    said(second, now)
    second.commit()
    said(first, now)
    first.close()
    said(first, now)
    first.commit()
    for session in (first, second):
        session.close()
    ids(database)


def test_a_savepoint_that_is_rolled_back_takes_its_events_and_the_known_end(database, now):
    with database.transaction() as session:
        before = session.scalar(select(func.count()).select_from(Event))
        said(session, now)
        inner = session.begin_nested()
        said(session, now, 2)
        inner.rollback()
        said(session, now)
        with session.begin_nested():
            said(session, now)
            deepest = session.begin_nested()
            said(session, now)
            deepest.rollback()
            said(session, now)
        said(session, now)
    assert len(ids(database)) == before + 5


def test_what_the_tables_refuse_inside_a_savepoint_leaves_the_chain_whole(database, now):
    with database.transaction() as session:
        taken = a.a_customer(session, now=now).external_id
        with pytest.raises(Exception, match=r"(?i)unique"), session.begin_nested():
            said(session, now)
            other = a.a_customer(session, now=now)
            other.external_id = taken
            said(session, now)
        said(session, now)
        assert session.scalar(select(func.count()).select_from(Customer)) == 1
    ids(database)


@pytest.mark.postgres
def test_a_turn_taken_inside_a_savepoint_and_given_back_with_it_is_taken_anew(database, now):
    """PostgreSQL gives a lock back with the savepoint it was taken in: another writer may come between."""
    if database.engine.dialect.name != "postgresql":
        pytest.skip("on SQLite the whole transaction is one writer's; needs TEST_DATABASE_URL")
    with database.transaction() as session:
        inner = session.begin_nested()
        said(session, now)
        inner.rollback()
        with database.transaction() as another:
            another.execute(text("SET LOCAL lock_timeout = '5s'"))
            said(another, now, 3)  # would wait for ever, had the savepoint kept the turn
        said(session, now)
    ids(database)


@pytest.mark.postgres
def test_while_a_transaction_knows_the_end_nobody_else_appends(database, now):
    if database.engine.dialect.name != "postgresql":
        pytest.skip("on SQLite the whole transaction is one writer's; needs TEST_DATABASE_URL")
    written = threading.Event()

    def another() -> None:
        with database.transaction() as other:
            said(other, now)
        written.set()

    thread = threading.Thread(target=another)
    with database.transaction() as session:
        said(session, now)
        inner = session.begin_nested()
        said(session, now)
        inner.rollback()  # the turn was taken before the savepoint: it stays
        thread.start()
        with database.reading() as look:  # until it is seen to wait
            waits = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = :number")
            while not look.scalar(waits, {"number": audit.CHAIN_LOCK}):
                look.rollback()
        assert not written.is_set()
        said(session, now, 2)
    thread.join(30)
    assert written.is_set()
    ids(database)
