"""Who outside is told what happens: endpoints of the host system, and the events owed to each (an outbox).

A row for each endpoint and event is written in the transaction of the change, with the body as it will be sent: thin, ids and
states and codes, never a name, a number or a photo, which the host reads through the API. Signed as Standard Webhooks say
(standardwebhooks.com): `webhook-id` stays the same at each try, so a receiver drops what it has seen. Delivered at least once and
in no promised order; `sequence` counts the events of a case. `workers.hooks` sends; docs/webhooks.md tells receivers.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Result, delete, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from cases import at_commit, audit, outside
from cases import staff as people
from cases.crypto import destroy, vault_of
from cases.host_tables import WebhookDelivery, WebhookEndpoint
from cases.lifecycle import Action, State
from cases.models import Case, Customer, Staff
from cases.staff import NotAllowed

BY_STATE = {
    State.SUBMITTED: "case.submitted",
    State.NEEDS_RETAKE: "case.needs_retake",
    State.IN_REVIEW: "case.in_review",
    State.APPROVED: "case.approved",
    State.REJECTED: "case.rejected",
    State.REVERTED: "case.reverted",
    State.WITHDRAWN: "case.withdrawn",
    State.EXPIRED: "case.expired",
}
"""The event by which a case's new state is told. Drafts and runs are nobody's business."""

KINDS = (*BY_STATE.values(), "profile.changed", "policy.halted")
"""What an endpoint may ask for."""

TEST = "webhook.test"
"""What the button sends, to one endpoint, whatever it asked for."""

DATA = {
    "profile.changed": frozenset({"cause", "fields", "version", "previous_version"}),
    "policy.halted": frozenset({"halt_id", "bound"}),
}
"""What the body of an event may carry beside the ids of its case and customer. Anything else raises."""

CAUSES = ("approved", "reverted", "undone", "held", "restored")
"""Why a profile changed. What the host system wrote itself is not told back to it."""

MODES = ("live", "test")

MOST_ENDPOINTS = 20
"""Of one mode. Each event makes a row for each; a host system has one or two."""

WAITS = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        5,
        30,
        2 * 60,
        10 * 60,
        30 * 60,
        3600,
        2 * 3600,
        4 * 3600,
        8 * 3600,
        12 * 3600,
        12 * 3600,
        12 * 3600,
        12 * 3600,
        8 * 3600,
    )
)
"""Between one try and the next; with the first, 15 tries in 71 h 43 min. Near to what Standard Webhooks advise: a hiccup is over
in seconds, a broken release within hours, a weekend within three days."""

JITTER = 0.1
"""Each wait is up to this share shorter or longer, so that a receiver that comes back does not meet everybody at once."""

DISABLED_AFTER = timedelta(days=3)
"""Without one success for so long an endpoint is disabled by itself."""
DISABLED_TRIES = 5
"""But not before this many tries of one delivery: after a long silence the first failure is no proof."""

SENDING = timedelta(seconds=90)
"""A sender that has not reported by then is taken for dead; above a job's 60 s (`workers.queues.TIMEOUTS`)."""

KEPT = timedelta(days=30)
"""Deliveries that are done or given up are kept this long, for replaying: as long as photos are by default."""

AT_ONCE = 20
"""Deliveries to one endpoint that are rung for in one round, so that a slow receiver keeps no other waiting."""

HEALTH = timedelta(hours=24)

OVERLAP = timedelta(hours=24)
"""For how long the old secret signs beside a new one."""
LONGEST_OVERLAP = timedelta(days=7)

SIGN_OF_SUCCESS = timedelta(minutes=1)
"""How fine the last success is kept: not every delivery writes to its endpoint's row."""

PREFIX = "whsec_"
SECRET_BYTES = 32
"""Standard Webhooks: 24 to 64."""

DISABLED = "endpoint_disabled"
"""Code of deliveries that were given up because their endpoint went off."""


class HasScopes(Protocol):
    """A key of the host system (`cases.api_keys.Key`)."""

    @property
    def id(self) -> UUID:
        """Of its row."""

    @property
    def mode(self) -> str:
        """One of MODES."""

    @property
    def scopes(self) -> frozenset[str]:
        """What it may do."""


