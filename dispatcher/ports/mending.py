"""How a store is looked over for what does not fit together, and what is found on the network without a record.

A job's record is the truth; agenda, waiting lists, indexes and lists of commands are derived from it. Every method
is one atomic step, but for `walk`, which only looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from dispatcher.domain.ids import AccountName, JobId, RemoteAddress
from dispatcher.domain.job import Job

MOST_STRAYS = 1000
"""So many strays are remembered; beyond, those that need nothing any more are forgotten first, the oldest first."""


class Source(StrEnum):
    """Where job ids stand: each is walked on its own, since any of them may be damaged."""

    LIVE = "live"  # the indexes of jobs that are not over
    AGENDA = "agenda"
    WAITING = "waiting"  # the lists of those that wait for credit
    ENDED = "ended"  # jobs that are over, by when they are forgotten
    RECORDS = "records"  # records and lists of commands themselves, whether anything points to them or not


@dataclass(frozen=True, slots=True)
class Walked:
    """Some job ids of a source. `cursor`: where to go on; empty at the end. An id may come more than once."""

    ids: tuple[JobId, ...]
    cursor: str


class Damage(StrEnum):
    """What did not fit together, in the words in which it is told."""

    NOT_ON_AGENDA = "it was not on the agenda"
    LAPSED = "its worker was gone, and it fell due only much later"
    LATE = "it fell due much later than its next step"
    NOT_AWAITED = "it was not on the list of those that wait for credit"
    AWAITED = "it was on a list of those that wait for credit"
    WRONG_STATE = "it was not listed in its state, or in another one too"
    NO_ADDRESS = "it could not be found by its address"
    FORGOTTEN = "it was to be forgotten, but is not over"
    KEPT = "it is over, and was never closed"
    LEFT_ON_AGENDA = "it is over, and was still on the agenda"
    LEFT_COMMANDS = "it is over, and commands waited for it"
    GONE = "there is no such job, but it was listed, due or commanded"


@dataclass(frozen=True, slots=True)
class Checked:
    """One job after it was looked over. `job`: its record if it is not over, and can be read.

    `due_at`: its agenda entry; `lease_until`: when the lease of the last one who took it and did not let go ends.
    """

    id: JobId
    job: Job | None
    due_at: float | None
    lease_until: float | None
    damages: tuple[Damage, ...]


StrayKind = Literal["foreign", "suspected", "orphan", "duplicate", "ordered"]
"""Not ours; perhaps ours, by a stamp that this store does not know; of a job that is over or posted again; the second
one of a live job; an operator wants it stopped."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A job on the network that no record has. `job`: whose stamp it bears, if any.

    `outcome` is None while it is to be stopped and the network has not confirmed that; `epoch` makes a new key for
    each time that it has to be asked anew.
    """

    address: RemoteAddress
    account: AccountName
    kind: StrayKind
    why: str
    job: JobId | None
    found_at: float
    noted_at: float
    epoch: int = 1
    tries: int = 0
    outcome: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it still has to be stopped."""
        return self.kind in ("orphan", "duplicate", "ordered") and self.outcome is None


class MendingStore(Protocol):
    """What a `JobStore` offers to those who look it over."""

    def walk(self, source: Source, cursor: str, limit: int) -> Walked:
        """About `limit` ids of `source`, from `cursor` on (empty: from the beginning). Ids that are there all the
        time are met in one walk; those that come and go meanwhile may be missed."""
        ...

    def mend(self, job_ids: Sequence[JobId], *, now: float, grace: float) -> list[Checked]:
        """Look jobs over and put right what the record tells; those that need a worker are due at once.

        A job that is not over finds a word about it among its commands. `grace`: for so many seconds a job whose end
        is saved is left to its worker, and to an agenda entry that is near. A dead letter is left as it is.
        """
        ...

    def over(self, job_ids: Sequence[JobId]) -> list[JobId]:
        """Those that are over, or do not exist."""
        ...

    def bookmark(self, name: str) -> str:
        """What was last set under this name; empty if nothing was."""
        ...

    def set_bookmark(self, name: str, text: str) -> None: ...

    def strays(self) -> list[Stray]:
        """All that are remembered, at most `MOST_STRAYS`, the oldest first by when they were found."""
        ...

    def note_stray(self, stray: Stray) -> None:
        """Remember it, in the place of what was known of its address."""
        ...
