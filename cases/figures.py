"""What agents did, in figures they can influence: each has one definition (docs/metrics.md) and says what it rests on. Read-only.

An agent sees her own beside the team's mean and quartiles and nobody's name; a lead sees all of them. Everything is counted
from rows that stand anyway: answers, events, ratings, quality samples. The number of queries does not grow with the desk; what
would, times at work, is taken from each agent's newest SAMPLE answers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from statistics import mean, median, quantiles
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from cases import queue
from cases import staff as people
from cases.desk_tables import Answer, AnswerState, QualitySample
from cases.lifecycle import State
from cases.models import Case, Disposition, Event, Rating, Role, Staff

WINDOW = timedelta(days=28)
"""Four whole weeks, so that every weekday counts equally often; long enough for the rarer things to happen at all."""

WEEKS = 8
DAYS = 14
"""What is drawn as a course: facts/ecosystem.md 5."""

FEW = 20
"""Answers of a day or week below which it is drawn in grey: one odd case would move it (facts/ecosystem.md 5)."""

LEAST = 10
"""What a colleague's figure must rest on to count towards the team's mean and quartiles."""

PEERS = 5
"""Agents whose figures make a mean and quartiles. Of fewer, one could work out another's."""

MARKED_N = 30
"""What a figure must rest on to be marked as unlike the others' (facts/ecosystem.md 3.2)."""

MARKED_Z = 3.0
"""From where on it is marked: by chance three in a thousand are. A page of ten agents has some seventy figures."""

IDLE = timedelta(minutes=5)
"""Between two signs of an agent this much counts as work at most; what is beyond was lunch (facts/ecosystem.md 5)."""

SAMPLE = 100
"""Newest answers of an agent that times at work are taken from: enough for a median, and a page stays fast at any size."""

WEEK_SAMPLE = 60
"""The same for each week of a course."""

GOOD_MARK = 4
"""Ratings from here on count as good: "easy" and "very easy" of `cases.ratings`."""

FIGURES = ("minutes", "in_time", "agreement", "quality", "overturned", "reopened", "rating", "retake", "reject")
"""All that has a value beside the count of handled cases. "minutes" is a median, the others are shares, 0-1."""

DONE = frozenset({AnswerState.CARRIED_OUT, AnswerState.FIRST, AnswerState.DISAGREED, AnswerState.FOLLOWED, AnswerState.OVERRULED})
"""An answer that counts as handled: it can no longer be taken back, and it was not dropped because the case changed."""

_REFERRED = ("run_finished", "person_asked_for", "referred", "appealed")


@dataclass(frozen=True, kw_only=True)
class Value:
    """A figure and what it rests on; None where there is nothing to count."""

    value: float | None
    n: int


NOTHING = Value(value=None, n=0)


