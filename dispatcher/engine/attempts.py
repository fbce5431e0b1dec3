"""The books at the end of an attempt, and of a job: closed after the end is saved, and again by whoever comes after
a worker that died in between. Each step may be repeated without another effect.
"""

from dispatcher.domain.costs import last_cost
from dispatcher.domain.job import Job
from dispatcher.domain.words import Reason
from dispatcher.engine.parts import Parts
from dispatcher.ports.ledger import kept_name


def is_between(job: Job) -> bool:
    """Whether the job's last attempt is over, and the next has not been held for yet."""
    return bool(job.earlier) and job.wait is not None and job.wait.reason is Reason.RETRYING


def settle_last(parts: Parts, job: Job) -> None:
    """The attempt that is over is paid. What it did not use stays held for the next one, if the same account pays for
    that, so that no other job takes it meanwhile; else it is free."""
    over, kept = job.earlier[-1], job.spend.kept
    keep = (kept_name(job.id), kept) if kept > 0 and over.account == job.account else None
    parts.ledger.settle_attempt(over.account, job.id, over.number, over.cost, keep=keep)


def close_books(parts: Parts, job: Job) -> None:
    """The job is over: its last attempt is paid, and nothing is held for it any more."""
    free_kept_elsewhere(parts, job)
    parts.ledger.settle(job.account, job.id, last_cost(job))


def free_kept_elsewhere(parts: Parts, job: Job) -> None:
    """What the last attempt left on another account than this one's is of no use for it."""
    if job.earlier and job.earlier[-1].account != job.account:
        parts.ledger.void(job.earlier[-1].account, kept_name(job.id))
