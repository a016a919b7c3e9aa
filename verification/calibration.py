"""Labelled scores in, error rates out: how often strangers pass and customers fail at each threshold.

Terms of ISO/IEC 19795-1: FMR, the share of pairs of different people that score at least the threshold; FNMR, the
share of pairs of one person that score below it. Larger scores are more alike. Pure arithmetic, no pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Similarities of pairs of one person (`genuine`) and of different people (`impostor`), each of shape (n,)."""

    genuine: Floats
    impostor: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorRate:
    """Both errors at one threshold, with the number of pairs behind them."""

    threshold: float
    fmr: float  # 0-1
    fnmr: float  # 0-1
    impostors: int
    genuines: int


def error_rates(scores: Scores, thresholds: ArrayLike) -> list[ErrorRate]:
    """Return FMR and FNMR at each threshold; a score on the line passes. Raises ValueError without pairs of both kinds."""
    genuine, impostor = _sorted(scores.genuine, "genuine"), _sorted(scores.impostor, "impostor")
    return [
        ErrorRate(
            threshold=float(t),
            fmr=1.0 - float(np.searchsorted(impostor, t, "left")) / len(impostor),
            fnmr=float(np.searchsorted(genuine, t, "left")) / len(genuine),
            impostors=len(impostor),
            genuines=len(genuine),
        )
        for t in np.asarray(thresholds, np.float64).ravel()
    ]


def threshold_at(impostor: Floats, fmr: float) -> float | None:
    """Return the lowest threshold at which at most `fmr` of the impostors pass; None where n is too small to tell.

    n must be at least 1 / fmr: with fewer pairs the threshold would be that of the single highest score.
    """
    ordered = _sorted(impostor, "impostor")
    allowed = math.floor(fmr * len(ordered) + 1e-9)
    if allowed < 1:
        return None
    return float(np.nextafter(ordered[-allowed - 1], np.inf)) if allowed < len(ordered) else float(ordered[0])


def true_accept_rate(scores: Scores, fmr: float) -> float | None:
    """Return 1 - FNMR at the threshold of `fmr`, None where there are too few impostors for it."""
    threshold = threshold_at(scores.impostor, fmr)
    return None if threshold is None else float((scores.genuine >= threshold).mean())


