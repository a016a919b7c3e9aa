"""Two weeks of requests before the demo began, so that the weekly report and the figures of the desk have something to show.

Nobody's: made-up accounts ("past-017"), drawn specks for photos, and what a run would have found instead of a run. All else is
the real thing: each request goes through the services of `cases` at the hour it is said to have happened, so the audit trail,
the figures and the report are the system's own. Mails to these people are noted as sent and not written. Needs tests/ as the
specimens do. It is one transaction, so that no worker takes a request half told and no report is made of half a week.
"""

from __future__ import annotations

import heapq
import io
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from PIL import Image
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases import answers, customers, intake, notifications, ratings, reports, review, runs
from cases.lifecycle import State
from cases.models import Case, Notification, Role, Staff
from cases.reports import ReportWeek
from verification.decision import decide
from verification.evidence import Evidence
from verification.reasons import PhotoKind, ReasonCode

if TYPE_CHECKING:
    from types import ModuleType

SEED = 7
"""Of the dice: the same history at every first start, but for the day."""

STORIES = {
    "approved": (8, 15), "retake": (3, 4), "letter": (5, 6), "stranger": (1, 2), "left": (2, 3), "withdrawn": (0, 1),
    "no request": (2, 4),
}  # fmt: skip
"""How many of the week before the last whole one, and of that one, go which way; roughly the shares of lenders whose figures are
public (facts/ecosystem.md 5). Some sixty milliseconds each, two to three seconds in all. The report shows what so few are worth:
intervals are wide, and it says so."""

COUNTRIES = (("RUS", 0.46), ("KAZ", 0.42), ("MEX", 0.07), ("ESP", 0.05))

CONSENT = "demo"


@dataclass
class Past:
    """The history being written. `later` does what is due in the order of time, whoever asked for it."""

    session: Session
    kit: ModuleType
    chance: random.Random
    agents: list[Staff]
    due: list[tuple[datetime, int, Callable[[datetime], None]]] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def later(self, moment: datetime, do: Callable[[datetime], None]) -> None:
        """Do something at a moment."""
        heapq.heappush(self.due, (moment, next(self.numbers), do))

    def run(self, *, until: datetime) -> None:
        """Let it all happen; what would lie after `until` never does."""
        while self.due and self.due[0][0] < until:
            moment, _number, do = heapq.heappop(self.due)
            do(moment)

    def minutes(self, low: float, high: float) -> timedelta:
        """Some stretch of time, to the second."""
        return timedelta(seconds=round(self.chance.uniform(low, high) * 60))


def seed(session: Session, *, now: datetime) -> int:
    """Write the history and make the reports of its two weeks; returns how many requests it has.

    Does nothing where anything was ever asked for. Raises ImportError where the specimens are not installed.
    """
    import tests.factories as kit

    if session.scalar(select(Case.id).limit(1)) is not None:
        return 0
    people = list(session.scalars(select(Staff).where(Staff.active).order_by(Staff.email)))
    agents = [one for one in people if {Role.AGENT.value, Role.SENIOR_AGENT.value} & set(one.roles_held)]
    past = Past(session=session, kit=kit, chance=random.Random(SEED), agents=agents)
    newest = ReportWeek.last_whole(now, time_zone=session.info["settings"].time_zone)
    for at, week in enumerate((newest.before, newest)):
        stories = [story for story, counts in STORIES.items() for _ in range(counts[at])]
        past.chance.shuffle(stories)
        for moment, story in zip(_hours(past, week, len(stories)), stories, strict=True):
            past.later(moment, partial(_arrive, past, story))
    past.run(until=now - timedelta(minutes=5))
    for week in (newest.before, newest):
        reports.make(session, week=week, now=now)
    return int(session.scalar(select(func.count()).select_from(Case)) or 0)


