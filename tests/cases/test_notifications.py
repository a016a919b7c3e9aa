"""The outbox: who hears of what, and that every message leaves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from cases import customers, notifications, profiles, retention
from cases.audit import Actor
from cases.lifecycle import State
from cases.models import Event, Notification, Role
from cases.notifications import GIVE_UP_AFTER, KINDS, SENDING
from tests import factories as a

TEXTS = Path(__file__).resolve().parents[2] / "workers" / "mail"


def owed(session, case):
    return session.scalars(select(Notification).where(Notification.case_id == case.id).order_by(Notification.created_at)).all()


def messages(session, now):
    return [notifications.begin_sending(session, each, now=now) for each in notifications.due(session, now=now)]


def test_an_approval_is_told_to_the_old_and_the_new_address_with_a_way_to_object(session, now, settings):
    case = a.an_approved(session, now=now, new_email=a.NEW_EMAIL)
    told = [m for m in messages(session, now) if m.kind != "in_review"]
    assert {m.recipient for m in told} == {a.OLD_EMAIL, a.NEW_EMAIL}
    assert all(m.kind == "approved" and m.tries == 1 for m in told)
    for message in told:
        address = message.context["not_me_url"]
        assert address.startswith(settings.portal_url)
        token = address.rsplit("/", 1)[1]
        link = customers.redeem_link(session, token, "not_me", now=now)
        assert link.case_id == case.id
    assert customers.report_not_me(session, link, now=now).disputed_at == now


def test_one_address_is_told_once(session, now):
    case = a.an_approved(session, now=now, new_email=a.OLD_EMAIL.upper())
    assert [row.to_old_address for row in owed(session, case)] == [True]


@pytest.mark.parametrize(
    ("state", "kind"),
    [(State.NEEDS_RETAKE, "needs_retake"), (State.IN_REVIEW, "in_review"), (State.EXPIRED, "expired")],
)
def test_until_an_approval_only_the_address_on_file_hears(session, now, state, kind):
    case = a.in_state(session, state, now=now, new_email=a.NEW_EMAIL)
    assert [(row.kind, row.to_old_address) for row in owed(session, case)] == [(kind, True)]
    [message] = messages(session, now)
    assert message.recipient == a.OLD_EMAIL
    if state is State.EXPIRED:
        assert message.context["not_me_url"] == ""
    token = message.context["case_url"].rsplit("/", 1)[1]
    assert customers.redeem_link(session, token, "case", now=now).case_id == case.id
    if state is State.IN_REVIEW:
        assert message.context["due_at"] == case.due_at


@pytest.mark.parametrize("state", [State.NEEDS_RETAKE, State.IN_REVIEW])
def test_the_owner_stops_a_request_from_the_mail_before_anything_is_applied(session, now, state):
    case = a.in_state(session, state, now=now, new_email=a.NEW_EMAIL)
    [message] = messages(session, now)
    assert message.recipient == a.OLD_EMAIL
    link = customers.redeem_link(session, message.context["not_me_url"].rsplit("/", 1)[1], "not_me", now=now)
    assert customers.report_not_me(session, link, now=now).state is State.WITHDRAWN
    assert customers.under_watch(session, case.customer_id, now=now)


def test_a_rejection_and_a_revert_are_told(session, now):
    assert [row.kind for row in owed(session, a.a_rejected(session, now=now))] == ["in_review", "rejected"]
    senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
    case = a.an_approved(session, now=now, new_email=a.NEW_EMAIL)
    profiles.revert(session, case.id, actor=Actor.staff(senior), reason="x", now=now + timedelta(hours=1))
    reverted = [row for row in owed(session, case) if row.kind == "reverted"]
    assert sorted(row.to_old_address for row in reverted) == [False, True]


def test_a_message_that_is_being_sent_is_not_sent_by_another(session, now):
    a.an_approved(session, now=now)
    [first] = notifications.due(session, now=now)
    assert notifications.begin_sending(session, first, now=now) is not None
    assert notifications.begin_sending(session, first, now=now) is None
    assert notifications.due(session, now=now) == []
    assert notifications.due(session, now=now + SENDING) == [first]
    assert notifications.begin_sending(session, first, now=now + SENDING).tries == 2
    notifications.sent(session, first, now=now + SENDING)
    notifications.sent(session, first, now=now + SENDING)
    assert notifications.begin_sending(session, first, now=now + SENDING * 2) is None
    assert session.scalars(select(Event.kind).where(Event.kind == "notification_sent")).all() == ["notification_sent"]


def test_a_failed_message_is_tried_again_later_and_later_and_given_up_at_last(session, now):
    a.an_approved(session, now=now)
    [first] = notifications.due(session, now=now)
    moment, waits = now, []
    for _ in range(GIVE_UP_AFTER):
        assert notifications.begin_sending(session, first, now=moment) is not None
        notifications.failed(session, first, now=moment)
        row = session.get_one(Notification, first)
        if row.given_up_at:
            break
        assert notifications.begin_sending(session, first, now=moment) is None
        waits.append(row.next_at - moment)
        moment = row.next_at
    assert waits[:3] == [timedelta(minutes=m) for m in (1, 2, 4)]
    assert max(waits) == timedelta(hours=6)
    assert timedelta(days=1) < sum(waits, timedelta()) < timedelta(days=4)
    assert row.given_up_at == moment
    assert notifications.due(session, now=moment + timedelta(days=30)) == []
    notifications.failed(session, first, now=moment)


def test_addresses_lie_sealed_and_no_link_lies_anywhere(session, now):
    case = a.an_approved(session, now=now, new_email=a.NEW_EMAIL)
    rows = owed(session, case)
    assert rows and all(b"example.test" not in row.recipient_sealed for row in rows)


def test_a_message_shows_nothing_of_its_context_in_logs(session, now):
    a.an_approved(session, now=now)
    [message] = messages(session, now)
    assert message.context["not_me_url"] not in repr(message)


def test_unknown_kinds_are_refused(session, now):
    case = a.a_draft(session, now=now)
    with pytest.raises(ValueError):
        notifications.add(session, case, "birthday", now=now)
    with pytest.raises(ValueError):
        notifications.render("birthday", "en", {}, texts=TEXTS)


def test_mail_of_a_shredded_case_still_leaves(session, now, settings):
    case = a.a_rejected(session, now=now)
    later = now + timedelta(days=settings.photo_days)
    retention.shred_due(session, now=later)
    assert {m.kind for m in messages(session, later)} == {"in_review", "rejected"}
    assert case.shredded_at == later


def test_rendering_fills_in_and_falls_back_to_english(tmp_path):
    (tmp_path / "approved.en.txt").write_text("Subject: Changed\n\nSee $case_url.\n")
    (tmp_path / "approved.ru.txt").write_text("Subject: Изменено\n\nСмотрите $case_url.\n")
    context = {"case_url": "https://x.test/a"}
    assert notifications.render("approved", "ru-RU", context, texts=tmp_path) == ("Изменено", "Смотрите https://x.test/a.\n")
    assert notifications.render("approved", "de", context, texts=tmp_path) == ("Changed", "See https://x.test/a.\n")
    with pytest.raises(KeyError):
        notifications.render("approved", "en", {}, texts=tmp_path)


@pytest.mark.parametrize("locale", ["ru", "kk", "es", "en"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_text_in_every_language(kind, locale):
    subject, _, body = (TEXTS / f"{kind}.{locale}.txt").read_text(encoding="utf-8").partition("\n")
    assert subject.startswith("Subject: ") and "$" not in subject
    assert len(body) > 100
    assert ("$not_me_url" in body) == (kind in notifications.DISPUTABLE)
