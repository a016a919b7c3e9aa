"""Times and codes in an agent's words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from flask_babel import ngettext

from cases.desk_tables import RiskSign
from cases.review import WEIGHTY
from verification.reasons import ReasonCode
from webapp.i18n import label

HEAVY = WEIGHTY
"""Reasons that weigh most; an approval in spite of one needs a note."""


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Time left or waited, short, with a word for its urgency."""

    text: str
    kind: str  # late, soon or calm


def clock(due: datetime | None, now: datetime) -> Clock | None:
    """Until when a person was promised to answer."""
    if due is None:
        return None
    left = (due - now).total_seconds()
    if left < 0:
        return Clock(text=_("late by %(time)s", time=span(-left)), kind="late")
    return Clock(text=_("in %(time)s", time=span(left)), kind="soon" if left <= 1800 else "calm")


def span(seconds: float) -> str:
    """A stretch of time, short: 4 min, 3 h 20 min, 2 days."""
    minutes = int(seconds // 60)
    if minutes < 60:
        return _("%(n)s min", n=minutes)
    if minutes < 24 * 60:
        return _("%(h)s h %(m)s min", h=minutes // 60, m=minutes % 60)
    return str(ngettext("%(num)s day", "%(num)s days", minutes // (24 * 60)))


def action_words(action: str) -> str:
    """What an agent answered."""
    return {
        "approve": _("approved"), "reject": _("rejected"), "ask_retake": _("asked for a photo again"), "revert": _("put back"),
        "settle": _("let the change stand"),
    }.get(action, action)  # fmt: skip


def stage_words(state: str) -> str:
    """What has become of an answer that is not carried out, or not yet."""
    return {
        "waiting": _("not sent yet"),
        "first": _("waits for a second person"),
        "disagreed": _("two people disagree"),
        "followed": _("another person came to the same"),
        "overruled": _("a senior agent decided otherwise"),
        "taken_back": _("taken back"),
        "dropped": _("dropped: the case changed"),
    }.get(state, state)


def outcome_words(outcome: str | None) -> str:
    """What the policy decided in one run."""
    return {
        "approve": _("approve"),
        "retake": _("ask for a photo again"),
        "refer": _("to a person"),
        None: _("not finished"),
    }.get(outcome, outcome or "")


def risk_words(codes: Iterable[str]) -> list[str]:
    """Why a case counts as of high risk, in sentences."""
    return [label(RiskSign(code)) for code in codes]


def by_words(by: str) -> str:
    """Who did it: a name of staff, or one of the four that are nobody in particular."""
    return {
        "customer": _("the customer"),
        "machine": _("the machine"),
        "system": _("the system"),
        "host": _("the host system"),
    }.get(by, by)


def heavy_first(reasons: Iterable[ReasonCode]) -> list[ReasonCode]:
    """Reasons in reading order, those that weigh most first."""
    return sorted(reasons, key=lambda r: r not in HEAVY)
