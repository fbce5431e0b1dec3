"""Conflicts of policies with the time, the price, the budgets, and with one another."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from dispatcher.domain.budget import BudgetUse, scopes_of
from dispatcher.domain.conflict import Conflict
from dispatcher.domain.costs import first_seconds
from dispatcher.domain.duration import format_duration
from dispatcher.domain.money import affordable_seconds, format_usd, price_at_most
from dispatcher.domain.policies import SHORTEST_TIMEOUT
from dispatcher.domain.request import JobSpec


def misfits(
    spec: JobSpec, hourly: Decimal, now: float, budgets: Sequence[BudgetUse] = ()
) -> Iterator[Conflict]:
    """Warnings, each under the path of its field. `hourly`: US dollars with the fee; `budgets`: those that are set."""
    yield from _following(spec, now)
    yield from _before_a_stop(spec)
    yield from _paying(spec, hourly, now)
    yield from _again(spec, hourly, now)
    yield from _budgets(spec, hourly, now, budgets)


def _following(spec: JobSpec, now: float) -> Iterator[Conflict]:
    poll, extend = spec.policies.poll, spec.policies.extend
    if poll.at_first > poll.every and "at_first" in poll.model_fields_set:
        yield _warning(
            "poll.at_first", f"is longer than every, {format_duration(poll.every)}: it never applies"
        )
    if extend is None or extend.until is None:
        return
    until = extend.until.timestamp()
    if until <= now:
        yield _warning("extend.until", "has passed: the job is never extended; choose a later time")
    elif until < now + spec.timeout.total_seconds() + min(extend.by.total_seconds(), SHORTEST_TIMEOUT):
        whole = format_duration(spec.timeout)
        yield _warning(
            "extend.until", f"comes before the time-out of {whole} is over: the extend policy never applies"
        )


def _before_a_stop(spec: JobSpec) -> Iterator[Conflict]:
    stop = spec.policies.stop
    if stop.soft is None:
        return
    if (stop.after, stop.at, stop.max_cost) == (None, None, None):
        yield _warning("stop.soft", "is a part of nothing, and never comes: give after, at or max_cost")
    elif stop.soft.warn is None and stop.soft.no_extends is None:
        yield _warning("stop.soft", "says nothing: give warn or no_extends, 0.8 for four fifths")
    if stop.soft.no_extends is not None and spec.policies.margin_seconds() is None:
        yield _warning("stop.soft.no_extends", "never matters: neither extend nor quantum gives more time")


def _paying(spec: JobSpec, hourly: Decimal, now: float) -> Iterator[Conflict]:
    policies, credit = spec.policies, spec.policies.credit
    what = "it will be rejected" if credit.when_short == "fail" else "it will wait until the price falls"
    if credit.max_rate_per_hour is not None and hourly > credit.max_rate_per_hour:
        message = f"allows less than the market asks, ${format_usd(hourly)} an hour: {what}; allow more"
        yield _warning("credit.max_rate_per_hour", message)
    for name in ("wait_at_most", "wait_until") if credit.when_short == "fail" else ():
        if getattr(credit, name) is not None:
            yield _warning(f"credit.{name}", "never applies: when_short is fail, and nothing is waited for")
    if credit.when_short == "wait" and credit.wait_until is not None and credit.wait_until.timestamp() <= now:
        message = "has passed: the job is rejected at once if credit is short; choose a later time"
        yield _warning("credit.wait_until", message)
    quantum, budget = policies.quantum, policies.max_cost()
    if quantum is not None and budget is not None:
        first = quantum.next_step(int(spec.timeout.total_seconds()))
        paid = affordable_seconds(hourly, budget)
        if SHORTEST_TIMEOUT <= paid < first:
            message = f"max_cost pays for {format_duration(paid)} only, not for the first step: the job has no other"
            yield _warning("quantum.step", message)


def _again(spec: JobSpec, hourly: Decimal, now: float) -> Iterator[Conflict]:
    policies, retry = spec.policies, spec.policies.retry
    if retry is None:
        return
    if set(retry.on) <= {"queued_too_long"} and not retry.exit_codes:
        if not retry.on:
            yield _warning("retry.on", "names no end, and there are no exit_codes: there is no other attempt")
        elif policies.stop.queued_longer_than is None:
            yield _warning("retry.on", "queued_too_long never happens: give stop.queued_longer_than")
    budget = policies.max_cost()
    first = price_at_most(hourly, first_seconds(spec, hourly, now))
    if budget is not None and first and budget - first < price_at_most(hourly, SHORTEST_TIMEOUT):
        message = (
            f"max_cost, ${format_usd(budget)}, leaves nothing after an attempt that used all of its time, "
            f"${format_usd(first)}: there is no other then; allow more"
        )
        yield _warning("retry", message)


def _budgets(spec: JobSpec, hourly: Decimal, now: float, budgets: Sequence[BudgetUse]) -> Iterator[Conflict]:
    own = spec.policies.stop.budget
    first = price_at_most(hourly, first_seconds(spec, hourly, now))
    minute = price_at_most(hourly, SHORTEST_TIMEOUT)
    for use in budgets:
        scope = use.budget.scope
        if scope in scopes_of(spec, spec.account) and use.left < first:
            waits = spec.policies.credit.when_short == "wait"
            what = "it will wait for the budget" if waits else "it will be rejected"
            yield Conflict(
                "warning",
                "labels" if scope.startswith("label:") else "account",
                f"${format_usd(first)} is needed to post it, budget {use.budget} has ${format_usd(use.left)} left: "
                f"{what}",
            )
        elif scope == own and use.left < first + minute:
            message = (
                f"its first posting uses {use.budget} up: it is stopped at its first look; raise the budget"
            )
            yield _warning("stop.budget", message)


def _warning(field: str, message: str) -> Conflict:
    return Conflict("warning", f"policies.{field}", message)
