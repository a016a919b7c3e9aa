"""95 % intervals of medians, p90 and means. Those of shares are Wilson's, in `cases.quality`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from cases.quality import Z

LEAST = 10
"""Values below which a mean has no interval: the normal one is far too short then."""

TAIL = 0.025
"""Left out on either side."""

_FAR = 9.0
"""Standard deviations from the middle beyond which a binomial count is not summed: there lies less than 1e-16 of it."""


def ranks(n: int, share: float) -> tuple[int, int]:
    """Places (from 1) of the two of `n` ordered values between which the quantile lies with 95 % at least.

    Whatever the distribution: how many values do not exceed the quantile is binomial (H. A. David, H. N. Nagaraja, Order
    Statistics, 3rd ed. 2003, 7.1). 0 or n + 1 where no value bounds it. Raises ValueError for a share not between 0 and 1.

    >>> ranks(10, 0.5), ranks(5, 0.5), ranks(100, 0.9)
    ((2, 9), (0, 6), (84, 96))
    """
    if not 0 < share < 1:
        raise ValueError("a quantile lies between 0 and 1")
    far = _FAR * math.sqrt(n * share * (1 - share)) + _FAR
    first, last = max(0, math.floor(n * share - far)), min(n, math.ceil(n * share + far))
    mass = {k: _binomial(k, n, share) for k in range(first, last + 1)}
    low, below = first, 0.0
    while low < last and below + mass[low] <= TAIL:  # P(count < low + 1)
        below += mass[low]
        low += 1
    high, above = last + 1, 0.0
    while high > first + 1 and above + mass[high - 1] <= TAIL:  # P(count >= high - 1)
        above += mass[high - 1]
        high -= 1
    return low, high


def quantile_interval(ordered: Sequence[float], share: float) -> tuple[float | None, float | None]:
    """The values at `ranks`; None on a side that no value bounds."""
    n = len(ordered)
    if n == 0:
        return None, None
    low, high = ranks(n, share)
    return (ordered[low - 1] if low >= 1 else None), (ordered[high - 1] if high <= n else None)


def mean_interval(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Normal, from the values' own spread; None below LEAST values. What is counted here is never negative."""
    if len(values) < LEAST:
        return None, None
    middle, half = fmean(values), Z * stdev(values) / math.sqrt(len(values))
    return max(0.0, middle - half), middle + half


def _binomial(k: int, n: int, p: float) -> float:
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))
