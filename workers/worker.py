"""The RQ worker as we run it: one known job for each queue it serves, a horse that dies with it, and no orders from Redis.

RQ loses jobs and doubles jobs (docs/decisions); here that costs time only. What matters is that a worker gives way: it
never works beside the run that replaced it, never runs what is not ours, and does not stay away when Redis does.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import redis.exceptions
import structlog
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry
from rq import Worker
from rq.exceptions import DequeueTimeout
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException, UnixSignalDeathPenalty
from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from cases import notifications, runs, staff_mails, supporting, tickets, webhooks
from cases.database import utcnow
from cases.models import Heartbeat
from workers import logs, process, queues

log = structlog.get_logger()

BEAT = 10.0
"""Seconds between two signs of life in the database."""
MONITORED = 5
"""Seconds between two looks of a worker at its horse."""
STUCK = 5.0
"""Seconds past its time-out after which a horse is killed from outside: a call into C hears no Python alarm."""
REDIS_AWAY = 30.0
"""Seconds without Redis after which a worker takes what waits straight from the database."""


class UnknownJob(Exception):
    """Somebody put a job into Redis that is not one of ours. It is refused before anything of it is looked up."""


class KnownJob(Job):
    """A job whose function stands in `queues.JOBS` and whose only argument is one id.

    The JSON serializer alone does not help: a name like `os.system` is a plain string, and RQ would import it, and
    callbacks and webhooks likewise. So every field that names code, an address or another job is dropped on reading.
    """

    def restore(self, raw_data: Any) -> Any:
        """Read a job from Redis, without what it may not have."""
        super().restore(raw_data)
        self._success_callback_name = self._failure_callback_name = self._stopped_callback_name = None
        self._success_callback = self._failure_callback = self._stopped_callback = None  # type: ignore[assignment]
        self._dependency_ids = []
        self.webhooks = []
        self.meta = {}
        self.group_id = self.rate_limit_key = self.rate_limit_concurrency = None
        self.number_of_retries = self.retries_left = self.repeats_left = None
        self.description = self.origin
        self.timeout = queues.TIMEOUTS.get(self.origin, 1)
        self.result_ttl, self.failure_ttl, self.ttl = 0, queues.FAILURE_TTL, None

    @property  # type: ignore[misc]
    def func_name(self) -> str:
        """Return the name of the job's function. Raises UnknownJob unless it is the one of this queue."""
        name = super().func_name
        if not isinstance(name, str) or name != queues.JOBS.get(self.origin):
            raise UnknownJob
        return name

    @property
    def func(self) -> Callable[[str], str]:
        """Return the job's function, found by its name in our table. Raises UnknownJob."""
        return handler(self.func_name)

    @property  # type: ignore[misc]
    def instance(self) -> None:
        """No job is a method."""
        if super().instance is not None:
            raise UnknownJob

    @property  # type: ignore[misc]
    def args(self) -> list[str]:
        """Return the one argument, an id. Raises UnknownJob on anything else."""
        given = super().args
        try:
            (one,) = given
            return [str(UUID(one))]
        except (ValueError, TypeError, AttributeError):
            raise UnknownJob from None

    @property  # type: ignore[misc]
    def kwargs(self) -> dict[str, Any]:
        """No job has any."""
        if super().kwargs:
            raise UnknownJob
        return {}


def handler(name: str) -> Callable[[str], str]:
    """Return the function of a known job. Raises UnknownJob."""
    if name not in queues.JOBS.values():
        raise UnknownJob
    module, _, function = name.rpartition(".")
    return getattr(importlib.import_module(module), function)  # type: ignore[no-any-return]


