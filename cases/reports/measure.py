"""The figures of one week from the lives of its requests. Every definition stands in docs/metrics.md, "The weekly report"."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from statistics import fmean
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import figures, nowfigures, quality
from cases.desk_tables import Answer, QualitySample
from cases.reports import lives as told
from cases.reports.intervals import mean_interval, quantile_interval
from cases.reports.lives import Closing, Life
from cases.reports.shapes import FIGURES, LATE, SMALL, STEPS, Figure, Funnel, ReportWeek, Step, Topic, Topics

FEW = 2
"""Interactions from the first sending to the answer that are aimed at: she sends it, and is told (facts/ecosystem.md 5)."""

GOOD = figures.GOOD_MARK

TOP = 15
"""Reasons in a report; there are some eighty codes, and the rest are single cases."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A blind re-review of this week."""

    case_id: UUID
    machine: bool
    agrees: bool


@dataclass(frozen=True, kw_only=True)
class Material:
    """All that one week is measured from. `until`: the end of the week, or now where it is still running."""

    week: ReportWeek
    until: datetime
    as_of: datetime
    promised: timedelta  # of an answer by a person
    lives: Mapping[UUID, Life]
    visits: Sequence[UUID | None]  # who came with a link: the request that she came for; None: she asked for nothing
    verdicts: Sequence[Verdict]
    seconds: Mapping[UUID, Sequence[tuple[datetime, float]]]  # agents' work by request: when answered, how long

    @property
    def begins(self) -> datetime:
        """First moment of the week."""
        return self.week.begins


@dataclass(frozen=True, kw_only=True)
class Part:
    """The figures of all requests, or of those of one country or policy version."""

    cases: int
    figures: dict[str, Figure] = field(default_factory=dict)
    funnel: Funnel
    topics: Topics


def material(session: Session, week: ReportWeek, *, as_of: datetime) -> Material:
    """Read everything. Seconds at a million requests a year: for upkeep, not for a page."""
    begins, until = week.begins, min(week.ends, as_of)
    promised = timedelta(hours=session.info["settings"].review_hours)
    # A clock that runs out in this week began, or went on after a wait for papers, no longer before it than was promised.
    chosen = told.touched_between(session, begins - promised, until)
    arrivals = told.arrivals(session, begins, until)
    requests = told.opened_by(session, arrivals, until)
    for some in requests.values():
        chosen.update(some)
    samples = session.execute(
        select(QualitySample.case_id, QualitySample.staff_id, QualitySample.agrees).where(
            QualitySample.why == "random",
            QualitySample.case_id.is_not(None),
            QualitySample.reviewed_at >= begins,
            QualitySample.reviewed_at < until,
        )
    ).all()
    chosen.update(row.case_id for row in samples if row.case_id is not None)
    lives = told.read(session, chosen, until=as_of)
    return Material(
        week=week,
        until=until,
        as_of=as_of,
        promised=promised,
        lives=lives,
        visits=_visits(lives, arrivals, requests),
        verdicts=[
            Verdict(case_id=case_id, machine=staff_id is None, agrees=bool(agrees))
            for case_id, staff_id, agrees in samples
            if case_id in lives
        ],
        seconds=_work(session, [one.case_id for one in lives.values() if one.last_closing(begins, until) and one.desks]),
    )


def _visits(
    lives: Mapping[UUID, Life], arrivals: Mapping[UUID, datetime], requests: Mapping[UUID, Sequence[UUID]]
) -> list[UUID | None]:
    """What each of them came for: the request that was open and not sent yet, or the first one opened after."""
    found: list[UUID | None] = []
    for customer_id, came in arrivals.items():
        every = [lives[case_id] for case_id in requests.get(customer_id, ()) if case_id in lives]
        open_then = [one for one in every if _by(one.opened, came) and not one.closed_at(came)]
        if any(_by(one.sent(), came) for one in open_then):
            continue  # she came back to a request that was sent already
        after = (one for one in every if not _by(one.opened, came))
        life = next(iter(open_then), None) or next(after, None)
        found.append(life.case_id if life is not None else None)
    return found


