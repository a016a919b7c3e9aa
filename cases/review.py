"""What a support agent may do with a case: take, release, escalate, note, settle a dispute. Her answers: `cases.answers`.

A taken case is hers for `claim_minutes` after her last sign. Of two agents the second is told who was first. Who gets what is
for the desk to say, not for her: a case of her own or related to hers never comes to her, who refused a case does not decide the
appeal, and where a deployment says so ordinary agents get their cases by `take_next` alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from cases import audit, by_eye, conflicts, intake, moves, notifications, practice, profiles, queries, queue, risk, sides
from cases import staff as people
from cases.crypto import KeyDestroyed, vault_of
from cases.desk_tables import Answer, AnswerState, CaseNote, Outgoing, OutgoingKind, OutgoingState
from cases.lifecycle import Action, IllegalTransition, State
from cases.models import Case, Disposition, Event, Message, Staff
from cases.risk import WEIGHTY
from verification.evidence import Field
from verification.reasons import PhotoKind, ReasonCode

__all__ = ["WEIGHTY"]  # where desk and tests look for it

ACTIONS: dict[str, Action] = {"approve": Action.APPROVE, "reject": Action.REJECT, "ask_retake": Action.ASK_RETAKE}

MOST_LETTERS = 2000
"""Of a note or of words to the customer: a page of handwriting, as a message may have."""


class TakenBy(Exception):
    """Another agent has it. `name` and `until` are for the page."""

    def __init__(self, name: str, until: datetime) -> None:
        super().__init__("taken by another agent")
        self.name = name
        self.until = until


class StalePage(Exception):
    """The case changed since the page was made: where it stands, who changed it and when."""

    def __init__(self, state: State, by: str, at: datetime) -> None:
        super().__init__(f"the case is {state.value} by now")
        self.state = state
        self.by = by
        self.at = at


class NotYours(Exception):
    """The agent has not taken this case, or may not: who rejected it does not decide the appeal."""


class Related(NotYours):
    """The case is her own, or related to her own account: `why` says how. Note it with `withheld`, in a fresh transaction."""

    def __init__(self, why: conflicts.Tie) -> None:
        super().__init__(f"the case is tied to her: {why.value}")
        self.why = why


class AlreadyAnswered(NotYours):
    """Her own answer to this case waits for another person's: nobody checks her own."""


class NoteNeeded(Exception):
    """This disposition has to be explained in a note."""


class TooLong(Exception):
    """A note, or the words to the customer, are longer than MOST_LETTERS."""


class Unread(Exception):
    """The customer wrote something that the agent's page did not show: she reads it before she answers."""


class BlindNoteNeeded(NoteNeeded):
    """Every approval without the machine's opinion is explained: asking only where it speaks against one would tell it."""


