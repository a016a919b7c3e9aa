"""What-if: a draft over past runs, against what people answered; nothing is proposed before it was looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.exc import NoResultFound

from cases import policies, replays
from cases.audit import KINDS
from cases.models import Event, Role, Run
from cases.ops_tables import ReplayWrong, RunRecord
from cases.staff import NotAllowed
from tests import factories as a
from verification.decision import Outcome
from verification.evidence import Field
from verification.policy import SHIPPED

DAY = timedelta(days=1)
LENIENT = replace(SHIPPED, version=2, min_selfie_document=4.0)
STRICT = replace(SHIPPED, version=2, min_selfie_document=9.5)
HELD = replace(SHIPPED, version=1)


@pytest.fixture
def lead(session, now):
    return a.a_member(session, Role.LEAD, now=now)


def what_if(session, policy, now, **about):
    return replays.replay(session, policy, against=HELD, since=now - DAY, until=now + DAY, **about)


def test_every_finished_run_leaves_a_record_that_decides_as_it_was_decided(session, now):
    for make in (a.an_approved, a.an_in_review, a.a_needs_retake):
        make(session, now=now)
    rows = np.frombuffer(b"".join(session.scalars(select(RunRecord.packed))), replays.ROW)
    answers = replays.decide_all(rows["run"], HELD)
    assert len(rows) == 3 and (answers.outcomes == rows["outcome"]).all()
    assert set(rows["sex"]) == {b"F"} and set(rows["age_band"]) == {(now.year - 1990) // 10}
    assert set(rows["country"]) == {b"UTO"} and set(rows["locale"]) == {b"en"}


def test_flows_go_from_old_to_new(session, now):
    a.an_approved(session, now=now)
    a.an_in_review(session, now=now)
    same, wrong = what_if(session, HELD, now)
    assert same.flows == {"approve>approve": 1, "refer>refer": 1} and same.moved == 0 and wrong == ()
    tighter, _ = what_if(session, STRICT, now)
    assert tighter.flows == {"approve>refer": 1, "refer>refer": 1}
    assert tighter.count(Outcome.APPROVE, Outcome.REFER) == 1 and tighter.moved == 1
    assert tighter.share(Outcome.APPROVE, now=False) == 0.5 and tighter.share(Outcome.APPROVE, now=True) == 0.0
    assert dict((name, (more, less)) for name, more, less in tighter.reasons)["selfie_document_faces_unsure"] == (1, 0)
    looser, _ = what_if(session, LENIENT, now)
    assert looser.flows == {"approve>approve": 1, "refer>approve": 1}


def test_what_a_person_refused_is_counted_and_listed(session, now):
    agent = a.a_member(session, now=now)
    rejected = a.a_rejected(session, now=now, agent=agent)
    waiting = a.an_in_review(session, now=now)
    approved = a.approved_by_people(session, a.an_in_review(session, now=now), now=now)
    found, wrong = what_if(session, LENIENT, now)
    assert (found.answered, found.right, found.wrong) == (2, 1, 1)
    assert [(w.case_id, w.answer) for w in wrong] == [(rejected.id, "rejected")]
    assert {waiting.id, approved.id}.isdisjoint(w.case_id for w in wrong)
    run = session.scalars(select(Run).where(Run.case_id == rejected.id)).one()
    assert wrong[0].run_id == run.id


def test_an_approval_that_was_put_back_counts_as_wrong(session, now):
    senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
    case = a.approved_by_people(session, a.an_in_review(session, now=now), now=now)
    from cases import audit, profiles

    profiles.revert(session, case.id, actor=audit.Actor.staff(senior), reason="By phone.", now=now)
    found, wrong = what_if(session, LENIENT, now)
    assert [(w.case_id, w.answer) for w in wrong] == [(case.id, "reverted")] and found.right == 0


def test_hours_of_agents_follow_from_referrals(session, now):
    a.an_approved(session, now=now)
    found, _ = what_if(session, STRICT, now, seconds_each=3600.0)
    assert found.measured and found.hours_per_week == pytest.approx(1 / (2 / 7))
    guessed, _ = what_if(session, STRICT, now)
    assert not guessed.measured and guessed.hours_per_week == pytest.approx(replays.AGENT_SECONDS / 3600 * 3.5)
    saved, _ = what_if(session, HELD, now)
    assert saved.hours_per_week == 0


def test_runs_outside_the_time_are_left_out(session, now):
    a.an_approved(session, now=now - 3 * DAY)
    a.an_approved(session, now=now)
    assert what_if(session, HELD, now)[0].runs == 1


def test_a_group_treated_otherwise_is_warned_of(session, now, monkeypatch):
    monkeypatch.setattr(replays, "LEAST_GROUP", 2)
    woman = a.PROFILE
    man = replace(woman, values={**woman.values, Field.SEX: "M"})
    for profile, score in ((woman, 9.0), (woman, 9.0), (man, 11.0), (man, 11.0)):
        case = a.a_submitted(session, now=now, customer=a.a_customer(session, now=now, profile=profile))
        order = a.begun(session, case, now=now)
        evidence = a.good_evidence(order.claim, order.profile, pairs=a.faces(selfie_document=score))
        a.finished(session, order, now=now, evidence=evidence)
    found, _ = what_if(session, STRICT, now)
    groups = {(g.kind, g.value): g for g in found.groups}
    assert groups["sex", "F"].warned and groups["sex", "M"].warned
    assert (groups["sex", "F"].was, groups["sex", "F"].now, groups["sex", "F"].apart) == (1.0, 0.0, -1.0)
    assert not groups["country", "UTO"].warned, "it is everybody"
    assert {g.value for g in found.warned} == {"F", "M"}
    monkeypatch.setattr(replays, "LEAST_GROUP", 3)
    assert not what_if(session, STRICT, now)[0].warned


def test_a_replay_survives_its_row(session, now):
    a.an_approved(session, now=now)
    found, _ = what_if(session, STRICT, now)
    assert replays.Replay.from_json(found.to_json()) == found


def test_old_runs_are_packed_later(session, now):
    a.an_approved(session, now=now)
    case = a.a_submitted(session, now=now, new_email=a.NEW_EMAIL)
    a.finished(session, a.begun(session, case, now=now), now=now)
    before = [bytes(p) for p in session.scalars(select(RunRecord.packed).order_by(RunRecord.run_id))]
    session.execute(delete(RunRecord))
    assert replays.backfill(session, limit=1) == 1 and replays.backfill(session, limit=5) == 1 and replays.backfill(session) == 0
    after = [bytes(p) for p in session.scalars(select(RunRecord.packed).order_by(RunRecord.run_id))]
    old, new = (np.frombuffer(b"".join(rows), replays.ROW) for rows in (before, after))
    assert (old["run"] == new["run"]).all() and (old["case_id"] == new["case_id"]).all(), "standing reasons came back too"
    assert what_if(session, HELD, now)[0].flows == {"approve>approve": 1, "refer>refer": 1}


def test_records_of_another_packing_are_told_and_left_out(session, now):
    a.an_approved(session, now=now)
    record = session.scalars(select(RunRecord)).one()
    record.packed = b"\xff" + record.packed[1:]
    session.flush()
    found, _ = what_if(session, HELD, now)
    assert (found.runs, found.skipped) == (0, 1)


def test_who_is_forgotten_leaves_no_record(session, now):
    case = a.an_approved(session, now=now)
    other = a.an_approved(session, now=now)
    assert replays.forget(session, [case.id]) == 1
    rows = np.frombuffer(b"".join(session.scalars(select(RunRecord.packed))), replays.ROW)
    assert [replays._uuid(row["case_id"]) for row in rows] == [other.id]


def test_a_draft_needs_its_replay_and_open_eyes(session, now, lead):
    a.a_rejected(session, now=now)
    version = policies.draft(session, LENIENT, author=lead, reason="Fewer referrals.", now=now).version
    with pytest.raises(replays.NotReplayed):
        replays.require_seen(session, version, now=now + DAY)
    report = replays.attach(session, version, since=now - DAY, by=lead, now=now + DAY)
    assert replays.of(report).wrong == report.wrong == 1
    with pytest.raises(replays.Unopened) as unopened:
        replays.require_seen(session, version, now=now + DAY)
    assert unopened.value.count == 1
    (wrong,) = replays.wrongs(session, report)
    for _twice in range(2):
        replays.open_wrong(session, report.id, wrong.case_id, by=lead, now=now + DAY)
    assert replays.require_seen(session, version, now=now + DAY).id == report.id
    kinds = session.scalars(select(Event.kind).where(Event.kind.in_(("policy_replayed", "would_be_approval_opened")))).all()
    assert sorted(kinds) == ["policy_replayed", "would_be_approval_opened"] and set(kinds) <= set(KINDS)
    assert session.scalar(select(func.count()).select_from(ReplayWrong).where(ReplayWrong.opened_by_id == lead.id)) == 1


def test_a_replay_against_what_no_longer_holds_counts_for_nothing(session, now, lead):
    version = policies.draft(session, LENIENT, author=lead, reason="Fewer referrals.", now=now).version
    replays.attach(session, version, since=now - DAY, by=lead, now=now)
    assert replays.require_seen(session, version, now=now + DAY)
    tighter = a.proposed(session, STRICT, by=lead, now=now + DAY).version
    assert policies.current(session).version == tighter
    with pytest.raises(replays.NotReplayed):
        replays.require_seen(session, version, now=now + DAY)


def test_agents_neither_replay_nor_open(session, now, lead):
    agent = a.a_member(session, now=now)
    version = policies.draft(session, LENIENT, author=lead, reason="Fewer referrals.", now=now).version
    with pytest.raises(NotAllowed):
        replays.attach(session, version, since=now - DAY, by=agent, now=now)
    report = replays.attach(session, version, since=now - DAY, by=lead, now=now)
    with pytest.raises(NoResultFound):
        replays.open_wrong(session, report.id, report.id, by=lead, now=now)


@pytest.mark.parametrize(
    ("wrong", "n", "bound"), [(0, 312, 0.00956), (0, 30_000, 0.0000999), (1, 100, 0.0466), (5, 5, 1.0), (0, 0, None)]
)
def test_a_bound_says_what_so_few_cases_can_show(wrong, n, bound):
    """Values of Clopper and Pearson's one-sided 95 % bound from R: qbeta(0.95, wrong + 1, n - wrong)."""
    assert replays.upper_bound(wrong, n) == (None if bound is None else pytest.approx(bound, rel=2e-3))