def _work(session: Session, case_ids: Sequence[UUID]) -> dict[UUID, list[tuple[datetime, float]]]:
    """How long agents worked on each answer, as `cases.figures` counts it."""
    out: dict[UUID, list[tuple[datetime, float]]] = defaultdict(list)
    for start in range(0, len(case_ids), told.CHUNK):
        rows = session.execute(
            select(Answer.id, Answer.staff_id, Answer.case_id, Answer.given_at)
            .where(Answer.case_id.in_(case_ids[start : start + told.CHUNK]), Answer.state.in_(figures.DONE))
            .order_by(Answer.given_at, Answer.id)
        ).all()
        took = figures._seconds(session, rows)
        for row in rows:
            if row.id in took:
                out[row.case_id].append((row.given_at, took[row.id]))
    return dict(out)


def split(found: Material, *, country: str | None = None, policy: int | None = None) -> list[Life]:
    """Lives of one country, one policy version, both or all, as they stood at the end of the week."""
    return [
        one
        for one in found.lives.values()
        if (country is None or one.country(found.until) == country) and (policy is None or one.policy(found.until) == policy)
    ]


def active(found: Material, some: Iterable[Life]) -> int:
    """Requests that something happened to in the week."""
    return sum(one.active(found.begins, found.until) for one in some)


def groups(found: Material) -> tuple[Counter[str], Counter[int]]:
    """Requests of the week by country and by policy version."""
    countries: Counter[str] = Counter()
    policies: Counter[int] = Counter()
    for one in found.lives.values():
        if one.active(found.begins, found.until):
            countries[one.country(found.until)] += 1
            policies[one.policy(found.until)] += 1
    return countries, policies


def measure(found: Material, some: Collection[Life], *, whole: bool) -> Part:
    """Every figure of these lives. `whole`: they are all there are, so that who opened a link and asked nothing counts too."""
    inside = _Within(found)
    given = {**_counts(inside, some), **_course(inside, some), **_times(inside, some), **_effort(inside, some)}
    given |= {**_right(inside, some), **_opinion(inside, some)}
    return Part(
        cases=active(found, some),
        figures={name: given[name] for name in FIGURES},
        funnel=_funnel(inside, some, whole),
        topics=_topics(inside, some),
    )


def beside(part: Part, before: Part | None) -> Part:
    """The same with each figure's value of the week before."""
    if before is None:
        return part
    old = {topic.code: topic for topic in before.topics.top}
    return replace(
        part,
        figures={
            name: replace(one, before=before.figures[name].value, before_n=before.figures[name].n)
            for name, one in part.figures.items()
        },
        funnel=Funnel(
            steps=tuple(
                replace(step, of_first=_with(step.of_first, past.of_first), of_previous=_with(step.of_previous, past.of_previous))
                for step, past in zip(part.funnel.steps, before.funnel.steps, strict=True)
            )
        ),
        topics=replace(
            part.topics,
            before=before.topics.cases,
            top=tuple(
                replace(
                    topic,
                    before=old[topic.code].cases if topic.code in old else 0,
                    share=replace(
                        topic.share,
                        before=_part(old[topic.code].cases if topic.code in old else 0, before.topics.cases).value,
                        before_n=before.topics.cases,
                    ),
                )
                for topic in part.topics.top
            ),
        ),
    )


def trimmed(part: Part) -> Part:
    """As a page shows it: the most frequent reasons, and no further look into those of few cases."""
    top = tuple(replace(topic, countries=topic.countries if topic.cases >= SMALL else ()) for topic in part.topics.top[:TOP])
    return replace(part, topics=replace(part.topics, top=top))


def _with(now: Figure | None, before: Figure | None) -> Figure | None:
    return now if now is None or before is None else replace(now, before=before.value, before_n=before.n)


class _Within:
    """The borders of the week."""

    def __init__(self, found: Material) -> None:
        self.found = found
        self.begins, self.until = found.begins, found.until

    def has(self, moment: datetime | None) -> bool:
        return moment is not None and self.begins <= moment < self.until

    def any(self, moments: Sequence[datetime]) -> bool:
        return bisect_left(moments, self.begins) < bisect_left(moments, self.until)

    def closing(self, life: Life) -> Closing | None:
        return life.last_closing(self.begins, self.until)


# Each function gives some of FIGURES


