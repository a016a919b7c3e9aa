"""The details form in headless Chromium: what happens while she types. Pictures land in tests/.shots/."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from tests.webapp.conftest import Portal
from tests.webapp.test_details import KAZAKH
from tests.webapp.test_portal_browser import RULES, SHOTS, SIZES, come_in
from tests.webapp.waiting import shot, soon
from verification.evidence import Field

sync = pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def address(demo: Portal) -> Iterator[str]:
    """The portal on a port of this machine."""
    server = make_server("127.0.0.1", 0, demo.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A phone that fails the test on an error of our script."""
    context = chromium.new_context(viewport=SIZES["phone"], reduced_motion="reduce")
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


def on_details(
    page: Any, demo: Portal, address: str, reason: str, paper: str, language: str = "en", values: dict[Field, str] | None = None
) -> None:
    """Come to the second page by the first."""
    come_in(page, demo, address, demo.customer(values=values), language)
    page.goto(f"{address}/request/reason")
    page.locator(f"#reason-{reason}").check()
    page.locator("details.more").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    page.locator(f"#paper-{paper}").check()
    page.locator("main form .actions button").click()
    page.wait_for_url("**/request/details")


def test_a_latin_spelling_follows_while_she_types_until_she_takes_her_own(page: Any, demo: Portal, address: str) -> None:
    on_details(page, demo, address, "court", "ru_travel")
    page.locator("#given_names_native").clear()
    page.locator("#given_names_native").press_sequentially("Юлия")
    latin, note = page.locator("#given_names"), page.locator("#given_names-note")
    sync.expect(latin).to_have_value("Iuliia")
    soon(lambda: "Suggested by today’s spelling rule" in note.inner_text())
    page.get_by_role("button", name="Spelled differently in my passport").last.click()
    page.locator(".chip", has_text="Yuliya").click()
    soon(lambda: latin.input_value() == "Yuliya" and note.inner_text() == "")
    with page.expect_response("**/request/spellings"):
        page.locator("#given_names_native").press_sequentially("на")
    page.wait_for_timeout(50)
    soon(lambda: latin.input_value() == "Yuliya")  # her own stays


def test_a_number_is_grouped_under_the_cursor(page: Any, demo: Portal, address: str) -> None:
    on_details(page, demo, address, "marriage", "ru_internal")
    number = page.locator("#document_number")
    number.press_sequentially("4524654321")
    soon(lambda: number.input_value() == "45 24 654321")
    for _ in range(8):
        number.press("ArrowLeft")  # behind 45 2
    number.press("Backspace")
    soon(lambda: number.input_value() == "45 46 54321")
    number.press("2")
    soon(lambda: number.input_value() == "45 24 654321")
    soon(lambda: number.evaluate("input => input.selectionStart") == 4)


def test_a_look_alike_is_replaced_said_and_looked_at_before_it_is_sent(page: Any, demo: Portal, address: str) -> None:
    on_details(page, demo, address, "marriage", "ru_internal")
    page.locator("#document_number").fill("4524654321")
    page.locator("#issued_on_day").press_sequentially("01.02.2026")  # a whole date finds its places
    soon(lambda: [page.locator(f"#issued_on_{part}").input_value() for part in ("day", "month", "year")] == ["01", "02", "2026"])
    surname = page.locator("#surname")
    surname.press_sequentially("Петpова")
    surname.press("Enter")  # replaced as it is sent: she is shown first
    sync.expect(surname).to_have_value("Петрова")
    soon(lambda: "look the same: 1." in page.locator("#surname-note").inner_text())
    soon(lambda: page.url.endswith("/request/details") and page.evaluate("document.activeElement.id") == "surname")
    surname.press("Enter")
    page.wait_for_url("**/photos/document")


