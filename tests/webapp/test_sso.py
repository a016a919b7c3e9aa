"""Staff who come from the house's identity provider: who gets in, as what, and how it ends."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from cases import passkeys, sso
from cases import staff as staff_rules
from cases.audit import SYSTEM
from cases.host_tables import StaffLink
from cases.models import Event, Role, Staff
from cases.settings import Mode, Settings, SettingsError
from tests.webapp.oidc_provider import CLIENT, SECRET, Provider
from tests.webapp.staff_fixtures import PASSWORD, Browser, Clock, Office, make_office
from webapp import sso as edge

GROUPS = "peremena-agents=agent; cn=seniors,dc=lender=senior_agent; ops=ops; admins=admin"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Provider(clock)
    yield made
    if made._thread.is_alive():
        made.stop()


@pytest.fixture
def office(settings: Any, database: Any, provider: Provider, clock: Clock) -> Iterator[Office]:
    made = open_office(settings, provider, clock)
    yield made
    made.db.dispose()


def open_office(settings: Settings, provider: Provider, clock: Clock, **changes: Any) -> Office:
    said = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET, "oidc_name": "Lender"}
    made = make_office(settings.model_copy(update={**said, "oidc_acr": "two", **changes}))
    made.clock = clock
    made.app.extensions["peremena.clock"] = clock
    return made


@pytest.fixture
def opened(settings: Any, database: Any, provider: Provider, clock: Clock) -> Iterator[Any]:
    """A function that opens an office with other settings."""
    made: list[Office] = []

    def opening(**changes: Any) -> Office:
        made.append(open_office(settings, provider, clock, **changes))
        return made[-1]

    yield opening
    for one in made:
        one.db.dispose()


def known(office: Office, provider: Provider, *roles: Role, **claims: Any) -> str:
    """A member of staff who sits at the provider's log-in, with a verified address."""
    email = office.member(*(roles or (Role.AGENT,)))
    sits(provider, email, **claims)
    return email


def sits(provider: Provider, email: str, **claims: Any) -> None:
    provider.person = {
        "sub": f"subject of {email}", "email": email, "email_verified": True, "name": "Ada Agent", "acr": "two",
        "sid": f"session of {email}", **claims,
    }  # fmt: skip


def away(browser: Browser, next: str = "") -> str:
    """Press the button; returns where the provider sends her back to."""
    begun = browser.client.get("/staff/sso", query_string={"next": next} if next else {})
    assert begun.status_code == 303, begun.get_data(as_text=True)
    back = requests.get(begun.location, allow_redirects=False, timeout=10).headers["Location"]
    parts = urlsplit(back)
    return f"{parts.path}?{parts.query}"


def come(browser: Browser, next: str = "") -> Any:
    return browser.get(away(browser, next))


def kinds(office: Office) -> list[tuple[str, dict[str, Any]]]:
    with office.db.reading() as db:
        return [(e.kind, e.details) for e in db.scalars(select(Event).order_by(Event.id))]


def refusals(office: Office) -> list[str]:
    return [details["why"] for kind, details in kinds(office) if kind == "staff_sign_in_refused"]


def refused(office: Office, answer: Any, why: str, status: int = 403) -> str:
    """It was said kindly, written down, and opened nothing."""
    text: str = answer.get_data(as_text=True)
    assert answer.status_code == status, text
    assert refusals(office)[-1] == f"sso_{why}"
    with office.app.test_request_context(headers={"Accept-Language": "en"}):
        title, advice = edge.texts(why)
    assert title in text.replace("&#39;", "'") and advice.replace("&#39;", "'") in text.replace("&#39;", "'")
    return text


# The way in


def test_a_person_of_the_house_comes_in_by_the_provider(office, provider):
    known(office, provider)
    browser = office.browser()
    answer = come(browser, "/desk?view=mine")
    assert (answer.status_code, answer.location) == (303, "/desk?view=mine")
    assert browser.get("/desk").status_code == 200
    assert kinds(office)[-1] == ("staff_signed_in", {"method": "sso"})
    asked = provider.seen
    assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256" and asked["nonce"] and asked["state"]
    assert asked["redirect_uri"] == f"{office.settings.staff_url}/staff/sso/back" and asked["acr_values"] == "two"


