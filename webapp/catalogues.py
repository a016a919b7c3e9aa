"""Keep the gettext catalogues in step with the code: every text marked in Python and templates, in every language.

    python -m webapp.catalogues            add new texts, drop unused ones; says what is still untranslated
    python -m webapp.catalogues FILE.tsv   the same, filling in translations: text, TAB, Russian
                                           (plural forms: TAB each; the English plural may stand before them)

English catalogues hold the texts themselves, so that a language is complete or it is not, without exceptions.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from pathlib import Path

from babel.messages import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po, write_po

from verification.policy import THRESHOLDS

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "cases" / "translations"
SOURCE = "en"
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


def _full(message: Message | None, plurals: int) -> bool:
    if message is None or message.fuzzy:
        return False
    forms = (message.string,) if isinstance(message.string, str) else tuple(message.string)
    return all(forms) and (isinstance(message.id, str) or len(forms) == plurals)


def update(language: str, given: dict[str, tuple[str, ...]]) -> list[str]:
    """Write the catalogue of a language anew. Returns what is untranslated."""
    kept, wanted = catalogue(language), texts()
    fresh = Catalog(locale=language, fuzzy=False, header_comment="# Kept by webapp.catalogues: see there how to add texts.")
    for text in sorted(wanted):
        forms = wanted[text]
        old = kept.get(text)
        if language == SOURCE:
            strings = forms
        elif text in given:
            strings = given[text]
            if len(strings) == fresh.num_plurals + 1 and len(forms) > 1:
                strings = strings[1:]  # the English plural stands between
        elif old is not None:
            strings = (old.string,) if isinstance(old.string, str) else tuple(old.string)
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
    file.write_text("".join(lines))
    return untranslated(fresh, wanted)


def read_pairs(file: Path) -> dict[str, tuple[str, ...]]:
    """Translations of a tab-separated file, one text a line."""
    pairs: dict[str, tuple[str, ...]] = {}
    for line in file.read_text().splitlines():
        text, *strings = line.split("\t")
        if text and any(strings):
            pairs[text] = tuple(s for s in strings if s)
    return pairs


def main(arguments: list[str]) -> int:
    """See the module's first lines."""
    given: dict[str, tuple[str, ...]] = {}
    for name in arguments:
        given |= read_pairs(Path(name))
    missing = {language: update(language, given if language == "ru" else {}) for language in ("ru", "en")}
    for language, found in missing.items():
        print(f"{language}: {len(found)} untranslated")
        for text in found:
            print(f"  {text}")
    return 1 if any(missing.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
