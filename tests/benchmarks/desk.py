"""What the desk's pages cost among a thousand, a hundred thousand and a million cases.

    bin/bench desk [--cases N ...] [--on sqlite postgresql] [--turns N] [--json FILE]

Each database is made anew in a temporary folder: SQLite as the system opens it, PostgreSQL a private cluster as `bin/test` starts
one (its own defaults but for durability, which no reading asks for). It is filled with cases of nobody: of a million 2 % wait for
a person, 1 % for the customer, 1 % are drafts, the others are closed, over three years; with an account for every two cases, a
photo, a run and an event for each, and messages for one in fifty. Among them stand real cases, made through the services, for the
case page. PostgreSQL's statistics are up to date, as its autovacuum keeps them; SQLite has none, as in a deployment.

A page is asked for through the application, without a network, by an agent who is signed in: the whole time until it is there, of
which the database's (sending and answering), and the number of statements. p99 of N turns, after a few that count for nothing.
The time of processors is told too, of the application and of PostgreSQL's processes: other work on the machine makes the waiting
longer, but not that. Photos come by themselves and are not counted.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import pwd
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import structlog
from sqlalchemy import Engine, event, select, text

from cases import queue, review
from cases.database import Database
from cases.models import Case, Event, Role, Staff
from cases.rescue import LINE
from tests.conftest import NOW, prepare, settings_in
from tests.webapp.staff_fixtures import Office, a_case, make_office

SIZES = (1_000, 100_000, 1_000_000)
TURNS = 200
WARM = 10
REAL = 24
"""Cases that can be opened; more would only take longer to draw."""
TARGET_MS = 50.0
"""Issue 8: a page of the queue at a million cases on PostgreSQL."""

REASONS = (
    "selfie_document_faces_unsure", "surname_differs", "document_expired", "no_face_on_file", "field_not_certain",
    "contact_changes", "document_number_differs",
)  # fmt: skip
COUNTRIES = ("RUS", "RUS", "RUS", "RUS", "KAZ", "KAZ", "ESP", "MEX", "COL", "ARG")
LOCALES = {"RUS": "ru", "KAZ": "kk"}
CHANGES = ("marriage", "divorce", "new_passport", "mistake")


@contextmanager
def postgres(folder: Path) -> Iterator[tuple[str, int]]:
    """A throwaway cluster on a private socket; yields its address and its process."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    found = str(programs[-1] / "postgres") if programs else shutil.which("postgres")
    if found is None:
        raise SystemExit("PostgreSQL is not installed: --on sqlite")
    place = folder / "postgres"
    place.mkdir()
    as_server: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        who = pwd.getpwnam("postgres")
        os.chown(place, who.pw_uid, who.pw_gid)
        folder.chmod(0o755)
        as_server = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
    tools, data = Path(found).parent, place / "data"
    make = [tools / "initdb", "--pgdata", data, "--username", "peremena", "--auth", "trust", "--encoding", "UTF8", "--no-locale"]
    subprocess.run([*make, "--no-sync"], check=True, stdout=subprocess.DEVNULL, cwd="/", **as_server)
    off = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"]
    roomy = ["-c", "max_wal_size=4GB"]  # while it is filled
    with (folder / "postgres.log").open("wb") as log:
        start = [found, "-D", str(data), "-k", str(place), *off, *roomy]
        server = subprocess.Popen(start, stdout=log, stderr=log, cwd="/", **as_server)
    try:
        for _ in range(100):
            ready = [tools / "pg_isready", "--quiet", "--host", place, "--username", "peremena", "--dbname", "postgres"]
            if subprocess.run(ready, check=False).returncode == 0:
                break
            time.sleep(0.1)
        yield f"postgresql+psycopg://peremena@/postgres?host={place}", server.pid
    finally:
        server.send_signal(signal.SIGQUIT)  # at once: a polite end would wait for every connection
        server.wait()


# Cases of nobody


