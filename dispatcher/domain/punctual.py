"""Whether the agenda comes back to a job in time. Pure."""

from dispatcher.domain.job import Job
from dispatcher.domain.planner import upcoming


def is_late(job: Job, due_at: float, now: float, slack: float) -> bool:
    """Whether an agenda entry at `due_at` is later than the job's next step by more than `slack` seconds.

    The next step is the planner's word, so this is also true of a job that was not looked at for much longer than
    its poll policy allows. What is due already is never late: whoever is rung for it decides.
    """
    return due_at > max(upcoming(job, now).at, now) + slack
