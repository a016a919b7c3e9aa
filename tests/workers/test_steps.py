"""A run tells where it is while it looks, and goes on where telling fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from cases import queries, runs
from cases.database import Database
from cases.models import Run
from cases.settings import Settings
from tests import factories
from tests.conftest import NOW
from tests.workers.system import System
from verification import pipeline
from verification.evidence import ChangeReason, Claim, Step
from workers import process, verify


@pytest.fixture
def system(database: Database, settings: Settings) -> Iterator[System]:
    """No workers, no Redis."""
    made = System(settings)
    process.use(made.settings)
    yield made
    process.close()
    made.close()


def doing(system: System, case_id: UUID) -> Step | None:
    with system.database.reading() as session:
        return queries.progress(session, case_id).doing


def test_whoever_asks_meanwhile_learns_each_step_at_once(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = system.submit(ring=False)
    seen = []

    def look(**given: Any) -> Any:
        seen.append(doing(system, case_id))
        for step in (Step.PASSPORT, Step.FACES, Step.DETAILS):
            given["tell"](step)
            seen.append(doing(system, case_id))
        return factories.good_evidence(given["claim"], given["profile"])

    monkeypatch.setattr(verify.pipeline, "gather_evidence", look)
    assert verify.verify_case(str(case_id)) == "approved"
    assert seen == list(Step) and doing(system, case_id) is None


def test_a_page_that_cannot_be_told_stops_no_run(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(**given: Any) -> Any:
        given["tell"](Step.FACES)
        return factories.good_evidence(given["claim"], given["profile"])

    def busy(*_: Any, **__: Any) -> bool:
        raise OperationalError("UPDATE", {}, Exception("database is locked"))

    monkeypatch.setattr(verify.pipeline, "gather_evidence", look)
    monkeypatch.setattr(runs, "step", busy)
    assert verify.verify_case(str(system.submit(ring=False))) == "approved"


def test_the_pipeline_tells_every_step_after_the_first_in_order() -> None:
    told: list[Step] = []
    pipeline.gather_evidence(
        selfie=b"no picture",
        document=b"no picture",
        on_file=None,
        claim=Claim(reason=ChangeReason.MARRIAGE, values={}),
        profile=None,
        on=NOW.date(),
        isolate=False,
        tell=told.append,
    )
    assert told == list(Step)[1:]


def test_the_seconds_of_a_run_are_told_apart_by_step(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.5, 2.0, 2.25, 3.0])
    case_id = system.submit(ring=False)

    def look(**given: Any) -> Any:
        for step in (Step.PASSPORT, Step.FACES, Step.DETAILS):
            given["tell"](step)
        return factories.good_evidence(given["claim"], given["profile"])

    monkeypatch.setattr(verify.pipeline, "gather_evidence", look)
    monkeypatch.setattr(verify.time, "monotonic", lambda: next(clock))
    assert verify.verify_case(str(case_id)) == "approved"
    with system.database.reading() as session:
        run = session.scalars(select(Run).where(Run.case_id == case_id)).one()
        assert run.step_seconds == {"photos": 0.5, "passport": 1.5, "faces": 0.25, "details": 0.75} and run.seconds == 3.0
