"""What the document, the account behind it and the hints say, in sentences with a sign."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _

from cases.queries import CasePage
from verification.continuity import MAY_CHANGE
from verification.evidence import DATES, Field, Measures, Pair
from verification.hints import RATES, Hint, Rate
from verification.policy import Policy
from webapp.desk.presenters.bars import Bar, bar
from webapp.desk.presenters.scores import alike, by_eye
from webapp.i18n import hint_sentence, label


@dataclass(frozen=True, kw_only=True)
class Check:
    """One sentence with its sign, yes, no or open, and the measure behind it where the policy draws a line."""

    sign: str
    text: str
    bar: Bar | None = None


DAYS = (-365.0, 730.0)
"""Ends of the line on which days of validity are drawn: who has two years left need not look closer."""

YEARS = (0.0, 30.0)
"""The same for the years of a portrait: the oldest printed one in use is 25 years old (Russian internal passport)."""


def checks(page: CasePage, *, veiled: bool = False) -> list[Check]:
    """What the document as a paper shows: type, check digits and what they do not cover, validity.

    `veiled`: facts alone, no line of the policy and nothing of what it makes of them.
    """
    out: list[Check] = []
    reading, measures, policy = page.reading or {}, page.measures, page.policy
    if measures is None or policy is None:
        return out
    if measures.document_type is None:
        out.append(Check(sign="no", text=_("No known kind of document was recognised.")))
    else:
        accepted = veiled or measures.document_type.value in policy.accepted_types
        out.append(Check(sign="yes" if accepted else "no", text=_document_words(measures, accepted)))
    mrz = reading.get("mrz")
    if mrz:
        wrong = [_zone_name(name) for name, holds in mrz["checks"].items() if not holds]
        right = [_zone_name(name) for name, holds in mrz["checks"].items() if holds]
        if wrong:
            out.append(Check(sign="no", text=_("Check digits do not hold: %(which)s.", which=", ".join(wrong))))
        if right:
            out.append(Check(sign="yes", text=_("Check digits hold: %(which)s.", which=", ".join(right))))
        out.append(Check(sign="open", text=_("Check digits do not cover the name.")))
    elif measures.mrz_valid is None:
        out.append(Check(sign="open", text=_("No machine-readable zone was read: no check digit stands behind these readings.")))
    if measures.never_expires:
        out.append(Check(sign="yes", text=_("This document has no end date.")))
    elif measures.days_to_expiry is None:
        out.append(Check(sign="open", text=_("How long the document is valid could not be read.")))
    else:
        days, line = measures.days_to_expiry, 0 if veiled else policy.min_days_to_expiry
        if days < 0:
            text = ngettext(
                "The document ended %(num)s day before the request.", "The document ended %(num)s days before the request.", -days
            )
        else:
            text = ngettext("The document is valid for %(num)s more day.", "The document is valid for %(num)s more days.", days)
        drawn = bar(
            days,
            line,
            ends=DAYS,
            value_text=str(ngettext("%(num)s day", "%(num)s days", days)),
            line_text=str(format_decimal(line)),
        )
        out.append(Check(sign="yes" if days >= line else "no", text=str(text), bar=None if veiled else drawn))
    return out


def _document_words(measures: Measures, accepted: bool) -> str:
    from webapp.ops.presenters import choice_name

    assert measures.document_type is not None
    kind = choice_name("accepted_types", measures.document_type.value)
    if measures.country:
        kind = f"{kind}, {measures.country}"
    return kind if accepted else _("%(kind)s: not accepted for automatic decisions", kind=kind)


def _zone_name(name: str) -> str:
    if name == "composite":
        return _("the whole zone")
    try:
        return label(Field(name)).lower()
    except ValueError:
        return name.replace("_", " ")


def continuity(page: CasePage, *, veiled: bool = False) -> list[Check]:
    """Is this the account's person: what must stay, what changes and whether the stated reason explains it.

    `veiled`: nothing of how alike a machine finds two faces, and no line of the policy.
    """
    out: list[Check] = []
    measures = page.measures
    if page.profile_moved:
        out.append(Check(sign="open", text=_("The host system changed the account's details after the customer began.")))
    if measures is None:
        return out
    held = [n for n in measures.unchanged if measures.unchanged[n] is not None]
    shown = [label(n).lower() for n in held if measures.unchanged[n] >= 1.0]
    other = [label(n).lower() for n in held if measures.unchanged[n] < 1.0]
    if other:
        out.append(Check(sign="no", text=_("The document does not show the account's %(fields)s.", fields=", ".join(other))))
    if shown:
        out.append(Check(sign="yes", text=_("The document shows the account's %(fields)s.", fields=", ".join(shown))))
    missing = [*measures.unread]
    if Field.DATE_OF_BIRTH not in held and Field.DATE_OF_BIRTH not in missing:
        missing.append(Field.DATE_OF_BIRTH)
    if missing:
        fields = ", ".join(label(n).lower() for n in missing)
        out.append(Check(sign="open", text=_("Could not be compared with the account: %(fields)s.", fields=fields)))
    if measures.earlier_number_seen is True:
        out.append(Check(sign="yes", text=_("A passport number of this account stands on the document.")))
    elif measures.earlier_number_seen is False:
        out.append(Check(sign="open", text=_("The document's number is new to this account.")))
    if not measures.has_face_on_file:
        out.append(Check(sign="open", text=_("The account has no face on file: nothing ties this face to it.")))
    elif not veiled and page.policy is not None and not by_eye(page):
        out.append(_on_file(measures, page.policy))
    if measures.portrait_years is not None and measures.portrait_years >= 1:
        years = int(measures.portrait_years)
        told = ngettext(
            "The printed portrait is at least %(num)s year old.", "The printed portrait is at least %(num)s years old.", years
        )
        drawn = None
        if not veiled and page.policy is not None:
            most = page.policy.max_portrait_years
            drawn = bar(
                measures.portrait_years,
                most,
                ends=YEARS,
                value_text=str(ngettext("%(num)s year", "%(num)s years", years)),
                line_text=str(format_decimal(most)),
                lower=True,
            )
            if not drawn.passes:
                told += " " + _("So old a portrait decides only beside a face on file.")
        out.append(Check(sign="open", text=str(told), bar=drawn))
    covered = [_changed(n, measures) for n in measures.changes if n in MAY_CHANGE[measures.reason]]
    beyond = [_changed(n, measures) for n in measures.changes if n not in MAY_CHANGE[measures.reason]]
    why = label(measures.reason)
    if beyond:
        out.append(
            Check(
                sign="no", text=_("“%(reason)s” does not explain a change of: %(fields)s.", reason=why, fields=", ".join(beyond))
            )
        )
    if covered:
        out.append(
            Check(sign="yes", text=_("“%(reason)s” explains a change of: %(fields)s.", reason=why, fields=", ".join(covered)))
        )
    return out


def _on_file(measures: Measures, policy: Policy) -> Check:
    """Whether the account's own face is the one on the photos: by the policy's lines for the pairs that it takes part in."""
    pairs = {pair: alike(pair, measures, policy) for pair in (Pair.SELFIE_ON_FILE, Pair.DOCUMENT_ON_FILE)}
    if all(fits is True for fits in pairs.values()):
        return Check(sign="yes", text=_("The face on file is the one on the selfie and on the document."))
    if any(fits is None for fits in pairs.values()):
        return Check(sign="open", text=_("The face on file could not be compared with both photos."))
    if not any(pairs.values()):
        return Check(sign="no", text=_("The face on file is like neither the selfie nor the document."))
    if pairs[Pair.SELFIE_ON_FILE]:
        return Check(sign="open", text=_("The face on file is the one on the selfie, but not surely the one on the document."))
    return Check(sign="open", text=_("The face on file is the one on the document, but not surely the one on the selfie."))


def _changed(name: Field, measures: Measures) -> str:
    """A detail that changes and, for names, by how many letters."""
    letters = measures.change_letters.get(name)
    if not letters or name in DATES:
        return label(name).lower()
    count = ngettext("%(num)s letter", "%(num)s letters", letters)
    return f"{label(name).lower()} ({count})"


# Hints


@dataclass(frozen=True, kw_only=True)
class HintLine:
    """A soft hint, ready to print: what was seen, why it may matter, how often it is wrong; `weighs`: the policy lists it."""

    seen: str
    why: str
    rate: str
    weighs: bool


def hints(page: CasePage) -> list[HintLine]:
    """What hints at a paper that is not what it seems; those that the policy sends to a person first."""
    measures, policy = page.measures, page.policy
    if measures is None:
        return []
    lines = [
        HintLine(
            seen=label(hint),
            why=hint_sentence(hint),
            rate=rate_words(RATES[hint]),
            weighs=policy is not None and hint.value in policy.refer_on_hints,
        )
        for hint in Hint
        if hint in measures.hints
    ]
    return sorted(lines, key=lambda line: not line.weighs)


def rate_words(rate: Rate) -> str:
    """A hint's measured rate as two counts, which say more of small sets than a percentage does."""
    return _(
        "Development pictures: %(false)s false alarms on %(genuine)s faultless papers; %(found)s of %(attacked)s faults seen.",
        false=rate.false_alarms,
        genuine=rate.genuine,
        found=rate.found,
        attacked=rate.attacked,
    )
