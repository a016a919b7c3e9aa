"""Saved replies: who may change them, what may stand in them, which versions there are, and whether they help."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text as sql
from sqlalchemy.exc import DatabaseError

from cases import intake, replies, review, wording
from cases.lifecycle import State
from cases.models import Role
from cases.replies import FOR, LANGUAGES, SHIPPED, Figures, Stale, Unfilled, Wrong
from cases.staff import NotAllowed
from tests import factories as a
from verification.reasons import PhotoKind, ReasonCode

DAY = timedelta(days=1)
TEXTS = {"ru": "Снимите ещё раз.", "kk": "Қайта түсіріңіз.", "es": "Repita la foto.", "en": "Take it again."}


@pytest.fixture
def lead(session, now):
    return a.a_member(session, Role.LEAD, now=now)


def save(session, lead, now, code=None, **about):
    given = {"purpose": "ask_retake", "reason": None, "name": "Again", "texts": TEXTS, **about}
    return replies.save(session, code, agent=lead, now=now, **given)


def of(session, code):
    return next(reply for reply in replies.current(session, retired=True) if reply.code == code)


# What is shipped


@pytest.mark.parametrize("code", SHIPPED)
def test_what_is_shipped_could_be_saved_as_it_is_and_speaks_every_language(session, lead, now, code):
    shipped = of(session, code)
    assert shipped.number == 0 and len({*shipped.texts.values()}) == len(LANGUAGES)
    about = {"purpose": shipped.purpose, "reason": shipped.reason, "name": shipped.name, "texts": shipped.texts}
    assert save(session, lead, now, code, **about).number == 1


def test_no_two_replies_about_a_photo_say_the_same_and_each_names_its_last_day():
    texts = [replies._shipped(code).texts for code, made in SHIPPED.items() if made.purpose == "ask_retake"]
    for language in LANGUAGES:
        assert len({text[language] for text in texts}) == len(texts)
        assert all("{deadline}" in text[language] for text in texts)


# Versions


def test_a_change_is_a_version_and_what_was_shipped_stays(session, lead, now):
    code = "retake.document_glare"
    shipped = of(session, code)
    save(session, lead, now, code, seen=0)
    save(session, lead, now + DAY, code, seen=1, name="Newer")
    kept = replies.versions(session, code)
    assert [(v.number, v.name, v.author) for v in kept] == [(2, "Newer", lead.name), (1, "Again", lead.name), (0, "", "")]
    assert kept[2].texts == shipped.texts and of(session, code).texts == TEXTS


def test_no_version_is_changed_or_deleted(session, lead, now):
    save(session, lead, now)
    for order in ("UPDATE reply_versions SET name = 'x'", "DELETE FROM reply_versions"):
        with pytest.raises(DatabaseError), session.begin_nested():
            session.execute(sql(order))


def test_of_two_people_who_change_the_same_version_the_second_is_told(session, lead, now):
    save(session, lead, now, "retake.document_glare", seen=0)
    with pytest.raises(Stale):
        save(session, lead, now, "retake.document_glare", seen=0)


def test_taken_out_it_is_offered_no_more_and_keeps_its_words(session, lead, now):
    made = save(session, lead, now)
    save(session, lead, now, made.code, seen=1, retired=True, texts={}, name="")
    assert made.code not in [reply.code for reply in replies.current(session)]
    assert of(session, made.code).texts == TEXTS
    save(session, lead, now, made.code, seen=2)
    assert made.code in [reply.code for reply in replies.current(session)]


@pytest.mark.parametrize("role", [Role.AGENT, Role.OPS, Role.AUDITOR, Role.ADMIN])
def test_only_seniors_and_leads_change_replies(session, now, role):
    with pytest.raises(NotAllowed):
        save(session, a.a_member(session, role, now=now), now)
    save(session, a.a_member(session, Role.SENIOR_AGENT, now=now), now)


# What may stand in one


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (" \n", "missing"),
        ("x" * (replies.MOST_LETTERS + 1), "too_long"),
        ("Send it by {surname}.", "unknown_variable"),
        ("Until {appeal}.", "unknown_variable"),  # of refusals
        ("Send {photo", "braces"),
        ("Write to anna@example.test.", "personal"),
        ("Call 8 912 345 67 89.", "personal"),
        ("Your passport is fake.", "gives_away"),
    ],
)
def test_what_no_reply_may_say(session, lead, now, text, problem):
    with pytest.raises(Wrong) as wrong:
        save(session, lead, now, texts={**TEXTS, "es": text})
    assert wrong.value.problems == {"es": problem}
    assert all(reply.number == 0 for reply in replies.current(session))


def test_a_reply_without_a_reason_needs_a_name(session, lead, now):
    with pytest.raises(Wrong) as wrong:
        save(session, lead, now, name=" ")
    assert wrong.value.problems == {"name": "missing"}
    assert save(session, lead, now, name="", reason=ReasonCode.DOCUMENT_GLARE).name == ""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Your FACE looks similar to nobody", ("face",)),
        ("The similarity is low", ("similarity",)),
        ("Вы не похожи на фото, это подделка", ("похожи", "подделка")),
        ("Sospechamos un fraude", ("sospechamos", "fraude")),
        ("Бұл құжат жалған", ("жалған",)),
        ("Другой сотрудник посмотрит ещё раз", ()),
        ("Otra persona lo revisará.", ()),
    ],
)
def test_words_that_may_tell_which_check_failed_are_seen_in_every_language(text, found):
    assert set(replies.gives_away(text, "reject")) == set(found)


def test_faces_are_spoken_of_when_a_photo_is_to_be_taken_again_and_in_no_refusal():
    assert replies.gives_away("Bring your face to the middle", "ask_retake") == ()
    assert replies.gives_away("Bring your face to the middle", "reject") == ("face",)


# Variables


@pytest.mark.parametrize(
    ("locale", "photo", "deadline"),
    [
        ("ru", "паспорт, селфи", "6 декабря 2026"),
        ("es", "pasaporte, selfie", "6 de diciembre de 2026"),
        ("en", "passport, selfie", "December 6, 2026"),
    ],
)  # fmt: skip
def test_variables_are_filled_in_the_customers_language(session, now, locale, photo, deadline):
    case = a.an_in_review(session, now=now)
    found = replies.values(
        session, case, purpose="ask_retake", locale=locale, retake=[PhotoKind.SELFIE, PhotoKind.DOCUMENT], now=now
    )
    assert found["photo"] == photo and deadline in found["deadline"]
    assert replies.fill("<{photo}>", found) == f"<{photo}>"


def test_variables_hold_nothing_of_a_person(session, now):
    case = a.an_in_review(session, now=now)
    for purpose in replies.PURPOSES:
        told = replies.values(session, case, purpose=purpose, locale="en", now=now)
        assert not [value for value in a.PERSONAL if len(value) > 1 and value in " ".join(told.values())]
        assert set(told) <= FOR[purpose]
    assert "surname" in replies.values(session, case, purpose="reject", locale="en", now=now)["details"]


def test_a_variable_that_means_nothing_is_named(session, now):
    with pytest.raises(Unfilled) as unfilled:
        replies.fill("Until {deadlin}", {"deadline": "x"})
    assert unfilled.value.name == "deadlin"


def test_a_shipped_reply_without_a_name_is_called_by_its_reason(session):
    assert replies.named(of(session, "retake.document_glare"), "en") == wording.agent_sentence(ReasonCode.DOCUMENT_GLARE, "en")


# Use and what came of it


def use(session, case, now, code="retake.selfie_blurred", sent="…", carrier=None):
    replies.used(session, case, code, sent=sent, locale="en", carrier_id=carrier, filled={"deadline": "1 May"}, now=now)


def sends_again(session, case, now, *, well):
    a.add_photos(session, case, now=now, kinds=(PhotoKind.SELFIE,))
    intake.submit(session, case.id, consent_version=a.CONSENT, now=now)
    order = a.begun(session, case, now=now + timedelta(seconds=1))
    seen = None if well else a.blurred_selfie(order.claim, order.profile)
    return a.finished(session, order, now=now + timedelta(seconds=9), evidence=seen)


@pytest.mark.parametrize(("well", "failed"), [(True, 0), (False, 1)])
def test_who_is_asked_again_after_sending_anew_failed_again(session, now, well, failed):
    case = a.a_needs_retake(session, now=now)
    use(session, case, now)
    sends_again(session, case, now + DAY, well=well)
    found = replies.figures(session, now=now + 2 * DAY)["retake.selfie_blurred"]
    assert (found.used, found.came_back, found.failed_again) == (1, 1, failed)


def test_who_did_not_come_back_did_not_fail(session, now):
    case = a.a_needs_retake(session, now=now)
    use(session, case, now)
    assert replies.figures(session, now=now + 9 * DAY) == {"retake.selfie_blurred": Figures(used=1, changed=1)}


def test_the_answer_that_carried_the_text_is_no_failure_after_it(session, now):
    agent = a.a_member(session, now=now)
    case = a.an_in_review(session, now=now)
    use(session, case, now, "reject.not_confirmed")
    review.take(session, case.id, agent=agent, now=now)
    reject = {"action": "reject", "reasons": (ReasonCode.SURNAME_DIFFERS,), "note": "n"}
    review.dispose(
        session, case.id, review.Disposal(seen_version=case.version, **reject), agent=agent, now=now + timedelta(seconds=20)
    )
    assert replies.figures(session, now=now + DAY)["reject.not_confirmed"].came_back == 0
    intake.appeal(session, case.id, now=now + DAY)
    found = replies.figures(session, now=now + 2 * DAY)["reject.not_confirmed"]
    assert (found.came_back, found.failed_again) == (1, 0)


def test_what_fails_in_another_request_of_hers_counts_and_what_fails_late_does_not(session, now):
    case = a.a_needs_retake(session, now=now)
    use(session, case, now)
    intake.withdraw(session, case.id, now=now + DAY)
    later = a.a_draft(session, now=now + 2 * DAY, customer=case.customer)
    intake.submit(session, later.id, consent_version=a.CONSENT, now=now + 2 * DAY)
    order = a.begun(session, later, now=now + 2 * DAY)
    a.finished(session, order, now=now + 2 * DAY + timedelta(seconds=9), evidence=a.blurred_selfie(order.claim, order.profile))
    assert later.state is State.NEEDS_RETAKE
    assert replies.figures(session, now=now + 3 * DAY)["retake.selfie_blurred"].failed_again == 1
    use(session, case, now - replies.FOLLOW_UP, "retake.selfie_too_dark")
    assert replies.figures(session, now=now + 3 * DAY)["retake.selfie_too_dark"].failed_again == 0


def test_a_rate_is_told_from_ten_on():
    assert Figures(used=30, came_back=9, failed_again=9).rate is None
    assert Figures(used=30, came_back=10, failed_again=4).rate == 0.4


def test_what_was_taken_back_or_long_ago_is_not_counted(session, now):
    case, carrier = a.a_needs_retake(session, now=now), uuid4()
    use(session, case, now, carrier=carrier)
    replies.not_used(session, carrier)
    use(session, case, now - replies.WINDOW)
    use(session, case, now, "nothing.of.the.kind")
    assert replies.figures(session, now=now) == {}


def test_a_text_sent_as_it_is_is_not_counted_as_changed(session, now):
    case = a.a_needs_retake(session, now=now)
    whole = replies.fill(of(session, "retake.selfie_blurred").texts["en"], {"deadline": "1 May"})
    use(session, case, now, sent=f"Hello!\n{whole}")
    use(session, case, now, sent=whole[:-3])
    assert replies.figures(session, now=now)["retake.selfie_blurred"] == Figures(used=2, changed=1)
