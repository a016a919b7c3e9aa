"""A confirmation as PDF: one A4 page that a customer keeps or shows. Texts come translated; nothing here decides or asks.

DejaVu Sans has every letter of our four languages, Kazakh ones among them; it is embedded, and only the letters used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

FONTS = Path("/usr/share/fonts/truetype/dejavu")
"""Where Debian's fonts-dejavu-core (requirements/debian.txt) puts them."""

INK, PALE, LINE, SOFT = (27, 37, 48), (77, 89, 102), (220, 215, 203), (226, 240, 236)
"""The light colours of static/css/tokens.css: paper is white."""

MARK = Path(__file__).parents[2] / "static" / "img" / "mark.svg"

MARGIN = 22.0
LABEL_WIDTH = 62.0
"""Millimetres."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """What stands on the page, in this order. Rows are label and value."""

    language: str
    title: str
    lead: str
    facts: Sequence[tuple[str, str]]
    changed_title: str
    changed: Sequence[tuple[str, str]]
    check_title: str
    check: str
    code: str
    remarks: Sequence[str]
    foot: str
    made_at: datetime


def pdf(sheet: Sheet) -> bytes:
    """The page as PDF. The same sheet gives the same bytes."""
    from fpdf import FPDF  # slow to import, and needed only here
    from fpdf.enums import XPos, YPos

    class Page(FPDF):
        """A page with our mark on top and a line at its foot."""

        def header(self) -> None:
            """The mark and the name."""
            self.image(MARK, x=MARGIN, y=15, w=9)
            self.set_xy(MARGIN + 11.5, 15.0)
            self.set_font("Sans", "B", 14)
            self.set_text_color(*INK)
            self.cell(0, 9, "Peremena")
            self.set_y(34)

        def footer(self) -> None:
            """When it was made."""
            self.set_y(-18)
            self.set_font("Sans", "", 8)
            self.set_text_color(*PALE)
            self.cell(0, 5, sheet.foot, align="C")

    page = Page(format="A4")
    page.set_lang(sheet.language)
    page.set_title(sheet.title)
    page.set_creator("Peremena")
    page.set_creation_date(sheet.made_at)
    page.set_margins(MARGIN, MARGIN, MARGIN)
    page.set_auto_page_break(True, margin=24)
    page.add_font("Sans", "", FONTS / "DejaVuSans.ttf")
    page.add_font("Sans", "B", FONTS / "DejaVuSans-Bold.ttf")
    page.add_font("Mono", "B", FONTS / "DejaVuSansMono-Bold.ttf")
    page.add_page()
    below = {"new_x": XPos.LMARGIN, "new_y": YPos.NEXT}

    def words(text: str, size: float, *, style: str = "", colour: tuple[int, int, int] = INK, after: float = 0.0) -> None:
        page.set_font("Sans", style, size)
        page.set_text_color(*colour)
        page.multi_cell(0, size * 0.52, text, align="L", **below)  # type: ignore[arg-type]
        page.ln(after)

    def rows(pairs: Sequence[tuple[str, str]]) -> None:
        page.set_draw_color(*LINE)
        for label, value in pairs:
            top = page.get_y() + 1.6
            page.set_xy(MARGIN, top)
            page.set_font("Sans", "", 10)
            page.set_text_color(*PALE)
            page.multi_cell(LABEL_WIDTH - 4, 5.2, label, align="L", **below)  # type: ignore[arg-type]
            end = page.get_y()
            page.set_xy(MARGIN + LABEL_WIDTH, top)
            page.set_font("Sans", "B", 10.5)
            page.set_text_color(*INK)
            page.multi_cell(page.epw - LABEL_WIDTH, 5.2, value, align="L", **below)  # type: ignore[arg-type]
            end = max(end, page.get_y()) + 1.6
            page.line(MARGIN, end, MARGIN + page.epw, end)
            page.set_y(end)
        page.ln(7)

    words(sheet.title, 20, style="B", after=2.5)
    words(sheet.lead, 11, colour=PALE, after=4)
    rows(sheet.facts)
    words(sheet.changed_title, 13, style="B", after=0.5)
    rows(sheet.changed)
    words(sheet.check_title, 13, style="B", after=1)
    words(sheet.check, 10, colour=PALE, after=3)
    page.set_fill_color(*SOFT)
    page.set_text_color(*INK)
    page.set_font("Mono", "B", 17)
    page.cell(page.epw, 15, sheet.code, align="C", fill=True, **below)  # type: ignore[arg-type]
    page.ln(5)
    for remark in sheet.remarks:
        words(remark, 9, colour=PALE, after=1.2)
    return bytes(page.output())
