"""The head-turn challenge: what is asked, what is sent back, and the names of the signs that speak against a living face.

Plain facts, so that portal and cases may hold them: what the frames show is found out by `faces.liveness` alone. A burst
holds pictures of a person: it is kept encrypted like a photo and never logged.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from verification.hints import Rate


class Turn(StrEnum):
    """A direction the person is asked to turn her head to: her own left and right."""

    LEFT = "left"
    RIGHT = "right"


class Sign(StrEnum):
    """What speaks against a living face in front of a camera. Weak: none is proof, and each can be wrong."""

    FRAMES_REPEATED = "frames_repeated"  # two frames are the same picture to the last pixel
    TIMES_IMPOSSIBLE = "times_impossible"  # the browser's times do not fit each other or the server's clock
    CAMERA_VIRTUAL = "camera_virtual"  # the camera's name is that of a program
    # In the selfie itself (faces.passive), head turn or not.
    SCREEN_PATTERN = "screen_pattern"  # one fine regular pattern over face and ground
    PICTURE_EDGES = "picture_edges"  # straight edges frame the face, as those of a print or a device held up
    GLASS_GLARE = "glass_glare"  # a lamp is mirrored across face and ground


RATES: Final[dict[Sign, Rate]] = {
    Sign.SCREEN_PATTERN: Rate(false_alarms=0, genuine=440, found=51, attacked=417),
    Sign.PICTURE_EDGES: Rate(false_alarms=0, genuine=440, found=190, attacked=417),
    Sign.GLASS_GLARE: Rate(false_alarms=1, genuine=440, found=25, attacked=417),
}
"""Signs of a single selfie, as `tests/benchmarks/liveness.py --signs` prints them ("photographs", "attacks"), for people on whom
no line was chosen. Attacks of seven species are drawn: `found` says what the check can see, not what thieves do.
"""

ORDERS: Final[tuple[tuple[Turn, ...], ...]] = (
    (Turn.LEFT, Turn.RIGHT),
    (Turn.RIGHT, Turn.LEFT),
    (Turn.LEFT, Turn.RIGHT, Turn.LEFT),
    (Turn.RIGHT, Turn.LEFT, Turn.RIGHT),
)
"""What may be asked; the caller draws one. The side changes each time: "left again" puzzles people. A recording of another
order fails; four orders stop no patient thief with a video, and nothing here claims so."""

FRAMES_PER_STEP: Final = 2
"""Frames of looking straight and of each turn: one may be blurred."""

MIN_FRAMES: Final = 4
MAX_FRAMES: Final = 10
MAX_FRAME_BYTES: Final = 40 * 1024
"""A face of some 200 pixels in a JPEG of 480 x 640; a burst stays under 400 KB on a phone's connection."""

MAX_CAMERA_NAME: Final = 200
"""Letters of a camera's name that are looked at; browsers give some 20 to 60."""

SECONDS: Final = 120.0
"""From drawing to arrival: four prompts of three or six seconds, the camera's permission, a slow connection."""


class BurstRejected(ValueError):
    """What was sent is no answer to a challenge. The text says what is wrong, never what it shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """What was asked: the turns in their order, after looking straight, and how long it holds (seconds)."""

    turns: tuple[Turn, ...]
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        """Raises ValueError for no turns or no time."""
        if not self.turns or not (math.isfinite(self.seconds) and self.seconds > 0):
            raise ValueError("a challenge asks for one turn at least and gives time for it")


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Burst:
    """What came back: JPEGs as the browser made them, each with its time and the step it was taken in.

    `times`: seconds since the first prompt, by the browser's clock. `steps`: 0 while looking straight, then 1, 2 … by turn.
    `elapsed`: seconds from drawing to arrival, by the server's clock. `camera`: the camera's name, as the browser tells it.
    All but `elapsed` comes from a stranger and may be made up.
    """

    challenge: Challenge
    frames: tuple[bytes, ...]
    times: tuple[float, ...]
    steps: tuple[int, ...]
    elapsed: float
    camera: str = ""

    def __post_init__(self) -> None:
        """Raises BurstRejected where numbers, sizes or counts cannot be."""
        count = len(self.frames)
        if not MIN_FRAMES <= count <= MAX_FRAMES or not count == len(self.times) == len(self.steps):
            raise BurstRejected("frames, times and steps do not go together")
        if any(not 0 < len(frame) <= MAX_FRAME_BYTES for frame in self.frames):
            raise BurstRejected("a frame is empty or too large")
        if not all(math.isfinite(t) and 0.0 <= t <= 3600.0 for t in (*self.times, self.elapsed)):
            raise BurstRejected("a time is out of range")
        if any(not 0 <= step <= len(self.challenge.turns) for step in self.steps):
            raise BurstRejected("a step was not asked for")
        if len(self.camera) > MAX_CAMERA_NAME:
            raise BurstRejected("the camera's name is too long")

    def to_bytes(self) -> bytes:
        """One line of JSON, then the JPEGs one after the other: what is encrypted and kept."""
        head = {
            "turns": [turn.value for turn in self.challenge.turns],
            "seconds": self.challenge.seconds,
            "sizes": [len(frame) for frame in self.frames],
            "times": list(self.times),
            "steps": list(self.steps),
            "elapsed": self.elapsed,
            "camera": self.camera,
        }
        return json.dumps(head).encode("ascii") + b"\n" + b"".join(self.frames)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote. Raises ValueError on anything else."""
        line, _, rest = data.partition(b"\n")
        head = json.loads(line)
        frames, at = [], 0
        for size in head["sizes"]:
            frames.append(rest[at : at + size])
            at += size
        if at != len(rest):
            raise ValueError("a burst is longer or shorter than it says")
        return cls(
            challenge=Challenge(turns=tuple(Turn(turn) for turn in head["turns"]), seconds=head["seconds"]),
            frames=tuple(frames),
            times=tuple(head["times"]),
            steps=tuple(head["steps"]),
            elapsed=head["elapsed"],
            camera=head["camera"],
        )
