"""Every screen of the portal, as data: whose it is, where it is, what is posted to it, and how it answers.

Used by the tests of status and language, by axe and by the pictures (tests/.shots/).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from cases import audit, conversations, customers, device_links, intake, profiles, retention, review, runs, staff
from cases.models import Case, Customer, Role
from verification.decision import Decision, Outcome
from verification.evidence import (
    ChangeReason,
    Difference,
    DocumentReading,
    DocumentType,
    Evidence,
    FaceReading,
    Field,
    FieldComparison,
    FieldReading,
    Measures,
    Source,
)  # fmt: skip
from verification.reasons import PhotoKind, ReasonCode

CONSENT = "2026-11d"


@dataclass(frozen=True, kw_only=True)
class Screen:
    """One page. `post` fills a form and sends it; `files` are names of drawn pictures for the photo input."""

    name: str
    who: UUID | None
    address: str
    status: int = 200
    post: dict[str, str] | None = None
    picture: dict[str, Any] | None = None
    before: tuple[dict[str, Any], ...] = field(default=())  # uploads sent first, so that the page has a past


def evidence(comparisons: dict[Field, FieldComparison] | None = None) -> Evidence:
    """What a run might have found; enough for the pages that show readings."""
    compared = comparisons or {}
    return Evidence(
        reading=DocumentReading(
            document_type=DocumentType.RU_INTERNAL,
            country="RUS",
            fields={f: _line(c.read, at) for at, (f, c) in enumerate(compared.items()) if c.read},
        ),
        faces=FaceReading(),
        comparisons=compared,
        measures=Measures(
            reason=ChangeReason.MARRIAGE,
            document_type=DocumentType.RU_INTERNAL,
            country="RUS",
            mrz_valid=True,
            days_to_expiry=None,
        ),
    )


def _line(text: str, at: int) -> FieldReading:
    """A line as it might stand on the drawn photo, letter beside letter."""
    boxes = tuple((200 + 40 * n, 300 + 60 * at, 34, 48) for n in range(len(text)))
    box = (200, 300 + 60 * at, 40 * len(text) - 6, 48)
    return FieldReading(value=text, confidence=0.99, certain=True, source=Source.VIZ, box=box, letters=boxes)


LETTER = {
    Field.SURNAME: FieldComparison(
        claimed="ПЕТРОВА",
        read="ПЕТРОВЙ",
        agreement=0.86,
        differences=(Difference(claimed="А", read="Й", claimed_at=6, read_at=6),),
    )
}


TRAVEL = {
    Field.SURNAME_NATIVE: "ЩЕРБАКОВА",
    Field.SURNAME: "SHCHERBAKOVA",
    Field.DOCUMENT_NUMBER: "711234567",
    Field.EXPIRES_ON: "2030-02-01",
}
"""A claim with a passport that prints names in two scripts."""


def decided(
    portal: Any,
    case_id: UUID,
    outcome: Outcome,
    reasons: tuple[ReasonCode, ...] = (),
    retake: tuple[PhotoKind, ...] = (),
    comparisons: dict[Field, FieldComparison] | None = None,
) -> None:
    """Send the case and let a run end as stated."""
    with portal.db.transaction() as session:
        intake.submit(session, case_id, consent_version=CONSENT, now=portal.clock())
    with portal.db.transaction() as session:
        order = runs.begin(session, case_id, now=portal.clock())
    decision = Decision(outcome=outcome, reasons=reasons, retake=frozenset(retake), policy_version=1)
    with portal.db.transaction() as session:
        runs.finish(session, order, evidence(comparisons), decision, seconds=1.0, now=portal.clock())


def agent(session: Any, now: Any) -> Any:
    """A support agent."""
    return staff.create(session, email="agent@peremena.test", name="Agent", password_hash=None, roles=[Role.AGENT], now=now)


def rejected(portal: Any, case_id: UUID) -> None:
    """A person refuses what the machine referred."""
    decided(
        portal, case_id, Outcome.REFER, (ReasonCode.SURNAME_DIFFERS, ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER), comparisons=LETTER
    )
    with portal.db.transaction() as session:
        person = agent(session, portal.clock())
        case = review.take(session, case_id, agent=person, now=portal.clock())
        answer = review.Disposal(
            action="reject",
            reasons=(ReasonCode.SURNAME_DIFFERS, ReasonCode.SELFIE_DOCUMENT_FACES_DIFFER),
            retake=frozenset(),
            note="n",
            seen_version=case.version,
        )
        review.dispose(session, case_id, answer, agent=person, now=portal.clock())


def link(portal: Any, purpose: str, customer_id: UUID, case_id: UUID | None = None) -> str:
    """A token as a mail would carry it."""
    with portal.db.transaction() as session:
        case = session.get(Case, case_id) if case_id else None
        return customers.make_link(
            session, purpose, session.get_one(Customer, customer_id), case=case, lifetime=timedelta(days=1), now=portal.clock()
        )


def screens(portal: Any, picture: Callable[..., bytes]) -> list[Screen]:
    """Bring people into every state and return all screens they see."""
    out: list[Screen] = []

    def add(name: str, who: UUID | None, address: str, **more: Any) -> None:
        out.append(Screen(name=name, who=who, address=address, **more))

    fresh = portal.customer("fresh")
    add("start", fresh, "/")
    add("reason", fresh, "/request/reason")
    add("reason-problems", fresh, "/request/reason", post={}, status=422)
    add("not-found", fresh, "/nowhere", status=404)

    asked = portal.customer("asked")
    draft = portal.draft(asked, photos=False)
    add("details", asked, f"/requests/{draft}/details")
    add(
        "details-problems",
        asked,
        f"/requests/{draft}/details",
        status=422,
        post={
            "surname": "Петpова",
            "document_number": "12",
            "issued_on_day": "31",
            "issued_on_month": "2",
            "issued_on_year": "2026",
        },
    )
    add("document", asked, f"/requests/{draft}/photos/document")
    blurred, dark = picture("document", blur=True), picture("document", dark=True)
    add("document-problems", asked, f"/requests/{draft}/photos/document", picture={"data": blurred}, status=422)
    add(
        "document-anyway",
        asked,
        f"/requests/{draft}/photos/document",
        picture={"data": dark},
        before=({"data": blurred}, {"data": blurred}),
        status=422,
    )
    add("selfie", asked, f"/requests/{draft}/photos/selfie")
    add("turn", asked, f"/requests/{draft}/turn")
    add("person", asked, f"/requests/{draft}/person")
    add("withdraw", asked, f"/requests/{draft}/withdraw")

    odd = {"document_number": "45 24 654321", "issued_on_day": "1", "issued_on_month": "6", "issued_on_year": "2008"}
    add("details-asks", asked, f"/requests/{draft}/details", post={"surname": "Петрова", **odd}, status=422)

    travels = portal.customer("travels")
    abroad = portal.draft(travels, values=TRAVEL, photos=False)
    add("details-two-scripts", travels, f"/requests/{abroad}/details")
    add("details-looks", travels, f"/requests/{abroad}/details", post={"surname": ""}, status=422)

    full = portal.customer("full")
    ready = portal.draft(full)
    add("check", full, f"/requests/{ready}/check")
    add("check-problems", full, f"/requests/{ready}/check", post={}, status=422)

    waits = portal.customer("waits")
    waiting = portal.draft(waits)
    with portal.db.transaction() as session:
        intake.submit(session, waiting, consent_version=CONSENT, now=portal.clock())
    add("checking", waits, f"/requests/{waiting}")

    changed = portal.customer("changed")
    done = portal.draft(changed)
    decided(portal, done, Outcome.APPROVE)
    add("changed", changed, f"/requests/{done}")
    add("start-again", changed, "/")
    add("my-data", changed, "/my-data")
    add("my-copy", changed, "/my-data/copy")
    add("my-looks", changed, "/my-data/looks")
    add("agreement", changed, f"/requests/{done}/agreement")
    add("delete", changed, "/my-data/delete")
    add("rate", changed, f"/requests/{done}/rating")
    add("my-data-empty", fresh, "/my-data")
    add("delete-nothing", fresh, "/my-data/delete")

    undone = portal.customer("undone")
    former = portal.draft(undone)
    decided(portal, former, Outcome.APPROVE)
    with portal.db.transaction() as session:
        lead = staff.create(
            session,
            email="senior@peremena.test",
            name="Senior",
            password_hash=None,
            roles=[Role.SENIOR_AGENT],
            now=portal.clock(),
        )
        profiles.revert(session, former, actor=audit.Actor.staff(lead), reason="Not hers.", now=portal.clock())
    add("reverted", undone, f"/requests/{former}")

    retakes = portal.customer("retakes")
    again = portal.draft(retakes)
    decided(portal, again, Outcome.RETAKE, (ReasonCode.DOCUMENT_GLARE, ReasonCode.SURNAME_DIFFERS), (PhotoKind.DOCUMENT,), LETTER)
    add("retake", retakes, f"/requests/{again}")
    add("retake-photo", retakes, f"/requests/{again}/photos/document")

    referred = portal.customer("referred")
    desk = portal.draft(referred)
    decided(portal, desk, Outcome.REFER, (ReasonCode.SURNAME_DIFFERS, ReasonCode.SELFIE_ON_FILE_FACES_DIFFER), comparisons=LETTER)
    add("in-review", referred, f"/requests/{desk}")
    add("messages", referred, f"/requests/{desk}/messages")
    add("messages-problem", referred, f"/requests/{desk}/messages", post={}, status=422)

    talks = portal.customer("talks")
    spoken = portal.draft(talks)
    decided(portal, spoken, Outcome.REFER, (ReasonCode.SURNAME_DIFFERS,))
    with portal.db.transaction() as session:
        helper = staff.create(
            session, email="helper@peremena.test", name="Helper", password_hash=None, roles=[Role.AGENT], now=portal.clock()
        )
        review.take(session, spoken, agent=helper, now=portal.clock())
        for words, writer in (("4524654321", None), ("4524 654321?", helper), ("4524 654321!", None)):
            portal.clock.forward(minutes=1)
            conversations.write(session, spoken, uuid4(), text=words, agent=writer, now=portal.clock())
        sent = picture("document")
        conversations.write(session, spoken, uuid4(), text="", photo=sent, agent=helper, now=portal.clock())
    add("in-review-talk", talks, f"/requests/{spoken}")
    add("messages-talk", talks, f"/requests/{spoken}/messages")

    late = portal.customer("late")
    today, portal.clock.at = portal.clock.at, portal.clock.at - timedelta(days=60)
    forgotten = portal.draft(late)
    portal.clock.at = today
    with portal.db.transaction() as session:
        retention.expire_drafts(session, now=portal.clock())
    add("expired", late, f"/requests/{forgotten}")

    refused = portal.customer("refused")
    no = portal.draft(refused)
    rejected(portal, no)
    add("not-changed", refused, f"/requests/{no}")

    gone = portal.customer("gone")
    back = portal.draft(gone)
    with portal.db.transaction() as session:
        intake.withdraw(session, back, now=portal.clock())
    add("withdrawn", gone, f"/requests/{back}")

    with portal.db.transaction() as session:
        device = device_links.Device(browser="chrome", system="windows")
        token, _link = device_links.make(session, draft, device=device, now=portal.clock())
    add("phone", asked, f"/requests/{draft}/phone")
    add("phone-link", None, f"/phone/{token}")
    add("phone-gone", None, "/phone/gone?why=wrong_number")

    add("door", None, "/sign-in")
    add("enter", None, f"/enter/{link(portal, 'hand_over', fresh)}")
    add("not-me", None, f"/not-me/{link(portal, 'not_me', changed, done)}")
    add("case-link", None, f"/links/{link(portal, 'case', referred, desk)}")
    return out
