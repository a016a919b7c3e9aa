"""Reports made once and kept, so that Monday's mail and the page a year later show the same numbers.

Made by upkeep on Monday at 06:00 by the clocks of `time_zone`, or later where a lead asks for an older week; never changed. One
row holds every country and policy version, so a page reads one row and measures nothing. Where measuring that week again as of
the same moment gives another number, somebody changed the records behind it (or the program): `differs` tells which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cases import figures
from cases import staff as people
from cases.database import Database
from cases.host_tables import ReportWish, WeeklyReport
from cases.models import Staff
from cases.reports import lives, measure
from cases.reports.measure import Material, Part
from cases.reports.shapes import (
    DEFINITIONS,
    FIGURES,
    SMALL,
    AgentRow,
    Figure,
    Funnel,
    Group,
    Report,
    ReportWeek,
    Step,
    TeamSpread,
    Topic,
    Topics,
)

MADE_AT = time(6)
"""On Monday, by the deployment's clocks: before anybody reads it (facts/ecosystem.md 3.2)."""

BACK = 8
"""Weeks that upkeep makes up for by itself after it stood still: what a page draws as a course. Older ones on demand."""

WISHES = 5
"""Weeks made on demand in one round of upkeep: some seconds each at a million requests a year."""

ALL = "all"


class NotOver(ValueError):
    """The week is still running, or lies in the future: it would be kept unfinished."""


def weekly(
    session: Session,
    *,
    week: ReportWeek,
    now: datetime,
    country: str | None = None,
    policy: int | None = None,
    time_zone: str | None = None,
) -> Report:
    """Measure a week as of `now`, beside the week before as of as long after its own end. A running week is told up to `now`.

    Takes seconds at a million requests a year: pages use `shown`. `country` "" means: none said; `policy` 0: no
    machine looked. `time_zone` None: the week's own. Raises ValueError for a week that has not begun.
    """
    week = replace(week, time_zone=time_zone) if time_zone else week
    return _report(_measured(session, week, now=now, only=(country, policy)), country, policy, kept=False)


def make(session: Session, *, week: ReportWeek, now: datetime) -> WeeklyReport:
    """Measure a week that is over and keep it, unless it is kept already. Raises NotOver; IntegrityError: another was first."""
    held = _row(session, week)
    if held is not None:
        return held
    return _keep(session, week, _whole(session, week, now=now), now=now)


def make_due(database: Database, *, now: datetime) -> list[ReportWeek]:
    """Make what is due or asked for; returns the weeks, oldest first. For upkeep: may run twice at once and die anywhere.

    Each is measured in a transaction that only reads, so that nobody waits for it, and written in one of its own.
    """
    made = []
    with database.reading() as session:
        due = _due(session, now=now)
    for week in due:
        with database.reading() as session:
            document = _whole(session, week, now=now)
        try:
            with database.transaction() as session:
                if _row(session, week) is None:
                    _keep(session, week, document, now=now)
                    made.append(week)
                session.execute(
                    delete(ReportWish).where(ReportWish.monday == week.monday, ReportWish.time_zone == week.time_zone)
                )
        except IntegrityError:
            continue  # another upkeep kept it meanwhile
    return made


def wish(session: Session, *, week: ReportWeek, by: Staff, now: datetime) -> None:
    """Ask upkeep to make the report of an older week; within a minute or so. May be repeated. Raises NotAllowed, NotOver."""
    people.require(by, "see_reports")
    if now < week.ends:
        raise NotOver("the week is not over")
    if _row(session, week) is None and session.get(ReportWish, (week.monday, week.time_zone)) is None:
        session.add(ReportWish(monday=week.monday, time_zone=week.time_zone, by_id=by.id, wished_at=now))
        session.flush()


def wished(session: Session, *, week: ReportWeek) -> bool:
    """Whether upkeep was asked for it and has not made it yet."""
    return session.get(ReportWish, (week.monday, week.time_zone)) is not None


def shown(
    session: Session, *, reader: Staff, week: ReportWeek, country: str | None = None, policy: int | None = None
) -> Report | None:
    """The report as it was kept, or of one country or one policy version of it; None: not made, or that part is too small.

    Agents' rows are those that the reader may see: all for who sees the team, else her own alone. Raises NotAllowed.
    """
    people.require(reader, "see_reports")
    row = _row(session, week)
    if row is None or _key(country, policy) not in row.document["parts"]:
        return None
    found = _report(row.document, country, policy, kept=True)
    if people.may(reader, "see_team"):
        return found
    return replace(found, agents=tuple(one for one in found.agents if one.staff_id == reader.id))


