"""Load and check the data files of papers whose layout is known: `layouts/`, one file for each kind of paper.

A layout file is JSON; all lengths are millimetres from the page's upper left corner as its reader holds it.

`about`: what the places were taken from. `document`: a `DocumentType`. `country`: ICAO's three letters, or null for any that
has no file of its own. `page`: [width, height]. `zone_rows`: the middles of the zone's first and last row, where they are
not the standard's. `letters`: usual height of a value's capitals. `portrait`: [x, y, width, height].
`anchors`: for sides without a zone, the words that identify the paper: [{"words", "at": [left, middle, right], "alphabet"}];
`needs`: how many of them must be there (1). `fields`: by the `Field`'s name, each an object of

- `left`: [least, most] place of the value's left end; `right`: how far it may reach;
- `rows`: the middle of each of its lines, in order; `slack`: how far a line may lie off its row (default 1.7);
  without `rows` the value is led to by its label alone;
- `letters`: height of its capitals where not the page's;
- `alphabet`: "latin", "russian", "kazakh", "digits", several joined by "+" ("russian+digits"), or a list of them for a value
  whose parts follow each other (["russian", "digits"] for `ФМС 77001`, ["russian", "latin"] for `МОСКВА / RUSSIA`); `signs`:
  what stands between letters (default " -");
- `shape`: "text" (default), "name", "names" (given names with what `then` names behind them), "date", "number" (no spaces),
  "sex"; `values`: for what stands in print, what it means ({"Ж": "F"}); `pattern`: what a value must match, whole;
- `zone`: the field of the zone that must spell the same name; `check`: "iin", "dni" or "curp"; `dotted`: abbreviations that end
  in a dot (a value that has one without is not certain: readers lose dots first);
- `usual`: what it says on most papers (an issuer's name, where there are few): taken where our network finds it nearly as likely
  as its own reading;
- `labels`: words printed as its label, in any of the page's languages; `label_at`: [left, middle] of the label.

Fields that the zone gives too serve as landmarks on a page with a zone and are read on a side without one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from verification.documents import national
from verification.evidence import DocumentType, Field
from verification.models import shapes

FOLDER: Final = Path(__file__).parent / "layouts"
ALPHABETS: Final = {
    "russian": "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ",
    "kazakh": "АӘБВГҒДЕЁЖЗИЙКҚЛМНҢОӨПРСТУҰҮФХҺЦЧШЩЪЫІЬЭЮЯ",
    "latin": "ABCDEFGHIJKLMNOPQRSTUVWXYZÁÉÍÓÚÜÑÇÄÖ",
    "digits": "0123456789",
}
CYRILLIC: Final = frozenset(ALPHABETS["russian"] + ALPHABETS["kazakh"])
CHECKS: Final[Mapping[str, Callable[[str], bool]]] = {
    "iin": national.iin_is_valid,
    "dni": national.dni_is_valid,
    "curp": national.curp_is_valid,
}


_SHAPES: Final = ("text", "name", "names", "date", "number", "sex")


class LayoutWrong(Exception):
    """A layout file says something that cannot be; the text names file and key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchor:
    """Words that identify a paper, and where they stand (mm): left end, middle of the row, right end."""

    words: str
    left: float
    row: float
    right: float
    alphabet: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldPlan:
    """One field of a layout; lengths in mm. See the module's docstring."""

    name: Field
    left: tuple[float, float]
    right: float
    rows: tuple[float, ...]
    slack: float
    letters: float
    alphabets: tuple[str, ...]
    shape: str
    values: Mapping[str, str]
    pattern: re.Pattern[str] | None
    then: Field | None
    zone: Field | None
    check: str | None
    dotted: frozenset[str]
    usual: tuple[str, ...]
    labels: tuple[str, ...]
    label_at: tuple[float, float] | None

    @property
    def cyrillic(self) -> bool:
        """Whether any part of the value is in Cyrillic letters, which PP-OCRv6 does not know."""
        return any(not CYRILLIC.isdisjoint(alphabet) for alphabet in self.alphabets)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Layout:
    """One kind of paper. `name` is the file's."""

    name: str
    document: DocumentType
    country: str | None
    width: float
    height: float
    letters: float
    portrait: tuple[float, float, float, float] | None
    zone_rows: tuple[float, float] | None
    anchors: tuple[Anchor, ...]
    needs: int
    fields: Mapping[Field, FieldPlan]


