"""What happens to a job next: one ordered list of rules.

`plan(job, now)` asks the rules in their order. The first whose time has come decides; if none has, the job
waits until the earliest. Rules look at the job alone, never at a clock: each says from when on it applies, so
that the same rules explain a wait, and can run ahead of time.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from dispatcher.domain.actions import (
    Begin,
    Collect,
    Decision,
    DropExtension,
    Due,
    Finish,
    GiveUp,
    HoldCredit,
    Look,
    Nothing,
    OrderStop,
    Pin,
    Send,
    Wait,
)
from dispatcher.domain.costs import extension_refusal, highest_rate, next_extension
from dispatcher.domain.job import MONEY_WAITS, FollowUp, Job, Operation, Phase, Reason, Remote, State
from dispatcher.domain.job import Wait as Waiting
from dispatcher.domain.money import affordable_seconds
from dispatcher.domain.rules_unkeyed import find_extension, find_post
from dispatcher.domain.traffic import LONGEST_PRESSING_PAUSE

RESULT_GRACE = 60.0
"""Seconds after the end in which a result may still appear (an owner's stop: the host adds it later)."""

RESULT_PATIENCE = 900.0
"""Seconds after the end for which fetching a result that is there is tried again."""

HELD_RESULT_PATIENCE = 3600.0
"""The same for a result whose fetching was held back, or that the network wants to be asked for later."""

INDEX_PATIENCE = 3600.0
"""Seconds for which a job that was just posted may be unknown to the network's index."""

DELISTED_PATIENCE = 60.0
"""Seconds for which a queued job must be unknown before it counts as taken off the queue by somebody else."""

STOP_LEAD = 10.0
"""Seconds before the money is used up at which a stop is sent: it takes a moment to land."""

STOP_REPEAT = 120.0
"""Seconds after which a confirmed stop is sent again if the network still shows the job as alive."""


def ladder(job: Job, tries: int, first: float, longest: float) -> float:
    """Seconds until the next try: doubling from `first` to `longest`, spread by 15 % so that jobs do not march
    in step. The spread comes from the job's id: the same job always waits the same."""
    seconds = min(first * 2.0 ** min(max(tries - 1, 0), 16), longest)
    spread = zlib.crc32(f"{job.id}:{tries}".encode()) / 2**32
    return seconds * (0.85 + 0.3 * spread)


def call_retry(job: Job, tries: int, retry_after: float | None, left: float | None) -> float:
    """Seconds until an undecided call is sent again: the network's own wish, or a ladder from 2 s to 60 s (of a stop
    to 15 s: each second of its job is paid) that keeps several tries within the `left` seconds before a deadline.

    A stop or an extension is worth a try before a longer wish is over: after five minutes, or half of what is left."""
    if retry_after is not None:
        return max(min(retry_after, _patience(job, left)), 0.5)
    is_stop = job.call is not None and job.call.operation is Operation.STOP
    seconds = ladder(job, tries, 2.0, 15.0 if is_stop else 60.0)
    return min(seconds, max(left / 5, 1.0)) if left is not None and left > 0 else seconds


def _patience(job: Job, left: float | None) -> float:
    """The longest that a call may be kept waiting by what the network wishes."""
    if job.call is None or job.call.operation is Operation.POST:
        return math.inf
    if left is None or left <= 0:
        return LONGEST_PRESSING_PAUSE
    return min(LONGEST_PRESSING_PAUSE, max(left / 2, 1.0))


def finished(job: Job) -> Due | None:
    """A job that ended stays as it is."""
    return Due("finished", 0, Nothing()) if job.state.is_final else None


def policy_stop(job: Job) -> Due | None:
    """A stop policy comes true: the stop is ordered, and precludes later extensions."""
    if job.stop is not None or (job.remote is not None and job.remote.is_over):
        return None
    stop = job.spec.policies.stop
    candidates: list[tuple[float, Reason]] = []
    if stop.at is not None:
        candidates.append((stop.at.timestamp(), Reason.STOP_AT))
    if job.remote is not None:
        candidates.extend(_remote_stops(job, job.remote))
    if not candidates:
        return None
    at, reason = min(candidates)
    return Due("policy_stop", at, OrderStop(reason), FollowUp.STOP, reason)


def _remote_stops(job: Job, remote: Remote) -> list[tuple[float, Reason]]:
    stop, found = job.spec.policies.stop, []
    if remote.started_at is None:
        if stop.queued_longer_than is not None and remote.phase is Phase.QUEUED:
            found.append((remote.posted_at + stop.queued_longer_than.total_seconds(), Reason.QUEUED_TOO_LONG))
        return found
    if stop.after is not None:
        found.append((remote.started_at + stop.after.total_seconds(), Reason.STOP_AFTER))
    if stop.max_cost is not None and (hourly := highest_rate(job)) is not None:
        paid = affordable_seconds(hourly, stop.max_cost)
        found.append((remote.started_at + paid - min(STOP_LEAD, paid / 10), Reason.MAX_COST))
    return found


def stop_before_posting(job: Job) -> Due | None:
    """A stop was asked for before anything was posted: the job ends here."""
    if job.stop is None or job.remote is not None or job.call is not None:
        return None
    return Due(
        "stop_before_posting", 0, Finish(State.STOPPED, job.stop.reason), FollowUp.STOP, job.stop.reason
    )


def settle_post(job: Job) -> Due | None:
    """A post is written down: it is sent until the network says what became of it."""
    if job.call is None or job.call.operation is not Operation.POST or job.call.search is not None:
        return None
    reason = Reason.AWAITING_NETWORK if job.call.tries or job.call.held else None
    at = job.call.retry_at or 0
    if job.stop is not None and job.call.unsent_until is not None:
        at = 0  # it was held back so far, and is not sent any more
    return Due("settle_post", at, Send(job.call.key), FollowUp.DISPATCH, reason)


def refused_post(job: Job) -> Due | None:
    """The network refused the post for good."""
    if job.post_refused is None or job.remote is not None:
        return None
    return Due("refused_post", 0, Finish(State.REJECTED, Reason.REFUSED, job.post_refused))


def vanished(job: Job) -> Due | None:
    """The network has not known the job for too long."""
    remote = job.remote
    if remote is None or remote.is_over or remote.missing_since is None:
        return None
    if job.stop is not None and job.stop.outcome == "delisted":
        patience = 0.0
    elif remote.phase is Phase.QUEUED and remote.seen_at is not None:
        patience = DELISTED_PATIENCE
    else:
        patience = INDEX_PATIENCE
    return Due("vanished", remote.missing_since + patience, GiveUp(), FollowUp.POLL)


def over(job: Job) -> Due | None:
    """The network shows the job as over: its result is fetched, its cost settled."""
    remote = job.remote
    if remote is None or not remote.is_over:
        return None
    give_up = Due("over", remote.changed_at + RESULT_PATIENCE, Collect(without_result=True), FollowUp.POLL)
    if remote.phase is Phase.GONE:
        return Due("over", 0, Collect(without_result=True), FollowUp.POLL)
    if remote.result_cid is not None:
        fetch_at = 0.0
        if job.wait is not None and job.wait.reason is Reason.AWAITING_RESULT:
            fetch_at = _climbed(job, job.wait, 2.0, 60.0)
            if job.wait.retry_at is not None:
                # Held back, or told to come later: within reason it is not given up before it was tried again.
                last_try = min(job.wait.retry_at + RESULT_GRACE, remote.changed_at + HELD_RESULT_PATIENCE)
                give_up = replace(give_up, at=max(give_up.at, last_try))
        fetch = Due("over", fetch_at, Collect(), FollowUp.POLL, Reason.AWAITING_RESULT)
        return min(fetch, give_up, key=lambda due: due.at)
    return Due("over", remote.changed_at + RESULT_GRACE, Collect(without_result=True), FollowUp.POLL)


def stop(job: Job) -> Due | None:
    """A stop was ordered: it is sent until it is confirmed, and again if the job lives on."""
    if job.stop is None or job.remote is None or job.remote.is_over:
        return None
    if job.call is not None and job.call.operation is Operation.STOP:
        return Due("stop", job.call.retry_at or 0, Send(job.call.key), FollowUp.STOP, job.stop.reason)
    at = 0.0
    if job.wait is not None and job.wait.reason is Reason.STOP_REQUESTED:
        at = job.wait.last + ladder(job, job.wait.tries, 2.0, 60.0)
    elif job.stop.confirmed_at is not None:
        at = job.stop.confirmed_at + STOP_REPEAT
    return Due("stop", at, Begin(Operation.STOP), FollowUp.STOP, job.stop.reason)


def settle_extend(job: Job) -> Due | None:
    """An extension is written down: it is sent until the network says what became of it."""
    if job.call is None or job.call.operation is not Operation.EXTEND or not _may_extend(job):
        return None
    if job.call.search is not None:
        return None
    return Due("settle_extend", job.call.retry_at or 0, Send(job.call.key), FollowUp.EXTEND, Reason.EXTENDING)


def ordered_extend(job: Job) -> Due | None:
    """An operator asked for more time."""
    if not job.extend_ordered or job.call is not None or job.state.is_final:
        return None
    seconds = job.extend_ordered[0]
    if (refusal := extension_refusal(job, seconds)) is not None:
        return Due("ordered_extend", 0, DropExtension(seconds, refusal), FollowUp.EXTEND)
    return Due(
        "ordered_extend",
        _after_short(job),
        Begin(Operation.EXTEND, seconds),
        FollowUp.EXTEND,
        Reason.EXTENDING,
    )


def policy_extend(job: Job) -> Due | None:
    """The extend and quantum policies: a margin before the deadline that the network shows, so that it never erodes."""
    margin, remote = job.spec.policies.margin_seconds(), job.remote
    if margin is None or remote is None or remote.deadline is None or job.call is not None:
        return None
    if not _may_extend(job) or job.extend_refused is not None or (seconds := next_extension(job)) == 0:
        return None
    if job.wait is not None and job.wait.reason is Reason.AWAITING_RESULT:
        return None  # the network said that the job is over
    at = max(remote.deadline - margin, _after_short(job))
    return Due("policy_extend", at, Begin(Operation.EXTEND, seconds), FollowUp.EXTEND, Reason.EXTENDING)


def poll(job: Job) -> Due | None:
    """The network is asked how the job is, more often near its deadline and while a stop or result is awaited."""
    remote = job.remote
    if remote is None or remote.phase in (Phase.HOST_QUIT, Phase.GONE):
        return None
    if remote.is_over and remote.result_cid is not None:
        return None
    policy = job.spec.policies.poll
    near = policy.near_deadline.total_seconds()
    left = None if remote.deadline is None else remote.deadline - remote.looked_at
    seconds = policy.interval(remote.unchanged_looks, left)
    if remote.is_over or job.stop is not None:
        seconds = min(near * policy.backoff ** min(remote.unchanged_looks, 8), seconds)
    elif left is not None and left <= 0:
        seconds = min(max(-left / 2, near), seconds)
    at = max(remote.looked_at + seconds, remote.held_until or 0)
    return Due("poll", at, Look(), FollowUp.POLL, job.reason)


def credit_patience(job: Job) -> Due | None:
    """The credit policy ends the waiting for credit, for a budget, or for a frozen account."""
    wait, policy = job.wait, job.spec.policies.credit
    if job.state not in (State.ENQUEUED, State.PINNED) or wait is None or wait.reason not in MONEY_WAITS:
        return None
    finish = Finish(State.REJECTED, MONEY_WAITS[wait.reason], wait.detail)
    if policy.when_short == "fail":
        return Due("credit_patience", 0, finish)
    if policy.wait_at_most is None:
        return None
    since = wait.since if job.short_since is None else job.short_since
    return Due("credit_patience", since + policy.wait_at_most.total_seconds(), finish)


def credit(job: Job) -> Due | None:
    """The credits for the first posting are held; while there are too few, the job waits and is woken."""
    if job.state is not State.ENQUEUED or job.quote is not None:
        return None
    return Due(
        "credit", _next_try(job), HoldCredit(), FollowUp.DISPATCH, job.wait.reason if job.wait else None
    )


def pin(job: Job) -> Due | None:
    """The definition goes to IPFS."""
    if job.state is not State.ENQUEUED or job.quote is None:
        return None
    return Due("pin", _next_try(job), Pin(), FollowUp.DISPATCH, job.wait.reason if job.wait else None)


def post(job: Job) -> Due | None:
    """The job is posted."""
    if job.state is not State.PINNED or job.call is not None:
        return None
    return Due("post", _next_try(job), Begin(Operation.POST), FollowUp.DISPATCH)


Rule = Callable[[Job], Due | None]

RULES: Final[tuple[Rule, ...]] = (
    finished,
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
    return Decision(action, due.rule, due.follow_up, due.reason)


def _may_extend(job: Job) -> bool:
    return job.stop is None and job.remote is not None and job.remote.phase in (Phase.QUEUED, Phase.RUNNING)


def _after_short(job: Job) -> float:
    """When an extension that credit did not pay for is tried again: several times within the margin."""
    if job.wait is None or job.wait.reason not in (*MONEY_WAITS, Reason.AWAITING_NETWORK):
        return 0
    margin = job.spec.policies.margin_seconds() or 60.0
    return max(job.wait.last + max(min(margin / 8, 30.0), 1.0), job.wait.retry_at or 0.0)


def _next_try(job: Job) -> float:
    """When something that a new job waits for is tried again."""
    if job.wait is None:
        return 0
    if job.wait.reason in MONEY_WAITS:
        return _climbed(job, job.wait, 30.0, 600.0)
    return _climbed(job, job.wait, 2.0, 60.0)


def _climbed(job: Job, wait: Waiting, first: float, longest: float) -> float:
    """When a wait is over: after the ladder's step, or when the network wants to be asked, whichever is later.
    Without a try, as it was held back each time, there is no step."""
    step = ladder(job, wait.tries, first, longest) if wait.tries else 0.0
    return max(wait.last + step, wait.retry_at or 0.0)
