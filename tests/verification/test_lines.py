"""Finding printed lines: a large look goes strip by strip, and finds what one look finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.verification.test_documents import drawn_page
from verification.documents import lines


class _Watched:
    """The detector, with the size of each picture it was given."""

    def __init__(self, session: Any) -> None:
        self.session, self.seen = session, []

    def run(self, names: Any, given: dict[str, Any]) -> Any:
        self.seen.append(given["x"].shape[2:])
        return self.session.run(names, given)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> _Watched:
    lines.load()
    detector = _Watched(lines._sessions["ppocr_det"])
    monkeypatch.setitem(lines._sessions, "ppocr_det", detector)
    return detector


def places(picture: np.ndarray, longest: int) -> np.ndarray:
    """Middles of the lines found, top to bottom."""
    found = [line.centre for line in lines.find(picture, longest=longest)]
    return np.array(sorted(found, key=lambda c: (round(float(c[1]) / 20), float(c[0]))))


@pytest.mark.parametrize("turned", [False, True], ids=["wide", "tall"])
def test_a_large_look_goes_strip_by_strip_and_finds_the_same_lines(
    watched: _Watched, monkeypatch: pytest.MonkeyPatch, turned: bool
) -> None:
    picture = drawn_page(width=1280)
    picture = np.ascontiguousarray(np.rot90(picture)) if turned else picture
    by_strips = places(picture, 1280)
    most = lines._STRIP + 2 * lines._BEYOND * max(side for shape in watched.seen for side in shape)
    assert len(watched.seen) > 1 and max(h * w for h, w in watched.seen) <= most
    watched.seen.clear()
    monkeypatch.setattr(lines, "_STRIP", 10**9)
    at_once = places(picture, 1280)
    assert len(watched.seen) == 1
    assert len(by_strips) == len(at_once) >= 6
    assert np.abs(by_strips - at_once).max() < 6


def test_an_ordinary_look_is_one(watched: _Watched) -> None:
    lines.find(drawn_page(width=1280), longest=736)
    assert len(watched.seen) == 1
