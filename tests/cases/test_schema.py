"""Migrations: they lead to the tables of `models`, and back to nothing."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, make_url, text

from cases import immutability, policies, schema
from cases.__main__ import check, main, migrate
from cases.database import Database, make_engine
from cases.models import Base
from cases.settings import Settings
from tests import factories as a
from tests.conftest import KEYS, settings_in


@pytest.fixture
def empty_address(tmp_path):
    """Returns a function that makes addresses of empty databases of the kind the suite runs on."""
    given = os.environ.get("TEST_DATABASE_URL")
    made = []

    def address() -> str:
        name = f"empty_{secrets.token_hex(6)}"
        if not given:
            return f"sqlite:///{tmp_path / name}.db"
        engine = make_engine(given)
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {name}"))
        engine.dispose()
        made.append(name)
        return make_url(given).update_query_dict({"options": f"-csearch_path={name}"}).render_as_string(hide_password=False)

    yield address
    if given:
        engine = make_engine(given)
        with engine.begin() as connection:
            for name in made:
                connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        engine.dispose()


def shape(connection):
    """Everything the database knows of its tables: columns, keys, checks, indexes, triggers."""
    seen = inspect(connection)
    found = {}
    for table in sorted(seen.get_table_names()):
        if table == "alembic_version":
            continue
        found[table] = {
            "columns": [
                (c["name"], str(c["type"]), c["nullable"], str(c["default"]), c.get("comment")) for c in seen.get_columns(table)
            ],
            "primary": seen.get_pk_constraint(table),
            "foreign": sorted(seen.get_foreign_keys(table), key=lambda k: k["name"] or ""),
            "unique": sorted(seen.get_unique_constraints(table), key=lambda k: k["name"]),
            "checks": sorted((c["name"], c["sqltext"]) for c in seen.get_check_constraints(table)),
            "indexes": sorted(
                (
                    i["name"],
                    tuple(i["column_names"]),
                    bool(i["unique"]),
                    sorted((k, str(v)) for k, v in i.get("dialect_options", {}).items()),
                )
                for i in seen.get_indexes(table)
            ),
        }
        for foreign in found[table]["foreign"]:
            foreign.pop("referred_schema", None)
    if connection.dialect.name == "sqlite":
        triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
    else:
        triggers = connection.execute(
            text(
                "SELECT tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
                "WHERE NOT tgisinternal AND c.relnamespace = current_schema()::regnamespace"
            )
        )
    found["triggers"] = sorted((name, re.sub(r"empty_[0-9a-f]+\.", "", sql)) for name, sql in triggers)
    return found


def test_models_equal_the_migration_head(empty_address):
    made, migrated = make_engine(empty_address()), make_engine(empty_address())
    with made.begin() as connection:
        Base.metadata.create_all(connection)
        wanted = shape(connection)
    with migrated.begin() as connection:
        schema.upgrade(connection)
        assert schema.current(connection) == schema.head()
        assert shape(connection) == wanted
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    assert len(wanted["triggers"]) == len(immutability.TABLES) * 2
    made.dispose()
    migrated.dispose()


def test_every_revision_has_its_way_back_to_nothing_and_up_again(empty_address, tmp_path, now):
    database = Database.open(settings_in(tmp_path, empty_address()))
    migrate(database)
    with database.transaction() as session:
        a.an_approved(session, now=now)  # rows that point in circles
        a.a_rejected(session, now=now)
    with database.engine.begin() as connection:
        schema.downgrade(connection)
        assert [t for t in inspect(connection).get_table_names() if t != "alembic_version"] == []
        assert shape(connection)["triggers"] == []
        assert schema.current(connection) is None
    migrate(database)
    with database.transaction() as session:
        assert policies.current(session).version == 1
        a.an_approved(session, now=now)
    database.dispose()


def test_migrating_may_be_repeated_and_check_says_what_is_missing(empty_address, tmp_path):
    database = Database.open(settings_in(tmp_path, empty_address()))
    assert "migrate" in check(database)[0]
    assert migrate(database) == migrate(database) == f"database at revision {schema.head()}"
    assert check(database) == []
    database.dispose()


def test_check_names_keys_and_stores_that_do_not_fit(database, settings, now):
    with database.transaction() as session:
        a.a_customer(session, now=now)
    other = Database.open(Settings(**{**settings.model_dump(), "master_keys": f"2:{'2b' * 32}"}))
    assert [line for line in check(other) if line.startswith("Keys")] != []
    other.dispose()
    blocked = settings.data_dir / "blocked"
    blocked.write_text("a file, not a folder")
    lost = Database.open(settings.model_copy(update={"storage_url": f"file://{blocked}"}))
    assert "photo store" in check(lost)[0]
    lost.dispose()
    gone = Database.open(settings.model_copy(update={"database_url": "sqlite:////nowhere/at/all.db"}))
    assert "cannot be used" in check(gone)[0]


@pytest.fixture
def environment(settings, monkeypatch):
    for name, value in {
        **KEYS,
        "data_dir": settings.data_dir,
        "database_url": settings.database_url,
        "mode": "development",
    }.items():
        monkeypatch.setenv(name.upper(), str(value))


@pytest.mark.usefixtures("environment")
def test_the_commands(database, now, capsys, monkeypatch, tmp_path):
    with database.transaction() as session:
        a.a_customer(session, now=now)
    assert main(["migrate"]) == 0
    assert main(["check"]) == 0
    assert main(["verify"]) == 0
    assert "Good" in capsys.readouterr().out
    assert main(["verify", "--anchors", str(tmp_path / "none")]) == 1
    assert "BROKEN" in capsys.readouterr().out
    monkeypatch.setenv("MASTER_KEYS", KEYS["master_keys"] + f",2:{'2b' * 32}")
    assert main(["rewrap"]) == 0
    assert "2 keys" in capsys.readouterr().out
    monkeypatch.setenv("MASTER_KEYS", f"2:{'2b' * 32}")
    assert main(["check"]) == 0
    monkeypatch.setenv("MASTER_KEYS", "nonsense")
    assert main(["check"]) == 2
    assert "MASTER_KEYS" in capsys.readouterr().err


def test_immutable_tables_are_those_of_the_models():
    assert set(immutability.TABLES) == {
        "events", "profile_versions", "dispositions", "policies", "calibrations", "reply_versions",
        "practice_answers", "replay_reports", "policy_steps", "halts", "weekly_reports",
    }  # fmt: skip


def test_migrations_name_no_module_that_may_change_under_them():
    """A revision that has run somewhere must stay what it was; triggers are given their tables by name."""
    for file in (Path(schema.MIGRATIONS) / "versions").glob("*.py"):
        code = file.read_text()
        assert "cases.models" not in code and "cases.database" not in code
