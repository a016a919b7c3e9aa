"""Voices: a deployment's own model behind the same interface, and what may be decided without a calibration: nothing."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from verification import faces, models
from verification.calibration import SHIPPED_FILE, digest, shipped
from verification.evidence import Pair
from verification.faces import compare, detect, encode, voices
from verification.faces.voices import BadDescription, OnnxVoice
from verification.reasons import PhotoKind

ROOT = Path(__file__).resolve().parents[2]
FACES = ROOT.parent / "shared" / "data" / "faces"
with_faces = pytest.mark.skipif(not (FACES / "pairs.json").is_file(), reason="../shared/data/faces is absent")
with_pages = pytest.mark.skipif(
    not (ROOT.parent / "shared" / "tools" / "printed_portrait.py").is_file(), reason="../shared/tools is absent"
)


@pytest.fixture(autouse=True)
def _back_to_the_shipped_ones() -> Iterator[None]:
    yield
    faces.use(None)


def described(folder: Path, **changes: Any) -> Path:
    """SFace's own file, described as a deployment would describe its model."""
    model = models.path("sface")
    about = {
        "name": "again",
        "label": "sface through the front door",
        "path": str(model),
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "input": [112, 112],
        "channels": "rgb",
        "mean": [0, 0, 0],
        "scale": 1.0,
        "alignment": "five_points",
        "mirror": True,
        "metric": "cosine",
    }
    file = folder / "again.voice.json"
    file.write_text(json.dumps({k: v for k, v in {**about, **changes}.items() if v is not ...}))
    return file


def face(number: int) -> detect.Found:
    listing = json.loads((FACES / "pairs.json").read_text())["images"]
    with Image.open(FACES / listing[number]["file"]) as opened:
        found = detect.main_face(np.asarray(opened.convert("RGB")), kind=PhotoKind.ON_FILE).face
    assert found is not None
    return found


@with_faces
def test_sface_through_the_generic_interface_says_the_same(tmp_path):
    voices.use([described(tmp_path)])
    encode.load()
    a, b = (encode.encode(face(n)) for n in (0, 1))
    assert set(a.others) == {"again"}
    assert np.abs(a.of("again") - a.sface).max() < 1e-6 and np.abs(b.of("again") - b.sface).max() < 1e-6
    again = voices.speaking()[-1]
    assert voices.distance(again, a.of("again"), b.of("again")) == pytest.approx(
        voices.distance(voices.SHIPPED[0], a.sface, b.sface), abs=1e-6
    )


@with_faces
def test_what_the_description_says_reaches_the_network(tmp_path):
    seen = voices.Seen(found=face(0))
    usual = OnnxVoice.described(described(tmp_path)).encode(seen)
    for change in (
        {"channels": "bgr"},
        {"mean": [127.5, 127.5, 127.5]},
        {"scale": 0.5},
        {"mirror": False},
        {"alignment": "dlib"},
    ):
        other = OnnxVoice.described(described(tmp_path, **change)).encode(seen)
        assert other.shape == usual.shape and np.abs(other - usual).max() > 1e-3, change
    longer = OnnxVoice.described(described(tmp_path, metric="euclidean")).encode(seen)
    assert np.linalg.norm(usual) == pytest.approx(1.0) and np.linalg.norm(longer) != pytest.approx(1.0)


@with_faces
def test_a_set_of_voices_without_a_calibration_has_no_rates_and_no_label(tmp_path):
    a, b = (encode.encode(face(n)) for n in (0, 1))
    rated = compare.compare(a, b)
    assert rated.fmr is not None and compare.calibration().label in faces.engines()
    described(tmp_path)
    faces.use(tmp_path)
    faces.load()
    assert not compare.covered()
    unrated = compare.compare(*(encode.encode(face(n)) for n in (0, 1)), Pair.SELFIE_DOCUMENT)
    assert unrated.fmr is None and np.isfinite(unrated.similarity)
    assert compare.calibration().label not in faces.engines()
    assert any(label.startswith("sface through the front door ") for label in faces.engines())


def own_calibration(folder, label):
    """The shipped numbers, strangers scoring lower by 6. `label`: with {} for the digest."""
    data = json.loads(SHIPPED_FILE.read_text(encoding="utf-8"))
    for table in data["tables"].values():
        table["points"] = [[similarity - 6, rate] for similarity, rate in table["points"]]
    data["label"] = label.format(digest(data))
    (folder / "calibration.json").write_text(json.dumps(data), encoding="utf-8")


def test_a_calibration_without_an_added_voice_is_not_taken_up(tmp_path):
    own_calibration(tmp_path, "faces 2030-01-01 {}")
    faces.use(tmp_path)
    assert compare.calibration() is shipped()


