"""How long each kind of data is kept: one line for each, with its setting, what carries it out, and why that long.

Nothing is decided here: the times stand where the work is done, or in the settings of the deployment, and are read from there. A
test lets every clock run out and looks whether its data is gone, so a line here is true or the suite fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from cases import idempotency, notifications, retention, throttles, unsent_forms, webhooks
from cases.settings import Settings

THROTTLES = timedelta(days=2)
"""The longest window in which tries are counted is a day."""


CarryOut = Callable[[Session, datetime], object]
"""Removes what is due at that time."""


@dataclass(frozen=True, kw_only=True)
class Clock:
    """One kind of data. `after` is None where no clock ends it: `why` says what does."""

    kind: str
    after: timedelta | None
    setting: str  # name of the setting; "" where it is a constant
    since: str  # what starts it, a code: "closed", "touched", "made", "sent", "ended", "erased"
    why: str  # the reason, a code of WHY
    task: str  # of upkeep; "" where nothing has to be done
    carry_out: CarryOut | None = None


WHY = {
    "appeal": "As long as an answer can be appealed or disputed; then minimised (GDPR 5(1)(e), 152-FZ 5(7), 21(4)).",
    "abandoned": "A request that nobody sends has no purpose any more (GDPR 5(1)(e), 152-FZ 5(7)).",
    "account": "As long as the lender holds the account: the host erases it by the API (GDPR 28(3)(g), 152-FZ 6(3)).",
    "delivery": "To deliver once more and to answer the same question alike; then minimised.",
    "security": "To tell an old link or session from one that never was (GDPR 32, 152-FZ 19).",
    "proof": "Proof of what was done, of codes and ids only (GDPR 5(2), 152-FZ 18.1, 22.1).",
    "nobody": "Figures and codes, of nobody.",
    "never": "Made while it is sent; nothing is kept.",
}
"""Reasons by code. For a lawyer to confirm for each deployment: docs/privacy.md."""


def clocks(settings: Settings) -> tuple[Clock, ...]:
    """Every kind of data, in the order in which a request meets them."""
    drafts, kept = timedelta(days=settings.draft_days), timedelta(days=settings.photo_days)

    def with_the_case(kind: str) -> Clock:
        return Clock(kind=kind, after=kept, setting="PHOTO_DAYS", since="closed", why="appeal", task="shred", carry_out=_shred)

    def constant(kind: str, after: timedelta, since: str, why: str, task: str, carry_out: CarryOut) -> Clock:
        return Clock(kind=kind, after=after, setting="", since=since, why=why, task=task, carry_out=carry_out)

    def kept_on(kind: str, why: str) -> Clock:
        return Clock(kind=kind, after=None, setting="", since="made", why=why, task="")

    return (
        Clock(
            kind="drafts", after=drafts, setting="DRAFT_DAYS", since="touched", why="abandoned", task="expire", carry_out=_expire
        ),
        *(with_the_case(kind) for kind in ("photos", "claims", "readings", "papers", "conversations", "notes", "faces")),
        constant("unsent_forms", unsent_forms.LIFETIME, "made", "delivery", "shred", _forms),
        constant("sessions", retention.LINK_GRACE, "made", "security", "forget_links", _links),
        constant("links", retention.LINK_GRACE, "ended", "security", "forget_links", _links),
        constant("tries", THROTTLES, "made", "security", "forget_throttles", _tries),
        Clock(
            kind="sent_mails", after=timedelta(days=settings.mail_days), setting="MAIL_DAYS", since="sent", why="delivery",
            task="forget_recipients", carry_out=_mails,
        ),
        constant("idempotency_answers", idempotency.KEPT, "made", "delivery", "forget_answers", _answers),
        constant("webhook_deliveries", webhooks.KEPT, "made", "delivery", "forget_hooks", _hooks),
        Clock(kind="exports", after=timedelta(0), setting="", since="made", why="never", task=""),
        kept_on("details", "account"),
        kept_on("reports", "nobody"),
        kept_on("events", "proof"),
        kept_on("logs", "nobody"),
    )  # fmt: skip


def _shred(session: Session, now: datetime) -> object:
    return retention.shred_due(session, now=now)


def _expire(session: Session, now: datetime) -> object:
    return retention.expire_drafts(session, now=now)


def _forms(session: Session, now: datetime) -> None:
    unsent_forms.forget(session, now=now)


def _links(session: Session, now: datetime) -> None:
    retention.forget_links(session, now=now)


def _tries(session: Session, now: datetime) -> None:
    throttles.forget(session, before=now - THROTTLES)


def _mails(session: Session, now: datetime) -> object:
    return notifications.forget_recipients(session, now=now)


def _answers(session: Session, now: datetime) -> object:
    return idempotency.forget(session, before=now)


def _hooks(session: Session, now: datetime) -> object:
    return webhooks.forget_old(session, now=now)
