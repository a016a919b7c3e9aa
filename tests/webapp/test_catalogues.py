"""Every text in every language: none untranslated, none left over, none that does not fit, every letter of its own script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from cases.wording import LANGUAGES, SOURCE
from webapp import catalogues

TRANSLATED = tuple(language for language in LANGUAGES if language != SOURCE)

_NAMES = """
CURP CIC DNI NIE IDESP IDMEX INE Núm NÚM SOPORTE soporte ICAO OCR García Núñez A B X Y Z
JPEG PNG WebP HEIC PDF UTC Peremena
Safari Samsung Internet aA cookie FMR FNMR DET
RUS KAZ MEX D n Redis flask audit export API
"""
NAMES = frozenset(_NAMES.split())
"""Latin words that may stand in a Cyrillic text: what papers print, forms of files, browsers and their signs, examples.

Longer only for a reason: each could hide a word that nobody translated.
"""

CYRILLIC_IN_LATIN = frozenset("ЁЕЙИ")
"""Letters that a Spanish or English text names."""

ALPHABETS = {
    "ru": "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "kk": "аәбвгғдеёжзийкқлмнңоөпрстуұүфхһцчшщъыіьэюя",
    "es": "aábcdeéfghiíjklmnñoópqrstuúüvwxyzªº",
    "en": "abcdefghijklmnopqrstuvwxyz",
}
KAZAKH = frozenset(ALPHABETS["kk"]) - frozenset(ALPHABETS["ru"])


def translations(language: str) -> Iterator[tuple[str, str]]:
    """Each text with each form of its translation."""
    for message in catalogues.catalogue(language):
        if message.id:
            for string in catalogues.said(message):
                if string:  # what is not translated yet has a test of its own
                    yield message.id if isinstance(message.id, str) else message.id[0], string


def words(text: str) -> list[str]:
    """The words of a text, without placeholders, tags, addresses, and codes such as TD3 or 255E6D42."""
    codes = r"\S+@\S+|[\w-]+\.json|https?://\S*|[0-9a-f]{8}(-[0-9a-f]+)+"
    plain = re.sub(r"%\(\w+\)[a-z]|\{\w+\}|\$\w+|<[^>]+>|&\w+;|" + codes, " ", text)
    return re.findall(r"\b[^\W\d_]+\b", unicodedata.normalize("NFC", plain))


def strays(text: str, language: str) -> list[str]:
    """Words of `text` with a letter that the alphabet of its language lacks, but for names."""
    own = set(ALPHABETS[language]) | set(ALPHABETS[language].upper())
    allowed = NAMES if language in ("ru", "kk") else NAMES | CYRILLIC_IN_LATIN
    return [word for word in words(text) if not set(word) <= own and word not in allowed]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_untranslated_or_unused(language: str) -> None:
    kept, wanted = catalogues.catalogue(language), catalogues.texts()
    assert len(wanted) > 1000
    assert catalogues.untranslated(kept, wanted) == []
    assert catalogues.unused(kept, wanted) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_their_placeholders_and_tags(language: str) -> None:
    wrong = []
    for message in catalogues.catalogue(language):
        if message.id:
            forms = (message.id,) if isinstance(message.id, str) else tuple(message.id)
            given = tuple(filter(None, catalogues.said(message)))
            if given and (lost := catalogues.misplaced(forms, given)):
                wrong.append((forms[0], lost))
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_forms_are_complete(language: str) -> None:
    """As many as the rule of the language chooses from; where one form serves many numbers it says which."""
    kept = catalogues.catalogue(language)
    plurals = [message for message in kept if message.id and not isinstance(message.id, str)]
    assert len(plurals) >= 10
    for message in plurals:
        forms = catalogues.said(message)
        assert len(forms) == kept.num_plurals and all(forms), message.id
        counted = "%(num)s" in message.id[1]
        for index, form in enumerate(forms):
            serves_many = language == "ru" or index > 0  # Russian says "1 день" and "21 день" alike
            assert "%(num)s" in form or not (counted and serves_many), (message.id[0], form)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_letter_is_of_its_own_alphabet(language: str) -> None:
    """A Latin i in a Kazakh word, a Cyrillic а in a Spanish one: readers do not see it, voices and searches do."""
    wrong = {(text, word) for text, string in translations(language) for word in strays(string, language)}
    assert wrong == set()


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_are_translations(language: str) -> None:
    """What is the same as in English, or as in another language, was not translated but copied."""
    same = {text for text, string in translations(language) if text == string and len("".join(words(text))) > 3}
    assert same <= {"Selfie", "CURP", "%(h)s h %(m)s min"}, same
    if language == "kk":
        russian = dict(translations("ru"))
        copied = {text for text, string in translations("kk") if string == russian[text] and len(words(string)) > 2}
        assert copied == set()
        own = {text: [word for word in words(string) if word not in NAMES] for text, string in translations("kk")}
        russian_ones = {text for text, said in own.items() if len(said) > 6 and not set("".join(said).lower()) & KAZAKH}
        assert russian_ones == set(), "seven words of Kazakh hardly do without a letter that Russian lacks"


@pytest.mark.parametrize("language", TRANSLATED)
def test_marks_are_those_of_the_language(language: str) -> None:
    wrong = [string for _text, string in translations(language) if re.search('[“”"]|\\.\\.\\.|  |^ | $', string)]
    if language == "es":
        wrong += [s for _t, s in translations("es") if s.count("?") != s.count("¿") or s.count("!") != s.count("¡")]
    assert wrong == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_keep_to_the_glossary(language: str) -> None:
    """People are addressed in one way, and words of one country alone are not used: docs/translations.md."""
    odd = {
        "ru": r"(?<=[а-яё,;:] )(Вы|Вас|Вам|Вами|Ваш\w*)\b|\b[Зз]аявк|\(а\)",
        "kk": r"\bсіз(?!\w)|\bсізд|\bсізг|\bсен\b|\bсенің\b|%\(\w+\)s[- ]?(ге|ға|ке|қа|ден|дан|дейін|бастап)\b",
        "es": r"\b([Oo]rdenador|[Cc]omputador|[Ss]elfi|[Tt]ú|[Vv]osotros|[Vv]uestr[oa]s?|[Tt]ienes|[Pp]uedes)\b",
    }[language]
    assert [string for _text, string in translations(language) if re.search(odd, string)] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_sentence_ends_as_it_does_in_english(language: str) -> None:
    """A heading has no full stop, a sentence has one, a label keeps its colon."""
    ends = re.compile(r"[.:?…]$")
    odd = [
        (text, string)
        for text, string in translations(language)
        if ends.findall(text) != ends.findall(string) and not text.endswith(("!", "No.")) and not string.endswith("!")
    ]
    assert odd == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_is_much_longer(language: str) -> None:
    """Pages are laid out for texts up to 40 per cent longer than in English; short words may grow by a word."""
    long = [(text, string) for text, string in translations(language) if len(string) > 1.4 * len(text) + 16]
    assert long == []


def test_no_name_is_allowed_that_no_text_needs() -> None:
    used = {word for language in ("ru", "kk") for _text, string in translations(language) for word in words(string)}
    assert used >= NAMES, NAMES - used


# --- The command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Catalogues of their own for three texts, empty."""
    monkeypatch.setattr(catalogues, "FOLDER", tmp_path)
    wanted = {"Send": ("Send",), "%(num)s day": ("%(num)s day", "%(num)s days"), "Hello, %(name)s": ("Hello, %(name)s",)}
    monkeypatch.setattr(catalogues, "texts", lambda: wanted)
    return tmp_path


