"""The audit trail: who may be written into it, and that nothing in it can be changed unseen."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError

from cases import audit, immutability
from cases.models import Disposition, Event, PolicyVersion, ProfileVersion
from tests import factories as a


def test_events_are_numbered_without_a_gap_and_verify(database, now):
    with database.transaction() as session:
        a.an_approved(session, now=now)
    with database.transaction() as session:
        a.a_rejected(session, now=now)
    with database.reading() as session:
        ids = list(session.scalars(select(Event.id).order_by(Event.id)))
        assert ids == list(range(1, len(ids) + 1))
        assert audit.verify(session) == audit.Verdict(
            ok=True, count=len(ids), broken_at=None, why="every event is as it was written"
        )


def test_a_lost_transaction_leaves_no_gap(database, now):
    with database.transaction() as session:
        a.a_customer(session, now=now)
    with pytest.raises(RuntimeError), database.transaction() as session:
        a.a_customer(session, now=now)
        raise RuntimeError
    with database.transaction() as session:
        a.a_customer(session, now=now)
        assert audit.verify(session).ok


@pytest.mark.parametrize(
    ("kind", "actor", "details"),
    [
        ("made_up", audit.SYSTEM, {}),
        ("submitted", audit.MACHINE, {}),  # machines do not submit
        ("submitted", audit.Actor(kind="customer", id="1"), {"surname": "X"}),
        ("submitted", audit.Actor(kind="customer", id="1"), {"old": "a b"}),  # no free text
        ("submitted", audit.Actor(kind="customer", id="1"), {"old": "Иванова"}),
        ("submitted", audit.Actor(kind="customer", id="1"), {"old": "a@example.test"}),
        ("submitted", audit.Actor(kind="customer", id="1"), {"attempt": float("nan")}),
        ("submitted", audit.Actor(kind="customer", id="1"), {"old": {"surname": "x"}}),
        ("submitted", audit.Actor(kind="customer", id="1"), {"old": b"x"}),
    ],
)
def test_what_is_not_on_the_list_is_refused_without_being_shown(session, now, kind, actor, details):
    before = session.scalars(select(Event.id)).all()
    with pytest.raises(ValueError) as refused:
        audit.record(session, kind, actor=actor, now=now, **details)
    assert not any(str(value) in str(refused.value) for value in details.values() if isinstance(value, str))
    assert session.scalars(select(Event.id)).all() == before


@pytest.mark.parametrize("model", [Event, ProfileVersion, Disposition, PolicyVersion])
@pytest.mark.parametrize("verb", ["update", "delete"])
def test_what_stands_for_ever_cannot_be_changed_or_deleted(database, now, model, verb):
    with database.transaction() as session:
        a.a_rejected(session, now=now)
    column = {Event: "kind", ProfileVersion: "number", Disposition: "action", PolicyVersion: "reason"}[model]
    statement = update(model).values({column: getattr(model, column)}) if verb == "update" else delete(model)
    with pytest.raises(DBAPIError, match="append-only"), database.transaction() as session:
        session.execute(statement)


@pytest.mark.postgres
def test_truncate_is_refused_as_well(database):
    if database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no TRUNCATE; needs TEST_DATABASE_URL")
    for table in immutability.TABLES:
        with pytest.raises(DBAPIError, match="append-only"), database.transaction() as session:
            session.execute(text(f"TRUNCATE {table} CASCADE"))


def tamper(database, statement, **values):
    """What someone with the database file could do: past the triggers."""
    with database.engine.begin() as connection:
        dialect = connection.dialect.name
        if dialect == "postgresql":
            connection.execute(text("ALTER TABLE events DISABLE TRIGGER USER"))
        else:
            for verb in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER events_refuse_{verb}"))
        connection.execute(statement if not isinstance(statement, str) else text(statement), values)
        if dialect == "postgresql":
            connection.execute(text("ALTER TABLE events ENABLE TRIGGER USER"))
        else:
            for sql in immutability.statements("sqlite", ("events",)):
                connection.execute(text(sql))


CHANGES = {
    "at": lambda row: row.at + timedelta(microseconds=1),
    "kind": lambda row: "submitted" if row.kind != "submitted" else "withdrawn",
    "actor_kind": lambda row: row.actor_kind + "x",
    "actor_id": lambda row: "1" if row.actor_id is None else None,
    "case_id": lambda row: uuid4(),
    "customer_id": lambda row: uuid4(),
    "details": lambda row: {**row.details, "old": "x"},
    "previous": lambda row: "f" * 64,
    "hash": lambda row: "f" * 64,
}


@pytest.mark.parametrize("column", sorted(CHANGES))
def test_a_change_in_any_column_is_found_and_named(database, now, column):
    with database.transaction() as session:
        a.an_approved(session, now=now)
        row = session.get_one(Event, 5)
        value = CHANGES[column](row)
    tamper(database, update(Event).where(Event.id == 5).values({column: value}))
    with database.reading() as session:
        verdict = audit.verify(session)
        assert not verdict.ok and verdict.broken_at == 5


def test_every_column_is_covered_by_the_test_above():
    assert {c.name for c in Event.__table__.columns} == {"id", *CHANGES}


def test_an_event_taken_out_of_the_middle_is_missed(database, now):
    with database.transaction() as session:
        a.an_approved(session, now=now)
    tamper(database, delete(Event).where(Event.id == 4))
    with database.reading() as session:
        assert audit.verify(session).broken_at == 4


def test_a_row_sealed_with_another_key_is_found(database, now):
    with database.transaction() as session:
        a.an_approved(session, now=now)
        row = session.get_one(Event, 1)
        forged = audit._seal(b"a guessed key", row.previous, {**vars(row), "details": {}})
    tamper(database, update(Event).where(Event.id == 1).values(details={}, hash=forged))
    with database.reading() as session:
        assert audit.verify(session).broken_at == 1


def test_a_cut_off_tail_is_found_by_the_anchor_only(database, now, tmp_path):
    with database.transaction() as session:
        a.an_approved(session, now=now)
        count = audit.verify(session).count
        head = audit.anchor(session, tmp_path / "anchors", now=now)
        assert head == session.get_one(Event, count).hash
    with database.transaction() as session:
        a.a_customer(session, now=now)
        audit.anchor(session, tmp_path / "anchors", now=now)
        assert audit.verify(session, anchors=tmp_path / "anchors").ok
        assert audit.verify(session, anchors=tmp_path / "anchors" / audit.ANCHOR_FILE).ok
    tamper(database, delete(Event).where(Event.id > count - 2))
    with database.reading() as session:
        assert audit.verify(session).ok
        verdict = audit.verify(session, anchors=tmp_path / "anchors")
        assert not verdict.ok and verdict.broken_at == count - 1


def test_an_anchor_file_that_was_changed_or_is_missing_is_told(database, now, tmp_path):
    with database.transaction() as session:
        a.a_customer(session, now=now)
        audit.anchor(session, tmp_path, now=now)
        file = tmp_path / audit.ANCHOR_FILE
        lines = file.read_text()
        file.write_text(lines.replace(" ", "  ", 1))
        assert "line 1" in audit.verify(session, anchors=file).why
        file.write_text(lines[:-10] + "0123456789\n")
        assert not audit.verify(session, anchors=file).ok
        file.unlink()
        assert "missing" in audit.verify(session, anchors=file).why


def test_the_trail_holds_no_personal_data(database, now):
    with database.transaction() as session:
        a.an_approved(session, now=now, new_email=a.NEW_EMAIL)
        a.a_rejected(session, now=now)
        a.a_reverted(session, now=now)
        trail = json.dumps([[e.kind, e.actor_id, e.details] for e in session.scalars(select(Event))])
    for word in a.PERSONAL:
        if len(word) > 3:  # codes of countries and sexes are no names
            assert word not in trail


def test_a_long_chain_verifies_quickly(database, now):
    with database.transaction() as session:
        customer = a.a_customer(session, now=now)
        for _ in range(300):
            audit.record(session, "link_used", actor=audit.Actor.customer(customer), now=now, purpose="case")
        assert audit.verify(session).count >= 300
