"""What the ops page "Now" costs among a million runs.

    bin/bench now [--runs N ...] [--on sqlite postgresql] [--days D] [--turns N] [--json FILE]

Databases are made and filled as `bin/bench desk` does (cases of nobody, an account for every two), with runs, agents' answers and
mails besides: N cases of the last D days, each with a finished run (60 % approved, 25 % to a person, 15 % a photo again; measures
of some 1.2 kB, as real ones are, and the seconds of its steps), an answer of an agent for each that went to a person, one in two
hundred runs taken back, two mails sent for each case. A page is asked for through the application by an analyst who is signed in,
without a network.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select, text

from cases import nowfigures, switches
from cases.database import Database
from cases.models import Event, Role, Staff
from tests import factories
from tests.benchmarks import desk
from tests.benchmarks.desk import REASONS, Statements, postgres, timed
from tests.conftest import NOW, prepare, settings_in
from tests.webapp.staff_fixtures import make_office

SIZES = (1_000_000,)
DAYS = 365
"""A million cases a year: 2 740 a day, which is what the five windows hold."""
TURNS = 40
TARGET_MS = 100.0
"""Half of all pages, at a million runs on PostgreSQL."""


@dataclass
class Lived(desk.Made):
    """As the desk's, but spread evenly over `days`, with what the figures are made of."""

    days: int = DAYS

    def _case(self, n: int, waiting: int, who: UUID, version: UUID) -> dict[str, Any]:
        row = super()._case(n, waiting, who, version)
        opened = NOW - timedelta(seconds=self.chance.randrange(60, 26 * 3600 if n < waiting else self.days * 86_400))
        row |= {"opened_at": opened, "consented_at": opened, "submitted_at": opened, "updated_at": opened}
        for name, after in (("referred_at", 10), ("closed_at", 45)):
            if row[name] is not None:
                row[name] = opened + timedelta(seconds=after + self.chance.randrange(30))
        row["due_at"] = row["due_at"] and opened + timedelta(hours=24)
        row["shredded_at"] = None
        self.cases[-1] = (row["id"], who, row["data_key_id"], opened, row["closed_at"] is not None)
        return row

    def runs(self) -> Iterator[dict[str, Any]]:
        self.answered: list[tuple[UUID, Any]] = []
        measures = json.dumps(factories.good_measures().to_json())
        for case_id, _who, _key, opened, _closed in self.cases:
            seconds = 4 + self.chance.random() * 8
            outcome = self.chance.choices(("approve", "refer", "retake"), (60, 25, 15))[0]
            if outcome == "refer":
                self.answered.append((case_id, opened + timedelta(minutes=self.chance.randrange(5, 240))))
            lost = self.chance.random() < 0.005
            ended = opened + timedelta(seconds=seconds)
            steps = {"photos": 0.05 * seconds, "passport": 0.5 * seconds, "faces": 0.4 * seconds, "details": 0.05 * seconds}
            yield {
                "id": self.uuid(), "case_id": case_id, "attempt": 1, "fence": 1, "state": "abandoned" if lost else "finished",
                "policy_version": 1, "profile_version_id": self.customers[0][1], "begun_at": opened, "lease_until": ended,
                "finished_at": ended, "outcome": None if lost else outcome,
                "reasons": json.dumps([] if lost or outcome == "approve" else self.chance.sample(REASONS, 2)),
                "measures": None if lost else measures, "seconds": None if lost else seconds,
                "step_seconds": None if lost else json.dumps({step: round(part, 3) for step, part in steps.items()}),
            }  # fmt: skip

    def answers(self) -> Iterator[dict[str, Any]]:
        for case_id, at in self.answered:
            yield {
                "id": self.uuid(), "case_id": case_id, "staff_id": self.staff, "created_at": at, "reasons": "[]",
                "action": self.chance.choices(("approve", "reject", "ask_retake"), (70, 15, 15))[0],
            }  # fmt: skip

    def mails(self) -> Iterator[dict[str, Any]]:
        for case_id, who, _key, opened, _closed in self.cases:
            for after in (1, 60):
                at = opened + timedelta(seconds=after)
                lost = self.chance.random() < 0.0005
                yield {
                    "id": self.uuid(), "customer_id": who, "case_id": case_id, "kind": "approved", "locale": "ru",
                    "recipient_sealed": b"x" * 60, "to_old_address": False, "created_at": at, "next_at": at, "tries": 1,
                    "sent_at": None if lost else at, "given_up_at": at if lost else None,
                }  # fmt: skip


def fill(database: Database, count: int, days: int) -> None:
    """Past foreign keys: they are in order."""
    with database.reading() as session:
        staff = session.scalars(select(Staff.id).limit(1)).one()
        first_event = (session.scalar(select(Event.id).order_by(Event.id.desc()).limit(1)) or 0) + 1
    made = Lived(count=count, staff=staff, first_event=first_event, days=days)
    made.chance = random.Random(9)
    is_postgresql = database.engine.dialect.name == "postgresql"
    put = desk._copy if is_postgresql else desk._insert
    for name, rows in (
        ("data_keys", made.data_keys), ("customers", made.people), ("profile_versions", made.profiles),
        ("cases", made.all_cases), ("runs", made.runs), ("dispositions", made.answers), ("notifications", made.mails),
    ):  # fmt: skip
        put(database.engine, name, rows())
    if is_postgresql:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM (ANALYZE)"))


def one(folder: Path, address: str, count: int, days: int, turns: int, server: int | None = None) -> dict[str, Any]:
    """Fill one database and measure."""
    settings = settings_in(folder, address)
    prepare(settings)
    office = make_office(settings, "ops")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    olga = office.signed_in(Role.OPS, name="Olga Ops")
    with office.db.transaction() as db:
        me = db.scalars(select(Staff)).first()
        assert me is not None
        switches.to_people(db, by=me, reason="A doubt", scope="country:KAZ", now=office.clock())
    since = time.perf_counter()
    fill(office.db, count, days)
    filled = time.perf_counter() - since
    statements = Statements(office.db.engine)

    def page() -> None:
        assert olga.get("/ops").status_code == 200

    def figures() -> None:
        with office.db.reading() as session:
            nowfigures.now_figures(session, now=office.clock())

    def closed() -> None:
        with office.db.reading() as session:
            switches.closed(session)

    pages = {
        "the page": timed(page, statements, turns, server),
        "its figures alone": timed(figures, statements, turns, server),
        "the switch, as each run reads it": timed(closed, statements, turns, server),
    }
    with office.db.reading() as session:
        shown = nowfigures.now_figures(session, now=office.clock())
    office.db.dispose()
    day = {"sent": shown.sent.n, "usual": shown.sent.usual, "runs": shown.decided.n, "cases behind times": shown.by_machine.n}
    return {"cases": count, "filled_seconds": round(filled, 1), "pages": pages, "day": day}


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="bin/bench now", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--on", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"])
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    results: dict[str, list[dict[str, Any]]] = {}
    for kind in asked.on:
        for count in asked.runs:
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                if kind == "postgresql":
                    with postgres(folder) as (address, server):
                        found = one(folder, address, count, asked.days, asked.turns, server)
                else:
                    found = one(folder, "", count, asked.days, asked.turns)
            results.setdefault(kind, []).append(found)
            if asked.json:
                asked.json.write_text(json.dumps(results, indent=1) + "\n")
            print(f"{kind}, {count} runs: filled in {found['filled_seconds']} s; the last day: {found['day']}", flush=True)
    desk.show(results)


if __name__ == "__main__":
    main()
