"""Errors as problem details (RFC 9457): one shape for every refusal of this surface, also for those that Flask makes itself.

`code` is for programs and never changes its meaning; `detail` is for developers and names no value that was sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from apiflask import HTTPError
from flask import Flask, Response, current_app, g, json, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from webapp.context import settings

MEDIA_TYPE = "application/problem+json"

ROOT = "/v1"


@dataclass(frozen=True, kw_only=True)
class Code:
    """One kind of problem: its status and what it is called."""

    status: int
    title: str
    says: str  # what it means and what to do, for the documentation


CODES: dict[str, Code] = {
    "malformed": Code(
        status=400, title="The request cannot be read", says="Not JSON, not UTF-8, or a header that is not what it should be."
    ),
    "unauthorized": Code(
        status=401,
        title="No valid key",
        says="The header `Authorization: Bearer pk_…` is missing, or the key is unknown, expired or revoked.",
    ),
    "scope_missing": Code(status=403, title="The key may not do this", says="`detail` names the scope that the key lacks."),
    "live_key": Code(status=403, title="For test keys alone", says="The sandbox makes up answers: no live key may use it."),
    "not_found": Code(
        status=404,
        title="There is nothing here",
        says="No such address, or no such thing for this key: a test key sees nothing of live customers, nor a live key of the "
        "sandbox.",
    ),
    "method_not_allowed": Code(status=405, title="Not with this method", says="The header `Allow` names those that are."),
    "case_open": Code(
        status=409,
        title="The customer has an open case",
        says="`case_id` names it. Cancel it first, or hand the customer over to it.",
    ),
    "state_conflict": Code(status=409, title="The case has moved on", says="`state` says where it stands now."),
    "other_mode": Code(
        status=409,
        title="This id is taken in the other mode",
        says="An external id belongs to a live customer or to one of the sandbox, never to both.",
    ),
    "idempotency_in_progress": Code(
        status=409,
        title="The same request is still being carried out",
        says="Send it again after `Retry-After` seconds, with the same Idempotency-Key.",
    ),
    "under_dispute": Code(
        status=409,
        title="Somebody says that it was not the customer",
        says="Until a person has settled that, nothing is handed out.",
    ),
    "conflict": Code(status=409, title="Not as things stand", says="`detail` says what is in the way."),
    "answer_erased": Code(
        status=410,
        title="The kept answer is gone",
        says="The request was carried out; its answer spoke of a person who has been erased since.",
    ),
    "precondition_failed": Code(
        status=412,
        title="It has changed meanwhile",
        says="`If-Match` names another version than the one that holds: read again and decide anew.",
    ),
    "too_large": Code(status=413, title="Too large", says="64 KiB for JSON, 12 MiB for a photo."),
    "unsupported_media_type": Code(
        status=415,
        title="Not this media type",
        says="`application/json`, or for a photo `image/jpeg`, `image/png`, `image/webp` or `image/heic`.",
    ),
    "invalid": Code(
        status=422, title="Something in the request is not valid", says="`errors` says what and where, as JSON pointers."
    ),
    "incomplete": Code(status=422, title="Something is missing", says="`missing` names the photos to send first."),
    "nothing_changes": Code(
        status=422, title="Nothing would change", says="Every claimed value is what the profile holds already."
    ),
    "photo_unfit": Code(status=422, title="The photo cannot be used", says="`errors` says why."),
    "return_url_refused": Code(
        status=422,
        title="The return address is not agreed",
        says="Its origin is none of the key's: an admin sets them with the key.",
    ),
    "idempotency_mismatch": Code(
        status=422, title="The Idempotency-Key was used for another request", says="Use a new key for each new request."
    ),
    "rate_limited": Code(status=429, title="Too many requests", says="Wait `Retry-After` seconds."),
    "error": Code(
        status=500,
        title="Something went wrong on our side",
        says="Nothing was changed. Send the same request again, with the same Idempotency-Key.",
    ),
    "busy": Code(status=503, title="Busy", says="Wait `Retry-After` seconds."),
}
"""Every problem there is. A new one may be added within v1; none changes its status or meaning."""

BY_STATUS = {
    400: "malformed", 401: "unauthorized", 403: "scope_missing", 404: "not_found", 405: "method_not_allowed", 409: "conflict",
    412: "precondition_failed", 413: "too_large", 415: "unsupported_media_type", 422: "invalid", 429: "rate_limited",
    500: "error", 503: "busy",
}  # fmt: skip
"""What a status that Flask or Werkzeug gave by itself is called here."""


class Problem(Exception):
    """Ends a request with a problem document. `kept`: the answer belongs to its Idempotency-Key and is given again."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        errors: list[dict[str, str]] | None = None,
        headers: dict[str, str] | None = None,
        kept: bool = True,
        **more: Any,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = CODES[code].status
        self.detail = detail or CODES[code].says
        self.errors = errors or []
        self.headers = headers or {}
        self.kept = kept
        self.more = more

    def document(self) -> dict[str, Any]:
        """The body."""
        return {
            "type": f"{settings().api_url}{ROOT}/docs#{self.code}",
            "title": CODES[self.code].title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "errors": self.errors,
            **self.more,
        }

    def response(self) -> Response:
        """The answer."""
        made = current_app.make_response((json.dumps(self.document(), ensure_ascii=False, sort_keys=False), self.status))
        made.mimetype = MEDIA_TYPE
        for name, value in self.headers.items():
            made.headers[name] = value
        return made


