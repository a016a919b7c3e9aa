"""Whatever dies, and whenever: every case that was submitted is decided once, and applied once, in bounded time.

Real processes, a real Valkey, a real database; a run's lease is 2 s. The checks at the end of each test ask the
database alone what happened, not the code that was under fire.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import func, select, update

from cases import answers, audit, customers, intake, review
from cases.database import Database, utcnow
from cases.lifecycle import State
from cases.models import Case, Customer, Event, Notification, ProfileVersion, Run, RunState
from cases.settings import Settings
from tests import factories
from tests.factories import CLAIM, PROFILE
from tests.specimens import draw, people
from tests.workers.system import Nursery, System, Valkey, eventually, valkey
from verification import images
from verification.reasons import PhotoKind
from workers import queues

LEASE = 2
CONVERGES = 240.0
"""Seconds within which everything must be over. On two idle cores it takes 3 to 6, at a load of 15 up to 35."""


@pytest.fixture
def server() -> Iterator[Valkey]:
    with valkey() as running:
        yield running


@pytest.fixture
def system(database: Database, settings: Settings, nursery: Nursery, server: Valkey) -> Iterator[System]:
    made = System(settings, server, nursery, lease=LEASE)
    try:
        yield made
    finally:
        made.close()


def all_decided(system: System, cases: list[UUID]) -> Callable[[], bool]:
    """Whether each case is approved and each message owed was sent."""

    def look() -> bool:
        with system.database.reading() as session:
            done = session.scalar(select(func.count()).where(Case.id.in_(cases), Case.state == State.APPROVED))
            owed = session.scalar(select(func.count()).select_from(Notification).where(Notification.sent_at.is_(None)))
        return done == len(cases) and owed == 0

    return look


def assert_once(database: Database, cases: list[UUID], mails: Path) -> None:
    """Each case was decided once and applied once, told once, and the trail is whole."""
    with database.reading() as session:
        runs = Counter(session.execute(select(Run.case_id, Run.attempt).where(Run.state == RunState.FINISHED)).all())
        assert runs == {(case_id, 1): 1 for case_id in cases}
        assert session.scalar(select(func.count()).where(Run.state == RunState.RUNNING)) == 0
        for case_id in cases:
            case = session.get_one(Case, case_id)
            customer = session.get_one(Customer, case.customer_id)
            versions = session.scalars(select(ProfileVersion).where(ProfileVersion.customer_id == customer.id)).all()
            assert sorted(v.number for v in versions) == [1, 2], "one version from the host, one from the case"
            assert customer.profile_version_id == case.applied_version_id
            profile, _ = customers.current_profile(session, customer)
            assert profile.values == {**PROFILE.values, **CLAIM.values}
            events = Counter(session.scalars(select(Event.kind).where(Event.case_id == case_id)))
            assert (events["submitted"], events["run_finished"], events["profile_changed"]) == (1, 1, 1)
            told = session.execute(
                select(Notification.kind, Notification.to_old_address).where(Notification.case_id == case_id)
            ).all()
            assert told and max(Counter(told).values()) == 1, "nothing is owed twice"
            assert events["notification_sent"] == len(told)
        sent = {str(one) for one in session.scalars(select(Notification.id))}
        verdict = audit.verify(session)
        assert verdict.ok, verdict.why
    assert {file.stem for file in mails.glob("*.eml")} == sent


def assert_deaths(system: System, point: str, victims: str) -> None:
    """The faults struck as ordered, and nobody outlived whom he belonged to."""
    left = {file.name for file in system.faults.iterdir()}
    assert left == {f"{point}-{number}-{victim}" for number, victim in enumerate(victims.split(","))}


@pytest.mark.parametrize("point", ["after_dequeue", "after_begin", "during_work", "after_work", "after_finish"])
def test_a_killed_horse_a_killed_worker_and_both(system: System, point: str) -> None:
    victims = "horse,worker,both"
    system.start("verify", "verify", "notify", "upkeep", fault=f"{point}:{victims}")
    cases = [system.submit() for _ in range(6)]
    eventually(all_decided(system, cases), within=CONVERGES, what="all is decided", meanwhile=system.tend)
    system.stop()
    assert_deaths(system, point, victims)
    assert system.deaths == 2, "the worker died twice; the horse alone does not take it along"
    assert_once(system.database, cases, system.mails)


def test_upkeep_killed_between_taking_back_and_ringing(system: System) -> None:
    system.start("verify", fault="after_begin:horse,horse")
    system.start("notify")
    system.start("upkeep", fault="after_recover:horse")
    cases = [system.submit() for _ in range(4)]
    eventually(all_decided(system, cases), within=CONVERGES, what="all is decided", meanwhile=system.tend)
    system.stop()
    assert system.deaths == 1
    assert_once(system.database, cases, system.mails)


@pytest.mark.parametrize("point", ["during_carry_out", "after_carry_out"])
def test_upkeep_killed_while_it_carries_out_what_agents_answered(system: System, point: str) -> None:
    """Before the transaction ends, and just after: each answer takes effect once, and is told once."""
    system.start("notify")
    given = utcnow() - timedelta(seconds=30)
    cases = []
    with system.database.transaction() as session:
        session.info = {**session.info, "settings": session.info["settings"].model_copy(update={"undo_seconds": 20})}
        agent = factories.a_member(session, now=given)
        for _ in range(4):
            case = review.take(session, factories.an_in_review(session, now=given).id, agent=agent, now=given)
            disposal = review.Disposal(action="approve", note="Looked.", seen_version=case.version)
            answers.give(session, case.id, disposal, agent=agent, now=given)
            cases.append(case.id)
    system.start("upkeep", fault=f"{point}:horse,horse")
    eventually(all_decided(system, cases), within=CONVERGES, what="all is carried out", meanwhile=system.tend)
    system.stop()
    assert system.deaths >= 1
    with system.database.reading() as session:
        for case_id in cases:
            events = Counter(session.scalars(select(Event.kind).where(Event.case_id == case_id)))
            assert (events["answer_given"], events["disposed"], events["profile_changed"]) == (1, 1, 1)
            told = session.scalars(select(Notification.kind).where(Notification.case_id == case_id)).all()
            assert sorted(told) == ["approved", "in_review"]
        verdict = audit.verify(session)
        assert verdict.ok, verdict.why


def test_the_sender_killed_between_sending_and_noting_it(system: System) -> None:
    system.start("verify", "upkeep")
    system.start("notify", fault="after_sending:horse,both")
    cases = [system.submit() for _ in range(3)]
    eventually(all_decided(system, cases), within=CONVERGES, what="all is sent", meanwhile=system.tend)
    system.stop()
    assert_deaths(system, "after_sending", "horse,both")
    assert_once(system.database, cases, system.mails)


def test_the_web_dies_between_commit_and_ring(system: System) -> None:
    """Another process submits and kills itself where it would ring."""
    for _ in range(3):
        assert system.once("web") == -9
    with system.database.reading() as session:
        cases = list(session.scalars(select(Case.id)))
    assert len(cases) == 3
    assert queues.waiting(queues.VERIFY) == set()
    system.start("verify", "notify", "upkeep")
    eventually(all_decided(system, cases), within=CONVERGES, what="all is decided", meanwhile=system.tend)
    system.stop()
    assert_once(system.database, cases, system.mails)


def test_a_horse_that_sleeps_past_its_lease_writes_nothing(system: System) -> None:
    """Frozen after its work and before its commit, as a machine that swaps or a paused container; another run takes over."""
    system.start("verify", "verify", "notify", "upkeep", fault="after_work:freeze")
    cases = [system.submit() for _ in range(3)]
    eventually(all_decided(system, cases), within=CONVERGES, what="all is decided", meanwhile=system.tend)
    os.kill(int((system.faults / "after_work-0-freeze").read_text()), signal.SIGCONT)
    eventually(lambda: "fenced off" in system.log.read_text(), within=10, what="the late one notices")
    system.stop()
    assert system.deaths == 0
    assert_once(system.database, cases, system.mails)


def test_a_worker_told_to_stop_finishes_its_case_first(system: System) -> None:
    system.start("verify", fault="after_work:freeze")
    case_id = system.submit()
    mark = system.faults / "after_work-0-freeze"
    eventually(lambda: mark.exists() and mark.read_text() != "", within=CONVERGES, what="it is at work")
    system.running[0].send_signal(signal.SIGTERM)
    system.submit()
    os.kill(int(mark.read_text()), signal.SIGCONT)
    assert system.running[0].wait(10) == 0
    with system.database.reading() as session:
        states = dict(session.execute(select(Case.id, Case.state)).all())
    assert states.pop(case_id) is State.APPROVED
    assert list(states.values()) == [State.SUBMITTED], "the next one is left to others"


def test_a_horse_stuck_in_c_is_killed_by_its_worker(system: System) -> None:
    """RQ's own alarm is a Python signal: a call into C does not hear it, and RQ waits another minute."""
    system.start("verify", options=("hurry",), fault="after_begin:deafen")
    system.start("notify", "upkeep")
    cases = [system.submit() for _ in range(2)]
    eventually(all_decided(system, cases), within=CONVERGES, what="all is decided", meanwhile=system.tend)
    assert "horse_stuck" in system.log.read_text()
    system.stop()
    assert_deaths(system, "after_begin", "deafen")
    assert_once(system.database, cases, system.mails)


