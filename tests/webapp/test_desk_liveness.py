"""What a head-turn challenge showed, in the agent's words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.verification.test_decision import A_GOOD_RUN
from tests.webapp.conftest import Portal
from verification.challenge import RATES, Sign
from verification.evidence import ChangeReason, Liveness, Measures
from verification.policy import SHIPPED
from webapp.desk.liveness import liveness_lines, selfie_signs

SHOWN = Liveness(frames=6, turned=1.0, depth=0.4, same_face=9.0, timely=True)


def said(portal: Portal, measures: Measures | None) -> list[tuple[str, str]]:
    with portal.app.test_request_context(headers={"Accept-Language": "en"}):
        return [(line.sign, line.text) for line in liveness_lines(measures, SHIPPED)]


def test_a_good_turn_is_said_to_be_good(portal: Portal) -> None:
    assert {sign for sign, _ in said(portal, replace(A_GOOD_RUN, liveness=SHOWN))} == {"yes"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"turned": 0.5}, "Of the turns asked for, 50 per cent were seen in their order."),
        ({"depth": 0.01}, "The face moved as one flat picture does: a photo that is turned looks so."),
        ({"depth": None}, "Depth could not be measured."),
        ({"same_face": 0.5}, "A picture shows a face unlike the selfie's."),
        ({"same_face": None}, "The face could not be compared with the selfie."),
        ({"timely": False}, "The pictures did not come in order or in time."),
    ],
)
def test_what_speaks_against_it_is_marked(portal: Portal, wrong: dict[str, float | None], words: str) -> None:
    lines = said(portal, replace(A_GOOD_RUN, liveness=replace(SHOWN, **wrong)))
    assert [text for sign, text in lines if sign == "no"] == [words]


def test_a_sign_is_told_with_its_honest_causes_and_one_that_is_known_no_more_is_left_out(portal: Portal) -> None:
    signs = (Sign.CAMERA_VIRTUAL.value, "of another version")
    lines = said(portal, replace(A_GOOD_RUN, liveness=replace(SHOWN, signs=signs)))
    assert [text for sign, text in lines if sign == "no"] == [lines[-1][1]]
    assert lines[-1][1].startswith("The camera is a program. ") and "honest" in lines[-1][1]


def test_a_step_left_out_weighs_only_where_the_policy_asks_for_it(portal: Portal) -> None:
    assert said(portal, A_GOOD_RUN) == [("open", "The customer left out the turn of the head.")]
    asked = said(portal, replace(A_GOOD_RUN, reason=ChangeReason.MISTAKE))
    assert [sign for sign, _ in asked] == ["no", "open"]
    assert said(portal, None) == []


def test_signs_in_the_selfie_are_told_with_their_rates_and_those_that_weigh_come_first(portal: Portal) -> None:
    both = replace(A_GOOD_RUN, selfie_signs=(Sign.GLASS_GLARE, Sign.PICTURE_EDGES))
    weighs = replace(SHIPPED, refer_on_liveness_signs=(Sign.PICTURE_EDGES.value,))
    with portal.app.test_request_context(headers={"Accept-Language": "en"}):
        told = selfie_signs(both, weighs)
        assert [(line.seen, line.weighs) for line in told] == [
            ("Straight edges frame the face", True),
            ("The face is burnt out in one patch", False),
        ]
        rate = RATES[Sign.PICTURE_EDGES]
        assert f"{rate.false_alarms} false alarms on {rate.genuine} photos" in told[0].rate
        assert f"seen on {rate.found} of {rate.attacked} drawn" in told[0].rate
        assert selfie_signs(A_GOOD_RUN, SHIPPED) == selfie_signs(None, None) == []
