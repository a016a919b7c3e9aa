"""Selfies of a picture instead of a person: a print or a screen held before a phone's front camera, drawn from a still.

What a thief shows is a picture of the right person; what the camera takes of it is drawn here, the same for the same seed. The
light goes through a lens that blurs and a sensor that sees one colour to a pixel (Bayer), so that a screen's dots beat with
the sensor's as they do before a camera; then noise, a curve and JPEG. `genuine` takes the still itself through the same camera:
what tells one from the other is then not the camera. Drawings show what a check can see, not what thieves do.
"""

from __future__ import annotations

import math
from typing import Final, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.specimens.scenes import room
from verification.faces.detect import Found

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Species = Literal["print", "print close", "cut-out", "glossy print", "phone", "phone close", "laptop"]
SPECIES: tuple[Species, ...] = get_args(Species)

WIDE, TALL = 810, 1080  # pixels of a selfie as drawn
_LENS: Final = 975.0  # focal length in pixels: some 45 degrees across
_SIZES: Final[dict[Species, tuple[float, float]]] = {
    "print": (0.2, 0.34), "print close": (0.6, 0.75), "cut-out": (0.25, 0.42), "glossy print": (0.2, 0.36),
    "phone": (0.2, 0.34), "phone close": (0.55, 0.75), "laptop": (0.25, 0.5),
}  # fmt: skip
"""Height of the face as a share of the selfie's: most of a print is in view, or, close, hardly its edges."""


def genuine(still: Pixels, face: Found, *, seed: int) -> Pixels:
    """The still itself, cut as a selfie and taken through the drawn camera."""
    rng = np.random.default_rng([seed, 99])
    x, y, w, h = face.box
    zoom = rng.uniform(0.28, 0.5) * TALL / max(h, 1)
    zoom = max(zoom, WIDE / still.shape[1], TALL / still.shape[0])  # nothing is invented beyond the still's own ground
    middle = np.clip(
        [x + w / 2, y + h * 0.6],
        [WIDE / 2 / zoom, TALL / 2 / zoom],
        [still.shape[1] - WIDE / 2 / zoom, still.shape[0] - TALL / 2 / zoom],
    )
    matrix = np.array([[zoom, 0, WIDE / 2 - zoom * middle[0]], [0, zoom, TALL / 2 - zoom * middle[1]]])
    seen = cv2.warpAffine(still, matrix, (WIDE, TALL), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return taken(_linear(np.asarray(seen, np.uint8)), rng)


def presented(still: Pixels, face: Found, species: Species, *, seed: int) -> Pixels:
    """The selfie of the still held up as `species`. RGB uint8 of shape (TALL, WIDE, 3) or a smaller one alike."""
    rng = np.random.default_rng([seed, SPECIES.index(species)])
    behind = cv2.GaussianBlur(room(TALL, WIDE, seed=int(rng.integers(1 << 20))).astype(np.float32), (0, 0), rng.uniform(1, 8))
    behind = behind.mean(axis=2, keepdims=True) + (behind - behind.mean(axis=2, keepdims=True)) * rng.uniform(0.1, 0.5)
    scene = _linear(np.clip(behind, 0, 255).astype(np.uint8))
    if species == "cut-out":
        return taken(_cut_out(scene, still, face, rng), rng)
    shown, at, height = _cropped(still, face, species, rng)
    thing, at, height, screen = _thing(shown, at, height, species, rng)
    laid = _laid(at, height, rng.uniform(*_SIZES[species]) * TALL, rng)
    size = (WIDE, TALL)
    cover = cv2.warpPerspective(thing[..., 3], laid, size, flags=cv2.INTER_LINEAR)[..., None]
    colour = cv2.warpPerspective(np.ascontiguousarray(thing[..., :3]), laid, size, flags=cv2.INTER_CUBIC)
    colour = np.clip(colour, 0, 1)
    if screen is not None:
        colour = _dots(colour, laid, screen, rng)
    if species == "print" or species == "glossy print" or species == "print close":
        colour = _grain(colour, laid, rng) * _shade(rng)
    shadow = cv2.GaussianBlur(np.roll(cover[..., 0], (9, 6), axis=(0, 1)), (0, 0), 9)[..., None]
    scene = scene * (1 - 0.4 * shadow)
    scene = scene + (colour - scene) * cover
    if species == "glossy print" or (screen is not None and rng.random() < 0.6):
        scene = _shine(scene, cover[..., 0], rng, strong=species == "glossy print")
    if species in ("print", "glossy print", "phone"):
        scene = _thumb(scene, laid, thing.shape, rng)
    return taken(np.asarray(scene, np.float32), rng)


def taken(light: Floats, rng: np.random.Generator) -> Pixels:
    """A phone's front camera: lens, sensor, noise, demosaicing, white balance, curve, JPEG. `light`: linear 0-1."""
    seen = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.45, 0.8)) * rng.uniform(0.8, 1.1)
    raw = np.empty(seen.shape[:2], np.float32)
    raw[0::2, 0::2], raw[0::2, 1::2] = seen[0::2, 0::2, 0], seen[0::2, 1::2, 1]
    raw[1::2, 0::2], raw[1::2, 1::2] = seen[1::2, 0::2, 1], seen[1::2, 1::2, 2]
    raw += rng.normal(0, 1, raw.shape).astype(np.float32) * np.sqrt(rng.uniform(0.5e-5, 6e-5) + 4e-5 * np.maximum(raw, 0))
    whole = np.clip(raw * 65535, 0, 65535).astype(np.uint16)
    colour = cv2.cvtColor(whole, cv2.COLOR_BayerRGGB2RGB).astype(np.float32) / 65535
    colour *= np.array([rng.uniform(0.93, 1.08), 1.0, rng.uniform(0.93, 1.08)], np.float32)
    out = 255 * np.clip(colour, 0, 1) ** (1 / 2.2)
    if rng.random() < 0.5:  # what the browser or the app sends is smaller than what the sensor gave
        less = rng.uniform(0.55, 0.9)
        out = cv2.resize(out, None, fx=less, fy=less, interpolation=cv2.INTER_AREA)
    grade = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(75, 94))]
    packed = cv2.imencode(".jpg", out[..., ::-1].round().astype(np.uint8), grade)[1]
    return np.ascontiguousarray(cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1])


