"""The turn of the head before the camera: ask, draw, keep the frames."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import abort, g, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _

from cases import by_eye, head_turns, throttles
from cases.lifecycle import IllegalTransition
from verification.challenge import MAX_CAMERA_NAME, MAX_FRAME_BYTES, MAX_FRAMES, BurstRejected
from webapp.context import database, now
from webapp.http import takes_photos
from webapp.logs import log
from webapp.portal.entrance import customer_owns_case, own_case, too_many_requests
from webapp.portal.steps import asks_for_turn, may_change, place, portal

TURNS_AN_HOUR = 6
"""Per customer (facts/reliability.md 3 no. 21)."""


@portal.get("/requests/<uuid:case_id>/turn")
@customer_owns_case
def turn(case_id: UUID) -> Any:
    """Ask for a turn of the head before the camera. May always be left out; nothing later depends on it."""
    with database().reading() as db:
        case = own_case(db, case_id)
        if not may_change(case):
            return redirect(place(db, case), 303)
        if by_eye.holds(db, case.customer):  # nobody looks at such pictures: she is not asked for them
            return redirect(url_for("portal.check", case_id=case_id), 303)
        asked = asks_for_turn(db, case)
        done = head_turns.latest(db, case) is not None
    return render_template("portal/turn.html", case=case, asked=asked, done=done)


@portal.post("/requests/<uuid:case_id>/turn/draw")
@customer_owns_case
def draw_turn(case_id: UUID) -> Any:
    """Draw the order of the turns, for turn.js: it holds for two minutes and for one answer."""
    with database().transaction() as db:
        allowed = throttles.hit(db, "head_turn", str(g.customer_id), limit=TURNS_AN_HOUR, window=timedelta(hours=1), now=now())
    if not allowed:
        log.info("throttled", kind="head_turn", customer=str(g.customer_id))
        too_many_requests(timedelta(minutes=15))
    try:
        with database().transaction() as db:
            drawn = head_turns.draw(db, own_case(db, case_id).id, now=now())
            return jsonify(challenge=str(drawn.id), turns=drawn.turns)
    except (IllegalTransition, head_turns.ChallengeRefused):
        abort(409)


@portal.post("/requests/<uuid:case_id>/turn")
@takes_photos
@customer_owns_case
def keep_turn(case_id: UUID) -> Any:
    """Keep the frames that answer a challenge, or say in words why not. Sent twice they are kept once."""
    try:
        frames = [file.stream.read(MAX_FRAME_BYTES + 1) for file in request.files.getlist("frame")[: MAX_FRAMES + 1]]
        if any(not frame.startswith(b"\xff\xd8\xff") for frame in frames):
            raise BurstRejected("a frame is no JPEG")
        challenge, times, steps = _told_of_frames()
        with database().transaction() as db:
            head_turns.answer(
                db,
                own_case(db, case_id).id,
                challenge,
                frames=tuple(frames),
                times=times,
                steps=steps,
                camera=request.form.get("camera", "")[:MAX_CAMERA_NAME],
                now=now(),
            )
    except head_turns.ChallengeRefused as refused:
        log.info("head_turn_refused", case=str(case_id), codes=[refused.why])
        if refused.why == "by_eye":
            return jsonify(next=url_for("portal.check", case_id=case_id))
        return jsonify(problem=_("That took too long. You can try again, or go on without this step.")), 409
    except BurstRejected:
        log.info("head_turn_refused", case=str(case_id), codes=["malformed"])
        return jsonify(problem=_("The pictures did not arrive whole. You can try again, or go on without this step.")), 422
    except IllegalTransition:
        pass  # sent already, perhaps on another device: the next page says how it stands
    return jsonify(next=url_for("portal.check", case_id=case_id))


def _told_of_frames() -> tuple[UUID, tuple[float, ...], tuple[int, ...]]:
    """The challenge's number, and time and step of each frame, as the browser tells them. Raises BurstRejected."""
    try:
        times, steps = (json.loads(request.form[name]) for name in ("times", "steps"))
        return UUID(request.form["challenge"]), tuple(float(t) for t in times), tuple(int(step) for step in steps)
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError):
        raise BurstRejected("times, steps or challenge cannot be read") from None
