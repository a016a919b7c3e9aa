"""Links by which a customer goes on with a case on her phone, and what she sent after her session had ended.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and their indexes."""
    op.create_table(
        "device_links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column(
            "token_hash", sa.String(length=64), nullable=False, comment="SHA-256 of the token; the token itself is nowhere"
        ),
        sa.Column("browser", sa.String(length=20), nullable=False, comment="Code of the browser it was made in"),
        sa.Column("system", sa.String(length=20), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="What stands on the screen where it was made"),
        sa.Column("offered", sa.JSON(), nullable=False, comment="The three numbers that the phone shows, in its order"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="To be opened and confirmed before"),
        sa.Column(
            "opened_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="A person on a second device said that she made it",
        ),
        sa.Column(
            "phone_hash",
            sa.String(length=64),
            nullable=True,
            comment="SHA-256 of the key that only this phone has",
        ),
        sa.Column("phone_browser", sa.String(length=20), nullable=True),
        sa.Column("phone_system", sa.String(length=20), nullable=True),
        sa.Column(
            "confirmed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The right number was chosen: the phone is connected",
        ),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True, comment="The last sign of the connected phone"),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_why", sa.String(length=20), nullable=True, comment="A code of cases.device_links.ENDS"),
        sa.CheckConstraint("number BETWEEN 10 AND 99", name=op.f("ck_device_links_number_has_two_digits")),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_device_links_time_to_open")),
        sa.CheckConstraint("(opened_at IS NULL) = (phone_hash IS NULL)", name=op.f("ck_device_links_opened_by_one_device")),
        sa.CheckConstraint("confirmed_at IS NULL OR opened_at IS NOT NULL", name=op.f("ck_device_links_opened_before_confirmed")),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_why IS NULL)", name=op.f("ck_device_links_an_end_has_its_reason")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_device_links_case_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_device_links_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_device_links_token_hash")),
    )
    op.create_index(
        "one_live_device_link_per_case",
        "device_links",
        ["case_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
        sqlite_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(op.f("ix_device_links_case_id"), "device_links", ["case_id"], unique=False)
    op.create_index("ix_device_links_customer_id_ended_at", "device_links", ["customer_id", "ended_at"], unique=False)
    op.create_table(
        "unsent_forms",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True, comment="The case it was meant for, if there was one"),
        sa.Column(
            "form_sealed", sa.LargeBinary(), nullable=False, comment="Address and fields as JSON, under the customer's key"
        ),
        sa.Column("photo_sealed", sa.LargeBinary(), nullable=True, comment="A photo as it was sent, under the customer's key"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_unsent_forms_time_to_come_back")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_unsent_forms_case_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_unsent_forms_customer_id")),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_unsent_forms")),
    )
    op.create_index(op.f("ix_unsent_forms_expires_at"), "unsent_forms", ["expires_at"], unique=False)


def downgrade() -> None:
    """Drop both, with their rows."""
    op.drop_table("unsent_forms")
    op.drop_table("device_links")
