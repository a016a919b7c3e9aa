"""The page of saved replies: who may open it, what it shows, a new version, and what is refused in words."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest

from cases import replies
from cases.models import Role
from tests.webapp.staff_fixtures import Browser, Office, make_office
from webapp.desk import forms

TEXTS = {"text_ru": "Снимите ещё раз.", "text_kk": "Қайта түсіріңіз.", "text_es": "Repita la foto.", "text_en": "Take it again."}


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def senior(office: Office) -> Browser:
    browser = office.signed_in(Role.SENIOR_AGENT, name="Sue Senior")
    browser.fresh("/desk/replies")
    return browser


def text(answer: Any) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.get_data(as_text=True))))


def codes(office: Office) -> list[str]:
    with office.db.reading() as db:
        return [reply.code for reply in replies.current(db)]


def test_every_reason_that_can_be_chosen_for_a_photo_has_a_reply_of_its_own():
    chosen = {code for codes in forms.retake_reasons().values() for code in codes}
    with_reply = [made.reason for made in replies.SHIPPED.values() if made.purpose == "ask_retake"]
    assert chosen == set(with_reply) and len(with_reply) == len(chosen) == 27


def test_every_refusal_has_a_reply_its_own_or_one_about_no_reason():
    refusals = [made for made in replies.SHIPPED.values() if made.purpose == "reject"]
    assert {made.reason for made in refusals if made.reason} <= set(forms.REJECTIONS)
    general = next(made for made in refusals if made.reason is None)
    assert general.name == "Could not be confirmed"


@pytest.mark.parametrize(("role", "status"), [(Role.AGENT, 403), (Role.SENIOR_AGENT, 200), (Role.LEAD, 200), (Role.AUDITOR, 403)])
def test_seniors_and_leads_see_the_replies(office, role, status):
    assert office.signed_in(role).get("/desk/replies").status_code == status


def test_a_new_version_is_shown_with_its_author_above_the_one_shipped(office, senior):
    about = {"purpose": "ask_retake", "seen": "0", "name": "Glare, short", "reason": "document_glare", **TEXTS}
    saved = senior.post("/desk/replies/retake.document_glare", **about)
    assert saved.status_code == 303
    page = text(senior.get("/desk/replies"))
    assert "Glare, short Take it again." in page and "Sue Senior" in page
    history = text(senior.get("/desk/replies/retake.document_glare"))
    assert history.index("Version 1 · Sue Senior") < history.index("As shipped") and "Switch the flash off" in history


def test_of_two_who_save_the_second_keeps_what_she_typed(office, senior):
    about = {"purpose": "ask_retake", "seen": "0", "name": "Glare, short", "reason": "", **TEXTS}
    senior.post("/desk/replies/retake.document_glare", **about)
    late = senior.post("/desk/replies/retake.document_glare", **{**about, "text_en": "Mine."})
    assert late.status_code == 409 and "Sue Senior changed this reply a moment before you" in text(late)
    assert "Mine.</textarea>" in late.get_data(as_text=True)
    assert 'name="seen" value="1"' in late.get_data(as_text=True)


def test_what_is_wrong_is_said_beside_its_box(office, senior):
    sent = senior.post(
        "/desk/replies", purpose="reject", name="", reason="", **{**TEXTS, "text_en": "Your face is fake.", "text_es": "{hours}"}
    )
    assert sent.status_code == 422
    page = text(sent)
    assert "This may tell which check failed: “fake”, “face”. Say it in other words." in page
    assert "A word in braces is none of the variables below." in page and page.count("Please fill this in.") == 1
    assert "Your face is fake.</textarea>" in sent.get_data(as_text=True)


def test_a_new_reply_is_offered_at_once_and_taken_out_again(office, senior):
    assert senior.get("/desk/replies/new?purpose=message").status_code == 200
    senior.post("/desk/replies", purpose="message", name="Thanks", reason="", **TEXTS)
    (code,) = [code for code in codes(office) if code.startswith("own.")]
    senior.post(f"/desk/replies/{code}", seen="1", do="retire", **{"text_en": "typed and left"})
    assert code not in codes(office)
    assert "Thanks taken out" in text(senior.get("/desk/replies?retired"))


def test_there_is_no_page_for_what_is_not_there(office, senior):
    assert senior.get("/desk/replies/nothing").status_code == 404
    assert senior.get("/desk/replies/new?purpose=nothing").status_code == 404
    assert senior.post("/desk/replies/nothing", purpose="message").status_code == 404
