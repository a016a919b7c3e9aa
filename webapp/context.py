"""What every view needs of the application it runs in: settings, database, clock, locale-free and in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from flask import current_app, g
from sqlalchemy.orm import Session

from cases.database import Database, utcnow
from cases.settings import Settings


def settings() -> Settings:
    """The settings this application was made with."""
    value: Settings = current_app.extensions["peremena.settings"]
    return value


def database() -> Database:
    """The database of this process; `with database().transaction() as session:` in a view."""
    value: Database = current_app.extensions["peremena.database"]
    return value


@contextmanager
def reading() -> Iterator[Session]:
    """A session that only reads: the one of the page that is being drawn, if one is open, else one of its own.

    For pages and what their templates ask for, so that a page begins one transaction and reads its reader once. A view that
    writes between opens its own by `database().reading()`: what this one has loaded stays as it was.
    """
    kept: Session | None = g.get("reading")
    if kept is not None:
        yield kept
        return
    with database().reading() as session:
        g.reading = session
        try:
            yield session
        finally:
            g.pop("reading", None)


def now() -> datetime:
    """The time, read at the edge and passed on. Tests replace `app.extensions["peremena.clock"]`."""
    value: datetime = current_app.extensions.get("peremena.clock", utcnow)()
    return value
