"""What a customer sees whose request was granted in part."""

from __future__ import annotations

from cases import answers, intake, review
from cases.models import Case
from tests import factories as a
from tests.webapp.conftest import Portal
from verification.evidence import Field

WORDS = "Please send your marriage certificate with a new request."


def test_she_reads_what_changed_what_stays_and_why(portal: Portal) -> None:
    customer = portal.customer()
    case_id = portal.draft(customer)
    with portal.db.transaction() as session:
        intake.ask_for_person(session, case_id, consent_version="1", now=portal.clock())
        for _ in range(2):  # no machine compared the faces: it takes two
            agent = a.a_member(session, now=portal.clock())
            case = review.take(session, case_id, agent=agent, now=portal.clock())
            part = review.Disposal(
                action="approve",
                fields=frozenset({Field.DOCUMENT_NUMBER}),
                checked=frozenset({Field.DOCUMENT_NUMBER}),
                note="No certificate.",
                words=WORDS,
                seen_version=case.version,
            )
            answers.give(session, case_id, part, agent=agent, now=portal.clock())
    page = portal.sign_in(customer).follow(f"/requests/{case_id}").text
    assert "Part of your details has been changed" in page
    assert "These details stay as they were for now: Surname." in " ".join(page.split())
    assert "ПЕТРОВА" not in page.split("<footer")[0], "what was not accepted does not stand among what changed"
    assert "4524654321" in page.replace(" ", "") and WORDS in page


def test_what_was_granted_whole_says_nothing_of_parts(portal: Portal) -> None:
    customer = portal.customer()
    case_id = portal.draft(customer)
    with portal.db.transaction() as session:
        intake.ask_for_person(session, case_id, consent_version="1", now=portal.clock())
        a.approved_by_people(session, session.get_one(Case, case_id), now=portal.clock())
    page = portal.sign_in(customer).follow(f"/requests/{case_id}").text
    assert "Your details have been changed" in page and "stay as they were" not in page and "ПЕТРОВА" in page
