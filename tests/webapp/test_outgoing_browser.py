"""Writing to a customer by keyboard, in a real browser: the bar, its key, and a list that puts in no wrong reply."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from cases import outgoing, review
from cases.database import utcnow
from cases.desk_tables import Outgoing, OutgoingState
from cases.models import Message, Role, Staff
from tests.webapp.staff_fixtures import Office, a_case, make_office
from tests.webapp.test_answers_browser import SHOTS, Keyboard
from tests.webapp.test_desk_browser import RULES, SIZES, sign_in
from tests.webapp.waiting import shot, soon

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WORDS = "Is the new name on page five?"


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


def held_by(office: Office, email: str) -> UUID:
    with office.db.transaction() as db:
        case = a_case(db, now=office.clock(), seed=1)
        agent = db.scalars(select(Staff).where(Staff.email == email)).one()
        return review.take(db, case.id, agent=agent, now=office.clock()).id


def test_a_message_is_taken_back_by_its_key_and_s_puts_in_no_wrong_reply(office: Office, address: str, chromium: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    ada = office.member(Role.AGENT, name="Ada Agent")
    case_id = held_by(office, ada)
    page = chromium.new_context(viewport=SIZES["1440"], locale="en").new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    sign_in(page, office, address, ada)
    page.goto(f"{address}/desk/cases/{case_id}")
    keys = Keyboard(page)

    keys.press("m")
    soon(lambda: keys.focus().startswith("text="))
    keys.types(WORDS)
    keys.leads_on("Control+Enter")
    bar = page.locator("[data-undo]")
    bar.wait_for()
    assert "message to the customer" in bar.inner_text() and page.locator(".thread .held").inner_text().endswith(WORDS)
    shot(page, SHOTS / "outgoing-1440-en.png")
    found = axe.run(page, options={"runOnly": RULES}).response["violations"]
    assert [violation["id"] for violation in found] == []
    page.set_viewport_size({"width": 390, "height": 844})
    shot(page, SHOTS / "outgoing-390-en.png")
    page.set_viewport_size(SIZES["1440"])
    keys.leads_on("u")
    soon(lambda: page.locator("#message-text").input_value() == WORDS)
    assert page.locator("[data-undo]").count() == 0

    page.locator("h1").first.click()
    keys.press("t", "Escape", "s")  # nothing is ticked, and every shipped reply about a photo is about one reason
    soon(lambda: keys.focus().startswith("reply_ask_retake="))
    assert page.locator("#words").input_value() == "" and keys.focus() == "reply_ask_retake="
    soon(lambda: "No saved reply goes with this" in page.locator("[data-says]").inner_text())
    page.locator("[name=retake_reason][value=face_covered]").check()
    page.locator("[data-inserts=reply-ask_retake]").click()
    soon(lambda: "рот и нос" in page.locator("#words").input_value())
    page.locator("[name=retake_reason][value=face_covered]").uncheck()
    page.locator("[name=retake_reason][value=document_mirrored]").check()
    page.locator("[data-inserts=reply-ask_retake]").click()
    soon(lambda: "как зеркало" in page.locator("#words").input_value())
    assert "рот и нос" not in page.locator("#words").input_value(), "the reply about the other reason is gone"

    with office.db.reading() as db:
        assert db.scalars(select(Outgoing.state)).all() == [OutgoingState.TAKEN_BACK]
    office.clock.forward(seconds=121)
    outgoing.send_due(office.db, now=office.clock())
    with office.db.reading() as db:
        assert db.scalars(select(Message.id)).all() == []
    assert wrong == []