def equal_error_rate(scores: Scores) -> float:
    """Return the rate at which FMR and FNMR meet, 0-1: the mean of both where they are nearest."""
    points = np.unique(np.concatenate([scores.genuine, scores.impostor]))
    genuine, impostor = _sorted(scores.genuine, "genuine"), _sorted(scores.impostor, "impostor")
    fnmr = np.searchsorted(genuine, points, "left") / len(genuine)
    fmr = 1.0 - np.searchsorted(impostor, points, "left") / len(impostor)
    at = int(np.argmin(np.abs(fnmr - fmr)))
    return float((fnmr[at] + fmr[at]) / 2.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledScores:
    """A score for each pair with the two people in it, as numbers 0..n-1: equal numbers make a genuine pair."""

    score: Floats
    first: NDArray[np.intp]
    second: NDArray[np.intp]

    def split(self) -> Scores:
        """Genuine and impostor scores."""
        same = self.first == self.second
        return Scores(genuine=self.score[same], impostor=self.score[~same])


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Rates of one set of pairs, each with its 95 % interval (None where not asked for or not defined).

    `true_accept`: FMR → 1 - FNMR at the threshold of that FMR; None where there are too few impostors for it.
    """

    genuines: int
    impostors: int
    eer: float
    eer_interval: tuple[float, float] | None
    true_accept: dict[float, float | None]
    true_accept_interval: dict[float, tuple[float, float] | None]


def summarise(pairs: LabelledScores, fmrs: Sequence[float], *, rounds: int = 100, seed: int = 0) -> Summary:
    """Return equal error rate and true accept rates, with intervals by resampling people, not pairs.

    Pairs of one person are not independent. A person drawn k times counts k-fold in genuine pairs and in impostor pairs
    by the product of both counts. Raises ValueError without pairs of both kinds.
    """
    scores = pairs.split()
    eer = equal_error_rate(scores)
    exact = {fmr: true_accept_rate(scores, fmr) for fmr in fmrs}
    same = pairs.first == pairs.second
    down = np.argsort(-pairs.score[~same], kind="stable")
    strangers, a, b = pairs.score[~same][down], pairs.first[~same][down], pairs.second[~same][down]
    up = np.argsort(pairs.score[same], kind="stable")
    own, who = pairs.score[same][up], pairs.first[same][up]
    rng = np.random.default_rng(seed)
    people = int(max(pairs.first.max(), pairs.second.max())) + 1
    drawn_eer: list[float] = []
    drawn_tar: dict[float, list[float]] = {fmr: [] for fmr in fmrs if exact[fmr] is not None}
    for _ in range(rounds):
        times = rng.multinomial(people, np.full(people, 1.0 / people)).astype(np.float64)
        passed = np.cumsum(times[a] * times[b])  # strangers that score at least strangers[k]
        failed = np.cumsum(times[who])  # own pairs that score at most own[k]
        if passed[-1] <= 0 or failed[-1] <= 0:
            continue
        below = np.concatenate([[0.0], failed]) / failed[-1]
        for fmr, values in drawn_tar.items():
            last = int(np.searchsorted(passed, fmr * passed[-1], "right"))  # the first stranger who may not pass
            line = strangers[min(last, len(strangers) - 1)]
            values.append(1.0 - float(below[np.searchsorted(own, line, "right")]))
        above = np.concatenate([[0.0], passed]) / passed[-1]
        fmr_at = above[np.searchsorted(-strangers, -own, "right")]
        at = int(np.argmin(np.abs(below[:-1] - fmr_at)))
        drawn_eer.append(float(below[at] + fmr_at[at]) / 2.0)
    return Summary(
        genuines=len(scores.genuine),
        impostors=len(scores.impostor),
        eer=eer,
        eer_interval=_middle_95(drawn_eer),
        true_accept=exact,
        true_accept_interval={fmr: _middle_95(drawn_tar.get(fmr, [])) for fmr in fmrs},
    )


def _middle_95(values: list[float]) -> tuple[float, float] | None:
    if not values:
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True, kw_only=True)
class FmrTable:
    """Similarity → share of strangers that score at least this.

    `points`: (similarity, fmr), similarity rising, fmr falling; between them the logarithm of the rate is linear.
    `supported`: the lowest rate that the number of pairs can show (three of n); below it, up to `floor`, the curve
    goes on with half the slope it had, so that it errs towards strangers passing. Never 0.
    """

    points: tuple[tuple[float, float], ...]
    supported: float
    floor: float
    card: dict[str, Any] = field(default_factory=dict)

    def fmr(self, similarity: float) -> float | None:
        """Return the rate, `floor` to 1; None for a similarity that is no number."""
        if not math.isfinite(similarity):
            return None
        at = np.array([p[0] for p in self.points])
        rate = np.log([p[1] for p in self.points])
        if similarity <= at[-1]:
            return float(np.exp(np.interp(similarity, at, rate)))
        slope = self._tail()
        return max(self.floor, float(np.exp(rate[-1] + slope * (similarity - at[-1]))))

    def threshold(self, fmr: float) -> float:
        """Return the similarity from which the rate is at most `fmr`. Raises ValueError below `floor`."""
        if not self.floor < fmr <= 1.0:
            raise ValueError(f"no threshold for a false match rate of {fmr}: the table reaches from 1 to {self.floor}")
        at = np.array([p[0] for p in self.points])
        rate = np.log([p[1] for p in self.points])
        if math.log(fmr) >= rate[-1]:
            return float(np.interp(-math.log(fmr), -rate, at))
        return float(at[-1] + (math.log(fmr) - rate[-1]) / self._tail())

    def _tail(self) -> float:
        """Half the slope of the last part of the curve, per unit of similarity; negative."""
        at, rate = [p[0] for p in self.points], [math.log(p[1]) for p in self.points]
        back = max(0, len(at) - 4)
        return 0.5 * (rate[-1] - rate[back]) / max(1e-9, at[-1] - at[back])

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what `to_json` wrote. Raises ValueError where the curve rises anywhere."""
        points = tuple((float(s), float(r)) for s, r in data["points"])
        if len(points) < 2 or any(b[0] <= a[0] or b[1] >= a[1] for a, b in pairwise(points)) or points[-1][1] <= 0:
            raise ValueError("calibration: similarity must rise and the false match rate fall from point to point")
        return cls(points=points, supported=float(data["supported"]), floor=float(data["floor"]), card=dict(data.get("card", {})))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "points": [[round(s, 4), float(f"{r:.4g}")] for s, r in self.points],
            "supported": float(f"{self.supported:.3g}"),
            "floor": self.floor,
            "card": self.card,
        }


_RATES = (
    1.0,
    0.9,
    0.7,
    0.5,
    0.3,
    0.2,
    0.1,
    0.05,
    0.02,
    0.01,
    5e-3,
    2e-3,
    1e-3,
    5e-4,
    2e-4,
    1e-4,
    5e-5,
    2e-5,
    1e-5,
    5e-6,
    2e-6,
    1e-6,
)


def fit_fmr(impostors: Sequence[Floats], card: dict[str, Any], *, floor: float = 1e-7) -> FmrTable:
    """Fit the table on scores of strangers. Of several conditions the one in which most strangers pass counts, at each rate.

    Raises ValueError where a condition has fewer than 100 pairs.
    """
    if not impostors or any(len(scores) < 100 for scores in impostors):
        raise ValueError("calibration: at least 100 pairs of different people are needed in each condition")
    supported = 3.0 / min(len(scores) for scores in impostors)
    points: list[tuple[float, float]] = []
    for rate in _RATES:
        if rate < supported:
            break
        # The rate is counted as (k + 1) of n: the unseen next stranger may be the one.
        at = max(float(np.quantile(s, max(0.0, 1.0 - max(0.0, rate - 1.0 / len(s))), method="higher")) for s in impostors)
        if not points or at > points[-1][0] + 1e-6:
            points.append((at, rate))
    return FmrTable(points=tuple(points), supported=supported, floor=floor, card=card)


def _sorted(values: Floats, what: str) -> Floats:
    ordered = np.sort(np.asarray(values, np.float64).ravel())
    if not len(ordered):
        raise ValueError(f"no {what} pairs")
    return ordered
