"""What the check of the audit chain found is told in the reader's language, whatever it found."""

from __future__ import annotations

import re

import pytest

from tests.webapp.staff_fixtures import make_office
from webapp.ops import trail

FOUND = (
    "the event is missing",
    "it does not follow the event before",
    "it was changed",
    "it is not the event that was anchored",
    "events up to 41 were anchored and are missing",
    "the anchor file is missing",
    "line 7 of the anchor file was changed",
    "line 7 of the anchor file contradicts an earlier one",
)
"""Every `why` of a Verdict of `audit.verify` that is not whole."""


@pytest.mark.parametrize("language", ["ru", "kk", "es"])
def test_every_finding_is_told_in_the_readers_language_with_its_number(settings, database, language):
    office = make_office(settings)
    with office.app.test_request_context(headers={"Accept-Language": language}):
        for why in FOUND:
            said = trail.why_said(why)
            assert said != why and re.findall(r"\d+", said) == re.findall(r"\d+", why)
        assert trail.why_said("something new") == "something new"
        assert trail.actors()["machine"] != "the machine"
    office.db.dispose()
