"""Taking approvals of the machine back: choose, look at what it would do, propose; another person confirms; then watch it happen.

Translates HTTP; `cases.undo` chooses, counts and carries out, and asks for the two people.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal
from flask_babel import gettext as _
from sqlalchemy.exc import NoResultFound
from werkzeug.datastructures import MultiDict

from cases import policies, switches, undo
from cases.staff import NotAllowed
from verification.evidence import ChangeReason
from webapp.context import database, now
from webapp.i18n import label, local_time
from webapp.ops import forms
from webapp.ops.steps import refused_page
from webapp.ops.surface import ops
from webapp.security import may, needs, row

FIELDS = ("version", "since", "until", "kind", "country")
"""What may be chosen, as the form names it."""


class _Moved(Exception):
    """As many approvals as were looked at are no longer the ones that would be taken back."""

    def __init__(self, count: int) -> None:
        self.count = count


@ops.get("/undo")
@needs("see_policies")
def undo_page() -> ResponseReturnValue:
    """What was taken back so far, the form to choose, and a preview of what was chosen."""
    asked = any(request.args.get(name, "").strip() for name in FIELDS)
    return _page(request.args, look=asked and may("propose_undo"))


@ops.post("/undo")
@needs("propose_undo")
def undo_propose() -> ResponseReturnValue:
    """Propose to take back exactly as many as were shown. Nothing happens until another person confirms."""
    selection, problems = read_selection(request.form)
    reason, problem = forms.read_reason(request.form)
    if problem:
        problems["why"] = problem
    if problems or selection.empty:
        return _page(request.form, look=not selection.empty, problems=problems, reason=reason), 422
    try:
        with database().transaction() as db:
            made = undo.propose(db, selection, by=row(db), reason=reason, now=now())
            if made.count != request.form.get("counted", type=int):
                raise _Moved(made.count)
            undo_id = made.id
    except _Moved as moved:
        told = _(
            "Nothing was proposed: it is %(n)s approvals by now. Look at the figures again, then propose.",
            n=format_decimal(moved.count),
        )
        return _page(request.form, look=True, problems={"moved": told}, reason=reason), 409
    except undo.NothingToUndo:
        return _page(request.form, look=True, reason=reason), 409
    flash(_("Proposed. Nothing is taken back before another person confirms."))
    return redirect(url_for("ops.undo_one", undo_id=undo_id), 303)


@ops.get("/undo/<uuid:undo_id>")
@needs("see_policies")
def undo_one(undo_id: UUID) -> ResponseReturnValue:
    """One of them: what, why, by whom, how far, and what could not be taken back."""
    return _one(undo_id)


@ops.get("/undo/<uuid:undo_id>/progress")
@needs("see_policies")
def undo_progress(undo_id: UUID) -> ResponseReturnValue:
    """The moving part of the page alone, for its script."""
    return render_template("ops/_undo_progress.html", **_facts(undo_id))


@ops.post("/undo/<uuid:undo_id>/confirm")
@needs("confirm_undo")
def undo_confirm(undo_id: UUID) -> ResponseReturnValue:
    """Let it happen, as the second person, who has typed how many it is."""
    try:
        with database().transaction() as db:
            count = undo.standing(db, undo_id).undo.count
            typed = "".join(request.form.get("count", "").split())
            if typed != str(count):
                raise _Moved(count)
            undo.confirm(db, undo_id, by=row(db), now=now())
    except _Moved:
        return _one(undo_id, problem=_("That is not the number of approvals. Please type it as it stands above.")), 422
    except NoResultFound:
        abort(404)
    except (policies.SamePerson, policies.Outdated, NotAllowed) as refused:
        return _refused(refused)
    flash(_("Confirmed. The approvals are being taken back now."))
    return redirect(url_for("ops.undo_one", undo_id=undo_id), 303)


@ops.post("/undo/<uuid:undo_id>/withdraw")
@needs("propose_undo")
def undo_withdraw(undo_id: UUID) -> ResponseReturnValue:
    """Close a proposal that nobody confirmed."""
    try:
        with database().transaction() as db:
            undo.withdraw(db, undo_id, by=row(db), now=now())
    except NoResultFound:
        abort(404)
    except (policies.Outdated, NotAllowed) as refused:
        return _refused(refused)
    flash(_("The proposal was withdrawn."))
    return redirect(url_for("ops.undo_page"), 303)


@ops.post("/undo/<uuid:undo_id>/again")
@needs("confirm_undo")
def undo_again(undo_id: UUID) -> ResponseReturnValue:
    """Try once more what failed."""
    try:
        with database().transaction() as db:
            undo.try_again(db, undo_id, by=row(db), now=now())
    except NoResultFound:
        abort(404)
    except undo.NothingToUndo:
        return refused_page(_("Nothing has failed here, or somebody is trying it again already."), "ops.undo_page"), 409
    except NotAllowed as refused:
        return _refused(refused)
    flash(_("What failed is being tried again now."))
    return redirect(url_for("ops.undo_one", undo_id=undo_id), 303)


def _refused(refused: Exception) -> ResponseReturnValue:
    if isinstance(refused, policies.SamePerson):
        return refused_page(_("You proposed this yourself. Another person has to confirm it."), "ops.undo_page"), 403
    if isinstance(refused, policies.Outdated):
        told = _("This proposal is no longer open: it was confirmed, withdrawn, or another change came first.")
        return refused_page(told, "ops.undo_page"), 409
    abort(403)


# What was chosen


def read_selection(form: MultiDict[str, str]) -> tuple[undo.Selection, dict[str, str]]:
    """Return what was chosen and one sentence for each thing that makes no sense. Times are UTC."""
    problems: dict[str, str] = {}
    text = {name: form.get(name, "").strip() for name in FIELDS}
    version, kind = None, None
    if text["version"]:
        try:
            version = int(text["version"])
        except ValueError:
            problems["version"] = _("Please choose from the list.")
    times: dict[str, datetime | None] = {"since": None, "until": None}
    for name in times:
        if text[name]:
            try:
                told = datetime.fromisoformat(text[name])
                times[name] = told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
            except (ValueError, OverflowError):
                problems[name] = _("Please give day and time as 2026-11-22 14:30.")
    since, until = times["since"], times["until"]
    if since and until and since >= until:
        problems["until"] = _("The end has to come after the beginning.")
    if text["kind"]:
        try:
            kind = ChangeReason(text["kind"])
        except ValueError:
            problems["kind"] = _("Please choose from the list.")
    country = text["country"].upper() or None
    if country:
        try:
            switches.scope(f"{switches.Kind.COUNTRY}:{country}")  # what may be closed may be taken back
        except switches.UnknownScope:
            problems["country"] = _("Please give the country’s code as it stands in the document: KAZ, RUS, D.")
            country = None
    return undo.Selection(version=version, since=since, until=until, change_reason=kind, country=country), problems


def selection_said(selection: undo.Selection) -> list[str]:
    """What was chosen, in words."""
    said = []
    if selection.version is not None:
        said.append(_("approved by policy %(number)s", number=selection.version))
    if selection.since is not None:
        said.append(_("approved from %(time)s", time=local_time(selection.since)))
    if selection.until is not None:
        said.append(_("approved before %(time)s", time=local_time(selection.until)))
    if selection.change_reason is not None:
        said.append(_("kind of change: %(kind)s", kind=label(selection.change_reason)))
    if selection.country:
        said.append(_("country: %(country)s", country=selection.country))
    return said


def outcome_said(outcome: str) -> str:
    """What became of an approval."""
    return {
        "requeued": _("taken back, a person looks again"),
        "closed": _("taken back and closed, the customer was told"),
        "erased": _("taken back and closed; the person was erased, so nobody was told"),
        "conflict": _("not touched: the details were changed since"),
        "gone": _("had been taken back already"),
        "failed": _("failed, still as it was"),
    }.get(outcome, outcome)


# Pages


def _page(form: MultiDict[str, str], *, look: bool, problems: dict[str, str] | None = None, reason: str = "") -> str:
    selection, wrong = read_selection(form)
    problems = {**wrong, **(problems or {})}
    moment = now()
    with database().reading() as db:
        seen = undo.preview(db, selection) if look and not wrong and not selection.empty else None
        found = undo.all_of_them(db)
        return render_template(
            "ops/undo.html",
            chosen=selection,
            said=selection_said(selection),
            typed={name: form.get(name, "") for name in FIELDS},
            kinds=list(ChangeReason),
            versions=[v.version for v in policies.versions(db)],
            preview=seen,
            goes_on=seen is not None and undo.goes_on(db, selection, now=moment),
            held=policies.current(db).version,
            found=found,
            selections={one.undo.id: selection_said(undo.Selection.from_json(one.undo.selection)) for one in found},
            problems=problems,
            reason=reason,
            desk=_desk(),
        )


def _desk() -> str:
    """The endpoint of a case's page for who may see cases, "" for others."""
    return "desk.case" if may("see_case") and "desk.case" in current_app.view_functions else ""


