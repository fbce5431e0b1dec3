"""What a job costs: so far, at most as it stands, and at most as its policies allow. Pure arithmetic."""

from dataclasses import dataclass
from decimal import Decimal

from dispatcher.domain.attempts import afresh, attempts_left, dearest
from dispatcher.domain.job import Job, Remote
from dispatcher.domain.money import THOUSANDTH, affordable_seconds, price, price_at_most
from dispatcher.domain.policies import SHORTEST_TIMEOUT, STOP_GRACE, ExtendPolicy
from dispatcher.domain.request import JobSpec
from dispatcher.domain.words import Operation, Phase, Reason

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
    by = _by(policy)
    return _within_caps(job, by if quantum is None else quantum.next_step(_whole_extension(job, by)))


def extends_used_up(job: Job) -> bool:
    """Whether the extend policy's `max_times` are over. In steps, what counts is the time that they add up to."""
    policies = job.spec.policies
    if policies.extend is None or policies.extend.max_times is None or job.remote is None:
        return False
    if policies.quantum is None:
        return job.extends >= policies.extend.max_times
    return job.remote.timeout >= wanted_seconds(job) + policies.extend.max_times * _by(policies.extend)


def _by(policy: ExtendPolicy) -> int:
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

    A job that vanished while it ran is taken at all that was reserved: nothing shows less. The network's word that a
    stop ended it says that it ran, whatever its index showed.
    """
    hourly = rate(job)
    if job.remote is None or hourly is None:
        return ZERO
    ran = job.remote.started_at is not None or (job.stop is not None and job.stop.outcome == "ended")
    if ran and job.remote.phase is Phase.GONE and job.remote.ended_at is None:
        return job.spend.posted
    if job.remote.started_at is None:
        return ZERO
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


@dataclass(frozen=True, slots=True)
class Costs:
    """US dollars, of all attempts together. `so_far`: for the time that was used; `committed`: the most it costs if
    every dispatcher process dies now (posted quanta and calls under way); `allowed`: the most that its policies allow,
    with the attempts that may still come, and orders that operators gave beyond them; None where nothing limits it, or
    while a price is not known yet that no ceiling limits."""

    so_far: Decimal
    committed: Decimal
    allowed: Decimal | None


def costs(job: Job, now: float) -> Costs:
    """The three figures for one job. The last two depend on its record alone, not on `now`."""
    if job.spend.settled is not None:
        return Costs(job.spend.settled, job.spend.settled, job.spend.settled)
    hourly, earlier = rate(job), job.spend.earlier
    committed = _committed(job)
    so_far = min(price(hourly, run_seconds(job, now)), committed) if hourly is not None else ZERO
    return Costs(earlier + so_far, earlier + committed, _allowed(job, committed))


def longest_runtime(job: Job) -> int | None:
    """The most seconds of run time that the job's policies allow an attempt in total; None where nothing limits them.

    Orders of operators count, and so does what was posted already. Known before the price is.
    """
    seconds = _posted_seconds(job)
    if not _may_go_on(job) or seconds == 0:
        return seconds
    policies, longest = job.spec.policies, _longest_wanted(job, seconds)
    caps = [longest] if longest is not None else []
    if (most := policies.max_runtime()) is not None:
        caps.append(int(most))
    started_at = job.remote.started_at if job.remote is not None else None
    since = started_at if started_at is not None else job.created_at
    if policies.extend is not None and policies.extend.until is not None:
        caps.append(int(policies.extend.until.timestamp() - since))
    if policies.stop.at is not None:
        caps.append(int(policies.stop.at.timestamp() - since) + STOP_GRACE)
    return max(min(caps), seconds) if caps else None


def _longest_wanted(job: Job, posted: int) -> int | None:
    """What is posted, ordered, and wanted by the quantum and the extend policy; None where that never ends."""
    ordered, extend = sum(job.extend_ordered), job.spec.policies.extend
    if job.extend_refused is not None or job.no_extends is not None:
        return posted + _by_policy_under_way(job) + ordered
    in_steps = job.spec.policies.quantum is not None
    whole = max(posted, wanted_seconds(job)) if in_steps else posted
    if extend is None:
        return whole + ordered
    if extend.max_times is None:
        return None
    if in_steps:
        return max(posted, wanted_seconds(job) + extend.max_times * _by(extend)) + ordered
    return posted + max(extend.max_times - job.extends, 0) * _by(extend) + ordered


def _by_policy_under_way(job: Job) -> int:
    call = job.call
    return call.seconds if call is not None and call.operation is Operation.EXTEND and not call.ordered else 0


def _posted_seconds(job: Job) -> int:
    """Run time that is posted, or that the first posting will be given at most."""
    if job.remote is not None:
        return job.remote.timeout
    if job.quote is not None:
        return job.quote.seconds
    policies, timeout = job.spec.policies, spec_seconds(job)
    allowed = [timeout if policies.quantum is None else policies.quantum.next_step(timeout)]
    if (most := policies.max_runtime()) is not None:
        allowed.append(int(most))
    if policies.stop.at is not None:
        allowed.append(int(policies.stop.at.timestamp() - job.created_at) + STOP_GRACE)
    seconds = min(allowed)
    return seconds if seconds >= SHORTEST_TIMEOUT else 0


def _may_go_on(job: Job) -> bool:
    """False once no more is posted or extended, whatever the policies say."""
    over = job.remote is not None and job.remote.is_over
    return job.stop is None and job.post_refused is None and not over and not job.state.is_final


def _committed(job: Job) -> Decimal:
    """What is reserved; for a job that is over, whose run time the network shows, what that time costs."""
    remote = job.remote
    ran = remote is not None and remote.started_at is not None and remote.ended_at is not None
    return final_cost(job) if ran and remote is not None and remote.is_over else reserved_at_most(job)


def _allowed(job: Job, committed: Decimal) -> Decimal | None:
    """What earlier attempts did cost, what this one can, and those that may still come; within the job's budget."""
    earlier, budget = job.spend.earlier, job.spec.policies.max_cost()
    this, further = _attempt_at_most(job, committed), _further_at_most(job)
    if further == 0 and not _may_go_on(job):
        return earlier + committed
    most = None if this is None or further is None else earlier + this + further
    caps = [cap for cap in (most, budget) if cap is not None]
    return max(min(caps), earlier + committed) if caps else None


