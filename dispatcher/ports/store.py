"""Where jobs, their logs, the agenda and the waiting lists are kept.

Every method is one atomic step. All may raise `StoreUnavailable`. Those that read one record or log raise
`UnreadableRecord` where it cannot be read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Protocol

from dispatcher.domain.cid import Cid
from dispatcher.domain.events import Event
from dispatcher.domain.ids import AccountName, JobId, LeaseToken, ProjectAddress, RemoteAddress
from dispatcher.domain.job import Job
from dispatcher.domain.waiting import Line
from dispatcher.domain.words import FollowUp, Reason, State
from dispatcher.ports.dead import DeadLetterStore
from dispatcher.ports.mending import MendingStore


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be stored: its record, its first event, its definition (compact JSON)."""

    job: Job
    enqueued: Event
    document: bytes = field(repr=False)
    due_at: float


@dataclass(frozen=True, slots=True)
class Added:
    """`new` is False where the request id was known: `id` is then the job that is there already, and
    `same_request` says whether it asked for the same (equal fingerprints)."""

    id: JobId
    new: bool
    same_request: bool = True


@dataclass(frozen=True, slots=True)
class Command:
    """What an operator, the watch for credit (`retry`: there is enough now) or reconciliation asks of a job.

    It is kept until a worker has taken it into the record. `resolve`: an undecided post landed at `address`, or,
    without one, it did not land. `unreadable` stands for one that a newer version left, or that is damaged: it has
    no effect, and keeps no other from having one. Reconciliation's: `mended` has something noted in the log, `adopt`
    has the job go on as another one on the network; `detail` says what, and which address. `upstream`: a job that it
    comes after is over. `policies`: `detail` is a part, as JSON, that is laid upon the policies that the job has then.
    """

    kind: Literal[
        "stop", "extend", "retry", "resolve", "unreadable", "mended", "adopt", "upstream", "policies"
    ]
    by: str
    at: float
    seconds: int = 0
    detail: str = ""
    address: RemoteAddress | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease on a job: nobody else can save it until the lease ends or lapses."""

    job: Job
    token: LeaseToken
    commands: tuple[Command, ...]
    crashes: int = 0
    """Turns in a row that raised."""
    lapses: int = 0
    """Leases in a row, this one not counted, that lapsed: no release, and no save that logged an event."""


@dataclass(frozen=True, slots=True)
class Next:
    """What the agenda gets: when the job falls due again, and for what; None for a job that is over."""

    at: float
    follow_up: FollowUp


@dataclass(frozen=True, slots=True)
class DueJob:
    """A job that fell due."""

    id: JobId
    follow_up: FollowUp


@dataclass(frozen=True, slots=True)
class Waiter:
    """A job that waits for money: highest priority first, then longest waiting. `since`: unix seconds, to about half
    a millisecond."""

    id: JobId
    short_usd: Decimal
    priority: int = field(default=0, compare=False)
    since: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the jobs of an account that are not over can still cost, US dollars, in total."""

    jobs: int
    committed: Decimal
    """At most, if every dispatcher process died now."""
    allowed: Decimal
    """At most by the policies of those jobs that have a limit."""
    unlimited: int
    """How many have none."""


