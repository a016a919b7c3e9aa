"""A weekly report in words: what page, PDF and mail show alike, in one language. Pure: no database, no request.

Every figure comes with what it rests on, between what it likely lies, what it was the week before, and whether that difference is
more than chance would make. Rails are places 0-1 on a line whose ends the section says, so that whoever draws needs no figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_interval
from babel.numbers import format_decimal, format_percent

from cases import wording
from cases.figures import FIGURES as AGENT_FIGURES
from cases.reports import FIGURES, SMALL, Figure, Group, OwnWeek, Report, ReportWeek, TeamSpread, Topic
from cases.wording import N_
from verification.reasons import ReasonCode

HEADLINES = ("automation", "person_median", "overturned", "csat")
"""The four that a lead reads first: what it spares, how long people wait for people, what went wrong, what customers say."""

INSTEAD = {"overturned": "reversed"}
"""What comes first where nothing was reviewed: approvals that were taken back need no review to be known."""

COURSE = (*HEADLINES, *INSTEAD.values())
"""What is looked back on."""

FEW = 20
"""What a figure must rest on not to be marked as few (facts/ecosystem.md 5)."""

SURE = 1.96
"""Standard errors from which on a change is more than chance: five in a hundred equal weeks differ as much."""

BETTER_UP = frozenset({"automation", "first_pass", "completion", "sla", "few_interactions", "one_touch", "csat", "csat_response"})
BETTER_DOWN = frozenset(
    {
        "machine_median", "machine_p90", "person_median", "person_p90", "response_median", "response_p90", "interactions_case",
        "interactions_application", "cost", "overturned", "overturned_machine", "overturned_people", "reversed", "asked_again",
        "expired", "taken_back",
    }
)  # fmt: skip
"""Where more is better, and where less is; of the other figures neither can be said."""

GROUP_FIGURES = ("automation", "first_pass", "person_median", "sla", "overturned", "csat")
"""Columns of the tables of countries and policy versions."""

INTERACTIONS = ("interactions_case", "interactions_application")
TIMES = ("machine_median", "machine_p90", "person_median", "person_p90", "response_median", "response_p90")
TICKS = (1.0, 10.0, 60.0, 600.0, 3600.0, 6 * 3600.0, 86400.0, 4 * 86400.0)
"""Seconds at which the rail of times may begin and end; it is logarithmic: a machine takes seconds, people hours."""

METRICS = "docs/metrics.md"
"""Where each figure is defined."""

MOST_TOPICS = 8
"""Reasons listed; the rest is one line."""

NAMES: dict[str, tuple[str, str]] = {
    "opened": (N_("Requests begun"), N_("Requests that were begun in the week.")),
    "sent": (N_("Requests sent"), N_("Requests that were sent for the first time in the week.")),
    "decided": (N_("Requests decided"), N_("Requests approved or refused in the week.")),
    "approved": (N_("Requests approved"), N_("Requests whose change was made.")),
    "rejected": (N_("Requests refused"), N_("Requests that a person refused; a machine never does.")),
    "withdrawn": (N_("Requests withdrawn"), N_("Requests that the customer took back.")),
    "expired": (N_("Requests expired"), N_("Requests that were never sent, or whose photo was never taken again.")),
    "referred": (N_("Requests sent on to a person"), N_("Requests that came to the desk.")),
    "taken_back": (N_("Approvals taken back"), N_("Approvals that were put back in the week, whenever they were given.")),
    "automation": (
        N_("Done without a person"),
        N_("Of the requests approved or refused, those in which nobody at the desk did anything. An appeal counts against it."),
    ),
    "first_pass": (
        N_("Approved at the first try"),
        N_("Of the requests sent, those that the machine approved as they came: no new photo, no person."),
    ),
    "completion": (N_("Sent, of those begun"), N_("Of the requests begun, those that were sent.")),
    "handed_off": (N_("Needed a person"), N_("Of the requests sent, those that came to the desk.")),
    "asked_again": (N_("Asked for a photo again"), N_("Of the requests sent, those whose customer had to take a photo again.")),
    "machine_median": (
        N_("Machine’s decision, half are faster"),
        N_("From sending to a decision that the machine made alone: the middle value."),
    ),
    "machine_p90": (N_("Machine’s decision, nine in ten are faster"), N_("The same; nine in ten took less.")),
    "person_median": (
        N_("A person’s decision, half are faster"),
        N_("From sending to a decision in which a person took part: the middle value. Nights and weekends count."),
    ),
    "person_p90": (N_("A person’s decision, nine in ten are faster"), N_("The same; nine in ten took less.")),
    "response_median": (
        N_("First answer of a person, half are faster"),
        N_("From coming to the desk to an agent’s first message or answer: the middle value."),
    ),
    "response_p90": (N_("First answer of a person, nine in ten are faster"), N_("The same; nine in ten took less.")),
    "sla": (
        N_("Within the promised time"),
        N_("Of the requests whose promised hour lay in the week, those answered before it."),
    ),
    "interactions_case": (
        N_("Exchanges per request at the desk"),
        N_("Submissions, messages both ways and papers, per decided request that was at the desk: the mean."),
    ),
    "interactions_application": (
        N_("Exchanges per request"),
        N_("The same per decided request, at the desk or not: the mean."),
    ),
    "few_interactions": (
        N_("At most two exchanges"),
        N_("Of the decided requests, those that took two exchanges or fewer."),
    ),
    "one_touch": (
        N_("One answer was enough"),
        N_("Of the requests that a person decided, those that took one step of an agent only."),
    ),
    "cost": (
        N_("Agents’ minutes per 100 requests"),
        N_("Minutes at work on their answers, per 100 decided requests. A pause counts five minutes at most."),
    ),
    "overturned": (
        N_("Answered otherwise on review"),
        N_("Of the decisions drawn by chance and looked at again blind in the week, those that got another answer."),
    ),
    "overturned_machine": (N_("On review: the machine’s"), N_("The same, of the approvals that the machine gave alone.")),
    "overturned_people": (N_("On review: people’s"), N_("The same, of people’s answers.")),
    "reversed": (
        N_("Approvals of the week taken back"),
        N_("Of the approvals given in the week, those put back so far. It still grows for weeks."),
    ),
    "csat": (
        N_("Rated easy, of those who rated"),
        N_("Of the ratings of decisions, those that say “easy” or “very easy”."),
    ),
    "csat_response": (N_("Gave a rating"), N_("Of the customers who were asked how easy it was, those who answered.")),
}
"""Each figure in the reader's words, and how it is counted in short; docs/metrics.md has the whole definition."""

