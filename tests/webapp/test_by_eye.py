"""Faces by eye on the pages: chosen with the consent, on the phone too; written down, seen and ticked at the desk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from cases import head_turns
from cases.lifecycle import State
from cases.models import Case, Customer, Role
from tests.webapp.conftest import Clock, Portal, make_settings, prepare
from tests.webapp.pages import CONSENT
from tests.webapp.staff_fixtures import Browser, Office, a_case, found, make_office
from verification.evidence import ChangeReason
from verification.reasons import ReasonCode
from webapp.app import create_app

BOX = 'name="by_eye" value="yes"'
TICK = 'name="faces" value="yes" form="answer"'


# The portal


def customer_of(portal: Portal, case: UUID) -> Customer:
    with portal.db.reading() as db:
        return db.get_one(Customer, db.get_one(Case, case).customer_id)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Do not compare my face by computer"),
        ("ru", "Не сравнивать моё лицо компьютером"),
        ("kk", "Бетімді автоматты жүйемен салыстырмаңыз"),
        ("es", "No comparar mi cara de forma automática"),
    ],
)
def test_the_choice_is_offered_beside_the_agreement_in_her_language(portal, language, words):
    customer = portal.customer()
    case = portal.draft(customer)
    browser = portal.sign_in(customer, language)
    for address in (f"/requests/{case}/check", f"/requests/{case}/person"):
        page = browser.get(address).get_data(as_text=True)
        assert words in page and BOX in page and f"{BOX} checked" not in page


def test_what_she_ticked_stays_when_the_form_comes_back_and_is_kept_when_it_is_sent(portal):
    customer = portal.customer()
    case = portal.draft(customer)
    browser = portal.sign_in(customer)
    browser.get(f"/requests/{case}/check")
    refused = browser.post(f"/requests/{case}/check", by_eye="yes")
    assert refused.status_code == 422 and f"{BOX} checked" in refused.get_data(as_text=True)
    assert not customer_of(portal, case).by_eye
    assert browser.post(f"/requests/{case}/check", consent=CONSENT, by_eye="yes").status_code == 303
    assert customer_of(portal, case).by_eye and portal.case(case).consent_version == f"{CONSENT}+by_eye"
    page = browser.get(f"/requests/{case}").get_data(as_text=True)
    assert "We read your passport" in page and "We compare the portrait with your selfie" not in page


def test_a_later_request_has_it_ticked_and_she_may_take_it_back(portal):
    customer = portal.customer()
    first = portal.draft(customer)
    browser = portal.sign_in(customer)
    browser.get(f"/requests/{first}/check")
    browser.post(f"/requests/{first}/check", consent=CONSENT, by_eye="yes")
    browser.get(f"/requests/{first}/withdraw")
    browser.post(f"/requests/{first}/withdraw")
    later = portal.draft(customer)
    assert f"{BOX} checked" in browser.get(f"/requests/{later}/check").get_data(as_text=True)
    assert browser.post(f"/requests/{later}/check", consent=CONSENT).status_code == 303
    assert not customer_of(portal, later).by_eye and portal.case(later).consent_version == CONSENT


def test_nobody_is_led_to_the_turn_of_the_head_then(portal):
    customer = portal.customer()
    case = portal.draft(customer, reason=ChangeReason.MISTAKE)
    browser = portal.sign_in(customer)
    assert browser.get(f"/requests/{case}/turn").status_code == 200
    with portal.db.transaction() as db:
        db.get_one(Customer, customer).by_eye = True
    away = browser.get(f"/requests/{case}/turn")
    assert away.status_code == 303 and away.location.endswith("/check")
    assert browser.post(f"/requests/{case}/turn/draw").status_code == 409
    page = browser.get(f"/requests/{case}/check").get_data(as_text=True)
    assert "Turn of your head" not in page
    with portal.db.transaction() as db, pytest.raises(head_turns.ChallengeRefused):
        head_turns.draw(db, case, now=portal.clock())


def test_without_biometrics_the_page_says_so_and_offers_no_choice(tmp_path):
    off = Portal(app=create_app(make_settings(tmp_path, biometrics=False), "portal"), clock=Clock())
    off.app.testing = True
    off.app.extensions["peremena.clock"] = off.clock
    prepare(off.db)
    try:
        customer = off.customer()
        case = off.draft(customer)
        page = off.sign_in(customer).get(f"/requests/{case}/check").get_data(as_text=True)
        assert "No computer compares faces." in page and BOX not in page
        assert "biometric" not in page and "turned your head" not in page
    finally:
        off.db.dispose()


# The desk


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


def by_eye_case(office: Office) -> UUID:
    """A case whose run compared no face."""
    now = office.clock()
    with office.db.transaction() as db:
        case = a_case(db, now=now, evidence=found(pairs={}, problems=(ReasonCode.FACES_BY_EYE,)))
        case.customer.by_eye = True
        return case.id


def holding(office: Office, case: UUID, *roles: Role) -> Browser:
    browser = office.signed_in(*roles)
    browser.fresh("/desk")
    assert browser.post(f"/desk/cases/{case}/take").status_code == 303
    return browser


def answer(browser: Browser, office: Office, case: UUID, **more: str) -> Any:
    with office.db.reading() as db:
        version = db.get_one(Case, case).version
    fields = ["surname", "document_number", "issued_on", "issuer_code"]
    form = {"action": "approve", "seen_version": str(version), "checked": ",".join(fields), "note": "Seen.", **more}
    return browser.post(f"/desk/cases/{case}/answer", **form)


def test_the_agent_is_asked_to_tick_and_without_it_nothing_is_sent(office):
    case = by_eye_case(office)
    browser = holding(office, case, Role.AGENT)
    page = browser.get(f"/desk/cases/{case}").get_data(as_text=True)
    assert TICK in page and "No machine compares these faces: compare them by eye." in page
    assert "Selfie and passport portrait" not in page and ">Turn of the head</h2>" not in page
    refused = answer(browser, office, case)
    assert refused.status_code == 422 and "compare the faces by eye and tick" in refused.get_data(as_text=True)
    assert answer(browser, office, case, faces="yes").status_code == 303
    with office.db.reading() as db:
        assert db.get_one(Case, case).second_at is not None
    other = holding(office, case, Role.AGENT)
    assert answer(other, office, case).status_code == 422
    assert answer(other, office, case, faces="yes").status_code == 303
    with office.db.reading() as db:
        assert db.get_one(Case, case).state is State.APPROVED


def test_a_refused_answer_keeps_the_tick(office):
    case = by_eye_case(office)
    browser = holding(office, case, Role.AGENT)
    page = answer(browser, office, case, action="reject", faces="yes", note="").get_data(as_text=True)
    assert re.search(f"{TICK}[^>]* checked", page)


def test_a_senior_agent_writes_it_down_and_an_agent_is_not_offered_it(office):
    with office.db.transaction() as db:
        case = a_case(db, now=office.clock()).id
    agent = holding(office, case, Role.AGENT)
    page = agent.get(f"/desk/cases/{case}").get_data(as_text=True)
    assert f"/desk/cases/{case}/by-eye" not in page and TICK not in page
    assert agent.post(f"/desk/cases/{case}/by-eye").status_code == 403
    agent.post(f"/desk/cases/{case}/release")
    senior = holding(office, case, Role.SENIOR_AGENT)
    assert f"/desk/cases/{case}/by-eye" in senior.get(f"/desk/cases/{case}").get_data(as_text=True)
    done = senior.post(f"/desk/cases/{case}/by-eye")
    assert done.status_code == 303
    page = senior.get(done.location).get_data(as_text=True)
    assert TICK in page and "Selfie and passport portrait" not in page
    assert "people compare this customer" in page
    with office.db.reading() as db:
        assert db.get_one(Case, case).customer.by_eye


def test_where_biometrics_are_off_an_old_score_is_not_shown_either(settings, database):
    office = make_office(settings.model_copy(update={"biometrics": False}))
    try:
        with office.db.transaction() as db:
            case = a_case(db, now=office.clock()).id
        browser = holding(office, case, Role.SENIOR_AGENT)
        page = browser.get(f"/desk/cases/{case}").get_data(as_text=True)
        assert TICK in page and "Selfie and passport portrait" not in page
        assert f"/desk/cases/{case}/by-eye" not in page, "there is nothing to choose"
    finally:
        office.db.dispose()
