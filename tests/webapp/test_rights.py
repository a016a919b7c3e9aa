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

from cases import (
    answers,
    audit,
    conflicts,
    conversations,
    outgoing,
    practice,
    quality,
    replays,
    review,
    saved_views,
    supporting,
    switches,
    undo,
)
from cases.desk_tables import Answer, Outgoing, Paper, PaperKind, PracticeAnswer, PracticeRound, QualitySample, SavedView
from cases.lifecycle import State
from cases.models import Case, Customer, Event, Message, Notification, Photo, PolicyActivation, Role, Staff
from tests import factories
from tests.webapp.staff_fixtures import CLAIM, PROFILE, Browser, Office, a_case, make_office
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
    outgoing: UUID
    view: UUID
    sample: UUID
    sample_photo: str
    staff: UUID
    version: int  # of a policy
    report: UUID  # of a replay of it
    proposal: int
    switch: int
    undo: UUID  # proposed by Otto
    notification: UUID


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
        paper = supporting.receive(db, held.id, uuid4(), factories.jpeg(71), kind=PaperKind.MARRIAGE_CERTIFICATE, now=now)
        review.take(db, held.id, agent=olga, now=now)
        (wanted,) = supporting.ask(db, held.id, (PaperKind.FAMILY_STATUS,), agent=olga, now=now)
        review.take(db, held.id, agent=olga, now=now)
        said = outgoing.say(db, held.id, uuid4(), text="It is.", agent=olga, now=now)
        view = saved_views.keep(db, olga, "Mine", {}, now=now)
        standing = practice.begin_round(db, nina, now=now)
        assert standing.next is not None
        practice.answer(db, nina, standing.next, practice.Given(action="approve"), now=now)
        factories.an_approved(db, now=now)  # by the machine
        proposed = undo.propose(db, undo.Selection(version=1), by=otto, reason="A try", now=now)
        looser = replace(SHIPPED, max_attempts=SHIPPED.max_attempts + 1, min_agreement=SHIPPED.min_agreement - 0.01)
        proposal = factories.proposed(db, looser, by=otto, now=now)
        report = replays.attached(db, proposal.version)
        assert report is not None
        assert proposal.effective_at is None
        switches.to_people(db, by=otto, reason="A try", now=now)
        switch = switches.propose_automation(db, by=otto, reason="A try", now=now)
        mail = db.scalars(select(Notification.id).where(Notification.case_id == done.id)).first()
        assert mail is not None
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
            outgoing=said.id,
            view=view.id,
            sample=sample.id,
            sample_photo=link("quality", PhotoKind.SELFIE.value, subject=sample.id, purpose="quality", viewer=rita),
            staff=olga.id,
            version=proposal.version,
            report=report.id,
            proposal=proposal.id,
            switch=switch.id,
            undo=proposed.id,
            notification=mail,
        )