def test_who_had_herself_erased_is_not_replayed_and_not_packed_anew(session, now):
    from cases import retention

    hers, other = a.an_approved(session, now=now), a.an_approved(session, now=now)
    later = now + 40 * DAY
    assert retention.erase(session, hers.customer_id, now=later) == [hers.id]
    assert replays.backfill(session) == 0
    rows = np.frombuffer(b"".join(session.scalars(select(RunRecord.packed))), replays.ROW)
    assert [replays._uuid(row["case_id"]) for row in rows] == [other.id]
    session.execute(delete(RunRecord))
    retention.shred_due(session, now=later)
    assert replays.backfill(session) == 1, "what was only shredded in time holds no name and is packed"


def test_a_case_tried_twice_counts_once(session, now):
    case = a.approved_by_people(session, a.an_in_review(session, now=now), now=now)
    record = session.scalars(select(RunRecord)).one()
    run = session.scalars(select(Run).where(Run.case_id == case.id)).one()
    again = Run(
        **{c.key: getattr(run, c.key) for c in Run.__table__.columns if c.key not in ("id", "fence")}, fence=run.fence + 1
    )
    session.add(again)
    session.flush()
    session.add(RunRecord(run_id=again.id, finished_at=record.finished_at, packed=record.packed))
    session.flush()
    found, _ = what_if(session, LENIENT, now)
    assert found.runs == 2 and (found.answered, found.right) == (1, 1)


