"""Messages and wishes for papers over HTTP: they wait, a bar takes them back with what was typed, and what never left is told."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from cases import audit, conversations, intake, outgoing, replies
from cases.desk_tables import Outgoing, OutgoingState, Paper, ReplyUse
from cases.models import Message, Notification, Role
from tests.webapp.conftest import picture
from tests.webapp.staff_fixtures import Browser, Office, make_office
from tests.webapp.test_answers import case, send, taken, text

WORDS = "Is the new name on page five?"


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings.model_copy(update={"undo_seconds": 20}))
    yield made
    made.db.dispose()


@pytest.fixture
def agent(office: Office) -> Browser:
    return office.signed_in(Role.AGENT, name="Ada Agent")


def later(office: Office) -> None:
    """The time to take something back is over, and upkeep has come by."""
    office.clock.forward(seconds=21)
    outgoing.send_due(office.db, now=office.clock())


def waiting(office: Office) -> Outgoing:
    with office.db.reading() as db:
        return db.scalars(select(Outgoing).order_by(Outgoing.given_at.desc()).limit(1)).one()


def count(office: Office, table: Any) -> int:
    with office.db.reading() as db:
        return db.scalar(select(func.count()).select_from(table)) or 0


def says(agent: Browser, case_id: UUID, **more: Any) -> Any:
    return agent.post(f"/desk/cases/{case_id}/messages", **{"message": str(uuid4()), "text": WORDS, **more})


def test_a_message_waits_behind_a_bar_and_the_thread_says_when_it_leaves(office: Office, agent: Browser) -> None:
    case_id = taken(office, agent)
    assert says(agent, case_id).location.endswith("#messages")
    assert count(office, Message) == 0
    shown = agent.get(f"/desk/cases/{case_id}")
    assert f"Case {str(case_id)[:8]}: message to the customer." in text(shown) and WORDS in text(shown)
    assert "the customer is told by mail" not in text(shown), "nothing was sent yet"
    assert 'data-undo="20"' in shown.get_data(as_text=True) and 'class="staff held"' in shown.get_data(as_text=True)
    assert 'data-undo="20"' in agent.get("/desk").get_data(as_text=True)
    later(office)
    shown = agent.get(f"/desk/cases/{case_id}").get_data(as_text=True)
    assert WORDS in shown and "data-undo" not in shown and "staff held" not in shown
    with office.db.reading() as db:
        assert db.scalars(select(Notification.kind).where(Notification.kind == "message")).all() == ["message"]


def test_a_message_taken_back_is_in_its_box_again_and_counts_no_reply(office: Office, agent: Browser) -> None:
    case_id = taken(office, agent)
    sent = (io.BytesIO(picture("example")), "a.jpg")
    says(agent, case_id, reply_message="message.thank_you", photo=sent)
    assert count(office, ReplyUse) == 1
    shown = agent.post(f"/desk/outgoing/{waiting(office).id}/take-back")
    assert shown.status_code == 200 and f">{WORDS}</textarea>" in shown.get_data(as_text=True)
    assert "nothing was sent" in text(shown) and "photo has to be chosen again" in text(shown)
    assert "data-undo" not in shown.get_data(as_text=True)
    later(office)
    assert count(office, Message) == count(office, ReplyUse) == 0
    again = agent.post(f"/desk/outgoing/{waiting(office).id}/take-back")
    assert again.status_code == 303 and "taken back already" in text(agent.get(again.location))


def test_too_late_says_what_to_do_instead(office: Office, agent: Browser) -> None:
    case_id = taken(office, agent)
    says(agent, case_id)
    later(office)
    answer = agent.post(f"/desk/outgoing/{waiting(office).id}/take-back")
    assert "Too late to take it back" in text(agent.get(answer.location)) and count(office, Message) == 1


def test_a_wish_taken_back_is_in_its_form_again_and_the_case_hers(office: Office, agent: Browser) -> None:
    case_id = taken(office, agent)
    asked = agent.post(f"/desk/cases/{case_id}/papers", paper="marriage_certificate", words="Both sides, please.")
    queue = agent.get(asked.location)
    assert f"Case {str(case_id)[:8]}: asked for a paper." in text(queue) and "The case waits for the customer" not in text(queue)
    assert count(office, Paper) == 0 and case(office, case_id).owner_id is None
    back = agent.post(f"/desk/outgoing/{waiting(office).id}/take-back")
    page = back.get_data(as_text=True)
    assert "the customer was asked for nothing" in text(back) and ">Both sides, please.</textarea>" in page
    assert 'value="marriage_certificate" checked' in page and 'class="ask" open' in page
    assert case(office, case_id).owner_id is not None and case(office, case_id).awaiting_until is None


def test_a_wish_that_is_refused_keeps_what_was_typed(office: Office, agent: Browser) -> None:
    case_id = taken(office, agent)
    refused = agent.post(f"/desk/cases/{case_id}/papers", words="Both sides, please.")
    assert refused.status_code == 422 and ">Both sides, please.</textarea>" in refused.get_data(as_text=True)


def test_a_wish_leaves_once_its_time_has_come(office: Office, agent: Browser) -> None:
    case_id = taken(office, agent)
    agent.post(f"/desk/cases/{case_id}/papers", paper="marriage_certificate")
    later(office)
    assert count(office, Paper) == 1 and case(office, case_id).awaiting_until is not None
    assert "data-undo" not in agent.get("/desk").get_data(as_text=True)


def test_of_two_things_that_wait_the_key_takes_the_newer_back(office: Office, agent: Browser) -> None:
    case_id = taken(office, agent)
    says(agent, case_id)
    office.clock.forward(seconds=3)
    send(office, agent, case_id, action="approve")
    shown = agent.get("/desk").get_data(as_text=True)
    bars = shown.split('class="bar-line undo"')[1:]
    assert len(bars) == 2 and "approved" in bars[0] and "message to the customer" in bars[1]
    assert ['data-key="u"' in bar for bar in bars] == [True, False]


def test_what_never_left_is_told_with_the_words_until_it_is_read(office: Office, agent: Browser) -> None:
    case_id = taken(office, agent)
    says(agent, case_id)
    with office.db.transaction() as db:
        she = audit.Actor(kind="customer", id=str(case(office, case_id).customer_id))
        intake.withdraw(db, case_id, actor=she, now=office.clock())
    later(office)
    shown = text(agent.get("/desk"))
    assert f"Your message about case {str(case_id)[:8]} was not sent. The request was closed before it left." in shown
    assert WORDS in shown
    agent.post(f"/desk/outgoing/{waiting(office).id}/told")
    assert WORDS not in text(agent.get("/desk")) and waiting(office).told_at is not None


def test_nobody_else_takes_back_or_reads_what_waits(office: Office, agent: Browser) -> None:
    case_id = taken(office, agent)
    says(agent, case_id)
    other = office.signed_in(Role.AGENT, name="Other")
    other.fresh("/desk")
    number = waiting(office).id
    for what in ("take-back", "told"):
        assert other.post(f"/desk/outgoing/{number}/{what}").status_code == 403
        assert other.post(f"/desk/outgoing/{uuid4()}/{what}").status_code == 404
    assert "data-undo" not in other.get("/desk").get_data(as_text=True)
    assert waiting(office).state is OutgoingState.WAITING


def test_the_same_form_sent_twice_is_one_message_and_one_use_of_its_reply(office: Office, agent: Browser) -> None:
    case_id, number = taken(office, agent), str(uuid4())
    for _ in range(2):
        assert says(agent, case_id, message=number, reply_message="message.thank_you").status_code == 303
    later(office)
    assert count(office, Message) == count(office, ReplyUse) == 1
    with office.db.reading() as db:
        assert replies.figures(db, now=office.clock())["message.thank_you"].used == 1
        assert [line.text for line in conversations.thread(db, case(office, case_id))] == [WORDS]
