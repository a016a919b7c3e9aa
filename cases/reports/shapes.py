"""What a weekly report is made of: frozen, plain, the same whether measured now or read from a kept row.

Codes, ids and numbers only. Nothing of a customer stands here, and of an agent her id: names are looked up when a page is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

DEFINITIONS = 1
"""Version of docs/metrics.md, "The weekly report". A change of meaning of any figure counts it up; kept reports say theirs."""


@dataclass(frozen=True, kw_only=True, order=True)
class ReportWeek:
    """Monday 00:00 to the next Monday 00:00 on the clocks of `time_zone`; 167 or 169 hours where they are set in between."""

    monday: date
    time_zone: str = "Europe/Moscow"

    def __post_init__(self) -> None:
        """Raises ValueError for another day than a Monday, ZoneInfoNotFoundError for an unknown time zone."""
        if self.monday.weekday():
            raise ValueError("a week begins on a Monday")
        ZoneInfo(self.time_zone)

    @classmethod
    def holding(cls, moment: datetime, *, time_zone: str) -> ReportWeek:
        """The week that `moment`, an aware time, lies in."""
        day = moment.astimezone(ZoneInfo(time_zone)).date()
        return cls(monday=day - timedelta(days=day.weekday()), time_zone=time_zone)

    @classmethod
    def last_whole(cls, now: datetime, *, time_zone: str) -> ReportWeek:
        """The newest week that is over: what Monday's report is about."""
        return cls.holding(now, time_zone=time_zone).before

    @classmethod
    def parse(cls, text: str, *, time_zone: str) -> ReportWeek:
        """Read "2026-W47". Raises ValueError."""
        year, mark, number = text.partition("-W")
        if not mark or not (year.isascii() and year.isdigit() and number.isascii() and number.isdigit()):
            raise ValueError("a week reads 2026-W47")
        return cls(monday=date.fromisocalendar(int(year), int(number), 1), time_zone=time_zone)

    def __str__(self) -> str:
        """As in ISO 8601: "2026-W47"."""
        year, number, _ = self.monday.isocalendar()
        return f"{year}-W{number:02d}"

    @property
    def begins(self) -> datetime:
        """First moment, UTC."""
        return _midnight(self.monday, self.time_zone)

    @property
    def ends(self) -> datetime:
        """First moment of the next week, UTC: not part of this one."""
        return _midnight(self.monday + timedelta(days=7), self.time_zone)

    @property
    def sunday(self) -> date:
        """Its last day."""
        return self.monday + timedelta(days=6)

    @property
    def before(self) -> ReportWeek:
        """The week before."""
        return replace(self, monday=self.monday - timedelta(days=7))

    @property
    def after(self) -> ReportWeek:
        """The week after."""
        return replace(self, monday=self.monday + timedelta(days=7))


def _midnight(day: date, time_zone: str) -> datetime:
    return datetime.combine(day, time(), tzinfo=ZoneInfo(time_zone)).astimezone(UTC)


UNITS = ("share", "seconds", "count", "mean", "minutes_per_100")
"""share: 0 to 1. seconds: median or p90 of times. count: how many. mean: per case. minutes_per_100: agents', per 100 cases."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of a report. `value` None: nothing to count. `n`: what it rests on, cases unless docs/metrics.md says otherwise.

    `low` and `high` are a 95 % interval: Wilson's for shares, of order statistics for medians and p90, normal for means and
    minutes; None where the values do not bound it, and of counts, which are what they are. `before`: the week before, measured as
    long after its own end. `late`: what it counts still comes in after the week, so it holds as of `Report.as_of`.
    """

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    unit: str
    before: float | None = None
    before_n: int = 0
    late: bool = False

    @property
    def change(self) -> float | None:
        """This week's less the week's before; None where either has none."""
        return None if self.value is None or self.before is None else self.value - self.before


