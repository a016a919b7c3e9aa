"""Rescue lane, story and quality in headless Chromium: no axe violation, nothing wider than the window, a review by keyboard."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from cases import conversations, quality, ratings, rescue, review
from cases.desk_tables import QualitySample
from cases.models import Role, Staff, Upload
from tests import factories
from tests.webapp.staff_fixtures import PASSWORD, Office, a_case, make_office
from tests.webapp.waiting import shot, soon
from verification.evidence import Field
from verification.reasons import PhotoKind, ReasonCode

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = Path(__file__).resolve().parents[1] / ".shots"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"1440": {"width": 1440, "height": 900}, "1024": {"width": 1024, "height": 768}, "390": {"width": 390, "height": 844}}


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings.model_copy(update={"quality_answers": 1.0, "quality_approvals": 1.0, "undo_seconds": 0}))
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


def furnish(office: Office) -> dict[str, Any]:
    """Two customers who are stuck, answers of several kinds, some reviewed: an approval in doubt among them."""
    now = office.clock()
    out: dict[str, Any] = {
        "senior": office.member(Role.SENIOR_AGENT, name="Sue Senior"),
        "reviewer": office.member(Role.SENIOR_AGENT, name="Rita Reviewer"),
    }
    day = timedelta(days=1)
    with office.db.transaction() as db:
        rows = {s.email: s for s in db.scalars(select(Staff))}
        agents = [factories.a_member(db, now=now, name=name) for name in ("Ada Agent", "Bo Agent", "Cy Agent")]
        customer = factories.a_customer(db, now=now - 60 * day)
        for days, agent in ((30, agents[0]), (12, agents[1])):
            case = factories.a_rejected(db, now=now - days * day, customer=customer, agent=agent)
            ratings.give(db, case.id, "very_hard" if days == 12 else "hard", words="Nobody told me why.", now=now - days * day)
        case = factories.an_in_review(db, now=now - 3 * day, customer=customer)
        for number in range(1, 5):
            db.add(
                Upload(
                    case_id=case.id, id=uuid4(), number=number, kind=PhotoKind.DOCUMENT, attempt=0, sha256="0" * 64,
                    codes=["document_glare"], created_at=now - 3 * day - timedelta(minutes=number),
                )
            )  # fmt: skip
        text = "Is anybody there? My wedding was in May, and my bank card is still in the old name."
        conversations.write(db, case.id, uuid4(), text=text, now=now - day)
        out["customer"] = customer.id
        other = factories.a_customer(db, now=now - 60 * day)
        factories.a_rejected(db, now=now - 8 * day, customer=other, agent=agents[2])
        factories.an_in_review(db, now=now - 2 * day, customer=other)
        rescue.refresh(db, now=now)
        for seed in range(8):
            case = a_case(db, now=now - timedelta(hours=30 + seed), seed=seed + 1)
            agent = agents[seed % 3]
            review.take(db, case.id, agent=agent, now=now - timedelta(hours=20))
            if seed % 4 == 3:
                answer = review.Disposal(
                    action="reject", reasons=(ReasonCode.SURNAME_DIFFERS,), note="A letter.", seen_version=case.version
                )
            else:
                answer = review.Disposal(
                    action="approve", note="Looked twice.", seen_version=case.version, checked=frozenset(Field)
                )
            review.dispose(db, case.id, answer, agent=agent, now=now - timedelta(hours=19 - seed))
        quality.draw(db, now=now)
        quality.plant(db, count=2, now=now)
        rita = rows[out["reviewer"]]
        for number in range(7):
            sample = quality.take_next(db, agent=rita, now=now)
            assert sample is not None
            alike = number not in (2, 5) and sample.specimen is None
            reasons = {ReasonCode(code) for code in sample.reasons} if alike else {ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER}
            verdict = quality.Verdict(
                action=sample.action if alike else "reject", reasons=frozenset(reasons), note="" if alike else "Another nose."
            )
            quality.give(db, sample.id, verdict, agent=rita, now=now)
            out["reviewed"] = sample.id
    return out


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("ru", "dark")])
def test_no_page_of_rescue_and_quality_breaks(office: Office, address: str, chromium: Any, language: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    SHOTS.mkdir(exist_ok=True)
    scene = furnish(office)
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
            shot(page, SHOTS / f"quality-{name}-{size}-{language}-{scheme}.png", full_page=size != "1440")
            if size != "1024":
                for violation in axe.run(page, options={"runOnly": RULES}).response["violations"]:
                    places = [node["html"][:140] for node in violation["nodes"][:3]]
                    wrong.append(f"{name} at {size}: {violation['id']} {places}")
        page.set_viewport_size(SIZES["1440"])

    sign_in(page, office, address, scene["senior"], language)
    for name, place in (("lane", "/desk/rescue"), ("story", f"/desk/rescue/{scene['customer']}"), ("page", "/desk/quality")):
        page.goto(address + place)
        look(name)
    page.locator("[data-key=n]").first.click()
    page.locator(".verdict").wait_for()
    page.wait_for_load_state("networkidle")
    page.keyboard.press("v")
    look("sample")
    page.keyboard.press("x")
    look("sample-reject")
    sign_in(page, office, address, scene["reviewer"], language)
    page.goto(f"{address}/desk/quality/{scene['reviewed']}")
    look("result")
    context.close()
    assert not wrong


def test_a_review_is_given_by_keyboard_and_the_first_answer_is_told_after_it(office: Office, address: str, chromium: Any) -> None:
    scene = furnish(office)
    page = chromium.new_context(viewport=SIZES["1440"]).new_page()
    sign_in(page, office, address, scene["senior"])
    page.goto(f"{address}/desk/quality")
    with page.expect_navigation():
        page.keyboard.press("n")
    sample = UUID(page.url.rsplit("/", 1)[1])
    box = page.locator(".verdict button.primary").bounding_box()
    assert box["y"] + box["height"] <= 900  # nothing to scroll for
    page.keyboard.press("b")
    soon(lambda: page.locator("dialog.zoom[open] .pane").count() >= 2)
    page.keyboard.press("Escape")
    page.locator("dialog.zoom").wait_for(state="hidden")
    page.keyboard.press("x")
    page.locator("input[value=surname_differs]").wait_for(state="visible")
    page.locator("input[value=selfie_blurred]").wait_for(state="hidden")
    page.locator("input[value=surname_differs]").check()
    with page.expect_navigation():
        page.locator(".verdict button.primary").press("Enter")
    page.locator(".result h1").wait_for()
    with office.db.reading() as db:
        assert db.get_one(QualitySample, sample).verdict == "reject"
    page.context.close()


def test_a_review_works_without_script(office: Office, address: str, chromium: Any) -> None:
    scene = furnish(office)
    page = chromium.new_context(viewport=SIZES["1440"], java_script_enabled=False).new_page()
    sign_in(page, office, address, scene["senior"])
    page.goto(f"{address}/desk/quality")
    page.locator(".next button").click()
    page.locator("input[value=ask_retake]").check()
    page.locator("input[value=selfie_blurred]").check()
    page.locator(".verdict button.primary").click()
    page.locator(".result h1").wait_for()
    page.locator(".result button.primary").click()
    page.locator(".verdict").wait_for()
    page.context.close()
