"""The editor of thresholds in headless Chromium: a line follows mouse, keys and number; without script a button shows it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from cases.models import Role
from tests.cases import past_runs
from tests.webapp.staff_fixtures import PASSWORD, Office, make_office
from tests.webapp.waiting import shot, soon

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = Path(__file__).resolve().parents[1] / ".shots"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"1440": {"width": 1440, "height": 900}, "1024": {"width": 1024, "height": 768}, "390": {"width": 390, "height": 844}}
FACE = "min_selfie_document"


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    past_runs.write(settings.database_url, now=made.clock())
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


def sign_in(page: Any, office: Office, address: str, language: str = "en") -> None:
    email = office.member(Role.OPS, name="Olga Ops")
    page.goto(f"{address}/staff/sign-in")
    if page.locator(f".languages button[value={language}]").count():
        page.locator(f".languages button[value={language}]").click()
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.locator("#code").fill(office.code(email))
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/staff/" not in url)


def number(page: Any, setting: str = FACE) -> float:
    return float(page.locator(f"#{setting}").input_value())


def stopped(page: Any, ending: str = "auto_approved") -> int:
    return int(page.locator(f"#card-{FACE} [data-stopped={ending}]").inner_text().replace(",", ""))


def test_a_line_follows_the_mouse_the_keys_and_its_number(office: Office, address: str, chromium: Any) -> None:
    page = chromium.new_page(viewport=SIZES["1440"], locale="en")
    sign_in(page, office, address)
    page.goto(f"{address}/ops/policies/draft")
    line = page.locator(f"#card-{FACE} [data-line={FACE}]")
    soon(lambda: line.get_attribute("role") == "slider")
    assert (line.get_attribute("aria-valuenow"), stopped(page)) == ("6.7", 0)

    box = line.locator(".reach").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 120, y, steps=4)
    page.mouse.up()
    soon(lambda: number(page) > 8.5)
    dragged = number(page)
    assert line.get_attribute("aria-valuenow") == f"{dragged:g}" and stopped(page) > 50
    page.mouse.move(x + 300, y)
    assert number(page) == dragged  # let go

    page.keyboard.press("ArrowLeft")
    soon(lambda: number(page) == round(dragged - 0.1, 4))
    page.keyboard.press("Home")
    soon(lambda: number(page) == 0.0 and stopped(page, "agent_rejected") < 5)
    page.locator(f"#{FACE}").fill("8")
    soon(lambda: line.get_attribute("aria-valuetext") == "8")
    rate = page.locator(f"#card-{FACE} [data-rate=fnmr]")
    assert rate.inner_text() == "19 of 341: 5.57% (3.39% – 8.56%)"
    page.locator(f"button[value='{FACE}:up']").click()
    soon(lambda: number(page) == 8.1)
    assert "tighter" in page.locator("[data-changes]").inner_text()

    page.locator(f"#card-{FACE} [data-line=differ_below]").focus()
    page.keyboard.press("ArrowUp")
    soon(lambda: number(page, "differ_below") == 3.6)
    others = page.locator("[data-line=differ_below]")
    assert {others.nth(k).get_attribute("aria-valuenow") for k in range(3)} == {"3.6"}
    page.context.close()


def test_without_script_the_button_shows_what_the_line_would_do(office: Office, address: str, chromium: Any) -> None:
    with chromium.new_context(java_script_enabled=False, viewport=SIZES["1440"], locale="en") as context:
        page = context.new_page()
        sign_in(page, office, address)
        page.goto(f"{address}/ops/policies/draft")
        before = page.locator(f"[data-line={FACE}]").get_attribute("transform")
        page.locator(f"#{FACE}").fill("8")
        page.keyboard.press("Enter")  # shows; keeps nothing
        page.locator(f"#card-{FACE}.changed").wait_for()
        assert page.url.endswith("/ops/policies/draft") and number(page) == 8
        assert page.locator(f"[data-line={FACE}]").get_attribute("transform") != before
        assert page.locator(f"#card-{FACE} [data-rate=fnmr]").inner_text() == "19 of 341: 5.57% (3.39% – 8.56%)"
        assert stopped(page) > 20
        page.locator(f"button[value='{FACE}:down']").click()
        page.locator(f"#{FACE}[value='7.9']").wait_for()


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("ru", "dark")])
def test_the_pages_break_no_rule_and_no_window(office: Office, address: str, chromium: Any, language: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    SHOTS.mkdir(exist_ok=True)
    wrong: list[str] = []
    context = chromium.new_context(locale=language, color_scheme=scheme, reduced_motion="reduce", viewport=SIZES["1440"])
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("console", lambda message: wrong.append(f"console: {message.text}") if message.type == "error" else None)
    sign_in(page, office, address, language)
    for name, place in (("draft", "/ops/policies/draft"), ("faces", "/ops/faces")):
        page.goto(address + place)
        page.wait_for_load_state("networkidle")
        for size, viewport in SIZES.items():
            page.set_viewport_size(viewport)
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if wide > 0:
                wrong.append(f"{name} at {size}: {wide} px too wide")
            shot(page, SHOTS / f"thresholds-{name}-{size}-{language}-{scheme}.png", full_page=size == "390")
        page.set_viewport_size(SIZES["1440"])
        for violation in axe.run(page, options={"runOnly": RULES}).response["violations"]:
            places = [node["html"][:140] for node in violation["nodes"][:3]]
            wrong.append(f"{name}: {violation['id']} {places}")
        if name == "draft":
            page.locator(".det").scroll_into_view_if_needed()
            shot(page, SHOTS / f"thresholds-det-1440-{language}-{scheme}.png")
    context.close()
    assert wrong == []