EXPECTED = """
GET desk.case                    403 403 200 403 200 403 403 303 303
POST desk.take                   409 403 409 403 403 403 403 303 303
POST desk.release                303 403 303 403 403 403 403 303 303
POST desk.touch                  409 403 409 403 403 403 403 303 303
POST desk.watch                  200 403 200 403 200 403 403 303 303
POST desk.leave                  204 403 204 403 204 403 403 303 303
POST desk.decide                 409 403 409 403 403 403 403 303 303
POST desk.preview                403 403 200 403 403 403 403 303 303
POST desk.keep_note              303 403 200 403 403 403 403 303 303
POST desk.set_by_eye             403 403 409 403 403 403 403 303 303
POST desk.write                  409 403 409 403 403 403 403 303 303
POST desk.set_aside              303 403 303 403 403 403 403 303 303
GET desk.message_photo           403 403 403 403 403 403 403 303 303
GET desk.photo                   403 403 403 403 403 403 403 303 303
POST desk.renew_photo            403 403 403 403 403 403 403 303 303
POST desk.ask_papers             409 403 409 403 403 403 403 303 303
GET desk.paper_picture           403 403 403 403 403 403 403 303 303
POST desk.renew_paper            403 403 403 403 403 403 403 303 303
POST desk.seen_paper             303 403 303 403 403 403 403 303 303
POST desk.unneeded_paper         303 403 303 403 403 403 403 303 303
POST desk.settle                 403 403 409 403 403 403 403 303 303
POST desk.revert                 403 403 409 403 403 403 403 303 303
POST desk.take_back              403 403 403 403 403 403 403 303 303
POST desk.told                   403 403 403 403 403 403 403 303 303
POST desk.take_back_outgoing     403 403 403 403 403 403 403 303 303
POST desk.told_outgoing          403 403 403 403 403 403 403 303 303
POST desk.rename_view            404 404 404 403 404 403 403 303 303
POST desk.delete_view            404 404 404 403 404 403 403 303 303
POST desk.keep_view              303 303 303 403 303 403 403 303 303
GET desk.quality_page            403 403 200 403 200 403 403 303 303
GET desk.quality_sample          403 403 303 403 303 403 403 303 303
GET desk.quality_photo           403 403 403 403 403 403 403 303 303
POST desk.quality_photo_again    403 403 403 403 403 403 403 303 303
POST desk.quality_verdict        403 403 303 403 303 403 403 303 303
POST desk.quality_give_back      403 403 303 403 303 403 403 303 303
POST desk.quality_stands         403 403 303 403 403 403 403 303 303
POST desk.quality_next           403 403 303 403 303 403 403 303 303
GET desk.practice_page           200 200 200 403 403 403 403 303 303
GET desk.practice_case           303 303 303 403 403 403 403 303 303
GET desk.practised               404 404 404 403 403 403 403 303 303
GET desk.practice_photo          404 404 404 403 403 403 403 303 303
POST desk.open_practice_photo    303 303 303 403 403 403 403 303 303
POST desk.answer_practice        303 303 303 403 403 403 403 303 303
GET desk.queue                   200 200 200 403 200 403 403 303 303
GET desk.queue_again             200 200 200 403 200 403 403 303 303
POST desk.search                 200 200 200 403 200 403 403 303 303
GET desk.my_figures              200 200 200 403 403 403 403 303 303
GET desk.my_figures_csv          200 200 200 403 403 403 403 303 303
GET desk.my_week                 200 200 200 403 403 403 403 303 303
POST desk.my_week_mail           303 303 303 403 403 403 403 303 303
GET desk.team_page               403 403 403 403 200 403 403 303 303
GET desk.team_csv                403 403 403 403 200 403 403 303 303
GET desk.rescue_page             403 403 200 403 200 403 403 303 303
GET desk.rescue_story            403 403 200 403 200 403 403 303 303
GET desk.replies_page            403 403 200 403 200 403 403 303 303
GET desk.new_reply               403 403 200 403 200 403 403 303 303
GET desk.reply                   403 403 404 403 404 403 403 303 303
POST desk.save_reply             403 403 404 403 404 403 403 303 303
GET desk.skills                  403 403 403 403 200 403 403 303 303
GET ops.now_page                 403 403 200 200 200 200 403 303 303
GET ops.faces_page               403 403 200 200 200 200 403 303 303
GET ops.policies_page            403 403 403 200 200 200 403 303 303
GET ops.policy_page              403 403 403 200 200 200 403 303 303
GET ops.policy_draft             403 403 403 200 200 403 403 303 303
GET ops.audit_page               403 403 403 403 200 200 403 303 303
GET ops.audit_key                403 403 403 403 200 200 403 303 303
GET ops.audit_case               403 403 403 403 403 200 403 303 303
GET ops.queues_page              403 403 200 200 200 200 403 303 303
GET ops.retention_page           403 403 403 200 200 200 403 303 303
GET ops.keys_page                403 403 403 403 403 403 200 303 303
POST ops.make_key                403 403 403 403 403 403 422 303 303
POST ops.rotate_key              403 403 403 403 403 403 404 303 303
POST ops.revoke_key              403 403 403 403 403 403 404 303 303
GET ops.undo_page                403 403 403 200 200 200 403 303 303
GET ops.undo_one                 403 403 403 200 200 200 403 303 303
GET ops.undo_progress            403 403 403 200 200 200 403 303 303
GET ops.report_page              403 403 403 200 200 200 403 303 303
GET ops.report_csv               403 403 403 404 404 404 403 303 303
GET ops.report_pdf               403 403 403 404 404 404 403 303 303
POST ops.report_wish             403 403 403 303 303 303 403 303 303
POST ops.report_mail             403 403 403 303 303 303 403 303 303
GET ops.what_if                  403 403 403 200 200 200 403 303 303
GET ops.what_if_newest           403 403 403 303 303 303 403 303 303
GET ops.would_be_wrong           403 403 403 404 404 404 403 303 303
GET ops.webhooks_page            403 403 403 200 403 403 200 303 303
GET ops.webhook_delivery         403 403 403 404 403 403 404 303 303
GET ops.helpdesk_page            403 403 403 200 403 403 200 303 303
POST ops.add_webhook             403 403 403 403 403 403 422 303 303
POST ops.change_webhook          403 403 403 403 403 403 404 303 303
POST ops.switch_webhook          403 403 403 403 403 403 404 303 303
POST ops.new_webhook_secret      403 403 403 403 403 403 404 303 303
POST ops.remove_webhook          403 403 403 403 403 403 404 303 303
POST ops.test_webhook            403 403 403 403 403 403 404 303 303
POST ops.replay_webhooks         403 403 403 403 403 403 404 303 303
POST ops.replay_webhook          403 403 403 403 403 403 404 303 303
POST ops.ticket_again            403 403 403 403 403 403 404 303 303
POST ops.audit_verify            403 403 403 403 403 200 403 303 303
POST ops.policy_draft_save       403 403 403 422 422 403 403 303 303
POST ops.policy_propose          403 403 403 303 303 403 403 303 303
POST ops.policy_confirm          403 403 403 303 303 403 403 303 303
POST ops.policy_step             403 403 403 409 409 403 403 303 303
POST ops.policy_rollback         403 403 403 409 409 403 403 303 303
POST ops.policy_withdraw         403 403 403 409 409 403 403 303 303
POST ops.faces_propose           403 403 403 409 409 403 403 303 303
POST ops.faces_confirm           403 403 403 404 404 403 403 303 303
POST ops.faces_withdraw          403 403 403 404 404 403 403 303 303
POST ops.propose_automation      403 403 403 409 409 403 403 303 303
POST ops.confirm_automation      403 403 403 303 303 403 403 303 303
POST ops.withdraw_automation     403 403 403 409 409 403 403 303 303
POST ops.switch_on               403 403 403 303 303 403 403 303 303
POST ops.audit_export_file       403 403 403 403 422 422 403 303 303
POST ops.discard_rings           403 403 403 503 503 403 403 303 303
POST ops.mend_failed             403 403 403 409 409 403 403 303 303
POST ops.replay_version          403 403 403 422 422 403 403 303 303
POST ops.undo_propose            403 403 403 422 422 403 403 303 303
POST ops.undo_confirm            403 403 403 303 303 403 403 303 303
POST ops.undo_again              403 403 403 409 409 403 403 303 303
POST ops.undo_withdraw           403 403 403 409 409 403 403 303 303
POST desk.set_skills             403 403 403 403 303 403 403 303 303
POST desk.move_case              403 403 403 403 303 403 403 303 303
POST desk.reset_practice         403 403 403 403 303 403 403 303 303
POST desk.begin_practice         303 303 303 403 403 403 403 303 303
POST desk.take_next              303 403 303 403 403 403 403 303 303
"""
"""One line for each address, one code for each of WHO in that order. 200 shown, 303 and 204 done or told on the next page, 409
and 422 refused in words, 403 and 404 refused. That 303 changed nothing of anybody's is asked of the rows themselves. Whose
account is closed and who is not signed in are led to the log-in, always."""

