"""Commands for keys of the host system: `flask api-key create|list|rotate|revoke`, and the key of the demo.

A token is printed once, alone on its line, so that a script can put it where the host system looks for it.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import click
from flask.cli import AppGroup
from sqlalchemy import select

from cases import api_keys
from cases.host_tables import ApiKey
from webapp.context import database, now, settings

DEMO_KEY = "secrets/demo_api_key"
"""In DATA_DIR; a test key for whoever tries the API on her own machine."""

DEMO_NAME = "Demo"
DEMO_ORIGINS = ("http://localhost:5000", "http://127.0.0.1:5000")
"""Where Flask serves an application that somebody is writing."""

api_key_cli = AppGroup("api-key", help="Keys of the host system.")


@api_key_cli.command("create")
@click.argument("name")
@click.option("--mode", type=click.Choice(api_keys.MODES), default="test", show_default=True)
@click.option("--scope", "scopes", multiple=True, type=click.Choice(api_keys.SCOPES), help="Several; none = all.")
@click.option("--return-origin", "origins", multiple=True, help="Where hand-over links may lead back to, as https://host.")
@click.option("--days", type=click.IntRange(1, 3650), help="It ends after so many days; without, when it is revoked.")
def create(name: str, mode: str, scopes: tuple[str, ...], origins: tuple[str, ...], days: int | None) -> None:
    """Make a key called NAME and print its token, which is never shown again."""
    wanted = scopes or tuple(s for s in api_keys.SCOPES if mode == "test" or s not in api_keys.TEST_ONLY)
    moment = now()
    try:
        with database().transaction() as db:
            _row, token = api_keys.create(
                db,
                name=name,
                mode=mode,
                scopes=wanted,
                return_origins=origins,
                by=None,
                now=moment,
                expires_at=moment + timedelta(days=days) if days else None,
            )
    except ValueError as wrong:
        raise click.ClickException(f"{wrong}. Nothing was made.") from None
    click.echo(token)


@api_key_cli.command("list")
def every() -> None:
    """Print every key, newest first: number, mode, state, last use, scopes, name. Changes nothing."""
    moment = now()
    with database().reading() as db:
        for row in api_keys.every(db):
            state = "works" if api_keys.works(row, now=moment) else "revoked" if row.revoked_at else "expired"
            used = row.last_used_at.strftime("%Y-%m-%d %H:%M") if row.last_used_at else "never"
            ends = row.expires_at.strftime("%Y-%m-%d") if row.expires_at else "-"
            rights = " ".join(row.scopes)
            click.echo(f"{row.id}  {row.mode}  …{row.hint}  {state:7}  used {used:16}  ends {ends:10}  {rights}  {row.name}")


@api_key_cli.command("rotate")
@click.argument("key_id", type=click.UUID)
@click.option("--overlap-hours", type=click.IntRange(0, 720), default=24, show_default=True, help="The old one works on.")
def rotate(key_id: UUID, overlap_hours: int) -> None:
    """Print the token of a successor of KEY_ID with the same rights; the old one works a while beside it."""
    try:
        with database().transaction() as db:
            _row, token = api_keys.rotate(db, key_id, by=None, now=now(), overlap=timedelta(hours=overlap_hours))
    except (LookupError, ValueError) as wrong:
        raise click.ClickException(f"{wrong}. Nothing was changed.") from None
    click.echo(token)


@api_key_cli.command("revoke")
@click.argument("key_id", type=click.UUID)
def revoke(key_id: UUID) -> None:
    """End KEY_ID at once."""
    try:
        with database().transaction() as db:
            api_keys.revoke(db, key_id, by=None, now=now())
    except LookupError as wrong:
        raise click.ClickException(f"{wrong}.") from None
    click.echo("revoked")


def seed_key() -> bool:
    """Make the demo's test key and keep its token in a file that only the owner may read; says whether it was made now."""
    place = Path(settings().data_dir) / DEMO_KEY
    moment = now()
    with database().transaction() as db:
        held = db.scalars(select(ApiKey).where(ApiKey.name == DEMO_NAME, ApiKey.mode == "test")).all()
        if place.exists() and any(api_keys.works(row, now=moment) for row in held):
            return False
        for row in held:  # a token whose file was lost
            api_keys.revoke(db, row.id, by=None, now=moment)
        _row, token = api_keys.create(
            db, name=DEMO_NAME, mode="test", scopes=api_keys.SCOPES, return_origins=DEMO_ORIGINS, by=None, now=moment
        )
        place.parent.mkdir(exist_ok=True, mode=0o700)
        place.unlink(missing_ok=True)
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token + "\n")
    return True
