"""Turns that fail are counted; after too many in a row the job is a dead letter, with the reason and the traceback."""

import traceback

import structlog

from dispatcher.domain import crashes
from dispatcher.domain.crashes import Crash, Trouble
from dispatcher.domain.errors import StoreError
from dispatcher.domain.ids import JobId, LeaseToken
from dispatcher.engine.parts import Parts
from dispatcher.ports.store import Claim

_log = structlog.get_logger(__name__)


def raised(parts: Parts, job_id: JobId, token: LeaseToken, crashes_before: int, error: Exception) -> None:
    """A turn raised `error`: nothing of it that was not saved is saved now, and the job rests, or is dead.

    Raises nothing: what is to be told is `error`. A store that is away lets the lease lapse instead.
    """
    wait = parts.pace(crashes.retry_after(crashes_before + 1))
    _note(parts, job_id, token, _crash(parts, error), parts.timing.crashes_at_most, wait)


def died(parts: Parts, claim: Claim) -> bool:
    """True, and the job is a dead letter, if too many of its workers in a row were not heard of again."""
    most = parts.timing.lapses_at_most
    if claim.lapses < most:
        return False
    _note(parts, claim.job.id, claim.token, crashes.lapsed(claim.lapses), most, wait=0.0)
    return True


def _note(parts: Parts, job_id: JobId, token: LeaseToken, crash: Crash, at_most: int, wait: float) -> None:
    now = parts.clock.now()
    try:
        trouble = parts.store.crashed(job_id, token, crash, now=now, retry_at=now + wait, at_most=at_most)
    except StoreError as e:
        _log.warning("crash_not_noted", job=job_id, error=str(e))
        return
    if trouble is not None:
        _tell(trouble)


def _tell(trouble: Trouble) -> None:
    fields = {"job": trouble.job_id, "reason": trouble.reason, "crashes": trouble.crashes}
    if trouble.dead:
        _log.error("job_dead", **fields)
    else:
        _log.warning("job_crashed", **fields, retry_at=trouble.retry_at)


def _crash(parts: Parts, error: Exception) -> Crash:
    """The error in words, without secrets. A traceback shows lines of code and messages, no variables."""
    told = parts.scrub("".join(traceback.format_exception(error)))
    said = parts.scrub(f"{type(error).__name__}: {error}")
    return Crash(crashes.one_line(said), crashes.bounded(told))
