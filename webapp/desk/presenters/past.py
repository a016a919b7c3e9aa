"""What was before and elsewhere, in words: the customer's other cases, other accounts with the same papers, what happened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask_babel import gettext as _
from flask_babel import ngettext

from cases import likeness, queries
from cases.lifecycle import State
from webapp.desk.presenters.words import action_words, by_words, outcome_words
from webapp.i18n import label


@dataclass(frozen=True, kw_only=True)
class PastCase:
    """Another case of this customer: where it stands, since when, by whom."""

    case_id: UUID
    number: str
    state: str
    tone: str  # good, bad or ""
    reason: str
    at: datetime
    by: str


def past_cases(rows: Iterable[queries.PastRow]) -> list[PastCase]:
    """The customer's other cases, newest first."""
    tones = {State.APPROVED: "good", State.REJECTED: "bad", State.REVERTED: "bad"}
    return [
        PastCase(
            case_id=row.id,
            number=str(row.id)[:8],
            state=label(row.state),
            tone=tones.get(row.state, ""),
            reason=label(row.change_reason),
            at=row.closed_at or row.opened_at,
            by={"person": _("by a person"), "machine": _("by the machine")}.get(row.by, ""),
        )
        for row in rows
    ]


@dataclass(frozen=True, kw_only=True)
class Twin:
    """A case of another account that shares something with this one."""

    case_id: UUID
    number: str
    text: str
    state: str
    at: datetime
    grave: bool  # hardly ever by honest means


def twins(found: Sequence[likeness.Twin]) -> list[Twin]:
    """What other accounts share with this case, gravest first."""
    out = [
        Twin(
            case_id=twin.case_id,
            number=str(twin.case_id)[:8],
            text=_twin_words(twin.kind, twin.bits),
            state=label(twin.state),
            at=twin.opened_at,
            grave=twin.kind in (likeness.Kind.NUMBER, likeness.Kind.SELFIE, likeness.Kind.DOCUMENT, likeness.Kind.ON_FILE),
        )
        for twin in found
    ]
    return sorted(out, key=lambda twin: not twin.grave)


def _twin_words(kind: likeness.Kind, bits: int | None) -> str:
    known = {
        likeness.Kind.NUMBER: _("The same document number in another account."),
        likeness.Kind.SELFIE: _("The very same selfie in another account."),
        likeness.Kind.DOCUMENT: _("The very same photo of a document in another account."),
        likeness.Kind.ON_FILE: _("This very picture is another account's face on file."),
    }
    if kind in known:
        return known[kind]
    near = {
        likeness.Kind.NEAR_SELFIE: _("A nearly identical selfie in another account."),
        likeness.Kind.NEAR_DOCUMENT: _("A nearly identical photo of a document in another account."),
    }[kind]
    differ = ngettext("Of 256 traits of the picture %(num)s differs.", "Of 256 traits of the picture %(num)s differ.", bits or 0)
    return f"{near} {differ}"


@dataclass(frozen=True, kw_only=True)
class Happened:
    """One line of the timeline; `count` of the same kind in a row by the same person."""

    at: datetime
    text: str
    by: str
    count: int = 1


def happened(events: Sequence[queries.EventRow], *, without: frozenset[str] = frozenset()) -> list[Happened]:
    """What happened to the case, newest first, in words. What only prepared or recorded something is left out."""
    lines: list[Happened] = []
    known = _event_words()
    for event in events:
        text = "" if event.kind in without else _told(event, known)
        if not text:
            continue
        by = by_words(event.by)
        if lines and lines[-1].text == text and lines[-1].by == by:
            lines[-1] = Happened(at=event.at, text=text, by=by, count=lines[-1].count + 1)
        else:
            lines.append(Happened(at=event.at, text=text, by=by))
    return lines[::-1]


def _told(event: queries.EventRow, known: dict[str, str]) -> str:
    """An event of the trail in a few words; "" for what an agent need not follow."""
    if event.kind == "run_finished":
        return _("looked at it: %(outcome)s", outcome=outcome_words(event.details.get("outcome")))
    if event.kind == "disposed":
        return action_words(event.details.get("action", ""))
    return known.get(event.kind, "")


def _event_words() -> dict[str, str]:
    """What each kind of event is called; kinds that only prepare or record something are left out."""
    return {
        "case_opened": _("began the request"),
        "claim_amended": _("corrected the details"),
        "submitted": _("sent the request"),
        "photo_kept": _("sent a photo"),
        "person_asked_for": _("asked for a person"),
        "appealed": _("objected to the rejection"),
        "withdrawn": _("withdrew the request"),
        "expired": _("let the request expire"),
        "referred": _("referred it to the desk"),
        "run_abandoned": _("took back a run"),
        "case_taken": _("took the case"),
        "case_released": _("gave the case back"),
        "case_assigned": _("gave the case to somebody"),
        "case_escalated": _("passed it to a senior agent"),
        "note_added": _("wrote a note"),
        "answer_given": _("answered; nothing was sent yet"),
        "answer_taken_back": _("took the answer back"),
        "answer_dropped": _("dropped the answer"),
        "second_asked": _("asked for a second person"),
        "answers_disagree": _("answered otherwise than the first person"),
        "message_written": _("wrote a message"),
        "message_taken_back": _("took a message back"),
        "message_dropped": _("dropped a message"),
        "paper_asked": _("asked for a supporting paper"),
        "paper_wish_taken_back": _("took a wish for papers back"),
        "paper_wish_dropped": _("dropped a wish for papers"),
        "paper_received": _("sent a supporting paper"),
        "paper_declined": _("cannot send a supporting paper"),
        "profile_changed": _("changed the profile"),
        "profile_reverted": _("put the earlier details back"),
        "not_me_reported": _("said: this was not me"),
        "change_held": _("put the change on hold"),
        "change_restored": _("let the change take effect again"),
        "dispute_settled": _("settled the dispute"),
        "shredded": _("shredded photos and readings"),
    }