@dataclass(frozen=True, kw_only=True)
class Agent:
    """One agent's figures of a stretch of time. `z`: how far from all the others, where it is marked."""

    staff_id: UUID
    name: str
    practising: bool
    handled: int
    values: dict[str, Value]
    z: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A figure over the team: mean and quartiles of the agents' own values."""

    agents: int
    mean: float
    low: float
    middle: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A day or a week of an agent."""

    begins: date
    handled: int
    minutes: float | None  # median; None: no answer, or of a day

    @property
    def few(self) -> bool:
        """Whether it rests on too little to be read."""
        return self.handled < FEW


@dataclass(frozen=True, kw_only=True)
class Mine:
    """What one agent is shown of herself."""

    today: int
    week: int
    own: Agent
    team: dict[str, Spread]  # figures that enough colleagues have, "handled" among them
    weeks: tuple[Stretch, ...]  # oldest first, the last is the running one
    days: tuple[Stretch, ...]


# The team


def team(session: Session, *, since: datetime, until: datetime) -> list[Agent]:
    """Everybody who answers cases, and who did in [since, until), by name. Eight queries, whatever the size of the desk."""
    shares = _answers(session, since, until)
    handled = {who: n for who, (_, n) in shares["retake"].items()}
    seconds, in_time = _times(session, since, until)
    shares |= {
        "in_time": in_time,
        "agreement": _agreement(session, since, until),
        "quality": _quality(session, since, until),
        "rating": _ratings(session, since, until),
    }
    members = [
        one
        for one in session.scalars(select(Staff).order_by(Staff.name, Staff.id))
        if one.id in handled or (one.active and people.roles_of(one) & {Role.AGENT, Role.SENIOR_AGENT})
    ]
    agents = []
    for one in members:
        values = {name: _share(shares[name].get(one.id)) for name in FIGURES if name != "minutes"}
        took = seconds.get(one.id, [])
        values["minutes"] = Value(value=median(took) / 60 if took else None, n=len(took))
        z = {name: _odd(shares[name], one.id) for name in FIGURES if name != "minutes"} | {"minutes": _slow(seconds, one.id)}
        agents.append(
            Agent(
                staff_id=one.id,
                name=one.name,
                practising=one.practising,
                handled=handled.get(one.id, 0),
                values={name: values[name] for name in FIGURES},
                z={name: mark for name, mark in z.items() if mark is not None and abs(mark) >= MARKED_Z},
            )
        )
    return agents


def spread(values: Iterable[float]) -> Spread | None:
    """Mean and quartiles of the agents' values; None where they are fewer than PEERS.

    Quartiles are those of the values as a whole ("inclusive" of `statistics.quantiles`).
    """
    given = list(values)
    if len(given) < PEERS:
        return None
    low, middle, high = quantiles(given, n=4, method="inclusive")
    return Spread(agents=len(given), mean=mean(given), low=low, middle=middle, high=high)


def spreads(agents: Sequence[Agent]) -> dict[str, Spread]:
    """Of each figure that enough agents have: those whose own rests on LEAST at least."""
    found = {"handled": spread(float(a.handled) for a in agents if a.handled >= LEAST)}
    for name in FIGURES:
        held = (a.values[name] for a in agents)
        found[name] = spread(v.value for v in held if v.value is not None and v.n >= LEAST)
    return {name: one for name, one in found.items() if one is not None}


def mine(session: Session, agent: Staff, *, now: datetime) -> Mine:
    """An agent's own figures of the last four weeks beside the team's. Raises NotAllowed."""
    people.require(agent, "see_own_figures")
    agents = team(session, since=now - WINDOW, until=now)
    own = next(
        (one for one in agents if one.staff_id == agent.id),
        Agent(
            staff_id=agent.id,
            name=agent.name,
            practising=agent.practising,
            handled=0,
            values=dict.fromkeys(FIGURES, NOTHING),
        ),
    )
    today = now.astimezone(UTC).date()
    monday = today - timedelta(days=today.weekday())
    first = monday - timedelta(weeks=WEEKS - 1)
    begin = datetime.combine(first, datetime.min.time(), tzinfo=UTC)
    rows = session.execute(
        select(Answer.id, Answer.staff_id, Answer.case_id, Answer.given_at)
        .where(Answer.staff_id == agent.id, Answer.given_at >= begin, Answer.given_at < now, _done())
        .order_by(Answer.given_at.desc())
    ).all()
    per_day: dict[date, int] = defaultdict(int)
    per_week: dict[date, list[Any]] = defaultdict(list)
    for row in rows:
        day = row.given_at.astimezone(UTC).date()
        per_day[day] += 1
        per_week[day - timedelta(days=day.weekday())].append(row)
    chosen = [row for week in per_week.values() for row in week[:WEEK_SAMPLE]]
    took = _seconds(session, chosen)
    weeks = []
    for week in (first + timedelta(weeks=n) for n in range(WEEKS)):
        times = [took[row.id] for row in per_week[week][:WEEK_SAMPLE] if row.id in took]
        weeks.append(Stretch(begins=week, handled=len(per_week[week]), minutes=median(times) / 60 if times else None))
    days = [today - timedelta(days=n) for n in reversed(range(DAYS))]
    return Mine(
        today=per_day[today],
        week=len(per_week[monday]),
        own=own,
        team=spreads(agents),
        weeks=tuple(weeks),
        days=tuple(Stretch(begins=day, handled=per_day[day], minutes=None) for day in days),
    )


# One figure each. Every function gives counts by agent: (hits, n).

Counts = dict[UUID, tuple[int, int]]


def _done() -> ColumnElement[bool]:
    return Answer.state.in_(DONE)


def _in(since: datetime, until: datetime) -> ColumnElement[bool]:
    return and_(Answer.given_at >= since, Answer.given_at < until)


def _times(session: Session, since: datetime, until: datetime) -> tuple[dict[UUID, list[float]], Counts]:
    """Seconds at work of each agent's newest SAMPLE answers; of those carried out, how many came in time."""
    ranked = (
        select(
            Answer.id,
            Answer.staff_id,
            Answer.case_id,
            Answer.given_at,
            Answer.ended_at,
            Answer.state,
            func.row_number().over(partition_by=Answer.staff_id, order_by=(Answer.given_at.desc(), Answer.id)).label("place"),
        )
        .where(_in(since, until), _done())
        .subquery()
    )
    rows = session.execute(select(ranked).where(ranked.c.place <= SAMPLE)).all()
    took = _seconds(session, rows)
    seconds: dict[UUID, list[float]] = defaultdict(list)
    for row in rows:
        if row.id in took:
            seconds[row.staff_id].append(took[row.id])
    hours = timedelta(hours=session.info["settings"].review_hours)
    referred = _referred(session, {row.case_id for row in rows if row.state is AnswerState.CARRIED_OUT})
    in_time: dict[UUID, list[bool]] = defaultdict(list)
    for row in rows:
        if row.state is AnswerState.CARRIED_OUT:
            since_when = max((at for at in referred.get(row.case_id, []) if at <= row.ended_at), default=None)
            if since_when is not None:
                in_time[row.staff_id].append(row.ended_at <= since_when + hours)
    return dict(seconds), {who: (sum(hits), len(hits)) for who, hits in in_time.items()}


