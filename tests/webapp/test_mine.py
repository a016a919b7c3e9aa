"""What is hers: her copy, deletion, the confirmation, the one question, the appeal, and "this was not me"."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from PIL import Image
from sqlalchemy import select

from cases import conversations, customers, intake, profiles, ratings, retention, review, staff
from cases.lifecycle import State
from cases.models import Case, Customer, Disposition, Event, Message, Notification, Rating, Role
from tests.webapp.conftest import ANNA, Browser, Portal
from tests.webapp.pages import decided, rejected
from tests.webapp.test_status import agent_says, in_review, plain
from verification.decision import Outcome
from verification.evidence import Field
from webapp.portal import mine, paper


def approved(portal: Portal, name: str = "anna") -> tuple[UUID, UUID, Browser]:
    """Customer, her case that the machine approved, and her browser."""
    customer = portal.customer(name)
    case = portal.draft(customer)
    decided(portal, case, Outcome.APPROVE)
    return customer, case, portal.sign_in(customer)


def member(portal: Portal, role: Role, name: str = "Senior") -> UUID:
    with portal.db.transaction() as session:
        made = staff.create(
            session, email=f"{name.lower()}@peremena.test", name=name, password_hash=None, roles=[role], now=portal.clock()
        )
        return made.id


def not_me(portal: Portal, case_id: UUID, browser: Browser | None = None) -> str:
    """Tap the link of a mail; returns the page."""
    with portal.db.transaction() as session:
        case = session.get_one(Case, case_id)
        token = customers.make_link(session, "not_me", case.customer, case=case, lifetime=timedelta(days=30), now=portal.clock())
    browser = browser or portal.browser()
    assert browser.get(f"/not-me/{token}").status_code == 200
    return plain(browser.post("/not-me", token=token).text)


def surname(portal: Portal, customer: UUID) -> str:
    with portal.db.reading() as session:
        return customers.current_profile(session, session.get_one(Customer, customer))[0].values[Field.SURNAME]


def events(portal: Portal, kind: str) -> list[Event]:
    with portal.db.reading() as session:
        return list(session.scalars(select(Event).where(Event.kind == kind).order_by(Event.id)))


def unpacked(answer: Any) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(answer.data))


# --- The copy


def test_the_copy_asks_once_more_and_holds_her_details_and_photos(portal: Portal) -> None:
    case, browser = in_review(portal)
    agent_says(portal, case, "Please wait a moment.")
    customer = portal.case(case).customer_id
    assert browser.get("/my-data/copy").status_code == 200
    answer = browser.post("/my-data/copy")
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="peremena-2026-11-22.zip"'
    packed = unpacked(answer)
    assert packed.testzip() is None
    photos = [name for name in packed.namelist() if name.startswith("photos/")]
    assert len(photos) == 2
    for name in photos:
        assert Image.open(io.BytesIO(packed.read(name))).format == "JPEG"
    held = json.loads(packed.read("my-data.json"))
    assert held["details"][0]["values"]["surname"] == "ИВАНОВА" and held["details"][0]["email"] == "anna@old.test"
    [request] = held["requests"]
    assert request["asked"]["surname"] == "ПЕТРОВА"
    assert [m["text"] for m in request["messages"]] == ["Please wait a moment."]
    page = packed.read("my-data.html").decode()
    assert all(name in page for name in photos) and "Please wait a moment." in page and "ПЕТРОВА" in page
    [taken] = events(portal, "data_downloaded")
    assert (taken.customer_id, taken.details) == (customer, {"photos": 2})
    looks = [e for e in events(portal, "photo_opened") if e.details["purpose"] == "own_copy"]
    assert len(looks) == 2 and {e.actor_kind for e in looks} == {"customer"}


def test_the_copy_names_no_staff_no_score_and_no_secret_reason(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    rejected(portal, case)
    packed = unpacked(portal.sign_in(customer).post("/my-data/copy"))
    text = packed.read("my-data.json").decode() + packed.read("my-data.html").decode()
    for secret in (
        "Agent",
        "agent@",
        "similarity",
        '"agreement"',  # the measure; the word stands in what she agreed to
        "confidence",
        "faces_differ",
        "SELFIE_DOCUMENT",
        "0.86",
        "policy",
    ):
        assert secret not in text, secret
    with portal.db.reading() as session:
        ids = [str(i) for i in session.scalars(select(Disposition.staff_id))]
    assert ids and not any(i in text for i in ids)


def test_what_was_read_is_hers_once_the_request_is_answered(portal: Portal) -> None:
    case, browser = in_review(portal)

    def read() -> Any:
        return json.loads(unpacked(browser.post("/my-data/copy")).read("my-data.json"))["requests"][0]["read"]

    assert read() is None  # else a forger would see what our reader sees, and mend it before a person looks
    with portal.db.transaction() as session:
        intake.withdraw(session, case, now=portal.clock())
    assert read() == {"surname": "ПЕТРОВЙ"}


def test_the_copy_holds_nothing_of_others(portal: Portal) -> None:
    other = portal.customer("maria", {**ANNA, Field.SURNAME: "СИДОРОВА"})
    portal.draft(other, {Field.SURNAME: "КУЗНЕЦОВА"})
    _customer, _case, browser = approved(portal)
    packed = unpacked(browser.post("/my-data/copy"))
    text = packed.read("my-data.json").decode()
    assert "СИДОРОВА" not in text and "КУЗНЕЦОВА" not in text and "maria" not in text
    assert len([n for n in packed.namelist() if n.startswith("photos/")]) == 2


def test_a_copy_may_be_taken_three_times_a_day(portal: Portal) -> None:
    _customer, _case, browser = approved(portal)
    answers = [browser.post("/my-data/copy").status_code for _ in range(mine.COPIES + 1)]
    assert answers == [200, 200, 200, 429]


def test_nothing_of_a_copy_is_written_to_a_disk(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    _customer, _case, browser = approved(portal)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a temporary file")

    for name in ("NamedTemporaryFile", "TemporaryFile", "SpooledTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    assert unpacked(browser.post("/my-data/copy")).testzip() is None


def test_no_copy_while_a_change_is_disputed(portal: Portal) -> None:
    customer, case, browser = approved(portal)
    not_me(portal, case)
    assert "/sign-in" in browser.get("/my-data/copy").location  # whoever was in the account is signed out
    browser = portal.sign_in(customer)
    answer = browser.get("/my-data/copy")
    assert answer.status_code == 409 and "not possible now" in answer.text and "Yes, download" not in answer.text
    assert browser.post("/my-data/copy").status_code == 303
    assert events(portal, "data_downloaded") == []


def test_photos_that_are_gone_are_left_out(portal: Portal) -> None:
    customer, _case, _browser = approved(portal)
    portal.clock.forward(days=31)
    with portal.db.transaction() as session:
        retention.shred_due(session, now=portal.clock())
    packed = unpacked(portal.sign_in(customer).post("/my-data/copy"))
    assert packed.namelist() == ["my-data.html", "my-data.json"]
    assert json.loads(packed.read("my-data.json"))["requests"][0]["photos"][0]["destroyed"] is True
    assert "Destroyed." in packed.read("my-data.html").decode()


def test_a_connected_phone_gets_none_of_it(portal: Portal) -> None:
    from webapp.portal.entrance import PHONE_MAY

    own = {
        rule.endpoint
        for rule in portal.app.url_map.iter_rules()
        if re.search(r"my-data|rating|confirmation|agreement", str(rule))
    }
    assert len(own) == 10 and not own & PHONE_MAY


@pytest.mark.parametrize("address", ["/my-data", "/my-data/copy", "/my-data/delete"])
def test_a_stranger_is_shown_the_door(portal: Portal, address: str) -> None:
    assert portal.browser().get(address).location.startswith("/sign-in")


# --- Deletion


def test_deletion_says_what_goes_and_destroys_it_once(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    rejected(portal, case)
    page = plain(portal.sign_in(customer).get("/my-data/delete").text)
    assert "From 6 December, 12:00 UTC : until then it is kept" in page and "Yes, destroy" not in page
    portal.clock.forward(days=14)
    browser = portal.sign_in(customer)
    page = plain(browser.get("/my-data/delete").text)
    assert "This goes now" in page and "no other person can look at a refused request" in page
    assert browser.post("/my-data/delete").status_code == 303
    assert "Destroyed: one request." in browser.get("/my-data").text
    found = portal.case(case)
    assert found.shredded_at == portal.clock() and found.claim_sealed is None
    assert browser.post("/my-data/delete").status_code == 303
    assert "nothing that can be destroyed" in browser.get("/my-data").text
    assert [e.details for e in events(portal, "deletion_asked")] == [{"count": 1}]
    with portal.db.transaction() as session:
        assert retention.shred_due(session, now=portal.clock() + timedelta(days=60)) == []
    page = plain(browser.get(f"/requests/{case}").text)
    assert "The time to ask for another person is over" in page
    assert browser.post(f"/requests/{case}/appeal").status_code == 303
    assert portal.case(case).state is State.REJECTED


def test_an_open_request_is_withdrawn_first(portal: Portal) -> None:
    case, browser = in_review(portal)
    page = plain(browser.get("/my-data/delete").text)
    assert "nothing to destroy now" in page and "Withdraw it first." in page and "Yes, destroy" not in page
    browser.post("/my-data/delete")
    assert portal.case(case).shredded_at is None


def test_a_fresh_change_is_kept_in_case_somebody_else_made_it(portal: Portal) -> None:
    customer, case, browser = approved(portal)
    assert "in case somebody else sent it" in browser.get("/my-data/delete").text
    browser.post("/my-data/delete")
    assert portal.case(case).shredded_at is None
    portal.clock.forward(days=14)
    portal.sign_in(customer).post("/my-data/delete")
    assert portal.case(case).shredded_at == portal.clock()


# --- Confirmation


@pytest.mark.parametrize("language", ["en", "ru", "kk", "es"])
def test_the_confirmation_is_a_pdf_in_her_language(portal: Portal, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    customer, case, _browser = approved(portal)
    seen = []
    real = paper.pdf
    monkeypatch.setattr(paper, "pdf", lambda sheet: seen.append(sheet) or real(sheet))
    answer = portal.sign_in(customer, language).get(f"/requests/{case}/confirmation.pdf")
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    assert answer.data.startswith(b"%PDF-") and len(answer.data) < 80_000
    assert answer.headers["Cache-Control"] == "no-store"
    [sheet] = seen
    values = [value for _label, value in sheet.changed]
    assert "ПЕТРОВА" in values and "••••••4321" in values
    assert "4524654321" not in repr(sheet) and sheet.language == language
    assert sheet.code.startswith(str(case)[:8].upper())


def test_every_letter_of_the_paper_is_in_its_font() -> None:
    from fontTools.ttLib import TTFont

    letters = set("АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯӘҒҚҢӨҰҮҺІабвгдеёжзийклмнопрстуфхцчшщъыьэюяәғқңөұүһіáéíóúüñÁÉÍÓÚÜÑ«»—•№")
    for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"):
        assert not {ord(letter) for letter in letters} - set(TTFont(paper.FONTS / name).getBestCmap())


def test_there_is_no_confirmation_without_a_change_that_stands(portal: Portal) -> None:
    case, browser = in_review(portal)
    assert browser.get(f"/requests/{case}/confirmation.pdf").status_code == 404
    customer, changed, browser = approved(portal, "maria")
    assert "confirmation.pdf" in browser.get(f"/requests/{changed}").text
    not_me(portal, changed)
    browser = portal.sign_in(customer)
    assert browser.get(f"/requests/{changed}/confirmation.pdf").status_code == 404
    assert "confirmation.pdf" not in browser.get(f"/requests/{changed}").text


def test_somebody_elses_confirmation_does_not_exist(portal: Portal) -> None:
    _customer, case, _browser = approved(portal)
    other = portal.sign_in(portal.customer("maria"))
    assert other.get(f"/requests/{case}/confirmation.pdf").status_code == 404


# --- The one question


@pytest.mark.parametrize("answered", [approved, None])
def test_after_an_answer_there_is_one_question(portal: Portal, answered: Any) -> None:
    if answered:
        _customer, case, browser = approved(portal)
    else:
        customer = portal.customer()
        case = portal.draft(customer)
        rejected(portal, case)
        browser = portal.sign_in(customer)
    page = browser.get(f"/requests/{case}").text
    assert re.findall(r'name="choice" value="(\w+)"', page) == ["very_easy", "easy", "so_so", "hard", "very_hard"]
    answer = browser.post(f"/requests/{case}/rating", choice="hard")
    assert answer.location == f"/requests/{case}/rating"
    assert 'value="hard" checked' in browser.get(answer.location).text
    assert browser.post(f"/requests/{case}/rating", choice="easy", words="The glare <b>!").status_code == 303
    page = plain(browser.get(f"/requests/{case}").text)
    assert "You found it: easy" in page and "How easy was it" not in page
    with portal.db.reading() as session:
        [row] = session.scalars(select(Rating))
        assert row.mark == 4 and row.words_sealed is not None and b"glare" not in row.words_sealed
    assert "The glare &lt;b&gt;!" in browser.get(f"/requests/{case}/rating").text


def test_the_question_is_not_asked_before_the_answer(portal: Portal) -> None:
    case, browser = in_review(portal)
    assert 'name="choice"' not in browser.get(f"/requests/{case}").text
    assert browser.post(f"/requests/{case}/rating", choice="easy").location == f"/requests/{case}"
    assert browser.get(f"/requests/{case}/rating").status_code == 303
    with portal.db.reading() as session:
        assert session.scalars(select(Rating)).all() == []


def test_an_opinion_may_be_changed_for_a_week(portal: Portal) -> None:
    customer, case, browser = approved(portal)
    browser.post(f"/requests/{case}/rating", choice="hard")
    portal.clock.forward(days=7)
    browser = portal.sign_in(customer)
    assert "Your opinion" not in browser.get(f"/requests/{case}").text
    assert browser.post(f"/requests/{case}/rating", choice="easy").location == f"/requests/{case}"
    with portal.db.reading() as session:
        assert session.scalars(select(Rating.mark)).one() == 2


def test_a_choice_that_is_none_and_a_sentence_that_is_long_are_told(portal: Portal) -> None:
    _customer, case, browser = approved(portal)
    assert browser.post(f"/requests/{case}/rating", choice="smiley").status_code == 422
    answer = browser.post(f"/requests/{case}/rating", choice="easy", words="x" * (ratings.MOST_LETTERS + 1))
    assert answer.status_code == 422 and "at most 500 letters" in answer.text and "x" * 501 in answer.text


# --- The appeal


def test_the_page_says_until_when_she_may_appeal_and_takes_a_sentence(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    rejected(portal, case)
    portal.clock.forward(hours=1)
    browser = portal.sign_in(customer)
    page = browser.get(f"/requests/{case}").text
    assert '<time datetime="2026-12-22T12:00:00Z" data-local>' in page
    assert browser.post(f"/requests/{case}/appeal", text="It is my maiden name.").status_code == 303
    assert portal.case(case).state is State.IN_REVIEW
    with portal.db.reading() as session:
        [line] = conversations.thread(session, session.get_one(Case, case))
        assert line.text == "It is my maiden name." and conversations.waits(session, session.get_one(Case, case))
        assert b"maiden" not in (session.scalars(select(Message)).one().text_sealed or b"")


def test_after_thirty_days_there_is_no_appeal(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    rejected(portal, case)
    portal.clock.forward(days=30)
    browser = portal.sign_in(customer)
    assert "Let another person look" not in browser.get(f"/requests/{case}").text
    browser.post(f"/requests/{case}/appeal", text="Please.")
    assert portal.case(case).state is State.REJECTED
    assert "is over. Please start a new request" in browser.get(f"/requests/{case}").text
    with portal.db.reading() as session:
        assert session.scalars(select(Message)).all() == []


# --- "This was not me"


def test_a_tap_from_the_old_address_brings_the_former_details_back_at_once(portal: Portal) -> None:
    customer, case, browser = approved(portal)
    assert surname(portal, customer) == "ПЕТРОВА"
    said = not_me(portal, case)
    assert "the account shows the former details again" in said and "Change the password" in said
    assert "ИВАНОВА" not in said and "ПЕТРОВА" not in said  # a mailbox is weaker than the lender's own sign-in
    assert surname(portal, customer) == "ИВАНОВА"
    found = portal.case(case)
    assert found.state is State.APPROVED and profiles.held(found)
    assert "/sign-in" in browser.get(f"/requests/{case}").location
    page = plain(portal.sign_in(customer).get(f"/requests/{case}").text)
    assert "Your former details are back for now" in page and "ПЕТРОВА" not in page
    with portal.db.reading() as session:
        kinds = list(session.scalars(select(Notification.kind).order_by(Notification.created_at)))
    assert kinds.count("held") == 1


def test_looking_at_the_link_changes_nothing(portal: Portal) -> None:
    customer, case, _browser = approved(portal)
    with portal.db.transaction() as session:
        token = customers.make_link(
            session, "not_me", session.get_one(Customer, customer), case=session.get_one(Case, case),
            lifetime=timedelta(days=30), now=portal.clock(),
        )  # fmt: skip
    page = portal.browser().get(f"/not-me/{token}").text
    assert "in the last 14 days is taken back at once" in page
    assert surname(portal, customer) == "ПЕТРОВА" and portal.case(case).disputed_at is None


def test_a_person_lets_the_change_stand_and_it_holds_again(portal: Portal) -> None:
    customer, case, _browser = approved(portal)
    not_me(portal, case)
    senior = member(portal, Role.SENIOR_AGENT)
    settle(portal, case, senior)
    assert surname(portal, customer) == "ПЕТРОВА"
    browser = portal.sign_in(customer)
    assert "Your details have been changed" in browser.get(f"/requests/{case}").text
    # Who holds the old mailbox cannot play this for ever: a person has looked, and a second tap goes to a person only.
    said = not_me(portal, case)
    assert "A person looks at it now" in said and "taken back" not in said
    assert surname(portal, customer) == "ПЕТРОВА"


def settle(portal: Portal, case_id: UUID, senior: UUID) -> None:
    from cases.models import Staff

    with portal.db.transaction() as session:
        agent = session.get_one(Staff, senior)
        case = review.take(session, case_id, agent=agent, now=portal.clock())
        review.settle_dispute(session, case_id, agent=agent, note="Called her.", seen_version=case.version, now=portal.clock())


def test_after_the_time_to_undo_a_person_decides(portal: Portal) -> None:
    customer, case, _browser = approved(portal)
    portal.clock.forward(days=14)
    assert "A person looks at it now" in not_me(portal, case)
    assert surname(portal, customer) == "ПЕТРОВА" and portal.case(case).disputed_at == portal.clock()


def test_the_lenders_echo_does_not_bring_a_held_change_back(portal: Portal) -> None:
    customer, case, _browser = approved(portal)
    with portal.db.reading() as session:
        echo, email = customers.current_profile(session, session.get_one(Customer, customer))
    not_me(portal, case)
    with portal.db.transaction() as session:
        customers.upsert(session, "anna", echo, email=email, locale="en", now=portal.clock())
    assert surname(portal, customer) == "ИВАНОВА"


# --- A number as its paper prints it


def test_the_check_page_groups_a_number_as_its_own_paper_does(portal: Portal) -> None:
    from verification.evidence import ChangeReason, Claim

    values = {**ANNA, Field.NATIONALITY: "KAZ", Field.DOCUMENT_NUMBER: "N12345678"}
    customer = portal.customer("aliya", values)
    with portal.db.transaction() as session:
        claim = Claim(reason=ChangeReason.NEW_PASSPORT, values={Field.DOCUMENT_NUMBER: "N87654321"})
        account = session.get_one(Customer, customer)
        case = intake.open_case(session, account, claim, country="KAZ", locale="en", now=portal.clock())
        portal.attach(session, case.id)
    page = plain(portal.sign_in(customer).get(f"/requests/{case.id}/check").text)
    assert "N 12345678" in page and "N 87654321" in page
