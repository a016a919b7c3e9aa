"""Photos at the desk in headless Chromium: blurred until looked at, large with keys, mouse and fingers, faces over each other.

Pictures land in tests/.shots/ (not kept in the repository) for people to look at.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update
from werkzeug.serving import make_server

from cases import conversations
from cases.models import Case, Event, Role, Staff
from tests.webapp.case_scenes import apart, told
from tests.webapp.staff_fixtures import PASSWORD, Office, a_case, face, found, make_office
from tests.webapp.waiting import shot, soon
from verification.evidence import Field

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = Path(__file__).resolve().parents[1] / ".shots"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LAPTOP, TABLET = {"width": 1440, "height": 900}, {"width": 1024, "height": 768}
HEADS = {"selfie": (225, 228, 450, 624), "on_file": (150, 142, 300, 390), "document": (145, 224, 150, 203)}
"""Where the drawn faces of `staff_fixtures` are, in pixels."""

FINGERPRINTS = """() => [...document.querySelectorAll('dialog.zoom canvas')].map((canvas) => {
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  let sum = 0;
  for (let at = 0; at < data.length; at += 97) sum = (sum * 31 + data[at]) >>> 0;
  return canvas.width ? sum : null;
})"""
SET = """(address) => document.querySelector("[data-photo='1'] image").setAttribute("href", address)"""
MOUTHS = """() => [...document.querySelectorAll('dialog.zoom canvas')].map((canvas) => {
  const column = canvas.getContext('2d').getImageData(canvas.width >> 1, 0, 1, canvas.height).data;
  let best = 0, at = 0;
  for (let y = 0; y < canvas.height * 0.75; y += 1) { // above the coat
    const red = column[4 * y] - (column[4 * y + 1] + column[4 * y + 2]) / 2;
    if (red > best) { best = red; at = y; }
  }
  return at / canvas.height;
})"""


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
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


def held(office: Office) -> UUID:
    """A case in Ada Agent's hands, with a photo in a message and one letter that differs."""
    email = office.member(Role.AGENT, name="Ada Agent")
    evidence = found()
    surname = told("ПРИМЕРНОЯ", (470, 200, 190, 32))
    evidence = apart(evidence, printed={Field.SURNAME: surname}, zone={})
    fields = {**evidence.reading.fields, Field.SURNAME: surname}
    reading = replace(evidence.reading, fields=fields)
    evidence = replace(evidence, reading=reading, faces=replace(evidence.faces, boxes=HEADS))
    with office.db.transaction() as db:
        case_id = a_case(db, now=office.clock() - timedelta(minutes=5), evidence=evidence).id
        conversations.write(db, case_id, uuid4(), text="Is it enough?", photo=face(4, 800, 600), now=office.clock())
        agent = db.scalars(select(Staff).where(Staff.email == email)).one()
        until = office.clock() + timedelta(hours=1)
        db.execute(update(Case).where(Case.id == case_id).values(owner_id=agent.id, owner_until=until))
    return case_id


def opened(office: Office, address: str, context: Any, case_id: UUID) -> Any:
    """The case's page, Ada Agent signed in."""
    page = context.new_page()
    page.goto(f"{address}/staff/sign-in")
    if page.locator(".languages button[value=en]").count():
        page.locator(".languages button[value=en]").click()
    with office.db.reading() as db:
        email = db.scalars(select(Staff.email).where(Staff.name == "Ada Agent")).one()
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.locator("#code").fill(office.code(email))
    page.keyboard.press("Enter")
    page.locator("nav.bar").wait_for()
    page.goto(f"{address}/desk/cases/{case_id}")
    page.wait_for_load_state("networkidle")
    return page


def looked(office: Office, kind: str = "photo_opened") -> int:
    with office.db.reading() as db:
        return len(db.scalars(select(Event.id).where(Event.kind == kind)).all())


def blur(page: Any, key: str) -> str:
    return str(page.evaluate("(key) => getComputedStyle(document.querySelector(`[data-photo='${key}'] > svg`)).filter", key))


