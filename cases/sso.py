"""Staff who sign in at the house's identity provider: who that is here, with which roles, and when it ends.

What the provider said was checked before (webapp.sso). Here it is weighed: a person is known by issuer and subject, never by
an address that may change hands; a first visit is tied to an account by a verified address alone. A group that stands for no
role opens nothing, and whoever lost the last such group loses her roles here as well. No token is kept.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from cases import audit, practice, staff
from cases.host_tables import StaffLink, StaffProviderSession, StaffSpent
from cases.models import Role, Staff
from cases.settings import Settings, SettingsError

SESSION_KEPT = timedelta(days=1)
"""How long it is known whose session at the provider one was: three times as long as a session here may live."""

KEPT_APART = frozenset({Role.ADMIN, Role.AUDITOR})
"""Roles that a provider gives to a person alone: who makes accounts sees no case, and who checks the work does none of it."""

NAME_LENGTH = 100
"""Letters of `Staff.name`."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a deployment says of its provider."""

    issuer: str
    roles: Mapping[str, Role]  # by group; empty: roles are given here alone
    join: bool  # make an account for who is unknown and has a group


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a checked ID token says of a person."""

    subject: str
    email: str | None
    email_verified: bool
    name: str
    groups: frozenset[str] | None  # None: the token names none at all


@dataclass(frozen=True, kw_only=True)
class Admission:
    """Who that is here, or why nobody: closed, email, unknown, other_link, no_groups, no_role, roles_apart."""

    staff_id: UUID | None
    why: str | None = None


def rules_of(settings: Settings) -> Rules:
    """Read the settings. Raises SettingsError naming what is wrong with OIDC_ROLES."""
    roles: dict[str, Role] = {}
    for part in filter(None, (p.strip() for p in settings.oidc_roles.split(";"))):
        group, _, role = (p.strip() for p in part.rpartition("="))  # names of groups may hold "=": cn=agents,dc=example
        if not group or role not in {r.value for r in Role}:
            raise SettingsError(f"OIDC_ROLES must read 'group=role;group=role' with roles of {', '.join(Role)}.")
        roles[group] = Role(role)
    return Rules(issuer=settings.oidc_issuer, roles=roles, join=settings.oidc_join)


def local_allowed(settings: Settings, email: str) -> bool:
    """Whether the owner of this work e-mail may sign in here, without the provider."""
    spared = {one.strip().lower() for one in settings.oidc_break_glass.split(",")}
    return not settings.oidc_required or email.strip().lower() in spared


def groups_in(claims: Mapping[str, Any], path: str) -> frozenset[str] | None:
    """The groups at `path` of the claims; None where there is nothing, as with a list too long for the provider to send.

    >>> sorted(groups_in({"realm_access": {"roles": ["a", "b"]}}, "realm_access.roles"))
    ['a', 'b']
    """
    found: Any = claims
    if path in claims:  # a name may hold dots itself: https://lender.example/groups
        found = claims[path]
    else:
        for step in path.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return frozenset({found})
    return frozenset(one for one in found if isinstance(one, str)) if isinstance(found, list) else None


def admit(session: Session, told: Told, *, rules: Rules, now: datetime) -> Admission:
    """Find, tie or make the person, and set her roles as her groups say. Commit also where nobody comes in."""
    held = session.get(StaffLink, key_of(rules.issuer, told.subject))
    person = _locked(session, Staff.id == held.staff_id) if held else None
    if person is None:
        email = _address(told)
        if email is None:
            return Admission(staff_id=None, why="email")
        person = _locked(session, Staff.email == email)
        if person is None and not rules.join:
            return Admission(staff_id=None, why="unknown")
        if person is not None and _links(session, person, rules.issuer):
            return Admission(staff_id=person.id, why="other_link")
    if person is not None and not person.active:
        return Admission(staff_id=person.id, why="closed")
    roles, why = _roles(told, rules)
    if why is not None:
        if held and person is not None and why != "no_groups" and person.roles_held:
            staff.change(session, person, roles=(), now=now, actor=audit.SYSTEM)
        return Admission(staff_id=person.id if person else None, why=why)
    if person is None:
        person = staff.create(
            session, email=_address(told) or "", name=_name(told), password_hash=None, roles=roles or (), now=now
        )
        _practise(session, person, frozenset(), now=now)
    elif roles is not None and roles != staff.roles_of(person):
        before = staff.roles_of(person)
        staff.change(session, person, roles=roles, now=now, actor=audit.SYSTEM)
        _practise(session, person, before, now=now)
    if held is None:
        link(session, person, issuer=rules.issuer, subject=told.subject, method="email", actor=audit.SYSTEM, now=now)
    session.execute(update(StaffLink).where(StaffLink.key == key_of(rules.issuer, told.subject)).values(used_at=now))
    return Admission(staff_id=person.id)


def link(
    session: Session, person: Staff, *, issuer: str, subject: str, method: str, actor: audit.Actor, now: datetime
) -> StaffLink:
    """From now on this subject of the provider is this person. Raises IntegrityError where either is tied already."""
    made = StaffLink(key=key_of(issuer, subject), staff_id=person.id, issuer=issuer, linked_at=now)
    session.add(made)
    session.flush()
    audit.record(session, "staff_linked", actor=actor, now=now, staff_id=person.id, method=method)
    return made


def unlink(session: Session, person: Staff, *, actor: audit.Actor, now: datetime) -> bool:
    """Forget who she is at the provider, and end her sessions; False when that was not known."""
    gone = session.execute(delete(StaffLink).where(StaffLink.staff_id == person.id)).rowcount  # type: ignore[attr-defined]
    if not gone:
        return False
    audit.record(session, "staff_unlinked", actor=actor, now=now, staff_id=person.id)
    staff.end_sessions(session, person, why="unlinked", actor=actor, now=now)
    return True


def linked(session: Session, staff_id: UUID, issuer: str) -> bool:
    """Whether she signs in at this provider."""
    found = select(StaffLink.key).where(StaffLink.staff_id == staff_id, StaffLink.issuer == issuer)
    return session.execute(found.limit(1)).first() is not None


def note_session(session: Session, *, issuer: str, sid: str, staff_id: UUID, now: datetime) -> None:
    """Remember whose session at the provider this is, and forget those of yesterday."""
    key = key_of(issuer, sid)
    session.execute(delete(StaffProviderSession).where((StaffProviderSession.key == key) | _old(now)))
    session.add(StaffProviderSession(key=key, staff_id=staff_id, began_at=now))
    session.flush()


def end_by_provider(session: Session, *, issuer: str, subject: str | None, sid: str | None, now: datetime) -> UUID | None:
    """She signed out at the provider, or was closed out there: end all her sessions here. None: nobody of ours."""
    held = session.get(StaffLink, key_of(issuer, subject)) if subject else None
    known = session.get(StaffProviderSession, key_of(issuer, sid)) if sid and held is None else None
    staff_id = held.staff_id if held else known.staff_id if known else None
    person = _locked(session, Staff.id == staff_id) if staff_id else None
    if person is None:
        return None
    staff.end_sessions(session, person, why="provider", actor=audit.SYSTEM, now=now)
    return person.id


def spend(session: Session, kind: str, text: str, *, until: datetime, now: datetime) -> bool:
    """Use up what works once; False when it was used before. `until`: when it would be refused for its age anyway."""
    session.execute(delete(StaffSpent).where(StaffSpent.until < now))
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values = insert(StaffSpent).values(key=key_of(kind, text), until=until)
    return session.execute(values.on_conflict_do_nothing().returning(StaffSpent.key)).one_or_none() is not None


def key_of(first: str, second: str) -> str:
    """One key of two texts; the length keeps "a" + "bc" and "ab" + "c" apart."""
    return hashlib.sha256(f"{len(first)}\0{first}\0{second}".encode()).hexdigest()


def _old(now: datetime) -> Any:
    return StaffProviderSession.began_at < now - SESSION_KEPT


def _locked(session: Session, which: Any) -> Staff | None:
    return session.scalars(select(Staff).where(which).with_for_update()).one_or_none()


def _links(session: Session, person: Staff, issuer: str) -> bool:
    return linked(session, person.id, issuer)


def _address(told: Told) -> str | None:
    """The verified address as it is kept here. ASCII alone: some letters become others when they are made small."""
    email = (told.email or "").strip()
    usable = told.email_verified and email.isascii() and "@" in email and len(email) <= 255
    return email.lower() if usable else None


def _name(told: Told) -> str:
    clean = "".join(c for c in unicodedata.normalize("NFC", told.name) if c.isprintable()).strip()[:NAME_LENGTH].strip()
    return clean or (_address(told) or "").partition("@")[0][:NAME_LENGTH]


def _roles(told: Told, rules: Rules) -> tuple[frozenset[Role] | None, str | None]:
    """Her roles, or None where they are given here; and why she has none."""
    if not rules.roles:
        return None, None
    if told.groups is None:
        return None, "no_groups"
    held = frozenset(rules.roles[group] for group in told.groups & rules.roles.keys())
    if not held:
        return None, "no_role"
    if held & KEPT_APART and len(held) > 1:
        return None, "roles_apart"
    return held, None


def _practise(session: Session, person: Staff, before: Iterable[Role], *, now: datetime) -> None:
    """Who becomes a support agent this way begins with practice, as anybody does."""
    roles = staff.roles_of(person)
    if practice.begins_with_practice(roles) and not {Role.AGENT, Role.SENIOR_AGENT} & set(before):
        practice.begin(session, person, actor=audit.SYSTEM, now=now)
