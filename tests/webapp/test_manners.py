"""Manners of the portal under strain: too many looks, too much typed at once, two devices, photos too large or broken."""

from __future__ import annotations

import io
import re
from typing import Any
from uuid import UUID, uuid4

import pytest
from PIL import Image
from sqlalchemy import event, select

from cases import conversations, intake, queries, unsent_forms
from cases.lifecycle import State
from cases.models import Case, Event, Message, Photo
from tests.webapp.conftest import Portal, picture
from verification import images
from verification.evidence import Field
from webapp.portal import answers, status

LARGE = b"\xff\xd8" + bytes(13 * 1024 * 1024)


def in_review(portal: Portal, case_id: UUID) -> None:
    with portal.db.transaction() as session:
        intake.ask_for_person(session, case_id, consent_version="x", now=portal.clock())


def form_of(page: str) -> dict[str, str]:
    """The details form as it stands, without what every form has."""
    fields = dict(re.findall(r'<input[^>]*\bname="([^"]+)"[^>]*?value="([^"]*)"', page))
    return {k: v for k, v in fields.items() if k not in ("csrf_token", "language", "next")}


def test_looks_at_photos_come_to_an_end(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "LOOKS_AN_HOUR", 2)
    customer = portal.customer()
    case = portal.draft(customer)
    browser = portal.sign_in(customer)
    codes = [browser.get(f"/requests/{case}/photos/document/view").status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    in_review(portal, case)
    with portal.db.transaction() as session:
        photo = images.normalise(picture("note"))
        number = conversations.write(session, case, uuid4(), text="", photo=photo, now=portal.clock()).id
    assert browser.get(f"/requests/{case}/messages/{number}/photo").status_code == 429
    assert browser.get(f"/requests/{case}/lines/surname").status_code == 429
    with portal.db.reading() as session:
        kinds = list(session.scalars(select(Event.kind).where(Event.kind.like("%photo_opened"))))
    assert kinds == ["photo_opened"] * 2


def test_the_timeline_reads_no_looks(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    portal.sign_in(customer).get(f"/requests/{case}/photos/document/view")
    seen: list[Any] = []
    with portal.db.reading() as session:
        event.listen(portal.db.engine, "before_cursor_execute", lambda *a: seen.append(a[3]))
        moments = queries.timeline(session, case)
    assert [m.what for m in moments] == ["begun"]
    assert "submitted" in seen[-1] and "photo_opened" not in seen[-1]


def test_suggestions_of_spellings_come_to_an_end(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "SPELLINGS_AN_HOUR", 1)
    browser = portal.sign_in(portal.customer())
    codes = [browser.post("/request/spellings", name="\u042e\u043b\u0438\u044f", country="RUS").status_code for _ in range(2)]
    assert codes == [200, 429]


def test_details_that_come_after_the_request_was_sent_lead_to_how_it_stands(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    browser = portal.sign_in(customer)
    fields = form_of(browser.get(f"/requests/{case}/details").text)
    fields.update(email="a@b.test", issued_on_day="1", issued_on_month="6", issued_on_year="2025")
    amend = intake.amend

    def late(session: Any, case_id: UUID, *rest: Any, **named: Any) -> Case:
        intake.submit(session, case_id, consent_version="x", now=named["now"])  # in another window
        return amend(session, case_id, *rest, **named)

    monkeypatch.setattr(intake, "amend", late)
    answer = browser.post(f"/requests/{case}/details", **fields)
    assert answer.status_code == 303 and answer.location == f"/requests/{case}"
    assert "moved on meanwhile" in browser.follow(answer.location).text


def test_of_a_photo_that_is_too_large_the_words_stay(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    in_review(portal, case)
    browser = portal.sign_in(customer)
    browser.get(f"/requests/{case}/messages")
    answer = browser.post(f"/requests/{case}/messages", text="Kept words", photo=(io.BytesIO(LARGE), "a.jpg"))
    assert answer.status_code == 413 and ">Kept words</textarea>" in answer.text and "12 MB" in answer.text
    with portal.db.reading() as session:
        assert session.scalars(select(Message)).all() == []


def test_photos_that_do_not_open_are_gone(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    in_review(portal, case)
    with portal.db.transaction() as session:
        number = conversations.write(
            session, case, uuid4(), text="", photo=images.normalise(picture("note")), now=portal.clock()
        ).id
        session.get_one(Message, number).sha256 = "0" * 64
        for photo in session.scalars(select(Photo)):
            photo.sha256 = "0" * 64
    browser = portal.sign_in(customer)
    assert browser.get(f"/requests/{case}/messages/{number}/photo").status_code == 410
    assert browser.get(f"/requests/{case}/photos/document/view").status_code == 410


@pytest.mark.parametrize("why", ["signed out", "no token"])
def test_a_photo_that_is_refused_unread_is_read_all_the_same(portal: Portal, why: str) -> None:
    customer = portal.customer()
    case = portal.draft(customer, photos=False)
    browser = portal.sign_in(customer) if why == "no token" else portal.browser()
    if why == "no token":
        portal.app.config["WTF_CSRF_ENABLED"] = True
    body = io.BytesIO(picture())
    browser.client.put(
        f"/requests/{case}/photos/document/{uuid4()}",
        input_stream=body,
        content_type="image/jpeg",
        headers={"Content-Length": str(len(body.getvalue()))},
    )
    assert body.read() == b""


def test_a_photo_that_came_too_late_is_kept_without_what_the_phone_wrote_into_it(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer, photos=False)
    browser = portal.sign_in(customer)
    browser.get(f"/requests/{case}/photos/document")
    exif = Image.Exif()
    exif[0x010F] = "PHONE-OF-NOBODY"
    out = io.BytesIO()
    Image.open(io.BytesIO(picture())).save(out, "JPEG", exif=exif)
    portal.clock.forward(minutes=16)
    assert browser.upload(f"/requests/{case}/photos/document", out.getvalue()).status_code == 303
    with portal.db.reading() as session:
        found = unsent_forms.find(session, customer, now=portal.clock())
    assert found is not None and found.photo is not None and found.photo.startswith(b"\xff\xd8")
    assert b"PHONE-OF-NOBODY" in out.getvalue() and b"PHONE-OF-NOBODY" not in found.photo


def test_a_card_is_called_a_card_and_bad_examples_by_their_fault(portal: Portal) -> None:
    anna = {Field.SURNAME: "GARCIA", Field.GIVEN_NAMES: "ANA", Field.NATIONALITY: "ESP", Field.DOCUMENT_NUMBER: "XAA000001"}
    customer = portal.customer(values=anna)
    browser = portal.sign_in(customer)
    browser.get("/request/reason")
    browser.post("/request/reason", reason="marriage", paper="es_card")
    with portal.db.transaction() as session:
        from cases.models import Customer
        from verification.evidence import ChangeReason, Claim

        claim = Claim(reason=ChangeReason.MARRIAGE, values={Field.SURNAME: "LOPEZ", Field.PERSONAL_NUMBER: "99999999R"})
        case = intake.open_case(
            session, session.get_one(Customer, customer), claim, country="ESP", new_email=None, locale="en", now=portal.clock()
        ).id
    with browser.client.session_transaction() as kept:
        kept["paper"] = {"case": str(case), "paper": "es_card"}
    page = browser.get(f"/requests/{case}/photos/document").text
    assert "Photograph your identity card" in page and "Photograph your passport" not in page
    assert "the side with your photo up" in page and 'data-spread="card"' in page and "camera-strip" not in page
    page = browser.get(f"/requests/{case}/photos/selfie").text
    assert ">Too dark<" in page and ">Cut off<" in page and "Nothing cut off" not in page
    assert State.DRAFT is portal.case(case).state


def test_a_browser_can_tell_accounts_apart_and_learns_no_number(portal: Portal) -> None:
    marks = []
    for name in ("anna", "bella", "anna"):
        customer = portal.customer(name)
        page = portal.sign_in(customer).follow("/").text
        [mark] = re.findall(r'data-account="([0-9a-f]+)"', page)
        assert str(customer) not in page and mark not in customer.hex
        marks.append(mark)
    assert marks[0] == marks[2] != marks[1]
    door = portal.browser().get("/sign-in").text
    assert "js/portal.js" in door and "data-account" not in door
