"""Facts of a case in words and shapes for the agent. No request but its language; no database but for one thing: what the scores
of a run meant by the own calibration that held then.

The machine's similarity is shown as a place on the policy's line, as how many strangers in how many would stand there, and as the
calibrated percentage, cut at 99, with the words that say what it is; never as a percentage of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _
from markupsafe import Markup, escape

from cases import calibration, duplicates
from cases.models import Photo
from cases.queries import CasePage, FieldRow
from cases.review import WEIGHTY
from verification.calibration import OWN_LABEL, FaceCalibration, shipped
from verification.continuity import MAY_CHANGE
from verification.evidence import DATES, Difference, Field, Measures, Pair
from verification.hints import RATES, Hint, Rate
from verification.policy import Policy
from verification.reasons import ReasonCode
from webapp.context import database
from webapp.i18n import hint_sentence, label
from webapp.printed import Printed, photo_read, printed_line, stretch_end

SIMILARITY = (-3.0, 13.0)
"""Ends of the line on which face scores are drawn, always the same so that the eye learns it; beyond them: at the end."""

HEAVY = WEIGHTY
"""Reasons that weigh most; an approval in spite of one needs a note."""


# The table on file · typed · read


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row of the table, ready to print."""

    name: str
    on_file: str | None
    typed: Markup | None
    read: Markup | None
    under: str  # the rule that made them equal, or how sure the reader was
    verdict: str
    differs: bool
    changes: bool
    key: str = ""
    printed: Printed | None = None  # where it differs: the print itself


def lines(page: CasePage, *, with_print: bool = False) -> list[Line]:
    """The table's rows: what changes first, then what the document shows besides. `with_print`: she may see the photo."""
    seen = photo_read(page) if with_print else None
    rows = [_line(row, seen) for row in sorted(page.fields, key=lambda r: (r.typed is None, list(Field).index(r.field)))]
    if page.new_email:
        rows.append(
            Line(
                name=_("E-mail"),
                on_file=page.email,
                typed=escape(page.new_email),
                read=None,
                under="",
                verdict=_("changes"),
                differs=False,
                changes=True,
            )
        )
    return rows


def _line(row: FieldRow, seen: Photo | None) -> Line:
    differs = row.typed is not None and row.agreement is not None and row.agreement < 1.0 and row.read is not None
    unread = row.typed is not None and row.read is None
    plain = row.field not in DATES
    if differs:
        typed = marked(row.typed or "", [(d.claimed_at, d.claimed) for d in row.differences])
        read = marked(row.read or "", [(d.read_at, d.read) for d in row.differences])
        verdict = _differ_words(row.differences) if plain else _("differs")
    else:
        typed, read = _text(row.typed), _text(row.read)
        verdict = _("not read") if unread else _("same") if row.typed is not None else ""
    return Line(
        name=label(row.field),
        on_file=row.on_file,
        typed=typed,
        read=read,
        under=_under(row, differs),
        verdict=verdict,
        differs=differs or unread,
        changes=row.changes,
        key=row.field.value,
        printed=printed_line(row, seen) if differs and seen is not None else None,
    )


def _text(value: str | None) -> Markup | None:
    return None if value is None else escape(value)


def _under(row: FieldRow, differs: bool) -> str:
    """How the value was read, and which spelling rule made it equal to what was typed."""
    said = []
    if row.read is not None and row.confidence is not None:
        source = {"mrz": _("zone"), "viz": _("page"), "both": _("page and zone")}.get(row.source or "", "")
        sure = _("certain") if row.certain else f"{math.floor(row.confidence * 100)}\N{NO-BREAK SPACE}%"
        said.append(f"{source}, {sure}" if source else sure)
    if row.rule and row.rule != "exact":
        said.append(
            _("alike but for: %(rule)s", rule=rule_words(row.rule))
            if differs
            else _("equal by: %(rule)s", rule=rule_words(row.rule))
        )
    return "; ".join(said)


def rule_words(rule: str) -> str:
    """The rule under which two spellings count as equal, in words; several are joined by " + "."""
    known = {
        "exact": _("letter by letter"),
        "number": _("spaces and hyphens left out"),
        "text": _("case and punctuation left out"),
        "case-and-space": _("case and spaces left out"),
        "punctuation": _("full stops and commas left out"),
        "hyphen-space": _("hyphen as space"),
        "apostrophe": _("apostrophe left out"),
        "diacritics-icao-9303": _("accents by ICAO 9303"),
        "icao-9303": _("Latin spelling by ICAO 9303"),
        "gost-2010": _("Latin spelling of 2010"),
        "mvd-310": _("Latin spelling of 1997"),
        "mvd-310-short": _("Latin spelling of 1997, short ending"),
        "mvd-782": _("Latin spelling of 2000"),
        "mvd-310-french": _("French spelling before 2000"),
        "kazakh": _("Kazakh spelling"),
        "kazakh-latin": _("Kazakh alphabet of 2021"),
        "kazakh-russian": _("Kazakh letters in Russian"),
        "state-table": _("the issuing state's own table"),
        "yo-e": _("Ё written as Е"),
        "short-i": _("Й written as И"),
        "homoglyphs": _("look-alike letters of two alphabets"),
        "mrz-truncation": _("cut off in the zone"),
        "component-order": _("order of the names"),
        "abbreviation": _("abbreviated name"),
        "single-name": _("one name only"),
    }
    return ", ".join(known.get(part, part) for part in rule.split(" + "))


