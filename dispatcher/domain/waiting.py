"""The lines in which jobs wait for money: one per account for credit, one per budget's scope, one per frozen account.

A line's name is the account's own name, `budget:<scope>` or `frozen:<account>`; names of accounts have no colon.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final, NewType

from dispatcher.domain.budget import Scope
from dispatcher.domain.ids import AccountName
from dispatcher.domain.job import Job
from dispatcher.domain.words import MONEY_WAITS, Reason

Line = NewType("Line", str)

_BUDGET: Final = "budget:"
_FROZEN: Final = "frozen:"


def credit_line(account: AccountName) -> Line:
    return Line(account)


def frozen_line(account: AccountName) -> Line:
    return Line(_FROZEN + account)


def budget_line(scope: str) -> Line:
    return Line(_BUDGET + scope)


def line_of(job: Job) -> Line | None:
    """Where the job stands in line; None for one that waits for no money, or does not need it any more."""
    wait = job.wait
    if wait is None or wait.reason not in MONEY_WAITS or job.state.is_final:
        return None
    if job.stop is not None or (job.remote is not None and job.remote.is_over):
        return None
    match wait.reason:
        case Reason.AWAITING_CREDIT:
            return credit_line(job.account)
        case Reason.ACCOUNT_FROZEN:
            return frozen_line(job.account)
        case _:
            return None if wait.scope is None else budget_line(wait.scope)


def accounts_of(lines: Iterable[Line]) -> list[AccountName]:
    """The accounts for whose credit, or thawing, jobs wait; sorted."""
    return sorted({AccountName(line.removeprefix(_FROZEN)) for line in lines if not line.startswith(_BUDGET)})


def scopes_awaited(lines: Iterable[Line]) -> list[Scope]:
    """The scopes for whose budgets jobs wait; sorted."""
    return sorted(Scope(line.removeprefix(_BUDGET)) for line in lines if line.startswith(_BUDGET))


def yields(job: Job) -> bool:
    """Whether the job lets those go first that stand before it in its account's line.

    One that was woken does not: its turn has come. Of the tries that a waiting job makes by itself every fourth does
    not, so that a job that stands first and is never tried again does not close the line for good.
    """
    wait = job.wait
    if wait is None or wait.reason is not Reason.AWAITING_CREDIT:
        return True
    return wait.last > 0 and wait.tries % 4 != 0


def served(asked: Iterable[tuple[str, Decimal]], available: Decimal) -> Mapping[str, Decimal]:
    """Who of a line gets what he asks for out of `available`: in their order, whoever still fits."""
    left, found = available, dict[str, Decimal]()
    for name, amount in asked:
        if amount <= left:
            left -= amount
            found[name] = amount
    return found
