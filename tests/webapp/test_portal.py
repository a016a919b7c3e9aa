"""The portal over HTTP: the journey without script, and everything that must not work."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from cases import customers, intake, photo_store, runs
from cases.lifecycle import State
from cases.models import Case, Customer, Event, Photo
from tests.webapp.conftest import ANNA, Browser, Portal, picture
from tests.webapp.pages import CONSENT, LETTER, decided, evidence, link, rejected, screens
from verification.decision import Decision, Outcome
from verification.evidence import ChangeReason, Field, Side
from verification.reasons import PhotoKind, ReasonCode

NEW = {
    "surname": "Петрова",
    "document_number": "45 24 654321",
    "issued_on_day": "1",
    "issued_on_month": "2",
    "issued_on_year": "2026",
}


def problems(answer: TestResponse) -> list[str]:
    """The sentences at the fields."""
    return re.findall(r'class="problem"[^>]*>([^<]+)<', answer.text)


def draft_of(browser: Browser) -> str:
    """Walk to the first photo; returns the address of the case."""
    browser.get("/request/reason")
    browser.post("/request/reason", reason="marriage", paper="ru_internal")
    answer = browser.post("/request/details", **NEW)
    assert answer.status_code == 303, problems(answer)
    return str(answer.location).removesuffix("/photos/document")


# --- The journey


def test_a_request_is_sent_without_any_script(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer())
    assert browser.get("/").status_code == 200
    assert browser.post("/request/reason", reason="marriage", paper="ru_internal").location == "/request/details"
    page = browser.get("/request/details")
    assert "ИВАНОВА" in page.text  # the old value stands beside
    case = str(browser.post("/request/details", **NEW).location).removesuffix("/photos/document")
    assert browser.upload(f"{case}/photos/document", picture("document")).location == f"{case}/photos/selfie"
    assert browser.upload(f"{case}/photos/selfie", picture("selfie")).location == f"{case}/check"
    page = browser.get(f"{case}/check")
    assert "ИВАНОВА" in page.text and "Петрова" in page.text and "45 24 654321" in page.text
    assert browser.post(f"{case}/check", consent=CONSENT).location == case
    row = portal.case(UUID(case.rsplit("/", 1)[1]))
    assert (row.state, row.attempt, row.country, row.consent_version) == (State.SUBMITTED, 1, "RUS", CONSENT)
    page = browser.get(case)
    assert "We are checking" in page.text and 'http-equiv="refresh"' in page.text
    assert browser.get("/").location == case  # wherever she comes in, she is led here


def test_a_draft_waits_where_she_left_it(portal: Portal) -> None:
    customer = portal.customer()
    first = portal.sign_in(customer)
    case = draft_of(first)
    first.upload(f"{case}/photos/document", picture("document"))
    portal.clock.forward(minutes=40)
    assert first.get(f"{case}/photos/selfie").location.startswith("/sign-in")
    assert portal.sign_in(customer).get("/").location == f"{case}/photos/selfie"


def test_the_first_answers_survive_a_session_that_ends(portal: Portal) -> None:
    customer = portal.customer()
    browser = portal.sign_in(customer)
    browser.post("/request/reason", reason="court", paper="ru_travel")
    portal.clock.forward(minutes=20)
    token = link(portal, "hand_over", customer)
    browser.get(f"/enter/{token}")
    browser.post("/enter", token=token)
    assert "Latin" in browser.get("/request/details").text
    other = portal.customer("other")
    token = link(portal, "hand_over", other)
    browser.get(f"/enter/{token}")
    browser.post("/enter", token=token)
    assert browser.get("/request/details").location == "/request/reason"  # hers alone


def test_a_second_click_sends_once(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    browser = portal.sign_in(customer)
    browser.get(f"/requests/{case}/check")
    answers = [browser.post(f"/requests/{case}/check", consent=CONSENT) for _ in range(2)]
    assert [a.location for a in answers] == [f"/requests/{case}"] * 2
    assert portal.case(case).attempt == 1


def test_going_back_after_sending_changes_nothing(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    browser = portal.sign_in(customer)
    browser.get(f"/requests/{case}/check")
    browser.post(f"/requests/{case}/check", consent=CONSENT)
    before = portal.case(case).version
    for step in ("reason", "details", "check", "photos/document", "photos/selfie"):
        assert browser.get(f"/requests/{case}/{step}").location == f"/requests/{case}", step
    assert browser.post(f"/requests/{case}/details", **NEW).location == f"/requests/{case}"
    assert browser.upload(f"/requests/{case}/photos/document", picture("document", width=904)).location == f"/requests/{case}"
    assert portal.case(case).version == before


def test_opening_twice_amends_the_one_request(portal: Portal) -> None:
    customer = portal.customer()
    browser, second = portal.sign_in(customer), portal.sign_in(customer)
    for b in (browser, second):
        b.post("/request/reason", reason="marriage", paper="ru_internal")
        b.get("/request/details")
    first = browser.post("/request/details", **NEW).location
    assert second.post("/request/details", **{**NEW, "surname": "Сидорова"}).location == first
    with portal.db.reading() as session:
        case = session.scalars(select(Case)).one()
        assert intake.claim_of(session, case)[0].values[Field.SURNAME] == "Сидорова"


def test_the_page_moves_on_by_etag(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    with portal.db.transaction() as session:
        intake.submit(session, case, consent_version=CONSENT, now=portal.clock())
    browser = portal.sign_in(customer)
    address = f"/requests/{case}/progress.json"
    answer = browser.get(address)
    about = {"state": "submitted", "version": portal.case(case).version, "waiting": True}
    assert answer.json == {**about, "step": None, "again": False, "messages": 0}
    assert browser.get(address, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    with portal.db.transaction() as session:
        intake.withdraw(session, case, now=portal.clock())
    assert browser.get(address, headers={"If-None-Match": answer.headers["ETag"]}).json["state"] == "withdrawn"


def test_a_page_that_polls_does_not_keep_the_session_alive(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    with portal.db.transaction() as session:
        intake.submit(session, case, consent_version=CONSENT, now=portal.clock())
    browser = portal.sign_in(customer)
    for _ in range(4):
        portal.clock.forward(minutes=5)
        answer = browser.get(f"/requests/{case}/progress.json")
    assert answer.status_code == 303


def test_only_the_failing_photo_is_taken_again(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    decided(
        portal, case, Outcome.RETAKE, (ReasonCode.SELFIE_BLURRED, ReasonCode.SELFIE_ON_FILE_FACES_UNSURE), (PhotoKind.SELFIE,)
    )
    browser = portal.sign_in(customer)
    page = browser.get(f"/requests/{case}")
    assert "Please take your selfie again" in page.text and "blurred" in page.text
    assert browser.get(f"/requests/{case}/check").location == f"/requests/{case}/photos/selfie"
    assert browser.upload(f"/requests/{case}/photos/selfie", picture("selfie", width=908)).location == f"/requests/{case}/check"
    browser.get(f"/requests/{case}/check")
    browser.post(f"/requests/{case}/check", consent=CONSENT)
    assert portal.case(case).state is State.SUBMITTED and portal.case(case).attempt == 2


def covered_by_light(portal: Portal, case: UUID, hidden: dict[Field, ReasonCode], reasons: tuple[ReasonCode, ...]) -> None:
    """A run that asks for the document again, and what it found hidden on it."""
    with portal.db.transaction() as session:
        intake.submit(session, case, consent_version=CONSENT, now=portal.clock())
    with portal.db.transaction() as session:
        order = runs.begin(session, case, now=portal.clock())
    found = evidence()
    found = replace(found, measures=replace(found.measures, hidden=hidden, missing=(Side.BOTTOM,)))
    answer = Decision(outcome=Outcome.RETAKE, reasons=reasons, retake=frozenset({PhotoKind.DOCUMENT}), policy_version=1)
    with portal.db.transaction() as session:
        runs.finish(session, order, found, answer, seconds=1.0, now=portal.clock())


@pytest.mark.parametrize(
    ("language", "light", "edge"),
    [
        ("en", "The light hides: Surname, Document number", "Not on the photo: the lower edge of the page, Date of birth"),
        ("ru", "Блик закрывает: Фамилия, Номер документа", "Не попало в кадр: нижний край страницы, Дата рождения"),
    ],
)
def test_a_customer_reads_which_details_the_light_hides(portal: Portal, language: str, light: str, edge: str) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    hidden = {
        Field.DOCUMENT_NUMBER: ReasonCode.DOCUMENT_GLARE,
        Field.SURNAME: ReasonCode.DOCUMENT_GLARE,
        Field.DATE_OF_BIRTH: ReasonCode.DOCUMENT_CUT_OFF,
    }
    covered_by_light(portal, case, hidden, (ReasonCode.DOCUMENT_GLARE, ReasonCode.DOCUMENT_CUT_OFF))
    browser = portal.sign_in(customer)
    browser.post("/language", language=language)
    for address in (f"/requests/{case}", f"/requests/{case}/photos/document"):
        page = browser.get(address).text
        assert light in page and edge in page, address
    assert light not in browser.get(f"/requests/{case}/photos/selfie").text


def test_details_hidden_for_a_reason_that_is_not_told_are_not_named(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    covered_by_light(portal, case, {Field.SURNAME: ReasonCode.DOCUMENT_GLARE}, (ReasonCode.DOCUMENT_BLURRED,))
    page = portal.sign_in(customer).get(f"/requests/{case}").text
    assert "blurred" in page and "hides" not in page


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (ReasonCode.SEVERAL_DOCUMENTS, "lay all other papers aside"),
        (ReasonCode.DOCUMENT_MIRRORED, "the camera on the back of your phone"),
        (ReasonCode.DOCUMENT_NOT_KNOWN, "the page of your passport that has your portrait"),
    ],
)
def test_who_sent_the_wrong_picture_is_told_what_to_photograph(portal: Portal, reason: ReasonCode, words: str) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    decided(portal, case, Outcome.RETAKE, (reason, ReasonCode.FACE_NOT_COMPARED), (PhotoKind.DOCUMENT,))
    page = portal.sign_in(customer).get(f"/requests/{case}").text
    assert words in page and "A person needs to look" not in page


def test_a_customer_reads_which_letter_differs_and_never_which_check_failed(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    decided(
        portal, case, Outcome.REFER, (ReasonCode.SURNAME_DIFFERS, ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER), comparisons=LETTER
    )
    page = portal.sign_in(customer).get(f"/requests/{case}").text
    assert "Letter 7: you typed А, the page shows Й" in page
    assert "<mark>А</mark>" in page and "<mark>Й</mark>" in page
    for word in ("face", "selfie", "similar", "score", "match", "%"):
        assert word not in re.sub(r"<[^>]+>", " ", page).lower(), word


def test_a_rejected_request_is_appealed_to_another_person(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    rejected(portal, case)
    browser = portal.sign_in(customer)
    page = browser.get(f"/requests/{case}")
    shown = re.sub(r"<script[^>]*>|<link[^>]*>", "", page.text)  # whose addresses carry sums of files
    assert "have not been changed" in shown and "face" not in shown.lower().replace("surface", "")
    assert browser.post(f"/requests/{case}/appeal").status_code == 303
    assert portal.case(case).state is State.IN_REVIEW


def test_a_person_may_be_asked_for_before_any_photo(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer, photos=False)
    browser = portal.sign_in(customer)
    browser.get(f"/requests/{case}/person")
    assert browser.post(f"/requests/{case}/person").status_code == 422  # no agreement
    assert browser.post(f"/requests/{case}/person", consent=CONSENT).location == f"/requests/{case}"
    assert portal.case(case).state is State.IN_REVIEW


def test_a_request_is_withdrawn_after_one_question(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    browser = portal.sign_in(customer)
    assert "Withdraw" in browser.get(f"/requests/{case}/withdraw").text
    browser.post(f"/requests/{case}/withdraw")
    assert portal.case(case).state is State.WITHDRAWN
    assert browser.post(f"/requests/{case}/withdraw").status_code == 303  # again does no harm


# --- Details


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"surname": "Петrова"}, "Letter 4, “r”, is not a Cyrillic letter: which one does the passport print?"),
        ({"surname": "Petrova"}, "Type this name in Cyrillic letters, as the passport prints it"),
        ({"surname": "Петр0ва"}, "A name has letters, hyphens and apostrophes only; “0” is something else"),
        ({"surname": ""}, "Type your name as the passport prints it"),
        ({"surname": "-"}, "Type at least one letter"),
        ({"surname": "-Петрова"}, "A name begins and ends with a letter, not with “-”"),
        ({"surname": ".Петрова"}, "A name begins and ends with a letter, not with “.”"),
        ({"surname": "Петрова--Ива"}, "Two hyphens, apostrophes or full stops stand side by side: leave one"),
        ({"surname": "Петрова - -Ива"}, "Two hyphens, apostrophes or full stops stand side by side: leave one"),
        ({"surname": "А" * 101}, "This name is longer than 100 letters"),
        ({"document_number": ""}, "Type the number of the document"),
        ({"document_number": "45 24 65432"}, "Series and number have ten digits, like 45 10 123456. Typed so far: 9."),
        ({"issued_on_day": "31"}, "There is no such day in the calendar: the last day of that month is the 28"),
        ({"issued_on_month": "fog"}, "Type the month as a number from 1 to 12, or by its name"),
        ({"issued_on_year": "26"}, "Type the year with four digits, like 1985"),
        ({"issued_on_year": "2027"}, "This day is still to come"),
        ({"issued_on_year": "1826"}, "Check the year"),
        ({"email": "nobody"}, "Type an e-mail address like name@example.com"),
    ],
)
def test_a_slip_is_told_at_its_field_and_on_top(portal: Portal, typed: dict[str, str], sentence: str) -> None:
    browser = portal.sign_in(portal.customer())
    browser.post("/request/reason", reason="marriage", paper="ru_internal")
    answer = browser.post("/request/details", **{**NEW, **typed})
    assert answer.status_code == 422
    assert problems(answer) == [sentence]
    at = re.search(r'<li><a href="#([^"]+)">([^<]+)</a></li>', answer.text)
    assert at and at[2] == sentence and f'id="{at[1]}"' in answer.text
    assert "Attention: " in answer.text and 'aria-invalid="true"' in answer.text
    for name, value in {**NEW, **typed}.items():  # nothing typed is lost
        assert f'name="{name}" ' in answer.text and (not value or f'value="{value[:200]}"' in answer.text), name


@pytest.mark.parametrize("surname", ["Ёлкина", "Иванова-Петрова", "О'Коннор", "Ұлы", "де ла Крус", "Э"])
def test_real_names_are_taken_as_printed(portal: Portal, surname: str) -> None:
    customer = portal.customer()
    browser = portal.sign_in(customer)
    browser.post("/request/reason", reason="marriage", paper="ru_internal")
    assert browser.post("/request/details", **{**NEW, "surname": surname}).status_code == 303
    with portal.db.reading() as session:
        assert intake.claim_of(session, session.scalars(select(Case)).one())[0].values[Field.SURNAME] == surname


def test_a_new_passport_changes_no_address_whatever_is_sent(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer())
    browser.post("/request/reason", reason="new_passport", paper="ru_internal")
    assert 'name="email"' not in browser.get("/request/details").text
    typed = {name: value for name, value in NEW.items() if name != "surname"}
    assert browser.post("/request/details", **{**typed, "email": "thief@example.test"}).status_code == 303
    with portal.db.reading() as session:
        case = session.scalars(select(Case)).one()
        assert case.change_reason is ChangeReason.NEW_PASSPORT
        assert intake.claim_of(session, case)[1] is None


def test_a_single_name_needs_no_other(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer())
    browser.post("/request/reason", reason="court", paper="ru_internal")
    typed = {**NEW, "surname": "", "given_names": "Сухарто", "patronymic": ""}
    assert browser.post("/request/details", **typed).status_code == 303


def test_direction_and_control_marks_are_taken_out_of_names(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer())
    browser.post("/request/reason", reason="marriage", paper="ru_internal")
    browser.post("/request/details", **{**NEW, "surname": "\u202eПет\u200bрова\x07 "})
    with portal.db.reading() as session:
        assert intake.claim_of(session, session.scalars(select(Case)).one())[0].values[Field.SURNAME] == "Петрова"


def test_what_is_held_already_is_no_change(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer())
    browser.post("/request/reason", reason="mistake", paper="ru_internal")
    page = browser.get("/request/details")
    assert 'value="ИВАНОВА"' in page.text  # she corrects one thing and leaves the rest
    same = {"surname": "ИВАНОВА", "given_names": "АННА"}
    answer = browser.post("/request/details", **same)
    assert answer.status_code == 422 and "This is what we hold already: nothing would change" in problems(answer)


def test_only_what_the_reason_changes_is_asked(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer())
    expected = {
        ("marriage", "ru_internal"): ["surname", "document_number", "issued_on_day"],
        ("marriage", "ru_travel"): ["surname_native", "surname", "document_number", "expires_on_day"],
        ("new_passport", "kz"): ["document_number", "expires_on_day"],
        ("court", "es"): ["surname", "given_names", "document_number", "expires_on_day"],
        ("mistake", "ru_internal"): [
            "surname",
            "given_names",
            "patronymic",
            "date_of_birth_day",
            "document_number",
            "issued_on_day",
        ],
    }
    for (reason, paper), names in expected.items():
        browser.post("/request/reason", reason=reason, paper=paper)
        inputs = re.findall(r'<input id="[^"]+" name="([^"]+)"', browser.get("/request/details").text)
        assert [n for n in inputs if not n.endswith(("_month", "_year")) and n != "email"] == names, (reason, paper)


# --- Photos


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "empty"),
        (b"MZ not a picture", "not a photo"),
        (picture("document")[:4000], "damaged"),
        (b"\xff\xd8\xff" + b"\0" * (12 * 1024 * 1024), "large"),
    ],
)
def test_a_file_that_is_no_photo_is_told_in_the_same_answer(portal: Portal, data: bytes, sentence: str) -> None:
    customer = portal.customer()
    case = portal.draft(customer, photos=False)
    browser = portal.sign_in(customer)
    browser.get(f"/requests/{case}/photos/document")
    answer = browser.upload(f"/requests/{case}/photos/document", data)
    assert answer.status_code in (413, 422)
    assert 'id="problems"' in answer.text and sentence in answer.text.lower()
    with portal.db.reading() as session:
        assert session.scalar(select(func.count()).select_from(Photo)) == 0


def test_a_file_far_over_the_cap_is_answered_on_its_own_page(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer, photos=False)
    browser = portal.sign_in(customer)
    browser.get(f"/requests/{case}/photos/document")
    answer = browser.upload(f"/requests/{case}/photos/document", b"\xff" * (14 * 1024 * 1024))
    assert answer.status_code == 413 and "Photograph your passport" in answer.text and "too large" in answer.text


def test_after_three_refusals_she_may_send_it_anyway(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer, photos=False)
    browser = portal.sign_in(customer)
    address, blurred = f"/requests/{case}/photos/document", picture("document", blur=True)
    browser.get(address)
    first = browser.upload(address, blurred, anyway="1")  # too early: the box was never offered
    assert first.status_code == 422 and "blurred" in first.text and 'name="anyway"' not in first.text
    second = browser.upload(address, blurred)
    assert second.status_code == 422 and "same photo as before" in second.text and 'name="anyway"' not in second.text
    assert 'name="anyway"' in browser.upload(address, blurred).text
    assert browser.upload(address, blurred, anyway="1").status_code == 303
    with portal.db.reading() as session:
        assert session.scalars(select(Photo)).one().accepted_despite == ["document_blurred"]


def test_what_she_sees_of_her_photo_is_small_clean_and_recorded(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    answer = portal.sign_in(customer).get(f"/requests/{case}/photos/document/view")
    assert answer.mimetype == "image/jpeg" and answer.headers["Cache-Control"] == "no-store" and len(answer.data) < 150_000
    with portal.db.reading() as session:
        looks = session.scalars(select(Event).where(Event.kind == "photo_opened")).all()
        assert [(e.actor_kind, e.details["purpose"]) for e in looks] == [("customer", "own_photo")]


def test_an_upload_touches_no_disk_in_clear(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> Any:
        raise AssertionError("a temporary file")

    monkeypatch.setattr("werkzeug.formparser.SpooledTemporaryFile", forbidden)
    customer = portal.customer()
    case = portal.draft(customer, photos=False)
    browser = portal.sign_in(customer)
    browser.get(f"/requests/{case}/photos/document")
    assert browser.upload(f"/requests/{case}/photos/document", picture("document", width=2400, height=1700)).status_code == 303


# --- Whose is what


def own_routes(portal: Portal) -> list[tuple[str, str]]:
    """Every address with a case in it, with its methods."""
    out = []
    for rule in portal.app.url_map.iter_rules():
        if "<uuid:case_id>" in rule.rule:
            for method in sorted((rule.methods or set()) & {"GET", "POST"}):
                address = rule.rule.replace("<uuid:case_id>", "{case}").replace("<any(document, selfie):kind>", "selfie")
                for other in ("<uuid:message_id>", "<uuid:paper_id>"):
                    address = address.replace(other, str(UUID(int=1)))
                out.append((method, address))
    return out


def test_somebody_elses_request_does_not_exist(portal: Portal) -> None:
    case = portal.draft(portal.customer("anna"))
    thief = portal.sign_in(portal.customer("boris"))
    thief.follow("/request/reason")
    routes = own_routes(portal)
    assert len(routes) >= 14
    for method, rule in routes:
        for whose in (case, uuid4()):
            address = rule.format(case=whose)
            answer = (
                thief.get(address) if method == "GET" else thief.post(address, consent=CONSENT, reason="marriage", paper="kz")
            )
            assert answer.status_code == 404, (method, rule)
            assert "ИВАНОВА" not in answer.text and "ПЕТРОВА" not in answer.text
    assert portal.case(case).state is State.DRAFT


def test_nobody_sees_a_request_without_a_session(portal: Portal) -> None:
    case = portal.draft(portal.customer())
    for method, rule in own_routes(portal):
        stranger = portal.browser()
        address = rule.format(case=case)
        answer = stranger.get(address) if method == "GET" else stranger.post(address)
        assert answer.status_code == 303 and str(answer.location).startswith("/sign-in"), (method, rule)


def test_no_post_works_without_its_token(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    browser = portal.sign_in(customer)
    addresses = [
        rule.rule.replace("<uuid:case_id>", str(case))
        .replace("<any(document, selfie):kind>", "selfie")
        .replace("<uuid:paper_id>", str(case))
        for rule in portal.app.url_map.iter_rules()
        if "POST" in (rule.methods or set())
    ]
    assert len(addresses) >= 14
    before = portal.case(case).version
    for address in addresses:
        for data in ({}, {"csrf_token": "forged"}):
            answer = browser.client.post(address, data={**data, "consent": CONSENT})
            assert answer.status_code == 400, address
    assert (portal.case(case).state, portal.case(case).version) == (State.DRAFT, before)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}])
def test_a_post_from_another_site_is_refused(portal: Portal, headers: dict[str, str]) -> None:
    browser = portal.sign_in(portal.customer())
    browser.get("/request/reason")
    answer = browser.client.post(
        "/request/reason", data={"csrf_token": browser.token, "reason": "marriage", "paper": "kz"}, headers=headers
    )
    assert answer.status_code == 400


# --- Sessions and links


def test_a_hand_over_link_is_not_burnt_by_looking_and_works_once(portal: Portal) -> None:
    customer = portal.customer()
    token = link(portal, "hand_over", customer)
    for _ in range(3):
        assert portal.browser().get(f"/enter/{token}").status_code == 200  # scanners, previews
    browser = portal.browser()
    browser.get(f"/enter/{token}")
    answer = browser.post("/enter", token=token)
    assert answer.status_code == 303 and token not in str(answer.location)
    assert browser.get("/").status_code == 200
    again = portal.browser()
    again.get(f"/enter/{token}")
    assert again.post("/enter", token=token).status_code == 410


def test_links_serve_their_own_purpose_only(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    tokens = {"hand_over": "/enter", "case": "/links", "not_me": "/not-me"}
    for purpose in tokens:
        token = link(portal, purpose, customer, case)
        for other, address in tokens.items():
            if other != purpose:
                assert portal.browser().post(address, token=token).status_code == 410, (purpose, address)
    assert portal.case(case).state is State.DRAFT


def test_a_link_from_a_mail_shows_the_state_and_no_person(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    decided(portal, case, Outcome.REFER, (ReasonCode.SURNAME_DIFFERS,), comparisons=LETTER)
    page = portal.browser().post("/links", token=link(portal, "case", customer, case)).text
    assert "Your request" in page
    for text in ("ИВАНОВА", "ПЕТРОВА", "4524654321", "АННА"):
        assert text not in page


def test_this_was_not_me_stops_an_open_request(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    token = link(portal, "not_me", customer, case)
    stranger = portal.browser()
    stranger.get(f"/not-me/{token}")
    assert portal.case(case).state is State.DRAFT  # looking does nothing
    assert "stopped" in stranger.post("/not-me", token=token).text
    assert portal.case(case).state is State.WITHDRAWN
    assert stranger.post("/not-me", token=token).status_code == 200  # may be repeated


def test_this_was_not_me_brings_an_applied_change_to_a_person(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    decided(portal, case, Outcome.APPROVE)
    assert portal.case(case).state is State.APPROVED
    answer = portal.browser().post("/not-me", token=link(portal, "not_me", customer, case))
    assert answer.status_code == 200 and "A person looks at it now" in answer.text
    assert portal.case(case).disputed_at is not None


def test_guessing_links_is_slowed_down(portal: Portal) -> None:
    browser = portal.browser()
    browser.get("/enter/x")
    answers = [browser.post("/enter", token=f"guess{n}") for n in range(22)]
    assert [a.status_code for a in answers] == [410] * 20 + [429] * 2
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_a_session_ends_when_nothing_happens_and_at_last(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer())
    portal.clock.forward(minutes=14)
    assert browser.get("/request/reason").status_code == 200
    portal.clock.forward(minutes=16)
    assert browser.get("/request/reason").status_code == 303
    browser = portal.sign_in(portal.customer())
    for _ in range(34):
        portal.clock.forward(minutes=14)
        browser.get("/request/reason")
    portal.clock.forward(minutes=14)
    assert browser.get("/request/reason").status_code == 303  # 8 hours, however busy


def test_typing_keeps_the_session_alive(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer())
    browser.get("/request/reason")
    for _ in range(3):
        portal.clock.forward(minutes=10)
        assert browser.client.post("/session", headers={"X-CSRFToken": browser.token}).status_code == 204
    assert browser.get("/request/reason").status_code == 200


def test_a_planted_session_does_not_survive_signing_in(portal: Portal) -> None:
    browser = portal.browser()
    browser.get("/sign-in")
    with browser.client.session_transaction() as session:
        session["planted"] = "x"
    before = browser.token
    token = link(portal, "hand_over", portal.customer())
    browser.get(f"/enter/{token}")
    browser.post("/enter", token=token)
    with browser.client.session_transaction() as session:
        assert "planted" not in session
    assert browser.client.post("/sign-out", data={"csrf_token": before}).status_code == 400


def test_signing_out_ends_the_session(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer())
    browser.get("/request/reason")
    browser.post("/sign-out")
    assert browser.get("/request/reason").status_code == 303


def test_the_way_back_never_leads_to_another_host(portal: Portal) -> None:
    for address in ("//evil.test", "https://evil.test", "/\\evil.test", "/\tevil", "javascript:alert(1)"):
        assert portal.browser().post("/language", language="en", next=address).location == "/", address


def test_personas_exist_in_demo_mode_only(portal: Portal, demo: Portal) -> None:
    portal.customer("demo-approve")
    assert portal.browser().post("/sign-in", persona="demo-approve").status_code == 404
    demo.customer("demo-approve")
    demo.customer("real")
    browser = demo.browser()
    assert "demo-approve" in browser.get("/sign-in").text
    assert browser.post("/sign-in", persona="real").status_code == 404
    assert browser.post("/sign-in", persona="demo-approve").status_code == 303


def test_five_requests_a_day(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer())
    for n in range(6):
        browser.post("/request/reason", reason="marriage", paper="ru_internal")
        answer = browser.post("/request/details", **NEW)
        if n < 5:
            case = str(answer.location).removesuffix("/photos/document")
            browser.get(f"{case}/withdraw")
            browser.post(f"{case}/withdraw")
    assert answer.status_code == 429 and "Retry-After" in answer.headers


def test_forty_photos_an_hour(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer, photos=False)
    browser = portal.sign_in(customer)
    address = f"/requests/{case}/photos/selfie"
    browser.get(address)
    answers = [browser.upload(address, b"no picture").status_code for _ in range(41)]
    assert answers == [422] * 40 + [429]


# --- Manners


@pytest.mark.parametrize("speak", ["ru", "en"])
def test_every_screen_answers_in_both_languages(demo: Portal, speak: str) -> None:
    seen = set()
    for screen in screens(demo, picture):
        browser = demo.sign_in(screen.who, speak) if screen.who else demo.browser()
        if not screen.who:
            browser.post("/language", language=speak, next="/")
        browser.get(screen.address)
        for sent in screen.before:
            browser.upload(screen.address, sent["data"])
        if screen.picture:
            answer = browser.upload(screen.address, screen.picture["data"])
        elif screen.post is not None:
            answer = browser.post(screen.address, **screen.post)
        else:
            answer = browser.get(screen.address)
        assert answer.status_code == screen.status, screen.name
        assert f'<html lang="{speak}">' in answer.text, screen.name
        text = re.sub(r"<(script|style|button[^>]*lang|[^>]*translate=.no)[^>]*>[^<]*<|<[^>]+>", " ", answer.text)
        heading = re.search(r"<h1[^>]*>([^<]+)</h1>", answer.text)
        assert heading and bool(re.search("[а-яё]", heading[1], re.I)) == (speak == "ru"), screen.name
        if speak == "en":
            strays = set(re.findall("[А-яЁё]+", text)) - {"Русский", "А", "Й", "ПЕТРОВА", "ПЕТРОВЙ", "ПЕТРОВ"}
            assert not strays, (screen.name, strays)
        seen.add(screen.name)
    assert len(seen) >= 25


def test_every_answer_carries_the_headers(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer())
    for address in ("/", "/request/reason", "/nowhere", "/healthz", "/sign-in"):
        headers = browser.get(address).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"] and "unsafe" not in headers["Content-Security-Policy"]
        assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=(self)" in headers["Permissions-Policy"] and headers["Referrer-Policy"] == "strict-origin"
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in headers
    assert "max-age=63072000" in browser.get("/", base_url="https://portal.test").headers["Strict-Transport-Security"]


def test_pages_have_no_inline_script_or_style(demo: Portal) -> None:
    for screen in screens(demo, picture):
        browser = demo.sign_in(screen.who) if screen.who else demo.browser()
        page = browser.get(screen.address).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", page), screen.name


def test_cookies_of_https_are_bound_to_the_host(tmp_path: Any) -> None:
    from tests.webapp.conftest import make_settings
    from webapp.app import create_app

    app = create_app(make_settings(tmp_path, portal_url="https://portal.test"), surfaces="portal")
    answer = app.test_client().post("/language", base_url="https://portal.test")
    answer = app.test_client().get("/sign-in", base_url="https://portal.test")
    cookie = answer.headers["Set-Cookie"]
    assert (
        cookie.startswith("__Host-")
        and "Secure" in cookie
        and "HttpOnly" in cookie
        and "SameSite=Lax" in cookie
        and "Path=/" in cookie
    )
    assert "Domain" not in cookie


def test_health_says_when_the_database_is_gone(portal: Portal) -> None:
    assert portal.browser().get("/healthz").json == {"status": "ok"}
    held = portal.db
    portal.app.extensions["peremena.database"] = type(held)("sqlite:////nowhere/at/all.db")
    assert portal.browser().get("/healthz").status_code == 503
    portal.app.extensions["peremena.database"] = held


def test_a_crash_shows_nothing_of_what_was_typed(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    portal.app.testing = False
    portal.app.config["PROPAGATE_EXCEPTIONS"] = False

    def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("no such person: Петрова 4524654321")

    browser = portal.sign_in(portal.customer())
    browser.post("/request/reason", reason="marriage", paper="ru_internal")
    monkeypatch.setattr(intake, "open_case", crash)
    answer = browser.post("/request/details", **NEW)
    assert answer.status_code == 500 and "Something went wrong on our side" in answer.text
    said = capsys.readouterr()
    assert '"error": "RuntimeError"' in said.err and "portal/answers.py" in said.err
    for text in ("Петрова", "4524654321", "\\u041f"):
        assert text not in answer.text and text not in said.err + said.out


def test_logs_of_a_whole_journey_hold_no_person(portal: Portal, capsys: pytest.CaptureFixture[str]) -> None:
    customer = portal.customer()
    token = link(portal, "hand_over", customer)
    browser = portal.browser()
    browser.get(f"/enter/{token}")
    browser.post("/enter", token=token)
    browser.follow("/")
    case = draft_of(browser)
    browser.upload(f"{case}/photos/document", picture("document"), name="Петрова.jpg")
    browser.upload(f"{case}/photos/selfie", picture("selfie"))
    browser.get(f"{case}/check")
    browser.post(f"{case}/check", consent=CONSENT)
    said = capsys.readouterr()
    assert '"ring_failed"' in said.err  # Redis is not there: the request was sent all the same
    for text in (
        token,
        "Петрова",
        "ИВАНОВА",
        "4524654321",
        "45 24",
        "anna@old",
        "1990",
        *[v for v in ANNA.values() if len(v) > 3],
    ):
        assert text not in said.err + said.out, text
        assert text.encode("unicode_escape").decode() not in said.err, text


def test_a_key_or_text_that_is_not_allowed_does_not_reach_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    from webapp import logs

    logs.configure()
    logs.log.info("served", name="Anna", status=200, code="Иванова Анна", case=str(uuid4()))
    said = capsys.readouterr().err
    assert "Anna" not in said and "\\u0418" not in said and '"status": 200' in said and '"case"' in said


def test_the_old_details_hold_until_a_decision(portal: Portal) -> None:
    customer = portal.customer()
    portal.draft(customer)
    with portal.db.reading() as session:
        profile, _email = customers.current_profile(session, session.get_one(Customer, customer))
        assert profile.values[Field.SURNAME] == "ИВАНОВА"


def test_a_photo_shredded_meanwhile_is_gone(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    browser = portal.sign_in(customer)
    with portal.db.transaction() as session:
        photo = session.scalars(select(Photo).where(Photo.kind == PhotoKind.SELFIE)).one()
        photo.shredded_at = portal.clock()
        photo_store.store_of(session).shred(photo.blob)
    assert browser.get(f"/requests/{case}/photos/selfie/view").status_code == 404


def test_own_script_is_small() -> None:
    from pathlib import Path

    folder = Path(__file__).resolve().parents[2] / "static" / "js"
    assert sum((folder / name).stat().st_size for name in ("portal.js", "poll.js")) <= 15 * 1024


def test_reasons_on_the_first_page_are_all_reasons() -> None:
    from webapp.portal import forms

    assert set(forms.REASON_HINTS) == set(ChangeReason)
    assert set(forms.PAPER_NAMES) == set(forms.COUNTRY) == set(forms.Paper)
    for reason in ChangeReason:
        for paper in forms.Paper:
            assert forms.asked(reason, paper)


def test_a_form_far_too_long_is_refused(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer())
    browser.get("/request/reason")
    answer = browser.client.post("/request/reason", data={"csrf_token": browser.token, "reason": "x" * 100_000})
    assert answer.status_code == 413


def test_upload_field_names_and_types_do_not_matter(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer, photos=False)
    browser = portal.sign_in(customer)
    browser.get(f"/requests/{case}/photos/document")
    data = {"csrf_token": browser.token, "photo": (io.BytesIO(picture("document")), "../../etc/passwd.exe", "text/plain")}
    assert browser.client.post(f"/requests/{case}/photos/document", data=data).status_code == 303
    with portal.db.reading() as session:
        assert re.fullmatch("[0-9a-f]{32}", session.scalars(select(Photo)).one().blob)


@pytest.mark.parametrize(("hops", "secure"), [(0, False), (1, True)])
def test_forwarded_headers_are_believed_only_when_a_proxy_is_named(tmp_path: Any, hops: int, secure: bool) -> None:
    from tests.webapp.conftest import make_settings, prepare
    from webapp.app import create_app

    app = create_app(make_settings(tmp_path, proxy_hops=str(hops)), surfaces="portal")
    prepare(app.extensions["peremena.database"])
    answer = app.test_client().get("/sign-in", headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"})
    assert ("Strict-Transport-Security" in answer.headers) is secure
