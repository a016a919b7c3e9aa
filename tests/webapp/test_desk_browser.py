"""Desk and ops in headless Chromium: no axe violation, nothing wider than the window, the whole review by keyboard.

Pictures land in tests/.shots/ (not kept in the repository) for people to look at.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from cases import customers, duplicates, policies, review
from cases.duplicates import Candidate
from cases.lifecycle import State
from cases.models import Case, FaceEncoding, Heartbeat, Role, Staff
from tests import factories
from tests.webapp.staff_fixtures import CLAIM, PASSWORD, PROFILE, Office, a_case, found, make_office
from tests.webapp.waiting import shot, soon
from verification.challenge import Sign
from verification.evidence import ChangeReason, Claim, Field, Liveness
from verification.hints import Hint
from verification.policy import SHIPPED
from verification.reasons import ReasonCode

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = Path(__file__).resolve().parents[1] / ".shots"
UNSURE = frozenset({Field.SURNAME, Field.ISSUED_ON, Field.ISSUER_CODE})
"""Rows that the run of `found` was not sure of: who approves ticks them."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"1440": {"width": 1440, "height": 900}, "1024": {"width": 1024, "height": 768}, "390": {"width": 390, "height": 844}}


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


def furnish(office: Office) -> dict[str, Any]:
    """A desk as it looks on a weekday: cases of several kinds, policies with a past, one proposal open."""
    now = office.clock()
    people = {
        "agent": office.member(Role.AGENT, name="Ada Agent"),
        "senior": office.member(Role.SENIOR_AGENT, name="Sue Senior"),
        "ops": office.member(Role.OPS, name="Olga Ops"),
        "second": office.member(Role.OPS, name="Sam Second"),
        "auditor": office.member(Role.AUDITOR, name="Aud It"),
    }
    out: dict[str, Any] = {**people}
    with office.db.transaction() as db:
        rows = {s.email: s for s in db.scalars(select(Staff))}
        stranger = found(similarity=1.4, problems=(ReasonCode.DOCUMENT_GLARE,))
        expired = found(days_to_expiry=-12, never_expires=False, earlier_number_seen=True)
        mistake = Claim(reason=ChangeReason.MISTAKE, values={Field.GIVEN_NAMES: "МАРИАННА"})
        out["case"] = a_case(db, now=now - timedelta(hours=20), seed=1).id
        out["stranger"] = a_case(db, now=now - timedelta(hours=26), seed=2, evidence=stranger).id
        a_case(db, now=now - timedelta(hours=3), seed=3, evidence=expired, country="KAZ")
        shown = Liveness(frames=6, turned=0.5, depth=0.01, same_face=3.1, timely=True, signs=(Sign.CAMERA_VIRTUAL.value,))
        doubted = found(hints=(Hint.SEEN_ON_SCREEN, Hint.WITHOUT_COLOUR), liveness=shown, portrait_years=17.4)
        case = a_case(db, now=now - timedelta(hours=4), seed=8, evidence=doubted)
        twin = Candidate(case_id=out["case"], customer_id=case.customer_id, similarity=9.0, fmr=2e-5, expected=0.04).to_json()
        db.add(
            FaceEncoding(
                case_id=case.id, customer_id=case.customer_id, data_key_id=case.data_key_id, code_sealed=b"sealed",
                candidates=[twin], searched=2000, created_at=now, searched_at=now,
            )
        )  # fmt: skip
        out["doubted"] = case.id
        a_case(db, now=now - timedelta(hours=2, minutes=9), seed=4, claim=mistake, evidence=found(mistake, PROFILE))
        other = a_case(db, now=now - timedelta(minutes=50), seed=5).id
        review.take(db, other, agent=rows[people["senior"]], now=now)
        a_case(db, now=now - timedelta(minutes=12), seed=6, country="MEX")
        disputed = a_case(db, now=now - timedelta(days=2), seed=7)
        taken = review.take(db, disputed.id, agent=rows[people["agent"]], now=now - timedelta(days=1))
        done = review.Disposal(
            action="approve", seen_version=taken.version, note="Letter checked against the printed page.", checked=UNSURE
        )
        review.dispose(db, disputed.id, done, agent=rows[people["agent"]], now=now - timedelta(days=1))
        token = customers.make_link(db, "not_me", disputed.customer, case=disputed, lifetime=timedelta(days=1), now=now)
        customers.report_not_me(db, customers.redeem_link(db, token, "not_me", now=now), now=now - timedelta(minutes=30))
        out["disputed"], out["other"] = disputed.id, other
        for minutes in range(4):
            factories.an_approved(db, now=now - timedelta(minutes=200 + minutes))
        factories.a_needs_retake(db, now=now - timedelta(minutes=90))
        db.add_all(
            [Heartbeat(name="verify-1", at=now - timedelta(seconds=3)), Heartbeat(name="upkeep", at=now - timedelta(seconds=1))]
        )
        olga = rows[people["ops"]]
        for changes, reason in (
            ({"min_selfie_document": 6.4}, "Two impostors came close last week"),
            ({"min_selfie_document": 5.8, "require_voices_agree": False}, "Too many referrals on old passports"),
        ):
            made = policies.draft(db, SHIPPED.from_json({**SHIPPED.to_json(), **changes}), author=olga, reason=reason, now=now)
            factories.seen(db, made.version, by=olga, now=now)
            policies.propose(db, made.version, by=olga, reason=reason, now=now)
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
    page.wait_for_load_state("load")  # its scripts have run then: a key pressed before goes to nobody


