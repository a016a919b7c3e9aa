"""Facts for ops pages in words and shapes. Pure: no database, no request but its language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask_babel import format_percent, ngettext
from flask_babel import gettext as _

from cases.policies import ActivationRow, VersionRow
from verification.evidence import ChangeReason
from verification.hints import Hint


@dataclass(frozen=True, kw_only=True)
class Period:
    """A stretch of time in which a version held; `until` is None while it holds."""

    since: datetime
    until: datetime | None


def choice_name(setting: str, entry: str) -> str:
    """One entry of a list setting in words."""
    if setting == "accepted_types":
        return {
            "TD1": _("Identity card (TD1)"),
            "TD2": _("Card (TD2)"),
            "TD3": _("Passport booklet (TD3)"),
            "MRVA": _("Visa (A)"),
            "MRVB": _("Visa (B)"),
            "RU_INTERNAL": _("Russian internal passport"),
        }.get(entry, entry)
    from webapp.i18n import label

    return label(Hint(entry)) if setting == "refer_on_hints" else label(ChangeReason(entry))


def periods(versions: list[VersionRow]) -> dict[int, list[Period]]:
    """When each version held: from its activation until the next one of any version. Newest first."""
    effective: list[tuple[datetime, int, ActivationRow]] = sorted(
        (a.effective_at, a.id, a) for v in versions for a in v.activations if a.effective_at is not None
    )
    out: dict[int, list[Period]] = {v.version: [] for v in versions}
    for index, (since, _id, activation) in enumerate(effective):
        until = effective[index + 1][0] if index + 1 < len(effective) else None
        out[activation.version].insert(0, Period(since=since, until=until))
    return out


def seconds_said(seconds: float | None) -> str:
    """A stretch of time, short: 42 s, 3 min, 5 h."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return _("%(n)s s", n=round(seconds))
    if seconds < 90 * 60:
        return _("%(n)s min", n=round(seconds / 60))
    if seconds < 48 * 3600:
        return _("%(n)s h", n=round(seconds / 3600))
    days = round(seconds / 86400)
    return str(ngettext("%(num)s day", "%(num)s days", days))


def ago(moment: datetime | None, now: datetime) -> str:
    """How long since, in words."""
    if moment is None:
        return _("never")
    return _("%(time)s ago", time=seconds_said(max(0.0, (now - moment).total_seconds())))


def share_said(part: int | float | None, whole: int | None = None) -> str:
    """A share in per cent, or a dash where there is nothing to divide by."""
    if part is None or whole == 0:
        return "–"
    return str(format_percent(part if whole is None else part / whole, "#,##0.#%"))
