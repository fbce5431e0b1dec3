"""What happens to a job next: one ordered list of rules.

`plan(job, now)` asks the rules in their order. The first whose time has come decides; if none has, the job
waits until the earliest. Rules look at the job alone, never at a clock: each says from when on it applies, so
that the same rules explain a wait, and can run ahead of time.
"""

from collections.abc import Callable
from typing import Final

from dispatcher.domain.actions import (
    Decision,
    Due,
    Wait,
)
from dispatcher.domain.job import Job
from dispatcher.domain.rules.chaining import upstream
from dispatcher.domain.rules.ending import finished, over, vanished
from dispatcher.domain.rules.extending import ordered_extend, policy_extend, settle_extend
from dispatcher.domain.rules.money import credit, credit_patience
from dispatcher.domain.rules.polling import poll
from dispatcher.domain.rules.posting import pin, post, refused_post, settle_post
from dispatcher.domain.rules.soft import soft_steps
from dispatcher.domain.rules.stopping import policy_stop, stop, stop_before_posting
from dispatcher.domain.rules.unkeyed import find_extension, find_post

Rule = Callable[[Job], Due | None]

RULES: Final[tuple[Rule, ...]] = (
    finished,
    soft_steps,
    policy_stop,
    stop_before_posting,
    settle_post,
    find_post,
    refused_post,
    vanished,
    over,
    stop,
    settle_extend,
    find_extension,
    ordered_extend,
    policy_extend,
    poll,
    upstream,
    credit_patience,
    credit,
    pin,
    post,
)
"""In this order: earlier rules win."""


def agenda(job: Job) -> list[Due]:
    """What every rule has to say about the job, in the rules' order."""
    return [due for rule in RULES if (due := rule(job)) is not None]


def upcoming(job: Job, now: float) -> Due:
    """The first rule whose time has come at `now` (unix seconds); if there is none, the one whose time comes first."""
    dues = agenda(job)
    for due in dues:
        if due.at <= now:
            return due
    # A job that is not over always has a next step: every state has a rule without conditions (shown by a test).
    return min(dues, key=lambda due: due.at)


def plan(job: Job, now: float) -> Decision:
    """The next action for `job` at `now` (unix seconds), or a `Wait` until the earliest that any rule names."""
    due = upcoming(job, now)
    action = due.action if due.at <= now else Wait(due.at)
    return Decision(action, due.rule, due.follow_up, due.reason, due.policy)