RIGHTLY = frozenset(
    {
        "POST ops.policy_propose", "POST ops.policy_confirm", "POST ops.confirm_automation", "POST ops.switch_on",
        "POST ops.propose_automation", "POST ops.undo_confirm",
        "POST desk.set_skills", "POST desk.move_case", "POST desk.reset_practice",
    }
)  # fmt: skip
"""What a role does to others, or for all of them, as its work. Everything else leaves what is somebody else's as it was."""


SEE_EVERY_CASE = ("senior", "lead")
"""Who reads the details of a case that somebody else has; no address shows any of HERS to the others."""

HERS = (
    *(value for name, value in {**PROFILE.values, **CLAIM.values}.items() if name not in (Field.SEX, Field.NATIONALITY)),
    "Is it right now?",
)
"""What the customer of the case here is called, what stands in her passport, what she wrote."""


def expected() -> dict[str, dict[str, int]]:
    """Endpoint and method -> code for each of WHO."""
    rows = (line.split() for line in EXPECTED.strip().splitlines())
    return {f"{row[0]} {row[1]}": dict(zip(WHO, map(int, row[2:]), strict=True)) for row in rows}


def requests(o: Others) -> dict[str, tuple[str, dict[str, Any]]]:
    """What is sent to each address: whatever a page of its owner would send. Endpoint and method -> address, form."""
    case, quality_at = f"/desk/cases/{o.case}", f"/desk/quality/{o.sample}"
    note = {"note": "What I think.", "reason": "Because of something"}
    refusal = {"action": "reject", "reject_reason": "surname_differs", "seen_version": "1", **note}
    return {
        "GET desk.case": (case, {}),
        "POST desk.take": (f"{case}/take", {}),
        "POST desk.release": (f"{case}/release", {}),
        "POST desk.touch": (f"{case}/touch", {}),
        "POST desk.watch": (f"{case}/watch", {}),
        "POST desk.leave": (f"{case}/leave", {}),
        "POST desk.decide": (f"{case}/answer", refusal),
        "POST desk.preview": (f"{case}/preview", refusal),
        "POST desk.keep_note": (f"{case}/note", note),
        "POST desk.set_by_eye": (f"{case}/by-eye", {}),
        "POST desk.write": (f"{case}/messages", {"message": str(uuid4()), "text": "Hello"}),
        "POST desk.set_aside": (f"{case}/messages/set-aside", {}),
        "GET desk.message_photo": (f"{case}/messages/photos/{o.message_photo}", {}),
        "GET desk.photo": (f"{case}/photos/{o.photo}", {}),
        "POST desk.renew_photo": (f"{case}/photos/renew", {"link": o.photo}),
        "POST desk.ask_papers": (f"{case}/papers", {"paper": "earlier_passports"}),
        "GET desk.paper_picture": (f"{case}/papers/{o.paper_picture}", {}),
        "POST desk.renew_paper": (f"{case}/papers/renew", {"link": o.paper_picture}),
        "POST desk.seen_paper": (f"{case}/papers/{o.paper}/seen", {}),
        "POST desk.unneeded_paper": (f"{case}/papers/{o.wanted}/unneeded", {}),
        "POST desk.settle": (f"{case}/settle", {**note, "seen_version": "1"}),
        "POST desk.revert": (f"{case}/revert", note),
        "POST desk.take_back": (f"/desk/answers/{o.answer}/take-back", {}),
        "POST desk.told": (f"/desk/answers/{o.answer}/told", {}),
        "POST desk.take_back_outgoing": (f"/desk/outgoing/{o.outgoing}/take-back", {}),
        "POST desk.told_outgoing": (f"/desk/outgoing/{o.outgoing}/told", {}),
        "POST desk.rename_view": (f"/desk/views/{o.view}/rename", {"name": "Now mine"}),
        "POST desk.delete_view": (f"/desk/views/{o.view}/delete", {}),
        "POST desk.keep_view": ("/desk/views", {"name": "My own"}),
        "GET desk.quality_page": ("/desk/quality", {}),
        "GET desk.quality_sample": (quality_at, {}),
        "GET desk.quality_photo": (f"{quality_at}/photos/{o.sample_photo}", {}),
        "POST desk.quality_photo_again": (f"{quality_at}/photos/renew", {"link": o.sample_photo}),
        "POST desk.quality_verdict": (f"{quality_at}/verdict", {"action": "approve"}),
        "POST desk.quality_give_back": (f"{quality_at}/give-back", {}),
        "POST desk.quality_stands": (f"{quality_at}/stands", note),
        "POST desk.quality_next": ("/desk/quality/next", {}),
        "GET desk.practice_page": ("/desk/practice", {}),
        "GET desk.practice_case": ("/desk/practice/case", {}),
        "GET desk.practised": ("/desk/practice/answers/1", {}),
        "GET desk.practice_photo": ("/desk/practice/photo?link=nothing", {}),
        "POST desk.open_practice_photo": ("/desk/practice/photo", {"link": "nothing"}),
        "POST desk.answer_practice": ("/desk/practice/case", {"specimen": "nothing", "action": "approve"}),
        "GET desk.queue": ("/desk", {}),
        "GET desk.queue_again": ("/desk/now", {}),
        "POST desk.search": ("/desk/search", {"q": "host-3"}),
        "GET desk.my_figures": ("/desk/me", {}),
        "GET desk.my_figures_csv": ("/desk/me.csv", {}),
        "GET desk.my_week": ("/desk/me/week", {}),
        "POST desk.my_week_mail": ("/desk/me/week/mail", {"mail": "on"}),
        "GET desk.team_page": ("/desk/team", {}),
        "GET desk.team_csv": ("/desk/team.csv", {}),
        "GET desk.rescue_page": ("/desk/rescue", {}),
        "GET desk.rescue_story": (f"/desk/rescue/{o.customer}", {}),
        "GET desk.replies_page": ("/desk/replies", {}),
        "GET desk.new_reply": ("/desk/replies/new", {}),
        "GET desk.reply": ("/desk/replies/nothing", {}),
        "POST desk.save_reply": ("/desk/replies/nothing", {"name": "Nothing"}),
        "GET desk.skills": ("/desk/skills", {}),
        "GET ops.now_page": ("/ops", {}),
        "GET ops.report_page": ("/ops/reports", {}),
        "GET ops.report_csv": ("/ops/reports.csv", {}),
        "GET ops.report_pdf": ("/ops/reports.pdf", {}),
        "POST ops.report_wish": ("/ops/reports/wish", {}),
        "POST ops.report_mail": ("/ops/reports/mail", {"mail": "on"}),
        "GET ops.what_if_newest": ("/ops/what-if", {}),
        "GET ops.faces_page": ("/ops/faces", {}),
        "GET ops.policies_page": ("/ops/policies", {}),
        "GET ops.policy_page": (f"/ops/policies/{o.version}", {}),
        "GET ops.policy_draft": ("/ops/policies/draft", {}),
        "GET ops.audit_page": ("/ops/audit", {}),
        "GET ops.audit_key": ("/ops/audit/key.pem", {}),
        "GET ops.audit_case": (f"/ops/audit/cases/{o.case}", {}),
        "GET ops.queues_page": ("/ops/queues", {}),
        "GET ops.retention_page": ("/ops/retention", {}),
        "GET ops.keys_page": ("/ops/keys", {}),
        "POST ops.make_key": ("/ops/keys", {"name": "Core banking"}),
        "POST ops.rotate_key": (f"/ops/keys/{o.case}/rotate", {"hours": "24"}),
        "POST ops.revoke_key": (f"/ops/keys/{o.case}/revoke", {}),
        "GET ops.undo_page": ("/ops/undo", {}),
        "GET ops.undo_one": (f"/ops/undo/{o.undo}", {}),
        "GET ops.undo_progress": (f"/ops/undo/{o.undo}/progress", {}),
        "GET ops.what_if": (f"/ops/policies/{o.version}/what-if", {}),
        "GET ops.would_be_wrong": (f"/ops/policies/{o.version}/what-if/{o.report}/{o.case}", {}),
        "GET ops.webhooks_page": ("/ops/webhooks", {}),
        "GET ops.webhook_delivery": (f"/ops/webhooks/deliveries/{o.case}", {}),
        "GET ops.helpdesk_page": ("/ops/helpdesk", {}),
        "POST ops.add_webhook": ("/ops/webhooks", {}),
        "POST ops.change_webhook": (f"/ops/webhooks/{o.case}/change", {"version": "1"}),
        "POST ops.switch_webhook": (f"/ops/webhooks/{o.case}/off", {}),
        "POST ops.new_webhook_secret": (f"/ops/webhooks/{o.case}/secret", {"overlap": "24"}),
        "POST ops.remove_webhook": (f"/ops/webhooks/{o.case}/remove", {}),
        "POST ops.test_webhook": (f"/ops/webhooks/{o.case}/test", {}),
        "POST ops.replay_webhooks": (f"/ops/webhooks/{o.case}/replay", {"since": "24"}),
        "POST ops.replay_webhook": (f"/ops/webhooks/deliveries/{o.case}/replay", {}),
        "POST ops.ticket_again": (f"/ops/helpdesk/{o.case}/again", {}),
        # What a role does to others rightly comes last.
        "POST ops.audit_verify": ("/ops/audit/verify", {}),
        "POST ops.policy_draft_save": ("/ops/policies/draft", note),
        "POST ops.policy_propose": (f"/ops/policies/{o.version}/propose", note),
        "POST ops.policy_confirm": (f"/ops/policies/proposals/{o.proposal}/confirm", {}),
        "POST ops.policy_step": (f"/ops/policies/rollouts/{o.proposal}/step", {"to": "full"}),
        "POST ops.policy_rollback": ("/ops/policies/1/rollback", note),
        "POST ops.policy_withdraw": (f"/ops/policies/proposals/{o.proposal}/withdraw", {}),
        "POST ops.faces_propose": ("/ops/faces/propose", note),
        "POST ops.faces_confirm": ("/ops/faces/1/confirm", {}),
        "POST ops.faces_withdraw": ("/ops/faces/1/withdraw", {}),
        "POST ops.propose_automation": ("/ops/automation", note),
        "POST ops.confirm_automation": (f"/ops/automation/{o.switch}/confirm", {}),
        "POST ops.withdraw_automation": (f"/ops/automation/{o.switch}/withdraw", {}),
        "POST ops.switch_on": ("/ops/everything-to-people", note),
        "POST ops.audit_export_file": ("/ops/audit/export", {"first": "2026-11-22", "last": "2026-11-22"}),
        "POST ops.discard_rings": ("/ops/queues/rings/verify/discard", {}),
        "POST ops.mend_failed": ("/ops/queues/failed/notification/again", {"only": str(o.notification)}),
        "POST ops.replay_version": (f"/ops/policies/{o.version}/what-if", {}),
        "POST ops.undo_propose": ("/ops/undo", note),
        "POST ops.undo_confirm": (f"/ops/undo/{o.undo}/confirm", {"count": "1"}),
        "POST ops.undo_again": (f"/ops/undo/{o.undo}/again", {}),
        "POST ops.undo_withdraw": (f"/ops/undo/{o.undo}/withdraw", {}),
        "POST desk.set_skills": (f"/desk/skills/{o.staff}", {}),
        "POST desk.move_case": (f"/desk/team/cases/{o.case}", {"held_by": str(o.staff)}),
        "POST desk.reset_practice": (f"/desk/team/{o.staff}/practice", {}),
        "POST desk.begin_practice": ("/desk/practice/begin", {}),
        "POST desk.take_next": ("/desk/next", {}),
    }


