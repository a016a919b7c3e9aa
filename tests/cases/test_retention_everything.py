"""Every sealed column and every blob of every table: nothing can be read after shredding, nor after a wish to be erased.

The columns are found in the models. A new one makes these tests fail until a case here has it too, and then until
`cases.retention` sees to it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import LargeBinary, String, select

from cases import photo_store, retention
from cases.crypto import KeyDestroyed, Vault, vault_of
from cases.desk_tables import Answer, CaseNote, NumberRead, Outgoing, OutgoingKind, Paper, PaperKind, PhotoMark, QualitySample
from cases.models import (
    Base,
    Case,
    DataKey,
    Event,
    FaceEncoding,
    HeadTurn,
    Message,
    Photo,
    Rating,
    Role,
    Staff,
    UnsentForm,
    Upload,
    Writer,
)
from cases.ops_tables import RunRecord
from cases.photo_store import store_of
from cases.privacy_map import PLACES, Fate
from tests import factories as a
from verification.reasons import PhotoKind

NO_CASES = {name for name, place in PLACES.items() if place.fate is Fate.NOBODY} | {"api_answers", "customer_sessions", "links"}
"""Tables whose sealed columns go with the account and not with a case: tests/cases/test_privacy.py has them."""

SEALED = sorted(
    (table.name, column.name)
    for table in Base.metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, LargeBinary) and column.name not in ("wrapped", "packed") and table.name not in NO_CASES
)
"""Whatever holds bytes, but the wrapped keys themselves and the packed numbers of runs."""

BLOBS = sorted(
    (table.name, column.name) for table in Base.metadata.sorted_tables for column in table.columns if column.name == "blob"
)

OF_THE_ACCOUNT = {"profile_versions", "notifications", "photos"}
"""Tables with rows under the customer's key, which outlive her cases: her details, to whom mail went, the face on file."""

WORDS = "Words of Maritesta Bergmantest 700000002"


