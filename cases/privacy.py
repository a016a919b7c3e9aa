"""A whole person: erase her, hand out what is held of her.

Erasing destroys her data key and those of all her requests first, which makes everything sealed unreadable wherever copies
lie; columns are emptied and rows deleted in the same transaction, blobs and mails that were kept as files go with upkeep's
next rounds. What stays are codes, ids and times (`cases.privacy_map`). A tombstone goes to a file outside the database, so
that a restored backup erases her again.

Whoever took over an account would ask for nothing sooner than that what shows it be removed. So while a dispute is open, or
a change or a refused try is young, an erasure waits, and upkeep carries it out when the last hold is over. A legal order
overrides that.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from cases import (
    audit,
    confirmations,
    customers,
    duplicates,
    exports,
    likeness,
    moves,
    photo_store,
    replays,
    retention,
    tombstones,
    webhooks,
    who_looked,
)
from cases import staff as people
from cases.crypto import destroy
from cases.desk_tables import Answer, CaseNote, Paper, Presence, QualitySample, StaffAccount
from cases.host_tables import ApiAnswer, ErasureRow, Tombstone
from cases.lifecycle import CLOSED, Action, State
from cases.models import (
    Case,
    Customer,
    CustomerSession,
    DataKey,
    DeviceLink,
    FaceEncoding,
    HeadTurn,
    Link,
    Message,
    Notification,
    Photo,
    Rating,
    Run,
    Staff,
    TurnFrame,
    UnsentForm,
    Upload,
)
from cases.ops_tables import Undo, UndoItem
from cases.privacy_map import PLACES, WHY_KEPT, Fate

REASONS = ("wish", "account_closed", "order")
"""She asks for it; the host closed her account and its own time is over; a court or an authority orders it."""

HOLDS = ("dispute", "recent_change", "recent_attempt", "reverted", "undoing")
"""What an erasure waits for."""

ERASED = "erased-"
"""An erased customer's external_id begins with it; 40 hex digits of a keyed hash follow."""

PURPOSE = "host_copy"
"""Of the looks at pictures that the host's export causes."""


Events = list[Callable[[], object]]
"""Of one transaction, gathered and recorded last: from the first event on other writers wait, and none may wait for a row of ours
while we wait for theirs."""

looks = who_looked.looks
"""Who looked at her photos and requests."""


class NotAsked(Exception):
    """This actor may not ask for that; the text is a code."""


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Why an erasure waits. `until` is None while a person has to settle it."""

    code: str
    until: datetime | None


@dataclass(frozen=True, kw_only=True)
class Item:
    """What went: a table and how many rows of it."""

    what: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What stayed, and why: a code of `privacy_map.WHY_KEPT` or what it was emptied of."""

    what: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """How an erasure stands. Codes, counts and times: nothing of her."""

    id: UUID
    customer_id: UUID
    state: str  # "waiting" or "done"
    reason: str
    asked_at: datetime
    holds: tuple[Hold, ...]
    not_before: datetime | None  # None: not waiting, or for a person
    erased: tuple[Item, ...]
    kept: tuple[Kept, ...]
    done_at: datetime | None
    finished_at: datetime | None  # blobs and mails kept as files are gone as well

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, for the API's answer."""
        return {
            "id": str(self.id),
            "customer_id": str(self.customer_id),
            "state": self.state,
            "reason": self.reason,
            "asked_at": _time(self.asked_at),
            "holds": [{"code": hold.code, "until": _time(hold.until)} for hold in self.holds],
            "not_before": _time(self.not_before),
            "erased": [asdict(item) for item in self.erased],
            "kept": [asdict(item) for item in self.kept],
            "done_at": _time(self.done_at),
            "finished_at": _time(self.finished_at),
        }


# --- Erase