def test_small_photos_are_blurred_until_looked_at_and_large_ones_cost_no_second_look(
    office: Office, address: str, chromium: Any
) -> None:
    case_id = held(office)
    context = chromium.new_context(viewport=LAPTOP, locale="en", reduced_motion="reduce")
    page = opened(office, address, context, case_id)
    assert looked(office) == 3  # selfie, document and face on file; the portrait and the line are parts of the document
    page.mouse.move(2, 2)
    soon(lambda: blur(page, "1").startswith("blur") and blur(page, "4").startswith("blur"))
    page.locator("[data-photo='1']").hover()
    soon(lambda: blur(page, "1") == "none" and blur(page, "2").startswith("blur"))
    page.mouse.move(2, 2)
    page.keyboard.press("v")
    soon(lambda: all(blur(page, key) == "none" for key in "1234"))
    page.keyboard.press("v")
    soon(lambda: blur(page, "1").startswith("blur"))
    page.locator("[data-photo='1']").focus()
    page.keyboard.press("Tab")  # the keyboard's way of pointing
    soon(lambda: blur(page, "2") == "none")

    page.keyboard.press("b")
    page.locator("dialog.zoom[open] canvas").nth(2).wait_for()
    soon(lambda: len(set(page.evaluate(FINGERPRINTS))) == 3)
    first, second, third = page.evaluate(MOUTHS)
    assert max(first, second, third) - min(first, second, third) < 0.02  # faces of one size in one place
    for key in ("+", "ArrowLeft", "ArrowUp", "r", "-", "0"):
        before = page.evaluate(FINGERPRINTS)
        page.keyboard.press(key)
        soon(lambda before=before: all(a != b for a, b in zip(before, page.evaluate(FINGERPRINTS), strict=True)), key)  # type: ignore[misc]
    page.keyboard.press("c")
    soon(lambda: "contrast" in page.evaluate("getComputedStyle(document.querySelector('dialog.zoom canvas')).filter"))

    # Laid over each other: by hand only, as motion is not wanted here
    page.keyboard.press("b")
    page.locator("dialog.zoom .over .pane.under").wait_for(state="attached")
    assert page.locator("[data-zoom=blinking]").get_attribute("aria-pressed") == "false"
    top = "document.querySelector('dialog.zoom .pane:not(.under) figcaption').textContent"
    assert page.evaluate(top) == "Selfie"
    page.keyboard.press("Space")
    soon(lambda: page.evaluate(top) == "Portrait")
    page.locator("[data-zoom-which] button", has_text="Face on file").click()
    soon(lambda: "Face on file" in page.locator("dialog.zoom .pane figcaption").all_text_contents())
    page.keyboard.press("4")
    soon(lambda: page.locator("dialog.zoom canvas").count() == 1)
    page.keyboard.press("Escape")
    page.locator("dialog.zoom").wait_for(state="hidden")
    page.locator("[data-photo^=surname]:visible").first.click()  # the line under the letter that differs
    page.locator("dialog.zoom[open] canvas").wait_for()
    assert looked(office) == 3
    context.close()


def test_faces_blink_by_themselves_and_a_press_stops_them(office: Office, address: str, chromium: Any) -> None:
    case_id = held(office)
    context = chromium.new_context(viewport=LAPTOP, locale="en")
    page = opened(office, address, context, case_id)
    page.keyboard.press("b")
    page.locator("[data-zoom=blink]").click()
    top = "document.querySelector('dialog.zoom .pane:not(.under) figcaption').textContent"
    seen = {page.evaluate(top)}
    soon(lambda: seen.add(page.evaluate(top)) or seen == {"Selfie", "Portrait"})
    page.keyboard.press("p")
    soon(lambda: page.locator("[data-zoom=blinking]").get_attribute("aria-pressed") == "false")
    page.locator("[data-zoom=close]").click()
    page.locator("dialog.zoom").wait_for(state="hidden")
    context.close()


def test_an_old_link_is_renewed_without_loading_the_page_again(office: Office, address: str, chromium: Any) -> None:
    case_id = held(office)
    context = chromium.new_context(viewport=LAPTOP, locale="en", reduced_motion="reduce")
    page = opened(office, address, context, case_id)
    picture = page.locator("[data-photo='1'] image")
    old = picture.get_attribute("href")
    office.clock.forward(minutes=5)
    page.evaluate(SET, old + "?")  # the same old link, asked for anew
    soon(lambda: picture.get_attribute("href") not in (old, f"{old}?"))
    soon(lambda: looked(office) == 4)
    page.keyboard.press("1")
    soon(lambda: page.evaluate(FINGERPRINTS)[0] not in (None, 0))
    page.keyboard.press("Escape")
    with office.db.transaction() as db:
        db.execute(update(Case).values(owner_id=None, owner_until=None))
    page.evaluate(SET, "/desk/nothing")
    page.locator("[data-photo='1'].lost").wait_for()
    assert looked(office) == 4
    context.close()


