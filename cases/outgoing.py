"""Agents' messages and wishes for papers: given, taken back, sent. As answers, they wait before they leave (docs/decisions/0021).

    say, wish ─► waiting ──take_back──► taken back      the customer never learns of it; what was typed is the agent's again
                    │ └──what it was written for is gone──► dropped, and its writer is told
                    ▼ `until` has come
                  left                                   a message in the thread, or papers asked for; the mail, the trail

Nothing of what waits stands where a customer looks: no row of `messages` or `papers`, no mail owed, no event of her timeline. So
no page, copy or figure has to know of it. A case whose wish waits is nobody's, as one whose answer waits; one whose message
waits stays as it was. Upkeep goes on with what is due; it may die anywhere and run twice, since each step is one transaction that
locks the case and finds the row waiting, or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import and_, exists, or_, select, text
from sqlalchemy.orm import Session

from cases import answers, audit, conversations, moves, queue, replies, supporting
from cases import staff as people
from cases.crypto import KeyDestroyed, vault_of
from cases.desk_tables import UNTOLD, Dropped, Outgoing, OutgoingKind, OutgoingState, PaperKind
from cases.lifecycle import CLOSED, State
from cases.models import Case, Message, Staff, Writer
from cases.review import NotYours

if TYPE_CHECKING:
    from cases.database import Database

GIVE_UP = answers.GIVE_UP
"""How long sending is tried, as with answers."""

BATCH = answers.BATCH
"""Sent in one round; the rest follows in the next, two seconds later."""


class TooLate(Exception):
    """It cannot be taken back any more: `state` says what became of it."""

    def __init__(self, state: OutgoingState) -> None:
        super().__init__(f"it is {state.value}")
        self.state = state


@dataclass(frozen=True, kw_only=True)
class Back:
    """What its writer has again: what she typed, but for a photo, which she chooses anew. Not for logs."""

    case_id: UUID
    kind: OutgoingKind
    papers: tuple[PaperKind, ...]
    had_photo: bool
    hers: bool  # the case is hers (again); not where her hands are full meanwhile, or somebody else has it
    text: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Held:
    """What has not left, as pages of the desk show it. Holds what people wrote: not for logs."""

    id: UUID
    case_id: UUID
    kind: OutgoingKind
    by: str
    mine: bool
    papers: tuple[PaperKind, ...]
    has_photo: bool
    given_at: datetime
    until: datetime
    why: Dropped | None  # None: it waits
    text: str = field(repr=False)


def say(
    session: Session,
    case_id: UUID,
    message_id: UUID,
    *,
    text: str,
    photo: bytes | None = None,
    agent: Staff,
    now: datetime,
) -> Outgoing:
    """Take down an agent's message. It leaves after `undo_seconds`, with 0 at once; the caller commits.

    `photo` is a clean JPEG of `verification.images`. The same id again is the same message, unless she took it back. Raises
    what `conversations.write` does.
    """
    people.require(agent, "decide")
    text = conversations.plain(text)
    case = moves.lock(session, case_id)
    held = session.get(Outgoing, message_id, populate_existing=True)
    same = held is not None and (held.case_id, held.staff_id) == (case.id, agent.id)
    if held is not None and same and held.state in (OutgoingState.WAITING, OutgoingState.LEFT):
        return held
    conversations.check(session, case, text=text, photo=photo, agent=agent, now=now)
    if held is not None or session.get(Message, message_id) is not None:
        message_id = uuid4()  # taken back before, or somebody else's number: told to nobody
    row = _row(session, case, OutgoingKind.MESSAGE, message_id, agent=agent, now=now)
    row.text_sealed = _seal(session, row, "text", text.encode())
    row.photo_sealed = _seal(session, row, "photo", photo)
    return _given(session, case, row, agent=agent, now=now)


def wish(
    session: Session, case_id: UUID, kinds: Iterable[PaperKind], *, words: str = "", agent: Staff, now: datetime
) -> Outgoing:
    """Take down an agent's wish for papers; the case leaves her hands. It leaves after `undo_seconds`, with 0 at once.

    Asked twice for the same while it waits it is asked once. Raises what `supporting.ask` does.
    """
    people.require(agent, "decide")
    wanted, words = supporting.wish(kinds, words)
    case = moves.lock(session, case_id)
    found = select(Outgoing).where(
        Outgoing.case_id == case.id, Outgoing.kind == OutgoingKind.WISH, Outgoing.state == OutgoingState.WAITING
    )
    before = session.scalars(found).one_or_none()
    if before is not None and before.staff_id == agent.id and before.papers == moves.codes(wanted):
        return before
    supporting.check(session, case, wanted, agent=agent, now=now)
    case.owner_id = case.owner_until = None
    case.answered_at = now
    moves.changed(case, now=now)
    row = _row(session, case, OutgoingKind.WISH, uuid4(), agent=agent, now=now)
    row.papers = moves.codes(wanted)
    row.text_sealed = _seal(session, row, "text", words.encode())
    return _given(session, case, row, agent=agent, now=now)


def take_back(session: Session, row_id: UUID, *, agent: Staff, now: datetime) -> Back:
    """Take back what has not left, and have what was typed; the case of a wish is hers again.

    It is anybody's where she took as many others meanwhile as one may hold. Raises TooLate, NotYours, NoResultFound.
    """
    case, row = _lock(session, row_id)
    if row.staff_id != agent.id:
        raise NotYours("another agent's words")
    if row.state is not OutgoingState.WAITING or row.until <= now:
        raise TooLate(row.state)
    text, had_photo = text_of(session, row), row.photo_sealed is not None
    _end(session, row, OutgoingState.TAKEN_BACK, now)
    if _keeps_it_waiting(case, row):
        answers._hand_back(session, case, agent, now)
    _record(session, "taken_back", case, row, actor=audit.Actor.staff(agent), now=now)
    hers = case.owner_id == agent.id
    return Back(case_id=case.id, kind=row.kind, papers=_papers(row), had_photo=had_photo, hers=hers, text=text)


def waiting_for(session: Session, agent: Staff, *, now: datetime, limit: int = 3) -> list[Outgoing]:
    """What of hers can still be taken back, newest first."""
    return list(
        session.scalars(
            select(Outgoing)
            .where(Outgoing.staff_id == agent.id, Outgoing.state == OutgoingState.WAITING, Outgoing.until > now)
            .order_by(Outgoing.given_at.desc(), Outgoing.id)
            .limit(limit)
        )
    )


def dropped_for(session: Session, agent: Staff, *, limit: int = 5) -> list[Outgoing]:
    """What of hers never left because the case changed meanwhile, and of which she does not know yet."""
    return list(
        session.scalars(
            select(Outgoing)
            .where(Outgoing.staff_id == agent.id, text(UNTOLD))
            .order_by(Outgoing.given_at.desc(), Outgoing.id)
            .limit(limit)
        )
    )


def told(session: Session, row_id: UUID, *, agent: Staff, now: datetime) -> None:
    """She has read that it never left; her words are kept no longer. Raises NotYours, NoResultFound."""
    row = session.get_one(Outgoing, row_id, with_for_update=True, populate_existing=True)
    if row.staff_id != agent.id:
        raise NotYours("another agent's words")
    if row.state is OutgoingState.DROPPED:
        row.told_at = row.told_at or now
        row.text_sealed = None
    session.flush()


def of(session: Session, case: Case, agent: Staff) -> list[Held]:
    """What waits to leave for this customer, whoever wrote it, and what of this agent's own never left; oldest first."""
    untold = and_(Outgoing.state == OutgoingState.DROPPED, Outgoing.told_at.is_(None), Outgoing.staff_id == agent.id)
    rows = session.scalars(
        select(Outgoing)
        .where(Outgoing.case_id == case.id, or_(Outgoing.state == OutgoingState.WAITING, untold))
        .order_by(Outgoing.given_at, Outgoing.id)
    )
    return [
        Held(
            id=row.id,
            case_id=row.case_id,
            kind=row.kind,
            by=row.writer.name,
            mine=row.staff_id == agent.id,
            papers=_papers(row),
            has_photo=row.photo_sealed is not None,
            given_at=row.given_at,
            until=row.until,
            why=row.why,
            text=text_of(session, row),
        )
        for row in rows
    ]


