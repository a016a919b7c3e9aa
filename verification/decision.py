"""Weigh one run's measures against one policy: approve, ask for a photo again, or hand to a person.

The only place that turns evidence into a decision. Pure and total: any measures give an answer, and
whatever is absent, not a number or out of its range never approves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from verification.continuity import MAY_CHANGE
from verification.evidence import ChangeReason, DocumentType, Field, Measures, Pair
from verification.policy import Policy
from verification.reasons import MENDABLE, RETAKE, PhotoKind, ReasonCode


class Outcome(StrEnum):
    """There is no REJECT: only a person may refuse a customer."""

    APPROVE = "approve"
    RETAKE = "retake"
    REFER = "refer"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A policy's answer to one run, with every reason that speaks against an approval."""

    outcome: Outcome
    reasons: tuple[ReasonCode, ...]
    retake: frozenset[PhotoKind]
    policy_version: int

    def to_json(self) -> dict[str, Any]:
        """As printed by `python -m verification verify`."""
        return {
            "outcome": self.outcome.value,
            "reasons": [r.value for r in self.reasons],
            "retake": sorted(k.value for k in self.retake),
            "policy_version": self.policy_version,
        }


DIFFERS: dict[Field, ReasonCode] = {
    Field.SURNAME: ReasonCode.SURNAME_DIFFERS,
    Field.SURNAME_NATIVE: ReasonCode.SURNAME_DIFFERS,
    Field.GIVEN_NAMES: ReasonCode.GIVEN_NAMES_DIFFER,
    Field.GIVEN_NAMES_NATIVE: ReasonCode.GIVEN_NAMES_DIFFER,
    Field.PATRONYMIC: ReasonCode.PATRONYMIC_DIFFERS,
    Field.DATE_OF_BIRTH: ReasonCode.DATE_OF_BIRTH_DIFFERS,
    Field.SEX: ReasonCode.SEX_DIFFERS,
    Field.DOCUMENT_NUMBER: ReasonCode.DOCUMENT_NUMBER_DIFFERS,
}
"""The reason told when a typed field is not what the document shows; others are OTHER_FIELD_DIFFERS."""

NOT_THE_ACCOUNTS: dict[Field, ReasonCode] = {
    Field.DATE_OF_BIRTH: ReasonCode.BIRTH_DATE_NOT_THE_ACCOUNTS,
    Field.SEX: ReasonCode.SEX_NOT_THE_ACCOUNTS,
}
"""The reason told when the document does not fit the account; others are NAMES_NOT_THE_ACCOUNTS."""

FACES: dict[Pair, tuple[ReasonCode, ReasonCode]] = {
    Pair.SELFIE_DOCUMENT: (ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER, ReasonCode.SELFIE_DOCUMENT_FACES_UNSURE),
    Pair.SELFIE_ON_FILE: (ReasonCode.SELFIE_ON_FILE_FACES_DIFFER, ReasonCode.SELFIE_ON_FILE_FACES_UNSURE),
    Pair.DOCUMENT_ON_FILE: (ReasonCode.DOCUMENT_ON_FILE_FACES_DIFFER, ReasonCode.DOCUMENT_ON_FILE_FACES_UNSURE),
}

EXCUSED = frozenset(
    {
        ReasonCode.SELFIE_BLURRED,
        ReasonCode.SELFIE_TOO_DARK,
        ReasonCode.SELFIE_TOO_BRIGHT,
        ReasonCode.DOCUMENT_BLURRED,
        ReasonCode.DOCUMENT_TOO_DARK,
        ReasonCode.DOCUMENT_TOO_BRIGHT,
        ReasonCode.DOCUMENT_GLARE,
        ReasonCode.DOCUMENT_TOO_SMALL,
        ReasonCode.DOCUMENT_CUT_OFF,
        ReasonCode.DOCUMENT_COVERED,
    }
)
"""A poor picture from which everything was nonetheless read and matched: no reason to trouble the customer again.

Two documents on one photo are not among them: whose portrait and whose name were matched is not for us to choose.
"""

RETAKE_FIRST = frozenset({ReasonCode.CONTACT_CHANGES, ReasonCode.LIVENESS_NOT_SHOWN, ReasonCode.FACES_BY_EYE})
"""Goes to a person, but only once the photos are good enough for one."""

HAS_ZONE = frozenset({DocumentType.TD1, DocumentType.TD2, DocumentType.TD3, DocumentType.MRVA, DocumentType.MRVB})
"""Layouts that always carry a machine-readable zone; the Russian internal passport has one since July 2011 only."""


