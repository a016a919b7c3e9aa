"""Cases: opened for a customer with her claim typed already, read, listed, cancelled; and what became of them.

Agreeing, the photos and the sending stay hers: a case that is opened here is a draft that waits for her on the portal.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, joinedload

from cases import answers, api_keys, customers, host_values, intake, moves, profiles, queries
from cases.lifecycle import CLOSED, IllegalTransition, State
from cases.models import MARKED, UNMARKED, Case, Customer, Disposition, ProfileVersion, Run, RunState
from verification.evidence import Claim
from webapp.api import shapes
from webapp.api.customers import known, refuse
from webapp.api.problems import Problem, wrong
from webapp.api.surface import Answer, api, asks_for_version, key, operation, precondition
from webapp.context import now

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ANSWERED = {"approve": "approve", "reject": "reject", "ask_retake": "retake"}
"""What a person's disposition is called in an outcome; others (settle, revert) decide about no claim."""

_ANSWERED_TRIALS = {
    State.APPROVED: "approve", State.REVERTED: "approve", State.REJECTED: "reject", State.NEEDS_RETAKE: "retake",
}  # fmt: skip

KEPT = ("idempotency_mismatch", "idempotency_in_progress", "answer_erased")


@api.post("/cases")
@operation(
    "cases:write",
    answers={201: shapes.CaseOut},
    problems=("not_found", "case_open", "nothing_changes", "invalid", *KEPT),
    tagged=True,
)
@api.input(shapes.CaseIn)
def open_case(db: Session, json_data: shapes.CaseIn) -> Answer:
    """Open a case

    A draft with the claim typed already. Hand the customer over to it (`POST /v1/customers/{external_id}/links` with its
    `case_id`): she looks it over, sends her photos and agrees. A customer has one open case at a time.
    """
    customer = known(db, json_data.customer)
    moment = now()
    values = json_data.claim.values_given()
    email = json_data.email
    refuse(
        host_values.check(values, on=moment.date(), whole=False),
        host_values.check_email(email) if email is not None else None,
        within="/claim",
    )
    try:
        case = intake.open_case(
            db,
            customer,
            Claim(reason=json_data.reason, values=values),
            country=json_data.country,
            new_email=email,
            locale=json_data.locale.value if json_data.locale else customer.locale,
            now=moment,
            actor=key().actor,
        )
    except intake.AlreadyOpen as opened:
        raise Problem("case_open", case_id=str(opened.case_id)) from None
    except intake.NothingChanges:
        raise Problem("nothing_changes") from None
    except customers.Erased:
        raise Problem("not_found", kept=False) from None
    return Answer(body=described(case), status=201, headers={"Location": f"/v1/cases/{case.id}"}, about=customer, tag=True)


@api.get("/cases")
@operation("cases:read", answers={200: shapes.CasePage}, problems=("invalid",))
@api.input(shapes.CaseQuery, location="query")
def list_cases(db: Session, query_data: shapes.CaseQuery) -> Answer:
    """List cases

    The newest first, page by page: as long as `has_more` is true, send `next` as `after`. Cases that are opened meanwhile
    neither double nor hide others. Closed cases of a person who was erased stay, with ids, codes and times alone; `customer` is
    then a name beginning with `erased-`, under which there is nothing.
    """
    wanted = select(Case).where(MARKED if key().sandbox else UNMARKED)
    if query_data.customer is not None:
        wanted = wanted.join(Customer, Customer.id == Case.customer_id).where(Customer.external_id == query_data.customer)
    if query_data.state is not None:
        wanted = wanted.where(Case.state == query_data.state)
    if query_data.after is not None:
        at, last = _position(query_data.after)
        wanted = wanted.where(or_(Case.opened_at < at, and_(Case.opened_at == at, Case.id < last)))
    rows = db.scalars(
        wanted.options(joinedload(Case.customer)).order_by(Case.opened_at.desc(), Case.id.desc()).limit(query_data.limit + 1)
    ).all()
    shown = rows[: query_data.limit]
    more = len(rows) > len(shown)
    body = shapes.CasePage(
        data=[described(case) for case in shown], has_more=more, next=_cursor(shown[-1]) if more and shown else None
    )
    return Answer(body=body)


@api.get("/cases/<uuid:case_id>")
@operation("cases:read", answers={200: shapes.CaseOut}, tagged=True)
def get_case(db: Session, case_id: UUID) -> Answer:
    """Read a case

    Where it stands. With `If-None-Match` a poll costs no more than its headers; webhooks make it unnecessary.
    """
    return Answer(body=described(mine(db, case_id)), tag=True)


@api.post("/cases/<uuid:case_id>/cancel")
@operation(
    "cases:write",
    answers={200: shapes.CaseOut},
    problems=("state_conflict", "precondition_failed", *KEPT),
    tagged=True,
    matches=True,
)
def cancel_case(db: Session, case_id: UUID) -> Answer:
    """Cancel a case

    Closes an open case at the customer's wish, whoever is looking at it. One that was cancelled already is answered alike.
    """
    mine(db, case_id)
    case = moves.lock(db, case_id)
    if asks_for_version():
        precondition(described(case))
    if case.state is not State.WITHDRAWN:
        try:
            intake.withdraw(db, case.id, now=now(), actor=key().actor)
        except IllegalTransition as closed:
            raise Problem("state_conflict", state=closed.state.value) from None
    return Answer(body=described(case), about=case.customer, tag=True)


