"""An explanation as JSON-ready data: amounts are texts of US dollars, times ISO 8601 in UTC, durations `30m`."""

from decimal import Decimal
from typing import Any

from dispatcher.domain.bounds import longest_runtime
from dispatcher.domain.duration import format_duration
from dispatcher.domain.explain.agenda import Entry
from dispatcher.domain.explain.history import CallTold, History, Noted, WaitTold
from dispatcher.domain.explain.outlook import Outlook
from dispatcher.domain.explain.times import from_now
from dispatcher.domain.explain.whole import Explanation, NextStep
from dispatcher.domain.forecast import Step
from dispatcher.domain.job import Attempt
from dispatcher.domain.money import format_usd
from dispatcher.domain.view import crashed, dead, timestamp, why


def explanation_view(told: Explanation) -> dict[str, Any]:
    """The whole of it. `next` is None for a job that is over and for a dead letter; `outlooks` is what may become of
    it, if nothing changes first, each with what it assumes."""
    job, spent, longest = told.job, told.costs, longest_runtime(told.job)
    return {
        "id": job.id,
        "now": timestamp(told.now),
        "state": job.state.value,
        "reason": job.reason.value,
        "detail": why(job),
        "since": timestamp(told.since),
        "dead": dead(told.trouble),
        "crashed": crashed(told.trouble),
        "next": None if told.next is None else _next(told.next, told.now),
        "waits_for": list(told.waits_for),
        "held_back": list(told.held_back),
        "agenda": [_entry(entry) for entry in told.agenda],
        "outlooks": [_outlook(each) for each in told.outlooks],
        "runtime_at_most": None if longest is None else format_duration(longest),
        "cost": {
            "so_far_usd": format_usd(spent.so_far),
            "committed_usd": format_usd(spent.committed),
            "allowed_usd": _usd(spent.allowed),
            "settled_usd": _usd(job.spend.settled),
            "earlier_attempts_usd": format_usd(job.spend.earlier),
        },
        "tried": {
            "attempts": [_attempt(each) for each in job.earlier],
            "attempt": job.attempt,
            "log_is_whole": told.whole,
            "unreadable_entries": told.unreadable,
            **_history(told.history),
        },
    }


def _next(step: NextStep, now: float) -> dict[str, Any]:
    entry = step.entry
    return {
        "at": timestamp(step.at),
        "in": from_now(step.at, now),
        "action": entry.action,
        "rule": entry.rule,
        "says": entry.says,
        "follow_up": step.follow_up.value,
        "policy": entry.policy,
        "under": entry.under,
        "remark": step.remark or None,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "rule": entry.rule,
        "says": entry.says,
        "applies": entry.applies,
        # A rule that applies at once says so by a time of 0, which is nothing to show.
        "at": timestamp(entry.at or None),
        "action": entry.action,
        "policy": entry.policy,
        "under": entry.under,
        "wins": entry.wins,
    }


def _outlook(each: Outlook) -> dict[str, Any]:
    return {
        "assumes": each.assumes,
        "ends_at": timestamp(each.at),
        "state": None if each.state is None else each.state.value,
        "reason": None if each.reason is None else each.reason.value,
        "cost_usd": _usd(each.cost),
        "cost_is_at_most": each.at_most,
        "unknown": each.unknown or None,
        "steps": [_step(step) for step in each.steps],
        "steps_left_out": each.left_out,
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "at": timestamp(step.at),
        "event": step.event,
        "rule": step.rule,
        "policy": step.policy,
        "detail": step.detail,
        "so_far_usd": format_usd(step.so_far),
        "committed_usd": format_usd(step.committed),
    }


def _history(told: History) -> dict[str, Any]:
    return {
        "calls": told.calls_made,
        "answered": told.answered,
        "troubled_calls": [_call(call) for call in told.troubled],
        "waits": [_wait(wait) for wait in told.waits],
        "noted": [_noted(noted) for noted in told.noted],
    }


def _call(call: CallTold) -> dict[str, Any]:
    return {
        "operation": call.operation.value,
        "ordinal": call.ordinal,
        "at": timestamp(call.at),
        "tries_without_answer": call.tries,
        "held_back": call.held,
        "error": call.error,
        "outcome": call.outcome or "open",
        "ended_at": timestamp(call.ended_at),
    }


def _wait(wait: WaitTold) -> dict[str, Any]:
    return {
        "reason": wait.reason.value,
        "since": timestamp(wait.since),
        "last": timestamp(wait.last),
        "times": wait.times,
        "detail": wait.detail,
    }


def _noted(noted: Noted) -> dict[str, Any]:
    return {
        "at": timestamp(noted.at),
        "kind": noted.kind,
        "by": noted.by,
        "policy": noted.policy,
        "detail": noted.detail,
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "market": attempt.market,
        "account": attempt.account,
        "node": attempt.node,
        "ended_at": timestamp(attempt.ended_at),
        "state": attempt.state.value,
        "reason": attempt.reason.value,
        "exit_code": attempt.exit_code,
        "detail": attempt.detail,
        "cost_usd": format_usd(attempt.cost),
    }


def _usd(amount: Decimal | None) -> str | None:
    return None if amount is None else format_usd(amount)
