"""What a search for the same face among many accounts costs: seconds and memory.

    python -m tests.benchmarks.duplicates [--faces N] [--json FILE]

Random encodings of the lengths that the networks give, in the parts in which `cases.duplicates` opens them; opening the sealed
ones is measured on 5,000 and told for each. CPU seconds of one thread; memory above what the process had before.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import numpy as np

from cases import duplicates
from cases.crypto import Vault
from cases.models import DataKey
from verification.calibration import shipped
from verification.evidence import FACE_CODE


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--faces", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    dice = np.random.default_rng(1)
    part = dice.normal(size=(duplicates.PART, 2, 128)).astype(np.float32)
    part /= np.linalg.norm(part, axis=2, keepdims=True)
    codes = (part * np.array([1.0, 0.7], np.float32)[None, :, None]).astype(FACE_CODE)
    sought, one = codes[123].tobytes(), codes.tobytes()

    def parts() -> Iterator[tuple[list[tuple[UUID, UUID]], bytes]]:
        for start in range(0, options.faces, duplicates.PART):
            count = min(duplicates.PART, options.faces - start)
            yield [(UUID(int=start + n + 1),) * 2 for n in range(count)], one[: count * len(sought)]

    calibration = shipped()
    named = time.process_time()
    for _ in parts():
        pass
    named = time.process_time() - named
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    _, searched = duplicates.closest(sought, parts(), calibration)
    spent = time.process_time() - begun - named
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    vault = Vault({1: bytes(range(32))})
    session = SimpleNamespace(add=lambda row: None, flush=lambda: None)
    sealed: list[tuple[DataKey, bytes]] = []
    for n in range(5000):
        key = vault.new_key(session, now=datetime(2026, 1, 1, tzinfo=UTC))  # type: ignore[arg-type]
        sealed.append((key, vault.seal(key, sought, f"face|{n}")))
    begun = time.process_time()
    for n, (key, text) in enumerate(sealed):
        vault.open(key, text, f"face|{n}")
    opening = (time.process_time() - begun) / len(sealed)
    report = {
        "faces": searched,
        "cpu_seconds_comparing": round(spent, 2),
        "mib_above": round(grown, 1),
        "bytes_each": len(sought),
        "microseconds_opening_each": round(opening * 1e6, 1),
        "cpu_seconds_opening_all": round(opening * searched, 1),
    }
    print(json.dumps(report, indent=1))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
