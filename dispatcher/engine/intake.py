"""Requests come in: each is stored whole, in one atomic step, and only then the bell is rung."""

from collections.abc import Sequence

from dispatcher.domain.cid import cid_of
from dispatcher.domain.errors import InvalidRequest, RequestConflict, TooManyJobs
from dispatcher.domain.events import Enqueued
from dispatcher.domain.faults import Fault, under
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import FollowUp
from dispatcher.domain.leaks import own_secret_faults
from dispatcher.domain.lifecycle import create
from dispatcher.domain.request import JobRequest
from dispatcher.engine.bell import ring
from dispatcher.engine.parts import Parts
from dispatcher.ports.store import Added, NewJob


def enqueue(parts: Parts, requests: Sequence[JobRequest]) -> list[Added]:
    """Store `requests` and ring for those that are new; the answers are in the same order.

    A request whose id is known gives the job that is there. Raises `RequestConflict` if that job asked for
    something else; the other requests of the same call are stored all the same, and sending them again is
    harmless if they have request ids. Nothing is stored if it raises `InvalidRequest`, for a request that holds a
    secret of the dispatcher's own, or `TooManyJobs`.
    """
    _refuse_own_secrets(parts, requests)
    _refuse_too_many(parts, requests)
    added = parts.store.add([_new_job(parts, request) for request in requests])
    ring(parts.waker, FollowUp.DISPATCH, [item.id for item in added if item.new])
    for request, item in zip(requests, added, strict=True):
        if not item.same_request:
            raise RequestConflict(request.request_id or "", item.id)
    return added


def _refuse_own_secrets(parts: Parts, requests: Sequence[JobRequest]) -> None:
    faults: list[Fault] = []
    for index, request in enumerate(requests):
        found = own_secret_faults(request, parts.own_secrets)
        faults.extend(under(f"requests[{index}]", found) if len(requests) > 1 else found)
    if faults:
        raise InvalidRequest(faults)


def _refuse_too_many(parts: Parts, requests: Sequence[JobRequest]) -> None:
    """Several that enqueue at once may go over the limit by what they enqueue: it keeps the server from filling up.

    A request that is known already needs no room, but which are is known only after they were stored.
    """
    kept = sum(parts.store.counts().values())
    if kept + len(requests) <= parts.limits.jobs:
        return
    known = [request.request_id for request in requests if request.request_id is not None]
    if len(known) == len(requests) and all(parts.store.find(name) is not None for name in known):
        return
    raise TooManyJobs(kept, parts.limits.jobs)


def _new_job(parts: Parts, request: JobRequest) -> NewJob:
    now = parts.clock.now()
    document = request.document()
    event = Enqueued(
        at=now,
        id=JobId(parts.new_id()),
        spec=request.spec(),
        fingerprint=request.fingerprint(),
        cid=cid_of(document),
    )
    return NewJob(create(event), event, document, due_at=now + parts.pace(parts.timing.bell))
