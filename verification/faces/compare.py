"""Say how alike two faces are, and make all pairs that the photos of one case allow.

From each face the mean encoding of its condition is taken away, since a print moves all faces the same way. Each voice's distance
is then measured in standard deviations of strangers of that condition, and the voices are added by their weights
(`similarity`): 0 is a typical stranger. What a similarity means stands in `calibration.json`, made by `python -m
tests.benchmarks.faces --calibrate`: for each kind of pair, how many strangers would score as much. This module judges nobody.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from verification import models
from verification.calibration import CLEAN, CONDITION, POOR, PRINTED, FaceCalibration, digest, shipped
from verification.evidence import FACE_CODE, Box, FaceReading, Pair, PairMeasures, Quality
from verification.faces import copies, detect, quality, voices
from verification.faces.encode import Encodings, encode
from verification.faces.voices import Vector
from verification.quality import QualityThresholds
from verification.reasons import PhotoKind, ReasonCode

__all__ = ["CLEAN", "CONDITION", "PRINTED", "calibration", "compare", "correlation", "covered", "read_faces", "use"]

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


def read_faces(
    selfie: NDArray[np.uint8] | None,
    document: NDArray[np.uint8] | None,
    on_file: NDArray[np.uint8] | None,
    *,
    portrait: Box | None = None,
    quarter_turns: int = 0,
) -> FaceReading:
    """Find the faces and compare every pair there is. RGB pixels of shape (H, W, 3); never raises on any picture.

    `portrait` is where the document reader saw the portrait, in pixels of `document`; `quarter_turns`, counter-clockwise,
    is how it had to turn the page. A face that was not found is a problem and leaves its pairs out.
    """
    problems: list[ReasonCode] = []
    boxes: dict[str, Box] = {}
    qualities: dict[PhotoKind, Quality] = {}
    codes: dict[PhotoKind, Encodings] = {}
    document_turns = 0
    if selfie is not None:
        main = detect.main_face(selfie, kind=PhotoKind.SELFIE)
        problems.extend(main.problems)
        if main.face is not None:
            boxes[PhotoKind.SELFIE.value] = main.face.box
            qualities[PhotoKind.SELFIE] = quality.measure(main.face)
            if ReasonCode.SELFIE_IS_A_DOCUMENT not in main.problems:  # a portrait against itself would say nothing
                codes[PhotoKind.SELFIE] = encode(main.face)
                problems.extend(quality.problems(qualities[PhotoKind.SELFIE], QualityThresholds()))
    if document is not None:
        printed = detect.portrait(document, portrait, quarter_turns=quarter_turns)
        if printed is None:
            problems.append(ReasonCode.PORTRAIT_NOT_FOUND)
        else:
            boxes[PhotoKind.DOCUMENT.value], document_turns = printed.box, printed.quarter_turns
            qualities[PhotoKind.DOCUMENT] = Quality(head_size=round(printed.eyes, 1))
            codes[PhotoKind.DOCUMENT] = encode(printed, printed=True)
    if on_file is not None:
        kept = detect.main_face(on_file, kind=PhotoKind.ON_FILE)
        if kept.face is not None:
            boxes[PhotoKind.ON_FILE.value] = kept.face.box
            codes[PhotoKind.ON_FILE] = encode(kept.face)
    pairs = {pair: compare(codes[a], codes[b], pair) for pair, (a, b) in _PHOTOS.items() if a in codes and b in codes}
    own = codes.get(PhotoKind.SELFIE)
    for kind, told in _COPIES.items():
        if own is not None and kind in codes and _one_photograph(own, codes[kind]):
            problems.append(told)
    return FaceReading(
        pairs=pairs, problems=tuple(problems), boxes=boxes, document_turns=document_turns, qualities=qualities, code=_code(own)
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
