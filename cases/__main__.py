"""Commands of the records.

python -m cases migrate     bring the database to the newest revision and install the shipped policy
python -m cases check       say whether database, keys and photo store can be worked with; writes and removes one test blob
python -m cases verify      walk the audit chain; `--anchors FOLDER` also compares it with the anchor file
python -m cases rewrap      wrap all data keys under the newest master key
python -m cases replay-tombstones FILE   erase again whom a backup restored by other means brought back
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from cases import audit, backups, keys, policies, privacy, retention, schema, tombstones
from cases.crypto import Unreadable, vault_of
from cases.database import Database, utcnow
from cases.models import DataKey
from cases.photo_store import store_of
from cases.settings import Settings, SettingsError


def migrate(database: Database) -> str:
    """Bring the tables to the newest revision. May be repeated, and started by several processes at once."""
    with database.engine.begin() as connection:
        before = schema.current(connection)
        schema.upgrade(connection)
    with database.transaction() as session:
        policies.install_shipped(session, now=utcnow())
        if before != schema.head():
            audit.record(session, "migrated", actor=audit.SYSTEM, now=utcnow(), revision=schema.head())
    return f"database at revision {schema.head()}"


def check(database: Database) -> list[str]:
    """Return what is wrong, in plain sentences; empty = everything can be worked with."""
    wrong = []
    try:
        with database.engine.connect() as connection:
            stands = schema.current(connection)
        if stands != schema.head():
            return [f"The database is at revision {stands or 'nothing'}, not {schema.head()}: run python -m cases migrate."]
        with database.reading() as session:
            policies.current(session)
            newest = select(DataKey).where(DataKey.wrapped.is_not(None)).order_by(DataKey.created_at.desc()).limit(100)
            for key in session.scalars(newest):
                try:
                    vault_of(session).seal(key, b"", "check")
                except Unreadable as error:
                    wrong.append(f"Keys: {error}.")
                    break
            store = store_of(session)
    except policies.NoPolicy as error:
        return [f"{error}."]
    except SQLAlchemyError as error:
        return [f"The database cannot be used: {type(error).__name__}."]
    name, blob = secrets.token_hex(16), os.urandom(32)
    try:
        store.put(name, blob)
        if store.read(name) != blob:
            wrong.append("The photo store gives back other bytes than it was given.")
        store.shred(name)
    except Exception as error:  # any trouble of any store is what this command reports
        wrong.append(f"The photo store cannot be used: {type(error).__name__}.")
    return wrong


def main(arguments: list[str]) -> int:
    """Run one command; 0 = fine, 1 = something is wrong, 2 = settings or arguments are."""
    parser = argparse.ArgumentParser(prog="python -m cases", description="Commands of the records.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help="bring the database to the newest revision and install the shipped policy")
    commands.add_parser("check", help="say whether database, keys and photo store can be worked with")
    commands.add_parser("verify", help="walk the audit chain").add_argument(
        "--anchors", type=Path, help="anchor file or its folder"
    )
    commands.add_parser("rewrap", help="wrap all data keys under the newest master key")
    replay = commands.add_parser("replay-tombstones", help="erase again whom a backup restored by other means brought back")
    replay.add_argument("file", type=Path, help="the file of tombstones or its folder")
    given = parser.parse_args(arguments)
    try:
        database = Database.open(Settings.load())
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        return _run(given, database)
    finally:
        database.dispose()


def _run(given: argparse.Namespace, database: Database) -> int:
    if given.command == "migrate":
        print(migrate(database))
        return 0
    if given.command == "check":
        wrong = check(database)
        print("\n".join(wrong) or "Database, keys and photo store can be worked with.", file=sys.stderr if wrong else sys.stdout)
        return 1 if wrong else 0
    if given.command == "verify":
        with database.reading() as session:
            verdict = audit.verify(session, anchors=given.anchors)
        place = "" if verdict.broken_at is None else f" at event {verdict.broken_at}"
        print(f"{'Good' if verdict.ok else 'BROKEN'}{place}: {verdict.why}. {verdict.count} events are in order.")
        return 0 if verdict.ok else 1
    if given.command == "replay-tombstones":
        try:
            lines = tombstones.read(database.settings, [given.file])
        except tombstones.Tampered as error:
            print(f"{error}. Nothing was changed.", file=sys.stderr)
            return 1
        with database.transaction() as session:
            backups.step_over(session)
            persons, requests = privacy.replay(session, lines, now=utcnow())
        retention.remove_blobs(database, now=utcnow())
        with database.transaction() as session:
            privacy.finish(session, now=utcnow(), blobs=False)
        print(f"{len(lines)} tombstones read; erased again: {persons} persons, {requests} single requests")
        return 0
    print(f"{keys.rotate(database, now=utcnow())} keys wrapped anew")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
