"""What taking many approvals back at once costs, from the second person's yes to the last profile, and how long others wait.

    python -m tests.benchmarks.undo [--cases N] [--postgres URL] [--json FILE]

Cases are approved through the services in earnest (that takes longer than undoing them), then one undo of their policy version is
proposed, confirmed and carried out as upkeep does it. SQLite in a temporary folder unless an empty PostgreSQL database is named.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image
from sqlalchemy import event

from cases import audit, customers, policies, schema, undo
from cases.crypto import Vault
from cases.database import Database
from cases.models import Case, Role
from cases.photo_store import open_store
from cases.settings import Settings
from tests import factories as a

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def picture(seed: int = 0) -> bytes:
    """As `factories.jpeg`, but of a million seeds no two give the same bytes: the same selfie twice goes to a person."""
    drawn = Image.new("RGB", (64, 48), (40, 80, 120))
    for bit in (bit for bit in range(24) if seed >> bit & 1):
        left, top = bit % 6 * 10, bit // 6 * 12
        drawn.paste((250, 250, 250), (left, top, left + 9, top + 11))
    out = io.BytesIO()
    drawn.save(out, "JPEG", quality=80)
    return out.getvalue()


a.jpeg = picture

EACH = 50
"""Cases approved in one transaction."""


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--postgres", help="SQLAlchemy address of an empty database")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), undo_seconds=0).completed()
        url = options.postgres or f"sqlite:///{folder}/undo.db"
        info = {
            "settings": settings, "vault": Vault({1: bytes(range(32))}), "photos": open_store(f"file://{folder}/photos"),
        }  # fmt: skip
        database = Database(url, info=info)
        with database.engine.begin() as connection:
            schema.upgrade(connection)
        with database.transaction() as session:
            policies.install_shipped(session, now=NOW)
            ops, lead = (a.a_member(session, role, now=NOW) for role in (Role.OPS, Role.LEAD))
        begun = time.perf_counter()
        for start in range(0, options.cases, EACH):
            with database.transaction() as session:
                ids = [a.an_approved(session, now=NOW).id for _ in range(min(EACH, options.cases - start))]
        print(f"{options.cases:,} cases approved in {time.perf_counter() - begun:.0f} s")
        begun = time.perf_counter()
        with database.transaction() as session:
            shown = undo.preview(session, undo.Selection(version=1))
        looked = time.perf_counter() - begun
        with database.transaction() as session:
            undo_id = undo.propose(session, undo.Selection(version=1), by=ops, reason="Too lenient.", now=NOW).id
        with database.transaction() as session:
            undo.confirm(session, undo_id, by=lead, now=NOW)
        statements = 0

        @event.listens_for(database.engine, "after_cursor_execute")
        def count(*_args: object) -> None:
            nonlocal statements
            statements += 1

        begun, spent, longest = time.perf_counter(), time.process_time(), 0.0
        while True:
            before = time.perf_counter()
            if not undo.carry_out(database, now=NOW, most=undo.BATCH):
                break
            longest = max(longest, time.perf_counter() - before)
        seconds, cpu = time.perf_counter() - begun, time.process_time() - spent
        each = statements / options.cases
        with database.reading() as session:
            standing = undo.standing(session, undo_id)
            back = customers.current_profile(session, session.get_one(Case, ids[-1]).customer)[0] == a.PROFILE
            whole = audit.verify(session).ok
        database.dispose()
    assert shown.count == options.cases and standing.outcomes == {"requeued": options.cases} and back and whole
    result = {
        "cases": options.cases, "seconds": seconds, "cpu_seconds": cpu, "statements_each": each, "longest_batch": longest,
        "preview_seconds": looked,
    }  # fmt: skip
    print(
        f"{options.cases:,} approvals undone in {seconds:.1f} s ({cpu:.1f} CPU s), {seconds / options.cases * 1000:.1f} ms each, "
        f"{each:.1f} statements each; longest transaction {longest:.2f} s; preview {looked:.2f} s; the trail verifies"
    )
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