By = Staff | HasScopes | None
"""Who asks: a member of staff, a key, or None: the system itself, by command."""


class BadEndpoint(ValueError):
    """What was given makes no endpoint. `field` says what is wrong, `code` why."""

    def __init__(self, field: str, code: str) -> None:
        super().__init__(f"{field}: {code}")
        self.field = field
        self.code = code


class Stale(Exception):
    """The endpoint was changed since it was read."""


class EndpointDisabled(Exception):
    """Nothing is sent to an endpoint that is off."""


class StillWaiting(Exception):
    """The delivery is owed already; it need not be asked for again."""


# --- endpoints


def create(session: Session, *, url: str, kinds: Iterable[str], mode: str, by: By, now: datetime) -> tuple[WebhookEndpoint, str]:
    """Add an endpoint; returns it and its secret, which is shown this once. Raises BadEndpoint, NotAllowed."""
    _require(by, "write")
    if mode not in MODES:
        raise BadEndpoint("mode", "mode_unknown")
    if by is not None and not isinstance(by, Staff) and by.mode != mode:
        raise BadEndpoint("mode", "mode_of_key")
    wanted = _checked_kinds(kinds)
    url = _checked_url(session, url)
    alive = select(func.count()).where(WebhookEndpoint.mode == mode, WebhookEndpoint.deleted_at.is_(None))
    if (session.scalar(alive) or 0) >= MOST_ENDPOINTS:
        raise BadEndpoint("url", "too_many")
    actor = _actor(by)
    key = vault_of(session).new_key(session, now=now)
    row = WebhookEndpoint(
        id=uuid4(),
        url=url,
        kinds=wanted,
        mode=mode,
        enabled=True,
        data_key_id=key.id,
        version=1,
        created_by_kind=actor.kind,
        created_by_id=actor.id,
        created_at=now,
    )
    row.data_key = key
    secret = new_secret()
    row.secret_sealed = vault_of(session).seal(key, secret.encode(), _place(row.id))
    session.add(row)
    session.flush()
    audit.record(session, "webhook_endpoint_added", actor=actor, now=now, endpoint_id=row.id, mode=mode, kinds=wanted)
    return row, secret


def endpoints(
    session: Session, *, by: By, mode: str | None = None, limit: int = 50, after: UUID | None = None
) -> list[WebhookEndpoint]:
    """Endpoints that are not removed, oldest first; `after` is the last of the page before. A key sees those of its mode."""
    _require(by, "read")
    found = select(WebhookEndpoint).where(*_seen_by(by), WebhookEndpoint.deleted_at.is_(None))
    if mode is not None:
        found = found.where(WebhookEndpoint.mode == mode)
    if after is not None:
        last = select(WebhookEndpoint.created_at, WebhookEndpoint.id).where(WebhookEndpoint.id == after)
        found = found.where(tuple_(WebhookEndpoint.created_at, WebhookEndpoint.id) > last.scalar_subquery())
    return list(session.scalars(found.order_by(WebhookEndpoint.created_at, WebhookEndpoint.id).limit(limit)))


def endpoint(session: Session, endpoint_id: UUID, *, by: By) -> WebhookEndpoint:
    """One that is not removed. Raises NoResultFound, also where it is another mode's, and NotAllowed."""
    _require(by, "read")
    which = (*_seen_by(by), WebhookEndpoint.id == endpoint_id, WebhookEndpoint.deleted_at.is_(None))
    return session.execute(select(WebhookEndpoint).where(*which)).scalar_one()


def locked(session: Session, endpoint_id: UUID, *, by: By) -> WebhookEndpoint:
    """One that `by` may change, as it is and stays until this transaction ends. Raises NoResultFound, NotAllowed."""
    return _mine(session, endpoint_id, by)


