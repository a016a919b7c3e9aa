"""How well faces are found and compared, on any folder in the format of ../shared/data/faces.

    python -m tests.benchmarks.faces [--data DIR] [--json FILE] [--limit N] [--cache FILE] [--rounds N] [--repeats N]
                                     [--anchor N] [--voices FOLDER] [--calibrate] [--errors]
    python -m tests.benchmarks.faces --case N [--data DIR] [--json FILE]

Prints EER and TAR at FMR 1e-2, 1e-3 and 1e-4 with n and 95 % intervals by resampling people, for clean photographs and
for portraits printed on an imitated page (../shared/tools/printed_portrait.py, left out with a line where absent); the same by
calibrations that never saw the people they are measured on; what a second reference adds; errors by group; faces not found;
seconds, memory and cold start. `--anchor N` runs face_recognition as its README shows on the first N people beside it.

`--limit` takes the first N people. `--cache` keeps the encodings of a run (it is made anew when the engines differ): all after
the first pass takes minutes. `--voices` lets a deployment's own models speak too (docs of verification/faces/voices.py).
`--calibrate` writes the calibration: the shipped one, or with `--voices` that of FOLDER. `--errors` writes what was counted
behind the shipped one (errors.json, for the pages of operations) and nothing else.

`--case N` times N whole cases instead (12 megapixel selfie, 12 megapixel page of level 2, face on file), decoding aside, in a
child forked after loading as a worker's horse is, beside the bare network passes and face_recognition on the same pictures.
As a worker does, it holds one photo at a time; the photos are made beforehand, in another process.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from verification import calibration as cal
from verification import images, models
from verification.calibration import CLEAN, POOR, PRINTED
from verification.faces import compare, detect, encode, engines, load, networks, use, voices
from verification.reasons import PhotoKind

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
FMRS = (1e-2, 1e-3, 1e-4)
LEVELS = (None, 1, 2, 3)
"""None: the picture as it is. 1 to 3: printed on a page and photographed well, as usual, poorly."""

Floats = NDArray[np.float64]
Coded = dict[str, Any]  # by voice, `chip` and `condition`: of one picture
Levels = dict[int | None, dict[int, Coded]]  # then by position in pairs.json

WEIGHTS = {
    CLEAN: {voices.SFACE: 1.2, voices.DLIB: 0.8},
    PRINTED: {voices.SFACE: 1.2, voices.DLIB: 0.8},
    POOR: {voices.SFACE: 1.0, voices.DLIB: 1.0},
}
"""SFace counts 1.5 times as much as dlib, but for poor prints. Cross-validated by people on pages of level 2: TAR at 1e-4
98.0 % at 1 : 1, 98.6 at 1.5 : 1; on level 3 EER 1.35 % at 1 : 1, 1.66 at 1.5 : 1. They sum to 2, so that scores keep the scale of
the first calibration, in which both counted 1. A deployment's own voice counts 1."""

TAIL = 3e-4
"""Share of strangers beyond the point at which poor prints are brought to the scale of others: half the people give 20 pairs."""

YEARS = 15
"""Strangers count as like-looking when sex and ethnicity label agree and they were born at most so far apart."""


