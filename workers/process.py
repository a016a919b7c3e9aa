"""What a process has one of: settings and a database. A child never uses what its parent opened."""

from __future__ import annotations

import ctypes
import os
import signal

from cases.database import Database
from cases.settings import Settings

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_settings: Settings | None = None
_opened: tuple[int, Database] | None = None
_inherited: list[Database] = []  # kept so that nothing of the parent's is closed when the child forgets it


def settings() -> Settings:
    """Return this process's settings, read from the environment at the first call."""
    global _settings
    if _settings is None:
        _settings = Settings.load()
    return _settings


def use(given: Settings) -> None:
    """Take these settings from now on; tests and the start script say so."""
    global _settings, _opened
    close()
    _settings, _opened = given, None


def database() -> Database:
    """Return this process's database, opened at the first call and anew after a fork.

    A connection that two processes share mixes up their transactions, so the parent's is left alone.
    """
    global _opened
    if _opened is not None and _opened[0] != os.getpid():
        _inherited.append(_opened[1])
        _opened = None
    if _opened is None:
        _opened = (os.getpid(), Database.open(settings()))
    return _opened[1]


def close() -> None:
    """Close this process's connections; the next use opens others. A worker does so before it forks."""
    if _opened is not None and _opened[0] == os.getpid():
        _opened[1].dispose()


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent dies. Ends at once if `parent` is gone already.

    Without this a horse goes on after its worker was killed, beside the run that replaces it (measured).
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
