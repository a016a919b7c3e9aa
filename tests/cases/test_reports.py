"""The weekly report: every figure told once more by other code, from the rows themselves."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from datetime import date, timedelta
from statistics import mean

import numpy as np
import pytest
from sqlalchemy import select

from cases import figures
from cases.desk_tables import Answer, Paper, QualitySample
from cases.models import Case, Customer, Disposition, Event, Link, Message, Role, Run
from cases.reports import FIGURES, LATE, SMALL, STEPS, ReportWeek, shown, weekly
from tests import factories as a
from tests.cases.report_history import ROADS, Week
from tests.specimens import people
from webapp import demo, demo_history

SPRING = ReportWeek(monday=date(2026, 3, 23), time_zone="Europe/Madrid")
"""Its Sunday has 23 hours."""

ASKED = timedelta(days=3)
"""How long after the week the report is made: ratings and reversals of these days are in it."""


def raw(session):
    """All rows, as plain Python, by case."""
    sandbox = {c.id for c in session.scalars(select(Customer)) if c.sandbox}
    rows = {
        "cases": [c for c in session.scalars(select(Case)) if c.customer_id not in sandbox],
        "links": [x for x in session.scalars(select(Link)) if x.customer_id not in sandbox and x.purpose == "hand_over"],
        "samples": session.scalars(select(QualitySample)).all(),
        "hours": session.info["settings"].review_hours,
    }
    for name, table, order in (
        ("events", Event, Event.id), ("runs", Run, Run.finished_at), ("answers", Disposition, Disposition.created_at),
        ("messages", Message, Message.written_at), ("papers", Paper, Paper.created_at), ("given", Answer, Answer.given_at),
    ):  # fmt: skip
        rows[name] = defaultdict(list)
        for row in session.scalars(select(table).order_by(order)):
            rows[name][row.case_id].append(row)
    return rows


def decisions(rows, case):
    """(when, approved, by a person), from runs and dispositions."""
    found = [(r.finished_at, True, False) for r in rows["runs"][case.id] if r.outcome == "approve"]
    found += [(d.created_at, d.action == "approve", True) for d in rows["answers"][case.id] if d.action in ("approve", "reject")]
    return sorted(found)


def sendings(rows, case):
    left = ("draft", "needs_retake")
    return [
        e.at
        for e in rows["events"][case.id]
        if e.details.get("old") in left and e.details.get("new") in ("submitted", "in_review")
    ]


def moves_into(rows, case, *, new=None, old=None):
    return [
        e.at
        for e in rows["events"][case.id]
        if (new is None or e.details.get("new") == new) and (old is None or e.details.get("old") == old)
    ]


def kinds(rows, case, *names):
    return [e.at for e in rows["events"][case.id] if e.kind in names]


def withdrawn_changes(rows, case):
    """(when, True: taken back, False: holds again)."""
    found = [(at, True) for at in kinds(rows, case, "approval_undone", "change_held")]
    found += [(d.created_at, True) for d in rows["answers"][case.id] if d.action == "revert"]
    return sorted(found + [(at, False) for at in kinds(rows, case, "change_restored")])


def holds(rows, case, approved_at, until):
    """Whether an approval holds at `until`, as far as this approval goes."""
    later = [at for at, _, _ in decisions(rows, case) if at > approved_at]
    state = True
    for at, back in withdrawn_changes(rows, case):
        if approved_at <= at < min([until, *later]):
            state = not back
    return state


def touches(rows, case, until):
    """Moments at which an agent answered, wrote or asked for papers."""
    found = {d.created_at for d in rows["answers"][case.id] if d.action in ("approve", "reject", "ask_retake")}
    found |= {m.written_at for m in rows["messages"][case.id] if m.writer == "staff"}
    found |= {p.asked_at for p in rows["papers"][case.id] if p.asked_at}
    return {at for at in found if at <= until}


def interactions(rows, case, until):
    n = sum(at <= until for at in sendings(rows, case))
    n += sum(m.written_at <= until for m in rows["messages"][case.id])
    n += len({p.asked_at for p in rows["papers"][case.id] if p.asked_at and p.asked_at <= until})
    n += sum(p.received_at is not None and p.received_at <= until for p in rows["papers"][case.id])
    return n + sum(p.declined_at is not None and p.declined_at <= until for p in rows["papers"][case.id])


def stays(rows, case):
    """Each stay with the desk: since, until (None: still), its waits for papers."""
    found = []
    left = moves_into(rows, case, old="in_review")
    for since in moves_into(rows, case, new="in_review"):
        end = min((at for at in left if at >= since), default=None)
        waits = []
        asked = [p for p in rows["papers"][case.id] if p.asked_at and p.asked_at >= since and (end is None or p.asked_at < end)]
        if asked:
            came = [p.received_at or p.declined_at for p in asked]
            over = asked[0].until if None in came else max(came)
            waits = [(asked[0].asked_at, over)]
        found.append((since, end, waits))
    return found


def due(since, waits, hours):
    """Walks the clock second by second would be slow: it is one wait at most."""
    end = since + timedelta(hours=hours)
    for begin, over in waits:
        if begin < end:
            end += over - begin
    return end


def minutes(rows, case, until):
    """Agents' work on the answers of a case: from taking it, every pause cut to five minutes."""
    total = 0.0
    for answer in rows["given"][case.id]:
        if answer.given_at > until or answer.state.value not in ("carried_out", "first", "disagreed", "followed", "overruled"):
            continue
        clock, last = None, None
        for e in rows["events"][case.id]:
            if e.actor_id != str(answer.staff_id) or e.at > answer.given_at:
                continue
            if e.kind == "case_taken" or (clock is not None and e.kind == "answer_given" and e.at < answer.given_at):
                clock, last = 0.0, e.at
            elif clock is not None:
                clock, last = clock + min((e.at - last).total_seconds(), 300.0), e.at
        total += clock or 0.0
    return total / 60