def erase(
    session: Session, customer_id: UUID, *, actor: audit.Actor, reason: str, now: datetime, by: Staff | None = None
) -> Erasure:
    """Erase a person, or have it wait for what holds it up; says which, what went and what stays. The caller commits.

    Open requests are withdrawn in either case. May be repeated: what is done stays done, what waits is weighed anew, and an order
    ends the waiting. Staff need the permission "erase_people". Raises NotAllowed, NotAsked, NoResultFound, ValueError.
    """
    _may_ask(actor, by, reason, customer_id)
    session.get_one(Customer, customer_id)
    cases = _lock(session, customer_id)
    row = _of(session, customer_id)
    if row is not None and row.done_at is not None:
        return _told(session, row, now)
    events: Events = []
    if row is None:
        row = _row(session, customer_id, reason=reason, asked_by=actor.kind, asked_at=now)
        asked = True
    else:
        asked = reason == "order" and row.reason != "order"
        row.reason = "order" if asked else row.reason
    _weigh(session, row, cases, now=now, actor=actor, events=events)
    if asked:
        events.append(
            partial(
                audit.record, session, "erasure_asked", actor=actor, now=now, customer_id=customer_id, erasure_id=row.id,
                reason=row.reason, holds=row.holds, until=row.not_before,
            )
        )  # fmt: skip
    if not row.holds:
        _destroy(session, row, cases, actor=actor, now=now, events=events)
    _record(events)
    return _told(session, row, now)


def cancel(session: Session, customer_id: UUID, *, actor: audit.Actor, now: datetime) -> bool:
    """Take back an erasure that waits; says whether there was one. What is done cannot be taken back."""
    _lock(session, customer_id)
    row = _of(session, customer_id)
    if row is None or row.done_at is not None:
        return False
    row.cancelled_at = now
    session.flush()
    audit.record(session, "erasure_cancelled", actor=actor, now=now, customer_id=customer_id, erasure_id=row.id)
    return True


def find(session: Session, external_id: str) -> Erasure | None:
    """The newest erasure of whoever had this id with the host, so that a request repeated is answered alike."""
    account = tombstones.hashed(session, "account", external_id)
    row = session.scalars(
        select(ErasureRow)
        .where(ErasureRow.account == account, ErasureRow.cancelled_at.is_(None))
        .order_by(ErasureRow.asked_at.desc(), ErasureRow.id)
        .limit(1)
    ).first()
    return None if row is None else _told(session, row, None)