@cache
def layouts(folder: Path = FOLDER) -> tuple[Layout, ...]:
    """Return every layout of a folder. Raises LayoutWrong. Files without `fields` belong to other modules and are passed over."""
    found = []
    for file in sorted(folder.glob("*.json")):
        data = json.loads(file.read_text(encoding="utf-8"))
        if "fields" in data:
            found.append(_layout(file.stem, data))
    return tuple(found)


def _layout(name: str, data: Mapping[str, Any]) -> Layout:
    try:
        width, height = data["page"]
        letters = float(data["letters"])
        plans = {Field(key): _plan(Field(key), plan, letters, width) for key, plan in data["fields"].items()}
        return Layout(
            name=name, document=DocumentType(data["document"]), country=data["country"], width=float(width),
            height=float(height), letters=letters, portrait=tuple(data["portrait"]) if "portrait" in data else None,
            zone_rows=tuple(data["zone_rows"]) if "zone_rows" in data else None,
            anchors=tuple(
                Anchor(words=bare(a["words"]), left=a["at"][0], row=a["at"][1], right=a["at"][2],
                       alphabet=_alphabet(a.get("alphabet", "latin"), " "))
                for a in data.get("anchors", ())
            ),
            needs=int(data.get("needs", 1)), fields=plans,
        )  # fmt: skip
    except (KeyError, ValueError, TypeError, IndexError, re.error) as wrong:
        raise LayoutWrong(f"layout {name}: {wrong}") from wrong


def _plan(name: Field, data: Mapping[str, Any], letters: float, width: float) -> FieldPlan:
    unknown = set(data) - {"left", "right", "rows", "slack", "letters", "alphabet", "signs", "shape", "values", "pattern", "then",
                           "zone", "check", "dotted", "usual", "labels", "label_at"}  # fmt: skip
    if unknown:
        raise ValueError(f"{name.value}: unknown keys {', '.join(sorted(unknown))}")
    shape = data.get("shape", "text")
    if shape not in _SHAPES or data.get("check", "iin") not in CHECKS:
        raise ValueError(f"{name.value}: no such shape or check")
    parts = data.get("alphabet", "digits" if shape == "date" else "latin")
    parts = [parts] if isinstance(parts, str) else parts
    signs = data.get("signs", " ./-" if shape == "date" else " -")
    alphabets = tuple(_alphabet(part, signs if at == 0 else signs.replace("/", "")) for at, part in enumerate(parts))
    dotted = frozenset(data.get("dotted", ()))
    if dotted and not frozenset(". ").union(*dotted) <= set(alphabets[0]):
        raise ValueError(f"{name.value}: dotted needs its letters, a dot and a space in the alphabet")
    usual = tuple(data.get("usual", ()))
    if not set().union(*usual) <= set(alphabets[0]):
        raise ValueError(f"{name.value}: usual has letters that its alphabet has not")
    least, most = data.get("left", (0.0, width))
    at = data.get("label_at")
    return FieldPlan(
        name=name, left=(float(least), float(most)), right=float(data.get("right", width)), rows=tuple(data.get("rows", ())),
        slack=float(data.get("slack", 1.7)), letters=float(data.get("letters", letters)), alphabets=alphabets, shape=shape,
        values=data.get("values", {}), pattern=re.compile(data["pattern"]) if "pattern" in data else None,
        then=Field(data["then"]) if "then" in data else None, zone=Field(data["zone"]) if "zone" in data else None,
        check=data.get("check"),
        dotted=dotted, usual=usual, labels=tuple(bare(label) for label in data.get("labels", ())),
        label_at=(float(at[0]), float(at[1])) if at else None,
    )  # fmt: skip


def _alphabet(names: str, signs: str) -> str:
    letters = "".join(dict.fromkeys("".join(ALPHABETS[name] for name in names.split("+"))))
    shapes.letters(letters + signs)  # says so where the network has no such shape
    return letters + signs


def bare(text: str) -> str:
    """Letters and digits only, capitals: labels are compared so."""
    return re.sub(r"[^\w]|_", "", text.upper())
