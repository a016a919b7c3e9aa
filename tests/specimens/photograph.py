"""Take a phone's picture of a flat page, or make a phone's selfie of a photograph. The same seed gives the same pixels.

A page lies on a textured table, a little turned, seen at an angle, unevenly lit, under a lamp's spot, through a lens that blurs
and a sensor that adds noise, and goes through JPEG. Four grades; `defect` spoils a photo so that it must be taken again.
Not real cameras: grades order difficulty, they do not measure it.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.specimens.portraits import crop

Pixels = NDArray[np.uint8]
Hardness = Literal["flat", "easy", "medium", "hard"]
Defect = Literal["blurred", "dark", "glare", "small"]
SelfieKind = Literal["clear", "blurred", "dark", "small"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Grade:
    """How bad it gets, at most. Lengths of the page are shares of its longer side."""

    side: int  # longer side of the photo, pixels
    fill: float  # share of the photo that the page spans
    tilt: float  # how far a corner wanders, share of the page's side
    turn: float  # degrees
    shade: float  # how much darker the darkest corner is, 0-1
    glare: float  # strength of the lamp's spot, 1 = burnt out
    blur: float  # sigma, pixels
    noise: float  # sigma, 0-255
    quality: int  # JPEG


GRADES: dict[str, _Grade] = {
    "easy": _Grade(side=2200, fill=0.86, tilt=0.012, turn=1.5, shade=0.12, glare=0.10, blur=0.6, noise=2.0, quality=90),
    "medium": _Grade(side=1900, fill=0.80, tilt=0.035, turn=5.0, shade=0.28, glare=0.30, blur=0.9, noise=4.0, quality=80),
    "hard": _Grade(side=1500, fill=0.74, tilt=0.06, turn=9.0, shade=0.45, glare=0.65, blur=1.3, noise=7.0, quality=62),
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shot:
    """A photo and where things went: `matrix` (3 x 3) takes a page's pixels to the photo's."""

    image: Pixels
    matrix: NDArray[np.float64]

    def place(self, quad: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the corners (n, 2) of a page's quad on the photo."""
        return np.asarray(cv2.perspectiveTransform(quad[None].astype(np.float64), self.matrix)[0], np.float32)


def photograph(image: Pixels, *, seed: int, hardness: Hardness, defect: Defect | None = None) -> Pixels:
    """Return the photo of a page, RGB uint8 of shape (H, W, 3). "flat" is the page itself, as a scanner gives it."""
    return shoot(image, seed=seed, hardness=hardness, defect=defect).image


