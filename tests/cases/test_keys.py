"""Rotating the master key while others write: nothing becomes unreadable, and nothing is said to be over before it is."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import func, select

from cases import customers, intake, keys, photo_store, retention
from cases.crypto import Unreadable, Vault, destroy
from cases.database import Database
from cases.models import Case, DataKey, Event, Photo
from cases.settings import SettingsError
from tests import factories as a
from tests.conftest import settings_in
from verification.reasons import PhotoKind

OLD, NEW = bytes.fromhex("1a" * 32), bytes.fromhex("2b" * 32)  # the first as in tests.conftest.KEYS
BOTH = {1: OLD, 2: NEW}


def under(database: Database, vault: Vault) -> None:
    """The processes were started again with other master keys."""
    database.info["vault"] = vault


def counts(database: Database) -> dict[int, int]:
    with database.reading() as session:
        return {one.version: one.keys for one in keys.status(session)}


def test_a_new_key_is_known_before_it_wraps_anything(database, now):
    with database.transaction() as session:
        first = a.a_draft(session, now=now).data_key_id
    under(database, Vault(BOTH, newest=1))
    with database.transaction() as session:
        second = a.a_draft(session, now=now).data_key_id
        assert {session.get_one(DataKey, one).master_version for one in (first, second)} == {1}
        told = {one.version: one for one in keys.status(session)}
    assert told[1].newest and told[2].known and not told[2].newest and told[2].keys == 0
    with pytest.raises(ValueError, match="that it has"):
        Vault(BOTH, newest=3)


def test_the_setting_names_a_key_that_there_is(tmp_path):
    config = settings_in(tmp_path).model_copy(update={"master_key_version": 7})
    with pytest.raises(SettingsError, match="MASTER_KEY_VERSION"):
        config.keyring  # noqa: B018


def test_a_rotation_goes_on_where_it_was_cut_off_and_says_when_the_old_key_may_go(database, now):
    with database.transaction() as session:
        for _ in range(4):
            a.a_draft(session, now=now)
        total = session.scalar(select(func.count()).select_from(DataKey))
    under(database, Vault(BOTH))
    assert keys.rotate(database, now=now, batch=2, most=4) == 4
    assert counts(database) == {1: total - 4, 2: 4}
    with database.reading() as session:
        assert not any(one.may_go for one in keys.status(session))
    assert keys.rotate(database, now=now, batch=3) == total - 4
    assert keys.rotate(database, now=now) == 0
    with database.reading() as session:
        assert [(one.version, one.may_go) for one in keys.status(session)] == [(1, True), (2, False)]
        told = [e.details for e in session.scalars(select(Event).where(Event.kind == "keys_rewrapped"))]
    assert sum(one["count"] for one in told) == total and {one["master_version"] for one in told} == {2}
    under(database, Vault({2: NEW}))
    with database.transaction() as session:
        for photo in session.scalars(select(Photo)):
            assert photo_store.read(session, photo)


def test_what_is_wrapped_by_a_key_that_is_not_at_hand_is_shown(database, now):
    with database.transaction() as session:
        a.a_draft(session, now=now)
    under(database, Vault({2: NEW}))
    with database.reading() as session:
        told = {one.version: one for one in keys.status(session)}
        assert not told[1].known and told[1].keys > 0 and not told[1].may_go
    with pytest.raises(Unreadable):
        keys.rotate(database, now=now)


def test_a_destroyed_key_is_not_brought_back_by_a_rotation(database, now):
    with database.transaction() as session:
        case = a.a_draft(session, now=now)
        destroy(case.data_key, now=now)
    under(database, Vault(BOTH))
    keys.rotate(database, now=now)
    with database.reading() as session:
        assert session.get_one(DataKey, case.data_key_id).wrapped is None


def test_while_it_runs_requests_are_sent_looked_at_and_shredded_and_all_stay_readable(database, now, settings):
    """Writers that keep rows in hand from before, new keys, keys destroyed: against a rotation in batches of two."""
    with database.transaction() as session:
        begun = [a.a_draft(session, now=now).id for _ in range(6)]
        gone = [a.a_rejected(session, now=now).customer_id for _ in range(2)]
    under(database, Vault(BOTH))
    troubles: list[BaseException] = []
    start = threading.Barrier(4)

    def work(what: Any) -> threading.Thread:
        def run() -> None:
            try:
                start.wait()
                what()
            except BaseException as trouble:  # told by the main thread
                troubles.append(trouble)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def send() -> None:
        for case_id in begun:
            with database.transaction() as session:
                intake.attach_photo(session, case_id, PhotoKind.SELFIE, a.jpeg(9), a.GOOD_QUALITY, now=now)
                case = intake.submit(session, case_id, consent_version=a.CONSENT, now=now)
                order = a.begun(session, case, now=now)
            with database.transaction() as session:
                a.finished(session, order, now=now)

    def arrive() -> None:
        for _ in range(5):
            with database.transaction() as session:
                a.a_customer(session, now=now)

    def shred() -> None:
        later = now.replace(year=now.year + 1)
        for customer_id in gone:
            with database.transaction() as session:
                retention.erase(session, customer_id, now=later)

    threads = [work(one) for one in (send, arrive, shred)]
    start.wait()
    rotated = 0
    while any(thread.is_alive() for thread in threads):
        rotated += keys.rotate(database, now=now, batch=2, most=4)
    for thread in threads:
        thread.join()
    assert troubles == []
    keys.rotate(database, now=now)
    assert counts(database)[1] == 0 and rotated > 0
    under(database, Vault({2: NEW}))
    with database.transaction() as session:
        live = session.scalars(select(Photo).join(DataKey, DataKey.id == Photo.data_key_id).where(DataKey.wrapped.is_not(None)))
        read = [photo_store.read(session, photo) for photo in live.all()]
        assert len(read) >= 6 * 3
        for case_id in begun:
            case = session.get_one(Case, case_id)
            assert customers.current_profile(session, case.customer)[0].values