def ask(browser: Browser, key: str, address: str, form: dict[str, Any]) -> Any:
    return browser.get(address) if key.startswith("GET") else browser.post(address, **form)


def standing(office: Office, o: Others) -> dict[str, Any]:
    """How everything stands that is somebody else's: as rows, not as pages."""
    with office.db.reading() as db:
        case, approved = db.get_one(Case, o.case), db.get_one(Case, o.approved)
        answer, sample, paper = db.get_one(Answer, o.answer), db.get_one(QualitySample, o.sample), db.get_one(Paper, o.paper)
        wanted = db.get_one(Paper, o.wanted)
        view = db.get(SavedView, o.view)
        rounds = (
            select(PracticeRound.staff_id, func.count(PracticeAnswer.number))
            .join(PracticeAnswer)
            .group_by(PracticeRound.staff_id)
        )
        proposal = db.get_one(PolicyActivation, o.proposal)
        return {
            "case": (case.state, case.version, case.owner_id, case.escalated_at, case.risk),
            "approved": (approved.state, approved.version, approved.dispute_settled_at),
            "profile": db.get_one(Customer, approved.customer_id).profile_version_id,
            "customer": (db.get_one(Customer, o.customer).by_eye, db.get_one(Customer, o.customer).profile_version_id),
            "answer": (answer.state, answer.told_at, answer.ended_at),
            "outgoing": (db.get_one(Outgoing, o.outgoing).state, db.get_one(Outgoing, o.outgoing).told_at),
            "messages": db.execute(select(Message.id, Message.seen_at).where(Message.case_id == o.case)).all(),
            "papers": (paper.seen_by_id, list(paper.sights or []), wanted.withdrawn_at),
            "view": view and (view.name, view.staff_id),
            "sample": (sample.reviewer_id, sample.reviewed_at, sample.settled_at),
            "practice": sorted((str(staff), count) for staff, count in db.execute(rounds).all()),
            "proposal": (proposal.effective_at, proposal.withdrawn_at),
            "looks": db.scalar(
                select(func.count()).where(Event.kind.in_(("photo_opened", "message_photo_opened", "paper_opened")))
            ),
        }


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    """Desk, ops and portal; answers wait to be sent, and everything is reviewed again."""
    more = {"quality_answers": 1.0, "quality_approvals": 1.0, "undo_seconds": 600}
    made = make_office(settings.model_copy(update=more), "all")
    yield made
    made.db.dispose()


