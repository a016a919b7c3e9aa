"""Support agents: the queue, one page per case, and what an agent may answer."""

from __future__ import annotations

from flask import Flask

from webapp import security


def init_app(app: Flask) -> None:
    """Register the desk's pages and, if it is not there yet, the log-in of staff."""
    from webapp.desk import messages  # noqa: F401 - its views hang on the same blueprint
    from webapp.desk.views import desk  # here, because its decorators check permissions when the module loads

    security.init_app(app)
    app.register_blueprint(desk)
