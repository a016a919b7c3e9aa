"""An agent's own figures, and the team's for its lead. Translates HTTP; `cases.figures` counts, `cases.workload` moves cases."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_date, format_decimal, format_percent
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound

from cases import figures, practice, queue, review, workload
from cases import staff as people
from cases.lifecycle import IllegalTransition
from cases.models import Staff
from webapp.context import database, now, settings
from webapp.desk import presenters
from webapp.desk.surface import desk
from webapp.security import needs, row

SPANS = (7, 28)
"""Days that the team's page may look back; four whole weeks unless asked otherwise."""

RULE = (0.0, 200.0)
"""Ends of the line on which her place among the team's quartiles is drawn."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One figure of hers, ready to print; places on the line are 0-200, None where the team is too small to be compared with."""

    key: str
    name: str
    about: str  # how it is counted
    value: str
    n: int
    mean: str
    quartiles: str
    low: float = 0.0
    middle: float = 0.0
    high: float = 0.0
    at: float | None = None
    average: float | None = None


@desk.get("/me")
@needs("see_own_figures")
def my_figures() -> ResponseReturnValue:
    """Her own figures beside the team's, without a name of anybody."""
    with database().reading() as db:
        me = row(db)
        found = figures.mine(db, me, now=now())
    return render_template(
        "desk/me.html",
        found=found,
        lines=lines(found),
        weeks=bars(found.weeks, [week.handled for week in found.weeks]),
        minutes=bars(found.weeks, [week.minutes or 0.0 for week in found.weeks]),
        days=bars(found.days, [day.handled for day in found.days]),
        few=figures.FEW,
        window=figures.WINDOW.days,
        peers=figures.PEERS,
        number=_number,
    )


@desk.get("/me.csv")
@needs("see_own_figures")
def my_figures_csv() -> ResponseReturnValue:
    """The same as a table for a spreadsheet: shares 0-1, minutes as numbers."""
    with database().reading() as db:
        found = figures.mine(db, row(db), now=now())
    out: list[Sequence[object]] = [
        ("figure", "value", "n", "team_mean", "team_first_quartile", "team_median", "team_third_quartile", "team_agents")
    ]
    values = {"handled": figures.Value(value=float(found.own.handled), n=found.own.handled), **found.own.values}
    for name, value in values.items():
        team = found.team.get(name)
        spread = (team.mean, team.low, team.middle, team.high, team.agents) if team else ("", "", "", "", "")
        out.append((name, _plain(value.value), value.n, *(_plain(v) if isinstance(v, float) else v for v in spread)))
    return _csv(out, "my-figures")


@desk.get("/team")
@needs("see_team")
def team_page() -> ResponseReturnValue:
    """Everybody's figures, what each holds now, the queue's clocks, skills and practice."""
    return _team()


@desk.get("/team.csv")
@needs("see_team")
def team_csv() -> ResponseReturnValue:
    """The table as it stands on the page, as numbers."""
    days, moment = _days(), now()
    with database().reading() as db:
        agents = figures.team(db, since=moment - timedelta(days=days), until=moment)
    head = ["agent", "handled", *(f"{name}{suffix}" for name in figures.FIGURES for suffix in ("", "_n", "_z"))]
    out: list[Sequence[object]] = [head]
    for agent in agents:
        cells: list[object] = [agent.name, agent.handled]
        for name, value in agent.values.items():
            cells += [_plain(value.value), value.n, _plain(agent.z.get(name))]
        out.append(cells)
    return _csv(out, f"team-{days}-days")


@desk.post("/team/cases/<uuid:case_id>")
@needs("reassign")
def move_case(case_id: UUID) -> ResponseReturnValue:
    """Move a case from one agent to another or back to the queue."""
    told, to = "", request.form.get("to", "")
    try:
        held_by, target = UUID(request.form.get("held_by", "")), UUID(to) if to else None
    except ValueError:
        abort(404)
    try:
        with database().transaction() as db:
            lead = row(db)
            workload.move(db, case_id, held_by=held_by, to=target, lead=lead, now=now())
    except NoResultFound:
        abort(404)
    except (workload.NotHeld, IllegalTransition, review.TakenBy):
        told = _("Nothing was moved: the case is in other hands by now, or answered.")
    except review.Related:
        told = _("Nothing was moved: the case is related to that agent's own account.")
    except review.AlreadyAnswered:
        told = _("Nothing was moved: that agent gave the first answer, and another person has to give the second.")
    except review.NotYours:
        told = _("Nothing was moved: that agent refused this request before, and another person decides the appeal.")
    except queue.HandsFull as full:
        told = _("Nothing was moved: that agent holds %(n)s open cases already.", n=full.limit)
    except people.NotAllowed as refused:
        if refused.permission == "reassign":
            abort(403)
        told = _("Nothing was moved: that agent may not answer this case.")
    if told:
        return _team(told), 409
    number = str(case_id)[:8]
    flash(
        _("Case %(number)s is back in the queue.", number=number)
        if target is None
        else _("Case %(number)s was moved.", number=number)
    )
    return redirect(url_for("desk.team_page", days=_days()), 303)


