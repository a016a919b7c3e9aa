"""A week of all outcomes, made through the services: decided by machine and people, asked again, undone, appealed, rated.

Every case walks a road drawn for it, step by step, from a moment near one of the week's borders or anywhere around the week; one
step in five is put exactly on a border. For the figures of the weekly report.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from PIL import Image
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cases import answers, conversations, customers, intake, profiles, ratings, retention, review, runs, supporting, undo
from cases.audit import Actor
from cases.desk_tables import PaperKind, QualitySample
from cases.lifecycle import State
from cases.models import Case, Customer, Role, Staff
from cases.reports import ReportWeek
from tests import factories as a
from verification.reasons import PhotoKind, ReasonCode

ROADS = (
    "machine", "machine", "machine", "machine", "retake", "retake_then_person", "person", "person", "rejected", "agent_retake",
    "appeal_upheld", "appeal_won", "asked_for_person", "withdrawn_draft", "withdrawn_at_desk", "expired", "talk", "papers",
    "not_me_stands", "not_me_reverted", "reverted", "undone", "in_part", "waits", "only_link", "draft_left", "came_back", "lost",
)  # fmt: skip

COUNTRIES = ("UTO", "UTO", "UTO", "KAZ", "ESP", None)


@dataclass
class Week:
    """Makes it up. `chance` alone decides."""

    session: Session
    week: ReportWeek
    chance: random.Random
    at: datetime = field(init=False)
    pictures: int = 0
    jumps: bool = True
    trying: list[Customer] = field(default_factory=list)  # of the sandbox, once all is done: agents never see theirs

    def __post_init__(self) -> None:
        start = self.week.before.begins - timedelta(days=3)
        self.agents = [a.a_member(self.session, Role.SENIOR_AGENT, now=start, name=f"Agent {n}") for n in range(7)]
        self.leads = [a.a_member(self.session, Role.LEAD, now=start, name=f"Lead {n}") for n in range(2)]

    def fill(self, cases: int) -> None:
        """Each road several times, from different moments."""
        for n in range(cases):
            self.at = self._moment()
            road = ROADS[n % len(ROADS)]
            getattr(self, f"_{road}")(n // len(ROADS))
        self._borders()
        self._samples()
        for customer in self.trying:
            customer.sandbox = True
            self.session.execute(update(Case).where(Case.customer_id == customer.id).values(trial=True))
        self.session.flush()

    def _moment(self) -> datetime:
        border = self.chance.choice((self.week.begins, self.week.ends))
        where = self.chance.random()
        if where < 0.15:
            return border
        if where < 0.3:
            return border - timedelta(microseconds=1)
        if where < 0.5:
            return border + timedelta(minutes=self.chance.uniform(-90, 90))
        return self.week.begins + timedelta(hours=self.chance.uniform(-100, 180))

    def later(self, low: float, high: float) -> datetime:
        """Go on by so many minutes; sometimes exactly to the next border, where that is nearer than a day."""
        self.at += timedelta(minutes=self.chance.uniform(low, high))
        for border in (self.week.begins, self.week.ends):
            if self.jumps and self.at < border < self.at + timedelta(hours=20) and self.chance.random() < 0.2:
                self.at = border
        return self.at

    def _borders(self) -> None:
        """What chance brings too seldom: sent in one week, with a person in the next; withdrawn before its hour; come again."""
        self.jumps = False
        self.at = self.week.ends - timedelta(minutes=20)
        case = self._sent()
        self._run(case, "retake")
        self.at = self.week.ends + timedelta(hours=5)
        intake.ask_for_person(self.session, case.id, consent_version="1", now=self.at)
        self.at = self.week.begins + timedelta(days=2)
        case = self._referred()
        self.at += timedelta(hours=2)
        intake.withdraw(self.session, case.id, now=self.at)
        self.at = self.week.begins - timedelta(days=6)
        case = self._referred()
        self._answered(case, "reject")
        self.at = self.week.begins + timedelta(days=1)
        intake.appeal(self.session, case.id, now=self.at)
        self.at = self.week.begins + timedelta(days=1)
        case = self._referred()
        self._answered(case, "reject")  # nobody rates this one
        self.at = self.week.ends + timedelta(hours=1)
        intake.appeal(self.session, case.id, now=self.at)
        self._answered(case, "approve")
        ratings.give(self.session, case.id, "very_easy", now=self.later(10, 20))
        self.at = self.week.begins + timedelta(days=4)
        case = self._referred()
        self.at += timedelta(hours=30)  # too late already; what is waited for after that excuses nothing
        agent = self._taken(case, low=1, high=2)
        (row,) = supporting.ask(self.session, case.id, [PaperKind.FAMILY_STATUS], agent=agent, now=self.later(1, 2))
        self.at = self.week.ends + timedelta(days=1)
        supporting.decline(self.session, case.id, row.id, now=self.at)

    # steps

    def _picture(self) -> bytes:
        """Never the same twice: the same photo in two accounts is a reason for a person."""
        self.pictures += 1
        out = io.BytesIO()
        Image.new("RGB", (16, 16), (self.pictures % 256, self.pictures // 256, 77)).save(out, "PNG")
        return out.getvalue()

    def _photos(self, case: Case, *kinds: PhotoKind, at: datetime) -> None:
        for kind in kinds or (PhotoKind.DOCUMENT, PhotoKind.SELFIE):
            intake.attach_photo(self.session, case.id, kind, self._picture(), a.GOOD_QUALITY, now=at)

    def _customer(self, sandbox: bool = False) -> Customer:
        made = a.a_customer(self.session, now=self.at, face=False)
        customers.set_face_on_file(self.session, made, self._picture(), quality=a.GOOD_QUALITY, now=self.at)
        if sandbox:
            self.trying.append(made)
        return made

    def _link(self, customer: Customer) -> None:
        token = customers.make_link(self.session, "hand_over", customer, lifetime=timedelta(days=1), now=self.at)
        customers.redeem_link(self.session, token, "hand_over", now=self.at)

    def _draft(self, *, photos: bool = True, sandbox: bool = False, **about: Any) -> Case:
        customer = self._customer(sandbox)
        if self.chance.random() < 0.8:
            self._link(customer)
        case = a.a_draft(self.session, now=self.later(1, 4), customer=customer, photos=False, **about)
        case.country = country = self.chance.choice(COUNTRIES)
        if country != "UTO":  # as she corrects it: the trail tells the newest
            intake.amend(
                self.session, case.id, a.CLAIM, country=country, new_email=about.get("new_email"), now=self.later(0.1, 1)
            )
        if photos:
            self._photos(case, at=self.later(1, 3))
        return case

    def _sent(self, **about: Any) -> Case:
        case = self._draft(**about)
        return intake.submit(self.session, case.id, consent_version="1", now=self.later(0.5, 5))

    def _run(self, case: Case, outcome: str) -> None:
        order = a.begun(self.session, case, now=self.later(0.01, 0.1))
        evidence = {
            "approve": lambda: a.good_evidence(order.claim, order.profile),
            "retake": lambda: a.blurred_selfie(order.claim, order.profile),
            "refer": lambda: a.with_measures(
                a.good_evidence(order.claim, order.profile),
                pairs=a.faces(selfie_document=5.0) if self.chance.random() < 0.6 else a.faces(document_on_file=4.0),
            ),
        }[outcome]()
        state = a.finished(self.session, order, now=self.later(0.05, 0.3), evidence=evidence)
        expected = {"approve": State.APPROVED, "retake": State.NEEDS_RETAKE, "refer": State.IN_REVIEW}[outcome]
        assert state is expected, case.reasons

    def _referred(self, **about: Any) -> Case:
        case = self._sent(**about)
        self._run(case, "refer")
        return case

    def _taken(self, case: Case, *, low: float = 5, high: float = 2000) -> Staff:
        agents = self.chance.sample(self.agents, len(self.agents))
        self.later(low, high)
        for agent in agents:
            with suppress(review.NotYours):
                review.take(self.session, case.id, agent=agent, now=self.at)
                return agent
        raise AssertionError("nobody may take it")

    def _answered(self, case: Case, action: str, **about: Any) -> None:
        """By as many people as it takes."""
        while case.state is State.IN_REVIEW:
            agent = self._taken(case)
            given: dict[str, Any] = {"action": action, "seen_version": case.version, **about}
            if action == "approve":
                given["checked"] = frozenset(review.rows_to_check(self.session, case))
            elif action == "reject":
                given |= {"reasons": (ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER,), "note": "Not her."}
            else:
                given |= {"reasons": (ReasonCode.SELFIE_BLURRED,), "retake": frozenset({PhotoKind.SELFIE})}
            given.setdefault("note", "Looked.")
            if self.chance.random() < 0.3:
                given["words"] = "Good day."
            at = self.later(0.3, 6)
            answer = answers.give(self.session, case.id, review.Disposal(**given), agent=agent, now=at)
            if answer.state.value == "waiting":
                answers.carry_out(self.session, answer.id, now=answer.until)
            self.session.refresh(case)

    def _write(self, case: Case, agent: Staff | None, low: float, high: float) -> None:
        text = "Good day, please look."
        conversations.write(self.session, case.id, uuid4(), text=text, agent=agent, now=self.later(low, high))

    def _rate(self, case: Case) -> None:
        if self.chance.random() < 0.5:
            ratings.give(self.session, case.id, self.chance.choice(ratings.CHOICES), now=self.later(1, 4000))
            if self.chance.random() < 0.3:
                ratings.give(self.session, case.id, self.chance.choice(ratings.CHOICES), now=self.later(1, 3000))

    # roads

    def _machine(self, n: int) -> None:
        case = self._sent(sandbox=n == 0)
        self._run(case, "approve")
        self._rate(case)

    def _retake(self, n: int) -> None:
        case = self._sent()
        self._run(case, "retake")
        self._photos(case, PhotoKind.SELFIE, at=self.later(5, 3000))
        intake.submit(self.session, case.id, consent_version="1", now=self.later(0.2, 3))
        self._run(case, "approve")
        self._rate(case)

    def _retake_then_person(self, n: int) -> None:
        case = self._sent()
        self._run(case, "retake")
        intake.ask_for_person(self.session, case.id, consent_version="1", now=self.later(5, 3000))
        self._answered(case, "approve")
        self._rate(case)

    def _person(self, n: int) -> None:
        case = self._referred(sandbox=n == 0)
        self._answered(case, "approve")
        self._rate(case)

    def _rejected(self, n: int) -> None:
        case = self._referred()
        self._answered(case, "reject")
        self._rate(case)

    def _agent_retake(self, n: int) -> None:
        case = self._referred()
        self._answered(case, "ask_retake")
        self._photos(case, PhotoKind.SELFIE, at=self.later(5, 2000))
        intake.submit(self.session, case.id, consent_version="1", now=self.later(0.2, 3))
        self._run(case, "approve")

    def _appeal_upheld(self, n: int) -> None:
        self._appealed("reject")

    def _appeal_won(self, n: int) -> None:
        self._appealed("approve")

    def _appealed(self, action: str) -> None:
        case = self._referred()
        self._answered(case, "reject")
        self._rate(case)
        intake.appeal(self.session, case.id, now=self.later(10, 3000))
        agent = self._taken(case)
        self._write(case, agent, 1, 3)
        review.release(self.session, case.id, agent=agent, now=self.later(1, 3))
        self._answered(case, action)
        self._rate(case)

    def _asked_for_person(self, n: int) -> None:
        case = self._draft(photos=False)
        intake.ask_for_person(self.session, case.id, consent_version="1", now=self.later(1, 5))
        self._answered(case, "approve")

    def _withdrawn_draft(self, n: int) -> None:
        intake.withdraw(self.session, self._draft().id, now=self.later(1, 3000))

    def _withdrawn_at_desk(self, n: int) -> None:
        intake.withdraw(self.session, self._referred().id, now=self.later(100, 3000))

    def _expired(self, n: int) -> None:
        case = self._draft(photos=False)
        days = self.session.info["settings"].draft_days
        case.updated_at = self.at - timedelta(days=days, minutes=5)  # as if she had come that long ago
        self.session.flush()
        assert case.id in retention.expire_drafts(self.session, now=self.later(1, 3))

    def _talk(self, n: int) -> None:
        case = self._referred()
        agent = self._taken(case)
        self._write(case, agent, 1, 3)
        self._write(case, None, 10, 900)
        review.release(self.session, case.id, agent=agent, now=self.later(1, 3))
        self._answered(case, "approve")
        self._rate(case)

    def _papers(self, n: int) -> None:
        case = self._referred()
        agent = self._taken(case)
        kinds = (PaperKind.MARRIAGE_CERTIFICATE, PaperKind.FAMILY_STATUS)
        rows = supporting.ask(self.session, case.id, kinds, agent=agent, now=self.later(1, 3))
        if n % 2:
            supporting.receive(self.session, case.id, rows[0].id, self._picture(), now=self.later(100, 3000))
            supporting.decline(self.session, case.id, rows[1].id, now=self.later(1, 300))
        else:
            self.at = rows[0].until + timedelta(seconds=30)  # upkeep comes after it
            supporting.resume_due(self.session, now=self.at)
        self.session.refresh(case)
        self._answered(case, "approve")

    def _not_me(self, case: Case) -> None:
        token = customers.make_link(
            self.session, "not_me", case.customer, case=case, lifetime=timedelta(days=30), now=self.later(5, 2000)
        )
        link = customers.redeem_link(self.session, token, "not_me", now=self.at)
        customers.report_not_me(self.session, link, now=self.at)
        self.session.refresh(case)

    def _not_me_stands(self, n: int) -> None:
        case = self._sent()
        self._run(case, "approve")
        self._not_me(case)
        agent = self.chance.choice(self.agents)
        review.settle_dispute(
            self.session, case.id, agent=agent, note="Called her.", seen_version=case.version, now=self.later(10, 2000)
        )

    def _not_me_reverted(self, n: int) -> None:
        case = self._sent()
        self._run(case, "approve")
        self._not_me(case)
        self._revert(case)

    def _reverted(self, n: int) -> None:
        case = self._sent()
        self._run(case, "approve")
        self._rate(case)
        self._revert(case)

    def _revert(self, case: Case) -> None:
        agent = self.chance.choice(self.agents)
        profiles.revert(self.session, case.id, actor=Actor.staff(agent), reason="Asked for.", now=self.later(10, 3000))

    def _undone(self, n: int) -> None:
        """As `undo.carry_out` does it to one case: many at once would take every other road's approvals too."""
        case = self._sent()
        self._run(case, "approve")
        first, second = self.leads
        approved = case.closed_at
        assert approved is not None
        found = undo.propose(
            self.session,
            undo.Selection(since=approved, until=approved + timedelta(microseconds=1)),
            by=first,
            reason="A bad policy.",
            now=self.later(30, 2000),
        )
        undo.confirm(self.session, found.id, by=second, now=self.later(1, 30))
        row = undo._begun(self.session)
        assert row is not None
        undo._undo_all(self.session, row.id, undo._left(self.session, row.id), now=self.later(0.1, 1))
        row.finished_at = self.at
        self.session.flush()
        self.session.refresh(case)
        if n % 3:
            self._answered(case, "approve")

    def _in_part(self, n: int) -> None:
        case = self._referred(new_email=a.NEW_EMAIL)
        self._answered(case, "approve", with_email=False)

    def _waits(self, n: int) -> None:
        self._referred()

    def _only_link(self, n: int) -> None:
        self._link(self._customer(sandbox=n % 2 == 0))

    def _draft_left(self, n: int) -> None:
        self._draft(photos=n % 2 == 0)

    def _came_back(self, n: int) -> None:
        """A second link, for a request that was sent already, or for a new one after it was closed."""
        case = self._sent()
        if n % 2:
            self._run(case, "approve")
        self.later(10, 3000)
        self._link(case.customer)

    def _lost(self, n: int) -> None:
        """Every run was taken back: a technical referral."""
        case = self._sent()
        settings = self.session.info["settings"]
        for _ in range(settings.max_runs):
            a.begun(self.session, case, now=self.later(0.1, 1))
            self.at += settings.lease
            runs.recover(self.session, now=self.at)
            self.session.refresh(case)
        self._answered(case, "approve")

    def _samples(self) -> None:
        """Blind re-reviews around the week, of machine and people; also of a planted specimen and an overturned answer."""
        some = list(self._closed())
        for number, (case, person) in enumerate(some):
            agent, reviewer = self.chance.sample(self.agents, 2)
            reviewed = self._moment()
            why = "overturned" if number % 4 == 1 else "random"
            agrees = self.chance.random() < 0.7
            self.session.add(
                QualitySample(
                    id=uuid4(), case_id=case.id, event_id=50_000_000 + number, why=why, share=0.05, action="approve", reasons=[],
                    staff_id=agent.id if person else None, answered_at=reviewed, drawn_at=reviewed, reviewer_id=reviewer.id,
                    taken_until=reviewed, reviewed_at=reviewed, verdict="approve" if agrees else "reject", agrees=agrees,
                )
            )  # fmt: skip

    def _closed(self) -> Iterator[tuple[Case, bool]]:
        for number, case in enumerate(
            self.session.scalars(select(Case).where(Case.state == State.APPROVED).order_by(Case.opened_at, Case.customer_id))
        ):
            yield case, number % 2 == 0