def _counts(week: _Within, some: Collection[Life]) -> dict[str, Figure]:
    closed = [closing for one in some if (closing := week.closing(one))]

    def those(holds: Callable[[Life], bool]) -> Figure:
        return _count(sum(map(holds, some)))

    return {
        "opened": those(lambda one: week.has(one.opened)),
        "sent": those(lambda one: week.has(one.sent())),
        "decided": _count(len(closed)),
        "approved": _count(sum(one.approved for one in closed)),
        "rejected": _count(sum(not one.approved for one in closed)),
        "withdrawn": those(lambda one: week.any(one.withdrawn)),
        "expired": those(lambda one: week.any(one.expired)),
        "referred": those(lambda one: week.any([desk.since for desk in one.desks])),
        "taken_back": those(lambda one: week.any(one.taken_back)),
    }


def _course(week: _Within, some: Collection[Life]) -> dict[str, Figure]:
    closed = [(one, closing) for one in some if (closing := week.closing(one))]
    opened = [one for one in some if week.has(one.opened)]
    sent = [one for one in some if week.has(one.sent())]
    return {
        "automation": _part(sum(not c.touched and one.stands(c, week.until) for one, c in closed), len(closed)),
        "first_pass": _part(sum(_passed(one, week.until) for one in sent), len(sent)),
        "completion": _part(sum(_by(one.sent(), week.until) for one in opened), len(opened)),
        "handed_off": _part(sum(any(desk.since < week.until for desk in one.desks) for one in sent), len(sent)),
        "asked_again": _part(sum(any(at < week.until for at in one.asked) for one in sent), len(sent)),
    }


def _passed(life: Life, until: datetime) -> bool:
    """Whether the first thing that was said of it was the machine's approval."""
    first = life.closings[0] if life.closings else None
    return first is not None and first.at < until and not first.touched and first.attempt == 1


def _times(week: _Within, some: Collection[Life]) -> dict[str, Figure]:
    machine: list[float] = []
    person: list[float] = []
    response: list[float] = []
    in_time: list[bool] = []
    for one in some:
        first, sent = (one.closings[0] if one.closings else None), one.sent()
        if first is not None and sent is not None and week.has(first.at):
            (person if first.touched else machine).append((first.at - sent).total_seconds())
        for desk in one.desks:
            if desk.responded is not None and week.has(desk.responded):
                response.append((desk.responded - desk.since).total_seconds())
            due = desk.due(week.found.promised)
            if due is None or not week.has(due):
                continue
            if desk.answered is not None and desk.answered <= due:
                in_time.append(True)
            elif desk.left is None or desk.left > due:
                in_time.append(False)  # answered too late, or she took it back too late, or nobody has answered yet
    return {
        "machine_median": _quantile(machine, 0.5),
        "machine_p90": _quantile(machine, 0.9),
        "person_median": _quantile(person, 0.5),
        "person_p90": _quantile(person, 0.9),
        "response_median": _quantile(response, 0.5),
        "response_p90": _quantile(response, 0.9),
        "sla": _part(sum(in_time), len(in_time)),
    }


def _effort(week: _Within, some: Collection[Life]) -> dict[str, Figure]:
    every: list[float] = []
    desk: list[float] = []
    minutes: list[float] = []
    touches: list[int] = []
    for one in some:
        closing = week.closing(one)
        if closing is None:
            continue
        talk = float(sum(at <= closing.at for at in one.sends) + sum(at <= closing.at for at in one.said))
        every.append(talk)
        if any(stay.since <= closing.at for stay in one.desks):
            desk.append(talk)
        worked = (took for at, took in week.found.seconds.get(one.case_id, ()) if at <= closing.at)
        minutes.append(sum(worked) / 60)
        if closing.person:
            touches.append(sum(at <= closing.at for at in one.touches))
    low, high = mean_interval(minutes)
    return {
        "interactions_case": _mean(desk),
        "interactions_application": _mean(every),
        "few_interactions": _part(sum(n <= FEW for n in every), len(every)),
        "one_touch": _part(sum(n == 1 for n in touches), len(touches)),
        "cost": Figure(
            value=100 * fmean(minutes) if minutes else None,
            n=len(minutes),
            low=None if low is None else 100 * low,
            high=None if high is None else 100 * high,
            unit="minutes_per_100",
        ),
    }