def due(session: Session, *, now: datetime, limit: int = BATCH) -> list[UUID]:
    """What leaves now, longest waiting first."""
    return list(
        session.scalars(
            select(Outgoing.id)
            .where(Outgoing.state == OutgoingState.WAITING, Outgoing.until <= now)
            .order_by(Outgoing.until, Outgoing.id)
            .limit(limit)
        )
    )


def send(session: Session, row_id: UUID, *, now: datetime) -> bool:
    """Send one whose time to be taken back is over; False when nothing is to do (any more). May be repeated."""
    case, row = _lock(session, row_id)
    if row.state is not OutgoingState.WAITING or row.until > now:
        return False
    _go_on(session, case, row, now)
    return True


def send_due(database: Database, *, now: datetime, before_commit: Callable[[], None] | None = None) -> int:
    """Send all that is due, each in a transaction of its own, before whose end `before_commit` is called.

    Returns how many. One that fails keeps no other from its turn: the first such error is raised at the end, and what failed
    waits for another round; after GIVE_UP it is dropped.
    """
    return answers.each_that_is_due(database, due, send, give_up, now=now, before_commit=before_commit)


def give_up(session: Session, row_id: UUID, *, now: datetime) -> bool:
    """Drop what could not be sent for GIVE_UP; anybody may take the case of a wish then."""
    case, row = _lock(session, row_id)
    if row.state is not OutgoingState.WAITING or row.until + GIVE_UP > now:
        return False
    _drop(session, case, row, Dropped.FAILED, now)
    return True


