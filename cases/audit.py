"""The audit trail: append-only events, each sealed to the one before by HMAC, codes and ids only.

The chain shows that a row was changed, left out or put in between; the anchor file, kept off the database,
shows that the tail was cut off or the whole chain written anew. Triggers refuse UPDATE and DELETE.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import event as happening
from sqlalchemy import select
from sqlalchemy.orm import Session, SessionTransaction

from cases.database import one_at_a_time
from cases.models import Case, Customer, Event, Staff

BEGINNING = "0" * 64
"""`previous` of the first event."""

CHAIN_LOCK = 7_310_001
"""PostgreSQL advisory lock: one writer of the chain at a time.

Whoever holds it waits for nobody: all row locks are taken before it, and there is no second lock of its kind that
is taken together with it. So two writers never wait for each other.
"""

ANCHOR_FILE = "anchors.log"

_CODE = re.compile(r"[A-Za-z0-9_.:+-]{0,120}")
"""What a text in the details may look like: a code, an id, a time. No space, no letter outside ASCII, no address."""


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who did it. `id` is the row's id in clear text; machines have none."""

    kind: str
    id: str | None = None

    @classmethod
    def customer(cls, customer: Customer) -> Actor:
        """A customer."""
        return cls(kind="customer", id=str(customer.id))

    @classmethod
    def staff(cls, staff: Staff) -> Actor:
        """A member of staff."""
        return cls(kind="staff", id=str(staff.id))


MACHINE = Actor(kind="machine")
"""A verify worker."""
SYSTEM = Actor(kind="system")
"""Upkeep, commands and migrations."""
HOST = Actor(kind="host")
"""The lender's own system through the API."""


@dataclass(frozen=True)
class Kind:
    """What one kind of event may carry."""

    actors: frozenset[str]
    details: frozenset[str]


def _kind(actors: str, details: str = "") -> Kind:
    return Kind(frozenset(actors.split()), frozenset(details.split()))


