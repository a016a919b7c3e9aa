"""Many approvals taken back at once: two people, the exact earlier version, nothing overwritten, nothing twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError, NoResultFound, OperationalError

from cases import audit, customers, privacy, profiles, retention, undo
from cases.lifecycle import State
from cases.models import Case, Event, Notification, ProfileVersion, Role, Run
from cases.ops_tables import Undo, UndoItem
from cases.policies import Outdated, SamePerson
from cases.staff import NotAllowed
from tests import factories as a
from verification.evidence import ChangeReason, Field
from verification.policy import SHIPPED

HOUR = timedelta(hours=1)


@pytest.fixture
def people(database, now):
    with database.transaction() as session:
        return a.a_member(session, Role.OPS, now=now), a.a_member(session, Role.LEAD, now=now)


def approved(database, count, now, **about):
    with database.transaction() as session:
        return [a.an_approved(session, now=now, **about).id for _ in range(count)]


def agreed(database, people, selection, now):
    ops, lead = people
    with database.transaction() as session:
        found = undo.propose(session, selection, by=ops, reason="Policy 1 was too lenient.", now=now)
        undo.confirm(session, found.id, by=lead, now=now)
        return found.id


def profile_of(database, case_id):
    with database.reading() as session:
        return customers.current_profile(session, session.get_one(Case, case_id).customer)[0]


def test_every_approval_goes_back_to_the_exact_earlier_version_and_waits_for_a_person(database, people, now):
    cases = approved(database, 3, now)
    undo_id = agreed(database, people, undo.Selection(version=1), now + HOUR)
    assert profile_of(database, cases[0]).values[Field.SURNAME] == a.CLAIM.values[Field.SURNAME]
    assert undo.carry_out(database, now=now + HOUR) == 3
    with database.reading() as session:
        for case_id in cases:
            case = session.get_one(Case, case_id)
            version = session.get_one(ProfileVersion, case.customer.profile_version_id)
            assert (case.state, case.reasons, case.undone, version.number) == (State.IN_REVIEW, ["approval_undone"], 1, 1)
            assert case.applied_version_id is None and case.due_at is not None
        standing = undo.standing(session, undo_id)
        assert standing.outcomes == {"requeued": 3} and standing.left == 0 and standing.undo.finished_at == now + HOUR
        kinds = dict(session.execute(select(Event.kind, func.count()).group_by(Event.kind)).all())
        assert kinds["approval_undone"] == 3 and kinds["undo_proposed"] == kinds["undo_confirmed"] == kinds["undo_finished"] == 1
        assert session.scalar(select(func.count()).select_from(Notification).where(Notification.kind == "rechecked")) == 3
        assert audit.verify(session).ok
    assert profile_of(database, cases[0]) == a.PROFILE


def test_nothing_happens_before_a_second_person_has_agreed(database, people, now):
    (case_id,) = approved(database, 1, now)
    ops, lead = people
    with database.transaction() as session:
        found = undo.propose(session, undo.Selection(version=1), by=ops, reason="Wrong.", now=now)
        with pytest.raises(SamePerson):
            undo.confirm(session, found.id, by=ops, now=now)
    assert undo.carry_out(database, now=now) == 0
    with database.transaction() as session:
        undo.withdraw(session, found.id, by=lead, now=now)
        with pytest.raises(Outdated):
            undo.confirm(session, found.id, by=lead, now=now)
    assert undo.carry_out(database, now=now) == 0
    with database.reading() as session:
        assert session.get_one(Case, case_id).state is State.APPROVED


def test_the_table_too_refuses_one_person_alone(database, people, now):
    approved(database, 1, now)
    ops, _ = people
    with database.transaction() as session:
        found = undo.propose(session, undo.Selection(version=1), by=ops, reason="Wrong.", now=now)
    with pytest.raises(IntegrityError), database.transaction() as session:
        row = session.get_one(Undo, found.id)
        row.confirmed_by_id, row.confirmed_at = ops.id, now


def test_agents_may_neither_propose_nor_confirm(database, people, now):
    approved(database, 1, now)
    with database.transaction() as session:
        agent = a.a_member(session, now=now)
        with pytest.raises(NotAllowed):
            undo.propose(session, undo.Selection(version=1), by=agent, reason="Wrong.", now=now)
        found = undo.propose(session, undo.Selection(version=1), by=people[0], reason="Wrong.", now=now)
        with pytest.raises(NotAllowed):
            undo.confirm(session, found.id, by=agent, now=now)


def test_details_changed_since_are_listed_and_not_overwritten(database, people, now):
    first, _second = approved(database, 2, now)
    with database.transaction() as session:
        customer = session.get_one(Case, first).customer
        moved = replace(a.PROFILE, values={**a.PROFILE.values, Field.SURNAME: "CHANGEDBYHOST"})
        customers.upsert(session, customer.external_id, moved, email=a.OLD_EMAIL, locale="en", now=now + HOUR)
        shown = undo.preview(session, undo.Selection(version=1))
        assert (shown.count, shown.conflicts, shown.closing) == (2, 1, 0)
    undo_id = agreed(database, people, undo.Selection(version=1), now + HOUR)
    undo.carry_out(database, now=now + HOUR)
    with database.reading() as session:
        assert undo.standing(session, undo_id).outcomes == {"requeued": 1, "conflict": 1}
        assert undo.conflicts(session, undo_id) == [first]
        assert session.get_one(Case, first).state is State.APPROVED
    assert profile_of(database, first) == moved


def test_a_change_that_is_on_hold_is_left_to_who_settles_it(database, people, now):
    (case_id,) = approved(database, 1, now)
    with database.transaction() as session:
        case = session.get_one(Case, case_id)
        case.disputed_at = now
        assert profiles.hold(session, case, actor=audit.Actor.customer(case.customer), now=now)
        assert undo.preview(session, undo.Selection(version=1)).conflicts == 1
    undo_id = agreed(database, people, undo.Selection(version=1), now)
    undo.carry_out(database, now=now)
    with database.reading() as session:
        assert undo.standing(session, undo_id).outcomes == {"conflict": 1}


def test_a_customer_with_another_open_request_gets_her_details_back_and_keeps_that_one(database, people, now):
    (case_id,) = approved(database, 1, now)
    with database.transaction() as session:
        customer = session.get_one(Case, case_id).customer
        another = replace(a.CLAIM, values={**a.CLAIM.values, Field.SURNAME: "OTHERTEST"})
        other = a.a_draft(session, now=now + HOUR, customer=customer, claim=another).id
        assert undo.preview(session, undo.Selection(version=1)).closing == 1
    undo_id = agreed(database, people, undo.Selection(version=1), now + HOUR)
    undo.carry_out(database, now=now + HOUR)
    with database.reading() as session:
        assert undo.standing(session, undo_id).outcomes == {"closed": 1}
        assert session.get_one(Case, case_id).state is State.REVERTED and session.get_one(Case, other).state is State.DRAFT
    assert profile_of(database, case_id) == a.PROFILE


def test_what_people_approved_or_put_back_is_left_alone(database, people, now):
    with database.transaction() as session:
        by_people = a.approved_by_people(session, a.an_in_review(session, now=now), now=now).id
        put_back = a.a_reverted(session, now=now).id
    (machines,) = approved(database, 1, now)
    with database.reading() as session:
        assert undo.preview(session, undo.Selection(version=1)).count == 1
    agreed(database, people, undo.Selection(version=1), now)
    undo.carry_out(database, now=now)
    with database.reading() as session:
        states = [session.get_one(Case, case_id).state for case_id in (by_people, put_back, machines)]
    assert states == [State.APPROVED, State.REVERTED, State.IN_REVIEW]


def test_what_somebody_put_back_meanwhile_is_gone(database, people, now):
    (case_id,) = approved(database, 1, now)
    undo_id = agreed(database, people, undo.Selection(version=1), now)
    with database.transaction() as session:
        senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
        profiles.revert(session, case_id, actor=audit.Actor.staff(senior), reason="By phone.", now=now)
    undo.carry_out(database, now=now)
    with database.reading() as session:
        assert undo.standing(session, undo_id).outcomes == {"gone": 1}


def test_it_goes_on_where_it_stopped_and_does_nothing_twice(database, people, now, monkeypatch):
    monkeypatch.setattr(undo, "BATCH", 2)
    approved(database, 5, now)
    undo_id = agreed(database, people, undo.Selection(version=1), now)
    assert undo.carry_out(database, now=now, most=2) == 2
    real, calls = profiles.take_back, []

    def dies_at_the_second(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise SystemExit("the machine went away")
        return real(*args, **kwargs)

    monkeypatch.setattr(profiles, "take_back", dies_at_the_second)
    with pytest.raises(SystemExit):
        undo.carry_out(database, now=now)
    monkeypatch.setattr(profiles, "take_back", real)
    with database.reading() as session:
        assert undo.standing(session, undo_id).left == 3
    assert undo.carry_out(database, now=now) == 3 and undo.carry_out(database, now=now) == 0
    with database.reading() as session:
        assert undo.standing(session, undo_id).outcomes == {"requeued": 5}
        assert session.scalar(select(func.count()).select_from(Event).where(Event.kind == "approval_undone")) == 5
        assert session.scalar(select(func.count()).select_from(UndoItem).where(UndoItem.outcome.is_(None))) == 0


@pytest.mark.parametrize(
    ("selection", "count"),
    [
        (undo.Selection(version=1), 2),
        (undo.Selection(version=7), 0),
        (undo.Selection(country="UTO"), 2),
        (undo.Selection(country="RUS"), 0),
        (undo.Selection(change_reason=ChangeReason.MARRIAGE), 2),
        (undo.Selection(change_reason=ChangeReason.DIVORCE), 0),
    ],
)
def test_approvals_are_chosen_by_what_they_were(database, now, selection, count):
    approved(database, 2, now)
    with database.reading() as session:
        assert undo.preview(session, selection).count == count
    assert undo.Selection.from_json(selection.to_json()) == selection


def test_approvals_are_chosen_by_time(database, people, now):
    approved(database, 1, now)
    approved(database, 2, now + HOUR)
    with database.transaction() as session:
        after = undo.preview(session, undo.Selection(since=now + HOUR))
        assert (after.count, after.first, after.last) == (2, now + HOUR, now + HOUR)
        assert undo.preview(session, undo.Selection(until=now + HOUR)).count == 1
        assert after.by_version == ((1, 2),) and after.by_country == (("UTO", 2),)
        with pytest.raises(undo.NothingToUndo):
            undo.preview(session, undo.Selection())
        with pytest.raises(undo.NothingToUndo):
            undo.propose(session, undo.Selection(version=9), by=people[0], reason="Wrong.", now=now)
        with pytest.raises(ValueError, match="reason"):
            undo.propose(session, undo.Selection(version=1), by=people[0], reason=" ", now=now)
        with pytest.raises(NoResultFound):
            undo.standing(session, people[0].id)


def test_only_approvals_of_that_policy_go_back(database, people, now):
    ops, _ = people
    (before,) = approved(database, 1, now)
    with database.transaction() as session:
        tighter = replace(SHIPPED, min_selfie_document=7.5)
        version = a.proposed(session, tighter, by=ops, now=now).version
    (after,) = approved(database, 1, now + HOUR)
    agreed(database, people, undo.Selection(version=version), now + HOUR)
    undo.carry_out(database, now=now + HOUR)
    with database.reading() as session:
        assert session.get_one(Case, before).state is State.APPROVED and session.get_one(Case, after).state is State.IN_REVIEW
        assert session.scalars(select(Run.policy_version).where(Run.case_id == after)).one() == version


def test_a_person_may_approve_it_again_and_then_it_is_hers(database, people, now):
    (case_id,) = approved(database, 1, now)
    agreed(database, people, undo.Selection(version=1), now)
    undo.carry_out(database, now=now)
    with database.transaction() as session:
        case = a.approved_by_people(session, session.get_one(Case, case_id), now=now + HOUR)
        assert case.state is State.APPROVED
        made = session.scalars(select(ProfileVersion.application).where(ProfileVersion.case_id == case_id)).all()
        assert sorted(made) == [1, 2]
        assert undo.preview(session, undo.Selection(version=1)).count == 0, "a person approved it by now"
    assert profile_of(database, case_id).values[Field.SURNAME] == a.CLAIM.values[Field.SURNAME]


def test_who_slips_away_after_it_is_watched(database, people, now):
    from cases import intake

    (case_id,) = approved(database, 1, now)
    agreed(database, people, undo.Selection(version=1), now)
    undo.carry_out(database, now=now)
    with database.transaction() as session:
        case = intake.withdraw(session, case_id, now=now + HOUR)
        assert customers.under_watch(session, case.customer_id, now=now + HOUR)


def test_where_nothing_is_left_to_look_at_the_details_go_back_and_the_customer_is_told(database, people, now):
    (case_id,) = approved(database, 1, now)
    later = now + timedelta(days=40)
    with database.transaction() as session:
        assert retention.shred_due(session, now=later)
        assert undo.preview(session, undo.Selection(version=1)).closing == 1
    agreed(database, people, undo.Selection(version=1), later)
    undo.carry_out(database, now=later)
    with database.reading() as session:
        assert session.get_one(Case, case_id).state is State.REVERTED
        assert session.scalar(select(func.count()).select_from(Notification).where(Notification.kind == "reverted")) == 1
    assert profile_of(database, case_id) == a.PROFILE


def moved_on_by_the_host(session, case_id, now):
    customer = session.get_one(Case, case_id).customer
    moved = replace(a.PROFILE, values={**a.PROFILE.values, Field.SURNAME: "CHANGEDBYHOST"})
    customers.upsert(session, customer.external_id, moved, email=a.OLD_EMAIL, locale="en", now=now)


def approved_twice(database, now):
    """One customer, two approvals of the machine, the older first."""
    with database.transaction() as session:
        first = a.an_approved(session, now=now)
        again = replace(a.CLAIM, values={**a.CLAIM.values, Field.SURNAME: "SECONDTEST"})
        return first.id, a.an_approved(session, now=now + HOUR, customer=first.customer, claim=again).id


def erased(database, case_id, now):
    with database.transaction() as session:
        customer_id = session.get_one(Case, case_id).customer_id
        privacy.erase(session, customer_id, reason="order", actor=audit.HOST, now=now)
        assert session.get_one(Case, case_id).customer.data_key.wrapped is None
    return customer_id


def told(database, kind, **details):
    with database.reading() as session:
        rows = session.scalars(select(Event).where(Event.kind == kind).order_by(Event.id)).all()
        return [row for row in rows if details.items() <= row.details.items()]


def test_an_erased_person_stops_nobody_and_is_not_written_to(database, people, now):
    cases = approved(database, 3, now)
    undo_id = agreed(database, people, undo.Selection(version=1), now)
    customer_id = erased(database, cases[1], now)
    with database.reading() as session:
        seen = undo.preview_of(session, undo_id)
        assert (seen.count, seen.closing, seen.erased, seen.conflicts, seen.gone) == (3, 1, 1, 0, 0)
        mails = select(func.count()).select_from(Notification).where(Notification.customer_id == customer_id)
        before = session.scalar(mails)
    assert undo.carry_out(database, now=now + HOUR) == 3
    with database.reading() as session:
        standing = undo.standing(session, undo_id)
        assert standing.outcomes == {"requeued": 2, "erased": 1} and standing.undo.finished_at is not None
        case = session.get_one(Case, cases[1])
        assert case.state is State.REVERTED and case.customer.profile_version_id == case.prior_version_id
        assert session.scalar(mails) == before, "there is nobody to write to"
        assert [one.case_id for one in undo.ended(session, undo_id, "erased")] == [cases[1]]
        assert audit.verify(session).ok
    assert [event.case_id for event in told(database, "approval_undone", new="reverted")] == [cases[1]]


@pytest.fixture
def stubborn(monkeypatch):
    """Give it a case: to take that one back raises, with a name in what it says."""
    cases = set()
    real = profiles.take_back

    def take_back(session, case, **about):
        if case.id in cases:
            raise ValueError(f"of {a.CLAIM.values[Field.SURNAME]}")
        return real(session, case, **about)

    monkeypatch.setattr(profiles, "take_back", take_back)
    return cases


def test_a_case_that_raises_is_listed_and_stops_neither_the_rest_nor_a_later_undo(database, people, now, stubborn, monkeypatch):
    monkeypatch.setattr(undo, "BATCH", 3)
    cases = approved(database, 5, now)
    stubborn.add(cases[2])
    undo_id = agreed(database, people, undo.Selection(version=1), now)
    (late,) = approved(database, 1, now + HOUR)
    later = agreed(database, people, undo.Selection(since=now + HOUR), now + HOUR)
    assert undo.carry_out(database, now=now + HOUR) == 6
    with database.reading() as session:
        standing = undo.standing(session, undo_id)
        assert standing.outcomes == {"requeued": 4, "failed": 1} and standing.undo.finished_at is not None and not standing.left
        assert undo.ended(session, undo_id, "failed") == [undo.Ended(case_id=cases[2], code="ValueError")]
        assert undo.standing(session, later).outcomes == {"requeued": 1}
        assert session.get_one(Case, cases[2]).state is State.APPROVED
        assert session.get_one(Case, late).state is State.IN_REVIEW
        assert audit.verify(session).ok
    assert profile_of(database, cases[2]).values[Field.SURNAME] == a.CLAIM.values[Field.SURNAME]
    (why,) = told(database, "approval_not_undone")
    assert (why.case_id, why.details) == (cases[2], {"undo_id": str(undo_id), "outcome": "failed", "code": "ValueError"})
    (over,) = told(database, "undo_finished", undo_id=str(undo_id))
    assert over.details["failed"] == 1 and over.details["requeued"] == 4


def test_what_failed_is_tried_again_by_one_of_those_who_may_confirm(database, people, now, stubborn):
    cases = approved(database, 2, now)
    stubborn.add(cases[0])
    undo_id = agreed(database, people, undo.Selection(version=1), now)
    undo.carry_out(database, now=now)
    stubborn.clear()
    with database.transaction() as session:
        with pytest.raises(NotAllowed):
            undo.try_again(session, undo_id, by=a.a_member(session, now=now), now=now)
        assert undo.try_again(session, undo_id, by=people[0], now=now + HOUR) == 1
        assert undo.standing(session, undo_id).left == 1
    assert undo.carry_out(database, now=now + HOUR) == 1
    with database.transaction() as session:
        standing = undo.standing(session, undo_id)
        assert standing.outcomes == {"requeued": 2} and standing.undo.finished_at == now + HOUR
        with pytest.raises(undo.NothingToUndo):
            undo.try_again(session, undo_id, by=people[0], now=now + HOUR)
    assert [event.actor_id for event in told(database, "undo_tried_again", count=1)] == [str(people[0].id)]


def test_with_what_failed_goes_the_older_approval_that_it_stood_in_the_way_of(database, people, now, stubborn):
    first, second = approved_twice(database, now)
    stubborn.add(second)
    undo_id = agreed(database, people, undo.Selection(version=1), now + HOUR)
    undo.carry_out(database, now=now + HOUR)
    with database.transaction() as session:
        assert undo.standing(session, undo_id).outcomes == {"failed": 1, "conflict": 1}
        stubborn.clear()
        undo.try_again(session, undo_id, by=people[0], now=now + HOUR)
    undo.carry_out(database, now=now + 2 * HOUR)
    with database.reading() as session:
        assert undo.standing(session, undo_id).outcomes == {"requeued": 1, "closed": 1}
        customer = session.get_one(Case, first).customer
        assert session.get_one(ProfileVersion, customer.profile_version_id).number == 1


def test_trouble_of_the_database_is_no_case_s_fault(database, people, now, monkeypatch):
    approved(database, 2, now)
    undo_id = agreed(database, people, undo.Selection(version=1), now)

    def away(*_args, **_about):
        raise OperationalError("SELECT 1", {}, Exception("the server is gone"))

    with monkeypatch.context() as patched:
        patched.setattr(profiles, "take_back", away)
        with pytest.raises(OperationalError):
            undo.carry_out(database, now=now)
    with database.reading() as session:
        assert undo.standing(session, undo_id).left == 2
    assert undo.carry_out(database, now=now) == 2


def test_two_approvals_of_one_customer_both_go_back_the_newest_first(database, people, now, monkeypatch):
    monkeypatch.setattr(undo, "_alone", None)  # in one batch: what the first leaves behind is known to the second
    first, second = approved_twice(database, now)
    with database.reading() as session:
        seen = undo.preview(session, undo.Selection(version=1))
        assert (seen.count, seen.conflicts, seen.closing) == (2, 0, 1), "the older is closed: the newer waits by then"
    undo_id = agreed(database, people, undo.Selection(version=1), now + HOUR)
    undo.carry_out(database, now=now + 2 * HOUR)
    with database.reading() as session:
        assert undo.standing(session, undo_id).outcomes == {"requeued": 1, "closed": 1}
        states = [session.get_one(Case, case_id).state for case_id in (first, second)]
        assert states == [State.REVERTED, State.IN_REVIEW]
    assert profile_of(database, first) == a.PROFILE


@pytest.mark.parametrize("batch", [1, 50])
def test_an_older_approval_stays_where_the_newer_is_not_chosen_or_was_changed(database, people, now, monkeypatch, batch):
    monkeypatch.setattr(undo, "BATCH", batch)
    first, second = approved_twice(database, now)
    with database.transaction() as session:
        only_first = undo.preview(session, undo.Selection(until=now + HOUR))
        assert (only_first.count, only_first.conflicts, only_first.conflicting) == (1, 1, (first,))
        moved_on_by_the_host(session, first, now + HOUR)
        both = undo.preview(session, undo.Selection(version=1))
        assert (both.count, both.conflicts, both.closing, both.conflicting) == (2, 2, 0, (second, first))
        assert undo.preview(session, undo.Selection(version=1), listed=1).conflicting == (second,)
    undo_id = agreed(database, people, undo.Selection(version=1), now + HOUR)
    undo.carry_out(database, now=now + HOUR)
    with database.reading() as session:
        assert undo.standing(session, undo_id).outcomes == {"conflict": 2}


def test_the_preview_tells_exactly_what_will_become_of_each(database, people, now, settings):
    plain, moved, held, busy, gone, first = approved(database, 6, now)
    with database.transaction() as session:
        case = session.get_one(Case, first)
        another = replace(a.CLAIM, values={**a.CLAIM.values, Field.SURNAME: "SECONDTEST"})
        second = a.an_approved(session, now=now + HOUR, customer=case.customer, claim=another)
        a.a_draft(session, now=now + 2 * HOUR, customer=second.customer, claim=a.CLAIM)
        moved_on_by_the_host(session, moved, now + HOUR)
        case = session.get_one(Case, held)
        case.disputed_at = now
        profiles.hold(session, case, actor=audit.Actor.customer(case.customer), now=now)
        a.a_draft(session, now=now + HOUR, customer=session.get_one(Case, busy).customer, claim=another)
    undo_id = agreed(database, people, undo.Selection(version=1), now + HOUR)
    with database.transaction() as session:
        senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
        profiles.revert(session, gone, actor=audit.Actor.staff(senior), reason="By phone.", now=now)
    with database.reading() as session:
        seen = undo.preview_of(session, undo_id)
    assert set(seen.conflicting) == {moved, held}
    assert (seen.count, seen.conflicts, seen.closing, seen.gone) == (6, 2, 3, 1)
    undo.carry_out(database, now=now + 2 * HOUR)
    with database.reading() as session:
        found = undo.standing(session, undo_id).outcomes
        assert session.get_one(Case, plain).state is State.IN_REVIEW
    assert found == {"requeued": 1, "closed": seen.closing, "conflict": seen.conflicts, "gone": seen.gone}
    left = {str(event.case_id): event.details["outcome"] for event in told(database, "approval_not_undone")}
    assert left == {str(moved): "conflict", str(held): "conflict", str(gone): "gone"}, "each has its line in the trail"


@pytest.mark.parametrize(
    ("said", "measured", "chosen"),
    [("DEU", "D", "D"), (None, "KAZ", "KAZ"), ("RUS", None, "RUS"), ("RUS", "KAZ", "KAZ"), (None, None, None)],
)
def test_the_country_is_what_was_read_from_the_document_else_what_was_said(database, people, now, said, measured, chosen):
    with database.transaction() as session:
        case = a.an_approved(session, now=now)
        case.country = said
        run = session.scalars(select(Run).where(Run.case_id == case.id)).one()
        run.measures = {**run.measures, "country": measured}
    with database.reading() as session:
        seen = undo.preview(session, undo.Selection(version=1))
        assert seen.by_country == ((chosen or "", 1),)
        for country in ("DEU", "D", "KAZ", "RUS"):
            assert undo.preview(session, undo.Selection(country=country)).count == (country == chosen), country


def test_a_batch_of_cases_costs_few_statements(database, people, now):
    """Measured before: 23 statements for each case. One by one it would be slow on a database that is some way off."""
    approved(database, 30, now)
    agreed(database, people, undo.Selection(version=1), now)
    sent = []
    event.listen(database.engine, "after_cursor_execute", lambda *_args: sent.append(1))
    assert undo.carry_out(database, now=now) == 30
    assert len(sent) <= 45, "15 for a batch, some for the end of an undo"
