"""Staff who sign in at the house's identity provider: OpenID Connect, authorization code flow with PKCE, by Authlib.

Here the provider is asked and its answer checked: issuer, audience, age, nonce, and a signature by one of the keys that it
publishes, with a public-key algorithm. Who that is and what she may do is for `cases.sso` to say; how a session lives and ends is
the same for everybody (webapp.security). A second factor is ours to ask unless OIDC_ACR or OIDC_AMR say how the provider tells of
its own. Nothing of a token is kept.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.integrations.base_client.errors import MismatchingStateError
from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App, OAuth, OAuthError
from authlib.oauth2.claims import JWTClaims
from authlib.oidc.core import CodeIDToken, UserInfo
from flask import Blueprint, Flask, abort, current_app, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_security.proxies import _security
from flask_security.utils import login_user
from joserfc import jws, jwt
from joserfc.errors import InvalidClaimError, InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, Key
from sqlalchemy.exc import IntegrityError

from cases import sso
from cases.settings import Settings
from webapp import security
from webapp.context import database, now, settings
from webapp.http import csrf
from webapp.logs import log

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures that are believed: with a private key, which the provider alone has. None of them is "none" or a shared secret."""

LEEWAY = 60
"""Seconds by which the provider's clock may be off, each way."""

ANSWER_AGE = timedelta(minutes=10)
"""How old a token may be, and how long a sign-in may take from the button to the way back."""

PENDING = 4
"""Sign-ins one browser may have begun at a time, one in each tab: they are kept in its cookie, which holds four kilobytes."""

TIMEOUT = (3.05, 10)
"""Seconds for the provider to take the connection (just above a lost packet's three) and to answer."""

KEPT = 3600.0
"""Seconds for which its addresses and keys are believed without a look."""

AGAIN = 30.0
"""Seconds between two looks for a key that is not known: whoever sends made-up key names must not make us ask each time."""

DOWN = 10.0
"""Seconds for which a provider that did not answer is not asked again, so that waiting does not use up every thread."""

ADDRESS_TRIES = 20
"""Refused answers of one address before it has to wait (security.WINDOW); a whole office may come from one."""

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
"""OpenID Connect Back-Channel Logout 1.0, section 2.4."""

SCOPE = "openid email profile"


class Refused(Exception):
    """She does not come in. `why` is a code for the trail and for `texts`; `staff_id` says who it was, where that is known."""

    def __init__(self, why: str, staff_id: Any = None) -> None:
        super().__init__(why)
        self.why = why
        self.staff_id = staff_id


class ProviderDown(Exception):
    """The provider does not answer, or not with what discovery promises."""


class Pending(FlaskIntegration):  # type: ignore[misc]
    """Authlib's store of begun sign-ins in the session's cookie, small and short-lived."""

    expires_in = int(ANSWER_AGE.total_seconds())

    def set_state_data(self, session: Any, state: str, data: dict[str, Any]) -> None:
        """Keep what the way back needs; the oldest gives way when there are PENDING."""
        prefix = f"_state_{self.name}_"
        begun = sorted((key for key in session if key.startswith(prefix)), key=lambda key: session[key].get("exp", 0))
        for key in begun[: max(0, len(begun) - PENDING + 1)]:
            session.pop(key)
        super().set_state_data(session, state, {key: value for key, value in data.items() if key != "url"})

    def get_state_data(self, session: Any, state: str) -> dict[str, Any] | None:
        """What was kept, while it is young enough."""
        held = session.get(f"_state_{self.name}_{state}")
        return held["data"] if held and held["exp"] >= time.time() else None