def decide(measures: Measures, policy: Policy, *, attempt: int, standing: tuple[ReasonCode, ...] = ()) -> Decision:
    """Weigh one run against one policy version. Pure: same inputs, same decision.

    All reasons are collected, so a customer retakes once and an agent sees everything. A retake is asked for only
    when a new photo could clear up *every* reason and attempts are left: nobody photographs for nothing.
    `attempt` counts submissions from 1. `standing` are reasons that hold whatever the photos show: everything to people,
    an account under watch, a new mail address, a photo sent in spite of its problems. There is no REJECT: only a person
    may refuse a customer.
    """
    found = list(dict.fromkeys(_reasons(measures, policy)))
    weighty = [r for r in found if r not in EXCUSED]
    weighty += standing
    found += standing
    if not weighty:
        return Decision(outcome=Outcome.APPROVE, reasons=(), retake=frozenset(), policy_version=policy.version)
    retake = frozenset(kind for r in found if r in RETAKE for kind in _photos(r, measures))
    outcome = Outcome.REFER
    if retake and all(r in MENDABLE or r in RETAKE_FIRST for r in found):
        if attempt < policy.max_attempts:
            outcome = Outcome.RETAKE
        else:
            found.append(ReasonCode.ATTEMPTS_USED_UP)
    return Decision(
        outcome=outcome,
        reasons=tuple(found),
        retake=retake if outcome is Outcome.RETAKE else frozenset(),
        policy_version=policy.version,
    )


def _photos(reason: ReasonCode, measures: Measures) -> frozenset[PhotoKind]:
    """Which photo mends `reason`: for a file that is no picture, the one that is none."""
    if len(RETAKE[reason]) > 1:
        return RETAKE[reason] & frozenset(measures.undecodable)
    return RETAKE[reason]


def _reasons(m: Measures, policy: Policy) -> Iterator[ReasonCode]:
    """Everything that speaks against an approval, in the order people read it; repeats allowed."""
    yield from m.problems
    yield from _document(m, policy)
    yield from _claim(m, policy)
    yield from _account(m, policy)
    yield from _faces(m, policy)
    yield from _liveness(m, policy)


def _document(m: Measures, policy: Policy) -> Iterator[ReasonCode]:
    if m.document_type is None:
        if not m.problems:
            yield ReasonCode.EVIDENCE_MISSING
    elif m.document_type.value not in policy.accepted_types:
        yield ReasonCode.DOCUMENT_TYPE_NOT_ACCEPTED
    if policy.require_valid_mrz and m.mrz_valid is not True:
        if m.mrz_valid is False:
            yield ReasonCode.MRZ_CHECK_DIGIT_WRONG
        elif m.document_type in HAS_ZONE:
            yield ReasonCode.MRZ_NOT_READABLE
    if any(hint.value in policy.refer_on_hints for hint in m.hints):
        yield ReasonCode.DOCUMENT_DOUBTED
    if m.days_to_expiry is not None and m.days_to_expiry < policy.min_days_to_expiry:
        yield ReasonCode.DOCUMENT_EXPIRED
    elif m.days_to_expiry is None and not m.never_expires:
        yield ReasonCode.EXPIRY_UNKNOWN
    else:
        confidence = m.confidence.get(Field.EXPIRES_ON)
        if confidence is None or not _share(confidence) or confidence < policy.min_confidence:
            yield ReasonCode.EXPIRY_UNKNOWN


def _claim(m: Measures, policy: Policy) -> Iterator[ReasonCode]:
    if not m.agreement and not m.changes:
        yield ReasonCode.FIELD_NOT_READ if not m.has_profile else ReasonCode.NOTHING_CHANGES
    for field, agreement in m.agreement.items():
        if not _share(agreement):
            yield ReasonCode.EVIDENCE_MISSING
        elif agreement < policy.min_agreement:
            yield DIFFERS.get(field, ReasonCode.OTHER_FIELD_DIFFERS)
        elif field in m.changes:
            # What stays as the account has it is confirmed by the account; only a change stands on the reading alone.
            yield from _weak(m, field, policy)
    if any(field not in m.agreement for field in m.changes):
        yield ReasonCode.FIELD_NOT_READ


def _weak(m: Measures, field: Field, policy: Policy) -> Iterator[ReasonCode]:
    """Whether the reading behind an agreement is too weak to change an account by it."""
    confidence, certain = m.confidence.get(field), m.certain.get(field) is True
    if confidence is None or not _share(confidence):
        yield ReasonCode.EVIDENCE_MISSING
    elif not certain and (policy.require_certain or confidence < policy.min_confidence):
        yield ReasonCode.FIELD_NOT_CERTAIN


