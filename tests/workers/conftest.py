"""What several tests of the workers share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.workers.system import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """One for all: workers start from it in milliseconds."""
    made = Nursery()
    yield made
    made.close()