def of(session: Session, customer_id: UUID, *, now: datetime) -> Erasure | None:
    """How the erasure of a customer stands; None: nobody asked for one."""
    row = _of(session, customer_id)
    return None if row is None else _told(session, row, now)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How erasures of whole persons stand."""

    waiting: int
    done: int
    unfinished: int  # done, and ciphertext or mails still to be removed
    unwritten: int  # tombstones that stand in no file outside the database yet


def counts(session: Session) -> Counts:
    """For the page on what is kept."""

    def number(*where: Any) -> int:
        return session.scalar(select(func.count()).where(*where)) or 0

    done = ErasureRow.done_at.is_not(None)
    return Counts(
        waiting=number(ErasureRow.done_at.is_(None), ErasureRow.cancelled_at.is_(None)),
        done=number(done),
        unfinished=number(done, ErasureRow.finished_at.is_(None)),
        unwritten=number(Tombstone.written_at.is_(None)),
    )


def holds(session: Session, cases: Sequence[Case], *, now: datetime) -> tuple[Hold, ...]:
    """What an erasure has to wait for now, once each, the last one to end first. Open cases are taken as withdrawn now."""
    config = session.info["settings"]
    found: dict[str, list[datetime | None]] = {}
    for case in cases:
        closed = case.closed_at or now
        usual = None if case.shredded_at is not None else closed + timedelta(days=config.photo_days)
        undo = closed + timedelta(days=config.undo_days)
        if case.state is State.APPROVED and case.disputed_at is not None and case.dispute_settled_at is None:
            found.setdefault("dispute", []).append(None)  # until a person has looked
        elif case.disputed_at is not None and usual is not None:
            found.setdefault("dispute", []).append(usual)  # its photos show who was there
        if case.state is State.REVERTED and usual is not None:
            found.setdefault("reverted", []).append(usual)
        if case.state is State.APPROVED:
            found.setdefault("recent_change", []).append(undo)
        elif case.shredded_at is None and customers.drew_attention(session, case.id):
            found.setdefault("recent_attempt", []).append(undo)
    ids = [case.id for case in cases]
    undoing = select(UndoItem.case_id).join(Undo, Undo.id == UndoItem.undo_id)
    undoing = undoing.where(UndoItem.case_id.in_(ids), UndoItem.outcome.is_(None), Undo.withdrawn_at.is_(None))
    if session.execute(undoing.limit(1)).first() is not None:
        found.setdefault("undoing", []).append(None)
    left = []
    for code, times in found.items():
        until = None if None in times else max(time for time in times if time is not None)
        if until is None or until > now:
            left.append(Hold(code=code, until=until))
    return tuple(sorted(left, key=lambda hold: (hold.until is not None, -hold.until.timestamp() if hold.until else 0, hold.code)))


def due(session: Session, *, now: datetime) -> list[UUID]:
    """Customers whose erasure may be due: no hold of theirs has an end to come. Who waits for a person is weighed each time."""
    return list(
        session.scalars(
            select(ErasureRow.customer_id)
            .where(
                ErasureRow.done_at.is_(None),
                ErasureRow.cancelled_at.is_(None),
                or_(ErasureRow.not_before.is_(None), ErasureRow.not_before <= now),
            )
            .order_by(ErasureRow.asked_at, ErasureRow.id)
        )
    )


def carry_out(session: Session, customer_id: UUID, *, now: datetime) -> bool:
    """Weigh a waiting erasure anew, and carry it out if nothing holds it any more; says whether it was. For upkeep.

    One person in a transaction: another's trouble must not undo it, and nobody's rows are locked after the first event.
    """
    cases = _lock(session, customer_id)
    row = _of(session, customer_id)
    if row is None or row.done_at is not None:
        return False
    events: Events = []
    _weigh(session, row, cases, now=now, actor=audit.SYSTEM, events=events)
    done = not row.holds
    if done:
        _destroy(session, row, cases, actor=audit.SYSTEM, now=now, events=events)
    _record(events)
    return done


def finish(session: Session, *, now: datetime, limit: int = 100, blobs: bool = True) -> int:
    """Remove blobs and mails kept as files of whoever was erased; returns how many persons are done with. For upkeep.

    What a crash left over is found by the next call: a person is finished when nothing of hers lies anywhere. Without `blobs`
    the caller has removed them (`retention.remove_blobs`), with no transaction open while the store is asked.
    """
    rows = session.scalars(
        select(ErasureRow)
        .where(ErasureRow.done_at.is_not(None), ErasureRow.finished_at.is_(None))
        .order_by(ErasureRow.done_at, ErasureRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if not rows:
        return 0
    if blobs:
        retention.delete_blobs(session, now=now)
    finished = []
    for row in rows:
        pictures = sum(_left(session, model, row.customer_id) for model in _WITH_BLOBS)
        being_sent = select(Notification.id).where(Notification.customer_id == row.customer_id, Notification.lease_until > now)
        if pictures or session.execute(being_sent.limit(1)).first() is not None:
            continue  # the next round
        finished.append((row, _delete_mails(session, row.customer_id)))
        row.finished_at = now
    session.flush()
    for row, mails in finished:
        pictures = int(row.counts.get("photos", 0))
        audit.record(
            session, "erasure_finished", actor=audit.SYSTEM, now=now, customer_id=row.customer_id, erasure_id=row.id,
            pictures=pictures, mails=mails,
        )  # fmt: skip
    return len(finished)


def replay(session: Session, lines: Sequence[tombstones.Line], *, now: datetime) -> tuple[int, int]:
    """Erase again whom a restored backup brought back; returns how many persons and single requests. May be repeated.

    Who came back under the same id with the host is somebody new to us and stays.
    """
    persons = {line.subject: line.at for line in lines if line.kind == tombstones.PERSON}
    single = {line.subject: line.at for line in lines if line.kind == tombstones.CASE}
    again = requests = 0
    for customer_id in session.scalars(select(Customer.id).order_by(Customer.id)).all() if persons else ():
        at = persons.get(tombstones.hashed(session, tombstones.PERSON, str(customer_id)))
        if at is None:
            continue
        row = _of(session, customer_id)
        if row is not None and row.done_at is not None:
            continue
        cases = _lock(session, customer_id)
        if row is None:
            row = _row(session, customer_id, reason="wish", asked_by="system", asked_at=at)
        events: Events = []
        _weigh(session, row, cases, now=now, actor=audit.SYSTEM, override=True, events=events)
        _destroy(session, row, cases, actor=audit.SYSTEM, now=now, replayed=True, events=events)
        _record(events)
        again += 1
    if single:
        query = select(Case.id).where(Case.shredded_at.is_(None)).order_by(Case.id)
        for case_id in session.scalars(query).all():
            at = single.get(tombstones.hashed(session, tombstones.CASE, str(case_id)))
            if at is None:
                continue
            _once_more(session, case_id, at, now=now)
            requests += 1
    for line in lines:
        _bury(session, line)
    session.flush()
    return again, requests


def _once_more(session: Session, case_id: UUID, at: datetime, *, now: datetime) -> None:
    """Shred a request that was destroyed at her wish at that time. Where the backup is older than its end it is open again, and
    she had withdrawn it (only a closed one can be destroyed)."""
    case = moves.lock(session, case_id)
    events: Events = []
    if case.state not in CLOSED:
        _withdraw(session, case, actor=audit.SYSTEM, now=now, events=events)
    session.execute(delete(UnsentForm).where(UnsentForm.customer_id == case.customer_id, UnsentForm.created_at <= at))
    session.flush()
    _record(events)
    retention.shred_case(session, case_id, now=now)


def _row(session: Session, customer_id: UUID, *, reason: str, asked_by: str, asked_at: datetime) -> ErasureRow:
    account = tombstones.hashed(session, "account", session.get_one(Customer, customer_id).external_id)
    row = ErasureRow(
        id=uuid4(),
        customer_id=customer_id,
        account=account,
        reason=reason,
        asked_by=asked_by,
        asked_at=asked_at,
        holds=[],
        counts={},
    )
    session.add(row)
    return row


def _bury(session: Session, line: tombstones.Line) -> None:
    """The file's line is a row of this database too."""
    if session.get(Tombstone, line.subject) is None:
        session.add(Tombstone(subject=line.subject, kind=line.kind, at=line.at))


