"""What operations see of Redis: rings counted, failed jobs discarded, nothing else touched."""

from __future__ import annotations

from uuid import uuid4

import pytest
from redis import Redis
from rq.job import Job
from rq.queue import Queue
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from cases.settings import Settings
from tests.workers.system import valkey
from workers import queues


def test_rings_are_counted_and_failed_ones_discarded():
    with valkey() as server:
        queues.connect(Settings(redis_url=server.url))
        about = uuid4()
        queues.ring_verify(about)
        queues.ring_notification(uuid4())
        redis = Redis.from_url(server.url)
        queue = Queue(queues.VERIFY, connection=redis, serializer=JSONSerializer)
        failed = queue.enqueue_call(queues.JOBS[queues.VERIFY], args=(str(uuid4()),), job_id=f"{uuid4().hex}-00")
        queue.remove(failed)
        FailedJobRegistry(queues.VERIFY, connection=redis, serializer=JSONSerializer).add(failed, ttl=60)
        found = {one.queue: (one.rings, one.started, one.failed) for one in queues.rings()}
        assert found == {name: (0, 0, 0) for name in queues.JOBS} | {"verify": (1, 0, 1), "notify": (1, 0, 0)}
        assert queues.failed(queues.NOTIFY) == [] and queues.failed(queues.VERIFY) == [failed.id]
        assert queues.discard_failed(queues.NOTIFY, [failed.id]) == 0, "it is no job of that queue"
        assert Job.exists(failed.id, connection=redis)
        assert queues.discard_failed(queues.VERIFY, [failed.id]) == 1 and queues.discard_failed(queues.VERIFY, [failed.id]) == 0
        assert not Job.exists(failed.id, connection=redis) and queues.waiting(queues.VERIFY) == {about}
        assert {one.failed for one in queues.rings()} == {0}
        with pytest.raises(KeyError):
            queues.discard_failed("default", [])
