"""What a head-turn challenge showed, in words for the agent. Pure: no database, no request but its language."""

from __future__ import annotations

import math
from dataclasses import dataclass

from flask_babel import format_decimal, format_percent
from flask_babel import gettext as _

from verification.challenge import RATES, Sign
from verification.evidence import Measures
from verification.hints import Rate
from verification.policy import Policy
from verification.reasons import ReasonCode
from webapp.desk.presenters import Bar, HintLine, bar
from webapp.desk.presenters.scores import SIMILARITY
from webapp.i18n import label, sign_sentence


@dataclass(frozen=True, kw_only=True)
class LivenessLine:
    """One sentence of what was seen; `sign`: yes, no, or open where it only informs, as in the other lists of the page."""

    text: str
    sign: str
    bar: Bar | None = None  # the measure behind it, where the policy draws a line


DEPTH = (0.0, 0.4)
"""Ends of the line on which depth is drawn: heads drawn in the middle have 0.24 (`verification.policy`)."""


def _line(text: str, good: bool | None, drawn: Bar | None = None) -> LivenessLine:
    return LivenessLine(text=text, sign="open" if good is None else "yes" if good else "no", bar=drawn)


def _bar(value: float | None, line: float, ends: tuple[float, float], *, share: bool = True) -> Bar | None:
    if value is None or not math.isfinite(value):
        return None

    def written(number: float) -> str:
        return str(format_percent(number) if share else format_decimal(number, "0.0"))

    return bar(value, line, ends=ends, value_text=written(value), line_text=written(line))


def liveness_lines(measures: Measures | None, policy: Policy | None) -> list[LivenessLine]:
    """Return what the challenge showed against the policy's lines; [] where no machine looked."""
    if measures is None or policy is None or ReasonCode.FACES_BY_EYE in measures.problems:
        return []  # she was not asked for it
    shown = measures.liveness
    if shown is None:
        asked = measures.reason.value in policy.require_liveness_for
        left_out = _line(_("The customer left out the turn of the head."), False if asked else None)
        more = _("The policy asks for it with this kind of change. People may have good reasons not to do it.")
        return [left_out, _line(more, None)] if asked else [left_out]
    seen = round(100 * (shown.turned or 0.0))
    said = (
        _("All turns asked for were seen, in their order.")
        if seen == 100
        else _("Of the turns asked for, %(share)s per cent were seen in their order.", share=seen)
    )
    turned = _bar(shown.turned, policy.min_turned, (0.0, 1.0))
    depth = _bar(shown.depth, policy.min_depth, DEPTH)
    same = _bar(shown.same_face, policy.min_same_face, SIMILARITY, share=False)
    lines = [_line(said, shown.turned is not None and shown.turned >= policy.min_turned, turned)]
    if shown.depth is None:
        lines.append(_line(_("Depth could not be measured."), False))
    elif shown.depth >= policy.min_depth:
        lines.append(_line(_("The face moved as a head does, not as a flat picture."), True, depth))
    else:
        lines.append(_line(_("The face moved as one flat picture does: a photo that is turned looks so."), False, depth))
    if shown.same_face is None:
        lines.append(_line(_("The face could not be compared with the selfie."), False))
    elif shown.same_face >= policy.min_same_face:
        lines.append(_line(_("Every picture compared shows the face of the selfie."), True, same))
    else:
        lines.append(_line(_("A picture shows a face unlike the selfie's."), False, same))
    lines.append(
        _line(_("The pictures came in order and in time."), True)
        if shown.timely
        else _line(_("The pictures did not come in order or in time."), False)
    )
    for name in shown.signs:
        if name in set(Sign):
            said = f"{label(Sign(name))}. {sign_sentence(Sign(name))}"
            lines.append(_line(said, False if name in policy.refer_on_liveness_signs else None))
    return lines


def selfie_signs(measures: Measures | None, policy: Policy | None) -> list[HintLine]:
    """Return what speaks against a living face in the selfie itself, with what it is worth; those that weigh first."""
    if measures is None:
        return []
    lines = [
        HintLine(
            seen=label(sign),
            why=sign_sentence(sign),
            rate=_rate_words(RATES[sign]),
            weighs=policy is not None and sign.value in policy.refer_on_liveness_signs,
        )
        for sign in measures.selfie_signs
        if sign in RATES
    ]
    return sorted(lines, key=lambda line: not line.weighs)


def _rate_words(rate: Rate) -> str:
    """A sign's measured rate as counts. Attacks are drawn: people who ask should know."""
    return _(
        "Development pictures: %(false)s false alarms on %(genuine)s photos of people; seen on %(found)s of %(attacked)s"
        " drawn prints and screens.",
        false=rate.false_alarms,
        genuine=rate.genuine,
        found=rate.found,
        attacked=rate.attacked,
    )
