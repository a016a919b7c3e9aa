"""What the head-turn challenge takes for life: photos held before the camera, and people who turn.

    python -m tests.benchmarks.liveness [--data DIR] [--json FILE] [--tries N] [--only SPECIES] [--seed N] [--processes N]
    python -m tests.benchmarks.liveness --signs [--half 1] [--attacks 60] [--data DIR] [--json FILE] [--processes N]

Attacks in the words of ISO/IEC 30107-3: APCER by species, the share of tries that pass. Every try is drawn here, from one still
of ../shared/data/faces: a sheet in front of a phone's lens, turned, moved, lit and compressed anew for every frame. Nothing was
printed, shown on a screen or held by a hand, and no video, mask or made-up stream was tried: for those nothing is claimed.
BPCER, the share of genuine presentations that fail: people with several stills whose heads are turned differently (separate
photographs: of one sitting harder than a burst, of other days nothing can be followed from one to the next), and stills laid
upon the shape of a head and turned. Identity counts where it is named:
else an attacker is taken to hold a photo of the right person. Rates with n and a 95 % interval: by resampling people where one
has several rows, else, each row being another person, the exact one of a binomial.

`--signs`: the weak signs of a single selfie (faces.passive). Their lines were chosen on `--half 0` of the people and are measured
on the other. False alarms (BPCER, were each sign alone to decide): photographs of people as they are, and taken through the drawn
camera. APCER by species and sign, the share of drawn attacks in which it is *not* seen (tests.specimens.presented). ORL is left
out: 92 x 112 pixels scanned in grey are no selfie, and too small for two of the signs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from time import process_time
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.specimens import presented
from verification.challenge import ORDERS, Turn
from verification.faces import compare, detect, load, passive
from verification.faces.encode import encode
from verification.faces.liveness import TURN, asymmetry, depth, same_face, turns_shown
from verification.faces.quality import pose
from verification.policy import SHIPPED
from verification.reasons import PhotoKind

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "faces"
Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

WIDTH, HEIGHT, LENS = 480, 640, 520.0  # pixels of a frame, and its focal length: a phone's front camera sees some 50 degrees
EYES = 63.0  # millimetres between the eyes of a life-size face
YAW = (10.0, 40.0)  # degrees by which a sheet is turned
HEAD = (18.0, 35.0)  # degrees by which a person turns who is asked to turn clearly
SPECIES = ("flat", "bent", "still", "other", "drawn heads", "stills of one sitting", "stills of other days", "mixed")
SETS = {"stills of one sitting": "orl", "stills of other days": "lfw"}


def turned_by(yaw: float, pitch: float, roll: float) -> Floats:
    """The rotation of a thing before the lens, degrees; `yaw` + as a face turns to its own left."""
    y, p, r = np.radians([-yaw, pitch, roll])
    across = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    down = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    aside = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    return np.asarray(across @ down @ aside)


def rays(step: int = 1) -> Floats:
    """The direction in which each pixel looks, shape (H, W, 3)."""
    y, x = np.mgrid[0:HEIGHT:step, 0:WIDTH:step].astype(np.float64)
    return np.stack([(x - WIDTH / 2) / LENS, (y - HEIGHT / 2) / LENS, np.ones_like(x)], axis=-1)


class Still:
    """One still, with the face found in it: `nose` and `eyes` in its pixels."""

    def __init__(self, picture: Pixels, face: detect.Found) -> None:
        scale = face.eyes / max(float(np.hypot(*(face.landmarks[1] - face.landmarks[0]))), 1.0)
        self.picture = picture
        self.eyes = face.eyes
        self.nose = face.middle + (face.landmarks[2] - face.landmarks.mean(axis=0)) * scale


def sheet(still: Still, rng: np.random.Generator, *, distance: float, yaw: float, bend: float) -> Pixels:
    """The still as a sheet of paper before the lens. `bend`: radians across its width, + bulges to the lens; 0 is flat."""
    height, width = still.picture.shape[:2]
    unit = EYES / still.eyes  # millimetres to a pixel
    matrix = turned_by(yaw, rng.normal(0, 4), rng.normal(0, 5))
    middle = np.array([*rng.normal(0, 8, 2), distance])
    ground = (float(rng.integers(60, 200)),) * 3
    off = (still.nose - np.array([width / 2, height / 2])) * unit  # the face is what is held before the lens
    if bend == 0.0:
        edges = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2, height / 2) * unit - off
        there = np.c_[edges, np.zeros(4)] @ matrix.T + middle
        seen = there[:, :2] / there[:, 2:] * LENS + (WIDTH / 2, HEIGHT / 2)
        paper = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        laid = cv2.getPerspectiveTransform(paper, seen.astype(np.float32))
        return np.asarray(cv2.warpPerspective(still.picture, laid, (WIDTH, HEIGHT), borderValue=ground), np.uint8)
    beyond, start = rays() @ matrix, -middle @ matrix + np.array([0.0, off[1], 0.0])  # it bulges where the face is
    radius = width * unit / abs(bend)
    axis = math.copysign(radius, bend)
    a = beyond[..., 0] ** 2 + beyond[..., 2] ** 2
    b = 2 * (start[0] * beyond[..., 0] + (start[2] - axis) * beyond[..., 2])
    inside = b * b - 4 * a * (start[0] ** 2 + (start[2] - axis) ** 2 - radius**2)
    far = (-b - math.copysign(1, bend) * np.sqrt(np.maximum(inside, 0))) / (2 * a)
    sideways, deep = start[0] + far * beyond[..., 0], start[2] + far * beyond[..., 2] - axis
    x = radius * np.arctan2(sideways, -deep if bend > 0 else deep) + off[0]
    y, hit = start[1] + far * beyond[..., 1], (inside > 0) & (far > 0)
    u, v = (x / unit + width / 2).astype(np.float32), (y / unit + height / 2).astype(np.float32)
    drawn = cv2.remap(still.picture, u, v, cv2.INTER_LINEAR)
    on_it = hit & (u >= 0) & (v >= 0) & (u < width - 1) & (v < height - 1)
    return np.where(on_it[..., None], drawn, np.uint8(ground[0]))


def head(still: Still, rng: np.random.Generator, *, distance: float, yaw: float, nose: float) -> Pixels:
    """The still laid upon the shape of a head that turns about its middle. `nose`: how far it stands out, in eye distances."""
    height, width = still.picture.shape[:2]
    unit = EYES / still.eyes
    off = (still.nose - np.array([width / 2, height / 2])) * unit
    pivot = np.array([0.0, 0.0, 0.8 * EYES])
    matrix = turned_by(yaw, rng.normal(0, 3), rng.normal(0, 3))
    beyond = rays(2) @ matrix
    start = -(np.array([*rng.normal(0, 8, 2), distance])) @ matrix
    deep = np.zeros(beyond.shape[:2])
    for _ in range(12):  # where a ray meets a gentle relief is found by going there and looking again
        far = (deep - pivot[2] - start[2]) / beyond[..., 2]
        x, y = (start[0] + far * beyond[..., 0]) / EYES, (start[1] + far * beyond[..., 1]) / EYES
        skull = -1.15 * np.sqrt(np.clip(1 - (x / 1.35) ** 2 - ((y + 0.1) / 1.9) ** 2, 0.12, 1))
        ridge = np.exp(-((x / 0.17) ** 2)) * np.exp(-((y / np.where(y < 0, 0.42, 0.16)) ** 2))
        deep = 0.5 * deep + 0.5 * (skull + 1.15 - nose * ridge) * EYES
    u = (x * EYES + off[0]) / unit + width / 2
    v = (y * EYES + off[1]) / unit + height / 2
    u, v = (cv2.resize(m.astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR) for m in (u, v))
    return np.asarray(cv2.remap(still.picture, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def photographed(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Light from another side, a sensor's noise, and JPEG, all drawn anew."""
    light = rng.uniform(0.8, 1.2) * (1 + np.linspace(-1, 1, WIDTH) * rng.uniform(-0.15, 0.15))
    noise = np.zeros(picture.shape, np.int16)
    cv2.setRNGSeed(int(rng.integers(1 << 30)))
    cv2.randn(noise, 0, rng.uniform(1, 5))
    lit = np.clip(picture * light.astype(np.float32)[None, :, None] + noise, 0, 255).astype(np.uint8)
    packed = cv2.imencode(".jpg", lit[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(55, 90))])[1]
    return np.ascontiguousarray(cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1])


