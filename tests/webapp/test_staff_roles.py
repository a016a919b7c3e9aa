"""Every page of desk and ops × every role: exactly what `cases.staff.PERMISSIONS` says, nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from cases.models import Role
from cases.staff import PERMISSIONS
from tests.webapp.staff_fixtures import Office, make_office
from verification.policy import THRESHOLDS
from webapp.ops.forms import GROUPS

NOBODYS = {"uuid": "00000000-0000-4000-8000-000000000000", "int": "424242", "string": "nothing"}


LINKS = ("/<token>", "/photos/renew", "/papers/renew")
"""Ends of addresses that want a link made for their viewer: everybody else is refused (test_pictures.py, test_papers.py)."""


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


def routes(office: Office) -> list[tuple[str, str, str]]:
    """(method, address, permission) of every staff page; addresses with ids of nothing."""
    found = []
    for rule in office.app.url_map.iter_rules():
        if rule.endpoint.split(".")[0] not in ("desk", "ops"):
            continue
        permission = office.app.view_functions[rule.endpoint].permission
        address = re.sub(r"<(\w+)(?:\((\w+)[^)]*\))?:\w+>", lambda m: m[2] or NOBODYS[m[1]], str(rule))
        found += [(method, address, permission) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]
    return found


def test_there_are_pages_to_try(office):
    assert len(routes(office)) >= 24
    assert {permission for _m, _a, permission in routes(office)} <= set().union(*PERMISSIONS.values())


@pytest.mark.parametrize("role", list(Role))
def test_a_role_reaches_exactly_its_pages(office, role):
    browser = office.signed_in(role)
    browser.fresh("/staff")
    wrong = []
    for method, address, permission in routes(office):
        answer = browser.get(address) if method == "GET" else browser.post(address)
        allowed = permission in PERMISSIONS[role] and not (address.startswith("/desk/cases/") and address.endswith(LINKS))
        # Allowed: anything but a refusal or a log-in. A page of ours never answers 400, which would mean a lost token.
        reached = answer.status_code != 403 and "/staff/sign-in" not in (answer.location or "") and answer.status_code != 400
        if allowed != reached or (not allowed and answer.status_code != 403):
            wrong.append(f"{method} {address} ({permission}): {answer.status_code}")
    assert not wrong


def test_nobody_is_sent_to_the_log_in(office):
    browser = office.browser()
    for method, address, _permission in routes(office):
        answer = browser.get(address) if method == "GET" else browser.post(address)
        assert answer.status_code == 303 and answer.location.startswith("/staff/sign-in"), address


def test_a_page_that_names_no_permission_is_closed(office):
    from flask import Blueprint

    from webapp.security import guard_blueprint

    pages = Blueprint("forgotten", __name__)
    guard_blueprint(pages)
    pages.add_url_rule("/forgotten", "page", lambda: "open")
    office.app._got_first_request = False
    office.app.register_blueprint(pages)
    assert office.signed_in(Role.AGENT).get("/forgotten").status_code == 403


@pytest.mark.parametrize("role", list(Role))
def test_the_bar_shows_a_role_only_pages_it_may_open(office, role):
    browser = office.signed_in(role)
    home = browser.get("/staff", follow_redirects=True)
    links = set(re.findall(r'<nav class="bar".*?</nav>', home.get_data(as_text=True), re.S)[0].split('href="')[1:])
    for link in links:
        assert browser.get(link.split('"')[0]).status_code == 200


def test_the_editor_has_every_setting_once():
    named = [name for _heading, names in GROUPS for name in names]
    assert sorted(named) == sorted(THRESHOLDS)
