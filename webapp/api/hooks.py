"""Where this host wants to be told: webhook endpoints by API. What is sent, how and when is `cases.webhooks`'s."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, NoReturn, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator
from pydantic import Field as about
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from cases import webhooks
from cases.host_tables import WebhookDelivery, WebhookEndpoint
from webapp.api import shapes
from webapp.api.problems import Problem, wrong
from webapp.api.surface import Answer, api, asks_for_version, key, operation, precondition
from webapp.context import now

Kind = StrEnum("Kind", {kind.upper().replace(".", "_"): kind for kind in webhooks.KINDS})  # type: ignore[misc]
Url = Annotated[str, StringConstraints(min_length=8, max_length=500)]
Kinds = Annotated[list[Kind], about(min_length=1, max_length=len(webhooks.KINDS))]

HOUR = timedelta(hours=1)

KEPT = ("idempotency_mismatch", "idempotency_in_progress", "answer_erased")

SAYS = {
    "url_scheme": "https only.",
    "url_port": "A port that webhooks may not go to.",
    "url_userinfo": "An address names no user.",
    "url_host": "The host is missing, or is one of this machine.",
    "url_address": "An address of a private network.",
    "url_malformed": "This is not an address.",
    "url_too_long": "Too long.",
    "kinds_unknown": "An event that does not exist.",
    "kinds_empty": "At least one event.",
    "too_many": f"At most {webhooks.MOST_ENDPOINTS} endpoints in each mode.",
}


class EndpointIn(BaseModel):
    """Where to send what."""

    model_config = ConfigDict(extra="forbid")

    url: Url = about(examples=["https://bank.example/hooks/peremena"])
    kinds: Kinds = about(description="Events to be sent", examples=[["case.approved", "case.rejected", "profile.changed"]])


class EndpointChange(BaseModel):
    """What is to be different."""

    model_config = ConfigDict(extra="forbid")

    url: Url | None = None
    kinds: Kinds | None = None
    enabled: Annotated[bool, about(strict=True)] | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.url is None and self.kinds is None and self.enabled is None:
            raise ValueError("at least one of url, kinds, enabled")
        return self


class EndpointOut(BaseModel):
    """An endpoint, without its secret."""

    id: UUID
    livemode: bool
    url: str
    kinds: list[str]
    enabled: bool
    disabled_why: str | None = about(description="by_hand, failing, gone; null: it is on")
    version: int
    created_at: datetime
    last_success_at: datetime | None


class EndpointMade(EndpointOut):
    """A new endpoint, and its secret."""

    secret: str = about(description="whsec_…: shown this once, or again for the same Idempotency-Key within a day")


class RotateIn(BaseModel):
    """How long the secret before signs as well."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: Annotated[int, about(strict=True)] = about(
        webhooks.OVERLAP // HOUR,
        ge=0,
        le=webhooks.LONGEST_OVERLAP // HOUR,
        description="0: it ends at once, for a secret that somebody else has seen",
    )


class EndpointRotated(EndpointOut):
    """An endpoint, and its new secret."""

    secret: str = about(description="whsec_…: shown this once, or again for the same Idempotency-Key within a day")
    old_secret_until: datetime | None = about(description="Until then the one before signs as well; null: it has ended")


class EndpointPage(BaseModel):
    """Endpoints, the oldest first."""

    data: list[EndpointOut]
    has_more: bool
    next: str | None


class PageQuery(BaseModel):
    """From where on."""

    model_config = ConfigDict(extra="forbid")

    limit: int = about(shapes.PAGE, ge=1, le=shapes.LARGEST_PAGE)
    after: UUID | None = about(None, description="`next` of the page before")


class DeliveryOut(BaseModel):
    """One event for one endpoint."""

    id: UUID
    endpoint: UUID
    event: str = about(description="The header webhook-id: the same at every try")
    kind: str
    case: UUID | None
    outcome: str = about(description="waiting, delivered, failed")
    tries: int
    next_at: datetime | None
    last_status: int | None
    last_code: str | None
    created_at: datetime
    delivered_at: datetime | None


@api.post("/webhook_endpoints")
@operation("webhooks:write", answers={201: EndpointMade}, problems=("invalid", *KEPT))
@api.input(EndpointIn)
def add_endpoint(db: Session, json_data: EndpointIn) -> Answer:
    """Add a webhook endpoint

    Events of this key's mode are sent there from now on, signed with `secret` as Standard Webhooks say.
    """
    try:
        row, secret = webhooks.create(
            db, url=json_data.url, kinds=[str(kind) for kind in json_data.kinds], mode=key().mode, by=key(), now=now()
        )
    except webhooks.BadEndpoint as bad:
        _refuse(bad)
    body = EndpointMade(**_described(row).model_dump(), secret=secret)
    return Answer(body=body, status=201, headers={"Location": f"/v1/webhook_endpoints/{row.id}"})


@api.get("/webhook_endpoints")
@operation("webhooks:read", answers={200: EndpointPage}, problems=("invalid",))
@api.input(PageQuery, location="query")
def list_endpoints(db: Session, query_data: PageQuery) -> Answer:
    """List webhook endpoints"""
    found = webhooks.endpoints(db, by=key(), limit=query_data.limit + 1, after=query_data.after)
    shown = found[: query_data.limit]
    more = len(found) > len(shown)
    body = EndpointPage(data=[_described(row) for row in shown], has_more=more, next=str(shown[-1].id) if more else None)
    return Answer(body=body)


