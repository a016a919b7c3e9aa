"""Keep the gettext catalogues in step with the code: every text marked in Python and templates, in every language.

    python -m webapp.catalogues                add new texts, drop unused ones; says what is still untranslated
    python -m webapp.catalogues FILE.tsv ...   the same, filling in translations

A FILE.tsv has one text a line, its cells parted by tabs. The first line names the languages of the columns, any of
them in any order; an empty cell leaves what is there:

    msgid                 ru                              kk                  es
    Take the photo        Сфотографируйте                 Фотоға түсіріңіз    Tome la foto
    %(num)d day           %(num)d день || %(num)d дня || %(num)d дней   %(num)d күн   %(num)d día || %(num)d días

Plural forms stand in one cell, parted by ` || `, as many as the language has, in the order of its rule (Babel's own):
ru 3 (1 day, 2 days, 5 days), es 2 (1 day, 2 days), kk 2. Kazakh words do not change after a number, so for kk one form
may stand for both. The msgid of such a line is the English singular alone. `\\n` within a cell is a line break.
Without a first line that begins with `msgid` the columns are the text and its Russian forms, a tab between forms (the
English plural may stand before them).

Several people may run this at the same time: each run reads and writes the catalogues under a lock. A translation whose
forms or placeholders do not fit is refused and named, and so is a text that nothing uses (yet: run the file again once
it is used). English catalogues hold the texts themselves, so that a language is complete or it is not, without exceptions.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from babel.messages import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po, write_po

from cases.wording import LANGUAGES, SOURCE
from verification.policy import THRESHOLDS

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "cases" / "translations"
SAME_AFTER_NUMBERS = frozenset({"kk"})
"""Languages whose words do not change after a number: one form given may stand for all."""
DROPPED = tuple(
    f'"{name}:'
    for name in (
        "Project-Id-Version",
        "Report-Msgid-Bugs-To",
        "POT-Creation-Date",
        "PO-Revision-Date",
        "Last-Translator",
        "Language-Team",
        "Generated-By",
    )
)
"""Header lines that would change with every run, or say nothing."""
KEYWORDS = {**DEFAULT_KEYWORDS, "_l": None, "lazy_gettext": None, "lazy_ngettext": (1, 2)}
METHODS = [
    ("webapp/**.py", "python"),
    ("cases/**.py", "python"),
    ("workers/**.py", "python"),
    ("webapp/templates/**.html", "jinja2"),
]
"""The same as cases/translations/babel.cfg, for people who prefer pybabel."""


def texts() -> dict[str, tuple[str, ...]]:
    """Every marked text by its id, with its plural if it has one. Raises TemplateSyntaxError on a broken template."""
    options = {"webapp/templates/**.html": {"trimmed": "true", "silent": "false"}}
    found: dict[str, tuple[str, ...]] = {}
    for _file, _line, message, _comments, _context in extract_from_dir(
        str(ROOT), METHODS, options, KEYWORDS, directory_filter=_ours
    ):
        forms = (message,) if isinstance(message, str) else tuple(message)
        if forms[0] and (forms[0] not in found or len(forms) > 1):
            found[forms[0]] = forms
    for about in THRESHOLDS.values():  # `verification` marks no texts; ops shows these by _(about.label)
        for text in (about.label, about.help):
            found.setdefault(text, (text,))
    return found


def _ours(folder: str) -> bool:
    return not Path(folder).name.startswith((".", "__", "var"))


def catalogue(language: str) -> Catalog:
    """What is kept for a language, or an empty catalogue."""
    file = FOLDER / language / "LC_MESSAGES" / "messages.po"
    if not file.exists():
        return Catalog(locale=language)
    with file.open("rb") as stream:
        return read_po(stream, locale=language)


def untranslated(kept: Catalog, wanted: Iterable[str]) -> list[str]:
    """Texts of `wanted` that `kept` has no full translation for."""
    return [text for text in wanted if not _full(kept.get(text), kept.num_plurals)]


def unused(kept: Catalog, wanted: Iterable[str]) -> list[str]:
    """Texts that `kept` translates and nothing uses."""
    known = set(wanted)
    return [_id(message) for message in kept if message.id and _id(message) not in known]


def _id(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def said(message: Message) -> tuple[str, ...]:
    """The forms of a translation; empty where there is none."""
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())


def _full(message: Message | None, plurals: int) -> bool:
    if message is None or message.fuzzy:
        return False
    forms = said(message)
    return all(forms) and (isinstance(message.id, str) or len(forms) == plurals)


def fitted(text: str, forms: tuple[str, ...], strings: tuple[str, ...], language: str) -> tuple[str, ...]:
    """Return the translation of a text as its catalogue takes it. Raises ValueError saying what does not fit."""
    plurals = Catalog(locale=language).num_plurals if len(forms) > 1 else 1
    if len(strings) == 1 and language in SAME_AFTER_NUMBERS:
        strings *= plurals
    if len(strings) == plurals + 1 and plurals > 1:
        strings = strings[1:]  # the English plural stands between
    if len(strings) != plurals:
        raise ValueError(f"{language} needs {plurals} form(s), not {len(strings)}: {text}")
    if lost := misplaced(forms, strings):
        raise ValueError(f"{language} loses or invents {', '.join(sorted(lost))}: {text}")
    return strings


def misplaced(forms: Iterable[str], strings: Iterable[str]) -> set[str]:
    """Placeholders and marks of HTML that a text and its translation do not share.

    A form for one thing alone may leave out the number ("one day"), if the text has plural forms at all.
    """
    ids, found = [_marks(form) for form in forms], [_marks(string) for string in strings]
    every, least = set().union(*ids), set.intersection(*ids)
    wrong = set().union(*found) - every
    for marks in found:
        wrong |= least - marks
    return wrong | (every - set().union(*found))


def _marks(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)[a-z]|%%|\{\w+\}|</?\w+|&\w+;|\$\w+", text))


def update(language: str, given: dict[str, tuple[str, ...]]) -> list[str]:
    """Write the catalogue of a language anew. Returns what is untranslated. Raises ValueError on what does not fit."""
    kept, wanted = catalogue(language), texts()
    fresh = Catalog(locale=language, fuzzy=False, header_comment="# Kept by webapp.catalogues: see there how to add texts.")
    for text in sorted(wanted):
        forms = wanted[text]
        old = kept.get(text)
        if language == SOURCE:
            strings = forms
        elif text in given:
            strings = fitted(text, forms, given[text], language)
        elif old is not None:
            strings = said(old)
        else:
            strings = ("",)
        if len(forms) == 1:
            fresh.add(text, strings[0])
        else:
            fresh.add(forms, strings if len(strings) == fresh.num_plurals else ("",) * fresh.num_plurals)
    file = FOLDER / language / "LC_MESSAGES" / "messages.po"
    file.parent.mkdir(parents=True, exist_ok=True)
    out = io.BytesIO()
    write_po(out, fresh, width=130, sort_output=True, no_location=True)
    lines = [line for line in out.getvalue().decode().splitlines(keepends=True) if not line.startswith(DROPPED)]
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    partial.write_text("".join(lines), encoding="utf-8")
    partial.replace(file)  # whole or not at all: servers and tests read it meanwhile
    return untranslated(fresh, wanted)


def read_table(file: Path) -> dict[str, dict[str, tuple[str, ...]]]:
    """Translations of a tab-separated file by language, see the module's first lines. Raises ValueError on a wrong one."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not lines or lines[0].split("\t")[0].strip() != "msgid":
        return {"ru": _pairs(lines)}
    languages = [name.strip() for name in lines[0].split("\t")[1:]]
    if strange := set(languages) - set(LANGUAGES) or {name for name in languages if languages.count(name) > 1}:
        raise ValueError(f"{file.name}: columns must be languages of {', '.join(LANGUAGES)}, each once, not {sorted(strange)}")
    table: dict[str, dict[str, tuple[str, ...]]] = {language: {} for language in languages}
    for number, line in enumerate(lines[1:], 2):
        text, *cells = (cell.strip().replace("\\n", "\n") for cell in line.split("\t"))
        if len(cells) > len(languages):
            raise ValueError(f"{file.name}: {len(cells)} translations for {len(languages)} languages in text {number}: {text}")
        for language, cell in zip(languages, cells, strict=False):
            if cell:
                table[language][text] = tuple(form.strip() for form in cell.split(" || "))
    return table


