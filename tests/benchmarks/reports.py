"""What the weekly report costs: making it, and reading the one that was kept.

    bin/bench reports [--cases N ...] [--on sqlite postgresql] [--days D] [--json FILE]

Databases are made and filled as `bin/bench now` does, with what the report is read from: nine to fifteen events a case (link,
photos, consent, sending, run, and for a quarter of them what an agent did until her answer), her answers, a rating for one in
ten, a blind re-review for one in fifty of hers. 100 000 cases in 36 days are as many a week as a million in a year. Making
is timed for two weeks, with how much the process's largest memory grew; reading through the functions that a page calls.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select, text

from cases import reports
from cases.database import Database
from cases.models import Event, Role, Staff
from cases.reports import ReportWeek
from tests import factories
from tests.benchmarks import desk
from tests.benchmarks.desk import REASONS, Statements, postgres
from tests.benchmarks.now import Lived
from tests.conftest import NOW, prepare, settings_in
from tests.webapp.staff_fixtures import make_office

SIZES = (100_000,)
DAYS = 36
AGENTS = 12
TURNS = 20
TARGET_MS = 50.0
"""Reading a kept report: a page must not wait for more. Making it may take upkeep half a minute, since nobody waits."""


@dataclass
class Week(Lived):
    """As the ops page's, with the trail of each case."""

    agents: list[UUID] = field(default_factory=list)

    def trail(self) -> Iterator[dict[str, Any]]:
        self.handled: list[tuple[UUID, UUID, datetime, str, UUID]] = []
        number = self.first_event
        for case_id, who, _key, opened, _closed in self.cases:
            for at, kind, actor, actor_id, details in self._told(case_id, who, opened):
                yield {
                    "id": number, "at": at, "kind": kind, "actor_kind": actor, "actor_id": actor_id, "case_id": case_id,
                    "customer_id": who, "details": json.dumps(details), "previous": "0" * 64, "hash": f"{number:064x}",
                }  # fmt: skip
                number += 1

    def _told(self, case_id: UUID, who: UUID, opened: datetime) -> list[tuple[datetime, str, str, str | None, dict[str, Any]]]:
        chance, at = self.chance, opened - timedelta(minutes=5)
        she, told = str(who), []

        def add(minutes: float, kind: str, actor: str, actor_id: str | None, **details: Any) -> None:
            nonlocal at
            at += timedelta(minutes=minutes)
            told.append((at, kind, actor, actor_id, details))

        add(0, "link_used", "customer", she, purpose="hand_over")
        add(1, "case_opened", "customer", she, reason="marriage", fields=["surname"], country=chance.choice(desk.COUNTRIES))
        for photo in ("document", "selfie"):
            add(1, "photo_kept", "customer", she, photo=photo, size=200_000, photo_id=str(self.uuid()), accepted_despite=[])
        add(0.5, "consent_given", "customer", she, consent_version="1", by_eye=False)
        add(0, "submitted", "customer", she, old="draft", new="submitted", attempt=1)
        add(0.01, "run_begun", "machine", None, run_id=str(self.uuid()), attempt=1, fence=1, policy_version=1)
        outcome = chance.choices(("approve", "refer", "retake"), (60, 25, 15))[0]
        new = {"approve": "approved", "refer": "in_review", "retake": "needs_retake"}[outcome]
        reasons = [] if outcome == "approve" else chance.sample(REASONS, 2)
        add(
            0.15, "run_finished", "machine", None, run_id=str(self.uuid()), old="verifying", new=new, outcome=outcome,
            reasons=reasons, retake=[], policy_version=chance.choice((1, 1, 1, 2)), seconds=8.5,
        )  # fmt: skip
        if outcome == "refer":
            agent = chance.choice(self.agents)
            add(chance.uniform(5, 300), "case_taken", "staff", str(agent))
            for _ in range(3):
                add(0.4, "photo_opened", "staff", str(agent), photo="selfie", purpose="review")
            add(0.5, "answer_given", "staff", str(agent))
            action = chance.choices(("approve", "reject", "ask_retake"), (70, 15, 15))[0]
            self.handled.append((case_id, agent, at, action, self.uuid()))
            new = {"approve": "approved", "reject": "rejected", "ask_retake": "needs_retake"}[action]
            add(0.33, "disposed", "staff", str(agent), old="in_review", new=new, action=action, reasons=[])
        if new in ("approved", "rejected") and chance.random() < 0.1:
            add(chance.uniform(5, 3000), "rated", "customer", she, rating="easy", with_words=False)
        return told

    def answers(self) -> Iterator[dict[str, Any]]:
        for case_id, agent, at, action, done in self.handled:
            yield {
                "id": done, "case_id": case_id, "staff_id": agent, "created_at": at + timedelta(seconds=20), "reasons": "[]",
                "action": action,
            }  # fmt: skip

    def given(self) -> Iterator[dict[str, Any]]:
        keys = {case_id: key for case_id, _who, key, _opened, _closed in self.cases}
        for case_id, agent, at, action, done in self.handled:
            yield {
                "id": self.uuid(), "case_id": case_id, "staff_id": agent, "state": "carried_out", "action": action,
                "reasons": "[]", "retake": "[]", "with_email": True, "held": "[]", "checked": "[]", "data_key_id": keys[case_id],
                "needs_second": False, "why": "[]", "case_version": 1, "given_at": at, "until": at + timedelta(seconds=20),
                "ended_at": at + timedelta(seconds=20), "disposition_id": done,
            }  # fmt: skip

    def looked_at(self) -> Iterator[dict[str, Any]]:
        for number, (case_id, agent, at, action, _done) in enumerate(self.handled):
            if number % 50 == 0:
                reviewer = self.agents[self.agents.index(agent) - 1]
                yield {
                    "id": self.uuid(), "case_id": case_id, "event_id": 10**9 + number, "why": "random", "share": 0.05,
                    "staff_id": agent, "action": action, "reasons": "[]", "answered_at": at, "drawn_at": at,
                    "reviewer_id": reviewer, "taken_until": at, "reviewed_at": at + timedelta(hours=2), "verdict": action,
                    "verdict_reasons": "[]", "agrees": True,
                }  # fmt: skip


