"""The story of a paper: asked for at the desk, sent from a phone, read by the engines, seen by the agent. Headless Chromium.

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

from cases import customers, supporting
from cases.desk_tables import Paper, PaperKind
from cases.models import Case, Customer, Role
from tests.specimens import papers as drawings
from tests.specimens.papers import Stamp
from tests.specimens.photograph import photograph
from tests.webapp.conftest import picture
from tests.webapp.staff_fixtures import CLAIM, PROFILE, Office, a_case, make_office
from tests.webapp.test_desk_browser import RULES, SHOTS, SIZES, sign_in
from tests.webapp.waiting import shot, soon
from verification import images
from verification.evidence import Field
from workers import papers, process

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LOADED = "[...document.querySelectorAll('.paper-frame img')].every(i => i.complete && i.naturalWidth > 500)"
PHONE = {"width": 390, "height": 844}
MARRIAGE = Stamp(
    kind="marriage",
    values={
        "surname": "ПРИМЕРНЫЙ", "given_names": "ПЁТР", "patronymic": "ИЛЬИЧ", "date_of_birth": "1988-03-14",
        "registered_on": "2024-03-09", "act_number": "734", "issuer": "ОТДЕЛ ЗАГС Г. КИМРЫ",
    },
)  # fmt: skip
EARLIER = Stamp(
    kind="passport",
    values={
        "document_number": PROFILE.values[Field.DOCUMENT_NUMBER], "issued_on": "2010-03-01", "issuer": "ОВД ГОРОДА КИМРЫ",
        "issuer_code": "692-013",
    },
)  # fmt: skip


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    """Portal and desk over one database."""
    made = make_office(settings, "all")
    process.use(settings)
    yield made
    process.close()
    made.db.dispose()


@pytest.fixture
def address(office: Office) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, office.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture
def case(office: Office) -> Any:
    with office.db.transaction() as db:
        return a_case(db, now=office.clock() - timedelta(hours=2), seed=1).id


def page_of_a_book(folder: Path, kind: drawings.Kind, stamp: Stamp) -> Path:
    """A photo of a drawn page of the very passport of the case."""
    number = CLAIM.values[Field.DOCUMENT_NUMBER]
    file = folder / f"{kind}.jpg"
    drawn = drawings.draw_page(kind, [stamp], number=number, seed=4)
    file.write_bytes(images.encode_jpeg(photograph(drawn.image, seed=4, hardness="easy")))
    return file


def knocks(office: Office, case: Any, page: Any, address: str) -> None:
    """The customer follows her lender's link."""
    with office.db.transaction() as db:
        customer = db.get_one(Customer, db.get_one(Case, case).customer_id)
        token = customers.make_link(db, "hand_over", customer, lifetime=timedelta(minutes=5), now=office.clock())
    page.goto(f"{address}/enter/{token}")
    page.locator("main button").first.click()
    page.wait_for_load_state("networkidle")
    page.locator(".languages button[value=en]").first.click()
    page.wait_for_load_state("networkidle")


