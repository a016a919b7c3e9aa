"""How fit one photo is for its purpose, from its pixels alone: sharpness, exposure, glare, size.

OpenCV and NumPy only, no model, so the portal may say what is wrong while the phone is still in the hand. Names follow
ISO/IEC 29794-5 where it has them. Whether a photo is good enough is for `QualityThresholds` to say, not for `measure`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.evidence import Quality
from verification.reasons import PhotoKind, ReasonCode

cv2.setNumThreads(1)

_SIDE = {PhotoKind.DOCUMENT: 1000, PhotoKind.SELFIE: 640, PhotoKind.ON_FILE: 640}
"""Longest side at which a photo is measured, pixels. Letters of a data page are still some 6 pixels high at 1000;
640 is where faces are compared. Photos are made smaller, never larger: enlarging would pass for blur."""

_TILES = 8  # a side; sharpness is that of the sharpest eighth of the tiles, so a smooth table or wall does not count
_NEAR_BLACK = 51  # luma of 255, 20 %
_BURNT = 250  # lowest of the three channels of 255
_SPOT = 0.004  # share of the picture from which a burnt spot is glare and not a highlight on an eye or a seal
_SOFT = 4.0  # slope of luma a pixel at the rim of a spot, its 30th percentile: light fades, paper ends; letters cross both
_PAPER = 0.40  # share from which burnt white is the paper itself


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityThresholds:
    """From where a photo is asked for again at once. Lenient: what may be readable passes, the engines judge the rest.

    Defaults were set on 89 documents, 22 forms and 319 faces of the development data and on the same made worse
    (tests/verification/test_quality.py): of the untouched ones all but three pass, of those dimmed to 15 % none does.
    """

    min_selfie_sharpness: float = 12.0  # variance, 0 to some 3000; untouched from 37, median 249; blurred by 2.6 px of 640: 13
    min_document_sharpness: float = 30.0  # variance; untouched from 56, median 1359; blurred by 4 px of 1000: 11
    min_not_dark: float = 0.08  # share 0-1; untouched from 0.096, dimmed to 15 %: 0
    max_selfie_brightness: float = 0.90  # mean luma 0-1; untouched up to 0.80
    max_document_brightness: float = 0.965  # mean luma 0-1; white scans reach 0.959
    min_not_glare: float = 0.93  # share 0-1; of 111 untouched documents two are below, of those under a lamp 81
    min_selfie_side: int = 160  # pixels, shorter side
    min_document_side: int = 240  # pixels, longer side: letters of the zone are then 5 pixels wide, nobody reads less
    # The selfie's face (verification.faces.quality); of 874 photographs of people, drawn masks and glasses on 218 of them.
    max_yaw: float = 42.0  # degrees either way; 341 official portraits reached 17, two profiles 66 and 69
    max_roll: float = 135.0  # degrees from upright: on its side is how phones lie, on its head nobody takes a selfie
    min_luminance: float = 0.40  # luma of its brightest tenth 0-1; untouched from 0.52, before a drawn bright window up to 0.20
    min_illumination_uniformity: float = 0.38  # darker half over lighter; untouched 0.5 % below 0.40, lit from one side 0.22
    min_natural_colour: float = 6.0  # median CIELAB chroma; untouched from 11.5, grey 0
    min_eyes_visible: float = 0.14  # untouched from 0.145 (an eye patch), real dark glasses 0.006, drawn ones up to 0.14 in 98 %
    min_mouth_visible: float = 0.30  # untouched from 0.34 but one hidden face, 98 % of drawn masks below
    min_face_sharpness: float = 12.0  # variance of the Laplacian, eyes 36 pixels apart; untouched from 19.5


def measure(image: NDArray[np.uint8], kind: PhotoKind) -> Quality:
    """Measure an upright sRGB picture of shape (H, W, 3). Raises ValueError on any other shape."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or min(image.shape[:2]) < 1:
        raise ValueError(f"expected uint8 pixels of shape (H, W, 3), got {image.dtype} {image.shape}")
    height, width = image.shape[:2]
    scale = min(1.0, _SIDE[kind] / max(height, width))
    small = image
    if scale < 1.0:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    return Quality(
        sharpness=round(_sharpness(grey), 2),
        brightness=round(float(grey.mean()) / 255.0, 4),
        not_dark=round(1.0 - float((grey < _NEAR_BLACK).mean()), 4),
        not_glare=round(1.0 - _glare(small, grey), 4),
        width=width,
        height=height,
    )