@pytest.mark.parametrize(
    ("label", "said"), [(shipped().label, "that of the shipped calibration"), ("faces 2030-01-01 000000", "does not end in ")]
)
def test_a_calibration_under_a_label_that_is_not_its_own_is_refused(tmp_path, label, said):
    described(tmp_path)
    own_calibration(tmp_path, label)
    faces.use(tmp_path)
    with pytest.raises(BadDescription, match=said):
        compare.calibration()
    own_calibration(tmp_path, "faces 2030-01-01 {}")
    assert compare.calibration().label.startswith("faces 2030-01-01 ")


def test_a_folder_that_is_not_there_changes_nothing(tmp_path):
    faces.use(tmp_path / "nothing")
    assert voices.speaking() == voices.SHIPPED and compare.covered()


def test_a_file_with_another_hash_is_refused_before_it_runs(tmp_path):
    (tmp_path / "model.onnx").write_bytes(models.path("sface").read_bytes() + b" ")
    voices.use([described(tmp_path, path="model.onnx")])
    with pytest.raises(models.ModelFileMissing, match=r"SHA-256 of model\.onnx"):
        encode.load()
    voices.use([described(tmp_path, path="elsewhere.onnx")])
    with pytest.raises(models.ModelFileMissing, match="cannot be read"):
        encode.load()


def test_a_file_that_is_no_network_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no network at all")
    digest = hashlib.sha256(b"no network at all").hexdigest()
    voices.use([described(tmp_path, path="model.onnx", sha256=digest)])
    with pytest.raises(BadDescription, match="OpenCV cannot run"):
        encode.load()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sha256": "abc"}, "'sha256'"), ({"input": [112]}, "'input'"), ({"input": [112.5, 112]}, "'input'"),
        ({"input": [4, 4]}, "'input'"), ({"metric": "manhattan"}, "'metric'"), ({"alignment": "none"}, "'alignment'"),
        ({"channels": "grey"}, "'channels'"), ({"mean": [0, 0]}, "'mean'"), ({"mean": [0, 0, float("nan")]}, "'mean'"),
        ({"scale": 0}, "'scale'"), ({"mirror": 1}, "'mirror'"), ({"name": "sface"}, "'name'"), ({"name": "two words"}, "'name'"),
        ({"label": ""}, "'label'"), ({"colour": 1}, "unknown: colour"), ({"input": ...}, "missing: input"),
    ],
)  # fmt: skip
def test_a_description_that_cannot_be_followed_names_what_is_wrong(tmp_path, changes, said):
    with pytest.raises(BadDescription, match=said):
        voices.use([described(tmp_path, **changes)])


def test_no_json_two_of_one_name(tmp_path):
    broken = tmp_path / "x.voice.json"
    broken.write_text("{")
    with pytest.raises(BadDescription, match="no JSON"):
        voices.use([broken])
    file = described(tmp_path)
    with pytest.raises(BadDescription, match="two voices are called again"):
        voices.use([file, file])


def test_distances_are_those_of_the_metric_and_equal_vectors_are_at_zero():
    dice = np.random.default_rng(0)
    rows, columns = dice.normal(size=(4, 8)), dice.normal(size=(5, 8))
    far = voices.distances("euclidean", rows, columns)
    assert far[2, 3] == pytest.approx(float(np.linalg.norm(rows[2] - columns[3])))
    apart = voices.distances("cosine", rows, 7.0 * columns)
    assert apart[1, 4] == pytest.approx(1 - rows[1] @ columns[4] / np.linalg.norm(rows[1]) / np.linalg.norm(columns[4]))
    assert np.diag(voices.distances("euclidean", rows, rows)).tolist() == [0.0] * 4
    assert np.isfinite(voices.distances("cosine", np.zeros((1, 8)), columns)).all()


@with_faces
@with_pages
@pytest.mark.engines
@pytest.mark.slow
def test_a_deployment_calibrates_its_own_model_by_the_same_script(tmp_path):
    described(tmp_path)
    command = [sys.executable, "-m", "tests.benchmarks.faces", "--limit", "24", "--rounds", "3", "--repeats", "1",
               "--voices", str(tmp_path), "--cache", str(tmp_path / "codes.npz")]  # fmt: skip
    without = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert without.returncode == 3 and "no calibration yet" in without.stderr
    shipped = (ROOT / "verification" / "faces" / "calibration.json").read_bytes()
    ended = subprocess.run([*command, "--calibrate"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert {line["voice"] for line in report["pairs"]} == {"sface", "dlib", "again", "fused"}
    assert (ROOT / "verification" / "faces" / "calibration.json").read_bytes() == shipped  # the shipped one is not touched
    faces.use(tmp_path)
    faces.load()
    assert compare.covered() and set(compare.calibration().voices["printed"]) == {"sface", "dlib", "again"}
    rated = compare.compare(*(encode.encode(face(n)) for n in (0, 1)))
    assert rated.fmr is not None and compare.calibration().label in faces.engines()