# --- inside


def _row(session: Session, case: Case, kind: OutgoingKind, row_id: UUID, *, agent: Staff, now: datetime) -> Outgoing:
    undo = timedelta(seconds=session.info["settings"].undo_seconds)
    row = Outgoing(
        id=row_id,
        kind=kind,
        state=OutgoingState.WAITING,
        case_id=case.id,
        staff_id=agent.id,
        data_key_id=case.data_key_id,
        papers=[],
        case_version=case.version,
        given_at=now,
        until=now + undo,
    )
    row.data_key, row.writer = case.data_key, agent
    return row


def _given(session: Session, case: Case, row: Outgoing, *, agent: Staff, now: datetime) -> Outgoing:
    """Write it down; or send it where nothing is to be taken back: then its leaving tells of it, after its photo is stored."""
    session.add(row)
    session.flush()
    if row.until <= now:
        _go_on(session, case, row, now)
    else:
        _record(session, "given", case, row, actor=audit.Actor.staff(agent), now=now)
    return row


def _lock(session: Session, row_id: UUID) -> tuple[Case, Outgoing]:
    """Its writer, to whom the case may come back, the case, then the row: always in that order."""
    case_id, writer = session.execute(select(Outgoing.case_id, Outgoing.staff_id).where(Outgoing.id == row_id)).one()
    queue.lock_hands(session, writer)
    case = moves.lock(session, case_id)
    return case, session.get_one(Outgoing, row_id, with_for_update=True, populate_existing=True)


def _go_on(session: Session, case: Case, row: Outgoing, now: datetime) -> None:
    """What comes after the time to take it back. Both rows are locked."""
    why = _overtaken(session, case, row)
    if why is not None:
        _drop(session, case, row, why, now)
        return
    text, photo = text_of(session, row), _open(session, row, "photo")
    papers = _papers(row)
    _end(session, row, OutgoingState.LEFT, now)
    if row.kind is OutgoingKind.WISH:
        supporting.keep_wish(session, case, papers, words=text, agent=row.writer, now=now)
    else:
        conversations.keep(session, case, row.id, text=text, photo=photo, agent=row.writer, read=row.given_at, now=now)


