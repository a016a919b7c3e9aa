"""The status page: live steps, what happened, until when, messages, and the letters that differ beside her own photo."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from cases import conversations, intake, queries, retention, review, runs
from cases.lifecycle import State
from cases.models import Case, Event, Message
from cases.queries import MOMENTS, Promise
from tests.webapp.conftest import NOON, Browser, Portal, picture
from tests.webapp.pages import CONSENT, LETTER, agent, decided, evidence
from verification import images
from verification.decision import Decision, Outcome
from verification.evidence import Box, Difference, Field, FieldComparison, FieldReading, Source, Step
from verification.reasons import PhotoKind, ReasonCode
from webapp.portal import letters, status
from webapp.portal.messages import MESSAGES_AN_HOUR

HOUR = timedelta(hours=1)


def plain(page: str) -> str:
    """What is read: no tags, single spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def sent(portal: Portal, case_id: UUID) -> None:
    with portal.db.transaction() as session:
        intake.submit(session, case_id, consent_version=CONSENT, now=portal.clock())


def begun(portal: Portal, case_id: UUID) -> runs.Order:
    with portal.db.transaction() as session:
        order = runs.begin(session, case_id, now=portal.clock())
    assert order is not None
    return order


def in_review(portal: Portal, customer: UUID | None = None) -> tuple[UUID, Browser]:
    """A case with a person, and its customer's browser."""
    customer = customer or portal.customer()
    case = portal.draft(customer)
    decided(portal, case, Outcome.REFER, (ReasonCode.SURNAME_DIFFERS,), comparisons=LETTER)
    return case, portal.sign_in(customer)


def agent_says(portal: Portal, case_id: UUID, text: str, photo: bytes | None = None) -> None:
    with portal.db.transaction() as session:
        person = session.get_one(Case, case_id).owner or agent(session, portal.clock())
        review.take(session, case_id, agent=person, now=portal.clock())
        conversations.write(session, case_id, uuid4(), text=text, photo=photo, agent=person, now=portal.clock())


# --- Live steps


