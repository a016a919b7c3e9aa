"""What the portal asks, and how its form becomes a claim. Pure: no request, no database, no clock.

How one typed text becomes a value stands in `typed`. Messages come in the reader's language (flask-babel).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from verification import names
from verification.evidence import DATES, ChangeReason, Field, Values
from webapp.i18n import local_date, shown
from webapp.portal import typed as reading
from webapp.portal.typed import Script, Shape, script_of, tidy


class Paper(StrEnum):
    """The document that is photographed, as the customer calls it: decides which fields are asked and how they look."""

    RU_INTERNAL = "ru_internal"
    RU_TRAVEL = "ru_travel"
    KZ = "kz"
    KZ_CARD = "kz_card"
    ES = "es"
    ES_CARD = "es_card"
    MX = "mx"
    MX_CARD = "mx_card"
    OTHER = "other"


COUNTRY: dict[Paper, str | None] = {
    Paper.RU_INTERNAL: "RUS",
    Paper.RU_TRAVEL: "RUS",
    Paper.KZ: "KAZ",
    Paper.KZ_CARD: "KAZ",
    Paper.ES: "ESP",
    Paper.ES_CARD: "ESP",
    Paper.MX: "MEX",
    Paper.MX_CARD: "MEX",
    Paper.OTHER: None,
}
"""Issuing state by ICAO's three letters; None where the customer did not name one."""

PAPER_NAMES = {
    Paper.RU_INTERNAL: _l("Russia: internal passport"),
    Paper.RU_TRAVEL: _l("Russia: travel passport"),
    Paper.KZ: _l("Kazakhstan: passport"),
    Paper.KZ_CARD: _l("Kazakhstan: identity card"),
    Paper.ES: _l("Spain: passport"),
    Paper.ES_CARD: _l("Spain: DNI or NIE card"),
    Paper.MX: _l("Mexico: passport"),
    Paper.MX_CARD: _l("Mexico: INE card"),
    Paper.OTHER: _l("Another country: passport"),
}

REASON_HINTS = {
    ChangeReason.MARRIAGE: _l("Your surname changes"),
    ChangeReason.DIVORCE: _l("Your surname changes"),
    ChangeReason.COURT: _l("Any part of your name may change"),
    ChangeReason.NEW_PASSPORT: _l("A new number, the name stays"),
    ChangeReason.MISTAKE: _l("A letter or a digit is wrong in our records"),
    ChangeReason.OTHER: _l("A person will look at your request"),
}