class Unchecked(Exception):
    """Rows to be compared by eye, `fields` as `rows_to_check` names them, have not been ticked."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        super().__init__(f"not compared: {', '.join(fields)}")
        self.fields = fields


class FacesNotCompared(Exception):
    """No machine compares these faces, and the agent has not ticked that she did."""


class NotPartly(Exception):
    """What belongs together was to be accepted in part: `fields` go together or not at all."""

    def __init__(self, fields: tuple[Field, ...]) -> None:
        super().__init__(f"only together: {', '.join(fields)}")
        self.fields = fields


@dataclass(frozen=True, kw_only=True)
class Disposal:
    """What an agent answers. `seen_version` is `case.version` as her page showed it."""

    action: str  # approve, reject, ask_retake
    reasons: tuple[ReasonCode, ...] = ()
    retake: frozenset[PhotoKind] = frozenset()
    note: str = ""
    seen_version: int
    fields: frozenset[Field] | None = None  # of an approval: the changes that are accepted; None: all
    with_email: bool = True  # of an approval: a new e-mail is accepted as well
    words: str = ""  # to the customer, in her language; they go out with the answer
    checked: frozenset[str] = frozenset()  # rows that she ticked as compared by eye, as `rows_to_check` names them
    faces: bool = False  # she ticked that she compared the faces
    seen_messages: int | None = None  # of the customer, on her page; a message moves no case, so the version does not tell

    def __repr__(self) -> str:
        """Codes only: words and notes may name people."""
        return f"<Disposal {self.action} of version {self.seen_version}>"


def take(session: Session, case_id: UUID, *, agent: Staff, now: datetime) -> Case:
    """Take a case, or keep one that is hers already.

    Raises TakenBy, NotYours (Related, AlreadyAnswered), NotAllowed, IllegalTransition, queue.HandsFull. Which permission is
    missing is told by NotAllowed: "choose_cases" where cases are given out, "decide_escalated" where a senior agent is asked.
    """
    practice.require_passed(agent)
    people.require(agent, "decide")
    if not _holds(session.get(Case, case_id), agent, now):
        queue.require_room(session, agent, now=now)
    case = moves.lock(session, case_id)
    _takeable(session, case, agent, now)
    return _give(session, case, agent, now)


def may_take(session: Session, case: Case, agent: Staff, now: datetime) -> bool:
    """Whether `take` would give this case to her now. Locks and changes nothing; True for a case that is hers already.

    What a page offers and what it shows hang on this one answer, so that neither promises what `take` refuses.
    """
    return why_not_take(session, case, agent, now) is None


def why_not_take(session: Session, case: Case, agent: Staff, now: datetime) -> Exception | None:
    """What `take` would raise now; None: it would give her the case. Locks and changes nothing."""
    try:
        practice.require_passed(agent)
        people.require(agent, "decide")
        _takeable(session, case, agent, now)
        if not _holds(case, agent, now) and not queue.has_room(session, agent, now=now):
            raise queue.HandsFull(session.info["settings"].max_open_cases)
    except (TakenBy, NotYours, people.NotAllowed, IllegalTransition, queue.HandsFull) as why:
        return why
    return None


def _takeable(session: Session, case: Case, agent: Staff, now: datetime) -> None:
    """Whether the case itself may become hers, however much she holds. Raises as `take`."""
    if not _at_the_desk(case):
        raise IllegalTransition(case.state, Action.APPROVE)
    if case.state is State.APPROVED:
        people.require(agent, "settle_disputes")
    _free_for(session, case, agent, now)
    hers = case.owner_id == agent.id
    if not hers and not session.info["settings"].chooses_freely:
        people.require(agent, "choose_cases")
    may_answer(session, case, agent)


def take_next(session: Session, *, agent: Staff, now: datetime) -> Case | None:
    """Take the most urgent case that this agent may answer, as `queue.next_for` finds it. None: nothing waits for her."""
    practice.require_passed(agent)
    people.require(agent, "decide")
    case = queue.next_for(session, agent, now=now)
    return _give(session, case, agent, now) if case else None


def assign(session: Session, case_id: UUID, *, to: Staff, lead: Staff, now: datetime) -> Case:
    """Give a case to an agent, also out of another's hands.

    Raises NotAllowed (the lead's or the agent's), NotYours (Related, AlreadyAnswered), IllegalTransition, queue.HandsFull,
    TakenBy while an answer waits that may still be taken back.
    """
    people.require(lead, "reassign")
    people.require(to, "decide")
    if to.id == lead.id and not session.info["settings"].chooses_freely:
        people.require(lead, "choose_cases")
    not_of_hers(session, case_id, lead)
    if not _holds(session.get(Case, case_id), to, now):
        queue.require_room(session, to, now=now)
    case = moves.lock(session, case_id)
    if not _at_the_desk(case):
        raise IllegalTransition(case.state, Action.APPROVE)
    if case.state is State.APPROVED:
        people.require(to, "settle_disputes")
    _not_waiting(session, case)
    may_answer(session, case, to)
    before = case.owner_id
    case.owner_id = to.id
    case.owner_until = now + timedelta(minutes=session.info["settings"].claim_minutes)
    moves.changed(case, now=now)
    session.flush()
    audit.record(
        session,
        "case_assigned",
        actor=audit.Actor.staff(lead),
        now=now,
        case=case,
        staff_id=to.id,
        from_staff=before,
        until=case.owner_until,
    )
    return case


def not_of_hers(session: Session, case_id: UUID, member: Staff) -> None:
    """Raises Related: who may be the customer behind a case chooses nobody to answer it either."""
    case = session.get(Case, case_id)
    if case is not None and (why := conflicts.tie(session, member, case)):
        raise Related(why)


def release(session: Session, case_id: UUID, *, agent: Staff, now: datetime) -> Case:
    """Give a case back to the queue. Raises NotYours."""
    case = moves.lock(session, case_id)
    if case.owner_id != agent.id:
        raise NotYours("the case is not yours")
    case.owner_id = case.owner_until = None
    moves.changed(case, now=now)
    audit.record(session, "case_released", actor=audit.Actor.staff(agent), now=now, case=case)
    return case


def touch(session: Session, case_id: UUID, *, agent: Staff, now: datetime) -> datetime:
    """A sign from the agent's page: the case stays hers. Returns until when. Makes no page stale.

    A claim that ran out while nobody else took the case comes back to life, where she has room for it. Raises NotYours,
    queue.HandsFull.
    """
    if not _holds(session.get(Case, case_id), agent, now):
        queue.require_room(session, agent, now=now)
    case = moves.lock(session, case_id)
    if case.owner_id != agent.id:
        raise NotYours("the case is not yours")
    until = now + timedelta(minutes=session.info["settings"].claim_minutes)
    case.owner_until = until
    session.flush()
    return until


def dispose(session: Session, case_id: UUID, disposal: Disposal, *, agent: Staff, now: datetime) -> Case:
    """Give an answer and, where nobody else has to look, carry it out at once, without the time to take it back.

    For commands and tests; the desk's pages use `answers.give`. Raises what that raises.
    """
    from cases import answers  # here, because that module builds on this one

    queue.lock_hands(session, agent.id)  # before the case, as whoever carries it out does
    answer = answers.give(session, case_id, disposal, agent=agent, now=now)
    if answer.state is AnswerState.WAITING:
        answers.carry_out(session, answer.id, now=answer.until)
    return moves.lock(session, case_id)


def escalate(session: Session, case_id: UUID, *, agent: Staff, note: str, now: datetime) -> Case:
    """Pass a case on to the senior agents, with what they should know. It leaves her hands; only they may answer it then.

    Raises NotYours, NotAllowed, NoteNeeded, TooLong, IllegalTransition. A senior agent may pass it on to the others of them.
    """
    people.require(agent, "decide")
    case = moves.lock(session, case_id)
    if case.state is not State.IN_REVIEW:
        raise IllegalTransition(case.state, Action.APPROVE)
    if case.owner_id != agent.id:
        raise NotYours("take the case first")
    row = _write_note(session, case, agent, "escalation", note, now)
    case.escalated_at = case.escalated_at or now
    case.second_at = None
    case.owner_id = case.owner_until = None
    moves.changed(case, now=now)
    audit.record(session, "case_escalated", actor=audit.Actor.staff(agent), now=now, case=case, note_id=row.id)
    return case


def add_note(session: Session, case_id: UUID, *, agent: Staff, note: str, now: datetime) -> CaseNote:
    """Write something down for the other agents. Moves nothing and makes no page stale.

    Whoever may decide may write, also where another holds the case: what a customer said on the phone has to get there. Raises
    NotAllowed, NoteNeeded for an empty one, TooLong, Related.
    """
    people.require(agent, "decide")
    case = moves.lock(session, case_id)
    if why := conflicts.tie(session, agent, case):
        raise Related(why)
    row = _write_note(session, case, agent, "note", note, now)
    me = audit.Actor.staff(agent)
    audit.record(session, "note_added", actor=me, now=now, case=case, note_id=row.id, size=len(note.strip()))
    return row


@dataclass(frozen=True, kw_only=True)
class NoteLine:
    """A note as the page of a case shows it. `text` is None once it was shredded."""

    id: UUID
    kind: str  # note, escalation
    by: str
    at: datetime
    text: str | None


def notes(session: Session, case: Case, agent: Staff) -> list[NoteLine]:
    """What agents wrote down about a case, oldest first, without what would tell a second person the first one's mind.

    Who may still give the second answer sees no note of who gave the first; her escalation, which passes the case on, she does.
    """
    rows = session.execute(
        select(CaseNote, Staff.name)
        .join(Staff, Staff.id == CaseNote.staff_id)
        .where(CaseNote.case_id == case.id)
        .order_by(CaseNote.created_at, CaseNote.id)
    ).all()
    unsaid = Answer.state.in_((AnswerState.WAITING, AnswerState.FIRST))  # who reads it while it waits may be the second
    hidden = set(session.scalars(select(Answer.staff_id).where(Answer.case_id == case.id, unsaid)))
    hidden -= {agent.id}
    return [
        NoteLine(id=row.id, kind=row.kind, by=name, at=row.created_at, text=_note_text(session, row))
        for row, name in rows
        if row.staff_id not in hidden or row.kind == "escalation"
    ]


def lane(case: Case) -> str:
    """Who answers it: "dispute", "senior", "second" or "ordinary"."""
    return queue.lane(case).value


def related(session: Session, agent: Staff, case: Case) -> bool:
    """Whether a case is the agent's own or related to her own account: never given to her, never answered by her."""
    return conflicts.tie(session, agent, case) is not None


