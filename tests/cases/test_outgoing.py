"""Messages and wishes for papers that wait: nothing of them is seen before they leave, and nothing is left once taken back."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from cases import audit, conversations, exports, intake, outgoing, queries, replies, retention, review, staff, supporting
from cases.answers import give
from cases.database import Database
from cases.desk_tables import Dropped, Outgoing, OutgoingKind, OutgoingState, Paper, PaperKind, ReplyUse
from cases.lifecycle import State
from cases.models import Case, Event, Message, Notification, Role, Writer
from cases.outgoing import TooLate
from cases.photo_store import store_of
from cases.review import Disposal, NotYours
from cases.staff import NotAllowed
from tests import factories as a

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
UNDO = timedelta(seconds=20)
WORDS = "Is the new name on page five?"
MARRIAGE, EARLIER = PaperKind.MARRIAGE_CERTIFICATE, PaperKind.EARLIER_PASSPORTS


@pytest.fixture
def settings(settings):
    """What is sent can be taken back for 20 seconds, as shipped."""
    return settings.model_copy(update={"undo_seconds": 20})


@pytest.fixture
def case(session, now):
    return a.an_in_review(session, now=now)


@pytest.fixture
def agent(session, case, now):
    """An agent who holds the case."""
    person = a.a_member(session, now=now, name="Agent One")
    review.take(session, case.id, agent=person, now=now)
    return person


@pytest.fixture
def other(session, now):
    return a.a_member(session, now=now, name="Agent Two")


def says(session, case, agent, *, now, text=WORDS, photo=None, number=None):
    return outgoing.say(session, case.id, number or uuid4(), text=text, photo=photo, agent=agent, now=now)


def wishes(session, case, agent, *kinds, now, words=""):
    return outgoing.wish(session, case.id, kinds or (MARRIAGE,), words=words, agent=agent, now=now)


def owed(session, case):
    """Mails about messages and papers."""
    found = select(Notification.kind).where(Notification.case_id == case.id, Notification.kind.in_(("message", "paper_asked")))
    return session.scalars(found.order_by(Notification.created_at)).all()


def seen_by_her(session, case, now):
    """Everything that a customer's pages and her copy are made of, as one text."""
    session.flush()
    talk = conversations.thread(session, case)
    papers = supporting.of(session, case, now=now)
    told = [moment.what for moment in queries.timeline(session, case.id)]
    copy = exports.gather(session, case.customer_id, language="en", now=now).document
    return repr((talk, papers, told, case.awaiting_until, case.state, copy["requests"], copy["mails"]))


def kinds(session, case):
    return session.scalars(select(Event.kind).where(Event.case_id == case.id).order_by(Event.id)).all()


@pytest.mark.parametrize("sends", [says, wishes])
def test_nothing_of_it_is_seen_or_mailed_until_its_time_has_come(session, case, agent, now, sends):
    before = seen_by_her(session, case, now)
    row = sends(session, case, agent, now=now)
    assert (row.state, row.until) == (OutgoingState.WAITING, now + UNDO)
    assert not outgoing.send(session, row.id, now=now + UNDO - SECOND)
    assert seen_by_her(session, case, now) == before and owed(session, case) == []
    assert outgoing.due(session, now=now + UNDO) == [row.id]
    assert outgoing.send(session, row.id, now=now + UNDO)
    assert seen_by_her(session, case, now) != before and len(owed(session, case)) == 1
    assert (row.state, row.text_sealed) == (OutgoingState.LEFT, None)
    assert not outgoing.send(session, row.id, now=now + MINUTE) and len(owed(session, case)) == 1, "once"


def test_a_message_leaves_as_it_was_written_with_its_photo(session, case, agent, now):
    number, picture = uuid4(), a.jpeg(3)
    row = says(session, case, agent, now=now, number=number, photo=picture)
    assert row.photo_sealed and picture not in row.photo_sealed and WORDS.encode() not in row.text_sealed
    stored = len(list(store_of(session).names()))
    outgoing.send(session, row.id, now=now + UNDO)
    (line,) = conversations.thread(session, case)
    assert (line.id, line.writer, line.by, line.text, line.at) == (number, Writer.STAFF, agent.name, WORDS, now + UNDO)
    viewer = audit.Actor.staff(agent)
    assert conversations.open_photo(session, number, case_id=case.id, viewer=viewer, purpose="review", now=now) == picture
    assert row.photo_sealed is None and len(list(store_of(session).names())) == stored + 1, "kept once"
    assert kinds(session, case)[-4:-1] == ["message_given", "notification_added", "message_written"]


