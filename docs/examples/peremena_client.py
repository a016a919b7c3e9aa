"""A client of Peremena's API v1. Python 3.11 and nothing else: copy this file into your system.

    peremena = Peremena("https://api.example", os.environ["PEREMENA_KEY"])
    peremena.put_customer("c-1042", profile={"surname": "ABELARDTEST"}, email="person@example.com", locale="en")
    link = peremena.create_link("c-1042", return_url="https://bank.example/profile")

Answers are the API's JSON. A refusal is raised as `Refused`. What may pass by itself (no connection, 429, 503, a request that is
still being carried out) is sent again, with the same Idempotency-Key, so that nothing happens twice.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen
from uuid import uuid4

Json = dict[str, Any]
AGAIN = frozenset({429, 502, 503, 504})
SAFE = frozenset({"GET", "PUT", "DELETE"})  # alike however often they are sent


class Refused(Exception):
    """The API said no (RFC 9457). `code` is for programs, `errors` says what and where."""

    def __init__(self, status: int, problem: Json) -> None:
        self.status, self.problem = status, problem
        self.code = str(problem.get("code", "error"))
        self.errors: list[dict[str, str]] = problem.get("errors", [])
        super().__init__(f"{status} {self.code}: {problem.get('detail', '')}")


class Peremena:
    """One key of one installation. Methods are the operations of the API; `tries` counts the first one too."""

    def __init__(self, url: str, key: str, *, tries: int = 5, timeout: float = 30.0) -> None:
        self._root, self._key, self._tries, self._timeout = url.rstrip("/") + "/v1", key, tries, timeout

    # --- people

    def put_customer(
        self, customer: str, *, profile: Mapping[str, Any], email: str, locale: str, if_match: str | None = None
    ) -> Json:
        """Write what you hold of a person. The same again changes nothing."""
        body = {"profile": dict(profile), "email": email, "locale": locale}
        return self._json("PUT", f"/customers/{quote(customer)}", body, headers={"If-Match": if_match} if if_match else {})

    def get_customer(self, customer: str) -> Json:
        """What Peremena holds of a person now."""
        return self._json("GET", f"/customers/{quote(customer)}")

    def put_face(self, customer: str, photo: bytes, media_type: str = "image/jpeg") -> Json:
        """Give the face on file: JPEG, PNG, WebP or HEIC."""
        return self._json("PUT", f"/customers/{quote(customer)}/face", photo=photo, media_type=media_type)

    def create_link(
        self, customer: str, *, return_url: str | None = None, case_id: str | None = None, locale: str | None = None
    ) -> Json:
        """A hand-over link for her browser, now: `url`. It works once."""
        body = {"return_url": return_url, "case_id": case_id, "locale": locale}
        return self._json("POST", f"/customers/{quote(customer)}/links", body)

    def export_customer(self, customer: str, *, language: str = "en", pictures: bool = False) -> Json:
        """Everything held of a person."""
        return self._json("GET", f"/customers/{quote(customer)}/export?language={language}&pictures={str(pictures).lower()}")

    def erase_customer(self, customer: str, *, reason: str = "wish") -> Json:
        """Erase a person; `state` says whether it is done or waits."""
        return self._json("DELETE", f"/customers/{quote(customer)}?{urlencode({'reason': reason})}")

    # --- cases

    def open_case(self, customer: str, *, reason: str, claim: Mapping[str, str], **more: str) -> Json:
        """A draft with her claim typed already; more: country, email, locale."""
        return self._json("POST", "/cases", {"customer": customer, "reason": reason, "claim": dict(claim), **more})

    def get_case(self, case_id: str) -> Json:
        """Where a case stands."""
        return self._json("GET", f"/cases/{quote(case_id)}")

    def cases(self, **which: str) -> Iterator[Json]:
        """All cases, the newest first; which: customer, state."""
        return self._pages("/cases", which)

    def cancel_case(self, case_id: str) -> Json:
        """Close an open case at the customer's wish."""
        return self._json("POST", f"/cases/{quote(case_id)}/cancel")

    def get_outcome(self, case_id: str) -> Json:
        """What was decided, why, and the details that hold after an approval."""
        return self._json("GET", f"/cases/{quote(case_id)}/outcome")

    # --- webhooks

    def add_endpoint(self, url: str, kinds: Sequence[str]) -> Json:
        """Be told at `url`; keep `secret`, it is shown this once."""
        return self._json("POST", "/webhook_endpoints", {"url": url, "kinds": list(kinds)})

    def endpoints(self) -> Iterator[Json]:
        """All endpoints."""
        return self._pages("/webhook_endpoints", {})

    def get_endpoint(self, endpoint: str) -> Json:
        """One endpoint."""
        return self._json("GET", f"/webhook_endpoints/{quote(endpoint)}")

    def change_endpoint(self, endpoint: str, **changes: Any) -> Json:
        """Set url, kinds or enabled."""
        return self._json("PATCH", f"/webhook_endpoints/{quote(endpoint)}", changes)

    def remove_endpoint(self, endpoint: str) -> None:
        """Send nothing there any more."""
        self._send("DELETE", f"/webhook_endpoints/{quote(endpoint)}")

    def rotate_secret(self, endpoint: str, *, overlap_hours: int = 24) -> Json:
        """A new `secret`, shown this once; until the overlap is over both sign."""
        return self._json("POST", f"/webhook_endpoints/{quote(endpoint)}/rotate", {"overlap_hours": overlap_hours})

    def send_test(self, endpoint: str) -> Json:
        """Have a `webhook.test` sent there."""
        return self._json("POST", f"/webhook_endpoints/{quote(endpoint)}/test")

    def replay(self, delivery: str) -> Json:
        """Send one delivery again."""
        return self._json("POST", f"/webhook_deliveries/{quote(delivery)}/replay")

    # --- sandbox (test keys)

    def specimens(self) -> list[Json]:
        """Every drawn picture and what it forces."""
        return list(self._json("GET", "/sandbox/specimens")["data"])

    def specimen(self, specimen: str, kind: str, *, copy: int = 1) -> bytes:
        """A JPEG that forces an outcome; kind: document, selfie."""
        return self._send("GET", f"/sandbox/specimens/{quote(specimen)}/{quote(kind)}?copy={copy}")

    def put_photo(self, case_id: str, kind: str, photo: bytes) -> Json:
        """What the customer does on the portal: send a photo."""
        return self._json("PUT", f"/sandbox/cases/{quote(case_id)}/photos/{quote(kind)}", photo=photo)

    def submit_case(self, case_id: str) -> Json:
        """What the customer does at the end: send the case."""
        return self._json("POST", f"/sandbox/cases/{quote(case_id)}/submit")

    def answer_case(self, case_id: str, action: str, *, reasons: Sequence[str] = (), retake: Sequence[str] = ()) -> Json:
        """What an agent does: approve, reject, ask_retake, revert."""
        body = {"action": action, "reasons": list(reasons), "retake": list(retake)}
        return self._json("POST", f"/sandbox/cases/{quote(case_id)}/answer", body)

    def _pages(self, path: str, query: Mapping[str, str]) -> Iterator[Json]:
        page: Json = {"has_more": True, "next": None}
        while page["has_more"]:
            after = {"after": page["next"]} if page["next"] else {}
            page = self._json("GET", f"{path}?{urlencode({'limit': '100', **query, **after})}")
            yield from page["data"]

    def _json(self, method: str, path: str, body: Json | None = None, **how: Any) -> Json:
        return dict(json.loads(self._send(method, path, body, **how)))

    def _send(
        self, method: str, path: str, body: Json | None = None, *, photo: bytes | None = None, media_type: str = "image/jpeg",
        headers: Mapping[str, str] | None = None,
    ) -> bytes:  # fmt: skip
        """One request, sent until it is answered for good. Raises Refused, or URLError where nobody answers."""
        sent = {"Authorization": f"Bearer {self._key}", "Accept": "application/json", **(headers or {})}
        data = photo if photo is not None else None if body is None else json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = media_type if photo is not None else "application/json"
        if method == "POST":
            sent["Idempotency-Key"] = str(uuid4())  # the same for every try
        for left in range(self._tries - 1, -1, -1):
            wait = random.uniform(0.5, 1.0) * 2.0 ** (self._tries - 1 - left)
            try:
                with urlopen(Request(self._root + path, data, sent, method=method), timeout=self._timeout) as answer:
                    return bytes(answer.read())
            except HTTPError as error:
                with error:
                    refused = Refused(error.code, _problem(error.read()))
                if not left or not (error.code in AGAIN or refused.code == "idempotency_in_progress"):
                    raise refused from None
                wait = max(wait, float(error.headers.get("Retry-After", 0)))
            except (URLError, TimeoutError, ConnectionError):
                if not left or (method not in SAFE and "Idempotency-Key" not in sent):
                    raise
            time.sleep(wait)
        raise AssertionError("unreachable: the last try returns or raises")


def _problem(body: bytes) -> Json:
    """A problem document; what stands in its place where something between us and the API answered."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"code": "error", "detail": "No problem document came back."}
