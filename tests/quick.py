"""What makes thousands of applications in one test process affordable, and changes nothing that a test looks at.

Each web test has an application of its own. Templates, statements and the builders of addresses are the same in all of them,
so they are compiled once a process. Hashes of passwords are argon2id still, of a few kilobytes in place of 64 MiB:
`tests/webapp/test_security.py` looks at what production takes.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from argon2 import PasswordHasher
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from passlib.hash import argon2
from passlib.totp import AppWallet
from sqlalchemy import event
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.pool import Pool
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from cases.database import Database
from webapp import security

PRODUCTION = security._hasher
"""The hasher as shipped."""


class _Compiled(BytecodeCache):
    """Templates by their names and the digests of their texts."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        held = self.kept.get((bucket.key, bucket.checksum))
        if held is not None:
            bucket.bytecode_from_string(held)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.kept[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


def templates() -> None:
    """All applications made from now on share their compiled templates."""
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": _Compiled()}


def addresses() -> None:
    """Rules of the same text share the code that builds their addresses: it depends on nothing else of an application of ours."""
    make, made = Rule._compile_builder, {}

    def compiled(rule: Rule, append_unknown: bool = True) -> Any:
        key = (rule.rule, rule.subdomain, append_unknown, repr(rule.defaults))
        if key not in made:
            made[key] = make(rule, append_unknown)
        return made[key]

    Rule._compile_builder = compiled  # type: ignore[method-assign]


def passwords() -> None:
    """Argon2id with the least memory it takes."""
    least = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}
    security._hasher = PasswordHasher(**least)
    AppWallet.encrypt_cost = 4  # of the keys of second factors: 2 to the power of this, in place of 14
    argon2.default_rounds, argon2.memory_cost, argon2.parallelism = 1, 8, 1


def statements() -> None:
    """Databases of the same kind share their compiled statements."""
    kept: dict[type, LRUCache[Any, Any]] = {}
    make = Database.__init__

    def made(database: Database, *given: Any, **more: Any) -> None:
        make(database, *given, **more)
        database.engine._compiled_cache = kept.setdefault(type(database.engine.dialect), LRUCache(4000))

    Database.__init__ = made  # type: ignore[method-assign]
    DefaultDialect.__eq__ = lambda one, other: type(one) is type(other)  # type: ignore[assignment]
    DefaultDialect.__hash__ = lambda one: hash(type(one))  # type: ignore[method-assign]


def disk() -> None:
    """No test cuts the power, so none has to wait for the disk."""

    def without_waiting(connection: Any, _record: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous=OFF")

    event.listen(Pool, "connect", without_waiting)


def everything() -> None:
    """Once for a process of tests."""
    templates()
    addresses()
    passwords()
    statements()
    disk()
