"""The rules for what is set aside before anything is spent, and for how long that is waited for."""

from dispatcher.domain.actions import (
    Due,
    Finish,
    HoldCredit,
)
from dispatcher.domain.job import Job
from dispatcher.domain.rules.chaining import held_up
from dispatcher.domain.rules.pace import next_try
from dispatcher.domain.words import MONEY_WAITS, FollowUp, State


def credit_patience(job: Job) -> Due | None:
    """The credit policy ends the waiting for credit, for a budget, or for a frozen account."""
    wait, policy = job.wait, job.spec.policies.credit
    if job.state not in (State.ENQUEUED, State.PINNED) or wait is None or wait.reason not in MONEY_WAITS:
        return None
    finish = Finish(State.REJECTED, MONEY_WAITS[wait.reason], wait.detail)
    if policy.when_short == "fail":
        return Due("credit_patience", 0, finish, policy="credit.when_short")
    ends = [(policy.wait_until.timestamp(), "credit.wait_until")] if policy.wait_until is not None else []
    if policy.wait_at_most is not None:
        since = wait.since if job.short_since is None else job.short_since
        ends.append((since + policy.wait_at_most.total_seconds(), "credit.wait_at_most"))
    if not ends:
        return None
    until, field = min(ends)
    return Due("credit_patience", until, finish, policy=field)


def credit(job: Job) -> Due | None:
    """The credits for the first posting are held; while there are too few, the job waits and is woken."""
    if job.state is not State.ENQUEUED or job.quote is not None or held_up(job):
        return None
    return Due(
        "credit", next_try(job), HoldCredit(), FollowUp.DISPATCH, job.wait.reason if job.wait else None
    )
