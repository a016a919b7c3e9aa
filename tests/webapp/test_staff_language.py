"""The language that a member of staff chose for her pages is the one her mails are written in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cases.models import Role
from tests.webapp.staff_fixtures import Office, make_office


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


def test_choosing_a_language_while_signed_in_is_remembered_for_mail(office: Office) -> None:
    email, other = office.member(Role.OPS), office.member(Role.LEAD)
    browser = office.browser()
    browser.get("/staff/sign-in")
    browser.post("/language", language="kk", next="/staff/sign-in")
    assert office.row(email).locale is None, "nobody was signed in"
    browser = office.sign_in(email)
    browser.get("/ops")
    browser.post("/language", language="es", next="/ops")
    browser.post("/language", language="de", next="/ops")
    assert (office.row(email).locale, office.row(other).locale) == ("es", None)
