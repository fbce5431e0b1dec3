"""A job on the network: its state and what has been reserved and paid for it."""

import enum
from dataclasses import dataclass, field

from dispatcher.simulator.accounts import Account
from dispatcher.simulator.behaviour import Behaviour
from dispatcher.simulator.conditions import Conditions
from dispatcher.simulator.definitions import Definition
from dispatcher.simulator.markets import Market
from dispatcher.simulator.money import Rate

_NO_BEHAVIOUR = Behaviour()
_USUAL = Conditions()


class State(enum.IntEnum):
    """A job's state on the wire. The numbers only grow (Nosana credits API, the job record)."""

    QUEUED = 0
    RUNNING = 1
    COMPLETED = 2
    """Over: finished, timed out or stopped by its owner. Says nothing about success."""
    STOPPED = 3
    """The host quit. Not what an owner's stop gives."""


class End(enum.StrEnum):
    """How a job ended."""

    FINISHED = "finished"
    EXPIRED = "expired"
    STOPPED = "stopped"
    HOST_QUIT = "host quit"
    REFUSED = "refused by the host"
    UNPINNED = "definition not found"
    DELISTED = "delisted"


@dataclass(frozen=True, slots=True)
class Reservation:
    """Credits set aside for a job; `kind` is `list` or `extend`, `seconds` what they pay for at most."""

    id: str
    kind: str
    at: float
    seconds: int
    amount: int
    key: str | None


@dataclass(slots=True, eq=False)
class Job:
    """A job. Times are simulated unix seconds, money is thousandths of a dollar.

    `ends_at` and `ends_how` foretell a running job's end if nothing happens; `turn` counts the changes of
    that, so that an event made before a change is known to be void. `behaviour` and `conditions` are those of
    this run, from when a host took it.
    """

    address: str
    run: str
    account: Account
    cid: str
    market: Market
    rate: Rate
    timeout: int
    listed_at: float
    visible_at: float
    wanted_node: str | None = None
    key: str | None = None
    state: State = State.QUEUED
    arrival: int = 0
    node: str | None = None
    started_at: float = 0.0
    runs_for: float = 0.0
    ended_at: float = 0.0
    ends_at: float = 0.0
    ends_how: End = End.FINISHED
    turn: int = 0
    end: End | None = None
    result_at: float = 0.0
    quits_after: float | None = None
    definition: Definition | None = None
    behaviour: Behaviour = _NO_BEHAVIOUR
    conditions: Conditions = _USUAL
    exit_code: int = 0
    stop_asked_at: float | None = None
    delisted_at: float = 0.0
    reservations: list[Reservation] = field(default_factory=list)
    settled: int | None = None
    result_cid: str | None = None

    @property
    def over(self) -> bool:
        """Whether it has ended, by whatever way."""
        return self.end is not None

    def uploaded(self, at: float) -> bool:
        """Whether its host had uploaded the result by then."""
        return self.end is not None and self.end is not End.DELISTED and at >= self.result_at

    @property
    def reserved(self) -> int:
        """All that was set aside for it."""
        return sum(reservation.amount for reservation in self.reservations)

    @property
    def time_start(self) -> int:
        """When a host took it, whole unix seconds; 0 before."""
        return int(self.started_at)

    @property
    def time_end(self) -> int:
        """When it ended, whole unix seconds; 0 before."""
        return int(self.ended_at)

    @property
    def deadline(self) -> int:
        """When a running job times out: whole seconds, so that clients can reckon it from the record."""
        return self.time_start + self.timeout

    @property
    def seconds_used(self) -> int:
        """What is paid of an ended job: min(timeEnd - timeStart, timeout)."""
        return 0 if self.node is None else min(self.time_end - self.time_start, self.timeout)

    def __repr__(self) -> str:
        return f"Job({self.address}, {self.state.name}, {self.end})"
