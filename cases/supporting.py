"""Supporting papers: an agent asks for one, the customer sends it (or one of her own accord), a machine reads what it can,
an agent looks. Nothing that a paper says approves anything: no rule of a decision knows of it (docs/decisions/0013).

A case whose agent asked for a paper stays with the desk but waits for the customer (`awaiting`): no agent is given it, and the
desk's clock stands still. It is the desk's again when every paper asked for came or was declined, or when the time is over
(`resume_due`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from cases import audit, conversations, moves, notifications, photo_store, profiles
from cases import staff as people
from cases.crypto import KeyDestroyed, Unreadable, vault_of
from cases.desk_tables import Paper, PaperKind
from cases.lifecycle import CLOSED, State
from cases.models import Case, ProfileVersion, Run, RunState, Staff
from cases.review import NotYours
from cases.runs import readings_place
from verification import continuity
from verification.evidence import ChangeReason, Claim, DocumentReading, Field, FieldReading, Profile, Source
from verification.papers import Detail, Entry, EntryKind, PageKind, SupportingReading
from verification.reasons import ReasonCode

MOST_PAPERS: Final = 12
"""Rows of one case, asked for and sent: six kinds, each from two sides."""

MOST_LETTERS: Final = 500
"""Of an agent's words beside a wish: two or three sentences. What is longer is a message."""

TAKEN: Final = frozenset({State.DRAFT, State.NEEDS_RETAKE, State.IN_REVIEW})
"""States in which papers come: hers to complete, or before a person. A machine's run looks at none."""

PAGES: Final = {PaperKind.EARLIER_PASSPORTS: PageKind.EARLIER_PASSPORTS, PaperKind.FAMILY_STATUS: PageKind.FAMILY_STATUS}
"""Kinds that a machine reads, and the page it should find there. Of every other paper an agent ticks what she sees."""

OFFERED: Final[dict[ChangeReason, tuple[PaperKind, ...]]] = {
    ChangeReason.MARRIAGE: (PaperKind.MARRIAGE_CERTIFICATE, PaperKind.FAMILY_STATUS, PaperKind.EARLIER_PASSPORTS),
    ChangeReason.DIVORCE: (PaperKind.DIVORCE_CERTIFICATE, PaperKind.FAMILY_STATUS, PaperKind.EARLIER_PASSPORTS),
    ChangeReason.COURT: (PaperKind.NAME_CHANGE_CERTIFICATE, PaperKind.EARLIER_PASSPORTS),
    ChangeReason.MISTAKE: (PaperKind.NAME_CHANGE_CERTIFICATE, PaperKind.EARLIER_PASSPORTS),
    ChangeReason.OTHER: (PaperKind.NAME_CHANGE_CERTIFICATE, PaperKind.EARLIER_PASSPORTS),
    ChangeReason.NEW_PASSPORT: (PaperKind.EARLIER_PASSPORTS,),
}
"""What a customer may add by herself, by what changed: the paper that shows it first."""

MOST_TRIES: Final = 3
"""Readings begun of one picture; then an agent reads it alone. As many as a run of a case may have by default."""

RING_AGAIN: Final = timedelta(seconds=10)
"""A paper that nobody has begun to read this long after its last ring is rung again; as for cases."""


class Sight(StrEnum):
    """What an agent can tick of a paper: what stands on it, by her own eyes."""

    HELD_NAME = "held_name"  # the name the account has
    NEW_NAME = "new_name"  # the name she asks for
    BIRTH_DATE = "birth_date"  # the account's
    OFFICE = "office"  # an office, a number and a day
    OWN_NUMBER = "own_number"  # of the passport whose data page was photographed
    EARLIER_NUMBER = "earlier_number"  # one that the account has or had
    SPOUSE = "spouse"  # whose surname explains the new one
    ADDRESS = "address"
    UNREADABLE = "unreadable"  # or another paper than asked


