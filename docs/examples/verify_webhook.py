"""Check that a webhook comes from Peremena (Standard Webhooks). Python and nothing else: copy this file into your system."""

from __future__ import annotations

import hmac
import json
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any


class BadSignature(ValueError):
    """Nobody who knows the secret sent this, or long ago."""


def verified(headers: Mapping[str, str], body: bytes, secret: str, *, tolerance: float = 300.0) -> dict[str, Any]:
    """The event in `body`, the very bytes that came. `secret` is whsec_…, `tolerance` in seconds. Raises BadSignature."""
    sent = {name.lower(): value for name, value in headers.items()}
    number, at = sent.get("webhook-id", ""), sent.get("webhook-timestamp", "")
    signed = f"{number}.{at}.".encode() + body
    mine = b"v1," + b64encode(hmac.digest(b64decode(secret.removeprefix("whsec_")), signed, "sha256"))
    given = sent.get("webhook-signature", "").encode().split()
    if not any(hmac.compare_digest(mine, one) for one in given):
        raise BadSignature("no signature fits")
    if abs(time.time() - int(at)) > tolerance:
        raise BadSignature("too old, or our clocks differ")
    event: dict[str, Any] = json.loads(body)
    return event
