"""The ledger in this process. Amounts inside are whole micro-dollars."""

import threading
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from dispatcher.domain.budget import OWN, Budget, BudgetUse, Scope, Window
from dispatcher.domain.errors import Bug, LeaseLost
from dispatcher.domain.ids import AccountName, HoldId, JobId
from dispatcher.ports.ledger import (
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
from dispatcher.store.memory.books import Books
from dispatcher.store.memory.spending import Spending
from dispatcher.store.micros import rounded_down, rounded_up, spendable, usd
from dispatcher.store.overdraft import overdraft


class MemoryLedger:
    """A `Ledger` behind one lock. It remembers every settled job for as long as the process lives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accounts: defaultdict[AccountName, Books] = defaultdict(Books)
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
        takes: HoldId | None = None,
        attempt: int | None = None,
    ) -> Held | Short | Over | Frozen:
        """As the port says. Raises `LeaseLost` for a job or an attempt that is settled: its end was missed."""
        micros = spendable(amount)
        most = None if cap is None else rounded_down(cap)
        line = [(other, spendable(asked)) for other, asked in ahead]
        with self._lock:
            books = self._accounts[account]
            taken = books.holds.get(takes) if takes is not None else None
            if taken is not None and (taken.stamp is not None or taken.job != job):
                taken = None
            if (there := books.holds.get(hold)) is not None and there is not taken:
                return Held(usd(there.amount))
            if job in books.settled_jobs or f"{job}:{attempt}" in books.settled_jobs:
                raise LeaseLost(job)
            if books.frozen is not None:
                return books.frozen
            has = 0 if taken is None else taken.amount
            mine = books.held_for(job) - has
            if most is not None and mine + micros > most:
                return Over(OWN, Window.TOTAL, usd(most), usd(mine), None)
            charged = [] if taken is None or takes is None else self._spending.take(account, job, takes)
            refused = self._spending.refusal(scopes, micros, now) or _short(books, line, micros, has, account)
            if refused is not None:
                self._spending.give_back(account, job, charged)
                return refused
            if taken is not None and takes is not None:
                books.remove(takes)
            books.set_aside(hold, job, micros)
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
            books.remove(hold)
            self._spending.drop(account, kept.job, hold)

    def settle(self, account: AccountName, job: JobId, cost: Decimal) -> None:
        """As the port says. What the network reserved and no balance shows yet stays unseen until one does."""
        micros = spendable(cost)
        with self._lock:
            books = self._accounts[account]
            if job in books.settled_jobs:
                return
            books.close(job, job, micros)
            self._spending.settle(account, job, micros)

    def settle_attempt(
        self,
        account: AccountName,
        job: JobId,
        attempt: int,
        cost: Decimal,
        *,
        keep: tuple[HoldId, Decimal] | None = None,
    ) -> None:
        """As the port says."""
        micros, name = spendable(cost), f"{job}:{attempt}"
        most = None if keep is None else (keep[0], spendable(keep[1]))
        with self._lock:
            books = self._accounts[account]
            if job in books.settled_jobs or name in books.settled_jobs:
                return
            kept = books.close(job, name, micros, most)
            self._spending.settle(account, job, micros, None if most is None else (most[0], kept))

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


def _short(
    books: Books, line: Sequence[tuple[JobId, int]], micros: int, has: int, account: AccountName
) -> Short | None:
    """Whether what is needed beyond what the job `has` in its hold is not available."""
    available = books.available()
    if available is None:
        raise Bug(f"no balance of account {account} was ever put")
    promised = _promised(books, line, available)
    if micros > has and micros - has > available - promised:
        return Short(usd(available), usd(promised), usd(has))
    return None


def _promised(books: Books, line: Sequence[tuple[JobId, int]], available: int) -> int:
    """What those get who stand ahead in line: whoever fits, and has not got it already."""
    promised = 0
    for job, asked in line:
        if asked <= available - promised and not books.has_open_hold(job):
            promised += asked
    return promised
