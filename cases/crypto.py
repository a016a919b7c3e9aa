"""Seal and open what must not lie in clear: AES-256-GCM under data keys, data keys under versioned master keys.

A sealed text is bound to its place (`place`: table, column, row), so it opens nowhere else. Destroying a data
key's wrapped bytes makes everything sealed with it unreadable, in backups of the blobs too (crypto-shredding).
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.models import DataKey

NONCE = 12
"""Bytes of a random nonce; 96 bits, as NIST SP 800-38D advises. One data key seals far fewer than 2^32 texts."""

_FORMAT = b"\x01"
"""First byte of everything sealed, so that another cipher can follow one day."""


class KeyDestroyed(Exception):
    """The data key was shredded: what it sealed is gone for good."""


class Unreadable(Exception):
    """The ciphertext was changed, belongs to another place, or its master key is not at hand."""


class Vault:
    """The master keys by version. New data keys are wrapped by the largest version, or by the one that `newest` names:
    while a new key is being made known to every process, none may wrap with it yet."""

    def __init__(self, keyring: Mapping[int, bytes], *, newest: int = 0) -> None:
        if not keyring or any(len(key) != 32 for key in keyring.values()):
            raise ValueError("a vault needs at least one key of 32 bytes")
        if newest and newest not in keyring:
            raise ValueError("a vault wraps with a key that it has")
        self._ciphers = {version: AESGCM(key) for version, key in keyring.items()}
        self.newest = newest or max(keyring)
        self.versions = frozenset(keyring)

    def __repr__(self) -> str:
        return f"<Vault versions {sorted(self._ciphers)}>"

    def new_key(self, session: Session, *, now: datetime) -> DataKey:
        """Make, wrap and store a data key."""
        key_id = uuid4()
        key = DataKey(
            id=key_id,
            wrapped=self._wrap(AESGCM.generate_key(256), key_id, self.newest),
            master_version=self.newest,
            created_at=now,
        )
        session.add(key)
        session.flush()
        return key

    def seal(self, key: DataKey, plain: bytes, place: str) -> bytes:
        """Encrypt `plain` for `place`. Raises KeyDestroyed, Unreadable."""
        nonce = os.urandom(NONCE)
        return _FORMAT + nonce + AESGCM(self._unwrap(key)).encrypt(nonce, plain, place.encode())

    def open(self, key: DataKey, sealed: bytes, place: str) -> bytes:
        """Decrypt what `seal` made for the same key and place. Raises KeyDestroyed, Unreadable."""
        data_key = self._unwrap(key)
        if sealed[:1] != _FORMAT or len(sealed) < 1 + NONCE + 16:
            raise Unreadable("unknown format")
        try:
            return AESGCM(data_key).decrypt(sealed[1 : 1 + NONCE], sealed[1 + NONCE :], place.encode())
        except InvalidTag:
            raise Unreadable("changed, or sealed for another place") from None

    def seal_json(self, key: DataKey, value: Any, place: str) -> bytes:
        """`seal` for plain JSON values."""
        return self.seal(key, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), place)

    def open_json(self, key: DataKey, sealed: bytes, place: str) -> Any:
        """Read what `seal_json` wrote."""
        return json.loads(self.open(key, sealed, place))

    def rewrap(self, session: Session, *, limit: int = 1000) -> int:
        """Wrap up to `limit` data keys of older versions under the newest; returns how many. Nothing sealed changes."""
        old = session.scalars(
            select(DataKey)
            .where(DataKey.wrapped.is_not(None), DataKey.master_version != self.newest)
            .order_by(DataKey.id)
            .limit(limit)
            .with_for_update(key_share=True, skip_locked=True)
            .execution_options(populate_existing=True)
        ).all()
        for key in old:
            key.wrapped = self._wrap(self._unwrap(key), key.id, self.newest)
            key.master_version = self.newest
        session.flush()
        return len(old)

    def _wrap(self, data_key: bytes, key_id: UUID, version: int) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + self._ciphers[version].encrypt(nonce, data_key, _bound_to(key_id, version))

    def _unwrap(self, key: DataKey) -> bytes:
        if key.wrapped is None:
            raise KeyDestroyed(f"data key {key.id} was shredded")
        cipher = self._ciphers.get(key.master_version)
        if cipher is None:
            raise Unreadable(f"master key {key.master_version} is not in MASTER_KEYS")
        try:
            return cipher.decrypt(key.wrapped[:NONCE], key.wrapped[NONCE:], _bound_to(key.id, key.master_version))
        except InvalidTag:
            raise Unreadable(f"data key {key.id} does not open under master key {key.master_version}") from None


def destroy(key: DataKey, *, now: datetime) -> None:
    """Shred a data key. May be repeated."""
    if key.wrapped is not None:
        key.wrapped = None
        key.destroyed_at = now


def vault_of(session: Session) -> Vault:
    """The vault this session was opened with."""
    vault: Vault = session.info["vault"]
    return vault


def _bound_to(key_id: UUID, version: int) -> bytes:
    return key_id.bytes + struct.pack(">I", version)
