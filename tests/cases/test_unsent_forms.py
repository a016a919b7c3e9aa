"""A form that came too late: sealed, hers alone, for a day."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from cases import retention, unsent_forms
from cases.crypto import destroy
from cases.models import UnsentForm
from cases.unsent_forms import LIFETIME, Source, Unsent
from tests import factories as a

FORM = Unsent(address="/request/details", fields=(("surname", "BERGMANTEST"), ("surname", "TWICE")), photo=b"\xff\xd8\xff photo")


def test_it_comes_back_as_it_was(session, now):
    customer = a.a_customer(session, now=now)
    unsent_forms.keep(session, customer.id, FORM, now=now)
    found = unsent_forms.find(session, customer.id, now=now)
    assert found is not None
    assert (found.address, found.fields, found.photo, found.at) == (FORM.address, FORM.fields, FORM.photo, now)


def test_what_was_sent_about_a_case_is_shredded_with_the_case(session, now):
    case = a.an_in_review(session, now=now)
    form = Unsent(address="/x", fields=(("surname", "BERGMANTEST"),), photo=b"\xff\xd8\xff photo", case_id=case.id)
    unsent_forms.keep(session, case.customer_id, form, now=now)
    found = unsent_forms.find(session, case.customer_id, now=now)
    assert found is not None and (found.fields, found.photo) == (form.fields, form.photo)
    destroy(case.data_key, now=now)
    session.flush()
    assert unsent_forms.find(session, case.customer_id, now=now) is None


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


def from_session(hours, *, phone=False, number=None):
    """A session that began so many hours after the others."""
    return lambda now: Source(number=number or uuid4(), began=now + timedelta(hours=hours), phone=phone)


SAME = uuid4()


@pytest.mark.parametrize(
    ("first", "second", "replaced"),
    [
        (from_session(1), from_session(0), False),  # an older session's cookie
        (from_session(0), from_session(0), False),
        (from_session(0), from_session(1), True),
        (from_session(0, number=SAME), from_session(0, number=SAME), True),
        (from_session(0), from_session(1, phone=True), False),
        (from_session(1, phone=True), from_session(0), True),
        (from_session(0, phone=True), from_session(1, phone=True), True),
    ],
)
def test_what_counts_more_is_not_replaced(session, now, first, second, replaced):
    customer = a.a_customer(session, now=now)
    for text, source in (("first", first), ("second", second)):
        form = Unsent(address="/", fields=(("n", text),), source=source(now))
        done = unsent_forms.keep(session, customer.id, form, now=now)
    found = unsent_forms.find(session, customer.id, now=now)
    assert done is replaced and found.fields == (("n", "second" if replaced else "first"),)
    assert (found.source.began, found.source.phone) == (lambda s: (s.began, s.phone))((second if replaced else first)(now))
    later = now + LIFETIME
    assert unsent_forms.keep(session, customer.id, Unsent(address="/", fields=(), source=second(now)), now=later)


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
