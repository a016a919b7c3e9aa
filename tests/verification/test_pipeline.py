"""The part of a run that needs no pixels: what was read and seen, put beside the claim and the account."""

from __future__ import annotations

from datetime import date

import pytest

from verification import pipeline
from verification.evidence import (
    ChangeReason,
    Claim,
    DocumentReading,
    DocumentType,
    FaceReading,
    Field,
    FieldReading,
    Profile,
    Quality,
    Source,
)
from verification.reasons import ReasonCode


@pytest.mark.parametrize(("issued", "missed"), [("2020-05-05", True), ("2010-05-05", False)])
def test_a_russian_passport_of_our_days_without_its_zone_is_not_taken_for_an_old_one(issued: str, missed: bool) -> None:
    printed = {Field.ISSUED_ON: issued, Field.DATE_OF_BIRTH: "1985-03-07", Field.DOCUMENT_NUMBER: "4511123456"}
    fields = {f: FieldReading(value=v, confidence=0.99, certain=True, source=Source.VIZ) for f, v in printed.items()}
    evidence = pipeline.assemble(
        reading=DocumentReading(document_type=DocumentType.RU_INTERNAL, country="RUS", fields=fields),
        found=FaceReading(),
        claim=Claim(reason=ChangeReason.NEW_PASSPORT, values={Field.DOCUMENT_NUMBER: "4511123456"}),
        profile=Profile(values={Field.SURNAME: "ИВАНОВА", Field.DATE_OF_BIRTH: "1985-03-07"}),
        on=date(2026, 11, 22),
        selfie=Quality(),
        document=Quality(),
        picture_problems=(),
        undecodable=(),
        has_face_on_file=False,
        engines=("test",),
    )
    assert (ReasonCode.MRZ_NOT_READABLE in evidence.measures.problems) is missed
    # The account's surname must stay and was not read: no agreement.
    assert evidence.measures.unread == (Field.SURNAME,)