class CaseWorker(Worker):
    """A worker of one kind that forks a horse for each job; of its queues the first goes before the others."""

    log_job_description = False

    def __init__(self, queue: str, connection: Redis, stop: threading.Event) -> None:
        super().__init__(
            list(queues.SERVES[queue]),
            connection=connection,
            job_class=KnownJob,
            serializer=JSONSerializer,
            worker_ttl=30,
            maintenance_interval=15,
            job_monitoring_interval=MONITORED,
            default_result_ttl=0,
            log_job_description=False,
        )
        self._stop = stop
        self._horse_since = 0.0
        self._beaten = 0.0

    def request_stop(self, signum: int, frame: Any) -> None:
        """End after the present job; a signal said so."""
        self._stop.set()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    # --- nobody who can write to Redis may command a worker, and no thread may run beside a fork

    def subscribe(self) -> None:
        """Listen to no commands: RQ would start a thread and obey whoever publishes `shutdown` or `kill-horse`."""

    def unsubscribe(self) -> None:
        """Nothing was subscribed to."""

    def check_for_suspension(self, burst: bool) -> None:
        """Heed no suspension: one key in Redis would stop every worker. Heed a signal that came before RQ listened."""
        self._stop_requested = self._stop_requested or self._stop.is_set()

    def clean_group_registries(self) -> None:
        """There are no groups."""

    def set_shutdown_requested_date(self) -> None:
        """Write nothing to Redis from inside a signal."""

    # --- time

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """Return the seconds for which an unheard-of job counts as alive; RQ's own figure adds a minute."""
        return 20

    @property
    def dequeue_timeout(self) -> int:
        """Seconds to wait for a ring before showing a sign of life."""
        return int(BEAT)

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Show a sign of life, in Redis and in the database."""
        super().heartbeat(timeout, pipeline)
        if not self.is_horse and time.monotonic() - self._beaten >= BEAT:
            self._beaten = time.monotonic()
            beat(self.queue_names()[0])

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Show signs of life while a horse works, end one that is stuck, and let no trouble with Redis disturb it."""
        if time.monotonic() - self._horse_since > (job.timeout or 0) + STUCK:
            log.error("horse_stuck", job=job.id)
            self.kill_horse()
            return
        try:
            super().maintain_heartbeats(job, execution)
        except redis.exceptions.RedisError as error:
            log.warning("redis_away", type=type(error).__name__)

    # --- work

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Fork a horse for one job and wait for it."""
        process.close()  # nothing to share with the horse
        self._horse_since = time.monotonic()
        super().execute_job(job, queue)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """Be the horse. `self.pid` was set before the fork."""
        process.die_with_parent(self.pid or 0)
        super().main_work_horse(job, queue)

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: int | None = None) -> tuple[Job, Queue] | None:
        """Wait for a job. Trouble with Redis goes to `serve`, which knows what to do meanwhile."""
        self.set_state("idle")
        while True:
            self.heartbeat()
            if self.should_run_maintenance_tasks:
                self.run_maintenance_tasks()  # type: ignore[no-untyped-call]
            try:
                found = self.queue_class.dequeue_any(
                    self._ordered_queues,
                    timeout,
                    connection=self.connection,
                    job_class=self.job_class,
                    serializer=self.serializer,
                )
            except DequeueTimeout:
                continue
            if found is not None:
                self.heartbeat()
            return found

    # --- what is told about a failure: its type and place, never its text

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Log a failure. The case or message is taken up again when its lease ends."""
        kind, error, _ = exc_info
        if kind is None or error is None:
            return
        code = "job_timed_out" if issubclass(kind, JobTimeoutException) else "job_failed"
        log.error(code, queue=job.origin, job=job.id, type=kind.__name__, where=logs.place(error))

    def handle_job_failure(self, job: Job, queue: Queue, *args: Any, **named: Any) -> None:
        """Record a failure in Redis without the traceback, which may quote personal data."""
        named["exc_string"] = "failed; see the log"
        super().handle_job_failure(job, queue, *args, **named)

    def handle_work_horse_killed(self, job: Job, retpid: int, ret_val: int, rusage: Any) -> None:
        """Log that a horse died without a word."""
        log.error("horse_died", queue=job.origin, job=job.id, signal=os.WTERMSIG(ret_val) if os.WIFSIGNALED(ret_val) else None)


