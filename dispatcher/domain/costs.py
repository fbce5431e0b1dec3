"""What a job costs, and how much time its policies still give it. Pure arithmetic."""

from decimal import Decimal

from dispatcher.domain.job import Job, Remote
from dispatcher.domain.money import THOUSANDTH, affordable_seconds, price
from dispatcher.domain.policies import SHORTEST_TIMEOUT, STOP_GRACE, ExtendPolicy
from dispatcher.domain.request import JobSpec
from dispatcher.domain.words import Phase, Reason

ZERO = Decimal(0)

HOURLY_EXACT = 3600 * THOUSANDTH
"""At a multiple of this rate every second costs whole thousandths, and nothing is ever rounded."""


def first_seconds(spec: JobSpec, rate_per_hour: Decimal, now: float, spent: Decimal = ZERO) -> int:
    """Seconds of run time to post at first: the timeout, or less where a policy allows less. `spent`: what earlier
    attempts did cost, US dollars.

    0 if the policies do not allow the shortest posting: then the job cannot run.
    """
    policies = spec.policies
    timeout = int(spec.timeout.total_seconds())
    allowed = [timeout if policies.quantum is None else policies.quantum.next_step(timeout)]
    if (most := policies.max_runtime()) is not None:
        allowed.append(int(most))
    if policies.stop.at is not None:
        allowed.append(int(policies.stop.at.timestamp() - now) + STOP_GRACE)
    if (budget := policies.max_cost()) is not None:
        allowed.append(affordable_seconds(rate_per_hour, budget - spent))
    seconds = min(allowed)
    return seconds if seconds >= SHORTEST_TIMEOUT else 0


def why_unpostable(spec: JobSpec) -> Reason:
    """Why `first_seconds` is 0."""
    return Reason.MAX_COST if spec.policies.max_cost() is not None else Reason.STOP_AT


def next_extension(job: Job) -> int:
    """Seconds that the policies add next; 0 if they may not, or if it would be less than a minute."""
    quantum, policy = job.spec.policies.quantum, job.spec.policies.extend
    if job.remote is None:
        return 0
    if job.no_extends is not None:
        return 0
    missing = wanted_seconds(job) - job.remote.timeout if quantum is not None else 0
    if quantum is not None and missing > 0:
        return _within_caps(job, quantum.next_step(missing))
    if policy is None or extends_used_up(job):
        return 0
    by = added_at_once(policy)
    return _within_caps(job, by if quantum is None else quantum.next_step(_whole_extension(job, by)))


def extends_used_up(job: Job) -> bool:
    """Whether the extend policy's `max_times` are over. In steps, what counts is the time that they add up to."""
    policies = job.spec.policies
    if policies.extend is None or policies.extend.max_times is None or job.remote is None:
        return False
    if policies.quantum is None:
        return job.extends >= policies.extend.max_times
    return job.remote.timeout >= wanted_seconds(job) + policies.extend.max_times * added_at_once(
        policies.extend
    )


def added_at_once(policy: ExtendPolicy) -> int:
    return int(policy.by.total_seconds())


def _whole_extension(job: Job, by: int) -> int:
    """What is left of the extension that is being made in steps, or a new one."""
    over = (job.remote.timeout if job.remote is not None else 0) - wanted_seconds(job)
    return by - over % by if over >= 0 else by


def extension_refusal(job: Job, seconds: int) -> str | None:
    """Why an operator's extension by `seconds` cannot be had, or None if it can."""
    if job.state.is_final:
        return f"the job is {job.state}"
    if seconds <= 0:
        return "an extension adds time"
    if job.stop is not None:
        return "the job is being stopped, and a stop always wins"
    if job.remote is None:
        return "the job is not on the network yet"
    if job.remote.is_over:
        return "the job is over"
    if _within_caps(job, seconds) < seconds:
        return (
            "its policies do not allow that much run time or cost in total "
            "(max_cost, max_runtime, extend.until, stop.after, stop.at)"
        )
    return None


