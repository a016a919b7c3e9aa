"""The page of the faces in headless Chromium, while a calibration waits: no axe violation, nothing too wide, one click confirms.

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

from cases import calibration
from cases.models import Role, Staff
from tests.webapp.staff_fixtures import Office, make_office
from tests.webapp.test_desk_browser import RULES, SHOTS, SIZES, sign_in
from tests.webapp.test_faces_page import labelled, no_face_on_file
from tests.webapp.waiting import shot

pytestmark = [pytest.mark.browser, pytest.mark.slow]

__all__ = ["labelled"]

LOOKS = (("1440", "light", "en"), ("390", "dark", "ru"), ("1024", "dark", "es"), ("390", "light", "kk"))


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


@pytest.mark.usefixtures("labelled")
def test_what_waits_is_read_and_confirmed_by_a_second_person(office: Office, address: str, chromium: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    no_face_on_file(office)
    second = office.member(Role.LEAD, name="Sam Second")
    office.member(Role.OPS, name="Olga Ops")
    with office.db.transaction() as db:
        olga = db.scalars(select(Staff).where(Staff.name == "Olga Ops")).one()
        made = calibration.fit(db, now=office.clock())
        calibration.propose(db, made, by=olga, reason="Four hundred pairs since spring", now=office.clock())
    Path(SHOTS).mkdir(exist_ok=True)
    wrong = []
    for size, scheme, language in LOOKS:
        context = chromium.new_context(viewport=SIZES[size], color_scheme=scheme)
        page = context.new_page()
        sign_in(page, office, address, second, language)
        page.goto(f"{address}/ops/faces")
        assert page.locator("#second").count() == 1
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        wrong += [f"{size} {language}: {wide} px too wide"] if wide > 0 else []
        found = axe.run(page, options={"runOnly": {"type": "tag", "values": RULES}}).response["violations"]
        wrong += [f"{size} {scheme}: {violation['id']}" for violation in found]
        shot(page, SHOTS / f"faces-waiting-{size}-{scheme}-{language}.png", full_page=True)
        context.close()
    assert not wrong, "\n".join(wrong)
    context = chromium.new_context(viewport=SIZES["1024"])
    page = context.new_page()
    sign_in(page, office, address, second)
    page.goto(f"{address}/ops/faces")
    page.get_by_role("button", name="Confirm: let it hold").click()
    page.get_by_role("heading", name="Faces: your own calibration holds").wait_for()
    shot(page, SHOTS / "faces-own-1024.png", full_page=True)
    context.close()
