"""The job that reads one supporting paper: begin, look, finish. Run by a verify worker, which has the networks in memory."""

from __future__ import annotations

import time
from uuid import UUID

import structlog

from cases import supporting
from cases.audit import MACHINE
from cases.database import utcnow
from verification import images
from verification.documents.supporting import read_supporting
from workers import process
from workers.faults import fault

log = structlog.get_logger()


def read_paper(paper_id: str) -> str:
    """Read one paper. Safe to run twice: one that is read, being read or gone is left alone.

    Nothing is caught here: a reading that never ended is begun again when its lease is over, a few times. No transaction is
    open while it looks.
    """
    database = process.database()
    fault("after_dequeue")
    with database.transaction() as session:
        order = supporting.begin(session, UUID(paper_id), now=utcnow())
    if order is None:
        return "not waiting"
    fault("after_begin")
    began = time.monotonic()
    with database.transaction() as session:  # that it was opened is recorded before anything is made of it
        data = supporting.open_picture(
            session, order.paper_id, case_id=order.case_id, viewer=MACHINE, purpose="reading", now=utcnow()
        )
    # The stored file is our own clean JPEG, written by the sandbox, and is decoded in one again: as in a run of a case.
    reading = read_supporting(images.decode(data), today=utcnow().date())
    seconds = time.monotonic() - began
    fault("after_work")
    with database.transaction() as session:
        kept = supporting.finish(session, order, reading, seconds=seconds, now=utcnow())
    fault("after_finish")
    outcome = "fenced off" if not kept else "read" if reading.kind is not None else "no such page"
    log.info("paper_read", paper=paper_id, case=str(order.case_id), outcome=outcome, seconds=round(seconds, 3))
    return outcome
