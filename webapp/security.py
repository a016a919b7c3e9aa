"""Who of the staff is at the other end, and what they may do. Flask-Security over our own table of staff.

Log-in is password (argon2id), then a one-time code or a passkey, always both; or a passkey that its owner unlocked; or the
house's identity provider (webapp.sso). However she came in, her session lives and ends the same. Tries are counted in the
database, so losing Redis resets nothing; an unknown name costs and reads the same as a wrong password. A session ends after
IDLE without a click, after ABSOLUTE in any case, at sign-out everywhere, and with the next request of anyone
who was switched off. What a role may do stands in `cases.staff.PERMISSIONS` alone; `needs` fails closed.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache, wraps
from typing import Any, ParamSpec

import segno
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import (
    Blueprint,
    Flask,
    abort,
    after_this_request,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import format_date, format_decimal
from flask_babel import gettext as _
from flask_login import current_user, user_logged_in
from flask_security import Security, UserMixin
from flask_security.datastore import UserDatastore
from flask_security.forms import LoginForm, TwoFactorVerifyCodeForm
from flask_security.totp import Totp
from flask_security.views import login, two_factor_setup, two_factor_token_validation
from markupsafe import Markup
from passlib.exc import UsedTokenError
from passlib.totp import TotpMatch
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from cases import audit, sso, throttles
from cases import staff as staff_rules
from cases.models import Staff
from cases.settings import Settings
from webapp.context import database, now, settings

IDLE = timedelta(minutes=15)
ABSOLUTE = timedelta(hours=8)
"""How long a session lives without and with clicks (facts/reliability.md 3 no. 13)."""

TRIES = 5
ADDRESS_TRIES = 5
WINDOW = timedelta(minutes=15)
"""Failed log-ins per account and per address before everybody there has to wait (facts/reliability.md 3 no. 20)."""

SKEW = 30
"""Seconds a phone's clock may be off, each way."""

ISSUER = "Peremena"

PAGES = (
    ("see_queue", "desk.queue"),
    ("practise", "desk.practice_page"),
    ("see_own_figures", "desk.my_figures"),
    ("see_team", "desk.team_page"),
    ("see_rescue", "desk.rescue_page"),
    ("review_quality", "desk.quality_page"),
    ("manage_replies", "desk.replies_page"),
    ("see_figures", "ops.now_page"),
    ("see_policies", "ops.policies_page"),
    ("search_audit", "ops.audit_page"),
    ("manage_keys", "ops.keys_page"),
)
"""The staff pages of the bar on top, in its order, and the permission each needs."""

POLLS = frozenset({"static", "desk.queue_again", "desk.watch", "desk.leave", "ops.undo_progress"})
"""Asked by scripts of a page that stands open: a page that polls is not a person who is there."""

_hasher = PasswordHasher()  # argon2id, 64 MiB, 3 rounds: the library's own default (RFC 9106, low memory)
_hashing = threading.BoundedSemaphore(2)  # each check takes 64 MiB: a flood must not take them all at once

P = ParamSpec("P")


class StaffUser(UserMixin):
    """One member of staff as Flask-Security wants to see her: a copy of the row, loaded anew for each request."""

    fs_uniquifier: str = ""
    KEPT = ("password", "fs_uniquifier", "tf_primary_method", "tf_totp_secret")
    """The columns that Flask-Security may write."""

    def __init__(self, row: Staff) -> None:
        self.id = row.id
        self.email = row.email
        self.name = row.name
        self.active = row.active
        self.roles_held = tuple(row.roles_held)
        self.roles: list[Any] = []  # Flask-Security's own roles stay unused: cases.staff is the only table
        self.last_totp = row.last_totp
        self.practising = row.practising
        self.kept = {column: getattr(row, column) for column in self.KEPT}
        for column, value in self.kept.items():
            setattr(self, column, value)

    def may(self, permission: str) -> bool:
        """Whether one of her roles allows it; an unknown permission is refused."""
        return staff_rules.may(self, permission)  # type: ignore[arg-type]