def withheld(session: Session, agent: Staff, case: Case, *, now: datetime) -> bool:
    """As `related`, and where it is, the trail says once that the case was kept from her. The caller commits."""
    why = conflicts.tie(session, agent, case)
    if why is not None:
        conflicts.withhold(session, agent, case, why, now=now)
    return why is not None


class Kept(StrEnum):
    """Why the data of a case are kept from a member of staff."""

    TIED = "tied"  # her own case, or related to her own account
    UNSENT = "unsent"  # the customer has not sent it
    HELD = "held"  # another agent has it, or her answer waits to be sent
    SENIOR = "senior"  # for senior agents
    GIVEN_OUT = "given_out"  # "next case" gives it to somebody
    FULL = "full"  # she holds as many as one may
    AWAY = "away"  # it waits for no agent, and she did not answer it


@dataclass(frozen=True, kw_only=True)
class Withheld:
    """What a page says in place of a case: why, and who has it until when, where somebody has."""

    why: Kept
    who: str = ""
    until: datetime | None = None
    limit: int = 0  # how many one may hold, where she holds as many


def kept_from(session: Session, case: Case, agent: Staff, *, now: datetime) -> Withheld | None:
    """Why this case's data are not hers to see; None: they are. Asked before anything of a case is shown. Changes nothing.

    Nobody sees a case of her own account. Who has "see_every_case" sees what was sent to us; any other agent what is hers, what
    she answered, and what she might take this moment (docs/decisions/0020). Photos have a rule of their own: `cases.looks`.
    """
    if conflicts.tie(session, agent, case) is not None:
        return Withheld(why=Kept.TIED)
    if case.attempt == 0 and case.submitted_at is None:
        return Withheld(why=Kept.UNSENT)
    if people.may(agent, "see_every_case") or _holds(case, agent, now) or answered_by(session, case, agent):
        return None
    if _asks_anybody(session, case, agent):
        return None
    match why_not_take(session, case, agent, now):
        case None:
            return None
        case TakenBy() as taken:
            return Withheld(why=Kept.HELD, who=taken.name, until=taken.until)
        case queue.HandsFull() as full:
            return Withheld(why=Kept.FULL, limit=full.limit)
        case people.NotAllowed(permission="choose_cases"):
            return Withheld(why=Kept.GIVEN_OUT)
        case people.NotAllowed(permission="decide_escalated" | "settle_disputes"):
            return Withheld(why=Kept.SENIOR)
    return Withheld(why=Kept.AWAY)