def shoot(image: Pixels, *, seed: int, hardness: Hardness, defect: Defect | None = None) -> Shot:
    """As `photograph`, and where the page went."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"expected uint8 RGB pixels of shape (H, W, 3), got {image.dtype} {image.shape}")
    rng = np.random.default_rng([seed, sorted(("flat", *GRADES)).index(hardness)])
    if hardness == "flat":
        return Shot(image=_spoil(image.copy(), defect, rng), matrix=np.eye(3))
    g = GRADES[hardness]
    h, w = image.shape[:2]
    margin = 4 / 3 if w >= h else 3 / 4  # phones take 4:3
    wide, tall = (g.side, round(g.side / margin)) if margin > 1 else (round(g.side * margin), g.side)
    scale = g.fill * min(wide / w, tall / h)
    turn = math.radians(rng.uniform(0.4, 1) * g.turn * rng.choice((-1, 1)))
    corners = np.array([[-w, -h], [w, -h], [w, h], [-w, h]], np.float64) / 2 * scale
    corners = corners @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    corners += rng.uniform(-g.tilt, g.tilt, (4, 2)) * max(w, h) * scale
    low, high = corners.min(axis=0), corners.max(axis=0)
    corners *= min(1.0, 0.96 * wide / (high[0] - low[0]), 0.96 * tall / (high[1] - low[1]))
    corners += np.array([wide, tall]) / 2 - (corners.min(axis=0) + corners.max(axis=0)) / 2
    corners += rng.uniform(-1, 1, 2) * np.maximum(0, np.array([wide, tall]) - np.ptp(corners, axis=0)) * 0.3
    source = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, corners.astype(np.float32))

    soft = cv2.GaussianBlur(image, (0, 0), 0.45 / scale) if scale < 0.9 else image  # a warp alone would alias
    scene = _table(tall, wide, rng)
    cover = (
        cv2.warpPerspective(np.full((h, w), 255, np.uint8), matrix, (wide, tall), flags=cv2.INTER_LINEAR).astype(np.float32) / 255
    )
    reach = 0.006 * g.side
    shadow = cv2.GaussianBlur(np.roll(cover, (round(reach), round(reach * 0.6)), axis=(0, 1)), (0, 0), reach)
    scene *= 1 - 0.45 * shadow[..., None]
    page = cv2.warpPerspective(soft, matrix, (wide, tall), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype(
        np.float32
    )
    scene += (page - scene) * cover[..., None]

    y, x = np.mgrid[0:tall, 0:wide].astype(np.float32) / max(wide, tall)
    way = rng.uniform(0, 2 * math.pi)
    slope = (x - x.mean()) * math.cos(way) + (y - y.mean()) * math.sin(way)
    scene *= (1 - g.shade * (slope - slope.min()) / float(np.ptp(slope)))[..., None]
    scene *= np.array([1 + 0.03 * rng.uniform(-1, 1), 1.0, 1 + 0.05 * rng.uniform(-1, 1)], np.float32)
    cx, cy = corners.mean(axis=0) / max(wide, tall) + rng.uniform(-0.3, 0.3, 2) * np.ptp(corners, axis=0) / max(wide, tall)
    spread = rng.uniform(0.05, 0.10)
    spot = np.exp(-(((x - cx) / (1.7 * spread)) ** 2 + ((y - cy) / spread) ** 2))
    scene += (255 - scene) * (g.glare * spot * cover)[..., None]
    scene = cv2.GaussianBlur(scene, (0, 0), g.blur)
    scene += cv2.GaussianBlur(rng.normal(0, 1.5 * g.noise, scene.shape).astype(np.float32), (0, 0), 0.6)
    return Shot(image=_jpeg(_spoil(_whole(scene), defect, rng), g.quality), matrix=matrix)


def selfie(picture: Pixels, face: tuple[int, int, int, int], *, seed: int, kind: SelfieKind = "clear") -> Pixels:
    """Make a phone's selfie of a photograph: closer crop, other light, slight turn and blur, JPEG. RGB of shape (1280, 960, 3).

    `face` is x, y, width, height in the picture, see `portraits.PICTURES`. "small" holds the phone far away: 480 x 360 pixels.
    """
    rng = np.random.default_rng([seed, 7])
    shot = crop(
        picture, face, height=rng.uniform(2.25, 2.5), aspect=3 / 4, lift=rng.uniform(-0.12, -0.06), size=(960, 1280)
    ).astype(np.float32)
    tall, wide = shot.shape[:2]
    turn = cv2.getRotationMatrix2D((wide / 2, tall / 2), rng.uniform(-4, 4), 1.06)
    shot = cv2.warpAffine(shot, turn, (wide, tall), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    shot = 255 * np.power(np.clip(shot, 0, 255) / 255, rng.uniform(0.82, 1.0))
    shot *= np.array([rng.uniform(1.0, 1.06), 1.0, rng.uniform(0.90, 0.98)], np.float32)  # a warm room lamp
    side = np.linspace(1.05, rng.uniform(0.78, 0.9), wide, dtype=np.float32)
    shot *= (side if rng.random() < 0.5 else side[::-1])[None, :, None]
    shot = cv2.GaussianBlur(shot, (0, 0), 0.9)
    if kind == "blurred":
        shot = cv2.GaussianBlur(shot, (0, 0), 34)
    if kind == "dark":
        shot *= 0.02
    shot += rng.normal(0, 2.5 if kind != "blurred" else 1.0, shot.shape)
    if kind == "small":
        far = cv2.resize(_whole(shot), (36, 48), interpolation=cv2.INTER_AREA)
        room = cv2.GaussianBlur(
            np.repeat(np.repeat(rng.integers(110, 180, (6, 5, 1)).astype(np.float32), 80, 0), 72, 1), (0, 0), 30
        )[..., None]
        room = room * np.array([1.0, 0.95, 0.88], np.float32)
        room[216:264, 162:198] = far
        shot = room
    return _jpeg(_whole(shot), 88)


def _spoil(photo: Pixels, defect: Defect | None, rng: np.random.Generator) -> Pixels:
    """Spoil a finished photo of a page."""
    tall, wide = photo.shape[:2]
    if defect == "blurred":  # a hand that shook: out of focus and dragged
        sigma = 0.0055 * max(tall, wide)
        drag = cv2.getRotationMatrix2D((20, 20), rng.uniform(0, 180), 1)
        line = np.zeros((41, 41), np.float32)
        line[20, 8:33] = 1
        kernel = cv2.warpAffine(line, drag, (41, 41))
        return _whole(cv2.GaussianBlur(cv2.filter2D(photo.astype(np.float32), -1, kernel / kernel.sum()), (0, 0), sigma))
    if defect == "dark":
        return _whole(photo * 0.10 + rng.normal(0, 2.0, photo.shape))
    if defect == "glare":
        y, x = np.mgrid[0:tall, 0:wide].astype(np.float32) / max(tall, wide)
        cx, cy = 0.5 * wide / max(tall, wide), 0.66 * tall / max(tall, wide)
        spot = np.clip(1.9 * np.exp(-(((x - cx) / 0.26) ** 2 + ((y - cy) / 0.13) ** 2)), 0, 1)[..., None]
        return _whole(photo + (255 - photo.astype(np.float32)) * spot)
    if defect == "small":
        scale = 220 / max(tall, wide)
        return np.asarray(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return photo


def _table(tall: int, wide: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A board with a grain, a cloth or a dark desk top; float RGB 0-255."""
    tone = np.array([(128, 94, 64), (88, 92, 100), (168, 146, 116), (62, 52, 46)][int(rng.integers(4))], np.float32)
    grain = np.zeros((tall, wide), np.float32)
    for rows, columns, weight in ((90, 5, 1.0), (260, 9, 0.7), (24, 30, 0.6)):
        patch = rng.normal(0, 1, (rows, columns)).astype(np.float32)
        grain += weight * cv2.resize(patch, (wide, tall), interpolation=cv2.INTER_CUBIC)
    grain += 0.35 * rng.normal(0, 1, (tall, wide)).astype(np.float32)
    return np.asarray(np.clip(tone * (1 + 0.075 * grain[..., None]), 0, 255), np.float32)


def _whole(pixels: NDArray[np.floating] | Pixels) -> Pixels:
    return np.clip(np.asarray(pixels, np.float32) + 0.5, 0, 255).astype(np.uint8)


def _jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Through JPEG and back."""
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "JPEG", quality=quality)
    return np.asarray(Image.open(held).convert("RGB"), np.uint8)
