"""Measure how often an edited page is seen: one printed value changed, the zone left as it was.

    python tests/benchmarks/contradictions.py [--seeds N] [--json FILE]

Drawn passports of Russia, Kazakhstan, Spain and Mexico, easy to hard, each with one value printed falsely (another name, a
number of other digits, other days), and honest ones beside them. Prints, per field and hardness, the share with
`zones_disagree`, the same for honest papers, and any value that was certain although page and zone differ in it.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import timedelta
from pathlib import Path

import cv2

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks.documents import TODAY  # noqa: E402
from tests.specimens import people, portraits  # noqa: E402
from tests.specimens.draw import NO_FAULTS, Faults, Person, draw_td3  # noqa: E402
from tests.specimens.photograph import photograph  # noqa: E402
from verification import documents  # noqa: E402
from verification.evidence import Field  # noqa: E402
from verification.reasons import ReasonCode  # noqa: E402

PAPERS = ("russian_traveller", "kazakh", "spanish", "mexican")
HARDNESS = ("easy", "medium", "hard")
FIELDS = ("surname", "given_names", "document_number", "date_of_birth", "expires_on")


def other(person: Person, name: str) -> str:
    """Another value of the same kind: what a forger would print."""
    value = getattr(person, name)
    if name in ("date_of_birth", "expires_on"):
        return str((value - timedelta(days=1000)).isoformat())
    if name == "document_number":
        digits = "".join(c for c in value if c.isdigit())
        return str(value.replace(digits, "".join(str((int(d) + 3) % 10) for d in digits)))
    return {"surname": "VELASTRONOVA", "given_names": "TERESINA"}[name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2, help="photographs of each paper, field and hardness")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    documents.load()
    face = portraits.for_print("a", 1)
    rows = []
    for key in PAPERS:
        _, country, make = people.PAPERS[key]
        person = make(TODAY)
        for name in (None, *FIELDS):
            faults = NO_FAULTS if name is None else Faults(print_only={name: other(person, name)})
            page = draw_td3(person, face, country=country, faults=faults)
            for hardness in HARDNESS:
                for seed in range(options.seeds):
                    reading = documents.read(photograph(page.image, seed=100 + seed, hardness=hardness), today=TODAY)
                    value = reading.fields.get(Field(name)) if name else None
                    rows.append(
                        {
                            "paper": key, "edited": name, "hardness": hardness, "seed": seed,
                            "seen": ReasonCode.ZONES_DISAGREE in reading.problems,
                            "certain": value is not None and value.certain,
                        }
                    )  # fmt: skip
    print("hardness  " + "  ".join(f"{name:>15}" for name in (*FIELDS, "honest")))
    for hardness in HARDNESS:
        cells = []
        for name in (*FIELDS, None):
            some = [row for row in rows if row["edited"] == name and row["hardness"] == hardness]
            cells.append(f"{sum(row['seen'] for row in some)} of {len(some)}")
        print(f"{hardness:9s} " + "  ".join(f"{cell:>15}" for cell in cells))
    unseen = [row for row in rows if row["edited"] and row["certain"] and not row["seen"]]
    print(f"edited, not seen, and the zone's value certain: {len(unseen)} of {sum(row['edited'] is not None for row in rows)}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
