"""The rescue lane: who is found, who is not, and what her story tells."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import event

from cases import audit, conversations, intake, ratings, rescue, retention, review
from cases.lifecycle import State
from cases.models import Case, Role, Upload
from cases.rescue import LINE, WEIGHTS, Sign, weigh
from tests import factories as a
from verification.reasons import PhotoKind, ReasonCode

DAY = timedelta(days=1)


def points_of(session, customer, *, now):
    return {f.sign: f.points for f in rescue.score(session, customer.id, now=now).signs}


def counts_of(session, customer, *, now):
    return {f.sign: f.count for f in rescue.score(session, customer.id, now=now).signs}


def a_refusal(session, case, *, now, codes=("document_glare",)):
    number = len(session.query(Upload).all()) + 1
    session.add(
        Upload(
            case_id=case.id, id=uuid4(), number=number, kind=PhotoKind.DOCUMENT, attempt=case.attempt, sha256="0" * 64,
            photo_id=None, codes=list(codes), created_at=now,
        )
    )  # fmt: skip
    session.flush()


def test_no_sign_alone_brings_anybody_to_the_lane():
    for sign in Sign:
        assert weigh({sign: 1000}).points == WEIGHTS[sign].most < LINE


@pytest.mark.parametrize(
    ("counts", "stuck"),
    [
        ({Sign.RETAKES: 1, Sign.WAITING: 1}, False),  # an ordinary slow case
        ({Sign.REQUESTS: 2, Sign.RETAKES: 2, Sign.REFUSED: 2}, False),  # clumsy, and getting there
        ({Sign.RETAKES: 3, Sign.REFUSED: 6, Sign.WAITING: 1}, False),
        ({Sign.RETAKES: 3, Sign.APPEALED: 1, Sign.WAITING: 1}, True),
        ({Sign.REQUESTS: 3, Sign.ENDED: 2}, True),  # twice all the way for nothing, and here again
        ({Sign.WAITING: 3, Sign.LATE: 1, Sign.UNANSWERED: 1}, True),  # forgotten
        ({Sign.REQUESTS: 2, Sign.ENDED: 1, Sign.UNHAPPY: 1, Sign.LATE: 1}, True),
    ],
)
def test_the_line_parts_the_stuck_from_the_slow(counts, stuck):
    assert weigh(counts).in_lane is stuck


def test_a_new_customer_has_no_points(session, now):
    case = a.an_in_review(session, now=now)
    assert rescue.score(session, case.customer_id, now=now).points == 0
    assert case.rescue == 0


def test_each_sign_is_counted_from_what_happened(session, now):
    customer = a.a_customer(session, now=now)
    agent = a.a_member(session, now=now)
    first = a.a_rejected(session, now=now - 20 * DAY, customer=customer, agent=agent)
    ratings.give(session, first.id, "very_hard", now=now - 19 * DAY)
    case = a.an_in_review(session, now=now - 3 * DAY, customer=customer)
    a_refusal(session, case, now=now - 3 * DAY)
    conversations.write(session, case.id, uuid4(), text="Hello?", now=now - DAY)
    assert counts_of(session, customer, now=now) == {
        Sign.REFUSED: 1, Sign.REQUESTS: 2, Sign.ENDED: 1, Sign.WAITING: 3, Sign.LATE: 1, Sign.UNHAPPY: 1, Sign.UNANSWERED: 1,
    }  # fmt: skip
    assert rescue.score(session, customer.id, now=now).points == 0 + 1 + 2 + 3 + 2 + 2 + 1


def test_retakes_of_machine_and_people_count_and_the_first_is_free(session, now):
    case = a.a_needs_retake(session, now=now)
    customer = case.customer
    assert points_of(session, customer, now=now) == {Sign.RETAKES: 0, Sign.REQUESTS: 0}
    a.add_photos(session, case, now=now, kinds=(PhotoKind.SELFIE,))
    intake.submit(session, case.id, consent_version=a.CONSENT, now=now)
    order = a.begun(session, case, now=now)
    unsure = a.with_measures(a.good_evidence(order.claim, order.profile), pairs=a.faces(selfie_document=5.0))
    assert a.finished(session, order, now=now, evidence=unsure) is State.IN_REVIEW
    agent = a.a_member(session, now=now)
    review.take(session, case.id, agent=agent, now=now)
    asked = review.Disposal(
        action="ask_retake", reasons=(ReasonCode.SELFIE_BLURRED,), retake=frozenset({PhotoKind.SELFIE}), seen_version=case.version
    )
    review.dispose(session, case.id, asked, agent=agent, now=now)
    assert counts_of(session, customer, now=now)[Sign.RETAKES] == 2
    assert points_of(session, customer, now=now)[Sign.RETAKES] == 1


def test_an_appeal_weighs_as_nothing_else(session, now):
    case = a.a_rejected(session, now=now)
    intake.appeal(session, case.id, now=now)
    points = points_of(session, case.customer, now=now)
    assert points[Sign.APPEALED] == 3 and Sign.ENDED not in points  # it is open again


def test_a_message_that_an_agent_answered_or_that_is_young_is_no_sign(session, now):
    case = a.an_in_review(session, now=now)
    conversations.write(session, case.id, uuid4(), text="Hello?", now=now)
    young = now + rescue.UNANSWERED - timedelta(seconds=1)
    assert Sign.UNANSWERED not in counts_of(session, case.customer, now=young)
    assert Sign.UNANSWERED in counts_of(session, case.customer, now=now + rescue.UNANSWERED)
    agent = a.a_member(session, now=now)
    review.take(session, case.id, agent=agent, now=now)
    conversations.write(session, case.id, uuid4(), text="Good day!", agent=agent, now=now + timedelta(minutes=1))
    assert Sign.UNANSWERED not in counts_of(session, case.customer, now=now + DAY)


def test_who_is_asked_for_papers_does_not_wait_for_us(session, now):
    case = a.an_in_review(session, now=now - 3 * DAY)
    assert Sign.WAITING in counts_of(session, case.customer, now=now)
    case.awaiting_until = now + DAY
    assert set(counts_of(session, case.customer, now=now)) == {Sign.REQUESTS}
    assert Sign.WAITING in counts_of(session, case.customer, now=now + DAY)


def test_a_change_that_stands_ends_the_count_and_what_is_long_past_has_none(session, now):
    customer = a.a_customer(session, now=now - 300 * DAY)
    a.a_rejected(session, now=now - 120 * DAY, customer=customer)  # long enough ago for the machine to decide again
    assert rescue.score(session, customer.id, now=now).points > 0
    assert rescue.score(session, customer.id, now=now + rescue.WINDOW - 119 * DAY).points == 0
    approved = a.an_approved(session, now=now, customer=customer)
    assert rescue.score(session, customer.id, now=now).points == 0
    approved.disputed_at = now  # somebody objects: it does not stand
    assert rescue.score(session, customer.id, now=now).points > 0


def test_other_customers_have_no_part_in_it(session, now):
    mine = a.a_rejected(session, now=now)
    other = a.an_in_review(session, now=now)
    found = rescue.scores(session, [mine.customer_id, other.customer_id, mine.customer_id], now=now)
    assert found[mine.customer_id].points == 2 and found[other.customer_id].points == 0


def test_upkeep_brings_who_waits_to_the_lane_and_no_page_grows_stale(session, now):
    customer = a.a_customer(session, now=now)
    a.a_rejected(session, now=now - 10 * DAY, customer=customer)
    case = a.an_in_review(session, now=now, customer=customer)
    a.an_in_review(session, now=now)
    version = case.version
    assert rescue.lane(session, now=now) == [] and rescue.waiting(session) == 0
    later = now + 2 * DAY
    changed, after = rescue.refresh(session, now=later)
    session.refresh(case)
    assert changed >= 1 and after is None
    assert case.rescue == rescue.score(session, customer.id, now=later).points == 2 + 1 + 2 + 2
    assert case.version == version
    assert [row.case_id for row in rescue.lane(session, now=later)] == [case.id]
    assert rescue.refresh(session, now=later) == (0, None)


def test_refreshing_goes_on_where_it_stopped(session, now):
    for _ in range(3):
        a.an_in_review(session, now=now)
    seen, after = 0, None
    for _ in range(10):
        _changed, after = rescue.refresh(session, now=now + 9 * DAY, after=after, limit=1)
        seen += 1
        if after is None:
            break
    assert seen == 4  # three full parts, then nothing more
    assert {c.rescue for c in session.query(Case).populate_existing()} == {4 + 2}


def test_a_case_that_comes_to_the_desk_brings_its_points(session, now):
    customer = a.a_customer(session, now=now)
    for days in (9, 8):
        a.a_rejected(session, now=now - days * DAY, customer=customer)
    case = a.an_in_review(session, now=now, customer=customer)
    session.flush()
    assert case.rescue >= 2 * 2 + 1
    assert case.rescue == rescue.write(session, case, now=now)


def test_the_lane_is_led_by_the_worst_and_pages_go_on(session, now):
    worst = None
    for number, days in enumerate((3, 4, 6)):
        customer = a.a_customer(session, now=now - 30 * DAY)
        for ended in range(number + 1):
            a.a_rejected(session, now=now - (20 - ended) * DAY, customer=customer)
        worst = a.an_in_review(session, now=now - days * DAY, customer=customer)
    rescue.refresh(session, now=now)
    rows = rescue.lane(session, now=now, limit=2)
    assert rows[0].case_id == worst.id and len(rows) == 2
    rest = rescue.lane(session, now=now, after=rows[-1].cursor, limit=2)
    assert len(rest) == 1 and rest[0].case_id not in {row.case_id for row in rows}
    with pytest.raises(ValueError, match="not a place"):
        rescue.lane(session, now=now, after="nonsense")


def test_weighing_a_hundred_customers_takes_as_many_questions_as_weighing_one(session, now):
    people = [a.an_in_review(session, now=now).customer_id for _ in range(12)]
    asked = []
    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    rescue.scores(session, people[:1], now=now)
    one = len(asked)
    rescue.scores(session, people, now=now)
    assert len(asked) - one == one <= 8


def test_the_story_tells_everything_in_order_and_who_waited_how_long(session, now):
    customer = a.a_customer(session, now=now)
    agent = a.a_member(session, now=now, name="Ada Agent")
    first = a.an_in_review(session, now=now, customer=customer)
    a_refusal(session, first, now=now)
    conversations.write(session, first.id, uuid4(), text="Where is my answer?", now=now + timedelta(hours=30))
    review.take(session, first.id, agent=agent, now=now + timedelta(hours=40))
    no = review.Disposal(
        action="reject", reasons=(ReasonCode.SURNAME_DIFFERS,), note="Another surname.", seen_version=first.version
    )
    review.dispose(session, first.id, no, agent=agent, now=now + timedelta(hours=41))
    ratings.give(session, first.id, "hard", words="Nobody told me why.", now=now + timedelta(hours=42))
    second = a.an_in_review(session, now=now + 3 * DAY, customer=customer)
    story = rescue.story(session, customer.id, now=now + 4 * DAY)
    newest, oldest = story.chapters
    assert (newest.case_id, oldest.case_id) == (second.id, first.id)
    told = [entry.what for entry in oldest.entries]
    assert told == ["opened", "sent", "machine_refer", "refused", "she_wrote", "reject", "rated"]
    answer = next(entry for entry in oldest.entries if entry.what == "reject")
    assert (answer.by, answer.text, answer.waited) == ("Ada Agent", "Another surname.", timedelta(hours=41))
    assert answer.reasons == (ReasonCode.SURNAME_DIFFERS,)
    assert oldest.waited == timedelta(hours=41) and oldest.refused == 1
    assert newest.waits_since == now + 3 * DAY and newest.waited == DAY
    assert next(e.text for e in oldest.entries if e.what == "she_wrote") == "Where is my answer?"
    assert next((e.mark, e.text) for e in oldest.entries if e.what == "rated") == (2, "Nobody told me why.")
    assert story.rescue == rescue.score(session, customer.id, now=now + 4 * DAY)
    assert "Where is" not in repr(story) and "Another surname" not in repr(story)


def test_of_a_shredded_request_the_story_keeps_what_is_no_secret(session, now, settings):
    case = a.a_rejected(session, now=now)
    ratings.give(session, case.id, "hard", words="Nobody told me why.", now=now)
    later = now + timedelta(days=settings.photo_days + 1)
    assert retention.shred_due(session, now=later) == [case.id]
    story = rescue.story(session, case.customer_id, now=later)
    entries = {entry.what: entry for entry in story.chapters[0].entries}
    assert entries["reject"].text == entries["rated"].text == ""
    assert entries["rated"].mark == 2 and "shredded" in entries


def test_old_requests_are_counted_and_left_out(session, now, monkeypatch):
    monkeypatch.setattr(rescue, "SHOWN", 1)
    customer = a.a_customer(session, now=now)
    a.a_rejected(session, now=now - DAY, customer=customer)
    newest = a.an_in_review(session, now=now, customer=customer)
    story = rescue.story(session, customer.id, now=now)
    assert [chapter.case_id for chapter in story.chapters] == [newest.id] and story.left_out == 1


def test_only_seniors_and_leads_see_the_lane():
    from cases.staff import PERMISSIONS

    assert {role for role, held in PERMISSIONS.items() if "see_rescue" in held} == {Role.SENIOR_AGENT, Role.LEAD}
    assert audit.KINDS["case_opened_by_staff"].details == {"purpose"}
