"""Copy a running system away, check such a copy, bring it back into an empty one, and a drill that does all three aside.

A folder of backups holds one folder for each time (database, list of pictures, manifest, signature), the pictures' ciphertext
once for all of them, and the file of tombstones. What it never holds are the master keys, AUDIT_KEY and SECRET_KEY: without the
master keys nothing in it can be read, so they are kept elsewhere, and a restore asks for the same ones.

A picture whose key was destroyed leaves the folder with the next backup; who was erased after a backup is erased again when it is
restored (`cases.tombstones`). The manifest is signed with a key derived from AUDIT_KEY, and names the head of the audit chain.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import URL, Engine, delete, func, inspect, make_url, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from cases import audit, photo_store, privacy, retention, schema, tombstones
from cases.database import Database, make_engine
from cases.desk_tables import Paper, Presence
from cases.host_tables import ErasureRow
from cases.models import (
    Base,
    Case,
    Customer,
    CustomerSession,
    DataKey,
    DeviceLink,
    Event,
    HeadTurn,
    Heartbeat,
    Link,
    Message,
    Photo,
    Staff,
)
from cases.photo_store import BlobExists, BlobMissing, PhotoStore
from cases.settings import Settings

FORMAT = "peremena backup 1"
MANIFEST, SIGNATURE, PICTURES = "manifest.json", "manifest.sig", "pictures.txt"
SQLITE, POSTGRES = "database.sqlite3", "database.pgdump"
BLOBS = "photos"
STAMP = "%Y%m%dT%H%M%SZ"
KEEP = 14
"""Backups that stay in a folder; a daily one then reaches two weeks back, as far as "this was not me" does."""

RUNNING = timedelta(minutes=1)
"""A process that was heard of this lately still runs: nothing is restored under its feet."""

FORGOTTEN = (CustomerSession, DeviceLink, Presence, Heartbeat)
"""Not brought back to life: sessions that were ended since, signs of life. Nor are the host's links into a session, which work
once and may have been used since; those that mails carry ("this was not me", the way to a request) work as often as they are
opened until they expire, and whoever got such a mail relies on it."""

SEQUENCE_STEP = 1_000_000
"""Added to each case's number of webhook events. Receivers drop what is not above the last number that they saw, and a restore
goes back to a smaller one; no case has had so many events since its backup, and the column has room for 2000 restores."""

_WITH_BLOBS: tuple[Any, ...] = (Photo, HeadTurn, Message, Paper)
_STAMPED = re.compile(r"\d{8}T\d{6}Z(-\d+)?")


class BackupFailed(Exception):
    """It cannot be done; the text says why and what to do, and holds nothing of anybody."""


class NotGenuine(BackupFailed):
    """The backup is not what was written: a part is missing or was changed."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a backup wrote."""

    name: str
    revision: str
    database_bytes: int
    events: int
    pictures: int  # that the database knows and that can be opened
    copied: int  # of these, new in the folder
    removed: int  # pictures that left the folder: their keys are destroyed
    missing: int  # pictures that the store does not have
    sha256: str  # of the manifest


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a genuine backup says of itself."""

    name: str
    made_at: datetime
    revision: str
    dialect: str
    events: int
    head: str
    pictures: int
    customers: int
    master_versions: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What a restore brought back, and what it found when it looked."""

    name: str
    made_at: datetime
    events: int
    rows: int  # of all tables; as many as were copied
    chain: str  # what verifying the audit chain said
    pictures: int  # copied into the store
    opened: int  # opened and found to be what was stored
    broken: int
    erased_again: int  # persons who were erased since
    requests_erased_again: int


# --- Copy away


