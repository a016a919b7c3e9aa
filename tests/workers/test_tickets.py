"""A referred case is one ticket in the helpdesk: opened, closed, opened again; by mail and by JSON; nothing of the customer."""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from cases import intake, moves, outbox, review, tickets, webhooks, wording
from cases.database import Database, utcnow
from cases.host_tables import TicketMessage
from cases.lifecycle import Action
from cases.models import Event, Role
from cases.settings import Settings, SettingsError
from cases.staff import NotAllowed
from tests import factories as a
from tests import leaks
from tests.conftest import settings_in
from tests.workers.mailserver import Box, mail_server
from tests.workers.receiver import Receiver, receiver
from verification.reasons import ReasonCode
from workers import hooks, notify, process, queues, upkeep

SECRET = webhooks.new_secret()
DESK = "peremena@lender.example"
HELP = "support@lender.zendesk.example"


@pytest.fixture
def box() -> Iterator[Box]:
    with mail_server() as running:
        yield running


@pytest.fixture
def by_mail(database: Database, settings: Settings, box: Box) -> Iterator[Database]:
    """A deployment whose helpdesk takes mails."""
    more = {"mail_url": box.url, "helpdesk_mail": HELP, "helpdesk_from": DESK, "helpdesk_locale": "en"}
    yield from _set(database, settings.model_copy(update=more))


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def by_web(database: Database, settings: Settings, there: Receiver) -> Iterator[Database]:
    """A deployment whose helpdesk takes JSON."""
    more = {"helpdesk_url": f"http://127.0.0.1:{there.port}/in", "helpdesk_secret": SECRET, "helpdesk_locale": "en"}
    yield from _set(database, settings.model_copy(update=more))


def _set(database: Database, settings: Settings) -> Iterator[Database]:
    before = database.info["settings"]
    database.info["settings"] = settings
    process.use(settings)
    yield database
    process.close()
    database.info["settings"] = before


def send_all(database: Database) -> list[str]:
    """Whatever is due, as upkeep rings for it."""
    with database.reading() as session:
        ids = tickets.due(session, now=utcnow())
    return [hooks.send_ticket(str(one)) for one in ids]


