"""Who outside is told what: endpoints and their rights, what is owed and when, what a body says, tries, replay, signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import NoResultFound

from cases import at_commit, customers, halts, intake, pace, privacy, profiles, runs, webhooks
from cases.audit import Actor
from cases.crypto import KeyDestroyed
from cases.host_tables import WebhookDelivery, WebhookEndpoint
from cases.lifecycle import State
from cases.models import DataKey, Event, Role
from cases.ops_tables import DecisionCount
from cases.staff import NotAllowed
from cases.webhooks import KINDS, WAITS
from tests import factories as a
from tests import leaks

URL = "https://hooks.host.example/peremena"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Key:
    """As `cases.api_keys.Key`, as far as webhooks ask."""

    id: UUID
    mode: str = "live"
    scopes: frozenset[str] = frozenset({"webhooks:read", "webhooks:write"})


def listening(session, now, *, kinds=KINDS, mode="live", url=URL):
    return webhooks.create(session, url=url, kinds=kinds, mode=mode, by=None, now=now)[0]


def owed(session, endpoint=None):
    """What is owed, in order."""
    at_commit.settle(session)
    found = select(WebhookDelivery).order_by(WebhookDelivery.created_at, WebhookDelivery.sequence)
    return list(session.scalars(found if endpoint is None else found.where(WebhookDelivery.endpoint_id == endpoint.id)))


def told(session):
    return [(row.kind, row.sequence) for row in owed(session)]


def body(row):
    return json.loads(row.body)


# --- what is owed


def test_each_step_of_a_case_is_owed_once_and_counted(session, now):
    listening(session, now)
    case = a.an_approved(session, now=now)
    assert told(session) == [("case.submitted", 1), ("case.approved", 2), ("profile.changed", 3)]
    submitted, approved, changed = (body(row) for row in owed(session))
    assert submitted["data"]["state"] == "submitted" and approved["data"]["state"] == "approved"
    assert approved["data"]["external_id"] == case.customer.external_id and approved["data"]["case_id"] == str(case.id)
    assert approved["livemode"] is True and approved["type"] == "case.approved"
    version = session.get(type(case.customer.profile), case.applied_version_id).number
    assert changed["data"] == {
        "case_id": str(case.id), "customer_id": str(case.customer_id), "external_id": case.customer.external_id,
        "cause": "approved", "fields": ["surname", "document_number", "expires_on"], "version": version, "previous_version": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (State.NEEDS_RETAKE, "case.needs_retake"),
        (State.IN_REVIEW, "case.in_review"),
        (State.REJECTED, "case.rejected"),
        (State.REVERTED, "case.reverted"),
        (State.WITHDRAWN, "case.withdrawn"),
        (State.EXPIRED, "case.expired"),
    ],
)
def test_every_state_that_a_host_waits_for_is_told_with_the_reasons_it_has_in_the_end(session, now, state, kind):
    listening(session, now)
    case = a.in_state(session, state, now=now)
    rows = {row.kind: row for row in owed(session)}
    said = body(rows[kind])["data"]
    assert said["state"] == state.value and said["reasons"] == case.reasons and said["retake"] == case.retake
    if state in (State.NEEDS_RETAKE, State.IN_REVIEW, State.REJECTED):
        assert said["reasons"], "they are given to the case after it was moved"


def test_drafts_runs_and_lost_runs_are_nobodys_business(session, now):
    listening(session, now)
    case = a.a_submitted(session, now=now)
    a.begun(session, case, now=now)
    runs.recover(session, now=now + DAY)
    assert case.state is State.SUBMITTED and told(session) == [("case.submitted", 1)]


def test_two_steps_in_one_transaction_are_two_events_and_only_the_last_has_reasons(session, now):
    listening(session, now)
    case = a.a_draft(session, now=now)
    intake.ask_for_person(session, case.id, consent_version=a.CONSENT, now=now)
    submitted, referred = owed(session)
    assert (submitted.kind, referred.kind) == ("case.submitted", "case.in_review")
    assert body(submitted)["data"]["reasons"] == [] and body(referred)["data"]["reasons"] == ["customer_asked_for_person"]
    assert (body(submitted)["data"]["state"], body(referred)["data"]["state"]) == ("submitted", "in_review")


def test_what_is_rolled_back_is_told_to_nobody_and_what_is_committed_is(database, now):
    with database.transaction() as session:
        listening(session, now)
    with pytest.raises(RuntimeError), database.transaction() as session:
        a.an_approved(session, now=now)
        raise RuntimeError
    with database.transaction() as session:
        case = a.a_submitted(session, now=now)
        with pytest.raises(RuntimeError), session.begin_nested():
            intake.withdraw(session, case.id, now=now)
            raise RuntimeError
        session.refresh(case)
    with database.reading() as session:
        assert session.scalars(select(WebhookDelivery.kind)).all() == ["case.submitted"]


def test_a_profile_that_goes_back_is_told_with_its_cause(session, now):
    listening(session, now)
    case = a.an_approved(session, now=now)
    senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
    link = customers.redeem_link(
        session, customers.make_link(session, "not_me", case.customer, case=case, lifetime=DAY, now=now), "not_me", now=now
    )
    customers.report_not_me(session, link, now=now)
    profiles.restore(session, case, actor=Actor.staff(senior), now=now)
    profiles.revert(session, case.id, actor=Actor.staff(senior), reason="x", now=now)
    said = [body(row)["data"] for row in owed(session) if row.kind == "profile.changed"]
    assert [(one["cause"], one["previous_version"], one["version"]) for one in said] == [
        ("approved", 1, 2), ("held", 2, 1), ("restored", 1, 2), ("reverted", 2, 1),
    ]  # fmt: skip
    assert all(one["fields"] == ["surname", "document_number", "expires_on"] for one in said)


def test_a_new_mail_address_is_named_as_a_field_and_nothing_says_which(session, now):
    listening(session, now)
    a.an_approved(session, now=now, new_email=a.NEW_EMAIL)
    (changed,) = (row for row in owed(session) if row.kind == "profile.changed")
    assert body(changed)["data"]["fields"][-1] == "email"


def test_what_the_host_wrote_itself_is_not_told_back_to_it(session, now):
    listening(session, now)
    customer = a.a_customer(session, now=now)
    customers.upsert(session, customer.external_id, a.PROFILE, email="another@example.test", locale="en", now=now)
    assert owed(session) == []


def test_nothing_of_a_person_stands_in_any_body(session, now):
    listening(session, now)
    for state in State:
        a.in_state(session, state, now=now, new_email=a.NEW_EMAIL if state is State.APPROVED else None)
    rows = owed(session)
    assert len(rows) > 15
    for row in rows:
        leaks.look(row.body, "a webhook")
        assert set(body(row)) == {"id", "type", "timestamp", "livemode", "sequence", "data"}
    with pytest.raises(ValueError, match="carries"):
        webhooks.owe(session, "profile.changed", now=now, surname="BERGMANTEST")
    with pytest.raises(ValueError, match="only codes"):
        webhooks.owe(session, "policy.halted", now=now, halt_id="one two", bound="x")
    with pytest.raises(ValueError, match="unknown"):
        webhooks.owe(session, "case.opened", now=now)


def test_whoever_is_erased_is_told_of_without_her_old_or_new_name(session, now):
    case = a.a_draft(session, now=now)
    listening(session, now)
    before = case.customer.external_id
    host = Actor(kind="host", id=str(uuid4()))
    assert privacy.erase(session, case.customer_id, actor=host, reason="wish", now=now).state == "done"
    (row,) = owed(session)
    assert row.kind == "case.withdrawn" and before not in row.body and privacy.ERASED not in row.body
    said = body(row)["data"]
    assert (said["case_id"], said["external_id"], said["state"]) == (str(case.id), None, "withdrawn")


def test_sandbox_customers_are_told_of_at_test_endpoints_alone_and_live_ones_at_live(session, now):
    live, test = listening(session, now), listening(session, now, mode="test")
    sandbox, real = a.a_customer(session, now=now), a.a_customer(session, now=now)
    sandbox.sandbox = True
    a.a_submitted(session, now=now, customer=sandbox)
    a.a_submitted(session, now=now, customer=real)
    at_commit.settle(session)
    assert [row.customer_id for row in owed(session, test)] == [sandbox.id]
    assert [row.customer_id for row in owed(session, live)] == [real.id]
    assert [body(row)["livemode"] for row in owed(session, test) + owed(session, live)] == [False, True]


def test_a_halt_is_told_to_live_endpoints_with_its_bound_alone(session, now):
    live = listening(session, now)
    listening(session, now, mode="test")
    session.add(DecisionCount(slot=pace.slot_of(now - timedelta(minutes=20)), outcome="approve", runs=5000))
    session.flush()
    halt = halts.check(session, now=now)
    (row,) = owed(session)
    assert row.endpoint_id == live.id and (row.sequence, row.case_id) == (None, None)
    assert body(row)["data"] == {"halt_id": str(halt.id), "bound": "approvals_per_hour"}


def test_an_endpoint_hears_only_what_it_asked_for_and_two_hear_under_one_id(session, now):
    one = listening(session, now, kinds=["case.approved"])
    both = listening(session, now, kinds=["case.approved", "case.submitted"])
    a.an_approved(session, now=now)
    at_commit.settle(session)
    (alone,), (_, same) = owed(session, one), owed(session, both)
    assert alone.body == same.body and alone.webhook_id == same.webhook_id == body(same)["id"]
    assert {row.kind for row in owed(session)} == {"case.approved", "case.submitted"}


def test_nobody_listening_costs_nothing_and_counts_nothing(session, now):
    case = a.an_approved(session, now=now)
    assert owed(session) == [] and case.hook_sequence == 0


# --- endpoints


def test_the_secret_is_shown_once_and_lies_sealed(session, now):
    row, secret = webhooks.create(session, url=URL, kinds=["case.approved"], mode="live", by=None, now=now)
    assert secret.startswith("whsec_") and len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert secret.encode() not in row.secret_sealed
    assert [e.details["mode"] for e in session.scalars(select(Event).where(Event.kind == "webhook_endpoint_added"))] == ["live"]


@pytest.mark.parametrize(
    ("wrong", "field", "code"),
    [
        ({"url": "ftp://hooks.host.example/"}, "url", "url_scheme"),
        ({"url": "https://u:p@hooks.host.example/"}, "url", "url_userinfo"),
        ({"kinds": []}, "kinds", "kinds_empty"),
        ({"kinds": ["case.approved", "case.opened"]}, "kinds", "kinds_unknown"),
        ({"kinds": ["webhook.test"]}, "kinds", "kinds_unknown"),
        ({"mode": "prod"}, "mode", "mode_unknown"),
    ],
)
def test_what_makes_no_endpoint_is_refused_with_field_and_code(session, now, wrong, field, code):
    given = {"url": URL, "kinds": ["case.approved"], "mode": "live", **wrong}
    with pytest.raises(webhooks.BadEndpoint) as bad:
        webhooks.create(session, **given, by=None, now=now)
    assert (bad.value.field, bad.value.code) == (field, code)
    assert session.scalar(select(func.count()).select_from(WebhookEndpoint)) == 0


def test_no_more_endpoints_than_anybody_needs(session, now, monkeypatch):
    monkeypatch.setattr(webhooks, "MOST_ENDPOINTS", 1)
    first = listening(session, now)
    listening(session, now, mode="test")
    with pytest.raises(webhooks.BadEndpoint, match="too_many"):
        listening(session, now)
    webhooks.remove(session, first.id, by=None, now=now)
    assert listening(session, now).enabled


def test_people_and_keys_may_do_what_they_were_given_and_no_more(session, now):
    row = listening(session, now)
    by_role = {role: a.a_member(session, role, now=now) for role in Role}
    for role, person in by_role.items():
        reads, writes = role in (Role.OPS, Role.ADMIN), role is Role.ADMIN
        for allowed, ask in (
            (reads, lambda p=person: webhooks.endpoints(session, by=p)),
            (reads, lambda p=person: webhooks.deliveries(session, by=p)),
            (writes, lambda p=person: webhooks.change(session, row.id, by=p, now=now, kinds=["case.approved"])),
            (writes, lambda p=person: webhooks.rotate(session, row.id, by=p, now=now)),
            (writes, lambda p=person: webhooks.send_test(session, row.id, by=p, now=now)),
            (writes, lambda p=person: webhooks.replay_failed(session, row.id, since=now, by=p, now=now)),
        ):
            if allowed:
                ask()
            else:
                with pytest.raises(NotAllowed):
                    ask()
    reader = Key(uuid4(), scopes=frozenset({"webhooks:read"}))
    assert webhooks.endpoint(session, row.id, by=reader) is row
    with pytest.raises(NotAllowed):
        webhooks.remove(session, row.id, by=reader, now=now)
    with pytest.raises(NotAllowed):
        webhooks.endpoints(session, by=Key(uuid4(), scopes=frozenset({"customers:read"})))


def test_a_key_sees_nothing_of_the_other_mode(session, now):
    live, test = listening(session, now), listening(session, now, mode="test")
    key = Key(uuid4(), mode="test")
    sent = webhooks.send_test(session, live.id, by=None, now=now)
    assert webhooks.endpoints(session, by=key) == [test] and webhooks.deliveries(session, by=key) == []
    for ask in (
        lambda: webhooks.endpoint(session, live.id, by=key),
        lambda: webhooks.change(session, live.id, by=key, now=now, enabled=False),
        lambda: webhooks.delivery(session, sent.id, by=key),
        lambda: webhooks.replay(session, sent.id, by=key, now=now),
    ):
        with pytest.raises(NoResultFound):
            ask()
    with pytest.raises(webhooks.BadEndpoint, match="mode_of_key"):
        webhooks.create(session, url=URL, kinds=["case.approved"], mode="live", by=key, now=now)
    made, _ = webhooks.create(session, url=URL, kinds=["case.approved"], mode="test", by=key, now=now)
    assert (made.created_by_kind, made.created_by_id) == ("host", str(key.id))


def test_a_stale_change_is_refused(session, now):
    row = listening(session, now)
    webhooks.change(session, row.id, by=None, now=now, url="https://other.example/", if_version=1)
    with pytest.raises(webhooks.Stale):
        webhooks.change(session, row.id, by=None, now=now, enabled=False, if_version=1)
    assert row.url == "https://other.example/" and row.enabled and row.version == 2


def test_pages_go_on_where_the_last_ended(session, now):
    rows = [listening(session, now + timedelta(seconds=n)) for n in range(3)]
    first = webhooks.endpoints(session, by=None, limit=2)
    assert first + webhooks.endpoints(session, by=None, limit=2, after=first[-1].id) == rows
    sent = [webhooks.send_test(session, rows[0].id, by=None, now=now + timedelta(seconds=n)) for n in range(3)]
    newest = webhooks.deliveries(session, by=None, limit=2)
    assert newest + webhooks.deliveries(session, by=None, limit=2, after=newest[-1].id) == sent[::-1]
    assert webhooks.deliveries(session, by=None, kind="case.approved") == []
    assert webhooks.deliveries(session, by=None, endpoint_id=rows[1].id) == []
    assert len(webhooks.deliveries(session, by=None, outcome="waiting", mode="live")) == 3


def test_a_removed_endpoint_is_gone_with_its_secret_and_what_it_was_owed_is_given_up(session, now):
    row = listening(session, now)
    sent = webhooks.send_test(session, row.id, by=None, now=now)
    webhooks.remove(session, row.id, by=None, now=now)
    assert webhooks.endpoints(session, by=None) == [] and session.get(DataKey, row.data_key_id).wrapped is None
    assert (sent.outcome, sent.last_code) == ("failed", webhooks.DISABLED)
    with pytest.raises(KeyDestroyed):
        webhooks._secrets(session, row, now=now)
    with pytest.raises(NoResultFound):
        webhooks.replay(session, sent.id, by=None, now=now)


# --- tries


def fail(session, delivery, moment, *, code="http_500", status=500, jitter=0.5):
    assert webhooks.begin_sending(session, delivery.id, now=moment) is not None
    webhooks.failed(session, delivery.id, code=code, status=status, jitter=jitter, now=moment)


def test_waits_grow_over_three_days_and_end(session, now):
    endpoint = listening(session, now)
    sent = webhooks.send_test(session, endpoint.id, by=None, now=now)
    moment, waits = now, []
    while sent.outcome == "waiting":
        fail(session, sent, moment)
        waits.append(sent.next_at - moment)
        moment = sent.next_at
    assert tuple(waits[:-1]) == WAITS and sent.tries == 15 and sent.given_up_at is not None
    assert timedelta(days=2.9) < sum(WAITS, timedelta()) < timedelta(days=3)
    assert endpoint.enabled, "one event that nobody wanted for three days disables nothing"
    assert webhooks.due(session, now=moment + DAY) == []


def test_jitter_moves_each_wait_by_a_tenth_at_most(session, now):
    endpoint = listening(session, now)
    for jitter, share in ((0.0, 0.9), (1.0, 1.1)):
        sent = webhooks.send_test(session, endpoint.id, by=None, now=now)
        fail(session, sent, now, jitter=jitter)
        assert sent.next_at - now == WAITS[0] * share


def test_two_senders_at_once_send_one_and_a_dead_one_is_followed_by_another(session, now):
    endpoint = listening(session, now)
    sent = webhooks.send_test(session, endpoint.id, by=None, now=now)
    parcel = webhooks.begin_sending(session, sent.id, now=now)
    assert webhooks.begin_sending(session, sent.id, now=now) is None and webhooks.due(session, now=now) == []
    later = now + webhooks.SENDING
    assert webhooks.due(session, now=later) == [sent.id]
    again = webhooks.begin_sending(session, sent.id, now=later)
    assert (again.body, again.webhook_id) == (parcel.body, parcel.webhook_id) and again.tries == 2
    webhooks.delivered(session, sent.id, status=200, now=later)
    webhooks.failed(session, sent.id, code="timeout", jitter=0.5, now=later)  # the dead one speaks after all
    assert (sent.outcome, sent.last_status, sent.last_code) == ("delivered", 200, None)
    assert endpoint.last_success_at == later and endpoint.failing_since is None


def test_a_slow_endpoint_keeps_no_other_waiting(session, now):
    slow, quick = listening(session, now), listening(session, now)
    for n in range(webhooks.AT_ONCE + 5):
        webhooks.send_test(session, slow.id, by=None, now=now - timedelta(minutes=n))
    last = webhooks.send_test(session, quick.id, by=None, now=now)
    found = webhooks.due(session, now=now)
    assert last.id in found and len(found) == webhooks.AT_ONCE + 1


def test_three_days_without_success_disable_an_endpoint_and_say_so(session, now):
    endpoint = listening(session, now)
    first = webhooks.send_test(session, endpoint.id, by=None, now=now)
    fail(session, first, now)
    second = webhooks.send_test(session, endpoint.id, by=None, now=now + 2 * DAY)
    moment = now + 2 * DAY
    while endpoint.enabled:
        fail(session, second, moment)
        moment = second.next_at
    assert endpoint.disabled_why == "failing" and endpoint.disabled_at >= now + 3 * DAY
    assert first.outcome == second.outcome == "failed"
    (event,) = session.scalars(select(Event).where(Event.kind == "webhook_endpoint_disabled"))
    assert event.details["why"] == "failing" and event.actor_kind == "system"
    a.an_approved(session, now=moment)
    assert len(owed(session)) == 2, "nothing more is owed to it"


def test_a_success_starts_the_three_days_anew(session, now):
    endpoint = listening(session, now)
    first = webhooks.send_test(session, endpoint.id, by=None, now=now)
    fail(session, first, now)
    good = webhooks.send_test(session, endpoint.id, by=None, now=now + 2 * DAY)
    webhooks.begin_sending(session, good.id, now=now + 2 * DAY)
    webhooks.delivered(session, good.id, status=204, now=now + 2 * DAY)
    moment = now + 4 * DAY
    while first.outcome == "waiting":
        fail(session, first, moment)
        moment = max(first.next_at, moment)
    assert endpoint.enabled and endpoint.failing_since == now + 4 * DAY


def test_gone_means_gone(session, now):
    endpoint = listening(session, now)
    fail(session, webhooks.send_test(session, endpoint.id, by=None, now=now), now, code="http_410", status=410)
    assert (endpoint.enabled, endpoint.disabled_why) == (False, "gone")


def test_switched_off_it_is_owed_nothing_and_switched_on_it_can_have_it_all_again(session, now):
    endpoint = listening(session, now)
    sent = [webhooks.send_test(session, endpoint.id, by=None, now=now + timedelta(hours=n)) for n in range(3)]
    webhooks.change(session, endpoint.id, by=None, now=now, enabled=False)
    assert [row.outcome for row in sent] == ["failed"] * 3
    for ask in (
        lambda: webhooks.replay(session, sent[0].id, by=None, now=now),
        lambda: webhooks.replay_failed(session, endpoint.id, since=now, by=None, now=now),
        lambda: webhooks.send_test(session, endpoint.id, by=None, now=now),
    ):
        with pytest.raises(webhooks.EndpointDisabled):
            ask()
    webhooks.change(session, endpoint.id, by=None, now=now, enabled=True)
    later = now + timedelta(hours=5)
    assert webhooks.replay_failed(session, endpoint.id, since=now + timedelta(hours=1), by=None, now=later) == 2
    assert [row.outcome for row in sent] == ["failed", "waiting", "waiting"]
    assert set(webhooks.due(session, now=later)) == {sent[1].id, sent[2].id}


def test_a_replay_keeps_id_and_body_and_works_for_what_was_taken_too(session, now):
    endpoint = listening(session, now)
    sent = webhooks.send_test(session, endpoint.id, by=None, now=now)
    with pytest.raises(webhooks.StillWaiting):
        webhooks.replay(session, sent.id, by=None, now=now)
    before = webhooks.begin_sending(session, sent.id, now=now)
    webhooks.delivered(session, sent.id, status=200, now=now)
    admin = a.a_member(session, Role.ADMIN, now=now)
    webhooks.replay(session, sent.id, by=admin, now=now + DAY)
    after = webhooks.begin_sending(session, sent.id, now=now + DAY)
    assert (after.body, after.webhook_id, after.tries) == (before.body, before.webhook_id, 1)
    (event,) = session.scalars(select(Event).where(Event.kind == "webhooks_replayed"))
    assert event.actor_id == str(admin.id) and event.details["delivery_id"] == str(sent.id)


def test_health_is_of_the_last_day_and_names_the_last_failure(session, now):
    endpoint, silent = listening(session, now), listening(session, now)
    old = webhooks.send_test(session, endpoint.id, by=None, now=now - 3 * DAY)
    webhooks.begin_sending(session, old.id, now=now - 3 * DAY)
    webhooks.delivered(session, old.id, status=200, now=now - 3 * DAY)
    for _ in range(3):
        good = webhooks.send_test(session, endpoint.id, by=None, now=now)
        webhooks.begin_sending(session, good.id, now=now)
        webhooks.delivered(session, good.id, status=200, now=now)
    fail(session, webhooks.send_test(session, endpoint.id, by=None, now=now), now, code="timeout", status=None)
    found = webhooks.health(session, [endpoint.id, silent.id], now=now + timedelta(minutes=1))
    assert found[endpoint.id] == webhooks.Health(delivered=3, failed=1, waiting=1, last_code="timeout")
    assert found[endpoint.id].share == 0.75 and found[silent.id].share is None


def test_deliveries_are_kept_thirty_days_and_go_with_the_customer(session, now):
    listening(session, now)
    case, other = a.an_approved(session, now=now), a.an_approved(session, now=now)
    rows = sorted(owed(session), key=lambda row: row.case_id != case.id)
    for row in rows[1:]:
        row.delivered_at = now
    session.flush()
    assert webhooks.forget_customer(session, other.customer_id) == 3
    assert webhooks.forget_old(session, now=now + webhooks.KEPT) == 0
    assert webhooks.forget_old(session, now=now + webhooks.KEPT + DAY) == 2
    assert [row.id for row in owed(session)] == [rows[0].id], "what is still owed stays"
    assert case.hook_sequence == 3


# --- signatures


def verified(secret, headers, text):
    """By hand, as a receiver would."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{text}".encode()
    expected = base64.b64encode(hmac.new(base64.b64decode(secret[6:]), signed, hashlib.sha256).digest()).decode()
    return [expected == given.removeprefix("v1,") for given in headers["webhook-signature"].split(" ")]