def found(picture: Pixels) -> detect.Found | None:
    """The face of a frame, as `liveness.judge` looks for it."""
    return detect.main_face(picture, kind=PhotoKind.ON_FILE).face


def tried(rng: np.random.Generator, frame: Callable[[float], Pixels], yaw: tuple[float, float]) -> dict[str, Any]:
    """One challenge answered by frames that `frame(yaw)` draws: two looking straight, two of each turn."""
    order = ORDERS[int(rng.integers(len(ORDERS)))]
    faces: list[detect.Found | None] = []
    steps: list[int] = []
    for step, turn in enumerate((None, *order)):
        side = 0.0 if turn is None else 1.0 if turn is Turn.LEFT else -1.0
        for _ in range(2):
            faces.append(found(photographed(frame(side * rng.uniform(*yaw)), rng)))
            steps.append(step)
    shown = turns_shown(faces, steps, order)
    return {"turned": shown.turned, "depth": shown.depth, "faces": faces, "steps": steps, "order": order}


def passes(row: dict[str, Any]) -> bool:
    """Whether turns and depth reach the shipped policy's lines, and the face where it was compared."""
    alike = row.get("same_face", SHIPPED.min_same_face)
    return (
        row["turned"] >= SHIPPED.min_turned
        and row["depth"] is not None
        and row["depth"] >= SHIPPED.min_depth
        and alike is not None
        and alike >= SHIPPED.min_same_face
    )


