"""Voices: networks that turn one found face into numbers, behind one small interface.

Two are shipped, OpenCV's SFace and dlib's ResNet, trained apart from each other and run by `networks`. A deployment can add
its own ONNX model, run by OpenCV's DNN module and described by one JSON file beside it; `use` takes them up before
`faces.load`. Which voices speak and what their distances mean are two things: a set of voices without a calibration of its own
gives similarities and no rates, and so approves nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, Literal, Protocol, Self

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from verification import models
from verification.faces import networks
from verification.faces.detect import Found

Vector = NDArray[np.float64]
Chip = NDArray[np.uint8]
Metric = Literal["cosine", "euclidean"]

SFACE, DLIB = "sface", "dlib"
CODING = 2
"""Grows whenever a photo gets other numbers by the same networks (another crop, another mirror): kept encodings are void then."""
_MARGIN = 0.25  # of the face, on each side of it in dlib's chips

_one_at_a_time = threading.RLock()  # none of the networks is safe to share between threads


class Voice(Protocol):
    """One network. Deterministic; `encode` may be called from any thread."""

    @property
    def name(self) -> str:
        """Short and unique among the voices of a process; the key of its vectors and of its calibration."""

    @property
    def label(self) -> str:
        """Name and version, kept with every score."""

    @property
    def metric(self) -> Metric:
        """How two of its vectors are compared."""

    def encode(self, seen: Seen) -> Vector:
        """Turn a face into numbers, shape (n,)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """One found face and the two ways of cutting it out, each done once however many voices ask.

    `smooth`: even out grain and guilloche, keep the edges, and look at more than one size. Measured on poor pages only, where
    the first gives three in a hundred more genuine pairs at FMR 1e-4 and the second one or two; better pictures would lose.
    """

    found: Found
    smooth: bool = False

    @cached_property
    def plain(self) -> Chip:
        """The face by SFace's template of five points as it is, BGR, shape (112, 112, 3)."""
        matrix = _similarity(self.found.landmarks, _TEMPLATE)
        side = networks.SFACE_CHIP
        laid = cv2.warpAffine(self.found.crop, matrix, (side, side), flags=cv2.INTER_LINEAR)
        return np.asarray(cv2.cvtColor(laid, cv2.COLOR_RGB2BGR), np.uint8)

    @cached_property
    def five_points(self) -> Chip:
        """The same as the voices see it."""
        return self._seen(self.plain)

    def _seen(self, chip: Chip) -> Chip:
        if not self.smooth:
            return chip
        return np.asarray(cv2.bilateralFilter(chip, 5, 30.0, chip.shape[0] / 56), np.uint8)

    def eyes_and_nose(self, size: int) -> Chip:
        """The face as dlib cuts it out by its own five landmarks, RGB, shape (size, size, 3)."""
        x, y, w, h = self.found.box_in_crop
        # dlib's landmarks were trained on square boxes from brow to chin; YuNet's box is taller than wide.
        middle_x, middle_y, half = x + w / 2, y + h * 0.54, 0.5 * (w + h) / 2
        box = dlib.rectangle(int(middle_x - half), int(middle_y - half), int(middle_x + half), int(middle_y + half))
        shape = _points()(self.found.crop, box)
        return self._seen(np.asarray(dlib.get_face_chip(self.found.crop, shape, size=size, padding=_MARGIN), np.uint8))


_SIZES = (1.0, 0.94, 1.06)  # of a poor print: what its landmarks leave open. Shifts and turns gave less


def views(chip: Chip, smooth: bool) -> list[Chip]:
    """A chip and its mirror image; of a smoothed one also a little smaller and larger, each with its mirror image."""
    out = list(both_ways(chip))
    for size in _SIZES[1:] if smooth else ():
        matrix = cv2.getRotationMatrix2D((chip.shape[1] / 2, chip.shape[0] / 2), 0.0, size)
        laid = cv2.warpAffine(chip, matrix, chip.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        out.extend(both_ways(np.asarray(laid, np.uint8)))
    return out


def both_ways(chip: Chip) -> tuple[Chip, Chip]:
    """The chip and its mirror image."""
    return chip, np.ascontiguousarray(chip[:, ::-1])


_TEMPLATE: Final = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float64
)
"""Where eyes, nose and corners of the mouth lie in a chip of 112 pixels: ArcFace's, and what SFace was trained on."""


