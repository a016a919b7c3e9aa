"""Fixtures for the whole suite: settings, a fresh database per test, the time.

SQLite in the test's own folder; PostgreSQL where TEST_DATABASE_URL names one (a schema for each xdist worker).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.orm import Session

from cases import policies, schema
from cases.crypto import Vault
from cases.database import Database, make_engine
from cases.models import Base
from cases.settings import Mode, Settings
from tests import quick
from tests.leaks import alarm, no_leak

__all__ = ["alarm", "no_leak"]  # fixtures of the whole suite

if "PYTEST_VERSION" in os.environ:  # and not in a benchmark that borrows these fixtures
    quick.everything()

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

KEYS = {"secret_key": "s" * 64, "audit_key": "a" * 64, "master_keys": f"1:{'1a' * 32}"}
"""Fixed, so that a prepared database can be copied: its audit chain is sealed with this key."""


def settings_in(folder: Path, database_url: str = "", **changes: object) -> Settings:
    """Development settings that keep everything in `folder`. Agents' answers take effect at once unless a test says otherwise."""
    given = {"undo_seconds": 0, **changes}
    return Settings(mode=Mode.DEVELOPMENT, data_dir=folder, database_url=database_url, **KEYS, **given).completed()  # type: ignore[arg-type]


def prepare(settings: Settings) -> None:
    """Tables, triggers and the shipped policy."""
    database = Database.open(settings)
    with database.engine.begin() as connection:
        schema.upgrade(connection)
    with database.transaction() as session:
        policies.install_shipped(session, now=NOW)
    database.dispose()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what wants a database: once more on PostgreSQL, where the rest would only be seen to do what it did before."""
    for item in items:
        if {"prepared", "empty_address"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("database")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | Path]:
    """A migrated database: the address of a PostgreSQL schema of this worker's own, or an SQLite file to be copied."""
    given = os.environ.get("TEST_DATABASE_URL")
    folder = tmp_path_factory.mktemp("prepared")
    if not given:
        prepare(settings_in(folder))
        yield folder / "peremena.db"
        return
    name = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
    engine = make_engine(given)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    url = make_url(given).update_query_dict({"options": f"-csearch_path={name}"}).render_as_string(hide_password=False)
    prepare(settings_in(folder, url))
    yield url
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
    engine.dispose()


@pytest.fixture
def settings(prepared: str | Path, tmp_path: Path) -> Settings:
    """Settings of a system of this test's own. The database behind them is migrated and empty."""
    if isinstance(prepared, str):
        return settings_in(tmp_path, prepared)
    shutil.copy(prepared, tmp_path / "peremena.db")
    return settings_in(tmp_path)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A fresh database with the shipped policy, its vault and its photo store."""
    opened = Database.open(settings)
    yield opened
    if opened.engine.dialect.name == "postgresql":
        empty(opened)
    opened.dispose()


def empty(database: Database) -> None:
    """Empty a PostgreSQL schema, past triggers and foreign keys, and install the shipped policy again.

    Only the tables that hold something, row by row: to truncate all of them takes twenty times as long.
    """
    database.engine.dispose()
    tables = [table.name for table in Base.metadata.sorted_tables]
    asked = " UNION ALL ".join(f"(SELECT '{name}' FROM {name} LIMIT 1)" for name in tables)
    with database.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for name in connection.scalars(text(asked)).all():
            connection.execute(text(f"DELETE FROM {name}"))
        ours = text("SELECT sequencename FROM pg_sequences WHERE schemaname = current_schema() AND last_value IS NOT NULL")
        for sequence in connection.scalars(ours).all():
            connection.execute(text(f"ALTER SEQUENCE {sequence} RESTART"))
    with database.transaction() as session:
        policies.install_shipped(session, now=NOW)


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """One transaction around the test, committed at its end. On SQLite nobody else can write meanwhile."""
    with database.transaction() as opened:
        yield opened


@pytest.fixture
def now() -> datetime:
    """The time at which every test begins."""
    return NOW


@pytest.fixture
def vault(database: Database) -> Vault:
    """The vault of this test's database."""
    found: Vault = database.info["vault"]
    return found


CHROMIUM = "/usr/bin/chromium"
"""With all that a browser has, cameras among it."""
SHELL = "/usr/bin/chromium-headless-shell"
"""The same engine of the same source package without a browser's own interface: pages cost it half the processor's time."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, one for the whole session; nothing is downloaded. Skips where it is not installed."""
    api = pytest.importorskip("playwright.sync_api")
    program = next((path for path in (SHELL, CHROMIUM) if Path(path).exists()), None)
    if program is None:
        pytest.skip("needs Debian's chromium-headless-shell or chromium")
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    quiet.append("--accept-lang=en-US")  # as a browser says it; the shell by itself names no language at all
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu", *quiet])
        yield browser
        browser.close()
