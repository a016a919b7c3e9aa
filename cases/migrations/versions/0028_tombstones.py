"""Who was erased, so that a restored backup forgets them again.

Revision ID: 0028
Revises: 0027
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

OPEN = "finished_at IS NULL AND cancelled_at IS NULL"


def upgrade() -> None:
    """Two new tables; nobody was erased as a whole before."""
    op.create_table(
        "erasures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False, comment="Keyed hash of the host system's id"),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("asked_by", sa.String(length=20), nullable=False, comment="Kind of actor, as in the trail"),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("holds", sa.JSON(), nullable=False, comment="cases.privacy.HOLDS, as of the last look"),
        sa.Column(
            "not_before",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the last hold is over; NULL: none, or a person settles one",
        ),
        sa.Column("counts", sa.JSON(), nullable=False, comment="What went: rows by table"),
        sa.Column(
            "done_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Keys destroyed, columns emptied: nothing can be read",
        ),
        sa.Column(
            "finished_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Ciphertext and mails kept as files are gone as well",
        ),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("reason IN ('wish', 'account_closed', 'order')", name=op.f("ck_erasures_reason_is_known")),
        sa.CheckConstraint("done_at IS NULL OR cancelled_at IS NULL", name=op.f("ck_erasures_done_or_cancelled")),
        sa.CheckConstraint("finished_at IS NULL OR done_at IS NOT NULL", name=op.f("ck_erasures_keys_before_blobs")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_erasures_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_index(
        "one_erasure_per_customer",
        "erasures",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("cancelled_at IS NULL"),
        sqlite_where=sa.text("cancelled_at IS NULL"),
    )
    op.create_index(
        "ix_erasures_unfinished",
        "erasures",
        ["not_before"],
        unique=False,
        postgresql_where=sa.text(OPEN),
        sqlite_where=sa.text(OPEN),
    )
    op.create_index(op.f("ix_erasures_account"), "erasures", ["account"], unique=False)
    op.create_table(
        "tombstones",
        sa.Column("subject", sa.String(length=64), nullable=False, comment="Keyed hash of kind and id"),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="When it was erased"),
        sa.Column(
            "written_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="It stands in the file outside the database, too",
        ),
        sa.CheckConstraint("kind IN ('person', 'case')", name=op.f("ck_tombstones_kind_is_known")),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_tombstones")),
    )
    op.create_index(
        "ix_tombstones_unwritten",
        "tombstones",
        ["at"],
        unique=False,
        postgresql_where=sa.text("written_at IS NULL"),
        sqlite_where=sa.text("written_at IS NULL"),
    )


def downgrade() -> None:
    """Drop them. What was erased stays erased; the file of tombstones stays too."""
    op.drop_table("tombstones")
    op.drop_table("erasures")
