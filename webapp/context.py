"""What every view needs of the application it runs in: settings, database, clock, locale-free and in one place."""

from __future__ import annotations

from datetime import datetime

from flask import current_app

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


def now() -> datetime:
    """The time, read at the edge and passed on. Tests replace `app.extensions["peremena.clock"]`."""
    value: datetime = current_app.extensions.get("peremena.clock", utcnow)()
    return value
