"""What happened to each request, read from the audit trail: the only record of when, and one that nobody can change later.

`read` takes the events of whole requests, so that the same life can be asked how it stood at any moment: a report of a past week
says the same whenever it is made. Sandbox customers are left out. Events without a request (specimens, practice) are never read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import ratings
from cases.lifecycle import State
from cases.models import Case, Customer, Event
from verification.reasons import PhotoKind, ReasonCode

CHUNK = 2000
"""Requests in one query: some thirty thousand events, a few dozen MB at a time."""

HAPPENS = (
    "case_opened", "submitted", "person_asked_for", "run_finished", "referred", "appealed", "approval_undone", "disposed",
    "profile_reverted", "change_held", "withdrawn", "expired", "message_written",
    "paper_asked", "paper_received", "paper_declined", "paper_withdrawn", "papers_late",
)  # fmt: skip
"""Events that make a request part of a week."""

READ = (*HAPPENS, "claim_amended", "photo_kept", "change_restored", "rated")
"""All that a life is told from: half of the trail, the rest says who looked at what."""

TOUCHES = frozenset({"disposed", "message_written", "paper_asked"})
"""What an agent does that a customer notices; several at one moment are one touch."""

SAID = frozenset({"message_written", "paper_asked", "paper_received", "paper_declined"})
"""What counts as an interaction beside sending the request: each of them takes somebody's time to read or do."""


@dataclass(slots=True)
class Closing:
    """An approval or a refusal. `touched`: an agent had answered, written or asked for papers in this request by then."""

    at: datetime
    approved: bool
    person: bool
    touched: bool
    attempt: int


@dataclass(slots=True)
class Desk:
    """One stay with the desk: from a referral until an agent's answer is carried out (`answered`) or she leaves (`left`)."""

    since: datetime
    responded: datetime | None = None  # first answer, message or wish for a paper of an agent
    answered: datetime | None = None
    left: datetime | None = None
    waits: list[tuple[datetime, datetime | None]] = field(default_factory=list)  # for papers of the customer: not the desk's time

    def due(self, promised: timedelta) -> datetime | None:
        """When the promised time is used up, waits left out; None while the clock stands still.

        Nothing after the end of the stay is known, so a clock stopped early is due when it would have been.
        """
        left, since = promised, self.since
        for begin, end in self.waits:
            if begin - since >= left:
                break
            left -= begin - since
            if end is None:
                return None
            since = end
        return since + left


@dataclass(slots=True)
class Life:
    """One request, by time. Every list is in order."""

    case_id: UUID
    opened: datetime | None = None
    countries: list[tuple[datetime, str | None]] = field(default_factory=list)
    policies: list[tuple[datetime, int]] = field(default_factory=list)
    photos: dict[str, datetime] = field(default_factory=dict)  # first of each kind
    sends: list[datetime] = field(default_factory=list)
    asked: list[datetime] = field(default_factory=list)  # for a photo again, by machine or agent
    closings: list[Closing] = field(default_factory=list)
    withdrawn: list[datetime] = field(default_factory=list)
    expired: list[datetime] = field(default_factory=list)
    taken_back: list[datetime] = field(default_factory=list)  # the latest approval, for good or until a person has settled it
    restored: list[datetime] = field(default_factory=list)
    desks: list[Desk] = field(default_factory=list)
    reasons: list[tuple[datetime, str]] = field(default_factory=list)
    said: list[datetime] = field(default_factory=list)  # messages both ways, papers asked for and sent
    touches: list[datetime] = field(default_factory=list)
    rated: list[tuple[datetime, int]] = field(default_factory=list)
    moments: list[datetime] = field(default_factory=list)  # of anything in HAPPENS
    wanted: set[str] = field(default_factory=set)  # papers asked for that have not come, as it stood at the end
    awaited: datetime | None = None  # until when the newest of them are waited for

    def country(self, until: datetime) -> str:
        """As she said last before then; "" where she said none."""
        return next((code or "" for at, code in reversed(self.countries) if at < until), "")

    def policy(self, until: datetime) -> int:
        """Version that decided her last finished run before then; 0: no machine looked."""
        return next((version for at, version in reversed(self.policies) if at < until), 0)

    def sent(self) -> datetime | None:
        """When she sent it first."""
        return self.sends[0] if self.sends else None

    def active(self, begins: datetime, until: datetime) -> bool:
        """Whether anything happened in [begins, until)."""
        return bisect_left(self.moments, begins) < bisect_left(self.moments, until)

    def last_closing(self, begins: datetime, until: datetime) -> Closing | None:
        """The newest approval or refusal in [begins, until)."""
        return next((one for one in reversed(self.closings) if begins <= one.at < until), None)

    def stands(self, closing: Closing, until: datetime) -> bool:
        """Whether an approval was not taken back before `until`, or was restored."""
        after = next((one.at for one in self.closings if one.at > closing.at), until)
        end = min(after, until)
        last = max((at for at in self.taken_back if closing.at <= at < end), default=None)
        return last is None or any(last <= at < end for at in self.restored)

    def closed_at(self, moment: datetime) -> bool:
        """Whether it was closed just before `moment`."""
        ends = [one.at for one in self.closings] + self.withdrawn + self.expired
        last = max((at for at in ends if at < moment), default=None)
        return last is not None and not any(last <= desk.since < moment for desk in self.desks)