def people(listing: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One still of each person: official portraits, then candid photos of those who have no other."""
    first: dict[str, dict[str, Any]] = {}
    for entry in sorted((e for e in listing if e["set"] in ("house", "congress")), key=lambda e: e["set"] != "house"):
        first.setdefault(entry["person"], entry)
    return list(first.values())


def still_of(data: Path, entry: dict[str, Any]) -> Still | None:
    """The still of an entry, None where no face is found in it."""
    picture = opened(data, entry)
    face = found(picture)
    return Still(picture, face) if face is not None else None


def opened(data: Path, entry: dict[str, Any]) -> Pixels:
    with Image.open(data / entry["file"]) as picture:
        return np.asarray(picture.convert("RGB"))


def distance_of(rng: np.random.Generator) -> float:
    """Millimetres to a life-size face whose eyes are 40 to 85 pixels apart in a frame."""
    return LENS * EYES / float(rng.uniform(40, 85))


def attack(name: str, still: Still, rng: np.random.Generator) -> dict[str, Any]:
    """One try of one species with one person's photo."""
    distance = distance_of(rng)
    bend = float(rng.choice((-1, 1)) * rng.uniform(0.35, 1.2)) if name == "bent" else 0.0
    if name == "still":
        once = sheet(still, rng, distance=distance, yaw=0.0, bend=0.0)
        return tried(rng, lambda _yaw: once, YAW)
    return tried(rng, lambda yaw: sheet(still, rng, distance=distance, yaw=yaw, bend=bend), YAW)


def genuine_head(still: Still, rng: np.random.Generator) -> dict[str, Any]:
    """One drawn head that turns. The selfie is the still it was drawn from."""
    distance, nose = distance_of(rng), float(rng.uniform(0.3, 0.42))
    row = tried(rng, lambda yaw: head(still, rng, distance=distance, yaw=yaw, nose=nose), HEAD)
    selfie = found(still.picture)
    row["same_face"] = same_face(row["faces"], encode(selfie)) if selfie is not None else None
    return row


def other_person(one: Still, other: Still, rng: np.random.Generator) -> dict[str, Any]:
    """She looks straight, somebody else turns: drawn heads both. The selfie is of the one who looks straight."""
    distance = distance_of(rng)
    row = tried(rng, lambda yaw: head(other if yaw else one, rng, distance=distance, yaw=yaw, nose=0.36), HEAD)
    selfie = found(one.picture)
    row["same_face"] = same_face(row["faces"], encode(selfie)) if selfie is not None else None
    return row


def mixed(victim: Still, thief: Still, rng: np.random.Generator) -> dict[str, Any]:
    """In each step first the victim's flat photo, then the thief's own head, which turns. The selfie is of the victim."""
    distance, number = distance_of(rng), count()

    def frame(yaw: float) -> Pixels:
        if next(number) % 2 == 0:
            return sheet(victim, rng, distance=distance, yaw=float(rng.normal(0, 5)), bend=0.0)
        return head(thief, rng, distance=distance, yaw=yaw, nose=0.36)

    row = tried(rng, frame, HEAD)
    selfie = found(victim.picture)
    row["same_face"] = same_face(row["faces"], encode(selfie)) if selfie is not None else None
    return row


def from_stills(data: Path, listing: list[dict[str, Any]], of_set: str) -> list[dict[str, Any]]:
    """Each still that is turned against its person's straightest one, as one turn; sets with several stills of each person.

    What counts as turned is told by `pose` (15 degrees of yaw or more), so not by the measure that is judged.
    """
    by_person: dict[str, list[detect.Found]] = {}
    for entry in listing:
        if entry["set"] == of_set:
            face = found(opened(data, entry))
            if face is not None:
                by_person.setdefault(entry["person"], []).append(face)
    rows = []
    for person, faces in by_person.items():
        yaws = [(pose(face.landmarks) or (0.0, 0.0, 0.0))[0] for face in faces]
        straight = faces[int(np.argmin(np.abs(yaws)))]
        zero, selfie = min(yaws, key=abs), None
        for face, yaw in zip(faces, yaws, strict=True):
            if abs(yaw - zero) < 15.0:
                continue
            selfie = selfie or encode(straight)
            moved = math.copysign(1, yaw - zero) * (asymmetry(face.landmarks) - asymmetry(straight.landmarks))
            rows.append({
                "person": person,
                "turned": float(moved >= TURN),
                "depth": depth(straight, face),
                "same_face": compare.compare(selfie, encode(face)).similarity,
            })  # fmt: skip
    return rows


def interval(hits: int, n: int) -> tuple[float, float]:
    """The exact (Clopper and Pearson) 95 % interval of a rate, by bisection."""

    def tail(p: float, at_most: int) -> float:
        return sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(at_most + 1))

    def solve(below: Callable[[float], bool]) -> float:
        low, high = 0.0, 1.0
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if below(middle) else (low, middle)
        return low

    lower = 0.0 if hits == 0 else solve(lambda p: 1 - tail(p, hits - 1) < 0.025)
    upper = 1.0 if hits == n else solve(lambda p: tail(p, hits) > 0.025)
    return lower, upper


