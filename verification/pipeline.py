"""The steps of one run in their order: decode, quality, read, compare faces, compare the claim, continuity.

Gathers evidence and gives no verdict. Bytes that are no picture, a page that cannot be read and a face that cannot
be found are evidence too; only engine trouble (a model file missing, a child that cannot start) raises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

from verification import comparison, continuity, documents, faces, images, marks, quality
from verification.challenge import Burst
from verification.documents import page
from verification.evidence import Claim, DocumentReading, Evidence, FaceReading, Field, Liveness, Measures, Profile, Quality, Step
from verification.expiry import expiry, zone_expected
from verification.faces import compare as face_comparison
from verification.faces import liveness, sight
from verification.quality import QualityThresholds
from verification.reasons import PhotoKind, ReasonCode

SHIPPED_QUALITY = QualityThresholds()


def load(*, by_eye: bool = False) -> None:
    """Load every model once; called by a worker before it forks and by the command line.

    `by_eye`: this process never compares faces, so what encodes them is not loaded.
    """
    documents.load()
    faces.load(by_eye=by_eye)


def engines(*, by_eye: bool = False) -> tuple[str, ...]:
    """Names and versions of everything that gave an opinion, so that old scores stay explainable."""
    return (*documents.engines(), *faces.engines(by_eye=by_eye))


def _tell_nobody(_step: Step) -> None:
    """For callers that nobody waits beside."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Photo:
    """One photo as decoded, or why it could not be."""

    pixels: images.Pixels | None  # also None once they are let go
    decoded: bool
    quality: Quality
    problems: tuple[ReasonCode, ...]

    def let_go(self) -> _Photo:
        """The same without its pixels."""
        return replace(self, pixels=None)


def gather_evidence(
    *,
    selfie: bytes,
    document: bytes,
    on_file: bytes | None,
    claim: Claim,
    profile: Profile | None,
    on: date,
    thresholds: QualityThresholds = SHIPPED_QUALITY,
    isolate: bool = True,
    burst: Burst | None = None,
    by_eye: bool = False,
    tell: Callable[[Step], None] = _tell_nobody,
) -> Evidence:
    """Look at two photos and a claim, and at the account where there is one. `on` is the day of the run.

    `burst` answers a head-turn challenge; None: none was taken. `tell` is called as each step after the first begins.

    `isolate` decodes the pictures in a confined child process; only tests and trusted files may do without.

    `by_eye`: no machine may compare these faces. They are found, so that people are shown them large and a photo without a
    face is asked for again, but not encoded; `burst` is not looked at, and the problems say FACES_BY_EYE (docs/decisions/0015).
    """
    look: Callable[..., Any] = sight.see if by_eye else face_comparison.look
    # One photo after the other, each let go once it was looked at: a photo takes up to 27 MB.
    own = _photo(selfie, PhotoKind.SELFIE, thresholds, isolate)
    looks = [look(PhotoKind.SELFIE, own.pixels)]
    alive = liveness.judge(burst, selfie=own.pixels, isolate=isolate) if burst is not None and not by_eye else None
    own = own.let_go()
    held = _photo(on_file, PhotoKind.ON_FILE, thresholds, isolate) if on_file is not None else None
    kept = look(PhotoKind.ON_FILE, held.pixels if held is not None else None)
    held = held.let_go() if held is not None else None

    paper = _photo(document, PhotoKind.DOCUMENT, thresholds, isolate)
    reading, quarter_turns, printed = DocumentReading(), 0, 0
    tell(Step.PASSPORT)
    if paper.pixels is not None:
        detailed = documents.read_detailed(paper.pixels, today=on)
        reading, quarter_turns, printed = detailed.reading, detailed.quarter_turns, detailed.printed
    if not by_eye:
        tell(Step.FACES)
    portrait = reading.portrait
    looks += [look(PhotoKind.DOCUMENT, paper.pixels, portrait=portrait, quarter_turns=quarter_turns), kept]
    found = sight.together(looks) if by_eye else face_comparison.together(looks)
    if paper.pixels is not None and printed >= _PRINTED:
        reading = _cut_by_face(reading, found, paper.pixels)
    tell(Step.DETAILS)
    return assemble(
        reading=reading,
        found=found,
        claim=claim,
        profile=profile,
        on=on,
        selfie=own.quality,
        document=paper.quality,
        picture_problems=(*own.problems, *paper.problems),
        undecodable=tuple(k for k, p in ((PhotoKind.SELFIE, own), (PhotoKind.DOCUMENT, paper)) if not p.decoded),
        has_face_on_file=held is not None and held.decoded,
        engines=engines(by_eye=by_eye),
        alive=alive,
    )


DAYS_A_YEAR = 365.25

_PRINTED = 4  # lines beside a face that make it a paper's: a selfie with less is no document that is cut off


def _cut_by_face(reading: DocumentReading, found: FaceReading, picture: images.Pixels) -> DocumentReading:
    """Where nothing could be read but a printed face lies so near an edge that the page cannot be whole, say that instead."""
    face = found.boxes.get(PhotoKind.DOCUMENT.value)
    untold = {ReasonCode.NO_DOCUMENT_FOUND, ReasonCode.DOCUMENT_NOT_KNOWN, ReasonCode.MRZ_NOT_READABLE}
    if reading.document_type is not None or face is None or not untold & set(reading.problems):
        return reading
    sides = page.cut_by_face(face, picture.shape[1], picture.shape[0], quarter_turns=found.document_turns)
    if not sides:
        return reading
    problems = (ReasonCode.DOCUMENT_CUT_OFF, *(problem for problem in reading.problems if problem not in untold))
    return replace(reading, problems=problems, missing=sides)


