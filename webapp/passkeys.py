"""Passkeys of staff: a device proves that it is there, and who unlocked it. Signatures are checked by py_webauthn.

A passkey opens in two ways: in the place of the one-time code after the first step, or alone, where it must have asked its owner
for a finger, a face or a PIN and so is both factors. Each challenge is good for one answer and two minutes. What may be done with
a passkey stands in `cases.passkeys`.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import secrets
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

import webauthn
from flask import Blueprint, Flask, g, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_security.utils import login_user
from sqlalchemy.orm import Session
from webauthn.helpers import bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from cases import passkeys, sso
from cases.host_tables import StaffPasskey
from cases.models import Staff
from cases.settings import Settings
from webapp import security
from webapp.context import database, now, settings

CHALLENGE_AGE = timedelta(minutes=2)
"""How long a challenge may be answered: time to find the key in a bag."""

CHALLENGE_BYTES = 32
"""Of chance; WebAuthn level 3, 13.4.3 wants 16 at least."""

MISTAKES = (WebAuthnException, ValueError, KeyError, TypeError, AttributeError, IndexError)
"""What a made-up answer runs into while it is read."""


def init_app(app: Flask) -> None:
    """Register the two addresses of signing in with a passkey."""
    pages = Blueprint("passkeys", __name__, url_prefix="/staff/passkey")
    pages.add_url_rule("/begin", "begin", security.public(_begin), methods=["POST"])
    pages.add_url_rule("", "sign_in", security.public(_sign_in), methods=["POST"])
    app.register_blueprint(pages)
    app.jinja_env.globals["passkeys_possible"] = possible
    app.jinja_env.globals["passkeys_of_step"] = waiting_has_some


def possible() -> bool:
    """Whether browsers make passkeys for the staff's address: a name, not a number, over TLS or on this machine."""
    address = urlsplit(settings().staff_url)
    host = address.hostname or ""
    try:
        ipaddress.ip_address(host)
        return False
    except ValueError:
        return bool(host) and (address.scheme == "https" or host == "localhost")


def waiting_has_some() -> bool:
    """Whether whoever passed the first step may use a passkey as the second."""
    member = _waiting()
    if member is None or not possible():
        return False
    with database().reading() as db:
        return bool(passkeys.usable(db, member.id))


def registration(member: security.StaffUser) -> str:
    """Options for the browser to make a new passkey of hers, as JSON; their challenge is kept in the session."""
    with database().reading() as db:
        held = passkeys.of(db, member.id)
    options = webauthn.generate_registration_options(
        rp_id=_relying_party(settings()),
        rp_name=security.ISSUER,
        user_id=member.id.bytes,
        user_name=member.email,
        user_display_name=member.name,
        challenge=_new_challenge("add"),
        timeout=int(CHALLENGE_AGE.total_seconds() * 1000),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[_described(one) for one in held],
    )
    return webauthn.options_to_json(options)


def register(member: security.StaffUser, answer: str, name: str) -> None:
    """Keep the passkey that her browser made. Raises Refused, `cases.passkeys.TooMany` and `Taken`."""
    challenge = _challenge("add")
    if challenge is None:
        raise Refused("old")
    try:
        verified = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=_relying_party(settings()),
            expected_origin=_origin(settings()),
            require_user_verification=True,
        )
        said = json.loads(answer)["response"].get("transports") or []
        transports = [one for one in said if isinstance(one, str)]
    except MISTAKES:
        raise Refused("not_accepted") from None
    with database().transaction() as db:
        person = security.row(db, lock=True)
        if not _spend(db, challenge):
            raise Refused("old")
        passkeys.add(
            db,
            person,
            credential_id=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            transports=transports,
            synced=verified.credential_backed_up,
            name=name,
            now=now(),
        )


