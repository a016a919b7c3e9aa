"""Invented people with their papers, what the lender holds of them and what they claim: one persona for each way a case can end.

Names, numbers and offices belong to nobody. Every date is counted from `today`, so no paper goes stale. The two people in
the photographs are men (`portraits`), so are the personas; "a" has three photographs, so selfie, print and face on file differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Literal

from tests.specimens.draw import NO_FAULTS, STATES, Faults, Kind, Person, Specimen, draw_ru_internal, draw_td3, one_letter_off
from tests.specimens.photograph import Defect, Hardness, Pixels, SelfieKind, photograph, selfie
from tests.specimens.portraits import PICTURES, Who, for_print, portrait

Photo = tuple[Who, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Persona:
    """One customer on one day. `claim` and `profile` are the JSON of issue 3; `expected` is how the shipped policy must decide.

    `expected` holds outcome, the `reasons` that must be among those given, and `retake` (photo kinds).
    """

    key: str
    story: str
    kind: Kind
    country: str
    paper: Person
    profile: dict[str, Any]
    claim: dict[str, str]
    expected: dict[str, Any]
    faults: Faults = NO_FAULTS
    zone: bool = True
    printed: Photo = ("a", 1)
    selfie: Photo = ("a", 3)
    on_file: Photo = ("a", 2)
    hardness: Hardness = "easy"
    defect: Defect | None = None
    selfie_kind: SelfieKind = "clear"
    seed: int = 1

    def draw(self) -> Specimen:
        """The flat paper."""
        face = for_print(*self.printed)
        if self.kind == "td3":
            return draw_td3(self.paper, face, country=self.country, faults=self.faults)
        return draw_ru_internal(self.paper, face, zone=self.zone, faults=self.faults)

    def document_photo(self) -> Pixels:
        """The customer's photo of it."""
        return photograph(self.draw().image, seed=self.seed, hardness=self.hardness, defect=self.defect)

    def selfie_photo(self) -> Pixels:
        """The customer's selfie: never the photograph that is printed, except of somebody with one photograph only."""
        return selfie(portrait(*self.selfie), PICTURES[self.selfie].face, seed=self.seed + 50, kind=self.selfie_kind)

    def on_file_photo(self) -> Pixels:
        """The face the account has: an older selfie."""
        return selfie(portrait(*self.on_file), PICTURES[self.on_file].face, seed=self.seed + 90)


# --- Numbers that carry their own check


