"""What the workers write down: ids and codes, whoever wrote the line."""

from __future__ import annotations

import logging
import sys

import pytest
import structlog

from workers import logs


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Lines as they pass our filter."""
    kept: list[dict[str, object]] = []
    before = structlog.get_config()

    def keep(_logger: object, _method: str, line: dict[str, object]) -> dict[str, object]:
        kept.append(dict(line))
        raise structlog.DropEvent

    structlog.configure(processors=[logs.only_known_keys, keep])
    yield kept
    structlog.configure(**before)


def test_unknown_keys_and_free_text_do_not_get_out(lines):
    structlog.get_logger().info("looked", case="0b1c", surname="X", outcome="Анна", where="a\nb", code="x" * 500, count=3)
    assert lines == [{"event": "looked", "case": "0b1c", "count": 3, "code": "keys_dropped"}]


def test_a_librarys_message_is_not_repeated(lines):
    try:
        raise ValueError("Anna Maria, born 1974-08-12")
    except ValueError:
        info = sys.exc_info()
    record = logging.LogRecord("sqlalchemy.pool", logging.ERROR, __file__, 7, "Anna %s", ("Maria",), info)
    logs._Library().emit(record)
    assert lines == [{"event": "library", "logger": "sqlalchemy.pool", "where": "test_logs:7", "type": "ValueError"}]


def test_the_place_of_an_error_is_in_our_code_where_it_took_part():
    try:
        int("Anna")
    except ValueError as error:
        assert logs.place(error).startswith("tests/workers/test_logs.py:")
    try:
        __import__("json").loads("Anna")
    except ValueError as error:
        assert logs.place(error).startswith("tests/workers/test_logs.py:")
    assert logs.place(ValueError("never raised")) == "unknown"
