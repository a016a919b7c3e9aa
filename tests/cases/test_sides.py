"""Which rows of a case a person stops at, and has to tick: one judgement for the page and for the rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cases import answers, policies, review, sides
from cases.models import Role
from cases.queries import FieldRow, Told, case_page
from cases.sides import EMAIL, Stands
from tests import factories as a
from tests.cases.test_answers import approving
from tests.webapp import case_scenes as scenes
from tests.webapp.staff_fixtures import PROFILE
from verification.evidence import Field

ROW = FieldRow(
    field=Field.SURNAME, on_file="SPECIMENOVA", typed="TESTOVA", read="TESTOVA", changes=True, agreement=1.0,
    printed=Told(value="TESTOVA"), zone=Told(value="TESTOVA"),
)  # fmt: skip


def how(**changes: Any) -> Stands:
    row = replace(ROW, **changes)
    return sides.stands(row, sides.held(row, {}))


@pytest.mark.parametrize(
    ("changes", "stands"),
    [
        ({}, Stands.SAME),
        ({"agreement": 0.9}, Stands.DIFFERS),
        ({"zone": Told(value="TESTOVO")}, Stands.APART),
        ({"printed": Told(value="TESTOVO"), "zone": None}, Stands.APART),
        ({"read": None, "agreement": None}, Stands.UNREAD),
        ({"read": None, "agreement": None, "changes": False}, Stands.NOTHING),
        ({"typed": None, "changes": False}, Stands.OTHER),
        ({"typed": None, "changes": False, "on_file": "TESTOVA"}, Stands.SAME),
        ({"typed": None, "changes": False, "on_file": "TESTOVA", "zone": Told(value="TESTOVO")}, Stands.OTHER),
        ({"typed": None, "changes": False, "on_file": None}, Stands.NOTHING),
        ({"typed": None, "changes": False, "printed": None, "zone": None}, Stands.NOTHING),
    ],
)
def test_how_a_row_stands(changes, stands):
    assert how(**changes) is stands


def test_what_is_marked_is_ticked_however_sure_the_machine_is_and_an_email_after_what_was_typed():
    apart, other = replace(ROW, zone=Told(value="TESTOVO")), replace(ROW, field=Field.SEX, typed=None, changes=False)
    same = replace(ROW, field=Field.GIVEN_NAMES)
    rows, all_sure = (other, same, apart), frozenset(Field)
    assert sides.to_check(rows, {}, sure=all_sure, brings_email=True) == (Field.SURNAME, EMAIL, Field.SEX)
    assert sides.to_check(rows, {}, sure=(), brings_email=False) == (Field.SURNAME, Field.GIVEN_NAMES, Field.SEX)


@pytest.fixture
def agent(session, now):
    return a.a_member(session, now=now)


def doubted(session, agent, now, **about):
    case = scenes.refer(session, scenes.doubted(6), scenes.numbered(6), PROFILE, now=now, seed=6, country="RUS", **about)
    review.take(session, case.id, agent=agent, now=now)
    return case


def test_an_approval_asks_for_the_row_that_nobody_typed_and_for_a_new_email(session, agent, now):
    case = doubted(session, agent, now, new_email="new@example.test")
    wanted = review.rows_to_check(session, case)
    assert wanted[-2:] == (EMAIL, Field.GIVEN_NAMES) and Field.DOCUMENT_NUMBER not in wanted
    for missing in (EMAIL, Field.GIVEN_NAMES):
        with pytest.raises(review.Unchecked) as unseen:
            answers.give(session, case.id, approving(case, note="n", checked=frozenset(wanted) - {missing}), agent=agent, now=now)
        assert unseen.value.fields == (missing,)
    given = answers.give(session, case.id, approving(case, note="n", checked=frozenset(wanted)), agent=agent, now=now)
    assert EMAIL in answers.visible(session, case, agent)[0].checked and given.checked == sorted(map(str, wanted))


def test_an_email_that_is_not_accepted_needs_no_tick(session, agent, now):
    case = doubted(session, agent, now, new_email="new@example.test")
    wanted = frozenset(review.rows_to_check(session, case)) - {EMAIL}
    answers.give(session, case.id, approving(case, note="n", checked=wanted, with_email=False), agent=agent, now=now)


def test_every_row_that_the_page_marks_is_asked_for(session, agent, now):
    case = doubted(session, agent, now)
    page = case_page(session, case.id, now=now)
    marked = {row.field for row in page.fields if sides.stands(row, sides.held(row, page.reading or {})) in sides.MARKED}
    assert marked == {Field.SURNAME, Field.GIVEN_NAMES} and marked <= set(review.rows_to_check(session, case))


def test_behind_the_veil_all_that_changes_is_ticked_and_every_approval_is_explained(session, agent, now):
    """Which rows the machine is sure of, and whether something weighty speaks against it, would be told by what is asked for."""
    case = a.an_in_review(session, now=now, evidence=a.a_letter_different())
    review.take(session, case.id, agent=agent, now=now)
    assert review.rows_to_check(session, case) == (Field.SURNAME,) and not review.weighs_against(session, case)
    a.proposed(session, replace(policies.current(session), hide_opinion=True), by=a.a_member(session, Role.OPS, now=now), now=now)
    with pytest.raises(review.Unchecked) as unseen:
        answers.give(session, case.id, approving(case, note="n"), agent=agent, now=now)
    assert set(unseen.value.fields) == set(a.CLAIM.values)
    with pytest.raises(review.BlindNoteNeeded):
        answers.give(session, case.id, approving(case, note="", checked=frozenset(a.CLAIM.values)), agent=agent, now=now)
    answers.give(session, case.id, approving(case, note="n", checked=frozenset(a.CLAIM.values)), agent=agent, now=now)
