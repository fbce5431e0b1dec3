"""Whether the budget that stops a job is used up, noted at the job's looks."""

from dispatcher.domain import events as ev
from dispatcher.domain.budget import in_words
from dispatcher.domain.costs import ZERO, highest_rate
from dispatcher.domain.job import Job
from dispatcher.domain.money import format_usd, price_at_most
from dispatcher.domain.policies import SHORTEST_TIMEOUT
from dispatcher.engine.parts import Parts


def used_up(parts: Parts, job: Job) -> list[ev.Event]:
    """The event that the budget of the job's `stop.budget` is used up; none if it is not, or if that is known.

    It is when it does not pay for one more minute of the job: then nothing more can be held for it.
    """
    scope = job.spec.policies.stop.budget
    if scope is None or job.stop is not None or job.budget_used_up == scope:
        return []
    now, minute = parts.clock.now(), price_at_most(highest_rate(job) or ZERO, SHORTEST_TIMEOUT)
    for use in parts.uses.of(parts.ledger, scope, now=now, at_most=parts.pace(parts.timing.uses)):
        if use.left < minute or use.left == 0:
            allows, left = in_words(use.budget.limit, use.budget.window), format_usd(use.left)
            detail = f"budget {scope} allows {allows}: ${left} is left, one more minute costs ${format_usd(minute)}"
            return [ev.BudgetUsedUp(at=now, scope=scope, detail=detail)]
    return []
