"""A mail to staff: in the reader's language, sent once, with what is made for it at that moment."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from uuid import UUID

import pytest
from sqlalchemy import select

from cases import outbox, staff_mails, wording
from cases.database import Database, utcnow
from cases.host_tables import StaffMail
from cases.models import Role
from cases.settings import Settings
from cases.staff_mails import Attachment, Made
from tests import factories as a
from tests.workers.mailserver import Box, mail_server
from tests.workers.system import System
from workers import notify, process, queues, upkeep

HALT = {"bound": "overturned_share", "figures": {"wrong": 3, "reviewed": 10, "high": 0.6, "budget": 0.03}, "rolled_back": True}
CONTEXTS = {
    "halted": HALT,
    "rolled_back": {"version": 7, "holds": 3},
    "undo_begun": {"undo_id": "5f0c", "count": 12},
    "second_wanted": {"what": "policy", "version": 7},
}
PAGES = {
    "halted": "/ops\n", "rolled_back": "/ops/policies/7", "undo_begun": "/ops/undo/5f0c", "second_wanted": "/ops/policies/7",
}  # fmt: skip


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


def owe(system: System, kind: str = "halted", locale: str = "en") -> UUID:
    with system.database.transaction() as session:
        lead = a.a_member(session, Role.LEAD, now=utcnow())
        lead.locale = locale
        row = staff_mails.owe(session, lead, kind, key=f"{kind}:1", context=CONTEXTS[kind], now=utcnow())
        assert row is not None
        return row.id


def row(system: System, mail_id: UUID) -> StaffMail:
    with system.database.reading() as session:
        return session.get_one(StaffMail, mail_id)


def by_smtp(system: System, box: Box) -> None:
    process.use(system.settings.model_copy(update={"mail_url": box.url}))


def read(text: str) -> EmailMessage:
    mail = email.message_from_string(text, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


@pytest.mark.parametrize("locale", list(wording.LANGUAGES))
@pytest.mark.parametrize("kind", CONTEXTS)
def test_every_kind_is_written_in_each_language(system: System, box: Box, kind: str, locale: str) -> None:
    by_smtp(system, box)
    assert notify.send_staff_mail(str(owe(system, kind, locale))) == "sent"
    mail = read(box.mails[0])
    body, subject = mail.get_content(), str(mail["Subject"])
    assert "$" not in body + subject and "None" not in body and "%(" not in body and "\n\n\n" not in body
    assert system.settings.staff_url.rstrip("/") + PAGES[kind] in body.replace("\r\n", "\n")
    assert [any("а" <= letter <= "я" for letter in text.lower()) for text in (subject, body)] == [locale in ("ru", "kk")] * 2
    assert mail["Content-Language"] == locale and mail["Auto-Submitted"] == "auto-generated"


def test_a_halt_says_why_with_its_figures_and_the_bound_in_one_mail(system: System, box: Box) -> None:
    by_smtp(system, box)
    one = owe(system)
    assert notify.send_staff_mail(str(one)) == "sent"
    assert notify.send_staff_mail(str(one)) == "not due"
    (mail,) = map(read, box.mails)
    body = " ".join(mail.get_content().split())
    assert "3 of 10 automatic approvals were judged otherwise by people: up to 60% may be wrong, 3% is the budget." in body
    assert "The version that was on its way up was rolled back." in body
    assert box.recipients == [mail["To"]] and mail["Message-ID"] == f"<{one}@localhost>"
    assert row(system, one).sent_at is not None and not system.mails.exists()


def test_a_refused_mail_is_tried_again_under_the_same_id(system: System, box: Box) -> None:
    by_smtp(system, box)
    one = owe(system)
    box.answers["END"] = b"451 try later"
    assert notify.send_staff_mail(str(one)) == "smtp_451"
    waiting = row(system, one)
    assert waiting.sent_at is None and waiting.lease_until is None and waiting.tries == 1 and waiting.next_at > utcnow()
    box.answers.clear()
    with system.database.transaction() as session:
        session.get_one(StaffMail, one).next_at = utcnow() - timedelta(seconds=1)
    assert notify.send_staff_mail(str(one)) == "sent"
    refused, taken = map(read, box.mails)
    assert refused["Message-ID"] == taken["Message-ID"]


def test_files_and_html_are_made_when_it_is_sent(system: System, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    by_smtp(system, box)

    def made(session: object, message: staff_mails.StaffMessage, *, now: object) -> Made:
        words = {"why": "w", "back": "", "at": "now", "page_url": message.staff_url}
        files = (
            Attachment(name="week.pdf", media="application/pdf", data=b"%PDF-1.7 \x00"),
            Attachment(name="week.csv", media="text/csv", data="Неделя\r\n".encode()),
        )
        return Made(words=words, html="<p>Неделя</p>", attachments=files)

    monkeypatch.setitem(staff_mails._makers, "halted", made)
    assert notify.send_staff_mail(str(owe(system))) == "sent"
    mail = read(box.mails[0])
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None and html is not None
    assert "stopped approving" in plain.get_content() and html.get_content().strip() == "<p>Неделя</p>"
    pdf, csv = mail.iter_attachments()
    assert (pdf.get_filename(), pdf.get_content_type(), pdf.get_content()) == ("week.pdf", "application/pdf", b"%PDF-1.7 \x00")
    assert csv.get_filename() == "week.csv" and csv.get_payload(decode=True).decode() == "Неделя\r\n"


def test_a_mistake_in_what_makes_a_mail_is_noted_and_tried_later(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(staff_mails._makers, "halted", lambda *_, **__: 1 / 0)
    one = owe(system)
    assert notify.send_staff_mail(str(one)) == "text_ZeroDivisionError"
    assert row(system, one).lease_until is None and row(system, one).next_at > utcnow()


def test_without_a_mail_server_it_becomes_a_file(system: System) -> None:
    one = owe(system)
    assert notify.send_staff_mail(str(one)) == "sent"
    assert "stopped approving" in (system.mails / f"{one}.eml").read_text()


def test_upkeep_rings_for_what_is_due_and_only_once(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    one, rung = owe(system), []
    monkeypatch.setattr(queues, "waiting", lambda name: set(rung))
    monkeypatch.setattr(queues, "ring_staff_mail", rung.append)
    assert upkeep.ring_staff_mails() == 1 and rung == [one]
    assert upkeep.ring_staff_mails() == 0
    with system.database.transaction() as session:
        assert outbox.take(session, StaffMail, one, now=utcnow()) is not None
    rung.clear()
    assert upkeep.ring_staff_mails() == 0 and rung == []
    with system.database.reading() as session:
        assert session.scalars(select(StaffMail.tries)).all() == [1]
