"""The desk: queue, take, case page, answer, stale pages, disputes, photos."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from cases import calibration, customers, duplicates, photo_store, queries, review
from cases.lifecycle import State
from cases.models import Case, Customer, Event, FaceEncoding, Photo, Role, Run, Staff
from cases.queries import case_events
from tests import factories
from tests.webapp.staff_fixtures import Browser, Office, a_case, found, make_office
from verification.calibration import POOR_EYES, OwnPair, shipped
from verification.evidence import Box, Evidence, Field, Pair, PairMeasures, Quality
from verification.hints import RATES, Hint
from verification.reasons import PhotoKind, ReasonCode

CHECKED = ["surname", "issued_on", "issuer_code"]
"""Rows that the run of `found` was not sure of: who approves ticks them."""


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def agent(office: Office) -> Browser:
    return office.signed_in(Role.AGENT, name="Ada Agent")


def referred(office: Office, *, minutes_ago: float = 0, seed: int = 0, **about: Any) -> UUID:
    with office.db.transaction() as db:
        return a_case(db, now=office.clock() - timedelta(minutes=minutes_ago), seed=seed, **about).id


def state(office: Office, case_id: UUID) -> State:
    with office.db.reading() as db:
        return db.get_one(Case, case_id).state


def version(office: Office, case_id: UUID) -> int:
    with office.db.reading() as db:
        return db.get_one(Case, case_id).version


def text(answer: Any) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.get_data(as_text=True))))


def taken(office: Office, agent: Browser, **about: Any) -> UUID:
    case_id = referred(office, **about)
    agent.fresh("/desk")
    assert agent.post(f"/desk/cases/{case_id}/take").status_code == 303
    agent.get(f"/desk/cases/{case_id}")
    return case_id


def test_the_queue_shows_the_oldest_first_and_no_name_of_a_customer(office, agent):
    young, old = referred(office, minutes_ago=5, seed=1), referred(office, minutes_ago=90, seed=2)
    page = agent.get("/desk")
    shown = page.get_data(as_text=True)
    assert shown.index(str(old)) < shown.index(str(young))
    assert not [name for name in ("ТЕСТОВА", "ПРИМЕРНАЯ", "4524654321") if name in shown]


def test_filters_stand_in_the_address(office, agent):
    russian, other = referred(office, seed=1), referred(office, seed=2, country="KAZ")
    shown = agent.get("/desk?country=kaz").get_data(as_text=True)
    assert str(other) in shown and str(russian) not in shown
    shown = agent.get("/desk?reason=surname_differs&change=marriage").get_data(as_text=True)
    assert str(russian) in shown
    assert str(russian) not in agent.get("/desk?reason=document_expired").get_data(as_text=True)
    assert str(russian) not in agent.get("/desk?view=mine").get_data(as_text=True)
    assert agent.get("/desk?after=nonsense").status_code == 404


def test_a_search_finds_a_case_by_its_number_or_the_customers_id_in_any_state(office, agent):
    case_id = taken(office, agent)
    agent.post(
        f"/desk/cases/{case_id}/answer",
        action="approve",
        checked=CHECKED,
        seen_version=version(office, case_id),
        note="ok",
        then="queue",
    )
    assert state(office, case_id) is State.APPROVED
    assert str(case_id) in agent.get(f"/desk?q={case_id}").get_data(as_text=True)
    assert str(case_id) in agent.get("/desk?q=host-0").get_data(as_text=True)


def test_next_case_takes_the_oldest_free_one(office, agent):
    referred(office, minutes_ago=1, seed=1)
    old = referred(office, minutes_ago=50, seed=2)
    agent.fresh("/desk")
    assert agent.post("/desk/next").location == f"/desk/cases/{old}"
    assert "yours until" in text(agent.get(f"/desk/cases/{old}"))


def test_next_case_says_when_nothing_waits(office, agent):
    agent.fresh("/desk")
    assert agent.post("/desk/next").location == "/desk"
    assert "Nothing waits" in text(agent.get("/desk"))


def test_a_case_taken_by_somebody_else_names_her_and_shows_nothing_of_the_customer(office, agent):
    case_id = taken(office, agent)
    other = office.signed_in(Role.AGENT, name="Ben Second")
    page = other.get(f"/desk/cases/{case_id}")
    assert page.status_code == 403 and "Ada Agent has this case until" in text(page)
    assert 'id="answer"' not in page.get_data(as_text=True) and "ПРИМЕРНАЯ" not in page.get_data(as_text=True)
    refused = other.post(f"/desk/cases/{case_id}/take")
    assert refused.status_code == 409 and "Ada Agent took this case a moment before you" in text(refused)
    sent = other.post(
        f"/desk/cases/{case_id}/answer", action="approve", checked=CHECKED, seen_version=version(office, case_id), note="n"
    )
    assert sent.status_code == 409 and state(office, case_id) is State.IN_REVIEW


def test_the_page_says_why_in_words_marks_the_letter_and_puts_scores_on_the_line(office, agent):
    shown = agent.get(f"/desk/cases/{taken(office, agent)}").get_data(as_text=True)
    assert '<mark>А<span class="visually-hidden"> [differs]</span></mark>' in shown
    assert '<mark>О<span class="visually-hidden"> [differs]</span></mark>' in shown
    plain = html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", shown)))
    assert "1 in 14,000 strangers would score this high." in plain
    assert "1 letter differs" in plain
    assert "Check digits do not cover the name." in plain
    assert "The document shows the account's date of birth, sex, given names, patronymic." in plain
    assert "The two face networks contradict each other." in plain
    assert "surname_differs" not in re.sub(r'(?:value|data-reason)="[^"]*"', "", shown.split('class="card past"')[0])


def test_hints_stand_on_the_page_with_what_they_are_worth(office, agent):
    hinted = found(hints=(Hint.SEX_NOT_THE_PATRONYMICS, Hint.WITHOUT_COLOUR))
    shown = text(agent.get(f"/desk/cases/{taken(office, agent, evidence=hinted)}"))
    assert "Hints, not proof" in shown
    assert shown.index("The document has no colour.") < shown.index(
        "Sex and patronymic do not go together."
    )  # the policy lists it
    assert shown.count("The policy sends it to a person.") == 1
    rate = RATES[Hint.WITHOUT_COLOUR]
    assert f"{rate.false_alarms} false alarms on {rate.genuine} faultless papers; {rate.found} of {rate.attacked} faults" in shown


def test_a_case_without_hints_has_no_word_of_them(office, agent):
    assert "Hints" not in text(agent.get(f"/desk/cases/{taken(office, agent)}"))


def test_the_page_obeys_its_content_policy(office, agent):
    shown = agent.get(f"/desk/cases/{taken(office, agent)}").get_data(as_text=True)
    assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]*src=)", shown)


def test_approving_changes_the_profile_and_leads_to_the_next_case(office, agent):
    first = taken(office, agent, minutes_ago=60, seed=1)
    second = referred(office, minutes_ago=2, seed=2)
    sent = agent.post(
        f"/desk/cases/{first}/answer",
        action="approve",
        checked=CHECKED,
        seen_version=version(office, first),
        note="",
        then="next",
    )
    assert sent.location == f"/desk/cases/{second}"
    assert state(office, first) is State.APPROVED
    assert "approved: the profile is changed" in text(agent.get(f"/desk/cases/{second}"))
    with office.db.reading() as db:
        profile, _email = customers.current_profile(db, db.get_one(Customer, db.get_one(Case, first).customer_id))
    assert profile.values["surname"] == "ПРИМЕРНАЯ"


def test_a_rejection_needs_a_reason_and_a_note_and_keeps_what_was_typed(office, agent):
    case_id = taken(office, agent)
    sent = agent.post(
        f"/desk/cases/{case_id}/answer", action="reject", seen_version=version(office, case_id), note="half a thought"
    )
    assert sent.status_code == 422
    assert "Choose at least one reason." in text(sent) and "half a thought" in text(sent)
    about = {"reject_reason": ["surname_differs"], "seen_version": version(office, case_id), "then": "queue"}
    bare = agent.post(f"/desk/cases/{case_id}/answer", action="reject", note="", **about)
    assert bare.status_code == 422 and "Say in a note" in text(bare)
    assert agent.post(f"/desk/cases/{case_id}/answer", action="reject", note="One letter.", **about).location == "/desk"
    assert state(office, case_id) is State.REJECTED
    shown = text(agent.get(f"/desk/cases/{case_id}"))
    assert "One letter." in shown and "Ada Agent rejected" in shown


def test_a_retake_names_photos_and_why(office, agent):
    case_id = taken(office, agent)
    seen = version(office, case_id)
    bare = agent.post(f"/desk/cases/{case_id}/answer", action="ask_retake", seen_version=seen)
    assert bare.status_code == 422 and "Choose the photo to take again." in text(bare)
    half = agent.post(
        f"/desk/cases/{case_id}/answer", action="ask_retake", seen_version=seen, retake="selfie", retake_reason="document_glare"
    )
    assert half.status_code == 422 and "Choose why, for each photo" in text(half)
    sent = agent.post(
        f"/desk/cases/{case_id}/answer",
        action="ask_retake",
        seen_version=seen,
        retake="document",
        retake_reason="document_glare",
        then="queue",
    )
    assert sent.location == "/desk"
    assert state(office, case_id) is State.NEEDS_RETAKE
    with office.db.reading() as db:
        case = db.get_one(Case, case_id)
        assert (case.retake, case.reasons) == (["document"], ["document_glare"])


def test_approving_in_spite_of_something_weighty_needs_a_note(office, agent):
    stranger = found(similarity=1.0)
    case_id = taken(office, agent, evidence=stranger)
    seen = version(office, case_id)
    bare = agent.post(f"/desk/cases/{case_id}/answer", action="approve", checked=CHECKED, seen_version=seen)
    assert bare.status_code == 422 and "Say in a note why you approve" in text(bare)
    assert state(office, case_id) is State.IN_REVIEW
    assert (
        agent.post(
            f"/desk/cases/{case_id}/answer", action="approve", checked=CHECKED, seen_version=seen, note="Twin scar."
        ).status_code
        == 303
    )


def test_a_stale_page_says_what_happened_and_loses_no_note(office, agent):
    case_id = taken(office, agent)
    seen = version(office, case_id)
    agent.post(f"/desk/cases/{case_id}/answer", action="approve", checked=CHECKED, seen_version=seen, then="queue")
    again = agent.post(
        f"/desk/cases/{case_id}/answer",
        action="reject",
        reject_reason="surname_differs",
        seen_version=seen,
        note="Typed for minutes.",
    )
    assert again.status_code == 409
    said = text(again)
    assert "Nothing was sent. Ada Agent changed this case on" in said and "it now stands as “" in said
    assert "Typed for minutes." in said
    assert state(office, case_id) is State.APPROVED


def test_a_case_that_changed_but_is_still_hers_can_be_answered_from_the_fresh_page(office, agent):
    case_id = taken(office, agent)
    seen = version(office, case_id)
    with office.db.transaction() as db:
        row = db.get_one(Customer, db.get_one(Case, case_id).customer_id)
        customers.upsert(db, row.external_id, factories.PROFILE, email="old@example.test", locale="ru", now=office.clock())
    about = {"action": "reject", "reject_reason": "surname_differs", "note": "Kept."}
    stale = agent.post(f"/desk/cases/{case_id}/answer", seen_version=seen, **about)
    assert stale.status_code == 409 and "Kept." in text(stale)
    fresh = re.search(r'name="seen_version" value="(\d+)"', stale.get_data(as_text=True))
    assert fresh and int(fresh[1]) == version(office, case_id) != seen
    assert agent.post(f"/desk/cases/{case_id}/answer", seen_version=fresh[1], then="queue", **about).status_code == 303


def test_a_claim_that_ran_out_is_told_and_the_note_kept(office, agent):
    case_id = taken(office, agent)
    office.clock.forward(minutes=11)
    other = office.signed_in(Role.AGENT, name="Ben Second")
    other.fresh("/desk")
    assert other.post(f"/desk/cases/{case_id}/take").status_code == 303
    sent = agent.post(
        f"/desk/cases/{case_id}/answer",
        action="approve",
        checked=CHECKED,
        seen_version=version(office, case_id),
        note="Slow lunch.",
    )
    assert sent.status_code == 409 and "Slow lunch." in text(sent)


def test_releasing_gives_the_case_back(office, agent):
    case_id = taken(office, agent)
    assert agent.post(f"/desk/cases/{case_id}/release").location == "/desk"
    with office.db.reading() as db:
        assert db.get_one(Case, case_id).owner_id is None


def test_a_sign_of_life_keeps_the_case(office, agent):
    case_id = taken(office, agent)
    office.clock.forward(minutes=9)
    assert agent.post(f"/desk/cases/{case_id}/touch").json["yours"] is True
    office.clock.forward(minutes=9)
    assert "yours until" in text(agent.get(f"/desk/cases/{case_id}"))
    agent.post(f"/desk/cases/{case_id}/release")
    assert agent.post(f"/desk/cases/{case_id}/touch").status_code == 409


def photo_of(office: Office, case_id: UUID, kind: PhotoKind) -> UUID:
    with office.db.reading() as db:
        return queries.case_page(db, case_id, now=office.clock()).photos[kind].id


@pytest.mark.parametrize("kind", list(PhotoKind))
def test_every_look_at_a_photo_is_an_event(office, agent, kind):
    case_id = taken(office, agent)
    photo_id = photo_of(office, case_id, kind)
    answer = agent.get(office.picture_link("Ada Agent", case_id, photo_id))
    assert answer.status_code == 200 and answer.mimetype == "image/jpeg" and answer.data[:2] == b"\xff\xd8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    with office.db.reading() as db:
        event = db.scalars(select(Event).where(Event.kind == "photo_opened").order_by(Event.id.desc())).first()
        assert event.details == {"photo_id": str(photo_id), "photo": kind.value, "purpose": "review"}
        assert event.actor_kind == "staff"


def test_photos_open_only_to_the_agent_who_holds_the_case(office, agent):
    case_id = taken(office, agent)
    photo_id = photo_of(office, case_id, PhotoKind.SELFIE)
    for role in (Role.AGENT, Role.LEAD, Role.SENIOR_AGENT):  # a senior only where she settles a dispute, see test_pictures
        other = office.signed_in(role, name=f"Other {role.value}")
        assert other.get(office.picture_link(f"Other {role.value}", case_id, photo_id)).status_code == 403
    address = office.picture_link("Ada Agent", case_id, photo_id)
    assert office.browser().get(address).status_code == 303
    assert agent.get(address).status_code == 200
    office.clock.forward(minutes=11)
    assert agent.get(office.picture_link("Ada Agent", case_id, photo_id)).status_code == 403


def test_a_photo_of_another_case_is_not_found_under_this_one(office, agent):
    mine, other = taken(office, agent, seed=1), referred(office, seed=2)
    for kind in PhotoKind:
        assert agent.get(office.picture_link("Ada Agent", mine, photo_of(office, other, kind))).status_code == 404


def test_a_shredded_photo_is_gone(office, agent):
    case_id = taken(office, agent)
    photo_id = photo_of(office, case_id, PhotoKind.SELFIE)
    with office.db.transaction() as db:
        db.get_one(Photo, photo_id).shredded_at = office.clock()
    assert agent.get(office.picture_link("Ada Agent", case_id, photo_id)).status_code == 410
    assert "shredded" in text(agent.get(f"/desk/cases/{case_id}"))
    with office.db.transaction() as db, pytest.raises(photo_store.PhotoGone):
        photo_store.read(db, db.get_one(Photo, photo_id))


def test_opening_a_case_is_an_event(office, agent):
    case_id = referred(office)
    agent.get(f"/desk/cases/{case_id}")
    with office.db.reading() as db:
        assert db.scalars(select(Event).order_by(Event.id.desc())).first().kind == "case_opened_by_staff"


def looks(office: Office, case_id: UUID) -> int:
    with office.db.reading() as db:
        return len(db.scalars(select(Event).where(Event.kind == "case_opened_by_staff", Event.case_id == case_id)).all())


def test_each_refusal_that_shows_the_case_is_a_look_at_it(office, agent):
    senior = office.signed_in(Role.SENIOR_AGENT)
    senior.fresh("/desk")
    case_id = taken(office, agent)
    steps = {
        "take": (409, {}),
        "answer": (422, {"action": "", "seen_version": version(office, case_id)}),
        "settle": (409, {"note": "n", "seen_version": version(office, case_id)}),
        "revert": (409, {"note": "n"}),
    }
    for step, (status, fields) in steps.items():
        before = looks(office, case_id)
        answer = senior.post(f"/desk/cases/{case_id}/{step}", **fields)
        assert (answer.status_code, looks(office, case_id)) == (status, before + 1), step
        assert "4524654321" in text(answer), "the claim was shown"


def test_who_approved_is_told_that_another_settles_the_dispute(office):
    senior = office.signed_in(Role.SENIOR_AGENT)
    case_id = disputed(office, senior)
    senior.fresh(f"/desk/cases/{case_id}")
    answer = senior.post(f"/desk/cases/{case_id}/settle", note="It is fine.", seen_version=version(office, case_id))
    assert answer.status_code == 409 and "another person has to settle the dispute" in text(answer)


def test_a_case_that_is_not_there_is_not_found(office, agent):
    assert agent.get("/desk/cases/00000000-0000-4000-8000-000000000000").status_code == 404
    agent.fresh("/desk")
    for step in ("take", "release", "touch", "answer"):
        answer = agent.post(
            f"/desk/cases/00000000-0000-4000-8000-000000000000/{step}", action="approve", checked=CHECKED, seen_version=1
        )
        assert answer.status_code == 404, step


def disputed(office: Office, agent: Browser) -> UUID:
    case_id = taken(office, agent, seed=5)
    agent.post(
        f"/desk/cases/{case_id}/answer", action="approve", checked=CHECKED, seen_version=version(office, case_id), then="queue"
    )
    with office.db.transaction() as db:
        case = db.get_one(Case, case_id)
        token = customers.make_link(db, "not_me", case.customer, case=case, lifetime=timedelta(days=1), now=office.clock())
        customers.report_not_me(db, customers.redeem_link(db, token, "not_me", now=office.clock()), now=office.clock())
    return case_id


def test_a_dispute_stands_first_and_a_senior_agent_puts_the_profile_back(office, agent):
    case_id = disputed(office, agent)
    referred(office, minutes_ago=300, seed=6)
    shown = agent.get("/desk").get_data(as_text=True)
    assert shown.index(str(case_id)) < shown.index("host-6")
    assert "“This was not me”" in shown
    agent_page = agent.get(f"/desk/cases/{case_id}").get_data(as_text=True)
    assert "/revert" not in agent_page and "/settle" not in agent_page
    assert agent.post(f"/desk/cases/{case_id}/revert", note="n").status_code == 403
    senior = office.signed_in(Role.SENIOR_AGENT, name="Sue Senior")
    senior.get(f"/desk/cases/{case_id}")
    bare = senior.post(f"/desk/cases/{case_id}/revert", note=" ", seen_version=version(office, case_id))
    assert bare.status_code == 422 and state(office, case_id) is State.APPROVED
    assert (
        senior.post(f"/desk/cases/{case_id}/revert", note="She called.", seen_version=version(office, case_id)).status_code == 303
    )
    assert state(office, case_id) is State.REVERTED
    with office.db.reading() as db:
        profile, _email = customers.current_profile(db, db.get_one(Customer, db.get_one(Case, case_id).customer_id))
    assert profile.values["surname"] == "ТЕСТОВА"
    again = senior.post(f"/desk/cases/{case_id}/revert", note="Once more.", seen_version=1)
    assert again.status_code == 409 and "Once more." in text(again)


def test_a_senior_agent_may_let_a_disputed_change_stand(office, agent):
    case_id = disputed(office, agent)
    senior = office.signed_in(Role.SENIOR_AGENT)
    senior.get(f"/desk/cases/{case_id}")
    about = {"seen_version": version(office, case_id)}
    assert senior.post(f"/desk/cases/{case_id}/settle", note="", **about).status_code == 422
    assert senior.post(f"/desk/cases/{case_id}/settle", note="She confirmed it by phone.", **about).status_code == 303
    assert state(office, case_id) is State.APPROVED
    assert senior.post(f"/desk/cases/{case_id}/settle", note="again", seen_version=version(office, case_id)).status_code == 409


def test_who_approved_does_not_put_back_without_a_dispute(office):
    senior = office.signed_in(Role.SENIOR_AGENT)
    case_id = taken(office, senior)
    senior.post(
        f"/desk/cases/{case_id}/answer", action="approve", checked=CHECKED, seen_version=version(office, case_id), then="queue"
    )
    senior.get(f"/desk/cases/{case_id}")
    answer = senior.post(f"/desk/cases/{case_id}/revert", note="Second thoughts.")
    assert answer.status_code == 409 and "you approved this case yourself" in text(answer)


def test_a_case_without_any_run_can_be_read_and_answered(office, agent):
    from cases import intake

    with office.db.transaction() as db:
        case = factories.a_draft(db, now=office.clock())
        intake.ask_for_person(db, case.id, consent_version=factories.CONSENT, now=office.clock())
    agent.fresh("/desk")
    agent.post(f"/desk/cases/{case.id}/take")
    page = text(agent.get(f"/desk/cases/{case.id}"))
    assert "No machine looked at this case" in page and "BERGMANTEST" in page


def test_every_state_has_a_page(office, agent):
    senior = office.signed_in(Role.SENIOR_AGENT)
    for wanted in State:
        with office.db.transaction() as db:
            case = factories.in_state(db, wanted, now=office.clock())
            case_id, sent = case.id, case.attempt > 0
        seen = senior.get(f"/desk/cases/{case_id}").status_code
        assert seen == (200 if sent else 403), wanted  # what was never sent is nobody's to read
        mine = agent.get(f"/desk/cases/{case_id}").status_code
        assert mine == (200 if wanted is State.IN_REVIEW else 403), wanted


def test_a_name_with_markup_stays_text(office, agent):
    from verification.evidence import ChangeReason, Claim, Field

    claim = Claim(reason=ChangeReason.MARRIAGE, values={Field.SURNAME: "<img src=x onerror=alert(1)>"})
    case_id = taken(office, agent, claim=claim)
    shown = agent.get(f"/desk/cases/{case_id}").get_data(as_text=True)
    assert "<img src=x" not in shown and "onerror" in shown


def test_two_agents_who_answer_at_once_give_one_answer(office, agent):
    case_id = taken(office, agent)
    seen = version(office, case_id)
    with office.db.transaction() as db:
        row = db.scalars(select(Staff).where(Staff.name == "Ada Agent")).one()
        review.dispose(
            db,
            case_id,
            review.Disposal(action="approve", seen_version=seen, checked=frozenset(map(Field, CHECKED))),
            agent=row,
            now=office.clock(),
        )
    assert agent.post(f"/desk/cases/{case_id}/answer", action="approve", checked=CHECKED, seen_version=seen).status_code == 409


def test_russian_pages_are_in_russian(office, agent):
    agent.fresh("/desk")
    agent.post("/language", language="ru", next="/desk")
    assert 'lang="ru"' in agent.get("/desk").get_data(as_text=True)


def test_odds_are_said_in_words(office):
    from webapp.desk.presenters import strangers

    with office.app.test_request_context(headers={"Accept-Language": "en"}):
        assert strangers(7.1e-5) == "1 in 14,000 strangers would score this high."
        assert strangers(0.34) == "1 in 3 strangers would score this high."
        assert strangers(0.9) == "Most strangers would score this high."
        assert strangers(0.0) == strangers(9e-6) == "Fewer than 1 in 100 000 strangers would score this high."
        assert strangers(None) == strangers(float("nan")) == "Outside what was tested: no odds can be given."


def test_marks_skip_what_was_not_compared(office):
    from webapp.desk.presenters import marked

    with office.app.test_request_context(headers={"Accept-Language": "en"}):
        assert str(marked("4510-123", [(3, "01")])).startswith("451<mark>0-1<span")
        assert str(marked("<b>", [(0, "<b>")])).startswith("<mark>&lt;b&gt;<span")
        assert str(marked("АННА", [(99, "x")])) == "АННА"


def test_a_score_that_is_no_number_is_said_to_be_missing(office, agent):
    broken = found(
        pairs={Pair.SELFIE_DOCUMENT: PairMeasures(similarity=float("nan"), fmr=None, sface=0.0, dlib=0.0, voices_agree=True)}
    )
    case_id = taken(office, agent, evidence=broken)
    assert agent.get(f"/desk/cases/{case_id}").status_code == 200


def test_reasons_for_refusing_are_none_of_the_machines_own_doubts():
    from webapp.desk.forms import REJECTIONS, retake_reasons

    assert ReasonCode.EVIDENCE_MISSING not in REJECTIONS and ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER in REJECTIONS
    assert not set(REJECTIONS) & {r for codes in retake_reasons().values() for r in codes}


# The print itself, the letters that differ framed


LETTERS = tuple((165 + 20 * at, 745, 18, 26) for at in range(9))  # of ПРИМЕРНОЯ in the zone of the drawn page


def with_letters(letters: tuple[Box | None, ...] = LETTERS, *, box: Box | None = (165, 745, 178, 26)) -> Evidence:
    seen = found()
    surname = replace(seen.reading.fields[Field.SURNAME], letters=letters, box=box)
    return replace(seen, reading=replace(seen.reading, fields={**seen.reading.fields, Field.SURNAME: surname}))


def row_of(office: Office, case_id: UUID, name: Field = Field.SURNAME) -> queries.FieldRow:
    with office.db.reading() as db:
        return next(row for row in queries.case_page(db, case_id, now=office.clock()).fields if row.field is name)


def test_the_letter_that_differs_is_framed_on_the_photo(office, agent):
    case_id = taken(office, agent, evidence=with_letters())
    shown = agent.get(f"/desk/cases/{case_id}").get_data(as_text=True)
    (line,) = (one for one in re.findall(r'<svg class="line".*?</svg>', shown, re.DOTALL) if "Surname" in one)
    assert 'viewBox="153.3 733.3 201.4 49.4"' in line and "rotate" not in line
    assert re.findall(r'<rect class="letter" ([^/]*)/>', line) == ['x="305.0" y="745.0" width="18.0" height="26.0"']
    assert 'aria-label="Surname as printed on the document. Framed: “О”, letter 8"' in line
    assert f'href="/desk/cases/{case_id}/photos/' in line  # the photo of the page, each look written down


def test_places_of_letters_lie_sealed_with_the_run(office, agent):
    case_id = taken(office, agent, evidence=with_letters((None, *LETTERS[1:])))
    assert row_of(office, case_id).letters == (None, *LETTERS[1:])
    with office.db.reading() as db:
        case = db.get_one(Case, case_id)
        sealed = db.scalars(select(Run).where(Run.case_id == case_id)).one()
        assert sealed.readings_sealed and b"745" not in sealed.readings_sealed and "745" not in str(sealed.measures)
        assert "745" not in str([event.details for event in case_events(db, case.id)])


def test_only_who_may_see_the_photo_sees_the_print(office, agent):
    case_id = taken(office, agent, evidence=with_letters())
    other = office.signed_in(Role.SENIOR_AGENT, name="Ben Second")
    assert 'class="line"' in agent.get(f"/desk/cases/{case_id}").get_data(as_text=True)
    assert 'class="line"' not in other.get(f"/desk/cases/{case_id}").get_data(as_text=True)


def test_places_found_on_one_photo_are_not_drawn_on_another(office, agent):
    case_id = taken(office, agent, evidence=with_letters())
    with office.db.transaction() as db:
        photo = db.scalars(select(Photo).where(Photo.kind == PhotoKind.DOCUMENT)).one()
        photo.created_at = office.clock() + timedelta(minutes=1)  # came after the run
    shown = agent.get(f"/desk/cases/{case_id}").get_data(as_text=True)
    assert 'class="line"' not in shown and "not found on the document" in shown


def test_without_places_of_letters_the_line_is_shown_unframed(office, agent):
    shown = agent.get(f"/desk/cases/{taken(office, agent, evidence=with_letters(()))}").get_data(as_text=True)
    (line,) = (one for one in re.findall(r'<svg class="line".*?</svg>', shown, re.DOTALL) if "Surname" in one)
    assert "<rect" not in line and 'aria-label="Surname as printed on the document"' in line
    bare = agent.get(f"/desk/cases/{taken(office, agent, evidence=with_letters((), box=None), seed=1)}")
    assert 'aria-label="Surname as printed' not in bare.get_data(as_text=True)


def test_a_claim_is_shown_beside_the_line_of_the_script_it_was_compared_with(office, agent):
    seen = with_letters()
    fields = dict(seen.reading.fields)
    fields[Field.SURNAME_NATIVE] = fields[Field.SURNAME]
    fields[Field.SURNAME] = replace(fields[Field.SURNAME], value="PRIMERNOIA", letters=(), box=None)
    case_id = taken(office, agent, evidence=replace(seen, reading=replace(seen.reading, fields=fields)))
    row = row_of(office, case_id)
    assert row.read == "ПРИМЕРНОЯ" and row.letters == LETTERS
    assert '<mark>О<span class="visually-hidden"> [differs]' in agent.get(f"/desk/cases/{case_id}").get_data(as_text=True)


# Percentages


def test_scores_are_told_as_the_percentage_of_the_calibration_that_rated_them(office, agent, monkeypatch):
    unrated = text(agent.get(f"/desk/cases/{taken(office, agent)}"))
    assert "like-looking" not in unrated  # a run of engines whose calibration is not known any more
    evidence = found(engines=(*shipped().engines, shipped().label))
    shown = text(agent.get(f"/desk/cases/{taken(office, agent, evidence=evidence, seed=1)}"))
    middle = shipped().percentage(Pair.SELFIE_DOCUMENT, 5.2)
    assert middle is not None and 1 < middle < 99
    words = "“In 100”: of equally many right and like-looking wrong people with this score, so many are right."
    assert f"{middle} in 100. " in shown and words in shown


def test_a_poor_portrait_is_rated_by_the_odds_of_poor_ones(office, agent):
    usual = shipped().percentage(Pair.SELFIE_DOCUMENT, 6.0)
    poor = shipped().percentage(Pair.SELFIE_DOCUMENT, 6.0, eyes=POOR_EYES - 1)
    assert usual != poor
    for seed, (eyes, share) in enumerate(((POOR_EYES + 1, usual), (POOR_EYES - 1, poor))):
        evidence = found(similarity=6.0, engines=(*shipped().engines, shipped().label), document=Quality(head_size=eyes))
        shown = text(agent.get(f"/desk/cases/{taken(office, agent, evidence=evidence, seed=seed)}"))
        assert f"{share} in 100. " in shown


@pytest.mark.parametrize(
    ("percentage", "said"),
    [(None, ""), (1, "1 in 100 or fewer"), (2, "2 in 100"), (98, "98 in 100"), (99, "99 in 100 or more")],
)
def test_percentages_are_cut_at_both_ends(office, percentage, said):
    from webapp.desk.presenters import percentage_words

    with office.app.test_request_context(headers={"Accept-Language": "en"}):
        told = percentage_words(percentage)
    assert told == said


def test_a_run_rated_by_an_own_calibration_shows_that_ones_percentage(office, agent, monkeypatch):
    dice = random.Random(0)
    pairs = [
        OwnPair(pair=Pair.SELFIE_DOCUMENT, similarity=dice.gauss(12 if n < 280 else 3, 1.5), same=n < 280, person=str(n))
        for n in range(330)
    ]
    monkeypatch.setattr(calibration, "labelled_pairs", lambda _session: iter(pairs))
    with office.db.transaction() as db:
        own = factories.calibrated(db, now=office.clock())
    assert own.percentage(Pair.SELFIE_DOCUMENT, 7.5) != shipped().percentage(Pair.SELFIE_DOCUMENT, 7.5)
    evidence = found(similarity=7.5, engines=(*shipped().engines, own.label), own_calibration=True)
    shown = text(agent.get(f"/desk/cases/{taken(office, agent, evidence=evidence)}"))
    assert f"{own.percentage(Pair.SELFIE_DOCUMENT, 7.5)} in 100. " in shown


def test_the_same_face_in_another_account_is_shown_with_its_odds_where_that_is_switched_on(office, agent, monkeypatch):
    case_id, other = taken(office, agent), referred(office, seed=9)
    with office.db.transaction() as db:
        case, stranger = db.get_one(Case, case_id), db.get_one(Case, other)
        kept = duplicates.Candidate(
            case_id=other, customer_id=stranger.customer_id, similarity=9.0, fmr=2e-5, expected=0.04
        ).to_json()
        db.add(
            FaceEncoding(
                case_id=case.id, customer_id=case.customer_id, data_key_id=case.data_key_id, code_sealed=b"sealed",
                candidates=[kept], searched=2000, created_at=office.clock(), searched_at=office.clock(),
            )
        )  # fmt: skip
    assert "The same face in other accounts" not in text(agent.get(f"/desk/cases/{case_id}"))
    monkeypatch.setattr(duplicates, "switched_on", lambda session: True)
    shown = text(agent.get(f"/desk/cases/{case_id}"))
    assert "The same face in other accounts" in shown and "1 in 50,000 strangers would score this high." in shown
    assert "Among the 2,000 faces compared, 0.04 such are to be expected by chance." in shown
    assert f'href="/desk/cases/{other}"' in agent.get(f"/desk/cases/{case_id}").get_data(as_text=True)
