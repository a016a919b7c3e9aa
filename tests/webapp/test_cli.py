"""The commands: what they print, what they refuse, what they leave behind."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from flask.testing import FlaskCliRunner
from sqlalchemy import func, select

from cases.models import Case, Customer, Event, FaceEncoding, Staff
from cases.settings import Mode
from tests import factories
from tests.webapp.conftest import Portal, make_settings, prepare
from webapp.app import create_app, surfaces_of


@pytest.fixture
def demo_all(tmp_path: Path) -> FlaskCliRunner:
    """Every surface in demo mode."""
    app = create_app(make_settings(tmp_path, Mode.DEMO), surfaces="all")
    prepare(app.extensions["peremena.database"])
    return app.test_cli_runner()


def test_seed_is_for_the_demo_only(portal: Portal) -> None:
    result = portal.app.test_cli_runner().invoke(args=["seed"])
    assert result.exit_code == 1 and "MODE=demo" in result.output


def test_staff_get_random_passwords_that_only_the_owner_reads(demo_all: FlaskCliRunner) -> None:
    from webapp.cli import seed_staff

    app = demo_all.app
    with app.app_context():
        config = app.extensions["peremena.settings"]
        assert seed_staff(config) == 5
        file = Path(config.data_dir) / "demo-logins.txt"
        first = file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert seed_staff(config) == 0 and file.read_text() == first
        with app.extensions["peremena.database"].reading() as session:
            for person in session.scalars(select(Staff)):
                assert person.password.startswith("$argon2id$") and person.tf_totp_secret
                assert person.email in first
    passwords = [line.split()[2] for line in first.splitlines()]
    assert len(set(passwords)) == 5 and all(len(p) >= 16 for p in passwords)


def test_the_code_of_a_demo_log_in_is_printed(demo_all: FlaskCliRunner) -> None:
    from webapp.cli import seed_staff

    with demo_all.app.app_context():
        seed_staff(demo_all.app.extensions["peremena.settings"])
    result = demo_all.invoke(args=["staff", "code", "agent@peremena.test"])
    assert result.exit_code == 0 and result.output.strip().isdigit() and len(result.output.strip()) == 6
    assert demo_all.invoke(args=["staff", "code", "nobody@peremena.test"]).exit_code == 1


def test_codes_are_not_printed_outside_the_demo(portal: Portal) -> None:
    assert portal.app.test_cli_runner().invoke(args=["staff", "code", "x@y.test"]).exit_code == 1


def test_staff_are_added_once(portal: Portal) -> None:
    runner = portal.app.test_cli_runner()
    result = runner.invoke(args=["staff", "add", "Vera@lender.test", "Vera", "--role", "agent"])
    assert result.exit_code == 0 and len(result.output.strip()) >= 20
    with portal.db.reading() as session:
        person = session.scalars(select(Staff)).one()
        assert (person.email, person.roles_held, person.tf_totp_secret) == ("vera@lender.test", ["agent"], None)
        assert result.output.strip() not in (person.password or "")
    assert runner.invoke(args=["staff", "add", "vera@lender.test", "Vera", "--role", "agent"]).exit_code == 1
    assert runner.invoke(args=["staff", "add", "x@lender.test", "X", "--role", "king"]).exit_code == 2


def test_an_account_is_closed_and_its_sessions_end(portal: Portal) -> None:
    runner = portal.app.test_cli_runner()
    runner.invoke(args=["staff", "add", "vera@lender.test", "Vera", "--role", "agent"])
    with portal.db.reading() as session:
        before = session.scalars(select(Staff)).one().fs_uniquifier
    assert runner.invoke(args=["staff", "close", "nobody@lender.test"]).exit_code == 1
    assert runner.invoke(args=["staff", "close", "Vera@lender.test"]).exit_code == 0
    with portal.db.reading() as session:
        person = session.scalars(select(Staff)).one()
        assert person.active is False and person.fs_uniquifier != before
        assert session.scalars(select(Event.kind).order_by(Event.id.desc())).first() == "staff_changed"
    assert runner.invoke(args=["staff", "reset", "vera@lender.test"]).exit_code == 1


def test_a_reset_gives_a_new_password_and_forgets_the_second_factor(portal: Portal) -> None:
    from argon2 import PasswordHasher

    runner = portal.app.test_cli_runner()
    runner.invoke(args=["staff", "add", "vera@lender.test", "Vera", "--role", "agent"])
    with portal.db.transaction() as session:
        person = session.scalars(select(Staff)).one()
        person.tf_primary_method, person.tf_totp_secret, person.last_totp = "authenticator", "sealed", 5
        before = (person.password, person.fs_uniquifier)
    result = runner.invoke(args=["staff", "reset", "Vera@lender.test"])
    assert result.exit_code == 0 and len(result.output.strip()) >= 20
    with portal.db.reading() as session:
        person = session.scalars(select(Staff)).one()
        assert (person.tf_primary_method, person.tf_totp_secret, person.last_totp) == (None, None, None)
        assert person.password != before[0] and person.fs_uniquifier != before[1] and person.active
        assert PasswordHasher().verify(person.password, result.output.strip())
        assert session.scalars(select(Event.kind).order_by(Event.id.desc())).first() == "staff_reset"
    assert runner.invoke(args=["staff", "reset", "nobody@lender.test"]).exit_code == 1


def test_a_broken_chain_is_told(portal: Portal) -> None:
    portal.draft(portal.customer(), photos=False)
    runner = portal.app.test_cli_runner()
    result = runner.invoke(args=["audit", "verify"])
    assert result.exit_code == 0 and json.loads(result.output)["ok"] is True
    with portal.db.engine.begin() as connection:
        names = [
            n
            for (n,) in connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'events'"
            )
        ]
        for name in names:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.execute(Event.__table__.update().where(Event.id == 2).values(kind="face_on_file_set"))
    result = runner.invoke(args=["audit", "verify"])
    assert result.exit_code == 1 and json.loads(result.output)["broken_at"] == 2


def test_policies_are_listed(portal: Portal) -> None:
    result = portal.app.test_cli_runner().invoke(args=["policy", "list"])
    assert result.exit_code == 0 and "1 holds" in result.output and "automatic decisions are on" in result.output


def test_surfaces_have_names() -> None:
    assert surfaces_of("all") == surfaces_of("") == ("portal", "desk", "ops", "api")
    assert surfaces_of("ops, desk") == ("desk", "ops")
    with pytest.raises(ValueError, match="kitchen"):
        surfaces_of("portal,kitchen")


@pytest.mark.slow
def test_seed_sends_one_request_for_each_way_a_case_can_end_and_nothing_twice(demo_all: FlaskCliRunner) -> None:
    people = pytest.importorskip("tests.specimens.people")
    portraits = pytest.importorskip("tests.specimens.portraits")
    try:
        portraits.portrait("a", 1)
    except portraits.PortraitMissing:
        pytest.skip("portraits are not fetched: bin/install dev")
    first = demo_all.invoke(args=["seed"])
    assert first.exit_code == 0, first.output
    again = demo_all.invoke(args=["seed"])
    assert "0 added, 0 requests sent" in again.output
    with demo_all.app.extensions["peremena.database"].reading() as session:
        played = Customer.external_id.startswith("demo-")  # beside them: the made-up past (webapp.demo_history)
        cases = session.scalars(select(Case).join(Customer, Customer.id == Case.customer_id).where(played)).all()
        assert [c.state.value for c in cases] == ["submitted"] * len(people.DEMO)
        names = set(session.scalars(select(Customer.external_id).where(played)))
        assert names == {f"demo-{key}" for key in (*people.DEMO, "fresh_marriage")}
    page = demo_all.app.test_client().get("/sign-in").text
    for name in names:
        assert f'value="{name}"' in page
    photo = demo_all.app.test_client().get("/demo/photos/passport.jpg")
    assert photo.status_code == 200 and photo.data[:3] == b"\xff\xd8\xff"


def test_kept_faces_are_forgotten_of_one_customer_or_of_all(portal: Portal) -> None:
    runner = portal.app.test_cli_runner()
    with portal.db.transaction() as db:
        customers = [factories.a_customer(db, now=portal.clock()) for _ in range(3)]
        for number, customer in enumerate(customers):
            case = factories.a_draft(db, now=portal.clock(), customer=customer)
            db.add(
                FaceEncoding(
                    case_id=case.id, customer_id=customer.id, data_key_id=case.data_key_id, code_sealed=b"sealed", candidates=[],
                    searched=number, created_at=portal.clock(),
                )
            )  # fmt: skip
    assert runner.invoke(args=["faces", "forget", "--yes", "--customer", "nobody"]).exit_code == 1
    assert runner.invoke(args=["faces", "forget"], input="n\n").exit_code == 1
    with portal.db.reading() as db:
        known = [db.get_one(Customer, customer.id).external_id for customer in customers]
    one = runner.invoke(args=["faces", "forget", "--yes", "--customer", known[0]])
    assert one.exit_code == 0 and one.output == "1 forgotten\n"
    rest = runner.invoke(args=["faces", "forget", "--yes"])
    assert rest.output == f"{len(customers) - 1} forgotten\n"
    with portal.db.reading() as db:
        told = db.scalars(select(Event).where(Event.kind == "faces_forgotten").order_by(Event.id)).all()
        assert [event.details for event in told] == [{"count": 1}, {"count": len(customers) - 1}]
        assert db.scalar(select(func.count()).select_from(FaceEncoding)) == 0
