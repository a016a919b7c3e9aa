"""A weekly report as PDF: A4, drawn as vectors, for printing and for the Monday mail. Words come from `cases.report_words`.

DejaVu Sans has every letter of our four languages, Kazakh ones among them; it is embedded, and only the letters used.
The same sheet made at the same time gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cases import wording
from cases.report_words import Bar, Cell, Chart, Line, Past, Rail, Section, Sheet, Table, Tile

if TYPE_CHECKING:
    from fpdf import FPDF

FONTS = Path("/usr/share/fonts/truetype/dejavu")
"""Where Debian's fonts-dejavu-core (requirements/debian.txt) puts them."""

MARK = Path(__file__).parents[1] / "static" / "img" / "mark.svg"

Colour = tuple[int, int, int]
INK, PALE, LINE, SUNKEN, SOFT = (27, 37, 48), (77, 89, 102), (220, 215, 203), (238, 235, 227), (226, 240, 236)
BRAND, WARM, GOOD, BAD, RULE = (14, 106, 91), (232, 147, 90), (26, 111, 60), (179, 38, 30), (123, 133, 144)
"""The light colours of static/css/tokens.css: paper is white. Nothing is told by colour alone."""

MARGIN, TOP, FOOT = 16.0, 22.0, 18.0
"""Millimetres at the sides, above and below the text."""

GAP = 5.0
"""Millimetres between two columns of tiles."""

APART = 1.6
"""Millimetres between the texts of two columns at least."""

LEADING = 0.47
"""Millimetres of a line for each point of its letters."""

WIDE = 8
"""Columns above which a table gets a page of its own, laid across."""

COLUMNS = (("name", 48.0), ("value", 19.0), ("between", 36.0), ("rail", 26.0), ("before", 19.0), ("change", 22.0), ("n", 8.0))
"""Of a section's table, in millimetres; they fill the 178 between the margins."""


def pdf(sheet: Sheet, *, made_at: datetime) -> bytes:
    """The report as PDF."""
    page = _page(sheet, made_at)
    _head(page, sheet)
    _tiles(page, sheet)
    _chart(page, sheet.funnel, sheet)
    _chart(page, sheet.topics, sheet)
    for section in sheet.sections:
        _section(page, section, sheet)
    people = [table for table in sheet.tables if len(table.head) > WIDE]
    for table in sheet.tables:
        if table not in people:
            _table(page, table)
    _definitions(page, sheet)
    for table in people:
        _table(page, table)
    return bytes(page.output())


def _page(sheet: Sheet, made_at: datetime) -> FPDF:
    from fpdf import FPDF  # slow to import, and needed only here

    _ = wording.gettext(sheet.language)
    of = _("Page %(number)s of %(total)s")

    class Paper(FPDF):
        """Pages with our mark on top, and with what it is, when it was measured and the page's number at the foot."""

        def header(self) -> None:
            """The mark and the name."""
            self.image(MARK, x=MARGIN, y=9, w=6)
            self.set_xy(MARGIN + 7.5, 9.0)
            self.set_font("Sans", "B", 10)
            self.set_text_color(*INK)
            self.cell(0, 6, "Peremena")
            if self.page_no() > 1:
                self.set_xy(MARGIN, 9.0)
                self.set_font("Sans", "", 8)
                self.set_text_color(*PALE)
                self.cell(0, 6, sheet.title, align="R")
            self.set_y(TOP)

        def footer(self) -> None:
            """As of when, and which page."""
            self.set_y(-12)
            self.set_font("Sans", "", 7.5)
            self.set_text_color(*PALE)
            self.cell(0, 5, f"{sheet.as_of} · {sheet.scope}")
            self.set_x(MARGIN)
            self.cell(0, 5, of % {"number": self.page_no(), "total": "{nb}"}, align="R")

    page = Paper(format="A4")
    page.set_lang(sheet.language)
    page.set_title(sheet.title)
    page.set_creator("Peremena")
    page.set_creation_date(made_at)
    page.set_margins(MARGIN, TOP, MARGIN)
    page.set_auto_page_break(False)
    page.c_margin = 0.0  # texts, bars and rules begin at one line
    page.add_font("Sans", "", FONTS / "DejaVuSans.ttf")
    page.add_font("Sans", "B", FONTS / "DejaVuSans-Bold.ttf")
    page.add_page()
    return page


# Small parts


def _room(page: FPDF, height: float) -> None:
    """Begin a new page unless `height` millimetres are left on this one."""
    if page.get_y() + height > page.h - FOOT:
        page.add_page(orientation="L" if page.w > page.h else "P")


