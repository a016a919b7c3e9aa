"""Many at once: threads with connections of their own, on the database the suite runs on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from cases import answers, audit, customers, intake, policies, profiles, review, runs, throttles
from cases.database import Database
from cases.desk_tables import Answer
from cases.intake import AlreadyOpen
from cases.lifecycle import IllegalTransition, State
from cases.models import Case, Customer, Disposition, Event, Notification, PolicyVersion, ProfileVersion, Role, Run, Staff
from cases.review import Disposal, StalePage, TakenBy
from tests import factories as a
from verification.policy import SHIPPED


def together(database: Database, count: int, act: Callable) -> Counter:
    """Run `act(session, number)` in `count` threads at the same moment; what came of each, or its exception's name."""
    start = threading.Barrier(count)
    results: list[str] = []

    def one(number: int) -> None:
        start.wait()
        try:
            with database.transaction() as session:
                results.append(str(act(session, number)))
        except Exception as error:
            results.append(type(error).__name__)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return Counter(results)


def whole(database: Database) -> None:
    """The trail is in order, and no case was applied twice."""
    with database.reading() as session:
        assert audit.verify(session).ok
        per_case = session.execute(
            select(func.count()).where(ProfileVersion.case_id.is_not(None)).group_by(ProfileVersion.case_id)
        ).scalars()
        assert set(per_case) <= {1}


def test_of_twenty_answers_to_one_case_exactly_one_wins(database, now):
    with database.transaction() as session:
        agent = a.a_member(session, now=now)
        case = review.take(session, a.an_in_review(session, now=now).id, agent=agent, now=now)
        case_id, agent_id, seen = case.id, agent.id, case.version

    def dispose(session, number):
        action = "approve" if number % 2 else "reject"
        disposal = Disposal(action=action, reasons=(a.ReasonCode.ZONES_DISAGREE,), note="Looked.", seen_version=seen)
        review.dispose(session, case_id, disposal, agent=session.get_one(Staff, agent_id), now=now)
        return "won"

    assert together(database, 20, dispose) == {"won": 1, StalePage.__name__: 19}
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Disposition)) == 1
        assert session.get_one(Case, case_id).state in (State.APPROVED, State.REJECTED)
        assert session.scalar(select(func.count()).where(Event.kind == "disposed")) == 1
    whole(database)


def risky(session, now):
    """A case whose approval takes two people."""
    return a.an_in_review(session, now=now, evidence=a.with_measures(a.good_evidence(), pairs=a.faces(selfie_document=1.0)))


@pytest.fixture
def waiting(database, settings):
    """The same database, with 20 seconds to take an answer back."""
    opened = Database.open(settings.model_copy(update={"undo_seconds": 20}))
    yield opened
    opened.dispose()


def test_of_fifty_threads_of_two_agents_exactly_one_decision_comes(waiting, now):
    """Each tries to take the case and to answer it, some to take their answer back, while upkeep comes by all the time."""
    with waiting.transaction() as session:
        case_id = a.an_in_review(session, now=now).id
        agents = [a.a_member(session, now=now).id for _ in range(2)]
    later = now + timedelta(seconds=20)

    def act(session, number):
        agent = session.get_one(Staff, agents[number % 2])
        if number % 5 == 4:
            for one in answers.due(session, now=later):
                answers.carry_out(session, one, now=later)
            return "upkeep"
        case = review.take(session, case_id, agent=agent, now=now)
        action = ("approve", "reject", "ask_retake")[number % 3]
        disposal = Disposal(
            action=action,
            reasons=(a.ReasonCode.ZONES_DISAGREE,),
            retake=frozenset({a.PhotoKind.SELFIE}),
            note="Looked.",
            seen_version=case.version,
        )
        answers.give(session, case_id, disposal, agent=agent, now=now)
        return "answered"

    results = together(waiting, 50, act)
    assert results["answered"] == 1 and results["upkeep"] == 10, results
    assert set(results) <= {"answered", "upkeep", TakenBy.__name__, IllegalTransition.__name__}, results

    done = [answers.carry_out_due(waiting, now=later) for _ in range(2)]
    assert sum(done) <= 1
    with waiting.reading() as session:
        assert session.scalar(select(func.count()).select_from(Disposition)) == 1
        assert session.scalar(select(func.count()).select_from(Answer)) == 1
        assert session.scalar(select(func.count()).where(Event.kind == "disposed")) == 1
        assert session.get_one(Case, case_id).state in (State.APPROVED, State.REJECTED, State.NEEDS_RETAKE)
    whole(waiting)


