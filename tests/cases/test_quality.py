"""Quality: what is drawn, who may review it, what her verdict does, and figures against numbers worked out by hand."""

from __future__ import annotations

import math
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from cases import answers, audit, intake, photo_store, practice, profiles, quality, retention, review
from cases.desk_tables import QualityMark, QualitySample
from cases.lifecycle import State
from cases.models import Event, Role, Staff
from cases.quality import NotBlind, NotHers, Over, Verdict
from cases.review import Disposal
from cases.staff import NotAllowed
from tests import factories as a
from verification.reasons import PhotoKind, ReasonCode

DAY = timedelta(days=1)
NO = Verdict(action="reject", reasons=frozenset({ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER}), note="Another nose.")
YES = Verdict(action="approve")


@pytest.fixture
def every(session):
    """All answers are drawn."""
    settings = session.info["settings"].model_copy(update={"quality_answers": 1.0, "quality_approvals": 1.0})
    session.info["settings"] = settings


@pytest.fixture
def reviewer(session, now):
    return a.a_member(session, Role.SENIOR_AGENT, now=now, name="Rita Reviewer")


def drawn(session):
    return session.scalars(select(QualitySample).order_by(QualitySample.event_id)).all()


def held(session, reviewer, now):
    sample = quality.take_next(session, agent=reviewer, now=now)
    assert sample is not None
    return sample


def events(session, kind):
    return session.scalars(select(Event).where(Event.kind == kind)).all()


# Chance


def test_chance_is_even_and_the_same_for_the_same_answer():
    case_ids = [uuid4() for _ in range(4000)]
    numbers = [quality.chance("k" * 32, case_id, 7) for case_id in case_ids]
    assert all(0 <= number < 1 for number in numbers)
    assert numbers == [quality.chance("k" * 32, case_id, 7) for case_id in case_ids]
    assert abs(sum(number < 0.05 for number in numbers) / 4000 - 0.05) < 0.015  # four standard errors
    assert abs(sum(numbers) / 4000 - 0.5) < 0.02


def test_chance_cannot_be_told_without_the_key_nor_from_another_answer_to_the_case():
    case_id = uuid4()
    assert len({quality.chance(key, case_id, n) for key in ("a" * 32, "b" * 32) for n in range(1, 50)}) == 98


# Drawing


def test_agents_answers_and_automatic_approvals_are_drawn_and_nothing_else(session, now, every):
    a.an_approved(session, now=now)
    rejected = a.a_rejected(session, now=now)
    a.a_needs_retake(session, now=now)  # the machine asks: nobody's answer
    a.an_in_review(session, now=now)
    assert quality.draw(session, now=now) == 2
    by_machine, by_agent = drawn(session)
    assert (by_machine.action, by_machine.staff_id, by_machine.why) == ("approve", None, "random")
    assert (by_agent.action, by_agent.case_id, by_agent.share) == ("reject", rejected.id, 1.0)
    assert by_agent.reasons == ["selfie_document_faces_differ"] and by_agent.staff_id is not None


def test_drawing_twice_draws_nothing_new_and_goes_on_from_the_mark(session, now, every):
    a.a_rejected(session, now=now)
    assert quality.draw(session, now=now) == 1
    assert quality.draw(session, now=now) == 0
    mark = session.get_one(QualityMark, 1)
    mark.event_id = 0  # as if it had been forgotten
    assert quality.draw(session, now=now) == 0
    a.an_approved(session, now=now)
    assert quality.draw(session, now=now, limit=3) + quality.draw(session, now=now) == 1


def test_drawing_in_small_parts_misses_nothing(session, now, every):
    for _ in range(3):
        a.a_rejected(session, now=now)
    found = 0
    for _ in range(200):
        found += quality.draw(session, now=now, limit=2)
        if session.get_one(QualityMark, 1).event_id >= session.scalars(select(Event.id).order_by(Event.id.desc())).first() - 2:
            break
    assert found == 3


def test_a_share_is_drawn_by_the_keyed_hash(session, now):
    session.info["settings"] = session.info["settings"].model_copy(update={"quality_answers": 0.4, "quality_approvals": 0.0})
    for _ in range(12):
        a.a_rejected(session, now=now)
    a.an_approved(session, now=now)
    quality.draw(session, now=now)
    key = session.info["settings"].audit_key
    wanted = {e.id for e in events(session, "disposed") if quality.chance(key, e.case_id, e.id) < 0.4}
    assert {sample.event_id for sample in drawn(session)} == wanted
    assert 0 < len(wanted) < 12


