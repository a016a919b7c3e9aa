"""Which language a page is in, and the template filters that turn codes into sentences.

Order: the reader's own choice (the switch in the header), else her account's language, else the browser's, else the default.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import get_month_names
from flask import Flask, current_app, g, redirect, request, session
from flask_babel import Babel, Domain, format_date, get_domain, get_locale
from flask_babel import gettext as _
from markupsafe import Markup, escape
from werkzeug.wrappers import Response

from cases import wording
from cases.settings import Settings
from cases.wording import LANGUAGES
from verification.challenge import Sign
from verification.evidence import DATES, Field
from verification.hints import Hint

NO_MONTHS = frozenset({"kk"})
"""Languages whose dates browsers cannot write. Seen in Debian's Chromium in November 2026."""

DAYS = {"es": {"d MMMM": "d 'de' MMMM"}, "kk": {"d MMM y": "y 'ж'. d MMM"}}
"""How a language writes a day where it differs from "27 March" and "27 Mar 2026". Source: CLDR, availableFormats MMMMd, yMMMd."""

TRANSLATIONS = Path(wording.__file__).with_name("translations")


def init_app(app: Flask, settings: Settings) -> None:
    """Register the locale choice, filters and the names every template may use."""
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    app.config["BABEL_DEFAULT_LOCALE"] = settings.default_locale
    _Babel(app, locale_selector=choose)
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        gettext=lambda text: catalogue().ugettext(text),
        ngettext=lambda one, many, n: catalogue().ungettext(one, many, n),
        newstyle=True,
    )
    app.jinja_env.filters["label"] = label
    app.jinja_env.filters["sentence"] = sentence
    app.jinja_env.filters["advice"] = advice
    app.jinja_env.filters["agent_sentence"] = agent_sentence
    app.jinja_env.filters["local_date"] = local_date
    app.jinja_env.filters["local_time"] = local_time
    app.jinja_env.filters["shown"] = shown
    app.jinja_env.globals["LANGUAGES"] = LANGUAGES
    app.jinja_env.globals["locale"] = locale
    app.jinja_env.globals["months"] = months
    app.add_url_rule("/language", "language", switch, methods=["POST"])


class _Domain(Domain):
    """flask_babel's, with the catalogue looked up once for each language of a request, not for each of its hundreds of words."""

    def get_translations(self) -> Any:
        return catalogue()

    def look_up(self) -> Any:
        return super().get_translations()


class _Babel(Babel):
    @cached_property
    def domain_instance(self) -> Domain:
        return _Domain(domain=self.domain)


def catalogue() -> Any:
    """The catalogue of the language that is written now: the reader's, or the one within `force_locale`."""
    language = get_locale()
    kept: tuple[Any, Any] | None = g.get("catalogue") if language is not None else None
    if kept is None or kept[0] is not language:
        domain = get_domain()
        kept = (language, domain.look_up() if isinstance(domain, _Domain) else domain.get_translations())
        if language is not None:
            g.catalogue = kept
    return kept[1]


def choose() -> str:
    """Return the locale of this request."""
    return (
        wording.language_of(session.get("locale"))
        or wording.language_of(g.get("account_locale"))
        or request.accept_languages.best_match(list(LANGUAGES))
        or _default()
    )


def switch() -> Response:
    """Remember the reader's choice and go back to the page she came from."""
    chosen = request.form.get("language")
    if chosen in LANGUAGES:
        session["locale"] = chosen
        for keep in current_app.extensions.get("peremena.language_chosen", ()):
            keep(chosen)
    return redirect(own_path(request.form.get("next")), 303)


def own_path(address: str | None) -> str:
    """Return `address` if it is a path on this host, else "/": a form field must not send people elsewhere."""
    if not address or not address.startswith("/") or address.startswith(("//", "/\\")) or any(ord(c) < 33 for c in address):
        return "/"
    return address


def _default() -> str:
    from webapp.context import settings

    return wording.language_of(settings().default_locale) or next(iter(LANGUAGES))


def locale() -> str:
    """The language of this page as a code: ru, kk, es, en."""
    chosen = get_locale()
    return chosen.language if isinstance(chosen, Locale) else _default()


def months() -> list[str]:
    """Names of the months for scripts, if browsers do not know those of this language; else nothing.

    Chromium carries dates for some languages only; a day in Kazakh comes out as "M11 22".
    """
    return list(get_month_names("wide", locale=locale()).values()) if locale() in NO_MONTHS else []


def label(code: object) -> str:
    """Name a field, state, reason for a change, photo kind or hint."""
    return wording.label(code, locale())  # type: ignore[arg-type]


def sentence(code: object) -> str:
    """What a reason or state means, for a customer."""
    return wording.customer_sentence(code, locale())  # type: ignore[arg-type]


def advice(code: object) -> str:
    """What the customer can do about a reason now."""
    return wording.advice(code, locale())  # type: ignore[arg-type]


def agent_sentence(code: object) -> str:
    """What a reason means, for staff."""
    return wording.agent_sentence(code, locale())  # type: ignore[arg-type]


def hint_sentence(hint: Hint) -> str:
    """Why a hint may matter, for staff."""
    return wording.hint_sentence(hint, locale())


def sign_sentence(sign: Sign) -> str:
    """Why a sign against a living face may matter, for staff."""
    return wording.sign_sentence(sign, locale())


def local_date(value: date | str) -> str:
    """A date as people write it. Takes a date or YYYY-MM-DD; any other text is shown as it is."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            return value
    return format_date(value, "long")


def shown(value: str, field: Field) -> str:
    """A detail as people write it: dates in words, a Russian internal passport's number as printed."""
    if field in DATES:
        return local_date(value)
    if field is Field.DOCUMENT_NUMBER and len(value) == 10 and value.isdigit():
        return f"{value[:2]} {value[2:4]} {value[4:]}"
    return value


def local_time(moment: datetime, format: str = "d MMMM, HH:mm") -> Markup:
    """A point in time: UTC with its name for readers without script; portal.js turns it into the reader's own zone."""
    from flask_babel import format_datetime

    for plain, own in DAYS.get(locale(), {}).items():
        format = format.replace(plain, own)
    shown = _("%(time)s UTC", time=format_datetime(moment, format, rebase=False))
    return Markup('<time datetime="{}" data-local>{}</time>').format(moment.strftime("%Y-%m-%dT%H:%M:%SZ"), escape(shown))
