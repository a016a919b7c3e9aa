"""A deployment's own calibration: which cases label which pairs, what is kept, and which one holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from cases import calibration, intake, photo_store, profiles, review
from cases.audit import Actor
from cases.lifecycle import State
from cases.models import Calibration, Event, Role, Run
from tests import factories as a
from verification.calibration import CONDITION, TooFewPairs, shipped
from verification.evidence import Pair
from verification.reasons import PhotoKind, ReasonCode

MODELS = ("tesseract 5", *shipped().engines, shipped().label)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def agent(session, now):
    return a.a_member(session, now=now)


def in_review(session, now, *, engines=MODELS, scores=None, customer=None):
    """A case that a run referred, with these similarities."""
    case = a.a_submitted(session, now=now, **({"customer": customer} if customer else {}))
    order = a.begun(session, case, now=now)
    pairs = a.faces(**(scores or {"selfie_document": 5.0, "selfie_on_file": 12.0, "document_on_file": 11.0}))
    found = a.with_measures(a.good_evidence(order.claim, order.profile), pairs=pairs, engines=engines)
    assert a.finished(session, order, now=now, evidence=found) is State.IN_REVIEW
    return case


def answered(session, case, agent, now, *, action="approve", reasons=(), looked=("selfie", "document")):
    """An agent takes it, opens photos and answers."""
    review.take(session, case.id, agent=agent, now=now)
    for kind in looked:
        photo = intake.photo(session, case, PhotoKind(kind))
        photo_store.open_photo(session, photo.id, viewer=Actor.staff(agent), purpose="review", now=now)
    disposal = review.Disposal(action=action, reasons=tuple(reasons), note="Seen.", seen_version=case.version)
    return review.dispose(session, case.id, disposal, agent=agent, now=now + MINUTE)


def test_an_approval_by_an_agent_who_looked_labels_every_pair_as_one_person(session, agent, now):
    answered(session, in_review(session, now), agent, now)
    found = list(calibration.labelled_pairs(session))
    assert {p.pair: p.similarity for p in found} == {
        Pair.SELFIE_DOCUMENT: 5.0, Pair.SELFIE_ON_FILE: 12.0, Pair.DOCUMENT_ON_FILE: 11.0,
    }  # fmt: skip
    assert all(p.same for p in found) and len({p.person for p in found}) == 1


@pytest.mark.parametrize("looked", [(), ("selfie",), ("document",)])
def test_an_approval_by_an_agent_who_did_not_look_labels_nothing(session, agent, now, looked):
    answered(session, in_review(session, now), agent, now, looked=looked)
    assert list(calibration.labelled_pairs(session)) == []


def test_what_another_agent_saw_does_not_count(session, agent, now):
    case = in_review(session, now)
    other = a.a_member(session, now=now)
    for kind in ("selfie", "document"):
        photo = intake.photo(session, case, PhotoKind(kind))
        photo_store.open_photo(session, photo.id, viewer=Actor.staff(other), purpose="review", now=now)
    answered(session, case, agent, now, looked=())
    assert list(calibration.labelled_pairs(session)) == []


def test_a_rejection_labels_only_the_pair_of_two_people(session, agent, now):
    case = in_review(session, now)
    answered(session, case, agent, now, action="reject", reasons=[ReasonCode.SELFIE_ON_FILE_FACES_DIFFER])
    (only,) = calibration.labelled_pairs(session)
    assert (only.pair, only.same, only.similarity) == (Pair.SELFIE_ON_FILE, False, 12.0)


def test_a_rejection_for_another_reason_labels_nothing(session, agent, now):
    case = in_review(session, now)
    answered(session, case, agent, now, action="reject", reasons=[ReasonCode.DOCUMENT_EXPIRED])
    assert list(calibration.labelled_pairs(session)) == []


def test_what_the_machine_approved_labels_nothing(session, now):
    a.an_approved(session, now=now)
    assert list(calibration.labelled_pairs(session)) == []


def test_an_approval_that_was_disputed_or_undone_labels_nothing(session, agent, now):
    disputed = answered(session, in_review(session, now), agent, now)
    undone = answered(session, in_review(session, now), agent, now)
    assert len(list(calibration.labelled_pairs(session))) == 6
    disputed.disputed_at = now
    senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
    profiles.revert(session, undone.id, actor=Actor.staff(senior), reason="Not her.", now=now)
    assert list(calibration.labelled_pairs(session)) == []


@pytest.mark.parametrize("engines", [("acted 1",), shipped().engines, (*shipped().engines, "faces 2020-01-01 000000")])
def test_scores_of_other_models_or_of_another_scale_are_left_out(session, agent, now, engines):
    answered(session, in_review(session, now, engines=engines), agent, now)
    assert list(calibration.labelled_pairs(session)) == []


def test_runs_rated_by_an_earlier_own_calibration_are_of_the_same_scale(session, agent, now):
    for number, base in enumerate((shipped().label, "faces 2020-01-01 000000"), 1):
        session.add(Calibration(number=number, document=None, base=base, pairs=0, created_at=now))
    first, *others = (
        in_review(session, now, engines=(*shipped().engines, f"own face calibration {n}")) for n in ("1", "2", "3", "x")
    )
    answered(session, first, agent, now)
    assert len(list(calibration.labelled_pairs(session))) == 3
    for case in others:  # fitted on an earlier shipped calibration, or kept by nobody
        answered(session, case, agent, now)
    assert len(list(calibration.labelled_pairs(session))) == 3


def test_scores_of_photos_that_were_sent_again_are_left_out(session, agent, now):
    case = in_review(session, now)
    answered(session, case, agent, now)
    assert len(list(calibration.labelled_pairs(session))) == 3
    case.attempt += 1  # as if a run of the newer photos had ended without measures
    assert list(calibration.labelled_pairs(session)) == []


def labelled(session, agent, now, *, approved, rejected):
    for n in range(approved):
        scores = {"selfie_document": 5.0 + 0.3 * (n % 4), "selfie_on_file": 11.0 + n % 4, "document_on_file": 10.0 + n % 5}
        answered(session, in_review(session, now, scores=scores), agent, now)
    for n in range(rejected):
        case = in_review(session, now, scores={"selfie_document": 0.5 * (n % 5), "selfie_on_file": 0.3 * (n % 7)})
        answered(session, case, agent, now, action="reject",
                 reasons=[ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER, ReasonCode.SELFIE_ON_FILE_FACES_DIFFER])  # fmt: skip


def test_too_few_pairs_are_refused_and_nothing_is_kept(session, agent, now):
    labelled(session, agent, now, approved=2, rejected=1)
    with pytest.raises(TooFewPairs, match=r"^8 of 300 labelled pairs: 6 of one person, 2 of different people"):
        calibration.calibrate(session, now=now)
    assert session.scalars(select(Calibration)).all() == [] and calibration.current(session) is None
    standing = calibration.standing(session)
    assert (standing.pairs, standing.genuine, standing.own, standing.number) == (8, 6, None, None)


@pytest.fixture
def enough(session, agent, now, monkeypatch):
    """Enough labelled pairs at a sixth of the number: three hundred real cases would take a minute to make."""
    monkeypatch.setattr("verification.calibration.OWN_PAIRS", 50)
    monkeypatch.setattr("verification.calibration.OWN_EACH", 10)
    labelled(session, agent, now, approved=15, rejected=6)


@pytest.mark.usefixtures("enough")
def test_a_calibration_holds_once_it_is_kept_with_its_n_and_date(session, now):
    tried = calibration.calibrate(session, now=now, keep=False)
    assert tried.card["pairs"] == 57 and calibration.current(session) is None
    made = calibration.calibrate(session, now=now)
    held = calibration.current(session)
    assert held is not None and held.label == made.label == "own face calibration 1"
    assert held.card["genuine_pairs"] == 45 and held.card["impostor_pairs"] == 12 and held.card["date"] == now.date().isoformat()
    for pair in Pair:
        assert held.fmr(pair, 7.0) >= shipped().fmr(pair, 7.0)
        assert held.odds[CONDITION[pair]].slope > 0
    row = session.scalars(select(Calibration)).one()
    assert (row.number, row.pairs, row.base) == (1, 57, shipped().label)
    event = session.scalars(select(Event).where(Event.kind == "calibrated")).one()
    assert event.details == {"calibration": 1, "count": 57}


@pytest.mark.usefixtures("enough")
def test_the_newest_holds_earlier_ones_stay_explainable_and_the_shipped_one_can_come_back(session, now):
    calibration.calibrate(session, now=now)
    calibration.calibrate(session, now=now)
    held = calibration.current(session)
    assert held is not None and held.label == "own face calibration 2"
    calibration.give_up(session, now=now)
    standing = calibration.standing(session)
    assert calibration.current(session) is None and standing.given_up and not standing.outdated and standing.number == 3
    earlier = calibration.named(session, "own face calibration 1")
    assert earlier is not None and earlier.label == "own face calibration 1"
    assert calibration.named(session, "own face calibration 9") is None


@pytest.mark.usefixtures("enough")
def test_one_fitted_on_an_earlier_shipped_calibration_no_longer_holds(session, now, monkeypatch):
    calibration.calibrate(session, now=now)
    newer = replace(shipped(), label="faces 2030-01-01 ffffff")
    monkeypatch.setattr(calibration, "shipped", lambda: newer)
    assert calibration.current(session) is None
    assert calibration.standing(session).outdated


@pytest.mark.usefixtures("enough")
def test_a_kept_calibration_cannot_be_changed(database, session, now):
    calibration.calibrate(session, now=now)
    with pytest.raises(DBAPIError, match="append-only"), session.begin_nested():
        session.execute(text("UPDATE calibrations SET pairs = 9999"))


@pytest.mark.usefixtures("enough")
def test_it_holds_nothing_of_a_person(session, now):
    calibration.calibrate(session, now=now)
    kept = str(session.scalars(select(Calibration)).one().document)
    people = {str(run.case_id) for run in session.scalars(select(Run))}
    assert not [word for word in (*a.PERSONAL, *people) if len(word) > 3 and word in kept]