def serve(queue: str) -> None:
    """Work on the queues of one kind until a signal says stop. Comes back whenever Redis does, and works without it meanwhile."""
    stop = stop_on_signals()
    while not stop.is_set():
        try:
            CaseWorker(queue, _connect(), stop).work(logging_level="ERROR")
        except (redis.exceptions.RedisError, OSError) as error:
            log.warning("redis_away", queue=queue, type=type(error).__name__)
        stop_on_signals(stop)  # RQ put its own handlers in their place
        _meanwhile(queue, stop)
    rest(queue)


def stop_on_signals(stop: threading.Event | None = None) -> threading.Event:
    """Return an event that SIGTERM or SIGINT sets."""
    stop = stop or threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def beat(kind: str) -> None:
    """Leave a sign of life of this process in the database, if it can be reached just now."""
    try:
        with process.database().transaction() as session:
            session.merge(Heartbeat(name=_name(kind), at=utcnow()))
    except SQLAlchemyError as error:
        log.warning("database_away", type=type(error).__name__)
    process.close()


def rest(kind: str) -> None:
    """Take the sign of life away: this process ends because it was told to."""
    try:
        with process.database().transaction() as session:
            session.execute(delete(Heartbeat).where(Heartbeat.name == _name(kind)))
    except SQLAlchemyError as error:
        log.warning("database_away", type=type(error).__name__)
    process.close()


def _name(kind: str) -> str:
    return f"{kind}:{socket.gethostname()[:40]}:{os.getpid()}"


def _connect() -> Redis:
    """Return a patient client: a waiting worker blocks for seconds, and a hiccup is worth three tries."""
    url = process.settings().redis_url
    return Redis.from_url(url, socket_connect_timeout=1, retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 3))


def _meanwhile(queue: str, stop: threading.Event) -> None:
    """Wait until Redis answers; after REDIS_AWAY seconds take what waits straight from the database."""
    since = beaten = time.monotonic()
    while not stop.wait(0.5) and not queues.answers():
        if time.monotonic() - beaten >= BEAT:
            beaten = time.monotonic()
            beat(queue)
        if time.monotonic() - since >= REDIS_AWAY:
            _take_from_database(queue, stop)


def _take_from_database(queue: str, stop: threading.Event) -> None:
    """Do what waits, one after the other, each in a horse of its own. Other workers may do the same: begin decides."""
    now = utcnow()
    todo: list[tuple[str, UUID]] = []
    try:
        with process.database().reading() as session:
            if queue == queues.VERIFY:
                todo += [(queues.VERIFY, about) for about in runs.unrung(session, now=now, older_than=timedelta(0))]
                todo += [(queues.PAPERS, about) for about in supporting.unread(session, now=now, older_than=timedelta(0))]
            else:
                todo += [(queues.NOTIFY, about) for about in notifications.due(session, now=now, limit=20)]
                todo += [(queues.STAFF_MAILS, about) for about in staff_mails.due(session, now=now, limit=20)]
                todo += [(queues.HOOKS, about) for about in webhooks.due(session, now=now, limit=20)]
                todo += [(queues.TICKETS, about) for about in tickets.due(session, now=now, limit=20)]
    except SQLAlchemyError as error:
        log.warning("database_away", type=type(error).__name__)
    process.close()
    for name, about in todo:
        if stop.is_set() or queues.answers():
            return
        _in_horse(name, about)


def _in_horse(queue: str, about: UUID) -> None:
    """Do one job in a child, as RQ would, and wait for it."""
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setpgrp()
            process.die_with_parent(parent)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            with UnixSignalDeathPenalty(queues.TIMEOUTS[queue], JobTimeoutException):  # type: ignore[no-untyped-call]
                handler(queues.JOBS[queue])(str(about))
            code = 0
        except Exception as error:
            log.error("job_failed", queue=queue, type=type(error).__name__, where=logs.place(error))
        finally:
            os._exit(code)
    until = time.monotonic() + queues.TIMEOUTS[queue] + STUCK
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > until:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.02)
