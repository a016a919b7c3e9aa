"""The OpenAPI 3.1 document, made from the views themselves: each status an operation may answer with its schema and an example.

APIFlask writes paths, parameters and bodies from the decorators; what its decorators do not know (answers by status, problems,
headers, keys and scopes) is put in here from `surface.Described`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apiflask import APIFlask
from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from cases import api_keys, idempotency
from cases.settings import Settings
from webapp.api import problems, shapes
from webapp.api.problems import CODES, MEDIA_TYPE
from webapp.api.surface import Described, api

VERSION = "1.1.0"
"""Of the interface, not of Peremena: grows with every addition, and begins with 1 as long as it is /v1."""

ALWAYS = ("malformed", "unauthorized", "scope_missing", "rate_limited", "error", "busy")
"""Problems that every operation may answer with."""

TAGS = {
    "Customers": "People of your system, their details and their way to the portal.",
    "Cases": "Requests to change details, and what became of them.",
    "Privacy": "A copy of everything held of a person, and its erasure.",
    "Webhooks": "Where you want to be told what happens.",
    "Sandbox": "Outcomes on demand, for test keys.",
}

_TAG_OF = (
    ("privacy:", "Privacy"), ("webhooks:", "Webhooks"), ("sandbox:", "Sandbox"), ("cases:", "Cases"), ("", "Customers"),
)  # fmt: skip

ABOUT = """Peremena verifies changed names and passport details of customers of yours.

1. Tell us of a person (`PUT /v1/customers/{external_id}`) and give her face on file.
2. Make a hand-over link and redirect her to it: she sends her photos on our portal.
3. Hear of the outcome by a webhook, and read the new details (`GET /v1/cases/{case_id}/outcome`).

