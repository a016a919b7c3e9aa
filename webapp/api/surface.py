"""What every operation of the API has in common: key, scope, rate, transaction, Idempotency-Key, entity tags.

    @api.post("/cases")
    @operation("cases:write", answers={201: shapes.CaseOut}, problems=("case_open",))
    @api.input(shapes.CaseIn)
    def open_case(db: Session, json_data: shapes.CaseIn) -> Answer: ...

A view gets a session whose transaction is the operation's: it is committed with the answer, and rolled back with a Problem. What
is to happen after the commit (ringing a worker) is put into `g.after_commit`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

from apiflask import APIBlueprint
from flask import Response, current_app, g, request
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import BadRequest

from cases import api_keys, idempotency, throttles
from cases.models import Customer
from cases.staff import NotAllowed
from webapp.api.problems import Problem, wrong
from webapp.context import database, now, settings
from webapp.logs import log

MINUTE = timedelta(minutes=1)

GUESSES = 60
GUESS_WINDOW = timedelta(minutes=15)
"""Requests without a valid key from one address; a token has 256 bits, so this only keeps guessing from being worth a try."""

WRITES = frozenset({"POST", "PUT", "PATCH"})

AGAIN = "1"
"""Seconds after which a request that is still being carried out is worth asking for."""

api = APIBlueprint("api", __name__, url_prefix="/v1")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a view gives back. `about`: whose answer it is, so that a kept copy is sealed with her key."""

    body: BaseModel | None = None
    picture: bytes | None = None  # a JPEG in the body's place
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    about: Customer | None = None
    tag: bool = False  # whether it carries an entity tag
    version: BaseModel | None = None  # what that tag is of where the body holds more, such as a sign of life: the tag is weak


@dataclass(frozen=True, kw_only=True)
class Described:
    """What the OpenAPI document says of an operation beside its input."""

    scope: str
    answers: Mapping[int, type[BaseModel] | None]
    problems: tuple[str, ...]
    tagged: bool  # answers carry an entity tag
    matches: bool  # If-Match is looked at
    photo: bool  # the body is a picture


def operation(
    scope: str,
    *,
    answers: Mapping[int, type[BaseModel] | None],
    problems: tuple[str, ...] = (),
    tagged: bool = False,
    matches: bool = False,
    before: Callable[[], None] | None = None,
) -> Callable[[Callable[..., Answer]], Callable[..., Response]]:
    """Serve a view to keys with `scope`, in one transaction. The rest is for the documentation: see Described.

    `before` takes a photo in and looks at it, before the transaction begins; without it the body is JSON.
    """
    if scope not in api_keys.SCOPES:
        raise ValueError(f"unknown scope: {scope}")

    def decorate(view: Callable[..., Answer]) -> Callable[..., Response]:
        view = api.doc()(view)  # else APIFlask takes a view without input for one that is not to be described

        @wraps(view)
        def served(**where: Any) -> Response:
            g.api_key = key = _who()
            if scope in api_keys.TEST_ONLY and not key.sandbox:
                raise Problem("live_key", kept=False)
            if scope not in key.scopes:
                raise Problem("scope_missing", f"This needs a key with the scope {scope}.", kept=False)
            if before is None:
                _read_body(hasattr(view, "_spec") and "body" in view._spec)
            else:
                before()
            g.after_commit = []
            try:
                answer = _perform(view, key, where)
            except NotAllowed as lacking:  # an operation that needs a second scope: replaying shows a delivery as well
                raise Problem("scope_missing", f"This needs a key with the scope {lacking.permission}.", kept=False) from None
            for ring in g.after_commit:
                ring()
            return answer

        served.described = Described(  # type: ignore[attr-defined]
            scope=scope, answers=answers, problems=problems, tagged=tagged, matches=matches, photo=before is not None
        )
        if before is not None:
            served.takes_photos = True  # type: ignore[attr-defined]
        return served

    return decorate


def key() -> api_keys.Key:
    """The key of this request."""
    found: api_keys.Key = g.api_key
    return found


# --- Who asks, and how often


