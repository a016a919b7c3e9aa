"""What a replay of a policy over many past runs costs: seconds of the clock and of the processor, and memory.

    python -m tests.benchmarks.replay [--runs N] [--postgres URL] [--json FILE]

Runs of many kinds (drawn, of nobody) are written straight into `run_records`, each tenth of a case that a person refused; then
`cases.replays.replay` decides all of them under the policy that holds and under another one. SQLite in a temporary folder unless
an empty PostgreSQL database is named.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy import create_engine, insert, text

from cases import replays, schema
from cases.database import Database
from cases.models import Case, Customer, DataKey, ProfileVersion, Run
from cases.ops_tables import RunRecord
from tests import factories as a
from verification.policy import SHIPPED

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def drawn(count: int) -> np.ndarray:
    """Rows of `count` runs: similarities, confidences and outcomes as they might fall."""
    dice = np.random.default_rng(7)
    session_free = a.good_measures()
    case = Case(id=UUID(int=1), locale="ru", country="UTO")
    run = Run(id=UUID(int=2), attempt=1, outcome="approve", policy_version=1)
    one = np.frombuffer(replays.packed_row(run, case, session_free, standing=(), sex="F", age=3), replays.ROW)
    rows = np.repeat(one, count)
    rows["run"]["similarity"] = dice.normal(9.0, 2.0, (count, 3))
    rows["run"]["confidence"] = np.where(dice.random((count, 1)) < 0.1, 0.5, rows["run"]["confidence"])
    rows["run"]["days_to_expiry"] = dice.integers(-50, 3000, count)
    rows["sex"] = dice.choice([b"F", b"M"], count)
    rows["age_band"] = dice.integers(1, 8, count)
    rows["country"] = dice.choice([b"RUS", b"KAZ", b"ESP", b"MEX"], count)
    rows["locale"] = dice.choice([b"ru", b"kk", b"es", b"en"], count)
    raw = dice.bytes(32 * count)
    rows["run_id"] = np.frombuffer(raw[: 16 * count], "S16")
    rows["case_id"] = np.frombuffer(raw[16 * count :], "S16")
    return rows


def fill(url: str, rows: np.ndarray) -> None:
    """Write them, and the refused cases among them, past the services: what is measured is the replay."""
    size = replays.ROW.itemsize
    whole = rows.tobytes()
    engine = create_engine(url)  # a plain one: on SQLite it asks for no foreign keys
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = replica"))
        key, customer, version = uuid4(), uuid4(), uuid4()
        connection.execute(insert(DataKey).values(id=key, wrapped=b"x", master_version=1, created_at=NOW))
        connection.execute(insert(Customer).values(id=customer, external_id="x", locale="ru", data_key_id=key, created_at=NOW))
        connection.execute(
            insert(ProfileVersion).values(
                id=version, customer_id=customer, number=1, source="host", profile_sealed=b"x", created_at=NOW
            )
        )
        for start in range(0, len(rows), 10_000):
            part = range(start, min(start + 10_000, len(rows)))
            connection.execute(
                insert(RunRecord),
                [
                    {
                        "run_id": replays._uuid(rows["run_id"][n]),
                        "finished_at": NOW - timedelta(days=30) + timedelta(seconds=n),
                        "packed": whole[n * size : (n + 1) * size],
                    }
                    for n in part
                ],
            )
            refused = [n for n in part if n % 10 == 0]
            connection.execute(
                insert(Case),
                [
                    {
                        "id": replays._uuid(rows["case_id"][n]), "customer_id": customer, "state": "rejected", "locale": "ru",
                        "change_reason": "marriage", "data_key_id": key, "base_version_id": version, "opened_at": NOW,
                        "updated_at": NOW, "closed_at": NOW, "consented_at": NOW,
                    }
                    for n in refused
                ],
            )  # fmt: skip


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--postgres", help="SQLAlchemy address of an empty database")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = options.postgres or f"sqlite:///{folder}/replay.db"
        database = Database(url)
        with database.engine.begin() as connection:
            schema.upgrade(connection)
        begun = time.perf_counter()
        fill(url, drawn(options.runs))
        print(f"{options.runs:,} runs written in {time.perf_counter() - begun:.1f} s")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        held, stricter = replace(SHIPPED, version=1), replace(SHIPPED, version=2, min_selfie_document=7.5)
        found = []
        for _ in range(3):
            begun, spent = time.perf_counter(), time.process_time()
            with database.reading() as session:
                answer, wrong = replays.replay(
                    session, stricter, against=held, since=NOW - timedelta(days=60), until=NOW + timedelta(days=60)
                )
            found.append((time.perf_counter() - begun, time.process_time() - spent))
        database.dispose()
    result = {
        "runs": answer.runs,
        "seconds": min(clock for clock, _ in found),
        "cpu_seconds": min(cpu for _, cpu in found),
        "memory_mib_above": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
        "flows": answer.flows,
        "wrong": len(wrong),
    }
    print(
        f"replayed {answer.runs:,} runs: {result['seconds']:.1f} s, {result['cpu_seconds']:.1f} CPU s, "
        f"{answer.runs / result['seconds']:,.0f} runs/s; {answer.moved:,} would move; {answer.skipped} skipped"
    )
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