def _linear(picture: Pixels) -> Floats:
    return np.asarray((picture.astype(np.float32) / 255) ** 2.2, np.float32)


def _cropped(still: Pixels, face: Found, species: Species, rng: np.random.Generator) -> tuple[Pixels, NDArray[np.float64], float]:
    """The part of the still that is shown: upright, about a face. With the face's middle and height in its pixels."""
    x, y, w, h = face.box
    aspect = {"phone": 9 / 16, "phone close": 9 / 16, "laptop": 1.0}.get(species, float(rng.choice((0.75, 0.8, 2 / 3))))
    tall = min(still.shape[0], h * rng.uniform(2.1, 2.8), still.shape[1] / aspect)
    wide = tall * aspect
    left = float(np.clip(x + w / 2 - wide / 2, 0, still.shape[1] - wide))
    top = float(np.clip(y + h / 2 - 0.45 * tall, 0, still.shape[0] - tall))
    zoom = 900 / tall
    matrix = np.array([[zoom, 0, -zoom * left], [0, zoom, -zoom * top]])
    part = cv2.warpAffine(still, matrix, (round(900 * aspect), 900), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(part, np.uint8), np.array([(x + w / 2 - left) * zoom, (y + h / 2 - top) * zoom]), h * zoom


def _thing(
    shown: Pixels, at: NDArray[np.float64], height: float, species: Species, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.float64], float, float | None]:
    """The print or device: linear colour and cover (H, W, 4), the face's place and height in it, a screen's dots to a pixel.

    A monitor of 110 dots to the inch whose face is as large as life has 0.25 to 0.7 in a selfie of 12 MP, a phone of 460 more.
    """
    picture = _linear(shown)
    if species in ("print", "print close", "glossy print"):
        rim = int(rng.choice((0, 25, 45))) if species != "glossy print" else int(rng.choice((0, 30)))
        ink = 0.03 + 0.87 * picture  # paper is not white, ink not black
        ink = ink * (1 - 0.12 * rng.random()) + 0.12 * rng.random() * ink.mean(axis=2, keepdims=True)
        thing = cv2.copyMakeBorder(ink, rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=(0.86, 0.86, 0.84))
        return _covered(thing, 0), at + rim, height, None
    lit = picture * np.array([rng.uniform(0.85, 1.0), 1.0, rng.uniform(1.0, 1.2)], np.float32) * rng.uniform(0.6, 1.05) + 0.01
    if species == "laptop":
        around = float(rng.choice((0.01, 0.03, 0.8)))
        aside = int(rng.integers(200, 420))
        page = cv2.copyMakeBorder(lit, 30, 60, aside, aside, cv2.BORDER_CONSTANT, value=(around,) * 3)
        thing = cv2.copyMakeBorder(page, 30, 50, 26, 26, cv2.BORDER_CONSTANT, value=(0.012,) * 3)
        return _covered(thing, 12), at + np.array([aside + 26, 60]), height, rng.uniform(0.25, 0.7)
    bars = int(rng.choice((0, 70)))
    page = cv2.copyMakeBorder(lit, bars, bars, 0, 0, cv2.BORDER_CONSTANT, value=(0.008,) * 3)
    thing = cv2.copyMakeBorder(page, 24, 24, 14, 14, cv2.BORDER_CONSTANT, value=(0.01, 0.01, 0.011))
    return _covered(thing, 45), at + np.array([14, bars + 24]), height, rng.uniform(0.4, 0.95)


