"""The host system's API: keys, answers kept for a repeated request; customers of the sandbox; the way back to the host.

Revision ID: 0024
Revises: 0023
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and columns; every customer there is is a live one."""
    op.add_column(
        "customers",
        sa.Column(
            "sandbox",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="Nobody: written with a test key, and seen by test keys alone",
        ),
    )
    op.create_index(
        "ix_customers_sandbox",
        "customers",
        ["id"],
        unique=False,
        postgresql_where=sa.text("sandbox"),
        sqlite_where=sa.text("sandbox = 1"),
    )
    op.add_column(
        "links",
        sa.Column("locale", sa.String(8), nullable=True, comment="In which the portal speaks to her; NULL: as her account says"),
    )
    op.add_column(
        "links",
        sa.Column(
            "return_sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="Where the portal leads her back to, under the customer's key; NULL: nowhere",
        ),
    )
    op.add_column(
        "customer_sessions",
        sa.Column(
            "return_sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="The way back to the host that she came from, under her key; NULL: none",
        ),
    )
    op.create_index("ix_cases_opened", "cases", ["opened_at", "id"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False, comment="What it is for, in the words of whoever made it"),
        sa.Column("mode", sa.String(8), nullable=False, comment="live, or test: sees sandbox customers alone"),
        sa.Column("scopes", sa.JSON(), nullable=False, comment="Of cases.api_keys.SCOPES"),
        sa.Column("return_origins", sa.JSON(), nullable=False, comment="Where hand-over links of this key may lead back to"),
        sa.Column("token_hash", sa.String(64), nullable=False, comment="SHA-256 of the token; the token itself is nowhere"),
        sa.Column("hint", sa.String(8), nullable=False, comment="Its last four characters"),
        sa.Column("data_key_id", sa.Uuid(), nullable=False, comment="Seals kept answers that are no customer's"),
        sa.Column("created_by_id", sa.Uuid(), nullable=True, comment="NULL: by a command"),
        sa.Column("replaces_id", sa.Uuid(), nullable=True, comment="Whose successor it is"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True, comment="To the minute"),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("mode IN ('live', 'test')", name=op.f("ck_api_keys_mode_is_known")),
        sa.CheckConstraint("expires_at IS NULL OR expires_at > created_at", name=op.f("ck_api_keys_time_to_be_used")),
        sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name=op.f("fk_api_keys_data_key_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["staff.id"], name=op.f("fk_api_keys_created_by_id")),
        sa.ForeignKeyConstraint(["replaces_id"], ["api_keys.id"], name=op.f("fk_api_keys_replaces_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_keys_token_hash")),
    )
    op.create_table(
        "api_answers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False, comment="Keyed hash of the Idempotency-Key"),
        sa.Column("request_hash", sa.String(64), nullable=False, comment="Keyed hash of method, path and body"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True, comment="NULL: only within the transaction that makes it"),
        sa.Column(
            "data_key_id", sa.Uuid(), nullable=True, comment="The customer's, so that it goes with her; else the key's own"
        ),
        sa.Column("answer_sealed", sa.LargeBinary(), nullable=True, comment="Headers and body as JSON"),
        sa.CheckConstraint("(status IS NULL) = (answer_sealed IS NULL)", name=op.f("ck_api_answers_answered_whole")),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_api_answers_key_id")),
        sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name=op.f("fk_api_answers_data_key_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_answers")),
        sa.UniqueConstraint("key_id", "subject", name=op.f("uq_api_answers_key_id_subject")),
    )
    op.create_index("ix_api_answers_expires_at", "api_answers", ["expires_at"], unique=False)


def downgrade() -> None:
    """Drop them; no key opens anything any more."""
    op.drop_table("api_answers")
    op.drop_table("api_keys")
    op.drop_index("ix_cases_opened", table_name="cases")
    op.drop_column("customer_sessions", "return_sealed")
    op.drop_column("links", "return_sealed")
    op.drop_column("links", "locale")
    op.drop_index("ix_customers_sandbox", table_name="customers")
    op.drop_column("customers", "sandbox")