@dataclass(frozen=True, kw_only=True)
class People:
    """Who is on each picture, and which pairs are copies of one photograph."""

    images: list[dict[str, Any]]
    number: dict[str, int]
    repeats: frozenset[tuple[int, int]]

    def of(self, picture: int) -> int:
        """The number of the person on a picture."""
        return self.number[self.images[picture]["person"]]

    def alike(self, a: int, b: int) -> bool:
        """Whether the people of two pictures are of like sex, ethnicity label and age."""
        one, other = self.images[a], self.images[b]
        if any(not one.get(k) or one.get(k) != other.get(k) for k in ("gender", "ethnicity")):
            return False
        born = [int(i["born"][:4]) for i in (one, other) if i.get("born")]
        return len(born) == 2 and abs(born[0] - born[1]) <= YEARS


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "faces")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--limit", type=int, help="first N people only")
    parser.add_argument("--cache", type=Path, help="keep encodings in this file")
    parser.add_argument("--rounds", type=int, default=200, help="resamples for the intervals")
    parser.add_argument("--repeats", type=int, default=5, help="times that people are split into halves")
    parser.add_argument("--anchor", type=int, default=0, metavar="N", help="face_recognition on the first N people")
    parser.add_argument("--case", type=int, metavar="N", help="time N whole cases and nothing else")
    parser.add_argument("--voices", type=Path, metavar="FOLDER", help="a deployment's own models")
    parser.add_argument("--calibrate", action="store_true", help="write the calibration from these data")
    parser.add_argument("--errors", action="store_true", help="write what was counted behind the shipped calibration")
    options = parser.parse_args()
    if not (options.data / "pairs.json").is_file():
        print(f"no pairs.json in {options.data}: nothing measured", file=sys.stderr)
        return 2
    if options.case:
        return _report(whole_cases(options.data, options.case), options.json)
    people = read_people(options.data)
    chosen = [n for n in range(len(people.images)) if options.limit is None or people.of(n) < options.limit]
    use(options.voices)
    began, cpu = time.perf_counter(), time.process_time()
    load()
    report: dict[str, Any] = {
        "pictures": len(chosen),
        "people": len({people.of(n) for n in chosen}),
        "load_seconds": round(time.perf_counter() - began, 2),
        "load_cpu_seconds": round(time.process_time() - cpu, 2),
    }
    pages = _pages_module()
    if not pages:
        print("printed_portrait.py not found: printed pages left out, nothing calibrated", file=sys.stderr)
    store = Store(options.cache, options.data)
    coded: Levels = {}
    report["not_found"], report["cpu_seconds_per_photo"] = {}, {}
    for level in LEVELS if pages else (None,):
        wanted = _subjects(people, chosen, level)
        coded[level] = store.coded(people, wanted, level, pages)
        report["not_found"][_name(level)] = _missing(people, wanted, coded[level])
        report["cpu_seconds_per_photo"][_name(level)] = store.seconds(level)
    report["peak_memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    report["cpu_seconds_per_pair"] = _pair_seconds(coded[None])
    if pages and options.calibrate:
        made = calibrated(people, coded, rounds=options.rounds)
        file = options.voices / "calibration.json" if options.voices else cal.SHIPPED_FILE
        file.write_text(_as_text(made), encoding="utf-8")
        use(options.voices)
        compare.calibration.cache_clear()
        cal.shipped.cache_clear()
    if pages and options.errors and not options.voices:
        cal.ERRORS_FILE.write_text(errors(people, coded, Fit.held(), options.rounds), encoding="utf-8")
        return 0
    if not compare.covered():
        print("these voices have no calibration yet: run with --calibrate", file=sys.stderr)
        return 3
    report["engines"] = engines()
    report["pairs"] = figures(people, coded, Fit.held(), options.rounds)
    if pages:
        report["cross_validated"] = cross_validated(people, coded, repeats=options.repeats)
        report["groups"] = [g.__dict__ for g in groups(people, coded, Fit.held(), compare.calibration().tables, options.rounds)]
        report["second_reference"] = second_reference(people, coded, Fit.held(), options.rounds)
    report["pooled"] = pooled(people, coded, Fit.held())
    if options.anchor:
        report["face_recognition"] = anchor(options.data, people, options.anchor, options.rounds)
    return _report(report, options.json)


def _report(report: dict[str, Any], file: Path | None) -> int:
    print(json.dumps(report, indent=1))
    if file:
        file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def read_people(data: Path) -> People:
    """The listing of a folder of faces."""
    listing = json.loads((data / "pairs.json").read_text(encoding="utf-8"))
    images: list[dict[str, Any]] = listing["images"]
    number = {name: n for n, name in enumerate(dict.fromkeys(i["person"] for i in images))}
    return People(images=images, number=number, repeats=frozenset((i, j) for i, j in listing.get("repeats", [])))


def _name(level: int | None) -> str:
    return "clean" if level is None else f"page {level}"


def _missing(people: People, wanted: list[int], found: dict[int, Coded]) -> dict[str, str]:
    """By set: pictures in which no face was found, of how many."""
    by: dict[str, list[int]] = {}
    for n in wanted:
        by.setdefault(people.images[n]["set"], []).append(n)
    return {s: f"{sum(n not in found for n in of)}/{len(of)}" for s, of in sorted(by.items())}


def _pages_module() -> Any:
    file = SHARED / "tools" / "printed_portrait.py"
    if not file.is_file():
        return None
    spec = importlib.util.spec_from_file_location("printed_portrait", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _subjects(people: People, chosen: list[int], level: int | None) -> list[int]:
    """Pages are made of the candid photos (set congress), and of the first picture of those who have three or more."""
    if level is None:
        return chosen
    by: dict[int, list[int]] = {}
    for n in chosen:
        by.setdefault(people.of(n), []).append(n)
    candid = [n for n in chosen if people.images[n]["set"] == "congress"]
    rich = [own[0] for own in by.values() if len(own) >= 3] if level >= 2 else []
    return sorted({*candid, *rich}) if candid else sorted(own[0] for own in by.values())


# Encodings, kept


class Store:
    """Encodings by level and picture, in memory and, where told so, in one file. Another engine's are not used."""

    def __init__(self, file: Path | None, data: Path) -> None:
        """Read what `file` holds, if it was made by the engines that speak now, of the same folder."""
        self.file, self.data = file, data
        networks = [*compare.networks(), f"coding {voices.CODING}"]
        self.made_by = json.dumps({"networks": networks, "data": (data / "pairs.json").stat().st_size})
        self.kept: dict[str, Any] = {}
        if file is not None and file.is_file():
            with np.load(file) as stored:
                if str(stored["made_by"]) == self.made_by:
                    self.kept = {k: stored[k] for k in stored.files if k != "made_by"}

    def save(self) -> None:
        """Write the file anew, whole: a run that is stopped half-way leaves the last whole one."""
        if self.file is None:
            return
        with tempfile.NamedTemporaryFile(dir=self.file.parent, suffix=".npz", delete=False) as half:
            np.savez(half, made_by=np.array(self.made_by), **self.kept)
        Path(half.name).replace(self.file)

    def seconds(self, level: int | None) -> float | None:
        """CPU seconds for finding and encoding one photo, on the machine and day on which it was encoded."""
        spent = self.kept.get(f"{_name(level)}|cpu")
        return round(float(spent[0] / spent[1]), 3) if spent is not None else None

    def coded(self, people: People, wanted: list[int], level: int | None, pages: Any) -> dict[int, Coded]:
        """Encode what is not kept yet; return all in which a face was found."""
        prefix = f"{_name(level)}|"
        fresh, spent = 0, 0.0
        for n in wanted:
            if f"{prefix}{n}|found" in self.kept:
                continue
            picture = _picture(self.data, people, n, level, pages)
            begun = time.process_time()
            found = None
            if picture is not None:
                kind = PhotoKind.ON_FILE
                found = detect.main_face(picture, kind=kind).face if level is None else detect.portrait(picture)
            codes = encode.encode(found, printed=level is not None) if found is not None else None
            spent += time.process_time() - begun
            if codes is not None:
                for voice in voices.speaking():
                    self.kept[f"{prefix}{n}|{voice.name}"] = codes.of(voice.name)
                self.kept[f"{prefix}{n}|chip"] = codes.chip
                self.kept[f"{prefix}{n}|condition"] = np.array(codes.condition)
            self.kept[f"{prefix}{n}|found"] = np.array(found is not None)
            fresh += 1
            if fresh % 200 == 0:
                print(f"{_name(level)}: {fresh} encoded", file=sys.stderr)
                self.save()
        if fresh:
            before = self.kept.get(f"{prefix}cpu", np.zeros(2))
            self.kept[f"{prefix}cpu"] = before + np.array([spent, fresh])
            self.save()
        keys = [*(voice.name for voice in voices.speaking()), "chip", "condition"]
        return {n: {k: self.kept[f"{prefix}{n}|{k}"] for k in keys} for n in wanted if self.kept[f"{prefix}{n}|found"]}


def _picture(data: Path, people: People, n: int, level: int | None, pages: Any) -> NDArray[np.uint8] | None:
    """One photo, or the page made of it; None where its face was not found and so no page can be made."""
    with Image.open(data / people.images[n]["file"]) as opened:
        picture = np.asarray(opened.convert("RGB"))
    if level is None:
        return picture
    face = detect.main_face(picture, kind=PhotoKind.ON_FILE).face
    if face is None:
        return None
    x, y, w, h = face.box
    side = int((w + h) / 2)  # the imitation wants dlib's square box, brow to chin
    square = (x + w // 2 - side // 2, int(y + h * 0.54) - side // 2, side, side)
    made: NDArray[np.uint8] = pages.simulate(picture, square, level, seed=n)[0]
    return made


# Scores


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What turns encodings into scores: centres by condition, and each voice's scale."""

    centres: dict[str, dict[str, Floats]]
    voices: dict[str, dict[str, cal.VoiceScale]]

    @classmethod
    def held(cls) -> Fit:
        """As the calibration says that holds now."""
        c = compare.calibration()
        return cls(centres=c.centres, voices=c.voices)

    @classmethod
    def on(cls, people: People, coded: Levels, who: frozenset[int] | None = None) -> Fit:
        """Fit centres and scales on `who` (None: all). Pictures of 92 x 112 pixels in grey are no photos of a phone: left out."""
        clean = {n: c for n, c in coded[None].items() if _photo(people, n) and (who is None or people.of(n) in who)}
        prints = [(n, c) for level in (1, 2, 3) for n, c in coded.get(level, {}).items() if n in clean]
        by = {CLEAN: list(clean.items()), **{k: [(n, c) for n, c in prints if c["condition"] == k] for k in (PRINTED, POOR)}}
        centres: dict[str, dict[str, Floats]] = {k: {} for k, faces in by.items() if faces}
        scales: dict[str, dict[str, cal.VoiceScale]] = {k: {} for k in centres}
        fused: dict[str, Floats] = {}
        everyone = list(clean)
        for voice in voices.speaking():
            middle = np.mean([c[voice.name] for c in clean.values()], axis=0)
            for condition in centres:
                # What the print adds is measured on the same faces, so that who was printed does not matter.
                added = np.mean([c[voice.name] - clean[n][voice.name] for n, c in by[condition]], axis=0)
                centres[condition][voice.name] = middle + added
            for condition in centres:
                strangers = _strangers(people, voice, by[condition], clean, everyone, centres[condition][voice.name], middle)
                same, other = np.quantile(strangers, [1e-3, 0.10])
                scale = cal.VoiceScale(
                    mean=float(strangers.mean()),
                    deviation=float(strangers.std()),
                    weight=WEIGHTS[condition].get(voice.name, 1.0),
                    same=float(same),
                    other=float(other),
                )
                scales[condition][voice.name] = scale
                total = fused.setdefault(condition, np.zeros(len(strangers)))
                total += scale.weight * (scale.mean - strangers) / scale.deviation
        if POOR in fused and PRINTED in fused:
            # Poor prints share the table of other prints: their strangers are brought to the same place where it counts.
            tail = {condition: float(np.quantile(fused[condition], 1 - TAIL)) for condition in (PRINTED, POOR)}
            scales[POOR] = {
                name: replace(scale, weight=scale.weight * tail[PRINTED] / tail[POOR]) for name, scale in scales[POOR].items()
            }
        return cls(centres=centres, voices=scales)

    def scores(self, coded: Levels, level: int | None, rows: list[int], columns: list[int], only: str | None = None) -> Floats:
        """Similarity of each picture of `rows` (of a level) to each clean one of `columns`: fused, or by one voice."""
        total = np.zeros((len(rows), len(columns)))
        faces, clean = coded[level], coded[None]
        for condition in self.voices:
            which = [k for k, n in enumerate(rows) if str(faces[n]["condition"]) == condition]
            if not which:
                continue
            for voice in voices.speaking():
                if only not in (None, voice.name):
                    continue
                scale = self.voices[condition][voice.name]
                of, theirs = self.centres.get(condition, {}), self.centres.get(CLEAN, {})
                far = _apart(
                    voice, faces, clean, [rows[k] for k in which], columns, of.get(voice.name, 0.0), theirs.get(voice.name, 0.0)
                )
                total[which] += (scale.weight if only is None else 1.0) * (scale.mean - far) / scale.deviation
        return total


def _strangers(
    people: People,
    voice: voices.Voice,
    faces: list[tuple[int, Coded]],
    clean: dict[int, Coded],
    everyone: list[int],
    centre: Floats,
    other: Floats,
) -> Floats:
    """Distances of faces of one condition to clean ones of other people; a picture printed twice comes twice."""
    first = np.stack([c[voice.name] for _, c in faces]) - centre
    far = voices.distances(voice.metric, first, np.stack([clean[n][voice.name] for n in everyone]) - other)
    who = np.array([people.of(n) for n, _ in faces])[:, None] != np.array([people.of(n) for n in everyone])[None, :]
    return np.asarray(far[who], np.float64)


def _photo(people: People, n: int) -> bool:
    return bool(people.images[n]["set"] != "orl")


def _apart(
    voice: voices.Voice,
    first: dict[int, Coded],
    second: dict[int, Coded],
    rows: list[int],
    columns: list[int],
    centre: Floats | float,
    other: Floats | float,
) -> Floats:
    of = np.stack([first[n][voice.name] for n in rows]) - centre
    theirs = np.stack([second[n][voice.name] for n in columns]) - other
    return voices.distances(voice.metric, of, theirs)


def pairs_of(
    people: People,
    rows: list[int],
    columns: list[int],
    scores: Floats,
    *,
    keep: Callable[[int, int], bool] | None = None,
) -> cal.LabelledScores:
    """Every pair once, without a picture against itself and without copies of one photograph.

    `keep` chooses among pairs of different people.
    """
    r, c = np.array(rows), np.array(columns)
    who_r, who_c = (np.array([people.of(n) for n in which]) for which in (rows, columns))
    wanted = r[:, None] != c[None, :]
    if rows == columns:
        wanted &= r[:, None] < c[None, :]
    where_r, where_c = {n: k for k, n in enumerate(rows)}, {n: k for k, n in enumerate(columns)}
    for i, j in people.repeats:
        for a, b in ((i, j), (j, i)):
            if a in where_r and b in where_c:
                wanted[where_r[a], where_c[b]] = False
    if keep is not None:
        for k, m in zip(*np.nonzero(wanted & (who_r[:, None] != who_c[None, :])), strict=True):
            wanted[k, m] = keep(rows[k], columns[m])
    k, m = np.nonzero(wanted)
    _, packed = np.unique(np.concatenate([who_r, who_c]), return_inverse=True)
    return cal.LabelledScores(score=scores[k, m], first=packed[: len(r)][k], second=packed[len(r) :][m])


def conditions(people: People, coded: Levels) -> Iterator[tuple[str, int | None, list[int], list[int]]]:
    """Name, level, and the pictures on both sides, of everything that is compared."""
    clean = coded[None]
    by: dict[str, list[int]] = {}
    for n in clean:
        by.setdefault(people.images[n]["set"], []).append(n)
    if {"house", "congress"} <= set(by):
        yield "house - congress", None, by["congress"], by["house"]
    for name, own in sorted(by.items()):
        if name not in ("house", "congress"):
            yield name, None, own, own
    for level, found in coded.items():
        if level is None or not found:
            continue
        if "congress" in by and "house" in by:
            yield _name(level), level, [n for n in found if people.images[n]["set"] == "congress"], by["house"]
        else:
            yield _name(level), level, list(found), list(clean)


def figures(people: People, coded: Levels, fit: Fit, rounds: int) -> list[dict[str, Any]]:
    """Each voice and the fused score on each condition, by the calibration that holds."""
    out = []
    for name, level, rows, columns in conditions(people, coded):
        for voice in (*(v.name for v in voices.speaking()), None):
            pairs = pairs_of(people, rows, columns, fit.scores(coded, level, rows, columns, voice))
            scores = pairs.split()
            if not len(scores.genuine) or not len(scores.impostor):
                continue
            got = cal.summarise(pairs, FMRS, rounds=rounds)
            line: dict[str, Any] = {
                "pairs": name,
                "voice": voice or "fused",
                "genuine": got.genuines,
                "impostor": got.impostors,
                "eer": _rounded(got.eer, got.eer_interval),
                **{f"tar at {f:g}": _rounded(got.true_accept[f], got.true_accept_interval[f]) for f in FMRS},
            }
            if voice is None:
                table = compare.calibration().tables[CLEAN if level is None else PRINTED]
                for fmr in (1e-3, 1e-4, 1e-5):
                    at = table.threshold(fmr)
                    rate = cal.error_rates(scores, [at])[0]
                    line[f"at the calibrated line for {fmr:g}"] = {
                        "similarity": round(at, 2),
                        "fmr": float(f"{rate.fmr:.3g}"),
                        "fnmr": round(rate.fnmr, 4),
                    }
            out.append(line)
    return out


def _rounded(value: float | None, ends: tuple[float, float] | None) -> list[float] | None:
    """Value and the ends of its interval; None where there are too few impostors for the rate."""
    return None if value is None else [round(v, 5) for v in (value, *(ends or ()))]


# The calibration


def calibrated(people: People, coded: Levels, *, rounds: int, who: frozenset[int] | None = None) -> cal.FaceCalibration:
    """Fit everything on `who` (None: all): centres, scales, rates of strangers, odds among like-looking people, groups."""
    fit = Fit.on(people, coded, who)
    clean = [n for n in coded[None] if _photo(people, n) and (who is None or people.of(n) in who)]
    limits = (
        "Public figures of the United States and of LFW; the networks may have been trained on some. No set of people "
        "from Central Asia, the Caucasus or Russia: nothing is known of how well they are told apart."
    )
    day = datetime.now(UTC).date().isoformat()
    scores = pairs_of(people, clean, clean, fit.scores(coded, None, clean, clean)).split().impostor
    printed = {}
    for level in (1, 2, 3):
        rows = [n for n in coded[level] if n in set(clean)]
        printed[level] = pairs_of(people, rows, clean, fit.scores(coded, level, rows, clean)).split().impostor
    about = {"date": day, "limits": limits, "people": len({people.of(n) for n in clean})}
    tables = {
        CLEAN: cal.fit_fmr(
            [scores], {**about, "data": "house, congress, lfw: all pairs of two people", "impostor_pairs": len(scores)}
        ),
        PRINTED: cal.fit_fmr(
            list(printed.values()),
            {
                **about,
                "data": "the same faces against portraits on imitated pages, levels 1 to 3; the worst of them at each rate",
                "impostor_pairs": min(len(p) for p in printed.values()),
                "limits": limits + " Imitated pages, no real passports.",
            },
        ),
    }
    odds = {}
    for condition, levels in ODDS.items():
        like = [_like(people, coded, fit, level, who) for level in levels]
        like = [pairs for pairs in like if 0 < int((pairs.first == pairs.second).sum()) < len(pairs.score)]
        if not like and condition == POOR:
            continue  # no percentage is shown then
        about_odds = {
            **about,
            "data": f"strangers of like sex and ethnicity label, born within {YEARS} years; {', '.join(map(_name, levels))}",
            "genuine_pairs": sum(len(p.split().genuine) for p in like),
            "impostor_pairs": sum(len(p.split().impostor) for p in like),
            "people": len(np.unique(np.concatenate([p.first for p in like]))),
        }
        odds[condition] = cal.fit_odds(like, about_odds, ridge=cal.RIDGE[condition], rounds=rounds)
    made = cal.FaceCalibration(
        label="",
        engines=compare.networks(),
        voices=fit.voices,
        centres=fit.centres,
        same_picture=_same_picture(people, coded) if who is None else 1.0,
        tables=tables,
        odds=odds,
        groups=groups(people, coded, fit, tables, rounds) if who is None else (),
        card={**about, "data": "public photographs of the benchmark's folder", "pictures": len(clean), "weights": "see WEIGHTS"},
    )
    made = replace(made, card={**made.card, "alike": _alike_ratio(people, coded, fit, tables[PRINTED], who)})
    return replace(made, label=f"faces {day} {cal.digest(made.to_json())}")


ODDS: dict[str, tuple[int | None, ...]] = {CLEAN: (None,), PRINTED: (1, 2), POOR: (3,)}
"""The levels on which the odds of each condition are fitted; of level 3 those portraits that count as poor."""


def _odds(fitted: cal.FaceCalibration, level: int | None) -> cal.Odds:
    """What percentages of a level are shown by."""
    condition = next(name for name, levels in ODDS.items() if level in levels)
    return fitted.odds.get(condition) or fitted.odds[PRINTED]


def _like(people: People, coded: Levels, fit: Fit, level: int | None, who: frozenset[int] | None) -> cal.LabelledScores:
    """Candid photos against official portraits, strangers like-looking only. Other folders: every pair of two people.

    Of level 3 those whose portrait counts as poor.
    """
    sides = {name: (at, rows, columns) for name, at, rows, columns in conditions(people, coded)}
    first = next(iter(sides))
    at, rows, columns = sides.get(_name(level) if level is not None else "house - congress", sides[first])
    rows, columns = ([n for n in side if who is None or people.of(n) in who] for side in (rows, columns))
    if level == 3:
        rows = [n for n in rows if str(coded[3][n]["condition"]) == POOR]
    known = any(people.images[n].get("gender") for n in rows)
    keep = people.alike if known else None
    return pairs_of(people, rows, columns, fit.scores(coded, at, rows, columns), keep=keep)


def _alike_ratio(people: People, coded: Levels, fit: Fit, table: cal.FmrTable, who: frozenset[int] | None) -> float | None:
    """How many times as many like-looking strangers as any strangers reach the line of 1 in 1,000 on an ordinary page."""
    sides = {name: (at, rows, columns) for name, at, rows, columns in conditions(people, coded)}
    if "page 2" not in sides:
        return None
    at, rows, columns = sides["page 2"]
    line = table.threshold(1e-3)
    like = _like(people, coded, fit, at, who).split().impostor
    anyone = pairs_of(people, rows, columns, fit.scores(coded, at, rows, columns)).split().impostor
    passed = float((anyone >= line).mean())
    return round(float((like >= line).mean()) / passed, 1) if passed > 0 and len(like) else None


def _same_picture(people: People, coded: Levels) -> float:
    """The correlation from which two aligned faces are one photograph: above that of other photographs of one person."""
    clean = coded[None]
    known = people.repeats | {(j, i) for i, j in people.repeats}
    by: dict[int, list[int]] = {}
    for n in clean:
        by.setdefault(people.of(n), []).append(n)
    different = [
        float((clean[a]["chip"] * clean[b]["chip"]).mean())
        for group in by.values()
        for a in group
        for b in group
        if a < b and (a, b) not in known and _photo(people, a)
    ]
    return round(float(np.percentile(different, 99.9)) + 0.01, 3)


def _as_text(made: cal.FaceCalibration) -> str:
    """JSON with one short list to a line: a diff shows what moved."""
    text = json.dumps(made.to_json(), indent=1)
    lists = json.JSONDecoder()
    out, at = [], 0
    while (start := text.find("[", at)) >= 0:
        value, end = lists.raw_decode(text, start)
        flat = not any(isinstance(v, (dict, list)) for v in value)
        out += [text[at:start], json.dumps(value) if flat else "["]
        at = end if flat else start + 1
    return "".join([*out, text[at:]]) + "\n"


# Measured on people that the calibration never saw


def cross_validated(people: People, coded: Levels, *, repeats: int, seed: int = 0) -> dict[str, Any]:
    """Fit on half of the people, measure on the other half; `repeats` times both ways.

    Lines are those of the fitted tables, so true accept and false match rates are what a threshold set beforehand gives.
    """
    rng = np.random.default_rng(seed)
    everyone = sorted({people.of(n) for n in coded[None]})
    lines: dict[str, dict[str, list[float]]] = {}
    shown: dict[str, list[tuple[Floats, cal.LabelledScores]]] = {}
    for repeat in range(repeats):
        drawn = rng.permutation(everyone)
        halves = [frozenset(int(p) for p in part) for part in (drawn[: len(drawn) // 2], drawn[len(drawn) // 2 :])]
        for train, test in (halves, halves[::-1]):
            fitted = calibrated(people, coded, rounds=0, who=train)
            fit = Fit(centres=fitted.centres, voices=fitted.voices)
            for name, level, rows, columns in conditions(people, coded):
                rows, columns = ([n for n in side if people.of(n) in test] for side in (rows, columns))
                if not rows or not columns or name in ("lfw", "orl"):
                    continue  # ten and forty people: halves of them tell nothing
                condition = CLEAN if level is None else PRINTED
                scores = pairs_of(people, rows, columns, fit.scores(coded, level, rows, columns)).split()
                like = _like(people, coded, fit, level, test)
                into = lines.setdefault(name, {})
                odds = _odds(fitted, level)
                into.setdefault("cllr", []).append(cal.cllr(odds, like.split()))
                into.setdefault("eer", []).append(cal.equal_error_rate(scores))
                for fmr in FMRS:
                    rate = cal.error_rates(scores, [fitted.tables[condition].threshold(fmr)])[0]
                    into.setdefault(f"tar at the line of {fmr:g}", []).append(1.0 - rate.fnmr)
                    into.setdefault(f"fmr at the line of {fmr:g}", []).append(rate.fmr)
                if repeat == 0:
                    share = np.array([odds.share(s) for s in like.score])
                    shown.setdefault(name, []).append((share, like))
    out: dict[str, Any] = {}
    for name, by in lines.items():
        out[name] = {key: [float(f"{v:.4g}") for v in (np.mean(values), *_ends(values))] for key, values in by.items()}
        out[name]["folds"] = 2 * repeats
    usual = [lines[name]["cllr"] for name in ("house - congress", "page 1", "page 2") if name in lines]
    overall = [float(np.mean(fold)) for fold in zip(*usual, strict=True)]
    out["overall, without poor pages"] = {"cllr": [float(f"{v:.4g}") for v in (np.mean(overall), *_ends(overall))]}
    out["bands"] = {}
    for label, names in (("clean", ["house - congress"]), ("printed", ["page 1", "page 2"]), ("poor pages", ["page 3"])):
        parts = [part for name in names for part in shown.get(name, [])]
        if parts:
            out["bands"][label] = _bands(parts)
    return out


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Least and greatest of the folds: folds share people, so their spread is no interval."""
    return float(np.min(values)), float(np.max(values))


def _bands(parts: list[tuple[Floats, cal.LabelledScores]]) -> list[dict[str, Any]]:
    """Percentages shown against the truth; the people of each part are others, or the same under another condition."""
    share = np.concatenate([p[0] for p in parts])
    score = np.concatenate([p[1].score for p in parts])
    steps = np.cumsum([0] + [int(max(p[1].first.max(), p[1].second.max())) + 1 for p in parts[:-1]])
    first, second = (
        np.concatenate([getattr(p[1], side) + step for p, step in zip(parts, steps, strict=True)]) for side in ("first", "second")
    )
    got = cal.bands(share, cal.LabelledScores(score=score, first=first, second=second))
    return [
        {
            "shown from": b.low,
            "to": b.high,
            "genuine": b.genuines,
            "impostor": b.impostors,
            "mean shown": round(b.shown, 4),
            "true": round(b.true, 4),
            "interval": [round(v, 4) for v in b.interval],
            "holds": b.holds,
        }
        for b in got
    ]


# Groups


def groups(people: People, coded: Levels, fit: Fit, tables: dict[str, cal.FmrTable], rounds: int) -> tuple[cal.GroupRates, ...]:
    """Errors at the line of 1 in 10,000 within each group that the data can tell; groups of under five people are left out."""
    out: list[cal.GroupRates] = []
    sides = {name: (at, rows, columns) for name, at, rows, columns in conditions(people, coded)}
    for name in ("house - congress", "page 2"):
        if name not in sides:
            continue
        level, rows, columns = sides[name]
        line = tables[CLEAN if level is None else PRINTED].threshold(1e-4)
        members: dict[str, set[int]] = {"all": {people.of(n) for n in (*rows, *columns)}}
        for n in (*rows, *columns):
            for group in _groups_of(people.images[n]):
                members.setdefault(group, set()).add(people.of(n))
        scores = fit.scores(coded, level, rows, columns)
        for group, who in sorted(members.items(), key=lambda item: (item[0] != "all", item[0])):
            own_rows, own_columns = ([k for k, n in enumerate(side) if people.of(n) in who] for side in (rows, columns))
            if len(who) < 5 or not own_rows or not own_columns:
                continue
            own = pairs_of(
                people, [rows[k] for k in own_rows], [columns[k] for k in own_columns], scores[np.ix_(own_rows, own_columns)]
            )
            split = own.split()
            out.append(
                cal.GroupRates(
                    group=group,
                    condition=CLEAN if level is None else PRINTED,
                    people=len(who),
                    genuines=len(split.genuine),
                    impostors=len(split.impostor),
                    fnmr=_rate(own, own.score < line, True, rounds),
                    fmr=_rate(own, own.score >= line, False, rounds),
                )
            )
    return tuple(out)


COUNTED = {"house - congress": CLEAN, "page 2": PRINTED, "page 3": POOR}
"""Conditions of which errors are counted for the pages of operations: each person once in pairs of one person."""


def errors(people: People, coded: Levels, fit: Fit, rounds: int) -> str:
    """What was counted, as the text of errors.json."""
    found = {}
    for name, level, rows, columns in conditions(people, coded):
        if name in COUNTED:
            pairs = pairs_of(people, rows, columns, fit.scores(coded, level, rows, columns))
            found[COUNTED[name]] = cal.count_errors(pairs, rounds=rounds).to_json()
    return json.dumps({"label": cal.shipped().label, "conditions": found}, separators=(",", ":")) + "\n"


def _groups_of(image: dict[str, Any]) -> Iterator[str]:
    if image.get("gender"):
        yield f"sex: {image['gender']}"
    if image.get("ethnicity"):
        yield f"label: {image['ethnicity']}"
    if image.get("gender") and image.get("ethnicity"):
        yield f"label and sex: {image['ethnicity']}, {image['gender']}"
    if image.get("born"):
        age = (AS_OF - date.fromisoformat(image["born"])).days / 365.25
        yield "age: " + next(f"{low}-{high - 1}" for low, high in ((0, 45), (45, 60), (60, 75), (75, 120)) if low <= age < high)


AS_OF = date(2022, 1, 1)
"""When the photographs were taken, roughly: the listings are of the congresses of 2019 to 2023."""


def _rate(pairs: cal.LabelledScores, wrong: NDArray[np.bool_], genuine: bool, rounds: int) -> tuple[float, float, float] | None:
    """The share of pairs of one kind that go wrong, with its interval by resampling people, and at least the rule of three."""
    which = (pairs.first == pairs.second) == genuine
    if not which.any():
        return None
    bad, a, b = wrong[which].astype(np.float64), pairs.first[which], pairs.second[which]
    people = int(max(a.max(), b.max())) + 1
    rng, drawn = np.random.default_rng(0), []
    for _ in range(rounds):
        times = rng.multinomial(people, np.full(people, 1.0 / people)).astype(np.float64)
        weights = times[a] if genuine else times[a] * times[b]
        if weights.sum() > 0:
            drawn.append(float((bad * weights).sum() / weights.sum()))
    low, high = np.percentile(drawn, [2.5, 97.5]) if drawn else (0.0, 1.0)
    rate = float(bad.mean())
    return rate, min(rate, float(low)), min(1.0, max(float(high), 3.0 / len(bad), rate))


# A second reference


def second_reference(people: People, coded: Levels, fit: Fit, rounds: int) -> list[dict[str, Any]]:
    """Those with three or more pictures: one is printed, one is the face on file, the others are selfies.

    A case scores by its printed portrait alone, by the mean of both references, or by the worse of both (each over its line).
    """
    out = []
    by: dict[int, list[int]] = {}
    for n in coded[None]:
        by.setdefault(people.of(n), []).append(n)
    for level in (2, 3):
        for sets in (("lfw",), ("orl",)):
            own = {p: pictures for p, pictures in by.items() if len(pictures) >= 3 and people.images[pictures[0]]["set"] in sets}
            own = {p: pictures for p, pictures in own.items() if pictures[0] in coded.get(level, {})}
            if len(own) < 5:
                continue
            documents = [pictures[0] for pictures in own.values()]
            on_file = [pictures[1] for pictures in own.values()]
            copies = people.repeats | {(j, i) for i, j in people.repeats}
            selfies = [n for p in own.values() for n in p[2:] if (n, p[0]) not in copies and (n, p[1]) not in copies]
            by_document = fit.scores(coded, level, documents, selfies).T
            by_file = fit.scores(coded, None, selfies, on_file)
            for rule, scores in (
                ("document alone", by_document),
                ("mean of both", (by_document + by_file) / 2.0),
                ("worse of both", np.minimum(by_document, by_file)),
            ):
                pairs = pairs_of(people, selfies, documents, scores)
                got = cal.summarise(pairs, (1e-2, 1e-3), rounds=rounds)
                out.append(
                    {
                        "pairs": f"{', '.join(sets)}, page {level}",
                        "rule": rule,
                        "people": len(own),
                        "genuine": got.genuines,
                        "impostor": got.impostors,
                        "eer": _rounded(got.eer, got.eer_interval),
                        **{f"tar at {f:g}": _rounded(got.true_accept[f], got.true_accept_interval[f]) for f in (1e-2, 1e-3)},
                    }
                )
    return out


# All sets together


def pooled(people: People, coded: Levels, fit: Fit) -> dict[str, Any]:
    """Every clean pair of every set: the lowest rate that n can show, and how many of one person pass at it."""
    everyone = list(coded[None])
    scores = pairs_of(people, everyone, everyone, fit.scores(coded, None, everyone, everyone)).split()
    photos = [n for n in everyone if _photo(people, n)]
    alone = pairs_of(people, photos, photos, fit.scores(coded, None, photos, photos)).split()
    return {name: _lowest(s) for name, s in (("all sets", scores), ("without orl", alone))}


def _lowest(scores: cal.Scores) -> dict[str, Any]:
    supported = 3.0 / len(scores.impostor)
    line = float(np.sort(scores.impostor)[-1])
    return {
        "genuine": len(scores.genuine),
        "impostor": len(scores.impostor),
        "lowest fmr that n supports": float(f"{supported:.2g}"),
        "highest stranger": round(line, 3),
        "tar above every stranger": round(float((scores.genuine > line).mean()), 5),
        **{f"tar at {f:g}": cal.true_accept_rate(scores, f) for f in (1e-3, 1e-4, 1e-5)},
    }


def _pair_seconds(clean: dict[int, Coded]) -> float:
    """CPU seconds for comparing one pair of encodings."""
    some = [
        encode.Encodings(
            sface=c[voices.SFACE],
            dlib=c[voices.DLIB],
            chip=np.asarray(c["chip"], np.float32),
            condition=str(c["condition"]),
            others={v.name: c[v.name] for v in voices.speaking() if v.name not in (voices.SFACE, voices.DLIB)},
        )
        for c in list(clean.values())[:20]
    ]
    begun = time.process_time()
    for a in some:
        for b in some:
            compare.compare(a, b)
    return round((time.process_time() - begun) / max(1, len(some) ** 2), 6)


# Whole cases


MEGAPIXELS = 12


def whole_cases(data: Path, count: int) -> dict[str, Any]:
    """CPU seconds and memory of `count` cases (at least three), each three photos and all pairs."""
    pages = _pages_module()
    if pages is None:
        return {"left out": "printed_portrait.py not found"}
    with tempfile.TemporaryDirectory() as folder:
        cases = [Path(case) for case in _in_a_horse(lambda: _made(data, max(3, count), pages, Path(folder)))]
        before = _memory()
        began, cpu = time.perf_counter(), time.process_time()
        load()
        out: dict[str, Any] = {
            "cold start, seconds": round(time.perf_counter() - began, 2),
            "cold start, cpu seconds": round(time.process_time() - cpu, 2),
            "memory before loading (Python and libraries), MB": before,
            "memory with all models, MB": _memory(),
            "peak memory while loading, MB": _peak(),
        }
        ours = _in_a_horse(lambda: _our_cases(cases))
        out |= ours
        out["bare passes, cpu seconds a case"] = _in_a_horse(lambda: _bare_passes(cases[0]))
        out["peak memory of the horse where photos are decoded as a worker does, MB"] = _in_a_horse(lambda: _decoded(cases))
        out["the same passes by dlib and OpenCV themselves, cpu seconds a case"] = _in_a_horse(
            lambda: _passes_of_theirs(cases[0])
        )
        out["face_recognition, cpu seconds a case"] = _in_a_horse(lambda: _its_cases(cases[:1]))
    spent = ours["cpu seconds a case"]
    out["of the bare passes"] = round(spent / out["bare passes, cpu seconds a case"], 2)
    out["of face_recognition"] = f"1/{out['face_recognition, cpu seconds a case'] / spent:.1f}"
    return out


def _peak() -> int:
    """Highest resident memory of this process so far, MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _memory() -> int:
    """Resident memory of this process now, MB."""
    fields = Path("/proc/self/statm").read_text().split()
    return round(int(fields[1]) * resource.getpagesize() / 2**20)


def _in_a_horse(work: Callable[[], Any]) -> Any:
    """The result of `work`, done in a child that is forked now."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with os.fdopen(writing, "w") as out:
                json.dump(work(), out)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as answer:
        told = answer.read()
    if os.waitpid(child, 0)[1] != 0:
        raise RuntimeError("a case could not be timed")
    return json.loads(told)


CASE = (PhotoKind.SELFIE, PhotoKind.DOCUMENT, PhotoKind.ON_FILE)


def _made(data: Path, count: int, pages: Any, folder: Path) -> list[str]:
    """Make selfie and document of 12 megapixels, and the face on file as it is: arrays and files in a folder a case."""
    people = read_people(data)
    _, _, candid, official = next(c for c in conditions(people, {None: {n: {} for n in range(len(people.images))}}))
    at_home = {people.of(n): n for n in official}
    pairs = [(n, at_home[people.of(n)]) for n in candid if people.of(n) in at_home][:count]
    made = []
    for number, (on_file, selfie) in enumerate(pairs):
        case = folder / str(number)
        case.mkdir()
        for kind, n, level in zip(CASE, (selfie, on_file, on_file), (None, 2, None), strict=True):
            picture = _picture(data, people, n, level, pages)
            assert picture is not None
            picture = picture if kind is PhotoKind.ON_FILE else _enlarged(picture)
            np.save(case / f"{kind}.npy", picture)
            Image.fromarray(picture).save(case / f"{kind}.jpg", quality=92)
        made.append(str(case))
    return made


def _enlarged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = (MEGAPIXELS * 1e6 / (picture.shape[0] * picture.shape[1])) ** 0.5
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def _our_cases(cases: list[Path]) -> dict[str, Any]:
    spent, found = [], 0
    for case in cases:
        looks, seconds = [], 0.0
        for kind in CASE:
            photo = np.load(case / f"{kind}.npy")
            begun = time.process_time()
            looks.append(compare.look(kind, photo))
            seconds += time.process_time() - begun
            del photo
        begun = time.process_time()
        seen = compare.together(looks)
        spent.append(seconds + time.process_time() - begun)
        found += len(seen.pairs) == 3
    return {
        "cases": len(cases),
        "with all three pairs": found,
        "cpu seconds a case": round(float(np.median(spent)), 3),
        "first, second and last": [round(s, 3) for s in (spent[0], spent[1], spent[-1])],
        "peak memory of the horse (one 12 MP picture at a time included), MB": _peak(),
        "memory of the horse after, MB": _memory(),
    }


def _decoded(cases: list[Path]) -> int:
    """Peak memory of a horse that decodes each photo as a worker does, in a child, and looks at it."""
    for case in cases:
        compare.together([compare.look(kind, images.decode((case / f"{kind}.jpg").read_bytes())) for kind in CASE])
    return _peak()


def _inputs(case: Path) -> list[tuple[NDArray[np.uint8], ...]]:
    """What the networks are shown of each photo of a case at least: the photo at 480 pixels, a crop, two chips."""
    out = []
    for kind in CASE:
        height, width = np.load(case / f"{kind}.npy", mmap_mode="r").shape[:2]
        scale = 480 / max(height, width)
        sides = ((round(height * scale), round(width * scale)), *((n, n) for n in (detect.CROP, *_CHIPS)))
        out.append(tuple(np.zeros((*side, 3), np.uint8) for side in sides))
    return out


_CHIPS = (networks.SFACE_CHIP, networks.DLIB_CHIP)


def _bare_passes(case: Path) -> float:
    """CPU seconds of what no case can do without: per photo YuNet at 480 pixels and in the crop, both voices on two chips.

    The median of five.
    """
    inputs, spent = _inputs(case), []
    for _again in range(5):
        begun = time.process_time()
        for small, crop, chip, large in inputs:
            detect._yunet(small)
            detect._yunet(crop)
            networks.sface((chip, chip))
            networks.dlib_resnet((large, large))
        spent.append(time.process_time() - begun)
    return round(float(np.median(spent)), 3)


def _passes_of_theirs(case: Path) -> float:
    """The bare passes run by OpenCV and by dlib instead of `networks`. The median of five."""
    yunet = cv2.FaceDetectorYN.create(str(models.path("yunet")), "", (320, 320), 0.6, 0.3, 50)
    sface = cv2.FaceRecognizerSF.create(str(models.path("sface")), "")
    resnet = dlib.face_recognition_model_v1(str(models.path("dlib_resnet")))
    inputs, spent = _inputs(case), []
    for _again in range(5):
        begun = time.process_time()
        for small, crop, chip, large in inputs:
            for picture in (small, crop):
                yunet.setInputSize((picture.shape[1], picture.shape[0]))
                yunet.detect(picture)
            for _way in range(2):
                sface.feature(chip)
                resnet.compute_face_descriptor(large)
        spent.append(time.process_time() - begun)
    return round(float(np.median(spent)), 3)


def _its_cases(cases: list[Path]) -> float:
    import face_recognition

    spent = []
    for case in cases:
        photos = [np.load(case / f"{kind}.npy") for kind in CASE]
        begun = time.process_time()
        codes = [face_recognition.face_encodings(photo) for photo in photos]
        for a, b in combinations([c[0] for c in codes if c], 2):
            face_recognition.compare_faces([a], b)
        spent.append(time.process_time() - begun)
    return round(float(np.median(spent)), 2)


# Beside it


def anchor(data: Path, people: People, limit: int, rounds: int) -> dict[str, Any]:
    """face_recognition as its README shows: HOG, five points, one pass, Euclidean distance; its largest face."""
    import face_recognition

    found: Levels = {None: {}}
    spent, tried = 0.0, 0
    for n, image in enumerate(people.images):
        if people.of(n) >= limit:
            continue
        picture = face_recognition.load_image_file(str(data / image["file"]))
        begun = time.process_time()
        boxes = face_recognition.face_locations(picture)
        codes = (
            face_recognition.face_encodings(picture, [max(boxes, key=lambda b: (b[2] - b[0]) * (b[1] - b[3]))]) if boxes else []
        )
        spent, tried = spent + time.process_time() - begun, tried + 1
        if codes:
            found[None][n] = {voices.DLIB: np.asarray(codes[0], np.float64), "condition": CLEAN}
    out: dict[str, Any] = {
        "pictures": tried,
        "not_found": tried - len(found[None]),
        "cpu_seconds_per_photo": round(spent / max(1, tried), 3),
    }
    for name, _level, rows, columns in conditions(people, found):
        far = voices.distances("euclidean", *(np.stack([found[None][n][voices.DLIB] for n in side]) for side in (rows, columns)))
        pairs = pairs_of(people, rows, columns, -far)
        got = cal.summarise(pairs, FMRS, rounds=rounds)
        at_default = cal.error_rates(pairs.split(), [-0.6])[0]
        out[name] = {
            "genuine": got.genuines,
            "impostor": got.impostors,
            "eer": _rounded(got.eer, got.eer_interval),
            **{f"tar at {f:g}": _rounded(got.true_accept[f], got.true_accept_interval[f]) for f in FMRS},
            "at its default of 0.6": {"fmr": float(f"{at_default.fmr:.3g}"), "fnmr": round(at_default.fnmr, 4)},
        }
    return out


if __name__ == "__main__":
    sys.exit(main())
