"""Who gets the weekly report by mail on Mondays: leads unless they said no, everybody else who may see figures if they said yes.

A lead gets the whole report, an agent her own week beside the team's mean. What a mail says is made when it is sent
(`workers.report_mail`): the row of the outbox holds the week and nothing else.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import staff as people
from cases import staff_mails, wording
from cases.host_tables import StaffMail, WeeklyReport
from cases.models import Staff
from cases.reports import ReportWeek

FRESH = timedelta(days=1)
"""How long after a report was made its mail is owed: upkeep that starts late makes it late, and who says yes today gets it."""


def may_get(staff: Staff) -> bool:
    """Whether there is anything that this person could be sent."""
    return people.may(staff, "see_reports") or people.may(staff, "see_own_figures")


def gets(staff: Staff) -> bool:
    """Whether the mail goes to this person: as she chose, else if she leads a team."""
    chosen = people.may(staff, "see_team") if staff.weekly_report is None else staff.weekly_report
    return chosen and may_get(staff)


def choose(session: Session, staff: Staff, *, wanted: bool, locale: str) -> None:
    """Keep what she chose, and the language that she read when she did. Raises NotAllowed."""
    if not may_get(staff):
        raise people.NotAllowed("see_reports")
    staff.weekly_report = wanted
    if wanted:
        staff.locale = wording.language_of(locale)
    session.flush()


def key(week: ReportWeek) -> str:
    """By which each person hears of a week once."""
    return f"weekly_report:{week}"


def owe_due(session: Session, *, now: datetime) -> list[StaffMail]:
    """Owe the mail of the newest whole week, once its report is made. May run twice, and by two upkeeps at once."""
    zone = session.info["settings"].time_zone
    week = ReportWeek.last_whole(now, time_zone=zone)
    made_at = session.scalar(
        select(WeeklyReport.made_at).where(WeeklyReport.monday == week.monday, WeeklyReport.time_zone == zone)
    )
    if made_at is None or now >= made_at + FRESH:
        return []
    readers = [one for one in session.scalars(select(Staff).where(Staff.active).order_by(Staff.id)) if gets(one)]
    return staff_mails.owe_all(session, readers, staff_mails.WEEKLY_REPORT, key=key(week), context={"week": str(week)}, now=now)
