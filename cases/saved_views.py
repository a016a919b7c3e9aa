"""Filters of the queue that an agent keeps under a name of her own: codes only, never what she searched for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases import staff as people
from cases.desk_tables import SavedView
from cases.models import Staff

MOST = 12
"""Views of one agent: more than fit into a row of buttons are found no faster than the filters themselves."""

LENGTH = 40
"""Characters of a name: it stands on a button."""

KEPT = ("view", "reason", "change", "country", "language", "risk")
"""Names of the filters that are kept, as they stand in the address."""


class BadName(Exception):
    """Empty, or longer than LENGTH."""


class NameTaken(Exception):
    """She has a view of this name."""


class TooMany(Exception):
    """She has MOST views."""


@dataclass(frozen=True, kw_only=True)
class View:
    """One kept view."""

    id: UUID
    name: str
    filters: dict[str, str]


def of(session: Session, agent_id: UUID) -> list[View]:
    """Her views in the order in which she kept them. One query."""
    rows = session.scalars(
        select(SavedView).where(SavedView.staff_id == agent_id).order_by(SavedView.created_at, SavedView.id).limit(MOST)
    )
    return [View(id=row.id, name=row.name, filters={k: str(v) for k, v in row.filters.items() if k in KEPT}) for row in rows]


def keep(session: Session, agent: Staff, name: str, filters: Mapping[str, str], *, now: datetime) -> View:
    """Keep filters under a name. Raises BadName, NameTaken, TooMany, NotAllowed."""
    people.require(agent, "see_queue")
    _lock(session, agent)
    name = _fit(name)
    _free(session, agent, name, but=None)
    if (session.scalar(select(func.count()).where(SavedView.staff_id == agent.id)) or 0) >= MOST:
        raise TooMany
    kept = {key: filters[key] for key in KEPT if filters.get(key)}
    session.add(row := SavedView(id=uuid4(), staff_id=agent.id, name=name, filters=kept, created_at=now))
    session.flush()
    return View(id=row.id, name=name, filters=kept)


def rename(session: Session, agent: Staff, view_id: UUID, name: str) -> None:
    """Give one of her views another name. Raises BadName, NameTaken, NoResultFound where it is not hers."""
    _lock(session, agent)
    row = _hers(session, agent, view_id)
    name = _fit(name)
    _free(session, agent, name, but=row.id)
    row.name = name
    session.flush()


def forget(session: Session, agent: Staff, view_id: UUID) -> None:
    """Delete one of her views. Raises NoResultFound where it is not hers."""
    session.delete(_hers(session, agent, view_id))
    session.flush()


def _lock(session: Session, agent: Staff) -> None:
    """Two windows of hers take one after the other, so that neither passes the limit nor meets the other's name."""
    session.execute(select(Staff.id).where(Staff.id == agent.id).with_for_update(key_share=True))


def _hers(session: Session, agent: Staff, view_id: UUID) -> SavedView:
    return session.execute(select(SavedView).where(SavedView.id == view_id, SavedView.staff_id == agent.id)).scalar_one()


def _fit(name: str) -> str:
    plain = " ".join(name.split())
    if not plain or len(plain) > LENGTH:
        raise BadName
    return plain


def _free(session: Session, agent: Staff, name: str, *, but: UUID | None) -> None:
    same = session.scalar(select(SavedView.id).where(SavedView.staff_id == agent.id, SavedView.name == name))
    if same is not None and same != but:
        raise NameTaken