STEP_NAMES = {
    "link_opened": N_("Opened the link"),
    "reason": N_("Said why"),
    "details": N_("Gave the details"),
    "photos": N_("Took the photos"),
    "sent": N_("Sent the request"),
    "decided": N_("Got a decision"),
    "approved": N_("Have the change"),
}

AGENT_NAMES = {
    "handled": N_("Answered"),
    "minutes": N_("Minutes a case"),
    "in_time": N_("In time"),
    "agreement": N_("Same as second eyes"),
    "quality": N_("Confirmed on review"),
    "overturned": N_("Overturned"),
    "reopened": N_("Opened again"),
    "rating": N_("Rated easy"),
    "retake": N_("Asked for a photo"),
    "reject": N_("Refused"),
}
"""The same words as on the team's page (`webapp.desk.figures.words`)."""


# What is shown


@dataclass(frozen=True, kw_only=True)
class Rail:
    """Places 0-1 on a line: the value, the ends of its interval, the week before. None: not to be drawn."""

    at: float | None
    low: float | None = None
    high: float | None = None
    before: float | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    """One figure, ready to print. `mood`: "good", "bad", or "" where neither is sure."""

    key: str
    name: str
    about: str
    value: str
    between: str  # "71 % – 84 %", "–" where nothing bounds it
    before: str
    change: str  # "+3.2 pp."; "–" where there is nothing to compare with
    chance: bool  # whether chance alone would often make as much
    mood: str
    n: str
    few: bool
    rail: Rail | None = None