def _overtaken(session: Session, case: Case, row: Outgoing) -> Dropped | None:
    """Why it speaks of a case that is not that case any more; None: it still does.

    A message goes wherever somebody reads it still, and where the case was closed only after its time had come: an answer given
    after it may be carried out by another machine first. A wish moves the case, so it goes only where nothing has happened since.
    """
    is_wish = row.kind is OutgoingKind.WISH
    in_time = not is_wish and case.closed_at is not None and case.closed_at >= row.until
    read = case.state is State.IN_REVIEW if is_wish else case.state in conversations.OPEN or in_time
    if not read or case.shredded_at is not None:
        return Dropped.CASE_CLOSED if case.state in CLOSED else Dropped.CASE_CHANGED
    if not people.may(row.writer, "decide"):
        return Dropped.ACCOUNT_CLOSED
    if not is_wish:
        return None
    if case.version != row.case_version:
        return Dropped.CASE_CHANGED
    wrote = exists().where(Message.case_id == case.id, Message.writer == Writer.CUSTOMER, Message.written_at > row.given_at)
    return Dropped.CUSTOMER_WROTE if session.scalar(select(wrote)) else None


def _drop(session: Session, case: Case, row: Outgoing, why: Dropped, now: datetime) -> None:
    """Leave it unsent. The writer of a wish has the case again, reads what is new, and goes on."""
    row.why = why
    _end(session, row, OutgoingState.DROPPED, now)
    if _keeps_it_waiting(case, row):
        lost = why in (Dropped.ACCOUNT_CLOSED, Dropped.FAILED)
        answers._hand_back(session, case, None if lost else row.writer, now)
    _record(session, "dropped", case, row, actor=audit.SYSTEM, now=now, why=why)


def _keeps_it_waiting(case: Case, row: Outgoing) -> bool:
    """Whether a locked case is at the desk and nobody's only because of this wish, whatever the customer sent meanwhile."""
    return row.kind is OutgoingKind.WISH and case.state is State.IN_REVIEW and case.owner_id is None


def _end(session: Session, row: Outgoing, state: OutgoingState, now: datetime) -> None:
    """It is over. Only what never left is kept, and only its words, until its writer has read why."""
    row.state, row.ended_at, row.photo_sealed = state, now, None
    if state is not OutgoingState.DROPPED:
        row.text_sealed = None
    if state is not OutgoingState.LEFT:
        replies.not_used(session, row.id)
    session.flush()


_NAMES = {OutgoingKind.MESSAGE: ("message", "message_id"), OutgoingKind.WISH: ("paper_wish", "wish_id")}
"""How events of each kind begin, and what they call the row."""


def _record(
    session: Session, what: str, case: Case, row: Outgoing, *, actor: audit.Actor, now: datetime, why: Dropped | None = None
) -> None:
    """Say it in the trail. What was wished for only once it is over: until then it may be taken back."""
    stem, name = _NAMES[row.kind]
    details: dict[str, Any] = {name: row.id}
    if what == "given":
        details["until"] = row.until
    elif row.kind is OutgoingKind.WISH:
        details["papers"] = row.papers
    if why is not None:
        details["why"] = why
    audit.record(session, f"{stem}_{what}", actor=actor, now=now, case=case, **details)


def _papers(row: Outgoing) -> tuple[PaperKind, ...]:
    return tuple(PaperKind(code) for code in row.papers)


def _seal(session: Session, row: Outgoing, what: str, data: bytes | None) -> bytes | None:
    """Under the case's key, bound to its place; None for nothing."""
    return vault_of(session).seal(row.data_key, data, _place(what, row)) if data else None


def _open(session: Session, row: Outgoing, what: str) -> bytes | None:
    sealed = row.text_sealed if what == "text" else row.photo_sealed
    if sealed is None:
        return None
    try:
        return vault_of(session).open(row.data_key, sealed, _place(what, row))
    except KeyDestroyed:
        return None


def text_of(session: Session, row: Outgoing) -> str:
    """Its words; "" where there are none (any more)."""
    return (_open(session, row, "text") or b"").decode()


def _place(what: str, row: Outgoing) -> str:
    """What the ciphertext is bound to."""
    return f"outgoing.{what}|{row.case_id}|{row.id}"
