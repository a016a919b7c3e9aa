"""The rescue lane, a customer's story and quality over HTTP: who gets where, what is shown, what never is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from cases import conversations, quality, ratings, rescue, review, supporting
from cases.desk_tables import PaperKind, QualitySample
from cases.lifecycle import State
from cases.models import Case, Customer, Event, Role, Staff, Upload
from tests import factories
from tests.webapp.staff_fixtures import PROFILE, Office, a_case, make_office
from verification.evidence import Field
from verification.reasons import PhotoKind, ReasonCode

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings.model_copy(update={"quality_answers": 1.0, "quality_approvals": 1.0, "undo_seconds": 0}))
    yield made
    made.db.dispose()


def stuck(office: Office) -> tuple[UUID, UUID]:
    """A customer who was refused, came back, was asked again, wrote, and waits; her id and that of the open case."""
    now = office.clock()
    with office.db.transaction() as db:
        agent = factories.a_member(db, now=now, name="Ada Agent")
        customer = factories.a_customer(db, now=now - timedelta(days=40))
        first = factories.a_rejected(db, now=now - timedelta(days=9), customer=customer, agent=agent)
        ratings.give(db, first.id, "very_hard", words="Nobody told me why.", now=now - timedelta(days=9))
        case = factories.an_in_review(db, now=now - timedelta(days=3), customer=customer)
        db.add(
            Upload(
                case_id=case.id, id=uuid4(), number=1, kind=PhotoKind.DOCUMENT, attempt=0, sha256="0" * 64,
                codes=["document_glare"], created_at=now - timedelta(days=3),
            )
        )  # fmt: skip
        conversations.write(db, case.id, uuid4(), text="Is anybody there?", now=now - timedelta(days=1))
        rescue.refresh(db, now=now)
        return customer.id, case.id


def answered(office: Office, action: str = "approve", *, paper: bool = False) -> UUID:
    """A case with drawn photos that an agent answered, drawn for review; the sample's id."""
    now = office.clock()
    with office.db.transaction() as db:
        agent = factories.a_member(db, now=now, name="Ada Agent")
        case = a_case(db, now=now - timedelta(hours=2), seed=1)
        if paper:
            kind = PaperKind.MARRIAGE_CERTIFICATE
            supporting.receive(db, case.id, uuid4(), factories.jpeg(7), kind=kind, now=now - timedelta(hours=1))
        review.take(db, case.id, agent=agent, now=now)
        more = {"reasons": (ReasonCode.SURNAME_DIFFERS,)} if action == "reject" else {}
        disposal = review.Disposal(action=action, note="Seen by me.", seen_version=case.version, checked=frozenset(Field), **more)
        review.dispose(db, case.id, disposal, agent=agent, now=now)
        quality.draw(db, now=now)
        return db.scalars(select(QualitySample.id).where(QualitySample.case_id == case.id)).one()


def taken(office: Office, name: str = "Rita Reviewer") -> tuple[Any, str]:
    """A senior's browser and the address of the sample she took."""
    browser = office.signed_in(Role.SENIOR_AGENT, name=name)
    browser.get("/desk/quality")
    answer = browser.post("/desk/quality/next")
    return browser, answer.location


# The lane


def test_the_lane_lists_who_is_stuck_with_every_reason(office):
    customer_id, _case = stuck(office)
    page = office.signed_in(Role.SENIOR_AGENT).get("/desk/rescue").get_data(as_text=True)
    assert f"/desk/rescue/{customer_id}" in page
    for said in ("1 request ended in nothing", "waits for a person for 3 days", "the answer is late", "1 unhappy rating"):
        assert said in page, said
    assert "Is anybody there?" not in page and "Nobody told me why." not in page  # words stand in the story alone


def test_an_empty_lane_says_so_and_a_wrong_place_is_none(office):
    browser = office.signed_in(Role.SENIOR_AGENT)
    assert "Nobody is stuck" in browser.get("/desk/rescue").get_data(as_text=True)
    assert browser.get("/desk/rescue?after=nonsense").status_code == 404


