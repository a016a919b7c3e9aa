"""The desk's queue: what waits for a person, in which order, who may be given what, who is looking at which case.

The queue is made of parts (disputes, customers who come back and get nowhere, what is due, customers who wrote), each read from
a partial index of its own (`models.DESK_INDEXES`) in its order: a page costs the same among a thousand cases and among a million.
A filter that no index serves looks at LOOKED_AT cases for one page and no more; the page then says how to go on.

The queue carries no name and no number of a person: what a customer claims is seen on the page of her case alone.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, Self
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, load_only

from cases import audit, confirmations, rescue
from cases import staff as people
from cases.database import UtcDateTime
from cases.desk_tables import Answer, AnswerState, NumberRead, Presence, QualitySample, StaffAccount
from cases.lifecycle import State
from cases.models import DESK_INDEXES, UNMARKED, Case, Customer, Disposition, Message, Staff, Writer
from verification.evidence import ChangeReason
from verification.reasons import ReasonCode

SOON = timedelta(minutes=30)
"""Before a case is due. Half an hour is twenty cases of 90 seconds: enough for one agent to save those that are close."""

LOOKING = timedelta(seconds=75)
"""How long somebody who opened a case counts as looking at it. Her page tells every 30 seconds; one sign may get lost."""

COUNTED = 999
"""Up to where tiles count; "999+" says as much to a person, and counting on would cost more with every case."""

LOOKED_AT = 1_000
"""Cases looked at for one page where a filter is served by no index: some 10 ms of PostgreSQL's time (docs/benchmarks.md)."""

FOUND = 50
"""Most cases that a search shows; who needs more types more of the number."""

WROTE = 500
"""Most cases that wait for a photo and whose customer wrote which one page of the queue takes up. They come last."""

SHORTEST_NUMBER = 5
"""Letters and figures of a document number, below which nobody has typed one: the shortest national number has six."""


class View(StrEnum):
    """What a page of the queue shows; the first is what an agent sees first."""

    WAITING = "waiting"  # everything that waits for a person
    MINE = "mine"
    FREE = "free"  # nobody has taken it
    SOON = "soon"  # due within SOON
    OVERDUE = "overdue"
    DISPUTED = "disputed"  # "this was not me"
    SECOND = "second"  # waits for a second person's own answer
    SENIOR = "senior"  # escalated
    RESCUE = "rescue"  # customers who come back and get nowhere
    CUSTOMER = "customer"  # we wait for the customer
    CLOSED = "closed"  # newest first


class Lane(StrEnum):
    """Who answers a case, and in which turn."""

    ORDINARY = "ordinary"
    SECOND = "second"
    SENIOR = "senior"
    DISPUTE = "dispute"


class HandsFull(Exception):
    """The agent holds as many open cases as one may: `limit`."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"no more than {limit} open cases for one agent")
        self.limit = limit


@dataclass(frozen=True, kw_only=True)
class Skills:
    """Which cases "next case" may give to an agent. Nothing named: all. An agent may open and take others by herself."""

    languages: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()  # ISO 3166-1 alpha-3; a case without a country is for everybody
    high_risk: bool = True

    @classmethod
    def of(cls, agent: Staff) -> Self:
        """What is kept with her account; what it does not say is not limited."""
        kept: Mapping[str, Any] = agent.skills or {}
        return cls(
            languages=frozenset(kept.get("languages", ())),
            countries=frozenset(kept.get("countries", ())),
            high_risk=bool(kept.get("high_risk", True)),
        )

    def to_json(self) -> dict[str, Any]:
        """As `Staff.skills` keeps it."""
        return {"languages": sorted(self.languages), "countries": sorted(self.countries), "high_risk": self.high_risk}

    def cover(self, case: Case) -> bool:
        """Whether a case lies within them."""
        return (
            (not self.languages or case.locale in self.languages)
            and (not self.countries or case.country is None or case.country in self.countries)
            and (self.high_risk or case.risk != HIGH)
        )

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same for a query over Case."""
        wanted: list[ColumnElement[bool]] = []
        if self.languages:
            wanted.append(Case.locale.in_(self.languages))
        if self.countries:
            wanted.append(or_(Case.country.is_(None), Case.country.in_(self.countries)))
        if not self.high_risk:
            wanted.append(Case.risk != HIGH)
        return wanted


