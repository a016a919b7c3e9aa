"""Practice: the shipped set, judging one answer, rounds and their pass mark, and that no live case comes before."""

from __future__ import annotations

import io
import json
import random

import pytest
from PIL import Image
from sqlalchemy import select, update
from sqlalchemy.exc import DatabaseError, IntegrityError

from cases import audit, practice, review, staff
from cases.desk_tables import PracticeAnswer, PracticeRound
from cases.models import Case, Event, Role
from cases.wording import LANGUAGES, gettext
from tests import factories as a
from verification.decision import Outcome, decide
from verification.evidence import Field
from verification.policy import SHIPPED
from verification.reasons import RETAKE, PhotoKind, ReasonCode

ALL = practice.specimens()


def right_answer(key: str) -> practice.Given:
    known = practice.specimen(key)
    return practice.Given(action=known.right, reasons=tuple(sorted(known.codes))[:1], retake=known.retake)


def wrong_answer(key: str) -> practice.Given:
    """Wrong, and never dangerous."""
    known = practice.specimen(key)
    if known.right == "reject":
        return practice.Given(action="ask_retake", reasons=(ReasonCode.DOCUMENT_BLURRED,), retake=frozenset({PhotoKind.DOCUMENT}))
    return practice.Given(action="reject", reasons=(ReasonCode.DOCUMENT_EXPIRED,))


def play(session, agent, answers, *, now, chance=None):
    """Answer a whole round; `answers(number, key)` gives each."""
    stands = practice.begin_round(session, agent, now=now, chance=chance or random.Random(7))
    for number in range(1, practice.ROUND + 1):
        practice.answer(session, agent, stands.next, answers(number, stands.next), now=now)
        stands = practice.standing(session, agent)
    return stands


@pytest.fixture
def novice(session, now):
    agent = a.a_member(session, Role.AGENT, now=now)
    practice.begin(session, agent, actor=audit.SYSTEM, now=now)
    return agent


# The set


def test_the_set_has_every_kind_of_answer_several_times():
    count = {action: sum(one.right == action for one in ALL) for action in practice.ACTIONS}
    assert len(ALL) >= practice.ROUND and len({one.key for one in ALL}) == len(ALL)
    left_out = len(ALL) - practice.ROUND
    assert min(count["approve"], count["ask_retake"], count["reject"]) - left_out >= 1, "a round may lack a kind of answer"
    assert {one.country for one in ALL} >= {"RUS", "KAZ", "ESP", "MEX"}


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.key)
def test_a_specimen_is_whole(one):
    for kind, size in one.sizes.items():
        with Image.open(io.BytesIO(one.photo(kind))) as picture:
            assert picture.format == "JPEG" and picture.size == size and not picture.getexif()
    assert set(one.sizes) == set(PhotoKind)
    assert one.sign in practice.SIGNS
    assert (one.right == "ask_retake") == bool(one.retake)
    assert bool(one.codes) == (one.right in ("reject", "ask_retake"))
    if one.right == "ask_retake":
        assert one.codes <= set(RETAKE) and one.look.photo in one.retake
    if one.look.box:
        x, y, w, h = one.look.box
        assert 0 <= x < x + w <= one.sizes[one.look.photo][0] and 0 <= y < y + h <= one.sizes[one.look.photo][1]


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.key)
def test_the_machine_hands_every_specimen_to_a_person_for_the_reasons_shown(one):
    decided = decide(one.evidence.measures, SHIPPED, attempt=SHIPPED.max_attempts)
    assert decided.outcome is not Outcome.APPROVE or set(one.reasons) <= {ReasonCode.CUSTOMER_ASKED_FOR_PERSON}
    assert set(decided.reasons) - {ReasonCode.ATTEMPTS_USED_UP} <= set(one.reasons)


def test_the_whole_set_is_small_and_of_nobody():
    weight = sum(file.stat().st_size for file in practice.FOLDER.rglob("*") if file.is_file() and file.suffix == ".jpg")
    assert weight <= 1_500_000
    assert "drawn specimen" in json.dumps(ALL[0].evidence.measures.to_json())


def test_a_one_letter_mistake_is_the_only_thing_wrong_with_its_specimen():
    compared = practice.specimen("one_letter").evidence.comparisons
    assert [f for f, c in compared.items() if c.agreement < 1] == [Field.SURNAME]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sign_is_told_in_every_language(language):
    told = {gettext(language)(text) for text in practice.SIGNS.values()}
    assert len(told) == len(practice.SIGNS)
    if language != "en":
        assert not told & set(practice.SIGNS.values())


# Judging


