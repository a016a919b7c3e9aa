"""Say how alike two faces are, and make all pairs that the photos of one case allow.

The two networks' distances are each measured in standard deviations of strangers and added (`similarity`): 0 is a
typical stranger. What a similarity means stands in `calibration.json`, made by `python -m tests.benchmarks.faces
--calibrate`: for each kind of pair, how many strangers would score as much. This module judges nobody.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verification.calibration import FmrTable
from verification.evidence import Box, FaceReading, Pair, PairMeasures
from verification.faces import detect
from verification.faces.encode import Encodings, encode
from verification.reasons import PhotoKind, ReasonCode

_FILE = Path(__file__).with_name("calibration.json")

CLEAN, PRINTED = "clean", "printed"
CONDITION: dict[Pair, str] = {Pair.SELFIE_ON_FILE: CLEAN, Pair.SELFIE_DOCUMENT: PRINTED, Pair.DOCUMENT_ON_FILE: PRINTED}
"""Which calibration covers which pair: photographs of faces, or one of them printed on a page and photographed."""


@dataclass(frozen=True, kw_only=True)
class Voice:
    """One network's distance between strangers, and where its own opinion is clear."""

    mean: float
    deviation: float
    same: float  # distance up to which it says "one person": 1 in 1,000 strangers comes as near
    other: float  # distance from which it says "two people": 9 in 10 strangers are as far apart or farther


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What the development data taught."""

    sface: Voice
    dlib: Voice
    same_picture: float  # correlation of two aligned faces from which they are one photograph
    tables: dict[str, FmrTable]


@cache
def calibration() -> Calibration:
    """Return the shipped calibration, read once per process."""
    data: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return Calibration(
        sface=Voice(**data["voices"]["sface"]),
        dlib=Voice(**data["voices"]["dlib"]),
        same_picture=float(data["same_picture"]),
        tables={name: FmrTable.from_json(table) for name, table in data["tables"].items()},
    )


def distances(a: Encodings, b: Encodings) -> tuple[float, float]:
    """Return SFace's distance (1 - cosine, 0 to 2) and dlib's (Euclidean, 0 to some 1.2)."""
    return 1.0 - float(a.sface @ b.sface), float(np.linalg.norm(a.dlib - b.dlib))


def compare(a: Encodings, b: Encodings, pair: Pair = Pair.SELFIE_ON_FILE) -> PairMeasures:
    """Compare two faces; `pair` chooses the calibration of `fmr`."""
    c = calibration()
    by_sface, by_dlib = distances(a, b)
    similarity = (c.sface.mean - by_sface) / c.sface.deviation + (c.dlib.mean - by_dlib) / c.dlib.deviation
    contradict = (by_sface <= c.sface.same and by_dlib >= c.dlib.other) or (by_dlib <= c.dlib.same and by_sface >= c.sface.other)
    return PairMeasures(
        similarity=round(similarity, 4),
        fmr=c.tables[CONDITION[pair]].fmr(similarity),
        sface=round(1.0 - by_sface, 4),
        dlib=round(1.0 - by_dlib, 4),
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
    codes: dict[PhotoKind, Encodings] = {}
    document_turns = 0
    if selfie is not None:
        main = detect.main_face(selfie, kind=PhotoKind.SELFIE)
        problems.extend(main.problems)
        if main.face is not None:
            boxes[PhotoKind.SELFIE.value] = main.face.box
            codes[PhotoKind.SELFIE] = encode(main.face)
    if document is not None:
        printed = detect.portrait(document, portrait, quarter_turns=quarter_turns)
        if printed is None:
            problems.append(ReasonCode.PORTRAIT_NOT_FOUND)
        else:
            boxes[PhotoKind.DOCUMENT.value], document_turns = printed.box, printed.quarter_turns
            codes[PhotoKind.DOCUMENT] = encode(printed)
    if on_file is not None:
        kept = detect.main_face(on_file, kind=PhotoKind.ON_FILE)
        if kept.face is not None:
            boxes[PhotoKind.ON_FILE.value] = kept.face.box
            codes[PhotoKind.ON_FILE] = encode(kept.face)
    pairs = {pair: compare(codes[a], codes[b], pair) for pair, (a, b) in _PHOTOS.items() if a in codes and b in codes}
    own, printed_face = codes.get(PhotoKind.SELFIE), codes.get(PhotoKind.DOCUMENT)
    if own is not None and printed_face is not None and correlation(own, printed_face) >= calibration().same_picture:
        problems.append(ReasonCode.SELFIE_IS_THE_DOCUMENT)
    return FaceReading(pairs=pairs, problems=tuple(problems), boxes=boxes, document_turns=document_turns)


_PHOTOS = {
    Pair.SELFIE_DOCUMENT: (PhotoKind.SELFIE, PhotoKind.DOCUMENT),
    Pair.SELFIE_ON_FILE: (PhotoKind.SELFIE, PhotoKind.ON_FILE),
    Pair.DOCUMENT_ON_FILE: (PhotoKind.DOCUMENT, PhotoKind.ON_FILE),
}