def _speck(number: int) -> bytes:
    """A small picture like no other."""
    out = io.BytesIO()
    Image.new("RGB", (16, 16), (number % 256, number // 256 % 256, 90)).save(out, "PNG")
    return out.getvalue()


def _hours(past: Past, week: ReportWeek, count: int) -> list[datetime]:
    """When they come: by day rather than by night, less on weekends."""
    zone, out = ZoneInfo(week.time_zone), []
    for _ in range(count):
        day = past.chance.choices(range(7), [6, 6, 5, 5, 5, 3, 2])[0]
        local = week.begins.astimezone(zone) + timedelta(days=day)
        out.append(local.replace(hour=past.chance.choices(range(8, 22), [3, 5, 7, 7, 6, 5, 5, 5, 5, 5, 4, 4, 3, 2])[0]))
    return sorted(moment + past.minutes(0, 60) for moment in out)


def _arrive(past: Past, story: str, at: datetime) -> None:
    """Somebody comes by the lender's link, and mostly asks for a change."""
    session, kit = past.session, past.kit
    number = next(past.numbers)
    country = past.chance.choices([c for c, _ in COUNTRIES], [w for _, w in COUNTRIES])[0]
    locale = {"RUS": "ru", "KAZ": "kk"}.get(country, "es")
    customer = customers.upsert(
        session, f"past-{number:03}", kit.PROFILE, email=f"past-{number:03}@demo.test", locale=locale, now=at - timedelta(days=1)
    )
    customers.set_face_on_file(session, customer, _speck(number), quality=kit.GOOD_QUALITY, now=at - timedelta(days=1))
    token = customers.make_link(session, "hand_over", customer, lifetime=timedelta(minutes=15), now=at)
    customers.redeem_link(session, token, "hand_over", now=at)
    if story == "no request":
        return
    at += past.minutes(0.5, 3)
    case = intake.open_case(session, customer, kit.CLAIM, country=country, new_email=None, locale=locale, now=at)
    if story == "left":
        return
    past.later(at + past.minutes(1, 5), partial(_send, past, case, story))


def _photos(past: Past, case: Case, at: datetime, *kinds: PhotoKind) -> None:
    for kind in kinds:
        picture = _speck(next(past.numbers))
        intake.attach_photo(past.session, case.id, kind, picture, past.kit.GOOD_QUALITY, now=at)


def _send(past: Past, case: Case, story: str, at: datetime) -> None:
    _photos(past, case, at, PhotoKind.DOCUMENT, PhotoKind.SELFIE)
    if story == "withdrawn":
        intake.withdraw(past.session, case.id, now=at + past.minutes(1, 2))
        return
    _look(past, case, story, at + past.minutes(0.3, 1))


def _look(past: Past, case: Case, story: str, at: datetime) -> None:
    """Send it, and let the machine say what it says to what it would have found."""
    session, kit = past.session, past.kit
    intake.submit(session, case.id, consent_version=CONSENT, now=at)
    order = runs.begin(session, case.id, now=at + timedelta(seconds=1))
    assert order is not None  # nobody else sees it before the commit
    evidence: Evidence = kit.good_evidence(order.claim, order.profile)
    if story == "letter":
        evidence = kit.a_letter_different(order.claim, order.profile)
    elif story == "stranger":
        evidence = kit.with_measures(evidence, pairs=kit.faces(selfie_document=1.8, selfie_on_file=1.9))
    elif story == "retake":
        evidence = kit.blurred_selfie(order.claim, order.profile)
    evidence = replace(evidence, measures=replace(evidence.measures, country=case.country or "UTO"))
    decision = decide(evidence.measures, order.policy, attempt=order.attempt, standing=order.standing)
    took = past.chance.uniform(4, 11)
    end = at + timedelta(seconds=1 + took)
    state = runs.finish(session, order, evidence, decision, seconds=round(took, 1), now=end)
    if state is State.NEEDS_RETAKE and past.chance.random() < 0.85:
        past.later(end + past.minutes(2, 90), partial(_again, past, case))
    elif state is State.IN_REVIEW:
        past.later(_working(end + past.minutes(6, 150), case), partial(_take, past, case, story))
    elif state is State.APPROVED:
        _after(past, case, end)
    _mails(past, case, end)


def _again(past: Past, case: Case, at: datetime) -> None:
    _photos(past, case, at, PhotoKind.SELFIE)
    _look(past, case, "approved", at + timedelta(seconds=20))


def _working(moment: datetime, case: Case) -> datetime:
    """At night nobody is at the desk: what would come then comes the next morning."""
    local = moment.astimezone(ZoneInfo("Europe/Moscow"))
    if local.hour >= 21:
        return moment + timedelta(hours=11)
    return moment + timedelta(hours=9 - local.hour) if local.hour < 8 else moment


def _take(past: Past, case: Case, story: str, at: datetime) -> None:
    """An agent takes it, looks, and answers; where two are asked for, another one does the same later."""
    session = past.session
    if case.state is not State.IN_REVIEW:
        return
    for agent in past.chance.sample(past.agents, len(past.agents)):
        try:
            review.take(session, case.id, agent=agent, now=at)
        except (review.NotYours, review.TakenBy):
            continue
        past.later(at + past.minutes(0.7, 3.5), partial(_answer, past, case, story, agent))
        return


def _answer(past: Past, case: Case, story: str, agent: Staff, at: datetime) -> None:
    session = past.session
    checked = frozenset(review.rows_to_check(session, case))
    if story == "stranger":
        disposal = review.Disposal(
            action="reject", reasons=(ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER,), note="Another person.", seen_version=case.version
        )
    else:
        disposal = review.Disposal(action="approve", note="Looked at the print.", seen_version=case.version, checked=checked)
    answer = answers.give(session, case.id, disposal, agent=agent, now=at)
    end = at + timedelta(seconds=session.info["settings"].undo_seconds + 1)
    answers.carry_out(session, answer.id, now=end)
    if case.state is State.IN_REVIEW:
        past.later(_working(end + past.minutes(5, 60), case), partial(_take, past, case, story))
    else:
        _after(past, case, end)
    _mails(past, case, end)


def _after(past: Past, case: Case, at: datetime) -> None:
    """Some say how easy it was: more kindly where nobody had to look."""
    if past.chance.random() < 0.45:
        touched = case.state is State.REJECTED
        weights: list[int] = [4, 3, 2, 1, 1] if touched else [1, 1, 2, 6, 8]
        choice = past.chance.choices(ratings.CHOICES, weights)[0]
        past.later(at + past.minutes(1, 400), partial(_rate, past, case, choice))


def _rate(past: Past, case: Case, choice: str, at: datetime) -> None:
    if ratings.may_rate(past.session, case, now=at):
        ratings.give(past.session, case.id, choice, now=at)


def _mails(past: Past, case: Case, at: datetime) -> None:
    """Nobody reads them: noted as sent, so that none is written to a file."""
    ids: Any = past.session.scalars(
        select(Notification.id).where(Notification.case_id == case.id, Notification.sent_at.is_(None))
    ).all()
    for id in ids:
        notifications.sent(past.session, id, now=at + timedelta(seconds=2))
