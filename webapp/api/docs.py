"""The OpenAPI document and a page that shows it: made here, without a script and without anything from elsewhere."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, current_app, jsonify, redirect, render_template
from werkzeug.wrappers import Response as AnyResponse

from webapp.api import problems, spec
from webapp.api.surface import api
from webapp.context import settings


@api.get("/openapi.json")
@api.doc(hide=True)
def openapi() -> Response:
    """What there is, for machines. Nothing in it is secret."""
    return jsonify(spec.document(current_app, settings()))  # type: ignore[arg-type]


@api.get("/docs")
@api.doc(hide=True)
def docs() -> str:
    """What there is, for people."""
    found = spec.document(current_app, settings())  # type: ignore[arg-type]
    return render_template(
        "api/docs.html",
        spec=found,
        groups=_groups(found),
        problems=problems.CODES,
        shown=lambda value: json.dumps(value, ensure_ascii=False, indent=2),
        schema_words=_schema_words,
    )


@api.get("")
@api.doc(hide=True)
def root() -> AnyResponse:
    """Who looks at the address itself wants to read."""
    return redirect("/v1/docs", 302)


def _groups(found: dict[str, Any]) -> list[tuple[dict[str, str], list[tuple[str, str, dict[str, Any]]]]]:
    """Operations by tag, in the order of the tags."""
    out = []
    for tag in found["tags"]:
        operations = [
            (path, method, operation)
            for path, methods in found["paths"].items()
            for method, operation in methods.items()
            if tag["name"] in operation["tags"]
        ]
        if operations:
            out.append((tag, operations))
    return out


def _schema_words(found: dict[str, Any]) -> str:
    """A schema in a few words: a type, its values or form; of a schema with a name, the name."""
    if "$ref" in found:
        return str(found["$ref"].rpartition("/")[2])
    if "anyOf" in found:
        return " or ".join(dict.fromkeys(_schema_words(one) for one in found["anyOf"]))
    if "enum" in found:
        return ", ".join(str(value) for value in found["enum"])
    if "const" in found:
        return str(found["const"])
    if found.get("type") == "array":
        return f"list of {_schema_words(found.get('items', {}))}"
    form = found.get("format")
    return f"{found.get('type', 'anything')}{f' ({form})' if form else ''}"
