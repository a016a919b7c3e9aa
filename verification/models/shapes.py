"""The shapes that `cyrillic_lines.onnx` tells apart, and which characters of a field's alphabet they stand for.

The network names what a letter looks like, not which script it belongs to: А and A are one shape, so are small and capital
letters of one name. Which character was meant follows from the field. Pure: no model, no PyTorch.
"""

from __future__ import annotations

from functools import cache
from typing import Final

_RUSSIAN: Final = "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"
_KAZAKH: Final = "ӘҒҚҢӨҰҮҺІ"  # beyond the Russian ones
_LATIN: Final = "DFGJLNQRSUVWZ"  # those without a Cyrillic twin
_MARKED: Final = "ÁÉÍÓÚÜÑÇÄÖ"
_SIGNS: Final = " .,-/№\"():;'<"
OTHER: Final = "?"
"""What any other printed character is called."""

CLASSES: Final = _RUSSIAN + _KAZAKH + _LATIN + _MARKED + "0123456789" + _SIGNS + OTHER
"""One character a shape. Column 0 of the network's odds is CTC's blank, column 1 + i is CLASSES[i]."""

_TWINS: Final = dict(zip("ABCEHIKMOPTXYË", "АВСЕНІКМОРТХҮЁ", strict=True)) | {
    # small letters that look like another letter's capital
    "b": "Ь", "h": "Һ", "l": "І", "y": "У", "k": "К", "ı": "І",
    "«": '"', "»": '"', "„": '"', "“": '"', "”": '"', "’": "'", "‘": "'", "`": "'", "´": "'",
    "–": "-", "—": "-", "‐": "-", "−": "-", "\u00a0": " ",
}  # fmt: skip
_ALIKE: Final = {"0": "О", "О": "0", "3": "З", "З": "3", "1": "І", "І": "1", "5": "S", "S": "5", "Ү": "У"}
"""What else a shape may have been taken for: no font, or not every font, tells these apart."""


def shape(character: str) -> str:
    """Return the class of one printed character, `OTHER` where it has none.

    >>> shape("A"), shape("а"), shape("Y"), shape("y"), shape("«"), shape("%")
    ('А', 'А', 'Ү', 'У', '"', '?')
    """
    for form in (character, character.upper()):
        if form in _TWINS:
            return _TWINS[form]
        if form in CLASSES:
            return form
    return OTHER


@cache
def letters(alphabet: str) -> tuple[tuple[int, ...], ...]:
    """Return, for each character of a field's alphabet, the columns of the odds whose sum is the odds of that character.

    The first column is the character's own shape. Columns of shapes that print does not tell from it (О for 0, З for 3, У for
    Latin Y) follow, unless the alphabet has a character for them. Two characters of one shape, such as A and А, share it.
    Raises ValueError for a character without a shape of its own.

    >>> [[CLASSES[column - 1] for column in columns] for columns in letters("03Y")]
    [['0', 'О'], ['3', 'З'], ['Ү', 'У']]
    """
    own = [shape(character) for character in alphabet]
    strangers = "".join(c for c, s in zip(alphabet, own, strict=True) if s == OTHER != c)
    if strangers:
        raise ValueError(f"no shape for {strangers!r}")
    found = []
    for one in own:
        alike = _ALIKE.get(one)
        shapes = (one,) if alike is None or alike in own else (one, alike)
        found.append(tuple(CLASSES.index(s) + 1 for s in shapes))
    return tuple(found)
