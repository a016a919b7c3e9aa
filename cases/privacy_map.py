"""Where a person's data may lie, table by table, and what becomes of it when she is erased. The data map of docs/privacy.md.

A table that is not listed here makes a test fail, and so does one that is said to be of nobody and has a way to a customer.
When a table is added: one line here, and whatever is to be done in `cases.privacy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What becomes of a customer's rows in a table when she is erased."""

    ERASED = "erased"  # the rows are gone
    EMPTIED = "emptied"  # the rows stay as codes and times; what was personal is gone or its key is
    KEPT = "kept"  # stays as it is: ids, codes and times
    NOBODY = "nobody"  # nothing of any customer stands in it


@dataclass(frozen=True)
class Place:
    """One table. `why` is a code: what it is emptied of, or why it is kept."""

    fate: Fate
    why: str = ""


def _erased(why: str = "") -> Place:
    return Place(Fate.ERASED, why)


def _emptied(why: str) -> Place:
    return Place(Fate.EMPTIED, why)


def _kept(why: str) -> Place:
    return Place(Fate.KEPT, why)


_NOBODY = Place(Fate.NOBODY)

WHY_KEPT = {
    "accountability": "Proof of what was done, when and by what kind of actor: ids, codes and times (GDPR 5(2), 152-FZ 22.1).",
    "figures": "Numbers for error rates and reports: no name, number, photo or link to a person is left.",
    "proof": "That she was erased, and that a restored backup erases her again: keyed hashes.",
    "key": "The row of a destroyed key: its id and times, nothing that opens anything.",
}
"""Why something stays, by code."""

PLACES: dict[str, Place] = {
    # accounts
    "customers": _emptied("the host's id becomes a keyed hash; the data key is destroyed"),
    "profile_versions": _emptied("append-only: sealed under the destroyed key"),
    "data_keys": _emptied("the wrapped key"),
    "links": _erased(),
    "device_links": _erased(),
    "customer_sessions": _erased(),
    "unsent_forms": _erased(),
    "staff_accounts": _erased(),
    # requests
    "cases": _emptied("claim, index of the document number"),
    "photos": _emptied("blob, hash, measures of quality"),
    "head_turns": _emptied("blob, hash"),
    "turn_frames": _erased(),
    "uploads": _erased(),
    "numbers_read": _erased(),
    "photo_marks": _erased(),
    "face_encodings": _erased("also where she stands as a candidate of another case"),
    "runs": _emptied("readings"),
    "run_records": _erased(),
    "messages": _emptied("words, blob, hash"),
    "outgoing": _emptied("words, photo; what had not left never leaves"),
    "ratings": _emptied("the sentence; the mark stays as a number"),
    "papers": _emptied("words, readings, blob, hash"),
    "dispositions": _emptied("append-only: notes sealed under destroyed keys"),
    "answers": _emptied("notes, words"),
    "case_notes": _erased(),
    "presences": _erased(),
    "quality_samples": _emptied("notes; what was not reviewed lapses"),
    "notifications": _emptied("the address; what was not sent is never sent"),
    "reply_uses": _kept("figures"),
    "replay_wrongs": _kept("figures"),
    "undo_items": _kept("accountability"),
    "failures_set_aside": _kept("accountability"),
    "events": _kept("accountability"),
    # the host system's side
    "api_answers": _erased(),
    "webhook_deliveries": _erased("bodies carry the host's id"),
    "ticket_messages": _kept("accountability"),
    "erasures": _kept("proof"),
    "tombstones": _kept("proof"),
    # of nobody
    "api_keys": _NOBODY,
    "automation_switches": _NOBODY,
    "calibration_activations": _NOBODY,
    "calibrations": _NOBODY,
    "decision_counts": _NOBODY,
    "halts": _NOBODY,
    "heartbeats": _NOBODY,
    "policies": _NOBODY,
    "policy_activations": _NOBODY,
    "policy_steps": _NOBODY,
    "policy_trials": _NOBODY,
    "practice_answers": _NOBODY,
    "practice_rounds": _NOBODY,
    "quality_marks": _NOBODY,
    "replay_reports": _NOBODY,
    "report_wishes": _NOBODY,
    "reply_versions": _NOBODY,
    "saved_views": _NOBODY,
    "staff": _NOBODY,
    "staff_links": _NOBODY,
    "staff_mails": _NOBODY,
    "staff_passkeys": _NOBODY,
    "staff_provider_sessions": _NOBODY,
    "staff_spent": _NOBODY,
    "throttles": _NOBODY,
    "undos": _NOBODY,
    "webhook_endpoints": _NOBODY,
    "weekly_reports": _NOBODY,
}
"""Every table. Keyed hashes in `throttles` live for two days at most and are of an id of ours."""
