"""Log-in of staff: both factors, tries that are counted, sessions that end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from argon2.low_level import Type
from sqlalchemy import select, update
from werkzeug.exceptions import Unauthorized

from cases.models import Event, Role, Staff, Throttle
from cases.settings import Mode
from tests import quick
from tests.webapp.staff_fixtures import PASSWORD, Office, make_office
from webapp import security


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


def kinds(office: Office) -> list[str]:
    with office.db.reading() as db:
        return list(db.scalars(select(Event.kind).order_by(Event.id)))


def test_password_and_code_open_the_desk(office):
    email = office.member(Role.AGENT)
    browser = office.sign_in(email)
    assert browser.get("/desk").status_code == 200
    assert browser.get("/staff").location == "/desk"
    assert kinds(office)[-1] == "staff_signed_in"


def test_the_password_alone_opens_nothing(office):
    email = office.member(Role.AGENT)
    browser = office.browser()
    assert browser.post("/staff/sign-in", email=email, password=PASSWORD).location.startswith("/staff/code")
    assert browser.get("/desk").location.startswith("/staff/sign-in")


def test_the_address_is_read_whatever_its_case(office):
    email = office.member(Role.AGENT)
    assert office.browser().post("/staff/sign-in", email=f" {email.upper()} ", password=PASSWORD).status_code == 302


def test_a_code_works_once(office):
    email = office.member(Role.AGENT)
    code = office.code(email)
    first, second = office.browser(), office.browser()
    for browser in (first, second):
        browser.post("/staff/sign-in", email=email, password=PASSWORD)
    assert first.post("/staff/code", code=code).status_code == 302
    assert second.post("/staff/code", code=code).status_code == 422
    assert second.get("/desk").status_code == 303


def test_an_unknown_name_reads_like_a_wrong_password(office):
    email = office.member(Role.AGENT)
    answers = []
    for typed in (email, "nobody@staff.test"):
        answer = office.browser().post("/staff/sign-in", email=typed, password="not the password")
        assert answer.status_code == 422
        text = answer.get_data(as_text=True).replace(typed, "")
        answers.append(re.sub(r'name="csrf_token"[^>]*>', "", text))
    assert answers[0] == answers[1]


def test_an_unknown_name_costs_a_hash_too(office, monkeypatch):
    counted = []
    real = security.SignInForm.validate
    from flask_security import forms

    monkeypatch.setattr(forms, "hash_password", lambda password: counted.append(password) or "x")
    monkeypatch.setattr(security.SignInForm, "validate", real)
    office.browser().post("/staff/sign-in", email="nobody@staff.test", password="whatever")
    assert counted == ["whatever"]


def test_the_sixth_try_is_refused_even_with_the_right_password(office):
    email = office.member(Role.AGENT)
    browser = office.browser()
    for _try in range(5):
        assert browser.post("/staff/sign-in", email=email, password="wrong").status_code == 422
    answer = browser.post("/staff/sign-in", email=email, password=PASSWORD)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "900"
    office.clock.forward(minutes=15)
    assert browser.post("/staff/sign-in", email=email, password=PASSWORD).status_code == 302


def test_tries_of_one_address_are_counted_across_accounts(office):
    emails = [office.member(Role.AGENT) for _ in range(3)]
    for number in range(5):
        assert office.browser().post("/staff/sign-in", email=f"guess{number}@staff.test", password="wrong").status_code == 422
    assert office.browser().post("/staff/sign-in", email=emails[0], password=PASSWORD).status_code == 429


def test_log_ins_that_go_well_use_no_tries_up(office):
    emails = [office.member(Role.AGENT) for _ in range(7)]
    for email in emails:
        office.sign_in(email)
    with office.db.reading() as db:
        assert set(db.scalars(select(Throttle.count))) == {0}


def test_codes_are_counted_too(office):
    email = office.member(Role.AGENT)
    browser = office.browser()
    browser.post("/staff/sign-in", email=email, password=PASSWORD)
    right = office.code(email)
    wrong = "000000" if right != "000000" else "111111"
    for _try in range(5):
        assert browser.post("/staff/code", code=wrong).status_code == 422
    assert browser.post("/staff/code", code=right).status_code == 429


def test_the_second_factor_is_set_up_at_the_first_log_in(office):
    email = office.member(Role.AGENT, factor=False)
    browser = office.browser()
    assert browser.post("/staff/sign-in", email=email, password=PASSWORD).location == "/staff/set-up"
    shown = browser.post("/staff/set-up", setup="authenticator")
    text = shown.get_data(as_text=True)
    assert "<svg" in text and "data:" not in text and "style=" not in text
    from passlib.totp import TOTP

    key = re.search(r'class="key">([^<]+)<', text)
    assert key
    code = TOTP(key=key[1].replace(" ", "").replace("-", "")).generate().token
    assert browser.post("/staff/code", code=code).status_code == 302
    assert browser.get("/desk").status_code == 200
    assert office.row(email).tf_primary_method == "authenticator"
    assert "enckey" in office.row(email).tf_totp_secret  # never in clear


def test_a_second_factor_cannot_be_changed_from_a_session(office):
    assert office.signed_in(Role.AGENT).get("/staff/set-up").status_code == 404


def test_a_session_ends_after_fifteen_idle_minutes(office):
    browser = office.signed_in(Role.AGENT)
    office.clock.forward(minutes=14)
    assert browser.get("/desk").status_code == 200
    office.clock.forward(minutes=14)
    assert browser.get("/desk").status_code == 200
    office.clock.forward(minutes=15, seconds=1)
    assert browser.get("/desk").location.startswith("/staff/sign-in")
    assert browser.get("/desk").status_code == 303


def test_a_session_ends_after_eight_hours_whatever_happens(office):
    browser = office.signed_in(Role.AGENT)
    for _step in range(47):
        office.clock.forward(minutes=10)
        assert browser.get("/desk").status_code == 200
    office.clock.forward(minutes=11)
    assert browser.get("/desk").status_code == 303


def test_who_is_switched_off_is_out_with_the_next_request(office):
    email = office.member(Role.AGENT)
    browser = office.sign_in(email)
    with office.db.transaction() as db:
        db.execute(update(Staff).where(Staff.email == email).values(active=False))
    assert browser.get("/desk").status_code == 303
    fresh = office.browser()
    assert fresh.post("/staff/sign-in", email=email, password=PASSWORD).status_code == 422


def test_a_role_that_was_taken_away_is_gone_with_the_next_request(office):
    email = office.member(Role.AGENT)
    browser = office.sign_in(email)
    with office.db.transaction() as db:
        db.execute(update(Staff).where(Staff.email == email).values(roles_held=["auditor"]))
    assert browser.get("/desk").status_code == 403
    assert browser.get("/ops/audit").status_code == 200


def test_signing_out_ends_every_session_of_that_person(office):
    email = office.member(Role.AGENT)
    here, elsewhere = office.sign_in(email), office.sign_in(email)
    stolen = here.client.get_cookie(office.app.config["SESSION_COOKIE_NAME"]).value
    here.fresh("/desk")
    assert here.post("/staff/sign-out").status_code == 303
    assert elsewhere.get("/desk").status_code == 303
    thief = office.app.test_client()
    thief.set_cookie(office.app.config["SESSION_COOKIE_NAME"], stolen)
    assert thief.get("/desk").status_code == 303


def test_nothing_from_before_the_log_in_stays_in_the_session(office):
    email = office.member(Role.AGENT)
    browser = office.browser()
    with browser.client.session_transaction() as planted:
        planted["planted"], planted["sid"], planted["began"] = "x", "chosen", "2020-01-01T00:00:00+00:00"
    browser.post("/staff/sign-in", email=email, password=PASSWORD)
    with browser.client.session_transaction() as before:
        token = before["csrf_token"]
    browser.post("/staff/code", code=office.code(email))
    with browser.client.session_transaction() as after:
        assert "planted" not in after and after["sid"] != "chosen" and after.get("csrf_token") != token
        first = after["sid"]
    with office.sign_in(email).client.session_transaction() as again:
        assert again["sid"] != first


def test_no_cookie_outlives_the_session(office):
    email = office.member(Role.AGENT)
    browser = office.browser()
    browser.post("/staff/sign-in", email=email, password=PASSWORD, remember="y")
    answer = browser.post("/staff/code", code=office.code(email))
    assert not [c for c in answer.headers.getlist("Set-Cookie") if "remember" in c or "tf_validity" in c]
    assert all("expires" not in c.lower() for c in answer.headers.getlist("Set-Cookie"))


def test_an_authentication_token_is_no_session(office):
    email = office.member(Role.AGENT)
    with office.app.test_request_context():
        token = security.StaffDatastore().find_user(email=email).get_auth_token()
    assert office.browser().get("/desk", headers={"Authentication-Token": token}).status_code == 303
    assert office.browser().get(f"/desk?auth_token={token}").status_code == 303


def test_a_post_without_its_token_is_refused(office):
    browser = office.signed_in(Role.AGENT)
    assert browser.client.post("/desk/next", data={}).status_code == 400


def test_the_log_in_leads_back_to_the_page_but_not_to_another_site(office):
    email = office.member(Role.AGENT)
    browser = office.browser()
    door = browser.get("/desk?view=mine").location
    assert browser.post(door, email=email, password=PASSWORD, next="/desk?view=mine").status_code == 302
    assert browser.post("/staff/code?next=%2Fdesk%3Fview%3Dmine", code=office.code(email)).location == "/desk?view=mine"
    other = office.browser()
    other.post("/staff/sign-in", email=email, password=PASSWORD)
    assert other.post("/staff/code?next=https://evil.test/", code=office.code(email)).location == "/staff"


def test_cookie_names_of_portal_and_staff_differ(settings, database, office):
    portal = make_office(settings, "portal")
    assert portal.app.config["SESSION_COOKIE_NAME"] != office.app.config["SESSION_COOKIE_NAME"]
    portal.db.dispose()


def test_the_staffs_cookie_of_https_is_bound_to_the_host(settings, database):
    office = make_office(settings.model_copy(update={"staff_url": "https://staff.test", "portal_url": "http://portal.test"}))
    cookie = office.app.test_client().get("/staff/sign-in", base_url="https://staff.test").headers["Set-Cookie"]
    assert cookie.startswith("__Host-") and "Secure" in cookie and "SameSite=Lax" in cookie
    office.db.dispose()


def test_in_production_no_cookie_goes_without_tls(settings, database):
    office = make_office(settings.model_copy(update={"mode": Mode.PRODUCTION, "staff_url": ""}))
    assert office.app.config["SESSION_COOKIE_SECURE"] is True
    office.db.dispose()


def test_a_hash_in_production_takes_as_much_as_rfc_9106_asks():
    shipped = quick.PRODUCTION
    assert shipped.type is Type.ID and (shipped.memory_cost, shipped.time_cost) == (64 * 1024, 3)


def test_a_copy_from_before_a_reset_revives_neither_password_nor_sessions(office):
    email = office.member(Role.AGENT)
    before = office.row(email)
    with office.app.test_request_context():
        user = security.StaffDatastore().find_user(email=email)
        with office.db.transaction() as db:
            db.execute(update(Staff).where(Staff.email == email).values(password="reset", fs_uniquifier="ended"))
        user.tf_totp_secret = "of the request under way"
        with pytest.raises(Unauthorized):
            security.StaffDatastore().put(user)
    held = office.row(email)
    assert (held.password, held.fs_uniquifier, held.tf_totp_secret) == ("reset", "ended", before.tf_totp_secret)


def test_only_what_was_changed_is_written(office):
    email = office.member(Role.AGENT)
    with office.app.test_request_context():
        user = security.StaffDatastore().find_user(email=email)
        with office.db.transaction() as db:
            db.execute(update(Staff).where(Staff.email == email).values(password="new meanwhile"))
        user.tf_totp_secret = "new"
        security.StaffDatastore().put(user)
    held = office.row(email)
    assert (held.password, held.tf_totp_secret) == ("new meanwhile", "new")


def test_passwords_are_kept_as_argon2id(office):
    assert office.row(office.member(Role.AGENT)).password.startswith("$argon2id$")


def test_an_unknown_permission_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="permission"):
        security.needs("fly")
