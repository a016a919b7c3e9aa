"""Who works here and what each role may do. The services of `cases` ask too, not only the pages."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import audit, passkeys
from cases.models import Role, Staff

PERMISSIONS: dict[Role, frozenset[str]] = {
    Role.AGENT: frozenset({"see_queue", "see_case", "see_photos", "decide", "see_own_figures", "practise"}),
    Role.SENIOR_AGENT: frozenset(
        {
            "see_queue", "see_case", "see_every_case", "see_photos", "decide", "decide_escalated", "choose_cases",
            "settle_disputes", "revert", "set_by_eye",
            "see_figures", "manage_replies", "see_own_figures", "practise", "see_rescue", "review_quality",
        }
    ),
    Role.OPS: frozenset(
        {
            "see_figures", "see_policies", "propose_policy", "confirm_policy", "stop_automation", "propose_automation",
            "confirm_automation", "propose_undo", "confirm_undo", "mend_queues", "see_retention", "see_integration",
            "see_reports",
        }
    ),
    Role.LEAD: frozenset(
        {
            "see_queue", "see_case", "see_every_case", "see_figures", "see_policies", "propose_policy", "confirm_policy",
            "stop_automation", "propose_automation", "confirm_automation", "search_audit", "manage_replies", "set_skills",
            "see_team", "reassign", "reset_practice", "see_rescue", "review_quality", "propose_undo", "confirm_undo",
            "mend_queues", "see_retention", "export_audit", "erase_people", "see_reports",
        }
    ),
    Role.AUDITOR: frozenset(
        {
            "see_figures", "see_policies", "search_audit", "verify_audit", "see_staff", "see_retention", "export_audit",
            "see_reports", "see_masked_case",
        }
    ),
    Role.ADMIN: frozenset({"see_staff", "manage_staff", "manage_keys", "see_integration", "manage_integration"}),
}  # fmt: skip
"""One line for each role. An admin makes accounts and sees no case; an auditor sees what was done, not to whom.

"see_case" opens the page of a case as far as `cases.review.kept_from` lets her: docs/decisions/0020 holds the cells against the
matrix that they come from."""


PRACTISING = frozenset({"see_queue", "see_own_figures", "practise"})
"""What is left of them while a new agent practises: the queue is codes and times; no case and no photo opens."""


class NotAllowed(Exception):
    """This member of staff may not do that. `permission` says what is missing."""

    def __init__(self, permission: str) -> None:
        super().__init__(f"needs the permission '{permission}'")
        self.permission = permission


def roles_of(staff: Staff) -> frozenset[Role]:
    """Roles held, unknown ones left out."""
    known = {role.value for role in Role}
    return frozenset(Role(name) for name in staff.roles_held if name in known)


def permissions(staff: Staff) -> frozenset[str]:
    """Everything this person may do; nothing when the account is closed."""
    if not staff.active:
        return frozenset()
    held = frozenset().union(*(PERMISSIONS[role] for role in roles_of(staff)))
    return held & PRACTISING if staff.practising else held


def may(staff: Staff, permission: str) -> bool:
    """Whether an active member of staff holds a role with this permission. Raises ValueError for an unknown one."""
    if not any(permission in held for held in PERMISSIONS.values()):
        raise ValueError(f"unknown permission: {permission}")
    return permission in permissions(staff)


def require(staff: Staff, permission: str) -> None:
    """Raises NotAllowed."""
    if not may(staff, permission):
        raise NotAllowed(permission)


def holding(session: Session, permission: str) -> list[Staff]:
    """Everybody who may do this now."""
    return [one for one in session.scalars(select(Staff).where(Staff.active).order_by(Staff.id)) if may(one, permission)]


def create(
    session: Session,
    *,
    email: str,
    name: str,
    password_hash: str | None,
    roles: Iterable[Role],
    now: datetime,
    actor: audit.Actor = audit.SYSTEM,
) -> Staff:
    """Add a member of staff. The e-mail is kept in lower case. Raises IntegrityError when it is taken."""
    held = sorted({Role(role).value for role in roles})
    staff = Staff(
        email=email.strip().lower(),
        name=name.strip(),
        password=password_hash,
        active=True,
        roles_held=held,
        fs_uniquifier=secrets.token_hex(32),
        created_at=now,
    )
    session.add(staff)
    session.flush()
    audit.record(session, "staff_added", actor=actor, now=now, staff_id=staff.id, roles=held)
    return staff


def reset(session: Session, staff: Staff, *, password_hash: str, now: datetime, actor: audit.Actor = audit.SYSTEM) -> Staff:
    """Set a new password, forget the second factor and passkeys and end every session: for who lost the phone or the password."""
    staff.password = password_hash
    staff.tf_primary_method = staff.tf_totp_secret = staff.last_totp = None
    staff.fs_uniquifier = secrets.token_hex(32)
    passkeys.forget(session, staff, actor=actor, now=now)
    audit.record(session, "staff_reset", actor=actor, now=now, staff_id=staff.id)
    return staff


def change(
    session: Session,
    staff: Staff,
    *,
    roles: Iterable[Role] | None = None,
    active: bool | None = None,
    now: datetime,
    actor: audit.Actor,
) -> Staff:
    """Set roles or close an account; either ends every session of that person."""
    if roles is not None:
        staff.roles_held = sorted({Role(role).value for role in roles})
    if active is not None:
        staff.active = active
    staff.fs_uniquifier = secrets.token_hex(32)
    audit.record(session, "staff_changed", actor=actor, now=now, staff_id=staff.id, roles=staff.roles_held, active=staff.active)
    return staff


def end_sessions(session: Session, staff: Staff, *, why: str, actor: audit.Actor, now: datetime) -> None:
    """End every session of that person with its next request. `why` is a code."""
    staff.fs_uniquifier = secrets.token_hex(32)
    audit.record(session, "staff_sessions_ended", actor=actor, now=now, staff_id=staff.id, why=why)
