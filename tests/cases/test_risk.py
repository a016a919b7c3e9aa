"""What makes an approval a matter for two people, and what does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cases import customers, intake, risk
from cases.lifecycle import State
from cases.risk import Risk, Sign
from tests import factories as a
from verification.evidence import ChangeReason, Claim, DocumentType, Field, Pair
from verification.policy import SHIPPED

DAY = timedelta(days=1)


def pairs(**scores):
    """Faces as `a.faces`, without those that are None."""
    compared = a.faces(**{name: score for name, score in scores.items() if score is not None})
    return {pair: found for pair, found in compared.items() if scores.get(pair.value, 9.0) is not None}


def signs(session, case, now):
    return set(risk.judge(session, case, now=now)[1])


def looked_at(session, now, *, claim=a.CLAIM, profile=a.PROFILE, new_email=None, **measures):
    """A case at the desk whose run measured this."""
    customer = a.a_customer(session, now=now, profile=profile)
    evidence = a.good_evidence(claim, profile, **{"pairs": a.faces(selfie_document=5.0), **measures})
    return a.an_in_review(session, now=now, customer=customer, claim=claim, new_email=new_email, evidence=evidence)


def test_a_marriage_with_its_new_passport_is_ordinary_where_a_face_ties_it_to_the_account(session, now):
    case = looked_at(session, now)
    assert risk.judge(session, case, now=now) == (Risk.ORDINARY, ())
    assert case.risk == "ordinary"


@pytest.mark.parametrize(
    "tie",
    [
        {"pairs": pairs(selfie_document=5.0, document_on_file=1.0)},
        {"pairs": pairs(selfie_document=5.0, selfie_on_file=4.0)},
        {
            "pairs": {Pair.SELFIE_DOCUMENT: a.faces()[Pair.SELFIE_DOCUMENT]},
            "has_face_on_file": False,
            "earlier_number_seen": True,
        },
    ],
)
def test_one_tie_to_the_account_is_enough(session, now, tie):
    assert Sign.NOTHING_TIES not in signs(session, looked_at(session, now, **tie), now)


@pytest.mark.parametrize(
    "loose",
    [
        {"pairs": pairs(selfie_document=5.0, selfie_on_file=6.0, document_on_file=6.0)},
        {"pairs": {pair: replace(found, fmr=None) for pair, found in a.faces(selfie_document=5.0).items()}},
        {"pairs": {pair: replace(found, fmr=0.01) for pair, found in a.faces(selfie_document=5.0).items()}},
        {"pairs": {Pair.SELFIE_DOCUMENT: a.faces()[Pair.SELFIE_DOCUMENT]}, "has_face_on_file": False},
        {
            "pairs": {Pair.SELFIE_DOCUMENT: a.faces()[Pair.SELFIE_DOCUMENT]},
            "has_face_on_file": False,
            "earlier_number_seen": False,
        },
    ],
)
def test_name_and_passport_that_nothing_ties_to_the_account_are_a_risk(session, now, loose):
    case = looked_at(session, now, **loose)
    assert Sign.NOTHING_TIES in signs(session, case, now) and case.risk == "high"


@pytest.mark.parametrize(
    "values",
    [{Field.DOCUMENT_NUMBER: "700000002"}, {Field.SURNAME: "BERGMANTEST"}, {Field.PATRONYMIC: "X", Field.DOCUMENT_NUMBER: "7"}],
)
def test_a_new_passport_alone_or_a_new_name_alone_need_no_tie(session, now, values):
    claim = Claim(reason=ChangeReason.MARRIAGE, values=values)
    loose = pairs(selfie_document=5.0, selfie_on_file=5.0, document_on_file=5.0)
    assert Sign.NOTHING_TIES not in signs(session, looked_at(session, now, claim=claim, pairs=loose), now)


@pytest.mark.parametrize("reason", sorted(risk.WEIGHTY))
def test_a_weighty_reason_of_any_run_is_a_risk(session, now, reason):
    case = looked_at(session, now)
    assert signs(session, case, now) == set()
    case.reasons = [reason.value]
    assert signs(session, case, now) == {"weighty_reason"}


def test_what_an_earlier_run_found_is_not_forgotten(session, now):
    case = a.an_in_review(session, now=now, evidence=a.with_measures(a.good_evidence(), pairs=a.faces(selfie_document=1.0)))
    case.reasons = []
    assert Sign.WEIGHTY_REASON in signs(session, case, now)


def test_an_account_under_watch_is_a_risk_also_in_its_next_case(session, now):
    before = a.a_rejected(session, now=now)
    case = a.an_in_review(session, now=now + DAY, customer=before.customer)
    assert signs(session, case, now + DAY) == {"account_watched"} and case.risk == "high"
    assert signs(session, case, now + 91 * DAY) == set()


def test_an_appeal_is_a_risk_however_long_it_took(session, now):
    case = a.a_rejected(session, now=now)
    intake.appeal(session, case.id, now=now + DAY)
    assert Sign.APPEALED in signs(session, case, now + DAY)
    assert signs(session, case, now + 100 * DAY) == {"appealed", "weighty_reason"}, "not watched any more, appealed still"


def test_a_new_address_is_a_risk_and_the_same_in_capitals_is_none(session, now):
    new = a.a_submitted(session, now=now, new_email=a.NEW_EMAIL)
    assert a.finished(session, a.begun(session, new, now=now), now=now) is State.IN_REVIEW
    assert signs(session, new, now) == {"new_email"}
    assert signs(session, looked_at(session, now, new_email=a.OLD_EMAIL.upper()), now) == set()


@pytest.mark.parametrize(
    ("years", "old"), [(SHIPPED.max_portrait_years, False), (SHIPPED.max_portrait_years + 0.1, True), (None, False)]
)
def test_an_old_portrait_is_a_risk_where_no_face_on_file_stands_beside_it(session, now, years, old):
    alone = {Pair.SELFIE_DOCUMENT: a.faces(selfie_document=5.0)[Pair.SELFIE_DOCUMENT]}
    claim = Claim(reason=ChangeReason.NEW_PASSPORT, values={Field.DOCUMENT_NUMBER: "700000002"})
    case = looked_at(session, now, claim=claim, portrait_years=years, pairs=alone, has_face_on_file=False)
    assert (Sign.OLD_PORTRAIT in signs(session, case, now)) == old
    beside = looked_at(session, now, claim=claim, portrait_years=years)
    assert Sign.OLD_PORTRAIT not in signs(session, beside, now)


def test_an_internal_passport_whose_day_of_issue_was_not_read_counts_as_old(session, now):
    alone = {Pair.SELFIE_DOCUMENT: a.faces(selfie_document=5.0)[Pair.SELFIE_DOCUMENT]}
    claim = Claim(reason=ChangeReason.NEW_PASSPORT, values={Field.DOCUMENT_NUMBER: "700000002"})
    internal = {"document_type": DocumentType.RU_INTERNAL, "pairs": alone, "has_face_on_file": False}
    assert Sign.OLD_PORTRAIT in signs(session, looked_at(session, now, claim=claim, **internal), now)


def test_a_case_that_she_disputes_is_a_risk_until_that_is_settled(session, now):
    case = looked_at(session, now)
    case.disputed_at = now
    assert Sign.DISPUTED in signs(session, case, now)
    case.dispute_settled_at = now
    assert Sign.DISPUTED not in signs(session, case, now)


def test_faces_that_no_machine_compared_take_two_pairs_of_eyes(session, now):
    asked = a.a_draft(session, now=now)
    intake.ask_for_person(session, asked.id, consent_version=a.CONSENT, now=now)
    assert {"faces_by_eye", "nothing_ties"} == signs(session, asked, now)
    no_selfie = {pair: found for pair, found in a.faces().items() if pair is Pair.DOCUMENT_ON_FILE}
    assert signs(session, looked_at(session, now, pairs=no_selfie), now) == {"faces_by_eye"}
    by_eye = looked_at(session, now)
    by_eye.customer.by_eye = True
    assert signs(session, by_eye, now) == {"faces_by_eye"}


def test_only_what_looked_at_the_last_photos_counts(session, now):
    case = looked_at(session, now)
    assert risk.measured(session, case) is not None
    case.attempt += 1  # sent anew, and no machine has looked
    session.flush()
    assert risk.measured(session, case) is None
    assert Sign.FACES_BY_EYE in signs(session, case, now)


def test_it_is_weighed_against_what_the_account_is_now(session, now):
    case = looked_at(session, now, pairs=pairs(selfie_document=5.0, selfie_on_file=5.0, document_on_file=5.0))
    assert Sign.NOTHING_TIES in signs(session, case, now)
    held, email = customers.current_profile(session, case.customer)
    moved = replace(held, values={**held.values, Field.SURNAME: "BERGMANTEST"})
    customers.upsert(session, case.customer.external_id, moved, email=email, locale="en", now=now)
    assert Sign.NOTHING_TIES not in signs(session, case, now)


def test_every_sign_has_its_words():
    from cases import wording

    for sign in Sign:
        for language in ("ru", "kk", "es", "en"):
            assert wording.label(sign, language)
