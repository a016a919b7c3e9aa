"""From the computer to the phone over HTTP, without script: what connects a phone, what it may do, and what ends it."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from flask import g, render_template
from sqlalchemy import select
from werkzeug.test import TestResponse

from cases import device_links, intake
from cases.lifecycle import State
from cases.models import DeviceLink, Event, UnsentForm
from tests.webapp.conftest import Browser, Portal, picture
from tests.webapp.pages import CONSENT, decided
from verification.decision import Outcome
from verification.evidence import ChangeReason, Claim, Field
from verification.reasons import PhotoKind, ReasonCode
from webapp.portal.entrance import PHONE_MAY, Connected

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604.1"


OPEN_TO_STRANGERS = {
    "GET /phone/gone: 200 None",
    "GET /saved: 303 /sign-in",
    "POST /saved: 303 /sign-in",
    "GET /not-me/0: 200 None",  # asks for one tap; without a good token nothing follows
}


def computer_of(portal: Portal, customer: UUID) -> Browser:
    browser = portal.sign_in(customer)
    browser.client.environ_base["HTTP_USER_AGENT"] = CHROME
    return browser


def a_phone(portal: Portal) -> Browser:
    browser = portal.browser()
    browser.client.environ_base["HTTP_USER_AGENT"] = IPHONE
    return browser


def link_on(computer: Browser, case: UUID) -> str:
    """Press "show the code"; returns the path of the link."""
    computer.get(f"/requests/{case}/phone")
    assert computer.post(f"/requests/{case}/phone").location == f"/requests/{case}/phone"
    page = computer.get(f"/requests/{case}/phone").text
    found = re.search(r'id="phone-address" value="http://[^/"]+(/phone/[^"]+)"', page)
    assert found, page
    return found[1]


def open_on(phone: Browser, path: str, answer: str = "yes") -> TestResponse:
    phone.get(path)
    return phone.post("/phone", token=path.removeprefix("/phone/"), answer=answer)


def number_on(computer: Browser, case: UUID) -> str:
    found = re.search(r'class="number"[^>]*>(\d\d)<', computer.get(f"/requests/{case}/phone").text)
    assert found
    return found[1]


def offered_to(phone: Browser) -> list[str]:
    return re.findall(r'class="number-choice" name="number" value="(\d\d)"', phone.get("/phone/number").text)


def connect(portal: Portal, computer: Browser, case: UUID) -> Browser:
    phone = a_phone(portal)
    assert open_on(phone, link_on(computer, case)).location == "/phone/number"
    phone.get("/phone/number")
    assert phone.post("/phone/number", number=number_on(computer, case)).location == "/phone"
    phone.follow("/phone")  # the session is new, and so is the token in its forms
    return phone


def stage(computer: Browser, case: UUID) -> dict[str, Any]:
    found: dict[str, Any] = computer.get(f"/requests/{case}/phone.json").json or {}
    return found


def kinds(portal: Portal) -> list[tuple[str, Any]]:
    with portal.db.reading() as db:
        found = db.scalars(select(Event).where(Event.kind.startswith("device_link")).order_by(Event.id))
        return [(e.kind.removeprefix("device_link_"), e.details.get("why")) for e in found]


@pytest.fixture
def case(portal: Portal) -> UUID:
    return portal.draft(portal.customer(), photos=False)


@pytest.fixture
def computer(portal: Portal, case: UUID) -> Browser:
    return computer_of(portal, portal.case(case).customer_id)


# --- The way there


def test_begun_on_a_computer_photographed_on_a_phone_sent_on_the_computer(portal: Portal, computer: Browser, case: UUID) -> None:
    path = link_on(computer, case)
    assert stage(computer, case)["stage"] == "waiting"
    phone = a_phone(portal)
    page = phone.get(path).text
    assert "Did you start this?" in page and "Chrome on Windows" in page and "Then say no" in page
    open_on(phone, path)
    assert stage(computer, case)["stage"] == "opened" and "Safari on iOS" in stage(computer, case)["page"]
    phone.get("/phone/number")
    phone.post("/phone/number", number=number_on(computer, case))
    assert stage(computer, case)["stage"] == "confirmed"
    assert phone.get("/phone").location == f"/requests/{case}/photos/document"
    assert phone.get(f"/requests/{case}/photos/document").status_code == 200
    phone.upload(f"/requests/{case}/photos/document", picture("document"))
    assert stage(computer, case)["stage"] == "confirmed-document"
    phone.get(f"/requests/{case}/photos/selfie")
    phone.upload(f"/requests/{case}/photos/selfie", picture("selfie"))
    done = phone.follow("/phone").text
    assert "Your photos have arrived" in done and "Go back to your computer" in done
    assert stage(computer, case)["next"] == f"/requests/{case}/check"
    assert computer.get(f"/requests/{case}/phone").location == f"/requests/{case}/check"
    computer.get(f"/requests/{case}/check")
    computer.post(f"/requests/{case}/check", consent=CONSENT)
    assert portal.case(case).state is State.SUBMITTED
    assert "Your request" in phone.get("/phone").text
    assert kinds(portal) == [("made", None), ("opened", None), ("confirmed", None)]


def test_the_request_may_be_finished_on_the_phone_which_tells_what_changes_and_never_to_what(
    portal: Portal, computer: Browser, case: UUID
) -> None:
    phone = connect(portal, computer, case)
    with portal.db.transaction() as db:
        portal.attach(db, case)
    page = phone.get("/phone").text
    assert "You ask to change: Surname, Document number." in page
    assert not re.search("петрова|иванова|4524654321|45 24 654321|4510123456|anna@", page, re.IGNORECASE)
    assert phone.post("/phone/send").status_code == 422
    assert phone.post("/phone/send", consent=CONSENT).location == "/phone"
    assert phone.post("/phone/send", consent=CONSENT).location == "/phone"  # a second click
    row = portal.case(case)
    assert (row.state, row.attempt, row.consent_version) == (State.SUBMITTED, 1, CONSENT)
    assert stage(computer, case)["next"] == f"/requests/{case}"


def test_a_photo_that_is_asked_for_again_is_taken_on_the_phone(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    decided(portal, case, Outcome.RETAKE, (ReasonCode.SELFIE_BLURRED,), (PhotoKind.SELFIE,))
    computer = computer_of(portal, customer)
    phone = connect(portal, computer, case)
    assert phone.get("/phone").location == f"/requests/{case}/photos/selfie"


def test_the_page_is_followed_without_script_too(portal: Portal, computer: Browser, case: UUID) -> None:
    link_on(computer, case)
    assert '<noscript><meta http-equiv="refresh"' in computer.get(f"/requests/{case}/phone").text


def test_what_follows_is_told_once_by_etag_and_is_not_a_person(portal: Portal, computer: Browser, case: UUID) -> None:
    link_on(computer, case)
    address = f"/requests/{case}/phone.json"
    tag = computer.get(address).headers["ETag"]
    assert computer.get(address, headers={"If-None-Match": tag}).status_code == 304
    for _minutes in range(4):
        portal.clock.forward(minutes=5)
        answer = computer.get(address, headers={"If-None-Match": tag})
    assert answer.status_code == 303


def test_the_phone_at_work_keeps_the_computers_page_alive(portal: Portal, computer: Browser, case: UUID) -> None:
    phone = connect(portal, computer, case)
    for _minutes in range(4):
        portal.clock.forward(minutes=10)
        assert phone.get(f"/requests/{case}/photos/document").status_code == 200
        assert computer.get(f"/requests/{case}/phone.json").status_code == 200
    portal.clock.forward(minutes=16)
    assert computer.get(f"/requests/{case}/phone.json").status_code == 303


def test_the_code_is_an_svg_that_the_content_policy_allows(portal: Portal, computer: Browser, case: UUID) -> None:
    link_on(computer, case)
    page = computer.get(f"/requests/{case}/phone").text
    assert '<svg class="qr"' in page or 'class="qr"' in page
    assert "data:" not in page.replace("data:image/svg", "data:") or "style=" not in page
    assert not re.search(r"<svg[^>]*style=|<path[^>]*style=", page)


# --- What must not work


def test_looking_at_the_link_uses_nothing_up(portal: Portal, computer: Browser, case: UUID) -> None:
    path = link_on(computer, case)
    for _scanner in range(3):
        assert a_phone(portal).get(path).status_code == 200
        assert a_phone(portal).client.head(path).status_code == 200
    assert stage(computer, case)["stage"] == "waiting"
    assert open_on(a_phone(portal), path).location == "/phone/number"


def test_the_number_stands_on_the_computer_only_and_only_once_the_link_is_open(
    portal: Portal, computer: Browser, case: UUID
) -> None:
    path = link_on(computer, case)
    with portal.db.reading() as db:
        number = str(db.scalars(select(DeviceLink)).one().number)
    assert f">{number}<" not in computer.get(f"/requests/{case}/phone").text
    phone = a_phone(portal)
    assert f">{number}<" not in phone.get(path).text
    open_on(phone, path)
    assert number in offered_to(phone) and len(offered_to(phone)) == 3
    assert number_on(computer, case) == number


@pytest.mark.parametrize("chosen", ["wrong", ""])
def test_a_wrong_number_ends_the_link_and_both_are_told(portal: Portal, computer: Browser, case: UUID, chosen: str) -> None:
    path = link_on(computer, case)
    phone = a_phone(portal)
    open_on(phone, path)
    right = number_on(computer, case)
    wrong = next(number for number in offered_to(phone) if number != right)
    answer = phone.post("/phone/number", number=wrong if chosen else "")
    assert "That was not the number" in phone.get(answer.location).text
    assert stage(computer, case)["stage"] == "wrong_number" and "A wrong number was chosen" in stage(computer, case)["page"]
    assert phone.post("/phone/number", number=right).status_code == 404
    assert phone.get("/phone").status_code == 303 and phone.get(path).status_code == 410
    assert kinds(portal)[-1] == ("ended", "wrong_number")


def test_who_did_not_start_it_says_so_and_the_computer_is_told(portal: Portal, computer: Browser, case: UUID) -> None:
    path = link_on(computer, case)
    phone = a_phone(portal)
    answer = open_on(phone, path, answer="no")
    assert "the link no longer works" in phone.get(answer.location).text
    assert stage(computer, case)["stage"] == "declined"
    assert open_on(a_phone(portal), path).status_code == 410
    assert kinds(portal)[-1] == ("ended", "declined")


@pytest.mark.parametrize(("answer", "why"), [("yes", "opened_twice"), ("no", "declined")])
def test_a_link_works_on_one_device_and_a_second_one_ends_it_for_the_one_that_was_first(
    portal: Portal, computer: Browser, case: UUID, answer: str, why: str
) -> None:
    path = link_on(computer, case)
    phone = a_phone(portal)
    open_on(phone, path)
    phone.get("/phone/number")
    phone.post("/phone/number", number=number_on(computer, case))
    second = a_phone(portal)
    assert "Did you start this?" in second.get(path).text
    assert phone.get(f"/requests/{case}/photos/document").status_code == 200  # looking at it ends nothing
    assert open_on(second, path, answer=answer).location == f"/phone/gone?why={why}"
    assert phone.get(f"/requests/{case}/photos/document").location == "/phone/gone"
    assert stage(computer, case)["stage"] == why
    assert stage(computer, case)["next"] == f"/requests/{case}/phone"  # whichever page it waits on
    assert computer.get(f"/requests/{case}/phone").status_code == 200


def test_an_hour_later_the_address_of_the_link_ends_nothing(portal: Portal, computer: Browser, case: UUID) -> None:
    path = link_on(computer, case)
    phone = a_phone(portal)
    open_on(phone, path)
    phone.get("/phone/number")
    phone.post("/phone/number", number=number_on(computer, case))
    portal.clock.forward(minutes=14)
    assert phone.get(path).location == "/phone"  # the connected phone itself is led back
    portal.clock.forward(minutes=1)
    second = a_phone(portal)
    assert second.get(path).status_code == 410 and open_on(second, path, answer="no").status_code == 410
    assert phone.get(f"/requests/{case}/photos/document").status_code == 200


def test_a_double_tap_or_a_lost_answer_is_one_opening(portal: Portal, computer: Browser, case: UUID) -> None:
    path = link_on(computer, case)
    phone = a_phone(portal)
    phone.get(path)
    token, cookies = phone.token, phone.client._cookies.copy()
    for _tap in range(2):
        phone.client._cookies = cookies.copy()  # the first answer was not there yet, or never came
        answer = phone.client.post("/phone", data={"csrf_token": token, "token": path.removeprefix("/phone/"), "answer": "yes"})
        assert answer.location == "/phone/number"
    phone.get("/phone/number")
    assert phone.post("/phone/number", number=number_on(computer, case)).location == "/phone"
    assert phone.get("/phone/number").location == "/phone"  # back, and once more
    assert kinds(portal) == [("made", None), ("opened", None), ("confirmed", None)]


def test_a_phone_connected_to_her_own_request_is_warned_of_somebody_elses_link(
    portal: Portal, computer: Browser, case: UUID
) -> None:
    phone = connect(portal, computer, case)
    thief = portal.customer("thief")
    theirs = portal.draft(thief, photos=False)
    path = link_on(computer_of(portal, thief), theirs)
    assert "belongs to another customer" in phone.get(path).text
    assert open_on(phone, path).location == "/phone/gone?why=other_account"
    assert phone.get("/phone").location == f"/requests/{case}/photos/document"  # her own connection stays


def test_a_phone_that_was_connected_between_yes_and_the_number_is_not_taken_over(
    portal: Portal, computer: Browser, case: UUID
) -> None:
    thief = portal.customer("thief")
    theirs, computer_of_thief = portal.draft(thief, photos=False), computer_of(portal, thief)
    phone = a_phone(portal)
    open_on(phone, link_on(computer_of_thief, theirs))
    number = number_on(computer_of_thief, theirs)
    with phone.client.session_transaction() as session:
        opening = session["opening"]
    mine = link_on(computer, case)
    open_on(phone, mine)
    phone.get("/phone/number")
    phone.post("/phone/number", number=number_on(computer, case))
    phone.follow("/phone")
    with phone.client.session_transaction() as session:
        session["opening"] = opening
    assert phone.post("/phone/number", number=number).location == "/phone/gone?why=other_account"
    assert phone.get("/phone").location == f"/requests/{case}/photos/document"


def test_the_computer_that_was_hidden_while_the_phone_worked_goes_on(portal: Portal, computer: Browser, case: UUID) -> None:
    phone = connect(portal, computer, case)
    for _minutes in range(4):
        portal.clock.forward(minutes=4)
        phone.get(f"/requests/{case}/photos/document")
    assert computer.get(f"/requests/{case}/phone.json").status_code == 200
    assert computer.get(f"/requests/{case}/details").status_code == 200
    portal.clock.forward(minutes=16)
    assert computer.get(f"/requests/{case}/details").status_code == 303


def test_the_phone_sends_what_its_page_named_and_nothing_else(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    phone = connect(portal, computer_of(portal, customer), case)
    assert "You ask to change: Surname, Document number." in phone.get("/phone").text
    other = Claim(reason=ChangeReason.MARRIAGE, values={Field.SURNAME: "СИДОРОВА", Field.DATE_OF_BIRTH: "1980-01-01"})
    with portal.db.transaction() as db:
        intake.amend(db, case, other, country="RUS", new_email="thief@evil.test", now=portal.clock())
    assert phone.post("/phone/send", consent=CONSENT).location == "/phone"
    assert portal.case(case).state is State.DRAFT
    page = phone.get("/phone").text
    assert "Please check once more" in page and "Surname, Date of birth, E-mail address" in page
    phone.version = {}
    assert phone.post("/phone/send", consent=CONSENT).location == "/phone"  # a form that names no version has shown nothing
    assert portal.case(case).state is State.DRAFT
    phone.get("/phone")
    phone.post("/phone/send", consent=CONSENT)
    assert portal.case(case).state is State.SUBMITTED


def test_a_second_device_that_opens_the_link_ends_it_for_both(portal: Portal, computer: Browser, case: UUID) -> None:
    path = link_on(computer, case)
    first, second = a_phone(portal), a_phone(portal)
    open_on(first, path)
    number = number_on(computer, case)
    assert "opened on another device" in second.get(open_on(second, path).location).text
    assert first.post("/phone/number", number=number).status_code == 410
    assert stage(computer, case)["stage"] == "opened_twice"


def test_an_expired_link_says_so(portal: Portal, computer: Browser, case: UUID) -> None:
    path = link_on(computer, case)
    portal.clock.forward(minutes=14)
    computer.get(f"/requests/{case}/phone")
    portal.clock.forward(minutes=1)
    assert a_phone(portal).get(path).status_code == 410
    assert open_on(a_phone(portal), path).status_code == 410
    assert stage(computer, case)["stage"] == "expired"


def test_a_phone_signed_in_as_somebody_else_is_warned_and_ends_the_link(portal: Portal, computer: Browser, case: UUID) -> None:
    path = link_on(computer, case)
    other = portal.sign_in(portal.customer("other"))
    assert "belongs to another customer" in other.get(path).text
    assert "belongs to another customer" in other.get(open_on(other, path).location).text
    assert stage(computer, case)["stage"] == "other_account"
    assert other.get(f"/requests/{case}/photos/document").status_code == 404


def test_who_is_signed_in_as_herself_needs_no_link(portal: Portal, computer: Browser, case: UUID) -> None:
    path = link_on(computer, case)
    assert "signed in on this device already" in computer.get(path).text


def test_somebody_elses_request_gives_no_link(portal: Portal, case: UUID) -> None:
    other = portal.sign_in(portal.customer("other"))
    for address in (f"/requests/{case}/phone", f"/requests/{case}/phone.json"):
        assert other.get(address).status_code == 404
    for address in (f"/requests/{case}/phone", f"/requests/{case}/phone/stop"):
        assert other.post(address).status_code == 404


def test_another_device_of_hers_is_not_shown_the_code(portal: Portal, computer: Browser, case: UUID) -> None:
    link_on(computer, case)
    second = computer_of(portal, portal.case(case).customer_id)
    page = second.get(f"/requests/{case}/phone").text
    assert "shown on another device" in page and "phone-address" not in page


def test_links_are_limited_and_after_three_strange_ends_there_is_none_that_day(
    portal: Portal, computer: Browser, case: UUID
) -> None:
    for _time in range(3):
        open_on(a_phone(portal), link_on(computer, case), answer="no")
    answer = computer.post(f"/requests/{case}/phone")
    assert answer.status_code == 429 and answer.headers["Retry-After"] == "86400"


def test_more_than_five_links_have_to_wait(portal: Portal, computer: Browser, case: UUID) -> None:
    for _time in range(5):
        link_on(computer, case)
    assert computer.post(f"/requests/{case}/phone").status_code == 429


def test_guessing_links_is_counted(portal: Portal) -> None:
    stranger = a_phone(portal)
    answers = [stranger.get(f"/phone/guess{number}").status_code for number in range(21)]
    assert answers == [410] * 20 + [429]


# --- The phone's session


def test_a_phone_reaches_nothing_but_the_photos(portal: Portal, computer: Browser, case: UUID) -> None:
    phone = connect(portal, computer, case)
    with portal.db.transaction() as db:
        portal.attach(db, case)
    reached = []
    for rule in portal.app.url_map.iter_rules():
        if not rule.endpoint.startswith(("portal.", "entrance.stay")) or rule.endpoint in PHONE_MAY:
            continue
        address = re.sub(
            r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>", lambda m: {"uuid": str(case), "any": "document"}.get(m[1] or "", "0"), str(rule)
        )
        for method in (rule.methods or set()) & {"GET", "POST", "PUT", "DELETE", "PATCH"}:
            token = {"csrf_token": phone.token}
            answer = phone.client.open(address, method=method, data=token if method != "GET" else None)
            if (answer.status_code, answer.location) != (303, "/phone") and answer.status_code not in (400, 403, 404, 405, 410):
                reached.append(f"{method} {address}: {answer.status_code} {answer.location}")
    assert set(reached) <= OPEN_TO_STRANGERS, reached


def test_a_phone_sees_no_detail_and_no_photo(portal: Portal, computer: Browser, case: UUID) -> None:
    phone = connect(portal, computer, case)
    with portal.db.transaction() as db:
        portal.attach(db, case)
    assert phone.get(f"/requests/{case}/photos/document/view").location == "/phone"
    for address in (f"/requests/{case}/check", f"/requests/{case}/details", f"/requests/{case}", "/"):
        assert phone.get(address).location == "/phone", address
    assert phone.post(f"/requests/{case}/details", surname="Чужая").status_code == 403
    assert phone.post(f"/requests/{case}/withdraw").status_code == 403
    for address in (f"/requests/{case}/photos/document", f"/requests/{case}/photos/selfie", f"/requests/{case}/person", "/phone"):
        page = phone.get(address).text
        assert not re.search("петрова|иванова|4524654321|4510123456", page, re.IGNORECASE), address


def test_a_phone_sees_one_request_only(portal: Portal, computer: Browser, case: UUID) -> None:
    customer = portal.case(case).customer_id
    phone = connect(portal, computer, case)
    with portal.db.transaction() as db:
        intake.withdraw(db, case, now=portal.clock())
    second = portal.draft(customer, photos=False)
    assert phone.get(f"/requests/{second}/photos/document").status_code == 404
    assert phone.upload(f"/requests/{second}/photos/document", picture("document")).status_code == 404
    assert "withdrawn" in phone.get("/phone").text.lower()


def test_the_computer_disconnects_the_phone(portal: Portal, computer: Browser, case: UUID) -> None:
    phone = connect(portal, computer, case)
    computer.get(f"/requests/{case}/phone")
    computer.post(f"/requests/{case}/phone/stop")
    assert phone.get(f"/requests/{case}/photos/document").location == "/phone/gone"
    assert "not connected any more" in computer.get(f"/requests/{case}/phone").text


def test_a_new_link_disconnects_the_phone_before(portal: Portal, computer: Browser, case: UUID) -> None:
    phone = connect(portal, computer, case)
    computer.post(f"/requests/{case}/phone")
    assert phone.get(f"/requests/{case}/photos/document").location == "/phone/gone"


def test_the_phone_leaves_by_itself(portal: Portal, computer: Browser, case: UUID) -> None:
    phone = connect(portal, computer, case)
    phone.get(f"/requests/{case}/photos/document")
    assert phone.post("/sign-out").location == "/phone/gone"
    assert phone.get("/phone").location == "/sign-in?next=/phone"
    assert kinds(portal)[-1] == ("ended", "left")


def test_the_phones_session_ends_when_nothing_happens(portal: Portal, computer: Browser, case: UUID) -> None:
    phone = connect(portal, computer, case)
    portal.clock.forward(minutes=16)
    answer = phone.get(f"/requests/{case}/photos/document")
    assert answer.location == "/phone/gone"
    assert "Every photo you sent is kept" in phone.get(answer.location).text


def test_a_phone_is_not_the_customer(portal: Portal, computer: Browser, case: UUID) -> None:
    phone = connect(portal, computer, case)
    with phone.client.session_transaction() as session:
        assert "customer" not in session and "phone" in session
    assert phone.post("/session").status_code == 204  # typing and photographing are a sign of life


# --- Two devices at once


def test_two_devices_send_the_same_photo_and_the_newest_counts(portal: Portal, computer: Browser, case: UUID) -> None:
    phone = connect(portal, computer, case)
    address = f"/requests/{case}/photos/document"
    for browser in (computer, phone):
        browser.get(address)
    assert phone.upload(address, picture("document")).status_code == 303
    assert computer.upload(address, picture("document", width=904)).status_code == 303
    with portal.db.reading() as db:
        events = db.scalars(select(Event).where(Event.kind == "photo_kept").order_by(Event.id)).all()
        current = intake.photo(db, portal.case(case), PhotoKind.DOCUMENT)
        assert current is not None and str(current.id) == events[-1].details["photo_id"]
        assert events[-1].details["replaces"] == events[0].details["photo_id"]


def test_a_second_device_goes_on_at_the_same_step(portal: Portal, computer: Browser, case: UUID) -> None:
    computer.get(f"/requests/{case}/photos/document")
    computer.upload(f"/requests/{case}/photos/document", picture("document"))
    second = portal.sign_in(portal.case(case).customer_id)
    assert second.get("/").location == computer.get("/").location == f"/requests/{case}/photos/selfie"


def test_a_page_that_is_stale_is_told_how_things_stand(portal: Portal, computer: Browser, case: UUID) -> None:
    phone = connect(portal, computer, case)
    with portal.db.transaction() as db:
        portal.attach(db, case)
    phone.get("/phone")
    computer.get(f"/requests/{case}/check")
    phone.post("/phone/send", consent=CONSENT)
    assert computer.post(f"/requests/{case}/check", consent=CONSENT).location == f"/requests/{case}"
    assert computer.upload(f"/requests/{case}/photos/document", picture("document")).location == f"/requests/{case}"
    assert portal.case(case).attempt == 1


# --- Save and leave


def test_who_leaves_reads_what_is_saved_and_until_when(portal: Portal, computer: Browser, case: UUID) -> None:
    computer.get(f"/requests/{case}/photos/document")
    assert computer.post("/sign-out").location == "/saved"
    page = computer.get("/saved").text
    assert "Saved until" in page and "December 6, 2026" in page and "on any device" in page
    assert computer.get(f"/requests/{case}/photos/document").location.startswith("/sign-in")


def test_a_mail_is_sent_at_her_wish_once_and_says_nothing_of_her(portal: Portal, computer: Browser, case: UUID) -> None:
    from cases import notifications
    from workers import notify

    computer.get(f"/requests/{case}/photos/document")
    computer.post("/sign-out")
    computer.get("/saved")
    for _click in range(2):
        computer.post("/saved")
    assert "We remind you" in computer.get("/saved").text
    with portal.db.transaction() as db:
        (owed,) = notifications.due(db, now=portal.clock())
        message = notifications.begin_sending(db, owed, now=portal.clock())
        settings = db.info["settings"]
    assert message is not None and message.kind == "draft_saved"
    body = notify.write(message, settings).get_content()
    assert "December 6, 2026" in body and "/links/" in body
    assert not re.search("иванова|анна|петрова|passport|surname", body, re.IGNORECASE)


def test_reminders_are_limited(portal: Portal, computer: Browser, case: UUID) -> None:
    customer = portal.case(case).customer_id
    for _time in range(4):
        browser = portal.sign_in(customer)
        browser.post("/sign-out")
        browser.get("/saved")
        browser.post("/saved")
    with portal.db.reading() as db:
        assert len(db.scalars(select(Event).where(Event.kind == "notification_added")).all()) == 2


def test_the_page_after_leaving_forgets_soon_and_shows_nothing_to_strangers(
    portal: Portal, computer: Browser, case: UUID
) -> None:
    assert portal.browser().get("/saved").location == "/sign-in"
    assert portal.browser().post("/saved").status_code == 303
    computer.post("/sign-out")
    portal.clock.forward(minutes=16)
    assert computer.get("/saved").location == "/sign-in"


def test_who_leaves_with_nothing_begun_or_everything_sent_is_shown_the_door(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer())
    assert browser.post("/sign-out").location == "/sign-in"


# --- A session that ended loses nothing


TYPED = {"surname": "Сидорова", "document_number": "45 24 654321", "issued_on_day": "1", "issued_on_month": "2"}
TYPED["issued_on_year"] = "2026"


def sign_in_again(portal: Portal, browser: Browser, customer: UUID) -> TestResponse:
    from tests.webapp.pages import link

    token = link(portal, "hand_over", customer)
    browser.get(f"/enter/{token}")
    return browser.post("/enter", token=token)


def kept_form(browser: Browser) -> tuple[str, dict[str, str]]:
    """Where the page of the kept form sends it, and its fields."""
    page = browser.get("/unsent").text
    action = re.search(r'<form method="post" action="([^"]+)">', page.split("<h1>", 1)[1])
    assert action
    fields = dict(re.findall(r'<input type="hidden" name="(?!csrf_token)([^"]+)" value="([^"]*)">', page.split("<h1>", 1)[1]))
    return action[1], fields


def test_what_was_typed_when_the_session_ended_is_kept_and_sent_after_signing_in(portal: Portal) -> None:
    customer = portal.customer()
    browser = portal.sign_in(customer)
    browser.get("/request/reason")
    browser.post("/request/reason", reason="marriage", paper="ru_internal")
    browser.get("/request/details")
    portal.clock.forward(minutes=20)
    assert browser.post("/request/details", **TYPED).location == "/sign-in?next=/request/details"
    assert "What you entered is kept" in browser.get("/sign-in?next=/request/details").text
    with browser.client.session_transaction() as session:
        assert "Сидорова" not in str(dict(session))
    answer = sign_in_again(portal, browser, customer)
    assert browser.get(answer.location).location == "/unsent"
    action, fields = kept_form(browser)
    assert action == "/request/details" and fields == TYPED
    assert browser.post(action, **fields).location.endswith("/photos/document")
    assert browser.get("/unsent").status_code == 303  # taken: nothing waits any more


def test_it_is_kept_for_another_device_with_the_choices_made_before(portal: Portal) -> None:
    customer = portal.customer()
    browser = portal.sign_in(customer)
    browser.get("/request/reason")
    browser.post("/request/reason", reason="marriage", paper="ru_internal")
    browser.get("/request/details")
    portal.clock.forward(minutes=20)
    browser.post("/request/details", **TYPED)
    other = portal.browser()
    sign_in_again(portal, other, customer)
    assert other.get("/").location == "/unsent"
    action, fields = kept_form(other)
    assert other.post(action, **fields).location.endswith("/photos/document")


def test_a_photo_that_came_too_late_is_kept_and_used_when_she_says_so(portal: Portal, computer: Browser, case: UUID) -> None:
    address = f"/requests/{case}/photos/document"
    computer.get(address)
    portal.clock.forward(minutes=20)
    assert computer.upload(address, picture("document")).location == f"/sign-in?next={address}"
    with portal.db.reading() as db:
        assert intake.photo(db, portal.case(case), PhotoKind.DOCUMENT) is None  # a session that ended changes nothing
    sign_in_again(portal, computer, portal.case(case).customer_id)
    assert computer.get("/").location == "/unsent"
    assert "passport photo" in computer.get("/unsent").text
    computer.post("/unsent/photo")
    assert computer.get("/").location == f"/requests/{case}/photos/selfie"


def test_a_kept_photo_that_will_not_do_is_refused_like_any_other(portal: Portal, computer: Browser, case: UUID) -> None:
    address = f"/requests/{case}/photos/document"
    computer.get(address)
    portal.clock.forward(minutes=20)
    computer.upload(address, picture("document", blur=True))
    sign_in_again(portal, computer, portal.case(case).customer_id)
    computer.follow("/")
    assert computer.post("/unsent/photo").location == address
    assert "will not do" in computer.get(address).text


def test_the_kept_form_is_hers_alone(portal: Portal) -> None:
    customer = portal.customer()
    browser = portal.sign_in(customer)
    browser.get("/request/reason")
    browser.post("/request/reason", reason="marriage", paper="ru_internal")
    browser.get("/request/details")
    portal.clock.forward(minutes=20)
    browser.post("/request/details", **TYPED)
    sign_in_again(portal, browser, portal.customer("other"))  # at the same computer
    assert browser.get("/").status_code == 200
    assert browser.get("/unsent").location == "/"


def test_a_form_of_another_site_is_not_kept(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer())
    browser.get("/request/details")
    portal.clock.forward(minutes=20)
    assert browser.client.post("/request/details", data={"csrf_token": "forged", **TYPED}).location == "/sign-in"
    with portal.db.reading() as db:
        assert db.scalars(select(UnsentForm)).all() == []


def test_an_agreement_is_never_kept(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    browser = portal.sign_in(customer)
    browser.get(f"/requests/{case}/check")
    portal.clock.forward(minutes=20)
    browser.post(f"/requests/{case}/check", consent=CONSENT)
    assert portal.case(case).state is State.DRAFT
    sign_in_again(portal, browser, customer)
    assert browser.get("/").location == f"/requests/{case}/check"


def test_she_may_drop_it(portal: Portal) -> None:
    customer = portal.customer()
    browser = portal.sign_in(customer)
    browser.get("/request/details")
    portal.clock.forward(minutes=20)
    browser.post("/request/reason", reason="court", paper="ru_internal")
    sign_in_again(portal, browser, customer)
    browser.follow("/")
    assert browser.post("/unsent/drop").location == "/"
    assert browser.get("/unsent").location == "/"


def test_a_photo_of_a_phone_whose_session_ended_is_offered_to_the_next_phone(
    portal: Portal, computer: Browser, case: UUID
) -> None:
    phone = connect(portal, computer, case)
    address = f"/requests/{case}/photos/document"
    phone.get(address)
    portal.clock.forward(minutes=16)
    assert phone.upload(address, picture("document")).status_code == 303
    computer = computer_of(portal, portal.case(case).customer_id)
    computer.post("/unsent/nothing")
    again = connect(portal, computer, case)
    assert again.get("/phone").location == "/unsent"
    again.get("/unsent")
    again.post("/unsent/photo")
    assert again.get("/phone").location == f"/requests/{case}/photos/selfie"


def test_what_a_phones_old_session_types_is_not_kept(portal: Portal, computer: Browser, case: UUID) -> None:
    phone = connect(portal, computer, case)
    second = portal.draft(portal.customer("other"), photos=False)
    portal.clock.forward(minutes=16)
    for address in (f"/requests/{case}/details", f"/requests/{case}/messages", f"/requests/{case}/reason"):
        cookies = phone.client._cookies.copy()
        assert phone.post(address, email="thief@evil.test", text="Call me", reason="court").location == "/phone/gone"
        phone.client._cookies = cookies
    phone.upload(f"/requests/{second}/photos/document", picture("document"))
    with portal.db.reading() as db:
        assert db.scalars(select(UnsentForm)).all() == []


def test_a_photo_that_comes_from_a_phone_an_hour_later_is_not_kept(portal: Portal, computer: Browser, case: UUID) -> None:
    phone = connect(portal, computer, case)
    portal.clock.forward(minutes=61)
    phone.upload(f"/requests/{case}/photos/document", picture("document"))
    with portal.db.reading() as db:
        assert db.scalars(select(UnsentForm)).all() == []


def test_what_was_typed_is_not_offered_to_a_phone(portal: Portal, computer: Browser, case: UUID) -> None:
    computer.get(f"/requests/{case}/details")
    portal.clock.forward(minutes=20)
    computer.post(f"/requests/{case}/details", **TYPED)
    fresh = computer_of(portal, portal.case(case).customer_id)
    phone = connect(portal, fresh, case)
    assert phone.get("/phone").location == f"/requests/{case}/photos/document"
    assert phone.get("/unsent").location == "/phone"
    phone.get(f"/requests/{case}/photos/document")
    phone.post("/unsent/drop")
    assert fresh.get("/unsent").status_code == 200


def test_the_limits_are_those_told(portal: Portal) -> None:
    assert device_links.LIFETIME.total_seconds() == 15 * 60


def test_the_words_of_a_message_are_kept_too(portal: Portal, computer: Browser, case: UUID) -> None:
    address = f"/requests/{case}/messages"
    computer.get(f"/requests/{case}/photos/document")
    portal.clock.forward(minutes=20)
    assert computer.post(address, text="The page is torn, what now?").location == f"/sign-in?next={address}"
    sign_in_again(portal, computer, portal.case(case).customer_id)
    assert computer.get("/").location == "/unsent"
    assert kept_form(computer) == (address, {"text": "The page is torn, what now?"})


def test_the_page_check_and_send_follows_the_phone_only_while_one_is_connected(
    portal: Portal, computer: Browser, case: UUID
) -> None:
    def follows() -> bool:
        with portal.app.test_request_context():
            g.connected = None
            page = render_template("portal/_phone_follow.html", case=portal.case(case))
        return f'data-follow="/requests/{case}/phone.json"' in page

    assert not follows()
    connect(portal, computer, case)
    assert follows()
    computer.post(f"/requests/{case}/phone/stop")
    assert not follows()


def test_a_photo_page_offers_the_phone_but_not_on_the_phone(portal: Portal, case: UUID) -> None:
    with portal.app.test_request_context():
        g.connected = None
        offer = render_template("portal/_phone_offer.html", case=portal.case(case))
        assert f'action="/requests/{case}/phone"' in offer and "<button" in offer
        g.connected = Connected(link_id=case, case_id=case, customer_id=case)
        assert render_template("portal/_phone_offer.html", case=portal.case(case)).strip() == ""
