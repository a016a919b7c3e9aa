"""What is hers: a copy of her data, deletion, a confirmation on paper, her opinion, and what her requests' pages say of them.

None of it is open to a connected phone: whoever got hold of its link shall gain nothing by it (`entrance.PHONE_MAY`).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import RawIOBase
from threading import BoundedSemaphore
from typing import Any
from uuid import UUID

from flask import Response, abort, flash, g, redirect, render_template, request, stream_with_context, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select
from werkzeug.exceptions import ServiceUnavailable

from cases import (
    confirmations,
    consents,
    conversations,
    exports,
    intake,
    photo_store,
    profiles,
    ratings,
    retention,
    throttles,
    who_looked,
)
from cases.lifecycle import CLOSED, State
from cases.models import Case
from verification.evidence import Field
from webapp.context import database, now, settings
from webapp.i18n import DAYS, label, locale, shown
from webapp.logs import log
from webapp.portal import paper
from webapp.portal.entrance import customer_owns_case, own_case, signed_in, too_many_requests
from webapp.portal.status import moment_words
from webapp.portal.steps import portal

COPIES = 3
COPIES_WITHIN = timedelta(days=1)
"""Copies of her data per customer: each opens every photo of hers, and who loses a file needs one more, not ten."""

PAPERS = 20
PAPERS_WITHIN = timedelta(hours=1)
"""Confirmations per customer: making one takes half a second of this process."""

_press = BoundedSemaphore(1)
"""One confirmation at a time in this process: embedding fonts is all arithmetic, and would hold up every other page."""


# --- What pages of a request say


@dataclass(frozen=True, kw_only=True)
class Hers:
    """What a request's page offers besides: see `portal/_mine.html`."""

    held: bool
    confirmed: bool
    appeal_until: datetime | None
    rate: bool
    rating: ratings.Given | None


@portal.context_processor
def her_words() -> dict[str, Any]:
    """For templates: `hers(case)`, `rating_words()`, `most_letters` of a message."""
    return {"hers": hers, "rating_words": rating_words, "most_letters": conversations.MOST_LETTERS}


def hers(case: Case) -> Hers:
    """What may be done with this request now."""
    moment = now()
    with database().reading() as db:
        own = own_case(db, case.id)
        until = intake.appeal_until(db, own)
        return Hers(
            held=profiles.held(own),
            confirmed=own.state is State.APPROVED and not profiles.held(own),
            appeal_until=until if until is not None and moment < until else None,
            rate=ratings.may_rate(db, own, now=moment),
            rating=ratings.of(db, own),
        )


def rating_words() -> dict[str, str]:
    """The five choices, best first: who is content is the most frequent, and answers with the first button."""
    return {
        "very_easy": _("Very easy"),
        "easy": _("Easy"),
        "so_so": _("So-so"),
        "hard": _("Hard"),
        "very_hard": _("Very hard"),
    }


# --- My data


@portal.app_template_filter("field_label")
def field_label(name: str) -> str:
    """A detail's name from the code in the copy."""
    return label(Field(name))


@portal.app_template_filter("field_shown")
def field_shown(value: str, name: str) -> str:
    """A detail of the copy as people write it."""
    return shown(value, Field(name))


@portal.app_template_filter("state_label")
def state_label(name: str) -> str:
    """A state's name from the code in the copy."""
    return label(State(name))


@portal.get("/my-data")
@signed_in
def my_data() -> Any:
    """What we hold of her, and what she can do about it."""
    with database().reading() as db:
        found = db.scalars(select(Case).where(Case.customer_id == g.customer_id).order_by(Case.opened_at.desc(), Case.id)).all()
        disputed = exports.under_dispute(db, g.customer_id)
    return render_template("portal/my_data.html", cases=found, disputed=disputed, photo_days=settings().photo_days)


@portal.get("/my-data/copy")
@signed_in
def copy() -> Any:
    """Ask once more: the file holds her passport."""
    with database().reading() as db:
        disputed = exports.under_dispute(db, g.customer_id)
    return render_template("portal/my_copy.html", disputed=disputed), 409 if disputed else 200