@dataclass
class Made:
    """Rows for each table, drawn from one seed: the same every time."""

    count: int
    staff: UUID
    first_event: int
    chance: random.Random = field(default_factory=lambda: random.Random(8))
    customers: list[tuple[UUID, UUID]] = field(default_factory=list)  # id, profile version
    keys: list[UUID] = field(default_factory=list)
    cases: list[tuple[UUID, UUID, UUID, datetime, bool]] = field(default_factory=list)  # id, customer, key, opened, closed

    def uuid(self) -> UUID:
        return UUID(int=self.chance.getrandbits(128), version=4)

    def data_keys(self) -> Iterator[dict[str, Any]]:
        for _ in range(max(self.count // 100, 10)):
            self.keys.append(self.uuid())
            yield {"id": self.keys[-1], "wrapped": b"x" * 60, "master_version": 1, "created_at": NOW}

    def people(self) -> Iterator[dict[str, Any]]:
        for n in range(self.count // 2):
            who, version = self.uuid(), self.uuid()
            self.customers.append((who, version))
            yield {
                "id": who, "external_id": f"acc-{n:07}", "locale": "ru", "data_key_id": self.chance.choice(self.keys),
                "profile_version_id": version, "created_at": NOW - timedelta(days=1200),
            }  # fmt: skip

    def profiles(self) -> Iterator[dict[str, Any]]:
        for who, version in self.customers:
            yield {
                "id": version, "customer_id": who, "number": 1, "source": "host", "profile_sealed": b"x" * 300,
                "created_at": NOW - timedelta(days=1200),
            }  # fmt: skip

    def all_cases(self) -> Iterator[dict[str, Any]]:
        waiting = max(self.count // 50, 100)
        for n in range(self.count):
            free = n < 2 * waiting  # one open case for each customer
            who, version = self.customers[n] if free and n < len(self.customers) else self.chance.choice(self.customers)
            yield self._case(n, waiting, who, version)

    def _case(self, n: int, waiting: int, who: UUID, version: UUID) -> dict[str, Any]:
        chance, country = self.chance, self.chance.choice(COUNTRIES)
        ago = timedelta(minutes=chance.randrange(1, 60 * 26 if n < waiting else 1100 * 24 * 60))
        opened = NOW - ago - timedelta(minutes=30)
        row = {
            "id": self.uuid(), "customer_id": who, "version": 3, "locale": LOCALES.get(country, "es"), "country": country,
            "change_reason": chance.choice(CHANGES), "data_key_id": chance.choice(self.keys), "base_version_id": version,
            "attempt": 1, "fence": 1, "runs_this_attempt": 1, "reasons": "[]", "retake": "[]", "consented_at": opened,
            "opened_at": opened, "updated_at": opened + timedelta(minutes=25), "submitted_at": opened + timedelta(minutes=20),
            "document_index": f"{chance.getrandbits(256):064x}", "rescue": 0, "risk": "ordinary", "state": "approved",
            "referred_at": None, "due_at": None, "closed_at": None, "applied_version_id": None, "disputed_at": None,
            "dispute_settled_at": None, "second_at": None, "escalated_at": None, "shredded_at": None,
        }  # fmt: skip
        if n < waiting:
            since = opened + timedelta(minutes=29)
            row |= {"state": "in_review", "referred_at": since, "due_at": since + timedelta(hours=24)}
            row |= {"reasons": json.dumps(chance.sample(REASONS, 2)), "rescue": LINE if chance.random() < 0.01 else 0}
            row |= {"risk": "high" if chance.random() < 0.02 else "ordinary"}
            row |= {"second_at": since if chance.random() < 0.01 else None}
            if row["second_at"] is None and chance.random() < 0.005:
                row["escalated_at"] = since
        elif n < waiting * 3 // 2:
            row |= {"state": "needs_retake", "retake": '["selfie"]', "reasons": '["selfie_blurred"]'}
        elif n < 2 * waiting:
            row |= {"state": "draft", "attempt": 0, "submitted_at": None, "document_index": None}
        else:
            end = opened + timedelta(minutes=29)
            state = chance.choices(("approved", "rejected", "withdrawn", "expired"), (85, 8, 4, 3))[0]
            row |= {"state": state, "closed_at": end}
            if end < NOW - timedelta(days=30):
                row |= {"shredded_at": end + timedelta(days=30), "document_index": None}
            if state == "approved":
                row["applied_version_id"] = version
                if chance.random() < 0.005:
                    row |= {"disputed_at": end, "dispute_settled_at": end if n % 1000 or n > 20_000 else None}
        self.cases.append((row["id"], who, row["data_key_id"], opened, row["closed_at"] is not None))
        return row

    def photos(self) -> Iterator[dict[str, Any]]:
        for case_id, who, key, opened, _closed in self.cases:
            yield {
                "id": self.uuid(), "customer_id": who, "case_id": case_id, "kind": "document", "current": True, "attempt": 1,
                "data_key_id": key, "blob": f"{self.chance.getrandbits(128):032x}",
                "sha256": f"{self.chance.getrandbits(256):064x}", "size": 200_000, "quality": "{}",
                "accepted_despite": "[]", "created_at": opened,
            }  # fmt: skip

    def runs(self) -> Iterator[dict[str, Any]]:
        for case_id, _who, _key, opened, _closed in self.cases:
            yield {
                "id": self.uuid(), "case_id": case_id, "attempt": 1, "fence": 1, "state": "finished", "policy_version": 1,
                "profile_version_id": self.customers[0][1], "begun_at": opened, "lease_until": opened, "finished_at": opened,
                "outcome": "refer", "reasons": "[]",
            }  # fmt: skip

    def messages(self) -> Iterator[dict[str, Any]]:
        for case_id, who, key, opened, closed in self.cases:
            if self.chance.random() < 0.02:
                gone = opened + timedelta(days=30) if closed and opened < NOW - timedelta(days=30) else None
                yield {
                    "id": self.uuid(), "customer_id": who, "case_id": case_id, "writer": "customer", "data_key_id": key,
                    "text_sealed": None if gone else b"x" * 80, "written_at": opened + timedelta(minutes=26),
                    "seen_at": opened if self.chance.random() < 0.9 else None, "shredded_at": gone,
                }  # fmt: skip

    def events(self) -> Iterator[dict[str, Any]]:
        for n, (case_id, who, _key, opened, _closed) in enumerate(self.cases):
            yield {
                "id": self.first_event + n, "at": opened, "kind": "submitted", "actor_kind": "customer", "actor_id": str(who),
                "case_id": case_id, "customer_id": who, "details": "{}", "previous": "0" * 64,
                "hash": f"{self.chance.getrandbits(256):064x}",
            }  # fmt: skip


def fill(database: Database, count: int) -> None:
    """Put `count` cases of nobody into the database, past foreign keys: they are in order."""
    with database.reading() as session:
        staff = session.scalars(select(Staff.id).limit(1)).one()
        last = session.scalar(select(Event.id).order_by(Event.id.desc()).limit(1)) or 0
    made = Made(count=count, staff=staff, first_event=last + 1)
    tables = (
        ("data_keys", made.data_keys), ("customers", made.people), ("profile_versions", made.profiles), ("cases", made.all_cases),
        ("photos", made.photos), ("runs", made.runs), ("messages", made.messages), ("events", made.events),
    )  # fmt: skip
    put = _copy if database.engine.dialect.name == "postgresql" else _insert
    for name, rows in tables:
        put(database.engine, name, rows())
    if database.engine.dialect.name == "postgresql":
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM (ANALYZE)"))


def _copy(engine: Engine, table: str, rows: Iterable[dict[str, Any]]) -> None:
    raw = engine.raw_connection()
    try:
        with raw.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            rows = iter(rows)
            first = next(rows)
            with cursor.copy(f"COPY {table} ({', '.join(first)}) FROM STDIN") as copy:
                copy.write_row(tuple(first.values()))
                for row in rows:
                    copy.write_row(tuple(row.values()))
            cursor.execute("SET session_replication_role = DEFAULT")
        raw.commit()
    finally:
        raw.close()


def _insert(engine: Engine, table: str, rows: Iterable[dict[str, Any]]) -> None:
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA foreign_keys=OFF")
        cursor.execute("PRAGMA synchronous=OFF")
        rows = iter(rows)
        first = next(rows)
        put = f"INSERT INTO {table} ({', '.join(first)}) VALUES ({', '.join('?' * len(first))})"
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute(put, _plain(first))
        cursor.executemany(put, map(_plain, rows))
        cursor.execute("COMMIT")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA synchronous=FULL")
    finally:
        raw.close()


def _plain(row: dict[str, Any]) -> tuple[Any, ...]:
    """Values as SQLAlchemy keeps them in SQLite."""
    return tuple(
        value.hex if isinstance(value, UUID)
        else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime)
        else value
        for value in row.values()
    )  # fmt: skip


# Measuring


class Statements:
    """Counts what is sent to the database, and how long it takes until it is answered."""

    def __init__(self, engine: Engine) -> None:
        self.count, self.seconds, self._since = 0, 0.0, 0.0
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)

    def _before(self, *_: Any) -> None:
        self._since = time.perf_counter()

    def _after(self, *_: Any) -> None:
        self.count += 1
        self.seconds += time.perf_counter() - self._since

    def reset(self) -> None:
        """Begin anew."""
        self.count, self.seconds = 0, 0.0


def processor_seconds(parent: int | None) -> float:
    """Processor time so far of all processes that `parent` has started: PostgreSQL's, one for each connection."""
    if parent is None:
        return 0.0
    ticks = 0
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = place.read_text().rpartition(")")[2].split()
        except OSError:  # gone meanwhile
            continue
        if int(told[1]) == parent:
            ticks += int(told[11]) + int(told[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def timed(act: Callable[[], Any], statements: Statements, turns: int, server: int | None) -> dict[str, float]:
    """Milliseconds and statements of one thing done again and again."""
    whole, base, counts = [], [], []
    busy = server_busy = 0.0
    for turn in range(WARM + turns):
        if turn == WARM:
            busy, server_busy = time.process_time(), processor_seconds(server)
        statements.reset()
        since = time.perf_counter()
        act()
        took = time.perf_counter() - since
        if turn >= WARM:
            whole.append(took * 1000)
            base.append(statements.seconds * 1000)
            counts.append(statements.count)
    return {
        "p50": quantile(whole, 0.5), "p99": quantile(whole, 0.99), "database_p50": quantile(base, 0.5),
        "database_p99": quantile(base, 0.99), "statements": quantile(counts, 0.5),
        "processor": (time.process_time() - busy) * 1000 / turns,
        "server_processor": (processor_seconds(server) - server_busy) * 1000 / turns,
    }  # fmt: skip


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(int(-(-share * len(ordered) // 1)) - 1, 0)]


def measure(office: Office, turns: int, server: int | None) -> dict[str, dict[str, float]]:
    """Everything an agent waits for."""
    agent = office.signed_in(Role.AGENT, name="Ada Agent")
    statements = Statements(office.db.engine)
    with office.db.transaction() as db:
        me = db.scalars(select(Staff).where(Staff.name == "Ada Agent")).one()
        real = list(db.scalars(select(Case).join(Case.customer).where(text("external_id LIKE 'host-%'"))))
        mine = [review.take(db, case.id, agent=me, now=office.clock()).id for case in real[:8]]
        due = list(db.execute(select(Case.due_at, Case.id).where(text("state = 'in_review'")).order_by(Case.due_at, Case.id)))
        last_closed = db.execute(
            select(Case.closed_at, Case.id).where(Case.closed_at.is_not(None)).order_by(Case.closed_at).limit(200)
        ).all()
        agent_id, some = me.id, due[len(due) // 2]
        known = db.scalar(select(Case.document_index).where(Case.id == mine[0]))
    middle = quote(f"1_{some[0].isoformat()}_{some[1]}")
    end = quote(f"0_{last_closed[-1][0].isoformat()}_{last_closed[-1][1]}")
    assert known is not None
    chance = random.Random(4)

    def page(address: str) -> Callable[[], None]:
        def ask() -> None:
            answer = agent.get(address)
            assert answer.status_code == 200, (address, answer.status_code)

        return ask

    def search(wanted: str) -> None:
        assert agent.post("/desk/search", q=wanted).status_code == 200

    def give() -> None:
        with office.db.session() as session:
            assert queue.next_for(session, session.get_one(Staff, agent_id), now=office.clock()) is not None
            session.rollback()

    return {
        "queue, first page": timed(page("/desk"), statements, turns, server),
        "queue, a page in the middle": timed(page(f"/desk?after={middle}"), statements, turns, server),
        "queue, one reason": timed(page("/desk?reason=document_expired"), statements, turns, server),
        "queue, a filter nothing fits": timed(page("/desk?country=AUS"), statements, turns, server),
        "queue, overdue": timed(page("/desk?view=overdue"), statements, turns, server),
        "queue, waits for the customer": timed(page("/desk?view=customer"), statements, turns, server),
        "queue, closed": timed(page("/desk?view=closed"), statements, turns, server),
        "queue, closed, the oldest": timed(page(f"/desk?view=closed&after={end}"), statements, turns, server),
        "queue, closed, a filter nothing fits": timed(page("/desk?view=closed&country=AUS"), statements, turns, server),
        "search, beginning of a customer id": timed(
            lambda: search(f"acc-{chance.randrange(10**4):05}"), statements, turns, server
        ),
        "search, a document number": timed(lambda: search("4524 654321"), statements, turns, server),
        "next case, without the page": timed(give, statements, turns, server),
        "case page": timed(lambda: page(f"/desk/cases/{chance.choice(mine)}")(), statements, turns, server),
    }


def one(folder: Path, address: str, count: int, turns: int, server: int | None = None) -> dict[str, Any]:
    """Fill one database and measure."""
    settings = settings_in(folder, address)
    prepare(settings)
    office = make_office(settings, "desk")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    office.member(Role.SENIOR_AGENT, name="Sue Senior")
    with office.db.transaction() as db:
        for seed in range(REAL):
            a_case(db, now=NOW - timedelta(hours=27, minutes=seed), seed=seed)  # the most urgent
    since = time.perf_counter()
    fill(office.db, count - REAL)
    filled = time.perf_counter() - since
    found = {"cases": count, "filled_seconds": round(filled, 1), "pages": measure(office, turns, server)}
    office.db.dispose()
    return found


def show(results: dict[str, list[dict[str, Any]]]) -> None:
    """Tables for docs/benchmarks.md."""
    for kind, sizes in results.items():
        print(f"\n{kind}\n")
        heads = " | ".join(f"{size['cases']:,}".replace(",", " ") for size in sizes)
        print(f"| ms: p50 / p99; processor: application + database | {heads} | statements |\n|---|{'---:|' * (len(sizes) + 1)}")
        for name in sizes[0]["pages"]:
            cells = []
            for size in sizes:
                got = size["pages"][name]
                cells.append(f"{got['p50']:.0f} / {got['p99']:.0f}; {got['processor']:.0f} + {got['server_processor']:.1f}")
            print(f"| {name} | {' | '.join(cells)} | {sizes[-1]['pages'][name]['statements']:.0f} |")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="bin/bench desk", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--on", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"])
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    results: dict[str, list[dict[str, Any]]] = {}
    for kind in asked.on:
        for count in asked.cases:
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                if kind == "postgresql":
                    with postgres(folder) as (address, server):
                        found = one(folder, address, count, asked.turns, server)
                else:
                    found = one(folder, "", count, asked.turns)
            results.setdefault(kind, []).append(found)
            if asked.json:
                asked.json.write_text(json.dumps(results, indent=1) + "\n")
            print(f"{kind}, {count} cases: filled in {found['filled_seconds']} s", flush=True)
    show(results)


if __name__ == "__main__":
    main()
