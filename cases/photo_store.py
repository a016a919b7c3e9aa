"""Photos as encrypted blobs under random names: a local folder or S3-compatible storage behind `put`, `read`, `shred`.

Knows nothing of pictures. Names are ours alone (32 hex digits), so no path ever comes from outside. A blob is
written before its row is committed: a lost transaction leaves an orphan for `retention.orphans`, never a row
without a blob.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from cases import audit
from cases.crypto import KeyDestroyed, Unreadable, vault_of
from cases.models import DataKey, Photo
from cases.settings import SettingsError
from verification.reasons import PhotoKind

NAME = re.compile(r"[0-9a-f]{32}")


class PhotoGone(Exception):
    """The photo was shredded."""


class PhotoBroken(Exception):
    """The blob is missing, was changed, or is not what the row says. The text names the photo's id, nothing else."""


class BlobExists(Exception):
    """A blob of that name is there already; nothing was written."""


class BlobMissing(Exception):
    """No blob of that name."""


class PhotoStore(Protocol):
    """Keeps bytes under a name. Blobs are never changed: made once, read, shredded."""

    def put(self, name: str, blob: bytes) -> None:
        """Write durably. Raises BlobExists, OSError."""

    def read(self, name: str) -> bytes:
        """Raises BlobMissing."""

    def shred(self, name: str) -> None:
        """Remove; a blob that is not there is well removed."""

    def names(self) -> Iterator[tuple[str, datetime]]:
        """Every blob and when it was written, in no order."""


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError("a blob's name is 32 hex digits")
    return name


