"""The first two pages over HTTP, without script: what is asked, what comes back, what is kept."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from cases import customers, intake
from cases.models import Case
from tests.webapp.conftest import ANNA, Browser, Portal
from verification.evidence import ChangeReason, Field
from webapp.portal.forms import Paper

NEW = {"surname": "Петрова", "document_number": "45 24 654321", "issued_on_day": "1.2.2026"}
TRAVEL = {"surname_native": "Щербакова", "document_number": "71 1234567", "expires_on_day": "1 февраля 2030"}

KAZAKH = {
    Field.SURNAME: "ZHANDOSULY",
    Field.GIVEN_NAMES: "ERASYL",
    Field.SURNAME_NATIVE: "ЖАНДОСҰЛЫ",
    Field.GIVEN_NAMES_NATIVE: "ЕРАСЫЛ",
    Field.DATE_OF_BIRTH: "1985-03-07",
    Field.NATIONALITY: "KAZ",
    Field.DOCUMENT_NUMBER: "N14760925",
}
SPANISH = {
    Field.SURNAME: "ARIZMUÑO FUENLLANA",
    Field.GIVEN_NAMES: "JOAQUÍN",
    Field.DATE_OF_BIRTH: "1981-06-14",
    Field.NATIONALITY: "ESP",
    Field.DOCUMENT_NUMBER: "XDB407185",
}


def details(
    portal: Portal, reason: str = "marriage", paper: str = "ru_internal", values: dict[Field, str] | None = None
) -> Browser:
    """A customer who has come to the second page."""
    browser = portal.sign_in(portal.customer(values=values))
    browser.post("/request/reason", reason=reason, paper=paper)
    browser.get("/request/details")
    return browser


def value_of(answer: TestResponse, name: str) -> str:
    """What stands in an input."""
    found = re.search(rf'<input id="{name}"[^>]* value="([^"]*)"', answer.text)
    assert found, name
    return html.unescape(found[1])


def kept(portal: Portal) -> dict[Field, str]:
    """What the one draft claims."""
    with portal.db.reading() as session:
        return intake.claim_of(session, session.scalars(select(Case)).one())[0].values


def links(answer: TestResponse) -> list[str]:
    """Where the summary on top leads to; each must be there."""
    found = re.findall(r'<li><a href="#([^"]+)">', answer.text)
    assert all(f'id="{name}"' in answer.text for name in found)
    return found


# --- Which document


def test_documents_of_her_country_are_offered_first_and_her_own_is_chosen(portal: Portal) -> None:
    page = portal.sign_in(portal.customer(values=SPANISH)).get("/request/reason").text
    assert re.findall(r'id="paper-(\w+)"', page)[:2] == ["es", "es_card"]
    assert re.search(r'id="paper-es" value="es" checked', page)


def test_an_unchosen_document_is_pointed_at_where_the_list_begins(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer(values=KAZAKH))
    browser.get("/request/reason")
    answer = browser.post("/request/reason", reason="court")
    assert answer.status_code == 422 and links(answer) == ["paper-kz"]


def test_a_card_is_remembered_as_a_card_while_she_goes_back(portal: Portal) -> None:
    browser = details(portal, "court", "es_card", SPANISH)
    form = {"surname": "García Núñez", "document_number": "BAA 000589", "expires_on_day": "1.1.9999"}
    case = str(browser.post("/request/details", **form).location).removesuffix("/photos/document")
    page = browser.get(f"{case}/details")
    assert "soporte" in page.text and value_of(page, "document_number") == "BAA000589"
    assert value_of(page, "expires_on_year") == "9999"


@pytest.mark.parametrize("paper", Paper)
@pytest.mark.parametrize("reason", ["court", "mistake", "new_passport"])
def test_every_document_has_its_page(portal: Portal, paper: Paper, reason: str) -> None:
    page = details(portal, reason, paper.value).get("/request/details")
    assert page.status_code == 200
    ids = re.findall(r'\bid="([^"]+)"', page.text)
    assert len(ids) == len(set(ids))
    for about in re.findall(r'aria-describedby="([^"]+)"', page.text):
        assert set(about.split()) <= set(ids), about
    assert set(re.findall(r'<label for="([^"]+)"', page.text)) <= set(ids)


def test_inputs_tell_keyboards_and_browsers_what_they_are(portal: Portal) -> None:
    page = details(portal, "mistake").get("/request/details").text

    def tag(name: str) -> str:
        found = re.search(rf'<input id="{name}"[^>]*>', page)
        assert found
        return found[0]

    assert 'autocomplete="family-name"' in tag("surname") and 'autocapitalize="words"' in tag("surname")
    assert 'autocomplete="bday-day"' in tag("date_of_birth_day") and 'inputmode="numeric"' in tag("date_of_birth_year")
    assert 'inputmode="numeric"' in tag("document_number") and 'autocomplete="off"' in tag("document_number")
    assert 'autocomplete="bday' not in tag("issued_on_day")
    assert "inputmode" not in tag("issued_on_month")  # a name of a month needs letters


# --- Names of two scripts


def test_a_latin_spelling_is_suggested_after_the_form_was_sent_and_kept_after_a_second_look(portal: Portal) -> None:
    browser = details(portal, "marriage", "ru_travel")
    answer = browser.post("/request/details", **TRAVEL)
    assert answer.status_code == 422 and value_of(answer, "surname") == "Shcherbakova"
    assert links(answer) == ["surname"] and "Nearly done" in answer.text and 'class="problem"' not in answer.text
    again = browser.post("/request/details", **TRAVEL, surname=value_of(answer, "surname"))
    assert again.status_code == 303
    assert (kept(portal)[Field.SURNAME], kept(portal)[Field.SURNAME_NATIVE]) == ("Shcherbakova", "Щербакова")


def test_a_foreign_spelling_passes_after_a_tick(portal: Portal) -> None:
    browser = details(portal, "marriage", "ru_travel")
    form = {**TRAVEL, "surname_native": "Шмидт", "surname": "Schmidt"}
    answer = browser.post("/request/details", **form)
    assert answer.status_code == 422 and "Spelled differently in my passport" in answer.text and links(answer) == ["surname"]
    assert browser.post("/request/details", **form, sure="surname").status_code == 303
    assert kept(portal)[Field.SURNAME] == "Schmidt"


def test_spellings_are_told_to_customers_only_and_by_post_only(portal: Portal) -> None:
    browser = details(portal, "marriage", "ru_travel")
    assert browser.post("/request/spellings", name="Юлия", country="RUS").json == {"spellings": ["Iuliia", "Yuliya", "Iouliia"]}
    assert browser.post("/request/spellings", name="<b>", country="nowhere").json == {"spellings": []}
    assert browser.get("/request/spellings?name=x").status_code == 405
    stranger = portal.browser()
    stranger.get("/sign-in")
    assert stranger.post("/request/spellings", name="Юлия").status_code == 303


def test_what_is_held_stands_beside_in_the_same_letters(portal: Portal) -> None:
    page = details(portal, "court", "kz", KAZAKH).get("/request/details").text
    for name, old in {"surname_native": "ЖАНДОСҰЛЫ", "surname": "ZHANDOSULY"}.items():
        assert re.search(rf'id="{name}-old">[^<]*<span[^>]*>{old}<', page), name
    page = details(portal, "marriage", "ru_travel", ANNA).get("/request/details").text
    assert re.search(r'id="surname_native-old">[^<]*<span[^>]*>ИВАНОВА<', page) and 'id="surname-old"' not in page


# --- Mended, and said


def test_a_look_alike_is_replaced_and_shown_before_it_counts(portal: Portal) -> None:
    browser = details(portal)
    answer = browser.post("/request/details", **{**NEW, "surname": "Петpова"})
    assert answer.status_code == 422 and value_of(answer, "surname") == "Петрова"
    assert "Latin letters replaced by Cyrillic ones that look the same: 1." in answer.text
    assert re.search(r'<input id="surname"[^>]*aria-describedby="[^"]*surname-note', answer.text)
    assert browser.post("/request/details", **NEW).status_code == 303
    assert kept(portal)[Field.SURNAME] == "Петрова"


def test_what_was_only_tidied_goes_on_and_is_said_on_the_next_page(portal: Portal) -> None:
    browser = details(portal)
    answer = browser.post("/request/details", **{**NEW, "surname": "Пет\u00adрова  –  Ива"})
    assert answer.status_code == 303
    assert kept(portal)[Field.SURNAME] == "Петрова-Ива"
    assert "Surname: Extra spaces, hidden characters" in browser.get(str(answer.location)).text


@pytest.mark.parametrize(
    ("paper", "values", "form"),
    [
        ("es", SPANISH, {"surname": "'t Hooft", "given_names": "Ma. José", "document_number": "PAA123456"}),
        ("mx", SPANISH, {"surname": "DE LA CRUZ NÚÑEZ", "given_names": "Mª Ángeles", "document_number": "g 12345678"}),
        ("mx_card", SPANISH, {"surname": "Peña", "document_number": "123 456 789"}),
        ("kz", KAZAKH, {"surname_native": "Әбілқасымұлы", "surname": "Abilqasymuly", "document_number": "n12345678"}),
        (
            "kz_card",
            KAZAKH,
            {"surname_native": "ҒАЗЕЗ", "surname": "GAZEZ", "document_number": "041236587", "no_patronymic": "1"},
        ),
        ("other", SPANISH, {"given_names": "Suharto", "document_number": "U41927365"}),
        (
            "ru_travel",
            ANNA,
            {"surname_native": "Римская-Корсакова", "surname": "Rimskaya-Korsakova", "document_number": "711234567"},
        ),
    ],
)
def test_real_people_get_through_in_one_go(portal: Portal, paper: str, values: dict[Field, str], form: dict[str, str]) -> None:
    browser = details(portal, "court", paper, values)
    answer = browser.post("/request/details", **form, expires_on_day="7", expires_on_month="июн", expires_on_year="2031")
    assert answer.status_code == 303, re.findall(r'<li><a href="#[^"]+">([^<]+)', answer.text)
    claim = kept(portal)
    assert claim[Field.EXPIRES_ON] == "2031-06-07"
    for name in ("surname", "surname_native", "given_names"):
        if name in form:
            assert claim[Field(name)] == form[name]


# --- Odd, and confirmed


def test_an_expired_passport_passes_after_a_tick_that_stays_ticked(portal: Portal) -> None:
    browser = details(portal, "court", "es", SPANISH)
    form = {"surname": "García", "document_number": "PAA123456", "expires_on_day": "1.2.2024"}
    answer = browser.post("/request/details", **form)
    assert answer.status_code == 422 and "February 1, 2024" in answer.text and "I have no newer one" in answer.text
    both = browser.post("/request/details", **{**form, "document_number": "1"}, sure="expires_on_day")
    assert re.search(r'name="sure" value="expires_on_day" checked', both.text) and links(both) == ["document_number"]
    assert browser.post("/request/details", **form, sure="expires_on_day").status_code == 303


def test_problems_come_before_second_looks(portal: Portal) -> None:
    browser = details(portal)
    answer = browser.post("/request/details", **{**NEW, "surname": "Петpова", "document_number": "1"})
    assert links(answer) == ["document_number"] and "Nearly done" not in answer.text
    assert "replaced by Cyrillic" in answer.text and value_of(answer, "surname") == "Петрова"


def test_the_part_of_a_date_that_is_wrong_is_marked_and_linked(portal: Portal) -> None:
    browser = details(portal)
    answer = browser.post("/request/details", **{**NEW, "issued_on_day": "3", "issued_on_month": "27", "issued_on_year": "2026"})
    assert links(answer) == ["issued_on_month"] and "have day and month changed places?" in answer.text
    marked = re.findall(r'<input id="([^"]+)"[^>]*aria-invalid="true"', answer.text)
    assert marked == ["issued_on_month"] and value_of(answer, "issued_on_month") == "27"


# --- No change


@pytest.mark.parametrize(
    ("reason", "paper", "form"),
    [
        ("mistake", "ru_internal", {"surname": "Иванова", "given_names": "анна", "patronymic": "Сергеевна"}),
        ("mistake", "ru_internal", {"document_number": "45 10 123456", "issued_on_day": "1.6.2010"}),
        ("mistake", "ru_travel", {"surname_native": "Иванова", "surname": "Ivanova"}),
    ],
)
def test_the_same_in_other_letters_opens_no_request(portal: Portal, reason: str, paper: str, form: dict[str, str]) -> None:
    answer = details(portal, reason, paper).post("/request/details", **form)
    assert answer.status_code == 422 and "This is what we hold already: nothing would change" in answer.text
    with portal.db.reading() as session:
        assert session.scalars(select(Case)).first() is None


def test_what_stays_is_kept_as_it_is_held(portal: Portal) -> None:
    browser = details(portal, "court")
    answer = browser.post("/request/details", **NEW, given_names="Анна", patronymic="Сергеевна")
    assert answer.status_code == 303
    assert kept(portal)[Field.GIVEN_NAMES] == "АННА" and kept(portal)[Field.SURNAME] == "Петрова"


def test_a_changed_address_alone_is_a_change(portal: Portal) -> None:
    answer = details(portal, "mistake").post("/request/details", surname="Иванова", email="new@example.test")
    assert answer.status_code == 303


# --- The page itself


def test_names_stand_in_no_address_and_no_log(portal: Portal, capfd: pytest.CaptureFixture[str]) -> None:
    browser = details(portal, "marriage", "ru_travel")
    capfd.readouterr()
    answer = browser.post("/request/details", **TRAVEL)
    browser.post("/request/spellings", name="Щербакова", country="RUS")
    answer = browser.post("/request/details", **TRAVEL, surname="Shcherbakova")
    said = "".join(capfd.readouterr())
    assert '"served"' in said
    for text in ("Щербакова", "hcherbakova", "1234567"):
        assert text not in said and text not in str(answer.location)


def test_the_script_keeps_no_tables_of_its_own() -> None:
    script = (Path(__file__).resolve().parents[2] / "static" / "js" / "details.js").read_text()
    assert not re.search("[А-Яа-яЁё]", script)  # letters and spellings come from the server with the page


def test_every_reason_can_be_told_with_every_document(portal: Portal) -> None:
    browser = portal.sign_in(portal.customer())
    for reason in ChangeReason:
        for paper in Paper:
            browser.get("/request/reason")
            browser.post("/request/reason", reason=reason.value, paper=paper.value)
            assert browser.post("/request/details").status_code == 422, (reason, paper)  # an empty form is never a crash


def test_who_is_erased_while_she_types_is_led_to_the_door(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    def erased(*_given: object, **_more: object) -> Case:
        raise customers.Erased

    browser = details(portal)
    monkeypatch.setattr(intake, "open_case", erased)
    answer = browser.post("/request/details", **NEW)
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    with portal.db.reading() as session:
        assert session.scalars(select(Case)).all() == []
