"""What one photo of a case shows of a face, told without making a number of whose it is.

Where a face lies, how large and how turned it is, whether eyes and mouth are seen, whether it is a picture of a picture: all that
an agent needs who compares by eye, and that a customer is told while she can still take another photo. No encoding is made here
and no network that could make one is touched; `compare` adds that where a machine may compare.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verification.challenge import Sign
from verification.evidence import Box, FaceReading, Quality
from verification.faces import detect, passive, quality
from verification.faces.detect import Found
from verification.faces.networks import give_back_free
from verification.quality import QualityThresholds
from verification.reasons import PhotoKind, ReasonCode


@dataclass(frozen=True, kw_only=True, eq=False)
class Sight:
    """The face that counts in one photo. `face` holds pixels: let it go once it was looked at."""

    kind: PhotoKind
    face: Found | None = None
    box: Box | None = None  # in pixels of the photo
    turns: int = 0  # quarter turns, counter-clockwise, that bring the face upright
    quality: Quality | None = None
    problems: tuple[ReasonCode, ...] = ()
    signs: tuple[Sign, ...] = ()  # of a selfie, see faces.passive


def see(kind: PhotoKind, photo: NDArray[np.uint8] | None, *, portrait: Box | None = None, quarter_turns: int = 0) -> Sight:
    """Find the face that counts in one photo. RGB pixels of shape (H, W, 3), None for none; never raises.

    `portrait` is where the document reader saw the portrait, in pixels of the document; `quarter_turns`, counter-clockwise,
    is how it had to turn the page.
    """
    if photo is None:
        return Sight(kind=kind)
    try:
        return _see(kind, photo, portrait, quarter_turns)
    finally:
        give_back_free()  # the smaller copies of the photo


def _see(kind: PhotoKind, photo: NDArray[np.uint8], portrait: Box | None, quarter_turns: int) -> Sight:
    if kind is PhotoKind.DOCUMENT:
        printed = detect.portrait(photo, portrait, quarter_turns=quarter_turns)
        if printed is None:
            return Sight(kind=kind, problems=(ReasonCode.PORTRAIT_NOT_FOUND,))
        size = Quality(head_size=round(printed.eyes, 1))
        return Sight(kind=kind, face=printed, box=printed.box, turns=printed.quarter_turns, quality=size)
    main = detect.main_face(photo, kind=kind)
    face = main.face
    if face is None:
        return Sight(kind=kind, problems=main.problems)
    if kind is PhotoKind.ON_FILE:
        return Sight(kind=kind, face=face, box=face.box)
    measured = quality.measure(face)
    if ReasonCode.SELFIE_IS_A_DOCUMENT in main.problems:
        return Sight(kind=kind, face=face, box=face.box, quality=measured, problems=main.problems)
    problems = (*main.problems, *quality.problems(measured, QualityThresholds()))
    signs = passive.signs(photo, face)
    return Sight(kind=kind, face=face, box=face.box, quality=measured, problems=problems, signs=signs)


def together(seen: Iterable[Sight]) -> FaceReading:
    """All that may be said of the faces of a case while nobody may compare them: no pair, no encoding."""
    by = {one.kind: one for one in seen}
    document = by.get(PhotoKind.DOCUMENT)
    return FaceReading(
        problems=(*(problem for one in by.values() for problem in one.problems), ReasonCode.FACES_BY_EYE),
        boxes={kind.value: one.box for kind, one in by.items() if one.box is not None},
        document_turns=document.turns if document is not None else 0,
        qualities={kind: one.quality for kind, one in by.items() if one.quality is not None},
        selfie_signs=tuple(sign for one in by.values() for sign in one.signs),
    )
