"""What people and programs are shown of a job: one flat, JSON-ready picture of its record.

The same picture is printed by the command line, returned by handles and drawn on the live screen.
"""

from datetime import UTC, datetime
from typing import Any

from dispatcher.domain.bounds import costs, longest_runtime
from dispatcher.domain.costs import run_seconds
from dispatcher.domain.crashes import Trouble
from dispatcher.domain.duration import format_duration
from dispatcher.domain.job import Job
from dispatcher.domain.money import format_usd
from dispatcher.domain.planner import upcoming

_FIRST, _LAST = -62135596800.0, 253402300799.0
"""The years 1 to 9999. What is asked for in a zone's own time may lie a few hours outside of them."""


def timestamp(at: float | None) -> str | None:
    """`2026-11-21T22:00:00Z`; what no calendar has is told as its first or last second."""
    if at is None:
        return None
    return (
        datetime.fromtimestamp(min(max(at, _FIRST), _LAST), UTC)
        .isoformat(timespec="seconds")
        .replace("+00:00", "Z")
    )


def next_step(job: Job, now: float, trouble: Trouble | None = None) -> dict[str, Any] | None:
    """What happens next and when, by the planner's own word, but not before a job that crashed has rested; None for
    a job that is over, and for a dead letter."""
    if job.state.is_final or (trouble is not None and trouble.dead):
        return None
    due = upcoming(job, now)
    rested = 0.0 if trouble is None or trouble.retry_at is None else trouble.retry_at
    return {
        "action": type(due.action).__name__.lower(),
        "rule": due.rule,
        "at": timestamp(max(due.at, job.updated_at, rested)),
    }


def why(job: Job) -> str:
    """One sentence of detail beside state and reason; empty where there is nothing to add."""
    if job.ending is not None:
        return job.ending.detail
    if job.call is not None and (said := job.call.held or job.call.error) is not None:
        return said
    if job.wait is not None:
        return job.wait.detail
    if job.remote is not None and job.remote.error is not None:
        return job.remote.error
    return job.extend_refused or ""


def dead(trouble: Trouble | None) -> dict[str, Any] | None:
    """Why the job is a dead letter, and what happens to it next; None for one that is not."""
    if trouble is None or not trouble.dead:
        return None
    after = f"nothing, until `dispatcher dead retry {trouble.job_id}`, a stop, or `dispatcher dead drop`"
    return {
        "reason": trouble.reason,
        "crashes": trouble.crashes,
        "at": timestamp(trouble.at),
        "next": after if trouble.dropped_at is None else "nothing: it was dropped",
        "dropped_at": timestamp(trouble.dropped_at),
    }


def crashed(trouble: Trouble | None) -> dict[str, Any] | None:
    """How the job's last turns failed, and when it is tried again; None if they did not, or if it is dead of it."""
    if trouble is None or trouble.dead:
        return None
    return {
        "reason": trouble.reason,
        "crashes": trouble.crashes,
        "at": timestamp(trouble.at),
        "retry_at": timestamp(trouble.retry_at),
    }


def _ties(job: Job) -> dict[str, Any]:
    """What it comes after, what it takes from those jobs, and which task is sent when it is over."""
    spec = job.spec
    return {
        "after": [{"id": each.id, "on": each.on} for each in spec.after],
        "take": {place: {"job": each.job, "field": each.field} for place, each in spec.take.items()},
        "callback": None
        if spec.callback is None
        else {"task": spec.callback.task, "queue": spec.callback.queue},
    }


def _attempts(job: Job) -> dict[str, Any]:
    """The how-manieth attempt it is, of how many at most, and those before it."""
    retry = job.spec.policies.retry
    return {
        "attempt": job.attempt,
        "attempts_at_most": 1 if retry is None else max(retry.attempts, job.attempt),
        "earlier": [
            {
                "attempt": over.number,
                "state": over.state.value,
                "reason": over.reason.value,
                "detail": over.detail,
                "exit_code": over.exit_code,
                "account": over.account,
                "market": over.market,
                "address": over.address,
                "node": over.node,
                "started_at": timestamp(over.started_at),
                "ended_at": timestamp(over.ended_at),
                "extends": over.extends,
                "cost_usd": format_usd(over.cost),
            }
            for over in job.earlier
        ],
    }


def view(job: Job, now: float, trouble: Trouble | None = None) -> dict[str, Any]:
    """All that is known of the job. Amounts are texts of US dollars, times ISO 8601 in UTC, durations `30m`.

    `trouble`: what is kept beside the record of a job whose last turns failed. A dead letter has no next step; its
    `committed_usd` is what it can still cost.
    """
    spent, longest = costs(job, now), longest_runtime(job)
    remote = job.remote
    return {
        "id": job.id,
        "request_id": job.spec.request_id,
        "state": job.state.value,
        "reason": job.reason.value,
        "detail": why(job),
        "next": next_step(job, now, trouble),
        "dead": dead(trouble),
        "crashed": crashed(trouble),
        "account": job.account,
        "market": job.quote.market if job.quote else job.market,
        "labels": job.spec.labels,
        "cid": job.cid,
        "address": remote.address if remote else None,
        "node": remote.node if remote else None,
        "created_at": timestamp(job.created_at),
        "started_at": timestamp(remote.started_at) if remote else None,
        "deadline": timestamp(remote.deadline) if remote and not remote.is_over else None,
        "ended_at": timestamp(job.ending.at) if job.ending else None,
        "ran_for": format_duration(round(run_seconds(job, now))) if remote and remote.started_at else None,
        "timeout": format_duration(remote.timeout) if remote else format_duration(job.spec.timeout),
        "runtime_at_most": None if longest is None else format_duration(longest),
        **_attempts(job),
        "posts": job.posts,
        "extends": job.extends,
        "exit_code": job.ending.exit_code if job.ending else None,
        "result_cid": job.ending.result_cid if job.ending else None,
        "cost": {
            "rate_per_hour_usd": format_usd(job.quote.rate_per_hour) if job.quote else None,
            "so_far_usd": format_usd(spent.so_far),
            "earlier_usd": format_usd(job.spend.earlier),
            "committed_usd": format_usd(spent.committed),
            "allowed_usd": None if spent.allowed is None else format_usd(spent.allowed),
            "settled_usd": None if job.spend.settled is None else format_usd(job.spend.settled),
        },
        **_ties(job),
        "policies": job.spec.policies.model_dump(mode="json", exclude_none=True),
    }
