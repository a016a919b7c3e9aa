"""Cases of many kinds, as an agent may meet them: for the case page's tests, and for people who look at its screens."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases import answers, conversations, customers, intake, retention, review, runs
from cases.models import Case, FaceEncoding, Role, Staff
from tests import factories
from tests.webapp.staff_fixtures import CLAIM, PROFILE, Office, a_case, face, found, page, send
from verification.calibration import shipped
from verification.challenge import Sign
from verification.decision import decide
from verification.evidence import (
    Box,
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
    Liveness,
    Measures,
    MrzReading,
    Pair,
    PairMeasures,
    Profile,
    Quality,
    Source,
)
from verification.hints import Hint
from verification.reasons import PhotoKind, ReasonCode

RATED = (*shipped().engines, shipped().label)
"""Engines of a run whose scores the shipped calibration tells the percentage of, as it does for real ones."""


def numbered(seed: int) -> Claim:
    """The usual claim with a document number of its own."""
    return replace(CLAIM, values={**CLAIM.values, Field.DOCUMENT_NUMBER: f"45246543{seed:02d}"})


def told(value: str, box: Box | None = None, *, source: Source = Source.VIZ) -> FieldReading:
    """One part's own reading; its letters evenly over its box."""
    x, y, w, h = box or (470, 120, 300, 30)
    step = w / max(len(value), 1)
    letters: tuple[Box | None, ...] = tuple(
        None if c == " " else (round(x + at * step), y, round(step), h) for at, c in enumerate(value)
    )
    return FieldReading(value=value, confidence=0.9, certain=False, source=source, box=(x, y, w, h), letters=letters)


def apart(evidence: Evidence, *, printed: dict[Field, FieldReading], zone: dict[Field, FieldReading]) -> Evidence:
    """The same evidence with what page and zone say for themselves."""
    return replace(evidence, reading=replace(evidence.reading, printed=printed, zone=zone))


def one_letter(seed: int = 1) -> Evidence:
    """A Russian passport: the surname differs by one letter on the page and in the zone, which say the same."""
    number = numbered(seed).values[Field.DOCUMENT_NUMBER]
    return apart(
        found(numbered(seed), engines=RATED),
        printed={
            Field.SURNAME: told("ПРИМЕРНОЯ", (470, 203, 185, 26)),
            Field.GIVEN_NAMES: told("МАРИЯ", (470, 283, 110, 26)),
            Field.PATRONYMIC: told("ОБРАЗЦОВНА", (470, 363, 210, 26)),
            Field.SEX: told("F", (470, 443, 18, 26)),
            Field.DATE_OF_BIRTH: told("1990-02-03", (540, 443, 160, 26)),
            Field.DOCUMENT_NUMBER: told(number, (470, 123, 320, 26)),
            Field.ISSUED_ON: told("2024-04-05", (470, 523, 190, 26)),
            Field.ISSUER_CODE: told("770-001", (470, 523, 190, 26)),
        },
        zone={
            Field.SURNAME: told("ПРИМЕРНОЯ", (160, 742, 210, 30), source=Source.MRZ),
            Field.GIVEN_NAMES: told("МАРИЯ", (400, 742, 120, 30), source=Source.MRZ),
            Field.PATRONYMIC: told("ОБРАЗЦОВНА", (530, 742, 220, 30), source=Source.MRZ),
            Field.DOCUMENT_NUMBER: told(number, (60, 798, 210, 30), source=Source.MRZ),
            Field.DATE_OF_BIRTH: told("1990-02-03", (330, 798, 140, 30), source=Source.MRZ),
            Field.SEX: told("F", (470, 798, 20, 30), source=Source.MRZ),
        },
    )


LATIN = Profile(
    values={
        Field.SURNAME: "SHCHERBAKOVA-TESTOVA",
        Field.GIVEN_NAMES: "MARIIA ELVIRA",
        Field.DATE_OF_BIRTH: "1990-02-03",
        Field.SEX: "F",
        Field.DOCUMENT_NUMBER: "N10O4477",
        Field.EXPIRES_ON: "2026-12-01",
        Field.NATIONALITY: "KAZ",
        Field.PLACE_OF_BIRTH: "ALMATY",
    }
)
NEW_PASSPORT = Claim(
    reason=ChangeReason.NEW_PASSPORT,
    values={Field.DOCUMENT_NUMBER: "N2O456789", Field.ISSUED_ON: "2026-05-06", Field.EXPIRES_ON: "2036-05-05"},
)