class StaffDatastore(UserDatastore):
    """Finds and updates staff in short transactions of its own, so no lock is held while a password is checked."""

    def __init__(self) -> None:
        super().__init__(StaffUser, object)

    def find_user(self, case_insensitive: bool = False, **by: Any) -> StaffUser | None:
        """One member of staff by `email`, `fs_uniquifier` or `id`."""
        ((column, value),) = by.items()
        if column == "email":
            value = normal_email(value)
        with database().reading() as db:
            row = db.scalars(select(Staff).where(getattr(Staff, column) == value)).one_or_none()
            return StaffUser(row) if row else None

    def put(self, model: StaffUser) -> StaffUser:
        """Write what Flask-Security changed; 401 where her sessions were ended since the request began.

        What it did not change is not written: the copy may be older than an administrator's reset.
        """
        changed = {c: getattr(model, c) for c in StaffUser.KEPT if getattr(model, c) != model.kept[c]}
        if changed:
            held = update(Staff).where(Staff.id == model.id, Staff.fs_uniquifier == model.kept["fs_uniquifier"])
            with database().transaction() as db:
                written = db.execute(held.values(changed)).rowcount  # type: ignore[attr-defined]
            if not written:
                abort(401)
            model.kept |= changed
        return model

    def commit(self) -> None:
        """Nothing is left open."""


class OneTimeCodes(Totp):
    """Codes of six digits. Each works once: its time step is written by compare-and-set."""

    def get_last_counter(self, user: StaffUser) -> int | None:
        return user.last_totp

    def set_last_counter(self, user: StaffUser, tmatch: TotpMatch) -> None:
        fresh = or_(Staff.last_totp.is_(None), Staff.last_totp < tmatch.counter)
        with database().transaction() as db:
            written = db.execute(update(Staff).where(Staff.id == user.id, fresh).values(last_totp=tmatch.counter))
        if written.rowcount != 1:  # type: ignore[attr-defined]
            raise UsedTokenError()
        user.last_totp = tmatch.counter

    def generate_qrcode(self, username: str, totp: str) -> Markup:
        """The set-up code as inline SVG: no picture request, nothing the content policy forbids."""
        code = segno.make(self.get_totp_uri(username, totp), error="m", micro=False)
        return Markup(
            code.svg_inline(scale=5, border=2, svgclass="qr", lineclass=None, omitsize=False, dark="#000", light="#fff")
        )


class SignInForm(LoginForm):
    """E-mail and password, with tries counted before anything is looked up."""

    remember = None  # a cookie that outlives the session would defeat both time limits

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.too_many = self.local_off = False
        self.next.data = self.next.data or "/staff"  # else Flask-Security would come back to this very page

    def validate(self, **kwargs: Any) -> bool:
        self.email.data = normal_email(self.email.data or "")
        account, address = self.email.data, request.remote_addr or "unknown"
        with database().transaction() as db:
            in_time = [
                hit(db, "staff account", account, TRIES),
                hit(db, "staff address", address, ADDRESS_TRIES),
            ]
        if not all(in_time):
            self.too_many = True
            _answer(429)
            return False
        with _hashing:
            right = super().validate(**kwargs)
        with database().transaction() as db:
            if right:
                give_back(db, "staff account", account, everything=True)
                give_back(db, "staff address", address)
            else:
                _record(db, "staff_sign_in_refused", self.user, why="password")
            if right and not sso.local_allowed(settings(), account):
                _record(db, "staff_sign_in_refused", self.user, why="local_off")
                self.local_off, right = True, False
        if not right:
            _answer(422)
        else:
            session["first"] = "password"
        return right


class CodeForm(TwoFactorVerifyCodeForm):
    """The six digits, counted like passwords."""

    def validate(self, **kwargs: Any) -> bool:
        self.too_many = False
        assert self.user is not None
        with database().transaction() as db:
            self.too_many = not hit(db, "staff code", str(self.user.id), TRIES)
        if self.too_many:
            _answer(429)
            return False
        if self.code.data:
            self.code.data = "".join(str(self.code.data).split())
        right = self.user.active and super().validate(**kwargs)
        with database().transaction() as db:
            if right:
                give_back(db, "staff code", str(self.user.id), everything=True)
            else:
                _record(db, "staff_sign_in_refused", self.user, why="code")
        if not right:
            _answer(422)
        return right


