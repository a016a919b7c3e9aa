"""The whole chain of operations, by two people: a threshold is moved, replayed, confirmed, shadowed, ramped, halts itself, is
rolled back, its approvals are taken back and the machine goes on; once in the browser, once on the command line.

No engine runs here: customers' runs go through the services with evidence that is given, and the clock is turned.
"""

from __future__ import annotations

import email
import email.policy
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from cases import audit, customers, halts, policies, quality, ramps, staff_mails, undo
from cases.lifecycle import State
from cases.models import Case, Customer, Notification, Role, Run, Staff
from cases.quality import Verdict
from cases.ramps import Stage
from tests import factories as a
from tests.webapp.staff_fixtures import PASSWORD, Office, make_office
from tests.webapp.waiting import shot, soon
from verification.evidence import Profile
from verification.reasons import ReasonCode
from workers import notify, process

MOVED = "min_selfie_document"
LOOSER = 4.8
BETWEEN = a.faces(selfie_document=5.2)
"""Faces that the moved threshold takes and the shipped one does not."""

NO = Verdict(action="reject", reasons=frozenset({ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER}), note="Another nose.")
YES = Verdict(action="approve")

SHOTS = Path(__file__).resolve().parents[1] / ".shots" / "chain"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@dataclass
class Chain:
    """Two people, and customers who come meanwhile."""

    office: Office
    olga: str = ""
    sam: str = ""
    before: dict[UUID, tuple[UUID, UUID, Profile]] = field(default_factory=dict)  # case → customer, version, profile

    def __post_init__(self) -> None:
        self.olga = self.office.member(Role.OPS, name="Olga Ops")
        self.sam = self.office.member(Role.LEAD, name="Sam Second")
        with self.office.db.transaction() as db:
            for one in db.scalars(select(Staff)):
                one.locale = "en"

    @property
    def now(self) -> Any:
        return self.office.clock()

    def come(self, count: int, *, between: bool = True) -> list[UUID]:
        """Customers send requests, and a worker looks at each."""
        cases = []
        for _ in range(count):
            with self.office.db.transaction() as db:
                customer = a.a_customer(db, now=self.now)
                was = customer.id, customer.profile_version_id, customers.current_profile(db, customer)[0]
                order = a.begun(db, case := a.a_submitted(db, now=self.now, customer=customer), now=self.now)
                pairs = {"pairs": BETWEEN} if between else {}
                a.finished(db, order, now=self.now, evidence=a.good_evidence(order.claim, order.profile, **pairs))
                self.before[case.id] = was
                cases.append(case.id)
        return cases

    def a_day(self) -> None:
        """The next stage has lasted long enough."""
        self.office.clock.forward(hours=25)

    def approved_by(self, version: int) -> list[UUID]:
        """Cases that stand approved by this version."""
        with self.office.db.reading() as db:
            by = select(Run.case_id).join(Case, Case.id == Run.case_id).where(Case.state == State.APPROVED)
            return list(db.scalars(by.where(Run.outcome == "approve", Run.policy_version == version)))

    def stage(self) -> Stage | None:
        with self.office.db.reading() as db:
            ramp = ramps.under_way(db)
        return ramp.stage if ramp else None

    def held(self) -> int:
        with self.office.db.reading() as db:
            return policies.current(db).version

    def goes_wrong(self, bad: list[UUID]) -> None:
        """A colleague looks at automatic approvals again, blind, and would not have given the bad ones; upkeep checks bounds."""
        self.office.clock.forward(minutes=5)
        with self.office.db.transaction() as db:
            quality.draw(db, now=self.now)
            rita = a.a_member(db, Role.SENIOR_AGENT, now=self.now, name="Rita Reviewer")
            while (sample := quality.take_next(db, agent=rita, now=self.now)) is not None:
                quality.give(db, sample.id, NO if sample.case_id in bad else YES, agent=rita, now=self.now)
        with self.office.db.transaction() as db:
            halt = halts.check(db, now=self.now)
            assert halt is not None and halt.bound == halts.Bound.OVERTURNED_SHARE

    def mails(self, reader: str) -> list[str]:
        """Every mail that is owed to staff is sent; the bodies of the reader's, newest last."""
        with self.office.db.reading() as db:
            due = staff_mails.due(db, now=self.now)
        for mail_id in due:
            assert notify.send_staff_mail(str(mail_id)) == "sent"
        found = []
        for file in self.office.settings.data_dir.glob("mail/*.eml"):
            mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            if mail["To"] == reader:
                found.append(str(mail.get_body(("plain",)).get_content()))
        return found

    def page_of(self, body: str) -> str:
        """The page that a mail leads to."""
        (link,) = re.findall(re.escape(self.office.settings.staff_url.rstrip("/")) + r"(/\S+)", body)
        return str(link)

    def all_is_as_before(self, cases: list[UUID]) -> None:
        """Each customer's profile is her exact earlier version again, she was told, and a person looks at the case."""
        assert cases
        with self.office.db.reading() as db:
            for case_id in cases:
                customer_id, version, profile = self.before[case_id]
                customer = db.get_one(Customer, customer_id)
                assert customer.profile_version_id == version and customers.current_profile(db, customer)[0] == profile
                case = db.get_one(Case, case_id)
                assert (case.state, case.reasons) == (State.IN_REVIEW, ["approval_undone"])
                told = db.scalars(select(Notification.kind).where(Notification.case_id == case_id)).all()
                assert "rechecked" in told
            assert audit.verify(db).ok

    def the_shipped_policy_decides(self) -> None:
        """A customer of whom only the moved threshold was sure goes to a person again; another is approved."""
        (unsure,), (sure,) = self.come(1), self.come(1, between=False)
        with self.office.db.reading() as db:
            assert db.get_one(Case, unsure).state is State.IN_REVIEW and db.get_one(Case, sure).state is State.APPROVED


