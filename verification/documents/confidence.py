"""Turn a network's odds into the share of values that are right at such odds: calibrated confidence.

The table comes from `tests/benchmarks/confidence.py --calibrate`, which reads labelled and drawn pictures at every
degradation and counts. Networks' own odds are no probabilities: above 0.99 they still err, below 0.5 they are mostly right.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Final, Literal, cast

import numpy as np

VoicesSay = Literal["page", "agreed", "single", "denied"]
"""The printed page says the same; two voices agree on each character; one alone; a voice says otherwise."""

EDGES: Final = (0.0, 0.3, 0.5, 0.7, 0.9, 0.97, 0.995)
"""Lower ends of the bins of odds in which right values were counted."""
_LIMITS: Final = (0.01, 0.999)  # nothing read is impossible, nothing is beyond doubt


def group(voices: VoicesSay, *, holds: bool) -> str:
    """Return the name of the table's row: what the voices say, and whether the check digits hold."""
    return f"{voices}-{'holds' if holds else 'fails'}"


def likely(odds: float, *, voices: VoicesSay, holds: bool) -> float:
    """Return how likely a value is right (0.01-0.999), from the least odds on its characters (0-1)."""
    middles, shares = _table()[group(voices, holds=holds)]
    return round(float(np.clip(np.interp(odds, middles, shares), *_LIMITS)), 4)


@cache
def _table() -> dict[str, tuple[list[float], list[float]]]:
    """Per group: odds and the share of values right there, rising."""
    stored = json.loads(Path(__file__).with_name("confidence.json").read_text(encoding="utf-8"))
    return {name: (cast(list[float], row["odds"]), cast(list[float], row["right"])) for name, row in stored["groups"].items()}