def test_the_host_of_a_request_does_not_choose_where_the_provider_sends_her(office, provider):
    begun = office.browser().client.get("/staff/sso", headers={"Host": "evil.test"})
    assert parse_qs(urlsplit(begun.location).query)["redirect_uri"] == [f"{office.settings.staff_url}/staff/sso/back"]


@pytest.mark.parametrize("target", ["https://evil.test/", "//evil.test", "/\\evil.test", "/\t/evil.test", "javascript:alert(1)"])
def test_the_way_back_leads_to_no_other_site(office, provider, target):
    known(office, provider)
    assert come(office.browser(), target).location == "/staff"


def test_without_word_of_a_second_factor_from_the_provider_ours_is_asked(opened, provider):
    office = opened(oidc_acr="")
    email = known(office, provider)
    browser = office.browser()
    assert come(browser, "/desk?view=mine").location == "/staff/code?next=/desk?view%3Dmine"
    assert browser.get("/desk").status_code == 303
    browser.fresh("/staff/code")
    assert browser.post("/staff/code", code=office.code(email)).status_code == 302
    assert browser.get("/desk").status_code == 200
    assert kinds(office)[-1] == ("staff_signed_in", {"method": "sso+totp"})


def test_the_second_factor_that_the_settings_want_must_be_in_the_token(opened, provider):
    for changes, said, comes in (
        ({"oidc_acr": "two, three"}, {"acr": "three"}, True),
        ({"oidc_acr": "two"}, {"acr": "one"}, False),
        ({"oidc_acr": "two"}, {"acr": None}, False),
        ({"oidc_acr": "", "oidc_amr": "mfa,hwk"}, {"amr": ["pwd", "hwk"]}, True),
        ({"oidc_acr": "", "oidc_amr": "mfa,hwk"}, {"amr": ["pwd"]}, False),
        ({"oidc_acr": "", "oidc_amr": "mfa,hwk"}, {"amr": None}, False),
    ):
        office = opened(**changes)
        known(office, provider, **said)
        answer = come(office.browser())
        assert answer.status_code == (303 if comes else 403), (changes, said)
        if not comes:
            refused(office, answer, "second_factor")


# The token


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def unsigned(claims: dict[str, Any], **header: Any) -> str:
    return ".".join([*(encoded(json.dumps(part).encode()) for part in ({"alg": "none", **header}, claims)), ""])


def by_public_key(provider: Provider) -> Any:
    """The old trick: the public key, which everybody knows, as the secret of a shared-secret signature."""

    def sign(claims: dict[str, Any]) -> str:
        key = provider.keys[-1]
        text = unsigned(claims, alg="HS256", kid=key.kid)
        return text + encoded(hmac.digest(key.as_pem(private=False), text.rstrip(".").encode(), "sha256"))

    return sign


FORGERIES = {
    "alg none": lambda provider: unsigned,
    "our own secret": lambda provider: lambda claims: jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET)),
    "the public key as a secret": by_public_key,
    "a stranger's key": lambda provider: lambda claims: jwt.encode(
        {"alg": "ES256", "kid": provider.keys[-1].kid}, claims, ECKey.generate_key("P-256")
    ),
    "no token at all": lambda provider: lambda claims: "not.a.token",
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_a_token_that_the_provider_did_not_sign_opens_nothing(office, provider, name):
    known(office, provider)
    provider.forge = FORGERIES[name](provider)
    browser = office.browser()
    refused(office, come(browser), "token")
    assert browser.get("/desk").status_code == 303


