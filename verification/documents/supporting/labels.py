"""The words of a stamp's own, before its values and in small print under them, and which values they name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from verification.documents.plausibility import sex_of_patronymic
from verification.documents.supporting.rows import PLAIN, Row, Word
from verification.documents.supporting.stamps import PAGE_OF, TITLES
from verification.papers import Detail, EntryKind, PageKind

LABEL: Final = 80.0  # per cent of letters in common from which words are a label
_BADLY: Final = 65.0  # and from which the longest label of all is still that one
_FULL_NAME: Final = (Detail.SURNAME, Detail.GIVEN_NAMES, Detail.PATRONYMIC)
_NOTHING: Final[tuple[Detail, ...]] = ()
_LABELS: Final[tuple[tuple[str, tuple[Detail, ...]], ...]] = (
    ("ФАМИЛИЯПОСЛЕРАСТОРЖЕНИЯБРАКА", (Detail.SURNAME_AFTER,)),
    ("ПРИСВОЕНАФАМИЛИЯ", (Detail.SURNAME_AFTER,)),
    ("ФАМИЛИЯПОСЛЕ", (Detail.SURNAME_AFTER,)),
    ("ФАМИЛИЯИМЯОТЧЕСТВО", _FULL_NAME),
    ("ИМЯОТЧЕСТВО", _FULL_NAME[1:]),
    ("ФАМИЛИЯ", _FULL_NAME[:1]),
    ("ОТЧЕСТВО", _FULL_NAME[2:]),
    ("ИМЯ", _FULL_NAME[1:2]),
    ("СГРАЖДАНИНОМ", _FULL_NAME),
    ("СГРАЖДАНКОЙ", _FULL_NAME),
    ("СГР", _FULL_NAME),
    ("СТР", _FULL_NAME),  # as it is read where it is small
    ("ГР", _FULL_NAME),
    ("ДАТАРОЖДЕНИЯ", (Detail.DATE_OF_BIRTH,)),
    ("ГОДАРОЖДЕНИЯ", (Detail.DATE_OF_BIRTH,)),
    ("ГРОЖДЕНИЯ", (Detail.DATE_OF_BIRTH,)),
    ("ДАТАРЕГИСТРАЦИИ", (Detail.REGISTERED_ON,)),
    ("ДАТАВЫДАЧИ", (Detail.ISSUED_ON,)),
    ("ДАТА", _NOTHING),
    ("ОТ", _NOTHING),
    ("КОДПОДРАЗДЕЛЕНИЯ", (Detail.ISSUER_CODE,)),
    ("КОД", (Detail.ISSUER_CODE,)),
    ("НАИМЕНОВАНИЕОРГАНАЗАГС", (Detail.ISSUER,)),
    ("НАИМЕНОВАНИЕОРГАНА", (Detail.ISSUER,)),
    ("ОРГАНЗАГС", (Detail.ISSUER,)),
    ("КЕМВЫДАН", (Detail.ISSUER,)),
    ("ВЫДАН", (Detail.ISSUER,)),
    ("ОРГАН", (Detail.ISSUER,)),
    ("АКТОВАЯЗАПИСЬ№", (Detail.ACT_NUMBER,)),
    ("АКТОВАЯЗАПИСЬ", (Detail.ACT_NUMBER,)),
    ("ЗАПИСЬАКТА№", (Detail.ACT_NUMBER,)),
    ("ЗАПИСЬАКТА", (Detail.ACT_NUMBER,)),
    ("АКТ№", (Detail.ACT_NUMBER,)),
    ("А/З№", (Detail.ACT_NUMBER,)),
    ("А/З", (Detail.ACT_NUMBER,)),
    ("СЕРИЯНОМЕР", (Detail.DOCUMENT_NUMBER,)),
    ("СЕРИЯ", (Detail.DOCUMENT_NUMBER,)),
    ("НОМЕР", (Detail.DOCUMENT_NUMBER,)),
    ("ПАСПОРТ", (Detail.DOCUMENT_NUMBER,)),
    ("ПОДПИСЬ", _NOTHING),
    ("МП", _NOTHING),
)
"""Words of a stamp's own, without spaces and points, and which values follow them (or stand over them, as a caption)."""
DAYS: Final = frozenset({Detail.DATE_OF_BIRTH, Detail.ISSUED_ON, Detail.REGISTERED_ON})
LABEL_WORDS: Final = frozenset({
    "КЕМ", "ВЫДАН", "КЕМВЫДАН", "КОД", "ДАТА", "ВЫДАЧИ", "РОЖДЕНИЯ", "ЗАПИСЬ", "АКТА", "АКТОВАЯ", "СЕРИЯ", "НОМЕР", "ПАСПОРТ",
    "ФАМИЛИЯ", "ИМЯ", "ОТЧЕСТВО", "ПОСЛЕ", "РАСТОРЖЕНИЯ", "БРАКА", "РАСТОРЖЕНИЯБРАКА", "ОТ",
})  # fmt: skip
"""What no office's name has: beside such a word a value is not certain."""
IN_LETTERS: Final = frozenset({*_FULL_NAME, Detail.SURNAME_AFTER, Detail.ISSUER})
_WINDOW: Final = 4  # words a label has at most
TURKIC: Final = ("ОГЛЫ", "ОГЛУ", "УГЛИ", "УЛЫ", "КЫЗЫ", "ГЫЗЫ", "КИЗИ", "УУЛУ")
_CAPTIONS: Final = (
    ("ФАМИЛИЯ", _FULL_NAME[:1]), ("ИМЯОТЧЕСТВО", _FULL_NAME[1:]), ("ФАМИЛИЯИМЯОТЧЕСТВО", _FULL_NAME),
    ("НАИМЕНОВАНИЕОРГАНА", (Detail.ISSUER,)), ("НАИМЕНОВАНИЕОРГАНАЗАГС", (Detail.ISSUER,)),
)  # fmt: skip
"""What small print in a stamp may say, however badly it was read."""
_CAPTIONED: Final = frozenset(details for _, details in _CAPTIONS)
_BADLY_SMALL: Final = 50.0  # per cent of letters in common from which it is one of them
_SMALLISH: Final = 0.92  # as _SMALL, of a row that is hardly legible
_SMALL: Final = 0.84  # of the usual height of an entry's lines: lower ones are captions


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """Words that are one value, or one row of it, and which one they are."""

    details: tuple[Detail, ...]
    words: tuple[Word, ...]
    next_row: bool = True  # it stands in the row after the part before it, or in the same: none lies unseen between them


