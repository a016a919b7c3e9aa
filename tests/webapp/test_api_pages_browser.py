"""Pages about the API in headless Chromium: the documentation and the keys, without an axe violation, wide and narrow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from cases import api_keys
from cases.models import Role
from tests.webapp.staff_fixtures import PASSWORD, Office, make_office
from tests.webapp.waiting import shot

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = Path(__file__).resolve().parents[1] / ".shots"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDE, TABLET, NARROW = {"width": 1440, "height": 900}, {"width": 1024, "height": 768}, {"width": 390, "height": 844}


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings, "desk,ops,api")
    yield made
    made.db.dispose()


@pytest.fixture
def address(office: Office) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, office.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def broken(page: Any, axe: Any, name: str) -> list[str]:
    """What axe finds, and whether the page is wider than its window."""
    result = axe.run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    found = [f"{name}: {one['id']} {one['nodes'][0]['html'][:120]}" for one in result.response["violations"]]
    return found + wider(page, name)


def wider(page: Any, name: str) -> list[str]:
    too_wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return [f"{name}: wider than the window"] if too_wide else []


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("ru", "dark")])
def test_keys_and_documentation_can_be_used_by_everybody(
    office: Office, address: str, chromium: Any, language: str, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    SHOTS.mkdir(exist_ok=True)
    admin = office.member(Role.ADMIN, name="Alma Admin")
    now = office.clock()
    with office.db.transaction() as db:
        old, _token = api_keys.create(
            db, name="Core banking", mode="live", scopes=["cases:read", "customers:write", "links:write"],
            return_origins=["https://bank.example"], by=None, now=now - timedelta(days=80), expires_at=now + timedelta(days=10),
        )  # fmt: skip
        lost, _token = api_keys.create(db, name="Lost", mode="test", scopes=["cases:read"], by=None, now=now)
        api_keys.revoke(db, lost.id, by=None, now=now)
        api_keys.rotate(db, old.id, by=None, now=now)
    context = chromium.new_context(locale=language, color_scheme=scheme, viewport=WIDE, timezone_id="UTC")
    page = context.new_page()
    wrong: list[str] = []
    page.goto(f"{address}/staff/sign-in")
    if page.locator(f".languages button[value={language}]").count():
        page.locator(f".languages button[value={language}]").click()
    page.fill("#email", admin)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.locator("#code").fill(office.code(admin))
    page.keyboard.press("Enter")
    page.locator("#another").wait_for()  # an admin's first page
    page.fill("#name", "Mobile application")
    page.locator("input[value='cases:read']").check()
    page.fill("#origins", "https://bank.example")
    page.locator(".new-key button").click()
    page.locator("#token").wait_for()
    token = page.locator("#token").input_value()
    assert api_keys.TOKEN.fullmatch(token)
    wrong += broken(page, axe, "keys with a fresh one")
    for size in (WIDE, TABLET, NARROW):
        page.set_viewport_size(size)
        shot(page, SHOTS / f"api-keys-{size['width']}-{language}.png", full_page=True)
    wrong += wider(page, "keys")
    page.goto(f"{address}/ops/keys")
    assert token not in page.content()
    if language == "en":  # the documentation is in English only
        page.set_viewport_size(WIDE)
        page.goto(f"{address}/v1/docs")
        wrong += broken(page, axe, "documentation")
        shot(page, SHOTS / "api-docs.png")
        page.set_viewport_size(NARROW)
        page.goto(f"{address}/v1/docs#put_customer")
        wrong += wider(page, "documentation")
        shot(page, SHOTS / "api-docs-390.png")
    context.close()
    assert not wrong
