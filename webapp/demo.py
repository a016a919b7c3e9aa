"""The demo's people and their requests, for `flask seed` with MODE=demo. Nothing here decides: real workers do.

Papers and photos are drawn (tests/specimens) at the first start; where those are not installed, as in the production
image, the demo has staff but no customers.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import select

from cases import customers, intake
from cases.database import Database
from cases.models import Case, Customer
from verification import images
from verification.evidence import Claim, Field, Profile
from verification.reasons import PhotoKind
from workers.queues import RingFailed, ring_verify

if TYPE_CHECKING:
    from tests.specimens.people import Persona

DEMO_PREFIX = "demo-"
"""External ids of personas begin like this; nobody else may be played."""

CONSENT_VERSION = "demo"
"""Nobody agreed to anything here, and the audit trail shall not say so."""

PHOTOS = "demo-photos"
"""Folder in DATA_DIR with photos for whoever plays the person who has not asked for anything yet."""

FRESH = "fresh_marriage"


def seed_customers(db: Database, *, now: datetime) -> tuple[int, int]:
    """Add those who are not there yet, and send the request of each. Returns how many were added and sent.

    Raises ImportError where the specimens are not installed.
    """
    from tests.specimens.people import DEMO, personas

    everyone = personas(now.date())
    added = sent = 0
    fresh = everyone[DEMO[0]]
    if _missing(db, FRESH):
        _add(db, FRESH, fresh, now=now)
        _write_photos(Path(db.settings.data_dir) / PHOTOS, fresh)
        added += 1
    for key in DEMO:
        persona = everyone[key]
        if _missing(db, key):
            _add(db, key, persona, now=now)
            added += 1
        if case_id := _send(db, key, persona, now=now):
            sent += 1
            try:
                ring_verify(case_id)
            except RingFailed:
                pass  # upkeep rings for every case that waits
    return added, sent


def typed(data_dir: Path) -> dict[Field, str]:
    """What the fresh person would type, for the demo's door."""
    file = Path(data_dir) / PHOTOS / "typed.txt"
    if not file.exists():
        return {}
    return {Field(name): value for name, value in (line.split("\t", 1) for line in file.read_text().splitlines() if "\t" in line)}


def _missing(db: Database, key: str) -> bool:
    with db.reading() as session:
        return session.scalar(select(Customer.id).where(Customer.external_id == DEMO_PREFIX + key)) is None


def _add(db: Database, key: str, persona: Persona, *, now: datetime) -> None:
    """The account as the lender would hand it over: details, address, face on file."""
    jpeg, quality = images.measure_file(images.encode_jpeg(persona.on_file_photo()), PhotoKind.ON_FILE)
    profile = Profile.from_json(persona.profile)
    with db.transaction() as session:
        customer = customers.upsert(
            session, DEMO_PREFIX + key, profile, email=f"{key.replace('_', '.')}@demo.test", locale="ru", now=now
        )
        customers.set_face_on_file(session, customer, jpeg, quality=quality, now=now)


def _send(db: Database, key: str, persona: Persona, *, now: datetime) -> UUID | None:
    """Open and submit the persona's request, unless there was one before."""
    with db.reading() as session:
        customer_id = session.scalar(select(Customer.id).where(Customer.external_id == DEMO_PREFIX + key))
        if session.scalar(select(Case.id).where(Case.customer_id == customer_id).limit(1)) is not None:
            return None
    photos = {PhotoKind.DOCUMENT: persona.document_photo(), PhotoKind.SELFIE: persona.selfie_photo()}
    clean = {kind: images.measure_file(images.encode_jpeg(pixels), kind) for kind, pixels in photos.items()}
    with db.transaction() as session:
        customer = session.get_one(Customer, customer_id)
        claim = Claim.from_json(persona.claim)
        case = intake.open_case(session, customer, claim, country=persona.country, locale="ru", now=now)
        for kind, (jpeg, quality) in clean.items():
            intake.attach_photo(session, case.id, kind, jpeg, quality, now=now)
        intake.submit(session, case.id, consent_version=CONSENT_VERSION, now=now)
        return case.id


def _write_photos(folder: Path, persona: Persona) -> None:
    """Photos and words for playing the fresh person by hand."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, pixels in (("passport.jpg", persona.document_photo()), ("selfie.jpg", persona.selfie_photo())):
        (folder / name).write_bytes(images.encode_jpeg(pixels))
    paper = persona.paper.values()
    asked = (Field.SURNAME, Field.SURNAME_NATIVE, Field.DOCUMENT_NUMBER, Field.EXPIRES_ON)
    lines = [f"{name.value}\t{paper[name.value]}\n" for name in asked if name.value in paper]
    (folder / "typed.txt").write_text("".join(lines))
