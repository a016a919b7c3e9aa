"""The page "Now" in words: what a switch speaks of, and how a figure compares with the usual. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _

from cases import halt_words
from cases.nowfigures import Count, Difference, Share, Times, Way
from cases.switches import Check, Kind, Scope, SwitchRow
from verification.evidence import DocumentType, Step
from webapp.i18n import locale
from webapp.ops.presenters import choice_name, seconds_said, share_said


def scope_said(scope: Scope) -> str:
    """What goes to people, as the beginning of a line."""
    if scope.kind is Kind.COUNTRY:
        return _("Documents issued by %(country)s", country=scope.name)
    if scope.kind is Kind.DOCUMENT:
        return _("Document: %(kind)s", kind=choice_name("accepted_types", scope.name))
    if scope.kind is Kind.CHECK:
        return check_said(Check(scope.name))
    return _("Everything")


def reason_said(row: SwitchRow) -> str:
    """Why a switch was turned; in the reader's language where the system turned it."""
    return row.reason if row.proposed_by_id else halt_words.reason(row.reason, locale())


def check_said(check: Check) -> str:
    """Which requests rest on a check."""
    return {
        Check.LIVENESS: _("Requests with a head turn"),
        Check.ZONE: _("Requests whose machine-readable zone was read"),
        Check.PRINT: _("Requests that rest on the printed part of a page"),
        Check.ON_FILE: _("Requests compared with a face on file"),
    }[check]


def documents() -> list[tuple[str, str]]:
    """Kinds of document for the list: scope and words."""
    return [(f"document:{kind.value}", choice_name("accepted_types", kind.value)) for kind in DocumentType]


def checks() -> list[tuple[str, str]]:
    """Checks for the list: scope and words."""
    return [(f"check:{check.value}", check_said(check)) for check in Check]


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One figure: `value` big, `label` below, then `n` and how it compares. `mood` is "", "warn" or "bad"."""

    value: str
    label: str
    n: str = ""
    usual: str = ""
    compared: str = ""
    mood: str = ""


def counted(label: str, count: Count, *, more_is: str = "", less_is: str = "", n: str = "") -> Tile:
    """A count; moods for more and for less than usual."""
    usual = "" if count.usual is None else _("usual: %(value)s", value=format_decimal(round(count.usual, 1)))
    way = count.difference.way
    return Tile(
        value=format_decimal(count.n),
        label=label,
        n=n,
        usual=usual,
        compared=difference_said(count.difference),
        mood=more_is if way is Way.MORE else less_is if way is Way.LESS else "",
    )


def shared(label: str, share: Share, *, more_is: str = "", less_is: str = "") -> Tile:
    """A share of the whole, told with both counts."""
    usual = "" if share.usual is None else _("usual: %(value)s", value=share_said(share.usual))
    way = share.difference.way
    return Tile(
        value=share_said(share.value),
        label=label,
        n=_("%(part)s of %(n)s", part=format_decimal(share.part), n=format_decimal(share.n)),
        usual=usual,
        compared=difference_said(share.difference, points=True),
        mood=more_is if way is Way.MORE else less_is if way is Way.LESS else "",
    )


def timed(label: str, times: Times) -> Tile:
    """Median and p90 of a time; longer than usual is worth a look."""
    few = times.difference().way is Way.NOTHING
    longer = Way.MORE in (times.difference().way, times.difference(p90=True).way)
    said = _("n = %(n)s", n=format_decimal(times.n))
    if times.sampled:
        said = _("n = %(n)s, the newest", n=format_decimal(times.n))
    usual = ""
    if times.usual_median is not None:
        usual = _("usual: %(value)s", value=f"{seconds_said(times.usual_median)} / {seconds_said(times.usual_p90)}")
    return Tile(
        value=seconds_said(times.median) if times.p90 is None else f"{seconds_said(times.median)} / {seconds_said(times.p90)}",
        label=label,
        n=said,
        usual=usual,
        compared=_("too few to compare") if usual and few else difference_said(times.difference(), longer=True),
        mood="warn" if longer else "",
    )


@dataclass(frozen=True, kw_only=True)
class StepLine:
    """One step of a run, in words; `slower` where half of all runs, or one in ten, take longer than usual."""

    name: str
    median: str
    p90: str
    n: str
    usual: str
    compared: str
    slower: bool


def steps_said(steps: Mapping[str, Times]) -> list[StepLine]:
    """Each step beside the usual, in the order of the steps. Where half are as usual, what nine in ten take is compared."""
    lines = []
    for step, times in steps.items():
        half, most = times.difference(), times.difference(p90=True)
        compared = difference_said(half, longer=True)
        if half.way is Way.NOTHING and times.usual_n:
            compared = _("too few to compare")
        elif half.way is Way.SAME and most.way is not Way.SAME:
            compared = _("nine in ten: %(compared)s", compared=difference_said(most, longer=True))
        usual = ""
        if times.usual_median is not None and times.usual_p90 is not None:
            usual = f"{seconds(times.usual_median)} / {seconds(times.usual_p90)}"
        lines.append(
            StepLine(
                name=step_words(step),
                median="–" if times.median is None else seconds(times.median),
                p90="–" if times.p90 is None else seconds(times.p90),
                n=format_decimal(times.n),
                usual=usual and _("%(times)s of n = %(n)s", times=usual, n=format_decimal(times.usual_n)),
                compared=compared,
                slower=Way.MORE in (half.way, most.way),
            )
        )
    return lines


def step_words(step: str) -> str:
    """What a run is busy with."""
    return {
        Step.PHOTOS.value: _("opening the photos"),
        Step.PASSPORT.value: _("reading the passport"),
        Step.FACES.value: _("comparing the faces"),
        Step.DETAILS.value: _("comparing the details"),
    }.get(step, step)


def seconds(took: float) -> str:
    """How long a step takes: two places, for most are below a second."""
    return _("%(n)s s", n=format_decimal(round(took, 2), format="0.00"))


def difference_said(difference: Difference, *, points: bool = False, longer: bool = False) -> str:
    """As usual, or how much more, less, longer or shorter than usual."""
    if difference.way is Way.NOTHING:
        return _("nothing to compare with")
    if difference.way is Way.SAME:
        return _("as usual")
    more = difference.way is Way.MORE
    if difference.amount is None:
        return _("usually none")
    if points:
        n = max(round(difference.amount), 1)
        if more:
            return str(ngettext("%(num)s point more than usual", "%(num)s points more than usual", n))
        return str(ngettext("%(num)s point less than usual", "%(num)s points less than usual", n))
    if more and difference.amount >= 1:
        times = format_decimal(round(1 + difference.amount, 1))
        return _("%(n)s times as long as usual", n=times) if longer else _("%(n)s times as many as usual", n=times)
    share = share_said(round(difference.amount, 2))
    if longer:
        return _("%(share)s longer than usual", share=share) if more else _("%(share)s shorter than usual", share=share)
    return _("%(share)s more than usual", share=share) if more else _("%(share)s fewer than usual", share=share)
