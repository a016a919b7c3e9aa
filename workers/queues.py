"""Queue names and the bells. The only module here that webapp imports; it imports neither models nor engines.

A ring is a hint: the database says which cases wait, and upkeep rings again for what was lost. So a ring may be lost or
doubled and need not be waited for. What stands in Redis is the name of a job and one id.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.job import Job
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer

from cases.settings import Settings

VERIFY = "verify"
NOTIFY = "notify"
PAPERS = "papers"
STAFF_MAILS = "staff_mails"
HOOKS = "hooks"
TICKETS = "tickets"

JOBS = {
    VERIFY: "workers.verify.verify_case",
    NOTIFY: "workers.notify.send_notification",
    PAPERS: "workers.papers.read_paper",
    STAFF_MAILS: "workers.notify.send_staff_mail",
    HOOKS: "workers.hooks.send_hook",
    TICKETS: "workers.hooks.send_ticket",
}
"""The one job of each queue; workers refuse every other (workers.worker.KnownJob)."""

SERVES = {VERIFY: (VERIFY, PAPERS), NOTIFY: (NOTIFY, STAFF_MAILS, HOOKS, TICKETS)}
"""Which queues each kind of worker serves, the first before the others: papers are read by who has the networks in memory
anyway, whenever no request waits."""

TIMEOUTS = {VERIFY: 60, NOTIFY: 60, PAPERS: 60, STAFF_MAILS: 60, HOOKS: 60, TICKETS: 60}
"""Seconds a job may take. A run's lease (settings.lease_seconds) is longer."""

FAILURE_TTL = 3600
"""Seconds for which Redis keeps what is left of a failed job: its id and the place of the error."""

PATIENCE = 0.5
"""Seconds that a ring waits for each answer of Redis. It needs at most three, so no request is held up for 2 s."""


class RingFailed(Exception):
    """Redis did not take the ring. Nothing is lost: upkeep rings again, or a worker looks for itself."""


_bell: Redis | None = None


def connect(settings: Settings) -> Redis:
    """Return a client for rings and remember it for this process. Connects at the first ring, not here."""
    global _bell
    _bell = Redis.from_url(
        settings.redis_url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=Retry(NoBackoff(), 0)
    )
    return _bell


def ring_verify(case_id: UUID) -> None:
    """Say that a case waits to be looked at; call it after the commit. Raises RingFailed."""
    _ring(VERIFY, case_id)


def ring_notification(notification_id: UUID) -> None:
    """Say that a message waits to be sent; call it after the commit. Raises RingFailed."""
    _ring(NOTIFY, notification_id)


def ring_paper(paper_id: UUID) -> None:
    """Say that a supporting paper waits to be read; call it after the commit. Raises RingFailed."""
    _ring(PAPERS, paper_id)


def ring_staff_mail(mail_id: UUID) -> None:
    """Say that a mail to a member of staff waits to be sent; call it after the commit. Raises RingFailed."""
    _ring(STAFF_MAILS, mail_id)


def ring_hook(delivery_id: UUID) -> None:
    """Say that an event waits to be delivered; call it after the commit. Raises RingFailed."""
    _ring(HOOKS, delivery_id)


def ring_ticket(message_id: UUID) -> None:
    """Say that a message to the helpdesk waits to be sent; call it after the commit. Raises RingFailed."""
    _ring(TICKETS, message_id)


def waiting(name: str) -> set[UUID]:
    """Return the ids for which a ring lies in the queue `name`, not yet picked up. Raises RingFailed."""
    try:
        ids = _client().lrange(Queue.redis_queue_namespace_prefix + name, 0, -1)
    except (RedisError, OSError) as error:
        raise RingFailed(type(error).__name__) from None
    found: set[UUID] = set()
    for job_id in ids:
        try:
            found.add(UUID((job_id if isinstance(job_id, str) else job_id.decode())[:32]))
        except ValueError:
            continue  # not one of ours; a worker will refuse it
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Rings:
    """What lies in Redis for one queue: hints only, the database says what waits."""

    queue: str
    rings: int  # not yet picked up
    started: int  # picked up and not ended
    failed: int  # kept for FAILURE_TTL


def rings() -> list[Rings]:
    """What lies in each queue, in one question. Raises RingFailed."""
    try:
        pipeline = _client().pipeline(transaction=False)
        for name in JOBS:
            pipeline.llen(Queue.redis_queue_namespace_prefix + name)
            pipeline.zcard(StartedJobRegistry.key_template.format(name))
            pipeline.zcard(FailedJobRegistry.key_template.format(name))
        counts = [int(count) for count in pipeline.execute()]
    except (RedisError, OSError) as error:
        raise RingFailed(type(error).__name__) from None
    return [
        Rings(queue=name, rings=counts[at], started=counts[at + 1], failed=counts[at + 2])
        for at, name in zip(range(0, len(counts), 3), JOBS, strict=True)
    ]


def failed(name: str) -> list[str]:
    """The jobs of one queue that failed and of which something is left. Raises RingFailed, and KeyError for no queue of ours."""
    if name not in JOBS:
        raise KeyError(name)
    try:
        return list(FailedJobRegistry(name, connection=_client(), serializer=JSONSerializer).get_job_ids(cleanup=False))
    except (RedisError, OSError) as error:
        raise RingFailed(type(error).__name__) from None


def discard_failed(name: str, job_ids: Sequence[str]) -> int:
    """Remove what is left of these failed jobs; returns how many there still were. Loses nothing: upkeep rings for what waits.

    Raises RingFailed, and KeyError for no queue of ours.
    """
    if name not in JOBS:
        raise KeyError(name)
    try:
        registry = FailedJobRegistry(name, connection=_client(), serializer=JSONSerializer)
        removed = 0
        for job_id in job_ids:
            if registry.connection.zrem(registry.key, job_id):  # else it is over, or somebody else removed it
                registry.connection.delete(Job.key_for(job_id))
                removed += 1
    except (RedisError, OSError) as error:
        raise RingFailed(type(error).__name__) from None
    return removed


def answers() -> bool:
    """Say whether Redis answers."""
    try:
        return bool(_client().ping())
    except (RedisError, OSError):
        return False


def _client() -> Redis:
    if _bell is None:
        raise RuntimeError("queues.connect(settings) comes first")
    return _bell


def _ring(name: str, about: UUID) -> None:
    """Put one job into the queue. Its id begins with the id it is about, so `waiting` need not open it."""
    try:
        queue = Queue(name, connection=_client(), serializer=JSONSerializer)
        queue.enqueue_call(
            JOBS[name],
            args=(str(about),),
            timeout=TIMEOUTS[name],
            result_ttl=0,
            failure_ttl=FAILURE_TTL,
            description=name,  # RQ's own would be the call with its argument
            job_id=f"{about.hex}-{secrets.token_hex(4)}",
        )
    except (RedisError, OSError) as error:
        raise RingFailed(type(error).__name__) from None
