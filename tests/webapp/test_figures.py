"""My figures and the team's page: whose numbers are shown to whom, tables for spreadsheets, moving a case."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cases import figures, review
from cases.models import Case, Role, Staff
from tests import factories as a
from tests.cases.desk_history import History, a_year
from tests.webapp.staff_fixtures import Office, make_office
from webapp.desk.figures import safe_cell

NAMES = ("Ada Agent", "Ben Berg", "Cleo Chan", "Dina Dorn", "=Edda Ems")


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def people(office: Office) -> dict[str, str]:
    """Five agents with eight weeks behind them, and a lead: name to e-mail."""
    found = {name: office.member(Role.AGENT, name=name) for name in NAMES} | {"lead": office.member(Role.LEAD, name="Lea Lead")}
    with office.db.transaction() as db:
        agents = [db.scalars(select(Staff).where(Staff.email == found[name])).one() for name in NAMES]
        a_year(History(db, office.clock(), random.Random(6)), agents, 250)
    return found


def table(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True).removeprefix("\ufeff"))))


def test_an_agent_reads_her_own_figures_and_no_name_of_anybody_else(office: Office, people: dict[str, str]) -> None:
    with office.db.reading() as db:
        me = db.scalars(select(Staff).where(Staff.email == people["Ada Agent"])).one()
        expected = figures.mine(db, me, now=office.clock())
    browser = office.sign_in(people["Ada Agent"])
    page = browser.get("/desk/me").text
    assert f"<b>{expected.today}</b>" in page and f"<b>{expected.own.handled}</b>" in page
    assert page.count('class="place-line"') == len(expected.team) > 5
    for text in (page, browser.get("/desk/me.csv").get_data(as_text=True)):
        assert not any(name in text for name in (*NAMES[1:], "Lea Lead"))


def test_her_table_says_what_the_page_says(office: Office, people: dict[str, str]) -> None:
    with office.db.reading() as db:
        me = db.scalars(select(Staff).where(Staff.email == people["Ben Berg"])).one()
        expected = figures.mine(db, me, now=office.clock())
    rows = {line["figure"]: line for line in table(office.sign_in(people["Ben Berg"]).get("/desk/me.csv"))}
    assert set(rows) == {"handled", *figures.FIGURES}
    for name, value in expected.own.values.items():
        assert rows[name]["n"] == str(value.n)
        assert rows[name]["value"] == ("" if value.value is None else str(round(value.value, 4)))
    assert float(rows["minutes"]["team_median"]) == round(expected.team["minutes"].middle, 4)


def test_the_team_is_for_its_lead(office: Office, people: dict[str, str]) -> None:
    page = office.sign_in(people["lead"]).get("/desk/team").text
    assert all(name in page for name in NAMES)
    for role in (Role.AGENT, Role.SENIOR_AGENT, Role.OPS, Role.AUDITOR):
        browser = office.signed_in(role)
        assert browser.get("/desk/team").status_code == browser.get("/desk/team.csv").status_code == 403
    assert office.signed_in(Role.LEAD).get("/desk/me").status_code == 403


def test_the_teams_table_has_every_figure_with_its_n_and_no_formula(office: Office, people: dict[str, str]) -> None:
    now = office.clock()
    with office.db.reading() as db:
        expected = {one.name: one for one in figures.team(db, since=now - timedelta(days=7), until=now)}
    answer = office.sign_in(people["lead"]).get("/desk/team.csv?days=7")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="team-7-days.csv"'
    rows = {line["agent"]: line for line in table(answer)}
    assert "'=Edda Ems" in rows and "=Edda Ems" not in rows
    for name in NAMES[:4]:
        assert rows[name]["handled"] == str(expected[name].handled)
        assert rows[name]["overturned_n"] == str(expected[name].values["overturned"].n)


@pytest.mark.parametrize("text", ["=1+1", "+7", "-3", "@SUM(A1)", "\t=1", " =1", "|x", "%x"])
def test_a_text_never_becomes_a_formula(text: str) -> None:
    assert safe_cell(text) == "'" + text


def test_numbers_and_plain_texts_stay_as_they_are() -> None:
    assert [safe_cell(cell) for cell in (-3.5, 0, "Ada", "", "a=b")] == [-3.5, 0, "Ada", "", "a=b"]


def test_a_lead_moves_a_case_and_puts_one_back(office: Office, people: dict[str, str]) -> None:
    with office.db.transaction() as db:
        case = a.an_in_review(db, now=office.clock()).id
        one, other = (db.scalars(select(Staff).where(Staff.email == people[name])).one() for name in NAMES[:2])
        review.take(db, case, agent=one, now=office.clock())
        first, second = one.id, other.id
    lead = office.sign_in(people["lead"])
    assert str(case)[:8] in lead.get("/desk/team").text
    assert lead.post(f"/desk/team/cases/{case}", held_by=first, to=second).location == "/desk/team?days=28"
    with office.db.reading() as db:
        assert db.get_one(Case, case).owner_id == second
    late = lead.post(f"/desk/team/cases/{case}", held_by=first, to="")
    assert late.status_code == 409 and "in other hands by now" in late.text
    lead.post(f"/desk/team/cases/{case}", held_by=second, to="")
    with office.db.reading() as db:
        assert db.get_one(Case, case).owner_id is None


def test_who_may_not_answer_a_case_is_not_given_it(office: Office, people: dict[str, str]) -> None:
    with office.db.transaction() as db:
        case = a.an_in_review(db, now=office.clock()).id
        one, other = (db.scalars(select(Staff).where(Staff.email == people[name])).one() for name in NAMES[:2])
        review.take(db, case, agent=one, now=office.clock())
        other.practising = True
        first, second = one.id, other.id
    lead = office.sign_in(people["lead"])
    page = lead.get("/desk/team").text
    assert f'<option value="{second}">' not in page
    refused = lead.post(f"/desk/team/cases/{case}", held_by=first, to=second)
    assert refused.status_code == 409 and "may not answer this case" in refused.text
    agent = office.sign_in(people["Cleo Chan"])
    agent.get("/desk/me")
    assert agent.post(f"/desk/team/cases/{case}", held_by=first, to="").status_code == 403
    assert lead.post(f"/desk/team/cases/{case}", held_by="nobody", to="").status_code == 404
    assert lead.post(f"/desk/team/cases/{case}", held_by=first, to="7b0f2c1e-5a1d-4a6e-9d0a-3f6f0c9e5a41").status_code == 404
