"""Photos in a folder and in S3-compatible storage: the same four verbs, the same promises."""

from __future__ import annotations

import os
import secrets
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import func, select

from cases import customers, intake, photo_store
from cases.audit import MACHINE, Actor
from cases.models import Event, Photo
from cases.photo_store import BlobExists, BlobMissing, LocalStore, PhotoBroken, PhotoGone, S3Store, open_photo, open_store
from cases.settings import SettingsError
from tests import factories as a
from verification.reasons import PhotoKind


@pytest.fixture(scope="module")
def s3_address():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["local", "s3"])
def store(request, tmp_path, monkeypatch):
    if request.param == "local":
        return LocalStore(tmp_path / "photos")
    address = request.getfixturevalue("s3_address")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    bucket = f"b{secrets.token_hex(8)}"
    boto3.session.Session().client("s3", endpoint_url=address, region_name="us-east-1").create_bucket(Bucket=bucket)
    return open_store(f"s3://{bucket}/photos?endpoint={address}")


NAME = "0123456789abcdef" * 2


def test_a_blob_is_put_read_and_shredded(store):
    store.put(NAME, b"cipher")
    assert store.read(NAME) == b"cipher"
    [(name, written)] = store.names()
    assert name == NAME
    assert abs(datetime.now(UTC) - written) < timedelta(minutes=5)
    store.shred(NAME)
    store.shred(NAME)
    assert list(store.names()) == []
    with pytest.raises(BlobMissing):
        store.read(NAME)


def test_a_blob_is_never_replaced(store):
    store.put(NAME, b"first")
    with pytest.raises(BlobExists):
        store.put(NAME, b"second")
    assert store.read(NAME) == b"first"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", "0123", NAME.upper(), NAME + "\n", NAME[:-1] + "."])
def test_no_path_comes_from_outside(store, name):
    for use in (lambda: store.put(name, b"x"), lambda: store.read(name), lambda: store.shred(name)):
        with pytest.raises(ValueError):
            use()


def test_files_are_for_the_owner_only_and_no_partial_file_stays(tmp_path):
    store = LocalStore(tmp_path / "photos")
    store.put(NAME, b"x")
    with pytest.raises(BlobExists):
        store.put(NAME, b"y")
    files = [p for p in (tmp_path / "photos").rglob("*") if p.is_file()]
    assert [p.name for p in files] == [NAME]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(files[0].parent.stat().st_mode) == 0o700


def test_partial_files_of_a_crashed_writer_are_no_blobs_and_are_swept(tmp_path):
    store = LocalStore(tmp_path)
    (tmp_path / "01").mkdir()
    partial = tmp_path / "01" / f".{NAME}.abcd"
    partial.write_bytes(b"half")
    os.utime(partial, (0, 0))
    assert list(store.names()) == []
    assert store.sweep(before=datetime(2000, 1, 1, tzinfo=UTC)) == 1
    assert not partial.exists()


def test_the_s3_client_does_not_cross_a_fork(s3_address):
    store = S3Store("bucket", "", endpoint=s3_address, region=None)
    here = store.client
    assert store.client is here
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"new" if store.client is not here else b"old")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 3) == b"new"


@pytest.mark.parametrize("url", ["", "photos", "http://x/y", "file://host/x", "s3:///x", "file:"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(SettingsError):
        open_store(url)


def test_addresses():
    local = open_store("file:///var/lib/a%20b")
    assert isinstance(local, LocalStore)
    assert local.folder == Path("/var/lib/a b")
    remote = open_store("s3://bucket/a/b/?endpoint=https://s3.example.test&region=eu-1")
    assert isinstance(remote, S3Store)
    assert (remote.bucket, remote.prefix, remote.endpoint, remote.region) == ("bucket", "a/b/", "https://s3.example.test", "eu-1")


def blob_file(settings, photo) -> Path:
    return settings.data_dir / "photos" / photo.blob[:2] / photo.blob


def test_a_photo_lies_encrypted_and_opens_for_who_is_recorded(session, settings, now):
    case = a.a_draft(session, now=now, photos=False)
    data = a.jpeg(5)
    photo = intake.attach_photo(session, case.id, PhotoKind.SELFIE, data, a.GOOD_QUALITY, now=now)
    on_disk = blob_file(settings, photo).read_bytes()
    assert data not in on_disk and b"JFIF" not in on_disk
    agent = a.a_member(session, now=now)
    assert open_photo(session, photo.id, viewer=Actor.staff(agent), purpose="review", now=now) == data
    event = session.scalars(select(Event).order_by(Event.id.desc()).limit(1)).one()
    assert (event.kind, event.actor_id, event.case_id) == ("photo_opened", str(agent.id), case.id)
    assert event.details == {"photo_id": str(photo.id), "photo": "selfie", "purpose": "review"}


def test_a_changed_missing_or_swapped_blob_is_noticed(session, settings, now):
    case = a.a_draft(session, now=now)
    selfie, document = (intake.photo(session, case, kind) for kind in (PhotoKind.SELFIE, PhotoKind.DOCUMENT))
    kept = blob_file(settings, selfie).read_bytes()

    def look():
        return open_photo(session, selfie.id, viewer=MACHINE, purpose="verification", now=now)

    blob_file(settings, selfie).write_bytes(blob_file(settings, document).read_bytes())  # same key, another photo
    with pytest.raises(PhotoBroken):
        look()
    blob_file(settings, selfie).write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    with pytest.raises(PhotoBroken):
        look()
    blob_file(settings, selfie).unlink()
    with pytest.raises(PhotoBroken):
        look()
    blob_file(settings, selfie).write_bytes(kept)
    assert look()
    selfie.sha256 = "0" * 64
    with pytest.raises(PhotoBroken):
        look()
    assert session.scalar(select(func.count()).where(Event.kind == "photo_opened")) == 1


def test_a_shredded_photo_is_gone(session, now):
    case = a.a_draft(session, now=now)
    selfie = intake.photo(session, case, PhotoKind.SELFIE)
    selfie.shredded_at = now
    with pytest.raises(PhotoGone):
        open_photo(session, selfie.id, viewer=MACHINE, purpose="verification", now=now)


def test_a_new_face_on_file_shreds_the_one_before(session, now):
    customer = a.a_customer(session, now=now)
    first = customers.face_on_file(session, customer.id)
    same = customers.set_face_on_file(session, customer, photo_store.read(session, first), quality=a.GOOD_QUALITY, now=now)
    assert same is first
    second = customers.set_face_on_file(session, customer, a.jpeg(7), quality=a.GOOD_QUALITY, now=now)
    assert customers.face_on_file(session, customer.id) is second
    with pytest.raises(PhotoGone):
        open_photo(session, first.id, viewer=MACHINE, purpose="verification", now=now)


def test_cases_work_on_s3(session, store, now):
    session.info["photos"] = store
    case = a.an_approved(session, now=now)
    photos = session.scalars(select(Photo).where(Photo.case_id == case.id)).all()
    assert {p.blob for p in photos} <= {name for name, _ in store.names()}
    assert all(photo_store.read(session, p) for p in photos)
