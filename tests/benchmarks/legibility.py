"""Choose the thresholds of verification/documents/legibility.py: make clean zones worse by steps, read each, see where it fails.

    python tests/benchmarks/legibility.py [--data DIR] [--json FILE] [--limit N] [--skip N] [--drawn N] [--kinds KIND ...]

`--data` is a folder in the format of shared/data/documents (labels.json beside the pictures); `--limit` documents of it are
taken, evenly spread after the first `--skip`, and `--drawn` specimens beside them. Every second one is first shrunk to 12
pixels a character, so that nothing is learnt about large letters only. A page that is not read exactly when clean is left
out. Prints, per kind and level, the share of zones read exactly, values that were certain and wrong, and the advice given;
then, for each measure, the share read exactly in bins of it: a threshold belongs where that share falls off. `--json` keeps one
row per copy, without a text or a name. One thread, one process; some 1 CPU second a copy.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks import documents as zones  # noqa: E402
from verification import documents  # noqa: E402
from verification.documents import legibility, lines, mrz, mrz_zone  # noqa: E402
from verification.documents.lines import Pixels, Quad  # noqa: E402
from verification.reasons import ReasonCode  # noqa: E402

TODAY = date(2026, 11, 22)  # as in documents.py
SMALLER = 12.0  # pixels a character of every second document
QUALITY = 85  # of the JPEG that every copy goes through
KINDS: dict[str, tuple[Any, ...]] = {
    "none": (0,),
    "pitch": (12, 9, 7, 6, 5.5, 5, 4.5, 4, 3),  # pixels a character
    "blur": (0.08, 0.12, 0.16, 0.20, 0.24, 0.30),  # sigma, characters' pitches
    "defocus": (0.2, 0.25, 0.3, 0.4, 0.5),  # radius of the disc, pitches
    "motion": (0.3, 0.5, 0.7, 0.9, 1.2),  # length, pitches; along, down or slanting
    "dark": (0.28, 0.14, 0.09, 0.06, 0.04, 0.025),  # share of the light, sensor noise of sigma 3
    "noise": (15, 30, 45, 60, 80, 110),  # sigma, grey levels: a dark scene that the phone brightened
    "glare": ((170, 6.0), (300, 3.0), (300, 6.0), (600, 1.5), (600, 3.0), (600, 6.0)),  # grey levels added, radius in pitches
    "finger": (1.5, 3.0, 5.0, 8.0),  # width, pitches
    "lamp": (0,),  # the variant "glare" of documents.py
}
SKIN = ((222, 170, 140), (170, 115, 85), (95, 62, 48), (235, 190, 165))  # RGB: four people's fingers


def copy(picture: Pixels, quads: Sequence[Quad], characters: int, kind: str, level: Any, seed: int) -> tuple[Pixels, list[Quad]]:
    """Return a worse copy and where the rows stand on it. A pure function of its arguments."""
    rng = np.random.default_rng(seed)
    pitch = float(np.median([np.linalg.norm(quad[1] - quad[0]) for quad in quads])) / characters
    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    if kind == "pitch":
        scale = level / pitch
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        quads = [quad * scale for quad in quads]
    elif kind == "blur":
        picture = cv2.GaussianBlur(picture, (0, 0), level * pitch)
    elif kind == "defocus":
        picture = cv2.filter2D(picture, -1, _disc(level * pitch))
    elif kind == "motion":
        picture = cv2.filter2D(picture, -1, _stroke(level * pitch, float(rng.choice([0, 45, 90, 135]))))
    elif kind == "dark":
        picture = _whole(picture * level + rng.normal(0, 3, picture.shape))
    elif kind == "noise":
        picture = _whole(picture * 0.7 + 20 + rng.normal(0, level, picture.shape))
    elif kind == "glare":
        strength, radius = level
        along, quad = rng.uniform(0.15, 0.85), quads[int(rng.integers(len(quads)))]
        left, right = (quad[0] + quad[3]) / 2, (quad[1] + quad[2]) / 2
        cx, cy = left + (right - left) * along
        spot = np.exp(-(((x - cx) / (radius * pitch)) ** 2 + ((y - cy) / (0.8 * radius * pitch)) ** 2))
        picture = _whole(picture + strength * spot[..., None])
    elif kind == "finger":  # from below, over the last row
        cx, cy = quads[-1][3] + (quads[-1][2] - quads[-1][3]) * rng.uniform(0.1, 0.9)
        far = np.hypot((x - cx) / (level * pitch / 2), (y - cy - 1.2 * pitch) / (3.2 * pitch))
        grain = cv2.GaussianBlur(rng.normal(0, 6, (height, width)).astype(np.float32), (0, 0), 1.5)
        skin = np.array(SKIN[int(rng.integers(len(SKIN)))]) * (1.08 - 0.35 * np.clip(far, 0, 1)[..., None]) + grain[..., None]
        cover = np.clip((1 - far) * level * pitch / 4, 0, 1)[..., None]
        picture = _whole(picture * (1 - cover) + skin * cover)
    elif kind == "lamp":
        scale = max(height, width) / 1280  # the recipe brings the picture to 1,280 pixels
        picture = zones.degrade(picture, "glare", seed)
        return picture, [quad / scale for quad in quads]
    _, data = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1]), list(quads)


def _whole(pixels: np.ndarray) -> Pixels:
    return np.clip(pixels + 0.5, 0, 255).astype(np.uint8)


def _disc(radius: float) -> np.ndarray:
    reach = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return np.asarray(disc / disc.sum())


def _stroke(length: float, degrees: float) -> np.ndarray:
    """A line of `length` pixels, drawn eight times finer and shrunk."""
    reach = int(np.ceil(length / 2)) + 1
    fine, side = 8, 2 * reach + 1
    board = np.zeros((side * fine, side * fine), np.uint8)
    way = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]) * length / 2 * fine
    middle = np.full(2, side * fine / 2)
    start, end = (middle - way).round().astype(int).tolist(), (middle + way).round().astype(int).tolist()
    cv2.line(board, start, end, 255, fine)
    small = cv2.resize(board, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(small / small.sum())


def pages(data: Path, limit: int, skip: int, drawn: int) -> Iterator[tuple[dict[str, Any], Pixels]]:
    """Give clean pages with their labels: one picture per document of `data`, then drawn specimens."""
    items = json.loads((data / "labels.json").read_text(encoding="utf-8"))["items"]
    seen: dict[tuple[str, ...], tuple[int, dict[str, Any]]] = {}
    for at, item in enumerate(items):
        clean = item["mrz"] and item["mrz_conforming"] and item["doc_type"] != "mrz_strip"
        if clean and not any(tag.startswith(zones.HARD) for tag in item["tags"]):
            seen.setdefault(tuple(item["mrz"]), (at, item))
    chosen = list(seen.values())[skip:]
    for place in np.linspace(0, len(chosen) - 1, min(limit, len(chosen))).round().astype(int) if chosen else ():
        at, item = chosen[int(place)]
        picture = np.asarray(ImageOps.exif_transpose(Image.open(data / item["file"])).convert("RGB"))
        yield item, zones.degrade(picture, "upright", at)
    yield from _drawn(drawn)


def _drawn(count: int) -> Iterator[tuple[dict[str, Any], Pixels]]:
    if not count:
        return
    from tests.specimens import people
    from tests.specimens.draw import draw_ru_internal, draw_td3
    from tests.specimens.photograph import photograph

    face = np.full((720, 560, 3), 170, np.uint8)  # nobody: only the zone is looked at
    papers = (
        ("drawn td3 KAZ", lambda: draw_td3(people.kazakh(TODAY), face, country="KAZ")),
        ("drawn internal", lambda: draw_ru_internal(people.russian_at_home(TODAY), face)),
        ("drawn td3 MEX", lambda: draw_td3(people.mexican(TODAY), face, country="MEX")),
        ("drawn td3 RUS", lambda: draw_td3(people.russian_traveller(TODAY), face, country="RUS")),
    )
    for at, (name, draw) in enumerate(papers[:count]):
        specimen = draw()
        item = {
            "file": name, "mrz": specimen.truth["mrz"]["lines"], "mrz_format": None, "mrz_conforming": True, "tags": [],
            "doc_type": "passport",
        }  # fmt: skip
        yield item, photograph(specimen.image, seed=at, hardness="easy")


def printed(item: dict[str, Any]) -> list[str]:
    """Return the zone's rows as a label has them; Ñ counts for N."""
    return [row.replace("Ñ", "N") for row in item["mrz"]]


