"""Codes of webhooks and tickets in words."""

from __future__ import annotations

from flask_babel import gettext as _


def outcome_words(outcome: str) -> str:
    """How a delivery stands."""
    return {
        "waiting": _("not taken yet"),
        "delivered": _("delivered"),
        "sent": _("sent"),
        "failed": _("given up"),
    }[outcome]


def why_off_words(code: str | None) -> str:
    """Why an endpoint is off."""
    return {
        "by_hand": _("switched off by hand"),
        "failing": _("switched off by itself: nothing was taken for three days"),
        "gone": _("switched off by itself: the receiver said that it is gone (410)"),
    }.get(code or "", "")


def code_words(code: str | None) -> str:
    """Why a try failed; one that is not known stays a code."""
    if not code:
        return "–"
    if code.startswith("http_"):
        return _("answered %(status)s", status=code.removeprefix("http_"))
    return {
        "timeout": _("no answer within 10 s"),
        "connection_refused": _("nobody listens there"),
        "connection_lost": _("the connection broke off"),
        "not_reachable": _("not reachable"),
        "name_unknown": _("its name is not known"),
        "address_refused": _("its name leads to an address that is not public"),
        "tls_certificate": _("its certificate is not good"),
        "tls_failed": _("no secure connection"),
        "no_http_answer": _("what answered is no web server"),
        "answer_too_long": _("its answer never ended"),
        "endpoint_disabled": _("the endpoint was off"),
        "no_helpdesk": _("no helpdesk is set any more"),
        "url_scheme": _("The address must begin with https://."),
    }.get(code, code)


def problem_words(code: str) -> str:
    """What is wrong with what was typed."""
    return {
        "url_scheme": _("The address must begin with https://."),
        "url_port": _("Only port 443 and those of the setting HOOKS_PORTS are spoken to."),
        "url_userinfo": _("Please leave name and password out of the address."),
        "url_host": _("This is no name of a machine."),
        "url_address": _("This address is not public. Webhooks go to public addresses only."),
        "url_too_long": _("The address is too long: at most 500 characters."),
        "kinds_empty": _("Please tick at least one event."),
        "kinds_unknown": _("One of these events is not known."),
        "mode_unknown": _("Please choose live or test."),
        "too_many": _("There are too many endpoints already. Please remove one first."),
    }.get(code, _("This is no address that we can use."))
