"""Draw faces of nobody: a head from a handful of numbers, in another pose, light and mood each time. Made for practice cases.

No photograph stands behind them and no network made them, so there is nobody they could be. The same `Looks` give the same person;
`Pose` says how this picture of the person was taken. A face network finds no face here and must not be asked.
"""

# ruff: noqa: E501 - one person a line is easier to compare than a wrapped one
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

FINE = 2
"""Drawn this many times larger and made small again, so that edges are smooth."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Looks:
    """What makes a person: shares of the head's width unless said otherwise."""

    skin: Colour
    hair: Colour
    iris: Colour
    hair_style: Literal["short", "side", "long", "bun", "bald", "curly"]
    wide: float = 1.0  # of the head, against the usual
    jaw: float = 0.7  # of the chin, against the cheeks
    eyes_apart: float = 0.44
    eye: float = 0.17
    brow: float = 0.030  # thickness
    arch: float = 0.05  # of the brows
    nose: float = 0.40  # length
    nose_wide: float = 0.15
    mouth: float = 0.40
    lips: float = 0.055
    ears: float = 0.12
    beard: Literal["none", "stubble", "full", "moustache"] = "none"
    mole: tuple[float, float] | None = None  # from the middle of the face, in halves of its width and height
    lines: bool = False  # of age


@dataclass(frozen=True, kw_only=True, slots=True)
class Pose:
    """How this picture was taken."""

    turn: float = 0.0  # -1 to 1, to the person's left
    tilt: float = 0.0  # degrees
    smile: float = 0.2
    light: float = 0.0  # -1 from the left, 1 from the right
    ground: Colour = (196, 202, 206)
    coat: Colour = (70, 82, 104)
    glasses: bool = False
    grown: Literal["none", "stubble", "full"] | None = None  # another beard than usual
    head: float = 0.27  # half of the head's height, share of the picture's
    seed: int = 1


