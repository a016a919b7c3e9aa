"""The rescue lane: customers who keep coming back and get nowhere, found by a score whose every point has its reason.

Nobody is judged by it and nothing is refused or approved for it: it says whose case a senior agent should end next. Points
count what happened to the customer since her last change that stands, at most WINDOW back; no sign alone reaches LINE, so
what brings somebody here is always more than one thing going wrong. `Case.rescue` holds the points of open cases: written
when a case comes to the desk, and by upkeep, since who waits comes nearer to the line every day.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, func, or_, select, text, update
from sqlalchemy.orm import Session

from cases.crypto import KeyDestroyed, Unreadable, vault_of
from cases.lifecycle import State
from cases.models import (
    DESK_INDEXES,
    UNMARKED,
    Case,
    Customer,
    Disposition,
    Event,
    Message,
    Rating,
    Run,
    Staff,
    Upload,
    Writer,
)
from verification.evidence import ChangeReason
from verification.reasons import PhotoKind, ReasonCode

WINDOW = timedelta(days=180)
"""What lies longer back has no part in how she feels about us today; photos and messages of it are shredded anyway."""

UNANSWERED = timedelta(hours=4)
"""A message that nobody answered for this long is a sign; half a working day is what people wait without writing again."""

TOGETHER = 100
"""Customers weighed by one set of questions; some databases take no more than 999 values in a question."""

SHOWN = 30
"""Newest cases that a story tells; nobody reads more, and an account may open five a day."""


class Sign(StrEnum):
    """What may go wrong for a customer."""

    RETAKES = "retakes"  # photos asked for again, by the machine or a person
    REFUSED = "refused"  # photos refused while she sent them
    REQUESTS = "requests"  # requests that she sent, each beginning anew
    ENDED = "ended"  # requests that were sent and ended without the change
    APPEALED = "appealed"  # she objected to an answer
    WAITING = "waiting"  # full days that the open case has waited for a person
    LATE = "late"  # the answer is later than promised
    UNHAPPY = "unhappy"  # ratings "hard" and "very hard"
    UNANSWERED = "unanswered"  # her messages that nobody answered for UNANSWERED


@dataclass(frozen=True, kw_only=True, slots=True)
class Weight:
    """How a sign turns into points: `points` for every `per` beyond the first `free`, at most `most`."""

    points: int
    free: int = 0
    per: int = 1
    most: int

    def of(self, count: int) -> int:
        """Points for so many."""
        return min(self.most, self.points * (max(count - self.free, 0) // self.per))


WEIGHTS: dict[Sign, Weight] = {
    Sign.RETAKES: Weight(points=1, free=1, most=4),  # one retake is usual: every fifth selfie is taken against the light
    Sign.REFUSED: Weight(points=1, per=3, most=3),  # refused at once costs seconds, not a day: three weigh as one retake
    Sign.REQUESTS: Weight(points=1, free=1, most=3),  # who begins anew has lost what she did before
    Sign.ENDED: Weight(points=2, most=4),  # she went all the way and has nothing
    Sign.APPEALED: Weight(points=3, most=3),  # she says herself that something went wrong
    Sign.WAITING: Weight(points=1, most=4),  # a day is what is promised as shipped (REVIEW_HOURS)
    Sign.LATE: Weight(points=2, most=2),  # a promise that was not kept
    Sign.UNHAPPY: Weight(points=2, most=4),
    Sign.UNANSWERED: Weight(points=1, most=3),
}
"""Set by judgement, so that the cases that support staff of our anchors call stuck reach the line and a slow but ordinary one
does not; tests/cases/test_rescue.py holds both. Nothing was fitted: there are no data of real customers to fit it on."""

LINE = 6
"""Points from which a case goes to the lane: above what any sign alone can give, see WEIGHTS."""

BAD_MARKS = (1, 2)
"""Of cases.ratings.CHOICES: very hard, hard."""

ENDS_EMPTY = frozenset({State.REJECTED, State.EXPIRED, State.WITHDRAWN})
"""Closed without the change. A change put back is no empty end: that protects the account's owner."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One sign of a customer: how often, and the points it gives (0: seen, and not more than usual)."""

    sign: Sign
    count: int
    points: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Rescue:
    """How badly a customer needs somebody who ends it. Counts only."""

    points: int
    signs: tuple[Found, ...]  # those that were seen, most points first

    @property
    def in_lane(self) -> bool:
        """Whether it reaches the line."""
        return self.points >= LINE


NOTHING = Rescue(points=0, signs=())


