"""Pictures with faces in them, composed of photographs of faces: what people send, meant well or not.

Each function takes RGB pictures and returns one, always the same for the same input. Faces lie where YuNet saw them
(`verification.faces.detect.Found`). What is drawn here shows the direction of an effect, no more: a drawn mask is no mask.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from verification.faces.detect import Found

Pixels = NDArray[np.uint8]
GREY = (128, 128, 128)


def resized(image: Pixels, longest: int) -> Pixels:
    """The picture with its longest side at `longest` pixels."""
    factor = longest / max(image.shape[:2])
    size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC), np.uint8)


def tilted(image: Pixels, degrees: float, fill: tuple[int, int, int] = GREY) -> tuple[Pixels, NDArray[np.float64]]:
    """Turn counter-clockwise on a canvas that holds all of it. Returns the picture and the matrix, shape (2, 3)."""
    height, width = image.shape[:2]
    turn = math.radians(degrees)
    wide = math.ceil(abs(width * math.cos(turn)) + abs(height * math.sin(turn)) - 1e-6)
    tall = math.ceil(abs(width * math.sin(turn)) + abs(height * math.cos(turn)) - 1e-6)
    matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0), np.float64)
    matrix[:, 2] += np.array([wide / 2 - width / 2, tall / 2 - height / 2])
    made = cv2.warpAffine(image, matrix, (wide, tall), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=fill)
    return np.asarray(made, np.uint8), matrix


def room(height: int, width: int, seed: int = 0) -> Pixels:
    """An empty room: soft patches of light, a shelf of many-coloured backs, grain."""
    dice = np.random.default_rng(seed)
    wall = cv2.resize(dice.integers(110, 205, (4, 5, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    for shelf in (0.12, 0.42):
        left = 0
        while left < width:
            back = int(dice.uniform(0.012, 0.03) * width) + 1
            top, foot = int((shelf + dice.uniform(0, 0.05)) * height), int((shelf + 0.2) * height)
            cv2.rectangle(wall, (left, top), (left + back, foot), [float(v) for v in dice.integers(40, 190, 3)], -1)
            left += back + 2
    grain = dice.normal(0, 4, (height // 2 + 1, width // 2 + 1, 1)).astype(np.float32)
    wall += cv2.resize(grain, (width, height))[..., None]
    return np.asarray(np.clip(wall, 0, 255), np.uint8)


def pasted(canvas: Pixels, picture: Pixels, left: int, top: int, *, soft: bool = False) -> Pixels:
    """Lay `picture` on a copy of `canvas`, what reaches beyond it cut off; `soft` blends its rim in."""
    made = canvas.copy()
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(canvas.shape[0], top + picture.shape[0]), min(canvas.shape[1], left + picture.shape[1])
    if y1 <= y0 or x1 <= x0:
        return made
    part = picture[y0 - top : y1 - top, x0 - left : x1 - left]
    if soft:
        edge = max(2, min(picture.shape[:2]) // 12)
        mask = np.zeros(picture.shape[:2], np.float32)
        mask[edge:-edge, edge:-edge] = 1.0
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), edge / 2), np.float32)[y0 - top : y1 - top, x0 - left : x1 - left, None]
        part = np.asarray(part * mask + made[y0:y1, x0:x1] * (1 - mask), np.uint8)
    made[y0:y1, x0:x1] = part
    return made


def head(image: Pixels, face: Found, *, height: float = 1.9) -> Pixels:
    """Cut out head and shoulders: `height` face heights tall, as wide; beyond the picture its rim is repeated."""
    x, y, w, h = face.box
    side = max(2, round(height * h))
    matrix = np.array([[1, 0, side / 2 - (x + w / 2)], [0, 1, side / 2 - (y + h / 2)]], np.float32)
    return np.asarray(cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def points(face: Found) -> NDArray[np.float64]:
    """The five landmarks in pixels of the picture the face was found in, shape (5, 2)."""
    zoom = face.eyes / max(float(np.hypot(*(face.landmarks[1] - face.landmarks[0]))), 1e-6)
    turn = math.radians(face.tilt)
    away = (face.landmarks - face.landmarks.mean(axis=0)) * zoom
    back = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    return np.asarray(face.middle + away @ back, np.float64)


def masked(image: Pixels, face: Found, colour: tuple[int, int, int] = (150, 185, 205)) -> Pixels:
    """Draw a surgical mask over nose and mouth: pleats, a shaded rim, loops to the ears."""
    eyes, nose, mouth = points(face)[:2], points(face)[2], points(face)[3:]
    across = eyes[1] - eyes[0]
    down = mouth.mean(axis=0) - eyes.mean(axis=0)
    middle = eyes.mean(axis=0) + 0.5 * down
    centre = nose + 0.45 * (mouth.mean(axis=0) - nose)
    wide = max(float(np.hypot(*across)), 0.75 * float(np.hypot(*down)))
    along = across / max(float(np.hypot(*across)), 1e-6)
    down = down / max(float(np.hypot(*down)), 1e-6)
    shape = [(-1.0, -0.22), (-0.45, -0.38), (0.0, -0.52), (0.45, -0.38), (1.0, -0.22), (0.92, 0.45), (0.5, 0.85), (0.0, 1.0),
             (-0.5, 0.85), (-0.92, 0.45)]  # fmt: skip
    outline = np.array([centre + wide * (u * along * 0.98 + v * down) for u, v in shape])
    made = image.astype(np.float32)
    for side in (-1, 1):
        ear = middle + along * side * wide * 1.35
        for corner in (outline[0 if side < 0 else 4], outline[9 if side < 0 else 5]):
            cv2.line(made, _at(corner), _at(ear), colour, max(1, round(wide / 40)), cv2.LINE_AA)
    cover = np.zeros(image.shape[:2], np.float32)
    cv2.fillPoly(cover, [outline.round().astype(np.int32)], 1.0, cv2.LINE_AA)
    cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), max(0.6, wide / 60)), np.float32)
    cloth = np.ones_like(made) * np.array(colour, np.float32)
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]].astype(np.float32)
    v = ((x - centre[0]) * down[0] + (y - centre[1]) * down[1]) / wide
    u = ((x - centre[0]) * along[0] + (y - centre[1]) * along[1]) / wide
    light = 1.0 - 0.28 * np.clip(np.abs(u), 0, 1) ** 2 + 0.05 * np.sin(v * 26)
    cloth *= light[..., None]
    made = made * (1 - cover[..., None]) + cloth * cover[..., None]
    return np.asarray(np.clip(made, 0, 255), np.uint8)


def sunglasses(image: Pixels, face: Found, colour: tuple[int, int, int] = (22, 22, 26)) -> Pixels:
    """Draw dark glasses: two lenses with a sheen, a bridge, the arms."""
    eyes = points(face)[:2]
    across = eyes[1] - eyes[0]
    wide = max(float(np.hypot(*across)), 1.0)
    along = across / wide
    down = np.array([-along[1], along[0]])
    made = image.astype(np.float32)
    angle = math.degrees(math.atan2(along[1], along[0]))
    cover = np.zeros(image.shape[:2], np.float32)
    for side, eye in zip((-1, 1), eyes, strict=True):
        centre = eye + down * 0.06 * wide
        cv2.ellipse(cover, _at(centre), (round(0.42 * wide), round(0.31 * wide)), angle, 0, 360, 1.0, -1, cv2.LINE_AA)
        cv2.line(cover, _at(eye + along * side * 0.4 * wide), _at(eye + along * side * 0.95 * wide), 1.0,
                 max(1, round(wide / 16)), cv2.LINE_AA)  # fmt: skip
    cv2.line(
        cover, _at(eyes[0] + along * 0.3 * wide), _at(eyes[1] - along * 0.3 * wide), 1.0, max(1, round(wide / 14)), cv2.LINE_AA
    )
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]].astype(np.float32)
    v = ((x - eyes[0][0]) * down[0] + (y - eyes[0][1]) * down[1]) / wide
    lens = np.ones_like(made) * np.array(colour, np.float32) + (26 * np.clip(-v * 3, 0, 1))[..., None]
    cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), max(0.5, wide / 90)), np.float32)[..., None] * 0.97
    return np.asarray(np.clip(made * (1 - cover) + lens * cover, 0, 255), np.uint8)


def side_lit(image: Pixels, face: Found, *, share: float = 0.12) -> Pixels:
    """Light from one side: the other half of the face keeps `share` of it."""
    marks = points(face)
    along = marks[1] - marks[0]
    wide = max(float(np.hypot(*along)), 1.0)
    along = along / wide
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]].astype(np.float32)
    u = ((x - marks[2][0]) * along[0] + (y - marks[2][1]) * along[1]) / wide
    light = share + (1 - share) / (1 + np.exp(-u * 6))
    return np.asarray(np.clip(image * light[..., None], 0, 255), np.uint8)


def against_light(image: Pixels, face: Found, *, share: float = 0.2) -> Pixels:
    """A bright window behind: the face keeps `share` of its light, everything around burns out."""
    x, y, w, h = face.box
    yy, xx = np.mgrid[0 : image.shape[0], 0 : image.shape[1]].astype(np.float32)
    far = np.hypot((xx - x - w / 2) / (0.75 * w), (yy - y - h / 2) / (0.7 * h))
    inside = 1 / (1 + np.exp((far - 1.0) * 8))
    made = image * (share * inside + (1 - inside) * 0.6)[..., None] + (1 - inside)[..., None] * 150
    return np.asarray(np.clip(made, 0, 255), np.uint8)


def statue(image: Pixels) -> Pixels:
    """As of marble: grey, hard relief, the grain of stone."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    flat = cv2.GaussianBlur(grey, (0, 0), max(image.shape[:2]) / 25)
    relief = 178 + 1.1 * (cv2.GaussianBlur(grey, (0, 0), max(1.0, max(image.shape[:2]) / 300)) - flat)
    dice = np.random.default_rng(3)
    veins = cv2.resize(dice.normal(0, 1, (24, 24)).astype(np.float32), image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    relief = relief + 7 * np.sin(veins * 5) + dice.normal(0, 2, grey.shape)
    return np.asarray(np.clip(relief[..., None] * np.array([1.0, 0.985, 0.95]), 0, 255), np.uint8)


def painting(image: Pixels) -> Pixels:
    """As in oil: flat strokes of few colours, the weave of canvas."""
    small = resized(image, min(700, max(image.shape[:2])))
    flat = small
    for _ in range(4):
        flat = np.asarray(cv2.bilateralFilter(flat, 9, 45, 9), np.uint8)
    flat = np.asarray(cv2.medianBlur(flat, 7), np.uint8)
    few = (flat.astype(np.float32) // 20) * 20 + 10
    y, x = np.mgrid[0 : small.shape[0], 0 : small.shape[1]].astype(np.float32)
    weave = 5 * np.sin(x * 1.9) * np.sin(y * 1.9)
    warm = few * np.array([1.05, 0.97, 0.82]) + weave[..., None]
    return np.asarray(np.clip(warm, 0, 255), np.uint8)


def cartoon(height: int = 900, width: int = 700) -> Pixels:
    """A face drawn with a few lines and flat colours, as in a comic strip."""
    made = np.full((height, width, 3), (120, 190, 235), np.uint8)
    centre = (width // 2, int(height * 0.46))
    wide, tall = int(width * 0.27), int(height * 0.28)
    line = (30, 20, 20)
    cv2.ellipse(made, (centre[0], int(height * 1.02)), (int(width * 0.42), int(height * 0.28)), 0, 0, 360, (200, 60, 60), -1)
    cv2.ellipse(made, (centre[0], centre[1] - tall // 5), (int(wide * 1.12), int(tall * 1.02)), 0, 180, 360, (70, 45, 30), -1)
    cv2.ellipse(made, centre, (wide, tall), 0, 0, 360, (250, 214, 180), -1, cv2.LINE_AA)
    cv2.ellipse(made, centre, (wide, tall), 0, 0, 360, line, 4, cv2.LINE_AA)
    for side in (-1, 1):
        eye = (centre[0] + side * int(wide * 0.42), centre[1] - int(tall * 0.12))
        cv2.ellipse(made, eye, (int(wide * 0.2), int(tall * 0.17)), 0, 0, 360, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.ellipse(made, eye, (int(wide * 0.2), int(tall * 0.17)), 0, 0, 360, line, 3, cv2.LINE_AA)
        cv2.circle(made, eye, int(wide * 0.09), (50, 90, 40), -1, cv2.LINE_AA)
        cv2.circle(made, eye, int(wide * 0.045), line, -1, cv2.LINE_AA)
        cv2.ellipse(made, (eye[0], eye[1] - int(tall * 0.24)), (int(wide * 0.24), int(tall * 0.08)), 0, 200, 340, line, 6)
    cv2.ellipse(made, (centre[0], centre[1] + int(tall * 0.2)), (int(wide * 0.1), int(tall * 0.09)), 0, 0, 160, line, 4)
    cv2.ellipse(made, (centre[0], centre[1] + int(tall * 0.42)), (int(wide * 0.36), int(tall * 0.18)), 0, 15, 165, line, 5)
    return made


def _at(point: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
