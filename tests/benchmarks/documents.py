"""Measure the document engine: exact zones, exact fields, wrongly certain values, reasons given, seconds, memory.

    python tests/benchmarks/documents.py [--data DIR] [--variant NAME|all] [--limit N] [--only I ...] [--json FILE]
    python tests/benchmarks/documents.py --blanks N [--hardness easy|medium|hard] [--data DIR] ...
    python tests/benchmarks/documents.py --drawn N [--hardness flat|easy|...] [--paper KEY ...] [--side front|back|both ...]

Three sources, side by side in one run. `--data`: a folder in the format of shared/data/documents (labels.json beside the
pictures); it is read unless only the others are asked for. `--blanks N`: N invented people printed onto photographed blanks
(tests/specimens/blanks.py). `--drawn N`: drawn specimens, N for each paper and hardness: passports, and of cards each side
and both on one photo. Variants apply one deterministic degradation to the clean pictures, one per document; `all` runs each of
them and prints a row each. `--json` writes one raw result a picture: what was read, what was wanted, what was certain.

Last comes what is printed, from every source: per kind and per field, equal to the print letter for letter (upper-cased, spaces
collapsed), the mean share of wrong letters, what was certain, and what was certain and wrong. One thread, one process;
drawing is not counted.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.specimens import blanks, cards, people, portraits  # noqa: E402
from tests.specimens.draw import Person, Specimen, draw_ru_internal, draw_td3, guilloche  # noqa: E402
from tests.specimens.photograph import GRADES, photograph  # noqa: E402
from verification import documents  # noqa: E402
from verification.documents import mrz  # noqa: E402
from verification.evidence import DATES, DocumentReading, Field  # noqa: E402
from verification.reasons import ReasonCode  # noqa: E402

DATA = ROOT.parent / "shared" / "data" / "documents"
TODAY = date(2026, 11, 22)  # fixed, so that centuries in old specimens do not move with the calendar
# "upright" is brought to the same size and through JPEG only: what the others are to be held against
VARIANTS = ("upright", "rot90", "rot180", "rot270", "skew8", "skew20", "persp", "blur", "dark", "glare", "lowres")
HARD = ("rotated", "exif", "low_res", "photo")  # tags that leave a picture out of the variants: it is degraded already
SHOWN = (Field.SURNAME, Field.GIVEN_NAMES, Field.PATRONYMIC, Field.SURNAME_NATIVE, Field.GIVEN_NAMES_NATIVE,
         Field.DOCUMENT_NUMBER, Field.DATE_OF_BIRTH, Field.SEX, Field.ISSUED_ON, Field.EXPIRES_ON, Field.NATIONALITY,
         Field.ISSUER_CODE, Field.ISSUER, Field.PLACE_OF_BIRTH, Field.PERSONAL_NUMBER)  # fmt: skip
LETTERS = (Field.SURNAME, Field.GIVEN_NAMES, Field.PATRONYMIC, Field.SURNAME_NATIVE, Field.GIVEN_NAMES_NATIVE, Field.ISSUER,
           Field.PLACE_OF_BIRTH)  # fmt: skip
"""Fields of words: for what is printed of them the share of wrong letters is told beside the share of exact values."""
COLUMNS = (Field.SURNAME, Field.GIVEN_NAMES, Field.DOCUMENT_NUMBER, Field.DATE_OF_BIRTH, Field.EXPIRES_ON)

Item = dict[str, Any]
Row = dict[str, Any]
Wanted = dict[Field, tuple[str, ...]]
"""What may be read of a field: as on the page, and as in the zone where that spells it another way."""


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


def truth(item: Item) -> Wanted:
    """Return what a label says was printed, in the engine's formats."""
    wanted: Wanted = {}
    if item["mrz"]:
        zone = mrz.parse(_lines(item), today=TODAY).values
        wanted = {field: (value,) for field, value in zone.items()}
    for field, value in _printed(item).items():
        wanted[field] = tuple(dict.fromkeys((value, *wanted.get(field, ()))))
    return wanted


