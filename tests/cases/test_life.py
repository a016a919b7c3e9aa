"""A case's life, lived at random: whatever people and machines do in whatever order, the rules hold."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as searching
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, select

from cases import answers, audit, customers, intake, profiles, retention, review, runs
from cases.desk_tables import Answer, AnswerState
from cases.intake import AlreadyOpen, Incomplete, NothingChanges, TooLate
from cases.lifecycle import CLOSED, TRANSITIONS, IllegalTransition, State
from cases.models import Case, Disposition, Event, ProfileVersion, Role, Run, RunState
from cases.profiles import OwnApproval, ProfileMovedOn
from cases.review import Disposal, NotYours, StalePage, TakenBy
from cases.staff import NotAllowed
from tests import factories as a
from tests.conftest import NOW
from verification.evidence import ChangeReason, Claim, Field, Profile
from verification.reasons import PhotoKind, ReasonCode

REFUSALS = (
    AlreadyOpen,
    IllegalTransition,
    Incomplete,
    NotAllowed,
    NotYours,
    NothingChanges,
    OwnApproval,
    ProfileMovedOn,
    StalePage,
    TakenBy,
    TooLate,
    answers.TooLate,
)
"""What people are told when they may not; anything else is a bug."""

STEPS = (
    *("open", "photos", "photos", "submit", "usual", "usual", "person", "withdraw", "appeal", "begin", "begin", "finish"),
    *("recover", "recover", "take", "dispose", "decide", "decide", "revert", "sync", "time"),
    *("give", "back", "carry", "escalate", "two", "appeal", "person"),
)
"""What may happen next; twice where lives would otherwise rarely get further."""

ROLES = (Role.AGENT, Role.SENIOR_AGENT, Role.AGENT, Role.SENIOR_AGENT)

REACHABLE = {(old, new) for (old, _), new in TRANSITIONS.items()}


def of_others(claim, profile):
    """Selfie and passport show two people: an approval takes two agents."""
    return a.with_measures(a.good_evidence(claim, profile), pairs=a.faces(selfie_document=1.0))


def life_on(database, lived):
    """The machine, living on `database` inside one transaction that is undone at the end. Counts events in `lived`."""

    class Life(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.session = database.session()
            settings = self.session.info["settings"].model_copy(update={"undo_seconds": 20})
            self.session.info = {**self.session.info, "settings": settings}
            self.now = NOW
            self.case: Case | None = None
            self.orders: list[runs.Order] = []
            self.seen = 1
            self.held = None  # the version that was current after the last step
            self.before: tuple[State | None, object] = (None, None)

        def teardown(self) -> None:
            if self.case is not None:
                lived.update(self.session.scalars(select(Event.kind)))
            self.session.rollback()
            self.session.close()

        @initialize()
        def people(self) -> None:
            self.customer = a.a_customer(self.session, now=self.now)
            self.agents = [a.a_member(self.session, role, now=self.now) for role in ROLES]
            self.held = self.customer.profile_version_id

        def attempt(self, act):
            """Do something; refusals leave everything as it was."""
            self.now += timedelta(seconds=1)
            self.before = (self.case.state if self.case else None, self.customer.profile_version_id)
            self.events = self.session.scalar(select(func.max(Event.id)))
            try:
                with self.session.begin_nested():
                    return act()
            except REFUSALS:
                self.session.expire_all()
                return None

        @rule(
            what=st.sampled_from(STEPS),
            found=st.sampled_from(["good", "blurred", "letter"]),
            who=st.integers(0, 3),
            which=st.integers(0, 3),
            sure=st.booleans(),
        )
        def something_happens(self, what, found, who, which, sure):
            """One rule for all: hypothesis would otherwise leave most of them out of most lives, and these stay short."""
            self.live(what, found, who, which, sure)

        def live(self, what, found, who, which, sure):
            name, number = ("BERGMANTEST", "700000002") if sure else (("ABELARDTEST", "CARLSENTEST")[who % 2], "700000001")
            kinds = (PhotoKind.DOCUMENT, PhotoKind.SELFIE)
            {
                "open": lambda: self.open_case(name, number),
                "photos": lambda: self.send_photos(kinds if sure else kinds[who % 2 : who % 2 + 1], sure),
                "submit": self.submit,
                "usual": lambda: self.ask_and_be_looked_at(found),
                "person": lambda: (self.be_begun() if which else None, self.look_between(), self.customer_does("person")),
                "withdraw": lambda: self.customer_does("withdraw"),
                "appeal": lambda: self.be_refused_and_appeal(who) if sure else self.customer_does("appeal"),
                "begin": self.begin,
                "finish": lambda: self.finish(which, found),
                "recover": lambda: self.ask_and_be_looked_at(None) if sure else self.recover(which),
                "take": lambda: self.take(who),
                "dispose": lambda: self.dispose(who, ("approve", "reject", "ask_retake", "approve")[which], sure),
                "decide": lambda: (
                    self.take(who),
                    self.look_between(),
                    self.dispose(who, ("approve", "reject", "ask_retake", "reject")[which], True),
                ),
                "give": lambda: (self.take(who), self.give(who, ("approve", "reject", "approve", "ask_retake")[which], sure)),
                "back": lambda: self.think_again(who) if sure else self.take_back(who),
                "carry": lambda: self.carry_out(20 if sure else 5),
                "escalate": lambda: self.pass_on(who) if sure else self.escalate(who),
                "two": lambda: self.two_answer(who, sure),
                "revert": self.revert,
                "sync": lambda: self.host_syncs("X" if sure else "F"),
                "time": lambda: (
                    self.open_case(name, number) if sure else None,
                    self.look_between(),
                    self.time_passes(40 if which > 1 else 1),
                ),
            }[what]()

        def open_case(self, name, number):
            claim = Claim(reason=ChangeReason.MARRIAGE, values={Field.SURNAME: name, Field.DOCUMENT_NUMBER: number})
            opened = self.attempt(lambda: intake.open_case(self.session, self.customer, claim, locale="en", now=self.now))
            if opened is not None:
                assert self.case is None or self.case.state in CLOSED
                self.case, self.before = opened, (None, self.before[1])

        def send_photos(self, kinds, submit):
            if self.case:
                self.attempt(lambda: a.add_photos(self.session, self.case, now=self.now, kinds=kinds))
                if submit:
                    self.submit()

        def submit(self):
            if self.case:
                self.attempt(lambda: intake.submit(self.session, self.case.id, consent_version="1", now=self.now))

        def ask_and_be_looked_at(self, found):
            """The usual way, in one step, so that lives get further; with nothing found, the worker died."""
            self.be_begun()
            self.look_between()
            self.finish(0, found) if found else self.recover(60)

        def be_begun(self):
            if self.case is None or self.case.state in CLOSED:
                self.open_case("BERGMANTEST", "700000002")
            self.look_between()
            self.send_photos((PhotoKind.DOCUMENT, PhotoKind.SELFIE), True)
            self.look_between()
            self.begin()

        def be_refused_and_appeal(self, who):
            """Down the longest way there is."""
            self.ask_and_be_looked_at("letter")
            self.look_between()
            self.take(who)
            self.look_between()
            self.dispose(who, "reject", True)
            self.look_between()
            self.customer_does("appeal")

        def look_between(self) -> None:
            self.the_state_moved_as_the_table_says()
            self.the_profile_changes_with_an_approval_or_revert_only()

        def customer_does(self, what):
            if self.case:
                acts = {
                    "person": lambda: intake.ask_for_person(self.session, self.case.id, consent_version="1", now=self.now),
                    "withdraw": lambda: intake.withdraw(self.session, self.case.id, now=self.now),
                    "appeal": lambda: intake.appeal(self.session, self.case.id, now=self.now),
                }
                self.attempt(acts[what])

        def begin(self):
            if self.case:
                order = self.attempt(lambda: runs.begin(self.session, self.case.id, now=self.now))
                if order:
                    self.orders.append(order)

        def finish(self, which, found):
            """Any order ever given, also one that was finished or taken back long ago."""
            if which < len(self.orders):
                order = self.orders[-1 - which]
                evidence = {
                    "good": a.good_evidence, "blurred": a.blurred_selfie, "letter": a.a_letter_different, "differ": of_others,
                }[found]  # fmt: skip
                self.attempt(lambda: a.finished(self.session, order, now=self.now, evidence=evidence(order.claim, order.profile)))

        def recover(self, minutes):
            self.now += timedelta(minutes=minutes)
            self.attempt(lambda: runs.recover(self.session, now=self.now))

        def take(self, who):
            if self.case:
                taken = self.attempt(lambda: review.take(self.session, self.case.id, agent=self.agents[who], now=self.now))
                if taken:
                    self.seen = taken.version

        def dispose(self, who, action, fresh):
            if self.case:
                disposal = Disposal(
                    action=action,
                    reasons=(ReasonCode.ZONES_DISAGREE,),
                    retake=frozenset({PhotoKind.SELFIE}),
                    note="Looked.",
                    seen_version=self.case.version if fresh else self.seen,
                    checked=frozenset(Field),
                )
                self.attempt(lambda: review.dispose(self.session, self.case.id, disposal, agent=self.agents[who], now=self.now))

        def give(self, who, action, whole):
            """An answer that waits, to the part or to all of what was asked for."""
            if self.case:
                disposal = Disposal(
                    action=action,
                    reasons=(ReasonCode.ZONES_DISAGREE,),
                    retake=frozenset({PhotoKind.SELFIE}),
                    note="Looked.",
                    seen_version=self.case.version,
                    checked=frozenset(Field),
                    with_email=whole,
                )
                self.attempt(lambda: answers.give(self.session, self.case.id, disposal, agent=self.agents[who], now=self.now))

        def two_answer(self, who, same):
            """One after the other, so that lives get as far as a second person, and further."""
            self.ask_and_be_looked_at("differ")
            for step, agent in enumerate((who, (who + 1) % 4, (who + 3) % 4)):
                self.look_between()
                self.take(agent)
                self.look_between()
                self.give(agent, "approve" if same or step != 1 else "reject", True)
                self.look_between()
                self.carry_out(20)

        def take_back(self, who):
            if self.case:
                mine = answers.waiting_for(self.session, self.agents[who], now=self.now)
                given = mine or self.session.scalars(select(Answer).order_by(Answer.given_at.desc()).limit(1)).first()
                if given is not None:  # also another's, and one that was carried out long ago
                    self.attempt(lambda: answers.take_back(self.session, given.id, agent=self.agents[who], now=self.now))

        def carry_out(self, seconds):
            """Upkeep comes by, and comes by once more."""
            self.now += timedelta(seconds=seconds)
            for _ in range(2):
                for one in answers.due(self.session, now=self.now):
                    self.attempt(lambda one=one: answers.carry_out(self.session, one, now=self.now))
                self.look_between()

        def think_again(self, who):
            self.ask_and_be_looked_at("letter")
            self.look_between()
            self.take(who)
            self.give(who, "approve", True)
            self.take_back(who)

        def pass_on(self, who):
            self.ask_and_be_looked_at("letter")
            self.look_between()
            self.take(who)
            self.escalate(who)

        def escalate(self, who):
            if self.case:
                agent = self.agents[who]
                self.attempt(lambda: review.escalate(self.session, self.case.id, agent=agent, note="Hard.", now=self.now))

        def revert(self):
            if self.case:
                actor = audit.Actor.staff(self.agents[1])
                self.attempt(lambda: profiles.revert(self.session, self.case.id, actor=actor, reason="x", now=self.now))

        def host_syncs(self, sex):
            held, email = customers.current_profile(self.session, self.customer)
            moved = Profile(values={**held.values, Field.SEX: sex}, earlier_numbers=held.earlier_numbers)
            external_id = self.customer.external_id
            self.attempt(lambda: customers.upsert(self.session, external_id, moved, email=email, locale="en", now=self.now))
            self.held = self.customer.profile_version_id

        def time_passes(self, days):
            self.now += timedelta(days=days)
            self.attempt(
                lambda: (retention.expire_drafts(self.session, now=self.now), retention.shred_due(self.session, now=self.now))
            )

        @invariant()
        def the_state_moved_as_the_table_says(self):
            if self.case is None:
                return
            old, new = self.before[0], self.case.state
            if old is not None and old is not new:
                # Asking for a person from a draft passes "submitted" on its way to the desk.
                assert (old, new) in REACHABLE or (old, new) == (State.DRAFT, State.IN_REVIEW)
            assert (self.case.closed_at is not None) == (new in CLOSED)
            assert (self.case.applied_version_id is not None) == (new in (State.APPROVED, State.REVERTED))
            assert self.case.attempt >= (0 if new in (State.DRAFT, State.WITHDRAWN, State.EXPIRED) else 1)

        @invariant()
        def the_profile_changes_with_an_approval_or_revert_only(self):
            if self.held is None:
                return
            current = self.customer.profile_version_id
            if current != self.held:
                old, new = self.before[0], self.case.state
                assert (old, new) in {
                    (State.VERIFYING, State.APPROVED),
                    (State.IN_REVIEW, State.APPROVED),
                    (State.APPROVED, State.REVERTED),
                }
                assert current == (self.case.applied_version_id if new is State.APPROVED else self.case.prior_version_id)
            self.held = current

        @invariant()
        def records_hold_together(self):
            counts = self.session.execute(
                select(func.count()).where(ProfileVersion.case_id.is_not(None)).group_by(ProfileVersion.case_id)
            ).scalars()
            assert set(counts) <= {1}
            if self.case is not None:
                running = self.session.scalar(
                    select(func.count()).where(Run.case_id == self.case.id, Run.state == RunState.RUNNING)
                )
                assert running == (self.case.state is State.VERIFYING)
                approvals = select(Run).where(Run.outcome == "approve")
                assert all(run.measures for run in self.session.scalars(approvals))
            assert audit.verify(self.session).ok

        @invariant()
        def nobody_checks_her_own_and_no_answer_hangs(self):
            if self.case is None:
                return
            rows = self.session.scalars(select(Answer).where(Answer.case_id == self.case.id)).all()
            by_id = {row.id: row for row in rows}
            waiting = [row for row in rows if row.state is AnswerState.WAITING]
            open_ones = [row for row in rows if row.ended_at is None]
            assert (self.case.answered_at is not None) == bool(waiting) and len(waiting) <= 1
            assert not open_ones or self.case.state is State.IN_REVIEW
            assert not waiting or self.case.owner_id is None
            assert (self.case.second_at is None) or any(row.state is AnswerState.FIRST for row in rows)
            for row in rows:
                before = [by_id[one] for one in (row.first_id, row.second_id) if one is not None]
                assert row.staff_id not in {one.staff_id for one in before} and len(
                    {row.staff_id, *(b.staff_id for b in before)}
                ) == 1 + len(before)
            done = {row.disposition_id for row in rows if row.disposition_id}
            people = ("approve", "reject", "ask_retake")
            made = select(Disposition.id).where(Disposition.case_id == self.case.id, Disposition.action.in_(people))
            assert set(self.session.scalars(made)) == done
            weighty = {
                run.finished_at
                for run in self.session.scalars(select(Run).where(Run.case_id == self.case.id, Run.finished_at.is_not(None)))
                if "selfie_document_faces_differ" in run.reasons
            }
            for row in rows:
                if row.disposition_id and row.action == "approve" and any(at <= row.given_at for at in weighty):
                    assert row.first_id is not None, "one person's word was enough"

    return Life


TOUR = (
    *(
        ("recover", "good", 0, 0, True),
        ("person", "good", 0, 1, True),
        ("give", "good", 0, 1, True),
        ("sync", "good", 0, 0, True),
    ),
    *(("carry", "good", 0, 0, True), ("give", "good", 0, 1, True), ("back", "good", 0, 0, False), ("give", "good", 0, 1, True)),
    *(("carry", "good", 0, 0, True), ("appeal", "good", 2, 0, False), ("withdraw", "good", 0, 0, True)),
    *(("escalate", "good", 2, 0, True), ("decide", "good", 3, 1, True), ("two", "good", 2, 0, True)),
    *(("revert", "good", 0, 0, True), ("time", "good", 0, 3, True), ("two", "good", 0, 0, False)),
)
"""A life in which everything happens at least once: what, found, who, which, sure."""


def one_life(life):
    """Live the TOUR, with every rule looked at after each step."""
    one = life()
    one.people()
    for what, found, who, which, sure in TOUR:
        one.live(what, found, who, which, sure)
        one.look_between()
        one.records_hold_together()
        one.nobody_checks_her_own_and_no_answer_hangs()
    one.teardown()


@pytest.mark.slow
def test_no_life_of_a_case_breaks_the_rules(database):
    lived: Counter[str] = Counter()
    run_state_machine_as_test(
        life_on(database, lived),
        settings=searching(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    one_life(life_on(database, lived))
    # A test of lives that were never lived would prove nothing.
    for kind in (
        *("submitted", "run_begun", "run_finished", "run_requeued", "run_abandoned", "profile_changed", "profile_reverted"),
        *("disposed", "case_taken", "withdrawn", "appealed", "expired", "shredded", "person_asked_for", "profile_synced"),
        *("answer_given", "answer_taken_back", "answer_dropped", "second_asked", "answers_disagree", "case_escalated"),
    ):
        assert lived[kind] > 0, (kind, lived)