def backup(database: Database, folder: Path, *, now: datetime, keep: int = KEEP, note: bool = True) -> Made:
    """Copy database and pictures into `folder`; everybody may go on working meanwhile. Raises BackupFailed, OSError.

    The database is copied as of one moment, the pictures after it: a blob is written before its row, so none is missed.
    """
    settings = database.settings
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = _free_name(folder, now)
    partial = folder / f".{name}"
    partial.mkdir(mode=0o700)
    try:
        facts, file = _copy_database(database, partial)
        listed, copied, missing = _copy_blobs(database.info["photos"], folder, facts["blobs"])
        (partial / PICTURES).write_text("".join(f"{sha256} {size} {blob}\n" for blob, (sha256, size) in sorted(listed.items())))
        manifest = {
            "format": FORMAT,
            "made_at": now.astimezone(UTC).isoformat(timespec="seconds"),
            "dialect": database.engine.dialect.name,
            **{key: value for key, value in facts.items() if key != "blobs"},
            "pictures": len(listed),
            "missing": missing,
            "files": {one: _sha256(partial / one) for one in (file, PICTURES)},
            "master_keys": "not in it: keep them apart from the backups",
        }
        data = json.dumps(manifest, indent=1, sort_keys=True).encode() + b"\n"
        (partial / MANIFEST).write_bytes(data)
        (partial / SIGNATURE).write_bytes(_signer(settings).sign(data))
        for one in partial.iterdir():
            _sync(one)
        partial.rename(folder / name)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    with database.reading() as session:
        _write_tombstones(session, settings, folder)
    removed = _prune_blobs(folder, set(facts["blobs"]))
    for old in names(folder)[:-keep] if keep else []:
        shutil.rmtree(folder / old)
    digest = hashlib.sha256(data).hexdigest()
    if note:
        with database.transaction() as session:
            audit.record(
                session, "backed_up", actor=audit.SYSTEM, now=now, backup=name, events=facts["events"], photos=len(listed),
                sha256=digest,
            )  # fmt: skip
    return Made(
        name=name,
        revision=facts["revision"],
        database_bytes=(folder / name / file).stat().st_size,
        events=facts["events"],
        pictures=len(listed),
        copied=copied,
        removed=removed,
        missing=missing,
        sha256=digest,
    )


def names(folder: Path) -> list[str]:
    """The backups in a folder, the oldest first; what was cut off while it was made is none."""
    if not folder.is_dir():
        return []
    return sorted(one.name for one in folder.iterdir() if _STAMPED.fullmatch(one.name) and (one / MANIFEST).exists())


def _free_name(folder: Path, now: datetime) -> str:
    name = now.astimezone(UTC).strftime(STAMP)
    number = 1
    while (folder / name).exists() or (folder / f".{name}").exists():
        number += 1
        name = f"{now.astimezone(UTC).strftime(STAMP)}-{number}"
    return name


def _facts(session: Session) -> dict[str, Any]:
    """What the manifest says of the database, read in the very snapshot that is copied."""
    last = session.execute(select(Event.id, Event.hash).order_by(Event.id.desc()).limit(1)).one_or_none()
    blobs: list[str] = []
    for model in _WITH_BLOBS:
        live = (model.blob.is_not(None), model.shredded_at.is_(None), DataKey.wrapped.is_not(None))
        blobs += session.scalars(select(model.blob).join(DataKey, DataKey.id == model.data_key_id).where(*live))
    versions = session.scalars(select(DataKey.master_version).where(DataKey.wrapped.is_not(None)).distinct()).all()
    return {
        "revision": schema.current(session.connection()) or "",
        "events": last.id if last else 0,
        "head": last.hash if last else audit.BEGINNING,
        "customers": session.scalar(select(func.count()).select_from(Customer)) or 0,
        "erased": session.scalar(select(func.count()).where(ErasureRow.done_at.is_not(None))) or 0,
        "master_versions": sorted(versions),
        "schema": _schema_of(session),
        "rows": _rows(session),
        "blobs": blobs,
    }


def _rows(session: Session) -> dict[str, int]:
    """How many rows each table has."""
    there = Base.metadata.sorted_tables
    return {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in there}


