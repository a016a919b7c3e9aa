"""Which language a person is spoken to, and how it writes days and numbers; a mail of every kind in every language."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from flask_babel import format_decimal

from cases import notifications, staff_mails, tickets, wording
from cases.lifecycle import State
from cases.wording import LANGUAGES, SOURCE
from tests.webapp.conftest import Browser, Portal, picture
from tests.webapp.pages import screens
from tests.webapp.test_catalogues import strays, words
from webapp import i18n
from workers.notify import TEXTS

SPOKEN = {"ru": "Войти", "kk": "Кіру", "es": "Iniciar sesión", "en": "Sign in"}
DAY = {"ru": "27 марта 1985 г.", "kk": "1985 ж. 27 наурыз", "es": "27 de marzo de 1985", "en": "March 27, 1985"}
TIME = {"ru": "27 марта, 09:05 (UTC)", "kk": "27 наурыз, 09:05 UTC", "es": "27 de marzo, 09:05 UTC", "en": "27 March, 09:05 UTC"}
NUMBER = {"ru": "0,5", "kk": "0,5", "es": "0,5", "en": "0.5"}

DEVICES = {"Chrome", "Chromium", "Windows", "Linux"}
"""Names of browsers and systems that a page tells of; here of the test's own."""


def spoken(browser: Browser, address: str = "/sign-in", **headers: str) -> str:
    found = re.search(r'<html lang="(\w+)">', browser.get(address, headers=headers).text)
    assert found
    return found[1]


# --- The choice


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_switch_offers_every_language_by_its_own_name_and_stays(portal: Portal, language: str) -> None:
    browser = portal.browser()
    page = browser.get("/sign-in").text
    offered = dict(re.findall(r'<button name="language" value="(\w+)" lang="\1"[^>]*>([^<]+)</button>', page))
    assert offered == LANGUAGES == {"ru": "Русский", "kk": "Қазақша", "es": "Español", "en": "English"}
    assert browser.post("/language", language=language, next="/sign-in").location == "/sign-in"
    page = browser.get("/sign-in").text
    assert f'<html lang="{language}">' in page and SPOKEN[language] in page
    assert re.search(rf'value="{language}" lang="{language}" aria-current="true"', page)
    assert page.count('aria-current="true"') == 1


def test_a_language_we_do_not_speak_cannot_be_chosen(portal: Portal) -> None:
    browser = portal.browser()
    browser.post("/language", language="kk")
    for language in ("de", "", "../ru"):
        browser.post("/language", language=language)
        assert spoken(browser) == "kk"


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("kk-KZ,kk;q=0.9,ru;q=0.8", "kk"),
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("es-419", "es"),
        ("de-DE,de;q=0.9,en;q=0.5", "en"),
        ("ru-RU", "ru"),
        ("uz-UZ", "ru"),  # none of ours: the default of the settings
        ("", "ru"),
    ],
)
def test_a_browser_is_answered_in_its_language(portal: Portal, asked: str, language: str) -> None:
    assert spoken(portal.browser(), **{"Accept-Language": asked}) == language


@pytest.mark.parametrize(
    ("account", "language"),
    [("kk", "kk"), ("kk-KZ", "kk"), ("es_MX", "es"), ("ES", "es"), ("ru-Latn", "ru"), ("de", "en"), ("", "en"), ("../ru", "en")],
)
def test_an_account_is_spoken_to_in_its_language_if_it_is_ours(portal: Portal, account: str, language: str) -> None:
    """Else her browser decides, here an English one."""
    browser = portal.sign_in(portal.customer(locale=account))
    assert spoken(browser, "/request/reason") == language
    browser.post("/language", language="ru")
    assert spoken(browser, "/request/reason") == "ru", "her own choice goes first"


def test_codes_are_said_in_the_language_of_the_page(portal: Portal) -> None:
    said = set()
    for language in LANGUAGES:
        with portal.app.test_request_context(headers={"Accept-Language": language}):
            said.add((i18n.label(State.IN_REVIEW), i18n.sentence(State.IN_REVIEW), i18n.advice(State.IN_REVIEW)))
    assert len(said) == len(LANGUAGES)


# --- Days and numbers


