"""What the voices must say for a value to be certain, and where its letters stand. No pictures: acted rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.documents import certainty, confidence, decoding, mrz, viz
from verification.documents.certainty import Voices
from verification.documents.glyphs import Verdict
from verification.documents.lines import Line
from verification.documents.mrz_zone import Echo, Row, Zone, joined
from verification.evidence import DocumentType, Field, FieldReading, Source

TODAY = date(2026, 11, 22)
TD3 = ("P<RUSSHCHERBAKOVA<<ELVIRA<<<<<<<<<<<<<<<<<<<", "7012345677RUS8503079F3001019<<<<<<<<<<<<<<<6")
TD1 = ("IDKAZ0412365878880412401006<<<", "8804123F3104116KAZ<<<<<<<<<<<2", "SEIDAKHMETOVA<<MADINA<<<<<<<<<")
INTERNAL = ("PNRUSQ2ENKO<<ELENA<IVANOVNA<<<<<<<<<<<<<<<<<", "4601234567RUS8503079F<<<<<<<9150101770001<42")


def row(text: str, *, masks: tuple[str, ...] | None = None, y: float = 0.0, chance: float = 0.99) -> Row:
    """A row of 10 pixels a character, evenly read."""
    count = len(text)
    wide = count * 10.0
    return Row(
        text=text, chances=(chance,) * count, seconds="".join("B" if c == "A" else "A" for c in text),
        second_chances=(0.005,) * count, regular=0.1, centres=tuple((k + 0.5) / count for k in range(count)),
        quad=np.array([[0, y], [wide, y], [wide, y + 16], [0, y + 16]], np.float32), masks=masks or (mrz.ALPHABET,) * count,
    )  # fmt: skip


def zone_of(texts: tuple[str, ...], layout: DocumentType = DocumentType.TD3) -> Zone:
    return Zone(layout=layout, rows=tuple(row(t, y=20.0 * k) for k, t in enumerate(texts)), score=-0.01, forced=True)


def glyphs_say(texts: tuple[str, ...], *, against: tuple[tuple[int, int], ...] = (), unsure: bool = False) -> tuple[Verdict, ...]:
    """The glyph voice: agrees everywhere but `against` (row, place); `unsure` = another font, nothing fits."""
    verdicts = []
    for number, text in enumerate(texts):
        leads = [-0.3 if (number, k) in against else -0.06 if unsure else 0.2 for k in range(len(text))]
        verdicts.append(Verdict(fits=((0.4 if unsure else 0.9),) * len(text), leads=tuple(leads), rivals="H" * len(text)))
    return tuple(verdicts)


def own(zone: Zone) -> tuple[Echo, ...]:
    return tuple(Echo(number=k, start=0, row=r) for k, r in enumerate(zone.rows))


def fields_of(texts: tuple[str, ...], voices: Voices, zone: Zone | None = None) -> dict[Field, bool]:
    zone = zone or zone_of(texts)
    read = certainty.zone_fields(mrz.parse(texts, today=TODAY), zone, voices)
    return {name: value.certain for name, value in read.items()}


def test_two_voices_on_every_letter_make_a_name_certain() -> None:
    zone = zone_of(TD3)
    assert all(fields_of(TD3, Voices(verdicts=glyphs_say(TD3), heard=own(zone))).values())


def test_one_network_alone_makes_no_name_certain() -> None:
    zone = zone_of(TD3)
    sure = fields_of(TD3, Voices(verdicts=glyphs_say(TD3, unsure=True), heard=own(zone)))
    assert not sure[Field.SURNAME] and not sure[Field.GIVEN_NAMES] and not sure[Field.DOCUMENT_NUMBER]
    assert sure[Field.DATE_OF_BIRTH]  # digits alone: no swap that both check digits would miss


def test_the_second_network_may_stand_for_the_glyphs_in_another_font() -> None:
    zone = zone_of(TD3)
    heard = (*own(zone), Echo(number=0, start=5, row=row(TD3[0][5:27])))
    sure = fields_of(TD3, Voices(verdicts=glyphs_say(TD3, unsure=True), heard=heard))
    assert sure[Field.SURNAME] and sure[Field.GIVEN_NAMES]


@pytest.mark.parametrize("place", [5, 16, 19, 22])
def test_a_voice_that_plainly_says_otherwise_unmakes_certainty(place: int) -> None:
    zone = zone_of(TD3)
    other = TD3[0][:place] + ("M" if TD3[0][place] != "M" else "N") + TD3[0][place + 1 :]
    heard = (*own(zone), Echo(number=0, start=0, row=row(other)))
    sure = fields_of(TD3, Voices(verdicts=glyphs_say(TD3), heard=heard))
    assert not (sure[Field.SURNAME] and sure[Field.GIVEN_NAMES])


def test_a_glyph_that_fits_another_letter_plainly_needs_both_networks_against_it() -> None:
    zone = zone_of(TD3)
    verdicts = glyphs_say(TD3, against=((0, 7),))
    assert not fields_of(TD3, Voices(verdicts=verdicts, heard=own(zone)))[Field.SURNAME]
    both = (*own(zone), Echo(number=0, start=5, row=row(TD3[0][5:27])))
    assert fields_of(TD3, Voices(verdicts=verdicts, heard=both))[Field.SURNAME]


def test_a_zone_with_a_wrong_digit_makes_nothing_certain() -> None:
    texts = (TD3[0], TD3[1][:9] + "8" + TD3[1][10:])
    zone = zone_of(texts)
    assert not any(fields_of(texts, Voices(verdicts=glyphs_say(texts), heard=own(zone))).values())


def test_a_name_that_may_be_cut_is_not_certain_even_by_the_page() -> None:
    texts = ("P<RUS" + "PAPANDROPOULOUS<<JONATHON<ALEC<AAAAAAAA"[:39], TD3[1])
    zone = zone_of(texts)
    voices = Voices(verdicts=glyphs_say(texts), heard=own(zone))
    assert not fields_of(texts, voices)[Field.SURNAME]
    line = viz.Printed(text="PAPANDROPOULOUS", confidence=0.99, line=Line(quad=zone.rows[0].quad, score=0.9))
    assert not fields_of(texts, replace(voices, confirmed={Field.SURNAME: line}))[Field.SURNAME]  # it may go on below


def test_a_mended_number_is_not_certain() -> None:
    zone = zone_of(TD3)
    assert not fields_of(TD3, Voices(verdicts=glyphs_say(TD3), heard=own(zone), mended=True))[Field.DOCUMENT_NUMBER]


def test_rows_with_a_lost_character_are_not_certain() -> None:
    zone = zone_of(TD3)
    bent = replace(zone, rows=tuple(replace(r, regular=1.2) for r in zone.rows))
    assert not any(fields_of(TD3, Voices(verdicts=glyphs_say(TD3), heard=own(zone)), bent).values())


# ---------------------------------------------------------------- where letters stand


@pytest.mark.parametrize(
    ("texts", "layout", "field", "places"),
    [
        (TD3, DocumentType.TD3, Field.SURNAME, list(range(5, 17))),
        (TD3, DocumentType.TD3, Field.GIVEN_NAMES, list(range(19, 25))),
        (TD3, DocumentType.TD3, Field.DOCUMENT_NUMBER, list(range(9))),
        (TD3, DocumentType.TD3, Field.DATE_OF_BIRTH, [None, None, 13, 14, None, 15, 16, None, 17, 18]),
        (TD3, DocumentType.TD3, Field.SEX, [20]),
        (TD1, DocumentType.TD1, Field.PERSONAL_NUMBER, list(range(15, 27))),
        (TD1, DocumentType.TD1, Field.SURNAME, list(range(13))),
        (INTERNAL, DocumentType.RU_INTERNAL, Field.DOCUMENT_NUMBER, [0, 1, 2, 28, 3, 4, 5, 6, 7, 8]),
        (INTERNAL, DocumentType.RU_INTERNAL, Field.PATRONYMIC, list(range(19, 27))),
        (INTERNAL, DocumentType.RU_INTERNAL, Field.ISSUER_CODE, [35, 36, 37, None, 38, 39, 40]),
    ],
)
def test_each_letter_of_a_value_has_its_place_on_the_photo(
    texts: tuple[str, ...], layout: DocumentType, field: Field, places: list[int | None]
) -> None:
    zone = zone_of(texts, layout)
    parsed = mrz.parse(texts, today=TODAY)
    read = certainty.zone_fields(parsed, zone, Voices(verdicts=glyphs_say(texts), heard=own(zone)))[field]
    assert len(read.letters) == len(read.value) == len(places)
    for place, box in zip(places, read.letters, strict=True):
        if place is None:
            assert box is None
        else:
            assert box is not None and abs(box[0] + box[2] / 2 - (place * 10 + 5)) <= 1 and 10 <= box[2] <= 12


# ---------------------------------------------------------------- two networks together


def test_the_surer_network_decides_a_letter() -> None:
    first, second = zone_of(TD3), zone_of(TD3)
    wrong = TD3[0].replace("SHCH", "SNCH")
    unsure = tuple(0.55 if a != b else 0.99 for a, b in zip(wrong, TD3[0], strict=True))
    hesitant = replace(
        first.rows[0], text=wrong, chances=unsure, seconds=TD3[0], second_chances=tuple(0.4 if c < 0.9 else 0.001 for c in unsure)
    )
    both = joined(replace(first, rows=(hesitant, first.rows[1])), second)
    assert both.texts == TD3


def test_noise_is_not_joined() -> None:
    clear, noise = zone_of(TD3), replace(zone_of((TD3[1], TD3[0])), score=-2.5)
    assert joined(clear, noise).texts == TD3 and joined(noise, clear).texts == TD3


@given(st.lists(st.integers(0, 37), min_size=4, max_size=24), st.integers(0, 2**32 - 1), st.data())
def test_the_short_cut_of_decoding_finds_what_the_search_finds(steps: list[int], seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    odds = rng.dirichlet(np.full(38, 0.08), size=len(steps)).astype(np.float32)
    odds[np.arange(len(steps)), steps] += 0.5
    odds /= odds.sum(axis=1, keepdims=True)
    best = odds.argmax(axis=1)
    letters = best[(best != 0) & (best != np.concatenate([[0], best[:-1]]))]
    masks = tuple(
        mrz.ALPHABET if data.draw(st.booleans()) else mrz.ALPHABET[k - 1] + data.draw(st.sampled_from(mrz.ALPHABET))
        for k in letters
    )
    quick = decoding._greedy(odds, masks)
    if not masks:  # all blank: a row has places
        assert quick is None
        return
    assert quick is not None
    slow = decoding._search(odds, masks)
    assert slow is not None and slow.score <= quick.score + 1e-3
    if abs(slow.score - quick.score) < 1e-3 and slow.text != quick.text:
        return  # two equally likely paths
    assert slow.text == quick.text


# ---------------------------------------------------------------- calibrated confidence


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize("voices", ["page", "agreed", "single", "denied"])
def test_confidence_rises_with_the_odds(voices: confidence.VoicesSay, holds: bool) -> None:
    said = [confidence.likely(odds, voices=voices, holds=holds) for odds in np.linspace(0, 1, 41)]
    assert said == sorted(said) and said[0] > 0 and said[-1] < 1


def test_agreement_is_worth_more_than_a_lone_voice_and_that_more_than_a_denied_one() -> None:
    for odds in (0.7, 0.9, 0.99):
        agreed = confidence.likely(odds, voices="agreed", holds=True)
        assert (
            agreed > confidence.likely(odds, voices="single", holds=True) >= confidence.likely(odds, voices="denied", holds=False)
        )


@pytest.mark.parametrize(
    ("box", "left"),
    [
        ((10, 10, 20, 20), (10, 10, 20, 20)),
        ((-5, 90, 20, 20), (0, 90, 15, 10)),
        ((95, 95, 20, 20), (95, 95, 5, 5)),
        ((100, 10, 20, 20), None),
        (None, None),
    ],
)
def test_boxes_are_cut_to_the_photo(box: tuple[int, int, int, int] | None, left: tuple[int, int, int, int] | None) -> None:
    assert certainty.cut_box(box, 100, 100) == left
    read = FieldReading(value="A", confidence=0.9, certain=False, source=Source.VIZ, box=box, letters=(box,))
    assert certainty.on_photo(read, 100, 100).box == left and certainty.on_photo(read, 100, 100).letters == (left,)
