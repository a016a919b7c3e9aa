"""The command that says which account is whose."""

from __future__ import annotations

from sqlalchemy import select

from cases import conflicts
from cases.models import Case, Event, Staff
from tests import factories as a
from tests.webapp.conftest import Portal


def test_an_account_is_said_to_be_a_colleagues_and_unsaid(portal: Portal) -> None:
    runner = portal.app.test_cli_runner()
    with portal.db.transaction() as session:
        a.a_member(session, now=portal.clock(), name="Vera").email = "vera@lender.test"
        customer = a.a_customer(session, now=portal.clock())
        case_id, number = a.an_in_review(session, now=portal.clock(), customer=customer).id, customer.external_id

    def tie() -> conflicts.Tie | None:
        with portal.db.transaction() as session:
            vera = session.scalars(select(Staff).where(Staff.email == "vera@lender.test")).one()
            return conflicts.tie(session, vera, session.get_one(Case, case_id))

    assert tie() is None
    for wrong in (["vera@lender.test", "nobody"], ["nobody@lender.test", number]):
        assert runner.invoke(args=["staff", "account", *wrong]).exit_code == 1
    for _ in range(2):
        assert runner.invoke(args=["staff", "account", "Vera@lender.test", number]).output == "hers\n"
    assert tie() is conflicts.Tie.OWN_ACCOUNT
    assert runner.invoke(args=["staff", "account", "vera@lender.test", number, "--not-hers"]).output == "not hers\n"
    assert tie() is None
    with portal.db.reading() as session:
        kinds = session.scalars(select(Event.kind).where(Event.kind.like("staff_account%")).order_by(Event.id)).all()
        assert kinds == ["staff_account_said", "staff_account_unsaid"]
