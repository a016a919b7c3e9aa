"""Sessions of customers: over when they are over, on every copy of the cookie, and what came too late is kept with care."""

from __future__ import annotations

import base64
import re
import zlib
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from cases import intake, retention, unsent_forms
from cases.models import Case, CustomerSession, UnsentForm
from tests.webapp.conftest import Browser, Portal, picture
from tests.webapp.pages import link
from verification import images
from verification.evidence import Field
from verification.reasons import ReasonCode

OF_OURS = {"Origin": "http://localhost"}
"""What a browser says of a form that a page of ours sent."""

TYPED = {"surname": "Сидорова", "document_number": "45 24 654321", "issued_on_day": "1", "issued_on_month": "2"}
TYPED["issued_on_year"] = "2026"


@pytest.fixture
def anna(portal: Portal) -> UUID:
    return portal.customer()


@pytest.fixture
def case(portal: Portal, anna: UUID) -> UUID:
    return portal.draft(anna, photos=False)


def kept_form(portal: Portal, customer: UUID) -> unsent_forms.Unsent | None:
    with portal.db.reading() as db:
        return unsent_forms.find(db, customer, now=portal.clock())


def come_in(portal: Portal, browser: Browser, customer: UUID) -> TestResponse:
    """Through the lender's app, in a browser that may have been here before."""
    token = link(portal, "hand_over", customer)
    browser.get(f"/enter/{token}")
    answer = browser.post("/enter", token=token)
    assert answer.status_code == 303
    return answer


def cookie_of(answer: TestResponse) -> str:
    """What somebody reads who takes the cookie apart."""
    text = answer.headers["Set-Cookie"].split("=", 1)[1].split(";")[0]
    packed = text.startswith(".")
    part = text.lstrip(".").split(".")[0]
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    return (zlib.decompress(raw) if packed else raw).decode()


# --- Signed out is signed out


def test_a_copy_of_the_cookie_is_worth_nothing_after_signing_out(portal: Portal, anna: UUID, case: UUID) -> None:
    browser = portal.sign_in(anna)
    page = f"/requests/{case}/details"
    assert browser.get(page).status_code == 200
    copy = browser.client._cookies.copy()
    browser.post("/sign-out")
    browser.client._cookies = copy
    assert browser.get(page).location.startswith("/sign-in")


def test_a_copy_is_worth_nothing_either_when_she_signs_out_after_the_session_fell_asleep(portal: Portal, anna: UUID) -> None:
    browser = portal.sign_in(anna)
    browser.get("/request/reason")
    copy = browser.client._cookies.copy()
    portal.clock.forward(minutes=20)
    browser.post("/sign-out")
    browser.client._cookies = copy
    browser.post("/request/reason", reason="court", paper="ru_internal")
    assert kept_form(portal, anna) is None


def test_a_slow_answer_writes_no_cookie_over_a_newer_one(portal: Portal, anna: UUID, case: UUID) -> None:
    browser = portal.sign_in(anna)
    address = f"/requests/{case}/photos/document"
    browser.get(address)
    portal.clock.forward(minutes=5)  # a sign of her is due
    headers = {"X-CSRFToken": browser.token}
    asks = (
        ("PUT", f"{address}/{uuid4()}", picture("document")),
        ("GET", f"{address}/view", None),
        ("GET", f"/requests/{case}/phone.json", None),
        ("GET", f"/requests/{case}/progress.json", None),
        ("POST", "/request/spellings", None),
        ("POST", "/session", None),
    )
    old = browser.client._cookies.copy()
    for ends in (None, "/sign-out"):
        if ends:
            browser.client._cookies = old.copy()
            browser.post(ends)
        for method, path, data in asks:
            browser.client._cookies = old.copy()
            answer = browser.client.open(path, method=method, data=data, headers=headers)
            assert answer.headers.get("Set-Cookie") is None, (ends, path, answer.status_code)
            assert ends is None or answer.status_code == 303


def test_an_answer_under_way_takes_nothing_of_the_new_code_for_the_phone(portal: Portal, anna: UUID, case: UUID) -> None:
    browser = portal.sign_in(anna)
    browser.get(f"/requests/{case}/photos/document")
    before = browser.client._cookies.copy()
    token = browser.token
    browser.post(f"/requests/{case}/phone")
    after, browser.client._cookies = browser.client._cookies, before
    answer = browser.client.put(
        f"/requests/{case}/photos/document/{uuid4()}", data=picture("document", blur=True), headers={"X-CSRFToken": token}
    )
    assert answer.status_code == 422
    if not answer.headers.get("Set-Cookie"):  # the browser keeps what it has
        browser.client._cookies = after
    assert "phone-address" in browser.get(f"/requests/{case}/phone").text


