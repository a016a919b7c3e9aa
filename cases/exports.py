"""A customer's copy of what is held of her: plain facts for a file, and her photos, opened one after the other.

Everything of hers is in it but for what would help whoever sits in her account: no measure, score or reason of a check that she
is not told on the page, no note and no name of staff, nothing of other accounts, not who objected to a change from a mail. What
was read from her passport is hers once the request is answered; before that it would show a forger what a reader sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases import (
    audit,
    confirmations,
    consents,
    conversations,
    head_turns,
    notifications,
    photo_store,
    profiles,
    queries,
    ratings,
    retention,
    supporting,
    unsent_forms,
    who_looked,
    wording,
)
from cases.crypto import KeyDestroyed, vault_of
from cases.desk_tables import Paper
from cases.lifecycle import CLOSED
from cases.models import (
    Case,
    Customer,
    DeviceLink,
    Event,
    FaceEncoding,
    HeadTurn,
    Message,
    Notification,
    Photo,
    ProfileVersion,
    Run,
    RunState,
    Upload,
)
from cases.runs import readings_place
from verification.reasons import PhotoKind, ReasonCode

PURPOSE = "own_copy"
"""Of the looks at her photos that the copy causes."""

_ROWS: dict[str, Any] = {"photo": Photo, "head_turn": HeadTurn, "message": Message, "paper": Paper}

LEFT_OUT = ("scores", "notes", "staff", "others")
"""What is not in the copy, as codes; pages say it in words."""


class UnderDispute(Exception):
    """Somebody said that a change was not hers: until a person has settled it nobody knows who is asking for the copy."""


@dataclass(frozen=True, kw_only=True)
class File:
    """A picture that belongs into the copy. `path` is its name there; a head turn's has a number put before its ending."""

    what: str  # "photo", "head_turn", "message" or "paper"
    id: UUID
    case_id: UUID | None
    path: str


@dataclass(frozen=True, kw_only=True, repr=False)
class Copy:
    """Plain JSON values, and the pictures that go with them. Personal data: not for logs."""

    document: dict[str, Any]
    files: tuple[File, ...]


def gather(session: Session, customer_id: UUID, *, language: str, now: datetime) -> Copy:
    """Everything but the pictures' bytes. Sentences are in `language`. Raises UnderDispute."""
    if under_dispute(session, customer_id):
        raise UnderDispute("a change of this account is disputed")
    customer = session.get_one(Customer, customer_id)
    found = session.scalars(select(Case).where(Case.customer_id == customer_id).order_by(Case.opened_at, Case.id)).all()
    files: list[File] = []
    document = {
        "made_at": _time(now),
        "left_out": list(LEFT_OUT),
        "account": {"number": customer.external_id, "language": customer.locale, "known_since": _time(customer.created_at)},
        "details": _versions(session, customer),
        "photo_on_file": [_photo(p, files) for p in _photos(session, customer_id, None)],
        "requests": [_request(session, case, language, files) for case in found],
        "mails": _mails(session, customer),
        "looks": _looks(session, customer_id),
        "sign_ins": _moments(session, customer_id, "link_used", purpose="hand_over"),
        "copies": _moments(session, customer_id, "data_downloaded"),
        "phones": _phones(session, customer_id),
        "unsent": _unsent(session, customer_id, now),
        "face_codes": session.scalar(
            select(func.count()).select_from(FaceEncoding).where(FaceEncoding.customer_id == customer_id)
        ),
    }
    return Copy(document=document, files=tuple(files))


def record(session: Session, customer_id: UUID, copy: Copy, *, now: datetime) -> None:
    """Note that she took a copy."""
    she = audit.Actor(kind="customer", id=str(customer_id))
    audit.record(session, "data_downloaded", actor=she, now=now, customer_id=customer_id, photos=len(copy.files))


def open_file(
    session: Session,
    file: File,
    *,
    customer_id: UUID,
    now: datetime,
    viewer: audit.Actor | None = None,
    purpose: str = PURPOSE,
) -> list[tuple[str, bytes]]:
    """The clear pictures of one file by their names in the copy. Each look is an event: hers, unless `viewer` says whose.

    Raises photo_store.PhotoGone, PhotoBroken; PhotoGone also for a picture of somebody else.
    """
    she = viewer or audit.Actor(kind="customer", id=str(customer_id))
    row: Photo | HeadTurn | Message | Paper | None = session.get(_ROWS[file.what], file.id)
    if row is None or row.customer_id != customer_id:
        raise photo_store.PhotoGone(f"{file.what} {file.id} is not hers")
    if file.what == "photo":
        return [(file.path, photo_store.open_photo(session, file.id, viewer=she, purpose=purpose, now=now))]
    if file.what == "message":
        assert file.case_id is not None
        data = conversations.open_photo(session, file.id, case_id=file.case_id, viewer=she, purpose=purpose, now=now)
        return [(file.path, data)]
    if file.what == "paper":
        assert file.case_id is not None
        data = supporting.open_picture(session, file.id, case_id=file.case_id, viewer=she, purpose=purpose, now=now)
        return [(file.path, data)]
    burst = head_turns.open_burst(session, file.id, viewer=she, purpose=purpose, now=now)
    name = file.path.removesuffix(".jpg")
    return [(f"{name}-{number:02}.jpg", frame) for number, frame in enumerate(burst.frames, start=1)]


