"""The filters of the queue: read from its address, written into one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from cases.queue import Filters, View
from cases.risk import Risk
from cases.wording import LANGUAGES
from verification.evidence import ChangeReason
from verification.reasons import ReasonCode

PAGE = 30
"""Lines of the queue on one page: four screens of a laptop. Each costs half a millisecond to write."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The queue's filters as they stand in the address."""

    view: View
    reason: ReasonCode | None
    change: ChangeReason | None
    country: str
    language: str
    risk: str
    search: str
    after: str

    def filters(self, me: UUID, *, rescue_first: bool) -> Filters:
        """What `cases.queue.page` takes."""
        return Filters(
            view=self.view,
            owner=me,
            rescue_first=rescue_first,
            reason=self.reason,
            change_reason=self.change,
            country=self.country or None,
            language=self.language or None,
            risk=self.risk or None,
            after=self.after,
            limit=PAGE,
        )

    @property
    def narrowed(self) -> bool:
        """Whether more than a view is asked for."""
        return bool(self.reason or self.change or self.country or self.language or self.risk)

    def address(self) -> dict[str, str]:
        """What of it stands in the address, without search and place: what is kept as a view."""
        asked = {
            "view": self.view.value if self.view is not View.WAITING else "",
            "reason": self.reason.value if self.reason else "",
            "change": self.change.value if self.change else "",
            "country": self.country,
            "language": self.language,
            "risk": self.risk,
        }
        return {name: value for name, value in asked.items() if value}


def read_filters(args: Mapping[str, str]) -> Asked:
    """Read the address; a word that means nothing is left out."""
    country = args.get("country", "").strip().upper()
    return Asked(
        view=next((v for v in View if v.value == args.get("view")), View.WAITING),
        reason=next((r for r in ReasonCode if r.value == args.get("reason")), None),
        change=next((r for r in ChangeReason if r.value == args.get("change")), None),
        country=country if len(country) == 3 and country.isascii() and country.isalpha() else "",
        language=args.get("language", "") if args.get("language") in LANGUAGES else "",
        risk=args.get("risk", "") if args.get("risk") in {r.value for r in Risk} else "",
        search=args.get("q", "").strip()[:200],
        after=args.get("after", "")[:160],
    )
