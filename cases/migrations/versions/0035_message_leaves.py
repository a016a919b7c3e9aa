"""Messages of agents and wishes for papers that have not left yet.

Revision ID: 0035
Revises: 0034
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_WAITING_WISH = "state = 'waiting' AND kind = 'wish'"
_UNTOLD = "state = 'dropped' AND told_at IS NULL"


def _words(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def upgrade() -> None:
    """Nothing waits yet: what was written before has left."""
    op.create_table(
        "outgoing",
        sa.Column(
            "id", sa.Uuid(), nullable=False, comment="Of a message: drawn with the form, and the message's own when it leaves"
        ),
        sa.Column("kind", _words("outgoingkind", "message", "wish"), nullable=False),
        sa.Column("state", _words("outgoingstate", "waiting", "left", "taken_back", "dropped"), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False, comment="Its writer"),
        sa.Column("data_key_id", sa.Uuid(), nullable=False, comment="Of the case"),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=True, comment="The words, UTF-8 under the case's key"),
        sa.Column(
            "photo_sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="A message's photo, under the case's key; a blob once it leaves",
        ),
        sa.Column("papers", sa.JSON(), nullable=False, comment="Kinds of papers wished for"),
        sa.Column(
            "case_version",
            sa.Integer(),
            nullable=False,
            comment="Of the case when it was given: a wish for another state never leaves",
        ),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False, comment="It may be taken back before; it leaves after"),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True, comment="Left, taken back or dropped"),
        sa.Column(
            "why",
            _words("dropped", "customer_wrote", "case_changed", "case_closed", "account_closed", "failed"),
            nullable=True,
            comment="Why it never left",
        ),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True, comment="Its writer has read that it never left"),
        sa.CheckConstraint("until >= given_at", name=op.f("ck_outgoing_time_to_take_back")),
        sa.CheckConstraint("(ended_at IS NULL) = (state = 'waiting')", name=op.f("ck_outgoing_ended_exactly_when_over")),
        sa.CheckConstraint("(why IS NULL) = (state <> 'dropped')", name=op.f("ck_outgoing_dropped_for_a_reason")),
        sa.CheckConstraint("photo_sealed IS NULL OR kind = 'message'", name=op.f("ck_outgoing_only_messages_bring_photos")),
        sa.CheckConstraint(
            "(text_sealed IS NULL AND photo_sealed IS NULL) OR state IN ('waiting', 'dropped')",
            name=op.f("ck_outgoing_nothing_is_kept_twice"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_outgoing_case_id")),
        sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name=op.f("fk_outgoing_data_key_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_outgoing_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing")),
    )
    op.create_index("ix_outgoing_case", "outgoing", ["case_id", "given_at"], unique=False)
    op.create_index("ix_outgoing_staff", "outgoing", ["staff_id", "given_at"], unique=False)
    op.create_index("ix_outgoing_until", "outgoing", ["state", "until"], unique=False)
    op.create_index(
        "one_waiting_wish_per_case",
        "outgoing",
        ["case_id"],
        unique=True,
        postgresql_where=sa.text(_WAITING_WISH),
        sqlite_where=sa.text(_WAITING_WISH),
    )
    for table in ("answers", "outgoing"):
        op.create_index(
            f"ix_{table}_untold",
            table,
            ["staff_id", "given_at"],
            unique=False,
            postgresql_where=sa.text(_UNTOLD),
            sqlite_where=sa.text(_UNTOLD),
        )


def downgrade() -> None:
    """What waits does not leave."""
    for table in ("outgoing", "answers"):
        op.drop_index(f"ix_{table}_untold", table_name=table)
    op.drop_index("one_waiting_wish_per_case", table_name="outgoing")
    op.drop_index("ix_outgoing_until", table_name="outgoing")
    op.drop_index("ix_outgoing_staff", table_name="outgoing")
    op.drop_index("ix_outgoing_case", table_name="outgoing")
    op.drop_table("outgoing")