@portal.post("/my-data/copy")
@signed_in
def take_copy() -> Any:
    """The copy as a ZIP, made while it is sent: no clear photo lies in a file of ours, and one at a time in memory."""
    moment = now()
    with database().transaction() as db:
        allowed = throttles.hit(db, "copy", str(g.customer_id), limit=COPIES, window=COPIES_WITHIN, now=moment)
    if not allowed:
        log.info("throttled", kind="copy", customer=str(g.customer_id))
        too_many_requests(COPIES_WITHIN)
    try:
        with database().transaction() as db:
            made = exports.gather(db, g.customer_id, language=locale(), now=moment)
            exports.record(db, g.customer_id, made, now=moment)
    except exports.UnderDispute:
        return redirect(url_for("portal.copy"), 303)
    page = render_template(
        "portal/copy_file.html",
        copy=made.document,
        words=moment_words,
        files={f.path for f in made.files},
        who=looker_words(),
        mark=looked_at_words(),
        why=purpose_words(),
    )
    log.info("copy_taken", customer=str(g.customer_id), photos=len(made.files))
    answer = Response(stream_with_context(_packed(made, page, g.customer_id, moment)), mimetype="application/zip")
    answer.headers["Content-Disposition"] = f'attachment; filename="peremena-{moment:%Y-%m-%d}.zip"'
    return answer


class _Sink(RawIOBase):
    """Takes what the packer writes and gives it away at once."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """What was written since the last call."""
        taken, self.parts = b"".join(self.parts), []
        return taken


def _packed(made: exports.Copy, page: str, customer_id: UUID, moment: datetime) -> Iterator[bytes]:
    """The ZIP in pieces. A photo that was destroyed meanwhile is left out; each is opened in a transaction of its own,
    since the audit trail waits for whoever records a look, and she may have a slow line."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as packer:  # a stream that cannot go back: sizes follow each file
        texts = {"my-data.html": page, "my-data.json": json.dumps(made.document, ensure_ascii=False, indent=1)}
        for name, text in texts.items():
            packer.writestr(_entry(name, moment), text.encode(), zipfile.ZIP_DEFLATED)
            yield sink.take()
        for file in made.files:
            try:
                with database().transaction() as db:
                    pictures = exports.open_file(db, file, customer_id=customer_id, now=now())
            except photo_store.PhotoGone:
                continue
            except photo_store.PhotoBroken:
                log.error("photo_broken", id=str(file.id), kind=file.what)
                continue
            for name, data in pictures:
                packer.writestr(_entry(name, moment), data, zipfile.ZIP_STORED)
                yield sink.take()
    yield sink.take()


def _entry(name: str, moment: datetime) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, moment.timetuple()[:6])
    entry.external_attr = 0o600 << 16  # hers alone, also where she unpacks it on a shared computer
    return entry


# --- Who looked

LOOKS_SHOWN = 200
"""The newest; the copy of her data has all of them."""


@portal.get("/my-data/looks")
@signed_in
def looked() -> Any:
    """Who looked at her photos and requests: when, in which role, why. Not which person: that is the lender's own matter."""
    with database().reading() as db:
        found = who_looked.looks(db, g.customer_id, limit=LOOKS_SHOWN + 1)
    return render_template(
        "portal/looks.html",
        looks=found[:LOOKS_SHOWN],
        more=len(found) > LOOKS_SHOWN,
        who=looker_words(),
        what=looked_at_words(),
        why=purpose_words(),
    )


def looker_words() -> dict[str, str]:
    """Who looked, by role for staff and by kind of actor for the rest."""
    return {
        "support_agent": _("Support agent"),
        "senior_agent": _("Senior support agent"),
        "team_lead": _("Team lead"),
        "staff": _("Our staff"),
        "customer": _("You"),
        "machine": _("A computer"),
        "host": _("Your lender"),
        "system": _("A computer"),
    }