def _right(week: _Within, some: Collection[Life]) -> dict[str, Figure]:
    ids = {one.case_id for one in some}
    looked = [verdict for verdict in week.found.verdicts if verdict.case_id in ids]
    approvals = [(one, c) for one in some for c in one.closings if c.approved and week.has(c.at)]

    def wrong(which: Sequence[Verdict]) -> Figure:
        return _part(sum(not one.agrees for one in which), len(which))

    return {
        "overturned": wrong(looked),
        "overturned_machine": wrong([one for one in looked if one.machine]),
        "overturned_people": wrong([one for one in looked if not one.machine]),
        "reversed": _part(sum(not one.stands(c, week.found.as_of) for one, c in approvals), len(approvals), "reversed"),
    }


def _opinion(week: _Within, some: Collection[Life]) -> dict[str, Figure]:
    asked = 0
    marks = []
    for one in some:
        closing = week.closing(one)
        if closing is None:
            continue
        asked += 1
        after = next((c.at for c in one.closings if c.at > closing.at), None)
        mark = next((m for at, m in reversed(one.rated) if at >= closing.at and (after is None or at < after)), None)
        if mark is not None:
            marks.append(mark)
    return {
        "csat": _part(sum(mark >= GOOD for mark in marks), len(marks), "csat"),
        "csat_response": _part(len(marks), asked, "csat_response"),
    }


def _topics(week: _Within, some: Collection[Life]) -> Topics:
    """All reasons that occurred; `trimmed` cuts the list."""
    codes: Counter[str] = Counter()
    places: dict[str, Counter[str]] = defaultdict(Counter)
    cases = 0
    for one in some:
        named = {code for at, code in one.reasons if week.has(at)}
        cases += bool(named)
        country = one.country(week.until) if named else ""
        for code in named:
            codes[code] += 1
            places[code][country] += 1
    ranked = sorted(codes.items(), key=lambda pair: (-pair[1], pair[0]))
    return Topics(
        cases=cases,
        before=0,
        top=tuple(
            Topic(
                code=code,
                cases=n,
                before=0,
                share=_part(n, cases),
                countries=tuple(sorted(places[code].items(), key=lambda pair: (-pair[1], pair[0]))),
            )
            for code, n in ranked
        ),
    )


def _funnel(week: _Within, some: Collection[Life], whole: bool) -> Funnel:
    """People who came with a link of the lender, and how far the request got that they came for."""
    chosen = {one.case_id: one for one in some}
    reached: Counter[str] = Counter()
    for case_id in week.found.visits:
        if case_id is None:
            reached["link_opened"] += whole
        elif case_id in chosen:
            reached.update(("link_opened", *_steps(chosen[case_id], week.until)))
    steps: list[Step] = []
    first = previous = None
    for name in STEPS:
        count = reached[name] if name != "reason" and (whole or name != "link_opened") else None
        steps.append(
            Step(
                name=name,
                count=count,
                of_first=None if count is None or first is None else _part(count, first),
                of_previous=None if count is None or previous is None else _part(count, previous),
            )
        )
        if count is not None:
            first = count if first is None else first
            previous = count
    return Funnel(steps=tuple(steps))


def _steps(life: Life, until: datetime) -> list[str]:
    """What this request reached by `until`; who came further came through what lies before."""
    closing = life.last_closing(life.opened or until, until)
    held = {
        "approved": closing is not None and closing.approved,
        "decided": closing is not None,
        "sent": _by(life.sent(), until),
        "photos": all(_by(life.photos.get(kind), until) for kind in told.BOTH),
        "details": True,
    }
    names = list(held)
    return next((names[place:] for place, name in enumerate(names) if held[name]), [])


# Numbers with what they rest on


def _by(moment: datetime | None, until: datetime) -> bool:
    return moment is not None and moment < until


def _count(n: int) -> Figure:
    return Figure(value=float(n), n=n, unit="count")


def _part(found: int, n: int, name: str = "") -> Figure:
    share = quality.share(int(found), n)
    return Figure(value=share.share, n=n, low=share.low, high=share.high, unit="share", late=name in LATE)


def _mean(values: Sequence[float]) -> Figure:
    low, high = mean_interval(values)
    return Figure(value=fmean(values) if values else None, n=len(values), low=low, high=high, unit="mean")


def _quantile(values: Sequence[float], share: float) -> Figure:
    ordered = sorted(values)
    low, high = quantile_interval(ordered, share)
    return Figure(value=nowfigures.quantile(ordered, share), n=len(ordered), low=low, high=high, unit="seconds")