KINDS: dict[str, Kind] = {
    # accounts
    "customer_added": _kind("host system"),
    "profile_synced": _kind("host system", "number fields email_changed"),
    "face_on_file_set": _kind("host system", "photo_id"),
    "link_made": _kind("host system customer staff machine", "purpose expires_at"),
    "link_used": _kind("customer", "purpose"),
    "not_me_reported": _kind("customer", "state"),
    "device_link_made": _kind("customer", "device_link_id expires_at"),
    "device_link_opened": _kind("customer", "device_link_id"),
    "device_link_confirmed": _kind("customer", "device_link_id"),
    "device_link_ended": _kind("customer", "device_link_id why"),
    # a case
    "case_opened": _kind("customer host", "reason fields country email_changed"),
    "claim_amended": _kind("customer host", "reason fields country email_changed"),
    "photo_kept": _kind("customer host", "photo_id photo size accepted_despite replaces"),
    "head_turn_drawn": _kind("customer", "head_turn_id"),
    "head_turn_kept": _kind("customer", "head_turn_id size count"),
    "consent_given": _kind("customer host", "consent_version by_eye days"),
    "by_eye_chosen": _kind("customer staff", "by_eye forgotten frames"),
    "submitted": _kind("customer host", "old new attempt"),
    "person_asked_for": _kind("customer host", "old new"),
    "withdrawn": _kind("customer host staff system", "old new"),
    "expired": _kind("system", "old new"),
    "appealed": _kind("customer host", "old new"),
    "run_begun": _kind("machine", "run_id attempt fence policy_version everything_to_people by_eye"),
    "run_finished": _kind("machine", "run_id old new outcome reasons retake policy_version decided_again seconds"),
    "run_abandoned": _kind("system customer", "run_id fence why"),
    "run_requeued": _kind("system machine", "old new runs why"),
    "referred": _kind("system", "old new reasons runs"),
    "profile_changed": _kind("machine staff host", "fields held from_number to_number email_changed"),
    "profile_reverted": _kind("staff host", "old new from_number to_number disputed"),
    "sandbox_answered": _kind("host", "old new action reasons retake"),
    "dispute_settled": _kind("staff"),
    "change_held": _kind("customer", "from_number to_number"),
    "change_restored": _kind("staff", "from_number to_number"),
    # the desk
    "cases_searched": _kind("staff", "count"),
    "case_opened_by_staff": _kind("staff", "purpose"),
    "case_taken": _kind("staff", "until from_staff"),
    "case_released": _kind("staff"),
    "disposed": _kind("staff", "old new action reasons retake fields held answer_id first_id"),
    # an answer that waits: what it says stands in the trail once it is over, so that a second person's stays her own
    "answer_given": _kind("staff", "answer_id second until"),
    "answer_taken_back": _kind("staff", "answer_id action reasons retake fields"),
    "answer_dropped": _kind("system staff", "answer_id why action reasons retake fields"),
    "second_asked": _kind("staff", "answer_id why"),
    "answers_disagree": _kind("staff", "answer_id first_id"),
    "case_escalated": _kind("staff", "note_id"),
    "case_assigned": _kind("staff", "staff_id from_staff until"),
    "case_put_back": _kind("staff", "from_staff"),
    "case_withheld": _kind("staff", "why"),
    "case_not_shown": _kind("staff", "why"),
    "masked_case_opened": _kind("staff"),
    "note_added": _kind("staff", "note_id size"),
    "staff_account_said": _kind("staff system", "staff_id"),
    "staff_account_unsaid": _kind("staff system", "staff_id"),
    "photo_opened": _kind("staff machine customer host", "photo_id photo purpose"),
    "head_turn_opened": _kind("staff machine customer host", "head_turn_id purpose"),
    # what is hers: her copy, her wish that it goes, her opinion
    "data_downloaded": _kind("customer", "photos size"),
    "deletion_asked": _kind("customer system", "count"),
    "rated": _kind("customer", "rating with_words"),
    # quality: of samples, never of cases, so that no history shows what was drawn
    "quality_drawn": _kind("system", "sample_id why share"),
    "quality_taken": _kind("staff", "sample_id"),
    "quality_given_back": _kind("staff", "sample_id"),
    "quality_reviewed": _kind("staff", "sample_id action reasons agrees"),
    "approval_doubted": _kind("staff", "sample_id reasons"),
    "doubt_settled": _kind("staff", "sample_id"),
    "specimens_planted": _kind("system staff", "count"),
    # messages: that one was written and looked at, never a word of it
    "message_written": _kind("customer staff", "message_id size"),
    "messages_set_aside": _kind("staff", "count"),
    # what waits before it leaves: an agent's message, her wish for papers
    "message_given": _kind("staff", "message_id until"),
    "message_taken_back": _kind("staff", "message_id"),
    "message_dropped": _kind("system", "message_id why"),
    "paper_wish_given": _kind("staff", "wish_id until"),
    "paper_wish_taken_back": _kind("staff", "wish_id papers"),
    "paper_wish_dropped": _kind("system", "wish_id why papers"),
    "message_photo_opened": _kind("customer staff host", "message_id purpose"),
    # practice of new agents: nobody's cases
    "practice_begun": _kind("staff system", "staff_id"),
    "practice_passed": _kind("staff", "round_id number count"),
    "practice_failed": _kind("staff", "round_id number count dangerous"),
    "practice_reset": _kind("staff", "staff_id round_id count"),
    # saved replies: which text of everybody was changed; what was said to whom is told by message_written and disposed
    "reply_saved": _kind("staff", "reply number retired"),
    # supporting papers: which, never what stands on one
    "paper_asked": _kind("staff", "paper_id paper until"),
    "paper_withdrawn": _kind("staff", "paper_id"),
    "paper_received": _kind("customer", "paper_id paper size asked accepted_despite"),
    "paper_declined": _kind("customer", "paper_id"),
    "papers_late": _kind("system"),
    "paper_read": _kind("machine", "paper_id outcome count seconds"),
    "paper_opened": _kind("staff machine customer host", "paper_id purpose"),
    "paper_ticked": _kind("staff", "paper_id sights"),
    # policies
    "policy_drafted": _kind("staff", "policy_version fields"),
    "policy_replayed": _kind("staff", "policy_version report_id count wrong"),
    "would_be_approval_opened": _kind("staff", "report_id"),
    "undo_proposed": _kind("staff", "undo_id count"),
    "undo_confirmed": _kind("staff", "undo_id count proposed_by"),
    "undo_withdrawn": _kind("staff", "undo_id"),
    "undo_finished": _kind("system", "undo_id count requeued closed erased conflicts gone failed"),
    "undo_tried_again": _kind("staff", "undo_id count"),
    "approval_undone": _kind("system", "undo_id old new from_number to_number"),
    "approval_not_undone": _kind("system", "undo_id outcome code"),
    "policy_proposed": _kind("staff", "activation_id policy_version loosens"),
    "policy_activated": _kind("staff system", "activation_id policy_version loosens proposed_by"),
    "policy_withdrawn": _kind("staff", "activation_id policy_version"),
    "policy_stage": _kind("staff", "activation_id policy_version stage"),
    "policy_rolled_back": _kind("staff system", "activation_id policy_version stage"),
    "automation_halted": _kind("system", "switch_id bound activation_id"),
    "everything_to_people": _kind("staff system", "switch_id scope"),
    "automation_proposed": _kind("staff", "switch_id scope"),
    "automation_resumed": _kind("staff", "switch_id scope proposed_by"),
    "automation_withdrawn": _kind("staff", "switch_id scope"),
    # the faces
    "faces_forgotten": _kind("system", "count"),
    "faces_searched": _kind("machine", "count candidates"),
    "calibration_proposed": _kind("staff", "activation_id calibration count"),
    "calibrated": _kind("staff", "activation_id calibration count proposed_by"),
    "calibration_withdrawn": _kind("staff", "activation_id calibration"),
    # notifications
    "notification_added": _kind("machine staff system customer host", "notification_id notification to_old"),
    "notification_sent": _kind("system machine", "notification_id notification tries"),
    "notification_given_up": _kind("system machine", "notification_id notification tries"),
    "staff_mail_sent": _kind("system", "staff_mail_id staff_mail staff_id tries"),
    "staff_mail_given_up": _kind("system", "staff_mail_id staff_mail staff_id tries"),
    # retention
    "shredded": _kind("system", "photos runs"),
    "keys_rewrapped": _kind("system", "count master_version"),
    # a whole person: who asked, why, what holds it up, what went; then what was copied away and brought back
    "erasure_asked": _kind("customer host staff system", "erasure_id reason holds until"),
    "erasure_cancelled": _kind("customer host staff", "erasure_id"),
    "erased": _kind("customer host staff system", "erasure_id reason requests keys replayed"),
    "erasure_finished": _kind("system", "erasure_id pictures mails"),
    "person_exported": _kind("host staff", "photos"),
    "recipients_forgotten": _kind("system", "count"),
    "backed_up": _kind("system", "backup events photos sha256"),
    "restored": _kind("system", "backup events photos erased sha256"),
    # staff and system
    "staff_added": _kind("staff system", "staff_id roles"),
    "staff_changed": _kind("staff system", "staff_id roles active"),
    "staff_reset": _kind("staff system", "staff_id"),
    "skills_set": _kind("staff system", "staff_id languages countries high_risk"),
    "staff_signed_in": _kind("staff", "method"),
    "staff_signed_out": _kind("staff"),
    "staff_sign_in_refused": _kind("staff system", "why"),
    "second_factor_set": _kind("staff", "method"),
    "staff_linked": _kind("staff system", "staff_id method"),
    "staff_unlinked": _kind("staff system", "staff_id"),
    "staff_sessions_ended": _kind("staff system", "staff_id why"),
    "passkey_added": _kind("staff", "passkey_id synced"),
    "passkey_removed": _kind("staff system", "passkey_id staff_id why"),
    "passkey_doubted": _kind("staff", "passkey_id"),
    "audit_searched": _kind("staff", "kind days"),
    "audit_verified": _kind("staff system", "ok count broken_at"),
    "audit_exported": _kind("staff system", "count since until first last sha256"),
    # keys of the host system
    "api_key_made": _kind("staff system", "key_id mode scopes expires_at"),
    "api_key_rotated": _kind("staff system", "key_id replaces until expires_at"),
    "api_key_revoked": _kind("staff system", "key_id"),
    # webhooks: which endpoint, never its address
    "webhook_endpoint_added": _kind("staff host system", "endpoint_id mode kinds"),
    "webhook_endpoint_changed": _kind("staff host system", "endpoint_id kinds enabled url_changed"),
    "webhook_endpoint_disabled": _kind("system", "endpoint_id why count"),
    "webhook_endpoint_removed": _kind("staff host system", "endpoint_id count"),
    "webhook_secret_rotated": _kind("staff host system", "endpoint_id until"),
    "webhooks_replayed": _kind("staff host system", "endpoint_id delivery_id count"),
    "webhook_tested": _kind("staff host system", "endpoint_id delivery_id"),
    "ticket_resent": _kind("staff system", "ticket_message_id count"),
    # queues: what an operator started again or set aside
    "notification_resent": _kind("staff", "notification_id notification tries"),
    "paper_read_again": _kind("staff", "paper_id tries"),
    "staff_mail_resent": _kind("staff", "staff_mail_id staff_mail staff_id tries"),
    "failure_set_aside": _kind("staff", "failure thing_id failed_at why"),
    "failure_put_back": _kind("staff", "failure thing_id failed_at"),
    "failed_rings_discarded": _kind("staff", "queue count"),
    "failed_rings_kept": _kind("staff", "queue count"),
    "anchored": _kind("system", "head"),
    "migrated": _kind("system", "revision"),
    "seeded": _kind("system", "count"),
}
"""Every kind of event, who may cause it and which details it may carry. Anything else raises."""