def may_see(session: Session, case: Case, agent: Staff, *, now: datetime) -> bool:
    """Whether the data of this case are hers to see now: `kept_from` says why not."""
    return people.may(agent, "see_case") and kept_from(session, case, agent, now=now) is None


def _asks_anybody(session: Session, case: Case, agent: Staff) -> bool:
    """Whether the customer asks something while the case waits for her photo: nobody can hold it then, so any agent answers."""
    from cases import conversations  # here, because that module builds on this one

    return case.state is State.NEEDS_RETAKE and people.may(agent, "decide") and conversations.waits(session, case)


def answered_by(session: Session, case: Case, agent: Staff) -> bool:
    """Whether she answered this case, or its customer, and that stands. What was taken back or dropped is no answer."""
    gone = (AnswerState.TAKEN_BACK, AnswerState.DROPPED)
    given = exists().where(Answer.case_id == case.id, Answer.staff_id == agent.id, Answer.state.not_in(gone))
    done = exists().where(Disposition.case_id == case.id, Disposition.staff_id == agent.id)
    wrote = exists().where(Message.case_id == case.id, Message.staff_id == agent.id)
    return bool(session.scalar(select(given | done | wrote)))


def note_kept(session: Session, case: Case, agent: Staff, why: Kept, *, now: datetime) -> None:
    """Write down that a case was asked for and not shown; her own only once. The caller commits."""
    if why is Kept.TIED:
        withheld(session, agent, case, now=now)
        return
    audit.record(session, "case_not_shown", actor=audit.Actor.staff(agent), now=now, case=case, why=why)


