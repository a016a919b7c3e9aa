"""What the law gives a person: a copy of everything, and that it is erased. The rules are `cases.privacy`'s."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic import Field as about
from sqlalchemy.orm import Session

from cases import exports, privacy
from cases.models import Customer
from webapp.api import shapes
from webapp.api.customers import known
from webapp.api.problems import Problem
from webapp.api.surface import Answer, api, key, operation
from webapp.context import now


class ExportQuery(BaseModel):
    """What the copy holds."""

    model_config = ConfigDict(extra="forbid")

    language: shapes.Language = about(shapes.Language.EN, description="Of the sentences in it")
    pictures: bool = about(False, description="Photos too, as base64; each is a look that she can see")


class EraseQuery(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")

    reason: Literal["wish", "account_closed", "order"] = about(
        "wish",
        description="wish: she asks for it. account_closed: you closed her account and need nothing of her any longer. "
        "order: a court or an authority orders it, which ends every waiting.",
    )


class Exported(shapes.Anything):
    """Everything held of her, for you to hand to her. Entries may be added within v1."""

    format: str
    customer_id: str


class Count(BaseModel):
    """A kind of data, and how much of it went."""

    what: str
    count: int


class Kept(BaseModel):
    """A kind of data that stays, and why."""

    what: str
    why: str


class Hold(BaseModel):
    """Why it waits."""

    code: str
    until: str | None


class Erased(BaseModel):
    """How an erasure stands. Nothing of her."""

    id: str
    customer_id: str
    state: Literal["done", "waiting"]
    reason: str
    asked_at: str
    holds: list[Hold]
    not_before: str | None = about(description="null: not waiting, or for a person")
    erased: list[Count]
    kept: list[Kept]
    done_at: str | None
    finished_at: str | None = about(description="When pictures in the store were gone too")


@api.get("/customers/<external_id>/export")
@operation("privacy:write", answers={200: Exported}, problems=("under_dispute", "invalid"))
@api.input(ExportQuery, location="query")
def export_person(db: Session, external_id: str, query_data: ExportQuery) -> Answer:
    """Export a person

    Her right of access (GDPR, articles 15 and 20; 152-FZ, article 14). An event of the audit trail. Not while somebody says
    that the account was taken over: the copy would go to whom it must not.
    """
    customer = known(db, external_id)
    try:
        document = privacy.export(
            db,
            customer.id,
            now=now(),
            language=query_data.language.value,
            pictures=query_data.pictures,
            actor=key().actor,
        )
    except exports.UnderDispute:
        raise Problem("under_dispute", kept=False) from None
    return Answer(body=Exported.holding(document), about=customer)


@api.delete("/customers/<external_id>")
@operation("privacy:write", answers={200: Erased, 202: Erased}, problems=("invalid",))
@api.input(EraseQuery, location="query")
def erase_person(db: Session, external_id: str, query_data: EraseQuery) -> Answer:
    """Erase a person

    Destroys the keys of everything that is hers, here and in backups, and what was not sealed. What stays, and why, is in the
    answer. 202: it waits, because a change or a dispute is too fresh; her open requests are withdrawn at once, the rest follows
    by itself. May be repeated: the answer says how it stands.
    """
    try:
        customer = known(db, external_id)
    except Problem:
        before = privacy.find(db, external_id)
        if before is None or db.get_one(Customer, before.customer_id).sandbox != key().sandbox:
            raise
        return _told(before)
    return _told(privacy.erase(db, customer.id, actor=key().actor, reason=query_data.reason, now=now()))


def _told(erasure: privacy.Erasure) -> Answer:
    body = Erased.model_validate(erasure.to_json())
    return Answer(body=body, status=202 if erasure.state == "waiting" else 200)