def _schema_of(session: Session) -> str:
    if session.get_bind().dialect.name != "postgresql":
        return ""
    return str(session.execute(text("SELECT current_schema()")).scalar_one())


def _copy_database(database: Database, partial: Path) -> tuple[dict[str, Any], str]:
    if database.engine.dialect.name == "sqlite":
        target = partial / SQLITE
        source: Any = database.engine.raw_connection()
        with closing(source), closing(sqlite3.connect(target)) as copy:
            source.driver_connection.backup(copy, pages=1000)
            copy.execute("PRAGMA journal_mode=DELETE")
        with _opened(database.settings.model_copy(update={"database_url": f"sqlite:///{target}"}), database) as snapshot:
            with snapshot.reading() as session:
                facts = _facts(session)
        with closing(sqlite3.connect(target)) as copy:
            copy.execute("PRAGMA journal_mode=DELETE")
        target.chmod(0o600)
        return facts, SQLITE
    with database.engine.connect().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True) as connection:
        session = Session(connection, info=database.info)
        facts = _facts(session)
        number = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        _run(
            database.engine.url,
            "pg_dump",
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            f"--snapshot={number}",
            f"--schema={facts['schema']}",
            f"--file={partial / POSTGRES}",
            server=int(connection.execute(text("SHOW server_version_num")).scalar_one()) // 10_000,
        )
        session.close()
    (partial / POSTGRES).chmod(0o600)
    return facts, POSTGRES


def _copy_blobs(store: PhotoStore, folder: Path, blobs: list[str]) -> tuple[dict[str, tuple[str, int]], int, int]:
    """Copy what the folder does not have; returns SHA-256 and size by name, how many were copied, how many are missing."""
    before = _listed(folder)
    listed: dict[str, tuple[str, int]] = {}
    copied = missing = 0
    for blob in blobs:
        place = folder / BLOBS / blob[:2] / blob
        if place.exists():
            known = before.get(blob)
            listed[blob] = known if known and known[1] == place.stat().st_size else (_sha256(place), place.stat().st_size)
            continue
        try:
            data = store.read(blob)
        except BlobMissing:
            missing += 1
            continue
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        half = place.with_name(f".{blob}")
        with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        half.rename(place)
        listed[blob] = hashlib.sha256(data).hexdigest(), len(data)
        copied += 1
    return listed, copied, missing


def _listed(folder: Path) -> dict[str, tuple[str, int]]:
    """What the newest backup in the folder says of its pictures; only saves reading them again, and is not believed further."""
    found: dict[str, tuple[str, int]] = {}
    for name in names(folder)[-1:]:
        for line in (folder / name / PICTURES).read_text("ascii").splitlines():
            sha256, size, blob = line.split(" ")
            found[blob] = sha256, int(size)
    return found


def _prune_blobs(folder: Path, live: set[str]) -> int:
    """Remove pictures that nothing can open any more from the folder, and what a crash left half-written."""
    removed = 0
    for file in (folder / BLOBS).glob("??/*"):
        if file.name.removeprefix(".") not in live or file.name.startswith("."):
            file.unlink()
            removed += not file.name.startswith(".")
    return removed


def _write_tombstones(session: Session, settings: Settings, folder: Path) -> None:
    half = folder / f".{tombstones.FILE}"
    half.unlink(missing_ok=True)
    with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as out:
        for line in tombstones.lines(session):
            out.write(line)
        out.flush()
        os.fsync(out.fileno())
    half.rename(folder / tombstones.FILE)


# --- Check


