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
from tests.webapp.staff_fixtures import PROFILE, Browser, Office, a_case, found, hide_opinion, make_office
from verification.evidence import Difference, Pair
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


def test_the_machines_opinion_is_not_in_the_page_until_she_has_answered(office, agent):
    case_id = referred(office, evidence=scenes.doubted(1))
    before = opened(agent, case_id)
    hide_opinion(office)
    shown = opened(agent, case_id, take=False)
    for said in (
        "strangers would score", "another person by the policy", "The two face networks contradict each other.",
        '<span class="chip">found</span>', "Hints, not proof", "Turn of the head", "high risk", "zones_disagree,",
    ):  # fmt: skip
        assert said in before, said
        assert said not in shown, said
    assert "What the machine found is shown once you have answered" in shown
    assert ticks(shown) == {"surname", "document_number", "issued_on", "issuer_code", "given_names"}


def test_who_gave_the_first_answer_sees_what_the_machine_found_and_who_is_to_give_the_second_does_not(office, agent):
    case_id, first = second(office)
    hide_opinion(office)
    assert "strangers would score" in office.sign_in(first).get(f"/desk/cases/{case_id}").get_data(as_text=True)
    assert "strangers would score" not in opened(agent, case_id)


def test_an_answer_that_she_can_take_back_opens_nothing(settings, database):
    """Else she could answer, look at what the machine found, and answer anew."""
    office = make_office(settings.model_copy(update={"undo_seconds": 20}))
    hide_opinion(office)
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
    hide_opinion(office)
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


def test_behind_the_veil_no_row_says_how_sure_the_reader_is_nor_what_the_policy_makes_of_the_paper(office, agent):
    case_id = referred(office, evidence=scenes.doubted(1))
    before = plain(opened(agent, case_id))
    hide_opinion(office)
    shown = plain(agent.get(f"/desk/cases/{case_id}").get_data(as_text=True))
    for said in ("per cent sure of it", "not sure", "needs 6.7", "The face on file is", "So old a portrait decides only"):
        assert said in before, said
        assert said not in shown, said
    assert "compare it" in shown and "The visual zone and the machine-readable zone do not say the same." in shown


def test_behind_the_veil_what_is_missing_in_an_answer_tells_nothing_either(office, agent):
    """A weighty reason, and a row that nobody is sure of, ask for the same as any other case does."""
    told = []
    hide_opinion(office)
    for seed, evidence in ((1, scenes.doubted(1)), (2, found(scenes.numbered(2), similarity=9.0))):
        case_id = referred(office, seed=seed, evidence=evidence)
        boxes = ticks(opened(agent, case_id))
        send = {"action": "approve", "seen_version": version(office, case_id)}
        assert agent.post(f"/desk/cases/{case_id}/answer", **send, note="n").status_code == 422
        wanting = agent.post(f"/desk/cases/{case_id}/answer", **send, note="n").get_data(as_text=True)
        told.append(re.search(r'id="checked-problem"[^>]*>(.*?)<', wanting, re.DOTALL)[1])
        bare = agent.post(f"/desk/cases/{case_id}/answer", **send, checked=sorted(boxes)).get_data(as_text=True)
        told.append(re.search(r'id="note-problem"[^>]*>(.*?)<', bare, re.DOTALL)[1])
        assert "weighty" not in bare.lower()
    assert told[1] == told[3] == "What the machine found is hidden from you. Say in a note what you compared."
    assert all("surname, document number, date of issue, code of the issuing office" in told[at] for at in (0, 2))


# What may be taken


def version(office: Office, case_id: UUID) -> int:
    with office.db.reading() as db:
        return db.get_one(Case, case_id).version


TAKES = 'data-key="n">Take this case'


