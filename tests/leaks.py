"""The alarm of the whole suite: personal data of any fixture in a log, event, job or exception fails the test.

After login.gov's fake analytics (facts/reliability.md 1.2): the alarm knows the people of the fixtures, looks at
everything that leaves by one of the ways that must stay clean, and raises where it leaves.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from flask import got_request_exception
from rq import Queue
from sqlalchemy import event

from cases.models import Event, Heartbeat
from tests.factories import PERSONAL

SHORTEST = 6
"""Shorter texts (a country, a sex) stand in honest places too."""

SECRETS = tuple(sorted({value.casefold() for value in PERSONAL if len(value) >= SHORTEST}))


class Leak(AssertionError):
    """Personal data was about to leave. Names the way, not the value."""


_seen: list[str] = []


def look(text: str, way: str) -> None:
    """Raise Leak when `text` holds anything of a fixture's person."""
    folded = text.casefold()
    if any(secret in folded for secret in SECRETS):
        _seen.append(way)
        raise Leak(f"personal data in {way}")


class _Handler(logging.Handler):
    """Looks at every record of every logger, arguments and traceback included."""

    def emit(self, record: logging.LogRecord) -> None:
        """Raise on a leak: straight into whoever logged."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None and "rq" not in record.name:
            text += repr(record.exc_info[1])
        look(text, f"a log line of {record.name}")


def _event_row(_mapper: Any, _connection: Any, row: Event) -> None:
    look(json.dumps(row.details, ensure_ascii=False, default=str) + f" {row.kind} {row.actor_id}", f"the event {row.kind}")


def _heartbeat(_mapper: Any, _connection: Any, row: Heartbeat) -> None:
    look(row.name, "a heartbeat")


def _request_exception(_sender: Any, exception: BaseException, **_rest: Any) -> None:
    seen: BaseException | None = exception
    while seen is not None:
        look(f"{seen!r}", f"the exception {type(seen).__name__}")
        seen = seen.__cause__


@pytest.fixture(scope="session", autouse=True)
def alarm() -> Iterator[None]:
    """Watch all ways out for the whole session."""
    handler = _Handler(level=logging.DEBUG)
    root = logging.getLogger()
    root.addHandler(handler)
    event.listen(Event, "before_insert", _event_row)
    event.listen(Heartbeat, "before_insert", _heartbeat)
    got_request_exception.connect(_request_exception)
    enqueue, printed = Queue.enqueue_call, structlog.PrintLogger.msg

    def looked_at(self: Queue, func: Any, args: Any = None, **rest: Any) -> Any:
        look(repr((func, args, rest)), "a job")
        return enqueue(self, func, args=args, **rest)

    def line(self: structlog.PrintLogger, message: str) -> None:
        look(message, "a structured log line")
        printed(self, message)

    Queue.enqueue_call = looked_at  # type: ignore[method-assign]
    for name in ("msg", "log", "debug", "info", "warn", "warning", "fatal", "failure", "err", "error", "critical", "exception"):
        setattr(structlog.PrintLogger, name, line)
    yield
    Queue.enqueue_call = enqueue  # type: ignore[method-assign]
    for name in ("msg", "log", "debug", "info", "warn", "warning", "fatal", "failure", "err", "error", "critical", "exception"):
        setattr(structlog.PrintLogger, name, printed)
    event.remove(Event, "before_insert", _event_row)
    event.remove(Heartbeat, "before_insert", _heartbeat)
    got_request_exception.disconnect(_request_exception)
    root.removeHandler(handler)


@pytest.fixture(autouse=True)
def no_leak() -> Iterator[None]:
    """A leak that something swallowed still fails the test."""
    _seen.clear()
    yield
    swallowed, _seen[:] = list(_seen), []
    assert not swallowed, f"personal data was about to leave by {', '.join(swallowed)}"
