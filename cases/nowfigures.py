"""What the ops page "Now" tells: this moment, and the last 24 hours beside the same 24 hours of the four weeks before.

Read-only. Every count is a range of an index, so a page costs what a day holds and not what the database holds. Percentiles need
the single values: they are taken over the newest SAMPLE of the day and SAMPLE_BEFORE of each earlier day, and `n` says how many.

"Usual" is the mean of those of the four earlier days on which anything was sent or decided: a system two weeks old has two.
Definitions of each figure: docs/metrics.md, "Now".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, CompoundSelect, Select, and_, bindparam, exists, func, literal, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from cases import queue, trials
from cases.lifecycle import CLOSED, State
from cases.models import MARKED, UNMARKED, Case, Disposition, Heartbeat, Notification, Run, RunState
from cases.ops_tables import SetAside
from verification.evidence import Step
from verification.reasons import ReasonCode

DAY = timedelta(hours=24)
WEEK = timedelta(days=7)
WEEKS = 4
"""How many earlier days make the usual: a month, so that one holiday among them is a quarter."""

SAMPLE = 500
"""Newest cases and runs of the day behind its percentiles: of 500, a p90 is one of the 87.3th to 92.7th
(two standard errors)."""
SAMPLE_BEFORE = 125
"""The same of each of the four earlier days."""

ALIVE = timedelta(seconds=45)
"""Who was heard of since then is alive: processes say so every 10 seconds (workers.worker.BEAT), and a busy machine is late."""
FORGOTTEN = timedelta(days=1)
"""Signs of life older than this are of processes that ended without a word, and are left out."""

REASONS_SHOWN = 12
MANY_ABANDONED = 5000
"""Of runs taken back in a day, how many are looked at for technical referrals: more only in an outage that nobody overlooks."""

SAME_SHARE = 0.10
"""Times within a tenth of the usual count as usual: finer is noise of a day."""
NOTABLE = 2.0
"""Standard errors beyond which a count or share is told to differ."""


class Way(StrEnum):
    """How a figure compares with the usual."""

    NOTHING = "nothing"  # nothing to compare with
    SAME = "same"
    MORE = "more"
    LESS = "less"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """`amount` is a share of the usual (counts, times) or points of per cent (shares); None: usually there is none of it."""

    way: Way
    amount: float | None = None


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many in the last 24 hours, and on the mean of the earlier days."""

    n: int
    usual: float | None
    days: int

    @property
    def difference(self) -> Difference:
        """Beyond NOTABLE standard errors of counts that come by chance (Poisson): the day's own and the mean's."""
        if self.usual is None:
            return Difference(way=Way.NOTHING)
        error = math.sqrt(max(self.usual, 1.0) * (1 + 1 / self.days))
        if abs(self.n - self.usual) <= max(NOTABLE * error, 1.0):
            return Difference(way=Way.SAME)
        share = (self.n - self.usual) / self.usual if self.usual else None
        return Difference(way=Way.MORE if self.n > self.usual else Way.LESS, amount=None if share is None else abs(share))