def weigh(counts: dict[Sign, int]) -> Rescue:
    """Points for what was counted. Pure.

    >>> weigh({Sign.RETAKES: 3, Sign.APPEALED: 1, Sign.WAITING: 1}).points
    6
    """
    found = [Found(sign=sign, count=counts[sign], points=WEIGHTS[sign].of(counts[sign])) for sign in Sign if counts.get(sign)]
    return Rescue(points=sum(f.points for f in found), signs=tuple(sorted(found, key=lambda f: -f.points)))


def score(session: Session, customer_id: UUID, *, now: datetime) -> Rescue:
    """Points and reasons of one customer. At most seven queries by index."""
    return scores(session, [customer_id], now=now)[customer_id]


def scores(session: Session, customer_ids: Iterable[UUID], *, now: datetime) -> dict[UUID, Rescue]:
    """The same for several customers, TOGETHER at a time."""
    wanted = list(dict.fromkeys(customer_ids))
    out: dict[UUID, Rescue] = {}
    for at in range(0, len(wanted), TOGETHER):
        part = wanted[at : at + TOGETHER]
        counted = _count(session, part, now)
        out |= {customer_id: weigh(counted.get(customer_id, {})) for customer_id in part}
    return out


def write(session: Session, case: Case, *, now: datetime) -> int:
    """Write the points on a case that comes to the desk; the caller holds it. Makes no page stale."""
    with session.no_autoflush:  # the caller may be in the middle of changing the row
        case.rescue = score(session, case.customer_id, now=now).points
    return case.rescue


def refresh(session: Session, *, now: datetime, after: UUID | None = None, limit: int = 2000) -> tuple[int, UUID | None]:
    """Write the points of open cases anew, `limit` after the id `after`; returns how many changed and where to go on.

    None as the place: the end was reached, begin again. A row that somebody holds is left for the next time.
    """
    open_ones = select(Case.id, Case.customer_id, Case.rescue).where(
        Case.state.in_([State.IN_REVIEW, State.NEEDS_RETAKE]), UNMARKED
    )
    if after is not None:
        open_ones = open_ones.where(Case.id > after)
    rows = session.execute(open_ones.order_by(Case.id).limit(limit)).all()
    points = scores(session, (row.customer_id for row in rows), now=now)
    other = {row.id: points[row.customer_id].points for row in rows if points[row.customer_id].points != row.rescue}
    changed = 0
    ids = sorted(other)
    for at in range(0, len(ids), TOGETHER):
        free = session.scalars(
            select(Case.id)
            .where(Case.id.in_(ids[at : at + TOGETHER]))
            .order_by(Case.id)
            .with_for_update(key_share=True, skip_locked=True)
        ).all()
        for case_id in free:
            session.execute(update(Case).where(Case.id == case_id).values(rescue=other[case_id]))
        changed += len(free)
    return changed, rows[-1].id if len(rows) == limit else None


@dataclass(frozen=True, kw_only=True)
class LaneRow:
    """A case of the lane. Ids, codes and times only."""

    case_id: UUID
    customer_id: UUID
    external_id: str
    state: State
    change_reason: ChangeReason
    country: str | None
    attempt: int
    opened_at: datetime
    referred_at: datetime | None
    due_at: datetime | None
    owner: str | None  # who holds it now
    owner_id: UUID | None
    rescue: Rescue
    cursor: str


def lane(session: Session, *, now: datetime, after: str = "", limit: int = 25) -> list[LaneRow]:
    """Cases of the lane that wait for an agent, most points first; the next page starts after the last row's `cursor`.

    Raises ValueError for a place that is none.
    """
    found = select(Case, Customer.external_id, Staff.name).join(Customer, Customer.id == Case.customer_id)
    found = found.outerjoin(Staff, Staff.id == Case.owner_id).where(_in_lane())
    if after:
        points, case_id = _place(after)
        found = found.where(or_(Case.rescue < points, and_(Case.rescue == points, Case.id > case_id)))
    rows = session.execute(found.order_by(Case.rescue.desc(), Case.id).limit(limit)).all()
    points_of = scores(session, (case.customer_id for case, _, _ in rows), now=now)
    return [_lane_row(case, external_id, owner, points_of[case.customer_id], now) for case, external_id, owner in rows]


def waiting(session: Session) -> int:
    """How many cases stand in the lane."""
    return session.scalar(select(func.count()).select_from(Case).where(_in_lane())) or 0


