"""Addresses of pictures: each is good for one viewer, one case, one picture, one purpose and one minute.

A token says all of that and is signed; a bare id opens nothing. It is no right by itself: whoever redeems it asks the rule as
well (`cases.looks`). Knows nothing of pictures or cases: `subject` is what the picture is looked at for, a case's id as a rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer

LIFE = timedelta(seconds=60)
"""How long a link opens its picture: a page loads in that time, a copied address does not travel far.

Source: facts/reliability.md 3 no. 11.
"""

_SALT = "desk picture"


class LinkForeign(Exception):
    """The link was made for somebody else, for another case or another kind of picture, or by nobody here."""


class LinkOld(Exception):
    """The link was good once; its minute is over."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a link opens, and what for."""

    thing: str  # the picture's id, or its name within the subject
    purpose: str


def sign(secret: str, kind: str, thing: str, *, subject: str, purpose: str, viewer: UUID, now: datetime) -> str:
    """Return a token for one look of `viewer` at `thing`, a picture of that `kind` ("photo", "message", ...)."""
    return str(_signer(secret, kind).dumps([viewer.hex, subject, thing, purpose, int(now.timestamp())]))


def read(secret: str, kind: str, token: str, *, subject: str, viewer: UUID, now: datetime, renewing: bool = False) -> Look:
    """Return what `token` opens. `renewing`: an old one is read as well, to be replaced, never to show anything.

    Raises LinkForeign, LinkOld.
    """
    try:
        held_by, held_subject, thing, purpose, made = _signer(secret, kind).loads(token)
    except BadData:
        raise LinkForeign from None
    if held_by != viewer.hex or held_subject != subject:
        raise LinkForeign
    age = now.timestamp() - made
    if not renewing and not -LIFE.total_seconds() <= age <= LIFE.total_seconds():  # clocks of two hosts may differ a little
        raise LinkOld
    return Look(thing=thing, purpose=purpose)


def _signer(secret: str, kind: str) -> URLSafeSerializer:
    """The kind is part of the key: a message's link never opens a photo."""
    return URLSafeSerializer(secret, salt=f"{_SALT} {kind}")