@dataclass(frozen=True, kw_only=True)
class _End:
    """The newest event as this transaction knows it. While it stands, the transaction has the turn to append."""

    of: SessionTransaction
    id: int
    hash: str


_END = "end_of_the_trail"
_TOGETHER = "events_together"


@contextmanager
def together(session: Session) -> Iterator[None]:
    """Write the events recorded in here, and all else that the session has changed, with one flush at the end.

    For changes of many rows at once, where a flush for each event costs more than the change. Whoever asks the database in
    between has everything written before, as ever; what the tables refuse is refused at the end.
    """
    session.info[_TOGETHER] = True
    try:
        yield
    finally:
        session.info.pop(_TOGETHER, None)
    session.flush()


def _kept_end(session: Session) -> _End | None:
    end: _End | None = session.info.get(_END)
    return end if end is not None and end.of is session.get_transaction() else None


@happening.listens_for(Session, "after_soft_rollback")
def _rolled_back(session: Session, _previous: SessionTransaction) -> None:
    """Forget the end: rolling back to a savepoint takes its events away, and on PostgreSQL a lock that was taken inside it."""
    session.info.pop(_END, None)


@happening.listens_for(Session, "after_transaction_end")
def _over(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_END, None)


def one_writer(session: Session) -> None:
    """Wait for the turn to append. For changes that must be weighed one after the other, before they are recorded."""
    session.flush()
    if _kept_end(session) is None:
        one_at_a_time(session, CHAIN_LOCK)


