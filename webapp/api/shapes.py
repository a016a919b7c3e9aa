"""What comes in and goes out, as pydantic models: they check the one, describe both, and are the promise of v1.

What is not a matter of shape (letters of a name, a day that has not come yet) is told by `cases.host_values`.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, model_validator
from pydantic import Field as about

from cases.host_values import LONGEST, LONGEST_NUMBER
from cases.lifecycle import State
from cases.wording import LANGUAGES
from verification.evidence import ChangeReason, Field, Profile, Values

EXTERNAL_ID = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"
"""The host system's own id of a person. It stands in addresses, so it must say nothing of her: no name, no mail address, no
number of a document; the alphabet has neither @ nor space nor any other script."""

PAGE, LARGEST_PAGE = 20, 100
"""Cases in one page."""

EARLIER_NUMBERS = 20
"""Former document numbers that a profile keeps (`cases.profiles.MAX_EARLIER_NUMBERS`)."""


def _a_day(text: str) -> str:
    date.fromisoformat(text)
    return text


Language = StrEnum("Language", {code.upper(): code for code in LANGUAGES})  # type: ignore[misc]
Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST)]
Number = Annotated[str, StringConstraints(pattern=rf"^[A-Z0-9]{{3,{LONGEST_NUMBER}}}$")]
Day = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
    AfterValidator(_a_day),
    about(json_schema_extra={"format": "date"}),
]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,3}$")]
ExternalId = Annotated[str, StringConstraints(pattern=rf"^{EXTERNAL_ID}$")]


class _In(BaseModel):
    """A body: a field we do not know is a mistake that has to be told."""

    model_config = ConfigDict(extra="forbid")


class Details(_In):
    """Details of a person, named as in her document. What is null or left out is not known."""

    surname: Text | None = about(None, description="Latin letters, as in the machine-readable zone", examples=["ABELARDTEST"])
    given_names: Text | None = about(None, description="Latin letters, as in the machine-readable zone", examples=["MARITESTA"])
    patronymic: Text | None = about(None, description="As printed")
    surname_native: Text | None = about(None, description="As printed in the country's own script")
    given_names_native: Text | None = about(None, description="As printed in the country's own script")
    document_number: Number | None = about(None, description="Series and number without spaces", examples=["700000001"])
    date_of_birth: Day | None = about(None, examples=["1990-02-03"])
    issued_on: Day | None = None
    expires_on: Day | None = about(None, examples=["2034-05-06"])
    issuer: Text | None = about(None, description="The authority, as printed")
    issuer_code: Text | None = about(None, description="For a Russian internal passport 770-001")
    sex: Literal["M", "F", "X"] | None = None
    nationality: Country | None = about(None, description="ICAO's code: KAZ, or D for Germany", examples=["UTO"])
    place_of_birth: Text | None = None
    personal_number: Number | None = about(None, description="IIN, DNI, CURP …")

    def values_given(self) -> Values:
        """The details that are there, tidied as everywhere."""
        given = ((name, getattr(self, name.value)) for name in Field)
        return {name: " ".join(value.split()) for name, value in given if value is not None and value.strip()}


class ProfileDetails(Details):
    """A person's details as the host system holds them, and document numbers she had before, newest first."""

    earlier_numbers: list[Number] = about(default_factory=list, max_length=EARLIER_NUMBERS)

    @classmethod
    def of(cls, profile: Profile) -> Self:
        """What we hold."""
        held = {name.value: value for name, value in profile.values.items()}
        return cls.model_construct(
            **{**{name.value: None for name in Field}, **held}, earlier_numbers=list(profile.earlier_numbers)
        )


class CustomerIn(_In):
    """A person as the host system holds her now. The same again changes nothing."""

    profile: ProfileDetails
    email: Annotated[str, StringConstraints(min_length=3, max_length=254)] = about(
        description="Where we tell her of every change", examples=["person@example.com"]
    )
    locale: Language = about(description="In which we speak to her")


class CustomerOut(BaseModel):
    """A person as we hold her now."""

    id: str = about(description="The host system's own id")
    livemode: bool = about(description="false: a customer of the sandbox")
    profile: ProfileDetails
    email: str
    locale: str
    version: int = about(description="1, 2, 3 …: grows whenever details change, here or by an approved case")
    face_on_file: bool
    open_case: UUID | None
    created_at: datetime
    updated_at: datetime = about(description="When this version of her details began to hold")