def touched_between(session: Session, begins: datetime, until: datetime) -> set[UUID]:
    """Requests that something happened to. One range of the trail by kind and time."""
    rows = session.scalars(
        select(Event.case_id)
        .where(Event.kind.in_(HAPPENS), Event.at >= begins, Event.at < until, Event.case_id.is_not(None))
        .distinct()
    )
    return {case_id for case_id in rows if case_id is not None}


def anything(session: Session, until: datetime) -> bool:
    """Whether anything happened to any request before `until`: a new system has no week to tell of."""
    found = select(Event.id).where(Event.kind.in_(HAPPENS), Event.at < until).limit(1)
    return session.scalar(found) is not None


def arrivals(session: Session, begins: datetime, until: datetime) -> dict[UUID, datetime]:
    """Customers who opened a link of the lender in [begins, until), each with the first time. Sandbox customers left out."""
    first: dict[UUID, datetime] = {}
    rows = session.execute(
        select(Event.customer_id, Event.at, Event.details)
        .where(Event.kind == "link_used", Event.at >= begins, Event.at < until)
        .order_by(Event.at, Event.id)
    )
    for customer_id, at, details in rows:
        if customer_id is not None and details.get("purpose") == "hand_over":
            first.setdefault(customer_id, at)
    for some in _chunks(first):
        for one in session.scalars(select(Customer.id).where(Customer.id.in_(some), Customer.sandbox.is_(True))):
            first.pop(one)
    return first


def opened_by(session: Session, customers: Iterable[UUID], until: datetime) -> dict[UUID, list[UUID]]:
    """Requests of these customers that were opened before `until`, oldest first."""
    found: dict[UUID, list[UUID]] = {}
    for some in _chunks(customers):
        rows = session.execute(
            select(Event.customer_id, Event.case_id)
            .where(Event.customer_id.in_(some), Event.kind == "case_opened", Event.at < until)
            .order_by(Event.customer_id, Event.at, Event.id)
        )
        for customer_id, case_id in rows:
            if customer_id is not None and case_id is not None:
                found.setdefault(customer_id, []).append(case_id)
    return found


def read(session: Session, case_ids: Iterable[UUID], *, until: datetime) -> dict[UUID, Life]:
    """Lives up to `until`, without those of sandbox customers."""
    lives: dict[UUID, Life] = {}
    for some in _chunks(case_ids):
        trial = set(
            session.scalars(
                select(Case.id)
                .join(Customer, Customer.id == Case.customer_id)
                .where(Case.id.in_(some), Customer.sandbox.is_(True))
            )
        )
        rows = session.execute(
            select(Event.case_id, Event.at, Event.kind, Event.actor_kind, Event.details)
            .where(Event.case_id.in_(some), Event.at < until, Event.kind.in_(READ))
            .order_by(Event.case_id, Event.id)
            .execution_options(yield_per=5000)
        )
        for case_id, at, kind, actor, details in rows:
            if case_id is None or case_id in trial:
                continue
            life = lives.get(case_id)
            if life is None:
                life = lives[case_id] = Life(case_id)
            _tell(life, at, kind, actor, details)
    return lives


