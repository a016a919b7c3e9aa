"""How long is left, as the queue shows it: minutes and seconds within the hour, hours and minutes before, and always a word."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _

from cases.queue import SOON
from webapp.desk.presenters import span

HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class Left:
    """Time left until a case is due. `word` says what the colour says; the script of the page counts `seconds` on."""

    seconds: int  # negative: late
    text: str
    kind: str  # late, soon or calm
    word: str


def left(due: datetime | None, now: datetime) -> Left | None:
    """Until when a person was promised to answer."""
    if due is None:
        return None
    seconds = round((due - now).total_seconds())
    if seconds <= 0:
        kind, word = "late", _("late")
    elif seconds <= SOON.total_seconds():
        kind, word = "soon", _("due soon")
    else:
        kind, word = "calm", _("left")
    return Left(seconds=seconds, text=_text(abs(seconds)), kind=kind, word=word)


def _text(seconds: int) -> str:
    if seconds < HOUR:
        return f"{seconds // 60:02}:{seconds % 60:02}"
    return span(seconds)
