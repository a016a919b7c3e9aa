"""A case without its customer, for auditors. `cases.masked` says what that is."""

from __future__ import annotations

from uuid import UUID

from flask import abort, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import NoResultFound

from cases import masked, review
from cases.models import Case
from webapp.context import database, now
from webapp.ops.surface import ops
from webapp.security import needs, row


@ops.get("/audit/cases/<uuid:case_id>")
@needs("see_masked_case")
def audit_case(case_id: UUID) -> ResponseReturnValue:
    """States, reasons, answers and events of one case. Each look is an event itself."""
    try:
        with database().transaction() as db:
            found = masked.look(db, case_id, auditor=row(db), now=now())
    except review.Related:
        with database().transaction() as db:
            review.withheld(db, row(db), db.get_one(Case, case_id), now=now())
        abort(403)
    except NoResultFound:
        abort(404)
    return render_template("ops/masked_case.html", found=found)
