"""How fit a found face is to be compared, by the names of ISO/IEC 29794-5: from its crop and five landmarks, no network.

Every line in `QualityThresholds` was set on faces as they are and on the same covered or badly lit by drawing
(`tests/benchmarks/face_detection.py --only quality`). Not measured, because five landmarks cannot: whether eyes are open,
expression, a cap. Pitch is told but gives no reason: people who smile or are bald look as if they bowed.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.evidence import Quality
from verification.faces.detect import CROP, Found
from verification.quality import QualityThresholds
from verification.reasons import ReasonCode

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

HEAD: Final = np.array(
    [[-0.5, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.58, -0.5], [-0.37, 1.07, -0.05], [0.37, 1.07, -0.05]], np.float64
)
"""A head's eyes, nose tip and corners of the mouth in eye distances: right, down, away from the camera."""

_WIDE, _TALL = 128, 160  # pixels of the face laid straight: eyes 40 apart at 56, middle of the mouth at 99
_EYES_AND_MOUTH: Final = np.array([[44, 56], [84, 56], [64, 99]], np.float32)
_LIP, _NOSE, _LINE, _LUMA = 14.6, 29.6, 7.8, 0.60  # medians of 874 faces: contrast of lips, of nostrils, the mouth's line, light
_OFF_COLOUR = 5.1  # in CIELAB; cloth of 17 from the skin then counts as 0.3 of a mouth, 874 faces reached 16.1
_PALE = 6.0  # CIELAB chroma below which a picture has no colours to compare; 874 colour photographs had 11.5 to 52


def measure(face: Found) -> Quality:
    """Measure one face: `Quality` with the face's own fields set, the rest None."""
    laid = _laid_straight(face)
    lab = np.asarray(cv2.cvtColor(laid.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB), np.float32)
    light, colour = lab[..., 0], lab[..., 1:]
    places = _places()
    luma = laid.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32) / 255.0
    lit = luma[places["face"]]
    halves = sorted(float(light[places[side]].mean()) for side in ("right", "left"))
    chroma = float(np.median(np.hypot(colour[..., 0], colour[..., 1])[places["face"]]))
    angles = pose(face.landmarks)
    return Quality(
        head_size=round(face.eyes, 1),
        yaw=None if angles is None else round(angles[0], 1),
        pitch=None if angles is None else round(angles[1], 1),
        roll=round((face.tilt + 180.0) % 360.0 - 180.0, 1),
        eyes_visible=round(_eyes(light, colour, chroma), 3),
        mouth_visible=round(_mouth(light, colour, float(lit.mean())), 3),
        luminance=round(float(np.percentile(lit, 90)), 3),
        illumination_uniformity=round(halves[0] / max(halves[1], 1e-3), 3),
        natural_colour=round(chroma, 1),
        face_sharpness=round(_sharpness(face), 1),
    )


def problems(quality: Quality, thresholds: QualityThresholds) -> tuple[ReasonCode, ...]:
    """Name every reason to ask for the selfie again that its face gives; none where it will do or was not measured."""
    q, t = quality, thresholds
    dark = q.luminance is not None and q.luminance < t.min_luminance
    found: list[ReasonCode] = []
    if q.roll is not None and abs(q.roll) > t.max_roll:
        found.append(ReasonCode.SELFIE_UPSIDE_DOWN)
    turned = q.yaw is not None and abs(q.yaw) > t.max_yaw
    if turned:
        found.append(ReasonCode.FACE_TURNED_AWAY)
    if dark:
        found.append(ReasonCode.FACE_TOO_DARK)
        return tuple(found)  # what is covered cannot be told in the dark; more light is the better advice
    if q.illumination_uniformity is not None and not turned and q.illumination_uniformity < t.min_illumination_uniformity:
        found.append(ReasonCode.FACE_UNEVENLY_LIT)
    if q.natural_colour is not None and q.natural_colour < t.min_natural_colour:
        found.append(ReasonCode.FACE_WITHOUT_COLOUR)
    if not turned and q.eyes_visible is not None and q.eyes_visible < t.min_eyes_visible:
        found.append(ReasonCode.EYES_NOT_SEEN)  # dark glasses reach to the skin that the mouth is measured against
    elif not turned and q.mouth_visible is not None and q.mouth_visible < t.min_mouth_visible:
        found.append(ReasonCode.FACE_COVERED)
    if q.face_sharpness is not None and q.face_sharpness < t.min_face_sharpness:
        found.append(ReasonCode.SELFIE_BLURRED)
    return tuple(found)