def rows_of(picture: Pixels) -> tuple[list[Quad], list[tuple[float, ...]]] | None:
    """Return where the rows of a clean page stand, and where each character stands in them; None without a zone."""
    zone = mrz_zone.recognise(picture, lines.find(picture, longest=1280))
    return None if zone is None else ([row.quad for row in zone.rows], [row.centres for row in zone.rows])


def look(item: dict[str, Any], picture: Pixels, quads: Sequence[Quad], centres: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Read one copy and measure its rows where the clean page has them."""
    characters = len(item["mrz"][0])
    started = time.process_time()
    reading = documents.read(picture, today=TODAY)
    read_seconds, started = time.process_time() - started, time.process_time()
    advice = legibility.why_hard(picture, quads, characters)
    seconds = time.process_time() - started
    hidden = Counter(reason for row in legibility.hidden_places(picture, quads, centres) for reason in row if reason)
    measured = [legibility.row_legibility(picture, quad, characters) for quad in quads]
    wanted, got = printed(item), reading.mrz.lines if reading.mrz is not None else ()
    letters = []
    if [len(row) for row in got] == [len(row) for row in wanted]:
        for row, line, seen in zip(measured, wanted, got, strict=True):
            letters += [(round(ink, 3), a == b) for ink, a, b in zip(row.ink, line, seen, strict=True)]
    values = mrz.parse(wanted, today=TODAY).values
    return {
        "exact": list(got) == wanted,
        "wrong_certain": sum(
            field.certain and name in values and field.value != values[name] for name, field in reading.fields.items()
        ),
        "problems": [reason.value for reason in reading.problems],
        "advice": [reason.value for reason in advice],
        "hidden": {reason.value: count for reason, count in hidden.items()},
        "pitch": round(float(np.median([row.pitch for row in measured])), 2),
        "edge": round(float(np.median([row.edge for row in measured])), 4),
        "clearness": round(float(np.median([row.clearness for row in measured])), 2),
        "letters": letters,
        "read_seconds": round(read_seconds, 3),
        "advice_seconds": round(seconds, 4),
    }


def report(rows: Sequence[dict[str, Any]]) -> str:
    """Return the tables that people read."""
    out = [f"documents {len({row['file'] for row in rows})}, copies {len(rows)}, "
           f"certain and wrong {sum(row['wrong_certain'] for row in rows)}"]  # fmt: skip
    out.append(f"advice costs CPU ms: median {1000 * float(np.median([row['advice_seconds'] for row in rows])):.1f}")
    out.append(f"{'kind':8s} {'level':>12s} {'n':>4s} exact  advice, of the misread | of the exact")
    for kind, levels in KINDS.items():
        for level in levels:
            here = [row for row in rows if row["kind"] == kind and row["level"] == str(level)]
            if here:
                bad, good = [r for r in here if not r["exact"]], [r for r in here if r["exact"]]
                out.append(f"{kind:8s} {level!s:>12s} {len(here):4d} {len(good):5d}  {_advice(bad)} | {_advice(good)}")
    sharp = ("none", "blur", "defocus", "motion")
    out += _falls("pitch, photo pixels", rows, ("pitch",), "pitch", (2, 3.5, 4.2, 4.7, 5.2, 5.7, 6.5, 8, 10, 13))
    out += _falls("edge, letter heights", rows, sharp, "edge", (0.1, 0.18, 0.2, 0.21, 0.22, 0.23, 0.24, 0.25, 0.26, 0.3, 0.4, 2))
    out += _falls("clearness", rows, ("none", "dark", "noise"), "clearness", (0, 3, 4, 4.5, 5, 5.5, 6, 7, 8, 10, 15, 99))
    spots = [letter for row in rows if row["kind"] in ("glare", "lamp") for letter in row["letters"]]
    out.append("ink left under glare (zones with all characters): misread of n")
    for low, high in pairwise(_INK):
        here = [right for ink, right in spots if low <= ink < high]
        if here:
            out.append(f"  {low:.2f} to {high:.2f}: {len(here) - sum(here):3d} of {len(here)}")
    lit = [row for row in rows if row["kind"] in ("glare", "lamp")]
    misread = [row for row in lit if not row["exact"]]
    glare = ReasonCode.DOCUMENT_GLARE.value
    unseen = [sum(glare not in row[whose] for row in misread) for whose in ("advice", "problems")]
    out.append(
        f"glare: misread {len(misread)} of {len(lit)}; of these without document_glare {unseen[0]}, by the reader {unseen[1]}"
    )
    clean = [row for row in rows if row["kind"] == "none"]
    out.append(f"clean copies {len(clean)}, with any advice {sum(bool(row['advice']) for row in clean)}")
    return "\n".join(out)


_INK = (-1.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 3.0)


def _advice(rows: Iterable[dict[str, Any]]) -> str:
    counts = Counter(reason.removeprefix("document_") for row in rows for reason in (row["advice"] or ["-"]))
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


def _falls(title: str, rows: Sequence[dict[str, Any]], kinds: Sequence[str], measure: str, edges: Sequence[float]) -> list[str]:
    out = [f"{title} ({', '.join(kinds)}): exact of n"]
    for low, high in pairwise(edges):
        here = [row["exact"] for row in rows if row["kind"] in kinds and low <= row[measure] < high]
        if here:
            out.append(f"  {low:.2f} to {high:.2f}: {sum(here):3d} of {len(here)}")
    return out


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=zones.DATA)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--limit", type=int, default=10)
    parser.add_argument("--skip", type=int, default=0, help="documents left out at the start")
    parser.add_argument("--drawn", type=int, default=2, choices=range(5), help="specimens beside them")
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), default=list(KINDS))
    options = parser.parse_args()
    if not (options.data / "labels.json").is_file():
        sys.exit(f"no labels.json in {options.data}")
    cv2.setNumThreads(1)
    documents.load()
    rows: list[dict[str, Any]] = []
    for at, (item, page) in enumerate(pages(options.data, options.limit, options.skip, options.drawn)):
        found = rows_of(page)
        clean = documents.read(page, today=TODAY).mrz
        if found is None or clean is None or list(clean.lines) != printed(item):
            print(f"left out, not exact when clean: {item['file']}", file=sys.stderr)
            continue
        quads, centres = found
        if at % 2:
            scale = SMALLER * len(item["mrz"][0]) / float(np.linalg.norm(quads[0][1] - quads[0][0]))
            page = cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            quads = [quad * scale for quad in quads]
        for kind in options.kinds:
            for step, level in enumerate(KINDS[kind]):
                seed = 1000 * at + 10 * list(KINDS).index(kind) + step
                worse, moved = copy(page, quads, len(item["mrz"][0]), kind, level, seed)
                rows.append({"file": item["file"], "kind": kind, "level": str(level), **look(item, worse, moved, centres)})
        print(f"{at + 1}: {len(rows)} copies", file=sys.stderr)
        if options.json:  # after each document, so that a long run may be stopped
            options.json.write_text(json.dumps({"rows": rows}, indent=1), encoding="utf-8")
    print(report(rows))


if __name__ == "__main__":
    main()
