"""Signed exports of the trail: what is in them, that a changed file is found, and that no cell is a formula."""

from __future__ import annotations

import csv
import io
import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from cases import audit, audit_export
from cases.models import Event
from cases.staff import PERMISSIONS, Role
from tests import factories as a

DAY = timedelta(days=1)


@pytest.fixture
def trail(session: Any, now: datetime) -> Iterator[datetime]:
    a.a_rejected(session, now=now)
    a.an_approved(session, now=now + DAY)
    yield now


def export(session: Any, folder: Path, since: datetime, until: datetime, now: datetime) -> Path:
    file = folder / "audit.csv"
    with file.open("wb") as out:
        made = audit_export.write(session, out, since=since, until=until, now=now)
    Path(f"{file}.statement").write_bytes(made.statement)
    Path(f"{file}.sig").write_bytes(made.signature)
    return file


def rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text())))


def test_an_export_holds_exactly_the_events_of_its_time(session, trail, tmp_path):
    file = export(session, tmp_path, trail, trail + DAY, trail)
    wanted = session.scalars(select(Event).where(Event.at < trail + DAY).order_by(Event.id)).all()
    assert wanted and [int(row["id"]) for row in rows(file)] == [event.id for event in wanted]
    for row, event in zip(rows(file), wanted, strict=True):
        assert datetime.fromisoformat(row["at"]) == event.at and row["hash"] == event.hash
        assert json.loads(row["details"]) == event.details and row["case_id"] == str(event.case_id or "")
    told = audit_export.check(file, audit_export.public_key(session))
    assert int(told["rows"]) == len(wanted) and int(told["last"]) == wanted[-1].id
    assert audit_export.count(session, since=trail, until=trail + DAY) == len(wanted)


def test_the_rows_follow_each_other_by_their_hashes(session, trail, tmp_path):
    found = rows(export(session, tmp_path, trail - DAY, trail + 2 * DAY, trail))
    assert all(later["previous"] == earlier["hash"] for earlier, later in itertools.pairwise(found))


def test_every_change_is_found(session, trail, tmp_path):
    file, key = export(session, tmp_path, trail, trail + 2 * DAY, trail), audit_export.public_key(session)
    for name in ("audit.csv", "audit.csv.statement", "audit.csv.sig"):
        changed = tmp_path / name
        before = changed.read_bytes()
        for at in range(0, len(before), max(1, len(before) // 50)):
            changed.write_bytes(before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
            with pytest.raises(audit_export.NotGenuine):
                audit_export.check(file, key)
        changed.write_bytes(before[:-1])
        with pytest.raises(audit_export.NotGenuine):
            audit_export.check(file, key)
        changed.unlink()
        with pytest.raises((audit_export.NotGenuine, FileNotFoundError)):
            audit_export.check(file, key)
        changed.write_bytes(before)
    assert audit_export.check(file, key)
    with pytest.raises(audit_export.NotGenuine, match="not signed with this key"):
        audit_export.check(file, Ed25519PrivateKey.generate().public_key())


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_an_auditor_needs_nothing_of_ours(session, trail, tmp_path):
    file = export(session, tmp_path, trail, trail + DAY, trail)
    (tmp_path / "key.pem").write_bytes(audit_export.pem(audit_export.public_key(session)))
    command = [
        *("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(tmp_path / "key.pem"), "-rawin"),
        *("-in", f"{file}.statement", "-sigfile", f"{file}.sig"),
    ]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    Path(f"{file}.statement").write_bytes(Path(f"{file}.statement").read_bytes().replace(b"rows: ", b"rows: 1"))
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_the_key_is_the_installations_and_not_its_secret(session, settings):
    key = audit_export.public_key(session)
    assert audit_export.read_key(audit_export.pem(key)) == key
    assert settings.audit_key.encode() not in audit_export.pem(key)
    other = settings.model_copy(update={"audit_key": "b" * 64})
    held, session.info["settings"] = session.info["settings"], other
    assert audit_export.public_key(session) != key
    session.info["settings"] = held


def test_an_empty_stretch_is_signed_too_and_a_turned_one_refused(session, trail, tmp_path):
    file = export(session, tmp_path, trail - 9 * DAY, trail - 8 * DAY, trail)
    told = audit_export.check(file, audit_export.public_key(session))
    assert (told["rows"], told["first"]) == ("0", "none") and rows(file) == []
    with pytest.raises(ValueError, match="before it begins"):
        audit_export.write(session, io.BytesIO(), since=trail, until=trail, now=trail)


def test_each_export_is_an_event(session, trail, tmp_path):
    out = io.BytesIO()
    made = audit_export.write(session, out, since=trail, until=trail + DAY, now=trail)
    auditor = a.a_member(session, Role.AUDITOR, now=trail)
    who = audit.Actor.staff(auditor)
    audit_export.note(session, made, actor=who, since=trail, until=trail + DAY, now=trail)
    event = session.scalars(select(Event).order_by(Event.id.desc())).first()
    assert event.kind == "audit_exported" and event.actor_id == str(auditor.id)
    assert event.details["count"] == made.rows and event.details["sha256"] == made.sha256
    assert audit.verify(session).ok


def test_only_auditors_and_leads_export():
    assert {role for role, held in PERMISSIONS.items() if "export_audit" in held} == {Role.AUDITOR, Role.LEAD}


@given(st.text(max_size=40))
def test_no_cell_is_a_formula_and_none_is_lost(text):
    read = next(csv.reader(io.StringIO(audit_export._line((text, "x")).decode(), newline="")))
    assert read[1] == "x" and read[0] in (text, f"'{text}")
    assert not read[0].lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_times_are_utc(session, trail, tmp_path):
    assert all(
        datetime.fromisoformat(row["at"]).tzinfo == UTC for row in rows(export(session, tmp_path, trail, trail + DAY, trail))
    )