def test_the_first_draw_begins_where_photos_still_exist(session, now, every, settings):
    a.a_rejected(session, now=now - timedelta(days=settings.photo_days + 5))
    recent = a.a_rejected(session, now=now - timedelta(days=settings.photo_days - 5))
    assert quality.draw(session, now=now) == 1
    assert drawn(session)[0].case_id == recent.id


def test_an_undone_approval_is_drawn_whatever_the_share(session, now):
    session.info["settings"] = session.info["settings"].model_copy(update={"quality_answers": 0.0, "quality_approvals": 0.0})
    a.an_approved(session, now=now)
    reverted = a.a_reverted(session, now=now)
    assert quality.draw(session, now=now) == 1
    sample = drawn(session)[0]
    assert (sample.case_id, sample.why, sample.action, sample.overturned_at) == (reverted.id, "overturned", "approve", now)


def test_a_rejection_that_an_appeal_turned_is_overturned(session, now, reviewer):
    session.info["settings"] = session.info["settings"].model_copy(update={"quality_answers": 0.0, "undo_seconds": 0})
    case = a.a_rejected(session, now=now)
    intake.appeal(session, case.id, now=now)
    event = events(session, "disposed")[0]
    audit.record(  # what carrying out the second person's approval writes
        session, "disposed", actor=audit.Actor.staff(reviewer), now=now + DAY, case=case, old="in_review", new="approved",
        action="approve", reasons=[], retake=[],
    )  # fmt: skip
    quality.draw(session, now=now + DAY)
    assert [(s.event_id, s.action, s.why) for s in drawn(session)] == [(event.id, "reject", "overturned")]


def settled(session, now, *actions):
    """A case of high risk whose two agents answered otherwise and whom a senior agent settled; all three, and the case."""
    session.info["settings"] = session.info["settings"].model_copy(
        update={"undo_seconds": 0, "quality_answers": 0.0, "quality_approvals": 0.0}
    )
    differ = a.with_measures(a.good_evidence(), pairs=a.faces(selfie_document=1.0))
    case = a.an_in_review(session, now=now, evidence=differ)
    roles = (Role.AGENT, Role.AGENT, Role.SENIOR_AGENT)
    people = [a.a_member(session, role, now=now) for role in roles]
    for person, action in zip(people, actions, strict=True):
        review.take(session, case.id, agent=person, now=now)
        about = {
            "approve": {"note": "It is she."},
            "reject": {"note": "It is not.", "reasons": (ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER,)},
            "ask_retake": {"retake": frozenset({PhotoKind.SELFIE}), "reasons": (ReasonCode.SELFIE_BLURRED,)},
        }[action]
        answers.give(session, case.id, Disposal(action=action, seen_version=case.version, **about), agent=person, now=now)
    return people, case


@pytest.mark.parametrize(
    ("actions", "overruled"),
    [
        (("approve", "reject", "reject"), [0]),
        (("approve", "reject", "approve"), [1]),
        (("approve", "reject", "ask_retake"), [0, 1]),
    ],
)
def test_what_a_senior_agent_overruled_is_drawn_whatever_the_share(session, now, actions, overruled):
    people, case = settled(session, now, *actions)
    assert quality.draw(session, now=now) == len(overruled)
    found = [(s.case_id, s.staff_id, s.action, s.why, s.overturned_at) for s in drawn(session)]
    assert found == [(case.id, people[n].id, actions[n], "overturned", now) for n in overruled]
    assert [bool(s.reasons) for s in drawn(session)] == [actions[n] == "reject" for n in overruled]
    session.get_one(QualityMark, 1).event_id = 0
    assert quality.draw(session, now=now) == 0, "once"


def test_an_overruled_approval_that_a_reviewer_would_not_give_either_is_no_doubt(session, now, reviewer):
    people, _case = settled(session, now, "approve", "reject", "ask_retake")
    quality.draw(session, now=now)
    assert quality.take_next(session, agent=people[2], now=now) is None, "who settled it knows it"
    sample = held(session, reviewer, now)
    verdict = Verdict(action="reject", reasons=frozenset({ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER}), note="No.")
    quality.give(session, sample.id, verdict, agent=reviewer, now=now)
    assert sample.doubted_at is None and sample.agrees is (sample.action == "reject")


