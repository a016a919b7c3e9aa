"""The audit trail: searching it, and walking its chain."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from cases import audit
from cases.settings import Mode
from webapp.context import database, now, settings
from webapp.ops import search
from webapp.ops.surface import ops
from webapp.security import needs, row


@ops.get("/audit")
@needs("search_audit")
def audit_page() -> ResponseReturnValue:
    """Search the trail by case, kind, person and time."""
    wanted, problems = search.read(request.args)
    with database().reading() as db:
        found = search.find(db, wanted) if not problems else search.Found(rows=[], more=False)
        people = search.people(db)
    return render_template(
        "ops/audit.html", wanted=wanted, problems=problems, found=found, people=people, kinds=sorted(audit.KINDS), verdict=None
    )


@ops.post("/audit/verify")
@needs("verify_audit")
def audit_verify() -> ResponseReturnValue:
    """Walk the whole chain and say whether it is whole. In production a missing file of anchors is a finding."""
    anchors = settings().data_dir / "anchors"
    anchored = settings().mode is Mode.PRODUCTION or (anchors / audit.ANCHOR_FILE).exists()
    with database().reading() as db:
        verdict = audit.verify(db, anchors=anchors if anchored else None)
    with database().transaction() as db:
        audit.record(
            db,
            "audit_verified",
            actor=audit.Actor.staff(row(db)),
            now=now(),
            ok=verdict.ok,
            count=verdict.count,
            broken_at=verdict.broken_at,
        )
    wanted, _problems = search.read(request.args)
    with database().reading() as db:
        found, people = search.find(db, wanted), search.people(db)
    page = render_template(
        "ops/audit.html",
        wanted=wanted,
        problems={},
        found=found,
        people=people,
        kinds=sorted(audit.KINDS),
        verdict=verdict,
        anchored=anchored,
    )
    return page, 200 if verdict.ok else 409