def test_of_fifty_takings_back_and_carryings_out_one_comes_first(waiting, now):
    with waiting.transaction() as session:
        agent = a.a_member(session, now=now)
        case = review.take(session, a.an_in_review(session, now=now).id, agent=agent, now=now)
        disposal = Disposal(action="approve", note="Looked.", seen_version=case.version)
        answer_id = answers.give(session, case.id, disposal, agent=agent, now=now).id
        case_id, agent_id, before, after = case.id, agent.id, now + timedelta(seconds=19), now + timedelta(seconds=20)

    def act(session, number):
        if number % 2:
            return f"carried out {answers.carry_out(session, answer_id, now=after)}"
        answers.take_back(session, answer_id, agent=session.get_one(Staff, agent_id), now=before)
        return "taken back"

    results = together(waiting, 50, act)
    assert results["taken back"] + results["carried out True"] == 1, results
    with waiting.reading() as session:
        carried = session.get_one(Case, case_id).state is State.APPROVED
        assert carried == bool(results["carried out True"])
        assert session.scalar(select(func.count()).select_from(Disposition)) == int(carried)
        assert session.scalar(select(func.count()).where(ProfileVersion.case_id == case_id)) == int(carried)
    whole(waiting)


def test_no_threads_make_one_person_two(database, now):
    """One agent, fifty times at once: hers is the first answer, and nobody's the second."""
    with database.transaction() as session:
        case_id, agent_id = risky(session, now).id, a.a_member(session, now=now).id

    def act(session, _number):
        agent = session.get_one(Staff, agent_id)
        case = review.take(session, case_id, agent=agent, now=now)
        disposal = Disposal(action="approve", note="Looked.", seen_version=case.version)
        return answers.give(session, case_id, disposal, agent=agent, now=now).state.value

    results = together(database, 50, act)
    assert results["first"] == 1 and set(results) <= {"first", "AlreadyAnswered"}, results
    with database.reading() as session:
        assert session.get_one(Case, case_id).state is State.IN_REVIEW
        assert session.scalar(select(func.count()).select_from(Disposition)) == 0
    whole(database)


def test_many_second_people_make_one_approval(database, now):
    with database.transaction() as session:
        case = risky(session, now)
        case_id = case.id
        agents = [a.a_member(session, now=now).id for _ in range(8)]

    def act(session, number):
        agent = session.get_one(Staff, agents[number])
        case = review.take(session, case_id, agent=agent, now=now)
        disposal = Disposal(action="approve", note="Looked.", seen_version=case.version)
        return answers.give(session, case_id, disposal, agent=agent, now=now).state.value

    results = together(database, 8, act)
    assert (results["first"], results["carried_out"]) == (1, 1), results
    with database.reading() as session:
        assert session.get_one(Case, case_id).state is State.APPROVED
        assert session.scalar(select(func.count()).select_from(Disposition)) == 1
    whole(database)


def test_of_many_agents_one_takes_the_case(database, now):
    with database.transaction() as session:
        case_id = a.an_in_review(session, now=now).id
        agents = [a.a_member(session, now=now).id for _ in range(8)]

    def take(session, number):
        review.take(session, case_id, agent=session.get_one(Staff, agents[number]), now=now)
        return "took"

    assert together(database, 8, take) == {"took": 1, TakenBy.__name__: 7}


def test_take_next_gives_each_agent_another_case(database, now):
    with database.transaction() as session:
        cases = {str(a.an_in_review(session, now=now).id) for _ in range(6)}
        agents = [a.a_member(session, now=now).id for _ in range(6)]

    def take(session, number):
        found = review.take_next(session, agent=session.get_one(Staff, agents[number]), now=now)
        return found.id if found else None

    taken = together(database, 6, take)
    assert set(taken) == cases


def test_a_case_is_begun_once(database, now):
    with database.transaction() as session:
        case_id = a.a_submitted(session, now=now).id

    def begin(session, _number):
        return runs.begin(session, case_id, now=now) is not None

    assert together(database, 12, begin) == {"True": 1, "False": 11}
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Run)) == 1


def test_a_run_is_finished_once(database, now):
    with database.transaction() as session:
        order = a.begun(session, a.a_submitted(session, now=now), now=now)

    assert together(database, 12, lambda session, _: a.finished(session, order, now=now)) == {"approved": 1, "None": 11}
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Notification)) == 1
    whole(database)


