"""Labelled scores in, error rates and odds out: how often strangers pass and customers fail, and what a score means.

Terms of ISO/IEC 19795-1: FMR, the share of pairs of different people that score at least the threshold; FNMR, the
share of pairs of one person that score below it. Larger scores are more alike. Pure arithmetic, no pictures: the web
process may use all of it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from verification.evidence import Measures, Pair

Floats = NDArray[np.float64]

CLEAN, PRINTED, POOR = "clean", "printed", "poor"
"""Of one face: a photograph; printed on a page and photographed; the same with few pixels."""

POOR_EYES = 38.5
"""Pixels between the eyes below which a printed portrait counts as poor: 96 % of imitated pages of level 3 lie below (23 to 45),
all of level 2 above (39 to 57)."""


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

    def moved(self, by: float, card: dict[str, Any]) -> FmrTable:
        """The same curve for strangers who score higher by `by`."""
        return replace(self, points=tuple((s + by, r) for s, r in self.points), card=card)

    def never_below(self, other: FmrTable) -> bool:
        """Whether at every similarity this curve gives strangers at least the rate that `other` gives.

        A proof, not a sample: the logarithms of both are straight between their bends and level beyond the last, so what holds at
        every bend of either holds everywhere.
        """
        return all(_rate(self, at) >= _rate(other, at) * (1.0 - 1e-9) for at in {*self._bends(), *other._bends()})

    def _bends(self) -> list[float]:
        """Similarities at which the curve changes its slope, the last where it meets `floor`."""
        at, rate = self.points[-1]
        return [s for s, _ in self.points] + [at + max(0.0, (math.log(self.floor) - math.log(rate)) / self._tail())]

    def strangers(self) -> tuple[float, float]:
        """Mean and standard deviation of strangers' scores, from the curve's own quantiles (16, 50 and 84 %)."""
        low, middle, high = (self.threshold(rate) for rate in (0.8413, 0.5, 0.1587))
        return middle, (high - low) / 2.0


def _rate(table: FmrTable, similarity: float) -> float:
    rate = table.fmr(similarity)
    if rate is None:
        raise ValueError("calibration: a curve bends at what is no number")
    return rate


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


# Odds: what people are shown


@dataclass(frozen=True, kw_only=True)
class Odds:
    """Similarity → of equally many pairs of one person and of like-looking people with this score, the share of one person.

    The logarithm of the odds is `offset + slope * similarity`. `spread`: variance of the offset, covariance, variance of
    the slope, by resampling people. No fraud probability: that depends on how many of those who come are honest.
    """

    offset: float
    slope: float  # per unit of similarity; positive
    spread: tuple[float, float, float]
    card: dict[str, Any] = field(default_factory=dict)

    def share(self, similarity: float) -> float | None:
        """Return the share, 0 to 1; None for a similarity that is no number."""
        return _logistic(self.offset + self.slope * similarity) if math.isfinite(similarity) else None

    def interval(self, similarity: float) -> tuple[float, float] | None:
        """Return the 95 % interval of `share`."""
        if not math.isfinite(similarity):
            return None
        middle = self.offset + self.slope * similarity
        own, both, slope = self.spread
        reach = 1.96 * math.sqrt(max(0.0, own + 2.0 * similarity * both + similarity**2 * slope))
        return _logistic(middle - reach), _logistic(middle + reach)

    def percentage(self, similarity: float) -> int | None:
        """Return what a person is shown: whole per cent, rounded down, 1 to 99; None for what is no number."""
        share = self.share(similarity)
        return None if share is None else min(99, max(1, math.floor(100.0 * share)))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what `to_json` wrote. Raises ValueError where likeness would speak against one person."""
        offset, slope, spread = float(data["offset"]), float(data["slope"]), tuple(float(v) for v in data["spread"])
        if not (math.isfinite(offset) and math.isfinite(slope) and slope > 0 and len(spread) == 3):
            raise ValueError("odds: the slope must be above 0")
        return cls(offset=offset, slope=slope, spread=spread, card=dict(data.get("card", {})))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "offset": round(self.offset, 4),
            "slope": round(self.slope, 4),
            "spread": [float(f"{v:.4g}") for v in self.spread],
            "card": self.card,
        }


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-700.0, min(700.0, value))))


