"""Operations and leads: state of automatic decisions, policies, audit search."""

from __future__ import annotations

from flask import Flask

from webapp import metrics, security


def init_app(app: Flask) -> None:
    """Register the ops pages and, if it is not there yet, the log-in of staff."""
    # Here, because decorators check permissions when a module loads; each hangs its views on the one blueprint.
    from webapp.ops import (  # noqa: F401
        calibration,
        helpdesk,
        keys,
        masked,
        nav,
        now,
        queues,
        reports,
        retention,
        rollout,
        thresholds,
        trail,
        undo,
        webhooks,
        whatif,
    )
    from webapp.ops.surface import ops

    security.init_app(app)
    metrics.init_app(app)
    app.register_blueprint(ops)
