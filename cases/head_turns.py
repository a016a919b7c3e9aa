"""Head-turn challenges: drawn by the server, answered once and in time, kept like photos.

What the frames show nobody here knows: `verification.faces.liveness` looks at them in the run. A challenge that was not
answered, or too late, leaves the case as it was: the step may always be left out.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from cases import audit, by_eye, moves, photo_store
from cases.crypto import KeyDestroyed, Unreadable, vault_of
from cases.lifecycle import Action, IllegalTransition, State
from cases.models import Case, HeadTurn, Photo, TurnFrame
from verification.challenge import ORDERS, SECONDS, Burst, Challenge, Turn
from verification.reasons import PhotoKind


class ChallengeRefused(Exception):
    """The frames cannot be kept; `why` is a code: unknown, expired, used, by_eye."""

    def __init__(self, why: str) -> None:
        super().__init__(f"challenge {why}")
        self.why = why


def draw(session: Session, case_id: UUID, *, now: datetime) -> HeadTurn:
    """Draw an order of turns that nobody can foresee.

    Raises IllegalTransition unless the case may still be worked on, ChallengeRefused where no machine compares her face.
    """
    case = _editable(session, case_id)
    _by_machine(session, case)
    drawn = HeadTurn(
        id=uuid4(),
        customer_id=case.customer_id,
        case_id=case.id,
        attempt=case.attempt,
        turns=[turn.value for turn in secrets.choice(ORDERS)],
        drawn_at=now,
        expires_at=now + timedelta(seconds=SECONDS),
        data_key_id=case.data_key_id,
    )
    session.add(drawn)
    session.flush()
    audit.record(session, "head_turn_drawn", actor=_she(case), now=now, case=case, head_turn_id=drawn.id)
    return drawn


def answer(
    session: Session,
    case_id: UUID,
    challenge_id: UUID,
    *,
    frames: tuple[bytes, ...],
    times: tuple[float, ...],
    steps: tuple[int, ...],
    camera: str,
    now: datetime,
) -> HeadTurn:
    """Keep the frames, encrypted. The same ones again are the same row, others for the same challenge are refused.

    Raises ChallengeRefused, verification.challenge.BurstRejected, IllegalTransition.
    """
    case = _editable(session, case_id)
    _by_machine(session, case)
    drawn = session.get(HeadTurn, challenge_id, with_for_update=True, populate_existing=True)
    if drawn is None or drawn.case_id != case.id:
        raise ChallengeRefused("unknown")
    if drawn.answered_at is None and (now >= drawn.expires_at or drawn.attempt != case.attempt):
        raise ChallengeRefused("expired")
    came = drawn.answered_at or now
    data = Burst(
        challenge=Challenge(
            turns=tuple(Turn(turn) for turn in drawn.turns), seconds=(drawn.expires_at - drawn.drawn_at).total_seconds()
        ),
        frames=frames,
        times=times,
        steps=steps,
        elapsed=(came - drawn.drawn_at).total_seconds(),
        camera=camera,
    ).to_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if drawn.answered_at is not None:
        if drawn.sha256 != digest:
            raise ChallengeRefused("used")
        return drawn
    drawn.blob = photo_store.keep_sealed(session, case.data_key, data, _place(drawn))
    drawn.sha256, drawn.size, drawn.answered_at = digest, len(data), now
    session.add_all(
        TurnFrame(head_turn_id=drawn.id, number=number, sha256=hashlib.sha256(frame).hexdigest())
        for number, frame in enumerate(frames)
    )
    moves.changed(case, now=now)
    session.flush()
    audit.record(
        session,
        "head_turn_kept",
        actor=_she(case),
        now=now,
        case=case,
        head_turn_id=drawn.id,
        size=drawn.size,
        count=len(frames),
    )
    return drawn


def latest(session: Session, case: Case) -> HeadTurn | None:
    """The challenge that was answered last, if any. One answered before the current selfie was sent belongs to an earlier one."""
    sent = select(Photo.created_at).where(Photo.case_id == case.id, Photo.kind == PhotoKind.SELFIE, Photo.current)
    return session.scalars(
        select(HeadTurn)
        .where(HeadTurn.case_id == case.id, HeadTurn.answered_at >= sent.scalar_subquery(), HeadTurn.shredded_at.is_(None))
        .order_by(HeadTurn.answered_at.desc(), HeadTurn.id)
        .limit(1)
    ).first()


def replayed(session: Session, case: Case) -> bool:
    """Whether a frame of the newest answer came in another answer before, of anybody: a camera gives no file twice.

    Seen only where the very same bytes are sent again. Hashes stay when the frames are shredded.
    """
    drawn = latest(session, case)
    if drawn is None:
        return False
    own = select(TurnFrame.sha256).where(TurnFrame.head_turn_id == drawn.id)
    return bool(session.scalar(select(exists().where(TurnFrame.sha256.in_(own), TurnFrame.head_turn_id != drawn.id))))


def open_burst(session: Session, head_turn_id: UUID, *, viewer: audit.Actor, purpose: str, now: datetime) -> Burst:
    """Return the frames and record who looked and why. Raises photo_store.PhotoGone, PhotoBroken, NoResultFound."""
    drawn = session.get_one(HeadTurn, head_turn_id)
    burst = _read(session, drawn)
    audit.record(
        session,
        "head_turn_opened",
        actor=viewer,
        now=now,
        case_id=drawn.case_id,
        customer_id=drawn.customer_id,
        head_turn_id=drawn.id,
        purpose=purpose,
    )
    return burst


def _read(session: Session, drawn: HeadTurn) -> Burst:
    if drawn.shredded_at is not None or drawn.blob is None:
        raise photo_store.PhotoGone(f"head turn {drawn.id} has no frames")
    try:
        sealed = photo_store.store_of(session).read(drawn.blob)
        data = vault_of(session).open(drawn.data_key, sealed, _place(drawn))
    except KeyDestroyed:
        raise photo_store.PhotoGone(f"head turn {drawn.id} was shredded") from None
    except (photo_store.BlobMissing, Unreadable):
        raise photo_store.PhotoBroken(f"head turn {drawn.id} does not open") from None
    if hashlib.sha256(data).hexdigest() != drawn.sha256:
        raise photo_store.PhotoBroken(f"head turn {drawn.id} is not what was stored")
    return Burst.from_bytes(data)


def _editable(session: Session, case_id: UUID) -> Case:
    case = moves.lock(session, case_id)
    if case.state not in (State.DRAFT, State.NEEDS_RETAKE):
        raise IllegalTransition(case.state, Action.SUBMIT)
    return case


def _by_machine(session: Session, case: Case) -> None:
    """Nobody is asked for moving pictures of her face that no machine may look at."""
    if by_eye.holds(session, case.customer):
        raise ChallengeRefused("by_eye")


def _place(drawn: HeadTurn) -> str:
    """What the ciphertext is bound to."""
    return f"head_turn|{drawn.case_id}|{drawn.id}"


def _she(case: Case) -> audit.Actor:
    return audit.Actor(kind="customer", id=str(case.customer_id))
