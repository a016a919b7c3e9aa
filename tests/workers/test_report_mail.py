"""Monday's mail: to whom, once a week whatever upkeep does, made when it is sent, with nothing of anybody in the row."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage

import pytest
from sqlalchemy import select

from cases import report_mails, report_words, reports, staff, staff_mails
from cases.database import Database, utcnow
from cases.host_tables import StaffMail
from cases.models import Role, Staff
from cases.reports import ReportWeek
from cases.settings import Settings
from tests import factories as a
from tests.cases import report_scenes
from tests.pdf_text import pages
from tests.workers.system import System
from workers import notify, process, upkeep

NAMES = ("Ada Agent", "Ben Berg", "Cleo Chan", "Dina Dorn", "Edda Ems", "Fay Falk")


@pytest.fixture
def system(database: Database, settings: Settings) -> Iterator[System]:
    """No workers, no Redis: tasks and jobs are called here. Mail becomes files."""
    made = System(settings)
    process.use(made.settings)
    yield made
    process.close()
    made.close()


def furnish(system: System) -> dict[str, Staff]:
    """Six agents, a lead, somebody of operations and an auditor; the report of last week is kept."""
    now = utcnow()
    week = ReportWeek.last_whole(now, time_zone=system.settings.time_zone)
    with system.database.transaction() as session:
        agents = [a.a_member(session, now=now, name=name) for name in NAMES]
        people = {
            "agent": agents[0],
            "lead": a.a_member(session, Role.LEAD, now=now, name="Lea Lead"),
            "ops": a.a_member(session, Role.OPS, now=now, name="Olga Ops"),
            "auditor": a.a_member(session, Role.AUDITOR, now=now, name="Aud It"),
        }
        report_scenes.keep(session, week, agents=[one.id for one in agents], now=now)
    return people


def choose(system: System, who: Staff, wanted: bool, locale: str = "en") -> None:
    with system.database.transaction() as session:
        report_mails.choose(session, session.get_one(Staff, who.id), wanted=wanted, locale=locale)


def owed(system: System) -> list[StaffMail]:
    with system.database.reading() as session:
        return list(session.scalars(select(StaffMail).where(StaffMail.kind == "weekly_report")))


def owe(system: System, **later: float) -> int:
    with system.database.transaction() as session:
        return len(report_mails.owe_due(session, now=utcnow() + timedelta(**later)))


def sent(system: System, who: Staff) -> EmailMessage:
    """Send what is owed to somebody and open the file."""
    (row,) = [one for one in owed(system) if one.staff_id == who.id]
    assert notify.send_staff_mail(str(row.id)) == "sent"
    data = (system.settings.data_dir / "mail" / f"{row.id}.eml").read_bytes()
    mail = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_leads_get_it_unless_they_said_no_and_others_if_they_said_yes(system: System) -> None:
    people = furnish(system)
    choose(system, people["agent"], True)
    choose(system, people["auditor"], False)
    owe(system)
    assert {row.staff_id for row in owed(system)} == {people["lead"].id, people["agent"].id}
    with system.database.transaction() as session:
        assert not report_mails.gets(session.get_one(Staff, people["ops"].id))
        session.get_one(Staff, people["lead"].id).weekly_report = False
        assert not report_mails.gets(session.get_one(Staff, people["lead"].id))


def test_once_a_week_whatever_upkeep_does_and_late_is_soon_enough(system: System) -> None:
    people = furnish(system)
    assert owe(system) == 1
    assert upkeep.attempt(next(task for task in upkeep.timetable(system.settings) if task.name == "owe_reports"))
    assert owe(system, hours=2) == 0 and len(owed(system)) == 1
    choose(system, people["ops"], True)  # on the same day: she gets this week's
    assert owe(system, hours=3) == 1
    choose(system, people["agent"], True)
    assert owe(system, days=1, minutes=1) == 0  # the next day: from next week on


def test_nothing_is_owed_before_the_report_is_made(system: System) -> None:
    with system.database.transaction() as session:
        a.a_member(session, Role.LEAD, now=utcnow())
        assert report_mails.owe_due(session, now=utcnow()) == []


def test_the_row_holds_the_week_and_nothing_else(system: System) -> None:
    furnish(system)
    owe(system)
    (row,) = owed(system)
    week = ReportWeek.last_whole(utcnow(), time_zone=system.settings.time_zone)
    assert row.context == {"week": str(week)} and row.key == f"weekly_report:{week}"


def test_a_leads_mail_has_the_numbers_as_text_as_table_and_as_paper(system: System) -> None:
    people = furnish(system)
    owe(system)
    mail = sent(system, people["lead"])
    week = ReportWeek.last_whole(utcnow(), time_zone=system.settings.time_zone)
    with system.database.reading() as session:
        report = reports.shown(session, reader=session.get_one(Staff, people["lead"].id), week=week)
    assert report is not None
    sheet = report_words.sheet(report, system.settings.default_locale, names={})
    text, page = body(mail, "plain"), body(mail, "html")
    for tile in sheet.tiles:
        assert f"{tile.line.name}: {tile.line.value}" in text
        assert tile.line.value in page and tile.line.between in page
    assert sheet.title in text and f"/ops/reports?week={week}" in text and f"/ops/reports?week={week}" in page
    assert "<style" not in page and "<img" not in page and "<script" not in page
    (paper,) = list(mail.iter_attachments())
    assert (paper.get_content_type(), paper.get_filename()) == ("application/pdf", f"peremena-{week}.pdf")
    drawn = " ".join(text for one in pages(paper.get_content()) for text in one)
    assert all(name in drawn for name in NAMES)


def test_an_agents_mail_has_her_own_figures_beside_the_mean_and_no_name(system: System) -> None:
    people = furnish(system)
    choose(system, people["agent"], True, "es")
    owe(system)
    mail = sent(system, people["agent"])
    assert mail["Subject"] == "Informe semanal" and not list(mail.iter_attachments())
    text, page = body(mail, "plain"), body(mail, "html")
    assert "/desk/me/week" in text and "/ops/reports" not in text
    assert not [name for name in NAMES if name in text or name in page]
    week = ReportWeek.last_whole(utcnow(), time_zone=system.settings.time_zone)
    with system.database.reading() as session:
        found = reports.own_week(session, staff=session.get_one(Staff, people["agent"].id), week=week)
    assert found is not None and found.own is not None
    for line in report_words.own_lines(found, "es"):
        assert line.value in text and line.mean in text and line.value in page and line.mean in page


def test_an_auditor_gets_the_report_without_agents_and_rights_are_asked_when_it_is_sent(system: System) -> None:
    people = furnish(system)
    choose(system, people["auditor"], True)
    owe(system)
    (paper,) = list(sent(system, people["auditor"]).iter_attachments())
    drawn = " ".join(text for one in pages(paper.get_content()) for text in one)
    assert not [name for name in NAMES if name in drawn]
    with system.database.transaction() as session:
        session.get_one(Staff, people["lead"].id).roles_held = [Role.ADMIN.value]
    (row,) = [one for one in owed(system) if one.staff_id == people["lead"].id]
    assert notify.send_staff_mail(str(row.id)) == "text_NotAllowed"


def test_who_may_see_no_figures_cannot_ask_for_the_mail(system: System) -> None:
    with system.database.transaction() as session:
        admin = a.a_member(session, Role.ADMIN, now=utcnow())
        with pytest.raises(staff.NotAllowed):
            report_mails.choose(session, admin, wanted=True, locale="ru")
        assert not report_mails.gets(admin)
    assert staff_mails.WEEKLY_REPORT in staff_mails.KINDS
