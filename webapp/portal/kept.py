"""Keep a form that came just after the session had ended, so that nobody types or photographs twice.

Why on the server: it works without script, and on a computer that others use nothing stays behind in the browser; the
cookie may be read by whoever sits there, so no personal data goes into it. Why it is only kept: a session that ended may
change nothing, so the form waits, sealed, until she has signed in again, and then she reads what it says before it is sent.
Who else may have the cookie: whoever found an old device. So it is kept for a short while after the last sign of her only,
of a connected phone nothing but photos of its own request, and nothing goes on that she was not shown (`told`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import g, request, session, url_for
from flask_babel import gettext as _
from flask_wtf.csrf import ValidationError, validate_csrf
from werkzeug.exceptions import ServiceUnavailable

from cases import throttles, unsent_forms
from cases.models import Case
from cases.unsent_forms import Source, Unsent
from verification import images
from verification.evidence import ChangeReason, Field
from verification.reasons import PhotoKind
from webapp.context import database, now
from webapp.http import UPLOAD_BYTES
from webapp.i18n import label
from webapp.logs import log
from webapp.portal import forms
from webapp.talk import clean_photo

FORMS = frozenset({"portal.reason", "portal.details", "portal.photo", "portal.write"})
"""Forms that are work to fill in. Agreements and other single taps are not kept: she shall see what she agrees to.
Of a message the words are kept; a photo can be chosen again."""

OF_A_PHONE = "portal.photo"
"""What is kept for a connected phone: it may send nothing else that takes work."""

WITHIN = timedelta(hours=1)
"""After the last sign of her. Who was interrupted comes back sooner; a cookie found later is not hers to type with."""

LEFT_OUT = frozenset({"csrf_token"})

CHOICE = "plan-"
"""Before the names of what was chosen on the page before: set by us, taken from no form."""

KEPT_AN_HOUR = 10
"""Per customer: what a session that ended may still write is one row, and not often."""


def keep(customer_id: UUID, source: Source, *, of_case: UUID | None = None) -> bool:
    """Keep this request's form for `customer_id`, and say whether that was done. Only forms of our own pages are.

    `of_case`: nothing but a photo of that case, for a connected phone.
    """
    if request.method != "POST" or request.endpoint not in FORMS or not _from_our_page():
        return False
    case_id = (request.view_args or {}).get("case_id")
    if source.phone and (request.endpoint != OF_A_PHONE or case_id is None or case_id != of_case):
        return False
    photo = None
    if request.endpoint == "portal.photo":
        upload = next((f for f in request.files.getlist("photo") if f.filename), None)
        photo = upload.stream.read(UPLOAD_BYTES + 1) if upload is not None else None
        if not photo or len(photo) > UPLOAD_BYTES:
            return False
        photo = _clean(photo)
    with database().transaction() as db:
        if not throttles.hit(db, "unsent_form", str(customer_id), limit=KEPT_AN_HOUR, window=timedelta(hours=1), now=now()):
            return False
        if case_id is not None and not unsent_forms.is_hers(db, customer_id, case_id):
            return False
        fields = [*_fields(), *_choices(customer_id, db.get(Case, case_id) if case_id else None)]
        form = Unsent(address=request.path, fields=tuple(fields), photo=photo, case_id=case_id, source=source)
        if not unsent_forms.keep(db, customer_id, form, now=now()):
            return False
    log.info("form_kept", request=g.get("request_id"), customer=str(customer_id), endpoint=request.endpoint)
    return True


def _clean(photo: bytes) -> bytes:
    """The photo without what the phone wrote into it (place, time); as it came where it cannot be decoded, now or at all."""
    try:
        return clean_photo(photo, limits=images.Limits())
    except (images.ImageRejected, ServiceUnavailable):
        return photo


def _fields() -> list[tuple[str, str]]:
    return [(n, v) for n, v in request.form.items(multi=True) if n not in LEFT_OUT and not n.startswith(CHOICE)]


def _choices(customer_id: UUID, case: Case | None) -> list[tuple[str, str]]:
    """What was chosen on the first page, as this session knows it: the details mean nothing without it, on whatever device."""
    plan = session.get("plan") or {}
    if plan.get("customer") == str(customer_id):
        chosen = {key: plan.get(key) for key in ("reason", "paper")}
    else:
        named = session.get("paper") or {}
        known = case is not None and named.get("case") == str(case.id)
        chosen = {"reason": case.change_reason.value, "paper": named.get("paper")} if case is not None and known else {}
    return [(f"{CHOICE}{key}", value) for key, value in chosen.items() if value]


def _from_our_page() -> bool:
    """Whether the form carries this session's own token; the session is over, but the cookie is still signed."""
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError:
        return False
    return True


