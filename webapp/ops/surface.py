"""The blueprint that every page of operations hangs on."""

from __future__ import annotations

from flask import Blueprint

from webapp.security import guard_blueprint

ops = Blueprint("ops", __name__, url_prefix="/ops")
guard_blueprint(ops)
