"""Notes for the end of a transaction: kept until then, gone with what is rolled back, and with nothing else."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from cases import at_commit
from cases.models import Customer
from tests import factories as a


@pytest.fixture
def told(database):
    """What was told, in its order."""
    return []


def noting(told):
    def settle(_session, notes):
        told.append(notes)

    return settle


def test_what_was_noted_is_told_together_before_the_commit(database, told):
    settle = noting(told)
    with database.transaction() as session:
        at_commit.add(session, settle, 1)
        with session.begin_nested():
            at_commit.add(session, settle, 2)
        assert told == []
    assert told == [[1, 2]]


def test_a_savepoint_that_is_rolled_back_takes_its_notes_and_those_inside_it_along(database, told):
    settle = noting(told)
    with database.transaction() as session:
        at_commit.add(session, settle, "before")
        outer = session.begin_nested()
        at_commit.add(session, settle, "outer")
        with session.begin_nested():
            at_commit.add(session, settle, "inner, released")
        outer.rollback()
    assert told == [["before"]]


def test_a_flush_that_fails_in_a_savepoint_leaves_the_notes_around_it(database, told, now):
    settle = noting(told)
    with database.transaction() as session:
        held = a.a_customer(session, now=now)
        at_commit.add(session, settle, "before")
        with pytest.raises(IntegrityError), session.begin_nested():
            at_commit.add(session, settle, "inside")
            twice = Customer(external_id=held.external_id, locale="en", data_key_id=held.data_key_id, created_at=now)
            session.add(twice)
            session.flush()
        session.execute(text("SELECT 1"))
    assert told == [["before"]]


def test_a_transaction_that_fails_tells_nothing_and_neither_does_the_next(database, told):
    settle = noting(told)
    with pytest.raises(ZeroDivisionError), database.transaction() as session:
        at_commit.add(session, settle, 1)
        raise ZeroDivisionError
    with database.transaction() as session:
        session.execute(text("SELECT 1"))
    assert told == []
