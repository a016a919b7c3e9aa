"""How much harm a wrong approval of a case could do, told from codes. High: two people have to come to it by themselves.

The measure is not how suspicious a customer looks but what would stand between her account and somebody else: where nothing
but one agent's eye does, a second agent's is asked. Why these signs and no others: docs/decisions/0012.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from cases import customers, policies, profiles
from cases.desk_tables import Risk
from cases.desk_tables import RiskSign as Sign
from cases.models import Case, Customer, Disposition, Run, RunState
from verification.continuity import GIVEN, NAMES, SURNAMES
from verification.evidence import DocumentType, Field, Measures, Pair
from verification.policy import Policy
from verification.reasons import ReasonCode

__all__ = ["Risk", "Sign"]  # the words of this module, kept where tables and wording find them

WEIGHTY = frozenset(
    {
        ReasonCode.DOCUMENT_EXPIRED,
        ReasonCode.DOCUMENT_IS_SPECIMEN,
        ReasonCode.ZONES_DISAGREE,
        ReasonCode.BIRTH_DATE_NOT_THE_ACCOUNTS,
        ReasonCode.SEX_NOT_THE_ACCOUNTS,
        ReasonCode.NAMES_NOT_THE_ACCOUNTS,
        ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER,
        ReasonCode.SELFIE_ON_FILE_FACES_DIFFER,
        ReasonCode.DOCUMENT_ON_FILE_FACES_DIFFER,
        ReasonCode.SELFIE_IS_THE_DOCUMENT,
    }
)
"""Who approves in spite of one of these, whichever run found it, says why in a note, and a second person has to agree."""

_NAME = frozenset({*SURNAMES, *GIVEN})
"""A new patronymic alone makes nobody another person, and changes too seldom to be looked for."""
assert _NAME <= NAMES


def judge(session: Session, case: Case, *, now: datetime) -> tuple[Risk, tuple[str, ...]]:
    """How risky an approval is, and the codes of `Sign` why, in their order. Reads the claim: not for a shredded case."""
    signs = tuple(sign.value for sign in _signs(session, case, now))
    return (Risk.HIGH if signs else Risk.ORDINARY), signs


def write(session: Session, case: Case, *, now: datetime) -> Risk:
    """Judge a locked case that comes to the desk, and keep the result with it."""
    level, _ = judge(session, case, now=now)
    case.risk = level.value
    return level


def appealed(session: Session, case: Case) -> bool:
    """Whether an agent refused this case before, and it is here again."""
    refused = exists().where(Disposition.case_id == case.id, Disposition.action == "reject")
    return bool(session.scalar(select(refused)))


def found(session: Session, case: Case) -> frozenset[str]:
    """Reason codes of the case and of every run it had: a retake or an appeal writes others over those of the case."""
    return frozenset(case.reasons).union(*session.scalars(select(Run.reasons).where(Run.case_id == case.id)))


def measured(session: Session, case: Case) -> tuple[Run, Measures] | None:
    """What the newest finished run of this attempt measured. None: no machine looked at what was sent last."""
    run = session.scalars(
        select(Run)
        .where(Run.case_id == case.id, Run.attempt == case.attempt, Run.state == RunState.FINISHED, Run.measures.is_not(None))
        .order_by(Run.fence.desc())
        .limit(1)
    ).one_or_none()
    return (run, Measures.from_json(run.measures)) if run is not None and run.measures is not None else None


def _signs(session: Session, case: Case, now: datetime) -> list[Sign]:
    session.flush()
    policy = policies.careful_for(session, case.id)
    last = measured(session, case)
    m = last[1] if last else None
    customer = session.get_one(Customer, case.customer_id)
    profile, email = customers.current_profile(session, customer)
    claim, new_email = profiles.read_claim(session, case)
    changed = frozenset(profiles.differing(profile, claim.values))
    holds = {
        Sign.NOTHING_TIES: Field.DOCUMENT_NUMBER in changed and bool(_NAME & changed) and not _tied(m, policy),
        Sign.ACCOUNT_WATCHED: customers.under_watch(session, case.customer_id, now=now),
        Sign.WEIGHTY_REASON: bool({reason.value for reason in WEIGHTY} & found(session, case)),
        Sign.OLD_PORTRAIT: m is not None and _old_portrait(m, policy) and not _alike(m, Pair.DOCUMENT_ON_FILE, policy),
        Sign.NEW_EMAIL: new_email is not None and new_email.casefold() != email.casefold(),
        Sign.DISPUTED: case.disputed_at is not None and case.dispute_settled_at is None,
        Sign.APPEALED: appealed(session, case),
        Sign.FACES_BY_EYE: customer.by_eye or m is None or Pair.SELFIE_DOCUMENT not in m.pairs,
    }
    return [sign for sign, holding in holds.items() if holding]


def _tied(m: Measures | None, policy: Policy) -> bool:
    """Whether something that a thief's own passport cannot show ties the new document to the account."""
    if m is None:
        return False
    faces = (Pair.SELFIE_ON_FILE, Pair.DOCUMENT_ON_FILE)
    return m.earlier_number_seen is True or any(_alike(m, pair, policy) for pair in faces)


def _alike(m: Measures, pair: Pair, policy: Policy) -> bool:
    """Whether two faces reach the line that the policy draws for an approval. Not compared is not alike."""
    scores = m.pairs.get(pair)
    if scores is None or scores.similarity is None or scores.fmr is None:
        return False
    return scores.similarity >= policy.min_similarity(pair) and scores.fmr <= 1.0 / policy.min_strangers


def _old_portrait(m: Measures, policy: Policy) -> bool:
    """As `verification.decision` has it: an internal passport's may be 25 years old, so unread it counts as old."""
    if m.portrait_years is None:
        return m.document_type is DocumentType.RU_INTERNAL
    return not m.portrait_years <= policy.max_portrait_years