def _lines(item: Item) -> list[str]:
    return [line.replace("Ñ", "N") for line in item["mrz"]]


def _printed(item: Item) -> dict[Field, str]:
    """Values as they stand on the page: the label's own, or those of a Russian internal passport."""
    if "printed" in item:
        return {Field(name): value for name, value in item["printed"].items()}
    if not item["doc_type"].startswith("internal"):
        return {}
    f, found = item["fields"], {}
    for field, key in (
        (Field.SURNAME, "surname"), (Field.GIVEN_NAMES, "given_names"), (Field.PATRONYMIC, "patronymic"),
        (Field.ISSUER_CODE, "unit_code"), (Field.PLACE_OF_BIRTH, "birth_place"), (Field.ISSUER, "issuer"),
    ):  # fmt: skip
        if f.get(key):
            found[field] = f[key]
    for field, key in ((Field.DATE_OF_BIRTH, "birth_date"), (Field.ISSUED_ON, "issue_date")):
        if f.get(key):
            found[field] = "-".join(reversed(f[key].split(".")))
    if f.get("number"):
        found[Field.DOCUMENT_NUMBER] = f["number"].replace(" ", "")
    if f.get("sex"):
        found[Field.SEX] = {"МУЖ": "M", "ЖЕН": "F"}.get(f["sex"][:3], "")
    return found


def run_one(item: Item, picture: np.ndarray, *, group: str, variant: str | None = None) -> Row:
    """Read one picture and score it against its label. CPU seconds count the children too: Tesseract is one."""
    _forget_peak()
    started, before = time.perf_counter(), os.times()
    reading = documents.read(picture, today=TODAY)
    seconds, after = time.perf_counter() - started, os.times()
    spent = sum(after[:4]) - sum(before[:4])
    return {
        "file": item["file"],
        "group": group,
        "variant": variant,
        "seconds": seconds,
        "cpu_seconds": spent,
        "peak_mib": _peak(),
        **score(item, reading),
    }


def _forget_peak() -> None:
    """Start the peak of this process's memory anew (proc(5), clear_refs 5). Where that is refused, the peak is the run's."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        pass


def _peak() -> float:
    """Return the peak resident memory in MiB since `_forget_peak`."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def score(item: Item, reading: DocumentReading) -> Row:
    """Compare a reading with a label: zone lines exactly, each field exactly, and what was certain."""
    lines = _lines(item) if item["mrz"] else None
    wanted, printed = truth(item), _printed(item)
    got = {field: reading.fields.get(field) for field in {*wanted, *reading.fields}}
    exact = None if lines is None else reading.mrz is not None and list(reading.mrz.lines) == lines
    glare = ReasonCode.DOCUMENT_GLARE in (*reading.problems, *reading.hidden.values())
    return {
        "tags": item["tags"],
        "paper": item.get("paper") or item["doc_type"],
        "invented": "printed" in item,
        "format": "RU_INTERNAL" if item["mrz_format"] == "RU" else item["mrz_format"],
        "conforming": item["mrz_conforming"],
        "exact": exact,
        "valid": reading.mrz is not None and reading.mrz.valid,
        "glare_told": glare,
        "right": {field.value: got[field] is not None and _is(got[field].value, values) for field, values in wanted.items()},
        "certain": {field.value: value.certain for field, value in got.items() if value is not None},
        "wrong_certain": [
            field.value
            for field, value in got.items()
            if value is not None and value.certain and not _as_printed(item, field, value.value, wanted)
        ],
        "as_printed": {
            field.value: got[field] is not None and _is(got[field].value, (value,)) for field, value in printed.items()
        },
        "printed_cer": {field.value: _cer(got[field].value if got[field] else "", value) for field, value in printed.items()},
        "cer": {
            field.value: min(_cer(got[field].value if got[field] else "", value) for value in wanted[field])
            for field in LETTERS
            if field in printed
        },
        "problems": [problem.value for problem in reading.problems],
        "read": reading.to_json(),
        "want": {field.value: list(values) for field, values in wanted.items()},
        "want_mrz": lines,
    }


