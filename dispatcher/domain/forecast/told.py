"""What a forecast assumes, and what it tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from dispatcher.domain import events as ev
from dispatcher.domain.job import Job
from dispatcher.domain.words import Reason, State


@dataclass(frozen=True, slots=True)
class Assumed:
    """What a forecast takes for granted of every attempt. Durations in seconds, money in US dollars.

    runs_for: how long a host works until the job ends by itself; None: longer than it is ever allowed.
    """

    rate_per_hour: Decimal
    """The network's fee included."""
    queued_for: float = 60.0
    runs_for: float | None = None
    exit_code: int = 0
    results_after: float = 5.0
    balance_lasts: float = 5.0
    """How old a balance may be when credits are held."""
    prices_last: float = 60.0
    """How old a market's price may be then."""
    rates: Mapping[str, Decimal | None] = field(default_factory=dict)
    """What markets ask that ask for something else, by their names in the request; None: they show no price."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens. `polls`: looks at the network since the step before."""

    at: float
    event: str
    rule: str
    detail: str
    committed: Decimal
    """The most that the job costs from here on if every dispatcher process dies."""
    so_far: Decimal
    polls: int = 0
    policy: str | None = None
    """The policy's field under which the rule acted: `stop.after`."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """A job's whole life. `complete` is False where it was followed for long enough without an end."""

    steps: tuple[Step, ...]
    state: State
    reason: Reason
    complete: bool
    cost: Decimal
    unattended: Decimal
    """The most that could still be spent, at the worst moment, if every dispatcher process died then."""
    calls: dict[str, int]
    """Calls to the network's API by their names."""
    extends: int
    polls: int
    allowed: Decimal | None
    """The most that its policies allowed it to cost when the price of its first posting was known; None: no limit."""
    log: tuple[ev.Event, ...] = field(repr=False)
    job: Job = field(repr=False)


def told(before: Job, job: Job, event: ev.Event) -> str:
    """What is worth a line of the timeline; empty for what is not."""
    match event:
        case ev.Released():
            return "the jobs that it comes after are over"
        case ev.CreditHeld():
            return f"${event.quote.amount} held"
        case ev.Posted():
            return f"{event.seconds} s for ${event.amount}"
        case ev.Extended():
            return f"{event.seconds} s more for ${event.amount}" if event.landed else "it was over already"
        case ev.Observed() if before.remote is not None and before.remote.phase is not event.phase:
            return str(event.phase.value)
        case ev.Warned():
            return event.detail
        case ev.ExtendsEnded():
            return f"{event.share:.0%} of {event.limit}: no more time by itself"
        case ev.StopOrdered():
            return str(event.reason.value)
        case ev.StopConfirmed():
            return event.outcome
        case ev.AttemptEnded():
            return f"{event.state.value}: {event.reason.value}, ${event.settled}; again by {event.why}"
        case ev.Moved():
            return f"{event.reason.value}: {event.detail}"
        case ev.Waited(reason=Reason.AWAITING_PRICE):
            return event.detail
        case ev.Ended():
            return f"{job.state.value}: {job.reason.value}, ${event.settled}"
        case _:
            return ""
