"""Tickets in the lender's helpdesk about referred cases: one ticket a case, opened, closed and opened again with it.

Off unless HELPDESK_URL or HELPDESK_MAIL is set. What is owed is written in the transaction of the change (an outbox, as for
webhooks): the case's id, state and reason codes. A ticket holds a link to the case's page at the desk and the reasons in words
for staff, never a photo and nothing of the customer: who may see her is decided at the desk, not by who reads the helpdesk's
mail. `workers.hooks` sends. Sandbox customers make no tickets.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template
from typing import Any
from uuid import UUID, uuid4

from babel.dates import format_datetime
from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.orm import Session

from cases import at_commit, audit, outbox
from cases import staff as people
from cases.host_tables import TicketMessage
from cases.lifecycle import CLOSED, State
from cases.models import Case, Customer, Staff
from cases.settings import Settings

WEB = "web"
MAIL = "mail"

OPENED = "opened"
CLOSED_AGAIN = "closed"
REOPENED = "reopened"
KINDS = (OPENED, CLOSED_AGAIN, REOPENED)
"""What a message asks the helpdesk for. Each has a text in every language (`workers/mail/ticket_KIND.LANG.txt`)."""

TOKEN_DIGITS = 12
"""Of a case's id in the subject: 48 bits tell a million cases apart but for one chance in 500."""


IN_TURN = timedelta(seconds=10)
"""How long a message waits for an earlier one of its ticket before it looks again."""


class NotGivenUp(Exception):
    """It was sent, or is still being tried: sent again it might make a second ticket."""


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """One message, all a sender needs; nothing personal."""

    id: UUID
    case_id: UUID
    sink: str
    kind: str
    number: int
    state: str
    reasons: tuple[str, ...]
    due_at: datetime | None
    created_at: datetime
    tries: int

    @property
    def token(self) -> str:
        """By which subjects of one ticket are alike: [#case-…]. A bare number might be one of the helpdesk's own."""
        return token(self.case_id)

    def message_id(self, domain: str, number: int | None = None) -> str:
        """The Message-ID of one message of this ticket: the same whenever it is sent."""
        return f"<{self.case_id.hex}.{number or self.number}.ticket@{domain}>"


def token(case_id: UUID) -> str:
    """How the helpdesk knows a case."""
    return f"case-{case_id.hex[:TOKEN_DIGITS]}"


def sinks(settings: Settings) -> tuple[str, ...]:
    """Where tickets go in this deployment; empty: nowhere."""
    return tuple(sink for sink, there in ((WEB, settings.helpdesk_url), (MAIL, settings.helpdesk_mail)) if there)


def moved(session: Session, case: Case, *, now: datetime) -> None:
    """A case has come to its next state; `cases.moves` says so."""
    if (case.state is State.IN_REVIEW or case.state in CLOSED) and sinks(session.info["settings"]):
        at_commit.add(session, _settle, (case, now))


def _settle(session: Session, moves: list[tuple[Case, datetime]]) -> None:
    """Owe the helpdesk what became of each case in this transaction: of several steps the last counts."""
    for case, now in {case.id: (case, now) for case, now in moves}.values():
        if session.get_one(Customer, case.customer_id).sandbox:
            continue
        before = {
            sink: (number, kind)
            for sink, number, kind in session.execute(
                select(TicketMessage.sink, TicketMessage.number, TicketMessage.kind)
                .where(TicketMessage.case_id == case.id)
                .order_by(TicketMessage.number)
            )
        }
        for sink in sinks(session.info["settings"]):
            number, last = before.get(sink, (0, None))
            if case.state is State.IN_REVIEW:
                kind = REOPENED if last else OPENED
            elif case.state in CLOSED and last not in (None, CLOSED_AGAIN):
                kind = CLOSED_AGAIN
            else:
                continue
            session.add(
                TicketMessage(
                    id=uuid4(),
                    case_id=case.id,
                    sink=sink,
                    kind=kind,
                    number=number + 1,
                    state=case.state.value,
                    reasons=list(case.reasons),
                    due_at=case.due_at,
                    created_at=now,
                    next_at=now,
                    tries=0,
                )
            )