def _plain(text: str) -> str:
    return " ".join(text.upper().split())


def _is(value: str, accepted: Iterable[str]) -> bool:
    return _plain(value) in map(_plain, accepted)


def _as_printed(item: Item, field: Field, value: str, wanted: Wanted) -> bool:
    if field in wanted:
        return _is(value, wanted[field])
    if item.get("complete"):
        return False
    return not item["mrz"] or field in DATES  # not in the label: nothing to compare with


def _cer(read: str, want: str) -> float:
    """Return the share of wrong letters: edits over the length wanted, 1.0 at most and where nothing was read."""
    a, b = _plain(read), _plain(want)
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        before, row = row, [i]
        for j, right in enumerate(b, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right)))
    return min(1.0, row[-1] / max(len(b), 1))


# --- Where pictures come from

Source = Iterator[tuple[str, str | None, Item, np.ndarray]]
"""Group (one row of the table), variant, label, picture."""


def labelled(folder: Path, *, variants: Sequence[str | None], limit: int, only: Sequence[int]) -> Source:
    """Yield the pictures of a folder, as they are (None) and in each variant."""
    items = json.loads((folder / "labels.json").read_text(encoding="utf-8"))["items"]
    for variant in variants:
        chosen = [(at, items[at]) for at in only] if only else list(enumerate(items))
        chosen = _one_per_document(chosen) if variant else chosen
        for at, item in chosen[: limit or None]:
            picture = np.asarray(ImageOps.exif_transpose(Image.open(folder / item["file"])).convert("RGB"))
            yield variant or "as they are", variant, item, degrade(picture, variant, at) if variant else picture


def _one_per_document(chosen: list[tuple[int, Item]]) -> list[tuple[int, Item]]:
    seen: set[tuple[str, ...]] = set()
    kept = []
    for at, item in chosen:
        clean = item["mrz"] and item["mrz_conforming"] and item["doc_type"] != "mrz_strip"
        if not clean or any(tag.startswith(HARD) for tag in item["tags"]) or tuple(item["mrz"]) in seen:
            continue
        seen.add(tuple(item["mrz"]))
        kept.append((at, item))
    return kept


def printed_people(count: int, *, seed: int, hardness: str | None) -> Source:
    """Yield invented people on blanks, grouped by the kind of paper. Written as JPEG and read again, as `write` does."""
    for made in blanks.people_on_blanks(count, seed=seed, today=TODAY, hardness=hardness):
        kind = next(tag for tag in made.label["tags"] if tag.upper() in blanks.KINDS)
        _, data = cv2.imencode(".jpg", made.image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
        picture = np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1])
        yield f"blank {kind}" + (f" {hardness}" if hardness else ""), hardness, made.label, picture


HARDNESSES = ("flat", *GRADES)


def drawn_specimens(count: int, *, seed: int, hardness: str | None, papers: Sequence[str]) -> Source:
    """Yield drawn papers: each of `people.PAPERS` in each hardness, `count` of them, of another person each.

    `hardness`: only this one; `papers`: only these.
    """
    face = portraits.for_print("a", 1)
    only = hardness
    for number, (key, (kind, country, paper)) in enumerate(people.PAPERS.items()):
        for grade, hardness in enumerate(HARDNESSES):
            if (papers and key not in papers) or only not in (None, hardness):
                continue
            for at in range(count):
                rng = np.random.default_rng([seed, number, grade, at])
                zone = key != "russian_before_2011"
                specimen = None
                while specimen is None:
                    person = another(paper(TODAY), country, rng, kind=kind)
                    try:
                        specimen = (
                            draw_td3(person, face, country=country)
                            if kind == "td3"
                            else draw_ru_internal(person, face, zone=zone)
                        )
                    except ValueError:  # a name too long for its zone
                        continue
                picture = photograph(specimen.image, seed=seed + at, hardness=hardness)
                guilloche.cache_clear()  # drawing is not to be seen in the memory of a reading
                yield f"drawn {hardness}", hardness, _drawn_label(specimen, key, hardness, at), picture


