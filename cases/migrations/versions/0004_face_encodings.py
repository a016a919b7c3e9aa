"""Sealed encodings of faces, where a deployment compares them across accounts.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and the indexes."""
    op.create_table(
        "face_encodings",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("data_key_id", sa.Uuid(), nullable=False),
        sa.Column(
            "code_sealed", sa.LargeBinary(), nullable=False, comment="Encodings of the selfie's face, under the case's key"
        ),
        sa.Column(
            "candidates", sa.JSON(), nullable=False, comment="Cases of other customers with a face like it: ids and numbers"
        ),
        sa.Column("searched", sa.Integer(), nullable=False, comment="Faces it was compared with"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("searched >= 0", name=op.f("ck_face_encodings_searched_never_negative")),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_face_encodings_case_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_face_encodings_customer_id")),
        sa.ForeignKeyConstraint(["data_key_id"], ["data_keys.id"], name=op.f("fk_face_encodings_data_key_id")),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_face_encodings")),
    )
    op.create_index(op.f("ix_face_encodings_customer_id"), "face_encodings", ["customer_id"], unique=False)
    op.create_index(op.f("ix_photos_sha256"), "photos", ["sha256"], unique=False)


def downgrade() -> None:
    """Drop it, with its rows."""
    op.drop_index(op.f("ix_photos_sha256"), table_name="photos")
    op.drop_table("face_encodings")
