"""What an agent answers. Translates HTTP; `cases.answers`, `cases.review` and `cases.profiles` decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from cases import answers, audit, notifications, profiles, queries, replies, review, wording
from cases.desk_tables import Answer, AnswerState, Dropped
from cases.lifecycle import IllegalTransition, State
from cases.models import Case
from cases.queries import CasePage
from cases.staff import NotAllowed
from cases.wording import LANGUAGES
from verification.evidence import Field
from verification.reasons import PhotoKind, ReasonCode
from webapp.context import database, now, reading, settings
from webapp.desk import forms
from webapp.desk.page import already_words, changed_words, show_case
from webapp.desk.surface import desk
from webapp.i18n import label, locale
from webapp.printed import covered
from webapp.security import may, needs, row, signed_in

MAILS = Path(str(files("workers"))) / "mail"
"""Where the texts of mails lie: a preview shows the very text that is sent."""

FRAGMENT = "X-Fragment"
"""Header by which a script asks for a part of a page."""


# Giving an answer


@desk.post("/cases/<uuid:case_id>/answer")
@needs("decide")
def decide(case_id: UUID) -> ResponseReturnValue:
    """Take down an agent's answer and lead to the next case, or say what already happened. Nothing typed is lost."""
    answer, moment = forms.read_answer(request.form), now()
    if answer.problems:
        return show_case(case_id, moment, answer=answer), 422
    try:
        with database().transaction() as db:
            if answer.action == "escalate":
                review.escalate(db, case_id, agent=row(db), note=answer.note, now=moment)
                given = None
            else:
                given = _give(db, case_id, answer, moment)
                db.refresh(given)
                db.expunge(given)
    except review.StalePage as stale:
        told = _("Nothing was sent. %(what)s", what=changed_words(stale))
        return show_case(case_id, moment, answer=_again(answer, case_id), told=told), 409
    except IllegalTransition as late:
        told = _("Nothing was sent. %(what)s", what=already_words(late.state))
        return show_case(case_id, moment, answer=answer, told=told), 409
    except review.NotYours as refused:
        return show_case(case_id, moment, answer=answer, told=_nothing_sent(refused, case_id, moment)), 409
    except review.Unread:
        told = _("Nothing was sent: the customer wrote to you meanwhile. Please read it first.")
        return show_case(case_id, moment, answer=answer, told=told), 409
    except review.BlindNoteNeeded:
        answer.problems["note"] = _("What the machine found is hidden from you. Say in a note what you compared.")
    except review.NoteNeeded:
        answer.problems["note"] = (
            _("A part of the request is held back. Say in a note why.")
            if answer.fields is not None or not answer.with_email
            else _("A weighty reason speaks against this. Say in a note why you approve.")
        )
    except review.Unchecked as unseen:
        answer.problems["checked"] = _(
            "Nothing was sent: compare each of these with the document and tick it: %(details)s.", details=_named(unseen.fields)
        )
    except review.FacesNotCompared:
        answer.problems["faces"] = _("Nothing was sent: compare the faces by eye and tick that you did.")
    except review.NotPartly as together:
        answer.problems["accept"] = _("These go together or not at all: %(details)s.", details=_named(together.fields))
    except review.TooLong:
        answer.problems["note"] = _("Please keep the note under %(limit)s characters.", limit=review.MOST_LETTERS)
    except replies.Unfilled as unfilled:
        answer.problems["words"] = _("“%(name)s” in braces stands for nothing here.", name=unfilled.name)
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    else:
        return _after(case_id, given, answer)
    return show_case(case_id, moment, answer=answer), 422


def _give(db: Session, case_id: UUID, answer: forms.Answer, moment: datetime) -> Answer:
    """Stage the answer with its words filled in, and count the saved reply they came from."""
    words, filled = "", {}
    case = db.get(Case, case_id)
    if case is None:
        raise NoResultFound
    language = customers_language(case)
    if answer.words:
        filled = replies.values(db, case, purpose=answer.action, locale=language, retake=answer.retake, now=moment)
        words = replies.fill(answer.words, filled)
    given = answers.give(db, case_id, answer.disposal(words=words), agent=row(db), now=moment)
    if answer.reply and words:
        replies.used(db, case, answer.reply, sent=words, locale=language, carrier_id=given.id, filled=filled, now=moment)
    return given


