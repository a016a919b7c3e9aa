"""Facts for ops pages in words and shapes. Pure: no database, no request but its language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask_babel import format_decimal, format_percent, ngettext
from flask_babel import gettext as _

from cases.distributions import Share
from cases.policies import ActivationRow, VersionRow
from verification.calibration import PRINTED, Count, FaceCalibration, GroupRates, OwnPair
from verification.challenge import Sign
from verification.evidence import ChangeReason, Pair
from verification.hints import Hint
from verification.policy import Policy


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

    if setting == "refer_on_liveness_signs":
        return label(Sign(entry))
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


# Faces


@dataclass(frozen=True, kw_only=True)
class CalibrationRow:
    """One pair of faces: the policy's line, and what the calibration says of it."""

    name: str
    line: str
    strangers: str  # one in how many strangers reaches the line
    percentage: str  # shown at the line
    people: str
    pairs: str  # of strangers behind the curve
    supported: str  # one in how many is the rarest that n can show


def calibration_rows(held: FaceCalibration, policy: Policy) -> list[CalibrationRow]:
    """What the lines of a policy mean by the calibration that holds."""
    from webapp.desk.presenters import pair_name

    rows = []
    for pair in Pair:
        line, table = policy.min_similarity(pair), held.table(pair)
        if table is None:
            continue
        fmr, percentage = table.fmr(line), held.percentage(pair, line)
        shape = table.card.get("shape", table.card)
        rows.append(
            CalibrationRow(
                name=pair_name(pair),
                line=str(format_decimal(line, "0.0#")),
                strangers="–" if not fmr else one_in(fmr),
                percentage="–" if percentage is None else _("%(n)s in 100", n=percentage),
                people=str(format_decimal(shape.get("people", 0))),
                pairs=str(format_decimal(shape.get("impostor_pairs", 0))),
                supported=one_in(table.supported),
            )
        )
    return rows


def one_in(rate: float) -> str:
    """A rare rate in words, rounded to two figures."""
    odds = 1 / rate
    digits = max(0, len(str(int(odds))) - 2)
    return _("1 in %(n)s", n=format_decimal(max(1, round(odds, -digits))))


@dataclass(frozen=True, kw_only=True)
class GroupRow:
    """Errors of one group in words."""

    name: str
    printed: bool
    people: int
    genuines: int
    impostors: int
    fnmr: str
    fmr: str


def group_rows(held: FaceCalibration) -> list[GroupRow]:
    """Errors by the groups that the data can tell, as the calibration's card says."""
    return [
        GroupRow(
            name=group_name(g),
            printed=g.condition == PRINTED,
            people=g.people,
            genuines=g.genuines,
            impostors=g.impostors,
            fnmr=rate_said(g.fnmr),
            fmr=rate_said(g.fmr),
        )
        for g in held.groups
    ]


def group_name(group: GroupRates) -> str:
    """Who is meant. Labels of ethnicity are the source's own words and stay as they are."""
    kind, _colon, value = group.group.partition(": ")
    sexes = {"female": _("women"), "male": _("men")}
    if kind == "all":
        return _("all")
    if kind == "sex":
        return sexes.get(value, value)
    if kind == "age":
        low, _dash, high = value.partition("-")
        return _("age %(low)s and over", low=low) if int(high) > 100 else _("age %(low)s to %(high)s", low=low, high=high)
    if kind == "label and sex":
        source, _comma, sex = value.partition(", ")
        return f"“{source}”, {sexes.get(sex, sex)}"
    return f"“{value}”"


def rate_said(rate: tuple[float, float, float] | None) -> str:
    """A rate with its interval, in per cent of as many digits as it takes."""
    if rate is None:
        return "–"
    middle, low, high = (percent(value) for value in rate)
    return f"{middle} ({low} – {high})"


def percent(value: float) -> str:
    """A share in per cent of as many digits as it takes."""
    if value == 0:
        return str(format_percent(0))
    return str(format_percent(value, "#,##0.##%" if value >= 1e-3 else "#,##0.####%"))


@dataclass(frozen=True, kw_only=True)
class OwnRow:
    """What agents' answers say of one pair of faces at the policy's line."""

    name: str
    line: str
    fmr: Count
    fnmr: Count


def own_rows(own: Sequence[OwnPair], policy: Policy) -> list[OwnRow]:
    """Labelled pairs at the lines of a policy, each kind by itself."""
    from webapp.desk.presenters import pair_name
    from webapp.ops.charts import own_rates

    rows = []
    for pair in Pair:
        line = policy.min_similarity(pair)
        fmr, fnmr = own_rates(own, pair, line)
        rows.append(OwnRow(name=pair_name(pair), line=str(format_decimal(line, "0.0#")), fmr=fmr, fnmr=fnmr))
    return rows


def fmr_rows(held: FaceCalibration) -> list[tuple[str, list[str]]]:
    """The curves as a table: similarity from which at most so many strangers pass, for each kind of pair."""
    rates = (0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6)
    curves = [held.table(pair) for pair in Pair]
    return [
        (one_in(rate), [str(format_decimal(curve.threshold(rate), "0.00")) if curve else "–" for curve in curves])
        for rate in rates
    ]


def pair_names() -> list[str]:
    """The kinds of pairs in the order of the columns."""
    from webapp.desk.presenters import pair_name

    return [pair_name(pair) for pair in Pair]


@dataclass(frozen=True, kw_only=True)
class ShareRow:
    """How many of a group the machine approved."""

    kind: str
    name: str
    n: str
    share: str
    low: float  # 0-100, for the drawing
    high: float
    at: float


def share_rows(shares: Sequence[Share]) -> list[ShareRow]:
    """Shares of approvals by group, in words and places on a rail."""
    kinds = {"country": _("Country"), "sex": _("Sex"), "age_band": _("Age")}
    rows = []
    for share in shares:
        count = share.approved
        rows.append(
            ShareRow(
                kind=kinds[share.kind],
                name=_share_name(share),
                n=str(format_decimal(count.n)),
                share=f"{percent(count.rate)} ({percent(count.low)} – {percent(count.high)})",
                low=round(100 * count.low, 1),
                high=round(100 * count.high, 1),
                at=round(100 * count.rate, 1),
            )
        )
    return rows


def _share_name(share: Share) -> str:
    if share.value in ("", "0"):
        return str(_("not known"))
    if share.kind == "sex":
        return {"F": str(_("women")), "M": str(_("men"))}.get(share.value, share.value)
    if share.kind == "age_band":
        low = int(share.value) * 10
        return str(_("age %(low)s to %(high)s", low=low, high=low + 9))
    return share.value
