"""Undo pages: chosen, looked at, proposed by one person, confirmed by another who types how many it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from cases import audit, customers, privacy, profiles, switches, undo
from cases.lifecycle import State
from cases.models import Case, Role, Run, Staff
from cases.ops_tables import Undo
from tests import factories as a
from tests.webapp.staff_fixtures import Browser, Office, make_office
from verification.evidence import Field, Profile

HOUR = timedelta(hours=1)


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def olga(office: Office) -> Browser:
    return office.signed_in(Role.OPS, name="Olga Ops")


@pytest.fixture
def second(office: Office) -> Browser:
    return office.signed_in(Role.LEAD, name="Lena Lead")


def plain(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.get_data(as_text=True)))


def approved(office: Office, count: int = 1, **about: Any) -> list[UUID]:
    with office.db.transaction() as db:
        return [a.an_approved(db, now=office.clock() - HOUR, **about).id for _ in range(count)]


def proposed(browser: Browser, counted: int, **chosen: Any) -> Any:
    chosen = chosen or {"version": "1"}
    browser.fresh("/ops/undo")
    return browser.post("/ops/undo", **{"counted": counted, "reason": "Policy 1 was too lenient", **chosen})


def undos(office: Office) -> list[Undo]:
    with office.db.reading() as db:
        return list(db.scalars(select(Undo)))


def carried_out(office: Office) -> int:
    return undo.carry_out(office.db, now=office.clock())


def test_a_preview_counts_before_anything_is_proposed(office, olga):
    first, *_others = approved(office, 3)
    with office.db.transaction() as db:
        customer = db.get_one(Case, first).customer
        moved = Profile(values={**a.PROFILE.values, Field.SURNAME: "CHANGEDBYHOST"})
        customers.upsert(db, customer.external_id, moved, email=a.OLD_EMAIL, locale="en", now=office.clock())
    page = plain(olga.get("/ops/undo?version=1"))
    assert "3 approvals" in page and "2 taken back, a person looks again" in page
    assert "1 changed again since: not touched" in page and "0 taken back and only closed" in page
    assert "Policy 1 3" in page and "UTO 3" in page
    assert "Propose to take 3 back" in page and "approved by policy 1" in page
    assert not undos(office)


def test_nothing_chosen_shows_no_preview(office, olga):
    approved(office)
    page = plain(olga.get("/ops/undo?version=&since=&until=&kind=&country="))
    assert "What it would do" not in page and "Nothing was taken back so far" in page
    assert proposed(olga, 1, version="").status_code == 422 and not undos(office)
    assert "No approval fits" in plain(olga.get("/ops/undo?country=ZZZ"))


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("since=yesterday", "Please give day and time"),
        ("since=2026-11-22T10:00&until=2026-11-22T09:00", "The end has to come after the beginning."),
        ("kind=whim", "Please choose from the list."),
        ("version=x", "Please choose from the list."),
        ("country=R1", "Please give the country’s code as it stands in the document"),
        ("country=LONG", "Please give the country’s code as it stands in the document"),
    ],
)
def test_what_makes_no_sense_is_said(office, olga, query, sentence):
    approved(office)
    page = plain(olga.get(f"/ops/undo?{query}"))
    assert sentence in page and "What it would do" not in page
    form = dict(part.split("=") for part in query.split("&"))
    assert proposed(olga, 1, **form).status_code == 422 and not undos(office)


def test_approvals_are_chosen_by_time_kind_and_country(office, olga):
    approved(office, 2)
    at = (office.clock() - HOUR).strftime("%Y-%m-%dT%H:%M")
    assert "2 approvals" in plain(olga.get(f"/ops/undo?since={at}"))
    assert "No approval fits" in plain(olga.get(f"/ops/undo?until={at}"))
    assert "2 approvals" in plain(olga.get("/ops/undo?kind=marriage&country=uto"))
    assert "No approval fits" in plain(olga.get("/ops/undo?kind=divorce"))


def test_a_country_has_one_to_three_letters_as_the_switch_has_it(office, olga):
    approved(office)
    (german,) = approved(office)
    with office.db.transaction() as db:
        run = db.scalars(select(Run).where(Run.case_id == german)).one()
        run.measures = {**run.measures, "country": "D"}
    page = plain(olga.get("/ops/undo?country=d"))
    assert "1 approvals" in page and "country: D" in page and "D 1" in page
    assert proposed(olga, 1, country="D").status_code == 303


def test_the_red_switch_comes_first_while_the_machine_goes_on(office, olga):
    approved(office)
    page = olga.fresh("/ops/undo?version=1")
    assert "Policy 1 still decides" in plain(page) and 'action="/ops/everything-to-people"' in page.get_data(as_text=True)
    olga.post("/ops/everything-to-people", reason="Approvals are being taken back")
    with office.db.reading() as db:
        assert switches.everything_to_people(db)
    assert "still decides" not in plain(olga.get("/ops/undo?version=1"))
    assert "goes on approving" not in plain(olga.get("/ops/undo?country=UTO"))


def test_what_lies_in_the_past_or_under_another_policy_does_not_go_on(office, olga):
    approved(office)
    before = (office.clock() - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M")
    assert "goes on approving" not in plain(olga.get(f"/ops/undo?until={before}"))
    assert "goes on approving" in plain(olga.get("/ops/undo?country=UTO"))
    with office.db.reading() as db:
        assert not undo.goes_on(db, undo.Selection(version=7), now=office.clock())


def test_it_takes_two_people_and_the_number(office, olga, second):
    (case_id, *_more) = approved(office, 2)
    made = proposed(olga, 2)
    assert made.status_code == 303
    own = plain(olga.fresh(made.location))
    assert "Another person has to confirm it" in own and "type how many" not in own
    assert olga.post(f"{made.location}/confirm", count="2").status_code == 403
    assert "type how many approvals are taken back: 2" in plain(second.fresh(made.location))
    for wrong in ("", "3", "two"):
        answer = second.post(f"{made.location}/confirm", count=wrong)
        assert answer.status_code == 422 and "That is not the number" in plain(answer)
    assert carried_out(office) == 0
    assert second.post(f"{made.location}/confirm", count=" 2 ").status_code == 303
    assert second.post(f"{made.location}/confirm", count="2").status_code == 409
    assert carried_out(office) == 2
    page = plain(second.get(made.location))
    assert "taken back, a person looks again 2" in page and "Done on" in page and "Confirmed by Lena Lead" in page
    with office.db.reading() as db:
        assert db.get_one(Case, case_id).state is State.IN_REVIEW
    assert "done" in plain(olga.get("/ops/undo"))


def test_what_changed_between_looking_and_proposing_is_told(office, olga):
    approved(office, 2)
    answer = proposed(olga, 1)
    assert answer.status_code == 409 and "it is 2 approvals by now" in plain(answer) and not undos(office)
    assert 'name="counted" value="2"' in answer.get_data(as_text=True)
    bare = proposed(olga, 2, version="1", reason="x")
    assert bare.status_code == 422 and "Please say why" in plain(bare) and not undos(office)
    assert proposed(olga, 0, country="ZZZ").status_code == 409


def test_progress_is_shown_while_it_goes_on(office, olga, second):
    approved(office, 3)
    made = proposed(olga, 3)
    second.fresh(made.location)
    second.post(f"{made.location}/confirm", count="3")
    undo.carry_out(office.db, now=office.clock(), most=1)
    shown = olga.get(made.location).get_data(as_text=True)
    assert f'data-again="{made.location}/progress"' in shown and "1 of 3" in shown and "Load again" in shown
    assert "2 left" in plain(olga.get("/ops/undo"))
    part = olga.get(f"{made.location}/progress").get_data(as_text=True)
    assert "1 of 3" in part and "<html" not in part and "data-done" not in part
    carried_out(office)
    assert "data-done" in olga.get(f"{made.location}/progress").get_data(as_text=True)
    assert "data-again" not in olga.get(made.location).get_data(as_text=True)


def test_looking_at_progress_keeps_no_session_alive(office, olga):
    approved(office)
    made = proposed(olga, 1)
    for _minute in range(3):
        office.clock.forward(minutes=6)
        olga.get(f"{made.location}/progress")
    assert olga.get(made.location).status_code == 303


def test_conflicts_are_listed_and_linked_for_who_may_see_cases(office, olga, second):
    (case_id,) = approved(office)
    with office.db.transaction() as db:
        customer = db.get_one(Case, case_id).customer
        moved = Profile(values={**a.PROFILE.values, Field.SURNAME: "CHANGEDBYHOST"})
        customers.upsert(db, customer.external_id, moved, email=a.OLD_EMAIL, locale="en", now=office.clock())
    made = proposed(olga, 1)
    second.fresh(made.location)
    second.post(f"{made.location}/confirm", count="1")
    carried_out(office)
    lead, ops = (browser.get(made.location).get_data(as_text=True) for browser in (second, olga))
    assert f'href="/desk/cases/{case_id}"' in lead and "nothing was overwritten" in lead
    assert f"/desk/cases/{case_id}" not in ops and str(case_id) in ops
    assert "1 conflict" in plain(olga.get("/ops/undo"))


def test_which_were_changed_again_stands_before_anything_is_proposed_and_before_it_is_confirmed(office, olga, second):
    case_id, other = approved(office, 2)
    with office.db.transaction() as db:
        customer = db.get_one(Case, case_id).customer
        moved = Profile(values={**a.PROFILE.values, Field.SURNAME: "CHANGEDBYHOST"})
        customers.upsert(db, customer.external_id, moved, email=a.OLD_EMAIL, locale="en", now=office.clock())
    made = proposed(olga, 2)
    for address in ("/ops/undo?version=1", made.location):
        lead, ops = (browser.get(address).get_data(as_text=True) for browser in (second, olga))
        assert f'href="/desk/cases/{case_id}"' in lead and "1 changed again since: not touched" in plain(second.get(address))
        assert f"/desk/cases/{case_id}" not in ops and str(case_id) in ops, "who sees no cases sees the number alone"
    with office.db.transaction() as db:
        found = undo.standing(db, undos(office)[0].id)
        senior = a.a_member(db, Role.SENIOR_AGENT, now=office.clock())
        actor = audit.Actor.staff(senior)
        profiles.revert(db, other, actor=actor, reason="By phone.", now=office.clock())
        assert found.pending
    assert "1 taken back by somebody meanwhile" in plain(second.get(made.location))


def test_what_failed_is_listed_with_its_code_and_tried_again(office, olga, second, monkeypatch):
    case_id, _other = approved(office, 2)
    real = profiles.take_back

    def take_back(session, case, **about):
        if case.id == case_id:
            raise ValueError(a.CLAIM.values[Field.SURNAME])
        return real(session, case, **about)

    made = proposed(olga, 2)
    second.fresh(made.location)
    second.post(f"{made.location}/confirm", count="2")
    assert second.post(f"{made.location}/again").status_code == 409
    with monkeypatch.context() as patched:
        patched.setattr(profiles, "take_back", take_back)
        assert carried_out(office) == 2
    shown = olga.fresh(made.location)
    page = shown.get_data(as_text=True)
    assert "failed, still as it was 1" in plain(shown) and str(case_id) in page and "ValueError" in page
    assert a.CLAIM.values[Field.SURNAME] not in page and "1 failure" in plain(olga.get("/ops/undo"))
    auditor = office.signed_in(Role.AUDITOR)
    assert "Try what failed again" not in plain(auditor.get(made.location))
    assert auditor.post(f"{made.location}/again").status_code == 403
    assert olga.post(f"{made.location}/again").status_code == 303
    assert "1 left" in plain(olga.get("/ops/undo")) and olga.post(f"{made.location}/again").status_code == 409
    assert carried_out(office) == 1
    assert "failed, still as it was 0" in plain(olga.get(made.location))


def test_of_an_erased_person_it_says_that_nobody_is_told(office, olga, second):
    (case_id,) = approved(office)
    with office.db.transaction() as db:
        customer_id = db.get_one(Case, case_id).customer_id
        privacy.erase(db, customer_id, reason="order", actor=audit.HOST, now=office.clock())
    assert "1 of a person who was erased: nobody is told" in plain(olga.get("/ops/undo?version=1"))
    made = proposed(olga, 1)
    second.fresh(made.location)
    second.post(f"{made.location}/confirm", count="1")
    assert carried_out(office) == 1
    assert "the person was erased, so nobody was told 1" in plain(olga.get(made.location))


def test_a_proposal_is_withdrawn(office, olga, second):
    approved(office)
    made = proposed(olga, 1)
    second.fresh(made.location)
    assert second.post(f"{made.location}/withdraw").status_code == 303
    assert second.post(f"{made.location}/confirm", count="1").status_code == 409
    assert second.post(f"{made.location}/withdraw").status_code == 409
    assert carried_out(office) == 0 and "withdrawn" in plain(olga.get(made.location))


def test_an_auditor_looks_and_agents_do_not(office, olga):
    approved(office)
    made = proposed(olga, 1)
    auditor = office.signed_in(Role.AUDITOR)
    page = auditor.fresh("/ops/undo?version=1").get_data(as_text=True)
    assert "What it would do" not in page and "Policy 1 was too lenient" in page
    assert auditor.get(made.location).status_code == 200
    for path in ("/confirm", "/withdraw"):
        assert auditor.post(made.location + path, count="1").status_code == 403
    assert auditor.post("/ops/undo", version="1", counted=1, reason="I should not").status_code == 403
    agent = office.signed_in(Role.SENIOR_AGENT)
    assert agent.get("/ops/undo").status_code == 403 and agent.get(made.location).status_code == 403


def test_numbers_of_nothing_are_not_found(office, olga):
    olga.fresh("/ops/undo")
    nobody = "/ops/undo/00000000-0000-4000-8000-000000000000"
    assert olga.get(nobody).status_code == 404 and olga.get(f"{nobody}/progress").status_code == 404
    assert olga.post(f"{nobody}/again").status_code == 404
    assert olga.post(f"{nobody}/confirm", count="0").status_code == 404 and olga.post(f"{nobody}/withdraw").status_code == 404


def test_the_pages_keep_the_content_policy_and_name_nobody(office, olga):
    approved(office)
    made = proposed(olga, 1)
    for address in ("/ops/undo", "/ops/undo?version=1", made.location):
        shown = olga.get(address).get_data(as_text=True)
        assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]*src=)", shown), address
        assert a.CLAIM.values[Field.SURNAME] not in shown
    with office.db.reading() as db:
        assert db.scalars(select(Staff.name).where(Staff.name == "Olga Ops")).one() in olga.get("/ops/undo").get_data(
            as_text=True
        )
