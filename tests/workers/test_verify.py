"""The job that looks at one case, called here without a queue."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import select, update

from cases import calibration, runs
from cases.database import Database, utcnow
from cases.lifecycle import State
from cases.models import Case, Event, FaceEncoding, Photo, ProfileVersion, Role, Run, RunState
from cases.photo_store import PhotoBroken
from cases.settings import Mode, Settings
from tests import factories
from tests.workers.system import ROOT, System
from verification.calibration import FaceCalibration, OwnPair, shipped
from verification.evidence import FACE_CODE, Evidence, Measures, Pair
from verification.policy import SHIPPED
from workers import faults, process, upkeep, verify


@pytest.fixture
def system(database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """No workers, no Redis, and engines that find everything good."""
    made = System(settings)
    process.use(made.settings)
    monkeypatch.setattr(
        verify.pipeline, "gather_evidence", lambda **given: factories.good_evidence(given["claim"], given["profile"])
    )
    yield made
    process.close()
    made.close()


def case(system: System, case_id: UUID) -> Case:
    with system.database.reading() as session:
        return session.get_one(Case, case_id)


def test_looking_twice_applies_once(system: System) -> None:
    case_id = system.submit(ring=False)
    assert verify.verify_case(str(case_id)) == "approved"
    assert verify.verify_case(str(case_id)) == "not waiting"
    assert system.count(Run) == 1
    assert system.count(ProfileVersion, ProfileVersion.case_id == case_id) == 1


def rated_by_the_shipped_one(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on runs find good faces, scored and rated as the shipped calibration does, and no face on file."""
    pairs = {pair: replace(m, fmr=shipped().fmr(pair, m.similarity)) for pair, m in factories.faces().items()}
    monkeypatch.setattr(
        verify.pipeline,
        "gather_evidence",
        lambda **given: factories.good_evidence(
            given["claim"],
            given["profile"],
            pairs={Pair.SELFIE_DOCUMENT: pairs[Pair.SELFIE_DOCUMENT]},
            has_face_on_file=False,
            engines=(*shipped().engines, shipped().label),
        ),
    )
    with system.database.transaction() as session:
        lead = factories.a_member(session, Role.LEAD, more=(Role.OPS,), now=utcnow())
        second = factories.a_member(session, Role.OPS, now=utcnow())
        factories.ramped(session, replace(SHIPPED, require_face_on_file=False), by=lead, second=second, now=utcnow())


def own_calibration(system: System, monkeypatch: pytest.MonkeyPatch, *, of_strangers: float) -> FaceCalibration:
    dice = random.Random(0)
    pairs = [
        OwnPair(
            pair=Pair.SELFIE_DOCUMENT, similarity=dice.gauss(11 if n < 280 else of_strangers, 1.5), same=n < 280, person=str(n)
        )
        for n in range(330)
    ]
    monkeypatch.setattr(calibration, "labelled_pairs", lambda _session: iter(pairs))
    with system.database.transaction() as session:
        return factories.calibrated(session, now=utcnow())


def measured(system: System, case_id: UUID) -> Measures:
    with system.database.reading() as session:
        document = session.scalars(select(Run.measures).where(Run.case_id == case_id)).one()
    return Measures.from_json(document)


