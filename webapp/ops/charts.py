"""Charts of measures as numbers for a template that draws them: bars, lines that can be moved, and what holds at each place.

Pure: no database. Every chart has its figures beside it in words, so that nothing is told by the picture alone. What a line means
is worked out for every step of the axis, so that the page's script only looks it up and formats nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from flask_babel import format_decimal
from flask_babel import gettext as _

from cases.distributions import SCALES, Ending, Histogram, Runs, Scale
from verification.calibration import CONDITION, POOR, PRINTED, Count, CountedErrors, FaceCalibration, OwnPair, counted
from verification.evidence import Pair
from webapp.ops.presenters import one_in, percent

WIDTH, LEFT, RIGHT = 640, 10, 630
TOP, FLOOR, DEEP, FOOT = 18, 104, 138, 154
"""Of a chart, in its own units: approvals rise from FLOOR to TOP, refusals hang from FLOOR to DEEP, numbers stand at FOOT."""

UP = (Ending.AUTO_APPROVED, Ending.AGENT_APPROVED, Ending.OPEN)
DOWN = (Ending.AGENT_REJECTED, Ending.OVERTURNED)
FACE_LINES = {
    "min_selfie_document": Pair.SELFIE_DOCUMENT,
    "min_selfie_on_file": Pair.SELFIE_ON_FILE,
    "min_document_on_file": Pair.DOCUMENT_ON_FILE,
}
BARS = 64
"""At most so many bars of one colour."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One rectangle."""

    ending: str
    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line somebody may move. `setting` is the field it follows."""

    setting: str
    x: float
    value: float
    said: str
    low: float
    high: float
    second: bool = False


@dataclass(frozen=True, kw_only=True)
class Rate:
    """One row of rates at a line, in words."""

    key: str
    label: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One measure."""

    setting: str
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    lines: tuple[Line, ...]
    held_x: float
    most_up: int  # runs of the tallest bar
    most_down: int
    n: int
    missing: int
    totals: dict[Ending, int]
    stopped: dict[Ending, int]
    rates: tuple[Rate, ...]
    upper: bool  # a max_… line: what lies beyond it is stopped
    data: str  # JSON for the script
    table: tuple[tuple[str, tuple[int, ...]], ...]  # from – to, runs of each ending


def x_of(scale: Scale, value: float) -> float:
    """Where a value stands, within the plot."""
    share = (scale.place(value) - scale.low) / (scale.high - scale.low)
    return round(LEFT + (RIGHT - LEFT) * min(1.0, max(0.0, share)), 2)


def chart(
    runs: Runs, setting: str, *, lines: Sequence[tuple[str, float, float, float]], held: float, upper: bool,
    errors: dict[str, CountedErrors], calibration: FaceCalibration, own: Sequence[OwnPair],
) -> Chart:  # fmt: skip
    """Lay out one measure. `lines`: setting, value, low and high of each line; the first one is the chart's own."""
    found, scale = runs.histogram(setting), SCALES[setting]
    bars, most_up, most_down = _bars(found)
    edges = [float(v) for v in found.edges]
    pair = FACE_LINES.get(setting)
    rates: list[tuple[str, str, Callable[[float], str]]] = _rates(pair, errors, calibration, own) if pair else []
    value = lines[0][1]
    places = [10**edge if scale.log else edge for edge in edges]
    stopped_at = {e.value: _below(found, e, upper) for e in Ending}
    texts = {key: _packed([say(place) for place in places]) for key, _label, say in rates}
    return Chart(
        setting=setting,
        bars=bars,
        ticks=tuple((x_of(scale, at), said) for at, said in _ticks(scale)),
        lines=tuple(
            Line(
                setting=name, x=x_of(scale, at), value=at, said=str(format_decimal(at)), low=low, high=high, second=k > 0
            )
            for k, (name, at, low, high) in enumerate(lines)
        ),
        held_x=x_of(scale, held),
        most_up=most_up,
        most_down=most_down,
        n=found.n,
        missing=found.missing,
        totals={e: sum(found.counts[e]) for e in Ending},
        stopped=runs.stopped(setting, value),
        rates=tuple(Rate(key=key, label=label, text=say(value)) for key, label, say in rates),
        upper=upper,
        data=json.dumps(
            {
                "low": scale.low, "high": scale.high, "step": scale.step, "log": scale.log, "whole": scale.whole,
                "left": LEFT, "right": RIGHT, "upper": upper, "stopped": stopped_at, "texts": texts,
            },
            separators=(",", ":"), ensure_ascii=False,
        ),
        table=_table(found),
    )  # fmt: skip


