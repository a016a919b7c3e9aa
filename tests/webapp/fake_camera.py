"""What a phone's camera would see, drawn: films for Chromium's --use-file-for-fake-video-capture.

A film is an upright Y4M of few frames, each shown for SECONDS: the page of a passport of nobody on a table, good or spoiled,
placed where the portal's guide lies on a phone of 390 x 844; or a drawn face. Not a real camera: no noise between frames, no
focus that hunts. It shows that the page says the right words about what it sees, not how well it sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.specimens import draw, people, scenes
from tests.specimens.photograph import Defect, shoot

Pixels = NDArray[np.uint8]
Scene = Literal["good", "dark", "glare", "cut off", "far", "table", "blurred", "spread", "face", "dark face", "black"]

WIDE, TALL = 720, 1280
"""Pixels: what a phone's camera gives a page held upright."""

SECONDS = 2
"""How long a frame is shown: longer than the page waits before it changes its words."""

GUIDE = 0.756 * WIDE
"""Width of the guide in the film, pixels: 92 % of the 592 that a screen of 390 x 844 shows."""

MIDDLE = 0.5 * TALL
"""Where the middle of the guide lies, pixels from above."""

TODAY = date(2026, 11, 22)


@lru_cache
def frame(scene: Scene) -> Pixels:
    """One frame of a film, RGB uint8 of shape (TALL, WIDE, 3)."""
    if scene == "black":
        return np.zeros((TALL, WIDE, 3), np.uint8)
    if scene in ("face", "dark face"):
        face = cv2.resize(scenes.cartoon(900, 700), (WIDE, round(WIDE * 900 / 700)), interpolation=cv2.INTER_AREA)
        above = (TALL - face.shape[0]) // 2 - 60
        whole = cv2.copyMakeBorder(face, above, TALL - face.shape[0] - above, 0, 0, cv2.BORDER_REPLICATE)
        return np.asarray(whole * 0.1, np.uint8) if scene == "dark face" else np.asarray(whole, np.uint8)
    shot, corners = _photo("spread" if scene == "spread" else scene if scene in ("glare", "blurred") else "good")
    share = {"far": 0.5, "spread": 0.9}.get(scene, 0.94)
    scale = share * GUIDE / float(np.ptp(corners[:, 0]))
    centre = (corners.min(axis=0) + corners.max(axis=0)) / 2 * scale
    down = 0.3 * float(np.ptp(corners[:, 1])) * scale if scene == "cut off" else 0.0
    matrix = np.array([[scale, 0, WIDE / 2 - centre[0]], [0, scale, MIDDLE + down - centre[1]]], np.float64)
    strip = shot[:, :40]  # the table beside the page: it goes on to the edges of the film
    film = np.tile(cv2.resize(np.hstack([strip, strip[:, ::-1]]), (80, TALL)), (1, WIDE // 80 + 1, 1))[:, :WIDE].copy()
    if scene != "table":
        small = cv2.GaussianBlur(shot, (0, 0), 0.35 / scale)
        cv2.warpAffine(small, matrix, (WIDE, TALL), dst=film, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
    if scene == "dark":
        film = film * 0.15
    return np.asarray(film, np.uint8)


@lru_cache
def _photo(look: str) -> tuple[Pixels, NDArray[np.float32]]:
    """A photo of a page on a table, and the page's corners in it."""
    if look == "spread":
        page = draw.draw_ru_internal(people.russian_at_home(TODAY), scenes.cartoon()).image
    else:
        page = draw.draw_td3(people.utopian(TODAY), scenes.cartoon(), country="UTO").image
    defect: Defect | None = "glare" if look == "glare" else "blurred" if look == "blurred" else None
    shot = shoot(page, seed=3, hardness="easy", defect=defect)
    tall, wide = page.shape[:2]
    return shot.image, shot.place(np.array([[0, 0], [wide, 0], [wide, tall], [0, tall]], np.float32))


def film(file: Path, scenes_shown: Sequence[Scene]) -> Path:
    """Write a film of these scenes, SECONDS each, and return its path. Chromium shows it over and over."""
    with file.open("wb") as out:
        out.write(f"YUV4MPEG2 W{WIDE} H{TALL} F1:1 Ip A1:1 C420jpeg\n".encode())  # a picture a second: no slower film is shown
        for scene in scenes_shown:
            out.write((b"FRAME\n" + cv2.cvtColor(frame(scene), cv2.COLOR_RGB2YUV_I420).tobytes()) * SECONDS)
    return file


def flags(film_file: Path | None = None, *, allowed: bool = True) -> list[str]:
    """What Chromium is started with: a camera that shows the film (its own test picture without one), allowed or not."""
    given = ["--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream"]
    if film_file is not None:
        given.append(f"--use-file-for-fake-video-capture={film_file}")
    return [*given, "--use-fake-ui-for-media-stream"] if allowed else given