def papers_for(nationality: str | None) -> dict[Paper, Any]:
    """The documents to choose from, those of her own country first."""
    return dict(sorted(PAPER_NAMES.items(), key=lambda entry: nationality is None or COUNTRY[entry[0]] != nationality))


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One question of the details page."""

    field: Field
    label: Any  # as the customer calls it here
    hint: Any = ""
    script: Script | None = None  # names only: in which letters the document prints it
    beside: Field | None = None  # Latin names only: the same name in Cyrillic, from which a spelling is suggested
    optional: bool = False
    shape: Shape | None = None  # numbers only
    may_lack: bool = False  # there is a tick for "the document has none"


_NUMBER = _l("Number of the passport")
_CARD = _l("Number of the card")

_NUMBERS: dict[Paper, tuple[Any, Any, Shape]] = {
    # Shapes by facts/documents.md 3.3 and 4: the check is on shape only, so that a typing slip is told at once.
    Paper.RU_INTERNAL: (_l("Series and number"), "", Shape(
        pattern=re.compile(r"\d{10}"), lengths=(10,), example="45 10 123456", groups=(2, 2, 6), digits=True,
        expected=_l("Series and number have ten digits, like 45 10 123456."),
    )),
    Paper.RU_TRAVEL: (_NUMBER, "", Shape(
        pattern=re.compile(r"\d{9}"), lengths=(9,), example="71 1234567", groups=(2, 7), digits=True,
        expected=_l("The number has nine digits, like 71 1234567."),
    )),
    Paper.KZ: (_NUMBER, "", Shape(
        pattern=re.compile(r"[A-Z]\d{8}"), lengths=(9,), example="N12345678", groups=(1, 8),
        expected=_l("The number has one Latin letter and eight digits, like N12345678."),
        others=((re.compile(r"\d{12}"), _l("This looks like your IIN. The number of the passport is asked, like N12345678.")),),
    )),
    Paper.KZ_CARD: (_CARD, _l("Nine digits on the back of the card"), Shape(
        pattern=re.compile(r"\d{9}"), lengths=(9,), example="041236587", digits=True,
        expected=_l("The number of the card has nine digits, like 041236587."),
        others=((re.compile(r"\d{12}"),
                 _l("This looks like your IIN. The number of the card is asked: nine digits on its back.")),),
    )),
    Paper.ES: (_NUMBER, "", Shape(
        pattern=re.compile(r"[A-Z]{3}\d{6}"), lengths=(9,), example="PAA123456", groups=(3, 6),
        expected=_l("The number has three letters and six digits, like PAA123456."),
        others=((re.compile(r"\d{8}[A-Z]|[XYZ]\d{7}[A-Z]"),
                 _l("This looks like your DNI or NIE. The number of the passport is asked, like PAA123456.")),),
    )),
    Paper.ES_CARD: (_l("Number of the card (Núm. soporte)"), _l("Beside NÚM. SOPORTE or IDESP, not the DNI or NIE itself"), Shape(
        pattern=re.compile(r"[A-Z]{3}\d{6}|[CE]\d{8}"), lengths=(9,), example="BAA000589",  # C, E: cards of foreigners
        expected=_l("The number of the card has three letters and six digits, like BAA000589, or one letter and eight digits."),
        others=((re.compile(r"\d{8}[A-Z]|[XYZ]\d{7}[A-Z]"),
                 _l("This looks like your DNI or NIE. The number of the card is asked: look for NÚM. SOPORTE or IDESP.")),),
    )),
    Paper.MX: (_NUMBER, "", Shape(
        pattern=re.compile(r"[A-Z]\d{8}"), lengths=(9,), example="G12345678", groups=(1, 8),
        expected=_l("The number has one letter and eight digits, like G12345678."),
        others=((re.compile(r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d"),
                 _l("This looks like your CURP. The number of the passport is asked, like G12345678.")),),
    )),
    Paper.MX_CARD: (_l("CIC of the card"), _l("Nine digits after IDMEX on the back of the card"), Shape(
        pattern=re.compile(r"\d{9}"), lengths=(9,), example="123456789", digits=True,
        expected=_l("The CIC has nine digits: look after IDMEX on the back of the card."),
        others=((re.compile(r"[A-Z]{6}\d{8}[HM]\d{3}|[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d|\d{12,13}"),
                 _l("This is another number of the card. The CIC is asked: nine digits after IDMEX on the back.")),),
    )),
    Paper.OTHER: (_NUMBER, "", Shape(
        pattern=re.compile(r"[A-Z0-9]{5,14}"), lengths=tuple(range(5, 15)),
        expected=_l("A passport number has 5 to 14 letters and digits."),
    )),
}  # fmt: skip

_PERSONAL: dict[str, tuple[Any, Shape]] = {
    "KAZ": (_l("IIN"), Shape(
        pattern=re.compile(r"\d{12}"), lengths=(12,), example="850307300124", groups=(6, 6), digits=True, fits=reading.iin_fits,
        expected=_l("An IIN has twelve digits."),
    )),
    "ESP": (_l("DNI or NIE"), Shape(
        pattern=re.compile(r"\d{8}[A-Z]|[XYZ]\d{7}[A-Z]"), lengths=(9,), example="12345678Z", fits=reading.dni_fits,
        expected=_l("A DNI has eight digits and a letter, like 12345678Z; a NIE begins with X, Y or Z."),
    )),
    "MEX": (_l("CURP"), Shape(
        pattern=re.compile(r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d"), lengths=(18,), example="BOXW310820HNERXN09",
        groups=(4, 6, 8), fits=reading.curp_fits, expected=_l("A CURP has 18 letters and digits, like BOXW310820HNERXN09."),
    )),
}  # fmt: skip
"""Numbers of the person, not of the paper: they stay for life, so they are asked only where our record may be wrong."""

_SURNAMES = (Field.SURNAME, Field.SURNAME_NATIVE)
TWIN = {
    Field.SURNAME: Field.SURNAME_NATIVE,
    Field.SURNAME_NATIVE: Field.SURNAME,
    Field.GIVEN_NAMES: Field.GIVEN_NAMES_NATIVE,
    Field.GIVEN_NAMES_NATIVE: Field.GIVEN_NAMES,
}
"""The same name in the other script."""


def asked(reason: ChangeReason, paper: Paper) -> tuple[Asked, ...]:
    """Return the questions for a stated reason and a kind of document, in the order they are asked.

    Only what the reason changes and the document prints is asked: the rest we hold already.
    """
    out: list[Asked] = []
    if reason is not ChangeReason.NEW_PASSPORT:
        out += [a for a in _names(paper) if a.field in _SURNAMES or reason not in (ChangeReason.MARRIAGE, ChangeReason.DIVORCE)]
    mistake = reason is ChangeReason.MISTAKE  # she corrects one thing and leaves the rest
    if mistake or reason is ChangeReason.OTHER:
        out.append(Asked(field=Field.DATE_OF_BIRTH, label=_l("Date of birth"), optional=True))
        personal = _PERSONAL.get(COUNTRY[paper] or "")
        if personal is not None:
            name, shape = personal
            out.append(
                Asked(
                    field=Field.PERSONAL_NUMBER,
                    label=name,
                    hint=_l("Only if it is wrong in our records"),
                    shape=shape,
                    optional=True,
                )
            )
    name, hint, shape = _NUMBERS[paper]
    out.append(Asked(field=Field.DOCUMENT_NUMBER, label=name, hint=hint, shape=shape, optional=mistake))
    # The day that the machine-readable zone repeats: of issue inside Russia, of expiry elsewhere.
    if paper is Paper.RU_INTERNAL:
        out.append(Asked(field=Field.ISSUED_ON, label=_l("Date of issue"), optional=mistake))
    else:
        out.append(Asked(field=Field.EXPIRES_ON, label=_l("Valid until"), optional=mistake))
    return tuple(out)


_ONE_NAME = _l("If the document shows one name only, leave the other empty")


def _names(paper: Paper) -> tuple[Asked, ...]:
    patronymic = Asked(field=Field.PATRONYMIC, label=_l("Patronymic"), script=Script.CYRILLIC, optional=True, may_lack=True)
    if paper is Paper.RU_INTERNAL:
        return (
            Asked(field=Field.SURNAME, label=_l("Surname"), hint=_ONE_NAME, script=Script.CYRILLIC, optional=True),
            Asked(field=Field.GIVEN_NAMES, label=_l("Given name"), script=Script.CYRILLIC, optional=True),
            patronymic,
        )
    if paper in (Paper.RU_TRAVEL, Paper.KZ, Paper.KZ_CARD):
        cyrillic, latin = Script.CYRILLIC, Script.LATIN
        pairs = (
            Asked(field=Field.SURNAME_NATIVE, label=_l("Surname in Cyrillic letters"), script=cyrillic, optional=True),
            Asked(
                field=Field.SURNAME,
                label=_l("Surname in Latin letters"),
                script=latin,
                beside=Field.SURNAME_NATIVE,
                optional=True,
            ),
            Asked(field=Field.GIVEN_NAMES_NATIVE, label=_l("Given name in Cyrillic letters"), script=cyrillic, optional=True),
            Asked(
                field=Field.GIVEN_NAMES,
                label=_l("Given name in Latin letters"),
                script=latin,
                beside=Field.GIVEN_NAMES_NATIVE,
                optional=True,
            ),
        )
        return (*pairs, patronymic) if paper is Paper.KZ_CARD else pairs
    two = paper in (Paper.ES, Paper.ES_CARD, Paper.MX, Paper.MX_CARD)
    return (
        Asked(
            field=Field.SURNAME,
            label=_l("Surnames") if two else _l("Surname"),
            hint=_l("Both surnames if the document has two, with all accents: García Núñez") if two else _ONE_NAME,
            script=Script.LATIN,
            optional=True,
        ),
        Asked(field=Field.GIVEN_NAMES, label=_l("Given names"), script=Script.LATIN, optional=True),
    )


def as_printed(value: str, field: Field, paper: Paper) -> str:
    """A detail as people write it; a number of `paper` in the groups that it prints.

    >>> as_printed("N12345678", Field.DOCUMENT_NUMBER, Paper.KZ)
    'N 12345678'
    """
    shape = _NUMBERS[paper][2]
    if field is Field.DOCUMENT_NUMBER and shape.groups and shape.pattern.fullmatch(value):
        return reading.grouped(value, shape.groups)
    return shown(value, field)


def paper_of(country: str | None, values: Mapping[Field, str]) -> Paper:
    """Guess the document from the country and what is known already, to preselect a choice."""
    number = "".join(c for c in values.get(Field.DOCUMENT_NUMBER, "") if c.isalnum()).upper()
    if country == "RUS":
        two_scripts = bool({Field.SURNAME_NATIVE, Field.GIVEN_NAMES_NATIVE, Field.EXPIRES_ON} & values.keys())
        return Paper.RU_TRAVEL if len(number) == 9 or (not number and two_scripts) else Paper.RU_INTERNAL
    if country == "KAZ":
        card = number.isdigit() if number else Field.PATRONYMIC in values
        return Paper.KZ_CARD if card else Paper.KZ
    if country == "ESP":
        return Paper.ES_CARD if re.fullmatch(r"[CE]\d{8}|\d{8}[A-Z]|[XYZ]\d{7}[A-Z]", number) else Paper.ES
    if country == "MEX":
        return Paper.MX_CARD if len(number) == 9 and number.isdigit() else Paper.MX
    return Paper.OTHER


# --- What we hold, beside the questions


def held_for(question: Asked, held: Mapping[Field, str]) -> str:
    """What the account holds for a question, in the letters of the question where it has both; "" for nothing."""
    own = held.get(question.field, "")
    if question.script is None:
        return own
    twin = held.get(TWIN.get(question.field, question.field), "")
    return next((v for v in (own, twin) if v and in_script(v, question.script)), own if question.field not in TWIN else "")


def in_script(text: str, script: Script) -> bool:
    """Whether every letter is one of the script."""
    return all(script_of(c) is script for c in text if c.isalpha())


def settle(values: Values, held: Mapping[Field, str], country: str | None) -> Values:
    """Return `values` with what is held already in the spelling that is held: capitals, spaces and signs are no change."""
    out = dict(values)
    for name, claimed in values.items():
        old = held.get(name, "")
        if old and name not in DATES and _same(name, claimed, old, country):
            out[name] = old
    return out


def nothing_new(values: Values, held: Mapping[Field, str], country: str | None) -> bool:
    """Whether a claim says only what is held: the same values, or held names in the letters of the other script."""
    return all(
        held.get(name) == claimed
        or _same(name, claimed, held.get(name, ""), country)
        or _same_across(name, claimed, held, country)
        for name, claimed in values.items()
    )


def _same(name: Field, claimed: str, old: str, country: str | None) -> bool:
    if name in (Field.DOCUMENT_NUMBER, Field.PERSONAL_NUMBER):
        return "".join(c for c in old if c.isalnum()).upper() == claimed
    return bool(old) and names.compare(claimed, old, field=name, country=country).rule in ("exact", "case-and-space")


_NEAR = {"yo-e", "short-i", "homoglyphs", "component-order", "abbreviation", "kazakh-russian"}
"""Rules that know two spellings for one name though a letter differs: to correct that very letter may be her wish."""


def _same_across(name: Field, claimed: str, held: Mapping[Field, str], country: str | None) -> bool:
    for old in (held.get(name), held.get(TWIN.get(name, name))):
        if not old:
            continue
        rule = names.compare(claimed, old, field=name, country=country).rule
        if (
            rule is not None
            and not _NEAR & set(rule.split(" + "))
            and (names.script(claimed) != names.script(old) or rule in ("exact", "case-and-space"))
        ):
            return True
    return False


# --- The form


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """Something that may be right though it looks odd: a tick lets it pass."""

    sentence: str
    tick: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """What was typed: `values` as a claim holds them, `typed` as it goes back into the page, and what is to be seen to.

    The claim may be kept when `problems`, `looks` and `asks` are all empty. Keys are ids of inputs, in the order of the page.
    """

    values: Values
    typed: dict[str, str]
    email: str | None
    problems: dict[str, str]  # what cannot be taken
    looks: dict[str, str] = field(default_factory=dict)  # what we changed or wrote: she looks and sends again
    asks: dict[str, Ask] = field(default_factory=dict)  # what is odd and not yet confirmed
    told: tuple[str, ...] = ()  # what was tidied: said on the next page

    @property
    def done(self) -> bool:
        """Whether nothing is left to be seen to."""
        return not (self.problems or self.looks or self.asks)


def names_inputs(field: Field) -> tuple[str, ...]:
    """The names of the inputs of a field: one, or three for a date."""
    if field in DATES:
        return (f"{field.value}_day", f"{field.value}_month", f"{field.value}_year")
    return (field.value,)


def lack_input(field: Field) -> str:
    """The name of the tick that says that the document has none."""
    return f"no_{field.value}"


def prefill(questions: tuple[Asked, ...], values: Mapping[Field, str], email: str | None = None) -> dict[str, str]:
    """Return what stands in the inputs of `questions` when `values` are known already."""
    typed: dict[str, str] = {"email": email or ""}
    for question in questions:
        value = values.get(question.field, "")
        inputs = names_inputs(question.field)
        if len(inputs) == 3:
            year, month, day = value.split("-") if value.count("-") == 2 else ("", "", "")
            typed.update(zip(inputs, (day.lstrip("0"), month.lstrip("0"), year), strict=True))
        elif question.shape is not None and question.shape.pattern.fullmatch(value):
            typed[inputs[0]] = reading.grouped(value, question.shape.groups)
        else:
            typed[inputs[0]] = value
    return typed


def read_answers(
    form: Mapping[str, str],
    questions: tuple[Asked, ...],
    *,
    on: date,
    paper: Paper,
    reason: ChangeReason,
    held: Mapping[Field, str] | None = None,
    shown: Mapping[str, str] | None = None,
    sure: Collection[str] = (),
    ask_email: bool = True,
) -> Answers:
    """Turn a form into values. `on` is today; `held`: what the account has; `shown`: what stood in the inputs at first.

    `sure` names the inputs whose oddness was confirmed. An e-mail address that the page did not ask for is left out,
    whatever was sent.
    """
    held, country = held or {}, COUNTRY[paper]
    values: Values = {}
    typed: dict[str, str] = {"email": tidy(form.get("email", ""))[:254] if ask_email else ""}
    problems: dict[str, str] = {}
    looks: dict[str, str] = {}
    told: list[str] = []
    for question in questions:
        inputs = names_inputs(question.field)
        raw = [form.get(name, "")[:400] for name in inputs]
        parts = [tidy(text)[:200] for text in raw]
        typed.update(zip(inputs, parts, strict=True))
        lacks = question.may_lack and bool(form.get(lack_input(question.field)))
        if lacks:
            typed[lack_input(question.field)] = "1"
            if any(parts):
                problems[inputs[0]] = _("You typed a patronymic and ticked that there is none: take one of them back")
            elif held.get(question.field):
                told.append(_("Your account has a patronymic. Only a person can take it out: ask for one on the last page."))
            continue
        if not any(parts):
            if not question.optional:
                problems[inputs[0]] = _missing(question)
            elif question.script is not None and (shown or {}).get(inputs[0]):
                told.append(_("You left “%(field)s” empty: what we hold stays.", field=question.label))
            continue
        if len(inputs) == 3:
            three = reading.date_parts((parts[0], parts[1], parts[2]))
            typed.update(zip(inputs, three, strict=True))
            past, endless = question.field is not Field.EXPIRES_ON, paper is Paper.ES_CARD
            value, at, problem = reading.read_date(three, on, past=past, endless=endless)
            if problem:
                problems[inputs[at]] = problem
            else:
                values[question.field] = value
            continue
        if question.script is not None:
            one = reading.read_name(raw[0], question.script, country)
        else:
            assert question.shape is not None
            one = reading.read_number(raw[0], question.shape)
        typed[inputs[0]] = one.shown[:200]
        if one.problem:
            problems[inputs[0]] = one.problem
            continue
        values[question.field] = one.value
        if one.look:
            looks[inputs[0]] = one.look
        if one.told:
            told.append(f"{question.label}: {one.told}")
    _suggest(questions, values, typed, looks, country)
    first = _no_name(questions, typed, form)
    if first:
        problems = {first: _("Type your name as the passport prints it"), **problems}
    email = typed["email"] or None
    if email and not re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", email):
        problems["email"] = _("Type an e-mail address like name@example.com")
    asks = {name: ask for name, ask in _odd(questions, values, held, on, paper, reason).items() if name not in sure}
    for name in asks.keys() & looks.keys():
        del asks[name]  # one thing at a time: she looks at the letters first
    order = {name: i for i, name in enumerate([*(n for q in questions for n in names_inputs(q.field)), "email"])}

    def on_page(entry: tuple[str, Any]) -> int:
        return order[entry[0]]

    return Answers(
        values=values,
        typed=typed,
        email=email,
        problems=dict(sorted(problems.items(), key=on_page)),
        looks=dict(sorted(looks.items(), key=on_page)),
        asks=dict(sorted(asks.items(), key=on_page)),
        told=tuple(dict.fromkeys(told)),
    )


def _missing(question: Asked) -> str:
    if question.field is Field.DOCUMENT_NUMBER:
        return str(_("Type the number of the document"))
    if question.field is Field.ISSUED_ON:
        return str(_("Type the day the passport was issued"))
    return str(_("Type the day until which the document is valid"))


def _no_name(questions: tuple[Asked, ...], typed: Mapping[str, str], form: Mapping[str, str]) -> str | None:
    """The first name input where a name is wanted and none was typed."""
    asked_names = [q for q in questions if q.script is not None]
    required = any(not q.optional for q in questions)
    if asked_names and required and not any(typed[n] for q in asked_names for n in names_inputs(q.field)):
        return names_inputs(asked_names[0].field)[0]
    return None


def _suggest(
    questions: tuple[Asked, ...], values: Values, typed: dict[str, str], looks: dict[str, str], country: str | None
) -> None:
    """Where the Cyrillic name is there and the Latin one is not, write it by today's rule, for her to compare."""
    for question in questions:
        name = question.field.value
        if question.beside is None or question.beside not in values or typed[name]:
            continue
        offered = reading.spellings(values[question.beside], country)
        if offered:
            typed[name] = values[question.field] = offered[0]
            looks[name] = reading.suggested_sentence()