def rank(values, share):
    """The smallest value that at least this share does not exceed."""
    ordered = sorted(values)
    for value in ordered:
        if sum(x <= value for x in ordered) >= share * len(ordered) - 1e-9:
            return value
    return None


def country_of(rows, case, until):
    said = [e.details["country"] for e in rows["events"][case.id] if e.kind in ("case_opened", "claim_amended") and e.at < until]
    return (said[-1] or "") if said else ""


def policy_of(rows, case, until):
    done = [r.policy_version for r in rows["runs"][case.id] if r.outcome and r.finished_at < until]
    return done[-1] if done else 0


def expected(rows, week, as_of, *, country=None, policy=None):
    """(value, n) of every figure."""
    begins, ends = week.begins, min(week.ends, as_of)

    def here(at):
        return at is not None and begins <= at < ends

    out = Counter()
    shares = defaultdict(list)
    values = defaultdict(list)
    for case in rows["cases"]:
        if case.opened_at >= as_of:
            continue
        if country is not None and country_of(rows, case, ends) != country:
            continue
        if policy is not None and policy_of(rows, case, ends) != policy:
            continue
        sent = min(sendings(rows, case), default=None)
        decided = [d for d in decisions(rows, case) if d[0] < as_of]
        inside = [d for d in decided if here(d[0])]
        referred = moves_into(rows, case, new="in_review")
        out["opened"] += here(case.opened_at)
        out["sent"] += here(sent)
        out["withdrawn"] += any(map(here, moves_into(rows, case, new="withdrawn")))
        out["expired"] += any(map(here, moves_into(rows, case, new="expired")))
        out["referred"] += any(map(here, referred))
        out["taken_back"] += any(here(at) for at, back in withdrawn_changes(rows, case) if back)
        if here(case.opened_at):
            shares["completion"].append(sent is not None and sent < ends)
        if here(sent):
            said = [d for d in decided if d[0] < ends]
            again = [at for at in moves_into(rows, case, new="needs_retake") if at < ends]
            shares["handed_off"].append(any(at < ends for at in referred))
            shares["asked_again"].append(bool(again))
            passed = bool(said) and not said[0][2] and not any(at < said[0][0] for at in again + referred)
            shares["first_pass"].append(passed)
        if decided and here(decided[0][0]):
            at, _, person = decided[0]
            helped = person or touches(rows, case, at) or any(r <= at for r in referred)
            values["person" if helped else "machine"].append((at - sent).total_seconds())
        for at, approved, _ in inside:
            if approved:
                shares["reversed"].append(not holds(rows, case, at, as_of))
        if inside:
            at, approved, person = inside[-1]
            out["decided"] += 1
            out["approved" if approved else "rejected"] += 1
            alone = not person and not touches(rows, case, at) and not any(r <= at for r in referred)
            shares["automation"].append(alone and holds(rows, case, at, ends))
            n = interactions(rows, case, at)
            values["interactions_application"].append(n)
            if any(r <= at for r in referred):
                values["interactions_case"].append(n)
            shares["few_interactions"].append(n <= 2)
            if person:
                shares["one_touch"].append(len(touches(rows, case, at)) == 1)
            values["cost"].append(minutes(rows, case, at))
            following = min((d[0] for d in decided if d[0] > at), default=as_of)
            words = ("very_hard", "hard", "so_so", "easy", "very_easy")
            rated = [e for e in rows["events"][case.id] if e.kind == "rated" and at <= e.at < following]
            shares["csat_response"].append(bool(rated))
            if rated:
                shares["csat"].append(words.index(rated[-1].details["rating"]) >= 3)
        for since, left, waits in stays(rows, case):
            signs = [at for at in sorted(touches(rows, case, as_of)) if at >= since and (left is None or at <= left)]
            if signs and here(signs[0]):
                values["response"].append((signs[0] - since).total_seconds())
            end = due(since, waits, rows["hours"])
            answered = [d.created_at for d in rows["answers"][case.id] if left is not None and d.created_at == left]
            if here(end) and (answered or left is None or left > end):
                shares["sla"].append(bool(answered) and answered[0] <= end)
        for sample in rows["samples"]:
            if sample.case_id == case.id and sample.why == "random" and here(sample.reviewed_at):
                shares["overturned"].append(not sample.agrees)
                shares["overturned_people" if sample.staff_id else "overturned_machine"].append(not sample.agrees)
    told = {}
    for name, unit in FIGURES.items():
        if unit == "count":
            told[name] = (out[name], out[name])
        elif unit == "share":
            told[name] = (mean(map(float, shares[name])) if shares[name] else None, len(shares[name]))
        elif unit == "seconds":
            who, _, which = name.rpartition("_")
            told[name] = (rank(values[who], 0.5 if which == "median" else 0.9), len(values[who]))
        else:
            scale = 100 if name == "cost" else 1
            told[name] = (scale * mean(values[name]) if values[name] else None, len(values[name]))
    return told


