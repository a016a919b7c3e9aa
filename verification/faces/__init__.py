"""Faces: find them (`detect`), turn them into numbers (`encode`), compare them (`compare`).

Workers call `load()` once, before they fork. The web process never imports this package.
"""

from __future__ import annotations

from verification import models


def load() -> None:
    """Load YuNet, SFace, dlib's networks and the calibration, once per process. Raises models.ModelFileMissing."""
    from verification.faces import compare, detect, encode

    detect.load()
    encode.load()
    compare.calibration()


def engines() -> tuple[str, ...]:
    """Name the models that judge, with their versions: kept beside each score, so that old ones stay explainable."""
    return tuple(models.label(name) for name in ("yunet", "sface", "dlib_5_points", "dlib_resnet"))
