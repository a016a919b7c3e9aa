"""HTTP manners of every surface: headers, cookies, CSRF, body size, health, error pages.

Error pages are in the reader's language and name nothing of the request: no address, no value, no exception text.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import secrets
import struct
import time
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Request, Response, abort, current_app, g, jsonify, render_template, request, url_for
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError, CSRFProtect
from sqlalchemy import text
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge
from werkzeug.middleware.proxy_fix import ProxyFix

from cases.settings import Mode, Settings
from webapp.context import database
from webapp.logs import log

UPLOAD_BYTES = 12 * 1024 * 1024
"""What a photo may weigh as sent (facts/ecosystem.md 2.2)."""

FORM_BYTES = 64 * 1024
"""What the rest of a form may weigh: names, numbers, a token."""

DRAIN_BYTES = 64 * 1024 * 1024
"""How much of a body that is too large is read and thrown away, so that the browser gets to see the answer."""

CSP = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:", "font-src 'self'",
    "connect-src 'self'", "media-src 'self' blob:", "manifest-src 'self'", "form-action 'self'", "base-uri 'none'",
    "frame-ancestors 'none'", "object-src 'none'",
))  # fmt: skip

HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Addresses hold case ids and, once, a token: other pages and our own access log learn the host only.
    "Referrer-Policy": "strict-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
}

COMPRESSED = frozenset({"text/html", "text/css", "text/javascript", "application/json", "image/svg+xml"})
"""What becomes smaller; photos and PDFs are compressed as they are."""

REMARKS = {
    "text/javascript": re.compile(rb"""^[ \t]*//.*\n|^[ \t]+|(?<=[;{},)]) // [^"'`\n]*$""", re.MULTILINE),
    "text/css": re.compile(rb"/\*[^*]*\*+(?:[^/*][^*]*\*+)*/\n?|^[ \t]+", re.MULTILINE),
}
"""Comments and indentation, a fifth of what our scripts weigh; a comment after code only where it holds no quote."""

WORTH_IT = 500
"""Bytes; a smaller answer fits into the packet that its headers need anyway."""

OF_FILES = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of a style, a script, a drawing: what the rest of HEADERS rules out is a page's, and each of them is sent two dozen times."""

csrf = CSRFProtect()


class InMemoryRequest(Request):
    """A request whose uploads never touch a disk: a photo in a temporary file would lie there in clear."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> io.BytesIO:
        self.files_kept = getattr(self, "files_kept", _Kept())
        return _Beginning(self.files_kept)


class _Kept:
    """How many bytes of files a request holds in memory, all of them together."""

    count = 0


class _Beginning(io.BytesIO):
    """Keeps what fits beside the other files of a request, one byte more than an upload may have, and drops the rest."""

    def __init__(self, kept: _Kept) -> None:
        super().__init__()
        self._kept = kept

    def write(self, data: Any) -> int:
        part = memoryview(data)[: max(0, UPLOAD_BYTES + 1 - self._kept.count)]
        self._kept.count += super().write(part)
        return len(data)


def init_app(app: Flask, settings: Settings, surfaces: tuple[str, ...]) -> None:
    """Configure cookies and limits; register headers, /healthz and error pages."""
    address = settings.portal_url if "portal" in surfaces else settings.staff_url
    secure = settings.mode is Mode.PRODUCTION or urlsplit(address).scheme == "https"
    name = f"peremena-{'-'.join(surfaces)}"  # cookies do not know ports: surfaces on one host must not share one
    app.request_class = InMemoryRequest
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SESSION_COOKIE_NAME=f"__Host-{name}" if secure else name,
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        MAX_CONTENT_LENGTH=UPLOAD_BYTES + FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=4 * FORM_BYTES,  # Werkzeug counts its read buffer of 64 KiB in
        MAX_FORM_PARTS=60,
        SEND_FILE_MAX_AGE_DEFAULT=365 * 24 * 3600,  # addresses carry a fingerprint of the content, see `asset`
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session, which ends by itself
        WTF_CSRF_SSL_STRICT=False,  # wants a full Referer, which is not sent on purpose; `_same_origin` stands in
        JSON_SORT_KEYS=False,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals["asset"] = asset
    hops = settings.proxy_hops
    if hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_port=hops)  # type: ignore[method-assign]
    csrf.init_app(app)
    app.before_request_funcs.setdefault(None, [])[:0] = [_begin, _same_origin]  # before CSRF reads the body
    app.after_request(_finish)
    app.register_error_handler(CSRFError, _csrf_page)
    app.register_error_handler(HTTPException, _error_page)
    app.add_url_rule("/healthz", "healthz", healthz)


def asset(filename: str) -> str:
    """The address of a static file with a fingerprint, so that it may be cached for a year."""
    folder = current_app.static_folder
    assert folder is not None
    file = Path(folder, filename)
    return url_for("static", filename=filename, v=_fingerprint(str(file), file.stat().st_mtime_ns))


@lru_cache(maxsize=256)
def _fingerprint(file: str, _changed: int) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:10]


def takes_photos(view: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a view that takes an upload; every other view refuses bodies larger than FORM_BYTES."""
    view.takes_photos = True  # type: ignore[attr-defined]
    return view


