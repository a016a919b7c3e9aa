"""Failures that a person set aside; and indexes by which what was given up is counted.

Revision ID: 0034
Revises: 0033
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_GIVEN_UP = {
    "ix_notifications_given_up": ("notifications", "given_up_at", "given_up_at IS NOT NULL"),
    "ix_staff_mails_given_up": ("staff_mails", "given_up_at", "given_up_at IS NOT NULL"),
    "ix_webhook_deliveries_given_up": ("webhook_deliveries", "given_up_at", "given_up_at IS NOT NULL"),
    "ix_ticket_messages_given_up": ("ticket_messages", "given_up_at", "given_up_at IS NOT NULL"),
    "ix_papers_given_up": ("papers", "read_at", "read_at IS NOT NULL AND readings_sealed IS NULL AND tries > 0"),
}


def upgrade() -> None:
    """Nothing has been set aside yet."""
    op.create_table(
        "failures_set_aside",
        sa.Column("kind", sa.String(20), nullable=False, comment="Of cases.backlog.Failed, what can be tried again"),
        sa.Column("thing_id", sa.Uuid(), nullable=False, comment="Its row, by kind. No foreign key: webhooks go after 30 days"),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False, comment="When it was given up"),
        sa.Column("why", sa.String(20), nullable=False, comment="cases.backlog.Why"),
        sa.Column("by_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('notification', 'staff_mail', 'paper', 'webhook', 'ticket')",
            name=op.f("ck_failures_set_aside_kind_is_known"),
        ),
        sa.CheckConstraint(
            "why IN ('told', 'outdated', 'unreachable', 'mistake')", name=op.f("ck_failures_set_aside_why_is_known")
        ),
        sa.ForeignKeyConstraint(["by_id"], ["staff.id"], name=op.f("fk_failures_set_aside_by_id")),
        sa.PrimaryKeyConstraint("kind", "thing_id", "failed_at", name=op.f("pk_failures_set_aside")),
    )
    op.create_index("ix_failures_set_aside_at", "failures_set_aside", ["at"], unique=False)
    for name, (table, column, which) in _GIVEN_UP.items():
        op.create_index(name, table, [column], unique=False, postgresql_where=sa.text(which), sqlite_where=sa.text(which))


def downgrade() -> None:
    """What was set aside counts as failed again."""
    for name, (table, _column, _which) in _GIVEN_UP.items():
        op.drop_index(name, table_name=table)
    op.drop_index("ix_failures_set_aside_at", table_name="failures_set_aside")
    op.drop_table("failures_set_aside")
