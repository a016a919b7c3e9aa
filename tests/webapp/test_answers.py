"""What an agent answers over HTTP: ticks, words to the customer, preview, a part of a request, taking it back, handing it on."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from cases import answers, conversations, intake, notifications, replies, review, wording
from cases.desk_tables import Answer, AnswerState, ReplyUse
from cases.lifecycle import State
from cases.models import Case, Customer, Message, Notification, Role, Staff
from tests import factories
from tests.webapp.conftest import Portal
from tests.webapp.staff_fixtures import Browser, Office, a_case, found, make_office
from verification.evidence import Field
from verification.reasons import PhotoKind, ReasonCode
from webapp.desk.answers import MAILS

CHECKED = ["surname", "issued_on", "issuer_code"]
"""Rows of the case of nobody that the machine was not sure of."""


@pytest.fixture
def office(settings: Any, database: Any) -> Iterator[Office]:
    made = make_office(settings.model_copy(update={"undo_seconds": 20}))
    yield made
    made.db.dispose()


@pytest.fixture
def agent(office: Office) -> Browser:
    return office.signed_in(Role.AGENT, name="Ada Agent")


def referred(office: Office, *, seed: int = 0, **about: Any) -> UUID:
    with office.db.transaction() as db:
        return a_case(db, now=office.clock(), seed=seed, **about).id


def taken(office: Office, agent: Browser, **about: Any) -> UUID:
    case_id = referred(office, **about)
    agent.fresh("/desk")
    assert agent.post(f"/desk/cases/{case_id}/take").status_code == 303
    agent.get(f"/desk/cases/{case_id}")
    return case_id


def case(office: Office, case_id: UUID) -> Case:
    with office.db.reading() as db:
        return db.get_one(Case, case_id)


def send(office: Office, agent: Browser, case_id: UUID, **about: Any) -> Any:
    given = {"seen_version": case(office, case_id).version, "then": "queue", "checked": CHECKED, **about}
    return agent.post(f"/desk/cases/{case_id}/answer", **given)


def later(office: Office, seconds: float = 21) -> None:
    """The time to take an answer back is over, and upkeep has come by."""
    office.clock.forward(seconds=seconds)
    answers.carry_out_due(office.db, now=office.clock())


def given(office: Office) -> list[Answer]:
    with office.db.reading() as db:
        return list(db.scalars(select(Answer).order_by(Answer.given_at)))


def text(answer: Any) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.get_data(as_text=True))))


RETAKE = {"action": "ask_retake", "retake": "document", "retake_reason": "document_glare"}
REJECT = {"action": "reject", "reject_reason": "surname_differs", "note": "One letter."}


# Rows to tick


def test_an_approval_without_ticks_is_refused_and_names_the_rows(office, agent):
    case_id = taken(office, agent)
    refused = send(office, agent, case_id, action="approve", checked=["surname"])
    assert refused.status_code == 422
    assert "compare each of these with the document and tick it: date of issue, code of the issuing office." in text(refused)
    assert given(office) == []
    shown = refused.get_data(as_text=True)
    ticked = {m[1] for m in re.finditer(r'<input[^>]*name="checked"[^>]*value="(\w+)"[^>]*\schecked', shown)}
    assert ticked == {"surname"}
    assert send(office, agent, case_id, action="approve").status_code == 303


def test_a_refusal_needs_no_ticks(office, agent):
    assert send(office, agent, taken(office, agent), checked=[], **REJECT).status_code == 303


# Taking it back


def test_nothing_leaves_for_twenty_seconds_and_the_next_page_offers_to_take_it_back(office, agent):
    case_id, following = taken(office, agent, seed=1), referred(office, seed=2)
    sent = send(office, agent, case_id, action="approve", then="next")
    assert sent.location == f"/desk/cases/{following}"
    assert case(office, case_id).state is State.IN_REVIEW
    for place in (f"/desk/cases/{following}", "/desk"):
        shown = agent.get(place)
        assert f"Case {str(case_id)[:8]}: approved." in text(shown) and 'data-undo="20"' in shown.get_data(as_text=True)
    later(office)
    assert case(office, case_id).state is State.APPROVED
    assert "data-undo" not in agent.get("/desk").get_data(as_text=True)


def test_what_is_taken_back_comes_back_as_it_was_typed(office, agent):
    case_id = taken(office, agent)
    send(office, agent, case_id, **REJECT, words="Please type every letter as it stands.")
    (answer,) = given(office)
    office.clock.forward(seconds=19)
    back = agent.post(f"/desk/answers/{answer.id}/take-back")
    assert back.status_code == 200 and "Your answer was taken back: nothing was sent." in text(back)
    shown = back.get_data(as_text=True)
    assert re.search(r'value="reject"[^>]* checked', shown) and re.search(r'value="surname_differs"[^>]* checked', shown)
    assert "Please type every letter as it stands.</textarea>" in shown and "One letter.</textarea>" in shown
    later(office, 60)
    assert case(office, case_id).state is State.IN_REVIEW
    fresh = re.search(r'name="seen_version" value="(\d+)"', shown)
    assert send(office, agent, case_id, **REJECT, seen_version=fresh[1]).status_code == 303


def test_too_late_is_said(office, agent):
    case_id = taken(office, agent)
    send(office, agent, case_id, **REJECT)
    (answer,) = given(office)
    later(office)
    agent.fresh("/desk")
    assert agent.post(f"/desk/answers/{answer.id}/take-back").location == "/desk"
    assert "Too late to take it back: the answer is on its way to the customer." in text(agent.get("/desk"))
    assert case(office, case_id).state is State.REJECTED


def test_nobody_takes_back_anothers_answer(office, agent):
    case_id = taken(office, agent)
    send(office, agent, case_id, **REJECT)
    other = office.signed_in(Role.SENIOR_AGENT)
    assert "data-undo" not in other.fresh("/desk").get_data(as_text=True)
    assert other.post(f"/desk/answers/{given(office)[0].id}/take-back").status_code == 403


def test_an_answer_overtaken_by_the_customer_is_told_until_it_is_read(office, agent):
    case_id = taken(office, agent)
    send(office, agent, case_id, action="approve")
    with office.db.transaction() as db:
        intake.withdraw(db, case_id, now=office.clock())
    later(office)
    assert given(office)[0].state is AnswerState.DROPPED
    told = f"Your answer to case {str(case_id)[:8]} was not sent. The request was closed"
    assert told in text(agent.fresh("/desk"))
    agent.post(f"/desk/answers/{given(office)[0].id}/told")
    assert told not in text(agent.get("/desk"))


# Words to the customer


def test_words_reach_the_customer_with_the_answer_and_stand_sealed_before(office, agent):
    case_id = taken(office, agent)
    words = "Положите паспорт у окна. Последний день: {deadline}"
    assert send(office, agent, case_id, **RETAKE, words=words).status_code == 303
    with office.db.reading() as db:
        assert db.scalars(select(Message)).all() == []
        assert "паспорт".encode() not in db.scalars(select(Answer)).one().words_sealed
    later(office)
    with office.db.reading() as db:
        found_case = db.get_one(Case, case_id)
        talk = conversations.thread(db, found_case)
        assert [line.text for line in talk] == ["Положите паспорт у окна. Последний день: 6 декабря 2026 г."]
        assert conversations.enclosed(db, found_case, talk) == talk[0].text


def test_the_mail_says_that_words_came_along_and_not_which(office, agent):
    case_id = taken(office, agent)
    send(office, agent, case_id, **REJECT, words="Сравните каждую букву.")
    later(office)
    with office.db.transaction() as db:
        (owed,) = db.scalars(select(Notification).where(Notification.kind == "rejected"))
        message = notifications.begin_sending(db, owed.id, now=office.clock())
    _subject, body = notifications.render("rejected", "ru", notifications.in_words(message.context, "ru"), texts=MAILS)
    assert "написал вам несколько слов" in body and "Сравните" not in body


def test_words_that_may_tell_which_check_failed_are_sent_only_after_a_second_look(office, agent):
    case_id = taken(office, agent)
    refused = send(office, agent, case_id, **REJECT, words="Ваше лицо не похоже на фото.")
    assert refused.status_code == 422 and given(office) == []
    assert "This may tell which check failed: похоже, лицо." in text(refused)
    assert send(office, agent, case_id, **REJECT, words="Ваше лицо не похоже на фото.", sure="on").status_code == 303


def test_a_variable_of_nothing_is_named_and_nothing_is_sent(office, agent):
    refused = send(office, agent, taken(office, agent), **REJECT, words="Until {deadline}")
    assert refused.status_code == 422 and "“deadline” in braces stands for nothing here." in text(refused)
    assert given(office) == []


# What she will read


@pytest.mark.parametrize("locale", ["ru", "kk", "es", "en"])
def test_the_preview_is_the_customers_page_and_mail_in_her_language(office, agent, locale):
    case_id = taken(office, agent)
    with office.db.transaction() as db:
        db.get_one(Case, case_id).locale = locale
    answer = agent.post(f"/desk/cases/{case_id}/preview", **RETAKE, words="—")
    shown = text(answer)
    assert wording.customer_sentence(ReasonCode.DOCUMENT_GLARE, locale) in shown
    assert wording.advice(ReasonCode.DOCUMENT_GLARE, locale) in shown
    mail = (MAILS / f"needs_retake.{locale}.txt").read_text()
    subject, greeting = mail.splitlines()[0].removeprefix("Subject: "), mail.splitlines()[2]
    assert subject in shown and greeting in shown
    assert wording.label(PhotoKind.DOCUMENT, locale).lower() in shown
    assert given(office) == [] and case(office, case_id).state is State.IN_REVIEW


def test_the_preview_of_a_refusal_hides_what_the_customer_is_not_told(office, agent):
    case_id = taken(office, agent)
    about = {**REJECT, "reject_reason": ["surname_differs", "selfie_document_faces_differ"]}
    paper = agent.post(f"/desk/cases/{case_id}/preview", **about).get_data(as_text=True)
    (page,) = re.findall(r'<div class="paper" lang="ru">(.*?)</div>', paper, re.S)
    assert wording.customer_sentence(ReasonCode.SURNAME_DIFFERS, "ru") in html.unescape(page)
    assert "лиц" not in html.unescape(page).lower()


def test_a_script_gets_the_preview_alone(office, agent):
    case_id = taken(office, agent)
    page = agent.client.post(
        f"/desk/cases/{case_id}/preview",
        data={"csrf_token": agent.token, **RETAKE},
        headers={"X-Fragment": "1", "Accept-Language": "en"},
    ).get_data(as_text=True)
    assert "<html" not in page and 'id="preview-title"' in page


def test_without_a_script_a_button_puts_the_saved_reply_in(office, agent):
    case_id = taken(office, agent)
    about = {**RETAKE, "reply_ask_retake": "retake.document_glare", "insert": "1"}
    shown = agent.post(f"/desk/cases/{case_id}/preview", **about, words="").get_data(as_text=True)
    box = re.search(r'<textarea id="words"[^>]*>([^<]*)</textarea>', shown)
    with office.db.reading() as db:
        glare = next(reply for reply in replies.current(db) if reply.code == "retake.document_glare")
    assert html.unescape(box[1]) == glare.texts["ru"].replace("{deadline}", "6 декабря 2026 г.")
    assert re.search(r'value="document_glare"[^>]* checked', shown)


# Saved replies, counted


def test_a_saved_reply_that_went_out_is_counted_and_one_taken_back_is_not(office, agent):
    case_id = taken(office, agent)
    with office.db.reading() as db:
        glare = next(reply for reply in replies.current(db) if reply.code == "retake.document_glare")
    about = {**RETAKE, "reply_ask_retake": glare.code, "words": glare.texts["ru"]}
    send(office, agent, case_id, **about)
    with office.db.reading() as db:
        (use,) = db.scalars(select(ReplyUse))
        assert (use.reply, use.changed, use.carrier_id) == (glare.code, False, given(office)[0].id)
    agent.fresh("/desk")
    agent.post(f"/desk/answers/{given(office)[0].id}/take-back")
    with office.db.reading() as db:
        assert db.scalars(select(ReplyUse)).all() == []


def test_a_reply_in_a_message_is_counted_once(office, agent):
    case_id = taken(office, agent)
    number = "00000000-0000-4000-8000-00000000000a"
    about = {"message": number, "text": "Спасибо!", "reply_message": "message.thank_you"}
    assert agent.post(f"/desk/cases/{case_id}/messages", **about).status_code == 303
    agent.post(f"/desk/cases/{case_id}/messages", **about)
    with office.db.reading() as db:
        (use,) = db.scalars(select(ReplyUse))
        assert (use.reply, use.changed) == ("message.thank_you", True)


def test_a_message_that_may_tell_which_check_failed_waits_for_a_second_look(office, agent):
    case_id = taken(office, agent)
    about = {"message": "00000000-0000-4000-8000-00000000000b", "text": "Это подделка"}
    refused = agent.post(f"/desk/cases/{case_id}/messages", **about)
    assert refused.status_code == 422 and "Это подделка</textarea>" in refused.get_data(as_text=True)
    assert agent.post(f"/desk/cases/{case_id}/messages", **about, sure="on").status_code == 303


# A part of a request


def part(**about: Any) -> dict[str, Any]:
    return {
        "action": "approve",
        "offered": ["surname", "document_number,issued_on,issuer_code"],
        "note": "No certificate.",
        **about,
    }


def test_a_new_passport_is_accepted_and_the_surname_held(office, agent):
    case_id = taken(office, agent)
    sent = send(
        office, agent, case_id, **part(accept="document_number,issued_on,issuer_code"), checked=["issued_on", "issuer_code"]
    )
    assert sent.status_code == 303
    assert f"Case {str(case_id)[:8]}: approved in part." in text(agent.get("/desk"))
    later(office)
    with office.db.reading() as db:
        assert answers.held(db, db.get_one(Case, case_id)) == ("surname",)


def test_the_page_offers_together_what_is_accepted_together(office, agent):
    case_id = taken(office, agent)
    shown = agent.get(f"/desk/cases/{case_id}").get_data(as_text=True)
    offered = re.findall(r'name="offered" value="([^"]*)"', shown)
    assert [set(codes.split(",")) for codes in offered] == [{"surname"}, {"document_number", "issued_on", "issuer_code"}]
    assert len(re.findall(r'name="accept"[^>]* checked', shown)) == 2


def test_what_belongs_together_is_not_taken_apart_and_nothing_is_no_part(office, agent):
    case_id = taken(office, agent)
    apart = part(offered=["surname", "document_number", "issued_on", "issuer_code"], accept="document_number")
    refused = send(office, agent, case_id, **apart)
    assert refused.status_code == 422 and "These go together or not at all: document number, date of issue" in text(refused)
    nothing = send(office, agent, case_id, **part())
    assert nothing.status_code == 422 and "Accept at least one detail" in text(nothing)
    unsaid = send(office, agent, case_id, **part(accept="document_number,issued_on,issuer_code", note=""))
    assert unsaid.status_code == 422 and "A part of the request is held back." in text(unsaid)


# Handing it on


def test_escalating_asks_for_a_note_and_puts_the_case_before_seniors(office, agent):
    case_id = taken(office, agent)
    bare = send(office, agent, case_id, action="escalate")
    assert bare.status_code == 422 and "what a senior agent should look at" in text(bare)
    assert send(office, agent, case_id, action="escalate", note="Two passports?").location == "/desk"
    assert "is with the senior agents now" in text(agent.get("/desk"))
    assert case(office, case_id).escalated_at is not None
    refused = agent.post(f"/desk/cases/{case_id}/take")
    assert refused.status_code == 403 and "This case waits for a senior agent." in text(refused)
    senior = office.signed_in(Role.SENIOR_AGENT)
    senior.fresh("/desk")
    assert senior.post(f"/desk/cases/{case_id}/take").status_code == 303
    assert "For a senior agent" in text(senior.get(f"/desk/cases/{case_id}"))


def test_a_note_is_kept_and_nothing_else_typed_is_lost(office, agent):
    case_id = taken(office, agent)
    kept = agent.post(f"/desk/cases/{case_id}/note", **{**REJECT, "note": "She called."}, words="Здравствуйте!")
    assert kept.status_code == 200 and "The note is kept" in text(kept)
    shown = kept.get_data(as_text=True)
    assert re.search(r'value="surname_differs"[^>]* checked', shown) and "Здравствуйте!</textarea>" in shown
    with office.db.reading() as db:
        ada = db.scalars(select(Staff).where(Staff.name == "Ada Agent")).one()
        assert [note.text for note in review.notes(db, db.get_one(Case, case_id), ada)] == ["She called."]
    assert agent.post(f"/desk/cases/{case_id}/note", note=" ").status_code == 422


# A second pair of eyes


def test_the_second_person_sees_the_same_page_and_nothing_of_the_first_answer(office, agent):
    case_id = taken(office, agent, evidence=found(similarity=1.0))
    send(office, agent, case_id, action="approve", note="I met her mother.")
    later(office)
    assert given(office)[0].state is AnswerState.FIRST
    refused = agent.post(f"/desk/cases/{case_id}/take")
    assert refused.status_code == 409 and "You gave the first answer" in text(refused)
    other = office.signed_in(Role.AGENT, name="Ben Second")
    other.fresh("/desk")
    assert other.post(f"/desk/cases/{case_id}/take").status_code == 303
    shown = text(other.get(f"/desk/cases/{case_id}"))
    assert "Second pair of eyes" in shown and "I met her mother." not in shown
    assert "Ada Agent approved" not in shown


def test_two_agents_too_many_are_told(office, agent):
    case_id = taken(office, agent)
    other = office.signed_in(Role.AGENT, name="Ben Second")
    other.fresh("/desk")
    late = send(office, other, case_id, **{**REJECT, "note": "Typed for minutes."}, words="Здравствуйте!")
    assert late.status_code == 409
    shown = late.get_data(as_text=True)
    assert "Typed for minutes." in shown and "Здравствуйте!" in shown and given(office) == []


def test_a_stale_page_sends_nothing(office, agent):
    case_id = taken(office, agent)
    send(office, agent, case_id, **REJECT)
    again = send(office, agent, case_id, action="approve", seen_version=1)
    assert again.status_code == 409 and len(given(office)) == 1
    assert Field.SURNAME.value in CHECKED


# The customer's end


@pytest.mark.parametrize(
    ("about", "heading"),
    [
        ({"action": "reject", "reasons": (ReasonCode.SURNAME_DIFFERS,), "note": "n"}, "Your details have not been changed"),
        (
            {"action": "ask_retake", "reasons": (ReasonCode.DOCUMENT_GLARE,), "retake": frozenset({PhotoKind.DOCUMENT})},
            "Please photograph your passport again",
        ),
    ],
)
def test_her_page_shows_the_words_that_came_with_the_answer(portal: Portal, about: dict[str, Any], heading: str) -> None:
    customer = portal.customer()
    with portal.db.transaction() as db:
        mine = factories.an_in_review(db, now=portal.clock(), customer=db.get_one(Customer, customer))
        person = factories.a_member(db, now=portal.clock())
        review.take(db, mine.id, agent=person, now=portal.clock())
        disposal = review.Disposal(seen_version=mine.version, words="Beside a window <b>it works</b>.", **about)
        review.dispose(db, mine.id, disposal, agent=person, now=portal.clock())
    page = portal.sign_in(customer).get(f"/requests/{mine.id}").get_data(as_text=True)
    outcome = page[page.index("<article") : page.index("</article>")]
    assert heading in outcome and "In the words of the person who looked" in outcome
    assert '<blockquote class="words">Beside a window &lt;b&gt;it works&lt;/b&gt;.</blockquote>' in outcome


def test_words_of_an_earlier_answer_do_not_stand_beside_a_later_one_of_the_machine(portal: Portal) -> None:
    customer = portal.customer()
    with portal.db.transaction() as db:
        mine = factories.an_in_review(db, now=portal.clock(), customer=db.get_one(Customer, customer))
        person = factories.a_member(db, now=portal.clock())
        review.take(db, mine.id, agent=person, now=portal.clock())
        again = review.Disposal(
            action="ask_retake", retake=frozenset({PhotoKind.SELFIE}), seen_version=mine.version, words="Beside a window.",
            reasons=(ReasonCode.SELFIE_TOO_DARK,),
        )  # fmt: skip
        review.dispose(db, mine.id, again, agent=person, now=portal.clock())
        portal.clock.forward(minutes=5)
        factories.add_photos(db, mine, now=portal.clock(), kinds=(PhotoKind.SELFIE,))
        intake.submit(db, mine.id, consent_version=factories.CONSENT, now=portal.clock())
        order = factories.begun(db, mine, now=portal.clock())
        factories.finished(db, order, now=portal.clock(), evidence=factories.blurred_selfie(order.claim, order.profile))
        assert mine.state is State.NEEDS_RETAKE
    page = portal.sign_in(customer).get(f"/requests/{mine.id}").get_data(as_text=True)
    assert "Beside a window." not in page[page.index("<article") : page.index("</article>")]
