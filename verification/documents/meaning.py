"""What a printed value means, and whether it is certain: two readers agree on it, or the zone leaves no other letter possible."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Final

from verification.documents import viz
from verification.documents.hearing import MARKS, Heard
from verification.documents.layout_files import CHECKS, FieldPlan, bare
from verification.documents.plausibility import sex_of_patronymic
from verification.evidence import Box, Field, FieldReading, Source
from verification.names import compare, transliterate


def meant(
    plan: FieldPlan, heard: Heard, fields: Mapping[Field, FieldReading], *, country: str | None, valid: bool, today: date
) -> dict[Field, FieldReading]:
    """Turn what was heard into the field's value, or into nothing where it cannot be one."""
    heard = _without_label(plan, heard)
    if plan.shape == "date":
        return _day(plan, heard, fields, today=today)
    if plan.shape in ("name", "names"):
        return _names(plan, heard, fields, country=country, valid=valid)
    text = heard.text
    if plan.shape == "sex":
        value = plan.values.get(text[:1], "")
        return {plan.name: heard.reading(value, certain=_agreed(heard))} if value else {}
    if plan.shape == "number":
        kept = tuple(c for c in heard.characters if c[0] not in " -./")
        heard = replace(heard, characters=kept)
        text = heard.text
    if not text or (plan.pattern is not None and not plan.pattern.fullmatch(text)):
        return {}
    both = len(plan.alphabets) == 1 or not plan.dotted or "/" in text  # the state, in Latin, ends a place: a thumb may hide it
    whole = both and not (_lost_dot(text, plan.dotted) or cut_short(text, plan.dotted))
    holds = whole and (plan.check is None or CHECKS[plan.check](text))
    return {plan.name: heard.reading(text, certain=holds and _agreed(heard, checked=plan.check is not None))}


_SURE: Final = 0.35  # least odds of each letter of a certain value that both readers read alike
_SURE_YIELDED: Final = 0.5  # where our network yielded to the other reader: of each letter, that it saw it all the same
_SURE_MARK: Final = 0.8  # of letters that differ from another in a mark alone, which both readers lose first
_SURE_DOTS: Final = 0.98  # of Е and Ё: two dots are lost before anything else; one Ё stood as Е with odds of 0.972
_SURE_SPACE: Final = 0.02  # of a space: ours sees few in narrow print
_SURE_CHECKED: Final = 0.1  # where a check digit holds as well
_MARKS_KAZAKH: Final = MARKS | frozenset("КҚГҒНҢҮҰОӨХҺ")


def _agreed(heard: Heard, *, checked: bool = False) -> bool:
    """Two readers read the same, and our network is sure of each letter; less sure where a check digit holds (`checked`).

    Of Latin print PP-OCRv6 sees marks and dots better than ours does: there it is enough that ours saw the letter.
    """
    least = _SURE_CHECKED if checked else _SURE_YIELDED if heard.yielded else _SURE

    marks = _MARKS_KAZAKH if heard.kazakh else MARKS if heard.cyrillic else frozenset()

    def sure(character: str, odds: float) -> bool:
        if character == " ":
            return odds >= _SURE_SPACE
        if character in marks:
            return odds >= (_SURE_DOTS if character in "ЕЁ" else _SURE_MARK)
        return odds >= least or (not heard.cyrillic and not character.isalnum())

    return heard.agreed and all(sure(c, odds) for c, odds, _ in heard.characters)


def _without_label(plan: FieldPlan, heard: Heard) -> Heard:
    """Leave out a label that stands before its value on the same line."""
    for label in sorted(plan.labels, key=len, reverse=True):
        at = 0
        for letter in label:
            while at < len(heard.characters) and not heard.characters[at][0].isalnum():
                at += 1
            if at == len(heard.characters) or heard.characters[at][0] != letter:
                break
            at += 1
        else:
            while at < len(heard.characters) and not heard.characters[at][0].isalnum():
                at += 1
            if at < len(heard.characters):
                return replace(heard, characters=heard.characters[at:], choices=())
    return heard


def cut_short(text: str, dotted: frozenset[str]) -> bool:
    """Whether a part is lost: `МОСКВА /` ends in what joins two parts, `Г. / RUSSIA` begins with an abbreviation of nothing."""
    words = text.split("/")[0].replace(".", " ").split()
    return text[:1] in "/,-" or text[-1:] in "/,-" or all(word in dotted for word in words)


def _lost_dot(text: str, dotted: frozenset[str]) -> bool:
    """Whether a dot or the space behind it may be lost: then nobody knows what is printed, as offices write both.

    An abbreviation stands without a dot, the value begins with a letter that is one, or a dot stands before a letter.
    """
    if not dotted:
        return False
    words = re.findall(r"[^\W\d_]+(?![\w.])", text)
    begins = text[:1] in dotted and text[1:2] != "."
    return begins or not dotted.isdisjoint(words) or re.search(r"\.\w", text) is not None


