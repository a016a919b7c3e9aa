"""What must be expired or shredded by now. The only place that destroys anything.

Shredding destroys the case's data key first, which makes photos, claim, readings and notes unreadable wherever
copies lie; blobs and sealed columns go after it. Every step may be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.orm import Session, selectinload

from cases import (
    audit,
    conversations,
    customer_sessions,
    customers,
    device_links,
    duplicates,
    likeness,
    moves,
    notifications,
    ratings,
    replays,
    supporting,
    tombstones,
    unsent_forms,
)
from cases.crypto import destroy
from cases.database import Database
from cases.desk_tables import Paper
from cases.lifecycle import Action, State
from cases.models import Case, DataKey, HeadTurn, Link, Message, Photo, Run, UnsentForm, Upload
from cases.photo_store import LocalStore, store_of

ORPHAN_AGE = timedelta(hours=1)
"""A younger blob without a row may belong to a transaction that has not committed yet."""

AWAY = 10
"""So many blobs in a row that cannot be removed: the store is away, and the next round tries again."""

LINK_GRACE = timedelta(days=7)
"""How long an expired link is still told apart from one that never was."""

UNDER_DISPUTE = and_(Case.disputed_at.is_not(None), Case.dispute_settled_at.is_(None), Case.state == State.APPROVED)
"""Kept until a person has settled it."""


def due(session: Session, *, now: datetime, limit: int = 100) -> list[UUID]:
    """Closed cases whose time is over, oldest first."""
    before = now - timedelta(days=session.info["settings"].photo_days)
    return list(
        session.scalars(
            select(Case.id)
            .where(Case.closed_at.is_not(None), Case.closed_at <= before, Case.shredded_at.is_(None), ~UNDER_DISPUTE)
            .order_by(Case.closed_at, Case.id)
            .limit(limit)
        )
    )


def kept_until(session: Session, case: Case) -> datetime:
    """When a draft or a retake that nobody touches any more is closed."""
    days: int = session.info["settings"].draft_days
    return case.updated_at + timedelta(days=days)


def expire_drafts(session: Session, *, now: datetime, limit: int = 100) -> list[UUID]:
    """Close drafts and unanswered retakes that nobody touched for `draft_days`; returns their ids."""
    before = now - timedelta(days=session.info["settings"].draft_days)
    session.flush()
    stale = session.scalars(
        select(Case)
        .where(Case.state.in_([State.DRAFT, State.NEEDS_RETAKE]), Case.updated_at <= before)
        .order_by(Case.updated_at, Case.id)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    for case in stale:
        old = moves.move(session, case, Action.EXPIRE, now=now)
        notifications.add(session, case, "expired", now=now)
        audit.record(session, "expired", actor=audit.SYSTEM, now=now, case=case, old=old, new=case.state)
    return [case.id for case in stale]


def shred_due(session: Session, *, now: datetime, limit: int = 100, blobs: bool = True) -> list[UUID]:
    """Shred the cases that `due` names, and what an earlier call left when it was cut off; returns the cases.

    Keys first, then blobs: a crash in between, or a transaction that does not commit, is made good by the next call. Without
    `blobs` the caller removes them (`remove_blobs`), so that no trouble of the store keeps keys from being destroyed.
    """
    session.flush()
    cases = session.scalars(
        select(Case)
        .where(Case.id.in_(due(session, now=now, limit=limit)), Case.shredded_at.is_(None))
        .options(selectinload(Case.data_key))
        .order_by(Case.id)
        .with_for_update(key_share=True, skip_locked=True, of=Case)
        .execution_options(populate_existing=True)
    ).all()
    counts = {case.id: destroy_case(session, case, now) for case in cases}
    session.flush()
    if blobs:
        delete_blobs(session, now=now)
    unsent_forms.forget(session, now=now)
    for case in cases:  # last, because from the first event on other writers wait
        photos, runs = counts[case.id]
        audit.record(session, "shredded", actor=audit.SYSTEM, now=now, case=case, photos=photos, runs=runs)
    return [case.id for case in cases]


def erasable_from(session: Session, case: Case) -> datetime | None:
    """From when the customer may have a case shredded before its time. None: not by her.

    Not while it is open (she may withdraw it first). Where somebody said "this was not me" its photos show who was there,
    and they keep their usual time. A change keeps them for `undo_days`, and so does what was no success but a try: an agent
    refused it, or the machine gave it to a person. Whoever took over an account would else at once remove what shows it.
    """
    if case.closed_at is None or case.shredded_at is not None or case.disputed_at is not None:
        return None
    if case.state is State.REVERTED:
        return None
    if case.state is State.APPROVED or customers.drew_attention(session, case.id):
        return case.closed_at + timedelta(days=session.info["settings"].undo_days)
    return case.closed_at


def erase(session: Session, customer_id: UUID, *, now: datetime) -> list[UUID]:
    """Shred at the customer's wish all her cases that may go; returns them. May be repeated: what is gone is left alone.

    Keys go at once, which makes everything unreadable; the blobs go with the next `shred_due`.
    """
    session.flush()
    found = session.scalars(
        select(Case)
        .where(Case.customer_id == customer_id, Case.closed_at.is_not(None), Case.shredded_at.is_(None))
        .options(selectinload(Case.data_key))
        .order_by(Case.id)
        .with_for_update(key_share=True, of=Case)
        .execution_options(populate_existing=True)
    ).all()
    going = [case for case in found if (since := erasable_from(session, case)) is not None and since <= now]
    counts = {case.id: destroy_case(session, case, now) for case in going}
    for case in going:
        tombstones.put(session, tombstones.CASE, case.id, now=now)
    replays.forget(session, [case.id for case in going])
    session.execute(delete(UnsentForm).where(UnsentForm.customer_id == customer_id))
    session.flush()
    if going:
        she = audit.Actor(kind="customer", id=str(customer_id))
        audit.record(session, "deletion_asked", actor=she, now=now, customer_id=customer_id, count=len(going))
    for case in going:
        photos, runs = counts[case.id]
        audit.record(session, "shredded", actor=audit.SYSTEM, now=now, case=case, photos=photos, runs=runs)
    return [case.id for case in going]


def shred_case(session: Session, case_id: UUID, *, now: datetime) -> None:
    """Shred one closed case whatever its time says: its customer had wished that before a backup brought it back."""
    case = moves.lock(session, case_id)
    photos, runs = destroy_case(session, case, now)
    replays.forget(session, [case.id])
    audit.record(session, "deletion_asked", actor=audit.SYSTEM, now=now, customer_id=case.customer_id, count=1)  # again
    audit.record(session, "shredded", actor=audit.SYSTEM, now=now, case=case, photos=photos, runs=runs)


def destroy_case(session: Session, case: Case, now: datetime) -> tuple[int, int]:
    """Make everything of a locked case unreadable; returns how many photos and runs it had. Records nothing: the caller does."""
    destroy(case.data_key, now=now)
    duplicates.forget(session, case.id)
    conversations.shred_words(session, case.id, now=now)
    ratings.shred_words(session, case.id)
    supporting.shred_words(session, case.id, now=now)
    likeness.forget(session, case.id)
    session.execute(delete(Upload).where(Upload.case_id == case.id))
    case.claim_sealed = case.document_index = None
    case.shredded_at = now
    moves.changed(case, now=now)
    runs = session.scalars(select(Run).where(Run.case_id == case.id, Run.readings_sealed.is_not(None))).all()
    for run in runs:
        run.readings_sealed = None
    return session.scalar(select(func.count()).select_from(Photo).where(Photo.case_id == case.id)) or 0, len(runs)


def delete_blobs(session: Session, *, now: datetime, limit: int = 1000) -> int:
    """Remove the blobs of photos, head turns, messages and papers whose key is destroyed; returns how many. May be repeated."""
    session.flush()
    photos = session.scalars(
        select(Photo)
        .join(DataKey, DataKey.id == Photo.data_key_id)
        .where(Photo.shredded_at.is_(None), DataKey.wrapped.is_(None))
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True, of=Photo)
    ).all()
    head_turns = session.scalars(
        select(HeadTurn)
        .join(DataKey, DataKey.id == HeadTurn.data_key_id)
        .where(HeadTurn.blob.is_not(None), HeadTurn.shredded_at.is_(None), DataKey.wrapped.is_(None))
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True, of=HeadTurn)
    ).all()
    messages = session.scalars(
        select(Message)
        .join(DataKey, DataKey.id == Message.data_key_id)
        .where(Message.blob.is_not(None), Message.shredded_at.is_(None), DataKey.wrapped.is_(None))
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True, of=Message)
    ).all()
    papers = session.scalars(
        select(Paper)
        .join(DataKey, DataKey.id == Paper.data_key_id)
        .where(Paper.blob.is_not(None), Paper.shredded_at.is_(None), DataKey.wrapped.is_(None))
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True, of=Paper)
    ).all()
    rows: list[Photo | HeadTurn | Message | Paper] = [*photos, *head_turns, *messages, *papers]
    for row in rows:
        if row.blob is not None:
            store_of(session).shred(row.blob)
        row.shredded_at = now
    session.flush()
    return len(rows)


@dataclass(frozen=True, kw_only=True)
class Removed:
    """What became of blobs whose key is destroyed."""

    count: int
    failed: int  # the store did not remove them: tried again with the next round
    why: str | None  # the type of the last failure


def remove_blobs(database: Database, *, now: datetime, limit: int = 1000) -> Removed:
    """Like `delete_blobs`, with no transaction open while the store is asked, which may hang; one that fails stops no other.

    Safe without locks: a destroyed key never comes back, and no blob's name is used twice. Where many cannot be removed, each
    round begins elsewhere, so that the rest gets its turn.
    """
    with database.reading() as session:
        found = [
            (model, row_id, blob)
            for model in (Photo, HeadTurn, Message, Paper)
            for row_id, blob in session.execute(
                select(model.id, model.blob)
                .join(DataKey, DataKey.id == model.data_key_id)
                .where(model.blob.is_not(None), model.shredded_at.is_(None), DataKey.wrapped.is_(None))
                .order_by(model.id)
            )
        ]
    start = int(now.timestamp()) // 60 * AWAY % len(found) if found else 0
    store = database.info["photos"]
    gone: dict[type[Photo | HeadTurn | Message | Paper], list[UUID]] = {}
    failed = in_a_row = 0
    why = None
    for model, row_id, blob in (found[start:] + found[:start])[:limit]:
        try:
            store.shred(blob)
        except Exception as error:  # whatever a store may raise
            failed, in_a_row, why = failed + 1, in_a_row + 1, type(error).__name__
            if in_a_row >= AWAY:
                break
            continue
        in_a_row = 0
        gone.setdefault(model, []).append(row_id)
    if gone:
        with database.transaction() as session:
            for model, ids in gone.items():
                for at in range(0, len(ids), 500):
                    some = model.id.in_(ids[at : at + 500])
                    session.execute(update(model).where(some, model.shredded_at.is_(None)).values(shredded_at=now))
    return Removed(count=sum(len(ids) for ids in gone.values()), failed=failed, why=why)


@dataclass(frozen=True, kw_only=True)
class Orphans:
    """Where rows and blobs do not fit: blobs that no row knows; photos, head turns, messages or papers whose blob is missing."""

    blobs: tuple[str, ...]
    photos: tuple[UUID, ...]


def orphans(session: Session, *, now: datetime) -> Orphans:
    """Compare the store with the rows. Blobs younger than an hour are left out: their rows may be on the way."""
    present: dict[str, datetime] = dict(store_of(session).names())
    rows = {
        blob: photo_id
        for photo_id, blob in session.execute(select(Photo.id, Photo.blob).where(Photo.shredded_at.is_(None))).all()
    }
    kept = select(HeadTurn.id, HeadTurn.blob).where(HeadTurn.blob.is_not(None), HeadTurn.shredded_at.is_(None))
    rows |= {blob: head_turn_id for head_turn_id, blob in session.execute(kept).all() if blob is not None}
    sent = select(Message.id, Message.blob).where(Message.blob.is_not(None), Message.shredded_at.is_(None))
    rows |= {blob: message_id for message_id, blob in session.execute(sent).all() if blob is not None}
    papers = select(Paper.id, Paper.blob).where(Paper.blob.is_not(None), Paper.shredded_at.is_(None))
    rows |= {blob: paper_id for paper_id, blob in session.execute(papers).all() if blob is not None}
    return Orphans(
        blobs=tuple(sorted(name for name, written in present.items() if name not in rows and written <= now - ORPHAN_AGE)),
        photos=tuple(photo_id for blob, photo_id in rows.items() if blob not in present),
    )


def remove_orphans(session: Session, *, now: datetime) -> int:
    """Remove blobs that no row knows, left by transactions that did not commit; returns how many."""
    store = store_of(session)
    found = orphans(session, now=now)
    for name in found.blobs:
        store.shred(name)
    if isinstance(store, LocalStore):
        store.sweep(before=now - ORPHAN_AGE)
    return len(found.blobs)


def forget_links(session: Session, *, now: datetime) -> None:
    """Remove links that expired, and sessions that began, a while ago."""
    session.execute(delete(Link).where(Link.expires_at < now - LINK_GRACE))
    device_links.forget(session, before=now - LINK_GRACE)
    customer_sessions.forget(session, before=now - LINK_GRACE)
