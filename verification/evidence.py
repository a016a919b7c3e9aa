"""The nouns of one run: claim, profile, readings, measures, evidence; to and from JSON.

*Readings* hold names and numbers: encrypted at rest, shredded with the photos. *Measures* hold numbers,
codes and yes/no only, so they may be kept for tuning; `decision.decide` sees nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum
from typing import Any, Self

from verification.challenge import Sign
from verification.hints import Hint
from verification.reasons import PhotoKind, ReasonCode


class Field(StrEnum):
    """A detail of a person or document, named alike in claims, profiles, readings and pages."""

    SURNAME = "surname"
    GIVEN_NAMES = "given_names"
    PATRONYMIC = "patronymic"
    SURNAME_NATIVE = "surname_native"
    GIVEN_NAMES_NATIVE = "given_names_native"
    DOCUMENT_NUMBER = "document_number"
    DATE_OF_BIRTH = "date_of_birth"
    ISSUED_ON = "issued_on"
    EXPIRES_ON = "expires_on"
    ISSUER = "issuer"
    ISSUER_CODE = "issuer_code"
    SEX = "sex"
    NATIONALITY = "nationality"
    PLACE_OF_BIRTH = "place_of_birth"
    PERSONAL_NUMBER = "personal_number"


class ChangeReason(StrEnum):
    """Why the customer's details change, as she states it."""

    MARRIAGE = "marriage"
    DIVORCE = "divorce"
    COURT = "court"
    NEW_PASSPORT = "new_passport"
    MISTAKE = "mistake"
    OTHER = "other"


class DocumentType(StrEnum):
    """Layouts the engine tells apart (ICAO 9303 parts 4 to 7, and the Russian internal passport)."""

    TD1 = "TD1"
    TD2 = "TD2"
    TD3 = "TD3"
    MRVA = "MRVA"
    MRVB = "MRVB"
    RU_INTERNAL = "RU_INTERNAL"


class Source(StrEnum):
    """Where on the document a value was read."""

    MRZ = "mrz"
    VIZ = "viz"
    BOTH = "both"


class Side(StrEnum):
    """A part of a page, named as its reader sees it when the page is upright."""

    TOP = "top"
    RIGHT = "right"
    BOTTOM = "bottom"
    LEFT = "left"
    TOP_LEFT = "top_left"
    TOP_RIGHT = "top_right"
    BOTTOM_RIGHT = "bottom_right"
    BOTTOM_LEFT = "bottom_left"


class Step(StrEnum):
    """What a run is busy with, in this order; it begins with the first. Told to the customer who waits."""

    PHOTOS = "photos"
    PASSPORT = "passport"
    FACES = "faces"
    DETAILS = "details"


class Pair(StrEnum):
    """Two faces that are compared."""

    SELFIE_DOCUMENT = "selfie_document"
    SELFIE_ON_FILE = "selfie_on_file"
    DOCUMENT_ON_FILE = "document_on_file"


Values = dict[Field, str]
"""Field values as text: dates `YYYY-MM-DD`, sex `M F X`, numbers without spaces."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The new details the customer states as true, and why they change."""

    reason: ChangeReason
    values: Values

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read `{"reason": ..., field: value, ...}`. Raises ValueError naming the key that is wrong."""
        rest = dict(data)
        try:
            reason = ChangeReason(rest.pop("reason"))
        except KeyError:
            raise ValueError("claim: 'reason' is missing") from None
        except ValueError:
            raise ValueError(f"claim: 'reason' must be one of {', '.join(ChangeReason)}") from None
        return cls(reason=reason, values=values_from_json(rest, "claim"))

    def to_json(self) -> dict[str, str]:
        """The same shape that `from_json` reads."""
        return {"reason": self.reason.value, **{k.value: v for k, v in self.values.items()}}


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """The details the host system holds about this customer at the time of the run.

    `earlier_numbers` are document numbers the account held before, newest first.
    """

    values: Values
    earlier_numbers: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read `{field: value, ..., "earlier_numbers": [..]}`. A `reason` key is ignored. Raises ValueError."""
        rest = dict(data)
        rest.pop("reason", None)
        numbers = rest.pop("earlier_numbers", [])
        if not isinstance(numbers, list) or not all(isinstance(n, str) for n in numbers):
            raise ValueError("profile: 'earlier_numbers' must be a list of texts")
        return cls(values=values_from_json(rest, "profile"), earlier_numbers=tuple(numbers))

    def to_json(self) -> dict[str, Any]:
        """The same shape that `from_json` reads."""
        return {**{k.value: v for k, v in self.values.items()}, "earlier_numbers": list(self.earlier_numbers)}