def test_redis_forgets_everything(system: System, server: Valkey) -> None:
    cases = [system.submit(ring=True) for _ in range(4)]
    server.client().flushall()
    system.start("verify", "notify", "upkeep")
    cases += [system.submit(ring=True) for _ in range(4)]
    server.client().flushall()
    eventually(all_decided(system, cases), within=CONVERGES, what="all is decided", meanwhile=system.tend)
    system.stop()
    assert_once(system.database, cases, system.mails)


def test_redis_is_killed_and_comes_back_empty(system: System, server: Valkey) -> None:
    system.start("verify", "notify", "upkeep")
    cases = [system.submit(ring=True) for _ in range(3)]
    server.kill()
    cases += [system.submit() for _ in range(3)]
    eventually(
        lambda: system.count(Case, Case.state == State.APPROVED) == 6,
        within=CONVERGES,
        what="the workers do without Redis",
        meanwhile=system.tend,
    )
    server.start()
    cases += [system.submit() for _ in range(2)]
    eventually(all_decided(system, cases), within=CONVERGES, what="all is decided", meanwhile=system.tend)
    assert system.deaths == 0, "an outage kills no worker"
    assert system.stop() == [0, 0, 0], "and each of them still ends politely"
    assert_once(system.database, cases, system.mails)


