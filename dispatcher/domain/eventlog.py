"""How long the log of one job may become, and what is left out of one that is long.

A job can wait, and a network can change its mind, thousands of times. A log that has reached `LOG_AT_MOST` keeps what
was decided and paid, and leaves the rest out; the record itself always has everything. `lifecycle.replay` derives
the record from a log that is whole; of a longer one it is told by `is_whole` that it cannot.
"""

from collections.abc import Sequence, Sized
from typing import Final

from dispatcher.domain.events import Event

LOG_AT_MOST: Final = 2_000
"""Events; the Lua scripts say the same."""

LOG_AT_LAST: Final = 4_000
"""Events, after which only the end is still logged."""

REPEATED: Final = frozenset({"waited", "woken", "call_undecided", "observed"})
"""Kinds that can come again and again, and that decide and pay nothing."""


def kept(length: int, events: Sequence[Event]) -> list[Event]:
    """Those of `events` that a log of `length` events takes on."""
    taken: list[Event] = []
    for event in events:
        if event.logged and _is_kept(length + len(taken), event.kind):
            taken.append(event)
    return taken


def is_whole(log: Sized) -> bool:
    """Whether nothing was left out of the log."""
    return len(log) < LOG_AT_MOST


def _is_kept(length: int, kind: str) -> bool:
    if length < LOG_AT_MOST or kind == "ended":
        return True
    return length < LOG_AT_LAST and kind not in REPEATED