RIDGE = {CLEAN: 1e-5, PRINTED: 1e-4, POOR: 1e-4}
"""How strongly a steep slope is held back, per squared slope of standardised scores: kinds of pairs that hardly overlap would
give an endless one. Cross-validated by people, Cllr on prints of levels 1 and 2 at 1e-5, 1e-4 and 3e-4: 0.016, 0.009 and 0.011
on average, 0.033, 0.012 and 0.017 in the worst fold; on clean pairs 0.0005, 0.002 and 0.003, and more than 1e-5 shows too low
percentages."""


def fit_odds(
    conditions: Sequence[LabelledScores], card: dict[str, Any], *, ridge: float, rounds: int = 200, seed: int = 0
) -> Odds:
    """Fit the odds by logistic regression at equal priors; of several conditions each counts the same.

    `ridge`: see RIDGE. Raises ValueError where a kind of pair is missing or where likeness speaks against one person.
    """
    score = np.concatenate([c.score for c in conditions]).astype(np.float64)
    same = np.concatenate([c.first == c.second for c in conditions])
    part = np.concatenate([np.full(len(c.score), k) for k, c in enumerate(conditions)])
    first, second = (np.concatenate([getattr(c, side) for c in conditions]) for side in ("first", "second"))
    if not same.any() or same.all():
        raise ValueError("odds: pairs of one person and of different people are needed")
    ones = np.ones(len(score))
    offset, slope = _logistic_regression(score, same, _balanced(ones, same, part), ridge)
    if not slope > 0:
        raise ValueError("odds: in these pairs likeness does not speak for one person")
    people = int(max(first.max(), second.max())) + 1
    rng, drawn = np.random.default_rng(seed), []
    for _ in range(rounds):
        times = rng.multinomial(people, np.full(people, 1.0 / people)).astype(np.float64)
        weights = np.where(same, times[first], times[first] * times[second])
        if weights[same].sum() > 0 and weights[~same].sum() > 0:
            drawn.append(_logistic_regression(score, same, _balanced(weights, same, part), ridge, start=(offset, slope)))
    spread = np.cov(np.array(drawn).T) if len(drawn) > 1 else np.zeros((2, 2))
    return Odds(
        offset=offset, slope=slope, spread=(float(spread[0, 0]), float(spread[0, 1]), float(spread[1, 1])), card=card
    )  # fmt: skip


def _balanced(weights: Floats, same: NDArray[np.bool_], part: NDArray[Any]) -> Floats:
    """Half the weight to pairs of one person, half to the others, each condition alike. Sums to 1."""
    out = np.zeros(len(weights))
    groups = [(kind, k) for kind in (True, False) for k in np.unique(part)]
    for kind, k in groups:
        which = (same == kind) & (part == k)
        total = weights[which].sum()
        if total > 0:
            out[which] = weights[which] / total
    for kind in (True, False):
        of = same == kind
        if out[of].sum() > 0:
            out[of] *= 0.5 / out[of].sum()
    return out


def _logistic_regression(
    score: Floats, same: NDArray[np.bool_], weights: Floats, ridge: float, *, start: tuple[float, float] | None = None
) -> tuple[float, float]:
    """Newton's method on two numbers. `weights` sum to 1."""
    target = same.astype(np.float64)
    middle, scale = float(score.mean()), max(float(score.std()), 1e-9)
    x = (score - middle) / scale
    a, b = (0.0, 1.0) if start is None else (start[0] + start[1] * middle, start[1] * scale)
    for _ in range(100):
        p = 1.0 / (1.0 + np.exp(-np.clip(a + b * x, -700, 700)))
        off, bend = weights * (target - p), weights * p * (1.0 - p)
        gradient = np.array([off.sum(), (off * x).sum() - ridge * b])
        curve = np.array([[bend.sum(), (bend * x).sum()], [(bend * x).sum(), (bend * x * x).sum() + ridge]])
        step = np.linalg.solve(curve + 1e-12 * np.eye(2), gradient)
        length = float(np.abs(step).max())
        step *= min(1.0, 2.0 / max(length, 1e-12))  # far from the answer the curve is nearly flat and a full step overshoots
        a, b = a + float(step[0]), b + float(step[1])
        if length < 1e-9:
            break
    return a - b * middle / scale, b / scale