HOUR = 3600
WRONG = {
    "another issuer": {"iss": "https://evil.test"},
    "another audience": {"aud": "another"},
    "two audiences and no party": {"aud": [CLIENT, "another"]},
    "another party": {"aud": [CLIENT, "another"], "azp": "another"},
    "another party alone": {"azp": "another"},
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "no expiry": {"exp": None},
    "no time": {"iat": None},
    "nobody": {"sub": None},
    "a number for a person": {"sub": 7},
    "another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_token_that_is_not_ours_opens_nothing(office, provider, name):
    known(office, provider)
    provider.claims = WRONG[name]
    browser = office.browser()
    refused(office, come(browser), "token")
    assert browser.get("/desk").status_code == 303


def test_a_token_of_two_audiences_that_was_made_for_us_is_ours(office, provider):
    known(office, provider)
    provider.claims = {"aud": [CLIENT, "another"], "azp": CLIENT}
    assert come(office.browser()).status_code == 303


@pytest.mark.parametrize(
    ("issued", "expires", "comes"),
    [(-30, 300, True), (30, 330, True), (-300, -40, True), (-300, -80, False), (200, 500, False), (-900, 300, False)],
)  # fmt: skip
def test_clocks_may_differ_by_a_minute_and_no_more(office, provider, clock, issued, expires, comes):
    known(office, provider)
    moment = int(clock().timestamp())
    provider.claims = {"iat": moment + issued, "exp": moment + expires}
    assert (come(office.browser()).status_code == 303) is comes


def test_a_new_key_of_the_provider_is_looked_for_once(office, provider, monkeypatch):
    known(office, provider)
    assert come(office.browser()).status_code == 303
    monkeypatch.setattr(edge, "AGAIN", 0.0)
    provider.rotate()
    assert come(office.browser()).status_code == 303
    assert provider.asked.count("/jwks") == 2
    assert come(office.browser()).status_code == 303
    assert provider.asked.count("/jwks") == 2


def test_made_up_names_of_keys_do_not_make_us_ask_each_time(office, provider):
    known(office, provider)
    provider.forge = lambda claims: jwt.encode({"alg": "ES256", "kid": "made up"}, claims, ECKey.generate_key("P-256"))
    for _try in range(4):
        come(office.browser())
    assert provider.asked.count("/jwks") == 1


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "EdDSA"])
def test_providers_sign_in_several_ways(office, provider, algorithm):
    known(office, provider)
    provider.alg, provider.claims = algorithm, {"at_hash": None}
    provider.rotate()
    assert come(office.browser()).status_code == 303


def test_a_token_that_names_no_key_is_tried_with_all_of_them(office, provider):
    known(office, provider)
    provider.keys.append(provider.new_key())
    provider.forge = lambda claims: jwt.encode({"alg": "ES256"}, claims, provider.keys[0])
    assert come(office.browser()).status_code == 303
    provider.forge = lambda claims: jwt.encode({"alg": "ES256"}, claims, provider.keys[1])
    assert come(office.browser()).status_code == 303
    provider.forge = lambda claims: jwt.encode({"alg": "ES256"}, claims, ECKey.generate_key("P-256"))
    refused(office, come(office.browser()), "token")


def test_a_provider_that_names_another_issuer_is_not_believed(office, provider):
    provider.metadata = {"issuer": "https://evil.test"}
    assert office.browser().get("/staff/sso").status_code == 503


# The way back


def test_an_answer_works_once(office, provider):
    known(office, provider)
    browser, again = office.browser(), office.browser()
    back = away(browser)
    jar = browser.client.get_cookie(office.app.config["SESSION_COOKIE_NAME"]).value
    assert browser.get(back).status_code == 303
    again.client.set_cookie(office.app.config["SESSION_COOKIE_NAME"], jar)
    refused(office, again.get(back), "state", 400)
    assert again.get("/desk").status_code == 303


def test_an_answer_of_another_browser_opens_nothing(office, provider):
    known(office, provider)
    back = away(office.browser())
    victim = office.browser()
    victim.get("/staff/sso")
    refused(office, victim.get(back), "state", 400)
    assert victim.get("/desk").status_code == 303
    refused(office, office.browser().get("/staff/sso/back?code=x&state=y"), "state", 400)
    refused(office, office.browser().get("/staff/sso/back"), "state", 400)


def test_a_sign_in_that_took_too_long_begins_anew(office, provider, monkeypatch):
    known(office, provider)
    browser = office.browser()
    back = away(browser)
    with browser.client.session_transaction() as kept:
        (name,) = [key for key in kept if key.startswith("_state_")]
        kept[name] = {**kept[name], "exp": kept[name]["exp"] - edge.ANSWER_AGE.total_seconds() - 1}
    refused(office, browser.get(back), "state", 400)


def test_another_language_on_the_page_of_a_refusal_leads_to_the_door_and_not_to_the_answer_again(office, provider):
    sits(provider, "stranger@lender.test")
    text = refused(office, come(office.browser()), "unknown")
    assert 'name="next" value="/staff/sign-in"' in text and "/staff/sso/back" not in text


