"""One answer for each Idempotency-Key: kept sealed for a day, given for the same request only, gone with the person."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from cases import api_keys, idempotency
from cases.crypto import destroy
from cases.host_tables import ApiAnswer
from cases.idempotency import Answer
from tests import factories as a

ASKED = b"POST /v1/cases {}"
GIVEN = Answer(status=201, headers={"Location": "/v1/cases/1"}, body='{"surname":"ABELARDTEST"}')


@pytest.fixture
def key_id(database, now):
    with database.transaction() as session:
        row, _token = api_keys.create(session, name="Core", mode="live", scopes=["cases:read"], by=None, now=now)
        return row.id


def answered(session, key_id, now, *, about=None, name="k-1", asked=ASKED):
    row, before = idempotency.begin(session, key_id, name, asked, now=now)
    assert before is None
    idempotency.keep(session, row, GIVEN, about=about)
    return row


def test_the_same_request_is_given_the_same_answer(session, key_id, now):
    answered(session, key_id, now)
    assert idempotency.begin(session, key_id, "k-1", ASKED, now=now + timedelta(hours=23))[1] == GIVEN


def test_another_request_with_the_same_key_is_refused(session, key_id, now):
    answered(session, key_id, now)
    with pytest.raises(idempotency.OtherRequest):
        idempotency.begin(session, key_id, "k-1", ASKED + b" ", now=now)


def test_two_api_keys_do_not_meet_in_one_idempotency_key(session, key_id, now):
    answered(session, key_id, now)
    other, _token = api_keys.create(session, name="Other", mode="live", scopes=["cases:read"], by=None, now=now)
    assert idempotency.begin(session, other.id, "k-1", b"something else", now=now)[1] is None


def test_after_a_day_the_key_is_free_again_and_upkeep_forgets(session, key_id, now):
    answered(session, key_id, now)
    assert idempotency.forget(session, before=now + idempotency.KEPT - timedelta(seconds=1)) == 0
    row, before = idempotency.begin(session, key_id, "k-1", b"another", now=now + idempotency.KEPT)
    assert before is None
    idempotency.keep(session, row, GIVEN)
    assert idempotency.forget(session, before=now + 3 * idempotency.KEPT) == 1


def test_an_answer_is_sealed_and_goes_with_the_person_it_speaks_of(session, key_id, now):
    customer = a.a_customer(session, now=now)
    row = answered(session, key_id, now, about=customer)
    assert b"ABELARDTEST" not in bytes(row.answer_sealed)
    stored = session.execute(select(ApiAnswer.__table__)).one()._mapping
    assert "k-1" not in repr(stored)
    destroy(customer.data_key, now=now)
    with pytest.raises(idempotency.AnswerErased):
        idempotency.begin(session, key_id, "k-1", ASKED, now=now)


def test_an_answer_about_somebody_erased_is_kept_under_the_api_keys_own_key(session, key_id, now):
    customer = a.a_customer(session, now=now)
    destroy(customer.data_key, now=now)
    row = answered(session, key_id, now, about=customer)
    assert row.data_key_id != customer.data_key_id and b"ABELARDTEST" not in bytes(row.answer_sealed)
    assert idempotency.begin(session, key_id, "k-1", ASKED, now=now)[1] == GIVEN


def test_work_that_was_rolled_back_leaves_the_key_free(database, key_id, now):
    with pytest.raises(ZeroDivisionError), database.transaction() as session:
        idempotency.begin(session, key_id, "k-1", ASKED, now=now)
        raise ZeroDivisionError
    with database.transaction() as session:
        assert idempotency.begin(session, key_id, "k-1", ASKED, now=now)[1] is None


def test_of_twenty_at_once_one_works_and_all_get_its_answer(database, key_id, now):
    begin, worked, found = threading.Barrier(20), [], []

    def ask(number):
        begin.wait()
        with database.transaction() as session:
            row, before = idempotency.begin(session, key_id, "k-1", ASKED, now=now)
            if before is None:
                worked.append(number)
                before = Answer(status=201, body=str(number))
                idempotency.keep(session, row, before)
            found.append(before)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(worked) == 1
    assert [answer.body for answer in found] == [str(worked[0])] * 20
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ApiAnswer)) == 1
