"""Weekly reports of nobody, made up figure by figure and kept as `cases.reports.keep` does: for pages, tables, paper and mail."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from cases import figures
from cases.host_tables import WeeklyReport
from cases.reports import DEFINITIONS, FIGURES, LATE, SMALL, STEPS, Figure, ReportWeek

REASONS = ("document_glare", "selfie_blurred", "surname_differs", "selfie_document_faces_differ", "document_cut_off")
RANGES = {
    "share": (0.02, 0.97),
    "seconds": (4.0, 90_000.0),
    "count": (0, 240),
    "mean": (1.0, 2.4),
    "minutes_per_100": (20.0, 90.0),
}


def figure(dice: random.Random, name: str, unit: str, *, n: int) -> Figure:
    """One figure with its interval and the week before; a count has no interval."""
    low, high = RANGES[unit]
    if unit == "count":
        value = dice.randint(int(low), int(high))
        return Figure(value=value, n=value, unit=unit, before=dice.randint(int(low), int(high)), before_n=n)
    value = dice.uniform(low, high)
    reach = 0.3 * value
    return Figure(
        value=value,
        n=n,
        low=max(0.0, value - reach),
        high=min(1.0, value + reach) if unit == "share" else value + reach,
        unit=unit,
        before=dice.uniform(low, high),
        before_n=n,
        late=name in LATE,
    )


def part(dice: random.Random, cases: int) -> dict[str, Any]:
    """All figures, funnel and topics of one slice."""
    count, steps = cases + 40, []
    for name in STEPS:
        if name == "reason":
            steps.append({"name": name, "count": None, "of_first": None, "of_previous": None})
            continue
        share = asdict(figure(dice, name, "share", n=count))
        steps.append({"name": name, "count": count, "of_first": share, "of_previous": None if name == STEPS[0] else share})
        count = int(count * 0.93)
    top = [
        {
            "code": code,
            "cases": max(1, cases // (at + 3)),
            "before": dice.randint(0, cases),
            "share": asdict(figure(dice, code, "share", n=cases)),
            "countries": [["KAZ", 2], ["RUS", 1]],
        }
        for at, code in enumerate(REASONS)
    ]
    return {
        "cases": cases,
        "figures": {name: asdict(figure(dice, name, unit, n=cases)) for name, unit in FIGURES.items()},
        "funnel": {"steps": steps},
        "topics": {"cases": cases // 2, "before": cases // 3, "top": top},
    }


def keep(
    session: Session, week: ReportWeek, *, agents: Sequence[UUID] = (), now: datetime, cases: int = 180, seed: int = 1
) -> WeeklyReport:
    """Keep a made-up report of a week: three countries, one of them too small to be told, and two policy versions."""
    dice = random.Random(seed)
    countries = [["RUS", cases // 2], ["KAZ", cases // 3], ["MEX", SMALL - 1]]
    policies = [[15, cases // 2], [14, cases // 3], [None, 3]]
    parts = {"all": part(dice, cases)}
    parts |= {f"country:{code}": part(dice, n) for code, n in countries if n >= SMALL}
    parts |= {f"policy:{version}": part(dice, n) for version, n in policies if n >= SMALL and version is not None}
    rows = [
        {
            "staff_id": str(id),
            "handled": 12 + at,
            "values": {name: [dice.uniform(0.1, 0.9), 10 + at] for name in figures.FIGURES},
            "z": {"minutes": 3.4} if at == 0 else {},
        }
        for at, id in enumerate(agents)
    ]
    held = [
        figures.Agent(
            staff_id=uuid4(), name="", practising=False, handled=row["handled"],
            values={name: figures.Value(value=value, n=n) for name, (value, n) in row["values"].items()},
        )
        for row in rows
    ]  # fmt: skip
    row = WeeklyReport(
        id=uuid4(),
        monday=week.monday,
        time_zone=week.time_zone,
        made_at=now,
        definitions=DEFINITIONS,
        document={
            "week": str(week),
            "time_zone": week.time_zone,
            "as_of": (week.ends + timedelta(hours=6)).isoformat(),
            "definitions": DEFINITIONS,
            "review_hours": 24,
            "parts": parts,
            "countries": countries,
            "policies": policies,
            "agents": rows,
            "team": {name: asdict(spread) for name, spread in figures.spreads(held).items()},
        },
    )
    session.add(row)
    session.flush()
    return row
