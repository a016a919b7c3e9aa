"""Back up, destroy, restore: the chain verifies, cases and photos open, and who was erased after the backup stays erased."""

from __future__ import annotations

import argparse
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from cases import __main__ as commands
from cases import audit, backups, customers, exports, intake, photo_store, privacy, profiles, queries, retention, tombstones
from cases.crypto import Vault
from cases.database import Database
from cases.lifecycle import State
from cases.models import Case, Customer, CustomerSession, DataKey, Event, Heartbeat, Link, Photo, Run, Staff
from cases.photo_store import store_of
from cases.settings import Settings
from tests import factories as a

DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def system(database: Database, now: datetime) -> Database:
    """A small system: an approved case, a refused one, a draft."""
    with database.transaction() as session:
        a.an_approved(session, now=now)
        case = a.a_rejected(session, now=now)
        customers.make_link(session, "case", case.customer, case=case, lifetime=30 * DAY, now=now)
        a.a_draft(session, now=now)
    return database


def destroyed(database: Database) -> None:
    """The machine is gone: database and photos. What lies elsewhere, backups and tombstones, is left."""
    settings = database.settings
    if database.engine.dialect.name == "sqlite":
        database.dispose()
        for file in settings.data_dir.glob("peremena.db*"):
            file.unlink()
    else:
        with database.engine.begin() as connection:
            for table in reversed(backups.Base.metadata.sorted_tables):
                connection.execute(text(f"DROP TABLE {table.name} CASCADE"))
            connection.execute(text("DROP TABLE alembic_version"))
        database.dispose()
    shutil.rmtree(settings.data_dir / "photos")


def readable(database: Database, customer_id) -> bool:
    with database.reading() as session:
        return session.get_one(Customer, customer_id).data_key.wrapped is not None


def test_what_was_destroyed_comes_back_whole(system, folder, now, settings):
    made = backups.backup(system, folder, now=now)
    with system.reading() as session:
        ids = session.scalars(select(Case.id).order_by(Case.id)).all()
        before = [queries.case_page(session, one, now=now).profile for one in ids]
        photos = {photo.id: photo_store.read(session, photo) for photo in session.scalars(select(Photo))}
    destroyed(system)
    told = backups.restore(settings, folder, now=now + DAY)
    assert (told.events, told.pictures, told.opened, told.broken) == (made.events, len(photos), len(photos), 0)
    with system.reading() as session:
        assert audit.verify(session).ok
        assert [queries.case_page(session, one, now=now).profile for one in ids] == before
        assert {photo.id: photo_store.read(session, photo) for photo in session.scalars(select(Photo))} == photos
        assert session.scalars(select(Event.kind).order_by(Event.id.desc()).limit(1)).one() == "restored"
    with system.transaction() as session:  # and work goes on, triggers and all
        a.a_submitted(session, now=now + DAY)
    with pytest.raises(Exception, match="append-only"), system.transaction() as session:
        session.execute(text("UPDATE events SET kind = 'other'"))


def test_who_was_erased_after_the_backup_stays_erased(system, folder, now, settings):
    with system.transaction() as session:
        going, staying = a.a_draft(session, now=now), a.a_draft(session, now=now)
        wish = a.a_rejected(session, now=now)
    backups.backup(system, folder, now=now)
    later = now + 14 * DAY
    with system.transaction() as session:
        privacy.erase(session, going.customer_id, actor=audit.HOST, reason="wish", now=later)
        assert retention.erase(session, wish.customer_id, now=later) == [wish.id]
    tombstones.write(system, tombstones.folder(settings), now=later)
    destroyed(system)
    with backups._opened(settings) as empty:
        backups._load(settings, folder / backups.names(folder)[0], backups._manifest(settings, folder, None)[1])
        assert readable(empty, going.customer_id)  # the backup itself would bring her back
    told = backups.restore(settings, folder, now=later, overwrite=True)
    assert (told.erased_again, told.requests_erased_again, told.broken) == (1, 1, 0)
    assert not readable(system, going.customer_id) and readable(system, staying.customer_id)
    with system.transaction() as session:
        assert session.get_one(Customer, going.customer_id).external_id.startswith(privacy.ERASED)
        assert session.get_one(Case, wish.id).data_key.wrapped is None and readable(system, wish.customer_id)
        live = set(session.scalars(select(Photo.blob).where(Photo.customer_id == going.customer_id)))
        assert live and not live & set(dict(store_of(session).names()))
        assert exports.gather(session, staying.customer_id, language="en", now=later).files
        assert audit.verify(session).ok