def record(
    session: Session,
    kind: str,
    *,
    actor: Actor,
    now: datetime,
    case: Case | None = None,
    case_id: UUID | None = None,
    customer_id: UUID | None = None,
    **details: Any,
) -> Event:
    """Append an event in the caller's transaction. Raises ValueError for a kind, actor, key or value not allowed.

    From here to the end of the transaction nobody else can append, so take all row locks first.
    """
    allowed = KINDS.get(kind)
    if allowed is None:
        raise ValueError(f"unknown kind of event: {kind}")
    if actor.kind not in allowed.actors:
        raise ValueError(f"{kind}: not by {actor.kind}")
    if not set(details) <= allowed.details:
        raise ValueError(f"{kind}: may not carry {', '.join(sorted(set(details) - allowed.details))}")
    plain = {key: _plain(f"{kind}.{key}", value) for key, value in details.items()}
    end = _kept_end(session)
    if end is None:
        end = _read_end(session)
    elif _TOGETHER not in session.info:
        session.flush()
    event = Event(
        id=end.id + 1,
        at=now.astimezone(UTC),
        kind=kind,
        actor_kind=actor.kind,
        actor_id=actor.id,
        case_id=case.id if case else case_id,
        customer_id=customer_id or (case.customer_id if case else None),
        details=plain,
        previous=end.hash,
    )
    event.hash = _seal(_key(session), event.previous, vars(event))
    session.add(event)
    session.info[_END] = _End(of=end.of, id=event.id, hash=event.hash)
    if _TOGETHER not in session.info:
        session.flush()
    return event


def _read_end(session: Session) -> _End:
    """Wait for the turn, then see where the chain ends."""
    one_writer(session)
    last = session.execute(select(Event.id, Event.hash).order_by(Event.id.desc()).limit(1)).one_or_none()
    whole = session.get_transaction()
    assert whole is not None  # a statement was just executed in it
    return _End(of=whole, id=last.id if last else 0, hash=last.hash if last else BEGINNING)