def check(settings: Settings, folder: Path, *, at: str | None = None, pictures: bool = True) -> Checked:
    """Say what is in a backup, the newest unless `at` names one, once signature and hashes fit. Raises NotGenuine, BackupFailed.

    Opens no database and changes nothing; without `pictures` their bytes are not read.
    """
    name, manifest = _manifest(settings, folder, at)
    for file, wanted in manifest["files"].items():
        if _sha256(folder / name / file) != wanted:
            raise NotGenuine(f"{name}: {file} was changed since it was written")
    if pictures:
        for line in (folder / name / PICTURES).read_text("ascii").splitlines():
            wanted, _size, blob = line.split(" ")
            place = folder / BLOBS / blob[:2] / blob
            if place.exists() and _sha256(place) != wanted:
                raise NotGenuine(f"{name}: the picture {blob} was changed since it was written")
    return Checked(
        name=name,
        made_at=datetime.fromisoformat(manifest["made_at"]),
        revision=manifest["revision"],
        dialect=manifest["dialect"],
        events=manifest["events"],
        head=manifest["head"],
        pictures=manifest["pictures"],
        customers=manifest["customers"],
        master_versions=tuple(manifest["master_versions"]),
    )


def _manifest(settings: Settings, folder: Path, at: str | None) -> tuple[str, dict[str, Any]]:
    there = names(folder)
    name = at or (there[-1] if there else "")
    if name not in there:
        raise BackupFailed(f"There is no backup {name} in this folder." if name else "There is no backup in this folder.")
    data, signature = (folder / name / MANIFEST).read_bytes(), folder / name / SIGNATURE
    try:
        _signer(settings).public_key().verify(signature.read_bytes(), data)
    except (InvalidSignature, OSError):
        raise NotGenuine(f"{name}: the manifest was not signed with this AUDIT_KEY, or was changed since") from None
    manifest: dict[str, Any] = json.loads(data)
    if manifest.get("format") != FORMAT:
        raise NotGenuine(f"{name}: the format is not known")
    return name, manifest


# --- Bring back


def restore(
    settings: Settings,
    folder: Path,
    *,
    now: datetime,
    at: str | None = None,
    overwrite: bool = False,
    stones: tuple[Path, ...] = (),
    most_opened: int | None = None,
) -> Restored:
    """Bring a backup back into the system of `settings`, which must be empty unless `overwrite`, and must not be running.

    Workers that run are seen by their signs of life and refused; portal, desk and API leave none: whoever calls stops them first.
    Then erases again whoever was erased since, by the files of tombstones: those of the settings, of the folder, and `stones`.
    May be repeated with `overwrite` when it was cut off. Raises BackupFailed, NotGenuine, tombstones.Tampered, OSError.
    """
    told = check(settings, folder, at=at)
    _, manifest = _manifest(settings, folder, told.name)
    lines = tombstones.read(settings, (tombstones.folder(settings), folder, *stones))
    _fits(settings, told)
    _free(settings, overwrite=overwrite, now=now)
    _load(settings, folder / told.name, manifest)
    with _opened(settings) as database:
        with database.engine.begin() as connection:
            schema.upgrade(connection)
        with database.reading() as session:
            verdict = audit.verify(session)
            last = session.execute(select(Event.hash).order_by(Event.id.desc()).limit(1)).scalar_one_or_none()
            came = _rows(session)
        if not verdict.ok or (verdict.count, last or audit.BEGINNING) != (told.events, told.head):
            where = f" at event {verdict.broken_at}" if verdict.broken_at else ""
            raise NotGenuine(f"{told.name}: the audit chain is broken{where}: {verdict.why}. Do not start the system with it.")
        lacking = [name for name, count in manifest["rows"].items() if came.get(name, count) != count]
        if lacking:
            raise NotGenuine(
                f"{told.name}: not all rows came back: {', '.join(sorted(lacking))}. Do not start the system with it."
            )
        pictures = _load_blobs(database.info["photos"], folder, told.name)
        with database.transaction() as session:
            for model in FORGOTTEN:
                session.execute(delete(model))
            session.execute(delete(Link).where(Link.purpose == "hand_over"))
            step_over(session)
            for person in session.scalars(select(Staff)):
                person.fs_uniquifier = secrets.token_hex(32)  # everybody signs in again
            again, requests = privacy.replay(session, lines, now=now)
        retention.remove_blobs(database, now=now)  # what the store keeps for now, upkeep removes
        with database.transaction() as session:
            privacy.finish(session, now=now, blobs=False)
        opened, broken = _open_all(database, most_opened)
        _set_anchors_aside(settings, now)
        with database.transaction() as session:
            audit.record(
                session, "restored", actor=audit.SYSTEM, now=now, backup=told.name, events=told.events, photos=pictures,
                erased=again, sha256=_sha256(folder / told.name / MANIFEST),
            )  # fmt: skip
    return Restored(
        name=told.name,
        made_at=told.made_at,
        events=told.events,
        rows=sum(came.values()),
        chain=verdict.why,
        pictures=pictures,
        opened=opened,
        broken=broken,
        erased_again=again,
        requests_erased_again=requests,
    )


