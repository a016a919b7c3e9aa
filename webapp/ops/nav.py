"""The second row of navigation of the pages of operations."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app, request, url_for
from flask_babel import gettext as _

from webapp.ops.surface import ops
from webapp.security import may

PAGES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("ops.now_page", "see_figures", ("ops.now",)),
    ("ops.report_page", "see_reports", ("ops.report",)),
    ("ops.policies_page", "see_policies", ("ops.polic",)),
    ("ops.what_if_newest", "see_policies", ("ops.what_if", "ops.replay", "ops.would_be")),
    ("ops.undo_page", "see_policies", ("ops.undo",)),
    ("ops.faces_page", "see_figures", ("ops.faces",)),
    ("ops.queues_page", "see_figures", ("ops.queue",)),
    ("ops.audit_page", "search_audit", ("ops.audit",)),
    ("ops.retention_page", "see_retention", ("ops.retention",)),
    ("ops.webhooks_page", "see_integration", ("ops.webhook", "ops.add_webhook")),
    ("ops.helpdesk_page", "see_integration", ("ops.helpdesk",)),
    ("ops.keys_page", "manage_keys", ("ops.keys", "ops.make_key", "ops.rotate_key", "ops.revoke_key")),
)
"""Endpoint, what it takes to see it, and what the names of its other endpoints begin with."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """One entry."""

    label: str
    address: str
    here: bool


def labels() -> dict[str, str]:
    """Names of the pages in the reader's language."""
    return {
        "ops.now_page": _("Now"),
        "ops.report_page": _("Report"),
        "ops.policies_page": _("Policies"),
        "ops.what_if_newest": _("What-if"),
        "ops.undo_page": _("Undo"),
        "ops.faces_page": _("Faces"),
        "ops.queues_page": _("Queues"),
        "ops.audit_page": _("Audit"),
        "ops.retention_page": _("Retention"),
        "ops.webhooks_page": _("Webhooks"),
        "ops.helpdesk_page": _("Helpdesk"),
        "ops.keys_page": _("API keys"),
    }


@ops.app_context_processor
def _offered() -> dict[str, object]:
    return {"ops_pages": ops_pages}


def ops_pages() -> list[Link]:
    """Pages that this process serves and this reader may open."""
    here, said = request.endpoint or "", labels()
    return [
        Link(label=said[endpoint], address=url_for(endpoint), here=here.startswith(starts))
        for endpoint, permission, starts in PAGES
        if endpoint in current_app.view_functions and may(permission)
    ]
