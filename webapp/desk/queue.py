"""The queue of what waits for a person. All filters stand in the address; a document number stands in none."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from flask import abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.exc import NoResultFound

from cases import audit, policies, review, saved_views, switches, wording
from cases import queue as desk_queue
from cases.models import Case, Staff
from cases.queue import Page, Skills, Why
from cases.rescue import LINE
from cases.staff import permissions
from verification.evidence import ChangeReason
from verification.reasons import ReasonCode
from webapp.context import database, now, reading, settings
from webapp.desk import clocks, presenters
from webapp.desk.filters import Asked, read_filters
from webapp.desk.surface import desk
from webapp.security import needs, row, signed_in


@desk.get("")
@needs("see_queue")
def queue() -> ResponseReturnValue:
    """What waits for a person: disputes first, then what is due next."""
    return _shown("desk/queue.html", read_filters(request.args))


@desk.get("/now")
@needs("see_queue")
def queue_again() -> ResponseReturnValue:
    """Tiles and lines as they stand now, for the script of a page that stands open."""
    return _shown("desk/_queue.html", read_filters(request.args))


@desk.post("/search")
@needs("see_queue")
def search() -> ResponseReturnValue:
    """Find cases by what people have before them. The words come in the body: a document number belongs in no address or log."""
    me, moment, wanted = signed_in(), now(), request.form.get("q", "").strip()[:200]
    assert me is not None
    with database().transaction() as db:
        found = desk_queue.search(db, wanted, with_documents=True, viewer=me.id, now=moment)
        audit.record(db, "cases_searched", actor=audit.Actor.staff(row(db)), now=moment, count=len(found.rows))
    return _shown("desk/queue.html", read_filters({}), found=found, wanted=wanted)


def _shown(template: str, asked: Asked, *, found: Page | None = None, wanted: str = "", problem: str = "") -> str:
    """The page. `found` and `wanted`: of a search that stands in no address; `problem`: why a view was not kept."""
    me, moment = signed_in(), now()
    assert me is not None
    with reading() as db:
        viewer = row(db)
        hidden = "decide" in permissions(viewer) and policies.hides_anywhere(db)
        if hidden:
            asked = replace(asked, reason=None)  # a filter would tell what the page leaves out
        if found is None and asked.search:
            found, wanted = desk_queue.search(db, asked.search, viewer=me.id, now=moment), asked.search
        elif found is None:
            try:
                found = desk_queue.page(
                    db, asked.filters(me.id, rescue_first=desk_queue.is_senior(viewer)), viewer=me.id, now=moment
                )
            except ValueError:
                abort(404)
        return render_template(
            template,
            page=found,
            asked=asked,
            wanted=wanted,
            problem=problem,
            tiles=desk_queue.tiles(db, agent=viewer, now=moment),
            counted=desk_queue.COUNTED,
            views=saved_views.of(db, me.id),
            skills=Skills.of(viewer),
            limit=settings().max_open_cases,
            now=moment,
            me=me.id,
            hidden=hidden,
            to_people=switches.everything_to_people(db),
            senior=desk_queue.is_senior(viewer),
            change_reasons=tuple(ChangeReason),
            all_reasons=tuple(ReasonCode),
            rescue_line=LINE,
            looked_at=desk_queue.LOOKED_AT,
            most_found=desk_queue.FOUND,
            name_length=saved_views.LENGTH,
            left=clocks.left,
            show=presenters,
        )


@desk.post("/next")
@needs("decide")
def take_next() -> ResponseReturnValue:
    """Take the most urgent case within her skills and open it."""
    moment = now()
    with database().transaction() as db:
        agent = row(db)
        case = review.take_next(db, agent=agent, now=moment)
        why = desk_queue.why_none(db, agent, now=moment) if case is None else None
    if case is None:
        flash(_none_words(why))
        return redirect(url_for("desk.queue"), 303)
    return redirect(url_for("desk.case", case_id=case.id), 303)


def _none_words(why: Why | None) -> str:
    match why:
        case Why.FULL:
            return _("You hold %(n)s open cases, as many as one may. Answer or release one first.", n=settings().max_open_cases)
        case Why.NOT_FOR_HER:
            return _("What waits now is for others: another language or country, a senior agent, or fresh eyes.")
    return _("Nothing waits: the queue is empty.")


# Views that an agent keeps


@desk.post("/views")
@needs("see_queue")
def keep_view() -> ResponseReturnValue:
    """Keep the filters that stand in the form under a name."""
    asked = read_filters(request.form)
    try:
        with database().transaction() as db:
            saved_views.keep(db, row(db), request.form.get("name", ""), asked.address(), now=now())
    except saved_views.BadName:
        return _shown("desk/queue.html", asked, problem=_bad_name()), 422
    except saved_views.NameTaken:
        return _shown("desk/queue.html", asked, problem=_("You have a view of this name.")), 422
    except saved_views.TooMany:
        told = _("You have %(n)s views, as many as there is room for. Delete one first.", n=saved_views.MOST)
        return _shown("desk/queue.html", asked, problem=told), 422
    return redirect(url_for("desk.queue", **asked.address()), 303)


@desk.post("/views/<uuid:view_id>/rename")
@needs("see_queue")
def rename_view(view_id: UUID) -> ResponseReturnValue:
    """Give one of her views another name."""
    asked = read_filters(request.form)
    try:
        with database().transaction() as db:
            saved_views.rename(db, row(db), view_id, request.form.get("name", ""))
    except saved_views.BadName:
        return _shown("desk/queue.html", asked, problem=_bad_name()), 422
    except saved_views.NameTaken:
        return _shown("desk/queue.html", asked, problem=_("You have a view of this name.")), 422
    except NoResultFound:
        abort(404)
    return redirect(url_for("desk.queue", **asked.address()), 303)


@desk.post("/views/<uuid:view_id>/delete")
@needs("see_queue")
def delete_view(view_id: UUID) -> ResponseReturnValue:
    """Delete one of her views."""
    try:
        with database().transaction() as db:
            saved_views.forget(db, row(db), view_id)
    except NoResultFound:
        abort(404)
    return redirect(url_for("desk.queue", **read_filters(request.form).address()), 303)


def _bad_name() -> str:
    return _("Give the view a name of at most %(n)s characters.", n=saved_views.LENGTH)


# Who else is looking


@desk.post("/cases/<uuid:case_id>/watch")
@needs("see_case")
def watch(case_id: UUID) -> ResponseReturnValue:
    """The page of a case stands open: who else has it open, and how long it is still hers. Keeps neither case nor session."""
    moment = now()
    with database().transaction() as db:
        found, me = db.get(Case, case_id), row(db)
        if found is None:
            abort(404)
        desk_queue.watch(db, case_id, me, now=moment)
        names = desk_queue.watchers(db, case_id, but=me.id, now=moment)
        hers = found.owner_id == me.id and found.owner_until is not None
        seconds = (found.owner_until - moment).total_seconds() if hers and found.owner_until else None
    return jsonify(looking=names, told=looking_words(names), yours=hers, seconds=seconds)


@desk.post("/cases/<uuid:case_id>/leave")
@needs("see_case")
def leave(case_id: UUID) -> ResponseReturnValue:
    """The page of a case was closed."""
    with database().transaction() as db:
        desk_queue.leave(db, case_id, row(db))
    return "", 204


@desk.app_template_global("claim_seconds")
def claim_seconds() -> int:
    """How long a case stays with who took it, without a sign of her."""
    return settings().claim_minutes * 60


@desk.app_template_global("looking_words")
def looking_words(names: tuple[str, ...]) -> str:
    """Who else has the case open; "" where nobody has."""
    return _("Also looking: %(names)s", names=", ".join(names)) if names else ""


# Skills


@desk.get("/skills")
@needs("set_skills")
def skills() -> ResponseReturnValue:
    """Which cases each agent is given."""
    with database().reading() as db:
        agents = [member for member in db.scalars(select(Staff).order_by(Staff.name)) if "decide" in permissions(member)]
        return render_template(
            "desk/skills.html", agents=[(agent, Skills.of(agent)) for agent in agents], languages=wording.LANGUAGES
        )


@desk.post("/skills/<uuid:staff_id>")
@needs("set_skills")
def set_skills(staff_id: UUID) -> ResponseReturnValue:
    """Say which cases one agent is given. What is not ticked or typed is not limited, but for high risk."""
    form = request.form
    countries = frozenset(word.upper() for word in form.get("countries", "").replace(",", " ").split())
    if any(not (len(c) == 3 and c.isascii() and c.isalpha()) for c in countries):
        flash(_("Countries are codes of three letters, such as RUS, KAZ, MEX. Nothing was changed."))
        return redirect(url_for("desk.skills"), 303)
    told = Skills(
        languages=frozenset(form.getlist("language")) & frozenset(wording.LANGUAGES),
        countries=countries,
        high_risk="high_risk" in form,
    )
    with database().transaction() as db:
        agent = db.scalars(select(Staff).where(Staff.id == staff_id).with_for_update(key_share=True)).one_or_none()
        if agent is None or "decide" not in permissions(agent):
            abort(404)
        lead = row(db)
        desk_queue.set_skills(db, agent, told, actor=audit.Actor.staff(lead), by=lead, now=now())
    flash(_("Kept: %(name)s.", name=agent.name))
    return redirect(url_for("desk.skills"), 303)
