"""Figures of agents, each recomputed from raw rows by other code; bounded queries; nobody named; cases moved by a lead."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
from sqlalchemy import event, select

from cases import figures, intake, review, staff, workload
from cases.desk_tables import Answer, AnswerState, QualitySample
from cases.lifecycle import State
from cases.models import Case, Disposition, Event, Rating, Role
from tests import factories as a
from tests.cases.desk_history import History, a_year

COUNTED = {"carried_out", "first", "disagreed", "followed", "overruled"}


@pytest.fixture
def desk(session, now):
    """Six agents, 480 answers in eight weeks."""
    history = History(session, now, random.Random(20))
    agents = history.agents(6)
    a_year(history, agents, 480)
    return agents


def raw(session):
    """All rows, as plain Python."""
    events = defaultdict(list)
    for e in session.scalars(select(Event).order_by(Event.id)):
        events[e.case_id].append(e)
    return {
        "answers": session.scalars(select(Answer)).all(),
        "events": events,  # of each case, in the trail's order
        "cases": {c.id: c for c in session.scalars(select(Case))},
        "dispositions": session.scalars(select(Disposition)).all(),
        "ratings": session.scalars(select(Rating)).all(),
        "samples": session.scalars(select(QualitySample)).all(),
    }


@pytest.fixture
def both(session, desk, now):
    """What `team` says by agent, and the raw rows of the same four weeks."""
    since = now - timedelta(days=28)
    told = {one.staff_id: one for one in figures.team(session, since=since, until=now)}
    rows = raw(session)
    rows["window"] = [x for x in rows["answers"] if since <= x.given_at < now and x.state.value in COUNTED]
    rows["since"] = since
    return told, rows


def test_handled_and_shares_of_retakes_and_rejections(both, desk):
    told, rows = both
    for agent in desk:
        hers = [x for x in rows["window"] if x.staff_id == agent.id]
        assert told[agent.id].handled == len(hers) > 20
        for name, action in (("retake", "ask_retake"), ("reject", "reject")):
            value = told[agent.id].values[name]
            assert value.n == len(hers) and value.value == sum(x.action == action for x in hers) / len(hers)
    assert any(x.state.value in ("taken_back", "dropped") for x in rows["answers"]), "the history has nothing to leave out"


def test_minutes_from_taking_to_answering_with_pauses_cut(both, desk):
    told, rows = both
    cut = 0
    for agent in desk:
        times = []
        for answer in rows["window"]:
            if answer.staff_id != agent.id:
                continue
            clock, last = None, None
            for e in rows["events"][answer.case_id]:  # one walk through the trail per answer
                if e.actor_id != str(agent.id) or e.at > answer.given_at:
                    continue
                if e.kind == "case_taken":
                    clock, last = 0.0, e.at
                elif clock is not None:
                    pause = (e.at - last).total_seconds()
                    cut += pause > 300
                    clock, last = clock + min(pause, 300.0), e.at
            if clock:
                times.append(clock)
        value = told[agent.id].values["minutes"]
        assert value.n == len(times) and value.value == pytest.approx(median(times) / 60)
    assert cut > 3, "the history has no long pause"


def test_a_long_pause_counts_five_minutes_and_an_earlier_turn_not_at_all(session, now):
    history = History(session, now, random.Random(1))
    agent, other = history.agents(2)
    case = history.case(now - timedelta(hours=9))
    history.work(case, agent, now - timedelta(hours=8), [100, 100])  # she gave it back
    history.work(case, other, now - timedelta(hours=7), [50, 50])
    at = history.work(case, agent, now - timedelta(hours=2), [30, 1200, 40])
    history.answer(case, agent, "reject", at, AnswerState.CARRIED_OUT)
    history.write()
    told = {one.staff_id: one for one in figures.team(session, since=now - timedelta(days=1), until=now)}
    assert told[agent.id].values["minutes"] == figures.Value(value=pytest.approx((30 + 300 + 40) / 60), n=1)
    assert told[other.id].values["minutes"].n == 0


def test_in_time_counts_clocks_stopped_before_the_promised_hour(both, desk, session):
    told, rows = both
    hours = session.info["settings"].review_hours
    late = 0
    for agent in desk:
        hits = []
        for answer in rows["window"]:
            if answer.staff_id == agent.id and answer.state is AnswerState.CARRIED_OUT:
                came = [e.at for e in rows["events"][answer.case_id] if e.details.get("new") == "in_review"]
                since = max(at for at in came if at <= answer.ended_at)
                hits.append((answer.ended_at - since).total_seconds() <= hours * 3600)
        late += hits.count(False)
        value = told[agent.id].values["in_time"]
        assert (value.n, value.value) == (len(hits), sum(hits) / len(hits))
    assert late


def test_agreement_counts_each_blind_pair_for_both(both, desk):
    told, rows = both
    by_id = {x.id: x for x in rows["answers"]}
    pairs = [
        (by_id[x.first_id], x)
        for x in rows["answers"]
        if x.first_id and x.second_id is None and x.given_at >= rows["since"] and x.state.value in COUNTED
    ]
    assert len(pairs) > 5 and {second.state for _, second in pairs} == {AnswerState.CARRIED_OUT, AnswerState.DISAGREED}
    for agent in desk:
        hers = [
            second.state is AnswerState.CARRIED_OUT for first, second in pairs if agent.id in (first.staff_id, second.staff_id)
        ]
        value = told[agent.id].values["agreement"]
        assert value.n == len(hers) and value.value == (sum(hers) / len(hers) if hers else None)


def test_overturned_and_opened_again(both, desk):
    told, rows = both
    seen = {"overruled": 0, "approved later": 0, "put back": 0, "appealed": 0, "disputed": 0}
    for agent in desk:
        hers = [x for x in rows["window"] if x.staff_id == agent.id]
        undone = again = closed = 0
        for x in hers:
            case, out = rows["cases"][x.case_id], x.state is AnswerState.CARRIED_OUT
            done = [d for d in rows["dispositions"] if d.case_id == x.case_id and d.action == "approve"]
            later = out and any(d.created_at > x.ended_at for d in done)
            appealed = out and any(e.kind == "appealed" and e.at > x.ended_at for e in rows["events"][x.case_id])
            if x.state is AnswerState.OVERRULED:
                undone, seen["overruled"] = undone + 1, seen["overruled"] + 1
            if out and x.action == "reject":
                closed += 1
                if later:
                    undone, seen["approved later"] = undone + 1, seen["approved later"] + 1
                if appealed:
                    again, seen["appealed"] = again + 1, seen["appealed"] + 1
            if out and x.action == "approve":
                closed += 1
                if case.state is State.REVERTED:
                    undone, seen["put back"] = undone + 1, seen["put back"] + 1
                if case.disputed_at and case.disputed_at > x.ended_at:
                    again, seen["disputed"] = again + 1, seen["disputed"] + 1
        values = told[agent.id].values
        assert values["overturned"].value == undone / len(hers) and values["overturned"].n == len(hers)
        assert values["reopened"].value == again / closed and values["reopened"].n == closed
    assert all(seen.values()), seen


def test_ratings_go_to_who_closed_the_case_last(both, desk, now):
    told, rows = both
    hers = {agent.id: [] for agent in desk}
    for rating in rows["ratings"]:
        if not rows["since"] <= rating.changed_at < now:
            continue
        done = [x for x in rows["answers"] if x.case_id == rating.case_id and x.state is AnswerState.CARRIED_OUT]
        last = max(done, key=lambda x: x.ended_at)
        if last.action != "ask_retake" and rating.changed_at >= last.ended_at:
            hers[last.staff_id].append(rating.mark >= 4)
    for who, marks in hers.items():
        value = told[who].values["rating"]
        assert value.n == len(marks) and value.value == (sum(marks) / len(marks) if marks else None)
    assert any(len({x.staff_id for x in rows["answers"] if x.case_id == r.case_id}) > 1 for r in rows["ratings"])


def test_quality_counts_reviews_drawn_by_chance(both, desk, now):
    told, rows = both
    for agent in desk:
        hers = [
            s.agrees for s in rows["samples"] if s.staff_id == agent.id and s.reviewed_at and rows["since"] <= s.reviewed_at < now
        ]
        value = told[agent.id].values["quality"]
        assert value.n == len(hers) and value.value == (sum(hers) / len(hers) if hers else None)


def test_an_answer_that_may_still_be_taken_back_is_not_counted(session, now):
    history = History(session, now, random.Random(1))
    (agent,) = history.agents(1)
    for state in (AnswerState.WAITING, AnswerState.TAKEN_BACK, AnswerState.DROPPED, AnswerState.CARRIED_OUT):
        case = history.case(now - timedelta(hours=2))
        history.answer(case, agent, "ask_retake", now - timedelta(minutes=5), state)
    history.write()
    (told,) = figures.team(session, since=now - timedelta(days=1), until=now)
    assert told.handled == 1


def test_the_number_of_queries_does_not_grow_with_the_desk(session, database, now):
    said = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    counts = []
    history = History(session, now, random.Random(3))
    agents = history.agents(8)
    for size in (20, 300):
        a_year(history, agents[: size // 10], size, days=20)
        session.expire_all()
        said.clear()
        figures.team(session, since=now - timedelta(days=28), until=now)
        counts.append(len(said))
    assert counts[0] == counts[1] <= 10


# Beside the team


def test_quartiles_and_mean_are_of_agents_with_enough_behind_them():
    def one(value, n):
        values = dict.fromkeys(figures.FIGURES, figures.NOTHING) | {"overturned": figures.Value(value=value, n=n)}
        return figures.Agent(staff_id=None, name="", practising=False, handled=n, values=values)

    agents = [one(v, 50) for v in (0.0, 0.1, 0.2, 0.3, 0.4)] + [one(1.0, figures.LEAST - 1)]
    found = figures.spreads(agents)["overturned"]
    assert (found.low, found.middle, found.high, found.agents) == pytest.approx((0.1, 0.2, 0.3, 5))
    assert found.mean == pytest.approx(0.2)
    assert "overturned" not in figures.spreads(agents[1:]), "of four, one could work out another's"


def test_mine_is_mine_and_names_nobody(session, desk, now):
    agent = desk[2]
    found = figures.mine(session, agent, now=now)
    assert found.own.staff_id == agent.id and found.team["minutes"].agents == 6
    others = [one.name for one in desk if one is not agent]
    assert not any(name in repr(found) for name in others)


def test_days_and_weeks_of_an_agent(session, now):
    history = History(session, now, random.Random(4))
    agent, other = history.agents(2)
    monday = datetime(2026, 11, 16, tzinfo=UTC)
    moments = [now - timedelta(hours=1)] * 3 + [monday + timedelta(hours=1)] * 25 + [monday - timedelta(minutes=1)] * 2
    for at in moments:
        case = history.case(at - timedelta(hours=3))
        history.answer(
            case, agent, "reject", history.work(case, agent, at - timedelta(seconds=90), [30, 60]), AnswerState.CARRIED_OUT
        )
    history.answer(history.case(now), other, "reject", now - timedelta(hours=2), AnswerState.CARRIED_OUT)
    history.write()
    assert now.date().isoformat() == "2026-11-22"  # a Sunday
    found = figures.mine(session, agent, now=now)
    assert (found.today, found.week) == (3, 28)
    assert [week.handled for week in found.weeks] == [0] * 6 + [2, 28]
    assert [week.few for week in found.weeks[-2:]] == [True, False]
    assert found.weeks[-1].minutes == pytest.approx(1.5) and found.weeks[0].minutes is None
    assert [day.handled for day in found.days][-7:] == [25, 0, 0, 0, 0, 0, 3]


def test_own_figures_need_the_right_to_them(session, now):
    with pytest.raises(staff.NotAllowed):
        figures.mine(session, a.a_member(session, Role.OPS, now=now), now=now)


# Marks


def test_a_share_is_marked_only_with_thirty_behind_it_and_far_from_the_others():
    others = {n: (40, 400) for n in range(3)}
    assert figures._odd({9: (25, 50), **others}, 9) > figures.MARKED_Z
    assert figures._odd({9: (15, 29), **others}, 9) is None
    assert abs(figures._odd({9: (6, 50), **others}, 9)) < figures.MARKED_Z
    assert figures._odd({9: (0, 50), 1: (0, 400)}, 9) is None


def test_times_are_marked_by_the_sign_test():
    others = {1: [float(n) for n in range(60, 160)]}
    assert figures._slow({9: [500.0] * 30, **others}, 9) == pytest.approx(30**0.5)
    assert figures._slow({9: [500.0] * 29, **others}, 9) is None
    assert figures._slow({9: [60.0, 159.0] * 20, **others}, 9) == pytest.approx(0.0)


# A lead moves cases


@pytest.fixture
def hands(session, now):
    """A lead, three agents, and a case in the first one's hands."""
    lead, *agents = a.a_member(session, Role.LEAD, now=now), *(a.a_member(session, Role.AGENT, now=now) for _ in range(3))
    case = a.an_in_review(session, now=now)
    review.take(session, case.id, agent=agents[0], now=now)
    return lead, agents, case