@pytest.fixture
def chain(settings: Any, database: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chain]:
    drawn: dict[UUID, float] = {}

    def place(_key: str, _ramp: int, case_id: UUID) -> float:
        """Of three cases one stands below 5 %, another below 25 %; each keeps its place."""
        if case_id not in drawn:
            drawn[case_id] = (0.04, 0.2, 0.9)[len(drawn) % 3]
        return drawn[case_id]

    monkeypatch.setattr(ramps, "place", place)
    office = make_office(settings.model_copy(update={"ramp_runs": 6, "quality_approvals": 1.0}))
    process.use(office.settings)
    monkeypatch.setattr(notify, "utcnow", office.clock)
    yield Chain(office)
    process.close()
    office.db.dispose()


# By command line


def test_by_command_line_from_a_moved_threshold_to_the_last_customer_put_right(chain: Chain) -> None:
    runner = chain.office.app.test_cli_runner()

    def run(who: str, *args: str, more: str = "", fails: bool = False) -> str:
        answer = runner.invoke(args=[*args, *(("--as", who) if who else ())], input=f"{PASSWORD}\n{more}" if who else None)
        assert (answer.exit_code == 0) is not fails, answer.output
        assert PASSWORD not in answer.output
        return str(answer.output).strip()

    def last_number(said: str) -> str:
        return re.findall(r"\d+", said)[-1]

    olga, sam = chain.olga, chain.sam
    chain.come(3, between=False), chain.come(3)
    with chain.office.db.transaction() as db:
        refused = str(a.a_rejected(db, now=chain.now).id)  # of faces that the draft would take
    chain.office.clock.forward(minutes=5)
    version = run(olga, "policy", "draft", f"{MOVED}={LOOSER}", "--reason", "Fewer referrals").splitlines()[-1]
    assert version == "2"
    assert "replay it first" in run(olga, "policy", "propose", version, "--reason", "Kinder", fails=True)
    replayed = run(olga, "policy", "replay", version)
    assert re.search(r"4  refer -> approve", replayed) and "kept as report" in replayed
    assert "1 cases that it would have approved wrongly" in run(olga, "policy", "propose", version, "--reason", "x", fails=True)
    assert f"{refused}  rejected  not opened" in run(olga, "policy", "look", version)
    looked = run(olga, "policy", "look", version, refused)
    assert "a person answered: reject" in looked and "policy 2: approve" in looked and "0 not opened" in looked
    proposal = last_number(run(olga, "policy", "propose", version, "--reason", "Kinder").splitlines()[-1].partition(":")[0])
    assert "another person has to confirm this" in run(olga, "policy", "confirm", proposal, fails=True)
    assert chain.page_of(chain.mails(sam)[-1]) == "/ops/policies/2", "the second person has a mail that leads there"
    assert "in shadow" in run(sam, "policy", "confirm", proposal)
    chain.come(6)
    assert chain.approved_by(2) == [] and "6 of 6 runs differ" in run("", "policy", "status")
    assert "too early" in run(sam, "policy", "stage", "five", fails=True)
    chain.a_day()
    assert "another person has to take this step" in run(olga, "policy", "stage", "five", fails=True)
    for step, said, customers_meanwhile in (("five", "5 %", 3), ("quarter", "25 %", 3), ("full", "all cases", 5)):
        assert run(sam, "policy", "stage", step).endswith(said)
        chain.come(customers_meanwhile)
        chain.a_day()
    assert chain.held() == 2 and len(chain.approved_by(2)) == 1 + 2 + 5
    bad = chain.approved_by(2)
    chain.goes_wrong(bad)
    status = run("", "automation", "status")
    assert "halted by itself" in status and "8 of 11 automatic approvals were judged otherwise" in status
    assert any("8 of 11 automatic approvals" in " ".join(body.split()) for body in chain.mails(olga))
    assert run(olga, "policy", "rollback", "--reason", "Wrong approvals").endswith("policy 1 decides every case")
    undoing = run(olga, "undo", "propose", "--version", "2", "--reason", "Policy 2 was too lenient").splitlines()[-1]
    assert "another person has to confirm this" in run(olga, "undo", "confirm", undoing, more="8\n", fails=True)
    run(sam, "undo", "confirm", undoing, more="8\n")
    assert "8 carried out" in run("", "undo", "run") and "done" in run("", "undo", "list", undoing)
    chain.all_is_as_before(bad)
    assert "the machine decides" not in run("", "automation", "status")
    back = last_number(run(olga, "automation", "propose", "--reason", "Found and undone").splitlines()[-1].partition(":")[0])
    assert "another person has to confirm this" in run(olga, "automation", "confirm", back, fails=True)
    assert run(sam, "automation", "confirm", back).endswith("the machine decides again")
    assert run("", "automation", "status") == "the machine decides"
    chain.the_shipped_policy_decides()


