"""Requests come in: each is stored whole, in one atomic step, and only then the bell is rung."""

from collections.abc import Sequence

from dispatcher.domain.attempts import accounts
from dispatcher.domain.cid import cid_of
from dispatcher.domain.definition import canonical_json
from dispatcher.domain.definition.stamp import stamp
from dispatcher.domain.errors import InvalidRequest, RequestConflict, TooManyJobs
from dispatcher.domain.events import Enqueued
from dispatcher.domain.faults import Fault, among
from dispatcher.domain.ids import JobId
from dispatcher.domain.leaks import own_secret_faults
from dispatcher.domain.lifecycle import create
from dispatcher.domain.request import DEFINITION_AT_MOST, JobRequest
from dispatcher.domain.words import FollowUp
from dispatcher.engine.bell import ring
from dispatcher.engine.parts import Parts
from dispatcher.ports.store import Added, NewJob


def enqueue(parts: Parts, requests: Sequence[JobRequest]) -> list[Added]:
    """Store `requests` and ring for those that are new; the answers are in the same order.

    A request whose id is known gives the job that is there. Raises `RequestConflict` if that job asked for
    something else; the other requests of the same call are stored all the same, and sending them again is
    harmless if they have request ids. Nothing is stored if it raises `InvalidRequest`, for a request that holds a
    secret of the dispatcher's own or whose definition is too large with its stamp, or `TooManyJobs`.
    """
    _refuse_own_secrets(parts, requests)
    _refuse_too_many(parts, requests)
    added = parts.store.add(_new_jobs(parts, requests))
    ring(parts.waker, FollowUp.DISPATCH, [item.id for item in added if item.new])
    for request, item in zip(requests, added, strict=True):
        if not item.same_request:
            raise RequestConflict(request.request_id or "", item.id)
    return added


def _new_jobs(parts: Parts, requests: Sequence[JobRequest]) -> list[NewJob]:
    new = [_new_job(parts, request) for request in requests]
    faults: list[Fault] = []
    for index, item in enumerate(new):
        if len(item.document) > DEFINITION_AT_MOST:
            message = (
                f"is larger than {DEFINITION_AT_MOST} bytes with the dispatcher's stamp in its meta, which the "
                "account needs: keep data out of it"
            )
            fault = Fault("definition", message)
            faults.extend(among([fault], index, len(new)))
    if faults:
        raise InvalidRequest(faults)
    return new


def _refuse_own_secrets(parts: Parts, requests: Sequence[JobRequest]) -> None:
    faults: list[Fault] = []
    for index, request in enumerate(requests):
        faults.extend(among(own_secret_faults(request, parts.own_secrets), index, len(requests)))
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
    now, job_id = parts.clock.now(), JobId(parts.new_id())
    stamped = any(parts.stamps(account) for account in accounts(request))
    document = request.document()
    if stamped:
        document = canonical_json(stamp(request.definition, dispatch_id=job_id, attempt=1))
    event = Enqueued(
        at=now,
        id=job_id,
        spec=request.spec(),
        fingerprint=request.fingerprint(),
        cid=cid_of(document),
        stamped=stamped,
    )
    return NewJob(create(event), event, document, due_at=now + parts.pace(parts.timing.bell))