_CHUNK = 5000
"""Ids in one query: databases limit how many they take (SQLite 32 766, PostgreSQL 65 535)."""


def work(session: Session, *, since: datetime, until: datetime) -> Value:
    """Mean seconds of an agent's work on one answer, over each agent's newest SAMPLE answers; a mean, since it is multiplied."""
    took = [seconds for mine in _times(session, since, until)[0].values() for seconds in mine]
    return Value(value=sum(took) / len(took) if took else None, n=len(took))


def _seconds(session: Session, rows: Sequence[Any]) -> dict[UUID, float]:
    """How long each answer took its maker: from taking the case to the answer, every pause cut to IDLE.

    `rows` have id, staff_id, case_id, given_at. Signs are her own events about the case. An answer without a sign before it is
    left out.
    """
    signs: dict[tuple[UUID, str], list[tuple[datetime, str]]] = defaultdict(list)
    for some in _chunks({row.case_id for row in rows}):
        found = session.execute(
            select(Event.case_id, Event.actor_id, Event.at, Event.kind)
            .where(Event.case_id.in_(some), Event.actor_kind == "staff")
            .order_by(Event.case_id, Event.id)
        )
        for case_id, who, at, kind in found:
            if case_id is not None and who is not None:
                signs[case_id, who].append((at, kind))
    took = {}
    for row in rows:
        before = [(at, kind) for at, kind in signs.get((row.case_id, str(row.staff_id)), []) if at <= row.given_at]
        taken = [n for n, (_, kind) in enumerate(before) if kind == "case_taken"]
        answered = [n for n, (at, kind) in enumerate(before) if kind == "answer_given" and at < row.given_at]
        begin = max([*taken[-1:], *(n + 1 for n in answered[-1:])], default=0)
        times = [at for at, _ in before[begin:]]
        if times and times[0] < row.given_at:
            moments = [*times, row.given_at]
            pauses = (min(after - earlier, IDLE) for earlier, after in pairwise(moments))
            took[row.id] = sum(pause.total_seconds() for pause in pauses)
    return took