def _may_ask(actor: audit.Actor, by: Staff | None, reason: str, customer_id: UUID) -> None:
    if reason not in REASONS:
        raise ValueError(f"unknown reason: {reason}")
    if actor.kind == "staff":
        if by is None or actor.id != str(by.id):
            raise NotAsked("staff_unknown")
        people.require(by, "erase_people")
    elif actor.kind == "customer":
        if actor.id != str(customer_id) or reason != "wish":
            raise NotAsked("not_hers")
    elif actor.kind != "host":
        raise NotAsked("nobody")


def _lock(session: Session, customer_id: UUID) -> list[Case]:
    """All her cases, then her account, locked: in the order of everybody. She can open no new one meanwhile.

    Then what others lock before they record an event (a mail that is being sent, a link that is opened): ending an agent's answer
    records one as well, and whoever waited for these rows after it would wait for ever.
    """
    session.flush()
    ids = session.scalars(select(Case.id).where(Case.customer_id == customer_id).order_by(Case.id)).all()
    for case_id in ids:
        moves.lock(session, case_id)
    moves.lock_customer(session, customer_id)
    found = session.scalars(select(Case).where(Case.customer_id == customer_id).order_by(Case.id)).all()
    for case in found:
        if case.id not in ids:  # opened between the two
            moves.lock(session, case.id)
    for model in (Notification, Link):
        session.execute(select(model.id).where(model.customer_id == customer_id).order_by(model.id).with_for_update()).all()
    return list(found)


