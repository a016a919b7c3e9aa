"""A weekly report as one table for a spreadsheet: a line for each figure, of all requests, of each country, policy and agent.

Numbers stand as numbers of the programming world, not of a language: shares 0-1, times in seconds, a point before the decimals.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from cases.audit_export import safe_cell
from cases.reports import Figure, Report

HEAD = ("figure", "slice", "value", "n", "low", "high", "unit", "before")

ALL = "all"
"""The slice of the whole report; others are "country:KAZ", "policy:14", "agent:Ada Agent", "team"."""

Cells = tuple[object, ...]


def table(report: Report, *, names: Mapping[UUID, str] | None = None) -> str:
    """The table as text, with the byte order mark by which spreadsheets know UTF-8.

    Lines of agents only where `names` is given. A name that begins like a formula gets an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEAD)
    for cells in lines(report, names=names):
        writer.writerow([safe_cell(cell) if isinstance(cell, str) else _plain(cell) for cell in cells])
    return "\ufeff" + out.getvalue()


def lines(report: Report, *, names: Mapping[UUID, str] | None = None) -> Iterator[Cells]:
    """The cells of each line below HEAD."""
    yield "cases", ALL, report.cases, report.cases, None, None, "count", None
    yield from _figures(report.figures, ALL)
    for step in report.funnel.steps:
        yield f"funnel.{step.name}", ALL, step.count, None, None, None, "count", None
        if step.of_first is not None:
            yield _line(f"funnel.{step.name}.of_first", ALL, step.of_first)
        if step.of_previous is not None:
            yield _line(f"funnel.{step.name}.of_previous", ALL, step.of_previous)
    topics = report.topics
    yield "topics.cases", ALL, topics.cases, topics.cases, None, None, "count", topics.before
    for topic in topics.top:
        yield f"topic.{topic.code}", ALL, topic.cases, topic.cases, None, None, "count", topic.before
        yield _line(f"topic.{topic.code}.share", ALL, topic.share)
        for code, n in topic.countries:
            yield f"topic.{topic.code}", f"country:{code}", n, n, None, None, "count", None
    for kind, groups in (("country", report.countries), ("policy", report.policies)):
        for group in groups:
            yield "cases", f"{kind}:{group.code}", group.cases, group.cases, None, None, "count", None
            yield from _figures(group.figures, f"{kind}:{group.code}")
    if names is not None:
        yield from _agents(report, names)


def _figures(figures: Mapping[str, Figure], slice_: str) -> Iterator[Cells]:
    for name, figure in figures.items():
        yield _line(name, slice_, figure)


def _line(name: str, slice_: str, figure: Figure) -> Cells:
    return name, slice_, figure.value, figure.n, figure.low, figure.high, figure.unit, figure.before


def _agents(report: Report, names: Mapping[UUID, str]) -> Iterator[Cells]:
    """Their own figures, then the team's mean and quartiles of those figures that enough of them have."""

    def unit(name: str) -> str:
        return {"minutes": "minutes", "handled": "count"}.get(name, "share")

    for row in sorted(report.agents, key=lambda one: names.get(one.staff_id, "")):
        who = f"agent:{names.get(row.staff_id, row.staff_id)}"
        yield "agent.handled", who, row.handled, row.handled, None, None, "count", None
        for name, (value, n) in row.values.items():
            yield f"agent.{name}", who, value, n, None, None, unit(name), None
    for name, team in report.team.items():
        parts: Sequence[tuple[str, float]] = (
            ("mean", team.mean), ("first_quartile", team.low), ("median", team.middle), ("third_quartile", team.high),
        )  # fmt: skip
        for part, value in parts:
            yield f"agent.{name}.{part}", "team", value, team.agents, None, None, unit(name), None


def _plain(cell: object) -> object:
    """Six places are more than any figure is worth; whole numbers stay whole."""
    return "" if cell is None else round(cell, 6) if isinstance(cell, float) else cell
