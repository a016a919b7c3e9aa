"""Every code in people's words, and nothing in them that helps a thief."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import polib
import pytest

from cases import wording
from cases.lifecycle import State
from verification.evidence import ChangeReason, Field
from verification.reasons import RETAKE, PhotoKind, ReasonCode

LOCALES = tuple(wording.LANGUAGES)

SECRET = [
    code
    for code in ReasonCode
    if "_faces_differ" in code.value
    or "_faces_unsure" in code.value
    or "the_accounts" in code.value
    or code
    in (
        ReasonCode.FIELD_MAY_NOT_CHANGE,
        ReasonCode.EARLIER_NUMBER_UNCONFIRMED,
        ReasonCode.CONTINUITY_UNKNOWN,
        ReasonCode.FACE_NOT_COMPARED,
        ReasonCode.NO_FACE_ON_FILE,
        ReasonCode.VOICES_DISAGREE,
        ReasonCode.SELFIE_IS_THE_DOCUMENT,
        ReasonCode.SELFIE_IS_ON_FILE,
        ReasonCode.SELFIE_SENT_BEFORE,
        ReasonCode.EVIDENCE_MISSING,
        ReasonCode.EVERYTHING_TO_PEOPLE,
        ReasonCode.ACCOUNT_UNDER_WATCH,
        ReasonCode.DOCUMENT_IS_SPECIMEN,
        ReasonCode.DOCUMENT_DOUBTED,
        ReasonCode.ZONES_DISAGREE,
        ReasonCode.MRZ_CHECK_DIGIT_WRONG,
    )
]
"""Security checks: who failed one is never told which."""


def sources() -> set[str]:
    """All texts marked with N_ in the module."""
    tree = ast.parse(Path(wording.__file__).read_text(encoding="utf-8"))
    calls = (n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "N_")
    return {call.args[0].value for call in calls}


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("code", [*ReasonCode, *State])
def test_every_code_has_both_sentences_and_advice(code, locale):
    for say in (wording.customer_sentence, wording.agent_sentence, wording.advice):
        text = say(code, locale)
        assert text.strip() == text and text.endswith(".") and text[0].isupper(), text


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("code", [*ReasonCode, *State, *Field, *ChangeReason, *PhotoKind])
def test_every_code_has_a_label(code, locale):
    assert wording.label(code, locale)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("code", SECRET)
def test_a_thief_is_not_told_which_check_he_failed(code, locale):
    assert wording.customer_sentence(code, locale) == wording.customer_sentence(ReasonCode.VOICES_DISAGREE, locale)
    assert wording.advice(code, locale) == wording.advice(ReasonCode.VOICES_DISAGREE, locale)


def test_the_customer_of_a_secret_reason_reads_the_plain_sentence():
    assert wording.customer_sentence(ReasonCode.SELFIE_ON_FILE_FACES_DIFFER, "en") == "A person needs to look at your request."
    assert wording.customer_sentences((ReasonCode.SEX_NOT_THE_ACCOUNTS, ReasonCode.NO_FACE_ON_FILE), "en") == [
        "A person needs to look at your request."
    ]


@pytest.mark.parametrize("code", RETAKE)
def test_who_takes_a_photo_again_is_told_how(code):
    assert wording.advice(code, "en") != wording.advice(ReasonCode.EVIDENCE_MISSING, "en")


def test_agents_read_each_reason_apart():
    assert len({words.agent for words in wording.REASONS.values()}) == len(ReasonCode)


def test_no_code_word_reaches_people():
    for text in sources():
        assert not re.search(r"\b(case|claim|measure|policy|profile version|null)_|_[a-z]", text), text


def test_a_state_and_a_reason_of_one_value_are_not_mixed_up():
    class Other(str):
        value = "draft"

    with pytest.raises(KeyError):
        wording.label(Other("draft"), "en")


@pytest.mark.parametrize("locale", ["xx", "../../etc", "", "de"])
def test_an_unknown_language_is_english(locale):
    assert wording.customer_sentence(State.APPROVED, locale) == "Your details are changed."


def test_every_text_is_translated_into_russian():
    file = wording.TRANSLATIONS / "ru" / "LC_MESSAGES" / "messages.po"
    catalogue = {entry.msgid: entry.msgstr for entry in polib.pofile(str(file)) if not entry.obsolete and not entry.fuzzy}
    missing = sorted(text for text in sources() if not catalogue.get(text))
    assert missing == []
    for text in sources():
        assert re.search("[а-яё]", catalogue[text].lower()), text
    assert wording.customer_sentence(State.APPROVED, "ru-RU") == catalogue["Your details are changed."]


@pytest.fixture
def unread():
    wording._translations.cache_clear()
    yield
    wording._translations.cache_clear()


def test_a_catalogue_is_read_with_its_plurals_once_a_process(tmp_path, monkeypatch, unread):
    monkeypatch.setattr(wording, "TRANSLATIONS", tmp_path)
    file = tmp_path / "ru" / "LC_MESSAGES" / "messages.po"
    file.parent.mkdir(parents=True)
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\nLanguage: ru\\n"\n\n'
    plural = 'msgid "%d day"\nmsgid_plural "%d days"\nmsgstr[0] "день"\nmsgstr[1] "дня"\nmsgstr[2] "дней"\n'
    file.write_text(head + 'msgid "Draft"\nmsgstr "Раз"\n\n' + plural)
    assert wording.label(State.DRAFT, "ru") == "Раз"
    file.write_text(head + 'msgid "Draft"\nmsgstr "Два"\n')
    assert wording.label(State.DRAFT, "ru") == "Раз"
    days = wording.ngettext("ru")
    assert [days("%d day", "%d days", n) for n in (1, 3, 11)] == ["день", "дня", "дней"]
