"""Photos sent by upload.js, and sent again: kept once, answered alike, told in words; without script by the same rules."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import threading
from datetime import date
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from flask import Flask
from PIL import Image, ImageFilter
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from cases import intake
from cases.models import Event, Photo, Upload
from cases.settings import Mode
from tests.specimens.draw import draw_td3
from tests.specimens.people import utopian
from tests.specimens.photograph import photograph
from tests.specimens.scenes import cartoon
from tests.webapp.conftest import Browser, Portal, make_settings, picture
from tests.webapp.pages import decided
from verification import images, quality
from verification.decision import Outcome
from verification.reasons import PhotoKind, ReasonCode
from webapp.app import create_app


def digest(data: bytes, name: str = "sha-256") -> str:
    """A `Content-Digest` of these bytes."""
    return f"{name}=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def send(
    browser: Browser,
    case: Any,
    data: bytes,
    *,
    number: UUID | None = None,
    kind: str = "document",
    anyway: bool = False,
    headers: dict[str, str] | None = None,
) -> TestResponse:
    """Send a photo as upload.js does. A header that is empty is left out."""
    told = {"X-CSRFToken": browser.token, "Content-Digest": digest(data), **(headers or {})}
    return browser.client.put(
        f"/requests/{case}/photos/{kind}/{number or uuid4()}{'?anyway=1' if anyway else ''}",
        data=data,
        headers={name: value for name, value in told.items() if value},
        content_type="image/jpeg",
    )


def a_draft(portal: Portal) -> tuple[UUID, Browser]:
    """A request that waits for its photos, and its customer's browser."""
    customer = portal.customer()
    return portal.draft(customer, photos=False), portal.sign_in(customer)


def again(data: bytes, *, side: int = 640, quality: int = 60) -> bytes:
    """The same picture as another program would save it."""
    image = Image.open(io.BytesIO(data))
    image.thumbnail((side, side))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


@lru_cache
def a_page(seed: int) -> Image.Image:
    """A drawn passport photographed on a table, anew for each seed."""
    page = draw_td3(utopian(date(2026, 11, 22)), cartoon(), country="UTO").image
    photo = Image.fromarray(photograph(page, seed=seed, hardness="medium"))
    photo.thumbnail((1200, 1200))
    return photo


def as_jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


def apart(a: Image.Image, b: Image.Image) -> int:
    """In how many bits their fingerprints differ."""
    first, second = (int.from_bytes(quality.fingerprint(np.asarray(image.convert("RGB")))) for image in (a, b))
    return (first ^ second).bit_count()


def count(portal: Portal, table: Any) -> int:
    with portal.db.reading() as session:
        return int(session.scalar(select(func.count()).select_from(table)) or 0)