@dataclass(frozen=True, kw_only=True)
class Share:
    """A part of a whole; `usual` pools the earlier days. No share where the whole is empty."""

    part: int
    n: int
    usual_part: int
    usual_n: int

    @property
    def value(self) -> float | None:
        """0 to 1."""
        return self.part / self.n if self.n else None

    @property
    def usual(self) -> float | None:
        """0 to 1, over all earlier days together."""
        return self.usual_part / self.usual_n if self.usual_n else None

    @property
    def difference(self) -> Difference:
        """Beyond NOTABLE standard errors by the test of two shares with one pooled share."""
        if self.value is None or self.usual is None:
            return Difference(way=Way.NOTHING)
        pooled = (self.part + self.usual_part) / (self.n + self.usual_n)
        error = math.sqrt(pooled * (1 - pooled) * (1 / self.n + 1 / self.usual_n))
        moved = self.value - self.usual
        if abs(moved) <= NOTABLE * error or abs(moved) < 0.005:  # under half a point nothing would be seen of it
            return Difference(way=Way.SAME)
        return Difference(way=Way.MORE if moved > 0 else Way.LESS, amount=abs(moved) * 100)


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds: median and the time that nine in ten do not exceed; None where there is no value."""

    n: int
    median: float | None
    p90: float | None
    usual_n: int
    usual_median: float | None
    usual_p90: float | None
    sampled: bool = False  # only the newest SAMPLE of more

    def difference(self, p90: bool = False) -> Difference:
        """Beyond a tenth of the usual; nothing is said of fewer than 20 values."""
        now, usual = (self.p90, self.usual_p90) if p90 else (self.median, self.usual_median)
        if now is None or usual is None or min(self.n, self.usual_n) < 20:
            return Difference(way=Way.NOTHING)
        if abs(now - usual) <= SAME_SHARE * usual:
            return Difference(way=Way.SAME)
        return Difference(way=Way.MORE if now > usual else Way.LESS, amount=abs(now - usual) / usual if usual else None)


@dataclass(frozen=True, kw_only=True)
class Process:
    """One kind of process: how many were heard of within ALIVE, and when the last one was."""

    kind: str
    alive: int
    silent: int
    last: datetime


@dataclass(frozen=True, kw_only=True)
class Now:
    """Everything on the page but the switch."""

    days: int  # earlier days behind "usual"
    sent: Count
    decided: Count  # finished runs
    outcomes: dict[str, Share]  # approve, retake, refer: of finished runs
    answers: dict[str, Count]  # approve, ask_retake, reject: by agents
    automation: Share  # approvals by the machine, of all approvals and refusals
    by_machine: Times  # sent → closed, decided without a person
    by_people: Times  # sent → closed, with an agent's answer
    run: Times  # one run
    steps: dict[str, Times]  # of the same runs, by verification.evidence.Step in its order; only steps that one of them took
    busy: dict[str, int]  # running now, by verification.evidence.Step
    waiting: int  # sent or being looked at
    oldest_waiting: datetime | None
    desk: queue.DeskCounts
    abandoned: Count
    technical: Count  # sent to a person because no run came to an end
    mails_given_up: Count
    mails_owed: int
    oldest_mail: datetime | None  # owed since, of those that are due
    reasons: tuple[tuple[ReasonCode, int], ...]
    reasons_of: int  # runs that were not approved and were looked at for reasons
    processes: tuple[Process, ...]


def now_figures(session: Session, *, now: datetime) -> Now:
    """All figures, in fifteen queries."""
    windows = [(now - DAY - WEEK * k, now - WEEK * k) for k in range(WEEKS + 1)]
    sent = _less(_counts(session, windows, _sent), _sent_for_trial(session, windows))
    runs = _less(_counts(session, windows, _runs), _counts(session, windows, _runs_of_trials))
    answers = _counts(session, windows, _answers)
    technical = _counts(session, windows, _technical, max_runs=session.info["settings"].max_runs)
    active = [k for k in range(1, WEEKS + 1) if sent[k] or runs[k]]
    given_up, owed, oldest_mail = _mails(session, windows, now)
    took = _decided(session, windows)
    seconds, steps = _run_seconds(session, windows)
    reasons, looked_at = _reasons(session, windows[0])
    waiting, oldest = session.execute(
        select(func.count(), func.min(Case.submitted_at)).where(Case.state.in_([State.SUBMITTED, State.VERIFYING]), UNMARKED)
    ).one()

    def count(found: Sequence[dict[str, int]], *names: str) -> Count:
        usual = [sum(found[k].get(name, 0) for name in names) for k in active]
        return Count(
            n=sum(found[0].get(name, 0) for name in names), usual=sum(usual) / len(usual) if usual else None, days=len(active)
        )

    def total(found: Sequence[dict[str, int]], which: Iterable[int], *names: str) -> int:
        return sum(found[k].get(name, 0) for k in which for name in names)

    finished = ("approve", "retake", "refer")
    closing = ("approve", "reject")
    return Now(
        days=len(active),
        sent=count(sent, "sent"),
        decided=count(runs, *finished),
        outcomes={
            name: Share(
                part=total(runs, [0], name),
                n=total(runs, [0], *finished),
                usual_part=total(runs, active, name),
                usual_n=total(runs, active, *finished),
            )
            for name in finished
        },
        answers={name: count(answers, name) for name in ("approve", "ask_retake", "reject")},
        automation=Share(
            part=total(runs, [0], "approve"),
            n=total(runs, [0], "approve") + total(answers, [0], *closing),
            usual_part=total(runs, active, "approve"),
            usual_n=total(runs, active, "approve") + total(answers, active, *closing),
        ),
        by_machine=_times([[s for s, person in rows if not person] for rows in took], len(took[0]) >= SAMPLE),
        by_people=_times([[s for s, person in rows if person] for rows in took], len(took[0]) >= SAMPLE),
        run=_times(seconds, len(seconds[0]) >= SAMPLE),
        steps={step: _times(found, len(seconds[0]) >= SAMPLE) for step, found in steps.items()},
        busy={
            step: n
            for step, n in session.execute(
                select(Run.step, func.count())
                .where(Run.state == RunState.RUNNING, Run.lease_until > now, trials.real(Run.case_id))
                .group_by(Run.step)
            )
            if step
        },
        waiting=waiting,
        oldest_waiting=oldest,
        desk=queue.counts(session, now=now),
        abandoned=count(runs, RunState.ABANDONED.value),
        technical=count(technical, "referred"),
        mails_given_up=count(given_up, "given_up"),
        mails_owed=owed,
        oldest_mail=oldest_mail,
        reasons=reasons,
        reasons_of=looked_at,
        processes=_processes(session, now),
    )


Window = tuple[datetime, datetime]
Bounds = tuple[BindParameter[Any], BindParameter[Any]]
"""A window whose times are given when the query is asked."""
Counting = Callable[[int, Bounds], Select[*tuple[Any, ...]]]


def _counts(session: Session, windows: Sequence[Window], of: Counting, **values: Any) -> list[dict[str, int]]:
    """One query: how many of what in each window. `of` selects window number, name, count; `values` are what else it asks for."""
    found: list[dict[str, int]] = [{} for _ in windows]
    for k, (begin, end) in enumerate(windows):
        values |= {f"begin_{k}": begin, f"end_{k}": end}
    for number, name, n in session.execute(_counting(of, len(windows)), values):
        if n:
            found[number][name] = found[number].get(name, 0) + n
    return found


@cache
def _counting(of: Counting, windows: int) -> CompoundSelect[Any]:
    """The query is put together once: doing it for each page cost more of the processor than all that it counts."""
    return union_all(*(of(k, (bindparam(f"begin_{k}"), bindparam(f"end_{k}"))) for k in range(windows)))


def _sent(number: int, window: Bounds) -> Select[*tuple[Any, ...]]:
    """All of them, sandbox cases too: so the index alone answers. The few sandbox cases are taken off (`_less`)."""
    within = and_(Case.submitted_at >= window[0], Case.submitted_at < window[1])
    return select(literal(number), literal("sent"), func.count()).select_from(Case).where(within)


def _sent_for_trial(session: Session, windows: Sequence[Window]) -> list[dict[str, int]]:
    within = (func.count().filter(Case.submitted_at >= begin, Case.submitted_at < end) for begin, end in windows)
    return [{"sent": n} for n in session.execute(select(*within).select_from(Case).where(MARKED)).one()]


def _less(found: list[dict[str, int]], off: list[dict[str, int]]) -> list[dict[str, int]]:
    """Counts without those of sandbox cases."""
    return [{name: n - less.get(name, 0) for name, n in some.items()} for some, less in zip(found, off, strict=True)]


def _runs(number: int, window: Bounds) -> Select[*tuple[Any, ...]]:
    """Finished ones by outcome; those taken back by their state."""
    name = func.coalesce(Run.outcome, RunState.ABANDONED.value)
    return (
        select(literal(number), name, func.count())
        .where(Run.finished_at >= window[0], Run.finished_at < window[1])
        .group_by(Run.state, Run.outcome)
    )


def _runs_of_trials(number: int, window: Bounds) -> Select[*tuple[Any, ...]]:
    return _runs(number, window).where(Run.case_id.in_(select(Case.id).where(MARKED)))


def _answers(number: int, window: Bounds) -> Select[*tuple[Any, ...]]:
    return (
        select(literal(number), Disposition.action, func.count())
        .where(Disposition.created_at >= window[0], Disposition.created_at < window[1])
        .group_by(Disposition.action)
    )


def _technical(number: int, window: Bounds) -> Select[*tuple[Any, ...]]:
    """Attempts of which every run was taken back until there were `max_runs`: then `runs` hands the case to a person."""
    other = aliased(Run)
    lost = (
        select(Run.case_id, Run.attempt)
        .where(Run.finished_at >= window[0], Run.finished_at < window[1], Run.outcome.is_(None))  # taken back
        .where(trials.real(Run.case_id))
        .order_by(Run.finished_at.desc())
        .limit(MANY_ABANDONED)
        .subquery()
    )
    same = and_(other.case_id == lost.c.case_id, other.attempt == lost.c.attempt)
    tries = select(func.count()).select_from(other).where(same).scalar_subquery()
    going_on = exists().where(same, other.state != RunState.ABANDONED)
    return select(literal(number), literal("referred"), func.count(lost.c.case_id.distinct())).where(
        tries >= bindparam("max_runs"), ~going_on
    )


def _mails(session: Session, windows: Sequence[Window], now: datetime) -> tuple[list[dict[str, int]], int, datetime | None]:
    """Those never sent are few: one look at them tells how many were given up when, and how many are owed since when.

    What a person set aside is not counted, today or earlier.
    """
    at, owed = Notification.given_up_at, Notification.given_up_at.is_(None)
    aside = exists().where(SetAside.kind == "notification", SetAside.thing_id == Notification.id, SetAside.failed_at == at)
    row = session.execute(
        select(
            *(func.count().filter(at >= begin, at < end, ~aside) for begin, end in windows),
            func.count().filter(owed),
            func.min(Notification.created_at).filter(owed, Notification.next_at <= now),
        ).where(Notification.sent_at.is_(None), func.length(Notification.recipient_sealed) > 0)  # else its person was erased
    ).one()
    *given_up, count, oldest = row
    return [{"given_up": n} for n in given_up], count, oldest


def _newest(windows: Sequence[Window], of: Callable[[int, Window], Select[*tuple[Any, ...]]], by: str) -> Any:
    """The newest of each window, as one query: SQLite wants a limited SELECT of a UNION in a FROM of its own."""
    parts = []
    for number, window in enumerate(windows):
        limited = of(number, window).order_by(_ORDERS[by].desc()).limit(SAMPLE if number == 0 else SAMPLE_BEFORE).subquery()
        parts.append(select(limited))
    return union_all(*parts)


_ORDERS = {"closed": Case.closed_at, "finished": Run.finished_at}


def _decided(session: Session, windows: Sequence[Window]) -> list[list[tuple[float, bool]]]:
    """Seconds from sending to the answer, and whether a person gave it, of the newest approved and refused cases."""

    def of(number: int, window: Window) -> Select[*tuple[Any, ...]]:
        # With a LIMIT each row asks the index. A plain EXISTS in the list of columns is hashed by PostgreSQL, which reads
        # every answer there ever was, once for each window.
        answered = (
            select(Disposition.id)
            .where(Disposition.case_id == Case.id, Disposition.action.in_(["approve", "reject"]))
            .limit(1)
            .correlate(Case)
            .scalar_subquery()
        )
        return select(literal(number).label("k"), Case.closed_at, Case.submitted_at, answered.is_not(None).label("person")).where(
            Case.closed_at >= window[0],
            Case.closed_at < window[1],
            # Approved or refused, said so that no index of states looks better than that of times.
            Case.state.not_in([state for state in CLOSED if state not in (State.APPROVED, State.REJECTED)]),
            Case.submitted_at.is_not(None),
            UNMARKED,
        )

    found: list[list[tuple[float, bool]]] = [[] for _ in windows]
    for number, closed, submitted, person in session.execute(_newest(windows, of, "closed")):
        found[number].append(((closed - submitted).total_seconds(), bool(person)))
    return found


def _run_seconds(session: Session, windows: Sequence[Window]) -> tuple[list[list[float]], dict[str, list[list[float]]]]:
    """Seconds of the newest finished runs, and of each of their steps; runs of before steps were timed have none."""

    def of(number: int, window: Window) -> Select[*tuple[Any, ...]]:
        return select(literal(number).label("k"), Run.seconds, Run.step_seconds).where(
            Run.finished_at >= window[0],
            Run.finished_at < window[1],
            Run.outcome.is_not(None),  # finished: said like this, so that no index of states looks better than that of times
            Run.seconds.is_not(None),
            trials.real(Run.case_id),
        )

    found: list[list[float]] = [[] for _ in windows]
    steps: dict[str, list[list[float]]] = {}
    for number, seconds, took in session.execute(_newest(windows, of, "finished")):
        found[number].append(seconds)
        for step, part in (took or {}).items():
            if step not in steps:
                steps[step] = [[] for _ in windows]
            steps[step][number].append(float(part))
    return found, {step.value: steps[step.value] for step in Step if step.value in steps}


def _reasons(session: Session, window: Window) -> tuple[tuple[tuple[ReasonCode, int], ...], int]:
    """Why the newest SAMPLE runs of the day that were not approved were not: most frequent first."""
    counted: dict[str, int] = {}
    lists = session.scalars(
        select(Run.reasons)
        .where(
            Run.finished_at >= window[0],
            Run.finished_at < window[1],
            or_(Run.outcome == "retake", Run.outcome == "refer"),
            trials.real(Run.case_id),
        )
        .order_by(Run.finished_at.desc())
        .limit(SAMPLE)
    ).all()
    for codes in lists:
        for code in codes:
            counted[code] = counted.get(code, 0) + 1
    ranked = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple((ReasonCode(code), n) for code, n in ranked[:REASONS_SHOWN]), len(lists)


def _processes(session: Session, now: datetime) -> tuple[Process, ...]:
    """Signs of life by kind: a name is kind:host:number (workers.worker)."""
    kinds: dict[str, list[datetime]] = {}
    for name, at in session.execute(select(Heartbeat.name, Heartbeat.at).where(Heartbeat.at > now - FORGOTTEN)):
        kinds.setdefault(name.partition(":")[0], []).append(at)
    return tuple(
        Process(
            kind=kind,
            alive=sum(at > now - ALIVE for at in heard),
            silent=sum(at <= now - ALIVE for at in heard),
            last=max(heard),
        )
        for kind, heard in sorted(kinds.items())
    )


def _times(found: Sequence[list[float]], sampled: bool) -> Times:
    day, before = sorted(found[0]), sorted(seconds for rows in found[1:] for seconds in rows)
    return Times(
        n=len(day),
        median=quantile(day, 0.5),
        p90=quantile(day, 0.9),
        usual_n=len(before),
        usual_median=quantile(before, 0.5),
        usual_p90=quantile(before, 0.9),
        sampled=sampled,
    )


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest of the values, which are in order, that at least `share` of all do not exceed."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else None
