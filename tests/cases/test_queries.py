"""What pages are told, and how many questions that takes."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event

from cases import customers, intake, queries, queue, review
from cases.lifecycle import State
from cases.nowfigures import now_figures
from tests import factories as a
from verification.evidence import Field
from verification.policy import SHIPPED
from verification.reasons import PhotoKind, ReasonCode

MINUTE = timedelta(minutes=1)


@contextmanager
def counted(session):
    """The SELECTs sent inside the block."""
    seen: list[str] = []
    engine = session.get_bind()

    def note(_connection, _cursor, statement, *_rest):
        if statement.lstrip().upper().startswith("SELECT"):
            seen.append(statement)

    engine = getattr(engine, "engine", engine)
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def ids(rows):
    return [row.id for row in rows]


def test_a_case_page_holds_everything_in_few_queries(database, now):
    with database.transaction() as session:
        case_id = a.an_in_review(session, now=now, evidence=a.a_letter_different(), new_email=a.NEW_EMAIL).id
        agent = a.a_member(session, now=now, name="Agent One")
        review.take(session, case_id, agent=agent, now=now)
    with database.reading() as session, counted(session) as seen:
        page = queries.case_page(session, case_id, now=now)
    assert len(seen) <= 12
    # The session is closed: what the page needs is loaded.
    assert page.case.customer.external_id == page.external_id
    assert (page.owner, page.owner_id) == ("Agent One", agent.id)
    assert (page.profile, page.email) == (a.PROFILE, a.OLD_EMAIL)
    assert (page.claim, page.new_email) == (a.CLAIM, a.NEW_EMAIL)
    rows = {row.field: row for row in page.fields}
    surname = rows[Field.SURNAME]
    assert (surname.on_file, surname.typed, surname.read) == ("ABELARDTEST", "BERGMANTEST", "BERGMANTEST")
    assert surname.changes and surname.differences[0].read == "N" and surname.agreement == 0.9
    assert (rows[Field.GIVEN_NAMES].typed, rows[Field.GIVEN_NAMES].changes) == (None, False)
    assert page.reading["document_type"] == "TD3" and page.field_boxes["surname"] == [10, 20, 300, 30]
    assert page.face_boxes == {"selfie": [300, 200, 400, 500]}
    assert page.policy == SHIPPED
    assert set(page.photos) == set(PhotoKind)
    assert page.runs[0].outcome == "refer" and page.runs[0].reasons == (ReasonCode.SURNAME_DIFFERS, ReasonCode.CONTACT_CHANGES)
    assert [e.kind for e in page.events][-1] == "case_taken" and page.events[-1].by == "Agent One"
    assert not page.shredded and not page.disputed and not page.profile_moved


def test_a_page_shows_what_was_on_file_before_an_approval(session, now):
    case = a.an_approved(session, now=now)
    page = queries.case_page(session, case.id, now=now)
    assert page.profile == a.PROFILE
    assert {row.field: row.on_file for row in page.fields}[Field.SURNAME] == "ABELARDTEST"


def test_a_page_says_when_the_account_moved_and_keeps_replaced_photos(session, now):
    case = a.a_draft(session, now=now)
    a.add_photos(session, case, now=now, kinds=(PhotoKind.SELFIE,))
    customers.upsert(session, case.customer.external_id, a.PROFILE, email="third@example.test", locale="en", now=now)
    page = queries.case_page(session, case.id, now=now)
    assert page.profile_moved and len(page.earlier_photos) == 1
    assert (page.reading, page.measures, page.policy, page.runs) == (None, None, None, ())


def test_progress_says_what_comes_next(session, now):
    case = a.a_draft(session, now=now, photos=False)

    def step():
        return queries.progress(session, case.id).step

    assert step() == "document"
    a.add_photos(session, case, now=now, kinds=(PhotoKind.DOCUMENT,))
    assert step() == "selfie"
    a.add_photos(session, case, now=now, kinds=(PhotoKind.SELFIE,))
    assert step() == "check"
    intake.submit(session, case.id, consent_version=a.CONSENT, now=now)
    assert step() == "checking"
    order = a.begun(session, case, now=now)
    assert step() == "checking"
    a.finished(session, order, now=now, evidence=a.blurred_selfie())
    told = queries.progress(session, case.id)
    assert (told.step, told.retake, told.reasons[0]) == ("retake", (PhotoKind.SELFIE,), ReasonCode.SELFIE_BLURRED)
    intake.ask_for_person(session, case.id, consent_version=a.CONSENT, now=now)
    assert queries.progress(session, case.id).due_at == case.due_at and step() == "person"
    intake.withdraw(session, case.id, now=now)
    assert step() == "closed"


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_step_and_a_page(session, now, state):
    case = a.in_state(session, state, now=now)
    assert queries.progress(session, case.id).state is state
    assert queries.case_page(session, case.id, now=now).case.state is state


def test_a_customer_sees_her_requests_newest_first(session, now):
    first = a.a_reverted(session, now=now)
    second = a.a_draft(session, now=now + MINUTE, customer=first.customer)
    a.a_draft(session, now=now)
    assert ids(queries.customer_cases(session, first.customer_id)) == [second.id, first.id]


@pytest.mark.parametrize(("share", "expected"), [(0.5, 5), (0.9, 9), (0.91, 10), (1.0, 10), (0.01, 1)])
def test_quantiles(share, expected):
    assert queries._quantile([float(n) for n in range(10, 0, -1)], share) == expected


def test_reading_writes_nothing(database, now):
    with database.transaction() as session:
        case_id = a.an_in_review(session, now=now).id
    with database.reading() as session:
        queries.case_page(session, case_id, now=now)
        queue.page(session, queue.Filters(), now=now)
        queue.tiles(session, agent=None, now=now)
        now_figures(session, now=now)
        assert not session.new and not session.dirty
