"""Credits that are set aside before they are spent: hold, then confirm, void, or settle; each once.

Available = the network's balance - local holds that the network's balance does not show yet. A balance is put
with a marker taken *before* it was asked for: holds that were confirmed before that marker are in it.

What is held is also counted for every scope of its job (`domain.budget`), by day and by month, and in the totals
of budgets that are set; what the job did cost in the end takes the holds' place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NewType, Protocol

from dispatcher.domain.budget import Budget, BudgetUse, Scope, Window
from dispatcher.domain.ids import AccountName, HoldId, JobId
from dispatcher.ports.provider import Balance

Marker = NewType("Marker", int)

GIVING_BACK: Final = 300.0
"""Seconds for which what was held for a job that ended may still be reserved on the network. (Nosana credits API: how
soon it settles is not told; chosen to be ample.)"""


KEPT: Final = ":kept"
"""How the name of a hold ends that goes from one attempt of its job to the next: it pays for no call yet."""


def kept_name(job: JobId) -> HoldId:
    """The hold of what the last attempt of a job did not use."""
    return HoldId(f"{job}{KEPT}")


@dataclass(frozen=True, slots=True)
class Held:
    """The amount is set aside."""

    amount: Decimal


@dataclass(frozen=True, slots=True)
class Short:
    """Too little credit: `available` US dollars are there, of which `promised` are for jobs that stand before this
    one in line. Nothing was set aside; `kept` is what the hold that it was to take over has all the same."""

    available: Decimal
    promised: Decimal = Decimal(0)
    kept: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Over:
    """A budget does not allow it: of `limit` US dollars `used` are used. `until`: when its window ends, unix seconds,
    or None for a total. The scope `budget.OWN` is the job's own `max_cost`. Nothing was set aside."""

    scope: Scope
    window: Window
    limit: Decimal
    used: Decimal
    until: float | None


@dataclass(frozen=True, slots=True)
class Frozen:
    """Nothing is held for the account since `at` (unix seconds), until a person thaws it. `by`: who froze it."""

    at: float
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What the last comparison of the network's books with ours found, US dollars.

    `lowest` to `highest`: what others are taken to have spent from the account, as narrow as it is known, without it
    being drift. `settlements`, `settled`: how many jobs were settled by then, and at what cost.
    """

    at: float
    lowest: Decimal
    highest: Decimal
    drift: Decimal
    detail: str
    settlements: int
    settled: Decimal


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
    frozen: Frozen | None = None
    audit: Audit | None = None

    @property
    def available(self) -> Decimal | None:
        return None if self.balance is None else self.balance.available - self.unseen


@dataclass(frozen=True, slots=True)
class Position:
    """An account's books at one moment, taken apart, US dollars: what a comparison with the network needs.

    `shown`: holds of jobs that are not over that the balance shows; `unshown`: confirmed ones that it may not show;
    `open`: those of calls whose answer is awaited; `tails`: of `settled`, what the balance may not show;
    `returning`: what was held for jobs beyond what they cost, of those that were settled at least in the last
    `GIVING_BACK` seconds: the network may not have given it back yet.
    """

    balance: Balance
    shown: Decimal
    unshown: Decimal
    open: Decimal
    tails: Decimal
    settled: Decimal
    settlements: int
    returning: Decimal
    jobs: int
    """How many jobs have holds."""
    audit: Audit | None


class Ledger(Protocol):
    """Every method is one atomic step, and may be repeated without another effect."""

    def marker(self, account: AccountName) -> Marker:
        """To be taken before the balance is asked for."""
        ...

    def put_balance(self, account: AccountName, marker: Marker, balance: Balance, *, now: float) -> bool:
        """Note what the network answered; False (and no effect) if a later one is there already.

        A balance below zero freezes the account: credit was clawed back, and a person has to look.
        """
        ...

    def hold(
        self,
        account: AccountName,
        job: JobId,
        hold: HoldId,
        amount: Decimal,
        *,
        now: float,
        scopes: Sequence[Scope] = (),
        cap: Decimal | None = None,
        ahead: Sequence[tuple[JobId, Decimal]] = (),
        takes: HoldId | None = None,
        attempt: int | None = None,
    ) -> Held | Short | Over | Frozen:
        """Set `amount` aside if it is available and every budget allows it. A hold that is there already is kept, at
        its amount.

        `scopes`: for whom it counts; `cap`: all holds of the job together may not exceed it; `ahead`: who stands
        before this job in line, and what they wait for. Whoever of them fits, and has no open hold yet, goes first.
        `takes`: the job's open hold whose place this one takes, if it is there, in the same step: only what it is
        larger by has to be available. It may be the hold itself, which gets the new amount. If it cannot be had, that
        hold stays as it is. `attempt`: for which attempt of the job it is; nothing is set aside for one that is
        settled, as for a job that is: whoever asks lost its lease long ago. Raises `LeaseLost` then, and `Bug` if no
        balance was ever put.
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

    def settle_attempt(
        self,
        account: AccountName,
        job: JobId,
        attempt: int,
        cost: Decimal,
        *,
        keep: tuple[HoldId, Decimal] | None = None,
    ) -> None:
        """The job's attempt with this number is over and cost `cost`, and another follows: all its holds are closed.

        `keep`: of what they held and it did not use, up to so much stays set aside for the job under that name, counted
        for the same scopes, in the same step. A second settlement of the same attempt has no effect, nor has one of a
        job that is settled.
        """
        ...

    def view(self, account: AccountName) -> LedgerView: ...

    def jobs_with_holds(
        self, account: AccountName, limit: int, after: JobId | None = None
    ) -> list[tuple[JobId, Decimal]]:
        """Jobs for which something is held, and how much, in the order of their ids; those `after` one, if given."""
        ...

    def freeze(self, account: AccountName, reason: str, *, by: str, now: float) -> None:
        """Hold nothing more for the account. An account that is frozen already stays as it is."""
        ...

    def thaw(self, account: AccountName) -> None:
        """Hold again."""
        ...

    def set_budget(self, budget: Budget, *, now: float) -> None:
        """Set, or change, the limit for the scope and window. A total that is changed keeps its count."""
        ...

    def remove_budget(self, scope: Scope, window: Window) -> None:
        """Forget the budget; a total's count with it."""
        ...

    def budgets(self, *, now: float) -> list[BudgetUse]:
        """All budgets with their use in the windows that are current at `now`; sorted by scope, days first."""
        ...

    def position(self, account: AccountName) -> Position | None:
        """The account's books; None if no balance was ever put."""
        ...

    def keep_audit(self, account: AccountName, audit: Audit, *, replaces: Audit | None) -> bool:
        """Keep what a comparison found; False (and no effect) if another one came between."""
        ...
