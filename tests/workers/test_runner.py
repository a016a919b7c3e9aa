"""The runner with real processes and a real Valkey; small stand-ins take the place of web and workers.

Needs no database, so bin/test runs it once only.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis

ROOT = Path(__file__).resolve().parents[2]

# A web server that answers where it is asked to, with a child of its own, as gunicorn has.
WEB = """
import http.server, os, sys
from webapp.lifeline import die_with_parent
parent = os.getpid()
if os.fork() == 0:
    die_with_parent(parent)
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/healthz" else 404)
            self.end_headers()
        def log_message(self, *_):
            pass
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
os.wait()
"""

MIGRATE = """
import os, sqlite3
open(os.environ["DATA_DIR"] + "/migrated", "a").write("x")
with sqlite3.connect(os.environ["DATA_DIR"] + "/peremena.db") as database:
    database.execute("create table if not exists heartbeats (name text primary key, at timestamp not null)")
"""

# A worker that shows its sign of life as ours do and obeys SIGTERM as RQ does.
WORKER = """
import os, redis, socket, sqlite3
with sqlite3.connect(os.environ["DATA_DIR"] + "/peremena.db") as database:
    name = f"verify:{socket.gethostname()[:40]}:{os.getpid()}"
    database.execute("insert into heartbeats values (?, strftime('%Y-%m-%d %H:%M:%f000', 'now'))", [name])
from rq import Queue, Worker
server = redis.Redis.from_url(os.environ["REDIS_URL"])
Worker([Queue("verify", connection=server)], connection=server).work()
"""

# A process that refuses to end politely, and whose child was never tied to it.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
time.sleep(600)
"""

RUN = """
import sys
from cases.settings import Settings
from webapp.roles import Ready, Role
from webapp.run import Plan, Runner
settings = Settings.load()
def role(name, code, ready, *arguments, **more):
    return Role(name=name, command=(sys.executable, "-c", code, *arguments), ready=ready, **more)
from tests.workers import test_runner as here
before = (role("migrate", here.MIGRATE, Ready.ENDED),)
serving = (
    role("portal", here.WEB, Ready.HTTP, str(settings.portal_port), port=settings.portal_port),
    role("verify", here.WORKER, Ready.BEAT, count=2),
    role("upkeep", here.STUBBORN, Ready.ALIVE),
)
if sys.argv[1:] == ["broken"]:
    serving += (role("notify", "raise RuntimeError('no')", Ready.BEAT),)
sys.exit(Runner(plan=Plan(settings=settings, before=before, serving=serving)).run())
"""


class System:
    """One runner on one data folder, and everything that descends from it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.processes: dict[int, psutil.Process] = {}
        self.output = folder.parent / "console"

    def start(self, *arguments: str, wait: bool = True) -> None:
        environment = {**os.environ, "DATA_DIR": str(self.folder), "PORTAL_PORT": str(self.port), "MODE": "development"}
        for name in ("REDIS_URL", "DATABASE_URL", "TEST_DATABASE_URL"):
            environment.pop(name, None)
        with self.output.open("w") as output:
            command = [sys.executable, "-c", RUN, *arguments]
            self.runner = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        if wait:
            until(lambda: "Ready in" in self.said(), 30, lambda: self.said())
            self.look()

    def said(self) -> str:
        return self.output.read_text()

    def look(self) -> list[psutil.Process]:
        """Remember and return all living descendants of the runner."""
        found = psutil.Process(self.runner.pid).children(recursive=True)
        self.processes.update({process.pid: process for process in found})
        return found

    def living(self) -> list[str]:
        """Return the commands of every remembered process that still runs."""
        return [
            " ".join(process.cmdline())[:80]
            for process in self.processes.values()
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        ]

    def named(self, part: str) -> list[psutil.Process]:
        """Return the runner's own children whose command holds `part`."""
        found = []
        for child in psutil.Process(self.runner.pid).children():
            try:
                if any(part in argument for argument in child.cmdline()):
                    found.append(child)
            except psutil.NoSuchProcess:  # ended, and perhaps not reaped yet
                pass
        return found

    def valkey(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.folder / "run" / "valkey.sock"))

    def stop(self) -> float:
        """Ask politely; return the seconds until the runner had ended."""
        self.look()
        began = time.monotonic()
        self.runner.terminate()
        self.runner.wait(20)
        return time.monotonic() - began


def until(true: Callable[[], bool], seconds: float, story: Callable[[], str] = lambda: "") -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s\n{story()}"
        time.sleep(0.05)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    system = System(tmp_path / "var", port)
    yield system
    if system.runner.poll() is None:
        system.look()
        system.runner.kill()
        system.runner.wait()
    for process in system.processes.values():
        if process.is_running():
            process.kill()


def test_everything_serves_before_the_runner_says_so_and_a_polite_stop_leaves_nothing(system: System) -> None:
    system.start()
    assert (system.folder / "migrated").read_text() == "x"
    assert f"http://127.0.0.1:{system.port}" in system.said()
    until(lambda: len(system.valkey().smembers("rq:workers:verify")) == 2, 2)
    assert (system.folder / "run").stat().st_mode & 0o777 == 0o700
    assert len(system.look()) == 1 + 2 + 2 + 2  # Valkey, web and its child, two workers, the stubborn one and its child

    assert system.stop() < 5
    assert system.runner.returncode == 0
    assert system.living() == []
    assert not (system.folder / "run" / "valkey.sock").exists()


