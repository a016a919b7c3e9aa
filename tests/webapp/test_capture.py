"""What the photo pages say to which browser, and what they offer without script."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tests.webapp.conftest import Portal
from verification.evidence import ChangeReason, Field
from webapp.portal.phones import android_intent, told_of

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
PIXEL = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko)"
VIEW = f"{PIXEL.replace('Pixel 8', 'Pixel 8; wv')} Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "system", "browser", "app"),
    [
        (f"{IPHONE} Version/17.5 Mobile/15E148 Safari/604.1", "ios", "safari", None),
        (f"{IPHONE} CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1", "ios", "other", None),
        (f"{IPHONE} FxiOS/127.0 Mobile/15E148 Safari/605.1.15", "ios", "firefox", None),
        (f"{IPHONE} Mobile/15E148", "ios", "other", ""),
        (f"{IPHONE} Mobile/15E148 Instagram 337.0.0.24.92 (iPhone14,5; iOS 17_5; ru_RU)", "ios", "other", "Instagram"),
        (f"{IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/470.1.0.43.103]", "ios", "other", "Facebook"),
        (f"{PIXEL} Chrome/126.0.0.0 Mobile Safari/537.36", "android", "chrome", None),
        (f"{PIXEL} SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36", "android", "samsung", None),
        (f"{PIXEL} Chrome/124.0.0.0 YaBrowser/24.6.0.79 Mobile Safari/537.36", "android", "yandex", None),
        ("Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0", "android", "firefox", None),
        (VIEW, "android", "chrome", ""),
        (f"{VIEW} Telegram-Android/11.3.3 (Google Pixel 8; Android 14; SDK 34; HIGH)", "android", "chrome", "Telegram"),
        (f"{VIEW} VKAndroidApp/8.86-21350", "android", "chrome", "VK"),
        (f"{VIEW} WhatsApp/2.24.11.79", "android", "chrome", "WhatsApp"),
        (f"{VIEW} [FB_IAB/FB4A;FBAV/467.0.0.47.109;]", "android", "chrome", "Facebook"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36", "other", "chrome", None),
        ("", "other", "other", None),
        ("Werkzeug/3.0", "other", "other", None),
    ],
)  # fmt: skip
def test_a_browser_is_known_by_what_it_says(agent: str, system: str, browser: str, app: str | None) -> None:
    told = told_of(agent)
    assert (told.system, told.browser, told.app) == (system, browser, app)
    assert str(told.steps)


def test_an_intent_names_the_same_page() -> None:
    assert android_intent("https://change.example/requests/1/photos/selfie?a=1") == (
        "intent://change.example/requests/1/photos/selfie?a=1#Intent;scheme=https;"
        "action=android.intent.action.VIEW;category=android.intent.category.BROWSABLE;end"
    )


def seen(portal: Portal, kind: str, agent: str, values: dict[Field, str] | None = None) -> str:
    customer = portal.customer()
    case = portal.draft(customer, values, photos=False, reason=ChangeReason.MARRIAGE)
    browser = portal.sign_in(customer)
    return unescape(browser.get(f"/requests/{case}/photos/{kind}", headers={"User-Agent": agent}).get_data(as_text=True))


@pytest.mark.parametrize(
    ("agent", "words", "button"),
    [
        (f"{VIEW} Telegram-Android/11.3.3", "You are inside Telegram.", "Open in the browser"),
        (f"{IPHONE} Mobile/15E148 Instagram 337.0", "You are inside Instagram.", "choose “Open in Safari”"),
        (f"{IPHONE} Mobile/15E148", "You are inside another app.", "choose “Open in Safari”"),
    ],
)
def test_inside_another_app_a_way_out_is_shown(portal: Portal, agent: str, words: str, button: str) -> None:
    page = seen(portal, "document", agent)
    assert words in page and button in page
    assert re.search(r'data-copy="http://localhost/requests/[0-9a-f-]{36}/photos/document"', page)
    assert ("intent://localhost/requests/" in page) is ("Android" in agent)
    assert "/phone" in page  # on another device
    assert 'name="photo"' in page  # and yet nothing is taken away


def test_in_a_browser_of_its_own_no_way_out_is_needed(portal: Portal) -> None:
    page = seen(portal, "selfie", f"{PIXEL} Chrome/126.0.0.0 Mobile Safari/537.36")
    assert "You are inside" not in page and "data-copy" not in page


@pytest.mark.parametrize(
    ("number", "spread"),
    [("4524654321", True), ("751234567", False)],
    ids=["internal passport", "travel passport"],
)
def test_the_russian_internal_passport_is_framed_with_both_pages(portal: Portal, number: str, spread: bool) -> None:
    page = seen(portal, "document", PIXEL, {Field.SURNAME: "ПЕТРОВА", Field.DOCUMENT_NUMBER: number})
    assert ('class="camera-guide spread"' in page) is spread
    assert ("spread-good.svg" in page) is spread and ("passport-good.svg" in page) is not spread


def test_the_turn_of_the_head_leads_on_without_script_and_names_who_looks_then(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer, reason=ChangeReason.MISTAKE)
    page = portal.sign_in(customer).get(f"/requests/{case}/turn").get_data(as_text=True)
    without = re.search(r"<noscript>(.*?)</noscript>", page, re.DOTALL)
    assert without and f'href="/requests/{case}/check"' in without[1] and "Go on without this step" in without[1]
    assert "it never counts against you" in page and "I cannot do this" in page