def test_the_signature_is_that_of_standard_webhooks():
    # the example of the specification's own libraries, standard-webhooks/standard-webhooks
    found = webhooks.sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}'
    )
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    with pytest.raises(ValueError, match="whsec_"):
        webhooks.sign("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "m", 1, "")


def test_while_a_secret_is_replaced_both_sign_and_then_the_new_alone(session, now):
    endpoint, old = webhooks.create(session, url=URL, kinds=KINDS, mode="live", by=None, now=now)
    new = webhooks.rotate(session, endpoint.id, by=None, now=now, overlap=DAY)
    sent = webhooks.send_test(session, endpoint.id, by=None, now=now)
    for moment, of_old, of_new in ((now, [False, True], [True, False]), (now + DAY, [False], [True])):
        parcel = webhooks.begin_sending(session, sent.id, now=moment)
        headers = parcel.headers(now=moment)
        assert verified(old, headers, parcel.body) == of_old and verified(new, headers, parcel.body) == of_new
        assert old not in repr(parcel) and new not in repr(parcel)
    at_once = webhooks.rotate(session, endpoint.id, by=None, now=now, overlap=timedelta(0))
    assert webhooks._secrets(session, endpoint, now=now) == (at_once,)
    with pytest.raises(ValueError, match="seven days"):
        webhooks.rotate(session, endpoint.id, by=None, now=now, overlap=8 * DAY)
