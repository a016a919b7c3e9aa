"""What is kept, until when, and what was shredded. Only shown: how long things are kept stands in the deployment's settings."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from cases import retention, shredding
from webapp.context import database, now, settings
from webapp.ops.surface import ops
from webapp.security import needs


@ops.get("/retention")
@needs("see_retention")
def retention_page() -> ResponseReturnValue:
    """Due, shredded, held back. `?orphans=count` also compares the store with the rows, which takes its time."""
    moment, config = now(), settings()
    with database().reading() as db:
        overview = shredding.overview(db, now=moment)
        orphans = retention.orphans(db, now=moment) if request.args.get("orphans") == "count" else None
    return render_template(
        "ops/retention.html",
        now=moment,
        overview=overview,
        most=max((count for _day, count in overview.shredded), default=0),
        orphans=orphans,
        settings=(
            ("PHOTO_DAYS", config.photo_days, _("days after a case is closed: photos, claim, readings and notes are shredded")),
            ("DRAFT_DAYS", config.draft_days, _("days without a touch: a draft or an unanswered retake is closed")),
            ("UNDO_DAYS", config.undo_days, _("days in which a customer who objects gets her former details back at once")),
            ("WATCH_DAYS", config.watch_days, _("days after a refusal in which a person decides the account's next cases")),
        ),
        round_words={
            "shred": _("shred what is due"),
            "expire": _("close old drafts"),
            "remove_orphans": _("remove pictures without a row"),
            "anchor": _("anchor the audit trail"),
        },
    )