def _of(session: Session, customer_id: UUID) -> ErasureRow | None:
    return session.scalars(
        select(ErasureRow)
        .where(ErasureRow.customer_id == customer_id, ErasureRow.cancelled_at.is_(None))
        .execution_options(populate_existing=True)
    ).one_or_none()


def _weigh(
    session: Session,
    row: ErasureRow,
    cases: Sequence[Case],
    *,
    now: datetime,
    actor: audit.Actor,
    events: Events,
    override: bool = False,
) -> None:
    """Withdraw what is open, and write down what the erasure waits for."""
    for case in cases:
        if case.state not in CLOSED:
            _withdraw(session, case, actor=actor, now=now, events=events)
    left = () if row.reason == "order" or override else holds(session, cases, now=now)
    times = [hold.until for hold in left]
    row.holds = [hold.code for hold in left]
    row.not_before = max((time for time in times if time is not None), default=None) if None not in times else None
    session.flush()


def _withdraw(session: Session, case: Case, *, actor: audit.Actor, now: datetime, events: Events) -> None:
    """Close an open, locked case; a run that is looking is taken back."""
    run = moves.running(session, case)
    old = moves.move(session, case, Action.WITHDRAW, now=now)
    if run is not None:
        moves.abandon(run, now=now)
        session.flush()
        events.append(
            partial(
                audit.record, session, "run_abandoned", actor=audit.SYSTEM, now=now, case=case, run_id=run.id, fence=run.fence,
                why="erasure",
            )
        )  # fmt: skip
    events.append(partial(audit.record, session, "withdrawn", actor=actor, now=now, case=case, old=old, new=case.state))


def _record(events: Events) -> None:
    """Write the events down, after the last row was locked."""
    for record in events:
        record()


def _destroy(
    session: Session,
    row: ErasureRow,
    cases: Sequence[Case],
    *,
    actor: audit.Actor,
    now: datetime,
    events: Events,
    replayed: bool = False,
) -> None:
    """Make everything of hers unreadable, and remember it for ever. One transaction; blobs follow in `finish`."""
    session.flush()
    customer = session.get_one(Customer, row.customer_id)
    ids = [case.id for case in cases]
    gone: Counter[str] = Counter(cases=len(ids))
    shredded = [(case, *retention.destroy_case(session, case, now)) for case in cases if case.shredded_at is None]
    gone["run_records"] += replays.forget(session, ids)
    gone["face_encodings"] += duplicates.forget_person(session, customer.id)
    gone["data_keys"] = _destroy_keys(session, customer, cases, now)
    gone.update(_scrub(session, customer, ids, now))
    gone.update(_delete(session, customer, ids))
    customer.external_id = ERASED + tombstones.hashed(session, "erased", f"{customer.id}|{customer.external_id}")[:40]
    customer.by_eye = False
    tombstones.put(session, tombstones.PERSON, customer.id, now=now)
    row.done_at, row.holds, row.not_before = now, [], None
    row.counts = {name: count for name, count in sorted(gone.items()) if count}
    session.flush()
    session.expire_all()  # much was changed past the session's objects
    events += [
        partial(audit.record, session, "shredded", actor=audit.SYSTEM, now=now, case=case, photos=photos, runs=runs)
        for case, photos, runs in shredded
    ]
    events.append(
        partial(
            audit.record, session, "erased", actor=actor, now=now, customer_id=customer.id, erasure_id=row.id, reason=row.reason,
            requests=len(ids), keys=gone["data_keys"], replayed=replayed,
        )
    )  # fmt: skip


_WITH_BLOBS: tuple[Any, ...] = (Photo, HeadTurn, Message, Paper)


def _destroy_keys(session: Session, customer: Customer, cases: Sequence[Case], now: datetime) -> int:
    """Every data key that anything of hers was sealed with."""
    ids = {customer.data_key_id, *(case.data_key_id for case in cases)}
    for model in (*_WITH_BLOBS, FaceEncoding):
        ids |= set(session.scalars(select(model.data_key_id).where(model.customer_id == customer.id)))
    keys = session.scalars(select(DataKey).where(DataKey.id.in_(ids)).order_by(DataKey.id).with_for_update()).all()
    count = sum(key.wrapped is not None for key in keys)
    for key in keys:
        destroy(key, now=now)
    return count + sum(case.shredded_at == now for case in cases)  # those went with their cases, in this transaction


