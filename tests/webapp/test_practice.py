"""The practice pages: a round from the first case to the pass mark, feedback after each answer, nothing live before."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from cases import audit, practice
from cases.models import Role, Staff
from cases.wording import agent_sentence
from tests import factories as a
from tests.webapp.staff_fixtures import Browser, Office, make_office
from verification.reasons import PhotoKind


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def novice(office: Office) -> str:
    email = office.member(Role.AGENT, name="Nora Novice")
    with office.db.transaction() as db:
        practice.begin(db, db.scalars(select(Staff).where(Staff.email == email)).one(), actor=audit.SYSTEM, now=office.clock())
    return email


def enter(office: Office, email: str) -> Browser:
    """Signed in, and with a page whose token the next form sends."""
    browser = office.sign_in(email)
    browser.get("/desk/practice")
    return browser


def staff_id(office: Office, email: str) -> Any:
    return office.row(email).id


def current(page: str) -> practice.Specimen:
    found = re.search(r'name="specimen" value="(\w+)"', page)
    assert found
    return practice.specimen(found[1])


def right(known: practice.Specimen) -> dict[str, Any]:
    fields: dict[str, Any] = {"specimen": known.key, "action": known.right}
    code = sorted(known.codes)[0].value if known.codes else ""
    if known.right == "reject":
        fields["reject_reason"] = code
    if known.right == "ask_retake":
        fields |= {"retake": [k.value for k in known.retake], "retake_reason": code}
    return fields


def test_a_new_agent_practises_a_whole_round_and_is_given_live_cases(office: Office, novice: str) -> None:
    with office.db.transaction() as db:
        waiting = a.an_in_review(db, now=office.clock()).id
    browser = enter(office, novice)
    assert "live cases come once you have passed" in browser.get("/desk/practice").text
    assert browser.get(f"/desk/cases/{waiting}").status_code == 403
    assert browser.post("/desk/next").status_code == 403
    assert browser.post("/desk/practice/begin").location == "/desk/practice/case"
    for number in range(1, practice.ROUND + 1):
        page = browser.get("/desk/practice/case").text
        assert f"Practice, case {number} of 20" in page
        answer = browser.post("/desk/practice/case", **right(current(page)))
        assert answer.location == f"/desk/practice/answers/{number}"
        assert "Right: case" in browser.get(answer.location).text
    assert "Passed: 20 of 20 right. Live cases are open to you." in browser.get("/desk/practice").text
    assert browser.get(f"/desk/cases/{waiting}").status_code == 200
    assert browser.post("/desk/next").location == f"/desk/cases/{waiting}"


def test_a_mistake_is_told_with_what_is_right_the_sign_and_its_place(office: Office, novice: str) -> None:
    with office.db.transaction() as db:
        me = db.scalars(select(Staff).where(Staff.email == novice)).one()
        practice.begin_round(db, me, now=office.clock(), chance=random.Random(5))
    browser = enter(office, novice)
    while (known := current(browser.get("/desk/practice/case").text)).right != "reject" or not known.look.box:
        browser.post("/desk/practice/case", **right(known))
    answer = browser.post("/desk/practice/case", specimen=known.key, action="approve")
    told = browser.get(answer.location).text
    assert "Not right" in told and "A dangerous approval" in told
    assert all(agent_sentence(code, "en").replace("'", "&#39;") in told for code in known.codes)
    assert practice.SIGNS[known.sign].replace("'", "&#39;") in told
    x, y, w, h = known.look.box
    assert f'class="place" x="{x - 6}" y="{y - 6}" width="{w + 12}" height="{h + 12}"' in told
    assert "can no longer be passed" in browser.get("/desk/practice").text


def test_the_page_before_the_answer_gives_nothing_away(office: Office, novice: str) -> None:
    browser = enter(office, novice)
    browser.post("/desk/practice/begin")
    page = browser.get("/desk/practice/case").text
    known = current(page)
    assert practice.SIGNS[known.sign] not in page and "The right answer" not in page
    for kind in PhotoKind:
        assert f"link={known.key}.{kind.value}" in page
        picture = browser.get(f"/desk/practice/photo?link={known.key}.{kind.value}")
        assert picture.data == known.photo(kind) and picture.mimetype == "image/jpeg"
    for row in known.evidence.reading.fields.values():
        assert row.value in page


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "Choose an answer."),
        ({"action": "reject"}, "Choose at least one reason."),
        ({"action": "ask_retake"}, "Choose the photo to take again."),
        ({"action": "ask_retake", "retake": "selfie"}, "Choose why, for each photo"),
        ({"action": "settle"}, "Choose an answer."),
    ],
)
def test_half_an_answer_is_not_taken(office: Office, novice: str, fields: dict[str, str], told: str) -> None:
    browser = enter(office, novice)
    browser.post("/desk/practice/begin")
    known = current(browser.get("/desk/practice/case").text)
    answer = browser.post("/desk/practice/case", specimen=known.key, **fields)
    assert answer.status_code == 422 and told in answer.text
    with office.db.reading() as db:
        assert practice.standing(db, db.get_one(Staff, staff_id(office, novice))).answers == ()


def test_the_same_answer_sent_twice_counts_once(office: Office, novice: str) -> None:
    browser = enter(office, novice)
    browser.post("/desk/practice/begin")
    fields = right(current(browser.get("/desk/practice/case").text))
    browser.post("/desk/practice/case", **fields)
    again = browser.post("/desk/practice/case", **fields)
    assert again.location == "/desk/practice"
    with office.db.reading() as db:
        assert len(practice.standing(db, db.get_one(Staff, staff_id(office, novice))).answers) == 1


def test_no_other_file_is_served_as_a_picture(office: Office, novice: str) -> None:
    browser = enter(office, novice)
    for link in ("", "../../settings.py", "one_letter", "one_letter.portrait", "nobody.selfie", "../specimens.json.selfie"):
        assert browser.get("/desk/practice/photo", query_string={"link": link}).status_code == 404


def test_a_lead_sees_and_resets_practice_and_an_agent_does_not(office: Office, novice: str) -> None:
    agent = enter(office, novice)
    agent.post("/desk/practice/begin")
    agent.post("/desk/practice/case", **right(current(agent.get("/desk/practice/case").text)))
    lead = office.signed_in(Role.LEAD)
    assert "round 1: 1 of 1 right" in lead.get("/desk/team").text
    place = f"/desk/team/{staff_id(office, novice)}/practice"
    assert agent.post(place).status_code == 403
    assert lead.post(place).location == "/desk/team"
    assert "begins anew" in lead.get("/desk/team").text
    assert "Your team lead asked you to begin anew." in agent.get("/desk/practice").text
    assert lead.get("/desk/practice").status_code == 403


@pytest.mark.parametrize(("options", "practises"), [((), True), (("--experienced",), False)])
def test_who_is_added_as_an_agent_practises_unless_experienced(office: Office, options: tuple[str, ...], practises: bool) -> None:
    done = office.app.test_cli_runner().invoke(args=["staff", "add", "new@staff.test", "New", "--role", "agent", *options])
    assert done.exit_code == 0
    assert office.row("new@staff.test").practising is practises


def test_a_senior_agent_begins_with_live_cases(office: Office) -> None:
    args = ["staff", "add", "sue@staff.test", "Sue", "--role", "agent", "--role", "senior_agent"]
    assert office.app.test_cli_runner().invoke(args=args).exit_code == 0
    assert office.row("sue@staff.test").practising is False