def init_app(app: Flask) -> None:
    """Register log-in, code, set-up and sign-out. Safe to call twice: desk and ops both do."""
    from webapp import account, passkeys  # both ask this module
    from webapp import sso as provider

    if "security" in app.extensions:
        return
    config: Settings = app.extensions["peremena.settings"]
    app.config.update(
        SECURITY_PASSWORD_HASH="argon2",
        SECURITY_PASSWORD_SCHEMES=["argon2"],
        SECURITY_DEPRECATED_PASSWORD_SCHEMES=[],
        SECURITY_PASSWORD_SINGLE_HASH=["argon2"],  # argon2id salts by itself; plain hashes may be made anywhere
        SECURITY_PASSWORD_SALT=_derived(config, "password"),
        SECURITY_TWO_FACTOR=True,
        SECURITY_TWO_FACTOR_REQUIRED=True,
        SECURITY_TWO_FACTOR_ENABLED_METHODS=["authenticator"],
        SECURITY_TWO_FACTOR_AUTHENTICATOR_VALIDITY=SKEW,
        SECURITY_TOTP_SECRETS={"1": _derived(config, "totp")},
        SECURITY_TOTP_ISSUER=ISSUER,
        SECURITY_RETURN_GENERIC_RESPONSES=True,
        SECURITY_FLASH_MESSAGES=False,
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False, "test_environment": True},
        SECURITY_FRESHNESS=timedelta(minutes=-1),
        SECURITY_API_ENABLED_METHODS=["session"],
        SECURITY_POST_LOGIN_VIEW="/staff",
        SECURITY_POST_LOGOUT_VIEW="/staff/sign-in",
        SECURITY_CLI_USERS_NAME=None,
        SECURITY_CLI_ROLES_NAME=None,
        SECURITY_USE_REGISTER_V2=True,
        SECURITY_LOGIN_USER_TEMPLATE="security/sign_in.html",
        SECURITY_TWO_FACTOR_VERIFY_CODE_TEMPLATE="security/code.html",
        SECURITY_TWO_FACTOR_SETUP_TEMPLATE="security/set_up.html",
    )
    security = Security(
        app,
        StaffDatastore(),
        register_blueprint=False,  # of its two dozen routes we serve the four that are needed
        login_form=SignInForm,
        two_factor_verify_code_form=CodeForm,
        totp_cls=OneTimeCodes,
    )
    security.want_json(lambda _request: False)
    security.login_manager.session_protection = "strong"
    pages = Blueprint("security", __name__, url_prefix="/staff")
    pages.add_url_rule("/sign-in", "login", public(login), methods=["GET", "POST"])
    pages.add_url_rule("/code", "two_factor_token_validation", public(two_factor_token_validation), methods=["GET", "POST"])
    pages.add_url_rule("/set-up", "two_factor_setup", public(_set_up), methods=["GET", "POST"])
    pages.add_url_rule("/lost", "two_factor_rescue", public(_lost))  # Flask-Security asks for its address
    pages.add_url_rule("/sign-out", "logout", public(_sign_out), methods=["POST"])
    pages.add_url_rule("", "home", public(_home))
    app.register_blueprint(pages)
    for more in (provider, passkeys, account):
        more.init_app(app)
    if "portal" not in app.extensions["peremena.surfaces"]:
        app.add_url_rule("/", "staff_root", public(_home))
    app.before_request_funcs.setdefault(None, []).insert(0, _end_old_session)
    app.extensions["peremena.language_chosen"] = (_write_to_her_in,)
    app.extensions["peremena.user_logged_in"] = _began  # signals hold their receivers weakly
    user_logged_in.connect(_began, app)
    app.jinja_env.globals["staff_member"] = signed_in
    app.jinja_env.globals["may"] = may
    app.jinja_env.globals["staff_pages"] = pages_of
    app.jinja_env.filters["role_name"] = role_name
    app.jinja_env.filters["number"] = format_decimal
    app.jinja_env.filters["day"] = lambda moment: format_date(moment, "short")


def _write_to_her_in(language: str) -> None:
    """Who is signed in gets mail in the language that she chose for her pages (`cases.staff_mails`)."""
    if (who := signed_in()) is not None:
        with database().transaction() as db:
            db.execute(update(Staff).where(Staff.id == who.id).values(locale=language))


# What other modules ask


def signed_in() -> StaffUser | None:
    """The member of staff of this request, both factors passed and within both time limits; else None."""
    if "_user_id" not in session or "began" not in session or not current_user.is_authenticated:
        return None  # an authentication token in a header is no session
    return current_user._get_current_object()  # type: ignore[no-any-return]


def may(permission: str) -> bool:
    """Whether the member of staff of this request has it; nobody has it when nobody is signed in."""
    member = signed_in()
    return member is not None and member.may(permission)


def pages_of() -> list[str]:
    """Endpoints of the bar on top that this reader may open and this process serves."""
    member = signed_in()
    hidden = set() if member is not None and member.practising else {"desk.practice_page"}  # later she finds it among her figures
    served = current_app.view_functions.keys() - hidden
    return [endpoint for permission, endpoint in PAGES if may(permission) and endpoint in served]