@dataclass(frozen=True, kw_only=True)
class Past:
    """A figure in one of the weeks up to this one; `height` 0-1 of the highest."""

    week: str
    value: str
    height: float | None
    few: bool


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One of the four that come first."""

    line: Line
    sentences: tuple[str, ...]  # what it rests on and between what it lies; how it changed
    past: tuple[Past, ...]  # oldest first; empty where there is nothing to look back on
    past_said: str


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar of a chart with its label. `share` and `before` 0-1 of the chart's longest."""

    label: str
    value: str
    detail: str
    share: float | None  # None: the step leaves no row
    before: float | None
    change: str = ""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Bars below each other. Every bar has its numbers in words beside it."""

    title: str
    about: str
    bars: tuple[Bar, ...]
    note: str = ""
    columns: tuple[str, str, str] = ("", "", "")  # heads of label, value and detail in the table


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of a table: what stands in it, what it rests on, whether that is few; `mark`: "▲" or "▼"."""

    text: str
    n: str = ""
    few: bool = False
    mark: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of groups or people: the first column is a name, the others numbers."""

    key: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str
    empty: str


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading with figures below it; `rails` says what the ends of their lines mean, "" where none are drawn."""

    key: str
    title: str
    lines: tuple[Line, ...]
    rails: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A whole report in words."""

    language: str
    title: str  # "Week 47, 16 – 22 November 2026"
    scope: str  # "All countries, all policies"
    as_of: str
    running: str  # a warning while the week is not over
    few: str  # a warning where the whole week is few cases
    summary: str
    tiles: tuple[Tile, ...]
    funnel: Chart
    topics: Chart
    sections: tuple[Section, ...]
    tables: tuple[Table, ...]
    definitions: tuple[tuple[str, str], ...]
    how: tuple[str, ...]  # how to read it


Course = Mapping[str, Sequence[tuple[ReportWeek, Figure | None]]]
"""The weeks up to this one by figure, as `cases.reports.course` gives them."""


class Speaker:
    """Numbers and texts of one language."""

    def __init__(self, language: str) -> None:
        self.language = wording.language_of(language) or wording.SOURCE
        self._ = wording.gettext(self.language)
        self.ngettext = wording.ngettext(self.language)

    def number(self, value: float, form: str = "#,##0.#") -> str:
        """A number as people write it."""
        return str(format_decimal(value, form, locale=self.language))

    def share(self, value: float | None) -> str:
        """A share in per cent, one place."""
        if value is None:
            return "–"
        gap = "" if self.language == "en" else "\N{NO-BREAK SPACE}"
        return str(format_percent(value, f"#,##0.#{gap}%", locale=self.language))

    def seconds(self, value: float | None) -> str:
        """A stretch of time in the unit that fits it: 8 s, 3.5 min, 5.2 h, 3 days."""
        _ = self._
        if value is None:
            return "–"
        if value < 90:
            return _("%(n)s s") % {"n": self.number(value, "0.#" if value < 9.95 else "0")}
        if value < 90 * 60:
            return _("%(n)s min") % {"n": self.number(value / 60, "0.#" if value < 597 else "0")}
        if value < 48 * 3600:
            return _("%(n)s h") % {"n": self.number(value / 3600, "0.#")}
        ngettext, days = self.ngettext, round(value / 86400)
        return ngettext("%(num)s day", "%(num)s days", days) % {"num": self.number(days)}

    def figure(self, value: float | None, unit: str) -> str:
        """A value of one of `reports.UNITS`."""
        if value is None:
            return "–"
        if unit == "share":
            return self.share(value)
        if unit == "seconds":
            return self.seconds(value)
        return self.number(value, "#,##0" if unit == "count" else "#,##0.##" if unit == "mean" else "#,##0.#")

    def change(self, figure: Figure) -> str:
        """How it differs from the week before: "+3.2 pp.", "−12 s"; "±0" where both are the same; "–" without one."""
        _, moved = self._, figure.change
        if moved is None:
            return "–"
        sign = "+" if moved > 0 else "\N{MINUS SIGN}" if moved < 0 else "±"
        if figure.unit == "share":
            return _("%(n)s pp.") % {"n": sign + self.number(abs(round(100 * moved, 1)), "0.#")}
        return sign + self.figure(abs(moved), figure.unit)

    def agents(self, name: str, value: float | None) -> str:
        """A value of `cases.figures.FIGURES` or "handled"."""
        if value is None:
            return "–"
        if name in ("minutes", "handled"):
            return self.number(value, "0.0" if name == "minutes" else "#,##0.#")
        return self.share(value)

    def day(self, day: date, form: str = "d MMMM y") -> str:
        """A date in words."""
        return str(format_date(day, form, locale=self.language))

    def moment(self, moment: datetime, zone: str) -> str:
        """A time on the clocks of `zone`, which it names."""
        local = moment.astimezone(ZoneInfo(zone))
        return f"{self.day(local.date(), 'long')}, {local:%H:%M} ({zone})"

    def week(self, week: ReportWeek) -> str:
        """Its number and its days."""
        days = format_interval(week.monday, week.sunday, "yMMMMd", locale=self.language)
        return self._("Week %(number)s: %(days)s") % {"number": week.monday.isocalendar().week, "days": days}


def beyond_chance(figure: Figure) -> bool:
    """Whether the change against the week before is larger than chance would make it in nineteen of twenty equal weeks.

    Shares: two proportions, pooled. Counts: two Poisson counts. Others: both weeks' intervals together, the earlier one's taken
    from this week's by the square root of what each rests on. False where that cannot be said.
    """
    moved = figure.change
    if moved is None or moved == 0 or figure.before is None or figure.value is None:
        return False
    if figure.unit == "count":
        return abs(moved) > SURE * math.sqrt(figure.value + figure.before)
    n, m = figure.n, figure.before_n
    if not n or not m:
        return False
    if figure.unit == "share":
        pooled = (figure.value * n + figure.before * m) / (n + m)
        return abs(moved) > SURE * math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    if figure.low is None or figure.high is None:
        return False
    half = (figure.high - figure.low) / 2
    return abs(moved) > math.sqrt(half**2 * (1 + n / m))


def mood_of(name: str, figure: Figure) -> str:
    """ "good" or "bad" where the change is beyond chance and has a direction that is better; else ""."""
    moved = figure.change
    if not moved or not beyond_chance(figure):
        return ""
    if name in BETTER_UP:
        return "good" if moved > 0 else "bad"
    if name in BETTER_DOWN:
        return "good" if moved < 0 else "bad"
    return ""


def sheet(report: Report, language: str, *, course: Course | None = None, names: Mapping[UUID, str] | None = None) -> Sheet:
    """Put a report into words. `names` of agents, for those who may see them: without it there is no table of agents."""
    say = Speaker(language)
    _, ngettext = say._, say.ngettext
    fig = report.figures
    people = [] if names is None else [_agents(say, report, names)]
    broken_down = report.country is None and report.policy is None
    return Sheet(
        language=say.language,
        title=say.week(report.week),
        scope=scope_said(say, report.country, report.policy),
        as_of=_("As of %(time)s") % {"time": say.moment(report.as_of, report.week.time_zone)},
        running=_("This week is not over yet: every figure still changes.") if report.running else "",
        few=ngettext(
            "Only %(num)s request: chance moves every figure.", "Only %(num)s requests: chance moves every figure.", report.cases
        )
        % {"num": say.number(report.cases)}
        if report.cases < FEW
        else "",
        summary=_summary(say, report),
        tiles=tuple(_tile(say, name, fig[name], (course or {}).get(name, ())) for name in headlines(report)),
        funnel=_funnel(say, report),
        topics=_topics(say, report),
        sections=_sections(say, report),
        tables=(
            *(
                [
                    _groups(say, "countries", _("By country"), _("Country"), report.countries, _("No country had a request.")),
                    _groups(
                        say, "policies", _("By policy version"), _("Policy"), report.policies, _("No policy decided anything.")
                    ),
                ]
                if broken_down
                else []
            ),
            *people,
        ),
        definitions=tuple((_(NAMES[name][0]), _(NAMES[name][1])) for name in FIGURES),
        how=(
            _("“Likely between”: if all such weeks were counted, 95 in 100 would have the true value in there."),
            _("“May be chance”, on paper “≈”: two equal weeks would often differ as much."),
            _("What rests on fewer than %(few)s is grey; groups under %(small)s are not broken down.")
            % {"few": FEW, "small": SMALL},
            _("The whole of each definition stands in %(file)s, edition %(n)s.") % {"file": METRICS, "n": report.definitions},
        ),
    )


def headlines(report: Report) -> tuple[str, ...]:
    """The four that come first in this report."""
    return tuple(INSTEAD[name] if name in INSTEAD and not report.figures[name].n else name for name in HEADLINES)


def scope_said(say: Speaker, country: str | None, policy: int | None) -> str:
    """Which requests a report is about."""
    _ = say._
    if country is not None:
        return _("Country: %(code)s") % {"code": country or _("not said")}
    if policy is not None:
        return _("Policy %(number)s") % {"number": policy}
    return _("All countries, all policies")


def group_name(say: Speaker, key: str, code: str) -> str:
    """A country's or policy's row."""
    _ = say._
    if code:
        return code
    return _("not said") if key == "countries" else _("no machine looked")


def line(say: Speaker, name: str, figure: Figure, *, place: Callable[[float], float] | None = None) -> Line:
    """One figure in words. `place`: where a value lies on the section's rail."""
    _ = say._
    bounded = figure.low is not None and figure.high is not None

    def at(value: float | None) -> float | None:
        return None if place is None or value is None else min(1.0, max(0.0, place(value)))

    return Line(
        key=name,
        name=_(NAMES[name][0]),
        about=_(NAMES[name][1]),
        value=say.figure(figure.value, figure.unit),
        between=f"{say.figure(figure.low, figure.unit)} – {say.figure(figure.high, figure.unit)}" if bounded else "–",
        before=say.figure(figure.before, figure.unit),
        change=say.change(figure),
        chance=bool(figure.change) and not beyond_chance(figure),
        mood=mood_of(name, figure),
        n=say.number(figure.n),
        few=figure.unit != "count" and figure.n < FEW,
        rail=Rail(at=at(figure.value), low=at(figure.low), high=at(figure.high), before=at(figure.before))
        if place is not None
        else None,
    )