def _day(plan: FieldPlan, heard: Heard, fields: Mapping[Field, FieldReading], *, today: date) -> dict[Field, FieldReading]:
    days = viz.days_in(heard.text)
    if len(days) != 1:
        return {}
    day = days[0]
    known = {name: date.fromisoformat(fields[name].value) for name in (Field.DATE_OF_BIRTH, Field.EXPIRES_ON) if name in fields}
    if plan.name is Field.ISSUED_ON and not known.get(Field.DATE_OF_BIRTH, date.min) <= day <= min(
        today, known.get(Field.EXPIRES_ON, date.max)
    ):
        return {}
    digits = min((odds for c, odds, _ in heard.characters if c.isdigit()), default=0.0)
    certain = digits >= (_SURE_YIELDED if heard.yielded else _SURE) and viz.days_in(heard.other) == days
    reading = heard.reading(day.isoformat(), certain=certain)
    return {plan.name: replace(reading, letters=_day_letters(heard, day))}


def _day_letters(heard: Heard, day: date) -> tuple[Box | None, ...]:
    """Boxes of YYYY-MM-DD from those of DD.MM.YYYY; () where it is printed another way."""
    digits = [(c, place) for c, _, place in heard.characters if c.isdigit()]
    if "".join(c for c, _ in digits) != f"{day:%d%m%Y}":
        return ()
    places = [place for _, place in digits]
    return (*places[4:], None, *places[2:4], None, *places[:2])


def _names(
    plan: FieldPlan, heard: Heard, fields: Mapping[Field, FieldReading], *, country: str | None, valid: bool
) -> dict[Field, FieldReading]:
    """A name, checked against the zone's spelling of it; behind given names the patronymic."""
    zone = fields.get(plan.zone) if plan.zone is not None else None
    if plan.zone is None or zone is None:
        whole = " " not in heard.text and _ends_well(plan.name, heard.text)
        return {plan.name: heard.reading(heard.text, certain=whole and _agreed(heard))}
    count = _words_of(heard.text, zone.value, plan, country)
    if count is None and (heard.yielded or not heard.agreed):  # what a reader heard as well, and the zone says
        held = ((other, _words_of(other.text, zone.value, plan, country)) for other in heard.choices)
        heard, count = next(((other, n) for other, n in held if n is not None), (heard, None))
    text = heard.text
    words = text.split(" ")
    own = count if count is not None else min(len(words), len(zone.value.split())) if plan.then is not None else len(words)
    end = len(" ".join(words[:own]))
    name = heard.part(0, end)
    unseen = _UNSEEN_KAZAKH if heard.kazakh else _UNSEEN
    certain = count is not None and _vouched(name, zone, unseen) and " " not in name.text  # a lost hyphen leaves a space
    readings = {plan.name: name.reading(name.text, certain=certain)}
    if certain and valid and not zone.certain:
        readings[plan.zone] = replace(zone, certain=True, confidence=max(zone.confidence, 0.98), source=Source.BOTH)
    if plan.then is not None and own < len(words):
        rest = heard.part(end + 1, len(text))
        certain = count is not None and _agreed(rest) and _ends_well(plan.then, rest.text)
        readings[plan.then] = rest.reading(rest.text, certain=certain)
    return readings


def _ends_well(name: Field, text: str) -> bool:
    """Whether a patronymic ends as patronymics do: another may have lost its end under a thumb."""
    return name is not Field.PATRONYMIC or sex_of_patronymic(text) is not None


def _words_of(native: str, latin: str, plan: FieldPlan, country: str | None) -> int | None:
    """How many of the printed words are the zone's name; None where no number of them is."""
    words = native.split(" ")
    counts = range(1, len(words) + 1) if plan.then is not None else (len(words),)
    return next((n for n in counts if _same_name(" ".join(words[:n]), latin, plan, country)), None)


def _same_name(native: str, latin: str, plan: FieldPlan, country: str | None) -> bool:
    return compare(native, latin, field=plan.zone or plan.name, country=country).agreement == 1.0


_UNSEEN: Final = frozenset("ЕЁЭИЙЪЬЫ")
_UNSEEN_KAZAKH: Final = _UNSEEN | frozenset("ІҰҮУҚКҒГҢНӘАӨОҺХ")
"""Letters that a Latin spelling does not tell from another one, or leaves out."""


def _vouched(name: Heard, zone: FieldReading, unseen: frozenset[str]) -> bool:
    """Whether print and zone, which spell the same name, leave no other letter possible.

    The zone speaks for what its spelling shows; where it shows nothing (Ё, Й, Ь ...) both readers of the print must.
    """
    if not zone.certain:  # then the print must speak for the zone: two readers, and the one spelling in force
        return _agreed(name) and transliterate(name.text.replace("-", " ")) == zone.value.replace("-", " ")
    hidden = [(c, odds) for c, odds, _ in name.characters if c in unseen or (not c.isalpha() and c != " ")]
    if not all(odds >= _least_hidden(c, agreed=name.agreed) for c, odds in hidden):
        return False
    same = [c for c, _ in hidden if c.isalpha()] == [c for c in name.other if c in unseen]
    return name.agreed or (same and name.chance >= _ALONE and len(bare(name.other)) <= len(bare(name.text)))


def _least_hidden(character: str, *, agreed: bool) -> float:
    """Least odds of a character that the zone does not show: as where there is no zone."""
    if character in "ЕЁ":
        return _SURE_DOTS
    return _SURE_MARK if character.isalpha() or not agreed else _SURE


_ALONE: Final = 0.5  # least odds of our network's letters where Tesseract read otherwise and the zone agrees