def test_a_code_that_was_used_elsewhere_opens_nothing(office, provider):
    known(office, provider)
    browser = office.browser()
    back = away(browser)
    provider.codes.clear()
    refused(office, browser.get(back), "provider")


def test_she_may_stop_at_the_provider(office, provider):
    known(office, provider)
    provider.answer = {"code": None, "error": "access_denied", "error_description": "<b>evil</b> words"}
    text = refused(office, come(office.browser()), "cancelled")
    assert "evil" not in text


def test_an_answer_that_names_another_provider_is_not_believed(office, provider):
    known(office, provider)
    provider.answer = {"iss": "https://evil.test"}
    refused(office, come(office.browser()), "token")
    provider.answer = {"iss": provider.issuer}
    assert come(office.browser()).status_code == 303


def test_a_provider_that_promised_its_name_must_give_it(office, provider):
    known(office, provider)
    provider.metadata = {"authorization_response_iss_parameter_supported": True}
    refused(office, come(office.browser()), "token")


def test_two_tabs_may_begin_and_either_may_end(office, provider):
    known(office, provider)
    browser = office.browser()
    first, second = away(browser), away(browser)
    assert browser.get(second).status_code == 303
    late = browser.get(first)
    assert (late.status_code, late.location) == (303, "/staff")  # she is in: no words about an old page
    assert browser.get("/desk").status_code == 200


def test_buttons_pressed_again_and_again_do_not_fill_the_cookie(office, provider):
    known(office, provider)
    browser = office.browser()
    for _press in range(12):
        back = away(browser, "/desk?view=mine&" + "x" * 300)
    with browser.client.session_transaction() as kept:
        assert len([key for key in kept if key.startswith("_state_")]) == edge.PENDING
    assert len(browser.client.get_cookie(office.app.config["SESSION_COOKIE_NAME"]).value) < 4000
    assert browser.get(back).status_code == 303


def test_looking_at_a_link_ahead_begins_and_ends_nothing(office, provider):
    known(office, provider)
    browser = office.browser()
    assert browser.client.head("/staff/sso").status_code == 405
    back = away(browser)
    assert browser.client.head(back).status_code == 405
    assert browser.client.options(back).status_code == 200
    assert browser.client.post(back, data={"csrf_token": browser.token}).status_code in (400, 405)
    assert browser.get(back).status_code == 303


def test_whoever_is_refused_too_often_waits(office, provider):
    browser = office.browser()
    for _try in range(edge.ADDRESS_TRIES):
        assert browser.get("/staff/sso/back?code=x&state=y").status_code == 400
    before = len(kinds(office))
    answer = browser.get("/staff/sso/back?code=x&state=y")
    assert answer.status_code == 429 and answer.headers["Retry-After"] == "900" and len(kinds(office)) == before


# Who she is here


def test_she_is_known_by_her_subject_even_when_her_address_changes(office, provider):
    email = known(office, provider)
    come(office.browser())
    provider.person |= {"email": "new@staff.test", "email_verified": False}
    browser = office.browser()
    assert come(browser).status_code == 303
    assert email in browser.get("/staff/account").get_data(as_text=True)


def test_an_address_that_changed_hands_opens_no_account(office, provider):
    known(office, provider)
    come(office.browser())
    provider.person |= {"sub": "another person"}
    refused(office, come(office.browser()), "other_link")


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_only_a_verified_address_ties_an_account(office, provider, verified):
    known(office, provider, email_verified=verified)
    refused(office, come(office.browser()), "email")
    with office.db.reading() as db:
        assert db.scalars(select(StaffLink)).all() == []


def test_entra_says_in_its_own_way_that_an_address_is_the_companys(office, provider):
    known(office, provider, email_verified=None, xms_edov=True)
    assert come(office.browser()).status_code == 303


def test_a_letter_that_becomes_another_is_nobodys_address(office, provider):
    email = known(office, provider)
    sits(provider, email.replace("k", "\u212a") if "k" in email else f"\u212a{email}")
    refused(office, come(office.browser()), "email")


def test_a_stranger_is_told_to_ask_and_gets_no_account(office, provider):
    sits(provider, "stranger@lender.test")
    text = refused(office, come(office.browser()), "unknown")
    assert "administrator" in text
    with office.db.reading() as db:
        assert db.scalars(select(Staff).where(Staff.email == "stranger@lender.test")).all() == []


