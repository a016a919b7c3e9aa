"""The job that looks at one case: begin, look, decide, finish."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from cases import calibration, duplicates, head_turns, runs
from cases.audit import MACHINE
from cases.database import utcnow
from cases.models import Case
from cases.photo_store import open_photo
from verification import pipeline
from verification.calibration import applied, shipped
from verification.decision import decide
from verification.evidence import Evidence, Step
from workers import faces, process, queues, trials, worker
from workers.faults import fault

log = structlog.get_logger()

T = TypeVar("T")


def load() -> None:
    """Load every network before the first fork: the horses share them, and no job waits for them.

    A deployment's own face networks lie in the folder `voices` of the data folder; see verification/faces/voices.py.
    """
    import cv2

    from verification import faces as networks

    cv2.setNumThreads(1)
    if process.settings().biometrics:
        networks.use(process.settings().data_dir / "voices")
    pipeline.load(by_eye=not process.settings().biometrics)


def serve() -> None:
    """Look at cases until a signal says stop."""
    worker.serve(queues.VERIFY)


def verify_case(case_id: str) -> str:
    """Look at one case. Safe to run twice: a case that is not waiting is left alone.

    Nothing is caught here: an unfinished run is recovered by upkeep when its lease ends. No transaction is open while
    it looks, so a slow picture holds up nobody.
    """
    database = process.database()
    fault("after_dequeue")
    with database.transaction() as session:
        order = runs.begin(session, UUID(case_id), now=utcnow())
        own = calibration.current(session)
    if order is None:
        return "not waiting"
    fault("after_begin")
    pace = Pace(time.monotonic)

    def tell(step: Step) -> None:
        pace.reach(step)
        _tell(order, step)

    selfie, document = _opened(open_photo, order.selfie), _opened(open_photo, order.document)
    on_file = _opened(open_photo, order.on_file) if order.on_file else None
    burst = _opened(head_turns.open_burst, order.head_turn) if order.head_turn else None
    evidence = _made_up(order, selfie, document) if order.trial else None
    if evidence is None:
        evidence = pipeline.gather_evidence(
            selfie=selfie,
            document=document,
            on_file=on_file,
            claim=order.claim,
            profile=order.profile,
            on=order.begun_at.date(),
            burst=burst,
            by_eye=order.by_eye,
            tell=tell,
        )
    if own is not None and not order.by_eye:
        evidence = replace(evidence, measures=applied(evidence.measures, own, shipped()))
    decision = decide(evidence.measures, order.policy, attempt=order.attempt, standing=order.standing)
    took = pace.end()
    seconds = sum(took.values())
    fault("after_work")
    with database.transaction() as session:
        state = runs.finish(session, order, evidence, decision, seconds=seconds, steps=took, now=utcnow())
        kept = state is not None and duplicates.remember(
            session, session.get_one(Case, order.case_id), evidence.faces.code, now=utcnow()
        )
    fault("after_finish")
    if kept:
        faces.search(order.case_id)
    outcome = state.value if state else "fenced off"
    log.info("looked", case=case_id, run=str(order.run_id), attempt=order.attempt, outcome=outcome, seconds=round(seconds, 3))
    return outcome


class Pace:
    """How long each step takes, from its beginning to the next one's; the first begins at once. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at = Step.PHOTOS
        self._since = clock()
        self._took: dict[Step, float] = {}

    def reach(self, step: Step) -> None:
        """The one before has ended. A step that comes again counts once more."""
        now = self._clock()
        self._took[self._at] = self._took.get(self._at, 0.0) + now - self._since
        self._at, self._since = step, now

    def end(self) -> dict[Step, float]:
        """The last one has ended: seconds by step."""
        self.reach(self._at)
        return dict(self._took)


def _opened(look: Callable[..., T], number: UUID) -> T:
    """A picture, and the event that it was opened, committed before anything is made of it.

    In a transaction of its own: the event keeps other writers waiting, and a store may take its time over the next picture.
    """
    with process.database().transaction() as session:
        return look(session, number, viewer=MACHINE, purpose="run", now=utcnow())


def _made_up(order: runs.Order, selfie: bytes, document: bytes) -> Evidence | None:
    """For a case of the sandbox: what its specimens stand for. None where it has none, and the engines look."""
    return trials.evidence(
        selfie=selfie,
        document=document,
        claim=order.claim,
        profile=order.profile,
        on=order.begun_at.date(),
        by_eye=order.by_eye,
    )


def _tell(order: runs.Order, step: Step) -> None:
    """Let the customer's page know where the run is; a page that learns it late is no reason to give up the run."""
    try:
        with process.database().transaction() as session:
            runs.step(session, order, step, now=utcnow())
    except SQLAlchemyError as error:
        log.warning("step_not_told", run=str(order.run_id), type=type(error).__name__)