def cllr(odds: Odds, scores: Scores) -> float:
    """Return the cost of the log likelihood ratio, 0 (perfect) to 1 (says nothing) and beyond (misleads).

    Source: Bruemmer and du Preez, Application-independent evaluation of speaker detection, 2006.
    """
    own, other = (odds.offset + odds.slope * np.asarray(s, np.float64) for s in (scores.genuine, scores.impostor))
    return float((np.logaddexp(0.0, -own).mean() + np.logaddexp(0.0, other).mean()) / (2.0 * math.log(2.0)))


@dataclass(frozen=True, kw_only=True)
class Band:
    """Pairs that were shown a percentage of one stretch, and how many of them were of one person, at equal priors."""

    low: float  # share 0-1
    high: float
    genuines: int
    impostors: int
    shown: float  # mean share shown, each kind of pair counting half
    true: float
    interval: tuple[float, float]

    @property
    def holds(self) -> bool:
        """Whether what is shown lies in the interval of the truth. At both ends people are shown "or less" and "or more"."""
        if self.low <= 0.0 or self.high >= 1.0:
            return bool(self.interval[0] <= self.high and self.interval[1] >= self.low)
        return bool(self.interval[0] <= self.shown <= self.interval[1])


BANDS = (0.0, 0.02, 0.1, 0.5, 0.9, 0.98, 1.0)


def bands(share: Floats, pairs: LabelledScores, *, rounds: int = 500, seed: int = 0) -> list[Band]:
    """Hold shown shares (shape of `pairs.score`) against the truth, stretch by stretch, with intervals by resampling people.

    A stretch without a pair is left out. The interval is widened by one unseen pair of each kind: where all pairs of a
    stretch are of one person, resampling alone would promise that this is always so.
    """
    same = pairs.first == pairs.second
    equal = _balanced(np.ones(len(share)), same, np.zeros(len(share)))
    at = np.clip(np.digitize(share, BANDS[1:-1]), 0, len(BANDS) - 2)
    people = int(max(pairs.first.max(), pairs.second.max())) + 1
    rng = np.random.default_rng(seed)
    drawn: list[list[float]] = [[] for _ in BANDS[1:]]
    one = (equal[same].max(initial=0.0), equal[~same].max(initial=0.0))
    for _ in range(rounds):
        times = rng.multinomial(people, np.full(people, 1.0 / people)).astype(np.float64)
        times_drawn = np.where(same, times[pairs.first], times[pairs.first] * times[pairs.second])
        weights = _balanced(times_drawn, same, np.zeros(len(share)))
        own, all_ = (np.bincount(at, weights=w, minlength=len(BANDS) - 1) for w in (weights * same, weights))
        for k, values in enumerate(drawn):
            if all_[k] > 0:
                values.append(float(own[k] / all_[k]))
    out = []
    for k, (low, high) in enumerate(pairwise(BANDS)):
        inside = at == k
        if not inside.any():
            continue
        weight, own_weight = float(equal[inside].sum()), float(equal[inside & same].sum())
        ends = _middle_95(drawn[k]) or (0.0, 1.0)
        out.append(
            Band(
                low=low,
                high=high,
                genuines=int((inside & same).sum()),
                impostors=int((inside & ~same).sum()),
                shown=float((equal[inside] * share[inside]).sum() / weight),
                true=own_weight / weight,
                interval=(min(ends[0], own_weight / (weight + one[1])), max(ends[1], (own_weight + one[0]) / (weight + one[0]))),
            )
        )
    return out


# The calibration of the faces, as data