def change(
    session: Session,
    endpoint_id: UUID,
    *,
    by: By,
    now: datetime,
    url: str | None = None,
    kinds: Iterable[str] | None = None,
    enabled: bool | None = None,
    if_version: int | None = None,
) -> WebhookEndpoint:
    """Set what is given, leave the rest. Switched off, what it was still owed is given up; switched on, it can be replayed.

    Raises BadEndpoint, Stale, NoResultFound, NotAllowed.
    """
    row = _mine(session, endpoint_id, by)
    if if_version is not None and row.version != if_version:
        raise Stale
    wanted = row.kinds if kinds is None else _checked_kinds(kinds)
    address = row.url if url is None else _checked_url(session, url)
    moved = address != row.url
    row.kinds, row.url = wanted, address
    if moved:
        row.failing_since = None  # the new address has not failed yet
    if enabled is True and not row.enabled:
        row.enabled, row.disabled_at, row.disabled_why, row.failing_since = True, None, None, None
    elif enabled is False and row.enabled:
        _switch_off(session, row, "by_hand", now=now)
    row.version += 1
    session.flush()
    audit.record(
        session, "webhook_endpoint_changed", actor=_actor(by), now=now, endpoint_id=row.id, kinds=wanted, enabled=row.enabled,
        url_changed=moved,
    )  # fmt: skip
    return row


def rotate(session: Session, endpoint_id: UUID, *, by: By, now: datetime, overlap: timedelta = OVERLAP) -> str:
    """Give it a new secret, shown this once; both sign until `overlap` is over, at most LONGEST_OVERLAP.

    No overlap (zero) is for a secret that was lost to somebody. Raises ValueError, NoResultFound, NotAllowed.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise ValueError("an overlap of nothing to seven days")
    row = _mine(session, endpoint_id, by)
    vault = vault_of(session)
    (old, *_) = _secrets(session, row, now=now)
    until = now + overlap if overlap else None
    row.old_secret_sealed = vault.seal(row.data_key, old.encode(), _place(row.id, "old")) if until else None
    row.old_secret_until = until
    secret = new_secret()
    row.secret_sealed = vault.seal(row.data_key, secret.encode(), _place(row.id))
    row.version += 1
    session.flush()
    audit.record(session, "webhook_secret_rotated", actor=_actor(by), now=now, endpoint_id=row.id, until=until)
    return secret


def remove(session: Session, endpoint_id: UUID, *, by: By, now: datetime) -> None:
    """Take it off the list for good and shred its secrets; its deliveries stay to be seen. Raises NoResultFound, NotAllowed."""
    row = _mine(session, endpoint_id, by)
    if row.enabled:
        count = _switch_off(session, row, "deleted", now=now)
    else:
        count = 0
    row.deleted_at = now
    row.version += 1
    destroy(row.data_key, now=now)
    session.flush()
    audit.record(session, "webhook_endpoint_removed", actor=_actor(by), now=now, endpoint_id=row.id, count=count)


def send_test(session: Session, endpoint_id: UUID, *, by: By, now: datetime) -> WebhookDelivery:
    """Owe one endpoint a `webhook.test`. Raises EndpointDisabled, NoResultFound, NotAllowed."""
    row = _mine(session, endpoint_id, by)
    if not row.enabled:
        raise EndpointDisabled
    delivery = _delivery(row, uuid4(), TEST, {}, case=None, customer_id=None, sequence=None, at=now, now=now)
    session.add(delivery)
    session.flush()
    audit.record(session, "webhook_tested", actor=_actor(by), now=now, endpoint_id=row.id, delivery_id=delivery.id)
    return delivery


@dataclass(frozen=True, kw_only=True)
class Health:
    """How deliveries to one endpoint went that were tried in the last 24 hours."""

    delivered: int = 0
    failed: int = 0  # tried and not taken yet, or given up
    waiting: int = 0  # owed now, whenever they were tried
    last_code: str | None = None  # of the latest failure

    @property
    def share(self) -> float | None:
        """Delivered of all tried, 0-1; None where nothing was."""
        tried = self.delivered + self.failed
        return self.delivered / tried if tried else None


def health(session: Session, endpoint_ids: Sequence[UUID], *, now: datetime) -> dict[UUID, Health]:
    """Of each of these endpoints."""
    row = WebhookDelivery
    since = row.last_try_at >= now - HEALTH
    counts = session.execute(
        select(
            row.endpoint_id,
            func.count().filter(since, row.delivered_at.is_not(None)),
            func.count().filter(since, row.delivered_at.is_(None)),
            func.count().filter(row.delivered_at.is_(None), row.given_up_at.is_(None)),
        )
        .where(row.endpoint_id.in_(endpoint_ids), or_(since, (row.delivered_at.is_(None)) & (row.given_up_at.is_(None))))
        .group_by(row.endpoint_id)
    ).all()
    newest = (
        select(row.endpoint_id, func.max(row.last_try_at).label("at"))
        .where(row.endpoint_id.in_(endpoint_ids), since, row.last_code.is_not(None))
        .group_by(row.endpoint_id)
        .subquery()
    )
    joined = select(row.endpoint_id, row.last_code).join(
        newest, (newest.c.endpoint_id == row.endpoint_id) & (newest.c.at == row.last_try_at)
    )
    codes = {found: code for found, code in session.execute(joined.where(row.last_code.is_not(None)))}
    told = {
        found: Health(delivered=good, failed=bad, waiting=owed, last_code=codes.get(found)) for found, good, bad, owed in counts
    }
    return {one: told.get(one, Health()) for one in endpoint_ids}


# --- events


def moved(session: Session, case: Case, action: Action, *, now: datetime) -> None:
    """A case has come to its next state; `cases.moves` says so."""
    kind = BY_STATE.get(case.state)
    if kind is not None and action is not Action.REQUEUE:  # a run taken back is no new submission
        owe(session, kind, case=case, now=now)


def owe(
    session: Session, kind: str, *, case: Case | None = None, customer: Customer | None = None, now: datetime, **data: Any
) -> None:
    """Owe an event to every endpoint that asked for its kind. `data` as DATA allows: codes, ids and numbers.

    The rows are written when the caller's transaction commits, in it: by then the case has the reasons of its new state. An event
    without a customer goes to live endpoints. Raises ValueError for what no event may carry.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of event: {kind}")
    if set(data) != set(DATA.get(kind, ())):
        raise ValueError(f"{kind}: carries {', '.join(sorted(DATA.get(kind, ())))}")
    plain = {name: audit._plain(f"{kind}.{name}", value) for name, value in data.items()}
    state = case.state.value if case else None
    at_commit.add(session, _settle, _Owed(kind=kind, case=case, customer=customer, state=state, data=plain, at=now))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Owed:
    """An event of a transaction that has not committed yet."""

    kind: str
    case: Case | None
    customer: Customer | None
    state: str | None
    data: dict[str, Any]
    at: datetime


