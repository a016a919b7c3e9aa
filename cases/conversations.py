"""What a customer and the agents write to each other about a case: words and photos, sealed under the case's key.

A message moves no case: state, version and clocks stay, so no page grows stale by it. It is open for writing while a
person has the case or a new photo is asked for; afterwards it can be read until the case is shredded, and with it goes.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from cases import audit, moves, notifications, photo_store, review
from cases import staff as people
from cases.crypto import KeyDestroyed, Unreadable, vault_of
from cases.desk_tables import Outgoing, OutgoingKind, OutgoingState
from cases.lifecycle import State
from cases.models import Case, Disposition, Message, Staff, Writer

MOST_LETTERS = 2000
"""Of one message: a page of handwriting. Longer texts are letters, and letters are no conversation."""

MOST_MESSAGES = 100
"""Of each side of one case, so that no account can fill the store, and a customer who wrote too much can still be answered."""

OPEN = frozenset({State.NEEDS_RETAKE, State.IN_REVIEW})
"""States in which somebody will read what is written: an agent, or she who is asked for a photo."""

_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0d\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
"""Characters without a shape that are of no category Cc or Cf: Hangul and Khmer fillers, selectors of a variant, tags
(Unicode 16, Default_Ignorable_Code_Point)."""

_SIGNS = re.compile("[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd]")
"""Characters of category Cf that are seen all the same: signs that span a number (Prepended_Concatenation_Mark)."""

_JOINERS = "\u200c\u200d"
_EMOJI_STYLE = "\ufe0e\ufe0f"
_ALONE = ("LATIN", "GREEK", "CYRILLIC")
"""Scripts whose letters no joiner changes, by the first word of a letter's name."""


class Closed(Exception):
    """Nobody would read it: the case is in no state in which people write. `state` says where it stands."""

    def __init__(self, state: State) -> None:
        super().__init__(f"no messages for a case that is {state.value}")
        self.state = state


class NothingSaid(Exception):
    """Neither words nor a photo."""


class TooLong(Exception):
    """More letters than MOST_LETTERS."""


class TooMany(Exception):
    """This side has written MOST_MESSAGES messages."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One message as a page shows it. Holds what people wrote: not for logs."""

    id: UUID
    writer: Writer
    by: str  # name of the member of staff, for the desk; "" for the customer
    at: datetime
    seen: bool
    has_photo: bool
    text: str | None = field(repr=False)  # None: a photo alone, or shredded


def plain(text: str) -> str:
    """What was typed as it is kept: NFC, one kind of line end, at most one empty line in a row, nothing invisible.

    Control characters and marks that turn the direction of writing would show a reader another text than was sent. Joiners stay
    where a script or a composed emoji needs them, and what chooses the look of an emoji stays behind one.
    """
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    text = re.sub(r"[^\S\n]+", " ", text.replace("\u2800", " "))  # Braille without a dot: a space by another name
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in _seen(text).split("\n"))).strip()
    return text


def _seen(text: str) -> str:
    kept = ""
    for at, letter in enumerate(text):
        kind = unicodedata.category(letter)
        if letter in _JOINERS:
            if kept and _joins(kept[-1]) and _joins(text[at + 1 : at + 2]):
                kept += letter
        elif letter in _EMOJI_STYLE:
            if kept and unicodedata.category(kept[-1])[0] in "SPN":
                kept += letter
        elif letter == "\n" or _SIGNS.match(letter) or not (kind in ("Cc", "Cf", "Cs") or _UNSEEN.match(letter)):
            kept += letter
    return kept


def _joins(letter: str) -> bool:
    """Whether a joiner beside this character changes how it is written: letters of some scripts, their marks, and emoji."""
    if not letter or letter in _JOINERS or _UNSEEN.match(letter):
        return False
    named = unicodedata.name(letter, "").split(" ")[0]
    return not letter.isascii() and named not in _ALONE and unicodedata.category(letter)[0] in "LMS"


def write(
    session: Session,
    case_id: UUID,
    message_id: UUID,
    *,
    text: str,
    photo: bytes | None = None,
    agent: Staff | None = None,
    now: datetime,
) -> Message:
    """Keep a message of the customer or, where `agent` is given, of her to the customer, who is told by mail; both at once.

    What agents write on their pages waits first, see `cases.outgoing`. `photo` is a clean JPEG of `verification.images`. The same
    id again is the same message. Raises Closed, NothingSaid, TooLong, TooMany; for agents NotAllowed, and NotYours unless she
    holds the case (nobody can hold one that waits for a photo).
    """
    text = plain(text)
    case = moves.lock(session, case_id)
    held = session.get(Message, message_id)
    if held is not None and held.case_id == case.id and held.staff_id == (agent.id if agent else None):
        return held
    check(session, case, text=text, photo=photo, agent=agent, now=now)
    free = message_id if held is None else uuid4()  # somebody else's number: told to nobody
    return keep(session, case, free, text=text, photo=photo, agent=agent, read=now, now=now)


