"""How well faces are found and compared, on any folder in the format of ../shared/data/faces.

    python -m tests.benchmarks.faces [--data DIR] [--json FILE] [--limit N] [--calibrate] [--rounds N]

Prints EER and TAR at FMR 1e-2, 1e-3 and 1e-4 with n and a 95 % interval by resampling people, faces not found and
seconds, for clean photographs and for portraits printed on an imitated page (../shared/tools/printed_portrait.py,
left out with a line where absent). `--limit` takes the first N people. Encodings are kept in the system's folder for
temporary files, keyed by the code that made them. `--calibrate` writes verification/faces/calibration.json.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from verification import calibration as cal
from verification.faces import compare, detect, encode, engines, load
from verification.reasons import PhotoKind

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
FMRS = (1e-2, 1e-3, 1e-4)
Coded = dict[str, NDArray[np.float64]]  # sface, dlib, chip, eyes of one picture
Levels = dict[int | None, dict[int, Coded]]  # None: as it is; 1 to 3: printed on a page; then by position in pairs.json


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "faces")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--limit", type=int, help="first N people only")
    parser.add_argument("--rounds", type=int, default=100, help="resamples for the intervals")
    parser.add_argument("--calibrate", action="store_true", help="write the shipped calibration from these data")
    options = parser.parse_args()
    if not (options.data / "pairs.json").is_file():
        print(f"no pairs.json in {options.data}: nothing measured", file=sys.stderr)
        return 2
    listing = json.loads((options.data / "pairs.json").read_text(encoding="utf-8"))
    images: list[dict[str, Any]] = listing["images"]
    people = {name: n for n, name in enumerate(dict.fromkeys(i["person"] for i in images))}
    chosen = [n for n, i in enumerate(images) if options.limit is None or people[i["person"]] < options.limit]
    started = time.perf_counter()
    load()
    report: dict[str, Any] = {"engines": engines(), "load_seconds": round(time.perf_counter() - started, 2)}
    pages = _pages_module()
    coded: Levels = {}
    report["not_found"], report["cpu_seconds_per_photo"] = {}, {}
    for level in (None, 1, 2, 3) if pages else (None,):
        coded[level], seconds = _coded(options.data, images, chosen, level, pages)
        report["not_found"][_name(level)] = _missing(images, _subjects(images, chosen, level), coded[level])
        report["cpu_seconds_per_photo"][_name(level)] = round(seconds, 3)
        if level == 2 and options.calibrate:
            _calibrate(images, people, listing["repeats"], coded)
            compare.calibration.cache_clear()
    if not pages:
        print("printed_portrait.py not found: printed pages left out, nothing calibrated", file=sys.stderr)
    report["pairs"] = _figures(images, people, listing, coded, options.rounds)
    print(json.dumps(report, indent=1))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def _missing(images: list[dict[str, Any]], wanted: list[int], found: dict[int, Coded]) -> dict[str, str]:
    """By set: pictures in which no face was found, of how many."""
    sets = sorted({images[n]["set"] for n in wanted})
    of = {s: [n for n in wanted if images[n]["set"] == s] for s in sets}
    return {s: f"{sum(n not in found for n in of[s])}/{len(of[s])}" for s in sets}


def _name(level: int | None) -> str:
    return "clean" if level is None else f"page {level}"


def _pages_module() -> Any:
    file = SHARED / "tools" / "printed_portrait.py"
    if not file.is_file():
        return None
    spec = importlib.util.spec_from_file_location("printed_portrait", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _subjects(images: list[dict[str, Any]], chosen: list[int], level: int | None) -> list[int]:
    """Pages are made of the candid photos (set congress; any set where there is none): one of each person."""
    if level is None:
        return chosen
    sets = {images[n]["set"] for n in chosen}
    printed = [n for n in chosen if images[n]["set"] == "congress" or "congress" not in sets]
    return list({images[n]["person"]: n for n in reversed(printed)}.values())


def _coded(
    data: Path, images: list[dict[str, Any]], chosen: list[int], level: int | None, pages: Any
) -> tuple[dict[int, Coded], float]:
    """Encode each picture at most once per version of the code. Returns encodings by position, and CPU seconds a photo."""
    code = (
        b"".join(Path(m.__file__ or "").read_bytes() for m in (detect, encode))
        + str(level).encode()
        + str(data.resolve()).encode()
    )
    kept = Path(tempfile.gettempdir()) / f"peremena-faces-{hashlib.sha256(code).hexdigest()[:16]}.npz"
    store: dict[str, Any] = dict(np.load(kept)) if kept.is_file() else {}
    fresh, spent = 0, 0.0
    wanted = _subjects(images, chosen, level)
    for n in wanted:
        if f"{n}.found" in store:
            continue
        with Image.open(data / images[n]["file"]) as opened:
            picture = np.asarray(opened.convert("RGB"))
        if level is not None:
            face = detect.main_face(picture, kind=PhotoKind.ON_FILE).face
            if face is None:
                continue
            x, y, w, h = face.box
            side = int((w + h) / 2)  # the imitation wants dlib's square box, brow to chin
            square = (x + w // 2 - side // 2, int(y + h * 0.54) - side // 2, side, side)
            picture = pages.simulate(picture, square, level, seed=n)[0]
        begun = time.process_time()
        found = detect.main_face(picture, kind=PhotoKind.ON_FILE).face if level is None else detect.portrait(picture)
        if found is not None:
            codes = encode.encode(found)
            for key in ("sface", "dlib", "chip"):
                store[f"{n}.{key}"] = getattr(codes, key)
            store[f"{n}.eyes"] = np.array(found.eyes)
        spent += time.process_time() - begun
        store[f"{n}.found"] = np.array(found is not None)
        fresh += 1
        if fresh % 200 == 0:
            np.savez(kept, **store)
            print(f"{_name(level)}: {fresh} encoded", file=sys.stderr)
    if fresh:
        store["cpu"] = np.array([store["cpu"][0] + spent, store["cpu"][1] + fresh] if "cpu" in store else [spent, fresh])
        np.savez(kept, **store)
    result = {n: {k: store[f"{n}.{k}"] for k in ("sface", "dlib", "chip", "eyes")} for n in wanted if store.get(f"{n}.found")}
    return result, float(store["cpu"][0] / store["cpu"][1]) if "cpu" in store else 0.0


def _matrix(a: dict[int, Coded], b: dict[int, Coded], rows: list[int], columns: list[int], voice: str) -> NDArray[np.float64]:
    """Similarity of every row to every column, by one voice or fused, shape (len(rows), len(columns))."""
    s = 1.0 - np.stack([a[n]["sface"] for n in rows]) @ np.stack([b[n]["sface"] for n in columns]).T
    x, y = np.stack([a[n]["dlib"] for n in rows]), np.stack([b[n]["dlib"] for n in columns])
    d = np.sqrt(np.maximum(0.0, (x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T))
    if voice == "sface":
        return -s
    if voice == "dlib":
        return -d
    c = compare.calibration()
    return (c.sface.mean - s) / c.sface.deviation + (c.dlib.mean - d) / c.dlib.deviation


def _pairs(images: list[dict[str, Any]], people: dict[str, int], repeats: set[tuple[int, int]], rows: list[int],
           columns: list[int], scores: NDArray[np.float64]) -> cal.LabelledScores:  # fmt: skip
    """Every pair once, without a picture against itself and without copies of one photograph."""
    r, c = np.array(rows), np.array(columns)
    who_r, who_c = (np.array([people[images[n]["person"]] for n in which]) for which in (rows, columns))
    keep = r[:, None] != c[None, :]
    if rows == columns:
        keep &= r[:, None] < c[None, :]
    where_r, where_c = {n: k for k, n in enumerate(rows)}, {n: k for k, n in enumerate(columns)}
    for i, j in repeats:
        for a, b in ((i, j), (j, i)):
            if a in where_r and b in where_c:
                keep[where_r[a], where_c[b]] = False
    k, m = np.nonzero(keep)
    _, packed = np.unique(np.concatenate([who_r, who_c]), return_inverse=True)
    return cal.LabelledScores(score=scores[k, m], first=packed[: len(r)][k], second=packed[len(r) :][m])


def _figures(
    images: list[dict[str, Any]], people: dict[str, int], listing: dict[str, Any], coded: Levels, rounds: int
) -> list[dict[str, Any]]:
    repeats = {(i, j) for i, j in listing["repeats"]}
    clean = coded[None]
    of = lambda c, s: [n for n in c if images[n]["set"] == s]  # noqa: E731
    sets = sorted({images[n]["set"] for n in clean})
    conditions: list[tuple[str, dict[int, Coded], list[int], list[int]]] = []
    if {"house", "congress"} <= set(sets):
        conditions.append(("house - congress", clean, of(clean, "congress"), of(clean, "house")))
    conditions += [(s, clean, of(clean, s), of(clean, s)) for s in sets if s not in ("house", "congress")]
    for level, pages in coded.items():
        if level is not None and pages:
            faces = of(clean, "house") if "congress" in sets else list(clean)
            conditions.append((f"page {level}", pages, list(pages), faces))
    out = []
    for name, first, rows, columns in conditions:
        for voice in ("sface", "dlib", "fused"):
            pairs = _pairs(images, people, repeats, rows, columns, _matrix(first, clean, rows, columns, voice))
            scores = pairs.split()
            if not len(scores.genuine) or not len(scores.impostor):
                continue
            got = cal.summarise(pairs, FMRS, rounds=rounds)
            line: dict[str, Any] = {
                "pairs": name,
                "voice": voice,
                "genuine": got.genuines,
                "impostor": got.impostors,
                "eer": _rounded(got.eer, got.eer_interval),
                **{f"tar at {f:g}": _rounded(got.true_accept[f], got.true_accept_interval[f]) for f in FMRS},
            }
            if voice == "fused":
                table = compare.calibration().tables[compare.PRINTED if name.startswith("page") else compare.CLEAN]
                for fmr in (1e-3, 1e-4, 1e-5):
                    at = table.threshold(fmr)
                    rate = cal.error_rates(scores, [at])[0]
                    line[f"at the shipped line for {fmr:g}"] = {
                        "similarity": round(at, 2),
                        "fmr": rate.fmr,
                        "fnmr": round(rate.fnmr, 4),
                    }
            out.append(line)
    return out


def _rounded(value: float | None, ends: tuple[float, float] | None) -> list[float] | None:
    """Value and the ends of its interval; None where there are too few impostors for the rate."""
    return None if value is None else [round(v, 5) for v in (value, *(ends or ()))]


def _calibrate(images: list[dict[str, Any]], people: dict[str, int], repeats: list[list[int]], coded: Levels) -> None:
    """Measure strangers, and write what `compare` needs."""
    clean = {n: c for n, c in coded[None].items() if images[n]["set"] != "orl"}  # 92 x 112 grey: no photo of a phone
    known = {(i, j) for i, j in repeats}
    everyone = list(clean)

    def voice(name: str, first: dict[int, Coded], rows: list[int]) -> cal.LabelledScores:
        return _pairs(images, people, known, rows, everyone, _matrix(first, clean, rows, everyone, name))

    voices = {}
    for name in ("sface", "dlib"):
        strangers = -voice(name, clean, everyone).split().impostor
        same, other = np.quantile(strangers, [1e-3, 0.10])
        voices[name] = {"mean": round(float(strangers.mean()), 4), "deviation": round(float(strangers.std()), 4),
                        "same": round(float(same), 4), "other": round(float(other), 4)}  # fmt: skip
    v = {name: compare.Voice(**value) for name, value in voices.items()}

    def fused(first: dict[int, Coded], rows: list[int]) -> NDArray[np.float64]:
        by = {name: -voice(name, first, rows).split().impostor for name in v}
        return np.asarray(sum((v[n].mean - by[n]) / v[n].deviation for n in v), np.float64)

    limits = "Public figures of the United States and of LFW; the networks may have been trained on some. No Central Asian set."
    limits += " Strangers of like sex, ethnicity label and age reach a line about three times as often as any two strangers."
    card = {"date": datetime.now(UTC).date().isoformat(), "limits": limits}
    scores = fused(clean, everyone)
    card_clean = {
        **card,
        "data": "../shared/data/faces: house, congress, lfw; every pair of different people",
        "people": len({images[n]["person"] for n in clean}),
        "impostor_pairs": [len(scores)],
    }
    printed = [fused(coded[level], list(coded[level])) for level in (1, 2)]
    card_printed = {
        **card,
        "data": "the same faces against portraits on imitated pages, levels 1 and 2; the worse of both at each rate",
        "people": len({images[n]["person"] for n in coded[1]}),
        "impostor_pairs": [len(p) for p in printed],
        "limits": limits + " Imitated pages, no real passports.",
    }
    made = {
        "about": "Made by `python -m tests.benchmarks.faces --calibrate`; see verification/faces/compare.py.",
        "engines": engines(),
        "voices": voices,
        "same_picture": _same_picture(images, repeats, coded),
        "tables": {
            compare.CLEAN: cal.fit_fmr([scores], card_clean).to_json(),
            compare.PRINTED: cal.fit_fmr(printed, card_printed).to_json(),
        },
    }
    file = ROOT / "verification" / "faces" / "calibration.json"
    file.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


def _same_picture(images: list[dict[str, Any]], repeats: list[list[int]], coded: Levels) -> float:
    """The correlation from which two aligned faces are one photograph: above that of other photographs of one person."""
    clean = coded[None]
    known = {(i, j) for i, j in repeats} | {(j, i) for i, j in repeats}
    by: dict[str, list[int]] = {}
    for n in clean:
        by.setdefault(images[n]["person"], []).append(n)
    different = [float((clean[a]["chip"] * clean[b]["chip"]).mean()) for group in by.values() for a in group for b in group
                 if a < b and (a, b) not in known and images[a]["set"] != "orl"]  # fmt: skip
    for level in (1, 2):
        same = [float((coded[level][n]["chip"] * clean[n]["chip"]).mean()) for n in coded[level] if n in clean]
        print(f"same photograph, page {level}: correlation {np.round(np.percentile(same, [1, 5, 50]), 3)}", file=sys.stderr)
    print(
        f"one person, other photograph: {np.round(np.percentile(different, [50, 95, 99, 99.9, 100]), 3)}, n {len(different)}",
        file=sys.stderr,
    )
    return round(float(np.percentile(different, 99.9)) + 0.01, 3)


if __name__ == "__main__":
    sys.exit(main())
