"""What is known beside a job's record, and what an explanation needs of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from dispatcher.domain.budget import BudgetUse
from dispatcher.domain.crashes import Trouble
from dispatcher.domain.events import Event


@dataclass(frozen=True, slots=True)
class LinePlace:
    """Where the job stands in a line of those that wait for money. `position` counts from 1; None: further back than
    was looked. `ahead_usd`: what those before it wait for, as far as they were looked at."""

    position: int | None
    looked_at: int
    ahead_usd: Decimal


@dataclass(frozen=True, slots=True)
class Holding:
    """What holds the calls of the job's account to one API back. Times are unix seconds."""

    api: str
    paused_until: float | None
    open_since: float | None
    trial_at: float | None
    failures: int


@dataclass(frozen=True, slots=True)
class UpstreamFact:
    """A job that this one comes after. `state` is None where it is not kept any more."""

    id: str
    on: str
    state: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Beside the record. Times are unix seconds, amounts US dollars."""

    log: Sequence[Event] = ()
    """What can be read of the log, oldest first."""
    unreadable: int = 0
    """Entries of the log that cannot be read."""
    whole: bool = True
    """Nothing was left out of the log."""
    trouble: Trouble | None = None
    agenda_at: float | None = None
    """The job's entry on the agenda."""
    late: float = 120.0
    """Seconds after which a due job that nobody took is late."""
    place: LinePlace | None = None
    available: Decimal | None = None
    """The account's credit that is not promised, as last known."""
    balance_at: float | None = None
    frozen: str | None = None
    """Who froze the account, since when and why; None if it is not frozen."""
    budgets: Sequence[BudgetUse] = ()
    """The budgets of the scope that the job waits for."""
    holding: Sequence[Holding] = ()
    upstreams: Sequence[UpstreamFact] = ()
    rate_per_hour: Decimal | None = field(default=None)
    """The market's price, fee included, where the record has none."""
    rate_unknown: str = ""
    """Why the price is not known."""
