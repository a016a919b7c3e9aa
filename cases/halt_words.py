"""Why automatic approval stopped itself, in words: the same sentence on pages and in mails. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from babel.numbers import format_decimal, format_percent

from cases import wording
from cases.halts import BY_ITSELF, Bound
from cases.wording import N_

HALTED = {
    Bound.APPROVALS_PER_HOUR: N_("Stopped by itself: too many approvals in an hour"),
    Bound.APPROVE_SHARE: N_("Stopped by itself: another share of approvals than usual"),
    Bound.OVERTURNED_SHARE: N_("Stopped by itself: people judged too many approvals otherwise"),
    Bound.REFERRAL_BACKLOG: N_("Stopped by itself: too many cases are late at the desk"),
    Bound.TECHNICAL_FAILURES: N_("Stopped by itself: too many runs failed"),
}
"""A halt as the reason of a switch or a step back."""


def reason(text: str, locale: str) -> str:
    """The reason of a switch or a step in the reader's language where the system gave it; as it stands where a person did."""
    bound = text.removeprefix(BY_ITSELF).replace(" ", "_")
    return wording.gettext(locale)(HALTED[Bound(bound)]) if text.startswith(BY_ITSELF) and bound in list(Bound) else text


def why(bound: Bound, figures: Mapping[str, float], locale: str) -> str:
    """Which bound was left, and by what numbers. `figures` are those of the halt. Raises KeyError when one is missing."""
    f = figures

    def count(name: str) -> str:
        return str(format_decimal(f[name], locale=locale))

    def share(name: str) -> str:
        return percent(f[name], locale)

    if bound is Bound.APPROVALS_PER_HOUR:
        text = N_("%(n)s automatic approvals within an hour; no more than %(allowed)s are allowed.")
        words = {"n": count("approved"), "allowed": count("allowed")}
    elif bound is Bound.APPROVE_SHARE:
        text = N_("%(n)s of %(runs)s runs within an hour were approved; the week before it was %(before)s.")
        words = {"n": count("approved"), "runs": count("runs"), "before": share("before")}
    elif bound is Bound.OVERTURNED_SHARE:
        text = N_(
            "%(wrong)s of %(n)s automatic approvals were judged otherwise by people: up to %(high)s may be wrong, %(budget)s is "
            "the budget."
        )
        of = count("reviewed" if "reviewed" in f else "approved")
        words = {"wrong": count("wrong"), "n": of, "high": share("high"), "budget": share("budget")}
    elif bound is Bound.TECHNICAL_FAILURES:
        text = N_("%(n)s of %(runs)s runs within an hour failed.")
        words = {"n": count("failed"), "runs": count("runs")}
    else:
        text = N_("%(n)s referred cases are late; no more than %(allowed)s are allowed.")
        words = {"n": count("overdue"), "allowed": count("allowed")}
    return wording.gettext(locale)(text) % words


def percent(share: float, locale: str) -> str:
    """A share in per cent, with as many digits as an interval takes."""
    return str(format_percent(share, "#,##0.##%", locale=locale))