@api.get("/cases/<uuid:case_id>/outcome")
@operation("cases:read", answers={200: shapes.OutcomeOut}, tagged=True)
def get_outcome(db: Session, case_id: UUID) -> Answer:
    """Read the outcome of a case

    What was decided, by whom and why, and after an approval the details that hold now. A change that the customer disputes in
    time is held back until a person has looked (`held`): do not use it meanwhile.
    """
    case = mine(db, case_id)
    return Answer(body=_outcome(db, case), about=case.customer, tag=True)


# --- In words of the API


def described(case: Case) -> shapes.CaseOut:
    """A case as the host reads it."""
    return shapes.CaseOut(
        id=case.id,
        customer=case.customer.external_id,
        livemode=not case.customer.sandbox,
        state=case.state,
        open=case.state not in CLOSED,
        reason=case.change_reason,
        country=case.country,
        locale=case.locale,
        version=case.version,
        attempt=case.attempt,
        reasons=list(case.reasons),
        retake=list(case.retake),
        opened_at=case.opened_at,
        updated_at=case.updated_at,
        submitted_at=case.submitted_at,
        due_at=case.due_at if case.state is State.IN_REVIEW else None,
        closed_at=case.closed_at,
    )


def _outcome(db: Session, case: Case) -> shapes.OutcomeOut:
    runs = select(Run).where(Run.case_id == case.id, Run.state == RunState.FINISHED).order_by(Run.fence.desc()).limit(1)
    run = db.scalars(runs).one_or_none()
    by_person = db.scalars(
        select(Disposition)
        .where(Disposition.case_id == case.id, Disposition.action.in_(ANSWERED))
        .order_by(Disposition.created_at.desc(), Disposition.id.desc())
        .limit(1)
    ).one_or_none()
    decision = by = at = None
    reasons = list(case.reasons)
    if run is not None and run.finished_at is not None:
        decision, by, at = run.outcome, "machine", run.finished_at
    if by_person is not None and (at is None or by_person.created_at >= at):
        decision, by, at, reasons = ANSWERED[by_person.action], "person", by_person.created_at, list(by_person.reasons)
    if case.trial and decision == "refer" and case.state in _ANSWERED_TRIALS:  # no agent answers in the sandbox
        decision, by, at = _ANSWERED_TRIALS[case.state], "person", case.closed_at or case.updated_at
    page = queries.case_page(db, case.id, now=now())
    differing = [
        row.field.value for row in page.fields if row.typed is not None and row.agreement is not None and row.agreement < 1
    ]
    return shapes.OutcomeOut(
        case=case.id,
        customer=case.customer.external_id,
        livemode=not case.customer.sandbox,
        state=case.state,
        decision=decision,
        decided_by=by,
        decided_at=at,
        reasons=reasons,
        differing=differing,
        policy_version=run.policy_version if run is not None else None,
        submitted_at=case.submitted_at,
        closed_at=case.closed_at,
        held=profiles.held(case),
        disputed=case.disputed_at is not None and case.dispute_settled_at is None,
        applied=_applied(db, case),
    )


def _applied(db: Session, case: Case) -> shapes.Applied | None:
    """What an approval made current; nothing while it is held, once it was reverted, or once she was erased."""
    if case.state is not State.APPROVED or case.applied_version_id is None or profiles.held(case):
        return None
    if case.customer.data_key.wrapped is None:
        return None
    version = db.get_one(ProfileVersion, case.applied_version_id)
    before = db.get_one(ProfileVersion, case.prior_version_id)
    profile, email = profiles.read_version(db, case.customer, version)
    former, former_email = profiles.read_version(db, case.customer, before)
    fields = [field.value for field in profiles.differing(former, profile.values)]
    return shapes.Applied(
        version=version.number,
        fields=fields + ([answers.EMAIL] if email != former_email else []),
        profile=shapes.ProfileDetails.of(profile),
        email=email,
    )


def mine(db: Session, case_id: UUID) -> Case:
    """The case of that id if this key may see whose it is; those of somebody erased are closed. Raises Problem: not_found."""
    case = db.get(Case, case_id)
    if case is None or not api_keys.may_see(key(), case.customer):
        raise Problem("not_found", kept=False)
    return case


# --- Pages


def _cursor(case: Case) -> str:
    """Where a page ended: the time in microseconds, exactly, and the id. No secret, and no promise of its form."""
    micros = (case.opened_at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(f"{micros}.{case.id.hex}".encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[datetime, UUID]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        micros, _, number = text.partition(".")
        return _EPOCH + timedelta(microseconds=int(micros)), UUID(hex=number)
    except (ValueError, OverflowError, binascii.Error):
        told = wrong("query:after", "cursor", "This is not a `next` of ours.")
        raise Problem("invalid", errors=[told], kept=False) from None
