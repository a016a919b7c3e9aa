"""The tables of the host system's side: keys, webhooks, tickets, reports, tombstones, staff's own ways in. See `cases.models`."""

from __future__ import annotations

from cases.models import Base

APPEND_ONLY: tuple[type[Base], ...] = ()
"""Rows that are written once (`cases.immutability`)."""
