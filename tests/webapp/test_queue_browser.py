"""The queue in headless Chromium: no axe violation, nothing too wide, clocks that run, a word before a case is free again.

Pictures land in tests/.shots/ (not kept in the repository) for people to look at.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from cases import queue, saved_views
from cases.models import Case, Role, Staff
from cases.rescue import LINE
from tests import factories
from tests.webapp.staff_fixtures import PASSWORD, Office, a_case, make_office
from tests.webapp.waiting import shot, soon

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = Path(__file__).resolve().parents[1] / ".shots"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"1440": {"width": 1440, "height": 900}, "1024": {"width": 1024, "height": 768}}


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
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


def furnish(office: Office) -> dict[str, Any]:
    """A queue as it looks on a weekday: one case of each lane, two of the desk's clocks near their end, a view kept."""
    now, due = office.clock(), timedelta(hours=office.settings.review_hours)
    out: dict[str, Any] = {
        "agent": office.member(Role.AGENT, name="Ada Agent"),
        "senior": office.member(Role.SENIOR_AGENT, name="Sue Senior"),
        "lead": office.member(Role.LEAD, name="Lea Lead"),
    }
    with office.db.transaction() as db:
        rows = {s.email: s for s in db.scalars(select(Staff))}
        late = a_case(db, now=now - due - timedelta(minutes=12), seed=1)
        close = a_case(db, now=now - due + timedelta(minutes=21), seed=2, country="KAZ")
        second = a_case(db, now=now - timedelta(hours=5), seed=3)
        escalated = a_case(db, now=now - timedelta(hours=4), seed=4, country="MEX")
        back = a_case(db, now=now - timedelta(hours=3), seed=5)
        free = a_case(db, now=now - timedelta(hours=1), seed=6)
        second.second_at, escalated.escalated_at, back.rescue = now, now, LINE + 2
        second.risk, back.locale, escalated.locale = "high", "kk", "es"
        close.owner_id, close.owner_until = rows[out["senior"]].id, now + timedelta(minutes=9)
        disputed = factories.an_approved(db, now=now - timedelta(hours=9))
        disputed.disputed_at = now - timedelta(minutes=40)
        factories.a_needs_retake(db, now=now - timedelta(minutes=90))
        queue.watch(db, free.id, rows[out["senior"]], now=now)
        rows[out["agent"]].skills = queue.Skills(languages=frozenset({"ru", "kk"}), high_risk=False).to_json()
        saved_views.keep(db, rows[out["agent"]], "Kazakhstan", {"country": "KAZ"}, now=now)
        saved_views.keep(db, rows[out["agent"]], "High risk, mine", {"view": "mine", "risk": "high"}, now=now)
        out |= {"late": late.id, "free": free.id}
    return out


