"""How surely the face that counts is found, on any folder in the format of ../shared/data/faces.

    python -m tests.benchmarks.face_detection [--data DIR] [--json FILE] [--only PART ...] [--limit N]

Parts: `tilts` (60 candid faces at every 15 degrees and at the quarter turns, on two grounds), `small` (portraits 60 pixels
wide, and all of set orl, 92 x 112), `large` (12 megapixels), `pages` (the portrait printed on an imitated page at three
levels, upright and turned, with a ghost image beside it), `company` (bystanders, posters, a passport held up beside the
face) and `quality` (what `verification.faces.quality` measures on faces as they are, and covered, turned and lit badly).
A face counts as found when it is found where it is, at its size and upright to 25 degrees: one seen upside down is not.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from tests.benchmarks.faces import SHARED, _pages_module
from tests.specimens import scenes
from tests.specimens.scenes import Pixels
from verification.faces import detect, quality
from verification.faces.detect import Found
from verification.quality import QualityThresholds
from verification.reasons import PhotoKind, ReasonCode

TILTS = tuple(range(0, 360, 15))
GROUNDS = {"grey": ((128, 128, 128), TILTS), "black": ((0, 0, 0), TILTS[1::3])}
FACES = 60


class People:
    """The pictures of one folder, opened when asked for, with the upright face of each."""

    def __init__(self, data: Path, limit: int | None) -> None:
        listing = json.loads((data / "pairs.json").read_text(encoding="utf-8"))
        self.data = data
        self.images: list[dict[str, Any]] = listing["images"]
        self.limit = limit

    def of(self, *sets: str) -> list[int]:
        """One picture of each person, of these sets in their order; of any set where the folder has none of them."""
        named = [n for s in sets for n, i in enumerate(self.images) if i["set"] == s]
        chosen = named or list(range(len(self.images)))
        one = list({self.images[n]["person"]: n for n in reversed(chosen)}.values())[::-1]
        return one if self.limit is None else one[: self.limit]

    def all_of(self, name: str) -> list[int]:
        """Every picture of a set."""
        chosen = [n for n, i in enumerate(self.images) if i["set"] == name]
        return chosen if self.limit is None else chosen[: self.limit]

    def open(self, n: int) -> Pixels:
        """RGB pixels of picture `n`."""
        with Image.open(self.data / self.images[n]["file"]) as opened:
            return np.asarray(opened.convert("RGB"))


def upright(picture: Pixels) -> Found | None:
    """The face of a picture that stands upright."""
    return detect.main_face(picture, kind=PhotoKind.ON_FILE).face


def right(found: Found | None, centre: tuple[float, float], size: float, tilt: float) -> bool:
    """Whether `found` is the face at `centre`, of that height, which `tilt` degrees counter-clockwise bring upright."""
    if found is None:
        return False
    x, y, w, h = found.box
    inside = x <= centre[0] <= x + w and y <= centre[1] <= y + h
    lean = (found.tilt - tilt + 180.0) % 360.0 - 180.0
    return inside and 0.6 <= found.size / size <= 1.6 and abs(lean) <= 25.0


def _timed(look: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.process_time()
    return look(), time.process_time() - begun


def _spent(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    return {"median": round(float(np.median(seconds)), 3), "most": round(max(seconds), 3)}


def tilts(people: People) -> dict[str, Any]:
    """Faces not found of `FACES` at every tilt."""
    every = people.of("congress")
    chosen = every[:: max(1, len(every) // FACES)][:FACES]
    report: dict[str, Any] = {}
    for ground, (fill, turns) in GROUNDS.items():
        missed: dict[int, int] = dict.fromkeys(turns, 0)
        who: list[str] = []
        seconds: list[float] = []
        for n in chosen:
            picture = people.open(n)
            truth = upright(picture)
            if truth is None:
                missed = {t: m + 1 for t, m in missed.items()}
                continue
            for degrees in turns:
                if degrees % 90 == 0:
                    turned = np.ascontiguousarray(np.rot90(picture, degrees // 90))
                    matrix = scenes.tilted(picture[:, :, :1], degrees)[1]
                else:
                    turned, matrix = scenes.tilted(picture, degrees, fill)
                where = matrix @ np.append(truth.middle, 1.0)
                got, spent = _timed(lambda turned=turned: detect.main_face(turned).face)  # type: ignore[misc]
                seconds.append(spent)
                if not right(got, (float(where[0]), float(where[1])), truth.size, truth.tilt - degrees):
                    missed[degrees] += 1
                    who.append(f"{people.images[n]['file']}@{degrees}:{'none' if got is None else round(got.tilt)}")
        report[ground] = {"of": len(chosen), "missed": {str(t): m for t, m in missed.items()}, "cpu_seconds": _spent(seconds)}
        if who:
            report[ground]["which"] = who
    return report


def small(people: People) -> dict[str, Any]:
    """Small pictures: the whole portrait 60 pixels wide; 92 x 112."""
    report: dict[str, Any] = {}
    every = people.of("house", "congress")[:200]
    for wide in (60, 80, 120):
        missed, seconds = 0, []
        for n in every:
            picture = people.open(n)
            truth = upright(picture)
            if truth is None:
                continue
            portrait = scenes.head(picture, truth, height=1.75)
            tiny = np.asarray(cv2.resize(portrait, (wide, wide), interpolation=cv2.INTER_AREA), np.uint8)
            got, spent = _timed(lambda tiny=tiny: detect.main_face(tiny).face)  # type: ignore[misc]
            seconds.append(spent)
            missed += not right(got, (wide / 2, wide / 2), wide / 1.75, 0.0)
        report[f"{wide} px wide"] = {"of": len(every), "missed": missed, "cpu_seconds": _spent(seconds)}
    for name in ("orl", "lfw"):
        chosen = people.all_of(name)
        found = [_timed(lambda n=n: detect.main_face(people.open(n)).face) for n in chosen]  # type: ignore[misc]
        report[name] = {"of": len(chosen), "missed": sum(f is None for f, _ in found),
                        "askew": sum(f is not None and abs((f.tilt + 180) % 360 - 180) > 35 for f, _ in found),
                        "cpu_seconds": _spent([s for _, s in found])}  # fmt: skip
    return report


def large(people: People) -> dict[str, Any]:
    """Selfies of 12 megapixels: the face from a tenth of the height to most of it, upright and lying."""
    report: dict[str, Any] = {}
    chosen = people.of("congress")[:20]
    ground = scenes.room(4000, 3000, 1)
    for share in (0.06, 0.12, 0.3, 0.6):
        missed, seconds = {0: 0, 1: 0}, []
        for n in chosen:
            picture = people.open(n)
            truth = upright(picture)
            if truth is None:
                continue
            person = scenes.head(picture, truth)
            side = round(share * 4000 * 1.9)
            person = np.asarray(cv2.resize(person, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)
            left, top = (3000 - side) // 2, (4000 - side) // 2
            photo = scenes.pasted(ground, person, left, top, soft=True)
            for turn in (0, 1):
                seen = np.ascontiguousarray(np.rot90(photo, turn))
                got, spent = _timed(lambda seen=seen: detect.main_face(seen).face)  # type: ignore[misc]
                seconds.append(spent)
                missed[turn] += not right(got, (seen.shape[1] / 2, seen.shape[0] / 2), share * 4000, -90.0 * turn)
        report[f"face {share:g} of the height"] = {"of": len(chosen), "missed": missed[0], "missed lying": missed[1],
                                                   "cpu_seconds": _spent(seconds)}  # fmt: skip
    return report


def printed(people: People, n: int, level: int) -> tuple[Pixels, list[int]] | None:
    """Picture `n` printed on the imitated page, and where."""
    picture = people.open(n)
    truth = upright(picture)
    if truth is None:
        return None
    x, y, w, h = truth.box
    side = int((w + h) / 2)
    made, box = _pages_module().simulate(
        picture, (x + w // 2 - side // 2, int(y + h * 0.54) - side // 2, side, side), level, seed=n
    )
    return np.asarray(made, np.uint8), list(box)


def _in_box(found: Found | None, box: list[int]) -> bool:
    """Whether the face is that of the portrait printed in `box`."""
    if found is None:
        return False
    x, y, w, h = found.box
    middle = x + w / 2, y + h / 2
    return box[0] <= middle[0] <= box[0] + box[2] and box[1] <= middle[1] <= box[1] + box[3] and found.size >= 0.35 * box[3]


def with_ghost(page: Pixels, box: list[int], strength: float = 0.35) -> Pixels:
    """The portrait once more, small and pale, at the right of the page."""
    x, y, w, h = box
    ghost = scenes.resized(np.ascontiguousarray(page[max(0, y) : y + h, max(0, x) : x + w]), int(0.55 * h)).astype(np.float32)
    made = page.copy()
    left, top = int(page.shape[1] * 0.74), int(y + 0.2 * h)
    part = made[top : top + ghost.shape[0], left : left + ghost.shape[1]]
    cut = ghost[: part.shape[0], : part.shape[1]]
    part[:] = np.clip(part * (1 - strength) + cut * strength, 0, 255).astype(np.uint8)
    return made


def pages(people: People) -> dict[str, Any]:
    """The printed portrait: not found, or another face than the portrait taken for it."""
    if _pages_module() is None:
        return {"left out": "printed_portrait.py not found"}
    report: dict[str, Any] = {}
    chosen = people.of("congress")
    for level in (1, 2, 3):
        counts = {"missed": 0, "missed lying": 0, "missed upside down": 0, "ghost taken": 0, "of ghosts": 0, "of turned": 0}
        seconds, who = [], []
        for k, n in enumerate(chosen):
            made = printed(people, n, level)
            if made is None:
                continue
            page, box = made
            got, spent = _timed(lambda page=page: detect.portrait(page))  # type: ignore[misc]
            seconds.append(spent)
            if not _in_box(got, box):
                counts["missed"] += 1
                who.append(people.images[n]["file"])
            if k % 6 == 0:
                height, width = page.shape[:2]
                x, y, w, h = box
                counts["of turned"] += 1
                lying = detect.portrait(np.ascontiguousarray(np.rot90(page, 1)))
                counts["missed lying"] += not _in_box(lying, [y, width - x - w, h, w])
                over = detect.portrait(np.ascontiguousarray(np.rot90(page, 2)))
                counts["missed upside down"] += not _in_box(over, [width - x - w, height - y - h, w, h])
                counts["of ghosts"] += 1
                counts["ghost taken"] += not _in_box(detect.portrait(with_ghost(page, box)), box)
        report[f"level {level}"] = {"of": len(chosen), **counts, "cpu_seconds": _spent(seconds)}
        if who:
            report[f"level {level}"]["which"] = who
    return report


def selfies_in_company(people: People) -> Iterator[tuple[str, Pixels, tuple[int, int, int, int], bool]]:
    """Name of the scene, the picture, where the person's face is, and whether two people are equally near."""
    candid, official = people.of("congress")[:40], people.of("house")[:120]
    owners = [people.images[n]["person"] for n in candid]
    strangers = [n for n in official if people.images[n]["person"] not in owners]
    for k, n in enumerate(candid):
        picture, other = people.open(n), people.open(strangers[k % len(strangers)])
        truth, second = upright(picture), upright(other)
        if truth is None or second is None:
            continue
        person, stranger = scenes.head(picture, truth), scenes.head(other, second)
        canvas = scenes.room(1600, 1200, k)
        person = scenes.resized(person, 1000)
        face = 1000 / 1.9
        selfie = scenes.pasted(canvas, person, 20, 560, soft=True)
        box = (int(20 + 500 - face / 2), int(560 + 500 - face / 2), int(face), int(face))
        for share, name in ((0.3, "bystander 0.3"), (0.5, "bystander 0.5"), (0.9, "two people")):
            scene = scenes.pasted(selfie, scenes.resized(stranger, int(1000 * share)), 1200 - int(700 * share), 40, soft=True)
            yield name, scene, box, share > 0.65
        poster = np.pad(scenes.resized(stranger, 480), ((24, 24), (24, 24), (0, 0)), constant_values=30)
        yield "poster 0.48", scenes.pasted(selfie, poster, 640, 20), box, False
        for name, wide in (("passport beside 0.3", 520), ("passport beside 0.5", 860), ("passport beside 0.8", 1250)):
            made = printed(people, strangers[k % len(strangers)], 1)
            if made is None:
                continue
            page = scenes.resized(made[0], wide)
            # a phone's frame is upright: the passport is held before the chest, its right part may leave the frame
            small_person = scenes.resized(person, 900)
            scene = scenes.pasted(canvas, small_person, 150, 20, soft=True)
            scene = scenes.pasted(scene, page, 60, 1600 - int(page.shape[0] * 0.98))
            near = (int(150 + 450 - 900 / 3.8), int(20 + 450 - 900 / 3.8), int(900 / 1.9), int(900 / 1.9))
            yield name, scene, near, False


