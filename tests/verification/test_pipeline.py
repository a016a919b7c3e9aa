"""The part of a run that needs no pixels: what was read and seen, put beside the claim and the account."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from tests.specimens import people
from verification import documents, images, pipeline
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
    Side,
    Source,
)
from verification.reasons import PhotoKind, ReasonCode


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


def test_how_light_and_how_coloured_a_face_is_does_not_stay_with_the_measures() -> None:
    face = Quality(head_size=90.0, luminance=0.7, natural_colour=25.0, illumination_uniformity=0.9)
    evidence = pipeline.assemble(
        reading=DocumentReading(),
        found=FaceReading(qualities={PhotoKind.SELFIE: face}),
        claim=Claim(reason=ChangeReason.NEW_PASSPORT, values={Field.DOCUMENT_NUMBER: "4511123456"}),
        profile=None,
        on=date(2026, 11, 22),
        selfie=Quality(sharpness=80.0),
        document=Quality(),
        picture_problems=(),
        undecodable=(),
        has_face_on_file=False,
        engines=("test",),
    )
    assert evidence.measures.selfie == Quality(sharpness=80.0, head_size=90.0, illumination_uniformity=0.9)


@pytest.mark.engines
def test_a_page_whose_lower_part_is_not_on_the_photo_is_told_by_its_face() -> None:
    """Without its zone nothing of the page is read; "no document found" would not help her to photograph it better."""
    on = date(2026, 11, 22)
    who = people.personas(on)["approve_marriage"]
    photo = who.document_photo()
    corners = documents.read_detailed(photo, today=on).corners
    assert corners is not None
    low, high = float(corners[2:, 1].min()), float(corners[:2, 1].max())

    def looked_at(rows: int, turns: int = 0) -> DocumentReading:
        return pipeline.gather_evidence(
            selfie=images.encode_jpeg(who.selfie_photo()),
            document=images.encode_jpeg(np.ascontiguousarray(np.rot90(photo[:rows], turns))),
            on_file=None,
            claim=Claim.from_json(who.claim),
            profile=None,
            on=on,
            isolate=False,
        ).reading

    for turns in (0, 3):
        cut = looked_at(int(low - 0.3 * (low - high)), turns)
        assert cut.problems == (ReasonCode.DOCUMENT_CUT_OFF,) and cut.missing == (Side.BOTTOM,) and not cut.fields
    assert ReasonCode.DOCUMENT_CUT_OFF not in looked_at(photo.shape[0]).problems
