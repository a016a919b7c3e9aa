"""Supporting papers on the pages: asked for at the desk, sent from the portal, read, seen and ticked at the desk."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from PIL import Image
from sqlalchemy import select

from cases import customers, intake, review, supporting
from cases.desk_tables import Paper, PaperKind
from cases.lifecycle import State
from cases.models import Case, Customer, Event, Notification, Role, Staff
from cases.supporting import Sight
from tests import factories
from tests.webapp.conftest import Browser as PortalBrowser
from tests.webapp.conftest import Portal, picture
from tests.webapp.staff_fixtures import Browser, Office, a_case, make_office
from verification.evidence import FieldReading, Source
from verification.papers import Detail, Entry, EntryKind, PageKind, SupportingReading

KIND = PaperKind.FAMILY_STATUS
WORDS = "Both pages & the stamp, please."


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    """Portal and desk over one database, with one clock."""
    made = make_office(settings, "all")
    yield made
    made.db.dispose()


@pytest.fixture
def case(office: Office) -> UUID:
    with office.db.transaction() as db:
        return a_case(db, now=office.clock()).id


def holding(office: Office, case: UUID, name: str = "Ada Agent") -> Browser:
    """An agent who has taken the case."""
    browser = office.signed_in(Role.AGENT, name=name)
    browser.fresh("/desk")
    assert browser.post(f"/desk/cases/{case}/take").status_code == 303
    return browser


def at_home(office: Office, case: UUID) -> PortalBrowser:
    """The customer, signed in."""
    portal = Portal(app=office.app, clock=office.clock)  # type: ignore[arg-type]
    with office.db.transaction() as db:
        customer = db.get_one(Case, case).customer_id
        token = customers.make_link(
            db, "hand_over", db.get_one(Customer, customer), lifetime=timedelta(minutes=5), now=office.clock()
        )
    browser = portal.browser()
    browser.get(f"/enter/{token}")
    assert browser.post("/enter", token=token).status_code == 303
    browser.follow("/")
    browser.post("/language", language="en", next="/")
    return browser


def asked(office: Office, case: UUID, *kinds: str, words: str = WORDS) -> UUID:
    """An agent has asked; returns the number of the first paper."""
    agent = holding(office, case)
    answer = agent.post(f"/desk/cases/{case}/papers", paper=list(kinds) or [KIND.value], words=words)
    assert answer.status_code == 303, answer.text
    return rows(office)[0].id


def rows(office: Office) -> list[Paper]:
    with office.db.reading() as db:
        return list(db.scalars(select(Paper).order_by(Paper.created_at, Paper.id)))


def events(office: Office, kind: str) -> list[dict[str, Any]]:
    with office.db.reading() as db:
        return [event.details for event in db.scalars(select(Event).where(Event.kind == kind).order_by(Event.id))]


def sends(browser: PortalBrowser, case: UUID, number: UUID | None = None, data: bytes | None = None, **fields: str) -> Any:
    return browser.upload(f"/requests/{case}/papers", data or picture("paper"), paper=str(number or uuid4()), **fields)


def read(office: Office, surname: str = "ПРИМЕРНЫЙ") -> None:
    """A machine reads the last paper: a marriage to somebody of that surname."""
    certain = FieldReading(value=surname, confidence=0.98, certain=True, source=Source.VIZ)
    unsure = FieldReading(value="ПЁТР", confidence=0.6, certain=False, source=Source.VIZ)
    entry = Entry(
        kind=EntryKind.MARRIAGE, values={Detail.SURNAME: certain, Detail.GIVEN_NAMES: unsure}, unread=(Detail.REGISTERED_ON,)
    )
    reading = SupportingReading(kind=PageKind.FAMILY_STATUS, entries=(entry,))
    with office.db.transaction() as db:
        order = supporting.begin(db, rows(office)[-1].id, now=office.clock())
        assert order is not None
        assert supporting.finish(db, order, reading, seconds=1.0, now=office.clock())


def test_a_paper_goes_from_the_agents_wish_to_the_agents_eyes(office: Office, case: UUID) -> None:
    number = asked(office, case)
    home = at_home(office, case)
    page = home.get(f"/requests/{case}").text
    assert "Please send one more paper" in page and "Passport page with marriage or divorce" in page
    assert "Both pages &amp; the stamp" in page and "Your request waits for a paper from you." in page
    assert "You need not do anything" not in page
    page = home.get(f"/requests/{case}/papers").text
    assert f'name="paper" value="{number}"' in page and "Both pages &amp; the stamp" in page
    answer = sends(home, case, number)
    assert answer.status_code == 303 and answer.location.endswith(f"/requests/{case}")
    page = home.get(f"/requests/{case}").text
    assert "Your paper arrived" in page and "Please send one more paper" not in page and "You need not do anything" in page
    read(office)
    agent = holding(office, case, "Bea Agent")
    page = agent.fresh(f"/desk/cases/{case}").text
    assert "ПРИМЕРНЫЙ" in page and "explains the new surname" in page and "ПЁТР" in page and "not certain" in page
    assert "Ada Agent asked on" in page
    [address] = set(re.findall(rf'src="(/desk/cases/{case}/papers/[^"]+)"', page))
    shown = agent.get(address)
    assert shown.status_code == 200 and shown.mimetype == "image/jpeg"
    assert Image.open(io.BytesIO(shown.data)).size[0] >= 800
    assert events(office, "paper_opened")[-1] == {"paper_id": str(number), "purpose": "review"}


def test_after_asking_the_case_is_free_and_the_customer_is_owed_one_mail(office: Office, case: UUID) -> None:
    asked(office, case, "marriage_certificate", "earlier_passports")
    with office.db.reading() as db:
        found = db.get_one(Case, case)
        assert (found.state, found.owner_id) == (State.IN_REVIEW, None) and found.awaiting_until is not None
        kinds = db.scalars(select(Notification.kind).where(Notification.case_id == case)).all()
    assert kinds.count("paper_asked") == 1 and len(rows(office)) == 2
    page = at_home(office, case).get(f"/requests/{case}").text
    assert "Please send 2 more papers" in page


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({}, 422, "Choose the paper to ask for."),
        ({"paper": "something_else"}, 422, "Choose the paper to ask for."),
        ({"paper": "registration", "words": "x" * 501}, 422, "the words are too long"),
    ],
)
def test_a_wish_that_does_not_go_through_says_why(
    office: Office, case: UUID, form: dict[str, str], status: int, words: str
) -> None:
    answer = holding(office, case).post(f"/desk/cases/{case}/papers", **form)
    assert answer.status_code == status and words in answer.text and rows(office) == []


def test_who_does_not_hold_the_case_asks_for_nothing_and_sees_no_picture(office: Office, case: UUID) -> None:
    sends(at_home(office, case), case, kind="marriage_certificate")
    other = office.signed_in(Role.AGENT, name="Olga Other")
    page = other.fresh(f"/desk/cases/{case}").text
    assert "Take the case to see it." in page and f"/desk/cases/{case}/papers/" not in page
    assert other.post(f"/desk/cases/{case}/papers", paper="registration").status_code == 409
    agent = holding(office, case)
    [address] = set(re.findall(rf'src="(/desk/cases/{case}/papers/[^"]+)"', agent.fresh(f"/desk/cases/{case}").text))
    assert other.get(address).status_code == 403  # an address is its viewer's alone
    office.clock.forward(seconds=61)
    assert agent.get(address).status_code == 410
    fresh = agent.post(f"/desk/cases/{case}/papers/renew", link=address.rsplit("/", 1)[1])
    assert fresh.status_code == 303 and agent.get(fresh.location).status_code == 200


@pytest.mark.parametrize("role", [Role.LEAD, Role.AUDITOR, Role.OPS, Role.ADMIN])
def test_other_roles_neither_ask_nor_look(office: Office, case: UUID, role: Role) -> None:
    sends(at_home(office, case), case, kind="marriage_certificate")
    browser = office.signed_in(role)
    browser.fresh("/staff")
    number = rows(office)[0].id
    for address in ("papers", "papers/renew", f"papers/{number}/seen", f"papers/{number}/unneeded"):
        assert browser.post(f"/desk/cases/{case}/{address}", paper="registration").status_code == 403
    assert browser.get(f"/desk/cases/{case}/papers/anything").status_code == 403
    assert events(office, "paper_opened") == [] and len(rows(office)) == 1


def test_an_agent_ticks_what_stands_on_a_certificate_that_no_machine_reads(office: Office, case: UUID) -> None:
    sends(at_home(office, case), case, kind="marriage_certificate")
    agent = holding(office, case)
    page = agent.fresh(f"/desk/cases/{case}").text
    assert "No machine reads this paper" in page and "Added by the customer" in page
    number = rows(office)[0].id
    answer = agent.post(f"/desk/cases/{case}/papers/{number}/seen", sight=["new_name", "office"])
    assert answer.status_code == 303
    assert "Ada Agent saw on it: the new name, an office, a number and a day." in agent.fresh(f"/desk/cases/{case}").text
    assert [Sight(code) for code in rows(office)[0].sights] == [Sight.NEW_NAME, Sight.OFFICE]
    assert agent.post(f"/desk/cases/{case}/papers/{number}/seen", sight="nonsense").status_code == 400
    assert agent.post(f"/desk/cases/{uuid4()}/papers/{number}/seen").status_code == 404


def test_the_case_comes_back_when_she_cannot_send_it(office: Office, case: UUID) -> None:
    number = asked(office, case)
    home = at_home(office, case)
    home.get(f"/requests/{case}/papers")
    assert home.post(f"/requests/{case}/papers/{number}/decline").status_code == 303
    page = home.get(f"/requests/{case}").text
    assert "A person goes on without it." in page and "You said that you cannot send the paper" in page
    agent = holding(office, case, "Bea Agent")
    assert "cannot be sent" in agent.fresh(f"/desk/cases/{case}").text
    with office.db.reading() as db:
        assert db.get_one(Case, case).awaiting_until is None


def test_what_is_no_longer_needed_leaves_her_page(office: Office, case: UUID) -> None:
    number = asked(office, case)
    agent = holding(office, case, "Bea Agent")
    assert agent.post(f"/desk/cases/{case}/papers/{number}/unneeded").status_code == 303
    assert "Please send one more paper" not in at_home(office, case).get(f"/requests/{case}").text


def test_a_picture_that_will_not_do_is_told_at_once_and_may_be_sent_anyway(office: Office, case: UUID) -> None:
    number = asked(office, case)
    home = at_home(office, case)
    home.get(f"/requests/{case}/papers")
    blurred = picture("paper", blur=True)
    answer = sends(home, case, number, blurred)
    assert answer.status_code == 422 and "The photo is blurred." in answer.text and 'name="anyway"' in answer.text
    assert rows(office)[0].received_at is None
    assert sends(home, case, number, blurred, anyway="1").status_code == 303
    assert rows(office)[0].accepted_despite == ["document_blurred"]
    assert "Sent in spite of:" in holding(office, case, "Bea Agent").fresh(f"/desk/cases/{case}").text


@pytest.mark.parametrize(
    ("data", "words"), [(b"", "Take or choose a photo first."), (b"GIF89a" + b"x" * 500, "not a photo we can open")]
)
def test_what_is_no_photo_is_refused_in_words(office: Office, case: UUID, data: bytes, words: str) -> None:
    home = at_home(office, case)
    home.get(f"/requests/{case}/papers")
    answer = home.upload(f"/requests/{case}/papers", data, name="x.jpg" if data else "", kind="marriage_certificate")
    assert answer.status_code == 422 and words in answer.text and rows(office) == []


def test_what_is_kept_is_a_copy_of_ours_without_what_the_phone_wrote_into_it(office: Office, case: UUID) -> None:
    image = Image.open(io.BytesIO(picture("paper")))
    exif = Image.Exif()
    exif[0x010F] = "SECRETPHONE"
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95, exif=exif)
    home = at_home(office, case)
    home.get(f"/requests/{case}/papers")
    sends(home, case, data=out.getvalue(), kind="marriage_certificate")
    [row] = rows(office)
    shown = home.get(f"/requests/{case}/papers/{row.id}/picture")
    assert shown.status_code == 200 and b"SECRETPHONE" not in shown.data and shown.headers["Cache-Control"] == "no-store"
    small = home.get(f"/requests/{case}/papers/{row.id}/picture?small")
    assert max(Image.open(io.BytesIO(small.data)).size) <= 320
    assert [details["purpose"] for details in events(office, "paper_opened")] == ["own_paper", "own_paper"]


def test_a_second_click_keeps_one_paper(office: Office, case: UUID) -> None:
    home, number = at_home(office, case), uuid4()
    home.get(f"/requests/{case}/papers")
    for _ in range(2):
        assert sends(home, case, number, kind="marriage_certificate").status_code == 303
    assert len(rows(office)) == 1


def test_papers_of_others_do_not_exist(office: Office, case: UUID) -> None:
    number = asked(office, case)
    with office.db.transaction() as db:
        other = a_case(db, now=office.clock() + timedelta(minutes=1), seed=7).id
    stranger = at_home(office, other)
    stranger.get(f"/requests/{other}/papers")
    assert stranger.get(f"/requests/{case}/papers").status_code == 404
    assert sends(stranger, case, number).status_code == 404
    assert sends(stranger, other, number, kind="registration").status_code == 404  # her own case, another's number
    assert stranger.post(f"/requests/{other}/papers/{number}/decline").status_code == 404
    assert stranger.get(f"/requests/{other}/papers/{number}/picture").status_code == 404
    assert rows(office)[0].received_at is None


def test_a_certificate_is_offered_before_sending_where_a_name_changed(office: Office) -> None:
    portal = Portal(app=office.app, clock=office.clock)  # type: ignore[arg-type]
    customer = portal.customer()
    draft = portal.draft(customer)
    home = portal.sign_in(customer, language="en")
    page = home.get(f"/requests/{draft}/check").text
    assert "Add a certificate" in page
    page = home.get(f"/requests/{draft}/papers").text
    assert "You need not." in page and "I cannot send it" not in page
    assert sends(home, draft, kind="marriage_certificate").location.endswith(f"/requests/{draft}/papers")
    assert sends(home, draft, kind="family_status", data=picture("other")).status_code == 303
    assert "Papers added: 2." in home.get(f"/requests/{draft}/check").text
    with office.db.reading() as db:
        assert supporting.unread(db, now=office.clock()) == []  # not before she has sent it
    with office.db.transaction() as db:
        intake.submit(db, draft, consent_version=factories.CONSENT, now=office.clock())
    with office.db.reading() as db:
        assert len(supporting.unread(db, now=office.clock())) == 1
        assert not [n for n in db.scalars(select(Notification)) if n.kind == "paper_asked"]


def test_an_answered_request_takes_no_papers_and_shows_those_it_has(office: Office, case: UUID) -> None:
    home = at_home(office, case)
    home.get(f"/requests/{case}/papers")
    sends(home, case, kind="marriage_certificate")
    with office.db.transaction() as db:
        intake.withdraw(db, case, now=office.clock())
    page = home.get(f"/requests/{case}/papers").text
    assert "Papers you sent" in page and 'type="file"' not in page
    assert sends(home, case, kind="registration").location.endswith(f"/requests/{case}")
    assert len(rows(office)) == 1


def test_a_wish_shows_in_the_customers_own_language(office: Office, case: UUID) -> None:
    asked(office, case)
    home = at_home(office, case)
    for language, words in (("ru", "Страница паспорта"), ("kk", "Паспорт"), ("es", "Página del pasaporte")):
        home.post("/language", language=language, next="/")
        page = home.get(f"/requests/{case}/papers").text
        assert words in page and "Send this paper" not in page


def test_the_queue_does_not_give_a_case_that_waits_for_the_customer(office: Office, case: UUID) -> None:
    asked(office, case)
    with office.db.transaction() as db:
        other = factories.a_member(db, now=office.clock())
        assert review.take_next(db, agent=db.get_one(Staff, other.id), now=office.clock()) is None


def test_her_copy_shows_the_papers_and_who_looked_at_them(office: Office, case: UUID) -> None:
    number = asked(office, case)
    home = at_home(office, case)
    home.get(f"/requests/{case}/papers")
    sends(home, case, number)
    holder = holding(office, case, "Bea Agent")
    [address] = set(re.findall(rf'src="(/desk/cases/{case}/papers/[^"]+)"', holder.fresh(f"/desk/cases/{case}").text))
    assert holder.get(address).status_code == 200
    home.get("/my-data/copy")
    with zipfile.ZipFile(io.BytesIO(home.post("/my-data/copy").data)) as copy:
        [name] = [name for name in copy.namelist() if "-paper-" in name]
        assert copy.read(name).startswith(b"\xff\xd8")
        page = copy.read("my-data.html").decode()
    assert "Passport page with marriage or divorce" in page and name in page and "Both pages &amp; the stamp" in page
    assert "Supporting paper" in page and "Support agent" in page and "Bea Agent" not in page
