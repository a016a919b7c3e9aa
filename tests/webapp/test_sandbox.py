"""The sandbox: a developer goes the whole way of a case by API, and nothing of it reaches the desk, the mail or a figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from cases import api_keys, audit, customers, nowfigures, queue, review, trials, undo
from cases.database import Database, utcnow
from cases.lifecycle import IllegalTransition
from cases.models import Case, Notification, Photo, Role
from cases.ops_tables import DecisionCount, RunRecord
from cases.settings import Settings
from tests import factories
from tests.conftest import NOW
from tests.webapp.conftest import ANNA, Portal
from verification import images, marks, quality, sandbox
from verification import trials as specimens
from verification.evidence import Profile, Quality
from verification.reasons import PhotoKind
from webapp.app import create_app
from workers import process, verify

PROFILE = {
    "surname": "ERIKSSON", "given_names": "ANNA MARIA", "date_of_birth": "1990-05-01", "sex": "F", "document_number": "L898902C3",
}  # fmt: skip


@dataclass
class Host:
    """A host system with a key of either mode."""

    app: Flask
    keys: dict[str, str]
    names: Iterator[str] = field(default_factory=lambda: (f"c-{n}" for n in range(1, 99)))

    def ask(self, method: str, path: str, mode: str = "test", **more: Any) -> TestResponse:
        client: FlaskClient = self.app.test_client()
        return client.open(f"/v1{path}", method=method, headers={"Authorization": f"Bearer {self.keys[mode]}"}, **more)

    def told(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        answer = self.ask(method, path, **more)
        assert answer.status_code < 300, answer.text
        body: dict[str, Any] = answer.get_json()
        return body

    def customer(self, mode: str = "test") -> str:
        name = next(self.names)
        self.told("PUT", f"/customers/{name}", mode=mode, json={"profile": PROFILE, "email": "a@example.test", "locale": "en"})
        return name

    def case(self) -> str:
        claim = {"surname": "LINDQVIST", "document_number": "L898903C4"}
        opened = self.told("POST", "/cases", json={"customer": self.customer(), "reason": "marriage", "claim": claim})
        return str(opened["id"])

    def sends(self, case: str, document: str = "approve", selfie: str = "approve", copy: int = 1) -> str:
        """Photos, sending and the worker; returns what the worker said."""
        for kind, key in (("document", document), ("selfie", selfie)):
            picture = self.ask("GET", f"/sandbox/specimens/{key}/{kind}?copy={copy}")
            assert picture.mimetype == "image/jpeg"
            self.told("PUT", f"/sandbox/cases/{case}/photos/{kind}", data=picture.data, content_type="image/jpeg")
        assert self.told("POST", f"/sandbox/cases/{case}/submit")["state"] == "submitted"
        return verify.verify_case(case)


def here(data: bytes, limits: images.Limits) -> images.Pixels:
    return images.decode(data, limits=limits, isolate=False)


def measured_here(data: bytes, kind: PhotoKind, limits: images.Limits) -> tuple[bytes, Quality, bytes, str | None]:
    pixels = here(data, limits)
    return images.encode_jpeg(pixels), quality.measure(pixels, kind), quality.fingerprint(pixels), marks.read(pixels)


@pytest.fixture
def at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are decoded in this process: a child for each of them takes half a second, and other tests start it."""
    monkeypatch.setattr(sandbox, "decode", here)
    monkeypatch.setattr(sandbox, "measure_file", measured_here)


@pytest.fixture
def host(database: Database, settings: Settings, at_hand: None) -> Iterator[Host]:
    app = create_app(settings, surfaces="api")
    app.testing = True
    with database.transaction() as session:
        keys = {
            mode: api_keys.create(
                session,
                name=mode,
                mode=mode,
                scopes=[s for s in api_keys.SCOPES if mode == "test" or s not in api_keys.TEST_ONLY],
                by=None,
                now=utcnow(),
            )[1]
            for mode in api_keys.MODES
        }
    process.use(settings)
    yield Host(app, keys)
    process.close()
    app.extensions["peremena.database"].dispose()


