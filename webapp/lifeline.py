"""Tie the life of a child process to that of its parent (Linux `prctl`). Standard library only.

A parent that gets SIGKILL cannot tidy up; the kernel does it for those who asked beforehand.
"""

from __future__ import annotations

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when the thread that forked it ends. Survives exec.

    `parent` is the process id of whoever forked: had it died before the call, nobody would be left to wait for,
    so this process ends at once. To be called in the child, forked from its parent's main thread.
    """
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def adopt_orphans() -> None:
    """Make grandchildren whose parent died children of this process, so that it can end and reap them."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