def _scrub(session: Session, customer: Customer, ids: Sequence[UUID], now: datetime) -> dict[str, int]:
    """Empty what is personal in rows that stay. A picture's hash goes too: who has the picture could find her by it."""
    hers: dict[str, int] = {}
    for model in _WITH_BLOBS:
        rows = session.scalars(select(model).where(model.customer_id == customer.id)).all()
        for row in rows:
            if row.sha256 is not None:
                row.sha256 = row.id.hex.rjust(64, "0")  # says nothing, and of no two rows the same
        hers[model.__tablename__] = len(rows)
    session.execute(update(Photo).where(Photo.customer_id == customer.id).values(quality={}, current=False))
    session.execute(update(Rating).where(Rating.customer_id == customer.id).values(words_sealed=None))
    session.execute(update(Run).where(Run.case_id.in_(ids)).values(readings_sealed=None))
    session.execute(update(Answer).where(Answer.case_id.in_(ids)).values(note_sealed=None, words_sealed=None))
    session.execute(
        update(QualitySample).where(QualitySample.case_id.in_(ids)).values(note_sealed=None, settled_note_sealed=None)
    )
    lapses = and_(QualitySample.case_id.in_(ids), QualitySample.reviewed_at.is_(None), QualitySample.lapsed_at.is_(None))
    session.execute(update(QualitySample).where(lapses).values(lapsed_at=now, lapsed_why="shredded"))
    mine = Notification.customer_id == customer.id
    unsent = and_(mine, Notification.sent_at.is_(None), Notification.given_up_at.is_(None))
    session.execute(update(Notification).where(unsent).values(given_up_at=now))
    session.execute(update(Notification).where(mine).values(recipient_sealed=b""))
    return hers


def _delete(session: Session, customer: Customer, ids: Sequence[UUID]) -> dict[str, int]:
    """Delete rows that nothing else needs."""
    for case_id in ids:
        likeness.forget(session, case_id)
    turns = select(HeadTurn.id).where(HeadTurn.customer_id == customer.id)
    which: tuple[tuple[Any, Any], ...] = (
        (TurnFrame, TurnFrame.head_turn_id.in_(turns)),
        (Upload, Upload.case_id.in_(ids)),
        (Presence, Presence.case_id.in_(ids)),
        (CaseNote, CaseNote.case_id.in_(ids)),
        (StaffAccount, StaffAccount.customer_id == customer.id),
        (UnsentForm, UnsentForm.customer_id == customer.id),
        (CustomerSession, CustomerSession.customer_id == customer.id),
        (DeviceLink, DeviceLink.customer_id == customer.id),
        (Link, Link.customer_id == customer.id),
        (ApiAnswer, ApiAnswer.data_key_id == customer.data_key_id),
    )
    gone = {"webhook_deliveries": webhooks.forget_customer(session, customer.id)}
    for model, mine in which:
        gone[model.__tablename__] = int(session.execute(delete(model).where(mine)).rowcount)  # type: ignore[attr-defined]
    return gone


def _left(session: Session, model: Any, customer_id: UUID) -> int:
    blobs = select(model.id).where(model.customer_id == customer_id, model.blob.is_not(None), model.shredded_at.is_(None))
    return len(session.scalars(blobs).all())


def _delete_mails(session: Session, customer_id: UUID) -> int:
    """Where no mail server is named, mails lie as files in DATA_DIR/mail, under the number of their row."""
    folder: Path = session.info["settings"].data_dir / "mail"
    count = 0
    for number in session.scalars(select(Notification.id).where(Notification.customer_id == customer_id)):
        file = folder / f"{number}.eml"
        if file.exists():
            file.unlink()
            count += 1
    return count