def test_the_specimens_are_listed_and_each_can_be_had(host: Host) -> None:
    listed = host.told("GET", "/sandbox/specimens")["data"]
    assert {(one["specimen"], one["kind"]) for one in listed} == {(key, kind.value) for key, kind in specimens.TRIALS}
    one = next(one for one in listed if one["specimen"] == "document_expired")
    assert (one["outcome"], one["means"]) == ("refer", "The document has expired.")
    first, second = (host.ask("GET", f"{one['picture'][3:]}?copy={n}").data for n in (1, 2))
    assert first != second
    assert images.decode(first, isolate=False).shape == (1000, 1400, 3)
    assert host.ask("GET", "/sandbox/specimens/no_such/document").get_json()["code"] == "not_found"
    assert host.ask("GET", "/sandbox/specimens/document_expired/selfie").status_code == 404
    assert host.ask("GET", "/sandbox/specimens/approve/selfie?copy=100").get_json()["code"] == "invalid"


def test_an_approving_pair_changes_the_name_and_the_answer_comes_from_the_policy(host: Host, database: Database) -> None:
    case = host.case()
    assert host.sends(case) == "approved"
    outcome = host.told("GET", f"/cases/{case}/outcome")
    assert (outcome["decision"], outcome["decided_by"], outcome["policy_version"]) == ("approve", "machine", 1)
    assert outcome["applied"]["profile"]["surname"] == "LINDQVIST"
    assert outcome["livemode"] is False


def test_a_retake_wants_another_file_and_then_goes_through(host: Host) -> None:
    case = host.case()
    assert host.sends(case, selfie="selfie_blurred") == "needs_retake"
    assert host.told("GET", f"/cases/{case}")["retake"] == ["selfie"]
    blurred = host.ask("GET", "/sandbox/specimens/selfie_blurred/selfie").data
    again = host.ask("PUT", f"/sandbox/cases/{case}/photos/selfie", data=blurred, content_type="image/jpeg")
    assert (again.status_code, again.get_json()["errors"][0]["code"]) == (422, "same_photo")
    lacking = host.ask("POST", f"/sandbox/cases/{case}/submit")
    assert (lacking.status_code, lacking.get_json()["code"], lacking.get_json()["missing"]) == (422, "incomplete", ["selfie"])
    assert host.sends(case, copy=2) == "approved"


@pytest.mark.parametrize(
    ("answer", "state", "decision"),
    [
        ({"action": "approve"}, "approved", "approve"),
        ({"action": "reject", "reasons": ["document_doubted"]}, "rejected", "reject"),
        ({"action": "ask_retake", "retake": ["document"]}, "needs_retake", "retake"),
    ],
)
def test_a_developer_answers_in_the_desks_place(host: Host, answer: dict[str, Any], state: str, decision: str) -> None:
    case = host.case()
    assert host.sends(case, document="document_doubted") == "in_review"
    assert host.told("POST", f"/sandbox/cases/{case}/answer", json=answer)["state"] == state
    outcome = host.told("GET", f"/cases/{case}/outcome")
    assert (outcome["decision"], outcome["decided_by"]) == (decision, "person")
    again = host.ask("POST", f"/sandbox/cases/{case}/answer", json=answer)
    assert (again.status_code, again.get_json()["code"], again.get_json()["state"]) == (409, "state_conflict", state)


def test_an_approval_is_put_back_and_the_former_name_holds_again(host: Host, database: Database) -> None:
    case = host.case()
    host.sends(case)
    assert host.told("POST", f"/sandbox/cases/{case}/answer", json={"action": "revert"})["state"] == "reverted"
    held = host.told("GET", f"/customers/{host.told('GET', f'/cases/{case}')['customer']}")
    assert held["profile"]["surname"] == "ERIKSSON"
    with database.reading() as session:
        assert audit.verify(session).ok


def test_an_answer_says_what_it_lacks(host: Host) -> None:
    case = host.case()
    host.sends(case, document="names_not_the_accounts")
    for body, pointer in (({"action": "reject"}, "/reasons"), ({"action": "ask_retake", "retake": ["on_file"]}, "/retake")):
        refused = host.ask("POST", f"/sandbox/cases/{case}/answer", json=body)
        assert (refused.status_code, refused.get_json()["errors"][0]["pointer"]) == (422, pointer)


def test_a_live_key_finds_no_way_in(host: Host) -> None:
    for method, path in (
        ("GET", "/sandbox/specimens"),
        ("GET", "/sandbox/specimens/approve/selfie"),
        ("PUT", f"/sandbox/cases/{uuid4()}/photos/selfie"),
        ("POST", f"/sandbox/cases/{uuid4()}/submit"),
        ("POST", f"/sandbox/cases/{uuid4()}/answer"),
    ):
        refused = host.ask(method, path, mode="live")
        assert (refused.status_code, refused.get_json()["code"]) == (403, "live_key"), path


