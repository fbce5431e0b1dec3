"""The sweep: what is due is taken from the agenda in one atomic step, and workers are rung for it.

It runs in every worker, many times a second. Whoever dies after taking and before ringing does no harm: what was
taken is due again after a grace.
"""

from collections import defaultdict

from dispatcher.domain.ids import JobId
from dispatcher.domain.words import FollowUp
from dispatcher.engine.bell import ring
from dispatcher.engine.budgets import watch_budgets
from dispatcher.engine.credit import watch_credit
from dispatcher.engine.parts import Parts

_AT_ONCE = 1000


def sweep(parts: Parts) -> int:
    """One round: wake for credit and budgets, ring for what is due. The answer is how many jobs were rung for."""
    watch_credit(parts)
    watch_budgets(parts)
    due = parts.store.take_due(now=parts.clock.now(), limit=_AT_ONCE, grace=parts.pace(parts.timing.grace))
    by_follow_up: dict[FollowUp, list[JobId]] = defaultdict(list)
    for item in due:
        by_follow_up[item.follow_up].append(item.id)
    for follow_up in (FollowUp.STOP, FollowUp.EXTEND, FollowUp.POLL, FollowUp.DISPATCH):
        if ids := by_follow_up.get(follow_up):
            ring(parts.waker, follow_up, ids)
    return len(due)