def test_a_request_destroyed_at_her_wish_stays_destroyed_also_where_the_backup_knows_it_open(system, folder, now, settings):
    with system.transaction() as session:
        case, other = a.a_submitted(session, now=now), a.a_draft(session, now=now)
        a.begun(session, case, now=now)  # a worker is looking
    backups.backup(system, folder, now=now)
    later = now + timedelta(hours=8)
    with system.transaction() as session:
        intake.withdraw(session, case.id, now=later)
        assert retention.erase(session, case.customer_id, now=later) == [case.id]
    tombstones.write(system, tombstones.folder(settings), now=later)
    destroyed(system)
    told = backups.restore(settings, folder, now=later + timedelta(hours=1))
    assert (told.erased_again, told.requests_erased_again, told.broken) == (0, 1, 0)
    with system.transaction() as session:
        back = session.get_one(Case, case.id)
        assert (back.state, back.claim_sealed, back.data_key.wrapped) == (State.WITHDRAWN, None, None)
        assert session.scalars(select(Run.state).where(Run.case_id == case.id)).all() == ["abandoned"]
        assert not set(session.scalars(select(Photo.blob).where(Photo.case_id == case.id))) & set(dict(store_of(session).names()))
        assert session.get_one(Case, other.id).state is State.DRAFT and readable(system, case.customer_id)
        assert audit.verify(session).ok
        lines = tombstones.read(settings, [tombstones.folder(settings)])
        assert privacy.replay(session, lines, now=later) == (0, 0)  # once more, nothing is left to do


def test_the_number_of_a_cases_events_goes_on_above_what_a_receiver_saw(system, folder, now, settings):
    with system.transaction() as session:
        case = session.scalars(select(Case).where(Case.state == State.DRAFT)).one()
        case.hook_sequence = 3
    backups.backup(system, folder, now=now)
    with system.transaction() as session:
        session.get_one(Case, case.id).hook_sequence = 7  # four more were sent, and are lost
    system.dispose()
    backups.restore(settings, folder, now=now + DAY, overwrite=True)
    with system.reading() as session:
        assert session.get_one(Case, case.id).hook_sequence == 3 + backups.SEQUENCE_STEP > 7
        assert session.get_one(Case, case.id).version == case.version


def test_the_next_backup_lets_go_of_pictures_that_nothing_opens_and_copies_only_what_is_new(system, folder, now):
    first = backups.backup(system, folder, now=now)
    assert (first.copied, first.removed, first.missing) == (first.pictures, 0, 0)
    with system.transaction() as session:
        case = a.a_draft(session, now=now)
        gone = session.scalars(select(Case).where(Case.state == "rejected")).one()
        retention.shred_case(session, gone.id, now=now)
    second = backups.backup(system, folder, now=now + DAY)
    assert (second.copied, second.removed) == (3, 2) and case
    blobs = {file.name for file in (folder / "photos").glob("??/*")}
    assert len(blobs) == second.pictures
    with system.reading() as session:
        kinds = [e.details for e in session.scalars(select(Event).where(Event.kind == "backed_up").order_by(Event.id))]
    assert [one["backup"] for one in kinds] == backups.names(folder)
    third = backups.backup(system, folder, now=now + 2 * DAY, keep=1)
    assert backups.names(folder) == [third.name]