HIGH = "high"
"""`cases.risk.Risk.HIGH`; that module weighs cases, this one sorts them."""


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What a page of the queue shows. All empty: everything that waits for a person."""

    view: View = View.WAITING
    owner: UUID | None = None  # whose, for View.MINE
    rescue_first: bool = False  # a senior agent's order
    reason: ReasonCode | None = None
    change_reason: ChangeReason | None = None
    country: str | None = None
    language: str | None = None
    risk: str | None = None
    after: str = ""  # `Page.next` of the page before
    limit: int = 50


@dataclass(frozen=True, kw_only=True)
class QueueRow:
    """One line of the queue: ids, codes and times only."""

    id: UUID
    customer_id: UUID
    external_id: str
    state: State
    lane: Lane
    change_reason: ChangeReason
    country: str | None
    language: str
    risk: str
    rescue: int
    attempt: int
    reasons: tuple[ReasonCode, ...]
    waiting_since: datetime
    due_at: datetime | None
    closed_at: datetime | None
    answered: bool  # an answer is given and may be taken back still
    awaiting_until: datetime | None  # papers were asked for
    owner_id: UUID | None  # only while the case is really hers
    owner: str | None  # name
    owner_until: datetime | None
    version: int
    wrote: bool  # a message of the customer waits for an answer
    looking: tuple[str, ...] = ()  # names of staff who have it open, but the viewer


@dataclass(frozen=True, kw_only=True)
class Page:
    """Lines of the queue and where the next page begins; "" where there is none."""

    rows: tuple[QueueRow, ...]
    next: str = ""
    cut: bool = False  # a filter left few of the LOOKED_AT cases looked at: `next` goes on from there


@dataclass(frozen=True)
class _Part:
    """A stretch of the queue: who is in it, and by which columns it is sorted. The last of these is the id."""

    which: tuple[ColumnElement[bool], ...]
    keys: tuple[Any, ...]  # columns, or expressions of them
    newest_first: bool = False

    def order(self) -> list[ColumnElement[Any]]:
        return [key.desc() if self.newest_first else key.asc() for key in self.keys]

    def beyond(self, place: Sequence[Any]) -> ColumnElement[bool]:
        here = tuple_(*(literal(value, key.type) for value, key in zip(place, self.keys, strict=True)))
        return tuple_(*self.keys) < here if self.newest_first else tuple_(*self.keys) > here


def _in(index: str) -> ColumnElement[bool]:
    """Who stands in that index, in the words of its definition, so that the database sees that it may use it."""
    return text(f"({DESK_INDEXES[index][1]})")  # type: ignore[return-value]


def _due(index: str = "ix_cases_due", *more: ColumnElement[bool]) -> _Part:
    return _Part(which=(_in(index), *more), keys=(Case.due_at, Case.id))


_DISPUTES = _Part(which=(_in("ix_cases_under_dispute"),), keys=(Case.disputed_at, Case.id))


def _rescue() -> _Part:
    return _Part(which=(_in("ix_cases_rescue"), Case.rescue >= rescue.LINE), keys=(-Case.rescue, Case.due_at, Case.id))


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(Case.owner_id.is_(None), Case.owner_until <= now)


def _parts(session: Session, filters: Filters, now: datetime) -> list[_Part]:
    """The stretches of a view, in the order in which they are read."""
    match filters.view:
        case View.MINE:
            mine = (Case.owner_id == filters.owner, Case.owner_until > now)
            since = func.coalesce(Case.due_at, Case.disputed_at, Case.opened_at, type_=Case.opened_at.type)
            return [_Part(which=mine, keys=(since, Case.id))]
        case View.FREE:
            return [replace(part, which=(*part.which, _free(now))) for part in _everything(filters)]
        case View.SOON:
            return [_due("ix_cases_due", Case.due_at > now, Case.due_at <= now + SOON)]
        case View.OVERDUE:
            return [_due("ix_cases_due", Case.due_at <= now)]
        case View.DISPUTED:
            return [_DISPUTES]
        case View.SECOND:
            return [_due("ix_cases_second")]
        case View.SENIOR:
            return [_due("ix_cases_senior")]
        case View.RESCUE:
            return [_rescue()]
        case View.CUSTOMER:
            papers = _Part(
                which=(Case.awaiting_until.is_not(None), Case.state == State.IN_REVIEW, UNMARKED),
                keys=(Case.awaiting_until, Case.id),
            )
            return [papers, _Part(which=(_in("ix_cases_with_customer"),), keys=(Case.updated_at, Case.id))]
        case View.CLOSED:
            return [_Part(which=(_in("ix_cases_closed"),), keys=(Case.closed_at, Case.id), newest_first=True)]
    wrote = _Part(which=(Case.id.in_(_who_wrote(session)),), keys=(Case.opened_at, Case.id))
    return [*_everything(filters), wrote]


def _everything(filters: Filters) -> list[_Part]:
    if not filters.rescue_first:
        return [_DISPUTES, _due()]
    return [_DISPUTES, _rescue(), _due("ix_cases_due", Case.rescue < rescue.LINE)]


def _who_wrote(session: Session) -> list[UUID]:
    """Cases that wait for a photo or for papers, whose customer wrote meanwhile. Read from the messages, of which few wait."""
    from cases import conversations  # here, because it imports `review`, which asks this module for the next case

    unseen = (
        select(Message.case_id)
        .where(Message.writer == Writer.CUSTOMER, text("messages.writer = 'customer'"))
        .where(text("messages.seen_at IS NULL AND messages.shredded_at IS NULL"))
    )
    waits = or_(Case.state == State.NEEDS_RETAKE, and_(Case.state == State.IN_REVIEW, Case.awaiting_until.is_not(None)))
    found = select(Case.id).where(Case.id.in_(unseen), waits, UNMARKED, conversations.customer_wrote()).order_by(Case.opened_at)
    return list(session.scalars(found.limit(WROTE)))


def page(session: Session, filters: Filters, *, now: datetime, viewer: UUID | None = None) -> Page:
    """One page of the queue: at most one query a part, one more where a filter is served by no index, and one for who is looking.

    `viewer` is left out of `QueueRow.looking`. Raises ValueError where `after` is no place in this queue.
    """
    parts = _parts(session, filters, now)
    number, place = _place(filters.after, parts) if filters.after else (0, None)
    narrows = bool(_narrowed(filters, Case))
    rows: list[QueueRow] = []
    last = ""
    for at, part in enumerate(parts[number:], start=number):
        wanted = [*part.which, *([part.beyond(place)] if place is not None else [])]
        place = None
        keys = [key.label(f"key_{n}") for n, key in enumerate(part.keys)]
        if narrows:
            looked_at = select(Case.id, *_NARROW).where(*wanted).order_by(*part.order()).limit(LOOKED_AT).subquery()
            # What a filter asks about comes along, so that only what it leaves is looked up once more.
            asked = _lines(*keys).join(looked_at, looked_at.c.id == Case.id).where(*_narrowed(filters, looked_at.c))
        else:
            asked = _lines(*keys).where(*wanted)
        found = session.execute(asked.order_by(*part.order()).limit(filters.limit + 1 - len(rows))).all()
        for case, external_id, owner, wrote, *key in found:
            if len(rows) == filters.limit:
                return Page(rows=_looked(session, rows, viewer, now), next=last)
            rows.append(_row(case, external_id, owner, wrote, now=now))
            last = _cursor(at, key)
        if narrows:
            edge = session.execute(
                select(*keys).where(*wanted).order_by(*part.order()).offset(LOOKED_AT - 1).limit(1)
            ).one_or_none()
            if edge is not None:
                return Page(rows=_looked(session, rows, viewer, now), next=_cursor(at, edge), cut=True)
    return Page(rows=_looked(session, rows, viewer, now))


def _lines(*more: ColumnElement[Any]) -> Any:
    from cases import conversations  # here: see `_who_wrote`

    return (
        select(Case, Customer.external_id, Staff.name, conversations.customer_wrote(), *more)
        .join(Customer, Customer.id == Case.customer_id)
        .outerjoin(Staff, Staff.id == Case.owner_id)
        .options(load_only(*_SHOWN))
    )


_SHOWN = (
    Case.id, Case.customer_id, Case.state, Case.version, Case.locale, Case.change_reason, Case.country, Case.risk, Case.rescue,
    Case.attempt, Case.reasons, Case.opened_at, Case.referred_at, Case.due_at, Case.closed_at, Case.answered_at, Case.second_at,
    Case.escalated_at, Case.awaiting_until, Case.disputed_at, Case.dispute_settled_at, Case.owner_id, Case.owner_until,
)  # fmt: skip
"""What `_row` reads. A case has as many columns again, sealed details among them, which a line of the queue has no use for."""


_NARROW = (Case.reasons, Case.change_reason, Case.country, Case.locale, Case.risk)


def _narrowed(filters: Filters, of: Any) -> list[ColumnElement[bool]]:
    """Filters that no index serves, on the columns of _NARROW that `of` has: the table, or a part of it."""
    wanted: list[ColumnElement[bool]] = []
    if filters.reason is not None:
        wanted.append(cast(of.reasons, String).contains(f'"{filters.reason.value}"', autoescape=True))
    if filters.change_reason is not None:
        wanted.append(of.change_reason == filters.change_reason)
    if filters.country:
        wanted.append(of.country == filters.country)
    if filters.language:
        wanted.append(of.locale == filters.language)
    if filters.risk:
        wanted.append(of.risk == filters.risk)
    return wanted


def lane(case: Case) -> Lane:
    """Who answers this case."""
    if case.state is State.APPROVED and case.disputed_at is not None and case.dispute_settled_at is None:
        return Lane.DISPUTE
    if case.state is State.IN_REVIEW and case.escalated_at is not None:
        return Lane.SENIOR
    if case.state is State.IN_REVIEW and case.second_at is not None:
        return Lane.SECOND
    return Lane.ORDINARY


def _row(found: Case, external_id: str, owner: str | None, wrote: bool, *, now: datetime) -> QueueRow:
    held = found.owner_until is not None and found.owner_until > now
    in_lane = lane(found)
    since = found.disputed_at if in_lane is Lane.DISPUTE else found.referred_at
    return QueueRow(
        id=found.id,
        customer_id=found.customer_id,
        external_id=external_id,
        state=found.state,
        lane=in_lane,
        change_reason=found.change_reason,
        country=found.country,
        language=found.locale,
        risk=found.risk,
        rescue=found.rescue,
        attempt=found.attempt,
        reasons=tuple(ReasonCode(code) for code in found.reasons),
        waiting_since=since or found.opened_at,
        due_at=found.due_at,
        closed_at=found.closed_at,
        answered=found.answered_at is not None,
        awaiting_until=found.awaiting_until,
        owner_id=found.owner_id if held else None,
        owner=owner if held else None,
        owner_until=found.owner_until if held else None,
        version=found.version,
        wrote=bool(wrote),
    )


def _cursor(number: int, key: Iterable[Any]) -> str:
    shown = (value.isoformat() if isinstance(value, datetime) else str(value) for value in key)
    return "_".join((str(number), *shown))


def _place(after: str, parts: Sequence[_Part]) -> tuple[int, tuple[Any, ...]]:
    """The part and the key that a cursor names. Raises ValueError."""
    first, *told = after.split("_")
    try:
        number = int(first)
        if number < 0:
            raise ValueError
        keys = parts[number].keys
        return number, tuple(_value(text_, key) for text_, key in zip(told, keys, strict=True))
    except (ValueError, IndexError, OverflowError):
        raise ValueError("not a place in the queue") from None


def _value(shown: str, key: ColumnElement[Any]) -> Any:
    if not isinstance(key.type, UtcDateTime):
        return key.type.python_type(shown)
    moment = datetime.fromisoformat(shown)
    if moment.tzinfo is None:
        raise ValueError
    return moment


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """How much waits, each counted up to COUNTED + 1, which stands for "more"."""

    waiting: int
    mine: int
    soon: int
    overdue: int
    customer: int
    disputed: int
    second: int
    senior: int
    rescue: int
    oldest: datetime | None  # since when the oldest waits


def tiles(session: Session, *, agent: Staff | UUID | None, now: datetime) -> Tiles:
    """What the tiles over the queue say, in one query."""
    mine = agent.id if isinstance(agent, Staff) else agent
    told = {"mine": mine, "now": now, "soon": now + SOON, "some": COUNTED + 1}
    row = session.execute(_counting(), told).one()
    return Tiles(
        waiting=row[0], mine=row[1], soon=row[2], overdue=row[3], customer=row[4], disputed=row[5], second=row[6],
        senior=row[7], rescue=row[8], oldest=row[9],
    )  # fmt: skip


@cache
def _counting() -> Select[*tuple[Any, ...]]:
    """The query of the tiles, put together once a process: that takes longer than to ask it."""
    mine, now = bindparam("mine", type_=Case.owner_id.type), bindparam("now", type_=Case.due_at.type)

    def counted(*which: ColumnElement[bool]) -> ColumnElement[int]:
        some = select(literal(1)).select_from(Case).where(*which).limit(bindparam("some", type_=Integer)).subquery()
        return select(func.count()).select_from(some).scalar_subquery()

    papers = (Case.awaiting_until.is_not(None), Case.state == State.IN_REVIEW, UNMARKED)
    return select(
        counted(_in("ix_cases_due")),
        counted(Case.owner_id == mine, Case.owner_until > now),
        counted(_in("ix_cases_due"), Case.due_at > now, Case.due_at <= bindparam("soon", type_=Case.due_at.type)),
        counted(_in("ix_cases_due"), Case.due_at <= now),
        counted(_in("ix_cases_with_customer")) + counted(*papers),
        counted(_in("ix_cases_under_dispute")),
        counted(_in("ix_cases_second")),
        counted(_in("ix_cases_senior")),
        counted(_in("ix_cases_rescue"), Case.rescue >= rescue.LINE),
        select(func.min(Case.referred_at)).where(text("cases.state = 'in_review'"), UNMARKED).scalar_subquery(),
    )


@dataclass(frozen=True, kw_only=True)
class DeskCounts:
    """How much waits for people, counted to the end: for ops."""

    waiting: int
    free: int
    overdue: int
    disputed: int
    oldest: datetime | None


def counts(session: Session, *, now: datetime) -> DeskCounts:
    """Two queries."""
    waiting, free, overdue, oldest = session.execute(
        select(
            func.count(),
            func.count().filter(_free(now)),
            func.count().filter(Case.due_at <= now),
            func.min(Case.referred_at),
        ).where(_in("ix_cases_due"))
    ).one()
    disputed = session.scalar(select(func.count()).select_from(Case).where(_in("ix_cases_under_dispute"))) or 0
    return DeskCounts(waiting=waiting, free=free, overdue=overdue, disputed=disputed, oldest=oldest)


# Giving cases out


def held(session: Session, agent: Staff, *, now: datetime) -> int:
    """How many open cases are this agent's now."""
    mine = select(func.count()).select_from(Case).where(Case.owner_id == agent.id, Case.owner_until > now)
    return session.scalar(mine) or 0


