"""What is hers, in headless Chromium: the story of a change from answer to objection, and the pages that need such a past.

Pictures land in tests/.shots/ (not kept in the repository) for people to look at.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from cases.wording import LANGUAGES
from tests.webapp.conftest import Portal
from tests.webapp.pages import decided, link, rejected
from tests.webapp.test_portal_browser import SIZES, Inspector, address, come_in
from tests.webapp.waiting import soon
from verification.decision import Outcome

pytestmark = [pytest.mark.browser, pytest.mark.slow]

__all__ = ["address"]  # a fixture


@pytest.mark.parametrize("script", [True, False])
def test_from_the_answer_to_the_objection(demo: Portal, address: str, chromium: Any, tmp_path: Path, script: bool) -> None:
    who = demo.customer()
    case = demo.draft(who)
    decided(demo, case, Outcome.APPROVE)
    context = chromium.new_context(viewport=SIZES["phone"], java_script_enabled=script, accept_downloads=True)
    page = context.new_page()
    come_in(page, demo, address, who, "en")

    # One tap says how easy it was; a sentence may follow.
    page.goto(f"{address}/requests/{case}")
    page.get_by_role("button", name="Very easy").click()
    page.locator("h1", has_text="Thank you").wait_for()
    page.locator("textarea").fill("The glare was hard to avoid.")
    page.locator("main form .actions button").click()
    page.get_by_text("You found it: very easy").wait_for()

    # The confirmation and the copy are files.
    with page.expect_download() as paper:
        page.locator("a.paper").click()
    assert paper.value.suggested_filename == f"peremena-{str(case)[:8].upper()}.pdf"
    assert Path(paper.value.path()).read_bytes().startswith(b"%PDF-")
    page.locator("footer a", has_text="My data").click()
    page.locator("a", has_text="Get my copy").click()
    with page.expect_download() as copy:
        page.locator("button", has_text="Yes, download it").click()
    with zipfile.ZipFile(copy.value.path()) as packed:
        names = packed.namelist()
        packed.extractall(tmp_path)
    assert names[:2] == ["my-data.html", "my-data.json"] and len(names) == 4
    local = context.new_page()
    local.goto((tmp_path / "my-data.html").as_uri())
    assert (
        "ПЕТРОВА" in local.locator("body").inner_text() and "The glare was hard to avoid." in local.locator("body").inner_text()
    )
    if script:
        soon(lambda: local.evaluate("[...document.images].every((image) => image.naturalWidth > 100)"))
    local.close()

    # From the old mailbox, signed in nowhere: one tap, and the former details are back.
    mailbox = chromium.new_context(viewport=SIZES["phone"], java_script_enabled=script).new_page()
    mailbox.goto(f"{address}/not-me/{link(demo, 'not_me', who, case)}")
    mailbox.locator("main form button").click()
    mailbox.get_by_text("the account shows the former details again").wait_for()
    page.goto(f"{address}/requests/{case}")
    soon(lambda: "/sign-in" in page.url, "whoever was in the account is signed out")
    come_in(page, demo, address, who, "en")
    page.goto(f"{address}/requests/{case}")
    page.locator("h1", has_text="Your former details are back for now").wait_for()
    soon(lambda: page.locator("a.paper").count() == 0)
    page.goto(f"{address}/my-data/copy")
    soon(lambda: page.locator("main button").count() == 0)
    context.close()
    mailbox.context.close()


def test_a_refusal_is_appealed_with_a_sentence_and_another_is_erased(demo: Portal, address: str, chromium: Any) -> None:
    who = demo.customer()
    case = demo.draft(who)
    rejected(demo, case)
    demo.clock.forward(hours=1)
    context = chromium.new_context(viewport=SIZES["phone"])
    page = context.new_page()
    come_in(page, demo, address, who, "en")
    page.goto(f"{address}/requests/{case}")
    page.locator("textarea").fill("The letter is smudged, it is an A.")
    page.locator("button", has_text="Let another person look").click()
    page.locator(".thread .mine", has_text="The letter is smudged").wait_for()
    page.locator("a", has_text="My data").click()
    page.locator("a", has_text="Delete my photos").click()
    page.get_by_text("It is still open. Withdraw it first.").wait_for()
    page.locator("main a", has_text="Withdraw this request").click()
    page.locator("button.bad").click()
    demo.clock.forward(days=14)
    come_in(page, demo, address, who, "en")
    page.goto(f"{address}/my-data/delete")
    page.locator("button.bad").click()
    page.get_by_text("Destroyed: one request.").wait_for()
    context.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_page_with_such_a_past_has_a_fault(demo: Portal, address: str, chromium: Any, language: str) -> None:
    inspector = Inspector(language)
    context = chromium.new_context(locale=language, reduced_motion="reduce", viewport=SIZES["phone"])
    page = context.new_page()
    inspector.watch(page)

    who = demo.customer("refused")
    case = demo.draft(who)
    rejected(demo, case)
    demo.clock.forward(days=14)
    come_in(page, demo, address, who, language)
    page.goto(f"{address}/my-data/delete")
    inspector.look(page, "delete-refused")
    page.locator("button.bad").click()
    page.locator(".notice").wait_for()
    inspector.look(page, "my-data-erased")
    page.goto(f"{address}/requests/{case}")
    inspector.look(page, "not-changed-too-late")

    who = demo.customer("held")
    case = demo.draft(who)
    decided(demo, case, Outcome.APPROVE)
    come_in(page, demo, address, who, language)
    page.goto(f"{address}/requests/{case}")
    page.locator(".marks button").nth(1).click()
    page.locator("textarea").wait_for()
    page.locator("textarea").evaluate("(area) => { area.removeAttribute('maxlength'); area.value = 'x'.repeat(501); }")
    page.locator("main form .actions button").click()
    page.locator("#problems").wait_for()
    inspector.look(page, "rate-problem")
    page.goto(f"{address}/requests/{case}")
    inspector.look(page, "changed-rated")
    page.goto(f"{address}/not-me/{link(demo, 'not_me', who, case)}")
    page.locator("main form button").click()
    page.locator("h2").first.wait_for()
    inspector.look(page, "not-me-held")
    page.goto(f"{address}/requests/{case}")
    inspector.look(page, "changed-held")
    page.goto(f"{address}/my-data/copy")
    inspector.look(page, "my-copy-disputed")
    page.goto(f"{address}/my-data/delete")
    inspector.look(page, "delete-kept")
    context.close()
    assert not inspector.found, "\n".join(inspector.found)
