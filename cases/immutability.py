"""Triggers that refuse UPDATE and DELETE on tables whose rows stand for ever. Used by `create_all` and by migrations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, event, text

from cases import desk_tables, host_tables, ops_tables
from cases.models import IMMUTABLE, Base

_APPEND_ONLY: tuple[type[Base], ...] = (*IMMUTABLE, *desk_tables.APPEND_ONLY, *ops_tables.APPEND_ONLY, *host_tables.APPEND_ONLY)
TABLES = tuple(model.__tablename__ for model in _APPEND_ONLY)
"""Names of the tables; a later migration that adds one passes its own."""


def statements(dialect: str, tables: tuple[str, ...] = TABLES) -> Iterator[str]:
    """SQL that makes the triggers; on PostgreSQL TRUNCATE is refused as well."""
    if dialect == "sqlite":
        for table in tables:
            for verb in ("UPDATE", "DELETE"):
                yield (
                    f"CREATE TRIGGER {table}_refuse_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        return
    yield (
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in tables:
        for name, when, each in (("change", "UPDATE OR DELETE", "ROW"), ("truncate", "TRUNCATE", "STATEMENT")):
            trigger = f"{table}_refuse_{name}"
            yield f"CREATE TRIGGER {trigger} BEFORE {when} ON {table} FOR EACH {each} EXECUTE FUNCTION refuse_change()"


def removal(dialect: str, tables: tuple[str, ...] = TABLES) -> Iterator[str]:
    """SQL that removes them, for a downgrade to nothing."""
    if dialect == "sqlite":
        for table in tables:
            for verb in ("update", "delete"):
                yield f"DROP TRIGGER IF EXISTS {table}_refuse_{verb}"
        return
    for table in tables:
        yield f"DROP TRIGGER IF EXISTS {table}_refuse_change ON {table}"
        yield f"DROP TRIGGER IF EXISTS {table}_refuse_truncate ON {table}"
    yield "DROP FUNCTION IF EXISTS refuse_change()"


@event.listens_for(Base.metadata, "after_create")
def _make(_target: Any, connection: Connection, **_: Any) -> None:
    for statement in statements(connection.dialect.name):
        connection.execute(text(statement))