def test_work_of_agents_is_measured_once_there_is_enough_of_it(session, now, lead, monkeypatch):
    from cases import figures

    version = policies.draft(session, LENIENT, author=lead, reason="Fewer referrals.", now=now).version
    for n, measured in ((replays.LEAST_TIMED - 1, False), (replays.LEAST_TIMED, True)):
        monkeypatch.setattr(figures, "work", lambda *args, n=n, **about: figures.Value(value=240.0, n=n))
        found, _ = replays.weigh(session, version, since=now - DAY, now=now)
        assert (found.measured, found.seconds_each, found.timed) == (measured, 240.0 if measured else 90.0, n if measured else 0)


def test_one_of_them_is_shown_with_what_stood_beside_its_measures(session, now, lead):
    case = a.a_rejected(session, now=now)
    version = policies.draft(session, LENIENT, author=lead, reason="Fewer referrals.", now=now).version
    report = replays.attach(session, version, since=now - DAY, by=lead, now=now + DAY)
    page = replays.wrong_page(session, report.id, case.id)
    assert (page.was.outcome, page.now.outcome) == (Outcome.REFER, Outcome.APPROVE)
    assert [answer.action for answer in page.answers] == ["reject"] and page.wrong.answer == "rejected"
    session.execute(delete(RunRecord))
    assert replays.wrong_page(session, report.id, case.id).was == page.was, "without a record, from the run alone"
    with pytest.raises(NoResultFound):
        replays.wrong_page(session, report.id, report.id)


def test_a_report_is_not_kept_against_what_no_longer_holds(session, now, lead):
    version = policies.draft(session, LENIENT, author=lead, reason="Fewer referrals.", now=now).version
    found, wrong = replays.weigh(session, version, since=now - DAY, now=now)
    a.proposed(session, STRICT, by=lead, now=now + DAY)
    with pytest.raises(policies.Outdated):
        replays.keep_report(session, found, wrong, by=lead, now=now + DAY)
