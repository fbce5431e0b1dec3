"""Turns that failed: how soon a job is tried again, and what is kept of it.

A turn fails if it raises, or if its worker is not heard of again before its lease lapses. After so many in a row
the job is a dead letter: nothing is done for it until an operator retries it, stops it, or drops it.
"""

from dataclasses import dataclass, field
from typing import Final

from dispatcher.domain.ids import JobId, LeaseToken

_REASON_AT_MOST: Final = 300
"""Characters."""

_TRACEBACK_AT_MOST: Final = 8192
"""Bytes of UTF-8. The end is kept: it names the error."""


@dataclass(frozen=True, slots=True)
class Crash:
    """A turn that failed: by an error (`raised`), or because its worker died or hung again and again."""

    reason: str
    """One line."""
    traceback: str = field(default="", repr=False)
    raised: bool = True


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the store keeps of a job whose last turn failed, until a turn ends well."""

    job_id: JobId
    reason: str
    traceback: str = field(repr=False)
    crashes: int
    """How many turns in a row failed alike."""
    at: float
    """When the last one did, unix seconds."""
    token: LeaseToken
    """The claim under which it did."""
    retry_at: float | None
    """Before then nobody tries it again; None for a dead letter, and while it is being tried."""
    dead: bool
    dropped_at: float | None = None
    """When an operator dropped it, where the record could not be read and so could not say it itself."""


def retry_after(crashes: int) -> float:
    """Seconds until a job whose last `crashes` turns raised is tried again: from 2, doubling, to 60."""
    return float(min(2 ** min(max(crashes, 1), 16), 60))


def one_line(text: str) -> str:
    """The text on one line, bounded."""
    line = " ".join(text.split())
    return line if len(line) <= _REASON_AT_MOST else line[: _REASON_AT_MOST - 3] + "..."


def bounded(traceback: str) -> str:
    """The end of the traceback, at most 8 kB."""
    encoded = traceback.encode("utf-8", "replace")
    if len(encoded) <= _TRACEBACK_AT_MOST:
        return encoded.decode()
    return "...\n" + encoded[4 - _TRACEBACK_AT_MOST :].decode("utf-8", "ignore")


def lapsed(lapses: int) -> Crash:
    """The worker of the job was not heard of again, so many times in a row."""
    return Crash(f"its worker died or hung {lapses} times in a row", raised=False)
