"""Measure how pages are found by their edges, and what a photo's size costs.

    python tests/benchmarks/pages.py [--drawn N] [--blanks DIR] [--sizes [MP ...]] [--json FILE]

`--drawn N`: N photographs of each drawn paper and hardness, whose page's corners are known; beside them the labelled pages of
`../shared/data/blanks` (`--blanks`, another folder in its format). Printed: how often the surest quad of `page.find` is the page
(intersection over union above 0.9), how often any is, the mean corner error of the page as placed by its zone alone and
by zone and edges (per cent of the page's diagonal), CPU milliseconds. `--sizes`: one drawn passport at so many
megapixels, decoded as an upload is: CPU seconds of decoding and of reading, the latter as ratios to the first.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.specimens import people  # noqa: E402
from tests.specimens.photograph import shoot  # noqa: E402
from verification import documents, images  # noqa: E402
from verification.documents import page  # noqa: E402
from verification.documents.lines import Pixels, Quad  # noqa: E402

TODAY = date(2026, 11, 22)
SAME = 0.9  # intersection over union from which a quad is the page
HARDNESS = ("easy", "medium", "hard")


def drawn(count: int) -> Iterator[tuple[str, Pixels, Quad]]:
    """Photographs of every drawn paper, and where the page's corners went."""
    for who in people.personas(TODAY).values():
        specimen = who.draw()
        for hardness in HARDNESS:
            for seed in range(count):
                shot = shoot(specimen.image, seed=seed, hardness=hardness)
                yield f"drawn, {hardness}", shot.image, shot.place(np.asarray(specimen.quads["page"], np.float32))


def labelled(folder: Path) -> Iterator[tuple[str, Pixels, Quad]]:
    """The blanks whose page corners are all on the photo."""
    for name in ("int.json", "trv.json"):
        for item in json.loads((folder / name).read_text(encoding="utf-8"))["items"]:
            picture = np.asarray(ImageOps.exif_transpose(Image.open(folder / item["file"])).convert("RGB"))
            yield f"blanks, {name[:3]}", picture, np.asarray(item["corners"], np.float32)


def off(corners: Quad, truth: Quad) -> float:
    """Mean distance of the corners, whichever is called the first, per cent of the page's diagonal."""
    diagonal = float(np.linalg.norm(truth[2] - truth[0]))
    return min(float(np.linalg.norm(np.roll(corners, k, axis=0) - truth, axis=1).mean()) for k in range(4)) / diagonal * 100


def without_margin(corners: Quad) -> Quad:
    """The page's own corners, from corners that keep the margin."""
    m = page.MARGIN
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    inner = (unit - 0.5) / (1 + 2 * m) + 0.5
    matrix = cv2.getPerspectiveTransform(unit, corners.astype(np.float32))
    return np.asarray(cv2.perspectiveTransform(inner[None], matrix)[0], np.float32)


def edges(pictures: Iterator[tuple[str, Pixels, Quad]]) -> list[dict[str, Any]]:
    """One raw result a picture."""
    rows = []
    for group, picture, truth in pictures:
        began = time.process_time()
        quads = page.find(picture)
        spent = time.process_time() - began
        overlaps = [page.overlap(quad.corners, truth) for quad in quads]
        corners = documents.read_detailed(picture, today=TODAY).corners
        rows.append(
            {
                "group": group, "first": bool(overlaps) and overlaps[0] > SAME, "any": any(o > SAME for o in overlaps),
                "placed": None if corners is None else off(without_margin(corners), truth), "ms": spent * 1000,
            }
        )  # fmt: skip
    return rows


def print_edges(rows: list[dict[str, Any]]) -> None:
    print(f"{'':16s} {'n':>4s} {'first %':>8s} {'any %':>7s} {'placed: mean corner error %':>28s} {'ms':>5s}")
    for group in dict.fromkeys(row["group"] for row in rows):
        own = [row for row in rows if row["group"] == group]
        placed = [row["placed"] for row in own if row["placed"] is not None]
        first, found = (100 * float(np.mean([row[key] for row in own])) for key in ("first", "any"))
        error = f"{np.mean(placed):.2f} (n = {len(placed)})" if placed else "-"
        print(f"{group:16s} {len(own):4d} {first:8.1f} {found:7.1f} {error:>28s} {np.median([row['ms'] for row in own]):5.0f}")


def sizes(megapixels: list[float]) -> None:
    """A drawn passport, enlarged or shrunk to each size, through the decoder and the reader."""
    flat = people.personas(TODAY)["approve_marriage"].document_photo()
    first: float | None = None
    print(f"{'MP':>5s} {'decoded to':>12s} {'decode s':>9s} {'read s':>7s} {'ratio':>6s}")
    for wanted in megapixels:
        scale = (wanted * 1e6 / (flat.shape[0] * flat.shape[1])) ** 0.5
        size = (round(flat.shape[1] * scale), round(flat.shape[0] * scale))
        data = images.encode_jpeg(np.asarray(cv2.resize(flat, size, interpolation=cv2.INTER_CUBIC), np.uint8))
        began = time.process_time()
        picture = images.decode(data, isolate=False)
        decoded = time.process_time() - began
        took = []
        for _ in range(3):
            began = time.process_time()
            documents.read(picture, today=TODAY)
            took.append(time.process_time() - began)
        spent = float(np.median(took))
        first = first or spent
        shape = f"{picture.shape[1]}x{picture.shape[0]}"
        print(f"{wanted:5.0f} {shape:>12s} {decoded:9.2f} {spent:7.2f} {spent / first:6.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drawn", type=int, default=0, help="photographs of each drawn paper and hardness")
    parser.add_argument("--blanks", type=Path, default=ROOT.parent / "shared" / "data" / "blanks")
    parser.add_argument("--sizes", type=float, nargs="*", help="megapixels; default 2 8 12 40")
    parser.add_argument("--json", type=Path, help="one raw result a picture")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    documents.load()
    if options.sizes is not None:
        sizes(options.sizes or [2.0, 8.0, 12.0, 40.0])
        return
    rows = edges(drawn(options.drawn))
    if options.blanks.is_dir():
        rows += edges(labelled(options.blanks))
    else:
        print("the blanks are not there: skipped")
    print_edges(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
