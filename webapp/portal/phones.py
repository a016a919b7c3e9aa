"""Which browser she came with, told from its User-Agent: only to word advice, never to allow or refuse anything.

A name told wrongly shows the general sentence; whether there really is a camera is found out by capture.js. Names in User-Agents
were taken from the makers' own documents (developer.chrome.com/docs/multidevice/user-agent, developers.facebook.com) and from
facts/peers.md 4.1; Telegram for iOS and other apps that name nobody are known by what a WKWebView leaves out: "Safari/".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from flask import request
from flask_babel import lazy_gettext as _l

from cases import intake
from cases.models import Case
from webapp.context import database
from webapp.portal import forms
from webapp.portal.answers import _paper_of
from webapp.portal.steps import portal

System = Literal["ios", "android", "other"]

APPS = (
    ("Telegram", r"Telegram"),
    ("VK", r"VKAndroidApp|VK/\d|VKClient|com\.vk\."),
    ("WhatsApp", r"WhatsApp"),
    ("Instagram", r"Instagram"),
    ("Facebook", r"FBAN|FBAV|FB_IAB|Messenger"),
    ("WeChat", r"MicroMessenger"),
    ("LINE", r"\bLine/"),
    ("OK", r"OKAndroidApp|OKApp|odnoklassniki"),
)
"""Apps with a browser of their own, and what each writes into the User-Agent."""

BROWSERS = (
    ("samsung", r"SamsungBrowser/"),
    ("yandex", r"YaBrowser/"),
    ("firefox", r"Firefox/|FxiOS/"),
    ("other", r"OPR/|EdgA?/|EdgiOS/|CriOS/"),
    ("chrome", r"Chrome/"),
    ("safari", r"Version/.*Safari/"),
)
"""Browsers by what only they write; those that also write the name of another one stand before it."""

CAMERA_STEPS = {
    ("ios", "safari"): _l("Tap “aA” or the page sign beside the address, "
        "then “Website Settings”, “Camera”, “Allow”. Then load the page again."),
    ("ios", "other"): _l("Open the phone's Settings, find this browser there and switch “Camera” on. Then load the page again."),
    ("android", "chrome"): _l("Tap the sign to the left of the address, then “Permissions”, and switch “Camera” on."),
    ("android", "samsung"): _l("Tap the lock to the left of the address, then “Permissions”, “Camera”, “Allow”. "
        "If it is not there: phone Settings, Apps, Samsung Internet, Permissions."),
    ("android", "yandex"): _l("Tap the lock in the address line, then “Site settings”, “Camera”, “Allow”. "
        "If it is not there: phone Settings, Apps, Yandex, Permissions."),
    ("android", "firefox"): _l("Tap the lock to the left of the address, then the crossed-out “Camera”, so that it is allowed."),
    ("other", "other"): _l("Click the sign to the left of the address and allow the camera there. Then load the page again."),
}  # fmt: skip
"""How a denied camera is allowed again, by system and browser. The words are those of the browsers' own menus."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Phone:
    """A browser as its User-Agent tells of it. `app` is set inside an app's own browser: its name, "" if it does not say."""

    system: System
    browser: str
    app: str | None

    @property
    def steps(self) -> Any:
        """How to allow the camera again, as a translatable sentence."""
        return (
            CAMERA_STEPS.get((self.system, self.browser))
            or CAMERA_STEPS.get((self.system, "other"))
            or CAMERA_STEPS[("android", "chrome") if self.system == "android" else ("other", "other")]
        )


def told_of(agent: str) -> Phone:
    """Return what a User-Agent says about system, browser and surrounding app. Never raises; unknown is "other".

    >>> told_of("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148").app
    ''
    """
    system: System = "ios" if re.search(r"iPhone|iPad|iPod", agent) else "android" if "Android" in agent else "other"
    app = next((name for name, pattern in APPS if re.search(pattern, agent)), None)
    if app is None and ((system == "ios" and "Safari/" not in agent) or (system == "android" and "; wv)" in agent)):
        app = ""
    browser = next((name for name, pattern in BROWSERS if re.search(pattern, agent)), "other")
    return Phone(system=system, browser=browser, app=app)


def android_intent(address: str) -> str:
    """The address as an Android intent: an app's own browser hands it to the phone's (developer.chrome.com, Android intents)."""
    parts = urlsplit(address)
    where = f"{parts.netloc}{parts.path}" + (f"?{parts.query}" if parts.query else "")
    return f"intent://{where}#Intent;scheme={parts.scheme};action=android.intent.action.VIEW;category=android.intent.category.BROWSABLE;end"


CARDS = frozenset({forms.Paper.KZ_CARD, forms.Paper.ES_CARD, forms.Paper.MX_CARD})
"""Papers that are no book: the side with the face is photographed, and often has no lines for machines."""


def paper_in_hand(case: Case) -> forms.Paper:
    """The document she named for this case, as far as her answers tell it: another device knows nothing of her choice."""
    with database().reading() as db:
        claim, _email = intake.claim_of(db, db.get_one(Case, case.id))
    return _paper_of(case, claim)


def shows_both_pages(case: Case) -> bool:
    """Whether the passport she named is photographed as a spread of two pages: the Russian internal one alone."""
    return case.country == "RUS" and paper_in_hand(case) is forms.Paper.RU_INTERNAL


def is_card(case: Case) -> bool:
    """Whether she photographs an identity card."""
    return paper_in_hand(case) in CARDS


@portal.context_processor
def her_browser() -> dict[str, Any]:
    """For the pages with a camera: `her_browser`, `shows_both_pages`, `is_card` and `android_intent`."""
    return {
        "her_browser": told_of(request.user_agent.string),
        "shows_both_pages": shows_both_pages,
        "is_card": is_card,
        "android_intent": android_intent,
    }
