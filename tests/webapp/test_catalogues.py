"""Every text in every language: none untranslated, none left over, no placeholder lost."""

from __future__ import annotations

import re

import pytest

from webapp import catalogues


@pytest.mark.parametrize("language", ["ru", "en"])
def test_no_text_is_untranslated_or_unused(language: str) -> None:
    kept, wanted = catalogues.catalogue(language), catalogues.texts()
    assert len(wanted) > 300
    assert catalogues.untranslated(kept, wanted) == []
    assert catalogues.unused(kept, wanted) == []


@pytest.mark.parametrize("language", ["ru", "en"])
def test_translations_keep_their_placeholders(language: str) -> None:
    wrong = []
    for message in catalogues.catalogue(language):
        if not message.id:
            continue
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        strings = [message.string] if isinstance(message.string, str) else list(message.string)
        allowed = set(re.findall(r"%\((\w+)\)", " ".join(ids)))
        for string in filter(None, strings):
            found = set(re.findall(r"%\((\w+)\)", string))
            if not found <= allowed or (len(ids) == 1 and found != allowed):
                wrong.append(ids[0])
    assert wrong == []


def test_a_text_nobody_translated_is_noticed() -> None:
    kept = catalogues.catalogue("ru")
    assert catalogues.untranslated(kept, ["Nobody has ever written this sentence."]) == ["Nobody has ever written this sentence."]
    assert catalogues.unused(kept, []) != []


def test_russian_texts_are_russian() -> None:
    for message in catalogues.catalogue("ru"):
        string = message.string if isinstance(message.string, str) else " ".join(message.string)
        if message.id and len(string) > 12 and string != message.id and not string.startswith("%("):
            assert re.search("[а-яё]", string, re.I), string
