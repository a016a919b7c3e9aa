"""The policy editor's form: numbers, switches and lists in, a Policy or sentences about what is wrong out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict

from verification.policy import SHIPPED, THRESHOLDS, Looser, Policy, Threshold

REASON_LENGTH = 500
"""What the column holds."""

GROUPS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (
        _l("Faces"),
        (
            "min_selfie_document",
            "min_selfie_on_file",
            "min_document_on_file",
            "differ_below",
            "require_voices_agree",
            "require_face_on_file",
            "max_portrait_years",
            "min_strangers",
        ),
    ),
    (
        _l("Signs of life"),
        ("require_liveness_for", "min_turned", "min_depth", "min_same_face", "refer_on_liveness_signs"),
    ),
    (_l("The document"), ("accepted_types", "require_valid_mrz", "min_days_to_expiry", "refer_on_hints")),
    (_l("What was typed, against the document"), ("min_agreement", "min_confidence", "require_certain")),
    (_l("The account"), ("require_profile", "require_earlier_number", "automatic_reasons", "max_mistake_letters")),
    (_l("Patience"), ("max_attempts",)),
    (_l("The people who look"), ("hide_opinion",)),
)
"""The editor's order. A test holds it against THRESHOLDS."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One setting that differs between two policies, in words."""

    name: str
    label: str
    was: str
    now: str
    looser: bool


def kind_of(about: Threshold) -> str:
    """How a setting is edited: number, switch or list."""
    if about.choices:
        return "list"
    return "switch" if about.looser in (Looser.ON, Looser.OFF) else "number"


def whole(name: str) -> bool:
    """Whether the setting is a whole number, as its shipped default is."""
    return isinstance(getattr(SHIPPED, name), int)


def said(name: str, value: Any, *, units: bool = True) -> str:
    """A setting's value in words, numbers with their unit unless the table has a column for it."""
    about = THRESHOLDS[name]
    kind = kind_of(about)
    if kind == "switch":
        return _("yes") if value else _("no")
    if kind == "list":
        from webapp.ops.presenters import choice_name

        return ", ".join(choice_name(name, entry) for entry in value) or _("none")
    return f"{format_decimal(value)} {unit(about, value)}" if about.unit and units else str(format_decimal(value))


def unit(about: Threshold, value: float = 0) -> str:
    """A unit in words, in the number that `value` asks for."""
    whole_value = int(value)
    words = {
        "standard deviations": _("standard deviations"),
        "share of letters": _("share of letters"),
        "share": _("share (0 to 1)"),
        "days": ngettext("day", "days", whole_value),
        "letters": ngettext("letter", "letters", whole_value),
        "strangers": ngettext("stranger", "strangers", whole_value),
        "submissions": ngettext("submission", "submissions", whole_value),
    }
    return str(words.get(about.unit, about.unit))


def same(one: Any, other: Any) -> bool:
    """Whether two values of a setting mean the same: the order of a list means nothing."""
    return set(one) == set(other) if isinstance(one, tuple) and isinstance(other, tuple) else bool(one == other)


def changes(old: Policy, new: Policy) -> list[Change]:
    """What differs, in the editor's order."""
    from verification.policy import loosens

    looser = loosens(old, new)
    return [
        Change(
            name=name,
            label=_(THRESHOLDS[name].label),
            was=said(name, getattr(old, name)),
            now=said(name, getattr(new, name)),
            looser=name in looser,
        )
        for _heading, names in GROUPS
        for name in names
        if not same(getattr(old, name), getattr(new, name))
    ]


def read_policy(form: MultiDict[str, str]) -> tuple[Policy | None, dict[str, str]]:
    """Return the policy that was typed, or None and one sentence for each setting that is wrong."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, about in THRESHOLDS.items():
        kind = kind_of(about)
        if kind == "switch":
            values[name] = name in form
        elif kind == "list":
            chosen = form.getlist(name)
            if any(entry not in about.choices for entry in chosen):
                problems[name] = _("Please choose from the list.")
            values[name] = tuple(entry for entry in about.choices if entry in chosen)
        else:
            number, problem = _number(name, form.get(name, ""), about)
            values[name] = number
            if problem:
                problems[name] = problem
    if problems:
        return None, problems
    return Policy(**values), {}


def read_reason(form: MultiDict[str, str]) -> tuple[str, str | None]:
    """Return the reason that was typed and what is wrong with it, if anything."""
    reason = " ".join(form.get("reason", "").split())
    if len(reason) < 5:
        return reason, _("Please say why, in a few words: the next person will want to know.")
    if len(reason) > REASON_LENGTH:
        return reason, _("Please keep the reason under %(limit)s characters.", limit=REASON_LENGTH)
    return reason, None


STEPS: dict[str, float] = {
    **dict.fromkeys(("min_selfie_document", "min_selfie_on_file", "min_document_on_file", "differ_below", "min_same_face"), 0.1),
    "min_turned": 0.05,
    "min_depth": 0.01,
    "min_agreement": 0.01,
    "min_confidence": 0.01,
    "min_days_to_expiry": 10,
}
"""By how much one press of a key or of - and + moves a number; of all others by 1, and `min_strangers` along 1, 2, 5, 10 …"""


def shown_number(name: str, form: MultiDict[str, str], otherwise: float) -> float:
    """The number that was typed, where it is one that could be kept; else `otherwise`."""
    if name not in form:
        return otherwise
    number, problem = _number(name, form.get(name, ""), THRESHOLDS[name])
    return otherwise if problem or number is None else number


def stepped(name: str, value: float, up: bool) -> float | int:
    """One step more or less, within the setting's range."""
    about = THRESHOLDS[name]
    assert about.low is not None and about.high is not None
    if name == "min_strangers":
        ladder = [m * 10**k for k in range(2, 7) for m in (1, 2, 5)]
        further = [v for v in ladder if (v > value if up else v < value)] or [int(value)]
        moved: float = further[0] if up else further[-1]
    else:
        step = STEPS.get(name, 1)
        moved = round(value + (step if up else -step), 6)
    moved = min(about.high, max(about.low, moved))
    return int(moved) if whole(name) else moved


def _number(name: str, text: str, about: Threshold) -> tuple[float | int | None, str | None]:
    assert about.low is not None and about.high is not None
    try:
        number = float(text.strip().replace(",", ".").replace("−", "-"))
    except ValueError:
        return None, _("Please type a number.")
    if not math.isfinite(number):
        return None, _("Please type a number.")
    if whole(name):
        if number != int(number):
            return None, _("Please type a whole number.")
        number = int(number)
    if not about.low <= number <= about.high:
        return None, _(
            "Please type a number from %(low)s to %(high)s.", low=format_decimal(about.low), high=format_decimal(about.high)
        )
    return number, None
