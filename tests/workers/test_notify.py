"""One message of the outbox: written in her language, sent once, tried again when it is not taken."""

from __future__ import annotations

import email
import email.policy
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from uuid import UUID

import pytest
from sqlalchemy import select

from cases import notifications, wording
from cases.database import Database, utcnow
from cases.models import Case, Event, Notification
from cases.settings import Settings
from tests import leaks
from tests.workers.mailserver import Box, mail_server
from tests.workers.system import System
from workers import notify, process


@pytest.fixture
def box() -> Iterator[Box]:
    with mail_server() as running:
        yield running


@pytest.fixture
def system(database: Database, settings: Settings) -> Iterator[System]:
    """No workers, no Redis: the job is called here."""
    made = System(settings)
    process.use(made.settings)
    yield made
    process.close()
    made.close()


def owe(system: System, kind: str, **case_fields: object) -> UUID:
    """Owe one message about a new case."""
    case_id = system.submit(ring=False)
    with system.database.transaction() as session:
        case = session.get_one(Case, case_id)
        for name, value in case_fields.items():
            setattr(case, name, value)
        session.flush()
        (row,) = notifications.add(session, case, kind, now=utcnow())
        return row.id


def row(system: System, notification_id: UUID) -> Notification:
    with system.database.reading() as session:
        return session.get_one(Notification, notification_id)


def make_due(system: System, notification_id: UUID) -> None:
    with system.database.transaction() as session:
        session.get_one(Notification, notification_id).next_at = utcnow() - timedelta(seconds=1)


def by_smtp(system: System, box: Box) -> None:
    process.use(system.settings.model_copy(update={"mail_url": box.url}))


def read(text: str | bytes) -> EmailMessage:
    data = text.encode() if isinstance(text, str) else text
    mail = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


