"""Requests come in: each is stored whole, in one atomic step, and only then the bell is rung."""

from collections.abc import Sequence

from dispatcher.domain.cid import cid_of
from dispatcher.domain.errors import RequestConflict
from dispatcher.domain.events import Enqueued
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import FollowUp
from dispatcher.domain.lifecycle import create
from dispatcher.domain.request import JobRequest
from dispatcher.engine.bell import ring
from dispatcher.engine.parts import Parts
from dispatcher.ports.store import Added, NewJob


def enqueue(parts: Parts, requests: Sequence[JobRequest]) -> list[Added]:
    """Store `requests` and ring for those that are new; the answers are in the same order.

    A request whose id is known gives the job that is there. Raises `RequestConflict` if that job asked for
    something else; the other requests of the same call are stored all the same, and sending them again is
    harmless if they have request ids.
    """
    added = parts.store.add([_new_job(parts, request) for request in requests])
    ring(parts.waker, FollowUp.DISPATCH, [item.id for item in added if item.new])
    for request, item in zip(requests, added, strict=True):
        if not item.same_request:
            raise RequestConflict(request.request_id or "", item.id)
    return added


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