def _words(
    page: FPDF, text: str, size: float, *, x: float = MARGIN, width: float = 0.0, bold: bool = False, colour: Colour = INK,
    align: str = "L",
) -> None:  # fmt: skip
    """Text in a column, wrapped; the place moves below it."""
    page.set_font("Sans", "B" if bold else "", size)
    page.set_text_color(*colour)
    page.set_x(x)
    page.multi_cell(width or page.w - MARGIN - x, size * LEADING, text, align=align, new_x="LMARGIN", new_y="NEXT")


def _height(page: FPDF, text: str, size: float, width: float, *, bold: bool = False) -> float:
    """How many millimetres a text takes in a column."""
    if not text:
        return 0.0
    page.set_font("Sans", "B" if bold else "", size)
    found = page.multi_cell(width, size * LEADING, text, dry_run=True, output="HEIGHT")
    return float(found)  # type: ignore[arg-type]


def _rule(page: FPDF, y: float, colour: Colour = LINE) -> None:
    page.set_draw_color(*colour)
    page.set_line_width(0.2)
    page.line(MARGIN, y, page.w - MARGIN, y)


def _filled(page: FPDF, x: float, y: float, width: float, height: float, colour: Colour) -> None:
    page.set_fill_color(*colour)
    page.rect(x, y, max(width, 0.25), height, style="F")


def _heading(page: FPDF, text: str, about: str, *, keep: float) -> None:
    """A heading that stays with the first `keep` millimetres of what it heads."""
    _room(page, 12 + keep)
    page.set_y(page.get_y() + 5)
    _words(page, text, 12.5, bold=True)
    page.set_y(page.get_y() + 0.8)
    if about:
        _words(page, about, 8, colour=PALE)
        page.set_y(page.get_y() + 0.8)


def _colour(mood: str) -> Colour:
    return {"good": GOOD, "bad": BAD}.get(mood, INK)


# The first page


def _head(page: FPDF, sheet: Sheet) -> None:
    _ = wording.gettext(sheet.language)
    _words(page, _("Weekly report"), 9, colour=PALE)
    page.set_y(page.get_y() + 1)
    _words(page, sheet.title, 18, bold=True)
    page.set_y(page.get_y() + 1.5)
    _words(page, f"{sheet.scope} · {sheet.as_of}", 9, colour=PALE)
    page.set_y(page.get_y() + 1.5)
    _words(page, sheet.summary, 10.5, bold=True)
    for warning in (sheet.running, sheet.few):
        if warning:
            page.set_y(page.get_y() + 1.5)
            _words(page, f"! {warning}", 9.5, bold=True, colour=BAD)
    page.set_y(page.get_y() + 4)


def _tiles(page: FPDF, sheet: Sheet) -> None:
    """Two beside each other; both of a row are as high as the higher one."""
    width = (page.w - 2 * MARGIN - GAP) / 2
    for start in range(0, len(sheet.tiles), 2):
        pair = sheet.tiles[start : start + 2]
        top, height = page.get_y(), max(_tile_height(page, tile, width) for tile in pair)
        for at, tile in enumerate(pair):
            _tile(page, tile, MARGIN + at * (width + GAP), top, width, height)
        page.set_y(top + height + 4)


def _tile_height(page: FPDF, tile: Tile, width: float) -> float:
    inner = width - 8
    texts = sum(_height(page, text, 8, inner) + 0.8 for text in tile.sentences)
    return 6 + _height(page, tile.line.name, 9, inner, bold=True) + 10 + texts + (17 if tile.past else 0)


def _tile(page: FPDF, tile: Tile, x: float, top: float, width: float, height: float) -> None:
    line, inner = tile.line, width - 8
    page.set_draw_color(*LINE)
    page.set_line_width(0.3)
    page.rect(x, top, width, height, style="D", round_corners=True, corner_radius=1.6)
    page.set_y(top + 3)
    _words(page, line.name, 9, x=x + 4, width=inner, bold=True, colour=PALE)
    y = page.get_y() + 0.5
    page.set_xy(x + 4, y)
    page.set_font("Sans", "B", 20)
    page.set_text_color(*INK)
    page.cell(inner, 9, line.value)
    arrow = ("▼" if line.change.startswith("\N{MINUS SIGN}") else "▲") if line.mood else ""
    page.set_font("Sans", "B", 10)
    page.set_text_color(*_colour(line.mood))
    page.set_xy(x + 4, y + 1)
    page.cell(inner, 8, f"{arrow} {line.change}".strip() if line.change != "–" else "", align="R")
    page.set_y(y + 9.5)
    for text in tile.sentences:
        _words(page, text, 8, x=x + 4, width=inner)
        page.set_y(page.get_y() + 0.8)
    if tile.past:
        _past(page, tile.past, x + 4, top + height - 19, inner)


