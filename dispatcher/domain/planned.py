"""A request planned before it is paid: what happens when, what it costs, and what in it works against itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from dispatcher.domain.attempts import ceiling
from dispatcher.domain.budget import BudgetUse
from dispatcher.domain.conflict import Conflict
from dispatcher.domain.conflicts import conflicts, shows_nothing
from dispatcher.domain.duration import format_duration
from dispatcher.domain.forecast import Assumed, Forecast, Step, forecast
from dispatcher.domain.ids import AccountName
from dispatcher.domain.money import format_usd
from dispatcher.domain.request import JobSpec
from dispatcher.domain.unreached import unreached
from dispatcher.domain.view import timestamp

_LONG_ENOUGH = 4_000
"""Decisions after which a job that nothing limits is no longer followed."""


@dataclass(frozen=True, slots=True)
class Planned:
    """`expected` takes the run time and the exit code that were assumed, `worst` a run time that never ends; None where
    it cannot run.

    at_most: the most that the job can cost with all its attempts, US dollars; None where nothing limits it.
    unattended: the most that could still be spent if every process died at the worst moment, wherever it runs.
    """

    now: float
    rate_per_hour: Decimal | None
    expected: Forecast | None
    worst: Forecast | None
    conflicts: tuple[Conflict, ...]
    at_most: Decimal | None = None
    unattended: Decimal | None = None

    @property
    def can_run(self) -> bool:
        return all(conflict.severity != "error" for conflict in self.conflicts)


def plan_request(
    spec: JobSpec,
    rate_per_hour: Decimal | None,
    now: float,
    *,
    runs_for: float | None = None,
    queued_for: float = 60.0,
    exit_code: int = 0,
    rates: Mapping[str, Decimal | None] | None = None,
    available: Decimal | None = None,
    budgets: Sequence[BudgetUse] = (),
    shows_output: Callable[[AccountName], bool] = shows_nothing,
) -> Planned:
    """Plan a request at `now` (unix seconds). Durations in seconds; `runs_for` None: as long as it is allowed.

    `exit_code`: with which each attempt ends by itself; `rates`: US dollars an hour that the markets of further
    attempts ask; where that is not known, their ceilings are taken. `available`, `budgets`, `shows_output`: as
    `conflicts` has them.
    """
    found = tuple(conflicts(spec, rate_per_hour, now, available, budgets=budgets, shows_output=shows_output))
    if rate_per_hour is None or any(conflict.severity == "error" for conflict in found):
        return Planned(now, rate_per_hour, None, None, found)
    elsewhere = {market: hourly for market, hourly in (rates or {}).items() if market != spec.market}
    endless = Assumed(rate_per_hour, queued_for=queued_for, rates=elsewhere)
    worst = forecast(spec, endless, now, steps_at_most=_LONG_ENOUGH)
    expected = worst
    if runs_for is not None:
        assumed = replace(endless, runs_for=runs_for, exit_code=exit_code)
        expected = forecast(spec, assumed, now, steps_at_most=_LONG_ENOUGH)
    at_most, unattended = _at_most(spec, worst), worst.unattended
    for hourly in _payable(spec, elsewhere):
        there = replace(endless, rate_per_hour=hourly, rates={})
        unattended = max(unattended, forecast(spec, there, now, steps_at_most=_LONG_ENOUGH).unattended)
    found = (*found, *unreached(spec, worst, found))
    return Planned(now, rate_per_hour, expected, worst, found, at_most, unattended)


def _at_most(spec: JobSpec, worst: Forecast) -> Decimal | None:
    """One attempt costs at most what one that never ends does; with others it is what the policies allow them all."""
    if spec.policies.retry is not None:
        return worst.allowed
    return worst.cost if worst.complete else None


def _payable(spec: JobSpec, rates: Mapping[str, Decimal | None]) -> set[Decimal]:
    """What the other places ask, as far as it may be paid."""
    found: set[Decimal] = set()
    for place in spec.places()[1:]:
        most = ceiling(spec, place)
        hourly = rates.get(place.market, most)
        if hourly is not None and (most is None or hourly <= most):
            found.add(hourly)
    return found


def planned_view(planned: Planned) -> dict[str, Any]:
    """The plan as JSON-ready data: amounts are texts of US dollars, times ISO 8601 in UTC.

    `worst_usd` is None where nothing limits the cost.
    """
    expected = planned.expected
    return {
        "can_run": planned.can_run,
        "conflicts": [
            {"severity": item.severity, "path": item.path, "message": item.message}
            for item in planned.conflicts
        ],
        "rate_per_hour_usd": None if planned.rate_per_hour is None else format_usd(planned.rate_per_hour),
        "cost": {
            "expected_usd": _cost(expected),
            "worst_usd": None if planned.at_most is None else format_usd(planned.at_most),
            "unattended_usd": None if planned.unattended is None else format_usd(planned.unattended),
        },
        "ends": None
        if expected is None
        else {
            "state": expected.state.value if expected.complete else None,
            "reason": expected.reason.value if expected.complete else "no policy ends it",
            "at": timestamp(expected.steps[-1].at) if expected.complete else None,
        },
        "extends": None if expected is None else expected.extends,
        "calls": {} if expected is None else expected.calls,
        "calls_total": 0 if expected is None else sum(expected.calls.values()),
        "timeline": [] if expected is None else [_step(step, planned.now) for step in expected.steps],
    }


def _cost(told: Forecast | None) -> str | None:
    return format_usd(told.cost) if told is not None and told.complete else None


def _step(step: Step, start: float) -> dict[str, Any]:
    return {
        "at": timestamp(step.at),
        "after": format_duration(round(step.at - start)),
        "event": step.event,
        "rule": step.rule,
        "detail": step.detail,
        "polls_before": step.polls,
        "so_far_usd": format_usd(step.so_far),
        "committed_usd": format_usd(step.committed),
    }
