"""The rescue lane: who keeps coming back and gets nowhere, why, and the whole story of one customer on one page."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from flask import abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select
from sqlalchemy.exc import NoResultFound

from cases import audit, policies, rescue, review
from cases.lifecycle import State
from cases.models import Case
from cases.rescue import Entry, Found, Sign
from webapp.context import database, now
from webapp.desk import presenters
from webapp.desk.surface import desk
from webapp.i18n import label
from webapp.security import may, needs, row, signed_in

PAGE = 25
"""Lines of the lane on one page."""


@desk.get("/rescue")
@needs("see_rescue")
def rescue_page() -> ResponseReturnValue:
    """Cases of the lane, most points first, each with its reasons."""
    moment, me = now(), signed_in()
    assert me is not None
    with database().reading() as db:
        try:
            rows = rescue.lane(db, now=moment, after=request.args.get("after", "")[:60], limit=PAGE + 1)
        except ValueError:
            abort(404)
        count = rescue.waiting(db)
    return render_template(
        "desk/rescue.html",
        rows=rows[:PAGE],
        more=len(rows) > PAGE,
        count=count,
        line=rescue.LINE,
        weights=[(weight_words(sign), rescue.WEIGHTS[sign]) for sign in Sign],
        now=moment,
        me=me.id,
        show=presenters,
        sign_words=sign_words,
    )


@desk.get("/rescue/<uuid:customer_id>")
@needs("see_rescue")
def rescue_story(customer_id: UUID) -> ResponseReturnValue:
    """Everything that happened to one customer. Each case it tells of is written down as opened first."""
    moment = now()
    with database().transaction() as db:
        member = row(db)
        cases = db.scalars(
            select(Case).where(Case.customer_id == customer_id).order_by(Case.opened_at.desc(), Case.id).limit(rescue.SHOWN)
        ).all()
        if any(review.related(db, member, case) for case in cases):
            abort(403)
        for case in cases:
            audit.record(db, "case_opened_by_staff", actor=audit.Actor.staff(member), now=moment, case=case, purpose="rescue")
    with database().reading() as db:
        try:
            story = rescue.story(db, customer_id, now=moment)
        except NoResultFound:
            abort(404)
        here = next((chapter for chapter in story.chapters if chapter.closed_at is None), None)
        hidden = here is not None and may("decide") and policies.hides_opinion(db, here.case_id)
    return render_template(
        "desk/story.html",
        story=story,
        here=here,
        hidden=hidden,
        can_take=here is not None and here.state is State.IN_REVIEW and may("decide"),
        line=rescue.LINE,
        now=moment,
        show=presenters,
        sign_words=sign_words,
        entry_words=entry_words,
        chapter_words=chapter_words,
    )


def sign_words(found: Found) -> str:
    """What was seen, with its count."""
    n = found.count
    return str(
        {
            Sign.RETAKES: lambda: ngettext("asked for a photo again %(num)s time", "asked for a photo again %(num)s times", n),
            Sign.REFUSED: lambda: ngettext("%(num)s photo refused at once", "%(num)s photos refused at once", n),
            Sign.REQUESTS: lambda: ngettext("%(num)s request sent", "%(num)s requests sent", n),
            Sign.ENDED: lambda: ngettext("%(num)s request ended in nothing", "%(num)s requests ended in nothing", n),
            Sign.APPEALED: lambda: ngettext("objected to an answer %(num)s time", "objected to an answer %(num)s times", n),
            Sign.WAITING: lambda: ngettext("waits for a person for %(num)s day", "waits for a person for %(num)s days", n),
            Sign.LATE: lambda: _("the answer is late"),
            Sign.UNHAPPY: lambda: ngettext("%(num)s unhappy rating", "%(num)s unhappy ratings", n),
            Sign.UNANSWERED: lambda: ngettext("%(num)s message without an answer", "%(num)s messages without an answer", n),
        }[found.sign]()
    )


def weight_words(sign: Sign) -> str:
    """What a sign counts, for the list that says how points are given."""
    return {
        Sign.RETAKES: _("a photo asked for again; the first does not count"),
        Sign.REFUSED: _("three photos refused at once"),
        Sign.REQUESTS: _("a request sent; the first does not count"),
        Sign.ENDED: _("a request that was sent and ended without the change"),
        Sign.APPEALED: _("an objection to an answer"),
        Sign.WAITING: _("a full day of waiting for a person"),
        Sign.LATE: _("an answer later than promised"),
        Sign.UNHAPPY: _("a rating “hard” or “very hard”"),
        Sign.UNANSWERED: _("a message that nobody answered for four hours"),
    }[sign]


_WHAT = (
    "opened", "sent", "sent_again", "refused", "referred", "asked_person", "machine_approve", "machine_retake", "machine_refer",
    "approve", "reject", "ask_retake", "revert", "settle", "appealed", "withdrawn", "expired", "not_me", "she_wrote", "we_wrote",
    "rated", "shredded",
)  # fmt: skip
assert set(_WHAT) == set(rescue.TOLD)


def entry_words(entry: Entry) -> str:
    """One thing that happened, in words."""
    by = entry.by or _("an agent")
    said = {
        "opened": _("The customer began the request."),
        "sent": _("The customer sent it."),
        "sent_again": _("The customer sent it again."),
        "referred": _("The system gave it to a person."),
        "asked_person": _("The customer asked for a person."),
        "machine_approve": _("The machine approved it."),
        "machine_retake": _("The machine asked for a photo again."),
        "machine_refer": _("The machine gave it to a person."),
        "approve": _("%(name)s approved it.", name=by),
        "reject": _("%(name)s rejected it.", name=by),
        "ask_retake": _("%(name)s asked for a photo again.", name=by),
        "revert": _("%(name)s put the change back.", name=by),
        "settle": _("%(name)s let the change stand.", name=by),
        "appealed": _("The customer objected to the answer."),
        "withdrawn": _("The customer withdrew it."),
        "expired": _("It expired: nothing more came."),
        "not_me": _("Somebody with the customer's mail said: this was not me."),
        "she_wrote": _("The customer wrote:"),
        "we_wrote": _("%(name)s wrote:", name=by),
        "shredded": _("Photos and messages were shredded."),
    }
    if entry.what == "refused":
        return _("Photo refused at once: %(photo)s.", photo=label(entry.photo)) if entry.photo else _("Photo refused at once.")
    if entry.what == "rated":
        return _("The customer rated it: %(mark)s.", mark=mark_words(entry.mark))
    return said[entry.what]


def mark_words(mark: int) -> str:
    """A mark of cases.ratings.CHOICES in words."""
    return {1: _("very hard"), 2: _("hard"), 3: _("so-so"), 4: _("easy"), 5: _("very easy")}.get(mark, "–")


def chapter_words(chapter: rescue.Chapter, moment: datetime) -> list[str]:
    """What one request came to, in sentences: attempts, photos refused, waits."""
    out = [str(ngettext("Sent %(num)s time.", "Sent %(num)s times.", chapter.attempt))]
    if chapter.refused:
        out.append(str(ngettext("%(num)s photo refused at once.", "%(num)s photos refused at once.", chapter.refused)))
    now_waiting = moment - chapter.waits_since if chapter.waits_since is not None else timedelta(0)
    before = chapter.waited - now_waiting
    if before >= timedelta(minutes=1):
        out.append(_("Waited for people for %(time)s.", time=presenters.span(before.total_seconds())))
    if chapter.waits_since is not None:
        out.append(_("Waits now, for %(time)s.", time=presenters.span(now_waiting.total_seconds())))
    return out
