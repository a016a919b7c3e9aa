"""Reading the audit trail: what was asked for, and the page of events that answers. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from flask_babel import gettext as _
from sqlalchemy import literal, select, tuple_
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from cases import audit
from cases.models import Event, Staff

PAGE = 100
"""Events on one page."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to look for. Everything left out means any."""

    case: UUID | None = None
    kind: str | None = None
    actor: str | None = None  # "customer", "machine", "system", "host", or the id of a member of staff
    customer: UUID | None = None  # our own number of an account, as it stands in the trail
    since: date | None = None
    until: date | None = None  # that day included
    before: int | None = None  # event number: the page further back
    case_text: str = ""
    customer_text: str = ""


@dataclass(frozen=True, kw_only=True)
class Found:
    """One page, newest first."""

    rows: list[Event]
    more: bool


def read(args: MultiDict[str, str]) -> tuple[Wanted, dict[str, str]]:
    """Return what was asked for and one sentence for each thing that makes no sense."""
    problems: dict[str, str] = {}
    numbers: dict[str, UUID | None] = {"case": None, "customer": None}
    texts = {name: args.get(name, "").strip() for name in numbers}
    wrong = {
        "case": _("That is not the number of a case. It looks like 1b4e28ba-2fa1-4d2f-883f-0016d3cca427."),
        "customer": _("That is not the number of an account in the trail. It looks like 1b4e28ba-2fa1-4d2f-883f-0016d3cca427."),
    }
    for name, text in texts.items():
        if text:
            try:
                numbers[name] = UUID(text)
            except ValueError:
                problems[name] = wrong[name]
    days: dict[str, date | None] = {"since": None, "until": None}
    for name in days:
        typed = args.get(name, "").strip()
        if typed:
            try:
                days[name] = date.fromisoformat(typed)
            except ValueError:
                problems[name] = _("Please give the day as YYYY-MM-DD.")
    kind = args.get("kind") or None
    return (
        Wanted(
            case=numbers["case"], case_text=texts["case"], customer=numbers["customer"], customer_text=texts["customer"],
            kind=kind if kind in audit.KINDS else None, actor=args.get("actor") or None,
            since=days["since"], until=days["until"], before=args.get("before", type=int),
        ),
        problems,
    )  # fmt: skip


def find(db: Session, wanted: Wanted) -> Found:
    """One page of events, newest first.

    Time and number are the key of the pages, and each filter's index has them behind it (migration 0023): whatever is asked
    for, a page reads about as many rows as it shows, and new events do not shift the pages.
    """
    query = select(Event).order_by(Event.at.desc(), Event.id.desc()).limit(PAGE + 1)
    if wanted.case:
        query = query.where(Event.case_id == wanted.case)
    if wanted.customer:
        query = query.where(Event.customer_id == wanted.customer)
    if wanted.kind:
        query = query.where(Event.kind == wanted.kind)
    if wanted.actor:
        query = query.where(
            Event.actor_kind == wanted.actor
            if wanted.actor in ("customer", "machine", "system", "host")
            else Event.actor_id == wanted.actor
        )
    if wanted.since:
        query = query.where(Event.at >= midnight(wanted.since))
    if wanted.until:
        query = query.where(Event.at < midnight(wanted.until) + timedelta(days=1))
    if wanted.before:
        at = db.scalar(select(Event.at).where(Event.id == wanted.before))
        if at is not None:
            query = query.where(tuple_(Event.at, Event.id) < tuple_(literal(at, Event.at.type), literal(wanted.before)))
    rows = list(db.scalars(query))
    db.expunge_all()
    return Found(rows=rows[:PAGE], more=len(rows) > PAGE)


def people(db: Session) -> dict[str, str]:
    """Names of staff by id, in the order of the alphabet."""
    return {str(id): name for id, name in db.execute(select(Staff.id, Staff.name).order_by(Staff.name))}


def midnight(day: date) -> datetime:
    """The beginning of a day in UTC, in which the trail's times are shown."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