def step_over(session: Session) -> None:
    """Let every case's webhook events begin anew above all numbers that a receiver may have seen. Moves no case's version."""
    session.execute(
        update(Case).values(hook_sequence=Case.hook_sequence + SEQUENCE_STEP).execution_options(synchronize_session=False)
    )


def _fits(settings: Settings, told: Checked) -> None:
    lacking = sorted(set(told.master_versions) - set(settings.keyring))
    if lacking:
        raise BackupFailed(f"MASTER_KEYS lacks version {', '.join(map(str, lacking))}, which this backup needs: add it.")
    wanted = "sqlite" if settings.database_url.startswith("sqlite") else "postgresql"
    if told.dialect != wanted:
        raise BackupFailed(f"This backup is of {told.dialect}, and DATABASE_URL names {wanted}.")


def _free(settings: Settings, *, overwrite: bool, now: datetime) -> None:
    """Refuse where something runs, and where something lies that would be lost."""
    lately = now - RUNNING
    with _opened(settings) as database:
        held = 0
        if _has_tables(database.engine):
            with database.reading() as session:
                heard = session.scalar(select(func.count()).where(Heartbeat.at > lately, Heartbeat.name.not_like("task:%"))) or 0
                held = sum(session.scalar(select(func.count()).select_from(model)) or 0 for model in (Customer, Case))
            if heard:
                raise BackupFailed(
                    "Workers of this system were running a minute ago: stop everything first, portal, desk and API as well."
                )
        if not overwrite and (held or next(iter(database.info["photos"].names()), None) is not None):
            raise BackupFailed(
                "This system is not empty. Stop portal, desk and API, whose running is not seen from here, then say --overwrite"
                " if what it holds may be lost."
            )


def _has_tables(engine: Engine) -> bool:
    url = engine.url
    if engine.dialect.name == "sqlite" and url.database and not Path(url.database).exists():
        return False
    try:
        return {"customers", "heartbeats"} <= set(inspect(engine).get_table_names())
    except SQLAlchemyError as error:
        raise BackupFailed(f"The database cannot be used: {type(error).__name__}.") from None


def _load(settings: Settings, backup_folder: Path, manifest: dict[str, Any]) -> None:
    url = make_url(settings.database_url)
    if manifest["dialect"] == "sqlite":
        assert url.database
        target = Path(url.database)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        half = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        shutil.copyfile(backup_folder / SQLITE, half)
        half.chmod(0o600)
        _sync(half)
        for ending in ("-wal", "-shm"):
            target.with_name(target.name + ending).unlink(missing_ok=True)
        half.replace(target)
        return
    engine = make_engine(settings.database_url)
    try:
        with engine.begin() as connection:
            here = str(connection.execute(text("SELECT current_schema()")).scalar_one() or "")
            server = int(connection.execute(text("SHOW server_version_num")).scalar_one()) // 10_000
            if here != manifest["schema"]:
                raise BackupFailed(f"This backup is of the schema {manifest['schema']}; DATABASE_URL leads to {here or 'none'}.")
            quote = engine.dialect.identifier_preparer.quote
            for table in inspect(connection).get_table_names():
                connection.execute(text(f"DROP TABLE {quote(table)} CASCADE"))
            connection.execute(text("DROP FUNCTION IF EXISTS refuse_change()"))
        listed = _run(engine.url, "pg_restore", "--list", str(backup_folder / POSTGRES), server=server)
        wanted = [line for line in listed.splitlines() if " SCHEMA - " not in line]  # it is there
        with tempfile.NamedTemporaryFile("w", suffix=".list") as file:
            file.write("\n".join(wanted))
            file.flush()
            _run(
                engine.url,
                "pg_restore",
                "--no-owner",
                "--no-privileges",
                "--exit-on-error",
                "--single-transaction",
                f"--use-list={file.name}",
                f"--dbname={engine.url.database}",
                str(backup_folder / POSTGRES),
                server=server,
            )
    finally:
        engine.dispose()


