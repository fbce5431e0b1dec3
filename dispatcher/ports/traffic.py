"""Which calls may go out now, decided for all workers together.

A lane is one account on one API. Its rate limit and its pauses are its own; the breaker belongs to the API, and is
shared by all accounts that use it. Every method is one atomic step. All may raise `StoreUnavailable`.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from dispatcher.domain.ids import AccountName
from dispatcher.domain.traffic import Change, HeldBy, Limits, Looking, Outcome, Urgency


@dataclass(frozen=True, slots=True)
class Lane:
    """`api` is the host, with its port if it has one."""

    account: AccountName
    api: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """The call may go out now, and its end is told to `answered`."""

    at: float
    watched: bool = False
    """Somebody waits for good news: an end without failure is to be told too. Otherwise that would change nothing."""
    breaker_open: bool = False
    trial: str = ""
    """It is the one call that tries whether the network is back; empty if it is not."""


@dataclass(frozen=True, slots=True)
class Held:
    """The call must not go out; it is worth asking again at `until` (unix seconds)."""

    until: float
    by: HeldBy
    paused_until: float | None = None
    """For a pause: when it ends; a stop may be worth a try before."""
    failures: int = 0
    """For the breaker: how often the network has failed in a row."""
    trial_wanted: bool = False
    """For the breaker, and a post: any other call would be let through, to try whether the network is back."""


@dataclass(frozen=True, slots=True)
class LaneView:
    """A lane as it stands. Times are unix seconds."""

    available: float
    """Calls that could go out at once; less than 0 after many stops."""
    paused_until: float | None
    open_since: float | None
    """Since when the breaker is open; None while it is closed."""
    trial_at: float | None
    """For an open breaker: from when on a call may try whether the network is back."""
    failures: int
    """Failures in a row."""
    looks: float | None = None
    """Looks that could go out at once; None where they are not counted."""
    looks_until: float | None = None
    """When the last of the looks that wait has its turn; None if none waits."""

    def breaker(self, now: float) -> Literal["closed", "open", "half-open"]:
        """Half-open: the next call may try whether the network is back."""
        if self.trial_at is None:
            return "closed"
        return "open" if now < self.trial_at else "half-open"


class Traffic(Protocol):
    """Any number of workers ask the same instance, or instances on the same server."""

    def admit(
        self,
        lane: Lane,
        *,
        urgency: Urgency,
        now: float,
        limits: Limits,
        before: float | None = None,
        looking: Looking | None = None,
    ) -> Admitted | Held:
        """Whether a call may go out. `before`: a stop or an extension is worth nothing after that (unix seconds).

        `looking`: it is a look at a job, and counts as one. Whoever is held back comes again as `AGAIN`, not before
        his turn, which `Held.until` names.
        """
        ...

    def answered(
        self,
        lane: Lane,
        admitted: Admitted,
        outcome: Outcome,
        *,
        now: float,
        limits: Limits,
        retry_after: float | None = None,
    ) -> frozenset[Change]:
        """How an admitted call ended, and what that changes for everybody. `retry_after`: the network's, in seconds."""
        ...

    def view(self, lane: Lane, *, now: float, limits: Limits) -> LaneView: ...
