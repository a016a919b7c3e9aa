"""Say how alike two faces are, and make all pairs that the photos of one case allow.

From each face the mean encoding of its condition is taken away, since a print moves all faces the same way. Each voice's distance
is then measured in standard deviations of strangers of that condition, and the voices are added by their weights
(`similarity`): 0 is a typical stranger. What a similarity means stands in `calibration.json`, made by `python -m
tests.benchmarks.faces --calibrate`: for each kind of pair, how many strangers would score as much. This module judges nobody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from verification import models
from verification.calibration import CLEAN, CONDITION, POOR, PRINTED, FaceCalibration, digest, shipped
from verification.challenge import Sign
from verification.evidence import FACE_CODE, Box, FaceReading, Pair, PairMeasures, Quality
from verification.faces import copies, sight, voices
from verification.faces.encode import Encodings, encode
from verification.faces.networks import give_back_free
from verification.faces.voices import Vector
from verification.reasons import PhotoKind, ReasonCode

__all__ = [
    "CLEAN",
    "CONDITION",
    "PRINTED",
    "calibration",
    "compare",
    "correlation",
    "covered",
    "look",
    "read_faces",
    "together",
    "use",
]

_given: list[Path] = []


def use(file: Path | None) -> None:
    """From now on read the calibration from `file` (None: the shipped one). Called before `load`, as `voices.use` is."""
    _given[:] = [file] if file is not None else []
    calibration.cache_clear()


@cache
def calibration() -> FaceCalibration:
    """Return the calibration of this process. Raises KeyError or ValueError where a given file is none, BadDescription where
    its label is not its own: runs name a calibration by it."""
    if not _given:
        return shipped()
    data = json.loads(_given[0].read_text(encoding="utf-8"))
    own = FaceCalibration.from_json(data)
    if own.label == shipped().label:
        raise voices.BadDescription(f"{_given[0]}: 'label' is that of the shipped calibration")
    if not own.label.endswith(f" {digest(data)}"):
        raise voices.BadDescription(f"{_given[0]}: 'label' does not end in {digest(data)}: it was changed since it was made")
    return own


def networks() -> tuple[str, ...]:
    """Labels of all models that have a say in a score."""
    shared = tuple(models.label(name) for name in ("yunet", "sface", "dlib_5_points", "dlib_resnet"))
    return (*shared, *(voice.label for voice in voices.speaking()[len(voices.SHIPPED) :]))


def covered() -> bool:
    """Whether the calibration was measured with exactly the voices that speak. Where not, no score has a rate."""
    return calibration().engines == networks()


def distances(a: Encodings, b: Encodings) -> dict[str, float]:
    """Return each calibrated voice's distance (1 - cosine, 0 to 2; or Euclidean) of two faces, each without what all faces of
    its condition have in common."""
    c = calibration()
    return {
        voice.name: voices.distance(voice, _centred(a, voice.name, c), _centred(b, voice.name, c))
        for voice in voices.speaking()
        if voice.name in c.voices[CLEAN]
    }


def _centred(codes: Encodings, voice: str, c: FaceCalibration) -> Vector:
    return codes.of(voice) - c.centres.get(codes.condition, {}).get(voice, 0.0)


def poorer(*conditions: str) -> str:
    """The condition that decides how a pair is measured."""
    return max(conditions, key=(CLEAN, PRINTED, POOR).index)


def compare(a: Encodings, b: Encodings, pair: Pair = Pair.SELFIE_ON_FILE) -> PairMeasures:
    """Compare two faces; `pair` says which photos they are from, and so which rates hold.

    `fmr` is None where the voices that speak are not those of the calibration: such a score approves nothing.
    """
    c, apart = calibration(), distances(a, b)
    scales = c.voices[poorer(a.condition, b.condition)]
    fused = sum(v.weight * (v.mean - apart[name]) / v.deviation for name, v in scales.items())
    contradict = any(
        apart[one] <= scales[one].same and apart[other] >= scales[other].other for one, other in permutations(apart, 2)
    )
    return PairMeasures(
        similarity=round(fused, 4),
        fmr=c.fmr(pair, fused) if covered() else None,
        sface=round(1.0 - apart[voices.SFACE], 4),
        dlib=round(1.0 - apart[voices.DLIB], 4),
        voices_agree=not contradict,
    )


def correlation(a: Encodings, b: Encodings) -> float:
    """Return how alike two aligned faces are as pictures, -1 to 1: near 1 only for one photograph and its copies."""
    return float((a.chip * b.chip).mean())


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """What one photo of a case shows of a face. Small, and without the photo: a worker need not hold all photos at once."""

    kind: PhotoKind
    box: Box | None = None  # in pixels of the photo
    turns: int = 0  # quarter turns, counter-clockwise, that bring the face upright
    quality: Quality | None = None
    codes: Encodings | None = None
    problems: tuple[ReasonCode, ...] = ()
    signs: tuple[Sign, ...] = ()  # of a selfie, see faces.passive


def look(kind: PhotoKind, photo: NDArray[np.uint8] | None, *, portrait: Box | None = None, quarter_turns: int = 0) -> Look:
    """Find the face that counts in one photo and encode it. RGB pixels of shape (H, W, 3), None for none; never raises.

    `portrait` is where the document reader saw the portrait, in pixels of the document; `quarter_turns`, counter-clockwise,
    is how it had to turn the page.
    """
    seen = sight.see(kind, photo, portrait=portrait, quarter_turns=quarter_turns)
    try:
        codes = _encoded(seen)
    finally:
        give_back_free()  # or the next photo would come on top of what the networks left behind
    return Look(
        kind=kind, box=seen.box, turns=seen.turns, quality=seen.quality, codes=codes, problems=seen.problems, signs=seen.signs
    )


def _encoded(seen: sight.Sight) -> Encodings | None:
    """The numbers of a face to be compared: not of a portrait sent as a selfie, which against itself would say nothing."""
    if seen.face is None or ReasonCode.SELFIE_IS_A_DOCUMENT in seen.problems:
        return None
    return encode(seen.face, printed=seen.kind is PhotoKind.DOCUMENT)


def together(looks: Iterable[Look]) -> FaceReading:
    """Compare every pair there is. A face that was not found is a problem and leaves its pairs out."""
    by = {seen.kind: seen for seen in looks}
    codes = {kind: seen.codes for kind, seen in by.items() if seen.codes is not None}
    problems = [problem for seen in by.values() for problem in seen.problems]
    pairs = {pair: compare(codes[a], codes[b], pair) for pair, (a, b) in _PHOTOS.items() if a in codes and b in codes}
    own = codes.get(PhotoKind.SELFIE)
    for kind, told in _COPIES.items():
        if own is not None and kind in codes and _one_photograph(own, codes[kind]):
            problems.append(told)
    document = by.get(PhotoKind.DOCUMENT)
    return FaceReading(
        pairs=pairs,
        problems=tuple(problems),
        boxes={kind.value: seen.box for kind, seen in by.items() if seen.box is not None},
        document_turns=document.turns if document is not None else 0,
        qualities={kind: seen.quality for kind, seen in by.items() if seen.quality is not None},
        selfie_signs=tuple(sign for seen in by.values() for sign in seen.signs),
        code=_code(own),
    )


def read_faces(
    selfie: NDArray[np.uint8] | None,
    document: NDArray[np.uint8] | None,
    on_file: NDArray[np.uint8] | None,
    *,
    portrait: Box | None = None,
    quarter_turns: int = 0,
) -> FaceReading:
    """`look` at all photos of a case and bring them `together`."""
    return together(
        (
            look(PhotoKind.SELFIE, selfie),
            look(PhotoKind.DOCUMENT, document, portrait=portrait, quarter_turns=quarter_turns),
            look(PhotoKind.ON_FILE, on_file),
        )
    )


def _one_photograph(a: Encodings, b: Encodings) -> bool:
    return correlation(a, b) >= calibration().same_picture or copies.likeness(a.chip, b.chip) >= copies.LINE


def _code(own: Encodings | None) -> bytes | None:
    """The selfie's encodings as `cases.duplicates` keeps them where it is switched on."""
    return np.concatenate([own.sface, own.dlib]).astype(FACE_CODE).tobytes() if own is not None else None


_PHOTOS = {
    Pair.SELFIE_DOCUMENT: (PhotoKind.SELFIE, PhotoKind.DOCUMENT),
    Pair.SELFIE_ON_FILE: (PhotoKind.SELFIE, PhotoKind.ON_FILE),
    Pair.DOCUMENT_ON_FILE: (PhotoKind.DOCUMENT, PhotoKind.ON_FILE),
}

_COPIES = {PhotoKind.DOCUMENT: ReasonCode.SELFIE_IS_THE_DOCUMENT, PhotoKind.ON_FILE: ReasonCode.SELFIE_IS_ON_FILE}
"""What it is called where the selfie is a copy of that photograph."""