def made_weeks(session: Session, *, time_zone: str, limit: int = 60) -> list[ReportWeek]:
    """Weeks that are kept, newest first."""
    mondays = session.scalars(
        select(WeeklyReport.monday).where(WeeklyReport.time_zone == time_zone).order_by(WeeklyReport.monday.desc()).limit(limit)
    )
    return [ReportWeek(monday=monday, time_zone=time_zone) for monday in mondays]


def course(
    session: Session, *, reader: Staff, names: Sequence[str], until: ReportWeek, weeks: int = 8
) -> list[tuple[ReportWeek, dict[str, Figure] | None]]:
    """These figures of the last weeks, oldest first, as they were kept; None for a week without a report. Raises NotAllowed."""
    people.require(reader, "see_reports")
    wanted = [replace(until, monday=until.monday - timedelta(weeks=n)) for n in reversed(range(weeks))]
    rows = session.scalars(
        select(WeeklyReport).where(
            WeeklyReport.time_zone == until.time_zone, WeeklyReport.monday.in_([week.monday for week in wanted])
        )
    )
    held = {row.monday: row.document["parts"][ALL]["figures"] for row in rows}
    return [
        (week, {name: _figure(held[week.monday][name]) for name in names} if week.monday in held else None) for week in wanted
    ]


@dataclass(frozen=True, kw_only=True)
class OwnWeek:
    """An agent's own week beside the team's. `as_of`: when it was measured."""

    week: ReportWeek
    as_of: datetime
    own: AgentRow | None  # None: she gave no answer and is no agent
    team: Mapping[str, TeamSpread]


def own_week(session: Session, *, staff: Staff, week: ReportWeek) -> OwnWeek | None:
    """What one agent is shown of a kept week: her own figures and the team's mean and quartiles, nobody's name.

    None: the week was not made. Raises NotAllowed.
    """
    people.require(staff, "see_own_figures")
    row = _row(session, week)
    if row is None:
        return None
    whole = _report(row.document, None, None, kept=True)
    own = next((one for one in whole.agents if one.staff_id == staff.id), None)
    return OwnWeek(week=week, as_of=whole.as_of, own=own, team=whole.team)


def differs(session: Session, *, week: ReportWeek) -> tuple[str, ...]:
    """Figures that come out otherwise when the week is measured again as of the moment it was kept. Slow: on demand only.

    Empty: the same, or nothing is kept. ("definitions",) where it was kept under other definitions than today's.
    """
    row = _row(session, week)
    if row is None:
        return ()
    if row.definitions != DEFINITIONS:
        return ("definitions",)
    now = datetime.fromisoformat(row.document["as_of"])
    found = measure.material(session, week, as_of=now)
    again = measure.measure(found, list(found.lives.values()), whole=True).figures
    held = row.document["parts"][ALL]["figures"]
    return tuple(name for name in FIGURES if (again[name].value, again[name].n) != (held[name]["value"], held[name]["n"]))


# Making


def _due(session: Session, *, now: datetime) -> list[ReportWeek]:
    """The newest whole week from Monday 06:00 on, those missed since the last one kept, and those asked for."""
    zone = session.info["settings"].time_zone
    newest = ReportWeek.last_whole(now, time_zone=zone)
    local = now.astimezone(ZoneInfo(zone))
    if local.weekday() == 0 and local.time() < MADE_AT:
        newest = newest.before
    held = {week.monday for week in made_weeks(session, time_zone=zone)}
    due = []
    if newest.monday not in held and lives.anything(session, newest.ends):
        due = [newest]
        for n in range(1, BACK if held else 1):
            week = replace(newest, monday=newest.monday - timedelta(weeks=n))
            if week.monday in held:
                break
            if any(monday < week.monday for monday in held):
                due.insert(0, week)
    asked = session.scalars(
        select(ReportWish).where(ReportWish.time_zone == zone).order_by(ReportWish.wished_at, ReportWish.monday).limit(WISHES)
    )
    wanted = [ReportWeek(monday=one.monday, time_zone=one.time_zone) for one in asked]
    return sorted({*due, *(week for week in wanted if week.ends <= now)})


def _whole(session: Session, week: ReportWeek, *, now: datetime) -> dict[str, Any]:
    if now < week.ends:
        raise NotOver("the week is not over")
    return _measured(session, week, now=now)