def lock_hands(session: Session, agent_id: UUID) -> None:
    """Two windows of hers take one after the other. Before any case is locked."""
    session.execute(select(Staff.id).where(Staff.id == agent_id).with_for_update(key_share=True))


def has_room(session: Session, agent: Staff, *, now: datetime) -> bool:
    """Whether one case more may become hers. It stays so while her row is locked (`lock_hands`)."""
    return held(session, agent, now=now) < int(session.info["settings"].max_open_cases)


def require_room(session: Session, agent: Staff, *, now: datetime) -> None:
    """Make sure that one case more may become hers. Her row is locked: two windows of hers take one after the other.

    Raises HandsFull. Call it before the case is locked, and not for a case that is hers already.
    """
    lock_hands(session, agent.id)
    if not has_room(session, agent, now=now):
        raise HandsFull(session.info["settings"].max_open_cases)


def next_for(session: Session, agent: Staff, *, now: datetime) -> Case | None:
    """The most urgent case this agent may answer, free and locked until the transaction ends; None: there is none for her.

    For a senior agent disputes first, then the rescue lane; for everybody what is due next. Within her skills. Never: more
    than `max_open_cases`, a case she rejected, the second look at her own answer, a related case. Raises NotAllowed.
    """
    people.require(agent, "decide")
    session.flush()
    try:
        require_room(session, agent, now=now)
    except HandsFull:
        return None
    from cases import review  # here, because it asks this module for the next case

    hers = [_free(now), *Skills.of(agent).conditions(), ~_refused_by(agent), ~_answered_by(agent)]
    related: list[UUID] = []
    for part in _given_to(session, agent):
        while True:
            found = session.execute(
                select(Case)
                .where(*part.which, *hers, *([Case.id.not_in(related)] if related else []))
                .order_by(*part.order())
                .limit(1)
                .with_for_update(key_share=True, skip_locked=True)
                .execution_options(populate_existing=True)
            ).scalar_one_or_none()
            if found is None:
                break
            if not review.withheld(session, agent, found, now=now) and review.is_for(session, found, agent):
                return found
            related.append(found.id)
    return None