def topics(rows, week, until):
    """Cases by reason: why a run asked again or referred, why a person asked again or refused, why it came to a person else."""
    counted, any_of = Counter(), 0
    for case in rows["cases"]:
        named = set()
        for run in rows["runs"][case.id]:
            if run.outcome in ("retake", "refer") and week.begins <= run.finished_at < until:
                named |= set(run.reasons)
        for answer in rows["answers"][case.id]:
            if answer.action in ("ask_retake", "reject") and week.begins <= answer.created_at < until:
                named |= set(answer.reasons)
        for e in rows["events"][case.id]:
            if week.begins <= e.at < until:
                if e.kind == "person_asked_for":
                    named.add("customer_asked_for_person")
                elif e.kind == "referred":
                    named.add("processing_failed")
                elif e.kind == "approval_undone" and e.details["new"] == "in_review":
                    named.add("approval_undone")
        counted.update(named)
        any_of += bool(named)
    return counted, any_of


def funnel(rows, week, until):
    """Counts by step of the people whose first link of the week was opened for a request not sent yet."""
    first = {}
    for link in rows["links"]:
        if link.used_at and week.begins <= link.used_at < until:
            first[link.customer_id] = min(link.used_at, first.get(link.customer_id, link.used_at))
    reached = Counter()
    for customer, came in first.items():
        hers = sorted((c for c in rows["cases"] if c.customer_id == customer and c.opened_at < until), key=lambda c: c.opened_at)
        old = [c for c in hers if c.opened_at < came]
        still = []
        for c in old:
            ends = [d[0] for d in decisions(rows, c)] + moves_into(rows, c, new="withdrawn") + moves_into(rows, c, new="expired")
            ended = max((at for at in ends if at < came), default=None)
            if ended is None or any(ended <= at < came for at in moves_into(rows, c, new="in_review")):
                still.append(c)
        if any(at < came for c in still for at in sendings(rows, c)):
            continue
        reached["link_opened"] += 1
        mine = (still or [c for c in hers if c not in old] or [None])[0]
        if mine is None:
            continue
        photos = {e.details["photo"] for e in rows["events"][mine.id] if e.kind == "photo_kept" and e.at < until}
        said = [d for d in decisions(rows, mine) if d[0] < until]
        sent = any(at < until for at in sendings(rows, mine))
        reached["details"] += 1
        reached["photos"] += photos == {"document", "selfie"} or sent
        reached["sent"] += sent
        reached["decided"] += bool(said)
        reached["approved"] += bool(said) and said[-1][1]
    return reached