def _measured(
    session: Session, week: ReportWeek, *, now: datetime, only: tuple[str | None, int | None] | None = None
) -> dict[str, Any]:
    """A report as plain JSON: everything, or what one part needs."""
    if now <= week.begins:
        raise ValueError("the week has not begun")
    found = measure.material(session, week, as_of=now)
    before = measure.material(session, week.before, as_of=week.before.ends + (now - week.ends))
    countries, policies = measure.groups(found)
    keys: list[tuple[str | None, int | None]] = [(None, None)]
    keys += [(code, None) for code, n in countries.items() if n >= SMALL]
    keys += [(None, version) for version, n in policies.items() if n >= SMALL]
    if only is not None and only != (None, None):
        keys = [only]
    parts = {_key(*key): _part_json(_part(found, before, *key)) for key in keys}
    agents = figures.team(session, since=found.begins, until=found.until) if (None, None) in keys else []
    return {
        "week": str(week),
        "time_zone": week.time_zone,
        "as_of": now.astimezone(UTC).isoformat(),
        "definitions": DEFINITIONS,
        "review_hours": session.info["settings"].review_hours,
        "parts": parts,
        "countries": sorted(countries.items(), key=lambda pair: (-pair[1], pair[0])),
        "policies": sorted(policies.items(), reverse=True),
        "agents": [
            {
                "staff_id": str(one.staff_id),
                "handled": one.handled,
                "values": {name: [value.value, value.n] for name, value in one.values.items()},
                "z": one.z,
            }
            for one in agents
        ],
        "team": {name: asdict(spread) for name, spread in figures.spreads(agents).items()},
    }


def _part(found: Material, before: Material, country: str | None, policy: int | None) -> Part:
    whole = country is None and policy is None
    now = measure.measure(found, measure.split(found, country=country, policy=policy), whole=whole)
    then = measure.measure(before, measure.split(before, country=country, policy=policy), whole=whole)
    return measure.trimmed(measure.beside(now, then))


def _keep(session: Session, week: ReportWeek, document: dict[str, Any], *, now: datetime) -> WeeklyReport:
    row = WeeklyReport(
        id=uuid4(), monday=week.monday, time_zone=week.time_zone, made_at=now, definitions=DEFINITIONS, document=document
    )
    session.add(row)
    session.flush()
    return row


def _row(session: Session, week: ReportWeek) -> WeeklyReport | None:
    return session.scalars(
        select(WeeklyReport).where(WeeklyReport.monday == week.monday, WeeklyReport.time_zone == week.time_zone)
    ).one_or_none()


# To and from JSON


def _key(country: str | None, policy: int | None) -> str:
    named = [f"country:{country}"] if country is not None else []
    named += [f"policy:{policy}"] if policy is not None else []
    return " ".join(named) or ALL


def _part_json(part: Part) -> dict[str, Any]:
    return asdict(part)


def _report(document: Mapping[str, Any], country: str | None, policy: int | None, *, kept: bool) -> Report:
    parts = document["parts"]
    part = parts[_key(country, policy)]
    whole = country is None and policy is None

    def group(code: str, cases: int, key: str) -> Group:
        held = parts.get(key)
        return Group(code=code, cases=cases, small=held is None, figures=_figures(held["figures"]) if held is not None else {})

    return Report(
        week=ReportWeek.parse(document["week"], time_zone=document["time_zone"]),
        as_of=datetime.fromisoformat(document["as_of"]),
        definitions=document["definitions"],
        review_hours=document["review_hours"],
        country=country,
        policy=policy,
        cases=part["cases"],
        figures=_figures(part["figures"]),
        funnel=Funnel(
            steps=tuple(
                Step(
                    name=one["name"],
                    count=one["count"],
                    of_first=_maybe(one["of_first"]),
                    of_previous=_maybe(one["of_previous"]),
                )
                for one in part["funnel"]["steps"]
            )
        ),
        topics=Topics(
            cases=part["topics"]["cases"],
            before=part["topics"]["before"],
            top=tuple(
                Topic(
                    code=one["code"],
                    cases=one["cases"],
                    before=one["before"],
                    share=_figure(one["share"]),
                    countries=tuple((code, n) for code, n in one["countries"]),
                )
                for one in part["topics"]["top"]
            ),
        ),
        countries=tuple(group(code, n, _key(code, None)) for code, n in document["countries"]) if whole else (),
        policies=tuple(group(str(version) if version else "", n, _key(None, version)) for version, n in document["policies"])
        if whole
        else (),
        agents=tuple(
            AgentRow(
                staff_id=UUID(one["staff_id"]),
                handled=one["handled"],
                values={name: (value, n) for name, (value, n) in one["values"].items()},
                z=dict(one["z"]),
            )
            for one in document["agents"]
        )
        if whole
        else (),
        team={name: TeamSpread(**one) for name, one in document["team"].items()} if whole else {},
        kept=kept,
    )


def _figures(held: Mapping[str, Any]) -> dict[str, Figure]:
    return {name: _figure(held[name]) for name in FIGURES if name in held}


def _figure(held: Mapping[str, Any]) -> Figure:
    return Figure(**held)


def _maybe(held: Mapping[str, Any] | None) -> Figure | None:
    return None if held is None else _figure(held)
