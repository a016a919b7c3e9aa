"""Which processes the system consists of, and the one command of each.

`bin/up` (webapp.run), the container image (bin/role) and compose.yaml all start processes by the names of this table.

    python -m webapp.roles NAME          become that process
    python -m webapp.roles health NAME   exit 0 when that process serves, else say why and exit 1
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from cases.settings import Settings, SettingsError

HEALTH_PATH = "/healthz"
STALE = timedelta(seconds=45)  # workers beat every 10 s

ENVIRONMENT: Mapping[str, str] = {
    "PYTHONUNBUFFERED": "1",
    "TZ": "UTC",
    # One computing thread for each process: verify workers are the unit of parallel work, and RQ forks,
    # which a process may only do safely while it has a single thread.
    "OMP_NUM_THREADS": "1",
    "OMP_THREAD_LIMIT": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",  # nothing reports anywhere, and no thread of its may run at a fork
    "MALLOC_ARENA_MAX": "2",  # glibc keeps an arena for each thread; pictures would sit in all of them
}


class Ready(StrEnum):
    """How to tell that a process serves."""

    HTTP = "answers at HEALTH_PATH"
    BEAT = "leaves signs of life in the database"
    ALIVE = "runs"
    ENDED = "ended with exit code 0"  # a role that does one thing and ends


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """One kind of process."""

    name: str
    command: tuple[str, ...]  # arguments, the program first
    ready: Ready
    environment: Mapping[str, str] = field(default_factory=dict)  # on top of ENVIRONMENT
    port: int = 0  # HTTP only
    count: int = 1  # how many the runner starts


def roles(settings: Settings) -> dict[str, Role]:
    """Return every role by name. Commands hold no secret: those travel in the environment."""
    python = sys.executable

    def web(name: str, surfaces: str, port: int) -> Role:
        host = f"[{settings.bind}]" if ":" in settings.bind else settings.bind
        return Role(
            name=name,
            command=(
                *(python, "-m", "gunicorn", "--config", "python:webapp.gunicorn"),
                *("--bind", f"{host}:{port}", "webapp.app:create_app()"),
            ),
            environment={"SURFACES": surfaces},
            ready=Ready.HTTP,
            port=port,
        )

    table = (
        Role(name="migrate", command=(python, "-m", "cases", "migrate"), ready=Ready.ENDED),
        Role(name="seed", command=(python, "-m", "flask", "--app", "webapp.app", "seed"), ready=Ready.ENDED),
        web("portal", "portal", settings.portal_port),
        web("staff", "desk,ops", settings.staff_port),
        web("api", "api", settings.api_port),
        Role(name="verify", command=(python, "-m", "workers", "verify"), ready=Ready.BEAT, count=settings.verify_workers),
        Role(name="notify", command=(python, "-m", "workers", "notify"), ready=Ready.BEAT),
        Role(name="upkeep", command=(python, "-m", "workers", "upkeep"), ready=Ready.BEAT),
    )
    return {role.name: role for role in table}


def why_not_ready(role: Role, settings: Settings, *, pid: int | None = None) -> str | None:
    """Return None when a process of this role on this machine serves, else the reason it does not.

    `pid` names one process; without it any process of the role will do.
    """
    if role.ready is Ready.HTTP:
        return _why_no_answer(settings.bind, role.port)
    if role.ready is Ready.BEAT:
        return _why_no_beat(settings.database_url, role.name, pid)
    return None


def _why_no_answer(bind: str, port: int) -> str | None:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}{HEALTH_PATH}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy of the environment
    try:
        with direct.open(address, timeout=0.5):
            return None
    except urllib.error.HTTPError as error:
        return f"{address} answers {error.code}"
    except (OSError, http.client.HTTPException):
        return f"{address} does not answer"


def _why_no_beat(database_url: str, name: str, pid: int | None) -> str | None:
    """Look for a fresh sign of life that a worker of this machine left in the database (workers.worker.beat)."""
    from sqlalchemy import func, select  # here, so that a web container's health check need not load it
    from sqlalchemy.exc import SQLAlchemyError

    from cases.database import make_engine, utcnow
    from cases.models import Heartbeat

    process = f"{name}:{socket.gethostname()[:40]}:{'' if pid is None else pid}"
    which = Heartbeat.name.startswith(process, autoescape=True) if pid is None else Heartbeat.name == process
    engine = make_engine(database_url)
    try:
        with engine.connect().execution_options(read_only=True) as connection:
            last = connection.scalar(select(func.max(Heartbeat.at)).where(which))
    except SQLAlchemyError as error:
        return f"database: {type(error).__name__}"
    finally:
        engine.dispose()
    if last is None or utcnow() - last > STALE:
        return "no fresh sign of life in the database"
    return None


def main(arguments: list[str]) -> int:
    """Become a role, or tell its health; see the module's first lines."""
    checks = arguments[:1] == ["health"]
    names = arguments[1:] if checks else arguments
    try:
        settings = Settings.load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    table = roles(settings)
    if len(names) != 1 or names[0] not in table:
        print(f"usage: bin/role [health] {'|'.join(table)}", file=sys.stderr)
        return 2
    role = table[names[0]]
    if checks:
        reason = why_not_ready(role, settings)
        print(reason or "ok")
        return 1 if reason else 0
    # What the machine's operator set wins over our defaults, but SURFACES belongs to the role.
    os.execvpe(role.command[0], role.command, {**ENVIRONMENT, **os.environ, **role.environment})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