def told(figures_):
    return {name: (one.value, one.n) for name, one in figures_.items()}


def same(a, b):
    """Two (value, n)."""
    return a[1] == b[1] and (a[0] is None) == (b[0] is None) and (a[0] or 0) == pytest.approx(b[0] or 0)


def unlike(a, b):
    """What differs, for the error's text."""
    assert a.keys() == b.keys()
    return {name: (a[name], b[name]) for name in a if not same(a[name], b[name])}


@pytest.fixture
def past(session):
    """Two cases of each road around a week whose clocks are set, and the rows they left."""
    Week(session, SPRING, random.Random(4)).fill(2 * len(ROADS))
    session.expire_all()
    return raw(session)


def test_every_figure_of_a_mixed_week_told_once_more_from_the_rows(session, past):
    moscow = ReportWeek(monday=SPRING.monday, time_zone="Europe/Moscow")
    for week, as_of in (
        (SPRING, SPRING.ends + ASKED),
        (SPRING, SPRING.ends + timedelta(days=40)),
        (SPRING, SPRING.begins + timedelta(days=4, hours=7)),  # still running
        (moscow, moscow.ends + ASKED),
        (SPRING.before, SPRING.before.ends + ASKED),
        (SPRING.after, SPRING.after.ends + ASKED),
    ):
        report = weekly(session, week=week, now=as_of)
        assert unlike(told(report.figures), expected(past, week, as_of)) == {}, (str(week), week.time_zone)
        before = expected(past, week.before, week.before.ends + (as_of - week.ends))
        assert unlike({name: (one.before, one.before_n) for name, one in report.figures.items()}, before) == {}

        until = min(week.ends, as_of)
        counted, any_of = topics(past, week, until)
        assert report.topics.cases == any_of
        ranked = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
        assert [(topic.code, topic.cases) for topic in report.topics.top] == ranked[:15]
        lately, _ = topics(past, week.before, min(week.before.ends, week.before.ends + (as_of - week.ends)))
        assert {topic.code: topic.before for topic in report.topics.top} == {code: lately[code] for code, _ in ranked[:15]}

        reached = funnel(past, week, until)
        assert {step.name: step.count for step in report.funnel.steps} == {
            name: None if name == "reason" else reached[name] for name in STEPS
        }

        for group in report.countries:
            some = expected(past, week, as_of, country=group.code)
            assert group.small == (group.cases < SMALL)
            assert group.small or unlike(told(group.figures), some) == {}
        for group in report.policies:
            some = expected(past, week, as_of, policy=int(group.code or 0))
            assert group.small or unlike(told(group.figures), some) == {}

    # The week has something of everything, else the above says little.
    full = weekly(session, week=SPRING, now=SPRING.ends + ASKED)
    assert all(one.n for one in full.figures.values()), {name for name, one in full.figures.items() if not one.n}
    assert any(group.small for group in full.countries) and any(not group.small for group in full.countries)
    edges = [e.at for some in past["events"].values() for e in some if e.at in (SPRING.begins, SPRING.ends)]
    assert len(edges) > 10, "nothing happened exactly at midnight"
    assert len(past["cases"]) < session.query(Case).count(), "no sandbox customer to leave out"
    team = {one.staff_id: one for one in figures.team(session, since=SPRING.begins, until=SPRING.ends)}
    assert {one.staff_id: (one.handled, one.values["minutes"]) for one in full.agents} == {
        who: (one.handled, (one.values["minutes"].value, one.values["minutes"].n)) for who, one in team.items()
    }
    assert (
        full.team.keys() == figures.spreads(list(team.values())).keys() and {n for n, o in full.figures.items() if o.late} == LATE
    )


