"""What a policy would have decided on many past runs: `decision.decide`, a column at a time.

A run is kept as one RECORD of some five hundred bytes, which holds exactly what `decide` may weigh and nothing of a person. A
million of them are decided in seconds, so that somebody who moves a threshold sees at once what it would have done.
`tests/verification/test_replay.py` holds this module to `decide`, run by run and policy by policy: who changes one changes both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from verification.challenge import Sign
from verification.continuity import MAY_CHANGE
from verification.decision import DIFFERS, EXCUSED, FACES, HAS_ZONE, NOT_THE_ACCOUNTS, RETAKE_FIRST, Outcome
from verification.evidence import ChangeReason, DocumentType, Field, Measures, Pair
from verification.hints import Hint
from verification.policy import Policy
from verification.reasons import MENDABLE, RETAKE, PhotoKind, ReasonCode

Bits = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
Records = npt.NDArray[np.void]

FIELDS = tuple(Field)
REASONS = tuple(ReasonCode)
PAIRS = tuple(Pair)
CHANGES = tuple(ChangeReason)
TYPES = tuple(DocumentType)
HINTS = tuple(Hint)
SIGNS = tuple(Sign)
KINDS = (PhotoKind.SELFIE, PhotoKind.DOCUMENT)
OUTCOMES = (Outcome.APPROVE, Outcome.RETAKE, Outcome.REFER)

WORDS = (len(REASONS) + 63) // 64
"""Reason codes stand as bits in so many words of 64."""

VERSION = 1
"""Of RECORD. Grows when a field is added, moved, or when an enumeration above gains or loses an entry before its end."""

RECORD = np.dtype(
    [
        ("version", "u1"),
        ("reason", "u1"),  # index in CHANGES
        ("document_type", "i1"),  # index in TYPES, -1 = none
        ("mrz_valid", "i1"),  # 1, 0, -1 = not known
        ("flags", "u1"),  # FLAG_…
        ("undecodable", "u1"),  # bits of KINDS
        ("attempt", "u2"),
        ("days_to_expiry", "f8"),  # NaN = not known
        ("portrait_years", "f8"),  # NaN = not read
        ("agreement_of", "u4"),  # bits of FIELDS: which are there at all
        ("confidence_of", "u4"),
        ("unchanged_of", "u4"),
        ("letters_of", "u4"),
        ("certain", "u4"),  # bits of FIELDS that are certain
        ("changes", "u4"),
        ("agreement", "f8", (len(FIELDS),)),
        ("confidence", "f8", (len(FIELDS),)),
        ("unchanged", "f8", (len(FIELDS),)),
        ("letters", "f8", (len(FIELDS),)),
        ("pairs", "u1"),  # bits of PAIRS that were compared
        ("voices", "u1"),  # bits of PAIRS whose voices agree
        ("similarity", "f8", (len(PAIRS),)),
        ("fmr", "f8", (len(PAIRS),)),  # NaN = not known
        ("hints", "u8"),  # bits of HINTS
        ("selfie_signs", "u8"),  # bits of SIGNS
        ("turn_signs", "u8"),
        ("turned", "f8"),  # NaN = not measured
        ("depth", "f8"),
        ("same_face", "f8"),
        ("problems", "u8", (WORDS,)),  # bits of REASONS
        ("standing", "u8", (WORDS,)),
    ]
)
"""One run, little-endian, without gaps."""

FLAG_NEVER_EXPIRES, FLAG_HAS_PROFILE, FLAG_HAS_FACE, FLAG_OWN_CALIBRATION = 1, 2, 4, 8
FLAG_EARLIER_NUMBER, FLAG_UNREAD, FLAG_TURN, FLAG_TIMELY = 16, 32, 64, 128

CHUNK = 65_536
"""Runs decided at a time: what is computed on the way stays within the processor's cache and some tens of megabytes."""


class OtherVersion(ValueError):
    """A record was packed by another version of this module: pack the run anew from its measures."""