def kazakh_iin(born: date, sex: Literal["M", "F"], serial: int) -> str:
    """Return the individual number: birth date, century and sex, four digits, check. Raises ValueError where none is issued.

    >>> kazakh_iin(date(1985, 3, 7), "M", 12)
    '850307300124'
    """
    century = {18: 1, 19: 3, 20: 5}[born.year // 100] + (sex == "F")
    digits = [int(c) for c in f"{born:%y%m%d}{century}{serial:04d}"]
    check = sum(d * w for d, w in zip(digits, range(1, 12), strict=True)) % 11
    if check == 10:
        check = sum(d * w for d, w in zip(digits, (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2), strict=True)) % 11
    if check == 10:
        raise ValueError("no number with this serial is issued")
    return "".join(map(str, digits)) + str(check)


def spanish_dni(number: int) -> str:
    """Return eight digits and the letter.

    >>> spanish_dni(12345678)
    '12345678Z'
    """
    return f"{number:08d}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def mexican_curp(start: str) -> str:
    """Return 17 given places and the check digit.

    >>> mexican_curp("BOXW310820HNERXN0")
    'BOXW310820HNERXN09'
    """
    alphabet = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(alphabet.index(c) * (18 - i) for i, c in enumerate(start))
    return f"{start}{(10 - total % 10) % 10}"


# --- Papers


def years_before(today: date, years: int, month: int, day: int) -> date:
    """A fixed day of the calendar, `years` years before this one."""
    return date(today.year - years, month, day)


def russian_traveller(today: date) -> Person:
    """TD3 of a Russian man in both scripts, issued last spring for ten years."""
    issued = today - timedelta(days=210)
    return Person(
        surname="IASTREBTSOV", given_names="TIMOFEI", surname_native="ЯСТРЕБЦОВ", given_names_native="ТИМОФЕЙ",
        patronymic="ЛЬВОВИЧ", document_number="758140263", date_of_birth=years_before(today, 37, 3, 19), sex="M",
        nationality="RUS", issued_on=issued, expires_on=_years_on(issued, 10), issuer="МВД 69004",
        place_of_birth="Г. ТВЕРЬ / RUSSIA",
    )  # fmt: skip


def russian_at_home(today: date) -> Person:
    """Pages 2 and 3 of a Russian man's internal passport, issued last spring."""
    issued = today - timedelta(days=160)
    return Person(
        surname="ЩЕГЛОВИТОВ", given_names="МАТВЕЙ", patronymic="АЛЕКСЕЕВИЧ", document_number=f"28{issued:%y}604917",
        date_of_birth=years_before(today, 33, 8, 5), sex="M", nationality="RUS", issued_on=issued, issuer_code="690-008",
        issuer="УМВД РОССИИ ПО ТВЕРСКОЙ ОБЛАСТИ", place_of_birth="Г. ВЫШНИЙ ВОЛОЧЁК ТВЕРСКОЙ ОБЛ.",
    )  # fmt: skip


def russian_before_2011(today: date) -> Person:
    """The older kind without a zone: issued before July 2011 and past the age of 45, so still valid."""
    born = date(1961, 4, 23)
    return Person(
        surname="ЧЕРНОБРОВ", given_names="СЕМЁН", patronymic="ИЛЬИЧ", document_number="2807319452", date_of_birth=born, sex="M",
        nationality="RUS", issued_on=date(2007, 5, 16), issuer_code="692-013", issuer="ОВД ГОРОДА КИМРЫ ТВЕРСКОЙ ОБЛАСТИ",
        place_of_birth="ДЕР. БЕЛЫЙ ГОРОДОК КИМРСКОГО Р-НА КАЛИНИНСКОЙ ОБЛ.",
    )  # fmt: skip


def kazakh(today: date) -> Person:
    """TD3 of a Kazakh man with his individual number."""
    born, issued = years_before(today, 41, 11, 2), today - timedelta(days=45)
    return Person(
        surname="ZHANDOSULY", given_names="ERASYL", surname_native="ЖАНДОСҰЛЫ", given_names_native="ЕРАСЫЛ",
        document_number="N14760925", date_of_birth=born, sex="M", nationality="KAZ", issued_on=issued,
        expires_on=_years_on(issued, 10), issuer="MIA RK", place_of_birth="QARAGANDY", personal_number=kazakh_iin(born, "M", 417),
    )  # fmt: skip


def spanish(today: date) -> Person:
    """TD3 of a Spanish man with two surnames and marks on letters."""
    issued = today - timedelta(days=90)
    return Person(
        surname="ARIZMUÑO FUENLLANA", given_names="JOAQUÍN", document_number="XDB407185",
        date_of_birth=years_before(today, 45, 6, 14), sex="M", nationality="ESP", issued_on=issued,
        expires_on=_years_on(issued, 10), issuer="CÁDIZ", place_of_birth="CÁDIZ", personal_number=spanish_dni(31820467),
    )  # fmt: skip


def mexican(today: date) -> Person:
    """TD3 of a Mexican man with his CURP."""
    born, issued = years_before(today, 39, 2, 27), today - timedelta(days=20)
    return Person(
        surname="TLALPANECO BARRIGUETE", given_names="ULISES", document_number="G48261937",
        date_of_birth=born, sex="M", nationality="MEX", issued_on=issued, expires_on=_years_on(issued, 6), issuer="PUEBLA",
        place_of_birth="PUEBLA, PUE.", personal_number=mexican_curp(f"TABU{born:%y%m%d}HPLLRL0"),
    )  # fmt: skip


def utopian(today: date) -> Person:
    """TD3 of the state that exists in Doc 9303 only."""
    issued = today - timedelta(days=400)
    return Person(
        surname="VANDERQUILL", given_names="OSWIN THEO", document_number="U41927365",
        date_of_birth=years_before(today, 48, 9, 30), sex="M", nationality="UTO", issued_on=issued,
        expires_on=_years_on(issued, 10), issuer="UTOPIA CITY", place_of_birth="ZENITH",
    )  # fmt: skip


PAPERS: dict[str, tuple[Kind, str, Callable[[date], Person]]] = {
    "russian_traveller": ("td3", "RUS", russian_traveller),
    "russian_at_home": ("ru_internal", "RUS", russian_at_home),
    "russian_before_2011": ("ru_internal", "RUS", russian_before_2011),
    "kazakh": ("td3", "KAZ", kazakh),
    "spanish": ("td3", "ESP", spanish),
    "mexican": ("td3", "MEX", mexican),
    "utopian": ("td3", "UTO", utopian),
}
"""Every right paper by key."""

APPROVE: dict[str, Any] = {"outcome": "approve", "reasons": [], "retake": []}


def personas(today: date) -> dict[str, Persona]:
    """Return every persona by key, their papers dated from `today`. The same day gives the same personas."""
    traveller, home, old_kind = russian_traveller(today), russian_at_home(today), russian_before_2011(today)
    kaz, esp, mex = kazakh(today), spanish(today), mexican(today)

    a_month_ago = today - timedelta(days=30)
    ended = replace(mex, issued_on=_years_on(a_month_ago, -6), expires_on=a_month_ago)

    takes_her_name = _Case(traveller, "td3", "RUS", "marriage", before={"surname": "KARASIKOV", "document_number": "741093586"})
    everyone = [
        takes_her_name.persona("approve_marriage", "Took his wife's surname; new Russian passport for travel.", APPROVE),
        _Case(kaz, "td3", "KAZ", "new_passport", before={"document_number": "N09318472"}).persona(
            "approve_new_passport", "Kazakh passport renewed; only number and dates are new.", APPROVE, seed=2),
        _Case(mex, "td3", "MEX", "new_passport", before={"document_number": "G30917254"}).persona(
            "approve_mexican", "Mexican passport renewed.", APPROVE, seed=3),
        _Case(esp, "td3", "ESP", "mistake", before={"surname": "ARISMUÑO FUENLLANA"}).persona(
            "approve_mistake", "One letter of a Spanish surname was typed wrong when the account was opened.", APPROVE, seed=4),
        _Case(home, "ru_internal", "RUS", "marriage", before={"surname": "ПЕРЕПЁЛКИН", "document_number": "2814307718"}).persona(
            "approve_internal", "The same with a Russian internal passport.", APPROVE, seed=5),
        _Case(old_kind, "ru_internal", "RUS", "new_passport", before={"document_number": "2805117360"}).persona(
            "approve_no_zone", "A Russian paper from before 2011: its strip is blank.", APPROVE, zone=False, seed=6),
        takes_her_name.persona(
            "refer_impostor", "Somebody else holds the phone: the selfie is another man's.",
            _refer("selfie_document_faces_differ", "selfie_on_file_faces_differ"), selfie=("b", 1), seed=7),
        takes_her_name.persona(
            "refer_thief", "Selfie and portrait are one man's, the account is another's.",
            _refer("selfie_on_file_faces_differ", "document_on_file_faces_differ"), selfie=("b", 1), printed=("b", 1), seed=8),
        replace(takes_her_name.persona(
            "refer_one_letter", "The claim has one letter that the passport has not.", _refer("surname_differs"), seed=9),
            claim=takes_her_name.claim() | {"surname": one_letter_off(traveller.surname)}),
        takes_her_name.persona(
            "refer_edited_print", "The printed surname was edited to fit the claim; the zone still says the old name.",
            _refer("zones_disagree"), faults=Faults(zone_only={"surname": "KARASIKOV"}), seed=10),
        takes_her_name.persona(
            "refer_edited_number", "The printed number was edited, the zone was not.", _refer("zones_disagree"),
            faults=Faults(zone_only={"document_number": "741093586"}), seed=11),
        takes_her_name.persona(
            "refer_wrong_check_digit", "The zone was drawn by hand: its check digit of the number is wrong.",
            _refer("mrz_check_digit_wrong"), faults=Faults(wrong_check="document_number"), seed=12),
        _Case(ended, "td3", "MEX", "new_passport", before={"document_number": "G30917254"}).persona(
            "refer_expired", "The passport expired a month ago.", _refer("document_expired"), seed=13),
        _Case(utopian(today), "td3", "UTO", "new_passport", before={"document_number": "U11820464"}).persona(
            "refer_specimen", "A specimen, not a passport.", _refer("document_is_specimen"),
            faults=Faults(specimen_word=True), seed=14),
        takes_her_name.persona(
            "retake_blurred_document", "The hand shook over the passport.", _retake("document", "document_blurred"),
            defect="blurred", seed=15),
        takes_her_name.persona(
            "retake_blurred_selfie", "The selfie is out of focus.", _retake("selfie", "selfie_blurred"),
            selfie_kind="blurred", seed=16),
        takes_her_name.persona(
            "retake_dark_selfie", "The selfie was taken in the dark.", _retake("selfie", "selfie_too_dark"),
            selfie_kind="dark", seed=17),
    ]  # fmt: skip
    return {persona.key: persona for persona in everyone}


DEMO = ("approve_marriage", "refer_one_letter", "retake_blurred_document")
"""One persona for each way a case can end, for `bin/up`."""


@dataclass(frozen=True, slots=True)
class _Case:
    """A paper and what the account said before: all of the paper's own values but for `before`."""

    paper: Person
    kind: Kind
    country: str
    reason: str
    before: dict[str, str] = field(default_factory=dict)

    def claim(self) -> dict[str, str]:
        stated = _known(self.paper)
        del stated["nationality"]  # the form does not ask again for what no paper of the same state can change
        return {"reason": self.reason, **stated}

    def persona(self, key: str, story: str, expected: dict[str, Any], **other: Any) -> Persona:
        profile = {**_known(self.paper), **self.before, "earlier_numbers": []}
        profile.pop("expires_on", None)
        return Persona(key=key, story=story, kind=self.kind, country=self.country, paper=self.paper, profile=profile,
                       claim=self.claim(), expected=expected, **other)  # fmt: skip


def _known(paper: Person) -> dict[str, str]:
    """What a lender asks for and holds."""
    wanted = ("surname", "given_names", "patronymic", "date_of_birth", "sex", "nationality", "document_number", "expires_on")
    values = paper.values()
    if paper.surname_native is not None:
        values.pop("patronymic", None)  # a Latin account has none
    return {name: values[name] for name in wanted if name in values}


def _refer(*reasons: str) -> dict[str, Any]:
    return {"outcome": "refer", "reasons": list(reasons), "retake": []}


def _retake(photo: str, *reasons: str) -> dict[str, Any]:
    return {"outcome": "retake", "reasons": list(reasons), "retake": [photo]}


def _years_on(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return date(day.year + years, 2, 28)


assert {country for _, country, _ in PAPERS.values()} == set(STATES)