def _facts(undo_id: UUID) -> dict[str, Any]:
    with database().reading() as db:
        try:
            found = undo.standing(db, undo_id)
        except NoResultFound:
            abort(404)
        selection = undo.Selection.from_json(found.undo.selection)
        conflicts = undo.conflicts(db, undo_id, limit=undo.LISTED + 1)
        failed = undo.ended(db, undo_id, "failed", limit=undo.LISTED + 1)
        seen = undo.preview_of(db, undo_id) if found.pending else None
        going = found.pending and undo.goes_on(db, selection, now=now())
        held = policies.current(db).version
    done = found.undo.count - found.left
    return {
        "found": found,
        "said": selection_said(selection),
        "outcomes": [(outcome_said(name), name, found.outcomes.get(name, 0)) for name in undo.OUTCOMES],
        "done": done,
        "place": round(400 * done / found.undo.count, 1) if found.undo.count else 400.0,
        "conflicts": conflicts[: undo.LISTED],
        "more_conflicts": len(conflicts) > undo.LISTED,
        "failed": failed[: undo.LISTED],
        "more_failed": len(failed) > undo.LISTED,
        "preview": seen,
        "goes_on": going,
        "held": held,
        "desk": _desk(),
    }


def _one(undo_id: UUID, *, problem: str = "") -> str:
    return render_template("ops/undo_one.html", problem=problem, **_facts(undo_id))
