"""The portal in headless Chromium: every screen and state in every language, light and dark, looked at by axe and by measure.

Pictures land in tests/.shots/ (not kept in the repository) for people to look at.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from werkzeug.serving import make_server

from cases import intake, runs
from cases.models import Case
from cases.wording import LANGUAGES
from tests.webapp.conftest import Portal, measured, picture
from tests.webapp.pages import CONSENT, Screen, evidence, link, screens
from tests.webapp.waiting import shot, soon
from verification.decision import Decision, Outcome
from verification.reasons import PhotoKind

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = Path(__file__).resolve().parents[1] / ".shots"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES: dict[str, Any] = {
    "phone": {"width": 390, "height": 844},
    "landscape": {"width": 844, "height": 390},
    "desktop": {"width": 1440, "height": 900},
}

PICTURES = {
    "ru": [("phone", "light", 100), ("phone", "dark", 100), ("phone", "light", 200)],
    "kk": [("phone", "light", 100), ("landscape", "light", 100)],
    "es": [("phone", "light", 100), ("desktop", "dark", 100)],
    "en": [("phone", "light", 100), ("desktop", "light", 100)],
}
"""Of what pictures are taken: size, scheme, per cent of the text size. A phone in each language, the rest once."""

FAULTS = """(attention) => {
  const found = [], shown = (element) => element.getClientRects().length > 0;
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) {
    const wide = [...document.querySelectorAll("main *")]
      .find((e) => shown(e) && e.getBoundingClientRect().right > innerWidth + 1);
    found.push("wider than the window: " + wide?.outerHTML.slice(0, 120));
  }
  for (const target of document.querySelectorAll("a[href], button, summary, input:not([type=hidden]), select, textarea")) {
    if (!shown(target) || target.matches(".skip")) continue;
    const alone = target.parentElement.textContent.trim() === target.textContent.trim();
    if (target.matches("a") && getComputedStyle(target).display === "inline" && !alone) continue;
    const tapped = target.matches("[type=radio], [type=checkbox], [type=file]") ? target.closest("label") : target;
    const { width, height } = tapped.getBoundingClientRect();
    if (width < 43.9 || height < 43.9) {
      found.push(`small: ${Math.round(width)} x ${Math.round(height)} ${target.outerHTML.slice(0, 120)}`);
    }
  }
  const title = document.title, heading = document.querySelector("h1")?.textContent.trim();
  const wrong = document.querySelector("#problems");
  if (!heading || /^ *·/.test(title)) found.push("no heading or no title: " + title);
  if (!!wrong !== title.startsWith(attention)) found.push("the title and the page do not agree on a problem: " + title);
  if (wrong && document.activeElement !== wrong) found.push("a problem without the focus");
  for (const time of document.querySelectorAll("time")) if (isNaN(new Date(time.dateTime))) found.push("time: " + time.outerHTML);
  if (document.querySelector("[lang=''], [id='']")) found.push("an empty attribute");
  return found;
}"""
"""What a machine can see beside axe: width, targets of 44 px (links within a sentence excepted), titles, focus, times."""

CAMERA = "if (navigator.mediaDevices) navigator.mediaDevices.enumerateDevices = async () => [{ kind: 'videoinput' }];"
"""Pages show what people with a camera see; it is never opened here."""

ATTENTION = {"ru": "Внимание", "kk": "Назар", "es": "Atención", "en": "Attention"}


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
    page.goto("about:blank")  # a page that follows another device would lead away
    page.wait_for_load_state("networkidle")  # and one last step of it may be under way
    page.context.clear_cookies()
    if who:
        page.goto(f"{address}/enter/{link(demo, 'hand_over', who)}")
        page.locator("main form button").click()
    else:
        page.goto(f"{address}/sign-in")
    chosen = f".languages button[value={language}]"
    if page.locator(f"{chosen}[aria-current]").count() == 0:
        page.locator(chosen).click()
        page.locator(f"{chosen}[aria-current]").wait_for()


def show(page: Any, address: str, screen: Screen, folder: Path) -> None:
    """Go to a screen and send what it says. Forms are sent without their script: what the server answers is looked at."""
    page.goto(address + screen.address)
    for number, sent in enumerate([*screen.before, *([screen.picture] if screen.picture else [])]):
        file = folder / f"{screen.name}-{number}.jpg"
        file.write_bytes(sent["data"])
        page.locator("#file").set_input_files(file)
        with page.expect_response(lambda answer: answer.request.method in ("POST", "PUT")):
            page.locator(".actions button").click()
        page.locator(".actions button:not([disabled])").wait_for()
        page.locator("#problems").wait_for()
    if screen.post is not None:
        for name, value in screen.post.items():
            page.locator(f"[name={name}]").evaluate("(input, value) => { input.value = value; }", value)
        with page.expect_navigation():
            page.locator("main form:has(.actions button)").first.evaluate("form => form.submit()")


class Inspector:
    """Looks at one page after another in one language, and keeps what is wrong."""

    def __init__(self, language: str) -> None:
        axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
        self._axe = axe.axe_script
        self.language = language
        self.found: list[str] = []
        self.seen: set[str] = set()
        SHOTS.mkdir(exist_ok=True)

    def watch(self, page: Any) -> None:
        """Keep the errors of its scripts as well."""
        page.add_init_script(CAMERA)
        page.on("pageerror", lambda error: self.found.append(f"script: {error}"))
        page.on(
            "console",
            lambda said: self.found.append(f"console: {said.text}") if "Content Security Policy" in said.text else None,
        )

    def look(self, page: Any, name: str) -> None:
        """Every rule in light, colours again in dark; widths also at 200 % text and where pictures are taken."""
        self.seen.add(name)
        page.evaluate(self._axe)
        for scheme, only in (
            ("light", {"type": "tag", "values": RULES}),
            ("dark", {"type": "rule", "values": ["color-contrast"]}),
        ):
            page.emulate_media(color_scheme=scheme)
            options = {"runOnly": only, "resultTypes": ["violations"]}
            broken = page.evaluate(
                "o => axe.run(o).then(r => r.violations.map(v => v.id + ' ' + v.nodes[0].html.slice(0, 200)))", options
            )
            self._note(name, scheme, broken)
        page.emulate_media(color_scheme="light")
        self._note(name, "phone", page.evaluate(FAULTS, ATTENTION[self.language]))
        self._resize(page, "phone", 200)
        self._note(name, "200 %", self._wide(page))
        for size, scheme, percent in PICTURES[self.language]:
            page.emulate_media(color_scheme=scheme)
            self._resize(page, size, percent)
            self._note(name, size, self._wide(page))
            large = "-large" if percent != 100 else ""
            shot(page, SHOTS / f"portal-{name}-{self.language}-{size}-{scheme}{large}.png", full_page=True)
        page.emulate_media(color_scheme="light")
        self._resize(page, "phone", 100)

    def _resize(self, page: Any, size: str, percent: int) -> None:
        page.evaluate("percent => { document.documentElement.style.fontSize = `${percent}%`; }", percent)
        page.set_viewport_size(SIZES[size])

    def _wide(self, page: Any) -> list[str]:
        return [fault for fault in page.evaluate(FAULTS, ATTENTION[self.language]) if fault.startswith("wider")]

    def _note(self, name: str, how: str, faults: list[str]) -> None:
        self.found += [f"{name} {self.language} {how}: {fault}" for fault in faults]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_screen_has_a_fault_and_each_has_its_picture(
    demo: Portal, address: str, chromium: Any, language: str, tmp_path: Path
) -> None:
    """Every screen of tests/webapp/pages.py."""
    inspector = Inspector(language)
    context = chromium.new_context(locale=language, reduced_motion="reduce", viewport=SIZES["phone"], has_touch=True)
    page = context.new_page()
    inspector.watch(page)
    who: object = "nobody yet"
    for screen in screens(demo, picture):
        if screen.who != who:
            come_in(page, demo, address, screen.who, language)
            who = screen.who
        show(page, address, screen, tmp_path)
        inspector.look(page, screen.name)
    context.close()
    assert not inspector.found, "\n".join(inspector.found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_stage_of_two_devices_has_a_fault(demo: Portal, address: str, chromium: Any, language: str) -> None:
    """Pages that need a past in the browser: phone and computer, links that were used, a session that ended, save and leave."""
    inspector = Inspector(language)
    computer, phone = (
        chromium.new_context(locale=language, reduced_motion="reduce", viewport=SIZES["phone"]).new_page() for _device in range(2)
    )
    inspector.watch(computer)
    inspector.watch(phone)
    who = demo.customer(locale=language)
    case = demo.draft(who, photos=False)
    with demo.db.transaction() as session:
        session.get_one(Case, case).locale = language  # a phone speaks the language of the request
    come_in(phone, demo, address, None, language)
    come_in(computer, demo, address, who, language)

    computer.goto(f"{address}/requests/{case}/phone")
    computer.locator(".hand-over form button").click()
    token = computer.locator("#phone-address").input_value().rsplit("/", 1)[1]
    inspector.look(computer, "phone-waiting")
    phone.goto(f"{address}/phone/{token}")
    phone.locator("button[value=yes]").click()
    inspector.look(phone, "phone-number")
    computer.locator(".number").wait_for()
    inspector.look(computer, "phone-opened")
    phone.locator(f".number-choice[value='{computer.locator('.number').inner_text().strip()}']").click()
    phone.wait_for_url("**/photos/document")
    inspector.look(phone, "phone-document")
    computer.locator(".number").wait_for(state="detached")
    inspector.look(computer, "phone-confirmed")
    with demo.db.transaction() as session:
        clean, quality = measured(PhotoKind.DOCUMENT)
        intake.attach_photo(session, case, PhotoKind.DOCUMENT, clean, quality, now=demo.clock())
    computer.locator(".progress li:nth-child(3).done").wait_for()
    inspector.look(computer, "phone-one-photo")
    with demo.db.transaction() as session:
        demo.attach(session, case)
    computer.wait_for_url("**/check")
    phone.goto(f"{address}/phone")
    inspector.look(phone, "phone-done")
    phone.locator("summary").click()
    phone.locator(".finish form").evaluate("form => form.submit()")
    phone.locator("#problems").wait_for()
    inspector.look(phone, "phone-done-problems")
    with demo.db.transaction() as session:
        intake.submit(session, case, consent_version=CONSENT, now=demo.clock())
    phone.goto(f"{address}/phone")
    inspector.look(phone, "phone-sent")

    who = demo.customer("second")
    case = demo.draft(who, photos=False)
    come_in(computer, demo, address, who, language)
    computer.goto(f"{address}/requests/{case}/phone")
    computer.locator(".hand-over form button").click()
    token = computer.locator("#phone-address").input_value().rsplit("/", 1)[1]
    come_in(phone, demo, address, None, language)
    phone.goto(f"{address}/phone/{token}")
    phone.locator("button[value=no]").click()
    phone.wait_for_url("**/phone/gone*")
    computer.locator(".problems.mild").wait_for()
    inspector.look(computer, "phone-declined")

    computer.goto(f"{address}/requests/{case}/details")
    demo.clock.forward(hours=1)
    computer.locator("main form .actions button").click()
    computer.wait_for_url("**/sign-in**")
    inspector.look(computer, "door-after-the-session")
    computer.goto(f"{address}/enter/{link(demo, 'hand_over', who)}")
    computer.locator("main form button").click()
    computer.wait_for_url("**/unsent")
    inspector.look(computer, "unsent")
    computer.goto(f"{address}/requests/{case}/photos/document")
    computer.locator("footer button").click()
    computer.wait_for_url("**/saved")
    inspector.look(computer, "saved")

    phone.goto(f"{address}/links/{link(demo, 'case', who, case)}")
    phone.locator("main form button").click()
    inspector.look(phone, "case-link-opened")
    phone.goto(f"{address}/enter/used")
    phone.locator("main form button").click()
    inspector.look(phone, "link-gone")
    for page in (computer, phone):
        page.context.close()
    assert not inspector.found, "\n".join(inspector.found)


def walk_to_the_photos(page: Any, demo: Portal, address: str) -> None:
    """The first two pages, as a thumb would do them."""
    come_in(page, demo, address, demo.customer(), "en")
    page.goto(f"{address}/")
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
    file = folder / f"photo-{hashlib.sha256(data).hexdigest()[:8]}.jpg"  # of the same name it would be no other file to Chromium
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
    soon(lambda: "blurred" in page.locator("#problems").inner_text())
    if script:  # the file stays chosen, so sending it again needs no second photo
        soon(lambda: page.locator("#file").evaluate("input => input.files.length") == 1)
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
    assert order is not None
    if script:
        page.locator('[data-step="photos"].now').wait_for(timeout=15000)
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


FOCUS = """(wanted) => {
  const at = document.activeElement, ring = (element) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  };
  const { top, bottom } = at.getBoundingClientRect();
  return {
    there: at.matches(wanted), outside: at === document.body, html: at.outerHTML.slice(0, 120),
    ringed: ring(at) || !!at.closest("label") && ring(at.closest("label")),
    inView: bottom > 0 && top < innerHeight, top: at.closest("main") ? top + scrollY : -1,
  };
}"""


def tab_to(page: Any, wanted: str) -> None:
    """Press Tab until there. Every stop on the way is seen, and in the content none lies above the one before."""
    last = -1.0
    for _stop in range(40):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUS, wanted)["outside"]:
            continue
        # A photo that is being shown moves what is below it, for a moment.
        soon(lambda: page.evaluate(FOCUS, wanted)["ringed"], "focus that is not seen")
        soon(lambda: page.evaluate(FOCUS, wanted)["inView"], "focus outside the window")
        at = page.evaluate(FOCUS, wanted)
        if at["top"] >= 0:
            assert at["top"] > last - 40, f"focus jumps up: {at['html']}"
            last = at["top"]
        if at["there"]:
            return
    raise AssertionError(f"{wanted} was not reached; the focus is at {at['html']}")


def choose_by_key(page: Any, data: bytes) -> None:
    """The file input opened by the space bar, and the photo sent by Enter."""
    page.wait_for_load_state("networkidle")  # a page that is being made may still move the focus
    tab_to(page, "#file")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files({"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": data})
    tab_to(page, ".actions button")
    soon(lambda: page.locator("[data-preview] img").evaluate("image => image.complete && image.naturalWidth > 0"))
    soon(lambda: page.evaluate(FOCUS, ".actions button")["inView"], "the photo pushed the focus out of the window")
    page.keyboard.press("Enter")


def test_the_whole_way_goes_by_keyboard(demo: Portal, address: str, chromium: Any) -> None:
    """Tab, Space and Enter only, from the lender's link to the answer; a mistake and a bad photo on the way."""
    context = chromium.new_context(viewport=SIZES["phone"], locale="en")
    page = context.new_page()
    page.goto(f"{address}/enter/{link(demo, 'hand_over', demo.customer())}")
    page.keyboard.press("Tab")
    soon(lambda: page.evaluate("document.activeElement.className") == "skip")
    tab_to(page, "main form button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/request/reason")

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # skip to the content
    soon(lambda: page.evaluate("document.activeElement.id") == "main")
    tab_to(page, "#reason-marriage")
    page.keyboard.press("Space")
    tab_to(page, "[name=paper]")
    page.keyboard.press("Space")
    tab_to(page, "main form .actions button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/request/details*")

    for name, text in {"surname": "Петрова", "document_number": "12"}.items():
        tab_to(page, f"#{name}")
        page.keyboard.type(text)
    for part, text in {"day": "1", "month": "2", "year": "2026"}.items():
        tab_to(page, f"#issued_on_{part}")
        page.keyboard.type(text)
    tab_to(page, "main form .actions button")
    page.keyboard.press("Enter")
    page.locator("#problems").wait_for()
    soon(lambda: page.evaluate("document.activeElement.id") == "problems", "a mistake takes the focus")
    tab_to(page, "#problems a")
    page.keyboard.press("Enter")
    soon(lambda: page.evaluate("document.activeElement.id") == "document_number", "and its link leads to the field")
    page.keyboard.press("Control+a")
    page.keyboard.type("4524654321")
    page.keyboard.press("Enter")
    page.wait_for_url("**/photos/document*")

    choose_by_key(page, picture("document", blur=True))
    page.locator("#problems").wait_for()
    soon(lambda: page.evaluate("document.activeElement.id") == "problems", "and so does a photo that will not do")
    choose_by_key(page, picture("document"))
    page.wait_for_url("**/photos/selfie*")
    choose_by_key(page, picture("selfie"))
    page.wait_for_url("**/check*")
    tab_to(page, "#consent")
    page.keyboard.press("Space")
    tab_to(page, "main form .actions button")
    page.keyboard.press("Enter")
    page.locator("h1", has_text="We are checking").wait_for()
    with demo.db.transaction() as session:
        order = runs.begin(session, UUID(urlsplit(page.url).path.rsplit("/", 1)[1]), now=demo.clock())
    assert order is not None
    decision = Decision(outcome=Outcome.APPROVE, reasons=(), retake=frozenset(), policy_version=1)
    with demo.db.transaction() as session:
        runs.finish(session, order, evidence(), decision, seconds=1.0, now=demo.clock())
    page.locator("h1", has_text="Your details have been changed").wait_for(timeout=15000)
    tab_to(page, ".marks button")
    page.keyboard.press("Enter")
    page.locator("h1", has_text="Thank you").wait_for()
    context.close()


def test_nothing_moves_for_who_wants_no_motion(demo: Portal, address: str, chromium: Any) -> None:
    who = demo.customer()
    case = demo.draft(who)
    with demo.db.transaction() as session:
        intake.submit(session, case, consent_version=CONSENT, now=demo.clock())
    moving = {}
    for motion in ("reduce", "no-preference"):
        context = chromium.new_context(viewport=SIZES["phone"], reduced_motion=motion)
        page = context.new_page()
        come_in(page, demo, address, who, "en")
        page.goto(f"{address}/requests/{case}")
        moving[motion] = page.evaluate("document.getAnimations().length")
        context.close()
    assert moving["reduce"] == 0 and moving["no-preference"] > 0