def pack(measures: Measures, *, attempt: int, standing: Iterable[ReasonCode] = ()) -> bytes:
    """Return the RECORD of one run: what `decide(measures, policy, attempt=…, standing=…)` may weigh under any policy."""
    row = np.zeros((), RECORD)
    row["version"] = VERSION
    row["reason"] = CHANGES.index(measures.reason)
    row["document_type"] = -1 if measures.document_type is None else TYPES.index(measures.document_type)
    row["mrz_valid"] = -1 if measures.mrz_valid is None else int(measures.mrz_valid)
    turn = measures.liveness
    row["flags"] = (
        FLAG_NEVER_EXPIRES * bool(measures.never_expires)
        | FLAG_HAS_PROFILE * bool(measures.has_profile)
        | FLAG_HAS_FACE * bool(measures.has_face_on_file)
        | FLAG_OWN_CALIBRATION * bool(measures.own_calibration)
        | FLAG_EARLIER_NUMBER * (measures.earlier_number_seen is True)
        | FLAG_UNREAD * bool(measures.unread)
        | FLAG_TURN * (turn is not None)
        | FLAG_TIMELY * (turn is not None and turn.timely is True)
    )
    row["undecodable"] = _bits(KINDS, measures.undecodable)
    row["attempt"] = min(attempt, 65_535)
    row["days_to_expiry"] = _number(measures.days_to_expiry)
    row["portrait_years"] = _number(measures.portrait_years, absent=-math.inf)
    for name, given in (
        ("agreement", measures.agreement),
        ("confidence", measures.confidence),
        ("unchanged", measures.unchanged),
        ("letters", measures.change_letters),
    ):
        row[f"{name}_of"] = _bits(FIELDS, given)
        for field, value in given.items():
            row[name][FIELDS.index(field)] = _number(value)
    row["certain"] = _bits(FIELDS, (field for field, sure in measures.certain.items() if sure is True))
    row["changes"] = _bits(FIELDS, measures.changes)
    row["pairs"] = _bits(PAIRS, measures.pairs)
    row["voices"] = _bits(PAIRS, (pair for pair, scores in measures.pairs.items() if scores.voices_agree is True))
    for pair, scores in measures.pairs.items():
        row["similarity"][PAIRS.index(pair)] = _number(scores.similarity)
        row["fmr"][PAIRS.index(pair)] = _number(scores.fmr)
    row["hints"] = _bits(HINTS, measures.hints)
    row["selfie_signs"] = _bits(SIGNS, measures.selfie_signs)
    if turn is not None:
        row["turn_signs"] = _bits(SIGNS, (sign for sign in turn.signs if sign in set(SIGNS)))
        row["turned"], row["depth"], row["same_face"] = _number(turn.turned), _number(turn.depth), _number(turn.same_face)
    row["problems"] = _words(measures.problems)
    row["standing"] = _words(standing)
    return row.tobytes()