def test_recovering_withdrawing_finishing_and_syncing_at_once_ends_well(database, now, settings):
    with database.transaction() as session:
        orders = [a.begun(session, a.a_submitted(session, now=now), now=now) for _ in range(4)]
        known = {order.case_id: session.get_one(Case, order.case_id).customer.external_id for order in orders}
    over = now + settings.lease

    def act(session, number):
        order = orders[number % 4]
        what = number // 4
        if what == 0:
            return a.finished(session, order, now=over)
        if what == 1:
            return len(runs.recover(session, now=over)) >= 0
        if what == 2:
            return intake.withdraw(session, order.case_id, now=over).state
        moved = a.Profile(values={**a.PROFILE.values, a.Field.SEX: "X"})
        return customers.upsert(session, known[order.case_id], moved, email=a.OLD_EMAIL, locale="en", now=over).locale

    outcomes = together(database, 16, act)
    assert set(outcomes) <= {"approved", "submitted", "None", "True", "withdrawn", "en", IllegalTransition.__name__}
    whole(database)
    with database.reading() as session:
        for case in session.scalars(select(Case)):
            running = session.scalar(select(func.count()).where(Run.case_id == case.id, Run.state == "running"))
            assert running == (case.state is State.VERIFYING)


def test_a_customer_opens_one_case_however_often_she_clicks(database, now):
    with database.transaction() as session:
        customer_id = a.a_customer(session, now=now).id

    def open_it(session, _number):
        intake.open_case(session, session.get_one(Customer, customer_id), a.CLAIM, locale="en", now=now)
        return "opened"

    assert together(database, 12, open_it) == {"opened": 1, AlreadyOpen.__name__: 11}


def test_reverting_happens_once(database, now):
    with database.transaction() as session:
        case_id = a.an_approved(session, now=now).id
        senior = audit.Actor.staff(a.a_member(session, Role.SENIOR_AGENT, now=now))

    def revert(session, _number):
        return profiles.revert(session, case_id, actor=senior, reason="x", now=now).state

    assert together(database, 8, revert) == {"reverted": 1, IllegalTransition.__name__: 7}


def test_versions_of_policies_are_numbered_without_a_gap_and_none_loosens_alone(database, now):
    with database.transaction() as session:
        ops = a.a_member(session, Role.OPS, now=now).id

    def draft_and_propose(session, number):
        by = session.get_one(Staff, ops)
        name = "min_selfie_document" if number % 2 else "min_selfie_on_file"
        row = policies.draft(session, a.replace(SHIPPED, **{name: 8.0}), author=by, reason="x", now=now)
        a.seen(session, row.version, by=by, now=now)
        return policies.propose(session, row.version, by=by, reason="x", now=now).effective_at is not None

    done = together(database, 8, draft_and_propose)
    assert done["True"] + done["False"] == 8
    with database.reading() as session:
        assert sorted(session.scalars(select(PolicyVersion.version))) == list(range(1, 10))
        held = policies.current(session)
    # All that became effective tighten the same setting: the other half would have loosened it again.
    assert (held.min_selfie_document, held.min_selfie_on_file) in (
        (8.0, SHIPPED.min_selfie_on_file),
        (SHIPPED.min_selfie_document, 8.0),
    )


def test_tries_are_counted_exactly(database, now):
    def hit(session, _number):
        return throttles.hit(session, "sign_in", "a", limit=5, window=timedelta(minutes=15), now=now)

    assert together(database, 16, hit) == {"True": 5, "False": 11}


def test_the_trail_has_one_writer_at_a_time(database, now):
    def write(session, _number):
        for _ in range(5):
            audit.record(session, "staff_signed_out", actor=audit.Actor(kind="staff", id="1"), now=now)
        return "wrote"

    assert together(database, 12, write) == {"wrote": 12}
    with database.reading() as session:
        assert audit.verify(session).count == session.scalar(select(func.max(Event.id)))
        assert session.scalar(select(func.count()).where(Event.kind == "staff_signed_out")) == 60


@pytest.mark.postgres
def test_a_reading_session_cannot_write_on_postgresql(database, now):
    if database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite does not know read-only transactions; needs TEST_DATABASE_URL")
    from sqlalchemy.exc import DBAPIError

    with pytest.raises(DBAPIError, match="read-only"), database.reading() as session:
        a.a_customer(session, now=now)