def check(session: Session, case: Case, *, text: str, photo: bytes | None, agent: Staff | None, now: datetime) -> None:
    """Whether a message may be written about a locked case; `text` as `plain` makes it. Raises what `write` raises."""
    if agent is not None:
        people.require(agent, "decide")
    if case.state not in OPEN or case.shredded_at is not None:
        raise Closed(case.state)
    if agent is not None and not (answers(case, agent, now=now) and review.may_see(session, case, agent, now=now)):
        raise review.NotYours("take the case first")
    if not text and photo is None:
        raise NothingSaid("neither words nor a photo")
    if len(text) > MOST_LETTERS:
        raise TooLong("the message is too long")
    if _count(session, case.id, Writer.STAFF if agent else Writer.CUSTOMER) >= MOST_MESSAGES:
        raise TooMany("this side has written enough")


def keep(
    session: Session,
    case: Case,
    message_id: UUID,
    *,
    text: str,
    photo: bytes | None,
    agent: Staff | None,
    read: datetime,
    now: datetime,
) -> Message:
    """Keep a message that passed `check`, and what follows. An agent's answers what the customer had written by `read`."""
    message = Message(
        id=message_id,
        customer_id=case.customer_id,
        case_id=case.id,
        writer=Writer.STAFF if agent else Writer.CUSTOMER,
        staff_id=agent.id if agent else None,
        data_key_id=case.data_key_id,
        written_at=now,
    )
    message.data_key = case.data_key
    if text:
        message.text_sealed = vault_of(session).seal(case.data_key, text.encode(), _place("text", message))
    if photo is not None:
        message.blob = photo_store.keep_sealed(session, case.data_key, photo, _place("photo", message))
        message.sha256, message.size = hashlib.sha256(photo).hexdigest(), len(photo)
    told = agent is not None and not unseen(session, case.id, Writer.STAFF)  # one mail until she has looked
    session.add(message)
    session.flush()
    actor = audit.Actor.staff(agent) if agent else audit.Actor(kind="customer", id=str(case.customer_id))
    if agent is not None:
        _see(session, case.id, Writer.CUSTOMER, now, until=read)
    elif case.awaiting_until is not None:
        case.awaiting_until = None  # "I have no such paper": somebody has to read that, and not when the time for it is over
        session.flush()
    if told:
        notifications.add(session, case, "message", actor=actor, now=now)
    audit.record(session, "message_written", actor=actor, now=now, case=case, message_id=message.id, size=message.size)
    return message


def enclose(session: Session, case: Case, text: str, *, agent: Staff, now: datetime) -> Message:
    """Keep an agent's words that go out with her answer to a locked case; the mail about the answer tells of them.

    She has read what the customer wrote so far: that is answered by it.
    """
    message = Message(
        id=uuid4(),
        customer_id=case.customer_id,
        case_id=case.id,
        writer=Writer.STAFF,
        staff_id=agent.id,
        data_key_id=case.data_key_id,
        written_at=now,
    )
    message.data_key = case.data_key
    message.text_sealed = vault_of(session).seal(case.data_key, text.encode(), _place("text", message))
    session.add(message)
    session.flush()
    _see(session, case.id, Writer.CUSTOMER, now)
    audit.record(session, "message_written", actor=audit.Actor.staff(agent), now=now, case=case, message_id=message.id, size=None)
    return message


def enclosed(session: Session, case: Case, talk: Sequence[Line]) -> str:
    """The words that came with the answer that holds now, out of the thread; "" where none did, or they were shredded."""
    if case.state not in (State.NEEDS_RETAKE, State.REJECTED, State.APPROVED):
        return ""
    given = session.scalar(
        select(func.max(Disposition.created_at, type_=Disposition.created_at.type)).where(
            Disposition.case_id == case.id, Disposition.action.in_(("ask_retake", "reject", "approve"))
        )
    )
    if given is None or (case.submitted_at is not None and given < case.submitted_at):  # the machine looked again since
        return ""
    return next((line.text or "" for line in reversed(talk) if line.writer is Writer.STAFF and line.at == given), "")


def answers(case: Case, agent: Staff, *, now: datetime) -> bool:
    """Whether this agent is the one to write: who holds the case or, while it waits for a photo and nobody can, any agent.

    That any agent may answer then is about words: photos, those of messages too, are for who holds the case.
    """
    holds = case.owner_id == agent.id and case.owner_until is not None and case.owner_until > now
    return people.may(agent, "decide") and (holds if case.state is State.IN_REVIEW else case.state is State.NEEDS_RETAKE)


def thread(session: Session, case: Case) -> list[Line]:
    """Every message of a case, oldest first. Two queries."""
    rows = session.execute(
        select(Message, Staff.name)
        .outerjoin(Staff, Staff.id == Message.staff_id)
        .where(Message.case_id == case.id)
        .order_by(Message.written_at, Message.id)
    )
    return [
        Line(
            id=row.id,
            writer=row.writer,
            by=name or "",
            at=row.written_at,
            seen=row.seen_at is not None,
            has_photo=row.blob is not None and row.shredded_at is None,
            text=_text(session, row),
        )
        for row, name in rows
    ]


def shown_to_customer(session: Session, case_id: UUID, messages: Sequence[UUID], *, now: datetime) -> None:
    """She has these messages before her. What was written while her page was made she has not seen."""
    _see(session, case_id, Writer.STAFF, now, messages)


