"""What a customer sees: entrance, the steps of a request, and its status page."""

from __future__ import annotations

from importlib import import_module

from flask import Flask

from cases.settings import Mode

PAGES = ("answers", "photos", "turns", "sending", "status", "messages", "papers", "phones", "handover", "mine")
"""The modules whose views hang on the blueprint of `steps`."""


def init_app(app: Flask) -> None:
    """Register the portal's pages at the root of the host."""
    from webapp.portal import entrance, showcase, steps

    for name in PAGES:
        import_module(f"webapp.portal.{name}")

    # Before CSRF reads the body: a photo that is too large is refused there, and the page that says so is hers.
    app.before_request_funcs.setdefault(None, []).insert(2, entrance.know_customer)
    app.register_blueprint(entrance.entrance)
    app.register_blueprint(steps.portal)
    if app.extensions["peremena.settings"].mode is not Mode.PRODUCTION:
        app.register_blueprint(showcase.showcase)
