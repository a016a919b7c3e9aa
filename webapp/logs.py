"""Structured logs: ids and codes only. A key that is not on the list does not get out, whoever wrote it.

Exceptions are logged as their class and places in the code, without their text: a text may quote what a person typed.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog
from flask import Flask, g, request

ALLOWED = frozenset({
    "event", "level", "timestamp", "request", "method", "endpoint", "status", "ms", "surface",
    "case", "customer", "staff", "run", "photo", "paper", "kind", "state", "attempt", "code", "codes", "policy", "limit", "count",
    "bytes", "locale", "error", "places", "queue",
})  # fmt: skip
"""Keys a log line may carry. Their values are ids, codes, numbers, times."""


_SAFE = re.compile(r"[\w .:/+@#<>(),{}-]{0,300}", re.ASCII)
"""What a logged text may look like: a code, an id, a place. Anything else, a Cyrillic name first of all, is left out."""


def keep_allowed(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Drop every key that is not allowed, and every text that does not look like a code."""
    return {key: value for key, value in line.items() if key in ALLOWED and _safe(value)}


def _safe(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_safe(v) for v in value)
    return value is None or isinstance(value, (bool, int, float)) or _SAFE.fullmatch(str(value)) is not None


def configure() -> None:
    """Send lines to standard error as JSON."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            keep_allowed,
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ],
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


log: Any = structlog.get_logger()


def places(error: BaseException) -> list[str]:
    """Where an exception came from, as file:line function, innermost last; never its text."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return [
        f"{frame.filename.rsplit('/', 2)[-2]}/{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames
    ]


def init_app(app: Flask) -> None:
    """Log each failure once, by class and place; keep Werkzeug and Flask from printing texts and addresses."""

    configure()

    def log_exception(info: Any) -> None:
        error = info[1]
        log.error(
            "crashed",
            error=type(error).__name__,
            places=places(error),
            endpoint=request.endpoint,
            method=request.method,
            request=g.get("request_id"),
        )

    app.log_exception = log_exception  # type: ignore[method-assign]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
