"""The rules that bring a job to the network."""

from dispatcher.domain.actions import (
    Begin,
    Due,
    Finish,
    Pin,
    Send,
)
from dispatcher.domain.job import Job
from dispatcher.domain.rules.pace import next_try
from dispatcher.domain.words import FollowUp, Operation, Reason, State


def settle_post(job: Job) -> Due | None:
    """A post is written down: it is sent until the network says what became of it."""
    if job.call is None or job.call.operation is not Operation.POST or job.call.search is not None:
        return None
    reason = Reason.AWAITING_NETWORK if job.call.tries or job.call.held else None
    at = job.call.retry_at or 0
    if job.stop is not None and job.call.unsent_until is not None:
        at = 0  # it was held back so far, and is not sent any more
    return Due("settle_post", at, Send(job.call.key), FollowUp.DISPATCH, reason)


def refused_post(job: Job) -> Due | None:
    """The network refused the post for good: the job is rejected."""
    if job.post_refused is None or job.remote is not None:
        return None
    return Due("refused_post", 0, Finish(State.REJECTED, Reason.REFUSED, job.post_refused))


def pin(job: Job) -> Due | None:
    """The definition goes to IPFS."""
    if job.state is not State.ENQUEUED or job.quote is None:
        return None
    return Due("pin", next_try(job), Pin(), FollowUp.DISPATCH, job.wait.reason if job.wait else None)


def post(job: Job) -> Due | None:
    """The job is posted."""
    if job.state is not State.PINNED or job.call is not None:
        return None
    return Due("post", next_try(job), Begin(Operation.POST), FollowUp.DISPATCH)