def test_ctrl_c_stops_it_too(system: System) -> None:
    system.start()
    system.runner.send_signal(signal.SIGINT)
    assert system.runner.wait(5) == 0
    assert system.living() == []


def test_a_killed_runner_takes_everyone_it_started_along_and_the_next_start_finds_the_queue(system: System) -> None:
    system.start()
    system.valkey().rpush("kept", "one")
    _written(system)
    started = [process for process in system.look() if process.ppid() == system.runner.pid]
    web = system.named("HTTPServer")[0]
    web_child = web.children()
    assert len(web_child) == 1

    system.runner.kill()
    system.runner.wait()
    tied = [*started, *web_child]
    until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in tied), 2, lambda: str(tied))
    assert (system.folder / "run" / "valkey.sock").exists()  # nobody was left to remove it

    system.start()
    assert system.valkey().lrange("kept", 0, -1) == [b"one"]
    assert system.stop() < 5


@pytest.mark.parametrize("part", ["HTTPServer", "Worker", "valkey"])
def test_what_dies_is_started_again(system: System, part: str) -> None:
    system.start()
    system.valkey().set("kept", "one")
    _written(system)
    before = {process.pid for process in system.named(part)}
    psutil.Process(min(before)).kill()
    until(lambda: "was ended by SIGKILL" in system.said(), 2, system.said)
    assert "starts again in 0.5 s" in system.said()
    until(lambda: len({process.pid for process in system.named(part)} - before) == 1, 5, system.said)
    if part == "HTTPServer":
        until(lambda: _answers(system.port), 5, system.said)
    until(lambda: (system.folder / "run" / "valkey.sock").exists(), 5)
    until(lambda: _kept(system) == b"one", 5, system.said)


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _written(system: System) -> None:
    """Wait until the append-only file is on the disk: where an earlier write to it is slow, Valkey holds the next one back."""
    assert system.valkey().execute_command("WAITAOF", 1, 0, 10_000)[0] == 1


def _kept(system: System) -> object:
    try:
        return system.valkey().get("kept")
    except redis.ConnectionError:
        return None


def test_a_process_that_cannot_start_ends_the_attempt_with_its_own_words(system: System) -> None:
    system.start("broken", wait=False)
    assert system.runner.wait(20) == 1
    assert "notify ended with exit code 1" in system.said()
    assert "RuntimeError: no" in system.said()
    assert "Ready" not in system.said()
    with pytest.raises(redis.ConnectionError):
        system.valkey().ping()


def test_a_taken_port_is_named_with_the_way_out(system: System) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", system.port))
        other.listen()
        system.start(wait=False)
        assert system.runner.wait(10) == 1
    assert f"Port {system.port} on 127.0.0.1 is taken" in system.said()
    assert f"PORTAL_PORT={system.port + 100} bin/up" in system.said()


def test_a_second_runner_on_the_same_folder_is_refused(system: System) -> None:
    system.start()
    first = system.runner
    second = System(system.folder, system.port + 1)
    second.output = system.folder.parent / "second"
    second.start(wait=False)
    assert second.runner.wait(10) == 1
    assert "Already running" in second.said()
    assert first.poll() is None
    assert system.valkey().ping()


def hello(environ: dict[str, object], start_response: Callable[[str, list[tuple[str, str]]], object]) -> list[bytes]:
    """Answer anything: the smallest WSGI application."""
    start_response("200 OK", [])
    return [b"hello"]


def test_web_workers_die_with_a_gunicorn_that_was_killed(system: System) -> None:
    """With the real gunicorn and our settings of it, as roles start it."""
    command = [sys.executable, "-m", "gunicorn", "--config", "python:webapp.gunicorn", "--bind", f"127.0.0.1:{system.port}"]
    home = {**os.environ, "HOME": str(system.folder.parent), "WEB_CONCURRENCY": "2"}
    system.runner = subprocess.Popen([*command, f"{__name__}:hello"], cwd=ROOT, env=home, stderr=subprocess.DEVNULL)
    until(lambda: _answers(system.port) and len(system.look()) == 2, 10)
    assert not list(system.folder.parent.rglob("*.ctl"))  # gunicorn's control socket would be shared by all our servers
    system.runner.kill()
    system.runner.wait()
    until(lambda: system.living() == [], 2)
    assert not _answers(system.port)


def test_a_valkey_that_lost_its_runner_is_replaced_and_keeps_its_data(system: System) -> None:
    """A server that was started without a lifeline: by hand, or by another tool, on the same folder."""
    from webapp.run import _valkey_command

    (system.folder / "run").mkdir(parents=True)
    (system.folder / "valkey").mkdir()
    orphan = subprocess.Popen(
        _valkey_command(system.folder / "run" / "valkey.sock", system.folder / "valkey"), stdout=subprocess.DEVNULL
    )
    until(lambda: _kept(system) is None and (system.folder / "run" / "valkey.sock").exists(), 5)
    system.valkey().set("kept", "one")
    _written(system)
    system.start()
    assert orphan.wait(5) == 0
    assert system.valkey().get("kept") == b"one"
