"""The weekly report as words, table and paper: every figure stands in each, few cases say so, no name where it may not stand."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from cases import report_paper, report_tables, report_words, reports
from cases.models import Role, Staff
from cases.report_words import Speaker, beyond_chance, mood_of
from cases.reports import FIGURES, Figure, Report, ReportWeek
from cases.wording import LANGUAGES
from tests import factories as a
from tests.cases import report_scenes
from tests.conftest import NOW
from tests.pdf_text import pages

WEEK = ReportWeek.last_whole(NOW, time_zone="Europe/Moscow")


@pytest.fixture
def people(session: Session) -> list[Staff]:
    """Six agents, one of whom is named like a formula."""
    return [a.a_member(session, now=NOW, name=name) for name in ("Ada", "Ben", "Cleo", "=Dina", "Edda", "Fay")]


@pytest.fixture
def report(session: Session, people: list[Staff]) -> Report:
    """A made-up week, as a lead sees it."""
    report_scenes.keep(session, WEEK, agents=[one.id for one in people], now=NOW)
    found = reports.shown(session, reader=a.a_member(session, Role.LEAD, now=NOW), week=WEEK)
    assert found is not None
    return found


def read(text: str) -> dict[tuple[str, str], dict[str, str]]:
    return {(line["figure"], line["slice"]): line for line in csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))}


def plain(text: str) -> str:
    """A paper knows one kind of space."""
    return re.sub(r"\s", " ", text)


def number(cell: str) -> float | None:
    return float(cell) if cell else None


def same(line: dict[str, str], figure: Figure) -> bool:
    def near(cell: str, value: float | None) -> bool:
        return number(cell) is None if value is None else number(cell) == pytest.approx(value, abs=1e-6)

    ends = near(line["low"], figure.low) and near(line["high"], figure.high)
    return (
        near(line["value"], figure.value) and int(line["n"]) == figure.n and ends
        and near(line["before"], figure.before) and line["unit"] == figure.unit
    )  # fmt: skip


def test_the_table_read_back_is_the_report(report: Report, people: list[Staff]) -> None:
    rows = read(report_tables.table(report, names={one.id: one.name for one in people}))
    assert all(same(rows[name, "all"], report.figures[name]) for name in FIGURES)
    for kind, groups in (("country", report.countries), ("policy", report.policies)):
        for group in groups:
            assert rows["cases", f"{kind}:{group.code}"]["value"] == str(group.cases)
            for name, figure in group.figures.items():
                assert same(rows[name, f"{kind}:{group.code}"], figure)
    for step in report.funnel.steps:
        assert rows[f"funnel.{step.name}", "all"]["value"] == ("" if step.count is None else str(step.count))
    for topic in report.topics.top:
        assert (rows[f"topic.{topic.code}", "all"]["value"], rows[f"topic.{topic.code}", "all"]["before"]) == (
            str(topic.cases), str(topic.before),
        )  # fmt: skip
        assert same(rows[f"topic.{topic.code}.share", "all"], topic.share)
    first = report.agents[0]
    value, n = first.values["minutes"]
    assert value is not None
    assert number(rows["agent.minutes", "agent:Ada"]["value"]) == pytest.approx(value, abs=1e-6)
    assert rows["agent.minutes", "agent:Ada"]["n"] == str(n)
    assert number(rows["agent.minutes.mean", "team"]["value"]) == pytest.approx(report.team["minutes"].mean, abs=1e-6)


def test_the_table_has_no_formula_and_without_names_no_agent(report: Report, people: list[Staff]) -> None:
    names = {one.id: one.name for one in people} | {people[0].id: "=1+1"}
    cells = [cell for row in csv.reader(io.StringIO(report_tables.table(report, names=names))) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@")]
    assert "agent" not in report_tables.table(report)


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_the_paper_says_every_figure_in_every_language(report: Report, people: list[Staff], language: str) -> None:
    sheet = report_words.sheet(report, language, names={one.id: one.name for one in people})
    found = [[plain(text) for text in page] for page in pages(report_paper.pdf(sheet, made_at=NOW))]
    texts = "\n".join(text for page in found for text in page)
    run = " ".join(text for page in found for text in page)
    for section in sheet.sections:
        for line in section.lines:
            assert all(plain(said) in texts for said in (line.value, line.before, line.change, line.n)), line.key
    for tile in sheet.tiles:
        assert plain(tile.line.value) in texts
    for bar in (*sheet.funnel.bars, *sheet.topics.bars):
        assert plain(bar.value) in texts and bar.label.split()[0] in run
    for table in sheet.tables:
        assert all(plain(cell.text).split()[0] in texts for row in table.rows for cell in row)
    total = len(found)
    of = Speaker(language)._("Page %(number)s of %(total)s")
    for at, page in enumerate(found, start=1):
        assert of % {"number": at, "total": total} in "".join(page)  # the total is written in when all pages are there
        assert any(plain(sheet.as_of) in text for text in page)
    assert "\ufffd" not in texts


def test_the_same_sheet_gives_the_same_paper(report: Report) -> None:
    sheet = report_words.sheet(report, "kk")
    assert report_paper.pdf(sheet, made_at=NOW) == report_paper.pdf(sheet, made_at=NOW)


def test_who_may_not_see_names_gets_no_table_of_agents(report: Report, people: list[Staff]) -> None:
    with_names = report_words.sheet(report, "en", names={one.id: one.name for one in people})
    assert [table.key for table in with_names.tables] == ["countries", "policies", "agents"]
    without = report_words.sheet(report, "en")
    assert [table.key for table in without.tables] == ["countries", "policies"]
    assert "Ada" not in repr(without)


def test_an_agent_reads_her_own_row_and_the_mean_and_no_name(session: Session, report: Report, people: list[Staff]) -> None:
    found = reports.own_week(session, staff=people[1], week=WEEK)
    assert found is not None
    lines = {line.key: line for line in report_words.own_lines(found, "en")}
    assert lines["handled"].value == "13" and lines["minutes"].n == "11"
    assert lines["minutes"].mean == Speaker("en").agents("minutes", report.team["minutes"].mean) != "–"
    assert not [one.name for one in people if one.name in repr(lines)]


def test_few_cases_are_marked_and_keep_their_interval() -> None:
    figure = Figure(value=3 / 7, n=7, low=0.158, high=0.75, unit="share", before=0.7, before_n=10)
    line = report_words.line(Speaker("en"), "csat", figure)
    assert (line.value, line.between, line.n, line.few) == ("42.9%", "15.8% – 75%", "7", True)
    assert line.chance and line.mood == ""
    many = report_words.line(Speaker("en"), "csat", replace(figure, n=700, before_n=1000))
    assert not many.chance and many.mood == "bad" and not many.few


def test_a_small_group_is_named_and_not_broken_down(report: Report) -> None:
    countries = report_words.sheet(report, "en").tables[0]
    (mexico,) = [row for row in countries.rows if row[0].text == "MEX"]
    assert mexico[1].text == "9" and {cell.text for cell in mexico[2:]} == {"–"}


@pytest.mark.parametrize(
    ("figure", "sure"),
    [
        (Figure(value=60, n=60, unit="count", before=40, before_n=40), True),  # 20 more; 1.96 x sqrt(100) is 19.6
        (Figure(value=59, n=59, unit="count", before=40, before_n=40), False),
        (Figure(value=0.5, n=100, unit="share", before=0.36, before_n=100), True),  # 14 points; 1.96 x 7.0 is 13.7
        (Figure(value=0.5, n=100, unit="share", before=0.37, before_n=100), False),
        (Figure(value=10.0, n=50, low=8.0, high=12.0, unit="seconds", before=7.1, before_n=50), True),  # sqrt(2) x 2 is 2.83
        (Figure(value=10.0, n=50, low=8.0, high=12.0, unit="seconds", before=7.3, before_n=50), False),
        (Figure(value=10.0, n=2, unit="seconds", before=1.0, before_n=2), False),  # nothing bounds it
        (Figure(value=0.5, n=9, unit="share", before=None), False),
    ],
)
def test_a_change_counts_only_beyond_chance(figure: Figure, sure: bool) -> None:
    assert beyond_chance(figure) is sure


def test_less_is_better_of_waiting_and_more_of_automation() -> None:
    up = Figure(value=0.8, n=1000, low=0.77, high=0.83, unit="share", before=0.6, before_n=1000)
    assert mood_of("automation", up) == "good" and mood_of("overturned", up) == "bad" and mood_of("handed_off", up) == ""


def test_where_nothing_was_reviewed_approvals_taken_back_come_first(report: Report) -> None:
    assert report_words.headlines(report) == report_words.HEADLINES
    nothing = replace(report.figures["overturned"], value=None, n=0)
    figures = {**report.figures, "overturned": nothing}
    assert "reversed" in report_words.headlines(replace(report, figures=figures))
    assert [tile.line.key for tile in report_words.sheet(replace(report, figures=figures), "ru").tiles][2] == "reversed"


def test_every_figure_and_step_has_its_words() -> None:
    assert set(report_words.NAMES) == set(FIGURES)
    assert set(report_words.STEP_NAMES) == set(reports.STEPS)
    assert not report_words.BETTER_UP & report_words.BETTER_DOWN
