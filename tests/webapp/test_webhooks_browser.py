"""Webhooks and the helpdesk in headless Chromium: no axe violation, nothing wider than the window. Pictures for people."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from cases import webhooks
from cases.host_tables import TicketMessage, WebhookDelivery
from cases.models import Role
from tests import factories as a
from tests.webapp.staff_fixtures import PASSWORD, Office, make_office
from tests.webapp.waiting import shot

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = Path(__file__).resolve().parents[1] / ".shots"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOOKS = (
    ("1440", {"width": 1440, "height": 900}, "light", "en"),
    ("1024", {"width": 1024, "height": 768}, "dark", "ru"),
    ("390", {"width": 390, "height": 844}, "light", "ru"),
)


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    more = {"helpdesk_mail": "help@desk.example", "helpdesk_from": "peremena@lender.example"}
    made = make_office(settings.model_copy(update=more))
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


def furnish(office: Office) -> None:
    """Three endpoints, one well, one failing, one switched off by itself; deliveries and tickets of every outcome."""
    now = office.clock()
    with office.db.transaction() as db:
        well, _ = webhooks.create(
            db, url="https://hooks.lender.example/peremena", kinds=webhooks.KINDS, mode="live", by=None, now=now
        )
        failing, _ = webhooks.create(
            db,
            url="https://integration-gateway.crm.lender.example/v2/tenants/4711/events/in",
            kinds=["case.approved", "profile.changed"],
            mode="live",
            by=None,
            now=now,
        )
        gone, _ = webhooks.create(db, url="https://old.lender.example/", kinds=["case.approved"], mode="test", by=None, now=now)
        webhooks.rotate(db, well.id, by=None, now=now)
        well_id, failing_id, gone_id = well.id, failing.id, gone.id
    for hours in (9, 5, 2, 1):
        with office.db.transaction() as db:
            a.an_approved(db, now=now - timedelta(hours=hours))
    with office.db.transaction() as db:
        a.a_rejected(db, now=now - timedelta(minutes=30))
    with office.db.transaction() as db:
        a.an_in_review(db, now=now - timedelta(minutes=20))
    with office.db.transaction() as db:
        for row in db.scalars(select(WebhookDelivery).order_by(WebhookDelivery.created_at, WebhookDelivery.sequence)).all():
            webhooks.begin_sending(db, row.id, now=now)
            if row.endpoint_id == well_id:
                webhooks.delivered(db, row.id, status=204, now=now)
            else:
                row.tries = 15 if row.kind == "profile.changed" else 4
                webhooks.failed(db, row.id, code="tls_certificate" if row.tries == 15 else "http_503", jitter=0.5, now=now)
        test = webhooks.send_test(db, gone_id, by=None, now=now)
        webhooks.begin_sending(db, test.id, now=now)
        webhooks.failed(db, test.id, code="http_410", status=410, jitter=0.5, now=now)
        assert db.get_one(webhooks.WebhookEndpoint, failing_id).failing_since is not None
        for row, code in zip(db.scalars(select(TicketMessage)).all(), (None, "smtp_550"), strict=False):
            if code is None:
                row.sent_at, row.tries = now, 1
            else:
                row.given_up_at, row.tries, row.last_code = now, 14, code


def test_pages_are_clean_at_every_size_in_light_and_dark(office: Office, address: str, chromium: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    SHOTS.mkdir(exist_ok=True)
    furnish(office)
    email = office.member(Role.ADMIN, name="Anna Admin")
    with office.db.reading() as db:
        bad = db.scalars(select(WebhookDelivery.id).where(WebhookDelivery.given_up_at.is_not(None))).first()
    pages = {
        "webhooks": "/ops/webhooks",
        "delivery": f"/ops/webhooks/deliveries/{bad}",
        "helpdesk": "/ops/helpdesk",
    }
    wrong = []
    context = chromium.new_context(base_url=address, locale="en-GB")
    page = context.new_page()
    page.goto("/staff/sign-in")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.fill("input[name=code]", office.code(email))
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/staff/code" not in url)
    for size, window, scheme, language in LOOKS:
        page.set_viewport_size(window)
        page.emulate_media(color_scheme=scheme)
        if language == "ru" and page.locator("html").get_attribute("lang") != "ru":
            page.click("button[name=language][value=ru]")
        for name, place in pages.items():
            assert page.goto(place).status == 200
            page.evaluate("document.querySelectorAll('.endpoint details').forEach((one, at) => { one.open = at === 0 })")
            found = axe.run(page, options={"runOnly": RULES}).response["violations"]
            wrong += [f"{name} {size} {scheme}: {v['id']} {[n['html'] for n in v['nodes']][:3]}" for v in found]
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wrong.append(f"{name} {size}: wider than the window")
            shot(page, SHOTS / f"ops-{name}-{size}-{scheme}.png", full_page=True)
    context.close()
    assert wrong == []