def _after(case_id: UUID, given: Answer | None, answer: forms.Answer) -> ResponseReturnValue:
    """Say what was done, unless the bar that offers to take it back says it; then the next case, or the queue."""
    said = _done_words(str(case_id)[:8], given)
    if answer.then == "next":
        with database().transaction() as db:
            following = review.take_next(db, agent=row(db), now=now())
        if following is not None:
            if said:
                flash(said)
            return redirect(url_for("desk.case", case_id=following.id), 303)
        said = _("%(done)s Nothing else waits.", done=said) if said else _("Nothing else waits.")
    if said:
        flash(said)
    return redirect(url_for("desk.queue"), 303)


def _done_words(number: str, given: Answer | None) -> str:
    if given is None:
        return _("Case %(number)s is with the senior agents now.", number=number)
    if given.state is AnswerState.WAITING:
        return ""
    if given.state is AnswerState.FIRST:
        return _("Case %(number)s: a second person answers it too, without seeing yours.", number=number)
    if given.state is AnswerState.DISAGREED:
        return _("Case %(number)s: two people answered differently, so a senior agent decides.", number=number)
    return {
        "approve": _("Case %(number)s approved in part: the profile is changed.", number=number)
        if given.held
        else _("Case %(number)s approved: the profile is changed.", number=number),
        "reject": _("Case %(number)s rejected.", number=number),
        "ask_retake": _("Case %(number)s: the customer is asked for a photo again.", number=number),
    }[given.action]


def _nothing_sent(refused: review.NotYours, case_id: UUID, moment: datetime) -> str:
    """Why an answer was not hers to give."""
    if isinstance(refused, review.Related):
        note_withheld(case_id, moment)
        return _("Nothing was sent: this case is your own or related to your own account. Somebody else answers it.")
    if isinstance(refused, review.AlreadyAnswered):
        return _("Nothing was sent: you gave the first answer. Another person answers now, without seeing yours.")
    return _("Nothing was sent: the case is no longer yours. Take it again to answer.")


def note_withheld(case_id: UUID, moment: datetime) -> None:
    """Write down that a case was kept from who is signed in."""
    with database().transaction() as db:
        case = db.get(Case, case_id)
        if case is not None:
            review.withheld(db, row(db), case, now=moment)


@desk.post("/cases/<uuid:case_id>/note")
@needs("decide")
def keep_note(case_id: UUID) -> ResponseReturnValue:
    """Keep what stands in the note for colleagues; everything else that was typed stays."""
    answer, moment = forms.read_answer(request.form), now()
    answer.problems, note = {}, answer.note
    try:
        with database().transaction() as db:
            review.add_note(db, case_id, agent=row(db), note=note, now=moment)
    except review.NoteNeeded:
        answer.problems["note"] = _("Write the note first.")
        return show_case(case_id, moment, answer=answer), 422
    except review.TooLong:
        answer.problems["note"] = _("Please keep the note under %(limit)s characters.", limit=review.MOST_LETTERS)
        return show_case(case_id, moment, answer=answer), 422
    except review.Related:
        note_withheld(case_id, moment)
        told = _("Nothing was kept: this case is your own or related to your own account.")
        return show_case(case_id, moment, answer=answer, told=told), 409
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    answer.note, told = "", _("The note is kept; colleagues read it in the history.")
    page = show_case(case_id, moment, answer=answer, told=told)
    if g.get("withheld"):
        flash(told)
        return redirect(url_for("desk.case", case_id=case_id), 303)
    return page


# What the customer will read


@desk.post("/cases/<uuid:case_id>/preview")
@needs("decide")
def preview(case_id: UUID) -> ResponseReturnValue:
    """The mail and the page that this answer leads to, in the customer's language. Sends and changes nothing.

    A script gets the part of the page alone. Without one the whole page is shown again; "insert" puts a saved reply in first.
    """
    answer, moment = forms.read_answer(request.form), now()
    with database().reading() as db:
        case = db.get(Case, case_id)
        if case is None:
            abort(404)
        if not review.may_see(db, case, row(db), now=moment):  # the text names the customer
            abort(403)
        language = customers_language(case)
        if "insert" in request.form:
            answer.words = _inserted(db, case, answer, language, moment)
            answer.telling = replies.gives_away(answer.words, answer.action)
        answer.problems = {}
        if answer.action in forms.SPOKEN:
            try:
                answer.preview = _preview(db, case, answer, language, moment)
            except replies.Unfilled as unfilled:
                answer.problems["words"] = _("“%(name)s” in braces stands for nothing here.", name=unfilled.name)
    if FRAGMENT in request.headers:
        return render_template("desk/_preview.html", answer=answer)
    return show_case(case_id, moment, answer=answer)


