"""The desk's stories, told by the people in them: two or three browsers at once, agents on one side, the customer on the other.

Each says what either side sees at every step; every page state met is searched for axe violations and for anything wider than the
window. Nothing waits for the real clock: the office's clock is turned by hand. Pictures land in tests/.shots/ (not kept).
"""

from __future__ import annotations

import random
import statistics
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select
from werkzeug.serving import make_server

from cases import answers, audit, customers, outgoing, practice
from cases.desk_tables import Answer, AnswerState
from cases.lifecycle import State
from cases.models import Case, Customer, Event, Notification, Role, Staff
from tests.webapp.case_scenes import LATIN, NEW_PASSPORT, by_eye, doubted, new_passport, nothing_read, numbered, one_letter, refer
from tests.webapp.conftest import picture
from tests.webapp.staff_fixtures import PROFILE, Office, a_case, found, make_office
from tests.webapp.test_desk_browser import RULES, SHOTS, SIZES, sign_in
from tests.webapp.waiting import shot, soon
from verification.evidence import ChangeReason, Claim, Field
from verification.reasons import ReasonCode

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE = {"width": 390, "height": 844}
UNDO = 20
"""Seconds, as shipped: within them an answer can be taken back."""

WATCH_POINTERS = """for (const kind of ["pointerdown", "mousedown", "touchstart"]) addEventListener(kind,
  () => sessionStorage.setItem("pointed", Number(sessionStorage.getItem("pointed")) + 1), true)"""


class Somebody:
    """A person at a screen of her own. What is wrong with the pages she meets is collected, and told at the end."""

    def __init__(self, stage: Stage, size: dict[str, int], **more: Any) -> None:
        self.stage = stage
        self.context = stage.chromium.new_context(viewport=size, locale="en", timezone_id="UTC", reduced_motion="reduce", **more)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: stage.wrong.append(f"script: {error}"))

    def goes(self, place: str) -> None:
        self.page.goto(self.stage.address + place)
        self.page.wait_for_load_state("networkidle")

    def reads(self, *words: str, place: str = "main") -> None:
        """All of these words stand there."""
        for text in words:
            self.page.locator(place, has_text=text).first.wait_for()

    def misses(self, *words: str) -> None:
        """None of these words is anywhere on the page, shown or not."""
        told = self.page.content()
        for text in words:
            assert text not in told, f"{text!r} should not be there"

    def looks(self, name: str) -> None:
        """Nothing violates axe, nothing is wider than the window; and a picture for people."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            self.stage.wrong.append(f"{name}: {wide} px too wide")
        for violation in self.stage.axe.run(self.page, options={"runOnly": RULES}).response["violations"]:
            places = [node["html"][:140] for node in violation["nodes"][:3]]
            self.stage.wrong.append(f"{name}: {violation['id']} {places}")
        shot(self.page, SHOTS / f"story-{name}.png")


class Agent(Somebody):
    """One of the staff; everything she does is done by keys, and they are counted."""

    def __init__(self, stage: Stage, email: str) -> None:
        super().__init__(stage, SIZES["1440"])
        self.pressed = 0
        self.email = email
        sign_in(self.page, stage.office, stage.address, email)
        self.page.add_init_script(WATCH_POINTERS)

    def presses(self, *keys: str) -> None:
        for key in keys:
            self.pressed += 1
            self.page.keyboard.press(key)

    def types(self, text: str) -> None:
        """What is typed into a box counts as one press: the words are the answer, not the way to it."""
        self.pressed += 1
        self.page.keyboard.type(text)

    def leads_on(self, *keys: str) -> None:
        with self.page.expect_navigation():
            self.presses(*keys)
        self.page.wait_for_load_state("networkidle")

    def focus(self) -> str:
        """Name and value of what has the focus."""
        return str(self.page.evaluate("`${document.activeElement.name ?? ''}=${document.activeElement.value ?? ''}`"))

    def opens(self, case_id: UUID) -> None:
        self.goes(f"/desk/cases/{case_id}")

    def takes(self, case_id: UUID) -> None:
        """Open the case and take it with a key."""
        self.opens(case_id)
        if self.page.locator("#answer").count() == 0:  # else it was given to her already, as her next one
            self.leads_on("n")
        self.page.locator("#answer").wait_for()

    def ticks_rows(self) -> None:
        """After "a": Space on each row that has to be compared (and on "I compared faces"), until the button has the focus."""
        for _ in range(12):
            soon(
                lambda: self.focus().split("=")[0] in ("checked", "faces", "then"), f"focus on {self.focus()} of {self.page.url}"
            )
            at = self.focus()
            if at.startswith("then="):
                return
            self.presses("Space")
            soon(lambda: self.focus() != at)  # noqa: B023
        raise AssertionError("the rows never end")

    def approves(self, note: str = "") -> None:
        self.presses("a")
        self.ticks_rows()
        self.writes(note)
        self.leads_on("Control+Enter")

    def rejects(self, note: str, words: str = "") -> None:
        self.fills_a_rejection(note, words)
        self.leads_on("Control+Enter")

    def fills_a_rejection(self, note: str, words: str = "", *, saved: bool = False) -> None:
        self.presses("x")
        soon(lambda: self.focus().startswith("reject_reason="))
        self.presses("1")
        if saved:
            self.presses("s")
            soon(lambda: self.focus().startswith("reply_reject="))
        if words:
            self.presses("w")
            self.types(words)
            self.presses("Escape")
        self.writes(note)

    def asks_for_a_photo(self) -> None:
        self.presses("t")
        soon(lambda: self.focus().startswith("retake_reason="))
        self.presses("1")
        self.leads_on("Control+Enter")

    def writes(self, note: str) -> None:
        if note:
            self.presses("i")
            soon(lambda: self.focus().startswith("note="))
            self.types(note)


class Client(Somebody):
    """The customer of one case, on a phone; comes in by her lender's link."""

    def __init__(self, stage: Stage, case_id: UUID) -> None:
        super().__init__(stage, PHONE, has_touch=True, is_mobile=True)
        self.case_id = case_id
        with stage.office.db.transaction() as db:
            customer = db.get_one(Customer, db.get_one(Case, case_id).customer_id)
            token = customers.make_link(db, "hand_over", customer, lifetime=timedelta(minutes=5), now=stage.office.clock())
        self.goes(f"/enter/{token}")
        self.page.locator("main button").first.click()
        self.page.wait_for_load_state("networkidle")
        self.page.locator(".languages button[value=en]").first.click()
        self.page.wait_for_load_state("networkidle")

    def sees(self, *words: str) -> None:
        """Her status page says this."""
        self.goes(f"/requests/{self.case_id}")
        self.reads(*words)

    def never_reads(self, *words: str) -> None:
        self.goes(f"/requests/{self.case_id}")
        self.misses(*words)

    def presses(self, words: str) -> None:
        """Tap a button or a link of these words and wait for the page it leads to."""
        with self.page.expect_navigation():
            self.page.locator("main").get_by_role("button", name=words).or_(
                self.page.locator("main").get_by_role("link", name=words)
            ).first.click()
        self.page.wait_for_load_state("networkidle")


