"""The weekly report's page: who sees what of it, the table and the paper, choosing week, country and policy, the Monday mail."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cases import report_words, reports
from cases.host_tables import ReportWish
from cases.models import Role, Staff
from cases.reports import FIGURES, ReportWeek
from tests.cases import report_scenes
from tests.conftest import NOW
from tests.pdf_text import pages
from tests.webapp.staff_fixtures import Browser, Office, make_office
from webapp import demo_history

WEEK = ReportWeek.last_whole(NOW, time_zone="Europe/Moscow")
NAMES = ("Ada Agent", "Ben Berg", "Cleo Chan", "Dina Dorn", "Edda Ems", "Fay Falk")


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def emails(office: Office) -> dict[str, str]:
    """Six agents; the reports of the last two weeks are kept."""
    found = {name: office.member(Role.AGENT, name=name) for name in NAMES}
    with office.db.transaction() as db:
        ids = [db.scalars(select(Staff.id).where(Staff.email == found[name])).one() for name in NAMES]
        for seed, week in enumerate((WEEK.before, WEEK)):
            report_scenes.keep(db, week, agents=ids, now=office.clock(), seed=seed)
    return found


@pytest.fixture
def lead(office: Office, emails: dict[str, str]) -> Browser:
    return office.signed_in(Role.LEAD, name="Lea Lead")


def shown(office: Office, **part: Any) -> reports.Report:
    """The report as a lead sees it."""
    with office.db.reading() as db:
        reader = db.scalars(select(Staff).where(Staff.name == "Lea Lead")).one()
        found = reports.shown(db, reader=reader, week=WEEK, **part)
    assert found is not None
    return found


def test_the_page_says_every_figure_with_its_interval(office: Office, lead: Browser) -> None:
    page = lead.get("/ops/reports").text
    sheet = report_words.sheet(shown(office), "en", names={})
    for section in sheet.sections:
        for line in section.lines:
            assert line.name in page and f"<strong>{line.value}</strong>" in page and line.between in page, line.key
    assert sheet.title in page and page.count('class="report-tile card"') == 4
    assert all(name in page for name in NAMES)


def test_only_a_lead_reads_names(office: Office, emails: dict[str, str]) -> None:
    for role in (Role.OPS, Role.AUDITOR):
        browser = office.signed_in(role)
        answers = [browser.get("/ops/reports").text, browser.get("/ops/reports.csv").get_data(as_text=True)]
        answers += [text for page in pages(browser.get("/ops/reports.pdf").data) for text in page]
        assert not [name for name in NAMES if any(name in text for text in answers)]
    for role in (Role.AGENT, Role.SENIOR_AGENT, Role.ADMIN):
        assert office.signed_in(role).get("/ops/reports").status_code == 403


def test_an_agent_sees_her_own_week_beside_the_mean(office: Office, emails: dict[str, str]) -> None:
    browser = office.sign_in(emails["Ben Berg"])
    page = browser.get("/desk/me/week").text
    assert not [name for name in NAMES if name != "Ben Berg" and name in page]
    with office.db.reading() as db:
        me = db.scalars(select(Staff).where(Staff.email == emails["Ben Berg"])).one()
        found = reports.own_week(db, staff=me, week=WEEK)
    assert found is not None
    for line in report_words.own_lines(found, "en"):
        assert f"<strong>{line.value}</strong>" in page and line.mean in page
    assert "was not made yet" in browser.get(f"/desk/me/week?week={WEEK.before.before}").text


def test_the_table_of_one_country_is_that_countrys(office: Office, lead: Browser) -> None:
    answer = lead.get("/ops/reports.csv?country=KAZ")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="peremena-{WEEK}-KAZ.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True).removeprefix("\ufeff"))))
    values = {row["figure"]: row["value"] for row in rows if row["slice"] == "all"}
    kazakhstan = shown(office, country="KAZ")
    for name in FIGURES:
        assert float(values[name]) == pytest.approx(kazakhstan.figures[name].value, abs=1e-6)
    others = [row for row in rows if row["figure"] in FIGURES and row["slice"] != "all"]
    assert not others and not [row for row in rows if row["slice"].startswith("agent:")]


def test_week_country_and_policy_can_be_chosen_and_small_ones_cannot(office: Office, lead: Browser) -> None:
    page = lead.get("/ops/reports").text
    assert "<option>KAZ</option>" in page and "<option>MEX</option>" not in page and "<option>15</option>" in page
    chosen = lead.get(f"/ops/reports?week={WEEK}&policy=14").text
    assert "Policy 14" in chosen and "By country" not in chosen
    assert "Too few requests" in lead.get("/ops/reports?country=MEX").text
    assert lead.get("/ops/reports.csv?country=MEX").status_code == 404
    for wrong in ("week=2026-47", "week=2026-W99", "policy=x", "week=0000-W01"):
        assert lead.get(f"/ops/reports?{wrong}").status_code == 404


def test_the_paper_is_a_file_of_its_own(lead: Browser) -> None:
    answer = lead.get("/ops/reports.pdf")
    assert answer.mimetype == "application/pdf" and answer.data.startswith(b"%PDF-")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="peremena-{WEEK}.pdf"'
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_week_that_was_not_made_can_be_asked_for_once(office: Office, lead: Browser) -> None:
    old = WEEK.before.before.before
    assert "Make it now" in lead.get(f"/ops/reports?week={old}").text
    for _ in range(2):
        assert lead.post(f"/ops/reports/wish?week={old}").status_code == 303
    with office.db.reading() as db:
        assert [wish.monday for wish in db.scalars(select(ReportWish))] == [old.monday]
    asked = lead.get(f"/ops/reports?week={old}").text
    assert "is being made" in asked and 'http-equiv="refresh"' in asked and "Make it now" not in asked
    running = WEEK.after
    assert "not over yet" in lead.get(f"/ops/reports?week={running}").text
    assert lead.post(f"/ops/reports/wish?week={running}").status_code == 404


def test_the_monday_mail_is_hers_to_choose(office: Office, lead: Browser, emails: dict[str, str]) -> None:
    def choice(name: str) -> tuple[bool | None, str | None]:
        with office.db.reading() as db:
            found = db.scalars(select(Staff).where(Staff.name == name)).one()
            return found.weekly_report, found.locale

    assert "comes to you by mail, with the PDF" in lead.get("/ops/reports").text
    lead.post("/ops/reports/mail", mail="off")
    assert choice("Lea Lead") == (False, None) and "does not come to you" in lead.get("/ops/reports").text
    agent = office.sign_in(emails["Ada Agent"])
    assert "does not come to you" in agent.get("/desk/me/week").text
    agent.post("/desk/me/week/mail", mail="on")
    assert choice("Ada Agent") == (True, "en") and "comes to you by mail" in agent.get("/desk/me/week").text


def test_the_demos_history_gives_a_report_worth_looking_at(office: Office) -> None:
    office.member(Role.AGENT, name="Ada Agent")
    office.member(Role.SENIOR_AGENT, name="Sue Senior")
    with office.db.transaction() as db:
        count = demo_history.seed(db, now=office.clock())
        assert demo_history.seed(db, now=office.clock() + timedelta(days=1)) == 0  # never twice
    assert count >= 40
    browser = office.signed_in(Role.LEAD, name="Lea Lead")
    report = shown(office)
    figures = report.figures
    filled = [name for name in FIGURES if figures[name].n and figures[name].value is not None]
    assert {"automation", "person_median", "csat", "cost", "sla", "completion", "reversed"} <= set(filled)
    assert figures["automation"].before is not None and report.topics.top and len(report.countries) >= 3
    assert 0.4 < (figures["automation"].value or 0) < 0.95
    assert "went to a person" in browser.get("/ops/reports").text