def by_people(rows: list[dict[str, Any]], wrong: Callable[[dict[str, Any]], bool]) -> tuple[float, float]:
    """95 % interval of a rate by resampling people, each with all of her rows."""
    counts: dict[str, list[int]] = {}
    for row in rows:
        held = counts.setdefault(row["person"], [0, 0])
        held[0] += wrong(row)
        held[1] += 1
    table = np.array(list(counts.values()), np.float64)
    drawn = table[np.random.default_rng(0).integers(0, len(table), (2000, len(table)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], (0.025, 0.975))
    return float(low), float(high)


def told(rows: list[dict[str, Any]], *, genuine: bool) -> dict[str, Any]:
    """Counts and quantiles of one species."""
    n = len(rows)
    wrong = sum(passes(row) is not genuine for row in rows)
    if "person" in rows[0]:
        low, high = by_people(rows, lambda row: passes(row) is not genuine)
    else:
        low, high = interval(wrong, n)
    depths = [row["depth"] for row in rows if row["depth"] is not None]
    return {
        "BPCER" if genuine else "APCER": round(wrong / n, 4),
        "wrong": wrong,
        "n": n,
        "people": len({row.get("person", number) for number, row in enumerate(rows)}),
        "interval": [round(low, 4), round(high, 4)],
        "all turns seen": sum(row["turned"] >= SHIPPED.min_turned for row in rows),
        "depth reached": sum(d >= SHIPPED.min_depth for d in depths),
        "depth least, median, greatest": [round(float(q), 3) for q in np.quantile(depths, (0, 0.5, 1))] if depths else None,
        **(
            {
                "same face reached": sum((row["same_face"] or -9) >= SHIPPED.min_same_face for row in rows),
                "same face least, median, greatest": [
                    round(float(q), 1) for q in np.quantile([row["same_face"] or -9 for row in rows], (0, 0.5, 1))
                ],
            }
            if rows and "same_face" in rows[0]
            else {}
        ),
    }


def one_try(order: tuple[str, Path, list[dict[str, Any]], int, int]) -> dict[str, Any] | None:
    """Try number `number` of a species: its own person and its own chance, whichever process does it."""
    name, data, entries, seed, number = order
    rng = np.random.default_rng((seed, SPECIES.index(name), number))
    still = still_of(data, entries[number % len(entries)])
    if still is None:
        return None
    if name in TWO:
        other = still_of(data, entries[(number + 1) % len(entries)])
        row = TWO[name](still, other, rng) if other is not None else None
    else:
        row = genuine_head(still, rng) if name == "drawn heads" else attack(name, still, rng)
    return {key: row[key] for key in ("turned", "depth", "same_face") if key in row} if row is not None else None


TWO = {"other": other_person, "mixed": mixed}
"""Species of two people."""

SHARE = {"flat": 1, "bent": 3, "still": 15, "other": 15, "drawn heads": 5, "mixed": 15}
"""One try for so many of the flat photo's."""


def measured(
    name: str, data: Path, listing: list[dict[str, Any]], tries: int, seed: int, processes: int
) -> Iterator[dict[str, Any]]:
    """The tries of one species, as they are done."""
    if name in SETS:
        yield from from_stills(data, listing, SETS[name])
        return
    entries = people(listing)
    orders = [(name, data, entries, seed, number) for number in range(max(1, tries // SHARE[name]))]
    if processes == 1:
        yield from (row for row in map(one_try, orders) if row is not None)
        return
    with get_context("fork").Pool(processes) as pool:
        yield from (row for row in pool.imap(one_try, orders) if row is not None)


def half_of(person: str) -> int:
    """0 or 1: the half of people on which lines are chosen, or the one on which they are measured."""
    return hashlib.sha256(person.encode()).digest()[-1] % 2


def one_sight(order: tuple[str, Path, dict[str, Any], int]) -> dict[str, Any]:
    """The measures of one selfie: `name` is a set of photographs as they are, "drawn camera" or a species."""
    name, data, entry, number = order
    picture = opened(data, entry)
    face = found(picture)
    if face is not None and name in (*presented.SPECIES, CAMERA):
        draw = presented.genuine if name == CAMERA else partial(presented.presented, species=name)
        picture = draw(picture, face, seed=number)
        face = found(picture)
    row: dict[str, Any] = {"name": name, "person": entry["person"]}
    if face is None:
        return row
    began = process_time()
    small, scale = passive.small_copy(picture, face)
    row["pattern"] = passive.pattern(picture, face)
    row["edges"] = passive.edges(small, face, scale)
    row["glare"] = passive.glare(small, face, scale)
    row["seconds"] = process_time() - began
    even = cv2.resize(face.crop, (100, 100), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    skin = cv2.cvtColor(even, cv2.COLOR_RGB2LAB)[38:66, 36:64].reshape(-1, 3)  # from eye to eye, down to the mouth
    row["yellow"], row["spread"] = float(np.median(skin[:, 2])), float(np.hypot(skin[:, 1].std(), skin[:, 2].std()))
    return row


CAMERA = "drawn camera"
SIGN_LINES = {"pattern": passive.PATTERN, "edges": passive.EDGES, "glare": passive.GLARE}
_TRIED = ("yellow", "spread")
"""Of the skin's colour, CIELAB: how yellow, against a screen's blue, and its spread. Neither became a sign."""


def sights(data: Path, listing: list[dict[str, Any]], half: int, attacks: int) -> list[tuple[str, Path, dict[str, Any], int]]:
    """What is looked at: each photograph of the half as it is, one still of `attacks` people through camera and species."""
    chosen = [e for e in listing if half_of(e["person"]) == half and e["set"] != "orl"]
    orders = [(e["set"], data, e, 0) for e in chosen]
    stills = [e for e in people(listing) if half_of(e["person"]) == half][:attacks]
    return orders + [(name, data, e, n) for n, e in enumerate(stills) for name in (CAMERA, *presented.SPECIES)]


def signs_told(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Rates by sign: false alarms of each set and of all, APCER of each species and of all."""
    report: dict[str, Any] = {"lines": SIGN_LINES}
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["name"], []).append(row)
    photographs = [row for row in rows if row["name"] not in (*presented.SPECIES, CAMERA)]
    groups["photographs"], groups["attacks"] = photographs, [row for row in rows if row["name"] in presented.SPECIES]
    for name, group in groups.items():
        seen = [row for row in group if "pattern" in row]
        if not seen:
            continue
        is_attack = name == "attacks" or name in presented.SPECIES
        told: dict[str, Any] = {"n": len(seen), "people": len({r["person"] for r in seen}), "no face": len(group) - len(seen)}
        any_of = [r for r in seen if any(r[key] > line for key, line in SIGN_LINES.items())]
        for key, over in (*((k, [r for r in seen if r[k] > line]) for k, line in SIGN_LINES.items()), ("any", any_of)):
            wrong = len(seen) - len(over) if is_attack else len(over)
            flagged = {id(r) for r in over}
            low, high = interval(wrong, len(seen))
            if len({r["person"] for r in seen}) < len(seen) and 0 < wrong < len(seen):
                low, high = by_people(seen, lambda r, f=flagged, a=is_attack: (id(r) in f) is not a)  # type: ignore[misc]
            told[key] = {
                "APCER" if is_attack else "false alarms": round(wrong / len(seen), 4),
                "wrong": wrong,
                "interval": [round(low, 4), round(high, 4)],
            }
        for key in (*SIGN_LINES, *_TRIED):
            told[f"{key} least, 5, 50, 95 %, greatest"] = [
                round(float(q), 3) for q in np.quantile([r[key] for r in seen], (0, 0.05, 0.5, 0.95, 1))
            ]
        told["seconds, median"] = round(float(np.median([r["seconds"] for r in seen])), 4)
        report[name] = told
    return report


def measure_signs(options: argparse.Namespace, listing: list[dict[str, Any]]) -> int:
    """`--signs`: see the module."""
    orders = sights(options.data, listing, options.half, options.attacks)
    if options.processes == 1:
        rows = [one_sight(order) for order in orders]
    else:
        with get_context("fork").Pool(options.processes) as pool:
            rows = pool.map(one_sight, orders, chunksize=4)
    report = signs_told(rows)
    for name, told in report.items():
        print(json.dumps({name: told}))
    if options.json:
        options.json.write_text(json.dumps({**report, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    return 0


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--tries", type=int, default=300, help="of the flat photo; other species get a share of it")
    parser.add_argument("--only", choices=SPECIES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1, help="the figures do not depend on it")
    parser.add_argument("--signs", action="store_true", help="the weak signs of a single selfie instead")
    parser.add_argument("--half", type=int, choices=(0, 1), default=1, help="of the people; lines were chosen on 0")
    parser.add_argument("--attacks", type=int, default=60, help="people whose still is held up, once as each species")
    options = parser.parse_args()
    if not (options.data / "pairs.json").is_file():
        print(f"no pairs.json in {options.data}: nothing measured", file=sys.stderr)
        return 2
    listing = json.loads((options.data / "pairs.json").read_text(encoding="utf-8"))["images"]
    load()
    if options.signs:
        return measure_signs(options, listing)
    report: dict[str, Any] = {"lines": {k: getattr(SHIPPED, k) for k in ("min_turned", "min_depth", "min_same_face")}}
    for name in SPECIES if options.only is None else (options.only,):
        rows: list[dict[str, Any]] = []
        for row in measured(name, options.data, listing, options.tries, options.seed, options.processes):
            rows.append(row)
            report[name] = told(rows, genuine=name == "drawn heads" or name in SETS)
            if options.json:  # kept at every step: a long run that is cut off has told what it saw
                kept = {key: [row.get(key) for row in rows] for key in ("turned", "depth", "same_face")}
                options.json.write_text(json.dumps({**report, f"{name} rows": kept}, indent=1) + "\n", encoding="utf-8")
        print(json.dumps({name: report[name]}), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