def _tile(say: Speaker, name: str, figure: Figure, course: Sequence[tuple[ReportWeek, Figure | None]]) -> Tile:
    _ = say._
    told = line(say, name, figure, place=(lambda v: v) if figure.unit == "share" else None)
    if figure.value is None:
        basis = _("Nothing to count in this week.")
    elif figure.unit == "share":
        part = _("%(part)s of %(n)s") % {"part": say.number(round(figure.value * figure.n)), "n": told.n}
        basis = _("%(part)s, likely between %(between)s.") % {"part": part, "between": told.between}
    elif told.between == "–":
        basis = _("From %(n)s; too few to say between what it lies.") % {"n": told.n}
    else:
        basis = _("From %(n)s, likely between %(between)s.") % {"n": told.n, "between": told.between}
    if figure.change is None:
        moved = _("Nothing in the week before to compare with.")
    elif told.chance:
        moved = _("%(change)s against %(before)s the week before; that may be chance.") % {
            "change": told.change,
            "before": told.before,
        }
    else:
        moved = _("%(change)s against %(before)s the week before.") % {"change": told.change, "before": told.before}
    values = [one.value for _week, one in course if one is not None and one.value is not None]
    top = max([*values, 0.0]) or 1.0
    past = tuple(
        Past(
            week=say.day(week.monday, "d MMM"),
            value=say.figure(one.value if one else None, figure.unit),
            height=None if one is None or one.value is None else one.value / top,
            few=one is None or one.n < FEW,
        )
        for week, one in course
    )
    return Tile(
        line=told,
        sentences=(basis, moved),
        past=past if len(values) > 1 else (),
        past_said=", ".join(f"{one.week} {one.value}" for one in past),
    )


