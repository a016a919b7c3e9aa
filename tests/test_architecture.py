"""The house rules as tests: who may reach which page, what is covered, what must never get out."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from cases import wording
from cases.lifecycle import Action, State
from cases.settings import Settings
from tests import leaks
from verification.reasons import MENDABLE, RETAKE, ReasonCode
from webapp import roles
from webapp.app import SURFACES, create_app
from workers import queues

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("verification", "cases", "workers", "webapp")

OPEN_TO_ALL = {
    "static": "files everybody may have",
    "healthz": "says ok or not",
    "language": "switches the language",
    "entrance.door": "the sign that says where to come from; in demo mode the choice of a persona",
    "entrance.play": "answers outside demo mode with 404",
    "entrance.hand_over": "a hand-over link: the token is the key, and it is not used up yet",
    "entrance.enter": "the same: without a good token 410",
    "entrance.case_link": "a link in a mail: the token is the key",
    "entrance.follow": "the same: without a good token 410",
    "entrance.leave": "ends a session that is not there",
    "portal.not_me": "a link in a mail: the token is the key",
    "portal.report_not_me": "the same: without a good token 410",
    "portal.phone_link": "a link to the phone: the token is the key, and it is not used up yet",
    "portal.phone_open": "the same: without a good token 410",
    "portal.phone_gone": "says that a link or a connection is over",
    "security.login": "the staff log-in",
    "api.root": "leads to the documentation of the API",
    "api.docs": "the documentation of the API: nothing of anybody",
    "api.openapi": "the same for machines",
    "showcase.mails": "development and demo only: mails that went to nobody",
    "showcase.photo": "demo only: drawn pictures to try with",
}
"""Every other page answers a stranger with a redirect, 401, 403 or 404."""


@pytest.fixture
def app(settings: Settings, database: object) -> Iterator[Flask]:
    made = create_app(settings, "all")
    made.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    yield made
    made.extensions["peremena.database"].dispose()


def _filled(rule: object) -> str:
    """The address of a rule with ids of nothing in it."""
    return re.sub(
        r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>",
        lambda m: {
            "uuid": "00000000-0000-4000-8000-000000000000", "int": "1", "kind": "selfie", "path": "nothing",
        }.get(m.group(1) or "", "nothing"),
        str(rule),
    )  # fmt: skip


def test_every_page_wants_a_login_or_stands_on_the_short_list(app):
    client = app.test_client()
    opened = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint in OPEN_TO_ALL:
            continue
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            answer = client.open(_filled(rule), method=method)
            if answer.status_code not in (301, 302, 303, 308, 401, 403, 404, 405):
                opened.append(f"{method} {rule} ({rule.endpoint}): {answer.status_code}")
    assert not opened


def test_the_short_list_names_only_pages_that_exist(app):
    assert set(OPEN_TO_ALL) <= set(app.view_functions)


def test_a_surface_alone_serves_nothing_of_the_others(settings, database):
    for surface in SURFACES:
        alone = create_app(settings, surface)
        others = set(SURFACES) - {surface}
        assert not [e for e in alone.view_functions if e.split(".")[0] in others]
        alone.extensions["peremena.database"].dispose()


def test_pages_that_change_something_are_posts(app):
    for rule in app.url_map.iter_rules():
        last = rule.endpoint.rsplit(".", 1)[-1]
        if re.match(r"(approve|reject|take|release|revert|activate|confirm|withdraw|submit|switch)$", last):
            assert "GET" not in (rule.methods or set()) or last == "withdraw", rule


def _sources() -> dict[Path, str]:
    return {file: file.read_text() for package in PACKAGES for file in (ROOT / package).rglob("*.py")}


def test_every_action_of_the_lifecycle_is_taken_somewhere():
    text = "\n".join(t for f, t in _sources().items() if f.name != "lifecycle.py")
    assert [a.name for a in Action if f"Action.{a.name}" not in text and f'"{a.value}"' not in text] == []


def test_every_transition_is_walked_by_a_test():
    # tests/cases/test_lifecycle.py walks each entry of HOW through its service.
    walks = (ROOT / "tests" / "cases" / "test_lifecycle.py").read_text()
    assert 'parametrize("move", TRANSITIONS' in walks and "assert set(HOW) == set(TRANSITIONS)" in walks


def test_every_reason_is_given_by_somebody_and_has_its_sentences():
    text = "\n".join(t for f, t in _sources().items() if f.name not in ("reasons.py", "wording.py", "__main__.py"))
    # Those of one pair each are made from a table, `decision.FACES`.
    assert [r.name for r in ReasonCode if f"ReasonCode.{r.name}" not in text] == []
    for locale in ("en", "ru"):
        for code in (*ReasonCode, *State):
            assert wording.customer_sentence(code, locale).strip()
            assert wording.agent_sentence(code, locale).strip()
    for code in RETAKE:
        assert wording.advice(code, "en").strip() and wording.advice(code, "ru").strip()
    assert set(RETAKE) <= set(MENDABLE)


def test_every_queue_is_served_by_a_role(settings):
    commands = " ".join(" ".join(role.command) for role in roles.roles(settings).values())
    served = {name for kind, names in queues.SERVES.items() if f"workers {kind}" in commands for name in names}
    assert served == set(queues.JOBS) == set(queues.TIMEOUTS)


def test_the_security_checks_are_not_told_to_customers():
    secret = [
        r
        for r in ReasonCode
        if re.search(
            r"faces_(differ|unsure)|face_on_file|accounts|account_under|continuity|voices|may_not_change|earlier", r.value
        )
    ]
    assert len(secret) >= 10
    told = {wording.customer_sentence(code, "en") for code in secret}
    assert len(told) == 1


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"\bpickle\b", "runs code of whoever wrote the bytes"),
        (r"shell=True", "runs text as commands"),
        (r"cv2\.imread|cv2\.imdecode", "only Pillow decodes what customers send, and in a child"),
        (r"datetime\.now\(\)|utcnow\(\)\.replace|datetime\.utcnow", "a time without a zone"),
        (r"\|\s*safe\b|Markup\((?!\s*([\"']|code\.svg_inline))", "markup made of anything but a text that stands in the code"),
    ],
)
def test_what_never_stands_in_the_code(pattern, why):
    found = [
        str(file.relative_to(ROOT))
        for file, text in _sources().items()
        if re.search(pattern, "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")))
    ]
    assert not found, why


def test_verification_and_cases_never_ask_the_clock():
    for file, text in _sources().items():
        where = file.relative_to(ROOT)
        if where.parts[0] == "verification" and file.name not in ("__main__.py", "sandbox.py", "decoder.py"):
            assert not re.search(r"\b(time\.time\(|datetime\.now\(|date\.today\()", text), where
        if where.parts[0] == "cases" and file.name not in ("database.py", "__main__.py"):
            assert not re.search(r"\b(time\.time\(|datetime\.now\(|date\.today\(|utcnow\(\))", text), where


def test_every_script_and_style_is_our_own():
    for page in (ROOT / "webapp" / "templates").rglob("*.html"):
        text = page.read_text()
        assert not re.search(r"""(src|href)=["']?(https?:)?//""", text), page
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), f"{page}: script in the page"
        assert not re.search(r"""\sstyle=["']|\son\w+=["']""", text), f"{page}: style or handler in an attribute"


def test_the_alarm_rings():
    secret = leaks.SECRETS[0]
    with pytest.raises(leaks.Leak):
        logging.getLogger("anything").warning("hello %s", secret.upper())
    leaks._seen.clear()
    logging.getLogger("anything").warning("hello nobody")