@pytest.fixture
def demo_week(database, now, monkeypatch):
    """What bin/up seeds, with plain pictures in place of drawn ones, and runs that end as the real workers' do."""
    plain = np.full((40, 30, 3), 127, np.uint8)
    for name in ("on_file_photo", "document_photo", "selfie_photo"):
        monkeypatch.setattr(people.Persona, name, lambda self: plain)
    numbers = itertools.count()
    monkeypatch.setattr(demo.images, "measure_file", lambda data, kind: (data + bytes([next(numbers)]), a.GOOD_QUALITY))
    monkeypatch.setattr(demo, "ring_verify", lambda case_id: None)
    demo.seed_customers(database, now=now)
    with database.transaction() as session:
        sent = {case.customer.external_id: case for case in session.scalars(select(Case))}
        for key in people.DEMO:
            order = a.begun(session, sent[demo.DEMO_PREFIX + key], now=now + timedelta(seconds=2))
            found = a.good_evidence(order.claim, order.profile)
            if key.startswith("refer"):
                found = a.with_measures(found, pairs=a.faces(selfie_document=5.0))
            elif key.startswith("retake"):
                found = a.blurred_selfie(order.claim, order.profile)
            a.finished(session, order, now=now + timedelta(seconds=9), evidence=found)
    return ReportWeek.holding(now, time_zone="Europe/Moscow")


def test_every_figure_of_the_demo_told_once_more_from_the_rows(database, demo_week):
    as_of = demo_week.ends + timedelta(hours=6)
    with database.reading() as session:
        report = weekly(session, week=demo_week, now=as_of)
        rows = raw(session)
    assert unlike(told(report.figures), expected(rows, demo_week, as_of)) == {}
    assert told(report.figures)["sent"] == (3.0, 3) and told(report.figures)["automation"] == (1.0, 1)
    assert [(topic.code, topic.cases) for topic in report.topics.top] == sorted(topics(rows, demo_week, as_of)[0].items())
    assert [step.count for step in report.funnel.steps] == [0, None, 0, 0, 0, 0, 0], "the demo's people came without a link"


def test_every_figure_of_the_demos_history_told_once_more_from_the_rows(session, now):
    for number in range(6):
        a.a_member(session, Role.AGENT if number else Role.SENIOR_AGENT, now=now - timedelta(days=30))
    lead = a.a_member(session, Role.LEAD, now=now)
    demo_history.seed(session, now=now)
    session.expire_all()
    rows = raw(session)
    newest = ReportWeek.last_whole(now, time_zone="Europe/Moscow")
    for week in (newest.before, newest):
        report = shown(session, reader=lead, week=week)
        assert report.as_of == now and unlike(told(report.figures), expected(rows, week, now)) == {}
        assert {step.name: step.count for step in report.funnel.steps} == {
            name: None if name == "reason" else funnel(rows, week, week.ends)[name] for name in STEPS
        }
        assert [(topic.code, topic.cases) for topic in report.topics.top] == sorted(
            topics(rows, week, week.ends)[0].items(), key=lambda pair: (-pair[1], pair[0])
        )[:15]
        assert report.figures["automation"].n > 10, "the demo shows hardly anything"