FEW_SENIORS = 2
"""With so few senior agents two of them may be the ones who disagree, and then any other agent settles it."""


def _given_to(session: Session, agent: Staff) -> list[_Part]:
    if not is_senior(agent):
        mine = [_due("ix_cases_due", Case.escalated_at.is_(None))]
        few = len(people.holding(session, "decide_escalated")) <= FEW_SENIORS
        return [*mine, _due("ix_cases_senior", _two_disagree())] if few else mine
    disputes = [_DISPUTES] if people.may(agent, "settle_disputes") else []
    return [*disputes, _rescue(), _due()]


def is_senior(agent: Staff) -> bool:
    """Whether escalated cases and the rescue lane are hers."""
    return people.may(agent, "decide_escalated")


def _two_disagree() -> ColumnElement[bool]:
    return select(Answer.id).where(Answer.case_id == Case.id, Answer.state == AnswerState.DISAGREED).exists()


def _refused_by(agent: Staff) -> ColumnElement[bool]:
    return (
        select(Disposition.id)
        .where(Disposition.case_id == Case.id, Disposition.staff_id == agent.id, Disposition.action == "reject")
        .exists()
    )


def _answered_by(agent: Staff) -> ColumnElement[bool]:
    """Her own answer to the case is the one that a second person, or a senior agent after two, is to look past."""
    open_ones = Answer.state.in_([AnswerState.FIRST, AnswerState.DISAGREED])
    return select(Answer.id).where(Answer.case_id == Case.id, Answer.staff_id == agent.id, open_ones).exists()


