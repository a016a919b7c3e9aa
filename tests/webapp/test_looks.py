"""Her own pages: who looked at her photos, and what she agreed to."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import select

from cases import audit, consents, photo_store, who_looked
from cases.models import Case, Event, Photo, Role
from tests.webapp.conftest import Portal
from tests.webapp.test_mine import approved, member
from tests.webapp.test_status import plain
from webapp.portal import mine


def test_she_sees_who_looked_in_which_role_and_what_for_and_no_name(portal: Portal) -> None:
    _customer, case, browser = approved(portal)
    senior = member(portal, Role.SENIOR_AGENT, "Unmistakable")
    with portal.db.transaction() as session:
        photo = session.scalars(select(Photo).where(Photo.case_id == case)).first()
        assert photo is not None
        who = audit.Actor(kind="staff", id=str(senior))
        photo_store.open_photo(session, photo.id, viewer=who, purpose="review", now=portal.clock())
    page = browser.get("/my-data/looks")
    text = plain(page.text)
    assert page.status_code == 200 and "Senior support agent" in text and "to answer your request" in text
    assert "Unmistakable" not in page.text and str(senior) not in page.text
    assert "/my-data/looks" in browser.get("/my-data").text


def test_every_purpose_and_role_that_the_trail_has_is_in_words(portal: Portal) -> None:
    customer, _case, browser = approved(portal)
    with portal.app.test_request_context():
        assert set(who_looked.ROLES) <= set(mine.looker_words())
    browser.get("/my-data/looks")
    with portal.db.reading() as session:
        seen = session.scalars(select(Event).where(Event.kind.in_(who_looked.LOOKS), Event.customer_id == customer)).all()
    with portal.app.test_request_context():
        assert {event.details["purpose"] for event in seen} <= set(mine.purpose_words())


def test_the_looks_of_another_are_not_hers(portal: Portal) -> None:
    _customer, case, _browser = approved(portal)
    with portal.db.transaction() as session:
        photo = session.scalars(select(Photo).where(Photo.case_id == case)).first()
        assert photo is not None
        photo_store.open_photo(session, photo.id, viewer=audit.MACHINE, purpose="run", now=portal.clock())
    other = portal.sign_in(portal.customer("bela"))
    assert "Nobody has looked at anything of yours." in plain(other.get("/my-data/looks").text)


def test_she_reads_again_what_she_agreed_to_and_how_to_take_it_back(portal: Portal) -> None:
    _customer, case, browser = approved(portal)
    with portal.db.transaction() as session:
        session.get_one(Case, case).consent_version = consents.CURRENT
    page = plain(browser.get(f"/requests/{case}/agreement").text)
    for line in consents.text(consents.CURRENT, "en", by_people=False, days=30):
        assert line in page
    assert "Delete my photos and messages" in page and f"Version {consents.CURRENT}" in page
    assert f"/requests/{case}/agreement" in browser.get("/my-data").text
    assert browser.get(f"/requests/{uuid4()}/agreement").status_code == 404


def test_a_draft_has_no_agreement_and_a_stranger_sees_none(portal: Portal) -> None:
    _customer, case, _browser = approved(portal)
    other = portal.customer("bela")
    assert portal.sign_in(other).get(f"/requests/{case}/agreement").status_code == 404
    browser = portal.sign_in(other)
    draft = portal.draft(other)
    assert browser.get(f"/requests/{draft}/agreement").status_code == 404
    assert portal.browser().get(f"/requests/{draft}/agreement").status_code == 303
