"""One question after an answer: how easy was it? Five choices in words, and a sentence if she likes, sealed under the case's key.

A rating moves no case and nobody at the desk sees it beside a name: it is for those who build the pages. It is asked where a
person or the machine has answered, also with a no, and may be changed for a week. No view shows it yet; `figures` is the query.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from cases import audit, moves, trials
from cases.conversations import plain
from cases.crypto import KeyDestroyed, vault_of
from cases.lifecycle import State
from cases.models import Case, Rating

CHOICES = ("very_hard", "hard", "so_so", "easy", "very_easy")
"""Worst first: the place, counted from 1, is the mark that is kept and averaged."""

ANSWERED = frozenset({State.APPROVED, State.REJECTED})
"""Where the question is asked. Who withdrew was not answered, and who had a change undone has other worries."""

CHANGEABLE = timedelta(days=7)
"""How long a rating may be changed after it was given, or after a newer answer: feelings of a week are about this request."""

MOST_LETTERS = 500
"""Of the sentence; longer texts are letters, and nobody answers here."""


class NotAsked(Exception):
    """The case has no answer that could be rated, is under dispute or was shredded."""


class Settled(Exception):
    """It was given longer ago than CHANGEABLE."""


class TooLong(Exception):
    """More than MOST_LETTERS letters."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What she said. Holds her words: not for logs."""

    choice: str
    given_at: datetime
    words: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Ratings of a stretch of time; `average` of 1 (very hard) to 5 (very easy), None without ratings."""

    count: int
    average: float | None
    choices: dict[str, int]


def may_rate(session: Session, case: Case, *, now: datetime) -> bool:
    """Whether the question is asked now: there is an answer, and the rating is new or still to be changed."""
    if case.state not in ANSWERED or case.shredded_at is not None:
        return False
    if case.disputed_at is not None and case.dispute_settled_at is None:
        return False
    held = session.get(Rating, case.id)
    return held is None or now < _since(held, case) + CHANGEABLE


def of(session: Session, case: Case) -> Given | None:
    """What was said of this case, if anything."""
    held = session.get(Rating, case.id)
    if held is None:
        return None
    words = ""
    if held.words_sealed is not None:
        try:
            words = vault_of(session).open(case.data_key, held.words_sealed, _place(case.id)).decode()
        except KeyDestroyed:
            words = ""
    return Given(choice=CHOICES[held.mark - 1], given_at=held.given_at, words=words)


def give(session: Session, case_id: UUID, choice: str, *, words: str | None = None, now: datetime) -> Rating:
    """Keep a rating, or change it. `words` None leaves the sentence as it is, "" removes it.

    Raises ValueError for an unknown choice, NotAsked, Settled, TooLong.
    """
    if choice not in CHOICES:
        raise ValueError("unknown choice")
    text = plain(words) if words is not None else None
    if text is not None and len(text) > MOST_LETTERS:
        raise TooLong("the sentence is too long")
    case = moves.lock(session, case_id)
    held = session.get(Rating, case.id)
    if not may_rate(session, case, now=now):
        raise Settled("the week is over") if held is not None and case.state in ANSWERED else NotAsked("nothing to rate")
    sealed = vault_of(session).seal(case.data_key, text.encode(), _place(case.id)) if text else None
    if held is None:
        held = Rating(case_id=case.id, customer_id=case.customer_id, mark=CHOICES.index(choice) + 1, given_at=now, changed_at=now)
        held.words_sealed = sealed
        session.add(held)
    else:
        if case.closed_at is not None and held.given_at < case.closed_at:
            held.given_at = now  # of an earlier answer: she rates the newer one
        held.mark, held.changed_at = CHOICES.index(choice) + 1, now
        if text is not None:
            held.words_sealed = sealed
    session.flush()
    audit.record(
        session,
        "rated",
        actor=audit.Actor(kind="customer", id=str(case.customer_id)),
        now=now,
        case=case,
        rating=choice,
        with_words=held.words_sealed is not None,
    )
    return held


def figures(session: Session, *, since: datetime, until: datetime) -> Figures:
    """How easy people found it whose rating was given or changed in [since, until). One query."""
    rows = session.execute(
        select(Rating.mark, func.count())
        .where(Rating.changed_at >= since, Rating.changed_at < until, trials.real(Rating.case_id))
        .group_by(Rating.mark)
    ).all()
    counts = {mark: number for mark, number in rows}
    total = sum(counts.values())
    return Figures(
        count=total,
        average=sum(mark * number for mark, number in counts.items()) / total if total else None,
        choices={choice: counts.get(mark, 0) for mark, choice in enumerate(CHOICES, start=1)},
    )


def shred_words(session: Session, case_id: UUID) -> None:
    """Remove the sealed sentence of a case whose key is being destroyed; the mark stays, it says nothing of a person."""
    session.execute(update(Rating).where(Rating.case_id == case_id).values(words_sealed=None))


def _since(held: Rating, case: Case) -> datetime:
    return max(held.given_at, case.closed_at or held.given_at)


def _place(case_id: UUID) -> str:
    """What the sealed sentence is bound to."""
    return f"ratings.words|{case_id}"