def test_a_closed_account_stays_closed(office, provider):
    email = known(office, provider)
    with office.db.transaction() as db:
        person = db.scalars(select(Staff).where(Staff.email == email)).one()
        staff_rules.change(db, person, active=False, now=office.clock(), actor=SYSTEM)
    refused(office, come(office.browser()), "closed")
    with office.db.reading() as db:
        assert db.scalars(select(StaffLink)).all() == []


# Roles


def test_roles_are_read_anew_at_each_sign_in(opened, provider):
    office = opened(oidc_roles=GROUPS)
    email = known(office, provider, Role.AGENT, groups=["cn=seniors,dc=lender", "canteen"])
    first = office.browser()
    assert come(first).status_code == 303 and office.row(email).roles_held == ["senior_agent"]
    provider.person["groups"] = ["ops"]
    second = office.browser()
    assert come(second).status_code == 303 and office.row(email).roles_held == ["ops"]
    assert second.get("/ops/policies").status_code == 200 and first.get("/desk").status_code == 303
    before = len(kinds(office))
    assert come(office.browser()).status_code == 303
    assert [kind for kind, _details in kinds(office)[before:]] == ["staff_signed_in"]  # nothing changed, nothing is written
    assert second.get("/ops/policies").status_code == 200


def test_who_lost_her_last_group_loses_her_roles_and_is_told_kindly(opened, provider):
    office = opened(oidc_roles=GROUPS)
    email = known(office, provider, groups=["peremena-agents"])
    browser = office.browser()
    come(browser)
    provider.person["groups"] = ["canteen"]
    text = refused(office, come(office.browser()), "no_role")
    assert "Lender" in text and office.row(email).roles_held == []
    assert browser.get("/desk").status_code == 303


def test_groups_that_did_not_arrive_take_nothing_away(opened, provider):
    """Entra leaves the list out when it is long, and says where to ask: that is no word about her groups."""
    office = opened(oidc_roles=GROUPS)
    email = known(office, provider, groups=["peremena-agents"])
    come(office.browser())
    provider.person |= {"groups": None, "_claim_names": {"groups": "src1"}, "hasgroups": True}
    refused(office, come(office.browser()), "no_groups")
    assert office.row(email).roles_held == ["agent"]


def test_a_very_long_list_of_groups_is_no_trouble(opened, provider):
    office = opened(oidc_roles=GROUPS)
    known(office, provider, groups=[f"group-{number}-{'x' * 60}" for number in range(4000)] + ["ops"])
    browser = office.browser()
    assert come(browser).status_code == 303
    assert len(browser.client.get_cookie(office.app.config["SESSION_COOKIE_NAME"]).value) < 1500


def test_administrators_hold_no_other_role(opened, provider):
    office = opened(oidc_roles=GROUPS)
    email = known(office, provider, groups=["admins", "ops"])
    refused(office, come(office.browser()), "roles_apart")
    assert office.row(email).roles_held == ["agent"]
    provider.person["groups"] = ["admins"]
    assert come(office.browser()).status_code == 303 and office.row(email).roles_held == ["admin"]


def test_where_the_settings_allow_it_a_group_makes_the_account(opened, provider):
    office = opened(oidc_roles=GROUPS, oidc_join=True)
    sits(provider, "Nina@lender.test", name="Nina\u202e New", groups=["peremena-agents"])
    browser = office.browser()
    assert come(browser).status_code == 303
    made = office.row("nina@lender.test")
    assert (made.name, made.password, made.roles_held, made.practising) == ("Nina New", None, ["agent"], True)
    assert office.browser().post("/staff/sign-in", email=made.email, password="").status_code == 422
    sits(provider, "guest@lender.test", groups=["canteen"])
    refused(office, come(office.browser()), "no_role")


def test_who_becomes_an_agent_by_a_group_practises_first(opened, provider):
    office = opened(oidc_roles=GROUPS)
    email = known(office, provider, Role.OPS, groups=["ops", "peremena-agents"])
    come(office.browser())
    assert office.row(email).practising


# How it ends


def test_a_session_of_the_provider_lives_as_long_as_any(office, provider):
    known(office, provider)
    browser = office.browser()
    come(browser)
    office.clock.forward(minutes=14)
    assert browser.get("/desk").status_code == 200
    office.clock.forward(minutes=15, seconds=1)
    assert browser.get("/desk").location.startswith("/staff/sign-in")