def happened(session: Session, kind: str, case: Case, *, actor: Actor) -> bool:
    """Whether this actor caused an event of this kind in this case already."""
    found = select(Event.id).where(
        Event.case_id == case.id, Event.kind == kind, Event.actor_kind == actor.kind, Event.actor_id == actor.id
    )
    return session.execute(found.limit(1)).first() is not None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What verifying found. `broken_at` is the id of the first event that is wrong or missing."""

    ok: bool
    count: int
    broken_at: int | None
    why: str


def verify(session: Session, *, anchors: Path | None = None) -> Verdict:
    """Walk the whole chain. `anchors` is the anchor file or its folder; without it a cut-off tail goes unseen."""
    key = _key(session)
    try:
        wanted = _anchors(anchors, key) if anchors else {}
    except ValueError as error:
        return Verdict(ok=False, count=0, broken_at=None, why=str(error))
    columns = Event.__table__.columns
    previous, count = BEGINNING, 0
    for row in session.execute(select(*columns).order_by(Event.id).execution_options(yield_per=1000)):
        expected = count + 1
        if row.id != expected:
            return Verdict(ok=False, count=count, broken_at=expected, why="the event is missing")
        if row.previous != previous:
            return Verdict(ok=False, count=count, broken_at=row.id, why="it does not follow the event before")
        if not hmac.compare_digest(row.hash, _seal(key, previous, row._mapping)):
            return Verdict(ok=False, count=count, broken_at=row.id, why="it was changed")
        if wanted.pop(row.id, row.hash) != row.hash:
            return Verdict(ok=False, count=count, broken_at=row.id, why="it is not the event that was anchored")
        previous, count = row.hash, expected
    if wanted:
        return Verdict(
            ok=False, count=count, broken_at=count + 1, why=f"events up to {max(wanted)} were anchored and are missing"
        )
    return Verdict(ok=True, count=count, broken_at=None, why="every event is as it was written")


def anchor(session: Session, folder: Path, *, now: datetime) -> str:
    """Append the chain's head to `folder/anchors.log` and return its hash. The file belongs on another disk.

    Each line is time, number, hash and a seal, so that the file itself cannot be rewritten without the key.
    """
    last = session.execute(select(Event.id, Event.hash).order_by(Event.id.desc()).limit(1)).one_or_none()
    number, head = (last.id, last.hash) if last else (0, BEGINNING)
    text = f"{now.astimezone(UTC).isoformat(timespec='seconds')} {number} {head}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / ANCHOR_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, f"{text} {_mac(_key(session), 'anchor ' + text)}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    return head


@dataclass(frozen=True, kw_only=True)
class Anchored:
    """What the file of anchors says of itself; whether it is genuine is told by `verify`."""

    lines: int
    at: datetime  # of the newest
    number: int  # the newest event then


def anchored(place: Path) -> Anchored | None:
    """How many anchors there are and which is the newest; None without a file, or where the last line makes no sense."""
    file = place / ANCHOR_FILE if place.is_dir() else place
    try:
        with file.open("rb") as data:
            lines, last = 0, b""
            for line in data:
                lines, last = lines + 1, line
        time, number = last.decode("ascii").split(" ")[:2]
        return Anchored(lines=lines, at=datetime.fromisoformat(time).astimezone(UTC), number=int(number))
    except (OSError, ValueError):
        return None


def _anchors(place: Path, key: bytes) -> dict[int, str]:
    """Hash by event number. Raises ValueError when the file is missing or a line was changed."""
    file = place / ANCHOR_FILE if place.is_dir() else place
    if not file.exists():
        raise ValueError("the anchor file is missing")
    found: dict[int, str] = {}
    for at, line in enumerate(file.read_text().splitlines(), start=1):
        text, _, mac = line.rpartition(" ")
        parts = text.split(" ")
        if len(parts) != 3 or not hmac.compare_digest(mac, _mac(key, "anchor " + text)):
            raise ValueError(f"line {at} of the anchor file was changed")
        number = int(parts[1])
        if found.setdefault(number, parts[2]) != parts[2]:
            raise ValueError(f"line {at} of the anchor file contradicts an earlier one")
    found.pop(0, None)
    return found


def _key(session: Session) -> bytes:
    key: str = session.info["settings"].audit_key
    return key.encode()


def _mac(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _seal(key: bytes, previous: str, row: Mapping[Any, Any]) -> str:
    """HMAC-SHA-256 of the previous hash and the row as canonical JSON."""
    body = {
        "id": row["id"],
        "at": row["at"].astimezone(UTC).isoformat(timespec="microseconds"),
        "kind": row["kind"],
        "actor_kind": row["actor_kind"],
        "actor_id": row["actor_id"],
        "case_id": row["case_id"] and str(row["case_id"]),
        "customer_id": row["customer_id"] and str(row["customer_id"]),
        "details": row["details"],
    }
    return _mac(key, previous + json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True))


def _plain(name: str, value: Any) -> Any:
    """Turn a detail into JSON. Raises ValueError without showing the value."""
    if value is None or isinstance(value, bool) or (isinstance(value, int) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{name}: not a finite number")
        return round(value, 3)
    if isinstance(value, str):
        if not _CODE.fullmatch(value):
            raise ValueError(f"{name}: only codes and ids may stand here")
        return value
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(name, item) for item in value)
    if isinstance(value, (list, tuple)):
        return [_plain(name, item) for item in value]
    raise ValueError(f"{name}: a {type(value).__name__} may not stand here")
