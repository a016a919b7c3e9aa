"""A replay in words and shapes: flows as a picture, shares, groups, a bound that says what so few cases can show.

Pure: no database, no request but its language. `cases.replays` counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from flask_babel import format_decimal, format_percent, ngettext
from flask_babel import gettext as _

from cases.replays import GROUPS, LEAST_WINDOW, REPORT_HOLDS, Group, Lack, Replay, WrongPage, upper_bound
from verification.decision import Outcome
from verification.evidence import ChangeReason, Field, Measures, Pair
from verification.policy import Policy
from verification.reasons import ReasonCode
from webapp.i18n import label
from webapp.ops.presenters import choice_name

OUTCOMES = (Outcome.APPROVE, Outcome.RETAKE, Outcome.REFER)

WIDTH, HEIGHT, BAR, GAP = 680.0, 260.0, 14.0, 14.0
"""The flow picture, in its own units: two bars, and between the outcomes in each a gap."""

LEAST_BAND = 1.6
"""Units that the narrowest flow is drawn with: one run of a million is still seen."""

FACES = (-3.0, 13.0)
"""Ends of the line for face scores, as on a case's page."""


def outcome_name(outcome: Outcome) -> str:
    """An outcome of one run, as a noun of the tables."""
    return {
        Outcome.APPROVE: _("approved by the machine"),
        Outcome.RETAKE: _("another photo asked for"),
        Outcome.REFER: _("to a person"),
    }[outcome]


def outcome_short(outcome: Outcome) -> str:
    """The same where there is little room."""
    return {Outcome.APPROVE: _("approved"), Outcome.RETAKE: _("photo again"), Outcome.REFER: _("to a person")}[outcome]


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Runs that go from one outcome to another."""

    was: Outcome
    now: Outcome
    name: str
    count: int
    share: str

    @property
    def moved(self) -> bool:
        """Whether anything changes for them."""
        return self.was is not self.now


def flows(found: Replay) -> list[Flow]:
    """Every flow that happens, those that change something first, large ones first."""
    out = [
        Flow(
            was=was,
            now=now,
            name=f"{outcome_name(was)} → {outcome_name(now)}"
            if was is not now
            else _("%(outcome)s, as before", outcome=outcome_name(was)),
            count=found.count(was, now),
            share=_share(found.count(was, now) / found.runs) if found.runs else "–",
        )
        for was in OUTCOMES
        for now in OUTCOMES
        if found.count(was, now)
    ]
    return sorted(out, key=lambda flow: (not flow.moved, -flow.count))


@dataclass(frozen=True, kw_only=True)
class Band:
    """One flow of the picture."""

    path: str
    kind: str  # class: kept, looser (to approve), stricter (from approve), other
    title: str


@dataclass(frozen=True, kw_only=True)
class End:
    """One outcome on the left or the right of the picture."""

    x: float
    y: float
    height: float
    outcome: str
    label: str
    count: str
    text_x: float
    text_y: float
    anchor: str


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Flows as bands between two bars."""

    width: float
    height: float
    bands: tuple[Band, ...]
    ends: tuple[End, ...]
    told: str  # the same in one sentence


