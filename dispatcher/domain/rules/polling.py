"""The rule for when the network is asked how the job is, and which of these looks go before others."""

import math
from typing import Final

from dispatcher.domain.actions import (
    Due,
    Look,
)
from dispatcher.domain.job import Job, Remote
from dispatcher.domain.rules.pace import spread
from dispatcher.domain.words import FollowUp, Phase

LAST_MINUTE: Final = 60.0
"""Seconds before a deadline in which a look goes before those that can wait."""


def poll(job: Job) -> Due | None:
    """The network is asked how the job is, more often near its deadline and while a stop or result is awaited."""
    remote = job.remote
    if remote is None or remote.phase in (Phase.HOST_QUIT, Phase.GONE):
        return None
    if remote.is_over and remote.result_cid is not None:
        return None
    looks = [(_next_look(job, remote), "poll.every"), (_quiet_look(job, remote), "stop.no_output_for")]
    at, field = min(looks)
    return Due("poll", max(at, not_before(job)), Look(), FollowUp.POLL, job.reason, field)


def _next_look(job: Job, remote: Remote) -> float:
    policy, looks = job.spec.policies.poll, remote.unchanged_looks
    near, left, queued_for = policy.near_deadline.total_seconds(), None, None
    if remote.deadline is not None:
        left = remote.deadline - remote.looked_at
    elif not remote.is_over:
        # A host may take it right after the look: then all that is allowed is left.
        left, queued_for = float(remote.timeout), remote.looked_at - remote.posted_at
    seconds = policy.interval(looks, left, queued_for)
    if remote.is_over or job.stop is not None:
        seconds = min(near * policy.backoff ** min(looks, 8), seconds)
    elif left is not None and left <= 0:
        seconds = min(max(-left / 2, near), seconds)
    at_most = max(left / 2, near) if left is not None and left > 0 else math.inf
    return remote.looked_at + spread(job, looks, seconds, at_most)


def _quiet_look(job: Job, remote: Remote) -> float:
    """A look comes when nothing new came out of the job for as long as it may: only that can stop it for it."""
    if (quiet := quiet_from(job)) is None or job.stop is not None or remote.is_over:
        return math.inf
    return max(quiet, remote.looked_at + job.spec.policies.poll.near_deadline.total_seconds())


def quiet_from(job: Job) -> float | None:
    """When nothing new will have come out of the job for `stop.no_output_for`; None where that does not matter."""
    silence, remote = job.spec.policies.stop.no_output_for, job.remote
    if silence is None or remote is None or remote.started_at is None:
        return None
    return max(remote.started_at, remote.output_at or 0.0) + silence.total_seconds()


def pressing_from(job: Job) -> float:
    """From when on a look at the job goes before those that can wait, unix seconds.

    At once while it is being stopped or an extension is in doubt, when it is over and its result is awaited, and
    while the network does not know it any more: patience runs out there. Otherwise in the minute before its deadline;
    of a job that no host had when it was last seen, in the minute before an extension of it could have to be made.
    """
    remote = job.remote
    if remote is None:
        return math.inf
    in_doubt = job.call is not None and job.call.search is not None
    missing = remote.missing_since is not None and remote.seen_at is not None
    if job.stop is not None or in_doubt or remote.is_over or missing:
        return 0.0
    if remote.deadline is not None:
        return remote.deadline - LAST_MINUTE
    known = remote.seen_at if remote.seen_at is not None else remote.posted_at
    return known + remote.timeout - (job.spec.policies.margin_seconds() or 0.0) - LAST_MINUTE


def not_before(job: Job) -> float:
    """Until when the next look is held back; one that was not pressing is worth a try as soon as it is."""
    remote = job.remote
    if remote is None or remote.held_until is None:
        return 0.0
    return remote.held_until if remote.held_pressing else min(remote.held_until, pressing_from(job))