@pytest.mark.parametrize("sends", [says, wishes])
def test_taken_back_it_is_gone_without_a_trace_for_her_and_stands_in_the_trail(session, case, agent, now, sends):
    before = seen_by_her(session, case, now)
    row = sends(session, case, agent, now=now)
    back = outgoing.take_back(session, row.id, agent=agent, now=now + 19 * SECOND)
    assert (row.state, row.text_sealed, row.photo_sealed) == (OutgoingState.TAKEN_BACK, None, None)
    assert back.text == (WORDS if sends is says else "") and back.papers == (() if sends is says else (MARRIAGE,))
    assert outgoing.due(session, now=now + MINUTE) == [] and not outgoing.send(session, row.id, now=now + MINUTE)
    assert seen_by_her(session, case, now) == before and owed(session, case) == []
    stem = "message" if sends is says else "paper_wish"
    assert [kind for kind in kinds(session, case) if kind.startswith(stem)] == [f"{stem}_given", f"{stem}_taken_back"]
    assert audit.verify(session).ok
    assert (case.owner_id, case.answered_at) == (agent.id, None), "the case is hers"


def test_it_is_taken_back_by_its_writer_alone_and_in_time_alone(session, case, agent, other, now):
    row = says(session, case, agent, now=now)
    with pytest.raises(NotYours):
        outgoing.take_back(session, row.id, agent=other, now=now)
    with pytest.raises(TooLate) as late:
        outgoing.take_back(session, row.id, agent=agent, now=now + UNDO)
    assert late.value.state is OutgoingState.WAITING
    outgoing.send(session, row.id, now=now + UNDO)
    with pytest.raises(TooLate) as late:
        outgoing.take_back(session, row.id, agent=agent, now=now + UNDO)
    assert late.value.state is OutgoingState.LEFT


def test_sent_twice_it_is_one_message_and_taken_back_it_can_be_sent_anew(session, case, agent, other, now):
    number = uuid4()
    row = says(session, case, agent, now=now, number=number)
    assert says(session, case, agent, now=now + SECOND, number=number) is row
    outgoing.take_back(session, row.id, agent=agent, now=now + 2 * SECOND)
    again = says(session, case, agent, now=now + 3 * SECOND, number=number)
    assert again.id != number and again.state is OutgoingState.WAITING
    outgoing.send(session, again.id, now=now + MINUTE)
    assert len(conversations.thread(session, case)) == 1


def test_somebody_elses_number_tells_and_changes_nothing(session, case, agent, other, now):
    row = says(session, case, agent, now=now)
    theirs = review.take(session, a.an_in_review(session, now=now).id, agent=other, now=now)
    mine = says(session, theirs, other, now=now, number=row.id, text="Mine")
    assert mine.id != row.id and (row.case_id, row.staff_id) == (case.id, agent.id)


def test_with_no_time_to_take_back_both_leave_at_once(session, case, agent, now):
    session.info["settings"] = session.info["settings"].model_copy(update={"undo_seconds": 0})
    assert says(session, case, agent, now=now).state is OutgoingState.LEFT
    assert wishes(session, case, agent, now=now).state is OutgoingState.LEFT
    assert owed(session, case) == ["message", "paper_asked"]
    assert len(conversations.thread(session, case)) == len(supporting.of(session, case, now=now)) == 1


def test_what_may_not_be_written_or_asked_for_does_not_wait_either(session, case, agent, other, now):
    with pytest.raises(NotYours):
        says(session, case, other, now=now)
    with pytest.raises(NotYours):
        wishes(session, case, other, now=now)
    with pytest.raises(conversations.NothingSaid):
        says(session, case, agent, now=now, text=" \u200b ")
    with pytest.raises(conversations.TooLong):
        says(session, case, agent, now=now, text="x" * (conversations.MOST_LETTERS + 1))
    with pytest.raises(NotAllowed):
        says(session, case, a.a_member(session, Role.AUDITOR, now=now), now=now)
    with pytest.raises(ValueError, match="name the papers"):
        outgoing.wish(session, case.id, [], agent=agent, now=now)
    supporting.ask(session, case.id, [MARRIAGE], agent=agent, now=now)
    review.take(session, case.id, agent=agent, now=now)
    with pytest.raises(supporting.AskedAlready):
        wishes(session, case, agent, MARRIAGE, EARLIER, now=now)
    assert session.scalar(select(func.count()).select_from(Outgoing)) == 0


def test_messages_that_wait_count_among_those_one_side_may_write(session, case, agent, now, monkeypatch):
    monkeypatch.setattr(conversations, "MOST_MESSAGES", 2)
    for at in range(2):
        says(session, case, agent, now=now + at * SECOND)
    with pytest.raises(conversations.TooMany):
        says(session, case, agent, now=now + 2 * SECOND)


