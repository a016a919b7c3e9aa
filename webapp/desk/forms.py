"""What an agent may type as her answer to a case. The filters of the queue stand in `webapp.desk.filters`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from cases import conversations, replies
from cases.review import Disposal
from cases.sides import EMAIL
from cases.wording import LANGUAGES
from verification.evidence import Field, Side
from verification.reasons import RETAKE, PhotoKind, ReasonCode

NOTE_LENGTH = 4000
"""Characters of a note: a page."""

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
        ReasonCode.APPROVAL_UNDONE,
        ReasonCode.FACES_BY_EYE,
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


DECISIONS = ("approve", "ask_retake", "reject")
"""Answers that `cases.answers` stages; "escalate" hands the case to a senior agent instead."""

SPOKEN = frozenset({"ask_retake", "reject"})
"""Answers that carry words of the agent's own to the customer."""


@dataclass(kw_only=True)
class Answer:
    """An agent's answer as typed, so that a page can show it again, and what is wrong with it."""

    action: str = ""
    reasons: tuple[ReasonCode, ...] = ()
    retake: frozenset[PhotoKind] = frozenset()
    note: str = ""
    words: str = ""  # for the customer, as typed: variables of a saved reply still stand in it
    reply: str = ""  # code of the saved reply that the words came from
    sure: bool = False  # read again: the words tell of no check
    checked: frozenset[str] = frozenset()  # rows that were ticked as looked at, as `review.rows_to_check` names them
    faces: bool = False  # "I compared the faces", where no machine does
    fields: frozenset[Field] | None = None  # accepted, when not all of them
    with_email: bool = True
    seen_version: int = 0
    seen_messages: int | None = None  # of the customer, on the page
    then: str = "next"
    problems: dict[str, str] = field(default_factory=dict)
    telling: tuple[str, ...] = ()  # words that may give a check away
    preview: Preview | None = None

    def disposal(self, *, words: str = "") -> Disposal:
        """What `cases.answers.give` takes; `words` with their variables filled."""
        return Disposal(
            action=self.action,
            reasons=self.reasons,
            retake=self.retake,
            note=self.note,
            seen_version=self.seen_version,
            fields=self.fields,
            with_email=self.with_email,
            words=words,
            checked=self.checked,
            faces=self.faces,
            seen_messages=self.seen_messages,
        )


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What the customer will read: her mail, and what stands on her page, in her language."""

    language: str
    subject: str
    mail: str
    refused: bool  # else a photo is asked for
    retake: tuple[PhotoKind, ...]
    reasons: tuple[ReasonCode, ...]  # as far as she is told
    hidden: Mapping[ReasonCode, Sequence[Side | Field]]  # what cannot be read on the photo, by reason
    words: str


def read_answer(form: MultiDict[str, str]) -> Answer:
    """Read an answer. What belongs to another action than the chosen one is left out."""
    answer = Answer(
        action=form.get("action", ""),
        note=form.get("note", "").strip(),
        checked=_fields(form, "checked") | ({EMAIL} & set(form.getlist("checked"))),
        faces="faces" in form,
        sure="sure" in form,
        seen_version=form.get("seen_version", 0, type=int),
        seen_messages=form.get("seen_messages", type=int),
        then="queue" if form.get("then") == "queue" else "next",
    )
    codes = {code.value: code for code in ReasonCode}
    if answer.action in SPOKEN:
        answer.words = conversations.plain(form.get("words", ""))
        answer.reply = form.get(f"reply_{answer.action}", "")[:60]
        answer.telling = replies.gives_away(answer.words, answer.action)
        if len(answer.words) > conversations.MOST_LETTERS:
            answer.problems["words"] = _("Please keep it under %(limit)s characters.", limit=conversations.MOST_LETTERS)
        elif answer.telling and not answer.sure:
            answer.problems["sure"] = _("Nothing was sent. Please read your words to the customer once more.")
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
    elif answer.action == "approve":
        _read_part(form, answer)
    elif answer.action == "escalate":
        if not answer.note:
            answer.problems["note"] = _("Say in a note what a senior agent should look at.")
    else:
        answer.problems["action"] = _("Choose an answer.")
    if len(answer.note) > NOTE_LENGTH:
        answer.problems["note"] = _("Please keep the note under %(limit)s characters.", limit=NOTE_LENGTH)
    return answer


def _read_part(form: MultiDict[str, str], answer: Answer) -> None:
    """Which of the offered details are accepted. A form that offered none accepts all of them."""
    offered, accepted = _fields(form, "offered"), _fields(form, "accept")
    with_email = "email" not in form.getlist("offered") or "email" in form.getlist("accept")
    if not offered and "email" not in form.getlist("offered"):
        return
    if accepted != offered:
        answer.fields = accepted & offered
    answer.with_email = with_email
    if not accepted and not ("email" in form.getlist("offered") and with_email):
        answer.problems["accept"] = _("Accept at least one detail, or choose another answer.")


def _fields(form: MultiDict[str, str], name: str) -> frozenset[Field]:
    """Fields named by the boxes of one name; a box may name several that go together."""
    known = {f.value: f for f in Field}
    return frozenset(known[code] for value in form.getlist(name) for code in value.split(",") if code in known)


def retake_reasons() -> dict[PhotoKind, tuple[ReasonCode, ...]]:
    """Reasons for taking a photo again, by photo."""
    return _RETAKES


def reasons_for(purpose: str) -> frozenset[ReasonCode]:
    """Reasons that a saved reply of this purpose may go with."""
    if purpose == "ask_retake":
        return frozenset(r for codes in _RETAKES.values() for r in codes)
    return frozenset(REJECTIONS) if purpose == "reject" else frozenset(ReasonCode)


def read_reply(form: MultiDict[str, str]) -> replies.Reply:
    """A saved reply as typed; `number` is the version that the page showed."""
    purpose = form.get("purpose", "")
    reason = next((r for r in ReasonCode if r.value == form.get("reason")), None)
    return replies.Reply(
        code="",
        number=form.get("seen", 0, type=int),
        purpose=purpose if purpose in replies.PURPOSES else replies.PURPOSES[0],
        reason=reason if reason in reasons_for(purpose) else None,
        name=form.get("name", "")[:200],
        texts={language: form.get(f"text_{language}", "")[:20_000] for language in LANGUAGES},
    )
