"""Operations and leads: state of automatic decisions, policies, audit search."""

from __future__ import annotations

from flask import Flask

from webapp import security


def init_app(app: Flask) -> None:
    """Register the ops pages and, if it is not there yet, the log-in of staff."""
    from webapp.ops.views import ops  # here, because its decorators check permissions when the module loads

    security.init_app(app)
    app.register_blueprint(ops)
