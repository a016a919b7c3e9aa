"""What an agent may type: the queue's filters from the address, and her answer to a case."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from cases.lifecycle import State
from cases.queries import QueueFilters
from cases.review import Disposal
from verification.evidence import ChangeReason
from verification.reasons import RETAKE, PhotoKind, ReasonCode

NOTE_LENGTH = 4000
"""Characters of a note: a page."""

PAGE = 50
"""Lines of the queue on one page."""

VIEWS = ("waiting", "mine", "free", "overdue", "customer", "closed")
"""What the queue may show; the first is the one an agent sees first."""

_STATES: dict[str, frozenset[State]] = {
    "customer": frozenset({State.NEEDS_RETAKE}),
    "closed": frozenset({State.APPROVED, State.REJECTED, State.WITHDRAWN, State.REVERTED}),
}

_RETAKES = {
    kind: tuple(r for r in ReasonCode if RETAKE.get(r) == frozenset({kind})) for kind in (PhotoKind.SELFIE, PhotoKind.DOCUMENT)
}
"""Reasons for taking a photo again, by photo."""

_NO_REJECTION = frozenset(
    {
        ReasonCode.EVIDENCE_MISSING,
        ReasonCode.EVERYTHING_TO_PEOPLE,
        ReasonCode.ACCOUNT_UNDER_WATCH,
        ReasonCode.PROCESSING_FAILED,
        ReasonCode.CUSTOMER_ASKED_FOR_PERSON,
        ReasonCode.FACE_NOT_COMPARED,
        ReasonCode.NO_FACE_ON_FILE,
        ReasonCode.VOICES_DISAGREE,
        ReasonCode.FIELD_NOT_CERTAIN,
        ReasonCode.NOTHING_CHANGES,
        ReasonCode.CHANGE_NEEDS_PERSON,
        ReasonCode.EXPIRY_UNKNOWN,
    }
)
"""The machine's own doubts: no reason to refuse a person."""

REJECTIONS = tuple(r for r in ReasonCode if r not in RETAKE and r not in _NO_REJECTION)
"""Reasons for which an agent may refuse."""


@dataclass(kw_only=True)
class Answer:
    """An agent's answer as typed, so that a page can show it again, and what is wrong with it."""

    action: str = ""
    reasons: tuple[ReasonCode, ...] = ()
    retake: frozenset[PhotoKind] = frozenset()
    note: str = ""
    seen_version: int = 0
    then: str = "next"
    problems: dict[str, str] = field(default_factory=dict)

    def disposal(self) -> Disposal:
        """What `cases.review.dispose` takes."""
        return Disposal(
            action=self.action, reasons=self.reasons, retake=self.retake, note=self.note, seen_version=self.seen_version
        )


def read_answer(form: MultiDict[str, str]) -> Answer:
    """Read an answer. What belongs to another action than the chosen one is left out."""
    answer = Answer(
        action=form.get("action", ""),
        note=form.get("note", "").strip(),
        seen_version=form.get("seen_version", 0, type=int),
        then="queue" if form.get("then") == "queue" else "next",
    )
    codes = {code.value: code for code in ReasonCode}
    if answer.action == "ask_retake":
        answer.retake = frozenset(PhotoKind(k) for k in form.getlist("retake") if k in ("selfie", "document"))
        allowed = {r for kind in answer.retake for r in _RETAKES[kind]}
        answer.reasons = tuple(codes[c] for c in form.getlist("retake_reason") if c in codes and codes[c] in allowed)
        if not answer.retake:
            answer.problems["retake"] = _("Choose the photo to take again.")
        missing = [kind for kind in sorted(answer.retake) if not set(_RETAKES[kind]) & set(answer.reasons)]
        if missing:
            answer.problems["retake_reason"] = _("Choose why, for each photo: the customer reads it.")
    elif answer.action == "reject":
        answer.reasons = tuple(codes[c] for c in form.getlist("reject_reason") if c in codes and codes[c] in REJECTIONS)
        if not answer.reasons:
            answer.problems["reject_reason"] = _("Choose at least one reason.")
        if not answer.note:
            answer.problems["note"] = _("Say in a note what you saw: the next person will want to know.")
    elif answer.action != "approve":
        answer.problems["action"] = _("Choose an answer.")
    if len(answer.note) > NOTE_LENGTH:
        answer.problems["note"] = _("Please keep the note under %(limit)s characters.", limit=NOTE_LENGTH)
    return answer


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The queue's filters as they stand in the address."""

    view: str
    reason: ReasonCode | None
    change: ChangeReason | None
    country: str
    search: str
    after: str

    def filters(self, me: UUID) -> QueueFilters:
        """What `cases.queries.desk_queue` takes. A search looks at every case, whatever its state."""
        return QueueFilters(
            states=frozenset(State) if self.search else _STATES.get(self.view, frozenset()),
            owner=me if self.view == "mine" and not self.search else None,
            free_only=self.view == "free" and not self.search,
            overdue_only=self.view == "overdue" and not self.search,
            reason=self.reason,
            change_reason=self.change,
            country=self.country or None,
            search=self.search,
            after=self.after,
            limit=PAGE + 1,
        )


def read_filters(args: MultiDict[str, str]) -> Asked:
    """Read the address; a word that means nothing is left out."""
    view = args.get("view", VIEWS[0])
    return Asked(
        view=view if view in VIEWS else VIEWS[0],
        reason=next((r for r in ReasonCode if r.value == args.get("reason")), None),
        change=next((r for r in ChangeReason if r.value == args.get("change")), None),
        country=args.get("country", "").strip().upper()[:3],
        search=args.get("q", "").strip()[:200],
        after=args.get("after", "")[:120],
    )


def retake_reasons() -> dict[PhotoKind, tuple[ReasonCode, ...]]:
    """Reasons for taking a photo again, by photo."""
    return _RETAKES