# --- sending


def due(session: Session, *, now: datetime, limit: int = 100) -> list[UUID]:
    """Messages that are owed and that nobody is sending, oldest first."""
    return outbox.due(session, TicketMessage, now=now, limit=limit)


def begin_sending(session: Session, message_id: UUID, *, now: datetime) -> Ticket | None:
    """Take one message under a lease. None when it is sent, being sent, not due, or an earlier one of its ticket is still owed.

    A closing that overtook its opening would leave the ticket open for good.
    """
    row = outbox.take(session, TicketMessage, message_id, now=now)
    if row is None:
        return None
    earlier = select(TicketMessage.id).where(
        TicketMessage.case_id == row.case_id,
        TicketMessage.sink == row.sink,
        TicketMessage.number < row.number,
        TicketMessage.sent_at.is_(None),
        TicketMessage.given_up_at.is_(None),
    )
    if session.execute(earlier.limit(1)).first() is not None:
        row.tries -= 1
        row.lease_until = None
        row.next_at = now + IN_TURN
        session.flush()
        return None
    session.flush()
    return Ticket(
        id=row.id,
        case_id=row.case_id,
        sink=row.sink,
        kind=row.kind,
        number=row.number,
        state=row.state,
        reasons=tuple(row.reasons),
        due_at=row.due_at,
        created_at=row.created_at,
        tries=row.tries,
    )


def sent(session: Session, message_id: UUID, *, now: datetime) -> None:
    """The helpdesk took it."""
    row = outbox.done(session, TicketMessage, message_id, now=now)
    if row is not None:
        row.last_try_at, row.last_code = now, None


def failed(session: Session, message_id: UUID, *, code: str, now: datetime) -> None:
    """It was not taken: again later and later, given up in the end (`cases.outbox`)."""
    outbox.put_off(session, TicketMessage, message_id, now=now)
    row = session.get_one(TicketMessage, message_id)
    if row.sent_at is None:
        row.last_try_at, row.last_code = now, code[:40]


# --- in words


def in_words(ticket: Ticket, settings: Settings, *, texts: Path) -> tuple[str, str]:
    """Subject and text of a ticket's message in the helpdesk's language. Follow-ups keep the subject of the first."""
    from cases import wording  # here, because it stands above the modules that move cases
    from verification.reasons import ReasonCode

    language = wording.language_of(settings.helpdesk_locale or settings.default_locale) or wording.SOURCE
    known = {code.value: code for code in ReasonCode}
    reasons = [wording.agent_sentence(known[code], language) if code in known else code for code in ticket.reasons]
    words = {
        "case_url": case_url(ticket, settings),
        "reasons": "\n".join(f"- {sentence}" for sentence in reasons) or "-",
        "codes": ", ".join(ticket.reasons) or "-",
        "due": format_datetime(ticket.due_at.astimezone(UTC), "d MMMM y, HH:mm 'UTC'", locale=language) if ticket.due_at else "-",
        "state": wording.agent_sentence(State(ticket.state), language),
        "token": ticket.token,
    }
    _, body = outbox.render(f"ticket_{ticket.kind}", language, words, texts=texts)
    subject, _ = outbox.render(f"ticket_{OPENED}", language, words, texts=texts)
    line = f"[#{ticket.token}] {subject}"
    return (line if ticket.number == 1 else f"Re: {line}"), body


def case_url(ticket: Ticket, settings: Settings) -> str:
    """The case's page at the desk; who may open it is decided there."""
    return f"{settings.staff_url.rstrip('/')}/desk/cases/{ticket.case_id}"


