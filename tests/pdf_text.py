"""The texts that stand in a PDF written by fpdf2, page by page, as a reader's search would find them. Knows this writer only."""

from __future__ import annotations

import re
import zlib

_OBJECT = re.compile(rb"(\d+) 0 obj\s*(.*?)\s*endobj", re.S)
_STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.S)
_SHOWN = re.compile(rb"/(F\d+) [\d.]+ Tf|\(((?:\\.|[^\\)])*)\) Tj", re.S)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def pages(data: bytes) -> list[list[str]]:
    """Every text of every page in the order in which it was drawn."""
    objects = {int(number): body for number, body in _OBJECT.findall(data)}
    letters = {}
    for name, number in {(n, int(o)) for n, o in re.findall(rb"/(F\d+) (\d+) 0 R", data)}:
        found = re.search(rb"/ToUnicode (\d+) 0 R", objects[number])
        assert found is not None, "a font whose letters cannot be searched for"
        letters[name] = _letters(_inflated(objects[int(found[1])]))
    out = []
    for body in objects.values():
        if b"/Type /Page\n" in body + b"\n" or re.search(rb"/Type /Page\b(?!s)", body):
            contents = re.search(rb"/Contents (\d+) 0 R", body)
            assert contents is not None
            out.append(_texts(_inflated(objects[int(contents[1])]), letters))
    return out


def _texts(drawn: bytes, letters: dict[bytes, dict[int, str]]) -> list[str]:
    font, out = b"", []
    for name, shown in _SHOWN.findall(drawn):
        if name:
            font = name
            continue
        plain = re.sub(rb"\\(.)", lambda m: _ESCAPED.get(m[1], m[1]), shown, flags=re.S)
        codes = [int.from_bytes(plain[at : at + 2], "big") for at in range(0, len(plain), 2)]
        out.append("".join(letters[font][code] for code in codes))
    return out


def _letters(cmap: bytes) -> dict[int, str]:
    """Glyph to text, of a ToUnicode CMap."""
    found = {}
    for block in re.findall(rb"beginbfchar(.*?)endbfchar", cmap, re.S):
        for code, text in re.findall(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            found[int(code, 16)] = bytes.fromhex(text.decode()).decode("utf-16-be")
    for block in re.findall(rb"beginbfrange(.*?)endbfrange", cmap, re.S):
        for low, high, text in re.findall(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            for step, code in enumerate(range(int(low, 16), int(high, 16) + 1)):
                found[code] = chr(int(text, 16) + step)
    return found


def _inflated(body: bytes) -> bytes:
    stream = _STREAM.search(body)
    assert stream is not None
    return zlib.decompress(stream[1]) if b"/FlateDecode" in body else stream[1]
