"""Keys of the host system: only a hash is kept, rights and modes hold, a replaced key works on for a while."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from cases import api_keys, customers
from cases.host_tables import ApiKey
from cases.models import Event, Role
from cases.staff import NotAllowed
from tests import factories as a

HOUR = timedelta(hours=1)


def make(session, now, **about):
    given = {"name": "Core banking", "mode": "live", "scopes": ["cases:read"], "by": None, "now": now, **about}
    return api_keys.create(session, **given)


def test_a_token_is_shown_once_and_only_its_hash_is_kept(session, now):
    row, token = make(session, now)
    assert api_keys.TOKEN.fullmatch(token) and token.startswith("pk_live_")
    kept = session.execute(select(ApiKey.__table__)).one()._mapping
    assert token not in repr(kept) and token[8:] not in repr(kept)
    assert row.hint == token[-4:]


def test_a_key_opens_for_its_token_alone_and_says_when_it_was_used(session, now):
    row, token = make(session, now)
    found = api_keys.authenticate(session, token, now=now)
    assert found == api_keys.Key(id=row.id, name="Core banking", mode="live", scopes=frozenset({"cases:read"}))
    session.refresh(row)
    assert row.last_used_at == now
    for wrong in ("", token[:-1], token.swapcase(), token.replace("live", "test"), f"{token} "):
        assert api_keys.authenticate(session, wrong, now=now) is None


def test_a_key_ends_at_its_time_and_when_it_is_revoked(session, now):
    _row, token = make(session, now, expires_at=now + HOUR)
    assert api_keys.authenticate(session, token, now=now + HOUR - timedelta(microseconds=1))
    assert api_keys.authenticate(session, token, now=now + HOUR) is None
    row, token = make(session, now)
    api_keys.revoke(session, row.id, by=None, now=now)
    assert api_keys.authenticate(session, token, now=now) is None


def test_a_replaced_key_works_beside_its_successor_until_the_overlap_is_over(session, now):
    row, old = make(session, now, return_origins=["https://bank.example"])
    new_row, new = api_keys.rotate(session, row.id, by=None, now=now, overlap=HOUR)
    assert (new_row.scopes, new_row.mode, new_row.return_origins) == (row.scopes, row.mode, ["https://bank.example"])
    assert new_row.replaces_id == row.id
    late = now + HOUR
    assert api_keys.authenticate(session, old, now=late - timedelta(seconds=1))
    assert api_keys.authenticate(session, old, now=late) is None
    assert api_keys.authenticate(session, new, now=late)


def test_an_overlap_lets_no_key_live_longer_than_it_would_have(session, now):
    row, token = make(session, now, expires_at=now + HOUR)
    api_keys.rotate(session, row.id, by=None, now=now, overlap=timedelta(days=7))
    assert api_keys.authenticate(session, token, now=now + HOUR) is None


def test_a_key_that_was_lost_to_somebody_is_replaced_without_overlap(session, now):
    row, token = make(session, now)
    api_keys.rotate(session, row.id, by=None, now=now, overlap=timedelta(0))
    assert api_keys.authenticate(session, token, now=now) is None
    with pytest.raises(ValueError, match="works no more"):
        api_keys.rotate(session, row.id, by=None, now=now)


@pytest.mark.parametrize(
    "about",
    [
        {"scopes": []},
        {"scopes": ["cases:eat"]},
        {"mode": "sandbox"},
        {"scopes": ["sandbox:write"]},  # of a live key
        {"name": "  "},
        {"name": "x" * 81},
        {"return_origins": ["http://bank.example"]},
        {"return_origins": ["https://bank.example/back"]},
    ],
)
def test_what_can_be_no_key_is_refused(session, now, about):
    with pytest.raises(ValueError):
        make(session, now, **about)
    assert session.scalars(select(ApiKey)).all() == []


def test_only_an_admin_makes_replaces_and_revokes_keys(session, now):
    row, _token = make(session, now)
    for role in Role:
        member = a.a_member(session, role, now=now)
        if role is Role.ADMIN:
            made, _token = make(session, now, by=member)
            assert made.created_by_id == member.id
            continue
        for act in (
            lambda by=member: make(session, now, by=by),
            lambda by=member: api_keys.rotate(session, row.id, by=by, now=now),
            lambda by=member: api_keys.revoke(session, row.id, by=by, now=now),
        ):
            with pytest.raises(NotAllowed):
                act()


def test_the_trail_tells_what_was_done_to_keys_and_no_token(session, now):
    row, token = make(session, now)
    _new, second = api_keys.rotate(session, row.id, by=None, now=now)
    api_keys.revoke(session, row.id, by=None, now=now)
    api_keys.revoke(session, row.id, by=None, now=now)  # again: nothing happens
    events = session.scalars(select(Event).where(Event.kind.startswith("api_key_")).order_by(Event.id)).all()
    assert [event.kind for event in events] == ["api_key_made", "api_key_rotated", "api_key_revoked"]
    assert not any(secret in str(event.details) for event in events for secret in (token, second))


@pytest.mark.parametrize(
    ("address", "goes"),
    [
        ("https://bank.example/profile?tab=2", True),
        ("https://BANK.example:443/x", True),
        ("https://bank.example:8443/x", False),
        ("http://bank.example/x", False),
        ("https://bank.example.evil.test/x", False),
        ("https://bank.example@evil.test/", False),
        ("https://evil.test\\@bank.example/", False),
        ("https://evil.test/\t@bank.example", False),
        ("//bank.example/x", False),
        ("javascript:alert(1)//bank.example", False),
        ("https://bank.example", True),
        ("https://bаnk.example/", False),  # a Cyrillic а
        ("", False),
    ],
)
def test_links_lead_back_to_agreed_origins_alone(session, now, address, goes):
    _row, token = make(session, now, return_origins=["https://bank.example"])
    key = api_keys.authenticate(session, token, now=now)
    assert key is not None and api_keys.returns_to(key, address) is goes


def test_a_test_key_may_lead_back_to_the_machine_of_whoever_develops(session, now):
    with pytest.raises(ValueError):
        make(session, now, return_origins=["http://localhost:5000"])
    make(session, now, mode="test", return_origins=["http://localhost:5000"])


def test_live_and_test_keys_see_different_customers(session, now):
    live = a.a_customer(session, now=now)
    toy = customers.upsert(session, "toy-1", a.PROFILE, email="toy@example.com", locale="en", now=now, sandbox=True)
    for mode, sees in (("live", live), ("test", toy)):
        _row, token = make(session, now, mode=mode)
        key = api_keys.authenticate(session, token, now=now)
        assert key is not None
        assert [one for one in (live, toy) if api_keys.may_see(key, one)] == [sees]
    for external_id, sandbox in (("toy-1", False), (live.external_id, True)):
        with pytest.raises(customers.OtherMode):
            customers.upsert(session, external_id, a.PROFILE, email="x@example.com", locale="en", now=now, sandbox=sandbox)