def _differ_words(differences: Iterable[Difference]) -> str:
    count = sum(max(len(d.claimed), len(d.read), 1) for d in differences)
    return str(ngettext("%(num)s letter differs", "%(num)s letters differ", count)) if count else _("differs")


def marked(text: str, spans: Iterable[tuple[int, str]]) -> Markup:
    """`text` with each differing stretch in <mark>, and in words for readers who do not see it.

    A span is (position, letters); no letters = something is missing there. Positions outside the text are left out.

    >>> str(marked("Anna", [(2, "")])).count("<mark")
    1
    """
    out, at = Markup(""), 0
    for start, piece in sorted(spans):
        if not at <= start <= len(text):
            continue
        end = stretch_end(text, start, piece)
        out += escape(text[at:start])
        if end == start:
            out += Markup('<mark class="gap"><span class="visually-hidden">{}</span></mark>').format(_("[missing here]"))
        else:
            out += Markup('<mark>{}<span class="visually-hidden"> {}</span></mark>').format(text[start:end], _("[differs]"))
        at = end
    return out + escape(text[at:])


# Scores


@dataclass(frozen=True, kw_only=True)
class Score:
    """One measure as a place on the policy's line. Positions are 0-300 from the left."""

    name: str
    about: str
    value: float | None
    value_text: str
    at: float
    line: float
    line_text: str
    passes: bool
    said: str
    percentage: str = ""  # the calibrated one with what it says; empty where none can be given


def scores(page: CasePage) -> list[Score]:
    """Faces, pair by pair, then the weakest reading."""
    measures, policy = page.measures, page.policy
    if measures is None or policy is None:
        return []
    held = calibration_of(measures)
    out = [_face(pair, measures, policy, held) for pair in Pair if pair is Pair.SELFIE_DOCUMENT or measures.has_face_on_file]
    if measures.confidence:
        weakest, confidence = min(measures.confidence.items(), key=lambda item: item[1])
        out.append(
            Score(
                name=_("Weakest reading"),
                about=label(weakest),
                value=confidence,
                value_text=str(format_decimal(confidence, "0.00")),
                at=_place(confidence, 0.0, 1.0),
                line=_place(policy.min_confidence, 0.0, 1.0),
                line_text=_("needs %(n)s", n=format_decimal(policy.min_confidence, "0.0#")),
                passes=confidence >= policy.min_confidence,
                said=_("How sure the reader was of what it could make out worst."),
            )
        )
    return out


def pair_name(pair: Pair) -> str:
    """Which two faces."""
    return {
        Pair.SELFIE_DOCUMENT: _("Selfie and passport portrait"),
        Pair.SELFIE_ON_FILE: _("Selfie and face on file"),
        Pair.DOCUMENT_ON_FILE: _("Passport portrait and face on file"),
    }[pair]


def calibration_of(measures: Measures) -> FaceCalibration | None:
    """The calibration by which a run's scores were weighed; None where it is of another version and no longer known."""
    if shipped().label in measures.engines:
        return shipped()
    label_of_own = next((name for name in measures.engines if name.startswith(OWN_LABEL)), None)
    if label_of_own is None:
        return None
    with database().reading() as db:
        return calibration.named(db, label_of_own)


def percentage_words(percentage: int | None) -> str:
    """A calibrated percentage and what it says; empty where there is none."""
    if percentage is None:
        return ""
    if percentage >= 99:
        return _("99 in 100 or more: of equally many right and like-looking wrong people with this score, so many are right.")
    if percentage <= 1:
        return _("1 in 100 or fewer: of equally many right and like-looking wrong people with this score, so few are right.")
    return _(
        "%(n)s in 100: of equally many right and like-looking wrong people with this score, so many are right.", n=percentage
    )


def _face(pair: Pair, measures: Measures, policy: Policy, held: FaceCalibration | None) -> Score:
    needed = policy.min_similarity(pair)
    found = measures.pairs.get(pair)
    usable = found is not None and isinstance(found.similarity, (int, float)) and math.isfinite(found.similarity)
    value = found.similarity if found is not None and usable else None
    passes = value is not None and value >= needed
    if value is None or found is None:
        verdict, said = _("not compared"), _("These two faces could not be compared.")
    else:
        verdict = (
            _("same person by the policy")
            if passes
            else _("another person by the policy")
            if value < policy.differ_below
            else _("not sure")
        )
        said = strangers(found.fmr)
        if not found.voices_agree:
            said += " " + _("The two face networks contradict each other.")
    return Score(
        name=pair_name(pair),
        about=verdict,
        value=value,
        value_text="–" if value is None else str(format_decimal(value, "0.0")),
        at=_place(value if value is not None else SIMILARITY[0], *SIMILARITY),
        line=_place(needed, *SIMILARITY),
        line_text=_("needs %(n)s", n=format_decimal(needed, "0.0#")),
        passes=passes,
        said=said,
        percentage=percentage_words(
            held.percentage(pair, value, eyes=measures.document.head_size) if held is not None and value is not None else None
        ),
    )


