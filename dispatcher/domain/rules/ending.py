"""The rules for a job that is over, on the network or here."""

from dataclasses import replace

from dispatcher.domain.actions import (
    Collect,
    Due,
    GiveUp,
    Nothing,
)
from dispatcher.domain.job import Job
from dispatcher.domain.rules.pace import climbed
from dispatcher.domain.rules.polling import not_before
from dispatcher.domain.words import FollowUp, Phase, Reason

RESULT_GRACE = 60.0
"""Seconds after the end in which a result may still appear (an owner's stop: the host adds it later)."""


RESULT_PATIENCE = 900.0
"""Seconds after the end for which fetching a result that is there is tried again."""


HELD_RESULT_PATIENCE = 3600.0
"""The same for a result whose fetching was held back, or that the network wants to be asked for later."""


INDEX_PATIENCE = 3600.0
"""Seconds for which a job that was just posted may be unknown to the network's index."""


HELD_LOOK_PATIENCE = 1.0
"""Seconds after a look that was held back may go out before anything is concluded from not having looked."""


DELISTED_PATIENCE = 60.0
"""Seconds for which a queued job must be unknown before it counts as taken off the queue by somebody else."""


def finished(job: Job) -> Due | None:
    """A job that ended stays as it is."""
    return Due("finished", 0, Nothing()) if job.state.is_final else None


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
    at = max(remote.missing_since + patience, _after_held_look(job))
    return Due("vanished", at, GiveUp(), FollowUp.POLL)


def _after_held_look(job: Job) -> float:
    return not_before(job) + HELD_LOOK_PATIENCE


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
            fetch_at = climbed(job, job.wait, 2.0, 60.0)
            if job.wait.retry_at is not None:
                # Held back, or told to come later: within reason it is not given up before it was tried again.
                last_try = min(job.wait.retry_at + RESULT_GRACE, remote.changed_at + HELD_RESULT_PATIENCE)
                give_up = replace(give_up, at=max(give_up.at, last_try))
        fetch = Due("over", fetch_at, Collect(), FollowUp.POLL, Reason.AWAITING_RESULT)
        return min(fetch, give_up, key=lambda due: due.at)
    looked_for = max(
        remote.changed_at + RESULT_GRACE,
        min(_after_held_look(job), remote.changed_at + HELD_RESULT_PATIENCE),
    )
    return Due("over", looked_for, Collect(without_result=True), FollowUp.POLL)