class Provider(FlaskOAuth2App):  # type: ignore[misc]
    """The identity provider of the house, as its discovery document describes it."""

    issuer = ""
    _asked = _keys_at = _failed = 0.0
    _keys: tuple[Key, ...] = ()

    def load_server_metadata(self) -> dict[str, Any]:
        """Its addresses, read once an hour. Raises ProviderDown."""
        if not self._asked or time.monotonic() - self._asked > KEPT:
            found = self._fetch(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self.issuer:  # OpenID Connect Discovery 1.0, section 4.3
                log.error("sso_provider", code="issuer")
                raise ProviderDown("issuer")
            scheme = urlsplit(self.issuer).scheme
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if urlsplit(str(found.get(name))).scheme not in {"https", scheme}:
                    log.error("sso_provider", code=name)
                    raise ProviderDown(name)
            ways = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
            basic = "client_secret_basic" in ways or "client_secret_post" not in ways
            self.client_kwargs["token_endpoint_auth_method"] = "client_secret_basic" if basic else "client_secret_post"
            self.server_metadata, self._asked = found, time.monotonic()
        return self.server_metadata

    def keys(self, *, force: bool = False) -> tuple[Key, ...]:
        """Its public keys for signatures. Raises ProviderDown."""
        age = time.monotonic() - self._keys_at if self._keys_at else KEPT + 1
        if age > KEPT or (force and age > AGAIN):
            keys: list[Key] = []
            for one in self._fetch(self.load_server_metadata()["jwks_uri"]).get("keys") or []:
                if isinstance(one, dict) and one.get("kty") in ("RSA", "EC", "OKP") and one.get("use", "sig") == "sig":
                    try:
                        keys.append(JWKRegistry.import_key(one))
                    except (JoseError, ValueError, KeyError, TypeError):
                        continue  # of a kind that is not known here; the others hold
            self._keys, self._keys_at = tuple(keys), time.monotonic()
        return self._keys

    def verified(self, raw: str) -> jwt.Token:
        """The token with a good signature. A key that is not known is looked for once more: providers change keys.

        Raises JoseError, ValueError and ProviderDown.
        """
        header = jws.extract_compact(raw.encode(), registry=_believed()).headers()
        if header.get("alg") not in ALGORITHMS:
            raise ValueError("algorithm")
        try:
            return self._with(self.keys(), raw, header.get("kid"))
        except InvalidKeyIdError:
            return self._with(self.keys(force=True), raw, header.get("kid"))

    def parse_id_token(
        self, token: Any, nonce: str, claims_options: Any = None, claims_cls: Any = None, leeway: int = LEEWAY
    ) -> UserInfo:
        """The claims of an ID token that is ours, fresh and signed (OpenID Connect Core 1.0, section 3.1.3.7).

        Raises JoseError, ValueError and ProviderDown.
        """
        found = self.verified(token["id_token"])
        if not nonce:
            raise ValueError("nonce")
        params = {"nonce": nonce, "client_id": self.client_id, "access_token": token.get("access_token")}
        claims = CodeIDToken(found.claims, found.header, self._expected(), params)
        self._check(claims, now())
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
            raise InvalidClaimError("sub")
        return UserInfo(claims)

    def parse_logout_token(self, raw: str) -> JWTClaims:
        """The claims of a sign-out that the provider tells us of (Back-Channel Logout 1.0, section 2.6).

        Raises JoseError, ValueError and ProviderDown.
        """
        found = self.verified(raw)
        claims = JWTClaims(found.claims, found.header, {**self._expected(), "jti": {"essential": True}})
        self._check(claims, now())
        events = claims.get("events")
        if "nonce" in claims or not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
            raise ValueError("not a sign-out")  # an ID token would be one of the same provider for the same audience
        if not any(isinstance(claims.get(name), str) and claims[name] for name in ("sub", "sid")):
            raise ValueError("nobody's")
        return claims

    def _expected(self) -> dict[str, Any]:
        times = {"exp": {"essential": True}, "iat": {"essential": True}}
        return {"iss": {"essential": True, "value": self.issuer}, "aud": {"essential": True, "value": self.client_id}, **times}

    def _check(self, claims: JWTClaims, moment: datetime) -> None:
        claims.validate(now=int(moment.timestamp()), leeway=LEEWAY)
        if moment.timestamp() - claims["iat"] > ANSWER_AGE.total_seconds() + LEEWAY:
            raise InvalidClaimError("iat")

    def _with(self, keys: tuple[Key, ...], raw: str, kid: str | None) -> jwt.Token:
        fitting = [key for key in keys if kid is None or key.kid == kid]
        if not fitting:
            raise InvalidKeyIdError
        for key in fitting[:-1]:
            try:
                return jwt.decode(raw, key, registry=_believed())
            except (JoseError, ValueError):
                continue  # a token may name no key; then any of them may have signed it
        return jwt.decode(raw, fitting[-1], registry=_believed())

    def _fetch(self, address: str) -> dict[str, Any]:
        """A JSON object of the provider. Raises ProviderDown."""
        if self._failed and time.monotonic() - self._failed < DOWN:
            raise ProviderDown("asked just now")
        try:
            answer = requests.get(address, timeout=TIMEOUT, headers={"Accept": "application/json"})
            answer.raise_for_status()
            found = answer.json()
        except (requests.RequestException, ValueError) as error:
            self._failed = time.monotonic()
            log.error("sso_provider", error=type(error).__name__)
            raise ProviderDown(type(error).__name__) from None
        if not isinstance(found, dict):
            raise ProviderDown("not an object")
        self._failed = 0.0
        return found


class Signatures(jws.JWSRegistry):
    """What a token may be signed with and how large it may be: some thousand groups, and a certificate in its header."""

    max_header_length = 8 * 1024
    max_payload_length = 1024 * 1024


def _believed() -> Signatures:
    return Signatures(algorithms=list(ALGORITHMS), strict_check_header=False)


class Registry(OAuth):  # type: ignore[misc]
    """Authlib's registry of providers, with our store of begun sign-ins."""

    framework_integration_cls = Pending


def init_app(app: Flask) -> None:
    """Register the way to the provider and back; without OIDC_ISSUER there is none. Raises SettingsError."""
    config: Settings = app.extensions["peremena.settings"]
    app.extensions["peremena.sso"] = None
    if config.oidc_issuer:
        sso.rules_of(config)
        client = Registry(app).register(
            "staff",
            client_cls=Provider,
            client_id=config.oidc_client_id,
            client_secret=config.oidc_client_secret,
            client_kwargs={"scope": SCOPE, "code_challenge_method": "S256", "default_timeout": TIMEOUT},
        )
        client.issuer = config.oidc_issuer
        app.extensions["peremena.sso"] = client
    pages = Blueprint("sso", __name__, url_prefix="/staff/sso")
    pages.add_url_rule("", "begin", security.public(_begin), methods=["GET"])
    pages.add_url_rule("/back", "back", security.public(_back), methods=["GET"])
    ended = csrf.exempt(security.public(_ended))  # a server asks, with a signature in the place of a session
    pages.add_url_rule("/ended", "ended", ended, methods=["POST"])
    app.register_blueprint(pages)
    app.jinja_env.globals["sso_name"] = name
    app.jinja_env.globals["sso_required"] = lambda: settings().oidc_required
    app.jinja_env.globals["sso_emergency"] = lambda: bool(settings().oidc_break_glass)


# What other modules ask


def name() -> str:
    """What the provider is called in words for people; empty where there is none."""
    config = settings()
    return config.oidc_name or urlsplit(config.oidc_issuer).hostname or ""


def asks_second_factor() -> bool:
    """Whether the provider must have asked for two factors, so that we ask for none of ours."""
    config = settings()
    return bool(config.oidc_issuer and (config.oidc_acr or config.oidc_amr))


def onward() -> str | None:
    """Where to go to sign out at the provider as well; None when it names no such address or does not answer."""
    client = _client()
    if client is None:
        return None
    try:
        address = client.load_server_metadata().get("end_session_endpoint")
        if urlsplit(str(address)).scheme not in {"https", urlsplit(client.issuer).scheme}:
            return None
        back = settings().staff_url.rstrip("/") + url_for("security.login")
        made = client.create_logout_url(back, client_id=client.client_id, ui_locales=str(get_locale()))
    except (ProviderDown, ValueError, KeyError):
        return None
    return str(made["url"])


# Views


def _begin() -> ResponseReturnValue:
    """Send her to the provider, from where she comes back to `next`."""
    client = _client()
    if client is None:
        abort(404)
    if request.method == "HEAD":
        abort(405)  # whatever looks at links ahead must not begin anything
    target = security.local_path(request.args.get("next"))
    if security.signed_in() is not None:
        return redirect(target, 303)
    more = {"acr_values": " ".join(_words(settings().oidc_acr))} if settings().oidc_acr else {}
    try:
        made = client.create_authorization_url(_address_back(), ui_locales=str(get_locale()), **more)
    except ProviderDown:
        return _refuse(Refused("down"))
    client.save_authorize_data(redirect_uri=_address_back(), next=target, **made)
    return redirect(made["url"], 303)


def _back() -> ResponseReturnValue:
    """She comes back from the provider."""
    if _client() is None:
        abort(404)
    if request.method == "HEAD":
        abort(405)  # the code works once, and not for whoever looks at links ahead
    address = request.remote_addr or "unknown"
    with database().transaction() as db:
        if not security.hit(db, "staff sso address", address, ADDRESS_TRIES):
            return _refuse(Refused("many"), quietly=True)
    try:
        answer = _come_in()
    except Refused as refusal:
        if refusal.why == "state" and security.signed_in() is not None:
            return redirect(url_for("security.home"), 303)  # she came in by another tab meanwhile
        return _refuse(refusal)
    with database().transaction() as db:
        security.give_back(db, "staff sso address", address)
    return answer


def _ended() -> ResponseReturnValue:
    """The provider says that somebody's session ended there: hers end here. Says to the provider alone what was wrong."""
    client = _client()
    if client is None:
        abort(404)
    try:
        claims = client.parse_logout_token(request.form.get("logout_token", ""))
    except ProviderDown:
        return {"error": "temporarily_unavailable"}, 503
    except (JoseError, ValueError, KeyError, TypeError) as error:
        log.warning("sso_sign_out_refused", error=type(error).__name__)
        return {"error": "invalid_request"}, 400
    moment = now()
    with database().transaction() as db:
        until = moment + ANSWER_AGE + timedelta(seconds=2 * LEEWAY)
        if sso.spend(db, "sign-out", str(claims["jti"]), until=until, now=moment):
            who = {one: claims[one] if isinstance(claims.get(one), str) else None for one in ("sub", "sid")}
            sso.end_by_provider(db, issuer=client.issuer, subject=who["sub"], sid=who["sid"], now=moment)
    return "", 200


def _come_in() -> ResponseReturnValue:
    """The way back, step by step. Raises Refused."""
    client, config = _client(), settings()
    assert client is not None
    state = request.args.get("state", "")
    begun = client.framework.get_state_data(session, state)
    moment = now()
    if begun is None:
        raise Refused("state")
    with database().transaction() as db:  # a cookie can be put back, a row cannot
        fresh = sso.spend(db, "sso state", state, until=moment + 2 * ANSWER_AGE, now=moment)
    if not fresh:
        client.framework.clear_state_data(session, state)
        raise Refused("state")
    claims, sid = _claims(client), None
    if not _second_factor(claims, config):
        raise Refused("second_factor")
    told = sso.Told(
        subject=claims["sub"],
        email=claims.get("email") if isinstance(claims.get("email"), str) else None,
        email_verified=_is_verified(claims),
        name=claims["name"] if isinstance(claims.get("name"), str) else "",
        groups=sso.groups_in(claims, config.oidc_claim),
    )
    sid = claims.get("sid")
    admitted = _admit(told, sid if isinstance(sid, str) and sid else None)
    member = security.StaffDatastore().find_user(id=admitted) if admitted else None
    if member is None or not member.active:
        raise Refused("closed", admitted)
    target = security.local_path(begun.get("next"))
    session["first"] = "sso"
    if asks_second_factor():
        g.staff_second = ""
        login_user(member, authn_via=["oidc"])
        return redirect(target, 303)
    entered: ResponseReturnValue | None = _security.two_factor_plugins.tf_enter(member, False, "oidc", next_loc=target)
    if entered is None:  # a second factor is required of everybody (SECURITY_TWO_FACTOR_REQUIRED)
        raise Refused("second_factor", member.id)
    return entered


def _claims(client: Provider) -> UserInfo:
    """Fetch and check the token. Raises Refused."""
    try:
        promised = client.load_server_metadata().get("authorization_response_iss_parameter_supported") is True
        named = request.args.get("iss")  # RFC 9207: which provider answers
        if named != client.issuer and (named is not None or promised):
            raise Refused("token")
        token = client.authorize_access_token()
        if "userinfo" not in token:
            raise Refused("token")
        return token["userinfo"]
    except MismatchingStateError:
        raise Refused("state") from None
    except OAuthError as error:
        log.warning("sso_refused", code="cancelled" if error.error == "access_denied" else "provider")
        raise Refused("cancelled" if error.error == "access_denied" else "provider") from None
    except (ProviderDown, requests.ConnectionError, requests.Timeout, requests.HTTPError):
        raise Refused("down") from None
    except (JoseError, requests.RequestException, ValueError, KeyError, TypeError) as error:
        claim = getattr(error, "claim", None)
        log.warning("sso_refused", error=type(error).__name__, code=claim if claim in CLAIMS else None)
        raise Refused("token") from None


CLAIMS = frozenset({"iss", "aud", "azp", "exp", "nbf", "iat", "nonce", "sub", "at_hash"})
"""Names of claims that may stand in a log: which of them was wrong, never what it said."""


def _admit(told: sso.Told, sid: str | None) -> Any:
    """Who that is here. Raises Refused. Twice, where two first visits of one person came at once."""
    rules = sso.rules_of(settings())
    for again in (True, False):
        try:
            with database().transaction() as db:
                found = sso.admit(db, told, rules=rules, now=now())
                if found.why is None and found.staff_id is not None and sid is not None:
                    sso.note_session(db, issuer=rules.issuer, sid=sid, staff_id=found.staff_id, now=now())
            break
        except IntegrityError:
            if not again:
                raise
    if found.why is not None:
        raise Refused(found.why, found.staff_id)
    return found.staff_id


def _refuse(refusal: Refused, *, quietly: bool = False) -> ResponseReturnValue:
    """Tell her what happened and what to do now; write the code to the trail."""
    if not quietly and refusal.why != "down":
        with database().transaction() as db:
            security.record_refusal(db, refusal.staff_id, why=f"sso_{refusal.why}")
    status = {"state": 400, "down": 503, "many": 429}.get(refusal.why, 403)
    title, text = texts(refusal.why)
    local = bool(not settings().oidc_required or settings().oidc_break_glass)
    page = render_template("security/refused.html", title=title, text=text, code=refusal.why, local=local)
    more = {"Retry-After": str(int(security.WINDOW.total_seconds()) if status == 429 else 60)} if status in (429, 503) else {}
    return page, status, more


def texts(why: str) -> tuple[str, str]:
    """What happened and what to do now, by code."""
    at = name()
    return {
        "state": (
            _("That sign-in was begun too long ago"),
            _("Or it was begun in another browser, or the page was loaded a second time. Nothing is wrong: please begin again."),
        ),
        "cancelled": (
            _("The sign-in was stopped"),
            _("%(name)s says that it was cancelled or is not allowed for you. Begin again or choose another way.", name=at),
        ),
        "down": (
            _("%(name)s does not answer", name=at),
            _("Please try again in a few minutes. If it lasts, tell your administrator."),
        ),
        "email": (
            _("Your e-mail address is not confirmed"),
            _("%(name)s did not confirm your work e-mail. Ask your administrator to confirm it there.", name=at),
        ),
        "unknown": (
            _("You have no account here yet"),
            _("You are signed in at %(name)s, but nobody has added you here. Ask your administrator to do so.", name=at),
        ),
        "closed": (
            _("Your account here is closed"),
            _("Ask your team lead or your administrator if you think it should be open."),
        ),
        "other_link": (
            _("This address belongs to another account"),
            _("Another account of %(name)s is connected with your work e-mail. Ask your administrator for help.", name=at),
        ),
        "no_groups": (
            _("Your groups did not arrive"),
            _("%(name)s did not say which groups you are in. Ask your administrator: the list may be too long.", name=at),
        ),
        "no_role": (
            _("None of your groups opens this system"),
            _("Ask your administrator to add you to a group of %(name)s that has a role here, then sign in again.", name=at),
        ),
        "roles_apart": (
            _("Your groups do not go together"),
            _("Administrators and auditors hold no other role here. Ask which of your groups is the right one."),
        ),
        "second_factor": (
            _("A second factor is needed"),
            _("%(name)s did not ask you for one. Set one up there, sign out there, then sign in again.", name=at),
        ),
        "many": (_("Too many tries"), _("Please wait 15 minutes, then try again.")),
    }.get(
        why,
        (
            _("The answer could not be used"),
            _("%(name)s gave an answer that cannot be trusted. Begin again; if it stays so, tell your administrator.", name=at),
        ),
    )  # fmt: skip


def _second_factor(claims: UserInfo, config: Settings) -> bool:
    """Whether the token shows the second factor that the settings want of the provider."""
    if config.oidc_acr and claims.get("acr") not in _words(config.oidc_acr):
        return False
    said = claims.get("amr")
    return not config.oidc_amr or (isinstance(said, list) and any(one in _words(config.oidc_amr) for one in said))


def _is_verified(claims: UserInfo) -> bool:
    """Whether the provider stands for the address: its own word for it, or Entra's for an address of the company's domain."""
    if "email_verified" in claims:
        return claims["email_verified"] is True
    return claims.get("xms_edov") in (True, 1, "1", "true")


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (one.strip() for one in text.split(","))))


def _address_back() -> str:
    """Where the provider sends her, as it was told beforehand: never by the Host of a request."""
    return settings().staff_url.rstrip("/") + url_for("sso.back")


def _client() -> Provider | None:
    found: Provider | None = current_app.extensions.get("peremena.sso")
    return found
