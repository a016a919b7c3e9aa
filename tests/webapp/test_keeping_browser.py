"""Queues, audit and retention in headless Chromium: no axe violation, nothing wider than the window. Pictures for people."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from cases import audit, backlog, notifications, retention, runs, webhooks
from cases.host_tables import StaffMail, WebhookDelivery
from cases.models import Case, Heartbeat, Notification, Role
from tests import factories as a
from tests.webapp.staff_fixtures import PASSWORD, Office, a_case, make_office
from tests.webapp.waiting import shot
from workers import queues

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = Path(__file__).resolve().parents[1] / ".shots"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"1440": {"width": 1440, "height": 900}, "390": {"width": 390, "height": 844}}
PAGES = {"queues": "/ops/queues", "retention": "/ops/retention?orphans=count", "audit": "/ops/audit?kind=run_finished"}


@pytest.fixture
def office(settings: Any, database: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setattr(queues, "rings", lambda: [queues.Rings(queue=n, rings=7, started=1, failed=2) for n in queues.JOBS])
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


def furnish(office: Office) -> None:
    """Some weeks of shredding, a run that died, a mail that was given up, a silent worker, a dispute."""
    now = office.clock()
    with office.db.transaction() as db:
        kept = timedelta(days=db.info["settings"].photo_days)
        for day in (33, 34, 34, 36, 40, 41, 41, 41, 45):
            a.an_approved(db, now=now - timedelta(days=day))
            retention.shred_due(db, now=now - timedelta(days=day) + kept)
        for day in (3, 29, 28, 27):
            case = a.an_approved(db, now=now - timedelta(days=day))
        db.get_one(Case, case.id).disputed_at = now
        a.a_submitted(db, now=now - timedelta(minutes=4))
        lost = a.a_submitted(db, now=now - timedelta(hours=2))
        late = now - timedelta(hours=1)
        for _ in range(db.info["settings"].max_runs):
            order = runs.begin(db, lost.id, now=late)
            assert order is not None
            late = order.lease_until + timedelta(seconds=1)
            runs.recover(db, now=late)
        for seed in range(4):
            a_case(db, now=now - timedelta(minutes=10 + seed), seed=seed)
        row = db.scalars(select(Notification).where(Notification.sent_at.is_(None))).first()
        assert row is not None
        row.tries = notifications.GIVE_UP_AFTER
        notifications.failed(db, row.id, now=now)
        url = "https://host.example/hooks"
        endpoint, _secret = webhooks.create(db, url=url, kinds=["case.in_review"], mode="live", by=None, now=now)
        ops = a.a_member(db, Role.OPS, name="Olga Ops", now=now)
        for minutes, code in enumerate(("timeout", "timeout", "http_503", "connection_refused")):
            at = now - timedelta(minutes=7 * minutes)
            delivery = WebhookDelivery(
                endpoint_id=endpoint.id, event_id=uuid4(), kind="case.in_review", body="{}", last_code=code
            )
            delivery.created_at = delivery.next_at = delivery.given_up_at = at
            delivery.case_id = case.id
            db.add(delivery)
            db.flush()
        backlog.set_aside(db, backlog.Failed.HOOK, delivery.id, why=backlog.Why.TOLD, agent=ops, now=now)
        retired = StaffMail(
            staff_id=ops.id, kind="halted", key="halt:1", context={}, created_at=now, next_at=now, given_up_at=now
        )
        db.add(retired)
        for name, ago in (("verify:box-1:411", 4), ("verify:box-2:87", 9), ("notify:box-1:412", 700), ("upkeep:box-1:413", 2)):
            db.add(Heartbeat(name=name, at=now - timedelta(seconds=ago)))
        db.add(Heartbeat(name="task:shred", at=now - timedelta(seconds=31)))
        audit.anchor(db, db.info["settings"].data_dir / "anchors", now=now)


def test_pages_are_clean_at_every_size_in_light_and_dark(office: Office, address: str, chromium: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    furnish(office)
    email = office.member(Role.LEAD, Role.OPS, Role.AUDITOR, name="Lea Lead")
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
    for name, place in PAGES.items():
        for size, scheme, language in (("1440", "light", "en"), ("390", "dark", "ru")):
            page.set_viewport_size(SIZES[size])
            page.emulate_media(color_scheme=scheme)
            assert page.goto(place).status == 200
            if page.locator(f".languages button[value={language}]").count():
                page.locator(f".languages button[value={language}]").first.click()
                page.wait_for_url("**" + place.partition("?")[0] + "*")
                page.goto(place)
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
            found = axe.run(page, options={"runOnly": RULES}).response["violations"]
            wrong += [f"{name} {size} {scheme}: {v['id']} {[n['html'] for n in v['nodes']][:3]}" for v in found]
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wrong.append(f"{name} {size}: wider than the window")
            shot(page, SHOTS / f"ops-{name}-{size}-{language}-{scheme}.png", full_page=True)
    context.close()
    assert not wrong, "\n".join(wrong)