def _summary(say: Speaker, report: Report) -> str:
    """The week in one line of plain words."""
    ngettext, fig = say.ngettext, report.figures

    def n(name: str) -> int:
        return int(fig[name].value or 0)

    parts = (
        ngettext("%(num)s request sent", "%(num)s requests sent", n("sent")) % {"num": say.number(n("sent"))},
        ngettext("%(num)s approved", "%(num)s approved", n("approved")) % {"num": say.number(n("approved"))},
        ngettext("%(num)s refused", "%(num)s refused", n("rejected")) % {"num": say.number(n("rejected"))},
        ngettext("%(num)s went to a person", "%(num)s went to a person", n("referred")) % {"num": say.number(n("referred"))},
    )
    return " · ".join(parts)


def _funnel(say: Speaker, report: Report) -> Chart:
    _ = say._
    steps = report.funnel.steps
    first = next((step.count for step in steps if step.count), None) or 1
    bars = []
    for step in steps:
        if step.count is None:
            bars.append(
                Bar(label=_(STEP_NAMES[step.name]), value="–", detail=_("not counted by itself"), share=None, before=None)
            )
            continue
        of, whole = step.of_previous, step.of_first
        detail = ""
        if of is not None and of.value is not None:
            detail = _("%(share)s of the step before") % {"share": say.share(of.value)}
            if of.low is not None and of.high is not None:
                detail += f" ({say.share(of.low)} – {say.share(of.high)})"
        bars.append(
            Bar(
                label=_(STEP_NAMES[step.name]),
                value=say.number(step.count),
                detail=detail,
                share=step.count / first,
                before=whole.before if whole is not None else None,
                change=say.change(of) if of is not None and of.before is not None else "",
            )
        )
    return Chart(
        title=_("From the link to the change"),
        about=_("People who came this far by the end of the week. The thin line: the share of the week before."),
        bars=tuple(bars),
        columns=(_("Step"), _("People"), _("Of the step before")),
    )


