"""Staff who sign in by OpenID Connect and with passkeys.

Revision ID: 0029
Revises: 0028
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody is linked yet, and nobody has a passkey."""
    op.create_table(
        "staff_links",
        sa.Column("key", sa.String(64), nullable=False, comment="SHA-256 of issuer and subject"),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.String(255), nullable=False, comment="Address of the provider"),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True, comment="Last sign-in this way"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_links_staff_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_staff_links")),
        sa.UniqueConstraint("staff_id", "issuer", name=op.f("uq_staff_links_staff_id_issuer")),
    )
    op.create_table(
        "staff_passkeys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(64), nullable=False, comment="SHA-256 of the credential's id"),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False, comment="COSE"),
        sa.Column("sign_count", sa.BigInteger(), nullable=False, comment="As the device last said; 0: it does not count"),
        sa.Column("name", sa.String(60), nullable=False, comment="What she calls it"),
        sa.Column("transports", sa.JSON(), nullable=False, comment="How the browser may reach it; a hint"),
        sa.Column("synced", sa.Boolean(), nullable=False, comment="Kept by a service on several devices, says the device"),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "doubted_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Its count went back: there may be a copy. It opens nothing since",
        ),
        sa.CheckConstraint("sign_count >= 0", name=op.f("ck_staff_passkeys_count_never_negative")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_passkeys_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_passkeys")),
        sa.UniqueConstraint("key", name=op.f("uq_staff_passkeys_key")),
    )
    op.create_index(op.f("ix_staff_passkeys_staff_id"), "staff_passkeys", ["staff_id"], unique=False)
    op.create_table(
        "staff_provider_sessions",
        sa.Column("key", sa.String(64), nullable=False, comment="SHA-256 of issuer and session"),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_provider_sessions_staff_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_staff_provider_sessions")),
    )
    op.create_index(op.f("ix_staff_provider_sessions_began_at"), "staff_provider_sessions", ["began_at"], unique=False)
    op.create_table(
        "staff_spent",
        sa.Column("key", sa.String(64), nullable=False, comment="SHA-256 of its kind and text"),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_staff_spent")),
    )
    op.create_index(op.f("ix_staff_spent_until"), "staff_spent", ["until"], unique=False)


def downgrade() -> None:
    """Everybody signs in with password and code again; who has no password needs a reset."""
    op.drop_table("staff_spent")
    op.drop_table("staff_provider_sessions")
    op.drop_index(op.f("ix_staff_passkeys_staff_id"), table_name="staff_passkeys")
    op.drop_table("staff_passkeys")
    op.drop_table("staff_links")