class Refused(Exception):
    """The passkey opens nothing. `why` is a code for the trail and for `texts`."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def texts(why: str) -> tuple[str, str]:
    """What happened and what to do now, by code."""
    return {
        "old": (_("That took too long"), _("A passkey must be used within two minutes, once. Please begin again.")),
        "doubted": (
            _("This passkey opens nothing any more"),
            _("There may be a copy of it. Sign in another way, then remove it on the page “My account”."),
        ),
        "local_off": (
            _("Passkeys alone do not open your account"),
            _("Please use the button of your company's sign-in. A passkey may be asked for as the second step there."),
        ),
        "many": (_("Too many tries"), _("Please wait 15 minutes, then try again.")),
    }.get(
        why,
        (
            _("The passkey was not accepted"),
            _("It may have been removed, or belong to somebody else. Please use another passkey, or sign in another way."),
        ),
    )  # fmt: skip


# Views


def _begin() -> ResponseReturnValue:
    """Options for the browser to use a passkey: any of this site as the only step, hers alone as the second."""
    if not possible():
        return {"error": "not_here"}, 404
    allowed: list[StaffPasskey] = []
    step = "second" if request.form.get("step") == "second" else "first"
    if step == "second":
        member = _waiting()
        if member is None:
            return {"error": "old"}, 409
        with database().reading() as db:
            allowed = passkeys.usable(db, member.id)
        if not allowed:  # an empty list would mean: any
            return {"error": "none"}, 409
    options = webauthn.generate_authentication_options(
        rp_id=_relying_party(settings()),
        challenge=_new_challenge(step),
        timeout=int(CHALLENGE_AGE.total_seconds() * 1000),
        allow_credentials=[_described(one) for one in allowed],
        user_verification=UserVerificationRequirement.REQUIRED if step == "first" else UserVerificationRequirement.PREFERRED,
    )
    return webauthn.options_to_json(options), 200, {"Content-Type": "application/json"}


def _sign_in() -> ResponseReturnValue:
    """The browser's answer: she is in, or is told why not."""
    step = "second" if request.form.get("step") == "second" else "first"
    waiting = _waiting() if step == "second" else None
    challenge = _challenge(step)
    subject = str(waiting.id) if waiting else request.remote_addr or "unknown"
    purpose, limit = ("staff code", security.TRIES) if waiting else ("staff passkey address", security.ADDRESS_TRIES)
    with database().transaction() as db:
        if not security.hit(db, purpose, subject, limit):
            why, opened = "many", None
        else:
            why, opened = _open(db, request.form.get("answer", ""), challenge, step=step, waiting=waiting)
            if opened is not None:
                security.give_back(db, purpose, subject, everything=waiting is not None)
            else:
                known = waiting.id if waiting else None
                security.record_refusal(db, known, why=f"passkey_{why}")
    member = security.StaffDatastore().find_user(id=opened) if opened else None
    if member is None or not member.active:
        title, text = texts(why)
        page = render_template("security/refused.html", title=title, text=text, code=f"passkey_{why}", local=True)
        status = 429 if why == "many" else 403
        return page, status, {"Retry-After": str(int(security.WINDOW.total_seconds()))} if status == 429 else {}
    if step == "first":
        session["first"] = "passkey"
    g.staff_second = "passkey" if step == "second" else ""
    target = security.local_path(request.form.get("next"))
    login_user(member, authn_via=["passkey"])
    return redirect(target, 303)


def _open(
    db: Session, answer: str, challenge: bytes | None, *, step: str, waiting: security.StaffUser | None
) -> tuple[str, UUID | None]:
    """Whom the answer lets in, or why nobody. Commit in either case."""
    if challenge is None or (step == "second" and waiting is None):
        return "old", None
    try:
        credential = webauthn.helpers.parse_authentication_credential_json(answer)
        held = passkeys.find(db, credential.raw_id)
        if held is None:
            return "unknown", None
        handle = credential.response.user_handle
        if step == "first" and handle != held.staff_id.bytes:  # a passkey that is used alone says whose it is
            return "unknown", None
        verified = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=_relying_party(settings()),
            expected_origin=_origin(settings()),
            credential_public_key=held.public_key,
            credential_current_sign_count=0,  # weighed below, where what is found can be written down
            require_user_verification=step == "first",
        )
    except MISTAKES:
        return "not_accepted", None
    person = db.get(Staff, held.staff_id)
    if person is None or not person.active or (waiting is not None and waiting.id != held.staff_id):
        return "unknown", None
    if not _spend(db, challenge):
        return "old", None
    if held.doubted_at is not None:
        return "doubted", None
    if passkeys.went_back(held, verified.new_sign_count):
        passkeys.doubt(db, held, now=now())
        return "doubted", None
    if step == "first" and (person.password is None or not sso.local_allowed(settings(), person.email)):
        return "local_off", None  # whose account is the provider's to open comes by the provider
    passkeys.used(held, sign_count=verified.new_sign_count, now=now())
    return "", person.id


def _waiting() -> security.StaffUser | None:
    """Who passed the first step in this browser and stands before the second."""
    if session.get("tf_state") not in ("ready", "setup_from_login") or not session.get("tf_user_id"):
        return None
    member = security.StaffDatastore().find_user(fs_uniquifier=session["tf_user_id"])
    return member if member is not None and member.active else None


# Challenges: kept in the browser's own signed cookie, so that asking for one costs no row; used up in the database


def _new_challenge(step: str) -> bytes:
    challenge = secrets.token_bytes(CHALLENGE_BYTES)
    session["challenge"] = [step, bytes_to_base64url(challenge), now().isoformat()]
    return challenge


def _challenge(step: str) -> bytes | None:
    """The challenge that was given for this step, when it is young enough; it is gone from the browser then."""
    held = session.pop("challenge", None)
    if not held or held[0] != step or not timedelta(0) <= now() - datetime.fromisoformat(held[2]) <= CHALLENGE_AGE:
        return None
    return base64.urlsafe_b64decode(held[1] + "==")


def _spend(db: Session, challenge: bytes) -> bool:
    return sso.spend(db, "passkey", challenge.hex(), until=now() + CHALLENGE_AGE, now=now())


def _described(one: StaffPasskey) -> PublicKeyCredentialDescriptor:
    known = {transport.value for transport in AuthenticatorTransport}
    transports = [AuthenticatorTransport(word) for word in one.transports if word in known]
    return PublicKeyCredentialDescriptor(id=one.credential_id, transports=transports or None)


def _relying_party(config: Settings) -> str:
    return urlsplit(config.staff_url).hostname or ""


def _origin(config: Settings) -> str:
    """Scheme, host and port as browsers write them: in small letters, without the port that the scheme has anyway."""
    address = urlsplit(config.staff_url)
    usual = {"https": 443, "http": 80}.get(address.scheme)
    port = f":{address.port}" if address.port and address.port != usual else ""
    return f"{address.scheme}://{address.hostname}{port}"
