"""A face's fitness: each fault is told when it is drawn on, and faces as they are give no reason."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.specimens import scenes
from verification.evidence import Quality
from verification.faces import copies, detect, paper, quality
from verification.faces.detect import Found
from verification.quality import QualityThresholds
from verification.reasons import PhotoKind, ReasonCode

FACES = Path(__file__).resolve().parents[3] / "shared" / "data" / "faces"
with_faces = pytest.mark.skipif(not (FACES / "pairs.json").is_file(), reason="../shared/data/faces is absent")
SHIPPED = QualityThresholds()
GOOD = Quality(
    yaw=0.0, pitch=5.0, roll=0.0, eyes_visible=0.7, mouth_visible=1.0, luminance=0.8, illumination_uniformity=0.9,
    natural_colour=25.0, face_sharpness=130.0,
)  # fmt: skip


@cache
def official() -> list[tuple[np.ndarray, Found]]:
    """Four official portraits and their faces."""
    listed = json.loads((FACES / "pairs.json").read_text(encoding="utf-8"))["images"]
    files = [i["file"] for i in listed if i["set"] == "congress"][::90][:4]
    pictures = [np.asarray(Image.open(FACES / file).convert("RGB")) for file in files]
    found = [detect.main_face(picture, kind=PhotoKind.ON_FILE).face for picture in pictures]
    return [(picture, face) for picture, face in zip(pictures, found, strict=True) if face is not None]


def seen(picture: np.ndarray) -> Quality:
    face = detect.main_face(picture, kind=PhotoKind.ON_FILE).face
    assert face is not None
    return quality.measure(face)


@with_faces
def test_faces_as_they_are_give_no_reason() -> None:
    assert len(official()) == 4
    for _, face in official():
        measured = quality.measure(face)
        assert quality.problems(measured, SHIPPED) == ()
        assert measured.head_size == pytest.approx(face.eyes, abs=0.1)
        assert measured.yaw is not None and abs(measured.yaw) < 25 and measured.roll is not None and abs(measured.roll) < 15


@with_faces
def test_what_covers_a_face_lowers_what_is_seen_of_it() -> None:
    told = []
    for n, (picture, face) in enumerate(official()):
        plain = quality.measure(face)
        veiled = seen(scenes.masked(picture, face, ((150, 185, 205), (25, 25, 28))[n % 2]))
        shaded = seen(scenes.sunglasses(picture, face))
        assert veiled.mouth_visible < 0.5 * plain.mouth_visible
        assert shaded.eyes_visible < 0.3 * plain.eyes_visible
        told += [ReasonCode.FACE_COVERED in quality.problems(veiled, SHIPPED)]
        told += [ReasonCode.EYES_NOT_SEEN in quality.problems(shaded, SHIPPED)]
    assert sum(told) >= 7  # of 8; of 146 drawn masks 97 % were told, of as many glasses 94 %


@with_faces
def test_light_and_colour_are_told() -> None:
    for picture, face in official()[:2]:
        assert ReasonCode.FACE_TOO_DARK in quality.problems(seen(scenes.against_light(picture, face)), SHIPPED)
        assert ReasonCode.FACE_UNEVENLY_LIT in quality.problems(seen(scenes.side_lit(picture, face)), SHIPPED)
        grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        assert quality.problems(seen(np.asarray(grey)), SHIPPED) == (ReasonCode.FACE_WITHOUT_COLOUR,)


@with_faces
def test_a_mirror_image_is_turned_the_other_way() -> None:
    for picture, face in official():
        there, back = quality.pose(face.landmarks), seen(np.ascontiguousarray(picture[:, ::-1]))
        assert there is not None and back.yaw is not None
        assert back.yaw == pytest.approx(-there[0], abs=10.0)


@pytest.mark.parametrize("yaw", [-60, -35, -15, 15, 35, 60])
@pytest.mark.parametrize("pitch", [-15, 0, 15])
def test_the_pose_of_a_drawn_head_is_its_own(yaw: int, pitch: int) -> None:
    """The head's five points, turned and seen from afar: her nose moves to her left, which is right on the picture."""
    y, p = np.radians(yaw), np.radians(pitch)
    around = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    points = quality.HEAD @ (nod @ around).T + np.array([0, 0, 30.0])
    marks = (points[:, :2] / points[:, 2:] * 2000 + 200).astype(np.float32)
    got = quality.pose(marks)
    assert got is not None
    assert got[0] == pytest.approx(-yaw, abs=6)
    assert (got[0] > 0) == (marks[2, 0] > marks[:2, 0].mean())
    assert got[1] == pytest.approx(pitch, abs=25)  # coarse where the head is turned as well
    assert yaw not in (-15, 15) or got[1] == pytest.approx(pitch, abs=5)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"yaw": 60.0}, ReasonCode.FACE_TURNED_AWAY),
        ({"yaw": -60.0}, ReasonCode.FACE_TURNED_AWAY),
        ({"roll": 178.0}, ReasonCode.SELFIE_UPSIDE_DOWN),
        ({"roll": -170.0}, ReasonCode.SELFIE_UPSIDE_DOWN),
        ({"luminance": 0.2}, ReasonCode.FACE_TOO_DARK),
        ({"illumination_uniformity": 0.2}, ReasonCode.FACE_UNEVENLY_LIT),
        ({"natural_colour": 1.0}, ReasonCode.FACE_WITHOUT_COLOUR),
        ({"eyes_visible": 0.05}, ReasonCode.EYES_NOT_SEEN),
        ({"mouth_visible": 0.1}, ReasonCode.FACE_COVERED),
        ({"face_sharpness": 4.0}, ReasonCode.SELFIE_BLURRED),
    ],
)
def test_each_line_has_its_reason(changed: dict[str, float], reason: ReasonCode) -> None:
    from dataclasses import replace

    assert quality.problems(GOOD, SHIPPED) == ()
    assert quality.problems(replace(GOOD, **changed), SHIPPED) == (reason,)  # type: ignore[arg-type]