@api.get("/webhook_endpoints/<uuid:endpoint_id>")
@operation("webhooks:read", answers={200: EndpointOut}, tagged=True)
def get_endpoint(db: Session, endpoint_id: UUID) -> Answer:
    """Read a webhook endpoint"""
    try:
        row = webhooks.endpoint(db, endpoint_id, by=key())
    except NoResultFound:
        raise Problem("not_found", kept=False) from None
    return _tagged(row)


@api.patch("/webhook_endpoints/<uuid:endpoint_id>")
@operation("webhooks:write", answers={200: EndpointOut}, problems=("invalid", "precondition_failed"), tagged=True, matches=True)
@api.input(EndpointChange)
def change_endpoint(db: Session, endpoint_id: UUID, json_data: EndpointChange) -> Answer:
    """Change a webhook endpoint

    Sets what is given. Switched off, what it was still owed is given up; it can be replayed later.
    """
    row = _locked(db, endpoint_id)
    try:
        changed = webhooks.change(
            db,
            row.id,
            by=key(),
            now=now(),
            url=json_data.url,
            kinds=[str(kind) for kind in json_data.kinds] if json_data.kinds is not None else None,
            enabled=json_data.enabled,
        )
    except webhooks.BadEndpoint as bad:
        _refuse(bad)
    return _tagged(changed)


@api.delete("/webhook_endpoints/<uuid:endpoint_id>")
@operation("webhooks:write", answers={204: None}, problems=("precondition_failed",), matches=True)
def remove_endpoint(db: Session, endpoint_id: UUID) -> Answer:
    """Remove a webhook endpoint

    Nothing is sent there any more, and its secret is destroyed.
    """
    row = _locked(db, endpoint_id)
    webhooks.remove(db, row.id, by=key(), now=now())
    return Answer(status=204)


@api.post("/webhook_endpoints/<uuid:endpoint_id>/rotate")
@operation("webhooks:write", answers={200: EndpointRotated}, problems=("invalid", *KEPT))
@api.input(RotateIn)
def rotate_endpoint(db: Session, endpoint_id: UUID, json_data: RotateIn) -> Answer:
    """Replace the secret of a webhook endpoint

    From now on `secret` signs, and until the overlap is over the one before beside it: roll the new one out meanwhile.
    """
    row = _locked(db, endpoint_id)
    secret = webhooks.rotate(db, row.id, by=key(), now=now(), overlap=json_data.overlap_hours * HOUR)
    body = EndpointRotated(**_described(row).model_dump(), secret=secret, old_secret_until=row.old_secret_until)
    return Answer(body=body)


@api.post("/webhook_endpoints/<uuid:endpoint_id>/test")
@operation("webhooks:write", answers={202: DeliveryOut}, problems=("conflict", *KEPT))
def send_test_event(db: Session, endpoint_id: UUID) -> Answer:
    """Send a test event

    A `webhook.test` to this endpoint, whatever it asked for, signed and tried again as all others are.
    """
    row = _locked(db, endpoint_id)
    try:
        sent = webhooks.send_test(db, row.id, by=key(), now=now())
    except webhooks.EndpointDisabled:
        raise Problem("conflict", "The endpoint is off: switch it on first.") from None
    return Answer(body=_delivery(sent), status=202)


@api.post("/webhook_deliveries/<uuid:delivery_id>/replay")
@operation("webhooks:write", answers={202: DeliveryOut}, problems=("conflict", *KEPT))
def replay_delivery(db: Session, delivery_id: UUID) -> Answer:
    """Send a webhook again

    The same body under the same `webhook-id`, as soon as may be.
    """
    try:
        row = webhooks.replay(db, delivery_id, by=key(), now=now())
    except NoResultFound:
        raise Problem("not_found", kept=False) from None
    except webhooks.EndpointDisabled:
        raise Problem("conflict", "The endpoint is off: switch it on first.") from None
    except webhooks.StillWaiting:
        raise Problem("conflict", "It is waiting to be sent anyway.") from None
    return Answer(body=_delivery(row), status=202)


def _locked(db: Session, endpoint_id: UUID) -> WebhookEndpoint:
    """The endpoint, locked, as the host saw it if it says how that was. Raises Problem: not_found, precondition_failed."""
    try:
        row = webhooks.locked(db, endpoint_id, by=key())
    except NoResultFound:
        raise Problem("not_found", kept=False) from None
    if asks_for_version():
        precondition(_version(row))
    return row


def _tagged(row: WebhookEndpoint) -> Answer:
    return Answer(body=_described(row), tag=True, version=_version(row))


def _version(row: WebhookEndpoint) -> EndpointOut:
    """What its entity tag is of: all but the sign of life, which moves with every delivery while nobody changes anything."""
    return _described(row).model_copy(update={"last_success_at": None})


def _refuse(bad: webhooks.BadEndpoint) -> NoReturn:
    told = wrong(f"/{bad.field}", bad.code, SAYS.get(bad.code, "It cannot be used."))
    raise Problem("invalid", errors=[told]) from None


def _described(row: WebhookEndpoint) -> EndpointOut:
    return EndpointOut(
        id=row.id,
        livemode=row.mode == "live",
        url=row.url,
        kinds=list(row.kinds),
        enabled=row.enabled,
        disabled_why=row.disabled_why,
        version=row.version,
        created_at=row.created_at,
        last_success_at=row.last_success_at,
    )


def _delivery(row: WebhookDelivery) -> DeliveryOut:
    return DeliveryOut(
        id=row.id,
        endpoint=row.endpoint_id,
        event=row.webhook_id,
        kind=row.kind,
        case=row.case_id,
        outcome=row.outcome,
        tries=row.tries,
        next_at=row.next_at,
        last_status=row.last_status,
        last_code=row.last_code,
        created_at=row.created_at,
        delivered_at=row.delivered_at,
    )
