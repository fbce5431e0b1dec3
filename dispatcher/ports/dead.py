"""Jobs whose turns failed: counted, rested, and after too many put aside as dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dispatcher.domain.crashes import Crash, Trouble
from dispatcher.domain.events import Event
from dispatcher.domain.ids import JobId, LeaseToken
from dispatcher.domain.job import Job


@dataclass(frozen=True, slots=True)
class Listed:
    """A job in a list, with the trouble it is in. `job` is None where its record cannot be read."""

    id: JobId
    state: str
    job: Job | None
    trouble: Trouble | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An entry of a log that cannot be read: a newer version wrote it, or it is damaged."""

    position: int


class DeadLetterStore(Protocol):
    """The part of the store that keeps crashes. A dead letter is off the agenda, waits for no credit, and cannot be
    claimed; its record, its log and its commands stay as they are. It is kept until it is revived or dropped.
    """

    def crashed(
        self, job_id: JobId, token: LeaseToken, crash: Crash, *, now: float, retry_at: float, at_most: int
    ) -> Trouble | None:
        """Note that the turn under `token` failed, and end its lease; nothing else of it is saved.

        An error is counted, and the job is a dead letter once `at_most` turns raised without one that was released
        in between. A worker that was not heard of was counted by the claim: the job is a dead letter if `at_most`
        are. Otherwise the job rests until `retry_at`, or is due at once if it is the first failure and a stop waits.
        None, and no effect, if somebody else has the job by now, or if it is over and closed.
        """
        ...

    def trouble(self, job_id: JobId) -> Trouble | None:
        """How the last turns of the job failed; None if the last one did not."""
        ...

    def dead_letters(self, *, limit: int = 100, offset: int = 0) -> list[Trouble]:
        """The newest first."""
        ...

    def count_dead(self) -> int: ...

    def revive(self, job_ids: Sequence[JobId], *, now: float) -> list[JobId]:
        """Make dead letters jobs again, due at once, with as many tries as a new one. The answer names those that
        were dead. A stop command does the same by itself."""
        ...

    def exhume(self, job_id: JobId, token: LeaseToken, *, now: float, lease: float) -> LeaseToken | None:
        """Take the lease on a dead letter, to drop it. If the lease lapses, the job is tried again.

        `token`: as in its `Trouble`. None if the job is not dead, or died again meanwhile.
        """
        ...

    def discard(self, job_id: JobId, token: LeaseToken, *, now: float, retention: float) -> bool:
        """End a job whose record cannot be read, under the lease that `exhume` gave: it counts as failed, is never
        claimed again, and is forgotten after `retention` seconds. Record and log stay until then.

        False, and no effect, if the lease is lost.
        """
        ...

    def raw(self, job_id: JobId) -> str | None:
        """The record as it is kept, unread; None if there is no such job."""
        ...

    def log(self, job_id: JobId, start: int = 0) -> list[Event | Unreadable]:
        """As `JobStore.events`, which raises `UnreadableRecord` where this names the position."""
        ...

    def listing(self, *, states: Sequence[str] = (), limit: int = 100, offset: int = 0) -> list[Listed]:
        """As `JobStore.list_jobs`, which leaves out the jobs that cannot be read."""
        ...