def parts_of(row: Row, kind: EntryKind, *, title: bool) -> list[Part]:
    """Split a row at its labels. What stands before the first has no name."""
    words = list(row.words)
    family = PAGE_OF[kind] is PageKind.FAMILY_STATUS
    if title:
        words = _without_title(words, kind)
    parts: list[Part] = []
    current: list[Word] = []
    details: tuple[Detail, ...] = ()
    at = 0
    while at < len(words):
        count, label, rest = _label_at(words, at)
        if not count and family and not title and at == 0:
            short = 2 if len(words) > 2 and len(words[0].plain) < 2 else 1
            if len(words) > short and re.fullmatch("С[А-Я]{0,3}", "".join(word.plain for word in words[:short])):
                count, label = short, _FULL_NAME  # "с гр.", badly read
        if count:
            if current or details:
                parts.append(Part(details=details, words=tuple(current)))
            details, current = label, [rest] if rest is not None else []
            at += count
        elif family and words[at].plain == "№" and all(len(word.plain) < 4 for word in current):  # "а/з №", badly read
            details, current = (Detail.ACT_NUMBER,), []
            at += 1
        else:
            current.append(words[at])
            at += 1
    parts.append(Part(details=details, words=tuple(current)))
    if kind is EntryKind.DIVORCE and not any(part.details for part in parts):
        said = "".join(word.plain for word in words[:-1])
        if len(said) > 12 and fuzz.partial_ratio("ПОСЛЕРАСТОРЖЕНИЯБРАКА", said) > _BADLY:
            return [Part(details=(Detail.SURNAME_AFTER,), words=(words[-1],))]
    if len(parts) > 1 and parts[-1].details == (Detail.DATE_OF_BIRTH,) and not parts[-1].words:  # "... года рождения"
        parts[-2:] = [Part(details=parts[-1].details, words=parts[-2].words)]
    return parts