class Sealed:
    """Remembers what was sealed for which key, so that each stored value can be tried again later."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: dict[bytes, tuple[UUID, str]] = {}
        seal = Vault.seal

        def remembering(vault: Vault, key: DataKey, plain: bytes, place: str) -> bytes:
            made = seal(vault, key, plain, place)
            self.made[made] = key.id, place
            return made

        monkeypatch.setattr(Vault, "seal", remembering)

    def readable(self, session: Any, value: bytes) -> bool:
        key_id, place = self.made[value]
        try:
            return bool(vault_of(session).open(session.get_one(DataKey, key_id), value, place))
        except KeyDestroyed:
            return False


def values(session: Any, table: str, column: str) -> list[Any]:
    found = Base.metadata.tables[table].columns[column]
    return [value for value in session.scalars(select(found)) if value is not None]


def keep(session: Any, case: Case, data: bytes = b"a picture") -> str:
    return photo_store.keep_sealed(session, case.data_key, data, f"test|{secrets.token_hex(4)}")


def furnish(session: Any, now: datetime) -> Case:
    """A refused case with everything that can hang on one."""
    agent, senior = a.a_member(session, now=now), a.a_member(session, Role.SENIOR_AGENT, now=now)
    case = a.a_rejected(session, now=now, agent=agent)
    vault, key = vault_of(session), case.data_key

    def sealed(where: str) -> bytes:
        return vault.seal(key, WORDS.encode(), f"test|{where}")

    hers = {"customer_id": case.customer_id, "case_id": case.id}
    under = {**hers, "data_key_id": key.id}
    upload = uuid4()
    session.add_all(
        [
            Message(
                **under, writer=Writer.CUSTOMER, text_sealed=sealed("message"), blob=keep(session, case), sha256="0" * 64, size=9,
                written_at=now,
            ),
            HeadTurn(
                **under, attempt=1, turns=["left"], drawn_at=now, expires_at=now + timedelta(minutes=2), answered_at=now,
                blob=keep(session, case), sha256="1" * 64, size=9,
            ),
            Paper(
                **under, kind=PaperKind.MARRIAGE_CERTIFICATE, created_at=now, asked_by_id=agent.id, asked_at=now,
                until=now + timedelta(days=3), words_sealed=sealed("paper"), received_at=now, blob=keep(session, case),
                sha256="2" * 64, size=9, read_at=now, readings_sealed=sealed("reading"),
            ),
            Outgoing(
                kind=OutgoingKind.MESSAGE, case_id=case.id, staff_id=agent.id, data_key_id=key.id, text_sealed=sealed("outgoing"),
                photo_sealed=sealed("outgoing photo"), case_version=1, given_at=now, until=now,
            ),
            FaceEncoding(**under, code_sealed=sealed("face"), created_at=now),
            Rating(**hers, mark=4, words_sealed=sealed("rating"), given_at=now, changed_at=now),
            CaseNote(
                case_id=case.id, staff_id=agent.id, kind="note", data_key_id=key.id, text_sealed=sealed("note"), created_at=now
            ),
            Upload(
                case_id=case.id, id=upload, number=9, kind=PhotoKind.SELFIE, attempt=0, sha256="3" * 64,
                look_sealed=sealed("look"), created_at=now,
            ),
            UnsentForm(
                customer_id=case.customer_id, case_id=case.id, created_at=now, expires_at=now + timedelta(days=1),
                form_sealed=vault.seal(case.customer.data_key, WORDS.encode(), "test|form"),
                photo_sealed=vault.seal(case.customer.data_key, WORDS.encode(), "test|form photo"),
            ),
            _sample(session, case, agent, senior, sealed, now),
        ]
    )  # fmt: skip
    session.flush()
    session.add(PhotoMark(case_id=case.id, upload_id=upload, part=0, mark="4" * 24))
    session.add(NumberRead(case_id=case.id, number_index="6" * 64))
    answer = session.scalars(select(Answer).where(Answer.case_id == case.id)).one()
    answer.words_sealed = sealed("answer")
    case.document_index = "5" * 64
    session.flush()
    return case


def _sample(
    session: Any, case: Case, agent: Staff, senior: Staff, sealed: Callable[[str], bytes], now: datetime
) -> QualitySample:
    event = session.scalars(select(Event.id).where(Event.kind == "disposed", Event.case_id == case.id)).one()
    third = a.a_member(session, Role.SENIOR_AGENT, now=now)
    return QualitySample(
        case_id=case.id, event_id=event, why="random", share=0.05, staff_id=agent.id, action="reject", answered_at=now,
        drawn_at=now, reviewer_id=senior.id, taken_until=now, reviewed_at=now, verdict="approve", agrees=False,
        note_sealed=sealed("review"), doubted_at=now, settled_at=now, settled_how="stands", settled_by_id=third.id,
        settled_note_sealed=sealed("settled"),
    )  # fmt: skip


def shredded(session: Any, case: Case, now: datetime) -> None:
    assert retention.shred_due(session, now=now + timedelta(days=30)) == [case.id]


def erased(session: Any, case: Case, now: datetime) -> None:
    wished = now + timedelta(days=session.info["settings"].undo_days)
    assert retention.erase(session, case.customer_id, now=wished) == [case.id]
    retention.shred_due(session, now=wished)  # the blobs follow with the next round


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> Sealed:
    return Sealed(monkeypatch)


def test_the_case_here_has_every_column_that_may_hold_a_person(session, now, sealed):
    furnish(session, now)
    assert [place for place in SEALED + BLOBS if not values(session, *place)] == []
    assert len(SEALED) >= 18 and len(BLOBS) >= 4
    assert all(name.endswith("_sealed") for _table, name in SEALED)


@pytest.mark.parametrize("go", [shredded, erased])
def test_nothing_of_a_case_can_be_read_afterwards(session, now, sealed, go):
    case = furnish(session, now)
    before = {place: values(session, *place) for place in SEALED}
    assert all(sealed.readable(session, value) for found in before.values() for value in found)
    go(session, case, now)
    session.flush()
    session.expire_all()
    # neither what still stands in the tables nor, as a backup would have it, what stood there
    for (table, column), found in before.items():
        left = [value for value in {*found, *values(session, table, column)} if sealed.readable(session, value)]
        if table in OF_THE_ACCOUNT:
            assert all(sealed.made[value][0] == case.customer.data_key_id for value in left), (table, column)
        elif table == "unsent_forms":
            assert values(session, table, column) == []  # under the customer's key, so the row goes
        else:
            assert left == [], (table, column)


@pytest.mark.parametrize("go", [shredded, erased])
def test_no_picture_of_the_case_is_left_in_the_store(session, now, sealed, go):
    case = furnish(session, now)
    before = {name: values(session, name, "blob") for name, _column in BLOBS}
    on_file = session.scalars(select(Photo.blob).where(Photo.case_id.is_(None))).one()
    go(session, case, now)
    left = set(dict(store_of(session).names()))
    for found in before.values():
        assert left & set(found) <= {on_file}
    assert retention.orphans(session, now=now + timedelta(days=365)) == retention.Orphans(blobs=(), photos=())


@pytest.mark.parametrize("go", [shredded, erased])
def test_what_could_be_compared_with_another_person_goes_too(session, now, sealed, go):
    case = furnish(session, now)
    go(session, case, now)
    session.expire_all()
    assert case.document_index is None
    for model in (PhotoMark, NumberRead, Upload, FaceEncoding, UnsentForm):
        assert session.scalars(select(model)).all() == [], model.__tablename__


def test_after_a_wish_to_be_erased_no_record_of_the_run_is_replayed(session, now, sealed):
    case = furnish(session, now)
    assert session.scalars(select(RunRecord)).all()
    erased(session, case, now)
    assert session.scalars(select(RunRecord)).all() == []


@pytest.mark.parametrize("go", [shredded, erased])
def test_no_text_in_any_table_says_who_she_was(session, now, sealed, go):
    case = furnish(session, now)
    go(session, case, now)
    wanted = [word.casefold() for word in (*a.PERSONAL, WORDS, "Not the same person.") if len(word) > 3]  # a country is a code
    for table in Base.metadata.sorted_tables:
        for row in session.execute(select(table)):
            told = repr([value for value in row if not isinstance(value, bytes)]).casefold()
            assert not [word for word in wanted if word in told], table.name


def test_texts_are_limited_so_that_none_is_a_hiding_place():
    """A column of free text without a length, or one named as if it were a person's, must be sealed instead."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            named = f"{table.name}.{column.name}"
            if isinstance(column.type, String) and table.name not in ("staff",) and named != "webhook_deliveries.body":
                assert column.type.length, f"{table.name}.{column.name}"
                assert not {"surname", "birth", "address", "phone_number"} & set(column.name.split("_")), column.name