def under_dispute(session: Session, customer_id: UUID) -> bool:
    """Whether somebody said "this was not me" of a case of this account, and no person has settled it yet."""
    waiting = select(Case.id).where(Case.customer_id == customer_id, retention.UNDER_DISPUTE)
    return session.execute(waiting.limit(1)).first() is not None


def _versions(session: Session, customer: Customer) -> list[dict[str, Any]]:
    rows = session.scalars(
        select(ProfileVersion).where(ProfileVersion.customer_id == customer.id).order_by(ProfileVersion.number)
    )
    out = []
    for row in rows:
        profile, email = profiles.read_version(session, customer, row)
        out.append(
            {
                "number": row.number,
                "current": row.id == customer.profile_version_id,
                "since": _time(row.created_at),
                "from": row.source.value,
                "values": {name.value: value for name, value in profile.values.items()},
                "earlier_numbers": list(profile.earlier_numbers),
                "email": email,
            }
        )
    return out


def _request(session: Session, case: Case, language: str, files: list[File]) -> dict[str, Any]:
    claim = email = None
    if case.claim_sealed is not None:
        try:
            stated, email = profiles.read_claim(session, case)
            claim = {name.value: value for name, value in stated.values.items()}
        except KeyDestroyed:
            pass
    rating = ratings.of(session, case)
    return {
        "id": str(case.id),
        "number": confirmations.number(case.id),
        "state": case.state.value,
        "reason": case.change_reason.value,
        "country": case.country,
        "language": case.locale,
        "begun_at": _time(case.opened_at),
        "closed_at": _time(case.closed_at),
        "destroyed_at": _time(case.shredded_at),
        "sent_times": case.attempt,
        "asked": claim,
        "new_email": email,
        "consent": _consent(session, case, language),
        "told": list(dict.fromkeys(wording.customer_sentence(ReasonCode(code), language) for code in case.reasons)),
        "happened": [{"at": _time(moment.at), "what": moment.what} for moment in queries.timeline(session, case.id)],
        "machine_looked": [
            {"from": _time(run.begun_at), "to": _time(run.finished_at)}
            for run in session.scalars(select(Run).where(Run.case_id == case.id).order_by(Run.fence))
        ],
        "read": _read(session, case),
        "photos": [_photo(photo, files) for photo in _photos(session, case.customer_id, case.id)],
        "refused_photos": [
            {
                "kind": row.kind.value,
                "at": _time(row.created_at),
                "told": list(dict.fromkeys(wording.customer_sentence(ReasonCode(code), language) for code in row.codes)),
            }
            for row in session.scalars(
                select(Upload).where(Upload.case_id == case.id, Upload.photo_id.is_(None)).order_by(Upload.number)
            )
        ],
        "head_turns": [_head_turn(row, files) for row in _turns(session, case)],
        "messages": [_message(line, case, files) for line in conversations.thread(session, case)],
        "papers": [_paper(session, row, case, files) for row in _papers(session, case)],
        "rating": {"choice": rating.choice, "words": rating.words, "at": _time(rating.given_at)} if rating else None,
    }


def _consent(session: Session, case: Case, language: str) -> dict[str, Any] | None:
    """What she agreed to, word for word."""
    agreed = consents.given(session, case)
    if agreed is None:
        return None
    return {"text": case.consent_version, "at": _time(agreed.at), "words": list(consents.words(session, agreed, language))}


def _read(session: Session, case: Case) -> dict[str, str] | None:
    """What was read from her passport by the last run, values alone; None while the request is open, or once shredded."""
    if case.state not in CLOSED:
        return None
    last = session.scalars(
        select(Run)
        .where(Run.case_id == case.id, Run.state == RunState.FINISHED, Run.readings_sealed.is_not(None))
        .order_by(Run.fence.desc())
        .limit(1)
    ).first()
    if last is None or last.readings_sealed is None:
        return None
    try:
        readings = vault_of(session).open_json(case.data_key, last.readings_sealed, readings_place(last.id))
    except KeyDestroyed:
        return None
    fields = (readings.get("reading") or {}).get("fields", {})
    return {name: reading["value"] for name, reading in fields.items() if reading.get("value")}


def _photos(session: Session, customer_id: UUID, case_id: UUID | None) -> list[Photo]:
    where = Photo.case_id.is_(None) if case_id is None else Photo.case_id == case_id
    return list(
        session.scalars(select(Photo).where(Photo.customer_id == customer_id, where).order_by(Photo.created_at, Photo.id))
    )


