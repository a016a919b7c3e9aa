"""Uploads in headless Chromium over a network that is bad: what the person sees, and what the server has afterwards."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from cases.models import Photo, Upload
from tests.webapp.conftest import Portal, picture
from tests.webapp.test_portal_browser import SIZES, address, come_in
from tests.webapp.waiting import soon

__all__ = ["address"]  # a fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHOTOS = "**/photos/document/*-*"
STORED = """async () => new Promise((done) => {
  const opened = indexedDB.open("peremena", 1);
  opened.onupgradeneeded = () => opened.result.createObjectStore("photos");
  opened.onsuccess = () => {
    const asked = opened.result.transaction("photos").objectStore("photos").getAll();
    asked.onsuccess = () => done(asked.result.map(({ bytes, pressed }) => [bytes.byteLength > 1000, pressed]));
    opened.result.close();
  };
})"""
"""What waits on the phone: whether it is a photo, and whether she had pressed."""


COUNT_REFUSALS = """() => {
  window.told = 0;
  document.querySelector("form[data-upload]").addEventListener("peremena:refused", () => { window.told += 1; });
}"""

KEEPS_NOTHING = """
  const refuse = { get() { throw new DOMException("no", "SecurityError"); } };
  for (const name of ["indexedDB", "localStorage"]) Object.defineProperty(window, name, refuse);
  Object.defineProperty(crypto, "subtle", { value: undefined });
"""


def at_the_passport(demo: Portal, address: str, chromium: Any) -> tuple[Any, UUID]:
    """A phone on the page of the passport's photo."""
    who = demo.customer()
    case = demo.draft(who, photos=False)
    page = chromium.new_context(viewport=SIZES["phone"], reduced_motion="reduce").new_page()
    page.set_default_timeout(20000)
    come_in(page, demo, address, who, "en")
    page.goto(f"{address}/requests/{case}/photos/document")
    return page, case


def choose(page: Any, folder: Path, data: bytes) -> None:
    """Choose a file and wait until it is ready to be sent."""
    file = folder / f"photo-{hashlib.sha256(data).hexdigest()[:8]}.jpg"
    file.write_bytes(data)
    page.locator("#file").set_input_files(file)
    page.locator("[data-preview]:visible").wait_for()


def until(page: Any, script: str, wanted: Any) -> None:
    """Wait until the page says so; the pages' own rules forbid Playwright's way of waiting for a function."""
    for _ in range(200):
        if page.evaluate(script) == wanted:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{page.evaluate(script)} is not {wanted}")


def press(page: Any) -> None:
    page.locator("main form .actions button").click()


def count(demo: Portal, table: Any) -> int:
    with demo.db.reading() as session:
        return int(session.scalar(select(func.count()).select_from(table)) or 0)


def test_the_network_drops_in_the_middle_and_comes_back(demo: Portal, address: str, chromium: Any, tmp_path: Path) -> None:
    page, _ = at_the_passport(demo, address, chromium)
    tries: list[str] = []

    def drop(route: Any) -> None:
        tries.append(route.request.headers["content-digest"])
        if len(tries) > 1:
            route.continue_()
        else:
            page.context.set_offline(True)
            route.abort("connectionreset")

    page.route(PHOTOS, drop)
    choose(page, tmp_path, picture("document"))
    press(page)
    page.locator("[data-status]", has_text="No connection. We keep trying.").wait_for()
    soon(lambda: page.locator("progress:visible").count() == 1)
    page.context.set_offline(False)
    page.wait_for_url("**/photos/selfie")
    soon(lambda: page.evaluate(STORED) == [] and page.evaluate("localStorage.photo") is None)
    assert len(set(tries)) == 1 and count(demo, Photo) == 1
    page.context.close()


def test_a_server_that_is_busy_is_asked_again_and_another_photo_may_be_chosen_meanwhile(
    demo: Portal, address: str, chromium: Any, tmp_path: Path
) -> None:
    page, _ = at_the_passport(demo, address, chromium)
    numbers: list[str] = []

    def refuse(route: Any) -> None:
        numbers.append(route.request.url)
        if len(numbers) > 1:
            route.continue_()
        else:
            route.fulfill(status=503, headers={"Retry-After": "600"}, body="{}", content_type="application/json")

    page.route(PHOTOS, refuse)
    choose(page, tmp_path, picture("document", blur=True))
    press(page)
    page.locator("[data-status]", has_text="We are busy right now. We keep trying.").wait_for()
    choose(page, tmp_path, picture("document"))  # a sharp one: it is sent at once, and no other
    page.wait_for_url("**/photos/selfie")
    assert len(set(numbers)) == 2 and count(demo, Photo) == count(demo, Upload) == 1
    page.context.close()


def test_an_answer_that_got_lost_leaves_one_photo(demo: Portal, address: str, chromium: Any, tmp_path: Path) -> None:
    page, _ = at_the_passport(demo, address, chromium)
    numbers: list[str] = []

    def lose(route: Any) -> None:
        numbers.append(route.request.url)
        if len(numbers) > 1:
            route.continue_()
        else:
            assert route.fetch().status == 200  # the server has it
            route.abort("connectionreset")

    page.route(PHOTOS, lose)
    choose(page, tmp_path, picture("document"))
    press(page)
    page.wait_for_url("**/photos/selfie")
    assert len(numbers) == 2 and len(set(numbers)) == 1
    assert count(demo, Photo) == count(demo, Upload) == 1
    page.context.close()


