"""What spoils printed lines on a phone's photo, and how a line is cut out: shared by the scripts that draw training data."""

from __future__ import annotations

import io
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[Any]  # float32; OpenCV does not say so to the type checker

HEIGHT: Final = 32  # pixels of a crop


def bent(rng: np.random.Generator, mark: Floats, letter: float) -> Floats:
    """Paper is not flat: the row swings up and down by up to a fifth of a letter."""
    height, width = mark.shape
    x = np.arange(width, dtype=np.float32)
    swing = letter * float(rng.uniform(0.03, 0.2)) * np.sin(x / width * float(rng.uniform(1.5, 7)) + float(rng.uniform(0, 6.3)))
    map_x = np.repeat(x[None], height, 0)
    map_y = np.arange(height, dtype=np.float32)[:, None] + swing[None].astype(np.float32)
    return np.asarray(cv2.remap(mark, map_x, map_y, cv2.INTER_LINEAR), np.float32)


def paper(rng: np.random.Generator, size: tuple[int, int], letter: float) -> Floats:
    """Ground: an even tone, guilloche waves, small background print, shadows."""
    width, height = size
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
    ground = np.full((height, width), float(rng.uniform(0.55, 0.98)), np.float32)
    for _ in range(int(rng.integers(0, 4))):
        angle, wave = float(rng.uniform(0, 3.15)), float(rng.uniform(0.12, 1.6)) * letter
        swing = float(rng.uniform(0, 0.8)) * letter * np.sin(xx / (letter * float(rng.uniform(1, 6))) + float(rng.uniform(0, 6)))
        lines = np.sin((xx * np.cos(angle) + (yy + swing) * np.sin(angle)) * 6.283 / wave)
        lines = np.sign(lines) if rng.random() < 0.3 else np.clip(lines * float(rng.uniform(1, 6)), -1, 1)
        ground += (0.01 + 0.09 * float(rng.random()) ** 2) * lines
    if rng.random() < 0.15:
        for _ in range(int(rng.integers(1, 5))):
            a = (int(rng.integers(0, width)), int(rng.integers(0, height)))
            b = (int(rng.integers(0, width)), int(rng.integers(0, height)))
            cv2.line(ground, a, b, float(rng.uniform(0.3, 0.9)), max(1, round(letter * float(rng.uniform(0.03, 0.15)))))
    if rng.random() < 0.5:
        ground += float(rng.uniform(-0.2, 0.2)) * (xx / width - 0.5) + float(rng.uniform(-0.15, 0.15)) * (yy / height - 0.5)
    if rng.random() < 0.15:  # a fold or the edge of a shadow
        edge = (xx - float(rng.uniform(0, width))) * float(rng.choice([-1, 1])) + yy * float(rng.normal(0, 1))
        ground *= 1 - float(rng.uniform(0.1, 0.5)) / (1 + np.exp(-np.clip(edge / (letter * float(rng.uniform(0.1, 2))), -30, 30)))
    if rng.random() < 0.2:  # film: cloudy patches
        ground += cv2.resize(rng.normal(0, 0.09, (3, 12)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    return np.clip(ground, 0.08, 1.05)


def spoiled(rng: np.random.Generator, photo: Floats, letter: float) -> Floats:
    """Light, lens, sensor and compression."""
    height, width = photo.shape
    if rng.random() < 0.22:  # a lamp's reflection, up to burnt out
        yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
        cx, cy = float(rng.uniform(0, width)), float(rng.uniform(0, height))
        rx, ry = letter * float(rng.uniform(1, 9)), letter * float(rng.uniform(0.6, 5))
        photo = photo + float(rng.uniform(0.15, 0.75)) * np.exp(-(((xx - cx) / rx) ** 2 + ((yy - cy) / ry) ** 2))
        photo = np.minimum(photo, 1.0)
    if rng.random() < 0.25:
        photo = photo * float(rng.uniform(0.2, 0.8))
    kind = rng.random()
    if kind < 0.45:
        photo = cv2.GaussianBlur(photo, (0, 0), 0.3 + 0.12 * letter * float(rng.random()) ** 1.5)
    elif kind < 0.6:  # motion
        reach = max(3, round(float(rng.uniform(0.08, 0.32)) * letter))
        kernel = np.zeros((reach, reach), np.float32)
        angle = float(rng.uniform(0, 3.15))
        middle = (reach - 1) / 2
        tip = (middle * np.cos(angle), middle * np.sin(angle))
        cv2.line(kernel, (round(middle - tip[0]), round(middle - tip[1])), (round(middle + tip[0]), round(middle + tip[1])), 1.0)
        photo = cv2.filter2D(photo, -1, kernel / max(float(kernel.sum()), 1.0))
    elif kind < 0.7:  # out of focus
        reach = max(1, round(float(rng.uniform(0.05, 0.13)) * letter))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2).astype(np.float32)
        photo = cv2.filter2D(photo, -1, disc / disc.sum())
    if rng.random() < 0.2:  # phones sharpen
        photo = photo + float(rng.uniform(0.4, 2.0)) * (photo - cv2.GaussianBlur(photo, (0, 0), float(rng.uniform(0.7, 2.0))))
    if rng.random() < 0.06:  # a screen's pixels
        yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
        photo = photo * (
            1
            - float(rng.uniform(0.02, 0.12))
            * (1 + np.sin(xx * float(rng.uniform(1.5, 3.1))) * np.sin(yy * float(rng.uniform(1.5, 3.1))))
        )
    photo = photo + rng.normal(0, float(rng.uniform(0, 0.045)), photo.shape)
    if rng.random() < 0.12:  # resized by a chat application
        small = float(rng.uniform(0.55, 0.9))
        if height * small > 8:
            photo = cv2.resize(photo, (max(8, round(width * small)), max(8, round(height * small))), interpolation=cv2.INTER_AREA)
            photo = cv2.resize(photo, (width, height), interpolation=cv2.INTER_LINEAR)
    grey = np.clip(photo * 255, 0, 255).astype(np.uint8)
    if rng.random() < 0.04:
        grey = 255 - grey
    if rng.random() < 0.75:
        stream = io.BytesIO()
        Image.fromarray(grey).save(stream, "JPEG", quality=int(rng.integers(22, 95)))
        grey = np.asarray(Image.open(stream))
    return np.asarray(grey, np.float32) / 255


def cut(photo: Floats, box: tuple[float, float, float, float], across: int) -> NDArray[np.uint8]:
    """Cut `box` (left, top, right, bottom; pixels) out of `photo` (H x W, 0-1) as `lines.crop` does: HEIGHT x `across`, uint8."""
    left, top, right, bottom = box
    high = bottom - top
    source = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    shrink = HEIGHT / high
    if shrink < 0.7:
        target = np.array([[0, 0], [round(right - left), 0], [round(right - left), round(high)], [0, round(high)]], np.float32)
        strip = cv2.warpPerspective(
            photo,
            cv2.getPerspectiveTransform(source, target),
            (round(right - left), round(high)),
            borderMode=cv2.BORDER_REPLICATE,
        )
        strip = cv2.resize(strip, (across, HEIGHT), interpolation=cv2.INTER_AREA)
    else:
        target = np.array([[0, 0], [across, 0], [across, HEIGHT], [0, HEIGHT]], np.float32)
        strip = cv2.warpPerspective(
            photo,
            cv2.getPerspectiveTransform(source, target),
            (across, HEIGHT),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return np.clip(strip * 255, 0, 255).astype(np.uint8)
