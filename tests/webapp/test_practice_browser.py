"""Practice, my figures and the team in headless Chromium: by keyboard, without script, no axe violation, nothing too wide."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from cases import audit, practice, review
from cases.models import Role, Staff
from tests import factories as a
from tests.cases.desk_history import History, a_year
from tests.webapp.staff_fixtures import Office, make_office
from tests.webapp.test_desk_browser import RULES, SHOTS, SIZES, sign_in
from tests.webapp.waiting import shot, soon

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def address(office: Office) -> Iterator[str]:
    """The staff's application on a port of this machine."""
    server = make_server("127.0.0.1", 0, office.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def furnish(office: Office) -> dict[str, str]:
    """A novice in the middle of a round, agents with eight weeks behind them, cases in hand, a lead."""
    now = office.clock()
    people = {"novice": office.member(Role.AGENT, name="Nora Novice"), "lead": office.member(Role.LEAD, name="Lea Lead")}
    people |= {f"agent{n}": office.member(Role.AGENT, name=f"Agent {n}") for n in range(6)}
    with office.db.transaction() as db:
        rows = {s.email: s for s in db.scalars(select(Staff))}
        agents = [rows[people[f"agent{n}"]] for n in range(6)]
        a_year(History(db, now, random.Random(3)), agents, 400)
        novice = rows[people["novice"]]
        practice.begin(db, novice, actor=audit.SYSTEM, now=now)
        stands = practice.begin_round(db, novice, now=now, chance=random.Random(2))
        for number in range(5):
            known = practice.specimen(stands.next or "")
            given = practice.Given(action=known.right, reasons=tuple(known.codes), retake=known.retake)
            practice.answer(db, novice, known.key, practice.Given(action="approve") if number == 3 else given, now=now)
            stands = practice.standing(db, novice)
        for number in range(2):
            case = a.an_in_review(db, now=now - timedelta(hours=number + 1))
            review.take(db, case.id, agent=agents[number], now=now)
    return people


PAGES = (
    ("novice", "practice", "/desk/practice"),
    ("novice", "practice-case", "/desk/practice/case"),
    ("novice", "practice-told", "/desk/practice/answers/4"),
    ("agent1", "me", "/desk/me"),
    ("lead", "team", "/desk/team"),
)


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("ru", "dark")])
def test_no_page_has_an_axe_violation_or_is_too_wide(
    office: Office, address: str, chromium: Any, language: str, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    SHOTS.mkdir(exist_ok=True)
    people, wrong, who = furnish(office), [], ""
    context = chromium.new_context(locale=language, color_scheme=scheme, reduced_motion="reduce", viewport=SIZES["1440"])
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("console", lambda message: wrong.append(f"console: {message.text}") if message.type == "error" else None)
    for person, name, place in PAGES:
        if person != who:
            sign_in(page, office, address, people[person], language)
            who = person
        page.goto(address + place)
        page.wait_for_load_state("networkidle")
        if name == "practice-case":
            page.keyboard.press("x")
        for size, viewport in SIZES.items():
            page.set_viewport_size(viewport)
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if wide > 0:
                wrong.append(f"{name} at {size}: {wide} px too wide")
            shot(page, SHOTS / f"desk-{name}-{size}-{language}-{scheme}.png", full_page=size != "1440")
            if size != "1024":
                for violation in axe.run(page, options={"runOnly": RULES}).response["violations"]:
                    wrong.append(f"{name} at {size}: {violation['id']} {[n['html'][:140] for n in violation['nodes'][:3]]}")
        page.set_viewport_size(SIZES["1440"])
    context.close()
    assert not wrong


def test_a_specimen_is_answered_by_keyboard_and_the_sign_is_shown(office: Office, address: str, chromium: Any) -> None:
    people = furnish(office)
    page = chromium.new_context(viewport=SIZES["1440"]).new_page()
    sign_in(page, office, address, people["novice"])
    page.goto(f"{address}/desk/practice/case")
    page.locator("#answer").wait_for()
    page.wait_for_load_state("networkidle")
    key = page.locator("[name=specimen]").get_attribute("value")
    page.keyboard.press("4")
    page.locator("dialog.zoom[open]").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.keyboard.press("Control+Enter")
    page.locator(".outcome").wait_for()
    known = practice.specimen(key)
    soon(lambda: page.locator(".outcome").inner_text().find(practice.SIGNS[known.sign][:30]) >= 0)
    page.keyboard.press("n")
    page.locator("#answer").wait_for()
    assert page.locator("[name=specimen]").get_attribute("value") != key
    page.context.close()


def test_practice_works_without_script(office: Office, address: str, chromium: Any) -> None:
    people = furnish(office)
    page = chromium.new_context(viewport=SIZES["1440"], java_script_enabled=False).new_page()
    sign_in(page, office, address, people["novice"])
    page.goto(f"{address}/desk/practice")
    page.locator("main form button").click()
    page.locator("#answer input[value=reject]").check()
    page.locator("#answer input[value=document_expired]").check()
    page.locator("#answer button.primary").click()
    page.locator(".outcome").wait_for()
    page.context.close()