def new_passport() -> Evidence:
    """A new passport: O and 0 confused in its number, whose check digit does not hold; all else is as on file."""
    number = FieldComparison(
        claimed="N2O456789", read="N20456789", agreement=0.889,
        differences=(Difference(claimed="O", read="0", claimed_at=2, read_at=2),),
    )  # fmt: skip
    read = {
        Field.SURNAME: "SHCHERBAKOVA TESTOVA",
        Field.GIVEN_NAMES: "MARIIA ELVIRA",
        Field.DATE_OF_BIRTH: "1990-02-03",
        Field.SEX: "F",
        Field.DOCUMENT_NUMBER: "N20456789",
        Field.ISSUED_ON: "2026-05-06",
        Field.EXPIRES_ON: "2036-05-05",
        Field.NATIONALITY: "KAZ",
        Field.PLACE_OF_BIRTH: "ALMATY",
        Field.ISSUER: "MINISTRY OF INTERNAL AFFAIRS",
    }
    in_zone = [f for f in read if f not in (Field.ISSUED_ON, Field.PLACE_OF_BIRTH, Field.ISSUER)]
    equal = {f: FieldComparison(claimed=read[f], read=read[f], agreement=1.0, rule="exact") for f in NEW_PASSPORT.values}
    compared = {**equal, Field.DOCUMENT_NUMBER: number}
    base = found(NEW_PASSPORT, LATIN, engines=RATED)
    measures = replace(
        base.measures,
        document_type=DocumentType.TD3, country="KAZ", mrz_valid=False, days_to_expiry=3450, never_expires=False,
        agreement={f: c.agreement for f, c in compared.items()}, confidence=dict.fromkeys(compared, 0.93),
        certain={f: f is not Field.DOCUMENT_NUMBER for f in compared}, changes=tuple(compared), change_letters={},
        unchanged={Field.DATE_OF_BIRTH: 1.0, Field.SEX: 1.0, Field.SURNAME: 1.0, Field.GIVEN_NAMES: 1.0},
    )  # fmt: skip
    reading = DocumentReading(
        document_type=DocumentType.TD3,
        country="KAZ",
        mrz=MrzReading(
            lines=("P<KAZSHCHERBAKOVA<TESTOVA<<MARIIA<ELVIRA<<<<", "N204567891KAZ9002038F3605053<<<<<<<<<<<<<<02"),
            valid=False,
            checks={"document_number": False, "date_of_birth": True, "expires_on": True, "composite": False},
        ),
        fields={
            f: FieldReading(value=v, confidence=0.93, certain=f is not Field.DOCUMENT_NUMBER, source=Source.BOTH)
            for f, v in read.items()
        },
        portrait=(70, 150, 300, 390),
        printed={
            f: told(v if f is not Field.SURNAME else "SHCHERBAKOVA-TESTOVA", (470, 123 + 62 * at, 24 * len(v), 26))
            for at, (f, v) in enumerate(read.items())
        },
        zone={f: told(read[f], (60 + 40 * at, 742, 240, 30), source=Source.MRZ) for at, f in enumerate(in_zone)},
    )
    return Evidence(reading=reading, faces=base.faces, comparisons=compared, measures=measures)


def nothing_read() -> Evidence:
    """Neither face nor passport could be read."""
    measures = Measures(
        reason=CLAIM.reason, document_type=None, country=None, mrz_valid=None, days_to_expiry=None, changes=tuple(CLAIM.values),
        has_profile=True, problems=(ReasonCode.NO_DOCUMENT_FOUND, ReasonCode.NO_FACE_IN_SELFIE, ReasonCode.DOCUMENT_GLARE),
        unread=(Field.DATE_OF_BIRTH, Field.SURNAME, Field.GIVEN_NAMES), engines=("acted 1",),
    )  # fmt: skip
    compared = {f: FieldComparison(claimed=v, read=None, agreement=0.0) for f, v in CLAIM.values.items()}
    return Evidence(reading=DocumentReading(), faces=FaceReading(), comparisons=compared, measures=measures)


