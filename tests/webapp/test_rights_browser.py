"""Pages in place of a case, an auditor's case and a week of one's own, in headless Chromium: axe, widths, pictures.

Pictures land in tests/.shots/ (not kept in the repository) for people to look at.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from cases import review
from cases.desk_tables import CaseNote
from cases.models import Role, Staff
from cases.reports import ReportWeek
from tests import factories
from tests.cases import report_scenes
from tests.conftest import NOW
from tests.webapp.staff_fixtures import Office, a_case, make_office
from tests.webapp.test_desk_browser import RULES, SHOTS, SIZES, sign_in
from tests.webapp.waiting import shot
from verification.reasons import ReasonCode

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WEEK = ReportWeek.last_whole(NOW, time_zone="Europe/Moscow")


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
    """Ada's case that was answered, one that Sue holds, one for senior agents, one that was never sent."""
    now = office.clock()
    out: dict[str, Any] = {
        "agent": office.member(Role.AGENT, name="Ada Agent"),
        "senior": office.member(Role.SENIOR_AGENT, name="Sue Senior"),
        "lead": office.member(Role.LEAD, name="Lena Lead"),
        "auditor": office.member(Role.AUDITOR, name="Aud It"),
    }
    with office.db.transaction() as db:
        who = {member.email: member for member in db.scalars(select(Staff))}
        ada, sue = who[out["agent"]], who[out["senior"]]
        held, passed, done = (a_case(db, now=now - timedelta(hours=n), seed=n) for n in (1, 2, 3))
        review.take(db, held.id, agent=sue, now=now)
        review.take(db, passed.id, agent=ada, now=now)
        review.escalate(db, passed.id, agent=ada, note="Look at the seal.", now=now)
        review.take(db, done.id, agent=ada, now=now)
        refusal = review.Disposal(
            action="reject", reasons=(ReasonCode.SURNAME_DIFFERS,), note="Another name.", seen_version=done.version
        )
        review.dispose(db, done.id, refusal, agent=ada, now=now)
        agents = [ada.id, *(factories.a_member(db, now=now).id for _ in range(5))]
        report_scenes.keep(db, WEEK, agents=agents, now=now, seed=1)
        out |= {"held": held.id, "passed": passed.id, "done": done.id, "draft": factories.a_draft(db, now=now).id}
    return out


SCREENS = (
    ("agent", "held", "/desk/cases/{held}"),
    ("agent", "passed", "/desk/cases/{passed}"),
    ("agent", "draft", "/desk/cases/{draft}"),
    ("agent", "week", f"/desk/me/week?week={WEEK}"),
    ("lead", "read-only", "/desk/cases/{held}"),
    ("auditor", "masked", "/ops/audit/cases/{done}"),
)


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("ru", "dark")])
def test_what_is_shown_in_place_of_a_case_has_no_fault(
    office: Office, address: str, chromium: Any, language: str, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    SHOTS.mkdir(exist_ok=True)
    scene, wrong, who = furnish(office), [], ""
    context = chromium.new_context(
        locale=language, color_scheme=scheme, reduced_motion="reduce", viewport=SIZES["1440"], timezone_id="UTC"
    )
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    for person, name, place in SCREENS:
        if person != who:
            sign_in(page, office, address, scene[person], language)
            who = person
        page.goto(address + place.format(**scene))
        assert name == "read-only" or "ПРИМЕРНАЯ" not in page.content(), name
        for size, viewport in SIZES.items():
            page.set_viewport_size(viewport)
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if wide > 0:
                wrong.append(f"{name} at {size}: {wide} px too wide")
            shot(page, SHOTS / f"rights-{name}-{size}-{language}-{scheme}.png", full_page=True)
        for violation in axe.run(page, options={"runOnly": RULES}).response["violations"]:
            wrong.append(f"{name}: {violation['id']} {[node['html'][:140] for node in violation['nodes'][:3]]}")
        page.set_viewport_size(SIZES["1440"])
    context.close()
    assert not wrong


def test_what_a_customer_said_on_the_phone_reaches_who_has_her_case(office: Office, address: str, chromium: Any) -> None:
    """Without a script, by who may not read the case."""
    scene = furnish(office)
    page = chromium.new_context(viewport=SIZES["1440"], java_script_enabled=False).new_page()
    sign_in(page, office, address, scene["agent"])
    page.goto(f"{address}/desk/cases/{scene['held']}")
    page.get_by_text("Sue Senior has this case until").wait_for()
    page.locator(".leave-note button").click()
    page.get_by_text("Write the note first.").wait_for()
    page.fill("#note", "She called: the passport is on its way.")
    page.locator(".leave-note button").click()
    page.get_by_text("The note is kept").wait_for()
    assert page.url.endswith(f"/desk/cases/{scene['held']}") and page.locator("#note").input_value() == ""
    with office.db.reading() as db:
        assert db.scalars(select(CaseNote.case_id).where(CaseNote.kind == "note")).all() == [scene["held"]]
    page.context.close()
