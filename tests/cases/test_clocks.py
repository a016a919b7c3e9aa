"""Every clock is let run out: just before, its data is there; at its time upkeep removes it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from cases import clocks, customer_sessions, customers, throttles, unsent_forms
from cases.crypto import vault_of
from cases.desk_tables import Answer, Paper
from cases.host_tables import ApiAnswer, ApiKey, WebhookDelivery, WebhookEndpoint
from cases.lifecycle import State
from cases.models import (
    Case,
    CustomerSession,
    DataKey,
    FaceEncoding,
    Link,
    Message,
    Notification,
    Photo,
    Run,
    Throttle,
    UnsentForm,
)
from tests import factories as a
from tests.cases.test_privacy import _made
from tests.cases.test_retention_everything import furnish
from workers import upkeep

SECOND = timedelta(seconds=1)
There = Callable[[], bool]
"""Says whether the data is still there."""


def rows(session: Any, model: Any, *where: Any) -> bool:
    return bool(session.scalar(select(func.count()).select_from(model).where(*where)))


def of_a_case(there: Callable[[Any, Case], bool]) -> Callable[[Any, datetime], There]:
    """Data that goes with a closed case."""

    def make(session: Any, now: datetime) -> There:
        case = furnish(session, now)

        def is_there() -> bool:
            session.flush()
            session.expire_all()
            return there(session, case)

        return is_there

    return make


def a_draft(session: Any, now: datetime) -> There:
    case = a.a_draft(session, now=now)
    return lambda: case.state is State.DRAFT


def a_form(session: Any, now: datetime) -> There:
    customer = a.a_customer(session, now=now)
    unsent_forms.keep(session, customer.id, unsent_forms.Unsent(address="/x", fields=(("a", "b"),)), now=now)
    return lambda: rows(session, UnsentForm)


def a_session(session: Any, now: datetime) -> There:
    customer_sessions.begin(session, a.a_customer(session, now=now).id, now=now)
    return lambda: rows(session, CustomerSession)


def a_link(session: Any, now: datetime) -> There:
    customers.make_link(session, "hand_over", a.a_customer(session, now=now), lifetime=timedelta(0), now=now)
    return lambda: rows(session, Link)


def a_try(session: Any, now: datetime) -> There:
    throttles.hit(session, "test", "x", limit=1, window=timedelta(minutes=1), now=now)
    return lambda: rows(session, Throttle)


def a_mail(session: Any, now: datetime) -> There:
    a.a_needs_retake(session, now=now)
    row = session.scalars(select(Notification)).first()
    row.sent_at = now
    session.flush()
    return lambda: rows(session, Notification, Notification.id == row.id, func.length(Notification.recipient_sealed) > 0)


def an_answer(session: Any, now: datetime) -> There:
    vault, key = vault_of(session), vault_of(session).new_key(session, now=now)
    api = _made(ApiKey, key, vault, now)
    session.add(api)
    session.flush()
    after = next(one.after for one in clocks.clocks(session.info["settings"]) if one.kind == "idempotency_answers")
    session.add(_made(ApiAnswer, key, vault, now, key_id=api.id, expires_at=now + after))
    session.flush()
    return lambda: rows(session, ApiAnswer)


def a_delivery(session: Any, now: datetime) -> There:
    vault, key = vault_of(session), vault_of(session).new_key(session, now=now)
    endpoint = _made(WebhookEndpoint, key, vault, now)
    session.add(endpoint)
    session.flush()
    session.add(_made(WebhookDelivery, key, vault, now, endpoint_id=endpoint.id, event_id=uuid4(), delivered_at=now, body="{}"))
    session.flush()
    return lambda: rows(session, WebhookDelivery)


MAKERS: dict[str, Callable[[Any, datetime], There]] = {
    "drafts": a_draft,
    "photos": of_a_case(lambda s, c: rows(s, Photo, Photo.case_id == c.id, Photo.shredded_at.is_(None))),
    "claims": of_a_case(lambda s, c: s.get_one(Case, c.id).claim_sealed is not None),
    "readings": of_a_case(lambda s, c: rows(s, Run, Run.readings_sealed.is_not(None))),
    "papers": of_a_case(lambda s, c: rows(s, Paper, Paper.readings_sealed.is_not(None) | Paper.shredded_at.is_(None))),
    "conversations": of_a_case(lambda s, c: rows(s, Message, Message.text_sealed.is_not(None) | Message.shredded_at.is_(None))),
    "notes": of_a_case(lambda s, c: rows(s, Answer) and s.get_one(DataKey, c.data_key_id).wrapped is not None),
    "faces": of_a_case(lambda s, c: rows(s, FaceEncoding)),
    "unsent_forms": a_form,
    "sessions": a_session,
    "links": a_link,
    "tries": a_try,
    "sent_mails": a_mail,
    "idempotency_answers": an_answer,
    "webhook_deliveries": a_delivery,
}


def test_every_clock_that_ends_has_a_test_here(settings):
    ending = {clock.kind for clock in clocks.clocks(settings) if clock.task}
    assert ending == set(MAKERS)


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_data_is_removed_at_its_time_and_not_before(session, now, settings, kind):
    clock = next(one for one in clocks.clocks(settings) if one.kind == kind)
    is_there = MAKERS[kind](session, now)
    assert is_there() and clock.after is not None and clock.carry_out is not None
    clock.carry_out(session, now + clock.after - SECOND)
    assert is_there(), "too early"
    clock.carry_out(session, now + clock.after + SECOND)
    assert not is_there(), "not removed"


def test_upkeep_does_what_every_clock_says(settings):
    tasks = {task.name for task in upkeep.timetable(settings)}
    for clock in clocks.clocks(settings):
        assert (clock.task in tasks) if clock.task else clock.carry_out is None, clock.kind
        assert clock.why in clocks.WHY
        if clock.setting:
            assert hasattr(settings, clock.setting.lower()), clock.setting
    assert {"erase", "forget_recipients"} <= tasks


def test_a_shorter_setting_is_a_shorter_clock(settings):
    short = settings.model_copy(update={"photo_days": 3, "draft_days": 2, "mail_days": 5})
    times = {clock.kind: clock.after for clock in clocks.clocks(short)}
    assert (times["photos"], times["drafts"], times["sent_mails"]) == (timedelta(days=3), timedelta(days=2), timedelta(days=5))