CONDITION: dict[Pair, str] = {Pair.SELFIE_ON_FILE: CLEAN, Pair.SELFIE_DOCUMENT: PRINTED, Pair.DOCUMENT_ON_FILE: PRINTED}
"""Which table covers which pair: photographs of faces, or one of them printed. A poor print has scales of its own, which bring
its strangers' scores to those of other prints, and shares their table; its odds are its own."""


@dataclass(frozen=True, kw_only=True)
class VoiceScale:
    """One network's distance between strangers, its weight, and where its own opinion is clear."""

    mean: float
    deviation: float
    weight: float  # in the fused score
    same: float  # distance up to which it says "one person": 1 in 1,000 strangers comes as near
    other: float  # distance from which it says "two people": 9 in 10 strangers are as far apart or farther


@dataclass(frozen=True, kw_only=True)
class GroupRates:
    """Errors within one group at the line that lets 1 in 10,000 of all strangers pass. Rates 0-1 with 95 % intervals."""

    group: str  # "sex: female", "ethnicity: black-american", "age: 30-49", "all"
    condition: str
    people: int
    genuines: int
    impostors: int  # pairs within the group
    fnmr: tuple[float, float, float] | None  # rate, low, high; None without pairs
    fmr: tuple[float, float, float] | None


@dataclass(frozen=True, kw_only=True)
class FaceCalibration:
    """What labelled pairs taught about one set of voices: how to fuse their distances, and what the fused score means."""

    label: str  # kept with each run among its engines
    engines: tuple[str, ...]  # labels of the models that it was measured with; it covers no others
    voices: dict[str, dict[str, VoiceScale]]  # condition of the poorer face → voice → scale
    centres: dict[str, dict[str, Floats]]  # condition of a face → voice → mean encoding, taken away before comparing
    same_picture: float  # correlation of two aligned faces from which they are one photograph
    tables: dict[str, FmrTable]  # by condition, and in a deployment's own calibration by kind of pair too, which goes first
    odds: dict[str, Odds]  # as `tables`: by condition, and by kind of pair in a deployment's own calibration
    groups: tuple[GroupRates, ...] = ()
    card: dict[str, Any] = field(default_factory=dict)  # date, data, what the data cannot tell

    def fmr(self, pair: Pair, similarity: float) -> float | None:
        """Return the share of strangers that score at least this; None for what is no number or has no table."""
        table = self.table(pair)
        return table.fmr(similarity) if table else None

    def table(self, pair: Pair) -> FmrTable | None:
        """The curve by which a kind of pair is rated: one of its own where there is one, or that of its condition."""
        return self.tables.get(pair.value) or self.tables.get(CONDITION[pair])

    @property
    def one_may_decide(self) -> bool:
        """Whether by an own calibration the selfie beside the passport may decide alone: only once the strangers of that very
        kind of pair were enough for a shift of its own. One fitted before kinds were told apart counted all pairs for it."""
        kinds = self.card.get("kinds")
        return kinds is None or bool(kinds[Pair.SELFIE_DOCUMENT.value]["own"])

    def percentage(self, pair: Pair, similarity: float, *, eyes: float | None = None) -> int | None:
        """Return the calibrated percentage that people are shown, 1 to 99; None where none can be given.

        `eyes`: pixels between the eyes of the printed portrait, where there is one and they are known (its `head_size`). The same
        score says more of a poor print than of another, since one person's scores spread farther there.
        """
        condition = CONDITION[pair]
        if condition == PRINTED and eyes is not None and eyes < POOR_EYES:
            condition = POOR
        odds = self.odds.get(condition) if condition == POOR else self.odds.get(pair.value) or self.odds.get(condition)
        return odds.percentage(similarity) if odds else None

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what `to_json` wrote. Raises KeyError or ValueError on anything else."""
        return cls(
            label=str(data["label"]),
            engines=tuple(data["engines"]),
            voices={
                condition: {voice: VoiceScale(**scale) for voice, scale in by.items()} for condition, by in data["voices"].items()
            },
            centres={
                condition: {voice: np.asarray(centre, np.float64) for voice, centre in by.items()}
                for condition, by in data["centres"].items()
            },
            same_picture=float(data["same_picture"]),
            tables={name: FmrTable.from_json(table) for name, table in data["tables"].items()},
            odds={name: Odds.from_json(odds) for name, odds in data["odds"].items()},
            groups=tuple(
                GroupRates(**{**g, **{k: tuple(g[k]) if g[k] is not None else None for k in ("fnmr", "fmr")}})
                for g in data.get("groups", ())
            ),
            card=dict(data.get("card", {})),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "label": self.label,
            "engines": list(self.engines),
            "card": self.card,
            "voices": {
                condition: {voice: {k: round(v, 4) for k, v in asdict(scale).items()} for voice, scale in by.items()}
                for condition, by in self.voices.items()
            },
            "same_picture": self.same_picture,
            "tables": {name: table.to_json() for name, table in self.tables.items()},
            "odds": {name: odds.to_json() for name, odds in self.odds.items()},
            "groups": [
                {**asdict(g), "fnmr": _short(g.fnmr), "fmr": _short(g.fmr)} for g in self.groups
            ],
            "centres": {
                condition: {voice: [round(float(x), 4) for x in centre] for voice, centre in by.items()}
                for condition, by in self.centres.items()
            },
        }  # fmt: skip


def _short(rate: tuple[float, ...] | None) -> list[float] | None:
    return None if rate is None else [float(f"{v:.4g}") for v in rate]


def digest(data: dict[str, Any]) -> str:
    """Six hexadecimal digits that change with any number of a calibration but its label: two of one day differ by it."""
    rest = {k: v for k, v in data.items() if k != "label"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()[:6]


SHIPPED_FILE = Path(__file__).with_name("faces") / "calibration.json"
"""Made by `python -m tests.benchmarks.faces --calibrate`."""


@cache
def shipped() -> FaceCalibration:
    """Return the shipped calibration, read once per process. Imports no model: the web process shows its card."""
    return FaceCalibration.from_json(json.loads(SHIPPED_FILE.read_text(encoding="utf-8")))


# What was counted


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """So many of `n` pairs went wrong, with the ends of a 95 % interval of the rate, 0-1."""

    wrong: int
    n: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        """0-1; 0 without pairs."""
        return self.wrong / self.n if self.n else 0.0


@lru_cache(maxsize=4_096)
def counted(wrong: int, n: int) -> Count:
    """Return the count with its Clopper-Pearson interval; all that can be said without pairs is 0 to 1.

    With none wrong (or none right) the interval is one-sided, so that 0 of 312 reads "at most 0.96 %".
    """
    if not 0 <= wrong <= n:
        raise ValueError(f"{wrong} of {n} is no count")
    if n == 0:
        return Count(wrong=0, n=0, low=0.0, high=1.0)
    one_sided = wrong in (0, n)
    tail = 0.05 if one_sided else 0.025
    return Count(
        wrong=wrong,
        n=n,
        low=0.0 if wrong == 0 else _beta_quantile(tail, wrong, n - wrong + 1),
        high=1.0 if wrong == n else _beta_quantile(1.0 - tail, wrong + 1, n - wrong),
    )


def _beta_quantile(share: float, a: float, b: float) -> float:
    """The x at which the regularised incomplete beta function reaches `share`, by bisection to 1e-12. Source: Clopper and
    Pearson, Biometrika 26 (1934) 404, as quantiles of the beta distribution."""
    middle, reach = a / (a + b), 12.0 * math.sqrt(a * b / (a + b + 1.0)) / (a + b)
    low, high = max(0.0, middle - reach), min(1.0, middle + reach)
    while high - low > 1e-12:
        middle = (low + high) / 2.0
        low, high = (middle, high) if _beta_share(middle, a, b) < share else (low, middle)
    return (low + high) / 2.0


def _beta_share(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function. Source: DLMF 8.17.22, a continued fraction, by Lentz's method."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1.0) / (a + b + 2.0):  # there the fraction settles slowly
        return 1.0 - _beta_share(1.0 - x, b, a)
    front = a * math.log(x) + b * math.log1p(-x) - math.log(a) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    value = upper = 1.0
    lower = 0.0
    for m in range(1, 10_000):
        half, odd = divmod(m, 2)
        if odd:
            term = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            term = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        lower = 1.0 / (1.0 + term * lower)
        upper = 1.0 + term / upper
        value *= upper * lower
        if abs(upper * lower - 1.0) < 1e-12:
            break
    return math.exp(front) / value


@dataclass(frozen=True, kw_only=True, eq=False)
class CountedErrors:
    """Pairs of one condition behind the shipped calibration, as counts: what FNMR and FMR at a line rest on.

    `genuine`: scores of pairs of one person, rising; each person once, so that an interval of counts is right for them.
    `at`: lines, rising; of `impostors` pairs of strangers `passed` reach each. Its `low` and `high` are by resampling people,
    since one look-alike stands in many pairs.
    """

    genuine: Floats
    at: Floats
    passed: NDArray[np.intp]
    low: Floats
    high: Floats
    impostors: int
    people: int

    def fnmr(self, line: float) -> Count:
        """Pairs of one person below the line."""
        return counted(int(np.searchsorted(self.genuine, line, "left")), len(self.genuine))

    def fmr(self, line: float) -> Count:
        """Pairs of strangers on or over the line, counted at the nearest line of the table that is not above it."""
        k = max(0, int(np.searchsorted(self.at, line + 1e-9, "right")) - 1)
        wrong = int(self.passed[k])
        rate, none = wrong / self.impostors, counted(0, self.impostors).high
        return Count(wrong=wrong, n=self.impostors, low=min(rate, float(self.low[k])), high=max(rate, none, float(self.high[k])))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        start, step, count = float(data["start"]), float(data["step"]), len(data["passed"])
        return cls(
            genuine=np.asarray(data["genuine"], np.float64),
            at=np.round(start + step * np.arange(count), 6),
            passed=np.asarray(data["passed"], np.intp),
            low=np.asarray(data["low"], np.float64),
            high=np.asarray(data["high"], np.float64),
            impostors=int(data["impostors"]),
            people=int(data["people"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "people": self.people,
            "impostors": self.impostors,
            "start": float(self.at[0]),
            "step": round(float(self.at[1] - self.at[0]), 6),
            "genuine": [round(float(v), 3) for v in self.genuine],
            "passed": [int(v) for v in self.passed],
            "low": [float(f"{v:.3g}") for v in self.low],
            "high": [float(f"{v:.3g}") for v in self.high],
        }


def count_errors(
    pairs: LabelledScores, *, start: float = 0.0, end: float = 14.0, step: float = 0.1, rounds: int = 200
) -> CountedErrors:
    """Count errors at each line from `start` to `end`, with intervals of the strangers by resampling people."""
    scores = pairs.split()
    at = np.round(np.arange(start, end + step / 2, step), 6)
    other = pairs.first != pairs.second
    first, second = pairs.first[other], pairs.second[other]
    place = np.searchsorted(at, pairs.score[other], "right")  # lines that a pair reaches
    people = int(max(pairs.first.max(), pairs.second.max())) + 1
    rng, drawn = np.random.default_rng(0), []
    for _ in range(rounds):
        times = rng.multinomial(people, np.full(people, 1.0 / people)).astype(np.float64)
        weights = times[first] * times[second]
        reached = np.bincount(place, weights=weights, minlength=len(at) + 1)[::-1].cumsum()[::-1][1:]
        drawn.append(reached / weights.sum())
    low, high = np.percentile(np.array(drawn), [2.5, 97.5], axis=0)
    passed = np.bincount(place, minlength=len(at) + 1)[::-1].cumsum()[::-1][1:]
    return CountedErrors(
        genuine=np.sort(scores.genuine), at=at, passed=passed, low=low, high=high, impostors=len(scores.impostor), people=people
    )  # fmt: skip


ERRORS_FILE = SHIPPED_FILE.with_name("errors.json")
"""Made by `python -m tests.benchmarks.faces --errors` from the same pictures as the shipped calibration."""


@cache
def shipped_errors() -> dict[str, CountedErrors]:
    """What was counted behind the shipped calibration, by condition; empty where the file is of another calibration."""
    data = json.loads(ERRORS_FILE.read_text(encoding="utf-8"))
    if data["label"] != shipped().label:
        return {}
    return {name: CountedErrors.from_json(part) for name, part in data["conditions"].items()}


# A deployment's own calibration

OWN_PAIRS = 300
"""Labelled pairs from which a deployment's own calibration may be fitted (issue of the faces; a person asks for the command)."""
OWN_EACH = 30
"""Of one person and of two, each: with 30 pairs of which none errs, the rate may still be 10 % (rule of three). As many strangers
of one kind of pair, such as selfie and passport, give that kind a shift of its own; below it has that of all kinds together."""

