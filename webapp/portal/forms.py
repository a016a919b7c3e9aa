"""What the portal asks, and how typed text becomes a claim. Pure: no request, no database, no clock.

Messages come in the reader's language (flask-babel) and never quote more than a letter of what was typed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from verification.evidence import DATES, ChangeReason, Field, Values


class Paper(StrEnum):
    """The passport that is photographed, as the customer calls it: decides which fields are asked and how they look."""

    RU_INTERNAL = "ru_internal"
    RU_TRAVEL = "ru_travel"
    KZ = "kz"
    ES = "es"
    MX = "mx"
    OTHER = "other"


COUNTRY: dict[Paper, str | None] = {
    Paper.RU_INTERNAL: "RUS",
    Paper.RU_TRAVEL: "RUS",
    Paper.KZ: "KAZ",
    Paper.ES: "ESP",
    Paper.MX: "MEX",
    Paper.OTHER: None,
}
"""Issuing state by ICAO's three letters; None where the customer did not name one."""

PAPER_NAMES = {
    Paper.RU_INTERNAL: _l("Russia: internal passport"),
    Paper.RU_TRAVEL: _l("Russia: travel passport"),
    Paper.KZ: _l("Kazakhstan"),
    Paper.ES: _l("Spain"),
    Paper.MX: _l("Mexico"),
    Paper.OTHER: _l("Another country"),
}

REASON_HINTS = {
    ChangeReason.MARRIAGE: _l("Your surname changes"),
    ChangeReason.DIVORCE: _l("Your surname changes"),
    ChangeReason.COURT: _l("Any part of your name may change"),
    ChangeReason.NEW_PASSPORT: _l("A new number, the name stays"),
    ChangeReason.MISTAKE: _l("A letter or a digit is wrong in our records"),
    ChangeReason.OTHER: _l("A person will look at your request"),
}