def _settle(session: Session, waiting: list[_Owed]) -> None:
    """Write the rows of the events that a transaction owes."""
    listening = session.execute(
        select(WebhookEndpoint.id, WebhookEndpoint.kinds, WebhookEndpoint.mode).where(WebhookEndpoint.enabled)
    ).all()
    if not listening:
        return
    last = {one.case.id: one for one in waiting if one.case is not None}
    for one in waiting:
        customer = one.customer or (session.get_one(Customer, one.case.customer_id) if one.case else None)
        mode = "test" if customer is not None and customer.sandbox else "live"
        to = [row for row in listening if row.mode == mode and one.kind in row.kinds]
        if not to:
            continue
        sequence = None
        if one.case is not None:
            one.case.hook_sequence += 1
            sequence = one.case.hook_sequence
        event_id = uuid4()
        final = one.case is None or last[one.case.id] is one
        about = _about(one, customer, final=final)
        body = _body(event_id, one.kind, about, live=mode == "live", sequence=sequence, at=one.at)
        for row in to:
            session.add(
                WebhookDelivery(
                    id=uuid4(),
                    endpoint_id=row.id,
                    event_id=event_id,
                    kind=one.kind,
                    case_id=one.case.id if one.case else None,
                    customer_id=customer.id if customer else None,
                    sequence=sequence,
                    body=body,
                    created_at=one.at,
                    next_at=one.at,
                    tries=0,
                )
            )


