"""python light.py verify|notify|upkeep [OPTION ...]: the workers with a light look instead of the engines. Tests only.

`real` is a verify worker with the real engines, in whose look a fault may strike; `nursery` forks workers fast.
Options: norecover, upkeep never takes back a run; hurry, a look may take one second; spied, what encodes or compares a face
leaves a file behind.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import threading
import time
import traceback
import types
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import workers.__main__ as start
from cases import outbox
from cases.database import Database, utcnow
from cases.settings import Settings
from tests import factories
from verification.evidence import Evidence
from workers import process, queues, upkeep, worker
from workers.faults import fault


def looks_good(**given: Any) -> Evidence:
    """Return evidence that the shipped policy approves, for whatever was sent; takes 30 ms and has a child of its own."""
    horse = os.getpid()
    child = os.fork()  # stands for the decoder and Tesseract: it may not outlive the horse
    if child == 0:
        process.die_with_parent(horse)
        time.sleep(0.03)
        if os.environ.get("PEREMENA_FAULT", "").startswith("during_work"):
            time.sleep(1.5)
            if os.getppid() != horse:
                Path(os.environ["PEREMENA_FAULT_DIR"], "child-lived-on").touch()
        os._exit(0)
    fault("during_work")
    os.waitpid(child, 0)
    return factories.good_evidence(given["claim"], given["profile"])


def slow_down_real_engines() -> None:
    """Let the fault `during_work` strike while a child decodes a picture, in the middle of the real look."""
    from verification import pipeline

    look = pipeline.gather_evidence

    def struck(**given: Any) -> Any:
        horse = os.getpid()

        def strike() -> None:
            time.sleep(0.3)
            if os.getpid() == horse:
                fault("during_work")

        threading.Thread(target=strike, daemon=True).start()
        return look(**given)

    pipeline.gather_evidence = struck


def spy_on_faces() -> None:
    """Note in a file of its own each time that something encodes or compares a face, or loads what could; then let it."""
    from verification.faces import compare, encode, liveness, voices

    def spied(module: Any, name: str) -> None:
        real = getattr(module, name)

        def noting(*given: Any, **more: Any) -> Any:
            Path(os.environ["PEREMENA_FAULT_DIR"], f"called-{name}").touch()
            return real(*given, **more)

        setattr(module, name, noting)

    for module, name in (
        (encode, "load"), (encode, "encode"), (compare, "encode"), (compare, "look"), (compare, "together"), (compare, "compare"),
        (compare, "distances"), (compare, "correlation"), (voices, "distance"), (liveness, "judge"),
    ):  # fmt: skip
        spied(module, name)


def web() -> None:
    """Submit as the portal does, and die where it would ring."""
    factories._numbers = itertools.count(os.getpid() * 1000)  # nobody else's customers
    with Database.open(Settings.load()).transaction() as session:
        factories.a_submitted(session, now=utcnow())
    os.kill(os.getpid(), signal.SIGKILL)


def be(kind: str, options: list[str]) -> int:
    """Become a worker."""
    if kind == "web":
        web()
    if kind == "real":
        kind = "verify"
        slow_down_real_engines()
        if "spied" in options:
            spy_on_faces()
    elif kind == "verify":
        light = types.ModuleType("verification.pipeline")
        light.load = lambda **_given: None  # type: ignore[attr-defined]
        light.gather_evidence = looks_good  # type: ignore[attr-defined]
        sys.modules["verification.pipeline"] = light
    outbox.SENDING = timedelta(seconds=2)
    worker.REDIS_AWAY = 1.0
    worker.BEAT = 1.0
    worker.MONITORED = 1
    worker.STUCK = 0.5
    if "hurry" in options:
        queues.TIMEOUTS["verify"] = 1
    if kind == "upkeep":
        upkeep.RING_AGAIN = timedelta(seconds=1)
        if "norecover" in options:
            upkeep.recover = lambda: 0
    return start.main([kind])


def nursery() -> None:
    """Fork workers from a process that has imported all they need, for imports cost a second each.

    Reads one JSON line for each wish: {"start": [KIND, ...], "environment": {...}, "log": FILE} or {"poll": PID}.
    """
    import cv2  # noqa: F401

    import workers.__main__
    import workers.notify
    import workers.upkeep  # noqa: F401
    from verification import decision, evidence  # noqa: F401

    children: dict[int, int | None] = {}
    for line in sys.stdin:
        wish = json.loads(line)
        if "start" in wish:
            pid = os.fork()
            if pid == 0:
                os.environ.clear()
                os.environ.update(wish["environment"])
                log = os.open(wish["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                for stream in (1, 2):
                    os.dup2(log, stream)
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                try:
                    code = be(wish["start"][0], wish["start"][1:])
                except BaseException:
                    traceback.print_exc()
                    code = 99
                os._exit(code)
            children[pid] = None
            answer = pid
        else:
            pid = wish["poll"]
            if children[pid] is None:
                done, status = os.waitpid(pid, os.WNOHANG)
                children[pid] = os.waitstatus_to_exitcode(status) if done else None
            answer = children[pid]
        print(json.dumps(answer), flush=True)
    for pid, code in children.items():
        if code is None:
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[1] == "nursery":
        nursery()
    else:
        sys.exit(be(sys.argv[1], sys.argv[2:]))
