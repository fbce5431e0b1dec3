"""The rule for what comes before a stop: at a part of a limit a warning, or no more time by itself."""

from collections.abc import Iterator
from decimal import Decimal

from dispatcher.domain.actions import Due, EndExtends, Warn
from dispatcher.domain.costs import highest_rate
from dispatcher.domain.job import Job, Remote
from dispatcher.domain.money import affordable_seconds, format_usd
from dispatcher.domain.words import FollowUp


def soft_steps(job: Job) -> Due | None:
    """A part of what stops the job is used up: a warning, or no more time by itself; each once for its limit."""
    soft, remote = job.spec.policies.stop.soft, job.remote
    if soft is None or remote is None or remote.is_over or job.stop is not None:
        return None
    dues: list[Due] = []
    if soft.warn is not None:
        for limit, at, detail in _reached(job, remote, soft.warn):
            if limit not in job.warned:
                dues.append(_due(job, at, Warn(limit, soft.warn, detail), "stop.soft.warn"))
    extends = job.spec.policies.margin_seconds() is not None and job.no_extends is None
    if soft.no_extends is not None and extends:
        for limit, at, _ in _reached(job, remote, soft.no_extends):
            dues.append(_due(job, at, EndExtends(limit, soft.no_extends), "stop.soft.no_extends"))
    return min(dues, key=lambda due: due.at, default=None)


def _due(job: Job, at: float, action: Warn | EndExtends, field: str) -> Due:
    return Due("soft_steps", at, action, FollowUp.POLL, job.reason, field)


def _reached(job: Job, remote: Remote, share: float) -> Iterator[tuple[str, float, str]]:
    """When `share` of each limit is used up, and what is said of it."""
    stop, part = job.spec.policies.stop, Decimal(repr(share))
    percent = f"{part:.0%}"
    if stop.at is not None:
        whole = stop.at.timestamp() - job.created_at
        yield "stop.at", job.created_at + share * whole, f"{percent} of the time until stop.at is over"
    if remote.started_at is None:
        return
    if stop.after is not None:
        at = remote.started_at + share * stop.after.total_seconds()
        yield "stop.after", at, f"{percent} of stop.after is over"
    if stop.max_cost is not None and (hourly := highest_rate(job)) is not None:
        left = stop.max_cost * part - job.spend.earlier
        at = remote.started_at + (affordable_seconds(hourly, left) if left > 0 else 0)
        yield "stop.max_cost", at, f"{percent} of stop.max_cost, ${format_usd(stop.max_cost)}, is used up"
