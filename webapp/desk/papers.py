"""Supporting papers at the desk: asking for them, their pictures, and what an agent saw. `cases.supporting` decides who may."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import abort, flash, g, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound

from cases import audit, conversations, looks, outgoing, photo_store, review, supporting
from cases.desk_tables import OutgoingState, PaperKind
from cases.models import Case
from cases.staff import NotAllowed
from cases.supporting import Sight
from webapp.context import database, now, reading
from webapp.desk import paper_words, pictures
from webapp.desk.outgoing import Wish
from webapp.desk.page import show_case
from webapp.desk.surface import desk
from webapp.i18n import label
from webapp.security import needs, row
from webapp.talk import broken

PAPER = "paper"
"""Kind of picture that a link opens, beside those of `pictures`."""


@desk.post("/cases/<uuid:case_id>/papers")
@needs("decide")
def ask_papers(case_id: UUID) -> ResponseReturnValue:
    """Ask the customer for papers, and go on with other cases meanwhile; or say why it was not done."""
    moment = now()
    kinds = [PaperKind(code) for code in request.form.getlist("paper") if code in list(PaperKind)]
    g.wish = Wish(papers=tuple(kinds), words=request.form.get("words", ""))  # a page that says no shows it again
    try:
        with database().transaction() as db:
            given = outgoing.wish(db, case_id, kinds, words=g.wish.words, agent=row(db), now=moment)
            left = given.state is not OutgoingState.WAITING
    except ValueError:
        return show_case(case_id, moment, told=_("Choose the paper to ask for.")), 422
    except conversations.TooLong:
        return show_case(case_id, moment, told=_("Nothing was asked: the words are too long.")), 422
    except supporting.TooMany:
        return show_case(case_id, moment, told=_("Nothing was asked: this case has enough papers.")), 422
    except supporting.AskedAlready as asked:
        told = _("Nothing was asked: “%(paper)s” is asked for already.", paper=label(asked.kind))
        return show_case(case_id, moment, told=told), 409
    except supporting.Closed as closed:
        return show_case(
            case_id, moment, told=_("Nothing was asked: the case stands as “%(state)s”.", state=label(closed.state))
        ), 409
    except review.NotYours:
        return show_case(case_id, moment, told=_("Nothing was asked: the case is not yours. Take it first.")), 409
    except NotAllowed:
        abort(403)
    except NoResultFound:
        abort(404)
    if left:  # else the bar on every page says when it will, and takes it back
        flash(_("Asked. The case waits for the customer and comes back by itself."))
    return redirect(url_for("desk.queue"), 303)


@desk.post("/cases/<uuid:case_id>/papers/<uuid:paper_id>/unneeded")
@needs("decide")
def unneeded_paper(case_id: UUID, paper_id: UUID) -> ResponseReturnValue:
    """The paper is no longer needed."""
    try:
        with database().transaction() as db:
            supporting.take_back(db, paper_id, case_id=case_id, agent=row(db), now=now())
    except review.NotYours:
        flash(_("The case was no longer yours."))
    except NotAllowed:
        abort(403)
    except (NoResultFound, LookupError):
        abort(404)
    return _back(case_id)


@desk.post("/cases/<uuid:case_id>/papers/<uuid:paper_id>/seen")
@needs("decide")
def seen_paper(case_id: UUID, paper_id: UUID) -> ResponseReturnValue:
    """Note what she saw on a paper."""
    try:
        sights = [Sight(code) for code in request.form.getlist("sight")]
        with database().transaction() as db:
            supporting.tick(db, paper_id, sights, case_id=case_id, agent=row(db), now=now())
    except review.NotYours:
        flash(_("The case was no longer yours."))
    except NotAllowed:
        abort(403)
    except ValueError:
        abort(400)
    except (NoResultFound, LookupError):
        abort(404)
    return _back(case_id)


@desk.get("/cases/<uuid:case_id>/papers/<token>")
@needs("see_photos")
def paper_picture(case_id: UUID, token: str) -> ResponseReturnValue:
    """The picture of a paper, to whom its address was made for. Each look is written down first."""
    moment = now()
    look = pictures.redeem(token, PAPER, subject=str(case_id), moment=moment)
    paper_id = UUID(look.thing)
    try:
        with database().transaction() as db:
            pictures.allowed(db, case_id, look.purpose, moment)
            viewer = audit.Actor.staff(row(db))
            data = supporting.open_picture(db, paper_id, case_id=case_id, viewer=viewer, purpose=look.purpose, now=moment)
    except photo_store.PhotoGone:
        abort(410)
    except photo_store.PhotoBroken:
        broken("paper", paper_id)
    response: ResponseReturnValue = pictures.shown(data, moment)
    return response


@desk.post("/cases/<uuid:case_id>/papers/renew")
@needs("see_photos")
def renew_paper(case_id: UUID) -> ResponseReturnValue:
    """A fresh address in place of an old one: to the viewer as JSON, else the picture itself, large."""
    moment = now()
    look = pictures.redeem(request.form.get("link", ""), PAPER, subject=str(case_id), moment=moment, renewing=True)
    with database().reading() as db:
        pictures.allowed(db, case_id, look.purpose, moment)
    fresh = pictures.token(PAPER, look.thing, subject=str(case_id), purpose=look.purpose)
    address = url_for("desk.paper_picture", case_id=case_id, token=fresh)
    if request.accept_mimetypes.best == "application/json":
        return jsonify(link=fresh, address=address)
    return redirect(address, 303)


def _back(case_id: UUID) -> ResponseReturnValue:
    return redirect(url_for("desk.case", case_id=case_id, _anchor="papers"), 303)


# For templates


def papers_of(case: Case) -> list[supporting.Shown]:
    """Every paper of a case."""
    with reading() as db:
        return supporting.of(db, db.get_one(Case, case.id), now=now())


def paper_token(case: Case, paper_id: UUID) -> str:
    """What makes the address of this picture good for a minute."""
    return pictures.token(PAPER, str(paper_id), subject=str(case.id), purpose=looks.REVIEW)


def paper_link(case: Case, paper_id: UUID) -> str:
    """The address of a paper's picture for this viewer and this case, for a minute."""
    return url_for("desk.paper_picture", case_id=case.id, token=paper_token(case, paper_id))


@desk.context_processor
def _offer() -> dict[str, Any]:
    return {
        "papers_of": papers_of,
        "paper_token": paper_token,
        "paper_link": paper_link,
        "paper_words": paper_words,
        "paper_kinds": PaperKind,
        "paper_sights": supporting.SIGHTS,
        "most_paper_letters": supporting.MOST_LETTERS,
        "awaits_customer": lambda case: supporting.awaits(case, now()),
    }
