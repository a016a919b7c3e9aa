"""The runs of the last month for the pages that draw them: read once in a while, since many are read for seconds."""

from __future__ import annotations

import threading
from datetime import timedelta

from flask import current_app
from sqlalchemy.orm import Session

from cases import distributions
from cases.distributions import Runs
from webapp.context import now

FRESH = timedelta(minutes=10)
"""How old a month of runs may be; the page says until when it goes."""

MANY = 20_000
"""Fewer are read in a moment, and are read anew each time."""

_reading = threading.Lock()  # several people at a page that takes seconds: one reads for all of them
_KEPT = "peremena.past_runs"


def recent(db: Session) -> Runs:
    """The runs of `distributions.DAYS`, at most FRESH old. For 200,000 about 25 MB are kept in each web process that is asked."""
    return _kept() or _read(db)


def _kept() -> Runs | None:
    runs: Runs | None = current_app.extensions.get(_KEPT)
    return runs if runs is not None and timedelta(0) <= now() - runs.until < FRESH else None


def _read(db: Session) -> Runs:
    with _reading:
        runs = _kept()
        if runs is None:
            runs = distributions.read(db, until=now())
            current_app.extensions[_KEPT] = runs if runs.n >= MANY else None
    return runs