def _attempt_at_most(job: Job, committed: Decimal) -> Decimal | None:
    """Committed, and what may come: the first posting, if it is not written down yet, and each extension."""
    if not _may_go_on(job):
        return committed
    hourly, longest = highest_rate(job) or dearest(job.spec), longest_runtime(job)
    if longest == 0:
        return committed
    if hourly is None or longest is None:
        return None
    posted = _posted_seconds(job)
    under_way = 0
    if job.call is not None and job.call.operation is Operation.EXTEND:
        # Its price is committed; its time is still to come, unless the record shows it before its answer is there.
        under_way = max(job.call.adds_to + job.call.seconds - posted, 0)
    most = committed + _extensions(job, hourly, max(longest - posted - under_way, 0))
    return most + price_at_most(hourly, posted) if job.remote is None and job.call is None else most


def _further_at_most(job: Job) -> Decimal | None:
    """What the attempts that may still come can cost, each at the dearest place."""
    if (left := attempts_left(job)) == 0:
        return ZERO
    each = _attempt_at_most(afresh(job), ZERO)
    return None if each is None else left * each


def _extensions(job: Job, hourly: Decimal, seconds: int) -> Decimal:
    """The price of `seconds` more, at most; each extension is rounded for itself, by the network as here."""
    total, orders = ZERO, job.extend_ordered
    if job.call is not None and job.call.ordered:
        orders = orders[1:]
    for order in orders:
        part = min(order, seconds)
        total, seconds = total + price_at_most(hourly, part), seconds - part
    quantum, extend = job.spec.policies.quantum, job.spec.policies.extend
    if quantum is not None:
        step = int(quantum.step.total_seconds())
        shortest = min(step, _by(extend)) if extend is not None else step
        exact = hourly % HOURLY_EXACT == 0
        # Steps that begin, go on and end an extension may each be shorter than a whole one.
        steps = 2 * (seconds // shortest + 2)
        return total + price_at_most(hourly, seconds) + (ZERO if exact else steps * THOUSANDTH)
    if extend is None:
        return total + price_at_most(hourly, seconds)
    count, rest = divmod(seconds, _by(extend))
    return total + count * price_at_most(hourly, _by(extend)) + price_at_most(hourly, rest)


def spec_seconds(job: Job) -> int:
    """The request's timeout in seconds."""
    return int(job.spec.timeout.total_seconds())


def wanted_seconds(job: Job) -> int:
    """The time that the job is to have before the extend policy adds to it: the time-out, and what operators added."""
    return spec_seconds(job) + job.extra