def looked_at_words() -> dict[str, str]:
    """What was looked at, by its code."""
    return {
        "document": _("Passport"),
        "selfie": _("Selfie"),
        "on_file": _("Photo that your lender gave us"),
        "head_turn": _("Turn of the head"),
        "message": _("Photo in a message"),
        "paper": _("Supporting paper"),
        "request": _("The whole request"),
    }


def purpose_words() -> dict[str, str]:
    """Why it was looked at, by the purpose that the trail has."""
    checked, read = _("to check your request"), _("to read what stands on it")
    return {
        "run": checked,
        "verification": checked,
        "reading": read,
        "review": _("to answer your request"),
        "message": _("to answer your message"),
        "rescue": _("to help where a request is stuck"),
        "quality": _("to see whether an answer was right"),
        "own_copy": _("for the copy of your data"),
        "host_copy": _("for a copy of your data that your lender asked for"),
        "own_photo": _("you looked at it yourself"),
        "own_message": _("you looked at it yourself"),
        "own_paper": _("you looked at it yourself"),
        "own_line": _("you looked at it yourself"),
    }


@portal.get("/requests/<uuid:case_id>/agreement")
@customer_owns_case
def agreement(case_id: UUID) -> Any:
    """What she agreed to with this request, word for word, and how to take it back."""
    with database().reading() as db:
        case = own_case(db, case_id)
        agreed = consents.given(db, case)
        if agreed is None:
            abort(404)
        words = consents.words(db, agreed, locale())
    return render_template("portal/agreement.html", case=case, agreed=agreed, words=words, open=case.state not in CLOSED)


# --- Deletion


@portal.get("/my-data/delete")
@signed_in
def delete() -> Any:
    """Ask once more, and say what goes, what stays, and what cannot go yet."""
    moment = now()
    with database().reading() as db:
        found = db.scalars(select(Case).where(Case.customer_id == g.customer_id).order_by(Case.opened_at.desc(), Case.id)).all()
        rows = [(case, retention.erasable_from(db, case)) for case in found if case.shredded_at is None]
    return render_template(
        "portal/delete.html",
        going=[case for case, since in rows if since is not None and since <= moment],
        later=[(case, since) for case, since in rows if since is not None and since > moment],
        open=[case for case, _since in rows if case.state not in CLOSED],
        kept=[
            (case, case.closed_at + timedelta(days=settings().photo_days))
            for case, since in rows
            if since is None and case.closed_at is not None
        ],
        appealable=[case for case, since in rows if case.state is State.REJECTED and since is not None and since <= moment],
    )


@portal.post("/my-data/delete")
@signed_in
def delete_now() -> Any:
    """Destroy what may go. A second click finds nothing left."""
    with database().transaction() as db:
        gone = retention.erase(db, g.customer_id, now=now())
    log.info("erased", customer=str(g.customer_id), count=len(gone))
    if gone:
        flash(ngettext("Destroyed: one request.", "Destroyed: %(num)s requests.", len(gone)))
    else:
        flash(_("There was nothing that can be destroyed now."))
    return redirect(url_for("portal.my_data"), 303)


# --- Confirmation


@portal.get("/requests/<uuid:case_id>/confirmation.pdf")
@customer_owns_case
def confirmation(case_id: UUID) -> Any:
    """The approved change on paper, in the page's language."""
    moment = now()
    with database().transaction() as db:
        allowed = throttles.hit(db, "paper", str(g.customer_id), limit=PAPERS, window=PAPERS_WITHIN, now=moment)
    if not allowed:
        log.info("throttled", kind="paper", customer=str(g.customer_id))
        too_many_requests(PAPERS_WITHIN)
    with database().reading() as db:
        try:
            facts = confirmations.of(db, own_case(db, case_id))
        except confirmations.NotConfirmed:
            abort(404)
    if not _press.acquire(timeout=10):
        raise ServiceUnavailable(retry_after=5)
    try:
        printed = paper.pdf(sheet(facts, moment))
    finally:
        _press.release()
    answer = Response(printed, mimetype="application/pdf")
    answer.headers["Content-Disposition"] = f'attachment; filename="peremena-{facts.number}.pdf"'
    return answer


