"""A request planned before it is paid: what happens when, what it costs, and what in it works against itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

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
    """`expected` takes the run time that was assumed, `worst` one that never ends; None where it cannot run."""

    now: float
    rate_per_hour: Decimal | None
    expected: Forecast | None
    worst: Forecast | None
    conflicts: tuple[Conflict, ...]

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
    available: Decimal | None = None,
    budgets: Sequence[BudgetUse] = (),
    shows_output: Callable[[AccountName], bool] = shows_nothing,
) -> Planned:
    """Plan a request at `now` (unix seconds). Durations in seconds; `runs_for` None: as long as it is allowed.

    `available`, `budgets`, `shows_output`: as `conflicts` has them.
    """
    found = tuple(conflicts(spec, rate_per_hour, now, available, budgets=budgets, shows_output=shows_output))
    if rate_per_hour is None or any(conflict.severity == "error" for conflict in found):
        return Planned(now, rate_per_hour, None, None, found)
    endless = Assumed(rate_per_hour, queued_for=queued_for)
    worst = forecast(spec, endless, now, steps_at_most=_LONG_ENOUGH)
    found = (*found, *unreached(spec, worst, found))
    if runs_for is None:
        return Planned(now, rate_per_hour, worst, worst, found)
    assumed = Assumed(rate_per_hour, queued_for=queued_for, runs_for=runs_for)
    return Planned(now, rate_per_hour, forecast(spec, assumed, now), worst, found)


def planned_view(planned: Planned) -> dict[str, Any]:
    """The plan as JSON-ready data: amounts are texts of US dollars, times ISO 8601 in UTC.

    `worst_usd` is None where nothing limits the cost.
    """
    expected, worst = planned.expected, planned.worst
    return {
        "can_run": planned.can_run,
        "conflicts": [
            {"severity": item.severity, "path": item.path, "message": item.message}
            for item in planned.conflicts
        ],
        "rate_per_hour_usd": None if planned.rate_per_hour is None else format_usd(planned.rate_per_hour),
        "cost": {
            "expected_usd": _cost(expected),
            "worst_usd": _cost(worst),
            "unattended_usd": None if worst is None else format_usd(worst.unattended),
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