FIGURES: dict[str, str] = {
    # counts of the week
    "opened": "count",
    "sent": "count",
    "decided": "count",
    "approved": "count",
    "rejected": "count",
    "withdrawn": "count",
    "expired": "count",
    "referred": "count",
    "taken_back": "count",
    # how it went
    "automation": "share",
    "first_pass": "share",
    "completion": "share",
    "handed_off": "share",
    "asked_again": "share",
    # times
    "machine_median": "seconds",
    "machine_p90": "seconds",
    "person_median": "seconds",
    "person_p90": "seconds",
    "response_median": "seconds",
    "response_p90": "seconds",
    "sla": "share",
    # effort
    "interactions_case": "mean",
    "interactions_application": "mean",
    "few_interactions": "share",
    "one_touch": "share",
    "cost": "minutes_per_100",
    # right or wrong
    "overturned": "share",
    "overturned_machine": "share",
    "overturned_people": "share",
    "reversed": "share",
    # what customers say
    "csat": "share",
    "csat_response": "share",
}
"""Every figure of `Report.figures` with its unit, in the order in which a page shows them. docs/metrics.md defines each."""

LATE = frozenset({"reversed", "csat", "csat_response"})
"""These still grow after the week: approvals taken back and ratings given later."""

STEPS = ("link_opened", "reason", "details", "photos", "sent", "decided", "approved")
"""Of the funnel. "reason" leaves no row (it is sent together with the details), so its count is None: see docs/metrics.md."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """How many people came this far by the end of the week; None where the step leaves no row of its own.

    `of_first`: share of those who opened a link. `of_previous`: of those on the last counted step before.
    """

    name: str
    count: int | None
    of_first: Figure | None
    of_previous: Figure | None


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """From an opened link to a changed profile, in people; STEPS in order."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A reason that a photo was asked for again, a case went to a person, or was refused.

    `code` is a verification.reasons.ReasonCode. `share`: of the cases that had any reason this week; `share.n` are these.
    """

    code: str
    cases: int
    before: int  # cases of the week before
    share: Figure
    countries: tuple[tuple[str, int], ...] = ()  # most frequent first; only where the reason itself has SMALL cases or more

    @property
    def change(self) -> int:
        """Cases more, or less, than in the week before."""
        return self.cases - self.before


@dataclass(frozen=True, kw_only=True)
class Topics:
    """Reasons of the week, most frequent first. `cases`: those that had any; `before` the same of the week before."""

    cases: int
    before: int
    top: tuple[Topic, ...]


@dataclass(frozen=True, kw_only=True)
class AgentRow:
    """One agent's own figures of the week, by the names of `cases.figures.FIGURES`, beside the team's (`Report.team`).

    `values`: (value, n) by name; "minutes" in minutes, the others shares. `z`: as `cases.figures.Agent.z`.
    """

    staff_id: UUID
    handled: int
    values: Mapping[str, tuple[float | None, int]]
    z: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TeamSpread:
    """Mean and quartiles of the agents' own values of one figure; there are at least `cases.figures.PEERS` of them."""

    agents: int
    mean: float
    low: float
    middle: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Group:
    """The same figures of one country or policy version. `small`: fewer than SMALL cases, so `figures` is empty."""

    code: str  # "KAZ", "14"; "" where the case has none (no country said; no machine looked)
    cases: int
    small: bool
    figures: Mapping[str, Figure]


SMALL = 10
"""Cases below which a group is not broken down: its figures would speak of single people and of chance."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """One week. `as_of` is when it was measured: figures that are `late` may be others by now, all others may not.

    `countries` and `policies` are empty where the report is itself of one country or policy. `cases`: all that anything of this
    week rests on. `kept`: read from a row made on Monday, or later on demand, and not measured for this reader.
    """

    week: ReportWeek
    as_of: datetime
    definitions: int
    review_hours: int
    country: str | None
    policy: int | None
    cases: int
    figures: Mapping[str, Figure]  # every name of FIGURES
    funnel: Funnel
    topics: Topics
    countries: tuple[Group, ...]  # most cases first
    policies: tuple[Group, ...]  # newest first
    agents: tuple[AgentRow, ...]  # empty where country or policy is given
    team: Mapping[str, TeamSpread]  # by the names of `cases.figures.FIGURES` and "handled"; enough agents only
    kept: bool = False

    @property
    def running(self) -> bool:
        """Whether the week was not over when this was measured."""
        return self.as_of < self.week.ends


Json = dict[str, Any]
