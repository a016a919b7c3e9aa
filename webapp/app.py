"""One web process: the surfaces it serves, together or on separate hosts."""

from __future__ import annotations

import importlib
import importlib.util
import os

from flask import Flask

from cases.database import Database
from cases.settings import Settings
from webapp import cli, http, i18n, logs
from workers import queues

SURFACES = ("portal", "desk", "ops", "api")


def create_app(settings: Settings | None = None, surfaces: str | None = None) -> Flask:
    """Make the application for `surfaces`: "portal", "desk,ops" or "all" (the default; environment SURFACES).

    Raises SettingsError on wrong settings and ValueError on a surface that does not exist.
    """
    settings = settings or Settings.load()
    wanted = surfaces_of(surfaces if surfaces is not None else os.environ.get("SURFACES", "all"))
    app = Flask("webapp", static_folder="../static", static_url_path="/static", template_folder="templates")
    app.extensions["peremena.settings"] = settings
    app.extensions["peremena.database"] = Database.open(settings)
    app.extensions["peremena.surfaces"] = wanted
    queues.connect(settings)
    logs.init_app(app)
    http.init_app(app, settings, wanted)
    i18n.init_app(app, settings)
    for surface in wanted:
        module = f"webapp.{surface}"
        if importlib.util.find_spec(module) is None:
            raise ValueError(f"surface '{surface}' is not installed")
        importlib.import_module(module).init_app(app)
    cli.init_app(app)
    return app


def surfaces_of(text: str) -> tuple[str, ...]:
    """Return the surfaces that `text` names, in the order of SURFACES. Raises ValueError on any other word.

    >>> surfaces_of("desk,ops")
    ('desk', 'ops')
    """
    names = {part.strip() for part in text.split(",") if part.strip()} or {"all"}
    if names == {"all"}:
        return SURFACES
    unknown = names - set(SURFACES)
    if unknown:
        raise ValueError(f"SURFACES: '{sorted(unknown)[0]}' is none of {', '.join(SURFACES)}, all")
    return tuple(s for s in SURFACES if s in names)
