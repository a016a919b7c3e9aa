"""Where the model files lie, and proof that they are the ones we measured.

`files.json` lists each file by a short name: which wheel it comes from, its SHA-256 and its licence.
The wheels' packages are located, never imported: their code loads networks we do not want, or calls `quit()`.
A file whose hash differs is refused, because every figure we publish was measured with these bytes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import Final, cast

_LIST: Final = Path(__file__).with_name("files.json")
_BLOCK: Final = 1 << 20  # bytes read at a time while hashing


class ModelFileMissing(Exception):
    """A model file is not installed, or is not the file its hash promises. Says which and what to install."""


@cache
def path(name: str) -> Path:
    """Return where the model file called `name` in `files.json` lies, hash checked once per process.

    Raises KeyError for a name that is not listed and `ModelFileMissing` where the wheel is not installed
    or the file's SHA-256 differs.
    """
    entry = _files()[name]
    spec = importlib.util.find_spec(entry["package"])  # of a top-level package: finds it, does not import it
    if spec is None or spec.origin is None:
        raise ModelFileMissing(f"model {name}: package {entry['package']} is not installed ({entry['from']})")
    file = Path(spec.origin).parent / entry["path"]
    if not file.is_file():
        raise ModelFileMissing(f"model {name}: {entry['path']} is missing from {entry['package']} ({entry['from']} has it)")
    if _sha256(file) != entry["sha256"]:
        raise ModelFileMissing(f"model {name}: SHA-256 of {entry['path']} is not the one of {entry['from']}")
    return file


def label(name: str) -> str:
    """Return how `name` is called in a run's list of engines, e.g. "sface 2021dec int8bq"."""
    return _files()[name]["label"]


@cache
def _files() -> dict[str, dict[str, str]]:
    return cast(dict[str, dict[str, str]], json.loads(_LIST.read_text(encoding="utf-8"))["files"])


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