def _past(page: FPDF, past: Sequence[Past], x: float, top: float, width: float) -> None:
    """Eight weeks as bars: this one dark, few cases grey; the first and the last week named, every value above its bar."""
    step, floor = width / len(past), top + 13.0
    for at, week in enumerate(past):
        left = x + at * step
        if week.height is not None:
            tall = max(8.6 * week.height, 0.3)
            last = at == len(past) - 1
            _filled(
                page,
                left + step * 0.14,
                floor - tall,
                step * 0.72,
                tall,
                BRAND if last else RULE if week.few else (126, 178, 168),
            )
            page.set_font("Sans", "", 5.2)
            page.set_text_color(*PALE)
            page.set_xy(left - 2, floor - tall - 2.9)
            page.cell(step + 4, 2.6, week.value, align="C")
        page.set_font("Sans", "", 5.4)
        page.set_text_color(*PALE)
        page.set_xy(left - 2, floor + 0.4)
        if at % 2 == (len(past) - 1) % 2:
            page.cell(step + 4, 2.8, week.week, align="C")
    page.set_draw_color(*RULE)
    page.set_line_width(0.2)
    page.line(x, floor, x + width, floor)


# Charts


def _chart(page: FPDF, chart: Chart, sheet: Sheet) -> None:
    """A row for each bar: label, number and change; below them the bar and what it says."""
    width = page.w - 2 * MARGIN
    _heading(page, chart.title, chart.about if chart.bars else "", keep=24)
    longest = width - 44
    for bar in chart.bars:
        label = _height(page, bar.label, 8.5, longest)
        detail = _height(page, bar.detail, 7.5, longest)
        _room(page, label + 4.2 + detail + 2.4)
        _bar(page, bar, longest, width)
    if chart.note:
        page.set_y(page.get_y() + 0.5)
        _words(page, chart.note, 8, colour=PALE)


def _bar(page: FPDF, bar: Bar, longest: float, width: float) -> None:
    top = page.get_y()
    page.set_font("Sans", "B", 9)
    page.set_text_color(*INK)
    page.set_xy(MARGIN + longest, top)
    page.cell(20, 4, bar.value, align="R")
    page.set_font("Sans", "", 8)
    page.set_text_color(*PALE)
    page.cell(width - longest - 20, 4, bar.change, align="R")
    page.set_y(top)
    _words(page, bar.label, 8.5, width=longest)
    y = page.get_y() + 0.3
    if bar.share is not None:
        _filled(page, MARGIN, y, longest - 4, 2.8, SUNKEN)
        _filled(page, MARGIN, y, (longest - 4) * bar.share, 2.8, BRAND)
        if bar.before is not None:
            _tick(page, MARGIN + (longest - 4) * min(bar.before, 1.0), y - 0.5, 3.8)
        page.set_y(y + 3.3)
    else:
        page.set_y(y)
    if bar.detail:
        _words(page, bar.detail, 7.5, width=longest, colour=PALE)
    page.set_y(page.get_y() + 1.6)


def _tick(page: FPDF, x: float, y: float, height: float) -> None:
    """The week before: a thin dark line with a light edge, seen on a bar and beside it."""
    page.set_draw_color(255, 255, 255)
    page.set_line_width(0.9)
    page.line(x, y, x, y + height)
    page.set_draw_color(*INK)
    page.set_line_width(0.35)
    page.line(x, y, x, y + height)


# Tables


def _section(page: FPDF, section: Section, sheet: Sheet) -> None:
    _ = wording.gettext(sheet.language)
    about = " · ".join(text for text in (section.rails, section.note) if text)
    rows = sum(max(_height(page, line.name, 8, COLUMNS[0][1] - APART), 8 * LEADING) + 2.4 for line in section.lines)
    _heading(page, section.title, about, keep=min(rows + 14, page.h - TOP - FOOT - 14))
    heads = {
        "name": _("Figure"), "value": _("This week"), "between": _("Likely between"), "rail": "",
        "before": _("Week before"), "change": _("Difference"), "n": "n",
    }  # fmt: skip

    def head() -> None:
        _row(page, [(heads[key], width, "L" if key in ("name", "rail") else "R", True, PALE) for key, width in COLUMNS], 7)

    head()
    for line in section.lines:
        _line(page, line, head)


def _line(page: FPDF, line: Line, head: Callable[[], None]) -> None:
    name = COLUMNS[0][1]
    height = max(_height(page, line.name, 8, name - APART), 8 * LEADING) + 2.4
    if page.get_y() + height > page.h - FOOT:
        _room(page, height)
        head()
    top = page.get_y()
    grey = PALE if line.few else INK
    chance = "≈ " if line.chance else ""
    cells = {
        "name": (line.name, "L", False, INK), "value": (line.value, "R", not line.few, grey),
        "between": (line.between, "R", False, grey),
        "rail": ("", "L", False, INK), "before": (line.before, "R", False, PALE),
        "change": (chance + line.change, "R", bool(line.mood), _colour(line.mood)),
        "n": (line.n, "R", False, PALE),
    }  # fmt: skip
    _row(page, [(cells[key][0], width, cells[key][1], cells[key][2], cells[key][3]) for key, width in COLUMNS], 8)
    if line.rail is not None:
        x = MARGIN + sum(width for key, width in COLUMNS[:3]) + 3
        _rail(page, line.rail, x, top + 1.0, COLUMNS[3][1] - 5)


