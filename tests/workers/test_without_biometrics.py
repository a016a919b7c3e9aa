"""Where no machine may compare faces: real workers, real pictures, and nothing of a face but where it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from cases import by_eye, customers, intake, review
from cases.database import Database, utcnow
from cases.lifecycle import State
from cases.models import Case, Customer, Event, FaceEncoding, Role, Run
from cases.settings import Settings
from tests import factories
from tests.specimens import people
from tests.workers.system import Nursery, System, Valkey, eventually, valkey
from verification import images
from verification.evidence import Claim, Field, Measures, Profile
from verification.reasons import PhotoKind, ReasonCode

pytestmark = pytest.mark.engines

LOOKS = 120.0
"""Seconds for a real look on a busy machine."""


@pytest.fixture
def server() -> Iterator[Valkey]:
    with valkey() as running:
        yield running


def system_with(settings: Settings, server: Valkey, nursery: Nursery, **more: Any) -> System:
    """A system whose lease outlasts any look."""
    return System(settings.model_copy(update=more), server, nursery, lease=600)


def send(system: System, key: str, *, by_eye: bool | None) -> UUID:
    """Submit the request of an invented person whom the shipped policy would approve by machine."""
    now = utcnow()
    who = people.personas(now.date())["approve_marriage"]
    photos = {PhotoKind.DOCUMENT: who.document_photo(), PhotoKind.SELFIE: who.selfie_photo()}
    with system.database.transaction() as session:
        customer = customers.upsert(session, key, Profile.from_json(who.profile), email=f"{key}@host.test", locale="ru", now=now)
        jpeg, quality = images.measure_file(images.encode_jpeg(who.on_file_photo()), PhotoKind.ON_FILE)
        customers.set_face_on_file(session, customer, jpeg, quality=quality, now=now)
        case = intake.open_case(session, customer, Claim.from_json(who.claim), country=who.country, locale="ru", now=now)
        for kind, pixels in photos.items():
            clean, quality = images.measure_file(images.encode_jpeg(pixels), kind)
            intake.attach_photo(session, case.id, kind, clean, quality, now=now)
        return intake.submit(session, case.id, consent_version="test", by_eye=by_eye, now=now).id


def looked_at(system: System, case_id: UUID) -> Case:
    """The case once a worker has looked."""
    done = (State.IN_REVIEW, State.APPROVED, State.NEEDS_RETAKE)
    eventually(
        lambda: system.count(Case, Case.id == case_id, Case.state.in_(done)) == 1,
        within=LOOKS, what="a look", meanwhile=system.tend,
    )  # fmt: skip
    with system.database.reading() as session:
        return session.get_one(Case, case_id)


def called(system: System) -> set[str]:
    return {file.name.removeprefix("called-") for file in Path(system.faults).glob("called-*")}


def measures_of(system: System, case_id: UUID) -> Measures:
    with system.database.reading() as session:
        run = session.scalars(select(Run).where(Run.case_id == case_id)).one()
        assert run.measures is not None
        return Measures.from_json(run.measures)


def approve_by_eye(system: System, case_id: UUID) -> None:
    """Two people compare everything, faces too: one person's eye alone approves nothing here."""
    for number in range(2):
        with system.database.transaction() as session:
            agent = factories.a_member(session, Role.SENIOR_AGENT, now=utcnow(), name=f"Agent {number}")
            case = review.take(session, case_id, agent=agent, now=utcnow())
            given = {"action": "approve", "seen_version": case.version, "checked": frozenset(Field)}
            if number == 0:
                with pytest.raises(review.FacesNotCompared):
                    review.dispose(session, case_id, review.Disposal(**given), agent=agent, now=utcnow())
            review.dispose(session, case_id, review.Disposal(**given, faces=True), agent=agent, now=utcnow())


def test_a_deployment_without_biometrics_reads_and_compares_everything_but_faces(
    database: Database, settings: Settings, nursery: Nursery, server: Valkey
) -> None:
    """From submission to the new profile; no network that could encode a face is even loaded."""
    system = system_with(settings, server, nursery, biometrics=False)
    try:
        system.start("upkeep")
        system.start("real", options=("spied",))
        case_id = send(system, "eye-1", by_eye=None)
        case = looked_at(system, case_id)
        assert called(system) == set(), "nothing was encoded, compared or made ready for it"
        assert case.state is State.IN_REVIEW and case.reasons == ["faces_by_eye"], "all else was read and is right"
        found = measures_of(system, case_id)
        assert found.pairs == {} and found.liveness is None and ReasonCode.FACES_BY_EYE in found.problems
        assert found.document.head_size and found.selfie.head_size, "both faces were found, to be shown to people"
        assert found.agreement and min(found.agreement.values()) == 1.0 and found.mrz_valid is True
        assert not any(name.startswith(("sface", "dlib")) for name in found.engines)
        assert system.count(FaceEncoding) == 0
        assert case.consent_version == f"test{by_eye.MARK}"
        approve_by_eye(system, case_id)
        with system.database.reading() as session:
            done = session.get_one(Case, case_id)
            held = customers.current_profile(session, session.get_one(Customer, done.customer_id))[0]
            assert done.state is State.APPROVED
            assert held.values[Field.SURNAME] == intake.claim_of(session, done)[0].values[Field.SURNAME]
    finally:
        system.close()


def test_who_leaves_it_to_people_is_encoded_by_no_machine_and_who_does_not_is(
    database: Database, settings: Settings, nursery: Nursery, server: Valkey
) -> None:
    """Two customers of one worker, with faces kept for the search among accounts: of one of them only."""
    system = system_with(settings, server, nursery, face_duplicates=True)
    try:
        system.start("upkeep")
        system.start("real", options=("spied",))
        hers = send(system, "eye-2", by_eye=True)
        case = looked_at(system, hers)
        assert case.state is State.IN_REVIEW and case.reasons == ["faces_by_eye"]
        assert called(system) == {"load"} and system.count(FaceEncoding) == 0
        assert measures_of(system, hers).pairs == {}
        with system.database.reading() as session:
            said = session.scalars(select(Event).where(Event.case_id == hers, Event.kind == "consent_given")).one()
            assert said.details == {"consent_version": f"test{by_eye.MARK}", "by_eye": True, "days": 30}
        theirs = send(system, "machine-1", by_eye=None)
        looked_at(system, theirs)
        assert {"encode", "compare", "distance"} <= called(system), "the spy would have seen it"
        assert len(measures_of(system, theirs).pairs) == 3
        with system.database.reading() as session:
            assert session.scalars(select(FaceEncoding.case_id)).all() == [theirs]
            assert session.scalar(select(func.count()).where(Event.kind == "run_finished")) == 2
    finally:
        system.close()