def doubted(seed: int = 5) -> Evidence:
    """Hints, a bad turn of the head, another face on the document, page and zone that differ in two letters."""
    base = one_letter(seed)
    pairs = {
        **base.measures.pairs,
        Pair.SELFIE_DOCUMENT: PairMeasures(similarity=1.4, fmr=0.031, sface=0.1, dlib=0.3, voices_agree=False),
    }
    shown = Liveness(frames=6, turned=0.5, depth=0.01, same_face=3.1, timely=True, signs=(Sign.CAMERA_VIRTUAL.value,))
    measures = replace(
        base.measures, pairs=pairs, hints=(Hint.SEEN_ON_SCREEN, Hint.WITHOUT_COLOUR), liveness=shown, portrait_years=17.4,
        problems=(ReasonCode.ZONES_DISAGREE, ReasonCode.DOCUMENT_GLARE),
    )  # fmt: skip
    zone = {**base.reading.zone, Field.GIVEN_NAMES: told("МАРИНА", (400, 742, 130, 30), source=Source.MRZ)}
    return apart(replace(base, measures=measures), printed=base.reading.printed, zone=zone)


def by_eye() -> Evidence:
    """As `one_letter`, and no machine compared a face."""
    seen = one_letter(4)
    return replace(seen, measures=replace(seen.measures, pairs={}, has_face_on_file=False))


@dataclass(kw_only=True)
class Scene:
    """What stands on the desk: cases by name, the e-mail of who may look, who looks at which, which are taken first."""

    people: dict[str, str]
    cases: dict[str, UUID]
    shows: dict[str, str] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)


def refer(
    session: Session, evidence: Evidence, claim: Claim, profile: Profile, *, now: datetime, seed: int, **about: Any
) -> Case:
    """As `a_case`, of a customer with another profile, e-mail, face on file or switch."""
    customer = customers.upsert(session, f"host-{seed}-{now:%H%M}", profile, email="old@example.test", locale="ru", now=now)
    customer.by_eye = about.get("by_eye", False)
    if about.get("on_file", True):
        picture = face(seed * 3 + 1, 600, 750)
        customers.set_face_on_file(session, customer, picture, quality=Quality(width=600, height=750), now=now)
    case = intake.open_case(
        session, customer, claim, country=about.get("country", "KAZ"), new_email=about.get("new_email"), locale="ru", now=now
    )
    send(session, case, seed)
    order = runs.begin(session, intake.submit(session, case.id, consent_version=factories.CONSENT, now=now).id, now=now)
    assert order is not None
    decision = decide(evidence.measures, order.policy, attempt=order.attempt, standing=order.standing)
    runs.finish(session, order, evidence, decision, seconds=6.4, now=now + timedelta(seconds=7))
    return case


def answer(office: Office, case_id: UUID, email: str, action: str, *, note: str, now: datetime, **more: Any) -> None:
    """Somebody takes the case and answers it, and the time to take it back goes by."""
    with office.db.transaction() as db:
        agent = db.scalars(select(Staff).where(Staff.email == email)).one()
        case = review.take(db, case_id, agent=agent, now=now)
        checked = frozenset(review.rows_to_check(db, case))
        given = review.Disposal(action=action, seen_version=case.version, note=note, checked=checked, **more)
        answers.give(db, case_id, given, agent=agent, now=now)
    answers.carry_out_due(office.db, now=now + timedelta(minutes=1))