def test_what_was_not_measured_gives_no_reason_and_in_the_dark_light_comes_first() -> None:
    from dataclasses import replace

    assert quality.problems(Quality(), SHIPPED) == ()
    dark = replace(GOOD, luminance=0.1, mouth_visible=0.0, eyes_visible=0.0, natural_colour=0.0)
    assert quality.problems(dark, SHIPPED) == (ReasonCode.FACE_TOO_DARK,)


@with_faces
def test_a_tilted_face_comes_upright() -> None:
    """YuNet sees only a part of a lean: before the last looks, faces tilted by 45 degrees kept up to 41 of it."""
    for picture, face in official():
        for degrees in (45, 105, 210):
            tilted, _ = scenes.tilted(picture, degrees, (0, 0, 0))
            found = detect.main_face(tilted).face
            assert found is not None
            assert abs((found.tilt + degrees - face.tilt + 180) % 360 - 180) < 16


@with_faces
def test_a_face_alone_has_no_print_around_it() -> None:
    for picture, face in official():
        assert not paper.on_paper(picture, face)


@with_faces
def test_copies_of_one_photograph_are_known_and_other_photographs_are_not() -> None:
    def chip(picture: np.ndarray) -> np.ndarray:
        from verification.faces.encode import encode

        face = detect.main_face(picture, kind=PhotoKind.ON_FILE).face
        assert face is not None
        return encode(face).chip

    (one, _), (other, _) = official()[:2]
    small = scenes.resized(np.ascontiguousarray(one[:, 4:]), 300)
    faint = np.clip(scenes.tilted(small, 7)[0] * 0.6 + 60, 0, 255).astype(np.uint8)
    assert copies.likeness(chip(one), chip(faint)) > copies.LINE
    assert copies.likeness(chip(one), chip(other)) < 0.9
    flat = np.zeros((64, 64), np.float32)
    assert copies.likeness(flat, flat) <= 0.0
