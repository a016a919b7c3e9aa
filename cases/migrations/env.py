"""What Alembic runs. The connection is handed over by `cases.schema`; there is no alembic.ini and no offline mode."""

from __future__ import annotations

from alembic import context

from cases import desk_tables, host_tables, ops_tables  # noqa: F401 - their tables belong to the same metadata
from cases.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    render_as_batch=False,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