def picture(found: Replay) -> Picture | None:
    """Draw the flows; None without runs. Widths are in proportion, but the narrowest stay visible."""
    if not found.runs:
        return None
    left, right = 150.0, WIDTH - 150.0
    counts = {(was, now): found.count(was, now) for was in OUTCOMES for now in OUTCOMES if found.count(was, now)}
    room = HEIGHT - 2 * GAP - LEAST_BAND * len(counts)
    thick = {pair: max(LEAST_BAND, room * count / found.runs) for pair, count in counts.items()}
    tops: list[dict[Outcome, float]] = []
    ends: list[End] = []
    for side, x in ((0, left), (1, right - BAR)):
        y, top = 0.0, {}
        for outcome in OUTCOMES:
            mine = [pair for pair in counts if pair[side] is outcome]
            if not mine:
                continue
            height = sum(thick[pair] for pair in mine)
            top[outcome] = y
            total = sum(counts[pair] for pair in mine)
            ends.append(
                End(
                    x=x,
                    y=round(y, 1),
                    height=round(height, 1),
                    outcome=outcome.value,
                    label=outcome_short(outcome),
                    count=f"{format_decimal(total)} ({_share(total / found.runs)})",
                    text_x=left - 8 if side == 0 else right + 8,
                    text_y=round(y + height / 2, 1),
                    anchor="end" if side == 0 else "start",
                )
            )
            y += max(height, 30.0) + GAP  # two lines of text stand beside each
        tops.append(top)
    lowest = max(end.y + max(end.height, 30.0) for end in ends)
    bands = []
    middle = (left + right) / 2
    for was, now in sorted(counts, key=lambda pair: (OUTCOMES.index(pair[0]), OUTCOMES.index(pair[1]))):
        width = thick[was, now]
        a, b = tops[0][was], tops[1][now]
        tops[0][was] += width
        tops[1][now] += width
        x1, x2 = left + BAR, right - BAR
        path = (
            f"M{x1:.1f} {a:.1f}C{middle:.1f} {a:.1f} {middle:.1f} {b:.1f} {x2:.1f} {b:.1f}"
            f"V{b + width:.1f}C{middle:.1f} {b + width:.1f} {middle:.1f} {a + width:.1f} {x1:.1f} {a + width:.1f}Z"
        )
        kind = "kept" if was is now else "looser" if now is Outcome.APPROVE else "stricter" if was is Outcome.APPROVE else "other"
        title = f"{outcome_name(was)} → {outcome_name(now)}: {format_decimal(counts[was, now])}"
        bands.append(Band(path=path, kind=kind, title=title))
    bands.sort(key=lambda band: band.kind != "kept")  # what changes lies above what stays
    return Picture(
        width=WIDTH,
        height=round(lowest + 4, 1),
        bands=tuple(bands),
        ends=tuple(ends),
        told="; ".join(f"{flow.name}: {format_decimal(flow.count)}" for flow in flows(found)),
    )


@dataclass(frozen=True, kw_only=True)
class ShareRow:
    """The share of one outcome before and after."""

    name: str
    was: str
    now: str
    apart: str


def shares(found: Replay) -> list[ShareRow]:
    """Shares of all runs, before and after, and how many points lie between."""
    rows = []
    for outcome in OUTCOMES:
        was, now = found.share(outcome, now=False), found.share(outcome, now=True)
        if was is None or now is None:
            continue
        rows.append(ShareRow(name=outcome_name(outcome), was=_share(was), now=_share(now), apart=points(now - was)))
    return rows


def points(apart: float) -> str:
    """A difference of shares in points of per cent, with its sign."""
    said = format_decimal(abs(apart) * 100, "0.0")
    if said == format_decimal(0, "0.0"):
        return str(format_decimal(0, "0.0"))
    return f"{'+' if apart > 0 else '−'}{said}"


def bound_said(wrong: int, n: int) -> str:
    """ "0 of 312: at most 0.96 %": what so few cases can show, one-sided, 95 per cent."""
    bound = upper_bound(wrong, n)
    if bound is None:
        return _("No case that a person answered would be newly approved: nothing can be told.")
    up = math.ceil(bound * 1e5 - 1e-6) / 1e5  # upwards: a bound is never rounded to look better
    digits = "0.##\N{NO-BREAK SPACE}%" if up >= 1e-3 else "0.###\N{NO-BREAK SPACE}%"
    return _(
        "%(wrong)s of %(n)s: at most %(bound)s",
        wrong=format_decimal(wrong),
        n=format_decimal(n),
        bound=format_percent(up, digits),
    )