@pytest.mark.parametrize("locale", list(wording.LANGUAGES))
@pytest.mark.parametrize("kind", notifications.KINDS)
def test_every_kind_has_a_text_in_each_language(system: System, kind: str, locale: str) -> None:
    one = owe(system, kind, locale=locale, due_at=utcnow(), retake=["document", "selfie"])
    assert notify.send_notification(str(one)) == "sent"
    mail = read((system.mails / f"{one}.eml").read_bytes())
    body, subject = mail.get_content(), str(mail["Subject"])
    assert "$" not in body + subject and "None" not in body
    assert system.settings.portal_url in body
    has_cyrillic = [any("а" <= letter <= "я" for letter in text.lower()) for text in (subject, body)]
    assert has_cyrillic == [locale in ("ru", "kk")] * 2
    leaks.look(body + subject, "a mail")
    assert mail["Content-Language"] == locale
    assert mail["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize(("named", "language"), [("kk-KZ", "kk"), ("es_MX", "es"), ("de", "ru"), ("", "ru"), ("../en", "ru")])
def test_a_language_we_do_not_speak_is_answered_in_the_default_one(system: System, named: str, language: str) -> None:
    one = owe(system, "in_review", locale=named, due_at=datetime(2026, 11, 27, tzinfo=UTC))
    assert notify.send_notification(str(one)) == "sent"
    mail = read((system.mails / f"{one}.eml").read_bytes())
    assert mail["Content-Language"] == language and system.settings.default_locale == "ru"
    day = {"ru": "27 ноября 2026 г.", "kk": "2026 ж. 27 қараша", "es": "27 de noviembre de 2026"}[language]
    assert day in " ".join(mail.get_content().split())


def test_what_is_made_or_may_still_be_made_carries_this_was_not_me(system: System) -> None:
    bodies = {}
    for kind in notifications.KINDS:
        one = owe(system, kind)
        notify.send_notification(str(one))
        bodies[kind] = read((system.mails / f"{one}.eml").read_bytes()).get_content()
    assert [kind for kind, body in bodies.items() if "/not-me/" in body] == [
        *("approved", "approved_in_part", "needs_retake", "in_review", "rechecked")
    ]
    assert all("/links/" in bodies[kind] for kind in ("needs_retake", "in_review")), "and the way to the request"


def test_a_retake_names_the_photo(system: System) -> None:
    one = owe(system, "needs_retake", locale="en", retake=["selfie"])
    notify.send_notification(str(one))
    body = read((system.mails / f"{one}.eml").read_bytes()).get_content()
    assert "take this again: selfie." in body


def test_a_message_goes_out_once(system: System, box: Box) -> None:
    by_smtp(system, box)
    one = owe(system, "in_review")
    assert notify.send_notification(str(one)) == "sent"
    assert notify.send_notification(str(one)) == "not due"
    (mail,) = map(read, box.mails)
    assert mail["Message-ID"] == f"<{one}@localhost>"
    assert box.recipients == [mail["To"]]
    assert row(system, one).sent_at is not None
    assert not system.mails.exists(), "no copy of it stays here"


def test_two_senders_at_once_send_one(system: System, box: Box) -> None:
    by_smtp(system, box)
    one = owe(system, "in_review")
    with system.database.transaction() as session:
        assert notifications.begin_sending(session, one, now=utcnow()) is not None  # the other one
    assert notify.send_notification(str(one)) == "not due"
    assert box.mails == []


def test_a_refused_message_is_tried_again_later_under_the_same_id(system: System, box: Box) -> None:
    by_smtp(system, box)
    one = owe(system, "in_review")
    box.answers["END"] = b"451 try later"
    began = utcnow()
    assert notify.send_notification(str(one)) == "smtp_451"
    waiting = row(system, one)
    assert waiting.sent_at is None and waiting.lease_until is None and waiting.tries == 1
    assert waiting.next_at - began >= timedelta(seconds=59)
    assert notify.send_notification(str(one)) == "not due"
    box.answers.clear()
    make_due(system, one)
    assert notify.send_notification(str(one)) == "sent"
    refused, taken = map(read, box.mails)
    assert refused["Message-ID"] == taken["Message-ID"]


def test_waits_grow_and_end(system: System) -> None:
    process.use(system.settings.model_copy(update={"mail_url": "smtp://127.0.0.1:1"}))
    one = owe(system, "in_review")
    waits = []
    for _ in range(notifications.GIVE_UP_AFTER):
        make_due(system, one)
        assert notify.send_notification(str(one)) == "smtp_ConnectionRefusedError"
        waits.append(round((row(system, one).next_at - utcnow()).total_seconds() / 60))
    assert waits[:4] == [1, 2, 4, 8] and waits[-2] == 6 * 60  # minutes
    assert row(system, one).given_up_at is not None
    make_due(system, one)
    assert notify.send_notification(str(one)) == "not due"
    with system.database.reading() as session:
        assert session.scalars(select(Event.kind).where(Event.kind == "notification_given_up")).all() == ["notification_given_up"]


def test_a_bad_goodbye_does_not_send_it_again(system: System, box: Box) -> None:
    by_smtp(system, box)
    box.answers["QUIT"] = b"500 no"
    assert notify.send_notification(str(owe(system, "in_review"))) == "sent"


@pytest.mark.parametrize(
    ("command", "answer", "code"),
    [("RCPT", b"550 nobody@here", "smtp_recipient_550"), ("MAIL", b"421 busy", "smtp_421")],
)
def test_what_the_server_said_is_not_repeated(system: System, box: Box, command: str, answer: bytes, code: str) -> None:
    by_smtp(system, box)
    box.answers[command] = answer
    assert notify.send_notification(str(owe(system, "in_review"))) == code


def test_nothing_goes_over_a_network_in_clear_text(system: System, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    by_smtp(system, box)
    monkeypatch.setattr(notify, "_is_this_machine", lambda host: False)
    assert notify.send_notification(str(owe(system, "in_review"))) == "smtp_without_tls"
    assert box.mails == [] and box.recipients == []


def test_a_file_appears_whole_once_and_for_the_owner_only(system: System) -> None:
    one = owe(system, "approved")
    notify.send_notification(str(one))
    file = system.mails / f"{one}.eml"
    first = file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    notify.deliver(EmailMessage(), str(one), system.settings)  # sent before, but the note of it was lost
    assert file.read_bytes() == first
    assert [entry.name for entry in system.mails.iterdir()] == [file.name]


def test_an_address_cannot_smuggle_in_a_header(system: System) -> None:
    message = notifications.Message(
        id=UUID(int=1), case_id=None, kind="expired", locale="en", recipient="a@example.org\nBcc: b@example.org", tries=1,
        context={"portal_url": "", "case_url": "", "not_me_url": ""},
    )  # fmt: skip
    with pytest.raises(notify.NotSent, match="text_ValueError"):
        notify.write(message, system.settings)