def _in_lane() -> Any:
    # In the words of the index, as text: with bound values a planner could not tell that it holds.
    return and_(text(DESK_INDEXES["ix_cases_rescue"][1]), Case.rescue >= LINE)


def _place(cursor: str) -> tuple[int, UUID]:
    points, _, case_id = cursor.partition("_")
    try:
        return int(points), UUID(case_id)
    except ValueError:
        raise ValueError("not a place in the lane") from None


def _lane_row(case: Case, external_id: str, owner: str | None, rescue: Rescue, now: datetime) -> LaneRow:
    held = case.owner_until is not None and case.owner_until > now
    return LaneRow(
        case_id=case.id,
        customer_id=case.customer_id,
        external_id=external_id,
        state=case.state,
        change_reason=case.change_reason,
        country=case.country,
        attempt=case.attempt,
        opened_at=case.opened_at,
        referred_at=case.referred_at,
        due_at=case.due_at,
        owner=owner if held else None,
        owner_id=case.owner_id if held else None,
        rescue=rescue,
        cursor=f"{case.rescue}_{case.id}",
    )


def _count(session: Session, customer_ids: Sequence[UUID], now: datetime) -> dict[UUID, dict[Sign, int]]:
    """How often each sign was seen."""
    columns = (
        Case.id, Case.customer_id, Case.state, Case.opened_at, Case.updated_at, Case.closed_at, Case.submitted_at,
        Case.referred_at, Case.due_at, Case.disputed_at, Case.dispute_settled_at, Case.awaiting_until,
    )  # fmt: skip
    rows = session.execute(select(*columns).where(Case.customer_id.in_(customer_ids))).all()
    solved: dict[UUID, datetime] = {}
    for row in rows:
        if _stands(row):
            solved[row.customer_id] = max(row.closed_at, solved.get(row.customer_id, row.closed_at))
    counted = [
        row
        for row in rows
        if row.updated_at >= now - WINDOW
        and not _stands(row)
        and (row.customer_id not in solved or row.opened_at > solved[row.customer_id])
    ]
    counts: dict[UUID, dict[Sign, int]] = defaultdict(lambda: defaultdict(int))
    for row in counted:
        mine = counts[row.customer_id]
        if row.submitted_at is not None:
            mine[Sign.REQUESTS] += 1
            mine[Sign.ENDED] += row.state in ENDS_EMPTY
        with_her = row.awaiting_until is not None and row.awaiting_until > now  # papers are awaited: the desk's clock stands
        if row.state is State.IN_REVIEW and row.referred_at is not None and not with_her:
            mine[Sign.WAITING] += max((now - row.referred_at) // timedelta(days=1), 0)
            mine[Sign.LATE] += row.due_at is not None and row.due_at <= now
    whose = {row.id: row.customer_id for row in counted}
    for sign, found in _of_cases(session, list(whose), now):
        for case_id, count in found.items():
            counts[whose[case_id]][sign] += count
    return {customer_id: dict(found) for customer_id, found in counts.items()}


def _stands(row: Row[*tuple[Any, ...]]) -> bool:
    """Whether this case gave her what she wanted, and nobody objects."""
    disputed = row.disputed_at is not None and row.dispute_settled_at is None
    return row.state is State.APPROVED and not disputed


def _of_cases(session: Session, case_ids: Sequence[UUID], now: datetime) -> list[tuple[Sign, Counter[UUID]]]:
    """What is counted in other tables, by case."""
    found: dict[Sign, Counter[UUID]] = {sign: Counter() for sign in Sign}
    for at in range(0, len(case_ids), 5 * TOGETHER):
        part = list(case_ids[at : at + 5 * TOGETHER])
        questions = (
            (Sign.RETAKES, Run.case_id, Run.case_id.in_(part) & (Run.outcome == "retake")),
            (Sign.RETAKES, Disposition.case_id, Disposition.case_id.in_(part) & (Disposition.action == "ask_retake")),
            (Sign.REFUSED, Upload.case_id, Upload.case_id.in_(part) & Upload.photo_id.is_(None)),
            (Sign.APPEALED, Event.case_id, Event.case_id.in_(part) & (Event.kind == "appealed")),
            (Sign.UNHAPPY, Rating.case_id, Rating.case_id.in_(part) & Rating.mark.in_(BAD_MARKS)),
        )
        for sign, column, which in questions:
            rows = session.execute(select(column, func.count()).where(which).group_by(column))
            found[sign].update({case_id: count for case_id, count in rows if case_id is not None})
        found[Sign.UNANSWERED].update(_unanswered(session, part, now))
    return [(sign, counter) for sign, counter in found.items() if counter]


def _unanswered(session: Session, case_ids: Sequence[UUID], now: datetime) -> dict[UUID, int]:
    """Messages of hers that no agent answered, set aside or disposed after. Those of closed cases are answered by the end."""
    disposed = select(func.max(Disposition.created_at)).where(Disposition.case_id == Message.case_id).scalar_subquery()
    rows = session.execute(
        select(Message.case_id, func.count())
        .join(Case, Case.id == Message.case_id)
        .where(
            Message.case_id.in_(case_ids),
            Case.closed_at.is_(None),
            Message.writer == Writer.CUSTOMER,
            Message.seen_at.is_(None),
            Message.written_at <= now - UNANSWERED,
            or_(disposed.is_(None), Message.written_at > disposed),
        )
        .group_by(Message.case_id)
    )
    return {case_id: count for case_id, count in rows}


# The whole story of one customer


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that happened. `text` is what a person wrote: not for logs."""

    at: datetime
    what: str  # one of TOLD
    by: str = ""  # name of a member of staff, where it was one
    reasons: tuple[ReasonCode, ...] = ()
    photo: PhotoKind | None = None
    waited: timedelta | None = None  # for a person, until this answer
    mark: int = 0  # of a rating
    text: str = field(default="", repr=False)


TOLD = (
    "opened", "sent", "sent_again", "refused", "referred", "asked_person", "machine_approve", "machine_retake", "machine_refer",
    "approve", "reject", "ask_retake", "revert", "settle", "appealed", "withdrawn", "expired", "not_me", "she_wrote", "we_wrote",
    "rated", "shredded",
)  # fmt: skip
"""What a story tells of."""


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One request and what became of it, oldest entry first."""

    case_id: UUID
    state: State
    change_reason: ChangeReason
    country: str | None
    attempt: int
    opened_at: datetime
    closed_at: datetime | None
    due_at: datetime | None
    waits_since: datetime | None  # for a person, now
    waited: timedelta  # for people in all, the wait that goes on now among it
    refused: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, kw_only=True)
