"""A loosening on its way, in pages and by command line: shadow, steps, one click back, and why approvals halted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from cases import halts, pace, policies, ramps
from cases.models import Role, Staff
from cases.ops_tables import DecisionCount, PolicyTrial
from cases.ramps import Stage
from tests import factories
from tests.webapp.staff_fixtures import PASSWORD, Browser, Office, make_office
from verification.decision import Outcome
from verification.policy import SHIPPED

LOOSER = replace(SHIPPED, min_selfie_document=5.0)


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def olga(office: Office) -> Browser:
    return office.signed_in(Role.OPS, name="Olga Ops")


@pytest.fixture
def second(office: Office) -> Browser:
    return office.signed_in(Role.LEAD, name="Sam Second")


def plain(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.get_data(as_text=True)))


def someone(db: Any, name: str) -> Staff:
    return db.scalars(select(Staff).where(Staff.name == name)).one()


def proposed(office: Office) -> int:
    """Olga proposes a loosening; returns the number of the proposal."""
    with office.db.transaction() as db:
        return factories.proposed(db, LOOSER, by=someone(db, "Olga Ops"), now=office.clock()).id


def counted(office: Office, activation: int, stage: Stage, runs: int, *, live: bool = False) -> None:
    with office.db.transaction() as db:
        db.add(PolicyTrial(activation_id=activation, stage=stage.value, held="refer", tried="approve", live=live, runs=runs))


def under_way(office: Office) -> ramps.Ramp | None:
    with office.db.reading() as db:
        return ramps.under_way(db)


def held(office: Office) -> int:
    with office.db.reading() as db:
        return policies.current(db).version


def test_from_shadow_to_all_cases_by_buttons_and_back_in_one_click(office, olga, second):
    number = proposed(office)
    second.fresh("/ops/policies/2")
    assert second.post(f"/ops/policies/proposals/{number}/confirm").status_code == 303
    assert under_way(office).stage is Stage.SHADOW
    page = second.get("/ops/policies/2")
    assert (
        "In shadow" in plain(page) and "No run was counted yet" in plain(page) and "300 more runs, 24 more hours" in plain(page)
    )
    early = second.post(f"/ops/policies/rollouts/{number}/step", to="five")
    assert early.status_code == 409 and "Missing before the next step: 300 more runs, 24 more hours" in plain(early)
    olga.fresh("/ops/policies/2")
    own = olga.post(f"/ops/policies/rollouts/{number}/step", to="five")
    assert own.status_code == 403 and under_way(office).stage is Stage.SHADOW
    counted(office, number, Stage.SHADOW, 300)
    office.clock.forward(hours=25)
    third = office.signed_in(Role.OPS, name="Tom Third")
    third.fresh("/ops/policies/2")
    page = plain(third.get("/ops/policies/2"))
    assert "to a person → approved: 300" in page and "Nothing is missing for the next step" in page
    assert third.post(f"/ops/policies/rollouts/{number}/step", to="five").status_code == 303
    assert third.post(f"/ops/policies/rollouts/{number}/step", to="five").status_code == 409, "a click that comes twice"
    assert third.post(f"/ops/policies/rollouts/{number}/step", to="nonsense").status_code == 404
    assert under_way(office).stage is Stage.FIVE and "5% of cases" in plain(third.get("/ops/policies"))
    assert third.post("/ops/policies/2/rollback").status_code == 303
    assert under_way(office) is None and held(office) == 1
    assert "Rolled back" in plain(third.get("/ops/policies/2"))
    assert third.post("/ops/policies/2/rollback").status_code == 409


def test_what_holds_is_rolled_back_from_its_page_and_no_other_version_is(office, olga, second):
    with office.db.transaction() as db:
        factories.ramped(db, LOOSER, by=someone(db, "Olga Ops"), second=someone(db, "Sam Second"), now=office.clock())
    assert held(office) == 2
    olga.fresh("/ops/policies/2")
    assert olga.post("/ops/policies/1/rollback").status_code == 409 and held(office) == 2
    assert "/ops/policies/2/rollback" in olga.get("/ops/policies/2").text
    assert olga.post("/ops/policies/2/rollback", reason="Odd approvals").status_code == 303
    assert held(office) == 1 and "Odd approvals" in plain(olga.get("/ops/policies/2"))


def test_while_one_is_on_its_way_no_other_begins(office, olga, second):
    with office.db.transaction() as db:
        people = someone(db, "Olga Ops"), someone(db, "Sam Second")
        factories.ramped(db, LOOSER, by=people[0], second=people[1], now=office.clock(), to=Stage.FIVE)
        other = factories.proposed(db, replace(SHIPPED, max_attempts=5), by=people[0], now=office.clock()).id
    second.fresh("/ops/policies/3")
    late = second.post(f"/ops/policies/proposals/{other}/confirm")
    assert late.status_code == 409 and "Another version is on its way up" in plain(late)


def test_an_auditor_sees_how_far_it_is_and_has_no_button(office, olga, second):
    with office.db.transaction() as db:
        people = someone(db, "Olga Ops"), someone(db, "Sam Second")
        activation = factories.ramped(db, LOOSER, by=people[0], second=people[1], now=office.clock(), to=Stage.QUARTER).id
    auditor = office.signed_in(Role.AUDITOR)
    page = auditor.get("/ops/policies/2")
    assert "25% of cases" in plain(page) and "<form" not in page.text.split("<main")[1]
    auditor.fresh("/ops/audit")
    assert auditor.post(f"/ops/policies/rollouts/{activation}/step", to="full").status_code == 403
    assert auditor.post("/ops/policies/2/rollback").status_code == 403
    assert under_way(office).stage is Stage.QUARTER


def test_a_halt_says_why_and_by_which_numbers(office, olga):
    with office.db.transaction() as db:
        db.add(DecisionCount(slot=pace.slot_of(office.clock()), outcome=Outcome.APPROVE.value, runs=2_000))
        db.flush()
        office.clock.forward(seconds=1)
        assert halts.check(db, now=office.clock()) is not None
    page = plain(olga.get("/ops/policies"))
    assert "Automatic approval has stopped itself" in page
    assert "2,000 automatic approvals within an hour; no more than 1,000 are allowed." in page


def test_the_same_by_command_line(office, olga, second, monkeypatch):
    def run(*args: str, who: str | None = None) -> tuple[int, str]:
        with office.db.reading() as db:
            email = someone(db, who).email if who else None
        more = ("--as", email) if email else ()
        done = office.app.test_cli_runner().invoke(args=["policy", *args, *more], input=f"{PASSWORD}\n")
        return done.exit_code, done.output

    code, said = run("draft", "min_selfie_document=5.0", "--reason", "Fewer referrals", who="Olga Ops")
    assert code == 0 and said.strip().endswith("2"), said
    code, said = run("propose", "2", "--reason", "Fewer referrals", who="Olga Ops")
    assert code == 1 and "replay it first" in said
    assert run("replay", "2", who="Olga Ops")[0] == 0
    code, said = run("propose", "2", "--reason", "Fewer referrals", who="Olga Ops")
    assert code == 0 and "proposed as 2" in said
    assert run("confirm", "2", who="Olga Ops")[0] == 1
    assert run("confirm", "2", who="Sam Second")[0] == 0
    code, said = run("stage", "five", who="Sam Second")
    assert code == 1 and "too early" in said
    counted(office, 2, Stage.SHADOW, 300)
    office.clock.forward(hours=25)
    assert run("stage", "five", who="Olga Ops")[0] == 1, "whoever proposed takes no step"
    code, said = run("stage", "five", who="Sam Second")
    assert code == 0 and "policy 2: 5 %" in said
    code, said = run("status")
    assert code == 0 and "policy 1 holds" in said and "policy 2 is on its way: 5 %" in said and "300 of 300 runs differ" in said
    assert run("rollback", "--reason", "Odd", who="Olga Ops")[0] == 0
    assert "no version is on its way" in run("status")[1] and held(office) == 1
