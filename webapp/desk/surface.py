"""The blueprint that every page of the desk hangs on."""

from __future__ import annotations

from flask import Blueprint

from webapp.security import guard_blueprint

desk = Blueprint("desk", __name__, url_prefix="/desk")
guard_blueprint(desk)