def drawn_cards(count: int, *, seed: int, hardness: str | None, papers: Sequence[str], sides: Sequence[str]) -> Source:
    """Yield drawn identity cards, each side by itself and both on one photo, `count` holders of each kind."""
    face = portraits.for_print("a", 1)
    for kind in cards.KINDS:
        for at in range(count if not papers or kind in papers else 0):
            card = cards.draw_card(cards.holder(kind, seed=1000 * seed + at, today=TODAY), face)
            for side in sides or cards.SIDES:
                specimen = card.side(side, seed=seed + at)
                for grade in HARDNESSES:
                    if hardness in (None, grade):
                        picture = photograph(specimen.image, seed=seed + at, hardness=grade)
                        guilloche.cache_clear()
                        file = f"{kind}_{side}_{grade}_{at}"
                        yield f"drawn {grade}", grade, cards.label(specimen, kind, side, file=file, hardness=grade), picture


_SYLLABLES = "BA CHE DRI ÉL FU GÓ HUE I JO KA LLA MÍ NÚ ÑO PE QUI RRA SÁ TZU U VE WI XO YA ZI"


def another(person: Person, country: str, rng: np.random.Generator, *, kind: str) -> Person:
    """Return a paper of the same kind for somebody else: names, sex, number and birth date are new, offices and dates stay."""
    woman = bool(rng.random() < 0.5)
    born = person.date_of_birth + timedelta(days=int(rng.integers(-4000, 1500)))
    number = "".join(str(rng.integers(10)) if c.isdigit() else c for c in person.document_number)
    if kind == "ru_internal":
        number = person.document_number[:4] + f"{int(rng.integers(101, 1_000_000)):06d}"
    sex = "F" if woman else "M"
    family, given = blanks.surname(rng, woman=woman), blanks.given_name(rng, woman=woman)
    father = blanks.patronymic(rng, woman=woman)
    other = replace(person, sex=sex, date_of_birth=born, document_number=number)
    if kind == "ru_internal":
        return replace(other, surname=family, given_names=given, patronymic=father)
    if person.surname_native is not None:
        father = father if person.patronymic is not None else None
        other = replace(other, surname=blanks.latin(family), surname_native=family, given_names=blanks.latin(given),
                        given_names_native=given, patronymic=father)  # fmt: skip
        if country == "KAZ":
            other = replace(other, personal_number=_iin(born, sex, rng))
        return other
    first, second, given = ("".join(rng.choice(_SYLLABLES.split(), int(rng.integers(2, 5)))) for _ in range(3))
    if country == "UTO":  # one surname, plain letters
        plain = str.maketrans("ÁÉÍÓÚÑ", "AEIOUN")
        return replace(other, surname=first.translate(plain), given_names=given.translate(plain))
    other = replace(other, surname=f"{first} {second}", given_names=given)
    if country == "ESP":
        other = replace(other, personal_number=people.spanish_dni(int(rng.integers(100_000_000))))
    if country == "MEX":
        number = cards.curp_of(first, second, given, born, sex, "PL", int(rng.integers(10)))
        other = replace(other, personal_number=number)
    return other


def _iin(born: date, sex: str, rng: np.random.Generator) -> str:
    while True:
        try:
            return people.kazakh_iin(born, sex, int(rng.integers(1, 10_000)))
        except ValueError:  # no such serial is issued
            continue


