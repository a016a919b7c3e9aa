"""Whether agents answer before they see what the machine found: a rule of the policy, read case by case."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from cases import policies, ramps
from cases.models import PolicyVersion, Role
from cases.ramps import Stage
from tests import factories as a
from verification.policy import SHIPPED, Policy, loosens, strictest

HIDING = replace(SHIPPED, hide_opinion=True)


@pytest.fixture
def ops(session, now):
    return a.a_member(session, Role.OPS, now=now)


def test_it_is_off_as_shipped_and_in_every_version_stored_before_it_was_a_setting(session):
    assert policies.hides_opinion(session, uuid4()) is policies.hides_anywhere(session) is False
    stored = dict(session.get_one(PolicyVersion, 1).document)
    del stored["hide_opinion"]
    assert Policy.from_json(stored).hide_opinion is False


def test_hiding_tightens_and_showing_loosens(session):
    assert loosens(SHIPPED, HIDING) == () and loosens(HIDING, SHIPPED) == ("hide_opinion",)
    assert strictest(SHIPPED, HIDING).hide_opinion and strictest(HIDING, SHIPPED).hide_opinion


def test_one_person_hides_it_at_once_and_two_show_it_again(session, now, ops):
    a.proposed(session, HIDING, by=ops, now=now)
    assert policies.hides_opinion(session, uuid4()) and policies.hides_anywhere(session)
    lead = a.a_member(session, Role.LEAD, now=now)
    a.ramped(session, SHIPPED, by=ops, second=lead, now=now, to=Stage.QUARTER)
    assert policies.hides_opinion(session, uuid4()), "on trial it makes nobody less careful"
    with pytest.raises(policies.UnderWay):
        a.ramped(session, SHIPPED, by=ops, second=lead, now=now)


@pytest.mark.parametrize(("place", "hidden"), [(0.01, True), (0.9, False)])
def test_a_version_on_its_way_hides_it_in_its_own_cases_and_in_every_list(session, now, ops, monkeypatch, place, hidden):
    monkeypatch.setattr(ramps, "place", lambda *_about: place)
    lead = a.a_member(session, Role.LEAD, now=now)
    looser = replace(HIDING, min_selfie_document=5.0)
    activation = a.ramped(session, looser, by=ops, second=lead, now=now, to=Stage.SHADOW)
    assert not policies.hides_anywhere(session) and not policies.hides_opinion(session, uuid4()), "in shadow it decides nothing"
    ramps.step(session, activation, Stage.FIVE, by=lead, now=now)
    assert policies.hides_opinion(session, uuid4()) is hidden
    assert policies.hides_anywhere(session)
