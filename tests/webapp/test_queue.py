"""The queue as agents see it: lines, filters, views, search, next case, who else is looking, skills."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from cases import queue, review
from cases.desk_tables import SavedView
from cases.models import Case, Event, Role, Staff
from cases.queue import Skills
from tests.webapp.staff_fixtures import Browser, Office, a_case, found, make_office
from verification.evidence import ChangeReason, Claim, Field

NUMBER = "4524654321"
"""Of the document in `staff_fixtures.CLAIM`."""


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def agent(office: Office) -> Browser:
    return office.signed_in(Role.AGENT, name="Ada Agent")


def case_of(office: Office, *, seed: int = 0, ago: timedelta = timedelta(), **about: Any) -> Any:
    with office.db.transaction() as db:
        return a_case(db, now=office.clock() - ago, seed=seed, **about).id


def change(office: Office, case_id: Any, **columns: Any) -> None:
    with office.db.transaction() as db:
        for name, value in columns.items():
            setattr(db.get_one(Case, case_id), name, value)


def member(office: Office, name: str) -> Staff:
    with office.db.reading() as db:
        return db.scalars(select(Staff).where(Staff.name == name)).one()


def words(answer: Any) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True))).split())


def lines(answer: Any) -> list[str]:
    """Ids in the order in which the queue lists them."""
    return re.findall(r'href="/desk/cases/([0-9a-f-]{36})"', answer.get_data(as_text=True))


def test_each_line_says_how_long_is_left_in_a_number_a_colour_and_a_word(office, agent):
    hour = timedelta(hours=1)
    due = timedelta(hours=office.settings.review_hours)
    late = case_of(office, seed=1, ago=due + timedelta(minutes=12, seconds=5))
    soon = case_of(office, seed=2, ago=due - timedelta(minutes=20))
    calm = case_of(office, seed=3, ago=due - 3 * hour)
    page = agent.get("/desk")
    assert lines(page) == [str(late), str(soon), str(calm)]
    shown = page.get_data(as_text=True)
    clocks = re.findall(r'class="clock (\w+)"><b data-left="(-?\d+)">([^<]+)</b> <span>([^<]+)<', shown)
    kinds = [(kind, word.strip()) for kind, _seconds, _text, word in clocks]
    assert kinds == [("late", "late"), ("soon", "due soon"), ("calm", "left")]
    assert [text for _kind, _seconds, text, _word in clocks][:2] == ["11:58", "20:07"]  # the machine took 7 seconds
    assert clocks[2][2] == "3 h 0 min" and int(clocks[0][1]) == -718
    told = words(page)
    for text in ("Русский", "RUS", "Marriage", "ordinary", "free", "1 overdue", "1 due within 30 minutes", "3 waiting"):
        assert text in told, text


def test_a_line_says_its_lane_and_its_risk(office, agent):
    case_id = case_of(office)
    change(office, case_id, risk="high", second_at=office.clock(), rescue=99)
    told = words(agent.get("/desk"))
    assert "second look" in told and "high" in told and "keeps coming back" in told
    change(office, case_id, second_at=None, escalated_at=office.clock())
    assert "for a senior agent" in words(agent.get("/desk?view=senior"))
    assert lines(agent.get("/desk?view=second")) == []


def test_filters_stand_in_the_address_and_pages_keep_them(office, agent, monkeypatch):
    monkeypatch.setattr("webapp.desk.filters.PAGE", 1)
    first, second = case_of(office, seed=1, ago=timedelta(hours=2)), case_of(office, seed=2, ago=timedelta(hours=1))
    case_of(office, seed=3, country="KAZ")
    page = agent.get("/desk?country=rus&language=ru&risk=ordinary&nonsense=1&view=free")
    assert lines(page) == [str(first)]
    onward = html.unescape(re.search(r'href="(/desk\?[^"]*after=[^"]*)"', page.get_data(as_text=True))[1])
    asked = parse_qs(urlsplit(onward).query)
    assert {k: asked[k] for k in ("country", "language", "risk", "view")} == {
        "country": ["RUS"], "language": ["ru"], "risk": ["ordinary"], "view": ["free"],
    }  # fmt: skip
    assert lines(agent.get(onward)) == [str(second)]
    assert agent.get("/desk?after=1_x").status_code == 404


def test_an_agent_keeps_her_filters_as_a_view_renames_and_deletes_it(office, agent):
    agent.get("/desk?country=KAZ&risk=high")
    kept = agent.post("/desk/views", name="Kazakhstan, high", country="KAZ", risk="high", q=NUMBER)
    assert (kept.status_code, kept.location) == (303, "/desk?country=KAZ&risk=high")
    page = agent.get(kept.location)
    assert "Kazakhstan, high" in words(page) and "country=KAZ" in page.get_data(as_text=True)
    with office.db.reading() as db:
        view = db.scalars(select(SavedView)).one()
    assert view.filters == {"country": "KAZ", "risk": "high"}
    assert "Kazakhstan, high" not in words(office.signed_in(Role.AGENT).get("/desk"))
    again = agent.post("/desk/views", name="Kazakhstan, high", country="KAZ")
    assert again.status_code == 422 and "You have a view of this name." in words(again)
    assert agent.post("/desk/views", name=" ", country="KAZ").status_code == 422
    assert agent.post(f"/desk/views/{view.id}/rename", name="KZ").status_code == 303
    assert "KZ" in words(agent.get("/desk"))
    other = office.signed_in(Role.AGENT)
    other.get("/desk")
    for step in ("rename", "delete"):
        assert other.post(f"/desk/views/{view.id}/{step}", name="mine").status_code == 404
    assert agent.post(f"/desk/views/{view.id}/delete").status_code == 303
    assert agent.post(f"/desk/views/{view.id}/delete").status_code == 404


def test_a_document_number_is_searched_for_without_standing_in_an_address_or_a_trail(office, agent):
    case_id = case_of(office)
    agent.get("/desk")
    page = agent.post("/desk/search", q="45 24 65-4321")
    assert page.status_code == 200 and lines(page) == [str(case_id)] and "1 request found" in words(page)
    assert NUMBER not in "".join(re.findall(r'(?:href|action)="[^"]*"', page.get_data(as_text=True)))
    assert lines(agent.get(f"/desk?q={NUMBER}")) == []
    with office.db.reading() as db:
        [event] = db.scalars(select(Event).where(Event.kind == "cases_searched"))
    assert event.details == {"count": 1}
    nothing = agent.post("/desk/search", q="0000000000")
    assert lines(nothing) == [] and "No case fits." in words(nothing)
    assert lines(agent.post("/desk/search", q=str(case_id)[:8])) == [str(case_id)]
    assert lines(agent.post("/desk/search", q="host-0")) == [str(case_id)]


def test_next_case_says_why_there_is_none(office, agent):
    agent.get("/desk")
    assert agent.post("/desk/next").location == "/desk"
    assert "Nothing waits: the queue is empty." in words(agent.get("/desk"))
    case_id = case_of(office)
    with office.db.transaction() as db:
        row = db.scalars(select(Staff).where(Staff.name == "Ada Agent")).one()
        row.skills = Skills(languages=frozenset({"kk"})).to_json()
    assert "“Next case” gives you: Қазақша · all countries" in words(agent.get("/desk"))
    assert agent.post("/desk/next").location == "/desk"
    assert "What waits now is for others" in words(agent.get("/desk"))
    with office.db.transaction() as db:
        db.scalars(select(Staff).where(Staff.name == "Ada Agent")).one().skills = {}
    assert agent.post("/desk/next").location == f"/desk/cases/{case_id}"


def test_next_case_stops_where_hands_are_full(settings, database):
    office = make_office(settings.model_copy(update={"max_open_cases": 1}))
    agent = office.signed_in(Role.AGENT)
    first = case_of(office, seed=1, ago=timedelta(minutes=5))
    case_of(office, seed=2)
    agent.get("/desk")
    assert agent.post("/desk/next").location == f"/desk/cases/{first}"
    assert agent.post("/desk/next").location == "/desk"
    page = words(agent.get("/desk"))
    assert "You hold 1 open cases" in page and "of at most 1" in page
    office.db.dispose()


def test_who_else_looks_is_told_on_the_queue_and_to_the_page(office, agent):
    case_id = case_of(office)
    other = office.signed_in(Role.SENIOR_AGENT, name="Sue Senior")
    other.get("/desk")
    assert other.post(f"/desk/cases/{case_id}/watch").json == {"looking": [], "told": "", "yours": False, "seconds": None}
    assert "looking: Sue Senior" in words(agent.get("/desk"))
    told = agent.post(f"/desk/cases/{case_id}/watch").json
    assert (told["looking"], told["told"]) == (["Sue Senior"], "Also looking: Sue Senior")
    assert "looking: Sue Senior" not in words(other.get("/desk")) and "looking: Ada Agent" in words(other.get("/desk"))
    other.post(f"/desk/cases/{case_id}/leave")
    assert "looking" not in words(agent.get("/desk"))
    office.clock.forward(seconds=queue.LOOKING.total_seconds())
    assert "looking" not in words(other.get("/desk"))
    missing = "00000000-0000-4000-8000-000000000000"
    assert agent.post(f"/desk/cases/{missing}/watch").status_code == 404


def test_the_page_is_told_how_long_the_case_is_hers_and_that_keeps_nothing(office, agent):
    case_id = case_of(office)
    agent.get("/desk")
    agent.post(f"/desk/cases/{case_id}/take")
    assert agent.post(f"/desk/cases/{case_id}/watch").json["seconds"] == 600
    office.clock.forward(minutes=8)
    told = agent.post(f"/desk/cases/{case_id}/watch").json
    assert (told["yours"], told["seconds"]) == (True, 120)
    office.clock.forward(minutes=3)
    assert agent.post(f"/desk/cases/{case_id}/watch").json["seconds"] == -60
    assert agent.post(f"/desk/cases/{case_id}/touch").json["yours"] is True
    assert agent.post(f"/desk/cases/{case_id}/watch").json["seconds"] == 600


@pytest.mark.parametrize("address", ["/desk/now", "/desk/cases/{}/watch", "/desk/cases/{}/leave"])
def test_a_page_that_stands_open_keeps_no_session_alive(office, agent, address):
    case_id = case_of(office)
    agent.get("/desk")
    send = agent.get if address == "/desk/now" else agent.post
    for _ in range(4):
        assert send(address.format(case_id)).status_code in (200, 204)
        office.clock.forward(minutes=5)
    assert send(address.format(case_id)).status_code == 303
    assert "/staff/sign-in" in agent.get("/desk").location


def test_lines_are_loaded_anew_without_the_frame_of_the_page(office, agent):
    case_id = case_of(office)
    again = agent.get("/desk/now?country=RUS")
    assert lines(again) == [str(case_id)] and "<html" not in again.get_data(as_text=True)
    assert 'data-again="/desk/now?country=RUS"' in agent.get("/desk?country=RUS").get_data(as_text=True)
    assert "data-again" not in agent.get("/desk?view=closed").get_data(as_text=True)


def test_a_lead_says_which_cases_an_agent_is_given(office, agent):
    lead = office.signed_in(Role.LEAD, name="Lea Lead")
    assert "Ada Agent" in words(lead.get("/desk/skills"))
    ada = member(office, "Ada Agent").id
    sent = lead.post(f"/desk/skills/{ada}", language=["ru", "kk", "xx"], countries="rus, KAZ")
    assert sent.location == "/desk/skills"
    assert Skills.of(member(office, "Ada Agent")) == Skills(
        languages=frozenset({"ru", "kk"}), countries=frozenset({"RUS", "KAZ"}), high_risk=False
    )
    assert "Kept: Ada Agent." in words(lead.get("/desk/skills"))
    lead.post(f"/desk/skills/{ada}", countries="Russia", high_risk="on")
    assert Skills.of(member(office, "Ada Agent")).countries == frozenset({"RUS", "KAZ"})
    assert lead.post(f"/desk/skills/{member(office, 'Lea Lead').id}").status_code == 404
    agent.get("/desk")
    assert agent.get("/desk/skills").status_code == agent.post(f"/desk/skills/{ada}").status_code == 403


def test_skills_are_set_by_a_command_too(office, agent):
    email = member(office, "Ada Agent").email
    run = office.app.test_cli_runner().invoke
    args = ["staff", "skills", email, "--language", "ru", "--country", "KAZ", "--no-high-risk"]
    assert run(args=args).output.strip() == "languages: ru; countries: KAZ; high risk: no"
    assert Skills.of(member(office, "Ada Agent")).languages == frozenset({"ru"})
    assert run(args=["staff", "skills", email, "--country", "Kazakhstan"]).exit_code != 0
    assert run(args=["staff", "skills", email]).output.strip() == "languages: all; countries: all; high risk: yes"
    assert Skills.of(member(office, "Ada Agent")) == Skills()


def test_a_lead_reads_the_queue_and_takes_nothing(office):
    case_of(office)
    lead = office.signed_in(Role.LEAD)
    page = lead.get("/desk")
    assert "Next case" not in words(page)
    assert lead.post("/desk/next").status_code == 403


def test_the_queue_names_nobody(office, agent):
    other = Claim(reason=ChangeReason.DIVORCE, values={Field.SURNAME: "ПРИМЕРНАЯ"})
    case_of(office, claim=other, evidence=found(other))
    shown = agent.get("/desk").get_data(as_text=True)
    for text in ("ПРИМЕРНАЯ", "ТЕСТОВА", "МАРИЯ", NUMBER, "4510123456", "old@example.test"):
        assert text not in shown


def test_a_released_case_is_free_in_the_queue(office, agent):
    case_id = case_of(office)
    with office.db.transaction() as db:
        review.take(db, case_id, agent=db.scalars(select(Staff).where(Staff.name == "Ada Agent")).one(), now=office.clock())
    assert "you" in words(agent.get("/desk?view=mine")) and lines(agent.get("/desk?view=free")) == []
    agent.post(f"/desk/cases/{case_id}/release")
    assert lines(agent.get("/desk?view=free")) == [str(case_id)] and lines(agent.get("/desk?view=mine")) == []