def _tell(life: Life, at: datetime, kind: str, actor: str, details: Mapping[str, Any]) -> None:
    """Add one event to its request's life."""
    if kind in HAPPENS:
        life.moments.append(at)
    if actor == "staff" and kind in TOUCHES and (not life.touches or life.touches[-1] != at):
        life.touches.append(at)
    if kind in ("case_opened", "claim_amended"):
        life.opened = life.opened or at
        life.countries.append((at, details.get("country")))
    elif kind == "photo_kept":
        life.photos.setdefault(details["photo"], at)
    elif kind == "submitted":
        life.sends.append(at)
    elif kind == "person_asked_for":
        if details["old"] in (State.DRAFT, State.NEEDS_RETAKE):
            life.sends.append(at)
        _refer(life, at, [ReasonCode.CUSTOMER_ASKED_FOR_PERSON])
    elif kind == "run_finished":
        _run(life, at, details)
    elif kind == "referred":
        _refer(life, at, details["reasons"])
    elif kind == "appealed":
        _refer(life, at, [])
    elif kind == "approval_undone":
        life.taken_back.append(at)
        if details["new"] == State.IN_REVIEW:
            _refer(life, at, [ReasonCode.APPROVAL_UNDONE])
    elif kind in ("profile_reverted", "change_held"):
        life.taken_back.append(at)
    elif kind == "change_restored":
        life.restored.append(at)
    elif kind == "disposed":
        _answer(life, at, details)
    elif kind in ("withdrawn", "expired"):
        (life.withdrawn if kind == "withdrawn" else life.expired).append(at)
        _leave(life, at)
    elif kind == "rated":
        life.rated.append((at, ratings.CHOICES.index(details["rating"]) + 1))
    else:
        _talk(life, at, kind, actor, details)


def _run(life: Life, at: datetime, details: Mapping[str, Any]) -> None:
    life.policies.append((at, details["policy_version"]))
    if details["new"] == State.APPROVED:
        life.closings.append(
            Closing(at=at, approved=True, person=False, touched=bool(life.touches or life.desks), attempt=len(life.sends))
        )
    elif details["new"] == State.NEEDS_RETAKE:
        life.asked.append(at)
        life.reasons += [(at, code) for code in details["reasons"]]
    elif details["new"] == State.IN_REVIEW:
        _refer(life, at, details["reasons"])


def _answer(life: Life, at: datetime, details: Mapping[str, Any]) -> None:
    if life.desks:
        desk = life.desks[-1]
        desk.answered = desk.answered or at
        desk.responded = desk.responded or at
    _leave(life, at)
    if details["action"] == "ask_retake":
        life.asked.append(at)
    else:
        life.closings.append(
            Closing(at=at, approved=details["action"] == "approve", person=True, touched=True, attempt=len(life.sends))
        )
    if details["action"] != "approve":
        life.reasons += [(at, code) for code in details["reasons"]]


def _talk(life: Life, at: datetime, kind: str, actor: str, details: Mapping[str, Any]) -> None:
    """Messages and papers: what is said, and the desk's clock, which stands still while papers are waited for."""
    desk = life.desks[-1] if life.desks and life.desks[-1].left is None else None
    together = kind == "paper_asked" and bool(life.said) and life.said[-1] == at  # papers of one wish
    if kind in SAID and not together:
        life.said.append(at)
    if desk is not None and actor == "staff" and kind in TOUCHES:
        desk.responded = desk.responded or at
    if kind == "paper_asked":
        life.wanted.add(details["paper_id"])
        life.awaited = datetime.fromisoformat(details["until"])
        if desk is not None and (not desk.waits or desk.waits[-1][1] is not None):
            desk.waits.append((at, None))
        return
    if kind in ("paper_received", "paper_declined", "paper_withdrawn"):
        life.wanted.discard(details["paper_id"])
        over = not life.wanted
    else:
        over = kind == "papers_late"
    if over and desk is not None and desk.waits and desk.waits[-1][1] is None:
        end = min(at, life.awaited) if life.awaited is not None else at  # upkeep comes a little later
        desk.waits[-1] = (desk.waits[-1][0], end)


def _refer(life: Life, at: datetime, reasons: Iterable[str]) -> None:
    life.desks.append(Desk(since=at))
    life.reasons += [(at, str(code)) for code in reasons]


def _leave(life: Life, at: datetime) -> None:
    """The stay with the desk, if there is one, is over."""
    if life.desks and life.desks[-1].left is None:
        desk = life.desks[-1]
        desk.left = at
        if desk.waits and desk.waits[-1][1] is None:
            desk.waits[-1] = (desk.waits[-1][0], at)


def _chunks(ids: Iterable[UUID]) -> Iterator[list[UUID]]:
    held = sorted(ids)
    for start in range(0, len(held), CHUNK):
        yield held[start : start + CHUNK]


BOTH = (PhotoKind.DOCUMENT.value, PhotoKind.SELFIE.value)