def topic_name(say: Speaker, topic: Topic) -> str:
    """The reason as agents read it."""
    try:
        return wording.agent_sentence(ReasonCode(topic.code), say.language)
    except ValueError:  # a code of an older release
        return topic.code


def _topics(say: Speaker, report: Report) -> Chart:
    _, found = say._, report.topics
    shown = found.top[:MOST_TOPICS]
    most = max((max(topic.cases, topic.before) for topic in shown), default=0) or 1
    bars = []
    for topic in shown:
        sign = "+" if topic.change > 0 else "\N{MINUS SIGN}" if topic.change < 0 else "±"
        where = ", ".join(f"{code or _('not said')} {say.number(n)}" for code, n in topic.countries[:3])
        detail = _("%(share)s of requests with a reason") % {"share": say.share(topic.share.value)}
        bars.append(
            Bar(
                label=topic_name(say, topic),
                value=say.number(topic.cases),
                detail=f"{detail} · {where}" if where else detail,
                share=topic.cases / most,
                before=topic.before / most,
                change=sign + say.number(abs(topic.change)),
            )
        )
    left = len(found.top) - len(shown)
    note = _("Requests with a reason: %(n)s, the week before %(before)s.") % {
        "n": say.number(found.cases), "before": say.number(found.before),
    }  # fmt: skip
    if left > 0:
        ngettext = say.ngettext
        more = ngettext("%(num)s rarer reason stands in the table.", "%(num)s rarer reasons stand in the table.", left)
        note += " " + more % {"num": left}
    return Chart(
        title=_("Why it was not done at once"),
        about=_("Reasons of new photos, of cases at the desk and of refusals. The thin line: the week before."),
        bars=tuple(bars),
        note=note if shown else _("No request had a reason."),
        columns=(_("Reason"), _("Requests"), _("Share and countries")),
    )


def _sections(say: Speaker, report: Report) -> tuple[Section, ...]:
    _, ngettext, fig = say._, say.ngettext, report.figures

    def told(names: Iterable[str], place: Callable[[float], float] | None = None) -> tuple[Line, ...]:
        return tuple(line(say, name, fig[name], place=place) for name in names)

    def shares(*names: str) -> tuple[tuple[Line, ...], str]:
        top = _nice(max((v for n in names for v in (fig[n].high, fig[n].value, fig[n].before) if v is not None), default=1.0))
        return told(names, lambda v: v / top), _("lines from 0 to %(top)s") % {"top": say.share(top)}

    whole, whole_said = shares("automation", "first_pass", "completion", "handed_off", "asked_again")
    wrong, wrong_said = shares("overturned", "overturned_machine", "overturned_people", "reversed")
    said, said_said = shares("csat", "csat_response")
    service, service_said = shares("sla", "one_touch", "few_interactions")
    least, most = _ends([fig[n] for n in TIMES])
    promise = ngettext(
        "Promised: an answer within %(num)s hour.", "Promised: an answer within %(num)s hours.", report.review_hours
    )
    return (
        Section(key="went", title=_("How it went"), lines=whole, rails=whole_said),
        Section(
            key="times",
            title=_("Time to a decision"),
            lines=told(TIMES, lambda v: _log_place(v, least, most)),
            rails=_("lines from %(low)s to %(high)s, growing tenfold") % {"low": say.seconds(least), "high": say.seconds(most)},
        ),
        Section(key="right", title=_("Right or wrong"), lines=wrong, rails=wrong_said,
                note=_("What is found to be wrong comes in for weeks: the newest week always looks best.")),
        Section(key="said", title=_("What customers say"), lines=said, rails=said_said),
        Section(key="promise", title=_("Promise and effort"), lines=service, rails=service_said,
                note=promise % {"num": report.review_hours}),
        Section(key="effort", title=_("Effort in numbers"), lines=told(("cost", *INTERACTIONS))),
        Section(key="counts", title=_("The week in numbers"), lines=told(n for n, unit in FIGURES.items() if unit == "count")),
    )  # fmt: skip


