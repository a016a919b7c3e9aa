"""Faces: find them (`detect`, `sight`), turn them into numbers (`encode`, by `voices`), compare them (`compare`).

Where no machine may compare faces (`by_eye` below, docs/decisions/0015) they are found only, and no number is made of any.

Workers call `load()` once, before they fork. The web process never imports this package.
"""

from __future__ import annotations

from pathlib import Path


def use(folder: Path | None) -> None:
    """Take up a deployment's own voices, before `load`: each `*.voice.json` of `folder`, and its `calibration.json`.

    Without that calibration their scores have no rate and approve nothing. None, or a folder without a voice: the shipped
    voices and their calibration alone, whatever else lies there. Raises voices.BadDescription.
    """
    from verification.faces import compare, voices

    added = sorted(folder.glob("*.voice.json")) if folder is not None else []
    voices.use(added)
    own = folder / "calibration.json" if folder is not None and added else None
    compare.use(own if own is not None and own.is_file() else None)


def load(*, by_eye: bool = False) -> None:
    """Load YuNet, the voices and the calibration, once per process. Raises models.ModelFileMissing, voices.BadDescription.

    `by_eye`: only what finds faces; the networks that encode them stay where they are.
    """
    if by_eye:
        from verification.faces import detect

        detect.load()
        return
    from verification.faces import compare, detect, encode

    encode.load()  # its networks are the largest
    detect.load()
    compare.calibration()


def engines(*, by_eye: bool = False) -> tuple[str, ...]:
    """Name the models that judge and what they are calibrated by: kept beside each score, so that old ones stay explainable."""
    if by_eye:
        from verification import models

        return (models.label("yunet"),)
    from verification.faces import compare

    return (*compare.networks(), compare.calibration().label) if compare.covered() else compare.networks()
