"""The queue: its order, its pages, who is given what, search, who is looking."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.orm.exc import NoResultFound

from cases import audit, conversations, intake, queue, rescue, retention, review, saved_views
from cases.database import Database
from cases.desk_tables import Answer, AnswerState, Presence, SavedView
from cases.models import DESK_INDEXES, Case, Disposition, Event, Role
from cases.queue import Filters, Lane, QueueRow, Skills, View, Why
from cases.staff import NotAllowed
from tests import factories as a
from verification.evidence import ChangeReason, Claim, Field
from verification.reasons import ReasonCode

MINUTE = timedelta(minutes=1)


@contextmanager
def counted(session):
    """The statements sent inside the block that are not bookkeeping."""
    seen: list[str] = []

    def note(_connection, _cursor, statement, *_rest):
        if statement.lstrip().upper().startswith("SELECT"):
            seen.append(statement)

    engine = getattr(session.get_bind(), "engine", session.get_bind())
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def ids(rows):
    return [row.id for row in rows]


def shown(session, now, **filters):
    return queue.page(session, Filters(**filters), now=now).rows


@pytest.fixture
def agent(session, now):
    return a.a_member(session, now=now, name="Agent One")


@pytest.fixture
def senior(session, now):
    return a.a_member(session, Role.SENIOR_AGENT, now=now, name="Senior One")


# Order and pages


def test_what_is_due_first_stands_first_and_few_questions_are_asked(database, now):
    with database.transaction() as session:
        cases = [a.an_in_review(session, now=now + MINUTE * n).id for n in (2, 0, 1)]
        a.a_submitted(session, now=now)
    with database.reading() as session, counted(session) as seen:
        rows = shown(session, now)
    assert ids(rows) == [cases[1], cases[2], cases[0]]
    assert len(seen) <= 5
    assert rows[0].waiting_since == now and rows[0].reasons == (ReasonCode.SELFIE_DOCUMENT_FACES_UNSURE,)
    assert (rows[0].language, rows[0].country, rows[0].risk) == ("en", "UTO", "ordinary")


def test_disputes_stand_before_everything(session, now):
    waiting = a.an_in_review(session, now=now - timedelta(days=2))
    disputed = a.an_approved(session, now=now)
    disputed.disputed_at = now
    rows = shown(session, now)
    assert [(row.id, row.lane) for row in rows] == [(disputed.id, Lane.DISPUTE), (waiting.id, Lane.ORDINARY)]
    assert ids(shown(session, now, view=View.DISPUTED)) == [disputed.id]
    disputed.dispute_settled_at = now
    assert ids(shown(session, now)) == [waiting.id]


def test_a_senior_agent_sees_first_who_keeps_coming_back(session, now):
    cases = [a.an_in_review(session, now=now + MINUTE * n) for n in range(4)]
    cases[2].rescue, cases[3].rescue = rescue.LINE, rescue.LINE + 3
    cases[1].rescue = rescue.LINE - 1
    oldest_first = [c.id for c in cases]
    assert ids(shown(session, now)) == oldest_first
    wanted = [cases[3].id, cases[2].id, cases[0].id, cases[1].id]
    assert ids(shown(session, now, rescue_first=True)) == wanted
    assert ids(shown(session, now, view=View.RESCUE)) == wanted[:2]


@pytest.mark.parametrize("rescue_first", [False, True])
def test_pages_follow_each_other_without_a_gap(session, now, rescue_first):
    cases = [a.an_in_review(session, now=now + MINUTE * minute) for minute in (0, 0, 0, 1, 2)]
    cases[3].rescue = cases[4].rescue = rescue.LINE
    disputed = a.an_approved(session, now=now)
    disputed.disputed_at = now
    retake = a.a_needs_retake(session, now=now)
    conversations.write(session, retake.id, uuid4(), text="Hello?", now=now)
    whole = ids(shown(session, now, rescue_first=rescue_first))
    assert len(whole) == 7 and whole[0] == disputed.id and whole[-1] == retake.id
    for size in (1, 2, 3):
        seen, after = [], ""
        while True:
            page = queue.page(session, Filters(limit=size, after=after, rescue_first=rescue_first), now=now)
            assert len(page.rows) <= size
            seen += ids(page.rows)
            after = page.next
            if not after:
                break
        assert seen == whole, size


def test_closed_cases_come_newest_first_page_by_page(session, now):
    made = [a.an_approved(session, now=now + MINUTE * n).id for n in range(5)]
    a.an_in_review(session, now=now)
    first = queue.page(session, Filters(view=View.CLOSED, limit=3), now=now)
    rest = queue.page(session, Filters(view=View.CLOSED, limit=3, after=first.next), now=now)
    assert ids(first.rows) + ids(rest.rows) == made[::-1] and rest.next == ""


@pytest.mark.parametrize(
    "wrong", ["x", "1_2_3", "0_2026-01-01T00:00:00_x", "9_x_y", "-1_2026-01-01T00:00:00+00:00_x", "0", "1_2026-01-01_" + "0" * 32]
)
def test_a_place_that_is_none_is_refused(session, now, wrong):
    with pytest.raises(ValueError):
        shown(session, now, after=wrong)


def test_the_queue_can_be_narrowed(session, now, settings, agent):
    mine = review.take(session, a.an_in_review(session, now=now).id, agent=agent, now=now)
    other = Claim(reason=ChangeReason.DIVORCE, values=a.CLAIM.values)
    letter = a.an_in_review(session, now=now, evidence=a.a_letter_different(), claim=other)
    letter.locale, letter.risk = "kk", "high"
    assert ids(shown(session, now, view=View.MINE, owner=agent.id)) == [mine.id]
    assert shown(session, now, view=View.MINE, owner=agent.id)[0].owner == "Agent One"
    assert ids(shown(session, now, view=View.FREE)) == [letter.id]
    assert ids(shown(session, now, reason=ReasonCode.SURNAME_DIFFERS)) == [letter.id]
    assert ids(shown(session, now, change_reason=ChangeReason.MARRIAGE)) == [mine.id]
    assert ids(shown(session, now, language="kk")) == ids(shown(session, now, risk="high")) == [letter.id]
    assert shown(session, now, country="KAZ") == () and len(shown(session, now, country="UTO")) == 2
    assert shown(session, now, view=View.OVERDUE) == shown(session, now, view=View.SOON) == ()
    due = now + timedelta(hours=settings.review_hours)
    assert len(shown(session, due - queue.SOON, view=View.SOON)) == 2
    assert len(shown(session, due - queue.SOON - MINUTE, view=View.SOON)) == 0
    assert len(shown(session, due, view=View.OVERDUE)) == 2 and shown(session, due, view=View.SOON) == ()
    assert shown(session, due, view=View.MINE, owner=agent.id) == ()
    assert {row.owner for row in shown(session, due)} == {None}


def test_a_filter_that_no_index_serves_looks_at_so_many_and_says_how_to_go_on(session, now, monkeypatch):
    monkeypatch.setattr(queue, "LOOKED_AT", 3)
    cases = [a.an_in_review(session, now=now + MINUTE * n) for n in range(7)]
    cases[1].country = cases[6].country = "KAZ"
    pages, after = [], ""
    while True:
        page = queue.page(session, Filters(country="KAZ", after=after), now=now)
        pages.append((ids(page.rows), page.cut))
        after = page.next
        if not after:
            break
    assert pages == [([cases[1].id], True), ([], True), ([cases[6].id], False)]


def test_what_waits_for_the_customer_waits_for_no_agent(session, now, agent):
    papers = a.an_in_review(session, now=now)
    papers.awaiting_until = now + timedelta(days=3)
    retake = a.a_needs_retake(session, now=now)
    answered = a.an_in_review(session, now=now)
    answered.answered_at = now
    assert shown(session, now) == ()
    assert ids(shown(session, now, view=View.CUSTOMER)) == [papers.id, retake.id]
    tiles = queue.tiles(session, agent=agent, now=now)
    assert (tiles.waiting, tiles.customer) == (0, 2)
    assert queue.next_for(session, agent, now=now) is None
    conversations.write(session, papers.id, uuid4(), text="I have none.", now=now)
    assert ids(shown(session, now)) == [papers.id]


def test_an_answer_to_another_case_answers_no_message(session, now):
    case = a.an_in_review(session, now=now)
    conversations.write(session, case.id, uuid4(), text="Hello?", now=now)
    other = Disposition(
        case_id=a.an_approved(session, now=now).id, staff_id=a.a_member(session, now=now).id, action="settle", reasons=[],
        created_at=now + MINUTE,
    )  # fmt: skip
    session.add(other)
    session.flush()
    assert [row.wrote for row in shown(session, now)] == [True]


def test_the_queue_holds_no_detail_of_a_person(session, now):
    a.an_in_review(session, now=now, new_email=a.NEW_EMAIL)
    [row] = shown(session, now)
    told = repr(row)
    assert not any(word in told for word in a.PERSONAL if len(word) > 3)
    assert {f.name for f in fields(QueueRow)} >= {"due_at", "reasons", "owner"}


def test_tiles_and_counts(session, now, settings, agent):
    review.take(session, a.an_in_review(session, now=now).id, agent=agent, now=now)
    second = a.an_in_review(session, now=now + MINUTE)
    second.second_at = now
    senior = a.an_in_review(session, now=now + 2 * MINUTE)
    senior.escalated_at = now
    senior.rescue = rescue.LINE
    a.a_needs_retake(session, now=now)
    disputed = a.an_approved(session, now=now)
    disputed.disputed_at = now
    wanted = queue.Tiles(waiting=3, mine=1, soon=0, overdue=0, customer=1, disputed=1, second=1, senior=1, rescue=1, oldest=now)
    with counted(session) as seen:
        assert queue.tiles(session, agent=agent, now=now) == wanted
    assert len(seen) == 1
    assert queue.counts(session, now=now) == queue.DeskCounts(waiting=3, free=2, overdue=0, disputed=1, oldest=now)
    due = now + timedelta(hours=settings.review_hours)
    tiles = queue.tiles(session, agent=None, now=due)
    assert (tiles.mine, tiles.overdue, tiles.soon) == (0, 1, 2)
    assert [row.lane for row in shown(session, now)] == [Lane.DISPUTE, Lane.ORDINARY, Lane.SECOND, Lane.SENIOR]
    assert ids(shown(session, now, view=View.SECOND)) == [second.id]
    assert ids(shown(session, now, view=View.SENIOR)) == [senior.id]


def test_tiles_count_so_far_and_no_further(session, now, monkeypatch):
    monkeypatch.setattr(queue, "COUNTED", 2)
    for _ in range(4):
        a.an_in_review(session, now=now)
    assert queue.tiles(session, agent=None, now=now).waiting == 3


@pytest.mark.parametrize("name", DESK_INDEXES)
def test_every_part_of_the_queue_is_read_from_its_own_index(session, now, name):
    columns, which = DESK_INDEXES[name]
    order = ", ".join(column for column in columns if column != "state")
    a.an_in_review(session, now=now)
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_bitmapscan = off"))
        session.execute(text("SET LOCAL enable_sort = off"))  # of one row any plan would do
        for other in DESK_INDEXES.keys() - {name}:  # and any of these indexes, where one part lies in another
            session.execute(text(f"DROP INDEX {other}"))
        explain = "EXPLAIN"
    else:
        explain = "EXPLAIN QUERY PLAN"
    asked = text(f"{explain} SELECT id FROM cases WHERE ({which}) ORDER BY {order} LIMIT 50")
    plan = " ".join(str(line) for line in session.execute(asked))
    session.rollback()  # brings the indexes back
    assert name in plan and "TEMP B-TREE" not in plan and "Sort" not in plan


# Giving cases out


def taken(session, agent, now):
    found = queue.next_for(session, agent, now=now)
    return found.id if found else None


def test_next_is_what_is_due_first_within_her_skills(session, now, agent):
    cases = [a.an_in_review(session, now=now + MINUTE * n) for n in range(4)]
    cases[0].locale, cases[1].country, cases[2].risk = "kk", "KAZ", "high"
    assert taken(session, agent, now) == cases[0].id
    agent.skills = Skills(languages=frozenset({"en"})).to_json()
    assert taken(session, agent, now) == cases[1].id
    agent.skills = Skills(languages=frozenset({"en", "ru"}), countries=frozenset({"UTO"})).to_json()
    assert taken(session, agent, now) == cases[2].id
    agent.skills = Skills(languages=frozenset({"en"}), countries=frozenset({"UTO"}), high_risk=False).to_json()
    assert taken(session, agent, now) == cases[3].id
    cases[1].country = None
    assert taken(session, agent, now) == cases[1].id
    agent.skills = Skills(languages=frozenset({"es"})).to_json()
    assert taken(session, agent, now) is None
    assert queue.why_none(session, agent, now=now) is Why.NOT_FOR_HER


@pytest.mark.parametrize(
    ("skills", "covers"),
    [
        (Skills(), True),
        (Skills(languages=frozenset({"en"})), True),
        (Skills(languages=frozenset({"ru"})), False),
        (Skills(countries=frozenset({"KAZ"})), False),
        (Skills(high_risk=False), False),
    ],
)
def test_skills_say_the_same_of_a_case_and_of_a_query(session, now, skills, covers):
    case = a.an_in_review(session, now=now)
    case.risk = "high"
    session.flush()
    assert skills.cover(case) is covers
    assert (session.scalar(select(Case.id).where(Case.id == case.id, *skills.conditions())) is not None) is covers


def test_what_is_kept_of_skills_comes_back(session, agent, now):
    lead = a.a_member(session, Role.LEAD, now=now)
    told = Skills(languages=frozenset({"ru", "kk"}), countries=frozenset({"KAZ"}), high_risk=False)
    queue.set_skills(session, agent, told, actor=audit.Actor.staff(lead), by=lead, now=now)
    session.flush()
    session.refresh(agent)
    assert Skills.of(agent) == told and Skills.of(a.a_member(session, now=now)) == Skills()
    with pytest.raises(NotAllowed):
        queue.set_skills(session, agent, told, actor=audit.Actor.staff(agent), by=agent, now=now)
    [kept] = session.scalars(select(Event).where(Event.kind == "skills_set"))
    assert kept.details["languages"] == ["kk", "ru"] and kept.details["staff_id"] == str(agent.id)


def test_a_senior_agent_is_given_disputes_then_the_rescue_lane_then_what_is_due(session, now, agent, senior):
    due, saved, escalated = [a.an_in_review(session, now=now + MINUTE * n) for n in range(3)]
    saved.rescue = rescue.LINE
    escalated.escalated_at = now
    disputed = a.an_approved(session, now=now)
    disputed.disputed_at = now
    given = []
    while (found := queue.next_for(session, senior, now=now)) is not None:
        found.owner_id, found.owner_until = senior.id, now + MINUTE
        given.append(found.id)
    assert given == [disputed.id, saved.id, due.id, escalated.id]
    given = []
    while (found := queue.next_for(session, agent, now=now + 2 * MINUTE)) is not None:
        found.owner_id, found.owner_until = agent.id, now + 9 * MINUTE
        given.append(found.id)
    assert given == [due.id, saved.id]


def test_nobody_is_given_the_second_look_at_her_own_answer(session, now, agent):
    case = a.an_in_review(session, now=now)
    case.second_at = now
    answer = Answer(
        case_id=case.id, staff_id=agent.id, state=AnswerState.FIRST, action="approve", data_key_id=case.data_key_id,
        needs_second=True, given_at=now, until=now, case_version=case.version,
    )  # fmt: skip
    session.add(answer)
    assert taken(session, agent, now) is None
    assert taken(session, a.a_member(session, now=now), now) == case.id
    answer.state = AnswerState.DISAGREED
    assert taken(session, agent, now) is None


def test_who_rejected_a_case_is_not_given_its_appeal(session, now):
    agent = a.a_member(session, now=now)
    case = a.a_rejected(session, now=now, agent=agent)
    intake.appeal(session, case.id, now=now)
    assert taken(session, agent, now) is None
    assert taken(session, a.a_member(session, now=now), now) == case.id


def test_a_related_case_is_passed_over(session, now, agent, monkeypatch):
    related, other = a.an_in_review(session, now=now), a.an_in_review(session, now=now + MINUTE)
    monkeypatch.setattr(review, "withheld", lambda _session, _agent, case, *, now: case.id == related.id)
    assert taken(session, agent, now) == other.id


def test_an_agent_holds_so_many_and_no_more(session, now, agent, database):
    database.info["settings"] = database.settings.model_copy(update={"max_open_cases": 2})
    session.info["settings"] = database.settings
    cases = [a.an_in_review(session, now=now + MINUTE * n) for n in range(3)]
    for case in cases[:2]:
        review.take(session, case.id, agent=agent, now=now)
    assert taken(session, agent, now) is None and queue.why_none(session, agent, now=now) is Why.FULL
    with pytest.raises(queue.HandsFull) as full:
        queue.require_room(session, agent, now=now)
    assert full.value.limit == 2
    review.release(session, cases[0].id, agent=agent, now=now)
    assert taken(session, agent, now) == cases[0].id


def test_who_practises_is_given_no_live_case(session, now, agent):
    a.an_in_review(session, now=now)
    agent.practising = True
    with pytest.raises(NotAllowed):
        queue.next_for(session, agent, now=now)
    agent.practising = False
    assert taken(session, agent, now) is not None


def test_nothing_waits(session, now, agent):
    assert taken(session, agent, now) is None and queue.why_none(session, agent, now=now) is Why.EMPTY


def test_who_may_not_decide_is_given_nothing(session, now):
    with pytest.raises(NotAllowed):
        queue.next_for(session, a.a_member(session, Role.LEAD, now=now), now=now)


# Searching


@pytest.mark.parametrize(
    "written", ["4510123456", "45 10 123456", "45-10-123456", " 45 10 № 123456", "45 1O 123456", "45 IО 123456", "４５10123456"]
)
def test_a_number_is_the_same_however_it_is_written(session, written):
    assert queue.index_of(session, written) == queue.index_of(session, "4510123456")


def test_letters_that_look_alike_are_one(session):
    assert queue.index_of(session, "АВ1234567") == queue.index_of(session, "ab 123 456 7")
    assert queue.index_of(session, "N1234567O") == queue.index_of(session, "N12345670")
    assert queue.index_of(session, "N12345678") != queue.index_of(session, "N12345679")


def test_the_index_tells_nothing_without_the_key(session, settings, tmp_path):
    index = queue.index_of(session, "4510123456")
    assert len(index) == 64 and "4510123456" not in index
    other = Database("sqlite://", info={"settings": settings.model_copy(update={"audit_key": "b" * 64})})
    with other.session() as elsewhere:
        assert queue.index_of(elsewhere, "4510123456") != index
    other.dispose()


def test_a_case_is_found_by_the_number_of_the_document_once_it_was_sent(session, now):
    draft = a.a_draft(session, now=now)
    assert draft.document_index is None
    intake.submit(session, draft.id, consent_version=a.CONSENT, now=now)

    def found(wanted, **about):
        return ids(queue.search(session, wanted, now=now, **about).rows)

    assert found("70 0000-002", with_documents=True) == [draft.id]
    assert found("700000001", with_documents=True) == [] and found("700000002") == []
    assert found("7000", with_documents=True) == []


def test_the_number_on_file_is_what_she_holds_where_she_typed_none(session, now):
    claim = Claim(reason=ChangeReason.MISTAKE, values={Field.SURNAME: "BERGMANTEST"})
    case = a.a_submitted(session, now=now, claim=claim)
    assert case.document_index == queue.index_of(session, "700000001")


def test_a_corrected_number_is_the_one_that_is_found(session, now):
    case = a.a_needs_retake(session, now=now)
    before = case.document_index
    claim = replace(a.CLAIM, values={**a.CLAIM.values, Field.DOCUMENT_NUMBER: "700000009"})
    intake.amend(session, case.id, claim, country="UTO", now=now)
    assert case.document_index == queue.index_of(session, "700000009") != before


def test_a_request_to_a_person_is_found_as_well(session, now):
    case = a.a_draft(session, now=now)
    intake.ask_for_person(session, case.id, consent_version=a.CONSENT, now=now)
    assert case.document_index is not None


def test_nothing_is_found_by_number_once_the_case_was_shredded(session, now, settings):
    case = a.an_approved(session, now=now)
    later = now + timedelta(days=settings.photo_days + 1)
    assert retention.shred_due(session, now=later) == [case.id]
    session.refresh(case)
    assert case.document_index is None
    assert queue.search(session, "700000002", with_documents=True, now=later).rows == ()


def test_cases_are_found_by_id_number_and_the_beginning_of_a_customer_id(session, now):
    case, other = a.an_in_review(session, now=now), a.an_approved(session, now=now + MINUTE)
    case.customer.external_id, other.customer.external_id = "abc-1_x", "abc-2"
    session.flush()

    def found(wanted):
        return ids(queue.search(session, wanted, now=now).rows)

    assert found(str(case.id)) == found(str(case.id)[:8].upper()) == found("abc-1") == [case.id]
    assert found("abc") == [other.id, case.id]
    assert found("100%") == found("abc%") == found("bc-1") == found("") == found("abc-1%x") == []


def test_a_search_shows_so_many_and_says_that_there_are_more(session, now, monkeypatch):
    monkeypatch.setattr(queue, "FOUND", 2)
    first = a.an_approved(session, now=now)
    for n in range(1, 3):
        claim = replace(a.CLAIM, values={**a.CLAIM.values, Field.DOCUMENT_NUMBER: f"70000001{n}"})
        a.a_draft(session, now=now + MINUTE * n, customer=first.customer, claim=claim)
        intake.withdraw(session, session.scalars(select(Case.id).where(Case.closed_at.is_(None))).one(), now=now)
    page = queue.search(session, first.customer.external_id, now=now)
    assert len(page.rows) == 2 and page.cut


# Who else is looking


def test_who_looks_is_shown_to_others_for_a_short_while(session, now, agent, senior):
    case = a.an_in_review(session, now=now)
    queue.watch(session, case.id, agent, now=now)
    queue.watch(session, case.id, senior, now=now)
    assert queue.watchers(session, case.id, now=now) == ("Agent One", "Senior One")
    assert queue.watchers(session, case.id, but=agent.id, now=now) == ("Senior One",)
    [row] = queue.page(session, Filters(), now=now, viewer=agent.id).rows
    assert row.looking == ("Senior One",)
    queue.watch(session, case.id, senior, now=now + queue.LOOKING)
    assert queue.watchers(session, case.id, now=now + queue.LOOKING) == ("Senior One",)
    queue.leave(session, case.id, senior)
    assert queue.watchers(session, case.id, now=now + queue.LOOKING) == ()


def test_old_looks_do_not_pile_up(session, now, agent):
    for n in range(3):
        queue.watch(session, a.an_in_review(session, now=now).id, agent, now=now + n * 2 * queue.LOOKING)
    assert session.scalar(select(func.count()).select_from(Presence)) == 1


# Views that an agent keeps


def test_an_agent_keeps_renames_and_deletes_views_of_her_own(session, now, agent):
    other = a.a_member(session, now=now)
    kept = saved_views.keep(session, agent, "  Kazakh,\t high risk ", {"language": "kk", "q": "12345", "after": "x"}, now=now)
    assert saved_views.of(session, agent.id) == [kept]
    assert (kept.name, kept.filters) == ("Kazakh, high risk", {"language": "kk"})
    assert saved_views.of(session, other.id) == []
    with pytest.raises(NoResultFound):
        saved_views.rename(session, other, kept.id, "Mine now")
    with pytest.raises(NoResultFound):
        saved_views.forget(session, other, kept.id)
    saved_views.keep(session, other, "Kazakh, high risk", {}, now=now)
    with pytest.raises(saved_views.NameTaken):
        saved_views.keep(session, agent, "Kazakh, high risk", {}, now=now)
    saved_views.rename(session, agent, kept.id, "Kazakh, high risk")
    saved_views.rename(session, agent, kept.id, "Kazakh")
    assert [view.name for view in saved_views.of(session, agent.id)] == ["Kazakh"]
    for bad in ("", "   ", "x" * (saved_views.LENGTH + 1)):
        with pytest.raises(saved_views.BadName):
            saved_views.rename(session, agent, kept.id, bad)
    saved_views.forget(session, agent, kept.id)
    assert saved_views.of(session, agent.id) == []


def test_an_agent_keeps_so_many_views_and_no_more(session, now, agent):
    for n in range(saved_views.MOST):
        saved_views.keep(session, agent, f"View {n}", {}, now=now + MINUTE * n)
    with pytest.raises(saved_views.TooMany):
        saved_views.keep(session, agent, "One more", {}, now=now)
    assert session.scalar(select(func.count()).select_from(SavedView)) == saved_views.MOST
    with pytest.raises(NotAllowed):
        saved_views.keep(session, a.a_member(session, Role.OPS, now=now), "x", {}, now=now)