def _preview(db: Session, case: Case, answer: forms.Answer, language: str, moment: datetime) -> forms.Preview:
    words = answer.words
    if words:
        filled = replies.values(db, case, purpose=answer.action, locale=language, retake=answer.retake, now=moment)
        words = replies.fill(words, filled)
    kind = State.REJECTED if answer.action == "reject" else State.NEEDS_RETAKE
    place = f"{settings().portal_url.rstrip('/')}/…"
    context = {
        "case_url": place,
        "portal_url": place,
        "not_me_url": place,
        "retake": sorted(answer.retake),
        "words": bool(words),
    }
    subject, mail = notifications.render(kind.value, language, notifications.in_words(context, language), texts=MAILS)
    told = wording.told(answer.reasons, language, asked=kind is State.NEEDS_RETAKE)
    measures = queries.case_page(db, case.id, now=moment).measures if told else None
    return forms.Preview(
        language=language,
        subject=subject,
        mail=mail,
        refused=kind is State.REJECTED,
        retake=tuple(sorted(answer.retake)),
        reasons=tuple(told),
        hidden=covered(measures, told),
        words=words,
    )


def _inserted(db: Session, case: Case, answer: forms.Answer, language: str, moment: datetime) -> str:
    """The words with the chosen reply behind them; in place of them where they came from one already."""
    chosen = next((c for c in _choices(db, case, language, moment)[answer.action] if c.code == answer.reply), None)
    if chosen is None:
        return answer.words
    others = {c.text for c in _choices(db, case, language, moment)[answer.action]}
    return chosen.text if not answer.words or answer.words in others else f"{answer.words}\n{chosen.text}"


# Taking it back


@desk.post("/answers/<uuid:answer_id>/take-back")
@needs("decide")
def take_back(answer_id: UUID) -> ResponseReturnValue:
    """Take an answer back before it leaves, and show the case with all that was typed; or say that it is too late."""
    moment = now()
    try:
        with database().transaction() as db:
            me = row(db)
            taken = answers.take_back(db, answer_id, agent=me, now=moment)
            replies.not_used(db, taken.id)
            case = db.get_one(Case, taken.case_id)
            case_id, version, hers = case.id, case.version, case.owner_id == me.id
            line = next(line for line in answers.visible(db, case, me) if line.id == answer_id)
    except answers.TooLate as late:
        flash(_too_late(late.state), "warn")
        return redirect(url_for("desk.queue"), 303)
    except review.NotYours:
        abort(403)
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    typed = forms.Answer(
        action=line.action,
        reasons=line.reasons,
        retake=frozenset(line.retake),
        note=line.note or "",
        words=line.words or "",
        checked=frozenset(line.checked),
        faces=line.faces,
        fields=None if line.fields is None else frozenset(line.fields),
        with_email=answers.EMAIL not in line.held,
        seen_version=version,
    )
    if not hers:
        told = _("Your answer was taken back: nothing was sent. You hold as many cases as one may, so it went back to the queue.")
        return show_case(case_id, moment, answer=typed, told=told)
    return show_case(
        case_id, moment, answer=typed, told=_("Your answer was taken back: nothing was sent. The case is yours again.")
    )


def _too_late(state: AnswerState) -> str:
    return {
        AnswerState.TAKEN_BACK: _("This answer was taken back already."),
        AnswerState.DROPPED: _("This answer was not sent: the case changed before it could be."),
        AnswerState.FIRST: _("Too late to take it back: a second person has the case now. Write a note, or ask a senior agent."),
        AnswerState.DISAGREED: _("Too late to take it back: a senior agent has the case now."),
    }.get(state, _("Too late to take it back: the answer is on its way to the customer. Ask a senior agent if it was wrong."))


@desk.post("/answers/<uuid:answer_id>/told")
@needs("decide")
def told(answer_id: UUID) -> ResponseReturnValue:
    """She has read that her answer was not sent, and why."""
    try:
        with database().transaction() as db:
            answers.told(db, answer_id, agent=row(db), now=now())
    except review.NotYours:
        abort(403)
    except NoResultFound:
        abort(404)
    return redirect(url_for("desk.queue"), 303)


# Disputes


