"""What is written at the end of a transaction, in it, because only then all that it tells of has come true.

A case is moved first and gets its reasons afterwards, often in several steps of one transaction. Whoever owes somebody outside a
word about that notes it here (`add`); before the commit all notes of one kind are handed to their function together. A
transaction, or a part of it, that is rolled back takes its notes with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

Settle = Callable[[Session, list[Any]], None]

_NOTES = "notes_for_commit"


@dataclass(frozen=True, eq=False)
class _Note:
    settle: Settle
    what: Any
    within: SessionTransaction | None


def add(session: Session, settle: Settle, what: Any) -> None:
    """Have `settle(session, [what, …])` called before this transaction commits, once for all that was noted for it."""
    within = session.get_nested_transaction() or session.get_transaction()
    session.info.setdefault(_NOTES, []).append(_Note(settle, what, within))


def settle(session: Session) -> None:
    """Do it now. Committing does it by itself; whoever wants to see the rows before may ask earlier."""
    notes: list[_Note] = session.info.pop(_NOTES, [])
    if not notes:
        return
    session.flush()
    for function in dict.fromkeys(note.settle for note in notes):
        function(session, [note.what for note in notes if note.settle is function])
    session.flush()


@event.listens_for(Session, "before_commit")
def _at_commit(session: Session) -> None:
    if not session.in_nested_transaction():  # a savepoint that is released has not happened yet
        settle(session)


@event.listens_for(Session, "after_soft_rollback")
def _rolled_back(session: Session, previous: SessionTransaction) -> None:
    notes: list[_Note] = session.info.get(_NOTES, [])
    while not previous.nested and previous.parent is not None:  # a flush that fails takes along what it was part of
        previous = previous.parent
    if notes:
        session.info[_NOTES] = [note for note in notes if not _lies_in(note.within, previous)]


def _lies_in(within: SessionTransaction | None, whole: SessionTransaction) -> bool:
    """Whether a note was made in `whole` or in a savepoint inside it, released meanwhile or not."""
    while within is not None and within is not whole:
        within = within.parent
    return within is whole
