"""Keep a form that came just after the session had ended, so that nobody types or photographs twice.

Why on the server: it works without script, and on a computer that others use nothing stays behind in the browser; the
cookie may be read by whoever sits there, so no personal data goes into it. Why it is only kept: a session that ended may
change nothing, so the form waits, sealed, until she has signed in again, and then she is asked before it is sent.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from flask import g, request, session
from flask_wtf.csrf import ValidationError, validate_csrf

from cases import throttles, unsent_forms
from cases.unsent_forms import Unsent
from webapp.context import database, now
from webapp.http import UPLOAD_BYTES
from webapp.logs import log

FORMS = frozenset({"portal.reason", "portal.details", "portal.photo", "portal.write"})
"""Forms that are work to fill in. Agreements and other single taps are not kept: she shall see what she agrees to.
Of a message the words are kept; a photo can be chosen again."""

LEFT_OUT = frozenset({"csrf_token"})

KEPT_AN_HOUR = 10
"""Per customer: what a session that ended may still write is one row, and not often."""


def keep(customer_id: UUID) -> bool:
    """Keep this request's form for `customer_id`, and say whether that was done. Only forms of our own pages are."""
    if request.method != "POST" or request.endpoint not in FORMS or not _from_our_page():
        return False
    photo = None
    if request.endpoint == "portal.photo":
        upload = next((f for f in request.files.getlist("photo") if f.filename), None)
        photo = upload.stream.read(UPLOAD_BYTES + 1) if upload is not None else None
        if not photo or len(photo) > UPLOAD_BYTES:
            return False
    fields = [(name, value) for name, value in request.form.items(multi=True) if name not in LEFT_OUT]
    plan = session.get("plan")
    if plan and plan.get("customer") == str(customer_id):
        fields += [(f"plan-{key}", plan[key]) for key in ("reason", "paper") if plan.get(key)]
    case_id = (request.view_args or {}).get("case_id")
    with database().transaction() as db:
        if not throttles.hit(db, "unsent_form", str(customer_id), limit=KEPT_AN_HOUR, window=timedelta(hours=1), now=now()):
            return False
        if case_id is not None and not unsent_forms.is_hers(db, customer_id, case_id):
            return False
        form = Unsent(address=request.path, fields=tuple(fields), photo=photo, case_id=case_id)
        unsent_forms.keep(db, customer_id, form, now=now())
    log.info("form_kept", request=g.get("request_id"), customer=str(customer_id), endpoint=request.endpoint)
    return True


def _from_our_page() -> bool:
    """Whether the form carries this session's own token; the session is over, but the cookie is still signed."""
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError:
        return False
    return True
