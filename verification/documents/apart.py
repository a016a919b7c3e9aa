"""What the zone and the print of one page each say for themselves, for a person who holds them side by side.

The reading that is decided on joins both: where they say the same, one value stands for two, and where they do not, the zone's
letters win. An agent has to see both as they are printed. Nothing here is decided on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from verification.documents import certainty, viz
from verification.documents.viz import Printed
from verification.evidence import DATES, Field, FieldReading, Source, Values

_NAMES: Final = frozenset({Field.SURNAME, Field.GIVEN_NAMES})


def of_zone(fields: Mapping[Field, FieldReading]) -> dict[Field, FieldReading]:
    """The zone's own values with their places in it, whatever the page confirmed."""
    return {name: replace(field, source=Source.MRZ) for name, field in fields.items()}


def of_print(values: Values, confirmed: Mapping[Field, Printed], otherwise: Mapping[Field, Printed]) -> dict[Field, FieldReading]:
    """What printed lines say of the zone's `values`: those that say the same (`confirmed`), and those that say otherwise.

    Names as they are printed, marks and all; days and numbers as the zone writes them, since only their meaning was compared.
    """
    said: dict[Field, FieldReading] = {}
    for name, line in {**confirmed, **otherwise}.items():
        if name in values and (value := _printed(name, values[name], line, same=name in confirmed)):
            said[name] = FieldReading(
                value=value,
                confidence=round(min(0.99, line.confidence), 4),
                certain=False,
                source=Source.VIZ,
                box=certainty.box(line.line.quad, 0, 1),
            )
    return said


def _printed(name: Field, zone: str, line: Printed, *, same: bool) -> str:
    """The value that a line says; "" where nothing can be taken from it."""
    if name in _NAMES:
        parts = [part.strip() for part in (line.text, *re.split(r"[/,:]", line.text)) if part.strip()]
        told = [part for part in parts if viz.stands_in(part, zone)] if same else parts[:1]
        return min(told, key=len, default="")
    if same:
        return zone
    if name in DATES:
        return next((day.isoformat() for day in viz.days_in(line.text)), "")
    return re.sub(r"[^0-9A-Z]", "", line.text.upper())