def _account(m: Measures, policy: Policy) -> Iterator[ReasonCode]:
    if m.reason.value not in policy.automatic_reasons:
        yield ReasonCode.CHANGE_NEEDS_PERSON
    if not m.has_profile:
        if policy.require_profile:
            yield ReasonCode.CONTINUITY_UNKNOWN
        return
    renewed = Field.DOCUMENT_NUMBER in m.changes or m.reason is not ChangeReason.NEW_PASSPORT
    if not m.changes or not renewed:  # a new passport has a new number
        yield ReasonCode.NOTHING_CHANGES
    if any(field not in MAY_CHANGE[m.reason] for field in m.changes):
        yield ReasonCode.FIELD_MAY_NOT_CHANGE
    if m.reason is ChangeReason.MISTAKE:
        for field in m.changes:
            letters = m.change_letters.get(field)
            if field in DIFFERS and (letters is None or letters > policy.max_mistake_letters):
                yield ReasonCode.CHANGE_NEEDS_PERSON
    if not policy.require_profile:
        return
    if m.unread or Field.DATE_OF_BIRTH not in m.unchanged:  # the one detail every account and every document has
        yield ReasonCode.CONTINUITY_UNKNOWN
    for field, agreement in m.unchanged.items():
        if not _share(agreement):
            yield ReasonCode.EVIDENCE_MISSING
        elif agreement < 1.0:
            yield NOT_THE_ACCOUNTS.get(field, ReasonCode.NAMES_NOT_THE_ACCOUNTS)
    if policy.require_earlier_number and m.earlier_number_seen is not True:
        yield ReasonCode.EARLIER_NUMBER_UNCONFIRMED


def _faces(m: Measures, policy: Policy) -> Iterator[ReasonCode]:
    if ReasonCode.FACES_BY_EYE in m.problems:  # nothing was compared, and that says it all
        return
    needed = [Pair.SELFIE_DOCUMENT]
    if m.has_face_on_file:
        needed += [Pair.SELFIE_ON_FILE, Pair.DOCUMENT_ON_FILE]
    elif policy.require_face_on_file or not (policy.files_only or (m.own_calibration and not _old_portrait(m, policy))):
        # Rates measured on public figures may be far off for this lender's customers: one reference alone is no proof by them.
        yield ReasonCode.NO_FACE_ON_FILE
    for pair in needed:
        scores = m.pairs.get(pair)
        if scores is None:
            yield ReasonCode.FACE_NOT_COMPARED
            continue
        differ, unsure = FACES[pair]
        if not _number(scores.similarity) or scores.fmr is None or not _share(scores.fmr):
            yield ReasonCode.EVIDENCE_MISSING
        elif scores.similarity < policy.min_similarity(pair) or scores.fmr > 1.0 / policy.min_strangers:
            yield differ if scores.similarity < policy.differ_below else unsure
        elif policy.require_voices_agree and scores.voices_agree is not True:
            yield ReasonCode.VOICES_DISAGREE


def _old_portrait(m: Measures, policy: Policy) -> bool:
    """Whether the portrait is too old to speak alone. Unread, the internal passport's counts as old: it may be 25 years."""
    if m.portrait_years is None:
        return m.document_type is DocumentType.RU_INTERNAL
    return not m.portrait_years <= policy.max_portrait_years


def _liveness(m: Measures, policy: Policy) -> Iterator[ReasonCode]:
    """A challenge that was not taken counts where the policy asks for one; one that was taken counts whatever changes.

    Signs in the selfie only ever speak against it: none seen is no evidence of life.
    """
    if any(sign.value in policy.refer_on_liveness_signs for sign in m.selfie_signs):
        yield ReasonCode.LIVENESS_DOUBTED
    shown = m.liveness
    if shown is None:
        if ReasonCode.FACES_BY_EYE not in m.problems and m.reason.value in policy.require_liveness_for:
            yield ReasonCode.LIVENESS_NOT_SHOWN
        return
    lines = ((shown.turned, policy.min_turned), (shown.depth, policy.min_depth), (shown.same_face, policy.min_same_face))
    if (
        any(value is None or not math.isfinite(value) or value < line for value, line in lines)
        or shown.timely is not True
        or any(sign in policy.refer_on_liveness_signs for sign in shown.signs)
    ):
        yield ReasonCode.LIVENESS_DOUBTED


def _number(value: float | None) -> bool:
    """Whether a score that was kept is one: what is read back from a row has no types."""
    return value is not None and math.isfinite(value)


def _share(value: float) -> bool:
    """Whether `value` is a number from 0 to 1."""
    return math.isfinite(value) and 0.0 <= value <= 1.0
