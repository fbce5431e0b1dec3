"""Whether the end of an attempt is followed by another one: the retry policy's decision. Pure.

Another attempt is made only when the one before is known to be over on the network. What cannot be known here is not
tried again: two copies that run, and are paid, are worse than a job that failed.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from dispatcher.domain import events as ev
from dispatcher.domain.attempts import account_at, ends_the_job, is_out_of_budget, site
from dispatcher.domain.cid import Cid
from dispatcher.domain.costs import ZERO, rate, run_seconds
from dispatcher.domain.duration import format_duration
from dispatcher.domain.job import Ending, Job
from dispatcher.domain.money import affordable_seconds, format_usd
from dispatcher.domain.outcome import Outcome
from dispatcher.domain.policies import SHORTEST_TIMEOUT, STOP_GRACE, RetryOn, RetryPolicy
from dispatcher.domain.rules.pace import ladder
from dispatcher.domain.words import Phase, Reason, State

LONGEST_WAIT: Final = 86400.0
"""Seconds. However many attempts ended rapidly, the next one waits no longer, unless the policy itself says so."""

_TIMED_OUT: Final = frozenset({Reason.TIMED_OUT, Reason.STOP_AFTER, Reason.MAX_RUNTIME, Reason.MAX_EXTENDS})


@dataclass(frozen=True, slots=True)
class Another:
    """Another attempt: `why` names the part of the policy that decided. The rest as in `AttemptEnded`."""

    why: str
    place: int
    retry_at: float
    rapid: int
    keep: Decimal


@dataclass(frozen=True, slots=True)
class Last:
    """There is no other attempt; `why` is empty where the policy does not ask for one after such an end."""

    why: str


def following(job: Job, end: Outcome, cost: Decimal, now: float) -> Another | Last:
    """What follows an attempt of `job` that ended as `end` says and did cost `cost` US dollars, at `now`."""
    policy = job.spec.policies.retry
    if policy is None or (why := _wanted(job, policy, end)) is None:
        return Last("")
    if job.stop is not None and ends_the_job(job.stop):
        return Last(f"its stop ({job.stop.reason}) is of the whole job")
    if is_out_of_budget(job):
        return Last(f"budget {job.budget_used_up} is used up")
    if not is_known_to_be_over(job):
        return Last("it is not known to be over on the network")
    if job.attempt >= policy.attempts:
        return Last(f"all {policy.attempts} attempts are used up")
    rapid = job.rapid + 1 if _ended_rapidly(job, policy, now) else 0
    if rapid >= policy.rapid.halt_after:
        within = format_duration(policy.rapid.within)
        return Last(f"halted: {rapid} attempts in a row ended within {within}")
    place = (job.place + 1) % len(job.spec.places())
    retry_at = now + _backoff(job, policy, rapid)
    if (short := _no_room(job, place, cost, retry_at)) is not None:
        return Last(short)
    return Another(why, place, retry_at, rapid, _keep(job, place, cost))


def ended(
    job: Job, end: Outcome, now: float, *, cost: Decimal = ZERO, result_cid: Cid | None = None
) -> ev.AttemptEnded | ev.Ended:
    """The end of the attempt, or with it of the job. `cost`: of this attempt, US dollars."""
    follows = following(job, end, cost, now)
    ending = Ending(at=now, exit_code=end.exit_code, result_cid=result_cid, detail=end.detail)
    if isinstance(follows, Another):
        return ev.AttemptEnded(
            at=now,
            attempt=job.attempt,
            state=end.state,
            reason=end.reason,
            ending=ending,
            settled=cost,
            why=follows.why,
            place=follows.place,
            retry_at=follows.retry_at,
            rapid=follows.rapid,
            keep=follows.keep,
        )
    if follows.why:
        said = "; ".join(part for part in (end.detail, f"no further attempt: {follows.why}") if part)
        ending = ending.model_copy(update={"detail": said})
    settled = job.spend.earlier + cost
    return ev.Ended(at=now, state=end.state, reason=end.reason, ending=ending, settled=settled)


def is_known_to_be_over(job: Job) -> bool:
    """Whether nothing of this attempt can run on: the network shows its end, took its stop, or refused its post."""
    remote = job.remote
    if remote is None:
        return job.post_refused is not None and job.call is None
    if remote.phase is Phase.GONE:
        return job.stop is not None and job.stop.outcome is not None
    return remote.phase in (Phase.DONE, Phase.HOST_QUIT)


def _wanted(job: Job, policy: RetryPolicy, end: Outcome) -> str | None:
    """The part of the policy that asks for another attempt after this end."""
    if end.state is State.COMPLETED or end.reason in (Reason.VANISHED, Reason.DROPPED):
        return None
    if end.state is State.FAILED and end.exit_code in policy.exit_codes:
        return f"retry.exit_codes {end.exit_code}"
    matches: dict[RetryOn, bool] = {
        "failed": end.state is State.FAILED,
        "exit_code": end.reason is Reason.EXIT_CODE,
        "host_quit": end.reason is Reason.HOST_QUIT,
        "timed_out": end.state is State.STOPPED and end.reason in _TIMED_OUT,
        "queued_too_long": end.reason is Reason.QUEUED_TOO_LONG,
        "no_result": end.reason is Reason.NO_RESULT,
        "refused": end.reason is Reason.REFUSED and job.post_refused is not None,
    }
    return next((f"retry.on {name}" for name in policy.on if matches[name]), None)


def _ended_rapidly(job: Job, policy: RetryPolicy, now: float) -> bool:
    """Whether a host had it, and for hardly any time."""
    if job.remote is None or job.remote.started_at is None:
        return False
    return run_seconds(job, now) < policy.rapid.within.total_seconds()


def _backoff(job: Job, policy: RetryPolicy, rapid: int) -> float:
    """Seconds until the next attempt: doubling, and longer still after rapid ends."""
    longest = max(policy.at_most, policy.backoff).total_seconds()
    seconds = ladder(job, job.attempt, policy.backoff.total_seconds(), longest)
    slowed = seconds * policy.rapid.factor ** max(rapid - policy.rapid.slow_after, 0)
    return min(slowed, max(LONGEST_WAIT, seconds))


def _no_room(job: Job, place: int, cost: Decimal, at: float) -> str | None:
    """Which of the job's caps leaves no minute for another attempt at `at`, in words."""
    policies = job.spec.policies
    if policies.stop.at is not None and policies.stop.at.timestamp() + STOP_GRACE - at < SHORTEST_TIMEOUT:
        return "stop.at comes before it could run"
    if (budget := policies.max_cost()) is None:
        return None
    used = job.spend.earlier + cost
    hourly = rate(job) if site(job.spec, place) == job.site else None
    seconds = SHORTEST_TIMEOUT if used < budget else 0
    if hourly is not None and hourly > 0:
        seconds = affordable_seconds(hourly, budget - used)
    if seconds >= SHORTEST_TIMEOUT:
        return None
    return f"max_cost allows ${format_usd(budget)}, of which ${format_usd(used)} are used: that pays for no minute"


def _keep(job: Job, place: int, cost: Decimal) -> Decimal:
    """What stays held for the next attempt: what this one was held for at first, within the cap. The ledger keeps
    no more than was not used."""
    if job.quote is None or account_at(job.spec, place) != job.account:
        return ZERO
    budget = job.spec.policies.max_cost()
    left = job.quote.amount if budget is None else budget - job.spend.earlier - cost
    return max(min(job.quote.amount, left), ZERO)