def _below(found: Histogram, ending: Ending, upper: bool) -> list[int]:
    """At each edge, the runs that a line there stops."""
    counts = found.counts[ending]
    total, below, out = sum(counts), 0, []
    for at in range(len(counts) + 1):
        if upper:  # whole numbers: a value on the line passes
            out.append(total - below - (counts[at] if at < len(counts) else 0))
        else:
            out.append(below)
        below += counts[at] if at < len(counts) else 0
    return out


def _packed(texts: list[str]) -> dict[str, list[int] | list[str]]:
    """Texts once each, and which stands at each step."""
    known = list(dict.fromkeys(texts))
    number = {text: n for n, text in enumerate(known)}
    return {"words": known, "at": [number[text] for text in texts]}


def _bars(found: Histogram) -> tuple[tuple[Bar, ...], int, int]:
    count = len(found.edges) - 1
    together = max(1, -(-count // BARS))
    starts = range(0, count, together)
    width = (RIGHT - LEFT) / count

    def summed(ending: Ending) -> list[int]:
        return [sum(found.counts[ending][k : k + together]) for k in starts]

    up, down = {e: summed(e) for e in UP}, {e: summed(e) for e in DOWN}
    tall = max((sum(column) for column in zip(*up.values(), strict=True)), default=0)
    deep = max((sum(column) for column in zip(*down.values(), strict=True)), default=0)
    out: list[Bar] = []
    for k, start in enumerate(starts):
        x, w = LEFT + start * width, min(together, count - start) * width
        y = float(FLOOR)
        for ending in UP:
            if up[ending][k]:
                h = up[ending][k] / tall * (FLOOR - TOP)
                y -= h
                out.append(Bar(ending=ending.value, x=round(x, 2), y=round(y, 2), w=round(max(w - 1, 0.5), 2), h=round(h, 2)))
        y = FLOOR + 1.0
        for ending in DOWN:
            if down[ending][k]:
                h = max(2.0, down[ending][k] / deep * (DEEP - FLOOR - 1))
                out.append(Bar(ending=ending.value, x=round(x, 2), y=round(y, 2), w=round(max(w - 1, 0.5), 2), h=round(h, 2)))
                y += h
    return tuple(out), tall, deep


def _ticks(scale: Scale) -> list[tuple[float, str]]:
    if scale.log:
        return [(10.0**k, str(format_decimal(10**k))) for k in range(int(scale.low), int(scale.high) + 1)]
    span = scale.high - scale.low
    step = next(s for s in (0.05, 0.1, 0.2, 1, 2, 5, 10, 365, 1000) if span / s <= 11)
    first = -(-scale.low // step)
    ticks, k = [], first
    while k * step <= scale.high + 1e-9:
        ticks.append((k * step, str(format_decimal(round(k * step, 2)))))
        k += 1
    return ticks


def _table(found: Histogram) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """A dozen rows for readers who do not see the bars; empty ones left out."""
    edges, count = found.edges, len(found.edges) - 1
    together = -(-count // 12)
    rows = []
    for at in range(0, count, together):
        end = min(at + together, count)
        counts = tuple(sum(found.counts[e][at:end]) for e in Ending)
        if any(counts):
            low, high = (10 ** float(edges[k]) if found.scale.log else float(edges[k]) for k in (at, end))
            rows.append((f"{format_decimal(round(low, 3))} – {format_decimal(round(high, 3))}", counts))
    return tuple(rows)


# What a line means for faces


def count_said(found: Count) -> str:
    """A count with its interval: "4 of 341: 1.17 % (0.32 % – 2.98 %)", "0 of 312: at most 0.96 %"."""
    wrong, n = format_decimal(found.wrong), format_decimal(found.n)
    if not found.n:
        return str(_("no pairs yet"))
    if not found.wrong:
        return str(_("0 of %(n)s: at most %(high)s", n=n, high=percent(found.high)))
    return str(
        _("%(wrong)s of %(n)s: %(rate)s (%(low)s – %(high)s)", wrong=wrong, n=n, rate=percent(found.rate),
          low=percent(found.low), high=percent(found.high))
    )  # fmt: skip


def own_rates(own: Sequence[OwnPair], pair: Pair, line: float) -> tuple[Count, Count]:
    """FMR and FNMR at a line among pairs that agents labelled."""
    mine = [p for p in own if p.pair is pair]
    strangers, same = [p.similarity for p in mine if not p.same], [p.similarity for p in mine if p.same]
    return (
        counted(sum(s >= line for s in strangers), len(strangers)),
        counted(sum(s < line for s in same), len(same)),
    )


def _rates(
    pair: Pair, errors: dict[str, CountedErrors], calibration: FaceCalibration, own: Sequence[OwnPair]
) -> list[tuple[str, str, Callable[[float], str]]]:
    condition = CONDITION[pair]
    rows: list[tuple[str, str, Callable[[float], str]]] = []

    def by_curve(line: float) -> str:
        rate = calibration.fmr(pair, line)
        return "–" if not rate else one_in(rate)

    rows.append(("curve", _("Strangers that reach it, by the calibration"), by_curve))
    counts = errors.get(condition)
    if counts is not None:
        rows.append(("fmr", _("FMR counted: strangers that reach it"), lambda line: count_said(counts.fmr(line))))
        rows.append(("fnmr", _("FNMR counted: right people who do not"), lambda line: count_said(counts.fnmr(line))))
    poor = errors.get(POOR)
    if condition == PRINTED and poor is not None:
        rows.append(("poor", _("FNMR of poor prints"), lambda line: count_said(poor.fnmr(line))))
    rows.append(("own_fmr", _("FMR among your cases"), lambda line: count_said(own_rates(own, pair, line)[0])))
    rows.append(("own_fnmr", _("FNMR among your cases"), lambda line: count_said(own_rates(own, pair, line)[1])))
    return rows


# DET: both errors against each other, on axes of the normal distribution

DET_WIDTH, DET_HEIGHT, DET_LEFT, DET_TOP, DET_RIGHT, DET_BOTTOM = 420, 314, 46, 28, 408, 276
DET_X, DET_Y = (1e-5, 0.3), (1e-3, 0.6)
X_TICKS, Y_TICKS = (1e-5, 1e-4, 1e-3, 1e-2, 0.1), (1e-3, 1e-2, 0.05, 0.2, 0.5)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One condition: a line through its points, and the point at each step for the script."""

    condition: str
    path: str
    table: tuple[tuple[str, str, str], ...]  # line, FMR, FNMR


@dataclass(frozen=True, kw_only=True)
class Det:
    """The plot."""

    curves: tuple[Curve, ...]
    marks: tuple[tuple[str, str, float, float], ...]  # setting, letter, x, y
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    data: str


def det(errors: dict[str, CountedErrors], lines: dict[str, float]) -> Det | None:
    """Lay out the plot; None without counts of this calibration."""
    if not errors:
        return None
    curves, places = [], {}
    for condition, counts in errors.items():
        points = [(float(t), counts.fmr(t).rate, counts.fnmr(t).rate) for t in counts.at]
        drawn = [_det_place(fmr, fnmr) for _t, fmr, fnmr in points if DET_X[0] <= fmr <= DET_X[1]]
        curves.append(
            Curve(
                condition=condition,
                path=" ".join(f"{x},{y}" for x, y in dict.fromkeys(drawn)),
                table=tuple(
                    (str(format_decimal(line)), count_said(counts.fmr(line)), count_said(counts.fnmr(line)))
                    for line in (4.0, 5.0, 6.0, 7.0, 8.0)
                ),
            )
        )
        places[condition] = [_det_place(fmr, fnmr) for _t, fmr, fnmr in points]
    marks, of = [], {}
    for letter, (setting, pair) in zip("ABC", FACE_LINES.items(), strict=True):
        counts = errors[CONDITION[pair]]
        x, y = _det_place(counts.fmr(lines[setting]).rate, counts.fnmr(lines[setting]).rate)
        marks.append((setting, letter, x, y))
        of[setting] = CONDITION[pair]
    start, step = (float(v) for v in (counts.at[0], counts.at[1] - counts.at[0]))
    return Det(
        curves=tuple(curves),
        marks=tuple(marks),
        x_ticks=tuple((_det_place(v, 0.1)[0], percent(v)) for v in X_TICKS),
        y_ticks=tuple((_det_place(0.01, v)[1], percent(v)) for v in Y_TICKS),
        data=json.dumps({"start": start, "step": round(step, 6), "of": of, "places": places}, separators=(",", ":")),
    )


def _det_place(fmr: float, fnmr: float) -> tuple[float, float]:
    across = _share(fmr, DET_X)
    up = _share(fnmr, DET_Y)
    return round(DET_LEFT + (DET_RIGHT - DET_LEFT) * across, 1), round(DET_BOTTOM - (DET_BOTTOM - DET_TOP) * up, 1)


def _share(rate: float, ends: tuple[float, float]) -> float:
    deviate = NormalDist().inv_cdf
    low, high = deviate(ends[0]), deviate(ends[1])
    return (deviate(min(ends[1], max(ends[0], rate))) - low) / (high - low)