class FaceOut(BaseModel):
    """The face on file was kept."""

    customer: str
    width: int | None
    height: int | None
    set_at: datetime


class LinkIn(_In):
    """A hand-over."""

    locale: Language | None = about(None, description="In which the portal speaks; null: as her account says")
    return_url: Annotated[str, StringConstraints(max_length=500)] | None = about(
        None,
        description="Where the portal leads her back to. Its origin must be one of the key's. Put nothing personal into it.",
        examples=["https://bank.example/profile"],
    )
    case_id: UUID | None = about(None, description="The case she is led to; null: where she stands")


class LinkOut(BaseModel):
    """A link for this person's own browser, now. It works once."""

    url: str = about(description="Redirect her there; never mail it, log it or show it to anybody else")
    expires_at: datetime


class CaseIn(_In):
    """A change that a person asked the host system for. She still sends the photos and agrees on the portal herself."""

    customer: ExternalId = about(description="The host system's own id", examples=["c-1042"])
    reason: ChangeReason = about(description="Why her details change, as she says")
    claim: Details = about(description="The new details; only those that change, and those of the new document")
    country: Country | None = about(None, description="Issuing country of the new document")
    email: Annotated[str, StringConstraints(min_length=3, max_length=254)] | None = about(
        None, description="A new mail address, if that changes as well"
    )
    locale: Language | None = about(None, description="null: as her account says")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.claim.values_given() and self.email is None:
            raise ValueError("a claim names at least one detail")
        return self


class CaseOut(BaseModel):
    """A request to change details, without any of them."""

    id: UUID
    customer: str = about(description="`erased-…`, under which there is nothing, where she was erased")
    livemode: bool
    state: State
    open: bool = about(description="Whether anything may still happen to it by itself")
    reason: ChangeReason
    country: str | None
    locale: str
    version: int = about(description="Grows with every change of the case")
    attempt: int = about(description="How often she has sent it")
    reasons: list[str] = about(description="Codes of the last decision")
    retake: list[str] = about(description="Photos she is asked to take again: document, selfie")
    opened_at: datetime
    updated_at: datetime
    submitted_at: datetime | None
    due_at: datetime | None = about(description="Until when a person answers")
    closed_at: datetime | None


class CasePage(BaseModel):
    """Cases, the newest first."""

    data: list[CaseOut]
    has_more: bool
    next: str | None = about(description="What to send as `after` for the next page")


class CaseQuery(BaseModel):
    """Which cases, and from where on."""

    model_config = ConfigDict(extra="forbid")

    customer: ExternalId | None = about(None, description="Only of this person")
    state: State | None = None
    limit: int = about(PAGE, ge=1, le=LARGEST_PAGE)
    after: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = about(
        None, description="`next` of the page before"
    )


class Applied(BaseModel):
    """What an approval made of the profile."""

    version: int
    fields: list[str] = about(description="Names of the details that changed; `email` among them")
    profile: ProfileDetails = about(description="All details as of this version")
    email: str


class OutcomeOut(BaseModel):
    """What became of a case."""

    case: UUID
    customer: str
    livemode: bool
    state: State
    decision: Literal["approve", "retake", "refer", "reject"] | None = about(description="The last one; null: none yet")
    decided_by: Literal["machine", "person"] | None
    decided_at: datetime | None
    reasons: list[str] = about(description="Reason codes of the decision, the most important first")
    differing: list[str] = about(description="Details that she typed otherwise than her document shows; empty once destroyed")
    policy_version: int | None = about(description="By which the machine last decided")
    submitted_at: datetime | None
    closed_at: datetime | None
    held: bool = about(description="She said that it was not her: the change is taken back until a person has looked")
    disputed: bool
    applied: Applied | None = about(description="null: nothing of this case holds now")


class ProblemOut(BaseModel):
    """An error as RFC 9457 has it."""

    type: str = about(description="Address of its explanation")
    title: str
    status: int
    detail: str
    code: str = about(description="For programs; see the list")
    errors: list[WrongOut]


class WrongOut(BaseModel):
    """One thing that is wrong."""

    pointer: str = about(description="JSON pointer into the body, or query:name, header:Name")
    code: str
    detail: str


class Picture(BaseModel):
    """A JPEG."""


class Anything(BaseModel):
    """A document whose shape is described elsewhere."""

    model_config = ConfigDict(extra="allow")

    @classmethod
    def holding(cls, document: dict[str, Any]) -> Self:
        """The document as it is."""
        return cls.model_validate(document)


ProblemOut.model_rebuild()