def test_the_known_answer_is_right_and_never_dangerous():
    for one in ALL:
        assert practice.judge(one, right_answer(one.key)) == practice.Verdict(
            right=True, dangerous=False, wrong_action=False, wrong_photo=False, wrong_reason=False
        )


def test_approving_what_must_not_be_approved_is_dangerous_and_nothing_else_is():
    for one in ALL:
        verdict = practice.judge(one, practice.Given(action="approve"))
        assert verdict.dangerous == (one.right != "approve") == (not verdict.right)
        assert not practice.judge(one, wrong_answer(one.key)).dangerous
        assert not practice.judge(one, practice.Given(action="escalate")).dangerous


def test_a_reason_that_does_not_hold_and_the_wrong_photo_are_told_apart():
    known = practice.specimen("blurred_selfie")
    of_the_page = practice.Given(
        action="ask_retake", reasons=(ReasonCode.DOCUMENT_BLURRED,), retake=frozenset({PhotoKind.DOCUMENT})
    )
    assert practice.judge(known, of_the_page).wrong_photo
    dark = practice.Given(action="ask_retake", reasons=(ReasonCode.SELFIE_TOO_DARK,), retake=frozenset({PhotoKind.SELFIE}))
    verdict = practice.judge(known, dark)
    assert verdict.wrong_reason and not verdict.wrong_photo and not verdict.right
    both = practice.Given(
        action="ask_retake",
        reasons=(ReasonCode.SELFIE_BLURRED, ReasonCode.SELFIE_TOO_DARK),
        retake=frozenset({PhotoKind.SELFIE}),
    )
    assert practice.judge(known, both).right


def test_handing_a_possible_theft_to_a_senior_is_right_and_a_mere_typing_mistake_is_not():
    assert practice.judge(practice.specimen("taken_over_account"), practice.Given(action="escalate")).right
    assert practice.judge(practice.specimen("one_letter"), practice.Given(action="escalate")).wrong_action


# Rounds


def test_eighteen_of_twenty_pass_and_open_live_cases(session, novice, now):
    stands = play(session, novice, lambda n, key: wrong_answer(key) if n in (3, 11) else right_answer(key), now=now)
    assert (stands.open, stands.outcome, stands.right) == (False, "passed", 18)
    assert not novice.practising and staff.may(novice, "decide")
    done = session.scalars(select(Event).where(Event.kind == "practice_passed")).one()
    assert done.actor_id == str(novice.id) and done.details["count"] == 18


def test_seventeen_do_not_pass(session, novice, now):
    stands = play(session, novice, lambda n, key: wrong_answer(key) if n in (1, 2, 20) else right_answer(key), now=now)
    assert (stands.outcome, stands.right) == ("not_passed", 17) and novice.practising


def test_one_dangerous_approval_fails_a_round_that_is_right_otherwise(session, novice, now):
    done = []

    def answers(_number, key):
        if not done and practice.specimen(key).right == "reject":
            done.append(key)
            return practice.Given(action="approve")
        return right_answer(key)

    stands = play(session, novice, answers, now=now)
    assert (stands.right, stands.dangerous, stands.outcome) == (19, 1, "not_passed")
    assert novice.practising


def test_an_open_round_says_when_it_can_no_longer_be_passed(session, novice, now):
    stands = practice.begin_round(session, novice, now=now, chance=random.Random(1))
    for expected in (True, True, False):
        practice.answer(session, novice, stands.next, wrong_answer(stands.next), now=now)
        stands = practice.standing(session, novice)
        assert stands.may_pass is expected


def test_a_round_draws_twenty_different_specimens_and_each_agent_her_own_order(session, novice, now):
    other = a.a_member(session, Role.AGENT, now=now)
    practice.begin_round(session, novice, now=now, chance=random.Random(1))
    practice.begin_round(session, other, now=now, chance=random.Random(2))
    orders = session.scalars(select(PracticeRound.specimens)).all()
    assert all(len(set(order)) == practice.ROUND for order in orders) and orders[0] != orders[1]


def test_only_the_specimen_that_is_hers_now_can_be_answered(session, novice, now):
    with pytest.raises(practice.NotThisOne):
        practice.answer(session, novice, ALL[0].key, right_answer(ALL[0].key), now=now)
    first = practice.begin_round(session, novice, now=now)
    later = next(one.key for one in ALL if one.key != first.next)
    with pytest.raises(practice.NotThisOne):
        practice.answer(session, novice, later, right_answer(later), now=now)
    practice.answer(session, novice, first.next, right_answer(first.next), now=now)
    with pytest.raises(practice.NotThisOne):
        practice.answer(session, novice, first.next, right_answer(first.next), now=now)