def test_one_drawn_by_chance_stays_so_when_it_is_undone_later(session, now, every):
    case = a.an_approved(session, now=now)
    quality.draw(session, now=now)
    senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
    profiles.revert(session, case.id, actor=audit.Actor.staff(senior), reason="A mistake.", now=now + DAY)
    assert quality.draw(session, now=now + DAY) == 0
    sample = drawn(session)[0]
    assert (sample.why, sample.overturned_at) == ("random", now + DAY)


def test_approvals_undone_by_the_hundred_mark_what_was_drawn_and_fill_no_queue(session, now, every):
    drawn_one = a.an_approved(session, now=now)
    quality.draw(session, now=now)
    session.info["settings"] = session.info["settings"].model_copy(update={"quality_approvals": 0.0})
    for case in (drawn_one, a.an_approved(session, now=now)):
        undone = {"undo_id": uuid4(), "old": "approved", "new": "in_review", "from_number": 2, "to_number": 1}
        audit.record(session, "approval_undone", actor=audit.SYSTEM, now=now + DAY, case=case, **undone)
    assert quality.draw(session, now=now + DAY) == 0
    assert [(s.case_id, s.overturned_at) for s in drawn(session)] == [(drawn_one.id, now + DAY)]


def test_what_was_drawn_stands_in_the_trail_without_the_case(session, now, every):
    a.a_rejected(session, now=now)
    quality.draw(session, now=now)
    told = events(session, "quality_drawn")
    assert [e.details["why"] for e in told] == ["random"]
    assert {e.case_id for e in told} == {e.customer_id for e in told} == {None}


# Who reviews


def test_who_answered_never_reviews_it(session, now, every):
    both = a.a_member(session, Role.SENIOR_AGENT, now=now)
    a.a_rejected(session, now=now, agent=both)
    quality.draw(session, now=now)
    assert quality.take_next(session, agent=both, now=now) is None
    sample = drawn(session)[0]
    sample.reviewer_id, sample.taken_until = both.id, now + DAY
    with pytest.raises(IntegrityError), session.begin_nested():
        session.flush()


def test_who_opened_the_case_is_not_blind_and_who_opens_it_meanwhile_no_longer(session, now, every, reviewer):
    case = a.a_rejected(session, now=now)
    quality.draw(session, now=now)
    sample = held(session, reviewer, now)
    audit.record(session, "case_opened_by_staff", actor=audit.Actor.staff(reviewer), now=now, case=case, purpose="review")
    with pytest.raises(NotBlind):
        quality.give(session, sample.id, YES, agent=reviewer, now=now)
    assert sample.verdict is None
    quality.give_back(session, sample.id, agent=reviewer, now=now)
    assert quality.take_next(session, agent=reviewer, now=now) is None
    other = a.a_member(session, Role.LEAD, now=now)
    assert held(session, other, now).id == sample.id


def test_her_own_looks_at_the_photos_leave_her_blind(session, now, every, reviewer):
    a.a_rejected(session, now=now)
    quality.draw(session, now=now)
    sample = held(session, reviewer, now)
    photo_id = quality.photo(session, sample, PhotoKind.SELFIE)
    photo_store.open_photo(session, photo_id, viewer=audit.Actor.staff(reviewer), purpose="quality", now=now)
    assert quality.give(session, sample.id, YES, agent=reviewer, now=now).verdict == "approve"


def test_agents_may_not_review(session, now, every):
    a.a_rejected(session, now=now)
    quality.draw(session, now=now)
    agent = a.a_member(session, now=now)
    with pytest.raises(NotAllowed):
        quality.take_next(session, agent=agent, now=now)
    with pytest.raises(NotAllowed):
        quality.give(session, drawn(session)[0].id, YES, agent=agent, now=now)


def test_a_taken_sample_is_hers_until_the_time_is_over(session, now, every, reviewer, settings):
    a.a_rejected(session, now=now)
    quality.draw(session, now=now)
    other = a.a_member(session, Role.SENIOR_AGENT, now=now)
    sample = held(session, reviewer, now)
    assert held(session, reviewer, now).id == sample.id  # asking again gives the same
    assert quality.take_next(session, agent=other, now=now) is None
    with pytest.raises(NotHers):
        quality.give(session, sample.id, YES, agent=other, now=now)
    later = now + timedelta(minutes=settings.claim_minutes)
    assert held(session, other, later).id == sample.id
    with pytest.raises(NotHers):
        quality.give(session, sample.id, YES, agent=reviewer, now=later)


