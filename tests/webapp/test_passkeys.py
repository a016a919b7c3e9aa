"""Passkeys of staff: made after both factors, used alone or as the second step, refused for every good reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from cases import passkeys
from cases import staff as staff_rules
from cases.host_tables import StaffPasskey
from cases.models import Event, Role, Staff
from tests.webapp.authenticator import Device
from tests.webapp.staff_fixtures import PASSWORD, Browser, Office, make_office
from webapp import account
from webapp import passkeys as edge

ORIGIN = "http://localhost:8001"


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings.model_copy(update={"staff_url": ORIGIN}))
    yield made
    made.db.dispose()


def options(browser: Browser, step: str) -> Any:
    address = "/staff/account/passkeys/begin" if step == "add" else "/staff/passkey/begin"
    answer = browser.post(address, step=step)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def add(browser: Browser, device: Device | None = None, name: str = "Blue key", **changes: Any) -> Device:
    device = device or Device(ORIGIN)
    browser.fresh("/staff/account")
    answer = browser.post("/staff/account/passkeys", name=name, answer=device.make(options(browser, "add"), **changes))
    assert (answer.status_code, answer.location) == (303, "/staff/account")
    return device


def alone(office: Office, device: Device, **changes: Any) -> tuple[Browser, Any]:
    """Sign in with the passkey and nothing else."""
    browser = office.browser()
    browser.get("/staff/sign-in")
    return browser, browser.post("/staff/passkey", step="first", answer=device.use(options(browser, "first"), **changes))


def owner(office: Office, device: Device | None = None, **changes: Any) -> tuple[str, Device]:
    email = office.member(Role.AGENT)
    return email, add(office.sign_in(email), device, **changes)


def kinds(office: Office) -> list[tuple[str, dict[str, Any]]]:
    with office.db.reading() as db:
        return [(e.kind, e.details) for e in db.scalars(select(Event).order_by(Event.id))]


def refused(office: Office, answer: Any, why: str, status: int = 403) -> str:
    text: str = answer.get_data(as_text=True)
    assert answer.status_code == status, text
    last = [details["why"] for kind, details in kinds(office) if kind == "staff_sign_in_refused"][-1]
    assert last == f"passkey_{why}"
    with office.app.test_request_context(headers={"Accept-Language": "en"}):
        assert edge.texts(why)[0] in text
    return text


def held(office: Office) -> list[StaffPasskey]:
    with office.db.reading() as db:
        return list(db.scalars(select(StaffPasskey).order_by(StaffPasskey.added_at)))


# Made


def test_a_passkey_is_added_named_listed_and_removed(office):
    email = office.member(Role.AGENT)
    browser = office.sign_in(email)
    add(browser, name="Blue key")
    text = browser.fresh("/staff/account").get_data(as_text=True)
    assert "Blue key" in text and "The passkey was added" in text
    (kept,) = held(office)
    assert (kept.transports, kept.sign_count) == (["internal"], 1)
    assert kinds(office)[-1] == ("passkey_added", {"passkey_id": str(kept.id), "synced": False})
    assert browser.post(f"/staff/account/passkeys/{kept.id}/remove").status_code == 303
    assert held(office) == [] and "Blue key" not in browser.get("/staff/account").get_data(as_text=True).replace("“blue key”", "")
    assert kinds(office)[-1][0] == "passkey_removed"


def test_a_passkey_is_asked_to_verify_its_owner_and_to_be_another_than_those_there(office):
    email, device = owner(office)
    browser = office.sign_in(email)
    browser.fresh("/staff/account")
    asked = options(browser, "add")
    assert asked["rp"]["id"] == "localhost" and asked["authenticatorSelection"]["userVerification"] == "required"
    assert asked["authenticatorSelection"]["residentKey"] == "required" and len(asked["excludeCredentials"]) == 1
    add(browser, device)  # a browser would have refused
    assert "on the list already" in browser.fresh("/staff/account").get_data(as_text=True) and len(held(office)) == 1


@pytest.mark.parametrize("changes", [{"origin": "https://evil.test"}, {"rp": "evil.test"}, {"challenge": "AAAA"}, {"type": "x"}])
def test_an_answer_from_elsewhere_makes_no_passkey(office, changes):
    owner(office, **changes)
    assert held(office) == []


def test_a_device_that_verifies_nobody_makes_no_passkey(office):
    owner(office, Device(ORIGIN, verifies=False))
    assert held(office) == []


def test_nobody_adds_a_passkey_to_a_session_that_stands_open_for_long(office):
    email, device = owner(office)
    browser = office.sign_in(email)
    office.clock.forward(minutes=10)
    browser.fresh("/staff/account")
    asked = options(browser, "add")
    assert browser.get("/desk").status_code == 200
    office.clock.forward(minutes=6)
    text = browser.fresh("/staff/account").get_data(as_text=True)
    assert "sign in once more" in text and "data-passkey" not in text
    assert browser.post("/staff/account/passkeys/begin").status_code == 403
    browser.post("/staff/account/passkeys", answer=Device(ORIGIN).make(asked))
    browser.post(f"/staff/account/passkeys/{held(office)[0].id}/remove")
    assert len(held(office)) == 1
    again = browser.post("/staff/account/again")
    assert again.location == "/staff/sign-in?next=/staff/account" and browser.get("/desk").status_code == 303
    assert account.FRESH.total_seconds() == 900 and device.count == 1


def test_there_may_be_ten_and_no_more(office):
    browser = office.signed_in(Role.AGENT)
    for number in range(passkeys.MOST + 1):
        add(browser, name=f"Key {number}")
    assert len(held(office)) == passkeys.MOST
    assert 'data-passkey="create"' not in browser.fresh("/staff/account").get_data(as_text=True)


def test_a_name_is_kept_plain_and_short(office):
    browser = office.signed_in(Role.AGENT)
    add(browser, name="<b>\u202eevil\n" + "x" * 100)
    assert held(office)[0].name.startswith("<b>evilxxx") and len(held(office)[0].name) == passkeys.NAME_LENGTH
    assert "<b>evil" not in browser.get("/staff/account").get_data(as_text=True)
    add(browser, name="  ")
    assert held(office)[1].name == "Passkey"


def test_a_passkey_of_another_is_not_removed(office):
    owner(office)
    other = office.signed_in(Role.ADMIN)
    other.fresh("/staff/account")
    other.post(f"/staff/account/passkeys/{held(office)[0].id}/remove")
    assert len(held(office)) == 1


def test_the_only_second_factor_stays(office):
    email = office.member(Role.AGENT)
    browser = office.sign_in(email)
    add(browser)
    with office.db.transaction() as db:
        db.execute(update(Staff).where(Staff.email == email).values(tf_totp_secret=None, tf_primary_method=None))
    browser.fresh("/staff/account")
    browser.post(f"/staff/account/passkeys/{held(office)[0].id}/remove")
    assert len(held(office)) == 1 and "only second factor" in browser.fresh("/staff/account").get_data(as_text=True)
    add(browser, name="Second")
    browser.fresh("/staff/account")
    browser.post(f"/staff/account/passkeys/{held(office)[0].id}/remove")
    assert [one.name for one in held(office)] == ["Second"]


def test_an_admins_reset_forgets_all_of_them(office):
    email, device = owner(office)
    with office.db.transaction() as db:
        person = db.scalars(select(Staff).where(Staff.email == email)).one()
        staff_rules.reset(db, person, password_hash="x", now=office.clock())
    assert held(office) == []
    refused(office, alone(office, device)[1], "unknown")


def test_a_stranger_reaches_nothing_of_the_page(office):
    browser = office.browser()
    assert browser.get("/staff/account").location.startswith("/staff/sign-in")
    for address in ("passkeys/begin", "passkeys", "again", f"passkeys/{'0' * 8}-0000-4000-8000-{'0' * 12}/remove"):
        assert browser.post(f"/staff/account/{address}").location.startswith("/staff/sign-in")


# Used alone


def test_a_passkey_alone_opens_the_desk(office):
    email, device = owner(office)
    browser, answer = alone(office, device)
    assert (answer.status_code, answer.location) == (303, "/staff")
    assert browser.get("/desk").status_code == 200
    assert kinds(office)[-1] == ("staff_signed_in", {"method": "passkey"})
    assert held(office)[0].sign_count == 2 and held(office)[0].used_at == office.clock()
    assert email in browser.get("/staff/account").get_data(as_text=True)


def test_it_leads_back_to_the_page_but_to_no_other_site(office):
    _email, device = owner(office)
    for target, there in (("/desk?view=mine", "/desk?view=mine"), ("//evil.test", "/staff")):
        browser = office.browser()
        browser.get("/staff/sign-in")
        asked = options(browser, "first")
        assert asked["allowCredentials"] == [] and asked["userVerification"] == "required"
        assert browser.post("/staff/passkey", step="first", next=target, answer=device.use(asked)).location == there


@pytest.mark.parametrize(
    "changes", [{"origin": "https://evil.test"}, {"rp": "evil.test"}, {"challenge": "AAAA"}, {"type": "webauthn.create"}]
)
def test_an_answer_from_elsewhere_opens_nothing(office, changes):
    _email, device = owner(office)
    browser, answer = alone(office, device, **changes)
    refused(office, answer, "not_accepted")
    assert browser.get("/desk").status_code == 303


@pytest.mark.parametrize("answer", ["", "[]", "{}", '{"id": 1}', "x" * 500])
def test_what_is_no_answer_opens_nothing(office, answer):
    browser = office.browser()
    browser.get("/staff/sign-in")
    options(browser, "first")
    refused(office, browser.post("/staff/passkey", step="first", answer=answer), "not_accepted")


def test_a_device_that_verified_nobody_is_one_factor_and_opens_nothing_alone(office):
    email, device = owner(office)
    device.verifies = False
    refused(office, alone(office, device)[1], "not_accepted")
    browser = office.browser()
    browser.post("/staff/sign-in", email=email, password=PASSWORD)
    browser.fresh("/staff/code")
    assert browser.post("/staff/passkey", step="second", answer=device.use(options(browser, "second"))).status_code == 303


def test_anothers_key_or_name_opens_nothing(office):
    _email, device = owner(office)
    stranger = replace(device, key=Device(ORIGIN).key)
    refused(office, alone(office, stranger)[1], "not_accepted")
    refused(office, alone(office, Device(ORIGIN, user=device.user))[1], "unknown")
    refused(office, alone(office, device, user=b"somebody else")[1], "unknown")
    refused(office, alone(office, device, user=None)[1], "unknown")


def test_an_answer_works_once_even_with_the_cookie_put_back(office):
    _email, device = owner(office)
    device.counts = False
    browser, thief = office.browser(), office.browser()
    with office.db.transaction() as db:
        db.execute(update(StaffPasskey).values(sign_count=0))
    browser.get("/staff/sign-in")
    answer = device.use(options(browser, "first"))
    name = office.app.config["SESSION_COOKIE_NAME"]
    thief.client.set_cookie(name, browser.client.get_cookie(name).value)
    thief.token = browser.token
    assert browser.post("/staff/passkey", step="first", answer=answer).status_code == 303
    refused(office, thief.post("/staff/passkey", step="first", answer=answer), "old")
    assert thief.get("/desk").status_code == 303


def test_a_challenge_lives_for_two_minutes_and_for_one_step(office):
    email, device = owner(office)
    browser = office.browser()
    browser.get("/staff/sign-in")
    answer = device.use(options(browser, "first"))
    office.clock.forward(minutes=2, seconds=1)
    refused(office, browser.post("/staff/passkey", step="first", answer=answer), "old")
    browser.post("/staff/sign-in", email=email, password=PASSWORD)
    browser.fresh("/staff/code")
    second = device.use(options(browser, "second"))
    refused(office, browser.post("/staff/passkey", step="first", answer=second), "old")
    refused(office, office.browser().post("/staff/passkey", step="first", answer=answer), "old")


def test_a_count_that_goes_back_closes_the_passkey_for_good_and_says_why(office):
    email, device = owner(office)
    copy = replace(device)
    alone(office, device)
    refused(office, alone(office, copy)[1], "doubted")
    assert "passkey_doubted" in [kind for kind, _details in kinds(office)]
    refused(office, alone(office, device)[1], "doubted")  # the true one too: nobody can tell which it is
    browser = office.sign_in(email)
    assert "there may be a copy" in browser.get("/staff/account").get_data(as_text=True)
    browser = office.browser()
    browser.post("/staff/sign-in", email=email, password=PASSWORD)
    assert 'data-passkey="get"' not in browser.get("/staff/code").get_data(as_text=True)


def test_a_device_that_does_not_count_is_no_copy(office):
    _email, device = owner(office, Device(ORIGIN, counts=False))
    for _time in range(2):
        assert alone(office, device)[1].status_code == 303


def test_a_closed_account_stays_closed(office):
    email, device = owner(office)
    with office.db.transaction() as db:
        db.execute(update(Staff).where(Staff.email == email).values(active=False))
    refused(office, alone(office, device)[1], "unknown")


def test_tries_are_counted(office):
    _email, device = owner(office)
    browser = office.browser()
    browser.get("/staff/sign-in")
    for _try in range(5):
        options(browser, "first")
        assert browser.post("/staff/passkey", step="first", answer="{}").status_code == 403
    before = len(kinds(office))
    answer = browser.post("/staff/passkey", step="first", answer=device.use(options(browser, "first")))
    assert answer.status_code == 429 and answer.headers["Retry-After"] == "900" and len(kinds(office)) == before
    office.clock.forward(minutes=15)
    for _time in range(7):  # what goes well is no try
        assert alone(office, device)[1].status_code == 303


def test_who_comes_by_the_provider_alone_does_not_come_by_passkey_alone(office):
    email, device = owner(office)
    with office.db.transaction() as db:
        db.execute(update(Staff).where(Staff.email == email).values(password=None))
    refused(office, alone(office, device)[1], "local_off")


# Used as the second step


def test_after_the_password_a_passkey_stands_in_for_the_code(office):
    email, device = owner(office)
    browser = office.browser()
    browser.post("/staff/sign-in", email=email, password=PASSWORD, next="/desk?view=mine")
    assert 'data-passkey="get"' in browser.get("/staff/code?next=%2Fdesk%3Fview%3Dmine").get_data(as_text=True)
    asked = options(browser, "second")
    assert len(asked["allowCredentials"]) == 1
    answer = browser.post("/staff/passkey", step="second", next="/desk?view=mine", answer=device.use(asked))
    assert answer.location == "/desk?view=mine" and browser.get("/desk").status_code == 200
    assert kinds(office)[-1] == ("staff_signed_in", {"method": "password+passkey"})


def test_the_passkey_of_another_is_no_second_factor(office):
    email, _device = owner(office)
    _other, others = owner(office)
    browser = office.browser()
    browser.post("/staff/sign-in", email=email, password=PASSWORD)
    browser.fresh("/staff/code")
    refused(office, browser.post("/staff/passkey", step="second", answer=others.use(options(browser, "second"))), "unknown")
    assert browser.get("/desk").status_code == 303


def test_tries_of_the_second_step_are_counted_with_the_codes(office):
    email, device = owner(office)
    browser = office.browser()
    browser.post("/staff/sign-in", email=email, password=PASSWORD)
    for number in range(5):
        browser.fresh("/staff/code")
        if number % 2:
            browser.post("/staff/code", code="x")
        else:
            options(browser, "second")
            browser.post("/staff/passkey", step="second", answer="{}")
    answer = browser.post("/staff/passkey", step="second", answer=device.use(options(browser, "second")))
    assert answer.status_code == 429


def test_without_a_first_step_there_is_no_second(office):
    _email, device = owner(office)
    browser = office.browser()
    browser.get("/staff/sign-in")
    assert browser.post("/staff/passkey/begin", step="second").status_code == 409
    answer = device.use(options(browser, "first"))
    refused(office, browser.post("/staff/passkey", step="second", answer=answer), "old")


def test_who_has_none_is_offered_none(office):
    email = office.member(Role.AGENT)
    browser = office.browser()
    browser.post("/staff/sign-in", email=email, password=PASSWORD)
    assert 'data-passkey="get"' not in browser.get("/staff/code").get_data(as_text=True)
    assert browser.post("/staff/passkey/begin", step="second").status_code == 409


def test_where_the_address_is_a_number_no_passkeys_are_offered(settings, database):
    office = make_office(settings.model_copy(update={"staff_url": "http://127.0.0.1:8001"}))
    email = office.member(Role.AGENT)
    browser = office.sign_in(email)
    text = browser.fresh("/staff/account").get_data(as_text=True)
    assert "is a number, not a name" in text and browser.post("/staff/account/passkeys/begin").status_code == 403
    assert "data-passkey" not in office.browser().get("/staff/sign-in").get_data(as_text=True)
    assert browser.post("/staff/passkey/begin", step="first").status_code == 404
    office.db.dispose()


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://Staff.Lender.test", "https://staff.lender.test"),
        ("https://staff.lender.test:443/", "https://staff.lender.test"),
        ("https://staff.lender.test:8443", "https://staff.lender.test:8443"),
        ("http://localhost:8001", "http://localhost:8001"),
    ],
)
def test_the_origin_is_written_as_browsers_write_it(settings, address, origin):
    assert edge._origin(settings.model_copy(update={"staff_url": address})) == origin


def test_who_has_a_passkey_and_no_code_may_use_it_in_place_of_setting_one_up(office):
    email, device = owner(office)
    with office.db.transaction() as db:
        db.execute(update(Staff).where(Staff.email == email).values(tf_totp_secret=None, tf_primary_method=None))
    browser = office.browser()
    assert browser.post("/staff/sign-in", email=email, password=PASSWORD).location == "/staff/set-up"
    assert 'data-passkey="get"' in browser.get("/staff/set-up").get_data(as_text=True)
    assert browser.post("/staff/passkey", step="second", answer=device.use(options(browser, "second"))).status_code == 303
    assert browser.get("/desk").status_code == 200