def rows_to_check(session: Session, case: Case, *, veiled: bool = False) -> tuple[str, ...]:
    """What an agent compares by eye and ticks before she approves, in the order of the page: `Field` values, and sides.EMAIL.

    Every row that the page marks as different, changes that no run read as exactly and surely the same, and a new e-mail.
    Ticking what the machine is sure of would teach people to tick without looking; but where its opinion is `veiled`, see
    `cases.opinion`, all that changes: which rows it is sure of is an opinion, too. Raises KeyDestroyed once shredded.
    """
    claim, new_email = intake.claim_of(session, case)
    profile, email = profiles.read_version(session, case.customer, profiles._current(session, case.customer))
    last = risk.measured(session, case)
    sure = (
        frozenset(name for name, share in last[1].agreement.items() if share >= 1.0 and last[1].certain.get(name) is True)
        if last and not veiled
        else frozenset()
    )
    readings = queries.last_readings(session, case)
    return sides.to_check(
        queries.side_by_side(profile, claim, readings),
        readings.get("reading") or {},
        sure=sure,
        brings_email=new_email is not None and new_email.casefold() != email.casefold(),
    )


def faces_to_compare(session: Session, case: Case) -> bool:
    """Whether an agent says before she approves that she compared the faces: where no machine may and there are photos."""
    there = all(intake.photo(session, case, kind) is not None for kind in intake.NEEDED)
    return there and by_eye.holds(session, case.customer)


def set_by_eye(session: Session, case_id: UUID, *, agent: Staff, now: datetime) -> Case:
    """Write down for a customer who said so that no machine may compare her face, from now on. Allowing it again is hers alone.

    By a senior agent who holds the case. Raises NotAllowed, NotYours (Related), IllegalTransition.
    """
    people.require(agent, "set_by_eye")
    case = moves.lock(session, case_id)
    if case.state is not State.IN_REVIEW:
        raise IllegalTransition(case.state, Action.APPROVE)
    if not _holds(case, agent, now):
        raise NotYours("take the case first")
    may_answer(session, case, agent)
    if by_eye.choose(session, case.customer, True, actor=audit.Actor.staff(agent), now=now, case=case):
        risk.write(session, case, now=now)
        moves.changed(case, now=now)
    return case