def hears_out(view: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a view of a form that takes words beside a photo: of a photo that is too large only the beginning is kept, and the
    view gets to see that and the words."""
    view.hears_out = True  # type: ignore[attr-defined]
    return view


def _begin() -> None:
    """Give the request a number for the log, and a view without uploads a small body."""
    g.request_id = secrets.token_hex(8)
    g.began = time.perf_counter()
    view = current_app.view_functions.get(request.endpoint or "")
    if not getattr(view, "takes_photos", False):
        request.max_content_length = FORM_BYTES
    elif getattr(view, "hears_out", False):
        request.max_content_length = DRAIN_BYTES


def _same_origin() -> None:
    """Refuse an unsafe request that a browser says comes from another site. Old browsers say nothing: CSRF tokens hold there."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        abort(400)
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        abort(400)


def _finish(response: Response) -> Response:
    """Add the headers; what is not a static file is nobody's to keep. What is left of a body is read, so that a refusal
    arrives: a browser that still sends sees a connection that is closed on it as one that failed."""
    if request.method in ("POST", "PUT"):
        drain()
    for name, value in (OF_FILES if request.endpoint == "static" and response.mimetype != "text/html" else HEADERS).items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    elif response.status_code in (200, 304):
        _let_keep(response)
    _compress(response)
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    if request.endpoint not in ("static", "healthz"):
        log.info(
            "served",
            request=g.get("request_id"),
            method=request.method,
            endpoint=request.endpoint,
            status=response.status_code,
            ms=round((time.perf_counter() - g.get("began", time.perf_counter())) * 1000),
        )
    return response


def _let_keep(response: Response) -> None:
    """A file asked for by its fingerprint never changes; one asked for without is asked after each time."""
    held = Path(current_app.static_folder or "", (request.view_args or {})["filename"])
    version = request.args.get("v")
    known = version is not None and held.is_file() and version == _fingerprint(str(held), held.stat().st_mtime_ns)
    response.headers["Cache-Control"] = f"public, max-age={365 * 24 * 3600}, immutable" if known else "no-cache"


def _compress(response: Response) -> None:
    """Compress text with gzip for a browser that takes it; nothing of a page can be guessed from how well it shrinks.

    Whoever can make her browser ask for pages and sees how long the answers are learns what repeats in them, if he may put words
    into a page that also holds a secret (BREACH, 2013). The secret of our pages is the form's token: it is left as it is.
    """
    if response.mimetype not in COMPRESSED or response.status_code == 206 or "Content-Encoding" in response.headers:
        return
    response.vary.add("Accept-Encoding")
    if response.status_code == 304 or request.accept_encodings["gzip"] <= 0 or request.method == "HEAD":
        _weak(response)
        return
    if request.endpoint == "static":
        response.direct_passthrough = False
        small = _gzipped(response.get_data(), response.mimetype)
    elif response.is_streamed or len(response.get_data()) < WORTH_IT:
        return
    else:
        small = _gzipped_apart(response.get_data(), str(g.get("csrf_token", "")).encode())
    _weak(response)
    response.set_data(small)
    response.headers["Content-Encoding"] = "gzip"


def _weak(response: Response) -> None:
    """An entity tag that holds for the file whether it went compressed or not (RFC 9110, section 8.8.3)."""
    tag, is_weak = response.get_etag()
    if tag is not None and not is_weak:
        response.set_etag(tag, weak=True)


@lru_cache(maxsize=256)
def _gzipped(data: bytes, kind: str) -> bytes:
    return gzip.compress(REMARKS[kind].sub(b"", data) if kind in REMARKS else data, 9, mtime=0)


def _gzipped_apart(data: bytes, secret: bytes) -> bytes:
    """gzip in which every `secret` stands as it is, and nothing is found to be like it: the packer sees zeros in its place.

    Blocks of DEFLATE packed one by one, each with all before it for a dictionary (RFC 1951, RFC 1952).
    """
    seen, packed = b"", [b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"]
    for number, part in enumerate(data.split(secret) if secret else [data]):
        if number:
            packed.append(_block(secret, 0))
            seen += bytes(len(secret))
        packed.append(_block(part, 9, seen))
        seen += part
    return b"".join([*packed, b"\x03\0", struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)])


def _block(data: bytes, level: int, before: bytes = b"") -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=before[-32_768:])
    return packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)