class Why(StrEnum):
    """Why "next case" gave none."""

    FULL = "full"
    NOT_FOR_HER = "not_for_her"  # something waits, for others: other skills, other people
    EMPTY = "empty"


def why_none(session: Session, agent: Staff, *, now: datetime) -> Why:
    """What to tell an agent to whom `next_for` gave nothing."""
    if held(session, agent, now=now) >= session.info["settings"].max_open_cases:
        return Why.FULL
    waits = select(Case.id).where(_in("ix_cases_due"), _free(now)).limit(1)
    return Why.NOT_FOR_HER if session.scalar(waits) is not None else Why.EMPTY


def set_skills(session: Session, agent: Staff, skills: Skills, *, actor: audit.Actor, by: Staff | None, now: datetime) -> None:
    """Say which cases an agent is given. `by` None: a command on the server. Raises NotAllowed."""
    if by is not None:
        people.require(by, "set_skills")
    agent.skills = skills.to_json()
    audit.record(session, "skills_set", actor=actor, now=now, staff_id=agent.id, **skills.to_json())


# Searching


_LOOK_ALIKE = str.maketrans("АВЕЗКМНОРСТУХІOI", "ABE3KMH0PCTYX101")
"""Letters that look like another sign on paper or on a screen become that one: Cyrillic to Latin, O to 0, I to 1."""


