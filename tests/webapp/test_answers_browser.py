"""Answering with the keyboard alone, in a real browser: a retake, an approval with its ticks, a refusal, and taking one back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from cases import answers, conversations
from cases.database import utcnow
from cases.desk_tables import Answer, AnswerState, ReplyUse
from cases.lifecycle import State
from cases.models import Case, Role
from tests.webapp.staff_fixtures import Office, a_case, found, make_office
from tests.webapp.test_desk_browser import RULES, SIZES, sign_in
from tests.webapp.waiting import shot, soon
from verification.reasons import ReasonCode

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = Path(__file__).resolve().parents[1] / ".shots"


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings.model_copy(update={"undo_seconds": 120}))  # a busy machine must not be too late
    made.clock.at = utcnow()
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


class Keyboard:
    """Presses keys on a page and counts them; what is typed into a box counts as one."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.pressed = 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.pressed += 1
            self.page.keyboard.press(key)

    def types(self, text: str) -> None:
        self.pressed += 1
        self.page.keyboard.type(text)

    def leads_on(self, *keys: str) -> None:
        with self.page.expect_navigation():
            self.press(*keys)
        self.page.wait_for_load_state("networkidle")

    def focus(self) -> str:
        """Name and value of what has the focus."""
        return str(self.page.evaluate("`${document.activeElement.name ?? ''}=${document.activeElement.value ?? ''}`"))


def given(office: Office) -> list[Answer]:
    with office.db.reading() as db:
        return list(db.scalars(select(Answer).order_by(Answer.given_at)))


def test_three_cases_by_keyboard_alone_and_one_taken_back(office: Office, address: str, chromium: Any) -> None:
    ada = office.member(Role.AGENT, name="Ada Agent")
    with office.db.transaction() as db:
        glare = found(problems=(ReasonCode.DOCUMENT_GLARE,))
        first = a_case(db, now=office.clock() - timedelta(minutes=50), seed=1, evidence=glare).id
        second = a_case(db, now=office.clock() - timedelta(minutes=40), seed=2).id
        third = a_case(db, now=office.clock() - timedelta(minutes=30), seed=3).id
    page = chromium.new_context(viewport=SIZES["1440"], locale="en").new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    sign_in(page, office, address, ada)
    page.goto(f"{address}/desk")
    keys = Keyboard(page)

    keys.leads_on("n")
    assert str(first) in page.url
    keys.press("t")
    soon(lambda: keys.focus() == "retake_reason=document_glare")
    keys.press("1", "s")
    page.locator("#preview .paper h4").wait_for()
    soon(lambda: "у окна" in page.locator("#preview blockquote").inner_text())
    assert page.locator("#preview .paper").first.get_attribute("lang") == "ru"
    keys.leads_on("Control+Enter")
    assert keys.pressed <= 6, "retake"

    keys.pressed = 0
    office.clock.forward(seconds=1)
    assert str(second) in page.url
    page.locator(f"[data-undo]:has-text('{str(first)[:8]}')").wait_for()
    keys.press("a")
    soon(lambda: keys.focus() == "checked=surname")
    assert page.locator(".go .primary").is_disabled()
    keys.press("Control+Enter")  # too early: it says so and sends nothing
    soon(lambda: page.locator("[data-says]").inner_text() == "Compare and tick this row first.")
    keys.pressed = 1
    keys.press("Space")
    soon(lambda: keys.focus() == "checked=issued_on")
    keys.press("Space")
    soon(lambda: keys.focus() == "checked=issuer_code")
    keys.press("Space")
    soon(lambda: keys.focus() == "then=next")
    keys.leads_on("Enter")
    assert keys.pressed <= 6, "approval of three differing rows"

    keys.pressed = 0
    office.clock.forward(seconds=1)
    assert str(third) in page.url
    keys.press("x")
    soon(lambda: keys.focus().startswith("reject_reason="))
    keys.press("1", "i")
    keys.types("One letter differs.")
    keys.leads_on("Control+Enter")
    assert keys.pressed <= 6, "refusal with a note"

    page.locator(f"[data-undo]:has-text('{str(third)[:8]}')").wait_for()
    keys.leads_on("u")
    soon(lambda: page.locator("#note").input_value() == "One letter differs.")
    assert page.locator("[value=reject]").is_checked()
    assert [answer.state for answer in given(office)] == [AnswerState.WAITING, AnswerState.WAITING, AnswerState.TAKEN_BACK]
    office.clock.forward(seconds=121)
    answers.carry_out_due(office.db, now=office.clock())
    with office.db.reading() as db:
        states = [db.get_one(Case, case_id).state for case_id in (first, second, third)]
        assert states == [State.NEEDS_RETAKE, State.APPROVED, State.IN_REVIEW]
        (use,) = db.scalars(select(ReplyUse))
        assert (use.reply, use.changed) == ("retake.document_glare", False)
        told = conversations.thread(db, db.get_one(Case, first))[0].text
    assert told is not None and "у окна" in told and "{" not in told
    assert wrong == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_part_of_the_answer_has_an_axe_violation(office: Office, address: str, chromium: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    SHOTS.mkdir(exist_ok=True)
    sue = office.member(Role.SENIOR_AGENT, name="Sue Senior")
    with office.db.transaction() as db:
        for seed in (1, 2):
            a_case(db, now=office.clock() - timedelta(minutes=50 - seed), seed=seed)
    page = chromium.new_context(viewport=SIZES["1440"], locale="en", color_scheme=scheme, reduced_motion="reduce").new_page()
    sign_in(page, office, address, sue)
    page.goto(f"{address}/desk")
    wrong: list[str] = []

    def look(name: str) -> None:
        for violation in axe.run(page, options={"runOnly": RULES}).response["violations"]:
            wrong.append(f"{name}: {violation['id']} {[node['html'][:140] for node in violation['nodes'][:3]]}")
        for size in ("1440", "1024"):
            page.set_viewport_size(SIZES[size])
            shot(page, SHOTS / f"answer-{name}-{size}-{scheme}.png", full_page=size == "1024")
        page.set_viewport_size(SIZES["1440"])

    with page.expect_navigation():
        page.keyboard.press("n")
    page.locator("#answer").wait_for()
    page.keyboard.press("a")
    look("approve")
    page.keyboard.press("x")
    page.keyboard.press("1")
    page.locator("#words").fill("This is a fake.")
    page.locator("#preview .paper").first.wait_for()
    page.locator("#note").fill("note")
    with page.expect_navigation():
        page.keyboard.press("Control+Enter")
    page.locator("[name=sure]").wait_for()
    soon(lambda: page.evaluate("document.activeElement.name") == "sure")
    look("reject")
    page.keyboard.press("Space")
    with page.expect_navigation():
        page.keyboard.press("Control+Enter")
    page.locator("[data-undo]").wait_for()
    look("undo")
    for place, name in (
        ("replies", "replies"),
        ("replies/retake.document_glare", "reply"),
        ("replies/new?purpose=reject", "reply-new"),
    ):
        page.goto(f"{address}/desk/{place}")
        look(name)
    page.context.close()
    assert not wrong
