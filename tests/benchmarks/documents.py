"""Measure the document engine on labelled pictures: exact zones, exact fields, wrongly certain values, seconds.

    python tests/benchmarks/documents.py [--data DIR] [--json FILE] [--limit N] [--variant NAME]

`--data` is a folder in the format of shared/data/documents (labels.json beside the pictures). Variants apply one
deterministic degradation to the clean pictures, one per document. One thread, one process.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from verification import documents  # noqa: E402
from verification.documents import mrz  # noqa: E402
from verification.evidence import DATES, DocumentReading, Field  # noqa: E402

DATA = ROOT.parent / "shared" / "data" / "documents"
TODAY = date(2026, 11, 22)  # fixed, so that centuries in old specimens do not move with the calendar
# "upright" is brought to the same size and through JPEG only: what the others are to be held against
VARIANTS = ("upright", "rot90", "rot180", "rot270", "skew8", "skew20", "persp", "blur", "dark", "glare", "lowres")
HARD = ("rotated", "exif", "low_res", "photo")  # tags that leave a picture out of the variants: it is degraded already
SHOWN = (Field.SURNAME, Field.GIVEN_NAMES, Field.DOCUMENT_NUMBER, Field.DATE_OF_BIRTH, Field.EXPIRES_ON, Field.SEX,
         Field.NATIONALITY, Field.PERSONAL_NUMBER, Field.PATRONYMIC, Field.ISSUED_ON, Field.ISSUER_CODE,
         Field.PLACE_OF_BIRTH)  # fmt: skip


def degrade(picture: np.ndarray, variant: str, seed: int) -> np.ndarray:
    """Return a degraded copy; a pure function of its arguments. The same recipes as the published comparison."""
    rng = np.random.default_rng(seed)
    height, width = picture.shape[:2]
    scale = 1280 / max(height, width)
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    height, width = picture.shape[:2]
    desk = np.array([120, 95, 70], np.float32) + rng.integers(-25, 25, 3)
    quality = 80
    if variant.startswith("rot"):
        picture = np.ascontiguousarray(np.rot90(picture, {"rot90": 3, "rot180": 2, "rot270": 1}[variant]))
    elif variant.startswith("skew"):
        board = _board(picture, 1.3, desk, rng)
        angle = float(variant[4:]) * float(rng.choice([-1, 1]))
        turn = cv2.getRotationMatrix2D((board.shape[1] / 2, board.shape[0] / 2), angle, 1)
        picture = cv2.warpAffine(board, turn, (board.shape[1], board.shape[0]), borderMode=cv2.BORDER_REPLICATE)
    elif variant == "persp":
        board = _board(picture, 1.35, desk, rng)
        tall, wide = board.shape[:2]
        corners = np.array([[0, 0], [wide, 0], [wide, tall], [0, tall]], np.float32)
        moved = corners + rng.uniform(-0.09, 0.09, (4, 2)).astype(np.float32) * np.array([wide, tall], np.float32)
        matrix = cv2.getPerspectiveTransform(corners, moved)
        picture = cv2.warpPerspective(board, matrix, (wide, tall), borderMode=cv2.BORDER_REPLICATE)
    elif variant == "blur":
        picture = cv2.GaussianBlur(picture, (0, 0), 1.6)
    elif variant == "dark":
        picture = np.clip(picture.astype(np.float32) * 0.28 + rng.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)
    elif variant == "glare":
        yy, xx = np.mgrid[0:height, 0:width]
        cx, cy = rng.uniform(0.3, 0.7) * width, rng.uniform(0.75, 0.95) * height
        light = np.exp(-(((xx - cx) / (0.16 * width)) ** 2 + ((yy - cy) / (0.16 * height)) ** 2))[..., None]
        picture = np.clip(picture + 170 * light, 0, 255).astype(np.uint8)
    elif variant == "lowres":
        small = 640 / max(height, width)
        picture, quality = cv2.resize(picture, None, fx=small, fy=small, interpolation=cv2.INTER_AREA), 45
    _, data = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1])


def _board(picture: np.ndarray, scale: float, desk: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = picture.shape[:2]
    tall, wide = int(height * scale), int(width * scale)
    board = np.clip(desk + rng.normal(0, 9, (tall, wide, 1)), 0, 255).astype(np.uint8)
    y, x = (tall - height) // 2, (wide - width) // 2
    board[y : y + height, x : x + width] = picture
    return board


def truth(item: dict[str, Any]) -> dict[Field, str]:
    """Return the fields as printed, in the engine's formats, from a label."""
    if item["mrz"]:
        lines = [line.replace("Ñ", "N") for line in item["mrz"]]
        return dict(mrz.parse(lines, today=TODAY).values)
    f = item["fields"]
    wanted: dict[Field, str] = {}
    if item["doc_type"].startswith("internal"):
        for field in (Field.SURNAME, Field.GIVEN_NAMES, Field.PATRONYMIC):
            if f.get(field.value):
                wanted[field] = f[field.value]
        for field, key in ((Field.DATE_OF_BIRTH, "birth_date"), (Field.ISSUED_ON, "issue_date")):
            if f.get(key):
                wanted[field] = "-".join(reversed(f[key].split(".")))
        for field, key in ((Field.ISSUER_CODE, "unit_code"), (Field.PLACE_OF_BIRTH, "birth_place"), (Field.ISSUER, "issuer")):
            if f.get(key):
                wanted[field] = f[key]
        if f.get("number"):
            wanted[Field.DOCUMENT_NUMBER] = f["number"].replace(" ", "")
        if f.get("sex"):
            wanted[Field.SEX] = {"МУЖ": "M", "ЖЕН": "F"}.get(f["sex"][:3], "")
    return wanted


