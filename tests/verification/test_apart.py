"""What the zone and the print of a page say for themselves, side by side."""

from __future__ import annotations

import numpy as np
import pytest

from cases.runs import _readings
from tests.verification.test_documents import TODAY, drawn_page
from verification import documents
from verification.documents import apart
from verification.documents.lines import Line
from verification.documents.viz import Printed
from verification.evidence import ChangeReason, DocumentReading, Evidence, FaceReading, Field, FieldReading, Measures, Source

QUAD = np.array([[100, 50], [300, 50], [300, 80], [100, 80]], np.float32)


def line(text: str) -> Printed:
    return Printed(text=text, confidence=0.95, line=Line(quad=QUAD, score=1.0))


def test_both_are_kept_where_they_say_the_same() -> None:
    reading = documents.read(drawn_page(), today=TODAY)
    assert reading.fields[Field.SURNAME].source is Source.BOTH
    for told, source in ((reading.zone, Source.MRZ), (reading.printed, Source.VIZ)):
        assert told[Field.SURNAME].value == "SHCHERBAKOVA" and told[Field.SURNAME].source is source
        assert told[Field.SURNAME].box is not None
    assert reading.zone[Field.SURNAME].box != reading.printed[Field.SURNAME].box
    assert len(reading.zone[Field.SURNAME].letters) == len("SHCHERBAKOVA")


def test_what_the_zone_says_is_kept_where_the_page_says_something_else() -> None:
    other = ("Surname", "KARASIKOVA", "Given names", "ELVIRA", "07.03.1985", "01.01.2020")
    reading = documents.read(drawn_page(print_=other), today=TODAY)
    assert reading.zone[Field.SURNAME].value == "SHCHERBAKOVA" and reading.printed[Field.SURNAME].value == "KARASIKOVA"


@pytest.mark.parametrize(
    ("name", "zone", "text", "same", "said"),
    [
        (Field.SURNAME, "MUELLER", "Name/Nom: MÜLLER", True, "MÜLLER"),
        (Field.SURNAME, "MUELLER", "SCHMIDT", False, "SCHMIDT"),
        (Field.DATE_OF_BIRTH, "1974-08-12", "12 AUG 74", True, "1974-08-12"),
        (Field.DATE_OF_BIRTH, "1974-08-12", "13.08.1974", False, "1974-08-13"),
        (Field.DOCUMENT_NUMBER, "L898902C3", "No L898902C8", False, "NOL898902C8"),
    ],
)
def test_a_printed_line_gives_its_value_as_it_is_printed(name: Field, zone: str, text: str, same: bool, said: str) -> None:
    found = {name: line(text)}
    told = apart.of_print({name: zone}, found if same else {}, {} if same else found)
    assert told[name].value == said and not told[name].certain and told[name].box == (100, 50, 200, 30)


def test_both_lie_sealed_with_the_run() -> None:
    one = FieldReading(value="SHCHERBAKOVA", confidence=0.9, certain=False, source=Source.VIZ, box=(1, 2, 3, 4), letters=(None,))
    reading = DocumentReading(zone={Field.SURNAME: one}, printed={Field.SEX: one})
    measures = Measures(
        reason=ChangeReason.MARRIAGE, document_type=None, country=None, mrz_valid=None, days_to_expiry=None
    )  # fmt: skip
    kept = _readings(Evidence(reading=reading, faces=FaceReading(), comparisons={}, measures=measures))
    assert kept["zone"]["surname"] == {"value": "SHCHERBAKOVA", "confidence": 0.9, "box": [1, 2, 3, 4], "letters": [None]}
    assert kept["printed"]["sex"]["value"] == "SHCHERBAKOVA" and "zone" not in kept["reading"]