def furnish(office: Office) -> Scene:
    """Cases of all the kinds that the page has to show well."""
    now = office.clock()
    people = {
        "agent": office.member(Role.AGENT, name="Ada Agent"),
        "other": office.member(Role.AGENT, name="Ben Second"),
        "senior": office.member(Role.SENIOR_AGENT, name="Sue Senior"),
        "auditor": office.member(Role.AUDITOR, name="Aud It"),
    }
    cases: dict[str, UUID] = {}
    with office.db.transaction() as db:
        cases["letter"] = a_case(db, now=now - timedelta(hours=20), seed=1, claim=numbered(1), evidence=one_letter(1)).id
        cases["passport"] = refer(db, new_passport(), NEW_PASSPORT, LATIN, now=now - timedelta(hours=3), seed=2).id
        cases["nothing"] = refer(
            db, nothing_read(), numbered(3), PROFILE, now=now - timedelta(hours=5), seed=3, country="RUS", on_file=False
        ).id
        cases["eye"] = refer(
            db, by_eye(), numbered(4), PROFILE,
            now=now - timedelta(hours=6), seed=4, country="RUS", by_eye=True, on_file=False,
        ).id  # fmt: skip
        cases["doubted"] = _doubted(db, now)
        cases["second"] = refer(
            db,
            doubted(6),
            numbered(6),
            PROFILE,
            now=now - timedelta(hours=7),
            seed=6,
            country="RUS",
            new_email="new@example.test",
        ).id
        cases["dispute"] = a_case(db, now=now - timedelta(days=2), seed=7, claim=numbered(7), evidence=one_letter(7)).id
        cases["shredded"] = a_case(db, now=now - timedelta(days=60), seed=8, claim=numbered(8), evidence=one_letter(8)).id
        cases["held"] = a_case(db, now=now - timedelta(minutes=50), seed=9, claim=numbered(9), evidence=one_letter(9)).id
        other = db.scalars(select(Staff).where(Staff.email == people["other"])).one()
        review.take(db, cases["held"], agent=other, now=now)
    answer(office, cases["second"], people["other"], "approve", note="SEEN-BY-THE-FIRST", now=now - timedelta(hours=2))
    answer(office, cases["dispute"], people["other"], "approve", note="Letter checked.", now=now - timedelta(days=1))
    answer(
        office, cases["shredded"], people["other"], "reject", note="Not hers.", now=now - timedelta(days=59),
        reasons=(ReasonCode.SURNAME_DIFFERS,),
    )  # fmt: skip
    with office.db.transaction() as db:
        disputed = db.get_one(Case, cases["dispute"])
        token = customers.make_link(db, "not_me", disputed.customer, case=disputed, lifetime=timedelta(days=1), now=now)
        customers.report_not_me(db, customers.redeem_link(db, token, "not_me", now=now), now=now - timedelta(minutes=30))
        retention.shred_due(db, now=now)
    return Scene(
        people=people,
        cases=cases,
        shows={
            "letter": "agent", "passport": "agent", "nothing": "agent", "eye": "agent", "doubted": "agent", "second": "agent",
            "held": "senior", "shredded": "senior", "dispute": "senior",
        },
        taken=frozenset({"letter", "passport", "nothing", "eye", "doubted", "second", "dispute"}),
        keys={"passport": ("a",), "doubted": ("x",), "nothing": ("t",)},
    )  # fmt: skip


def _doubted(db: Session, now: datetime) -> UUID:
    """Everything that can be said against a case, and a customer who was here before."""
    before = a_case(db, now=now - timedelta(days=40), seed=5, claim=numbered(5), evidence=one_letter(5))
    intake.withdraw(db, before.id, now=now - timedelta(days=39))
    twin = a_case(db, now=now - timedelta(days=12), seed=55, claim=numbered(55), evidence=one_letter(55))
    intake.withdraw(db, twin.id, now=now - timedelta(days=11))
    case = intake.open_case(
        db, before.customer, numbered(55), country="RUS", new_email=None, locale="ru", now=now - timedelta(hours=4)
    )
    quality = Quality(sharpness=280.0, brightness=0.5, not_dark=0.95, not_glare=0.98, width=1250, height=880)
    intake.attach_photo(db, case.id, PhotoKind.DOCUMENT, page(55), quality, now=case.opened_at)
    intake.attach_photo(
        db, case.id, PhotoKind.SELFIE, face(17, 900, 1200), replace(quality, width=900, height=1200), now=case.opened_at
    )
    at = now - timedelta(hours=4)
    order = runs.begin(db, intake.submit(db, case.id, consent_version=factories.CONSENT, now=at).id, now=at)
    assert order is not None
    seen = doubted(55)
    runs.finish(db, order, seen, decide(seen.measures, order.policy, attempt=1, standing=order.standing), seconds=9.1, now=at)
    likeness = {
        "case_id": str(twin.id), "customer_id": str(twin.customer_id), "similarity": 9.0, "fmr": 2e-5, "expected": 0.04,
    }  # fmt: skip
    db.add(
        FaceEncoding(
            case_id=case.id, customer_id=case.customer_id, data_key_id=case.data_key_id, code_sealed=b"sealed",
            candidates=[likeness], searched=2000, created_at=now, searched_at=now,
        )
    )  # fmt: skip
    conversations.write(db, case.id, uuid4(), text="I sent everything on Friday. Is anything missing?", now=at)
    return case.id
