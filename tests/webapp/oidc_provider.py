"""A small OpenID provider that really listens: discovery, keys, authorization code with PKCE, sign-out. It can err on purpose."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from authlib.oidc.core.util import create_half_hash
from flask import Flask, redirect, request
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from werkzeug.serving import make_server

CLIENT, SECRET = "peremena", "a secret of the provider and of us"
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass
class Provider:
    """The provider. `person` is who sits at its log-in; what stands in the other fields errs on purpose."""

    clock: Callable[[], datetime]
    person: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)  # of the next ID tokens, over the right ones; None leaves one out
    answer: dict[str, str] = field(default_factory=dict)  # of the authorization response; None leaves one out
    metadata: dict[str, Any] = field(default_factory=dict)
    forge: Callable[[dict[str, Any]], str] | None = None  # signs in the place of the right key
    status: int = 0  # of every answer but 0: of none
    asked: list[str] = field(default_factory=list)  # paths of our own requests
    issuer: str = ""
    alg: str = "ES256"

    def __post_init__(self) -> None:
        self.codes: dict[str, dict[str, str]] = {}
        self.keys = [self.new_key()]
        self.seen: dict[str, str] = {}  # the last authorization request
        self._server = make_server("127.0.0.1", 0, self._app(), threaded=True)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Nobody answers any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def new_key(self) -> Any:
        about: dict[str, Any] = {"kid": secrets.token_hex(4), "use": "sig"}
        if self.alg.startswith("ES"):
            return ECKey.generate_key("P-256", about, private=True)
        if self.alg == "EdDSA":
            return OKPKey.generate_key("Ed25519", about, private=True)
        return RSAKey.generate_key(2048, about, private=True)

    def rotate(self) -> None:
        """From now on another key signs, and the old one is no longer published."""
        self.keys = [self.new_key()]

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        if self.forge is not None:
            return self.forge(claims)
        key = self.keys[-1]
        return jwt.encode({"alg": self.alg, "kid": key.kid, **header}, claims, key, algorithms=[self.alg])

    def id_token(self, asked: dict[str, str], access_token: str = "") -> str:
        """An ID token for who sits at the log-in."""
        moment = int(self.clock().timestamp())
        right = {
            "iss": self.issuer, "aud": CLIENT, "iat": moment, "exp": moment + 300, "nonce": asked.get("nonce"), **self.person,
        }  # fmt: skip
        if access_token:
            right["at_hash"] = create_half_hash(access_token, "ES256").decode()
        return self.sign({name: value for name, value in {**right, **self.claims}.items() if value is not None})

    def logout_token(self, **changes: Any) -> str:
        """A sign-out as the provider tells of it."""
        moment = int(self.clock().timestamp())
        right = {
            "iss": self.issuer, "aud": CLIENT, "iat": moment, "exp": moment + 120, "jti": secrets.token_hex(8),
            "events": {LOGOUT: {}}, "sub": self.person.get("sub"), "sid": self.person.get("sid"),
        }  # fmt: skip
        claims = {name: value for name, value in {**right, **changes}.items() if value is not None}
        return self.sign(claims, typ="logout+jwt")

    def _app(self) -> Flask:
        app = Flask("provider")

        @app.before_request
        def note() -> Any:
            self.asked.append(request.path)
            return ("busy", self.status) if self.status else None

        @app.get("/.well-known/openid-configuration")
        def discovery() -> Any:
            at = self.issuer
            found = {
                "issuer": at, "authorization_endpoint": f"{at}/authorize", "token_endpoint": f"{at}/token",
                "jwks_uri": f"{at}/jwks", "end_session_endpoint": f"{at}/end-session", "response_types_supported": ["code"],
                "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
                "code_challenge_methods_supported": ["S256"],
            }  # fmt: skip
            return {name: value for name, value in {**found, **self.metadata}.items() if value is not None}

        @app.get("/jwks")
        def jwks() -> Any:
            odd = [{"kty": "XYZ", "kid": "odd"}, OctKey.generate_key(256, {"kid": "shared"}).as_dict()]
            return {"keys": [*odd, *(key.as_dict(private=False) for key in self.keys)]}

        @app.get("/authorize")
        def authorize() -> Any:
            asked = request.args.to_dict()
            self.seen = asked
            code = secrets.token_hex(12)
            self.codes[code] = asked
            answer = {"code": code, "state": asked["state"], **self.answer}
            return redirect(f"{asked['redirect_uri']}?{urlencode({k: v for k, v in answer.items() if v is not None})}", 302)

        @app.post("/token")
        def token() -> Any:
            form, who = request.form, request.authorization
            asked = self.codes.pop(form.get("code", ""), None)
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            proof = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if who is None or (who.username, who.password) != (CLIENT, SECRET):
                return {"error": "invalid_client"}, 401
            if (
                asked is None
                or asked["redirect_uri"] != form.get("redirect_uri")
                or asked.get("code_challenge_method") != "S256"
                or asked.get("code_challenge") != proof
            ):
                return {"error": "invalid_grant"}, 400
            access = secrets.token_hex(8)
            return {"access_token": access, "token_type": "Bearer", "id_token": self.id_token(asked, access)}

        @app.get("/end-session")
        def end_session() -> Any:
            return "signed out"

        return app
