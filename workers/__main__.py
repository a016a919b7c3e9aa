"""python -m workers verify|notify|upkeep: become one kind of background process, in the foreground.

Ends on SIGTERM or SIGINT, after the job in hand; a second signal ends that job too.
"""

from __future__ import annotations

import os

# Read by libraries when they load; a process with threads must not fork.
os.environ["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "1")
os.environ["OMP_THREAD_LIMIT"] = os.environ.get("OMP_THREAD_LIMIT", "1")
os.environ["OPENBLAS_NUM_THREADS"] = os.environ.get("OPENBLAS_NUM_THREADS", "1")
os.environ["MALLOC_ARENA_MAX"] = os.environ.get("MALLOC_ARENA_MAX", "2")
os.environ["TZ"] = "UTC"
# From 1.29 on ONNX Runtime reports to its maker from a thread of its own and keeps a device id in the home folder, unless told.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import importlib
import sys
import time

import structlog

from cases.settings import Settings, SettingsError
from workers import logs, process, queues

KINDS = ("verify", "notify", "upkeep")


def main(arguments: list[str]) -> int:
    """Become the process named by the only argument. Returns the exit code: 0 after a signal, 2 for a wrong start."""
    if len(arguments) != 1 or arguments[0] not in KINDS:
        print(f"usage: python -m workers {'|'.join(KINDS)}", file=sys.stderr)
        return 2
    (kind,) = arguments
    time.tzset()
    try:
        settings = Settings.load()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    logs.configure(kind)
    process.use(settings)
    queues.connect(settings)
    log = structlog.get_logger()
    began = time.monotonic()
    module = importlib.import_module(f"workers.{kind}")
    if kind == "verify":
        module.load()
    log.info("started", pid=os.getpid(), seconds=round(time.monotonic() - began, 3))
    module.serve()
    log.info("stopped", pid=os.getpid())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
