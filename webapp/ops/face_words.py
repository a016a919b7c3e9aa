"""A calibration of the faces in words and rows: what it rests on, what another would do, errors by group. Pure: no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import format_decimal
from flask_babel import gettext as _

from cases.calibration import Effects, Slice
from cases.quality import Share
from verification.calibration import CONDITION, OWN_EACH, FaceCalibration, GroupRates
from verification.evidence import Pair
from verification.policy import Policy
from webapp.desk.presenters import pair_name
from webapp.ops import presenters, replay_words


@dataclass(frozen=True, kw_only=True)
class KindRow:
    """One kind of pair behind an own calibration."""

    name: str
    genuine: str
    impostor: str
    moved: str  # towards strictness, in the score's unit
    rests_on: str


def kind_rows(made: FaceCalibration) -> list[KindRow]:
    """What each kind rests on; empty for one that was fitted before kinds were told apart."""
    rows = []
    for pair in Pair:
        about = made.card.get("kinds", {}).get(pair.value)
        if about is not None:
            rows.append(
                KindRow(
                    name=pair_name(pair),
                    genuine=str(format_decimal(about["genuine_pairs"])),
                    impostor=str(format_decimal(about["impostor_pairs"])),
                    moved=str(format_decimal(about["moved_by"], "0.00")),
                    rests_on=_("its own strangers")
                    if about["own"]
                    else _("all kinds together: fewer than %(n)s strangers of its own", n=OWN_EACH),
                )
            )
    return rows


@dataclass(frozen=True, kw_only=True)
class LineRow:
    """How many strangers reach the policy's line by what holds, and by what is proposed."""

    name: str
    line: str
    now: str
    then: str
    stricter: bool
    kinder: bool


def line_rows(held: FaceCalibration, other: FaceCalibration, policy: Policy) -> list[LineRow]:
    """Each kind of pair at its line."""
    rows = []
    for pair in Pair:
        line = policy.min_similarity(pair)
        now, then = held.fmr(pair, line), other.fmr(pair, line)
        if now is None or then is None:
            continue
        rows.append(
            LineRow(
                name=pair_name(pair),
                line=str(format_decimal(line, "0.0#")),
                now=presenters.one_in(now),
                then=presenters.one_in(then),
                stricter=then > now * (1 + 1e-9),
                kinder=then < now * (1 - 1e-9),
            )
        )
    return rows


def flows(found: Effects) -> list[tuple[str, str]]:
    """What would be decided otherwise, and how often, the most frequent first."""
    return [
        (f"{replay_words.outcome_name(was)} → {replay_words.outcome_name(then)}", str(format_decimal(count)))
        for (was, then), count in sorted(found.flows.items(), key=lambda flow: -flow[1])
    ]


@dataclass(frozen=True, kw_only=True)
class SliceRow:
    """One kind of pair among one group."""

    name: str
    fnmr: str
    fmr: str
    shipped_fnmr: str
    shipped_fmr: str


@dataclass(frozen=True, kw_only=True)
class GroupRows:
    """One group."""

    name: str
    rows: tuple[SliceRow, ...]


def slice_rows(found: Sequence[Slice], base: FaceCalibration) -> list[GroupRows]:
    """Errors by group, with what the shipped data say of the same group; their age bands are others, so none stands beside."""
    known = {(g.group, g.condition): g for g in base.groups}
    groups: dict[str, list[SliceRow]] = {}
    for one in found:
        if not one.genuines and not one.impostors:
            continue
        shipped = known.get((one.group, CONDITION[one.pair]))
        groups.setdefault(_group(one.group), []).append(
            SliceRow(
                name=pair_name(one.pair),
                fnmr=_share(one.fnmr, one.genuines),
                fmr=_share(one.fmr, one.impostors),
                shipped_fnmr=presenters.rate_said(shipped.fnmr) if shipped else "–",
                shipped_fmr=presenters.rate_said(shipped.fmr) if shipped else "–",
            )
        )
    return [GroupRows(name=name, rows=tuple(rows)) for name, rows in groups.items()]


def _group(group: str) -> str:
    return presenters.group_name(
        GroupRates(group=group, condition="", people=0, genuines=0, impostors=0, fnmr=None, fmr=None)
    )  # fmt: skip


def _share(share: Share | None, n: int) -> str:
    if share is None or share.share is None or share.low is None or share.high is None:
        return _("not enough (%(n)s)", n=format_decimal(n))
    return _(
        "%(wrong)s of %(n)s: %(rate)s (%(low)s – %(high)s)",
        wrong=format_decimal(share.found),
        n=format_decimal(share.n),
        rate=presenters.percent(share.share),
        low=presenters.percent(share.low),
        high=presenters.percent(share.high),
    )
