"""Budgets: set, removed, looked at; and the jobs that wait for one, woken when there is room."""

from decimal import Decimal
from typing import Final

from dispatcher.domain.budget import Budget, BudgetUse, Scope, Window, scopes_of
from dispatcher.domain.errors import InvalidRequest, NotPossible
from dispatcher.domain.faults import Fault
from dispatcher.domain.ids import JobId
from dispatcher.domain.waiting import Line, budget_line, scopes_awaited
from dispatcher.engine.credit import in_order, wake
from dispatcher.engine.money import LINE_AT_MOST
from dispatcher.engine.parts import Parts

BUDGETS_AT_MOST: Final = 1000
"""Each is looked at whenever jobs wait for one."""


def set_budget(parts: Parts, budget: Budget) -> BudgetUse:
    """Set, or change, a budget, and wake those for whom there is room now.

    Raises `InvalidRequest` for an account that the settings do not name, `NotPossible` if there are too many budgets.
    """
    kind, _, name = budget.scope.partition(":")
    known = parts.providers.names()
    if kind == "account" and name not in known:
        listed = ", ".join(sorted(known))
        raise InvalidRequest([Fault("scope", f"the settings know no account {name}; they know {listed}")])
    there = parts.ledger.budgets(now=parts.clock.now())
    same = any((use.budget.scope, use.budget.window) == (budget.scope, budget.window) for use in there)
    if not same and len(there) >= BUDGETS_AT_MOST:
        raise NotPossible(
            f"there are {len(there)} budgets, and no more are kept: remove one with `dispatcher budget remove`"
        )
    now = parts.clock.now()
    parts.ledger.set_budget(budget, now=now)
    wake_within_budgets(parts)
    uses = parts.ledger.budgets(now=now)
    return next(use for use in uses if (use.budget.scope, use.budget.window) == (budget.scope, budget.window))


def remove_budget(parts: Parts, scope: Scope, window: Window | None) -> Budget:
    """Remove the scope's budget for `window`, or its only one, and wake those who waited for it.

    Raises `NotPossible` if there is none, or if there are several and no window is named.
    """
    there = [use.budget for use in parts.ledger.budgets(now=parts.clock.now()) if use.budget.scope == scope]
    meant = [budget for budget in there if window in (None, budget.window)]
    if not meant:
        has = f"; it has {', '.join(map(str, there))}" if there else "; `dispatcher budget list` shows all"
        raise NotPossible(f"{scope} has no budget{f' for a {window}' if window else ''}{has}")
    if len(meant) > 1:
        raise NotPossible(
            f"{scope} has several budgets ({', '.join(map(str, meant))}): name the window, /day"
        )
    parts.ledger.remove_budget(scope, meant[0].window)
    wake_within_budgets(parts)
    return meant[0]


def watch_budgets(parts: Parts) -> list[JobId]:
    """Wake those who wait for a budget that has room now: jobs cost less than was held, or a window began.

    Of many workers that call this, one looks in each period.
    """
    lines = parts.store.waiting_lines()
    if not scopes_awaited(lines):
        return []
    period = parts.pace(parts.timing.credit_watch)
    if not parts.store.take_turn("budgets", now=parts.clock.now(), period=period):
        return []
    return _wake(parts, lines)


def wake_within_budgets(parts: Parts) -> list[JobId]:
    """Wake those who wait for a budget, by priority and then age, as many as all of their budgets have room for. One
    who waits for a budget with room while another has none is woken too, to wait for that."""
    return _wake(parts, parts.store.waiting_lines())


def _wake(parts: Parts, lines: list[Line]) -> list[JobId]:
    room: dict[Scope, Decimal] = {}
    for use in parts.ledger.budgets(now=parts.clock.now()):
        room[use.budget.scope] = min(use.left, room.get(use.budget.scope, use.left))
    hopeful = []
    for scope in scopes_awaited(lines):
        waiters = parts.store.waiters(budget_line(scope), LINE_AT_MOST)
        # The records are only read of those whom the budget that they wait for does not rule out.
        hopeful += [waiter for waiter in waiters if waiter.short_usd <= room.get(scope, waiter.short_usd)]
    hopeful = in_order(hopeful)[:LINE_AT_MOST]
    served, left = list[JobId](), dict(room)
    for waiter, job in zip(hopeful, parts.store.load_many([each.id for each in hopeful]), strict=True):
        if job is None:
            continue
        its = [scope for scope in scopes_of(job.spec, job.account) if scope in room]
        if any(waiter.short_usd > room[scope] for scope in its):
            served.append(waiter.id)
        elif all(waiter.short_usd <= left[scope] for scope in its):
            for scope in its:
                left[scope] -= waiter.short_usd
            served.append(waiter.id)
    return wake(parts, served, by="budget")
