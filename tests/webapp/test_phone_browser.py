"""The computer and the phone in headless Chromium: two browsers, two people's eyes, one request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cases.lifecycle import State
from tests.webapp.conftest import Portal, picture
from tests.webapp.pages import CONSENT, link
from tests.webapp.test_portal_browser import RULES, SHOTS, SIZES, address, come_in
from tests.webapp.waiting import shot, soon

pytestmark = [pytest.mark.browser, pytest.mark.slow]

__all__ = ["address"]  # a fixture

LANGUAGES = ("ru", "kk", "es", "en")


def on_computer(chromium: Any, demo: Portal, address: str, *, script: bool = True) -> tuple[Any, UUID]:
    """A computer whose owner stands before the passport photo, on the page that connects a phone."""
    page = chromium.new_context(viewport=SIZES["desktop"], java_script_enabled=script).new_page()
    customer = demo.customer()
    case = demo.draft(customer, photos=False)
    come_in(page, demo, address, customer, "en")
    page.goto(f"{address}/requests/{case}/phone")
    page.get_by_role("button", name="Show the code").click()
    return page, case


def shown_link(page: Any, address: str) -> str:
    found = page.locator("#phone-address").input_value()
    assert found.startswith(f"{address}/phone/")
    return str(found)


def a_phone(chromium: Any, address: str, *, script: bool = True) -> Any:
    agent = "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36"
    context = chromium.new_context(
        viewport=SIZES["phone"], locale="en", java_script_enabled=script, has_touch=True, user_agent=agent
    )
    return context.new_page()


def send(page: Any, folder: Path, data: bytes, name: str) -> None:
    file = folder / f"{name}.jpg"
    file.write_bytes(data)
    page.locator("#file").set_input_files(file)
    page.locator("main form[enctype] .actions button").first.click()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_the_computer_follows_while_the_phone_photographs(
    demo: Portal, address: str, chromium: Any, tmp_path: Path, script: bool
) -> None:
    wait = {"timeout": 20000}
    computer, case = on_computer(chromium, demo, address, script=script)
    soon(lambda: computer.locator(".code svg").is_visible())
    phone = a_phone(chromium, address, script=script)
    phone.goto(shown_link(computer, address))
    soon(lambda: "Did you start this?" in phone.locator("h1").inner_text())
    phone.get_by_role("button", name="Yes, I did").click()
    computer.locator(".number").wait_for(**wait)
    number = computer.locator(".number").inner_text()
    soon(lambda: phone.locator(".number-choice").count() == 3)
    phone.locator(".number-choice", has_text=number).click()
    phone.wait_for_url("**/photos/document")
    computer.locator(".lead", has_text="Your phone is connected").wait_for(**wait)
    send(phone, tmp_path, picture("document"), "document")
    phone.wait_for_url("**/photos/selfie")
    computer.locator(".lead", has_text="The passport photo is here").wait_for(**wait)
    soon(lambda: computer.locator(".progress .done").count() == 3)
    send(phone, tmp_path, picture("selfie"), "selfie")
    computer.wait_for_url("**/check", timeout=20000)
    phone.locator("h1", has_text="Your photos have arrived").wait_for()
    computer.locator("#consent").check()
    computer.get_by_role("button", name="Send my request").click()
    computer.locator("h1", has_text="We are checking").wait_for()
    assert demo.case(case).state is State.SUBMITTED
    phone.reload()
    phone.locator("h1", has_text="Your request").wait_for()
    for page in (computer, phone):
        page.context.close()


def test_both_screens_tell_of_a_wrong_number(demo: Portal, address: str, chromium: Any) -> None:
    computer, _case = on_computer(chromium, demo, address)
    phone = a_phone(chromium, address)
    phone.goto(shown_link(computer, address))
    phone.get_by_role("button", name="Yes, I did").click()
    computer.locator(".number").wait_for()
    right = computer.locator(".number").inner_text()
    wrong = next(text for text in phone.locator(".number-choice").all_inner_texts() if text != right)
    phone.locator(".number-choice", has_text=wrong).click()
    phone.locator("h1", has_text="That was not the number").wait_for()
    computer.locator("h2", has_text="A wrong number was chosen").wait_for()
    computer.get_by_role("button", name="Show a new code").click()
    computer.locator(".code svg").wait_for()
    for page in (computer, phone):
        page.context.close()


def test_the_phone_finishes_and_the_computer_goes_on_to_the_status(demo: Portal, address: str, chromium: Any) -> None:
    computer, case = on_computer(chromium, demo, address)
    phone = a_phone(chromium, address)
    phone.goto(shown_link(computer, address))
    phone.get_by_role("button", name="Yes, I did").click()
    computer.locator(".number").wait_for()
    phone.locator(".number-choice", has_text=computer.locator(".number").inner_text()).click()
    phone.wait_for_url("**/photos/document")
    computer.goto("about:blank")  # its lid is closed
    with demo.db.transaction() as db:
        demo.attach(db, case)
    phone.goto(f"{address}/phone")
    phone.locator("summary").click()
    phone.locator("#consent").check()
    phone.get_by_role("button", name="Send my request").click()
    phone.locator("h1", has_text="Your request").wait_for()
    assert demo.case(case).consent_version == CONSENT
    computer.goto(f"{address}/requests/{case}/phone")
    computer.locator("h1", has_text="We are checking").wait_for()
    for page in (computer, phone):
        page.context.close()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_session_that_ends_while_she_types_loses_nothing(demo: Portal, address: str, chromium: Any, script: bool) -> None:
    context = chromium.new_context(viewport=SIZES["phone"], java_script_enabled=script)
    page = context.new_page()
    customer = demo.customer()
    case = demo.draft(customer, photos=False)
    come_in(page, demo, address, customer, "en")
    page.goto(f"{address}/requests/{case}/details")
    page.locator("[name=surname]").fill("Сидорова")
    demo.clock.forward(minutes=20)
    page.locator("main form .actions button.button").first.click()
    page.locator(".notice", has_text="What you entered is kept").wait_for()
    page.goto(f"{address}/enter/{link(demo, 'hand_over', customer)}")
    page.locator("main form button").click()
    page.locator("h1", has_text="We kept what you were about to send").wait_for()
    page.get_by_role("button", name="Go on with it").click()
    page.wait_for_load_state()
    if page.url.endswith("/details"):  # a field was still empty: what she typed stands in the form
        soon(lambda: page.locator("[name=surname]").input_value() == "Сидорова")
    else:
        page.goto(f"{address}/requests/{case}/details")
        soon(lambda: "сидорова" in page.locator("[name=surname]").input_value().lower())
    context.close()


@pytest.fixture
def pictures(demo: Portal, address: str, chromium: Any) -> Iterator[Any]:
    """Returns a function that takes a picture of a page in each size and scheme, and looks at it with axe."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    SHOTS.mkdir(exist_ok=True)
    found: list[str] = []

    def take(page: Any, name: str, sizes: tuple[str, ...] = ("phone", "desktop")) -> None:
        for size in sizes:
            for scheme in ("light", "dark"):
                page.set_viewport_size(SIZES[size])
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                shot(page, SHOTS / f"phone-{name}-{size}-{scheme}.png", full_page=True)
                if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                    found.append(f"{name} {size}: wider than the window")
                violations = axe.run(page, options={"runOnly": RULES}).response["violations"]
                found.extend(f"{name} {size} {scheme}: {v['id']} {v['nodes'][0]['html'][:200]}" for v in violations)
        for target in page.locator(
            "main button:visible, main a.button:visible, main .actions a:visible, main summary:visible"
        ).all():
            box = target.bounding_box()
            if box and box["height"] < 44:
                found.append(f"{name}: {target.inner_text()[:40]} {box['height']:.0f} px")

    yield take
    assert not found, "\n".join(found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_of_the_hand_over_has_its_picture_and_no_axe_violation(
    demo: Portal, address: str, chromium: Any, pictures: Any, language: str
) -> None:
    computer, case = on_computer(chromium, demo, address)
    troubles: list[str] = []
    computer.on("console", lambda m: troubles.append(m.text) if "Content Security Policy" in m.text else None)
    come_in(computer, demo, address, demo.case(case).customer_id, language)
    computer.goto(f"{address}/requests/{case}/phone")
    pictures(computer, f"{language}-elsewhere", ("desktop",))
    computer.locator(".hand-over form[action$='/phone'] button").click()
    computer.locator(".code svg").wait_for()
    pictures(computer, f"{language}-waiting")
    phone = a_phone(chromium, address)
    phone.goto(f"{address}/sign-in")
    phone.locator(f".languages button[value={language}]").click()
    phone.goto(shown_link(computer, address))
    pictures(phone, f"{language}-link", ("phone",))
    phone.locator("button[value=yes]").click()
    phone.locator(".number-choice").first.wait_for()
    pictures(phone, f"{language}-number", ("phone",))
    computer.locator(".number").wait_for()
    pictures(computer, f"{language}-opened")
    right = computer.locator(".number").inner_text()
    phone.locator(".number-choice", has_text=right).click()
    phone.wait_for_url("**/photos/document")
    pictures(phone, f"{language}-photo", ("phone",))
    computer.locator(".progress .done").nth(1).wait_for()
    pictures(computer, f"{language}-confirmed", ("desktop",))
    with demo.db.transaction() as db:
        demo.attach(db, case)
    phone.goto(f"{address}/phone")
    phone.locator("summary").click()
    pictures(phone, f"{language}-done", ("phone",))
    phone.locator("#consent").check()
    phone.locator("details form button").click()
    phone.locator("h1").wait_for()
    phone.locator("details").wait_for(state="detached")
    pictures(phone, f"{language}-sent", ("phone",))
    phone.goto(f"{address}/phone/gone?why=wrong_number")
    pictures(phone, f"{language}-gone", ("phone",))
    other = demo.customer("other")
    second = demo.draft(other, photos=False)
    come_in(computer, demo, address, other, language)
    computer.goto(f"{address}/requests/{second}/phone")
    pictures(computer, f"{language}-none", ("desktop",))
    computer.goto(f"{address}/requests/{second}/details")
    demo.clock.forward(minutes=20)
    computer.locator("main form .actions button.button").first.click()
    come_in(computer, demo, address, other, language)
    computer.goto(f"{address}/unsent")
    pictures(computer, f"{language}-unsent", ("phone",))
    computer.goto(f"{address}/requests/{second}/photos/document")
    pictures(computer, f"{language}-offer")
    computer.locator("footer button").click()
    computer.wait_for_url("**/saved")
    pictures(computer, f"{language}-saved")
    assert not troubles
    for page in (computer, phone):
        page.context.close()