def sign_in(page: Any, office: Office, address: str, email: str, language: str = "en") -> None:
    page.context.clear_cookies()
    page.goto(f"{address}/staff/sign-in")
    if page.locator(f".languages button[value={language}]").count():
        page.locator(f".languages button[value={language}]").click()
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.locator("#code").fill(office.code(email))
    page.keyboard.press("Enter")
    page.locator("nav.bar").wait_for()


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("ru", "dark")])
def test_no_page_of_the_queue_has_an_axe_violation_or_breaks(
    office: Office, address: str, chromium: Any, language: str, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    SHOTS.mkdir(exist_ok=True)
    scene = furnish(office)
    wrong: list[str] = []
    page = chromium.new_context(
        locale=language, color_scheme=scheme, reduced_motion="reduce", viewport=SIZES["1440"], timezone_id="UTC"
    ).new_page()
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("console", lambda message: wrong.append(f"console: {message.text}") if message.type == "error" else None)

    def look(name: str) -> None:
        for size, viewport in SIZES.items():
            page.set_viewport_size(viewport)
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if wide > 0:
                wrong.append(f"{name} at {size}: {wide} px too wide")
            shot(page, SHOTS / f"queue-{name}-{size}-{language}-{scheme}.png")
        page.set_viewport_size(SIZES["1440"])
        for violation in axe.run(page, options={"runOnly": RULES}).response["violations"]:
            places = [node["html"][:140] for node in violation["nodes"][:3]]
            wrong.append(f"{name}: {violation['id']} {places}")

    sign_in(page, office, address, scene["agent"], language)
    page.goto(f"{address}/desk")
    look("all")
    page.goto(f"{address}/desk?country=RUS&risk=ordinary")
    page.locator("details.keep summary").click()
    page.locator("#view-name").wait_for()
    look("keep")
    page.locator("details.manage summary").click()
    page.locator(".manage input[name=name]").first.wait_for()
    page.locator("details.keep summary").click()
    look("views")
    page.keyboard.press("Escape")
    page.fill("#q", "4524 654321")
    page.keyboard.press("Enter")
    page.locator(".found").wait_for()
    look("found")
    sign_in(page, office, address, scene["senior"], language)
    page.goto(f"{address}/desk")
    look("senior")
    sign_in(page, office, address, scene["lead"], language)
    page.goto(f"{address}/desk/skills")
    look("skills")
    page.context.close()
    assert not wrong


def test_clocks_run_and_lines_are_loaded_anew_unless_somebody_reads_them(office: Office, address: str, chromium: Any) -> None:
    scene = furnish(office)
    page = chromium.new_context(viewport=SIZES["1440"]).new_page()
    sign_in(page, office, address, scene["agent"])
    page.clock.install()
    page.goto(f"{address}/desk")
    page.locator("#queue-live").wait_for()
    late = page.locator(".clock.late b").nth(0)
    before = int(late.get_attribute("data-left"))
    page.clock.fast_forward(5000)
    soon(lambda: re.fullmatch(r"\d\d:\d\d", late.inner_text()))
    minutes, seconds = map(int, late.inner_text().split(":"))
    assert minutes * 60 + seconds >= -before + 4
    with office.db.transaction() as db:
        db.get_one(Case, scene["free"]).risk = "high"
    line = page.locator(f"tr:has(a[href$='{scene['free']}'])")
    page.locator(f"a[href$='{scene['late']}']").focus()
    page.clock.fast_forward(46_000)
    soon(lambda: line.locator(".chip.bad").count() == 0)
    page.evaluate("document.activeElement.blur()")
    with page.expect_response("**/desk/now*"):
        page.clock.fast_forward(46_000)
    soon(lambda: line.locator(".chip.bad").count() == 1)
    page.context.close()


def test_who_holds_a_case_is_warned_before_it_is_free_and_keeps_it_by_working_on(
    office: Office, address: str, chromium: Any
) -> None:
    scene = furnish(office)
    page = chromium.new_context(viewport=SIZES["1440"]).new_page()
    sign_in(page, office, address, scene["agent"])
    page.clock.install()
    page.goto(f"{address}/desk/cases/{scene['free']}")
    page.get_by_text("Also looking: Sue Senior").wait_for()
    page.keyboard.press("n")
    page.locator("[data-idle]").wait_for(state="attached")

    def later(**by: float) -> None:
        office.clock.forward(**by)
        with page.expect_response("**/watch"):
            page.clock.fast_forward(31_000)

    later(minutes=7, seconds=50)
    page.locator("[data-idle]").wait_for(state="hidden")
    later(seconds=20)
    page.locator("[data-idle-soon]").wait_for()
    soon(lambda: page.title().startswith("(0"))
    shot(page, SHOTS / "queue-idle-1440-en-light.png")
    with page.expect_response("**/touch"):
        page.keyboard.press("ArrowDown")
    page.locator("[data-idle]").wait_for(state="hidden")
    page.route("**/touch", lambda route: route.abort())  # a sign of life follows a key within a minute
    later(minutes=10, seconds=5)
    page.locator("[data-idle-over]").wait_for()
    page.unroute("**/touch")
    with office.db.transaction() as db:
        case = db.get_one(Case, scene["free"])
        case.owner_id = db.scalars(select(Staff.id).where(Staff.name == "Sue Senior")).one()
        case.owner_until = office.clock() + timedelta(minutes=10)
    with page.expect_response("**/touch"):
        page.locator("[data-idle-keep]").click()
    page.locator("[data-idle-lost]").wait_for()
    page.locator("[data-idle-keep]").wait_for(state="hidden")
    page.context.close()