def look(page: Any, name: str, wrong: list[str], *, full: bool = False) -> None:
    """Nothing is wider than the window, nothing violates axe; and a picture for people."""
    SHOTS.mkdir(exist_ok=True)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if wide > 0:
        wrong.append(f"{name}: {wide} px too wide")
    shot(page, SHOTS / f"papers-{name}.png", full_page=full)
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for violation in axe.run(page, options={"runOnly": RULES}).response["violations"]:
        wrong.append(f"{name}: {violation['id']} {[node['html'][:140] for node in violation['nodes'][:3]]}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_paper_is_asked_for_sent_from_the_phone_read_and_seen(
    office: Office, address: str, case: Any, chromium: Any, tmp_path: Path, scheme: str
) -> None:
    wrong: list[str] = []
    desk = chromium.new_context(viewport=SIZES["1440"], color_scheme=scheme, timezone_id="UTC").new_page()
    phone = chromium.new_context(
        viewport=PHONE, color_scheme=scheme, has_touch=True, is_mobile=True, timezone_id="UTC"
    ).new_page()
    for each in (desk, phone):
        each.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    agent = office.member(Role.AGENT, name="Ada Agent")
    sign_in(desk, office, address, agent)
    desk.goto(f"{address}/desk/cases/{case}")
    desk.locator(".decide button").first.click()
    desk.locator("#papers summary", has_text="Ask for a paper").click()
    desk.locator("#papers input[value=family_status]").check()
    desk.locator("#papers input[value=earlier_passports]").check()
    desk.fill("#paper-words", "The page with the stamp, please, and page 19.")
    look(desk, f"ask-1440-{scheme}", wrong)
    desk.locator("#papers button", has_text="Ask and free the case").click()
    desk.locator(".flash", has_text="Asked.").wait_for()

    knocks(office, case, phone, address)
    phone.goto(f"{address}/requests/{case}")
    phone.locator(".papers-asked").wait_for()
    look(phone, f"status-390-{scheme}", wrong, full=True)
    phone.locator(".papers-asked a.button").click()
    phone.locator("h1").wait_for()
    look(phone, f"send-390-{scheme}", wrong, full=True)
    first = phone.locator("section.card").nth(0)
    kinds = {"Passport page with marriage or divorce": ("family_status", MARRIAGE)}
    kinds["Passport page with earlier passports"] = ("earlier_passports", EARLIER)
    for _ in range(2):
        name = first.locator("h1").inner_text()
        first.locator("input[type=file]").set_input_files(page_of_a_book(tmp_path, *kinds.pop(name)))  # type: ignore[arg-type]
        first.locator("button", has_text="Send this paper").click()
        phone.locator("[role=status]", has_text="your paper arrived").wait_for()
    look(phone, f"sent-390-{scheme}", wrong, full=True)

    with office.db.reading() as db:
        sent = db.scalars(select(Paper)).all()
        assert db.get_one(Case, case).awaiting_until is None
    assert [papers.read_paper(str(paper.id)) for paper in sent] == ["read", "read"]  # by the engines themselves

    desk.goto(f"{address}/desk/cases/{case}")
    desk.locator(".decide button").first.click()
    desk.locator("#papers .stamp").first.wait_for()
    told = desk.locator("#papers").inner_text()
    for words in ("ПРИМЕРНЫЙ", "explains the new surname", "the account's number", "45 10 123456"):
        assert words in told, words
    assert desk.locator("#papers .checks li.no").count() == 0
    desk.locator("#papers").scroll_into_view_if_needed()
    desk.locator("#papers .paper-frame").first.hover()
    soon(
        lambda: desk.evaluate("[...document.querySelectorAll('.paper-frame img')].every(i => i.complete && i.naturalWidth > 500)")
    )
    look(desk, f"seen-1440-{scheme}", wrong)
    desk.set_viewport_size(SIZES["1024"])
    look(desk, f"seen-1024-{scheme}", wrong, full=True)
    desk.set_viewport_size(SIZES["1440"])
    desk.locator("#papers .paper-frame").first.click()
    desk.locator("dialog.zoom[open] canvas").wait_for()
    desk.keyboard.press("Escape")
    summary = desk.locator("#papers .sights summary").first
    summary.click()
    desk.locator("#papers .sights input[value=office]").first.check()
    desk.locator("#papers .sights button").first.click()
    desk.locator("#papers", has_text="Ada Agent saw on it: an office, a number and a day.").wait_for()
    desk.context.close()
    phone.context.close()
    assert not wrong


def test_everything_about_papers_works_without_script(
    office: Office, address: str, case: Any, chromium: Any, tmp_path: Path
) -> None:
    with office.db.transaction() as db:
        from cases import review
        from tests import factories

        person = factories.a_member(db, now=office.clock())
        review.take(db, case, agent=person, now=office.clock())
        supporting.ask(
            db, case, [PaperKind.MARRIAGE_CERTIFICATE, PaperKind.REGISTRATION], words="", agent=person, now=office.clock()
        )
    phone = chromium.new_context(viewport=PHONE, java_script_enabled=False).new_page()
    knocks(office, case, phone, address)
    phone.goto(f"{address}/requests/{case}/papers")
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(picture("paper", blur=True))
    first = phone.locator("section.card").nth(0)
    first.locator("input[type=file]").set_input_files(photo)
    first.locator("button", has_text="Send this paper").click()
    phone.locator("#problems", has_text="The photo is blurred.").wait_for()
    first = phone.locator("section.card").nth(0)
    first.locator("input[type=file]").set_input_files(photo)
    first.locator("input[name=anyway]").check()
    first.locator("button", has_text="Send this paper").click()
    phone.locator("[role=status]", has_text="your paper arrived").wait_for()
    phone.locator("button", has_text="I cannot send it").click()
    phone.locator("[role=status]", has_text="Thank you for telling us.").wait_for()
    phone.context.close()
    desk = chromium.new_context(viewport=SIZES["1440"], java_script_enabled=False).new_page()
    sign_in(desk, office, address, office.member(Role.AGENT, name="Ada Agent"))
    desk.goto(f"{address}/desk/cases/{case}")
    desk.locator(".decide button").first.click()
    desk.locator("#papers", has_text="cannot be sent").wait_for()
    with desk.context.expect_page() as opened:
        desk.locator("#papers .paper-frame").click()
    opened.value.locator("img").wait_for()
    desk.context.close()