def test_a_page_that_was_closed_finds_its_photo_and_sends_it(demo: Portal, address: str, chromium: Any, tmp_path: Path) -> None:
    page, case = at_the_passport(demo, address, chromium)
    choose(page, tmp_path, picture("document"))
    until(page, STORED, [[True, False]])
    page.close()
    page = page.context.new_page()
    page.goto(f"{address}/requests/{case}/photos/document")
    page.locator("[data-status]", has_text="Your photo was kept on this device.").wait_for()
    soon(lambda: page.locator("[data-preview]:visible").count() == 1)
    page.context.set_offline(True)
    press(page)
    page.locator("[data-status]", has_text="No connection").wait_for()
    soon(lambda: page.evaluate(STORED) == [[True, True]])
    page.close()  # killed while it was trying
    context = page.context
    context.set_offline(False)
    page = context.new_page()
    page.goto(f"{address}/requests/{case}/photos/document")
    page.wait_for_url("**/photos/selfie")  # she had pressed: it goes on by itself
    soon(lambda: page.evaluate(STORED) == [] and count(demo, Photo) == 1)
    context.close()


def test_a_refused_photo_says_why_and_may_be_sent_again(demo: Portal, address: str, chromium: Any, tmp_path: Path) -> None:
    page, _ = at_the_passport(demo, address, chromium)
    page.evaluate(COUNT_REFUSALS)
    choose(page, tmp_path, picture("document", blur=True))
    for times in (1, 2, 3):
        press(page)
        until(page, "window.told", times)
        soon(lambda: "blurred" in page.locator("#problems").inner_text())
        soon(lambda: page.evaluate("document.activeElement.id") == "problems" and page.title().startswith("Attention: "))
        soon(lambda: page.evaluate(STORED) == [])  # answered, so nothing of it stays on the phone
    soon(lambda: "same photo as before" in page.locator("#problems").inner_text())
    page.locator("[name=anyway]").check()
    press(page)
    page.wait_for_url("**/photos/selfie")
    with demo.db.reading() as session:
        assert session.scalars(select(Photo)).one().accepted_despite == ["document_blurred"]
    page.context.close()


def test_a_double_click_sends_once(demo: Portal, address: str, chromium: Any, tmp_path: Path) -> None:
    page, _ = at_the_passport(demo, address, chromium)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    choose(page, tmp_path, picture("document"))
    page.locator("main form .actions button").dblclick()
    page.wait_for_url("**/photos/selfie")
    assert len(sent) == 1 and count(demo, Upload) == 1
    page.context.close()


def test_signing_out_takes_the_photo_off_the_phone_and_so_does_a_day(
    demo: Portal, address: str, chromium: Any, tmp_path: Path
) -> None:
    page, case = at_the_passport(demo, address, chromium)
    choose(page, tmp_path, picture("document"))
    until(page, STORED, [[True, False]])
    page.evaluate("localStorage.photo = Date.now() - 25 * 3600 * 1000")
    page.goto(f"{address}/requests/{case}/person")
    until(page, STORED, [])
    page.goto(f"{address}/requests/{case}/photos/document")
    choose(page, tmp_path, picture("document"))
    until(page, STORED, [[True, False]])
    page.get_by_role("button", name="Save and leave").click()
    page.wait_for_url(lambda url: "/photos/" not in url)
    soon(lambda: page.evaluate(STORED) == [])
    page.context.close()


def test_a_photo_nobody_came_back_for_goes_without_signing_in(demo: Portal, address: str, chromium: Any, tmp_path: Path) -> None:
    page, _ = at_the_passport(demo, address, chromium)
    choose(page, tmp_path, picture("document"))
    until(page, STORED, [[True, False]])
    page.context.clear_cookies()  # the session is over
    page.goto(f"{address}/sign-in")
    page.wait_for_timeout(600)
    soon(lambda: page.evaluate(STORED) == [[True, False]])  # she may yet come back and go on
    page.evaluate("localStorage.photo = [Date.now() - 25 * 3600 * 1000, localStorage.photo.split(' ')[1]].join(' ')")
    page.reload()
    until(page, STORED, [])
    page.context.close()


def test_a_photo_goes_when_another_customer_signs_in_and_stays_for_its_own(
    demo: Portal, address: str, chromium: Any, tmp_path: Path
) -> None:
    page, case = at_the_passport(demo, address, chromium)
    choose(page, tmp_path, picture("document"))
    until(page, STORED, [[True, False]])
    for who, left in ((demo.case(case).customer_id, [[True, False]]), (demo.customer("bella"), [])):
        page.context.clear_cookies()
        come_in(page, demo, address, who, "en")
        page.wait_for_timeout(600)
        until(page, STORED, left)
    page.context.close()


def test_a_phone_that_keeps_nothing_sends_all_the_same(demo: Portal, address: str, chromium: Any, tmp_path: Path) -> None:
    page, _ = at_the_passport(demo, address, chromium)
    page.add_init_script(KEEPS_NOTHING)
    page.reload()
    choose(page, tmp_path, picture("document"))
    press(page)
    page.wait_for_url("**/photos/selfie")
    assert count(demo, Photo) == 1
    page.context.close()
