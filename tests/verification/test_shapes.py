"""What the small network's shapes stand for. No model is loaded."""

from __future__ import annotations

import pytest

from verification.models.shapes import CLASSES, OTHER, letters, shape

RUSSIAN = "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"
LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def named(alphabet: str) -> list[str]:
    return ["".join(CLASSES[column - 1] for column in columns) for columns in letters(alphabet)]


def test_every_class_is_its_own_shape_and_none_stands_twice() -> None:
    assert len(set(CLASSES)) == len(CLASSES)
    assert all(shape(c) == c for c in CLASSES)


def test_both_scripts_and_both_cases_share_the_shapes_that_look_alike() -> None:
    for cyrillic, latin in zip("АВЕКМНОРСТХІ", "ABEKMHOPCTXI", strict=True):
        assert shape(cyrillic) == shape(latin) == shape(cyrillic.lower())
    assert shape("Ё") == shape("Ë") != shape("Е")
    assert shape("У") != shape("Y")
    assert shape("%") == OTHER


@pytest.mark.parametrize("alphabet", [RUSSIAN + "- ", LATIN + "-'", "0123456789. -", "ӘҒҚҢӨҰҮҺІ", "ÁÉÍÓÚÜÑÇ"])
def test_letters_of_one_alphabet_never_share_a_column(alphabet: str) -> None:
    columns = [column for one in letters(alphabet) for column in one]
    assert len(set(columns)) == len(columns)
    assert all(1 <= column <= len(CLASSES) for column in columns)


def test_a_digit_takes_its_twin_letter_only_where_no_letter_may_stand() -> None:
    assert named("03") == ["0О", "3З"]
    assert named("03О") == ["0", "3З", "О"]
    assert named("Y") == ["ҮУ"]
    assert named("ҮУ") == ["Ү", "У"]


def test_a_character_without_a_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="no shape"):
        letters("0%")
