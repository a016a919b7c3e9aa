"""Every operation of the API against whatever its own document allows and forbids, as every kind of caller.

No answer may be a fault of ours, and none may be one that the document does not tell of: status, media type, headers and shape.
A short look in CI, the same each time; `FUZZ=200` in the environment makes it a long one, with that many examples an operation.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from schemathesis import Case, GenerationMode, checks

from cases import api_keys
from cases.database import Database, utcnow
from cases.settings import Settings
from verification import images
from webapp.app import create_app

LONG = int(os.environ.get("FUZZ", "0"))
SHORT = 5
"""Examples of an operation by the document, and half as many against it."""

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]

MAY = ("test", "live")
MAY_NOT = ("nobody", "stranger", *(f"without {scope}" for scope in api_keys.SCOPES))
PROFILE = {"surname": "ABELARDTEST", "given_names": "MARITESTA", "date_of_birth": "1990-02-03", "document_number": "700000001"}


class World:
    """The API, a key for every role, and a customer, a case and an endpoint in either mode."""

    def __init__(self, app: Flask, tokens: dict[str, str]) -> None:
        self.app, self.tokens = app, tokens
        self.known: dict[str, dict[str, Any]] = {}
        self.seen: dict[str, set[int]] = {}
        for mode in MAY:
            name = f"c-{mode}"
            for person in (name, f"free-{mode}"):
                self.ask(
                    "PUT", f"/customers/{person}", mode, {"profile": PROFILE, "email": "person@example.test", "locale": "en"}
                )
            case = self.ask("POST", "/cases", mode, {"customer": name, "reason": "marriage", "claim": {"surname": "BERGMANTEST"}})
            hook = {"url": "https://bank.example/hooks", "kinds": ["case.approved"]}
            endpoint = self.ask("POST", "/webhook_endpoints", mode, hook)
            self.known[mode] = {
                "external_id": name, "case_id": case["id"], "endpoint_id": endpoint["id"], "delivery_id": str(uuid4()),
                "specimen": "document_expired", "kind": "document",
            }  # fmt: skip

    def ask(self, method: str, path: str, role: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.app.test_client().open(f"/v1{path}", method=method, headers=self.headers(role), json=body)
        assert answer.status_code in (200, 201), answer.text
        made: dict[str, Any] = answer.get_json()
        return made

    def good(self, mode: str) -> dict[str, dict[str, Any]]:
        """A body that is right, by operation: chance alone seldom makes one."""
        return {
            "put_customer": {"profile": PROFILE, "email": "person@example.test", "locale": "kk"},
            "change_endpoint": {"kinds": ["case.rejected"]},
            "open_case": {"customer": f"free-{mode}", "reason": "divorce", "claim": {"surname": "ELDERTEST"}},
            "make_link": {"case_id": self.known[mode]["case_id"]},
            "add_endpoint": {"url": "https://other.example/hooks", "kinds": ["profile.changed"]},
            "rotate_endpoint": {"overlap_hours": 1},
            "answer_case": {"action": "reject", "reasons": ["document_expired"]},
        }

    def headers(self, role: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[role]}"} if role in self.tokens else {"Authorization": ""}

    def look(self, case: Case, role: str) -> None:
        """Send one request and hold its answer against the document."""
        answer = case.call(headers={**self.headers(role), "Accept-Encoding": "identity"})
        self.seen.setdefault(f"{case.operation.method.upper()} {case.operation.path}", set()).add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)


@pytest.fixture
def world(database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Faults are answered as they would be to a host, and no rate is in the way."""
    from webapp.api import surface

    monkeypatch.setattr(surface, "GUESSES", 10**9)
    app = create_app(settings.model_copy(update={"api_per_minute": 10**9}), surfaces="api")
    every = {mode: [s for s in api_keys.SCOPES if mode == "test" or s not in api_keys.TEST_ONLY] for mode in MAY}
    wanted = {mode: (mode, scopes) for mode, scopes in every.items()}
    wanted |= {f"without {scope}": ("test", [s for s in every["test"] if s != scope]) for scope in api_keys.SCOPES}
    tokens = {"stranger": "pk_live_" + "x" * 43}
    with database.transaction() as session:
        for role, (mode, scopes) in wanted.items():
            tokens[role] = api_keys.create(session, name=role[:80], mode=mode, scopes=scopes, by=None, now=utcnow())[1]
    yield World(app, tokens)
    app.extensions["peremena.database"].dispose()


def photos() -> tuple[bytes, ...]:
    """A picture of nothing, what is no picture, and nothing."""
    noise = np.random.default_rng(7).integers(60, 200, (480, 640, 3), dtype=np.uint8)
    return images.encode_jpeg(noise), b"\xff\xd8\xff\xe0 no picture", b""


def test_no_answer_of_any_operation_to_anybody_is_a_fault_or_untold(world: World) -> None:
    schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", world.app)
    found = [result.ok() for result in schema.get_all_operations()]
    assert len(found) >= 22
    # What takes its subject away comes last, so that the others meet somebody.
    for operation in sorted(found, key=lambda one: (one.method.upper() == "DELETE", "cancel" in one.path, "answer" in one.path)):
        _fuzz(world, operation, LONG or SHORT)
    told = {name: sorted(statuses) for name, statuses in world.seen.items()}
    for name, statuses in told.items():
        print(f"{name:60} {statuses}")
        assert {401, 403} <= set(statuses), name
    never = {name for name, statuses in told.items() if statuses[0] >= 300}
    assert len(never) <= 3, never  # those whose case would have to be elsewhere first, and one whose delivery there is not


def _fuzz(world: World, operation: Any, most: int) -> None:
    """Examples by the document and against it, each as one who may and as one who may not; most of something that exists."""
    number = iter(range(10**9))
    takes_photo = "image/jpeg" in str(operation.definition.raw.get("requestBody", ""))
    scope = operation.definition.raw["description"].rpartition("`")[0].rpartition("`")[2]

    def look(case: Case) -> None:
        turn = next(number)
        may = MAY[turn % 2]
        if turn % 5:
            known = world.known[may]
            case.path_parameters = {name: known.get(name, value) for name, value in (case.path_parameters or {}).items()}
        if takes_photo:
            case.body, case.media_type = photos()[turn // 2 % 3], "image/jpeg"
        elif turn % 4 in (1, 2) and (good := world.good(may).get(operation.definition.raw["operationId"])) is not None:
            case.body, case.media_type, case.headers = good, "application/json", {}
        world.look(case, (f"without {scope}", *MAY_NOT)[turn % (1 + len(MAY_NOT))])
        world.look(case, may)

    for mode, share in ((GenerationMode.POSITIVE, most), (GenerationMode.NEGATIVE, max(1, most // 2))):
        examples(
            max_examples=share,
            derandomize=not LONG,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )(given(case=operation.as_strategy(generation_mode=mode))(look))()