def fill(database: Database, count: int, days: int, agents: list[UUID]) -> None:
    """Past foreign keys: they are in order."""
    with database.reading() as session:
        first_event = (session.scalar(select(Event.id).order_by(Event.id.desc()).limit(1)) or 0) + 1
    made = Week(count=count, staff=agents[0], first_event=first_event, days=days, agents=agents)
    made.chance = random.Random(9)
    is_postgresql = database.engine.dialect.name == "postgresql"
    put = desk._copy if is_postgresql else desk._insert
    with database.engine.begin() as connection:  # a policy that some runs name
        connection.execute(text("INSERT INTO policies SELECT 2, document, reason, author_id, created_at FROM policies"))
    for name, rows in (
        ("data_keys", made.data_keys), ("customers", made.people), ("profile_versions", made.profiles),
        ("cases", made.all_cases), ("runs", made.runs), ("events", made.trail), ("dispositions", made.answers),
        ("answers", made.given), ("quality_samples", made.looked_at),
    ):  # fmt: skip
        put(database.engine, name, rows())
    if is_postgresql:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM (ANALYZE)"))


def one(folder: Path, address: str, count: int, days: int) -> dict[str, Any]:
    """Fill one database and measure."""
    settings = settings_in(folder, address)
    prepare(settings)
    office = make_office(settings, "ops")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with office.db.transaction() as session:
        agents = [factories.a_member(session, Role.AGENT, now=NOW, name=f"Agent {n}").id for n in range(AGENTS)]
        lead = factories.a_member(session, Role.LEAD, now=NOW).id
    since = time.perf_counter()
    fill(office.db, count, days, agents)
    filled = time.perf_counter() - since
    statements = Statements(office.db.engine)
    newest = ReportWeek.last_whole(NOW, time_zone=settings.time_zone)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    making = []
    for week in (newest, newest.before):
        statements.reset()
        since, busy = time.perf_counter(), time.process_time()
        with office.db.transaction() as session:
            reports.make(session, week=week, now=NOW)
        making.append(
            {
                "seconds": round(time.perf_counter() - since, 2), "processor": round(time.process_time() - busy, 2),
                "database": round(statements.seconds, 2), "statements": statements.count,
            }
        )  # fmt: skip
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    def read() -> None:
        with office.db.reading() as session:
            assert reports.shown(session, reader=session.get_one(Staff, lead), week=newest) is not None

    def course() -> None:
        with office.db.reading() as session:
            reports.course(session, reader=session.get_one(Staff, lead), names=["sent", "automation"], until=newest)

    pages = {
        "a kept report": desk.timed(read, statements, TURNS, None),
        "the course of eight weeks": desk.timed(course, statements, TURNS, None),
    }
    with office.db.reading() as session:
        shown = reports.shown(session, reader=session.get_one(Staff, lead), week=newest)
        size = session.scalar(text("SELECT max(length(CAST(document AS text))) FROM weekly_reports"))
    assert shown is not None
    week = {"cases": shown.cases, "decided": shown.figures["decided"].n, "kept_bytes": size}
    office.db.dispose()
    return {
        "cases": count, "filled_seconds": round(filled, 1), "making": making, "memory_mb": memory // 1024, "pages": pages,
        "week": week,
    }  # fmt: skip


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="bin/bench reports", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--on", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"])
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    results: dict[str, list[dict[str, Any]]] = {}
    for kind in asked.on:
        for count in asked.cases:
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                if kind == "postgresql":
                    with postgres(folder) as (address, _server):
                        found = one(folder, address, count, asked.days)
                else:
                    found = one(folder, "", count, asked.days)
            results.setdefault(kind, []).append(found)
            if asked.json:
                asked.json.write_text(json.dumps(results, indent=1) + "\n")
            told = {name: found[name] for name in ("filled_seconds", "week", "making", "memory_mb")}
            print(f"{kind}, {count} cases: {told}", flush=True)
    desk.show(results)


if __name__ == "__main__":
    main()