_CERTIFICATE: Final = (Sight.HELD_NAME, Sight.NEW_NAME, Sight.BIRTH_DATE, Sight.OFFICE, Sight.UNREADABLE)
SIGHTS: Final[dict[PaperKind, tuple[Sight, ...]]] = {
    PaperKind.MARRIAGE_CERTIFICATE: _CERTIFICATE,
    PaperKind.DIVORCE_CERTIFICATE: _CERTIFICATE,
    PaperKind.NAME_CHANGE_CERTIFICATE: _CERTIFICATE,
    PaperKind.EARLIER_PASSPORTS: (Sight.OWN_NUMBER, Sight.EARLIER_NUMBER, Sight.OFFICE, Sight.UNREADABLE),
    PaperKind.FAMILY_STATUS: (Sight.OWN_NUMBER, Sight.SPOUSE, Sight.OFFICE, Sight.UNREADABLE),
    PaperKind.REGISTRATION: (Sight.OWN_NUMBER, Sight.ADDRESS, Sight.OFFICE, Sight.UNREADABLE),
}


class Stand(StrEnum):
    """How a paper stands."""

    WANTED = "wanted"  # asked for, and the case may wait for it
    LATE = "late"  # asked for, and the time is over; it is taken still
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"  # the agent needs it no longer, or the case was answered without it
    HERE = "here"
    GONE = "gone"  # shredded


class Machine(StrEnum):
    """What the machine has to say of a paper that is here."""

    WAITS = "waits"  # it has not looked yet
    READ = "read"
    NOTHING = "nothing"  # it looked and found no such page
    FAILED = "failed"  # it gave up
    NOT_ITS = "not_its"  # no machine reads this kind


class Finding(StrEnum):
    """What a reading says beside the claim and the account. None of them decides anything."""

    SAME_PASSPORT = "same_passport"
    OTHER_PASSPORT = "other_passport"
    EARLIER_NUMBER = "earlier_number"
    NO_EARLIER_NUMBER = "no_earlier_number"  # no proof: only what the holder wished stands there
    SURNAME_EXPLAINED = "surname_explained"
    SURNAME_NOT_EXPLAINED = "surname_not_explained"
    OTHER_PAGE = "other_page"


class Closed(Exception):
    """Nobody takes a paper any more, or not now. `state` says where the case stands."""

    def __init__(self, state: State) -> None:
        super().__init__(f"no papers for a case that is {state.value}")
        self.state = state


class AskedAlready(Exception):
    """A paper of that kind is asked for and has not come. `kind` says which."""

    def __init__(self, kind: PaperKind) -> None:
        super().__init__(f"{kind.value} is asked for already")
        self.kind = kind


class SentAlready(Exception):
    """Another picture came under this number before."""


class TooMany(Exception):
    """The case has MOST_PAPERS papers."""


@dataclass(frozen=True, kw_only=True)
class Value:
    """One value of an entry as the page shows it. Holds what was read: not for logs."""

    detail: Detail
    text: str = field(repr=False)
    certain: bool


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """One entry on a page: its values, what could not be read of it, and what it says beside the claim."""

    kind: EntryKind
    values: tuple[Value, ...]
    unread: tuple[Detail, ...]
    fits: bool | None  # the account's number, or the claimed surname explained; None: cannot be told


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One paper as pages show it. Holds what was read and written: not for logs."""

    id: UUID
    kind: PaperKind
    stand: Stand
    machine: Machine
    asked_by: str  # name of the agent; "" where she sent it by herself
    asked_at: datetime | None
    until: datetime | None
    words: str = field(repr=False)
    declined_at: datetime | None
    received_at: datetime | None
    accepted_despite: tuple[ReasonCode, ...]
    stamps: tuple[Stamp, ...]
    own_number: Value | None
    problems: tuple[ReasonCode, ...]  # of the reading
    findings: tuple[Finding, ...]
    sights: tuple[Sight, ...]
    seen_by: str
    seen_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Order:
    """What one reading has to look at; `try_number` fences it off from a later one."""

    paper_id: UUID
    case_id: UUID
    try_number: int


def awaiting(now: datetime) -> ColumnElement[bool]:
    """For queries over Case: it is with the desk, but waits for the customer's papers."""
    return and_(Case.state == State.IN_REVIEW, Case.awaiting_until.is_not(None), Case.awaiting_until > now)