YOUNGEST, OLDEST = 14, 110
"""Years of age outside which a birth date is asked about once more: a first Russian passport; nobody is that old."""

EXCHANGES = (45, 20)
"""Birthdays at which a Russian internal passport is exchanged, within GRACE (decree 1205 of 2021; facts/documents.md 3.3)."""
GRACE = timedelta(days=90)


def _odd(
    questions: tuple[Asked, ...], values: Values, held: Mapping[Field, str], on: date, paper: Paper, reason: ChangeReason
) -> dict[str, Ask]:
    """What may be right and is worth a second look. Never a refusal."""
    yes = _("Yes, it is so in my document")
    found: dict[str, Ask] = {}
    day = {name: date.fromisoformat(values[name]) for name in DATES if name in values}
    birth = day.get(Field.DATE_OF_BIRTH) or _day(held.get(Field.DATE_OF_BIRTH))
    if Field.DATE_OF_BIRTH in day and birth and not YOUNGEST <= _age(birth, on) <= OLDEST:
        found["date_of_birth_day"] = Ask(
            sentence=_("By this date the age is %(years)s. Is that right?", years=_age(birth, on)), tick=yes
        )
    issued, until = day.get(Field.ISSUED_ON), day.get(Field.EXPIRES_ON)
    if issued and birth:
        due = next((b for b in EXCHANGES if issued < _birthday(birth, b) and on > _birthday(birth, b) + GRACE), None)
        if _age(birth, issued) < YOUNGEST:
            found["issued_on_day"] = Ask(
                sentence=_("Passports are issued from the age of 14: is this the day of issue?"), tick=yes
            )
        elif due:
            found["issued_on_day"] = Ask(
                sentence=_(
                    "A passport of that day is exchanged at the age of %(age)s. "
                    "If you have a newer one, take its number and date.",
                    age=due,
                ),
                tick=_("I have no newer one"),
            )
    if until and until < on:
        found["expires_on_day"] = Ask(
            sentence=_(
                "The last day of this document (%(day)s) is over. If you have a newer one, take its number and date.",
                day=local_date(until),
            ),
            tick=_("I have no newer one"),
        )
    for question in questions:
        value, name = values.get(question.field), question.field.value
        if value is None:
            continue
        if question.shape is not None and question.shape.fits is not None and not question.shape.fits(value):
            found[name] = Ask(sentence=_("The last character does not belong to the others: one of them is mistyped."), tick=yes)
        if question.beside in values and not reading.same_name(values[question.beside], value, COUNTRY[paper]):
            found[name] = Ask(
                sentence=_("This is not how the name in Cyrillic letters is usually spelled. Look at both once more."),
                tick=_("Spelled differently in my passport"),
            )
    number = values.get(Field.DOCUMENT_NUMBER)
    if (
        reason is ChangeReason.NEW_PASSPORT
        and number
        and _same(Field.DOCUMENT_NUMBER, number, held.get(Field.DOCUMENT_NUMBER, ""), None)
    ):
        found["document_number"] = Ask(
            sentence=_("This is the number of the document we hold already. Is it the number of the new one?"), tick=yes
        )
    return found


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _birthday(birth: date, age: int) -> date:
    """The day someone turns `age`; born on 29 February, on 1 March of a short year."""
    try:
        return birth.replace(year=birth.year + age)
    except ValueError:
        return date(birth.year + age, 3, 1)


def _age(birth: date, on: date) -> int:
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))
