"""The jobs that tell systems outside: one event to one endpoint of the host system, one message to the helpdesk.

Each is sent at least once: a crash between the answer and our note of it sends it again, under the same id. What the receiver
said is not kept; a code tells why it failed.
"""

from __future__ import annotations

import random
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from uuid import UUID

import structlog

from cases import outside as rules
from cases import tickets, webhooks
from cases.database import utcnow
from cases.settings import Settings
from workers import notify, outside, process
from workers.faults import fault

log = structlog.get_logger()


def send_hook(delivery_id: str) -> str:
    """Deliver one event. Safe to run twice: one that is done, being sent or not due yet is left alone."""
    database, settings = process.database(), process.settings()
    with database.transaction() as session:
        parcel = webhooks.begin_sending(session, UUID(delivery_id), now=utcnow())
    if parcel is None:
        return "not due"
    code, status = _post(parcel.url, parcel.body, parcel.headers(now=utcnow()), settings)
    fault("after_hook")
    with database.transaction() as session:
        if code is None:
            webhooks.delivered(session, parcel.id, status=status or 0, now=utcnow())
        else:
            webhooks.failed(session, parcel.id, code=code, status=status, jitter=random.random(), now=utcnow())
    if code is not None:
        log.warning("hook_not_delivered", delivery=delivery_id, tries=parcel.tries, code=code)
        return code
    log.info("hook_delivered", delivery=delivery_id, tries=parcel.tries)
    return "delivered"


def send_ticket(message_id: str) -> str:
    """Send one message to the helpdesk. Safe to run twice, as above."""
    database, settings = process.database(), process.settings()
    with database.transaction() as session:
        ticket = tickets.begin_sending(session, UUID(message_id), now=utcnow())
    if ticket is None:
        return "not due"
    code = _to_web(ticket, settings) if ticket.sink == tickets.WEB else _to_mail(ticket, settings)
    fault("after_ticket")
    with database.transaction() as session:
        if code is None:
            tickets.sent(session, ticket.id, now=utcnow())
        else:
            tickets.failed(session, ticket.id, code=code, now=utcnow())
    if code is not None:
        log.warning("ticket_not_sent", message=message_id, tries=ticket.tries, code=code)
        return code
    log.info("ticket_sent", message=message_id, tries=ticket.tries)
    return "sent"


def write(ticket: tickets.Ticket, settings: Settings) -> EmailMessage:
    """The mail of a ticket's message. Raises NotSent when its text cannot be made.

    A helpdesk puts a mail to the ticket that it made of the first by In-Reply-To and References; the subject with its token stays
    the same for those that go by subjects. No Auto-Submitted header: Zendesk suspends mails that say they are automatic.
    """
    mail = EmailMessage(policy=SMTP)
    domain = parseaddr(settings.helpdesk_from)[1].rpartition("@")[2] or "localhost"
    try:
        subject, body = tickets.in_words(ticket, settings, texts=notify.TEXTS)
        mail["From"] = settings.helpdesk_from
        mail["To"] = settings.helpdesk_mail
        mail["Subject"] = subject
        mail["Date"] = format_datetime(utcnow())
        mail["Message-ID"] = ticket.message_id(domain)
        if ticket.number > 1:
            earlier = [ticket.message_id(domain, number) for number in range(1, ticket.number)]
            mail["In-Reply-To"] = earlier[0]
            mail["References"] = " ".join([earlier[0], *earlier[1:][-MOST_REFERENCES:]])
        mail["X-Peremena-Case"] = ticket.token
        mail.set_content(body, cte="quoted-printable")
        mail.policy = SMTP.clone(max_line_length=LONGEST_HEADER)
    except (KeyError, ValueError, OSError) as error:
        raise notify.NotSent(f"text_{type(error).__name__}") from None
    return mail


LONGEST_HEADER = 200
"""Characters before a header is folded: a folded subject comes out with another blank here and there, and would differ from its
reply's."""
MOST_REFERENCES = 10
"""Of the messages between the first and this; a header of hundreds is cut or refused on its way."""


def _to_mail(ticket: tickets.Ticket, settings: Settings) -> str | None:
    """Returns a code when it was not taken."""
    if not settings.helpdesk_mail:
        return "no_helpdesk"
    try:
        notify.deliver(write(ticket, settings), str(ticket.id), settings)
    except notify.NotSent as refused:
        return refused.code
    return None


def _to_web(ticket: tickets.Ticket, settings: Settings) -> str | None:
    """Returns a code when it was not taken."""
    if not settings.helpdesk_url:
        return "no_helpdesk"
    try:
        body = tickets.document(ticket, settings, texts=notify.TEXTS)
    except (KeyError, ValueError, OSError) as error:
        return f"text_{type(error).__name__}"
    headers = webhooks.signed_headers(tickets.message_key(ticket), body, [settings.helpdesk_secret], now=utcnow())
    return _post(settings.helpdesk_url, body, headers, settings)[0]


def _post(url: str, body: str, headers: dict[str, str], settings: Settings) -> tuple[str | None, int | None]:
    """Why it was not taken, or None; and the status of the answer, if there was one. Only 2xx means taken."""
    try:
        status = outside.post(url, body.encode(), headers, rules=rules.Rules.of(settings))
    except outside.NotReached as why:
        return why.code, None
    return (None if 200 <= status <= 299 else f"http_{status}"), status