def lack_said(lack: Lack) -> str:
    """Why no report of a version counts for a proposal, and what to do about it."""
    return {
        Lack.NO_REPORT: lambda: _("It has to be replayed against the policy that holds now, before it may be proposed."),
        Lack.TOO_OLD: lambda: ngettext(
            "The last replay is more than %(num)s day old. Please replay it again.",
            "The last replay is more than %(num)s days old. Please replay it again.",
            REPORT_HOLDS.days,
        ),
        Lack.SKIPPED_MOST: lambda: _(
            "The last replay left out more runs than it looked at. Please run %(command)s, then replay it again.",
            command="flask policy pack",
        ),
        Lack.SAW_NOTHING: lambda: _(
            "The last replay looked at no run, and there are some. Please look further back. "
            "If that finds none either, run %(command)s first.",
            command="flask policy pack",
        ),
        Lack.TOO_SHORT: lambda: ngettext(
            "The last replay looked back less than %(num)s day, and there are older runs. Please look further back.",
            "The last replay looked back less than %(num)s days, and there are older runs. Please look further back.",
            LEAST_WINDOW.days,
        ),
    }[lack]()


def unopened_said(count: int) -> str:
    """That would-be wrong approvals are left to open."""
    return ngettext(
        "%(num)s case that it would have approved wrongly has not been opened yet.",
        "%(num)s cases that it would have approved wrongly have not been opened yet.",
        count,
    )


def hours_said(hours: float) -> str:
    """Hours of agents' work a week, more or less, in as many digits as are worth it."""
    if abs(hours) < 0.05:
        return _("neither more nor less") if hours == 0 else _("less than 0.1 hours a week")
    number = format_decimal(abs(hours), "#,##0" if abs(hours) >= 10 else "0.0")
    return _("%(n)s hours a week more", n=number) if hours > 0 else _("%(n)s hours a week less", n=number)


@dataclass(frozen=True, kw_only=True)
class GroupLine:
    """One group in words."""

    name: str
    runs: int
    was: str
    now: str
    apart: str
    warned: bool
    few: bool


@dataclass(frozen=True, kw_only=True)
class GroupTable:
    """All groups of one kind."""

    kind: str
    heading: str
    lines: tuple[GroupLine, ...]

    @property
    def warned(self) -> bool:
        """Whether any of them is treated otherwise."""
        return any(line.warned for line in self.lines)


def group_tables(found: Replay, least: int) -> list[GroupTable]:
    """A table for each kind that tells more than one group apart; largest groups first."""
    headings = {
        "country": _("Country of the document"),
        "document_type": _("Document"),
        "locale": _("Language"),
        "sex": _("Sex"),
        "age_band": _("Age"),
    }
    tables = []
    for kind in GROUPS:
        mine = sorted((g for g in found.groups if g.kind == kind), key=lambda g: (g.value in ("", "0"), -g.runs, g.value))
        if mine:
            tables.append(GroupTable(kind=kind, heading=headings[kind], lines=tuple(_line(group, least) for group in mine)))
    return tables


def _line(group: Group, least: int) -> GroupLine:
    return GroupLine(
        name=group_said(group.kind, group.value),
        runs=group.runs,
        was=_share(group.was),
        now=_share(group.now),
        apart=points(group.apart),
        warned=group.warned,
        few=group.runs < least,
    )


def group_said(kind: str, value: str) -> str:
    """A group in words."""
    if value in ("", "0"):
        return _("not known")
    if kind == "document_type":
        return choice_name("accepted_types", value)
    if kind == "sex":
        return {"F": _("women"), "M": _("men"), "X": _("other")}.get(value, value)
    if kind == "age_band":
        low = int(value) * 10
        return _("age %(low)s and over", low=low) if low >= 90 else _("age %(low)s to %(high)s", low=low, high=low + 9)
    if kind == "locale":
        return {"ru": "Русский", "kk": "Қазақша", "es": "Español", "en": "English"}.get(value, value)
    return value


def _share(value: float) -> str:
    return str(format_percent(value, "0.0\N{NO-BREAK SPACE}%" if value == 0 or value >= 1e-3 else "0.0##\N{NO-BREAK SPACE}%"))