class Stage:
    """One office with portal and desk, people who come to it, and what was found wrong with the pages they met."""

    def __init__(self, office: Office, address: str, chromium: Any) -> None:
        self.office, self.address, self.chromium = office, address, chromium
        self.axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
        self.wrong: list[str] = []
        self.people: list[Somebody] = []

    def agent(self, name: str, role: Role = Role.AGENT) -> Agent:
        came = Agent(self, self.office.member(role, name=name))
        self.people.append(came)
        return came

    def client(self, case_id: UUID) -> Client:
        came = Client(self, case_id)
        self.people.append(came)
        return came

    def letter(self, seed: int = 1, **ago: float) -> UUID:
        """A case whose surname differs by a letter: ordinary, one person may approve it."""
        with self.office.db.transaction() as db:
            at = self.office.clock() - timedelta(**ago or {"hours": 2})
            return a_case(db, now=at, seed=seed, claim=numbered(seed), evidence=one_letter(seed)).id

    def risky(self, seed: int) -> UUID:
        """A case of high risk: another face on the document, and a new e-mail address."""
        with self.office.db.transaction() as db:
            at, mail = self.office.clock() - timedelta(hours=7), "new@example.test"
            return refer(db, doubted(seed), numbered(seed), PROFILE, now=at, seed=seed, country="RUS", new_email=mail).id

    def case(self, case_id: UUID) -> Case:
        with self.office.db.reading() as db:
            return db.get_one(Case, case_id)

    def given(self, case_id: UUID) -> list[AnswerState]:
        """What became of each answer to the case, in the order they were given."""
        with self.office.db.reading() as db:
            return list(db.scalars(select(Answer.state).where(Answer.case_id == case_id).order_by(Answer.given_at)))

    def mails(self, case_id: UUID) -> list[str]:
        """Kinds of the mails that were written for the case."""
        with self.office.db.reading() as db:
            return list(db.scalars(select(Notification.kind).where(Notification.case_id == case_id).order_by(Notification.id)))

    def surname(self, case_id: UUID) -> str:
        with self.office.db.reading() as db:
            customer = db.get_one(Customer, db.get_one(Case, case_id).customer_id)
            return customers.current_profile(db, customer)[0].values[Field.SURNAME]

    def time_goes_by(self, seconds: float = UNDO + 1) -> None:
        """The clock is turned, and upkeep carries out what is due."""
        self.office.clock.forward(seconds=seconds)
        self.sends()

    def sends(self) -> None:
        """Upkeep sends what is due, messages before answers as it does."""
        outgoing.send_due(self.office.db, now=self.office.clock())
        answers.carry_out_due(self.office.db, now=self.office.clock())

    def end(self) -> None:
        for somebody in self.people:
            somebody.context.close()
        assert self.wrong == []