def test_asking_for_pages_and_photographing_keep_a_session_alive_and_polling_does_not(
    portal: Portal, anna: UUID, case: UUID
) -> None:
    browser = portal.sign_in(anna)
    browser.get(f"/requests/{case}/photos/document")
    headers = {"X-CSRFToken": browser.token}
    for _time in range(3):
        portal.clock.forward(minutes=10)
        assert browser.client.post("/session", headers=headers).status_code == 204
    portal.clock.forward(minutes=10)
    assert browser.client.put(
        f"/requests/{case}/photos/document/{uuid4()}", data=picture("document"), headers=headers
    ).status_code in (200, 422)
    portal.clock.forward(minutes=10)
    assert browser.client.get(f"/requests/{case}/progress.json").status_code == 200
    portal.clock.forward(minutes=6)
    assert browser.client.get(f"/requests/{case}/progress.json").status_code == 303


def test_the_cookie_says_nothing_of_her_after_signing_out(portal: Portal, anna: UUID) -> None:
    browser = portal.sign_in(anna)
    browser.get("/request/reason")
    browser.post("/request/reason", reason="divorce", paper="ru_internal")
    browser.get("/request/details")
    says = cookie_of(browser.post("/sign-out"))
    assert not re.search(f"{anna}|divorce|ru_internal|csrf", says), says


def test_sessions_are_forgotten_some_days_after_they_began(portal: Portal, anna: UUID) -> None:
    portal.sign_in(anna)
    with portal.db.transaction() as db:
        retention.forget_links(db, now=portal.clock())
        assert len(db.scalars(select(CustomerSession)).all()) == 1
        portal.clock.forward(days=8)
        retention.forget_links(db, now=portal.clock())
        assert db.scalars(select(CustomerSession)).all() == []


# --- Two tabs


def test_the_form_of_an_old_tab_is_taken_after_signing_in_again_in_another(portal: Portal, anna: UUID, case: UUID) -> None:
    browser = portal.sign_in(anna)
    browser.get(f"/requests/{case}/details")
    old_tab = browser.token
    portal.clock.forward(minutes=16)
    come_in(portal, browser, anna)
    answer = browser.client.post(f"/requests/{case}/details", data={"csrf_token": old_tab, **TYPED})
    assert answer.location.endswith("/photos/document")
    come_in(portal, browser, anna)  # again, with a session that lives
    assert browser.client.post(f"/requests/{case}/details", data={"csrf_token": old_tab, **TYPED}).status_code == 303


def test_the_form_of_somebody_elses_old_tab_is_not(portal: Portal, anna: UUID, case: UUID) -> None:
    browser = portal.sign_in(anna)
    browser.get(f"/requests/{case}/details")
    old_tab = browser.token
    portal.clock.forward(minutes=16)
    come_in(portal, browser, portal.customer("other"))
    browser.follow("/")
    assert browser.token != old_tab
    assert browser.client.post("/request/reason", data={"csrf_token": old_tab, "reason": "court"}).status_code == 400


# --- What is kept, for how long, and what she sees of it


@pytest.mark.parametrize(("minutes", "is_kept"), [(16, True), (60, True), (61, False), (60 * 24 * 200, False)])
def test_a_form_is_kept_for_an_hour_after_the_last_sign_of_her(
    portal: Portal, anna: UUID, case: UUID, minutes: int, is_kept: bool
) -> None:
    browser = portal.sign_in(anna)
    address = f"/requests/{case}/details"
    browser.get(address)
    portal.clock.forward(minutes=minutes)
    answer = browser.post(address, **TYPED)
    assert (kept_form(portal, anna) is not None) is is_kept
    assert answer.location == (f"/sign-in?next={address}" if is_kept else "/sign-in")
    said = browser.get(answer.location).text
    assert ("What you entered is kept" in said) is is_kept and ("repeat the last step" in said) is not is_kept


def test_nothing_is_kept_beyond_the_longest_time_of_a_session(portal: Portal, anna: UUID, case: UUID) -> None:
    browser = portal.sign_in(anna)
    for _time in range(48):
        portal.clock.forward(minutes=10)
        assert browser.get(f"/requests/{case}/details").status_code == 200
    portal.clock.forward(minutes=1)
    browser.post(f"/requests/{case}/details", **TYPED)
    assert kept_form(portal, anna) is None


def test_an_older_sessions_form_does_not_take_the_place_of_a_newer_ones(portal: Portal, anna: UUID, case: UUID) -> None:
    old = portal.sign_in(anna)
    old.get(f"/requests/{case}/details")
    portal.clock.forward(minutes=1)
    new = portal.sign_in(anna)
    new.get(f"/requests/{case}/details")
    portal.clock.forward(minutes=16)
    new.post(f"/requests/{case}/details", surname="Новая")
    old.post(f"/requests/{case}/details", surname="Чужая")
    form = kept_form(portal, anna)
    assert form is not None and ("surname", "Новая") in form.fields


