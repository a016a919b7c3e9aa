"""The weekly report of a support lead: what became of the requests of one week, in figures with one definition each.

Definitions: docs/metrics.md, "The weekly report".
"""

from __future__ import annotations

from cases.reports.keep import (
    NotOver,
    OwnWeek,
    course,
    differs,
    made_weeks,
    make,
    make_due,
    own_week,
    shown,
    weekly,
    wish,
    wished,
)
from cases.reports.shapes import (
    DEFINITIONS,
    FIGURES,
    LATE,
    SMALL,
    STEPS,
    AgentRow,
    Figure,
    Funnel,
    Group,
    Report,
    ReportWeek,
    Step,
    TeamSpread,
    Topic,
    Topics,
)

__all__ = [
    "DEFINITIONS",
    "FIGURES",
    "LATE",
    "SMALL",
    "STEPS",
    "AgentRow",
    "Figure",
    "Funnel",
    "Group",
    "NotOver",
    "OwnWeek",
    "Report",
    "ReportWeek",
    "Step",
    "TeamSpread",
    "Topic",
    "Topics",
    "course",
    "differs",
    "made_weeks",
    "make",
    "make_due",
    "own_week",
    "shown",
    "weekly",
    "wish",
    "wished",
]
