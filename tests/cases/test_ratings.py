"""The one question after an answer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from cases import customers, intake, ratings, retention
from cases.lifecycle import State
from cases.models import Event, Rating
from tests import factories as a

WEEK = ratings.CHANGEABLE


@pytest.mark.parametrize("state", sorted(State))
def test_only_an_answer_is_rated(session, now, state):
    case = a.in_state(session, state, now=now)
    if state in (State.APPROVED, State.REJECTED):
        assert ratings.give(session, case.id, "easy", now=now).mark == 4
    else:
        assert not ratings.may_rate(session, case, now=now)
        with pytest.raises(ratings.NotAsked):
            ratings.give(session, case.id, "easy", now=now)


def test_a_sentence_is_sealed_and_leaves_no_trace_in_the_trail(session, now):
    case = a.an_approved(session, now=now)
    row = ratings.give(session, case.id, "very_hard", words="  Too   dark.\u202e ", now=now)
    assert row.words_sealed is not None and b"dark" not in row.words_sealed
    assert ratings.of(session, case).words == "Too dark."
    event = session.scalars(select(Event).where(Event.kind == "rated")).one()
    assert event.details == {"rating": "very_hard", "with_words": True}


def test_a_rating_is_changed_within_a_week_and_the_sentence_stays_unless_given(session, now):
    case = a.an_approved(session, now=now)
    ratings.give(session, case.id, "hard", words="Slow.", now=now)
    ratings.give(session, case.id, "so_so", now=now + WEEK - timedelta(seconds=1))
    assert (ratings.of(session, case).choice, ratings.of(session, case).words) == ("so_so", "Slow.")
    ratings.give(session, case.id, "so_so", words="", now=now + WEEK - timedelta(seconds=1))
    assert ratings.of(session, case).words == ""
    with pytest.raises(ratings.Settled):
        ratings.give(session, case.id, "easy", now=now + WEEK)
    assert session.scalars(select(Rating.mark)).all() == [3]


def test_a_newer_answer_may_be_rated_anew(session, now):
    case = a.a_rejected(session, now=now)
    ratings.give(session, case.id, "very_hard", now=now)
    intake.appeal(session, case.id, now=now + timedelta(days=8))
    assert not ratings.may_rate(session, case, now=now + timedelta(days=8))
    later = now + timedelta(days=9)
    a.approved_by_people(session, case, now=later)
    assert ratings.give(session, case.id, "easy", now=later).given_at == later


def test_who_objected_is_not_asked(session, now):
    case = a.an_approved(session, now=now)
    token = customers.make_link(session, "not_me", case.customer, case=case, lifetime=timedelta(days=1), now=now)
    customers.report_not_me(session, customers.redeem_link(session, token, "not_me", now=now), now=now)
    assert not ratings.may_rate(session, case, now=now)


def test_unknown_choices_and_letters_are_refused(session, now):
    case = a.an_approved(session, now=now)
    with pytest.raises(ValueError):
        ratings.give(session, case.id, "smiley", now=now)
    with pytest.raises(ratings.TooLong):
        ratings.give(session, case.id, "easy", words="x" * (ratings.MOST_LETTERS + 1), now=now)


def test_the_sentence_goes_with_the_photos_and_the_mark_stays(session, now):
    case = a.an_approved(session, now=now)
    ratings.give(session, case.id, "easy", words="Good.", now=now)
    assert retention.shred_due(session, now=now + timedelta(days=31)) == [case.id]
    row = session.scalars(select(Rating)).one()
    assert (row.mark, row.words_sealed) == (4, None)
    assert ratings.of(session, case).words == ""
    assert not ratings.may_rate(session, case, now=now)


def test_figures_count_and_average(session, now):
    nothing = ratings.figures(session, since=now, until=now + WEEK)
    assert (nothing.count, nothing.average, set(nothing.choices)) == (0, None, set(ratings.CHOICES))
    for choice in ("very_easy", "easy", "easy", "very_hard"):
        ratings.give(session, a.an_approved(session, now=now).id, choice, now=now)
    ratings.give(session, a.an_approved(session, now=now).id, "very_hard", now=now + WEEK)
    found = ratings.figures(session, since=now, until=now + WEEK)
    assert (found.count, found.average) == (4, 3.5)
    assert found.choices == {"very_hard": 1, "hard": 0, "so_so": 0, "easy": 2, "very_easy": 1}