def assemble(
    *,
    reading: DocumentReading,
    found: FaceReading,
    claim: Claim,
    profile: Profile | None,
    on: date,
    selfie: Quality,
    document: Quality,
    picture_problems: tuple[ReasonCode, ...],
    undecodable: tuple[PhotoKind, ...],
    has_face_on_file: bool,
    engines: tuple[str, ...],
    alive: Liveness | None = None,
) -> Evidence:
    """Put what the engines saw beside the claim and the account: the part of a run that needs no pixels."""
    compared = comparison.agree(claim, reading)
    until = expiry(reading, on=on)
    agreement, confidence, certain = {}, {}, {}
    for field, (pair, source) in compared.items():
        if source is not None:
            agreement[field] = pair.agreement
            confidence[field] = source.confidence
            certain[field] = source.certain
    if until.days is not None or until.never:
        confidence.setdefault(Field.EXPIRES_ON, until.confidence)
    missing = _without_face_problems(picture_problems, found, undecodable)
    if reading.mrz is None and zone_expected(reading):
        missing = (*missing, ReasonCode.MRZ_NOT_READABLE)
    measures = Measures(
        reason=claim.reason,
        document_type=reading.document_type,
        country=reading.country,
        mrz_valid=reading.mrz.valid if reading.mrz is not None else None,
        days_to_expiry=until.days,
        never_expires=until.never,
        agreement=agreement,
        confidence=confidence,
        certain=certain,
        changes=continuity.changes(claim, profile) if profile is not None else tuple(claim.values),
        change_letters=continuity.change_letters(claim, profile) if profile is not None else {},
        unchanged=continuity.unchanged(profile, reading, claim) if profile is not None else {},
        unread=continuity.unread(profile, reading, claim) if profile is not None else (),
        undecodable=undecodable,
        has_profile=profile is not None,
        has_face_on_file=has_face_on_file,
        portrait_years=_portrait_years(reading, on=on),
        earlier_number_seen=continuity.earlier_number_seen(profile, reading) if profile is not None else None,
        pairs=found.pairs,
        selfie=_with_face(selfie, found, PhotoKind.SELFIE),
        document=_with_face(document, found, PhotoKind.DOCUMENT),
        problems=tuple(dict.fromkeys((*missing, *reading.problems))),
        hidden=reading.hidden,
        missing=reading.missing,
        hints=reading.hints,
        selfie_signs=found.selfie_signs,
        liveness=alive,
        engines=engines,
    )
    return Evidence(reading=reading, faces=found, comparisons={f: pair for f, (pair, _) in compared.items()}, measures=measures)


def _portrait_years(reading: DocumentReading, *, on: date) -> float | None:
    """Years since the document was issued: its portrait is at least as old. None where no such day was read, or one to come."""
    issued = reading.fields.get(Field.ISSUED_ON)
    try:
        days = (on - date.fromisoformat(issued.value)).days if issued is not None else -1
    except ValueError:
        return None
    return round(days / DAYS_A_YEAR, 1) if days >= 0 else None


def _with_face(photo: Quality, found: FaceReading, kind: PhotoKind) -> Quality:
    """A photo's quality with what was measured of its face, but not how light and how coloured it is: that tells her skin."""
    face = found.qualities.get(kind)
    if face is None:
        return photo
    kept = (f.name for f in fields(face) if f.name not in ("luminance", "natural_colour"))
    return replace(photo, **{name: value for name in kept if (value := getattr(face, name)) is not None})


def _without_face_problems(
    picture_problems: tuple[ReasonCode, ...], found: FaceReading, undecodable: tuple[PhotoKind, ...]
) -> tuple[ReasonCode, ...]:
    """All picture problems; where a photo is no picture, not also that no face was found in it."""
    hidden = set()
    if PhotoKind.SELFIE in undecodable:
        hidden.add(ReasonCode.NO_FACE_IN_SELFIE)
    if PhotoKind.DOCUMENT in undecodable:
        hidden.add(ReasonCode.PORTRAIT_NOT_FOUND)
    return (*picture_problems, *(p for p in found.problems if p not in hidden))


def _photo(data: bytes, kind: PhotoKind, thresholds: QualityThresholds, isolate: bool) -> _Photo:
    """Decode and measure one photo."""
    try:
        pixels = images.decode(data, isolate=isolate)
    except images.ImageRejected as rejected:
        # A face on file that cannot be read is no fault of the customer's: it counts as none.
        told = () if kind is PhotoKind.ON_FILE else (rejected.reason,)
        return _Photo(pixels=None, decoded=False, quality=Quality(), problems=told)
    measured = quality.measure(pixels, kind)
    problems: tuple[ReasonCode, ...] = quality.problems(measured, thresholds, kind)
    if kind is not PhotoKind.ON_FILE and marks.read(pixels) is not None:  # uploads refuse it; what came past them goes to people
        problems = (ReasonCode.IMAGE_FOR_TESTS, *problems)
    return _Photo(pixels=pixels, decoded=True, quality=measured, problems=problems)