def test_a_senior_takes_a_case_from_the_lane(office):
    _customer, case_id = stuck(office)
    browser = office.signed_in(Role.SENIOR_AGENT, name="Sue Senior")
    page = browser.get("/desk/rescue").get_data(as_text=True)
    assert f"/desk/cases/{case_id}/take" in page
    assert browser.post(f"/desk/cases/{case_id}/take").status_code == 303
    assert "Go on: yours" in browser.get("/desk/rescue").get_data(as_text=True)
    other = office.signed_in(Role.SENIOR_AGENT).get("/desk/rescue").get_data(as_text=True)
    assert "taken by Sue Senior" in other and f"/desk/cases/{case_id}/take" not in other


def test_the_story_is_one_page_in_words_and_every_case_it_tells_of_is_written_down(office):
    customer_id, _case = stuck(office)
    browser = office.signed_in(Role.SENIOR_AGENT)
    page = browser.get(f"/desk/rescue/{customer_id}").get_data(as_text=True)
    for said in (
        "Ada Agent rejected it.", "Not the same person.", "The customer rated it: very hard.", "Nobody told me why.",
        "Photo refused at once: ", "Is anybody there?", "Waits now, for 3 days.", "The machine gave it to a person.",
    ):  # fmt: skip
        assert said in page, said
    assert PROFILE.values[Field.SURNAME] not in page
    with office.db.reading() as db:
        looks = db.scalars(select(Event).where(Event.kind == "case_opened_by_staff")).all()
        assert {event.details["purpose"] for event in looks} == {"rescue"}
        assert len(looks) == len(db.scalars(select(Case.id).where(Case.customer_id == customer_id)).all()) == 2


def test_the_story_of_nobody_is_not_found_and_of_her_own_account_not_shown(office):
    browser = office.signed_in(Role.SENIOR_AGENT)
    assert browser.get(f"/desk/rescue/{NOBODY}").status_code == 404
    email = office.member(Role.SENIOR_AGENT)
    with office.db.transaction() as db:
        customer = factories.a_customer(db, now=office.clock(), email=email)
        factories.an_in_review(db, now=office.clock(), customer=customer)
        own = customer.id
    refused = office.sign_in(email).get(f"/desk/rescue/{own}")
    assert refused.status_code == 403


@pytest.mark.parametrize("role", [Role.AGENT, Role.OPS, Role.AUDITOR, Role.ADMIN])
def test_nobody_else_sees_lane_or_quality(office, role):
    customer_id, _case = stuck(office)
    sample_id = answered(office)
    browser = office.signed_in(role)
    browser.fresh("/staff")
    for address in ("/desk/rescue", f"/desk/rescue/{customer_id}", "/desk/quality", f"/desk/quality/{sample_id}"):
        assert browser.get(address).status_code == 403, address
    for address in ("/desk/quality/next", f"/desk/quality/{sample_id}/verdict", f"/desk/quality/{sample_id}/stands"):
        assert browser.post(address, action="approve", note="x").status_code == 403, address


# Reviewing


@pytest.mark.parametrize("action", ["approve", "reject"])
def test_the_blind_page_shows_the_claim_and_nothing_that_was_answered(office, action):
    sample_id = answered(office, action)
    browser, address = taken(office)
    assert address.endswith(str(sample_id))
    page = browser.get(address).get_data(as_text=True)
    assert "ПРИМЕРНАЯ" in re.sub(r"<[^>]+>", "", page) or "ПРИМЕРН" in page
    with office.db.reading() as db:
        case_id = db.get_one(QualitySample, sample_id).case_id
        external = db.get_one(Customer, db.get_one(Case, case_id).customer_id).external_id
    for hidden in (str(case_id), str(case_id)[:8], external, "Ada Agent", "Seen by me.", "Scores on policy", "strangers"):
        assert hidden not in page, hidden
    assert 'value="approve" data-key="a" required>' in page  # nothing is chosen for her


def test_a_verdict_is_kept_and_only_then_the_first_answer_is_told(office):
    answered(office, "reject")
    browser, address = taken(office)
    browser.get(address)
    done = browser.post(f"{address}/verdict", action="reject", reject_reason="surname_differs", note="A letter.")
    assert done.status_code == 303 and done.location.endswith(address)
    page = browser.get(address).get_data(as_text=True)
    assert "You agree with the first answer" in page and "Ada Agent" not in page
    with office.db.reading() as db:
        sample = db.scalars(select(QualitySample)).one()
        assert (sample.verdict, sample.agrees, sample.verdict_reasons) == ("reject", True, ["surname_differs"])
        assert db.get_one(Case, sample.case_id).state is State.REJECTED
    assert browser.post(f"{address}/verdict", action="approve").location.endswith("/desk/quality")  # too late