class LocalStore:
    """Blobs in a folder, two levels deep, readable by the owner only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, blob: bytes) -> None:
        """Write to a temporary file, flush to disk, then link without replacing."""
        place = self._place(name)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = place.parent / f".{name}.{secrets.token_hex(8)}"
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(blob)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(partial, place)  # atomic, and fails where rename would replace
            except FileExistsError:
                raise BlobExists(name) from None
        finally:
            partial.unlink(missing_ok=True)
        _sync_folder(place.parent)

    def read(self, name: str) -> bytes:
        """All bytes."""
        try:
            return self._place(name).read_bytes()
        except FileNotFoundError:
            raise BlobMissing(name) from None

    def shred(self, name: str) -> None:
        """Remove the file; what makes it unreadable for good is the key, since disks keep old blocks."""
        place = self._place(name)
        place.unlink(missing_ok=True)
        if place.parent.exists():
            _sync_folder(place.parent)

    def names(self) -> Iterator[tuple[str, datetime]]:
        """Blobs only; partial files of a crashed writer are removed when older than an hour by `sweep`."""
        for file in self.folder.glob("??/*"):
            if NAME.fullmatch(file.name):
                try:
                    written = file.stat().st_mtime
                except FileNotFoundError:
                    continue
                yield file.name, datetime.fromtimestamp(written, UTC)

    def sweep(self, *, before: datetime) -> int:
        """Remove partial files that a crashed writer left before that time; returns how many."""
        removed = 0
        for file in self.folder.glob("??/.*"):
            try:
                if datetime.fromtimestamp(file.stat().st_mtime, UTC) < before:
                    file.unlink()
                    removed += 1
            except FileNotFoundError:
                continue
        return removed

    def _place(self, name: str) -> Path:
        return self.folder / _checked(name)[:2] / name


class S3Store:
    """Blobs in an S3-compatible bucket. The client is made at first use in each process: it must not cross a fork."""

    def __init__(self, bucket: str, prefix: str, *, endpoint: str | None, region: str | None) -> None:
        self.bucket = bucket
        self.prefix = prefix
        self.endpoint = endpoint
        self.region = region
        self._client: tuple[int, Any] | None = None

    @property
    def client(self) -> Any:
        """This process's client. Credentials come from boto3's usual places."""
        if self._client is None or self._client[0] != os.getpid():
            import boto3  # slow to import, and needed only here
            from botocore.config import Config

            config = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 3, "mode": "standard"})
            session = boto3.session.Session()  # the default session is not safe to share between threads while it is made
            made = session.client(
                "s3", endpoint_url=self.endpoint, region_name=self.region or session.region_name or "us-east-1", config=config
            )
            self._client = (os.getpid(), made)
        return self._client[1]

    def put(self, name: str, blob: bytes) -> None:
        """Create only: `If-None-Match: *`."""
        from botocore.exceptions import ClientError

        try:
            self.client.put_object(
                Bucket=self.bucket, Key=self._key(name), Body=blob, IfNoneMatch="*", ContentType="application/octet-stream"
            )
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412):
                raise BlobExists(name) from None
            raise

    def read(self, name: str) -> bytes:
        """All bytes."""
        from botocore.exceptions import ClientError

        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=self._key(name))
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                raise BlobMissing(name) from None
            raise
        blob: bytes = answer["Body"].read()
        return blob

    def shred(self, name: str) -> None:
        """Remove the object; deleting what is not there succeeds in S3."""
        self.client.delete_object(Bucket=self.bucket, Key=self._key(name))

    def names(self) -> Iterator[tuple[str, datetime]]:
        """Objects under the prefix whose name is one of ours."""
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix):
            for entry in page.get("Contents", []):
                name = entry["Key"].removeprefix(self.prefix)
                if NAME.fullmatch(name):
                    yield name, entry["LastModified"].astimezone(UTC)

    def _key(self, name: str) -> str:
        return self.prefix + _checked(name)


def open_store(url: str) -> PhotoStore:
    """The store behind `file:///folder` or `s3://bucket/prefix?endpoint=https://…&region=…`. Raises SettingsError."""
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path and not parts.netloc:
        return LocalStore(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        query = parse_qs(parts.query)
        prefix = parts.path.strip("/")
        return S3Store(
            parts.netloc,
            f"{prefix}/" if prefix else "",
            endpoint=query.get("endpoint", [None])[0],
            region=query.get("region", [None])[0],
        )
    raise SettingsError("STORAGE_URL must read file:///folder or s3://bucket/prefix?endpoint=...")


def store_of(session: Session) -> PhotoStore:
    """The store this session was opened with."""
    store: PhotoStore = session.info["photos"]
    return store


def keep(
    session: Session,
    *,
    customer_id: UUID,
    case_id: UUID | None,
    kind: PhotoKind,
    key: DataKey,
    data: bytes,
    quality: dict[str, Any],
    accepted_despite: list[str],
    now: datetime,
) -> Photo:
    """Encrypt and store `data`, and add its row. The caller has set aside the photo it replaces."""
    photo = Photo(
        id=uuid4(),
        customer_id=customer_id,
        case_id=case_id,
        kind=kind,
        current=True,
        attempt=0,
        data_key_id=key.id,
        blob=secrets.token_hex(16),
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        quality=quality,
        accepted_despite=accepted_despite,
        created_at=now,
    )
    photo.data_key = key
    store_of(session).put(photo.blob, vault_of(session).seal(key, data, _place(photo)))
    session.add(photo)
    session.flush()
    return photo


def keep_sealed(session: Session, key: DataKey, data: bytes, place: str) -> str:
    """Encrypt and store bytes that are no single photo, bound to `place`; returns the blob's name for the caller's row."""
    name = secrets.token_hex(16)
    store_of(session).put(name, vault_of(session).seal(key, data, place))
    return name


def open_photo(session: Session, photo_id: UUID, *, viewer: audit.Actor, purpose: str, now: datetime) -> bytes:
    """Return the clear bytes of a photo, and record who looked and why.

    Checks the SHA-256 of the row. Raises PhotoGone when it was shredded, PhotoBroken when what is stored is not
    what was put there, NoResultFound when there is no such photo. `purpose` is a code such as "verification".
    """
    photo = session.get_one(Photo, photo_id)
    data = read(session, photo)  # before the event, which keeps other writers waiting
    audit.record(
        session,
        "photo_opened",
        actor=viewer,
        now=now,
        case_id=photo.case_id,
        customer_id=photo.customer_id,
        photo_id=photo.id,
        photo=photo.kind,
        purpose=purpose,
    )
    return data


def read(session: Session, photo: Photo) -> bytes:
    """The clear bytes, unrecorded: only for `open_photo` and for proving that a store is whole."""
    if photo.shredded_at is not None:
        raise PhotoGone(f"photo {photo.id} was shredded")
    try:
        data = vault_of(session).open(photo.data_key, store_of(session).read(photo.blob), _place(photo))
    except KeyDestroyed:
        raise PhotoGone(f"photo {photo.id} was shredded") from None
    except BlobMissing:
        raise PhotoBroken(f"photo {photo.id} has no blob") from None
    except Unreadable:
        raise PhotoBroken(f"photo {photo.id} does not open") from None
    if hashlib.sha256(data).hexdigest() != photo.sha256:
        raise PhotoBroken(f"photo {photo.id} is not what was stored")
    return data


def _place(photo: Photo) -> str:
    """What the ciphertext is bound to: the case (for a face on file the customer), the kind and the photo."""
    return f"photo|{photo.case_id or photo.customer_id}|{photo.kind.value}|{photo.id}"


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
