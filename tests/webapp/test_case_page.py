"""The case page: what stands side by side, what has to be ticked, what is hidden from whom, what other accounts share."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, select, update

from cases import answers, intake, queries, review
from cases.models import Case, Photo, Role, Run, Staff
from tests.webapp import case_scenes as scenes
from tests.webapp.staff_fixtures import PROFILE, Browser, Office, a_case, make_office
from verification.evidence import Difference
from verification.reasons import PhotoKind, ReasonCode
from webapp.desk import presenters
from webapp.desk.presenters.table import confusables

NOTE = "SEEN-BY-THE-FIRST"


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings)
    yield made
    made.db.dispose()


@pytest.fixture
def agent(office: Office) -> Browser:
    return office.signed_in(Role.AGENT, name="Ada Agent")


def referred(office: Office, seed: int = 1, **about: Any) -> UUID:
    about = {"claim": scenes.numbered(seed), "evidence": scenes.one_letter(seed), **about}
    with office.db.transaction() as db:
        return a_case(db, now=office.clock() - timedelta(hours=1), seed=seed, **about).id


def opened(browser: Browser, case_id: UUID, *, take: bool = True) -> str:
    browser.fresh("/desk")
    if take:
        assert browser.post(f"/desk/cases/{case_id}/take").status_code == 303
    answer = browser.get(f"/desk/cases/{case_id}")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def plain(markup: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", markup)))


def rows(shown: str) -> dict[str, list[str]]:
    """The table's rows by name: on file, typed, visual zone, machine-readable zone, verdict."""
    found = {}
    for row in re.findall(r'<tr class="row[^>]*>(.*?)</tr>', shown, re.DOTALL):
        name, *cells = (plain(cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL))
        found[name] = cells
    return found


def ticks(shown: str) -> set[str]:
    return set(re.findall(r'name="checked" value="(\w+)"', shown))


# The table


def test_page_and_zone_stand_apart(office, agent):
    case_id = referred(office, evidence=scenes.doubted(1))
    table = rows(opened(agent, case_id))
    on_file, typed, printed, zone, verdict = table["Given names"]
    assert (on_file, typed, printed) == ("МАРИЯ", "–", "МАРИЯ") and zone.startswith("МАРИ НА") and "not as on file" in verdict
    assert "The visual zone and the machine-readable zone do not say the same." in plain(
        agent.get(f"/desk/cases/{case_id}").get_data(as_text=True)
    )


def test_a_reading_of_before_both_were_kept_shows_where_it_was_read(office, agent):
    """Runs of an older version have one value and its source."""
    with office.db.transaction() as db:
        case_id = a_case(db, now=office.clock(), seed=3).id  # `found` keeps nothing apart
    table = rows(opened(agent, case_id))
    assert "ПРИМЕРН О" in table["Surname"][2] and table["Surname"][3] == "–"
    assert table["Date of birth"][2].startswith("1990-02-03") and table["Date of birth"][3].startswith("1990-02-03")


def test_a_row_names_letters_that_are_easily_confused_and_its_check_digit(office, agent):
    with office.db.transaction() as db:
        case_id = scenes.refer(db, scenes.new_passport(), scenes.NEW_PASSPORT, scenes.LATIN, now=office.clock(), seed=2).id
    shown = opened(agent, case_id)
    text = plain(shown)
    assert "“O” (Latin) and “0” (figure) are easily confused." in text
    number = rows(shown)["Document number"]
    assert "Its check digit does not hold." in number[3] and "1 letter differs" in number[4]
    assert "Its check digit holds." in rows(shown)["Date of expiry"][3]
    assert "Check digits do not cover the name." in text
    surname = rows(shown)["Surname"]
    assert surname[3].endswith("equal by: hyphen as space") and surname[4] == "✓ as on file"


@pytest.mark.parametrize(
    ("ours", "theirs", "named"),
    [("А", "A", True), ("O", "0", True), ("I", "1", True), ("Ё", "Е", True), ("Б", "Ж", False), ("АБ", "А", False)],
)
def test_confusables_are_named_with_what_they_are(office, ours, theirs, named):
    with office.app.test_request_context(headers={"Accept-Language": "en"}):
        said = list(confusables([Difference(claimed=ours, read=theirs, claimed_at=0, read_at=0)]))
    assert bool(said) is named


def test_every_line_opens_for_its_print_on_the_page_and_in_the_zone(office, agent):
    shown = opened(agent, referred(office))
    row = re.search(r'<summary>Patronymic</summary>.*?<tr class="more[^>]*>(.*?)</tr>', shown, re.DOTALL)
    assert row is not None and row[1].count("<svg") == 2
    assert "As printed" in row[1] and "In the zone" in row[1]


def test_who_does_not_hold_the_case_sees_no_print(office, agent):
    assert 'class="line"' not in opened(agent, referred(office), take=False)


