"""What a browser makes of our languages: times in the reader's zone, and the switch on a small phone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cases.wording import LANGUAGES
from tests.webapp.conftest import Portal, picture
from tests.webapp.pages import screens
from tests.webapp.test_portal_browser import address, come_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]

__all__ = ["address"]  # a fixture of theirs

SENT = {
    "ru": "23 ноября в 01:30",
    "kk": "23 қараша, 01:30",
    "es": "23 de noviembre, 01:30",
    "en": "November 23 at 01:30",
}


def test_times_are_told_in_the_readers_zone_and_language(demo: Portal, address: str, chromium: Any) -> None:
    """Half past eight in the evening in London is the next day in Almaty; browsers do not know the months' Kazakh names."""
    demo.clock.at = datetime(2026, 11, 22, 20, 30, tzinfo=UTC)
    changed = next(screen for screen in screens(demo, picture) if screen.name == "changed")
    context = chromium.new_context(viewport={"width": 320, "height": 700}, timezone_id="Asia/Almaty")
    page = context.new_page()
    for language in LANGUAGES:
        come_in(page, demo, address, changed.who, language)
        page.goto(address + changed.address)
        told = page.locator("time[data-local]").first.text_content()
        assert words(told) == words(SENT[language]), told
        wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wide, f"{language}: the switch is wider than a small phone"
    context.close()


def words(text: str) -> set[str]:
    """Words and numbers; browsers of different years join them differently."""
    return set(text.replace(",", " ").split()) - {"в", "a", "las", "at", "AM", "PM"}