def _about(one: _Owed, customer: Customer | None, *, final: bool) -> dict[str, Any]:
    """The data of a body. Of several steps in one transaction only the last knows reasons: they are the case's now."""
    about: dict[str, Any] = {}
    if one.case is not None:
        about["case_id"] = str(one.case.id)
    if customer is not None:
        about["customer_id"] = str(customer.id)
        about["external_id"] = customer.external_id if customer.data_key.wrapped is not None else None  # her name now is ours
    if one.kind in BY_STATE.values():
        assert one.case is not None
        about["state"] = one.state
        about["reasons"] = list(one.case.reasons) if final else []
        about["retake"] = list(one.case.retake) if final else []
        about["attempt"] = one.case.attempt
        about["version"] = one.case.version
    return about | one.data


def _body(event_id: UUID, kind: str, data: dict[str, Any], *, live: bool, sequence: int | None, at: datetime) -> str:
    """What is sent: one line of JSON in ASCII."""
    document = {
        "id": f"evt_{event_id.hex}",
        "type": kind,
        "timestamp": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "livemode": live,
        "sequence": sequence,
        "data": data,
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True)


def _delivery(
    row: WebhookEndpoint,
    event_id: UUID,
    kind: str,
    data: dict[str, Any],
    *,
    case: Case | None,
    customer_id: UUID | None,
    sequence: int | None,
    at: datetime,
    now: datetime,
) -> WebhookDelivery:
    return WebhookDelivery(
        id=uuid4(),
        endpoint_id=row.id,
        event_id=event_id,
        kind=kind,
        case_id=case.id if case else None,
        customer_id=customer_id,
        sequence=sequence,
        body=_body(event_id, kind, data, live=row.mode == "live", sequence=sequence, at=at),
        created_at=now,
        next_at=now,
        tries=0,
    )


# --- deliveries: seen, asked for again


def deliveries(
    session: Session,
    *,
    by: By,
    endpoint_id: UUID | None = None,
    kind: str | None = None,
    case_id: UUID | None = None,
    outcome: str | None = None,
    mode: str | None = None,
    limit: int = 50,
    after: UUID | None = None,
) -> list[WebhookDelivery]:
    """Deliveries, newest first; `after` is the last of the page before, `outcome` waiting, delivered or failed. NotAllowed."""
    _require(by, "read")
    row = WebhookDelivery
    found = select(row).join(WebhookEndpoint, WebhookEndpoint.id == row.endpoint_id).where(*_seen_by(by))
    if endpoint_id is not None:
        found = found.where(row.endpoint_id == endpoint_id)
    if kind is not None:
        found = found.where(row.kind == kind)
    if case_id is not None:
        found = found.where(row.case_id == case_id)
    if mode is not None:
        found = found.where(WebhookEndpoint.mode == mode)
    if outcome is not None:
        found = found.where(*OUTCOMES[outcome])
    if after is not None:
        last = select(row.created_at, row.id).where(row.id == after).scalar_subquery()
        found = found.where(tuple_(row.created_at, row.id) < last)
    return list(session.scalars(found.order_by(row.created_at.desc(), row.id.desc()).limit(limit)))


OUTCOMES: dict[str, tuple[ColumnElement[bool], ...]] = {
    "waiting": (WebhookDelivery.delivered_at.is_(None), WebhookDelivery.given_up_at.is_(None)),
    "delivered": (WebhookDelivery.delivered_at.is_not(None),),
    "failed": (WebhookDelivery.given_up_at.is_not(None),),
}
"""How a delivery may have ended, or not."""


def delivery(session: Session, delivery_id: UUID, *, by: By) -> WebhookDelivery:
    """One of them. Raises NoResultFound, also where it is another mode's, and NotAllowed."""
    _require(by, "read")
    found = select(WebhookDelivery).join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
    return session.execute(found.where(*_seen_by(by), WebhookDelivery.id == delivery_id)).scalar_one()