# One would-be wrong approval


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One measure against the line of both policies. Places are 0-200 from the left; None: not a number on a line."""

    name: str
    found: str
    was: str  # the line of the policy that held
    now: str  # the draft's line
    passed: bool
    passes: bool
    at: float | None = None
    was_at: float | None = None
    now_at: float | None = None

    @property
    def moved(self) -> bool:
        """Whether the two policies ask for different things."""
        return self.was != self.now


def measured(page: WrongPage) -> list[Measured]:
    """What the run measured, beside what each policy asks for; what differs between the policies first."""
    m, old, new = page.measures, page.old, page.new
    rows = [*_faces(m, old, new), *_life(m, old, new), *_papers(m, old, new), *_readings(m, old, new), *_account(m, old, new)]
    return sorted(rows, key=lambda row: not row.moved)


def _number(value: float) -> str:
    return str(format_decimal(value, "#,##0.###"))


def _yes(value: bool) -> str:
    return _("yes") if value else _("no")


def _on_line(
    name: str, value: float | None, was: float, now: float, ends: tuple[float, float] | None = None, absent: str = ""
) -> Measured:
    usable = value is not None and math.isfinite(value)

    def place(number: float) -> float | None:
        return round(200 * (min(max(number, ends[0]), ends[1]) - ends[0]) / (ends[1] - ends[0]), 1) if ends else None

    return Measured(
        name=name,
        found=_number(value) if value is not None and usable else absent or _("not measured"),
        was=_number(was),
        now=_number(now),
        passed=value is not None and usable and value >= was,
        passes=value is not None and usable and value >= now,
        at=place(value) if value is not None and usable else None,
        was_at=place(was),
        now_at=place(now),
    )


def _needed(name: str, found: bool, was: bool, now: bool) -> Measured:
    asked = {True: _("needed"), False: _("not needed")}
    return Measured(
        name=name, found=_yes(found), was=asked[was], now=asked[now], passed=found or not was, passes=found or not now
    )  # fmt: skip


def _faces(m: Measures, old: Policy, new: Policy) -> list[Measured]:
    from webapp.desk.presenters import pair_name

    if ReasonCode.FACES_BY_EYE in m.problems:
        return []
    rows = []
    for pair in Pair:
        scores = m.pairs.get(pair)
        if scores is None and pair is not Pair.SELFIE_DOCUMENT and not m.has_face_on_file:
            continue
        rows.append(
            _on_line(
                pair_name(pair),
                scores.similarity if scores else None,
                old.min_similarity(pair),
                new.min_similarity(pair),
                FACES,
                absent=_("not compared"),
            )
        )
    for pair, scores in m.pairs.items():
        if scores.fmr is not None and math.isfinite(scores.fmr):
            rows.append(
                Measured(
                    name=_("%(pair)s: strangers that score as high", pair=pair_name(pair)),
                    found=_("1 in %(n)s", n=format_decimal(round(1 / scores.fmr))) if scores.fmr > 0 else _("none seen"),
                    was=_("1 in %(n)s", n=format_decimal(old.min_strangers)),
                    now=_("1 in %(n)s", n=format_decimal(new.min_strangers)),
                    passed=scores.fmr <= 1 / old.min_strangers,
                    passes=scores.fmr <= 1 / new.min_strangers,
                )
            )
    if m.pairs:
        agree = all(scores.voices_agree for scores in m.pairs.values())
        rows.append(_needed(_("Both face networks agree"), agree, old.require_voices_agree, new.require_voices_agree))
    rows.append(_needed(_("A face on file"), m.has_face_on_file, old.require_face_on_file, new.require_face_on_file))
    if m.portrait_years is not None:
        rows.append(
            _at_most(_("Years of the printed portrait"), m.portrait_years, old.max_portrait_years, new.max_portrait_years)
        )
    return rows


def _life(m: Measures, old: Policy, new: Policy) -> list[Measured]:
    asked = m.reason.value in old.require_liveness_for, m.reason.value in new.require_liveness_for
    rows = []
    if any(asked) or m.liveness:
        rows.append(_needed(_("A turn of the head"), m.liveness is not None, *asked))
    if m.liveness:
        rows += [
            _on_line(_("Turns of the head that were seen"), m.liveness.turned, old.min_turned, new.min_turned, (0.0, 1.0)),
            _on_line(_("Depth of the turned face"), m.liveness.depth, old.min_depth, new.min_depth, (0.0, 1.0)),
            _on_line(_("Turned face and selfie"), m.liveness.same_face, old.min_same_face, new.min_same_face, FACES),
        ]
    signs = [sign.value for sign in m.selfie_signs] + list(m.liveness.signs if m.liveness else ())
    rows += _listed(
        _("Signs against a living face"),
        signs,
        old.refer_on_liveness_signs,
        new.refer_on_liveness_signs,
        "refer_on_liveness_signs",
    )
    return rows


def _papers(m: Measures, old: Policy, new: Policy) -> list[Measured]:
    rows = []
    if m.document_type is not None:
        accepted = {True: _("accepted"), False: _("not accepted")}
        kind = m.document_type.value
        was, now = kind in old.accepted_types, kind in new.accepted_types
        rows.append(
            Measured(
                name=_("Kind of document"),
                found=choice_name("accepted_types", kind),
                was=accepted[was],
                now=accepted[now],
                passed=was,
                passes=now,
            )
        )
    if m.mrz_valid is not None:
        rows.append(_needed(_("All check digits hold"), m.mrz_valid, old.require_valid_mrz, new.require_valid_mrz))
    if m.days_to_expiry is not None:
        rows.append(
            _on_line(_("Days the document is still valid"), m.days_to_expiry, old.min_days_to_expiry, new.min_days_to_expiry)
        )
    rows += _listed(
        _("Hints about the paper"), [hint.value for hint in m.hints], old.refer_on_hints, new.refer_on_hints, "refer_on_hints"
    )
    return rows


def _readings(m: Measures, old: Policy, new: Policy) -> list[Measured]:
    rows = []
    for name, values, line in (
        (_("Least agreement with what was typed: %(field)s"), m.agreement, "min_agreement"),
        (_("Least sure reading: %(field)s"), m.confidence, "min_confidence"),
    ):
        if values:
            field, value = min(values.items(), key=lambda item: item[1])
            rows.append(_on_line(name % {"field": label(field)}, value, getattr(old, line), getattr(new, line), (0.0, 1.0)))
    changed: list[Field] = [field for field in m.changes if field in m.agreement]
    if changed:
        certain = all(m.certain.get(field) is True for field in changed)
        rows.append(_needed(_("Every reading is certain"), certain, old.require_certain, new.require_certain))
    return rows


def _account(m: Measures, old: Policy, new: Policy) -> list[Measured]:
    fits = m.has_profile and not m.unread and all(value >= 1.0 for value in m.unchanged.values())
    rows = [_needed(_("The account's details fit"), fits, old.require_profile, new.require_profile)]
    if m.earlier_number_seen is not None or old.require_earlier_number or new.require_earlier_number:
        seen = m.earlier_number_seen is True
        rows.append(
            _needed(_("The earlier passport number was seen"), seen, old.require_earlier_number, new.require_earlier_number)
        )
    automatic = {True: _("may be automatic"), False: _("always to a person")}
    was, now = m.reason.value in old.automatic_reasons, m.reason.value in new.automatic_reasons
    rows.append(
        Measured(name=_("Kind of change"), found=label(m.reason), was=automatic[was], now=automatic[now], passed=was, passes=now)
    )
    if m.reason is ChangeReason.MISTAKE and m.change_letters:
        most = max(m.change_letters.values())
        rows.append(_at_most(_("Letters that the correction changes"), most, old.max_mistake_letters, new.max_mistake_letters))
    return rows


def _at_most(name: str, value: float, was: float, now: float) -> Measured:
    return Measured(
        name=name,
        found=_number(value),
        was=_("at most %(n)s", n=format_decimal(was)),
        now=_("at most %(n)s", n=format_decimal(now)),
        passed=value <= was,
        passes=value <= now,
    )


def _listed(name: str, seen: list[str], was: tuple[str, ...], now: tuple[str, ...], setting: str) -> list[Measured]:
    """What was seen, one row each: whether it stops an automatic approval."""
    stops = {True: _("to a person"), False: _("no obstacle")}
    return [
        Measured(
            name=name,
            found=choice_name(setting, one),
            was=stops[one in was],
            now=stops[one in now],
            passed=one not in was,
            passes=one not in now,
        )
        for one in dict.fromkeys(seen)
    ]
