"""The editor of thresholds: a new version of the policy, which does not hold yet."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from cases import policies
from verification.policy import SHIPPED, THRESHOLDS
from webapp.context import database, now
from webapp.ops import forms, presenters
from webapp.ops.steps import version_or_404
from webapp.ops.surface import ops
from webapp.security import needs, row


@ops.get("/policies/draft")
@needs("propose_policy")
def policy_draft() -> ResponseReturnValue:
    """The editor, filled with the policy that holds or with the version asked for."""
    with database().reading() as db:
        held = policies.current(db)
        start = version_or_404(db, request.args.get("from", type=int)) or held
    return _editor(start=start, held=held, typed={}, problems={}, reason="")


@ops.post("/policies/draft")
@needs("propose_policy")
def policy_draft_save() -> ResponseReturnValue:
    """Keep a new version. It does not hold yet."""
    policy, problems = forms.read_policy(request.form)
    reason, wrong = forms.read_reason(request.form)
    if wrong:
        problems["reason"] = wrong
    with database().reading() as db:
        held = policies.current(db)
    if policy is not None and not forms.changes(held, policy):
        problems["same"] = _("Nothing differs from the policy that holds now.")
    if problems or policy is None:
        return _editor(start=policy or held, held=held, typed=request.form, problems=problems, reason=reason), 422
    with database().transaction() as db:
        number = policies.draft(db, policy, author=row(db), reason=reason, now=now()).version
    flash(_("Kept as version %(number)s. It does not hold yet.", number=number))
    return redirect(url_for("ops.policy_page", version=number), 303)


def _editor(*, start: Any, held: Any, typed: Any, problems: dict[str, str], reason: str) -> str:
    return render_template(
        "ops/draft.html", start=start, held=held, shipped=SHIPPED, thresholds=THRESHOLDS, groups=forms.GROUPS, forms=forms,
        choice_name=presenters.choice_name, typed=typed, problems=problems, reason=reason,
    )  # fmt: skip