def test_the_rows_to_be_ticked_are_those_that_the_server_asks_for(office, agent):
    case_id = referred(office)
    shown = opened(agent, case_id)
    with office.db.reading() as db:
        wanted = {name.value for name in review.rows_to_check(db, db.get_one(Case, case_id))}
    assert ticks(shown) == wanted and "surname" in wanted and "document_number" not in wanted


def test_who_only_reads_has_nothing_to_tick(office, agent):
    assert not ticks(opened(agent, referred(office), take=False))


def test_where_faces_are_compared_by_eye_no_machine_says_anything_of_them(office, agent):
    case_id = referred(office)
    with office.db.transaction() as db:
        db.get_one(Case, case_id).customer.by_eye = True
    shown = opened(agent, case_id)
    assert "No machine compares this customer's faces" in html.unescape(shown) and "strangers would score" not in shown
    assert "Weakest reading" in shown


# What is hidden


def hiding(office: Office) -> None:
    changed = office.settings.model_copy(update={"hide_opinion": True})
    office.app.extensions["peremena.settings"] = changed


def test_the_machines_opinion_is_not_in_the_page_until_she_has_answered(office, agent):
    case_id = referred(office, evidence=scenes.doubted(1))
    before = opened(agent, case_id)
    hiding(office)
    shown = opened(agent, case_id, take=False)
    for said in (
        "strangers would score", "another person by the policy", "The two face networks contradict each other.",
        '<span class="chip">found</span>', "Hints, not proof", "Turn of the head", "high risk", "zones_disagree,",
    ):  # fmt: skip
        assert said in before, said
        assert said not in shown, said
    assert "What the machine found is shown once you have answered" in shown
    assert ticks(shown) == {"surname", "document_number", "issued_on", "issuer_code"}


def test_who_gave_the_first_answer_sees_what_the_machine_found_and_who_is_to_give_the_second_does_not(office, agent):
    case_id, first = second(office)
    hiding(office)
    assert "strangers would score" in office.sign_in(first).get(f"/desk/cases/{case_id}").get_data(as_text=True)
    assert "strangers would score" not in opened(agent, case_id)


def test_an_answer_that_she_can_take_back_opens_nothing(settings, database):
    """Else she could answer, look at what the machine found, and answer anew."""
    office = make_office(settings.model_copy(update={"undo_seconds": 20, "hide_opinion": True}))
    agent = office.signed_in(Role.AGENT, name="Ada Agent")
    case_id = referred(office)
    opened(agent, case_id)
    with office.db.reading() as db:
        version = db.get_one(Case, case_id).version
    sent = agent.post(
        f"/desk/cases/{case_id}/answer",
        action="reject",
        reject_reason="surname_differs",
        note="n",
        seen_version=version,
        then="queue",
    )
    assert sent.status_code == 303
    shown = agent.get(f"/desk/cases/{case_id}").get_data(as_text=True)
    assert "not sent yet" in shown and "strangers would score" not in shown
    answers.carry_out_due(office.db, now=office.clock() + timedelta(minutes=1))
    assert "strangers would score" in agent.get(f"/desk/cases/{case_id}").get_data(as_text=True)
    office.db.dispose()


def test_who_does_not_decide_sees_the_machines_opinion_in_any_case(office):
    lead = office.signed_in(Role.LEAD)
    case_id = referred(office)
    hiding(office)
    assert "strangers would score" in lead.get(f"/desk/cases/{case_id}").get_data(as_text=True)


def second(office: Office) -> tuple[UUID, str]:
    """A case that a first person has approved, and who that was."""
    first = office.member(Role.AGENT, name="Ben First")
    with office.db.transaction() as db:
        case_id = scenes.refer(
            db, scenes.doubted(6), scenes.numbered(6), PROFILE, now=office.clock() - timedelta(hours=2), seed=6, country="RUS",
            new_email="new@example.test",
        ).id  # fmt: skip
    scenes.answer(office, case_id, first, "approve", note=NOTE, now=office.clock() - timedelta(hours=1))
    with office.db.reading() as db:
        assert db.get_one(Case, case_id).second_at is not None
    return case_id, first


def test_the_second_person_learns_nothing_of_the_first_answer(office, agent):
    case_id, _ = second(office)
    shown = opened(agent, case_id)
    assert "second person" in shown
    for said in (NOTE, "answer_given", "second_asked", "approved", "answered; nothing was sent yet"):
        assert said not in shown, said
    assert "Somebody answered this case before you." in shown


def test_who_gave_the_first_answer_still_sees_it(office):
    case_id, first = second(office)
    shown = office.sign_in(first).get(f"/desk/cases/{case_id}").get_data(as_text=True)
    assert NOTE in shown and "waits for a second person" in shown and "Somebody answered this case before you." not in shown


# Other accounts, and before


def test_the_same_document_number_in_another_account_is_shown(office, agent):
    other, case_id = referred(office, seed=2, claim=scenes.numbered(1)), referred(office, seed=1)
    shown = opened(agent, case_id)
    assert "The same document number in another account." in shown and f"/desk/cases/{other}" in shown


