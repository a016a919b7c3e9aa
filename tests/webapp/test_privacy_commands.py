"""`flask person`, `keys`, `backup`, `restore`, `drill`: what they print, refuse and leave behind."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskCliRunner
from sqlalchemy import select

from cases import privacy, tombstones
from cases.crypto import Vault
from cases.models import Customer, Event, Role
from tests import factories as a
from tests.webapp.staff_fixtures import PASSWORD, Office, make_office


@pytest.fixture
def office(settings: Any, database: Any) -> Any:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def run(office: Office) -> Any:
    runner: FlaskCliRunner = office.app.test_cli_runner()

    def command(*arguments: str, typed: str | None = None) -> Any:
        return runner.invoke(args=list(arguments), input=typed)

    return command


def a_person(office: Office) -> str:
    with office.db.transaction() as db:
        return a.a_draft(db, now=office.clock()).customer.external_id


def answer(result: Any) -> dict[str, Any]:
    text = result.output
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


def test_a_lead_erases_a_person_and_an_agent_may_not(office: Office, run: Any) -> None:
    external = a_person(office)
    agent, lead = office.member(Role.AGENT, name="Agent"), office.member(Role.LEAD, name="Lead")
    refused = run("person", "erase", external, "--reason", "wish", "--yes", "--as", agent, typed=PASSWORD)
    assert refused.exit_code == 1 and "erase_people" in refused.output
    done = run("person", "erase", external, "--reason", "wish", "--yes", "--as", lead, typed=PASSWORD)
    assert done.exit_code == 0 and answer(done)["state"] == "done", done.output
    again = run("person", "erase", external, "--reason", "wish", "--yes", "--as", lead, typed=PASSWORD)
    assert again.exit_code == 0 and answer(again)["id"] == answer(done)["id"]
    unknown = run("person", "erase", "nobody", "--reason", "wish", "--yes", "--as", lead, typed=PASSWORD)
    assert unknown.exit_code == 1 and "Nothing was changed" in unknown.output
    with office.db.reading() as db:
        event = db.scalars(select(Event).where(Event.kind == "erased")).one()
        assert event.actor_kind == "staff" and event.actor_id


def test_one_that_waits_is_kept_again(office: Office, run: Any) -> None:
    lead = office.member(Role.LEAD, name="Lead")
    with office.db.transaction() as db:
        external = a.an_approved(db, now=office.clock()).customer.external_id
    told = answer(run("person", "erase", external, "--reason", "account_closed", "--yes", "--as", lead, typed=PASSWORD))
    assert told["state"] == "waiting" and told["holds"][0]["code"] == "recent_change"
    assert "not wait" in run("person", "keep", external, "--as", lead, typed=PASSWORD).output
    assert "nothing was waiting" in run("person", "keep", external, "--as", lead, typed=PASSWORD).output


def test_an_export_is_a_file_that_only_its_owner_reads_and_overwrites_none(office: Office, run: Any, tmp_path: Path) -> None:
    external, lead, file = a_person(office), office.member(Role.LEAD, name="Lead"), tmp_path / "her.json"
    given = ("person", "export", external, "--to", str(file), "--pictures", "--as", lead)
    assert run(*given, typed=PASSWORD).exit_code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    made = json.loads(file.read_text())
    assert made["account"]["number"] == external and made["pictures"][0]["pictures"]
    assert "is there already" in run(*given, typed=PASSWORD).output


def test_keys_are_counted_and_rotated_and_the_old_one_is_said_to_go_only_then(office: Office, run: Any) -> None:
    a_person(office)
    vault = Vault({1: bytes.fromhex("1a" * 32), 2: b"2" * 32})
    office.db.info["vault"] = office.app.extensions["peremena.database"].info["vault"] = vault
    before = run("keys", "status")
    assert "master key 1" in before.output and "must stay" in before.output and "may go" not in before.output
    done = run("keys", "rotate", "--batch", "2")
    assert "keys wrapped anew" in done.output and "backups made before still need it" in done.output


def test_a_backup_is_made_checked_and_brought_back_and_a_drill_is_good(office: Office, run: Any, tmp_path: Path) -> None:
    external, folder = a_person(office), str(tmp_path / "backups")
    made = run("backup", folder)
    assert made.exit_code == 0 and answer(made)["pictures"] == 3 and "keep MASTER_KEYS" in made.output, made.output
    assert answer(run("restore", folder, "--check"))["customers"] == 1
    refused = run("restore", folder)
    assert refused.exit_code == 1 and "no file of tombstones" in refused.output
    occupied = run("restore", folder, "--without-tombstones")
    assert occupied.exit_code == 1 and "--overwrite" in occupied.output
    with office.db.transaction() as db:
        customer = db.scalars(select(Customer).where(Customer.external_id == external)).one()
        privacy.erase(db, customer.id, actor=a.Actor(kind="host"), reason="order", now=office.clock())
    tombstones.write(office.db, tombstones.folder(office.db.settings), now=office.clock())
    office.db.dispose()
    back = run("restore", folder, "--overwrite")
    assert back.exit_code == 0 and answer(back)["erased_again"] == 1, back.output
    drilled = run("drill")
    assert drilled.exit_code == 0 and answer(drilled)["ok"] is True, drilled.output
    assert "There is no backup" in run("restore", str(tmp_path), "--check").output
