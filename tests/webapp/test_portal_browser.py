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

from cases import runs
from tests.webapp.conftest import Portal, picture
from tests.webapp.pages import Screen, evidence, link, screens
from verification.decision import Decision, Outcome

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = Path(__file__).resolve().parents[1] / ".shots"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1440, "height": 900}}


LOOKS = {"ru": [("phone", "light"), ("phone", "dark"), ("desktop", "light")], "en": [("phone", "light"), ("desktop", "dark")]}
"""What is looked at in which language: every size and scheme once, the longer language more often."""

THUMBS = ("button", "a.button", ".actions a", "label.choice", "label.tile", "label.tick")
"""What people tap."""


@pytest.fixture
def address(demo: Portal) -> Iterator[str]:
    """The portal on a port of this machine."""
    server = make_server("127.0.0.1", 0, demo.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


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
def test_no_screen_has_an_axe_violation_and_each_has_its_picture(
    demo: Portal, address: str, chromium: Any, language: str, tmp_path: Path
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    SHOTS.mkdir(exist_ok=True)
    found: list[str] = []
    context = chromium.new_context(locale=language, reduced_motion="reduce")
    page = context.new_page()
    page.on("pageerror", lambda error: found.append(f"script: {error}"))
    page.on(
        "console", lambda message: found.append(f"console: {message.text}") if "Content Security Policy" in message.text else None
    )
    who: object = "nobody yet"
    for screen in screens(demo, picture):
        if screen.who != who:
            come_in(page, demo, address, screen.who, language)
            who = screen.who
        show(page, address, screen, tmp_path)
        for size, scheme in LOOKS[language]:
            name = f"{screen.name}-{language}-{size}-{scheme}"
            page.set_viewport_size(SIZES[size])
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=SHOTS / f"portal-{name}.png", full_page=True)
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                found.append(f"{name}: wider than the window")
            violations = axe.run(page, options={"runOnly": RULES}).response["violations"]
            found += [f"{name}: {v['id']} {v['nodes'][0]['html'][:200]}" for v in violations]
    context.close()
    assert not found, "\n".join(found)


def walk_to_the_photos(page: Any, demo: Portal, address: str) -> None:
    """The first two pages, as a thumb would do them."""
    come_in(page, demo, address, demo.customer(), "en")
    page.locator("main a.button").click()
    page.locator("#reason-marriage").check()
    page.locator("#paper-ru_internal").check()
    page.locator("main form .actions button").click()
    for name, value in {"surname": "Петрова", "document_number": "45 24 654321"}.items():
        page.locator(f"[name={name}]").fill(value)
    for name, value in {"day": "1", "month": "2", "year": "2026"}.items():
        page.locator(f"[name=issued_on_{name}]").fill(value)
    page.locator("main form .actions button").click()
    page.wait_for_url("**/photos/document")


def send_photo(page: Any, folder: Path, data: bytes) -> None:
    """Choose a file and send it."""
    file = folder / "photo.jpg"
    file.write_bytes(data)
    page.locator("#file").set_input_files(file)
    page.locator("main form .actions button").click()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_request_is_sent_and_the_page_moves_on_by_itself(
    demo: Portal, address: str, chromium: Any, script: bool, tmp_path: Path
) -> None:
    context = chromium.new_context(viewport=SIZES["phone"], java_script_enabled=script)
    page = context.new_page()
    walk_to_the_photos(page, demo, address)
    send_photo(page, tmp_path, picture("document", blur=True))
    page.locator("#problems").wait_for()
    assert "blurred" in page.locator("#problems").inner_text()
    if script:  # the file stays chosen, so sending it again needs no second photo
        assert page.locator("#file").evaluate("input => input.files.length") == 1
    send_photo(page, tmp_path, picture("document"))
    page.wait_for_url("**/photos/selfie")
    send_photo(page, tmp_path, picture("selfie"))
    page.wait_for_url("**/check")
    page.locator("#consent").check()
    page.locator("main form .actions button").click()
    page.locator("h1", has_text="We are checking").wait_for()
    case_id = UUID(page.url.rsplit("/", 1)[1])
    with demo.db.transaction() as session:
        order = runs.begin(session, case_id, now=demo.clock())
    if script:
        page.locator('[data-step="verifying"].now').wait_for(timeout=5000)
    decision = Decision(outcome=Outcome.APPROVE, reasons=(), retake=frozenset(), policy_version=1)
    with demo.db.transaction() as session:
        runs.finish(session, order, evidence(), decision, seconds=1.0, now=demo.clock())
    page.locator("h1", has_text="Your details have been changed").wait_for(timeout=15000)
    context.close()


def test_an_upload_survives_a_lost_connection(demo: Portal, address: str, chromium: Any, tmp_path: Path) -> None:
    context = chromium.new_context(viewport=SIZES["phone"])
    page = context.new_page()
    walk_to_the_photos(page, demo, address)
    context.set_offline(True)
    send_photo(page, tmp_path, picture("document"))
    page.locator("[data-status]", has_text="No connection").wait_for()
    context.set_offline(False)
    page.wait_for_url("**/photos/selfie", timeout=20000)
    context.close()


def test_everything_is_reached_by_keyboard(demo: Portal, address: str, chromium: Any) -> None:
    context = chromium.new_context(viewport=SIZES["phone"])
    page = context.new_page()
    come_in(page, demo, address, demo.customer(), "en")
    page.goto(f"{address}/request/reason")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.locator("#reason-marriage").is_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/request/details*")
    context.close()


def test_targets_are_large_enough_for_a_thumb(demo: Portal, address: str, chromium: Any, tmp_path: Path) -> None:
    context = chromium.new_context(viewport=SIZES["phone"])
    page = context.new_page()
    small: list[str] = []
    who: object = "nobody yet"
    for screen in screens(demo, picture):
        if screen.who != who:
            come_in(page, demo, address, screen.who, "ru")
            who = screen.who
        page.goto(address + screen.address)
        for target in page.locator(
            "button:visible, a.button:visible, .actions a:visible, label.choice:visible, label.tile:visible, label.tick:visible"
        ).all():
            box = target.bounding_box()
            if box and box["height"] < 44:
                small.append(f"{screen.name}: {target.inner_text()[:40]} {box['height']:.0f} px")
    context.close()
    assert small == []
