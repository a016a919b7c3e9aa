"""Measure what a photo at the desk costs the web process: opened, written down, marked with the viewer's name, sent.

    python tests/benchmarks/pictures.py [--times N] [--json FILE]

One drawn photo of each size in an SQLite database of its own; `burn` is the marking alone, `answer` the whole request of an agent
who holds the case, in the process (no network). Printed: p50 and p95 of the wall clock and the CPU's median, milliseconds.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from sqlalchemy import select  # noqa: E402

from cases import customers  # noqa: E402
from cases.models import Case, Customer, Photo, Role, Staff  # noqa: E402
from tests import conftest  # noqa: E402
from tests.specimens import people  # noqa: E402
from tests.webapp import staff_fixtures  # noqa: E402
from verification import images  # noqa: E402
from verification.evidence import Quality  # noqa: E402
from verification.reasons import PhotoKind  # noqa: E402
from webapp.desk import pictures, watermark  # noqa: E402

SIZES = ((1280, 960), (2048, 1440), (3000, 2250))
"""As the portal sends a selfie and a document, and the largest that is kept (facts/ecosystem.md 2.2, images.Limits)."""


def photo(size: tuple[int, int]) -> bytes:
    """A drawn passport at that size, written as the intake writes."""
    drawn = Image.fromarray(next(iter(people.personas(conftest.NOW.date()).values())).draw().image).resize(size)
    out = io.BytesIO()
    drawn.save(out, "JPEG", quality=images.Limits().jpeg_quality)
    return out.getvalue()


def measured(what: Callable[[], Any], times: int) -> dict[str, float]:
    """p50, p95 and CPU's median in milliseconds."""
    wall, cpu = [], []
    for _ in range(times + 2):
        began, spent = time.perf_counter(), time.process_time()
        what()
        wall.append(1000 * (time.perf_counter() - began))
        cpu.append(1000 * (time.process_time() - spent))
    wall, cpu = sorted(wall[2:]), sorted(cpu[2:])
    return {"p50": wall[times // 2], "p95": wall[min(times - 1, int(times * 0.95))], "cpu": cpu[times // 2]}


def main() -> None:
    """Draw, fill a database, measure, print."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--times", type=int, default=60)
    given.add_argument("--json", type=Path)
    asked = given.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        settings = conftest.settings_in(Path(folder))
        conftest.prepare(settings)
        office = staff_fixtures.make_office(settings)
        browser = office.signed_in(Role.AGENT, name="Ada Agent")
        with office.db.transaction() as db:
            case = staff_fixtures.a_case(db, now=office.clock() - timedelta(minutes=5))
            case.owner_id = db.scalars(select(Staff.id).where(Staff.name == "Ada Agent")).one()
            case.owner_until = office.clock() + timedelta(hours=8)
            case_id, customer_id = case.id, case.customer_id
        for size in SIZES:
            data = photo(size)
            with office.db.transaction() as db:
                customer = db.get_one(Customer, customer_id)
                quality = Quality(width=size[0], height=size[1])
                customers.set_face_on_file(db, customer, data, quality=quality, now=office.clock())
            with office.db.reading() as db, office.app.test_request_context():
                found = db.get_one(Case, case_id)
                kept = db.scalars(select(Photo).where(Photo.kind == PhotoKind.ON_FILE, Photo.current.is_(True))).one()
                member = db.scalars(select(Staff).where(Staff.name == "Ada Agent")).one()
                token = pictures.links.sign(
                    settings.secret_key, pictures.PHOTO, str(kept.id), subject=str(found.id), purpose="review",
                    viewer=member.id, now=office.clock(),
                )  # fmt: skip
            address = f"/desk/cases/{case_id}/photos/{token}"
            assert browser.get(address).status_code == 200
            for name, what in (
                ("burn", lambda data=data: watermark.burn(data, "Ada Agent", conftest.NOW)),
                ("answer", lambda address=address: browser.get(address).data),
            ):
                figures = measured(what, asked.times)
                rows.append({"what": name, "size": f"{size[0]} x {size[1]}", "kb": len(data) // 1024, **figures})
                print("{what:7s} {size:12s} {kb:5d} KB  p50 {p50:6.1f}  p95 {p95:6.1f}  CPU {cpu:6.1f} ms".format(**rows[-1]))
        office.db.dispose()
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