def test_only_who_holds_a_sample_may_see_the_photos_for_it(session, now, every, reviewer):
    case = a.a_rejected(session, now=now)
    other = a.a_member(session, Role.SENIOR_AGENT, now=now)
    quality.draw(session, now=now)
    assert not quality.may_look(session, case, agent=reviewer, now=now)
    sample = held(session, reviewer, now)
    assert quality.may_look(session, case, agent=reviewer, now=now)
    assert not quality.may_look(session, case, agent=other, now=now)
    quality.give(session, sample.id, YES, agent=reviewer, now=now)
    assert not quality.may_look(session, case, agent=reviewer, now=now)


def test_what_is_shredded_first_is_reviewed_first(session, now, every, reviewer):
    late = a.a_rejected(session, now=now - DAY)
    soon = a.a_rejected(session, now=now - 9 * DAY)
    quality.draw(session, now=now)
    order = [held(session, a.a_member(session, Role.SENIOR_AGENT, now=now), now).case_id for _ in range(2)]
    assert order == [soon.id, late.id]


def test_a_shredded_case_can_no_longer_be_reviewed(session, now, every, reviewer, settings):
    a.a_rejected(session, now=now)
    quality.draw(session, now=now)
    later = now + timedelta(days=settings.photo_days + 1)
    retention.shred_due(session, now=later)
    assert quality.take_next(session, agent=reviewer, now=later) is None
    assert quality.lapse(session, now=later) == 1
    sample = drawn(session)[0]
    assert (sample.lapsed_why, sample.verdict) == ("shredded", None)
    assert quality.figures(session, since=now).lapsed == 1


# The sheet


def test_the_sheet_shows_what_stood_there_then(session, now, every, reviewer):
    case = a.a_rejected(session, now=now)
    quality.draw(session, now=now)
    sample = held(session, reviewer, now)
    sheet = quality.sheet(session, sample, now=now)
    surname = next(row for row in sheet.fields if row.field.value == "surname")
    assert (surname.on_file, surname.typed, surname.read) == ("ABELARDTEST", "BERGMANTEST", "BERGMANTEST")
    assert set(sheet.photos) == set(PhotoKind) and sheet.change_reason is case.change_reason
    assert "ABELARDTEST" not in repr(sheet)
    assert not {"verdict", "action", "reasons", "staff"} & set(quality.Sheet.__dataclass_fields__)


def test_after_a_retake_the_photos_are_those_that_were_judged(session, now, every, reviewer):
    case = a.an_in_review(session, now=now)
    agent = a.a_member(session, now=now)
    review.take(session, case.id, agent=agent, now=now)
    asked = review.Disposal(
        action="ask_retake", reasons=(ReasonCode.SELFIE_BLURRED,), retake=frozenset({PhotoKind.SELFIE}), seen_version=case.version
    )
    review.dispose(session, case.id, asked, agent=agent, now=now)
    before = intake.photo(session, case, PhotoKind.SELFIE)
    a.add_photos(session, case, now=now + DAY, kinds=(PhotoKind.SELFIE,))
    after = intake.photo(session, case, PhotoKind.SELFIE)
    quality.draw(session, now=now + DAY)
    sample = held(session, reviewer, now + DAY)
    assert quality.photo(session, sample, PhotoKind.SELFIE) == before.id != after.id


# Verdicts


def test_agreeing_is_written_down_and_moves_nothing(session, now, every, reviewer):
    case = a.a_rejected(session, now=now)
    version = case.version
    quality.draw(session, now=now)
    sample = quality.give(session, held(session, reviewer, now).id, NO, agent=reviewer, now=now)
    assert sample.agrees and sample.doubted_at is None
    assert (case.state, case.version) == (State.REJECTED, version)
    assert quality.note(session, sample) == "Another nose."
    with pytest.raises(Over):
        quality.give(session, sample.id, YES, agent=reviewer, now=now)


