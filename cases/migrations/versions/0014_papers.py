"""Supporting papers: what an agent asks for or a customer adds, and until when a case waits for them.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table with its indexes, and one for the cases that wait for a paper (the column came with the queue)."""
    op.create_table(
        "papers",
        sa.Column("id", sa.Uuid(), nullable=False, comment="Drawn with the form: sent twice, kept once"),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("data_key_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "marriage_certificate",
                "divorce_certificate",
                "name_change_certificate",
                "earlier_passports",
                "family_status",
                "registration",
                name="paperkind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by_id", sa.Uuid(), nullable=True, comment="NULL: she sent it by herself"),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The case waits for it no longer than this; it is taken later, too",
        ),
        sa.Column(
            "words_sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="The agent's words, UTF-8 under the case's key; NULL: none, or shredded",
        ),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True, comment="The agent needs it no longer"),
        sa.Column("declined_at", sa.DateTime(timezone=True), nullable=True, comment="She says that she cannot send it"),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blob", sa.String(length=32), nullable=True, comment="32 hex digits, random; the name in the store"),
        sa.Column("sha256", sa.String(length=64), nullable=True, comment="Of the clear bytes"),
        sa.Column("size", sa.Integer(), nullable=True, comment="Clear bytes"),
        sa.Column("accepted_despite", sa.JSON(), nullable=False, comment="Problems she was told of and sent it anyway"),
        sa.Column("rung_at", sa.DateTime(timezone=True), nullable=True, comment="When a worker was last rung to read it"),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True, comment="Being read; nobody else may until then"),
        sa.Column("tries", sa.Integer(), nullable=False, comment="Readings begun; one with an older number may not write"),
        sa.Column(
            "read_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Nothing is left to read: read, given up, or of a kind no machine reads",
        ),
        sa.Column(
            "readings_sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="verification.papers.SupportingReading as JSON, under the case's key",
        ),
        sa.Column("sights", sa.JSON(), nullable=False, comment="cases.supporting.Sight: what an agent saw on it"),
        sa.Column("seen_by_id", sa.Uuid(), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True, comment="When those were ticked last"),
        sa.Column("shredded_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(asked_at IS NULL) = (until IS NULL)", name=op.f("ck_papers_a_wish_has_its_end")),
        sa.CheckConstraint("(asked_by_id IS NULL) = (asked_at IS NULL)", name=op.f("ck_papers_a_wish_has_its_agent")),
        sa.CheckConstraint(
            "(blob IS NULL) = (received_at IS NULL) AND (sha256 IS NULL) = (received_at IS NULL)",
            name=op.f("ck_papers_a_picture_exactly_when_received"),
        ),
        sa.CheckConstraint("(seen_at IS NULL) = (seen_by_id IS NULL)", name=op.f("ck_papers_a_look_has_its_agent")),
        sa.CheckConstraint("asked_at IS NOT NULL OR received_at IS NOT NULL", name=op.f("ck_papers_asked_for_or_sent")),
        sa.CheckConstraint("read_at IS NULL OR received_at IS NOT NULL", name=op.f("ck_papers_only_what_came_is_read")),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_papers_tries_never_negative")),
        sa.ForeignKeyConstraint(["asked_by_id"], ["staff.id"], name=op.f("fk_papers_asked_by_id")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_papers_case_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_papers_customer_id")),
        sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name=op.f("fk_papers_data_key_id")),
        sa.ForeignKeyConstraint(["seen_by_id"], ["staff.id"], name=op.f("fk_papers_seen_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_papers")),
        sa.UniqueConstraint("blob", name=op.f("uq_papers_blob")),
    )
    op.create_index("ix_papers_case", "papers", ["case_id", "created_at"], unique=False)
    op.create_index(op.f("ix_papers_customer_id"), "papers", ["customer_id"], unique=False)
    op.create_index(
        "ix_papers_unread",
        "papers",
        ["received_at"],
        unique=False,
        postgresql_where=sa.text("received_at IS NOT NULL AND read_at IS NULL"),
        sqlite_where=sa.text("received_at IS NOT NULL AND read_at IS NULL"),
    )
    op.create_index(
        "ix_cases_awaiting_until",
        "cases",
        ["awaiting_until"],
        unique=False,
        postgresql_where=sa.text("awaiting_until IS NOT NULL"),
        sqlite_where=sa.text("awaiting_until IS NOT NULL"),
    )


def downgrade() -> None:
    """Drop them; the blobs of papers become orphans and go with the next clearing."""
    op.drop_index("ix_cases_awaiting_until", table_name="cases")
    op.drop_table("papers")