@pytest.mark.engines
@pytest.mark.slow
def test_the_real_engines_are_killed_while_they_look(
    database: Database, settings: Settings, nursery: Nursery, server: Valkey
) -> None:
    """The same with real pictures: killed while a confined child decodes, twice, once with the worker."""
    today = utcnow().date()
    paper = draw.draw_td3(people.utopian(today), np.full((600, 450, 3), 128, np.uint8), country="UTO")
    nobody = np.random.default_rng(1).integers(60, 200, (1200, 900, 3)).astype(np.uint8)
    photos = {PhotoKind.DOCUMENT: images.encode_jpeg(paper.image), PhotoKind.SELFIE: images.encode_jpeg(nobody)}
    system = System(settings, server, nursery, lease=600)
    try:
        cases = []
        for _ in range(2):
            with system.database.transaction() as session:
                case = factories.a_draft(session, now=utcnow(), photos=False)
                for kind, photo in photos.items():
                    intake.attach_photo(session, case.id, kind, photo, factories.GOOD_QUALITY, now=utcnow())
                cases.append(intake.submit(session, case.id, consent_version="test", now=utcnow()).id)
        system.start("notify", "upkeep")
        system.start("real", fault="during_work:horse,both")
        eventually(lambda: len(list(system.faults.iterdir())) == 2, within=CONVERGES, what="both deaths", meanwhile=system.tend)
        with system.database.transaction() as session:  # a lease that outlasts any look, so its end is brought about here
            ended = session.execute(update(Run).where(Run.state == RunState.RUNNING).values(lease_until=utcnow()))
            assert ended.rowcount == 2
        eventually(
            lambda: system.count(Notification, Notification.sent_at.is_not(None)) == 2,
            within=CONVERGES,
            what="all is decided",
            meanwhile=system.tend,
        )
        system.stop()
        assert_deaths(system, "during_work", "horse,both")
        assert system.deaths == 1
        with system.database.reading() as session:
            for case_id in cases:
                case = session.get_one(Case, case_id)
                (run,) = session.scalars(select(Run).where(Run.case_id == case_id, Run.state == RunState.FINISHED))
                assert (case.state, run.outcome) == (State.IN_REVIEW, "refer"), "nobody's passport, and no face anywhere"
                assert {"no_face_in_selfie", "surname_differs"} <= set(run.reasons)
            assert audit.verify(session).ok
    finally:
        system.close()


def test_these_tests_bite(system: System) -> None:
    """Without taking back runs, and without ringing again, the very same deaths lose cases."""
    system.start("verify", "verify", "notify", fault="after_begin:horse,worker,both")
    system.start("upkeep", options=("norecover",))
    cases = [system.submit() for _ in range(6)]
    others = lambda: system.count(Case, Case.state == State.APPROVED) == 3  # noqa: E731
    eventually(others, within=CONVERGES, what="three of six are decided", meanwhile=system.tend)
    with pytest.raises(AssertionError, match="not within"):
        eventually(all_decided(system, cases), within=LEASE + 2, what="all is decided", meanwhile=system.tend)
    system.stop()
    assert system.count(Case, Case.state == State.VERIFYING) == 3, "one for each death"
    with pytest.raises(AssertionError):
        assert_once(system.database, cases, system.mails)