# Messages: what they answer, and what happens meanwhile


def test_what_the_customer_wrote_is_answered_when_the_message_leaves_and_only_what_stood_there_then(session, case, agent, now):
    conversations.write(session, case.id, uuid4(), text="Hello?", now=now)
    row = says(session, case, agent, now=now + SECOND)
    assert conversations.waits(session, case), "nothing has left"
    conversations.write(session, case.id, uuid4(), text="Are you there?", now=now + 2 * SECOND)
    outgoing.send(session, row.id, now=now + UNDO + SECOND)
    first, second, ours = conversations.thread(session, case)
    assert (first.seen, second.seen, ours.text) == (True, False, WORDS)
    assert conversations.waits(session, case)


def test_a_message_taken_back_leaves_what_the_customer_wrote_unanswered(session, case, agent, now):
    conversations.write(session, case.id, uuid4(), text="Hello?", now=now)
    row = says(session, case, agent, now=now + SECOND)
    outgoing.take_back(session, row.id, agent=agent, now=now + 2 * SECOND)
    assert conversations.waits(session, case)


def test_two_messages_in_a_row_bring_one_mail_unless_she_looked_between(session, case, agent, now):
    first, second = says(session, case, agent, now=now), says(session, case, agent, now=now + SECOND, text="And page six?")
    outgoing.send(session, first.id, now=now + UNDO)
    conversations.shown_to_customer(session, case.id, [first.id], now=now + UNDO)
    outgoing.send(session, second.id, now=now + UNDO + SECOND)
    assert owed(session, case) == ["message", "message"], "she had looked, and would not look again"
    third = says(session, case, agent, now=now + MINUTE, text="Or on page seven?")
    outgoing.send(session, third.id, now=now + 2 * MINUTE)
    assert owed(session, case) == ["message", "message"], "the second mail still stands"


def test_of_two_messages_the_one_not_taken_back_is_mailed(session, case, agent, now):
    first, second = says(session, case, agent, now=now), says(session, case, agent, now=now + SECOND, text="And page six?")
    outgoing.take_back(session, first.id, agent=agent, now=now + 2 * SECOND)
    outgoing.send(session, second.id, now=now + UNDO + SECOND)
    assert owed(session, case) == ["message"] and [line.text for line in conversations.thread(session, case)] == ["And page six?"]


def test_a_message_goes_though_its_writer_has_let_go_of_the_case(session, case, agent, other, now):
    row = says(session, case, agent, now=now)
    review.release(session, case.id, agent=agent, now=now + SECOND)
    review.take(session, case.id, agent=other, now=now + 2 * SECOND)
    outgoing.send(session, row.id, now=now + UNDO)
    assert [line.by for line in conversations.thread(session, case)] == [agent.name]


def test_a_message_to_a_case_that_she_withdrew_meanwhile_is_dropped_and_its_writer_told(session, case, agent, now):
    row = says(session, case, agent, now=now, photo=a.jpeg(1))
    intake.withdraw(session, case.id, actor=audit.Actor(kind="customer", id=str(case.customer_id)), now=now + SECOND)
    outgoing.send(session, row.id, now=now + UNDO)
    assert (row.state, row.why, row.photo_sealed) == (OutgoingState.DROPPED, Dropped.CASE_CLOSED, None)
    assert conversations.thread(session, case) == [] and owed(session, case) == []
    assert outgoing.dropped_for(session, agent) == [row]
    assert [held.text for held in outgoing.of(session, case, agent)] == [WORDS], "what she typed is not lost"
    outgoing.told(session, row.id, agent=agent, now=now + MINUTE)
    assert outgoing.dropped_for(session, agent) == [] and row.text_sealed is None


def test_a_message_given_before_an_answer_leaves_though_the_answer_is_carried_out_first(session, case, agent, now):
    row = says(session, case, agent, now=now)
    session.info["settings"] = session.info["settings"].model_copy(update={"undo_seconds": 0})
    give(session, case.id, Disposal(action="approve", seen_version=case.version, note="Looked."), agent=agent, now=now + UNDO)
    assert case.state is State.APPROVED
    outgoing.send(session, row.id, now=now + UNDO + SECOND)
    assert row.state is OutgoingState.LEFT and [line.text for line in conversations.thread(session, case)] == [WORDS]


def test_what_an_agent_sends_whose_account_was_closed_is_dropped(session, case, agent, now):
    row = says(session, case, agent, now=now)
    agent.active = False
    session.flush()
    outgoing.send(session, row.id, now=now + UNDO)
    assert row.why is Dropped.ACCOUNT_CLOSED and conversations.thread(session, case) == []
    assert not staff.may(agent, "decide")


