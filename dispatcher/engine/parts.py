"""The parts that the engine works with, in one value."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dispatcher.domain.callback import Message
from dispatcher.domain.errors import Bug
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.policies.written import PolicySets
from dispatcher.domain.schedules import Schedule
from dispatcher.engine.lists import Lists
from dispatcher.engine.markets import Markets
from dispatcher.engine.uses import Uses
from dispatcher.ports.callbacks import Callbacks
from dispatcher.ports.clock import Clock
from dispatcher.ports.ledger import Ledger
from dispatcher.ports.provider import Providers
from dispatcher.ports.schedules import ScheduleStore
from dispatcher.ports.signals import Observer, Waker
from dispatcher.ports.store import JobStore


@dataclass(frozen=True, slots=True)
class Timing:
    """How the machinery paces itself, in seconds of the wall's time: `Parts.pace` turns them into the clock's."""

    lease: float = 30.0
    """How long a worker has a job for itself; renewed with every save. Longer than the slowest call may take."""
    grace: float = 10.0
    """After how long a job that fell due falls due again if nobody took it: its message got lost."""
    bell: float = 2.0
    """The same for a job that was just enqueued, whose bell was rung."""
    balance: float = 5.0
    """How old a balance may be when credits are held."""
    markets: float = 60.0
    """How old a market's price may be."""
    uses: float = 60.0
    """How old the use of a budget may be that stops jobs when it is used up."""
    credit_watch: float = 5.0
    """How often the balance is looked at while jobs wait for credit."""
    reconcile: float = 60.0
    """How often the books are looked over. Beat asks for it as often."""
    tick: float = 10.0
    """How often beat asks whether a schedule is due."""
    late: float = 120.0
    """How much later than its next step a job may fall due before that counts as damage."""
    retention: float = 7 * 86400.0
    """How long a job that ended is kept."""
    crashes_at_most: int = 5
    """So many turns of a job in a row that raise make it a dead letter. Waiting is no failure."""
    lapses_at_most: int = 20
    """So many leases in a row that lapsed without progress (a release, an event that was saved) do the same."""


def _no_stamp(_: AccountName) -> bool:
    return False


def _no_file() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept at most."""

    jobs: int = 1_000_000
    """Records, those of jobs that are over included: `intake` refuses more."""
    dependents: int = 10_000
    """Jobs that come after one job: its end wakes them all within one lease."""


class _NoBroker:
    """For parts that are put together without a broker: no callback may get lost unnoticed."""

    def send(self, message: Message) -> None:
        raise Bug(f"there is no broker for the callback {message.task} of {message.about}")


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that the engine touches."""

    store: JobStore
    schedules: ScheduleStore
    ledger: Ledger
    providers: Providers
    clock: Clock
    waker: Waker
    observer: Observer
    new_id: Callable[[], JobId]
    timing: Timing = Timing()
    markets: Markets = field(default_factory=Markets)
    lists: Lists = field(default_factory=Lists)
    uses: Uses = field(default_factory=Uses)
    stamps: Callable[[AccountName], bool] = _no_stamp
    """Whether definitions for this account bear their job's id: the network knows no idempotency keys."""
    written_schedules: Callable[[], Sequence[Schedule] | None] = _no_file
    """The schedules of the settings' file; None where there is no file, or it is no other than one that was refused.
    Raises `InvalidRequest`, `SettingsError`."""
    limits: Limits = Limits()
    policy_sets: PolicySets = field(default_factory=dict)
    """What requests may name as their policy."""
    own_secrets: tuple[str, ...] = field(default=(), repr=False)
    """What no request may hold: the settings' keys and passwords."""
    callbacks: Callbacks = field(default_factory=_NoBroker)
    scrub: Callable[[str], str] = str
    """Takes secrets out of what is kept of an error."""

    def pace(self, seconds: float) -> float:
        """Seconds of the wall's time in seconds of the clock's, which may run faster."""
        return seconds * self.clock.speed