def replay(session: Session, delivery_id: UUID, *, by: By, now: datetime) -> WebhookDelivery:
    """Send one again, from the first try on: the same id and the same body, also where it was taken before.

    Raises EndpointDisabled, StillWaiting, NoResultFound, NotAllowed.
    """
    row = delivery(session, delivery_id, by=by)
    to = _mine(session, row.endpoint_id, by)
    if not to.enabled:
        raise EndpointDisabled
    row = session.get_one(WebhookDelivery, delivery_id, with_for_update=True, populate_existing=True)
    if row.outcome == "waiting":
        raise StillWaiting
    return _once_more(session, to, row, actor=_actor(by), now=now)


def retry(session: Session, delivery_id: UUID, *, agent: Staff, now: datetime) -> WebhookDelivery:
    """Send one again that was given up, as who mends queues: endpoints themselves are not hers. Permission "mend_queues".

    Raises NotAllowed, NoResultFound, EndpointDisabled, and StillWaiting where it was not given up.
    """
    people.require(agent, "mend_queues")
    to = _mine(session, delivery(session, delivery_id, by=None).endpoint_id, None)
    if not to.enabled:
        raise EndpointDisabled
    row = session.get_one(WebhookDelivery, delivery_id, with_for_update=True, populate_existing=True)
    if row.outcome != "failed":
        raise StillWaiting
    return _once_more(session, to, row, actor=audit.Actor.staff(agent), now=now)


def _once_more(
    session: Session, to: WebhookEndpoint, row: WebhookDelivery, *, actor: audit.Actor, now: datetime
) -> WebhookDelivery:
    row.delivered_at = row.given_up_at = row.lease_until = None
    row.tries, row.next_at = 0, now
    session.flush()
    audit.record(
        session, "webhooks_replayed", actor=actor, now=now, endpoint_id=to.id, delivery_id=row.id, count=1,
        case_id=row.case_id, customer_id=row.customer_id,
    )  # fmt: skip
    return row


def replay_failed(session: Session, endpoint_id: UUID, *, since: datetime, by: By, now: datetime) -> int:
    """Send again all that was given up for one endpoint and happened since; returns how many.

    Raises EndpointDisabled, NoResultFound, NotAllowed.
    """
    to = _mine(session, endpoint_id, by)
    if not to.enabled:
        raise EndpointDisabled
    row = WebhookDelivery
    again = session.execute(
        update(row)
        .where(row.endpoint_id == to.id, row.given_up_at.is_not(None), row.created_at >= since)
        .values(given_up_at=None, lease_until=None, tries=0, next_at=now)
        .execution_options(synchronize_session=False)
    )
    count = _noticed(session, again)
    audit.record(session, "webhooks_replayed", actor=_actor(by), now=now, endpoint_id=to.id, count=count)
    return count


def forget_customer(session: Session, customer_id: UUID) -> int:
    """Remove every delivery about a customer: their bodies carry the host system's id of her. Returns how many."""
    gone = session.execute(delete(WebhookDelivery).where(WebhookDelivery.customer_id == customer_id))
    return int(gone.rowcount)  # type: ignore[attr-defined]


def forget_old(session: Session, *, now: datetime, limit: int = 5_000) -> int:
    """Remove deliveries that were done or given up KEPT ago, at most `limit`; returns how many."""
    row = WebhookDelivery
    over = or_(row.delivered_at.is_not(None), row.given_up_at.is_not(None))
    old = select(row.id).where(row.created_at < now - KEPT, over).order_by(row.created_at, row.id).limit(limit)
    return int(session.execute(delete(row).where(row.id.in_(old))).rowcount)  # type: ignore[attr-defined]


# --- sending


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """All a sender needs."""

    id: UUID
    url: str
    body: str
    webhook_id: str
    tries: int
    secrets: tuple[str, ...] = field(repr=False)

    def headers(self, *, now: datetime) -> dict[str, str]:
        """Those of Standard Webhooks: id, time and signatures of this try."""
        return signed_headers(self.webhook_id, self.body, self.secrets, now=now)