@pytest.mark.parametrize("way", ["local", "provider"])
def test_disabling_a_person_ends_the_next_request(office, provider, way):
    email = known(office, provider)
    browser = office.sign_in(email) if way == "local" else office.browser()
    if way == "provider":
        come(browser)
    assert browser.get("/desk").status_code == 200
    with office.db.transaction() as db:
        person = db.scalars(select(Staff).where(Staff.email == email)).one()
        staff_rules.change(db, person, active=False, now=office.clock(), actor=SYSTEM)
    assert browser.get("/desk").location.startswith("/staff/sign-in")


@pytest.mark.parametrize("how", ["closed", "ended"])
@pytest.mark.parametrize("way", ["local", "provider"])
def test_a_person_disabled_while_her_post_is_under_way_changes_nothing(office, provider, way, how, monkeypatch):
    email = known(office, provider, Role.SENIOR_AGENT)
    browser = office.sign_in(email) if way == "local" else office.browser()
    if way == "provider":
        come(browser)
    browser.fresh("/desk/replies")
    from webapp.security import StaffUser

    real = StaffUser.may

    def let_through_then_disabled(self: StaffUser, permission: str) -> bool:
        allowed = real(self, permission)
        with office.db.transaction() as db:  # between the guard of the page and the transaction of the change
            person = db.scalars(select(Staff).where(Staff.email == email)).one()
            if how == "closed":
                staff_rules.change(db, person, active=False, now=office.clock(), actor=SYSTEM)
            else:
                staff_rules.end_sessions(db, person, why="provider", now=office.clock(), actor=SYSTEM)
        return allowed

    monkeypatch.setattr(StaffUser, "may", let_through_then_disabled)
    answer = browser.post("/desk/next")
    monkeypatch.setattr(StaffUser, "may", real)
    assert answer.status_code == 401
    assert browser.get("/desk").location.startswith("/staff/sign-in")
    assert "case_taken" not in [kind for kind, _details in kinds(office)]


def test_signing_out_leads_on_to_the_provider(office, provider):
    known(office, provider)
    browser = office.browser()
    come(browser)
    browser.fresh("/desk")
    answer = browser.post("/staff/sign-out")
    text = answer.get_data(as_text=True).replace("&amp;", "&")
    assert answer.status_code == 200 and f"{provider.issuer}/end-session?" in text
    assert "id_token" not in text and "subject" not in text
    assert browser.get("/desk").status_code == 303


def test_signing_out_ends_here_where_the_provider_names_no_way_or_does_not_answer(office, provider):
    email = known(office, provider)
    browser = office.sign_in(email)
    browser.fresh("/desk")
    assert browser.post("/staff/sign-out").status_code == 303  # she came by password: nothing to end there
    provider.metadata = {"end_session_endpoint": None}
    browser = office.browser()
    come(browser)
    browser.fresh("/desk")
    assert browser.post("/staff/sign-out").location == "/staff/sign-in"


def back_channel(office: Office, token: str) -> Any:
    return office.app.test_client().post("/staff/sso/ended", data={"logout_token": token})


@pytest.mark.parametrize("names", [{}, {"sid": None}, {"sub": None}])
def test_the_provider_ends_all_her_sessions(office, provider, names):
    email = known(office, provider)
    browser, local = office.browser(), office.sign_in(email)
    come(browser)
    other = office.signed_in(Role.AGENT)
    answer = back_channel(office, provider.logout_token(**names))
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    assert browser.get("/desk").status_code == 303 and local.get("/desk").status_code == 303
    assert other.get("/desk").status_code == 200
    assert ("staff_sessions_ended", {"staff_id": str(office.row(email).id), "why": "provider"}) in kinds(office)


def test_a_sign_out_told_twice_ends_no_later_session(office, provider):
    known(office, provider)
    come(office.browser())
    token = provider.logout_token()
    assert back_channel(office, token).status_code == 200
    browser = office.browser()
    come(browser)
    assert back_channel(office, token).status_code == 200
    assert browser.get("/desk").status_code == 200


