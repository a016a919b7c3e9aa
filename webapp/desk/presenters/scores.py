"""Each measure as a place on the policy's line, and what it means.

The machine's similarity is shown as a place on the policy's line, as how many strangers in how many would stand there, and as the
calibrated percentage, cut at 99, with the words that say what it is; never as a percentage of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from flask_babel import format_decimal
from flask_babel import gettext as _

from cases import calibration, duplicates
from cases.queries import CasePage
from verification.calibration import OWN_LABEL, FaceCalibration, shipped
from verification.evidence import Measures, Pair
from verification.policy import Policy
from verification.reasons import ReasonCode
from webapp.context import database, settings
from webapp.desk.presenters.bars import Bar, bar
from webapp.i18n import label

SIMILARITY = (-3.0, 13.0)
"""Ends of the line on which face scores are drawn."""

AGREEMENT = (0.5, 1.0)
"""Ends of the line on which an agreement is drawn: a policy asks for 0.9 at least, and half the letters are another word."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """One measure as a place on the policy's line."""

    name: str
    about: str
    bar: Bar
    said: str
    percentage: str = ""  # the calibrated one; empty where none can be given


def scores(page: CasePage) -> list[Score]:
    """Faces, pair by pair (but where her faces are compared by eye), then the weakest reading and agreement."""
    measures, policy = page.measures, page.policy
    if measures is None or policy is None:
        return []
    held = calibration_of(measures)
    compared = [pair for pair in Pair if pair is Pair.SELFIE_DOCUMENT or measures.has_face_on_file]
    out = [_face(pair, measures, policy, held) for pair in compared if not by_eye(page)]
    if measures.confidence:
        weakest, confidence = min(measures.confidence.items(), key=lambda item: item[1])
        out.append(
            Score(
                name=_("Weakest reading"),
                about=label(weakest),
                bar=bar(
                    confidence,
                    policy.min_confidence,
                    ends=(0.0, 1.0),
                    value_text=str(format_decimal(confidence, "0.00")),
                    line_text=str(format_decimal(policy.min_confidence, "0.0#")),
                ),
                said=_("How sure the reader was of what it could make out worst."),
            )
        )
    shares = {field: share for field, share in measures.agreement.items() if math.isfinite(share)}
    if shares:
        least, share = min(shares.items(), key=lambda item: item[1])
        out.append(
            Score(
                name=_("Least agreement"),
                about=_("all that was typed") if share >= 1.0 and len(shares) > 1 else label(least),
                bar=bar(
                    share,
                    policy.min_agreement,
                    ends=AGREEMENT,
                    value_text=str(format_decimal(math.floor(share * 100) / 100, "0.00")),
                    line_text=str(format_decimal(policy.min_agreement, "0.0##")),
                ),
                said=_("Share of equal letters where typed and document are least alike."),
            )
        )
    return out


def by_eye(page: CasePage) -> bool:
    """Whether people compare these faces: a score of an earlier run is not shown either."""
    seen = page.measures
    return (
        page.case.customer.by_eye or not settings().biometrics or (seen is not None and ReasonCode.FACES_BY_EYE in seen.problems)
    )


def pair_name(pair: Pair) -> str:
    """Which two faces."""
    return {
        Pair.SELFIE_DOCUMENT: _("Selfie and passport portrait"),
        Pair.SELFIE_ON_FILE: _("Selfie and face on file"),
        Pair.DOCUMENT_ON_FILE: _("Passport portrait and face on file"),
    }[pair]


def calibration_of(measures: Measures) -> FaceCalibration | None:
    """The calibration by which a run's scores were weighed; None where it is of another version and no longer known."""
    if shipped().label in measures.engines:
        return shipped()
    label_of_own = next((name for name in measures.engines if name.startswith(OWN_LABEL)), None)
    if label_of_own is None:
        return None
    with database().reading() as db:
        return calibration.named(db, label_of_own)


def percentage_words(percentage: int | None) -> str:
    """A calibrated percentage, short; the page says once what it is. Empty where there is none."""
    if percentage is None:
        return ""
    if percentage >= 99:
        return _("99 in 100 or more")
    if percentage <= 1:
        return _("1 in 100 or fewer")
    return _("%(n)s in 100", n=percentage)


def alike(pair: Pair, measures: Measures, policy: Policy) -> bool | None:
    """Whether two faces reach both lines that the policy draws for an approval; None: they could not be compared."""
    found = measures.pairs.get(pair)
    if found is None or not isinstance(found.similarity, (int, float)) or not math.isfinite(found.similarity):
        return None
    rare = found.fmr is not None and 0 <= found.fmr <= 1 / policy.min_strangers
    return found.similarity >= policy.min_similarity(pair) and rare


def _face(pair: Pair, measures: Measures, policy: Policy, held: FaceCalibration | None) -> Score:
    needed = policy.min_similarity(pair)
    found = measures.pairs.get(pair)
    passes = alike(pair, measures, policy)
    value = found.similarity if found is not None and passes is not None else None
    if value is None or found is None:
        verdict, said = _("not compared"), _("These two faces could not be compared.")
    else:
        verdict = (
            _("same person by the policy")
            if passes
            else _("another person by the policy")
            if value < policy.differ_below
            else _("not sure")
        )
        said = strangers(found.fmr)
        if value >= needed and not passes:
            said += " " + _("The policy allows 1 in %(n)s at most.", n=format_decimal(policy.min_strangers))
        if not found.voices_agree:
            said += " " + _("The two face networks contradict each other.")
    return Score(
        name=pair_name(pair),
        about=verdict,
        bar=bar(
            value,
            needed,
            ends=SIMILARITY,
            value_text="–" if value is None else str(format_decimal(value, "0.0")),
            line_text=str(format_decimal(needed, "0.0#")),
            passes=passes is True,
        ),
        said=said,
        percentage=percentage_words(
            held.percentage(pair, value, eyes=measures.document.head_size) if held is not None and value is not None else None
        ),
    )


SHOWN_AT_BEST = 1e-5
"""Rarer than this the pairs of the calibration cannot tell (`supported` in verification/faces/calibration.json)."""


def strangers(fmr: float | None) -> str:
    """How many strangers in how many would score at least this high, rounded to two figures."""
    if fmr is None or not math.isfinite(fmr) or not 0 <= fmr <= 1:
        return _("Outside what was tested: no odds can be given.")
    if fmr >= 0.5:
        return _("Most strangers would score this high.")
    if fmr < SHOWN_AT_BEST:
        return _("Fewer than 1 in 100 000 strangers would score this high.")
    odds = 1 / fmr
    rounded = round(odds, 1 - math.floor(math.log10(odds)))
    return _("1 in %(n)s strangers would score this high.", n=format_decimal(max(2, round(rounded))))


@dataclass(frozen=True, kw_only=True)
class SameFace:
    """Another customer's case with a face like this one's, and what that is worth, in words."""

    case_id: UUID
    odds: str
    chance: str


def same_faces(candidates: Sequence[duplicates.Candidate], searched: int | None) -> list[SameFace] | None:
    """What a search among all faces kept found, closest first; `searched`: among how many. None: not searched for yet."""
    if searched is None:
        return None
    return [
        SameFace(
            case_id=found.case_id,
            odds=strangers(found.fmr),
            chance=_(
                "Among the %(n)s faces compared, %(expected)s such are to be expected by chance.",
                n=format_decimal(searched),
                expected=format_decimal(found.expected, "0.###") if found.expected >= 0.001 else _("fewer than 0.001"),
            ),
        )
        for found in candidates
    ]
