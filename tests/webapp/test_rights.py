"""Every role at every address of desk and ops, each with something that is somebody else's, and what may come of it.

`cases.staff.PERMISSIONS` says what a role may do at all; that alone opens no case, no answer and no photo of another's. What is
expected is written out below, one line for each address, so that nothing becomes open unseen and no address is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from cases import answers, conversations, practice, policies, quality, review, saved_views, supporting
from cases.desk_tables import Answer, Paper, PaperKind, PracticeAnswer, PracticeRound, QualitySample, SavedView
from cases.models import Case, Customer, Event, Message, Photo, PolicyActivation, Role, Staff
from cases.lifecycle import State
from tests import factories
from tests.webapp.staff_fixtures import Browser, Office, a_case, make_office
from verification.evidence import Field
from verification.policy import SHIPPED
from verification.reasons import PhotoKind, ReasonCode
from webapp.desk import links

WHO = ("agent", "practising", "senior", "ops", "lead", "auditor", "admin", "closed", "nobody")
ROLES = {
    "agent": Role.AGENT, "practising": Role.AGENT, "senior": Role.SENIOR_AGENT, "ops": Role.OPS, "lead": Role.LEAD,
    "auditor": Role.AUDITOR, "admin": Role.ADMIN, "closed": Role.SENIOR_AGENT,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Others:
    """What belongs to somebody else: Olga holds a case and made an answer, Rita reviews, Nina practises, Otto proposes."""

    case: UUID
    photo: str  # token of an address made for Olga, as the next two
    message_photo: str
    paper_picture: str
    wanted: UUID  # a paper that was asked for
    paper: UUID  # one that came
    customer: UUID
    approved: UUID  # a case that Olga approved
    answer: UUID
    view: UUID
    sample: UUID
    sample_photo: str
    staff: UUID
    version: int  # of a policy
    proposal: int
    switch: int


def furnish(office: Office) -> Others:
    """Olga, Rita, Nina and Otto at work."""
    now = office.clock()
    with office.db.transaction() as db:
        olga = factories.a_member(db, now=now, name="Olga Other")
        rita = factories.a_member(db, Role.SENIOR_AGENT, now=now, name="Rita Reviewer")
        nina = factories.a_member(db, now=now, name="Nina New")
        otto = factories.a_member(db, Role.OPS, now=now, name="Otto Ops", more=(Role.LEAD,))
        done = a_case(db, now=now - timedelta(hours=3), seed=1)
        review.take(db, done.id, agent=olga, now=now)
        everything = frozenset(Field)
        approval = review.Disposal(action="approve", note="Seen.", seen_version=done.version, checked=everything)
        review.dispose(db, done.id, approval, agent=olga, now=now)
        second = factories.a_member(db, Role.SENIOR_AGENT, now=now, name="Sonya Second")
        if done.state is not State.APPROVED:
            review.take(db, done.id, agent=second, now=now)
            review.dispose(db, done.id, replace(approval, seen_version=done.version), agent=second, now=now)
        assert done.state is State.APPROVED
        quality.draw(db, now=now)
        sample = quality.take_next(db, agent=rita, now=now)
        assert sample is not None
        waiting = a_case(db, now=now - timedelta(hours=2), seed=2)
        review.take(db, waiting.id, agent=olga, now=now)
        refusal = review.Disposal(
            action="reject", reasons=(ReasonCode.SURNAME_DIFFERS,), note="Another name.", seen_version=waiting.version
        )
        answer = answers.give(db, waiting.id, refusal, agent=olga, now=now)
        held = a_case(db, now=now - timedelta(hours=1), seed=3)
        message = conversations.write(db, held.id, uuid4(), text="Is it right now?", photo=factories.jpeg(70), now=now)
        paper = supporting.receive(
            db, held.id, uuid4(), factories.jpeg(71), kind=PaperKind.MARRIAGE_CERTIFICATE, now=now
        )
        review.take(db, held.id, agent=olga, now=now)
        (wanted,) = supporting.ask(db, held.id, (PaperKind.FAMILY_STATUS,), agent=olga, now=now)
        review.take(db, held.id, agent=olga, now=now)
        view = saved_views.keep(db, olga, "Mine", {}, now=now)
        standing = practice.begin_round(db, nina, now=now)
        assert standing.next is not None
        practice.answer(db, nina, standing.next, practice.Given(action="approve"), now=now)
        draft = policies.draft(
            db, replace(SHIPPED, require_face_on_file=not SHIPPED.require_face_on_file, min_strangers=SHIPPED.min_strangers - 1),
            author=otto, reason="A try", now=now,
        )  # fmt: skip
        proposal = policies.propose(db, draft.version, by=otto, reason="A try", now=now)
        assert proposal.effective_at is None
        policies.stop(db, by=otto, reason="A try", now=now) if hasattr(policies, "stop") else None
        selfie = db.scalars(select(Photo.id).where(Photo.case_id == held.id, Photo.kind == PhotoKind.SELFIE)).one()
        secret = office.settings.secret_key

        def link(kind: str, thing: Any, *, subject: Any = held.id, purpose: str = "review", viewer: Staff = olga) -> str:
            return links.sign(secret, kind, str(thing), subject=str(subject), purpose=purpose, viewer=viewer.id, now=now)

        return Others(
            case=held.id,
            photo=link("photo", selfie),
            message_photo=link("message", message.id),
            paper_picture=link("paper", paper.id),
            wanted=wanted.id,
            paper=paper.id,
            customer=held.customer_id,
            approved=done.id,
            answer=answer.id,
            view=view.id,
            sample=sample.id,
            sample_photo=link("quality", PhotoKind.SELFIE.value, subject=sample.id, purpose="quality", viewer=rita),
            staff=olga.id,
            version=draft.version,
            proposal=proposal.id,
            switch=1,
        )