def company(people: People) -> dict[str, Any]:
    """The selfie's person among others: another face taken, and scenes that were wrongly called unclear or clear."""
    if _pages_module() is None:
        return {"left out": "printed_portrait.py not found"}
    report: dict[str, dict[str, Any]] = {}
    for name, scene, box, equal in selfies_in_company(people):
        seen = report.setdefault(name, {"of": 0, "wrong face": 0, "called several": 0, "should be": equal, "seconds": []})
        main, spent = _timed(lambda scene=scene: detect.main_face(scene))  # type: ignore[misc]
        seen["of"] += 1
        seen["seconds"].append(spent)
        centre = box[0] + box[2] / 2, box[1] + box[3] / 2
        if not equal:
            seen["wrong face"] += not right(main.face, centre, box[3], 0.0)
        seen["called several"] += ReasonCode.SEVERAL_FACES_IN_SELFIE in main.problems
    for seen in report.values():
        seen["cpu_seconds"] = _spent(seen.pop("seconds"))
    return report


CLOTHS = ((150, 185, 205), (245, 245, 245), (25, 25, 28), (205, 170, 160), (60, 80, 140))


def quality_of_faces(people: People) -> dict[str, Any]:
    """Reasons told of faces as they are, by set, and of the same covered, lit badly, of stone and painted (every 6th)."""
    thresholds = QualityThresholds()
    report: dict[str, dict[str, int]] = {}
    spent: list[float] = []

    def told(name: str, face: Found | None) -> None:
        seen = report.setdefault(name, {"of": 0, "told": 0})
        seen["of"] += 1
        if face is None:
            seen["no face"] = seen.get("no face", 0) + 1
            return
        reasons, seconds = _timed(lambda: quality.problems(quality.measure(face), thresholds))
        spent.append(seconds)
        seen["told"] += bool(reasons)
        for reason in reasons:
            seen[reason.value] = seen.get(reason.value, 0) + 1

    for name in ("congress", "house", "lfw", "orl"):
        for k, n in enumerate(people.all_of(name)):
            face = upright(people.open(n))
            told(name, face)
            if face is None or name == "orl" or k % 6:
                continue
            middle = np.array([detect.CROP / 2, detect.CROP / 2], np.float32)
            straight = detect.main_face(face.crop, kind=PhotoKind.ON_FILE).face
            if straight is None:
                continue
            changed = {
                "mask drawn": scenes.masked(face.crop, straight, CLOTHS[(k // 6) % len(CLOTHS)]),
                "dark glasses drawn": scenes.sunglasses(face.crop, straight),
                "lit from one side": scenes.side_lit(face.crop, straight),
                "against a window": scenes.against_light(face.crop, straight),
                "as a statue": scenes.statue(face.crop),
                "as a painting": scenes.painting(face.crop),
                "blurred by 4 pixels of eyes 72 apart": np.asarray(cv2.GaussianBlur(face.crop, (0, 0), 4.0), np.uint8),
            }
            for what, picture in changed.items():
                found = detect.main_face(picture, kind=PhotoKind.ON_FILE).face
                near = found is not None and float(np.hypot(*(found.middle - middle))) < detect.CROP / 4
                told(what, found if near else None)
    return {**report, "cpu_seconds": _spent(spent)}


PARTS: dict[str, Callable[[People], dict[str, Any]]] = {
    "tilts": tilts, "small": small, "large": large, "pages": pages, "company": company,
    "quality": quality_of_faces,
}  # fmt: skip


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "faces")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", nargs="+", choices=sorted(PARTS), default=list(PARTS))
    parser.add_argument("--limit", type=int, help="first N people of each part")
    options = parser.parse_args()
    if not (options.data / "pairs.json").is_file():
        print(f"no pairs.json in {options.data}: nothing measured", file=sys.stderr)
        return 2
    people = People(options.data, options.limit)
    detect.load()
    report: dict[str, Any] = {}
    for part in options.only:
        report[part] = PARTS[part](people)
        print(json.dumps({part: report[part]}, indent=1), flush=True)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
