"""The tables of operations: ramps, undone approvals, records to replay, switches, exports. See `cases.models` for the rest.

Nothing of a person stands here: codes, numbers, ids and times.
"""

from __future__ import annotations

from cases.models import Base

APPEND_ONLY: tuple[type[Base], ...] = ()
"""Tables of this file whose rows nobody may change or delete. Keep it last."""