def problems(quality: Quality, thresholds: QualityThresholds, kind: PhotoKind) -> tuple[ReasonCode, ...]:
    """Name every reason to ask for this photo again, none if it will do. The face on file is never asked for again.

    A value that was not measured gives no reason here: whoever decides must see that it is missing.
    """
    if kind is PhotoKind.ON_FILE:
        return ()
    selfie = kind is PhotoKind.SELFIE
    q, t = quality, thresholds
    found: list[ReasonCode] = []
    if q.width is not None and q.height is not None:
        if selfie and min(q.width, q.height) < t.min_selfie_side:
            found.append(ReasonCode.FACE_TOO_SMALL)
        if not selfie and max(q.width, q.height) < t.min_document_side:
            found.append(ReasonCode.DOCUMENT_TOO_SMALL)
    dark = q.not_dark is not None and q.not_dark < t.min_not_dark
    bright = q.brightness is not None and q.brightness > (t.max_selfie_brightness if selfie else t.max_document_brightness)
    if dark:
        found.append(ReasonCode.SELFIE_TOO_DARK if selfie else ReasonCode.DOCUMENT_TOO_DARK)
    if bright:
        found.append(ReasonCode.SELFIE_TOO_BRIGHT if selfie else ReasonCode.DOCUMENT_TOO_BRIGHT)
    sharp_enough = t.min_selfie_sharpness if selfie else t.min_document_sharpness
    if not dark and not bright and q.sharpness is not None and q.sharpness < sharp_enough:
        # In a photo that is too dark or too bright everything looks blurred; more light is the better advice.
        found.append(ReasonCode.SELFIE_BLURRED if selfie else ReasonCode.DOCUMENT_BLURRED)
    if not selfie and not bright and q.not_glare is not None and q.not_glare < t.min_not_glare:
        found.append(ReasonCode.DOCUMENT_GLARE)
    return tuple(found)


def _sharpness(grey: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian over the sharpest eighth of the tiles, after a light blur against noise; 0 = flat."""
    smooth = cv2.GaussianBlur(grey, (3, 3), 0)
    edges = np.asarray(cv2.Laplacian(smooth, cv2.CV_32F), np.float32)
    rows, columns = (np.linspace(0, n, min(_TILES, n) + 1).astype(int) for n in grey.shape)
    tiles = sorted(float(edges[a:b, c:d].var()) for a, b in pairwise(rows) for c, d in pairwise(columns))
    best = tiles[-max(1, len(tiles) // 8) :]
    return sum(best) / len(best)


def _glare(small: NDArray[np.uint8], grey: NDArray[np.uint8]) -> float:
    """Share of the picture under burnt-out spots with a soft rim.

    Light fades towards the rim of a spot; white paper, a scanner's lid or a drawn background ends at an edge or
    reaches the border. Where burnt white is most of the picture it is paper, and `brightness` speaks of it.
    """
    burnt = np.asarray(small.min(axis=2) >= _BURNT, np.uint8)
    if not burnt.any():
        return 0.0
    burnt = np.asarray(cv2.morphologyEx(burnt, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)), np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(burnt, connectivity=8)
    smooth = cv2.GaussianBlur(grey, (5, 5), 0)
    slope = cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)) / 8.0
    share = 0.0
    for number in range(1, count):
        x, y, w, h, area = (int(n) for n in stats[number])
        if area < _SPOT * burnt.size:
            continue
        top, left = max(0, y - 4), max(0, x - 4)
        spot = np.asarray(labels[top : y + h + 4, left : x + w + 4] == number, np.uint8)
        rim = (cv2.dilate(spot, np.ones((7, 7), np.uint8)) - spot) > 0
        if rim.any() and float(np.percentile(slope[top : y + h + 4, left : x + w + 4][rim], 30)) < _SOFT:
            share += area / burnt.size
    return share if share < _PAPER else 0.0


SAME_PHOTO = 6
"""Bits of 256 in which two fingerprints of one and the same photo may differ. Of 1432 copies (JPEG 85 to 30, 2048 to 640 pixels,
2 % brighter) of drawn pages, the documents and every twelfth face of the development data 99 % differ in no more; of photos taken
anew the closest differ in 44 (pages drawn and photographed) and 74 (faces), and of 358 by a hand that moved by 2 % of the
width and 1.2 degrees (one sigma) none differs in fewer than 8; by half of that 3 do. Only a phone on a stand takes the same photo
twice. Copies of blurred photos are known as well (of 1312, 99 %), of those dimmed to 10 % every second or third."""

_BITS = 16  # a side; the coarsest 16 x 16 waves of the picture
_SMALL = 64  # pixels a side of what the waves are counted in


def fingerprint(image: NDArray[np.uint8]) -> bytes:
    """Return 32 bytes that a copy of the photo shares but for some bits: saved again, made smaller, a little brighter.

    Another photo of the same thing differs in many, so this tells photos apart, not what they show. pHash with 256 bits: each
    says whether one of the coarsest waves (DCT-II) of the grey picture is stronger than their median.
    Source: Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions (2010), section 3.2.1.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or min(image.shape[:2]) < 1:
        raise ValueError(f"expected uint8 pixels of shape (H, W, 3), got {image.dtype} {image.shape}")
    # Made smaller first: grey is linear, and the large picture need not be turned grey.
    tiny = cv2.cvtColor(cv2.resize(image, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    waves = np.asarray(cv2.dct(tiny.astype(np.float32))[:_BITS, :_BITS], np.float32).ravel()
    return np.packbits(waves > np.median(waves[1:])).tobytes()  # the first is the brightness, and larger than all


def preload() -> None:
    """Run every function once, so that a confined child needs to open nothing later."""
    picture = np.zeros((700, 700, 3), np.uint8)
    measure(picture, PhotoKind.SELFIE)
    fingerprint(picture)
