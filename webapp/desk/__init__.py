"""Support agents: the queue, one page per case, and what an agent may answer."""

from __future__ import annotations

from flask import Flask

from webapp import security


def init_app(app: Flask) -> None:
    """Register the desk's pages and, if it is not there yet, the log-in of staff."""
    # Here, because decorators check permissions when a module loads; each hangs its views on the one blueprint.
    from webapp.desk import (  # noqa: F401
        answers,
        claims,
        figures,
        messages,
        outgoing,
        page,
        papers,
        pictures,
        practice,
        quality,
        queue,
        replies,
        rescue,
        week,
    )
    from webapp.desk.surface import desk

    security.init_app(app)
    app.register_blueprint(desk)