def sheet(facts: confirmations.Confirmation, moment: datetime) -> paper.Sheet:
    """The confirmation in words."""
    changed = [(label(field), _printed(value, field)) for field, value in facts.changed.items()]
    if facts.email is not None:
        changed.append((_("E-mail address"), facts.email))
    return paper.Sheet(
        language=locale(),
        title=_("Confirmation of a change"),
        lead=_("The details held in this account were changed after a check."),
        facts=[
            (_("Name"), facts.name),
            (_("Request"), facts.number),
            (_("Changed on"), plain_time(facts.approved_at)),
        ],
        changed_title=_("What was changed"),
        changed=changed,
        check_title=_("How this can be checked"),
        check=_("The lender's staff find the request by this code and see whether the change still stands."),
        code=facts.code,
        remarks=[
            _("Of numbers only the end is shown, in case this paper gets lost."),
            _("A change can be undone later. This paper does not show that, the code does."),
        ],
        foot=_("Made on %(time)s", time=plain_time(moment)),
        made_at=moment,
    )


def _printed(value: str, field: Field) -> str:
    return value if field in confirmations.NUMBERS else shown(value, field)


def plain_time(moment: datetime) -> str:
    """A point in time for paper and files, which no script turns into the reader's own zone."""
    from flask_babel import format_datetime

    pattern = DAYS.get(locale(), {}).get("d MMMM", "d MMMM")
    year = {"kk": "y 'ж'. d MMMM", "es": "d 'de' MMMM 'de' y", "ru": "d MMMM y 'г'."}.get(locale(), f"{pattern} y")
    return str(_("%(time)s UTC", time=format_datetime(moment, f"{year}, HH:mm", rebase=False)))


# --- Rating


@portal.get("/requests/<uuid:case_id>/rating")
@customer_owns_case
def rating(case_id: UUID) -> Any:
    """What she said, to change it or to add a sentence."""
    return _rating_page(case_id)


@portal.post("/requests/<uuid:case_id>/rating")
@customer_owns_case
def rate(case_id: UUID) -> Any:
    """Keep one of five choices; with `words` the sentence too."""
    choice, words = request.form.get("choice", ""), request.form.get("words")
    try:
        with database().transaction() as db:
            ratings.give(db, own_case(db, case_id).id, choice, words=words, now=now())
    except ValueError:
        return _rating_page(case_id, words=words, problem=_("Choose one of the five answers.")), 422
    except ratings.TooLong:
        most = ratings.MOST_LETTERS
        told = ngettext("That is too long: at most %(num)s letter.", "That is too long: at most %(num)s letters.", most)
        return _rating_page(case_id, choice=choice, words=words, problem=told), 422
    except (ratings.NotAsked, ratings.Settled):
        return redirect(url_for("portal.status", case_id=case_id), 303)
    if words is None:  # one of the buttons on the request's page: thank her, and let her add a sentence
        return redirect(url_for("portal.rating", case_id=case_id), 303)
    flash(_("Thank you. We read every answer."))
    return redirect(url_for("portal.status", case_id=case_id), 303)


def _rating_page(case_id: UUID, *, choice: str = "", words: str | None = None, problem: str = "") -> Any:
    with database().reading() as db:
        case = own_case(db, case_id)
        if not ratings.may_rate(db, case, now=now()):
            return redirect(url_for("portal.status", case_id=case_id), 303)
        given = ratings.of(db, case)
    return render_template(
        "portal/rate.html",
        case=case,
        given=given,
        choice=choice or (given.choice if given else ""),
        words=words if words is not None else (given.words if given else ""),
        problem=problem,
        most=ratings.MOST_LETTERS,
    )
