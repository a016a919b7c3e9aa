"""The agent's end of the conversation: the case page, the queue, and who may read, write and see what."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from PIL import Image
from sqlalchemy import select

from cases import conversations
from cases.models import Case, Event, Message, Notification, Photo, Role, Writer
from tests import factories
from tests.webapp.conftest import picture
from tests.webapp.staff_fixtures import Browser, Office, a_case, make_office
from verification import images


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


def customer_writes(office: Office, case: UUID, text: str = "Is it <b>enough</b>?", photo: bytes | None = None) -> UUID:
    with office.db.transaction() as db:
        return conversations.write(db, case, uuid4(), text=text, photo=photo, now=office.clock()).id


def waiting(office: Office, **more: Any) -> UUID:
    with office.db.transaction() as db:
        return a_case(db, now=office.clock(), **more).id


def holding(office: Office, case: UUID) -> Browser:
    """An agent who has taken the case."""
    browser = office.signed_in(Role.AGENT, name="Ada Agent")
    browser.fresh("/desk")
    assert browser.post(f"/desk/cases/{case}/take").status_code == 303
    return browser


def test_who_holds_the_case_reads_and_answers(office: Office) -> None:
    case = waiting(office)
    customer_writes(office, case)
    browser = holding(office, case)
    assert "customer wrote" in browser.fresh("/desk").text
    page = browser.fresh(f"/desk/cases/{case}").text
    assert "Is it &lt;b&gt;enough&lt;/b&gt;?" in page and "waits for an answer" in page
    [number] = re.findall(r'name="message" value="([^"]+)"', page)
    for _ in range(2):  # a second click
        answer = browser.post(f"/desk/cases/{case}/messages", text="It is.", message=number)
        assert answer.status_code == 303 and answer.location.endswith("#messages")
    page = browser.fresh(f"/desk/cases/{case}").text
    assert page.count("It is.") == 1 and "Ada Agent" in page and "waits for an answer" not in page
    assert "customer wrote" not in browser.fresh("/desk").text
    with office.db.reading() as db:
        assert len(db.scalars(select(Notification).where(Notification.kind == "message")).all()) == 1


def test_a_photo_travels_both_ways_and_each_look_is_an_event(office: Office) -> None:
    case = waiting(office)
    number = customer_writes(office, case, "", images.normalise(picture("note")))
    browser = holding(office, case)
    address = office.picture_link("Ada Agent", case, number, "message")
    assert f"{address}?small" in browser.fresh(f"/desk/cases/{case}").text
    shown = browser.get(f"{address}?small")
    assert max(Image.open(io.BytesIO(shown.data)).size) == 320 and shown.headers["Cache-Control"] == "no-store"
    browser.fresh(f"/desk/cases/{case}")
    sent = browser.post(f"/desk/cases/{case}/messages", text="Like this", photo=(io.BytesIO(picture("example")), "a.jpg"))
    assert sent.status_code == 303
    with office.db.reading() as db:
        looks = db.scalars(select(Event).where(Event.kind == "message_photo_opened")).all()
        assert [(e.actor_kind, e.details["purpose"]) for e in looks] == [("staff", "review")]
        written = db.scalars(select(Message).where(Message.writer == Writer.STAFF)).one()
        assert written.blob is not None and written.size


def test_photos_in_messages_are_for_who_may_see_the_cases_photos(office: Office) -> None:
    case, other = waiting(office), waiting(office, seed=4)
    number = customer_writes(office, case, "", images.normalise(picture("note")))
    for role in (Role.AGENT, Role.LEAD):  # has not taken it
        other_browser = office.signed_in(role, name=f"Other {role.value}")
        assert other_browser.get(office.picture_link(f"Other {role.value}", case, number, "message")).status_code == 403
    holder = holding(office, case)
    assert holder.get(office.picture_link("Ada Agent", case, number, "message")).status_code == 200
    assert holder.get(office.picture_link("Ada Agent", other, number, "message")).status_code in (403, 404)
    assert holder.get(office.picture_link("Ada Agent", case, uuid4(), "message")).status_code == 404
    office.clock.forward(minutes=11)  # no sign for so long: the case is free again
    assert holder.get(office.picture_link("Ada Agent", case, number, "message")).status_code == 403


def test_who_does_not_hold_the_case_reads_the_words_and_writes_nothing(office: Office) -> None:
    case = waiting(office)
    customer_writes(office, case)
    for role in (Role.AGENT, Role.LEAD):
        browser = office.signed_in(role)
        page = browser.fresh(f"/desk/cases/{case}").text
        assert "Is it &lt;b&gt;" in page and 'id="message-text"' not in page
    browser = office.signed_in(Role.AGENT)
    browser.fresh("/desk")
    answer = browser.post(f"/desk/cases/{case}/messages", text="Not mine to write")
    assert answer.status_code == 409 and ">Not mine to write</textarea>" in answer.text
    browser.post(f"/desk/cases/{case}/messages/set-aside")
    with office.db.reading() as db:
        assert conversations.waits(db, db.get_one(Case, case))


def test_a_case_that_waits_for_a_photo_is_answered_without_holding_it(office: Office) -> None:
    with office.db.transaction() as db:
        case = factories.a_needs_retake(db, now=office.clock()).id
    browser = office.signed_in(Role.AGENT, name="Ada Agent")
    assert str(case)[:8] not in browser.fresh("/desk").text
    number = customer_writes(office, case, "What is wrong with it?", images.normalise(picture("note")))
    queue = browser.fresh("/desk").text
    assert str(case)[:8] in queue and "customer wrote" in queue
    assert "What is wrong with it?" in browser.fresh(f"/desk/cases/{case}").text
    photo = office.picture_link("Ada Agent", case, number, "message")
    assert browser.get(photo).status_code == 403  # words need no hold, photos do
    assert "It can be seen once" in browser.fresh(f"/desk/cases/{case}").text
    assert browser.post(f"/desk/cases/{case}/messages/set-aside").status_code == 303
    assert str(case)[:8] not in browser.fresh("/desk").text


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"text": " "}, 422, "Write something"),
        ({"text": "я" * 2001}, 422, "at most"),
        ({"text": "Kept words", "photo": (io.BytesIO(b"no picture"), "a.jpg")}, 422, "Kept words"),
    ],
)
def test_what_cannot_be_sent_is_said_and_nothing_typed_is_lost(
    office: Office, fields: dict[str, Any], status: int, words: str
) -> None:
    case = waiting(office)
    browser = holding(office, case)
    browser.fresh(f"/desk/cases/{case}")
    answer = browser.post(f"/desk/cases/{case}/messages", **fields)
    assert answer.status_code == status and words in answer.text
    with office.db.reading() as db:
        assert db.scalars(select(Message)).all() == []


def test_a_photo_that_does_not_open_is_gone_and_no_fault_of_the_page(office: Office) -> None:
    case = waiting(office)
    number = customer_writes(office, case, "", images.normalise(picture("note")))
    with office.db.transaction() as db:
        db.get_one(Message, number).sha256 = "0" * 64
        photo = db.scalars(select(Photo).where(Photo.case_id == case)).first()
        assert photo is not None
        photo.sha256 = "0" * 64
        own = photo.id
    browser = holding(office, case)
    assert browser.get(office.picture_link("Ada Agent", case, number, "message")).status_code == 410
    assert browser.get(office.picture_link("Ada Agent", case, own)).status_code == 410


def test_of_a_photo_that_is_too_large_the_agents_words_stay(office: Office) -> None:
    case = waiting(office)
    browser = holding(office, case)
    browser.fresh(f"/desk/cases/{case}")
    large = (io.BytesIO(b"\xff\xd8" + bytes(13 * 1024 * 1024)), "a.jpg")
    answer = browser.post(f"/desk/cases/{case}/messages", text="Kept words", photo=large)
    assert answer.status_code == 422 and "Kept words" in answer.text