def _similarity(points: NDArray[np.float32], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The turn, scale and shift that bring points nearest to their places, shape (2, 3).

    Source: Umeyama, Least-squares estimation of transformation parameters between two point patterns, 1991; in the plane
    and without mirroring it is one complex factor.
    """
    ours, theirs = (p.astype(np.float64) @ np.array([1, 1j]) for p in (points, places))
    middle, there = ours.mean(), theirs.mean()
    spread = float((np.abs(ours - middle) ** 2).sum())
    factor = ((theirs - there) * np.conj(ours - middle)).sum() / max(spread, 1e-9)
    shift = there - factor * middle
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


@cache
def _points() -> Any:
    return dlib.shape_predictor(str(models.path("dlib_5_points")))


@dataclass(frozen=True)
class _SFace:
    """OpenCV's SFace. Vectors of length 1, shape (128,)."""

    name: str = SFACE
    metric: Metric = "cosine"

    @property
    def label(self) -> str:
        return models.label("sface")

    def encode(self, seen: Seen) -> Vector:
        with _one_at_a_time:
            return _mean_direction(networks.sface(views(seen.five_points, seen.smooth)).astype(np.float64))


@dataclass(frozen=True)
class _Dlib:
    """dlib's ResNet of face_recognition. Vectors as it gives them, shape (128,)."""

    name: str = DLIB
    metric: Metric = "euclidean"

    @property
    def label(self) -> str:
        return models.label("dlib_resnet")

    def encode(self, seen: Seen) -> Vector:
        with _one_at_a_time:
            codes = networks.dlib_resnet(views(seen.eyes_and_nose(networks.DLIB_CHIP), seen.smooth))
        return np.asarray(codes.astype(np.float64).mean(axis=0), np.float64)


def _mean_direction(vectors: Iterable[Vector]) -> Vector:
    """The mean of several directions, each counting the same. Length 1."""
    total = sum(v / max(float(np.linalg.norm(v)), 1e-12) for v in vectors)
    return np.asarray(total / max(float(np.linalg.norm(total)), 1e-12), np.float64)


class BadDescription(ValueError):
    """The JSON file that describes a deployment's model cannot be followed. Says which file and what is wrong."""


@dataclass(frozen=True, kw_only=True)
class OnnxVoice:
    """A deployment's own network, described by one JSON file beside the ONNX file.

    `path` (relative to the description), `sha256`, `name`, `label`; `input`: width and height in pixels; `channels`: "rgb" or
    "bgr"; `mean` (three numbers, in the order of `channels`) is taken off the 0-255 pixels and `scale` multiplies the rest;
    `alignment`: "five_points" (SFace's and ArcFace's template, 112 pixels, scaled to `input`) or "dlib" (its chip with a
    margin of a quarter); `mirror`: whether the mirror image is encoded too and averaged; `metric`: "cosine" or "euclidean".
    """

    name: str
    label: str
    file: Path
    sha256: str
    input: tuple[int, int]
    channels: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0
    alignment: Literal["five_points", "dlib"] = "five_points"
    mirror: bool = True
    metric: Metric = "cosine"
    _net: list[Any] = field(default_factory=list, compare=False, repr=False)  # filled by `load`

    @classmethod
    def described(cls, file: Path) -> Self:
        """Read a description. Raises BadDescription."""
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise BadDescription(f"{file.name}: this is no JSON file that can be read") from None
        if not isinstance(data, dict):
            raise BadDescription(f"{file.name}: a JSON object is expected")
        needed = {"path", "label", "name", "sha256", "input"}
        unknown = set(data) - needed - {"channels", "mean", "scale", "alignment", "mirror", "metric"}
        if unknown:
            raise BadDescription(f"{file.name}: unknown: {', '.join(sorted(unknown))}")
        if not needed <= set(data):
            raise BadDescription(f"{file.name}: missing: {', '.join(sorted(needed - set(data)))}")
        width_height, mean, scale = data["input"], data.get("mean", [0, 0, 0]), data.get("scale", 1.0)
        checks = {
            "name": isinstance(data["name"], str) and data["name"].isidentifier() and data["name"] not in (SFACE, DLIB),
            "label": isinstance(data["label"], str) and 0 < len(data["label"]) <= 60,
            "path": isinstance(data["path"], str) and bool(data["path"]),
            "sha256": isinstance(data["sha256"], str) and len(data["sha256"]) == 64,
            "input": _numbers(width_height, 2, whole=True) and all(16 <= n <= 1024 for n in width_height),
            "channels": data.get("channels", "rgb") in ("rgb", "bgr"),
            "mean": _numbers(mean, 3),
            "scale": _numbers([scale], 1) and scale > 0,
            "alignment": data.get("alignment", "five_points") in ("five_points", "dlib"),
            "mirror": isinstance(data.get("mirror", True), bool),
            "metric": data.get("metric", "cosine") in ("cosine", "euclidean"),
        }
        for key, holds in checks.items():
            if not holds:
                raise BadDescription(f"{file.name}: '{key}' is no possible value")
        return cls(
            name=data["name"],
            label=f"{data['label']} {data['sha256'][:8].lower()}",
            file=file.parent / data["path"],
            sha256=data["sha256"].lower(),
            input=(int(width_height[0]), int(width_height[1])),
            channels=data.get("channels", "rgb"),
            mean=(float(mean[0]), float(mean[1]), float(mean[2])),
            scale=float(scale),
            alignment=data.get("alignment", "five_points"),
            mirror=data.get("mirror", True),
            metric=data.get("metric", "cosine"),
        )

    def load(self) -> None:
        """Check the hash and read the network, once. Raises models.ModelFileMissing; BadDescription where it cannot run."""
        if self._net:
            return
        try:
            data = self.file.read_bytes()
        except OSError:
            raise models.ModelFileMissing(f"voice {self.name}: {self.file.name} cannot be read") from None
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise models.ModelFileMissing(f"voice {self.name}: SHA-256 of {self.file.name} is not the described one")
        try:
            net = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
            size = self._run(net, np.zeros((self.input[1], self.input[0], 3), np.uint8)).size
        except cv2.error:
            raise BadDescription(f"voice {self.name}: OpenCV cannot run {self.file.name} as described") from None
        if size < 2:
            raise BadDescription(f"voice {self.name}: {self.file.name} gives one number, not an encoding")
        self._net.append(net)

    def encode(self, seen: Seen) -> Vector:
        """Turn a face into numbers, by the face and, where told so, its mirror image."""
        with _one_at_a_time:
            self.load()
            if self.alignment == "dlib":
                chip = seen.eyes_and_nose(max(self.input))
            else:
                chip = np.asarray(cv2.cvtColor(seen.five_points, cv2.COLOR_BGR2RGB), np.uint8)
            if chip.shape[:2] != (self.input[1], self.input[0]):
                chip = np.asarray(cv2.resize(chip, self.input, interpolation=cv2.INTER_LINEAR), np.uint8)
            vectors = [self._run(self._net[0], c) for c in (both_ways(chip) if self.mirror else (chip,))]
        return _mean_direction(vectors) if self.metric == "cosine" else np.asarray(np.mean(vectors, axis=0), np.float64)

    def _run(self, net: Any, chip: Chip) -> Vector:
        """One pass over an RGB chip."""
        pixels = chip[:, :, ::-1] if self.channels == "bgr" else chip
        blob = (pixels.astype(np.float32) - np.asarray(self.mean, np.float32)) * np.float32(self.scale)
        net.setInput(np.ascontiguousarray(blob.transpose(2, 0, 1)[None]))
        return np.asarray(net.forward(), np.float64).ravel()


def _numbers(value: Any, count: int, *, whole: bool = False) -> bool:
    kinds = (int,) if whole else (int, float)
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(n, kinds) and not isinstance(n, bool) and math.isfinite(float(n)) for n in value)
    )