def table(folder: Path, *lines: str) -> str:
    file = folder / "table.tsv"
    file.write_text("\n".join(lines), encoding="utf-8")
    return str(file)


def test_a_table_names_its_languages(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = table(
        folder,
        "msgid\tkk\tes\tru",
        "Send\tЖіберу\tEnviar\tОтправить",
        "%(num)s day\t%(num)s күн\t%(num)s día || %(num)s días\t%(num)s день || %(num)s дня || %(num)s дней",
        "Hello, %(name)s\t\tHola, %(name)s:\tЗдравствуйте, %(name)s",
    )
    assert catalogues.main([file]) == 1, "one is still to come"
    assert "kk: 1 untranslated\n  Hello, %(name)s\n" in capsys.readouterr().out
    days = {language: catalogues.said(catalogues.catalogue(language).get("%(num)s day")) for language in ("ru", "kk", "es")}
    assert days["ru"][2] == "%(num)s дней" and days["kk"] == ("%(num)s күн",) * 2 and days["es"][0] == "%(num)s día"
    assert catalogues.main([table(folder, "msgid\tkk", "Hello, %(name)s\tСәлеметсіз бе, %(name)s")]) == 0
    assert catalogues.said(catalogues.catalogue("es").get("Send")) == ("Enviar",), "what a table leaves out stays"


def test_a_table_without_names_is_russian(folder: Path) -> None:
    catalogues.main([table(folder, "Send\tОтправить", "%(num)s day\t%(num)s days\t%(num)s день\t%(num)s дня\t%(num)s дней")])
    kept = catalogues.catalogue("ru")
    assert catalogues.said(kept.get("Send")) == ("Отправить",)
    assert catalogues.said(kept.get("%(num)s day")) == ("%(num)s день", "%(num)s дня", "%(num)s дней")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Hello, %(name)s\tHola", "es loses or invents %(name)s"),
        ("Hello, %(name)s\tHola, %(nombre)s", "%(nombre)s"),
        ("Send\t<b>Enviar</b>", "<b"),
        ("%(num)s day\t%(num)s día", "es needs 2 form(s), not 1"),
        ("Never written\tNunca", "nothing uses: Never written"),
    ],
)
def test_what_does_not_fit_is_refused_and_named(folder: Path, line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert catalogues.main([table(folder, "msgid\tes", line)]) == 1
    assert said in capsys.readouterr().out
    assert not any(catalogues.said(message)[0] for message in catalogues.catalogue("es") if message.id)


@pytest.mark.parametrize("head", ["msgid\tde", "msgid\tes\tes"])
def test_a_table_of_a_language_we_do_not_speak_is_refused(folder: Path, head: str) -> None:
    assert catalogues.main([table(folder, head, "Send\tSenden")]) == 2
    assert not (folder / "es").exists()


def test_a_second_run_waits_for_the_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once would each write what it read before: the later one would lose the texts of the earlier."""
    from threading import Event, Thread

    reading, go_on, write = Event(), Event(), catalogues.update

    def slow(language: str, given: dict[str, tuple[str, ...]]) -> list[str]:
        reading.set()
        assert go_on.wait(20)
        return write(language, given)

    monkeypatch.setattr(catalogues, "update", slow)
    first = Thread(target=catalogues.main, args=([table(folder, "msgid\tes", "Send\tEnviar")],))
    first.start()
    assert reading.wait(20)
    monkeypatch.setattr(catalogues, "update", write)
    other = folder / "other.tsv"
    other.write_text("msgid\tes\nHello, %(name)s\tHola, %(name)s", encoding="utf-8")
    second = Thread(target=catalogues.main, args=([str(other)],))
    second.start()
    second.join(0.3)
    waited = second.is_alive()
    go_on.set()
    first.join(20)
    second.join(20)
    kept = catalogues.catalogue("es")
    assert waited
    assert [catalogues.said(kept.get(text))[0] for text in ("Send", "Hello, %(name)s")] == ["Enviar", "Hola, %(name)s"]