def test_the_page_shows_the_step_the_run_is_at(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    sent(portal, case)
    browser = portal.sign_in(customer)
    seen = []

    def look() -> None:
        page = browser.get(f"/requests/{case}").text
        [now] = re.findall(r'class="now" data-step="(\w+)" aria-current="step"', page)
        seen.append((now, browser.get(f"/requests/{case}/progress.json").json["step"]))
        assert 'http-equiv="refresh" content="5"' in page  # who has no script sees the steps as well

    look()
    order = begun(portal, case)
    look()
    for step in (Step.PASSPORT, Step.FACES, Step.DETAILS):
        with portal.db.transaction() as session:
            runs.step(session, order, step, now=portal.clock())
        look()
    assert seen == [("submitted", None), *[(s, s) for s in ("photos", "passport", "faces", "details")]]


def test_a_new_step_changes_the_etag_and_nothing_else_does(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    sent(portal, case)
    order = begun(portal, case)
    browser = portal.sign_in(customer)
    address = f"/requests/{case}/progress.json"
    etag = browser.get(address).headers["ETag"]
    assert browser.get(address, headers={"If-None-Match": etag}).status_code == 304
    with portal.db.transaction() as session:
        runs.step(session, order, Step.FACES, now=portal.clock())
    answer = browser.get(address, headers={"If-None-Match": etag})
    assert (answer.status_code, answer.json["step"]) == (200, "faces")
    assert len(answer.data) <= 200


def test_a_check_that_another_worker_took_over_says_so(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    sent(portal, case)
    begun(portal, case)
    browser = portal.sign_in(customer)
    assert re.search(r"<p[^>]*data-again hidden>", browser.get(f"/requests/{case}").text)
    portal.clock.forward(minutes=10)
    with portal.db.transaction() as session:
        assert runs.recover(session, now=portal.clock()) == [case]
    browser = portal.sign_in(customer)
    assert re.search(r"<p[^>]*data-again>", browser.get(f"/requests/{case}").text)
    assert browser.get(f"/requests/{case}/progress.json").json["again"] is True


# --- What happened, and until when


def test_every_moment_has_its_words(portal: Portal) -> None:
    with portal.app.test_request_context():
        assert all(status.moment_words(what) for what in MOMENTS)
        assert [*status.step_words()] == ["submitted", *Step]


def test_the_page_tells_what_happened_and_names_nobody(portal: Portal) -> None:
    case, browser = in_review(portal)
    agent_says(portal, case, "Please wait a moment.")
    page = browser.get(f"/requests/{case}").text
    order = [page.index(words) for words in ("You started", "You sent it", "takes over", "began to look", "We wrote to you")]
    assert order == sorted(order)
    assert "Agent" not in page and "agent@" not in page


@pytest.mark.parametrize(
    ("promised", "waited", "how", "by"),
    [
        (Promise(hours=24, measured=False), 0, "plain", 24),
        (Promise(hours=3, measured=True), 0, "usual", 24),
        (Promise(hours=3, measured=True), 4, "plain", 24),  # the usual time is over: saying it again would mock her
        (Promise(hours=24, measured=True), 0, "plain", 24),
        (Promise(hours=48, measured=True), 0, "slow", 48),
        (Promise(hours=48, measured=True), 30, "slow", 48),
        (Promise(hours=48, measured=True), 50, "late", 24),
        (Promise(hours=3, measured=True), 25, "late", 24),
    ],
)
def test_what_is_promised_is_true(portal: Portal, promised: Promise, waited: int, how: str, by: int) -> None:
    case = Case(referred_at=NOON, due_at=NOON + 24 * HOUR)
    with portal.app.test_request_context():
        said = status.deadline(case, promised, NOON + waited * HOUR)
    assert said is not None and (said.how, said.by) == (how, NOON + by * HOUR)


def test_the_deadline_stands_on_the_page_in_the_readers_own_zone(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    case, browser = in_review(portal)
    page = browser.get(f"/requests/{case}").text
    assert 'answer by <time datetime="2026-11-23T12:00:00Z" data-local>' in page
    monkeypatch.setattr(queries, "promise", lambda *_, **__: Promise(hours=3, measured=True))
    page = browser.get(f"/requests/{case}").text
    assert "within 3 hours" in page and '<time datetime="2026-11-23T12:00:00Z" data-local>' in page
    portal.clock.forward(hours=25)
    browser = portal.sign_in(portal.case(case).customer_id)
    assert "are late" in browser.get(f"/requests/{case}").text


def test_the_address_stays_hers_after_the_end(portal: Portal) -> None:
    case, browser = in_review(portal)
    with portal.db.transaction() as session:
        intake.withdraw(session, case, now=portal.clock())
    page = browser.get(f"/requests/{case}").text
    assert "withdrawn" in page and "kept until" in page
    portal.clock.forward(days=31)
    with portal.db.transaction() as session:
        assert retention.shred_due(session, now=portal.clock()) == [case]
    page = portal.sign_in(portal.case(case).customer_id).get(f"/requests/{case}").text
    assert "were destroyed" in page and "kept until" not in page


# --- Only the failing photo


def test_a_retake_says_which_photo_is_kept(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    decided(portal, case, Outcome.RETAKE, (ReasonCode.SELFIE_BLURRED,), (PhotoKind.SELFIE,))
    browser = portal.sign_in(customer)
    kept = r"<li>The photo of your passport</li>"
    page = browser.get(f"/requests/{case}").text
    assert re.search(kept, page) and "<li>Your selfie</li>" not in page and "Take the selfie again" in page
    browser.upload(f"/requests/{case}/photos/selfie", picture("selfie", width=908))
    page = browser.get(f"/requests/{case}").text
    assert re.search(kept, page) and "<li>Your new selfie</li>" in page and f'href="/requests/{case}/check"' in page


def test_where_both_are_asked_for_no_photo_is_kept(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    decided(portal, case, Outcome.RETAKE, (ReasonCode.SELFIE_BLURRED, ReasonCode.DOCUMENT_GLARE), tuple(intake.NEEDED))
    page = portal.sign_in(customer).get(f"/requests/{case}").text
    assert "<li>Everything you typed</li>" in page
    assert "<li>Your selfie</li>" not in page and "<li>The photo of your passport</li>" not in page


# --- Letters


def row(typed: str, read: str, *differences: Difference, **more: Any) -> queries.FieldRow:
    given = {"field": Field.SURNAME, "agreement": 0.8, "on_file": None, "changes": True, "certain": True, **more}
    return queries.FieldRow(typed=typed, read=read, differences=differences, **given)


def apart(typed: str, read: str, at: int) -> Difference:
    return Difference(claimed=typed, read=read, claimed_at=at, read_at=at)


@pytest.mark.parametrize(
    ("shown", "sentences"),
    [
        (
            row("СЕРГИЕВА", "СЕРГЙЕВА", apart("И", "Й", 4)),
            ["Letter 5: you typed И, the page shows Й", "They differ only in the small mark on the letter."],
        ),
        (
            row("NUNEZ", "NUÑEZ", apart("N", "Ñ", 2)),
            ["Letter 3: you typed N, the page shows Ñ", "They differ only in the small mark on the letter."],
        ),
        (
            row("ПЕTРОВА", "ПЕТРОВА", apart("T", "Т", 2), rule="homoglyphs"),
            [
                "Letter 3: you typed T, the page shows Т",
                "They look the same, but you typed a Latin letter and the page shows a Cyrillic one.",
            ],
        ),
        (
            row("AB12345O", "AB123450", apart("O", "0", 7), field=Field.DOCUMENT_NUMBER),
            ["Letter 8: you typed O, the page shows 0", "They look alike, but one is a letter and the other a digit."],
        ),
        (
            row("4524654321", "4524684321", apart("5", "8", 5), field=Field.DOCUMENT_NUMBER),
            ["Digit 6: you typed 5, the page shows 8"],
        ),
        (
            row("КАНАТОВА", "ҚАНАТОВА", apart("К", "Қ", 0)),
            ["Letter 1: you typed К, the page shows Қ", "One of them is a letter that only the Kazakh alphabet has."],
        ),
        (row("ПЕТРОВА", "ПЕТОВА", apart("Р", "", 3)), ["Letter 4: you typed Р, the page shows nothing there"]),
        (row("АНА", "АННА", apart("", "Н", 2)), ["After letter 2 the page also shows Н"]),
        (row("СМИРНОВА", "СМЫНКОВА", apart("ИР", "Ы", 2)), ["Letters 3 to 4: you typed ИР, the page shows Ы"]),
        (
            row("ИВАНОВА", "ПЕТРОВА", apart("ИВАН", "ПЕТР", 0)),
            ["Most of it differs. Compare the whole line, not single letters."],
        ),
        (
            row("АННА МАРИЯ", "МАРИЯ АННА", rule="component-order"),
            ["The page shows the same names in another order."],
        ),
        (row("F", "M", apart("F", "M", 0), field=Field.SEX), []),
    ],
)  # fmt: skip
def test_a_difference_is_named_by_its_place_and_its_cause(portal: Portal, shown: queries.FieldRow, sentences: list[str]) -> None:
    with portal.app.test_request_context(headers={"Accept-Language": "en"}):
        [found] = letters.differing([shown])
    assert list(found.sentences) == sentences


def test_dates_are_shown_as_people_write_them(portal: Portal) -> None:
    with portal.app.test_request_context(headers={"Accept-Language": "en"}):
        [found] = letters.differing([row("2026-02-01", "2026-02-07", apart("1", "7", 9), field=Field.ISSUED_ON)])
    assert found.claimed == (("February 1, 2026", True),) and found.read == (("February 7, 2026", True),)


BOXES = tuple((200 + 40 * n, 300, 34, 48) for n in range(7))


def with_places(
    portal: Portal,
    case: UUID,
    outcome: Outcome,
    retake: tuple[PhotoKind, ...] = (),
    certain: bool = True,
    places: tuple[Box, ...] = BOXES,
) -> None:
    """A run that found one letter another, and where each letter stands on the photo."""
    sent(portal, case)
    order = begun(portal, case)
    found = evidence({**LETTER, Field.DOCUMENT_NUMBER: FieldComparison(claimed="4524654321", read="4524654321", agreement=1.0)})
    line = FieldReading(
        value="ПЕТРОВЙ", confidence=0.9, certain=certain, source=Source.VIZ, box=(200, 300, 274, 48), letters=places
    )
    number = replace(line, value="4524654321", letters=())
    found = replace(found, reading=replace(found.reading, fields={Field.SURNAME: line, Field.DOCUMENT_NUMBER: number}))
    decision = Decision(outcome=outcome, reasons=(ReasonCode.SURNAME_DIFFERS,), retake=frozenset(retake), policy_version=1)
    portal.clock.forward(seconds=5)
    with portal.db.transaction() as session:
        runs.finish(session, order, found, decision, seconds=1.0, now=portal.clock())


def looks(portal: Portal) -> list[tuple[str, str]]:
    with portal.db.reading() as session:
        found = session.scalars(select(Event).where(Event.kind == "photo_opened").order_by(Event.id))
        return [(e.actor_kind, e.details["purpose"]) for e in found]


def test_the_line_of_her_own_photo_stands_beside_the_letters(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    with_places(portal, case, Outcome.REFER)
    browser = portal.sign_in(customer)
    page = browser.get(f"/requests/{case}").text
    assert f"/requests/{case}/lines/surname" in page and f"/requests/{case}/lines/document_number" not in page
    assert 'class="letter" x="440.0" y="300.0" width="34.0" height="48.0"' in page
    assert looks(portal) == []  # the page itself opens nothing
    answer = browser.get(f"/requests/{case}/lines/surname")
    assert answer.mimetype == "image/jpeg" and answer.headers["Cache-Control"] == "no-store"
    cut = Image.open(io.BytesIO(answer.data))
    assert cut.size == (round(274 + 2 * 0.45 * 48), round(48 + 2 * 0.45 * 48))  # the line and a little room, not the page
    assert looks(portal) == [("customer", "own_line")]


def test_what_is_cut_out_is_what_stands_there(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    with_places(portal, case, Outcome.REFER)
    shown = np.asarray(Image.open(io.BytesIO(portal.sign_in(customer).get(f"/requests/{case}/lines/surname").data))).astype(int)
    whole = np.asarray(Image.open(io.BytesIO(picture("document")))).astype(int)
    room = 0.45 * 48
    part = whole[round(300 - room) : round(300 - room) + shown.shape[0], round(200 - room) : round(200 - room) + shown.shape[1]]
    off = np.abs(shown - part).mean()  # JPEG twice, half a pixel aside
    assert off < 16 and np.abs(shown - np.roll(part, 40, axis=1)).mean() > 2 * off


@pytest.mark.parametrize(("name", "why"), [("document_number", "agrees"), ("patronymic", "not typed"), ("nothing", "no field")])
def test_only_lines_that_differ_are_cut_out(portal: Portal, name: str, why: str) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    with_places(portal, case, Outcome.REFER)
    assert portal.sign_in(customer).get(f"/requests/{case}/lines/{name}").status_code == 404, why
    assert looks(portal) == []


def test_places_on_a_photo_that_was_replaced_are_forgotten(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    with_places(portal, case, Outcome.RETAKE, (PhotoKind.DOCUMENT,))
    browser = portal.sign_in(customer)
    page = browser.get(f"/requests/{case}").text
    assert "/lines/surname" in page
    assert f'href="/requests/{case}/details#surname"' in page and f'href="/requests/{case}/photos/document"' in page
    browser.upload(f"/requests/{case}/photos/document", picture("document", width=904))
    page = browser.get(f"/requests/{case}").text
    assert "/lines/surname" not in page and "Letter 7: you typed А, the page shows Й" in page
    assert browser.get(f"/requests/{case}/lines/surname").status_code == 404


def test_an_answered_case_shows_no_line_any_more(portal: Portal) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    with_places(portal, case, Outcome.APPROVE)
    browser = portal.sign_in(customer)
    assert "/lines/" not in browser.get(f"/requests/{case}").text
    assert browser.get(f"/requests/{case}/lines/surname").status_code == 404


@pytest.mark.parametrize("certain", [True, False])
def test_a_reading_that_may_be_wrong_is_not_held_against_her(portal: Portal, certain: bool) -> None:
    customer = portal.customer()
    case = portal.draft(customer)
    with_places(portal, case, Outcome.REFER, certain=certain)
    assert ("We are not sure that we read" in portal.sign_in(customer).get(f"/requests/{case}").text) is not certain


@pytest.mark.parametrize("degrees", [0.0, 7.0, -90.0, 180.0])
def test_a_part_is_cut_where_the_svg_of_the_desk_shows_it(degrees: float) -> None:
    picture = np.full((300, 400, 3), 255, np.uint8)
    picture[140:160, 190:210] = (200, 0, 0)  # its centre is (200, 150)
    turn = np.radians(degrees)
    x, y = 200 * np.cos(turn) - 150 * np.sin(turn), 200 * np.sin(turn) + 150 * np.cos(turn)  # SVG: rotate(degrees)
    part = images.cut(picture, (x - 30, y - 20, 60, 40), turn=degrees)
    assert part.shape == (40, 60, 3)
    rows, columns = np.nonzero(part[:, :, 1] < 100)
    assert abs(rows.mean() - 19.5) <= 1 and abs(columns.mean() - 29.5) <= 1 and 350 <= len(rows) <= 450


def test_a_part_is_never_larger_than_asked_and_white_beyond_the_edge() -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    part = images.cut(picture, (50, 0, 4000, 100), max_side=400)
    assert part.shape == (10, 400, 3) and (part[:, 10:] == 255).all() and part[5, 1].max() < 40
    with pytest.raises(ValueError, match="area"):
        images.cut(picture, (0, 0, 10, 0))


# --- Messages


def talk(browser: Browser, case: UUID) -> str:
    return plain(browser.get(f"/requests/{case}/messages").text)


def test_customer_and_agent_write_to_each_other(portal: Portal) -> None:
    case, browser = in_review(portal)
    assert f'href="/requests/{case}/messages"' in browser.get(f"/requests/{case}").text
    browser.get(f"/requests/{case}/messages")
    answer = browser.post(f"/requests/{case}/messages", text="Is <my> photo good enough?", message=str(uuid4()))
    assert answer.status_code == 303 and answer.location.endswith("#last")
    assert "Is &lt;my&gt; photo good enough?" in browser.get(f"/requests/{case}/messages").text
    agent_says(portal, case, "Yes, thank you.")
    assert browser.get(f"/requests/{case}/progress.json").json["messages"] == 2
    page = plain(browser.get(f"/requests/{case}").text)
    assert re.search(r"Our staff .* new Yes, thank you\.", page)
    assert " new " not in plain(browser.get(f"/requests/{case}").text).split("Messages")[1].split("Your request")[0]


def test_a_second_click_sends_one_message(portal: Portal) -> None:
    case, browser = in_review(portal)
    page = browser.get(f"/requests/{case}/messages").text
    [number] = re.findall(r'name="message" value="([^"]+)"', page)
    for _ in range(2):
        assert browser.post(f"/requests/{case}/messages", text="Once", message=number).status_code == 303
    assert talk(browser, case).count("Once") == 1
    assert re.findall(r'name="message" value="([^"]+)"', browser.get(f"/requests/{case}/messages").text) != [number]


def test_a_photo_in_a_message_is_made_anew_sealed_and_shown_to_her_alone(portal: Portal) -> None:
    case, browser = in_review(portal)
    original = picture("note", width=2600, height=1800)
    browser.get(f"/requests/{case}/messages")
    answer = browser.upload(f"/requests/{case}/messages", original, text="")
    assert answer.status_code == 303
    with portal.db.reading() as session:
        message = session.scalars(select(Message)).one()
        assert message.text_sealed is None and message.size != len(original)
    address = f"/requests/{case}/messages/{message.id}/photo"
    shown = browser.get(address)
    assert shown.headers["Cache-Control"] == "no-store" and Image.open(io.BytesIO(shown.data)).size == (2000, 1385)
    small = browser.get(address + "?small")
    assert max(Image.open(io.BytesIO(small.data)).size) == 320 and len(small.data) < 40_000
    with portal.db.reading() as session:
        events = session.scalars(select(Event).where(Event.kind == "message_photo_opened")).all()
        assert [e.details["purpose"] for e in events] == ["own_message"] * 2
    other, thief = in_review(portal, portal.customer("boris"))
    for whose in (case, other):
        assert thief.get(f"/requests/{whose}/messages/{message.id}/photo").status_code == 404


@pytest.mark.parametrize(
    ("data", "sentence"),
    [(b"no picture at all", "not a photo we can open"), (b"\xff\xd8\xff broken", "damaged"), (b"", "empty")],
)
def test_what_is_no_photo_is_refused_and_the_words_are_kept(portal: Portal, data: bytes, sentence: str) -> None:
    case, browser = in_review(portal)
    browser.get(f"/requests/{case}/messages")
    answer = browser.upload(f"/requests/{case}/messages", data, text="My words")
    assert answer.status_code == 422 and sentence in answer.text and ">My words</textarea>" in answer.text
    with portal.db.reading() as session:
        assert session.scalars(select(Message)).all() == []


@pytest.mark.parametrize(("text", "sentence"), [("  ", "Write something"), ("я" * 2001, "at most 2,000 letters")])
def test_too_little_and_too_much_is_said_in_words(portal: Portal, text: str, sentence: str) -> None:
    case, browser = in_review(portal)
    browser.get(f"/requests/{case}/messages")
    answer = browser.post(f"/requests/{case}/messages", text=text)
    assert answer.status_code == 422 and sentence in answer.text.replace("2000", "2,000")
    assert text.strip() in answer.text


def test_messages_are_slowed_down(portal: Portal) -> None:
    case, browser = in_review(portal)
    browser.get(f"/requests/{case}/messages")
    codes = [browser.post(f"/requests/{case}/messages", text=f"No {n}").status_code for n in range(MESSAGES_AN_HOUR + 1)]
    assert codes == [303] * MESSAGES_AN_HOUR + [429]


def test_a_closed_request_is_read_and_not_written_to(portal: Portal) -> None:
    case, browser = in_review(portal)
    browser.get(f"/requests/{case}/messages")
    browser.post(f"/requests/{case}/messages", text="A last word")
    with portal.db.transaction() as session:
        intake.withdraw(session, case, now=portal.clock())
    page = browser.get(f"/requests/{case}/messages").text
    assert "A last word" in page and "<textarea" not in page and "until <time" in page
    answer = browser.post(f"/requests/{case}/messages", text="One more")
    assert answer.status_code == 409 and ">One more</textarea>" in answer.text
    assert portal.case(case).state is State.WITHDRAWN


def test_nothing_of_a_conversation_stands_in_the_log(portal: Portal, capsys: pytest.CaptureFixture[str]) -> None:
    case, browser = in_review(portal)
    browser.get(f"/requests/{case}/messages")
    browser.post(f"/requests/{case}/messages", text="Wordsofhers")
    browser.upload(f"/requests/{case}/messages", b"nothing", text="Wordsofhers")
    assert "wordsofhers" not in capsys.readouterr().err.lower()


def test_the_page_of_a_mail_link_says_nothing_of_the_message(portal: Portal) -> None:
    from tests.webapp.pages import link

    case, _browser = in_review(portal)
    agent_says(portal, case, "Come to our office")
    page = portal.browser().post("/links", token=link(portal, "case", portal.case(case).customer_id, case)).text
    assert "Your request" in page and "office" not in page
