"""Tickets in the helpdesk: messages owed about referred cases.

Revision ID: 0026
Revises: 0025
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

WAITING = "sent_at IS NULL AND given_up_at IS NULL"


def upgrade() -> None:
    """Nothing is written there until a helpdesk is named in the settings."""
    op.create_table(
        "ticket_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("sink", sa.String(8), nullable=False, comment="web: a JSON body to HELPDESK_URL; mail: to HELPDESK_MAIL"),
        sa.Column("kind", sa.String(10), nullable=False, comment="opened, closed or reopened"),
        sa.Column("number", sa.Integer(), nullable=False, comment="1, 2, 3 ... of this ticket"),
        sa.Column("state", sa.String(40), nullable=False, comment="Of the case, then"),
        sa.Column("reasons", sa.JSON(), nullable=False, comment="Reason codes of the case, then"),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True, comment="Until when a person answers"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False, comment="Not before"),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True, comment="Being sent; nobody else may until then"),
        sa.Column("last_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_code", sa.String(40), nullable=True, comment="Why the last try failed; NULL: it did not"),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_ticket_messages_tries_never_negative")),
        sa.CheckConstraint("sent_at IS NULL OR given_up_at IS NULL", name=op.f("ck_ticket_messages_sent_or_given_up")),
        sa.CheckConstraint("sink IN ('web', 'mail')", name=op.f("ck_ticket_messages_sink_is_known")),
        sa.CheckConstraint("kind IN ('opened', 'closed', 'reopened')", name=op.f("ck_ticket_messages_kind_is_known")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_ticket_messages_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_messages")),
        sa.UniqueConstraint("case_id", "sink", "number", name=op.f("uq_ticket_messages_case_id_sink_number")),
    )
    op.create_index(
        "ix_ticket_messages_owed",
        "ticket_messages",
        ["next_at", "id"],
        unique=False,
        postgresql_where=sa.text(WAITING),
        sqlite_where=sa.text(WAITING),
    )
    op.create_index("ix_ticket_messages_created", "ticket_messages", ["created_at", "id"], unique=False)


def downgrade() -> None:
    """Drop them."""
    op.drop_table("ticket_messages")
