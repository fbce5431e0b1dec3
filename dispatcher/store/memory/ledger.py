"""The ledger in this process. Amounts inside are whole micro-dollars."""

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from dispatcher.domain.budget import OWN, Budget, BudgetUse, Scope, Window
from dispatcher.domain.errors import Bug, LeaseLost
from dispatcher.domain.ids import AccountName, HoldId, JobId
from dispatcher.ports.ledger import (
    GIVING_BACK,
    Audit,
    Frozen,
    Held,
    LedgerView,
    Marker,
    Over,
    Position,
    Short,
)
from dispatcher.ports.provider import Balance
from dispatcher.store.memory.spending import Spending
from dispatcher.store.micros import rounded_down, rounded_up, spendable, usd
from dispatcher.store.overdraft import overdraft


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
    settlements: int = 0
    returned: int = 0
    given: tuple[float, int] | None = None
    """When, and how much had been returned in total by then; noted at least `GIVING_BACK` seconds apart."""
    given_before: int = 0
    frozen: Frozen | None = None
    audit: Audit | None = None

    def is_unseen(self, hold: _Hold) -> bool:
        return hold.stamp is None or hold.stamp >= self.balance_marker

    def available(self) -> int | None:
        if self.balance is None:
            return None
        assigned, reserved, settled = self.balance
        return assigned - reserved - settled - self.unseen

    def held_for(self, job: JobId) -> int:
        return sum(self.holds[hold].amount for hold in self.of_job.get(job, ()))

    def has_open_hold(self, job: JobId) -> bool:
        return any(self.holds[hold].stamp is None for hold in self.of_job.get(job, ()))

    def drop(self, hold_id: HoldId) -> _Hold:
        hold = self.holds.pop(hold_id)
        self.held -= hold.amount
        if self.is_unseen(hold):
            self.unseen -= hold.amount
            self.confirmed_unseen.discard(hold_id)
        return hold

    def note_returns(self, now: float) -> None:
        """What had been given back `GIVING_BACK` seconds ago has arrived."""
        if self.given is None:
            self.given = (now, self.returned)
        elif abs(now - self.given[0]) >= GIVING_BACK:
            self.given_before, self.given = self.given[1], (now, self.returned)

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
        self._spending = Spending()

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
            books.note_returns(now)
            if books.frozen is None and (reason := overdraft(balance)):
                books.frozen = Frozen(now, reason, "balance")
            return True

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
    ) -> Held | Short | Over | Frozen:
        """As the port says. Raises `LeaseLost` for a job that is settled: whoever asks has missed its end."""
        micros = spendable(amount)
        most = None if cap is None else rounded_down(cap)
        line = [(other, spendable(asked)) for other, asked in ahead]
        with self._lock:
            books = self._accounts[account]
            if (kept := books.holds.get(hold)) is not None:
                return Held(usd(kept.amount))
            if job in books.settled_jobs:
                raise LeaseLost(job)
            if books.frozen is not None:
                return books.frozen
            mine = books.held_for(job)
            if most is not None and mine + micros > most:
                return Over(OWN, Window.TOTAL, usd(most), usd(mine), None)
            if (over := self._spending.refusal(scopes, micros, now)) is not None:
                return over
            available = books.available()
            if available is None:
                raise Bug(f"no balance of account {account} was ever put")
            promised = _promised(books, line, available)
            if micros > available - promised:
                return Short(usd(available), usd(promised))
            books.holds[hold] = _Hold(job, micros)
            books.of_job[job].add(hold)
            books.unseen += micros
            books.held += micros
            self._spending.charge(account, job, hold, scopes, micros, now)
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
            self._spending.adjust(account, kept.job, hold, micros)

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
            self._spending.drop(account, kept.job, hold)

    def settle(self, account: AccountName, job: JobId, cost: Decimal) -> None:
        """As the port says. What the network reserved and no balance shows yet stays unseen until one does."""
        micros = spendable(cost)
        with self._lock:
            books = self._accounts[account]
            if job in books.settled_jobs:
                return
            books.settled_jobs.add(job)
            books.settlements += 1
            books.returned += max(books.held_for(job) - micros, 0)
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
            self._spending.settle(account, job, micros)

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
                frozen=books.frozen,
                audit=books.audit,
            )

    def jobs_with_holds(
        self, account: AccountName, limit: int, after: JobId | None = None
    ) -> list[tuple[JobId, Decimal]]:
        with self._lock:
            books = self._accounts[account]
            jobs = sorted(job for job in books.of_job if after is None or job > after)
            return [(job, usd(books.held_for(job))) for job in jobs[: max(limit, 0)]]

    def freeze(self, account: AccountName, reason: str, *, by: str, now: float) -> None:
        with self._lock:
            books = self._accounts[account]
            books.frozen = books.frozen or Frozen(now, reason, by)

    def thaw(self, account: AccountName) -> None:
        with self._lock:
            self._accounts[account].frozen = None

    def set_budget(self, budget: Budget, *, now: float) -> None:
        with self._lock:
            self._spending.set(budget, now)

    def remove_budget(self, scope: Scope, window: Window) -> None:
        with self._lock:
            self._spending.remove(scope, window)

    def budgets(self, *, now: float) -> list[BudgetUse]:
        with self._lock:
            return self._spending.uses(now)

    def position(self, account: AccountName) -> Position | None:
        with self._lock:
            books = self._accounts[account]
            if books.balance is None:
                return None
            open_ = sum(hold.amount for hold in books.holds.values() if hold.stamp is None)
            unshown = sum(books.holds[hold].amount for hold in books.confirmed_unseen)
            return Position(
                balance=Balance(*(usd(figure) for figure in books.balance)),
                shown=usd(books.held - open_ - unshown),
                unshown=usd(unshown),
                open=usd(open_),
                tails=usd(books.unseen - open_ - unshown),
                settled=usd(books.settled),
                settlements=books.settlements,
                returning=usd(books.returned - books.given_before),
                jobs=len(books.of_job),
                audit=books.audit,
            )

    def keep_audit(self, account: AccountName, audit: Audit, *, replaces: Audit | None) -> bool:
        with self._lock:
            books = self._accounts[account]
            if books.audit not in (replaces, audit):
                return False
            books.audit = audit
            return True


def _promised(books: _Account, line: Sequence[tuple[JobId, int]], available: int) -> int:
    """What those get who stand ahead in line: whoever fits, and has not got it already."""
    promised = 0
    for job, asked in line:
        if asked <= available - promised and not books.has_open_hold(job):
            promised += asked
    return promised
