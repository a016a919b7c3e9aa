"""A loosening goes live in steps: shadow, 5 %, 25 %, all; and back in one click, by one person, at any of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from cases import policies, ramps, risk, rollout, switches
from cases.models import Event, PolicyActivation, Role, Run
from cases.ops_tables import PolicyStep, PolicyTrial
from cases.policies import Outdated, SamePerson
from cases.ramps import Stage
from cases.rollout import NothingToRollBack, TooEarly
from cases.staff import NotAllowed
from tests import factories as a
from verification.decision import Outcome, decide
from verification.evidence import Measures
from verification.policy import SHIPPED, THRESHOLDS, Looser, loosens, strictest
from verification.reasons import ReasonCode

HOUR = timedelta(hours=1)
LOOSER = replace(SHIPPED, min_selfie_document=SHIPPED.min_selfie_document - 3)
MIXED = replace(LOOSER, max_attempts=1)
TIGHTER = replace(SHIPPED, min_selfie_document=SHIPPED.min_selfie_document + 1)
BETWEEN = a.faces(selfie_document=SHIPPED.min_selfie_document - 1)
"""Faces that the looser version takes and the shipped one does not."""


@pytest.fixture
def ops(session, now):
    return a.a_member(session, Role.OPS, now=now)


@pytest.fixture
def lead(session, now):
    return a.a_member(session, Role.LEAD, now=now)


@pytest.fixture
def way_up(session, ops, lead, now):
    """Returns a function that brings a loosening to a stage."""
    return lambda to, document=LOOSER: a.ramped(session, document, by=ops, second=lead, now=now, to=to)


def ran(session, now, *, approves=True):
    """One run, by faces that either version takes, or only the looser one."""
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    pairs = {} if approves else {"pairs": BETWEEN}
    a.finished(session, order, now=now, evidence=a.good_evidence(order.claim, order.profile, **pairs))
    return session.scalars(select(Run).where(Run.case_id == case.id)).one()


def everybody(monkeypatch, *, place):
    monkeypatch.setattr(ramps, "place", lambda *_: place)


def test_a_confirmed_loosening_decides_nothing_and_is_counted_in_shadow(session, way_up, now):
    activation = way_up(Stage.SHADOW)
    assert policies.current(session).version == 1 and rollout.shadow(session).version == activation.version
    like, unlike = ran(session, now), ran(session, now, approves=False)
    assert (like.outcome, unlike.outcome) == ("approve", "refer")
    assert {like.policy_version, unlike.policy_version} == {1}
    (trial,) = ramps.trials(session, activation.id)
    assert trial.flows == {(Outcome.APPROVE, Outcome.APPROVE): 1, (Outcome.REFER, Outcome.APPROVE): 1}
    assert (trial.runs, trial.differing, trial.live) == (2, 1, 0)
    assert "case_id" not in PolicyTrial.__table__.columns, "numbers, of nobody"


def test_on_the_ramp_a_share_is_decided_by_the_new_version_and_each_run_keeps_its_version(session, way_up, now, monkeypatch):
    activation = way_up(Stage.FIVE)
    everybody(monkeypatch, place=0.049)
    inside = ran(session, now, approves=False)
    assert (inside.outcome, inside.policy_version) == ("approve", activation.version)
    everybody(monkeypatch, place=0.05)
    outside = ran(session, now, approves=False)
    assert (outside.outcome, outside.policy_version) == ("refer", 1)
    (trial,) = ramps.trials(session, activation.id)
    assert trial.flows == {(Outcome.REFER, Outcome.APPROVE): 2} and (trial.live, trial.approved) == (1, 1)
    assert policies.current(session).version == 1


def test_all_of_it_holds(session, way_up, now):
    activation = way_up(Stage.FULL)
    assert policies.current(session).version == activation.version and ramps.under_way(session) is None
    assert ran(session, now, approves=False).policy_version == activation.version
    stages = session.scalars(select(PolicyStep.stage).order_by(PolicyStep.id)).all()
    assert stages == ["shadow", "five", "quarter", "full"]
    assert rollout.status(session, now=now) is None


def test_who_is_on_the_ramp_stays_on_it_and_nobody_can_tell_without_the_key():
    cases = [uuid4() for _ in range(4_000)]
    five = {c for c in cases if ramps.place("key", 7, c) < 0.05}
    quarter = {c for c in cases if ramps.place("key", 7, c) < 0.25}
    assert five < quarter and 140 <= len(five) <= 260 and 880 <= len(quarter) <= 1_120
    assert five == {c for c in cases if ramps.place("key", 7, c) < 0.05}
    assert five != {c for c in cases if ramps.place("other key", 7, c) < 0.05}
    assert five != {c for c in cases if ramps.place("key", 8, c) < 0.05}, "another ramp draws others"


def test_a_step_takes_time_and_runs(session, way_up, lead, now):
    settings = session.info["settings"].model_copy(update={"ramp_hours": 24.0, "ramp_runs": 2})
    session.info["settings"] = settings
    activation = way_up(Stage.SHADOW)
    later = now + 24 * HOUR
    step = dict(to=Stage.FIVE, by=lead)
    with pytest.raises(TooEarly) as early:
        rollout.step_up(session, activation.id, now=later, **step)
    assert (early.value.missing.hours, early.value.missing.runs) == (0, 2)
    for _ in range(2):
        ran(session, now)
    with pytest.raises(TooEarly) as early:
        rollout.step_up(session, activation.id, now=later - HOUR, **step)
    assert (early.value.missing.hours, early.value.missing.runs) == (1, 0)
    assert rollout.step_up(session, activation.id, now=later, **step).stage == "five"
    with pytest.raises(Outdated):
        rollout.step_up(session, activation.id, now=later, **step)  # the same click again
    with pytest.raises(TooEarly):
        rollout.step_up(session, activation.id, to=Stage.QUARTER, by=lead, now=later)


def test_no_step_is_left_out_and_the_proposer_takes_none(session, way_up, ops, lead, now):
    activation = way_up(Stage.SHADOW)
    session.info["settings"] = session.info["settings"].model_copy(update={"ramp_hours": 0.0, "ramp_runs": 0})
    for to in (Stage.QUARTER, Stage.FULL, Stage.SHADOW, Stage.ROLLED_BACK):
        with pytest.raises(Outdated):
            rollout.step_up(session, activation.id, to=to, by=lead, now=now)
    with pytest.raises(SamePerson):
        rollout.step_up(session, activation.id, to=Stage.FIVE, by=ops, now=now)
    for role in (Role.AGENT, Role.SENIOR_AGENT, Role.AUDITOR, Role.ADMIN):
        other = a.a_member(session, role, now=now)
        with pytest.raises(NotAllowed):
            rollout.step_up(session, activation.id, to=Stage.FIVE, by=other, now=now)
        with pytest.raises(NotAllowed):
            rollout.rollback(session, by=other, reason="No.", now=now)
    assert rollout.shadow(session) is not None


def test_nothing_moves_up_while_everything_goes_to_people_and_nothing_is_counted(session, way_up, ops, lead, now):
    activation = way_up(Stage.SHADOW)
    session.info["settings"] = session.info["settings"].model_copy(update={"ramp_hours": 0.0, "ramp_runs": 0})
    switches.to_people(session, by=ops, reason="Odd.", now=now)
    ran(session, now)
    assert ramps.trials(session, activation.id) == []
    with pytest.raises(Outdated):
        rollout.step_up(session, activation.id, to=Stage.FIVE, by=lead, now=now)


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.FIVE, Stage.QUARTER])
def test_on_the_way_up_one_person_rolls_back_at_once(session, way_up, ops, now, monkeypatch, stage):
    activation = way_up(stage)
    everybody(monkeypatch, place=0.0)
    assert rollout.rollback(session, by=ops, reason="Odd approvals.", now=now + HOUR).version == 1
    assert ran(session, now, approves=False).policy_version == 1
    assert ramps.under_way(session) is None and activation.withdrawn_at == now + HOUR
    last = rollout.steps(session, activation.version)[-1]
    assert (last.stage, last.by, last.reason) == (Stage.ROLLED_BACK, ops.name, "Odd approvals.")
    event = session.scalars(select(Event).where(Event.kind == "policy_rolled_back")).one()
    assert event.details["policy_version"] == activation.version
    with pytest.raises(NothingToRollBack):
        rollout.rollback(session, by=ops, reason="Again.", now=now + HOUR)


def test_what_holds_already_is_rolled_back_by_a_new_activation_of_the_former(session, way_up, lead, now):
    activation = way_up(Stage.FULL)
    before = session.scalar(select(func.count()).select_from(PolicyActivation))
    assert rollout.rollback(session, by=lead, reason="Odd approvals.", now=now + HOUR).version == 1
    assert policies.current(session).version == 1
    assert session.scalar(select(func.count()).select_from(PolicyActivation)) == before + 1, "nothing is deleted"
    assert session.get_one(PolicyActivation, activation.id).effective_at is not None
    with pytest.raises(NothingToRollBack):
        rollout.rollback(session, by=lead, reason="Again.", now=now + HOUR)


def test_rolling_back_never_loosens_what_the_version_had_tightened(session, way_up, lead, now):
    way_up(Stage.FULL, MIXED)
    held = rollout.rollback(session, by=lead, reason="Odd approvals.", now=now + HOUR)
    assert (held.min_selfie_document, held.max_attempts) == (SHIPPED.min_selfie_document, 1)
    assert policies.current(session) == held and loosens(SHIPPED, held) == () == loosens(MIXED, held)


def test_a_tightening_ends_what_is_on_its_way(session, way_up, ops, now):
    way_up(Stage.QUARTER)
    version = a.proposed(session, TIGHTER, by=ops, now=now + HOUR).version
    assert policies.current(session).version == version and ramps.under_way(session) is None


def test_one_version_at_a_time(session, way_up, ops, lead, now):
    way_up(Stage.SHADOW)
    other = a.proposed(session, replace(SHIPPED, max_attempts=5), by=ops, now=now)
    with pytest.raises(policies.UnderWay):
        policies.confirm(session, other.id, by=lead, now=now)


def test_what_is_under_way_is_not_withdrawn_but_rolled_back(session, way_up, ops, now):
    activation = way_up(Stage.FIVE)
    with pytest.raises(Outdated):
        policies.withdraw_proposal(session, activation.id, by=ops, now=now)


def test_a_loosening_needs_its_replay_again_after_a_rollback(session, way_up, ops, now):
    activation = way_up(Stage.FIVE)
    rollout.rollback(session, by=ops, reason="Odd.", now=now)
    assert policies.propose(session, activation.version, by=ops, reason="Again.", now=now).effective_at is None


def test_a_case_that_changes_sides_between_begin_and_finish_is_decided_by_what_holds_then(session, way_up, ops, now, monkeypatch):
    everybody(monkeypatch, place=0.0)
    way_up(Stage.FIVE)
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    assert order.policy.version == 2
    rollout.rollback(session, by=ops, reason="Odd.", now=now)
    evidence = a.good_evidence(order.claim, order.profile, pairs=BETWEEN)
    a.finished(session, order, now=now, evidence=evidence)
    run = session.scalars(select(Run)).one()
    assert (run.policy_version, run.outcome) == (1, "refer")


# Nobody alone


def test_the_tables_let_nobody_step_up_alone(database, now):
    with database.transaction() as session:
        ops, lead = a.a_member(session, Role.OPS, now=now), a.a_member(session, Role.LEAD, now=now)
        waiting = a.proposed(session, LOOSER, by=ops, now=now)
        row = {"activation_id": waiting.id, "stage": "shadow", "at": now, "reason": ""}
        mine = {"by_id": ops.id, "proposed_by_id": ops.id, "confirmed_by_id": ops.id}
        forged = {"by_id": lead.id, "proposed_by_id": ops.id, "confirmed_by_id": lead.id}  # nobody has confirmed it
    for change in (mine, forged, {**forged, "by_id": ops.id}, {**forged, "by_id": None}, {"by_id": lead.id}, {"by_id": None}):
        with pytest.raises(DBAPIError), database.transaction() as session:
            session.execute(PolicyStep.__table__.insert().values({**row, **change}))
    with database.transaction() as session:
        policies.confirm(session, waiting.id, by=lead, now=now)
    for statement in ("UPDATE policy_steps SET stage = 'full'", "DELETE FROM policy_steps"):
        with pytest.raises(DBAPIError), database.transaction() as session:
            session.execute(text(statement))
    with pytest.raises(DBAPIError), database.transaction() as session:
        session.execute(text("UPDATE policy_activations SET confirmed_by_id = NULL WHERE version = 2"))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_one_person_does_the_machine_grows_no_more_lenient(session, now, data):
    """Any walk of one person through every call that changes policies leaves nothing looser than what held."""
    with session.begin_nested() as savepoint:
        session.info["settings"] = session.info["settings"].model_copy(update={"ramp_hours": 0.0, "ramp_runs": 0})
        alone = a.a_member(session, Role.OPS, more=(Role.LEAD,), now=now)
        some = UUID(int=1)
        for number in range(data.draw(st.integers(1, 8))):
            moment = now + number * HOUR
            held = policies.current(session)
            what = data.draw(st.sampled_from(("draft", "propose", "confirm", "step", "rollback", "withdraw")))
            pick = data.draw(st.integers(1, 6))
            change = data.draw(
                st.sampled_from(
                    ({"max_attempts": 5}, {"max_attempts": 1}, {"min_selfie_document": 4.0}, {"min_selfie_document": 8.0})
                )
            )
            try:
                with session.begin_nested():
                    if what == "draft":
                        version = policies.draft(session, replace(held, **change), author=alone, reason="x", now=moment).version
                        a.seen(session, version, by=alone, now=moment)
                    elif what == "propose":
                        policies.propose(session, pick, by=alone, reason="x", now=moment)
                    elif what == "confirm":
                        policies.confirm(session, pick, by=alone, now=moment)
                    elif what == "step":
                        rollout.step_up(session, pick, to=Stage.FIVE, by=alone, now=moment)
                    elif what == "rollback":
                        rollout.rollback(session, by=alone, reason="x", now=moment)
                    else:
                        policies.withdraw_proposal(session, pick, by=alone, now=moment)
            except Exception as error:
                if isinstance(error, (AssertionError, DBAPIError)):
                    raise
            assert loosens(held, policies.for_case(session, some)) == ()
        savepoint.rollback()


# Old runs


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    similarity=st.floats(-2, 12, allow_nan=False),
    changes=st.fixed_dictionaries(
        {},
        optional={
            "min_selfie_document": st.floats(4, 9),
            "max_attempts": st.integers(1, 4),
            "require_certain": st.booleans(),
            "min_confidence": st.floats(0, 1),
        },
    ),
)
def test_an_old_run_decided_again_under_its_own_version_gives_the_same_answer(session, now, similarity, changes):
    with session.begin_nested() as savepoint:
        ops, lead = a.a_member(session, Role.OPS, now=now), a.a_member(session, Role.LEAD, now=now)
        document = replace(SHIPPED, **changes)
        if loosens(SHIPPED, document):
            a.ramped(session, document, by=ops, second=lead, now=now)
        else:
            a.proposed(session, document, by=ops, now=now)
        case = a.a_submitted(session, now=now)
        order = a.begun(session, case, now=now)
        evidence = a.good_evidence(order.claim, order.profile, pairs=a.faces(selfie_document=similarity))
        a.finished(session, order, now=now, evidence=evidence)
        run = session.scalars(select(Run).where(Run.case_id == case.id).execution_options(populate_existing=True)).one()
        session.refresh(run)
        again = decide(
            Measures.from_json(run.measures), policies.get(session, run.policy_version), attempt=run.attempt, standing=()
        )
        assert again.outcome.value == run.outcome
        assert again.reasons == tuple(ReasonCode(code) for code in run.reasons)
        savepoint.rollback()


@given(data=st.data())
@settings(deadline=None)
def test_the_strictest_of_two_lets_nothing_through_that_either_stops(data):
    def some():
        changes = {}
        for name, about in THRESHOLDS.items():
            if not data.draw(st.booleans()):
                continue
            if about.choices:
                changes[name] = tuple(c for c in about.choices if data.draw(st.booleans()))
            elif about.looser in (Looser.ON, Looser.OFF):
                changes[name] = data.draw(st.booleans())
            elif isinstance(getattr(SHIPPED, name), int):
                changes[name] = data.draw(st.integers(int(about.low), int(about.high)))
            else:
                changes[name] = data.draw(st.floats(about.low, about.high))
        return replace(SHIPPED, **changes)

    one, other = some(), some()
    both = strictest(one, other)
    assert loosens(one, both) == () == loosens(other, both)
    assert loosens(strictest(one, one), one) == () == loosens(one, strictest(one, one))


@pytest.mark.parametrize("place", [0.01, 0.9])
def test_people_weigh_a_case_by_the_tighter_of_what_holds_and_what_decides_it(session, way_up, now, monkeypatch, place):
    kinder_but_stricter_on_file = replace(LOOSER, min_selfie_on_file=SHIPPED.min_selfie_on_file + 2)
    way_up(Stage.FIVE, kinder_but_stricter_on_file)
    everybody(monkeypatch, place=place)
    careful = policies.careful_for(session, uuid4())
    assert careful.min_selfie_document == SHIPPED.min_selfie_document, "a version on trial makes nobody less careful"
    assert careful.min_selfie_on_file == SHIPPED.min_selfie_on_file + (2 if place < 0.05 else 0)
    assert not loosens(policies.current(session), careful)


def test_a_tie_to_the_account_by_a_line_on_trial_is_none(session, way_up, now, monkeypatch):
    case = a.an_in_review(
        session, now=now, evidence=a.good_evidence(pairs=a.faces(selfie_document=5.0, selfie_on_file=5.5, document_on_file=5.5))
    )
    assert "nothing_ties" in risk.judge(session, case, now=now)[1]
    way_up(Stage.FIVE, replace(SHIPPED, min_selfie_on_file=5.0, min_document_on_file=5.0))
    everybody(monkeypatch, place=0.0)
    assert policies.for_case(session, case.id).min_selfie_on_file == 5.0
    assert "nothing_ties" in risk.judge(session, case, now=now)[1]
