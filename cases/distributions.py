"""How measures of past runs are distributed, by what became of each run, and approval shares of groups. Numbers of nobody.

Read from the packed records that a replay uses (`cases.replays`), without opening a photo or a reading. Windows are fixed for
each measure, so that a chart of today and one of last month can be compared; what lies outside counts in the end bins.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from cases import replays
from cases.desk_tables import QualitySample
from cases.lifecycle import State
from cases.models import Case, Disposition
from cases.ops_tables import RunRecord
from verification.calibration import Count, counted
from verification.continuity import MAY_CHANGE
from verification.decision import DIFFERS, Outcome
from verification.evidence import ChangeReason, Pair
from verification.replay import CHANGES, FIELDS, OUTCOMES, PAIRS, VERSION

DAYS = timedelta(days=30)
"""How far back the editor looks."""

MOST_RUNS = 200_000
"""Newest runs that are read; the page says so where there are more. They take two to three seconds."""

Floats = npt.NDArray[np.float64]


class Ending(StrEnum):
    """What became of a run, as far as it is known today."""

    AUTO_APPROVED = "auto_approved"  # by the machine, and it stands
    AGENT_APPROVED = "agent_approved"  # referred, and a person approved
    AGENT_REJECTED = "agent_rejected"  # referred, and a person refused
    OVERTURNED = "overturned"  # approved, and a person undid it or doubted it since
    OPEN = "open"  # photographed again, still at the desk, or given up


ENDINGS = tuple(Ending)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """The window of a measure's chart. `step`: width of a bin, in the measure's unit; tens of a logarithm where `log`."""

    low: float
    high: float
    step: float
    log: bool = False  # 10 to the power of low … high
    whole: bool = False

    def edges(self) -> Floats:
        """Edges of the bins, in the unit of the axis."""
        count = round((self.high - self.low) / self.step)
        edges: Floats = np.round(self.low + self.step * np.arange(count + 1), 6)
        return edges

    def place(self, value: float) -> float:
        """Where a value stands on the axis."""
        return float(np.log10(max(value, 1e-9))) if self.log else float(value)


_FACES = Scale(low=-2.0, high=14.0, step=0.1)
SCALES: dict[str, Scale] = {
    "min_selfie_document": _FACES,
    "min_selfie_on_file": _FACES,
    "min_document_on_file": _FACES,
    "max_portrait_years": Scale(low=0, high=40, step=1, whole=True),
    "min_strangers": Scale(low=0.0, high=7.0, step=0.05, log=True),
    "min_turned": Scale(low=0.0, high=1.0, step=0.05),
    "min_depth": Scale(low=0.0, high=0.5, step=0.01),
    "min_same_face": _FACES,
    "min_days_to_expiry": Scale(low=-365, high=3650, step=25, whole=True),
    "min_agreement": Scale(low=0.8, high=1.0, step=0.005),
    "min_confidence": Scale(low=0.0, high=1.0, step=0.02),
    "max_mistake_letters": Scale(low=0, high=12, step=1, whole=True),
    "max_attempts": Scale(low=0, high=10, step=1, whole=True),
}
"""By the setting of the policy that draws a line in the measure."""

_PAIR = {
    "min_selfie_document": Pair.SELFIE_DOCUMENT,
    "min_selfie_on_file": Pair.SELFIE_ON_FILE,
    "min_document_on_file": Pair.DOCUMENT_ON_FILE,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Histogram:
    """`counts[ending][i]` runs between `edges[i]` and `edges[i + 1]` of the axis, the ends of the window included."""

    name: str
    scale: Scale
    counts: dict[Ending, tuple[int, ...]]
    n: int  # runs in which it was measured
    missing: int

    @property
    def edges(self) -> Floats:
        """In the unit of the axis."""
        return self.scale.edges()


@dataclass(frozen=True, kw_only=True, eq=False)
class Runs:
    """Measures and endings of the runs of a time: one column each."""

    since: datetime
    until: datetime
    n: int
    more: bool  # there were more than MOST_RUNS: `since` is the oldest that was read
    ending: npt.NDArray[np.int8]  # index in ENDINGS
    approved: npt.NDArray[np.bool_]  # by the machine, whatever became of it
    values: dict[str, Floats]  # by setting; NaN = not measured
    groups: dict[str, npt.NDArray[np.bytes_]]

    def histogram(self, name: str) -> Histogram:
        """The distribution of one measure. Raises KeyError for a setting that draws no line."""
        scale, values = SCALES[name], self.values[name]
        edges = scale.edges()
        there = np.isfinite(values)
        axis = np.log10(np.maximum(values, 1e-9)) if scale.log else values
        place = np.clip(np.floor((axis - scale.low) / scale.step + 1e-9), 0, len(edges) - 2)
        counts = {
            ending: tuple(
                int(v) for v in np.bincount(place[there & (self.ending == at)].astype(np.int64), minlength=len(edges) - 1)
            )
            for at, ending in enumerate(ENDINGS)
        }
        n = int(there.sum())
        return Histogram(name=name, scale=scale, counts=counts, n=n, missing=self.n - n)

    def stopped(self, name: str, line: float) -> dict[Ending, int]:
        """Runs of each ending whose measure does not reach the line (or, of a `max_…`, goes beyond it)."""
        values = self.values[name]
        out = values > line if name.startswith("max_") else values < line
        return {ending: int((out & (self.ending == at)).sum()) for at, ending in enumerate(ENDINGS)}

    def shares(self) -> list[Share]:
        """Shares of runs that the machine approved, by group, each with its interval. Groups that are not known come last."""
        found = []
        for kind, codes in self.groups.items():
            values, places = np.unique(codes, return_inverse=True)
            runs = np.bincount(places, minlength=len(values))
            passed = np.bincount(places, weights=self.approved, minlength=len(values))
            mine = [
                Share(kind=kind, value=bytes(value).decode("ascii", "ignore"), approved=counted(int(yes), int(n)))
                for value, n, yes in zip(values, runs, passed, strict=True)
            ]
            found += sorted(mine, key=lambda share: (share.value in ("", "0"), -share.approved.n, share.value))
        return found


@dataclass(frozen=True, kw_only=True)
class Share:
    """How many runs of one group the machine approved."""

    kind: str  # "country", "sex", "age_band"
    value: str  # empty or "0": not known
    approved: Count  # its `wrong` are those approved


def read(session: Session, *, until: datetime, days: timedelta = DAYS) -> Runs:
    """Read the newest runs of a time. Changes nothing."""
    since = until - days
    oldest = session.scalars(
        select(RunRecord.finished_at)
        .where(RunRecord.finished_at >= since, RunRecord.finished_at < until)
        .order_by(RunRecord.finished_at.desc())
        .offset(MOST_RUNS)
        .limit(1)
    ).first()
    if oldest is not None:
        since = oldest
    parts: list[tuple[npt.NDArray[np.bytes_], npt.NDArray[np.int8], dict[str, Floats], dict[str, npt.NDArray[np.bytes_]]]] = []
    for rows in replays.kept_rows(session, since, until):
        rows = rows[rows["run"]["version"] == VERSION]
        groups = {
            "country": np.array(rows["country"]),
            "sex": np.array(rows["sex"]),
            "age_band": rows["age_band"].astype("S1"),
        }
        parts.append((np.array(rows["case_id"]), np.array(rows["outcome"]), _values(rows["run"]), groups))
    cases = np.concatenate([p[0] for p in parts]) if parts else np.empty(0, "S16")
    outcomes = np.concatenate([p[1] for p in parts]) if parts else np.empty(0, np.int8)
    return Runs(
        since=since,
        until=until,
        n=len(cases),
        more=oldest is not None,
        ending=_endings(session, cases, outcomes, since),
        approved=outcomes == OUTCOMES.index(Outcome.APPROVE),
        values={name: np.concatenate([p[2][name] for p in parts]) if parts else np.empty(0) for name in SCALES},
        groups={
            kind: np.concatenate([p[3][kind] for p in parts]) if parts else np.empty(0, "S4")
            for kind in ("country", "sex", "age_band")
        },
    )


def _values(r: npt.NDArray[np.void]) -> dict[str, Floats]:
    """What each line is drawn in. Where a line holds for several fields or pairs, the one that fails first counts."""
    out: dict[str, Floats] = {}
    fewest = np.full(len(r), np.inf)
    for at, pair in enumerate(PAIRS):
        there = (r["pairs"] >> np.uint8(at)) & 1 == 1
        similarity = np.where(there, r["similarity"][:, at], np.nan)
        for name, its in _PAIR.items():
            if its is pair:
                out[name] = similarity
        with np.errstate(divide="ignore", invalid="ignore"):
            strangers = np.where(there & (r["fmr"][:, at] > 0), 1.0 / r["fmr"][:, at], np.inf)
        fewest = np.fmin(fewest, strangers)
    out["min_strangers"] = np.where(np.isfinite(fewest), fewest, np.nan)
    years = np.array(r["portrait_years"])
    out["max_portrait_years"] = np.where(np.isfinite(years), years, np.nan)
    for name, column in (("min_turned", "turned"), ("min_depth", "depth"), ("min_same_face", "same_face")):
        out[name] = np.array(r[column])
    out["min_days_to_expiry"] = np.array(r["days_to_expiry"])
    out["min_agreement"] = _worst(r, "agreement", np.fmin)
    out["min_confidence"] = _worst(r, "confidence", np.fmin)
    mistake = r["reason"] == CHANGES.index(ChangeReason.MISTAKE)
    names = [field for field in DIFFERS if field in MAY_CHANGE[ChangeReason.MISTAKE]]
    out["max_mistake_letters"] = np.where(mistake, _worst(r, "letters", np.fmax, [FIELDS.index(f) for f in names]), np.nan)
    out["max_attempts"] = r["attempt"].astype(np.float64)
    return out


def _worst(r: npt.NDArray[np.void], name: str, among: np.ufunc, fields: list[int] | None = None) -> Floats:
    found: Floats = np.full(len(r), np.nan)
    for at in range(len(FIELDS)) if fields is None else fields:
        there = (r[f"{name}_of"] >> np.uint32(at)) & 1 == 1
        if there.any():
            found = among(found, np.where(there, r[name][:, at], np.nan))
    return found


def _endings(
    session: Session, cases: npt.NDArray[np.bytes_], outcomes: npt.NDArray[np.int8], since: datetime
) -> npt.NDArray[np.int8]:
    """What became of each run; runs stand oldest first. An agent's answer belongs to the case's newest run."""
    newest = np.zeros(len(cases), bool)
    _ids, last = np.unique(cases[::-1], return_index=True)
    newest[len(cases) - 1 - last] = True
    doubted = select(QualitySample.case_id).where(
        QualitySample.case_id.is_not(None), QualitySample.action == "approve", QualitySample.overturned_at.is_not(None)
    )
    overturned = _is_of(
        cases,
        select(Case.id).where(or_(Case.state == State.REVERTED, Case.undone > 0)),
        doubted,
        session=session,
    )
    answered = select(Disposition.case_id).join(Case, Case.id == Disposition.case_id).where(Disposition.created_at >= since)
    approved = _is_of(
        cases,
        answered.where(Disposition.action == "approve", Case.state.in_((State.APPROVED, State.REVERTED))),
        session=session,
    )
    rejected = _is_of(cases, answered.where(Disposition.action == "reject", Case.state == State.REJECTED), session=session)
    approve, refer = OUTCOMES.index(Outcome.APPROVE), OUTCOMES.index(Outcome.REFER)
    ending = np.full(len(cases), ENDINGS.index(Ending.OPEN), np.int8)
    referred = (outcomes == refer) & newest
    ending[outcomes == approve] = ENDINGS.index(Ending.AUTO_APPROVED)
    ending[referred & approved] = ENDINGS.index(Ending.AGENT_APPROVED)
    ending[referred & rejected] = ENDINGS.index(Ending.AGENT_REJECTED)
    ending[overturned & ((outcomes == approve) | (referred & approved))] = ENDINGS.index(Ending.OVERTURNED)
    return ending


def _is_of(cases: npt.NDArray[np.bytes_], *wanted: object, session: Session) -> npt.NDArray[np.bool_]:
    ids = [id.bytes for query in wanted for id in session.scalars(query)]  # type: ignore[call-overload]
    found: npt.NDArray[np.bool_] = np.isin(cases, np.array(ids, "S16")) if ids else np.zeros(len(cases), bool)
    return found