def test_she_reads_what_was_kept_and_only_that_is_sent(portal: Portal, anna: UUID, case: UUID) -> None:
    browser = portal.sign_in(anna)
    browser.get(f"/requests/{case}/details")
    portal.clock.forward(minutes=16)
    browser.post(f"/requests/{case}/details", **TYPED, email="new@mail.test", sure="issued_on_day", anyway="1", patronymic=" ")
    again = portal.sign_in(anna)
    page = again.get("/unsent").text
    seen = re.sub(r"<[^>]*>", " ", page)
    for value in ("Сидорова", "45 24 654321", "1 2 2026", "new@mail.test", "E-mail address", "Is this what you typed?"):
        assert value in seen, value
    hidden = set(re.findall(r'<input type="hidden" name="([^"]+)"', page.split("<h1>")[1]))
    assert hidden == {*TYPED, "email", "patronymic", "csrf_token"}


def test_choices_are_taken_from_no_form(portal: Portal, anna: UUID, case: UUID) -> None:
    browser = portal.sign_in(anna)
    browser.get(f"/requests/{case}/details")
    portal.clock.forward(minutes=16)
    browser.post(f"/requests/{case}/details", **TYPED, **{"plan-reason": "court", "plan-paper": "other"})
    form = kept_form(portal, anna)
    assert form is not None and not [name for name, _value in form.fields if name.startswith("plan-")]


def test_a_message_is_read_before_it_goes_on_too(portal: Portal, anna: UUID, case: UUID) -> None:
    browser = portal.sign_in(anna)
    browser.get(f"/requests/{case}/details")
    portal.clock.forward(minutes=16)
    browser.post(f"/requests/{case}/messages", text="Please write to\nanother@mail.test")
    assert "another@mail.test" in re.sub(r"<[^>]*>", " ", portal.sign_in(anna).get("/unsent").text)


def test_kept_details_mean_the_same_on_another_device(portal: Portal, anna: UUID, case: UUID) -> None:
    browser = portal.sign_in(anna)
    browser.get(f"/requests/{case}/reason")
    browser.post(f"/requests/{case}/reason", reason="mistake", paper="ru_internal")
    browser.get(f"/requests/{case}/details")
    portal.clock.forward(minutes=16)
    browser.post(f"/requests/{case}/details", **TYPED, date_of_birth_day="1", date_of_birth_month="2", date_of_birth_year="1991")
    other = portal.sign_in(anna)
    other.get(f"/requests/{case}/reason")
    other.post(f"/requests/{case}/reason", reason="new_passport", paper="ru_travel")  # the kept ones win
    page = other.get("/unsent").text
    assert "Russia: internal passport" in page
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.split("<h1>")[1]))
    assert other.post(f"/requests/{case}/details", **fields).location.endswith("/photos/document")
    with portal.db.reading() as db:
        row = db.get_one(Case, case)
        values = intake.claim_of(db, row)[0].values
    assert row.change_reason.value == "mistake" and values[Field.DATE_OF_BIRTH] == "1991-02-01"
    assert kept_form(portal, anna) is None


def test_a_form_that_waits_is_dropped_by_its_own_form_only_and_only_once_that_is_saved(
    portal: Portal, anna: UUID, case: UUID
) -> None:
    browser = portal.sign_in(anna)
    address = f"/requests/{case}/details"
    browser.get(address)
    portal.clock.forward(minutes=16)
    browser.post(address, **TYPED)
    again = portal.sign_in(anna)
    again.get(f"/requests/{case}/photos/document")
    assert again.upload(f"/requests/{case}/photos/document", picture("document")).status_code == 303
    again.post(f"/requests/{case}/reason", reason="marriage", paper="ru_internal")
    assert kept_form(portal, anna) is not None  # another form was saved
    assert again.post(address, surname="").status_code == 422
    assert kept_form(portal, anna) is not None  # its own was not
    assert again.post(address, **TYPED).status_code == 303
    assert kept_form(portal, anna) is None


def test_a_redirect_that_saved_nothing_drops_nothing(portal: Portal, anna: UUID, case: UUID) -> None:
    browser = portal.sign_in(anna)
    address = f"/requests/{case}/details"
    browser.get(address)
    portal.clock.forward(minutes=16)
    browser.post(address, **TYPED)
    with portal.db.transaction() as db:
        intake.withdraw(db, case, now=portal.clock())
    again = portal.sign_in(anna)
    assert again.post(address, **TYPED).status_code == 303
    assert kept_form(portal, anna) is not None