def normal_number(number: str) -> str:
    """A document number as it is compared: capitals, no spaces, hyphens or №, one sign for all that look alike.

    >>> normal_number("45 24 № 654321"), normal_number("n-12345678"), normal_number("АВ О1234")
    ('4524654321', 'N12345678', 'AB01234')
    """
    kept = "".join(c for c in unicodedata.normalize("NFKC", number.replace("№", "")).upper() if c.isalnum())
    return kept.translate(_LOOK_ALIKE)


def index_of(session: Session, document_number: str) -> str:
    """The blind index of a document number: HMAC-SHA-256 of its normal form, under a key that is used for nothing else.

    Derived from the audit key, which is never changed; who has the database alone can neither read a number nor try all of
    them. Equal numbers have equal indexes, which is what it is for, and all that it tells.
    """
    key: str = session.info["settings"].audit_key
    own = hmac.new(key.encode(), b"peremena|document index|1", hashlib.sha256).digest()
    return hmac.new(own, normal_number(document_number).encode(), hashlib.sha256).hexdigest()


def search(session: Session, wanted: str, *, with_documents: bool = False, viewer: UUID | None = None, now: datetime) -> Page:
    """Cases by id, number or a confirmation's code, by the beginning of the host system's customer id, newest first.

    `with_documents` looks for a document number too: for searches that stand in no address. Looks at cases of every state.
    """
    text_ = wanted.strip()
    if not text_:
        return Page(rows=())
    if confirmations.looks_like_code(text_):
        found = confirmations.find(session, text_)  # a code that was made up finds nothing
        which: list[ColumnElement[bool]] = [Case.id == found]
    else:
        which = _named(session, text_)
        if with_documents and len(normal_number(text_)) >= SHORTEST_NUMBER:
            index = index_of(session, text_)
            read = select(NumberRead.case_id).where(NumberRead.number_index == index)
            which += [Case.document_index == index, Case.id.in_(read)]
    ids: set[UUID] = set()
    for one in which:  # one by one: each is served by an index, all of them joined by OR by none
        ids.update(session.scalars(select(Case.id).where(one).order_by(Case.opened_at.desc()).limit(FOUND + 1)))
    blind = exists().where(  # a number on the sheet of a blind review finds its case no sooner than the review is given
        QualitySample.case_id == Case.id, QualitySample.reviewer_id == viewer, QualitySample.reviewed_at.is_(None)
    )
    ids &= set(session.scalars(select(Case.id).where(Case.id.in_(ids), ~blind)))
    lines = session.execute(_lines().where(Case.id.in_(ids)).order_by(Case.opened_at.desc(), Case.id).limit(FOUND)).all()
    rows = [_row(*line, now=now) for line in lines]
    return Page(rows=_looked(session, rows, viewer, now), cut=len(ids) > FOUND)


