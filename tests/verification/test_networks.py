"""Networks: what onnxruntime is given says the same as OpenCV and dlib with the very same files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np
import pytest
from PIL import Image

from verification import models
from verification.evidence import Pair
from verification.faces import compare, detect, encode, load, networks, voices
from verification.reasons import PhotoKind

ROOT = Path(__file__).resolve().parents[2]
FACES = ROOT.parent / "shared" / "data" / "faces"
pytestmark = pytest.mark.skipif(not (FACES / "pairs.json").is_file(), reason="../shared/data/faces is absent")


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    """Two official portraits and two candid photos."""
    listing = json.loads((FACES / "pairs.json").read_text())["images"]
    files = [[FACES / i["file"] for i in listing if i["set"] == name][:2] for name in ("house", "congress")]
    return [np.asarray(Image.open(file).convert("RGB")) for of_set in files for file in of_set]


@pytest.fixture(scope="module")
def noise() -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(7).integers(0, 256, (150, 150, 3), np.uint8)


def test_sface_says_what_opencv_makes_of_the_same_file(photos, noise):
    theirs = cv2.FaceRecognizerSF.create(str(models.path("sface")), "")
    for photo in photos:
        face = detect.main_face(photo, kind=PhotoKind.ON_FILE).face
        assert face is not None
        ours = voices.Seen(found=face).plain
        laid = theirs.alignCrop(cv2.cvtColor(face.crop, cv2.COLOR_RGB2BGR), face.row)
        assert np.abs(ours.astype(int) - laid).max() <= 2  # a step of interpolation
        assert np.abs(networks.sface([laid])[0] - theirs.feature(laid).ravel()).max() < 2e-5
    grains = np.ascontiguousarray(noise[:112, :112])
    assert np.abs(networks.sface([grains])[0] - theirs.feature(grains).ravel()).max() < 2e-5


def test_dlibs_network_says_what_dlib_makes_of_the_same_file(photos, noise):
    theirs = dlib.face_recognition_model_v1(str(models.path("dlib_resnet")))
    chips = [noise, *(np.asarray(cv2.resize(photo, (150, 150)), np.uint8) for photo in photos)]
    for chip, ours in zip(chips, networks.dlib_resnet(chips), strict=True):
        assert np.abs(ours - np.asarray(theirs.compute_face_descriptor(chip))).max() < 2e-6


def test_yunet_finds_what_opencv_finds_with_the_same_file(photos):
    theirs = cv2.FaceDetectorYN.create(str(models.path("yunet")), "", (320, 320), 0.6, 0.3, 50)
    beside = np.ascontiguousarray(np.concatenate([photos[0][:300, :300], photos[2][:300, :300]], axis=1))
    found = 0
    for photo in (*photos, beside, np.zeros((70, 50, 3), np.uint8)):
        theirs.setInputSize((photo.shape[1], photo.shape[0]))
        rows = theirs.detect(cv2.cvtColor(photo, cv2.COLOR_RGB2BGR))[1]
        rows = np.zeros((0, 15), np.float32) if rows is None else rows
        ours = detect._yunet(photo)
        assert ours.shape == rows.shape
        assert np.abs(ours - rows).max(initial=0.0) < 2e-3  # pixels
        found += len(ours)
    assert found >= 6


def test_one_chip_says_the_same_alone_and_among_others(noise):
    chips = [np.ascontiguousarray(noise[:112, :112]), np.zeros((112, 112, 3), np.uint8)]
    assert np.array_equal(networks.sface(chips)[1], networks.sface(chips[1:])[0])
    large = [noise, np.zeros_like(noise)]
    assert np.array_equal(networks.dlib_resnet(large)[1], networks.dlib_resnet(large[1:])[0])


@pytest.mark.parametrize(
    ("read", "name"),
    [(networks.sface_as_onnx, "sface"), (networks.last_of_sface, "sface"), (networks.yunet_as_onnx, "yunet")],
)
def test_a_file_of_another_network_is_refused_by_name(tmp_path, read, name):
    other = {"sface": "yunet", "yunet": "ocrb_lines"}[name]
    with pytest.raises(networks.NotTheNetwork):
        read(models.path(other))
    empty = tmp_path / "empty.onnx"
    empty.write_bytes(b"")
    with pytest.raises(networks.NotTheNetwork, match="empty"):
        read(empty)


def test_a_cut_file_of_dlibs_is_refused(tmp_path):
    whole = models.path("dlib_resnet").read_bytes()
    cut = tmp_path / "cut.dat"
    for length in (0, 5000, len(whole) - 200_000):
        cut.write_bytes(whole[:length])
        with pytest.raises(networks.NotTheNetwork):
            networks.dlib_as_onnx(cut)


def test_a_child_says_what_its_parent_says(photos):
    load()
    face = detect.main_face(photos[0], kind=PhotoKind.ON_FILE).face
    assert face is not None
    ours = encode.encode(face)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            again = detect.main_face(photos[0], kind=PhotoKind.ON_FILE).face
            assert again is not None
            codes = encode.encode(again)
            os.write(writing, codes.sface.tobytes() + codes.dlib.tobytes())
        finally:
            os._exit(0)
    os.close(writing)
    told = b"".join(iter(lambda: os.read(reading, 65536), b""))
    os.close(reading)
    os.waitpid(child, 0)
    assert told == ours.sface.tobytes() + ours.dlib.tobytes()


def test_a_photo_looked_at_alone_gives_the_pairs_of_the_whole_case(photos):
    whole = compare.read_faces(photos[0], photos[2], photos[1])
    looks = [
        compare.look(kind, photo)
        for kind, photo in zip(
            (PhotoKind.SELFIE, PhotoKind.DOCUMENT, PhotoKind.ON_FILE), (photos[0], photos[2], photos[1]), strict=True
        )
    ]
    assert compare.together(looks).pairs == whole.pairs
    assert set(whole.pairs) == set(Pair)
    assert compare.together([compare.look(PhotoKind.SELFIE, None)]).pairs == {}


def test_a_large_photo_is_read_as_its_smaller_copy(photos):
    """Twelve megapixels are halved before they are looked at; the face and the person stay the same."""
    small = photos[1]
    large = np.asarray(Image.fromarray(small).resize((small.shape[1] * 9, small.shape[0] * 9), Image.Resampling.BICUBIC))
    for turn in range(4):
        turned = np.ascontiguousarray(np.rot90(large, turn))
        found, usual = detect.main_face(turned).face, detect.main_face(small).face
        assert found is not None and usual is not None
        assert found.quarter_turns == (4 - turn) % 4
        assert found.eyes == pytest.approx(9 * usual.eyes, rel=0.08)
        x, y = (found.middle + 0.5) / 9
        width, height = small.shape[1], small.shape[0]
        back = ((x, y), (width - y, x), (width - x, height - y), (y, height - x))[turn]
        assert np.abs(np.asarray(back) - usual.middle).max() < 0.3 * usual.eyes  # lying faces are marked less exactly
        assert compare.compare(encode.encode(found), encode.encode(usual)).similarity > 8
