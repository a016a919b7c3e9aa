"""The narrower recogniser says what the whole one says, but for the classes that were left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from verification import models
from verification.documents import lines
from verification.models import narrowed


def _session(network: bytes | str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def whole() -> onnxruntime.InferenceSession:
    return _session(str(models.path("ppocr_rec")))


def _characters(session: onnxruntime.InferenceSession) -> list[str]:
    return [*session.get_modelmeta().custom_metadata_map["character"].split("\n"), " "]


def test_each_kept_class_keeps_its_odds_against_the_others(whole: onnxruntime.InferenceSession) -> None:
    characters = _characters(whole)
    kept = narrowed.columns(characters)
    small = _session(narrowed.narrowed(models.path("ppocr_rec"), kept, len(characters) + 1))
    crop = np.random.default_rng(5).integers(0, 256, (lines.HEIGHT, 200, 3)).astype(np.uint8)
    (all_odds,) = whole.run(None, {"x": lines.planes(crop)})
    (odds,) = small.run(None, {"x": lines.planes(crop)})
    assert odds.shape[2] == len(kept) < 0.3 * all_odds.shape[2]
    assert np.allclose(odds.sum(axis=2), 1, atol=1e-4)
    mine = all_odds[:, :, kept]
    assert np.allclose(odds, mine / mine.sum(axis=2, keepdims=True), atol=1e-4)


def test_only_ideographs_are_left_out(whole: onnxruntime.InferenceSession) -> None:
    characters = _characters(whole)
    kept = set(narrowed.columns(characters))
    assert 0 in kept
    gone = [c for at, c in enumerate(characters) if at + 1 not in kept]
    assert gone and all(narrowed.is_ideograph(c) for c in gone)
    assert set(lines.READABLE) <= {c for at, c in enumerate(characters) if at + 1 in kept}
    assert narrowed.kept_ideographs() <= set(characters)


def test_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(narrowed.NotNarrowed, match="no layer has 18711 classes"):
        narrowed.narrowed(models.path("ppocr_rec"), [0, 1], 18711)
