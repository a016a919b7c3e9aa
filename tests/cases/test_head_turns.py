"""Head-turn challenges: drawn by us, answered once and in time, kept and destroyed like photos."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from cases import head_turns, intake, retention, runs
from cases.audit import MACHINE, Actor
from cases.head_turns import ChallengeRefused
from cases.lifecycle import IllegalTransition, State
from cases.models import Event, HeadTurn
from cases.photo_store import PhotoBroken, PhotoGone, store_of
from tests import factories as a
from verification.challenge import MAX_FRAME_BYTES, MAX_FRAMES, ORDERS, SECONDS, BurstRejected, Turn
from verification.reasons import PhotoKind, ReasonCode

SECOND = timedelta(seconds=1)


def frames(count=6):
    return tuple(a.jpeg(number) for number in range(count))


def an_answer(session, case, drawn, *, now, **other):
    steps = tuple(sorted([*range(len(drawn.turns) + 1)] * 2))
    given = {
        "frames": frames(len(steps)),
        "times": tuple(1.5 * number for number in range(len(steps))),
        "steps": steps,
        "camera": "Front camera",
        **other,
    }
    return head_turns.answer(session, case.id, drawn.id, now=now, **given)


@pytest.fixture
def case(session, now):
    return a.a_draft(session, now=now)


@pytest.fixture
def drawn(session, case, now):
    return head_turns.draw(session, case.id, now=now)


def test_what_is_drawn_is_one_of_the_orders_and_all_are_drawn(session, case, now):
    seen = {tuple(Turn(turn) for turn in head_turns.draw(session, case.id, now=now).turns) for _ in range(60)}
    assert seen == set(ORDERS)  # a fixed order would show in 60 draws of four


def test_the_frames_come_back_as_they_were_sent_and_each_look_is_an_event(session, case, drawn, now):
    came = now + 20 * SECOND
    kept = an_answer(session, case, drawn, now=came)
    burst = head_turns.open_burst(session, kept.id, viewer=MACHINE, purpose="run", now=came)
    assert burst.frames == frames(len(burst.steps))
    assert [turn.value for turn in burst.challenge.turns] == drawn.turns
    assert (burst.elapsed, burst.camera) == (20.0, "Front camera")
    events = {e.kind: e for e in session.scalars(select(Event).where(Event.case_id == case.id))}
    assert events["head_turn_opened"].details == {"head_turn_id": str(kept.id), "purpose": "run"}
    assert events["head_turn_kept"].details["count"] == len(burst.frames)
    assert "Front camera" not in str([e.details for e in events.values()])


def test_what_is_stored_is_not_readable_and_a_changed_blob_is_noticed(session, case, drawn, now):
    kept = an_answer(session, case, drawn, now=now + SECOND)
    store = store_of(session)
    sealed = store.read(kept.blob)
    assert frames(1)[0] not in sealed and b"Front camera" not in sealed
    store.shred(kept.blob)
    store.put(kept.blob, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(PhotoBroken):
        head_turns.open_burst(session, kept.id, viewer=MACHINE, purpose="run", now=now)


def test_sent_twice_it_is_kept_once_and_other_frames_are_refused(session, case, drawn, now):
    first = an_answer(session, case, drawn, now=now + SECOND)
    again = an_answer(session, case, drawn, now=now + timedelta(hours=1))  # the answer got lost on the way
    assert again is first and again.answered_at == now + SECOND
    assert len(list(store_of(session).names())) == 4  # face on file, two photos, one burst
    with pytest.raises(ChallengeRefused) as refused:
        an_answer(session, case, drawn, now=now + 2 * SECOND, camera="Another")
    assert refused.value.why == "used"


def test_too_late_is_refused_and_the_case_goes_on_without(session, case, drawn, now):
    with pytest.raises(ChallengeRefused) as refused:
        an_answer(session, case, drawn, now=now + timedelta(seconds=SECONDS))
    assert refused.value.why == "expired"
    assert head_turns.latest(session, case) is None
    assert intake.submit(session, case.id, consent_version=a.CONSENT, now=now).state is State.SUBMITTED


def test_a_challenge_of_another_case_or_of_nobody_is_unknown(session, drawn, now):
    other = a.a_draft(session, now=now)
    for challenge in (drawn.id, uuid4()):
        with pytest.raises(ChallengeRefused) as refused:
            head_turns.answer(session, other.id, challenge, frames=frames(), times=(0.0,) * 6, steps=(0,) * 6, camera="", now=now)
        assert refused.value.why == "unknown"


@pytest.mark.parametrize(
    "wrong",
    [
        {"frames": frames(3), "times": (0.0,) * 3, "steps": (0,) * 3},
        {"frames": frames(MAX_FRAMES + 1), "times": (0.0,) * (MAX_FRAMES + 1), "steps": (0,) * (MAX_FRAMES + 1)},
        {"frames": (b"\xff\xd8\xff" * MAX_FRAME_BYTES,) * 6, "times": (0.0,) * 6, "steps": (0,) * 6},
        {"frames": (b"",) * 6, "times": (0.0,) * 6, "steps": (0,) * 6},
        {"times": (0.0,)},
        {"frames": frames(6), "times": (float("nan"),) * 6, "steps": (0,) * 6},
        {"frames": frames(6), "times": (0.0,) * 6, "steps": (9,) * 6},
    ],
)
def test_what_cannot_be_an_answer_is_refused_and_nothing_is_kept(session, case, drawn, now, wrong):
    with pytest.raises(BurstRejected):
        an_answer(session, case, drawn, now=now + SECOND, **wrong)
    assert head_turns.latest(session, case) is None
    assert len(list(store_of(session).names())) == 3


def test_only_while_the_case_may_be_worked_on(session, case, drawn, now):
    intake.submit(session, case.id, consent_version=a.CONSENT, now=now)
    with pytest.raises(IllegalTransition):
        head_turns.draw(session, case.id, now=now)
    with pytest.raises(IllegalTransition):
        an_answer(session, case, drawn, now=now + SECOND)


def test_a_run_gets_the_newest_answer_and_none_where_the_step_was_left_out(session, case, drawn, now):
    an_answer(session, case, drawn, now=now + SECOND)
    newer = an_answer(session, case, head_turns.draw(session, case.id, now=now), now=now + 2 * SECOND)
    head_turns.draw(session, case.id, now=now + 3 * SECOND)  # never answered
    intake.submit(session, case.id, consent_version=a.CONSENT, now=now)
    assert runs.begin(session, case.id, now=now).head_turn == newer.id
    without = a.a_submitted(session, now=now)
    assert runs.begin(session, without.id, now=now).head_turn is None


def test_a_new_selfie_voids_the_answer_and_a_new_document_does_not(session, case, drawn, now):
    kept = an_answer(session, case, drawn, now=now + SECOND)
    a.add_photos(session, case, now=now + 2 * SECOND, kinds=(PhotoKind.DOCUMENT,))
    assert head_turns.latest(session, case) is kept
    a.add_photos(session, case, now=now + 3 * SECOND, kinds=(PhotoKind.SELFIE,))
    assert head_turns.latest(session, case) is None
    newer = an_answer(session, case, head_turns.draw(session, case.id, now=now + 4 * SECOND), now=now + 5 * SECOND)
    intake.submit(session, case.id, consent_version=a.CONSENT, now=now + 6 * SECOND)
    assert runs.begin(session, case.id, now=now + 6 * SECOND).head_turn == newer.id


def test_shredding_takes_the_frames_with_the_photos(session, settings, case, drawn, now):
    kept = an_answer(session, case, drawn, now=now + SECOND)
    blob = kept.blob
    intake.withdraw(session, case.id, now=now)
    assert retention.remove_orphans(session, now=now + timedelta(days=2)) == 0  # a burst is no orphan
    over = now + timedelta(days=settings.photo_days)
    assert retention.shred_due(session, now=over) == [case.id]
    assert blob not in dict(store_of(session).names())
    assert session.get(HeadTurn, kept.id).shredded_at == over
    with pytest.raises(PhotoGone):
        head_turns.open_burst(session, kept.id, viewer=Actor(kind="staff", id="x"), purpose="review", now=over)


def test_frames_whose_blob_is_lost_are_told(session, case, drawn, now):
    kept = an_answer(session, case, drawn, now=now + SECOND)
    store_of(session).shred(kept.blob)
    assert retention.orphans(session, now=now).photos == (kept.id,)


def test_a_frame_that_came_in_another_answer_before_goes_to_a_person(session, case, drawn, now):
    an_answer(session, case, drawn, now=now)
    assert not head_turns.replayed(session, case)
    other = a.a_draft(session, now=now)
    again = head_turns.draw(session, other.id, now=now)
    assert not head_turns.replayed(session, other), "nothing was answered yet"
    count = 2 * (len(again.turns) + 1)
    an_answer(session, other, again, now=now, frames=(*frames(count - 1), b"\xff\xd8\xff another"))
    assert head_turns.replayed(session, other)
    intake.submit(session, other.id, consent_version="1", now=now)
    order = runs.begin(session, other.id, now=now)
    assert ReasonCode.LIVENESS_DOUBTED in order.standing


def test_frames_of_its_own_are_nobodys_replay(session, case, drawn, now):
    an_answer(session, case, drawn, now=now)
    other = a.a_draft(session, now=now)
    asked = head_turns.draw(session, other.id, now=now)
    fresh = tuple(b"\xff\xd8\xff fresh %d" % number for number in range(2 * (len(asked.turns) + 1)))
    an_answer(session, other, asked, now=now, frames=fresh)
    assert not head_turns.replayed(session, other) and not head_turns.replayed(session, case)
