"""What a job waits for, and what ends the wait: one sentence for each thing that has to come."""

from collections.abc import Iterator

from dispatcher.domain.budget import BudgetUse, in_words
from dispatcher.domain.costs import ZERO
from dispatcher.domain.explain.facts import Facts, Holding
from dispatcher.domain.explain.times import from_now, moment, span, when
from dispatcher.domain.job import Job, Wait
from dispatcher.domain.money import format_usd
from dispatcher.domain.words import Reason


def ends_of_wait(job: Job, facts: Facts, now: float) -> tuple[str, ...]:
    """What ends the wait of a job that waits; nothing for one that does not."""
    if job.state.is_final:
        return ()
    return tuple(_ends(job, facts, now))


def held_back(job: Job, facts: Facts, now: float) -> tuple[str, ...]:
    """What holds calls for this job back, or may."""
    if job.state.is_final:
        return ()
    return tuple(_held_back(job, facts, now))


def _ends(job: Job, facts: Facts, now: float) -> Iterator[str]:
    wait = job.wait
    match job.reason:
        case Reason.AWAITING_CREDIT if wait is not None:
            yield from _credit(job, wait, facts, now)
        case Reason.AWAITING_BUDGET if wait is not None:
            yield from _budget(wait, facts, now)
        case Reason.ACCOUNT_FROZEN:
            said = f": {facts.frozen}" if facts.frozen else "; it is not frozen any more, and is tried again"
            yield f"account {job.account} is frozen{said}"
            yield f"`dispatcher account thaw {job.account}` ends it"
        case Reason.AWAITING_JOBS:
            for each in facts.upstreams:
                yield f"{each.id} has to {_has_to(each.on)}; it is {each.state or 'not kept any more'}"
        case Reason.UNRESOLVED:
            yield "a person has to say what became of the post:"
            yield f"`dispatcher resolve {job.id} --posted ADDRESS`, or `--not-posted`"
        case Reason.AWAITING_HOST if job.remote is not None:
            yield f"a host of the market has to take it; it is in the queue for {span(now - job.remote.posted_at)}"
            if job.spec.policies.stop.queued_longer_than is None:
                yield "no policy ends that (stop.queued_longer_than); what is reserved stays reserved meanwhile"
        case Reason.AWAITING_INDEX:
            yield "the network has to show the job that was posted"
        case Reason.AWAITING_RESULT:
            yield "the network has to show the result of the job, which is over"
        case _:
            if wait is not None:
                yield wait.detail or wait.reason.value


def _has_to(on: str) -> str:
    return "be over" if on == "any" else "complete"


def _credit(job: Job, wait: Wait, facts: Facts, now: float) -> Iterator[str]:
    needed = wait.short_usd
    if needed is not None and facts.available is not None and facts.balance_at is not None:
        ahead = facts.place.ahead_usd if facts.place is not None else ZERO
        missing = needed + ahead - facts.available
        seen = f"${format_usd(facts.available)} is there (seen {from_now(facts.balance_at, now)})"
        lacks = (
            f"${format_usd(missing)} is missing" if missing > 0 else "that is enough, and it is tried again"
        )
        for_others = f" and those before it ${format_usd(ahead)}" if ahead else ""
        yield f"it needs ${format_usd(needed)}{for_others} on account {job.account}; {seen}: {lacks}"
    elif needed is not None:
        yield f"it needs ${format_usd(needed)} on account {job.account}, whose balance is not known"
    yield from _place(facts)
    if facts.frozen:
        yield f"account {job.account} is frozen as well: {facts.frozen}"
    yield "it is tried again within seconds of credit that arrives, and on its own ladder"


def _place(facts: Facts) -> Iterator[str]:
    place = facts.place
    if place is None:
        return
    if place.position is None:
        yield f"more than {place.looked_at} jobs stand before it in line"
    elif place.position == 1:
        yield "it is the first in line"
    else:
        yield f"it is number {place.position} in line (by priority, then age)"


def _budget(wait: Wait, facts: Facts, now: float) -> Iterator[str]:
    needs = "" if wait.short_usd is None else f", it needs ${format_usd(wait.short_usd)}"
    if wait.scope is None:
        yield f"its own max_cost does not allow it{needs}: {wait.detail}"
        return
    for use in facts.budgets:
        yield f"budget {use.budget.scope}: {_use(use, now)}{needs}"
    if not facts.budgets:
        yield f"the budget of {wait.scope} is gone, and it is tried again"
    yield from _place(facts)


def _use(use: BudgetUse, now: float) -> str:
    limit = in_words(use.budget.limit, use.budget.window)
    until = "it has no end" if use.until is None else f"a new one begins {when(use.until, now)}"
    return f"${format_usd(use.used)} of {limit} is used, ${format_usd(use.left)} is left; {until}"


def _held_back(job: Job, facts: Facts, now: float) -> Iterator[str]:
    if job.call is not None and job.call.held is not None:
        until = "" if job.call.retry_at is None else f", until {when(job.call.retry_at, now)}"
        yield f"its {job.call.operation.value} is held back{until}: {job.call.held}"
    if job.remote is not None and job.remote.held_until is not None:
        yield f"looks at it are held back until {when(job.remote.held_until, now)}: {job.remote.error or ''}".rstrip(
            ": "
        )
    if job.wait is not None and job.wait.retry_at is not None and job.wait.retry_at > now:
        yield f"its next try waits until {when(job.wait.retry_at, now)}, as was asked for"
    for each in facts.holding:
        yield from _lane(each, now)


def _lane(lane: Holding, now: float) -> Iterator[str]:
    if lane.open_since is not None:
        trial = "" if lane.trial_at is None else f"; a call may try it {when(lane.trial_at, now)}"
        yield (
            f"the breaker of {lane.api} is open since {moment(lane.open_since, now)}, after {lane.failures} "
            f"failures in a row{trial}; stops and extensions go through"
        )
    if lane.paused_until is not None and lane.paused_until > now:
        yield f"{lane.api} asked the account to pause until {when(lane.paused_until, now)}"
