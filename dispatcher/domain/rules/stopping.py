"""The rules that stop a job."""

from dispatcher.domain.actions import (
    Begin,
    Due,
    Finish,
    OrderStop,
    Send,
)
from dispatcher.domain.costs import highest_rate
from dispatcher.domain.job import Job, Remote
from dispatcher.domain.money import affordable_seconds
from dispatcher.domain.rules.live import live_stops
from dispatcher.domain.rules.named import STOPPED_BY, ordered_by
from dispatcher.domain.rules.pace import ladder
from dispatcher.domain.words import FollowUp, Operation, Phase, Reason, State

STOP_LEAD = 10.0
"""Seconds before the money is used up at which a stop is sent: it takes a moment to land."""


STOP_REPEAT = 120.0
"""Seconds after which a confirmed stop is sent again if the network still shows the job as alive."""


def policy_stop(job: Job) -> Due | None:
    """A stop policy comes true: the stop is ordered, and precludes later extensions."""
    if job.stop is not None or (job.remote is not None and job.remote.is_over):
        return None
    stop = job.spec.policies.stop
    candidates: list[tuple[float, Reason]] = []
    if stop.at is not None:
        candidates.append((stop.at.timestamp(), Reason.STOP_AT))
    if job.remote is not None:
        candidates.extend(_remote_stops(job, job.remote))
        candidates.extend(live_stops(job, job.remote))
        if stop.budget is not None and job.budget_used_up == stop.budget:
            candidates.append((0.0, Reason.BUDGET_USED_UP))
    if not candidates:
        return None
    at, reason = min(candidates)
    return Due("policy_stop", at, OrderStop(reason), FollowUp.STOP, reason, STOPPED_BY.get(reason))


def _remote_stops(job: Job, remote: Remote) -> list[tuple[float, Reason]]:
    stop, found = job.spec.policies.stop, []
    if remote.started_at is None:
        if stop.queued_longer_than is not None and remote.phase is Phase.QUEUED:
            found.append((remote.posted_at + stop.queued_longer_than.total_seconds(), Reason.QUEUED_TOO_LONG))
        return found
    if stop.after is not None:
        found.append((remote.started_at + stop.after.total_seconds(), Reason.STOP_AFTER))
    if stop.max_cost is not None and (hourly := highest_rate(job)) is not None:
        paid = affordable_seconds(hourly, stop.max_cost - job.spend.earlier)
        found.append((remote.started_at + paid - min(STOP_LEAD, paid / 10), Reason.MAX_COST))
    return found


def stop_before_posting(job: Job) -> Due | None:
    """A stop was asked for before anything was posted: the job ends here."""
    if job.stop is None or job.remote is not None or job.call is not None:
        return None
    reason = job.stop.reason
    return Due(
        "stop_before_posting", 0, Finish(State.STOPPED, reason), FollowUp.STOP, reason, ordered_by(job)
    )


def stop(job: Job) -> Due | None:
    """A stop was ordered: it is sent until it is confirmed, and again if the job lives on."""
    if job.stop is None or job.remote is None or job.remote.is_over:
        return None
    if job.call is not None and job.call.operation is Operation.STOP:
        at = job.call.retry_at or 0
        return Due("stop", at, Send(job.call.key), FollowUp.STOP, job.stop.reason, ordered_by(job))
    at = 0.0
    if job.wait is not None and job.wait.reason is Reason.STOP_REQUESTED:
        at = job.wait.last + ladder(job, job.wait.tries, 2.0, 60.0)
    elif job.stop.confirmed_at is not None:
        at = job.stop.confirmed_at + STOP_REPEAT
    return Due("stop", at, Begin(Operation.STOP), FollowUp.STOP, job.stop.reason, ordered_by(job))
