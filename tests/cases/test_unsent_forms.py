"""A form that came too late: sealed, hers alone, for a day."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from cases import retention, unsent_forms
from cases.models import UnsentForm
from cases.unsent_forms import LIFETIME, Unsent
from tests import factories as a

FORM = Unsent(address="/request/details", fields=(("surname", "BERGMANTEST"), ("surname", "TWICE")), photo=b"\xff\xd8\xff photo")


def test_it_comes_back_as_it_was(session, now):
    customer = a.a_customer(session, now=now)
    unsent_forms.keep(session, customer.id, FORM, now=now)
    found = unsent_forms.find(session, customer.id, now=now)
    assert found is not None
    assert (found.address, found.fields, found.photo, found.at) == (FORM.address, FORM.fields, FORM.photo, now)


def test_nothing_of_it_lies_in_clear_and_nobody_else_finds_it(session, now):
    customer, other = a.a_customer(session, now=now), a.a_customer(session, now=now)
    unsent_forms.keep(session, customer.id, FORM, now=now)
    row = session.scalars(select(UnsentForm)).one()
    assert b"BERGMANTEST" not in row.form_sealed and b"photo" not in (row.photo_sealed or b"")
    assert unsent_forms.find(session, other.id, now=now) is None
    assert "BERGMANTEST" not in repr(FORM)


def test_the_newest_form_takes_the_place_of_the_one_before(session, now):
    customer = a.a_customer(session, now=now)
    for text in ("first", "second"):
        unsent_forms.keep(session, customer.id, Unsent(address="/", fields=(("n", text),)), now=now)
    found = unsent_forms.find(session, customer.id, now=now)
    assert found is not None and found.fields == (("n", "second"),) and found.photo is None


def test_it_is_gone_after_a_day_when_dropped_and_with_upkeep(session, now):
    customer = a.a_customer(session, now=now)
    unsent_forms.keep(session, customer.id, FORM, now=now)
    assert unsent_forms.find(session, customer.id, now=now + LIFETIME) is None
    retention.shred_due(session, now=now + LIFETIME - timedelta(seconds=1))
    assert session.scalars(select(UnsentForm)).all()
    retention.shred_due(session, now=now + LIFETIME)
    assert not session.scalars(select(UnsentForm)).all()
    unsent_forms.keep(session, customer.id, FORM, now=now)
    unsent_forms.drop(session, customer.id)
    assert unsent_forms.find(session, customer.id, now=now) is None
