"""What an agent can still take back: her answers, messages and wishes for papers, in one bar on every page of the desk."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import abort, flash, g, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound

from cases import outgoing, review
from cases.desk_tables import Dropped, OutgoingKind, OutgoingState, PaperKind
from cases.models import Case
from webapp.context import database, now, reading
from webapp.desk.answers import undo_offer
from webapp.desk.page import show_case
from webapp.desk.surface import desk
from webapp.i18n import label
from webapp.security import may, needs, row, signed_in


@desk.post("/outgoing/<uuid:outgoing_id>/take-back")
@needs("decide")
def take_back_outgoing(outgoing_id: UUID) -> ResponseReturnValue:
    """Take back a message or a wish before it leaves, and show the case with what was typed; or say that it is too late."""
    moment = now()
    try:
        with database().transaction() as db:
            back = outgoing.take_back(db, outgoing_id, agent=row(db), now=moment)
    except outgoing.TooLate as late:
        flash(_too_late(late.state), "warn")
        return redirect(url_for("desk.queue"), 303)
    except review.NotYours:
        abort(403)
    except NoResultFound:
        abort(404)
    if back.kind is OutgoingKind.WISH:
        if not back.hers:
            told = _("Taken back: the customer was asked for nothing. Your hands are full, so the case went back to the queue.")
            return show_case(back.case_id, moment, writing=back.text, told=told)
        g.wish = Wish(papers=back.papers, words=back.text)
        return show_case(back.case_id, moment, told=_("Taken back: the customer was asked for nothing. The case is yours again."))
    told = _("Your message was taken back: nothing was sent.")
    if back.had_photo:
        told += " " + _("Its photo has to be chosen again.")
    return show_case(back.case_id, moment, writing=back.text, told=told)


@desk.post("/outgoing/<uuid:outgoing_id>/told")
@needs("decide")
def told_outgoing(outgoing_id: UUID) -> ResponseReturnValue:
    """She has read that it was not sent, and why."""
    try:
        with database().transaction() as db:
            outgoing.told(db, outgoing_id, agent=row(db), now=now())
    except review.NotYours:
        abort(403)
    except NoResultFound:
        abort(404)
    return redirect(url_for("desk.queue"), 303)


def _too_late(state: OutgoingState) -> str:
    return {
        OutgoingState.TAKEN_BACK: _("This was taken back already."),
        OutgoingState.DROPPED: _("This was not sent: the case changed before it could be."),
    }.get(state, _("Too late to take it back: it is on its way to the customer. Write to her what is right."))


# For templates


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A wish for papers as typed, so that a page can show it again. Not for logs."""

    papers: tuple[PaperKind, ...] = ()
    words: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One thing that can be taken back."""

    number: str
    said: str
    until: datetime
    seconds: int
    address: str


@dataclass(frozen=True, kw_only=True)
class Unsent:
    """A message or wish of hers that was never sent; her words, so that they are not lost. Not for logs."""

    id: UUID
    case_id: UUID
    said: str
    why: str
    words: str = field(repr=False)


def undo_offers() -> list[Offer]:
    """What she can still take back, newest first: one key takes the newest back."""
    if signed_in() is None or not may("decide"):
        return []
    moment = now()
    offers = []
    answer = undo_offer()
    if answer is not None:
        address = url_for("desk.take_back", answer_id=answer.id)
        offers.append(Offer(number=answer.number, said=answer.said, until=answer.until, seconds=answer.seconds, address=address))
    with reading() as db:
        for one in outgoing.waiting_for(db, row(db), now=moment):
            offers.append(
                Offer(
                    number=str(one.case_id)[:8],
                    said=_("message to the customer") if one.kind is OutgoingKind.MESSAGE else _("asked for a paper"),
                    until=one.until,
                    seconds=max(1, round((one.until - moment).total_seconds())),
                    address=url_for("desk.take_back_outgoing", outgoing_id=one.id),
                )
            )
    return sorted(offers, key=lambda offer: offer.until, reverse=True)


def unsent_outgoing() -> list[Unsent]:
    """What she believes sent and that was not, until she has read it."""
    if signed_in() is None or not may("decide"):
        return []
    with reading() as db:
        return [
            Unsent(
                id=one.id,
                case_id=one.case_id,
                said=_("Your message about case %(number)s was not sent.", number=str(one.case_id)[:8])
                if one.kind is OutgoingKind.MESSAGE
                else _("The customer of case %(number)s was not asked for a paper.", number=str(one.case_id)[:8]),
                why=_why(one.why),
                words=outgoing.text_of(db, one),
            )
            for one in outgoing.dropped_for(db, row(db))
        ]


def _why(why: Dropped | None) -> str:
    return {
        Dropped.CUSTOMER_WROTE: _("She wrote before it left: the case is yours again, with what she wrote."),
        Dropped.CASE_CHANGED: _("The request or the account changed before it left."),
        Dropped.CASE_CLOSED: _("The request was closed before it left."),
        Dropped.FAILED: _("It could not be sent. Please tell the technicians."),
    }.get(why or Dropped.CASE_CHANGED, "")


def held_back(case: Case) -> list[outgoing.Held]:
    """What waits to leave for this customer, whoever wrote it."""
    with reading() as db:
        return [one for one in outgoing.of(db, db.get_one(Case, case.id), row(db)) if one.why is None]


@desk.context_processor
def _offers() -> dict[str, Any]:
    return {
        "undo_offers": undo_offers,
        "unsent_outgoing": unsent_outgoing,
        "held_back": held_back,
        "typed_wish": lambda: g.get("wish", Wish()),
        "papers_named": lambda kinds: ", ".join(label(kind) for kind in kinds),
    }
