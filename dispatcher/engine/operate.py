"""What operators ask of a job: kept beside it until a worker takes it in, whoever has the job now."""

from typing import Final

from dispatcher.domain.costs import extension_refusal
from dispatcher.domain.errors import NotPossible, UnknownJob, UnreadableRecord
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Job
from dispatcher.domain.policies import LONGEST_TIMEOUT
from dispatcher.domain.words import FollowUp
from dispatcher.engine.parts import Parts
from dispatcher.ports.store import Command

_BY_AT_MOST: Final = 100
"""Characters of an operator's name that are kept."""


def stop(parts: Parts, job_id: JobId, *, by: str) -> Job:
    """Ask for a stop; a job that is over stays as it is. The answer is the record as it was when asked.

    A dead letter is tried again for it, as often as a new job: that it stops matters more than to spare a worker.
    Raises `UnknownJob`, and `NotPossible` where the record cannot be read; the stop is noted all the same.
    """
    try:
        job = _known(parts, job_id)
    except UnreadableRecord as e:
        _ask_to_stop(parts, job_id, by)
        raise NotPossible(
            f"the stop of {job_id} is noted, but not sent: {e}. Its stop is sent once a worker can read it; "
            f"until then only the network can stop it"
        ) from e
    if not job.state.is_final:
        _ask_to_stop(parts, job_id, by)
    return job


def _ask_to_stop(parts: Parts, job_id: JobId, by: str) -> None:
    now = parts.clock.now()
    parts.store.command(job_id, Command("stop", by=by[:_BY_AT_MOST], at=now), now=now)
    parts.waker.ring(FollowUp.STOP, [job_id])


def extend(parts: Parts, job_id: JobId, seconds: int, *, by: str) -> Job:
    """Ask for `seconds` more run time. Raises `UnknownJob`, and `NotPossible` with the reason."""
    job = _known(parts, job_id)
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise NotPossible(
            f"{job_id} cannot be extended by {seconds} seconds: it must be more than 0, at most 100h"
        )
    if (refusal := extension_refusal(job, seconds)) is not None:
        raise NotPossible(f"{job_id} cannot be extended: {refusal}")
    if (trouble := parts.store.trouble(job_id)) is not None and trouble.dead:
        raise NotPossible(
            f"{job_id} cannot be extended: it is a dead letter, for which nothing is sent until "
            f"`dispatcher dead retry {job_id}` brings it back"
        )
    now = parts.clock.now()
    parts.store.command(job_id, Command("extend", by=by[:_BY_AT_MOST], at=now, seconds=seconds), now=now)
    parts.waker.ring(FollowUp.EXTEND, [job_id])
    return job


def _known(parts: Parts, job_id: JobId) -> Job:
    job = parts.store.load(job_id)
    if job is None:
        raise UnknownJob(job_id)
    return job