def healthz() -> tuple[Response, int]:
    """Whether this process can serve: the database answers. Says nothing else to strangers."""
    try:
        with database().reading() as session:
            session.execute(text("SELECT 1"))
    except Exception as error:  # whatever is wrong with the database, the answer is the same
        log.error("not_healthy", error=type(error).__name__)
        return jsonify(status="database"), 503
    return jsonify(status="ok"), 200


def drain() -> None:
    """Read what is left of a body, within reason. May be repeated."""
    left, g.drained = 0 if g.get("drained") else min(request.content_length or 0, DRAIN_BYTES), True
    try:
        stream = request.stream  # knows what was read of it
    except RequestEntityTooLarge:
        stream = request.environ["wsgi.input"]
    while left > 0:
        try:
            part = stream.read(min(left, 64 * 1024))
        except ClientDisconnected:
            return
        if not part:
            return
        left -= len(part)


def error_texts(status: int) -> tuple[str, str]:
    """What happened and what to do now, by status."""
    return {
        400: (
            _("This page was open too long"),
            _("Nothing was sent. Please go back, load the page again and repeat the last step."),
        ),
        401: (_("Please sign in"), _("Sign in again to go on. What you have entered so far is kept.")),
        403: (_("This page is not for you"), _("You are signed in, but not for this page.")),
        404: (_("We cannot find this page"), _("The address may be wrong, or the page belongs to somebody else.")),
        405: (_("We cannot find this page"), _("The address may be wrong, or the page belongs to somebody else.")),
        409: (_("Something has changed meanwhile"), _("Please load the page again to see how things stand now.")),
        413: (_("That is too large"), _("A photo may have up to 12 megabytes. Please choose a smaller one.")),
        422: (_("We could not use that"), _("Please go back and check what you entered.")),
        429: (_("Too many tries"), _("Please wait a while, then try again. What you have entered so far is kept.")),
        503: (_("We are busy right now"), _("Please try again in a minute. What you have entered so far is kept.")),
    }.get(
        status,
        (_("Something went wrong on our side"), _("Please try again in a few minutes. What you have entered so far is kept.")),
    )


def _csrf_page(_error: CSRFError) -> tuple[str, int]:
    return render_template("errors/error.html", status=400, title=error_texts(400)[0], advice=error_texts(400)[1]), 400


def _error_page(error: HTTPException) -> Response | tuple[str, int]:
    """One page for every status; the texts come from `error_texts`, never from the exception."""
    status = error.code or 500
    if status < 400:
        return error.get_response()  # type: ignore[return-value]
    title, advice = error_texts(status)
    response = current_app.make_response(
        (render_template("errors/error.html", status=status, title=title, advice=advice), status)
    )
    wait = getattr(error, "retry_after", None)
    if wait is not None:
        response.headers["Retry-After"] = str(int(wait))
    return response
