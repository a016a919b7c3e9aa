"""Desk and ops over a database of their own, with staff who really sign in: password, then code."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from cases import customers, intake, policies, runs
from cases.database import Database
from cases.models import Case, Role
from cases.settings import Settings
from tests import factories
from tests.conftest import NOW
from verification.decision import decide
from verification.evidence import (
    ChangeReason,
    Claim,
    Difference,
    DocumentReading,
    DocumentType,
    Evidence,
    FaceReading,
    Field,
    FieldComparison,
    FieldReading,
    Measures,
    MrzReading,
    Pair,
    PairMeasures,
    Profile,
    Quality,
    Source,
)
from verification.reasons import PhotoKind
from webapp.app import create_app
from webapp.security import current_code, hash_password, new_second_factor

PASSWORD = "long enough for anyone"
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


@lru_cache
def _hash() -> str:
    return hash_password(PASSWORD)


@dataclass
class Clock:
    """A clock that tests turn. Codes of the second factor follow the real one."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass
class Office:
    """The staff's application and its people."""

    app: Flask
    settings: Settings
    clock: Clock = field(default_factory=Clock)

    @property
    def db(self) -> Database:
        return self.app.extensions["peremena.database"]

    def member(self, *roles: Role, name: str = "", factor: bool = True) -> str:
        """Add a member of staff and return the e-mail address."""
        with self.db.transaction() as session:
            made = factories.a_member(session, roles[0], now=self.clock(), name=name or None, more=roles[1:])
            made.password = _hash()
            if factor:
                made.tf_primary_method, (made.tf_totp_secret, _key) = "authenticator", new_second_factor(self.settings)
            return made.email

    def row(self, email: str) -> Any:
        """The row as it stands now."""
        from sqlalchemy import select

        from cases.models import Staff

        with self.db.reading() as session:
            return session.scalars(select(Staff).where(Staff.email == email)).one()

    def code(self, email: str) -> str:
        """The code her app shows now; a used one is forgotten so that tests need not wait half a minute."""
        from sqlalchemy import update

        from cases.models import Staff

        with self.db.transaction() as session:
            session.execute(update(Staff).where(Staff.email == email).values(last_totp=None))
        return current_code(self.settings, self.row(email).tf_totp_secret)

    def browser(self) -> Browser:
        return Browser(self.app.test_client())

    def picture_link(self, name: str, case_id: Any, thing: Any, kind: str = "photo") -> str:
        """An address of a photo ("message": of a message's) as a page would make it now for the member of staff of that name."""
        from sqlalchemy import select

        from cases.models import Staff
        from webapp.desk import links

        with self.db.reading() as session:
            viewer = session.scalars(select(Staff.id).where(Staff.name == name)).one()
        about = {"subject": str(case_id), "purpose": "review", "viewer": viewer, "now": self.clock()}
        token = links.sign(self.settings.secret_key, kind, str(thing), **about)
        return f"/desk/cases/{case_id}/{'messages/photos' if kind == 'message' else 'photos'}/{token}"

    def sign_in(self, email: str) -> Browser:
        """A browser in which she is signed in."""
        browser = self.browser()
        assert browser.post("/staff/sign-in", email=email, password=PASSWORD).status_code == 302
        assert browser.post("/staff/code", code=self.code(email)).status_code == 302
        return browser

    def signed_in(self, *roles: Role, name: str = "") -> Browser:
        """A new member of staff, signed in."""
        return self.sign_in(self.member(*roles, name=name))


