"""A desk with a past, made up row by row: answers, what agents did before them, ratings, reviews. For figures and benchmarks.

Goes past the services on purpose: a year of a desk in seconds. What the rows say is drawn from `chance` alone.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from cases.desk_tables import Answer, AnswerState, QualitySample
from cases.lifecycle import State
from cases.models import Case, Disposition, Event, Rating, Role, Staff
from tests import factories as a
from verification.evidence import ChangeReason


@dataclass
class History:
    """Collects rows and writes them in bulk."""

    session: Session
    now: datetime
    chance: random.Random

    def __post_init__(self) -> None:
        self.customer = a.a_customer(self.session, now=self.now - timedelta(days=400), face=False)
        self.rows: dict[type, list[dict[str, Any]]] = {t: [] for t in (Case, Disposition, Answer, Event, Rating, QualitySample)}
        self.numbers = count((self.session.scalar(select(func.max(Event.id))) or 0) + 1_000_000)  # before: those of the services

    def agents(self, number: int) -> list[Staff]:
        return [a.a_member(self.session, Role.AGENT, now=self.now, name=f"Agent {n:02}") for n in range(number)]

    def event(self, case_id: UUID, kind: str, at: datetime, who: Staff | None = None, **details: Any) -> None:
        number = next(self.numbers)
        self.rows[Event].append(
            dict(id=number, at=at, kind=kind, actor_kind="staff" if who else "system", actor_id=str(who.id) if who else None,
                 case_id=case_id, customer_id=None, details=details, previous="0", hash=f"made-up-{number}")
        )  # fmt: skip

    def case(self, at: datetime) -> dict[str, Any]:
        customer = self.customer
        row = dict(
            id=uuid4(), customer_id=customer.id, state=State.EXPIRED, version=1, locale="ru", change_reason=ChangeReason.MARRIAGE,
            country="RUS", data_key_id=customer.data_key_id, base_version_id=customer.profile_version_id, applied_version_id=None,
            attempt=1, fence=1, runs_this_attempt=1, reasons=[], retake=[], consented_at=at, opened_at=at, updated_at=at,
            closed_at=at, disputed_at=None,
        )  # fmt: skip
        self.rows[Case].append(row)
        self.event(row["id"], "referred", at, new="in_review", old="verifying")
        return row

    def work(self, case: dict[str, Any], agent: Staff, taken: datetime, pauses: list[float]) -> datetime:
        """The agent's signs: she takes the case, then one event after each pause (seconds). Returns the time of the last."""
        self.event(case["id"], "case_taken", taken, agent)
        at = taken
        for pause in pauses[:-1]:
            at += timedelta(seconds=pause)
            self.event(case["id"], "photo_opened", at, agent)
        return at + timedelta(seconds=pauses[-1])

    def answer(
        self, case: dict[str, Any], agent: Staff, action: str, at: datetime, state: AnswerState, **more: Any
    ) -> dict[str, Any]:
        over = state not in (AnswerState.WAITING, AnswerState.FIRST, AnswerState.DISAGREED)
        row: dict[str, Any] = dict(
            id=uuid4(), case_id=case["id"], staff_id=agent.id, state=state, action=action, reasons=[], retake=[], fields=None,
            checked=[], data_key_id=case["data_key_id"], needs_second=state in (AnswerState.FIRST, AnswerState.FOLLOWED), why=[],
            first_id=None, first_staff_id=None, second_id=None, second_staff_id=None, case_version=1, given_at=at,
            until=at + timedelta(seconds=20), ended_at=at + timedelta(seconds=20) if over else None, disposition_id=None,
        )  # fmt: skip
        row["told_at"] = row["ended_at"] if state is AnswerState.DROPPED else None
        row.update(more)
        self.event(case["id"], "answer_given", at, agent)
        if state is AnswerState.CARRIED_OUT:
            row["disposition_id"] = self.disposition(case, agent, action, row["ended_at"])
        self.rows[Answer].append(row)
        return row

    def disposition(self, case: dict[str, Any], agent: Staff, action: str, at: datetime) -> UUID:
        id = uuid4()
        self.rows[Disposition].append(
            dict(id=id, case_id=case["id"], staff_id=agent.id, action=action, reasons=[], note_sealed=None, created_at=at)
        )
        return id

    def write(self) -> None:
        for table, rows in self.rows.items():
            for start in range(0, len(rows), 5000):
                self.session.execute(insert(table), rows[start : start + 5000])
            rows.clear()
        self.session.flush()


