"""What-if and undo in headless Chromium: no axe violation, nothing too wide, a double click that starts once, progress by itself.

Pictures land in tests/.shots/ (not kept in the repository) for people to look at.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.serving import make_server

from cases import customers, policies, profiles, replays, undo
from cases.crypto import Unreadable
from cases.models import Case, Role, Staff
from cases.ops_tables import ReplayReport
from tests import factories as a
from tests.webapp.staff_fixtures import PASSWORD, Office, make_office
from tests.webapp.waiting import shot, soon
from verification.evidence import Field, Profile
from verification.policy import SHIPPED

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = Path(__file__).resolve().parents[1] / ".shots"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"1440": {"width": 1440, "height": 900}, "1024": {"width": 1024, "height": 768}, "390": {"width": 390, "height": 844}}
REASON = "Policy 1 was too lenient since noon"


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


def furnish(office: Office, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A lenient draft over some days: flows of every kind, two would-be wrong approvals, one group treated otherwise."""
    monkeypatch.setattr(replays, "LEAST_GROUP", 3)
    now = office.clock()
    scene: dict[str, Any] = {
        "ops": office.member(Role.OPS, name="Olga Ops"),
        "lead": office.member(Role.LEAD, name="Lena Lead"),
    }
    with office.db.transaction() as db:
        yesterday = now - timedelta(days=1)
        man = replace(a.PROFILE, values={**a.PROFILE.values, Field.SEX: "M"})
        for _case in range(4):
            customer = a.a_customer(db, now=yesterday, profile=man)
            a.an_approved(db, now=yesterday, customer=customer)
        scene["moved"] = a.an_approved(db, now=yesterday).id
        scene["wrong"] = a.a_rejected(db, now=yesterday).id
        a.a_rejected(db, now=yesterday)
        for _case in range(3):
            a.an_in_review(db, now=yesterday)
        a.approved_by_people(db, a.an_in_review(db, now=yesterday), now=yesterday)
        a.a_needs_retake(db, now=yesterday)
        host = Profile(values={**a.PROFILE.values, Field.SURNAME: "CHANGEDBYHOST"})
        customer = db.get_one(Case, scene["moved"]).customer
        customers.upsert(db, customer.external_id, host, email=a.OLD_EMAIL, locale="en", now=now)
        olga = db.scalars(select(Staff).where(Staff.name == "Olga Ops")).one()
        lenient = replace(SHIPPED, min_selfie_document=4.0, require_voices_agree=False)
        scene["version"] = policies.draft(db, lenient, author=olga, reason="Fewer referrals", now=now).version
    return scene


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
    page.wait_for_url(lambda url: "/staff/" not in url)


def proposal(office: Office) -> Any:
    with office.db.transaction() as db:
        olga = db.scalars(select(Staff).where(Staff.name == "Olga Ops")).one()
        return undo.propose(db, undo.Selection(version=1), by=olga, reason=REASON, now=office.clock()).id


def stubborn(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nothing can be taken back."""

    def take_back(_session: Any, case: Case, **about: Any) -> Any:
        if about["customer"].profile_version_id != case.applied_version_id:
            raise profiles.ProfileMovedOn
        raise Unreadable

    monkeypatch.setattr(profiles, "take_back", take_back)


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("ru", "dark")])
def test_no_screen_has_an_axe_violation_or_breaks(
    office: Office, address: str, chromium: Any, language: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    SHOTS.mkdir(exist_ok=True)
    scene = furnish(office, monkeypatch)
    wrong: list[str] = []
    context = chromium.new_context(
        locale=language, color_scheme=scheme, reduced_motion="reduce", viewport=SIZES["1440"], timezone_id="UTC"
    )
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("console", lambda message: wrong.append(f"console: {message.text}") if message.type == "error" else None)

    def look(name: str) -> None:
        for size, viewport in SIZES.items():
            page.set_viewport_size(viewport)
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if wide > 0:
                wrong.append(f"{name} at {size}: {wide} px too wide")
            shot(page, SHOTS / f"replay-{name}-{size}-{language}-{scheme}.png", full_page=size != "1440")
            if size != "1024":
                for violation in axe.run(page, options={"runOnly": RULES}).response["violations"]:
                    places = [node["html"][:140] for node in violation["nodes"][:3]]
                    wrong.append(f"{name} at {size}: {violation['id']} {places}")
        page.set_viewport_size(SIZES["1440"])

    sign_in(page, office, address, scene["lead"], language)
    page.goto(f"{address}/ops/policies/{scene['version']}/what-if")
    look("before")
    page.locator("form[data-once] button").click()
    page.locator("svg.flows").wait_for()
    look("what-if")
    page.locator("table a.mono").first.click()
    page.locator("table.measured").wait_for()
    look("wrong")
    page.goto(f"{address}/ops/undo?version=1")
    look("undo-preview")
    number = proposal(office)
    page.goto(f"{address}/ops/undo/{number}")
    look("undo-confirm")
    page.fill("#count", "5")
    page.locator("button.danger").click()
    page.locator("#progress").wait_for()
    undo.carry_out(office.db, now=office.clock(), most=3)
    soon(lambda: "3" in page.locator("#progress [role=status]").inner_text())
    look("undo-progress")
    stubborn(monkeypatch)
    undo.carry_out(office.db, now=office.clock())
    page.locator("[data-done]").wait_for()
    page.locator(".conflicts a").wait_for()
    page.locator("#failed").wait_for()
    look("undo-done")
    page.goto(f"{address}/ops/undo")
    look("undo-list")
    context.close()
    assert not wrong


def test_a_double_click_replays_once(office: Office, address: str, chromium: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = furnish(office, monkeypatch)
    page = chromium.new_context(viewport=SIZES["1440"]).new_page()
    sign_in(page, office, address, scene["ops"])
    page.goto(f"{address}/ops/policies/{scene['version']}/what-if")
    page.locator("form[data-once] button").dblclick()
    page.locator("svg.flows").wait_for()
    with office.db.reading() as db:
        assert db.scalar(select(func.count()).select_from(ReplayReport)) == 1
    page.context.close()


def test_everything_works_without_script(office: Office, address: str, chromium: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = furnish(office, monkeypatch)
    page = chromium.new_context(viewport=SIZES["1440"], java_script_enabled=False).new_page()
    sign_in(page, office, address, scene["ops"])
    page.goto(f"{address}/ops/policies/{scene['version']}/what-if")
    page.locator("form[data-once] button").click()
    page.locator("svg.flows").wait_for()
    page.goto(f"{address}/ops/undo")
    page.select_option("#version", "1")
    page.locator(".undo-choice button").click()
    page.fill("#why", REASON)
    page.locator("#preview ~ form button.primary").click()
    page.locator("#second").wait_for()
    number = page.url
    sign_in(page, office, address, scene["lead"])
    page.goto(number)
    page.fill("#count", "5")
    page.locator("button.danger").click()
    page.locator("#progress").wait_for()
    assert undo.carry_out(office.db, now=office.clock()) == 5
    page.locator("#progress a").first.click()
    page.locator("[data-done]").wait_for()
    page.context.close()
