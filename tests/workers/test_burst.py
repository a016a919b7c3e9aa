"""The frames of a head turn reach the look of a run, and nothing else does where there were none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cases import head_turns, intake
from cases.database import Database, utcnow
from cases.settings import Settings
from tests import factories
from verification.challenge import Burst
from workers import process, verify


@pytest.mark.parametrize("taken", [True, False])
def test_the_look_gets_the_frames_that_were_sent(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    looks: list[dict[str, Any]] = []

    def look(**given: Any) -> Any:
        looks.append(given)
        return factories.good_evidence(given["claim"], given["profile"])

    monkeypatch.setattr(verify.pipeline, "gather_evidence", look)
    frames = tuple(factories.jpeg(number) for number in range(8))
    with database.transaction() as session:
        case = factories.a_draft(session, now=utcnow())
        if taken:
            drawn = head_turns.draw(session, case.id, now=utcnow() - timedelta(seconds=20))
            times, steps = tuple(float(n) for n in range(8)), (0, 0, 1, 1, 1, 2, 2, 2)
            head_turns.answer(
                session, case.id, drawn.id, frames=frames, times=times, steps=steps, camera="Front camera", now=utcnow()
            )
        intake.submit(session, case.id, consent_version=factories.CONSENT, now=utcnow())
        case_id = case.id
    process.use(settings)
    try:
        assert verify.verify_case(str(case_id)) == "approved"
    finally:
        process.close()
    burst = looks[0]["burst"]
    assert (isinstance(burst, Burst) and burst.frames == frames) if taken else burst is None
