"""Measure the document engine beside open readers of machine-readable zones: same pictures, same run, one scorer.

    python tests/benchmarks/anchors.py [--data DIR] [--json FILE] [--engines NAME ...] [--variant NAME ... | all]
                                       [--limit N] [--tessdata DIR]

The others live in an environment of their own (var/bench-venv, from requirements/bench.txt), made on first use. Each
reader is one process with one thread; readers take turns, `TURN` pictures at a time, so that a busy minute of the
machine falls on all of them. Everybody's lines, ours too, are scored by ../shared/tools/bench_mrz.py, which also runs the
others and makes the degraded pictures. `--json` keeps one raw result per picture and reader.

This process imports no NumPy and no OpenCV: Linux hands the peak memory of a parent on to the children it starts, and
a large parent would be measured in place of a small reader.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
DATA = SHARED / "data" / "documents"
TOOL = SHARED / "tools" / "bench_mrz.py"
LOCK = ROOT / "requirements" / "bench.txt"
VENV = ROOT / "var" / "bench-venv"

OURS = "ours"
RAPIDOCR = "rapidocr3"
POSITIONS = "rapidocr3+positions"  # derived from RapidOCR's lines, costs nothing on top
NEED_MRZ_DATA = ("fastmrz", "passporteye-mrz", "plain-mrz")
NAMES = {
    OURS: "Peremena",
    RAPIDOCR: "RapidOCR 3.10 (PP-OCRv6 small), as documented",
    POSITIONS: "RapidOCR 3.10 + letters or digits by position",
    "passporteye": "PassportEye 2.2",
    "plain": "plain pytesseract, `eng`",
    "fastmrz": "FastMRZ 2.1",
    "passporteye-mrz": "PassportEye 2.2 + MRZ data",
    "plain-mrz": "plain pytesseract + MRZ data",
}
READERS = (OURS, RAPIDOCR, "passporteye", "plain", *NEED_MRZ_DATA)
AS_IS, UPRIGHT = "as is", "upright"  # upright: brought to the size of the variants and through JPEG, and nothing else
FIELDS = ("surname", "given_names", "number", "birth_date", "expiry_date")
HARD = ("rotated", "exif", "low_res", "photo")  # tags that keep a picture out of the variants: it is degraded already
TURN = 20  # pictures a reader takes before the next reader has its turn

ONE_THREAD = {
    **{name: "1" for name in ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")},
    "MPLBACKEND": "Agg",  # PassportEye imports pyplot
}


# --- letters or digits by position

_TO_LETTER = str.maketrans("012568", "OIZSGB")
_TO_DIGIT = str.maketrans("OQDILZSGB", "000112568")
_PERSON = "*" * 9 + "9" + "AAA" + "9" * 7 + "A" + "9" * 7  # number, nationality, birth, sex, expiry: four formats begin so
MASKS = {
    "TD1": ("AAAAA" + "*" * 9 + "9" + "*" * 15, "9" * 7 + "A" + "9" * 7 + "AAA" + "*" * 11 + "9", "A" * 30),
    "TD2": ("A" * 36, _PERSON + "*" * 7 + "9"),
    "TD3": ("A" * 44, _PERSON + "*" * 14 + "99"),
    "MRVA": ("A" * 44, _PERSON + "*" * 16),
    "MRVB": ("A" * 36, _PERSON + "*" * 8),
    "IDFRA": ("A" * 30 + "*" * 6, "9999" + "***" + "9" * 6 + "A" * 14 + "9" * 7 + "A9"),
}


def by_position(lines: Sequence[str], shape: str | None) -> list[str]:
    """Return the lines with look-alikes of the wrong kind turned round: a digit where only letters may stand, and back.

    `shape` is the format as guessed from the lines, never from the label; None leaves them alone. Positions count from
    the left, so a line that lost a character is not mended.

    >>> by_position(["P<UT0ERIKSS0N<<ANNA", "L898902C36UT0740B122F"], "TD3")
    ['P<UTOERIKSSON<<ANNA', 'L898902C36UTO7408122F']
    """
    if shape == "TD2" and lines[0].translate(_TO_LETTER).startswith("IDFRA"):
        shape = "IDFRA"
    if shape not in MASKS:
        return list(lines)
    tables: dict[str, dict[int, int]] = {"A": _TO_LETTER, "9": _TO_DIGIT, "*": {}}
    return [
        "".join(c.translate(tables[kind]) for c, kind in zip(line, mask, strict=False)) + line[len(mask) :]
        for line, mask in zip(lines, MASKS[shape], strict=True)
    ]


# --- the others' environment


def environment() -> Path:
    """Return the Python of the readers' own environment; make it first if its lock changed. Raises SystemExit."""
    python = VENV / "bin" / "python"
    VENV.parent.mkdir(exist_ok=True)
    with (VENV.parent / "bench-venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp, wanted = VENV / "installed", hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
        if stamp.is_file() and stamp.read_text() == wanted:
            return python
        print("Installing the other readers (two minutes, 0.8 GB, once) …", file=sys.stderr)
        options = ["--no-input", "--disable-pip-version-check", "--no-deps", "--require-hashes", f"--requirement={LOCK}"]
        make: list[str | Path] = [sys.executable, "-m", "venv", "--clear", VENV]
        fill: list[str | Path] = [python, "-m", "pip", "install", *options]
        with (VENV.parent / "bench-install.log").open("w") as log:
            for command in (make, fill):
                if subprocess.run(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=False).returncode:
                    sys.exit("Installing them failed; see var/bench-install.log.")
        stamp.write_text(wanted)
    return python


# --- one reader, some pictures


@dataclass(kw_only=True, slots=True)
class Cost:
    """What a reader's processes cost, children included."""

    cpu_s: float = 0.0  # start and loading of models too; the rows hold the pictures alone
    peak_mib: float = 0.0  # of its largest process
    failed: list[str] = field(default_factory=list)


def _run(command: Sequence[str | Path], cost: Cost) -> bool:
    """Run one reader's process to its end, add what it took, and tell whether it ended well."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **ONE_THREAD}, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        cost.cpu_s += used.ru_utime + used.ru_stime
        cost.peak_mib = max(cost.peak_mib, used.ru_maxrss / 1024)
        if process.returncode:
            said.seek(0)
            last = said.read().decode(errors="replace").strip().splitlines()[-1:]
            cost.failed.append(f"exit {process.returncode}: {''.join(last)[:200]}")
    return process.returncode == 0


def read(reader: str, folder: Path, items: list[dict[str, Any]], cost: Cost, tessdata: Path | None) -> list[dict[str, Any]]:
    """Have one reader read the pictures of a folder; return a raw row per picture. A process that fails reads nothing."""
    out = folder / f"{reader}.json"
    if reader == OURS:
        ours = ROOT / "tests" / "benchmarks" / "documents.py"
        command: list[str | Path] = [sys.executable, ours, "--data", folder, "--json", out]
    else:
        labels = folder / "labels.json"
        command = [environment(), TOOL, "run", "--engine", reader, "--threads", "1", "--labels", labels, "--images", folder,
                   "--out", out]  # fmt: skip
        if reader in NEED_MRZ_DATA and tessdata:
            command += ["--tessdata", tessdata]
    if not _run(command, cost):
        return [{"lines": [], "seconds": None, "cpu_s": None, "error": cost.failed[-1]} for _ in items]
    rows = json.loads(out.read_text(encoding="utf-8"))["rows"]
    if len(rows) != len(items):
        sys.exit(f"{reader}: {len(rows)} results for {len(items)} pictures")
    if reader != OURS:
        return [{"lines": r["got"], "seconds": r["seconds"], "cpu_s": r["cpu_s"], "error": r["error"]} for r in rows]
    by_file = {row["file"]: row for row in rows}
    return [_our_row(by_file[item["file"]]) for item in items]


def _our_row(row: dict[str, Any]) -> dict[str, Any]:
    zone = row["read"]["mrz"]
    return {
        "lines": zone["lines"] if zone else [],
        "seconds": row["seconds"],
        "cpu_s": row["cpu_seconds"],
        "error": row.get("error") or "",
        "wrong_certain": row["wrong_certain"],
    }


# --- pictures


def with_zones(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the labels that have a machine-readable zone in a format the scorer can cut."""
    return [item for item in items if item["mrz"] and item["mrz_format"] != "OTHER3x30"]


def one_per_document(items: Sequence[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    """Return (place, label) of clean pictures of conforming documents: those of facts/documents.md 7 that are degraded."""
    seen: set[tuple[str, ...]] = set()
    kept = []
    for at, item in enumerate(items):
        clean = item["mrz_conforming"] and item["doc_type"] != "mrz_strip"
        if clean and not any(tag.startswith(HARD) for tag in item["tags"]) and tuple(item["mrz"]) not in seen:
            seen.add(tuple(item["mrz"]))
            kept.append((at, item))
    return kept


def _lay_out(folder: Path, pictures: Sequence[tuple[dict[str, Any], Path]]) -> list[dict[str, Any]]:
    """Fill a folder as ../shared/data/documents is: pictures (links) and their labels.json."""
    folder.mkdir()
    items = []
    for item, picture in pictures:
        name = Path(item["file"]).stem + picture.suffix
        (folder / name).symlink_to(picture.resolve())
        items.append({**item, "file": name})
    (folder / "labels.json").write_text(json.dumps({"items": items}, ensure_ascii=False), encoding="utf-8")
    return items


def _degrade(picture: str, variant: str, folder: str, seed: int) -> str:
    """In a process of its own, because this needs OpenCV. The same pictures as published: variant and seed decide."""
    return str(_scorer().degrade(picture, variant, folder, seed))


def _scorer() -> ModuleType:
    """Load the tool that runs and scores the others, from where it lies."""
    spec = importlib.util.spec_from_file_location("bench_mrz", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- measuring


@dataclass(kw_only=True, slots=True)
class Run:
    """All readers over one set of pictures."""

    variant: str
    rows: dict[str, list[dict[str, Any]]]
    costs: dict[str, Cost]


def measure(
    pictures: Sequence[tuple[dict[str, Any], Path]], readers: Sequence[str], *, variant: str, tessdata: Path | None, work: Path
) -> Run:
    """Let the readers take turns over the pictures, and score all lines with one scorer."""
    scorer = _scorer()
    run = Run(variant=variant, rows={r: [] for r in readers}, costs={r: Cost() for r in readers})
    for start in range(0, len(pictures), TURN):
        folder = work / f"{variant} {start}"
        items = _lay_out(folder, pictures[start : start + TURN])
        for reader in readers:
            begun = time.monotonic()
            rows = read(reader, folder, items, run.costs[reader], tessdata)
            run.rows[reader] += [_scored(scorer, item, row) for item, row in zip(items, rows, strict=True)]
            taken = time.monotonic() - begun
            print(f"{variant}, pictures {start + 1}-{start + len(items)}: {reader} {taken:.0f} s", file=sys.stderr)
    if RAPIDOCR in readers:
        run.costs[POSITIONS] = run.costs[RAPIDOCR]
        places = [item for item, _ in pictures]
        masked = [{**row, "lines": by_position(row["lines"], scorer.M.guess(row["lines"]))} for row in run.rows[RAPIDOCR]]
        run.rows[POSITIONS] = [_scored(scorer, item, row) for item, row in zip(places, masked, strict=True)]
    return run


def _scored(scorer: ModuleType, item: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    about = {"file": item["file"], "format": item["mrz_format"], "conforming": item["mrz_conforming"], "want": item["mrz"]}
    return {**about, **row, **scorer.score(item, row["lines"])}


# --- tables

ABOUT = (
    "In per cent where no unit is named; {conforming} pictures show a document that conforms to ICAO 9303. Valid: every check "
    "digit of the lines read is right. CPU: user and system seconds a picture, children included, one thread, without loading. "
    "Peak: the largest process of a reader."
)


def _share(values: Iterable[bool]) -> str:
    values = list(values)
    return f"{100 * sum(values) / len(values):.1f}" if values else "—"


def _cpu(rows: Iterable[dict[str, Any]]) -> tuple[float, float]:
    """Return median and 95th percentile (nearest rank) of the CPU seconds per picture; NaN where nothing ran."""
    cpu = sorted(row["cpu_s"] for row in rows if row["cpu_s"] is not None)
    return (statistics.median(cpu), cpu[math.ceil(0.95 * len(cpu)) - 1]) if cpu else (math.nan, math.nan)


def _number(value: float) -> str:
    return "—" if math.isnan(value) else f"{value:.2f}"


def _shown(run: Run) -> list[str]:
    return [name for name in NAMES if name in run.rows]


def table(run: Run) -> str:
    """Return the comparison as one markdown table. Shares are in per cent of all pictures unless the head says otherwise."""
    heads = ["reader", "n", "found", "exact", "exact, conforming", "valid, conforming", "valid but wrong (count)",
             "certain but wrong (values)", "surname", "given names", "number", "birth", "expiry", "CPU s median", "CPU s p95",
             "CPU to RapidOCR", "peak MiB", "errors"]  # fmt: skip
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    base = _cpu(run.rows.get(RAPIDOCR, []))[0]
    for reader in _shown(run):
        rows = run.rows[reader]
        median, late = _cpu(rows)
        conforming = [row for row in rows if row["conforming"]]
        cells = [NAMES[reader], str(len(rows)), _share(r["found"] for r in rows), _share(r["exact"] for r in rows),
                 _share(r["exact"] for r in conforming), _share(r["checks_valid"] for r in conforming),
                 str(sum(r["false_valid"] for r in rows)),
                 str(sum(len(r.get("wrong_certain", ())) for r in rows)) if reader == OURS else "—",
                 *(_share(r["fields"][name] for r in rows if name in r["fields"]) for name in FIELDS),
                 _number(median), _number(late), _number(median / base),
                 f"{run.costs[reader].peak_mib:,.0f}", str(sum(bool(r["error"]) for r in rows))]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    conform = sum(row["conforming"] for row in next(iter(run.rows.values())))
    return "\n".join(lines) + f"\n\n{ABOUT.format(conforming=conform)}"


def variants_table(runs: Sequence[Run]) -> str:
    """Return exact zones in per cent, a row per degradation and a column per reader."""
    readers = _shown(runs[0])
    lines = ["| exact, % | n | " + " | ".join(NAMES[r] for r in readers) + " |", "|---" * (len(readers) + 2) + "|"]
    for run in runs:
        shares = [_share(row["exact"] for row in run.rows[r]) for r in readers]
        lines.append(f"| {run.variant} | {len(run.rows[readers[0]])} | " + " | ".join(shares) + " |")
    lines.append(f"\nvalid or certain, and wrong: {_wrong_over(runs)}")
    return "\n".join(lines)


def _wrong_over(runs: Sequence[Run]) -> str:
    valid = {r: sum(row["false_valid"] for run in runs for row in run.rows[r]) for r in _shown(runs[0])}
    said = [f"{NAMES[r]} {n} zones valid but wrong" for r, n in valid.items()]
    if OURS in valid:
        said.append(
            f"{NAMES[OURS]} {sum(len(row['wrong_certain']) for run in runs for row in run.rows[OURS])} values certain but wrong"
        )
    return "; ".join(said)


def _kept(runs: Sequence[Run]) -> dict[str, Any]:
    costs = {run.variant: {r: {"cpu_s": c.cpu_s, "peak_mib": c.peak_mib, "failed": c.failed} for r, c in run.costs.items()}
             for run in runs}  # fmt: skip
    rows = [{"variant": run.variant, "reader": r, **row} for run in runs for r in _shown(run) for row in run.rows[r]]
    return {"load": os.getloadavg(), "costs": costs, "rows": rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="a folder in the format of ../shared/data/documents")
    parser.add_argument("--json", type=Path, help="keep one raw result per picture and reader here")
    parser.add_argument("--engines", nargs="+", choices=READERS, default=list(READERS), metavar="NAME", help=", ".join(READERS))
    parser.add_argument("--variant", nargs="+", default=[], metavar="NAME", help="degradations, or: all (and the pictures as is)")
    parser.add_argument("--limit", type=int, default=None, help="only the first N pictures")
    parser.add_argument("--tessdata", type=Path, help="a folder with mrz.traineddata, for " + ", ".join(NEED_MRZ_DATA))
    options = parser.parse_args()

    labels = options.data / "labels.json"
    if absent := [str(path) for path in (TOOL, labels) if not path.is_file()]:
        print(f"Nothing to compare with: {' and '.join(absent)} not found.", file=sys.stderr)
        return 2
    known = (UPRIGHT, *_scorer().VARIANTS)
    variants = list(known) if options.variant == ["all"] else options.variant
    if unknown := set(variants) - set(known):
        parser.error(f"unknown variant {', '.join(sorted(unknown))}; known: {', '.join(known)}, all")
    readers = [reader for reader in READERS if reader in options.engines]
    if not (options.tessdata and (options.tessdata / "mrz.traineddata").is_file()):
        if left_out := [reader for reader in readers if reader in NEED_MRZ_DATA]:
            print(f"Left out: {', '.join(left_out)}. They need mrz.traineddata, which none of their packages brings; "
                  "name a folder that holds it with --tessdata.", file=sys.stderr)  # fmt: skip
        readers = [reader for reader in readers if reader not in NEED_MRZ_DATA]
    if not readers:
        return 2

    if set(readers) != {OURS}:
        environment()  # before the clock starts
    items = with_zones(json.loads(labels.read_text(encoding="utf-8"))["items"])
    clean = one_per_document(items)[: options.limit]
    runs = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        if not options.variant or options.variant == ["all"]:
            pictures = [(item, options.data / item["file"]) for item in items[: options.limit]]
            runs.append(measure(pictures, readers, variant=AS_IS, tessdata=options.tessdata, work=work))
            print(table(runs[0]), flush=True)
        for variant in variants:
            with ProcessPoolExecutor(1) as other:
                made = [other.submit(_degrade, str(options.data / item["file"]), variant, name, at) for at, item in clean]
                pictures = [(item, Path(picture.result())) for (_, item), picture in zip(clean, made, strict=True)]
            runs.append(measure(pictures, readers, variant=variant, tessdata=options.tessdata, work=work))
    if degraded := [run for run in runs if run.variant != AS_IS]:
        print("\n" + variants_table(degraded))
    failures = [f"{run.variant}, {r}: {why}" for run in runs for r in readers for why in run.costs[r].failed]
    print("\n".join(failures), end="\n" if failures else "", file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps(_kept(runs), ensure_ascii=False, indent=1), encoding="utf-8")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
