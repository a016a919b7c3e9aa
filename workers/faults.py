"""Deaths on demand, for the crash tests. Does nothing unless PEREMENA_FAULT says so, and never in production.

PEREMENA_FAULT="after_begin:horse,worker,both" kills, the first time any process passes the point `after_begin`, the
horse; the second time its worker; the third time both; after that nobody. `freeze` stops the horse until somebody sends
it SIGCONT, `deafen` lets it hang where no alarm reaches it, as a call into C does. Which time it is, is counted in the
folder PEREMENA_FAULT_DIR, so that processes started later go on counting.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from cases.settings import Mode
from workers import process

POINTS = frozenset(
    {
        "after_dequeue",
        "after_begin",
        "during_work",
        "after_work",
        "after_finish",
        "after_sending",
        "after_recover",
        "during_send_outgoing",
        "after_send_outgoing",
        "during_carry_out",
        "after_carry_out",
        "after_undo",
    }
)
"""Where a process may be told to die. Each of them stands in the code or in a test's own gather function."""


def fault(point: str) -> None:
    """Die here if the environment says so; see the module."""
    order = os.environ.get("PEREMENA_FAULT")
    if not order:
        return
    if point not in POINTS:
        raise ValueError(f"no such point: {point}")
    if process.settings().mode is Mode.PRODUCTION:
        return
    name, _, victims = order.partition(":")
    if name != point:
        return
    folder = Path(os.environ["PEREMENA_FAULT_DIR"])
    for number, victim in enumerate(victims.split(",")):
        try:
            with (folder / f"{point}-{number}-{victim}").open("x") as mark:
                mark.write(str(os.getpid()))
        except FileExistsError:
            continue  # that death has happened
        if victim == "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif victim == "deafen":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
            time.sleep(60)
        else:
            _kill(victim, folder)
        return


def _kill(victim: str, folder: Path) -> None:
    """Kill the horse (this process), its worker (the parent), or both. Does not return."""
    if victim in ("worker", "both"):
        os.kill(os.getppid(), signal.SIGKILL)
    if victim in ("horse", "both"):
        os.kill(os.getpid(), signal.SIGKILL)
    # The worker is dead: the kernel must take this horse with it (process.die_with_parent).
    time.sleep(2)
    (folder / "orphan-lived-on").touch()
    os._exit(1)