def test_a_verdict_against_an_approval_alerts_and_a_senior_settles_it(session, now, every, reviewer):
    case = a.an_approved(session, now=now)
    quality.draw(session, now=now)
    sample = quality.give(session, held(session, reviewer, now).id, NO, agent=reviewer, now=now)
    assert (sample.agrees, sample.doubted_at, case.state) == (False, now, State.APPROVED)
    assert [e.details["sample_id"] for e in events(session, "approval_doubted")] == [str(sample.id)]
    assert [(d.case_id, d.by_machine, d.mine) for d in quality.doubts(session, agent=reviewer)] == [(case.id, True, True)]
    with pytest.raises(review.NotYours):
        quality.let_stand(session, sample.id, agent=reviewer, note="It stands.", now=now)
    senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
    with pytest.raises(review.NoteNeeded):
        quality.let_stand(session, sample.id, agent=senior, note=" ", now=now)
    with pytest.raises(NotAllowed):
        quality.let_stand(session, sample.id, agent=a.a_member(session, Role.LEAD, now=now), note="It stands.", now=now)
    quality.let_stand(session, sample.id, agent=senior, note="It stands.", now=now)
    assert quality.doubts(session, agent=senior) == [] and sample.settled_how == "stands"
    with pytest.raises(Over):
        quality.let_stand(session, sample.id, agent=senior, note="Again.", now=now)


def test_putting_the_change_back_settles_the_doubt(session, now, every, reviewer):
    case = a.an_approved(session, now=now)
    quality.draw(session, now=now)
    sample = quality.give(session, held(session, reviewer, now).id, NO, agent=reviewer, now=now)
    senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
    profiles.revert(session, case.id, actor=audit.Actor.staff(senior), reason="Not she.", now=now + DAY)
    quality.draw(session, now=now + DAY)
    assert (sample.settled_how, sample.settled_by_id, sample.overturned_at) == ("reverted", senior.id, now + DAY)
    assert quality.doubts(session, agent=senior) == []
    assert quality.figures(session, since=now).settled == {"reverted": 1}


def test_a_doubt_about_a_rejection_alerts_nobody(session, now, every, reviewer):
    a.a_rejected(session, now=now)
    quality.draw(session, now=now)
    sample = quality.give(session, held(session, reviewer, now).id, YES, agent=reviewer, now=now)
    assert sample.agrees is False and sample.doubted_at is None
    assert events(session, "approval_doubted") == []


def test_no_without_a_reason_is_no_verdict(session, now, every, reviewer):
    a.a_rejected(session, now=now)
    quality.draw(session, now=now)
    sample = held(session, reviewer, now)
    for action in ("reject", "ask_retake"):
        with pytest.raises(ValueError, match="reason"):
            quality.give(session, sample.id, Verdict(action=action), agent=reviewer, now=now)
    with pytest.raises(ValueError, match="unknown action"):
        quality.give(session, sample.id, Verdict(action="escalate"), agent=reviewer, now=now)


# Planted specimens


def test_specimens_are_planted_one_at_a_time_over_the_month_and_each_once_before_any_twice(session, now):
    assert quality.plant_due(session, now=now) == 1
    assert quality.plant_due(session, now=now + 2 * DAY) == 0
    assert quality.plant_due(session, now=now + 3 * DAY) == 1
    known = [s for s in practice.specimens() if s.right in quality.ACTIONS]
    assert quality.plant(session, count=1000, now=now + 4 * DAY) == len(known) - 2
    planted = session.scalars(select(QualitySample)).all()
    assert len({sample.specimen for sample in planted}) == len(planted) == len(known)
    assert {sample.case_id for sample in planted} == {None}


def test_a_specimen_is_weighed_by_its_known_answer_and_no_figure_of_people_moves(session, now, reviewer):
    quality.plant(session, count=1000, now=now)
    right = wrong = 0
    while (sample := quality.take_next(session, agent=reviewer, now=now)) is not None:
        known = practice.specimen(sample.specimen)
        sheet = quality.sheet(session, sample, now=now)
        assert sheet.fields and set(sheet.photos) == set(PhotoKind)
        good = right <= wrong
        verdict = (
            Verdict(action=known.right, reasons=known.codes)
            if good
            else Verdict(
                action="approve" if known.right != "approve" and "approve" not in known.also else "reject",
                reasons=frozenset({ReasonCode.SEX_DIFFERS}),
            )
        )
        given = quality.give(session, sample.id, verdict, agent=reviewer, now=now)
        assert given.agrees is good and given.doubted_at is None
        right, wrong = right + good, wrong + (not good)
    figures = quality.figures(session, since=now)
    assert (figures.specimens.found, figures.specimens.n) == (right, right + wrong) and right and wrong
    assert figures.answers.n == figures.people.drawn.n == figures.machine.drawn.n == 0


