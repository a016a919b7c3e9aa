"""What was given up: tried again from the queues, or left at that with a reason, so that it no longer counts as failed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError, NoResultFound
from sqlalchemy.orm import Session

from cases import audit, backlog, nowfigures, staff_mails, tickets, webhooks
from cases.backlog import Failed, NotNow, Why
from cases.desk_tables import Paper, PaperKind
from cases.host_tables import StaffMail, TicketMessage, WebhookDelivery
from cases.models import Event, Notification, Role, Staff
from cases.ops_tables import SetAside
from cases.staff import NotAllowed
from tests import factories as a

WHEN_TRIED_AGAIN = {
    Failed.NOTIFICATION: "notification_resent",
    Failed.STAFF_MAIL: "staff_mail_resent",
    Failed.PAPER: "paper_read_again",
    Failed.HOOK: "webhooks_replayed",
    Failed.TICKET: "ticket_resent",
}


def lost(session: Session, kind: Failed, now: datetime) -> Any:
    """One thing of this kind that was given up just now."""
    case = a.an_in_review(session, now=now)
    base = {"created_at": now, "next_at": now, "tries": 14, "given_up_at": now}
    if kind is Failed.NOTIFICATION:
        row: Any = Notification(
            customer_id=case.customer_id, case_id=case.id, kind="held", locale="en", recipient_sealed=b"x", **base
        )
    elif kind is Failed.STAFF_MAIL:
        reader = a.a_member(session, Role.OPS, name="Rita Reader", now=now)
        row = StaffMail(staff_id=reader.id, kind=staff_mails.HALTED, key=f"halt:{uuid4()}", context={}, **base)
    elif kind is Failed.PAPER:
        row = Paper(
            customer_id=case.customer_id, case_id=case.id, data_key_id=case.data_key_id, kind=PaperKind.EARLIER_PASSPORTS,
            created_at=now, received_at=now, blob=uuid4().hex, sha256="0" * 64, size=9, tries=3, read_at=now,
        )  # fmt: skip
    elif kind is Failed.HOOK:
        url = f"https://host.example/{uuid4().hex}"
        endpoint, _secret = webhooks.create(session, url=url, kinds=["case.in_review"], mode="live", by=None, now=now)
        row = WebhookDelivery(
            endpoint_id=endpoint.id,
            event_id=uuid4(),
            kind="case.in_review",
            case_id=case.id,
            body="{}",
            last_code="timeout",
            **base,
        )
    else:
        row = TicketMessage(
            case_id=case.id, sink="web", number=1, kind="opened", state="in_review", reasons=[], last_code="http_500", **base
        )
    session.add(row)
    session.flush()
    return row


def counted(session: Session, kind: Failed, now: datetime) -> int:
    return next(one.count for one in backlog.failures(session, now=now) if one.kind is kind)


def owed(row: Any) -> bool:
    """It waits to be tried, as if it never had been."""
    if isinstance(row, Paper):
        return row.read_at is None and row.tries == 0
    return row.given_up_at is None and row.tries == 0


@pytest.fixture
def olga(session: Session, now: datetime) -> Staff:
    return a.a_member(session, Role.OPS, name="Olga Ops", now=now)


def last_event(session: Session) -> Event:
    return session.scalars(select(Event).order_by(Event.id.desc()).limit(1)).one()


@pytest.mark.parametrize("kind", backlog.RETRIABLE)
def test_what_was_given_up_is_tried_again_once_and_that_is_recorded(session, now, olga, kind):
    row = lost(session, kind, now)
    assert counted(session, kind, now) == 1
    (listed,) = next(one.listed for one in backlog.failures(session, now=now) if one.kind is kind)
    assert (listed.thing_id, listed.again, listed.at) == (row.id, True, now)
    backlog.again(session, kind, row.id, agent=olga, now=now)
    assert owed(row) and counted(session, kind, now) == 0
    event = last_event(session)
    assert (event.kind, event.actor_id) == (WHEN_TRIED_AGAIN[kind], str(olga.id))
    with pytest.raises(NotNow) as refused:
        backlog.again(session, kind, row.id, agent=olga, now=now)
    assert refused.value.code == "over" and last_event(session).id == event.id
    with pytest.raises(NoResultFound):
        backlog.again(session, kind, uuid4(), agent=olga, now=now)


@pytest.mark.parametrize("kind", backlog.RETRIABLE)
def test_what_is_set_aside_counts_no_longer_and_is_still_there(session, now, olga, kind):
    row, other = lost(session, kind, now), lost(session, kind, now)
    backlog.set_aside(session, kind, row.id, why=Why.UNREACHABLE, agent=olga, now=now)
    assert backlog.newest(session, kind, now=now) == [other.id] and counted(session, kind, now) == 1
    assert session.get(type(row), row.id) is row and not owed(row)
    event = last_event(session)
    assert (event.kind, event.actor_id) == ("failure_set_aside", str(olga.id))
    assert event.details == {
        "failure": kind.value, "thing_id": str(row.id), "failed_at": now.isoformat(timespec="microseconds"), "why": "unreachable",
    }  # fmt: skip
    (shown,) = backlog.asides(session, now=now)
    assert (shown.failure.thing_id, shown.why, shown.by, shown.standing) == (row.id, "unreachable", "Olga Ops", True)
    with pytest.raises(NotNow):
        backlog.set_aside(session, kind, row.id, why=Why.TOLD, agent=olga, now=now)
    assert audit.verify(session).ok


@pytest.mark.parametrize("kind", backlog.RETRIABLE)
def test_what_is_tried_again_after_being_set_aside_counts_again_when_it_fails_again(session, now, olga, kind):
    row = lost(session, kind, now)
    backlog.set_aside(session, kind, row.id, why=Why.OUTDATED, agent=olga, now=now)
    backlog.again(session, kind, row.id, agent=olga, now=now)
    assert owed(row) and not backlog.asides(session, now=now)[0].standing
    later = now + timedelta(days=2)
    if isinstance(row, Paper):
        row.read_at, row.tries = later, 3
    else:
        row.given_up_at, row.tries = later, 14
    session.flush()
    assert counted(session, kind, later) == 1
    with pytest.raises(NotNow):
        backlog.put_back(session, kind, row.id, agent=olga, now=later)


def test_what_was_set_aside_by_mistake_is_put_back(session, now, olga):
    row = lost(session, Failed.TICKET, now)
    backlog.set_aside(session, Failed.TICKET, row.id, why=Why.MISTAKE, agent=olga, now=now)
    backlog.put_back(session, Failed.TICKET, row.id, agent=olga, now=now)
    assert counted(session, Failed.TICKET, now) == 1 and backlog.asides(session, now=now) == ()
    assert last_event(session).kind == "failure_put_back"
    with pytest.raises(NotNow):
        backlog.put_back(session, Failed.TICKET, row.id, agent=olga, now=now)


def test_only_what_can_be_mended_is_tried_again_or_set_aside(session, now, olga):
    with pytest.raises(ValueError):
        backlog.again(session, Failed.ABANDONED_RUN, uuid4(), agent=olga, now=now)
    with pytest.raises(ValueError):
        backlog.set_aside(session, Failed.UNDO_CONFLICT, uuid4(), why=Why.TOLD, agent=olga, now=now)
    with pytest.raises(ValueError):
        backlog.set_aside(session, Failed.TICKET, lost(session, Failed.TICKET, now).id, why="because", agent=olga, now=now)


def test_whoever_only_looks_after_endpoints_mends_no_queue(session, now):
    admin = a.a_member(session, Role.ADMIN, name="Ann Admin", now=now)
    row = lost(session, Failed.HOOK, now)
    with pytest.raises(NotAllowed):
        backlog.again(session, Failed.HOOK, row.id, agent=admin, now=now)
    with pytest.raises(NotAllowed):
        backlog.set_aside(session, Failed.HOOK, row.id, why=Why.TOLD, agent=admin, now=now)


def test_whoever_mends_queues_may_not_touch_the_endpoints(session, now, olga):
    row = lost(session, Failed.HOOK, now)
    with pytest.raises(NotAllowed):
        webhooks.replay(session, row.id, by=olga, now=now)
    with pytest.raises(NotAllowed):
        webhooks.change(session, row.endpoint_id, by=olga, now=now, enabled=False)
    with pytest.raises(NotAllowed):
        tickets.send_again(session, lost(session, Failed.TICKET, now).id, by=olga, now=now)


def test_a_delivery_whose_endpoint_is_off_is_not_tried_again_but_set_aside(session, now, olga):
    row = lost(session, Failed.HOOK, now)
    webhooks.change(session, row.endpoint_id, by=None, now=now, enabled=False)
    (listed,) = next(one.listed for one in backlog.failures(session, now=now) if one.kind is Failed.HOOK)
    assert (listed.again, listed.instead, listed.code) == (False, "endpoint_off", "timeout")
    with pytest.raises(NotNow) as refused:
        backlog.again(session, Failed.HOOK, row.id, agent=olga, now=now)
    assert refused.value.code == "endpoint_off"
    backlog.set_aside(session, Failed.HOOK, row.id, why=Why.UNREACHABLE, agent=olga, now=now)
    assert counted(session, Failed.HOOK, now) == 0


def test_a_delivery_that_was_taken_is_never_sent_again_from_the_queues(session, now, olga):
    row = lost(session, Failed.HOOK, now)
    row.given_up_at, row.delivered_at = None, now
    session.flush()
    with pytest.raises(NotNow):
        backlog.again(session, Failed.HOOK, row.id, agent=olga, now=now)
    assert row.delivered_at == now


def test_endpoints_of_the_sandbox_and_removed_ones_fail_nobody(session, now):
    row = lost(session, Failed.HOOK, now)
    trial, _secret = webhooks.create(
        session, url="https://trial.example/hooks", kinds=["case.in_review"], mode="test", by=None, now=now
    )
    session.add(
        WebhookDelivery(
            endpoint_id=trial.id, event_id=uuid4(), kind="case.in_review", body="{}", created_at=now, next_at=now, given_up_at=now
        )
    )
    session.flush()
    assert backlog.newest(session, Failed.HOOK, now=now) == [row.id]
    webhooks.remove(session, row.endpoint_id, by=None, now=now)
    assert counted(session, Failed.HOOK, now) == 0


def test_a_mail_to_an_account_that_was_closed_is_not_tried_again(session, now, olga):
    row = lost(session, Failed.STAFF_MAIL, now)
    session.get_one(Staff, row.staff_id).active = False
    session.flush()
    with pytest.raises(NotNow) as refused:
        backlog.again(session, Failed.STAFF_MAIL, row.id, agent=olga, now=now)
    assert refused.value.code == "account_closed"


def test_a_message_to_nobody_any_more_is_no_failure_and_not_tried_again(session, now, olga):
    row = lost(session, Failed.NOTIFICATION, now)
    row.recipient_sealed = b""  # as cases.privacy and notifications.forget_recipients leave it
    session.flush()
    assert counted(session, Failed.NOTIFICATION, now) == 0
    with pytest.raises(NotNow) as refused:
        backlog.again(session, Failed.NOTIFICATION, row.id, agent=olga, now=now)
    assert refused.value.code == "forgotten" and row.given_up_at == now


def test_a_mail_set_aside_leaves_the_page_now_too(session, now, olga):
    row = lost(session, Failed.NOTIFICATION, now - timedelta(hours=1))
    assert nowfigures.now_figures(session, now=now).mails_given_up.n == 1
    backlog.set_aside(session, Failed.NOTIFICATION, row.id, why=Why.TOLD, agent=olga, now=now)
    assert nowfigures.now_figures(session, now=now).mails_given_up.n == 0


def test_failures_older_than_a_week_are_not_listed(session, now):
    lost(session, Failed.TICKET, now - timedelta(days=7, minutes=1))
    row = lost(session, Failed.TICKET, now - timedelta(days=6, hours=23))
    assert backlog.newest(session, Failed.TICKET, now=now) == [row.id] and counted(session, Failed.TICKET, now) == 1


def test_no_more_is_meant_at_once_than_a_page_can_do(session, now, monkeypatch):
    rows: list[UUID] = [lost(session, Failed.HOOK, now - timedelta(minutes=n)).id for n in range(3)]
    assert backlog.newest(session, Failed.HOOK, now=now, limit=2) == rows[:2]
    tickets: list[UUID] = [lost(session, Failed.TICKET, now - timedelta(minutes=n)).id for n in range(3)]
    assert backlog.newest(session, Failed.TICKET, now=now, limit=2) == tickets[:0:-1], "in the order they were owed"


def test_the_database_takes_no_reason_but_those_of_the_list(session, now, olga):
    row = lost(session, Failed.TICKET, now)
    backlog.set_aside(session, Failed.TICKET, row.id, why=Why.TOLD, agent=olga, now=now)
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(update(SetAside).values(why="she is Anna Example"))
