"""What the document, the account behind it and the hints say, in sentences with a sign."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import ngettext

from cases.queries import CasePage
from verification.continuity import MAY_CHANGE
from verification.evidence import DATES, Field, Measures
from verification.hints import RATES, Hint, Rate
from webapp.i18n import hint_sentence, label


@dataclass(frozen=True, kw_only=True)
class Check:
    """One sentence with its sign: yes, no or open."""

    sign: str
    text: str


def checks(page: CasePage) -> list[Check]:
    """What the document as a paper shows: type, check digits and what they do not cover, validity."""
    out: list[Check] = []
    reading, measures, policy = page.reading or {}, page.measures, page.policy
    if measures is None or policy is None:
        return out
    if measures.document_type is None:
        out.append(Check(sign="no", text=_("No known kind of document was recognised.")))
    else:
        accepted = measures.document_type.value in policy.accepted_types
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
        days = measures.days_to_expiry
        if days < 0:
            text = ngettext(
                "The document ended %(num)s day before the request.", "The document ended %(num)s days before the request.", -days
            )
        else:
            text = ngettext("The document is valid for %(num)s more day.", "The document is valid for %(num)s more days.", days)
        out.append(Check(sign="yes" if days >= policy.min_days_to_expiry else "no", text=str(text)))
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


def continuity(page: CasePage) -> list[Check]:
    """Is this the account's person: what must stay, what changes and whether the stated reason explains it."""
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
    if measures.portrait_years is not None and measures.portrait_years >= 1:
        years = int(measures.portrait_years)
        told = ngettext(
            "The printed portrait is at least %(num)s year old.", "The printed portrait is at least %(num)s years old.", years
        )
        out.append(Check(sign="open", text=told))
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
