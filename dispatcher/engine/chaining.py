"""Jobs after jobs: those that a job comes after are looked up, and what it takes from them goes into its definition."""

import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from dispatcher.domain import events as ev
from dispatcher.domain.chaining import (
    GONE,
    UNREADABLE,
    UNREADABLE_OVER,
    Barred,
    Pending,
    Seen,
    Source,
    document_of,
    fill,
    own_secret_in,
    standing,
)
from dispatcher.domain.cid import cid_of
from dispatcher.domain.errors import Bug, UnreadableRecord
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Ending, Job
from dispatcher.domain.words import Reason, State
from dispatcher.engine.parts import Parts

_AT_ONCE: Final = 500
"""Records that are read in one round trip."""


def release(parts: Parts, job: Job) -> tuple[ev.Event, bytes | None]:
    """See whether the jobs that `job` comes after are over: it is released, waits on, or ends.

    The second part of the answer is its definition with what was taken, to be stored with the event; None where it
    stays as it is.
    """
    seen = look(parts, [upstream.job for upstream in job.spec.after], dead=True)
    verdict = standing(job.spec.after, seen)
    match verdict:
        case Pending(detail):
            return ev.Waited(at=parts.clock.now(), reason=Reason.AWAITING_JOBS, detail=detail), None
        case Barred():
            return _barred(parts, verdict), None
        case _ if not job.spec.take:
            return ev.Released(at=parts.clock.now(), cid=job.cid), None
        case _:
            return _take(parts, job, seen)


def look(parts: Parts, job_ids: Iterable[JobId], *, dead: bool = False) -> dict[JobId, Seen]:
    """These jobs as they are now. `dead`: of those that are not over, say also which are dead letters."""
    wanted = list(dict.fromkeys(job_ids))
    seen: dict[JobId, Seen] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        seen.update(_look(parts, wanted[start : start + _AT_ONCE], dead=dead))
    return seen


def _look(parts: Parts, job_ids: Sequence[JobId], *, dead: bool) -> Iterator[tuple[JobId, Seen]]:
    try:
        jobs = parts.store.load_many(job_ids)
    except UnreadableRecord:
        for job_id in job_ids:
            yield job_id, _look_at(parts, job_id, dead=dead)
        return
    for job_id, job in zip(job_ids, jobs, strict=True):
        yield job_id, GONE if job is None else _seen(parts, job, dead=dead)


def _look_at(parts: Parts, job_id: JobId, *, dead: bool) -> Seen:
    try:
        job = parts.store.load(job_id)
    except UnreadableRecord:
        return UNREADABLE_OVER if parts.store.over([job_id]) else UNREADABLE
    return GONE if job is None else _seen(parts, job, dead=dead)


def _seen(parts: Parts, job: Job, *, dead: bool) -> Seen:
    if job.state.is_final or not dead:
        return Seen(job, over=job.state.is_final)
    trouble = parts.store.trouble(job.id)
    if trouble is None or not trouble.dead:
        return Seen(job, over=False)
    return Seen(job, over=False, word=f"a dead letter until `dispatcher dead retry {job.id}`")


def _take(parts: Parts, job: Job, seen: dict[JobId, Seen]) -> tuple[ev.Event, bytes | None]:
    document = parts.store.document(job.id)
    if document is None:
        raise Bug(f"the definition of {job.id} is not in the store")
    sources = {
        take.source: Source(seen[take.source].job, parts.store.result(take.source))
        for take in job.spec.take.values()
    }
    filled = fill(json.loads(document), job.spec.take, sources)
    if isinstance(filled, Barred):
        return _barred(parts, filled), None
    barred = own_secret_in(filled.definition, parts.own_secrets)
    if barred is not None:
        return _barred(parts, barred), None
    written = document_of(filled.definition, job)
    if isinstance(written, Barred):
        return _barred(parts, written), None
    return ev.Released(at=parts.clock.now(), cid=cid_of(written), taken=filled.taken), written


def _barred(parts: Parts, why: Barred) -> ev.Event:
    """The job never reaches the network."""
    now = parts.clock.now()
    return ev.Ended(
        at=now,
        state=State.REJECTED,
        reason=why.reason,
        ending=Ending(at=now, detail=why.detail),
        settled=Decimal(0),
    )
