"""The turn of the head in the portal: offered after the selfie, answered once and in time, left out without harm."""

from __future__ import annotations

import io
import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from cases.lifecycle import State
from cases.models import HeadTurn
from tests import factories
from tests.webapp.conftest import Browser, Portal, picture
from tests.webapp.pages import CONSENT
from verification.challenge import MAX_FRAMES
from verification.evidence import ChangeReason


def frames(count: int) -> list[bytes]:
    return [factories.jpeg(number) for number in range(count)]


def answer(browser: Browser, case: UUID, drawn: dict[str, Any], sent: list[bytes] | None = None, **other: str) -> Any:
    steps = sorted([*range(len(drawn["turns"]) + 1)] * 2)
    given = frames(len(steps)) if sent is None else sent
    fields = {
        "challenge": drawn["challenge"],
        "times": json.dumps([1.5 * number for number in range(len(steps))]),
        "steps": json.dumps(steps),
        "camera": "Front camera",
        **other,
    }
    files = [(io.BytesIO(data), "frame.jpg") for data in given]
    return browser.client.post(f"/requests/{case}/turn", data={"csrf_token": browser.token, "frame": files, **fields})


@pytest.fixture
def at_turn(portal: Portal) -> tuple[Browser, UUID]:
    """A customer whose photos are taken, and her case."""
    customer = portal.customer()
    case = portal.draft(customer, reason=ChangeReason.MISTAKE)
    browser = portal.sign_in(customer)
    browser.get(f"/requests/{case}/turn")
    return browser, case


def draw(browser: Browser, case: UUID) -> dict[str, Any]:
    drawn = browser.post(f"/requests/{case}/turn/draw")
    assert drawn.status_code == 200
    return dict(drawn.get_json())


def kept(portal: Portal) -> int:
    with portal.db.reading() as session:
        return session.scalar(select(func.count()).select_from(HeadTurn).where(HeadTurn.answered_at.is_not(None))) or 0


def test_it_follows_the_selfie_only_where_it_is_asked_for_and_a_camera_was_found(portal: Portal) -> None:
    customer = portal.customer()
    married = portal.draft(customer)
    browser = portal.sign_in(customer)
    selfie = f"/requests/{married}/photos/selfie"
    assert browser.upload(selfie, picture("selfie"), turn="1").location == f"/requests/{married}/check"
    assert "Turn of your head" not in browser.get(f"/requests/{married}/check").text
    customer = portal.customer("berta")
    case = portal.draft(customer, reason=ChangeReason.MISTAKE)
    browser = portal.sign_in(customer)
    selfie = f"/requests/{case}/photos/selfie"
    assert browser.upload(selfie, picture("selfie")).location == f"/requests/{case}/check"
    assert browser.upload(selfie, picture("selfie"), turn="1").location == f"/requests/{case}/turn"
    assert (
        browser.upload(f"/requests/{case}/photos/document", picture("document"), turn="1").location == f"/requests/{case}/check"
    )


def test_the_page_says_what_to_do_in_her_language_and_leads_on_without(portal: Portal, at_turn: tuple[Browser, UUID]) -> None:
    browser, case = at_turn
    browser.post("/language", language="ru", next="/")
    page = browser.get(f"/requests/{case}/turn").text
    assert 'data-left="Поверните голову налево"' in page
    assert f'href="/requests/{case}/check">Я не могу это сделать' in page
    assert "<noscript>" in page


def test_what_is_asked_is_drawn_by_the_server_and_the_frames_are_kept_once(portal: Portal, at_turn: tuple[Browser, UUID]) -> None:
    browser, case = at_turn
    drawn = draw(browser, case)
    assert set(drawn["turns"]) == {"left", "right"}
    for _ in range(2):  # the first answer may get lost on the way
        told = answer(browser, case, drawn)
        assert (told.status_code, told.get_json()) == (200, {"next": f"/requests/{case}/check"})
    assert kept(portal) == 1
    assert "Turn of your head: done." in browser.get(f"/requests/{case}/check").text


def test_too_late_is_told_in_words_and_she_goes_on_without(portal: Portal, at_turn: tuple[Browser, UUID]) -> None:
    browser, case = at_turn
    drawn = draw(browser, case)
    portal.clock.forward(seconds=121)
    told = answer(browser, case, drawn)
    assert told.status_code == 409
    assert told.get_json()["problem"].startswith("That took too long.")
    assert kept(portal) == 0
    assert "Turn of your head: left out." in browser.get(f"/requests/{case}/check").text
    assert browser.post(f"/requests/{case}/check", consent=CONSENT).location == f"/requests/{case}"
    assert portal.case(case).state is State.SUBMITTED


@pytest.mark.parametrize(
    "other",
    [
        {"times": "no"},
        {"times": "[1e999, 1, 2, 3, 4, 5]"},
        {"times": "[NaN, 1, 2, 3, 4, 5]"},
        {"times": "7"},
        {"steps": '["x"]'},
        {"steps": "[" * 5000},
        {"challenge": "7"},
        {"sent": [b"GIF89a"] * 6},
        {"sent": [b"\xff\xd8\xff" + bytes(41 * 1024)] * 6},
        {"sent": []},
        {"sent": frames(MAX_FRAMES + 1)},
    ],
)
def test_what_is_no_answer_is_refused_in_words(portal: Portal, at_turn: tuple[Browser, UUID], other: dict[str, Any]) -> None:
    browser, case = at_turn
    told = answer(browser, case, draw(browser, case), **other)
    assert told.status_code == 422
    assert "You can try again" in told.get_json()["problem"]
    assert kept(portal) == 0


def test_a_challenge_that_was_never_drawn_is_refused(portal: Portal, at_turn: tuple[Browser, UUID]) -> None:
    browser, case = at_turn
    assert answer(browser, case, {**draw(browser, case), "challenge": str(uuid4())}).status_code == 409
    assert kept(portal) == 0


def test_nobody_else_draws_or_answers(portal: Portal, at_turn: tuple[Browser, UUID]) -> None:
    browser, case = at_turn
    drawn = draw(browser, case)
    other = portal.sign_in(portal.customer("other"))
    assert other.get(f"/requests/{case}/turn").status_code == 404
    assert other.post(f"/requests/{case}/turn/draw").status_code == 404
    assert answer(other, case, drawn).status_code == 404
    assert kept(portal) == 0


def test_after_sending_nothing_is_drawn_or_kept_any_more(portal: Portal, at_turn: tuple[Browser, UUID]) -> None:
    browser, case = at_turn
    drawn = draw(browser, case)
    browser.get(f"/requests/{case}/check")
    browser.post(f"/requests/{case}/check", consent=CONSENT)
    assert browser.post(f"/requests/{case}/turn/draw").status_code == 409
    assert browser.get(f"/requests/{case}/turn").location == f"/requests/{case}"
    assert answer(browser, case, drawn).get_json() == {"next": f"/requests/{case}/check"}
    assert kept(portal) == 0


def test_drawing_again_and_again_has_an_end(portal: Portal, at_turn: tuple[Browser, UUID]) -> None:
    browser, case = at_turn
    codes = [browser.post(f"/requests/{case}/turn/draw").status_code for _ in range(7)]
    assert codes == [200] * 6 + [429]
