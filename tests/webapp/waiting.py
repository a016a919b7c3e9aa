"""Asking a browser's page until it says what is expected: script, focus and storage follow a click a moment later.

And pictures for people to look at, which nobody looks at on a build machine.
"""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE = 20.0
"""Seconds: a busy build machine takes many times as long as a quiet one, and waiting costs nothing where all is well."""


def soon(holds: Callable[[], object], why: str = "") -> None:
    """Wait until `holds()` is true; fail with its own text when it is not in time."""
    until = time.monotonic() + PATIENCE
    while not _says(holds):
        assert time.monotonic() < until, why or inspect.getsource(holds).strip()
        time.sleep(0.05)


def _says(holds: Callable[[], object]) -> bool:
    """False also while the page is being left: a browser cannot answer for a page that is gone."""
    try:
        return bool(holds())
    except Exception as error:
        if "context was destroyed" in str(error) or "navigati" in str(error):
            return False
        raise


def shot(page: Any, path: Path, **options: Any) -> None:
    """Take a picture of the page for people; with NO_PICTURES in the environment none is taken."""
    if not os.environ.get("NO_PICTURES"):
        page.screenshot(path=path, **options)