def wrong(pointer: str, code: str, detail: str) -> dict[str, str]:
    """One entry of `errors`: where (a JSON pointer into the body, or `query:name`, `header:Name`), what, in a sentence."""
    return {"pointer": pointer, "code": code, "detail": detail}


def of_validation(error: HTTPError) -> Problem:
    """What pydantic found, each with its place; never the value that was sent."""
    location = next(iter(error.detail), "json") if isinstance(error.detail, dict) else "json"
    cause = error.__cause__
    found = (
        cause.errors(include_url=False, include_input=False, include_context=False) if isinstance(cause, ValidationError) else []
    )
    errors = []
    for one in found:
        place = [str(part) for part in one["loc"]]
        escaped = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in place)
        pointer = escaped if location == "json" else f"{location}:{'.'.join(place)}"
        errors.append(wrong(pointer if _plain(pointer) else "", one["type"], one["msg"].removeprefix("Value error, ")))
    return Problem("invalid", errors=errors, kept=False)


def _plain(pointer: str) -> bool:
    """Names of fields we know are told; one that a host made up may be a person's, typed into the wrong place."""
    return re.fullmatch(r"[a-z0-9_/:.]{0,80}", pointer) is not None


def is_ours(path: str) -> bool:
    """Whether an address belongs to the API, so that its errors are problem documents."""
    return path == ROOT or path.startswith(ROOT + "/") or current_app.extensions["peremena.surfaces"] == ("api",)


def init_app(app: Flask) -> None:
    """Answer errors of this surface with problems; those of the others stay as they were."""
    page = app.error_handler_spec[None][None][HTTPException]

    def told(error: HTTPException) -> Any:
        if not is_ours(request.path) or (error.code or 500) < 400:
            return page(error)
        return _of_http(error).response()

    app.register_error_handler(HTTPException, told)
    app.register_error_handler(Problem, lambda problem: problem.response())
    app.register_error_handler(HTTPError, lambda error: of_validation(error).response())


def _of_http(error: HTTPException) -> Problem:
    status = error.code or 500
    headers = {}
    methods = getattr(error, "valid_methods", None)
    if methods:
        headers["Allow"] = ", ".join(sorted(methods))
    wait = getattr(error, "retry_after", None)
    if wait is not None:
        headers["Retry-After"] = str(int(wait))
    code = BY_STATUS.get(status) or ("malformed" if status < 500 else "error")
    problem = Problem(code, headers=headers, kept=False)
    problem.status = status
    if status >= 500:
        problem.more["request"] = g.get("request_id", "")
    return problem


def title_of(status: int) -> str:
    """The standard's phrase of a status."""
    return HTTPStatus(status).phrase
