"""The queue of what waits for a person. All filters stand in the address."""

from __future__ import annotations

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from cases import policies, queries, review
from verification.evidence import ChangeReason
from verification.reasons import ReasonCode
from webapp.context import database, now
from webapp.desk import forms, presenters
from webapp.desk.surface import desk
from webapp.security import needs, row, signed_in


@desk.get("")
@needs("see_queue")
def queue() -> ResponseReturnValue:
    """What waits for a person: disputes first, then oldest first. All filters stand in the address."""
    asked, moment, me = forms.read_filters(request.args), now(), signed_in()
    assert me is not None
    with database().reading() as db:
        try:
            rows = queries.desk_queue(db, asked.filters(me.id), now=moment)
        except ValueError:
            abort(404)
        counts = queries.desk_counts(db, now=moment)
        mine = queries.desk_queue(db, queries.QueueFilters(owner=me.id, limit=100), now=moment)
        to_people = policies.everything_to_people(db)
    return render_template(
        "desk/queue.html",
        rows=rows[: forms.PAGE],
        more=len(rows) > forms.PAGE,
        asked=asked,
        counts=counts,
        mine=len(mine),
        now=moment,
        me=me.id,
        to_people=to_people,
        change_reasons=tuple(ChangeReason),
        all_reasons=tuple(ReasonCode),
        show=presenters,
    )


@desk.post("/next")
@needs("decide")
def take_next() -> ResponseReturnValue:
    """Take the case that waits longest and open it."""
    with database().transaction() as db:
        case = review.take_next(db, agent=row(db), now=now())
    if case is None:
        flash(_("Nothing waits: the queue is empty."))
        return redirect(url_for("desk.queue"), 303)
    return redirect(url_for("desk.case", case_id=case.id), 303)