def _photo(photo: Photo, files: list[File]) -> dict[str, Any]:
    gone = photo.shredded_at is not None or photo.data_key.wrapped is None
    path = None
    if not gone:
        path = f"photos/{photo.created_at:%Y-%m-%d}-{photo.kind.value}-{str(photo.id)[:8]}.jpg"
        files.append(File(what="photo", id=photo.id, case_id=photo.case_id, path=path))
    return {
        "kind": photo.kind.value,
        "at": _time(photo.created_at),
        "bytes": photo.size,
        "current": photo.current,
        "file": path,
        "destroyed": gone,
    }


def _turns(session: Session, case: Case) -> list[HeadTurn]:
    return list(session.scalars(select(HeadTurn).where(HeadTurn.case_id == case.id).order_by(HeadTurn.drawn_at, HeadTurn.id)))


def _head_turn(row: HeadTurn, files: list[File]) -> dict[str, Any]:
    gone = row.blob is None or row.shredded_at is not None or row.data_key.wrapped is None
    path = None
    if not gone:
        path = f"photos/{row.drawn_at:%Y-%m-%d}-{PhotoKind.SELFIE.value}-turn-{str(row.id)[:8]}.jpg"
        files.append(File(what="head_turn", id=row.id, case_id=row.case_id, path=path))
    return {
        "at": _time(row.drawn_at),
        "turns": list(row.turns),
        "answered_at": _time(row.answered_at),
        "files": path.replace(".jpg", "-*.jpg") if path else None,
        "destroyed": row.answered_at is not None and gone,
    }


def _message(line: conversations.Line, case: Case, files: list[File]) -> dict[str, Any]:
    path = None
    if line.has_photo and case.data_key.wrapped is not None:
        path = f"photos/{line.at:%Y-%m-%d}-message-{str(line.id)[:8]}.jpg"
        files.append(File(what="message", id=line.id, case_id=case.id, path=path))
    return {"at": _time(line.at), "from": line.writer.value, "text": line.text, "file": path}


def _papers(session: Session, case: Case) -> list[Paper]:
    return list(session.scalars(select(Paper).where(Paper.case_id == case.id).order_by(Paper.created_at, Paper.id)))


def _paper(session: Session, row: Paper, case: Case, files: list[File]) -> dict[str, Any]:
    """A supporting paper: what was read of it is hers once the request is answered, as with her passport."""
    gone = row.shredded_at is not None or row.data_key.wrapped is None
    path = None
    if row.received_at is not None and not gone:
        path = f"photos/{row.received_at:%Y-%m-%d}-paper-{str(row.id)[:8]}.jpg"
        files.append(File(what="paper", id=row.id, case_id=case.id, path=path))
    return {
        "kind": row.kind.value,
        "asked_at": _time(row.asked_at),
        "asked_words": supporting.words(session, row) or None,
        "declined_at": _time(row.declined_at),
        "at": _time(row.received_at),
        "bytes": row.size,
        "read": supporting.readings(session, row) if case.state in CLOSED else [],
        "file": path,
        "destroyed": gone,
    }


def _mails(session: Session, customer: Customer) -> list[dict[str, Any]]:
    rows = session.scalars(
        select(Notification).where(Notification.customer_id == customer.id).order_by(Notification.created_at, Notification.id)
    )
    return [
        {
            "about": row.kind,
            "request": confirmations.number(row.case_id) if row.case_id else None,
            "written_at": _time(row.created_at),
            "sent_at": _time(row.sent_at),
            "to": notifications.recipient(session, row, customer),
        }
        for row in rows
    ]


def _looks(session: Session, customer_id: UUID) -> list[dict[str, Any]]:
    """Who looked at photos and requests of hers, when and why. Of staff the role: which of them is the lender's own matter."""
    return [
        {
            "at": _time(look.at),
            "who": look.who,
            "role": look.role,
            "what": look.what,
            "why": look.why,
            "request": confirmations.number(look.case_id) if look.case_id else None,
        }
        for look in who_looked.looks(session, customer_id, newest_first=False)
    ]


def _moments(session: Session, customer_id: UUID, kind: str, **details: str) -> list[str | None]:
    events = session.execute(
        select(Event.at, Event.details).where(Event.kind == kind, Event.customer_id == customer_id).order_by(Event.id)
    )
    return [_time(at) for at, held in events if all(held.get(key) == value for key, value in details.items())]


def _phones(session: Session, customer_id: UUID) -> list[dict[str, Any]]:
    rows = session.scalars(
        select(DeviceLink).where(DeviceLink.customer_id == customer_id).order_by(DeviceLink.created_at, DeviceLink.id)
    )
    return [
        {
            "made_at": _time(row.created_at),
            "made_in": [row.browser, row.system],
            "opened_in": [row.phone_browser, row.phone_system] if row.opened_at else None,
            "connected_at": _time(row.confirmed_at),
            "ended_at": _time(row.ended_at),
        }
        for row in rows
    ]


def _unsent(session: Session, customer_id: UUID, now: datetime) -> dict[str, Any] | None:
    unsent = unsent_forms.find(session, customer_id, now=now)
    if unsent is None:
        return None
    return {"at": _time(unsent.at), "fields": [list(pair) for pair in unsent.fields], "photo": unsent.photo is not None}


def _time(moment: datetime | None) -> str | None:
    """UTC to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
