"""How typed text becomes a claim: names, numbers and dates of every document the portal takes. No page, no database."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from datetime import date

import pytest
from flask import Flask
from flask_babel import Babel
from hypothesis import given
from hypothesis import strategies as st

from verification import names
from verification.documents import national
from verification.evidence import ChangeReason, Field
from webapp.portal import forms, typed
from webapp.portal.forms import Paper
from webapp.portal.typed import Script

TODAY = date(2026, 11, 22)


@pytest.fixture(autouse=True, scope="module")
def english() -> Iterator[None]:
    """Sentences in their own language."""
    app = Flask(__name__)
    Babel(app)
    with app.test_request_context():
        yield


def answers(paper: Paper, form: dict[str, str], reason: ChangeReason = ChangeReason.COURT, **more: object) -> forms.Answers:
    """What becomes of a form."""
    return forms.read_answers(form, forms.asked(reason, paper), on=TODAY, paper=paper, reason=reason, **more)  # type: ignore[arg-type]


# --- Names


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("Ёлкина", Script.CYRILLIC),
        ("Римская-Корсакова", Script.CYRILLIC),
        ("Ә", Script.CYRILLIC),
        ("Әбілқасымұлы", Script.CYRILLIC),
        ("ҒАЗЕЗ ҚОҢЫР ӨТЕГЕН ҰЛЫ ҮМІТ ҺӘМ", Script.CYRILLIC),
        ("О'Коннор", Script.CYRILLIC),
        ("Ким Чен Ын", Script.CYRILLIC),
        ("Сухарто", Script.CYRILLIC),
        ("'t Hooft", Script.LATIN),
        ("'Abd al-Rahman", Script.LATIN),
        ("Ma. José", Script.LATIN),
        ("Ma.", Script.LATIN),
        ("Mª del Carmen", Script.LATIN),
        ("Davis Jr.", Script.LATIN),
        ("NUÑEZ DE LA PEÑA Y GÓMEZ-ACEBO", Script.LATIN),
        ("Güell", Script.LATIN),
        ("Estel·la", Script.LATIN),
        ("Ng", Script.LATIN),
        ("O", Script.LATIN),
        ("Đoković Øystein Łukasz Çelik Ştefan ẞ", Script.LATIN),
        ("A" * 100, Script.LATIN),
    ],
)
def test_real_names_are_taken_as_they_are(name: str, script: Script) -> None:
    got = typed.read_name(name, script, None)
    assert (got.value, got.problem, got.look, got.told) == (name, None, None, None)


@pytest.mark.parametrize(
    ("pasted", "name"),
    [
        ("Анна  Мария", "Анна Мария"),
        ("Анна\u00a0Мария", "Анна Мария"),
        ("Анна\u202fМария", "Анна Мария"),
        ("Пет\u00adрова", "Петрова"),
        ("\ufeffПет\u200bро\u200dва", "Петрова"),
        ("\u202eПетрова\u202c", "Петрова"),
        ("О’Коннор", "О'Коннор"),
        ("ОʼКоннор", "О'Коннор"),
        ("Римская—Корсакова", "Римская-Корсакова"),
        ("Римская – Корсакова", "Римская-Корсакова"),
        ("Римская\u2011Корсакова", "Римская-Корсакова"),
        ("Анна\tМария", "Анна Мария"),
    ],
)
def test_what_a_clipboard_adds_is_tidied_and_told(pasted: str, name: str) -> None:
    got = typed.read_name(pasted, Script.CYRILLIC, "RUS")
    assert (got.value, got.shown, got.look) == (name, name, None)
    assert got.told and name not in got.told


@pytest.mark.parametrize("name", ["Николай", "Ёлкина", "Núñez"])
def test_a_name_in_decomposed_form_is_the_same_name_and_not_worth_a_word(name: str) -> None:
    script = Script.LATIN if name.startswith("N") else Script.CYRILLIC
    assert typed.read_name(unicodedata.normalize("NFD", name), script, None) == typed.Typed(shown=name, value=name)


@pytest.mark.parametrize(
    ("text", "script", "country", "name", "number"),
    [
        ("Петpова", Script.CYRILLIC, "RUS", "Петрова", 1),  # a Latin p
        ("ПEТPOВА", Script.CYRILLIC, "RUS", "ПЕТРОВА", 3),
        ("Cеменова", Script.CYRILLIC, "RUS", "Семенова", 1),
        ("Aлёна Cергеевна", Script.CYRILLIC, "RUS", "Алёна Сергеевна", 2),
        ("Cемëнов", Script.CYRILLIC, "RUS", "Семёнов", 2),
        ("Əйгерiм", Script.CYRILLIC, "KAZ", "Әйгерім", 2),
        ("Iнжу", Script.CYRILLIC, "KAZ", "Інжу", 1),
        ("Lоpez", Script.LATIN, "ESP", "Lopez", 1),  # a Cyrillic о
        ("GАRСIА", Script.LATIN, "MEX", "GARCIA", 3),
    ],
)
def test_a_look_alike_of_the_other_script_is_replaced_and_said(
    text: str, script: Script, country: str, name: str, number: int
) -> None:
    got = typed.read_name(text, script, country)
    assert got.value == got.shown == name and got.problem is None
    assert got.look and f": {number}." in got.look


@pytest.mark.parametrize(
    ("text", "script", "country", "letter"),
    [
        ("Петrова", Script.CYRILLIC, "RUS", "“r”"),
        ("Iванова", Script.CYRILLIC, "RUS", "“I”"),  # no letter of Russian: И, or a slip for another
        ("Gаrcя", Script.LATIN, "ESP", "“я”"),
        ("Παпова", Script.CYRILLIC, "RUS", "“Π”"),
    ],
)
def test_a_mixture_that_cannot_be_mended_is_asked_about(text: str, script: Script, country: str, letter: str) -> None:
    got = typed.read_name(text, script, country)
    assert got.value == "" and got.shown == text and got.problem and letter in got.problem


def test_latin_letters_throughout_are_no_look_alikes_even_where_all_look_alike() -> None:
    assert (
        typed.read_name("BEPA", Script.CYRILLIC, "RUS").problem == "Type this name in Cyrillic letters, as the passport prints it"
    )


def test_a_cyrillic_name_in_the_latin_field_is_spelled_and_shown() -> None:
    got = typed.read_name("СОРОКА", Script.LATIN, "RUS")
    assert got.value == "SOROKA" and got.look  # not COPOKA


def test_look_alikes_agree_with_what_the_machine_knows() -> None:
    for script in Script:
        for theirs, ours in zip(*typed.alike(script, None), strict=True):
            assert typed.script_of(ours) is script and typed.script_of(theirs) not in (script, None), (theirs, ours)
            if theirs.isupper() and theirs not in "ËЁ":
                assert names.look_alike(theirs, ours), (theirs, ours)


NAME = st.text(st.sampled_from("АБВЁЖабвёжӘҚІіABCñáü'-.· \u00a0\u00ad\u200b’—0"), max_size=40)


@given(NAME, st.sampled_from(Script), st.sampled_from(["RUS", "KAZ", "ESP", None]))
def test_what_is_shown_after_mending_is_taken_the_second_time(text: str, script: Script, country: str | None) -> None:
    first = typed.read_name(text, script, country)
    if first.problem:
        assert first.value == ""
        return
    again = typed.read_name(first.shown, script, country)
    assert again == typed.Typed(shown=first.value, value=first.value)  # or a page without script would never let her on


@given(st.text(max_size=300), st.sampled_from(Script))
def test_no_text_at_all_breaks_a_name(text: str, script: Script) -> None:
    got = typed.read_name(text, script, "KAZ")
    assert (got.problem is None) != (got.value == "")


# --- Spellings


@pytest.mark.parametrize(
    ("name", "country", "offered"),
    [
        ("ЮЛИЯ", "RUS", ("IULIIA", "YULIYA", "IOULIIA")),
        ("Юлия", "RUS", ("Iuliia", "Yuliya", "Iouliia")),
        ("ЩЕРБАКОВА", "RUS", ("SHCHERBAKOVA", "CHTCHERBAKOVA")),
        ("О’КОННОР", "RUS", ("O'KONNOR",)),
        ("ЮРЬЕВ", "RUS", ("IUREV", "YURYEV", "IOURIEV")),  # without the apostrophe of 1997
        ("Римская-Корсакова", "RUS", ("Rimskaia-Korsakova", "Rimskaya-Korsakova")),
        ("IVANOVA", "RUS", ()),
        ("", "RUS", ()),
    ],
)
def test_todays_rule_is_suggested_first_and_the_older_ones_offered(name: str, country: str, offered: tuple[str, ...]) -> None:
    assert typed.spellings(name, country) == offered


@pytest.mark.parametrize("name", ["ӘЙГЕРІМ", "ҚОҢЫРБАЙ", "ӨТЕГЕН", "ҰЛЫ", "ҮМІТ", "ҺӘМ", "ҒАЗЕЗ"])
def test_kazakh_letters_have_a_spelling(name: str) -> None:
    offered = typed.spellings(name, "KAZ")
    assert offered and all(text.isascii() for text in offered)


@pytest.mark.parametrize("country", ["RUS", "KAZ"])
@pytest.mark.parametrize("name", ["ЩЕРБАКОВ", "ЮРЬЕВ", "СОЛОВЬЁВ", "ЖАНДОСҰЛЫ", "ДМИТРИЙ", "ОБЪЕДКОВ", "Ёлкина-Ильин"])
def test_every_spelling_offered_is_understood_by_the_machine(name: str, country: str) -> None:
    offered = typed.spellings(name, country)
    assert offered
    for latin in offered:
        compared = names.compare(latin, name, field=Field.SURNAME, country=country)
        assert compared.agreement == 1.0 and compared.rule is not None, latin
        assert typed.read_name(latin, Script.LATIN, country).problem is None


# --- Numbers


@pytest.mark.parametrize(
    ("paper", "text", "value", "shown"),
    [
        (Paper.RU_INTERNAL, "4510123456", "4510123456", "45 10 123456"),
        (Paper.RU_INTERNAL, " 45-10  № 123 456 ", "4510123456", "45 10 123456"),
        (Paper.RU_INTERNAL, "45\u00a010\u00a0123456", "4510123456", "45 10 123456"),
        (Paper.RU_TRAVEL, "71 № 1234567", "711234567", "71 1234567"),
        (Paper.KZ, "n 1234 5678", "N12345678", "N 12345678"),
        (Paper.KZ_CARD, "041 236 587", "041236587", "041236587"),
        (Paper.ES, "paa 123-456", "PAA123456", "PAA 123456"),
        (Paper.ES_CARD, "BAA000589", "BAA000589", "BAA000589"),
        (Paper.ES_CARD, "E 12345678", "E12345678", "E12345678"),
        (Paper.MX, "g12345678", "G12345678", "G 12345678"),
        (Paper.MX_CARD, "123 456 789", "123456789", "123456789"),
        (Paper.OTHER, "u-4192 7365", "U41927365", "U41927365"),
    ],
)
def test_a_number_is_taken_in_any_spacing_and_shown_in_groups(paper: Paper, text: str, value: str, shown: str) -> None:
    got = answers(paper, {"document_number": text})
    assert got.values[Field.DOCUMENT_NUMBER] == value
    assert got.typed["document_number"] == shown
    questions = forms.asked(ChangeReason.COURT, paper)
    assert forms.prefill(questions, {Field.DOCUMENT_NUMBER: value})["document_number"] == shown


@pytest.mark.parametrize("paper", Paper)
def test_each_number_says_what_is_expected_and_how_much_was_seen(paper: Paper) -> None:
    sentence = answers(paper, {"document_number": "12"}).problems["document_number"]
    assert "Typed so far: 2." in sentence and len(sentence) > 40
    assert "987654321987" not in answers(paper, {"document_number": "987654321987654321"}).problems["document_number"]


@pytest.mark.parametrize(
    ("paper", "text", "words"),
    [
        (Paper.RU_INTERNAL, "45I0123456", "a letter stands for a digit"),
        (Paper.KZ, "123456789", "a letter stands for a digit, or a digit for a letter"),
        (Paper.KZ, "850307300124", "IIN"),
        (Paper.KZ_CARD, "850307300124", "IIN"),
        (Paper.ES, "12345678Z", "DNI"),
        (Paper.ES_CARD, "12345678Z", "NÚM. SOPORTE"),
        (Paper.ES_CARD, "X1234567L", "NÚM. SOPORTE"),
        (Paper.MX, "BOXW310820HNERXN09", "CURP"),
        (Paper.MX_CARD, "HRGRJN82050602H900", "IDMEX"),
        (Paper.RU_INTERNAL, "45 10 12345?", "“?”"),
    ],
)
def test_the_wrong_number_of_the_right_paper_is_recognised(paper: Paper, text: str, words: str) -> None:
    assert words in answers(paper, {"document_number": text}).problems["document_number"]


def test_cyrillic_letters_of_a_number_are_replaced_and_told() -> None:
    got = answers(Paper.ES, {"surname": "García", "document_number": "РАА123456", "expires_on_day": "1.2.2030"})
    assert got.values[Field.DOCUMENT_NUMBER] == "PAA123456" and got.done
    assert any("Cyrillic letters" in sentence for sentence in got.told)


@pytest.mark.parametrize(
    ("paper", "right", "wrong"),
    [
        (Paper.KZ, "850307 300124", "850307300125"),
        (Paper.KZ_CARD, "061211600012", "061211600013"),
        (Paper.ES, "12345678-Z", "12345678A"),
        (Paper.ES_CARD, "X1234567L", "X1234567A"),
        (Paper.MX, "BOXW310820HNERXN09", "BOXW310820HNERXN08"),
    ],
)
def test_a_check_letter_that_does_not_fit_is_asked_about_and_may_be_confirmed(paper: Paper, right: str, wrong: str) -> None:
    assert answers(paper, {"personal_number": right}, ChangeReason.MISTAKE).done
    odd = answers(paper, {"personal_number": wrong}, ChangeReason.MISTAKE)
    assert list(odd.asks) == ["personal_number"] and not odd.problems
    assert answers(paper, {"personal_number": wrong}, ChangeReason.MISTAKE, sure=["personal_number"]).done


@given(st.from_regex(r"\A[0-9]{12}\Z"))
def test_the_check_of_an_iin_is_the_machines(number: str) -> None:
    number = "".join(str(int(c)) for c in number)
    digits = [int(c) for c in number]
    if typed.iin_fits(number) != national.iin_is_valid(number):  # the machine also wants a day that exists
        assert typed.iin_fits(number) and not national.encoded(number, national.Kind.IIN).births, digits


# --- Dates


@pytest.mark.parametrize(
    ("day", "month", "year"),
    [
        ("1", "2", "2026"), ("01", "02", "2026"), ("1", "февраля", "2026"), ("1", "Февраль", "2026"), ("1", "фев", "2026"),
        ("1", "ақпан", "2026"), ("1", "febrero", "2026"), ("1", "feb.", "2026"), ("1", "FEBRUARY", "2026"),
        ("01.02.2026", "", ""), ("1/2/2026", "", ""), ("1 февраля 2026", "", ""), ("1 de febrero de 2026", "", ""),
        ("", "", "2026-02-01"),
    ],
)  # fmt: skip
def test_a_day_is_taken_as_people_write_it(day: str, month: str, year: str) -> None:
    form = {"issued_on_day": day, "issued_on_month": month, "issued_on_year": year}
    assert answers(Paper.RU_INTERNAL, form).values[Field.ISSUED_ON] == "2026-02-01"


def test_each_month_is_known_by_all_its_names() -> None:
    from babel.dates import get_month_names

    for language in ("ru", "kk", "es", "en"):
        for width in ("wide", "abbreviated"):
            for context in ("format", "stand-alone"):
                for number, name in get_month_names(width, context, language).items():
                    assert typed.month_of(name) == typed.month_of(name.upper()) == number, (language, name)


@pytest.mark.parametrize(
    ("parts", "at", "words"),
    [
        (("30", "2", "2026"), "day", "the last day of that month is the 28"),
        (("29", "2", "2024"), "", ""),
        (("0", "2", "2026"), "day", "no such day"),
        (("3", "27", "2026"), "month", "There is no month 27: have day and month changed places?"),
        (("31", "13", "2026"), "month", "There is no month 13"),
        (("1", "ма", "2026"), "month", "by its name"),
        (("1", "2", "26"), "year", "four digits"),
        (("1", "2", "2027"), "year", "still to come"),
        (("23", "11", "2026"), "day", "still to come"),
        (("1", "2", "1826"), "year", "Check the year"),
        (("1", "", "2026"), "month", "Type the month as well"),
        (("", "2", "2026"), "day", "Type the day as well"),
        (("x", "2", "2026"), "day", "as a number"),
        (("१", "2", "2026"), "day", "as a number"),
    ],
)
def test_an_impossible_day_is_explained_at_the_part_that_is_wrong(parts: tuple[str, str, str], at: str, words: str) -> None:
    form = dict(zip(("issued_on_day", "issued_on_month", "issued_on_year"), parts, strict=True))
    got = answers(Paper.RU_INTERNAL, {**form, "surname": "Иванова", "document_number": "4510123456"})
    if not at:
        assert not got.problems
        return
    assert list(got.problems) == [f"issued_on_{at}"] and words in got.problems[f"issued_on_{at}"]


@given(st.tuples(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12)))
def test_no_text_at_all_breaks_a_date(parts: tuple[str, str, str]) -> None:
    value, at, problem = typed.read_date(typed.date_parts(parts), TODAY, past=True)
    assert at in (0, 1, 2) and (problem is None) == bool(value)
    assert not value or date.fromisoformat(value) <= TODAY


def test_a_card_for_life_is_known_in_spain_only() -> None:
    forever = {"expires_on_day": "1", "expires_on_month": "1", "expires_on_year": "9999"}
    assert answers(Paper.ES_CARD, forever).values[Field.EXPIRES_ON] == "9999-01-01"
    assert answers(Paper.ES, forever).problems["expires_on_year"] == "Check the year"


# --- What is odd


@pytest.mark.parametrize(
    ("paper", "form", "name", "words"),
    [
        (Paper.RU_TRAVEL, {"expires_on_day": "21.11.2026"}, "expires_on_day", "is over"),
        (Paper.RU_INTERNAL, {"date_of_birth_day": "1.1.2020"}, "date_of_birth_day", "age is 6"),
        (Paper.RU_INTERNAL, {"date_of_birth_day": "1.1.1901"}, "date_of_birth_day", "age is 125"),
        (Paper.RU_INTERNAL, {"issued_on_day": "1.6.2001"}, "issued_on_day", "from the age of 14"),
        (Paper.RU_INTERNAL, {"issued_on_day": "1.6.2008"}, "issued_on_day", "at the age of 20"),
    ],
)
def test_what_may_be_right_is_asked_about_once(paper: Paper, form: dict[str, str], name: str, words: str) -> None:
    held = {Field.DATE_OF_BIRTH: "1990-05-17"}
    got = answers(paper, form, ChangeReason.MISTAKE, held=held)
    assert list(got.asks) == [name] and words in got.asks[name].sentence and not got.problems
    assert answers(paper, form, ChangeReason.MISTAKE, held=held, sure=[name]).done


def test_dates_that_are_as_they_should_be_are_not_asked_about() -> None:
    held = {Field.DATE_OF_BIRTH: "1990-05-17"}
    for day in ("1.6.2010", "17.5.2010", "22.11.2026"):
        assert answers(Paper.RU_INTERNAL, {"issued_on_day": day}, ChangeReason.MISTAKE, held=held).done, day
    assert answers(Paper.RU_TRAVEL, {"expires_on_day": "22.11.2026"}, ChangeReason.MISTAKE, held=held).done


def test_the_old_number_as_the_new_one_is_asked_about() -> None:
    form = {"document_number": "45 10 123456", "issued_on_day": "1.2.2026"}
    got = answers(Paper.RU_INTERNAL, form, ChangeReason.NEW_PASSPORT, held={Field.DOCUMENT_NUMBER: "4510123456"})
    assert list(got.asks) == ["document_number"]


# --- Two scripts


def test_a_latin_spelling_is_written_for_her_and_shown_before_it_counts() -> None:
    form = {"surname_native": "Щербакова", "document_number": "711234567", "expires_on_day": "1.2.2030"}
    got = answers(Paper.RU_TRAVEL, form, ChangeReason.MARRIAGE)
    assert got.typed["surname"] == "Shcherbakova" and list(got.looks) == ["surname"] and not got.done
    again = answers(Paper.RU_TRAVEL, {**form, "surname": got.typed["surname"]}, ChangeReason.MARRIAGE)
    assert again.done and again.values[Field.SURNAME] == "Shcherbakova" and again.values[Field.SURNAME_NATIVE] == "Щербакова"


@pytest.mark.parametrize("latin", ["YULIYA", "Iouliia", "JULIA"])
def test_another_spelling_is_taken_at_once_where_a_rule_knows_it_and_else_after_a_tick(latin: str) -> None:
    form = {"given_names_native": "Юлия", "given_names": latin, "document_number": "711234567", "expires_on_day": "1.2.2030"}
    got = answers(Paper.RU_TRAVEL, form)
    assert got.done == (latin != "JULIA")
    if not got.done:
        assert got.asks["given_names"].tick == "Spelled differently in my passport"
        assert answers(Paper.RU_TRAVEL, form, sure=["given_names"]).values[Field.GIVEN_NAMES] == "JULIA"


# --- Which questions


@pytest.mark.parametrize("reason", ChangeReason)
@pytest.mark.parametrize("paper", Paper)
def test_every_document_has_its_questions_in_its_letters(reason: ChangeReason, paper: Paper) -> None:
    questions = forms.asked(reason, paper)
    fields = [q.field for q in questions]
    assert len(fields) == len(set(fields)) and Field.DOCUMENT_NUMBER in fields
    assert (Field.ISSUED_ON in fields) == (paper is Paper.RU_INTERNAL)
    assert (Field.SURNAME_NATIVE in fields) == (
        paper in (Paper.RU_TRAVEL, Paper.KZ, Paper.KZ_CARD) and reason is not ChangeReason.NEW_PASSPORT
    )
    for question in questions:
        assert str(question.label)
        if question.shape is not None and question.shape.example:
            example = typed.read_number(question.shape.example, question.shape).value
            assert example == question.shape.example.replace(" ", "")
            assert question.shape.fits is None or question.shape.fits(example)
        if question.shape is not None:
            assert sum(question.shape.groups) in (0, *question.shape.lengths)


def test_the_documents_of_her_own_country_stand_first() -> None:
    assert list(forms.papers_for("ESP"))[:2] == [Paper.ES, Paper.ES_CARD]
    assert list(forms.papers_for(None)) == list(forms.PAPER_NAMES) == list(forms.papers_for("RUS"))


@pytest.mark.parametrize(
    ("country", "values", "paper"),
    [
        ("RUS", {Field.DOCUMENT_NUMBER: "4510123456"}, Paper.RU_INTERNAL),
        ("RUS", {Field.DOCUMENT_NUMBER: "711234567"}, Paper.RU_TRAVEL),
        ("RUS", {Field.SURNAME_NATIVE: "ИВАНОВА"}, Paper.RU_TRAVEL),
        ("RUS", {}, Paper.RU_INTERNAL),
        ("KAZ", {Field.DOCUMENT_NUMBER: "N12345678", Field.PATRONYMIC: "АБАЕВНА"}, Paper.KZ),
        ("KAZ", {Field.DOCUMENT_NUMBER: "041236587"}, Paper.KZ_CARD),
        ("ESP", {Field.DOCUMENT_NUMBER: "12345678Z"}, Paper.ES_CARD),
        ("ESP", {Field.DOCUMENT_NUMBER: "PAA123456"}, Paper.ES),
        ("MEX", {Field.DOCUMENT_NUMBER: "123456789"}, Paper.MX_CARD),
        ("UTO", {}, Paper.OTHER),
        (None, {}, Paper.OTHER),
    ],
)
def test_the_document_is_guessed_from_what_is_known(country: str | None, values: dict[Field, str], paper: Paper) -> None:
    assert forms.paper_of(country, values) is paper


# --- What is no change

HELD = {Field.SURNAME: "ИВАНОВА", Field.GIVEN_NAMES: "ЮЛИЯ", Field.DOCUMENT_NUMBER: "45 10 123456", Field.ISSUED_ON: "2010-06-01"}


@pytest.mark.parametrize(
    ("values", "nothing"),
    [
        ({Field.SURNAME: "Иванова"}, True),
        ({Field.SURNAME: "Ivanova", Field.SURNAME_NATIVE: "Иванова"}, True),
        ({Field.GIVEN_NAMES: "Yuliya"}, True),
        ({Field.DOCUMENT_NUMBER: "4510123456", Field.ISSUED_ON: "2010-06-01"}, True),
        ({Field.SURNAME: "Петрова"}, False),
        ({Field.SURNAME: "Ivanowa"}, False),
        ({Field.DOCUMENT_NUMBER: "4510123457"}, False),
        ({Field.SURNAME: "Иванова", Field.ISSUED_ON: "2010-06-02"}, False),
        ({Field.PATRONYMIC: "Сергеевна"}, False),
    ],
)
def test_the_same_in_other_letters_is_no_change(values: dict[Field, str], nothing: bool) -> None:
    settled = forms.settle(values, HELD, "RUS")
    assert forms.nothing_new(settled, HELD, "RUS") is nothing


def test_capitals_are_settled_to_what_is_held_and_a_corrected_letter_is_not() -> None:
    held = {Field.SURNAME: "СЕМЕНОВ", Field.GIVEN_NAMES: "ПЁТР"}
    settled = forms.settle({Field.SURNAME: "Семёнов", Field.GIVEN_NAMES: "Пётр"}, held, "RUS")
    assert settled == {Field.SURNAME: "Семёнов", Field.GIVEN_NAMES: "ПЁТР"}
    assert not forms.nothing_new({Field.SURNAME: "Семёнов"}, held, "RUS")


def test_what_is_held_stands_at_the_question_of_its_letters() -> None:
    questions = {q.field: q for q in forms.asked(ChangeReason.MARRIAGE, Paper.RU_TRAVEL)}
    assert forms.held_for(questions[Field.SURNAME_NATIVE], HELD) == "ИВАНОВА"
    assert forms.held_for(questions[Field.SURNAME], HELD) == ""
    assert forms.held_for(questions[Field.DOCUMENT_NUMBER], HELD) == "45 10 123456"


# --- No patronymic, no second name


def test_no_patronymic_is_a_tick_and_not_both() -> None:
    base = {"surname": "Ким", "document_number": "4510123456", "issued_on_day": "1.2.2026", "no_patronymic": "1"}
    assert Field.PATRONYMIC not in answers(Paper.RU_INTERNAL, base).values
    assert answers(Paper.RU_INTERNAL, base).done
    both = answers(Paper.RU_INTERNAL, {**base, "patronymic": "Сергеевна"})
    assert list(both.problems) == ["patronymic"] and both.typed["no_patronymic"] == "1"
    held = answers(Paper.RU_INTERNAL, base, held={Field.PATRONYMIC: "СЕРГЕЕВНА"})
    assert held.done and any("Only a person can take it out" in sentence for sentence in held.told)


def test_a_detail_that_was_cleared_is_said_to_stay() -> None:
    base = {"surname": "Ким", "document_number": "4510123456", "issued_on_day": "1.2.2026"}
    got = answers(Paper.RU_INTERNAL, base, shown={"patronymic": "СЕРГЕЕВНА"})
    assert got.done and got.told == ("You left “Patronymic” empty: what we hold stays.",)
