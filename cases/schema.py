"""Bring a database to the newest revision, or back to nothing, and say at which revision it stands."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

MIGRATIONS = Path(__file__).with_name("migrations")

MIGRATION_LOCK = 7_310_003
"""PostgreSQL advisory lock: several processes may start at once, one migrates."""


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run what is missing, in the connection's transaction. The caller commits."""
    _one_at_a_time(connection)
    command.upgrade(_config(connection), revision)


def downgrade(connection: Connection, revision: str = "base") -> None:
    """Undo, in the connection's transaction. Loses data."""
    _one_at_a_time(connection)
    command.downgrade(_config(connection), revision)


def current(connection: Connection) -> str | None:
    """The revision the database stands at; None before the first."""
    return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The newest revision there is."""
    newest = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    assert newest is not None
    return newest


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _one_at_a_time(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_advisory_xact_lock(CAST(:number AS integer), hashtext(current_schema()))"), {"number": MIGRATION_LOCK}
        )
