"""Look at the frames of a head-turn challenge: evidence of life, never proof.

A turn is seen by the landmarks of `detect`: the nose moves against the eyes, to the side that was asked for. That alone is not
enough, since the landmarks of a photo that is turned lean the same way. So corners all over the face are followed from the
frame that looks straight to the turned one: those of a photo move as one flat picture (a homography), those of a head do not.
Beside it: the same face throughout, frames in time, none repeated, no camera that is a program. This is no certified
presentation attack detection (ISO/IEC 30107-3): a video of the person on a good screen, a mask and a stream fed to the
browser are not told from her. Figures: `tests/benchmarks/liveness.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from verification import images
from verification.challenge import Burst, Sign, Turn
from verification.evidence import Liveness
from verification.faces import compare, detect
from verification.faces.encode import Encodings, encode
from verification.reasons import PhotoKind

Pixels = NDArray[np.uint8]
Points = NDArray[np.float32]

TURN: Final = 0.1
"""Change of `asymmetry`, in eye distances, from which a turn counts as seen: some 20 degrees of a head."""

_CORNERS: Final = 150  # followed at most; fewer than _FEWEST say nothing
_FEWEST: Final = 20
_FLAT: Final = 0.02  # eye distances off the flat picture's place, 1.4 pixels in the crop: what noise and JPEG move corners by
_BACK: Final = 1.0  # pixels by which a corner followed there and back may miss itself
_REACH: Final = (1.0, 1.35)  # half axes of the face, in eye distances: brow to chin, without hair and ground
_LIGHT: Final = 8.0  # pixels, deviation of the blur that is taken for light: of 0, 8 and 14 it left least depth to flat pictures
_WINDOW: Final = 21  # pixels, side of what is followed

_STEP_LEAST: Final = 0.5  # seconds between a step's last frame and the next one's first: nobody hears, turns and holds faster
_FRAME_LEAST: Final = 0.05  # seconds between two frames: cameras give 15 to 60 a second, the page takes one in some 400 ms
_CLOCKS: Final = 2.0  # seconds by which the browser's span may exceed the server's: rounding, and clocks that run unlike

_PROGRAMS: Final = re.compile(
    r"\b(obs\b|virtual|manycam|droidcam|snap camera|xsplit|v4l2loopback|dummy video|splitcam|e2esoft|vcam|iriun|epoccam|camtwist"
    r"|mmhmm|sparkocam|youcam|fake_device|fake device)",
    re.IGNORECASE,
)
"""How names begin that programs give to the cameras they imitate; some are honest (a phone as a webcam)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What the faces of a burst show: `turned`, the share of the asked turns that was seen; `depth`, see there. Both 0-1."""

    turned: float
    depth: float | None


def judge(burst: Burst, *, selfie: Pixels | None, isolate: bool = True) -> Liveness:
    """Measure what a burst shows. `selfie`: RGB pixels of shape (H, W, 3), None where it is no picture. No frame makes it raise.

    `isolate` decodes the frames in a confined child process; only tests and trusted files may do without.
    """
    pictures = images.decode_burst(burst.frames, isolate=isolate)
    faces = [detect.main_face(p, kind=PhotoKind.ON_FILE).face if p is not None else None for p in pictures]
    shown = turns_shown(faces, burst.steps, burst.challenge.turns)
    signs: list[Sign] = []
    if _repeated(pictures):
        signs.append(Sign.FRAMES_REPEATED)
    if impossible(burst):
        signs.append(Sign.TIMES_IMPOSSIBLE)
    if is_program(burst.camera):
        signs.append(Sign.CAMERA_VIRTUAL)
    own = detect.main_face(selfie, kind=PhotoKind.SELFIE).face if selfie is not None else None
    return Liveness(
        frames=sum(face is not None for face in faces),
        turned=shown.turned,
        depth=shown.depth,
        same_face=same_face(faces, encode(own)) if own is not None else None,
        timely=timely(burst),
        signs=tuple(sign.value for sign in signs),
    )


def asymmetry(marks: Points) -> float:
    """Return where the nose stands along the line of the eyes, in eye distances from their middle; + is to the person's left.

    `marks`: shape (5, 2), right eye, left eye, nose, corners of the mouth, in a picture that is not mirrored.
    """
    right, left, nose = (np.asarray(m, np.float64) for m in marks[:3])
    across = left - right
    return float((nose - (left + right) / 2) @ across / max(float(across @ across), 1e-9))


def depth(straight: detect.Found, turned: detect.Found) -> float | None:
    """Return the share 0-1 of the face's corners that were followed and moved unlike a flat picture; None: not to be told.

    The turned face is first laid upon the straight one by eyes and mouth, then by the corners themselves, and they are
    followed again: after that a photo's corners rest where they were. A corner that is lost counts as one that rests. None also
    where no flat picture fits the corners, as where they lie on a line.
    """
    marks = straight.landmarks
    eyes = float(np.hypot(*(marks[1] - marks[0])))
    here, there = _even(straight.crop), _even(turned.crop)
    face = np.zeros(here.shape, np.uint8)
    middle = int(marks[:, 0].mean()), int(marks[:, 1].mean())
    cv2.ellipse(face, middle, (int(_REACH[0] * eyes), int(_REACH[1] * eyes)), 0, 0, 360, 255, -1)
    strong: Any = cv2.goodFeaturesToTrack(here, _CORNERS, 0.01, 5, mask=face)  # None where there is none
    if strong is None or len(strong) < _FEWEST or eyes < 1.0:
        return None
    corners = np.asarray(strong, np.float32)
    outer = [0, 1, 3, 4]
    flat = cv2.getPerspectiveTransform(
        np.ascontiguousarray(turned.landmarks[outer], np.float32), np.ascontiguousarray(marks[outer], np.float32)
    )
    least = 1.0
    for _ in range(2):
        laid = np.asarray(cv2.warpPerspective(there, flat, (detect.CROP, detect.CROP)), np.uint8)
        before, after = _followed(here, laid, corners)
        if len(before) < _FEWEST:
            return 0.0
        closer: Any = cv2.findHomography(after, before, cv2.RANSAC, _FLAT * eyes)[0]  # None where they lie on a line
        if closer is None:
            return None
        off = cv2.perspectiveTransform(after[:, None], closer)[:, 0] - before
        moved = int((np.hypot(off[:, 0], off[:, 1]) > _FLAT * eyes).sum())
        least = min(least, moved / len(corners))
        flat = closer @ flat
    return least


def _even(picture: Pixels) -> NDArray[np.uint8]:
    """The picture in grey under even light: a turned sheet or head is lit anew, and corners are followed by their grey levels."""
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)
    return np.clip(grey / (cv2.GaussianBlur(grey, (0, 0), _LIGHT) + 10.0) * 110.0, 0, 255).astype(np.uint8)


def _followed(here: NDArray[np.uint8], there: NDArray[np.uint8], corners: Points) -> tuple[Points, Points]:
    """Places before and after, each of shape (n, 2), of the corners that were found there and, from there, back again."""
    window = (_WINDOW, _WINDOW)
    found, seen, _ = cv2.calcOpticalFlowPyrLK(here, there, corners, np.zeros_like(corners), winSize=window, maxLevel=2)
    after = np.asarray(found, np.float32)
    back, again, _ = cv2.calcOpticalFlowPyrLK(there, here, after, np.zeros_like(after), winSize=window, maxLevel=2)
    missed = np.hypot(*(np.asarray(back, np.float32) - corners).reshape(-1, 2).T)
    kept = (np.asarray(seen).ravel() == 1) & (np.asarray(again).ravel() == 1) & (missed < _BACK)
    return corners.reshape(-1, 2)[kept], after.reshape(-1, 2)[kept]


def turns_shown(faces: Sequence[detect.Found | None], steps: Sequence[int], turns: Sequence[Turn]) -> Shown:
    """Return which share of the turns was seen, each in its own step, and the least depth among those seen.

    `faces`: of each frame, None where none was found; `steps`: 0 while looking straight, then 1, 2 … by turn.
    """
    by_step: dict[int, list[detect.Found]] = {}
    for face, step in zip(faces, steps, strict=True):
        if face is not None:
            by_step.setdefault(step, []).append(face)
    if not by_step.get(0):
        return Shown(turned=0.0, depth=None)
    straight = min(by_step[0], key=lambda face: abs(asymmetry(face.landmarks)))
    zero = asymmetry(straight.landmarks)
    seen, depths = 0, []
    for number, turn in enumerate(turns, 1):
        side = 1.0 if turn is Turn.LEFT else -1.0
        moved = [(side * (asymmetry(face.landmarks) - zero), face) for face in by_step.get(number, [])]
        # A head, or a recording, that swings through both sides within one step answers no order.
        if not moved or max(m for m, _ in moved) < TURN or min(m for m, _ in moved) <= -TURN:
            continue
        seen += 1
        depths.append(depth(straight, max(moved, key=lambda pair: pair[0])[1]))
    measured = [d for d in depths if d is not None]
    return Shown(turned=seen / len(turns), depth=min(measured) if measured and len(measured) == len(depths) else None)


def timely(burst: Burst) -> bool:
    """Return whether the frames came in order, at the pace of people and cameras, and within the challenge's time."""
    pairs = list(pairwise(zip(burst.times, burst.steps, strict=True)))
    return (
        set(burst.steps) == set(range(len(burst.challenge.turns) + 1))
        and all(s1 <= s2 for (_, s1), (_, s2) in pairs)
        and all(t2 - t1 >= (_STEP_LEAST if s2 > s1 else _FRAME_LEAST) for (t1, s1), (t2, s2) in pairs)
        and burst.elapsed <= burst.challenge.seconds
        and not impossible(burst)
    )


def impossible(burst: Burst) -> bool:
    """Whether the browser's times go backwards or last longer than the server waited: no camera does that."""
    back = any(later <= earlier for earlier, later in pairwise(burst.times))
    return back or burst.times[-1] - burst.times[0] > burst.elapsed + _CLOCKS


def is_program(camera: str) -> bool:
    """Whether a camera's name is one that programs give to the cameras they imitate."""
    return _PROGRAMS.search(camera) is not None


def _repeated(pictures: Sequence[Pixels | None]) -> bool:
    """Whether two frames are the same to the last pixel: a sensor's noise never is."""
    seen = [p.tobytes() for p in pictures if p is not None]
    return len(set(seen)) < len(seen)


def same_face(faces: Sequence[detect.Found | None], own: Encodings) -> float | None:
    """Least similarity of a frame with the selfie; None where there is no face at all.

    Every frame counts: were only the clearest looked at, a photo held up between the frames of another head would speak for it.
    """
    return min((compare.compare(own, encode(face)).similarity for face in faces if face is not None), default=None)
