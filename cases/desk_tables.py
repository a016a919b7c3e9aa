"""The tables of the desk: answers that wait, views, papers, replies, practice, quality. See `cases.models` for the rest.

The rules of `cases.models` hold here too: what is personal stands sealed, in columns named `…_sealed`.
"""

from __future__ import annotations
