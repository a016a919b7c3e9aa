"""Engine, transactions and the clock. The only module that knows how SQLite differs from PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import DateTime, Engine, TypeDecorator, create_engine, event, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session, sessionmaker

if TYPE_CHECKING:
    from cases.settings import Settings

BUSY_SECONDS = 15
"""How long a writer waits for another on SQLite. Measured with 6 writers: `BEGIN IMMEDIATE` loses none, p99 11 ms."""


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time, always UTC and aware. SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Refuse naive times: they are nearly always a mistake."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def make_engine(url: str) -> Engine:
    """Return an engine for `url`: SQLite in WAL mode with `BEGIN IMMEDIATE`, or PostgreSQL.

    Parameters never show in logs or errors: they may speak of people.
    """
    if not url.startswith("sqlite"):
        if url.startswith("postgresql://"):
            url = url.replace("postgresql://", "postgresql+psycopg://", 1)
        return create_engine(url, pool_pre_ping=True, hide_parameters=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's own BEGIN below, not the driver's
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA secure_delete=ON")  # a destroyed key must not linger in free pages
        cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # Taking the write lock at once avoids the deadlock of two readers that both want to write.
        reads = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


class Database:
    """One engine and the sessions made from it; a process has one, made after the fork.

    Every session carries `info["settings"]`, `info["vault"]` and `info["photos"]`, so that the functions of
    `cases` need no globals.
    """

    def __init__(self, url: str, *, info: dict[str, Any] | None = None) -> None:
        self.engine = make_engine(url)
        self.info: dict[str, Any] = info or {}
        self._sessions = sessionmaker(self.engine, expire_on_commit=False, info=self.info)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The database, vault and photo store that `settings` name. Opens no connection yet. Raises SettingsError."""
        from cases.crypto import Vault  # here, because both import models, which import this module
        from cases.photo_store import open_store

        vault = Vault(settings.keyring, newest=settings.master_key_version)
        return cls(
            settings.database_url,
            info={"settings": settings, "vault": vault, "photos": open_store(settings.storage_url)},
        )

    @property
    def settings(self) -> Settings:
        """The settings it was opened with."""
        settings: Settings = self.info["settings"]
        return settings

    def session(self) -> Session:
        """A new session; the caller closes it."""
        return self._sessions()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Commit at the end, roll back on any exception."""
        with self._sessions() as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads: on SQLite it takes no write lock, PostgreSQL refuses writes. Never commits."""
        options: dict[str, Any] = {"read_only": True}
        if self.engine.dialect.name == "postgresql":
            options["postgresql_readonly"] = True
        with self.engine.connect().execution_options(**options) as connection, Session(connection, info=self.info) as session:
            yield session

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()


MACHINE_TROUBLE = (OperationalError, InterfaceError, NoConnection, MemoryError)
"""Trouble of the machine, not of a row: the database is away, locked, or ended a deadlock. The next pass tries again."""


def one_at_a_time(session: Session, number: int) -> None:
    """Let only one transaction at a time past this point, until it ends. `number` names the queue.

    On SQLite `BEGIN IMMEDIATE` has done so already. On PostgreSQL each schema has queues of its own.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(
            text("SELECT pg_advisory_xact_lock(CAST(:number AS integer), hashtext(current_schema()))"), {"number": number}
        )


def utcnow() -> datetime:
    """Now, aware, UTC. Only the edges (views, jobs, commands) call this; everything inside is told the time."""
    return datetime.now(UTC)
