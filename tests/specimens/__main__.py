"""Draw, print and photograph specimens: `python -m tests.specimens fetch | list | draw | cards | personas | blanks`.

Errors are one line, exit code 2.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.specimens import blanks, cards, people, portraits
from tests.specimens.draw import FontMissing, Specimen, draw_ru_internal, draw_td3
from tests.specimens.photograph import GRADES, shoot

cv2.setNumThreads(1)

BAD_INPUT = 2


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line instead of a page of usage."""

    def error(self, message: str) -> NoReturn:
        """Leave with exit code 2."""
        print(f"{self.prog}: {message}; --help explains", file=sys.stderr)
        raise SystemExit(BAD_INPUT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = _Parser(prog="python -m tests.specimens", description="Passports and faces of nobody, for tests and the demo.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    now = datetime.now(UTC).date()

    commands.add_parser("fetch", help="have the pinned portraits in var/specimens")
    commands.add_parser("list", help="name papers and personas")

    draw = commands.add_parser("draw", help="draw one paper and photograph it")
    draw.add_argument("--person", required=True, metavar="KEY", help="a paper or persona, see list")
    draw.add_argument("--kind", choices=("td3", "ru_internal"), help="refuse unless the paper is of this kind")
    draw.add_argument("--hardness", choices=("flat", *GRADES), help="default easy; of a persona, its own")
    draw.add_argument("--seed", type=int, help="default 1; of a persona, its own")
    draw.add_argument("--today", type=date.fromisoformat, default=now, metavar="YYYY-MM-DD")
    draw.add_argument("--out", type=Path, required=True, metavar="FILE.jpg")
    draw.add_argument("--truth", type=Path, metavar="FILE.json", help="what is printed, in the names of verification read")

    every = commands.add_parser("personas", help="write photos, claim, profile and expected outcome of every persona")
    every.add_argument("--out", type=Path, required=True, metavar="DIR")
    every.add_argument("--today", type=date.fromisoformat, default=now, metavar="YYYY-MM-DD")
    every.add_argument("--only", nargs="+", metavar="KEY")

    onto = commands.add_parser("blanks", help="print invented people onto photographed blanks, with labels.json")
    onto.add_argument("--out", type=Path, required=True, metavar="DIR", help="outside the project, or under var/")
    onto.add_argument("--count", type=int, required=True, metavar="N")
    onto.add_argument("--seed", type=int, default=1)
    onto.add_argument("--hardness", choices=tuple(GRADES), help="hold the phone worse; without it the photos stay as taken")
    onto.add_argument("--kind", nargs="+", choices=blanks.KINDS, default=(), help="only these; else all take turns")
    onto.add_argument("--font", metavar="FILE.ttf", help="typeface of the personal print; else by lot")
    onto.add_argument("--portraits", action="store_true", help="paste a man's portrait where a man is printed, under the mark")
    onto.add_argument("--blanks", type=Path, default=blanks.BLANKS, metavar="DIR", help="default ../shared/data/blanks")
    onto.add_argument("--today", type=date.fromisoformat, default=now, metavar="YYYY-MM-DD")

    both = commands.add_parser("cards", help="draw and photograph identity cards of invented people, with labels.json")
    both.add_argument("--out", type=Path, required=True, metavar="DIR")
    both.add_argument("--count", type=int, default=1, metavar="N", help="of each kind; default 1")
    both.add_argument("--kind", nargs="+", choices=cards.KINDS, default=cards.KINDS, help="default all")
    both.add_argument(
        "--side", nargs="+", choices=cards.SIDES, default=cards.SIDES, help='"both" is one photo; default all three'
    )
    both.add_argument("--hardness", choices=("flat", *GRADES), default="easy")
    both.add_argument("--seed", type=int, default=1)
    both.add_argument("--today", type=date.fromisoformat, default=now, metavar="YYYY-MM-DD")

    given = parser.parse_args(arguments)
    try:
        if given.command == "fetch":
            found = portraits.fetch_into_temporary()
            print(f"{len(found)} portraits in {portraits.CACHE.relative_to(portraits.ROOT)}")
        elif given.command == "list":
            _list(now)
        elif given.command == "draw":
            _draw(given)
        elif given.command == "cards":
            _cards(given)
        elif given.command == "blanks":
            _blanks(given)
        else:
            _personas(given)
    except (
        portraits.FetchError,
        portraits.PortraitMissing,
        blanks.BlanksMissing,
        FontMissing,
        ValueError,
        OSError,
    ) as error:
        print(f"python -m tests.specimens: {error}", file=sys.stderr)
        return BAD_INPUT
    return 0


def _list(today: date) -> None:
    for key, (kind, country, _) in people.PAPERS.items():
        print(f"paper    {key:24} {kind:12} {country}")
    for key, persona in people.personas(today).items():
        print(f"persona  {key:24} {persona.kind:12} {persona.country}  {persona.expected['outcome']:15} {persona.story}")


def _draw(given: argparse.Namespace) -> None:
    personas = people.personas(given.today)
    if given.person in personas:
        persona = personas[given.person]
        kind, specimen = persona.kind, persona.draw()
        hardness, seed, defect = (
            given.hardness or persona.hardness,
            persona.seed if given.seed is None else given.seed,
            persona.defect,
        )
    elif given.person in people.PAPERS:
        kind = people.PAPERS[given.person][0]
        specimen = draw_paper(given.person, given.today)
        hardness, seed, defect = given.hardness or "easy", 1 if given.seed is None else given.seed, None
    else:
        raise ValueError(f"there is no paper or persona {given.person!r}: see list")
    if given.kind not in (None, kind):
        raise ValueError(f"{given.person} is of kind {kind}")
    shot = shoot(specimen.image, seed=seed, hardness=hardness, defect=defect)
    save(shot.image, given.out)
    if given.truth is not None:
        truth = specimen.truth | {"portrait": {"box": _around(shot.place(specimen.quads["portrait"]))}}
        truth["quads"] = {name: np.round(shot.place(quad), 1).tolist() for name, quad in specimen.quads.items()}
        _json(given.truth, truth)


def draw_paper(key: str, today: date) -> Specimen:
    """Draw one right paper of `people.PAPERS` with the portrait of person a."""
    kind, country, paper = people.PAPERS[key]
    face = portraits.for_print("a", 1)
    if kind == "td3":
        return draw_td3(paper(today), face, country=country)
    return draw_ru_internal(paper(today), face, zone=key != "russian_before_2011")


def _personas(given: argparse.Namespace) -> None:
    everyone = people.personas(given.today)
    for key in given.only or everyone:
        if key not in everyone:
            raise ValueError(f"there is no persona {key!r}: see list")
        persona, folder = everyone[key], given.out / key
        folder.mkdir(parents=True, exist_ok=True)
        save(persona.selfie_photo(), folder / "selfie.jpg")
        save(persona.document_photo(), folder / "document.jpg")
        save(persona.on_file_photo(), folder / "on_file.jpg")
        _json(folder / "claim.json", persona.claim)
        _json(folder / "profile.json", persona.profile)
        _json(folder / "expected.json", persona.expected)
        print(folder)


def _cards(given: argparse.Namespace) -> None:
    given.out.mkdir(parents=True, exist_ok=True)
    face, items = portraits.for_print("a", 1), []
    for kind in given.kind:
        for number in range(given.count):
            card = cards.draw_card(cards.holder(kind, seed=given.seed + number, today=given.today), face)
            for side in given.side:
                specimen = card.side(side, seed=given.seed + number)
                shot = shoot(specimen.image, seed=given.seed + number, hardness=given.hardness)
                file = given.out / f"{kind}_{side}_{given.hardness}_{given.seed + number}.jpg"
                save(shot.image, file)
                truth = specimen.truth | {"portrait": None}
                if "portrait" in specimen.quads:
                    truth["portrait"] = {"box": _around(shot.place(specimen.quads["portrait"]))}
                truth["quads"] = {name: np.round(shot.place(quad), 1).tolist() for name, quad in specimen.quads.items()}
                _json(file.with_suffix(".json"), truth)
                items.append(cards.label(specimen, kind, side, file=file.name, hardness=given.hardness))
    _json(given.out / "labels.json", {"items": items})
    print(f"{len(items)} pictures and labels.json in {given.out}")


def _blanks(given: argparse.Namespace) -> None:
    pictures = blanks.people_on_blanks(
        given.count,
        seed=given.seed,
        today=given.today,
        hardness=given.hardness,
        typeface=given.font,
        portraits={"M": portraits.for_print("a", 1)} if given.portraits else None,
        folder=given.blanks,
        kinds=given.kind,
    )
    count = blanks.write(pictures, given.out)
    print(f"{count} pictures and labels.json in {given.out}")


def save(pixels: NDArray[np.uint8], file: Path) -> None:
    """Write JPEG, or PNG where the name ends so."""
    if file.suffix.lower() == ".png":
        Image.fromarray(pixels).save(file, "PNG")
    else:
        Image.fromarray(pixels).save(file, "JPEG", quality=92)


def _around(quad: NDArray[np.float32]) -> list[int]:
    low, high = quad.min(axis=0), quad.max(axis=0)
    return [round(float(v)) for v in (*low, *(high - low))]


def _json(file: Path, data: Any) -> None:
    file.write_text(json.dumps(data, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