def unpack(packed: Sequence[bytes]) -> Records:
    """Return the records as one array, shape (len(packed),). Raises OtherVersion."""
    whole = b"".join(packed)
    if len(whole) != RECORD.itemsize * len(packed):
        raise OtherVersion("a record is of another length")
    records = np.frombuffer(whole, RECORD)
    if records.size and not (records["version"] == VERSION).all():
        raise OtherVersion("a record is of another version")
    return records


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What one policy decides on many runs, in their order."""

    outcomes: npt.NDArray[np.int8]  # index in OUTCOMES, shape (runs,)
    reasons: Bits  # bits of REASONS, shape (runs, WORDS)

    def with_reason(self, reason: ReasonCode) -> Flags:
        """Which runs have this reason, shape (runs,)."""
        word, bit = _place(reason)
        found: Flags = np.not_equal(self.reasons[:, word] & bit, 0)
        return found


def decide_all(records: Records, policy: Policy) -> Answers:
    """Return what `decide` answers for each record under `policy`: the same outcomes and the same sets of reasons."""
    outcomes = np.empty(len(records), np.int8)
    reasons = np.empty((len(records), WORDS), np.uint64)
    for start in range(0, len(records), CHUNK):
        part = slice(start, start + CHUNK)
        outcomes[part], reasons[part] = _decide(records[part], policy)
    return Answers(outcomes=outcomes, reasons=reasons)


def moved_reasons(old: Answers, new: Answers) -> tuple[ReasonCode, ...]:
    """Return the reasons that any run has in one of the two answers only, in the order of REASONS."""
    moved = np.bitwise_or.reduce(old.reasons ^ new.reasons, axis=0, initial=0)
    return tuple(reason for reason in REASONS if moved[_place(reason)[0]] & _place(reason)[1])


def _decide(records: Records, policy: Policy) -> tuple[npt.NDArray[np.int8], Bits]:
    found = _Found(records)
    _document(found, records, policy)
    _claim(found, records, policy)
    _account(found, records, policy)
    _faces(found, records, policy)
    _liveness(found, records, policy)
    standing = records["standing"]
    weighty = ((found.bits & ~_words(EXCUSED)) | standing).any(axis=1)
    every = found.bits | standing
    photos = np.zeros(len(records), bool)
    for reason, kinds in RETAKE.items():
        has = _has(every, reason)
        photos |= has & ((records["undecodable"] & _bits(KINDS, kinds)) != 0) if len(kinds) > 1 else has
    retake = weighty & photos & ~(every & ~_words({*MENDABLE, *RETAKE_FIRST})).any(axis=1)
    used_up = retake & (records["attempt"] >= policy.max_attempts)
    word, bit = _place(ReasonCode.ATTEMPTS_USED_UP)
    every[used_up, word] |= bit
    outcomes = np.full(len(records), OUTCOMES.index(Outcome.REFER), np.int8)
    outcomes[retake & ~used_up] = OUTCOMES.index(Outcome.RETAKE)
    outcomes[~weighty] = OUTCOMES.index(Outcome.APPROVE)
    every[~weighty] = 0
    return outcomes, every


class _Found:
    """Reasons found so far, as bits."""

    def __init__(self, records: Records) -> None:
        self.bits: Bits = records["problems"].copy()

    def add(self, reason: ReasonCode, where: Flags) -> None:
        word, bit = _place(reason)
        self.bits[:, word] |= np.where(where, bit, np.uint64(0))


def _document(found: _Found, r: Records, policy: Policy) -> None:
    kind = r["document_type"]
    none = kind < 0
    found.add(ReasonCode.EVIDENCE_MISSING, none & ~r["problems"].any(axis=1))
    found.add(ReasonCode.DOCUMENT_TYPE_NOT_ACCEPTED, ~none & ~_among(kind, TYPES, policy.accepted_types))
    if policy.require_valid_mrz:
        found.add(ReasonCode.MRZ_CHECK_DIGIT_WRONG, r["mrz_valid"] == 0)
        found.add(ReasonCode.MRZ_NOT_READABLE, (r["mrz_valid"] < 0) & _among(kind, TYPES, [t.value for t in HAS_ZONE]))
    found.add(ReasonCode.DOCUMENT_DOUBTED, (r["hints"] & _bits(HINTS, map(Hint, policy.refer_on_hints))) != 0)
    days = r["days_to_expiry"]
    expired = days < policy.min_days_to_expiry  # an unknown day is no number and less than nothing
    unknown = np.isnan(days) & ~_flag(r, FLAG_NEVER_EXPIRES)
    sure = _of(r, "confidence", Field.EXPIRES_ON)
    at = FIELDS.index(Field.EXPIRES_ON)
    weak = ~sure | ~_is_share(r["confidence"][:, at]) | (r["confidence"][:, at] < policy.min_confidence)
    found.add(ReasonCode.DOCUMENT_EXPIRED, expired)
    found.add(ReasonCode.EXPIRY_UNKNOWN, ~expired & (unknown | weak))


def _claim(found: _Found, r: Records, policy: Policy) -> None:
    nothing = (r["agreement_of"] == 0) & (r["changes"] == 0)
    has_profile = _flag(r, FLAG_HAS_PROFILE)
    found.add(ReasonCode.FIELD_NOT_READ, (nothing & ~has_profile) | ((r["changes"] & ~r["agreement_of"]) != 0))
    found.add(ReasonCode.NOTHING_CHANGES, nothing & has_profile)
    for at, field in enumerate(FIELDS):
        typed = _of(r, "agreement", field)
        if not typed.any():
            continue
        agreement, confidence = r["agreement"][:, at], r["confidence"][:, at]
        share = _is_share(agreement)
        differs = typed & share & (agreement < policy.min_agreement)
        found.add(DIFFERS.get(field, ReasonCode.OTHER_FIELD_DIFFERS), differs)
        stands = typed & share & ~differs & _has_bit(r["changes"], at)
        known = _of(r, "confidence", field) & _is_share(confidence)
        found.add(ReasonCode.EVIDENCE_MISSING, (typed & ~share) | (stands & ~known))
        weak = np.ones(len(r), bool) if policy.require_certain else confidence < policy.min_confidence
        found.add(ReasonCode.FIELD_NOT_CERTAIN, stands & known & ~_has_bit(r["certain"], at) & weak)


def _account(found: _Found, r: Records, policy: Policy) -> None:
    found.add(ReasonCode.CHANGE_NEEDS_PERSON, ~_among(r["reason"], CHANGES, policy.automatic_reasons))
    has_profile = _flag(r, FLAG_HAS_PROFILE)
    if policy.require_profile:
        found.add(ReasonCode.CONTINUITY_UNKNOWN, ~has_profile)
    changes, why = r["changes"], r["reason"]
    number = _has_bit(changes, FIELDS.index(Field.DOCUMENT_NUMBER))
    renewed = number | (why != CHANGES.index(ChangeReason.NEW_PASSPORT))
    found.add(ReasonCode.NOTHING_CHANGES, has_profile & ((changes == 0) | ~renewed))
    allowed = np.array([_bits(FIELDS, MAY_CHANGE[reason]) for reason in CHANGES], np.uint32)[why]
    found.add(ReasonCode.FIELD_MAY_NOT_CHANGE, has_profile & ((changes & ~allowed) != 0))
    mistake = has_profile & (why == CHANGES.index(ChangeReason.MISTAKE))
    for field in DIFFERS:
        at = FIELDS.index(field)
        counted = _has_bit(r["letters_of"], at)
        many = ~counted | (r["letters"][:, at] > policy.max_mistake_letters)
        found.add(ReasonCode.CHANGE_NEEDS_PERSON, mistake & _has_bit(changes, at) & many)
    if not policy.require_profile:
        return
    birth = _of(r, "unchanged", Field.DATE_OF_BIRTH)
    found.add(ReasonCode.CONTINUITY_UNKNOWN, has_profile & (_flag(r, FLAG_UNREAD) | ~birth))
    for at, field in enumerate(FIELDS):
        there = has_profile & _of(r, "unchanged", field)
        if not there.any():
            continue
        share = _is_share(r["unchanged"][:, at])
        found.add(ReasonCode.EVIDENCE_MISSING, there & ~share)
        found.add(NOT_THE_ACCOUNTS.get(field, ReasonCode.NAMES_NOT_THE_ACCOUNTS), there & share & (r["unchanged"][:, at] < 1.0))
    if policy.require_earlier_number:
        found.add(ReasonCode.EARLIER_NUMBER_UNCONFIRMED, has_profile & ~_flag(r, FLAG_EARLIER_NUMBER))


def _faces(found: _Found, r: Records, policy: Policy) -> None:
    by_machine = ~_has(r["problems"], ReasonCode.FACES_BY_EYE)
    on_file = _flag(r, FLAG_HAS_FACE)
    internal = r["document_type"] == TYPES.index(DocumentType.RU_INTERNAL)
    years = r["portrait_years"]
    old = np.where(np.isneginf(years), internal, ~(years <= policy.max_portrait_years))
    alone = np.full(len(r), policy.files_only) | (_flag(r, FLAG_OWN_CALIBRATION) & ~old)
    found.add(ReasonCode.NO_FACE_ON_FILE, by_machine & ~on_file & (policy.require_face_on_file | ~alone))
    for at, pair in enumerate(PAIRS):
        needed = by_machine if pair is Pair.SELFIE_DOCUMENT else by_machine & on_file
        compared = needed & _has_bit(r["pairs"], at)
        found.add(ReasonCode.FACE_NOT_COMPARED, needed & ~compared)
        similarity, fmr = r["similarity"][:, at], r["fmr"][:, at]
        sound = compared & np.isfinite(similarity) & _is_share(fmr)
        found.add(ReasonCode.EVIDENCE_MISSING, compared & ~sound)
        below = sound & ((similarity < policy.min_similarity(pair)) | (fmr > 1.0 / policy.min_strangers))
        clearly = similarity < policy.differ_below
        differ, unsure = FACES[pair]
        found.add(differ, below & clearly)
        found.add(unsure, below & ~clearly)
        if policy.require_voices_agree:
            found.add(ReasonCode.VOICES_DISAGREE, sound & ~below & ~_has_bit(r["voices"], at))


def _liveness(found: _Found, r: Records, policy: Policy) -> None:
    weighed = _bits(SIGNS, (Sign(sign) for sign in policy.refer_on_liveness_signs))
    shown = _flag(r, FLAG_TURN)
    asked = _among(r["reason"], CHANGES, policy.require_liveness_for)
    found.add(ReasonCode.LIVENESS_NOT_SHOWN, ~shown & asked & ~_has(r["problems"], ReasonCode.FACES_BY_EYE))
    failed = ~_flag(r, FLAG_TIMELY) | ((r["turn_signs"] & weighed) != 0)
    for name, line in (("turned", policy.min_turned), ("depth", policy.min_depth), ("same_face", policy.min_same_face)):
        failed |= ~np.isfinite(r[name]) | (r[name] < line)
    found.add(ReasonCode.LIVENESS_DOUBTED, ((r["selfie_signs"] & weighed) != 0) | (shown & failed))


def _number(value: float | None, *, absent: float = math.nan) -> float:
    """`absent` stands for what is not there; whatever is no number stays none."""
    return absent if value is None else float(value)


def _bits(order: Sequence[Any], given: Iterable[Any]) -> Any:
    total = 0
    for entry in given:
        total |= 1 << order.index(entry)
    return np.uint64(total)


def _words(reasons: Iterable[ReasonCode]) -> Bits:
    words = np.zeros(WORDS, np.uint64)
    for reason in reasons:
        word, bit = _place(reason)
        words[word] |= bit
    return words


_PLACES = {reason: divmod(number, 64) for number, reason in enumerate(REASONS)}


def _place(reason: ReasonCode) -> tuple[int, np.uint64]:
    word, bit = _PLACES[reason]
    return word, np.uint64(1 << bit)


def _has(bits: Bits, reason: ReasonCode) -> Flags:
    word, bit = _place(reason)
    found: Flags = np.not_equal(bits[:, word] & bit, 0)
    return found


def _has_bit(bits: npt.NDArray[Any], at: int) -> Flags:
    found: Flags = np.not_equal(bits & (1 << at), 0)
    return found


def _flag(r: Records, flag: int) -> Flags:
    found: Flags = np.not_equal(r["flags"] & flag, 0)
    return found


def _of(r: Records, name: str, field: Field) -> Flags:
    """Which runs have this field in this table at all."""
    return _has_bit(r[f"{name}_of"], FIELDS.index(field))


def _among(index: npt.NDArray[Any], order: Sequence[Any], values: Iterable[str]) -> Flags:
    """Whether `order[index]` is one of `values`; an index below zero is none of them."""
    wanted = set(values)
    table: Flags = np.array([*(entry.value in wanted for entry in order), False])
    found: Flags = np.take(table, index)
    return found


def _is_share(values: npt.NDArray[np.float64]) -> Flags:
    """As `decision._share`, which is false for what is no number."""
    return np.logical_and(values >= 0.0, values <= 1.0)
