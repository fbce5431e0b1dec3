"""The planner's rules for calls in doubt on an account without idempotency keys.

A call whose answer got lost is looked for: a post by its definition's CID among the account's jobs, an extension by
the time-out in the job's record. What is found is taken for the answer. Only what looks over long enough do not show
is sent again, as a new call; where nothing can be found out, a person is asked.

Source of the patience: the network's index has a new job after some seconds, and is given up to a minute in the
network's own tests (docs/nosana.md).
"""

from typing import Final

from dispatcher.domain.actions import Action, Adopt, Disown, Due, FindPosted, Look, Park, TakeExtended
from dispatcher.domain.job import Call, Job, Search
from dispatcher.domain.rules.named import extended_by
from dispatcher.domain.rules.polling import not_before
from dispatcher.domain.words import FollowUp, Operation, Phase, Reason

LOOKS: Final = 3
"""So many looks at least must show nothing before a call counts as not landed."""

POST_PATIENCE: Final = 300.0
"""Seconds after the last moment at which a post may have been sent for which it is looked for; longer each time that
one is not found, up to `LONGEST_PATIENCE`. A second posting costs the whole price again, waiting costs time only."""

LONGEST_PATIENCE: Final = 3600.0

EXTEND_PATIENCE: Final = 120.0
"""The same for an extension, for which there is less time."""

FAILING: Final = 3600.0
"""Seconds without a look that told anything after which a person is asked."""

REMIND: Final = 3600.0
"""Seconds between two tries to find out about a job whose person has not answered yet."""


def find_post(job: Job) -> Due | None:
    """Without keys, a post may have landed: it is looked for until it is found, surely not there, or a person says."""
    call = job.call
    if call is None or call.operation is not Operation.POST or call.search is None:
        return None
    search = call.search
    if search.adopt is not None:
        again = 0.0 if search.looked_at is None else search.looked_at + _gap(search.failed)
        return _post_due(search, max(again, search.held_until or 0.0), Adopt(search.adopt))
    patience = min(POST_PATIENCE * 2.0 ** min(job.lost_posts, 8), LONGEST_PATIENCE)
    if _is_clear(search, patience):
        return _post_due(search, 0, Disown())
    if search.parked_at is None and (search.hopeless or _is_failing(search)):
        return _post_due(search, 0, Park())
    return _post_due(search, _next_look(search, patience), FindPosted())


def find_extension(job: Job) -> Due | None:
    """Without keys, an extension may have landed: the job's record shows whether it did."""
    call, remote = job.call, job.remote
    if call is None or call.operation is not Operation.EXTEND or call.search is None or remote is None:
        return None
    if job.stop is not None or remote.phase not in (Phase.QUEUED, Phase.RUNNING):
        return None
    if is_shown(call, remote.timeout):
        return _extend_due(job, 0, TakeExtended())
    if _is_clear(call.search, EXTEND_PATIENCE):
        return _extend_due(job, 0, Disown())
    return _extend_due(job, max(_next_look(call.search, EXTEND_PATIENCE), not_before(job)), Look())


def is_shown(call: Call, timeout: int) -> bool:
    """Whether a record with this time-out (seconds) has the extension in it."""
    return timeout >= call.adds_to + call.seconds


def _post_due(search: Search, at: float, action: Action) -> Due:
    reason = Reason.AWAITING_NETWORK if search.parked_at is None else Reason.UNRESOLVED
    return Due("find_post", at, action, FollowUp.DISPATCH, reason)


def _extend_due(job: Job, at: float, action: Action) -> Due:
    return Due("find_extension", at, action, FollowUp.EXTEND, Reason.EXTENDING, extended_by(job))


def _is_clear(search: Search, patience: float) -> bool:
    return (
        search.looks >= LOOKS and search.clear_at is not None and search.clear_at >= search.since + patience
    )


def _is_failing(search: Search) -> bool:
    told = search.clear_at if search.clear_at is not None else search.since
    in_vain = [search.looked_at or 0.0] if search.failed else []
    in_vain += [search.held_until] if search.held_until is not None else []
    return max(in_vain, default=told) - told >= FAILING


def _next_look(search: Search, patience: float) -> float:
    """Often at first; the look that decides comes exactly when patience is over."""
    if search.held_until is not None:
        return search.held_until
    if search.parked_at is not None and search.failed and search.looked_at is not None:
        return search.looked_at + REMIND
    last = search.since if search.looked_at is None else search.looked_at
    following = last + _gap(search.looks + search.failed)
    decides = search.since + patience
    return decides if last < decides < following else following


def _gap(looks: int) -> float:
    return min(5.0 * 2.0 ** min(looks, 16), 300.0)