SHIPPED: Final[tuple[Voice, ...]] = (_SFace(), _Dlib())

_added: list[OnnxVoice] = []


def use(descriptions: Iterable[Path]) -> None:
    """From now on let the described networks speak beside the shipped two. Raises BadDescription.

    Called before `load`, once per process and before it forks.
    """
    voices = [OnnxVoice.described(file) for file in descriptions]
    names = [voice.name for voice in voices]
    if len(set(names)) != len(names):
        raise BadDescription(f"two voices are called {next(n for n in names if names.count(n) > 1)}")
    _added[:] = voices


def speaking() -> Sequence[Voice]:
    """All voices, the shipped ones first."""
    return (*SHIPPED, *_added)


def load() -> None:
    """Load every network and let each run once, once per process."""
    with _one_at_a_time:
        networks.load()
        _points()
        for voice in _added:
            voice.load()


def distance(voice: Voice, a: Vector, b: Vector) -> float:
    """How far two encodings of one voice are apart: 1 - cosine (0 to 2), or Euclidean."""
    return float(distances(voice.metric, a[None], b[None])[0, 0])


def distances(metric: Metric, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances of every row to every column, shape (len(rows), len(columns)). Encodings of no length are far from all."""
    if metric == "cosine":
        return np.asarray(1.0 - _directions(rows) @ _directions(columns).T, np.float64)
    # Through squares of sums, two equal encodings would come out a hundred-millionth apart.
    out = np.empty((len(rows), len(columns)))
    for n, row in enumerate(rows):
        out[n] = np.sqrt(np.square(columns - row).sum(axis=1))
    return out


def _directions(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float64)