def test_a_photo_sent_twice_is_kept_once_and_answered_alike(portal: Portal) -> None:
    case, browser = a_draft(portal)
    number = uuid4()
    first, second = (send(browser, case, picture("document"), number=number) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert first.json == second.json == {"next": f"/requests/{case}/photos/selfie"}
    assert count(portal, Photo) == 1
    with portal.db.reading() as session:
        assert session.scalar(select(func.count()).where(Event.kind == "photo_kept")) == 1


def test_the_answer_that_got_lost_is_given_again_after_she_went_on(portal: Portal) -> None:
    case, browser = a_draft(portal)
    number = uuid4()
    send(browser, case, picture("document"), number=number)
    send(browser, case, picture("selfie"), kind="selfie")
    with portal.db.transaction() as session:
        intake.submit(session, case, consent_version="1", now=portal.clock())
    late = send(browser, case, picture("document"), number=number)
    assert late.status_code == 200 and late.json is not None


def test_a_refusal_sent_twice_is_counted_once_and_told_alike(portal: Portal) -> None:
    case, browser = a_draft(portal)
    number = uuid4()
    first, second = (send(browser, case, picture("document", blur=True), number=number) for _ in range(2))
    assert first.status_code == second.status_code == 422
    assert first.json == second.json
    assert first.json is not None and "blurred" in first.json["findings"] and "same photo" not in first.json["findings"]
    assert count(portal, Upload) == 1 and count(portal, Photo) == 0


def test_two_processes_that_get_the_same_upload_at_the_same_time_keep_it_once(portal: Portal) -> None:
    case, browser = a_draft(portal)
    shared = portal.db.settings
    keys = {"secret_key": shared.secret_key, "audit_key": shared.audit_key, "master_keys": shared.master_keys}
    other = create_app(make_settings(shared.data_dir, Mode.DEVELOPMENT, **keys), surfaces="portal")
    other.extensions["peremena.clock"] = portal.clock
    cookie = browser.client.get_cookie("peremena-portal")
    assert cookie is not None
    number, answers = uuid4(), []
    start = threading.Barrier(6)

    def one(app: Flask) -> None:
        client = app.test_client()
        client.set_cookie("peremena-portal", cookie.value)
        start.wait()
        mine = Browser(client)
        mine.token = browser.token
        answers.append(send(mine, case, picture("document"), number=number))

    threads = [threading.Thread(target=one, args=(app,)) for app in (portal.app, other) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    other.extensions["peremena.database"].dispose()
    assert [a.status_code for a in answers] == [200] * 6
    assert len({str(a.json) for a in answers}) == 1
    assert count(portal, Photo) == count(portal, Upload) == 1


@pytest.mark.parametrize("header", ["Content-Digest", "Repr-Digest"])
def test_a_photo_that_did_not_arrive_whole_is_asked_for_again(portal: Portal, header: str) -> None:
    case, browser = a_draft(portal)
    number = uuid4()
    whole = picture("document")
    told = {"Content-Digest": "", header: f"sha-512=:AAAA:, {digest(whole)}"}
    answer = send(browser, case, whole[:-1000], number=number, headers=told)
    assert answer.status_code == 400 and answer.json is not None and answer.json["again"]
    assert "did not arrive whole" in answer.json["problem"]
    assert send(browser, case, whole, number=number).status_code == 200
    assert count(portal, Photo) == 1


@pytest.mark.parametrize("told", ["", "sha-512=:AAAA:", "md5=:AAAA:"])
def test_without_a_digest_that_we_know_the_photo_is_kept_all_the_same(portal: Portal, told: str) -> None:
    case, browser = a_draft(portal)
    assert send(browser, case, picture("document"), headers={"Content-Digest": told}).status_code == 200


def test_nonsense_for_a_digest_is_no_digest_that_fits(portal: Portal) -> None:
    case, browser = a_draft(portal)
    assert send(browser, case, picture("document"), headers={"Content-Digest": "sha-256=:not base64:"}).status_code == 400


def test_a_number_used_for_another_photo_is_a_conflict(portal: Portal) -> None:
    case, browser = a_draft(portal)
    number = uuid4()
    assert send(browser, case, picture("document"), number=number).status_code == 200
    for kind, data in (("document", picture("document", width=904)), ("selfie", picture("document"))):
        answer = send(browser, case, data, number=number, kind=kind)
        assert answer.status_code == 409 and answer.json is not None and answer.json["again"]
    assert count(portal, Photo) == 1


def test_the_same_number_in_another_case_is_another_upload(portal: Portal) -> None:
    case, browser = a_draft(portal)
    number = uuid4()
    send(browser, case, picture("document"), number=number)
    other = portal.customer("other")
    hers = portal.draft(other, photos=False)
    assert send(portal.sign_in(other), hers, picture("document", width=904), number=number).status_code == 200


def test_a_case_of_somebody_else_is_not_there(portal: Portal) -> None:
    case, _ = a_draft(portal)
    stranger = portal.sign_in(portal.customer("stranger"))
    assert send(stranger, case, picture("document")).status_code == 404
    assert count(portal, Upload) == 0


def test_a_case_that_has_moved_on_says_where(portal: Portal) -> None:
    case, browser = a_draft(portal)
    with portal.db.transaction() as session:
        intake.withdraw(session, case, now=portal.clock())
    answer = send(browser, case, picture("document"))
    assert answer.status_code == 409 and answer.json is not None and answer.json["next"] == f"/requests/{case}"
    assert count(portal, Photo) == count(portal, Upload) == 0


def test_without_the_token_of_the_page_nothing_is_kept(portal: Portal) -> None:
    case, browser = a_draft(portal)
    assert send(browser, case, picture("document"), headers={"X-CSRFToken": ""}).status_code == 400
    assert send(browser, case, picture("document"), headers={"Origin": "https://elsewhere.test"}).status_code == 400
    assert count(portal, Upload) == 0


def test_who_is_signed_out_is_shown_the_door_and_nothing_is_kept(portal: Portal) -> None:
    case, browser = a_draft(portal)
    portal.clock.forward(hours=1)
    answer = send(browser, case, picture("document"))
    assert answer.status_code in (303, 400) and answer.json is None  # upload.js loads the page again, which leads to the door
    assert browser.get(f"/requests/{case}/photos/document").location.startswith("/sign-in")
    assert count(portal, Upload) == 0


@pytest.mark.parametrize("size", [12 * 1024 * 1024 + 1, 14 * 1024 * 1024])
def test_a_photo_over_the_cap_is_told_so(portal: Portal, size: int) -> None:
    case, browser = a_draft(portal)
    answer = send(browser, case, b"\xff\xd8\xff" + b"\0" * (size - 3))
    assert answer.status_code == 413 and answer.json is not None and "too large" in answer.json["findings"]
    assert count(portal, Upload) == 0


@pytest.mark.parametrize(
    ("data", "sentence"), [(b"", "empty"), (b"MZ no picture", "not a photo"), (picture("document")[:4000], "damaged")]
)
def test_what_is_no_photo_is_told_so(portal: Portal, data: bytes, sentence: str) -> None:
    case, browser = a_draft(portal)
    answer = send(browser, case, data)
    assert answer.status_code == 422 and answer.json is not None and sentence in answer.json["findings"].lower()
    assert answer.json["anyway"] == ""


def test_forty_an_hour_whatever_the_way(portal: Portal) -> None:
    case, browser = a_draft(portal)
    browser.get(f"/requests/{case}/photos/document")
    codes = [send(browser, case, b"no picture").status_code for _ in range(20)]
    codes += [browser.upload(f"/requests/{case}/photos/document", b"no picture").status_code for _ in range(20)]
    assert codes == [422] * 40
    answer = send(browser, case, picture("document"))
    assert (
        answer.status_code == 429
        and answer.headers["Retry-After"]
        and answer.json is not None
        and "wait" in answer.json["problem"]
    )


def test_a_machine_that_is_busy_says_later_and_remembers_nothing(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    case, browser = a_draft(portal)
    number = uuid4()

    def slow(*_: Any, **__: Any) -> Any:
        raise images.ImageRejected(ReasonCode.IMAGE_TOO_SLOW)

    with monkeypatch.context() as patch:
        patch.setattr(images, "look_at_file", slow)
        assert send(browser, case, picture("document"), number=number).status_code == 422
    assert send(browser, case, picture("document"), number=number).status_code == 200


# --- Photos that were refused before


def test_a_copy_of_the_refused_photo_is_known_at_once(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    case, browser = a_draft(portal)
    blurred = as_jpeg(a_page(1).filter(ImageFilter.GaussianBlur(8)))
    assert "same photo" not in send(browser, case, blurred).json["findings"]  # type: ignore[index]
    smaller = send(browser, case, again(blurred))
    assert smaller.status_code == 422 and "same photo" in smaller.json["findings"]  # type: ignore[index]

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("decoded again")

    monkeypatch.setattr(images, "look_at_file", never)
    identical = send(browser, case, blurred)
    assert identical.status_code == 422
    assert "same photo" in identical.json["findings"] and "blurred" in identical.json["findings"]  # type: ignore[index]


def test_another_photo_that_is_as_bad_is_not_called_the_same(portal: Portal) -> None:
    case, browser = a_draft(portal)
    send(browser, case, picture("document", blur=True))
    other = send(browser, case, picture("document", dark=True))
    assert other.status_code == 422 and "same photo" not in other.json["findings"]  # type: ignore[index]


def test_a_sharp_photo_in_the_place_of_the_blurred_one_is_taken(portal: Portal) -> None:
    case, browser = a_draft(portal)
    blurred = a_page(1).filter(ImageFilter.GaussianBlur(8))
    assert apart(a_page(1), blurred) <= quality.SAME_PHOTO
    assert send(browser, case, as_jpeg(blurred)).status_code == 422
    assert send(browser, case, as_jpeg(a_page(1))).status_code == 200


def test_fingerprints_tell_a_copy_from_a_photo_taken_anew() -> None:
    shots = [a_page(seed) for seed in (1, 2, 3)]
    for shot in shots:
        for side, saved in ((1200, 30), (900, 60), (640, 85)):
            assert apart(shot, Image.open(io.BytesIO(again(as_jpeg(shot), side=side, quality=saved)))) <= quality.SAME_PHOTO
        moved = shot.transform(shot.size, Image.Transform.AFFINE, (1, 0.02, 24, -0.02, 1, 24), Image.Resampling.BICUBIC)
        assert apart(shot, moved) > quality.SAME_PHOTO  # a hand that moved by 2 % of the width and by a degree
    assert min(apart(a, b) for a, b in itertools.combinations(shots, 2)) > 5 * quality.SAME_PHOTO


def test_after_three_refusals_she_may_insist_and_not_before(portal: Portal) -> None:
    case, browser = a_draft(portal)
    blurred = picture("document", blur=True)
    first = send(browser, case, blurred, anyway=True)
    assert first.status_code == 422 and first.json["anyway"] == ""  # type: ignore[index]
    second = send(browser, case, blurred, anyway=True)
    assert second.status_code == 422 and second.json["anyway"] == ""  # type: ignore[index]
    third = send(browser, case, blurred)
    assert 'name="anyway"' in third.json["anyway"]  # type: ignore[index]
    assert 'name="anyway"' in browser.get(f"/requests/{case}/photos/document").text  # on any device
    number = uuid4()
    for _ in range(2):
        assert send(browser, case, blurred, anyway=True, number=number).status_code == 200
    with portal.db.reading() as session:
        assert session.scalars(select(Photo)).one().accepted_despite == ["document_blurred"]
    browser.get(f"/requests/{case}/photos/document")
    assert send(browser, case, picture("document", dark=True)).json["anyway"] == ""  # type: ignore[index]


@pytest.mark.parametrize("way", ["put", "post"])
def test_the_photo_for_which_a_new_one_was_asked_is_not_taken_again(portal: Portal, way: str) -> None:
    case, browser = a_draft(portal)
    send(browser, case, picture("document"))
    send(browser, case, picture("selfie"), kind="selfie")
    decided(portal, case, Outcome.RETAKE, (ReasonCode.DOCUMENT_GLARE,), (PhotoKind.DOCUMENT,))
    address = f"/requests/{case}/photos/document"
    browser.get(address)
    for data in (picture("document"), again(picture("document"), side=800)):
        answer = send(browser, case, data) if way == "put" else browser.upload(address, data)
        words = answer.json["findings"] if way == "put" else answer.text  # type: ignore[index]
        assert answer.status_code == 422 and "same photo as before" in words and "Switch off the flash" in words
    fresh = Image.open(io.BytesIO(picture("document"))).transpose(Image.Transpose.ROTATE_90)
    out = io.BytesIO()
    fresh.save(out, "JPEG", quality=90)
    taken = send(browser, case, out.getvalue()) if way == "put" else browser.upload(address, out.getvalue())
    assert taken.status_code == (200 if way == "put" else 303)


def test_a_selfie_that_was_good_may_be_sent_again_while_the_passport_is_retaken(portal: Portal) -> None:
    case, browser = a_draft(portal)
    send(browser, case, picture("document"))
    send(browser, case, picture("selfie"), kind="selfie")
    decided(portal, case, Outcome.RETAKE, (ReasonCode.DOCUMENT_GLARE,), (PhotoKind.DOCUMENT,))
    assert send(browser, case, picture("selfie"), kind="selfie").status_code == 200


# --- Without script


def test_the_form_without_script_goes_by_the_same_rules(portal: Portal) -> None:
    case, browser = a_draft(portal)
    address = f"/requests/{case}/photos/document"
    browser.get(address)
    assert browser.upload(address, picture("document", blur=True)).status_code == 422
    mixed = send(browser, case, picture("document", blur=True))
    assert "same photo" in mixed.json["findings"] and not mixed.json["anyway"]  # type: ignore[index]
    assert 'name="anyway"' in browser.upload(address, picture("document", blur=True)).text
    assert browser.upload(address, picture("document")).location == f"/requests/{case}/photos/selfie"
    assert count(portal, Photo) == 1 and count(portal, Upload) == 4