@pytest.fixture
def stage(settings: Any, database: Any, chromium: Any) -> Iterator[Stage]:
    """Portal and desk on one port of this machine; answers leave after the shipped 20 seconds of a clock that tests turn."""
    SHOTS.mkdir(exist_ok=True)
    office = make_office(settings.model_copy(update={"undo_seconds": UNDO}), "all")
    server = make_server("127.0.0.1", 0, office.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made = Stage(office, f"http://127.0.0.1:{server.server_port}", chromium)
    yield made
    made.end()
    server.shutdown()
    thread.join()
    office.db.dispose()


def ten_cases(stage: Stage) -> list[tuple[UUID, str, State]]:
    """Ten cases of a working day, most urgent first: what is done with each, and where it then stands."""
    glare, mistake = (ReasonCode.DOCUMENT_GLARE,), Claim(reason=ChangeReason.MISTAKE, values={Field.GIVEN_NAMES: "МАРИАННА"})
    out: list[tuple[UUID, str, State]] = []
    with stage.office.db.transaction() as db:
        now = stage.office.clock()

        def at() -> Any:
            return now - timedelta(minutes=200 - 10 * len(out))

        def known(seed: int, **changes: Any) -> UUID:
            return a_case(db, now=at(), seed=seed, claim=numbered(seed), evidence=found(numbered(seed), **changes)).id

        def lettered(seed: int) -> UUID:
            return a_case(db, now=at(), seed=seed, claim=numbered(seed), evidence=one_letter(seed)).id

        out.append((lettered(21), "approve", State.APPROVED))
        out.append((known(22, problems=glare), "retake", State.NEEDS_RETAKE))
        out.append((known(23, similarity=1.4), "stranger", State.REJECTED))
        out.append((refer(db, new_passport(), NEW_PASSPORT, LATIN, now=at(), seed=24).id, "approve", State.APPROVED))
        out.append((known(25, days_to_expiry=-12, never_expires=False), "reject", State.REJECTED))
        out.append((a_case(db, now=at(), seed=26, claim=mistake, evidence=found(mistake)).id, "approve", State.APPROVED))
        unread = refer(db, nothing_read(), numbered(27), PROFILE, now=at(), seed=27, country="RUS", on_file=False)
        out.append((unread.id, "retake", State.NEEDS_RETAKE))
        eye = refer(db, by_eye(), numbered(28), PROFILE, now=at(), seed=28, country="RUS", by_eye=True, on_file=True)
        out.append((eye.id, "by eye", State.IN_REVIEW))
        out.append((a_case(db, now=at(), seed=29, claim=numbered(29), evidence=doubted(29)).id, "escalate", State.IN_REVIEW))
        out.append((lettered(30), "message and approve", State.APPROVED))
    return out


def test_ten_mixed_cases_are_reviewed_by_keyboard_alone(stage: Stage) -> None:
    day = {case_id: (what, where) for case_id, what, where in ten_cases(stage)}
    ada = stage.agent("Ada Agent")
    page = ada.page
    ada.goes("/desk")
    ada.looks("ten-queue")
    ada.leads_on("n")
    counts: list[tuple[str, int]] = []
    for _ in day:
        soon(lambda: page.locator("#answer").count() == 1)
        case_id = UUID(page.url.rsplit("/", 1)[1])
        what, _where = day[case_id]
        ada.pressed = 0
        if what == "approve":
            ada.approves()
        elif what == "retake":
            ada.asks_for_a_photo()
        elif what == "reject":
            ada.rejects("Ran out before the request.")
        elif what == "stranger":
            ada.presses("b")
            page.locator("dialog.zoom[open] .pane").nth(2).wait_for()
            ada.looks("ten-faces")
            ada.presses("Escape")
            ada.rejects("Another man on the selfie.")
        elif what == "by eye":
            ada.presses("b")
            page.locator("dialog.zoom[open]").wait_for()
            ada.presses("Escape")
            ada.approves()
        elif what == "escalate":
            ada.presses("e")
            soon(lambda: ada.focus().startswith("note="))
            ada.types("Photographed from a screen?")
            ada.leads_on("Control+Enter")
        else:
            ada.presses("m")
            soon(lambda: ada.focus().startswith("text="))
            ada.types("Thank you, all is here.")
            ada.leads_on("Control+Enter")
            ada.approves()
        counts.append((what, ada.pressed))
        stage.office.clock.forward(seconds=30)  # as long as a quick look takes: due answers leave meanwhile
        stage.sends()
    stage.time_goes_by()
    ada.goes("/desk")
    ada.looks("ten-done")
    median = statistics.median(count for _what, count in counts)
    print(f"\nkey presses, a text typed as one: {counts}; median {median:g}, most {max(count for _, count in counts)}")
    assert len(counts) == len(day)
    assert median <= 6
    assert page.evaluate("sessionStorage.getItem('pointed')") is None, "no mouse"
    assert {c: stage.case(c).state for c in day} == {c: where for c, (_what, where) in day.items()}
    by_what = {what: case_id for case_id, (what, _where) in day.items()}
    assert stage.case(by_what["by eye"]).second_at is not None  # faces that no machine compared take two people
    assert stage.case(by_what["escalate"]).escalated_at is not None
    client = stage.client(by_what["message and approve"])
    client.sees("Your details have been changed", "Thank you, all is here.")
    client.looks("ten-customer")


def test_of_two_agents_one_gets_the_case_and_the_other_is_told_by_whom(stage: Stage) -> None:
    case_id = stage.letter()
    ada, ben = stage.agent("Ada Agent"), stage.agent("Ben Second")
    for agent in (ada, ben):
        agent.opens(case_id)
        agent.page.locator("[data-key=n]").first.wait_for()
    ada.presses("n")  # neither waits for the other
    ben.presses("n")
    with_answer: Callable[[Agent], bool] = lambda agent: agent.page.locator("#answer").count() == 1  # noqa: E731
    told: Callable[[Agent], bool] = lambda agent: agent.page.get_by_text("took this case a moment before you").count() == 1  # noqa: E731
    soon(lambda: sorted((with_answer(a), told(a)) for a in (ada, ben)) == [(False, True), (True, False)])
    won, lost = (ada, ben) if with_answer(ada) else (ben, ada)
    name = {ada: "Ada Agent", ben: "Ben Second"}
    lost.reads(f"{name[won]} took this case a moment before you.")
    lost.reads(f"{name[won]} has this case until")
    lost.misses("ПРИМЕРНАЯ")
    lost.looks("race-lost")
    won.looks("race-won")
    with stage.office.db.reading() as db:
        assert db.scalar(select(func.count()).where(Event.kind == "case_taken", Event.case_id == case_id)) == 1
    client = stage.client(case_id)
    client.sees("A person is looking at your request")
    client.misses("Ada Agent", "Ben Second")


def test_what_was_typed_is_never_lost_on_a_page_that_went_stale(stage: Stage) -> None:
    case_id = stage.letter()
    ada, client = stage.agent("Ada Agent"), stage.client(case_id)
    ada.takes(case_id)
    second_tab = ada.context.new_page()
    second_tab.goto(f"{stage.address}/desk/cases/{case_id}")
    # From the list of saved replies a letter leads on to the note: nothing typed is lost in the list
    ada.fills_a_rejection("One letter differs, see the zone.", saved=True)
    soon(lambda: ada.page.locator("#note").input_value() == "One letter differs, see the zone.")
    ada.page.locator("#words").fill("Please write the name as the page has it.")

    # The customer writes while the answer is being written: she reads it before anything is sent
    client.goes(f"/requests/{case_id}/messages")
    client.page.locator("main textarea").first.fill("I married again on Friday.")
    client.presses("Send")
    ada.leads_on("Control+Enter")
    ada.reads("Nothing was sent: the customer wrote to you meanwhile. Please read it first.")
    ada.looks("stale-customer-wrote")
    page = ada.page
    soon(lambda: page.locator("#note").input_value() == "One letter differs, see the zone.")
    soon(lambda: page.locator("#words").input_value() == "Please write the name as the page has it.")
    assert page.locator("[name=reject_reason]:checked").count() == 1
    ada.reads("I married again on Friday.", place="#messages")
    assert stage.given(case_id) == []

    # Her own second tab answers; the first one still shows what stood in it
    second_tab.reload()
    second_tab.keyboard.press("t")
    soon(lambda: second_tab.evaluate("document.activeElement.name") == "retake_reason")
    second_tab.keyboard.press("1")
    with second_tab.expect_navigation():
        second_tab.keyboard.press("Control+Enter")
    ada.leads_on("Control+Enter")
    ada.reads("Nothing was sent")
    kept = "() => [...document.querySelectorAll('textarea')].map(t => t.value)"
    soon(lambda: "One letter differs, see the zone." in page.evaluate(kept))
    soon(lambda: "Please write the name as the page has it." in page.evaluate(kept))
    ada.looks("stale-second-tab")
    assert stage.given(case_id) == [AnswerState.WAITING]
    stage.time_goes_by()
    assert stage.given(case_id) == [AnswerState.CARRIED_OUT]
    client.sees("What is kept", "again")
    client.misses("One letter differs", "Please write the name as the page has it.")
    client.looks("stale-customer")
    assert stage.surname(case_id) == PROFILE.values[Field.SURNAME]


def test_an_answer_is_taken_back_in_time_and_not_when_it_has_left(stage: Stage) -> None:
    first, second, third = stage.letter(1, hours=5), stage.letter(2, hours=4), stage.letter(3, hours=3)
    ada, client = stage.agent("Ada Agent"), stage.client(first)
    ada.takes(first)
    ada.rejects("One letter differs.")
    ada.page.locator("[data-undo]").wait_for()
    ada.looks("undo-bar")
    client.sees("A person is looking at your request")
    before = stage.mails(first)
    stage.time_goes_by(UNDO - 5)
    ada.leads_on("u")
    ada.reads("Your answer was taken back: nothing was sent.")
    soon(lambda: ada.page.locator("#note").input_value() == "One letter differs.")
    ada.looks("undo-taken-back")
    assert stage.given(first) == [AnswerState.TAKEN_BACK]
    stage.time_goes_by()
    client.sees("A person is looking at your request")
    assert stage.mails(first) == before

    ada.leads_on("Control+Enter")  # as it stands: sent again
    ada.page.locator("[data-undo]").wait_for()
    stage.time_goes_by()
    ada.leads_on("u")
    ada.reads("Too late to take it back: the answer is on its way to the customer.", place="body")
    ada.looks("undo-too-late")
    client.sees("Your details have not been changed")
    assert stage.given(first)[-1] is AnswerState.CARRIED_OUT
    assert len(stage.mails(first)) == len(before) + 1

    # The customer writes before the answer has left: it does not leave, and who gave it is told
    ada.takes(third)
    ada.asks_for_a_photo()
    stage.office.clock.forward(seconds=2)
    other = stage.client(third)
    other.goes(f"/requests/{third}/messages")
    other.page.locator("main textarea").first.fill("Wait, I have a better photo.")
    other.presses("Send")
    stage.time_goes_by()
    ada.goes("/desk")
    ada.reads(str(third)[:8], "was not sent", place="body")
    ada.looks("undo-dropped")
    other.sees("A person is looking at your request", "Wait, I have a better photo.")
    assert stage.given(third) == [AnswerState.DROPPED]
    assert stage.case(second).state is State.IN_REVIEW


def test_a_second_person_answers_without_seeing_the_first_and_a_senior_settles_what_they_differ_in(stage: Stage) -> None:
    agreed, differed = stage.risky(41), stage.risky(42)
    ada, ben = stage.agent("Ada Agent"), stage.agent("Ben Second")
    happy, waits = stage.client(agreed), stage.client(differed)
    for case_id in (agreed, differed):
        ada.takes(case_id)
        ada.approves("SEEN-BY-THE-FIRST: the same mole on both photos.")
        stage.time_goes_by()
        assert stage.given(case_id) == [AnswerState.FIRST]
    happy.sees("A person is looking at your request")
    assert "approved" not in stage.mails(agreed)

    # Who made the first answer can never check it: the page offers nothing, and the server refuses what a page could send
    ada.opens(agreed)
    ada.reads("second person", place=".case-head")
    ada.looks("second-maker")
    refused = ada.page.evaluate(
        """async (place) => { const body = new URLSearchParams({csrf_token: document.querySelector("[name=csrf_token]").value});
        return (await fetch(place, {method: "POST", body, redirect: "manual"})).status }""",
        f"/desk/cases/{agreed}/take",
    )
    assert refused == 409
    assert stage.case(agreed).owner_id is None

    ben.opens(agreed)
    ben.misses("SEEN-BY-THE-FIRST", "the same mole")
    ben.takes(agreed)
    ben.reads("Second pair of eyes", place="#answer")
    ben.misses("SEEN-BY-THE-FIRST", "the same mole")
    history = ben.page.locator(".case-grid").inner_text()
    assert "Ada Agent" not in history, "who answered first is not told either"
    ben.looks("second-checker")
    ben.approves("Ears and nose agree.")
    stage.time_goes_by()
    happy.sees("Your details have been changed")
    assert stage.case(agreed).state is State.APPROVED
    assert stage.surname(agreed) == numbered(41).values[Field.SURNAME]

    ben.takes(differed)
    ben.rejects("SEEN-BY-THE-SECOND: another chin.")
    stage.time_goes_by()
    assert stage.case(differed).escalated_at is not None
    waits.sees("A person is looking at your request")
    for agent in (ada, ben):
        agent.opens(differed)
        agent.reads("senior agent", place=".case-head")
    sue = stage.agent("Sue Senior", Role.SENIOR_AGENT)
    sue.takes(differed)
    sue.reads("SEEN-BY-THE-FIRST", "Ada Agent", "SEEN-BY-THE-SECOND", "Ben Second", place=".case-grid")
    sue.looks("second-senior")
    sue.rejects("The chin decides.")
    stage.time_goes_by()
    waits.sees("Your details have not been changed")
    waits.misses("chin", "Ada Agent", "Ben Second", "Sue Senior")
    waits.looks("second-customer")
    assert stage.case(differed).state is State.REJECTED


def test_an_escalated_case_is_answered_by_a_senior_who_reads_why(stage: Stage) -> None:
    case_id = stage.letter()
    ada, client = stage.agent("Ada Agent"), stage.client(case_id)
    ada.takes(case_id)
    ada.presses("e")
    soon(lambda: ada.focus().startswith("note="))
    ada.leads_on("Control+Enter")  # without a word it does not go
    ada.reads("Say in a note what a senior agent should look at.")
    ada.looks("escalate-note")
    ada.page.locator("#note").focus()
    ada.types("The stamp looks pasted in.")
    ada.leads_on("Control+Enter")
    ada.reads("is with the senior agents now", place="body")
    ada.opens(case_id)
    ada.reads("This case waits for a senior agent.")  # it left her hands, and her sight
    ada.misses("The stamp looks pasted in.", "ПРИМЕРНАЯ")
    ada.looks("escalate-agent")
    ada.goes("/desk")
    ada.leads_on("n")
    assert "/desk/cases/" not in ada.page.url, "an agent is not given it"
    sue = stage.agent("Sue Senior", Role.SENIOR_AGENT)
    sue.goes("/desk")
    sue.leads_on("n")
    assert str(case_id) in sue.page.url
    sue.reads("The stamp looks pasted in.", "Ada Agent", place=".case-grid")
    sue.reads("For a senior agent", place="#answer")
    sue.looks("escalate-senior")
    sue.approves()
    client.sees("A person is looking at your request")
    stage.time_goes_by()
    client.sees("Your details have been changed")
    client.misses("stamp", "senior", "Sue Senior")
    assert stage.case(case_id).state is State.APPROVED


def test_an_appeal_goes_to_another_agent(stage: Stage) -> None:
    case_id = stage.letter()
    ada, client = stage.agent("Ada Agent"), stage.client(case_id)
    ada.takes(case_id)
    ada.rejects("One letter differs.", "The page has another letter in the name.")
    stage.time_goes_by()
    client.sees("Your details have not been changed", "The page has another letter in the name.")
    client.looks("appeal-refused")
    client.page.locator("main textarea").first.fill("It is an O, look at the zone.")
    client.presses("Let another person look")
    client.sees("A person is looking at your request", "You asked for another person")
    client.looks("appeal-asked")

    ada.goes("/desk")
    ada.leads_on("n")
    assert "/desk/cases/" not in ada.page.url, "it is not given to who refused it"
    ada.opens(case_id)
    if ada.page.locator(".decide [data-key=n]").count():
        ada.leads_on("n")
    assert ada.page.locator("#answer").count() == 0
    ada.looks("appeal-first-agent")
    ben = stage.agent("Ben Second")
    ben.goes("/desk")
    ben.leads_on("n")
    assert str(case_id) in ben.page.url
    ben.reads("It is an O, look at the zone.", place="#messages")
    ben.looks("appeal-other-agent")
    ben.approves("The zone has an O indeed.")
    stage.time_goes_by()
    client.sees("A person is looking at your request")  # who appealed is answered by two
    sue = stage.agent("Sue Senior", Role.SENIOR_AGENT)
    sue.takes(case_id)
    sue.approves("The customer is right.")
    stage.time_goes_by()
    client.sees("Your details have been changed")
    client.looks("appeal-won")
    assert stage.case(case_id).state is State.APPROVED


def test_a_new_agent_practises_until_the_round_is_passed_and_then_meets_live_cases(stage: Stage) -> None:
    case_id = stage.letter()
    office, now = stage.office, stage.office.clock()
    email = office.member(Role.AGENT, name="Nora Novice")
    with office.db.transaction() as db:
        nora_row = db.scalars(select(Staff).where(Staff.email == email)).one()
        practice.begin(db, nora_row, actor=audit.SYSTEM, now=now)
        stands = practice.begin_round(db, nora_row, now=now, chance=random.Random(2))
        for _ in range(practice.ROUND - 2):
            known = practice.specimen(stands.next or "")
            given = practice.Given(action=known.right, reasons=tuple(known.codes), retake=known.retake)
            practice.answer(db, nora_row, known.key, given, now=now)
            stands = practice.standing(db, nora_row)
    nora = Agent(stage, email)
    stage.people.append(nora)
    nora.opens(case_id)  # she may read the queue's rows, not answer
    assert nora.page.locator("#answer, .decide [data-key=n]").count() == 0
    nora.goes("/desk/practice")
    nora.reads("live cases come once you have passed")
    nora.looks("practice-before")
    nora.leads_on("n")
    for last in (False, True):
        page = nora.page
        page.locator("#answer").wait_for()
        known = practice.specimen(page.locator("[name=specimen]").get_attribute("value"))
        nora.looks(f"practice-case-{last}")
        answers_rightly(nora, known)
        page.locator(".outcome.right").wait_for()
        nora.looks(f"practice-told-{last}")
        nora.leads_on("n")
    nora.reads("Passed:", "Live cases are open to you.")
    nora.looks("practice-passed")
    nora.goes("/desk")
    nora.leads_on("n")
    assert str(case_id) in nora.page.url
    nora.page.locator("#answer").wait_for()
    client = stage.client(case_id)
    client.sees("A person is looking at your request")
    client.misses("Nora", "practice")


def answers_rightly(agent: Agent, known: practice.Specimen) -> None:
    """The answer that the specimen is known to need, with a reason that holds."""
    page = agent.page
    agent.presses({"approve": "a", "ask_retake": "t", "reject": "x"}[known.right])
    if known.right == "ask_retake":
        for kind in known.retake:
            page.locator(f"[name=retake][value={kind.value}]").check()
            page.locator(f"[name=retake_reason][value={next(c for c in sorted(known.codes) if kind in _retakes(c))}]").check()
    elif known.right == "reject":
        page.locator(f"[name=reject_reason][value={sorted(known.codes)[0]}]").check()
    agent.leads_on("Control+Enter")


def _retakes(code: ReasonCode) -> frozenset[Any]:
    from verification.reasons import RETAKE

    return RETAKE.get(code, frozenset())


def test_where_no_machine_may_compare_faces_two_people_do_and_the_customer_gets_the_change(stage: Stage) -> None:
    with stage.office.db.transaction() as db:
        at = stage.office.clock() - timedelta(hours=6)
        seen = by_eye()
        case_id = refer(db, seen, numbered(4), PROFILE, now=at, seed=4, country="RUS", by_eye=True, on_file=True).id
    ada, ben, client = stage.agent("Ada Agent"), stage.agent("Ben Second"), stage.client(case_id)
    for agent in (ada, ben):
        agent.takes(case_id)
        agent.reads("faces by eye", place=".case-head")
        agent.presses("b")
        agent.page.locator("dialog.zoom[open] .pane").nth(2).wait_for()
        agent.presses("Escape", "a")
        soon(lambda: agent.page.locator(".go .primary").is_disabled())  # noqa: B023
        agent.ticks_rows()
        assert agent.page.locator("#faces-tick").is_checked()
        agent.looks(f"eye-{'first' if agent is ada else 'second'}")
        agent.leads_on("Control+Enter")
        stage.time_goes_by()
    assert stage.given(case_id) == [AnswerState.FOLLOWED, AnswerState.CARRIED_OUT]
    client.sees("Your details have been changed")
    assert stage.case(case_id).state is State.APPROVED


def test_a_paper_is_asked_for_and_the_case_comes_back_with_it(stage: Stage, tmp_path: Path) -> None:
    case_id = stage.letter()
    ada, client = stage.agent("Ada Agent"), stage.client(case_id)
    ada.takes(case_id)
    ada.page.locator("#papers summary", has_text="Ask for a paper").focus()
    ada.presses("Enter")
    ada.page.locator("#papers input[value=marriage_certificate]").focus()
    ada.presses("Space")
    ada.page.locator("#paper-words").focus()
    ada.types("Both sides, please.")
    ada.looks("paper-ask")
    ada.leads_on("Control+Enter")
    ada.reads("asked for a paper", place="[data-undo]")
    client.misses("Both sides, please.")
    ada.goes("/desk")
    ada.leads_on("n")
    assert "/desk/cases/" not in ada.page.url, "a case that waits for its customer is nobody's next"
    stage.time_goes_by()
    client.sees("Your request waits for a paper from you.", "Both sides, please.")
    client.looks("paper-asked")
    client.goes(f"/requests/{case_id}/papers")
    paper = tmp_path / "paper.jpg"
    paper.write_bytes(picture("paper"))
    client.page.locator("main section.card input[type=file]").first.set_input_files(paper)
    client.page.locator("main section.card button", has_text="Send this paper").first.click()
    client.page.locator("[role=status]", has_text="your paper arrived").wait_for()
    client.looks("paper-sent")
    client.sees("A person is looking at your request")
    ada.goes("/desk")
    ada.leads_on("n")
    assert str(case_id) in ada.page.url
    ada.page.locator("#papers .paper-frame").first.wait_for()
    ada.looks("paper-here")
    ada.approves()
    stage.time_goes_by()
    client.sees("Your details have been changed")
    assert stage.case(case_id).state is State.APPROVED


def test_the_new_passport_is_accepted_and_the_surname_held(stage: Stage) -> None:
    case_id = stage.letter()
    ada, client = stage.agent("Ada Agent"), stage.client(case_id)
    ada.takes(case_id)
    ada.presses("a")
    soon(lambda: ada.focus() == "checked=surname")
    ada.page.locator(".partly summary").focus()
    ada.presses("Enter")
    ada.page.locator("[name=accept][value*=surname]").focus()
    ada.presses("Space")
    ada.page.locator("[name=checked]").nth(1).focus()
    ada.ticks_rows()
    ada.looks("partly")
    ada.leads_on("Control+Enter")
    ada.reads("A part of the request is held back. Say in a note why.")
    soon(lambda: ada.focus().startswith("note="))
    ada.types("No certificate for the name yet.")
    ada.leads_on("Control+Enter")
    stage.time_goes_by()
    client.sees("Part of your details has been changed", "These details stay as they were for now:", "45 24 654301")
    client.misses("No certificate for the name yet.")
    client.looks("partly-customer")
    assert stage.surname(case_id) == PROFILE.values[Field.SURNAME]
    with stage.office.db.reading() as db:
        customer = db.get_one(Customer, stage.case(case_id).customer_id)
        held = customers.current_profile(db, customer)[0].values
    assert held[Field.DOCUMENT_NUMBER] == numbered(1).values[Field.DOCUMENT_NUMBER]