def test_what_was_typed_stays_when_something_is_missing(office):
    answered(office)
    browser, address = taken(office)
    browser.get(address)
    again = browser.post(f"{address}/verdict", action="reject", note="Look at the nose.")
    page = again.get_data(as_text=True)
    assert again.status_code == 422 and "Choose at least one reason." in page and "Look at the nose." in page
    assert browser.post(f"{address}/verdict", note="x").status_code == 422
    # reasons of another answer do not count
    assert browser.post(f"{address}/verdict", action="reject", retake_reason="selfie_blurred").status_code == 422


def test_a_doubted_approval_is_shown_and_a_third_person_lets_it_stand(office):
    sample_id = answered(office)
    browser, address = taken(office)
    browser.get(address)
    browser.post(f"{address}/verdict", action="reject", reject_reason="selfie_document_faces_differ", note="Another nose.")
    assert "A senior agent looks at it now" in browser.get(address).get_data(as_text=True)
    page = browser.get("/desk/quality").get_data(as_text=True)
    assert "Another nose." in page and f"{sample_id}/stands" not in page  # hers: she does not settle it
    assert browser.post(f"/desk/quality/{sample_id}/stands", note="Mine.").status_code == 303
    senior = office.signed_in(Role.SENIOR_AGENT)
    assert f"{sample_id}/stands" in senior.get("/desk/quality").get_data(as_text=True)
    senior.post(f"/desk/quality/{sample_id}/stands", note="")
    with office.db.reading() as db:
        assert db.get_one(QualitySample, sample_id).settled_at is None
    senior.post(f"/desk/quality/{sample_id}/stands", note="Looked at all three photos.")
    with office.db.reading() as db:
        assert db.get_one(QualitySample, sample_id).settled_how == "stands"
    lead = office.signed_in(Role.LEAD)
    assert lead.get("/desk/quality").status_code == 200
    assert lead.post(f"/desk/quality/{sample_id}/stands", note="x").status_code == 403


def test_who_opens_the_case_meanwhile_is_told_and_cannot_answer(office):
    sample_id = answered(office)
    browser, address = taken(office)
    browser.get(address)
    with office.db.reading() as db:
        case_id = db.get_one(QualitySample, sample_id).case_id
    browser.get(f"/desk/cases/{case_id}")
    away = browser.post(f"{address}/verdict", action="approve")
    assert away.location.endswith("/desk/quality")
    assert "You know this case by now" in browser.get("/desk/quality").get_data(as_text=True)
    with office.db.reading() as db:
        assert db.get_one(QualitySample, sample_id).verdict is None


def test_one_given_back_goes_to_somebody_else_and_another_reviewers_page_is_closed(office):
    answered(office)
    browser, address = taken(office)
    other = office.signed_in(Role.SENIOR_AGENT)
    assert other.get(address).location.endswith("/desk/quality")
    other.get("/desk/quality")
    browser.get(address)
    browser.post(f"{address}/give-back")
    assert other.post("/desk/quality/next").location == address
    assert browser.get(address).status_code == 303


def test_pages_of_no_sample_are_not_found(office):
    browser = office.signed_in(Role.SENIOR_AGENT)
    browser.get("/desk/quality")
    assert browser.get(f"/desk/quality/{NOBODY}").status_code == 404
    assert browser.get(f"/desk/quality/{NOBODY}/photos/x").status_code == 404
    for what in ("verdict", "give-back", "stands", "photos/renew"):
        assert browser.post(f"/desk/quality/{NOBODY}/{what}", note="x", action="approve").status_code == 404, what


# Photos


def links(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="(/desk/quality/[0-9a-f-]+/photos/[^"]+)"', page)


def test_photos_open_for_who_holds_the_sample_for_a_minute_and_every_look_is_written_down(office):
    answered(office)
    browser, address = taken(office)
    found = links(browser.get(address).get_data(as_text=True))
    assert len(set(found)) == 3
    for link in set(found):
        answer = browser.get(link)
        assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
        assert "no-store" in answer.headers["Cache-Control"]
    with office.db.reading() as db:
        looks = db.scalars(select(Event).where(Event.kind == "photo_opened")).all()
        mine = [e for e in looks if e.details["purpose"] == "quality"]
        assert {e.details["photo"] for e in mine} == {"selfie", "document", "on_file"}
    other = office.signed_in(Role.SENIOR_AGENT)
    assert other.get(found[0]).status_code == 403
    office.clock.forward(seconds=62)
    assert browser.get(found[0]).status_code == 410


