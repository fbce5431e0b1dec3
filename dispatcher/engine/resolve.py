"""A person says what became of a post that cannot be found out about here."""

from dispatcher.domain import events as ev
from dispatcher.domain.errors import (
    Bug,
    NotFound,
    NotPossible,
    NotSent,
    ProviderError,
    SettingsError,
    UnknownJob,
)
from dispatcher.domain.ids import JobId, RemoteAddress
from dispatcher.domain.job import Job
from dispatcher.domain.unkeyed import resolution_refusal
from dispatcher.domain.words import FollowUp
from dispatcher.engine.finding import found, held_back
from dispatcher.engine.parts import Parts
from dispatcher.engine.projects import knowing
from dispatcher.ports.provider import RemoteJob
from dispatcher.ports.store import Command


def resolve(
    parts: Parts, job_id: JobId, *, posted: RemoteAddress | None = None, not_posted: bool = False, by: str
) -> Job:
    """Say that the job's undecided post landed and is at `posted`, or that it did not land (`not_posted`).

    A job that is at `posted` goes on from there. One that was not posted is posted again, unless a stop was asked
    for. The answer is the record as it was when asked. Raises `UnknownJob`; `NotPossible` with the reason, above all
    if the network's record of `posted` is not this job's; `ProviderError` if that record cannot be read now.
    """
    job = parts.store.load(job_id)
    if job is None:
        raise UnknownJob(job_id)
    if (posted is None) is not not_posted:
        raise NotPossible(f"{job_id} cannot be resolved: say either where it was posted, or that it was not")
    if (refusal := resolution_refusal(job)) is not None:
        raise NotPossible(f"{job_id} cannot be resolved: {refusal}")
    if posted is not None:
        _record(parts, job, posted)
    now = parts.clock.now()
    parts.store.command(job_id, Command("resolve", by=by, at=now, address=posted), now=now)
    parts.waker.ring(FollowUp.DISPATCH, [job_id])
    return job


def adopt(parts: Parts, job: Job, address: RemoteAddress) -> ev.Event:
    """Take the network's job at `address` for this one, if it is: as the worker that has the job sees it."""
    call = job.call
    if call is None or call.search is None:
        raise Bug(f"{job.id} has no post in doubt")
    try:
        seen = _record(parts, job, address)
    except NotPossible as e:
        return ev.ResolveDropped(at=parts.clock.now(), detail=str(e))
    except NotSent as e:
        return held_back(parts, call, e)
    except (ProviderError, SettingsError) as e:
        return ev.CallSought(at=parts.clock.now(), key=call.key, error=str(e))
    return found(parts, job, address, seen.timeout, by=call.search.adopt_by)


def _record(parts: Parts, job: Job, address: RemoteAddress) -> RemoteJob:
    """The network's record of `address`, which is this job's.

    Raises `NotPossible`, `ProviderError`, `SettingsError`.
    """
    owner = parts.store.find_address(address)
    if owner is not None and owner != job.id:
        raise NotPossible(f"{job.id} is not at {address}: that is {owner}")
    for attempt in job.earlier:
        if attempt.address == address:
            raise NotPossible(f"{job.id} is not at {address}: that was its attempt {attempt.number}")
    provider = knowing(parts, job.account)
    try:
        seen = provider.get(address)
    except NotFound as e:
        raise NotPossible(f"{job.id} is not at {address}: the network knows no such job (any more)") from e
    if seen.cid != job.cid:
        raise NotPossible(
            f"{job.id} is not at {address}: that job runs the definition {seen.cid}, this one {job.cid}"
        )
    if None not in (seen.project, provider.project) and seen.project != provider.project:
        raise NotPossible(f"{job.id} is not at {address}: that job is another account's")
    return seen
