"""What the record of a job, and its retry policy, say about attempts: where they run, at what price, how many more.

Whether an end is followed by another attempt is decided in `retrying`; what the end makes of the record stands in
`effects.attempts`.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from dispatcher.domain.ids import AccountName
from dispatcher.domain.job import Job, Spend, StopOrder
from dispatcher.domain.policies import Place
from dispatcher.domain.request import JobSpec
from dispatcher.domain.words import Reason, State

FRESH: Final[Mapping[str, Any]] = {
    "state": State.ENQUEUED,
    "wait": None,
    "short_since": None,
    "quote": None,
    "remote": None,
    "call": None,
    "stop": None,
    "lost_posts": 0,
    "lost_hold": None,
    "extends": 0,
    "extra": 0,
    "extend_ordered": (),
    "post_refused": None,
    "extend_refused": None,
    "no_extends": None,
    "passed": 0,
    "awaited": False,
}
"""The fields of a record that are of one attempt, as they are when the next one begins."""

_OF_THE_JOB: Final = frozenset(
    {Reason.OPERATOR, Reason.STOP_AT, Reason.MAX_COST, Reason.BUDGET_USED_UP, Reason.RESULT_MATCHED}
)


def ends_the_job(order: StopOrder) -> bool:
    """Whether the stop is of the whole job, not only of the attempt: nothing that ends under it is tried again."""
    return order.reason in _OF_THE_JOB


def is_out_of_budget(job: Job) -> bool:
    """Whether the budget is used up that stops the job."""
    return job.budget_used_up is not None and job.budget_used_up == job.spec.policies.stop.budget


def site(spec: JobSpec, place: int) -> Place | None:
    """The place with this index, counted round; None for the request's own."""
    places = spec.places()
    index = place % len(places)
    return None if index == 0 else places[index]


def account_at(spec: JobSpec, place: int) -> AccountName:
    """The account from which an attempt at this place is paid."""
    return spec.places()[place % len(spec.places())].account or spec.account


def ceiling(spec: JobSpec, place: Place) -> Decimal | None:
    """The most that the place's market may ask for an hour, US dollars with the fee; None where nothing limits it."""
    caps = [place.max_rate_per_hour, spec.policies.credit.max_rate_per_hour]
    return min((cap for cap in caps if cap is not None), default=None)


def dearest(spec: JobSpec) -> Decimal | None:
    """The most that an attempt can cost an hour, wherever it runs; None where a place has no ceiling."""
    caps = [ceiling(spec, place) for place in spec.places()]
    known = [cap for cap in caps if cap is not None]
    return max(known) if len(known) == len(caps) else None


def attempts_left(job: Job) -> int:
    """How many further attempts may still come, at most."""
    policy = job.spec.policies.retry
    if policy is None or job.state.is_final or is_out_of_budget(job):
        return 0
    if job.stop is not None and (ends_the_job(job.stop) or job.remote is None):
        return 0
    if job.post_refused is not None and "refused" not in policy.on:
        return 0
    return max(policy.attempts - job.attempt, 0)


def may_follow_refusal(job: Job) -> bool:
    """Whether another attempt may follow if the network refuses the post for good: its hold is not freed then."""
    policy = job.spec.policies.retry
    return policy is not None and "refused" in policy.on and job.stop is None and attempts_left(job) > 0


def afresh(job: Job) -> Job:
    """The job as a further attempt would begin, to reckon with."""
    spend = Spend(earlier=job.spend.earlier)
    return job.model_copy(update={**FRESH, "spend": spend, "attempt": job.attempt + 1})