def draw(looks: Looks, pose: Pose, width: int, height: int) -> Pixels:
    """Return the picture, RGB uint8 of shape (height, width, 3)."""
    w, h = width * FINE, height * FINE
    rng = np.random.default_rng([pose.seed, 31])
    rows = np.linspace(1.06, 0.86, h)[:, None, None]
    image = Image.fromarray(np.clip(np.full((h, w, 3), pose.ground) * rows, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    tall = h * pose.head
    half = tall * 0.74 * looks.wide
    x, y = w * 0.5, h * 0.46
    f = half * 2
    shift = pose.turn * half * 0.22
    skin, dark, deep = looks.skin, _tone(looks.skin, 0.86), _tone(looks.skin, 0.72)

    # behind the head
    if looks.hair_style == "long":
        pen.rounded_rectangle(
            (x - half * 1.28, y - tall * 0.9, x + half * 1.28, y + tall * 1.45), int(half * 0.8), fill=looks.hair
        )
    if looks.hair_style == "bun":
        pen.ellipse((x - half * 0.5, y - tall * 1.65, x + half * 0.5, y - tall * 0.8), fill=_tone(looks.hair, 0.9))
    if looks.hair_style == "curly":
        for angle in np.linspace(math.pi * 0.92, math.pi * 2.08, 15):
            cx, cy = x + math.cos(angle) * half * 1.12, y + math.sin(angle) * tall * 0.98
            pen.ellipse((cx - half * 0.36, cy - half * 0.36, cx + half * 0.36, cy + half * 0.36), fill=looks.hair)
    # shoulders and neck
    pen.rounded_rectangle((x - half * 2.15, y + tall * 1.32, x + half * 2.15, h * 1.3), int(half * 0.9), fill=pose.coat)
    pen.polygon(
        [(x - half * 0.55, y + tall * 1.3), (x + half * 0.55, y + tall * 1.3), (x, y + tall * 1.85)], fill=_tone(pose.coat, 1.35)
    )
    pen.rounded_rectangle((x - half * 0.46, y + tall * 0.5, x + half * 0.46, y + tall * 1.5), int(half * 0.3), fill=dark)
    # ears and head
    for side in (-1, 1):
        ex = x + side * half * 0.98 - shift * 0.35
        pen.ellipse((ex - f * looks.ears * 0.62, y - tall * 0.16, ex + f * looks.ears * 0.62, y + tall * 0.30), fill=dark)
    outline = []
    for angle in np.linspace(0, 2 * math.pi, 120):
        c, s = math.cos(angle), math.sin(angle)
        narrow = 1.0 if s < 0 else 1.0 - (1.0 - looks.jaw) * s**1.6
        outline.append((x + half * c * narrow + (shift * 0.25 if s > 0.2 else 0), y + tall * s))
    pen.polygon(outline, fill=skin)
    fx, fy = x + shift, y
    # cheeks
    blush = Image.new("L", image.size, 0)
    soft = ImageDraw.Draw(blush)
    for side in (-1, 1):
        cx, cy = fx + side * half * 0.55, fy + tall * 0.28
        soft.ellipse((cx - half * 0.26, cy - tall * 0.14, cx + half * 0.26, cy + tall * 0.14), fill=46)
    image.paste(Image.new("RGB", image.size, (200, 96, 84)), (0, 0), blush.filter(ImageFilter.GaussianBlur(half * 0.09)))
    # beard
    beard = pose.grown or looks.beard
    if beard != "none":
        cover = Image.new("L", image.size, 0)
        soft = ImageDraw.Draw(cover)
        strength = {"stubble": 70, "full": 235, "moustache": 235}[beard]
        if beard != "moustache":
            soft.polygon([p for p in outline if p[1] > fy + tall * 0.24], fill=strength)
            soft.ellipse((fx - half * 0.66, fy - tall * 0.2, fx + half * 0.66, fy + tall * 0.46), fill=0)
        soft.ellipse((fx - half * 0.42, fy + tall * 0.40, fx + half * 0.42, fy + tall * 0.56), fill=strength)
        image.paste(Image.new("RGB", image.size, looks.hair), (0, 0), cover.filter(ImageFilter.GaussianBlur(half * 0.03)))
        pen = ImageDraw.Draw(image)
    # eyes and brows
    line = max(2, int(f * 0.012))
    for side in (-1, 1):
        near = 1.0 - side * pose.turn * 0.16
        ex, ey = fx + side * half * looks.eyes_apart * near, fy - tall * 0.05
        rx, ry = half * looks.eye * near, half * looks.eye * 0.52
        pen.ellipse((ex - rx, ey - ry, ex + rx, ey + ry), fill=(247, 245, 242))
        gaze = pose.turn * rx * 0.3
        r = ry * 0.98
        pen.ellipse((ex + gaze - r, ey - r, ex + gaze + r, ey + r), fill=looks.iris)
        pen.ellipse((ex + gaze - r * 0.48, ey - r * 0.48, ex + gaze + r * 0.48, ey + r * 0.48), fill=(22, 20, 22))
        pen.ellipse((ex + gaze - r * 0.5, ey - r * 0.55, ex + gaze - r * 0.1, ey - r * 0.15), fill=(250, 250, 250))
        pen.arc((ex - rx * 1.05, ey - ry * 1.2, ex + rx * 1.05, ey + ry * 1.3), 195, 345, fill=_tone(looks.hair, 0.5), width=line)
        bend = half * looks.arch
        by = ey - half * 0.24
        brow = [(ex - side * rx * -1.25, by + bend * 0.9), (ex, by - bend), (ex - side * rx * 1.2, by + bend * 0.4)]
        pen.line(brow, fill=_tone(looks.hair, 0.8), width=max(3, int(f * looks.brow)), joint="curve")
        if looks.lines:
            pen.arc((ex - rx, ey + ry * 0.8, ex + rx, ey + ry * 2.6), 200, 340, fill=dark, width=max(2, line // 2))
    # nose
    length, base = tall * looks.nose, half * looks.nose_wide
    nx, ny = fx + pose.turn * half * 0.14, fy + length
    pen.line(
        [(fx + half * 0.06, fy + tall * 0.02), (nx + base * (1.1 if pose.turn >= 0 else -1.1), ny - base * 0.3)],
        fill=dark,
        width=line,
    )
    pen.arc((nx - base * 1.2, ny - base * 0.9, nx + base * 1.2, ny + base * 0.55), 15, 165, fill=deep, width=line)
    # mouth
    mx, my, mw = fx + pose.turn * half * 0.05, fy + tall * 0.62, half * looks.mouth
    lip: Colour = (176, 92, 88) if beard != "full" else (168, 98, 92)
    rise = tall * 0.10 * pose.smile
    top = [
        (mx - mw, my - rise),
        (mx - mw * 0.3, my - half * looks.lips),
        (mx, my - half * looks.lips * 0.5),
        (mx + mw * 0.3, my - half * looks.lips),
        (mx + mw, my - rise),
    ]
    low = [
        (mx + mw * 0.6, my + half * looks.lips * 0.9),
        (mx, my + half * looks.lips * 1.5),
        (mx - mw * 0.6, my + half * looks.lips * 0.9),
    ]
    pen.polygon(top + low, fill=lip)
    pen.line([top[0], (mx, my + rise * 0.25), top[-1]], fill=_tone(lip, 0.6), width=line, joint="curve")
    if looks.lines:
        for side in (-1, 1):
            pen.arc(
                (mx + side * mw * 1.2 - mw * 0.5, fy + tall * 0.34, mx + side * mw * 1.2 + mw * 0.5, fy + tall * 0.72),
                180 if side > 0 else 300,
                240 if side > 0 else 360,
                fill=dark,
                width=line,
            )
        for row in (0.50, 0.58):
            pen.arc(
                (fx - half * 0.5, fy - tall * (row + 0.1), fx + half * 0.5, fy - tall * (row - 0.14)),
                215,
                325,
                fill=dark,
                width=max(2, line // 2),
            )
    # hair in front
    if looks.hair_style in ("short", "side", "long", "bun", "curly"):
        crown = [
            (x + half * 1.05 * math.cos(a), y + tall * 1.06 * math.sin(a))
            for a in np.linspace(math.pi * 1.02, math.pi * 1.98, 60)
        ]
        if looks.hair_style == "side":
            fringe = [
                (x + half * 0.98, y - tall * 0.28),
                (x + half * 0.2, y - tall * 0.56),
                (x - half * 0.5, y - tall * 0.52),
                (x - half * 0.98, y - tall * 0.12),
            ]
        elif looks.hair_style == "long":
            fringe = [
                (x + half * 1.04, y - tall * 0.1),
                (x + half * 0.55, y - tall * 0.52),
                (x, y - tall * 0.66),
                (x - half * 0.55, y - tall * 0.52),
                (x - half * 1.04, y - tall * 0.1),
            ]
        else:
            fringe = [
                (x + half * 0.98, y - tall * 0.2),
                (x + half * 0.62, y - tall * 0.55),
                (x - half * 0.62, y - tall * 0.55),
                (x - half * 0.98, y - tall * 0.2),
            ]
        pen.polygon(crown + fringe, fill=looks.hair)
    if looks.mole is not None:
        ox, oy = fx + looks.mole[0] * half, fy + looks.mole[1] * tall
        r = f * 0.016
        pen.ellipse((ox - r, oy - r, ox + r, oy + r), fill=(74, 48, 40))
    if pose.glasses:
        for side in (-1, 1):
            ex, ey = fx + side * half * looks.eyes_apart, fy - tall * 0.05
            pen.rounded_rectangle(
                (ex - half * 0.3, ey - half * 0.2, ex + half * 0.3, ey + half * 0.24),
                int(half * 0.12),
                outline=(38, 36, 40),
                width=max(4, int(f * 0.018)),
            )
        pen.line(
            [(fx - half * 0.14, fy - tall * 0.06), (fx + half * 0.14, fy - tall * 0.06)],
            fill=(38, 36, 40),
            width=max(4, int(f * 0.018)),
        )
    image = image.filter(ImageFilter.GaussianBlur(FINE * width / 640))
    if pose.tilt:
        image = image.rotate(pose.tilt, Image.Resampling.BICUBIC, center=(x, y + tall), fillcolor=pose.ground)
    small = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS), np.float32)
    # light from one side, round as a head
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    small = small * (1 + 0.20 * pose.light * across) * (1.03 - 0.07 * across**2)
    small = small + rng.normal(0, 1.6, small.shape)
    return np.clip(small + 0.5, 0, 255).astype(np.uint8)


def _tone(colour: Colour, by: float) -> Colour:
    r, g, b = (min(255, int(c * by)) for c in colour)
    return r, g, b


PEOPLE: dict[str, Looks] = {
    "anna": Looks(skin=(236, 204, 182), hair=(104, 66, 38), iris=(96, 122, 92), hair_style="long", jaw=0.62, lips=0.075, arch=0.07),
    "boris": Looks(skin=(228, 190, 162), hair=(58, 42, 32), iris=(84, 64, 46), hair_style="short", jaw=0.84, wide=1.06, brow=0.045, nose=0.44, nose_wide=0.19),
    "carla": Looks(skin=(206, 160, 124), hair=(38, 28, 26), iris=(58, 42, 34), hair_style="bun", jaw=0.66, eye=0.19, lips=0.085, mouth=0.42, mole=(0.44, 0.42)),
    "dauren": Looks(skin=(220, 178, 138), hair=(26, 24, 26), iris=(52, 40, 34), hair_style="side", jaw=0.78, wide=1.1, eye=0.15, brow=0.034, arch=0.03, eyes_apart=0.47),
    "elena": Looks(skin=(242, 214, 196), hair=(206, 164, 98), iris=(92, 128, 158), hair_style="long", jaw=0.60, wide=0.94, eye=0.18, arch=0.06, nose=0.36),
    "felix": Looks(skin=(198, 148, 110), hair=(42, 34, 30), iris=(60, 44, 34), hair_style="curly", jaw=0.76, nose=0.43, lips=0.07, beard="stubble"),
    "gulnara": Looks(skin=(226, 186, 148), hair=(30, 26, 28), iris=(54, 42, 36), hair_style="long", jaw=0.68, wide=1.05, eye=0.15, arch=0.03, lips=0.065),
    "hugo": Looks(skin=(214, 170, 136), hair=(150, 146, 140), iris=(92, 104, 96), hair_style="side", jaw=0.76, lines=True, brow=0.042, nose=0.46, mouth=0.36),
    "igor": Looks(skin=(232, 196, 170), hair=(146, 104, 60), iris=(88, 120, 150), hair_style="short", jaw=0.72, wide=0.95, eyes_apart=0.41, nose=0.42, beard="full"),
    "julia": Looks(skin=(230, 192, 166), hair=(134, 58, 36), iris=(86, 116, 78), hair_style="curly", jaw=0.64, lips=0.07, mole=(-0.36, 0.2)),
    "kairat": Looks(skin=(208, 164, 122), hair=(28, 26, 28), iris=(50, 38, 32), hair_style="short", jaw=0.8, wide=1.12, eye=0.145, brow=0.04, beard="moustache"),
    "lev": Looks(skin=(234, 200, 176), hair=(64, 52, 46), iris=(78, 92, 104), hair_style="bald", jaw=0.78, wide=1.02, lines=True, brow=0.036),
    # Look-alikes, for those who must look twice: much is the same, what does not change with age and light is not.
    "anna_like": Looks(skin=(234, 200, 178), hair=(104, 66, 38), iris=(74, 58, 44), hair_style="long", jaw=0.78, lips=0.045, arch=0.02, eyes_apart=0.50, nose=0.47, nose_wide=0.20),
    "dauren_like": Looks(skin=(218, 174, 134), hair=(26, 24, 26), iris=(52, 40, 34), hair_style="side", jaw=0.92, wide=1.02, eye=0.18, brow=0.05, arch=0.0, eyes_apart=0.40, nose=0.47, nose_wide=0.21, mouth=0.48),
}  # fmt: skip
"""Twelve people and two who look much like one of them."""
