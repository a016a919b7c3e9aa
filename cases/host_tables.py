"""The tables of the host system's side: keys, webhooks, tickets, reports, tombstones, staff's own ways in. See `cases.models`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cases.models import Base, DataKey


class ApiKey(Base):
    """What the host system shows with every request. The token itself is nowhere; `hint` tells one key from another."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("mode IN ('live', 'test')", name="mode_is_known"),
        CheckConstraint("expires_at IS NULL OR expires_at > created_at", name="time_to_be_used"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(String(80), comment="What it is for, in the words of whoever made it")
    mode: Mapped[str] = mapped_column(String(8), comment="live, or test: sees sandbox customers alone")
    scopes: Mapped[list[str]] = mapped_column(comment="Of cases.api_keys.SCOPES")
    return_origins: Mapped[list[str]] = mapped_column(comment="Where hand-over links of this key may lead back to")
    token_hash: Mapped[str] = mapped_column(String(64), unique=True, comment="SHA-256 of the token; the token itself is nowhere")
    hint: Mapped[str] = mapped_column(String(8), comment="Its last four characters")
    data_key_id: Mapped[UUID] = mapped_column(ForeignKey("data_keys.id"), comment="Seals kept answers that are no customer's")
    created_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"), comment="NULL: by a command")
    replaces_id: Mapped[UUID | None] = mapped_column(ForeignKey("api_keys.id"), comment="Whose successor it is")
    created_at: Mapped[datetime] = mapped_column()
    expires_at: Mapped[datetime | None] = mapped_column()
    last_used_at: Mapped[datetime | None] = mapped_column(comment="To the minute")
    revoked_at: Mapped[datetime | None] = mapped_column()

    data_key: Mapped[DataKey] = relationship()


class ApiAnswer(Base):
    """The answer to one Idempotency-Key, so that the same request again gets it again. For a day (`cases.idempotency`)."""

    __tablename__ = "api_answers"
    __table_args__ = (
        CheckConstraint("(status IS NULL) = (answer_sealed IS NULL)", name="answered_whole"),
        UniqueConstraint("key_id", "subject"),
        Index("ix_api_answers_expires_at", "expires_at"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"))
    subject: Mapped[str] = mapped_column(String(64), comment="Keyed hash of the Idempotency-Key")
    request_hash: Mapped[str] = mapped_column(String(64), comment="Keyed hash of method, path and body")
    created_at: Mapped[datetime] = mapped_column()
    expires_at: Mapped[datetime] = mapped_column()
    status: Mapped[int | None] = mapped_column(comment="NULL: only within the transaction that makes it")
    data_key_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("data_keys.id"), comment="The customer's, so that it goes with her; else the key's own"
    )
    answer_sealed: Mapped[bytes | None] = mapped_column(comment="Headers and body as JSON")


class StaffMail(Base):
    """A mail owed to a member of staff: numbers and codes only. Written in words and sent by workers.notify."""

    __tablename__ = "staff_mails"
    __table_args__ = (
        CheckConstraint("tries >= 0", name="tries_never_negative"),
        CheckConstraint("sent_at IS NULL OR given_up_at IS NULL", name="sent_or_given_up"),
        UniqueConstraint("staff_id", "key"),
        Index("ix_staff_mails_owed", "sent_at", "next_at"),
        Index(
            "ix_staff_mails_given_up",
            "given_up_at",
            postgresql_where=text("given_up_at IS NOT NULL"),
            sqlite_where=text("given_up_at IS NOT NULL"),
        ),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"), comment="Her address is the one she signs in with")
    kind: Mapped[str] = mapped_column(String(40), comment="One of cases.staff_mails.KINDS")
    key: Mapped[str] = mapped_column(String(120), comment="What it tells of: each person hears of a thing once")
    context: Mapped[dict[str, Any]] = mapped_column(comment="Ids, numbers and codes; nothing of a customer")
    created_at: Mapped[datetime] = mapped_column()
    next_at: Mapped[datetime] = mapped_column(comment="Not before")
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    lease_until: Mapped[datetime | None] = mapped_column(comment="Being sent; nobody else may until then")
    sent_at: Mapped[datetime | None] = mapped_column()
    given_up_at: Mapped[datetime | None] = mapped_column()


class StaffLink(Base):
    """That a member of staff signs in at the house's identity provider, and as whom there. See `cases.sso`."""

    __tablename__ = "staff_links"
    __table_args__ = (UniqueConstraint("staff_id", "issuer"),)
    key: Mapped[str] = mapped_column(String(64), primary_key=True, comment="SHA-256 of issuer and subject")
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    issuer: Mapped[str] = mapped_column(String(255), comment="Address of the provider")
    linked_at: Mapped[datetime] = mapped_column()
    used_at: Mapped[datetime | None] = mapped_column(comment="Last sign-in this way")


class StaffPasskey(Base):
    """One passkey of a member of staff: its public half. See `cases.passkeys`."""

    __tablename__ = "staff_passkeys"
    __table_args__ = (CheckConstraint("sign_count >= 0", name="count_never_negative"),)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"), index=True)
    key: Mapped[str] = mapped_column(String(64), unique=True, comment="SHA-256 of the credential's id")
    credential_id: Mapped[bytes] = mapped_column()
    public_key: Mapped[bytes] = mapped_column(comment="COSE")
    sign_count: Mapped[int] = mapped_column(BigInteger(), comment="As the device last said; 0: it does not count")
    name: Mapped[str] = mapped_column(String(60), comment="What she calls it")
    transports: Mapped[list[str]] = mapped_column(comment="How the browser may reach it; a hint")
    synced: Mapped[bool] = mapped_column(comment="Kept by a service on several devices, says the device")
    added_at: Mapped[datetime] = mapped_column()
    used_at: Mapped[datetime | None] = mapped_column()
    doubted_at: Mapped[datetime | None] = mapped_column(
        comment="Its count went back: there may be a copy. It opens nothing since"
    )


class StaffProviderSession(Base):
    """Whose session at the identity provider it is, for a sign-out there that names only the session. For a day."""

    __tablename__ = "staff_provider_sessions"
    key: Mapped[str] = mapped_column(String(64), primary_key=True, comment="SHA-256 of issuer and session")
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    began_at: Mapped[datetime] = mapped_column(index=True)


class StaffSpent(Base):
    """What worked once at a sign-in and never works again: a state, a challenge, a sign-out token. Until it would be too old."""

    __tablename__ = "staff_spent"
    key: Mapped[str] = mapped_column(String(64), primary_key=True, comment="SHA-256 of its kind and text")
    until: Mapped[datetime] = mapped_column(index=True)


class ErasureRow(Base):
    """That a whole person is to be erased, or was: who asked, what holds it up, what went. See `cases.privacy`."""

    __tablename__ = "erasures"
    __table_args__ = (
        CheckConstraint("reason IN ('wish', 'account_closed', 'order')", name="reason_is_known"),
        CheckConstraint("done_at IS NULL OR cancelled_at IS NULL", name="done_or_cancelled"),
        CheckConstraint("finished_at IS NULL OR done_at IS NOT NULL", name="keys_before_blobs"),
        Index(
            "one_erasure_per_customer",
            "customer_id",
            unique=True,
            postgresql_where=text("cancelled_at IS NULL"),
            sqlite_where=text("cancelled_at IS NULL"),
        ),
        Index(
            "ix_erasures_unfinished",
            "not_before",
            postgresql_where=text("finished_at IS NULL AND cancelled_at IS NULL"),
            sqlite_where=text("finished_at IS NULL AND cancelled_at IS NULL"),
        ),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customers.id"))
    account: Mapped[str] = mapped_column(String(64), index=True, comment="Keyed hash of the host system's id")
    reason: Mapped[str] = mapped_column(String(20))
    asked_by: Mapped[str] = mapped_column(String(20), comment="Kind of actor, as in the trail")
    asked_at: Mapped[datetime] = mapped_column()
    holds: Mapped[list[str]] = mapped_column(default=list, comment="cases.privacy.HOLDS, as of the last look")
    not_before: Mapped[datetime | None] = mapped_column(comment="When the last hold is over; NULL: none, or a person settles one")
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict, comment="What went: rows by table")
    done_at: Mapped[datetime | None] = mapped_column(comment="Keys destroyed, columns emptied: nothing can be read")
    finished_at: Mapped[datetime | None] = mapped_column(comment="Ciphertext and mails kept as files are gone as well")
    cancelled_at: Mapped[datetime | None] = mapped_column()


class Tombstone(Base):
    """Somebody, or one request of hers, must never be readable again, in a restored backup either. A keyed hash, of nobody."""

    __tablename__ = "tombstones"
    __table_args__ = (
        CheckConstraint("kind IN ('person', 'case')", name="kind_is_known"),
        Index(
            "ix_tombstones_unwritten",
            "at",
            postgresql_where=text("written_at IS NULL"),
            sqlite_where=text("written_at IS NULL"),
        ),
    )
    subject: Mapped[str] = mapped_column(String(64), primary_key=True, comment="Keyed hash of kind and id")
    kind: Mapped[str] = mapped_column(String(10))
    at: Mapped[datetime] = mapped_column(comment="When it was erased")
    written_at: Mapped[datetime | None] = mapped_column(comment="It stands in the file outside the database, too")


class WebhookEndpoint(Base):
    """An address of the host system's that is told what happens (`cases.webhooks`). Removed ones stay, for their deliveries."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        CheckConstraint("mode IN ('live', 'test')", name="mode_is_known"),
        CheckConstraint("enabled = (disabled_at IS NULL)", name="disabled_at_a_time"),
        CheckConstraint("(disabled_at IS NULL) = (disabled_why IS NULL)", name="disabled_with_a_reason"),
        CheckConstraint("(old_secret_sealed IS NULL) = (old_secret_until IS NULL)", name="old_secret_ends"),
        CheckConstraint("deleted_at IS NULL OR NOT enabled", name="deleted_means_off"),
        CheckConstraint("version >= 1", name="version_from_one"),
        Index("ix_webhook_endpoints_created", "created_at", "id"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    url: Mapped[str] = mapped_column(String(500))
    kinds: Mapped[list[str]] = mapped_column(comment="Of cases.webhooks.KINDS")
    mode: Mapped[str] = mapped_column(String(8), comment="live, or test: hears of sandbox customers alone")
    enabled: Mapped[bool] = mapped_column(default=True)
    disabled_at: Mapped[datetime | None] = mapped_column()
    disabled_why: Mapped[str | None] = mapped_column(String(20), comment="by_hand, failing, gone or deleted")
    data_key_id: Mapped[UUID] = mapped_column(ForeignKey("data_keys.id"), comment="Of its secrets; destroyed when it is removed")
    secret_sealed: Mapped[bytes] = mapped_column(comment="whsec_...: what its deliveries are signed with")
    old_secret_sealed: Mapped[bytes | None] = mapped_column(comment="The one before, while both sign")
    old_secret_until: Mapped[datetime | None] = mapped_column()
    version: Mapped[int] = mapped_column(default=1, comment="Counts changes by people and keys")
    created_by_kind: Mapped[str] = mapped_column(String(10), comment="As in the audit trail: staff, host or system")
    created_by_id: Mapped[str | None] = mapped_column(String(36), comment="Who of them, or which key")
    created_at: Mapped[datetime] = mapped_column()
    last_success_at: Mapped[datetime | None] = mapped_column(comment="To the minute")
    failing_since: Mapped[datetime | None] = mapped_column(comment="The first failure after the last success")
    deleted_at: Mapped[datetime | None] = mapped_column()

    data_key: Mapped[DataKey] = relationship()


class WebhookDelivery(Base):
    """One event owed to one endpoint; written in the transaction of the change. Sent by workers.hooks, at least once."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("tries >= 0", name="tries_never_negative"),
        CheckConstraint("delivered_at IS NULL OR given_up_at IS NULL", name="delivered_or_given_up"),
        UniqueConstraint("endpoint_id", "event_id"),
        Index(
            "ix_webhook_deliveries_owed",
            "next_at",
            "id",
            postgresql_where=text("delivered_at IS NULL AND given_up_at IS NULL"),
            sqlite_where=text("delivered_at IS NULL AND given_up_at IS NULL"),
        ),
        Index("ix_webhook_deliveries_created", "created_at", "id"),
        Index("ix_webhook_deliveries_endpoint", "endpoint_id", "created_at", "id"),
        Index("ix_webhook_deliveries_tried", "last_try_at"),
        Index("ix_webhook_deliveries_case", "case_id", "created_at"),
        Index("ix_webhook_deliveries_customer", "customer_id"),
        Index(
            "ix_webhook_deliveries_given_up",
            "given_up_at",
            postgresql_where=text("given_up_at IS NOT NULL"),
            sqlite_where=text("given_up_at IS NOT NULL"),
        ),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id"))
    event_id: Mapped[UUID] = mapped_column(comment="One for all endpoints; webhook-id is made of it")
    kind: Mapped[str] = mapped_column(String(30), comment="Of cases.webhooks.KINDS, or webhook.test")
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases.id"))
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customers.id"))
    sequence: Mapped[int | None] = mapped_column(comment="1, 2, 3 ... per case: by it a receiver puts events in order")
    body: Mapped[str] = mapped_column(Text, comment="JSON, as it is sent at each try: ids, states and codes; nobody's details")
    created_at: Mapped[datetime] = mapped_column()
    next_at: Mapped[datetime] = mapped_column(comment="Not before")
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    lease_until: Mapped[datetime | None] = mapped_column(comment="Being sent; nobody else may until then")
    last_try_at: Mapped[datetime | None] = mapped_column()
    last_status: Mapped[int | None] = mapped_column(comment="HTTP status of the last answer")
    last_code: Mapped[str | None] = mapped_column(String(40), comment="Why the last try failed; NULL: it did not")
    delivered_at: Mapped[datetime | None] = mapped_column()
    given_up_at: Mapped[datetime | None] = mapped_column()

    endpoint: Mapped[WebhookEndpoint] = relationship()

    @property
    def outcome(self) -> str:
        """waiting, delivered or failed."""
        if self.delivered_at is not None:
            return "delivered"
        return "failed" if self.given_up_at is not None else "waiting"

    @property
    def webhook_id(self) -> str:
        """As the receiver knows it; the same at each try."""
        return f"evt_{self.event_id.hex}"


class TicketMessage(Base):
    """What the helpdesk is owed about a referred case (`cases.tickets`): codes only; put in words when it is sent."""

    __tablename__ = "ticket_messages"
    __table_args__ = (
        CheckConstraint("tries >= 0", name="tries_never_negative"),
        CheckConstraint("sent_at IS NULL OR given_up_at IS NULL", name="sent_or_given_up"),
        CheckConstraint("sink IN ('web', 'mail')", name="sink_is_known"),
        CheckConstraint("kind IN ('opened', 'closed', 'reopened')", name="kind_is_known"),
        UniqueConstraint("case_id", "sink", "number"),
        Index(
            "ix_ticket_messages_owed",
            "next_at",
            "id",
            postgresql_where=text("sent_at IS NULL AND given_up_at IS NULL"),
            sqlite_where=text("sent_at IS NULL AND given_up_at IS NULL"),
        ),
        Index("ix_ticket_messages_created", "created_at", "id"),
        Index(
            "ix_ticket_messages_given_up",
            "given_up_at",
            postgresql_where=text("given_up_at IS NOT NULL"),
            sqlite_where=text("given_up_at IS NOT NULL"),
        ),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    sink: Mapped[str] = mapped_column(String(8), comment="web: a JSON body to HELPDESK_URL; mail: to HELPDESK_MAIL")
    kind: Mapped[str] = mapped_column(String(10), comment="opened, closed or reopened")
    number: Mapped[int] = mapped_column(comment="1, 2, 3 ... of this ticket")
    state: Mapped[str] = mapped_column(String(40), comment="Of the case, then")
    reasons: Mapped[list[str]] = mapped_column(comment="Reason codes of the case, then")
    due_at: Mapped[datetime | None] = mapped_column(comment="Until when a person answers")
    created_at: Mapped[datetime] = mapped_column()
    next_at: Mapped[datetime] = mapped_column(comment="Not before")
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    lease_until: Mapped[datetime | None] = mapped_column(comment="Being sent; nobody else may until then")
    last_try_at: Mapped[datetime | None] = mapped_column()
    last_code: Mapped[str | None] = mapped_column(String(40), comment="Why the last try failed; NULL: it did not")
    sent_at: Mapped[datetime | None] = mapped_column()
    given_up_at: Mapped[datetime | None] = mapped_column()


class WeeklyReport(Base):
    """A week's report as it was made: figures by code, of nobody. Never changed: the same numbers next month."""

    __tablename__ = "weekly_reports"
    __table_args__ = (
        CheckConstraint("definitions >= 1", name="counted_from_one"),
        UniqueConstraint("monday", "time_zone"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    monday: Mapped[date] = mapped_column(comment="First day of the week")
    time_zone: Mapped[str] = mapped_column(String(60), comment="By whose clocks it began, such as Europe/Moscow")
    made_at: Mapped[datetime] = mapped_column()
    definitions: Mapped[int] = mapped_column(comment="cases.reports.DEFINITIONS then: docs/metrics.md")
    document: Mapped[dict[str, Any]] = mapped_column(
        comment="cases.reports.keep: whole, by country, by policy version, by agent's id"
    )


class ReportWish(Base):
    """Somebody opened a week that has no report yet: upkeep makes it and removes this."""

    __tablename__ = "report_wishes"
    monday: Mapped[date] = mapped_column(primary_key=True)
    time_zone: Mapped[str] = mapped_column(String(60), primary_key=True)
    by_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    wished_at: Mapped[datetime] = mapped_column()


APPEND_ONLY: tuple[type[Base], ...] = (WeeklyReport,)
"""Rows that are written once (`cases.immutability`)."""
