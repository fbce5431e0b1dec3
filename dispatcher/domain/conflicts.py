"""What in a request's policies works against itself, seen before anything is paid.

An error means that the job cannot run as it was asked for; a warning, that something in it will never come true.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from dispatcher.domain.budget import BudgetUse
from dispatcher.domain.conflict import Conflict
from dispatcher.domain.costs import first_seconds
from dispatcher.domain.duration import format_duration
from dispatcher.domain.fitting import fitting_faults
from dispatcher.domain.ids import AccountName
from dispatcher.domain.misfits import misfits
from dispatcher.domain.money import format_usd, price_at_most
from dispatcher.domain.policies import SHORTEST_TIMEOUT, STOP_GRACE
from dispatcher.domain.request import JobSpec

RETRY_ROOM = 30.0
"""Seconds. A call may take twenty until it counts as lost, and is then sent again."""


def shows_nothing(_: AccountName) -> bool:
    """No network that is known shows what comes out of a job while it runs."""
    return False


def conflicts(
    spec: JobSpec,
    rate_per_hour: Decimal | None,
    now: float,
    available: Decimal | None = None,
    *,
    budgets: Sequence[BudgetUse] = (),
    shows_output: Callable[[AccountName], bool] = shows_nothing,
) -> list[Conflict]:
    """All conflicts of a request, errors first. `rate_per_hour` with the fee, None for a market without a price;
    `available`: what the balance has, None if that is not known; `budgets`: those that are set; `shows_output`:
    whether an account's network shows what comes out of a job while it runs."""
    if rate_per_hour is None:
        message = "the market shows no usable price, so no cost can be held: choose another market"
        return [Conflict("error", "market", message)]
    found = [
        *(Conflict("error", fault.path, fault.message) for fault in fitting_faults(spec, shows_output)),
        *_posting(spec, rate_per_hour, now, available),
        *_extending(spec),
        *_stopping(spec, now),
        *misfits(spec, rate_per_hour, now, budgets),
    ]
    return sorted(found, key=lambda conflict: conflict.severity)


def _posting(spec: JobSpec, hourly: Decimal, now: float, available: Decimal | None) -> Iterator[Conflict]:
    policies, budget = spec.policies, spec.policies.max_cost()
    shortest = price_at_most(hourly, SHORTEST_TIMEOUT)
    seconds = first_seconds(spec, hourly, now)
    if budget is not None and budget < shortest:
        path = "policies.stop.max_cost" if policies.stop.max_cost is not None else "policies.extend.max_cost"
        yield Conflict(
            "error",
            path,
            f"${format_usd(budget)} does not pay for the shortest posting of 1m, ${format_usd(shortest)}: allow more",
        )
    elif policies.stop.at is not None and policies.stop.at.timestamp() + STOP_GRACE - now < SHORTEST_TIMEOUT:
        yield Conflict(
            "error", "policies.stop.at", "has come before the job can be posted: choose a later time"
        )
    elif 0 < seconds < int(spec.timeout.total_seconds()) and policies.quantum is None:
        yield Conflict(
            "warning",
            "timeout",
            f"only {format_duration(seconds)} of {format_duration(spec.timeout)} will be posted: "
            "the policies allow no more",
        )
    amount = price_at_most(hourly, seconds)
    if available is not None and amount > available:
        what = "it will be rejected" if policies.credit.when_short == "fail" else "it will wait for credit"
        yield Conflict(
            "warning",
            "account",
            f"${format_usd(amount)} is needed to post it, ${format_usd(available)} is there: {what}",
        )


def _extending(spec: JobSpec) -> Iterator[Conflict]:
    policies, margin = spec.policies, spec.policies.margin_seconds()
    path = "policies.quantum" if policies.quantum is not None else "policies.extend"
    if margin is not None and margin < RETRY_ROOM:
        yield Conflict(
            "warning",
            f"{path}.margin",
            f"{format_duration(margin)} leaves no time for a second try: {format_duration(RETRY_ROOM)} or more would",
        )
    extend, timeout = policies.extend, spec.timeout
    if extend is None:
        return
    if extend.max_runtime is not None and extend.max_runtime <= timeout:
        yield Conflict(
            "warning",
            "policies.extend.max_runtime",
            f"is reached by the time-out of {format_duration(timeout)}: the job is never extended",
        )
    if policies.stop.after is not None and policies.stop.after.total_seconds() <= timeout.total_seconds() - (
        margin or 0
    ):
        yield Conflict(
            "warning",
            "policies.stop.after",
            "comes before the first extension: the extend policy never applies",
        )
    unlimited = extend.max_times is None and policies.max_runtime() is None and policies.max_cost() is None
    if unlimited and policies.stop.at is None:
        yield Conflict(
            "warning",
            "policies.extend",
            "nothing limits the cost: give max_cost, max_runtime, max_times, or a stop policy",
        )


def _stopping(spec: JobSpec, now: float) -> Iterator[Conflict]:
    stop, timeout = spec.policies.stop, spec.timeout
    longest = spec.policies.extend is None
    if stop.after is not None and longest and stop.after >= timeout:
        yield Conflict(
            "warning",
            "policies.stop.after",
            f"never comes: the network ends the job after its time-out of {format_duration(timeout)}",
        )
    if stop.at is not None and spec.policies.extend is not None:
        left = stop.at.timestamp() - now
        if left <= timeout.total_seconds() - (spec.policies.margin_seconds() or 0):
            yield Conflict(
                "warning",
                "policies.stop.at",
                "comes before the first extension: the extend policy never applies",
            )