def _who() -> api_keys.Key:
    """The key of this request, counted. Raises Problem: unauthorized, rate_limited."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    moment = now()
    with database().transaction() as db:
        found = api_keys.authenticate(db, token.strip(), now=moment) if scheme.lower() == "bearer" else None
        if found is None:
            address = request.remote_addr or ""
            asked = throttles.tally(db, "api refused", address, window=GUESS_WINDOW, now=moment)
        else:
            asked = throttles.tally(db, "api", str(found.id), window=MINUTE, now=moment)
    if found is None:
        if asked > GUESSES:
            raise _too_many(_left(GUESS_WINDOW, moment))
        raise Problem("unauthorized", headers={"WWW-Authenticate": 'Bearer realm="peremena"'}, kept=False)
    limit, left = settings().api_per_minute, _left(MINUTE, moment)
    g.rate = {
        "RateLimit-Policy": f'"key";q={limit};w={int(MINUTE.total_seconds())}',
        "RateLimit": f'"key";r={max(0, limit - asked)};t={left}',
    }
    if asked > limit:
        raise _too_many(left)
    return found


def _too_many(seconds: int) -> Problem:
    return Problem("rate_limited", headers={"Retry-After": str(seconds)}, kept=False)


def _left(window: timedelta, moment: datetime) -> int:
    """Whole seconds until the window that we are in ends (`throttles.tally`)."""
    seconds = window.total_seconds()
    return max(1, int(seconds - moment.astimezone(UTC).timestamp() % seconds))


@api.after_request
def _tell_rate(response: Response) -> Response:
    for name, value in g.get("rate", {}).items():
        response.headers[name] = value
    return response


@api.errorhandler(OperationalError)
def _busy(error: OperationalError) -> Response:
    """The database did not let us in in time, or is away: nothing was done, and the same request may be sent again."""
    log.error("database_away", error=type(error).__name__, endpoint=request.endpoint)
    return Problem("busy", headers={"Retry-After": AGAIN}, kept=False).response()


# --- The body, and the work


def _read_body(expected: bool) -> None:
    """Read it before the transaction begins: on SQLite nobody else could write while a slow host sends. Raises Problem."""
    data = request.get_data(cache=True)
    if not expected or request.method not in WRITES:
        return
    if request.mimetype != "application/json" and not request.mimetype.endswith("+json"):
        raise Problem("unsupported_media_type", kept=False)
    if not data:
        raise Problem("malformed", "The body is empty; JSON is expected.", kept=False)
    try:
        request.get_json(force=True)
    except (BadRequest, RecursionError):
        raise Problem("malformed", "The body is not JSON.", kept=False) from None


def _perform(view: Callable[..., Answer], who: api_keys.Key, where: dict[str, Any]) -> Response:
    """Carry out a view in one transaction: once for each Idempotency-Key, if the host sent one with a POST."""
    idempotency_key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
    if idempotency_key is None:
        with database().transaction() as db:
            given = view(db, **where)
            return _sent(_finished(given)) if given.picture is None else _pictured(given.picture)
    if not re.fullmatch(rf"[\x21-\x7e]{{1,{idempotency.LONGEST}}}", idempotency_key):
        raise Problem(
            "malformed",
            errors=[wrong("header:Idempotency-Key", "format", "1 to 255 visible ASCII characters, best a UUID.")],
            kept=False,
        )
    asked = b"\0".join((request.method.encode(), request.full_path.encode(), request.get_data(cache=True)))
    try:
        with database().transaction() as db:
            row, before = idempotency.begin(db, who.id, idempotency_key, asked, now=now())
            if before is not None:
                return _sent(before, again=True)
            about = None
            try:
                with db.begin_nested():
                    given = view(db, **where)
                    about, answer = given.about, _finished(given)
            except Problem as problem:
                if not problem.kept:
                    raise
                body = json.dumps(problem.document(), ensure_ascii=False)
                answer = idempotency.Answer(
                    status=problem.status, headers={"Content-Type": "application/problem+json", **problem.headers}, body=body
                )
            idempotency.keep(db, row, answer, about=about)
            return _sent(answer)
    except idempotency.OtherRequest:
        raise Problem("idempotency_mismatch", kept=False) from None
    except idempotency.StillRunning:
        raise Problem("idempotency_in_progress", headers={"Retry-After": AGAIN}, kept=False) from None
    except idempotency.AnswerErased:
        raise Problem("answer_erased", kept=False) from None


def _finished(answer: Answer) -> idempotency.Answer:
    """An answer as bytes and headers, as it is sent and kept."""
    body = dumped(answer.body) if answer.body is not None else ""
    headers = dict(answer.headers)
    if answer.body is not None:
        headers["Content-Type"] = "application/json"
        if answer.tag:
            headers["ETag"] = f'"{tag_of(answer.body)}"' if answer.version is None else f'W/"{tag_of(answer.version)}"'
    return idempotency.Answer(status=answer.status, headers=headers, body=body)


def _pictured(picture: bytes) -> Response:
    response = current_app.make_response(picture)
    response.mimetype = "image/jpeg"
    return response


def _sent(answer: idempotency.Answer, *, again: bool = False) -> Response:
    """The response; 304 where the host has this very version."""
    response = current_app.make_response((answer.body, answer.status))
    if not answer.body:
        del response.headers["Content-Type"]
    for name, value in answer.headers.items():
        response.headers[name] = value
    if again:
        response.headers["Idempotent-Replayed"] = "true"
    tag, _weak = response.get_etag()
    if request.method == "GET" and tag is not None and request.if_none_match.contains_weak(tag):
        response.set_data(b"")
        response.status_code = 304
        del response.headers["Content-Type"]
    return response


# --- Versions


def dumped(body: BaseModel) -> str:
    """JSON of a body; two equal bodies are equal letter by letter."""
    return json.dumps(body.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))


def tag_of(body: BaseModel) -> str:
    """The entity tag of a body. Keyed: a tag stands in logs of proxies, and a plain hash of a name can be guessed."""
    secret = settings().secret_key.encode()
    return hmac.new(secret, b"entity tag\0" + dumped(body).encode(), hashlib.sha256).hexdigest()[:32]


def asks_for_version() -> bool:
    """Whether the host said how things stood when it decided."""
    return "If-Match" in request.headers or "If-None-Match" in request.headers


def only_if_new() -> bool:
    """Whether the host wants this only if there is none yet."""
    return request.headers.get("If-None-Match", "").strip() == "*"


def precondition(current: BaseModel | None) -> None:
    """Refuse a change of something that is not as the host saw it (RFC 9110, 13.1). Raises Problem.

    Tags are compared without their W/: our own pages' compression adds it on the way out, and the version is the same.
    """
    if "If-Match" in request.headers and (current is None or not _names(request.if_match, current)):
        raise Problem("precondition_failed")
    if only_if_new() and current is not None:
        raise Problem("precondition_failed", "There is one already.")


def _names(tags: Any, current: BaseModel) -> bool:
    return bool(tags.star_tag) or bool(tags.contains_weak(tag_of(current)))
