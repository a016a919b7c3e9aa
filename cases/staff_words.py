"""What mails to staff about automatic decisions say beyond their text: why, how many, and the page where to act."""

from __future__ import annotations

from datetime import datetime

from babel.dates import format_datetime
from babel.numbers import format_decimal
from sqlalchemy.orm import Session

from cases import halt_words, staff_mails, wording
from cases.halts import Bound
from cases.staff_mails import Made, StaffMessage
from cases.switches import ALL
from cases.wording import N_

OPS = "/ops"
"""The page "Now"; the other pages of operations stand below it (webapp.ops.surface)."""

WAITS = {
    "policy": N_("Version %(version)s of the policy lets more through than the one that holds now."),
    "automation": N_("The machine is to decide again on everything."),
    "automation_part": N_("The machine is to decide again on a part of the cases that goes to people now."),
    "undo": N_("Approvals of the machine are to be taken back: %(count)s."),
    "calibration": N_("Scores of faces are to be rated by another calibration."),
}
"""What waits for a second person."""

ROLLED_BACK_TOO = N_("The version that was on its way up was rolled back.")


def halted(session: Session, message: StaffMessage, *, now: datetime) -> Made:
    """Which bound was left and by what numbers."""
    say, context = wording.gettext(message.locale), message.context
    back = f"\n{say(ROLLED_BACK_TOO)}\n" if context.get("rolled_back") else ""
    return Made(
        words={
            "why": halt_words.why(Bound(context["bound"]), context["figures"], message.locale),
            "back": back,
            "at": _moment(message),
            "page_url": f"{message.staff_url}{OPS}",
        }
    )


def rolled_back(session: Session, message: StaffMessage, *, now: datetime) -> Made:
    """Which version, and which holds now."""
    context = message.context
    return Made(
        words={
            "version": str(context["version"]),
            "holds": str(context["holds"]),
            "at": _moment(message),
            "page_url": f"{message.staff_url}{OPS}/policies/{int(context['version'])}",
        }
    )


def undo_begun(session: Session, message: StaffMessage, *, now: datetime) -> Made:
    """How many approvals."""
    context = message.context
    return Made(
        words={
            "count": _count(context["count"], message),
            "at": _moment(message),
            "page_url": f"{message.staff_url}{OPS}/undo/{context['undo_id']}",
        }
    )


def second_wanted(session: Session, message: StaffMessage, *, now: datetime) -> Made:
    """What waits."""
    context = message.context
    what, page = str(context["what"]), ""
    words = {}
    if what == "policy":
        words, page = {"version": str(context["version"])}, f"/policies/{int(context['version'])}"
    elif what == "undo":
        words, page = {"count": _count(context["count"], message)}, f"/undo/{context['undo_id']}"
    elif what == "calibration":
        page = "/faces"
    elif context["scope"] != ALL:
        what = "automation_part"
    return Made(
        words={
            "what": wording.gettext(message.locale)(WAITS[what]) % words,
            "page_url": f"{message.staff_url}{OPS}{page}",
        }
    )


def _count(number: int, message: StaffMessage) -> str:
    return str(format_decimal(number, locale=message.locale))


def _moment(message: StaffMessage) -> str:
    """When it happened; staff of several countries read it, so the zone stands there."""
    return f"{format_datetime(message.created_at, 'd MMMM y, HH:mm', locale=message.locale)} UTC"


staff_mails.register(staff_mails.HALTED, halted)
staff_mails.register(staff_mails.ROLLED_BACK, rolled_back)
staff_mails.register(staff_mails.UNDO_BEGUN, undo_begun)
staff_mails.register(staff_mails.SECOND_WANTED, second_wanted)
