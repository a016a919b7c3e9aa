"""Log lines of the workers: one JSON object each, made of ids, codes, counts and times. Nothing else gets through.

The text of a message or an exception is never written, whoever made it: a database error quotes the row it choked on.
What is written is the type and the place, which is enough to find the cause in the code.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

KEYS = frozenset(
    {
        "event", "level", "timestamp", "process", "pid",
        "case", "run", "notification", "paper", "delivery", "message", "job", "bound", "queue", "task",
        "outcome", "state", "attempt", "count", "seconds", "tries", "code", "type", "where", "logger", "signal",
    }
)  # fmt: skip
"""Keys a line may have. `event` is a fixed word of ours; the other values are ids, codes and numbers."""

_SAFE = re.compile(r"[\w .:/+@#<>()-]{0,200}", re.ASCII)
_ROOT = Path(__file__).resolve().parents[1]


def configure(process: str) -> None:
    """Send our own lines and those of every library to standard error as JSON. `process`: verify, notify or upkeep."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_known_keys,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(process=process)
    root = logging.getLogger()
    root.handlers[:] = [_Library()]
    root.setLevel(logging.WARNING)


def only_known_keys(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop every key that is not in KEYS and every text that is not a short code; say how many were dropped."""
    kept = {key: value for key, value in line.items() if key in KEYS and _is_code(value)}
    if len(kept) < len(line):
        kept["count"] = kept.get("count", len(line) - len(kept))
        kept["code"] = kept.get("code", "keys_dropped")
    return kept


def _is_code(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float)) or _SAFE.fullmatch(str(value)) is not None


def place(error: BaseException) -> str:
    """Return where `error` was raised, in our own code if any of it took part: `cases/runs.py:120`. Never its text."""
    return _place(error.__traceback__)


def _place(trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace)
    ours = [frame for frame in frames if _ROOT in Path(frame.filename).parents and "site-packages" not in frame.filename]
    if not frames:
        return "unknown"
    frame = (ours or frames)[-1]
    path = Path(frame.filename)
    shown = path.relative_to(_ROOT) if ours else Path(*path.parts[-2:])
    return f"{shown}:{frame.lineno}"


class _Library(logging.Handler):
    """Takes the records of every library: logger, level, place and type of exception, without the message."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        line: dict[str, Any] = {"logger": record.name, "where": f"{record.module}:{record.lineno}"}
        if record.exc_info and record.exc_info[1] is not None:
            line["type"] = type(record.exc_info[1]).__name__
        level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
        structlog.get_logger().log(level, "library", **line)
