"""What became of each photo that was sent: an upload sent twice is kept once and answered alike.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "uploads",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False, comment="Made by the phone, once for each photo chosen"),
        sa.Column(
            "number", sa.Integer(), nullable=False, comment="1, 2, 3 … of the case, in the order in which they were answered"
        ),
        sa.Column(
            "kind",
            sa.Enum("selfie", "document", "on_file", name="photokind", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="Submissions before it came"),
        sa.Column("sha256", sa.String(length=64), nullable=False, comment="Of the bytes as sent"),
        sa.Column("photo_id", sa.Uuid(), nullable=True, comment="The photo that was kept; NULL: refused"),
        sa.Column("codes", sa.JSON(), nullable=False, comment="Reason codes, why it was refused or what it was kept despite"),
        sa.Column("same", sa.Boolean(), nullable=False, comment="She was told that it is the photo refused before"),
        sa.Column(
            "look_sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="Perceptual fingerprint under the case's key; NULL where the file was no picture",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number >= 1 AND attempt >= 0", name=op.f("ck_uploads_counts_never_negative")),
        sa.CheckConstraint("kind IN ('document', 'selfie')", name=op.f("ck_uploads_of_what_customers_send")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_uploads_case_id")),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name=op.f("fk_uploads_photo_id")),
        sa.PrimaryKeyConstraint("case_id", "id", name=op.f("pk_uploads")),
        sa.UniqueConstraint("case_id", "number", name=op.f("uq_uploads_case_id_number")),
    )


def downgrade() -> None:
    """Drop it, with its rows."""
    op.drop_table("uploads")
