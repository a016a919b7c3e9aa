"""`flask calibrate …`: to look takes nobody, to change what scores mean takes two real people on the command line too."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from cases import calibration
from cases.models import Calibration, Role
from cases.ops_tables import CalibrationActivation
from tests import factories as a
from tests.webapp.staff_fixtures import PASSWORD, Office, make_office
from verification.calibration import OwnPair
from verification.evidence import Pair


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def ops(office: Office) -> str:
    return office.member(Role.OPS, name="Olga Ops", factor=False)


@pytest.fixture
def lead(office: Office) -> str:
    return office.member(Role.LEAD, name="Lena Lead", factor=False)


@pytest.fixture
def labelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What agents labelled: 280 pairs of one person, 50 of two, of women and men."""
    dice = random.Random(0)
    pairs = [
        OwnPair(
            pair=Pair.SELFIE_DOCUMENT, similarity=dice.gauss(11 if n < 280 else 0, 1.5), same=n < 280, person=str(n),
            sex="FM"[n % 2], age=3 + n % 3,
        )
        for n in range(330)
    ]  # fmt: skip
    monkeypatch.setattr(calibration, "labelled_pairs", lambda _session: iter(pairs))


def run(office: Office, *args: str, email: str = "", typed: str = "") -> Any:
    more = ["--as", email] if email else []
    return office.app.test_cli_runner().invoke(args=["calibrate", *args, *more], input=f"{PASSWORD}\n{typed}" if email else None)


def held(office: Office) -> str:
    with office.db.reading() as db:
        return calibration.standing_calibration(db).label


def test_without_labelled_pairs_it_says_what_holds_and_how_many_there_are(office):
    told = run(office)
    assert told.exit_code == 0, told.output
    assert "holds: faces " in told.output and "days old" in told.output and "nothing is labelled yet" in told.output
    assert "a fit now: 0 of 300 labelled pairs: 0 of one person, 0 of different people" in told.output


def test_a_fit_that_is_too_small_is_not_proposed(office, ops):
    refused = run(office, "propose", "--reason", "Try.", email=ops)
    assert refused.exit_code == 1 and "0 of 300 labelled pairs" in refused.output and "Nothing was changed" in refused.output
    with office.db.reading() as db:
        assert db.scalars(select(CalibrationActivation)).all() == []


@pytest.mark.usefixtures("labelled")
def test_looking_and_trying_a_fit_takes_nobody_and_keeps_nothing(office):
    told = run(office).output
    assert "selfie_document   280 and 50, moved by" in told and "by its own strangers; 1 in 10,000 at" in told
    assert "selfie_on_file    0 and 0, moved by" in told and "fewer than 30 strangers of its own" in told
    assert "sex: female    selfie_document   0 of 140: 0.00% (0.00% - 2.67%)" in told and "not enough (25)" in told
    with office.db.reading() as db:
        assert db.scalars(select(Calibration)).all() == []


@pytest.mark.usefixtures("labelled")
def test_it_is_proposed_by_one_person_and_confirmed_by_another_who_is_told_what_it_does(office, ops, lead):
    shipped = held(office)
    proposed = run(office, "propose", "--reason", "Enough pairs.", email=ops)
    assert proposed.exit_code == 0 and "proposed as 1" in proposed.output and held(office) == shipped
    assert "waits for a second person: proposal 1, calibration 1, by Olga Ops: Enough pairs." in run(office).output
    again = run(office, "propose", "--reason", "Once more.", email=lead)
    assert again.exit_code == 1 and "a proposal waits for a second person" in again.output
    own = run(office, "confirm", "1", "--yes", email=ops)
    assert own.exit_code == 1 and "another person has to confirm this" in own.output and held(office) == shipped
    no = run(office, "confirm", "1", email=lead, typed="n\n")
    assert no.exit_code == 1 and held(office) == shipped
    assert "rates strangers at least as high as what holds" in no.output and "of the newest 0 runs" in no.output
    yes = run(office, "confirm", "1", email=lead, typed="y\n")
    assert yes.exit_code == 0, yes.output
    assert held(office) == "own face calibration 1"
    told = run(office).output
    assert "holds: own face calibration 1" in told and "agreed by Olga Ops and Lena Lead: Enough pairs." in told
    back = run(office, "propose", "--shipped", "--reason", "Wrong labels.", email=lead)
    assert back.exit_code == 0 and "at some scores it rates strangers lower" in back.output
    assert held(office) == "own face calibration 1"
    assert run(office, "confirm", "2", "--yes", email=ops).exit_code == 0 and held(office) == shipped


@pytest.mark.usefixtures("labelled")
def test_a_wrong_password_a_wrong_role_and_a_proposal_that_is_over_change_nothing(office, ops, lead):
    agent = office.member(Role.AGENT, name="Anna Agent", factor=False)
    assert "not allowed" in run(office, "propose", "--reason", "Mine.", email=agent).output
    wrong = office.app.test_cli_runner().invoke(
        args=["calibrate", "propose", "--reason", "Mine.", "--as", ops], input="guess\n"
    )  # fmt: skip
    assert wrong.exit_code == 1 and "the password is wrong" in wrong.output
    assert run(office, "propose", "--reason", "Enough.", email=ops).exit_code == 0
    assert "not allowed" in run(office, "withdraw", "1", email=agent).output
    assert run(office, "withdraw", "1", email=lead).output.endswith("withdrawn\n")
    over = run(office, "confirm", "1", "--yes", email=lead)
    assert over.exit_code == 1 and "no longer open" in over.output
    assert "nothing of this number" in run(office, "confirm", "7", "--yes", email=lead).output
    with office.db.reading() as db:
        assert calibration.current(db) is None


@pytest.mark.usefixtures("labelled")
def test_an_old_calibration_is_warned_of(office):
    with office.db.transaction() as db:
        a.calibrated(db, now=office.clock())
    office.clock.forward(days=calibration.AGES_AFTER.days + 2)
    assert "look: it is older than a year; calibrate anew" in run(office).output
