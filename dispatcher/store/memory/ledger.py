"""The ledger in this process. Amounts inside are whole micro-dollars."""

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from dispatcher.domain.errors import Bug, LeaseLost
from dispatcher.domain.ids import AccountName, HoldId, JobId
from dispatcher.ports.ledger import Held, LedgerView, Marker, Short
from dispatcher.ports.provider import Balance
from dispatcher.store.micros import rounded_down, rounded_up, spendable, usd


@dataclass(slots=True)
class _Hold:
    """`stamp`: the marker that was the last when the network's reservation was confirmed; None while open."""

    job: JobId
    amount: int
    stamp: int | None = None


@dataclass(slots=True)
class _Account:
    marker: int = 0
    balance: tuple[int, int, int] | None = None  # assigned, reserved, settled
    balance_marker: int = 0
    balance_at: float = 0.0
    holds: dict[HoldId, _Hold] = field(default_factory=dict)
    of_job: defaultdict[JobId, set[HoldId]] = field(default_factory=lambda: defaultdict(set))
    confirmed_unseen: set[HoldId] = field(default_factory=set)
    tails: list[tuple[int, int]] = field(default_factory=list)
    """(stamp, amount) of jobs that were settled before a balance showed their reservation."""
    settled_jobs: set[JobId] = field(default_factory=set)
    unseen: int = 0
    held: int = 0
    settled: int = 0

    def is_unseen(self, hold: _Hold) -> bool:
        return hold.stamp is None or hold.stamp >= self.balance_marker

    def drop(self, hold_id: HoldId) -> _Hold:
        hold = self.holds.pop(hold_id)
        self.held -= hold.amount
        if self.is_unseen(hold):
            self.unseen -= hold.amount
            self.confirmed_unseen.discard(hold_id)
        return hold

    def show(self) -> None:
        """Everything that was confirmed before the balance was asked for is in it."""
        for hold_id in [name for name in self.confirmed_unseen if not self.is_unseen(self.holds[name])]:
            self.confirmed_unseen.discard(hold_id)
            self.unseen -= self.holds[hold_id].amount
        self.unseen -= sum(amount for stamp, amount in self.tails if stamp < self.balance_marker)
        self.tails = [tail for tail in self.tails if tail[0] >= self.balance_marker]


class MemoryLedger:
    """A `Ledger` behind one lock. It remembers every settled job for as long as the process lives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accounts: defaultdict[AccountName, _Account] = defaultdict(_Account)

    def marker(self, account: AccountName) -> Marker:
        with self._lock:
            self._accounts[account].marker += 1
            return Marker(self._accounts[account].marker)

    def put_balance(self, account: AccountName, marker: Marker, balance: Balance, *, now: float) -> bool:
        figures = (
            rounded_down(balance.assigned),
            rounded_up(balance.reserved),
            rounded_up(balance.settled),
        )
        with self._lock:
            books = self._accounts[account]
            if books.balance is not None and marker < books.balance_marker:
                return False
            books.balance, books.balance_marker, books.balance_at = figures, marker, now
            books.show()
            return True

    def hold(self, account: AccountName, job: JobId, hold: HoldId, amount: Decimal) -> Held | Short:
        """As the port says. Raises `LeaseLost` for a job that is settled: whoever asks has missed its end."""
        micros = spendable(amount)
        with self._lock:
            books = self._accounts[account]
            if (kept := books.holds.get(hold)) is not None:
                return Held(usd(kept.amount))
            if job in books.settled_jobs:
                raise LeaseLost(job)
            if books.balance is None:
                raise Bug(f"no balance of account {account} was ever put")
            assigned, reserved, settled = books.balance
            available = assigned - reserved - settled - books.unseen
            if micros > available:
                return Short(usd(available))
            books.holds[hold] = _Hold(job, micros)
            books.of_job[job].add(hold)
            books.unseen += micros
            books.held += micros
            return Held(usd(micros))

    def confirm(self, account: AccountName, hold: HoldId, amount: Decimal) -> None:
        """As the port says. Holds that are unknown, or confirmed already, stay as they are."""
        micros = spendable(amount)
        with self._lock:
            books = self._accounts[account]
            kept = books.holds.get(hold)
            if kept is None or kept.stamp is not None:
                return
            books.unseen += micros - kept.amount
            books.held += micros - kept.amount
            kept.amount, kept.stamp = micros, books.marker
            books.confirmed_unseen.add(hold)

    def void(self, account: AccountName, hold: HoldId) -> None:
        """As the port says. A hold that the network confirmed cannot be voided: it stays."""
        with self._lock:
            books = self._accounts[account]
            kept = books.holds.get(hold)
            if kept is None or kept.stamp is not None:
                return
            books.drop(hold)
            books.of_job[kept.job].discard(hold)
            if not books.of_job[kept.job]:
                del books.of_job[kept.job]

    def settle(self, account: AccountName, job: JobId, cost: Decimal) -> None:
        """As the port says. What the network reserved and no balance shows yet stays unseen until one does."""
        micros = spendable(cost)
        with self._lock:
            books = self._accounts[account]
            if job in books.settled_jobs:
                return
            books.settled_jobs.add(job)
            shown = reserved = 0
            for hold_id in books.of_job.pop(job, ()):
                hold = books.drop(hold_id)
                if not books.is_unseen(hold):
                    shown += hold.amount
                elif hold.stamp is not None:
                    reserved += hold.amount
            if (tail := max(reserved, micros - shown)) > 0:
                books.tails.append((books.marker, tail))
                books.unseen += tail
            books.settled += micros

    def jobs_with_holds(
        self, account: AccountName, limit: int, after: JobId | None = None
    ) -> list[tuple[JobId, Decimal]]:
        sums: defaultdict[JobId, int] = defaultdict(int)
        with self._lock:
            for hold in self._accounts[account].holds.values():
                sums[hold.job] += hold.amount
        jobs = sorted(job for job in sums if after is None or job > after)
        return [(job, usd(sums[job])) for job in jobs[: max(limit, 0)]]

    def view(self, account: AccountName) -> LedgerView:
        with self._lock:
            books = self._accounts[account]
            asked = books.balance is not None
            return LedgerView(
                balance=Balance(*(usd(figure) for figure in books.balance)) if books.balance else None,
                balance_at=books.balance_at if asked else None,
                unseen=usd(books.unseen),
                held=usd(books.held),
                settled=usd(books.settled),
            )