def _label_at(words: Sequence[Word], at: int) -> tuple[int, tuple[Detail, ...], Word | None]:
    """How many words from `at` on are a label, what it names, and what is stuck to it (no space was seen between them)."""
    best = (0.0, 0, _NOTHING)
    text = ""
    for count in range(1, min(_WINDOW, len(words) - at) + 1):
        text += words[at + count - 1].plain
        for label, details in _LABELS:
            alike = float(fuzz.ratio(label, text)) if abs(len(label) - len(text)) <= max(1, len(label) // 5) else 0.0
            exact = 100.0 if len(label) < 5 else LABEL
            if alike >= exact and (len(label) * alike, count) > best[:2]:
                best = (len(label) * alike, count, details)
    if best[1]:
        return best[1], best[2], None
    first = words[at]
    if re.fullmatch(".ОД", first.plain):  # "код": ЖОД, МОД
        return 1, (Detail.ISSUER_CODE,), None
    if re.fullmatch("[АД]/.", first.plain):
        return 1, (Detail.ACT_NUMBER,), None
    for label, details in _LABELS:
        if len(label) >= 6 and len(first.letters) > len(label) and Levenshtein.distance(first.text[: len(label)], label) <= 1:
            rest = replace(first, letters=first.letters[len(label) :])
            if bool(rest.figures) != bool(IN_LETTERS & set(details)):  # "ФАМИЛИЯЩЕГЛОВА", not "ПАСПОРТНО-ВИЗОВЫМ"
                return 1, details, rest
    return 0, _NOTHING, None


def _without_title(words: Sequence[Word], kind: EntryKind) -> list[Word]:
    """The words of a title's row that are not the title: "Ранее выдан паспорт 45 02 123456", "12.03.2004 брак расторгнут"."""
    wordings = [wording for name, wordings in TITLES for wording in wordings if name is kind]
    wordings += [wording + "ПАСПОРТ" for wording in wordings if kind is EntryKind.PASSPORT and not wording.endswith("ПАСПОРТ")]
    best: tuple[float, int, int] = (0.0, 0, 0)
    for start in range(len(words)):
        for end in range(start + 1, min(start + 5, len(words)) + 1):
            text = "".join(word.plain for word in words[start:end])
            alike = max(float(fuzz.ratio(wording, text)) * min(len(wording), len(text)) for wording in wordings)
            if alike > best[0]:
                best = (alike, start, end)
    return [*words[: best[1]], *words[best[2] :]]


def caption_of(row: Row, own: Sequence[Part], usual: float) -> tuple[Detail, ...] | None:
    """What a small row or one in brackets says of the value above it, perhaps nothing legible; None for any other row.

    `usual`: height of the entry's lines.
    """
    bracketed = row.words[0].text[0] == "(" or row.words[-1].text[-1] == ")"
    named = tuple(dict.fromkeys(detail for part in own for detail in part.details))
    alone = all(not part.words for part in own)
    if not bracketed:
        tall = max(piece.height for piece in row.pieces) / usual
        faint = tall < _SMALLISH and float(np.mean([one.chance for word in row.words for one in word.letters])) < PLAIN
        if any(word.figures for word in row.words) or (named and not alone):
            return None
        if not (tall < _SMALL or (faint and not named) or (alone and named in _CAPTIONED)):
            return None
    if alone:
        return named
    alike, details = max((float(fuzz.ratio(caption, row.joined)), details) for caption, details in _CAPTIONS)
    return details if alike > _BADLY_SMALL else ()


def captioned(caption: tuple[Detail, ...], words: Sequence[Word], *, first: bool) -> tuple[Detail, ...]:
    """What a caption names that is perhaps not legible: a patronymic is one word, or two with "оглы" and the like.

    `first`: it stands under the first row below a family stamp's title; one word there is the surname.
    """
    if not caption and len(words) == 1 and first:
        return _FULL_NAME[:1]
    if not caption and len(words) == 2 and sex_of_patronymic(words[1].plain) is not None:
        return _FULL_NAME[1:]
    if Detail.PATRONYMIC not in caption:
        return caption
    count = len(words) - (words[-1].plain in TURKIC)
    return {1: caption if len(caption) == 1 else _FULL_NAME[1:], 2: _FULL_NAME[1:]}.get(
        count, caption if len(caption) == 3 else ()
    )


def of_a_label(text: str) -> bool:
    """Whether a word is one of a stamp's own, as far as it can be told."""
    return any(text == word or (len(word) > 4 and fuzz.ratio(word, text) > LABEL) for word in LABEL_WORDS)