def due(session: Session, *, now: datetime, limit: int = 200) -> list[UUID]:
    """Deliveries that are owed and that nobody is sending, oldest first, at most AT_ONCE for each endpoint."""
    row = WebhookDelivery
    ranked = (
        select(
            row.id,
            row.next_at,
            func.row_number().over(partition_by=row.endpoint_id, order_by=(row.next_at, row.id)).label("place"),
        )
        .where(*OUTCOMES["waiting"], row.next_at <= now, or_(row.lease_until.is_(None), row.lease_until <= now))
        .subquery()
    )
    first = select(ranked.c.id).where(ranked.c.place <= AT_ONCE).order_by(ranked.c.next_at, ranked.c.id)
    return list(session.scalars(first.limit(limit)))


def begin_sending(session: Session, delivery_id: UUID, *, now: datetime) -> Parcel | None:
    """Take one delivery under a lease. None when it is done, being sent, not due, or its endpoint is off."""
    row = session.execute(
        select(WebhookDelivery)
        .where(WebhookDelivery.id == delivery_id)
        .with_for_update(skip_locked=True, of=WebhookDelivery)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if row is None or row.outcome != "waiting" or row.next_at > now or (row.lease_until and row.lease_until > now):
        return None
    to = session.get_one(WebhookEndpoint, row.endpoint_id, populate_existing=True)
    if not to.enabled:  # it went off while this event was being written
        row.given_up_at, row.last_code, row.lease_until = now, DISABLED, None
        return None
    row.lease_until = now + SENDING
    row.tries += 1
    session.flush()
    return Parcel(
        id=row.id, url=to.url, body=row.body, webhook_id=row.webhook_id, tries=row.tries, secrets=_secrets(session, to, now=now)
    )


def delivered(session: Session, delivery_id: UUID, *, status: int, now: datetime) -> None:
    """The receiver took it."""
    to, row = _sent(session, delivery_id)
    if to is None or row is None or row.outcome != "waiting":
        return
    row.delivered_at = row.last_try_at = now
    row.last_status, row.last_code, row.lease_until = status, None, None
    if to.failing_since is not None or to.last_success_at is None or now - to.last_success_at >= SIGN_OF_SUCCESS:
        to.failing_since, to.last_success_at = None, now
    session.flush()


def failed(session: Session, delivery_id: UUID, *, code: str, status: int | None = None, jitter: float, now: datetime) -> None:
    """It was not taken: again after the next of WAITS, up to JITTER shorter or longer; after the last it is given up.

    `jitter` is a random number from 0 to 1. An endpoint that says 410 Gone, or took nothing for DISABLED_AFTER, goes off.
    """
    to, row = _sent(session, delivery_id)
    if to is None or row is None or row.outcome != "waiting":
        return
    row.last_try_at, row.last_status, row.last_code, row.lease_until = now, status, code, None
    if row.tries > len(WAITS):
        row.given_up_at = now
    else:
        row.next_at = now + WAITS[max(row.tries, 1) - 1] * (1 - JITTER + 2 * JITTER * jitter)
    if not to.enabled:
        return
    to.failing_since = to.failing_since or now
    long = now - to.failing_since >= DISABLED_AFTER and row.tries >= DISABLED_TRIES
    why = "gone" if status == 410 else "failing" if long else None
    if why is not None:
        count = _switch_off(session, to, why, now=now)
        audit.record(session, "webhook_endpoint_disabled", actor=audit.SYSTEM, now=now, endpoint_id=to.id, why=why, count=count)
    session.flush()


def new_secret() -> str:
    """A fresh secret as Standard Webhooks write it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sign(secret: str, webhook_id: str, timestamp: int, body: str) -> str:
    """One signature: HMAC-SHA-256 over id, time and body, under the secret's bytes. Raises ValueError for no such secret."""
    if not secret.startswith(PREFIX):
        raise ValueError("a secret begins with whsec_")
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    signed = f"{webhook_id}.{timestamp}.{body}".encode()
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def signed_headers(webhook_id: str, body: str, with_secrets: Iterable[str], *, now: datetime) -> dict[str, str]:
    """Id, time and one signature for each secret."""
    seconds = int(now.timestamp())
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(sign(secret, webhook_id, seconds, body) for secret in with_secrets),
    }


# --- what these have in common


def _require(by: By, what: str) -> None:
    """Raises NotAllowed."""
    if by is None:
        return
    if isinstance(by, Staff):
        people.require(by, "manage_integration" if what == "write" else "see_integration")
    elif f"webhooks:{what}" not in by.scopes:
        raise NotAllowed(f"webhooks:{what}")