def settle_dispute(session: Session, case_id: UUID, *, agent: Staff, note: str, seen_version: int, now: datetime) -> Case:
    """A person looked at "this was not me" and the change stands. To undo it, see `profiles.revert`.

    A change that was held takes effect again; both addresses are told. Raises StalePage, NoteNeeded, NotAllowed, OwnApproval
    for who approved the case, ValueError when nothing is disputed, ProfileMovedOn when a held change cannot come back.
    """
    people.require(agent, "settle_disputes")
    case = moves.lock(session, case_id)
    if case.version != seen_version:
        raise stale(session, case)
    if case.disputed_at is None or case.dispute_settled_at is not None:
        raise ValueError("nothing is disputed")
    if profiles.approved_by(session, case, agent):
        raise profiles.OwnApproval("another person has to settle this")
    if why := conflicts.tie(session, agent, case):
        raise Related(why)
    note = note.strip()
    if not note:
        raise NoteNeeded("say why in a note")
    if profiles.held(case):
        profiles.restore(session, case, actor=audit.Actor.staff(agent), now=now)
    row = Disposition(id=uuid4(), case_id=case.id, staff_id=agent.id, action="settle", reasons=[], created_at=now)
    row.note_sealed = profiles.seal_note(session, case, row.id, note)
    session.add(row)
    case.dispute_settled_at = now
    case.owner_id = case.owner_until = None
    moves.changed(case, now=now)
    if case.state is State.APPROVED:
        notifications.add(session, case, "change_stands", actor=audit.Actor.staff(agent), now=now, to_new=True)
    audit.record(session, "dispute_settled", actor=audit.Actor.staff(agent), now=now, case=case)
    return case


def refused_before(session: Session, case: Case, agent: Staff) -> bool:
    """Whether this agent refused the case once, alone or as one of two: an appeal goes to another person, always."""
    done = exists().where(Disposition.case_id == case.id, Disposition.staff_id == agent.id, Disposition.action == "reject")
    shared = exists().where(
        Answer.case_id == case.id,
        Answer.staff_id == agent.id,
        Answer.action == "reject",
        Answer.state.in_((AnswerState.FOLLOWED, AnswerState.OVERRULED, AnswerState.CARRIED_OUT)),
    )
    return bool(session.scalar(select(done | shared)))


def may_answer(session: Session, case: Case, agent: Staff) -> None:
    """Raises NotAllowed, NotYours, AlreadyAnswered, Related.

    Where two disagree and no senior agent is left, because those there are gave the two answers or may not see the case, any
    agent who gave neither decides: else it would wait for ever.
    """
    if case.state is State.IN_REVIEW and case.escalated_at is not None and not people.may(agent, "decide_escalated"):
        disagree = exists().where(Answer.case_id == case.id, Answer.state == AnswerState.DISAGREED)
        seniors = people.holding(session, "decide_escalated")
        if not session.scalar(select(disagree)) or any(_may_settle(session, case, senior) for senior in seniors):
            people.require(agent, "decide_escalated")
        people.require(agent, "decide")
    if refused_before(session, case, agent):
        raise NotYours("another agent decides an appeal")
    if _answered(session, case, agent):
        raise AlreadyAnswered("her own answer waits for another person's")
    if why := conflicts.tie(session, agent, case):
        raise Related(why)


def is_for(session: Session, case: Case, agent: Staff) -> bool:
    """Whether "next case" may give it to her: she may answer it or, where it is disputed, settle what others approved."""
    if case.state is State.APPROVED and profiles.approved_by(session, case, agent):
        return False
    try:
        may_answer(session, case, agent)
    except (NotYours, people.NotAllowed):
        return False
    return True


def _answered(session: Session, case: Case, agent: Staff) -> bool:
    """Whether her own answer is the one that another person is to come to, or to judge."""
    waiting = exists().where(
        Answer.case_id == case.id,
        Answer.staff_id == agent.id,
        Answer.state.in_((AnswerState.FIRST, AnswerState.DISAGREED)),
    )
    return bool(session.scalar(select(waiting)))


def _may_settle(session: Session, case: Case, senior: Staff) -> bool:
    tied = conflicts.tie(session, senior, case) is not None
    return not (tied or refused_before(session, case, senior) or _answered(session, case, senior))


def _holds(case: Case | None, agent: Staff, now: datetime) -> bool:
    return case is not None and case.owner_id == agent.id and case.owner_until is not None and case.owner_until > now


def _free_for(session: Session, case: Case, agent: Staff, now: datetime) -> None:
    """Raises TakenBy."""
    _not_waiting(session, case)
    if case.owner_id is not None and case.owner_id != agent.id and case.owner_until is not None and case.owner_until > now:
        assert case.owner is not None
        raise TakenBy(case.owner.name, case.owner_until)