class Script(StrEnum):
    """The script a field is printed in."""

    LATIN = "LATIN"
    CYRILLIC = "CYRILLIC"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One question of the details page."""

    field: Field
    script: Script | None = None  # names only: in which letters the passport prints it
    optional: bool = False
    pattern: re.Pattern[str] | None = None  # numbers: what is left once spaces and hyphens are gone
    example: str = ""  # numbers: how it looks in the passport
    length: int = 100


_NUMBERS: dict[Paper, tuple[str, str]] = {
    # Shapes by facts/documents.md 3; the check is on shape only, so that a typing slip is told at once.
    Paper.RU_INTERNAL: (r"\d{10}", "45 10 123456"),
    Paper.RU_TRAVEL: (r"\d{9}", "71 1234567"),
    Paper.KZ: (r"[A-Z]\d{8}", "N12345678"),
    Paper.ES: (r"[A-Z]{3}\d{6}", "PAA123456"),
    Paper.MX: (r"[A-Z]?\d{8,9}", "G12345678"),
    Paper.OTHER: (r"[A-Z0-9]{5,14}", ""),
}

_SURNAMES = (Field.SURNAME, Field.SURNAME_NATIVE)


def asked(reason: ChangeReason, paper: Paper) -> tuple[Asked, ...]:
    """Return the questions for a stated reason and a kind of passport, in the order they are asked.

    Only what the reason changes and the passport prints is asked: the rest we hold already.
    """
    out: list[Asked] = []
    if reason is not ChangeReason.NEW_PASSPORT:
        out += [a for a in _names(paper) if a.field in _SURNAMES or reason not in (ChangeReason.MARRIAGE, ChangeReason.DIVORCE)]
    if reason in (ChangeReason.MISTAKE, ChangeReason.OTHER):
        out.append(Asked(field=Field.DATE_OF_BIRTH, optional=True))
    shape, example = _NUMBERS[paper]
    mistake = reason is ChangeReason.MISTAKE  # she corrects one thing and leaves the rest
    out.append(Asked(field=Field.DOCUMENT_NUMBER, optional=mistake, pattern=re.compile(shape), example=example, length=20))
    # The day that the passport's machine-readable zone repeats: of issue inside Russia, of expiry elsewhere.
    out.append(Asked(field=Field.ISSUED_ON if paper is Paper.RU_INTERNAL else Field.EXPIRES_ON, optional=mistake))
    return tuple(out)


def _names(paper: Paper) -> tuple[Asked, ...]:
    if paper is Paper.RU_INTERNAL:
        return (
            Asked(field=Field.SURNAME, script=Script.CYRILLIC, optional=True),
            Asked(field=Field.GIVEN_NAMES, script=Script.CYRILLIC, optional=True),
            Asked(field=Field.PATRONYMIC, script=Script.CYRILLIC, optional=True),
        )
    latin = (
        Asked(field=Field.SURNAME, script=Script.LATIN, optional=True),
        Asked(field=Field.GIVEN_NAMES, script=Script.LATIN, optional=True),
    )
    native = (
        Asked(field=Field.SURNAME_NATIVE, script=Script.CYRILLIC, optional=True),
        Asked(field=Field.GIVEN_NAMES_NATIVE, script=Script.CYRILLIC, optional=True),
    )
    return latin + native if paper in (Paper.RU_TRAVEL, Paper.KZ) else latin


def paper_of(country: str | None, values: Mapping[Field, str]) -> Paper:
    """Guess the passport from the country and a number already known, to preselect a choice."""
    if country == "RUS":
        digits = [c for c in values.get(Field.DOCUMENT_NUMBER, "") if c.isdigit()]
        return Paper.RU_TRAVEL if len(digits) == 9 else Paper.RU_INTERNAL
    return {"KAZ": Paper.KZ, "ESP": Paper.ES, "MEX": Paper.MX}.get(country or "", Paper.OTHER)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """What was typed: `values` as a claim holds them, `typed` as it goes back into the page, and what is wrong."""

    values: Values
    typed: dict[str, str]
    email: str | None
    problems: dict[str, str]  # id of the input -> sentence, in the order of the page


def names_inputs(field: Field) -> tuple[str, ...]:
    """The names of the inputs of a field: one, or three for a date."""
    if field in DATES:
        return (f"{field.value}_day", f"{field.value}_month", f"{field.value}_year")
    return (field.value,)


def prefill(questions: tuple[Asked, ...], values: Mapping[Field, str], email: str | None = None) -> dict[str, str]:
    """Return what stands in the inputs of `questions` when `values` are known already."""
    typed: dict[str, str] = {"email": email or ""}
    for question in questions:
        value = values.get(question.field, "")
        inputs = names_inputs(question.field)
        if len(inputs) == 3:
            year, month, day = value.split("-") if value.count("-") == 2 else ("", "", "")
            typed.update(zip(inputs, (day, month, year), strict=True))
        else:
            typed[inputs[0]] = value
    return typed


def read_answers(form: Mapping[str, str], questions: tuple[Asked, ...], *, on: date, ask_email: bool = True) -> Answers:
    """Turn typed text into values. `on` is today; a birth or issue date after it is a slip of the pen.

    An e-mail address that the page did not ask for is left out, whatever was sent.
    """
    values: Values = {}
    typed: dict[str, str] = {"email": tidy(form.get("email", ""))[:254] if ask_email else ""}
    problems: dict[str, str] = {}
    for question in questions:
        inputs = names_inputs(question.field)
        parts = [tidy(form.get(name, ""))[:200] for name in inputs]
        typed.update(zip(inputs, parts, strict=True))
        if not any(parts):
            if not question.optional:
                problems[inputs[0]] = _missing(question)
            continue
        if len(inputs) == 3:
            value, problem = _date(question.field, parts, on)
        elif question.script is not None:
            value, problem = _name(question, parts[0])
        else:
            value, problem = _number(question, parts[0])
        if problem:
            problems[inputs[0]] = problem
        else:
            values[question.field] = value
    names = [q for q in questions if q.script is not None]
    required = any(not q.optional for q in questions)
    if names and required and not any(any(typed[n] for n in names_inputs(q.field)) for q in names):
        first = names_inputs(names[0].field)[0]
        problems = {first: _("Type your name as the passport prints it"), **problems}
    email = typed["email"] or None
    if email and not re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", email):
        problems["email"] = _("Type an e-mail address like name@example.com")
    order = {name: i for i, name in enumerate([*(n for q in questions for n in names_inputs(q.field)), "email"])}
    return Answers(values=values, typed=typed, email=email, problems=dict(sorted(problems.items(), key=lambda p: order[p[0]])))


_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "‐": "-", "‑": "-", "–": "-", "—": "-", "−": "-"})


_MARKS = "-'."


def tidy(text: str) -> str:
    """Return `text` in Unicode's composed form, without control and direction marks, with single spaces."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(
        " " if c in "\t\n\r\u00a0" else c
        for c in text
        if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co") or c in "\t\n\r"
    )
    return " ".join(text.split())