Every request carries `Authorization: Bearer pk_…`. Keys are `live` or `test`; a test key sees customers of the sandbox alone.
"""


def document(app: Flask, settings: Settings) -> dict[str, Any]:
    """The whole document, as plain JSON values. Kept on the application once made."""
    made: dict[str, Any] | None = app.extensions.get("peremena.openapi")
    if made is None:
        made = app.extensions["peremena.openapi"] = _make(app, settings)
    return made


def _make(app: Flask, settings: Settings) -> dict[str, Any]:
    writer = APIFlask("webapp.api", title="Peremena", version=VERSION, spec_path=None, docs_path=None, static_folder="none")
    writer.config.update(
        OPENAPI_VERSION="3.1.0", AUTO_SERVERS=False, AUTO_200_RESPONSE=False, AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False, AUTO_404_RESPONSE=False, AUTO_OPERATION_ID=False, AUTO_TAGS=False,
    )  # fmt: skip
    writer.register_blueprint(api)
    found: dict[str, Any] = writer.spec  # type: ignore[assignment]
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    found["info"]["description"] = ABOUT
    found["servers"] = [{"url": settings.api_url or "/", "description": "This installation"}]
    found["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    found["components"]["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "pk_live_… or pk_test_…",
            "description": "An API key. Scopes: " + ", ".join(f"`{scope}`" for scope in api_keys.SCOPES),
        }
    }
    found["components"]["headers"] = _headers()
    described = dict(_operations(app, found))
    models = {
        model for one, _operation in described.values() for model in one.answers.values() if model not in (None, shapes.Picture)
    }
    models |= {shapes.ProblemOut}
    _references, definitions = models_json_schema(
        [(model, "serialization") for model in sorted(models, key=lambda m: m.__name__)],
        ref_template="#/components/schemas/{model}",
    )
    schemas.update(definitions["$defs"])
    for (path, method), (one, operation) in described.items():
        _describe(path, method, one, operation)
    return found


def _operations(app: Flask, found: dict[str, Any]) -> Iterator[tuple[tuple[str, str], tuple[Described, dict[str, Any]]]]:
    """Each operation of the document with what its view says of itself; addresses that say nothing are left out."""
    views = {}
    for rule in app.url_map.iter_rules():
        one = getattr(app.view_functions[rule.endpoint], "described", None)
        if one is not None:
            path = "".join(f"{{{part}}}" if is_name else part for is_name, part in rule._trace if part != "|")
            views |= {(path, method.lower()): (one, rule.endpoint) for method in rule.methods or ()}
    for path in list(found["paths"]):
        for method in list(found["paths"][path]):
            if (path, method) not in views:
                del found["paths"][path][method]
                continue
            one, endpoint = views[path, method]
            operation = found["paths"][path][method]
            operation["operationId"] = endpoint.rpartition(".")[2]
            yield (path, method), (one, operation)
        if not found["paths"][path]:
            del found["paths"][path]


def _describe(path: str, method: str, one: Described, operation: dict[str, Any]) -> None:
    operation["tags"] = [next(tag for begin, tag in _TAG_OF if one.scope.startswith(begin))]
    operation["security"] = [{"key": []}]
    needs = f"Needs the scope `{one.scope}`."
    operation["description"] = "\n\n".join(filter(None, (operation.get("description"), needs)))
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        if parameter["in"] == "path":
            parameter["required"] = True
            parameter["schema"] = _path_schema(parameter["name"])
            if parameter["name"] == "external_id":
                parameter["description"] = "Your own, opaque id of a person; nothing that says who she is"
    if method == "post":
        says = (
            "A value of yours, best a UUID, under which the request is carried out once: the same request with it is given the "
            "same answer for 24 hours"
        )
        value = {"type": "string", "pattern": r"^[!-~]+$", "maxLength": idempotency.LONGEST}
        parameters.append(_header("Idempotency-Key", says, value))
    if one.matches:
        parameters.append(_header("If-Match", "`ETag` of what you saw: 412 if it has changed since", {"type": "string"}))
    if one.tagged and method == "get":
        parameters.append(_header("If-None-Match", "`ETag` of what you have: 304 if it still holds", {"type": "string"}))
    if one.photo:
        kinds = ("image/jpeg", "image/png", "image/webp", "image/heic")
        body = {kind: {"schema": {"type": "string", "contentMediaType": kind}} for kind in kinds}
        operation["requestBody"] = {"required": True, "content": body}
    elif "requestBody" in operation:
        operation["requestBody"]["required"] = True
    operation["responses"] = _responses(path, method, one, takes_body="requestBody" in operation)


def _responses(path: str, method: str, one: Described, *, takes_body: bool) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    limits = {name: {"$ref": f"#/components/headers/{name}"} for name in ("RateLimit", "RateLimit-Policy")}
    for status, model in sorted(one.answers.items()):
        answer: dict[str, Any] = {"description": _first_line(model) if model is not None else "Done", "headers": dict(limits)}
        if model is shapes.Picture:
            answer["content"] = {"image/jpeg": {"schema": {"type": "string", "contentMediaType": "image/jpeg"}}}
        elif model is not None:
            reference = {"$ref": f"#/components/schemas/{model.__name__}"}
            answer["content"] = {"application/json": {"schema": reference}}
            if model in EXAMPLES:
                answer["content"]["application/json"]["example"] = EXAMPLES[model]
        if one.tagged:
            answer["headers"]["ETag"] = {"$ref": "#/components/headers/ETag"}
        if status == 201 and not path.endswith("/links"):
            answer["headers"]["Location"] = {"$ref": "#/components/headers/Location"}
        answers[str(status)] = answer
    if one.tagged and method == "get":
        answers["304"] = {"description": "What you have still holds", "headers": dict(limits)}
    codes = [*ALWAYS, *one.problems]
    if "{" in path:
        codes.append("not_found")
    if takes_body:
        codes += ["too_large", "unsupported_media_type", "invalid"]
    for status in sorted({CODES[code].status for code in codes}):
        answers[str(status)] = _problem(status, [code for code in CODES if code in codes and CODES[code].status == status])
    return answers


def _problem(status: int, codes: list[str]) -> dict[str, Any]:
    """An answer that is a problem: one example for each code it may have."""
    examples = {code: {"summary": CODES[code].title, "value": example_of(code)} for code in codes}
    schema = {"$ref": "#/components/schemas/ProblemOut"}
    answer: dict[str, Any] = {
        "description": f"{problems.title_of(status)}: " + ", ".join(f"`{code}`" for code in codes),
        "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }
    if status in (409, 429, 503):
        answer["headers"] = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    return answer


def example_of(code: str) -> dict[str, Any]:
    """A problem as it is sent."""
    one = CODES[code]
    errors = []
    if code == "invalid":
        errors = [problems.wrong("/profile/date_of_birth", "future", "This day has not come yet.")]
    return {
        "type": f"/v1/docs#{code}",
        "title": one.title,
        "status": one.status,
        "detail": one.says,
        "code": code,
        "errors": errors,
    }


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().split("\n")[0].rstrip(".")


def _path_schema(name: str) -> dict[str, Any]:
    if name == "external_id":
        return {"type": "string", "pattern": f"^{shapes.EXTERNAL_ID}$", "maxLength": 100, "example": "c-1042"}
    if name == "specimen":
        return {"type": "string", "pattern": "^[a-z_]+$", "maxLength": 60, "example": "approve"}
    if name == "kind":
        return {"type": "string", "enum": ["document", "selfie"]}
    return {"type": "string", "format": "uuid"}


def _header(name: str, says: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"in": "header", "name": name, "required": False, "description": says, "schema": schema}


def _headers() -> dict[str, Any]:
    text, number = {"type": "string"}, {"type": "integer", "minimum": 0}
    return {
        "ETag": {"description": "The version of what is in the body", "schema": text},
        "Location": {"description": "Where to read it", "schema": text},
        "RateLimit": {"description": 'What is left: `"key";r=599;t=42` is 599 requests within 42 seconds', "schema": text},
        "RateLimit-Policy": {"description": 'The rule: `"key";q=600;w=60` is 600 requests in 60 seconds', "schema": text},
        "Retry-After": {"description": "Seconds to wait", "schema": number},
    }


_ID, _CASE = "c-1042", "7b0f0f6e-93a5-4f44-9be5-9d6d3f1a2c10"
_AT, _LATER = "2026-11-22T12:00:00Z", "2026-11-22T12:01:07Z"
_PROFILE = {
    **dict.fromkeys(shapes.Details.model_fields), "surname": "ABELARDTEST", "given_names": "MARITESTA",
    "date_of_birth": "1990-02-03", "sex": "F", "document_number": "700000001", "nationality": "UTO", "earlier_numbers": [],
}  # fmt: skip
_NEW = {**_PROFILE, "surname": "BERGMANTEST", "document_number": "700000002", "expires_on": "2034-05-06",
        "earlier_numbers": ["700000001"]}  # fmt: skip
_CASE_EXAMPLE = {
    "id": _CASE, "customer": _ID, "livemode": True, "state": "draft", "open": True, "reason": "marriage", "country": "UTO",
    "locale": "en", "version": 1, "attempt": 0, "reasons": [], "retake": [], "opened_at": _AT, "updated_at": _AT,
    "submitted_at": None, "due_at": None, "closed_at": None,
}  # fmt: skip

EXAMPLES: dict[type[BaseModel], dict[str, Any]] = {
    shapes.CustomerOut: {
        "id": _ID, "livemode": True, "profile": _PROFILE, "email": "person@example.com", "locale": "en", "version": 1,
        "face_on_file": True, "open_case": None, "created_at": _AT, "updated_at": _AT,
    },
    shapes.FaceOut: {"customer": _ID, "width": 900, "height": 1200, "set_at": _AT},
    shapes.LinkOut: {"url": "https://portal.example/enter/o3Jx…", "expires_at": "2026-11-22T12:10:00Z"},
    shapes.CaseOut: _CASE_EXAMPLE,
    shapes.CasePage: {"data": [_CASE_EXAMPLE], "has_more": False, "next": None},
    shapes.OutcomeOut: {
        "case": _CASE, "customer": _ID, "livemode": True, "state": "approved", "decision": "approve", "decided_by": "machine",
        "decided_at": _LATER, "reasons": [], "differing": [], "policy_version": 1, "submitted_at": _AT, "closed_at": _LATER,
        "held": False, "disputed": False,
        "applied": {
            "version": 2, "fields": ["surname", "document_number", "expires_on"], "profile": _NEW, "email": "person@example.com",
        },
    },
}  # fmt: skip
"""One good answer of each kind; of nobody."""