def test_the_very_same_photo_in_another_account_is_shown_though_it_is_shredded(office, agent):
    other, case_id = referred(office, seed=2), referred(office, seed=1)
    with office.db.transaction() as db:
        theirs = db.scalars(select(Photo).where(Photo.case_id == other, Photo.kind == PhotoKind.SELFIE)).one()
        mine = db.scalars(select(Photo).where(Photo.case_id == case_id, Photo.kind == PhotoKind.SELFIE)).one()
        theirs.sha256, theirs.shredded_at = mine.sha256, office.clock()
    shown = opened(agent, case_id)
    assert "The very same selfie in another account." in shown and f"/desk/cases/{other}" in shown


def test_another_accounts_face_on_file_sent_as_a_selfie_is_shown(office, agent):
    other, case_id = referred(office, seed=2), referred(office, seed=1)
    with office.db.transaction() as db:
        whose = db.get_one(Case, other).customer_id
        theirs = db.scalars(select(Photo).where(Photo.customer_id == whose, Photo.kind == PhotoKind.ON_FILE)).one()
        mine = db.scalars(select(Photo).where(Photo.case_id == case_id, Photo.kind == PhotoKind.SELFIE)).one()
        theirs.sha256 = mine.sha256
    assert "This very picture is another account's face on file." in html.unescape(opened(agent, case_id))


def test_her_own_earlier_case_with_the_same_papers_is_no_twin(office, agent):
    case_id = referred(office)
    with office.db.transaction() as db:
        case = intake.withdraw(db, case_id, now=office.clock())
        again = intake.open_case(
            db, case.customer, scenes.numbered(1), country="RUS", new_email=None, locale="ru", now=office.clock()
        )
        second_id = again.id
        db.execute(update(Case).where(Case.id == second_id).values(document_index=case.document_index))
    shown = opened(agent, second_id, take=False)
    assert "Seen in other accounts" not in shown
    assert str(case_id) in shown and "Other requests of this customer" in shown


def test_earlier_cases_say_who_decided(office, agent):
    with office.db.transaction() as db:
        one = a_case(db, now=office.clock() - timedelta(days=9), seed=4, claim=scenes.numbered(4), evidence=scenes.one_letter(4))
        customer, one_id = one.customer_id, one.id
    scenes.answer(
        office, one_id, office.member(Role.AGENT, name="Ben First"), "reject", note="No.", now=office.clock() - timedelta(days=8),
        reasons=(ReasonCode.SURNAME_DIFFERS,),
    )  # fmt: skip
    with office.db.reading() as db:
        now_open = Case(id=UUID(int=1), customer_id=customer)
        found = queries.past_cases(db, now_open)
    assert [(row.id, row.by) for row in found] == [(one_id, "person")]


def test_the_timeline_tells_in_words_and_joins_what_repeats(office):
    line = queries.EventRow(id=1, at=office.clock(), kind="photo_kept", by="customer", details={})
    looked = replace(line, kind="photo_opened")
    ran = replace(line, kind="run_finished", by="machine", details={"outcome": "refer"})
    with office.app.test_request_context(headers={"Accept-Language": "en"}):
        told = presenters.happened([line, looked, replace(line), ran])
    assert [(one.text, one.by, one.count) for one in told] == [
        ("looked at it: to a person", "the machine", 1), ("sent a photo", "the customer", 2),
    ]  # fmt: skip


# How much it asks of the database

MOST_QUERIES = 72
"""Of one look at a case with everything on it, session and rights of the viewer included; more of anything must not ask more."""


def counted(office: Office, browser: Browser, address: str) -> int:
    count = 0

    def one_more(*_: Any) -> None:
        nonlocal count
        count += 1

    event.listen(office.db.engine, "before_cursor_execute", one_more)
    try:
        assert browser.get(address).status_code == 200
    finally:
        event.remove(office.db.engine, "before_cursor_execute", one_more)
    return count


def test_the_page_asks_the_database_a_bounded_number_of_questions(office, agent):
    case_id = referred(office, evidence=scenes.doubted(1))
    opened(agent, case_id)
    few = counted(office, agent, f"/desk/cases/{case_id}")
    for seed in range(2, 7):
        referred(office, seed=seed, claim=scenes.numbered(1))
    with office.db.transaction() as db:
        run = db.scalars(select(Run).where(Run.case_id == case_id)).one()
        run.reasons = [*run.reasons, *(r.value for r in ReasonCode)][:40]
        case = db.get_one(Case, case_id)
        me = db.scalars(select(Staff).where(Staff.name == "Ada Agent")).one()
        for at in range(12):
            review.add_note(db, case.id, agent=me, note=f"Looked {at} times.", now=office.clock())
    many = counted(office, agent, f"/desk/cases/{case_id}")
    assert many <= few + 2 and few <= MOST_QUERIES, (few, many)