def values_from_json(data: dict[str, Any], what: str) -> Values:
    """Check names and formats of field values; `what` names the file in the error. Raises ValueError.

    Empty texts are left out. The error names the key, never the value.
    """
    values: Values = {}
    for key, value in data.items():
        try:
            name = Field(key)
        except ValueError:
            raise ValueError(f"{what}: unknown field '{key}'") from None
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            raise ValueError(f"{what}: '{key}' must be a text")
        value = " ".join(value.split())
        if name in DATES:
            try:
                date.fromisoformat(value)
            except ValueError:
                raise ValueError(f"{what}: '{key}' must be a date as YYYY-MM-DD") from None
        if name is Field.SEX and value not in ("M", "F", "X"):
            raise ValueError(f"{what}: 'sex' must be M, F or X")
        values[name] = value
    return values


DATES = frozenset({Field.DATE_OF_BIRTH, Field.ISSUED_ON, Field.EXPIRES_ON})

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels of the upright photo as decoded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldReading:
    """One value read from a document.

    `certain` promises that `value` is exactly what is printed: independent readings agreed and every check
    that covers it holds. `confidence` 0-1. `box` is where it stands on the photo, None where not known.
    `letters`: the place of each character of `value`, as long as `value`, or empty where not known; None for a character
    that is not printed there (the space for a filler, a date's century).
    """

    value: str
    confidence: float
    certain: bool
    source: Source
    box: Box | None = None
    letters: tuple[Box | None, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As printed by `python -m verification read`."""
        return {
            "value": self.value,
            "confidence": round(self.confidence, 4),
            "certain": self.certain,
            "source": self.source.value,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class MrzReading:
    """The machine-readable zone as printed: lines, and which printed check digits hold."""

    lines: tuple[str, ...]
    valid: bool
    checks: dict[str, bool]  # document_number, date_of_birth, expires_on, personal_number, composite ...


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentReading:
    """All that was read from one document photo. Empty where nothing was found: never a made-up value."""

    document_type: DocumentType | None = None
    country: str | None = None  # issuing state, ICAO three letters ("D" for Germany)
    mrz: MrzReading | None = None
    fields: dict[Field, FieldReading] = field(default_factory=dict)
    portrait: Box | None = None
    problems: tuple[ReasonCode, ...] = ()
    hidden: dict[Field, ReasonCode] = field(default_factory=dict)  # fields whose print something covers, and what (glare ...)
    missing: tuple[Side, ...] = ()  # parts of the page that are not on the photo
    hints: tuple[Hint, ...] = ()  # soft, never proof
    # What either part of the page says for itself, before one was weighed against the other: shown to people side by side, and
    # never decided on. Empty where that part was not read.
    zone: dict[Field, FieldReading] = field(default_factory=dict)
    printed: dict[Field, FieldReading] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As printed by `python -m verification read`, without the seconds."""
        return {
            "document_type": self.document_type and self.document_type.value,
            "country": self.country,
            "mrz": self.mrz and {"lines": list(self.mrz.lines), "valid": self.mrz.valid, "checks": self.mrz.checks},
            "fields": {name.value: reading.to_json() for name, reading in self.fields.items()},
            "portrait": self.portrait and {"box": list(self.portrait)},
            "problems": [p.value for p in self.problems],
            "hidden": {name.value: reason.value for name, reason in self.hidden.items()},
            "missing": [side.value for side in self.missing],
            "hints": [hint.value for hint in self.hints],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One stretch of letters that differs: positions are 0-based in each text; an empty side is a gap."""

    claimed: str
    read: str
    claimed_at: int
    read_at: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"claimed": self.claimed, "read": self.read, "claimed_at": self.claimed_at, "read_at": self.read_at}


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldComparison:
    """A claimed value beside the value read. `agreement` 0-1; 1.0 means equal under the named `rule`."""

    claimed: str
    read: str | None
    agreement: float
    rule: str | None = None  # "exact", "icao-9303", "mvd-310", "yo-e" ... which rule made them equal
    differences: tuple[Difference, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As printed by `python -m verification verify`."""
        return {
            "claimed": self.claimed,
            "read": self.read,
            "agreement": round(self.agreement, 4),
            "rule": self.rule,
            "differences": [d.to_json() for d in self.differences],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class PairMeasures:
    """How alike two faces are.

    `similarity`: fused score of both networks, larger is more alike, 0 = typical stranger (see faces.compare).
    `fmr`: share of strangers that score at least this (0-1), None where no calibration covers it.
    `voices_agree`: False when one network clearly contradicts the other.
    """

    similarity: float
    fmr: float | None
    sface: float  # cosine similarity, -1 to 1
    dlib: float  # 1 - Euclidean distance of encodings
    voices_agree: bool


FACE_CODE = "<f2"
"""NumPy's name of the 256 numbers of `FaceReading.code`: 128 of SFace, 128 of dlib."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceReading:
    """What face comparison found: the pairs that could be compared, and why others could not."""

    pairs: dict[Pair, PairMeasures] = field(default_factory=dict)
    problems: tuple[ReasonCode, ...] = ()
    boxes: dict[str, Box] = field(default_factory=dict)  # PhotoKind value -> main face
    document_turns: int = 0  # quarter turns counter-clockwise that bring the printed face upright (0-3)
    qualities: dict[PhotoKind, Quality] = field(default_factory=dict)  # of the main faces, only what concerns a face
    selfie_signs: tuple[Sign, ...] = ()  # that the selfie shows a picture of a person; weak, see faces.passive
    code: bytes | None = field(default=None, repr=False)  # FACE_CODE numbers of the selfie's face: personal, see cases.duplicates


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    """Fitness of one photo, by the names of ISO/IEC 29794-5 where it has them. Larger is better.

    None = not measured. Portals may compute all but the face ones without loading a model.
    """

    sharpness: float | None = None  # variance of the Laplacian at a fixed size; see quality.measure
    brightness: float | None = None  # mean luma 0-1
    not_dark: float | None = None  # share of pixels that are not near black, 0-1
    not_glare: float | None = None  # share of pixels that are not burnt out, 0-1
    width: int | None = None  # pixels
    height: int | None = None  # pixels
    head_size: float | None = None  # inter-eye distance in pixels of the decoded photo
    # Of the main face (verification.faces.quality); angles in degrees, 0 = straight into the camera.
    yaw: float | None = None  # + to the person's left
    pitch: float | None = None  # + down; coarse
    roll: float | None = None  # counter-clockwise turn that brings the face upright, -180 to 180
    eyes_visible: float | None = None  # about 0.7; behind dark glass near 0
    mouth_visible: float | None = None  # about 1; under a mask near 0
    luminance: float | None = None  # luma of the brightest tenth of the face 0-1; dark cloth does not count
    illumination_uniformity: float | None = None  # darker half of the face over the lighter, 0-1
    natural_colour: float | None = None  # median CIELAB chroma of the face; 0 = grey
    face_sharpness: float | None = None  # variance of the Laplacian where the eyes are 36 pixels apart


@dataclass(frozen=True, kw_only=True, slots=True)
class Liveness:
    """What a head-turn challenge showed: evidence of life, never proof (ISO/IEC 30107-3 would call it a PAD subsystem's data).

    Larger is better. None: not measured. Where no challenge was taken the whole is absent from `Measures`.
    """

    frames: int  # of the burst, with a face in them
    turned: float | None = None  # share of the asked turns that were seen, in their order, 0-1
    depth: float | None = None  # how much more the landmarks moved than a flat picture's would, see faces.liveness
    same_face: float | None = None  # least fused similarity of a frame with the selfie, units of PairMeasures.similarity
    timely: bool | None = None  # frames came in order, at the pace of a camera, within the challenge's time
    signs: tuple[str, ...] = ()  # names of passive and injection signs that were seen (faces.liveness.Sign): weak, against life


@dataclass(frozen=True, kw_only=True, slots=True)
class Measures:
    """What a run measured. No name, number or pixel: kept when the photos are shredded.

    Larger is always better. `decide` sees nothing else, so it cannot know whom it judges.
    A value that was not measured is None or absent; it never counts as good.
    """

    reason: ChangeReason
    document_type: DocumentType | None
    country: str | None
    mrz_valid: bool | None  # None: the document has no zone, or none was read
    days_to_expiry: int | None  # on the day of the run; negative = expired; None = not known
    never_expires: bool = False  # the document says so (Russian internal passport after 45)
    agreement: dict[Field, float] = field(default_factory=dict)  # claim against document
    confidence: dict[Field, float] = field(default_factory=dict)  # of the reading behind each agreement
    certain: dict[Field, bool] = field(default_factory=dict)
    changes: tuple[Field, ...] = ()  # fields whose claimed value is not the profile's
    change_letters: dict[Field, int] = field(default_factory=dict)  # letters that differ between profile and claim
    unchanged: dict[Field, float] = field(default_factory=dict)  # profile against document, for fields that must stay
    unread: tuple[Field, ...] = ()  # must stay, the account has them, the document did not show them
    undecodable: tuple[PhotoKind, ...] = ()  # photos that are no pictures
    has_profile: bool = False
    has_face_on_file: bool = False
    portrait_years: float | None = None  # from the document's day of issue to the day of the run; None: not read
    earlier_number_seen: bool | None = None  # the account's former number stands on the new document; None: not looked
    pairs: dict[Pair, PairMeasures] = field(default_factory=dict)
    selfie: Quality = Quality()
    document: Quality = Quality()
    problems: tuple[ReasonCode, ...] = ()  # found by the engines themselves
    hidden: dict[Field, ReasonCode] = field(default_factory=dict)  # fields that glare or a finger covers on the document photo
    missing: tuple[Side, ...] = ()  # parts of the page that are not on the document photo
    hints: tuple[Hint, ...] = ()  # that the paper is not what it seems; soft, never proof
    selfie_signs: tuple[Sign, ...] = ()  # that the selfie shows a picture of a person; weak, and none is no evidence
    liveness: Liveness | None = None  # None: the customer took no challenge
    own_calibration: bool = False  # fmr comes from this deployment's own labelled pairs, not from the shipped public figures
    engines: tuple[str, ...] = ()  # "sface 2021dec", "tesseract 5.3.0" ...: old scores stay explainable

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` reads it back to an equal value."""
        plain: dict[str, Any] = _plain(self)
        return plain

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what `to_json` wrote. Raises KeyError or ValueError on anything else."""
        d = dict(data)
        return cls(
            reason=ChangeReason(d["reason"]),
            document_type=DocumentType(d["document_type"]) if d["document_type"] else None,
            country=d["country"],
            mrz_valid=d["mrz_valid"],
            days_to_expiry=d["days_to_expiry"],
            never_expires=d["never_expires"],
            agreement={Field(k): v for k, v in d["agreement"].items()},
            confidence={Field(k): v for k, v in d["confidence"].items()},
            certain={Field(k): v for k, v in d["certain"].items()},
            changes=tuple(Field(k) for k in d["changes"]),
            change_letters={Field(k): v for k, v in d["change_letters"].items()},
            unchanged={Field(k): v for k, v in d["unchanged"].items()},
            unread=tuple(Field(k) for k in d["unread"]),
            undecodable=tuple(PhotoKind(k) for k in d["undecodable"]),
            has_profile=d["has_profile"],
            has_face_on_file=d["has_face_on_file"],
            portrait_years=d.get("portrait_years"),  # runs before it was measured lack it
            earlier_number_seen=d["earlier_number_seen"],
            pairs={Pair(k): PairMeasures(**v) for k, v in d["pairs"].items()},
            selfie=Quality(**d["selfie"]),
            document=Quality(**d["document"]),
            problems=tuple(ReasonCode(p) for p in d["problems"]),
            hidden={Field(k): ReasonCode(v) for k, v in d.get("hidden", {}).items()},  # runs before it was measured lack it
            missing=tuple(Side(side) for side in d.get("missing", ())),
            hints=tuple(Hint(hint) for hint in d.get("hints", ()) if hint in set(Hint)),  # a hint no longer given is left out
            selfie_signs=tuple(Sign(sign) for sign in d.get("selfie_signs", ()) if sign in set(Sign)),  # as with hints
            liveness=Liveness(**{**alive, "signs": tuple(alive["signs"])}) if (alive := d.get("liveness")) else None,
            own_calibration=d.get("own_calibration", False),
            engines=tuple(d["engines"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Everything one run found. `measures` may be kept; the rest holds personal data."""

    reading: DocumentReading
    faces: FaceReading
    comparisons: dict[Field, FieldComparison]
    measures: Measures


def _plain(value: Any) -> Any:
    """Turn frozen facts into JSON types, keeping field names."""
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, dict):
        return {str(_plain(k)): _plain(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return value
