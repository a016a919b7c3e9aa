"""Agents' answers: given, taken back, put before a second person, carried out. The rules stand in docs/decisions/0012.

    give ─► waiting ──take_back──► taken back                     nothing leaves the house while it waits
               │ └──the case changed──► dropped, and its maker has the case again
               ▼ `until` has come
        nobody else has to look ─► carried out                    profile, state, mail and trail in one transaction
        a second person has to ─► first ─► … she gives hers, without seeing this one, and it has waited too
                                     the same ─► hers is carried out, this one was followed
                                     another  ─► both disagreed ─► a senior agent's is carried out

What an answer says stands sealed in its row, not in the trail, until it is over: the trail is on the page that the second
person reads. Upkeep goes on with what is due; it may die anywhere and run twice, since each step is one transaction that locks
the case and finds the answer waiting, or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import exists, func, select, text
from sqlalchemy.orm import Session

from cases import audit, conversations, intake, moves, notifications, opinion, profiles, queue, review, risk, sides
from cases import staff as people
from cases.crypto import KeyDestroyed, vault_of
from cases.database import MACHINE_TROUBLE
from cases.desk_tables import UNTOLD, Answer, AnswerState, Dropped
from cases.lifecycle import CLOSED, IllegalTransition, State
from cases.models import Case, Disposition, Message, Staff, Writer
from verification.continuity import GIVEN, PAPER, SURNAMES
from verification.evidence import Field
from verification.reasons import PhotoKind, ReasonCode

if TYPE_CHECKING:
    from cases.database import Database

TOGETHER: tuple[frozenset[Field], ...] = (PAPER, SURNAMES, GIVEN)
"""Changes that are accepted together or not at all: the number of one passport with the dates of another is of no passport, and a
name has one spelling in each script."""

FACES = "faces"
"""How it is kept among the ticks that the maker compared the faces, where no machine does; it is no `Field`."""

EMAIL = sides.EMAIL
"""How a new e-mail is named among the rows ticked and the details held; it is no `Field`."""

GIVE_UP = timedelta(minutes=10)
"""How long carrying out an answer is tried: longer than any restart of a database, shorter than a person waits for news."""

BATCH = 100
"""Answers gone on with in one round; the rest follows in the next, two seconds later."""


class TooLate(Exception):
    """The answer cannot be taken back any more: `state` says what became of it."""

    def __init__(self, state: AnswerState) -> None:
        super().__init__(f"the answer is {state.value}")
        self.state = state


def give(session: Session, case_id: UUID, disposal: review.Disposal, *, agent: Staff, now: datetime) -> Answer:
    """Take down what an agent answers; the case leaves her hands. The caller commits, and what follows tells `Answer.state`.

    Nothing is carried out for `undo_seconds`; with 0 it is at once. The row of the case is locked, so of two answers the second
    gets StalePage and can say what already happened. Raises of `review`: StalePage, NotYours (Related, AlreadyAnswered), Unread,
    NoteNeeded (BlindNoteNeeded), Unchecked, FacesNotCompared, NotPartly, TooLong; IllegalTransition, NotAllowed; ValueError
    when a retake names no photo, a rejection no reason, or an approval nothing that was asked for.
    """
    people.require(agent, "decide")
    if disposal.action not in review.ACTIONS:
        raise ValueError(f"unknown action: {disposal.action}")
    case = moves.lock(session, case_id)
    if case.version != disposal.seen_version:
        raise review.stale(session, case)
    if case.state is not State.IN_REVIEW:
        raise IllegalTransition(case.state, review.ACTIONS[disposal.action])
    if case.owner_id != agent.id:
        raise review.NotYours("take the case first")
    review.may_answer(session, case, agent)
    if disposal.seen_messages is not None and disposal.seen_messages < _written(session, case):
        raise review.Unread
    accepted, held = _check(session, case, disposal, agent)
    first, other = _before(session, case)
    why = () if first else _why_two(session, case, disposal, now)
    undo = timedelta(seconds=session.info["settings"].undo_seconds)
    case.owner_id = case.owner_until = None
    case.answered_at = now
    moves.changed(case, now=now)
    answer = Answer(
        id=uuid4(),
        case_id=case.id,
        staff_id=agent.id,
        state=AnswerState.WAITING,
        action=disposal.action,
        reasons=moves.codes(disposal.reasons),
        retake=moves.codes(disposal.retake) if disposal.action == "ask_retake" else [],
        fields=accepted,
        with_email=disposal.with_email,
        held=held,
        checked=[*sorted(map(str, disposal.checked)), *([FACES] if disposal.faces else [])],
        data_key_id=case.data_key_id,
        needs_second=bool(why),
        why=list(why),
        first_id=first.id if first else None,
        first_staff_id=first.staff_id if first else None,
        second_id=other.id if other else None,
        second_staff_id=other.staff_id if other else None,
        case_version=case.version,
        given_at=now,
        until=now + undo,
    )
    answer.data_key, answer.maker = case.data_key, agent
    if not undo and disposal.action == "approve":
        moves.lock_customer(session, case.customer_id)  # every row before the trail's lock: see audit.CHAIN_LOCK
    answer.note_sealed = _seal(session, answer, "note", disposal.note)
    answer.words_sealed = _seal(session, answer, "words", conversations.plain(disposal.words))
    session.add(answer)
    session.flush()
    audit.record(
        session,
        "answer_given",
        actor=audit.Actor.staff(agent),
        now=now,
        case=case,
        answer_id=answer.id,
        second=first is not None,
        until=answer.until,
    )
    if not undo:
        _go_on(session, case, answer, now)
    return answer


def _written(session: Session, case: Case) -> int:
    """How many messages the customer has written about the case."""
    wrote = select(func.count()).where(Message.case_id == case.id, Message.writer == Writer.CUSTOMER)
    return session.scalar(wrote) or 0


def take_back(session: Session, answer_id: UUID, *, agent: Staff, now: datetime) -> Answer:
    """Take an answer back before it leaves; the case is hers again as it was, or waits for anybody where her hands are full.

    Raises TooLate, NotYours, NoResultFound.
    """
    case, answer = _lock(session, answer_id)
    if answer.staff_id != agent.id:
        raise review.NotYours("another agent's answer")
    if answer.state is not AnswerState.WAITING or answer.until <= now:
        raise TooLate(answer.state)
    _end(answer, AnswerState.TAKEN_BACK, now)
    _hand_back(session, case, agent, now)
    audit.record(
        session, "answer_taken_back", actor=audit.Actor.staff(agent), now=now, case=case, answer_id=answer.id, **_said(answer)
    )
    return answer


def waiting_for(session: Session, agent: Staff, *, now: datetime) -> Answer | None:
    """Her last answer that she can still take back, until `Answer.until`; None: there is none."""
    return session.scalars(
        select(Answer)
        .where(Answer.staff_id == agent.id, Answer.state == AnswerState.WAITING, Answer.until > now)
        .order_by(Answer.given_at.desc(), Answer.id)
        .limit(1)
    ).one_or_none()


def dropped_for(session: Session, agent: Staff, *, limit: int = 5) -> list[Answer]:
    """Answers of hers that were never carried out because the case changed meanwhile, and of which she does not know yet."""
    return list(
        session.scalars(
            select(Answer)
            .where(Answer.staff_id == agent.id, text(UNTOLD))
            .order_by(Answer.given_at.desc(), Answer.id)
            .limit(limit)
        )
    )


def told(session: Session, answer_id: UUID, *, agent: Staff, now: datetime) -> None:
    """She was shown that her answer was dropped. Raises NotYours, NoResultFound."""
    answer = session.get_one(Answer, answer_id)
    if answer.staff_id != agent.id:
        raise review.NotYours("another agent's answer")
    answer.told_at = answer.told_at or now
    session.flush()


@dataclass(frozen=True, kw_only=True, repr=False)
class AnswerLine:
    """An answer as one viewer may see it. `note` and `words` are None where none was written, or once shredded."""

    id: UUID
    by: str
    mine: bool
    state: AnswerState
    action: str
    reasons: tuple[ReasonCode, ...]
    retake: tuple[PhotoKind, ...]
    fields: tuple[Field, ...] | None  # None: all that were claimed
    held: tuple[str, ...]  # codes of details not accepted; EMAIL among them
    checked: tuple[str, ...]  # `Field` values, and EMAIL
    faces: bool
    why: tuple[str, ...]
    note: str | None
    words: str | None
    given_at: datetime
    until: datetime
    ended_at: datetime | None


def visible(session: Session, case: Case, agent: Staff) -> list[AnswerLine]:
    """The answers to a case that this viewer may see, oldest first.

    Her own always. Another's once it is over; while two disagree, by who settles it: a senior agent who gave neither. A first
    answer that waits for a second is seen by nobody but its maker, since anybody might give the second.
    """
    rows = session.scalars(select(Answer).where(Answer.case_id == case.id).order_by(Answer.given_at, Answer.id)).all()
    settles = people.may(agent, "decide_escalated")
    open_first = any(row.state is AnswerState.FIRST for row in rows)
    return [
        _line(session, row, agent)
        for row in rows
        if row.staff_id == agent.id
        or (row.state is AnswerState.DISAGREED and settles)
        or (row.ended_at is not None and not (open_first and row.state in (AnswerState.TAKEN_BACK, AnswerState.DROPPED)))
    ]


def held(session: Session, case: Case) -> tuple[str, ...]:
    """Codes of details that the customer asked for and an approval left as they were: `Field` values, or EMAIL."""
    found = select(Answer.held).where(
        Answer.case_id == case.id, Answer.state == AnswerState.CARRIED_OUT, Answer.action == "approve"
    )
    row = session.scalars(found.order_by(Answer.given_at.desc()).limit(1)).one_or_none()
    return tuple(row or ())


def due(session: Session, *, now: datetime, limit: int = BATCH) -> list[UUID]:
    """Answers whose time to be taken back is over, longest first."""
    return list(
        session.scalars(
            select(Answer.id)
            .where(Answer.state == AnswerState.WAITING, Answer.until <= now)
            .order_by(Answer.until, Answer.id)
            .limit(limit)
        )
    )


def carry_out(session: Session, answer_id: UUID, *, now: datetime) -> bool:
    """Go on with one answer whose time to be taken back is over; False when nothing is to do (any more). May be repeated."""
    case, answer = _lock(session, answer_id)
    if answer.state is not AnswerState.WAITING or answer.until > now:
        return False
    _go_on(session, case, answer, now)
    return True


def carry_out_due(database: Database, *, now: datetime, before_commit: Callable[[], None] | None = None) -> int:
    """Go on with all answers that are due, each in a transaction of its own, before whose end `before_commit` is called.

    Returns how many. One that fails keeps no other from its turn: the first such error is raised at the end, and its answer waits
    for another round; after GIVE_UP it is dropped, so that no case hangs for ever on an answer that cannot be carried out.
    """
    return each_that_is_due(database, due, carry_out, give_up, now=now, before_commit=before_commit)


def each_that_is_due(
    database: Database,
    due: Callable[..., list[UUID]],
    go_on: Callable[..., bool],
    give_up: Callable[..., bool],
    *,
    now: datetime,
    before_commit: Callable[[], None] | None = None,
) -> int:
    """What answers and `cases.outgoing` have in common: go on with each row that is due, or after a while give it up.

    `due(session, now=)` names the rows; `go_on` and `give_up` take session, id and `now=` and say whether they did anything.
    """
    with database.reading() as session:
        waiting = due(session, now=now)
    done, trouble = 0, None
    for row_id in waiting:
        try:
            with database.transaction() as session:
                done += go_on(session, row_id, now=now)
                if before_commit is not None:
                    before_commit()
        except Exception as error:  # whatever it is, what waits behind it is other people's
            trouble = trouble or error
            if isinstance(error, MACHINE_TROUBLE):
                continue  # the database is away: it waits until that is back, however long
            try:
                with database.transaction() as session:
                    give_up(session, row_id, now=now)
            except Exception:  # whatever keeps it from going on may keep it from being given up: another round tries
                continue
    if trouble is not None:
        raise trouble
    return done


def give_up(session: Session, answer_id: UUID, *, now: datetime) -> bool:
    """Drop an answer that could not be carried out for GIVE_UP; anybody may take its case then."""
    case, answer = _lock(session, answer_id)
    if answer.state is not AnswerState.WAITING or answer.until + GIVE_UP > now:
        return False
    _drop(session, case, answer, Dropped.FAILED, now)
    return True


def _check(session: Session, case: Case, disposal: review.Disposal, agent: Staff) -> tuple[list[str] | None, list[str]]:
    """Whether an answer is whole. Returns the fields that an approval accepts (None: all) and the codes of what it holds back."""
    note = disposal.note.strip()
    if disposal.action == "reject" and not disposal.reasons:
        raise ValueError("a rejection needs a reason")
    if disposal.action == "ask_retake" and (not disposal.retake or not disposal.retake <= set(intake.NEEDED)):
        raise ValueError("a retake names the photos to take again")
    if max(len(note), len(disposal.words.strip())) > review.MOST_LETTERS:
        raise review.TooLong("note or words are too long")
    accepted: list[str] | None = None
    held: list[str] = []
    veiled = opinion.hidden(session, case, agent)
    if disposal.action == "approve":
        accepted, held = _partly(session, case, disposal)
        rows = review.rows_to_check(session, case, veiled=veiled)
        unseen = tuple(name for name in rows if name not in held and name not in disposal.checked)
        if unseen:
            raise review.Unchecked(unseen)
        if not disposal.faces and review.faces_to_compare(session, case):
            raise review.FacesNotCompared("the faces were not compared")
    if not note and (disposal.action == "reject" or held):
        raise review.NoteNeeded("say why in a note")
    if not note and disposal.action == "approve" and veiled:
        raise review.BlindNoteNeeded("say in a note what was compared")
    if not note and disposal.action == "approve" and review.weighs_against(session, case):
        raise review.NoteNeeded("say why in a note")
    return accepted, held


def _partly(session: Session, case: Case, disposal: review.Disposal) -> tuple[list[str] | None, list[str]]:
    """Which changes are accepted and which held back. Raises ValueError, NotPartly."""
    claim, new_email = intake.claim_of(session, case)
    profile, email = profiles.read_version(session, case.customer, profiles._current(session, case.customer))
    asked = profiles.differing(profile, claim.values)
    brings_email = new_email is not None and new_email.casefold() != email.casefold()
    held = [EMAIL] if brings_email and not disposal.with_email else []
    if disposal.fields is None:
        if held and not asked:
            raise ValueError("nothing is accepted")
        return None, held
    if not disposal.fields <= set(asked):
        raise ValueError("only what was asked for is accepted")
    if not disposal.fields and not (brings_email and disposal.with_email):
        raise ValueError("nothing is accepted")
    for group in TOGETHER:
        touched = group & set(asked)
        if touched & disposal.fields and touched - disposal.fields:
            raise review.NotPartly(tuple(name for name in asked if name in touched))
    left = [name.value for name in asked if name not in disposal.fields]
    return [name.value for name in asked if name in disposal.fields] if left else None, left + held


def _why_two(session: Session, case: Case, disposal: review.Disposal, now: datetime) -> tuple[str, ...]:
    """Codes of `risk.Sign` why a second person has to come to the same; none: one is enough.

    Weighed anew, since more may be known than when the case came to the desk. A retake never needs two: it decides nothing.
    """
    if disposal.action == "approve":
        level, signs = risk.judge(session, case, now=now)
        case.risk = level.value
        return signs if level is risk.Risk.HIGH else ()
    if disposal.action == "reject" and risk.appealed(session, case):
        return (risk.Sign.APPEALED.value,)
    return ()


def _before(session: Session, case: Case) -> tuple[Answer | None, Answer | None]:
    """The first answer that this one is the second to, and, once two disagree, the other of them."""
    rows = session.scalars(
        select(Answer)
        .where(Answer.case_id == case.id, Answer.state.in_((AnswerState.FIRST, AnswerState.DISAGREED)))
        .order_by(Answer.given_at, Answer.id)
    ).all()
    first = next((row for row in rows if row.first_id is None), None)
    return first, next((row for row in rows if row.first_id is not None), None)


def _lock(session: Session, answer_id: UUID) -> tuple[Case, Answer]:
    """Its maker, to whom the case may come back, the case, then its answer, all locked: always in that order."""
    case_id, maker = session.execute(select(Answer.case_id, Answer.staff_id).where(Answer.id == answer_id)).one()
    queue.lock_hands(session, maker)
    case = moves.lock(session, case_id)
    return case, session.get_one(Answer, answer_id, with_for_update=True, populate_existing=True)


def _go_on(session: Session, case: Case, answer: Answer, now: datetime) -> None:
    """What comes after the time to take an answer back. Both rows are locked."""
    why = _overtaken(session, case, answer)
    if why is not None:
        _drop(session, case, answer, why, now)
        return
    first, other = _before(session, case)
    if first is not None and other is None and not people.may(first.maker, "decide"):
        _take_its_place(session, case, first, answer, now)
        first = None
    if answer.needs_second:
        _ask_second(session, case, answer, now)
    elif first is None or other is not None or _same(first, answer):
        _carry_out(session, case, answer, [row for row in (first, other) if row is not None], now)
    else:
        _disagree(session, case, first, answer, now)


def _take_its_place(session: Session, case: Case, first: Answer, answer: Answer, now: datetime) -> None:
    """Who gave the first answer may decide nothing any more, so it counts for nothing: the second becomes the first."""
    _end(first, AnswerState.DROPPED, now)
    answer.needs_second = answer.action == "approve" or (answer.action == "reject" and risk.appealed(session, case))
    answer.why = list(first.why) if answer.needs_second else []
    answer.first_id = answer.first_staff_id = None
    first.why = [Dropped.ACCOUNT_CLOSED.value]
    session.flush()
    audit.record(
        session, "answer_dropped", actor=audit.SYSTEM, now=now, case=case, answer_id=first.id, why=Dropped.ACCOUNT_CLOSED,
        **_said(first),
    )  # fmt: skip


def _overtaken(session: Session, case: Case, answer: Answer) -> Dropped | None:
    """Why an answer speaks of a case that is not that case any more; None: it still does."""
    if case.state is not State.IN_REVIEW:
        return Dropped.CASE_CLOSED if case.state in CLOSED else Dropped.CASE_CHANGED
    if not people.may(answer.maker, "decide"):
        return Dropped.ACCOUNT_CLOSED
    if case.version != answer.case_version:
        return Dropped.CASE_CHANGED
    wrote = exists().where(Message.case_id == case.id, Message.writer == Writer.CUSTOMER, Message.written_at > answer.given_at)
    return Dropped.CUSTOMER_WROTE if session.scalar(select(wrote)) else None


def _drop(session: Session, case: Case, answer: Answer, why: Dropped, now: datetime) -> None:
    """Leave an answer undone. Its maker has the case again, reads what is new, and answers anew."""
    _end(answer, AnswerState.DROPPED, now)
    answer.why = [why.value]
    if case.state is State.IN_REVIEW:
        _hand_back(session, case, answer.maker if why not in (Dropped.ACCOUNT_CLOSED, Dropped.FAILED) else None, now)
    audit.record(session, "answer_dropped", actor=audit.SYSTEM, now=now, case=case, answer_id=answer.id, why=why, **_said(answer))


def _ask_second(session: Session, case: Case, answer: Answer, now: datetime) -> None:
    """Put a case before a second person, who does not see this answer."""
    answer.state = AnswerState.FIRST
    case.answered_at, case.escalated_at, case.second_at = None, None, now
    moves.changed(case, now=now)
    session.flush()
    actor = audit.Actor.staff(answer.maker)
    audit.record(session, "second_asked", actor=actor, now=now, case=case, answer_id=answer.id, why=answer.why)


def _disagree(session: Session, case: Case, first: Answer, answer: Answer, now: datetime) -> None:
    """Two people answered differently: a senior agent who is neither of them decides, and sees both."""
    first.state = answer.state = AnswerState.DISAGREED
    case.answered_at, case.second_at, case.escalated_at = None, None, now
    moves.changed(case, now=now)
    session.flush()
    actor = audit.Actor.staff(answer.maker)
    audit.record(session, "answers_disagree", actor=actor, now=now, case=case, answer_id=answer.id, first_id=first.id)


def _same(first: Answer, answer: Answer) -> bool:
    """Whether two people came to the same: the same details accepted, or a refusal for at least one common reason."""
    if first.action != answer.action:
        return False
    if answer.action == "approve":
        return set(first.held) == set(answer.held)
    if answer.action == "reject":
        return bool(set(first.reasons) & set(answer.reasons))
    return set(first.retake) == set(answer.retake)


def _carry_out(session: Session, case: Case, answer: Answer, before: list[Answer], now: datetime) -> None:
    """Do what was answered and all that follows from it; the answers given before it are over as well."""
    actor = audit.Actor.staff(answer.maker)
    if answer.action == "approve":
        moves.lock_customer(session, case.customer_id)  # every row before the trail's lock: see audit.CHAIN_LOCK
    reasons = list(answer.reasons)
    for row in before:
        same = _same(row, answer)
        if same and answer.action == "reject":
            reasons = [code for code in reasons if code in row.reasons] or reasons  # what both saw
        _end(row, AnswerState.FOLLOWED if same else AnswerState.OVERRULED, now)
    disposition = Disposition(
        id=uuid4(), case_id=case.id, staff_id=answer.staff_id, action=answer.action, reasons=reasons, created_at=now
    )
    note = _open(session, answer, "note")
    disposition.note_sealed = profiles.seal_note(session, case, disposition.id, note) if note else None
    session.add(disposition)
    session.flush()
    answer.disposition_id = disposition.id
    _end(answer, AnswerState.CARRIED_OUT, now)
    session.flush()
    words = _open(session, answer, "words")
    if words:
        conversations.enclose(session, case, words, agent=answer.maker, now=now)
    old = case.state
    if answer.action == "approve":
        only = None if answer.fields is None else frozenset(Field(name) for name in answer.fields)
        profiles.apply_claim(session, case, actor=actor, now=now, only=only, with_email=answer.with_email)
    else:
        moves.move(session, case, review.ACTIONS[answer.action], now=now)
        if answer.action == "ask_retake":
            case.retake = list(answer.retake)
    case.reasons = reasons
    kind = "approved_in_part" if answer.action == "approve" and answer.held else case.state.value
    notifications.add(session, case, kind, actor=actor, now=now)
    audit.record(
        session,
        "disposed",
        actor=actor,
        now=now,
        case=case,
        old=old,
        new=case.state,
        action=answer.action,
        reasons=reasons,
        retake=answer.retake,
        fields=answer.fields,
        held=answer.held,
        answer_id=answer.id,
        first_id=answer.first_id,
    )


def _hand_back(session: Session, case: Case, agent: Staff | None, now: datetime) -> None:
    """The case does not wait for an answer to be sent any more: it is the agent's again, or anybody's.

    Anybody's too where she took as many others meanwhile as one may hold: an answer can always be taken back, and no way leads
    past the limit.
    """
    if agent is not None and not queue.has_room(session, agent, now=now):
        agent = None
    case.answered_at = None
    case.owner_id = agent.id if agent else None
    case.owner_until = now + timedelta(minutes=session.info["settings"].claim_minutes) if agent else None
    moves.changed(case, now=now)
    session.flush()


def _end(answer: Answer, state: AnswerState, now: datetime) -> None:
    answer.state, answer.ended_at = state, now


def _said(answer: Answer) -> dict[str, Any]:
    """What an answer said, for the trail."""
    return {"action": answer.action, "reasons": answer.reasons, "retake": answer.retake, "fields": answer.fields}


def _line(session: Session, row: Answer, agent: Staff) -> AnswerLine:
    return AnswerLine(
        id=row.id,
        by=row.maker.name,
        mine=row.staff_id == agent.id,
        state=row.state,
        action=row.action,
        reasons=tuple(ReasonCode(code) for code in row.reasons),
        retake=tuple(PhotoKind(kind) for kind in row.retake),
        fields=None if row.fields is None else tuple(Field(name) for name in row.fields),
        held=tuple(row.held),
        checked=tuple(name for name in row.checked if name != FACES),
        faces=FACES in row.checked,
        why=tuple(row.why),
        note=_open(session, row, "note"),
        words=_open(session, row, "words"),
        given_at=row.given_at,
        until=row.until,
        ended_at=row.ended_at,
    )


def _seal(session: Session, answer: Answer, what: str, text: str) -> bytes | None:
    """Seal a text under the case's key, bound to its place; None for an empty one."""
    text = text.strip()
    return vault_of(session).seal(answer.data_key, text.encode(), f"answers.{what}|{answer.id}") if text else None


def _open(session: Session, answer: Answer, what: str) -> str | None:
    sealed = answer.note_sealed if what == "note" else answer.words_sealed
    if sealed is None:
        return None
    try:
        return vault_of(session).open(answer.data_key, sealed, f"answers.{what}|{answer.id}").decode()
    except KeyDestroyed:
        return None
