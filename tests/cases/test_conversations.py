"""Messages between customer and agent: who may write when, what is kept how, who is told, and how it ends."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from cases import audit, conversations, intake, notifications, retention, review
from cases import queue as desk_queue
from cases.conversations import MOST_LETTERS, MOST_MESSAGES, OPEN, Closed, NothingSaid, TooLong, TooMany
from cases.lifecycle import State
from cases.models import Event, Notification, Role, Writer
from cases.photo_store import PhotoBroken, PhotoGone, store_of
from cases.review import NotYours
from cases.staff import NotAllowed
from tests import factories as a

MINUTE = timedelta(minutes=1)
WORDS = "Please tell me what is wrong"


def says(session, case, text=WORDS, *, now, agent=None, photo=None, number=None):
    return conversations.write(session, case.id, number or uuid4(), text=text, photo=photo, agent=agent, now=now)


@pytest.fixture
def case(session, now):
    return a.an_in_review(session, now=now)


@pytest.fixture
def agent(session, case, now):
    """An agent who holds the case."""
    person = a.a_member(session, now=now)
    review.take(session, case.id, agent=person, now=now)
    return person


@pytest.mark.parametrize("state", list(State))
def test_people_write_while_somebody_would_read_it(session, now, state):
    case = a.in_state(session, state, now=now)
    if state in OPEN:
        assert says(session, case, now=now).case_id == case.id
    else:
        with pytest.raises(Closed) as closed:
            says(session, case, now=now)
        assert closed.value.state is state and conversations.thread(session, case) == []


def test_both_sides_read_what_was_written_in_its_order(session, case, agent, now):
    says(session, case, now=now)
    says(session, case, "We look at it now.", now=now + MINUTE, agent=agent)
    lines = conversations.thread(session, case)
    assert [(line.writer, line.by, line.text) for line in lines] == [
        (Writer.CUSTOMER, "", WORDS),
        (Writer.STAFF, agent.name, "We look at it now."),
    ]


def test_a_message_moves_no_case_and_makes_no_page_stale(session, case, agent, now):
    before = (case.state, case.version, case.updated_at, case.due_at)
    says(session, case, now=now + MINUTE)
    session.refresh(case)
    assert (case.state, case.version, case.updated_at, case.due_at) == before
    disposal = review.Disposal(action="approve", note="Clear.", seen_version=before[1])
    assert review.dispose(session, case.id, disposal, agent=agent, now=now + MINUTE).state is State.APPROVED


def test_a_stale_page_is_told_what_changed_the_case_not_that_somebody_wrote(session, case, agent, now):
    says(session, case, now=now + MINUTE)
    disposal = review.Disposal(action="approve", note="Clear.", seen_version=case.version - 1)
    with pytest.raises(review.StalePage) as stale:
        review.dispose(session, case.id, disposal, agent=agent, now=now + MINUTE)
    assert stale.value.by == agent.name  # who took it, not the customer who wrote after that


def test_sent_twice_it_is_kept_once(session, case, now):
    number = uuid4()
    assert says(session, case, now=now, number=number) is says(session, case, "other words", now=now, number=number)
    assert [line.text for line in conversations.thread(session, case)] == [WORDS]


def test_the_number_of_somebody_elses_message_opens_nothing(session, case, now):
    theirs = says(session, a.an_in_review(session, now=now), now=now)
    mine = says(session, case, "My own words", now=now, number=theirs.id)
    assert mine.id != theirs.id and [line.text for line in conversations.thread(session, case)] == ["My own words"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("  a \r\n\r\n\r\n\r\n b  ", "a\n\nb"),
        ("left\u202eright\u2066\u200b\x07", "leftright"),
        ("tab\tand\u00a0space", "tab and space"),
        ("И\u0306", "Й"),
        ("<b>bold</b>", "<b>bold</b>"),
        ("pay\u00ad100\u200c\U000e0041\ufff9", "pay100"),
        ("a\u200db", "ab"),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),  # Persian "I want" needs its joiner
        ("\U0001f469\u200d\U0001f467 \u2764\ufe0f", "\U0001f469\u200d\U0001f467 \u2764\ufe0f"),  # a family, a red heart
    ],
)
def test_what_is_kept_is_what_a_reader_sees(text, kept):
    assert conversations.plain(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n ",
        "\u202e",
        "\u00ad",
        "\u3164",
        "\u115f\u1160",
        "\uffa0",
        "\u200c",
        "\u200d\ufe0f",
        "\U000e0041",
        "\u2800",
        "\u034f",
    ],
)
def test_nothing_is_no_message(session, case, now, text):
    with pytest.raises(NothingSaid):
        says(session, case, text, now=now)


def test_texts_and_conversations_end_somewhere(session, case, now, monkeypatch):
    assert says(session, case, "я" * MOST_LETTERS, now=now)
    with pytest.raises(TooLong):
        says(session, case, "я" * (MOST_LETTERS + 1), now=now)
    assert MOST_MESSAGES >= 100
    monkeypatch.setattr(conversations, "MOST_MESSAGES", 1)
    with pytest.raises(TooMany):
        says(session, case, now=now)


def test_a_customer_who_wrote_too_much_can_still_be_answered(session, case, agent, now, monkeypatch):
    monkeypatch.setattr(conversations, "MOST_MESSAGES", 1)
    says(session, case, now=now)
    assert says(session, case, now=now, agent=agent).writer is Writer.STAFF
    with pytest.raises(TooMany):
        says(session, case, now=now, agent=agent)


def test_only_the_agent_who_holds_the_case_answers(session, case, agent, now):
    other, ops = a.a_member(session, now=now), a.a_member(session, Role.OPS, now=now)
    with pytest.raises(NotYours):
        says(session, case, now=now, agent=other)
    with pytest.raises(NotAllowed):
        says(session, case, now=now, agent=ops)
    with pytest.raises(NotYours):  # her claim ran out
        says(session, case, now=now + timedelta(days=1), agent=agent)
    assert says(session, case, now=now, agent=agent).staff_id == agent.id


def test_any_agent_answers_a_customer_who_is_asked_for_a_photo_and_asks_something(session, now):
    case = a.a_needs_retake(session, now=now)
    with pytest.raises(NotYours):  # nobody asks her, and the case is not hers to see
        says(session, case, now=now, agent=a.a_member(session, now=now))
    says(session, case, now=now)
    assert says(session, case, now=now, agent=a.a_member(session, now=now))
    with pytest.raises(NotAllowed):
        says(session, case, now=now, agent=a.a_member(session, Role.LEAD, now=now))


def test_words_and_photos_are_sealed_under_the_key_of_the_case(session, case, now):
    photo = a.jpeg(5)
    message = says(session, case, now=now, photo=photo)
    assert WORDS.encode() not in message.text_sealed
    assert photo not in store_of(session).read(message.blob)
    assert message.data_key_id == case.data_key_id
    other = says(session, case, "Other words", now=now)
    other.text_sealed = message.text_sealed  # put in another's place it does not open
    with pytest.raises(Exception, match="another place"):
        conversations.thread(session, case)


def test_every_look_at_a_photo_is_an_event_and_no_event_holds_a_word(session, case, now):
    photo = a.jpeg(6)
    message = says(session, case, now=now, photo=photo)
    viewer = audit.Actor(kind="customer", id=str(case.customer_id))
    opened = conversations.open_photo(session, message.id, case_id=case.id, viewer=viewer, purpose="own_message", now=now)
    assert opened == photo
    events = session.scalars(select(Event).where(Event.kind.startswith("message")).order_by(Event.id)).all()
    assert [(e.kind, e.actor_kind) for e in events] == [("message_written", "customer"), ("message_photo_opened", "customer")]
    assert events[0].details == {"message_id": str(message.id), "size": len(photo)}
    assert "wrong" not in str([e.details for e in session.scalars(select(Event))])


def test_a_photo_opens_in_its_own_case_only_and_a_changed_one_is_noticed(session, case, now):
    message, viewer = says(session, case, now=now, photo=a.jpeg(7)), audit.MACHINE
    viewer = audit.Actor(kind="customer", id="x")
    other = a.an_in_review(session, now=now)
    for number, where in ((message.id, other.id), (uuid4(), case.id), (says(session, case, now=now).id, case.id)):
        with pytest.raises(PhotoGone):
            conversations.open_photo(session, number, case_id=where, viewer=viewer, purpose="x", now=now)
    store = store_of(session)
    sealed = store.read(message.blob)
    store.shred(message.blob)
    store.put(message.blob, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(PhotoBroken):
        conversations.open_photo(session, message.id, case_id=case.id, viewer=viewer, purpose="x", now=now)


def test_the_customer_gets_one_mail_until_she_has_looked(session, case, agent, now):
    def mails():
        return session.scalars(select(Notification).where(Notification.kind == "message")).all()

    says(session, case, now=now)
    assert mails() == []  # nobody is told of her own words
    says(session, case, now=now, agent=agent)
    says(session, case, now=now, agent=agent)
    assert len(mails()) == 1
    conversations.shown_to_customer(session, case.id, [line.id for line in conversations.thread(session, case)], now=now)
    says(session, case, now=now, agent=agent)
    assert len(mails()) == 2
    message = notifications.begin_sending(session, mails()[0].id, now=now)
    assert message.recipient == a.OLD_EMAIL and "/links/" in message.context["case_url"]
    assert WORDS not in str(message.context) and message.context["not_me_url"] == ""


def test_what_came_while_her_page_was_made_is_not_taken_for_read(session, case, agent, now):
    says(session, case, "first", now=now, agent=agent)
    shown = [line.id for line in conversations.thread(session, case)]
    later = now + timedelta(seconds=1)
    says(session, case, "second", now=later, agent=agent)
    conversations.shown_to_customer(session, case.id, shown, now=later)
    assert [line.seen for line in conversations.thread(session, case)] == [True, False]
    assert conversations.unseen(session, case.id, Writer.STAFF)


def queue(session, now, case):
    return [row for row in desk_queue.page(session, desk_queue.Filters(limit=200), now=now).rows if row.id == case.id]


def test_the_queue_shows_who_wrote_until_it_is_answered(session, case, agent, now):
    assert [row.wrote for row in queue(session, now, case)] == [False]
    says(session, case, now=now)
    assert [row.wrote for row in queue(session, now, case)] == [True]
    says(session, case, now=now, agent=agent)
    assert [row.wrote for row in queue(session, now, case)] == [False]


def test_a_case_that_waits_for_a_photo_comes_to_the_desk_when_she_writes(session, now):
    case, agent = a.a_needs_retake(session, now=now), a.a_member(session, now=now)
    assert queue(session, now, case) == []
    says(session, case, now=now)
    assert [(row.state, row.wrote) for row in queue(session, now, case)] == [(State.NEEDS_RETAKE, True)]
    conversations.set_aside(session, case.id, agent=agent, now=now)
    assert queue(session, now, case) == []
    told = session.scalars(select(Event).where(Event.kind == "messages_set_aside")).one()
    assert told.details == {"count": 1} and told.actor_id == str(agent.id)


def test_what_she_wrote_before_an_answer_does_not_come_back(session, case, agent, now):
    says(session, case, now=now)
    disposal = review.Disposal(action="ask_retake", retake=frozenset(intake.NEEDED[:1]), seen_version=case.version)
    review.dispose(session, case.id, disposal, agent=agent, now=now + MINUTE)
    assert queue(session, now, case) == [] and not conversations.waits(session, case)
    says(session, case, now=now + 2 * MINUTE)
    assert conversations.waits(session, case)


def test_a_closed_conversation_is_read_until_it_is_shredded_and_then_gone(session, now, settings):
    case = a.an_in_review(session, now=now)
    message = says(session, case, now=now, photo=a.jpeg(8))
    bare = says(session, case, "Words alone", now=now + MINUTE)
    intake.withdraw(session, case.id, now=now)
    assert [line.text for line in conversations.thread(session, case)] == [WORDS, "Words alone"]
    assert retention.orphans(session, now=now + timedelta(days=1)).blobs == ()
    later = now + timedelta(days=settings.photo_days)
    assert case.id in retention.shred_due(session, now=later)
    assert [(line.text, line.has_photo) for line in conversations.thread(session, case)] == [(None, False)] * 2
    for row in (message, bare):
        session.refresh(row)
        assert row.text_sealed is None and row.shredded_at == later
    assert message.blob not in dict(store_of(session).names())
    viewer = audit.Actor(kind="customer", id="x")
    with pytest.raises(PhotoGone):
        conversations.open_photo(session, message.id, case_id=case.id, viewer=viewer, purpose="x", now=later)


def test_a_photo_whose_blob_is_missing_is_found(session, case, now):
    message = says(session, case, now=now, photo=a.jpeg(9))
    store_of(session).shred(message.blob)
    assert retention.orphans(session, now=now).photos == (message.id,)


def test_a_message_says_something_by_the_table_itself(session, case, now):
    message = says(session, case, now=now)
    with pytest.raises(IntegrityError, match="says_something"), session.begin_nested():
        message.text_sealed = None
        session.flush()
