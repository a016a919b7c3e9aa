"""`flask policy replay|pack` and `flask undo …`: two real people on the command line too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from cases import audit, customers, policies, profiles, replays, undo
from cases.lifecycle import State
from cases.models import Case, Event, Role, Staff
from cases.ops_tables import ReplayReport, RunRecord, Undo
from tests import factories as a
from tests.webapp.staff_fixtures import PASSWORD, Office, make_office
from verification.evidence import Field
from verification.policy import SHIPPED


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


def run(office: Office, *args: str, typed: str | None = None) -> Any:
    return office.app.test_cli_runner().invoke(args=list(args), input=typed)


def approved(office: Office, count: int = 1) -> list[Any]:
    with office.db.transaction() as db:
        return [a.an_approved(db, now=office.clock() - timedelta(hours=1)).id for _ in range(count)]


def drafted(office: Office, email: str) -> int:
    with office.db.transaction() as db:
        author = db.scalars(select(Staff).where(Staff.email == email)).one()
        lenient = replace(SHIPPED, min_selfie_document=4.0)
        return policies.draft(db, lenient, author=author, reason="Fewer referrals.", now=office.clock()).version


def count(office: Office, what: Any, *where: Any) -> int:
    with office.db.reading() as db:
        return db.scalar(select(func.count()).select_from(what).where(*where)) or 0


def proposed(office: Office, email: str) -> str:
    answer = run(office, "undo", "propose", "--version", "1", "--reason", "Too lenient.", "--as", email, typed=f"{PASSWORD}\n")
    assert answer.exit_code == 0, answer.output
    return answer.output.strip().splitlines()[-1]


def test_a_replay_is_printed_and_kept_only_in_somebodys_name(office, ops):
    with office.db.transaction() as db:
        a.a_rejected(db, now=office.clock() - timedelta(days=1))
    number = drafted(office, ops)
    plain = run(office, "policy", "replay", str(number), "--days", "7")
    assert plain.exit_code == 0 and "policy 2 against policy 1: 1 runs" in plain.output
    assert re.search(r"1  refer -> approve", plain.output) and "of these wrong 1 (at most 100.00%)" in plain.output
    assert "not kept" in plain.output and count(office, ReplayReport) == 0
    kept = run(office, "policy", "replay", str(number), "--as", ops, typed=f"{PASSWORD}\n")
    assert kept.exit_code == 0 and "kept as report" in kept.output and PASSWORD not in kept.output
    with office.db.reading() as db, pytest.raises(replays.Unopened):
        replays.require_seen(db, number, now=office.clock())


def test_a_replay_is_not_kept_for_who_may_not_propose(office, ops):
    auditor = office.member(Role.AUDITOR, factor=False)
    number = drafted(office, ops)
    refused = run(office, "policy", "replay", str(number), "--as", auditor, typed=f"{PASSWORD}\n")
    assert refused.exit_code == 1 and "not allowed" in refused.output and count(office, ReplayReport) == 0
    assert run(office, "policy", "replay", "99").exit_code == 1


def test_old_runs_and_those_of_another_packing_are_packed(office):
    approved(office, 3)
    with office.db.transaction() as db:
        first, second, _third = db.scalars(select(RunRecord)).all()
        before = bytes(second.packed)
        db.execute(delete(RunRecord).where(RunRecord.run_id == first.run_id))
        second.packed = b"\xff" + second.packed[1:]
        other = second.run_id
    assert run(office, "policy", "pack").output.strip() == "2 packed"
    assert run(office, "policy", "pack").output.strip() == "0 packed"
    with office.db.reading() as db:
        assert bytes(db.get_one(RunRecord, other).packed) == before, "sex and age too"


def test_an_undo_takes_two_people_and_the_number(office, ops, lead):
    cases = approved(office, 2)
    preview = run(office, "undo", "preview", "--version", "1")
    assert "2 approvals" in preview.output and "by policy: 1 2" in preview.output and count(office, Undo) == 0
    number = proposed(office, ops)
    own = run(office, "undo", "confirm", number, "--as", ops, typed=f"{PASSWORD}\n2\n")
    assert own.exit_code == 1 and "another person has to confirm this" in own.output
    wrong = run(office, "undo", "confirm", number, "--as", lead, typed=f"{PASSWORD}\n3\n")
    assert wrong.exit_code == 1 and "that is not the number" in wrong.output
    assert run(office, "undo", "run").output.strip() == "0 carried out"
    done = run(office, "undo", "confirm", number, "--as", lead, typed=f"{PASSWORD}\n2\n")
    assert done.exit_code == 0 and PASSWORD not in done.output and "Olga Ops proposed: Too lenient." in done.output
    assert "2 left" in run(office, "undo", "list").output
    assert "2 carried out" in run(office, "undo", "run").output
    with office.db.reading() as db:
        assert {db.get_one(Case, case_id).state for case_id in cases} == {State.IN_REVIEW}
    shown = run(office, "undo", "list", number).output
    assert "done" in shown and "2 requeued" in shown and "(Olga Ops, Lena Lead)" in shown
    late = run(office, "undo", "withdraw", number, "--as", ops, typed=f"{PASSWORD}\n")
    assert late.exit_code == 1 and "no longer open" in late.output


def test_a_wrong_password_a_closed_account_and_nobody_are_refused(office, ops):
    approved(office)
    closed = office.member(Role.OPS, factor=False)
    with office.db.transaction() as db:
        db.scalars(select(Staff).where(Staff.email == closed)).one().active = False
    for who, password in ((ops, "not hers"), (closed, PASSWORD), ("nobody@nowhere.test", PASSWORD)):
        answer = run(office, "undo", "propose", "--version", "1", "--reason", "Wrong.", "--as", who, typed=f"{password}\n")
        assert answer.exit_code == 1 and "the password is wrong" in answer.output, who
    assert count(office, Undo) == 0 and count(office, Event, Event.kind == "staff_sign_in_refused") == 3


def test_guessing_on_the_command_line_is_counted_with_the_log_in(office, ops):
    approved(office)
    order = ("undo", "propose", "--version", "1", "--reason", "Wrong.", "--as", ops)
    for _try in range(5):
        run(office, *order, typed="guess\n")
    answer = run(office, *order, typed=f"{PASSWORD}\n")
    assert answer.exit_code == 1 and "too many tries" in answer.output and count(office, Undo) == 0
    assert office.browser().post("/staff/sign-in", email=ops, password=PASSWORD).status_code == 429


def test_agents_may_not_propose(office):
    approved(office)
    agent = office.member(Role.AGENT, factor=False)
    order = ("undo", "propose", "--version", "1", "--reason", "Wrong.", "--as", agent)
    answer = run(office, *order, typed=f"{PASSWORD}\n")
    assert answer.exit_code == 1 and "not allowed" in answer.output and count(office, Undo) == 0


@pytest.mark.parametrize(
    "chosen",
    [
        (), ("--country", "R1"), ("--since", "2026-11-22T10:00:00", "--until", "2026-11-22T09:00:00"), ("--since", "yesterday"),
        ("--kind", "x"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(office, chosen):
    assert run(office, "undo", "preview", *chosen).exit_code == 2


def test_a_proposal_without_approvals_or_of_nothing_is_refused(office, ops):
    empty = run(office, "undo", "propose", "--country", "ZZZ", "--reason", "Wrong.", "--as", ops, typed=f"{PASSWORD}\n")
    assert empty.exit_code == 1 and "no approval fits" in empty.output
    nothing = run(office, "undo", "withdraw", "00000000-0000-4000-8000-000000000000", "--as", ops, typed=f"{PASSWORD}\n")
    assert nothing.exit_code == 1 and "nothing of this number" in nothing.output
    assert run(office, "undo", "list").output.strip() == "nothing was proposed"


def test_a_proposal_is_withdrawn(office, ops, lead):
    approved(office)
    number = proposed(office, ops)
    assert run(office, "undo", "withdraw", number, "--as", lead, typed=f"{PASSWORD}\n").output.strip().endswith("withdrawn")
    assert "withdrawn" in run(office, "undo", "list").output
    assert undo.carry_out(office.db, now=office.clock()) == 0


def test_a_preview_names_the_cases_that_would_be_left_alone_to_both_people(office, ops, lead):
    moved, _other = approved(office, 2)
    with office.db.transaction() as db:
        customer = db.get_one(Case, moved).customer
        host = replace(a.PROFILE, values={**a.PROFILE.values, Field.SURNAME: "CHANGEDBYHOST"})
        customers.upsert(db, customer.external_id, host, email=a.OLD_EMAIL, locale="en", now=office.clock())
    for chosen in (("--version", "1"), ("--version", "1", "--all")):
        assert f"conflict {moved}" in run(office, "undo", "preview", *chosen).output
    number = proposed(office, ops)
    confirmed = run(office, "undo", "confirm", number, "--as", lead, typed=f"{PASSWORD}\n2\n")
    assert confirmed.exit_code == 0 and f"conflict {moved}" in confirmed.output
    assert "1 changed again since: not touched" in confirmed.output
    run(office, "undo", "run")
    assert f"conflict {moved}" in run(office, "undo", "list", number).output


def test_a_long_list_of_conflicts_is_cut_and_says_how_to_see_all(office, monkeypatch):
    cases = approved(office, 3)
    with office.db.transaction() as db:
        for case_id in cases:
            case = db.get_one(Case, case_id)
            case.disputed_at = office.clock()
            assert profiles.hold(db, case, actor=audit.Actor.customer(case.customer), now=office.clock())
    monkeypatch.setattr(undo, "LISTED", 1)
    short = run(office, "undo", "preview", "--version", "1").output
    assert short.count("conflict ") == 1 and "and 2 more conflicts: flask undo preview --all" in short
    full = run(office, "undo", "preview", "--version", "1", "--all").output
    assert {f"conflict {case_id}" for case_id in cases} <= set(full.splitlines()) and "more conflicts" not in full


def test_what_failed_is_listed_and_tried_again_by_command(office, ops, lead, monkeypatch):
    case_id, _other = approved(office, 2)
    real = profiles.take_back

    def take_back(session, case, **about):
        if case.id == case_id:
            raise ValueError("of a case")
        return real(session, case, **about)

    number = proposed(office, ops)
    run(office, "undo", "confirm", number, "--as", lead, typed=f"{PASSWORD}\n2\n")
    nothing = run(office, "undo", "retry", number, "--as", lead, typed=f"{PASSWORD}\n")
    assert nothing.exit_code == 1 and "nothing failed" in nothing.output
    with monkeypatch.context() as patched:
        patched.setattr(profiles, "take_back", take_back)
        assert "2 carried out" in run(office, "undo", "run").output
    assert f"failed {case_id} ValueError" in run(office, "undo", "list", number).output
    agent = office.member(Role.AGENT, factor=False)
    assert "not allowed" in run(office, "undo", "retry", number, "--as", agent, typed=f"{PASSWORD}\n").output
    again = run(office, "undo", "retry", number, "--as", lead, typed=f"{PASSWORD}\n")
    assert again.exit_code == 0 and "1 to be tried again" in again.output and PASSWORD not in again.output
    assert "1 carried out" in run(office, "undo", "run").output
    assert "2 requeued" in run(office, "undo", "list", number).output


def test_a_country_of_one_letter_is_a_country(office):
    approved(office)
    assert "0 approvals" in run(office, "undo", "preview", "--country", "d").output
    assert "1 approvals" in run(office, "undo", "preview", "--country", "UTO").output
    assert run(office, "undo", "preview", "--country", "LONG").exit_code == 2
