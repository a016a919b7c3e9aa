"""A deployment's own calibration: which cases label which pairs, what is kept, and which one holds."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from cases import calibration, intake, photo_store, profiles, review, staff, staff_mails, staff_words
from cases.audit import Actor
from cases.host_tables import StaffMail
from cases.lifecycle import State
from cases.models import Calibration, Disposition, Event, Role, Run
from cases.ops_tables import CalibrationActivation
from cases.policies import Outdated, SamePerson
from tests import factories as a
from verification.calibration import CONDITION, OwnPair, TooFewPairs, fit_own, shipped
from verification.decision import Outcome
from verification.evidence import Pair
from verification.policy import SHIPPED
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
        calibration.fit(session, now=now)
    assert session.scalars(select(Calibration)).all() == [] and calibration.current(session) is None
    standing = calibration.standing(session)
    assert (standing.own, standing.held, standing.waiting) == (None, None, None) and standing.holds == shipped()


@pytest.fixture
def enough(session, agent, now, monkeypatch):
    """Enough labelled pairs at a sixth of the number: three hundred real cases would take a minute to make."""
    monkeypatch.setattr("verification.calibration.OWN_PAIRS", 50)
    monkeypatch.setattr("verification.calibration.OWN_EACH", 10)
    labelled(session, agent, now, approved=15, rejected=6)


@pytest.mark.usefixtures("enough")
def test_a_calibration_holds_once_two_people_agreed_with_its_n_date_and_names(session, now):
    otto, petra = a.a_member(session, Role.OPS, name="Otto", now=now), a.a_member(session, Role.LEAD, name="Petra", now=now)
    made = calibration.fit(session, now=now)
    assert made.card["pairs"] == 57 and session.scalars(select(Calibration)).all() == []
    proposed = calibration.propose(session, made, by=otto, reason="Enough  pairs.", now=now)
    assert calibration.current(session) is None and calibration.standing_calibration(session) == shipped()
    waiting = calibration.standing(session).waiting
    assert waiting is not None and waiting.calibration is not None
    assert (waiting.id, waiting.number, waiting.proposed_by, waiting.reason) == (proposed.id, 1, "Otto", "Enough pairs.")
    calibration.confirm(session, proposed.id, by=petra, now=now + MINUTE)
    held = calibration.current(session)
    assert held is not None and held.label == "own face calibration 1"
    assert held.card["genuine_pairs"] == 45 and held.card["impostor_pairs"] == 12 and held.card["date"] == now.date().isoformat()
    assert {k: (v["genuine_pairs"], v["impostor_pairs"]) for k, v in held.card["kinds"].items()} == {
        "selfie_document": (15, 6), "selfie_on_file": (15, 6), "document_on_file": (15, 0),
    }  # fmt: skip
    for pair in Pair:
        assert held.fmr(pair, 7.0) == pytest.approx(made.fmr(pair, 7.0), rel=1e-3)
        assert held.fmr(pair, 7.0) >= shipped().fmr(pair, 7.0)
        assert held.odds[CONDITION[pair]].slope > 0
    row = session.scalars(select(Calibration)).one()
    assert (row.number, row.pairs, row.base) == (1, 57, shipped().label)
    standing = calibration.standing(session)
    assert standing.waiting is None and standing.held is not None and standing.age(now.date() + timedelta(days=3)) == 3
    assert (standing.held.proposed_by, standing.held.confirmed_by) == ("Otto", "Petra")
    events = session.scalars(select(Event).where(Event.kind.like("calibrat%")).order_by(Event.id)).all()
    assert [(e.kind, e.actor_kind, e.actor_id) for e in events] == [
        ("calibration_proposed", "staff", str(otto.id)), ("calibrated", "staff", str(petra.id)),
    ]  # fmt: skip
    assert events[1].details == {"activation_id": proposed.id, "calibration": 1, "count": 57, "proposed_by": str(otto.id)}


@pytest.mark.usefixtures("enough")
def test_nobody_alone_changes_what_scores_mean(session, now):
    otto = a.a_member(session, Role.OPS, more=(Role.LEAD,), now=now)
    strangers = [a.a_member(session, role, now=now) for role in (Role.AGENT, Role.SENIOR_AGENT, Role.AUDITOR, Role.ADMIN)]
    made = calibration.fit(session, now=now)
    for nobody in strangers:
        with pytest.raises(staff.NotAllowed):
            calibration.propose(session, made, by=nobody, reason="Mine.", now=now)
    proposed = calibration.propose(session, made, by=otto, reason="Mine.", now=now)
    with pytest.raises(SamePerson):
        calibration.confirm(session, proposed.id, by=otto, now=now)
    for nobody in strangers:
        with pytest.raises(staff.NotAllowed):
            calibration.confirm(session, proposed.id, by=nobody, now=now)
        with pytest.raises(staff.NotAllowed):
            calibration.withdraw(session, proposed.id, by=nobody, now=now)
    assert calibration.current(session) is None
    calibration.confirm(session, proposed.id, by=a.a_member(session, Role.OPS, now=now), now=now)
    back = calibration.propose(session, None, by=otto, reason="Back.", now=now)  # it may take a shift away: kinder somewhere
    with pytest.raises(SamePerson):
        calibration.confirm(session, back.id, by=otto, now=now)
    assert calibration.current(session) is not None


@pytest.mark.usefixtures("enough")
@pytest.mark.parametrize(
    "wrong",
    [
        "confirmed_by_id = proposed_by_id, effective_at = proposed_at",
        "effective_at = proposed_at",
        "proposed_by_id = NULL",
    ],
)
def test_the_database_too_wants_two_people(session, now, wrong):
    otto = a.a_member(session, Role.OPS, now=now)
    calibration.propose(session, calibration.fit(session, now=now), by=otto, reason="Mine.", now=now)
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(text(f"UPDATE calibration_activations SET {wrong}"))


@pytest.mark.usefixtures("enough")
def test_one_proposal_at_a_time_and_what_is_over_is_over(session, now):
    otto, petra = a.a_member(session, Role.OPS, now=now), a.a_member(session, Role.OPS, now=now)
    with pytest.raises(Outdated):
        calibration.propose(session, None, by=otto, reason="Back.", now=now)  # the shipped one holds already
    first = calibration.propose(session, calibration.fit(session, now=now), by=otto, reason="One.", now=now)
    with pytest.raises(calibration.Waiting):
        calibration.propose(session, calibration.fit(session, now=now), by=petra, reason="Two.", now=now)
    calibration.withdraw(session, first.id, by=petra, now=now)
    assert calibration.waiting(session) is None
    for step in (calibration.confirm, calibration.withdraw):
        with pytest.raises(Outdated):
            step(session, first.id, by=petra, now=now)
    with pytest.raises(ValueError, match="reason"):
        calibration.propose(session, calibration.fit(session, now=now), by=otto, reason=" ", now=now)
    assert calibration.current(session) is None


@pytest.mark.usefixtures("enough")
def test_what_is_kinder_than_the_shipped_one_or_of_another_cannot_be_proposed(session, now):
    otto = a.a_member(session, Role.OPS, now=now)
    made = calibration.fit(session, now=now)
    kind = made.tables["selfie_document"].moved(-made.card["kinds"]["selfie_document"]["moved_by"] - 0.5, {})
    kinder = replace(made, tables={**made.tables, "selfie_document": kind})
    of_another = replace(made, card={**made.card, "base": "faces 2020-01-01 000000"})
    for wrong in (kinder, of_another):
        with pytest.raises(ValueError, match="never kinder"):
            calibration.propose(session, wrong, by=otto, reason="Mine.", now=now)


@pytest.mark.usefixtures("enough")
def test_the_newest_holds_earlier_ones_stay_explainable_and_the_shipped_one_can_come_back(session, now):
    a.calibrated(session, now=now)
    assert a.calibrated(session, now=now).label == "own face calibration 2"  # in the same second
    a.shipped_again(session, now=now)
    standing = calibration.standing(session)
    assert calibration.current(session) is None and standing.given_up and not standing.outdated
    earlier = calibration.named(session, "own face calibration 1")
    assert earlier is not None and earlier.label == "own face calibration 1"
    assert calibration.named(session, "own face calibration 9") is None
    with pytest.raises(Outdated):
        a.shipped_again(session, now=now)
    assert a.calibrated(session, now=now).label == "own face calibration 3"


@pytest.mark.usefixtures("enough")
def test_one_fitted_on_an_earlier_shipped_calibration_no_longer_holds_and_cannot_be_confirmed(session, now, monkeypatch):
    held = a.calibrated(session, now=now)
    otto, petra = a.a_member(session, Role.OPS, now=now), a.a_member(session, Role.OPS, now=now)
    waits = calibration.propose(session, held, by=otto, reason="Again.", now=now)
    newer = replace(shipped(), label="faces 2030-01-01 ffffff")
    monkeypatch.setattr(calibration, "shipped", lambda: newer)
    assert calibration.current(session) is None
    assert calibration.standing(session).outdated
    with pytest.raises(Outdated):
        calibration.confirm(session, waits.id, by=petra, now=now)


@pytest.mark.usefixtures("enough")
def test_a_proposal_is_over_where_another_holds_than_it_was_compared_with(session, now):
    otto, petra = a.a_member(session, Role.OPS, now=now), a.a_member(session, Role.OPS, now=now)
    waits = calibration.propose(session, calibration.fit(session, now=now), by=otto, reason="One.", now=now)
    beside = CalibrationActivation(
        number=1, reason="Beside.", proposed_by_id=petra.id, proposed_at=now, confirmed_by_id=otto.id, effective_at=now
    )
    session.add(beside)
    session.flush()
    with pytest.raises(Outdated):
        calibration.confirm(session, waits.id, by=petra, now=now)


@pytest.mark.usefixtures("enough")
def test_a_kept_calibration_cannot_be_changed(database, session, now):
    a.calibrated(session, now=now)
    with pytest.raises(DBAPIError, match="append-only"), session.begin_nested():
        session.execute(text("UPDATE calibrations SET pairs = 9999"))


@pytest.mark.usefixtures("enough")
def test_it_holds_nothing_of_a_person(session, now):
    a.calibrated(session, now=now)
    kept = str(session.scalars(select(Calibration)).one().document)
    people = {str(run.case_id) for run in session.scalars(select(Run))}
    assert not [word for word in (*a.PERSONAL, *people) if len(word) > 3 and word in kept]


@pytest.mark.usefixtures("enough")
def test_colleagues_who_may_confirm_are_written_to_and_read_what_waits(session, now):
    otto = a.a_member(session, Role.OPS, now=now)
    petra, aud = a.a_member(session, Role.LEAD, now=now), a.a_member(session, Role.AUDITOR, now=now)
    petra.locale = "en"
    calibration.propose(session, calibration.fit(session, now=now), by=otto, reason="Enough.", now=now)
    mails = {mail.staff_id: mail for mail in session.scalars(select(StaffMail))}
    assert petra.id in mails and otto.id not in mails and aud.id not in mails
    message = staff_mails.begin_sending(session, mails[petra.id].id, now=now)
    assert message is not None
    words = staff_words.second_wanted(session, message, now=now).words
    assert words["what"] == "Scores of faces are to be rated by another calibration." and words["page_url"].endswith("/ops/faces")


# What a change would do


def without_a_face_on_file(session, now, *, similarity):
    """A run whose only doubt may be that there is no face on file."""
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    pair = replace(a.faces()[Pair.SELFIE_DOCUMENT], similarity=similarity, fmr=shipped().fmr(Pair.SELFIE_DOCUMENT, similarity))
    found = a.good_evidence(
        order.claim, order.profile, pairs={Pair.SELFIE_DOCUMENT: pair}, has_face_on_file=False, engines=MODELS
    )
    a.finished(session, order, now=now, evidence=found)


def one_reference_may_decide(session, now):
    otto, petra = a.a_member(session, Role.OPS, now=now), a.a_member(session, Role.OPS, now=now)
    a.ramped(session, replace(SHIPPED, require_face_on_file=False), by=otto, second=petra, now=now)


def own(*, of_strangers, only=Pair.SELFIE_DOCUMENT):
    dice = random.Random(0)
    pairs = [
        OwnPair(pair=only, similarity=dice.gauss(12 if n < 280 else of_strangers, 1.0), same=n < 280, person=str(n))
        for n in range(330)
    ]
    return fit_own(shipped(), pairs, label="own", date="2026-11-23", rounds=3)


def test_who_confirms_is_told_what_the_newest_runs_would_come_to(session, now):
    for similarity in (9.0, 9.5, 7.2):
        without_a_face_on_file(session, now, similarity=similarity)
    strict = calibration.effects(session, own(of_strangers=1.0))
    assert (strict.runs, strict.flows, strict.without_face_on_file) == (3, {}, 0)  # the policy asks for a face on file anyhow
    assert strict.never_kinder and not strict.one_may_decide
    one_reference_may_decide(session, now)
    like = calibration.effects(session, own(of_strangers=-0.5))
    assert like.flows == {(Outcome.REFER, Outcome.APPROVE): 3} and like.without_face_on_file == 3 and like.one_may_decide
    higher = calibration.effects(session, own(of_strangers=1.0))
    assert higher.flows == {(Outcome.REFER, Outcome.APPROVE): 2} and higher.one_may_decide  # 7.2 is no longer rare enough
    nothing = calibration.effects(session, None)
    assert nothing.flows == {} and not nothing.one_may_decide and nothing.never_kinder


def test_without_strangers_of_selfie_and_passport_one_reference_still_decides_nothing(session, now):
    without_a_face_on_file(session, now, similarity=9.0)
    one_reference_may_decide(session, now)
    made = own(of_strangers=-0.5, only=Pair.SELFIE_ON_FILE)
    found = calibration.effects(session, made)
    assert found.flows == {} and not found.one_may_decide


def test_going_back_to_the_shipped_one_is_shown_as_kinder_where_it_is(session, now, monkeypatch):
    pairs = [
        OwnPair(pair=Pair.SELFIE_DOCUMENT, similarity=12.0 + n % 3 if n < 280 else 2.0 + n % 4, same=n < 280, person=str(n))
        for n in range(330)
    ]
    monkeypatch.setattr(calibration, "labelled_pairs", lambda _session: iter(pairs))
    a.calibrated(session, now=now)
    assert not calibration.effects(session, None).never_kinder


# Groups


def test_errors_are_told_by_sex_and_age_band_each_customer_once_and_only_where_there_are_enough(session):
    def pair(person, similarity, *, same=True, sex="F", age=3):
        return OwnPair(pair=Pair.SELFIE_DOCUMENT, similarity=similarity, same=same, person=person, sex=sex, age=age)

    women = [pair(f"w{n}", 3.0 if n < 3 else 9.0) for n in range(40)]
    again = [pair("w0", 9.0) for _ in range(50)]  # older pairs of hers
    men = [pair(f"m{n}", 9.0, sex="M", age=6) for n in range(20)]
    strangers = [pair(f"s{n}", 8.0 if n == 0 else 1.0, same=False, sex="", age=0) for n in range(30)]
    found = {(s.group, s.pair): s for s in calibration.slices([*women, *again, *men, *strangers], SHIPPED)}
    all_, female = found["all", Pair.SELFIE_DOCUMENT], found["sex: female", Pair.SELFIE_DOCUMENT]
    assert (all_.genuines, all_.fnmr.found, all_.impostors, all_.fmr.found) == (60, 3, 30, 1)
    assert (female.genuines, female.fnmr.found, female.fnmr.n) == (40, 3, 40)
    assert (female.fnmr.low, female.fnmr.high) == pytest.approx((0.0258, 0.1986), abs=1e-4)  # Wilson
    assert found["sex: male", Pair.SELFIE_DOCUMENT].fnmr is None  # 20 are not enough
    assert found["age: 30-49", Pair.SELFIE_DOCUMENT].genuines == 40 and found["age: 50-69", Pair.SELFIE_DOCUMENT].genuines == 20
    assert found["age: 0-29", Pair.SELFIE_DOCUMENT].genuines == 0 and female.fmr is None
    assert found["all", Pair.SELFIE_ON_FILE].genuines == 0


def test_a_labelled_pair_knows_its_customers_sex_and_decade_from_the_runs_record(session, agent, now):
    answered(session, in_review(session, now), agent, now)
    assert {(p.sex, p.age) for p in calibration.labelled_pairs(session)} == {("F", 3)}
    session.execute(text("DELETE FROM run_records"))  # she had it erased
    assert {(p.sex, p.age) for p in calibration.labelled_pairs(session)} == {("", 0)}


def test_pairs_are_read_page_by_page_and_only_the_last_answer_of_a_case_counts(session, agent, now, monkeypatch):
    monkeypatch.setattr(calibration, "TOGETHER", 2)
    cases = [in_review(session, now, scores={"selfie_document": 5.0 + n / 10}) for n in range(5)]
    for n, case in enumerate(cases):
        answered(session, case, agent, now + n // 2 * MINUTE)  # two in one minute

    def newest_first():
        return [p.similarity for p in calibration.labelled_pairs(session) if p.pair is Pair.SELFIE_DOCUMENT]

    assert newest_first()[0] == 5.4 and sorted(newest_first()) == [5.0, 5.1, 5.2, 5.3, 5.4]
    later = {"case_id": cases[0].id, "staff_id": agent.id, "action": "reject", "reasons": [], "created_at": now + 60 * MINUTE}
    session.execute(insert(Disposition), [later])
    assert sorted(newest_first()) == [5.1, 5.2, 5.3, 5.4]  # her last answer does not stand, and the one before is over
