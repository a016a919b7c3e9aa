"""The only writer of a customer's details, and the way back."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from cases import audit, customers, profiles
from cases.lifecycle import IllegalTransition, State
from cases.models import Disposition, Event, Notification, ProfileVersion, Role
from cases.profiles import OwnApproval, ProfileMovedOn
from cases.staff import NotAllowed
from tests import factories as a
from verification.evidence import ChangeReason, Claim, Field, Profile


def revert(session, case, agent, now):
    return profiles.revert(session, case.id, actor=audit.Actor.staff(agent), reason="The customer called.", now=now)


def test_only_claimed_fields_are_written_over_what_holds_now(session, now):
    """What the host system changed meanwhile stays, when an agent approves."""
    case = a.an_in_review(session, now=now)
    moved = Profile(values={**a.PROFILE.values, Field.NATIONALITY: "D", Field.SURNAME: "INTERIMTEST"})
    customers.upsert(session, case.customer.external_id, moved, email="third@example.test", locale="en", now=now)
    profiles.apply_claim(session, case, actor=audit.Actor.staff(a.a_member(session, now=now)), now=now)
    profile, email = customers.current_profile(session, case.customer)
    assert profile.values == {**moved.values, **a.CLAIM.values}
    assert email == "third@example.test"


def test_former_numbers_are_kept_newest_first_and_once(session, now):
    before = replace(a.PROFILE, earlier_numbers=("600000000", "700000001"))
    case = a.an_approved(session, now=now, customer=a.a_customer(session, now=now, profile=before))
    assert customers.current_profile(session, case.customer)[0].earlier_numbers == ("700000001", "600000000")


def test_the_same_number_is_no_former_number(session, now):
    claim = Claim(reason=ChangeReason.MARRIAGE, values={Field.SURNAME: "BERGMANTEST", Field.DOCUMENT_NUMBER: "700000001"})
    case = a.an_approved(session, now=now, claim=claim)
    assert customers.current_profile(session, case.customer)[0].earlier_numbers == ()


@pytest.mark.parametrize("state", [s for s in State if s not in (State.VERIFYING, State.IN_REVIEW)])
def test_nothing_is_applied_from_another_state(session, now, state):
    case = a.in_state(session, state, now=now)
    before = session.scalars(select(ProfileVersion.id)).all()
    with pytest.raises(IllegalTransition):
        profiles.apply_claim(session, case, actor=audit.MACHINE, now=now)
    assert session.scalars(select(ProfileVersion.id)).all() == before


def test_reverting_makes_the_exact_earlier_row_current(session, now):
    case = a.an_approved(session, now=now, new_email=a.NEW_EMAIL)
    prior, count = case.prior_version_id, len(session.scalars(select(ProfileVersion.id)).all())
    senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
    revert(session, case, senior, now)
    assert case.state is State.REVERTED
    assert case.customer.profile_version_id == prior
    assert customers.current_profile(session, case.customer) == (a.PROFILE, a.OLD_EMAIL)
    assert len(session.scalars(select(ProfileVersion.id)).all()) == count
    event = session.scalars(select(Event).where(Event.kind == "profile_reverted")).one()
    assert (event.details["from_number"], event.details["to_number"]) == (2, 1)
    told = session.scalars(select(Notification).where(Notification.kind == "reverted")).all()
    assert sorted(row.to_old_address for row in told) == [False, True]
    assert sorted(session.scalars(select(Disposition.action))) == ["approve", "revert"]


def test_a_profile_that_moved_on_is_not_reverted(session, now):
    case = a.an_approved(session, now=now)
    moved = Profile(values={**a.PROFILE.values, Field.SEX: "X"})
    customers.upsert(session, case.customer.external_id, moved, email=a.OLD_EMAIL, locale="en", now=now)
    with pytest.raises(ProfileMovedOn):
        revert(session, case, a.a_member(session, Role.SENIOR_AGENT, now=now), now)
    assert customers.current_profile(session, case.customer)[0] == moved


def test_after_reverting_the_customer_may_ask_anew_and_versions_go_on(session, now):
    case = a.a_reverted(session, now=now)
    later = now + timedelta(days=session.info["settings"].watch_days + 1)  # until then a person would decide it
    second = a.an_approved(session, now=later, customer=case.customer)
    numbers = session.scalars(
        select(ProfileVersion.number).where(ProfileVersion.customer_id == case.customer_id).order_by(ProfileVersion.number)
    ).all()
    assert numbers == [1, 2, 3]
    assert second.prior_version_id == case.prior_version_id


@pytest.mark.parametrize("role", [r for r in Role if r is not Role.SENIOR_AGENT])
def test_only_senior_agents_revert(session, now, role):
    case = a.an_approved(session, now=now)
    with pytest.raises(NotAllowed):
        revert(session, case, a.a_member(session, role, now=now), now)


def test_neither_machine_nor_customer_reverts(session, now):
    case = a.an_approved(session, now=now)
    for actor in (audit.MACHINE, audit.SYSTEM, audit.Actor.customer(case.customer)):
        with pytest.raises(NotAllowed):
            profiles.revert(session, case.id, actor=actor, reason="x", now=now)


def test_nobody_reverts_his_own_approval_unless_the_customer_disputes_it(session, now):
    from cases import review

    senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
    case = review.take(session, a.an_in_review(session, now=now).id, agent=senior, now=now)
    review.dispose(
        session, case.id, review.Disposal(action="approve", note="ok", seen_version=case.version), agent=senior, now=now
    )
    with pytest.raises(OwnApproval):
        revert(session, case, senior, now)
    case.disputed_at = now
    assert revert(session, case, senior, now).dispute_settled_at == now


def test_a_revert_needs_a_reason(session, now):
    case = a.an_approved(session, now=now)
    senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
    with pytest.raises(ValueError):
        profiles.revert(session, case.id, actor=audit.Actor.staff(senior), reason="  ", now=now)


def test_profiles_is_the_only_writer():
    """No other module makes a profile version or sets the current one."""
    for file in sorted(Path(profiles.__file__).parent.glob("*.py")):
        if file.name in ("profiles.py", "models.py"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ProfileVersion":
                pytest.fail(f"{file.name} makes a profile version")
            targets = node.targets if isinstance(node, ast.Assign) else []
            for target in targets:
                assert getattr(target, "attr", "") != "profile_version_id", f"{file.name} sets the current profile"
