"""The specimens of the sandbox: which there are, what each brings about, and how it is drawn.

A specimen is a picture of nobody: SPECIMEN across it, what it forces in words, and the same as a mark that machines read. A pair
of them, document and selfie, leads a sandbox case through the real worker to the outcome that they name; `workers.trials` makes
up the evidence. Reasons that only a new selfie mends stand on a selfie, all others on a document.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from verification import marks
from verification.decision import Outcome
from verification.reasons import RETAKE, PhotoKind, ReasonCode

APPROVE = "approve"
"""The key of the specimens that speak against nothing."""

_ON_SELFIES = frozenset(
    {
        ReasonCode.SELFIE_IS_THE_DOCUMENT,
        ReasonCode.SELFIE_IS_ON_FILE,
        ReasonCode.SELFIE_SENT_BEFORE,
        ReasonCode.LIVENESS_NOT_SHOWN,
        ReasonCode.LIVENESS_DOUBTED,
        ReasonCode.SELFIE_ON_FILE_FACES_DIFFER,
        ReasonCode.SELFIE_ON_FILE_FACES_UNSURE,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One specimen: `key` names it in marks and addresses, `outcome` is what it forces under the shipped policy.

    Another policy may say otherwise of the same evidence: that is what it is for.
    """

    key: str
    kind: PhotoKind
    outcome: Outcome
    reason: ReasonCode | None  # None: nothing speaks against an approval


def _kind(reason: ReasonCode) -> PhotoKind:
    only_a_selfie = RETAKE.get(reason) == frozenset({PhotoKind.SELFIE})
    return PhotoKind.SELFIE if only_a_selfie or reason in _ON_SELFIES else PhotoKind.DOCUMENT


_WHOLE = tuple(
    Trial(key=APPROVE, kind=kind, outcome=Outcome.APPROVE, reason=None) for kind in (PhotoKind.DOCUMENT, PhotoKind.SELFIE)
)
TRIALS: MappingProxyType[tuple[str, PhotoKind], Trial] = MappingProxyType(
    {
        (trial.key, trial.kind): trial
        for trial in (
            *_WHOLE,
            *(
                Trial(
                    key=reason.value,
                    kind=_kind(reason),
                    outcome=Outcome.RETAKE if reason in RETAKE else Outcome.REFER,
                    reason=reason,
                )
                for reason in ReasonCode
            ),
        )
    }
)
"""Every specimen there is, by key and photo: two that approve, and one for each reason code."""

COPIES = 99
"""Numbered copies of each specimen. The same file is refused where a *new* photo was asked for, as with customers."""

_SIZES = {PhotoKind.DOCUMENT: (1400, 1000), PhotoKind.SELFIE: (1000, 1250)}  # width, height in pixels
_MODULE = 12  # pixels of one module of the mark; see marks._SIDE
_INK, _PALE, _RED = (38, 50, 64), (203, 214, 222), (176, 42, 48)  # RGB
_GROUNDS = {Outcome.APPROVE: (226, 240, 230), Outcome.RETAKE: (250, 240, 214), Outcome.REFER: (229, 235, 246)}
_FONT = cv2.FONT_HERSHEY_DUPLEX


@lru_cache(maxsize=16)
def picture(key: str, kind: PhotoKind, *, copy: int = 1) -> NDArray[np.uint8]:
    """Draw a specimen as sRGB pixels of shape (H, W, 3). Raises KeyError for an unknown one, ValueError for the copy."""
    trial = TRIALS[key, kind]
    if not 1 <= copy <= COPIES:
        raise ValueError(f"copies are numbered 1 to {COPIES}")
    width, height = _SIZES[kind]
    page = np.full((height, width, 3), _GROUNDS[trial.outcome], np.uint8)
    for row in range(0, height, 14):  # a ground of fine lines, as papers have: a flat one would pass for a blurred photo
        cv2.line(page, (0, row), (width, row + 40), _PALE, 2, cv2.LINE_AA)
    mark = cv2.cvtColor(marks.draw(key, module=_MODULE), cv2.COLOR_GRAY2RGB)
    side = mark.shape[0]
    if kind is PhotoKind.DOCUMENT:
        _head(page, (90, 330, 380, 480))
        place = (height - side - 60, width - side - 60)
    else:
        _head(page, (width // 2 - 190, 200, 380, 480))
        place = (height - side - 40, width - side - 60)
    page[place[0] : place[0] + side, place[1] : place[1] + side] = mark
    cv2.rectangle(page, (18, 18), (width - 19, height - 19), _INK, 6)
    _write(page, "SPECIMEN", (60, 150), most=width - 120, thick=14, colour=_RED)
    lines = (
        "Peremena sandbox. Of nobody.",
        f"{kind.value}, copy {copy}",
        f"forces: {trial.outcome.value}",
        key.replace("_", " "),
    )
    top = 205 if kind is PhotoKind.DOCUMENT else height - 300
    left = 60
    for number, line in enumerate(lines):
        room = (width - 120) if kind is PhotoKind.DOCUMENT and number < 2 else width - side - 160
        at = (
            top + number * 55
            if kind is PhotoKind.SELFIE
            else (top + number * 50 if number < 2 else height - 130 + (number - 2) * 55)
        )
        _write(page, line, (left, at), most=room, thick=2, colour=_INK, size=1.3)
    return page


def _head(page: NDArray[np.uint8], box: tuple[int, int, int, int]) -> None:
    """An outline of nobody in `box`: x, y, width, height."""
    x, y, w, h = box
    cv2.rectangle(page, (x, y), (x + w, y + h), (255, 255, 255), -1)
    cv2.ellipse(page, (x + w // 2, y + h), (int(w * 0.42), int(h * 0.32)), 0, 180, 360, _PALE, -1, cv2.LINE_AA)
    cv2.ellipse(page, (x + w // 2, y + int(h * 0.40)), (int(w * 0.22), int(h * 0.25)), 0, 0, 360, _PALE, -1, cv2.LINE_AA)
    cv2.rectangle(page, (x, y), (x + w, y + h), _INK, 3)


def _write(
    page: NDArray[np.uint8],
    text: str,
    at: tuple[int, int],
    *,
    most: int,
    thick: int,
    colour: tuple[int, int, int],
    size: float = 8.0,
) -> None:
    """Letters with their foot at `at`, made smaller until they are no wider than `most` pixels."""
    (wide, _), _ = cv2.getTextSize(text, _FONT, size, thick)
    cv2.putText(page, text, at, _FONT, size * min(1.0, most / max(wide, 1)), colour, thick, cv2.LINE_AA)