def _missing(question: Asked) -> str:
    return {
        Field.DOCUMENT_NUMBER: _("Type the number of the passport"),
        Field.ISSUED_ON: _("Type the day the passport was issued"),
        Field.EXPIRES_ON: _("Type the day until which the passport is valid"),
    }[question.field]


def _name(question: Asked, text: str) -> tuple[str, str | None]:
    """Names may hold letters of one script, spaces, hyphens, apostrophes and full stops; one word or many."""
    text = text.translate(_APOSTROPHES)
    if len(text) > question.length:
        return "", _("This name is longer than %(number)s letters", number=question.length)
    strange = next((c for c in text if not (c.isalpha() or unicodedata.category(c).startswith("M") or c in " -'.")), None)
    if strange is not None:
        return "", _("A name has letters, hyphens and apostrophes only; “%(letter)s” is something else", letter=strange)
    if not any(c.isalpha() for c in text):
        return "", _("Type at least one letter")
    if text[0] in _MARKS or text[-1] in _MARKS:
        return "", _("A name begins and ends with a letter, not with “%(mark)s”", mark=text[0] if text[0] in _MARKS else text[-1])
    if re.search(r"[-'.] ?[-'.]", text):
        return "", _("Two hyphens, apostrophes or full stops stand side by side: leave one")
    assert question.script is not None
    other = [(i, c) for i, c in enumerate(text, 1) if c.isalpha() and script_of(c) is not question.script]
    if not other:
        return text, None
    at, letter = other[0]
    if len(other) == sum(c.isalpha() for c in text):
        if question.script is Script.LATIN:
            return "", _("Type this name in Latin letters, as the passport prints it")
        return "", _("Type this name in Cyrillic letters, as the passport prints it")
    if question.script is Script.LATIN:
        return "", _(
            "Letter %(number)s, “%(letter)s”, is not a Latin letter, though it may look like one", number=at, letter=letter
        )
    return "", _(
        "Letter %(number)s, “%(letter)s”, is not a Cyrillic letter, though it may look like one", number=at, letter=letter
    )


def script_of(letter: str) -> Script | None:
    """Return the script of one letter, None for any other than the two we print."""
    name = unicodedata.name(letter, "")
    return next((s for s in Script if name.startswith(s.value)), None)


_LOOKALIKES = str.maketrans("АВЕКМНОРСТУХ", "ABEKMHOPCTYX")


def _number(question: Asked, text: str) -> tuple[str, str | None]:
    """Numbers are kept without spaces and hyphens. Cyrillic letters that look Latin are what the keyboard gave: replaced."""
    value = re.sub(r"[\s№#./-]", "", text.translate(_APOSTROPHES)).upper().translate(_LOOKALIKES)
    assert question.pattern is not None
    if question.pattern.fullmatch(value):
        return value, None
    if question.example:
        return "", _("Type the number as it stands in the passport, like %(example)s", example=question.example)
    return "", _("A passport number has 5 to 14 letters and digits")


def _date(field: Field, parts: list[str], on: date) -> tuple[str, str | None]:
    day, month, year = parts
    if not all(p.isascii() and p.isdigit() for p in parts) or len(year) != 4:
        return "", _("Type day, month and year in digits, like 27 3 1985")
    try:
        value = date(int(year), int(month), int(day))
    except ValueError:
        return "", _("There is no such day in the calendar")
    if field is not Field.EXPIRES_ON and value > on:
        return "", _("This day is still to come")
    if not 1900 <= value.year <= on.year + 50:
        return "", _("Check the year")
    return value.isoformat(), None
