"""What somebody who can write to Redis can make a worker do: nothing but look at a case once more."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from tests.workers.system import Valkey, Workers, eventually, valkey
from workers import queues
from workers.worker import KnownJob, UnknownJob


@pytest.fixture(scope="module")
def server():
    with valkey() as running:
        yield running


@pytest.fixture
def connection(server: Valkey):
    client = server.client()
    client.flushall()
    yield client
    client.close()


def planted(connection: Redis, function: str, args: list[object], kwargs: object = None, **fields: str) -> KnownJob:
    """Write a job into Redis as an attacker would, and read it back as a worker does."""
    job_id = uuid4().hex
    data = json.dumps([function, fields.pop("instance", None), args, kwargs or {}])
    row = {"data": data, "origin": "verify", "status": "queued", "created_at": "2026-01-01T00:00:00Z", **fields}
    connection.hset(f"rq:job:{job_id}", mapping=row)
    return KnownJob.fetch(job_id, connection=connection, serializer=JSONSerializer)


@pytest.mark.parametrize(
    "function",
    [
        "os.system",
        "subprocess.check_output",
        "builtins.eval",
        "workers.verify.load",
        "workers.notify.send_notification",  # ours, but of the other queue
        "",
    ],
)
def test_only_the_queues_own_function_is_known(connection, function):
    with pytest.raises(UnknownJob):
        _ = planted(connection, function, [str(uuid4())]).func


@pytest.mark.parametrize("args", [[], ["id; rm -rf /"], [1], [None], ["a" * 32, "b" * 32], [{"a": 1}]])
def test_the_only_argument_is_one_id(connection, args):
    job = planted(connection, queues.JOBS["verify"], args)
    with pytest.raises(UnknownJob):
        _ = job.args


def test_named_arguments_and_methods_are_refused(connection):
    job = planted(connection, queues.JOBS["verify"], [str(uuid4())], {"shell": "true"})
    with pytest.raises(UnknownJob):
        _ = job.kwargs
    job = planted(connection, queues.JOBS["verify"], [str(uuid4())], instance="workers.verify")
    with pytest.raises(UnknownJob):
        _ = job.instance


def test_callbacks_webhooks_retries_and_dependencies_are_dropped(connection):
    hook = json.dumps([{"url": "http://127.0.0.1:1/", "job_status": "finished"}])
    job = planted(
        connection,
        queues.JOBS["verify"],
        [str(uuid4())],
        success_callback_name="os.system",
        failure_callback_name="os.system",
        stopped_callback_name="os.system",
        webhooks=hook,
        retries_left="1000",
        dependency_ids='["x"]',
        timeout="-1",
        failure_ttl="999999999",
    )
    assert job.success_callback is None and job.failure_callback is None and job.stopped_callback is None
    assert (job.webhooks, job.retries_left, job._dependency_ids) == ([], None, [])
    assert (job.timeout, job.failure_ttl) == (queues.TIMEOUTS["verify"], queues.FAILURE_TTL)


def test_a_planted_job_does_not_run_and_the_worker_goes_on(nursery, connection, server, tmp_path: Path):
    """The payload of facts/reliability 2.3: through the JSON serializer alone it runs."""
    proof = tmp_path / "owned"
    queue = Queue("verify", connection=connection, serializer=JSONSerializer)
    queue.enqueue_call("os.system", args=(f"touch {proof}",))
    queue.enqueue_call(queues.JOBS["verify"], args=(str(uuid4()),), job_id="callback")
    connection.hset("rq:job:callback", mapping={"failure_callback_name": "os.system", "success_callback_name": "os.system"})
    workers = Workers(
        nursery, {"REDIS_URL": server.url, "DATA_DIR": str(tmp_path / "data"), "MODE": "development"}, tmp_path / "log"
    )
    workers.start("verify")
    try:
        taken = lambda: queue.is_empty() and not connection.llen("rq:queue:verify:intermediate")  # noqa: E731
        eventually(taken, within=15, what="both jobs are taken")
        eventually(lambda: "UnknownJob" in (tmp_path / "log").read_text(), within=5, what="the refusal is logged")
        workers.tend()
        assert workers.deaths == 0, (tmp_path / "log").read_text()
    finally:
        codes = workers.stop()
    assert codes == [0]
    assert not proof.exists()
    assert str(proof) not in (tmp_path / "log").read_text()
    left = b"".join(b"".join(connection.hgetall(key).values()) for key in connection.keys("rq:job:*"))
    assert b"Traceback" not in left


def test_the_payload_does_run_without_our_job_class(connection, server, tmp_path):
    """Shows that the test above bites: RQ's own job class imports and calls what stands in Redis."""
    from rq import SimpleWorker

    proof = tmp_path / "owned"
    queue = Queue("verify", connection=connection, serializer=JSONSerializer)
    queue.enqueue_call("os.system", args=(f"touch {proof}",))
    SimpleWorker([queue], connection=connection, serializer=JSONSerializer).work(burst=True, logging_level="ERROR")
    assert proof.exists()


def test_a_ring_holds_an_id_and_nothing_else(server, connection):
    from cases.settings import Settings

    queues.connect(Settings(redis_url=server.url))
    about = uuid4()
    queues.ring_verify(about)
    assert queues.waiting(queues.VERIFY) == {about}
    (job_id,) = connection.lrange("rq:queue:verify", 0, -1)
    job = KnownJob.fetch(job_id.decode(), connection=connection, serializer=JSONSerializer)
    assert job.args == [str(about)]
    assert job.description == "verify"


def test_a_ring_to_a_dead_redis_fails_by_name_and_soon(tmp_path):
    import time

    from cases.settings import Settings

    queues.connect(Settings(redis_url=f"unix://{tmp_path}/nobody.sock"))
    began = time.monotonic()
    with pytest.raises(queues.RingFailed):
        queues.ring_verify(uuid4())
    assert not queues.answers()
    assert time.monotonic() - began < 2


def test_a_ring_to_a_frozen_redis_fails_by_name_and_soon():
    import signal
    import time

    from cases.settings import Settings

    with valkey() as frozen:
        queues.connect(Settings(redis_url=frozen.url))
        assert frozen.running is not None
        frozen.running.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        try:
            with pytest.raises(queues.RingFailed):
                queues.ring_verify(uuid4())
            assert time.monotonic() - began < 2
        finally:
            frozen.running.send_signal(signal.SIGCONT)