@desk.post("/cases/<uuid:case_id>/settle")
@needs("settle_disputes")
def settle(case_id: UUID) -> ResponseReturnValue:
    """Let a disputed change stand."""
    note, moment = request.form.get("note", "").strip(), now()
    answer = forms.Answer(action="settle", note=note)
    try:
        with database().transaction() as db:
            review.settle_dispute(
                db, case_id, agent=row(db), note=note, seen_version=request.form.get("seen_version", 0, type=int), now=moment
            )
    except review.StalePage as stale:
        return show_case(case_id, moment, answer=answer, told=_("Nothing was changed. %(what)s", what=changed_words(stale))), 409
    except profiles.OwnApproval:
        told = _("Nothing was changed: you approved this case yourself, so another person has to settle the dispute.")
        return show_case(case_id, moment, answer=answer, told=told), 409
    except review.Related:
        note_withheld(case_id, moment)
        told = _("Nothing was changed: this case is your own or related to your own account.")
        return show_case(case_id, moment, answer=answer, told=told), 409
    except profiles.ProfileMovedOn:
        told = _("Nothing was changed: the details were changed again while this change was on hold. Put it back, then ask anew.")
        return show_case(case_id, moment, answer=answer, told=told), 409
    except review.NoteNeeded:
        answer.problems["settle"] = _("Say in a note why the change may stand.")
        return show_case(case_id, moment, answer=answer), 422
    except ValueError:
        return show_case(case_id, moment, answer=answer, told=_("Nothing was changed: the dispute is settled already.")), 409
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    flash(_("The change stands; the dispute is settled."))
    return redirect(url_for("desk.case", case_id=case_id), 303)


@desk.post("/cases/<uuid:case_id>/revert")
@needs("revert")
def revert(case_id: UUID) -> ResponseReturnValue:
    """Make the profile from before this case current again."""
    note, moment = request.form.get("note", "").strip(), now()
    answer = forms.Answer(action="revert", note=note)
    if not note:
        answer.problems["settle"] = _("Say in a note why the change is undone.")
        return show_case(case_id, moment, answer=answer), 422
    told = ""
    try:
        with database().transaction() as db:
            profiles.revert(db, case_id, actor=audit.Actor.staff(row(db)), reason=note, now=moment)
    except profiles.ProfileMovedOn:
        told = _("Nothing was changed: the account's details were changed again after this case. Clear that up first.")
    except profiles.OwnApproval:
        told = _("Nothing was changed: you approved this case yourself, so another person has to put it back.")
    except review.Related:
        note_withheld(case_id, moment)
        told = _("Nothing was changed: this case is your own or related to your own account.")
    except IllegalTransition as late:
        told = _("Nothing was changed. %(what)s", what=already_words(late.state))
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    if told:
        return show_case(case_id, moment, answer=answer, told=told), 409
    flash(_("The earlier details hold again."))
    return redirect(url_for("desk.case", case_id=case_id), 303)


def _again(answer: forms.Answer, case_id: UUID) -> forms.Answer:
    """The same answer, to be sent again from the fresh page once the agent has seen what changed."""
    with database().reading() as db:
        answer.seen_version = db.get_one(Case, case_id).version
    return answer


# What the pages need


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A saved reply as the page of a case offers it; `text` is in the customer's language, filled but for {photo}."""

    code: str
    name: str
    text: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Part:
    """Details that are accepted together or not at all."""

    codes: str  # values of Field, parted by commas, or "email"
    name: str
    accepted: bool


@dataclass(frozen=True, kw_only=True)
class Offer:
    """All that the answer's column needs beside the page itself."""

    language: str  # code of the customer's
    choices: dict[str, list[Choice]]  # by purpose
    parts: list[Part]
    retakes: list[tuple[PhotoKind, list[tuple[ReasonCode, bool]]]]  # reason, and whether the machine found it
    rejections: list[tuple[ReasonCode, bool]]
    lane: str
    senior: bool
    undo: int  # seconds


