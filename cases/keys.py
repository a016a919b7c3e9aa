"""Master keys: which data keys each one wraps, and wrapping all of them anew while everything goes on.

Only the wrapping changes: 32 bytes of each data key, never what it seals. So a rotation is short, may be cut off anywhere and
be gone on with, and nobody waits for it: each batch locks some rows of `data_keys` for milliseconds. See docs/operations.md for
the order of steps: a key is made known to every process before one wraps with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases import audit
from cases.crypto import vault_of
from cases.database import Database
from cases.models import DataKey

BATCH = 200
"""Data keys wrapped in one transaction: some 5 ms of work, so that no writer notices."""


@dataclass(frozen=True, kw_only=True)
class KeyCount:
    """One master key, by version."""

    version: int
    keys: int  # data keys that are wrapped by it
    known: bool  # it stands in MASTER_KEYS
    newest: bool  # new data keys are wrapped by it

    @property
    def may_go(self) -> bool:
        """Whether nothing needs it any more, but older backups."""
        return not self.newest and self.keys == 0


def status(session: Session) -> tuple[KeyCount, ...]:
    """Every master key that is known or that wraps something, the oldest first. Changes nothing."""
    vault = vault_of(session)
    rows = session.execute(
        select(DataKey.master_version, func.count()).where(DataKey.wrapped.is_not(None)).group_by(DataKey.master_version)
    )
    counts = {version: count for version, count in rows.all()}
    return tuple(
        KeyCount(version=version, keys=counts.get(version, 0), known=version in vault.versions, newest=version == vault.newest)
        for version in sorted({*counts, *vault.versions})
    )


def rotate(database: Database, *, now: datetime, batch: int = BATCH, most: int | None = None) -> int:
    """Wrap data keys of other versions under the newest, a batch in each transaction; returns how many. May be repeated.

    A key that somebody else has locked is left for the next round, so the last word is `status`. `most` ends it early.
    """
    total = 0
    while most is None or total < most:
        with database.transaction() as session:
            vault = vault_of(session)
            count = vault.rewrap(session, limit=batch if most is None else min(batch, most - total))
            if count:
                audit.record(session, "keys_rewrapped", actor=audit.SYSTEM, now=now, count=count, master_version=vault.newest)
        total += count
        if not count:
            break
    return total