def test_beginning_twice_goes_on_with_the_same_round(session, novice, now):
    first = practice.begin_round(session, novice, now=now)
    assert practice.begin_round(session, novice, now=now) == first


def test_answers_stand_for_ever(session, novice, now):
    stands = practice.begin_round(session, novice, now=now)
    practice.answer(session, novice, stands.next, wrong_answer(stands.next), now=now)
    with pytest.raises((IntegrityError, DatabaseError), match="append-only"):
        session.execute(update(PracticeAnswer).values(was_right=True))
    session.rollback()


# Live cases


def test_while_practising_no_live_case_opens_by_any_way(session, novice, now):
    waiting = a.an_in_review(session, now=now)
    for attempt in (
        lambda: review.take(session, waiting.id, agent=novice, now=now),
        lambda: review.take_next(session, agent=novice, now=now),
    ):
        with pytest.raises(practice.StillPractising):
            attempt()
    assert waiting.owner_id is None
    assert staff.permissions(novice) == {"see_queue", "see_own_figures", "practise"}


def test_a_lead_has_an_agent_begin_anew_and_her_cases_are_free_again(session, now):
    agent, lead = a.a_member(session, Role.AGENT, now=now), a.a_member(session, Role.LEAD, now=now)
    held = review.take_next(session, agent=agent, now=now) or a.an_in_review(session, now=now)
    review.take(session, held.id, agent=agent, now=now)
    practice.begin_round(session, agent, now=now)
    seen = held.version
    practice.reset(session, agent.id, lead=lead, now=now)
    assert agent.practising and held.owner_id is None and held.owner_until is None and held.version == seen + 1
    stands = practice.standing(session, agent)
    assert (stands.open, stands.outcome) == (False, "reset")
    assert practice.begin_round(session, agent, now=now).round == 2
    told = session.scalars(select(Event).where(Event.kind == "practice_reset")).one()
    assert told.actor_id == str(lead.id)
    assert told.details == {"staff_id": str(agent.id), "round_id": told.details["round_id"], "count": 1}


def test_only_a_lead_resets_and_only_agents_are_reset(session, novice, now):
    lead, senior = a.a_member(session, Role.LEAD, now=now), a.a_member(session, Role.SENIOR_AGENT, now=now)
    with pytest.raises(staff.NotAllowed):
        practice.reset(session, novice.id, lead=senior, now=now)
    with pytest.raises(staff.NotAllowed):
        practice.reset(session, lead.id, lead=lead, now=now)


def test_a_lead_sees_who_stands_where(session, novice, now):
    a.a_member(session, Role.AGENT, now=now)  # experienced: never practised
    stands = practice.begin_round(session, novice, now=now)
    for answer in (right_answer, wrong_answer):
        practice.answer(session, novice, stands.next, answer(stands.next), now=now)
        stands = practice.standing(session, novice)
    (line,) = practice.progress(session)
    assert (line.staff_id, line.practising, line.rounds, line.answered, line.right) == (novice.id, True, 1, 2, 1)
    assert line.last_at == now and line.outcome is None


def test_an_agent_begins_with_practice_and_a_senior_does_not():
    assert practice.begins_with_practice([Role.AGENT])
    assert not practice.begins_with_practice([Role.AGENT, Role.SENIOR_AGENT])
    assert not practice.begins_with_practice([Role.LEAD])


def test_a_planted_specimen_makes_a_case_that_runs_accept(session, now):
    """Quality plants from this set: profile, claim, photos and evidence go through the services that make cases."""
    from cases import customers, intake, runs

    one = practice.specimen("edited_surname")
    customer = customers.upsert(session, "planted", one.profile, email="nobody@example.test", locale=one.locale, now=now)
    customers.set_face_on_file(session, customer, one.photo(PhotoKind.ON_FILE), quality=one.quality(PhotoKind.ON_FILE), now=now)
    case = intake.open_case(session, customer, one.claim, country=one.country, new_email=None, locale=one.locale, now=now)
    for kind in (PhotoKind.DOCUMENT, PhotoKind.SELFIE):
        intake.attach_photo(session, case.id, kind, one.photo(kind), one.quality(kind), now=now)
    intake.submit(session, case.id, consent_version=a.CONSENT, now=now)
    order = runs.begin(session, case.id, now=now)
    decision = decide(one.evidence.measures, order.policy, attempt=order.attempt, standing=order.standing)
    runs.finish(session, order, one.evidence, decision, seconds=1.0, now=now)
    assert session.get_one(Case, case.id).reasons == [r.value for r in one.reasons]
