"""`flask policy look`: a would-be wrong approval opened without a browser, by the same rule and with the same trace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, func, select

from cases import policies, replays
from cases.models import Event, Role
from cases.ops_tables import RunRecord
from tests import factories as a
from tests.webapp.staff_fixtures import PASSWORD, Office, make_office
from tests.webapp.test_ops_commands import drafted

NAMES = [value for value in (*a.CLAIM.values.values(), *a.PROFILE.values.values()) if len(value) > 3]


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def ops(office: Office) -> str:
    return office.member(Role.OPS, name="Olga Ops", factor=False)


def policy(office: Office, *args: str, who: str, fails: bool = False) -> str:
    done = office.app.test_cli_runner().invoke(args=["policy", *args, "--as", who], input=f"{PASSWORD}\n")
    assert (done.exit_code == 0) is not fails, done.output
    return str(done.output)


def refused(office: Office, *, ago: float = 1) -> str:
    with office.db.transaction() as db:
        return str(a.a_rejected(db, now=office.clock() - timedelta(days=ago)).id)


def events(office: Office, kind: str) -> int:
    with office.db.reading() as db:
        return db.scalar(select(func.count()).where(Event.kind == kind)) or 0


def test_from_a_refused_proposal_to_an_opened_case_and_a_proposal(office, ops):
    case, version = refused(office), str(drafted(office, ops))
    told = policy(office, "replay", version, who=ops)
    assert f"1 to open before it may be proposed; to list them: flask policy look {version}" in told
    assert "flask policy look VERSION" in policy(office, "propose", version, "--reason", "Kinder", who=ops, fails=True)
    assert re.search(rf"{case}  rejected  not opened\n1 cases, 1 not opened", policy(office, "look", version, who=ops))
    assert events(office, "would_be_approval_opened") == 0, "a list opens nothing"
    shown = policy(office, "look", version, case, who=ops)
    assert "a person answered: reject (selfie_document_faces_differ)" in shown
    assert "policy 1: refer (selfie_document_faces_unsure)" in shown and "policy 2: approve\n" in shown
    assert re.search(r"\* Selfie and passport portrait: \S+ \| - 6\.7 \| \+ 4\n", shown), shown
    assert "noted that you opened it; 0 not opened" in shown
    assert events(office, "would_be_approval_opened") == 1
    assert f"{case}  rejected  opened\n1 cases, 0 not opened" in policy(office, "look", version, who=ops)
    assert "another person confirms it" in policy(office, "propose", version, "--reason", "Kinder", who=ops)


def test_what_was_typed_and_read_is_printed_to_who_may_see_the_case_and_the_trail_says_so(office, ops):
    case, version = refused(office), str(drafted(office, ops))
    policy(office, "replay", version, who=ops)
    blind = policy(office, "look", version, case, who=ops)
    assert not [name for name in NAMES if name in blind] and "for those who may see the case" in blind
    assert events(office, "case_opened_by_staff") == 0
    lead = office.member(Role.LEAD, name="Lena Lead", factor=False)
    shown = policy(office, "look", version, case, who=lead)
    assert f"Surname: {a.PROFILE.values['surname']} | {a.CLAIM.values['surname']} | " in shown, shown
    assert events(office, "case_opened_by_staff") == 1


def test_an_auditor_may_look_and_it_does_not_count_and_an_agent_may_not(office, ops):
    case, version = refused(office), str(drafted(office, ops))
    policy(office, "replay", version, who=ops)
    auditor = office.member(Role.AUDITOR, name="Ada Auditor", factor=False)
    shown = policy(office, "look", version, case, who=auditor)
    assert "not counted" in shown and not [name for name in NAMES if name in shown]
    assert events(office, "would_be_approval_opened") == 0
    agent = office.member(Role.AGENT, name="Ben Agent", factor=False)
    assert "not allowed" in policy(office, "look", version, case, who=agent, fails=True)


def test_only_what_a_replay_of_this_version_found_is_shown(office, ops):
    refused(office)
    with office.db.transaction() as db:
        good = str(a.an_approved(db, now=office.clock() - timedelta(days=1)).id)
    version = str(drafted(office, ops))
    assert "0 cases, 0 not opened" in policy(office, "look", version, who=ops)
    policy(office, "replay", version, who=ops)
    for other in (good, str(uuid4())):
        assert "no replay of this version" in policy(office, "look", version, other, who=ops, fails=True)
    assert "nothing of this number" in policy(office, "look", "99", who=ops, fails=True)


@pytest.mark.parametrize(
    ("days", "ago", "unpacked", "said"),
    [
        ("1", 20, False, "looked back less than 28 days"),
        ("7", 20, False, "looked at no run, and there are some"),
        ("30", 20, True, "left out more runs"),
    ],
)
def test_why_a_replay_does_not_count_is_said_when_it_is_made_and_when_it_is_proposed(office, ops, days, ago, unpacked, said):
    refused(office, ago=ago)
    if days == "1":
        refused(office, ago=0.5)
    if unpacked:
        with office.db.transaction() as db:
            db.execute(delete(RunRecord))
    version = str(drafted(office, ops))
    assert said in policy(office, "replay", version, "--days", days, who=ops)
    assert said in policy(office, "propose", version, "--reason", "Kinder", who=ops, fails=True)


def test_an_old_replay_is_told_by_command_too(office, ops):
    version = str(drafted(office, ops))
    policy(office, "replay", version, who=ops)
    office.clock.forward(days=8)
    assert "more than 7 days old" in policy(office, "propose", version, "--reason", "Kinder", who=ops, fails=True)
    with office.db.reading() as db:
        assert replays.attached(db, int(version)) is not None and policies.current(db).version == 1
