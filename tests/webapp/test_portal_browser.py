"""The portal in headless Chromium: every screen without an axe violation, light and dark, and a picture of each.

Pictures land in tests/.shots/ (not kept in the repository) for people to look at.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from werkzeug.serving import make_server

from tests.webapp.conftest import Portal, picture
from tests.webapp.pages import Screen, link, screens

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = Path(__file__).resolve().parents[1] / ".shots"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1440, "height": 900}}


@pytest.fixture
def address(demo: Portal) -> Iterator[str]:
    """The portal on a port of this machine."""
    server = make_server("127.0.0.1", 0, demo.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium; nothing is downloaded."""
    api = pytest.importorskip("playwright.sync_api")
    if not Path("/usr/bin/chromium").exists():
        pytest.skip("needs Debian's chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def come_in(page: Any, demo: Portal, address: str, who: UUID | None, language: str) -> None:
    """Come in as this person, or as nobody, and choose the language."""
    page.context.clear_cookies()
    if who:
        page.goto(f"{address}/enter/{link(demo, 'hand_over', who)}")
        page.locator("main form button").click()
    else:
        page.goto(f"{address}/sign-in")
    page.locator(f".languages button[value={language}]").click()
    page.locator(f".languages button[value={language}][aria-current]").wait_for()


def show(page: Any, address: str, screen: Screen, folder: Path) -> None:
    """Go to a screen and send what it says."""
    page.goto(address + screen.address)
    for number, sent in enumerate([*screen.before, *([screen.picture] if screen.picture else [])]):
        file = folder / f"{screen.name}-{number}.jpg"
        file.write_bytes(sent["data"])
        page.locator("#file").set_input_files(file)
        with page.expect_response(lambda answer: answer.request.method == "POST"):
            page.locator(".actions button").click()
        page.locator(".actions button:not([disabled])").wait_for()
        page.locator("#problems").wait_for()
    if screen.post is not None:
        for name, value in screen.post.items():
            page.locator(f"[name={name}]").fill(value)
        page.locator("main form .actions button").click()
        page.locator("#problems").wait_for()


@pytest.mark.parametrize("language", ["ru", "en"])
def test_no_screen_has_an_axe_violation_and_each_has_its_picture(demo: Portal, address: str, chromium: Any, language: str, tmp_path: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    SHOTS.mkdir(exist_ok=True)
    found: list[str] = []
    context = chromium.new_context(locale=language, reduced_motion="reduce")
    page = context.new_page()
    page.on("pageerror", lambda error: found.append(f"script: {error}"))
    page.on("console", lambda message: found.append(f"console: {message.text}") if "Content Security Policy" in message.text else None)
    who: object = "nobody yet"
    for screen in screens(demo, picture):
        if screen.who != who:
            come_in(page, demo, address, screen.who, language)
            who = screen.who
        show(page, address, screen, tmp_path)
        for size, scheme in (("phone", "light"), ("phone", "dark"), ("desktop", "light"), ("desktop", "dark")):
            name = f"{screen.name}-{language}-{size}-{scheme}"
            page.set_viewport_size(SIZES[size])
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=SHOTS / f"portal-{name}.png", full_page=True)
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                found.append(f"{name}: wider than the window")
            if (size, scheme) == ("desktop", "dark"):
                continue
            violations = axe.run(page, options={"runOnly": RULES}).response["violations"]
            found += [f"{name}: {v['id']} {v['nodes'][0]['html'][:200]}" for v in violations]
    context.close()
    assert not found, "\n".join(found)