class Story:
    """Everything that happened to one customer, newest request first. Holds what people wrote: not for logs."""

    customer_id: UUID
    external_id: str
    locale: str
    rescue: Rescue
    chapters: tuple[Chapter, ...]
    left_out: int  # older requests


_PLAIN = {
    "case_opened": "opened", "person_asked_for": "asked_person", "appealed": "appealed", "withdrawn": "withdrawn",
    "expired": "expired", "not_me_reported": "not_me", "shredded": "shredded", "referred": "referred",
}  # fmt: skip


def story(session: Session, customer_id: UUID, *, now: datetime) -> Story:
    """Read it all, in about ten queries. The caller writes down who read it. Raises NoResultFound."""
    customer = session.execute(select(Customer).where(Customer.id == customer_id)).scalar_one()
    cases = session.scalars(
        select(Case).where(Case.customer_id == customer_id).order_by(Case.opened_at.desc(), Case.id).limit(SHOWN)
    ).all()
    total = session.scalar(select(func.count()).select_from(Case).where(Case.customer_id == customer_id)) or 0
    ids = [case.id for case in cases]
    told: dict[UUID, list[Entry]] = {case_id: [] for case_id in ids}
    waited: dict[UUID, timedelta] = {}
    by_id = {case.id: case for case in cases}
    for case_id, entries, took in _events(session, ids):
        told[case_id] += entries
        waited[case_id] = took
    for row in session.scalars(select(Upload).where(Upload.case_id.in_(ids), Upload.photo_id.is_(None))):
        told[row.case_id].append(Entry(at=row.created_at, what="refused", photo=row.kind, reasons=_codes(row.codes)))
    messages = select(Message, Staff.name).outerjoin(Staff, Staff.id == Message.staff_id).where(Message.case_id.in_(ids))
    for message, name in session.execute(messages):
        words = _open(session, by_id[message.case_id], message.text_sealed, f"messages.text|{message.case_id}|{message.id}")
        what = "she_wrote" if message.writer is Writer.CUSTOMER else "we_wrote"
        told[message.case_id].append(Entry(at=message.written_at, what=what, by=name or "", text=words))
    for given in session.scalars(select(Rating).where(Rating.case_id.in_(ids))):
        words = _open(session, by_id[given.case_id], given.words_sealed, f"ratings.words|{given.case_id}")
        told[given.case_id].append(Entry(at=given.changed_at, what="rated", mark=given.mark, text=words))
    chapters = []
    for case in cases:
        since = case.referred_at if case.state is State.IN_REVIEW else None
        entries = sorted(told[case.id], key=lambda entry: entry.at)
        chapters.append(
            Chapter(
                case_id=case.id,
                state=case.state,
                change_reason=case.change_reason,
                country=case.country,
                attempt=case.attempt,
                opened_at=case.opened_at,
                closed_at=case.closed_at,
                due_at=case.due_at,
                waits_since=since,
                waited=waited.get(case.id, timedelta(0)) + (now - since if since is not None else timedelta(0)),
                refused=sum(entry.what == "refused" for entry in entries),
                entries=tuple(entries),
            )
        )
    return Story(
        customer_id=customer.id,
        external_id=customer.external_id,
        locale=customer.locale,
        rescue=score(session, customer_id, now=now),
        chapters=tuple(chapters),
        left_out=total - len(cases),
    )