def role_name(role: str) -> str:
    """A role in words."""
    return {
        "agent": _("support agent"), "senior_agent": _("senior agent"), "ops": _("operations"), "lead": _("team lead"),
        "auditor": _("auditor"), "admin": _("administrator"),
    }.get(role, role)  # fmt: skip


def row(db: Session, *, lock: bool = False) -> Staff:
    """Her row in the caller's transaction, as `cases` functions want it."""
    member = signed_in()
    if member is None:
        abort(401)
    found = db.get(Staff, member.id, with_for_update=lock or None)
    if found is None or not found.active or found.fs_uniquifier != member.fs_uniquifier:
        abort(401)  # closed, or her sessions were ended, since this request began
    return found


def needs(permission: str) -> Callable[[Callable[P, ResponseReturnValue]], Callable[P, ResponseReturnValue]]:
    """Serve the view to staff who have `permission`: anonymous readers are asked to sign in, others get a 403."""
    if permission not in known_permissions():
        raise ValueError(f"permission '{permission}' is not in cases.staff.PERMISSIONS")

    def guard(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            member = signed_in()
            if member is None:
                return to_sign_in()
            if not member.may(permission):
                abort(403)
            return view(*args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded

    return guard


def public(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Mark a staff view that serves readers who are not signed in; the architecture test lists these."""

    @wraps(view)
    def served(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        return view(*args, **kwargs)

    served.public = True  # type: ignore[attr-defined]
    return served


def guard_blueprint(pages: Blueprint) -> None:
    """Refuse every view of `pages` that forgot to say what it needs."""

    @pages.before_request
    def refuse_unmarked() -> None:
        view = current_app.view_functions.get(request.endpoint or "")
        if not hasattr(view, "permission"):
            abort(403)


def known_permissions() -> frozenset[str]:
    """Every permission that some role has."""
    return frozenset().union(*staff_rules.PERMISSIONS.values())


def to_sign_in() -> ResponseReturnValue:
    """Send to the log-in page, and back here afterwards when here is a page."""
    back = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("security.login", next=back), 303)


def local_path(text: str | None) -> str:
    """`text` when it is a path of this site that is safe to go to, else the way to her own first page.

    >>> local_path("/desk?view=mine"), local_path("//evil.test"), local_path("/\\\\evil.test"), local_path("https://evil.test")
    ('/desk?view=mine', '/staff', '/staff', '/staff')
    """
    text = text or ""
    strange = "\\" in text or any(ord(letter) <= 32 or ord(letter) == 127 for letter in text)
    fits = text.startswith("/") and not text.startswith("//") and len(text) <= 1000
    return text if fits and not strange else "/staff"


def normal_email(email: str) -> str:
    """The form in which addresses of staff are kept and compared."""
    return unicodedata.normalize("NFKC", email).strip().lower()


def hash_password(password: str) -> str:
    """argon2id hash for `cases.staff.create`. Passwords are normalised as the log-in form does."""
    return _hasher.hash(unicodedata.normalize("NFKD", password))


def password_fits(held: str | None, password: str) -> bool:
    """Whether this is the password of the hash `held`; None, an account without one, costs the same and never fits."""
    with _hashing:
        try:
            return _hasher.verify(held or _nobodys(), unicodedata.normalize("NFKD", password)) and held is not None
        except (VerificationError, InvalidHashError):
            return False


@lru_cache(maxsize=1)
def _nobodys() -> str:
    """The hash of a password that nobody has."""
    return _hasher.hash(secrets.token_hex(32))


def new_second_factor(config: Settings) -> tuple[str, str]:
    """Return (what is stored in `Staff.tf_totp_secret`, the key to type into an authenticator app).

    For staff who are given their second factor beforehand; set `tf_primary_method` to "authenticator".
    """
    codes = OneTimeCodes({"1": _derived(config, "totp")}, ISSUER)
    stored = codes.generate_totp_secret()
    return stored, codes.get_totp_b32_key(stored)


def current_code(config: Settings, stored: str) -> str:
    """The code that holds now: for the demo's page of log-ins and for tests."""
    return OneTimeCodes({"1": _derived(config, "totp")}, ISSUER).generate_totp_password(stored)


# Views and hooks


def _set_up() -> ResponseReturnValue:
    """Set up the second factor at the first log-in; changing it later is a matter of an admin's reset."""
    if signed_in() is not None:
        abort(404)
    return two_factor_setup()


def _lost() -> ResponseReturnValue:
    """A lost second factor is reset by an admin who knows the person, never by mail."""
    abort(404)


def _sign_out() -> ResponseReturnValue:
    """End this session and every other of this person: the cookie alone could live on elsewhere."""
    from webapp import sso as provider

    member = signed_in()
    onward = provider.onward() if member is not None and session.get("way") == "sso" else None
    if member is not None:
        with database().transaction() as db:
            db.execute(update(Staff).where(Staff.id == member.id).values(fs_uniquifier=secrets.token_hex(32)))
            _record(db, "staff_signed_out", member)
    session.clear()
    g.pop("csrf_token", None)
    if onward is not None:
        return render_template("security/onward.html", onward=onward)  # a form may lead to no other site (HEADERS)
    return redirect(url_for("security.login"), 303)


def _home() -> ResponseReturnValue:
    """The first page of the member of staff's own work."""
    member = signed_in()
    if member is None:
        return redirect(url_for("security.login"), 303)
    for permission, endpoint in PAGES:
        if member.may(permission) and endpoint in current_app.view_functions:
            return redirect(url_for(endpoint), 303)
    return render_template("security/nothing.html"), 403


def _end_old_session() -> ResponseReturnValue | None:
    """End a session that was idle or lived too long, before anything reads it; note that this one is alive."""
    if "_user_id" not in session:
        return None
    moment = now()
    began, seen = _time(session.get("began")), _time(session.get("seen"))
    if began is None or seen is None or moment - seen > IDLE or moment - began > ABSOLUTE:
        kept = session.get("locale")
        session.clear()
        if kept:
            session["locale"] = kept
        view = current_app.view_functions.get(request.endpoint or "")
        if hasattr(view, "permission"):
            flash(_("You were signed out because nothing happened for a while. Please sign in again."))
            return to_sign_in()
        return None
    if request.endpoint not in POLLS and moment - seen > timedelta(seconds=20):
        session["seen"] = moment.isoformat()
    return None


def _began(sender: Flask, user: StaffUser, **_extra: Any) -> None:
    """A session begins: nothing from before the log-in stays in it, its number and CSRF token are new."""
    kept = {key: session[key] for key in ("_user_id", "_fresh", "_id", "locale") if key in session}
    way, second = session.get("first", "password"), g.pop("staff_second", "totp")
    session.clear()
    session.update(kept)
    session["way"] = way
    session["sid"] = secrets.token_hex(32)
    session["began"] = session["seen"] = now().isoformat()
    g.pop("csrf_token", None)
    with database().transaction() as db:
        method = "totp" if (way, second) == ("password", "totp") else "+".join(filter(None, (way, second)))
        _record(db, "staff_signed_in", user, method=method)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def hit(db: Session, purpose: str, subject: str, limit: int) -> bool:
    """Count a try of a log-in; False when it is one too many."""
    return throttles.hit(db, purpose, subject, limit=limit, window=WINDOW, now=now())


def give_back(db: Session, purpose: str, subject: str, *, everything: bool = False) -> None:
    """Take a counted try back: it went well."""
    throttles.give_back(db, purpose, subject, window=WINDOW, now=now(), everything=everything)


def record_refusal(db: Session, staff_id: Any, *, why: str) -> None:
    """Write to the trail that somebody did not come in; `staff_id` is None where nobody knows who it was."""
    actor = audit.Actor(kind="staff", id=str(staff_id)) if staff_id is not None else audit.SYSTEM
    audit.record(db, "staff_sign_in_refused", actor=actor, now=now(), why=why)


def _record(db: Session, kind: str, user: StaffUser | None, **details: Any) -> None:
    """Write to the trail who signed in or failed to; a name that is nobody's is not written down."""
    actor = audit.Actor(kind="staff", id=str(user.id)) if user is not None else audit.SYSTEM
    audit.record(db, kind, actor=actor, now=now(), **details)


def _answer(status: int) -> None:
    """Give the page that follows its true status; Flask-Security answers 200 to a wrong password."""

    @after_this_request
    def set_status(response: Any) -> Any:
        response.status_code = status
        if status == 429:
            response.headers["Retry-After"] = str(int(WINDOW.total_seconds()))
        return response


def _derived(config: Settings, purpose: str) -> str:
    """A secret of its own for each purpose, so that none can stand in for another."""
    return hashlib.sha256(f"peremena staff {purpose} {config.secret_key}".encode()).hexdigest()
