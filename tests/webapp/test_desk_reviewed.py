"""What a review of the desk's pages found: each of these went wrong once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from cases import audit, conflicts, intake
from cases.database import Database
from cases.models import Case, Role, Staff
from cases.settings import Settings
from tests.webapp.staff_fixtures import Office, hide_opinion, make_office
from tests.webapp.test_answers import REJECT, case, later, referred, send, taken


@pytest.fixture
def office(settings: Settings, database: Database) -> Iterator[Office]:
    made = make_office(settings.model_copy(update={"undo_seconds": 20}))
    yield made
    made.db.dispose()


def test_page_of_the_second_person_tells_nothing_of_the_first(office):
    one = office.signed_in(Role.AGENT, name="Ada Agent")
    case_id = taken(office, one)
    send(office, one, case_id, **REJECT)
    later(office)
    with office.db.transaction() as db:
        intake.appeal(db, case_id, now=office.clock())
    two = office.signed_in(Role.AGENT, name="Bea Agent")
    two.fresh("/desk")
    assert two.post(f"/desk/cases/{case_id}/take").status_code == 303
    two.get(f"/desk/cases/{case_id}")
    two.post(f"/desk/cases/{case_id}/note", note="ELEPHANT", action="reject", seen_version=case(office, case_id).version)
    send(office, two, case_id, action="reject", reject_reason="document_expired", note="ZEBRA", words="GIRAFFE")
    three = office.signed_in(Role.AGENT, name="Cia Agent")
    shown_early = three.get(f"/desk/cases/{case_id}").get_data(as_text=True)
    later(office)
    assert case(office, case_id).second_at is not None
    three.fresh("/desk")
    assert three.post(f"/desk/cases/{case_id}/take").status_code == 303
    shown = three.get(f"/desk/cases/{case_id}").get_data(as_text=True)
    assert not [w for w in ("ZEBRA", "GIRAFFE", "ELEPHANT") if w in shown]
    assert not [w for w in ("ELEPHANT",) if w in shown_early], (
        "the first's notes are on the page of whoever will be second until the 20 s are over"
    )


def own(office, agent, name="Ada Agent"):
    case_id = referred(office, seed=5)
    with office.db.transaction() as db:
        c = db.get_one(Case, case_id)
        me = db.scalars(select(Staff).where(Staff.name == name)).one()
        conflicts.say(db, me, c.customer, actor=audit.SYSTEM, now=office.clock())
        ext = c.customer.external_id
    return case_id, ext


def test_the_queue_tells_her_nothing_of_her_own_case(office):
    agent = office.signed_in(Role.AGENT, name="Ada Agent")
    own(office, agent)
    page = agent.get("/desk").get_data(as_text=True)
    live = page[page.index('id="queue-live"') :]
    assert 'class="why"' not in live, "what the machine found in her own case"


def test_the_search_tells_her_nothing_of_her_own_case(office):
    agent = office.signed_in(Role.AGENT, name="Ada Agent")
    _case_id, ext = own(office, agent)
    agent.fresh("/desk")
    page = agent.post("/desk/search", q=ext).get_data(as_text=True)
    live = page[page.index('id="queue-live"') :]
    assert 'class="why"' not in live


def test_hidden_opinion_is_not_in_the_queue(settings, database):
    office = make_office(settings.model_copy(update={"undo_seconds": 20}))
    hide_opinion(office)
    agent = office.signed_in(Role.AGENT, name="Ada Agent")
    referred(office, seed=1)
    page = agent.get("/desk").get_data(as_text=True)
    live = page[page.index('id="queue-live"') :]
    office.db.dispose()
    assert 'class="why"' not in live