def _referred(session: Session, case_ids: set[UUID]) -> dict[UUID, list[datetime]]:
    """When each case came to the desk."""
    out: dict[UUID, list[datetime]] = defaultdict(list)
    for some in _chunks(case_ids):
        found = session.execute(
            select(Event.case_id, Event.at).where(
                Event.case_id.in_(some),
                Event.kind.in_(_REFERRED),
                Event.details["new"].as_string() == State.IN_REVIEW.value,
            )
        )
        for case_id, at in found:
            assert case_id is not None
            out[case_id].append(at)
    return out


def _agreement(session: Session, since: datetime, until: datetime) -> Counts:
    """Pairs of blind answers by two people: both are counted, as agreeing when the second's was carried out without a third."""
    first = aliased(Answer)
    agreed = case((and_(Answer.state == AnswerState.CARRIED_OUT, first.state == AnswerState.FOLLOWED), 1), else_=0)
    rows = session.execute(
        select(Answer.first_staff_id, Answer.staff_id, func.count(), func.sum(agreed))
        .join(first, first.id == Answer.first_id)
        .where(Answer.first_id.is_not(None), Answer.second_id.is_(None), _in(since, until), _done())
        .group_by(Answer.first_staff_id, Answer.staff_id)
    )
    out: dict[UUID, tuple[int, int]] = {}
    for one, other, pairs, same in rows:
        for who in (one, other):
            assert who is not None  # a CHECK of the table
            hits, n = out.get(who, (0, 0))
            out[who] = (hits + int(same), n + pairs)
    return out


def _quality(session: Session, since: datetime, until: datetime) -> Counts:
    """Blind re-reviews of her answers drawn by chance: how many came to the same action."""
    rows = session.execute(
        select(QualitySample.staff_id, func.count(), func.sum(case((QualitySample.agrees.is_(True), 1), else_=0)))
        .where(
            QualitySample.why == "random",
            QualitySample.staff_id.is_not(None),
            QualitySample.reviewed_at >= since,
            QualitySample.reviewed_at < until,
        )
        .group_by(QualitySample.staff_id)
    )
    return {who: (int(hits), n) for who, n, hits in rows if who is not None}


def _ratings(session: Session, since: datetime, until: datetime) -> Counts:
    """Ratings of cases that her answer closed, and closed last: how many are good."""
    closing = (
        select(
            Answer.staff_id,
            Answer.action,
            Answer.ended_at,
            Rating.mark,
            Rating.changed_at,
            func.row_number().over(partition_by=Answer.case_id, order_by=Answer.ended_at.desc()).label("place"),
        )
        .join(Answer, Answer.case_id == Rating.case_id)
        .where(Rating.changed_at >= since, Rating.changed_at < until, Answer.disposition_id.is_not(None))
        .subquery()
    )
    rows = session.execute(
        select(closing.c.staff_id, func.count(), func.sum(case((closing.c.mark >= GOOD_MARK, 1), else_=0)))
        .where(closing.c.place == 1, closing.c.action.in_(("approve", "reject")), closing.c.changed_at >= closing.c.ended_at)
        .group_by(closing.c.staff_id)
    )
    return {who: (int(hits), n) for who, n, hits in rows}