def _groups(say: Speaker, key: str, title: str, first: str, groups: Sequence[Group], empty: str) -> Table:
    _ = say._
    rows = []
    for group in groups:
        name, cases = Cell(text=group_name(say, key, group.code)), Cell(text=say.number(group.cases), few=group.small)
        if group.small:
            rows.append((name, cases, *(Cell(text="–", few=True) for _n in GROUP_FIGURES)))
            continue
        cells = [group.figures[n] for n in GROUP_FIGURES]
        rows.append((name, cases, *(Cell(text=say.figure(f.value, f.unit), n=_range(say, f), few=f.n < FEW) for f in cells)))
    return Table(
        key=key,
        title=title,
        head=(first, _("Requests"), *(_(NAMES[n][0]) for n in GROUP_FIGURES)),
        rows=tuple(rows),
        note=_("Below each figure: between what it likely lies. Groups under %(small)s requests are not broken down.")
        % {"small": SMALL},
        empty=empty,
    )


def _range(say: Speaker, figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"{say.figure(figure.low, figure.unit)} – {say.figure(figure.high, figure.unit)}"


def _agents(say: Speaker, report: Report, names: Mapping[UUID, str]) -> Table:
    _ = say._
    shown = ("handled", *AGENT_FIGURES)
    rows: list[tuple[Cell, ...]] = []
    for row in sorted(report.agents, key=lambda one: names.get(one.staff_id, "")):
        cells = [Cell(text=say.number(row.handled), few=row.handled < FEW)]
        for name in AGENT_FIGURES:
            value, n = row.values.get(name, (None, 0))
            mark = row.z.get(name)
            cells.append(
                Cell(
                    text=say.agents(name, value),
                    n=say.number(n) if n else "",
                    few=n < FEW,
                    mark="" if mark is None else "▲" if mark > 0 else "▼",
                )
            )
        rows.append((Cell(text=names.get(row.staff_id) or _("somebody who left")), *cells))
    if report.team:
        mean = (Cell(text=say.agents(n, report.team[n].mean) if n in report.team else "–") for n in shown)
        rows.append((Cell(text=_("Team's mean")), *mean))
    return Table(
        key="agents",
        title=_("Agents"),
        head=(_("Agent"), *(_(AGENT_NAMES[n]) for n in shown)),
        rows=tuple(rows),
        note=_(
            "The small number: how many answers a figure rests on. "
            "▲▼ only where chance alone would hardly do it: a reason to ask, never a verdict."
        ),
        empty=_("Nobody answered a case in this week."),
    )


@dataclass(frozen=True, kw_only=True)
class OwnLine:
    """One figure of an agent beside the team's mean."""

    key: str
    name: str
    value: str
    n: str
    count: int  # the same as a number
    few: bool
    mean: str
    between: str  # the middle half of the team


def own_lines(found: OwnWeek, language: str) -> tuple[OwnLine, ...]:
    """An agent's own week beside the team's mean; nobody's name, and no mean of fewer than `cases.figures.PEERS`."""
    say, lines = Speaker(language), []
    for name in ("handled", *AGENT_FIGURES):
        value, n = (None, 0) if found.own is None else found.own.values.get(name, (None, 0))
        if name == "handled":
            n = 0 if found.own is None else found.own.handled
            value = float(n)
        team: TeamSpread | None = found.team.get(name)
        lines.append(
            OwnLine(
                key=name,
                name=say._(AGENT_NAMES[name]),
                value=say.agents(name, value),
                n="" if name == "handled" else say.number(n),
                count=n,
                few=n < FEW,
                mean="–" if team is None else say.agents(name, team.mean),
                between="–" if team is None else f"{say.agents(name, team.low)} – {say.agents(name, team.high)}",
            )
        )
    return tuple(lines)


def _nice(value: float) -> float:
    """The end of a rail of shares: a round one above `value`."""
    return next((top for top in (0.02, 0.05, 0.1, 0.25, 0.5) if value <= top), 1.0)


def _ends(figures: Iterable[Figure]) -> tuple[float, float]:
    """The marks between which all of these times lie."""
    values = [v for f in figures for v in (f.low, f.value, f.high, f.before) if v is not None and v > 0]
    if not values:
        return TICKS[0], TICKS[-1]
    least = max((t for t in TICKS if t <= min(values)), default=TICKS[0])
    most = min((t for t in TICKS if t >= max(values)), default=max(values))
    return (least, most) if most > least else (least, least * 10)


def _log_place(value: float, least: float, most: float) -> float:
    return min(1.0, max(0.0, math.log(max(value, least) / least) / math.log(most / least)))
