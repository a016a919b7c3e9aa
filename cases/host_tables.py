"""The tables of the host system's side: API keys, webhooks, tickets, reports, tombstones, staff's own ways in. See `cases.models`."""

from __future__ import annotations