class Browser:
    """A test client that fills in the CSRF token of the last page it saw."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.token = ""

    def _seen(self, answer: TestResponse) -> TestResponse:
        if answer.mimetype == "text/html":
            found = TOKEN.search(answer.get_data(as_text=True))
            self.token = found[1] if found else self.token
        return answer

    def get(self, address: str, **more: Any) -> TestResponse:
        return self._seen(self.client.get(address, **{"headers": {"Accept-Language": "en"}, **more}))

    def post(self, address: str, **fields: Any) -> TestResponse:
        if not self.token:
            self.get("/staff/sign-in")
        return self._seen(self.client.post(address, data={"csrf_token": self.token, **fields}, headers={"Accept-Language": "en"}))

    def fresh(self, address: str) -> TestResponse:
        """Load a page so that its token is the one that is sent next."""
        return self.get(address, follow_redirects=True)


def make_office(settings: Settings, surfaces: str = "desk,ops") -> Office:
    """The application for tests. The database behind `settings` is migrated."""
    app = create_app(settings, surfaces)
    app.testing = True
    office = Office(app=app, settings=settings)
    app.extensions["peremena.clock"] = office.clock
    return office


# A case as an agent meets it: drawn pictures, a Russian passport of nobody, one letter that differs

PROFILE = Profile(
    values={
        Field.SURNAME: "ТЕСТОВА",
        Field.GIVEN_NAMES: "МАРИЯ",
        Field.PATRONYMIC: "ОБРАЗЦОВНА",
        Field.DATE_OF_BIRTH: "1990-02-03",
        Field.SEX: "F",
        Field.DOCUMENT_NUMBER: "4510123456",
        Field.ISSUED_ON: "2010-03-01",
        Field.NATIONALITY: "RUS",
    }
)
CLAIM = Claim(
    reason=ChangeReason.MARRIAGE,
    values={
        Field.SURNAME: "ПРИМЕРНАЯ",
        Field.DOCUMENT_NUMBER: "4524654321",
        Field.ISSUED_ON: "2024-04-05",
        Field.ISSUER_CODE: "770-001",
    },
)


def found(claim: Claim = CLAIM, profile: Profile = PROFILE, *, similarity: float = 5.2, **changes: Any) -> Evidence:
    """What a run found: the surname differs by one letter, the machine is not sure of one pair of faces."""
    read = {**profile.values, **claim.values, Field.SURNAME: "ПРИМЕРНОЯ"}
    certain = {Field.DOCUMENT_NUMBER, Field.DATE_OF_BIRTH, Field.SEX}
    typed = claim.values.get(Field.SURNAME, "")
    comparisons = {
        name: FieldComparison(
            claimed=value, read=read[name], agreement=1.0, rule="number" if name is Field.ISSUER_CODE else "exact"
        )
        for name, value in claim.values.items()
    }
    comparisons[Field.SURNAME] = FieldComparison(
        claimed=typed,
        read="ПРИМЕРНОЯ",
        agreement=0.889,
        differences=(Difference(claimed="А", read="О", claimed_at=7, read_at=7),),
    )
    pairs = {
        Pair.SELFIE_DOCUMENT: PairMeasures(similarity=similarity, fmr=7.1e-5, sface=0.41, dlib=0.44, voices_agree=True),
        Pair.SELFIE_ON_FILE: PairMeasures(similarity=8.4, fmr=2e-7, sface=0.62, dlib=0.55, voices_agree=True),
        Pair.DOCUMENT_ON_FILE: PairMeasures(similarity=6.9, fmr=1.2e-5, sface=0.5, dlib=0.5, voices_agree=False),
    }
    measures = Measures(
        reason=claim.reason,
        document_type=DocumentType.RU_INTERNAL,
        country="RUS",
        mrz_valid=True,
        days_to_expiry=None,
        never_expires=True,
        agreement={name: c.agreement for name, c in comparisons.items()},
        confidence={name: 0.99 if name in certain else 0.86 for name in (*claim.values, Field.DATE_OF_BIRTH)},
        certain={name: name in certain for name in (*claim.values, Field.DATE_OF_BIRTH)},
        changes=tuple(claim.values),
        change_letters={Field.SURNAME: 7},
        unchanged={Field.DATE_OF_BIRTH: 1.0, Field.SEX: 1.0, Field.GIVEN_NAMES: 1.0, Field.PATRONYMIC: 1.0},
        has_profile=True,
        has_face_on_file=True,
        earlier_number_seen=False,
        pairs=pairs,
        engines=("acted 1",),
    )
    return Evidence(
        reading=DocumentReading(
            document_type=DocumentType.RU_INTERNAL,
            country="RUS",
            mrz=MrzReading(
                lines=("PNRUSPRIMERNO8<<MARI8<OBRAZCOVNA<<<<<<<<<<<<", "4514654321RUS9002038F<<<<<<<2240405770001<10"),
                valid=True,
                checks={"document_number": True, "date_of_birth": True, "composite": True},
            ),
            fields={
                name: FieldReading(
                    value=value,
                    confidence=0.99 if name in certain else 0.86,
                    certain=name in certain,
                    source=Source.BOTH if name in certain else Source.VIZ,
                    box=(470, 120, 300, 30),
                )
                for name, value in read.items()
            },
            portrait=(70, 150, 300, 390),
        ),
        faces=FaceReading(pairs=pairs, boxes={"selfie": (260, 200, 380, 480)}),
        comparisons=comparisons,
        measures=replace(measures, **changes),
    )


def a_case(
    session: Session,
    *,
    now: datetime,
    evidence: Evidence | None = None,
    claim: Claim = CLAIM,
    country: str = "RUS",
    seed: int = 0,
) -> Case:
    """A case at the desk, the way cases come there, with drawn photos."""
    customer = customers.upsert(session, f"host-{seed}-{now:%H%M}", PROFILE, email="old@example.test", locale="ru", now=now)
    customers.set_face_on_file(session, customer, face(seed * 3 + 1, 600, 750), quality=Quality(width=600, height=750), now=now)
    case = intake.open_case(session, customer, claim, country=country, new_email=None, locale="ru", now=now)
    send(session, case, seed)
    runs_now = intake.submit(session, case.id, consent_version=factories.CONSENT, now=now)
    order = runs.begin(session, runs_now.id, now=now)
    assert order is not None
    seen = evidence or found(claim)
    decision = decide(seen.measures, order.policy, attempt=order.attempt, standing=order.standing)
    runs.finish(session, order, seen, decision, seconds=6.4, now=now + timedelta(seconds=7))
    return case


def send(session: Session, case: Case, seed: int) -> None:
    """The two photos of a case."""
    for kind, data, size in (
        (PhotoKind.DOCUMENT, page(seed), (1250, 880)),
        (PhotoKind.SELFIE, face(seed * 3 + 2, 900, 1200), (900, 1200)),
    ):
        quality = Quality(sharpness=280.0, brightness=0.5, not_dark=0.95, not_glare=0.98, width=size[0], height=size[1])
        intake.attach_photo(session, case.id, kind, data, quality, now=case.opened_at)


@lru_cache(maxsize=64)
def face(seed: int, width: int, height: int) -> bytes:
    """A drawn head of nobody, as JPEG."""
    return _jpeg(_head(seed, width, height))


def _head(seed: int, width: int, height: int) -> Image.Image:
    chance = np.random.default_rng(seed // 3)
    light = np.random.default_rng(seed)
    top = light.integers(150, 225, 3)
    rows = np.linspace(0, 1, height)[:, None, None]
    back = (top[None, None] * (1 - rows) + (top - 60)[None, None] * rows + np.zeros((height, width, 3))).astype(np.uint8)
    image = Image.fromarray(back)
    draw = ImageDraw.Draw(image)
    skin = tuple(int(v) for v in chance.choice([(231, 196, 170), (214, 170, 140), (180, 132, 100), (240, 208, 186)]))
    hair = tuple(int(v) for v in chance.choice([(60, 42, 30), (30, 26, 26), (128, 90, 50), (92, 60, 40)]))
    coat = tuple(int(v) for v in light.integers(40, 140, 3))
    x, y, w, h = width / 2, height * 0.45, width * 0.25, height * 0.26
    draw.ellipse((x - w * 1.25, y - h * 1.4, x + w * 1.25, y + h * 1.5), fill=hair)
    draw.rounded_rectangle((x - w * 1.9, y + h * 1.25, x + w * 1.9, height * 1.2), radius=int(w), fill=coat)
    draw.rectangle((x - w * 0.42, y + h * 0.6, x + w * 0.42, y + h * 1.5), fill=tuple(int(c * 0.92) for c in skin))
    draw.ellipse((x - w, y - h, x + w, y + h), fill=skin)
    draw.chord((x - w * 1.05, y - h * 1.15, x + w * 1.05, y + h * 0.2), 190, 350, fill=hair)
    for side in (-1, 1):
        ex, ey = x + side * w * 0.42, y - h * 0.02
        draw.ellipse((ex - w * 0.17, ey - h * 0.07, ex + w * 0.17, ey + h * 0.07), fill=(250, 250, 248))
        draw.ellipse((ex - w * 0.07, ey - h * 0.07, ex + w * 0.07, ey + h * 0.07), fill=(50, 60, 60))
        draw.arc((ex - w * 0.24, ey - h * 0.22, ex + w * 0.24, ey + h * 0.1), 200, 340, fill=hair, width=max(2, int(w * 0.05)))
    draw.line(
        (x, y + h * 0.02, x - w * 0.1, y + h * 0.32, x + w * 0.08, y + h * 0.34),
        fill=tuple(int(c * 0.8) for c in skin),
        width=max(2, int(w * 0.04)),
    )
    draw.chord((x - w * 0.35, y + h * 0.38, x + w * 0.35, y + h * 0.68), 10, 170, fill=(178, 92, 88))
    return image.filter(ImageFilter.GaussianBlur(max(width / 500, 0.6)))


@lru_cache(maxsize=64)
def page(seed: int) -> bytes:
    """A drawn data page of nobody, as JPEG: frame, portrait, printed lines and a zone."""
    image = Image.new("RGB", (1250, 880), (206, 196, 182))
    draw = ImageDraw.Draw(image)
    for y in range(0, 880, 7):
        draw.line((0, y, 1250, y + 20), fill=(214, 190, 186))
    image.paste(_head(seed * 3, 300, 390), (70, 150))
    font, zone = ImageFont.load_default(30), ImageFont.load_default(34)
    for at, line in enumerate(("SPECIMEN OF NOBODY", "PRIMERNOYA", "MARIYA", "OBRAZTSOVNA", "F   03.02.1990", "G. OBRAZETS")):
        draw.text((470, 120 + at * 80), line, font=font, fill=(40, 34, 60))
    for at, line in enumerate(("PNRUSPRIMERNO8<<MARI8<OBRAZCOVNA<<<<<<<<<<<<", "4514654321RUS9002038F<<<<<<<2240405770001<10")):
        draw.text((60, 740 + at * 56), line, font=zone, fill=(20, 20, 20))
    return _jpeg(image.filter(ImageFilter.GaussianBlur(0.6)))


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


def hide_opinion(office: Office) -> None:
    """From now on a policy holds by which agents answer before they see what the machine found."""
    with office.db.transaction() as db:
        by = factories.a_member(db, Role.OPS, now=office.clock())
        factories.proposed(db, replace(policies.current(db), hide_opinion=True), by=by, now=office.clock())
