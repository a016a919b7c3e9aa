"""Figures for Prometheus at /metrics, in its text format, made anew from database and Redis for each question.

Counts, seconds and bytes; every label is a code from a closed list, never a case, a customer, a host or a name. Written by hand:
the format is forty lines, and figures that come from the database need none of a client library's counters, which would count
for each process apart. Served where staff is served, to who shows METRICS_TOKEN as a bearer token; without that setting it is
not there at all.
"""

from __future__ import annotations

import hmac
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flask import Flask, Response, abort, current_app, request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases import audit, backlog, halts, policies, shredding, switches, trials
from cases.lifecycle import CLOSED, State
from cases.models import UNMARKED, Case, Event, Heartbeat, Run, RunState
from cases.photo_store import LocalStore, store_of
from verification.decision import Outcome
from webapp.context import database, now, settings
from webapp.security import public
from workers import queues

DAY = timedelta(hours=24)
STORAGE_FOR = 300.0
"""Seconds for which the sum of all pictures is remembered: it reads every row."""

TASKS = ("shred", "anchor", "remove_orphans", "expire", "draw_quality")
"""Rounds of upkeep whose age is told."""


@dataclass(frozen=True)
class Metric:
    """A name, what it means, which labels it has, and its kind: "gauge", or "counter" where it only ever grows."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: str = "gauge"


METRICS = {
    metric.name: metric
    for metric in (
        Metric("peremena_queue_waiting", "Things that wait, from the database.", ("queue",)),
        Metric("peremena_queue_oldest_seconds", "Age of the oldest thing that waits; 0 where nothing does.", ("queue",)),
        Metric("peremena_queue_busy", "Things that are being worked on.", ("queue",)),
        Metric("peremena_redis_up", "1 when Redis answers."),
        Metric("peremena_rings", "Jobs in Redis: waiting, started or failed. Hints only.", ("queue", "state")),
        Metric("peremena_workers_alive", "Processes heard of in the last 45 s.", ("kind",)),
        Metric("peremena_cases", "Open cases.", ("state",)),
        Metric("peremena_cases_overdue", "Cases that a person should have answered by now."),
        Metric("peremena_runs_day", "Runs that ended in the last 24 h.", ("outcome",)),
        Metric("peremena_run_seconds_day", "Seconds of those runs; nearest rank.", ("quantile",)),
        Metric("peremena_failures_week", "Failures of the last 7 days.", ("kind",)),
        Metric("peremena_automation_on", "1 when the machine decides, 0 when everything goes to people."),
        Metric("peremena_halted", "1 while automatic approval has stopped itself, by the bound that was left.", ("bound",)),
        Metric("peremena_step_seconds_day", "Seconds of a step of the latest of those runs.", ("step", "quantile")),
        Metric("peremena_halted_seconds", "For how long it has stood still by itself; 0 while it has not."),
        Metric("peremena_policy_version", "Number of the policy that holds."),
        Metric("peremena_database_bytes", "Size of the database."),
        Metric("peremena_picture_bytes", "Clear bytes of the pictures that are kept."),
        Metric("peremena_pictures", "Pictures that are kept."),
        Metric("peremena_disk_free_bytes", "Free bytes where pictures lie; absent with an object store."),
        Metric("peremena_shred_due", "Closed cases whose time is over and that are not shredded."),
        Metric("peremena_shred_late_seconds", "For how long the oldest of these has been due."),
        Metric("peremena_task_age_seconds", "Seconds since upkeep last did this.", ("task",)),
        Metric("peremena_audit_events_total", "Events in the audit trail.", kind="counter"),
        Metric("peremena_anchor_age_seconds", "Seconds since the audit trail was anchored; absent where no file is seen."),
        Metric("peremena_scrape_seconds", "Seconds that these figures took."),
    )
}
"""Everything that is told. Alerts and dashboard (deploy/) use no other name: tests/webapp/test_metrics.py."""


@dataclass
class Page:
    """The text as it grows. Refuses a name or a label that METRICS does not list."""

    lines: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def add(self, name: str, value: float | None, **labels: str) -> None:
        """One sample; None is left out."""
        metric = METRICS[name]
        if tuple(labels) != metric.labels:
            raise ValueError(f"{name}: labels are {metric.labels}")
        if value is None:
            return
        if name not in self.seen:
            self.seen.add(name)
            self.lines += [f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}"]
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        number = repr(float(value)) if isinstance(value, float) and not value.is_integer() else str(int(value))
        self.lines.append(f"{name}{{{shown}}} {number}" if shown else f"{name} {number}")

    def text(self) -> str:
        """The whole page."""
        return "\n".join(self.lines) + "\n"


def init_app(app: Flask) -> None:
    """Register /metrics. Only the staff's surfaces call this."""
    if "metrics" not in app.view_functions:
        app.add_url_rule("/metrics", "metrics", public(metrics_page), methods=["GET"])


def metrics_page() -> Response:
    """The figures, for who shows the token; else 401, or 404 where no token is set."""
    token = settings().metrics_token
    if not token:
        abort(404)
    given = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(given, b"Bearer " + token.encode()):
        return Response("a bearer token is needed\n", 401, {"WWW-Authenticate": "Bearer"}, mimetype="text/plain")
    return Response(collect(), content_type="text/plain; version=0.0.4; charset=utf-8")