def test_a_photo_that_is_sent_by_script_ends_the_waiting_of_the_one_before(portal: Portal, anna: UUID, case: UUID) -> None:
    browser = portal.sign_in(anna)
    address = f"/requests/{case}/photos/document"
    browser.get(address)
    portal.clock.forward(minutes=16)
    browser.upload(address, picture("document"))
    assert kept_form(portal, anna) is not None
    again = portal.sign_in(anna)
    again.get(address)
    sent = again.client.put(f"{address}/{uuid4()}", data=picture("document"), headers={"X-CSRFToken": again.token})
    assert sent.status_code == 200 and kept_form(portal, anna) is None


def test_a_kept_photo_waits_for_a_better_moment(portal: Portal, anna: UUID, case: UUID, monkeypatch: Any) -> None:
    browser = portal.sign_in(anna)
    browser.get(f"/requests/{case}/photos/document")
    portal.clock.forward(minutes=16)
    browser.upload(f"/requests/{case}/photos/document", picture("document"))
    again = portal.sign_in(anna)
    again.get("/unsent")
    real = images.look_at_file

    def slow(*_args: Any, **_more: Any) -> Any:
        raise images.ImageRejected(ReasonCode.IMAGE_TOO_SLOW)

    monkeypatch.setattr(images, "look_at_file", slow)
    assert again.post("/unsent/photo").location == "/unsent"
    assert kept_form(portal, anna) is not None and "try again in a minute" in again.get("/unsent").text
    monkeypatch.setattr(images, "look_at_file", real)
    again.post("/unsent/photo")
    assert again.get("/").location == f"/requests/{case}/photos/selfie"


# --- A form without its session


def test_a_form_without_a_cookie_is_given_back_and_counts_once_she_is_signed_in(portal: Portal, anna: UUID, case: UUID) -> None:
    address = f"/requests/{case}/details"
    lost = portal.browser()
    answer = lost.client.post(address, data={"csrf_token": "gone", **TYPED, "email": ""}, headers=OF_OURS)
    page = lost._seen(answer).text
    assert answer.status_code == 400 and "Nothing was sent yet" in page and "Сидорова" in page and 'target="_blank"' in page
    stale = lost.token
    come_in(portal, lost, anna)
    page = lost.client.post(address, data={"csrf_token": stale, **TYPED}, headers=OF_OURS).text
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.split("<h1>")[1]))
    assert set(fields) == {*TYPED, "csrf_token"} and kept_form(portal, anna) is None
    assert lost.client.post(address, data=fields, headers=OF_OURS).location.endswith("/photos/document")


def test_what_another_site_filled_in_is_not_handed_on(portal: Portal, anna: UUID, case: UUID) -> None:
    browser = portal.sign_in(anna)
    answer = browser.client.post(f"/requests/{case}/details", data={"csrf_token": "x", **TYPED})  # no word of where it came from
    assert answer.status_code == 400 and "Сидорова" not in answer.text and "Load the page again" in answer.text


@pytest.mark.parametrize(
    ("address", "leads_to"),
    [
        ("/enter", "/enter/abc"),
        ("/links", "/links/abc"),
        ("/phone", "/phone/abc"),
        ("/not-me", "/not-me/abc"),
        ("/sign-out", "/"),
    ],
)
def test_a_tap_without_a_cookie_leads_back_to_its_question(portal: Portal, address: str, leads_to: str) -> None:
    answer = portal.browser().client.post(address, data={"token": "abc"}, headers={"Accept-Language": "ru"})
    assert answer.status_code == 400 and f'href="{leads_to}"' in answer.text and 'lang="ru"' in answer.text


def test_a_message_or_a_form_kept_for_nobody_stays_out_of_the_tables(portal: Portal, case: UUID) -> None:
    portal.browser().client.post(f"/requests/{case}/messages", data={"text": "Hello"}, headers=OF_OURS)
    with portal.db.reading() as db:
        assert db.scalars(select(UnsentForm)).all() == []


def test_who_says_it_was_not_her_signs_everybody_out_of_the_account(portal: Portal, anna: UUID, case: UUID) -> None:
    other = portal.customer("olga")
    thief, olga = portal.sign_in(anna), portal.sign_in(other)
    assert thief.get(f"/requests/{case}/details").status_code == 200
    owner = portal.browser()
    token = link(portal, "not_me", anna, case)
    owner.get(f"/not-me/{token}")
    owner.post("/not-me", token=token)
    answer = thief.get("/my-data")
    assert answer.status_code == 303 and "/sign-in" in answer.location
    assert olga.get("/my-data").status_code == 200
