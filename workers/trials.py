"""Made-up evidence for the sandbox: what a run would have found, had the specimens been papers and faces.

The decision is the real one: `decide` weighs this evidence by the policy that holds, and everything after it is the ordinary end
of a run. A photo without a mark beside a marked one counts as faultless; where neither has a mark the engines look as always.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from verification import images, marks, pipeline, quality, trials
from verification.continuity import MAY_CHANGE
from verification.evidence import (
    ChangeReason,
    Claim,
    DocumentReading,
    DocumentType,
    Evidence,
    FaceReading,
    Field,
    FieldReading,
    Liveness,
    Measures,
    MrzReading,
    Pair,
    PairMeasures,
    Profile,
    Quality,
    Side,
    Source,
)
from verification.hints import SHIPPED_TO_PEOPLE
from verification.reasons import RETAKE, PhotoKind, ReasonCode

ENGINE = "specimen"
"""What stands among a run's engines where no engine looked."""

_ALIKE = PairMeasures(similarity=12.0, fmr=1e-7, sface=0.9, dlib=0.8, voices_agree=True)  # far over every shipped line
_UNSURE, _STRANGER = 5.0, 1.0  # between `differ_below` and the shipped lines; below both
_ALIVE = Liveness(frames=10, turned=1.0, depth=0.3, same_face=9.0, timely=True)
_VALID = timedelta(days=5 * 365)
_ISSUED = timedelta(days=100)
_OFF = 0.6  # agreement of a field that differs
_WEAK = 0.4  # confidence of a poor reading


def evidence(
    *, selfie: bytes, document: bytes, claim: Claim, profile: Profile, on: date, by_eye: bool, isolate: bool = True
) -> Evidence | None:
    """What the specimens among these photos stand for; None where neither carries a known mark.

    Photos are the clean JPEGs of a sandbox case. `by_eye`: no machine may compare these faces, so this one says so too.
    """
    pictures = {PhotoKind.DOCUMENT: document, PhotoKind.SELFIE: selfie}
    found: dict[PhotoKind, trials.Trial] = {}
    measured: dict[PhotoKind, Quality] = {}
    for kind, data in pictures.items():
        try:
            pixels = images.decode(data, isolate=isolate)
        except images.ImageRejected:
            return None
        measured[kind] = quality.measure(pixels, kind)
        trial = trials.TRIALS.get((marks.read(pixels) or "", kind))
        if trial is not None:
            found[kind] = trial
    if not found:
        return None
    return stand_for(found.values(), measured, claim=claim, profile=profile, on=on, by_eye=by_eye)


def stand_for(
    found: Iterable[trials.Trial],
    measured: Mapping[PhotoKind, Quality],
    *,
    claim: Claim,
    profile: Profile,
    on: date,
    by_eye: bool,
) -> Evidence:
    """The evidence of a faultless passport of this customer, spoiled by what each specimen says."""
    reading = _reading(claim, profile, on)
    whole = pipeline.assemble(
        reading=reading,
        found=FaceReading(problems=(ReasonCode.FACES_BY_EYE,)) if by_eye else FaceReading(pairs=dict.fromkeys(Pair, _ALIKE)),
        claim=claim,
        profile=profile,
        on=on,
        selfie=measured[PhotoKind.SELFIE],
        document=measured[PhotoKind.DOCUMENT],
        picture_problems=(),
        undecodable=(),
        has_face_on_file=True,
        engines=(ENGINE,),
        alive=None if by_eye else _ALIVE,
    )
    measures = replace(whole.measures, earlier_number_seen=True)
    for trial in found:
        if trial.reason is not None:
            measures = _spoiled(measures, trial.reason)
    return replace(whole, measures=measures)


def _reading(claim: Claim, profile: Profile, on: date) -> DocumentReading:
    """A passport that says exactly what the customer claims, and for the rest what her account says."""
    values = {**profile.values, **claim.values}
    for name, native in ((Field.SURNAME, Field.SURNAME_NATIVE), (Field.GIVEN_NAMES, Field.GIVEN_NAMES_NATIVE)):
        if name in claim.values and native not in claim.values:
            values.pop(native, None)  # the account's old spelling does not stand on the new paper
    values.setdefault(Field.ISSUED_ON, (on - _ISSUED).isoformat())
    if Field.EXPIRES_ON not in claim.values:
        values[Field.EXPIRES_ON] = (on + _VALID).isoformat()
    read = {name: FieldReading(value=value, confidence=0.99, certain=True, source=Source.BOTH) for name, value in values.items()}
    return DocumentReading(
        document_type=DocumentType.TD3,
        country=values.get(Field.NATIONALITY),
        mrz=MrzReading(lines=(), valid=True, checks={}),
        fields=read,
    )


