"""Erasing a person: nothing of her is left in any table, blob or file, also in a table that nobody has thought of.

Every table of the metadata is walked. A new one with a way to a customer fails until it stands in `cases.privacy_map`, then
until it is furnished here, and then until nothing of hers can be found in it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import JSON, event, func, select, update
from sqlalchemy.exc import NoResultFound

from cases import (
    audit,
    customer_sessions,
    customers,
    exports,
    head_turns,
    intake,
    moves,
    privacy,
    profiles,
    queries,
    retention,
    tombstones,
    who_looked,
)
from cases.crypto import vault_of
from cases.desk_tables import Presence, ReplyUse, StaffAccount
from cases.host_tables import ApiAnswer, ApiKey, ErasureRow, TicketMessage, Tombstone, WebhookDelivery, WebhookEndpoint
from cases.lifecycle import State
from cases.models import (
    Base,
    Case,
    Customer,
    CustomerSession,
    DataKey,
    DeviceLink,
    Event,
    HeadTurn,
    Link,
    Notification,
    Photo,
    Role,
    Run,
    TurnFrame,
)
from cases.ops_tables import ReplayReport, ReplayWrong, SetAside, Undo, UndoItem
from cases.photo_store import store_of
from cases.privacy_map import PLACES, WHY_KEPT, Fate
from cases.staff import NotAllowed
from tests import factories as a
from tests.cases.test_head_turns import an_answer
from tests.cases.test_retention_everything import WORDS, Sealed, furnish

HOST = audit.HOST
DAY = timedelta(days=1)
OF_HERS = (
    "customers",
    "cases",
    "photos",
    "head_turns",
    "uploads",
    "runs",
    "profile_versions",
    "notifications",
    "messages",
    "papers",
)
"""Tables that a foreign key leads to a customer by."""

NOT_HERS = {"staff_accounts.staff_id", "quality_samples.event_id"}


@dataclass
class Person:
    customer_id: UUID
    external_id: str
    cases: list[UUID]
    texts: set[str]  # that nobody may find afterwards
    blobs: set[str]


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> Sealed:
    return Sealed(monkeypatch)


def somebody(session: Any, now: datetime) -> Person:
    """A person with a row in every table that may hold one of hers, long ago enough that nothing holds her erasure up."""
    case = furnish(session, now)
    vault, customer = vault_of(session), case.customer
    senior = a.a_member(session, Role.SENIOR_AGENT, now=now)
    run = session.scalars(select(Run).where(Run.case_id == case.id)).first()
    turn = session.scalars(select(HeadTurn).where(HeadTurn.case_id == case.id)).one()
    customers.make_link(session, "case", customer, case=case, lifetime=30 * DAY, now=now)
    customer_sessions.begin(session, customer.id, now=now)
    for model in (Link, CustomerSession):
        back = vault.seal(customer.data_key, WORDS.encode(), f"test|{model.__tablename__}")
        session.execute(update(model).where(model.customer_id == customer.id).values(return_sealed=back))
    undo = Undo(
        id=uuid4(), selection={}, reason="A test.", count=1, proposed_by_id=senior.id, proposed_at=now,
        confirmed_by_id=a.a_member(session, Role.LEAD, now=now).id, confirmed_at=now, finished_at=now,
    )  # fmt: skip
    report = ReplayReport(
        id=uuid4(), version=1, against_version=1, since=now - DAY, until=now, runs=1, wrong=1, document={}, by_id=senior.id,
        created_at=now,
    )  # fmt: skip
    key = vault.new_key(session, now=now)
    api, endpoint = _made(ApiKey, key, vault, now), _made(WebhookEndpoint, key, vault, now)
    session.add_all([undo, report, api, endpoint])
    session.flush()
    body = json.dumps({"data": {"external_id": customer.external_id, "case_id": str(case.id)}})
    session.add_all(
        [
            TurnFrame(head_turn_id=turn.id, number=0, sha256="7" * 64),
            SetAside(kind="paper", thing_id=uuid4(), failed_at=now, why="told", by_id=senior.id, at=now),
            DeviceLink(
                id=uuid4(), customer_id=customer.id, case_id=case.id, token_hash=uuid4().hex * 2, browser="chrome",
                system="windows", number=42, offered=[42, 43, 44],
                created_at=now, expires_at=now + DAY, ended_at=now, ended_why="left",
            ),
            Presence(case_id=case.id, staff_id=senior.id, seen_at=now),
            StaffAccount(staff_id=senior.id, customer_id=customer.id, how="said", since=now),
            ReplyUse(
                id=uuid4(), reply="blurred", number=0, locale="ru", changed=False, case_id=case.id, customer_id=customer.id,
                used_at=now, until=now + DAY,
            ),
            ReplayWrong(report_id=report.id, case_id=case.id, run_id=run.id, answer="rejected"),
            UndoItem(
                undo_id=undo.id, case_id=case.id, version_id=customer.profile_version_id, outcome="closed", done_at=now
            ),
            _made(
                ApiAnswer, customer.data_key, vault, now, key_id=api.id, data_key_id=customer.data_key_id, status=200,
                answer_sealed=vault.seal(customer.data_key, WORDS.encode(), "test|answer"),
            ),
            _made(
                WebhookDelivery, case.data_key, vault, now, endpoint_id=endpoint.id, case_id=case.id,
                customer_id=customer.id, body=body,
            ),
            _made(TicketMessage, case.data_key, vault, now, case_id=case.id),
        ]
    )  # fmt: skip
    session.flush()
    photos = session.scalars(select(Photo.sha256).where(Photo.customer_id == customer.id)).all()
    blobs: set[str] = set()
    for table in Base.metadata.sorted_tables:
        if "blob" in table.columns and "customer_id" in table.columns:
            blobs |= set(
                session.scalars(select(table.c.blob).where(table.c.customer_id == customer.id, table.c.blob.is_not(None)))
            )
    texts = {
        one.casefold() for one in (*a.PERSONAL, WORDS, "Not the same person.", *photos, customer.external_id) if len(one) > 3
    }
    texts |= {digit * 64 for digit in "123457"}  # hashes of pictures, as furnished
    ids = list(session.scalars(select(Case.id).where(Case.customer_id == customer.id)))
    return Person(customer.id, customer.external_id, ids, texts, blobs)


CHOSEN = {
    "sink": "web",
    "hint": "abcd",
    "mode": "live",
    "kind": "opened",
    "action": "open",
    "kinds": [],
    "created_by_kind": "system",
}


def _made(model: Any, key: DataKey, vault: Any, now: datetime, **own: Any) -> Any:
    """A row of a table that others own: something for every column that must have a value, by its type."""
    values: dict[str, Any] = {}
    for column in model.__table__.columns:
        if column.name in CHOSEN:
            values[column.name] = CHOSEN[column.name]
        elif column.nullable or column.default is not None or column.server_default is not None:
            continue
        elif column.name == "data_key_id":
            values[column.name] = key.id
        elif column.name.endswith("_sealed"):
            values[column.name] = vault.seal(key, WORDS.encode(), f"test|{column.name}")
        else:
            kind = list if isinstance(column.type, JSON) else column.type.python_type
            values[column.name] = {
                UUID: uuid4(), object: now, int: 1, bool: False, str: f"x{uuid4().hex[:7]}", list: [],
            }[kind]  # fmt: skip
    return model(**{**values, **own})


def cells(session: Any) -> Any:
    """Every value of every row of every table: table, column, value."""
    for table in Base.metadata.sorted_tables:
        for row in session.execute(select(table)).mappings():
            for column in table.columns:
                if row[column.name] is not None:
                    yield table.name, column.name, row[column.name]


def erased(session: Any, person: Person, now: datetime, **more: Any) -> privacy.Erasure:
    told = privacy.erase(session, person.customer_id, actor=HOST, now=now, **{"reason": "wish", **more})
    privacy.finish(session, now=now)
    session.flush()
    session.expire_all()
    return told


def carried_out(session: Any, now: datetime) -> int:
    """How many that were due were carried out."""
    return sum(privacy.carry_out(session, customer_id, now=now) for customer_id in privacy.due(session, now=now))


@pytest.fixture
def later(now, settings) -> datetime:
    """When nothing holds an erasure up any more."""
    return now + settings.photo_days * DAY + DAY


# --- Nothing is left


def leads_to_a_customer(table: Any) -> bool:
    keys = {key.column.table.name for key in table.foreign_keys if f"{table.name}.{key.parent.name}" not in NOT_HERS}
    names = {column.name for column in table.columns}
    return (
        bool(keys & set(OF_HERS)) or bool(names & {"customer_id", "case_id", "external_id", "upload_id"}) or table.name in OF_HERS
    )


def test_every_table_is_on_the_map_and_none_of_hers_is_said_to_be_nobodys():
    assert set(Base.metadata.tables) - set(PLACES) == set(), "add them to cases/privacy_map.py, and erase what is a customer's"
    assert set(PLACES) - set(Base.metadata.tables) == set()
    for table in Base.metadata.sorted_tables:
        if leads_to_a_customer(table):
            assert PLACES[table.name].fate is not Fate.NOBODY, table.name
        if PLACES[table.name].fate is Fate.KEPT:
            assert PLACES[table.name].why in WHY_KEPT, table.name
        if PLACES[table.name].fate is Fate.EMPTIED:
            assert PLACES[table.name].why, table.name


def test_the_person_here_has_a_row_in_every_table_of_hers(session, now, sealed):
    somebody(session, now)
    afterwards = {"erasures", "tombstones"}
    empty = [
        name
        for name, place in PLACES.items()
        if place.fate is not Fate.NOBODY
        and name not in afterwards
        and not session.scalar(select(func.count()).select_from(Base.metadata.tables[name]))
    ]
    assert empty == []
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if column.name.endswith("_sealed") and PLACES[table.name].fate is not Fate.NOBODY:
                count = session.scalar(select(func.count()).select_from(table).where(column.is_not(None)))
                assert count, f"{table.name}.{column.name}"


def test_nothing_of_her_is_found_in_any_table_afterwards(session, now, later, sealed):
    person = somebody(session, now)
    before = {(table, column) for table, column, value in cells(session) if hers(value, person)}
    assert len(before) >= 4, "the walk finds her before"  # her id with the host, hashes of pictures, a webhook's body
    told = erased(session, person, later)
    assert (told.state, told.done_at) == ("done", later)
    assert [(table, column) for table, column, value in cells(session) if hers(value, person)] == []
    for name, place in PLACES.items():
        if place.fate is Fate.ERASED:
            table = Base.metadata.tables[name]
            assert session.scalar(select(func.count()).select_from(table)) == 0, name
    assert session.get_one(Customer, person.customer_id).external_id.startswith(privacy.ERASED)


def hers(value: Any, person: Person) -> bool:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    folded = text.casefold()
    return any(wanted in folded for wanted in person.texts)


def test_nothing_sealed_can_be_opened_with_any_key_neither_what_stands_there_nor_what_did(session, now, later, sealed):
    person = somebody(session, now)
    mine = {value for value, (key_id, _place) in sealed.made.items() if key_id in keys_of(session, person)}
    assert len(mine) > 20 and all(sealed.readable(session, value) for value in mine)
    erased(session, person, later)
    assert [sealed.made[value][1] for value in mine if sealed.readable(session, value)] == []


def keys_of(session: Any, person: Person) -> set[UUID]:
    found: set[UUID] = set(session.scalars(select(Customer.data_key_id).where(Customer.id == person.customer_id)))
    for table in Base.metadata.sorted_tables:
        if {"customer_id", "data_key_id"} <= set(table.columns.keys()):
            found |= set(session.scalars(select(table.c.data_key_id).where(table.c.customer_id == person.customer_id)))
    return found


def test_no_picture_of_hers_is_left_in_the_store(session, now, later, sealed):
    person = somebody(session, now)
    assert person.blobs <= set(dict(store_of(session).names())) and len(person.blobs) >= 6
    erased(session, person, later)
    assert person.blobs & set(dict(store_of(session).names())) == set()
    assert retention.orphans(session, now=later + DAY) == retention.Orphans(blobs=(), photos=())
    row = session.scalars(select(ErasureRow)).one()
    assert row.finished_at == later


def test_mails_that_lie_as_files_go_and_what_was_not_sent_never_is(session, now, later, sealed, settings):
    person = somebody(session, now)
    folder = settings.data_dir / "mail"
    folder.mkdir()
    ids = session.scalars(select(Notification.id).where(Notification.customer_id == person.customer_id)).all()
    for number in ids:
        (folder / f"{number}.eml").write_text(a.OLD_EMAIL)
    (folder / "other.eml").write_text("somebody else's")
    erased(session, person, later)
    assert [file.name for file in folder.iterdir()] == ["other.eml"] and ids
    left = session.scalars(select(Notification)).all()
    assert all(row.given_up_at or row.sent_at for row in left) and not any(row.recipient_sealed for row in left)


def test_nobody_else_loses_anything(session, now, later, sealed):
    other = somebody(session, now)
    person = somebody(session, now)
    counts = {name: session.scalar(select(func.count()).select_from(Base.metadata.tables[name])) for name in PLACES}
    erased(session, person, later)
    for name, place in PLACES.items():
        if place.fate is Fate.ERASED:
            left = session.scalar(select(func.count()).select_from(Base.metadata.tables[name]))
            assert 0 < left < counts[name], name
    assert customers.current_profile(session, session.get_one(Customer, other.customer_id))[1] == a.OLD_EMAIL
    assert other.blobs <= set(dict(store_of(session).names()))
    assert session.get_one(Customer, other.customer_id).external_id == other.external_id


def test_the_answer_says_what_went_and_what_stays_and_why(session, now, later, sealed):
    person = somebody(session, now)
    told = erased(session, person, later)
    gone = {item.what: item.count for item in told.erased}
    assert gone["cases"] == 1 and gone["photos"] == 3 and gone["data_keys"] >= 3 and gone["links"] >= 1
    assert {kept.what for kept in told.kept} >= {"events", "tombstones", "cases"}
    assert {kept.why for kept in told.kept} <= set(WHY_KEPT)
    plain = json.dumps(told.to_json())
    assert not any(text in plain.casefold() for text in person.texts)
    event = session.scalars(select(Event).where(Event.kind == "erased")).one()
    assert (event.actor_kind, event.details["requests"], event.details["reason"]) == ("host", 1, "wish")
    assert audit.verify(session).ok


def test_asked_again_it_is_answered_alike_and_nothing_happens_twice(session, now, later, sealed):
    person = somebody(session, now)
    first = erased(session, person, later)
    again = erased(session, person, later + DAY)
    assert (again.id, again.done_at, again.erased) == (first.id, first.done_at, first.erased)
    assert privacy.find(session, person.external_id).id == first.id
    assert privacy.find(session, "somebody-else") is None
    assert session.scalar(select(func.count()).select_from(Event).where(Event.kind == "erased")) == 1


def test_who_comes_back_under_the_same_id_is_somebody_new(session, now, later, sealed):
    person = somebody(session, now)
    erased(session, person, later)
    back = customers.upsert(session, person.external_id, a.PROFILE, email=a.OLD_EMAIL, locale="en", now=later)
    assert back.id != person.customer_id
    second = privacy.erase(session, back.id, actor=HOST, reason="wish", now=later + DAY)  # and may go again
    assert second.state == "done" and privacy.find(session, person.external_id).id == second.id


def test_pages_about_an_erased_person_still_open_and_say_nothing_of_her(session, now, later, sealed):
    person = somebody(session, now)
    erased(session, person, later)
    page = queries.case_page(session, person.cases[0], now=later)
    assert page.shredded and page.claim is None and not page.profile.values


def test_an_unknown_person_is_not_found(session, now):
    with pytest.raises(NoResultFound):
        privacy.erase(session, uuid4(), actor=HOST, reason="wish", now=now)


# --- What holds it up


@pytest.mark.parametrize("state", [s for s in State])
def test_every_state_can_be_erased_in_the_end_and_open_requests_are_withdrawn_at_once(session, now, settings, state):
    case = a.in_state(session, state, now=now)
    told = privacy.erase(session, case.customer_id, actor=HOST, reason="wish", now=now)
    assert case.closed_at is not None
    if told.state == "waiting":
        assert case.shredded_at is None and told.holds and not told.erased
        assert carried_out(session, told.not_before - timedelta(seconds=1)) == 0
        assert carried_out(session, told.not_before) == 1
    assert privacy.of(session, case.customer_id, now=now).state == "done"
    assert session.get_one(Customer, case.customer_id).data_key.wrapped is None


@pytest.mark.parametrize(
    ("make", "code", "days"),
    [(a.an_approved, "recent_change", 14), (a.a_rejected, "recent_attempt", 14), (a.an_in_review, "recent_attempt", 14),
     (a.a_reverted, "reverted", 30)],
)  # fmt: skip
def test_what_shows_a_stolen_account_keeps_its_time(session, now, make, code, days):
    case = make(session, now=now)
    told = privacy.erase(session, case.customer_id, actor=HOST, reason="wish", now=now)
    assert (told.state, told.not_before) == ("waiting", now + days * DAY)
    assert code in [hold.code for hold in told.holds] and case.data_key.wrapped is not None
    event = session.scalars(select(Event).where(Event.kind == "erasure_asked")).one()
    assert code in event.details["holds"]


def test_a_case_whose_approval_was_undone_keeps_what_shows_who_was_there(session, now, settings):
    case = a.an_approved(session, now=now)
    profiles.take_back(session, moves.lock(session, case.id), requeue=True, now=now + DAY)
    assert not session.scalars(select(Run.id).where(Run.outcome == "refer")).all()  # nothing else speaks against it
    told = privacy.erase(session, case.customer_id, actor=HOST, reason="wish", now=now + 2 * DAY)
    assert (told.state, [hold.code for hold in told.holds]) == ("waiting", ["recent_attempt"])
    assert told.not_before == now + 2 * DAY + settings.undo_days * DAY and case.data_key.wrapped is not None
    assert customers.drew_attention(session, case.id)
    assert retention.erase(session, case.customer_id, now=now + 3 * DAY) == []  # neither by her own page
    assert retention.erase(session, case.customer_id, now=told.not_before) == [case.id]


def test_a_case_that_was_never_undone_or_referred_may_go_at_once(session, now):
    case = a.a_submitted(session, now=now)
    intake.withdraw(session, case.id, now=now)
    assert not customers.drew_attention(session, case.id)
    assert retention.erase(session, case.customer_id, now=now) == [case.id]


def test_an_open_dispute_waits_for_a_person_and_an_order_does_not(session, now):
    case = a.an_approved(session, now=now)
    case.disputed_at = now
    told = privacy.erase(session, case.customer_id, actor=HOST, reason="wish", now=now)
    assert told.not_before is None and told.holds[0] == privacy.Hold(code="dispute", until=None)
    assert carried_out(session, now + 3650 * DAY) == 0  # nobody has looked
    assert privacy.erase(session, case.customer_id, actor=HOST, reason="order", now=now).state == "done"
    events = session.scalars(select(Event).where(Event.kind == "erasure_asked").order_by(Event.id))
    assert [event.details["reason"] for event in events] == ["wish", "order"]


def test_a_settled_dispute_lets_it_go_on(session, now, settings):
    case = a.an_approved(session, now=now)
    case.disputed_at = now
    privacy.erase(session, case.customer_id, actor=HOST, reason="wish", now=now)
    case.dispute_settled_at = now + DAY
    assert carried_out(session, now + 2 * DAY) == 0
    assert privacy.of(session, case.customer_id, now=now + 2 * DAY).not_before == now + settings.photo_days * DAY
    assert carried_out(session, now + settings.photo_days * DAY) == 1


def test_one_that_waits_can_be_taken_back_and_one_that_is_done_cannot(session, now):
    case = a.an_approved(session, now=now)
    privacy.erase(session, case.customer_id, actor=HOST, reason="wish", now=now)
    assert privacy.cancel(session, case.customer_id, actor=HOST, now=now)
    assert carried_out(session, now + 100 * DAY) == 0 and case.data_key.wrapped is not None
    assert privacy.erase(session, case.customer_id, actor=HOST, reason="wish", now=now + 100 * DAY).state == "done"
    assert not privacy.cancel(session, case.customer_id, actor=HOST, now=now + 100 * DAY)


def test_only_who_may_asks(session, now):
    case = a.a_draft(session, now=now)
    lead, agent = a.a_member(session, Role.LEAD, now=now), a.a_member(session, now=now)
    she, other = audit.Actor(kind="customer", id=str(case.customer_id)), audit.Actor(kind="customer", id=str(uuid4()))

    def ask(actor: audit.Actor, reason: str = "wish", by: Any = None) -> privacy.Erasure:
        return privacy.erase(session, case.customer_id, actor=actor, reason=reason, by=by, now=now)

    for refused in (
        lambda: ask(other),
        lambda: ask(she, "order"),
        lambda: ask(audit.MACHINE),
        lambda: ask(audit.Actor.staff(lead)),
    ):
        with pytest.raises(privacy.NotAsked):
            refused()
    with pytest.raises(NotAllowed):
        ask(audit.Actor.staff(agent), by=agent)
    with pytest.raises(ValueError, match="unknown reason"):
        ask(HOST, "because")
    assert case.state is State.DRAFT
    assert ask(audit.Actor.staff(lead), by=lead).state == "done"


# --- Cut off anywhere


def test_a_crash_after_the_keys_is_finished_by_upkeep(database, now, monkeypatch):
    with database.transaction() as session:
        case = a.a_draft(session, now=now)
        blobs = set(session.scalars(select(Photo.blob)))
    with database.transaction() as session:
        privacy.erase(session, case.customer_id, actor=HOST, reason="wish", now=now)
    with database.transaction() as session:  # the process died here: blobs are still there
        assert blobs <= set(dict(store_of(session).names()))
        assert session.scalars(select(ErasureRow.finished_at)).one() is None
    with monkeypatch.context() as patched, pytest.raises(OSError), database.transaction() as session:
        patched.setattr(type(store_of(session)), "shred", lambda self, name: (_ for _ in ()).throw(OSError("away")))
        privacy.finish(session, now=now)
    with database.transaction() as session:
        assert privacy.finish(session, now=now) == 1
        assert privacy.finish(session, now=now) == 0
        assert not blobs & set(dict(store_of(session).names()))


def test_a_transaction_that_is_lost_has_erased_nothing(database, now):
    with database.transaction() as session:
        case = a.a_draft(session, now=now)
    with pytest.raises(RuntimeError), database.transaction() as session:
        privacy.erase(session, case.customer_id, actor=HOST, reason="wish", now=now)
        raise RuntimeError("lost before the commit")
    with database.transaction() as session:
        assert exports.gather(session, case.customer_id, language="en", now=now).files
        assert session.scalars(select(Tombstone)).all() == []


def test_every_row_is_locked_and_changed_before_the_first_event(session, now, later, sealed, monkeypatch):
    person = somebody(session, now)
    running = a.a_submitted(session, now=later, customer=session.get_one(Customer, person.customer_id))
    a.begun(session, running, now=later)
    order: list[str] = []
    real = audit.record
    monkeypatch.setattr(audit, "record", lambda db, kind, **more: (order.append(kind), real(db, kind, **more))[1])

    def seen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("UPDATE", "DELETE")) or "FOR " in statement.upper().split("WHERE")[-1]:
            order.append("row")

    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", seen)
    try:
        privacy.erase(session, person.customer_id, actor=HOST, reason="order", now=later)
    finally:
        event.remove(engine, "before_cursor_execute", seen)
    first = next(at for at, what in enumerate(order) if what != "row")
    assert {"run_abandoned", "withdrawn", "erasure_asked", "shredded", "erased"} <= set(order[first:])
    assert "row" in order[:first] and "row" not in order[first:]


def test_a_running_worker_writes_nothing_back(session, now):
    case = a.a_submitted(session, now=now)
    order = a.begun(session, case, now=now)
    privacy.erase(session, case.customer_id, actor=HOST, reason="order", now=now)
    assert a.finished(session, order, now=now) is None
    assert session.scalars(select(Run.readings_sealed)).one() is None


# --- Tombstones


def test_tombstones_go_to_a_file_that_says_nothing_and_cannot_be_changed(database, now, tmp_path):
    with database.transaction() as session:
        case = a.a_draft(session, now=now)
        external = case.customer.external_id
        privacy.erase(session, case.customer_id, actor=HOST, reason="wish", now=now)
    for written in (1, 0):
        assert tombstones.write(database, tmp_path / "stones", now=now) == written
    file = tmp_path / "stones" / tombstones.FILE
    text = file.read_text()
    assert str(case.customer_id) not in text and external not in text and text.count("\n") == 1
    [line] = tombstones.read(database.settings, [tmp_path / "stones", tmp_path / "nothing"])
    assert (line.kind, line.at) == ("person", now)
    file.write_text(text.replace("person", "case"))
    with pytest.raises(tombstones.Tampered, match="line 1"):
        tombstones.read(database.settings, [file])
    file.write_text(text + text[:40])  # whoever wrote died in the middle
    with database.transaction() as session:
        other = a.a_draft(session, now=now)
        privacy.erase(session, other.customer_id, actor=HOST, reason="wish", now=now + DAY)
    assert tombstones.write(database, tmp_path / "stones", now=now) == 1
    assert len(tombstones.read(database.settings, [file])) == 2
    file.unlink()  # a new disk
    assert tombstones.write(database, tmp_path / "stones", now=now) == 2


def test_a_tombstone_is_written_of_nobody_whose_erasure_is_not_committed(database, now, tmp_path):
    with database.transaction() as session:
        case = a.a_draft(session, now=now)
    if database.engine.dialect.name == "postgresql":  # SQLite has one writer
        with database.transaction() as session:
            privacy.erase(session, case.customer_id, actor=HOST, reason="wish", now=now)
            assert tombstones.write(database, tmp_path, now=now) == 0
            session.rollback()
    with pytest.raises(RuntimeError), database.transaction() as session:
        privacy.erase(session, case.customer_id, actor=HOST, reason="wish", now=now)
        raise RuntimeError("lost before the commit")
    assert tombstones.write(database, tmp_path, now=now) == 0 and not (tmp_path / tombstones.FILE).exists()


def test_a_tombstone_that_was_written_and_not_noted_stands_there_twice_and_says_nothing_more(
    database, now, tmp_path, monkeypatch
):
    with database.transaction() as session:
        case = a.a_draft(session, now=now)
        privacy.erase(session, case.customer_id, actor=HOST, reason="wish", now=now)
    with monkeypatch.context() as patched, pytest.raises(OSError):
        patched.setattr(database, "transaction", lambda: (_ for _ in ()).throw(OSError("killed")))
        tombstones.write(database, tmp_path, now=now)
    assert tombstones.write(database, tmp_path, now=now) == 1
    assert (tmp_path / tombstones.FILE).read_text().count("\n") == 2
    assert len(tombstones.read(database.settings, [tmp_path])) == 1


def test_a_wish_for_one_request_has_a_tombstone_too(session, now, later):
    case = a.a_rejected(session, now=now)
    retention.erase(session, case.customer_id, now=later)
    assert [row.kind for row in session.scalars(select(Tombstone))] == ["case"]


# --- Hand out, and who looked


def test_the_export_is_plain_json_and_an_event_and_its_pictures_are_recorded_looks(session, now):
    case = a.a_rejected(session, now=now)
    made = json.loads(json.dumps(privacy.export(session, case.customer_id, now=now)))
    assert made["account"]["number"] == case.customer.external_id and made["customer_id"] == str(case.customer_id)
    assert {one["what"] for one in made["pictures"]} == {"photo"} and not any("pictures" in one for one in made["pictures"])
    assert session.scalar(select(func.count()).select_from(Event).where(Event.kind == "photo_opened")) == 0
    full = privacy.export(session, case.customer_id, now=now, pictures=True)
    assert all(one["pictures"][0]["base64"].startswith("/9j/") for one in full["pictures"])
    looks = privacy.looks(session, case.customer_id)
    assert {(look.who, look.why) for look in looks} >= {("host", "host_copy")}
    events = session.scalars(select(Event).where(Event.kind == "person_exported").order_by(Event.id))
    assert [event.details["photos"] for event in events] == [0, 3]


def test_the_store_is_asked_for_nothing_once_a_look_is_recorded(session, now, monkeypatch):
    case = furnished_with_real_pictures(session, now)
    store, order = store_of(session), []
    real, read = audit.record, type(store).read
    monkeypatch.setattr(audit, "record", lambda *given, **more: (order.append("event"), real(*given, **more))[1])
    monkeypatch.setattr(type(store), "read", lambda self, name: (order.append("store"), read(self, name))[1])
    made = privacy.export(session, case.customer_id, now=now, pictures=True)
    assert all(one["pictures"] for one in made["pictures"])
    assert order == ["store"] * len(made["pictures"]) + ["event"] * (len(made["pictures"]) + 1)
    assert store_of(session) is store


def test_a_picture_that_the_store_lost_is_left_out_of_the_export(session, now):
    case = a.a_rejected(session, now=now)
    store_of(session).shred(session.scalars(select(Photo.blob).where(Photo.case_id == case.id)).first())
    made = privacy.export(session, case.customer_id, now=now, pictures=True)
    assert sorted(len(one["pictures"]) for one in made["pictures"]) == [0, 1, 1]


def test_every_kind_of_picture_can_be_exported_by_its_owner_and_by_the_host(session, now, settings):
    case = furnished_with_real_pictures(session, now)
    for language, pictures in (("en", True), ("ru", True)):
        made = privacy.export(session, case.customer_id, now=now, language=language, pictures=pictures)
        assert {one["what"] for one in made["pictures"]} >= {"photo", "head_turn"}
        assert all(one["pictures"] for one in made["pictures"])
    files = exports.gather(session, case.customer_id, language="en", now=now).files
    assert all(exports.open_file(session, file, customer_id=case.customer_id, now=now) for file in files)


def furnished_with_real_pictures(session: Any, now: datetime) -> Case:
    case = a.a_draft(session, now=now)
    an_answer(session, case, head_turns.draw(session, case.id, now=now), now=now)
    return case


def test_who_looked_is_told_by_role_and_purpose_and_never_by_name(session, now):
    from cases import looks, photo_store

    case = a.an_in_review(session, now=now)
    senior = a.a_member(session, Role.SENIOR_AGENT, now=now, name="Zoë Unmistakable")
    photo = session.scalars(select(Photo).where(Photo.case_id == case.id)).first()
    photo_store.open_photo(session, photo.id, viewer=audit.Actor.staff(senior), purpose=looks.REVIEW, now=now + DAY)
    [look] = [one for one in who_looked.looks(session, case.customer_id) if one.who == "staff"]
    assert (look.role, look.why, look.what, look.at, look.case_id) == (
        "senior_agent", "review", photo.kind.value, now + DAY, case.id,
    )  # fmt: skip
    told = json.dumps(exports.gather(session, case.customer_id, language="en", now=now).document["looks"])
    assert "senior_agent" in told and "Unmistakable" not in told and str(senior.id) not in told