def answer_offer(page: CasePage, answer: forms.Answer) -> Offer:
    """What may be answered to this case, and with which words. Made once for each page."""
    moment, case = now(), page.case
    made: Offer | None = g.get("answer_offer")
    if made is not None:
        return made
    with reading() as db:
        choices = _choices(db, db.get_one(Case, case.id), customers_language(case), moment)
    found = set(page.reasons).union(*(run.reasons for run in page.runs[:1]))
    retakes = [
        (kind, sorted(((code, code in found) for code in codes), key=lambda pair: not pair[1]))
        for kind, codes in forms.retake_reasons().items()
    ]
    retakes.sort(key=lambda group: not any(was for _code, was in group[1]))
    rejections = sorted(((code, code in found) for code in forms.REJECTIONS), key=lambda pair: not pair[1])
    g.answer_offer = Offer(
        language=customers_language(case),
        choices=choices,
        parts=_parts(page, answer),
        retakes=retakes,
        rejections=rejections,
        lane=review.lane(case),
        senior=may("decide_escalated"),
        undo=settings().undo_seconds,
    )
    return g.answer_offer


def _parts(page: CasePage, answer: forms.Answer) -> list[Part]:
    if page.claim is None:
        return []
    asked = profiles.differing(page.profile, page.claim.values)
    parts: list[Part] = []
    seen: set[Field] = set()
    for name in asked:
        if name in seen:
            continue
        group = next((g for g in answers.TOGETHER if name in g), frozenset({name}))
        together = [other for other in asked if other in group]
        seen.update(together)
        accepted = answer.fields is None or set(together) <= answer.fields
        parts.append(Part(codes=",".join(f.value for f in together), name=_named(together), accepted=accepted))
    if page.new_email is not None and page.new_email.casefold() != page.email.casefold():
        parts.append(Part(codes=answers.EMAIL, name=_("the new e-mail address"), accepted=answer.with_email))
    return parts


def _choices(db: Session, case: Case, language: str, moment: datetime) -> dict[str, list[Choice]]:
    """Saved replies by purpose, in the customer's language."""
    found: dict[str, list[Choice]] = {}
    kept = replies.current(db)
    for purpose in replies.PURPOSES:
        filled = replies.values(db, case, purpose=purpose, locale=language, now=moment)
        if "photo" in filled:
            filled["photo"] = "{photo}"  # known once the photos are chosen
        found[purpose] = [
            Choice(
                code=reply.code,
                name=replies.named(reply, locale()),
                text=replies.fill(reply.texts.get(language) or reply.texts[wording.SOURCE], filled),
                reason=reply.reason.value if reply.reason else "",
            )
            for reply in kept
            if reply.purpose == purpose
        ]
    return found


@dataclass(frozen=True, kw_only=True)
class Undo:
    """Her last answer, while she can take it back."""

    id: UUID
    number: str
    said: str
    until: datetime
    seconds: int


def undo_offer() -> Undo | None:
    """For every page of the desk."""
    if signed_in() is None or not may("decide"):
        return None
    moment = now()
    with reading() as db:
        last = answers.waiting_for(db, row(db), now=moment)
        if last is None:
            return None
        said = {
            "approve": _("approved in part") if last.held else _("approved"),
            "reject": _("rejected"),
            "ask_retake": _("asked for a photo again"),
        }[last.action]
        return Undo(
            id=last.id,
            number=str(last.case_id)[:8],
            said=said,
            until=last.until,
            seconds=max(1, round((last.until - moment).total_seconds())),
        )


@dataclass(frozen=True, kw_only=True)
class Unsent:
    """An answer of hers that was never sent."""

    id: UUID
    case_id: UUID
    why: str


def unsent_answers() -> list[Unsent]:
    """Answers that she believes sent and that were not, until she has read it."""
    if signed_in() is None or not may("decide"):
        return []
    with reading() as db:
        return [
            Unsent(id=row.id, case_id=row.case_id, why=label(Dropped(row.why[0])) if row.why else "")
            for row in answers.dropped_for(db, row(db))
        ]


def in_language(language: str, caller: Callable[[], str]) -> str:
    """For templates, `{% call in_language("kk") %}`: what stands within is in that language."""
    with force_locale(language):
        return caller()


@desk.context_processor
def _offers() -> dict[str, Any]:
    return {
        "answer_offer": answer_offer,
        "undo_offer": undo_offer,
        "unsent_answers": unsent_answers,
        "in_language": in_language,
        "message_telling": lambda: g.get("message_telling", ()),
        "languages": LANGUAGES,
    }


def customers_language(case: Case) -> str:
    """The language in which this customer is written to."""
    return wording.language_of(case.locale) or wording.language_of(settings().default_locale) or wording.SOURCE


def _named(rows: Iterable[str]) -> str:
    """Rows of a case by name, in the middle of a sentence."""
    return ", ".join(_("the new e-mail address") if row == answers.EMAIL else label(Field(row)).lower() for row in rows)
