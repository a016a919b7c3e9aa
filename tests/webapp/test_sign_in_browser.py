"""Signing in as staff in headless Chromium: a passkey of a virtual device, the house's provider, and what the pages look like.

Pictures land in tests/.shots/ (not kept in the repository) for people to look at.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from sqlalchemy import select
from werkzeug.serving import make_server

from cases.models import Event, Role
from tests.webapp.oidc_provider import CLIENT, SECRET, Provider
from tests.webapp.staff_fixtures import PASSWORD, Clock, Office, make_office
from tests.webapp.waiting import shot, soon

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = Path(__file__).resolve().parents[1] / ".shots"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture
def office(settings: Any, database: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """The staff's application at http://localhost on a port of this machine, with a provider beside it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    held: dict[str, Any] = {}
    server = make_server("127.0.0.1", 0, lambda environ, start: held["app"](environ, start), threaded=True)
    provider = Provider(Clock())
    said = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET, "oidc_name": "Lender ID"}
    made = make_office(settings.model_copy(update={**said, "staff_url": f"http://localhost:{server.server_port}"}))
    provider.clock = made.clock
    held["app"], made.app.extensions["test.provider"] = made.app, provider
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    provider.stop()
    made.db.dispose()


def methods(office: Office) -> list[str]:
    with office.db.reading() as db:
        return [e.details["method"] for e in db.scalars(select(Event).where(Event.kind == "staff_signed_in").order_by(Event.id))]


def faults(page: Any) -> list[str]:
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}}).response["violations"]
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [f"{v['id']}: {v['nodes'][0]['html']}" for v in found] + ([f"{wide} px too wide"] if wide > 0 else [])


def look(page: Any, name: str) -> None:
    """The page on a desk and on a phone, light and dark: as pictures, and without a fault that a machine can find."""
    for size, view in (("1440", WIDE), ("390", NARROW)):
        page.set_viewport_size(view)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            shot(page, SHOTS / f"sign-in-{name}-{size}-{scheme}.png")
            assert faults(page) == []
    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="light")


def test_a_passkey_is_made_and_opens_the_desk_and_the_provider_does_too(office: Office, chromium: Any) -> None:
    SHOTS.mkdir(exist_ok=True)
    at, provider = office.settings.staff_url, office.app.extensions["test.provider"]
    email = office.member(Role.AGENT, name="Ada Agent")
    context = chromium.new_context(viewport=WIDE, locale="en-GB")
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if "Content Security" in said.text else None)
    devices = context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    described = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True,
    }  # fmt: skip
    device = devices.send("WebAuthn.addVirtualAuthenticator", {"options": described})["authenticatorId"]

    # Password and code; then a passkey
    page.goto(f"{at}/staff/account")
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.click("text=Go on")
    page.fill("#code", office.code(email))
    page.click(".primary")
    page.wait_for_url("**/staff/account")
    page.fill("#passkey-name", "Office laptop")
    page.click("text=Add a passkey")
    soon(lambda: page.locator(".passkeys strong").inner_text() == "Office laptop")
    look(page, "account")
    page.click("text=Sign out")

    # Alone
    page.wait_for_url("**/staff/sign-in")
    look(page, "door")
    devices.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    page.click("text=Sign in with a passkey")
    soon(lambda: "Nothing was done" in page.locator(".passkey-says").inner_text())
    look(page, "stopped")
    devices.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
    page.click("text=Sign in with a passkey")
    page.wait_for_url("**/desk")
    page.click("text=Sign out")

    # The provider, and the passkey as the second step; signing out leads there as well
    provider.person = {"sub": "ada", "email": email, "email_verified": True, "name": "Ada Agent"}
    page.click("text=Sign in with Lender ID")
    page.wait_for_url("**/staff/code**")
    look(page, "second")
    page.click("text=Use a passkey instead")
    page.wait_for_url("**/desk")
    page.click("text=Sign out")
    page.wait_for_url(f"{provider.issuer}/end-session?**")
    assert methods(office) == ["totp", "passkey", "sso+passkey"]

    # Refused, in Russian
    provider.person = {"sub": "nobody", "email": "nobody@lender.test", "email_verified": True}
    russian = chromium.new_context(viewport=NARROW, locale="ru-RU")
    page = russian.new_page()
    page.goto(f"{at}/staff/sign-in")
    shot(page, SHOTS / "sign-in-door-ru.png")
    page.click("text=Lender ID")
    soon(lambda: page.locator("[role=alert]").count() == 1)
    assert faults(page) == []
    shot(page, SHOTS / "sign-in-refused-ru.png")
    assert problems == []
    russian.close()
    context.close()