def test_planting_again_takes_those_planted_longest_ago(session, now, reviewer):
    quality.plant(session, count=1000, now=now)
    first = session.scalars(select(QualitySample)).first()
    first.drawn_at = now - DAY
    sample = first.specimen
    for row in session.scalars(select(QualitySample)):
        row.lapsed_at, row.lapsed_why = now, "changed"
    session.flush()
    quality.plant(session, count=1, now=now + DAY)
    newest = session.scalars(select(QualitySample).order_by(QualitySample.drawn_at.desc())).first()
    assert newest.specimen == sample


# Figures, by hand


@pytest.mark.parametrize(
    ("found", "n", "low", "high"),
    [  # worked out by hand from (p + z²/2n ± z√(p(1-p)/n + z²/4n²)) / (1 + z²/n), z² = 3.841459
        (0, 10, 0.0, 0.277533),
        (10, 10, 0.722467, 1.0),
        (5, 10, 0.236593, 0.763407),
        (1, 100, 0.001767, 0.054488),
    ],
)
def test_wilsons_interval(found, n, low, high):
    share = quality.share(found, n)
    assert (share.low, share.high) == (pytest.approx(low, abs=1e-5), pytest.approx(high, abs=1e-5))
    assert share.share == found / n


def test_of_nothing_there_is_no_share():
    assert quality.share(0, 0) == quality.Share(n=0, found=0, share=None, low=None, high=None)
    with pytest.raises(ValueError, match="more found"):
        quality.share(2, 1)