def _seen_by(by: By) -> tuple[ColumnElement[bool], ...]:
    return () if by is None or isinstance(by, Staff) else (WebhookEndpoint.mode == by.mode,)


def _actor(by: By) -> audit.Actor:
    if by is None:
        return audit.SYSTEM
    return audit.Actor.staff(by) if isinstance(by, Staff) else audit.Actor(kind="host", id=str(by.id))


def _mine(session: Session, endpoint_id: UUID, by: By) -> WebhookEndpoint:
    """An endpoint that may be changed, locked; deliveries are locked after it. Raises NoResultFound, NotAllowed."""
    _require(by, "write")
    return session.execute(
        select(WebhookEndpoint)
        .where(*_seen_by(by), WebhookEndpoint.id == endpoint_id, WebhookEndpoint.deleted_at.is_(None))
        .with_for_update(key_share=True, of=WebhookEndpoint)
        .execution_options(populate_existing=True)
    ).scalar_one()


def _sent(session: Session, delivery_id: UUID) -> tuple[WebhookEndpoint | None, WebhookDelivery | None]:
    """Endpoint and delivery, both locked, always in that order. None where they are gone."""
    about = session.scalar(select(WebhookDelivery.endpoint_id).where(WebhookDelivery.id == delivery_id))
    if about is None:
        return None, None
    to = session.execute(
        select(WebhookEndpoint)
        .where(WebhookEndpoint.id == about)
        .with_for_update(key_share=True, of=WebhookEndpoint)
        .execution_options(populate_existing=True)
    ).scalar_one()
    return to, session.get(WebhookDelivery, delivery_id, with_for_update=True, populate_existing=True)


def _switch_off(session: Session, row: WebhookEndpoint, why: str, *, now: datetime) -> int:
    """Disable a locked endpoint and give up what it is owed; returns how many that were."""
    row.enabled, row.disabled_at, row.disabled_why = False, now, why
    session.flush()
    owed = session.execute(
        update(WebhookDelivery)
        .where(WebhookDelivery.endpoint_id == row.id, *OUTCOMES["waiting"])
        .values(given_up_at=now, lease_until=None, last_code=func.coalesce(WebhookDelivery.last_code, DISABLED))
        .execution_options(synchronize_session=False)
    )
    return _noticed(session, owed)


def _noticed(session: Session, done: Result[Any]) -> int:
    """How many rows were written at once; those that this session holds are read anew when they are next looked at."""
    for held in session.identity_map.values():
        if isinstance(held, WebhookDelivery):
            session.expire(held)
    return int(done.rowcount)  # type: ignore[attr-defined]


def _secrets(session: Session, row: WebhookEndpoint, *, now: datetime) -> tuple[str, ...]:
    """What its deliveries are signed with now, the newest first."""
    vault = vault_of(session)
    held = [vault.open(row.data_key, row.secret_sealed, _place(row.id)).decode()]
    if row.old_secret_sealed is not None and row.old_secret_until is not None and row.old_secret_until > now:
        held.append(vault.open(row.data_key, row.old_secret_sealed, _place(row.id, "old")).decode())
    return tuple(held)


def _place(endpoint_id: UUID, which: str = "secret") -> str:
    return f"webhook_endpoints.{which}|{endpoint_id}"


def _checked_url(session: Session, url: str) -> str:
    """Raises BadEndpoint."""
    try:
        outside.target(url.strip(), outside.Rules.of(session.info["settings"]))
    except outside.BadAddress as bad:
        raise BadEndpoint("url", bad.code) from None
    return url.strip()


def _checked_kinds(kinds: Iterable[str]) -> list[str]:
    """In the order of KINDS. Raises BadEndpoint."""
    wanted = set(kinds)
    if not wanted:
        raise BadEndpoint("kinds", "kinds_empty")
    if not wanted <= set(KINDS):
        raise BadEndpoint("kinds", "kinds_unknown")
    return [kind for kind in KINDS if kind in wanted]
