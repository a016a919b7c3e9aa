"""A policy: one immutable set of thresholds, each with unit, range, shipped default and which way is looser.

Knows nothing of versions in a database; `cases.policies` numbers, stores and activates them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, Self

from verification.challenge import Sign
from verification.evidence import ChangeReason, DocumentType, Pair
from verification.hints import SHIPPED_TO_PEOPLE, Hint


class Looser(StrEnum):
    """Which way a setting moves when it lets more cases through without a person."""

    LOWER = "lower"
    HIGHER = "higher"
    ON = "on"
    OFF = "off"
    MORE = "more"  # a list: more entries
    FEWER = "fewer"  # a list: fewer entries


@dataclass(frozen=True, kw_only=True, slots=True)
class Threshold:
    """What an editor has to know about one setting. `low` and `high` are inclusive; None for switches and lists."""

    label: str
    unit: str
    help: str
    looser: Looser
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """All that `decide` may weigh, and what binds the people who decide in its stead. On the line passes."""

    version: int = 1
    # Faces; similarity is the fused score of faces.compare, in standard deviations above a typical stranger.
    min_selfie_document: float = 6.7
    min_selfie_on_file: float = 6.7
    min_document_on_file: float = 6.7
    differ_below: float = 3.5
    require_voices_agree: bool = True
    require_face_on_file: bool = True
    max_portrait_years: int = 10
    min_strangers: int = 10_000
    # Signs of life: the head-turn challenge; tests/benchmarks/liveness.py. Of 300 flat photos one was seen to turn as asked,
    # and none was deeper than 0.06; heads drawn in the middle 0.24. Other people's faces reached 3.7, 3.3 between frames of her
    # photo; turned stills of one person 5 and more in 45 of 46, the least alike frame of each of 40 drawn heads 5.4 and more.
    require_liveness_for: tuple[str, ...] = (ChangeReason.MISTAKE.value,)
    min_turned: float = 1.0
    min_depth: float = 0.08
    min_same_face: float = 5.0
    refer_on_liveness_signs: tuple[str, ...] = (
        Sign.FRAMES_REPEATED.value,
        Sign.TIMES_IMPOSSIBLE.value,
        Sign.CAMERA_VIRTUAL.value,
        Sign.SCREEN_PATTERN.value,
        Sign.PICTURE_EDGES.value,
    )
    # The document.
    accepted_types: tuple[str, ...] = (DocumentType.TD3.value, DocumentType.TD1.value, DocumentType.RU_INTERNAL.value)
    require_valid_mrz: bool = True
    min_days_to_expiry: int = 0
    refer_on_hints: tuple[str, ...] = tuple(hint.value for hint in SHIPPED_TO_PEOPLE)
    # The claim against the document.
    min_agreement: float = 1.0
    min_confidence: float = 0.8
    require_certain: bool = False
    # The account.
    require_profile: bool = True
    require_earlier_number: bool = False
    automatic_reasons: tuple[str, ...] = (
        ChangeReason.MARRIAGE.value,
        ChangeReason.DIVORCE.value,
        ChangeReason.NEW_PASSPORT.value,
        ChangeReason.MISTAKE.value,
    )
    max_mistake_letters: int = 2
    # Patience.
    max_attempts: int = 3
    # The people who look. `decide` does not weigh it; decision 22 says which way is looser.
    hide_opinion: bool = False
    # Set by `for_given` alone: no editor has it, and no stored or given policy may.
    files_only: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError naming the first setting that is out of range or of the wrong kind."""
        if isinstance(self.version, bool) or not isinstance(self.version, int) or self.version < 0:
            raise ValueError("policy: 'version' must be a whole number from 0")
        for name, about in THRESHOLDS.items():
            _check(name, getattr(self, name), about)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read `{name: value, ...}`; what is left out keeps its shipped default. Raises ValueError naming the key.

        So a version stored before a setting existed holds with that setting's default.
        """
        if not isinstance(data, dict):
            raise ValueError("policy: a JSON object is expected")
        known = {f.name for f in fields(cls)} - {"files_only"}
        for key in data:
            if key not in known:
                raise ValueError(f"policy: unknown setting '{key}'")
        for name, value in data.items():
            if isinstance(value, list) and not all(isinstance(entry, str) for entry in value):
                raise ValueError(f"policy: '{name}' must be a list of texts")
        settings: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
        return cls(**settings)

    def to_json(self) -> dict[str, Any]:
        """The same shape that `from_json` reads."""
        settings = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "files_only"}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}

    def min_similarity(self, pair: Pair) -> float:
        """The approval line of a pair, in units of `PairMeasures.similarity`."""
        return {
            Pair.SELFIE_DOCUMENT: self.min_selfie_document,
            Pair.SELFIE_ON_FILE: self.min_selfie_on_file,
            Pair.DOCUMENT_ON_FILE: self.min_document_on_file,
        }[pair]


THRESHOLDS: dict[str, Threshold] = {
    "min_selfie_document": Threshold(
        label="Selfie and passport portrait", unit="standard deviations", looser=Looser.LOWER, low=0.0, high=20.0,
        help="How alike the selfie and the printed portrait must be for an automatic approval.",
    ),
    "min_selfie_on_file": Threshold(
        label="Selfie and face on file", unit="standard deviations", looser=Looser.LOWER, low=0.0, high=20.0,
        help="How alike the selfie and the face the account already has must be.",
    ),
    "min_document_on_file": Threshold(
        label="Passport portrait and face on file", unit="standard deviations", looser=Looser.LOWER, low=0.0, high=20.0,
        help="How alike the printed portrait and the face on file must be.",
    ),
    "differ_below": Threshold(
        label="Clearly another person below", unit="standard deviations", looser=Looser.LOWER, low=-5.0, high=20.0,
        help="Below this line a person looks at once; between the lines the customer may photograph again first.",
    ),
    "require_voices_agree": Threshold(
        label="Both face networks must agree", unit="", looser=Looser.OFF,
        help="When one network says yes and the other clearly no, a person looks.",
    ),
    "require_face_on_file": Threshold(
        label="A face on file is required", unit="", looser=Looser.OFF,
        help="Without it a thief's own passport and face would match each other perfectly. As long as the rates are those of "
        "public figures, it is required whatever stands here.",
    ),
    "max_portrait_years": Threshold(
        label="Years a printed portrait may speak alone", unit="years", looser=Looser.HIGHER, low=0, high=60,
        help="An older portrait decides only beside a face on file: faces change, and a look-alike is harder to tell from an old "
        "picture. Most passports hold for 10 years, a Russian internal one for up to 25.",
    ),
    "min_strangers": Threshold(
        label="Strangers of whom at most one may score as high", unit="strangers", looser=Looser.LOWER, low=100, high=1_000_000,
        help="The rate that every pair of faces must reach, by the calibration that holds: 10 000 means 1 in 10 000.",
    ),
    "require_liveness_for": Threshold(
        label="Changes that ask for a turn of the head", unit="", looser=Looser.FEWER,
        choices=tuple(r.value for r in ChangeReason),
        help="Without it such a change goes to a person. A correction may change any letter on the customer's word alone.",
    ),
    "min_turned": Threshold(
        label="Turns of the head that must be seen", unit="share", looser=Looser.LOWER, low=0.0, high=1.0,
        help="Of those asked for, each in its turn. 1: all of them.",
    ),
    "min_depth": Threshold(
        label="Depth of the turned face", unit="share", looser=Looser.LOWER, low=0.0, high=1.0,
        help="Share of points on the face that moved otherwise than on a flat picture: nearly none of a photo that is turned.",
    ),
    "min_same_face": Threshold(
        label="Turned face and selfie", unit="standard deviations", looser=Looser.LOWER, low=-5.0, high=20.0,
        help="How alike every frame and the selfie must be. A turned face is less alike than a straight one.",
    ),
    "refer_on_liveness_signs": Threshold(
        label="Signs against a living face that send a case to a person", unit="", looser=Looser.FEWER,
        choices=tuple(sign.value for sign in Sign),
        help="In the turn of the head and in the selfie. Weak, each with its own honest causes. The agent sees all of them.",
    ),
    "accepted_types": Threshold(
        label="Accepted documents", unit="", looser=Looser.MORE, choices=tuple(t.value for t in DocumentType),
        help="Other documents are read, but always go to a person.",
    ),
    "require_valid_mrz": Threshold(
        label="All check digits must hold", unit="", looser=Looser.OFF,
        help="For documents that carry a machine-readable zone.",
    ),
    "min_days_to_expiry": Threshold(
        label="Days the document must still be valid", unit="days", looser=Looser.LOWER, low=0, high=3650,
        help="Zero: valid on the day of the request.",
    ),
    "refer_on_hints": Threshold(
        label="Hints that send a case to a person", unit="", looser=Looser.FEWER, choices=tuple(hint.value for hint in Hint),
        help="A hint is no proof and refuses nobody. The agent sees all of them; those ticked stop an automatic approval.",
    ),
    "min_agreement": Threshold(
        label="Agreement of each typed field with the document", unit="share of letters", looser=Looser.LOWER, low=0.9, high=1.0,
        help="1 means equal under a named spelling rule; anything less lets wrong letters through.",
    ),
    "min_confidence": Threshold(
        label="Confidence of each reading", unit="share", looser=Looser.LOWER, low=0.0, high=1.0,
        help="How sure the reader must be of a field before it may confirm what was typed.",
    ),
    "require_certain": Threshold(
        label="Only certain readings count", unit="", looser=Looser.OFF,
        help="A reading is certain when independent readers agree and every check digit over it holds.",
    ),
    "require_profile": Threshold(
        label="The account's details must fit", unit="", looser=Looser.OFF,
        help="Birth date, sex and the names that must not change are compared with the account.",
    ),
    "require_earlier_number": Threshold(
        label="The earlier passport number must be seen", unit="", looser=Looser.OFF,
        help="The account's former number must stand on the papers sent.",
    ),
    "automatic_reasons": Threshold(
        label="Reasons that may be approved automatically", unit="", looser=Looser.MORE,
        choices=tuple(r.value for r in ChangeReason),
        help="All other reasons always go to a person.",
    ),
    "max_mistake_letters": Threshold(
        label="Letters a correction may change in a name", unit="letters", looser=Looser.HIGHER, low=0, high=10,
        help="A “mistake in my details” that changes more letters than this goes to a person.",
    ),
    "max_attempts": Threshold(
        label="Attempts before a person looks", unit="submissions", looser=Looser.HIGHER, low=1, high=10,
        help="Every attempt is another chance for a stranger, so keep it small.",
    ),
    "hide_opinion": Threshold(
        label="Agents answer before they see what the machine found", unit="", looser=Looser.OFF,
        help="On: scores, hints and reasons are shown once she has answered, so that people look for themselves. Off: at once, "
        "which is quicker and draws people to what the machine thinks.",
    ),
}  # fmt: skip

_WHOLE = ("max_portrait_years", "min_strangers", "min_days_to_expiry", "max_mistake_letters", "max_attempts")


def _check(name: str, value: Any, about: Threshold) -> None:
    """Raise ValueError when `value` is not a possible value of the setting."""
    if about.choices:
        if not isinstance(value, tuple) or any(v not in about.choices for v in value) or len(set(value)) != len(value):
            raise ValueError(f"policy: '{name}' must be a list out of {', '.join(about.choices)}, each at most once")
    elif about.looser in (Looser.ON, Looser.OFF):
        if not isinstance(value, bool):
            raise ValueError(f"policy: '{name}' must be true or false")
    else:
        whole = name in _WHOLE
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not math.isfinite(value):
            raise ValueError(f"policy: '{name}' must be a {'whole ' if whole else ''}number")
        assert about.low is not None and about.high is not None
        if not about.low <= value <= about.high:
            raise ValueError(f"policy: '{name}' must be from {about.low:g} to {about.high:g}")


def loosens(old: Policy, new: Policy) -> tuple[str, ...]:
    """Return the names of the settings through which `new` lets a case pass that `old` did not.

    Empty = tighter or equal, which one person may activate alone.
    """
    return tuple(name for name, about in THRESHOLDS.items() if _is_looser(about.looser, getattr(old, name), getattr(new, name)))


def _is_looser(way: Looser, was: Any, now: Any) -> bool:
    """Whether moving a setting from `was` to `now` lets more through."""
    if way is Looser.LOWER:
        return bool(now < was)
    if way is Looser.HIGHER:
        return bool(now > was)
    if way is Looser.ON:
        return bool(now and not was)
    if way is Looser.OFF:
        return bool(was and not now)
    if way is Looser.FEWER:
        return not set(now) >= set(was)
    return not set(now) <= set(was)


def strictest(one: Policy, other: Policy) -> Policy:
    """Return `one` with each setting as tight as the tighter of both: it lets nothing through that either stops."""
    tight: dict[str, Any] = {}
    for name, about in THRESHOLDS.items():
        was, now = getattr(one, name), getattr(other, name)
        if about.looser is Looser.FEWER:
            tight[name] = tuple(entry for entry in about.choices if entry in was or entry in now)
        elif about.looser is Looser.MORE:
            tight[name] = tuple(entry for entry in about.choices if entry in was and entry in now)
        else:
            tight[name] = was if _is_looser(about.looser, was, now) else now
    return replace(one, **tight)


SHIPPED = Policy()
"""Version 1, as installed. Face lines: FMR 1 in 10 000 on the data that `verification/faces` names in its card."""


def for_given(policy: Policy, *, profile: bool, on_file: bool, head_turn: bool = False) -> Policy:
    """Return `policy` asking only for what was handed over: for looking at files outside an account.

    Cases never use this: an order always carries the account's details, so a missing face on file refers. Where no face
    on file was given, the one pair there is may decide, by the shipped calibration too: nobody's account hangs on it.
    """
    return replace(
        policy,
        require_profile=policy.require_profile and profile,
        require_face_on_file=policy.require_face_on_file and on_file,
        files_only=not on_file,
        require_liveness_for=policy.require_liveness_for if head_turn else (),
    )