def _not_waiting(session: Session, case: Case) -> None:
    """Raises TakenBy while an answer, or a wish for papers, waits: nobody has the case before it was sent or taken back."""
    if case.answered_at is None:
        return
    wish = select(Outgoing).where(
        Outgoing.case_id == case.id, Outgoing.kind == OutgoingKind.WISH, Outgoing.state == OutgoingState.WAITING
    )
    wished = session.scalars(wish).one_or_none()
    if wished is not None:
        raise TakenBy(wished.writer.name, wished.until)
    waiting = select(Answer).where(Answer.case_id == case.id, Answer.state == AnswerState.WAITING)
    answer = session.scalars(waiting).one_or_none()
    if answer is not None:
        raise TakenBy(answer.maker.name, answer.until)


def _at_the_desk(case: Case) -> bool:
    """Whether a person has something to decide. A developer answers the sandbox's cases (`cases.trials`)."""
    if case.trial:
        return False
    disputed = case.disputed_at is not None and case.dispute_settled_at is None
    return case.state is State.IN_REVIEW or (case.state is State.APPROVED and disputed)


def _give(session: Session, case: Case, agent: Staff, now: datetime) -> Case:
    before = case.owner_id
    case.owner_id = agent.id
    case.owner_until = now + timedelta(minutes=session.info["settings"].claim_minutes)
    session.flush()
    if before != agent.id:
        moves.changed(case, now=now)
        audit.record(
            session, "case_taken", actor=audit.Actor.staff(agent), now=now, case=case, until=case.owner_until, from_staff=before
        )
    return case


def weighs_against(session: Session, case: Case) -> bool:
    """Whether who approves says why: something weighty was found by any run of the case, or a photo is missing.

    The reasons of the case are those of its last step only; a retake or an appeal writes others over them.
    """
    weighty = {r.value for r in WEIGHTY} & risk.found(session, case)
    return bool(weighty) or any(intake.photo(session, case, kind) is None for kind in intake.NEEDED)


def _write_note(session: Session, case: Case, agent: Staff, kind: str, note: str, now: datetime) -> CaseNote:
    text = note.strip()
    if not text:
        raise NoteNeeded("a note says something")
    if len(text) > MOST_LETTERS:
        raise TooLong("the note is too long")
    key = case.customer.data_key if case.data_key.wrapped is None else case.data_key
    row = CaseNote(id=uuid4(), case_id=case.id, staff_id=agent.id, kind=kind, data_key_id=key.id, created_at=now)
    row.data_key = key
    row.text_sealed = vault_of(session).seal(key, text.encode(), _note_place(row))
    session.add(row)
    session.flush()
    return row


def _note_text(session: Session, row: CaseNote) -> str | None:
    try:
        return vault_of(session).open(row.data_key, row.text_sealed, _note_place(row)).decode()
    except KeyDestroyed:
        return None


def _note_place(row: CaseNote) -> str:
    return f"case_notes.text|{row.id}"


def stale(session: Session, case: Case) -> StalePage:
    """Say what happened last: the newest event that changed the case."""
    telling = select(Event).where(Event.case_id == case.id, Event.kind.not_in(QUIET)).order_by(Event.id.desc()).limit(1)
    event = session.scalars(telling).one_or_none()
    if event is None:
        return StalePage(case.state, "system", case.updated_at)
    by = event.actor_kind
    if event.actor_kind == "staff" and event.actor_id:
        person = session.get(Staff, UUID(event.actor_id))
        by = person.name if person else by
    return StalePage(case.state, by, event.at)


QUIET: Iterable[str] = (
    "photo_opened",
    "head_turn_opened",
    "message_given",
    "message_taken_back",
    "message_dropped",
    "message_written",
    "messages_set_aside",
    "message_photo_opened",
    "case_opened_by_staff",
    "case_not_shown",
    "masked_case_opened",
    "notification_added",
    "notification_sent",
    "link_made",
    "link_used",
    "device_link_made",
    "device_link_opened",
    "device_link_confirmed",
    "device_link_ended",
    "not_me_reported",
    "note_added",
    "case_withheld",
    "paper_opened",
    "paper_read",
)
"""Events that change nothing about a case."""