def _covered(thing: Floats, radius: int) -> Floats:
    """Add a cover with round corners."""
    tall, wide = thing.shape[:2]
    cover = np.zeros((tall, wide), np.float32)
    r = max(1, radius)
    cv2.rectangle(cover, (r, 0), (wide - r - 1, tall - 1), 1.0, -1)
    cv2.rectangle(cover, (0, r), (wide - 1, tall - r - 1), 1.0, -1)
    for corner in ((r, r), (wide - r - 1, r), (r, tall - r - 1), (wide - r - 1, tall - r - 1)):
        cv2.circle(cover, corner, r, 1.0, -1)
    return np.dstack([thing, cover]).astype(np.float32)


def _laid(at: NDArray[np.float64], height: float, wanted: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """The homography that shows the thing's face `wanted` pixels high near the middle, turned a little."""
    yaw, pitch, roll = np.radians(rng.normal(0, (9.0, 7.0, 4.0)))
    turn = cv2.Rodrigues(np.array([0.0, 0.0, roll]))[0] @ cv2.Rodrigues(np.array([pitch, 0.0, 0.0]))[0]
    turn = turn @ cv2.Rodrigues(np.array([0.0, yaw, 0.0]))[0]
    unit = wanted / height / _LENS  # of the distance
    plane = np.c_[turn[:, 0] * unit, turn[:, 1] * unit, np.array([0.0, 0.0, 1.0])]
    lens = np.array([[_LENS, 0, WIDE / 2 + rng.normal(0, 30)], [0, _LENS, TALL * 0.48 + rng.normal(0, 30)], [0, 0, 1]])
    return np.asarray(lens @ plane @ np.array([[1, 0, -at[0]], [0, 1, -at[1]], [0, 0, 1]]))


def _places(laid: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Where each pixel of the selfie lies on the thing."""
    y, x = np.mgrid[0:TALL, 0:WIDE].astype(np.float64)
    back = np.linalg.inv(laid)
    u, v, w = (row[0] * x + row[1] * y + row[2] for row in back)
    return (u / w).astype(np.float32), (v / w).astype(np.float32)


def _dots(colour: Floats, laid: NDArray[np.float64], dots: float, rng: np.random.Generator) -> Floats:
    """Columns of red, green and blue, and dark lines between rows, as far as lens and pixel let them through."""
    u, v = _places(laid)
    middle = u[TALL // 2, WIDE // 2 : WIDE // 2 + 2]
    left = math.exp(-2 * (math.pi * 0.35 * dots) ** 2) * abs(float(np.sinc(dots)))  # a pixel's own width, a good lens
    dots = dots / abs(float(middle[1] - middle[0]))  # to a pixel of the thing
    columns = np.stack([1 + 1.1 * left * np.cos(2 * math.pi * (u * dots - k / 3)) for k in range(3)], axis=-1)
    rows = 1 + 0.5 * left * np.cos(2 * math.pi * v * dots)
    return np.asarray(np.maximum(colour * columns * rows[..., None], 0), np.float32)


def _grain(colour: Floats, laid: NDArray[np.float64], rng: np.random.Generator) -> Floats:
    """The raster of a colour print, four turned screens, mostly finer than the camera sees; paper's own grain."""
    u, v = _places(laid)
    step = u[TALL // 2, WIDE // 2 : WIDE // 2 + 2]
    pitch = rng.uniform(0.25, 0.8)  # dots to a pixel of the print: a print of 900 pixels is 15 cm high
    each = abs(float(step[1] - step[0])) * pitch
    left = math.exp(-2 * (math.pi * 0.35 * each) ** 2) * abs(float(np.sinc(each))) * rng.uniform(0.05, 0.5)
    angles = np.radians((15.0, 75.0, 0.0))
    turned = [u * math.cos(a) + v * math.sin(a) for a in angles], [v * math.cos(a) - u * math.sin(a) for a in angles]
    ink = [np.cos(2 * math.pi * pitch * p) * np.cos(2 * math.pi * pitch * q) for p, q in zip(*turned, strict=True)]
    return np.asarray(np.clip(colour * (1 + left * np.stack(ink, axis=-1) * (1 - colour)), 0, 1), np.float32)


def _shade(rng: np.random.Generator) -> Floats:
    """The lamp lights one end of a sheet more than the other."""
    return np.linspace(1.0, rng.uniform(0.6, 0.95), TALL, dtype=np.float32)[:, None, None] * np.float32(rng.uniform(0.8, 1.0))


def _shine(scene: Floats, cover: Floats, rng: np.random.Generator, *, strong: bool) -> Floats:
    """A lamp or a window mirrored by glass or gloss: burnt out in its middle, only where the thing is."""
    y, x = np.mgrid[0:TALL, 0:WIDE].astype(np.float32)
    cx, cy = rng.uniform(0.3, 0.7) * WIDE, rng.uniform(0.25, 0.7) * TALL
    a, turn = rng.uniform(0.06, 0.16) * TALL, rng.uniform(0, math.pi)
    b = a * rng.uniform(0.3, 0.9)
    u = ((x - cx) * math.cos(turn) + (y - cy) * math.sin(turn)) / a
    v = ((y - cy) * math.cos(turn) - (x - cx) * math.sin(turn)) / b
    spot = (np.maximum(np.abs(u), np.abs(v)) < 1) if rng.random() < 0.5 else (np.hypot(u, v) < 1)
    soft = cv2.GaussianBlur(spot.astype(np.float32), (0, 0), rng.uniform(3, 30))
    light = soft * cover * (rng.uniform(0.7, 1.4) if strong else rng.uniform(0.1, 0.8))
    return np.asarray(scene + light[..., None], np.float32)


def _thumb(scene: Floats, laid: NDArray[np.float64], shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """A thumb over the thing's lower edge or its side."""
    tall, wide = shape[:2]
    low = rng.random() < 0.6
    on = (rng.uniform(0.2, 0.8) * wide, 0.97 * tall) if low else (0.97 * wide, rng.uniform(0.5, 0.9) * tall)
    tip = cv2.perspectiveTransform(np.array([[on]]), laid)[0, 0]
    away = tip + (np.array([30.0, 400.0]) if low else np.array([400.0, 60.0]))
    mask = np.zeros((TALL, WIDE), np.float32)
    ends = [(round(float(p[0])), round(float(p[1]))) for p in (tip, away)]
    cv2.line(mask, ends[0], ends[1], 1.0, int(rng.integers(45, 68)), cv2.LINE_AA)
    mask = cv2.GaussianBlur(mask, (0, 0), 3)[..., None]
    return np.asarray(scene * (1 - mask) + mask * np.array([0.55, 0.33, 0.24], np.float32) * rng.uniform(0.3, 1.0), np.float32)


def _cut_out(scene: Floats, still: Pixels, face: Found, rng: np.random.Generator) -> Floats:
    """Head and shoulders cut along their outline and held before the room."""
    x, y, w, h = face.box
    zoom = rng.uniform(*_SIZES["cut-out"]) * TALL / max(h, 1)
    turn = math.radians(rng.normal(0, 4))
    c, s = zoom * math.cos(turn), zoom * math.sin(turn)
    at = np.array([x + w / 2, y + h / 2])
    matrix = np.array([[c, -s, 0], [s, c, 0]])
    matrix[:, 2] = np.array([WIDE / 2, TALL * 0.42]) - matrix[:, :2] @ at
    ink = cv2.warpAffine(0.03 + 0.87 * _linear(still), matrix, (WIDE, TALL), flags=cv2.INTER_CUBIC)
    mask = np.zeros((TALL, WIDE), np.float32)
    tall, wide = h * zoom, w * zoom
    middle, neck = (WIDE // 2, round(TALL * 0.42 - 0.1 * tall)), round(TALL * 0.42 + 1.3 * tall)
    cv2.ellipse(mask, middle, (round(0.75 * wide), round(0.75 * tall)), math.degrees(turn), 0, 360, 1.0, -1, cv2.LINE_AA)
    cv2.ellipse(mask, (WIDE // 2, neck), (round(1.5 * wide), round(0.75 * tall)), 0, 180, 360, 1.0, -1, cv2.LINE_AA)
    mask *= cv2.warpAffine(np.ones(still.shape[:2], np.float32), matrix, (WIDE, TALL))
    mask = cv2.GaussianBlur(mask, (0, 0), 0.7)[..., None]
    return np.asarray(scene + (np.clip(ink, 0, 1) - scene) * mask, np.float32)