def _told(session: Session, row: ErasureRow, now: datetime | None) -> Erasure:
    done = row.done_at is not None
    until = row.not_before
    return Erasure(
        id=row.id,
        customer_id=row.customer_id,
        state="done" if done else "waiting",
        reason=row.reason,
        asked_at=row.asked_at,
        holds=() if done else _holds_now(session, row, now),
        not_before=until,
        erased=tuple(Item(what=name, count=int(count)) for name, count in row.counts.items()),
        kept=_kept() if done else (),
        done_at=row.done_at,
        finished_at=row.finished_at,
    )


def _holds_now(session: Session, row: ErasureRow, now: datetime | None) -> tuple[Hold, ...]:
    if now is None:
        return tuple(Hold(code=code, until=None if row.not_before is None else row.not_before) for code in row.holds)
    cases = session.scalars(select(Case).where(Case.customer_id == row.customer_id).order_by(Case.id)).all()
    return tuple(hold for hold in holds(session, cases, now=now) if hold.code in row.holds)


def _kept() -> tuple[Kept, ...]:
    """What stays of everybody who is erased, by table."""
    stays = [Kept(what=name, why=place.why) for name, place in PLACES.items() if place.fate is Fate.KEPT]
    rest = [Kept(what=name, why="figures") for name, place in PLACES.items() if place.fate is Fate.EMPTIED]
    assert all(one.why in WHY_KEPT for one in (*stays, *rest))
    return (*stays, *rest)


# --- Hand out


def export(
    session: Session,
    customer_id: UUID,
    *,
    now: datetime,
    language: str = "en",
    pictures: bool = False,
    actor: audit.Actor = audit.HOST,
) -> dict[str, Any]:
    """Everything held of her as JSON values, for the host to hand to her; an event. Personal data: not for logs.

    With `pictures` each photo stands in it as base64, and each is a recorded look. Raises exports.UnderDispute, NoResultFound.
    """
    made = exports.gather(session, customer_id, language=language, now=now)
    shown = []
    with _read_before(session, customer_id) if pictures else nullcontext():
        for file in made.files:
            entry: dict[str, Any] = {"what": file.what, "path": file.path, "request": None}
            if file.case_id is not None:
                entry["request"] = confirmations.number(file.case_id)
            if pictures:
                try:
                    opened = exports.open_file(session, file, customer_id=customer_id, now=now, viewer=actor, purpose=PURPOSE)
                except (photo_store.PhotoGone, photo_store.PhotoBroken):
                    entry["pictures"] = []
                else:
                    entry["pictures"] = [
                        {"name": name, "media": "image/jpeg", "base64": base64.b64encode(data).decode()} for name, data in opened
                    ]
            shown.append(entry)
    audit.record(session, "person_exported", actor=actor, now=now, customer_id=customer_id, photos=len(shown) if pictures else 0)
    return {"format": "peremena person 1", "customer_id": str(customer_id), **made.document, "pictures": shown}


class _Fetched:
    """The ciphertext of some blobs, read before; nothing else."""

    def __init__(self, blobs: dict[str, bytes]) -> None:
        self.blobs = blobs

    def read(self, name: str) -> bytes:
        """Raises BlobMissing."""
        if name not in self.blobs:
            raise photo_store.BlobMissing(name)
        return self.blobs[name]


@contextmanager
def _read_before(session: Session, customer_id: UUID) -> Iterator[None]:
    """Fetch all her pictures' ciphertext, which then is what this session's store has.

    Opening one records the look, and from the first of these events on other writers wait: none of them for a store that is slow.
    """
    store = photo_store.store_of(session)
    blobs: dict[str, bytes] = {}
    for model in _WITH_BLOBS:
        live = (model.customer_id == customer_id, model.blob.is_not(None), model.shredded_at.is_(None))
        for name in session.scalars(select(model.blob).where(*live)).all():
            with suppress(photo_store.BlobMissing):
                blobs[name] = store.read(name)
    session.info["photos"] = _Fetched(blobs)
    try:
        yield
    finally:
        session.info["photos"] = store


def _time(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
