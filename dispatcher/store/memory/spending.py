"""What was spent for whom, in this process. Amounts are whole micro-dollars; the ledger's lock is around all of it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from dispatcher.domain.budget import (
    Budget,
    BudgetUse,
    Scope,
    Window,
    forget_at,
    window_end,
    window_id,
    window_start,
)
from dispatcher.domain.ids import AccountName, HoldId, JobId
from dispatcher.ports.ledger import Over
from dispatcher.store import windows
from dispatcher.store.micros import rounded_down, usd
from dispatcher.store.windows import window_key


@dataclass(slots=True)
class _Count:
    """Of one scope in one window. `held` is the part of jobs that are not over."""

    used: int = 0
    held: int = 0


@dataclass(slots=True)
class _Charge:
    """What a hold counts, and where. Counts of windows that were forgotten are nobody's any more."""

    hold: HoldId
    amount: int
    counts: list[_Count]

    def add(self, used: int, held: int) -> None:
        for count in self.counts:
            count.used += used
            count.held += held


@dataclass(slots=True)
class _Set:
    """A budget. `total` counts from when it was set."""

    limit: int
    since: float
    total: _Count = field(default_factory=_Count)


class Spending:
    """Budgets, and the counts by scope."""

    def __init__(self) -> None:
        self._budgets: dict[tuple[Scope, Window], _Set] = {}
        self._windows: dict[str, dict[Scope, _Count]] = {}
        self._forget: dict[str, float] = {}
        self._charges: defaultdict[tuple[AccountName, JobId], list[_Charge]] = defaultdict(list)

    def set(self, budget: Budget, now: float) -> None:
        key, limit = (budget.scope, budget.window), rounded_down(budget.limit)
        if (known := self._budgets.get(key)) is not None:
            known.limit = limit
        else:
            self._budgets[key] = _Set(limit, now)

    def remove(self, scope: Scope, window: Window) -> None:
        self._budgets.pop((scope, window), None)

    def uses(self, now: float) -> list[BudgetUse]:
        found = []
        for scope, window in sorted(self._budgets, key=lambda key: (key[0], list(Window).index(key[1]))):
            budget, count = self._budgets[scope, window], self._count(scope, window, now)
            start = window_start(window, now)
            found.append(
                BudgetUse(
                    Budget(scope, window, usd(budget.limit)),
                    since=budget.since if start is None else start,
                    until=window_end(window, now),
                    used=usd(count.used),
                    held=usd(count.held),
                )
            )
        return found

    def refusal(self, scopes: Sequence[Scope], micros: int, now: float) -> Over | None:
        """The budget that does not allow it."""
        for window in windows.ASKED:
            for scope in scopes:
                budget = self._budgets.get((scope, window))
                if budget is None:
                    continue
                used = self._count(scope, window, now).used
                if used + micros > budget.limit:
                    return Over(scope, window, usd(budget.limit), usd(used), window_end(window, now))
        return None

    def charge(
        self,
        account: AccountName,
        job: JobId,
        hold: HoldId,
        scopes: Sequence[Scope],
        micros: int,
        now: float,
    ) -> None:
        """A hold was made."""
        if not scopes:
            return
        budgeted = {scope for scope, _ in self._budgets}
        counts = [
            self._budgets[scope, Window.TOTAL].total
            for scope in scopes
            if (scope, Window.TOTAL) in self._budgets
        ]
        for window in windows.COUNTED:
            counted = self._open(window, now)
            for scope in scopes:
                known = scope in counted or scope in budgeted
                if known or len(counted) < windows.SCOPES_AT_MOST:
                    counts.append(counted.setdefault(scope, _Count()))
        made = _Charge(hold, micros, counts)
        made.add(micros, micros)
        self._charges[account, job].append(made)

    def adjust(self, account: AccountName, job: JobId, hold: HoldId, micros: int) -> None:
        """The hold has another amount now."""
        for made in self._charges.get((account, job), ()):
            if made.hold == hold:
                made.add(micros - made.amount, micros - made.amount)
                made.amount = micros

    def drop(self, account: AccountName, job: JobId, hold: HoldId) -> None:
        """The hold is no more, and nothing was spent."""
        self.adjust(account, job, hold, 0)
        left = [made for made in self._charges.pop((account, job), []) if made.hold != hold]
        if left:
            self._charges[account, job] = left

    def take(self, account: AccountName, job: JobId, hold: HoldId) -> list[_Charge]:
        """What the hold counts is counted no more; the answer is all that the job's holds counted, to give it back."""
        before = self._charges.get((account, job), [])
        kept = [replace(made) for made in before]
        for made in before:
            if made.hold == hold:
                made.add(-made.amount, -made.amount)
        left = [made for made in before if made.hold != hold]
        if left:
            self._charges[account, job] = left
        else:
            self._charges.pop((account, job), None)
        return kept

    def give_back(self, account: AccountName, job: JobId, charged: list[_Charge]) -> None:
        """It counts again: `take` had no effect."""
        there = {made.hold for made in self._charges.get((account, job), [])}
        for made in charged:
            if made.hold not in there:
                made.add(made.amount, made.amount)
        if charged:
            self._charges[account, job] = charged

    def settle(
        self, account: AccountName, job: JobId, cost: int, keep: tuple[HoldId, int] | None = None
    ) -> None:
        """The job cost so much: the difference is given back from the latest charge first, or added to it. Of what is
        left, the latest is what is kept."""
        charges = self._charges.pop((account, job), [])
        name, kept = keep or (HoldId(""), 0)
        back = sum(made.amount for made in charges) - cost - kept
        left: list[_Charge] = []
        for made in reversed(charges):
            part = min(back, made.amount)
            stays = max(min(kept, made.amount - part), 0)
            made.add(-part, stays - made.amount)
            back, kept = back - part, kept - stays
            if stays > 0:
                left.insert(0, _Charge(name, stays, made.counts))
        if left:
            self._charges[account, job] = left

    def _count(self, scope: Scope, window: Window, now: float) -> _Count:
        if window is Window.TOTAL:
            return self._budgets[scope, window].total
        return self._windows.get(window_key(window, window_id(window, now)), {}).get(scope, _Count())

    def _open(self, window: Window, now: float) -> dict[Scope, _Count]:
        """The current window's counts. With a new one some old ones are forgotten."""
        key = window_key(window, window_id(window, now))
        if key not in self._windows:
            self._windows[key] = {}
            self._forget[key] = forget_at(window, now)
            old = sorted((at, name) for name, at in self._forget.items() if at <= now)
            for _, name in old[: windows.FORGOTTEN_AT_ONCE]:
                del self._windows[name], self._forget[name]
        return self._windows[key]