SHOWN_AT_BEST = 1e-5
"""Rarer than this the pairs of the calibration cannot tell (`supported` in verification/faces/calibration.json)."""


def strangers(fmr: float | None) -> str:
    """How many strangers in how many would score at least this high, rounded to two figures."""
    if fmr is None or not math.isfinite(fmr) or not 0 <= fmr <= 1:
        return _("Outside what was tested: no odds can be given.")
    if fmr >= 0.5:
        return _("Most strangers would score this high.")
    if fmr < SHOWN_AT_BEST:
        return _("Fewer than 1 in 100 000 strangers would score this high.")
    odds = 1 / fmr
    rounded = round(odds, 1 - math.floor(math.log10(odds)))
    return _("1 in %(n)s strangers would score this high.", n=format_decimal(max(2, round(rounded))))


@dataclass(frozen=True, kw_only=True)
class SameFace:
    """Another customer's case with a face like this one's, and what that is worth, in words."""

    case_id: UUID
    odds: str
    chance: str


def same_faces(candidates: Sequence[duplicates.Candidate], searched: int | None) -> list[SameFace] | None:
    """What a search among all faces kept found, closest first; `searched`: among how many. None: not searched for yet."""
    if searched is None:
        return None
    return [
        SameFace(
            case_id=found.case_id,
            odds=strangers(found.fmr),
            chance=_(
                "Among the %(n)s faces compared, %(expected)s such are to be expected by chance.",
                n=format_decimal(searched),
                expected=format_decimal(found.expected, "0.###") if found.expected >= 0.001 else _("fewer than 0.001"),
            ),
        )
        for found in candidates
    ]


def _place(value: float, low: float, high: float) -> float:
    return round(300 * (min(max(value, low), high) - low) / (high - low), 1)


# Checks and continuity, in words


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
    return f"{label(name).lower()} ({ngettext('%(num)s letter', '%(num)s letters', letters)})"


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


# Times


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Time left or waited, short, with a word for its urgency."""

    text: str
    kind: str  # late, soon or calm


def clock(due: datetime | None, now: datetime) -> Clock | None:
    """Until when a person was promised to answer."""
    if due is None:
        return None
    left = (due - now).total_seconds()
    if left < 0:
        return Clock(text=_("late by %(time)s", time=span(-left)), kind="late")
    return Clock(text=_("in %(time)s", time=span(left)), kind="soon" if left <= 1800 else "calm")


def span(seconds: float) -> str:
    """A stretch of time, short: 4 min, 3 h 20 min, 2 days."""
    minutes = int(seconds // 60)
    if minutes < 60:
        return _("%(n)s min", n=minutes)
    if minutes < 24 * 60:
        return _("%(h)s h %(m)s min", h=minutes // 60, m=minutes % 60)
    return str(ngettext("%(num)s day", "%(num)s days", minutes // (24 * 60)))


# Words for codes of the history


def action_words(action: str) -> str:
    """What an agent answered."""
    return {
        "approve": _("approved"), "reject": _("rejected"), "ask_retake": _("asked for a photo again"), "revert": _("put back"),
        "settle": _("let the change stand"),
    }.get(action, action)  # fmt: skip


def outcome_words(outcome: str | None) -> str:
    """What the policy decided in one run."""
    return {
        "approve": _("approve"),
        "retake": _("ask for a photo again"),
        "refer": _("to a person"),
        None: _("not finished"),
    }.get(outcome, outcome or "")


def by_words(by: str) -> str:
    """Who did it: a name of staff, or one of the four that are nobody in particular."""
    return {
        "customer": _("the customer"),
        "machine": _("the machine"),
        "system": _("the system"),
        "host": _("the host system"),
    }.get(by, by)


def portrait_frame(page: CasePage) -> tuple[str, int, int] | None:
    """The view box that shows the portrait on the document with some room around it, and the photo's size; None if not found."""
    photo = photo_read(page)
    box = ((page.reading or {}).get("portrait") or {}).get("box")
    if photo is None or not box:
        return None
    width, height = photo.quality.get("width"), photo.quality.get("height")
    if not width or not height:
        return None
    x, y, w, h = (float(n) for n in box)
    if w <= 0 or h <= 0:
        return None
    room = 0.12 * max(w, h)
    left, top = max(0.0, x - room), max(0.0, y - room)
    right, bottom = min(float(width), x + w + room), min(float(height), y + h + room)
    if right <= left or bottom <= top:
        return None
    return f"{left:.0f} {top:.0f} {right - left:.0f} {bottom - top:.0f}", int(width), int(height)


def heavy_first(reasons: Iterable[ReasonCode]) -> list[ReasonCode]:
    """Reasons in reading order, those that weigh most first."""
    return sorted(reasons, key=lambda r: r not in HEAVY)
