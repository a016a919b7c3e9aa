"""The last page before sending: what she saw there is what is sent."""

from __future__ import annotations

import re

from cases import intake
from cases.lifecycle import State
from tests.webapp.conftest import Portal
from tests.webapp.pages import CONSENT
from verification.evidence import ChangeReason, Claim, Field


def seen_on(text: str) -> str:
    found = re.search(r'name="seen" value="(\d+)"', text)
    assert found
    return found[1]


def test_what_another_device_changed_is_shown_before_it_is_sent(portal: Portal) -> None:
    anna = portal.customer()
    case_id = portal.draft(anna)
    browser = portal.sign_in(anna)
    page = f"/requests/{case_id}/check"
    before = seen_on(browser.get(page).text)
    with portal.db.transaction() as db:
        other = Claim(reason=ChangeReason.MARRIAGE, values={Field.SURNAME: "СИДОРОВА", Field.DOCUMENT_NUMBER: "4524654321"})
        intake.amend(db, case_id, other, country="RUS", new_email=None, now=portal.clock())
    answer = browser.post(page, consent=CONSENT, seen=before)
    assert answer.status_code == 303 and answer.location.endswith(page)
    assert portal.case(case_id).state is State.DRAFT
    again = browser.get(page).text
    assert "Something was changed on another device. Please check once more." in again and "СИДОРОВА" in again
    assert browser.post(page, consent=CONSENT, seen=seen_on(again)).status_code == 303
    assert portal.case(case_id).state is State.SUBMITTED


def test_a_second_click_with_the_same_page_finds_it_sent(portal: Portal) -> None:
    anna = portal.customer()
    case_id = portal.draft(anna)
    browser = portal.sign_in(anna)
    page = f"/requests/{case_id}/check"
    seen = seen_on(browser.get(page).text)
    for _ in range(2):
        answer = browser.post(page, consent=CONSENT, seen=seen)
        assert answer.location.endswith(f"/requests/{case_id}")
    assert portal.case(case_id).attempt == 1
