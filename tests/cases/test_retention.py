"""What expires, what is shredded, and that nothing of it can be read again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from cases import audit, customers, intake, photo_store, profiles, queries, retention
from cases.crypto import KeyDestroyed, vault_of
from cases.lifecycle import CLOSED, State
from cases.models import DataKey, Disposition, Event, Link, Photo, Role, Run
from cases.photo_store import LocalStore, PhotoGone, store_of
from tests import factories as a

DAY = timedelta(days=1)


@pytest.fixture
def over(now, settings):
    """The moment at which what was closed now has to be shredded."""
    return now + timedelta(days=settings.photo_days)


@pytest.mark.parametrize("state", sorted(CLOSED))
def test_closed_cases_are_due_when_their_time_is_over(session, now, over, state):
    case = a.in_state(session, state, now=now)
    assert retention.due(session, now=over - timedelta(seconds=1)) == []
    assert retention.due(session, now=over) == [case.id]


@pytest.mark.parametrize("state", [s for s in State if s not in CLOSED])
def test_open_cases_are_never_due(session, now, state):
    a.in_state(session, state, now=now)
    assert retention.due(session, now=now + 3650 * DAY) == []


def test_after_shredding_nothing_of_the_case_can_be_read(session, now, over):
    case = a.a_rejected(session, now=now)
    photos = session.scalars(select(Photo).where(Photo.case_id == case.id)).all()
    claim, run = case.claim_sealed, session.scalars(select(Run)).one()
    readings, wrapped = run.readings_sealed, case.data_key.wrapped
    note = session.scalars(select(Disposition)).one().note_sealed
    assert retention.shred_due(session, now=over) == [case.id]
    assert (case.shredded_at, case.claim_sealed, run.readings_sealed, case.data_key.wrapped) == (over, None, None, None)
    assert run.measures is not None  # numbers are kept for tuning
    for sealed, place in ((claim, profiles.claim_place(case.id)), (readings, f"runs.readings|{run.id}"), (note, "x")):
        with pytest.raises(KeyDestroyed):
            vault_of(session).open(case.data_key, sealed, place)  # copies in a backup stay unreadable
    for photo in photos:
        assert photo.shredded_at == over
        with pytest.raises(PhotoGone):
            photo_store.read(session, photo)
    assert photo.blob not in dict(store_of(session).names())
    assert wrapped not in [key.wrapped for key in session.scalars(select(DataKey))]
    event = session.scalars(select(Event).where(Event.kind == "shredded")).one()
    assert event.details == {"photos": 2, "runs": 1}
    page = queries.case_page(session, case.id, now=over)
    assert page.shredded and page.claim is None and page.reading is None and page.dispositions[0].note is None


def test_the_account_outlives_the_case(session, now, over):
    case = a.an_approved(session, now=now)
    retention.shred_due(session, now=over)
    assert customers.current_profile(session, case.customer)[0].values["surname"] == "BERGMANTEST"
    assert photo_store.read(session, customers.face_on_file(session, case.customer_id))


def test_shredding_may_be_repeated(session, now, over):
    case = a.an_approved(session, now=now)
    assert retention.shred_due(session, now=over) == [case.id]
    assert retention.shred_due(session, now=over) == []
    assert audit.verify(session).ok


def test_a_crash_between_key_and_blob_is_made_good(database, now, over, monkeypatch):
    with database.transaction() as session:
        case = a.an_approved(session, now=now)
        blobs = set(session.scalars(select(Photo.blob).where(Photo.case_id == case.id)))
    with monkeypatch.context() as patched:
        patched.setattr(LocalStore, "shred", lambda self, name: (_ for _ in ()).throw(OSError("gone")))
        with pytest.raises(OSError), database.transaction() as session:
            retention.shred_due(session, now=over)
        patched.setattr(retention, "delete_blobs", lambda session, *, now: 0)  # killed right after the keys
        with database.transaction() as session:
            assert retention.shred_due(session, now=over) == [case.id]
    with database.transaction() as session:
        assert blobs <= set(dict(store_of(session).names()))
        assert retention.shred_due(session, now=over) == []
        assert not blobs & set(dict(store_of(session).names()))
        assert all(session.scalars(select(Photo.shredded_at).where(Photo.case_id == case.id)))


def test_a_blob_that_is_gone_already_does_not_stop_it(session, now, over):
    case = a.an_approved(session, now=now)
    store_of(session).shred(session.scalars(select(Photo.blob).where(Photo.case_id == case.id)).first())
    assert retention.shred_due(session, now=over) == [case.id]


def test_a_disputed_case_waits_until_it_is_settled(session, now, over):
    case = a.an_approved(session, now=now)
    case.disputed_at = now
    assert retention.due(session, now=over) == []
    case.dispute_settled_at = over
    assert retention.due(session, now=over) == [case.id]


def test_a_shredded_case_can_still_be_reverted_and_says_why(session, now, over):
    case = a.an_approved(session, now=now)
    retention.shred_due(session, now=over)
    senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
    profiles.revert(session, case.id, actor=audit.Actor.staff(senior), reason="A court said so.", now=over)
    assert queries.case_page(session, case.id, now=over).dispositions[0].note == "A court said so."


def test_forgotten_drafts_expire(session, now, settings):
    draft, retake, sent = a.a_draft(session, now=now), a.a_needs_retake(session, now=now), a.a_submitted(session, now=now)
    limit = now + timedelta(days=settings.draft_days)
    assert retention.expire_drafts(session, now=limit - timedelta(seconds=1)) == []
    assert set(retention.expire_drafts(session, now=limit)) == {draft.id, retake.id}
    assert (draft.state, retake.state, sent.state) == (State.EXPIRED, State.EXPIRED, State.SUBMITTED)
    assert retention.expire_drafts(session, now=limit) == []


def test_working_on_a_draft_keeps_it(session, now, settings):
    draft = a.a_draft(session, now=now)
    a.add_photos(session, draft, now=now + DAY)
    assert retention.expire_drafts(session, now=now + timedelta(days=settings.draft_days)) == []


def test_blobs_without_a_row_are_found_and_removed_but_not_young_ones(database, now):
    with pytest.raises(RuntimeError), database.transaction() as session:
        a.a_draft(session, now=now)
        raise RuntimeError("lost before the commit")
    with database.transaction() as session:
        kept = a.a_draft(session, now=now)
        written = max(at for _, at in store_of(session).names())
        assert retention.orphans(session, now=written) == retention.Orphans(blobs=(), photos=())
        later = written + retention.ORPHAN_AGE
        assert len(retention.orphans(session, now=later).blobs) == 3  # two photos and a face on file
        assert retention.remove_orphans(session, now=later) == 3
        assert retention.orphans(session, now=later) == retention.Orphans(blobs=(), photos=())
        photo = intake.photo(session, kept, a.PhotoKind.SELFIE)
        store_of(session).shred(photo.blob)
        assert retention.orphans(session, now=later).photos == (photo.id,)


def test_a_replaced_face_on_file_leaves_the_store(session, now):
    customer = a.a_customer(session, now=now)
    first = customers.face_on_file(session, customer.id)
    customers.set_face_on_file(session, customer, a.jpeg(3), quality=a.GOOD_QUALITY, now=now)
    assert retention.delete_blobs(session, now=now) == 1
    assert first.blob not in dict(store_of(session).names())


def test_old_links_are_forgotten(session, now):
    customer = a.a_customer(session, now=now)
    customers.make_link(session, "case", customer, lifetime=DAY, now=now)
    retention.forget_links(session, now=now + DAY + retention.LINK_GRACE)
    assert session.scalars(select(Link)).all() != []
    retention.forget_links(session, now=now + 2 * DAY + retention.LINK_GRACE)
    assert session.scalars(select(Link)).all() == []


def test_only_few_destroy_keys():
    for file in Path(retention.__file__).parent.glob("*.py"):
        if file.name not in ("retention.py", "customers.py", "crypto.py", "privacy.py", "webhooks.py"):
            assert "destroy(" not in file.read_text(), file.name
