"""Roles and what they may do."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from cases import audit, staff
from cases.models import Role
from cases.staff import PERMISSIONS, NotAllowed
from tests import factories as a


def test_every_role_has_its_line():
    assert set(PERMISSIONS) == set(Role)


@pytest.mark.parametrize("role", Role)
def test_a_role_may_what_its_line_says_and_nothing_else(session, now, role):
    member = a.a_member(session, role, now=now)
    for permission in frozenset().union(*PERMISSIONS.values()):
        assert staff.may(member, permission) == (permission in PERMISSIONS[role])


def test_two_roles_add_up_and_a_closed_account_may_nothing(session, now):
    member = a.a_member(session, Role.AGENT, now=now, more=(Role.AUDITOR,))
    assert staff.may(member, "decide") and staff.may(member, "verify_audit")
    staff.change(session, member, active=False, now=now, actor=audit.SYSTEM)
    assert staff.permissions(member) == frozenset()
    with pytest.raises(NotAllowed):
        staff.require(member, "decide")


def test_an_unknown_permission_is_a_mistake_in_the_code(session, now):
    with pytest.raises(ValueError):
        staff.may(a.a_member(session, now=now), "decied")


def test_those_who_make_accounts_or_read_the_trail_see_no_case():
    for role in (Role.ADMIN, Role.AUDITOR, Role.OPS):
        assert not PERMISSIONS[role] & {"see_case", "see_photos", "decide", "revert"}


def test_roles_from_another_version_count_for_nothing(session, now):
    member = a.a_member(session, now=now)
    member.roles_held = ["emperor"]
    assert staff.permissions(member) == frozenset()


def test_changing_roles_ends_sessions(session, now):
    member = a.a_member(session, now=now)
    before = member.fs_uniquifier
    staff.change(session, member, roles={Role.LEAD}, now=now, actor=audit.SYSTEM)
    assert member.fs_uniquifier != before and staff.roles_of(member) == {Role.LEAD}


def test_an_address_belongs_to_one_account(database, now):
    def make(email):
        with database.transaction() as session:
            staff.create(session, email=email, name="N", password_hash=None, roles={Role.AGENT}, now=now)

    make("One@staff.test ")
    with pytest.raises(IntegrityError) as refused:
        make("one@STAFF.test")
    assert "one@staff.test" not in str(refused.value).split("DETAIL")[0]