def _drawn_label(specimen: Specimen, paper: str, hardness: str, number: int) -> Item:
    told = specimen.truth
    lines = told["mrz"] and told["mrz"]["lines"]
    internal = told["document_type"] == "RU_INTERNAL"
    return {
        "file": f"{paper}_{hardness}_{number}",
        "doc_type": "internal_passport" if internal else "passport",
        "paper": paper,
        "country": told["country"],
        "mrz_format": None if lines is None else "RU" if internal else "TD3",
        "mrz": lines,
        "mrz_conforming": lines is not None,
        "fields": {},
        "printed": {field: value["value"] for field, value in told["fields"].items() if value["source"] != "mrz"},
        "complete": True,
        "tags": ["drawn", f"drawn_{told['country'].lower()}{'_internal' if internal else ''}", hardness],
    }


# --- What people read


def table(rows: list[Row], *, by: str = "group") -> str:
    """Return one line a group (or paper): shares in percent, seconds, and the peak memory of a reading."""
    head = ["", "n", "exact", "conf.", *(field.value.replace("document_", "").replace("_of", "")[:9] for field in COLUMNS),
            "fields", "WRONG", "certain", "s", "s p95", "CPU s", "CPU p95", "MiB"]  # fmt: skip
    lines = [head]
    for group in dict.fromkeys(row[by] for row in rows):
        mine = [row for row in rows if row[by] == group]
        zones = [row for row in mine if row["exact"] is not None]
        right = [ok for row in mine for ok in row["right"].values()]
        sure = [row["certain"].get(name, False) for row in mine for name, ok in row["right"].items() if ok]
        seconds, cpu = (np.array([row[key] for row in mine]) for key in ("seconds", "cpu_seconds"))
        lines.append([
            group, str(len(mine)), _number(r["exact"] for r in zones), _number(r["exact"] for r in zones if r["conforming"]),
            *(_number(r["right"][f.value] for r in mine if f.value in r["right"]) for f in COLUMNS),
            _number(right), str(sum(len(r["wrong_certain"]) for r in mine)), _number(sure),
            *(f"{value:.2f}" for s in (seconds, cpu) for value in (np.median(s), np.percentile(s, 95))),
            f"{max(r['peak_mib'] for r in mine):.0f}",
        ])  # fmt: skip
    return _aligned(lines)


def report(rows: list[Row]) -> str:
    """Return what there is to say of these rows beyond the table. No values of persons in it."""
    zones = [row for row in rows if row["exact"] is not None]
    conforming = [row for row in zones if row["conforming"]]
    out = [f"pictures {len(rows)}, with a zone {len(zones)}, conforming {len(conforming)}"]
    out.append(f"exact zone: all {_share(r['exact'] for r in zones)}, conforming {_share(r['exact'] for r in conforming)}")
    out.append(f"valid but not exact: {sum(r['valid'] and not r['exact'] for r in zones)}")
    for name, count in Counter(row["format"] for row in zones).most_common():
        out.append(f"  format {name:12s} exact {_share(r['exact'] for r in zones if r['format'] == name)} of {count}")
    glare = [row for row in zones if row["variant"] == "glare"] or [row for row in zones if "glare" in row["tags"]]
    if glare:
        told = _share(row["exact"] or row["glare_told"] for row in glare)
        out.append(f"under glare: exact or a glare reason {told} of {len(glare)} (exact {_share(row['exact'] for row in glare)})")
    for field in SHOWN:
        right = [row["right"][field.value] for row in rows if field.value in row["right"]]
        if right:
            sure = [row["certain"].get(field.value, False) for row in rows if row["right"].get(field.value)]
            wrong = sum(field.value in row["wrong_certain"] for row in rows)
            letters = [row["cer"][field.value] for row in rows if field.value in row["cer"]]
            out.append(
                f"  {field.value:18s} right {_share(right)} of {len(right):3d}   certain, of the right ones {_share(sure)}"
                f"   wrong and certain {wrong}" + (f"   CER {np.mean(letters):.4f} of {len(letters)} printed" if letters else "")
            )
    right_all = [(row["certain"].get(name, False), row["conforming"]) for row in rows for name, ok in row["right"].items() if ok]
    every = [ok for row in rows for ok in row["right"].values()]
    out.append(f"fields exact, all together: {_share(every)} of {len(every)}")
    out.append(
        f"certain, of the right fields: all {_share(c for c, _ in right_all)}, "
        f"conforming {_share(c for c, ok in right_all if ok)}"
    )
    wrong = [(row["group"], row["file"], name) for row in rows for name in row["wrong_certain"]]
    out.append(f"WRONG AND CERTAIN: {len(wrong)}" + "".join(f"\n  {group}: {file} {name}" for group, file, name in wrong))
    for problem, count in Counter(problem for row in rows for problem in row["problems"]).most_common():
        out.append(f"  problem {problem:28s} {100 * count / len(rows):5.1f} % of the pictures")
    tags = Counter(tag for row in zones for tag in row["tags"])
    for tag, count in tags.most_common(24):
        out.append(f"  tag {tag:20s} exact {_share(r['exact'] for r in zones if tag in r['tags'])} of {count}")
    seconds = np.array([row["seconds"] for row in rows])
    cpu = np.array([row["cpu_seconds"] for row in rows])
    out.append(
        f"seconds median {np.median(seconds):.2f}, p95 {np.percentile(seconds, 95):.2f}; "
        f"CPU with children median {np.median(cpu):.2f}, p95 {np.percentile(cpu, 95):.2f}; "
        f"peak memory while reading {max(row['peak_mib'] for row in rows):.0f} MiB"
    )
    return "\n".join(out)


