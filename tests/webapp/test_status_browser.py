"""The status page in headless Chromium: live steps, messages both ways, letters beside the photo; no state violates axe.

Pictures land in tests/.shots/ (not kept in the repository) for people to look at.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from werkzeug.serving import make_server

from cases import conversations, intake, queries, review, runs
from cases.models import Case, Role
from cases.queries import Promise
from tests.webapp.conftest import Portal, picture
from tests.webapp.pages import LETTER, agent, decided
from tests.webapp.staff_fixtures import Office
from tests.webapp.staff_fixtures import page as data_page
from tests.webapp.test_portal_browser import RULES, SHOTS, SIZES, come_in
from tests.webapp.test_status import begun, sent, with_places
from tests.webapp.waiting import shot, soon
from verification import images
from verification.decision import Decision, Outcome
from verification.evidence import Step
from verification.reasons import PhotoKind, ReasonCode

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
def office(demo: Portal) -> Iterator[Office]:
    """The desk over the same database."""
    from webapp.app import create_app

    settings = demo.app.extensions["peremena.settings"]
    app = create_app(settings, "desk,ops")
    app.testing = True
    made = Office(app=app, settings=settings)
    app.extensions["peremena.clock"] = demo.clock
    yield made
    made.db.dispose()


def a_page(portal: Portal, case: UUID) -> None:
    """A drawn data page in the place of the plain picture, so that a line cut out of it shows print."""
    clean, quality = images.measure_file(data_page(3), PhotoKind.DOCUMENT)
    with portal.db.transaction() as session:
        intake.attach_photo(session, case, PhotoKind.DOCUMENT, clean, quality, now=portal.clock())


def test_a_check_is_watched_and_a_conversation_held(
    demo: Portal, address: str, chromium: Any, office: Office, tmp_path: Path
) -> None:
    customer = demo.customer()
    case = demo.draft(customer)
    sent(demo, case)
    context = chromium.new_context(viewport=SIZES["phone"])
    page = context.new_page()
    come_in(page, demo, address, customer, "en")
    page.goto(f"{address}/requests/{case}")
    page.locator('[data-step="submitted"].now').wait_for()
    order = begun(demo, case)
    page.locator('[data-step="photos"].now').wait_for(timeout=5000)
    for step in (Step.PASSPORT, Step.FACES):
        with demo.db.transaction() as session:
            runs.step(session, order, step, now=demo.clock())
        page.locator(f'[data-step="{step.value}"].now[aria-current="step"]').wait_for(timeout=5000)
    soon(lambda: page.locator('[data-step="passport"]').get_attribute("class") == "done")
    page.locator("[data-poll-status]", has_text="We compare the portrait").wait_for(timeout=5000, state="attached")

    # The worker is lost; another takes over, and the page goes with it instead of standing still.
    demo.clock.forward(minutes=5)
    with demo.db.transaction() as session:
        runs.recover(session, now=demo.clock())
    page.locator("[data-again]").wait_for(timeout=5000)
    page.locator('[data-step="submitted"].now').wait_for()
    order = begun(demo, case)
    page.locator('[data-step="photos"].now').wait_for(timeout=5000)
    found = with_letters()
    decision = Decision(outcome=Outcome.REFER, reasons=(ReasonCode.SURNAME_DIFFERS,), retake=frozenset(), policy_version=1)
    with demo.db.transaction() as session:
        runs.finish(session, order, found, decision, seconds=1.0, now=demo.clock())
    with page.expect_response(lambda answer: answer.url.endswith("/lines/surname"), timeout=15000) as line:
        page.locator("h1", has_text="A person is looking").wait_for(timeout=15000)
    assert line.value.status == 200
    soon(lambda: "Letter 7: you typed А, the page shows Й" in page.locator("main").inner_text())
    soon(lambda: page.locator(".print rect.letter").count() == 1)

    # She writes; the desk sees it, takes the case and answers.
    page.locator("a", has_text="Write to us").click()
    page.locator("textarea").fill("Is my photo <good> enough?")
    file = tmp_path / "note.jpg"
    file.write_bytes(picture("note"))
    page.locator("input[type=file]").set_input_files(file)
    page.locator("main form .actions button").click()
    page.locator(".thread .mine", has_text="Is my photo <good> enough?").wait_for()
    page.locator(".thread .shot img").scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.thread .shot img').naturalWidth > 100")
    desk = office.signed_in(Role.AGENT, name="Ada Agent")
    assert "customer wrote" in desk.fresh("/desk").text
    desk.post("/desk/next")
    seen = desk.fresh(f"/desk/cases/{case}").text
    assert "Is my photo &lt;good&gt; enough?" in seen and "waits for an answer" in seen
    assert desk.post(f"/desk/cases/{case}/messages", text="Yes. Please wait a little.", message=str(uuid4())).status_code == 303
    page.clock.install()
    page.goto(f"{address}/requests/{case}")
    answer = page.locator(".thread .ours", has_text="Yes. Please wait a little.")
    answer.wait_for()
    soon(lambda: answer.locator(".tag").inner_text() == "new")

    # News do not take what she is typing; an empty page shows them by itself.
    page.goto(f"{address}/requests/{case}/messages")
    page.locator("textarea").fill("Half a sentence")
    desk.fresh(f"/desk/cases/{case}")
    desk.post(f"/desk/cases/{case}/messages", text="One thing more.", message=str(uuid4()))
    page.clock.fast_forward(16000)
    page.locator("[data-news]").wait_for(timeout=5000)
    soon(lambda: page.locator("textarea").input_value() == "Half a sentence")
    page.locator("[data-news] a").click()
    page.locator(".thread .ours", has_text="One thing more.").wait_for()
    desk.fresh(f"/desk/cases/{case}")
    desk.post(f"/desk/cases/{case}/messages", text="And that is all.", message=str(uuid4()))
    page.clock.fast_forward(16000)
    page.locator(".thread .ours", has_text="And that is all.").wait_for(timeout=5000)
    context.close()


def test_the_messages_page_hears_of_news_while_the_machine_looks(demo: Portal, address: str, chromium: Any) -> None:
    customer = demo.customer()
    case = demo.draft(customer)
    sent(demo, case)
    page = chromium.new_context(viewport=SIZES["phone"]).new_page()
    page.add_init_script("const later = setTimeout; window.setTimeout = (act, time) => later(act, time === 15000 ? 200 : time);")
    told = {"state": "submitted", "version": demo.case(case).version, "step": None, "again": False, "messages": 1}
    page.route("**/progress.json", lambda route: route.fulfill(json=told, headers={"ETag": '"1"'}))
    come_in(page, demo, address, customer, "en")
    page.goto(f"{address}/requests/{case}/messages")
    with page.expect_navigation(timeout=5000):  # it has no steps to show, and loads anew all the same
        pass
    page.context.close()


def test_without_script_the_page_moves_on_and_messages_are_sent(demo: Portal, address: str, chromium: Any) -> None:
    customer = demo.customer()
    case = demo.draft(customer)
    sent(demo, case)
    context = chromium.new_context(viewport=SIZES["phone"], java_script_enabled=False)
    page = context.new_page()
    come_in(page, demo, address, customer, "en")
    page.goto(f"{address}/requests/{case}")
    order = begun(demo, case)
    with demo.db.transaction() as session:
        runs.step(session, order, Step.FACES, now=demo.clock())
    page.locator('[data-step="faces"].now').wait_for(timeout=15000)
    decision = Decision(outcome=Outcome.REFER, reasons=(), retake=frozenset(), policy_version=1)
    with demo.db.transaction() as session:
        runs.finish(session, order, with_letters(), decision, seconds=1.0, now=demo.clock())
    page.locator("h1", has_text="A person is looking").wait_for(timeout=15000)
    # By its address: the page loads itself anew every few seconds, and a click at that very moment leads nowhere.
    page.goto(address + (page.locator("a", has_text="Write to us").get_attribute("href") or ""))
    page.locator("textarea").fill("Written without script")
    page.locator("main form .actions button").click()
    page.locator(".thread .mine", has_text="Written without script").wait_for()
    context.close()


def with_letters() -> Any:
    """What a run found, with the place of each letter."""
    from dataclasses import replace

    from tests.webapp.pages import evidence
    from tests.webapp.test_status import BOXES
    from verification.evidence import Field, FieldReading, Source

    found = evidence(LETTER)
    line = FieldReading(value="ПЕТРОВЙ", confidence=0.9, certain=True, source=Source.VIZ, box=(200, 300, 274, 48), letters=BOXES)
    return replace(found, reading=replace(found.reading, fields={Field.SURNAME: line}))


PLACES = tuple((470 + 25 * n, 203, 24, 28) for n in range(7))
"""Where the second line of the drawn page has its letters."""


def states(portal: Portal) -> list[tuple[str, UUID, str, Callable[[Any], None] | None]]:
    """Every status page, as name, customer, address, and what is done before it is looked at."""
    out: list[tuple[str, UUID, str, Callable[[Any], None] | None]] = []

    def add(name: str, who: UUID, case: UUID, more: str = "", do: Callable[[Any], None] | None = None) -> None:
        out.append((name, who, f"/requests/{case}{more}", do))

    def fresh(name: str) -> tuple[UUID, UUID]:
        who = portal.customer(name)
        case = portal.draft(who)
        return who, case

    who, case = fresh("waits")
    sent(portal, case)
    add("submitted", who, case)
    who, case = fresh("faces")
    sent(portal, case)
    order = begun(portal, case)
    with portal.db.transaction() as session:
        runs.step(session, order, Step.FACES, now=portal.clock())
    add("faces", who, case)
    who, case = fresh("retakes")
    a_page(portal, case)
    with_places(portal, case, Outcome.RETAKE, (PhotoKind.DOCUMENT,), certain=False, places=PLACES)
    with portal.db.transaction() as session:
        session.get_one(Case, case).reasons = ["document_glare", "surname_differs"]
    add("retake", who, case)
    who, case = fresh("referred")
    a_page(portal, case)
    with_places(portal, case, Outcome.REFER, places=PLACES)
    add("in-review-quiet", who, case)
    who, case = fresh("talks")
    a_page(portal, case)
    with_places(portal, case, Outcome.REFER, places=PLACES)
    clean = images.normalise(picture("note"))
    with portal.db.transaction() as session:
        person = agent(session, portal.clock())
        review.take(session, case, agent=person, now=portal.clock())
        conversations.write(
            session, case, uuid4(), text="Здравствуйте! Фамилия в паспорте напечатана нечётко.", now=portal.clock()
        )
        conversations.write(session, case, uuid4(), text="", photo=clean, now=portal.clock() + timedelta(minutes=1))
        words = "Спасибо.\nМы видим строку, ответ будет сегодня. Ничего присылать не нужно."
        conversations.write(session, case, uuid4(), text=words, agent=person, now=portal.clock() + timedelta(minutes=9))
    add("in-review-talk", who, case)
    add("messages", who, case, "/messages")

    def empty(page: Any) -> None:
        page.locator("main form .actions button").click()
        page.locator("#problems").wait_for()

    add("messages-problem", who, case, "/messages", empty)
    who, case = fresh("changed")
    decided(portal, case, Outcome.APPROVE)
    add("changed", who, case)
    who, case = fresh("gone")
    decided(portal, case, Outcome.REFER, (ReasonCode.SURNAME_DIFFERS,))
    with portal.db.transaction() as session:
        conversations.write(session, case, uuid4(), text="I found the mistake myself.", now=portal.clock())
        intake.withdraw(session, case, now=portal.clock())
    add("withdrawn", who, case)
    add("messages-closed", who, case, "/messages")
    return out


LOOKS = {
    "ru": [("phone", "light"), ("phone", "dark"), ("desktop", "light")],
    "en": [("phone", "light"), ("desktop", "dark")],
    "kk": [("phone", "light")],
    "es": [("phone", "dark")],
}
"""Every size and scheme once, the longer languages on the phone."""


@pytest.mark.parametrize("language", list(LOOKS))
def test_no_state_has_an_axe_violation_and_each_has_its_picture(
    demo: Portal, address: str, chromium: Any, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    SHOTS.mkdir(exist_ok=True)
    found: list[str] = []
    monkeypatch.setattr(queries, "promise", lambda *_, **__: Promise(hours=3, measured=True))
    context = chromium.new_context(locale=language, reduced_motion="reduce", timezone_id="Asia/Almaty")
    page = context.new_page()
    page.on("pageerror", lambda error: found.append(f"script: {error}"))
    page.on("console", lambda m: found.append(f"console: {m.text}") if "Content Security Policy" in m.text else None)
    last: object = None
    for name, who, where, do in states(demo):
        if who != last:
            come_in(page, demo, address, who, language)
            last = who
        page.goto(address + where)
        if do is not None:
            do(page)
        for size, scheme in LOOKS[language]:
            name_of = f"status-{name}-{language}-{size}-{scheme}"
            page.set_viewport_size(SIZES[size])
            page.emulate_media(color_scheme=scheme)
            for image in page.locator("img[loading=lazy]").all():
                image.scroll_into_view_if_needed()
                image.evaluate("image => image.decode()")
            shot(page, SHOTS / f"{name_of}.png", full_page=True)
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                found.append(f"{name_of}: wider than the window")
            violations = axe.run(page, options={"runOnly": RULES}).response["violations"]
            found += [f"{name_of}: {v['id']} {v['nodes'][0]['html'][:200]}" for v in violations]
            small = page.locator("button:visible, a.button:visible, .actions a:visible, label.tile:visible, .change a:visible")
            found += [
                f"{name_of}: {t.inner_text()[:30]} is low"
                for t in small.all()
                if (t.bounding_box() or {"height": 99})["height"] < 44
            ]
    context.close()
    assert not found, "\n".join(found)