# Wishes: whose the case is, and whose clock runs


def test_while_a_wish_waits_the_case_is_nobodys_and_the_desks_clock_runs_on(session, case, agent, other, now):
    due = case.due_at
    row = wishes(session, case, agent, MARRIAGE, EARLIER, now=now, words="Both sides, please.")
    assert (case.owner_id, case.answered_at, case.awaiting_until, case.due_at) == (None, now, None, due)
    assert review.take_next(session, agent=other, now=now) is None
    with pytest.raises(review.TakenBy) as taken:
        review.take(session, case.id, agent=other, now=now)
    assert (taken.value.name, taken.value.until) == (agent.name, now + UNDO)
    outgoing.send(session, row.id, now=now + UNDO)
    assert (case.owner_id, case.answered_at) == (None, None) and supporting.awaits(case, now + UNDO)
    papers = supporting.of(session, case, now=now + UNDO)
    assert [paper.words for paper in papers] == ["Both sides, please."] * 2
    assert {paper.kind for paper in papers} == {MARRIAGE, EARLIER}
    assert case.due_at == case.awaiting_until + (due - (now + UNDO))


def test_a_wish_taken_back_leaves_the_clock_where_it_was_even_where_it_was_late(session, case, agent, now):
    case.due_at = now - MINUTE
    session.flush()
    row = wishes(session, case, agent, now=now)
    outgoing.take_back(session, row.id, agent=agent, now=now + SECOND)
    assert case.due_at == now - MINUTE and case.owner_id == agent.id


def test_a_wish_taken_back_with_full_hands_leaves_the_case_to_anybody(session, case, agent, now):
    session.info["settings"] = session.info["settings"].model_copy(update={"max_open_cases": 1})
    row = wishes(session, case, agent, now=now)
    review.take(session, a.an_in_review(session, now=now).id, agent=agent, now=now)
    outgoing.take_back(session, row.id, agent=agent, now=now + SECOND)
    assert (case.owner_id, case.answered_at) == (None, None)


@pytest.mark.parametrize("hands", ["free", "full"])
def test_a_wish_taken_back_after_she_sent_a_paper_leaves_no_case_behind(session, case, agent, now, hands):
    """The paper changed the case; it still waited for nothing but the wish, and must not wait for ever."""
    row = wishes(session, case, agent, now=now)
    supporting.receive(session, case.id, uuid4(), a.jpeg(1), kind=MARRIAGE, now=now + SECOND)
    if hands == "full":
        session.info["settings"] = session.info["settings"].model_copy(update={"max_open_cases": 0})
    back = outgoing.take_back(session, row.id, agent=agent, now=now + 2 * SECOND)
    assert case.answered_at is None and case.owner_id == (agent.id if hands == "free" else None)
    assert back.hers is (hands == "free")


def test_with_nothing_to_take_back_a_message_is_told_once_and_after_its_photo_is_stored(session, case, agent, now):
    session.info["settings"] = session.info["settings"].model_copy(update={"undo_seconds": 0})
    row = outgoing.say(session, case.id, uuid4(), text="Hello.", photo=a.jpeg(3), agent=agent, now=now)
    assert row.state is OutgoingState.LEFT
    assert "message_given" not in kinds(session, case) and kinds(session, case).count("message_written") == 1


def test_the_same_wish_sent_twice_is_one_and_another_waits_its_turn(session, case, agent, now):
    row = wishes(session, case, agent, now=now)
    assert wishes(session, case, agent, now=now + SECOND) is row
    with pytest.raises(NotYours):
        wishes(session, case, agent, EARLIER, now=now + SECOND)


@pytest.mark.parametrize("what", ["she writes", "she sends a paper"])
def test_what_she_did_meanwhile_wins_over_a_wish(session, case, agent, now, what):
    row = wishes(session, case, agent, now=now)
    if what == "she writes":
        conversations.write(session, case.id, uuid4(), text="I have no certificate.", now=now + SECOND)
    else:
        supporting.receive(session, case.id, uuid4(), a.jpeg(1), kind=MARRIAGE, now=now + SECOND)
    outgoing.send(session, row.id, now=now + UNDO)
    why = Dropped.CUSTOMER_WROTE if what == "she writes" else Dropped.CASE_CHANGED
    assert (row.state, row.why) == (OutgoingState.DROPPED, why)
    assert (case.owner_id, case.answered_at, owed(session, case)) == (agent.id, None, [])
    assert session.scalar(select(func.count()).select_from(Paper).where(Paper.asked_at.is_not(None))) == 0
    assert kinds(session, case)[-1] == "paper_wish_dropped"


