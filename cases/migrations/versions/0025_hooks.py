"""Webhooks out: endpoints and deliveries.

Revision ID: 0025
Revises: 0024
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

WAITING = "delivered_at IS NULL AND given_up_at IS NULL"


def upgrade() -> None:
    """Nobody is told anything until an endpoint is added."""
    op.add_column(
        "cases",
        sa.Column(
            "hook_sequence",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="Events of this case that the host system was owed; cases.webhooks counts",
        ),
    )
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.String(500), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False, comment="Of cases.webhooks.KINDS"),
        sa.Column("mode", sa.String(8), nullable=False, comment="live, or test: hears of sandbox customers alone"),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_why", sa.String(20), nullable=True, comment="by_hand, failing, gone or deleted"),
        sa.Column("data_key_id", sa.Uuid(), nullable=False, comment="Of its secrets; destroyed when it is removed"),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=False, comment="whsec_...: what its deliveries are signed with"),
        sa.Column("old_secret_sealed", sa.LargeBinary(), nullable=True, comment="The one before, while both sign"),
        sa.Column("old_secret_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False, comment="Counts changes by people and keys"),
        sa.Column("created_by_kind", sa.String(10), nullable=False, comment="As in the audit trail: staff, host or system"),
        sa.Column("created_by_id", sa.String(36), nullable=True, comment="Who of them, or which key"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_success_at", sa.DateTime(timezone=True), nullable=True, comment="To the minute"),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True, comment="The first failure after the last success"),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("mode IN ('live', 'test')", name=op.f("ck_webhook_endpoints_mode_is_known")),
        sa.CheckConstraint("enabled = (disabled_at IS NULL)", name=op.f("ck_webhook_endpoints_disabled_at_a_time")),
        sa.CheckConstraint(
            "(disabled_at IS NULL) = (disabled_why IS NULL)", name=op.f("ck_webhook_endpoints_disabled_with_a_reason")
        ),
        sa.CheckConstraint(
            "(old_secret_sealed IS NULL) = (old_secret_until IS NULL)", name=op.f("ck_webhook_endpoints_old_secret_ends")
        ),
        sa.CheckConstraint("deleted_at IS NULL OR NOT enabled", name=op.f("ck_webhook_endpoints_deleted_means_off")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_webhook_endpoints_version_from_one")),
        sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name=op.f("fk_webhook_endpoints_data_key_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
    )
    op.create_index("ix_webhook_endpoints_created", "webhook_endpoints", ["created_at", "id"], unique=False)
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False, comment="One for all endpoints; webhook-id is made of it"),
        sa.Column("kind", sa.String(30), nullable=False, comment="Of cases.webhooks.KINDS, or webhook.test"),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=True, comment="1, 2, 3 ... per case: by it a receiver puts events in order"),
        sa.Column(
            "body", sa.Text(), nullable=False, comment="JSON, as it is sent at each try: ids, states and codes; nobody's details"
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False, comment="Not before"),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True, comment="Being sent; nobody else may until then"),
        sa.Column("last_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True, comment="HTTP status of the last answer"),
        sa.Column("last_code", sa.String(40), nullable=True, comment="Why the last try failed; NULL: it did not"),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_webhook_deliveries_tries_never_negative")),
        sa.CheckConstraint(
            "delivered_at IS NULL OR given_up_at IS NULL", name=op.f("ck_webhook_deliveries_delivered_or_given_up")
        ),
        sa.ForeignKeyConstraint(["endpoint_id"], ["webhook_endpoints.id"], name=op.f("fk_webhook_deliveries_endpoint_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_webhook_deliveries_case_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_webhook_deliveries_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("endpoint_id", "event_id", name=op.f("uq_webhook_deliveries_endpoint_id_event_id")),
    )
    op.create_index(
        "ix_webhook_deliveries_owed",
        "webhook_deliveries",
        ["next_at", "id"],
        unique=False,
        postgresql_where=sa.text(WAITING),
        sqlite_where=sa.text(WAITING),
    )
    op.create_index("ix_webhook_deliveries_created", "webhook_deliveries", ["created_at", "id"], unique=False)
    op.create_index("ix_webhook_deliveries_endpoint", "webhook_deliveries", ["endpoint_id", "created_at", "id"], unique=False)
    op.create_index("ix_webhook_deliveries_tried", "webhook_deliveries", ["last_try_at"], unique=False)
    op.create_index("ix_webhook_deliveries_case", "webhook_deliveries", ["case_id", "created_at"], unique=False)
    op.create_index("ix_webhook_deliveries_customer", "webhook_deliveries", ["customer_id"], unique=False)


def downgrade() -> None:
    """Drop them: what was still owed is told to nobody."""
    op.drop_table("webhook_deliveries")
    op.drop_table("webhook_endpoints")
    op.drop_column("cases", "hook_sequence")