def document(ticket: Ticket, settings: Settings, *, texts: Path) -> str:
    """The JSON body for HELPDESK_URL: our own form, or that of HELPDESK_TEMPLATE with `$name` in its texts filled in.

    Only texts of the template are filled, after it was read as JSON, so no value can change its form. Raises ValueError for a
    template that is no JSON, KeyError for a name that there is not.
    """
    subject, text = in_words(ticket, settings, texts=texts)
    named: dict[str, Any] = {
        "reference": ticket.token,
        "action": ticket.kind,
        "number": ticket.number,
        "subject": subject,
        "text": text,
        "url": case_url(ticket, settings),
        "case_id": str(ticket.case_id),
        "state": ticket.state,
        "reasons": list(ticket.reasons),
        "due_at": _iso(ticket.due_at),
    }
    if settings.helpdesk_template is None:
        whole = {
            "id": message_key(ticket),
            "type": f"ticket.{ticket.kind}",
            "timestamp": _iso(ticket.created_at),
            "ticket": named,
        }
        return json.dumps(whole, ensure_ascii=True, separators=(",", ":"))
    flat = {name: ", ".join(value) if isinstance(value, list) else str(value or "") for name, value in named.items()}
    form = json.loads(settings.helpdesk_template.read_text(encoding="utf-8"))
    return json.dumps(_filled(form, flat), ensure_ascii=True, separators=(",", ":"))


def message_key(ticket: Ticket) -> str:
    """webhook-id of one message: the same at each try."""
    return f"tkt_{ticket.id.hex}"


def _filled(form: Any, names: dict[str, str]) -> Any:
    if isinstance(form, str):
        return Template(form).substitute(names)
    if isinstance(form, list):
        return [_filled(entry, names) for entry in form]
    if isinstance(form, dict):
        return {key: _filled(entry, names) for key, entry in form.items()}
    return form


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if moment else None


# --- seen, sent again

OUTCOMES: dict[str, tuple[ColumnElement[bool], ...]] = {
    "waiting": (TicketMessage.sent_at.is_(None), TicketMessage.given_up_at.is_(None)),
    "sent": (TicketMessage.sent_at.is_not(None),),
    "failed": (TicketMessage.given_up_at.is_not(None),),
}
"""How a message may have ended, or not."""


def messages(
    session: Session, *, by: Staff | None, outcome: str | None = None, limit: int = 50, after: UUID | None = None
) -> list[TicketMessage]:
    """What was owed to the helpdesk, newest first; `outcome` waiting, sent or failed. Raises NotAllowed."""
    if by is not None:
        people.require(by, "see_integration")
    row = TicketMessage
    found = select(row)
    if outcome is not None:
        found = found.where(*OUTCOMES[outcome])
    if after is not None:
        last = select(row.created_at, row.id).where(row.id == after).scalar_subquery()
        found = found.where(tuple_(row.created_at, row.id) < last)
    return list(session.scalars(found.order_by(row.created_at.desc(), row.id.desc()).limit(limit)))


def counts(session: Session, *, since: datetime) -> dict[str, int]:
    """Messages owed since, by outcome."""
    row = TicketMessage
    counted = session.execute(
        select(*(func.count().filter(*which) for which in OUTCOMES.values())).where(row.created_at >= since)
    ).one()
    return dict(zip(OUTCOMES, counted, strict=True))


def send_again(
    session: Session, message_id: UUID, *, by: Staff | None, now: datetime, permission: str = "manage_integration"
) -> TicketMessage:
    """Try one that was given up once more, and what followed it: a ticket that is opened late is to be closed after that.

    `permission` is what `by` needs: who mends queues may do it from there. Raises NotGivenUp, NoResultFound, NotAllowed.
    """
    if by is not None:
        people.require(by, permission)
    row = session.execute(
        select(TicketMessage).where(TicketMessage.id == message_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one()
    if row.given_up_at is None:
        raise NotGivenUp
    later = select(TicketMessage).where(
        TicketMessage.case_id == row.case_id, TicketMessage.sink == row.sink, TicketMessage.number > row.number
    )
    again = [row, *session.scalars(later.order_by(TicketMessage.number).with_for_update())]
    for one in again:
        one.given_up_at = one.sent_at = one.lease_until = None
        one.tries, one.next_at = 0, now
    session.flush()
    audit.record(
        session, "ticket_resent", actor=audit.Actor.staff(by) if by else audit.SYSTEM, now=now, case_id=row.case_id,
        ticket_message_id=row.id, count=len(again),
    )  # fmt: skip
    return row