@pytest.mark.parametrize("language", LANGUAGES)
def test_days_times_and_numbers_are_written_as_the_language_writes_them(portal: Portal, language: str) -> None:
    moment = datetime(1985, 3, 27, 9, 5, tzinfo=UTC)
    with portal.app.test_request_context(headers={"Accept-Language": language}):
        assert plain(i18n.local_date(date(1985, 3, 27))) == plain(i18n.local_date("1985-03-27")) == DAY[language]
        assert TIME[language] in plain(i18n.local_time(moment)), "and in UTC for readers without script"
        assert plain(format_decimal(0.5)) == NUMBER[language]
        assert 'datetime="1985-03-27T09:05:00Z"' in i18n.local_time(moment)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_month_has_its_name(portal: Portal, language: str) -> None:
    with portal.app.test_request_context(headers={"Accept-Language": language}):
        days = [plain(str(i18n.local_date(date(2026, month, 3)))) for month in range(1, 13)]
    assert len(set(days)) == 12
    assert not [day for day in days if strays(day, language)]


def plain(text: str) -> str:
    """With ordinary spaces: some days come with narrow ones that do not break."""
    return re.sub(r"\s", " ", text)


# --- Pages


@pytest.mark.parametrize("language", ["ru", "kk", "es"])
def test_no_page_of_the_portal_has_words_of_another_language(demo: Portal, language: str) -> None:
    """What nobody marked for translation shows as Latin words on a Cyrillic page, or as English ones on a Spanish page."""
    english = {text for text in i18n_texts() if len(text) > 3}
    wrong = []
    for screen in screens(demo, picture):
        browser = demo.sign_in(screen.who, language) if screen.who else demo.browser()
        if not screen.who:
            browser.post("/language", language=language, next="/")
        page = browser.get(screen.address).text
        assert f'<html lang="{language}">' in page, screen.name
        page = re.sub(r"(?s)<script.*?</script>|<button[^>]* lang=.*?</button>|<([a-z]+)[^>]*translate=.no.*?</\1>", " ", page)
        pieces = re.findall(r">([^<]+)<", page) + re.findall(r'(?:alt|title|aria-label|placeholder|data-say-\w+)="([^"]+)"', page)
        for piece in (" ".join(piece.split()) for piece in pieces):
            if piece in english or (language != "es" and set(strays(piece, language)) - DEVICES):
                wrong.append((screen.name, piece))
    assert sorted(set(wrong)) == []


def i18n_texts() -> set[str]:
    """English texts that no other language writes the same."""
    from tests.webapp.test_catalogues import translations

    same = {text for language in ("ru", "kk", "es") for text, string in translations(language) if text == string}
    return {text for text, _string in translations(SOURCE)} - same


# --- Mail


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", notifications.KINDS)
def test_every_kind_of_mail_is_written_in_every_language(kind: str, language: str) -> None:
    english, text = ((TEXTS / f"{kind}.{code}.txt").read_text(encoding="utf-8") for code in (SOURCE, language))
    subject, empty, *body = text.splitlines()
    assert subject.startswith("Subject: ") and "$" not in subject and len(subject) <= 60 and empty == ""
    assert set(re.findall(r"\$\w+", text)) == set(re.findall(r"\$\w+", english)), "the same addresses and days"
    assert text.count("\n\n") == english.count("\n\n"), "the same paragraphs"
    assert language == SOURCE or text != english
    assert not strays("\n".join([subject.removeprefix("Subject: "), *body]), language)
    assert len(words("\n".join(body))) > 15


def test_no_mail_is_left_over() -> None:
    kinds = (*notifications.KINDS, *(f"staff_{k}" for k in staff_mails.KINDS), *(f"ticket_{k}" for k in tickets.KINDS))
    known = {f"{kind}.{language}.txt" for kind in kinds for language in LANGUAGES}
    assert {file.name for file in TEXTS.iterdir()} == known


def test_no_two_languages_share_a_sentence_for_a_customer() -> None:
    """One that was copied from its neighbour."""
    for state in State:
        said = [wording.customer_sentence(state, language) for language in LANGUAGES]
        assert len(set(said)) == len(LANGUAGES), said