def test_without_an_own_calibration_one_reference_goes_to_a_person_and_with_one_it_is_rated_by_it(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    rated_by_the_shipped_one(system, monkeypatch)
    first = system.submit(ring=False)
    assert verify.verify_case(str(first)) == "in_review"
    assert case(system, first).reasons == ["no_face_on_file"] and not measured(system, first).own_calibration
    own = own_calibration(system, monkeypatch, of_strangers=0.0)
    second = system.submit(ring=False)
    assert verify.verify_case(str(second)) == "approved"
    found = measured(system, second)
    assert found.own_calibration and own.label in found.engines and shipped().label not in found.engines
    assert found.pairs[Pair.SELFIE_DOCUMENT].fmr == pytest.approx(own.fmr(Pair.SELFIE_DOCUMENT, 9.0), rel=1e-3)


def test_where_own_strangers_score_higher_the_same_score_no_longer_approves(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    rated_by_the_shipped_one(system, monkeypatch)
    own_calibration(system, monkeypatch, of_strangers=4.0)
    third = system.submit(ring=False)
    assert verify.verify_case(str(third)) == "in_review"
    assert case(system, third).reasons == ["selfie_document_faces_unsure"]


def test_an_unknown_case_is_no_trouble(system: System) -> None:
    assert verify.verify_case(str(uuid4())) == "not waiting"


def test_every_photo_that_was_looked_at_is_an_event(system: System) -> None:
    verify.verify_case(str(system.submit(ring=False)))
    with system.database.reading() as session:
        opened = session.execute(select(Event.actor_kind, Event.details).where(Event.kind == "photo_opened")).all()
    assert sorted((actor, details["photo"], details["purpose"]) for actor, details in opened) == [
        ("machine", "document", "run"),
        ("machine", "on_file", "run"),
        ("machine", "selfie", "run"),
    ]


def test_no_transaction_is_open_while_it_looks(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise one slow picture would hold up every writer."""
    case_id = system.submit(ring=False)

    def look(**given: Any) -> Evidence:
        with system.database.transaction() as session:  # on SQLite this would wait for ever
            session.execute(update(Case).where(Case.id == case_id).values(locale="ru"))
        return factories.good_evidence(given["claim"], given["profile"])

    monkeypatch.setattr(verify.pipeline, "gather_evidence", look)
    assert verify.verify_case(str(case_id)) == "approved"


def test_trouble_of_an_engine_leaves_the_run_to_upkeep(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = system.submit(ring=False)

    def breaks(**_: Any) -> Evidence:
        raise RuntimeError("no model file")

    with monkeypatch.context() as broken:
        broken.setattr(verify.pipeline, "gather_evidence", breaks)
        with pytest.raises(RuntimeError):
            verify.verify_case(str(case_id))
    assert case(system, case_id).state is State.VERIFYING
    with system.database.transaction() as session:
        assert runs.recover(session, now=utcnow() + timedelta(minutes=5)) == [case_id]
    assert verify.verify_case(str(case_id)) == "approved"


def test_a_photo_that_was_tampered_with_is_never_looked_at(system: System) -> None:
    case_id = system.submit(ring=False)
    with system.database.transaction() as session:
        session.execute(update(Photo).where(Photo.case_id == case_id).values(sha256="0" * 64))
    with pytest.raises(PhotoBroken):
        verify.verify_case(str(case_id))
    assert system.count(Run, Run.state == RunState.FINISHED) == 0


def test_a_run_that_was_taken_back_writes_nothing(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = system.submit(ring=False)

    def slow(**given: Any) -> Evidence:
        with system.database.transaction() as session:
            runs.recover(session, now=utcnow() + timedelta(minutes=5))
        return factories.good_evidence(given["claim"], given["profile"])

    monkeypatch.setattr(verify.pipeline, "gather_evidence", slow)
    assert verify.verify_case(str(case_id)) == "fenced off"
    assert case(system, case_id).state is State.SUBMITTED


def test_a_child_does_not_use_its_parents_database(system: System) -> None:
    here = process.database()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"own" if process.database() is not here else b"shared")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 10) == b"own"
    assert process.database() is here


@pytest.mark.engines
def test_a_worker_with_its_models_loaded_has_one_thread_and_tells_nobody(tmp_path: Path) -> None:
    """A fork takes along the locks of threads it does not take along; and ONNX Runtime sends reports unless told not to."""
    code = (
        "import os, workers.__main__; from workers import verify; verify.load();"
        "print(len(os.listdir('/proc/self/task')), sum(len(f) for _, _, f in os.walk(os.environ['HOME'])))"
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "OPENBLAS_", "ORT_", "XDG_"))}
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**plain, "HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == ["1", "0"]


def test_faults_strike_nowhere_but_in_tests(system: System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    struck = []
    monkeypatch.setattr(faults, "_kill", lambda victim, folder: struck.append(victim))
    monkeypatch.setenv("PEREMENA_FAULT_DIR", str(tmp_path))
    faults.fault("after_begin")
    assert struck == []
    monkeypatch.setenv("PEREMENA_FAULT", "after_begin:horse,worker")
    process.use(system.settings.model_copy(update={"mode": Mode.PRODUCTION}))
    faults.fault("after_begin")
    assert struck == []
    process.use(system.settings)
    for _ in range(3):
        faults.fault("after_work")
        faults.fault("after_begin")
    assert struck == ["horse", "worker"]
    with pytest.raises(ValueError):
        faults.fault("after_lunch")


def code(seed: int) -> bytes:
    """A face's encodings as evidence carries them."""
    made = np.random.default_rng(seed).normal(size=(2, 128))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(FACE_CODE).tobytes()


def faces_are_kept(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment that looks for the same face in other accounts; every selfie shows one and the same."""
    switched = system.settings.model_copy(update={"face_duplicates": True})
    process.close()
    process.use(switched)

    def gather(**given: Any) -> Evidence:
        evidence = factories.good_evidence(given["claim"], given["profile"])
        return replace(evidence, faces=replace(evidence.faces, code=code(1)))

    monkeypatch.setattr(verify.pipeline, "gather_evidence", gather)


def face_of(system: System, case_id: UUID) -> FaceEncoding:
    with system.database.reading() as session:
        return session.get_one(FaceEncoding, case_id)


def test_the_same_face_is_searched_for_after_the_decision(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    faces_are_kept(system, monkeypatch)
    first, second = (system.submit(ring=False) for _ in range(2))
    assert [verify.verify_case(str(one)) for one in (first, second)] == ["approved", "approved"]
    assert face_of(system, first).searched == 0 and face_of(system, first).candidates == []
    assert [c["case_id"] for c in face_of(system, second).candidates] == [str(first)]


def test_a_worker_that_dies_between_decision_and_search_leaves_the_search_to_upkeep(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces_are_kept(system, monkeypatch)
    first, second = (system.submit(ring=False) for _ in range(2))
    verify.verify_case(str(first))

    def die(where: str) -> None:
        if where == "after_finish":
            raise SystemExit(9)

    monkeypatch.setattr(verify, "fault", die)
    with pytest.raises(SystemExit):
        verify.verify_case(str(second))
    assert case(system, second).state is State.APPROVED and face_of(system, second).searched_at is None
    assert upkeep.search_faces() == 0, "a worker may still be at it"
    monkeypatch.setattr(upkeep, "SEARCH_AGAIN", timedelta(0))
    assert upkeep.search_faces() == 1 and upkeep.search_faces() == 0
    assert [c["case_id"] for c in face_of(system, second).candidates] == [str(first)]