def pose(landmarks: NDArray[np.float32]) -> tuple[float, float, float] | None:
    """Return yaw (+ to the person's left), pitch (+ down) and roll (+ clockwise as seen) in degrees by solvePnP on five points.

    `landmarks`: shape (5, 2), as `Found` has them. None where no head fits. Coarse: one head's shape stands for all, and
    the lens is taken for a long one. Two profiles of the development faces measured 66 and 69.
    """
    points = np.asarray(landmarks, np.float64)
    if not np.isfinite(points).all():
        return None
    eyes = max(float(np.hypot(*(points[1] - points[0]))), 1.0)
    middle = points.mean(axis=0)
    lens = np.array([[8 * eyes, 0, middle[0]], [0, 8 * eyes, middle[1]], [0, 0, 1]], np.float64)
    found, turn, _shift = cv2.solvePnP(HEAD, points, lens, np.zeros(4), flags=cv2.SOLVEPNP_SQPNP)
    if not found or not np.isfinite(turn).all():
        return None
    matrix = cv2.Rodrigues(turn)[0]
    yaw = math.degrees(math.atan2(matrix[2, 0], math.hypot(matrix[0, 0], matrix[1, 0])))
    pitch = math.degrees(math.atan2(matrix[2, 1], matrix[2, 2]))
    roll = math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))
    return yaw, pitch, roll


def _laid_straight(face: Found) -> Pixels:
    """The face with eyes and mouth at fixed places, shape (160, 128, 3)."""
    marks = np.array([face.landmarks[0], face.landmarks[1], face.landmarks[3:5].mean(axis=0)], np.float32)
    matrix = cv2.getAffineTransform(marks, _EYES_AND_MOUTH)
    laid = cv2.warpAffine(face.crop, matrix, (_WIDE, _TALL), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(laid, np.uint8)


@cache
def _places() -> dict[str, NDArray[np.bool_]]:
    """Parts of the face laid straight, as masks of shape (160, 128)."""

    def oval(x: int, y: int, across: int, down: int) -> NDArray[np.bool_]:
        mask = np.zeros((_TALL, _WIDE), np.uint8)
        cv2.ellipse(mask, (x, y), (across, down), 0, 0, 360, 1, -1)
        return np.asarray(mask > 0)

    def box(*sides: tuple[int, int, int, int]) -> NDArray[np.bool_]:
        mask = np.zeros((_TALL, _WIDE), np.bool_)
        for x0, x1, y0, y1 in sides:
            mask[y0:y1, x0:x1] = True
        return mask

    return {
        "face": oval(64, 76, 38, 52),
        "right eye": oval(44, 57, 12, 9),
        "left eye": oval(84, 57, 12, 9),
        "skin": box((59, 69, 50, 66), (38, 50, 68, 74), (78, 90, 68, 74)),  # bridge of the nose, under the eyes
        "lower": box((44, 84, 84, 122)),
        "cheeks": box((34, 46, 80, 92), (82, 94, 80, 92)),
        "mouth": box((52, 76, 94, 104)),
        "right": box((34, 58, 66, 112)),
        "left": box((70, 94, 66, 112)),
    }


def _eyes(light: Floats, colour: Floats, chroma: float) -> float:
    """Light and colour at the eyes against the face's: the clearer eye counts; about 0.7, behind dark glass near 0."""
    places = _places()
    skin = max(float(np.median(light[places["skin"]])), 1.0)
    eyes = places["right eye"], places["left eye"]
    lit = max(float(np.median(light[eye])) for eye in eyes) / skin
    if chroma < _PALE:
        return lit
    both = colour[eyes[0] | eyes[1]]
    return lit * float(np.hypot(np.median(both[:, 0]), np.median(both[:, 1]))) / chroma


def _mouth(light: Floats, colour: Floats, luminance: float) -> float:
    """Contrast of lips, nostrils and the line between the lips, against the usual: about 1, under cloth near 0.

    Cloth of another colour than the skin under the eyes, at mouth and cheeks alike, counts as well.
    """
    places = _places()
    nostrils = light[72:90, 54:74]
    soft = cv2.GaussianBlur(light, (0, 0), 1.2)
    steep = np.abs(cv2.Sobel(soft, cv2.CV_32F, 0, 1)) / 8.0
    contrast = (
        float(light[places["mouth"]].std()) / _LIP
        + float(np.percentile(nostrils, 50) - np.percentile(nostrils, 5)) / _NOSE
        + float(steep[88:110, 54:74].mean(axis=1).max()) / _LINE
    )
    skin = np.median(colour[places["skin"]], axis=0)
    off = min(float(np.hypot(*(np.median(colour[places[part]], axis=0) - skin))) for part in ("lower", "cheeks"))
    return min(contrast / 3.0 * _LUMA / max(luminance, 0.05), _OFF_COLOUR / max(off, 1.0))


def _sharpness(face: Found) -> float:
    """Variance of the Laplacian where the eyes are 36 pixels apart; a face that had fewer was enlarged and reads as blurred."""
    half = cv2.resize(face.crop, (CROP // 2, CROP // 2), interpolation=cv2.INTER_AREA)
    grey = cv2.GaussianBlur(cv2.cvtColor(half, cv2.COLOR_RGB2GRAY)[50:150, 55:145], (3, 3), 0)
    edges: Any = cv2.Laplacian(grey, cv2.CV_32F)
    return float(edges.var())
