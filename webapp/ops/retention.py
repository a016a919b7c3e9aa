"""What is kept, until when, and what was shredded. Only shown: how long things are kept stands in the deployment's settings."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from cases import clocks, privacy, retention, shredding
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
        erasures = privacy.counts(db)
    return render_template(
        "ops/retention.html",
        now=moment,
        overview=overview,
        most=max((count for _day, count in overview.shredded), default=0),
        orphans=orphans,
        erasures=erasures,
        clocks=clocks.clocks(config),
        kinds=kind_words(),
        reasons=clock_reasons(),
        starts=start_words(),
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


def kind_words() -> dict[str, str]:
    """Kinds of data, by the codes of `cases.clocks`."""
    return {
        "drafts": _("drafts and unanswered retakes"),
        "photos": _("photos and head turns"),
        "claims": _("what was asked for"),
        "readings": _("what was read"),
        "papers": _("supporting papers"),
        "conversations": _("messages"),
        "notes": _("notes of staff"),
        "faces": _("encodings of faces"),
        "unsent_forms": _("forms sent after a session's end"),
        "sessions": _("sessions of customers"),
        "links": _("links, by mail and to the phone"),
        "tries": _("counts of tries"),
        "sent_mails": _("addresses of mails that were sent"),
        "idempotency_answers": _("answers kept for a request repeated"),
        "webhook_deliveries": _("bodies of webhooks"),
        "exports": _("copies of one's data"),
        "details": _("details of the account"),
        "reports": _("reports and figures"),
        "events": _("the audit trail"),
        "logs": _("logs: ids and codes"),
    }


def start_words() -> dict[str, str]:
    """What starts a clock."""
    return {
        "closed": _("after the request is closed"),
        "touched": _("after it was last touched"),
        "made": _("after it was made"),
        "sent": _("after it was sent"),
        "ended": _("after it ended"),
    }


def clock_reasons() -> dict[str, str]:
    """Why something is kept that long, short; the law stands in docs/privacy.md."""
    return {
        "appeal": _("an answer can be appealed or disputed"),
        "abandoned": _("nobody needs it any more"),
        "account": _("as long as the lender holds the account"),
        "delivery": _("to deliver once more"),
        "security": _("to tell an old one from one that never was"),
        "proof": _("proof of what was done"),
        "nobody": _("of nobody"),
        "never": _("never kept"),
    }