NEWEST_PAIRS = 20_000
"""Newest labelled pairs that are read for a fit: at 1,000 strangers the mean is known to 0.1 standard deviations, and what came
before says less of today's cameras and documents."""


OWN_LABEL = "own face calibration "
"""With its number behind it: the label of an own calibration among a run's engines."""


class TooFewPairs(Exception):
    """Not enough labelled pairs for an own calibration. Says how many there are; numbers of pairs, of nobody."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnPair:
    """One pair of faces of a case that an agent decided after looking. `person` only keeps pairs of one customer together."""

    pair: Pair
    similarity: float
    same: bool
    person: str
    sex: str = ""  # M, F, X; empty: not known
    age: int = 0  # full tens of years; 0: not known


def fit_own(base: FaceCalibration, pairs: Iterable[OwnPair], *, label: str, date: str, rounds: int = 200) -> FaceCalibration:
    """Fit what `base`'s score means among a deployment's own customers. Raises TooFewPairs; ValueError where likeness does not
    speak for one person.

    A few hundred pairs cannot show a false match rate of 1 in 10,000, so the shape of the curve stays that of `base`.
    It is moved by as much as the own strangers score higher than those of `base` (`_shift`), each kind of pair by its own
    strangers where there are OWN_EACH of them, else by those of all kinds together; the card says which. Never below zero:
    stricter or equal to `base`, never kinder. The odds are fitted anew, each kind by itself where it has OWN_EACH of either sort.
    """
    known = [p for p in pairs if math.isfinite(p.similarity)]
    own, other = [p for p in known if p.same], [p for p in known if not p.same]
    if len(known) < OWN_PAIRS or min(len(own), len(other)) < OWN_EACH:
        raise TooFewPairs(
            f"{len(known)} of {OWN_PAIRS} labelled pairs: {len(own)} of one person, {len(other)} of different people, "
            f"and at least {OWN_EACH} of each kind are needed"
        )
    together = _shift(base, other)
    card: dict[str, Any] = {
        "date": date,
        "data": "cases decided by agents of this deployment",
        "pairs": len(known),
        "genuine_pairs": len(own),
        "impostor_pairs": len(other),
        "people": len({p.person for p in known}),
        "moved_by": round(together, 4),
        "base": base.label,
        "limits": "Agents saw the machine's scores. Too few pairs to show 1 in 10,000: the curve's shape is the base's.",
    }
    all_odds = _own_odds(known, card, rounds)
    tables = {name: _moved(table, together) for name, table in base.tables.items()}
    odds = {name: all_odds for name in base.tables}
    kinds: dict[str, dict[str, Any]] = {}
    for pair in Pair:
        mine = [p for p in known if p.pair is pair]
        strangers = [p for p in mine if not p.same]
        enough = len(strangers) >= OWN_EACH
        by = _shift(base, strangers) if enough else together
        table = base.table(pair)
        if table is not None:
            tables[pair.value] = _moved(table, by)
        odds[pair.value] = all_odds
        if enough and len(mine) - len(strangers) >= OWN_EACH:
            odds[pair.value] = _own_odds(mine, {**card, "pair": pair.value, "pairs": len(mine)}, rounds)
        kinds[pair.value] = {
            "genuine_pairs": len(mine) - len(strangers),
            "impostor_pairs": len(strangers),
            "moved_by": round(by, 4),
            "own": enough,
        }
    return replace(base, label=label, tables=tables, odds=odds, card={**card, "kinds": kinds})


def _shift(base: FaceCalibration, strangers: Sequence[OwnPair]) -> float:
    """By how much these strangers score higher than those of `base`: the upper end of the 90 % interval of the mean.

    And at least so far that none of the n stands where the curve says rarer than 1 in 10 n, which a few look-alikes may while
    the mean stays.
    """
    found = {p.pair: base.table(p.pair) for p in strangers}
    curves = {pair: table for pair, table in found.items() if table is not None}
    middle = {pair: table.strangers()[0] for pair, table in curves.items()}
    rare = {pair: table.threshold(max(0.1 / len(strangers), 2.0 * table.floor)) for pair, table in curves.items()}
    above = np.array([p.similarity - middle[p.pair] for p in strangers])
    beyond = max(p.similarity - rare[p.pair] for p in strangers)
    return max(0.0, beyond, float(above.mean() + 1.645 * above.std(ddof=1) / math.sqrt(len(above))))


def _moved(table: FmrTable, by: float) -> FmrTable:
    return table.moved(by, {"moved_by": round(by, 4), "shape": table.card})


def _own_odds(pairs: Sequence[OwnPair], card: dict[str, Any], rounds: int) -> Odds:
    number = {person: n for n, person in enumerate(dict.fromkeys(p.person for p in pairs))}
    # Each impostor is somebody of her own: who he really is, nobody knows.
    first = np.array([number[p.person] for p in pairs])
    second = np.array([number[p.person] if p.same else len(number) + n for n, p in enumerate(pairs)])
    _, second = np.unique(np.concatenate([first, second]), return_inverse=True)
    scores = LabelledScores(
        score=np.array([p.similarity for p in pairs]), first=second[: len(pairs)], second=second[len(pairs) :]
    )
    return fit_odds([scores], card, ridge=RIDGE[PRINTED], rounds=rounds)


def never_kinder(one: FaceCalibration, other: FaceCalibration) -> bool:
    """Whether `one` gives strangers at least the rate that `other` gives, for every kind of pair at every similarity.

    Speaks of the rates alone: whether one reference may decide is another question (`one_may_decide`).
    """
    for pair in Pair:
        new, old = one.table(pair), other.table(pair)
        if new is not None and (old is None or not new.never_below(old)):
            return False
    return True


def applied(measures: Measures, own: FaceCalibration, base: FaceCalibration) -> Measures:
    """Return measures whose `fmr` is by `own`, never lower than it was; that one reference may decide only where it says so.

    Left as they are where their scores are not those that `own` was fitted on.
    """
    if base.label not in measures.engines:
        return measures
    pairs = {}
    for pair, found in measures.pairs.items():
        rate = own.fmr(pair, found.similarity)
        pairs[pair] = replace(found, fmr=max(rate, found.fmr) if rate is not None and found.fmr is not None else None)
    engines = tuple(own.label if name == base.label else name for name in measures.engines)
    return replace(measures, pairs=pairs, own_calibration=own.one_may_decide, engines=engines)


def rated(measures: Measures, by: FaceCalibration | None, base: FaceCalibration) -> Measures:
    """Return an old run's measures as `by` would rate them, or `base` where it is None, whichever rated them then.

    Left as they are where their scores are of another scale. A rate that was only measured under an earlier own calibration is
    worked out from the score anew.
    """
    own = next((name for name in measures.engines if name.startswith(OWN_LABEL)), None)
    if own is not None and base.label not in measures.engines:
        pairs = {
            pair: replace(found, fmr=base.fmr(pair, found.similarity) if found.fmr is not None else None)
            for pair, found in measures.pairs.items()
        }
        engines = tuple(base.label if name == own else name for name in measures.engines)
        measures = replace(measures, pairs=pairs, own_calibration=False, engines=engines)
    return applied(measures, by, base) if by is not None else measures


def _sorted(values: Floats, what: str) -> Floats:
    ordered = np.sort(np.asarray(values, np.float64).ravel())
    if not len(ordered):
        raise ValueError(f"no {what} pairs")
    return ordered