def run_one(item: dict[str, Any], picture: np.ndarray) -> dict[str, Any]:
    """Read one picture and score it against its label."""
    started, cpu = time.perf_counter(), time.process_time()
    reading = documents.read(picture, today=TODAY)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    return {"file": item["file"], "seconds": seconds, "cpu_seconds": cpu_seconds, **score(item, reading)}


def score(item: dict[str, Any], reading: DocumentReading) -> dict[str, Any]:
    """Compare a reading with a label: zone lines exactly, each field exactly, and what was certain."""
    lines = [line.replace("Ñ", "N") for line in item["mrz"]] if item["mrz"] else None
    wanted = truth(item)
    got = {field: reading.fields.get(field) for field in {*wanted, *reading.fields}}
    return {
        "tags": item["tags"],
        "format": item["mrz_format"],
        "conforming": item["mrz_conforming"],
        "exact": None if lines is None else reading.mrz is not None and list(reading.mrz.lines) == lines,
        "valid": reading.mrz is not None and reading.mrz.valid,
        "right": {field.value: got[field] is not None and got[field].value == value for field, value in wanted.items()},
        "certain": {field.value: value.certain for field, value in got.items() if value is not None},
        "wrong_certain": [
            field.value
            for field, value in got.items()
            if value is not None and value.certain and not _as_printed(item, field, value.value, wanted)
        ],
        "problems": [problem.value for problem in reading.problems],
        "read": reading.to_json(),
        "want": {field.value: value for field, value in wanted.items()},
    }


def _as_printed(item: dict[str, Any], field: Field, value: str, wanted: dict[Field, str]) -> bool:
    if field in wanted:
        return wanted[field] == value
    return not item["mrz"] or field in DATES  # not in the label: nothing to compare with


def report(rows: list[dict[str, Any]]) -> str:
    """Return the table that people read. No values of persons in it."""
    zones = [row for row in rows if row["exact"] is not None]
    conforming = [row for row in zones if row["conforming"]]
    out = [f"pictures {len(rows)}, with a zone {len(zones)}, conforming {len(conforming)}"]
    out.append(f"exact zone: all {_share(r['exact'] for r in zones)}, conforming {_share(r['exact'] for r in conforming)}")
    out.append(f"valid but not exact: {sum(r['valid'] and not r['exact'] for r in zones)}")
    for field in SHOWN:
        right = [row["right"][field.value] for row in rows if field.value in row["right"]]
        if right:
            sure = [row["certain"].get(field.value, False) for row in rows if row["right"].get(field.value)]
            out.append(
                f"  {field.value:16s} right {_share(right)} of {len(right):3d}   certain, of the right ones {_share(sure)}"
            )
    right_all = [(row["certain"].get(name, False), row["conforming"]) for row in rows for name, ok in row["right"].items() if ok]
    out.append(
        f"certain, of the right fields: all {_share(c for c, _ in right_all)}, "
        f"conforming {_share(c for c, ok in right_all if ok)}"
    )
    wrong = [(row["file"], name) for row in rows for name in row["wrong_certain"]]
    out.append(f"WRONG AND CERTAIN: {len(wrong)}" + "".join(f"\n  {file} {name}" for file, name in wrong))
    tags = Counter(tag for row in zones for tag in row["tags"])
    for tag, count in tags.most_common(12):
        out.append(f"  tag {tag:16s} exact {_share(r['exact'] for r in zones if tag in r['tags'])} of {count}")
    seconds = np.array([row["seconds"] for row in rows])
    cpu = np.array([row["cpu_seconds"] for row in rows])
    mid, late = np.median(seconds), np.percentile(seconds, 95)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    out.append(f"seconds median {mid:.2f}, p95 {late:.2f}; CPU median {np.median(cpu):.2f}; peak memory {memory:.0f} MiB")
    return "\n".join(out)


def _share(values: Any) -> str:
    values = list(values)
    return f"{100 * sum(map(bool, values)) / len(values):5.1f} %" if values else "  -  "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--variant", choices=VARIANTS)
    parser.add_argument("--only", type=int, nargs="*", help="positions in labels.json")
    options = parser.parse_args()
    if not (options.data / "labels.json").is_file():
        sys.exit(f"no labels.json in {options.data}")
    cv2.setNumThreads(1)
    items = json.loads((options.data / "labels.json").read_text(encoding="utf-8"))["items"]
    chosen = list(enumerate(items))
    if options.only:
        chosen = [(at, items[at]) for at in options.only]
    if options.variant:
        chosen = _one_per_document(chosen)
    documents.load()
    rows = []
    for at, item in chosen[: options.limit or None]:
        picture = np.asarray(ImageOps.exif_transpose(Image.open(options.data / item["file"])).convert("RGB"))
        rows.append(run_one(item, degrade(picture, options.variant, at) if options.variant else picture))
    print(report(rows))
    if options.json:
        options.json.write_text(
            json.dumps({"variant": options.variant, "rows": rows}, ensure_ascii=False, indent=1), encoding="utf-8"
        )


def _one_per_document(chosen: list[tuple[int, dict[str, Any]]]) -> list[tuple[int, dict[str, Any]]]:
    seen: set[tuple[str, ...]] = set()
    kept = []
    for at, item in chosen:
        clean = item["mrz"] and item["mrz_conforming"] and item["doc_type"] != "mrz_strip"
        if not clean or any(tag.startswith(HARD) for tag in item["tags"]) or tuple(item["mrz"]) in seen:
            continue
        seen.add(tuple(item["mrz"]))
        kept.append((at, item))
    return kept


if __name__ == "__main__":
    main()