def set_aside(session: Session, case_id: UUID, *, agent: Staff, now: datetime) -> None:
    """No answer is needed to what the customer wrote. Raises NotYours, NotAllowed, NoResultFound."""
    people.require(agent, "decide")
    case = moves.lock(session, case_id)
    if not (answers(case, agent, now=now) and review.may_see(session, case, agent, now=now)):
        raise review.NotYours("take the case first")
    count = _see(session, case.id, Writer.CUSTOMER, now)
    if count:
        audit.record(session, "messages_set_aside", actor=audit.Actor.staff(agent), now=now, case=case, count=count)


def unseen(session: Session, case_id: UUID, writer: Writer) -> bool:
    """Whether something of `writer` waits for the other side."""
    found = select(Message.id).where(Message.case_id == case_id, Message.writer == writer, Message.seen_at.is_(None)).limit(1)
    return session.execute(found).first() is not None


def customer_wrote() -> ColumnElement[bool]:
    """For queries over Case: she wrote, the case is open, and no agent has answered, set it aside or disposed since."""
    # Correlated by hand: two levels down, "of this case" would else become "of any case".
    disposed = select(func.max(Disposition.created_at)).where(Disposition.case_id == Case.id).correlate(Case).scalar_subquery()
    waiting = select(Message.id).where(
        Message.case_id == Case.id,
        Message.writer == Writer.CUSTOMER,
        Message.seen_at.is_(None),
        or_(disposed.is_(None), Message.written_at > disposed),
    )
    return Case.state.in_(OPEN) & waiting.exists()


def waits(session: Session, case: Case) -> bool:
    """Whether something the customer wrote waits for an agent."""
    return session.scalar(select(customer_wrote()).where(Case.id == case.id)) or False


def open_photo(session: Session, message_id: UUID, *, case_id: UUID, viewer: audit.Actor, purpose: str, now: datetime) -> bytes:
    """Return the clear bytes of a message's photo, and record who looked and why.

    Raises photo_store.PhotoGone where there is none (any more) in this case, PhotoBroken when it is not what was stored.
    """
    message = session.get(Message, message_id)
    if message is None or message.case_id != case_id or message.blob is None or message.shredded_at is not None:
        raise photo_store.PhotoGone(f"message {message_id} has no photo")
    try:
        sealed = photo_store.store_of(session).read(message.blob)
        data = vault_of(session).open(message.data_key, sealed, _place("photo", message))
    except KeyDestroyed:
        raise photo_store.PhotoGone(f"the photo of message {message.id} was shredded") from None
    except (photo_store.BlobMissing, Unreadable):
        raise photo_store.PhotoBroken(f"the photo of message {message.id} does not open") from None
    if hashlib.sha256(data).hexdigest() != message.sha256:
        raise photo_store.PhotoBroken(f"the photo of message {message.id} is not what was stored")
    audit.record(
        session,
        "message_photo_opened",
        actor=viewer,
        now=now,
        case_id=message.case_id,
        customer_id=message.customer_id,
        message_id=message.id,
        purpose=purpose,
    )
    return data


def shred_words(session: Session, case_id: UUID, *, now: datetime) -> None:
    """Remove the sealed words of a case whose key is being destroyed; `retention.delete_blobs` removes the photos."""
    session.execute(update(Message).where(Message.case_id == case_id, Message.blob.is_(None)).values(shredded_at=now))
    session.execute(update(Message).where(Message.case_id == case_id).values(text_sealed=None))
    session.execute(update(Outgoing).where(Outgoing.case_id == case_id).values(text_sealed=None, photo_sealed=None))


def _text(session: Session, message: Message) -> str | None:
    if message.text_sealed is None:
        return None
    try:
        return vault_of(session).open(message.data_key, message.text_sealed, _place("text", message)).decode()
    except KeyDestroyed:
        return None


def _see(
    session: Session,
    case_id: UUID,
    writer: Writer,
    now: datetime,
    messages: Sequence[UUID] | None = None,
    *,
    until: datetime | None = None,
) -> int:
    found = update(Message).where(Message.case_id == case_id, Message.writer == writer, Message.seen_at.is_(None))
    if messages is not None:
        found = found.where(Message.id.in_(messages))
    if until is not None:
        found = found.where(Message.written_at <= until)
    return int(session.execute(found.values(seen_at=now)).rowcount)  # type: ignore[attr-defined]


def _count(session: Session, case_id: UUID, writer: Writer) -> int:
    mine = select(func.count()).select_from(Message).where(Message.case_id == case_id, Message.writer == writer)
    count = session.scalar(mine) or 0
    if writer is Writer.STAFF:  # and what has not left yet
        waits = (Outgoing.case_id == case_id, Outgoing.kind == OutgoingKind.MESSAGE, Outgoing.state == OutgoingState.WAITING)
        count += session.scalar(select(func.count()).select_from(Outgoing).where(*waits)) or 0
    return count


def _place(what: str, message: Message) -> str:
    """What the ciphertext is bound to."""
    return f"messages.{what}|{message.case_id}|{message.id}"