def _events(session: Session, case_ids: Sequence[UUID]) -> list[tuple[UUID, list[Entry], timedelta]]:
    """What the trail tells of each case, with the notes of those who answered, and how long it waited for people until then."""
    kinds = (*_PLAIN, "submitted", "run_finished", "disposed", "profile_reverted", "dispute_settled")
    by_case: dict[UUID, list[Any]] = defaultdict(list)
    for event in session.scalars(select(Event).where(Event.case_id.in_(case_ids), Event.kind.in_(kinds)).order_by(Event.id)):
        assert event.case_id is not None
        by_case[event.case_id].append(event)
    ids = {UUID(e.actor_id) for events in by_case.values() for e in events if e.actor_kind == "staff" and e.actor_id}
    names = dict(session.execute(select(Staff.id, Staff.name).where(Staff.id.in_(ids))).all()) if ids else {}
    notes: dict[tuple[UUID, UUID, str], list[Disposition]] = defaultdict(list)
    rows = session.scalars(select(Disposition).where(Disposition.case_id.in_(case_ids)).order_by(Disposition.created_at)).all()
    for row in rows:
        notes[row.case_id, row.staff_id, row.action].append(row)
    out = []
    for case_id, events in by_case.items():
        entries: list[Entry] = []
        since: datetime | None = None
        took = timedelta(0)
        sent = False
        for event in events:
            what, text_of, person = _PLAIN.get(event.kind, ""), "", ""
            reasons: tuple[ReasonCode, ...] = ()
            waited: timedelta | None = None
            details = event.details
            if event.kind == "submitted":
                what, sent = ("sent_again" if sent else "sent"), True
            elif event.kind == "run_finished":
                what = f"machine_{details.get('outcome', '')}"
                reasons = _codes(details.get("reasons") or [])
            elif event.kind in ("disposed", "profile_reverted", "dispute_settled"):
                what = {"profile_reverted": "revert", "dispute_settled": "settle"}.get(event.kind, details.get("action", ""))
                staff_id = UUID(event.actor_id) if event.actor_id else None
                person = names.get(staff_id, "") if staff_id else ""
                reasons = _codes(details.get("reasons") or [])
                mine = notes.get((case_id, staff_id, what), []) if staff_id else []
                if mine:
                    text_of = _note(session, mine.pop(0))
                waited = event.at - since if since is not None else None
            elif event.kind == "referred":
                reasons = _codes(details.get("reasons") or [])
            if since is not None and details.get("new") not in (None, State.IN_REVIEW.value):
                took += event.at - since
                since = None
            if details.get("new") == State.IN_REVIEW.value and since is None:
                since = event.at
            if what in TOLD:
                entries.append(Entry(at=event.at, what=what, by=person, reasons=reasons, waited=waited, text=text_of))
        out.append((case_id, entries, took))
    return out


def _note(session: Session, row: Disposition) -> str:
    case = session.get_one(Case, row.case_id)
    return _open(session, case, row.note_sealed, f"dispositions.note|{row.id}", more=True)


def _open(session: Session, case: Case, sealed: bytes | None, place: str, *, more: bool = False) -> str:
    """What was sealed under the case's key or, with `more`, the customer's; "" where there is nothing (any more)."""
    if sealed is None:
        return ""
    for key in (case.data_key, case.customer.data_key) if more else (case.data_key,):
        try:
            return vault_of(session).open(key, sealed, place).decode()
        except (KeyDestroyed, Unreadable):
            continue
    return ""


def _codes(names: Iterable[str]) -> tuple[ReasonCode, ...]:
    known = {code.value: code for code in ReasonCode}
    return tuple(known[name] for name in names if name in known)
