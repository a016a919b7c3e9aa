"""Find the face that counts: the person of a selfie, the printed portrait of a document.

OpenCV's YuNet finds faces and five landmarks (eyes, nose, corners of the mouth). Each face found is cut out again
upright and at one size, and found once more in that crop: the second look gives landmarks that do not depend on how
large or how tilted the face was, and it weeds out what only looked like a face. Who it is, `encode` knows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.evidence import Box
from verification.faces import networks, paper
from verification.reasons import PhotoKind, ReasonCode

cv2.setNumThreads(1)

Pixels = NDArray[np.uint8]
Points = NDArray[np.float32]

CROP = 400  # pixels, side of the upright crop that the encoders get
_EYES_IN_CROP = 72.0  # pixels between the eyes there: a face of some 180, more than either network looks at
_SIDES = (480, 1000, 320, 1800)  # longest sides tried in this order; at 480 a face from 1/30 of the picture is found in 15 ms
_TURNED_SIDES = (480, 1000)  # the same where the picture lies on its side or head
_SCORE = 0.6  # YuNet's own confidence 0-1 from which a candidate is looked at again; its demo uses 0.9, printed faces need less
_SHARED = 0.3  # of two boxes' area over their union, from which the surer one stands for both, as in YuNet's demo
_MOST = 50  # candidates; more faces than that are a crowd
_CELL = networks.CELLS[-1]
_SURE = 0.90  # score in the crop from which no other scale or orientation is tried
_UPRIGHT = 0.925  # 80 upright faces scored 0.919 to 0.954 in the crop, the same on their side or head 0.909, once 0.917
_LEANING = 12.0  # degrees, in a first look
_ASKEW = 6.0  # degrees; of faces tilted by 30 to 60 some kept 34 degrees after the looks that chose the orientation
_SLACK = 0.02  # of the score, lost at most to be more upright
_CANDIDATES = 8  # looked at again at each scale; noise and crowds would cost seconds
_LEAST = 24  # pixels, shorter side of a picture that can hold a face
_LOOKS = 3  # in the crop at most; a face tilted by 60 degrees needs them
_BEFORE_PAPER = 0.4  # of the largest face's height, from which a face of flesh counts before one on paper
_RIVAL = 0.65  # of the main face's height: a second face this large makes it unclear whose selfie it is
_SMALLEST = 64.0  # pixels, height of a face in a selfie below which it is asked for again


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """One face. `box` is in pixels of the picture searched; `crop` (CROP, CROP, 3) shows it upright.

    `landmarks`: shape (5, 2), in the crop: right eye, left eye (of the person), nose, corners of the mouth.
    `box_in_crop`: x, y, width, height. `eyes`: distance of the eyes in pixels of the picture searched.
    """

    box: Box
    crop: Pixels
    landmarks: Points
    box_in_crop: tuple[float, float, float, float]
    score: float
    eyes: float
    size: float  # height of the face in pixels of the picture searched; a profile has its eyes close together
    row: Points  # shape (15,), YuNet's own answer in the crop, as SFace's alignment wants it
    middle: Points  # shape (2,), of the landmarks, in pixels of the picture searched
    tilt: float  # degrees counter-clockwise that bring the face upright

    @property
    def quarter_turns(self) -> int:
        """The nearest number of quarter turns counter-clockwise, as `numpy.rot90` takes it (0-3)."""
        return round(self.tilt / 90) % 4


@dataclass(frozen=True, kw_only=True, eq=False)
class MainFace:
    """The face that counts, or none, and what is wrong with the picture as far as faces go."""

    face: Found | None
    problems: tuple[ReasonCode, ...] = ()


class _Halves:
    """A picture and its half, quarter and so on, each averaged from the one before, once, and only when asked for.

    Shrinking twelve million pixels by any other factor than two takes ten times as long.
    """

    def __init__(self, image: Pixels) -> None:
        self.image = image
        self._smaller = [image]

    def at_least(self, zoom: float) -> tuple[Pixels, int]:
        """The smallest with still 1.5 times the pixels a side that `zoom` of the picture has, and by how much it is smaller."""
        steps = 0
        while 1.5 * zoom * 2 ** (steps + 1) <= 1.0 and min(self.image.shape[:2]) >= 2 ** (steps + 2):
            steps += 1
        while len(self._smaller) <= steps:
            last = self._smaller[-1]
            height, width = last.shape[0] // 2, last.shape[1] // 2
            half = cv2.resize(last[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
            self._smaller.append(np.asarray(half, np.uint8))
        return self._smaller[steps], 2**steps


def load() -> None:
    """Load the network, once per process."""
    _yunet(np.zeros((64, 64, 3), np.uint8))


def main_face(image: Pixels, *, kind: PhotoKind = PhotoKind.SELFIE) -> MainFace:
    """Find the person of a selfie or of the face on file in RGB pixels of shape (H, W, 3).

    The largest face wins: bystanders, posters and the portrait of a passport held up beside it are smaller. A second
    one nearly as large gives SEVERAL_FACES_IN_SELFIE and the larger one, unless print around it says that it stands on
    paper. A selfie all of whose faces do is a passport: SELFIE_IS_A_DOCUMENT. Any of four orientations, any tilt.
    """
    halves = _Halves(image)
    faces = _search(halves, turns=(0, 1, 3, 2))
    selfie = kind is PhotoKind.SELFIE
    if not faces:
        return MainFace(face=None, problems=(ReasonCode.NO_FACE_IN_SELFIE,) if selfie else ())
    faces.sort(key=lambda f: (-f.size, -f.score))
    problems: list[ReasonCode] = []
    if selfie:
        near = [f for f in faces if f.size >= _BEFORE_PAPER * faces[0].size]
        print_around = [_printed_lines(halves, f) for f in near]
        if min(print_around) >= paper.LINES:
            problems.append(ReasonCode.SELFIE_IS_A_DOCUMENT)
        else:
            faces = [f for f, lines in zip(near, print_around, strict=True) if lines < paper.SURELY]
    main = faces[0]
    if selfie and not problems and any(f is not main and f.size >= _RIVAL * main.size for f in faces):
        problems.append(ReasonCode.SEVERAL_FACES_IN_SELFIE)
    if selfie and main.size < _SMALLEST:
        problems.append(ReasonCode.FACE_TOO_SMALL)
    return MainFace(face=main, problems=tuple(problems))


def _printed_lines(halves: _Halves, face: Found) -> int:
    picture, shrunk = halves.at_least(paper.HEIGHT / max(face.size, 1.0))
    return paper.printed_lines(picture, face, shrunk=shrunk)


def portrait(image: Pixels, region: Box | None = None, *, quarter_turns: int = 0) -> Found | None:
    """Find the printed portrait of a document, near `region` if that is known, else anywhere on the photo.

    Ghost images and holder's faces in holograms are smaller and paler than the portrait: the largest clear face wins.
    `quarter_turns` is the orientation to try first.
    """
    turns = tuple((quarter_turns + t) % 4 for t in (0, 1, 3, 2))
    if region is not None:
        height, width = image.shape[:2]
        x, y, w, h = region
        left, top = max(0, x - w // 3), max(0, y - h // 3)
        right, bottom = min(width, x + w + w // 3), min(height, y + h + h // 3)
        if right - left >= 16 and bottom - top >= 16:
            faces = _search(_Halves(image[top:bottom, left:right]), turns=turns)
            if faces:
                best = _clearest(faces)
                return replace(best, box=(best.box[0] + left, best.box[1] + top, best.box[2], best.box[3]))
    faces = _search(_Halves(image), turns=turns)
    return _clearest(faces) if faces else None


def _clearest(faces: list[Found]) -> Found:
    """The largest of the faces that are about as clear as the clearest."""
    best = max(f.score for f in faces)
    return max((f for f in faces if f.score >= 0.85 * best), key=lambda f: (f.size, f.score))


def _search(halves: _Halves, *, turns: tuple[int, ...]) -> list[Found]:
    """Return all faces at the first scale and orientation that shows one surely, else the best there is.

    The picture as it is comes first, at all scales; then the other quarter turns.
    """
    height, width = halves.image.shape[:2]
    if min(height, width) < _LEAST:
        return []
    weak: list[Found] = []
    for turn in turns:
        done = set()
        for side in _SIDES if turn == turns[0] else _TURNED_SIDES:
            if side > _SIDES[0] and side > 1.25 * max(height, width):
                continue  # enlarging further shows nothing new and costs most
            small = _resized(halves.at_least(side / max(height, width))[0], side)
            if small.shape in done:
                continue
            done.add(small.shape)
            scale = max(height, width) / max(small.shape[:2])
            rows = _yunet(np.ascontiguousarray(np.rot90(small, turn)))[:_CANDIDATES]  # the surest first
            looks = (_closer(halves, _turned_back(row, turn, small.shape), float(row[3]), scale) for row in rows)
            faces = _distinct(filter(None, looks))
            if any(f.score >= _SURE for f in faces):
                return faces
            weak.extend(faces)
    if not weak:
        return []
    best = max(f.score for f in weak)
    return _distinct(f for f in sorted(weak, key=lambda f: -f.score) if f.score >= best - 0.1)


def _resized(image: Pixels, side: int) -> Pixels:
    """Shrink or enlarge so that the longest side is `side`; pictures are enlarged fourfold at most."""
    scale = min(4.0, side / max(image.shape[:2]))
    if scale == 1.0:
        return image
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8)


def _yunet(image: Pixels) -> Points:
    """Return YuNet's rows, shape (n, 15): box, five landmarks, score, in pixels of `image` (RGB), the surest first.

    Unfolded as OpenCV's FaceDetectorYN does it, whose rows these are but for rounding.
    """
    height, width = image.shape[:2]
    whole = np.zeros((-(-height // _CELL) * _CELL, -(-width // _CELL) * _CELL, 3), np.uint8)
    whole[:height, :width] = image
    told = networks.yunet(whole)
    rows = [_unfolded(whole.shape[1] // cell, cell, *told[at :: len(networks.CELLS)]) for at, cell in enumerate(networks.CELLS)]
    found = np.concatenate(rows)
    boxes = np.trunc(found[:, :4]).astype(np.float64)  # FaceDetectorYN compares whole pixels
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), found[:, 14].tolist(), _SCORE, _SHARED, top_k=_MOST)
    return np.asarray(found[np.asarray(kept, np.intp).ravel()], np.float32)


def _unfolded(columns: int, cell: int, face: Points, thing: Points, box: Points, marks: Points) -> Points:
    """Rows of `_yunet` that reach _SCORE, of the cells of one size."""
    score = np.sqrt(np.clip(face[:, 0], 0.0, 1.0) * np.clip(thing[:, 0], 0.0, 1.0))
    at = np.flatnonzero(score >= _SCORE)
    corner = np.stack([at % columns, at // columns], axis=1).astype(np.float32)
    middle, size = (corner + box[at, :2]) * cell, np.exp(box[at, 2:]) * cell
    places = (marks[at].reshape(-1, 5, 2) + corner[:, None]) * cell
    rows = np.concatenate([middle - size / 2, size, places.reshape(-1, 10), score[at, None]], axis=1)
    return np.asarray(rows, np.float32)


def _closer(halves: _Halves, seen: Points, height: float, scale: float) -> Found | None:
    """Look again at a candidate, cut out upright at one size. None where it is no face after all.

    `seen`: its landmarks, shape (5, 2), and `height` its height, in a picture smaller by `scale`.
    """
    marks = seen * np.float32(scale)
    eyes = float(np.hypot(*(marks[1] - marks[0])))
    size = height * scale
    if not (np.isfinite(marks).all() and 1.0 <= size < math.inf):
        return None
    # A face in profile has eyes close together; its height then tells the scale.
    eyes = max(eyes, 0.28 * size, 1.0)
    # Tilt from the eyes and from the line eyes to mouth, which a profile does not shorten.
    across, down = marks[1] - marks[0], marks[3:5].mean(axis=0) - marks[0:2].mean(axis=0)
    direction = across + np.array([down[1], -down[0]])
    tilt = math.degrees(math.atan2(float(direction[1]), float(direction[0])))
    centre = np.asarray(marks.mean(axis=0), np.float32)
    best = _straightened(halves, centre, eyes, tilt)
    if best is None or best.score < _UPRIGHT:
        # YuNet finds faces that lie on their side or head too, but takes them for upright and marks eyes on the chin.
        for extra in (90.0, 270.0, 180.0):
            found = _straightened(halves, centre, eyes, tilt + extra)
            if found is not None and (best is None or found.score > best.score):
                best = found
    return None if best is None else _upright(halves, best)


def _straightened(halves: _Halves, centre: Points, eyes: float, tilt: float) -> Found | None:
    """Look in the crop; where the face in it leans, is off the middle or of another size, cut out again by what was seen."""
    best: Found | None = None
    for _ in range(_LOOKS):
        found = _in_crop(halves, centre, eyes, tilt)
        if found is None or found.eyes <= 0.0 or (best is not None and found.score <= best.score):
            break
        best = found
        lean = _lean(found)
        off = float(np.hypot(*(found.landmarks.mean(axis=0) - CROP / 2)))
        if abs(lean) <= _LEANING and off <= 0.4 * _EYES_IN_CROP and 0.7 <= found.eyes / eyes <= 1.4:
            break
        centre, eyes, tilt = found.middle, _scale(found), tilt + lean
    return best


def _upright(halves: _Halves, face: Found) -> Found:
    """Turn a face that still leans: YuNet sees only a part of a lean, and marks that lie askew move the encodings.

    A look may score a little less than the one before and yet be the more upright one.
    """
    for _ in range(_LOOKS):
        lean = _lean(face)
        if abs(lean) <= _ASKEW:
            break
        found = _in_crop(halves, face.middle, _scale(face), face.tilt + lean)
        if found is None or found.eyes <= 0.0 or found.score < face.score - _SLACK:
            break
        face = found
    return face


def _lean(face: Found) -> float:
    """Degrees by which the line of the eyes falls to the right in the crop."""
    across = face.landmarks[1] - face.landmarks[0]
    return math.degrees(math.atan2(float(across[1]), float(across[0])))


def _scale(face: Found) -> float:
    """Pixels between the eyes of a face seen from the front, for a profile told from its height."""
    across = max(float(np.hypot(*(face.landmarks[1] - face.landmarks[0]))), 1.0)
    return max(face.eyes, 0.28 * face.box_in_crop[3] * face.eyes / across)


def _in_crop(halves: _Halves, centre: Points, eyes: float, tilt: float) -> Found | None:
    """Cut out around `centre`, turned by `tilt` degrees, the eyes `_EYES_IN_CROP` apart, and find the face in it."""
    zoom = _EYES_IN_CROP / max(eyes, 1.0)
    if zoom < 0.6:  # averaging first, or warpAffine would skip pixels
        picture, shrunk = halves.at_least(zoom)
        near, scale = centre / np.float32(shrunk), zoom * shrunk
        reach = int(CROP / scale * 0.75) + 2
        left, top = max(0, int(near[0]) - reach), max(0, int(near[1]) - reach)
        part = picture[top : int(near[1]) + reach, left : int(near[0]) + reach]
        if min(part.shape[:2]) < 2:
            return None
        size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
        source = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        ratio = np.array([size[0] / part.shape[1], size[1] / part.shape[0]]) / shrunk
        offset = np.array([left, top]) * shrunk
        middle, factor = (centre - offset) * ratio, 1.0
    else:
        source, ratio, offset = halves.image, np.ones(2), np.zeros(2)
        middle, factor = np.asarray(centre, np.float64), zoom
    matrix = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), tilt, factor)
    matrix[:, 2] += np.array([CROP / 2, CROP / 2]) - middle
    crop = np.asarray(
        cv2.warpAffine(
            source,
            matrix,
            (CROP, CROP),
            flags=cv2.INTER_LINEAR if factor <= 1.5 else cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )
    rows = _yunet(crop)
    if not len(rows):
        return None
    middles = rows[:, 4:14].reshape(-1, 5, 2).mean(axis=1)
    nearest = int(np.argmin(np.hypot(*(middles - CROP / 2).T)))
    if float(np.hypot(*(middles[nearest] - CROP / 2))) > 1.8 * _EYES_IN_CROP:
        return None
    row = rows[nearest]
    back = cv2.invertAffineTransform(matrix)
    x, y, w, h = (float(v) for v in row[:4])
    corners = np.array([[x, y, 1], [x + w, y, 1], [x + w, y + h, 1], [x, y + h, 1]]) @ back.T / ratio + offset
    height, width = halves.image.shape[:2]
    low = np.clip(np.floor(corners.min(axis=0)), 0, [width - 1, height - 1]).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)), low + 1, [width, height]).astype(int)
    marks = row[4:14].reshape(5, 2)
    middle_there = np.append(marks.mean(axis=0), 1.0) @ back.T / ratio + offset
    return Found(
        box=(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])),
        crop=crop,
        landmarks=marks,
        box_in_crop=(x, y, w, h),
        score=float(row[14]),
        eyes=float(np.hypot(*(marks[1] - marks[0]))) / zoom,
        size=h / zoom,
        row=row,
        middle=np.asarray(middle_there, np.float32),
        tilt=tilt,
    )


def _turned_back(row: Points, turn: int, shape: tuple[int, ...]) -> Points:
    """YuNet's five landmarks, shape (5, 2), in the picture of `shape` before `numpy.rot90` turned it by `turn`."""
    x, y = row[4:14].reshape(5, 2).T
    right, low = shape[1] - 1, shape[0] - 1
    back = ((x, y), (right - y, x), (right - x, low - y), (y, low - x))[turn]
    return np.stack(back, axis=1)


def _distinct(faces: Iterable[Found]) -> list[Found]:
    """Keep the clearest of those that lie upon each other."""
    kept: list[Found] = []
    for face in sorted(faces, key=lambda f: -f.score):
        if all(_overlap(face.box, other.box) < 0.3 for other in kept):
            kept.append(face)
    return kept


def _overlap(a: Box, b: Box) -> float:
    """Shared area over the smaller area, 0-1."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return 0.0 if w <= 0 or h <= 0 else w * h / max(1, min(a[2] * a[3], b[2] * b[3]))
