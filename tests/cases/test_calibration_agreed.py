"""The migration that asks two people for a calibration: what held goes on holding, up and down again."""

from __future__ import annotations

import json

from sqlalchemy import text

from cases import schema
from cases.database import make_engine
from tests.cases.test_schema import empty_address

__all__ = ["empty_address"]

DOCUMENT = json.dumps({"label": "own face calibration 1", "card": {}, "tables": {}, "odds": {}})
KEPT = "INSERT INTO calibrations (number, document, base, pairs, created_at) VALUES (:number, :document, 'faces x', 300, :at)"
AT = "2026-11-01 10:00:00+00:00"
HELD = "SELECT id, number, effective_at IS NOT NULL FROM calibration_activations ORDER BY id"
NEWEST = "SELECT number, document IS NULL FROM calibrations ORDER BY number DESC"


def test_what_held_before_goes_on_holding_and_back_again(empty_address):
    engine = make_engine(empty_address())
    with engine.begin() as connection:
        schema.upgrade(connection, "0032")
        connection.execute(text(KEPT), [{"number": n, "document": DOCUMENT, "at": AT} for n in (1, 2)])
        schema.upgrade(connection, "0033")
        assert [tuple(row) for row in connection.execute(text(HELD))] == [(0, 2, True)]
        connection.execute(text(KEPT), [{"number": 3, "document": DOCUMENT, "at": AT}])  # proposed, and nobody confirmed it
        schema.downgrade(connection, "0032")
        assert connection.execute(text(NEWEST)).first() == (4, False)  # what held, once more: the newest holds there
        assert connection.scalar(text("SELECT count(*) FROM calibrations WHERE pairs = 300")) == 4
    engine.dispose()


def test_where_the_shipped_one_held_it_goes_on_holding(empty_address):
    engine = make_engine(empty_address())
    with engine.begin() as connection:
        schema.upgrade(connection, "0032")
        connection.execute(text(KEPT), [{"number": 1, "document": DOCUMENT, "at": AT}, {"number": 2, "document": None, "at": AT}])
        schema.upgrade(connection, "0033")
        assert connection.execute(text(HELD)).all() == []
        connection.execute(text(KEPT), [{"number": 3, "document": DOCUMENT, "at": AT}])
        schema.downgrade(connection, "0032")
        assert connection.execute(text(NEWEST)).first() == (4, True)
    engine.dispose()