def test_a_changed_backup_is_not_restored(system, folder, now, settings):
    made = backups.backup(system, folder, now=now)
    assert backups.check(settings, folder).events == made.events
    place = folder / made.name
    for file in (backups.PICTURES, backups.MANIFEST, "database"):
        found = next(one for one in place.iterdir() if one.name.startswith(file))
        kept = found.read_bytes()
        found.write_bytes(kept[:-3] + bytes(255 - one for one in kept[-3:]))
        with pytest.raises(backups.NotGenuine):
            backups.check(settings, folder)
        with pytest.raises(backups.NotGenuine):
            backups.restore(settings, folder, now=now, overwrite=True)
        found.write_bytes(kept)
    picture = next((folder / "photos").glob("??/*"))
    picture.write_bytes(b"other")
    with pytest.raises(backups.NotGenuine, match="picture"):
        backups.check(settings, folder)
    other = settings.model_copy(update={"audit_key": "b" * 64})
    with pytest.raises(backups.NotGenuine, match="AUDIT_KEY"):
        backups.check(other, folder, pictures=False)
    with system.reading() as session:
        assert session.scalar(select(func.count()).select_from(Case)) == 3  # nothing was touched


def test_only_an_empty_system_that_does_not_run_is_written_into(system, folder, now, settings):
    backups.backup(system, folder, now=now)
    with pytest.raises(backups.BackupFailed, match=r"not empty. Stop portal, desk and API"):
        backups.restore(settings, folder, now=now)
    with system.transaction() as session:
        session.add(Heartbeat(name="verify-1", at=now))
    with pytest.raises(backups.BackupFailed, match="stop everything first, portal, desk and API"):
        backups.restore(settings, folder, now=now, overwrite=True)
    assert backups.restore(settings, folder, now=now + DAY, overwrite=True).broken == 0


def test_keys_that_are_missing_are_named_before_anything_is_touched(system, folder, now, settings):
    system.info["vault"] = Vault({1: bytes.fromhex("1a" * 32), 2: b"2" * 32})
    with system.transaction() as session:
        a.a_draft(session, now=now)
    backups.backup(system, folder, now=now)
    with pytest.raises(backups.BackupFailed, match="lacks version 2"):
        backups.restore(settings, folder, now=now, overwrite=True)
    with system.reading() as session:
        assert session.scalar(select(func.count()).select_from(Case)) == 4


def test_nothing_in_the_folder_is_a_key_or_says_who_anybody_is(system, folder, now, settings):
    backups.backup(system, folder, now=now)
    secrets = (settings.secret_key, settings.audit_key, settings.master_keys.partition(":")[2], bytes.fromhex("1a" * 32))
    for file in folder.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            for secret in (*secrets, *(one for one in a.PERSONAL if len(one) > 5)):
                assert (secret if isinstance(secret, bytes) else secret.encode()) not in data, file.name
            assert file.stat().st_mode & 0o077 == 0 or file.parent.name != "photos"


def test_what_was_ended_since_does_not_come_back_to_life(system, folder, now, settings):
    with system.transaction() as session:
        customer = session.scalars(select(Customer)).first()
        session.add(CustomerSession(customer_id=customer.id, began_at=now, seen_at=now))
        case = session.scalars(select(Case).where(Case.state == State.APPROVED)).one()
        customers.make_link(session, "hand_over", customer, lifetime=DAY, now=now)
        token = customers.make_link(session, "not_me", case.customer, case=case, lifetime=14 * DAY, now=now)
        before = session.scalars(select(Staff.fs_uniquifier)).all()
    backups.backup(system, folder, now=now)
    system.dispose()
    backups.restore(settings, folder, now=now + DAY, overwrite=True)
    with system.reading() as session:
        assert session.scalars(select(CustomerSession)).all() == []
        assert {link.purpose for link in session.scalars(select(Link))} == {"case", "not_me"}
        assert not set(before) & set(session.scalars(select(Staff.fs_uniquifier)))
    with system.transaction() as session:  # the mail that she got before still tells us
        link = customers.redeem_link(session, token, "not_me", now=now + DAY)
        assert customers.report_not_me(session, link, now=now + DAY).disputed_at == now + DAY


