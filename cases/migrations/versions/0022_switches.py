"""The switch of automatic decisions for one country, kind of document or check; what the figures of a day are read from.

Revision ID: 0022
Revises: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What there is speaks of everything."""
    with op.batch_alter_table("automation_switches") as table:
        table.add_column(
            sa.Column(
                "scope",
                sa.String(40),
                nullable=False,
                server_default="all",
                comment="cases.switches.Scope: all, or a country, document, check",
            )
        )
        table.create_check_constraint(
            op.f("ck_automation_switches_scope_is_known"),
            "scope = 'all' OR substr(scope, 1, 8) = 'country:' OR substr(scope, 1, 9) = 'document:'"
            " OR scope IN ('check:liveness', 'check:zone', 'check:print', 'check:on_file')",
        )
    op.create_index("ix_automation_switches_scope", "automation_switches", ["scope", "effective_at"], unique=False)
    op.create_index("ix_runs_finished", "runs", ["finished_at", "state", "outcome", "seconds"], unique=False)
    op.create_index("ix_dispositions_created", "dispositions", ["created_at", "action"], unique=False)
    op.create_index("ix_cases_submitted", "cases", ["submitted_at"], unique=False)


def downgrade() -> None:
    """Narrower switches are not known there: refuse while one is on, so that nothing is decided by the machine unasked."""
    newest = (
        "SELECT scope FROM automation_switches a WHERE scope <> 'all' AND to_people AND effective_at ="
        " (SELECT max(effective_at) FROM automation_switches b WHERE b.scope = a.scope)"
    )
    if op.get_bind().execute(sa.text(newest)).first() is not None:
        raise RuntimeError(
            "a switch for a country, document or check is on: open it, or send everything to people, and open it then"
        )
    op.execute("DELETE FROM automation_switches WHERE scope <> 'all'")
    op.drop_index("ix_cases_submitted", table_name="cases")
    op.drop_index("ix_dispositions_created", table_name="dispositions")
    op.drop_index("ix_runs_finished", table_name="runs")
    op.drop_index("ix_automation_switches_scope", table_name="automation_switches")
    with op.batch_alter_table("automation_switches") as table:
        table.drop_constraint(op.f("ck_automation_switches_scope_is_known"), type_="check")
        table.drop_column("scope")