SCREENS = (
    ("agent", "queue", "/desk"),
    ("agent", "case-free", "/desk/cases/{case}"),
    ("agent", "case-doubted", "/desk/cases/{doubted}"),
    ("agent", "case-mine", "/desk/cases/{stranger}"),
    ("agent", "case-mine-letter", "/desk/cases/{case}"),
    ("senior", "case-disputed", "/desk/cases/{disputed}"),
    ("ops", "ops-now", "/ops"),
    ("ops", "faces", "/ops/faces"),
    ("ops", "policies", "/ops/policies"),
    ("ops", "draft", "/ops/policies/draft"),
    ("second", "policy-pending", "/ops/policies/3"),
    ("auditor", "audit", "/ops/audit"),
)


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("ru", "dark")])
def test_no_screen_has_an_axe_violation_or_breaks(
    office: Office, address: str, chromium: Any, language: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "switched_on", lambda session: True)
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
            shot(page, SHOTS / f"desk-{name}-{size}-{language}-{scheme}.png", full_page=size != "1440")
            if size != "1024":
                for violation in axe.run(page, options={"runOnly": RULES}).response["violations"]:
                    places = [node["html"][:140] for node in violation["nodes"][:3]]
                    wrong.append(f"{name} at {size}: {violation['id']} {places}")
        page.set_viewport_size(SIZES["1440"])

    page.goto(f"{address}/staff/sign-in")
    look("sign-in")
    who = ""
    for person, name, place in SCREENS:
        if person != who:
            sign_in(page, office, address, scene[person], language)
            who = person
        page.goto(address + place.format(**scene))
        if name.startswith("case-mine"):
            page.locator("[data-key=n]").first.click()
            page.locator("#answer").wait_for()
            page.wait_for_load_state("networkidle")
            page.keyboard.press("x")
        look(name)
    context.close()
    assert not wrong


def test_the_decision_fits_a_laptop_without_scrolling(office: Office, address: str, chromium: Any) -> None:
    scene = furnish(office)
    page = chromium.new_context(viewport=SIZES["1440"]).new_page()
    sign_in(page, office, address, scene["agent"])
    page.goto(f"{address}/desk/cases/{scene['case']}")
    page.keyboard.press("n")
    page.locator("#answer").wait_for()
    for key in ("a", "t", "x"):
        page.keyboard.press(key)
        for part in (".photo.page", ".facts-table", ".decide .go"):
            box = page.locator(part).bounding_box()
            assert box["y"] + box["height"] <= 900, (key, part)
    page.context.close()


def test_a_case_is_reviewed_with_six_keys(office: Office, address: str, chromium: Any) -> None:
    scene = furnish(office)
    page = chromium.new_context(viewport=SIZES["1440"]).new_page()
    pressed = []

    def press(key: str) -> None:
        pressed.append(key)
        page.keyboard.press(key)

    sign_in(page, office, address, scene["agent"])
    with page.expect_navigation():
        press("n")
    first = page.url
    press("4")
    page.locator("dialog.zoom[open] canvas").wait_for()
    press("Escape")
    page.locator("dialog.zoom[open]").wait_for(state="detached")  # Chromium closes it a moment after the key
    press("b")
    soon(lambda: page.locator("dialog.zoom[open] .pane").count() == 3)
    press("Escape")
    page.locator("#note").fill("Looked twice.")
    page.keyboard.press("Escape")
    press("a")
    rows = page.locator("[name=checked]:not(:checked)")
    for _row in range(rows.count()):
        press("Space")  # ticks the row that has the focus and goes on to the next
    assert rows.count() == 0
    with page.expect_navigation():
        press("Control+Enter")
    soon(lambda: page.url != first and "/desk/cases/" in page.url)
    looked = ("4", "Escape", "b", "Escape")  # two looks at the pictures, each opened and closed: she may, and need not
    rows_here = pressed.count("Space")
    assert rows_here <= 4 and len(pressed) - len(looked) - rows_here == 3, pressed  # take, approve, send: the rest is looking
    with office.db.reading() as db:
        assert db.get_one(Case, scene["stranger"]).second_at is not None  # faces that differ take two people
    page.context.close()


def test_everything_works_without_script(office: Office, address: str, chromium: Any) -> None:
    scene = furnish(office)
    page = chromium.new_context(viewport=SIZES["1440"], java_script_enabled=False).new_page()
    sign_in(page, office, address, scene["agent"])
    page.goto(f"{address}/desk/cases/{scene['case']}")
    page.locator(".decide button").click()
    page.locator("input[value=reject]").check()
    page.locator("input[value=surname_differs]").check()
    page.fill("#note", "One letter differs.")
    page.locator(".go button[value=queue]").click()
    page.locator("h1:has-text('Queue')").wait_for()
    with office.db.reading() as db:
        assert db.get_one(Case, scene["case"]).state is State.REJECTED
    assert CLAIM.values[Field.SURNAME] not in page.content()
    page.context.close()
