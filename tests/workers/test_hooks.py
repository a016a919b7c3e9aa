"""An event reaches a real receiver, signed, and is tried again when it does not; docs/webhooks.md says what really arrives."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from cases import halts, pace, profiles, webhooks
from cases.audit import Actor
from cases.database import Database, utcnow
from cases.host_tables import WebhookDelivery
from cases.lifecycle import State
from cases.models import Role
from cases.ops_tables import DecisionCount
from cases.settings import Settings
from cases.webhooks import KINDS, WAITS
from tests import factories as a
from tests import leaks
from tests.workers.receiver import Authority, Receiver, receiver
from workers import hooks, process, queues, upkeep

DOCS = Path(__file__).resolve().parents[2] / "docs" / "webhooks.md"


@pytest.fixture
def system(database: Database, settings: Settings) -> Iterator[Database]:
    """No workers, no Redis: the job is called here."""
    process.use(settings)
    yield database
    process.close()


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def listening(database: Database, url: str, *, kinds: Any = KINDS) -> tuple[UUID, str]:
    with database.transaction() as session:
        row, secret = webhooks.create(session, url=url, kinds=kinds, mode="live", by=None, now=utcnow())
        return row.id, secret


def test_event(database: Database, endpoint_id: UUID) -> str:
    with database.transaction() as session:
        return str(webhooks.send_test(session, endpoint_id, by=None, now=utcnow()).id)


test_event.__test__ = False  # type: ignore[attr-defined]


def row(database: Database, delivery_id: str) -> WebhookDelivery:
    with database.reading() as session:
        return session.get_one(WebhookDelivery, UUID(delivery_id))


def make_due(database: Database, delivery_id: str) -> None:
    with database.transaction() as session:
        session.get_one(WebhookDelivery, UUID(delivery_id)).next_at = utcnow() - timedelta(seconds=1)


def signed_right(secret: str, request: Any) -> bool:
    """By hand, as docs/webhooks.md tells a receiver to."""
    headers = request.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(expected, given) for given in headers["webhook-signature"].split())


def test_an_approval_arrives_over_https_signed_and_thin(system: Database, settings: Settings, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    process.use(settings.model_copy(update={"hooks_ca": authority.file}))
    with receiver(authority.serving("127.0.0.1")) as secure:
        _, secret = listening(system, f"https://127.0.0.1:{secure.port}/hook")
        with system.transaction() as session:
            case = a.an_approved(session, now=utcnow())
        with system.reading() as session:
            ids = [str(one) for one in webhooks.due(session, now=utcnow())]
        assert [hooks.send_hook(one) for one in ids] == ["delivered"] * 3
        assert [hooks.send_hook(one) for one in ids] == ["not due"] * 3
    bodies = [json.loads(request.body) for request in secure.requests]
    assert {body["type"] for body in bodies} == {"case.submitted", "case.approved", "profile.changed"}
    assert sorted(body["sequence"] for body in bodies) == [1, 2, 3]
    for request, body in zip(secure.requests, bodies, strict=True):
        assert signed_right(secret, request) and not signed_right(webhooks.new_secret(), request)
        assert request.headers["webhook-id"] == body["id"]
        assert abs(int(request.headers["webhook-timestamp"]) - utcnow().timestamp()) < 60
        assert body["data"]["external_id"] == case.customer.external_id
        leaks.look(request.body.decode() + str(request.headers), "a webhook")


def test_an_event_that_is_refused_comes_again_under_the_same_id_and_with_the_same_body(system: Database, there: Receiver) -> None:
    endpoint_id, secret = listening(system, f"http://127.0.0.1:{there.port}/")
    one = test_event(system, endpoint_id)
    there.status = 503
    assert hooks.send_hook(one) == "http_503"
    waiting = row(system, one)
    assert (waiting.outcome, waiting.last_status, waiting.last_code, waiting.tries) == ("waiting", 503, "http_503", 1)
    assert WAITS[0] * 0.9 <= waiting.next_at - (waiting.last_try_at or utcnow()) <= WAITS[0] * 1.1
    assert hooks.send_hook(one) == "not due"
    there.status = 200
    make_due(system, one)
    assert hooks.send_hook(one) == "delivered"
    first, second = there.requests
    assert first.body == second.body and first.headers["webhook-id"] == second.headers["webhook-id"]
    assert signed_right(secret, first) and signed_right(secret, second)


@pytest.mark.parametrize(("status", "code"), [(302, "http_302"), (400, "http_400"), (404, "http_404"), (500, "http_500")])
def test_only_2xx_means_taken(system: Database, there: Receiver, status: int, code: str) -> None:
    endpoint_id, _ = listening(system, f"http://127.0.0.1:{there.port}/")
    one = test_event(system, endpoint_id)
    there.status, there.more, there.answer = status, {"Location": "http://127.0.0.1:1/"}, b"why, with a name: BERGMANTEST"
    assert hooks.send_hook(one) == code
    assert row(system, one).last_status == status


def test_gone_switches_the_endpoint_off(system: Database, there: Receiver) -> None:
    endpoint_id, _ = listening(system, f"http://127.0.0.1:{there.port}/")
    there.status = 410
    assert hooks.send_hook(test_event(system, endpoint_id)) == "http_410"
    with system.reading() as session:
        assert webhooks.endpoint(session, endpoint_id, by=None).disabled_why == "gone"


def test_an_address_that_was_allowed_once_is_judged_anew_at_each_try(
    system: Database, settings: Settings, there: Receiver
) -> None:
    endpoint_id, _ = listening(system, f"http://127.0.0.1:{there.port}/")
    process.use(settings.model_copy(update={"hooks_allow_private": False}))
    assert hooks.send_hook(test_event(system, endpoint_id)) == "url_scheme"
    assert there.requests == []


def test_upkeep_rings_for_what_is_owed_and_not_for_what_is_done(
    system: Database, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint_id, _ = listening(system, f"http://127.0.0.1:{there.port}/")
    one, two = test_event(system, endpoint_id), test_event(system, endpoint_id)
    rung: list[UUID] = []
    monkeypatch.setattr(queues, "ring_hook", rung.append)
    monkeypatch.setattr(queues, "waiting", lambda name: {UUID(two)} if name == queues.HOOKS else set())
    assert upkeep.ring_hooks() == 1 and rung == [UUID(one)]
    assert {"ring_hooks", "ring_tickets", "forget_hooks"} <= {task.name for task in upkeep.timetable(process.settings())}


def samples(system: Database) -> dict[str, dict[str, Any]]:
    """One body of each kind, as it is really owed."""
    listening(system, "http://127.0.0.1:9/")
    now = utcnow()
    with system.transaction() as session:
        for state in (State.NEEDS_RETAKE, State.IN_REVIEW, State.REJECTED, State.WITHDRAWN, State.EXPIRED):
            a.in_state(session, state, now=now)
        senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
        profiles.revert(session, a.an_approved(session, now=now).id, actor=Actor.staff(senior), reason="x", now=now)
        session.add(DecisionCount(slot=pace.slot_of(now - timedelta(minutes=20)), outcome="approve", runs=5000))
        session.flush()
        assert halts.check(session, now=now) is not None
    endpoint_id, _ = listening(system, "http://127.0.0.1:9/", kinds=["policy.halted"])
    test_event(system, endpoint_id)
    with system.reading() as session:
        found = session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.created_at)).all()
        return {one.kind: json.loads(one.body) for one in found}


def shape(value: Any) -> Any:
    """A value with only its form left."""
    if isinstance(value, dict):
        return {key: shape(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return ["…"]
    return type(value).__name__


def test_the_samples_of_the_documentation_have_the_form_of_what_is_sent(system: Database) -> None:
    text = DOCS.read_text(encoding="utf-8")
    written = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.S)]
    real = samples(system)
    assert {one["type"] for one in written} == set(real) == {*KINDS, webhooks.TEST}
    for one in written:
        assert shape(one) == shape(real[one["type"]]), one["type"]


def test_the_retry_table_of_the_documentation_is_the_one_we_keep_to() -> None:
    text = DOCS.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| ([^|]*?) \| ([^|]*?) \|$", text, re.M)

    def said(span: timedelta) -> str:
        seconds = int(span.total_seconds())
        days, hours, minutes, left = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60, seconds % 60
        parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min"), (left, "s")) if n]
        return " ".join(parts) or "at once"

    after, expected = timedelta(), []
    for number, wait in enumerate((timedelta(), *WAITS), start=1):
        after += wait
        expected.append((str(number), said(wait), said(after)))
    assert rows == expected
