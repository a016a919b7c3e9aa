"""What pages of operations do alike: one step of a proposal carried out, or said why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from cases import policies
from cases.staff import NotAllowed
from webapp.context import database


def version_or_404(db: Session, number: int | None) -> Any:
    if number is None:
        return None
    try:
        return policies.get(db, number)
    except NoResultFound:
        abort(404)


def carry_out(step: Callable[[Session], Any], *, said: str, back: str) -> ResponseReturnValue:
    """Carry out one step of a proposal, or say why it is too late or not for this person."""
    try:
        with database().transaction() as db:
            step(db)
    except policies.SamePerson:
        return refused_page(_("You proposed this yourself. Another person has to confirm it."), back), 403
    except policies.UnderWay:
        return refused_page(_("Another version is on its way up. It has to hold, or be rolled back, first."), back), 409
    except policies.Outdated:
        return refused_page(
            _("This proposal is no longer open: it was confirmed, withdrawn, or another change came first."), back
        ), 409
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    flash(said)
    return redirect(url_for(back), 303)


def refused_page(why: str, back: str) -> str:
    return render_template("ops/refused.html", why=why, back=url_for(back))