def _pairs(lines: list[str]) -> dict[str, tuple[str, ...]]:
    pairs: dict[str, tuple[str, ...]] = {}
    for line in lines:
        text, *strings = line.split("\t")
        if text and any(strings):
            pairs[text] = tuple(s for s in strings if s)
    return pairs


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until nobody else writes catalogues. The folder itself is the lock, so no file is left behind."""
    folder = os.open(FOLDER, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def main(arguments: list[str]) -> int:
    """See the module's first lines."""
    try:
        tables = [read_table(Path(name)) for name in arguments]
        given = {language: {k: v for table in tables for k, v in table.get(language, {}).items()} for language in LANGUAGES}
    except (ValueError, OSError) as error:
        print(error)
        return 2
    with _alone():
        wanted, refused = texts(), set()
        for language, translations in given.items():
            for text, strings in list(translations.items()):
                if text not in wanted:
                    refused.add(f"nothing uses: {text}")
                    del translations[text]
                    continue
                try:
                    fitted(text, wanted[text], strings, language)
                except ValueError as error:
                    refused.add(str(error))
                    del translations[text]
        missing = {language: update(language, given[language]) for language in LANGUAGES}
    for line in sorted(refused):
        print(line)
    for language, found in missing.items():
        print(f"{language}: {len(found)} untranslated")
        for text in found:
            print(f"  {text}")
    return 1 if refused or any(missing.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
