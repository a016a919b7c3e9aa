"""Whether a turn of the head is asked for while a version that asks otherwise is on its way up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cases import policies, ramps
from cases.models import Role
from cases.ramps import Stage
from tests import factories as a
from verification.evidence import ChangeReason
from verification.policy import SHIPPED
from webapp.portal.steps import asks_for_turn


@pytest.mark.parametrize(("place", "asked"), [(0.01, False), (0.3, True)])
def test_the_customer_is_asked_for_what_the_version_that_decides_her_case_looks_for(session, now, monkeypatch, place, asked):
    case = a.a_draft(session, now=now, claim=replace(a.CLAIM, reason=ChangeReason.MISTAKE))
    assert asks_for_turn(session, case)
    ops, lead = a.a_member(session, Role.OPS, now=now), a.a_member(session, Role.LEAD, now=now)
    fewer = tuple(reason for reason in SHIPPED.require_liveness_for if reason != "mistake")
    a.ramped(session, replace(SHIPPED, require_liveness_for=fewer), by=ops, second=lead, now=now, to=Stage.FIVE)
    monkeypatch.setattr(ramps, "place", lambda *_: place)
    assert asks_for_turn(session, case) is asked
    assert policies.for_case(session, case.id).require_liveness_for == (SHIPPED.require_liveness_for if asked else fewer)
