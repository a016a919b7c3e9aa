"""The vault: what is sealed opens only in its place, under its key, and never again once the key is destroyed."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from cases.crypto import KeyDestroyed, Unreadable, Vault, destroy
from cases.models import DataKey

RING = {1: b"1" * 32, 2: b"2" * 32}


def test_what_is_sealed_opens_in_its_place_only(session, vault, now):
    key, other = vault.new_key(session, now=now), vault.new_key(session, now=now)
    sealed = vault.seal(key, b"a surname", "cases.claim|1")
    assert vault.open(key, sealed, "cases.claim|1") == b"a surname"
    assert b"surname" not in sealed
    with pytest.raises(Unreadable):
        vault.open(key, sealed, "cases.claim|2")
    with pytest.raises(Unreadable):
        vault.open(other, sealed, "cases.claim|1")


def test_the_same_text_never_looks_the_same_twice(session, vault, now):
    key = vault.new_key(session, now=now)
    assert vault.seal(key, b"x", "p") != vault.seal(key, b"x", "p")


def test_any_flipped_byte_is_noticed(session, vault, now):
    key = vault.new_key(session, now=now)
    sealed = bytearray(vault.seal(key, b"x", "p"))
    for at in range(len(sealed)):
        changed = bytes(sealed[:at]) + bytes([sealed[at] ^ 1]) + bytes(sealed[at + 1 :])
        with pytest.raises(Unreadable):
            vault.open(key, changed, "p")
    with pytest.raises(Unreadable):
        vault.open(key, b"", "p")


def test_a_destroyed_key_opens_nothing(session, vault, now):
    key = vault.new_key(session, now=now)
    sealed = vault.seal(key, b"x", "p")
    destroy(key, now=now)
    destroy(key, now=now)
    session.flush()
    with pytest.raises(KeyDestroyed):
        vault.open(key, sealed, "p")
    with pytest.raises(KeyDestroyed):
        vault.seal(key, b"x", "p")


def test_a_wrapped_key_does_not_fit_another_row(session, vault, now):
    key, other = vault.new_key(session, now=now), vault.new_key(session, now=now)
    other.wrapped = key.wrapped
    with pytest.raises(Unreadable):
        vault.seal(other, b"x", "p")


def test_master_keys_rotate_without_touching_what_is_sealed(session, now):
    old = Vault({1: RING[1]})
    key = old.new_key(session, now=now)
    sealed = old.seal(key, b"x", "p")
    both = Vault(RING)
    assert both.open(key, sealed, "p") == b"x"
    assert both.rewrap(session) == len(session.scalars(select(DataKey)).all())
    assert both.rewrap(session) == 0
    assert Vault({2: RING[2]}).open(key, sealed, "p") == b"x"
    with pytest.raises(Unreadable):
        old.open(key, sealed, "p")


def test_a_vault_shows_no_key():
    assert "1" * 8 not in repr(Vault(RING))
    with pytest.raises(ValueError):
        Vault({})
    with pytest.raises(ValueError):
        Vault({1: b"short"})
