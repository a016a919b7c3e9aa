"""The page of queues: what waits, who works, what failed, and that trying again is recorded and refused where it is no use."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from cases import audit, backlog, notifications, runs, supporting, webhooks
from cases.backlog import Failed, Why
from cases.desk_tables import Paper, PaperKind
from cases.host_tables import TicketMessage, WebhookDelivery
from cases.lifecycle import State
from cases.models import Case, Event, Heartbeat, Notification, Role, Staff
from cases.staff import NotAllowed
from tests import factories as a
from tests.webapp.staff_fixtures import Browser, Office, a_case, make_office
from verification.evidence import Step
from workers import queues


class Redis:
    """What the page asks of `workers.queues`, without a server."""

    def __init__(self) -> None:
        self.failed = dict.fromkeys(queues.JOBS, 0)
        self.away = False
        self.goes_away = False  # between a look and the removal

    def rings(self) -> list[queues.Rings]:
        if self.away:
            raise queues.RingFailed("ConnectionError")
        return [queues.Rings(queue=name, rings=7, started=3, failed=self.failed[name]) for name in queues.JOBS]

    def failed_ones(self, name: str) -> list[str]:
        if self.away:
            raise queues.RingFailed("ConnectionError")
        return [str(number) for number in range(self.failed[name])]

    def discard_failed(self, name: str, job_ids: list[str]) -> int:
        if self.away or self.goes_away:
            raise queues.RingFailed("ConnectionError")
        self.failed[name] -= len(job_ids)
        return len(job_ids)


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Redis:
    acted = Redis()
    monkeypatch.setattr(queues, "rings", acted.rings)
    monkeypatch.setattr(queues, "failed", acted.failed_ones)
    monkeypatch.setattr(queues, "discard_failed", acted.discard_failed)
    return acted


@pytest.fixture
def office(settings: Any, database: Any, redis: Redis) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def olga(office: Office) -> Browser:
    return office.signed_in(Role.OPS, name="Olga Ops")


def plain(answer: Any) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.get_data(as_text=True))))


def line(browser: Browser, name: str) -> list[str]:
    """The cells of one row of a table of the page."""
    page = browser.get("/ops/queues").get_data(as_text=True)
    row = re.search(rf'<tr><th scope="row">{re.escape(name)}</th>(.*?)</tr>', page, re.S)
    assert row, name
    return [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", row[1], re.S)]


def kinds(office: Office) -> list[str]:
    with office.db.reading() as db:
        return list(db.scalars(select(Event.kind).order_by(Event.id)))


def given_up(office: Office, seed: int = 1) -> UUID:
    """A message that left after no try; a customer of her own for each seed."""
    with office.db.transaction() as db:
        case = a_case(db, now=office.clock(), seed=seed)
        row = db.scalars(select(Notification).where(Notification.case_id == case.id)).first()
        row.tries = notifications.GIVE_UP_AFTER
        notifications.failed(db, row.id, now=office.clock())
        assert row.given_up_at
        return row.id


def test_depth_and_age_come_from_the_database(office, olga, now):
    with office.db.transaction() as db:
        a.a_submitted(db, now=now)
        a.a_submitted(db, now=now + timedelta(minutes=2))
    office.clock.forward(minutes=12)
    waiting, oldest, busy, rings, started, failed, _button = line(olga, "Requests to look at")
    assert (waiting, oldest, busy, rings, started, failed) == ("2", "12 min", "0", "7", "3", "0")
    with office.db.transaction() as db:
        case = a.a_submitted(db, now=now)
        a.begun(db, case, now=now)
    assert line(olga, "Requests to look at")[:3] == ["2", "12 min", "1"]
    assert line(olga, "Faces to search for")[:2] == ["0", "–"]


def test_a_silent_worker_and_a_missing_kind_are_told(office, olga, now):
    with office.db.transaction() as db:
        db.add_all([Heartbeat(name="verify:box:41", at=now), Heartbeat(name="notify:box:42", at=now - timedelta(minutes=5))])
    page = plain(olga.get("/ops/queues"))
    assert "verify box 41 0 s alive" in page and "notify box 42 5 min silent" in page
    assert "kind “notify”" in page and "kind “upkeep”" in page and "kind “verify”" not in page


def test_the_page_stands_without_redis(olga, redis):
    redis.away = True
    answer = olga.get("/ops/queues")
    assert answer.status_code == 200 and "Redis does not answer" in plain(answer)
    olga.fresh("/ops/queues")
    assert olga.post("/ops/queues/rings/verify/discard").status_code == 503


def test_failed_rings_are_discarded_and_that_is_recorded(office, olga, redis):
    assert "Discard failed" not in plain(olga.get("/ops/queues"))
    redis.failed["verify"] = 4
    assert "Discard failed" in plain(olga.get("/ops/queues"))
    assert olga.post("/ops/queues/rings/verify/discard").status_code == 303
    assert redis.failed["verify"] == 0 and "4 failed rings were removed" in plain(olga.get("/ops/queues"))
    with office.db.reading() as db:
        event = db.scalars(select(Event).where(Event.kind == "failed_rings_discarded")).one()
        assert event.details == {"queue": "verify", "count": 4} and event.actor_kind == "staff"
    assert olga.post("/ops/queues/rings/default/discard").status_code == 404


def test_a_removal_is_recorded_before_anything_is_removed(office, olga, redis, monkeypatch):
    seen: list[int] = []

    def dies(name: str, job_ids: list[str]) -> int:
        seen.append(kinds(office).count("failed_rings_discarded"))
        raise SystemExit("killed between the two")

    olga.fresh("/ops/queues")
    redis.failed["verify"] = 4
    monkeypatch.setattr(queues, "discard_failed", dies)
    with pytest.raises(SystemExit):
        olga.post("/ops/queues/rings/verify/discard")
    assert seen == [1]


def test_what_redis_did_not_remove_is_recorded_as_kept(office, olga, redis):
    olga.fresh("/ops/queues")
    redis.failed["verify"], redis.goes_away = 4, True
    answer = olga.post("/ops/queues/rings/verify/discard")
    assert answer.status_code == 503 and "may still lie there" in plain(answer) and redis.failed["verify"] == 4
    with office.db.reading() as db:
        event = db.scalars(select(Event).where(Event.kind == "failed_rings_kept")).one()
        assert event.details == {"queue": "verify", "count": 4}
    assert kinds(office)[-2:] == ["failed_rings_discarded", "failed_rings_kept"]
    redis.failed["verify"], redis.goes_away = 0, False
    assert olga.post("/ops/queues/rings/verify/discard").status_code == 303
    assert kinds(office).count("failed_rings_discarded") == 1, "nothing lay there: nothing to record"


def test_a_message_given_up_is_tried_again_once(office, olga):
    lost = given_up(office)
    page = plain(olga.get("/ops/queues"))
    assert "Messages given up 1" in page and "Try again" in page
    assert olga.post("/ops/queues/failed/notification/again", only=lost).status_code == 303
    with office.db.reading() as db:
        row = db.get_one(Notification, lost)
        assert (row.tries, row.given_up_at) == (0, None) and lost in notifications.due(db, now=office.clock())
        event = db.scalars(select(Event).where(Event.kind == "notification_resent")).one()
        assert event.details == {"notification_id": str(lost), "notification": row.kind, "tries": notifications.GIVE_UP_AFTER}
    again = olga.post("/ops/queues/failed/notification/again", only=lost)
    assert again.status_code == 409 and "somebody was faster" in plain(again)
    assert "Try again" not in plain(olga.get("/ops/queues")) and kinds(office).count("notification_resent") == 1
    assert olga.post("/ops/queues/failed/notification/again", only=uuid4()).status_code == 404
    assert olga.post("/ops/queues/failed/notification/again", only="hers").status_code == 404
    assert olga.post("/ops/queues/failed/abandoned_run/again", only=lost).status_code == 404


def test_a_message_that_was_sent_is_never_sent_again(office, olga, now):
    with office.db.transaction() as db:
        a_case(db, now=now)
        row = db.scalars(select(Notification)).first()
        notifications.sent(db, row.id, now=now)
        sent = row.id
    olga.fresh("/ops/queues")
    assert olga.post("/ops/queues/failed/notification/again", only=sent).status_code == 409
    assert olga.post("/ops/queues/failed/notification/aside", only=sent, why="outdated").status_code == 409
    with office.db.reading() as db:
        assert sent not in notifications.due(db, now=now)


def a_lost_paper(office: Office, now: Any) -> UUID:
    with office.db.transaction() as db:
        case = a.an_in_review(db, now=now)
        paper = Paper(
            customer_id=case.customer_id, case_id=case.id, data_key_id=case.data_key_id, kind=PaperKind.EARLIER_PASSPORTS,
            created_at=now, received_at=now, blob=uuid4().hex, sha256="0" * 64, size=9, tries=supporting.MOST_TRIES,
        )  # fmt: skip
        db.add(paper)
        db.flush()
        assert supporting.begin(db, paper.id, now=now) is None and paper.read_at is not None
        return paper.id


def test_a_paper_that_could_not_be_read_is_read_again(office, olga, now):
    lost = a_lost_paper(office, now)
    assert "Papers that could not be read 1" in plain(olga.get("/ops/queues"))
    assert olga.post("/ops/queues/failed/paper/again", only=lost).status_code == 303
    with office.db.transaction() as db:
        assert supporting.unread(db, now=now) == [lost]
        order = supporting.begin(db, lost, now=now)
        assert order is not None and order.try_number == 1
    assert olga.post("/ops/queues/failed/paper/again", only=lost).status_code == 409


def test_a_paper_of_a_closed_case_is_let_be(office, olga, now):
    lost = a_lost_paper(office, now)
    with office.db.transaction() as db:
        case_id = db.get_one(Paper, lost).case_id
        from cases import intake

        intake.withdraw(db, case_id, now=now)
    assert "Try again" not in plain(olga.get("/ops/queues"))
    assert olga.post("/ops/queues/failed/paper/again", only=lost).status_code == 409


def test_what_is_ticked_is_set_aside_with_a_reason_and_can_be_put_back(office, olga):
    first, second = given_up(office), given_up(office, seed=2)
    assert "Messages given up 2" in plain(olga.get("/ops/queues"))
    aside = "/ops/queues/failed/notification/aside"
    assert "from the list why" in plain(olga.post(aside, thing=[first], why="")) and kinds(office).count("failure_set_aside") == 0
    assert olga.post(aside, thing=[first], why="she moved").status_code == 422
    none = olga.post(aside, why="told")
    assert none.status_code == 422 and "Please tick" in plain(none)
    assert olga.post(aside, thing=[first], why="told").status_code == 303
    page = plain(olga.get("/ops/queues"))
    assert "One was set aside." in page and "Messages given up 1" in page
    assert "Set aside in the last 7 days 1" in page and "told in another way Olga Ops" in page and "Count as failed again" in page
    assert olga.post("/ops/queues/failed/notification/back", only=first).status_code == 303
    assert "Messages given up 2" in plain(olga.get("/ops/queues"))
    assert olga.post(aside, thing=[first, second, first], why="outdated").status_code == 303
    page = plain(olga.get("/ops/queues"))
    assert "2 were set aside." in page and "Messages given up" not in page.split("Set aside in the last")[0]
    assert kinds(office).count("failure_set_aside") == 3


def test_all_that_failed_is_tried_again_and_what_cannot_be_is_said(office, olga, now):
    lost = [given_up(office, seed=seed) for seed in (1, 2, 3)]
    with office.db.transaction() as db:
        taken = db.get_one(Notification, lost[0])
        taken.given_up_at = None
    olga.fresh("/ops/queues")
    assert olga.post("/ops/queues/failed/notification/again", all="1").status_code == 303
    assert "2 are tried again." in plain(olga.get("/ops/queues")) and kinds(office).count("notification_resent") == 2
    assert olga.post("/ops/queues/failed/notification/again", thing=lost[:2]).status_code == 303
    assert "2 were left as they are: It is no longer waiting for that" in plain(olga.get("/ops/queues"))


def test_a_delivery_is_tried_again_from_here_and_looked_at_by_who_may(office, olga, now):
    with office.db.transaction() as db:
        endpoint, _secret = webhooks.create(
            db, url="https://host.example/hooks", kinds=["case.in_review"], mode="live", by=None, now=now
        )
        a.an_in_review(db, now=now)
        endpoint_id = endpoint.id
    with office.db.transaction() as db:
        delivery = db.scalars(select(WebhookDelivery)).one()
        delivery.given_up_at, delivery.last_code, lost = now, "timeout", delivery.id
    assert "Webhooks given up 1 no answer within 10 s 1" in plain(olga.get("/ops/queues"))
    assert f"/ops/webhooks/deliveries/{lost}" in olga.get("/ops/queues").get_data(as_text=True)
    with office.db.transaction() as db:
        webhooks.change(db, endpoint_id, by=None, now=now, enabled=False)
    assert "Its endpoint is off. Switch it on first." in plain(olga.get("/ops/queues"))
    refused = olga.post("/ops/queues/failed/webhook/again", only=lost)
    assert refused.status_code == 409 and "Switch it on first" in plain(refused)
    with office.db.transaction() as db:
        webhooks.change(db, endpoint_id, by=None, now=now, enabled=True)
    assert olga.post("/ops/queues/failed/webhook/again", only=lost).status_code == 303
    with office.db.reading() as db:
        assert webhooks.due(db, now=now) == [lost]
    lead = office.signed_in(Role.LEAD)
    assert "/ops/webhooks/deliveries/" not in lead.get("/ops/queues").get_data(as_text=True)


def test_technical_referrals_and_runs_taken_back_are_told_with_their_reason(office, olga, settings, now):
    with office.db.transaction() as db:
        case = a.a_submitted(db, now=now)
        late = now
        for _ in range(settings.max_runs):
            order = runs.begin(db, case.id, now=late)
            late = order.lease_until + timedelta(seconds=1)
            runs.recover(db, now=late)
        assert case.state is State.IN_REVIEW
    office.clock.at = late
    page = plain(olga.get("/ops/queues"))
    assert f"Runs taken back {settings.max_runs - 1}" in page and "the worker did not finish in time" in page
    assert "technical reason 1" in page and "too many runs without an end" in page
    assert f"opening the photos: {settings.max_runs}" in page
    office.clock.forward(days=8)
    assert "Runs taken back" not in plain(office.signed_in(Role.OPS).get("/ops/queues"))


def test_what_the_host_system_and_the_helpdesk_are_owed_is_shown(office, olga, now):
    with office.db.transaction() as db:
        webhooks.create(db, url="https://host.example/hooks", kinds=["case.in_review"], mode="live", by=None, now=now)
        a.an_in_review(db, now=now)
        case = db.scalars(select(Case)).one()
        message = TicketMessage(case_id=case.id, sink="web", number=1, kind="opened", state="in_review", reasons=[])
        message.created_at = message.next_at = now
        db.add(message)
    with office.db.reading() as db:
        depths = {depth.queue: depth.count for depth in backlog.depths(db, now=now)}
    assert (depths[backlog.Waiting.HOOKS], depths[backlog.Waiting.TICKETS]) == (1, 1)
    assert "Webhooks to send 1" in plain(olga.get("/ops/queues"))


def test_the_slowest_run_stands_first(office, now):
    with office.db.transaction() as db:
        for seed, seconds in enumerate((2.0, 31.5, 4.0)):
            case = a.a_submitted(db, now=now)
            order = a.begun(db, case, now=now)
            found = a.good_evidence(order.claim, order.profile)
            runs.finish(db, order, found, a.a_decision(found), seconds=seconds, now=now + timedelta(seconds=seed))
    with office.db.reading() as db:
        speed = backlog.speed(db, now=now + timedelta(minutes=1))
        assert [seconds for _run, _case, seconds in speed.slowest] == [31.5, 4.0, 2.0]
        assert (speed.runs, speed.median, speed.p99) == (3, 4.0, 31.5)
        assert speed.steps == ()
        assert backlog.speed(db, now=now + timedelta(minutes=1), slowest=0).slowest == ()
        assert backlog.speed(db, now=now + timedelta(days=2)).runs == 0


def test_the_page_says_which_step_takes_the_time(office, olga, now):
    with office.db.transaction() as db:
        for seed in range(10):
            case = a.a_submitted(db, now=now)
            order = a.begun(db, case, now=now)
            found = a.good_evidence(order.claim, order.profile)
            took = {Step.PHOTOS: 0.25, Step.PASSPORT: 1.0 + seed, Step.FACES: 0.5}
            runs.finish(db, order, found, a.a_decision(found), seconds=sum(took.values()), steps=took, now=now)
    with office.db.reading() as db:
        steps = backlog.speed(db, now=now).steps
    assert [(one.step, one.runs, one.median, one.p90) for one in steps] == [
        ("photos", 10, 0.25, 0.25), ("passport", 10, 6.0, 10.0), ("faces", 10, 0.5, 0.5),
    ]  # fmt: skip
    assert "reading the passport 6.00 s 10.00 s 10" in plain(olga.get("/ops/queues"))


@pytest.mark.parametrize("role", [Role.SENIOR_AGENT, Role.AUDITOR])
def test_who_may_only_look_is_offered_nothing_and_refused(office, role, redis, now):
    lost = given_up(office)
    redis.failed["verify"] = 1
    browser = office.signed_in(role)
    page = plain(browser.get("/ops/queues"))
    assert "Messages given up 1" in page and "Try again" not in page and "Discard" not in page
    assert "Set aside" not in page
    for step in ("again", "aside", "back"):
        assert browser.post(f"/ops/queues/failed/notification/{step}", only=lost, why="told").status_code == 403
    assert browser.post("/ops/queues/rings/verify/discard").status_code == 403
    with office.db.transaction() as db:
        member = db.scalars(select(Staff)).first()
        for refused in (
            lambda: backlog.resend(db, lost, agent=member, now=now),
            lambda: backlog.read_again(db, lost, agent=member, now=now),
            lambda: backlog.again(db, Failed.STAFF_MAIL, lost, agent=member, now=now),
            lambda: backlog.again(db, Failed.HOOK, lost, agent=member, now=now),
            lambda: backlog.again(db, Failed.TICKET, lost, agent=member, now=now),
            lambda: backlog.set_aside(db, Failed.NOTIFICATION, lost, why=Why.TOLD, agent=member, now=now),
            lambda: backlog.put_back(db, Failed.NOTIFICATION, lost, agent=member, now=now),
            lambda: backlog.discarding(db, "verify", 1, agent=member, now=now),
            lambda: backlog.kept(db, "verify", 1, agent=member, now=now),
        ):
            with pytest.raises(NotAllowed):
                refused()
    with office.db.reading() as db:
        assert audit.verify(db).ok