def test_kappa_by_hand():
    # 50 cases: 20 both yes, 15 both no, 5 and 10 crossed. p_o = 0.70, p_e = 0.5·0.6 + 0.5·0.4 = 0.50, κ = 0.20/0.50.
    table = {("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15}
    found = quality.kappa(table)
    assert found.value == pytest.approx(0.4)
    # Fleiss, Cohen, Everitt: A = .4(1-(.5+.6).6)² + .3(1-(.5+.4).6)² = .04624 + .06348 = .10972
    # B = .6²·(.1·(.6+.5)² + .2·(.4+.5)²), where each cell has the second's share of its row and the first's of its column
    #   = .36·(.1·1.21 + .2·.81) = .36·.283 = .10188;  C = (.4 - .5·.6)² = .01;  SE = √((.10972+.10188-.01)/50) / .5
    assert found.error == pytest.approx(math.sqrt((0.10972 + 0.10188 - 0.01) / 50) / 0.5, abs=1e-9)
    assert found.low == pytest.approx(0.4 - 1.959964 * found.error)
    assert found.n == 50


def test_kappas_error_is_that_of_the_delta_method():
    """The same standard error in another way: the derivative of kappa by each cell, taken in small steps."""
    table = {
        ("a", "a"): 31,
        ("a", "b"): 4,
        ("a", "c"): 2,
        ("b", "a"): 6,
        ("b", "b"): 22,
        ("b", "c"): 5,
        ("c", "b"): 3,
        ("c", "c"): 17,
    }
    n, names = sum(table.values()), "abc"

    def value(cells):
        total = sum(cells.values())
        p = {pair: count / total for pair, count in cells.items()}
        seen = sum(p[x, x] for x in names)
        chance = sum(sum(p[x, y] for y in names) * sum(p[y, x] for y in names) for x in names)
        return (seen - chance) / (1 - chance)

    cells = {(x, y): table.get((x, y), 0) / n for x in names for y in names}
    slope = {}
    for pair in cells:
        up, down = {**cells, pair: cells[pair] + 1e-6}, {**cells, pair: cells[pair] - 1e-6}
        slope[pair] = (value(up) - value(down)) / 2e-6
    mean = sum(cells[pair] * slope[pair] for pair in cells)
    variance = (sum(cells[pair] * slope[pair] ** 2 for pair in cells) - mean**2) / n
    found = quality.kappa(table)
    assert found.value == pytest.approx(value(cells))
    assert found.error == pytest.approx(math.sqrt(variance), rel=1e-5)


@pytest.mark.parametrize(
    ("table", "value"),
    [
        ({("yes", "yes"): 8, ("no", "no"): 2}, 1.0),
        ({("yes", "no"): 5, ("no", "yes"): 5}, -1.0),
        ({("yes", "yes"): 10}, None),  # both always say the same: nothing is left for chance
        ({}, None),
    ],
)
def test_kappa_at_its_ends(table, value):
    found = quality.kappa(table)
    assert found.value == (value if value is None else pytest.approx(value))
    if value is None or abs(value) == 1.0:
        assert found.low is None  # the error formula says nothing there


def reviewed(session, now, *, first, second, staff=None, reasons=(), again=(), why="random", **more):
    """A sample that was reviewed, of a real case."""
    case = a.a_draft(session, now=now, photos=False)
    number = max([0, *session.scalars(select(QualitySample.event_id).where(QualitySample.event_id.is_not(None)))]) + 1
    reviewer = session.scalars(select(Staff).where(Staff.name == "Rita Reviewer")).one()
    session.add(
        QualitySample(
            id=uuid4(), case_id=case.id, event_id=number, why=why, share=0.05 if why == "random" else None,
            staff_id=staff.id if staff else None, action=first, reasons=list(reasons), answered_at=now, drawn_at=now,
            reviewer_id=reviewer.id, taken_until=now, reviewed_at=now, verdict=second, verdict_reasons=list(again),
            agrees=first == second, **more,
        )
    )  # fmt: skip
    session.flush()


def test_figures_count_what_was_drawn_by_chance_and_tell_people_from_the_machine(session, now, reviewer):
    ada, bo = a.a_member(session, now=now), a.a_member(session, now=now)
    for _ in range(6):
        reviewed(session, now, first="approve", second="approve", staff=ada)
    differ, blurred = "selfie_document_faces_differ", "selfie_blurred"
    reviewed(session, now, first="approve", second="reject", staff=ada, again=(differ,))
    reviewed(session, now, first="reject", second="reject", staff=bo, reasons=(differ,), again=(differ,))
    reviewed(session, now, first="reject", second="ask_retake", staff=bo, reasons=(differ,), again=(blurred,))
    reviewed(session, now, first="approve", second="approve")
    reviewed(session, now, first="approve", second="reject", again=(differ,))
    reviewed(session, now, first="approve", second="reject", staff=ada, why="overturned", again=(differ,), overturned_at=now)
    reviewed(session, now - 99 * DAY, first="approve", second="reject", staff=ada, again=(differ,))
    found = quality.figures(session, since=now - DAY)
    assert (found.answers.found, found.answers.n) == (7, 9)
    # p_o = 7/9; p_e = 7/9·6/9 + 2/9·2/9 + 0 = 46/81; κ = (63 - 46)/(81 - 46)
    assert found.kappa.value == pytest.approx(17 / 35)
    rows = {row.code: row for row in found.actions}
    assert (rows["approve"].first, rows["approve"].second, rows["approve"].both) == (7, 6, 6)
    # yes/yes 6, yes/no 1, no/no 2: p_o = 8/9, p_e = (7·6 + 2·3)/81 = 48/81, κ = (72 - 48)/(81 - 48)
    assert rows["approve"].kappa.value == pytest.approx(24 / 33)
    reasons = {row.code: row for row in found.reasons}
    assert list(reasons) == [blurred, differ]  # in the order in which people read reasons
    assert (reasons[differ].first, reasons[differ].second, reasons[differ].both, reasons[differ].agreement.found) == (2, 2, 1, 7)
    machine, people = found.machine, found.people
    assert (machine.drawn.found, machine.drawn.n, machine.reasons) == (1, 2, ((ReasonCode(differ), 1),))
    assert (people.drawn.found, people.drawn.n, people.wrong_approvals.n, people.overturned) == (2, 9, 7, 1)


def test_the_queue_tells_nobody_which_cases_wait(session, now, every, reviewer):
    a.a_rejected(session, now=now)
    quality.plant(session, count=1, now=now)
    quality.draw(session, now=now)
    waiting = quality.lines(session, now=now)
    assert len(waiting) == 2 and waiting[0] == waiting[1]  # a specimen cannot be told from a case
    found = quality.waiting(session, agent=reviewer, now=now)
    assert (found.open, found.hers, found.soon) == (2, 2, 0)
    assert set(quality.Line.__dataclass_fields__) == {"since", "shredded_at", "taken"}