def a_year(history: History, agents: list[Staff], answers: int, *, days: int = 56) -> None:
    """`answers` of these agents spread over `days`: of every kind, some in pairs, some undone, some rated, some reviewed."""
    chance, now = history.chance, history.now
    for _ in range(answers):
        agent = chance.choice(agents)
        given = now - timedelta(seconds=chance.uniform(60, days * 86400))
        pauses = [chance.lognormvariate(3.4, 1.0) for _ in range(chance.randint(2, 5))]
        if chance.random() < 0.1:
            pauses[0] += 1200  # lunch
        taken = given - timedelta(seconds=sum(pauses))
        case = history.case(taken - timedelta(hours=chance.choice([1, 3, 8, 30])))
        at = history.work(case, agent, taken, pauses)
        action = chance.choices(["approve", "reject", "ask_retake"], [6, 2, 3])[0]
        roll = chance.random()
        if roll < 0.06:
            history.answer(case, agent, action, at, chance.choice([AnswerState.TAKEN_BACK, AnswerState.DROPPED]))
            continue
        if roll < 0.12:
            other = chance.choice([one for one in agents if one is not agent])
            same = chance.random() < 0.8
            later = min(at + timedelta(minutes=chance.uniform(5, 300)), now - timedelta(seconds=1))
            first = history.answer(case, agent, action, at, AnswerState.FOLLOWED if same else AnswerState.OVERRULED)
            if later > at:
                done = history.work(case, other, later - timedelta(seconds=70), [30.0, 40.0])
                history.answer(
                    case, other, action if same else "approve", done, AnswerState.CARRIED_OUT if same else AnswerState.DISAGREED,
                    first_id=first["id"], first_staff_id=agent.id,
                )  # fmt: skip
            continue
        row = history.answer(case, agent, action, at, AnswerState.CARRIED_OUT)
        ended = row["ended_at"]
        if action != "ask_retake":
            case["closed_at"] = ended
        if action == "approve":
            case["state"], case["applied_version_id"] = State.APPROVED, history.customer.profile_version_id
            if chance.random() < 0.06:
                case["disputed_at"] = ended + timedelta(hours=5)
                if chance.random() < 0.5:
                    case["state"], case["closed_at"] = State.REVERTED, ended + timedelta(hours=9)
        elif action == "reject":
            case["state"] = State.REJECTED
            if chance.random() < 0.2:
                history.event(case["id"], "appealed", ended + timedelta(hours=20), new="in_review", old="rejected")
                if chance.random() < 0.5:
                    other = chance.choice([one for one in agents if one is not agent])
                    history.answer(case, other, "approve", ended + timedelta(hours=22), AnswerState.CARRIED_OUT)
                    case["state"], case["applied_version_id"] = State.APPROVED, history.customer.profile_version_id
        if action != "ask_retake" and chance.random() < 0.3:
            rated = ended + timedelta(hours=1)
            history.rows[Rating].append(
                dict(
                    case_id=case["id"],
                    customer_id=history.customer.id,
                    mark=chance.randint(1, 5),
                    given_at=rated,
                    changed_at=rated,
                )
            )
        if chance.random() < 0.05:
            reviewer = chance.choice([one for one in agents if one is not agent])
            agrees = chance.random() < 0.9
            verdict = action if agrees else {"approve": "reject", "reject": "approve", "ask_retake": "approve"}[action]
            history.rows[QualitySample].append(
                dict(
                    id=uuid4(), case_id=case["id"],
                    event_id=10_000_000 + len(history.rows[QualitySample]) + next(history.numbers),
                    why="random", share=0.05, staff_id=agent.id, action=action, reasons=[], answered_at=ended, drawn_at=ended,
                    reviewer_id=reviewer.id, taken_until=ended, reviewed_at=ended + timedelta(hours=2), verdict=verdict,
                    verdict_reasons=[], agrees=agrees,
                )
            )  # fmt: skip
    history.write()