def taken(address: str | None = None) -> None:
    """The form of this address was saved: one that waited under it needs no keeping any more. Any other stays."""
    with database().transaction() as db:
        form = unsent_forms.find(db, g.customer_id, now=now())
        if form is not None and form.address == (address or request.path) and (not g.connected or for_phone(form)):
            unsent_forms.drop(db, g.customer_id)


def photo_taken(case_id: UUID, kind: PhotoKind) -> None:
    """A photo was kept, whichever way it came."""
    taken(url_for("portal.photo", case_id=case_id, kind=kind.value))


def photo_kind(form: Unsent | None) -> PhotoKind | None:
    """Which photo a kept form holds."""
    if form is None or form.photo is None:
        return None
    kind = form.address.rsplit("/photos/", 1)[-1]
    return PhotoKind(kind) if kind in ("document", "selfie") else None


def for_phone(form: Unsent | None) -> bool:
    """Whether a connected phone may see a kept form: photos for its own case only, never what was typed."""
    return form is not None and photo_kind(form) is not None and g.connected is not None and form.case_id == g.connected.case_id


# --- What it says


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A form in words: `lines` of label and value for her to read, and the `fields` they stand for; only those are sent."""

    lines: tuple[tuple[str, str], ...]
    fields: tuple[tuple[str, str], ...]


def told(form: Unsent) -> Told:
    """What a kept form says, label by label. Names that no page of ours has, and ticks that confirm something, are left out."""
    given = dict(reversed(form.fields))  # of a name that stands twice the first, as a view reads it
    lines: list[tuple[str, str]] = []
    fields: list[tuple[str, str]] = []

    def tell(name: str, *inputs: str, value: str | None = None) -> None:
        there = [(i, given[i]) for i in inputs if i in given]
        fields.extend(there)
        text = " ".join(v for _i, v in there if v.strip()) if value is None else value
        if text:
            lines.append((name, text))

    if form.address.endswith("/messages"):
        tell(_("Your message"), "text")
    elif form.address.endswith("/reason"):
        tell(_("What has changed?"), "reason", value=_reason_name(given.get("reason")))
        tell(_("Which document will you photograph?"), "paper", value=_paper_name(given.get("paper")))
    elif form.address.endswith("/details"):
        tell(_("What has changed?"), value=_reason_name(given.get("plan-reason")))
        tell(_("Which document will you photograph?"), value=_paper_name(given.get("plan-paper")))
        names = _names_of(given)
        for field in sorted(Field, key=lambda f: list(names).index(f) if f in names else len(names)):
            tell(names.get(field, label(field)), *forms.names_inputs(field))
            lacks = forms.lack_input(field)
            if given.get(lacks):
                tell(names.get(field, label(field)), lacks, value=_("My document shows no patronymic"))
        tell(_("E-mail address"), "email")
    return Told(lines=tuple(lines), fields=tuple(fields))


def of_this_request() -> Unsent:
    """The form of this request, as if it had been kept."""
    choices = _choices(g.customer_id, None) if g.get("customer_id") else []
    return Unsent(address=request.path, fields=tuple([*_fields(), *choices]))


def choices_of(form: Unsent) -> dict[str, str]:
    """What was chosen on the first page when the form was kept."""
    return {name.removeprefix(CHOICE): value for name, value in form.fields if name.startswith(CHOICE)}


def _names_of(given: dict[str, str]) -> dict[Field, Any]:
    """The labels that the page of details had."""
    reason, paper = given.get("plan-reason"), given.get("plan-paper")
    if reason not in list(ChangeReason) or paper not in list(forms.Paper):
        return {}
    return {question.field: question.label for question in forms.asked(ChangeReason(reason), forms.Paper(paper))}


def _reason_name(code: str | None) -> str:
    return label(ChangeReason(code)) if code in list(ChangeReason) else ""


def _paper_name(code: str | None) -> str:
    return str(forms.PAPER_NAMES[forms.Paper(code)]) if code in list(forms.Paper) else ""