def test_a_paper_that_was_there_is_shown_and_each_look_at_it_is_written_down(office):
    answered(office, paper=True)
    browser, address = taken(office)
    page = browser.get(address).get_data(as_text=True)
    found = set(links(page))
    assert len(found) == 4 and 'alt="Marriage certificate"' in page
    assert {browser.get(link).status_code for link in found} == {200}
    with office.db.reading() as db:
        looks = db.scalars(select(Event).where(Event.kind == "paper_opened")).all()
        assert [event.details["purpose"] for event in looks] == ["quality"]


def test_an_old_address_is_renewed_only_for_who_still_holds_it(office):
    answered(office)
    browser, address = taken(office)
    page = browser.get(address).get_data(as_text=True)
    token = re.search(r'name="link" value="([^"]+)"', page)[1]
    office.clock.forward(seconds=90)
    fresh = browser.client.post(
        f"{address}/photos/renew", data={"csrf_token": browser.token, "link": token}, headers={"Accept": "application/json"}
    )
    assert fresh.status_code == 200 and browser.get(fresh.json["address"]).status_code == 200
    browser.post(f"{address}/verdict", action="approve")
    assert browser.get(fresh.json["address"]).status_code == 410
    assert browser.post(f"{address}/photos/renew", link=token).status_code == 410


def test_a_specimens_page_looks_like_any_other_and_its_photos_open(office):
    with office.db.transaction() as db:
        assert quality.plant(db, count=1, now=office.clock()) == 1
    browser, address = taken(office)
    page = browser.get(address).get_data(as_text=True)
    with office.db.reading() as db:
        key = db.scalars(select(QualitySample.specimen)).one()
    shown = page[: page.index('<form class="card verdict"')]  # a reason for rejecting has the word, too
    assert key not in page and "specimen" not in shown.lower() and "practice" not in page
    for link in set(links(page)):
        assert browser.get(link).mimetype == "image/jpeg"
    browser.post(f"{address}/verdict", action="approve")
    assert "This was a specimen" in browser.get(address).get_data(as_text=True)


# Figures


def test_figures_are_shown_for_the_time_asked_for(office):
    answered(office, "reject")
    browser, address = taken(office)
    browser.get(address)
    browser.post(f"{address}/verdict", action="reject", reject_reason="surname_differs")
    page = browser.get("/desk/quality?days=30").get_data(as_text=True)
    assert "100 %" in page and "20.7 % – 100 %" in page  # Wilson, one of one
    assert "One letter" not in page and "Ada Agent" not in page and "Rita Reviewer</th>" not in page
    office.clock.forward(days=40)
    browser = office.signed_in(Role.LEAD)
    assert "20.7 %" not in browser.get("/desk/quality?days=30").get_data(as_text=True)
    assert "20.7 %" in browser.get("/desk/quality?days=90").get_data(as_text=True)
    assert browser.get("/desk/quality?days=5").status_code == 200


def test_names_of_staff_stand_nowhere_on_the_page_of_figures(office):
    answered(office)
    browser, address = taken(office)
    browser.get(address)
    browser.post(f"{address}/verdict", action="reject", reject_reason="surname_differs", note="A letter.")
    page = office.signed_in(Role.SENIOR_AGENT, name="Third Person").get("/desk/quality").get_data(as_text=True)
    with office.db.reading() as db:
        names = set(db.scalars(select(Staff.name))) - {"Third Person"}
    assert not [name for name in names if name in page]


# Commands


def test_the_command_plants_specimens_and_touches_no_live_case(office):
    runner = office.app.test_cli_runner()
    assert runner.invoke(args=["specimens", "plant", "--count", "3"]).output == "3 planted\n"
    with office.db.reading() as db:
        planted = db.scalars(select(QualitySample)).all()
        assert [sample.case_id for sample in planted] == [None] * 3
        assert db.scalars(select(Case.id)).all() == []
    assert runner.invoke(args=["specimens", "plant", "--count", "0"]).exit_code == 2