def printed_report(rows: list[Row]) -> str:
    """Return what there is to say of printed values: a line a kind of picture, the same by field, what was certain and wrong.

    Values are shown of invented people only.
    """
    rows = [row for row in rows if row["as_printed"]]
    if not rows:
        return ""
    groups = {what: [row for row in rows if _what(row) == what] for what in dict.fromkeys(map(_what, rows))}
    if len(groups) > 1:
        groups["all"] = rows
    head = ["printed", "n", "fields", "exact", "or as coded", "CER", "certain", "WRONG", "CPU s", "CPU p95", "MiB"]
    lines = [head]
    for what, mine in groups.items():
        exact = [ok for row in mine for ok in row["as_printed"].values()]
        right = [row["right"][name] for row in mine for name in row["as_printed"]]
        sure = [row["certain"].get(name, False) for row in mine for name in row["as_printed"] if row["right"][name]]
        cpu = np.array([row["cpu_seconds"] for row in mine])
        lines.append([
            what, str(len(mine)), str(len(exact)), _number(exact), _number(right),
            f"{np.mean([share for row in mine for share in row['printed_cer'].values()]):.4f}", _number(sure),
            str(sum(len(row["wrong_certain"]) for row in mine)), f"{np.median(cpu):.2f}", f"{np.percentile(cpu, 95):.2f}",
            f"{max(row['peak_mib'] for row in mine):.0f}",
        ])  # fmt: skip
    seen = [field for field in SHOWN if any(field.value in row["as_printed"] for row in rows)]
    by_field = [["exact by field", *(field.value.replace("document_", "").replace("_of", "")[:12] for field in seen)]]
    for what, mine in groups.items():
        by_field.append([what, *(_number(r["as_printed"][f.value] for r in mine if f.value in r["as_printed"]) for f in seen)])
    for title, key in (("CER, all", "printed_cer"), ("certain, of right", "certain")):
        by_field.append([title, *(_of_field(rows, f.value, key) for f in seen)])
    wrong = [(row, name) for row in rows for name in row["wrong_certain"]]
    told = [f"certain and wrong: {len(wrong)}"]
    for row, name in wrong:
        value = f": {row['read']['fields'][name]['value']} for {' or '.join(row['want'].get(name, ['nothing printed']))}"
        told.append(f"  {_what(row)}: {row['file']} {name}" + (value if row["invented"] else ""))
    return "\n\n".join((_aligned(lines), _aligned(by_field), "\n".join(told)))


