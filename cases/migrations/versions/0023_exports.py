"""Searching and exporting the audit trail by kind, person and time.

Revision ID: 0023
Revises: 0022
"""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_events_at": ["at", "id"],
    "ix_events_kind": ["kind", "at", "id"],
    "ix_events_actor": ["actor_id", "at", "id"],
    "ix_events_actor_kind": ["actor_kind", "at", "id"],
    "ix_events_customer": ["customer_id", "at", "id"],
}


def upgrade() -> None:
    """Add the indexes; rows of the trail stay as they are."""
    for name, columns in INDEXES.items():
        op.create_index(name, "events", columns, unique=False)


def downgrade() -> None:
    """Drop them."""
    for name in INDEXES:
        op.drop_index(name, table_name="events")