def _answers(session: Session, since: datetime, until: datetime) -> dict[str, Counts]:
    """Of her answers: how many ask for a photo, refuse, were overturned; of those that closed a case: how many came back.

    Overturned: a senior agent decided otherwise, a rejection was followed by an approval, an approval was put back.
    Opened again: a rejection was appealed against, an approval disputed.
    """
    approved_after = exists().where(
        Disposition.case_id == Answer.case_id, Disposition.action == "approve", Disposition.created_at > Answer.ended_at
    )
    appealed_after = exists().where(Event.case_id == Answer.case_id, Event.kind == "appealed", Event.at > Answer.ended_at)
    carried = Answer.state == AnswerState.CARRIED_OUT
    rejected = and_(carried, Answer.action == "reject")
    approved = and_(carried, Answer.action == "approve")
    counted = {
        "retake": Answer.action == "ask_retake",
        "reject": Answer.action == "reject",
        "overturned": or_(
            Answer.state == AnswerState.OVERRULED,
            and_(rejected, approved_after),
            and_(approved, Case.state == State.REVERTED, Case.closed_at > Answer.ended_at),
        ),
        "closed": or_(rejected, approved),
        "reopened": or_(
            and_(rejected, appealed_after), and_(approved, Case.disputed_at.is_not(None), Case.disputed_at > Answer.ended_at)
        ),
    }
    rows = session.execute(
        select(Answer.staff_id, func.count(), *(func.sum(case((which, 1), else_=0)).label(n) for n, which in counted.items()))
        .join(Case, Case.id == Answer.case_id)
        .where(_in(since, until), _done())
        .group_by(Answer.staff_id)
    )
    out: dict[str, Counts] = {name: {} for name in ("retake", "reject", "overturned", "reopened")}
    for who, n, retake, reject, overturned, closed, reopened in rows:
        out["retake"][who], out["reject"][who] = (int(retake), n), (int(reject), n)
        out["overturned"][who], out["reopened"][who] = (int(overturned), n), (int(reopened), int(closed))
    return out


def _share(counts: tuple[int, int] | None) -> Value:
    hits, n = counts or (0, 0)
    return Value(value=hits / n if n else None, n=n)


def _odd(counts: Counts, who: UUID) -> float | None:
    """How many standard errors her share is from that of all others together; None below MARKED_N on either side."""
    hits, n = counts.get(who, (0, 0))
    others = [pair for other, pair in counts.items() if other != who]
    theirs, total = sum(h for h, _ in others), sum(m for _, m in others)
    if n < MARKED_N or total < MARKED_N:
        return None
    pooled = (hits + theirs) / (n + total)
    spread_of = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / total))
    return (hits / n - theirs / total) / spread_of if spread_of else None


def _slow(seconds: dict[UUID, list[float]], who: UUID) -> float | None:
    """The sign test: how many of her times are above the median of all others', in standard errors. Times are skewed; no mean."""
    hers = seconds.get(who, [])
    theirs = [took for other, some in seconds.items() if other != who for took in some]
    if len(hers) < MARKED_N or len(theirs) < MARKED_N:
        return None
    middle = median(theirs)
    above = sum(1.0 if took > middle else 0.5 if took == middle else 0.0 for took in hers)
    return (above - len(hers) / 2) / (math.sqrt(len(hers)) / 2)


def _chunks(ids: set[UUID]) -> Iterable[list[UUID]]:
    held = sorted(ids)
    for start in range(0, len(held), _CHUNK):
        yield held[start : start + _CHUNK]


# The queue and who holds what, for the lead


@dataclass(frozen=True, kw_only=True)
class Held:
    """A case that an agent has now."""

    case_id: UUID
    staff_id: UUID
    lane: str
    country: str | None
    locale: str
    due_at: datetime | None
    until: datetime


def held_now(session: Session, *, now: datetime) -> list[Held]:
    """Every case that is somebody's now, due first. One query."""
    rows = session.scalars(
        select(Case)
        .where(Case.owner_id.is_not(None), Case.owner_until > now)
        .order_by(Case.due_at.is_(None), Case.due_at, Case.id)
    )
    return [
        Held(
            case_id=found.id,
            staff_id=found.owner_id,
            lane=queue.lane(found).value,
            country=found.country,
            locale=found.locale,
            due_at=found.due_at,
            until=found.owner_until,
        )
        for found in rows
        if found.owner_id is not None and found.owner_until is not None
    ]


def in_time_lately(session: Session, *, now: datetime, days: int = 7) -> Value:
    """Of the answers carried out in the last `days`, the share that came in time: from each agent's newest SAMPLE."""
    _, counts = _times(session, now - timedelta(days=days), now)
    return _share((sum(h for h, _ in counts.values()), sum(n for _, n in counts.values())))