def _what(row: Row) -> str:
    """The kind of a picture: for drawn ones paper, side and hardness."""
    return f"{row['paper']} {row['variant']}" if "drawn" in row["tags"] else f"{row['paper']}, {row['group']}"


def _of_field(rows: list[Row], name: str, key: str) -> str:
    mine = [row for row in rows if name in row["as_printed"]]
    if key == "certain":
        return _number(row["certain"].get(name, False) for row in mine if row["right"][name])
    return f"{np.mean([row[key][name] for row in mine]):.4f}"


def _aligned(lines: list[list[str]]) -> str:
    wide = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join(
        "  ".join(text.ljust(w) if at == 0 else text.rjust(w) for at, (text, w) in enumerate(zip(line, wide, strict=True)))
        for line in lines
    )


def _number(values: Iterable[Any]) -> str:
    values = list(values)
    return f"{100 * sum(map(bool, values)) / len(values):.1f}" if values else "-"


def _share(values: Iterable[Any]) -> str:
    values = list(values)
    return f"{100 * sum(map(bool, values)) / len(values):5.1f} %" if values else "  -  "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="default ../shared/data/documents")
    parser.add_argument("--json", type=Path, help="one raw result a picture")
    parser.add_argument("--limit", type=int, default=0, help="of the pictures of --data, for each variant")
    parser.add_argument("--variant", choices=(*VARIANTS, "all"))
    parser.add_argument("--only", type=int, nargs="*", default=(), help="positions in labels.json")
    parser.add_argument("--blanks", type=int, default=0, metavar="N", help="invented people printed onto photographed blanks")
    parser.add_argument(
        "--hardness", choices=HARDNESSES, help="of --blanks: without it they stay as taken; of --drawn: only this"
    )
    parser.add_argument("--drawn", type=int, default=0, metavar="N", help="drawn specimens, N a paper and hardness")
    parser.add_argument("--paper", nargs="+", choices=(*people.PAPERS, *cards.KINDS), default=(), help="of --drawn: only these")
    parser.add_argument("--side", nargs="+", choices=cards.SIDES, default=(), help="of drawn cards: only these")
    parser.add_argument("--seed", type=int, default=1, help="of --blanks and --drawn")
    options = parser.parse_args()
    others_only = (options.blanks or options.drawn) and not (options.variant or options.only or options.limit)
    folder = options.data or (None if others_only else DATA)
    if folder is not None and not (folder / "labels.json").is_file():
        sys.exit(f"no labels.json in {folder}")
    if options.blanks and options.hardness == "flat":
        sys.exit("--blanks are photographs: they cannot be flat")
    cv2.setNumThreads(1)
    variants = VARIANTS if options.variant == "all" else (options.variant,)
    sources: list[Source] = []
    if folder is not None:
        sources.append(labelled(folder, variants=variants, limit=options.limit, only=options.only))
    if options.blanks:
        sources.append(printed_people(options.blanks, seed=options.seed, hardness=options.hardness))
    if options.drawn:
        wanted = {"seed": options.seed, "hardness": options.hardness, "papers": options.paper}
        sources.append(itertools.chain(
            drawn_specimens(options.drawn, **wanted), drawn_cards(options.drawn, **wanted, sides=options.side)
        ))  # fmt: skip
    documents.load()
    rows: list[Row] = []
    try:
        for source in sources:
            mine = [run_one(item, picture, group=group, variant=variant) for group, variant, item, picture in source]
            rows += mine
            if mine:
                print(report(mine), end="\n\n", flush=True)
    except (blanks.BlanksMissing, portraits.PortraitMissing) as missing:
        sys.exit(str(missing))
    if rows:
        print(table(rows))
        drawn = [row for row in rows if "drawn" in row["tags"]]
        if drawn:
            print("\n" + table(drawn, by="paper"))
        print("\n" + printed_report(rows))
    if options.json:
        told = {"variant": options.variant, "today": TODAY.isoformat(), "rows": rows}
        options.json.write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
