"""The weekly report in headless Chromium: no axe violation, nothing wider than the window, and on paper nothing but the report.

Pictures land in tests/.shots/ (not kept in the repository) for people to look at.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from cases.models import Role, Staff
from cases.reports import ReportWeek
from tests.cases import report_scenes
from tests.conftest import NOW
from tests.webapp.staff_fixtures import PASSWORD, Office, make_office
from tests.webapp.waiting import shot

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = Path(__file__).resolve().parents[1] / ".shots"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
VIEWS = (("1440", 1440, 900, "light"), ("1024", 1024, 768, "dark"), ("390", 390, 844, "light"))
WEEK = ReportWeek.last_whole(NOW, time_zone="Europe/Moscow")
NAMES = ("Ada Agent", "Ben Berg", "Cleo Chan", "Dina Dorn", "Edda Ems")


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


def sign_in(page: Any, office: Office, address: str, email: str, language: str) -> None:
    page.goto(f"{address}/staff/sign-in")
    if page.locator(f".languages button[value={language}]").count():
        page.locator(f".languages button[value={language}]").click()
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.locator("#code").fill(office.code(email))
    page.keyboard.press("Enter")
    page.locator("nav.bar").wait_for()


def test_the_report_is_readable_on_any_screen_and_on_paper(office: Office, address: str, chromium: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    SHOTS.mkdir(exist_ok=True)
    emails = [office.member(Role.AGENT, name=name) for name in NAMES]
    lead = office.member(Role.LEAD, name="Lea Lead")
    with office.db.transaction() as db:
        ids = list(db.scalars(select(Staff.id).where(Staff.email.in_(emails)).order_by(Staff.name)))
        for seed, week in enumerate((WEEK.before, WEEK)):
            report_scenes.keep(db, week, agents=ids, now=office.clock(), seed=seed)
    context = chromium.new_context(locale="ru", reduced_motion="reduce")
    page, wrong = context.new_page(), []
    page.on("console", lambda message: wrong.append(f"console: {message.text}") if message.type == "error" else None)
    sign_in(page, office, address, lead, "ru")
    for name, width, height, scheme in VIEWS:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{address}/ops/reports")
        page.locator(".report-tile").first.wait_for()
        found = axe.run(page, options={"runOnly": {"type": "tag", "values": RULES}}).response["violations"]
        wrong += [f"{name} {scheme}: {one['id']} {[node['target'] for node in one['nodes']][:3]}" for one in found]
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            wrong.append(f"{name}: {wide} pixels wide")
        shot(page, SHOTS / f"report-ru-{name}-{scheme}.png", full_page=True)
    page.emulate_media(media="print", color_scheme="dark")
    for hidden in (".top", ".ops-nav", ".filters", ".mail-choice", ".report-tools"):
        assert not page.locator(hidden).first.is_visible(), hidden
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"  # dark ink on white, always
    assert not wrong
    context.close()
