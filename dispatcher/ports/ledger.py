"""Credits that are set aside before they are spent: hold, then confirm, void, or settle; each once.

Available = the network's balance - local holds that the network's balance does not show yet. A balance is put
with a marker taken *before* it was asked for: holds that were confirmed before that marker are in it.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import NewType, Protocol

from dispatcher.domain.ids import AccountName, HoldId, JobId
from dispatcher.ports.provider import Balance

Marker = NewType("Marker", int)


@dataclass(frozen=True, slots=True)
class Held:
    """The amount is set aside."""

    amount: Decimal


@dataclass(frozen=True, slots=True)
class Short:
    """Too little credit: `available` US dollars are there. Nothing was set aside."""

    available: Decimal


@dataclass(frozen=True, slots=True)
class LedgerView:
    """An account as the ledger sees it, US dollars. `balance` None: never asked."""

    balance: Balance | None
    balance_at: float | None
    unseen: Decimal
    """Holds that the network's balance does not show yet."""
    held: Decimal
    """All holds of jobs that are not over, whether the network shows them or not."""
    settled: Decimal
    """What jobs of this dispatcher cost in the end, in total."""

    @property
    def available(self) -> Decimal | None:
        return None if self.balance is None else self.balance.available - self.unseen


class Ledger(Protocol):
    """Every method is one atomic step, and may be repeated without another effect."""

    def marker(self, account: AccountName) -> Marker:
        """To be taken before the balance is asked for."""
        ...

    def put_balance(self, account: AccountName, marker: Marker, balance: Balance, *, now: float) -> bool:
        """Note what the network answered; False (and no effect) if a later one is there already."""
        ...

    def hold(self, account: AccountName, job: JobId, hold: HoldId, amount: Decimal) -> Held | Short:
        """Set `amount` aside if it is available. A hold that is there already is kept, at its amount.

        Raises `Bug` if no balance was ever put.
        """
        ...

    def confirm(self, account: AccountName, hold: HoldId, amount: Decimal) -> None:
        """The network reserved `amount` for this hold: its next balances show it."""
        ...

    def void(self, account: AccountName, hold: HoldId) -> None:
        """The call had no effect: the hold is free again. Unknown holds are ignored."""
        ...

    def settle(self, account: AccountName, job: JobId, cost: Decimal) -> None:
        """The job is over and cost `cost`: all its holds are closed. A second settlement has no effect."""
        ...

    def jobs_with_holds(
        self, account: AccountName, limit: int, after: JobId | None = None
    ) -> list[tuple[JobId, Decimal]]:
        """Jobs for which something is held, and how much, in the order of their ids; those `after` one, if given."""
        ...

    def view(self, account: AccountName) -> LedgerView: ...