def _team(told: str = "") -> str:
    days, moment = _days(), now()
    with database().reading() as db:
        agents = figures.team(db, since=moment - timedelta(days=days), until=moment)
        held: dict[UUID, list[figures.Held]] = {}
        for one in figures.held_now(db, now=moment):
            held.setdefault(one.staff_id, []).append(one)
        members = {one.id: one for one in (db.get(Staff, agent.staff_id) for agent in agents) if one is not None}
        return render_template(
            "desk/team.html",
            told=told,
            days=days,
            spans=SPANS,
            agents=agents,
            names=figures.FIGURES,
            words=words(),
            held=held,
            givable=[a for a in agents if people.may(members[a.staff_id], "decide")],
            skills={id: queue.Skills.of(one) for id, one in members.items()},
            progress={one.staff_id: one for one in practice.progress(db)},
            ROUND=practice.ROUND,
            tiles=queue.tiles(db, agent=None, now=moment),
            most=queue.COUNTED,
            in_time=figures.in_time_lately(db, now=moment),
            hours=settings().review_hours,
            now=moment,
            show=presenters,
            shown=_shown,
            number=_number,
            few=figures.FEW,
            marked=figures.MARKED_N,
        )


def _days() -> int:
    asked = request.args.get("days", SPANS[-1], type=int)
    return asked if asked in SPANS else SPANS[-1]


# Words and shapes


def words() -> dict[str, tuple[str, str]]:
    """Name of each figure and how it is counted; the long form stands in docs/metrics.md."""
    return {
        "handled": (
            _("Answered"),
            _("Answers that went through or wait for a second person. Taken back or overtaken by the customer: not counted."),
        ),
        "minutes": (
            _("Minutes a case"),
            _(
                "From taking a case to its answer, middle value. Pauses count five minutes at most. From up to %(n)s newest.",
                n=figures.SAMPLE,
            ),
        ),
        "in_time": (
            _("In time"),
            _("Answers carried out before the promised hour. From up to %(n)s newest.", n=figures.SAMPLE),
        ),
        "agreement": (
            _("Same as second eyes"),
            _("Cases that two people answered without seeing each other's answer: how often both came to the same."),
        ),
        "quality": (
            _("Confirmed on review"),
            _("Answers drawn by chance and looked at again without seeing them: how often the same answer was given."),
        ),
        "overturned": (
            _("Overturned"),
            _("Answers that a senior agent decided otherwise, refusals that were approved later, approvals that were put back."),
        ),
        "reopened": (
            _("Opened again"),
            _("Closed cases that came back: an appeal after a refusal, “this was not me” after an approval."),
        ),
        "rating": (
            _("Rated easy"),
            _("Ratings of cases that the answer closed: how many say “easy” or “very easy”."),
        ),
        "retake": (
            _("Asked for a photo"),
            _("Of all answers, how many ask for a photo again. Neither high nor low is good in itself."),
        ),
        "reject": (_("Refused"), _("Of all answers, how many refuse. Neither high nor low is good in itself.")),
    }


def lines(found: figures.Mine) -> list[Line]:
    """Her figures in order, each with her place among the team's quartiles where the team is large enough."""
    named = words()
    values = {"handled": figures.Value(value=float(found.own.handled), n=found.own.handled), **found.own.values}
    return [_line(key, *named[key], value, found.team.get(key)) for key, value in values.items()]


def _line(key: str, name: str, about: str, value: figures.Value, team: figures.Spread | None) -> Line:
    plain = Line(key=key, name=name, about=about, value=_shown(key, value.value), n=value.n, mean="–", quartiles="–")
    if team is None:
        return plain
    ends = [team.low, team.high, team.mean, *([value.value] if value.value is not None else [])]
    low, high = min(ends), max(ends)
    room = 0.12 * (high - low) or 1.0

    def place(given: float) -> float:
        return round(RULE[0] + (RULE[1] - RULE[0]) * (given - low + room) / (high - low + 2 * room), 1)

    return Line(
        key=key,
        name=name,
        about=about,
        value=plain.value,
        n=value.n,
        mean=_shown(key, team.mean),
        quartiles=f"{_shown(key, team.low)} – {_shown(key, team.middle)} – {_shown(key, team.high)}",
        low=place(team.low),
        middle=place(team.middle),
        high=place(team.high),
        average=place(team.mean),
        at=place(value.value) if value.value is not None else None,
    )


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One day or week of a course: `height` of 40, and what it says."""

    height: float
    value: float
    few: bool
    label: str


def bars(stretches: Iterable[figures.Stretch], values: Sequence[float]) -> list[Bar]:
    """A course as bars, the highest of them full."""
    top = max([*values, 0.0]) or 1.0
    return [
        Bar(height=round(40 * value / top, 1), value=value, few=one.few, label=str(format_date(one.begins, "d MMM")))
        for one, value in zip(stretches, values, strict=True)
    ]


def _shown(key: str, value: float | None) -> str:
    """A figure as people read it: minutes with one place, shares in percent, counts whole."""
    if value is None:
        return "–"
    if key == "minutes":
        return str(format_decimal(value, "0.0"))
    if key == "handled":
        return str(format_decimal(value, "0.#"))
    return str(format_percent(value, "0.#\N{NO-BREAK SPACE}%"))


def _number(value: float) -> str:
    return str(format_decimal(value, "0.#"))


# Tables for spreadsheets


def _plain(value: float | None) -> object:
    return "" if value is None else round(value, 4)


def _csv(rows: Iterable[Sequence[object]], name: str) -> Response:
    out = io.StringIO()
    writer = csv.writer(out)
    for cells in rows:
        writer.writerow([safe_cell(cell) for cell in cells])
    response = Response("\ufeff" + out.getvalue(), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response.headers["Cache-Control"] = "no-store"
    return response


def safe_cell(cell: object) -> object:
    """A text that no spreadsheet takes for a formula: one that begins like one gets an apostrophe before it."""
    if isinstance(cell, str) and cell.lstrip()[:1] in ("=", "+", "-", "@", "\t", "\r", "|", "%") and cell.strip():
        return "'" + cell
    return cell
