"""The turn of the head in headless Chromium with a made-up camera: taken, too late, and without any camera.

Pictures land in tests/.shots/ (not kept in the repository) for people to look at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cases import head_turns
from cases.audit import MACHINE
from cases.models import Case
from tests.conftest import CHROMIUM
from tests.webapp.conftest import Portal, picture
from tests.webapp.test_portal_browser import RULES, SHOTS, SIZES, address, come_in, send_photo
from tests.webapp.waiting import shot, soon
from verification.challenge import MAX_FRAME_BYTES, Burst
from verification.evidence import ChangeReason

__all__ = ["address"]  # a fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def page_with_camera(chromium: Any) -> Iterator[Any]:
    """A phone's page in a Chromium of its own, whose camera shows a moving test picture and is allowed."""
    camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    browser = chromium.browser_type.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *camera])
    yield browser.new_context(viewport=SIZES["phone"], reduced_motion="reduce").new_page()
    browser.close()


def kept(demo: Portal, case_id: UUID) -> Burst | None:
    with demo.db.transaction() as session:
        answered = head_turns.latest(session, session.get_one(Case, case_id))
        if answered is None:
            return None
        return head_turns.open_burst(session, answered.id, viewer=MACHINE, purpose="run", now=demo.clock())


def shoot(page: Any, name: str) -> None:
    SHOTS.mkdir(exist_ok=True)
    shot(page, SHOTS / f"portal-{name}.png", full_page=True)
    soon(lambda: not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def test_a_turn_is_taken_in_the_order_that_was_drawn(demo: Portal, address: str, page_with_camera: Any, tmp_path: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page, found = page_with_camera, []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if "Security Policy" in message.text else None)
    who = demo.customer()
    case_id = demo.draft(who, reason=ChangeReason.MISTAKE)
    come_in(page, demo, address, who, "ru")
    page.goto(f"{address}/requests/{case_id}/photos/selfie")
    send_photo(page, tmp_path, picture("selfie"))
    page.wait_for_url("**/turn")
    start = page.locator("[data-start]")
    start.wait_for()
    shoot(page, "turn-ru-phone-light")
    violations = axe.run(page, options={"runOnly": RULES}).response["violations"]
    start.click()
    said = page.locator("[data-say]")
    page.locator("[data-say]", has_text="Смотрите прямо").wait_for()
    page.locator("[data-say]", has_text="Поверните голову").wait_for()
    first = said.inner_text()
    shoot(page, "turn-taking-ru-phone-light")
    violations += axe.run(page, options={"runOnly": RULES}).response["violations"]
    page.wait_for_url("**/check", timeout=60000)
    soon(lambda: "Поворот головы: сделан." in page.locator("main").inner_text())
    shoot(page, "check-turned-ru-phone-light")
    burst = kept(demo, case_id)
    assert burst is not None
    turns = len(burst.challenge.turns)
    assert first.endswith("налево" if burst.challenge.turns[0] == "left" else "направо")
    assert burst.steps == tuple(sorted([*range(turns + 1)] * 2))
    assert list(burst.times) == sorted(set(burst.times))
    assert all(frame.startswith(b"\xff\xd8\xff") and len(frame) <= MAX_FRAME_BYTES for frame in burst.frames)
    assert len(set(burst.frames)) == len(burst.frames)
    assert burst.camera == "fake_device_0"
    assert not found and not violations, (found, [v["id"] for v in violations])


def test_too_late_is_told_and_she_goes_on_without(demo: Portal, address: str, page_with_camera: Any) -> None:
    page = page_with_camera
    who = demo.customer()
    case_id = demo.draft(who, reason=ChangeReason.MISTAKE)
    come_in(page, demo, address, who, "en")
    page.goto(f"{address}/requests/{case_id}/turn")
    page.locator("[data-start]").click()
    page.locator("[data-say]", has_text="Turn your head").wait_for()
    demo.clock.forward(seconds=121)
    page.locator("[data-problem]", has_text="That took too long").wait_for(timeout=60000)
    soon(lambda: page.locator("[data-start]").inner_text() == "Try again")
    shoot(page, "turn-late-en-phone-light")
    page.locator("a", has_text="I cannot do this").click()
    page.wait_for_url("**/check")
    assert kept(demo, case_id) is None


def test_without_a_camera_the_step_is_left_out(demo: Portal, address: str, chromium: Any, tmp_path: Path) -> None:
    context = chromium.new_context(viewport=SIZES["phone"])
    page = context.new_page()
    who = demo.customer()
    case_id = demo.draft(who, reason=ChangeReason.MISTAKE)
    come_in(page, demo, address, who, "en")
    page.goto(f"{address}/requests/{case_id}/turn")
    page.wait_for_url("**/check")
    page.goto(f"{address}/requests/{case_id}/photos/selfie")
    send_photo(page, tmp_path, picture("selfie"))
    page.wait_for_url("**/check")
    context.close()