def _spoiled(m: Measures, reason: ReasonCode) -> Measures:
    """The measures of a run that ends with this reason: by what is measured where something is, else as the engines' own word."""
    how = _SPOILS.get(reason)
    if how is not None:
        return how(m)
    return _with_problem(m, reason)


def _with_problem(m: Measures, reason: ReasonCode, **changed: Any) -> Measures:
    return replace(m, problems=(*m.problems, reason), **changed)


def _unsure_faces(m: Measures) -> dict[Pair, PairMeasures]:
    """A poor selfie is compared less well: without that it would be excused."""
    return {pair: replace(scores, similarity=_UNSURE) for pair, scores in m.pairs.items()}


def _weak_reading(m: Measures) -> dict[str, Any]:
    weak = {field: _WEAK for field in m.changes if field in m.confidence}
    return {"confidence": {**m.confidence, **weak}, "certain": {**m.certain, **dict.fromkeys(weak, False)}}


def _poor_selfie(reason: ReasonCode) -> Callable[[Measures], Measures]:
    return lambda m: _with_problem(m, reason, pairs=_unsure_faces(m))


def _poor_document(reason: ReasonCode, **more: Any) -> Callable[[Measures], Measures]:
    return lambda m: _with_problem(m, reason, **_weak_reading(m), **more)


def _nothing_read(reason: ReasonCode) -> Callable[[Measures], Measures]:
    return lambda m: _with_problem(
        m, reason, document_type=None, mrz_valid=None, days_to_expiry=None, never_expires=False, agreement={}, confidence={},
        certain={}, unchanged={}, unread=(Field.DATE_OF_BIRTH,),
        pairs={pair: scores for pair, scores in m.pairs.items() if pair is Pair.SELFIE_ON_FILE},
    )  # fmt: skip


def _no_picture(reason: ReasonCode) -> Callable[[Measures], Measures]:
    return lambda m: replace(_nothing_read(reason)(m), undecodable=(PhotoKind.DOCUMENT,))


def _differs(field: Field) -> Callable[[Measures], Measures]:
    return lambda m: replace(m, agreement={**m.agreement, field: _OFF})


def _not_the_accounts(field: Field) -> Callable[[Measures], Measures]:
    return lambda m: replace(m, unchanged={**m.unchanged, field: 0.0})


def _scores(pair: Pair, **changed: Any) -> Callable[[Measures], Measures]:
    return lambda m: replace(m, pairs={**m.pairs, pair: replace(m.pairs.get(pair, _ALIKE), **changed)})


def _without_pair(m: Measures) -> Measures:
    return replace(m, pairs={pair: scores for pair, scores in m.pairs.items() if pair is not Pair.SELFIE_DOCUMENT})


def _forbidden_change(m: Measures) -> Measures:
    field = next(field for field in Field if field not in MAY_CHANGE[m.reason] and field not in m.changes)
    return replace(
        m,
        changes=(*m.changes, field),
        agreement={**m.agreement, field: 1.0},
        confidence={**m.confidence, field: 0.99},
        certain={**m.certain, field: True},
    )


def _doubted_turn(m: Measures) -> Measures:
    return replace(m, liveness=replace(m.liveness or _ALIVE, timely=False))


