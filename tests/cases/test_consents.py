"""What she agreed to can be shown again, word for word, however long ago, and a changed word is a new version."""

from __future__ import annotations

import hashlib

import pytest

from cases import consents, exports, intake
from cases.wording import LANGUAGES
from tests import factories as a

FIXED = {
    "2026-11": "93393062ba64fd79",
    "2026-11b": "d89299415e4b40d7",
    "2026-11c": "1a07f46935e45186",
    "2026-11d": "711095101fadf1a2",
}
"""The first 16 hex digits of the SHA-256 of a version's texts, in the order of their names: nobody changes what was agreed to."""


@pytest.mark.parametrize("version", sorted(FIXED))
def test_the_words_of_a_version_are_never_changed(version):
    texts = sorted(consents.FOLDER.glob(f"{version}.*.txt"))
    assert {file.name.split(".")[1] for file in texts} == set(LANGUAGES)
    assert hashlib.sha256(b"".join(file.read_bytes() for file in texts)).hexdigest()[:16] == FIXED[version]


def test_every_version_stands_here_and_the_newest_is_shown():
    assert consents.versions() == tuple(sorted(FIXED)) and consents.versions()[-1] == consents.CURRENT


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_the_text_speaks_of_papers_and_of_taking_it_back_and_counts_the_days(language):
    for days in (1, 2, 5, 21, 30):
        lines = consents.text(consents.CURRENT, language, by_people=False, days=days)
        assert len(lines) == 6 and all(line and "{" not in line and "||" not in line for line in lines)
        assert str(days) in lines[4] or days == 1
    russian = [consents.text(consents.CURRENT, "ru", by_people=False, days=n)[4].split("через ")[1] for n in (1, 3, 30)]
    assert [text.split(" ")[1] for text in russian] == ["день", "дня", "дней"]


def test_where_only_people_compare_the_text_says_so():
    machine, people = (consents.text(consents.CURRENT, "en", by_people=which, days=30) for which in (False, True))
    assert any("biometric" in line for line in machine) and not any("biometric" in line for line in people)
    assert any("No computer compares faces" in line for line in people)


def test_an_unknown_version_is_an_error_and_an_unknown_language_is_english():
    with pytest.raises(KeyError):
        consents.text("1999-01", "en", by_people=False, days=30)
    assert consents.text("2026-11", "xx", by_people=False, days=30) == consents.text("2026-11", "en", by_people=False, days=30)


def test_years_later_she_reads_what_she_agreed_to_with_the_days_of_then(session, now):
    case = a.a_draft(session, now=now)
    intake.submit(session, case.id, consent_version="2026-11b", now=now)
    session.info["settings"] = session.info["settings"].model_copy(update={"photo_days": 90})
    agreed = consents.given(session, case)
    assert (agreed.version, agreed.by_people, agreed.days, agreed.at) == ("2026-11b", False, 30, now)
    words = consents.words(session, agreed, "en")
    assert words == consents.text("2026-11b", "en", by_people=False, days=30) and "30 days" in words[-1]
    [request] = exports.gather(session, case.customer_id, language="en", now=now).document["requests"]
    assert request["consent"]["words"] == list(words)


def test_a_draft_has_agreed_to_nothing(session, now):
    assert consents.given(session, a.a_draft(session, now=now)) is None