def awaits(case: Case, now: datetime) -> bool:
    """The same of one case."""
    return case.state is State.IN_REVIEW and case.awaiting_until is not None and case.awaiting_until > now


def resume_due(session: Session, *, now: datetime, limit: int = 100) -> list[UUID]:
    """Give cases back to the desk whose customers' time is over; returns them. What comes later is taken still."""
    session.flush()
    late = session.scalars(
        select(Case)
        .where(Case.awaiting_until.is_not(None), Case.awaiting_until <= now)
        .order_by(Case.awaiting_until, Case.id)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    for case in late:
        case.awaiting_until = None
        moves.changed(case, now=now)
    session.flush()
    for case in late:
        audit.record(session, "papers_late", actor=audit.SYSTEM, now=now, case=case)
    return [case.id for case in late]


# --- the agent


def ask(
    session: Session, case_id: UUID, kinds: Iterable[PaperKind], *, words: str = "", agent: Staff, now: datetime
) -> list[Paper]:
    """Ask the customer for papers: she is told by mail, and the case waits for her. The agent's hold on it ends.

    What agents ask for on their pages waits first, see `cases.outgoing`. Asked twice for the same by the same agent it is asked
    once. Raises NotAllowed, Closed, NotYours, AskedAlready, TooMany, conversations.TooLong; ValueError for no kind at all.
    """
    wanted, words = wish(kinds, words)
    people.require(agent, "decide")
    case = moves.lock(session, case_id)
    waiting = {paper.kind: paper for paper in _wanted(session, case.id)}
    before = [waiting[kind] for kind in wanted if kind in waiting]
    if case.state is State.IN_REVIEW and len(before) == len(wanted) and all(paper.asked_by_id == agent.id for paper in before):
        return before
    check(session, case, wanted, agent=agent, now=now)
    return keep_wish(session, case, wanted, words=words, agent=agent, now=now)


def wish(kinds: Iterable[PaperKind], words: str) -> tuple[list[PaperKind], str]:
    """What is wished for, in one order and once each, and the words beside it as they are kept.

    Raises conversations.TooLong; ValueError for no kind at all.
    """
    wanted = [kind for kind in PaperKind if kind in set(kinds)]
    words = conversations.plain(words)
    if not wanted:
        raise ValueError("name the papers to ask for")
    if len(words) > MOST_LETTERS:
        raise conversations.TooLong("the words are too long")
    return wanted, words


def check(session: Session, case: Case, wanted: Sequence[PaperKind], *, agent: Staff, now: datetime) -> None:
    """Whether these papers may be asked for. The case is locked. Raises NotAllowed, Closed, NotYours, AskedAlready, TooMany."""
    people.require(agent, "decide")
    if case.state is not State.IN_REVIEW or case.shredded_at is not None:
        raise Closed(case.state)
    if case.owner_id != agent.id or case.owner_until is None or case.owner_until <= now:
        raise NotYours("take the case first")
    for paper in _wanted(session, case.id):
        if paper.kind in wanted:
            raise AskedAlready(paper.kind)
    if _count(session, case.id) + len(wanted) > MOST_PAPERS:
        raise TooMany("the case has enough papers")


def keep_wish(
    session: Session, case: Case, wanted: Sequence[PaperKind], *, words: str, agent: Staff, now: datetime
) -> list[Paper]:
    """Ask for papers that passed `check`, and what follows from it."""
    until = now + timedelta(days=session.info["settings"].draft_days)
    rows = []
    for kind in wanted:
        row = Paper(
            id=uuid4(),
            customer_id=case.customer_id,
            case_id=case.id,
            data_key_id=case.data_key_id,
            kind=kind,
            created_at=now,
            asked_by_id=agent.id,
            asked_at=now,
            until=until,
        )
        row.data_key = case.data_key
        if words:
            row.words_sealed = vault_of(session).seal(case.data_key, words.encode(), _place("words", row))
        session.add(row)
        rows.append(row)
    _park(case, until, now)
    case.owner_id = case.owner_until = case.answered_at = None
    moves.changed(case, now=now)
    session.flush()
    actor = audit.Actor.staff(agent)
    notifications.add(session, case, "paper_asked", actor=actor, now=now)
    for row in rows:
        audit.record(session, "paper_asked", actor=actor, now=now, case=case, paper_id=row.id, paper=row.kind, until=until)
    return rows


def take_back(session: Session, paper_id: UUID, *, case_id: UUID, agent: Staff, now: datetime) -> Paper:
    """The agent needs it no longer. May be repeated. Raises NotAllowed, NotYours, LookupError."""
    people.require(agent, "decide")
    case, paper = _of_case(session, case_id, paper_id)
    if case.owner_id != agent.id or case.owner_until is None or case.owner_until <= now:
        raise NotYours("take the case first")
    if paper.asked_at is None or paper.withdrawn_at is not None or paper.received_at is not None:
        return paper
    paper.withdrawn_at = now
    session.flush()
    _unpark(session, case, now)
    moves.changed(case, now=now)
    audit.record(session, "paper_withdrawn", actor=audit.Actor.staff(agent), now=now, case=case, paper_id=paper.id)
    return paper


def tick(session: Session, paper_id: UUID, sights: Iterable[Sight], *, case_id: UUID, agent: Staff, now: datetime) -> Paper:
    """Note what an agent saw on a paper, in place of what was noted before.

    Raises NotAllowed, NotYours, LookupError for a paper that is not here, ValueError for a sight its kind does not have.
    """
    people.require(agent, "decide")
    case, paper = _of_case(session, case_id, paper_id)
    if case.state is not State.IN_REVIEW or case.owner_id != agent.id or case.owner_until is None or case.owner_until <= now:
        raise NotYours("take the case first")
    chosen = set(sights)
    if not chosen <= set(SIGHTS[paper.kind]):
        raise ValueError("that cannot be seen on such a paper")
    if paper.received_at is None:
        raise LookupError("the paper has not come")
    paper.sights = [sight.value for sight in SIGHTS[paper.kind] if sight in chosen]
    paper.seen_by_id, paper.seen_at = agent.id, now
    session.flush()
    audit.record(
        session, "paper_ticked", actor=audit.Actor.staff(agent), now=now, case=case, paper_id=paper.id, sights=paper.sights
    )
    return paper


# --- the customer


def receive(
    session: Session,
    case_id: UUID,
    paper_id: UUID,
    data: bytes,
    *,
    kind: PaperKind | None = None,
    accepted_despite: Iterable[ReasonCode] = (),
    now: datetime,
) -> Paper:
    """Keep the picture of a paper: of one asked for by its number, else a new one of `kind` under that number.

    `data` is the clean JPEG of `verification.images`. The same picture again is the same row. Raises Closed, SentAlready,
    TooMany, LookupError for a number of another case, ValueError where a new one has no kind.
    """
    case = moves.lock(session, case_id)
    sha256 = hashlib.sha256(data).hexdigest()
    paper = session.get(Paper, paper_id, populate_existing=True)
    if paper is not None and paper.case_id != case.id:
        raise LookupError("no such paper of this case")
    if paper is not None and paper.received_at is not None:
        if paper.sha256 == sha256:
            return paper
        raise SentAlready
    if case.state not in TAKEN or case.shredded_at is not None:
        raise Closed(case.state)
    if paper is None:
        if kind is None:
            raise ValueError("a paper that nobody asked for names its kind")
        same = select(Paper).where(Paper.case_id == case.id, Paper.kind == kind, Paper.sha256 == sha256)
        held = session.scalars(same.limit(1)).first()
        if held is not None:  # an answer that was lost, on a page that drew another number
            return held
        if _count(session, case.id) >= MOST_PAPERS:
            raise TooMany("the case has enough papers")
        paper = Paper(
            id=paper_id,
            customer_id=case.customer_id,
            case_id=case.id,
            data_key_id=case.data_key_id,
            kind=kind,
            created_at=now,
        )
        paper.data_key = case.data_key
    blob = photo_store.keep_sealed(session, case.data_key, data, _place("picture", paper))
    paper.blob, paper.sha256, paper.size, paper.received_at = blob, sha256, len(data), now
    paper.accepted_despite = moves.codes(accepted_despite)
    paper.declined_at = None
    if paper.kind not in PAGES:
        paper.read_at = now
    session.add(paper)
    session.flush()
    _unpark(session, case, now)
    moves.changed(case, now=now)
    audit.record(
        session,
        "paper_received",
        actor=_she(case),
        now=now,
        case=case,
        paper_id=paper.id,
        paper=paper.kind,
        size=paper.size,
        asked=paper.asked_at is not None,
        accepted_despite=paper.accepted_despite,
    )
    return paper


def decline(session: Session, case_id: UUID, paper_id: UUID, *, now: datetime) -> Paper:
    """She cannot send it: the agent goes on with what is there. May be repeated. Raises Closed, LookupError."""
    case, paper = _of_case(session, case_id, paper_id)
    if paper.asked_at is None:
        raise LookupError("nobody asked for it")
    if paper.received_at is not None or paper.declined_at is not None or paper.withdrawn_at is not None:
        return paper
    if case.state not in TAKEN or case.shredded_at is not None:
        raise Closed(case.state)
    paper.declined_at = now
    session.flush()
    _unpark(session, case, now)
    moves.changed(case, now=now)
    audit.record(session, "paper_declined", actor=_she(case), now=now, case=case, paper_id=paper.id)
    return paper


# --- the machine


def unread(session: Session, *, now: datetime, older_than: timedelta = RING_AGAIN, limit: int = 100) -> list[UUID]:
    """Papers that wait to be read and for which no worker was rung lately, oldest first.

    Not of drafts: until she has sent her request nothing but a sandbox looks at what she chose.
    """
    found = (
        select(Paper.id)
        .join(Case, Case.id == Paper.case_id)
        .where(
            Paper.received_at.is_not(None),
            Paper.read_at.is_(None),
            Paper.shredded_at.is_(None),
            or_(Paper.rung_at.is_(None), Paper.rung_at <= now - older_than),
            or_(Paper.lease_until.is_(None), Paper.lease_until <= now),
            Case.state != State.DRAFT,
            Case.shredded_at.is_(None),
        )
        .order_by(Paper.received_at, Paper.id)
        .limit(limit)
    )
    return list(session.scalars(found))


def mark_rung(session: Session, paper_ids: Sequence[UUID], *, now: datetime) -> None:
    """Remember that workers were rung for these."""
    if paper_ids:
        session.execute(
            update(Paper)
            .where(Paper.id.in_(paper_ids), Paper.read_at.is_(None))
            .values(rung_at=now)
            .execution_options(synchronize_session=False)
        )


def begin(session: Session, paper_id: UUID, *, now: datetime) -> Order | None:
    """Take a paper under a lease to read it. None when there is nothing to read, or somebody reads it.

    After MOST_TRIES readings that never ended it is given up: an agent reads it alone.
    """
    session.flush()
    paper = session.execute(
        select(Paper).where(Paper.id == paper_id).with_for_update(key_share=True).execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if paper is None or paper.received_at is None or paper.read_at is not None or paper.shredded_at is not None:
        return None
    case = session.get_one(Case, paper.case_id)
    if case.state is State.DRAFT or case.shredded_at is not None or (paper.lease_until is not None and paper.lease_until > now):
        return None
    if paper.tries >= MOST_TRIES:
        paper.read_at, paper.lease_until = now, None
        session.flush()
        audit.record(session, "paper_read", actor=audit.MACHINE, now=now, case=case, paper_id=paper.id, outcome="given_up")
        return None
    paper.tries += 1
    paper.lease_until = now + session.info["settings"].lease
    session.flush()
    return Order(paper_id=paper.id, case_id=case.id, try_number=paper.tries)


def finish(session: Session, order: Order, reading: SupportingReading, *, seconds: float, now: datetime) -> bool:
    """Keep what was read, sealed. False: fenced off by a later reading, or the paper was shredded meanwhile; nothing was kept."""
    session.flush()
    paper = session.execute(
        select(Paper).where(Paper.id == order.paper_id).with_for_update(key_share=True).execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if paper is None or paper.read_at is not None or paper.tries != order.try_number or paper.data_key.wrapped is None:
        return False
    paper.readings_sealed = vault_of(session).seal_json(paper.data_key, _to_document(reading), _place("readings", paper))
    paper.read_at, paper.lease_until = now, None
    session.flush()
    audit.record(
        session,
        "paper_read",
        actor=audit.MACHINE,
        now=now,
        case_id=paper.case_id,
        customer_id=paper.customer_id,
        paper_id=paper.id,
        outcome="read" if reading.kind is not None else "no_such_page",
        count=len(reading.entries),
        seconds=float(seconds),
    )
    return True


# --- looking


def of(session: Session, case: Case, *, now: datetime) -> list[Shown]:
    """Every paper of a case, oldest wish first, with what was read beside claim and account. At most five queries."""
    rows = session.scalars(select(Paper).where(Paper.case_id == case.id).order_by(Paper.created_at, Paper.id)).all()
    if not rows:
        return []
    ids = {by for row in rows for by in (row.asked_by_id, row.seen_by_id) if by is not None}
    names = {member.id: member.name for member in session.scalars(select(Staff).where(Staff.id.in_(ids)))} if ids else {}
    beside = _beside(session, case) if any(row.readings_sealed is not None for row in rows) else None
    return [_shown(session, case, row, names, beside, now) for row in rows]


def open_picture(session: Session, paper_id: UUID, *, case_id: UUID, viewer: audit.Actor, purpose: str, now: datetime) -> bytes:
    """Return the clear bytes of a paper's picture, and record who looked and why.

    Raises photo_store.PhotoGone where there is none (any more) in this case, PhotoBroken when it is not what was stored.
    """
    paper = session.get(Paper, paper_id)
    if paper is None or paper.case_id != case_id or paper.blob is None or paper.shredded_at is not None:
        raise photo_store.PhotoGone(f"paper {paper_id} has no picture")
    try:
        sealed = photo_store.store_of(session).read(paper.blob)
        data = vault_of(session).open(paper.data_key, sealed, _place("picture", paper))
    except KeyDestroyed:
        raise photo_store.PhotoGone(f"the picture of paper {paper.id} was shredded") from None
    except (photo_store.BlobMissing, Unreadable):
        raise photo_store.PhotoBroken(f"the picture of paper {paper.id} does not open") from None
    if hashlib.sha256(data).hexdigest() != paper.sha256:
        raise photo_store.PhotoBroken(f"the picture of paper {paper.id} is not what was stored")
    audit.record(
        session,
        "paper_opened",
        actor=viewer,
        now=now,
        case_id=paper.case_id,
        customer_id=paper.customer_id,
        paper_id=paper.id,
        purpose=purpose,
    )
    return data


def shred_words(session: Session, case_id: UUID, *, now: datetime) -> None:
    """Remove what is sealed of a case whose key is being destroyed; `retention.delete_blobs` removes the pictures."""
    session.execute(update(Paper).where(Paper.case_id == case_id, Paper.blob.is_(None)).values(shredded_at=now))
    session.execute(update(Paper).where(Paper.case_id == case_id).values(words_sealed=None, readings_sealed=None))


# --- inside


def _of_case(session: Session, case_id: UUID, paper_id: UUID) -> tuple[Case, Paper]:
    case = moves.lock(session, case_id)
    paper = session.get(Paper, paper_id, populate_existing=True)
    if paper is None or paper.case_id != case.id:
        raise LookupError("no such paper of this case")
    return case, paper


def _wanted(session: Session, case_id: UUID) -> list[Paper]:
    """Asked for, and neither here nor declined nor taken back."""
    found = select(Paper).where(
        Paper.case_id == case_id,
        Paper.asked_at.is_not(None),
        Paper.received_at.is_(None),
        Paper.declined_at.is_(None),
        Paper.withdrawn_at.is_(None),
    )
    return list(session.scalars(found))


def _count(session: Session, case_id: UUID) -> int:
    return session.scalar(select(func.count()).select_from(Paper).where(Paper.case_id == case_id)) or 0


def _park(case: Case, until: datetime, now: datetime) -> None:
    """Stop the desk's clock: what is left of its time begins when the customer's ends."""
    left = _left(case, now)
    case.awaiting_until = until
    case.due_at = until + left


def _unpark(session: Session, case: Case, now: datetime) -> None:
    """Let the clock go on where it stood, once nothing is waited for any more."""
    if case.state is not State.IN_REVIEW or case.awaiting_until is None or _wanted(session, case.id):
        return
    if case.awaiting_until > now:
        case.due_at = now + _left(case, now)
    case.awaiting_until = None


def _left(case: Case, now: datetime) -> timedelta:
    """What the desk has left of its time; none where it is late already."""
    since = case.awaiting_until if case.awaiting_until is not None and case.awaiting_until > now else now
    return max((case.due_at or now) - since, timedelta(0))


def _stand(case: Case, row: Paper, now: datetime) -> Stand:
    if row.shredded_at is not None or case.shredded_at is not None:
        return Stand.GONE
    if row.received_at is not None:
        return Stand.HERE
    if row.declined_at is not None:
        return Stand.DECLINED
    if row.withdrawn_at is not None or case.state in CLOSED:
        return Stand.WITHDRAWN
    return Stand.WANTED if row.until is not None and row.until > now else Stand.LATE


@dataclass(frozen=True, kw_only=True)
class _Beside:
    """What a reading is held against."""

    claim: Claim
    profile: Profile
    document: DocumentReading


def _beside(session: Session, case: Case) -> _Beside | None:
    """The claim, the details that the customer saw, and the number that the last run read. None once shredded."""
    try:
        claim, _ = profiles.read_claim(session, case)
    except KeyDestroyed:
        return None
    profile, _ = profiles.read_version(session, case.customer, session.get_one(ProfileVersion, case.base_version_id))
    number = claim.values.get(Field.DOCUMENT_NUMBER)
    document = DocumentReading(fields={Field.DOCUMENT_NUMBER: _plainly(number)} if number else {})
    last = session.scalars(
        select(Run)
        .where(Run.case_id == case.id, Run.state == RunState.FINISHED, Run.readings_sealed.is_not(None))
        .order_by(Run.fence.desc())
        .limit(1)
    ).first()
    if last is not None and last.readings_sealed is not None:
        readings = vault_of(session).open_json(case.data_key, last.readings_sealed, readings_place(last.id))
        read = ((readings.get("reading") or {}).get("fields") or {}).get(Field.DOCUMENT_NUMBER.value)
        if read and read.get("value") and read.get("certain"):
            document = DocumentReading(fields={Field.DOCUMENT_NUMBER: _plainly(read["value"])})
    return _Beside(claim=claim, profile=profile, document=document)


def _plainly(value: str) -> FieldReading:
    return FieldReading(value=value, confidence=1.0, certain=True, source=Source.VIZ)


def _shown(session: Session, case: Case, row: Paper, names: dict[UUID, str], beside: _Beside | None, now: datetime) -> Shown:
    stand = _stand(case, row, now)
    reading = _reading(session, row)
    if row.kind not in PAGES:
        machine = Machine.NOT_ITS
    elif row.read_at is None:
        machine = Machine.WAITS
    elif reading is None:
        machine = Machine.FAILED
    else:
        machine = Machine.READ if reading.kind is not None else Machine.NOTHING
    return Shown(
        id=row.id,
        kind=row.kind,
        stand=stand,
        machine=machine,
        asked_by=names.get(row.asked_by_id, "") if row.asked_by_id else "",
        asked_at=row.asked_at,
        until=row.until,
        words=words(session, row),
        declined_at=row.declined_at,
        received_at=row.received_at,
        accepted_despite=tuple(ReasonCode(code) for code in row.accepted_despite),
        stamps=tuple(_stamp(entry, beside) for entry in reading.entries) if reading else (),
        own_number=_value(Detail.DOCUMENT_NUMBER, reading.own_number) if reading and reading.own_number else None,
        problems=reading.problems if reading else (),
        findings=_findings(row.kind, reading, beside) if reading and beside else (),
        sights=tuple(Sight(code) for code in row.sights),
        seen_by=names.get(row.seen_by_id, "") if row.seen_by_id else "",
        seen_at=row.seen_at,
    )


def _value(detail: Detail, read: FieldReading) -> Value:
    return Value(detail=detail, text=read.value, certain=read.certain)


def _stamp(entry: Entry, beside: _Beside | None) -> Stamp:
    alone = SupportingReading(entries=(entry,))
    fits = None
    if beside is not None and entry.kind in (EntryKind.PASSPORT, EntryKind.FOREIGN_PASSPORT):
        fits = continuity.earlier_number_listed(beside.profile, alone)
    elif beside is not None:
        fits = continuity.surname_explained(beside.claim, beside.profile, alone)
    values = tuple(_value(detail, read) for detail, read in entry.values.items())
    return Stamp(kind=entry.kind, values=values, unread=entry.unread, fits=fits)


def _findings(kind: PaperKind, reading: SupportingReading, beside: _Beside) -> tuple[Finding, ...]:
    """What a reading says, each only where it can be told with certainty."""
    out: list[Finding] = []
    if reading.kind is not None and reading.kind is not PAGES[kind]:
        out.append(Finding.OTHER_PAGE)
    same = continuity.same_passport(beside.document, reading)
    if same is not None:
        out.append(Finding.SAME_PASSPORT if same else Finding.OTHER_PASSPORT)
    listed = continuity.earlier_number_listed(beside.profile, reading)
    if listed is not None:
        out.append(Finding.EARLIER_NUMBER if listed else Finding.NO_EARLIER_NUMBER)
    explained = continuity.surname_explained(beside.claim, beside.profile, reading)
    if explained is not None:
        out.append(Finding.SURNAME_EXPLAINED if explained else Finding.SURNAME_NOT_EXPLAINED)
    return tuple(out)


def words(session: Session, row: Paper) -> str:
    """What the agent wrote beside her wish; empty where nothing, or once shredded."""
    if row.words_sealed is None:
        return ""
    try:
        return vault_of(session).open(row.data_key, row.words_sealed, _place("words", row)).decode()
    except KeyDestroyed:
        return ""


def _reading(session: Session, row: Paper) -> SupportingReading | None:
    if row.readings_sealed is None:
        return None
    try:
        return _from_document(vault_of(session).open_json(row.data_key, row.readings_sealed, _place("readings", row)))
    except KeyDestroyed:
        return None


def readings(session: Session, row: Paper) -> list[dict[str, str]]:
    """What was read of a paper, values alone by entry, for the customer's copy; nothing once shredded."""
    reading = _reading(session, row)
    if reading is None:
        return []
    return [{"entry": e.kind.value, **{d.value: read.value for d, read in e.values.items()}} for e in reading.entries]


def _to_document(reading: SupportingReading) -> dict[str, Any]:
    """Plain JSON; `_from_document` reads it back, but for boxes of letters, which nothing here needs."""
    return reading.to_json()


def _from_document(document: dict[str, Any]) -> SupportingReading:
    def value(data: dict[str, Any]) -> FieldReading:
        return FieldReading(
            value=data["value"], confidence=data["confidence"], certain=data["certain"], source=Source(data["source"])
        )

    return SupportingReading(
        kind=PageKind(document["kind"]) if document["kind"] else None,
        entries=tuple(
            Entry(
                kind=EntryKind(entry["kind"]),
                values={Detail(name): value(data) for name, data in entry["values"].items()},
                unread=tuple(Detail(name) for name in entry["unread"]),
                box=(entry["box"][0], entry["box"][1], entry["box"][2], entry["box"][3]) if entry["box"] else None,
            )
            for entry in document["entries"]
        ),
        own_number=value(document["own_number"]) if document["own_number"] else None,
        problems=tuple(ReasonCode(code) for code in document["problems"]),
    )


def _she(case: Case) -> audit.Actor:
    return audit.Actor(kind="customer", id=str(case.customer_id))


def _place(what: str, paper: Paper) -> str:
    """What the ciphertext is bound to."""
    return f"papers.{what}|{paper.case_id}|{paper.id}"
