"""The most that a job costs: as it stands, and as its policies allow; and the longest that it runs. Pure arithmetic."""

from dataclasses import dataclass
from decimal import Decimal

from dispatcher.domain.attempts import afresh, attempts_left, dearest
from dispatcher.domain.costs import (
    HOURLY_EXACT,
    ZERO,
    added_at_once,
    final_cost,
    highest_rate,
    rate,
    reserved_at_most,
    run_seconds,
    spec_seconds,
    wanted_seconds,
)
from dispatcher.domain.job import Job
from dispatcher.domain.money import THOUSANDTH, price, price_at_most
from dispatcher.domain.policies import SHORTEST_TIMEOUT, STOP_GRACE
from dispatcher.domain.words import Operation


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
        return max(posted, wanted_seconds(job) + extend.max_times * added_at_once(extend)) + ordered
    return posted + max(extend.max_times - job.extends, 0) * added_at_once(extend) + ordered


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
        shortest = min(step, added_at_once(extend)) if extend is not None else step
        exact = hourly % HOURLY_EXACT == 0
        # Steps that begin, go on and end an extension may each be shorter than a whole one.
        steps = 2 * (seconds // shortest + 2)
        return total + price_at_most(hourly, seconds) + (ZERO if exact else steps * THOUSANDTH)
    if extend is None:
        return total + price_at_most(hourly, seconds)
    count, rest = divmod(seconds, added_at_once(extend))
    return total + count * price_at_most(hourly, added_at_once(extend)) + price_at_most(hourly, rest)