def _within_caps(job: Job, wanted: int) -> int:
    if job.remote is None or highest_rate(job) is None:
        return 0
    seconds = min([wanted, *_left(job, job.remote).values()])
    return seconds if seconds >= min(SHORTEST_TIMEOUT, wanted) else 0


def capped_by(job: Job) -> Reason | None:
    """Which of its policies' limits leaves the job the least further run time; None if it has no limit."""
    if job.remote is None or highest_rate(job) is None:
        return None
    left = _left(job, job.remote)
    return min(left, key=lambda limit: left[limit], default=None)


def _left(job: Job, remote: Remote) -> dict[Reason, int]:
    """Seconds that each of the policies' limits leaves beyond what is allowed now; may be less than nothing."""
    policies, left = job.spec.policies, {}
    if (most := policies.max_runtime()) is not None:
        left[Reason.MAX_RUNTIME] = int(most) - remote.timeout
    # Until a host took the job: as if one had at once. What is not allowed then never is.
    since = remote.started_at if remote.started_at is not None else remote.posted_at
    if policies.extend is not None and policies.extend.until is not None:
        left[Reason.EXTEND_UNTIL] = int(policies.extend.until.timestamp() - since) - remote.timeout
    if policies.stop.at is not None:
        left[Reason.STOP_AT] = int(policies.stop.at.timestamp() - since) + STOP_GRACE - remote.timeout
    if (budget := policies.max_cost()) is not None and (hourly := highest_rate(job)) is not None:
        left[Reason.MAX_COST] = affordable_seconds(hourly, budget - job.spend.earlier - job.spend.posted)
    return left


def rate(job: Job) -> Decimal | None:
    """US dollars an hour: the network's record of the job, or before that the market's quote."""
    if job.remote is not None and job.remote.rate_per_hour is not None:
        return job.remote.rate_per_hour
    return job.quote.rate_per_hour if job.quote else None


def highest_rate(job: Job) -> Decimal | None:
    """US dollars an hour: the higher of quote and record, for what must never cost more than it may."""
    rates = [job.quote.rate_per_hour if job.quote else None, rate(job)]
    return max((known for known in rates if known is not None), default=None)


def run_seconds(job: Job, now: float) -> float:
    """Seconds that a host has worked on the job, never more than were allowed."""
    remote = job.remote
    if remote is None or remote.started_at is None:
        return 0
    end = remote.ended_at if remote.ended_at is not None else now
    return min(max(end - remote.started_at, 0), remote.timeout)


def final_cost(job: Job) -> Decimal:
    """What the network settles for an attempt that is over: the seconds it ran, never more than was reserved.

    A job that vanished while it ran is taken at all that was reserved: nothing shows less.
    """
    hourly = rate(job)
    if job.remote is None or hourly is None:
        return ZERO
    if job.remote.started_at is None:
        return ZERO
    if job.remote.phase is Phase.GONE and job.remote.ended_at is None:
        return job.spend.posted
    reserved = reserved_at_most(job)
    if job.call is not None and job.remote.timeout < job.call.adds_to + job.call.seconds:
        reserved -= job.call.amount  # an extension that the record does not show to the end did not land
    return min(price(hourly, run_seconds(job, job.remote.changed_at)), reserved)


def last_cost(job: Job) -> Decimal:
    """What the last attempt of a job that is over did cost: what is settled when its books are closed."""
    return ZERO if job.spend.settled is None else job.spend.settled - job.spend.earlier


def reserved_at_most(job: Job) -> Decimal:
    """What the network may have reserved: all that it confirmed, and extensions whose answer never came."""
    under_way = job.call.amount if job.call is not None else ZERO
    return job.spend.posted + job.spend.doubtful + under_way


def spec_seconds(job: Job) -> int:
    """The request's timeout in seconds."""
    return int(job.spec.timeout.total_seconds())


def wanted_seconds(job: Job) -> int:
    """The time that the job is to have before the extend policy adds to it: the time-out, and what operators added."""
    return spec_seconds(job) + job.extra