def test_a_page_offers_a_case_only_where_the_server_grants_it(office, agent):
    free = referred(office)
    assert TAKES in opened(agent, free, take=False)
    second_case, first = second(office)
    own = office.sign_in(first).get(f"/desk/cases/{second_case}").get_data(as_text=True)
    assert TAKES not in own and "You gave the first answer: another person answers now." in own
    given_out = office.settings.model_copy(update={"free_choice": False})
    office.app.extensions["peremena.settings"] = given_out
    senior = office.signed_in(Role.SENIOR_AGENT)
    with office.db.transaction() as db:
        me = db.scalars(select(Staff).where(Staff.name == "Ada Agent")).one()
        review.take(db, free, agent=me, now=office.clock())
        review.escalate(db, free, agent=me, note="Please look.", now=office.clock())
    assert TAKES not in agent.get(f"/desk/cases/{free}").get_data(as_text=True)
    assert TAKES in senior.get(f"/desk/cases/{free}").get_data(as_text=True)


# The face on file, in words; measures as places on the policy's lines


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ({}, "The face on file is the one on the selfie and on the document."),
        ({Pair.SELFIE_ON_FILE: 1.0}, "not surely the one on the selfie."),
        ({Pair.DOCUMENT_ON_FILE: 1.0}, "not surely the one on the document."),
        ({Pair.SELFIE_ON_FILE: 1.0, Pair.DOCUMENT_ON_FILE: 1.0}, "The face on file is like neither the selfie nor the document."),
        ({Pair.SELFIE_ON_FILE: float("nan")}, "The face on file could not be compared with both photos."),
    ],
)
def test_continuity_says_in_words_whether_the_face_on_file_matches(office, agent, pairs, said):
    base = scenes.one_letter(1)
    changed = {pair: replace(base.measures.pairs[pair], similarity=score) for pair, score in pairs.items()}
    evidence = replace(base, measures=replace(base.measures, pairs={**base.measures.pairs, **changed}))
    assert said in plain(opened(agent, referred(office, evidence=evidence)))


def test_a_score_on_its_line_that_too_many_strangers_reach_does_not_pass(office, agent):
    base = scenes.one_letter(1)
    often = replace(base.measures.pairs[Pair.SELFIE_ON_FILE], similarity=8.4, fmr=0.01)
    evidence = replace(base, measures=replace(base.measures, pairs={**base.measures.pairs, Pair.SELFIE_ON_FILE: often}))
    shown = plain(opened(agent, referred(office, evidence=evidence)))
    assert "not surely the one on the selfie." in shown and "The policy allows 1 in 10,000 at most." in shown


def test_every_measure_with_a_line_is_drawn_on_it(office, agent):
    evidence = scenes.doubted(1)
    shown = plain(opened(agent, referred(office, evidence=replace(
        evidence, measures=replace(evidence.measures, days_to_expiry=12, never_expires=False)
    ))))  # fmt: skip
    for value, line in (
        ("50%", "needs 100%"), ("1%", "needs 8%"), ("3.1", "needs 5.0"), ("17 years", "at most 10"), ("12 days", "needs 0"),
        ("0.88", "needs 1.0"), ("0.86", "needs 0.8"), ("1.4", "needs 6.7"),
    ):  # fmt: skip
        assert f"{value} {line}" in shown, (value, line)


@pytest.mark.parametrize(
    ("value", "lower", "passes"),
    [(10, True, True), (11, True, False), (10, False, True), (9.9, False, False), (None, False, False)],
)
def test_on_the_line_passes(office, value, lower, passes):
    with office.app.test_request_context():
        drawn = presenters.bar(value, 10, ends=(0, 40), value_text="v", line_text="l", lower=lower)
    assert (drawn.passes, drawn.line) == (passes, 25.0)
    assert (drawn.band, drawn.wide) == ((0.0, 25.0) if lower else (25.0, 75.0))


def test_what_one_value_says_stands_once_and_opens_for_all_of_it(office, agent):
    shown = opened(agent, referred(office, evidence=scenes.doubted(1)))
    folded = re.search(r'<tbody class="fold">(.*?)</tbody>', shown, re.DOTALL)[1]
    assert "1990-02-03" in folded and "Nationality" in folded
    assert "МАРИЯ" not in folded and "770-001" not in folded  # page and zone differ; it changes
    assert rows(shown)["Date of birth"][0] == "1990-02-03"


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
        sent = {"document_index": case.document_index, "attempt": 1}  # nobody here sees what was never sent
        db.execute(update(Case).where(Case.id == second_id).values(sent))
    shown = opened(office.signed_in(Role.SENIOR_AGENT), second_id, take=False)
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