def test_a_specimen_is_refused_for_a_real_customer_in_the_api_as_well(host: Host) -> None:
    picture = images.encode_jpeg(specimens.picture("approve", PhotoKind.SELFIE))
    live, test = host.customer("live"), host.customer()
    refused = host.ask("PUT", f"/customers/{live}/face", mode="live", data=picture, content_type="image/jpeg")
    assert (refused.status_code, refused.get_json()["errors"][0]["code"]) == (422, "image_for_tests")
    assert host.ask("PUT", f"/customers/{test}/face", data=picture, content_type="image/jpeg").status_code == 200


def test_the_service_itself_refuses_to_play_with_a_real_case(database: Database) -> None:
    with database.transaction() as session:
        case = factories.a_draft(session, now=NOW)
        for play in (
            lambda: trials.submit(session, case.id, now=utcnow()),
            lambda: trials.answer(session, case.id, "approve", actor=audit.HOST, now=utcnow()),
        ):
            with pytest.raises(trials.NotATrial):
                play()


def test_nothing_of_the_sandbox_reaches_desk_mail_or_figures(host: Host, database: Database) -> None:
    waiting = host.case()
    host.sends(waiting, document="document_doubted")
    host.sends(host.case())
    host.sends(host.case(), selfie="selfie_blurred")
    rejected = host.case()
    host.sends(rejected, document="surname_differs")
    host.told("POST", f"/sandbox/cases/{rejected}/answer", json={"action": "reject", "reasons": ["surname_differs"]})
    with database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Case).where(Case.trial)) == 4
        for table in (Notification, DecisionCount, RunRecord):
            assert session.scalar(select(func.count()).select_from(table)) == 0, table
        now = utcnow()
        seen = nowfigures.now_figures(session, now=now)
        assert (seen.sent.n, seen.decided.n, seen.waiting, seen.desk.waiting, seen.reasons_of) == (0, 0, 0, 0, 0)
        assert (seen.by_machine.n, seen.by_people.n, seen.run.n) == (0, 0, 0)
        for view in queue.View:
            assert queue.page(session, queue.Filters(view=view), now=now).rows == (), view
        with pytest.raises(undo.NothingToUndo):
            undo.propose(
                session, undo.Selection(version=1), by=factories.a_member(session, Role.LEAD, now=now), reason="a test", now=now
            )
        agent = factories.a_member(session, Role.AGENT, now=now)
        assert review.take_next(session, agent=agent, now=now) is None
        waits = session.scalars(select(Case).where(Case.trial, Case.referred_at.is_not(None))).one()
        with pytest.raises(IllegalTransition):
            review.take(session, waits.id, agent=agent, now=now)


SENTENCE = {
    "en": "This is a test picture for developers.",
    "ru": "Это тестовая картинка для разработчиков.",
    "kk": "Бұл — әзірлеушілерге арналған сынақ суреті.",
    "es": "Esta es una imagen de prueba para desarrolladores.",
}


def test_a_specimen_is_refused_on_the_portal_in_her_language_and_can_never_be_insisted_on(portal: Portal, at_hand: None) -> None:
    anna = portal.customer()
    case = portal.draft(anna, photos=False)
    address = f"/requests/{case}/photos/document"
    for number, (language, sentence) in enumerate(SENTENCE.items(), 1):
        browser = portal.sign_in(anna, language=language)
        browser.get(address)
        picture = images.encode_jpeg(specimens.picture("approve", PhotoKind.DOCUMENT, copy=number))
        for anyway in ({}, {"anyway": "1"}):
            told = browser.upload(address, picture, **anyway)
            assert (told.status_code, sentence in told.text) == (422, True), language
            assert 'name="anyway"' not in told.text
    with portal.db.reading() as session:
        assert session.scalar(select(func.count()).select_from(Photo)) == 0


def test_a_customer_of_the_sandbox_sends_specimens_on_the_portal(portal: Portal, at_hand: None) -> None:
    with portal.db.transaction() as session:
        made = customers.upsert(
            session, "c-1", Profile(values=ANNA), email="a@example.test", locale="en", now=portal.clock(), sandbox=True
        )
    case = portal.draft(made.id, photos=False)
    browser = portal.sign_in(made.id)
    for kind, then in (("document", "/photos/selfie"), ("selfie", "/check")):
        browser.get(f"/requests/{case}/photos/{kind}")
        picture = images.encode_jpeg(specimens.picture("approve", PhotoKind(kind)))
        kept = browser.upload(f"/requests/{case}/photos/{kind}", picture)
        assert str(kept.location).endswith(then)