def _load_blobs(store: PhotoStore, folder: Path, name: str) -> int:
    count = 0
    for line in (folder / name / PICTURES).read_text("ascii").splitlines():
        blob = line.split(" ")[2]
        place = folder / BLOBS / blob[:2] / blob
        if not place.exists():
            continue  # its key was destroyed after this backup, and a later one let go of it
        try:
            store.put(blob, place.read_bytes())
        except BlobExists:
            if hashlib.sha256(store.read(blob)).hexdigest() != line.split(" ")[0]:
                store.shred(blob)
                store.put(blob, place.read_bytes())
        count += 1
    return count


def _open_all(database: Database, most: int | None) -> tuple[int, int]:
    """Open pictures and throw them away: how many are what was stored, and how many are not. Unrecorded: nobody looks."""
    good = bad = 0
    with database.reading() as session:
        live = select(Photo).join(DataKey, DataKey.id == Photo.data_key_id)
        live = live.where(Photo.shredded_at.is_(None), DataKey.wrapped.is_not(None)).order_by(Photo.created_at.desc(), Photo.id)
        for photo in session.scalars(live if most is None else live.limit(most)):
            try:
                photo_store.read(session, photo)
                good += 1
            except photo_store.PhotoGone:
                continue
            except photo_store.PhotoBroken:
                bad += 1
    return good, bad


def _set_anchors_aside(settings: Settings, now: datetime) -> None:
    """Anchors of events that this backup does not have would call the chain cut off for ever: an auditor keeps the old file."""
    file = settings.data_dir / "anchors" / audit.ANCHOR_FILE
    if file.exists():
        file.rename(file.with_name(f"anchors-before-{now.astimezone(UTC).strftime(STAMP)}-{secrets.token_hex(2)}.log"))


# --- Drill


@dataclass(frozen=True, kw_only=True)
class Drilled:
    """What a drill found. `ok` where everything came back, and nothing that was erased."""

    ok: bool
    made: Made
    restored: Restored
    erased: int  # persons who were erased and stayed it
    back: int  # persons who were erased and are readable: must be 0


def drill(database: Database, *, now: datetime, stones: tuple[Path, ...] = ()) -> Drilled:
    """Back up, restore into a scratch place beside, look at everything, and remove it. The running system is only read.

    On PostgreSQL the scratch place is a database of the same server, which needs the right CREATEDB. Raises BackupFailed.
    """
    with tempfile.TemporaryDirectory(prefix="peremena-drill-") as name:
        place = Path(name)
        made = backup(database, place / "backups", now=now, note=False)
        with _scratch(database, place) as settings:
            given = (tombstones.folder(database.settings), *stones)
            restored = restore(settings, place / "backups", now=now, stones=given)
            with _opened(settings) as copy, copy.reading() as session:
                erased, back = _erased(session)
    return Drilled(
        ok=not (back or restored.broken or made.missing),
        made=made,
        restored=restored,
        erased=erased,
        back=back,
    )