def test_a_lead_moves_a_case_to_another_agent_and_back_to_the_queue(session, hands, now):
    lead, (one, other, _), case = hands
    seen = case.version
    workload.move(session, case.id, held_by=one.id, to=other.id, lead=lead, now=now)
    assert case.owner_id == other.id and case.version == seen + 1
    assert [held.staff_id for held in figures.held_now(session, now=now)] == [other.id]
    workload.move(session, case.id, held_by=other.id, to=None, lead=lead, now=now)
    assert case.owner_id is None and case.owner_until is None
    kinds = session.execute(select(Event.kind, Event.actor_id).where(Event.case_id == case.id).order_by(Event.id.desc()).limit(2))
    assert list(kinds) == [("case_put_back", str(lead.id)), ("case_assigned", str(lead.id))]


def test_only_a_lead_moves_and_only_out_of_the_hands_she_saw(session, hands, now):
    lead, (one, other, third), case = hands
    with pytest.raises(staff.NotAllowed):
        workload.move(session, case.id, held_by=one.id, to=other.id, lead=other, now=now)
    with pytest.raises(workload.NotHeld):
        workload.move(session, case.id, held_by=third.id, to=other.id, lead=lead, now=now)
    with pytest.raises(workload.NotHeld):
        workload.move(session, case.id, held_by=one.id, to=None, lead=lead, now=now + timedelta(hours=1))
    assert case.owner_id == one.id


def test_a_case_is_moved_to_nobody_who_practises_or_may_not_decide(session, hands, now):
    lead, (one, other, _), case = hands
    other.practising = True
    for to in (other, lead):
        with pytest.raises(staff.NotAllowed):
            workload.move(session, case.id, held_by=one.id, to=to.id, lead=lead, now=now)


def test_a_refused_case_is_never_moved_to_who_refused_it(session, now):
    lead, agent, other = (a.a_member(session, role, now=now) for role in (Role.LEAD, Role.AGENT, Role.AGENT))
    case = a.a_rejected(session, now=now, agent=agent)
    intake.appeal(session, case.id, now=now)
    review.take(session, case.id, agent=other, now=now)
    with pytest.raises(review.NotYours):
        workload.move(session, case.id, held_by=other.id, to=agent.id, lead=lead, now=now)
