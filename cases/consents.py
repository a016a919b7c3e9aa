"""What customers agreed to, word for word, by version and language: the text is shown to her again years later.

A version's text stands in files (`cases/consents/VERSION.LANGUAGE.txt`) and is never changed: whoever changes a word makes a new
version. Each line begins with whom it is for: `machine` where a computer may compare faces, `people` where only people do, `all`,
and `days` with plural forms, as many as the language has, parted by ` || `.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from gettext import c2py
from pathlib import Path

from babel.messages.plurals import get_plural
from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import by_eye
from cases.models import Case, Event
from cases.wording import LANGUAGES, SOURCE

FOLDER = Path(__file__).with_name("consents")

CURRENT = "2026-11d"
"""The version that pages show; the one before spoke of photos alone, not of supporting papers and messages."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a customer agreed to with a request."""

    version: str
    by_people: bool  # she left the comparison of her face to people, or no machine does it here
    at: datetime
    days: int | None  # how long photos were to be kept, as the text said; None where the trail does not tell

    @property
    def known(self) -> bool:
        """Whether the text is one of ours: requests made by tests and the demo name others."""
        return self.version in versions()


def versions() -> tuple[str, ...]:
    """Every version there was, the oldest first."""
    return tuple(sorted({file.name.split(".")[0] for file in FOLDER.glob("*.txt")}))


def text(version: str, language: str, *, by_people: bool, days: int) -> tuple[str, ...]:
    """The sentences of a version. Raises KeyError for a version that there never was."""
    spoken = language if language in LANGUAGES else SOURCE
    whom = {"all", "days", "people" if by_people else "machine"}
    return tuple(_line(tag, words, spoken, days) for tag, words in _lines(version, spoken) if tag in whom)


def given(session: Session, case: Case) -> Given | None:
    """What she agreed to with this request, the last time she did."""
    if case.consent_version is None or case.consented_at is None:
        return None
    event = session.scalars(
        select(Event).where(Event.case_id == case.id, Event.kind == "consent_given").order_by(Event.id.desc()).limit(1)
    ).first()
    days = event.details.get("days") if event is not None else None
    version, mark, _ = case.consent_version.partition(by_eye.MARK)
    return Given(version=version, by_people=bool(mark), at=case.consented_at, days=days)


def words(session: Session, agreed: Given, language: str) -> tuple[str, ...]:
    """The text as she saw it; () for a version that is none of ours."""
    if not agreed.known:
        return ()
    days = agreed.days if agreed.days is not None else int(session.info["settings"].photo_days)
    # A person who chose people on the page had read the text of the machines, and the choice below it, unless there were none.
    return text(agreed.version, language, by_people=agreed.by_people and not by_eye.allowed(session), days=days)


@lru_cache(maxsize=64)
def _lines(version: str, language: str) -> tuple[tuple[str, str], ...]:
    file = FOLDER / f"{version}.{language}.txt"
    if not file.is_file() or version not in versions():
        raise KeyError(version)
    parted = (line.partition(": ") for line in file.read_text("utf-8").splitlines() if line)
    return tuple((tag, rest) for tag, _, rest in parted)


def _line(tag: str, words_of: str, language: str, days: int) -> str:
    if tag != "days":
        return words_of
    forms = words_of.split(" || ")
    return forms[int(c2py(get_plural(language)[1])(days))].replace("{days}", str(days))