def read(text: str) -> EmailMessage:
    mail = email.message_from_bytes(text.encode(), policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def rows(database: Database) -> list[tuple[str, int]]:
    with database.reading() as session:
        found = session.scalars(select(TicketMessage).order_by(TicketMessage.created_at, TicketMessage.number))
        return [(row.kind, row.number) for row in found]


def referred(database: Database, **about: Any) -> UUID:
    with database.transaction() as session:
        return a.an_in_review(session, now=utcnow(), **about).id


def test_off_unless_a_helpdesk_is_set(database: Database) -> None:
    with database.transaction() as session:
        a.a_rejected(session, now=utcnow())
    assert rows(database) == []


def test_a_referral_is_one_mail_with_link_and_reasons_and_nothing_of_the_customer(by_mail: Database, box: Box) -> None:
    case_id = referred(by_mail, new_email=a.NEW_EMAIL)
    assert send_all(by_mail) == ["sent"] and send_all(by_mail) == []
    (mail,) = map(read, box.mails)
    assert box.recipients == [HELP] and mail["From"] == DESK and mail["To"] == HELP
    assert mail["Subject"] == f"[#case-{case_id.hex[:12]}] Request to change details: a person is needed"
    body = mail.get_content()
    assert f"/desk/cases/{case_id}" in body and "contact_changes" in body and "- " in body and "$" not in body
    assert mail["In-Reply-To"] is None and mail["Auto-Submitted"] is None, "Zendesk suspends mails that say they are automatic"
    leaks.look(body + str(mail["Subject"]), "a ticket")
    assert not list(mail.iter_attachments())


def test_the_ticket_is_closed_with_the_case_and_opened_again_with_it_in_one_thread(by_mail: Database, box: Box) -> None:
    with by_mail.transaction() as session:
        case_id = a.a_rejected(session, now=utcnow()).id
    assert rows(by_mail) == [], "referred and refused within one transaction, as only a test does: nobody need hear of it"
    case_id = referred(by_mail)
    send_all(by_mail)
    with by_mail.transaction() as session:
        intake.withdraw(session, case_id, now=utcnow())
    send_all(by_mail)
    first, second = map(read, box.mails)
    assert second["Subject"] == f"Re: {first['Subject']}"
    assert second["In-Reply-To"] == first["Message-ID"] and second["References"] == first["Message-ID"]
    assert "please solve and close this ticket" in second.get_content()
    assert first["Message-ID"] != second["Message-ID"] and first["From"] == second["From"]


def test_a_refused_case_that_is_appealed_opens_its_ticket_again(by_mail: Database, box: Box) -> None:
    case_id = referred(by_mail)
    with by_mail.transaction() as session:
        agent = a.a_member(session, now=utcnow())
        case = review.take(session, case_id, agent=agent, now=utcnow())
        why = (ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER,)
        refusal = review.Disposal(action="reject", reasons=why, note="No.", seen_version=case.version)
        review.dispose(session, case_id, refusal, agent=agent, now=utcnow())
    with by_mail.transaction() as session:
        intake.appeal(session, case_id, now=utcnow())
    assert rows(by_mail) == [("opened", 1), ("closed", 2), ("reopened", 3)]
    while send_all(by_mail):
        _every_wait_is_over(by_mail)
    first, second, third = map(read, box.mails)
    assert third["References"] == f"{first['Message-ID']} {second['Message-ID']}" and third["In-Reply-To"] == first["Message-ID"]
    assert "open this ticket again" in " ".join(third.get_content().split())


def _every_wait_is_over(database: Database) -> None:
    with database.transaction() as session:
        for row in session.scalars(select(TicketMessage)):
            row.next_at = min(row.next_at, utcnow())


def test_a_case_that_comes_back_from_a_retake_is_told_of_in_its_ticket(by_mail: Database) -> None:
    case_id = referred(by_mail)
    with by_mail.transaction() as session:
        case = moves.lock(session, case_id)
        moves.move(session, case, Action.ASK_RETAKE, now=utcnow())
    assert rows(by_mail) == [("opened", 1)], "with the customer it is neither closed nor news"
    with by_mail.transaction() as session:
        intake.ask_for_person(session, case_id, consent_version=a.CONSENT, now=utcnow())
    assert rows(by_mail) == [("opened", 1), ("reopened", 2)]


def test_what_the_machine_decides_alone_and_what_is_a_sandboxs_makes_no_ticket(by_mail: Database) -> None:
    with by_mail.transaction() as session:
        a.an_approved(session, now=utcnow())
        nobody = a.a_customer(session, now=utcnow())
        nobody.sandbox = True
        a.an_in_review(session, now=utcnow(), customer=nobody)
        case = a.a_submitted(session, now=utcnow())
        intake.withdraw(session, case.id, now=utcnow())
    assert rows(by_mail) == []


def test_a_closing_does_not_overtake_its_opening(by_mail: Database, box: Box) -> None:
    case_id = referred(by_mail)
    box.answers["END"] = b"451 later"
    assert send_all(by_mail) == ["smtp_451"]
    with by_mail.transaction() as session:
        intake.withdraw(session, case_id, now=utcnow())
    box.answers.clear()
    assert send_all(by_mail) == ["not due"], "the opening is still owed"
    _every_wait_is_over(by_mail)
    assert send_all(by_mail) == ["sent", "sent"]
    assert [read(mail)["Subject"][:3] for mail in box.mails[1:]] == ["[#c", "Re:"]


def test_a_ticket_that_is_opened_late_is_closed_after(by_mail: Database, box: Box) -> None:
    case_id = referred(by_mail)
    with by_mail.transaction() as session:
        (opened,) = session.scalars(select(TicketMessage))
        opened.given_up_at, opened.next_at = utcnow(), utcnow()
        opened_id = opened.id
        intake.withdraw(session, case_id, now=utcnow())
    assert send_all(by_mail) == ["sent"], "the closing of a ticket that nobody opened"
    with by_mail.transaction() as session:
        tickets.send_again(session, opened_id, by=None, now=utcnow())
    while send_all(by_mail):
        _every_wait_is_over(by_mail)
    assert [read(mail)["Subject"][:3] for mail in box.mails] == ["Re:", "[#c", "Re:"]


@pytest.mark.parametrize("locale", list(wording.LANGUAGES))
@pytest.mark.parametrize("kind", tickets.KINDS)
def test_every_message_has_a_text_in_each_language(settings: Settings, kind: str, locale: str) -> None:
    ticket = a_ticket(kind, number=1 + tickets.KINDS.index(kind))
    set_to = settings.model_copy(update={"helpdesk_locale": locale, "helpdesk_mail": HELP, "helpdesk_from": DESK})
    mail = hooks.write(ticket, set_to)
    body = mail.get_content()
    assert "$" not in body and "/desk/cases/" in body and ticket.token in body
    assert any("а" <= letter <= "я" for letter in body.lower()) == (locale in ("ru", "kk"))


def a_ticket(kind: str = "opened", *, number: int = 1) -> tickets.Ticket:
    return tickets.Ticket(
        id=UUID(int=7), case_id=UUID(int=2**127), sink="web", kind=kind, number=number,
        state="in_review" if kind != "closed" else "rejected", reasons=("selfie_blurred", "from_a_later_version"),
        due_at=None if kind == "closed" else utcnow(), created_at=utcnow(), tries=1,
    )  # fmt: skip


def test_json_arrives_signed_and_thin_and_is_tried_again(by_web: Database, there: Receiver) -> None:
    case_id = referred(by_web)
    there.status = 500
    assert send_all(by_web) == ["http_500"]
    there.status = 201
    _every_wait_is_over(by_web)
    assert send_all(by_web) == ["sent"]
    first, second = there.requests
    body = json.loads(second.body)
    assert first.body == second.body and first.headers["webhook-id"] == second.headers["webhook-id"] == body["id"]
    moment = int(second.headers["webhook-timestamp"])
    assert second.headers["webhook-signature"] == webhooks.sign(SECRET, body["id"], moment, second.body.decode())
    assert body["type"] == "ticket.opened" and body["ticket"]["case_id"] == str(case_id)
    assert body["ticket"]["url"].endswith(f"/desk/cases/{case_id}") and body["ticket"]["reasons"]
    leaks.look(second.body.decode(), "a ticket")


def test_the_form_of_the_json_is_the_deployments_own(settings: Settings, tmp_path: Path) -> None:
    form = tmp_path / "form.json"
    form.write_text('{"ticket": {"subject": "$subject", "external_id": "$reference", "tags": ["peremena", "$action"], "n": 3}}')
    said = settings.model_copy(update={"helpdesk_template": form, "helpdesk_locale": "en"})
    found = json.loads(tickets.document(a_ticket(), said, texts=notify.TEXTS))
    assert found["ticket"]["external_id"] == a_ticket().token and found["ticket"]["tags"] == ["peremena", "opened"]
    assert found["ticket"]["n"] == 3 and found["ticket"]["subject"].startswith("[#case-")
    form.write_text('{"text": "$surname"}')
    with pytest.raises(KeyError):
        tickets.document(a_ticket(), said, texts=notify.TEXTS)


def test_a_helpdesks_address_is_judged_like_an_endpoints(by_web: Database, there: Receiver) -> None:
    referred(by_web)
    process.use(process.settings().model_copy(update={"hooks_allow_private": False}))
    assert send_all(by_web) == ["url_scheme"] and there.requests == []


def test_what_was_given_up_can_be_tried_again_by_who_may(by_mail: Database, box: Box) -> None:
    referred(by_mail)
    with by_mail.transaction() as session:
        (row,) = session.scalars(select(TicketMessage))
        with pytest.raises(tickets.NotGivenUp):
            tickets.send_again(session, row.id, by=None, now=utcnow())
        row.tries = outbox.GIVE_UP_AFTER - 1
        message_id = row.id
    box.answers["RCPT"] = b"550 no"
    assert send_all(by_mail) == ["smtp_recipient_550"]
    box.answers.clear()
    with by_mail.transaction() as session:
        ops, admin = a.a_member(session, Role.OPS, now=utcnow()), a.a_member(session, Role.ADMIN, now=utcnow())
        assert [row.last_code for row in tickets.messages(session, by=ops, outcome="failed")] == ["smtp_recipient_550"]
        assert tickets.counts(session, since=utcnow() - timedelta(days=1)) == {"waiting": 0, "sent": 0, "failed": 1}
        with pytest.raises(NotAllowed):
            tickets.send_again(session, message_id, by=ops, now=utcnow())
        tickets.send_again(session, message_id, by=admin, now=utcnow())
        assert session.scalars(select(Event.actor_id).where(Event.kind == "ticket_resent")).all() == [str(admin.id)]
    assert send_all(by_mail) == ["sent"] and len(box.mails) == 1


def test_upkeep_rings_for_messages_that_are_owed(by_mail: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    referred(by_mail)
    rung: list[UUID] = []
    monkeypatch.setattr(queues, "ring_ticket", rung.append)
    monkeypatch.setattr(queues, "waiting", lambda name: set())
    assert upkeep.ring_tickets() == 1 and len(rung) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"helpdesk_url": "https://help.example/", "helpdesk_secret": ""},
        {"helpdesk_mail": HELP},
        {"helpdesk_mail": HELP, "helpdesk_from": "No-Reply <no-reply@lender.example>"},
        {"helpdesk_template": Path("/nowhere/form.json")},
    ],
)
def test_a_helpdesk_that_cannot_work_is_refused_at_the_start(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="HELPDESK"):
        settings_in(tmp_path, **wrong)