def test_anchors_of_what_was_lost_are_set_aside_and_kept(system, folder, now, settings):
    backups.backup(system, folder, now=now)
    anchors = settings.data_dir / "anchors"
    with system.transaction() as session:
        audit.anchor(session, anchors, now=now)
    system.dispose()
    backups.restore(settings, folder, now=now + DAY, overwrite=True)
    assert [file.name.startswith("anchors-before-") for file in anchors.iterdir()] == [True]
    with system.transaction() as session:
        audit.anchor(session, anchors, now=now + DAY)
        assert audit.verify(session, anchors=anchors).ok


def test_a_drill_brings_everything_back_beside_the_running_system_and_leaves_nothing(system, now, settings):
    with system.transaction() as session:
        gone = a.a_draft(session, now=now)
        privacy.erase(session, gone.customer_id, actor=audit.HOST, reason="wish", now=now)
        events = session.scalar(select(func.count()).select_from(Event))
    before = _databases(system)
    told = backups.drill(system, now=now)
    assert told.ok and (told.erased, told.back) == (1, 0) and told.restored.opened == told.made.pictures > 0
    assert _databases(system) == before
    with system.reading() as session:
        assert session.scalar(select(func.count()).select_from(Event)) == events  # only read
    with system.transaction() as session:  # a picture is lost
        store_of(session).shred(session.scalars(select(Photo.blob).join(DataKey).where(DataKey.wrapped.is_not(None))).first())
    assert not backups.drill(system, now=now).ok


def _databases(database: Database) -> list[str]:
    if database.engine.dialect.name == "sqlite":
        return []
    with database.reading() as session:
        return sorted(session.scalars(text("SELECT datname FROM pg_database")))


def test_a_backup_that_was_cut_off_is_none(system, folder, now, monkeypatch, settings):
    with monkeypatch.context() as patched, pytest.raises(OSError):
        patched.setattr(backups, "_copy_blobs", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        backups.backup(system, folder, now=now)
    assert backups.names(folder) == [] and [file.name for file in folder.iterdir()] == []
    with pytest.raises(backups.BackupFailed, match="no backup"):
        backups.check(settings, folder)
    assert backups.backup(system, folder, now=now).pictures > 0


def test_a_missing_program_is_named_with_its_package(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(backups.BackupFailed, match=r"pg_dump is not installed.*postgresql-client"):
        backups.tool("pg_dump")


def test_a_revert_after_a_restore_still_finds_the_version_before(system, folder, now, settings):
    backups.backup(system, folder, now=now)
    destroyed(system)
    backups.restore(settings, folder, now=now + DAY)
    with system.transaction() as session:
        case = session.scalars(select(Case).where(Case.state == "approved")).one()
        senior = a.a_member(session, a.Role.SENIOR_AGENT, now=now + DAY)
        profiles.revert(session, case.id, actor=audit.Actor.staff(senior), reason="A court said so.", now=now + DAY)
        assert customers.current_profile(session, case.customer)[0] == a.PROFILE


def test_settings_for_a_scratch_place_are_of_the_same_keys(settings: Settings, database, tmp_path):
    with backups._scratch(database, tmp_path) as scratch:
        assert scratch.keyring == settings.keyring and scratch.database_url != settings.database_url


def test_after_a_restore_by_other_means_a_command_erases_again_and_steps_over_numbers_of_events(system, settings, now, capsys):
    with system.transaction() as session:
        draft = session.scalars(select(Case).where(Case.state == State.DRAFT)).one()
        tombstones.put(session, tombstones.CASE, draft.id, now=now)
    tombstones.write(system, tombstones.folder(settings), now=now)
    given = argparse.Namespace(command="replay-tombstones", file=tombstones.folder(settings))
    assert commands._run(given, system) == 0
    assert "1 tombstones read; erased again: 0 persons, 1 single requests" in capsys.readouterr().out
    with system.reading() as session:
        case = session.get_one(Case, draft.id)
        assert case.state is State.WITHDRAWN and case.data_key.wrapped is None
        assert session.scalars(select(Case.hook_sequence)).all() == [backups.SEQUENCE_STEP] * 3
        assert not set(session.scalars(select(Photo.blob).where(Photo.case_id == case.id))) & set(dict(store_of(session).names()))