def test_the_summary_has_the_focus_and_leads_to_the_field(page: Any, demo: Portal, address: str) -> None:
    on_details(page, demo, address, "marriage", "ru_internal")
    page.locator("#surname").fill("Петрова")
    page.locator("main form .actions button").click()
    page.locator("#problems").wait_for()
    sync.expect(page.locator("#problems")).to_be_focused()
    page.locator("#problems a").first.press("Enter")
    soon(lambda: page.evaluate("document.activeElement.id") == "document_number")
    soon(lambda: page.locator("#surname").input_value() == "Петрова")


def test_no_patronymic_and_a_patronymic_exclude_each_other(page: Any, demo: Portal, address: str) -> None:
    on_details(page, demo, address, "court", "ru_internal")
    soon(lambda: page.locator("#patronymic").input_value() == "СЕРГЕЕВНА")
    page.locator("[name=no_patronymic]").check()
    soon(lambda: page.locator("#patronymic").input_value() == "")
    page.locator("#patronymic").fill("Ивановна")
    soon(lambda: not page.locator("[name=no_patronymic]").is_checked())


@pytest.mark.parametrize("language", ["ru", "es"])
def test_pictures_of_the_form(page: Any, demo: Portal, address: str, language: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    SHOTS.mkdir(exist_ok=True)
    found: list[str] = []

    def shoot(name: str) -> None:
        for size, scheme in (("phone", "light"), ("phone", "dark"), ("desktop", "light")):
            page.set_viewport_size(SIZES[size])
            page.emulate_media(color_scheme=scheme)
            shot(page, SHOTS / f"details-{name}-{language}-{size}-{scheme}.png", full_page=True)
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                found.append(f"{name}: wider than the window")
            violations = axe.run(page, options={"runOnly": RULES}).response["violations"]
            found.extend(f"{name} {size} {scheme}: {v['id']} {v['nodes'][0]['html'][:200]}" for v in violations)
        page.set_viewport_size(SIZES["phone"])

    on_details(page, demo, address, "mistake", "kz", language, KAZAKH)
    shoot("kazakh")
    page.locator("#surname_native").fill("Əбілқасымұлы")
    page.locator("#surname").fill("")
    page.locator("#surname_native").blur()
    sync.expect(page.locator("#surname")).not_to_have_value("")
    page.locator(".offers button.quiet").first.click()
    page.locator("#personal_number").fill("850307300125")
    page.locator("#given_names").fill("Ivan")
    page.locator("#document_number").fill("850307300124")
    page.locator("#expires_on_day").fill("30")
    page.locator("#expires_on_month").fill("2")
    page.locator("#expires_on_year").fill("2030")
    shoot("kazakh-typed")
    page.locator("main form .actions button").click()
    page.locator("#problems").wait_for()
    shoot("kazakh-problems")
    page.goto(f"{address}/request/reason")
    shoot("reason")
    page.locator("details.more summary").click()
    page.locator("#reason-court").check()
    page.locator("#paper-ru_travel").check()
    page.locator("main form .actions button").click()
    page.wait_for_url("**/request/details")
    for name, value in {"surname_native": "Шмидт", "surname": "Schmidt", "document_number": "711234567"}.items():
        page.locator(f"#{name}").fill(value)
    page.locator("#expires_on_day").press_sequentially("1.2.2024")
    page.locator("main form .actions button").click()
    page.locator("#problems.mild").wait_for()
    shoot("second-look")
    assert not found, "\n".join(found)


def test_nothing_needs_the_script(chromium: Any, demo: Portal, address: str, tmp_path: Path) -> None:
    context = chromium.new_context(viewport=SIZES["phone"], java_script_enabled=False)
    page = context.new_page()
    on_details(page, demo, address, "marriage", "ru_travel")
    soon(lambda: not page.locator(".offers").first.is_visible())  # a button that would do nothing
    for name, value in {"surname_native": "Щepбакова", "document_number": "71 1234567", "expires_on_day": "1.2.2030"}.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("main form .actions button").click()
    page.locator("#problems.mild").wait_for()
    assert (
        page.locator("#surname_native").input_value() == "Щербакова" and page.locator("#surname").input_value() == "Shcherbakova"
    )
    page.locator("main form .actions button").click()
    page.wait_for_url("**/photos/document")
    context.close()
