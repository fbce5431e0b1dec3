"""The rule for when the network is asked how the job is."""

from dispatcher.domain.actions import (
    Due,
    Look,
)
from dispatcher.domain.job import Job
from dispatcher.domain.words import FollowUp, Phase


def poll(job: Job) -> Due | None:
    """The network is asked how the job is, more often near its deadline and while a stop or result is awaited."""
    remote = job.remote
    if remote is None or remote.phase in (Phase.HOST_QUIT, Phase.GONE):
        return None
    if remote.is_over and remote.result_cid is not None:
        return None
    policy = job.spec.policies.poll
    near = policy.near_deadline.total_seconds()
    left = None if remote.deadline is None else remote.deadline - remote.looked_at
    seconds = policy.interval(remote.unchanged_looks, left)
    if remote.is_over or job.stop is not None:
        seconds = min(near * policy.backoff ** min(remote.unchanged_looks, 8), seconds)
    elif left is not None and left <= 0:
        seconds = min(max(-left / 2, near), seconds)
    at = max(remote.looked_at + seconds, remote.held_until or 0)
    return Due("poll", at, Look(), FollowUp.POLL, job.reason, "poll.every")
