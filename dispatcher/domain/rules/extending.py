"""The rules that give a job more time."""

from dispatcher.domain.actions import (
    Begin,
    DropExtension,
    Due,
    Send,
)
from dispatcher.domain.costs import extension_refusal, next_extension
from dispatcher.domain.job import Job
from dispatcher.domain.rules.named import extended_by
from dispatcher.domain.words import MONEY_WAITS, FollowUp, Operation, Phase, Reason


def settle_extend(job: Job) -> Due | None:
    """An extension is written down: it is sent until the network says what became of it."""
    if job.call is None or job.call.operation is not Operation.EXTEND or not may_extend(job):
        return None
    if job.call.search is not None:
        return None
    at, send = job.call.retry_at or 0, Send(job.call.key)
    return Due("settle_extend", at, send, FollowUp.EXTEND, Reason.EXTENDING, extended_by(job))


def ordered_extend(job: Job) -> Due | None:
    """An operator asked for more time."""
    if not job.extend_ordered or job.call is not None or job.state.is_final:
        return None
    seconds = job.extend_ordered[0]
    if (refusal := extension_refusal(job, seconds)) is not None:
        return Due("ordered_extend", 0, DropExtension(seconds, refusal), FollowUp.EXTEND)
    return Due(
        "ordered_extend",
        after_short(job),
        Begin(Operation.EXTEND, seconds),
        FollowUp.EXTEND,
        Reason.EXTENDING,
    )


def policy_extend(job: Job) -> Due | None:
    """The extend and quantum policies: a margin before the deadline that the network shows, so that it never erodes."""
    margin, remote = job.spec.policies.margin_seconds(), job.remote
    if margin is None or remote is None or remote.deadline is None or job.call is not None:
        return None
    if not may_extend(job) or job.extend_refused is not None or (seconds := next_extension(job)) == 0:
        return None
    if job.wait is not None and job.wait.reason is Reason.AWAITING_RESULT:
        return None  # the network said that the job is over
    at = max(remote.deadline - margin, after_short(job))
    begin, under = Begin(Operation.EXTEND, seconds), extended_by(job)
    return Due("policy_extend", at, begin, FollowUp.EXTEND, Reason.EXTENDING, under)


def may_extend(job: Job) -> bool:
    return job.stop is None and job.remote is not None and job.remote.phase in (Phase.QUEUED, Phase.RUNNING)


def after_short(job: Job) -> float:
    """When an extension that credit did not pay for is tried again: several times within the margin."""
    if job.wait is None or job.wait.reason not in (*MONEY_WAITS, Reason.AWAITING_NETWORK):
        return 0
    margin = job.spec.policies.margin_seconds() or 60.0
    return max(job.wait.last + max(min(margin / 8, 30.0), 1.0), job.wait.retry_at or 0.0)
