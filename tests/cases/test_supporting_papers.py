"""Supporting papers: who asks and sends when, how the desk's clock stands still, what a reading says, and how it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from cases import audit, conversations, exports, intake, queries, retention, review, supporting
from cases.desk_tables import Paper, PaperKind
from cases.lifecycle import State
from cases.models import Case, Event, Notification, Role
from cases.photo_store import PhotoBroken, PhotoGone, store_of
from cases.staff import NotAllowed
from cases.supporting import MOST_PAPERS, Finding, Machine, Sight, Stand
from tests import factories as a
from verification.decision import decide
from verification.evidence import ChangeReason, Claim, Field, FieldReading, Profile, Source
from verification.papers import Detail, Entry, EntryKind, PageKind, SupportingReading
from verification.policy import SHIPPED
from verification.reasons import ReasonCode

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MARRIAGE, EARLIER, FAMILY = PaperKind.MARRIAGE_CERTIFICATE, PaperKind.EARLIER_PASSPORTS, PaperKind.FAMILY_STATUS
WORDS = "Both sides, please."

HELD = Profile(values={**a.PROFILE.values, Field.SURNAME: "ИВАНОВА", Field.DOCUMENT_NUMBER: "4510123456"})
CLAIM = Claim(reason=ChangeReason.MARRIAGE, values={Field.SURNAME: "ПЕТРОВА", Field.DOCUMENT_NUMBER: "4524654321"})


def certain(value, sure=True):
    return FieldReading(value=value, confidence=0.98 if sure else 0.6, certain=sure, source=Source.VIZ)


def marriage(surname="ПЕТРОВ", sure=True):
    values = {Detail.SURNAME: certain(surname, sure), Detail.REGISTERED_ON: certain("2026-09-01")}
    return SupportingReading(
        kind=PageKind.FAMILY_STATUS,
        entries=(Entry(kind=EntryKind.MARRIAGE, values=values, unread=(Detail.ISSUER,)),),
        own_number=certain("4524654321"),
    )


def earlier(number="4510123456", own="4524654321"):
    entry = Entry(kind=EntryKind.PASSPORT, values={Detail.DOCUMENT_NUMBER: certain(number)}, unread=(Detail.ISSUED_ON,))
    return SupportingReading(kind=PageKind.EARLIER_PASSPORTS, entries=(entry,), own_number=certain(own))


@pytest.fixture
def case(session, now):
    """A case of a Russian customer at the desk."""
    customer = a.a_customer(session, now=now, profile=HELD)
    found = a.good_evidence(CLAIM, HELD)
    measures = replace(found.measures, pairs=a.faces(selfie_document=5.0))
    return a.an_in_review(session, now=now, customer=customer, claim=CLAIM, evidence=replace(found, measures=measures))


@pytest.fixture
def agent(session, case, now):
    """An agent who holds the case."""
    person = a.a_member(session, now=now)
    review.take(session, case.id, agent=person, now=now)
    return person


def asks(session, case, agent, *kinds, now, words=""):
    return supporting.ask(session, case.id, kinds or (MARRIAGE,), words=words, agent=agent, now=now)


def sends(session, case, number=None, *, now, kind=MARRIAGE, seed=0):
    return supporting.receive(session, case.id, number or uuid4(), a.jpeg(seed), kind=kind, now=now)


def reads(session, paper, reading, *, now):
    order = supporting.begin(session, paper.id, now=now)
    assert order is not None
    return supporting.finish(session, order, reading, seconds=1.0, now=now)


def told(session, case):
    return [event.kind for event in session.scalars(select(Event).where(Event.case_id == case.id).order_by(Event.id))]


# --- asking


def test_who_asks_for_papers_frees_the_case_and_it_waits_for_the_customer(session, case, agent, now):
    (paper,) = asks(session, case, agent, now=now, words=WORDS)
    assert (case.state, case.owner_id, case.awaiting_until) == (State.IN_REVIEW, None, now + 14 * DAY)
    assert supporting.awaits(case, now) and session.scalars(select(Case.id).where(supporting.awaiting(now))).all() == [case.id]
    assert case.retake == []  # no photo is asked for again
    (shown,) = supporting.of(session, case, now=now)
    assert (shown.kind, shown.stand, shown.asked_by, shown.words) == (MARRIAGE, Stand.WANTED, agent.name, WORDS)
    assert b"Both sides" not in (paper.words_sealed or b"")
    kinds = session.scalars(select(Notification.kind).where(Notification.case_id == case.id)).all()
    assert kinds.count("paper_asked") == 1


def test_a_case_that_waits_for_papers_is_not_given_to_an_agent(session, case, agent, now):
    asks(session, case, agent, now=now)
    other = a.a_member(session, now=now)
    assert review.take_next(session, agent=other, now=now) is None
    sends(session, case, supporting.of(session, case, now=now)[0].id, now=now + HOUR)
    assert review.take_next(session, agent=other, now=now + HOUR).id == case.id


def test_the_desks_clock_stands_still_until_the_paper_comes(session, case, agent, now):
    due = case.due_at
    review.take(session, case.id, agent=agent, now=now + 2 * HOUR)
    (paper,) = asks(session, case, agent, now=now + 2 * HOUR)
    left = due - (now + 2 * HOUR)
    assert case.due_at == case.awaiting_until + left  # late for nobody
    sends(session, case, paper.id, now=now + 5 * DAY)
    assert (case.awaiting_until, case.due_at) == (None, now + 5 * DAY + left)


def test_who_was_late_before_has_no_time_left_afterwards(session, case, agent, now):
    late = case.due_at + 2 * HOUR
    review.take(session, case.id, agent=agent, now=late)
    (paper,) = asks(session, case, agent, now=late)
    sends(session, case, paper.id, now=late + DAY)
    assert case.due_at == late + DAY


def test_two_papers_are_asked_for_at_once_and_both_are_waited_for(session, case, agent, now):
    first, second = asks(session, case, agent, MARRIAGE, EARLIER, now=now)
    sends(session, case, first.id, now=now + HOUR)
    assert supporting.awaits(case, now + HOUR)
    supporting.decline(session, case.id, second.id, now=now + 2 * HOUR)
    assert case.awaiting_until is None
    assert {shown.kind: shown.stand for shown in supporting.of(session, case, now=now)} == {
        MARRIAGE: Stand.HERE,
        EARLIER: Stand.DECLINED,
    }


def test_the_time_over_gives_the_case_back_once_and_the_paper_is_taken_still(session, case, agent, now):
    (paper,) = asks(session, case, agent, now=now)
    due, over = case.due_at, now + 14 * DAY
    assert supporting.resume_due(session, now=over - HOUR) == []
    assert supporting.resume_due(session, now=over) == [case.id]
    assert supporting.resume_due(session, now=over) == []
    assert (case.state, case.awaiting_until, case.due_at) == (State.IN_REVIEW, None, due)
    assert supporting.of(session, case, now=over)[0].stand is Stand.LATE
    sends(session, case, paper.id, now=over + HOUR)
    assert case.due_at == due and supporting.of(session, case, now=over + HOUR)[0].stand is Stand.HERE


def test_a_second_click_asks_once(session, case, agent, now):
    first = asks(session, case, agent, now=now)
    assert asks(session, case, agent, now=now) == first
    assert told(session, case).count("paper_asked") == 1


def test_what_is_asked_for_is_not_asked_for_again(session, case, agent, now):
    asks(session, case, agent, now=now)
    other = a.a_member(session, now=now)
    review.take(session, case.id, agent=other, now=now)
    with pytest.raises(supporting.AskedAlready):
        asks(session, case, other, MARRIAGE, FAMILY, now=now)


@pytest.mark.parametrize("state", list(State))
def test_papers_are_asked_for_at_the_desk_alone(session, now, state):
    case, person = a.in_state(session, state, now=now), a.a_member(session, now=now)
    error = review.NotYours if state is State.IN_REVIEW else supporting.Closed
    with pytest.raises(error):
        asks(session, case, person, now=now)


def test_only_who_holds_the_case_asks_takes_back_and_ticks(session, case, agent, now):
    other = a.a_member(session, now=now)
    paper = sends(session, case, now=now)
    for attempt in (
        lambda: asks(session, case, other, now=now),
        lambda: supporting.take_back(session, paper.id, case_id=case.id, agent=other, now=now),
        lambda: supporting.tick(session, paper.id, [Sight.OFFICE], case_id=case.id, agent=other, now=now),
        lambda: asks(session, case, agent, now=now + DAY),  # her hold is long over
    ):
        with pytest.raises(review.NotYours):
            attempt()


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.AGENT, Role.SENIOR_AGENT}))
def test_nobody_else_on_the_staff_asks_or_ticks(session, case, now, role):
    person, paper = a.a_member(session, role, now=now), sends(session, case, now=now)
    with pytest.raises(NotAllowed):
        asks(session, case, person, now=now)
    with pytest.raises(NotAllowed):
        supporting.tick(session, paper.id, [], case_id=case.id, agent=person, now=now)


def test_what_is_taken_back_is_waited_for_no_longer(session, case, agent, now):
    (paper,) = asks(session, case, agent, now=now)
    review.take(session, case.id, agent=agent, now=now)
    supporting.take_back(session, paper.id, case_id=case.id, agent=agent, now=now)
    supporting.take_back(session, paper.id, case_id=case.id, agent=agent, now=now)
    assert case.awaiting_until is None and told(session, case).count("paper_withdrawn") == 1
    assert supporting.of(session, case, now=now)[0].stand is Stand.WITHDRAWN


def test_words_have_a_limit_and_a_case_too(session, case, agent, now):
    with pytest.raises(conversations.TooLong):
        asks(session, case, agent, now=now, words="x" * 501)
    with pytest.raises(ValueError, match="name the papers"):
        supporting.ask(session, case.id, [], agent=agent, now=now)
    for seed in range(MOST_PAPERS):
        sends(session, case, now=now, seed=seed)
    with pytest.raises(supporting.TooMany):
        sends(session, case, now=now, seed=99)
    with pytest.raises(supporting.TooMany):
        asks(session, case, agent, EARLIER, now=now)


# --- sending


@pytest.mark.parametrize("state", list(State))
def test_papers_are_taken_while_they_can_help(session, now, state):
    case = a.in_state(session, state, now=now)
    if state in supporting.TAKEN:
        assert sends(session, case, now=now).case_id == case.id
    else:
        with pytest.raises(supporting.Closed) as closed:
            sends(session, case, now=now)
        assert closed.value.state is state and supporting.of(session, case, now=now) == []


def test_the_same_picture_sent_twice_is_one_paper(session, case, agent, now):
    (asked,) = asks(session, case, agent, now=now)
    assert sends(session, case, asked.id, now=now) is sends(session, case, asked.id, now=now)
    first = sends(session, case, now=now, seed=5)
    assert sends(session, case, now=now, seed=5).id == first.id  # a lost answer, and a page with another number
    assert told(session, case).count("paper_received") == 2
    with pytest.raises(supporting.SentAlready):
        sends(session, case, asked.id, now=now, seed=6)


def test_a_paper_of_another_case_is_nobodys(session, case, agent, now):
    (asked,) = asks(session, case, agent, now=now)
    other = a.an_in_review(session, now=now)
    for attempt in (
        lambda: sends(session, other, asked.id, now=now),
        lambda: supporting.decline(session, other.id, asked.id, now=now),
        lambda: supporting.take_back(session, asked.id, case_id=other.id, agent=agent, now=now),
    ):
        with pytest.raises(LookupError):
            attempt()


def test_a_paper_is_sealed_and_every_look_is_an_event(session, case, now):
    paper = sends(session, case, now=now)
    assert a.jpeg(0)[20:200] not in store_of(session).read(paper.blob)
    viewer = audit.Actor(kind="customer", id=str(case.customer_id))
    look = {"case_id": case.id, "viewer": viewer, "purpose": "own_paper", "now": now}
    assert supporting.open_picture(session, paper.id, **look) == a.jpeg(0)
    event = session.scalars(select(Event).where(Event.kind == "paper_opened")).one()
    assert event.details == {"paper_id": str(paper.id), "purpose": "own_paper"}
    with pytest.raises(PhotoGone):
        supporting.open_picture(session, paper.id, **{**look, "case_id": uuid4()})
    paper.sha256 = "0" * 64
    with pytest.raises(PhotoBroken):
        supporting.open_picture(session, paper.id, **look)


def test_the_agents_page_is_told_that_a_paper_came(session, case, agent, now):
    seen = case.version
    sends(session, case, now=now)
    assert case.version > seen


def test_the_customers_timeline_tells_of_papers(session, case, agent, now):
    first, second = asks(session, case, agent, MARRIAGE, FAMILY, now=now)
    sends(session, case, first.id, now=now)
    supporting.decline(session, case.id, second.id, now=now)
    what = [moment.what for moment in queries.timeline(session, case.id)]
    assert what[-4:] == ["paper_asked", "paper_asked", "paper_sent", "paper_declined"]


# --- reading


def test_a_machine_reads_pages_of_passports_and_no_certificates(session, case, now):
    sends(session, case, now=now)
    page = sends(session, case, now=now + HOUR, kind=EARLIER, seed=1)
    assert supporting.unread(session, now=now + HOUR) == [page.id]
    assert [shown.machine for shown in supporting.of(session, case, now=now)] == [Machine.NOT_ITS, Machine.WAITS]
    assert reads(session, page, earlier(), now=now)
    assert supporting.unread(session, now=now + DAY) == [] and supporting.begin(session, page.id, now=now) is None
    assert supporting.of(session, case, now=now)[1].machine is Machine.READ


def test_nothing_is_read_before_the_request_was_sent(session, now):
    case = a.a_draft(session, now=now)
    page = sends(session, case, now=now, kind=EARLIER)
    assert supporting.unread(session, now=now) == [] and supporting.begin(session, page.id, now=now) is None
    intake.submit(session, case.id, consent_version=a.CONSENT, now=now)
    assert supporting.unread(session, now=now) == [page.id]


def test_a_rung_paper_is_not_rung_again_at_once(session, case, now):
    page = sends(session, case, now=now, kind=EARLIER)
    supporting.mark_rung(session, [page.id], now=now)
    assert supporting.unread(session, now=now + timedelta(seconds=9)) == []
    assert supporting.unread(session, now=now + timedelta(seconds=10)) == [page.id]


def test_a_reading_that_never_ended_is_begun_again_and_fences_the_first_off(session, case, now, settings):
    page = sends(session, case, now=now, kind=EARLIER)
    first = supporting.begin(session, page.id, now=now)
    assert supporting.begin(session, page.id, now=now) is None and supporting.unread(session, now=now) == []
    later = now + settings.lease
    assert supporting.unread(session, now=later) == [page.id]
    second = supporting.begin(session, page.id, now=later)
    assert not supporting.finish(session, first, earlier("1111111111"), seconds=1, now=later)
    assert supporting.finish(session, second, earlier(), seconds=1, now=later)
    assert supporting.of(session, case, now=later)[0].stamps[0].values[0].text == "4510123456"


def test_after_three_readings_that_never_ended_an_agent_reads_alone(session, case, now, settings):
    page = sends(session, case, now=now, kind=EARLIER)
    for number in range(supporting.MOST_TRIES):
        assert supporting.begin(session, page.id, now=now + number * settings.lease)
    assert supporting.begin(session, page.id, now=now + 3 * settings.lease) is None
    assert supporting.of(session, case, now=now)[0].machine is Machine.FAILED
    assert supporting.unread(session, now=now + DAY) == []


def test_readings_are_sealed_and_no_event_names_them(session, case, now):
    page = sends(session, case, now=now, kind=FAMILY)
    reads(session, page, marriage(), now=now)
    assert "ПЕТРОВ".encode() not in page.readings_sealed
    texts = json.dumps([event.details for event in session.scalars(select(Event))], ensure_ascii=False)
    assert "ПЕТРОВ" not in texts and "4524654321" not in texts


@pytest.mark.parametrize(
    ("kind", "reading", "findings", "fits"),
    [
        (EARLIER, earlier(), {Finding.SAME_PASSPORT, Finding.EARLIER_NUMBER}, True),
        (EARLIER, earlier(number="9999999999"), {Finding.SAME_PASSPORT, Finding.NO_EARLIER_NUMBER}, False),
        (EARLIER, earlier(own="4500000000"), {Finding.OTHER_PASSPORT, Finding.EARLIER_NUMBER}, True),
        (FAMILY, marriage(), {Finding.SAME_PASSPORT, Finding.SURNAME_EXPLAINED}, True),  # ПЕТРОВА is the wife of ПЕТРОВ
        (FAMILY, marriage("СИДОРОВ"), {Finding.SAME_PASSPORT, Finding.SURNAME_NOT_EXPLAINED}, False),
        (FAMILY, marriage(sure=False), {Finding.SAME_PASSPORT}, None),  # what is not certain says nothing
        (FAMILY, earlier(), {Finding.OTHER_PAGE, Finding.SAME_PASSPORT, Finding.EARLIER_NUMBER}, True),
    ],
)
def test_a_reading_is_held_against_the_claim_and_the_account(session, case, now, kind, reading, findings, fits):
    page = sends(session, case, now=now, kind=kind)
    reads(session, page, reading, now=now)
    (shown,) = supporting.of(session, case, now=now)
    assert set(shown.findings) == findings and shown.stamps[0].fits is fits


def test_a_page_that_is_no_such_page_says_so(session, case, now):
    page = sends(session, case, now=now, kind=EARLIER)
    reads(session, page, SupportingReading(problems=(ReasonCode.DOCUMENT_NOT_KNOWN,)), now=now)
    (shown,) = supporting.of(session, case, now=now)
    assert (shown.machine, shown.findings, shown.problems) == (Machine.NOTHING, (), (ReasonCode.DOCUMENT_NOT_KNOWN,))


def test_the_account_is_what_she_saw_and_not_what_was_approved_since(session, case, agent, now):
    page = sends(session, case, now=now, kind=EARLIER)
    reads(session, page, earlier(), now=now)
    customer = case.customer
    from cases import customers

    customers.upsert(session, customer.external_id, Profile(values={**HELD.values, Field.DOCUMENT_NUMBER: "1111111111"}),
                     email="new@example.test", locale="en", now=now)  # fmt: skip
    assert Finding.EARLIER_NUMBER in supporting.of(session, case, now=now)[0].findings


def test_no_paper_changes_what_the_policy_decides(session, case, now):
    evidence = a.good_evidence(CLAIM, HELD)
    before = decide(evidence.measures, SHIPPED, attempt=1)
    reads(session, sends(session, case, now=now, kind=FAMILY), marriage(), now=now)
    assert decide(evidence.measures, SHIPPED, attempt=1) == before and case.state is State.IN_REVIEW


# --- ticking, keeping, ending


def test_what_an_agent_saw_is_noted_in_codes(session, case, agent, now):
    paper = sends(session, case, now=now)
    supporting.tick(session, paper.id, [Sight.OFFICE, Sight.NEW_NAME], case_id=case.id, agent=agent, now=now)
    (shown,) = supporting.of(session, case, now=now)
    assert (shown.sights, shown.seen_by) == ((Sight.NEW_NAME, Sight.OFFICE), agent.name)
    event = session.scalars(select(Event).where(Event.kind == "paper_ticked")).one()
    assert event.details["sights"] == ["new_name", "office"]
    with pytest.raises(ValueError, match="cannot be seen"):
        supporting.tick(session, paper.id, [Sight.ADDRESS], case_id=case.id, agent=agent, now=now)
    (asked,) = asks(session, case, agent, EARLIER, now=now)
    review.take(session, case.id, agent=agent, now=now)
    with pytest.raises(LookupError):
        supporting.tick(session, asked.id, [Sight.OFFICE], case_id=case.id, agent=agent, now=now)


def test_papers_are_shredded_with_the_case(session, case, agent, now):
    asks(session, case, agent, EARLIER, now=now, words=WORDS)
    paper = sends(session, case, now=now)
    page = sends(session, case, now=now, kind=FAMILY, seed=2)
    reads(session, page, marriage(), now=now)
    intake.withdraw(session, case.id, now=now)
    assert retention.orphans(session, now=now + DAY) == retention.Orphans(blobs=(), photos=())
    assert case.id in retention.shred_due(session, now=now + 31 * DAY)
    rows = session.scalars(select(Paper)).all()
    assert all(row.shredded_at and row.words_sealed is None and row.readings_sealed is None for row in rows)
    assert not {name for name, _ in store_of(session).names()} & {paper.blob, page.blob}
    assert {shown.stand for shown in supporting.of(session, case, now=now)} == {Stand.GONE}
    with pytest.raises(PhotoGone):
        supporting.open_picture(session, paper.id, case_id=case.id, viewer=audit.MACHINE, purpose="reading", now=now)


def test_a_paper_shredded_while_it_is_read_keeps_nothing(session, case, now):
    page = sends(session, case, now=now, kind=FAMILY)
    order = supporting.begin(session, page.id, now=now)
    intake.withdraw(session, case.id, now=now)
    retention.erase(session, case.customer_id, now=now + 15 * DAY)
    assert not supporting.finish(session, order, marriage(), seconds=1, now=now)
    assert page.readings_sealed is None


def test_her_copy_holds_her_papers_and_what_was_read_once_it_is_answered(session, case, agent, now):
    asks(session, case, agent, MARRIAGE, now=now, words=WORDS)
    page = sends(session, case, now=now + HOUR, kind=FAMILY)
    reads(session, page, marriage(), now=now + HOUR)
    made = exports.gather(session, case.customer_id, language="en", now=now)
    [request] = made.document["requests"]
    assert [(p["kind"], p["asked_words"], p["read"]) for p in request["papers"]] == [
        ("marriage_certificate", WORDS, []), ("family_status", None, []),
    ]  # fmt: skip
    (file,) = [f for f in made.files if f.what == "paper"]
    [(path, data)] = exports.open_file(session, file, customer_id=case.customer_id, now=now)
    assert path == request["papers"][1]["file"] and data == a.jpeg(0)
    intake.withdraw(session, case.id, now=now)
    [request] = exports.gather(session, case.customer_id, language="en", now=now).document["requests"]
    assert request["papers"][1]["read"] == [{"entry": "marriage", "surname": "ПЕТРОВ", "registered_on": "2026-09-01"}]
    assert "seen_by" not in json.dumps(request) and agent.name not in json.dumps(request)


@pytest.mark.parametrize(
    "wrong",
    [
        {"received_at": None},
        {"asked_by_id": uuid4()},
        {"asked_at": date(2026, 1, 1)},
        {"tries": -1},
        {"seen_by_id": uuid4()},
    ],
)
def test_the_database_refuses_half_a_paper(session, case, now, wrong):
    paper = sends(session, case, now=now)
    if "asked_at" in wrong:
        wrong = {"asked_at": now}
    with pytest.raises(IntegrityError), session.begin_nested():
        for name, value in wrong.items():
            setattr(paper, name, value)
        session.flush()
