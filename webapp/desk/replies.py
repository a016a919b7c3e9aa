"""Saved replies: what the desk says again and again, how often, and whether it helped. `cases.replies` decides and counts."""

from __future__ import annotations

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from cases import replies
from cases.replies import Reply
from cases.staff import NotAllowed
from cases.wording import LANGUAGES, gettext
from verification.reasons import ReasonCode
from webapp.context import database, now
from webapp.desk import forms
from webapp.desk.surface import desk
from webapp.i18n import locale
from webapp.security import needs, row


@desk.get("/replies")
@needs("manage_replies")
def replies_page() -> ResponseReturnValue:
    """Every reply by purpose, with how often it was used and how often the same customer failed again after it."""
    moment = now()
    with database().reading() as db:
        held = replies.current(db, retired="retired" in request.args)
        counted = replies.figures(db, now=moment)
    return render_template(
        "desk/replies.html",
        groups=[(purpose, [r for r in held if r.purpose == purpose]) for purpose in replies.PURPOSES],
        figures=counted,
        nothing=replies.Figures(),
        retired="retired" in request.args,
        window=replies.WINDOW.days,
        follow_up=replies.FOLLOW_UP.days,
        enough=replies.ENOUGH,
        purpose_words=purpose_words,
        named=lambda reply: replies.named(reply, locale()),
    )


@desk.get("/replies/new")
@needs("manage_replies")
def new_reply() -> ResponseReturnValue:
    """An empty form for a reply of the purpose that stands in the address."""
    purpose = request.args.get("purpose", replies.PURPOSES[0])
    if purpose not in replies.PURPOSES:
        abort(404)
    return _form(Reply(code="", number=0, purpose=purpose, reason=None, name="", texts={}), [], {})


@desk.get("/replies/<code>")
@needs("manage_replies")
def reply(code: str) -> ResponseReturnValue:
    """One reply: its words in every language, and every version it has had."""
    with database().reading() as db:
        try:
            kept = replies.versions(db, code)
        except replies.NoSuchReply:
            abort(404)
    return _form(kept[0], kept, {})


@desk.post("/replies", defaults={"code": None})
@desk.post("/replies/<code>")
@needs("manage_replies")
def save_reply(code: str | None) -> ResponseReturnValue:
    """Keep a new version, or say what is wrong with it. Nothing typed is lost."""
    typed = forms.read_reply(request.form)
    retired = request.form.get("do") == "retire"
    kept: list[Reply] = []
    try:
        with database().transaction() as db:
            if code is not None:
                kept = replies.versions(db, code)
            saved = replies.save(
                db,
                code,
                purpose=typed.purpose,
                reason=typed.reason,
                name=typed.name,
                texts=typed.texts,
                seen=typed.number,
                retired=retired,
                agent=row(db),
                now=now(),
            )
    except replies.Wrong as wrong:
        return _form(_typed(typed, kept), kept, wrong.problems), 422
    except replies.Stale:
        with database().reading() as db:
            kept = replies.versions(db, code or "")
        told = _(
            "Nothing was saved: %(name)s changed this reply a moment before you. Compare, then save again.", name=kept[0].author
        )
        return _form(_typed(typed, kept), kept, {}, told=told), 409
    except replies.NoSuchReply:
        abort(404)
    except NotAllowed:
        abort(403)
    flash(_("The reply is no longer offered.") if saved.retired else _("Saved. Agents are offered this version from now on."))
    return redirect(url_for("desk.replies_page", _anchor=f"reply-{saved.code}"), 303)


def _typed(typed: Reply, kept: list[Reply]) -> Reply:
    """What was typed, to be saved over the newest version there is."""
    return Reply(
        code=kept[0].code if kept else "",
        number=kept[0].number if kept else 0,
        purpose=kept[0].purpose if kept else typed.purpose,
        reason=typed.reason,
        name=typed.name,
        texts=typed.texts,
    )


def _form(shown: Reply, kept: list[Reply], problems: dict[str, str], *, told: str = "") -> str:
    mine = gettext(locale())
    return render_template(
        "desk/reply.html",
        reply=shown,
        versions=kept,
        problems={name: problem_words(code, shown, name) for name, code in problems.items()},
        told=told,
        languages=LANGUAGES,
        reasons=[r for r in ReasonCode if r in forms.reasons_for(shown.purpose)],
        variables={name: mine(about) for name, about in replies.VARIABLES.items() if name in replies.FOR[shown.purpose]},
        most=replies.MOST_LETTERS,
        purpose_words=purpose_words,
        named=lambda reply: replies.named(reply, locale()),
    )


def purpose_words(purpose: str) -> str:
    """What a reply goes with."""
    return {
        "ask_retake": _("Asking for a photo again"), "reject": _("Refusing"), "message": _("Writing a message"),
    }[purpose]  # fmt: skip


def problem_words(code: str, shown: Reply, name: str) -> str:
    """What is wrong with one box of the form."""
    if code == "gives_away":
        words = ", ".join(f"“{word}”" for word in replies.gives_away(shown.texts.get(name, ""), shown.purpose))
        return _("This may tell which check failed: %(words)s. Say it in other words.", words=words)
    return {
        "missing": _("Please fill this in."),
        "too_long": _("This is too long."),
        "unknown_variable": _("A word in braces is none of the variables below."),
        "braces": _("A brace stands alone. Variables are written as in the list."),
        "personal": _("An address or a long number stands here. A reply is for everybody: leave it out."),
        "too_many": _("There are as many replies as anybody can read. Take one out first."),
    }[code]  # fmt: skip
