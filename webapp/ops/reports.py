"""The weekly report for leads: page, table, paper, and whether it comes by mail. Translates HTTP; `cases.reports` counts,
`cases.report_words` says it in words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import report_mails, report_paper, report_tables, report_words, reports
from cases import staff as people
from cases.models import Staff
from cases.reports import Report, ReportWeek
from webapp.context import database, now, settings
from webapp.i18n import locale
from webapp.ops.surface import ops
from webapp.security import needs, row

OFFERED = 26
"""Weeks in the list: half a year; older ones by their address."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the address asks for."""

    week: ReportWeek
    country: str | None
    policy: int | None

    def address(self, endpoint: str = "ops.report_page") -> str:
        """The same report as page, table or paper."""
        return url_for(endpoint, week=self.week, country=self.country, policy=self.policy)


@ops.get("/reports")
@needs("see_reports")
def report_page() -> ResponseReturnValue:
    """One week, of all requests or of one country or policy version."""
    asked = _asked()
    with database().reading() as db:
        return _page(db, row(db), asked)


@ops.get("/reports.csv")
@needs("see_reports")
def report_csv() -> ResponseReturnValue:
    """Every figure in long form."""
    asked = _asked()
    with database().reading() as db:
        found, names = _found(db, row(db), asked)
    return _file(report_tables.table(found, names=names), "text/csv", asked, "csv")


@ops.get("/reports.pdf")
@needs("see_reports")
def report_pdf() -> ResponseReturnValue:
    """The report on A4."""
    asked = _asked()
    with database().reading() as db:
        reader = row(db)
        found, names = _found(db, reader, asked)
        sheet = report_words.sheet(found, locale(), course=_course(db, reader, asked), names=names)
    return _file(report_paper.pdf(sheet, made_at=found.as_of), "application/pdf", asked, "pdf")


@ops.post("/reports/wish")
@needs("see_reports")
def report_wish() -> ResponseReturnValue:
    """Ask for the report of a week that was not made yet."""
    asked = _asked()
    try:
        with database().transaction() as db:
            reports.wish(db, week=asked.week, by=row(db), now=now())
    except reports.NotOver:
        abort(404)
    return redirect(asked.address(), 303)


@ops.post("/reports/mail")
@needs("see_reports")
def report_mail() -> ResponseReturnValue:
    """Whether the report comes by mail on Mondays."""
    wanted = request.form.get("mail") == "on"
    with database().transaction() as db:
        report_mails.choose(db, row(db), wanted=wanted, locale=locale())
    flash(_("The report comes by mail on Mondays.") if wanted else _("No more mail on Mondays."))
    return redirect(_asked().address(), 303)


def _asked() -> Asked:
    """Read the address; a week that cannot be read is nothing that there is."""
    zone, args = settings().time_zone, request.args
    try:
        week = ReportWeek.parse(args["week"], time_zone=zone) if args.get("week") else None
        policy = int(args["policy"]) if args.get("policy") else None
    except (ValueError, OverflowError):
        abort(404)
    return Asked(week=week or ReportWeek.last_whole(now(), time_zone=zone), country=args.get("country") or None, policy=policy)


def _found(db: Session, reader: Staff, asked: Asked) -> tuple[Report, dict[UUID, str] | None]:
    """The report, and the names of agents for who may see them. 404 where it is not made."""
    found = reports.shown(db, reader=reader, week=asked.week, country=asked.country, policy=asked.policy)
    if found is None:
        abort(404)
    return found, _names(db, reader, found)


def _names(db: Session, reader: Staff, report: Report) -> dict[UUID, str] | None:
    if not people.may(reader, "see_team"):
        return None
    rows = db.execute(select(Staff.id, Staff.name).where(Staff.id.in_([one.staff_id for one in report.agents])))
    return {id: name for id, name in rows}


def _course(db: Session, reader: Staff, asked: Asked) -> report_words.Course | None:
    """The weeks before; kept for all requests together only."""
    if asked.country is not None or asked.policy is not None:
        return None
    weeks = reports.course(db, reader=reader, names=report_words.COURSE, until=asked.week)
    return {name: [(week, held[name] if held else None) for week, held in weeks] for name in report_words.COURSE}


def _page(db: Session, reader: Staff, asked: Asked) -> str:
    moment, zone = now(), asked.week.time_zone
    whole = reports.shown(db, reader=reader, week=asked.week)
    found = whole
    if asked.country is not None or asked.policy is not None:
        found = reports.shown(db, reader=reader, week=asked.week, country=asked.country, policy=asked.policy)
    sheet = None
    if found is not None:
        names = _names(db, reader, found)
        sheet = report_words.sheet(found, locale(), course=_course(db, reader, asked), names=names)
    say = report_words.Speaker(locale())
    newest = ReportWeek.last_whole(moment, time_zone=zone)
    weeks = [replace(newest, monday=newest.monday - timedelta(weeks=n)) for n in range(OFFERED)]
    if asked.week not in weeks:
        weeks.append(asked.week)
    made = set(reports.made_weeks(db, time_zone=zone))
    return render_template(
        "ops/report.html",
        asked=asked,
        sheet=sheet,
        whole=whole,
        weeks=[(str(week), say.week(week), week in made) for week in weeks],
        countries=[g.code for g in whole.countries if g.code and not g.small] if whole else [],
        policies=[g.code for g in whole.policies if g.code and not g.small] if whole else [],
        earlier=replace(asked, week=asked.week.before),
        later=replace(asked, week=asked.week.after) if asked.week < newest else None,
        title=say.week(asked.week),
        over=asked.week.ends <= moment,
        wished=reports.wished(db, week=asked.week),
        mail=report_mails.gets(reader),
    )


def _file(data: str | bytes, media: str, asked: Asked, ending: str) -> Response:
    part = f"-{asked.country}" if asked.country else f"-policy-{asked.policy}" if asked.policy is not None else ""
    name = "".join(c for c in f"peremena-{asked.week}{part}" if c.isascii() and (c.isalnum() or c == "-"))
    answer = Response(data, mimetype=media)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.{ending}"'
    answer.headers["Cache-Control"] = "no-store"
    return answer
