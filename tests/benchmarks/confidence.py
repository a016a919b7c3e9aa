"""Calibrate what the engine says of its own zone readings: of values called 0.9 sure, nine in ten should be right.

    python tests/benchmarks/confidence.py [--data DIR] [--drawn N] [--blanks N] [--json FILE] [--calibrate]

Reads labelled pictures as they are and at every degradation, and drawn specimens at every hardness; notes for each value of
a zone the least odds on its characters, what the voices said and whether the check digits held, and whether it was right.
Prints the table of counts and how well two halves of the documents predict each other. `--calibrate` writes
verification/documents/confidence.json. Without `--calibrate` nothing is changed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks import documents as bench  # noqa: E402
from verification import documents  # noqa: E402
from verification.documents import certainty, confidence  # noqa: E402
from verification.evidence import Source  # noqa: E402

TABLE = ROOT / "verification" / "documents" / "confidence.json"
WEIGHT = 4.0  # imagined readings at the group's own rate in each bin: few counts must not promise 1.0 or 0.0
SEED = 811  # of drawn and printed people: not the benchmark's own


@dataclass(frozen=True, kw_only=True)
class Value:
    """One value that was read from a zone."""

    document: str
    picture: str
    field: str
    group: str
    odds: float
    right: bool
    certain: bool


class _Listener:
    """Stands in for `confidence.likely` and gives each call a number by which the value is found again."""

    def __init__(self) -> None:
        self.calls: dict[float, tuple[float, str]] = {}

    def __call__(self, odds: float, *, voices: confidence.VoicesSay, holds: bool) -> float:
        key = round(0.9 + len(self.calls) * 1e-6, 6)
        self.calls[key] = (odds, confidence.group(voices, holds=holds))
        return key


def observe(picture: np.ndarray, item: bench.Item, *, name: str) -> Iterator[Value]:
    """Read one picture and yield each value of its zone with what was heard."""
    listener = _Listener()
    usual = certainty.confidence.likely
    certainty.confidence.likely = listener  # type: ignore[assignment]
    try:
        reading = documents.read(picture, today=bench.TODAY)
    finally:
        certainty.confidence.likely = usual
    wanted = bench.truth(item)
    for field, value in reading.fields.items():
        heard = listener.calls.get(round(value.confidence, 6))
        if heard is not None and value.source in (Source.MRZ, Source.BOTH) and field in wanted:
            yield Value(
                document="|".join(item["mrz"]), picture=name, field=field.value, group=heard[1], odds=heard[0],
                right=value.value in wanted[field], certain=value.certain,
            )  # fmt: skip


def pictures(data: Path, *, drawn: int, blanks: int) -> Iterator[tuple[str, bench.Item, np.ndarray]]:
    """Every labelled picture with a zone as it is, one per document at every degradation, drawn papers, people on blanks."""
    variants = [None, *(v for v in bench.VARIANTS if v != "upright")]
    sources = [bench.labelled(data, variants=variants, limit=0, only=())]
    if drawn:
        sources.append(bench.drawn_specimens(drawn, seed=SEED))
    if blanks:
        sources += [bench.printed_people(blanks, seed=SEED, hardness=hardness) for hardness in (None, "medium", "hard")]
    for source in sources:
        for group, _, item, picture in source:
            if item["mrz"]:
                yield f"{group} {item['file']}", item, picture


def table(values: Iterable[Value]) -> dict[str, dict[str, list[float]]]:
    """Count right values by group and odds; shares rise with the odds (neighbouring bins are pooled until they do)."""
    by_group: dict[str, list[Value]] = defaultdict(list)
    for value in values:
        by_group[value.group].append(value)
    rows = {}
    for name in _groups():
        members = by_group.get(name, [])
        overall = (sum(v.right for v in members) + 1) / (len(members) + 2)
        bins = []
        for low, high in zip(confidence.EDGES, [*confidence.EDGES[1:], 1.0 + 1e-9], strict=True):
            inside = [v for v in members if low <= v.odds < high]
            middle = float(np.mean([v.odds for v in inside])) if inside else (low + min(high, 1.0)) / 2
            bins.append(
                [middle, (sum(v.right for v in inside) + WEIGHT * overall) / (len(inside) + WEIGHT), len(inside) + WEIGHT]
            )
        shares = _rising([(share, weight) for _, share, weight in bins])
        rows[name] = {
            "odds": [round(middle, 4) for middle, _, _ in bins],
            "right": [round(share, 4) for share in shares],
            "n": [round(weight - WEIGHT) for _, _, weight in bins],
        }
    return rows


def _groups() -> list[str]:
    return [confidence.group(v, holds=h) for v in ("page", "agreed", "single", "denied") for h in (True, False)]


def _rising(shares: list[tuple[float, float]]) -> list[float]:
    """Pool adjacent violators."""
    blocks: list[tuple[float, float, int]] = []
    for share, weight in shares:
        blocks.append((share, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, wa, na), (b, wb, nb) = blocks[-2:]
            blocks[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    return [share for share, _, count in blocks for _ in range(count)]


def said(rows: dict[str, dict[str, list[float]]], value: Value) -> float:
    """What a table says of a value."""
    return float(np.clip(np.interp(value.odds, rows[value.group]["odds"], rows[value.group]["right"]), 0.01, 0.999))


def report(values: list[Value]) -> str:
    """The counts, and how well tables made on one half of the documents predict the other half."""
    rows = table(values)
    out = [f"{len(values)} values of {len({v.picture for v in values})} pictures, {len({v.document for v in values})} documents"]
    out.append("group           n      right   " + "  ".join(f"{edge:>5}" for edge in confidence.EDGES))
    for name, row in rows.items():
        members = [v for v in values if v.group == name]
        share = f"{100 * sum(v.right for v in members) / len(members):5.1f} %" if members else "   -   "
        cells = "  ".join(f"{r:.3f}" if n else "  .  " for r, n in zip(row["right"], row["n"], strict=True))
        out.append(f"{name:14s} {len(members):5d}  {share}  {cells}")
    names = sorted({v.document for v in values})
    half = {name for at, name in enumerate(names) if at % 2}
    predicted: list[tuple[float, bool]] = []
    for own in (True, False):
        made = table([v for v in values if (v.document in half) is own])
        predicted += [(said(made, v), v.right) for v in values if (v.document in half) is not own]
    out.append("predicted from the other half of the documents:")
    for low, high in ((0.0, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 0.99), (0.99, 1.0)):
        inside = [(p, r) for p, r in predicted if low <= p < high]
        if inside:
            out.append(
                f"  said {low:.2f}-{high:.2f}: n {len(inside):5d}, mean said {np.mean([p for p, _ in inside]):.3f}, "
                f"right {np.mean([r for _, r in inside]):.3f}"
            )
    out.append(f"  Brier {np.mean([(p - r) ** 2 for p, r in predicted]):.4f}")
    wrong = [v for v in values if v.certain and not v.right]
    out.append(
        f"certain {sum(v.certain for v in values)}, of them wrong {len(wrong)}"
        + "".join(f"\n  {v.picture} {v.field}" for v in wrong)
    )
    return "\n".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=bench.DATA)
    parser.add_argument("--drawn", type=int, default=3, help="drawn papers of each kind and hardness")
    parser.add_argument("--blanks", type=int, default=24, help="invented people printed onto blanks, three times")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--calibrate", action="store_true")
    options = parser.parse_args()
    if not (options.data / "labels.json").is_file():
        sys.exit(f"no labels.json in {options.data}")
    cv2.setNumThreads(1)
    documents.load()
    values = []
    for name, item, picture in pictures(options.data, drawn=options.drawn, blanks=options.blanks):
        values += observe(picture, item, name=name)
    print(report(values))
    if options.json:
        options.json.write_text(json.dumps([asdict(v) for v in values], ensure_ascii=False, indent=1), encoding="utf-8")
    if options.calibrate:
        about = (
            f"Made by tests/benchmarks/confidence.py --calibrate on {date.today().isoformat()} from {len(values)} values of "
            f"{len({v.picture for v in values})} pictures. Per group: odds, share right at such odds (smoothed, rising), counts."
        )
        TABLE.write_text(json.dumps({"about": about, "groups": table(values)}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
