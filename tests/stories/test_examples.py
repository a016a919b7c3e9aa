"""The examples a developer begins with, run as they stand in docs/examples, against the system as `bin/up` starts it."""

from __future__ import annotations

import ast
import hmac
import os
import re
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from cases import api_keys
from cases.database import utcnow
from tests.stories.conftest import ROOT, System, free_port

EXAMPLES = ROOT / "docs" / "examples"
sys.path.insert(0, str(EXAMPLES))

from peremena_client import Peremena, Refused  # noqa: E402
from verify_webhook import BadSignature, verified  # noqa: E402


class Walker:
    """A browser without a screen: cookies, redirects, and forms whose hidden fields are sent back."""

    def __init__(self) -> None:
        self.session = requests.Session()
        self.session.headers["Accept-Language"] = "en"
        self.at, self.text = "", ""

    def go(self, address: str) -> Walker:
        return self._seen(self.session.get(urljoin(self.at, address), timeout=30))

    def send(self, address: str, files: dict[str, Any] | None = None, **fields: str) -> Walker:
        hidden = dict(re.findall(r'type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"', self.text))
        return self._seen(
            self.session.post(
                urljoin(self.at, address), data={**hidden, **fields}, files=files, timeout=60, headers={"Origin": self.origin}
            )
        )

    @property
    def origin(self) -> str:
        return "/".join(self.at.split("/")[:3])

    def _seen(self, answer: requests.Response) -> Walker:
        assert answer.status_code == 200, (answer.status_code, answer.url, answer.text[:2000])
        self.at, self.text = answer.url, answer.text
        return self


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.fixture
def bank(system: System, tmp_path: Path) -> Iterator[tuple[str, Peremena, str]]:
    """The example host application as a process of its own, with a test key and an endpoint: address, client, secret."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with system.database.transaction() as session:
        _row, key = api_keys.create(
            session, name="example", mode="test", scopes=api_keys.SCOPES, return_origins=[address], by=None, now=utcnow()
        )
    client = Peremena(str(system.settings.api_url), key)
    endpoint = client.add_endpoint(f"{address}/hooks/peremena", ["profile.changed", "case.in_review", "case.approved"])
    environment = {
        **os.environ,
        "PEREMENA_URL": str(system.settings.api_url),
        "PEREMENA_KEY": key,
        "PEREMENA_WEBHOOK_SECRET": endpoint["secret"],
    }
    command = [sys.executable, "-m", "flask", "--app", "host", "run", "--port", str(port)]
    log = tmp_path / "bank.log"
    with log.open("w") as out:
        running = subprocess.Popen(command, cwd=EXAMPLES, env=environment, stdout=out, stderr=out)
    try:
        until(lambda: "Running on" in log.read_text() and running.poll() is None)
        yield address, client, endpoint["secret"]
    finally:
        running.terminate()
        running.wait(10)


@pytest.mark.slow
def test_the_example_host_hands_her_over_and_shows_the_new_name(system: System, bank: tuple[str, Peremena, str]) -> None:
    address, client, _secret = bank
    her = Walker().go(address)
    assert "Log in" in her.text
    her.send("/login")
    assert "Hello, MARITESTA ABELARDTEST." in her.text

    her.send("/change")
    assert her.at.startswith(f"{system.settings.portal_url}/enter/")
    her.send("/enter", token=her.at.rsplit("/", 1)[1])
    her.go("/request/reason").send("/request/reason", reason="marriage", paper="other")
    her.send(
        "/request/details", surname="Bergmantest", document_number="700000002", issued_on_day="1", issued_on_month="2",
        issued_on_year="2026", expires_on_day="1", expires_on_month="2", expires_on_year="2036",
    )  # fmt: skip
    assert her.at.endswith("/photos/document"), re.findall(r'class="problem"[^>]*>([^<]+)<', her.text)
    case = her.at.split("/")[-3]
    for kind in ("document", "selfie"):
        her.send(her.at, files={"photo": (f"{kind}.jpg", client.specimen("approve", kind), "image/jpeg")})
    assert her.at.endswith("/check"), her.at
    her.send(her.at, consent=re.search(r'name="consent"[^>]*value="([^"]+)"', her.text)[1])  # type: ignore[index]

    until(lambda: client.get_case(case)["state"] != "submitted" and client.get_case(case)["state"] != "verifying")
    outcome = client.get_outcome(case)
    assert (outcome["state"], outcome["decision"], outcome["livemode"]) == ("approved", "approve", False), outcome
    # The webhook came, its signature held, and the application asked for what holds now.
    mine = Walker()
    mine.session.cookies.update(her.session.cookies)
    until(lambda: "BERGMANTEST" in mine.go(address).text.upper())
    # The portal leads her back to where she came from.
    assert address in her.go(her.at).text

    body = b'{"type":"profile.changed","data":{"external_id":"c-1042"}}'
    assert requests.post(f"{address}/hooks/peremena", data=body, timeout=10).status_code == 400
    forged = {"webhook-id": "msg_1", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,AAAA"}
    assert requests.post(f"{address}/hooks/peremena", data=body, headers=forged, timeout=10).status_code == 400


@pytest.mark.slow
def test_the_client_carries_out_every_operation(system: System, bank: tuple[str, Peremena, str]) -> None:
    _address, client, _secret = bank
    profile = {
        "surname": "ABELARDTEST",
        "given_names": "MARITESTA",
        "date_of_birth": "1990-02-03",
        "document_number": "700000003",
    }
    made = client.put_customer("c-2001", profile=profile, email="person@example.com", locale="en")
    assert client.get_customer("c-2001") == made
    assert client.put_face("c-2001", client.specimen("approve", "selfie"))["customer"] == "c-2001"
    assert client.create_link("c-2001")["url"].startswith(str(system.settings.portal_url))
    case = client.open_case("c-2001", reason="marriage", claim={"surname": "BERGMANTEST"}, country="UTO")["id"]
    assert [one["id"] for one in client.cases(customer="c-2001")] == [case]
    assert len(client.specimens()) > 80
    for kind, key in (("document", "document_doubted"), ("selfie", "approve")):
        client.put_photo(case, kind, client.specimen(key, kind))
    client.submit_case(case)
    until(lambda: client.get_case(case)["state"] == "in_review")
    assert client.answer_case(case, "ask_retake", retake=["document"])["state"] == "needs_retake"
    assert client.cancel_case(case)["state"] == "withdrawn"
    with pytest.raises(Refused) as refused:
        client.submit_case(case)
    assert (refused.value.status, refused.value.code) == (409, "state_conflict")
    assert client.get_outcome(case)["decision"] is not None
    endpoint = next(client.endpoints())
    assert client.get_endpoint(endpoint["id"]) == endpoint
    assert client.change_endpoint(endpoint["id"], kinds=["case.approved"])["kinds"] == ["case.approved"]
    with pytest.raises(Refused) as unknown:
        client.replay(case)
    assert unknown.value.status == 404
    client.remove_endpoint(endpoint["id"])
    assert client.export_customer("c-2001")["format"]
    assert client.erase_customer("c-2001", reason="order")["state"] == "done"
    with pytest.raises(Refused) as gone:
        client.get_customer("c-2001")
    assert gone.value.code == "not_found"


def test_the_verifier_knows_standard_webhooks_own_example_and_refuses_all_else() -> None:
    secret = "whsec_" + b64encode(b"a key of twenty-four by.").decode()
    body = b'{"type":"case.approved"}'
    at = str(int(time.time()))

    def signed(number: str, moment: str, key: str) -> str:
        text = f"{number}.{moment}.".encode() + body
        return "v1," + b64encode(hmac.digest(b64decode(key[6:]), text, "sha256")).decode()

    good = {"Webhook-Id": "msg_1", "Webhook-Timestamp": at, "Webhook-Signature": f"v1,no {signed('msg_1', at, secret)}"}
    assert verified(good, body, secret)["type"] == "case.approved"
    old = str(int(at) - 301)
    other = "whsec_" + b64encode(b"another key of 24 bytes.").decode()
    for headers, sent in (
        (good, body + b" "),
        ({**good, "Webhook-Id": "msg_2"}, body),
        ({**good, "Webhook-Signature": signed("msg_1", at, other)}, body),
        ({**good, "Webhook-Signature": "v1,"}, body),
        ({**good, "Webhook-Timestamp": old, "Webhook-Signature": signed("msg_1", old, secret)}, body),
        ({}, body),
    ):
        with pytest.raises(BadSignature):
            verified(headers, sent, secret)


def test_the_examples_are_as_short_as_they_promise() -> None:
    assert len((EXAMPLES / "peremena_client.py").read_text().splitlines()) <= 200
    assert _statements(EXAMPLES / "host.py") <= 30
    verifier = next(
        node for node in ast.parse((EXAMPLES / "verify_webhook.py").read_text()).body if isinstance(node, ast.FunctionDef)
    )
    assert (verifier.end_lineno or 0) - verifier.lineno + 1 <= 14
    assert len(verifier.body) - 1 <= 10  # without its docstring


def test_the_examples_name_every_operation_of_the_api() -> None:
    """By the addresses that the server really has."""
    from webapp.api import surface  # noqa: F401
    from webapp.api.sandbox import api

    client = (EXAMPLES / "peremena_client.py").read_text()
    paths = re.findall(r'f?"(/(?:customers|cases|webhook|sandbox)[^"?]*)', client)
    known = {re.sub(r"\{quote\(\w+\)\}", "{}", path) for path in paths}
    app = __import__("flask").Flask("paths")
    app.register_blueprint(api)
    served = {
        re.sub(r"<[^>]+>", "{}", rule.rule.removeprefix("/v1"))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1/")
    }
    assert served - {"/docs", "/openapi.json"} == known


def _statements(file: Path) -> int:
    """Lines of code: no imports, no blank lines, no comments, no docstrings."""
    tree = ast.parse(file.read_text())
    skipped: set[int] = set()
    for node in ast.walk(tree):
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        if isinstance(node, (ast.Import, ast.ImportFrom)) or docstring:
            skipped |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = file.read_text().splitlines()
    return sum(1 for n, line in enumerate(lines, 1) if n not in skipped and line.strip() and not line.strip().startswith("#"))