PINCH = """([from, to]) => {
  const area = document.querySelector('dialog.zoom .pictures'), canvas = area.querySelector('canvas');
  canvas.setPointerCapture = () => {};
  const box = canvas.getBoundingClientRect(), x = box.left + box.width / 2, y = box.top + box.height / 2;
  const send = (kind, pointerId, offset) => canvas.dispatchEvent(new PointerEvent(kind, {
    pointerId, pointerType: 'touch', clientX: x + offset, clientY: y, bubbles: true, button: 0 }));
  send('pointerdown', 11, -from); send('pointerdown', 12, from);
  send('pointermove', 11, -to); send('pointermove', 12, to);
  send('pointerup', 11, -to); send('pointerup', 12, to);
}"""


def test_fingers_do_on_a_tablet_what_keys_do(office: Office, address: str, chromium: Any) -> None:
    case_id = held(office)
    context = chromium.new_context(viewport=TABLET, locale="en", has_touch=True, is_mobile=True)
    page = opened(office, address, context, case_id)
    assert blur(page, "1").startswith("blur")
    page.locator("[data-photo='1']").tap()  # a first touch shows it, a second opens it
    soon(lambda: blur(page, "1") == "none" and blur(page, "2").startswith("blur"))
    assert page.locator("dialog.zoom[open]").count() == 0
    page.locator("[data-photo='1']").tap()
    page.locator("dialog.zoom[open] canvas").wait_for()
    soon(lambda: page.evaluate(FINGERPRINTS)[0] not in (None, 0))
    page.evaluate(PINCH, [60, 180])
    soon(lambda: page.locator("[data-zoom-size]").text_content() == "300\u00a0%")
    for button in page.locator("dialog.zoom .tools button:visible").all():
        box = button.bounding_box()
        assert box["height"] >= 44 and box["width"] >= 44
    before = page.evaluate(FINGERPRINTS)
    page.mouse.move(500, 400)
    page.mouse.down()
    page.mouse.move(600, 450, steps=4)
    page.mouse.up()
    soon(lambda: page.evaluate(FINGERPRINTS) != before)
    page.mouse.wheel(0, 400)
    soon(lambda: page.locator("[data-zoom-size]").text_content() != "300\u00a0%")
    context.close()


def test_without_script_a_photo_opens_in_a_page_of_its_own(office: Office, address: str, chromium: Any) -> None:
    case_id = held(office)
    context = chromium.new_context(viewport=LAPTOP, locale="en", java_script_enabled=False)
    page = opened(office, address, context, case_id)
    office.clock.forward(minutes=5)  # her page has been open for a while
    for place, kind in (("[data-photo='4']", "photo_opened"), ("[data-photo=message]", "message_photo_opened")):
        before = looked(office, kind)
        with context.expect_page() as other:
            page.locator(place).click()
        other.value.wait_for_load_state()
        assert "/photos/" in other.value.url and other.value.locator("img").count() == 1
        assert looked(office, kind) >= before + 1
    context.close()


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("ru", "dark")])
def test_the_large_photos_have_no_axe_violation(
    office: Office, address: str, chromium: Any, language: str, scheme: str
) -> None:  # fmt: skip
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    SHOTS.mkdir(exist_ok=True)
    case_id = held(office)
    context = chromium.new_context(viewport=LAPTOP, locale=language, color_scheme=scheme, reduced_motion="reduce")
    page = opened(office, address, context, case_id)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("console", lambda message: wrong.append(f"console: {message.text}") if message.type == "error" else None)
    if language != "en":
        with page.expect_navigation():
            page.locator(f".languages button[value={language}]").click()
        page.goto(f"{address}/desk/cases/{case_id}")
        page.wait_for_load_state("networkidle")

    def look(name: str) -> None:
        for size, viewport in (("1440", LAPTOP), ("1024", TABLET)):
            page.set_viewport_size(viewport)
            soon(lambda: all(page.evaluate(FINGERPRINTS)))
            shot(page, SHOTS / f"photos-{name}-{size}-{language}-{scheme}.png")
            for violation in axe.run(page, options={"runOnly": RULES}).response["violations"]:
                wrong.append(f"{name} at {size}: {violation['id']} {[node['html'][:140] for node in violation['nodes'][:3]]}")
        page.set_viewport_size(LAPTOP)

    look("blurred")
    page.keyboard.press("v")
    look("shown")
    page.keyboard.press("b")
    look("beside")
    page.keyboard.press("b")
    look("over")
    page.keyboard.press("4")
    look("document")
    page.keyboard.press("Escape")
    page.locator("[data-photo^=surname]:visible").first.click()
    look("line")
    context.close()
    assert not wrong
