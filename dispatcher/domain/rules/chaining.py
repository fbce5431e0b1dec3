"""The rule for a job that comes after others: until they are over, nothing is held, pinned or posted."""

from dispatcher.domain.actions import Due, Release
from dispatcher.domain.job import Job
from dispatcher.domain.rules.pace import climbed
from dispatcher.domain.words import FollowUp, Reason, State

FIRST, LONGEST = 60.0, 600.0
"""Seconds between two looks. The end of each job that it comes after wakes it: this is for a wake that got lost."""


def held_up(job: Job) -> bool:
    """Whether the job may not begin yet, for others have to end first."""
    return bool(job.spec.after) and not job.released


def upstream(job: Job) -> Due | None:
    """The jobs that it comes after are looked up; once they are over as they had to, the job begins."""
    if job.state is not State.ENQUEUED or not held_up(job):
        return None
    waits = job.wait is not None and job.wait.reason is Reason.AWAITING_JOBS
    at = climbed(job, job.wait, FIRST, LONGEST) if waits and job.wait is not None else 0.0
    return Due("upstream", at, Release(), FollowUp.DISPATCH, Reason.AWAITING_JOBS)