NOT_A_SIGN_OUT = {
    "no event": {"events": None},
    "another event": {"events": {"http://schemas.openid.net/event/other": {}}},
    "with a nonce": {"nonce": "x"},
    "of nobody": {"sub": None, "sid": None},
    "without a number": {"jti": None},
    "without an end": {"exp": None},
    "for somebody else": {"aud": "another"},
    "by somebody else": {"iss": "https://evil.test"},
    "old": {"iat": 1, "exp": 2},
}


@pytest.mark.parametrize("name", NOT_A_SIGN_OUT)
def test_what_is_no_sign_out_of_the_provider_ends_nothing(office, provider, name):
    known(office, provider)
    browser = office.browser()
    come(browser)
    assert back_channel(office, provider.logout_token(**NOT_A_SIGN_OUT[name])).status_code == 400
    assert browser.get("/desk").status_code == 200


def test_an_id_token_is_no_sign_out_and_neither_is_a_forged_one(office, provider):
    known(office, provider)
    browser = office.browser()
    come(browser)
    assert back_channel(office, provider.id_token({})).status_code == 400
    provider.forge = unsigned
    assert back_channel(office, provider.logout_token()).status_code == 400
    assert back_channel(office, "").status_code == 400
    assert browser.get("/desk").status_code == 200


# Other ways, and none


def test_when_the_provider_is_down_the_page_says_so_and_the_password_works(office, provider):
    email = known(office, provider)
    provider.stop()
    answer = office.browser().get("/staff/sso")
    text = answer.get_data(as_text=True)
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "60"
    assert "Lender does not answer" in text and 'href="/staff/sign-in"' in text
    assert office.sign_in(email).get("/desk").status_code == 200


def test_when_a_required_provider_is_down_only_the_emergency_account_is_left(opened, provider):
    provider.stop()
    none, some = opened(oidc_required=True), opened(oidc_required=True, oidc_break_glass="fire@staff.test")
    texts = [one.browser().get("/staff/sso").get_data(as_text=True) for one in (none, some)]
    assert [("Other ways to sign in" in text, "tell your administrator" in text) for text in texts] == [
        (False, True),
        (True, True),
    ]
    door = some.browser().get("/staff/sign-in").get_data(as_text=True)
    assert "<details" in door and "Emergency account" in door and "Sign in with Lender" in door
    door = none.browser().get("/staff/sign-in").get_data(as_text=True)
    assert "Sign in with Lender" in door and 'name="password"' not in door


def test_two_first_visits_at_once_make_one_account(opened, provider, monkeypatch):
    office = opened(oidc_roles=GROUPS, oidc_join=True)
    sits(provider, "nina@lender.test", groups=["ops"])
    real, tries = sso.admit, []

    def another_was_quicker(session: Any, told: Any, **more: Any) -> Any:
        tries.append(told)
        if len(tries) == 1:
            raise IntegrityError("INSERT", {}, Exception("taken"))
        return real(session, told, **more)

    monkeypatch.setattr(sso, "admit", another_was_quicker)
    assert come(office.browser()).status_code == 303 and len(tries) == 2


def test_a_provider_that_falls_silent_half_way_is_no_error_of_hers(office, provider):
    known(office, provider)
    browser = office.browser()
    back = away(browser)
    provider.status = 502
    answer = browser.get(back)
    assert answer.status_code == 503 and "Lender does not answer" in answer.get_data(as_text=True)


def test_a_provider_that_does_not_answer_is_not_asked_by_everybody(office, provider):
    provider.status = 503
    for _try in range(5):
        assert office.browser().get("/staff/sso").status_code == 503
    assert len(provider.asked) == 1


def test_where_the_provider_is_required_the_password_opens_only_the_emergency_account(opened, provider):
    office = opened(oidc_required=True, oidc_break_glass="Fire@staff.test")
    email = known(office, provider)
    browser = office.browser()
    answer = browser.post("/staff/sign-in", email=email, password=PASSWORD)
    assert answer.status_code == 422 and "opened by Lender" in answer.get_data(as_text=True)
    assert browser.get("/staff/code").status_code == 302 and browser.get("/desk").status_code == 303
    assert refusals(office)[-1] == "local_off"
    wrong = browser.post("/staff/sign-in", email=email, password="wrong").get_data(as_text=True)
    assert "opened by" not in wrong  # only who knows the password learns more
    with office.db.transaction() as db:
        db.scalars(select(Staff).where(Staff.email == office.member(Role.ADMIN))).one().email = "fire@staff.test"
    browser = office.browser()
    assert browser.post("/staff/sign-in", email="fire@staff.test", password=PASSWORD).location == "/staff/code?next=/staff"


