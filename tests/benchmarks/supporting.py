"""Read drawn supporting pages (earlier passports, family status) and say how many values come back exactly.

    python tests/benchmarks/supporting.py [--pages N] [--seed S] [--hardness easy medium hard] [--misses] [--keep DIR]

Pages of people invented by `tests/specimens/papers.py`, one to three entries each, typefaces the networks were not trained
on, photographed by `tests/specimens/photograph.py`; every tenth is filled in by hand, every fifth lies turned. Prints per
hardness, of the same pages: pages known, entries found, each value's share exact, certain among the right ones, certain and
wrong (must be 0), given and wrong, and CPU seconds a page (Tesseract's included). `--misses` prints what went wrong, invented as
it is. `--keep` holds the pictures so that a second run need not draw them. One process, one thread.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.specimens import papers  # noqa: E402
from tests.specimens.photograph import GRADES, photograph  # noqa: E402
from verification.documents import lines, supporting  # noqa: E402
from verification.documents.lines import Pixels  # noqa: E402
from verification.papers import SupportingReading  # noqa: E402

TODAY = date(2026, 11, 22)  # as in documents.py


def pictures(
    count: int, *, seed: int, hardnesses: Sequence[str], keep: Path | None
) -> Iterator[tuple[str, str, Pixels, dict[str, Any]]]:
    """Photos of drawn pages with their hardness and truth, both kinds taking turns."""
    for at in range(seed, seed + count):
        drawn: papers.Drawn | None = None
        for hardness in hardnesses:
            name = f"{hardness}_{at}"
            file = keep / f"{name}.npy" if keep else None
            if file is not None and file.exists():
                yield hardness, name, np.load(file), json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
                continue
            drawn = drawn or papers.page_of(
                papers.KINDS[at % 2], 1 + at // 2 % 3, seed=at, today=TODAY, filled="hand" if at % 10 == 7 else None
            )
            image = photograph(drawn.image, seed=at, hardness=hardness)  # type: ignore[arg-type]
            if at % 5 == 3:
                image = np.ascontiguousarray(np.rot90(image, 1 + at % 3))
            if file is not None:
                np.save(file, image)
                file.with_suffix(".json").write_text(json.dumps(drawn.truth, ensure_ascii=False), encoding="utf-8")
            yield hardness, name, image, drawn.truth


def weigh(name: str, reading: SupportingReading, truth: dict[str, Any], tally: Counter[str], misses: list[str]) -> None:
    """Count one page: entries are told apart by their order from the top."""
    tally["pages"] += 1
    tally["known"] += reading.kind is not None and reading.kind.value == truth["kind"]
    tally["entries"] += len(truth["entries"])
    own = reading.own_number
    _one(name, "own_number", truth["own_number"], own, tally, misses)
    kinds = [entry.kind.value for entry in reading.entries]
    wanted = [entry["kind"] for entry in truth["entries"]]
    if kinds != wanted:
        misses.append(f"{name}: entries {kinds} for {wanted}")
    for at, entry in enumerate(truth["entries"]):
        seen = reading.entries[at] if kinds == wanted else None
        tally["found"] += seen is not None
        values = {detail.value: value for detail, value in seen.values.items()} if seen else {}
        for detail, value in entry["values"].items():
            read = values.pop(detail, None)
            if not entry.get("by_hand"):
                _one(f"{name}.{at}", detail, value, read, tally, misses)
            elif read is not None and read.value != value:  # nobody has to read a hand, but nobody may misread it either
                _one(f"{name}.{at}", detail, None, read, tally, misses)
        for detail, made_up in values.items():
            _one(f"{name}.{at}", detail, None, made_up, tally, misses)


def _one(where: str, detail: str, value: str | None, seen: Any, tally: Counter[str], misses: list[str]) -> None:
    right = seen is not None and seen.value == value
    if value is not None:
        tally[f"n {detail}"] += 1
        tally[f"right {detail}"] += right
        tally[f"certain {detail}"] += right and seen.certain
    if seen is not None and not right:
        tally["given and wrong"] += 1
        tally["made up"] += value is None
        tally["certain and wrong"] += seen.certain
    if not right:
        misses.append(
            f"{where} {detail}: {value!r} read as {seen.value + f' ({seen.confidence}, {seen.certain})' if seen else None!r}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 where a value was certain and wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=20, metavar="N", help="of each hardness")
    parser.add_argument("--seed", type=int, default=500)
    parser.add_argument("--hardness", nargs="+", choices=tuple(GRADES), default=tuple(GRADES))
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("--keep", type=Path, metavar="DIR")
    given = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    lines.load()
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    tallies: dict[str, Counter[str]] = {hardness: Counter() for hardness in given.hardness}
    misses: list[str] = []
    seconds: dict[str, list[float]] = {hardness: [] for hardness in given.hardness}
    for hardness, name, image, truth in pictures(given.pages, seed=given.seed, hardnesses=given.hardness, keep=given.keep):
        begun = _cpu()
        reading = supporting.read_supporting(image, today=TODAY)
        seconds[hardness].append(_cpu() - begun)
        before = len(misses)
        weigh(name, reading, truth, tallies[hardness], misses)
        if given.misses and len(misses) > before:
            print("\n".join(f"    {miss}" for miss in misses[before:]), flush=True)
    for hardness in given.hardness:
        _report(hardness, tallies[hardness], seconds[hardness])
    return 1 if any(tally["certain and wrong"] for tally in tallies.values()) else 0


def _cpu() -> float:
    """Seconds of this process and of the Tesseracts it started."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _report(hardness: str, tally: Counter[str], seconds: list[float]) -> None:
    details = [key[2:] for key in tally if key.startswith("n ")]
    made_up = f"{tally['given and wrong']} (of them not there or by hand {tally['made up']})"
    spent = f"CPU s median {np.median(seconds):.2f}, p95 {np.percentile(seconds, 95):.2f}"
    n, right, certain = (sum(tally[f"{what} {detail}"] for detail in details) for what in ("n", "right", "certain"))
    print(
        f"{hardness}: {tally['pages']} pages, known {tally['known']}, entries {tally['found']} of {tally['entries']}; "
        f"values {right} of {n} exact ({100 * right / max(n, 1):.1f} %), certain {100 * certain / max(right, 1):.1f} % of those; "
        f"certain and wrong {tally['certain and wrong']}, given and wrong {made_up}; {spent}",
        flush=True,
    )
    print("    " + ", ".join(f"{d} {tally[f'right {d}']}/{tally[f'n {d}']} ({tally[f'certain {d}']} certain)" for d in details))


if __name__ == "__main__":
    sys.exit(main())
