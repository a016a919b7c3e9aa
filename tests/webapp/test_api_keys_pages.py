"""Keys of the host system as staff and operators meet them: the page, the commands, the demo's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from cases import api_keys
from cases.host_tables import ApiKey
from cases.models import Role
from tests.webapp.staff_fixtures import Office, make_office
from webapp.app import create_app
from webapp.key_commands import DEMO_KEY, seed_key

FORM = {"name": "Core banking", "mode": "live", "scope": "cases:read", "origins": "https://bank.example", "days": "90"}


@pytest.fixture
def office(settings, database) -> Iterator[Office]:
    made = make_office(settings, "desk,ops,api")
    yield made
    made.db.dispose()


def tokens(page: str) -> list[str]:
    return [found.group() for found in api_keys.TOKEN.finditer(page)]


def held(office: Office) -> list[ApiKey]:
    with office.db.reading() as session:
        return list(session.scalars(select(ApiKey).order_by(ApiKey.created_at, ApiKey.name)))


def test_a_key_is_shown_once_to_whoever_made_it(office):
    admin = office.signed_in(Role.ADMIN)
    admin.get("/ops/keys")
    answer = admin.post("/ops/keys", **FORM)
    (token,) = tokens(answer.get_data(as_text=True))
    assert answer.headers["Cache-Control"] == "no-store"
    assert tokens(admin.get("/ops/keys").get_data(as_text=True)) == []
    (row,) = held(office)
    assert (row.mode, row.scopes, row.return_origins) == ("live", ["cases:read"], ["https://bank.example"])
    assert (row.expires_at - row.created_at).days == 90
    assert office.app.test_client().get("/v1/cases", headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"), ({"mode": "both"}, "mode"), ({"scope": ""}, "form"), ({"scope": "sandbox:write"}, "scope"),
        ({"origins": "http://bank.example"}, "origins"), ({"days": "7000"}, "days"),
    ],
)  # fmt: skip
def test_a_form_that_makes_no_key_says_why_and_keeps_what_was_typed(office, change, field):
    admin = office.signed_in(Role.ADMIN)
    admin.get("/ops/keys")
    answer = admin.post("/ops/keys", **{**FORM, **change})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422 and held(office) == [] and tokens(page) == []
    assert 'role="alert"' in page and (field == "form" or f'id="{field}-problem"' in page)


def test_a_key_is_replaced_and_revoked_by_hand(office):
    admin = office.signed_in(Role.ADMIN)
    admin.get("/ops/keys")
    (old,) = tokens(admin.post("/ops/keys", **FORM).get_data(as_text=True))
    (row,) = held(office)
    (new,) = tokens(admin.post(f"/ops/keys/{row.id}/rotate", hours="24").get_data(as_text=True))
    client = office.app.test_client()

    def status(token: str) -> int:
        return client.get("/v1/cases", headers={"Authorization": f"Bearer {token}"}).status_code

    assert (status(old), status(new)) == (200, 200)
    assert admin.post(f"/ops/keys/{row.id}/revoke").status_code == 303
    assert (status(old), status(new)) == (401, 200)
    assert admin.post(f"/ops/keys/{row.id}/rotate", hours="24").status_code == 409
    assert admin.post(f"/ops/keys/{row.id}/rotate", hours="9").status_code == 422


def test_the_commands_make_list_replace_and_revoke(settings, database):
    app = create_app(settings, "api")
    run = app.test_cli_runner().invoke
    made = run(args=["api-key", "create", "Core banking", "--mode", "live", "--return-origin", "https://bank.example"])
    assert made.exit_code == 0 and api_keys.TOKEN.fullmatch(made.output.strip()), made.output
    listed = run(args=["api-key", "list"]).output
    assert "works" in listed and "Core banking" in listed and made.output.strip() not in listed
    assert "sandbox:write" not in listed  # no live key has it
    number = re.match(r"[0-9a-f-]{36}", listed)
    assert number
    assert api_keys.TOKEN.fullmatch(run(args=["api-key", "rotate", number.group(), "--overlap-hours", "0"]).output.strip())
    assert "revoked" in run(args=["api-key", "list"]).output
    assert run(args=["api-key", "rotate", number.group()]).exit_code == 1
    assert run(args=["api-key", "revoke", number.group()]).exit_code == 0
    assert run(args=["api-key", "create", "X", "--mode", "live", "--scope", "sandbox:write"]).exit_code == 1
    app.extensions["peremena.database"].dispose()


def test_the_demo_has_one_test_key_in_a_file_of_its_owner(settings, database):
    app = create_app(settings, "api")
    with app.app_context():
        assert seed_key() is True
        file = Path(settings.data_dir) / DEMO_KEY
        token = file.read_text().strip()
        assert file.stat().st_mode & 0o077 == 0 and token.startswith("pk_test_")
        assert seed_key() is False and file.read_text().strip() == token
        file.unlink()
        assert seed_key() is True
        fresh = file.read_text().strip()
    client = app.test_client()
    assert client.get("/v1/cases", headers={"Authorization": f"Bearer {fresh}"}).status_code == 200
    assert client.get("/v1/cases", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    app.extensions["peremena.database"].dispose()