def test_without_a_provider_there_is_no_way_to_one(settings, database):
    office = make_office(settings)
    assert "sso" not in office.browser().get("/staff/sign-in").get_data(as_text=True)
    assert office.browser().get("/staff/sso").status_code == 404
    assert office.browser().get("/staff/sso/back").status_code == 404
    assert back_channel(office, "x").status_code == 404
    office.db.dispose()


def test_settings_that_would_lock_everybody_out_or_mean_nothing_are_refused(settings):
    def wrong(**changes: Any) -> str:
        with pytest.raises(SettingsError) as caught:
            made = settings.model_copy(update=changes).completed()
            sso.rules_of(made)
        return str(caught.value)

    there = {"oidc_issuer": "https://id.test", "oidc_client_id": "x", "oidc_client_secret": "y"}
    assert "OIDC_CLIENT_ID" in wrong(oidc_issuer="https://id.test")
    assert "OIDC_ISSUER" in wrong(oidc_required=True)
    assert "OIDC_ROLES" in wrong(**there, oidc_join=True)
    for roles in ("agents", "agents=boss", "=agent"):
        assert "OIDC_ROLES" in wrong(**there, oidc_roles=roles)
    assert "https" in wrong(**{**there, "oidc_issuer": "http://id.test"}, mode=Mode.PRODUCTION)
    assert sso.rules_of(settings.model_copy(update={"oidc_roles": GROUPS})).roles["cn=seniors,dc=lender"] is Role.SENIOR_AGENT


def test_the_secret_may_stand_in_a_file(tmp_path, monkeypatch):
    (tmp_path / "secret").write_text("of a file\n")
    monkeypatch.setenv("OIDC_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    assert Settings.load().oidc_client_secret == "of a file"


def test_what_works_once_is_forgotten_when_it_would_be_too_old_anyway(office):
    moment = office.clock()
    with office.db.transaction() as db:
        assert sso.spend(db, "state", "a", until=moment + timedelta(minutes=1), now=moment)
        assert not sso.spend(db, "state", "a", until=moment + timedelta(minutes=1), now=moment)
        assert sso.spend(db, "another", "a", until=moment + timedelta(minutes=1), now=moment)
        assert sso.spend(db, "state", "b", until=moment, now=moment + timedelta(minutes=2))
        assert sso.spend(db, "state", "a", until=moment, now=moment + timedelta(minutes=2))


def test_a_link_that_was_undone_ends_her_sessions_and_can_be_made_anew(office, provider):
    email = known(office, provider)
    browser = office.browser()
    come(browser)
    with office.db.transaction() as db:
        person = db.scalars(select(Staff).where(Staff.email == email)).one()
        assert sso.unlink(db, person, actor=SYSTEM, now=office.clock())
        assert not sso.unlink(db, person, actor=SYSTEM, now=office.clock())
    assert browser.get("/desk").status_code == 303
    provider.person["sub"] = "her new subject"
    assert come(office.browser()).status_code == 303


def test_nothing_of_a_token_is_kept(office, provider):
    known(office, provider)
    browser = office.browser()
    come(browser)
    with office.db.reading() as db:
        (link,) = db.scalars(select(StaffLink)).all()
        assert "subject" not in link.key and link.issuer == provider.issuer and passkeys.of(db, link.staff_id) == []
    with browser.client.session_transaction() as kept:
        assert not {"token", "id_token", "userinfo"} & set(kept) and "subject" not in json.dumps(dict(kept))


def test_commands_tie_and_untie_an_account_where_the_provider_confirms_no_address(office, provider):
    email = known(office, provider, email_verified=None)
    run = office.app.test_cli_runner().invoke
    assert run(args=["staff", "link", email, provider.person["sub"]]).output == "linked\n"
    assert run(args=["staff", "link", office.member(Role.OPS), provider.person["sub"]]).exit_code == 1
    assert run(args=["staff", "link", email, "another"]).exit_code == 1
    assert come(office.browser()).status_code == 303
    assert run(args=["staff", "unlink", email]).output == "unlinked\n"
    assert run(args=["staff", "unlink", email]).output == "was not linked\n"
    refused(office, come(office.browser()), "email")