def _erased(session: Session) -> tuple[int, int]:
    """How many persons were erased, and how many of them have a key."""
    found = session.execute(
        select(DataKey.wrapped.is_not(None))
        .join(Customer, Customer.data_key_id == DataKey.id)
        .join(ErasureRow, ErasureRow.customer_id == Customer.id)
        .where(ErasureRow.done_at.is_not(None))
    ).scalars()
    keys = list(found)
    return len(keys), sum(keys)


@contextmanager
def _scratch(database: Database, place: Path) -> Iterator[Settings]:
    """Settings of an empty system beside the running one, with the same keys."""
    config = database.settings
    changes: dict[str, Any] = {"data_dir": place / "data", "storage_url": f"file://{place / 'photos'}", "tombstones": None}
    if database.engine.dialect.name == "sqlite":
        yield config.model_copy(update={**changes, "database_url": f"sqlite:///{place / 'data' / 'peremena.db'}"})
        return
    name = f"peremena_drill_{secrets.token_hex(6)}"
    own = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    try:
        with own.connect() as connection:
            here = connection.execute(text("SELECT current_schema()")).scalar_one()
            connection.execute(text(f"CREATE DATABASE {name}"))
    except SQLAlchemyError as error:
        raise BackupFailed(
            f"A drill needs the right to make a database (ALTER ROLE … CREATEDB): {type(error.__cause__ or error).__name__}."
        ) from None
    try:
        url = database.engine.url.set(database=name)
        scratch = make_engine(url.render_as_string(hide_password=False))
        with scratch.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {scratch.dialect.identifier_preparer.quote(here)}"))
        scratch.dispose()
        yield config.model_copy(update={**changes, "database_url": url.render_as_string(hide_password=False)})
    finally:
        with own.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


# --- Tools


@contextmanager
def _opened(settings: Settings, like: Database | None = None) -> Iterator[Database]:
    """The database of these settings, with vault and store; those of another one where they are the same."""
    if like is None:
        database = Database.open(settings)
    else:
        database = Database(settings.database_url, info={**like.info, "settings": settings})
    try:
        yield database
    finally:
        database.dispose()


def tool(name: str) -> str:
    """The path of a program of PostgreSQL's client package. Raises BackupFailed."""
    found = shutil.which(name)
    if found is None:
        raise BackupFailed(f"{name} is not installed: it comes with PostgreSQL's client package (postgresql-client).")
    return found


def _run(url: URL, name: str, *arguments: str, server: int) -> str:
    """Run a program of PostgreSQL's; password and address go through the environment, where no list of processes shows them."""
    program = tool(name)
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    major = int(re.search(r"\) (\d+)", version)[1])  # type: ignore[index]
    if major < server:
        raise BackupFailed(
            f"{name} {major} cannot be used with a server of version {server}: install postgresql-client-{server}."
        )
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("PG")},
        "PGDATABASE": url.database or "",
        "PGAPPNAME": "peremena backup",
    }
    query = {key: value if isinstance(value, str) else value[-1] for key, value in url.query.items()}
    given = {"PGHOST": url.host or query.get("host"), "PGPORT": str(url.port or query.get("port") or ""), "PGUSER": url.username}
    given |= {"PGPASSWORD": url.password, "PGSSLMODE": query.get("sslmode"), "PGSSLROOTCERT": query.get("sslrootcert")}
    environment |= {key: value for key, value in given.items() if value}
    done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error" in line.lower()), "no reason given")
        raise BackupFailed(f"{name} failed: {first[:300]}")
    return done.stdout


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as data:
            return hashlib.file_digest(data, "sha256").hexdigest()
    except FileNotFoundError:
        raise NotGenuine(f"{file.name} is missing") from None


def _sync(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _signer(settings: Settings) -> Ed25519PrivateKey:
    """Derived from AUDIT_KEY for this one purpose (HKDF, RFC 5869), as for audit exports."""
    own = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"peremena backup signature 1")
    seed = own.derive(settings.audit_key.encode())
    return Ed25519PrivateKey.from_private_bytes(seed)