def collect() -> str:
    """Ask database and Redis and write the page."""
    began, page = time.perf_counter(), Page()
    with database().reading() as db:
        _queues(page, db)
        _work(page, db)
        _keeping(page, db)
    _redis(page)
    page.add("peremena_scrape_seconds", time.perf_counter() - began)
    return page.text()


def _queues(page: Page, db: Session) -> None:
    moment = now()
    depths = backlog.depths(db, now=moment)
    for name, value in (
        ("peremena_queue_waiting", lambda d: d.count),
        ("peremena_queue_oldest_seconds", lambda d: (moment - d.oldest).total_seconds() if d.oldest else 0),
        ("peremena_queue_busy", lambda d: d.busy),
    ):
        for depth in depths:
            page.add(name, value(depth), queue=depth.queue.value)
    alive = [process.kind for process in backlog.processes(db, now=moment) if process.alive]
    for kind in backlog.KINDS:
        page.add("peremena_workers_alive", alive.count(kind), kind=kind)


def _work(page: Page, db: Session) -> None:
    moment = now()
    states = [state for state in State if state not in CLOSED]
    counts: dict[Any, int] = dict(
        db.execute(select(Case.state, func.count()).where(Case.state.in_(states), UNMARKED).group_by(Case.state)).all()  # type: ignore[arg-type]
    )
    for state in states:
        page.add("peremena_cases", counts.get(state, 0), state=state.value)
    late = (
        Case.state == State.IN_REVIEW,
        Case.answered_at.is_(None),
        Case.awaiting_until.is_(None),
        Case.due_at < moment,
        UNMARKED,
    )
    page.add("peremena_cases_overdue", db.scalar(select(func.count()).where(*late)))
    ended = (Run.finished_at >= moment - DAY, Run.state == RunState.FINISHED, trials.real(Run.case_id))
    outcomes: dict[Any, int] = dict(db.execute(select(Run.outcome, func.count()).where(*ended).group_by(Run.outcome)).all())
    for outcome in Outcome:
        page.add("peremena_runs_day", outcomes.get(outcome.value, 0), outcome=outcome.value)
    speed = backlog.speed(db, now=moment, slowest=0)
    for quantile, seconds in (("0.5", speed.median), ("0.9", speed.p90), ("0.99", speed.p99)):
        page.add("peremena_run_seconds_day", seconds, quantile=quantile)
    for step in speed.steps:
        page.add("peremena_step_seconds_day", step.median, step=step.step, quantile="0.5")
        page.add("peremena_step_seconds_day", step.p90, step=step.step, quantile="0.9")
    for failures in backlog.failures(db, now=moment):
        page.add("peremena_failures_week", failures.count, kind=failures.kind.value)
    page.add("peremena_automation_on", 0 if switches.everything_to_people(db) else 1)
    halt = halts.standing(db)
    for bound in halts.Bound:
        page.add("peremena_halted", int(halt is not None and halt.bound == bound), bound=bound.value)
    page.add("peremena_halted_seconds", (moment - halt.at).total_seconds() if halt else 0)
    page.add("peremena_policy_version", policies.current(db).version)


def _keeping(page: Page, db: Session) -> None:
    moment = now()
    stored = _storage(db)
    page.add("peremena_database_bytes", stored.database)
    page.add("peremena_picture_bytes", stored.photos)
    page.add("peremena_pictures", stored.files)
    store = store_of(db)
    if isinstance(store, LocalStore) and store.folder.exists():
        page.add("peremena_disk_free_bytes", shutil.disk_usage(store.folder).free)
    due, oldest = shredding.due(db, now=moment)
    page.add("peremena_shred_due", due)
    page.add("peremena_shred_late_seconds", (moment - oldest).total_seconds() if oldest else 0)
    for task in TASKS:
        at = db.scalar(select(Heartbeat.at).where(Heartbeat.name == f"task:{task}"))
        page.add("peremena_task_age_seconds", (moment - at).total_seconds() if at else None, task=task)
    page.add("peremena_audit_events_total", db.scalar(select(func.max(Event.id))) or 0)
    anchored = audit.anchored(settings().data_dir / "anchors")
    page.add("peremena_anchor_age_seconds", (moment - anchored.at).total_seconds() if anchored else None)


def _redis(page: Page) -> None:
    try:
        found = queues.rings()
    except queues.RingFailed:
        found = []
    page.add("peremena_redis_up", 1 if found else 0)
    for rings in found:
        for state, count in _states(rings):
            page.add("peremena_rings", count, queue=rings.queue, state=state)


def _states(rings: queues.Rings) -> Iterator[tuple[str, int]]:
    yield "waiting", rings.rings
    yield "started", rings.started
    yield "failed", rings.failed


def _storage(db: Session) -> backlog.Storage:
    """Remembered for STORAGE_FOR by each process."""
    kept = current_app.extensions.get("peremena.storage")
    if kept is None or time.monotonic() - kept[0] > STORAGE_FOR:
        kept = current_app.extensions["peremena.storage"] = (time.monotonic(), backlog.storage(db))
    stored: backlog.Storage = kept[1]
    return stored


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