_SPOILS: dict[ReasonCode, Callable[[Measures], Measures]] = {
    **{
        reason: _poor_selfie(reason)
        for reason in (ReasonCode.SELFIE_BLURRED, ReasonCode.SELFIE_TOO_DARK, ReasonCode.SELFIE_TOO_BRIGHT)
    },
    **{
        reason: _poor_document(reason)
        for reason in (
            ReasonCode.DOCUMENT_BLURRED,
            ReasonCode.DOCUMENT_TOO_DARK,
            ReasonCode.DOCUMENT_TOO_BRIGHT,
            ReasonCode.DOCUMENT_GLARE,
            ReasonCode.DOCUMENT_TOO_SMALL,
        )
    },
    **{reason: _no_picture(reason) for reason in RETAKE if reason.value.startswith("image_")},
    ReasonCode.DOCUMENT_CUT_OFF: _poor_document(ReasonCode.DOCUMENT_CUT_OFF, missing=(Side.RIGHT,)),
    ReasonCode.DOCUMENT_COVERED: lambda m: _poor_document(
        ReasonCode.DOCUMENT_COVERED, hidden=dict.fromkeys(m.changes[:1], ReasonCode.DOCUMENT_COVERED)
    )(m),
    ReasonCode.NO_DOCUMENT_FOUND: _nothing_read(ReasonCode.NO_DOCUMENT_FOUND),
    ReasonCode.DOCUMENT_NOT_KNOWN: _nothing_read(ReasonCode.DOCUMENT_NOT_KNOWN),
    ReasonCode.MRZ_NOT_READABLE: lambda m: replace(m, mrz_valid=None),
    ReasonCode.DOCUMENT_TYPE_NOT_ACCEPTED: lambda m: replace(m, document_type=DocumentType.MRVA),
    ReasonCode.MRZ_CHECK_DIGIT_WRONG: lambda m: replace(m, mrz_valid=False),
    ReasonCode.DOCUMENT_EXPIRED: lambda m: replace(m, days_to_expiry=-30),
    ReasonCode.EXPIRY_UNKNOWN: lambda m: replace(m, days_to_expiry=None, never_expires=False),
    ReasonCode.DOCUMENT_DOUBTED: lambda m: replace(m, hints=SHIPPED_TO_PEOPLE[:1]),
    ReasonCode.SURNAME_DIFFERS: _differs(Field.SURNAME),
    ReasonCode.GIVEN_NAMES_DIFFER: _differs(Field.GIVEN_NAMES),
    ReasonCode.PATRONYMIC_DIFFERS: _differs(Field.PATRONYMIC),
    ReasonCode.DATE_OF_BIRTH_DIFFERS: _differs(Field.DATE_OF_BIRTH),
    ReasonCode.SEX_DIFFERS: _differs(Field.SEX),
    ReasonCode.DOCUMENT_NUMBER_DIFFERS: _differs(Field.DOCUMENT_NUMBER),
    ReasonCode.OTHER_FIELD_DIFFERS: _differs(Field.PLACE_OF_BIRTH),
    ReasonCode.FIELD_NOT_READ: lambda m: replace(
        m, agreement={field: share for field, share in m.agreement.items() if field not in m.changes[:1]}
    ),
    ReasonCode.FIELD_NOT_CERTAIN: lambda m: replace(m, **_weak_reading(m)),
    ReasonCode.NOTHING_CHANGES: lambda m: replace(m, changes=()),
    ReasonCode.CHANGE_NEEDS_PERSON: lambda m: replace(m, reason=ChangeReason.OTHER),
    ReasonCode.FIELD_MAY_NOT_CHANGE: _forbidden_change,
    ReasonCode.BIRTH_DATE_NOT_THE_ACCOUNTS: _not_the_accounts(Field.DATE_OF_BIRTH),
    ReasonCode.SEX_NOT_THE_ACCOUNTS: _not_the_accounts(Field.SEX),
    ReasonCode.NAMES_NOT_THE_ACCOUNTS: _not_the_accounts(Field.GIVEN_NAMES),
    ReasonCode.CONTINUITY_UNKNOWN: lambda m: replace(m, unread=(Field.DATE_OF_BIRTH,)),
    ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER: _scores(Pair.SELFIE_DOCUMENT, similarity=_STRANGER),
    ReasonCode.SELFIE_DOCUMENT_FACES_UNSURE: _scores(Pair.SELFIE_DOCUMENT, similarity=_UNSURE),
    ReasonCode.SELFIE_ON_FILE_FACES_DIFFER: _scores(Pair.SELFIE_ON_FILE, similarity=_STRANGER),
    ReasonCode.SELFIE_ON_FILE_FACES_UNSURE: _scores(Pair.SELFIE_ON_FILE, similarity=_UNSURE),
    ReasonCode.DOCUMENT_ON_FILE_FACES_DIFFER: _scores(Pair.DOCUMENT_ON_FILE, similarity=_STRANGER),
    ReasonCode.DOCUMENT_ON_FILE_FACES_UNSURE: _scores(Pair.DOCUMENT_ON_FILE, similarity=_UNSURE),
    ReasonCode.FACE_NOT_COMPARED: _without_pair,
    ReasonCode.NO_FACE_ON_FILE: lambda m: replace(m, has_face_on_file=False),
    ReasonCode.VOICES_DISAGREE: _scores(Pair.SELFIE_DOCUMENT, voices_agree=False),
    ReasonCode.LIVENESS_DOUBTED: _doubted_turn,
    ReasonCode.EVIDENCE_MISSING: lambda m: replace(
        m, confidence={field: share for field, share in m.confidence.items() if field not in m.changes}
    ),
}
