"""Mail owed to staff: who hears of what, once each, and that a row says nothing of a customer."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from cases import halt_words, halts, outbox, rollout, staff, staff_mails, staff_words, switches, undo
from cases.audit import Actor
from cases.halts import Bound
from cases.host_tables import StaffMail
from cases.models import Event, Role, Staff
from cases.ramps import Stage
from cases.undo import Selection
from tests import factories as a
from tests.cases.test_halts import counted
from tests.cases.test_rollout import LOOSER

HOUR = timedelta(hours=1)


def everybody(session, now) -> dict[Role, Staff]:
    return {role: a.a_member(session, role, now=now) for role in Role}


def readers(session, kind=None) -> set:
    rows = session.scalars(select(StaffMail))
    return {row.staff_id for row in rows if kind is None or row.kind == kind}


def the_one(session) -> StaffMail:
    (row,) = session.scalars(select(StaffMail)).all()
    return row


def begun(session, now, **fields):
    lead = a.a_member(session, Role.LEAD, now=now)
    for name, value in fields.items():
        setattr(lead, name, value)
    row = staff_mails.owe(session, lead, "halted", key="halt:1", context={"n": 1}, now=now)
    return row, staff_mails.begin_sending(session, row.id, now=now)


def test_a_halt_is_told_to_everybody_who_may_resume_and_to_nobody_else_once(session, now):
    people = everybody(session, now)
    gone = a.a_member(session, Role.LEAD, now=now)
    staff.change(session, gone, active=False, now=now, actor=Actor.staff(people[Role.ADMIN]))
    counted(session, now, approve=1_001, refer=1_500)
    halt = halts.check(session, now=now + timedelta(seconds=1))
    assert readers(session) == {people[Role.OPS].id, people[Role.LEAD].id}
    row = session.scalars(select(StaffMail)).first()
    assert row.kind == "halted" and row.key == f"halt:{halt.id}"
    assert row.context == {"bound": "approvals_per_hour", "figures": {"approved": 1001, "allowed": 1000}, "rolled_back": False}
    assert halts.check(session, now=now + HOUR) is None
    assert len(session.scalars(select(StaffMail)).all()) == 2


def test_the_same_thing_is_owed_to_a_person_once(session, now):
    one, other = a.a_member(session, Role.OPS, now=now), a.a_member(session, Role.LEAD, now=now)
    owe = {"key": "halt:1", "context": {}, "now": now}
    assert staff_mails.owe(session, one, "halted", **owe) is not None
    assert staff_mails.owe(session, one, "halted", **owe) is None
    assert len(staff_mails.owe_all(session, [one, other], "halted", **owe)) == 1


def test_a_race_for_the_same_thing_ends_in_one_mail(session, now, monkeypatch):
    one = a.a_member(session, Role.OPS, now=now)
    staff_mails.owe(session, one, "halted", key="halt:1", context={}, now=now)
    monkeypatch.setattr(session, "scalar", lambda *_: None)  # as whoever asked before the other committed
    assert staff_mails.owe(session, one, "halted", key="halt:1", context={}, now=now) is None
    monkeypatch.undo()
    assert the_one(session).staff_id == one.id


@pytest.mark.parametrize(
    "context", [{"name": "Анна"}, {"mail": "anna@example.org"}, {"words": "two words"}, {"x": [{"deep": "a b"}]}, {"o": object()}]
)
def test_what_could_be_words_of_a_person_is_refused(session, now, context):
    one = a.a_member(session, Role.OPS, now=now)
    with pytest.raises(ValueError) as refused:
        staff_mails.owe(session, one, "halted", key="k", context=context, now=now)
    assert "anna" not in str(refused.value).lower() and "Анна" not in str(refused.value)


def test_unknown_kinds_and_keys_that_are_sentences_are_refused(session, now):
    one = a.a_member(session, Role.OPS, now=now)
    for kind, key in (("birthday", "k"), ("halted", ""), ("halted", "to Anna")):
        with pytest.raises(ValueError):
            staff_mails.owe(session, one, kind, key=key, context={}, now=now)
    with pytest.raises(ValueError):
        staff_mails.register("birthday", lambda *_: None)


def test_a_proposal_is_told_to_whoever_may_be_the_second_person(session, now):
    people = everybody(session, now)
    switches.to_people(session, by=people[Role.OPS], reason="A look first.", now=now)
    switches.propose_automation(session, by=people[Role.OPS], reason="Found.", now=now)
    row = the_one(session)
    assert row.staff_id == people[Role.LEAD].id and row.context == {"what": "automation", "scope": "all"}


def test_a_loosening_is_told_with_its_version_and_its_rollback_too(session, now):
    people = everybody(session, now)
    ramp = a.ramped(session, LOOSER, by=people[Role.OPS], second=people[Role.LEAD], now=now, to=Stage.FIVE)
    wanted = session.scalars(select(StaffMail).where(StaffMail.kind == "second_wanted")).one()
    assert wanted.staff_id == people[Role.LEAD].id and wanted.context == {"what": "policy", "version": ramp.version}
    rollout.rollback(session, by=people[Role.LEAD], reason="Doubts.", now=now)
    told = session.scalars(select(StaffMail).where(StaffMail.kind == "rolled_back")).one()
    assert told.staff_id == people[Role.OPS].id and told.context == {"version": ramp.version, "holds": 1}


def test_an_undo_is_told_when_it_waits_and_when_it_begins(session, now):
    people = everybody(session, now)
    a.an_approved(session, now=now)
    proposed = undo.propose(session, Selection(version=1), by=people[Role.OPS], reason="Wrong.", now=now + HOUR)
    row = the_one(session)
    assert row.staff_id == people[Role.LEAD].id
    assert row.context == {"what": "undo", "undo_id": str(proposed.id), "count": 1}
    undo.confirm(session, proposed.id, by=people[Role.LEAD], now=now + HOUR)
    assert readers(session, "undo_begun") == {people[Role.OPS].id}, "also who proposed it: another let it begin"


def test_a_mail_that_is_being_sent_is_not_sent_by_another(session, now):
    row, message = begun(session, now)
    assert message.tries == 1 and message.recipient.endswith("staff.test") and message.recipient not in repr(message)
    assert staff_mails.begin_sending(session, row.id, now=now) is None and staff_mails.due(session, now=now) == []
    later = now + outbox.SENDING
    assert staff_mails.due(session, now=later) == [row.id]
    assert staff_mails.begin_sending(session, row.id, now=later).tries == 2
    staff_mails.sent(session, row.id, now=later)
    staff_mails.sent(session, row.id, now=later)
    assert staff_mails.begin_sending(session, row.id, now=later + HOUR) is None
    (event,) = session.scalars(select(Event).where(Event.kind == "staff_mail_sent")).all()
    assert event.details == {"staff_mail_id": str(row.id), "staff_mail": "halted", "staff_id": str(row.staff_id), "tries": 2}


def test_a_mail_that_is_refused_waits_longer_each_time_and_is_given_up(session, now):
    row, _ = begun(session, now)
    staff_mails.failed(session, row.id, now=now)
    assert row.next_at == now + timedelta(minutes=1) and row.given_up_at is None
    row.tries = outbox.GIVE_UP_AFTER
    staff_mails.failed(session, row.id, now=now + HOUR)
    assert row.given_up_at == now + HOUR and staff_mails.due(session, now=now + 9 * HOUR) == []


def test_whose_account_is_closed_is_not_written_to(session, now):
    lead = a.a_member(session, Role.LEAD, now=now)
    row = staff_mails.owe(session, lead, "halted", key="halt:1", context={}, now=now)
    lead.active = False
    assert staff_mails.begin_sending(session, row.id, now=now) is None
    assert row.given_up_at == now and row.sent_at is None


@pytest.mark.parametrize(("chosen", "read"), [("kk", "kk"), ("es-MX", "es"), (None, "ru"), ("de", "ru")])
def test_each_is_written_to_in_her_own_language_else_in_the_default_one(session, now, chosen, read):
    assert begun(session, now, locale=chosen)[1].locale == read


FIGURES = {
    Bound.APPROVALS_PER_HOUR: ({"approved": 1234.0, "allowed": 1000}, ["1,234", "1,000"]),
    Bound.APPROVE_SHARE: ({"approved": 58, "runs": 68, "before": 0.4, "rise": 0.15}, ["58 of 68", "40%"]),
    Bound.OVERTURNED_SHARE: ({"wrong": 3, "reviewed": 10, "high": 0.6032, "budget": 0.03}, ["3 of 10", "60.32%", "3%"]),
    Bound.TECHNICAL_FAILURES: ({"failed": 10, "runs": 22, "allowed": 0.2}, ["10 of 22"]),
    Bound.REFERRAL_BACKLOG: ({"overdue": 201, "allowed": 200}, ["201", "200"]),
}


@pytest.mark.parametrize("bound", list(Bound))
def test_why_names_the_bound_and_its_figures(bound):
    figures, shown = FIGURES[bound]
    said = halt_words.why(bound, figures, "en")
    assert all(one in said for one in shown), said
    assert len({halt_words.why(bound, figures, language) for language in ("ru", "kk", "es", "en")}) == 4


def test_an_undo_that_weighed_the_reviews_before_the_approvals_is_said_too():
    said = halt_words.why(Bound.OVERTURNED_SHARE, {"wrong": 4, "approved": 20, "high": 0.42, "budget": 0.03}, "en")
    assert said.startswith("4 of 20 automatic approvals")


@pytest.mark.parametrize(
    ("context", "said", "page"),
    [
        ({"what": "policy", "version": 7}, "Version 7", "/ops/policies/7"),
        ({"what": "automation", "scope": "all"}, "everything", "/ops"),
        ({"what": "automation", "scope": "country:KAZ"}, "a part of the cases", "/ops"),
        ({"what": "undo", "undo_id": "5f", "count": 12345}, "12,345", "/ops/undo/5f"),
    ],
)
def test_a_second_person_reads_what_waits_and_where(session, now, context, said, page):
    message = staff_mails.StaffMessage(
        id=uuid4(), staff_id=uuid4(), kind="second_wanted", locale="en", recipient="", tries=1, created_at=now,
        staff_url="https://staff.test", context=context,
    )  # fmt: skip
    made = staff_words.second_wanted(session, message, now=now)
    assert said in made.words["what"] and made.words["page_url"] == f"https://staff.test{page}"


@pytest.mark.parametrize("bound", list(Bound))
def test_the_reason_of_a_halt_is_said_in_the_readers_language_and_a_persons_own_words_stay(bound):
    stored = f"{halts.BY_ITSELF}{bound.value.replace('_', ' ')}"
    assert len({halt_words.reason(stored, language) for language in ("ru", "kk", "es", "en")} - {stored}) == 4
    assert halt_words.reason("Halted by itself: said Sam", "ru") == "Halted by itself: said Sam"
