"""The host system's surface: REST API v1 under /v1, its OpenAPI document and a page of documentation of our own.

The blueprint is APIFlask's, the application is not: APIFlask as the whole application would take over error pages and the way
views are called on every surface it is served together with. So its decorators check what comes in and describe what there is,
and an APIFlask application that serves nobody writes the OpenAPI document (`spec`).
"""

from __future__ import annotations

import importlib
import importlib.util

from flask import Flask

from webapp.api import customers, docs, hooks, persons, problems, requests, sandbox
from webapp.api.surface import api
from webapp.http import csrf

__all__ = ["customers", "docs", "hooks", "persons", "requests", "sandbox"]  # their views register themselves


def init_app(app: Flask) -> None:
    """Register the API and its errors. A key in a header is no cookie: nothing here can be forged by another site's page."""
    # What APIFlask's decorators ask the application for; an APIFlask application has these by itself.
    app.config.setdefault("VALIDATION_ERROR_STATUS_CODE", 422)
    app.config.setdefault("VALIDATION_ERROR_DESCRIPTION", "Validation error")
    if importlib.util.find_spec("webapp.api.sandbox") is not None:
        importlib.import_module("webapp.api.sandbox")
    csrf.exempt(api)
    problems.init_app(app)
    app.register_blueprint(api)
