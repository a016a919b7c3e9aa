"""The jobs that send one mail of an outbox, to a customer or to staff: by SMTP, or as a file where no mail server is named.

A message is sent at least once and, but for a crash between the server's "250" and our note of it, at most once. It
carries the same Message-ID whenever it is sent, so a mail program that gets it twice shows it once.
"""

from __future__ import annotations

import os
import smtplib
import ssl
from contextlib import suppress
from dataclasses import replace
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import UUID

import structlog

from cases import notifications, outbox, staff_mails, staff_words, wording
from cases.database import Database, utcnow
from cases.settings import Settings
from workers import logs, process, queues, report_mail, worker
from workers.faults import fault

log = structlog.get_logger()

KINDS_MADE_BY = (staff_words, report_mail)
"""Modules that register what makes a kind of mail to staff, when they are imported."""
PATIENCE = 6.0
"""Seconds to wait for each answer of the mail server: eight answers fit into the 60 of a job."""
TEXTS = Path(__file__).with_name("mail")


class NotSent(Exception):
    """The message was not taken. `code` says by whom and why, without what the server said: that may hold the address."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def serve() -> None:
    """Send messages until a signal says stop."""
    worker.serve(queues.NOTIFY)


def send_notification(notification_id: str) -> str:
    """Send one message. Safe to run twice: one that is sent, being sent or not due yet is left alone."""
    database, settings = process.database(), process.settings()
    with database.transaction() as session:
        message = notifications.begin_sending(session, UUID(notification_id), now=utcnow())
    if message is None:
        return "not due"
    try:
        deliver(write(message, settings), str(message.id), settings)
    except NotSent as refused:
        with database.transaction() as session:
            notifications.failed(session, message.id, now=utcnow())
        log.warning("not_sent", notification=notification_id, tries=message.tries, code=refused.code)
        return refused.code
    fault("after_sending")
    with database.transaction() as session:
        notifications.sent(session, message.id, now=utcnow())
    log.info("sent", notification=notification_id, tries=message.tries)
    return "sent"


def send_staff_mail(mail_id: str) -> str:
    """Send one mail to a member of staff. Safe to run twice, as above."""
    database, settings = process.database(), process.settings()
    with database.transaction() as session:
        message = staff_mails.begin_sending(session, UUID(mail_id), now=utcnow())
    if message is None:
        return "not due"
    try:
        deliver(write_to_staff(message, database, settings), str(message.id), settings)
    except NotSent as refused:
        with database.transaction() as session:
            staff_mails.failed(session, message.id, now=utcnow())
        log.warning("staff_mail_not_sent", notification=mail_id, type=message.kind, tries=message.tries, code=refused.code)
        return refused.code
    fault("after_sending")
    with database.transaction() as session:
        staff_mails.sent(session, message.id, now=utcnow())
    log.info("staff_mail_sent", notification=mail_id, type=message.kind, tries=message.tries)
    return "sent"


def write(message: notifications.Message, settings: Settings) -> EmailMessage:
    """Return the mail of a message, in its language. Raises NotSent when its text cannot be made.

    A host system may name a language that we do not speak: such a customer is written to in the default one.
    """
    language = wording.language_of(message.locale) or wording.language_of(settings.default_locale) or wording.SOURCE
    message = replace(message, locale=language)
    try:
        words = notifications.in_words(message.context, message.locale)
        subject, body = notifications.render(message.kind, message.locale, words, texts=TEXTS)
        return compose(message.id, message.recipient, language, subject, body, settings)
    except (KeyError, ValueError, OSError) as error:
        raise NotSent(f"text_{type(error).__name__}") from None


def write_to_staff(message: staff_mails.StaffMessage, database: Database, settings: Settings) -> EmailMessage:
    """Return a mail to staff with all that is made for it now. Raises NotSent when that goes wrong, whatever goes wrong.

    Figures, PDF and the like are made by whoever registered the kind; a mistake there must not be tried without end.
    """
    try:
        with database.reading() as session:
            made = staff_mails.make(session, message, now=utcnow())
        subject, body = outbox.render(f"staff_{message.kind}", message.locale, made.words, texts=TEXTS)
        mail = compose(message.id, message.recipient, message.locale, subject, body, settings)
        if made.html is not None:
            mail.add_alternative(made.html, subtype="html", cte="quoted-printable")
        for file in made.attachments:
            maintype, _, subtype = file.media.partition("/")
            mail.add_attachment(file.data, maintype=maintype, subtype=subtype, filename=file.name)
    except Exception as error:
        log.error("staff_mail_not_made", notification=str(message.id), type=message.kind, where=logs.place(error))
        raise NotSent(f"text_{type(error).__name__}") from None
    return mail


def compose(mail_id: UUID, recipient: str, language: str, subject: str, body: str, settings: Settings) -> EmailMessage:
    """Return a mail of plain text. Raises ValueError for an address or subject that no header may hold."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = settings.mail_from
    mail["To"] = recipient
    mail["Subject"] = subject
    mail["Date"] = format_datetime(utcnow())
    domain = parseaddr(settings.mail_from)[1].rpartition("@")[2] or "localhost"
    mail["Message-ID"] = f"<{mail_id}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # no vacation reply, please
    mail.set_content(body, cte="quoted-printable")
    mail["Content-Language"] = language
    return mail


def deliver(mail: EmailMessage, name: str, settings: Settings) -> None:
    """Send `mail`, or keep it as DATA_DIR/mail/`name`.eml when no server is named. Raises NotSent."""
    if settings.mail_url:
        _by_smtp(mail, settings.mail_url)
    else:
        _as_file(mail, settings.data_dir / "mail", name)


def _as_file(mail: EmailMessage, folder: Path, name: str) -> None:
    """Write a file that appears whole or not at all; one that is there already was sent before."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    final, partial = folder / f"{name}.eml", folder / f".{name}.{os.getpid()}"
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(mail.as_bytes(policy=SMTP))
            file.flush()
            os.fsync(file.fileno())
        os.link(partial, final)
    except FileExistsError:
        pass
    except OSError as error:
        raise NotSent(f"file_{type(error).__name__}") from None
    finally:
        partial.unlink(missing_ok=True)


def _by_smtp(mail: EmailMessage, url: str) -> None:
    """Hand `mail` to the server of `url`: smtp:// with STARTTLS, or smtps://. Raises NotSent.

    Nothing goes in clear text over a network: without TLS only a server on this very machine is spoken to.
    """
    parts = urlsplit(url)
    host, secure = parts.hostname or "localhost", parts.scheme == "smtps"
    port = parts.port or (465 if secure else 587)
    context = ssl.create_default_context()
    try:
        server: smtplib.SMTP
        if secure:
            server = smtplib.SMTP_SSL(host, port, timeout=PATIENCE, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=PATIENCE)
        try:
            server.ehlo_or_helo_if_needed()
            if not secure:
                if server.has_extn("starttls"):
                    server.starttls(context=context)
                elif not _is_this_machine(host):
                    raise NotSent("smtp_without_tls")
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(mail)
        finally:
            with suppress(smtplib.SMTPException, OSError):  # once taken it is sent, however the goodbye goes
                server.quit()
            server.close()
    except smtplib.SMTPRecipientsRefused as error:
        (code, _), *_ = error.recipients.values()
        raise NotSent(f"smtp_recipient_{code}") from None
    except smtplib.SMTPResponseException as error:
        raise NotSent(f"smtp_{error.smtp_code}") from None
    except (smtplib.SMTPException, OSError) as error:
        raise NotSent(f"smtp_{type(error).__name__}") from None


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
