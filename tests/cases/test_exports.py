"""Her copy, the code on her confirmation, deletion before its time, and a change that is on hold."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from cases import (
    audit,
    confirmations,
    conversations,
    customers,
    exports,
    intake,
    photo_store,
    profiles,
    queue,
    ratings,
    retention,
    review,
)
from cases.lifecycle import State
from cases.models import Case, Disposition, Event, Notification, Photo, ProfileVersion, Role
from tests import factories as a
from verification.evidence import Field, Profile
from verification.reasons import ReasonCode

DAY = timedelta(days=1)
UNDO = 14 * DAY


def not_me(session, case: Case, now) -> Case:
    token = customers.make_link(session, "not_me", case.customer, case=case, lifetime=30 * DAY, now=now)
    return customers.report_not_me(session, customers.redeem_link(session, token, "not_me", now=now), now=now)


def settle(session, case: Case, now, senior=None) -> Case:
    senior = senior or a.a_member(session, Role.SENIOR_AGENT, now=now)
    return review.settle_dispute(session, case.id, agent=senior, note="Called her.", seen_version=case.version, now=now)


def revert(session, case: Case, now) -> Case:
    senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
    return profiles.revert(session, case.id, actor=audit.Actor.staff(senior), reason="Not her.", now=now)


def numbers(session) -> dict[UUID, int]:
    return dict(session.execute(select(ProfileVersion.id, ProfileVersion.number)).all())


def current(session, case: Case) -> int:
    return numbers(session)[case.customer.profile_version_id]


# --- The copy


@pytest.mark.parametrize("state", sorted(State))
def test_a_copy_can_be_made_in_every_state(session, now, state):
    case = a.in_state(session, state, now=now)
    made = exports.gather(session, case.customer_id, language="ru", now=now)
    json.dumps(made.document)
    [request] = made.document["requests"]
    assert request["state"] == state.value and (request["read"] is None) == (state not in (
        State.APPROVED, State.REJECTED, State.REVERTED))  # fmt: skip
    for file in made.files:
        for path, data in exports.open_file(session, file, customer_id=case.customer_id, now=now):
            assert path.startswith("photos/") and data.startswith(b"\xff\xd8")


def test_a_file_of_somebody_else_is_not_opened(session, now):
    mine, other = a.a_draft(session, now=now), a.a_draft(session, now=now)
    file = exports.gather(session, other.customer_id, language="en", now=now).files[0]
    with pytest.raises(photo_store.PhotoGone):
        exports.open_file(session, file, customer_id=mine.customer_id, now=now)
    assert session.scalar(select(func.count()).select_from(Event).where(Event.kind == "photo_opened")) == 0


def test_the_copy_says_who_looked_by_role_time_and_purpose_alone(session, now):
    case = a.an_in_review(session, now=now)
    agent = a.a_member(session, now=now, name="Nadezhda Testova")
    photo = session.scalars(select(Photo).where(Photo.case_id == case.id)).first()
    photo_store.open_photo(session, photo.id, viewer=audit.Actor.staff(agent), purpose="review", now=now)
    on_file = customers.face_on_file(session, case.customer_id)
    photo_store.open_photo(session, on_file.id, viewer=audit.MACHINE, purpose="verification", now=now)
    document = exports.gather(session, case.customer_id, language="en", now=now).document
    at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    number = confirmations.number(case.id)
    mine = {"at": at, "who": "staff", "role": "support_agent", "what": photo.kind.value, "why": "review", "request": number}
    assert mine in document["looks"]
    other = {"at": at, "who": "machine", "role": None, "what": "on_file", "why": "verification", "request": None}
    assert other in document["looks"]
    assert "Nadezhda" not in json.dumps(document) and str(agent.id) not in json.dumps(document)


def test_the_copy_keeps_back_what_would_help_a_thief(session, now):
    case = a.a_rejected(session, now=now)
    text = json.dumps(exports.gather(session, case.customer_id, language="en", now=now).document)
    assert "Not the same person." not in text  # the agent's note
    for code in ReasonCode:
        assert f'"{code.value}"' not in text
    for word in ("similarity", "confidence", "agreement", "certain", "sharpness", "policy", "outcome", "sha256", "box"):
        assert word not in text, word


def test_a_shredded_request_is_in_the_copy_without_what_was_shredded(session, now):
    case = a.an_approved(session, now=now)
    ratings.give(session, case.id, "easy", words="Fine.", now=now)
    retention.shred_due(session, now=now + 31 * DAY)
    made = exports.gather(session, case.customer_id, language="en", now=now + 31 * DAY)
    [request] = made.document["requests"]
    assert (request["asked"], request["read"], request["rating"]["words"]) == (None, None, "")
    assert [file for file in made.files if file.case_id] == []


def test_no_copy_under_dispute_and_one_again_afterwards(session, now):
    case = not_me(session, a.an_approved(session, now=now), now)
    with pytest.raises(exports.UnderDispute):
        exports.gather(session, case.customer_id, language="en", now=now)
    settle(session, case, now)
    assert exports.gather(session, case.customer_id, language="en", now=now).files


# --- The confirmation and its code


def test_the_confirmation_shows_new_values_and_the_end_of_a_number(session, now):
    case = a.an_approved(session, now=now, new_email=a.NEW_EMAIL)
    paper = confirmations.of(session, case)
    assert paper.changed == {
        Field.SURNAME: "BERGMANTEST", Field.DOCUMENT_NUMBER: "•••••0002", Field.EXPIRES_ON: "2034-05-06",
    }  # fmt: skip
    assert (paper.name, paper.email, paper.approved_at) == ("BERGMANTEST MARITESTA", a.NEW_EMAIL, case.closed_at)
    retention.shred_due(session, now=now + 31 * DAY)
    assert confirmations.of(session, case) == paper  # she may need it years later


@pytest.mark.parametrize("state", sorted(set(State) - {State.APPROVED}))
def test_only_a_change_that_stands_is_confirmed(session, now, state):
    with pytest.raises(confirmations.NotConfirmed):
        confirmations.of(session, a.in_state(session, state, now=now))


def test_the_desk_finds_a_case_by_number_and_by_code_and_not_by_a_code_made_up(session, now):
    case, other = a.an_approved(session, now=now), a.an_approved(session, now=now)

    def found(text: str) -> list[UUID]:
        return [row.id for row in queue.search(session, text, now=now).rows]

    code = confirmations.code(session, case)
    assert found(code) == found(code.lower()) == found(f" {code.replace('-', ' ')} ") == [case.id]
    assert found(code[:8]) == found(code[:8].lower()) == found(str(case.id)) == [case.id]
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    assert found(wrong) == [] and found(code[:9] + confirmations.code(session, other)[9:]) == []
    assert found(case.customer.external_id)[:1] == [case.id]


def test_a_code_outlives_the_change_so_that_staff_see_that_it_was_undone(session, now):
    case = a.an_approved(session, now=now)
    code = confirmations.code(session, case)
    revert(session, case, now)
    assert confirmations.find(session, code) == case.id


# --- Deletion


@pytest.mark.parametrize("state", sorted(State))
def test_what_may_go_before_its_time(session, now, state):
    case = a.in_state(session, state, now=now)
    at_once = retention.erase(session, case.customer_id, now=now)
    assert at_once == ([case.id] if state in (State.WITHDRAWN, State.EXPIRED) else [])
    later = retention.erase(session, case.customer_id, now=now + UNDO)
    assert later == ([case.id] if state in (State.APPROVED, State.REJECTED) else [])
    assert (case.shredded_at is not None) == bool(at_once or later)


def test_who_gave_up_before_a_person_looked_cannot_erase_the_try_at_once(session, now):
    case = intake.withdraw(session, a.an_in_review(session, now=now).id, now=now)
    assert retention.erase(session, case.customer_id, now=now + UNDO - timedelta(seconds=1)) == []
    assert retention.erase(session, case.customer_id, now=now + UNDO) == [case.id]


def test_what_was_erased_opens_no_more_and_retention_finds_nothing_left(session, now):
    case = a.a_rejected(session, now=now)
    ratings.give(session, case.id, "hard", words="Why?", now=now)
    photo = session.scalars(select(Photo).where(Photo.case_id == case.id)).first()
    blob, store = photo.blob, photo_store.store_of(session)
    now += UNDO
    assert retention.erase(session, case.customer_id, now=now) == [case.id]
    assert retention.erase(session, case.customer_id, now=now) == []
    assert case.data_key.wrapped is None and case.claim_sealed is None
    with pytest.raises(photo_store.PhotoGone):
        photo_store.read(session, photo)
    assert blob in dict(store.names())
    assert retention.shred_due(session, now=now) == []  # the blob goes with the next round
    assert blob not in dict(store.names())
    assert session.scalar(select(func.count()).select_from(Event).where(Event.kind == "shredded")) == 1
    with pytest.raises(intake.TooLate):
        intake.appeal(session, case.id, now=now)


def test_a_change_may_be_erased_once_it_can_no_longer_be_taken_back(session, now):
    case = a.an_approved(session, now=now)
    assert retention.erasable_from(session, case) == now + UNDO
    assert retention.erase(session, case.customer_id, now=now + UNDO - timedelta(seconds=1)) == []
    assert retention.erase(session, case.customer_id, now=now + UNDO) == [case.id]


def test_what_somebody_objected_to_keeps_its_usual_time(session, now):
    case = not_me(session, a.an_approved(session, now=now), now)
    withdrawn = not_me(session, a.an_in_review(session, now=now), now)
    settle(session, case, now)
    assert retention.erase(session, case.customer_id, now=now + UNDO) == []
    assert withdrawn.state is State.WITHDRAWN and retention.erase(session, withdrawn.customer_id, now=now) == []
    assert {*retention.shred_due(session, now=now + 31 * DAY)} == {case.id, withdrawn.id}


# --- A change on hold


def test_an_objection_in_time_brings_the_exact_earlier_version_back(session, now):
    case = a.an_approved(session, now=now, new_email=a.NEW_EMAIL)
    not_me(session, case, now + UNDO - timedelta(seconds=1))
    assert (current(session, case), case.state, profiles.held(case)) == (1, State.APPROVED, True)
    assert session.scalar(select(func.count()).select_from(ProfileVersion)) == 2  # no third one is written
    event = session.scalars(select(Event).where(Event.kind == "change_held")).one()
    assert event.details == {"from_number": 2, "to_number": 1}
    told = session.scalars(select(Notification).where(Notification.kind == "held")).all()
    assert sorted(row.to_old_address for row in told) == [False, True]
    assert retention.due(session, now=now + 400 * DAY) == []
    assert queue.page(session, queue.Filters(), now=now).rows[0].id == case.id
    not_me(session, case, now + UNDO)
    assert profiles.held(case) and len(session.scalars(select(Notification).where(Notification.kind == "held")).all()) == 2


def test_a_late_objection_goes_to_a_person_only(session, now):
    case = not_me(session, a.an_approved(session, now=now), now + UNDO)
    assert (current(session, case), profiles.held(case), case.disputed_at) == (2, False, now + UNDO)


def test_a_person_lets_the_change_stand_and_nobody_can_hold_it_again(session, now):
    case = not_me(session, a.an_approved(session, now=now, new_email=a.NEW_EMAIL), now)
    settle(session, case, now)
    assert (current(session, case), profiles.held(case)) == (2, False)
    told = session.scalars(select(Notification).where(Notification.kind == "change_stands")).all()
    assert sorted(row.to_old_address for row in told) == [False, True]
    not_me(session, case, now)
    assert (current(session, case), profiles.held(case), case.dispute_settled_at) == (2, False, None)


def test_a_person_makes_the_hold_final(session, now):
    case = not_me(session, a.an_approved(session, now=now), now)
    revert(session, case, now)
    assert (current(session, case), case.state, profiles.held(case)) == (1, State.REVERTED, False)
    assert case.dispute_settled_at == now


def test_details_that_changed_again_are_not_undone_from_a_mail(session, now):
    case = a.an_approved(session, now=now)
    held, email = customers.current_profile(session, case.customer)
    moved = Profile(values={**held.values, Field.SEX: "M"}, earlier_numbers=held.earlier_numbers)
    customers.upsert(session, case.customer.external_id, moved, email=email, locale="en", now=now)
    not_me(session, case, now)
    assert (current(session, case), profiles.held(case), case.disputed_at) == (3, False, now)


def test_what_the_host_writes_during_a_hold_stays(session, now):
    case = a.an_approved(session, now=now)
    applied, email = customers.current_profile(session, case.customer)
    not_me(session, case, now)
    customers.upsert(session, case.customer.external_id, applied, email=email, locale="en", now=now)
    assert current(session, case) == 1  # the host has not heard of the hold, and sends what it was told before
    held, _ = customers.current_profile(session, case.customer)
    moved = Profile(values={**held.values, Field.SEX: "M"}, earlier_numbers=held.earlier_numbers)
    customers.upsert(session, case.customer.external_id, moved, email=email, locale="en", now=now)
    with pytest.raises(profiles.ProfileMovedOn):
        settle(session, case, now)
    session.rollback()


def test_a_hold_over_which_the_host_wrote_can_still_be_closed(session, now):
    case = not_me(session, a.an_approved(session, now=now), now)
    held, email = customers.current_profile(session, case.customer)
    moved = Profile(values={**held.values, Field.SEX: "M"}, earlier_numbers=held.earlier_numbers)
    customers.upsert(session, case.customer.external_id, moved, email=email, locale="en", now=now)
    revert(session, case, now)
    assert (current(session, case), case.state) == (3, State.REVERTED)


# --- The appeal


def test_an_appeal_is_heard_for_thirty_days_and_once_for_each_refusal(session, now):
    case = a.a_rejected(session, now=now)
    assert intake.appeal_until(session, case) == now + 30 * DAY
    with pytest.raises(intake.TooLate):
        intake.appeal(session, case.id, now=now + 30 * DAY)
    intake.appeal(session, case.id, now=now + 30 * DAY - timedelta(seconds=1))
    assert intake.appeal_until(session, case) is None


def test_who_refused_answers_no_appeal_not_even_with_the_case_in_hand(session, now):
    first = a.a_member(session, now=now)
    case = a.a_rejected(session, now=now, agent=first)
    intake.appeal(session, case.id, now=now)
    with pytest.raises(review.NotYours):
        review.take(session, case.id, agent=first, now=now)
    assert review.take_next(session, agent=first, now=now) is None
    case.owner_id, case.owner_until = first.id, now + DAY  # however that may have come
    session.flush()
    for action in review.ACTIONS:
        disposal = review.Disposal(
            action=action, reasons=(ReasonCode.SURNAME_DIFFERS,), note="n", seen_version=case.version,
            retake=frozenset(intake.NEEDED),
        )  # fmt: skip
        with pytest.raises(review.NotYours):
            review.dispose(session, case.id, disposal, agent=first, now=now)
    assert session.scalars(select(Disposition.action)).all() == ["reject"]


def test_who_refused_writes_to_nobody_in_an_appeal(session, now):
    first = a.a_member(session, now=now)
    case = a.a_rejected(session, now=now, agent=first)
    intake.appeal(session, case.id, now=now)
    assert not conversations.answers(case, first, now=now)
