"""Counting tries."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from cases import throttles
from cases.models import Throttle

WINDOW = timedelta(minutes=15)


def test_the_sixth_try_is_too_many_and_the_next_window_begins_anew(session, now):
    def hit(subject, moment):
        return throttles.hit(session, "sign_in", subject, limit=5, window=WINDOW, now=moment)

    assert [hit("a", now + timedelta(seconds=n)) for n in range(7)] == [True] * 5 + [False] * 2
    assert hit("b", now) is True
    assert hit("a", now + WINDOW) is True


def test_purposes_and_windows_are_counted_apart(session, now):
    assert throttles.hit(session, "one", "a", limit=1, window=WINDOW, now=now)
    assert throttles.hit(session, "two", "a", limit=1, window=WINDOW, now=now)
    assert throttles.hit(session, "one", "a", limit=1, window=WINDOW * 4, now=now)
    assert not throttles.hit(session, "one", "a", limit=1, window=WINDOW, now=now)


def test_the_hash_of_an_address_cannot_be_made_without_the_secret(session, now, settings):
    session.info["settings"] = settings.model_copy(update={"secret_key": "1" * 64})
    throttles.hit(session, "sign_in", "192.0.2.7", limit=1, window=WINDOW, now=now)
    session.info["settings"] = settings.model_copy(update={"secret_key": "2" * 64})
    assert throttles.hit(session, "sign_in", "192.0.2.7", limit=1, window=WINDOW, now=now)
    assert len(set(session.scalars(select(Throttle.key)))) == 2


def test_subjects_are_kept_as_hashes_and_forgotten(session, now):
    throttles.hit(session, "sign_in", "someone@example.test", limit=5, window=WINDOW, now=now)
    row = session.scalars(select(Throttle)).one()
    assert "someone" not in str(vars(row)) and len(row.key) == 64
    throttles.forget(session, before=now - timedelta(days=1))
    assert session.scalars(select(Throttle)).all() != []
    throttles.forget(session, before=now + timedelta(days=1))
    assert session.scalars(select(Throttle)).all() == []