def browser_of(office: Office, who: str) -> Browser:
    """A browser in which she is signed in, or was until her account was closed, or nobody ever was."""
    if who == "nobody":
        return office.browser()
    email = office.member(ROLES[who])
    browser = office.sign_in(email)
    browser.fresh("/staff")
    with office.db.transaction() as db:
        member = db.scalars(select(Staff).where(Staff.email == email)).one()
        member.practising, member.active = who == "practising", who != "closed"
    return browser


def addresses(office: Office) -> set[str]:
    """Every method and endpoint of the staff's pages."""
    return {
        f"{method} {rule.endpoint}"
        for rule in office.app.url_map.iter_rules()
        if rule.endpoint.split(".")[0] in ("desk", "ops")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_no_address_is_missing_from_the_table(office: Office) -> None:
    assert addresses(office) == set(expected()) == set(requests(furnish(office)))


@pytest.mark.parametrize("who", WHO)
def test_a_role_gets_exactly_what_the_table_says_and_changes_nothing_of_anybody_elses(office: Office, who: str) -> None:
    others = furnish(office)
    browser, table = browser_of(office, who), expected()
    before = standing(office, others)
    wrong = []
    for key, (address, form) in requests(others).items():
        answer = ask(browser, key, address, form)
        if who not in SEE_EVERY_CASE and (told := [word for word in HERS if word in answer.get_data(as_text=True)]):
            wrong.append(f"{key} shows {told}")
        if answer.status_code != table[key][who]:
            wrong.append(f"{key}: {answer.status_code}, not {table[key][who]}")
        if who in ("closed", "nobody") and not (answer.location or "").startswith("/staff/sign-in"):
            wrong.append(f"{key}: led to {answer.location}")
        after = standing(office, others)
        if after != before and (key not in RIGHTLY or table[key][who] != 303):
            wrong.append(f"{key} changed {[name for name in after if after[name] != before[name]]}")
        before = after
    assert not wrong


def test_the_permission_of_each_address_is_what_lets_a_role_in(office: Office) -> None:
    """The table and `PERMISSIONS` say the same: who lacks the permission of an address is refused there, whatever it is about."""
    from cases.staff import PERMISSIONS, PRACTISING

    table = expected()
    for key in addresses(office):
        permission = office.app.view_functions[key.split()[1]].permission
        for who in WHO[:7]:
            held = PERMISSIONS[ROLES[who]]
            held = held & PRACTISING if who == "practising" else held
            assert permission in held or table[key][who] == 403, (key, who)


def test_nothing_is_sent_without_the_token_of_a_page(office: Office) -> None:
    others = furnish(office)
    browser = office.signed_in(*Role)
    before = standing(office, others)
    with office.db.reading() as db:
        events = db.scalar(select(func.count()).select_from(Event))
    for key, (address, form) in requests(others).items():
        if key.startswith("POST"):
            for token in ({}, {"csrf_token": "of another page"}):
                assert browser.client.post(address, data={**form, **token}).status_code == 400, key
    assert standing(office, others) == before
    with office.db.reading() as db:
        assert db.scalar(select(func.count()).select_from(Event)) == events


@pytest.mark.parametrize("who", ["agent", "senior", "lead"])
def test_her_own_case_is_neither_shown_to_her_nor_moved_by_her(office: Office, who: str) -> None:
    """She is a customer too: the account has the e-mail address of her own work. No page tells her what the machine found."""
    others = furnish(office)
    email = office.member(ROLES[who])
    browser = office.sign_in(email)
    browser.fresh("/staff")
    with office.db.transaction() as db:
        her = db.scalars(select(Staff).where(Staff.email == email)).one()
        for customer in {db.get_one(Case, o).customer_id for o in (others.case, others.approved)}:
            conflicts.say(db, her, db.get_one(Customer, customer), actor=audit.SYSTEM, now=office.clock())
    before = standing(office, others)
    page = browser.get(f"/desk/cases/{others.case}")
    assert page.status_code == 403 and "ПРИМЕРНАЯ" not in page.get_data(as_text=True)
    assert "your own or related to your own account" in page.get_data(as_text=True)
    for key, (address, form) in requests(others).items():
        if str(others.case) in address or str(others.customer) in address:
            answer = ask(browser, key, address, form)
            assert answer.status_code not in (200, 204) or key in ("POST desk.watch", "POST desk.leave"), key
            assert "ПРИМЕРНАЯ" not in answer.get_data(as_text=True), key
    note = {"note": "It was wrong.", "seen_version": "1"}
    assert browser.post(f"/desk/cases/{others.approved}/revert", **note).status_code in (403, 409)
    assert standing(office, others) == before
    with office.db.reading() as db:
        kept = db.scalars(select(Event).where(Event.kind == "case_withheld", Event.actor_id == str(her.id))).all()
    assert {event.case_id for event in kept} >= {others.case}


def test_a_closed_case_of_somebody_elses_is_not_shown_to_an_agent_and_that_she_asked_is_in_the_trail(office: Office) -> None:
    others = furnish(office)
    for who, code in (("agent", 403), ("senior", 200)):
        answer = browser_of(office, who).get(f"/desk/cases/{others.approved}")
        told = answer.get_data(as_text=True)
        assert answer.status_code == code and any(word in told for word in HERS) == (code == 200), who
    with office.db.reading() as db:
        (event,) = db.scalars(select(Event).where(Event.kind == "case_not_shown")).all()
        assert (event.case_id, event.details) == (others.approved, {"why": "away"})


def test_a_member_of_staff_is_nobody_to_the_portal(office: Office) -> None:
    """No address of the portal that wants a customer takes a session of the staff's for one."""
    others = furnish(office)
    browser = office.signed_in(*Role)
    browser.fresh("/staff")
    before = standing(office, others)
    wrong, tried = [], 0
    for rule in office.app.url_map.iter_rules():
        if rule.endpoint.split(".")[0] != "portal" or rule.endpoint in OPEN:
            continue
        address = re.sub(r"<uuid:case_id>", str(others.case), str(rule))
        address = re.sub(r"<any\((\w+)[^>]*>", r"\1", address)
        address = re.sub(r"<uuid:\w+>", str(others.paper), address)
        address = re.sub(r"<[^>]*>", "surname", address)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            tried += 1
            answer = browser.client.open(address, method=method, data={"csrf_token": browser.token})
            if answer.status_code != 303 or not (answer.location or "").startswith("/sign-in"):
                wrong.append(f"{method} {address}: {answer.status_code} {answer.location}")
    assert not wrong and tried >= 50
    assert standing(office, others) == before


OPEN = frozenset(
    {
        "portal.not_me", "portal.report_not_me", "portal.phone_link", "portal.phone_open", "portal.phone_gone",
        "portal.phone_number", "portal.phone_confirm",
    }
)  # fmt: skip
"""Addresses of the portal that a link opens rather than a session: a link is drawn for its customer and known to nobody else."""
