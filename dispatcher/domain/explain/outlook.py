"""What becomes of a job if nothing changes, and what that costs: the forecast from its record."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from dispatcher.domain.bounds import costs
from dispatcher.domain.costs import ZERO, highest_rate
from dispatcher.domain.explain.facts import Facts
from dispatcher.domain.forecast import Assumed, Forecast, Step, forecast_job
from dispatcher.domain.job import Job
from dispatcher.domain.planner import agenda
from dispatcher.domain.unkeyed import is_parked
from dispatcher.domain.words import MONEY_WAITS, Phase, Reason, State

_LONG_ENOUGH: Final = 4_000
"""Decisions after which a job that nothing limits is no longer followed."""

_COMES_FROM_OUTSIDE: Final = frozenset({*MONEY_WAITS, Reason.AWAITING_JOBS})
"""Waits that nothing ends by itself."""

STEPS: Final = 6
"""So many steps of the forecast are told, and the last."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """One way in which it may go on. `assumes` says which.

    `at`, `state`, `reason`: its end; all None where nothing ends it. `cost`: US dollars in the end, all attempts and
    what it cost so far included; None if that is not known, or if nothing limits it.
    """

    assumes: str
    at: float | None
    state: State | None
    reason: Reason | None
    cost: Decimal | None
    steps: tuple[Step, ...] = ()
    left_out: int = 0
    """Steps between the last two that are told."""
    at_most: bool = False
    """It may cost less than `cost`."""
    unknown: str = ""
    """Why it cannot be told what then comes."""


def outlooks(job: Job, facts: Facts, now: float) -> tuple[Outlook, ...]:
    """If nothing changes; and for a job that waits for something from outside, once that comes."""
    if job.state.is_final:
        return ()
    trouble = facts.trouble
    if trouble is not None and trouble.dead:
        return (_left_alone(job, now, "nothing is done for it"),)
    if is_parked(job):
        return (_left_alone(job, now, "nobody says what became of its post"),)
    begins = max(now, trouble.retry_at) if trouble is not None and trouble.retry_at is not None else now
    if job.wait is None or job.wait.reason not in _COMES_FROM_OUTSIDE or job.stop is not None:
        return (_followed(job, facts, begins),)
    awaited = _awaited(job.wait.reason)
    comes = _followed(job, facts, begins, f"{awaited} is there at its next try, and ")
    return (_waits_on(job, now, awaited), comes)


def _awaited(reason: Reason) -> str:
    return {
        Reason.AWAITING_CREDIT: "credit",
        Reason.AWAITING_BUDGET: "budget",
        Reason.ACCOUNT_FROZEN: "a thawed account",
        Reason.AWAITING_PRICE: "a lower price",
        Reason.AWAITING_JOBS: "the end of those jobs",
    }.get(reason, "what it waits for")


def _followed(job: Job, facts: Facts, now: float, before: str = "") -> Outlook:
    queued = job.remote is not None and job.remote.phase is Phase.QUEUED
    taken = "a host takes it soon and " if queued and job.stop is None else "the host "
    assumes = f"{before}{taken}goes on to the limit"
    hourly = highest_rate(job) or facts.rate_per_hour
    if hourly is None:
        return Outlook(
            assumes, None, None, None, None, unknown=facts.rate_unknown or "its price is not known yet"
        )
    told = forecast_job(job, Assumed(hourly), now, steps_at_most=_LONG_ENOUGH)
    steps, left_out = _shortened(told.steps)
    if not told.complete:
        return Outlook(assumes, None, None, None, None, steps, left_out)
    return Outlook(assumes, _end_of(told, now), told.state, told.reason, told.cost, steps, left_out)


def _end_of(told: Forecast, now: float) -> float:
    return told.steps[-1].at if told.steps else now


def _shortened(steps: Sequence[Step]) -> tuple[tuple[Step, ...], int]:
    if len(steps) <= STEPS:
        return tuple(steps), 0
    return (*steps[: STEPS - 1], steps[-1]), len(steps) - STEPS


def _left_alone(job: Job, now: float, assumes: str) -> Outlook:
    """On the network it runs to its deadline, and costs at most what is reserved."""
    committed = costs(job, now).committed
    deadline = None if job.remote is None or job.remote.is_over else job.remote.deadline
    if deadline is None:
        return Outlook(assumes, None, None, None, committed, at_most=True)
    assumes = f"{assumes}, and the network ends it at its deadline"
    return Outlook(assumes, deadline, None, None, committed, at_most=True)


def _waits_on(job: Job, now: float, awaited: str) -> Outlook:
    """Nothing that it waits for comes: a policy ends the wait, or the deadline the job, or nothing does."""
    assumes = f"{awaited} does not come"
    remote, ends = job.remote, [due for due in agenda(job) if due.rule in ("credit_patience", "policy_stop")]
    if remote is not None:
        return _left_alone(job, now, assumes)
    if not ends:
        return Outlook(f"{assumes}: it goes on waiting", None, None, None, costs(job, now).committed)
    due = min(ends, key=lambda due: due.at)
    state = State.STOPPED if due.rule == "policy_stop" else State.REJECTED
    reason = due.reason or (MONEY_WAITS.get(job.wait.reason) if job.wait is not None else None)
    return Outlook(assumes, max(due.at, now), state, reason, costs(job, now).committed or ZERO)