def _named(session: Session, text_: str) -> list[ColumnElement[bool]]:
    try:
        return [Case.id == UUID(text_)]
    except ValueError:
        pass
    if session.get_bind().dialect.name == "postgresql":
        begins: ColumnElement[bool] = Customer.external_id.startswith(text_, autoescape=True)
    else:  # SQLite's LIKE uses no index here; its texts are sorted by bytes, so that a beginning is a range
        begins = and_(Customer.external_id >= text_, Customer.external_id < text_ + "\U0010ffff")
    customers = session.scalars(select(Customer.id).where(begins).order_by(Customer.external_id).limit(FOUND + 1)).all()
    which: list[ColumnElement[bool]] = [Case.customer_id.in_(customers)] if customers else []
    if confirmations.looks_like_number(text_):
        which.append(Case.id.between(*confirmations.bounds(text_)))
    return which


# Who else is looking


def watch(session: Session, case_id: UUID, agent: Staff, *, now: datetime) -> None:
    """This member of staff has the case's page open now. Changes nothing about the case."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(Presence).values(case_id=case_id, staff_id=agent.id, seen_at=now)
    session.execute(statement.on_conflict_do_update(index_elements=["case_id", "staff_id"], set_={"seen_at": now}))
    session.execute(delete(Presence).where(Presence.staff_id == agent.id, Presence.seen_at <= now - LOOKING))


def leave(session: Session, case_id: UUID, agent: Staff) -> None:
    """She closed the page."""
    session.execute(delete(Presence).where(Presence.case_id == case_id, Presence.staff_id == agent.id))


def watchers(session: Session, case_id: UUID, *, but: UUID | None = None, now: datetime) -> tuple[str, ...]:
    """Names of staff who have the case open, but one."""
    return watched(session, [case_id], but=but, now=now).get(case_id, ())


def watched(session: Session, cases: Sequence[UUID], *, but: UUID | None = None, now: datetime) -> dict[UUID, tuple[str, ...]]:
    """The same for many cases, in one query; cases that nobody looks at are left out."""
    if not cases:
        return {}
    found = select(Presence.case_id, Staff.name).join(Staff, Staff.id == Presence.staff_id)
    found = found.where(Presence.case_id.in_(cases), Presence.seen_at > now - LOOKING).order_by(Staff.name)
    if but is not None:
        found = found.where(Presence.staff_id != but)
    names: dict[UUID, tuple[str, ...]] = {}
    for case_id, name in session.execute(found):
        names[case_id] = (*names.get(case_id, ()), name)
    return names


def _looked(session: Session, rows: Sequence[QueueRow], viewer: UUID | None, now: datetime) -> tuple[QueueRow, ...]:
    """Who else looks at each; and of the viewer's own account nothing that was found: the case's page keeps it from her too."""
    names = watched(session, [row.id for row in rows], but=viewer, now=now)
    hers = set(session.scalars(select(StaffAccount.customer_id).where(StaffAccount.staff_id == viewer))) if viewer else set()
    shown = (replace(row, reasons=(), risk="", rescue=0) if row.customer_id in hers else row for row in rows)
    return tuple(replace(row, looking=names[row.id]) if row.id in names else row for row in shown)