def _row(page: FPDF, cells: Sequence[tuple[str, float, str, bool, Colour]], size: float) -> None:
    """Cells of a row: text, width, align, bold, colour; as high as the highest, a thin rule below."""
    top = page.get_y() + 1.0
    end, x = top + size * LEADING, MARGIN
    for text, width, align, bold, colour in cells:
        if text:
            page.set_xy(x, top)
            left = x if align == "L" else x + APART
            _words(page, text, size, x=left, width=width - APART, bold=bold, colour=colour, align=align)
            end = max(end, page.get_y())
        x += width
    page.set_y(end + 1.0)
    _rule(page, page.get_y())


def _rail(page: FPDF, rail: Rail, x: float, y: float, width: float) -> None:
    middle = y + 2.0
    page.set_draw_color(*LINE)
    page.set_line_width(0.4)
    page.line(x, middle, x + width, middle)
    if rail.low is not None and rail.high is not None:
        _filled(page, x + rail.low * width, middle - 0.8, (rail.high - rail.low) * width, 1.6, (150, 196, 187))
    if rail.before is not None:
        _tick(page, x + rail.before * width, middle - 1.6, 3.2)
    if rail.at is not None:
        page.set_fill_color(*BRAND)
        page.set_draw_color(255, 255, 255)
        page.set_line_width(0.25)
        page.ellipse(x + rail.at * width - 1.1, middle - 1.1, 2.2, 2.2, style="DF")


def _table(page: FPDF, table: Table) -> None:
    """Groups on a page as it stands; people, with more columns, on one laid across."""
    wide = len(table.head) > WIDE
    if wide and page.h > page.w:
        page.add_page(orientation="L")
    elif not wide and page.w > page.h:
        page.add_page(orientation="P")
    _heading(page, table.title, table.note if table.rows else table.empty, keep=20)
    if not table.rows:
        return
    width = page.w - 2 * MARGIN
    first = 46.0 if wide else 24.0
    other = (width - first) / (len(table.head) - 1)
    heads = [(text, other if at else first, "R" if at else "L", True, PALE) for at, text in enumerate(table.head)]
    _row(page, heads, 6.5)
    for row in table.rows:
        height = 6.0 + (3.0 if any(cell.n for cell in row) else 0.0)
        if page.get_y() + height > page.h - FOOT:
            _room(page, height)
            _row(page, heads, 6.5)
        _cells(page, row, first, other)


def _cells(page: FPDF, row: Sequence[Cell], first: float, other: float) -> None:
    top = page.get_y() + 1.0
    end, x = top + 8 * LEADING, MARGIN
    for at, cell in enumerate(row):
        width = other if at else first
        page.set_xy(x, top)
        text = f"{cell.text} {cell.mark}".strip()
        _words(page, text, 8, x=x, width=width - (0 if at else 2), bold=not cell.few, colour=PALE if cell.few else INK,
               align="R" if at else "L")  # fmt: skip
        if cell.n:
            _words(page, cell.n, 6, x=x, width=width, colour=PALE, align="R")
        end = max(end, page.get_y())
        x += width
    page.set_y(end + 1.0)
    _rule(page, page.get_y())


def _definitions(page: FPDF, sheet: Sheet) -> None:
    """How everything is counted: small, in two columns that are about as long as each other."""
    _ = wording.gettext(sheet.language)
    width = (page.w - 2 * MARGIN - GAP) / 2
    heights = [_height(page, term, 7, width, bold=True) + _height(page, text, 7, width) + 1.3 for term, text in sheet.definitions]
    half = next(at for at in range(len(heights) + 1) if sum(heights[:at]) >= sum(heights) / 2)
    longer = max(sum(heights[:half]), sum(heights[half:]))
    _heading(page, _("How this is counted"), "", keep=longer + 4.2 * len(sheet.how))
    for text in sheet.how:
        _words(page, text, 7.5, colour=PALE)
        page.set_y(page.get_y() + 0.6)
    top = page.get_y() + 1.5
    for at, part in enumerate((sheet.definitions[:half], sheet.definitions[half:])):
        page.set_y(top)
        for term, text in part:
            _words(page, term, 7, x=MARGIN + at * (width + GAP), width=width, bold=True)
            _words(page, text, 7, x=MARGIN + at * (width + GAP), width=width, colour=PALE)
            page.set_y(page.get_y() + 1.3)
    page.set_y(top + longer)