def test_what_cannot_be_sent_is_dropped_at_last_and_the_case_is_anybodys(session, case, agent, now):
    row = wishes(session, case, agent, now=now)
    assert not outgoing.give_up(session, row.id, now=now + outgoing.GIVE_UP)
    assert outgoing.give_up(session, row.id, now=now + UNDO + outgoing.GIVE_UP)
    assert (row.why, case.owner_id, case.answered_at) == (Dropped.FAILED, None, None)


# Upkeep, and the end


@pytest.fixture
def waiting(database, settings, now):
    """The same database with two messages that wait, of two cases."""
    made = Database.open(settings)
    with made.transaction() as session:
        for at in range(2):
            case = a.an_in_review(session, now=now)
            agent = a.a_member(session, now=now)
            review.take(session, case.id, agent=agent, now=now)
            says(session, case, agent, now=now + at * SECOND)
    yield made
    made.dispose()


def test_one_that_fails_keeps_no_other_from_leaving_and_is_dropped_at_last(waiting, now, monkeypatch):
    real, broken = conversations.keep, []

    def keep(session, case, number, **more):
        broken.extend([] if broken else [number])
        if number == broken[0]:
            raise RuntimeError("no store")
        return real(session, case, number, **more)

    monkeypatch.setattr(conversations, "keep", keep)
    with pytest.raises(RuntimeError):
        outgoing.send_due(waiting, now=now + MINUTE)
    with waiting.reading() as session:
        assert session.scalars(select(Outgoing.state).order_by(Outgoing.given_at)).all() == ["waiting", "left"]
    with pytest.raises(RuntimeError):
        outgoing.send_due(waiting, now=now + MINUTE + outgoing.GIVE_UP)
    with waiting.reading() as session:
        assert session.get_one(Outgoing, broken[0]).why is Dropped.FAILED
        assert session.scalar(select(func.count()).select_from(Message)) == 1
    assert outgoing.send_due(waiting, now=now + 2 * outgoing.GIVE_UP) == 0


def test_one_that_dies_in_the_middle_leaves_it_waiting(waiting, now):
    def dies():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outgoing.send_due(waiting, now=now + MINUTE, before_commit=dies)
    with waiting.reading() as session:
        assert set(session.scalars(select(Outgoing.state))) == {"waiting"}
        assert session.scalar(select(func.count()).select_from(Message)) == 0
    assert outgoing.send_due(waiting, now=now + MINUTE) == 2 and outgoing.send_due(waiting, now=now + MINUTE) == 0


def test_with_the_case_its_words_are_shredded(session, case, agent, now):
    row = says(session, case, agent, now=now, photo=a.jpeg(1))
    intake.withdraw(session, case.id, actor=audit.Actor(kind="customer", id=str(case.customer_id)), now=now + SECOND)
    retention.destroy_case(session, case, now + SECOND)
    session.refresh(row)
    assert row.text_sealed is None and row.photo_sealed is None
    outgoing.send(session, row.id, now=now + UNDO)
    assert row.state is OutgoingState.DROPPED and conversations.thread(session, case) == []


def test_a_saved_reply_counts_only_with_a_message_that_left(session, case, agent, now):
    row = says(session, case, agent, now=now)
    replies.used(session, case, "message.thank_you", sent=WORDS, locale="en", carrier_id=row.id, filled={}, now=now)
    outgoing.take_back(session, row.id, agent=agent, now=now + SECOND)
    assert session.scalar(select(func.count()).select_from(ReplyUse)) == 0


def test_the_table_refuses_two_wishes_that_wait_and_a_wish_with_a_photo(session, case, agent, now):
    row = wishes(session, case, agent, now=now)
    same = {"case_id": case.id, "staff_id": agent.id, "data_key_id": case.data_key_id, "case_version": 1}
    for more in (
        {"kind": OutgoingKind.WISH},
        {"kind": OutgoingKind.WISH, "state": OutgoingState.TAKEN_BACK, "ended_at": now, "photo_sealed": b"x"},
        {"kind": OutgoingKind.MESSAGE, "state": OutgoingState.LEFT, "ended_at": now, "text_sealed": b"x"},
        {"kind": OutgoingKind.MESSAGE, "state": OutgoingState.DROPPED, "ended_at": now},
        {"kind": OutgoingKind.MESSAGE, "until": now - SECOND},
    ):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.add(Outgoing(**{**same, "id": uuid4(), "given_at": now, "until": now, **more}))
            session.flush()
    assert session.get_one(Case, case.id).id == row.case_id