class JobStore(DeadLetterStore, MendingStore, Protocol):
    """Jobs, their logs, the agenda, the operators' commands, the dead letters."""

    def add(self, jobs: Sequence[NewJob]) -> list[Added]:
        """Store jobs, each atomically with its request id, log, definition, due entry, and its place among those that
        come after other jobs; in few round trips."""
        ...

    def claim(self, job_id: JobId, *, now: float, lease: float) -> Claim | None:
        """Take the job for `lease` seconds; None if somebody has it, if there is no such job, if it is a dead letter,
        or if it rests after a crash.

        Raises `UnreadableRecord`: the lease is taken all the same, under the token that the error bears.
        """
        ...

    def save(
        self,
        claim: Claim,
        job: Job,
        log: Sequence[Event],
        *,
        now: float,
        lease: float,
        taken: int = 0,
        result: Mapping[str, Any] | None = None,
        document: bytes | None = None,
        durable: bool = False,
    ) -> Claim:
        """Replace the record and append to the log, if the lease still holds; renew it for `lease` seconds.

        `durable`: come back only when it would outlive a loss of power, where the store can say so.

        `taken`: how many of the claim's commands the record now contains; they are forgotten. The answer holds
        those that are there now. `result`: the host's result document, kept beside the job. `document`: the job's
        definition, compact JSON, instead of the one that it was stored with.
        Raises `LeaseLost`: nothing was saved.
        """
        ...

    def release(
        self,
        claim: Claim,
        job: Job,
        log: Sequence[Event],
        *,
        now: float,
        due: Next | None,
        retention: float,
        taken: int = 0,
        result: Mapping[str, Any] | None = None,
        document: bytes | None = None,
    ) -> bool:
        """Save as `save` does, set the agenda, and end the lease.

        A job without `due` is over, and kept `retention` seconds.

        If commands came in meanwhile, everything is saved but the job is due at once; then the answer is False.
        Raises `LeaseLost`: nothing was saved.
        """
        ...

    def dependents(self, job_id: JobId) -> list[JobId]:
        """The jobs that come after this one, as far as they are kept; sorted. It need not be there itself."""
        ...

    def count_dependents(self, job_id: JobId) -> int: ...

    def load(self, job_id: JobId) -> Job | None: ...

    def load_many(self, job_ids: Sequence[JobId]) -> list[Job | None]: ...

    def find(self, request_id: str) -> JobId | None:
        """The job that was enqueued with this request id."""
        ...

    def document(self, job_id: JobId) -> bytes | None:
        """The job's definition, compact JSON."""
        ...

    def result(self, job_id: JobId) -> dict[str, Any] | None: ...

    def events(self, job_id: JobId, start: int = 0) -> list[Event]:
        """The log from position `start` on."""
        ...

    def list_jobs(self, *, states: Sequence[State] = (), limit: int = 100, offset: int = 0) -> list[Job]:
        """Jobs, the newest first; all states if none is named. Those that cannot be read count, and are left out."""
        ...

    def counts(self) -> dict[State, int]:
        """How many jobs are in each state."""
        ...

    def find_address(self, address: RemoteAddress) -> JobId | None:
        """The job that has this address on the network now."""
        ...

    def find_past_address(self, address: RemoteAddress) -> JobId | None:
        """The job of which an earlier attempt had this address."""
        ...

    def exposure(self, account: AccountName) -> Exposure:
        """What the account's live jobs can still cost."""
        ...

    def exposed_accounts(self) -> list[AccountName]:
        """Accounts that have jobs which are not over, whether the settings know them or not."""
        ...

    def reasons(self) -> dict[Reason, int]:
        """How many jobs that are not over are where they are for each reason; those that occur."""
        ...

    def live_ids(self) -> list[JobId]:
        """All jobs that are not over."""
        ...

    def command(self, job_id: JobId, command: Command, *, now: float) -> bool:
        """Leave a command for the job and make it due at once; False if there is no such job, or if it is a change
        of policies and too many commands wait already.

        A stop also revives a dead letter, and gives the job as many tries as a new one. Other commands wait there.
        """
        ...

    def command_many(self, job_ids: Sequence[JobId], command: Command, *, now: float) -> int:
        """Leave the command for each of these jobs, in few round trips; how many of them there are. Each job is
        a step of its own: what fails on the way may be repeated."""
        ...

    def next_due(self, job_id: JobId) -> Next | None:
        """The job's agenda entry."""
        ...

    def take_due(self, *, now: float, limit: int, grace: float) -> list[DueJob]:
        """Up to `limit` jobs that are due, the longest due first; each is due again after `grace` seconds, in
        case the message that is now sent for it gets lost."""
        ...

    def earliest_due(self) -> float | None:
        """When the next job falls due."""
        ...

    def due_count(self, *, now: float) -> int:
        """How many jobs are due and were not taken yet."""
        ...

    def wake(self, job_ids: Sequence[JobId], *, now: float) -> None:
        """Make jobs due at once."""
        ...

    def waiting_accounts(self) -> list[AccountName]:
        """Accounts for whose credit, or thawing, jobs wait."""
        ...

    def waiting_lines(self) -> list[Line]:
        """All lines in which jobs wait for money (`domain.waiting`), sorted."""
        ...

    def waiters(self, line: str, limit: int) -> list[Waiter]:
        """Jobs that stand in the line, in the order in which they are served. An account's name is the line of those
        that wait for its credit."""
        ...

    def waiting_count(self, account: AccountName) -> int:
        """How many jobs wait for the account's credit."""
        ...

    def is_pinned(self, cid: Cid, account: AccountName) -> bool:
        """Whether this account pinned it: others may pin where its hosts do not look."""
        ...

    def mark_pinned(self, cid: Cid, account: AccountName) -> None: ...

    def project(self, account: AccountName) -> ProjectAddress | None:
        """Whose jobs the account's are on the network, as last noted."""
        ...

    def note_project(self, account: AccountName, project: ProjectAddress) -> None:
        """Keep whose jobs the account's are; it takes the place of what was noted before."""
        ...

    def take_turn(self, name: str, *, now: float, period: float) -> bool:
        """True for one caller in each `period` seconds: for work that one of many workers should do."""
        ...