# In the browser


@pytest.fixture
def address(chain: Chain) -> Iterator[str]:
    """The staff's application on a port of this machine."""
    server = make_server("127.0.0.1", 0, chain.office.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@dataclass
class Colleague:
    """One of the two, with a browser of her own."""

    page: Any
    office: Office
    address: str
    wrong: list[str]
    axe: Any
    name: str

    def signs_in(self) -> None:
        self.page.goto(f"{self.address}/staff/sign-in")
        self.page.fill("#email", self.name)
        self.page.fill("#password", PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.locator("#code").fill(self.office.code(self.name))
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(lambda url: "/staff/" not in url)

    def goes(self, path: str) -> None:
        """To a page; a day later she has to sign in again."""
        self.page.goto(self.address + path)
        if "/staff/sign-in" in self.page.url:
            self.signs_in()
            self.page.goto(self.address + path)

    def presses(self, name: str) -> None:
        self.page.get_by_role("button", name=name).first.click()
        self.page.wait_for_load_state()

    def reads(self, *words: str) -> None:
        for text in words:
            soon(lambda text=text: text in " ".join(self.page.locator("body").inner_text().split()), f"{self.name}: {text}")

    def looks(self, name: str) -> None:
        """A picture, and what axe says."""
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            self.wrong.append(f"{name}: {wide} px too wide")
        shot(self.page, SHOTS / f"{name}.png")
        if self.axe is not None:
            for violation in self.axe.run(self.page, options={"runOnly": RULES}).response["violations"]:
                places = [node["html"][:140] for node in violation["nodes"][:3]]
                self.wrong.append(f"{name}: {violation['id']} {places}")


def colleague(chromium: Any, office: Office, address: str, who: str, axe: Any, wrong: list[str], **context: Any) -> Colleague:
    page = chromium.new_context(locale="en", reduced_motion="reduce", timezone_id="UTC", **context).new_page()
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    refused = "status of 409"  # what she proposes too early is refused, and the browser says so
    page.on(
        "console",
        lambda message: (
            wrong.append(f"console: {message.text}") if message.type == "error" and refused not in message.text else None
        ),
    )
    found = Colleague(page=page, office=office, address=address, wrong=wrong, axe=axe, name=who)
    found.signs_in()
    return found


@pytest.mark.browser
@pytest.mark.slow
def test_in_the_browser_from_a_moved_threshold_to_the_last_customer_put_right(chain: Chain, address: str, chromium: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    SHOTS.mkdir(parents=True, exist_ok=True)
    wrong: list[str] = []
    olga = colleague(
        chromium, chain.office, address, chain.olga, axe, wrong, viewport={"width": 1440, "height": 900}, color_scheme="light"
    )
    sam = colleague(
        chromium, chain.office, address, chain.sam, axe, wrong, viewport={"width": 1024, "height": 768}, color_scheme="dark"
    )

    # moved and replayed
    chain.come(3, between=False), chain.come(3)
    with chain.office.db.transaction() as db:
        refused = a.a_rejected(db, now=chain.now).id  # of faces that the draft would take
    chain.office.clock.forward(minutes=5)
    olga.goes("/ops/policies/draft")
    olga.page.locator(f"#{MOVED}").fill(str(LOOSER))
    olga.page.locator("#draft-reason").fill("Fewer referrals")
    olga.presses("Keep as a new version")
    olga.goes("/ops/policies/2/what-if")
    olga.page.locator("form[data-once] button").click()
    olga.page.locator("svg.flows").wait_for()
    olga.reads("Would-be wrong approvals")
    olga.looks("1-what-if")
    olga.goes("/ops/policies/2")
    olga.page.locator("#why").fill("Kinder to customers")
    olga.presses("Propose to a second person")
    olga.reads("would-be wrong approval to open")
    olga.goes("/ops/policies/2/what-if")
    olga.page.get_by_role("link", name=str(refused)[:8]).click()
    olga.page.locator("table.measured").wait_for()
    olga.goes("/ops/policies/2")
    olga.page.locator("#why").fill("Kinder to customers")
    olga.presses("Propose to a second person")
    olga.reads("You proposed this. Another person has to confirm it.")
    olga.looks("2-proposed")

    # confirmed from the mail, in shadow
    sam.goes(chain.page_of(chain.mails(chain.sam)[-1]))
    sam.presses("Confirm: begin in shadow")
    sam.goes("/ops/policies/2")
    sam.reads("In shadow", "It decides nothing.")
    chain.come(6)
    assert chain.stage() is Stage.SHADOW and chain.approved_by(2) == []
    chain.a_day()
    sam.goes("/ops/policies/2")
    sam.reads("to a person → approved: 6", "Nothing is missing for the next step.")
    sam.looks("3-shadow")

    # up the ramp, each step by who did not propose it
    olga.goes("/ops/policies/2")
    assert olga.page.get_by_role("button", name="Next step").count() == 0
    olga.reads("You proposed this. Another person takes each step.")
    for button, meanwhile in (("Next step: 5% of cases", 3), ("Next step: 25% of cases", 3), ("Next step: All cases", 5)):
        sam.goes("/ops/policies/2")
        sam.presses(button)
        chain.come(meanwhile)
        if "25%" in button:
            sam.goes("/ops/policies/2")
            sam.reads("It decides 25% of all cases")
            sam.looks("4-quarter")
        chain.a_day()
    sam.goes("/ops/policies/2")
    sam.reads("holds now")
    assert chain.held() == 2
    bad = chain.approved_by(2)
    assert len(bad) == 1 + 2 + 5

    # it halts itself, and says why on every page and by mail
    chain.goes_wrong(bad)
    (told,) = [body for body in chain.mails(chain.olga) if "8 of 11" in " ".join(body.split())]
    olga.goes(chain.page_of(told))
    olga.reads("Automatic approval has stopped itself", "8 of 11 automatic approvals were judged otherwise by people")
    olga.looks("5-halted")

    # rolled back by one
    olga.goes("/ops/policies/2")
    olga.page.locator("#back-reason").fill("Wrong approvals")
    olga.presses("Roll back now")
    olga.reads("Rolled back")
    olga.looks("6-rolled-back")
    assert chain.held() == 1

    # its approvals undone by two
    olga.goes("/ops/undo?version=2")
    olga.reads("What it would do at this moment")
    olga.looks("7-undo-preview")
    olga.page.locator("[name=reason]").last.fill("Policy 2 was too lenient")
    olga.page.locator("form[data-once] button, form button.primary").last.click()
    olga.reads("Waits for a second person", "You proposed this.")
    sam.goes(olga.page.url.removeprefix(address))
    sam.page.locator("#count").fill("8")
    sam.looks("8-undo-confirm")
    sam.presses("Confirm: take them back")
    sam.reads("Being taken back")
    assert undo.carry_out(chain.office.db, now=chain.now) == 8
    sam.reads("Done on", "8 of 8")  # by itself
    sam.looks("9-undone")
    chain.all_is_as_before(bad)

    # and on again, by two
    olga.goes("/ops")
    olga.page.locator("#reason").fill("Found and undone")
    olga.presses("Propose automatic decisions")
    olga.reads("You proposed this. Another person has to confirm it.")
    sam.goes("/ops")
    sam.looks("10-resume")
    sam.presses("Confirm: automatic decisions on")
    sam.reads("Automatic decisions are on")
    olga.goes("/ops")
    assert "has stopped itself" not in olga.page.locator("body").inner_text()
    olga.looks("11-on-again")
    chain.the_shipped_policy_decides()
    assert wrong == []
