"""A portal over a database of its own, people in it, and a browser that is a Flask test client."""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image, ImageDraw
from werkzeug.test import TestResponse

from cases import customers, intake, policies
from cases.database import Database
from cases.models import Base, Case, Customer
from cases.settings import Mode, Settings
from verification import images
from verification.evidence import ChangeReason, Claim, Field, Profile, Quality
from verification.reasons import PhotoKind
from webapp.app import create_app

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

ANNA = {
    Field.SURNAME: "ИВАНОВА",
    Field.GIVEN_NAMES: "АННА",
    Field.PATRONYMIC: "СЕРГЕЕВНА",
    Field.DATE_OF_BIRTH: "1990-05-17",
    Field.SEX: "F",
    Field.NATIONALITY: "RUS",
    Field.DOCUMENT_NUMBER: "4510123456",
    Field.ISSUED_ON: "2010-06-01",
}
"""Nobody; details as the lender holds them."""


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **by: float) -> None:
        self.at += timedelta(**by)


def make_settings(folder: Path, mode: Mode = Mode.DEVELOPMENT, **more: object) -> Settings:
    """Settings that depend on nothing outside `folder`. Redis is not there: rings fail, and nothing else may.

    No upkeep runs beside these tests, so agents' answers take effect at once unless a test says otherwise.
    """
    given: dict[str, Any] = {"undo_seconds": 0}
    given |= {"secret_key": secrets.token_hex(32), "audit_key": secrets.token_hex(32)}
    given["master_keys"] = f"1:{secrets.token_hex(32)}"
    return Settings(mode=mode, data_dir=folder, redis_url=f"unix://{folder / 'nobody.sock'}", **{**given, **more}).completed()


def prepare(db: Database) -> None:
    """Empty tables and the shipped policy."""
    Base.metadata.create_all(db.engine)
    with db.transaction() as session:
        policies.install_shipped(session, now=NOON)


@dataclass
class Portal:
    """The application, its clock, its people; `sign_in` gives a browser."""

    app: Flask
    clock: Clock

    @property
    def db(self) -> Database:
        return self.app.extensions["peremena.database"]

    def customer(self, name: str = "anna", values: dict[Field, str] | None = None, locale: str = "en") -> UUID:
        with self.db.transaction() as session:
            profile = Profile(values=values or ANNA)
            return customers.upsert(session, name, profile, email=f"{name}@old.test", locale=locale, now=self.clock()).id

    def browser(self) -> Browser:
        return Browser(self.app.test_client())

    def sign_in(self, customer_id: UUID, language: str | None = None) -> Browser:
        with self.db.transaction() as session:
            token = customers.make_link(
                session, "hand_over", session.get_one(Customer, customer_id), lifetime=timedelta(minutes=5), now=self.clock()
            )
        browser = self.browser()
        browser.get(f"/enter/{token}")
        assert browser.post("/enter", token=token).status_code == 303
        browser.follow("/")  # the session is new, and so is the token in its forms
        if language:
            browser.post("/language", language=language, next="/")
        return browser

    def draft(
        self,
        customer_id: UUID,
        values: dict[Field, str] | None = None,
        photos: bool = True,
        reason: ChangeReason = ChangeReason.MARRIAGE,
    ) -> UUID:
        claim = Claim(reason=reason, values=values or {Field.SURNAME: "ПЕТРОВА", Field.DOCUMENT_NUMBER: "4524654321"})
        with self.db.transaction() as session:
            case = intake.open_case(
                session,
                session.get_one(Customer, customer_id),
                claim,
                country="RUS",
                new_email=None,
                locale="en",
                now=self.clock(),
            )
            if photos:
                self.attach(session, case.id)
            return case.id

    def attach(self, session: object, case_id: UUID) -> None:
        for kind in (PhotoKind.DOCUMENT, PhotoKind.SELFIE):
            clean, quality = measured(kind)
            intake.attach_photo(session, case_id, kind, clean, quality, now=self.clock())  # type: ignore[arg-type]

    def case(self, case_id: UUID) -> Case:
        with self.db.reading() as session:
            return session.get_one(Case, case_id)


class Browser:
    """A test client that fills in what the last page hides in its forms: the CSRF token, and the version of the case."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
        self.token = ""
        self.version: dict[str, str] = {}

    def _seen(self, answer: TestResponse) -> TestResponse:
        found = (
            re.search(r'name="csrf_token" value="([^"]+)"', answer.get_data(as_text=True))
            if answer.mimetype == "text/html"
            else None
        )
        if found:
            self.token = found[1]
        if answer.mimetype == "text/html":
            self.version = dict(re.findall(r'name="(seen)" value="(\d+)"', answer.get_data(as_text=True)))
        return answer

    def get(self, address: str, **options: object) -> TestResponse:
        return self._seen(self.client.get(address, **options))  # type: ignore[arg-type]

    def follow(self, address: str) -> TestResponse:
        return self._seen(self.client.get(address, follow_redirects=True))

    def post(self, address: str, **fields: object) -> TestResponse:
        if not self.token:
            self.get("/sign-in")
        return self._seen(self.client.post(address, data={"csrf_token": self.token, **self.version, **fields}))

    def upload(self, address: str, data: bytes, name: str = "photo.jpg", **fields: object) -> TestResponse:
        return self.post(address, photo=(io.BytesIO(data), name), **fields)


@lru_cache
def picture(kind: str = "document", *, width: int = 900, height: int = 640, blur: bool = False, dark: bool = False) -> bytes:
    """A drawn picture with enough edges to pass for sharp; of nobody and nothing."""
    noise = np.random.default_rng(7).integers(90, 190, (height // 4, width // 4, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((width, height), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(image)
    for y in range(40, height - 40, 26):
        draw.text((60, y), f"P<UTO{kind.upper()}<<SPECIMEN<<<<<<<<<<<<<<<<<", fill=(10, 10, 10))
    if blur:
        image = image.resize((24, 16), Image.Resampling.BILINEAR).resize((width, height), Image.Resampling.BICUBIC)
    if dark:
        image = image.point(lambda v: v // 18)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


@lru_cache
def measured(kind: PhotoKind) -> tuple[bytes, Quality]:
    """The clean copy of a drawn picture and its quality."""
    return images.measure_file(picture(kind.value), kind)


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    """The portal in development mode."""
    yield from _portal(tmp_path, Mode.DEVELOPMENT)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Portal]:
    """The portal in demo mode."""
    yield from _portal(tmp_path, Mode.DEMO)


def _portal(folder: Path, mode: Mode) -> Iterator[Portal]:
    app = create_app(make_settings(folder / mode.value, mode), surfaces="portal")
    app.testing = True
    clock = Clock()
    app.extensions["peremena.clock"] = clock
    portal = Portal(app=app, clock=clock)
    prepare(portal.db)
    yield portal
    portal.db.dispose()
