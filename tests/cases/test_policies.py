"""Versions, four eyes, and the switch: nobody alone makes the machine more lenient."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from cases import policies, replays, switches
from cases.models import AutomationSwitch, PolicyActivation, PolicyVersion, Role
from cases.policies import NoPolicy, Outdated, SamePerson
from cases.staff import NotAllowed
from tests import factories as a
from verification.policy import SHIPPED, THRESHOLDS, Policy

MINUTE = timedelta(minutes=1)
TIGHTER = replace(SHIPPED, min_selfie_document=SHIPPED.min_selfie_document + 1)
LOOSER = replace(SHIPPED, min_selfie_document=SHIPPED.min_selfie_document - 1)


@pytest.fixture
def ops(session, now):
    return a.a_member(session, Role.OPS, now=now)


@pytest.fixture
def lead(session, now):
    return a.a_member(session, Role.LEAD, now=now)


def drafted(session, document, by, now):
    """A new version that was replayed against what holds, and looked at."""
    version = policies.draft(session, document, author=by, reason="Why not.", now=now).version
    a.seen(session, version, by=by, now=now)
    return version


def test_the_shipped_policy_holds_from_the_start(session, now):
    assert policies.current(session) == replace(SHIPPED, version=1)
    policies.install_shipped(session, now=now)
    assert session.scalar(select(func.count()).select_from(PolicyVersion)) == 1


def test_without_a_policy_nothing_is_decided(session):
    session.execute(text("DELETE FROM policy_activations"))
    with pytest.raises(NoPolicy):
        policies.current(session)


def test_a_draft_is_numbered_and_holds_nothing(session, ops, now):
    row = policies.draft(session, replace(TIGHTER, version=77), author=ops, reason="Why not.", now=now)
    assert (row.version, Policy.from_json(row.document)) == (2, replace(TIGHTER, version=2))
    assert policies.get(session, 2) == replace(TIGHTER, version=2)
    assert policies.current(session).version == 1


@pytest.mark.parametrize("document", [TIGHTER, SHIPPED])
def test_tightening_takes_one_person_and_holds_at_once(session, ops, now, document):
    activation = policies.propose(session, drafted(session, document, ops, now), by=ops, reason="Safer.", now=now + MINUTE)
    assert (activation.loosens, activation.effective_at) == (False, now + MINUTE)
    assert policies.current(session).version == 2


def test_loosening_waits_for_another_person(session, ops, lead, now):
    activation = policies.propose(session, drafted(session, LOOSER, ops, now), by=ops, reason="Kinder.", now=now)
    assert (activation.loosens, activation.effective_at) == (True, None)
    assert policies.current(session).version == 1
    with pytest.raises(SamePerson):
        policies.confirm(session, activation.id, by=ops, now=now)
    policies.confirm(session, activation.id, by=lead, now=now + MINUTE)
    assert policies.current(session).version == 1, "confirmed, it begins in shadow: see test_rollout"
    assert activation.effective_at is None and activation.confirmed_by_id == lead.id
    with pytest.raises(Outdated):
        policies.confirm(session, activation.id, by=lead, now=now + MINUTE)


def test_going_back_to_a_looser_version_is_loosening_too(session, ops, now):
    policies.propose(session, drafted(session, TIGHTER, ops, now), by=ops, reason="Safer.", now=now + MINUTE)
    with pytest.raises(replays.NotReplayed):
        policies.propose(session, 1, by=ops, reason="Back.", now=now + MINUTE)
    a.seen(session, 1, by=ops, now=now)
    assert policies.propose(session, 1, by=ops, reason="Back.", now=now + MINUTE).effective_at is None
    assert policies.current(session).version == 2


def test_small_steps_by_one_person_never_loosen(session, ops, now):
    """Two versions, each tighter somewhere than what holds: together they must not undo each other."""
    one = drafted(session, replace(SHIPPED, min_selfie_document=8.0), ops, now)
    other = drafted(session, replace(SHIPPED, min_selfie_on_file=8.0), ops, now)
    assert policies.propose(session, one, by=ops, reason="Safer.", now=now).effective_at is not None
    a.seen(session, other, by=ops, now=now)
    assert policies.propose(session, other, by=ops, reason="Safer.", now=now).effective_at is None
    assert policies.current(session).version == one


def test_what_was_proposed_against_another_policy_has_to_be_proposed_again(session, ops, lead, now):
    waiting = policies.propose(session, drafted(session, LOOSER, ops, now), by=ops, reason="Kinder.", now=now)
    policies.propose(session, drafted(session, TIGHTER, ops, now), by=ops, reason="Safer.", now=now)
    with pytest.raises(Outdated):
        policies.confirm(session, waiting.id, by=lead, now=now + MINUTE)


def test_a_withdrawn_proposal_is_not_confirmed(session, ops, lead, now):
    waiting = policies.propose(session, drafted(session, LOOSER, ops, now), by=ops, reason="Kinder.", now=now)
    policies.withdraw_proposal(session, waiting.id, by=ops, now=now)
    with pytest.raises(Outdated):
        policies.confirm(session, waiting.id, by=lead, now=now)
    with pytest.raises(Outdated):
        policies.withdraw_proposal(session, waiting.id, by=ops, now=now)


def test_a_clock_that_runs_behind_does_not_bring_an_older_policy_back(session, ops, now):
    policies.propose(session, drafted(session, TIGHTER, ops, now), by=ops, reason="Safer.", now=now + 10 * MINUTE)
    even = drafted(session, replace(TIGHTER, min_selfie_on_file=9.0), ops, now)
    policies.propose(session, even, by=ops, reason="Safer still.", now=now)
    assert policies.current(session).version == even


def test_a_reason_is_needed(session, ops, now):
    for reason in ("", "  ", "x" * 501):
        with pytest.raises(ValueError):
            policies.draft(session, TIGHTER, author=ops, reason=reason, now=now)


@pytest.mark.parametrize("role", [Role.AGENT, Role.SENIOR_AGENT, Role.AUDITOR, Role.ADMIN])
def test_others_change_no_policy(session, ops, now, role):
    version = drafted(session, LOOSER, ops, now)
    waiting = policies.propose(session, version, by=ops, reason="Kinder.", now=now)
    other = a.a_member(session, role, now=now)
    for use in (
        lambda: policies.draft(session, TIGHTER, author=other, reason="x", now=now),
        lambda: policies.propose(session, version, by=other, reason="x", now=now),
        lambda: policies.confirm(session, waiting.id, by=other, now=now),
        lambda: policies.withdraw_proposal(session, waiting.id, by=other, now=now),
        lambda: switches.to_people(session, by=other, reason="x", now=now),
        lambda: switches.propose_automation(session, by=other, reason="x", now=now),
        lambda: switches.confirm_automation(session, 1, by=other, now=now),
    ):
        with pytest.raises(NotAllowed):
            use()


def test_someone_who_left_confirms_nothing(session, ops, lead, now):
    waiting = policies.propose(session, drafted(session, LOOSER, ops, now), by=ops, reason="Kinder.", now=now)
    lead.active = False
    with pytest.raises(NotAllowed):
        policies.confirm(session, waiting.id, by=lead, now=now)


def test_the_tables_refuse_a_loosening_by_one_person(database, now):
    with database.transaction() as session:
        ops = a.a_member(session, Role.OPS, now=now)
        version = drafted(session, LOOSER, ops, now)
    row = {"version": version, "loosens": True, "reason": "x", "proposed_by_id": ops.id, "proposed_at": now, "effective_at": now}
    for change in ({}, {"confirmed_by_id": ops.id}, {"proposed_by_id": None}, {"proposed_by_id": None, "loosens": False}):
        with pytest.raises(DBAPIError), database.transaction() as session:
            session.execute(PolicyActivation.__table__.insert().values({**row, **change}))
    off = {"to_people": False, "reason": "x", "proposed_by_id": ops.id, "proposed_at": now, "effective_at": now}
    for change in ({}, {"confirmed_by_id": ops.id}):
        with pytest.raises(DBAPIError), database.transaction() as session:
            session.execute(AutomationSwitch.__table__.insert().values({**off, **change}))


def test_everything_to_people_takes_one_and_back_takes_two(session, ops, lead, now):
    assert switches.everything_to_people(session) is False
    with pytest.raises(Outdated):
        switches.propose_automation(session, by=ops, reason="Already.", now=now)
    switches.to_people(session, by=ops, reason="Attack.", now=now)
    assert switches.everything_to_people(session) is True
    back = switches.propose_automation(session, by=ops, reason="Over.", now=now)
    assert switches.everything_to_people(session) is True
    with pytest.raises(SamePerson):
        switches.confirm_automation(session, back.id, by=ops, now=now)
    switches.confirm_automation(session, back.id, by=lead, now=now)
    assert switches.everything_to_people(session) is False
    with pytest.raises(Outdated):
        switches.confirm_automation(session, back.id, by=lead, now=now)


def test_pulling_the_brake_again_closes_what_was_proposed_before(session, ops, lead, now):
    switches.to_people(session, by=ops, reason="Attack.", now=now)
    back = switches.propose_automation(session, by=ops, reason="Over.", now=now)
    switches.to_people(session, by=lead, reason="Not over.", now=now)
    with pytest.raises(Outdated):
        switches.confirm_automation(session, back.id, by=lead, now=now)
    assert switches.everything_to_people(session) is True
    again = switches.propose_automation(session, by=ops, reason="Now.", now=now)
    switches.withdraw_automation(session, again.id, by=lead, now=now)
    assert [row.pending for row in switches.switches(session)] == [False] * 4


def test_the_history_names_people_and_what_waits(session, ops, lead, now):
    version = drafted(session, LOOSER, ops, now)
    policies.propose(session, version, by=ops, reason="Kinder.", now=now)
    newest, shipped = policies.versions(session)
    assert (newest.version, newest.active, newest.author) == (2, False, ops.name)
    assert newest.pending is not None and newest.pending.proposed_by == ops.name
    assert (shipped.version, shipped.active, shipped.author, shipped.pending) == (1, True, None, None)
    policies.confirm(session, newest.pending.id, by=lead, now=now + MINUTE)
    newest, shipped = policies.versions(session)
    assert (newest.active, shipped.active, newest.activations[0].confirmed_by) == (False, True, lead.name)
    assert newest.pending is None and newest.under_way is not None


@pytest.mark.parametrize("name", THRESHOLDS)
def test_every_setting_survives_being_stored(session, ops, now, name):
    about = THRESHOLDS[name]
    value = getattr(SHIPPED, name)
    other = (not value) if isinstance(value, bool) else about.choices[:1] if about.choices else type(value)(about.high)
    row = policies.draft(session, replace(SHIPPED, **{name: other}), author=ops, reason="Other.", now=now)
    session.refresh(row)
    assert getattr(policies.get(session, row.version), name) == other
