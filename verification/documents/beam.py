"""Decode a line whose grammar is known a little: a prefix beam search over CTC's odds that a caller may weigh.

The weights are odds as the network's are, and mild: they choose among readings that the picture leaves open. They change which
text is taken, never how sure it is: a letter's own odds are looked up afterwards in what the network saw (`ctc.spelled`), so a
dot that stands there by grammar alone has next to none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from verification.documents.lines import Floats

WIDTH: Final = 8  # texts kept from frame to frame
_FAINT: Final = 2e-3  # odds of a character in a frame below which it is not tried

Text = tuple[int, ...]
"""A text as columns of the odds."""
Weigh = Callable[[Text, int], float]
"""How much likelier (above 1) or less likely a text goes on with a column than the odds say; column 0: it ends."""


def likeliest(allowed: Floats, weigh: Weigh | None = None) -> list[Text]:
    """Return the texts that are likeliest over all their alignments, best first.

    `allowed`: (T, 1 + characters), blank first, 0-1. `weigh` is asked once for each text that is gone on with.
    """
    beams: dict[Text, tuple[float, float]] = {(): (1.0, 0.0)}  # odds that it ends in a blank, in its last letter
    asked: dict[tuple[Text, int], float] = {}

    def weight(text: Text, column: int) -> float:
        if weigh is None:
            return 1.0
        if (text, column) not in asked:
            asked[text, column] = weigh(text, column)
        return asked[text, column]

    for frame in allowed:
        tried = [int(k) for k in np.nonzero(frame > _FAINT)[0] if k] or [int(frame[1:].argmax()) + 1]
        blank = max(float(frame[0]), 1e-4)
        onward: dict[Text, list[float]] = {}
        for text, (gap, on) in beams.items():
            here = onward.setdefault(text, [0.0, 0.0])
            here[0] += (gap + on) * blank
            if text:
                here[1] += on * float(frame[text[-1]])
            for k in tried:
                more = onward.setdefault((*text, k), [0.0, 0.0])
                more[1] += (gap if text and text[-1] == k else gap + on) * float(frame[k]) * weight(text, k)
        kept = sorted(onward.items(), key=lambda item: -sum(item[1]))[:WIDTH]
        total = sum(sum(pair) for _, pair in kept) or 1.0
        beams = {text: (pair[0] / total, pair[1] / total) for text, pair in kept}
    return sorted(beams, key=lambda text: -sum(beams[text]) * weight(text, 0))
