"""Commands about people and keys: `flask person|keys|backup|restore|drill`. `webapp.cli` registers them."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import audit, backups, exports, keys, privacy, staff, tombstones
from cases.crypto import Unreadable
from cases.models import Customer
from cases.wording import LANGUAGES
from webapp.acting import acting_as, person, refusals
from webapp.context import database, now, settings

FOLDER = click.Path(file_okay=False, path_type=Path)

# --- A person

person_cli = AppGroup("person", help="A whole person: erase her, or hand out what is held of her.")


@person_cli.command("erase")
@click.argument("external_id")
@click.option("--reason", required=True, type=click.Choice(privacy.REASONS), help="order: of a court; it waits for nothing.")
@click.confirmation_option(prompt="Erase this person? It cannot be undone.")
@acting_as
def person_erase(external_id: str, reason: str, acting: UUID) -> None:
    """Erase EXTERNAL_ID, the host system's id: keys, photos, requests, details. Prints what went and what stays.

    While a dispute is open or a change is young it waits, and upkeep carries it out later. Needs the permission erase_people.
    """
    with refusals(), database().transaction() as db:
        by = person(db, acting)
        known = _customer(db, external_id, erased=True)
        told = privacy.erase(db, known, actor=audit.Actor.staff(by), reason=reason, by=by, now=now())
    _print(told.to_json())


@person_cli.command("keep")
@click.argument("external_id")
@acting_as
def person_keep(external_id: str, acting: UUID) -> None:
    """Take back an erasure of EXTERNAL_ID that still waits."""
    with refusals(), database().transaction() as db:
        by = person(db, acting)
        staff.require(by, "erase_people")
        done = privacy.cancel(db, _customer(db, external_id), actor=audit.Actor.staff(by), now=now())
    click.echo("it does not wait any more" if done else "nothing was waiting")


@person_cli.command("export")
@click.argument("external_id")
@click.option("--to", "file", required=True, type=click.Path(dir_okay=False, path_type=Path), help="A new file; overwrites none.")
@click.option("--language", default="en", show_default=True, type=click.Choice(list(LANGUAGES)))
@click.option("--pictures", is_flag=True, help="With her photos in it; each is a recorded look.")
@acting_as
def person_export(external_id: str, file: Path, language: str, pictures: bool, acting: UUID) -> None:
    """Write everything held of EXTERNAL_ID as JSON, for her. The file holds her passport: hand it over safely, then delete it."""
    with refusals(), database().transaction() as db:
        by = person(db, acting)
        staff.require(by, "erase_people")
        try:
            made = privacy.export(
                db, _customer(db, external_id), now=now(), language=language, pictures=pictures, actor=audit.Actor.staff(by)
            )
        except exports.UnderDispute:
            raise click.ClickException("a change of this account is disputed: nobody knows who asks.") from None
    try:
        with open(file, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            json.dump(made, out, ensure_ascii=False, indent=1)
    except FileExistsError:
        raise click.ClickException(f"{file} is there already") from None
    click.echo(f"written to {file}")


def _customer(db: Session, external_id: str, *, erased: bool = False) -> UUID:
    found = db.scalar(select(Customer.id).where(Customer.external_id == external_id))
    if found is None and erased and (before := privacy.find(db, external_id)) is not None:
        return before.customer_id
    if found is None:
        raise click.ClickException("no customer has this id. Nothing was changed.")
    return found


# --- Master keys

keys_cli = AppGroup("keys", help="Master keys: what each wraps, and wrapping everything with the newest.")


@keys_cli.command("status")
def keys_status() -> None:
    """Say how many data keys each master key wraps, and which may go. Changes nothing."""
    with database().reading() as db:
        _say_keys(keys.status(db))


@keys_cli.command("rotate")
@click.option(
    "--batch", default=keys.BATCH, show_default=True, type=click.IntRange(1, 10_000), help="Data keys in one transaction."
)
def keys_rotate(batch: int) -> None:
    """Wrap every data key with the newest master key, while everything goes on. May be cut off and repeated. Opens no photo."""
    try:
        count = keys.rotate(database(), now=now(), batch=batch)
    except Unreadable as error:
        raise click.ClickException(f"{error}. What was wrapped anew so far stays.") from None
    click.echo(f"{count} keys wrapped anew")
    with database().reading() as db:
        _say_keys(keys.status(db))


def _say_keys(found: tuple[keys.KeyCount, ...]) -> None:
    for one in found:
        told = ["wraps new ones"] if one.newest else []
        if not one.known:
            told.append("NOT in MASTER_KEYS: what it wraps cannot be read")
        if one.may_go:
            told.append("may go from MASTER_KEYS, once no process wraps with it; backups made before still need it")
        elif not one.newest and one.known:
            told.append("must stay")
        click.echo(f"master key {one.version}: {one.keys} data keys; {'; '.join(told)}")


# --- Backups


@click.command("backup")
@click.argument("folder", type=FOLDER)
@click.option(
    "--keep", default=backups.KEEP, show_default=True, type=click.IntRange(1, 1000), help="Backups that stay in FOLDER."
)
@with_appcontext
def backup(folder: Path, keep: int) -> None:
    """Copy database and photos into FOLDER while the system runs. Photos already there are not copied again.

    The master keys, AUDIT_KEY and SECRET_KEY are not in it: keep them elsewhere.
    Without the master keys nothing in it can be read.
    """
    made = _tried(lambda: backups.backup(database(), folder, now=now(), keep=keep))
    _print(asdict(made))
    click.echo("keys are not in it: keep MASTER_KEYS, AUDIT_KEY and SECRET_KEY apart from it", err=True)
    if made.missing:
        raise click.ClickException(f"{made.missing} photos are missing in the store; the rest was copied.")


@click.command("restore")
@click.argument("folder", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option("--at", metavar="NAME", help="Which backup; the newest unless said.")
@click.option("--check", "only_check", is_flag=True, help="Verify signature and hashes, say what is in it, and touch nothing.")
@click.option("--overwrite", is_flag=True, help="What this system holds may be lost.")
@click.option("--tombstones", "stones", multiple=True, type=click.Path(exists=True, path_type=Path), help="A further file.")
@click.option("--without-tombstones", is_flag=True, help="There is no newer file of tombstones than the one beside the backup.")
@with_appcontext
def restore(
    folder: Path, at: str | None, only_check: bool, overwrite: bool, stones: tuple[Path, ...], without_tombstones: bool
) -> None:
    """Bring a backup from FOLDER back into an empty system that does not run, and erase again whoever was erased since.

    Stop everything first: workers that run are noticed and refused, but portal, desk and API leave no sign of life.
    """
    config = settings()
    if only_check:
        _print(asdict(_tried(lambda: backups.check(config, folder, at=at))))
        return
    own = tombstones.folder(config) / tombstones.FILE
    if not own.exists() and not stones and not without_tombstones:
        raise click.ClickException(
            f"There is no file of tombstones at {own}: who was erased since the backup would come back."
            " Bring it from where upkeep wrote it (--tombstones FILE), or say --without-tombstones if there is none."
        )
    database().dispose()
    told = _tried(lambda: backups.restore(config, folder, now=now(), at=at, overwrite=overwrite, stones=stones))
    _print(asdict(told))
    click.echo("accounts of staff and keys of the API are as they were then: close again what was closed since", err=True)
    if told.broken:
        raise click.ClickException(f"{told.broken} photos do not open.")


@click.command("drill")
@click.option("--tombstones", "stones", multiple=True, type=click.Path(exists=True, path_type=Path), help="A further file.")
@with_appcontext
def drill(stones: tuple[Path, ...]) -> None:
    """Back up, restore beside, look at everything and remove it again. The running system is only read."""
    told = _tried(lambda: backups.drill(database(), now=now(), stones=stones))
    _print(asdict(told))
    if not told.ok:
        raise click.ClickException("the drill failed: see broken, back and missing above.")


def _tried(what: Any) -> Any:
    try:
        return what()
    except (backups.BackupFailed, tombstones.Tampered) as failed:
        raise click.ClickException(str(failed)) from None
    except OSError as failed:
        raise click.ClickException(f"the folder cannot be used: {failed.strerror}") from None


def _print(told: dict[str, Any]) -> None:
    click.echo(json.dumps(told, indent=1, default=str))


COMMANDS = (person_cli, keys_cli, backup, restore, drill)
