"""Budgets: how much may be spent for an account or a label in a day, in a month, or in total. Pure.

A job counts for its account, for the name and the value of each of its labels, and for each `name=value`. What is
held for it counts in the window that is current when it is held; what it did cost in the end takes the hold's place
there. Days and months are UTC's.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, NewType

from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.faults import Fault
from dispatcher.domain.ids import AccountName
from dispatcher.domain.money import format_usd, parse_usd
from dispatcher.domain.names import SCOPED, scope_name
from dispatcher.domain.request import JobSpec
from dispatcher.domain.view import timestamp

Scope = NewType("Scope", str)
"""Whose spending is counted: `account:NAME`, `label:NAME` or `label:NAME=VALUE`."""

OWN: Final = Scope("job")
"""Stands for the job itself where its own `max_cost` is the budget."""

_LIMIT_WAY_OUT = "write US dollars and the window: 50/day, 200/month, or 50 for a total"


class Window(StrEnum):
    """For how long a budget counts. Days and months are UTC's; a total counts from when it was set."""

    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


_KEPT: Final = {Window.DAY: timedelta(days=40), Window.MONTH: timedelta(days=400)}
"""For how long the counts of a window that is over are kept."""


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `limit` US dollars for `scope` in each `window`."""

    scope: Scope
    window: Window
    limit: Decimal

    def __str__(self) -> str:
        return f"{self.scope} {in_words(self.limit, self.window)}"


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """A budget and what is used of it, US dollars. `held` is the part of `used` that belongs to jobs that are not over.

    `since` and `until` are the current window's, unix seconds; a total has no `until`.
    """

    budget: Budget
    since: float
    until: float | None
    used: Decimal
    held: Decimal

    @property
    def left(self) -> Decimal:
        """What may still be held; nothing where the limit was lowered below what is used."""
        return max(self.budget.limit - self.used, Decimal(0))


def parse_budget(scope: object, limit: object) -> Budget:
    """A budget from `label:team-a` and `50/day`. Raises `InvalidRequest` with every fault of both."""
    faults: list[Fault] = []
    if (fault := _scope_fault(scope)) is not None:
        faults.append(fault)
    window, amount = Window.TOTAL, Decimal(0)
    try:
        window, amount = _limit(limit)
    except ValueError as e:
        faults.append(Fault("limit", str(e)))
    if faults:
        raise InvalidRequest(faults)
    return Budget(Scope(str(scope)), window, amount)


def parse_scope(scope: object) -> Scope:
    """The scope that is meant. Raises `InvalidRequest`."""
    if (fault := _scope_fault(scope)) is not None:
        raise InvalidRequest([fault])
    return Scope(str(scope))


def parse_window(window: object) -> Window:
    """`day`, `/day`, `50/day`, `total`. Raises `InvalidRequest`."""
    name = str(window).rpartition("/")[2].strip()
    try:
        return Window(name)
    except ValueError:
        raise InvalidRequest(
            [Fault("window", f"{name[:40]!r} is no window: write /day, /month or /total")]
        ) from None


def _scope_fault(scope: object) -> Fault | None:
    try:
        scope_name(scope)
    except ValueError as e:
        return Fault("scope", str(e))
    return None


def _limit(limit: object) -> tuple[Window, Decimal]:
    amount, slash, name = str(limit).partition("/")
    if not amount.strip():
        raise ValueError(f"the amount is missing: {_LIMIT_WAY_OUT}")
    name = name.strip()
    if (slash and not name) or (name and name not in set(Window)):
        raise ValueError(f"{name[:40]!r} is no window: {_LIMIT_WAY_OUT}")
    return Window(name or Window.TOTAL), parse_usd(amount)


def scopes_of(spec: JobSpec, account: AccountName) -> tuple[Scope, ...]:
    """Every scope that the job counts for, each once, first the account that it is paid from."""
    found = [f"account:{account}"]
    for name, value in spec.labels.items():
        found.append(f"label:{name}")
        if re.fullmatch(SCOPED, value):
            found.append(f"label:{value}")
        found.append(f"label:{name}={value}")
    return tuple(Scope(scope) for scope in dict.fromkeys(found))


def window_id(window: Window, at: float) -> str:
    """The window that is current at `at` (unix seconds): `2026-11-22`, `2026-11`; empty for a total."""
    match window:
        case Window.DAY:
            return f"{_utc(at):%Y-%m-%d}"
        case Window.MONTH:
            return f"{_utc(at):%Y-%m}"
        case Window.TOTAL:
            return ""


def window_start(window: Window, at: float) -> float | None:
    """When the window that is current at `at` began, unix seconds; None for a total."""
    day = _utc(at).replace(hour=0, minute=0, second=0, microsecond=0)
    match window:
        case Window.DAY:
            return day.timestamp()
        case Window.MONTH:
            return day.replace(day=1).timestamp()
        case Window.TOTAL:
            return None


def window_end(window: Window, at: float) -> float | None:
    """When the window that is current at `at` ends, unix seconds; None for a total."""
    if (start := window_start(window, at)) is None:
        return None
    if window is Window.DAY:
        return start + 86_400.0
    # 32 days after a first are always in the next month.
    return (_utc(start) + timedelta(days=32)).replace(day=1).timestamp()


def forget_at(window: Window, at: float) -> float:
    """When the counts of the window (a day's or a month's) that is current at `at` may be forgotten."""
    return (window_end(window, at) or at) + _KEPT[window].total_seconds()


def in_words(limit: Decimal, window: Window) -> str:
    """`$50.000 a day`."""
    return f"${format_usd(limit)} {'in total' if window is Window.TOTAL else f'a {window}'}"


def refusal(
    scope: Scope, window: Window, limit: Decimal, used: Decimal, until: float | None, needs: Decimal
) -> str:
    """Why `needs` US dollars are not held, in words, with what will change that."""
    asked = f"${format_usd(used)} is used, this needs ${format_usd(needs)}"
    if scope == OWN:
        return f"the job's max_cost allows ${format_usd(limit)}: {asked}"
    said = f"budget {scope} allows {in_words(limit, window)}: {asked}"
    if needs > limit:
        return f"{said}, more than it ever allows: raise it with `dispatcher budget set`"
    if until is None:
        return f"{said}: raise it with `dispatcher budget set`"
    return f"{said}; the {window} ends {timestamp(until)}"


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
