"""The page of webhooks and that of the helpdesk, and the commands: what is shown, added, replaced, switched, sent again."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from cases import tickets, webhooks
from cases.host_tables import TicketMessage, WebhookDelivery, WebhookEndpoint
from cases.models import Event, Role
from tests import factories as a
from tests.webapp.staff_fixtures import Browser, Office, make_office

URL = "https://hooks.host.example/peremena"


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    more = {"helpdesk_mail": "help@desk.example", "helpdesk_from": "peremena@lender.example"}
    made = make_office(settings.model_copy(update=more))
    yield made
    made.db.dispose()


@pytest.fixture
def anna(office: Office) -> Browser:
    """An admin who has the page open."""
    browser = office.signed_in(Role.ADMIN, name="Anna Admin")
    browser.get("/ops/webhooks")
    return browser


def plain(answer: Any) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.get_data(as_text=True))))


def an_endpoint(office: Office, **about: Any) -> UUID:
    with office.db.transaction() as db:
        given = {"url": URL, "kinds": webhooks.KINDS, "mode": "live", **about}
        return webhooks.create(db, **given, by=None, now=office.clock())[0].id


def a_delivery(office: Office, endpoint_id: UUID, *, code: str | None = None) -> UUID:
    """One that was taken, or with a code one that was given up."""
    now = office.clock()
    with office.db.transaction() as db:
        sent = webhooks.send_test(db, endpoint_id, by=None, now=now)
        webhooks.begin_sending(db, sent.id, now=now)
        if code is None:
            webhooks.delivered(db, sent.id, status=204, now=now)
        else:
            sent.tries = 15
            webhooks.failed(db, sent.id, code=code, jitter=0.5, now=now)
        return sent.id


def one(office: Office, delivery_id: UUID) -> WebhookDelivery:
    with office.db.reading() as db:
        return db.get_one(WebhookDelivery, delivery_id)


def test_an_endpoint_is_added_and_its_secret_shown_this_once(office: Office, anna: Browser) -> None:
    answer = anna.post("/ops/webhooks", url=URL, mode="live", kinds=["case.approved", "case.rejected"])
    assert answer.status_code == 201 and "no-store" in answer.headers["Cache-Control"]
    (secret,) = re.findall(r"whsec_[A-Za-z0-9+/=]+", plain(answer))
    page = plain(anna.get("/ops/webhooks"))
    assert URL in page and secret not in page and "whsec_" not in page and "case.approved, case.rejected" in page
    with office.db.reading() as db:
        row = db.scalars(select(WebhookEndpoint)).one()
        assert webhooks._secrets(db, row, now=office.clock()) == (secret,)
        who = db.scalars(select(Event.actor_id).where(Event.kind == "webhook_endpoint_added")).one()
    assert row.created_by_kind == "staff" and row.created_by_id == who


def test_what_is_wrong_is_said_at_the_field_and_what_was_typed_stays(anna: Browser) -> None:
    answer = anna.post("/ops/webhooks", url="ftp://hooks.host.example/x", mode="test", kinds=["case.approved"])
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422 and "The address must begin with https://." in page
    assert 'value="ftp://hooks.host.example/x"' in page and 'aria-invalid="true"' in page
    none = anna.post("/ops/webhooks", url=URL, mode="live")
    assert none.status_code == 422 and "Please tick at least one event." in plain(none)


def test_ops_see_health_and_deliveries_and_change_nothing(office: Office) -> None:
    endpoint_id = an_endpoint(office)
    for _ in range(3):
        a_delivery(office, endpoint_id)
    a_delivery(office, endpoint_id, code="tls_certificate")
    olga = office.signed_in(Role.OPS, name="Olga Ops")
    page = plain(olga.get("/ops/webhooks"))
    assert "75" in page and "3 of 4 tried" in page and "its certificate is not good" in page
    assert "Send a test event" not in page and "Add an endpoint" not in page and "Send again" not in page


def test_deliveries_are_found_by_state_event_endpoint_and_case(office: Office, anna: Browser) -> None:
    endpoint_id = an_endpoint(office)
    good, bad = a_delivery(office, endpoint_id), a_delivery(office, endpoint_id, code="timeout")
    with office.db.transaction() as db:
        case_id = a.a_submitted(db, now=office.clock()).id

    def shown(query: str) -> set[str]:
        page = anna.get(f"/ops/webhooks?{query}").get_data(as_text=True)
        return set(re.findall(r'/ops/webhooks/deliveries/([0-9a-f-]{36})"', page))

    assert shown("outcome=failed") == {str(bad)} and shown("outcome=delivered") == {str(good)}
    (about_case,) = shown(f"case={case_id}")
    assert shown("kind=case.submitted") == {about_case} and len(shown(f"endpoint={endpoint_id}")) == 3
    assert len(shown("outcome=nonsense&case=nonsense&after=nonsense")) == 3


def test_one_delivery_shows_its_body_and_is_sent_again(office: Office, anna: Browser) -> None:
    delivery_id = a_delivery(office, an_endpoint(office), code="http_500")
    page = plain(anna.get(f"/ops/webhooks/deliveries/{delivery_id}"))
    assert '"type": "webhook.test"' in page and "answered 500" in page and one(office, delivery_id).webhook_id in page
    assert anna.post(f"/ops/webhooks/deliveries/{delivery_id}/replay").status_code == 303
    assert one(office, delivery_id).outcome == "waiting"
    again = anna.post(f"/ops/webhooks/deliveries/{delivery_id}/replay")
    assert again.status_code == 409 and "still being tried" in plain(again)


def test_all_that_failed_is_sent_again_at_once(office: Office, anna: Browser) -> None:
    endpoint_id = an_endpoint(office)
    failed = [a_delivery(office, endpoint_id, code="timeout") for _ in range(2)]
    assert anna.post(f"/ops/webhooks/{endpoint_id}/replay", since="24").status_code == 303
    assert "2 deliveries are sent again." in plain(anna.get("/ops/webhooks"))
    assert {one(office, delivery_id).outcome for delivery_id in failed} == {"waiting"}
    assert anna.post(f"/ops/webhooks/{endpoint_id}/replay", since="7").status_code == 422


def test_an_endpoint_is_switched_off_and_on_and_removed(office: Office, anna: Browser) -> None:
    endpoint_id = an_endpoint(office)
    assert anna.post(f"/ops/webhooks/{endpoint_id}/off").status_code == 303
    assert "switched off by hand" in plain(anna.get("/ops/webhooks"))
    assert anna.post(f"/ops/webhooks/{endpoint_id}/test").status_code == 409
    assert anna.post(f"/ops/webhooks/{endpoint_id}/on").status_code == 303
    assert anna.post(f"/ops/webhooks/{endpoint_id}/test").status_code == 303
    assert anna.post(f"/ops/webhooks/{endpoint_id}/remove").status_code == 303
    assert "No endpoint yet" in plain(anna.get("/ops/webhooks"))
    assert anna.post(f"/ops/webhooks/{endpoint_id}/test").status_code == 404


def test_a_new_secret_is_shown_once_and_the_old_goes_on_for_as_long_as_was_said(office: Office, anna: Browser) -> None:
    endpoint_id = an_endpoint(office)
    answer = anna.post(f"/ops/webhooks/{endpoint_id}/secret", overlap="168")
    assert answer.status_code == 201 and "whsec_" in plain(answer)
    with office.db.reading() as db:
        assert db.get_one(WebhookEndpoint, endpoint_id).old_secret_until == office.clock() + timedelta(days=7)
    assert "Old secret signs until" in plain(anna.get("/ops/webhooks"))
    assert anna.post(f"/ops/webhooks/{endpoint_id}/secret", overlap="9999").status_code == 422


def test_two_who_change_one_endpoint_do_not_overwrite_each_other(office: Office, anna: Browser) -> None:
    endpoint_id = an_endpoint(office)
    first = anna.post(f"/ops/webhooks/{endpoint_id}/change", url="https://a.example/", kinds=["case.approved"], version="1")
    second = anna.post(f"/ops/webhooks/{endpoint_id}/change", url="https://b.example/", kinds=["case.approved"], version="1")
    assert (first.status_code, second.status_code) == (303, 409)
    with office.db.reading() as db:
        assert db.get_one(WebhookEndpoint, endpoint_id).url == "https://a.example/"
    wrong = anna.post(f"/ops/webhooks/{endpoint_id}/change", url="https://u:p@a.example/", kinds=["case.approved"], version="2")
    assert wrong.status_code == 422 and "leave name and password out" in plain(wrong)


def test_the_helpdesks_page_tells_what_failed_and_tries_it_again(office: Office, anna: Browser) -> None:
    with office.db.transaction() as db:
        case_id = a.an_in_review(db, now=office.clock()).id
    page = plain(anna.get("/ops/helpdesk"))
    assert tickets.token(case_id) in page and "a new ticket" in page and "by mail" in page and "not taken yet" in page
    with office.db.transaction() as db:
        row = db.scalars(select(TicketMessage)).one()
        row.given_up_at, row.last_code, row.tries = office.clock(), "smtp_550", 14
        message_id = row.id
    assert "smtp_550" in plain(anna.get("/ops/helpdesk?outcome=failed"))
    assert anna.post(f"/ops/helpdesk/{message_id}/again").status_code == 303
    assert anna.post(f"/ops/helpdesk/{message_id}/again").status_code == 409


def test_commands_do_what_the_page_does(office: Office) -> None:
    run = office.app.test_cli_runner().invoke
    added = run(args=["webhook", "add", URL, "--kind", "case.approved", "--test"])
    assert added.exit_code == 0 and "whsec_" in added.output
    endpoint_id = re.findall(r"[0-9a-f-]{36}", added.output)[0]
    listed = run(args=["webhook", "list"]).output
    assert URL in listed and "test" in listed and "only case.approved" in listed and "whsec_" not in listed
    sent = run(args=["webhook", "test", endpoint_id]).output
    delivery_id = re.findall(r"[0-9a-f-]{36}", sent)[0]
    assert delivery_id in run(args=["webhook", "deliveries", "--outcome", "waiting"]).output
    assert run(args=["webhook", "replay", delivery_id]).exit_code == 1
    assert "whsec_" in run(args=["webhook", "rotate", endpoint_id, "--hours", "0"]).output
    assert run(args=["webhook", "switch", endpoint_id, "off"]).exit_code == 0
    assert run(args=["webhook", "test", endpoint_id]).exit_code == 1
    assert run(args=["webhook", "switch", endpoint_id, "on"]).exit_code == 0
    assert "1 sent again" in run(args=["webhook", "replay", endpoint_id, "--hours", "1"]).output
    assert run(args=["webhook", "remove", endpoint_id]).exit_code == 0
    assert "no endpoint" in run(args=["webhook", "list"]).output
    refused = run(args=["webhook", "add", "https://u:p@hooks.host.example/"])
    assert refused.exit_code == 1 and "url_userinfo" in refused.output
