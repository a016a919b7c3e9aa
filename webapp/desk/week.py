"""An agent's own week beside the team's mean, as the weekly report kept it, and whether it comes by mail. Translates HTTP."""

from __future__ import annotations

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from cases import report_mails, report_words, reports
from cases.reports import ReportWeek
from webapp.context import database, now, settings
from webapp.desk.surface import desk
from webapp.i18n import locale
from webapp.security import needs, row


@desk.get("/me/week")
@needs("see_own_figures")
def my_week() -> ResponseReturnValue:
    """Her figures of one week; without an address the newest whole one."""
    week = _asked()
    newest = ReportWeek.last_whole(now(), time_zone=week.time_zone)
    say = report_words.Speaker(locale())
    with database().reading() as db:
        reader = row(db)
        found = reports.own_week(db, staff=reader, week=week)
        return render_template(
            "desk/week.html",
            week=week,
            title=say.week(week),
            as_of=say.moment(found.as_of, week.time_zone) if found else "",
            lines=report_words.own_lines(found, locale()) if found else (),
            earlier=week.before,
            later=week.after if week < newest else None,
            few=report_words.FEW,
            mail=report_mails.gets(reader),
        )


@desk.post("/me/week/mail")
@needs("see_own_figures")
def my_week_mail() -> ResponseReturnValue:
    """Whether her week comes by mail on Mondays."""
    wanted = request.form.get("mail") == "on"
    with database().transaction() as db:
        report_mails.choose(db, row(db), wanted=wanted, locale=locale())
    flash(_("Your week comes by mail on Mondays.") if wanted else _("No more mail on Mondays."))
    return redirect(url_for("desk.my_week", week=_asked()), 303)


def _asked() -> ReportWeek:
    zone = settings().time_zone
    try:
        given = request.args.get("week")
        return ReportWeek.parse(given, time_zone=zone) if given else ReportWeek.last_whole(now(), time_zone=zone)
    except (ValueError, OverflowError):
        abort(404)
