"""Requests come in: each is stored whole, in one atomic step, and only then the bell is rung."""

from collections.abc import Iterator, Sequence

from dispatcher.domain.cid import cid_of
from dispatcher.domain.definition import canonical_json
from dispatcher.domain.definition.stamp import stamp
from dispatcher.domain.errors import InvalidRequest, RequestConflict, TooManyJobs
from dispatcher.domain.events import Enqueued
from dispatcher.domain.faults import Fault, among
from dispatcher.domain.fitting import accounts_of
from dispatcher.domain.ids import JobId
from dispatcher.domain.leaks import own_secret_faults
from dispatcher.domain.lifecycle import create
from dispatcher.domain.request import DEFINITION_AT_MOST, JobRequest, with_sets
from dispatcher.domain.words import FollowUp
from dispatcher.engine.bell import ring
from dispatcher.engine.fitting import unfit
from dispatcher.engine.parts import Parts
from dispatcher.engine.upstreams import Upstreams, request_ids
from dispatcher.ports.store import Added, NewJob


def enqueue(parts: Parts, requests: Sequence[JobRequest]) -> list[Added]:
    """Store `requests` and ring for those that are new; the answers are in the same order.

    A request whose id is known gives the job that is there. Raises `RequestConflict` if that job asked for
    something else; the other requests of the same call are stored all the same, and sending them again is
    harmless if they have request ids. Nothing is stored if it raises `InvalidRequest`, for a request that names a set
    of policies that is not there, that holds a secret of the dispatcher's own, whose definition is too large with its
    stamp, whose policies its network or its labels do not allow for, or that comes after a job that it cannot come
    after; or `TooManyJobs`. What names an earlier request of the same call by its request id is not stored if that one
    is in conflict, and neither is what stands behind it.
    """
    requests = with_sets(requests, parts.policy_sets)
    upstreams, new = Upstreams(parts, requests), [_new_job(parts, request) for request in requests]
    if faults := [*_faults(parts, requests, new), *upstreams.faults]:
        raise InvalidRequest(faults)
    _refuse_too_many(parts, requests)
    added: list[Added] = []
    for wave in _waves(new):
        stored = parts.store.add([upstreams.resolved(item) for item in wave])
        ring(parts.waker, FollowUp.DISPATCH, [item.id for item in stored if item.new])
        for item, found in zip(wave, stored, strict=True):
            _refuse_conflict(item, found)
            upstreams.known(item.job.spec.request_id, found.id)
        added += stored
    return added


def _refuse_conflict(new: NewJob, found: Added) -> None:
    if not found.same_request:
        raise RequestConflict(new.job.spec.request_id or "", found.id)


def _waves(new: Sequence[NewJob]) -> Iterator[list[NewJob]]:
    """The jobs in their order, in few parts: what names an earlier one by its request id stands in a later part, for
    only when that one was stored its id is known."""
    wave: list[NewJob] = []
    names: set[str] = set()
    for item in new:
        if wave and names & request_ids(item.job.spec):
            yield wave
            wave, names = [], set()
        wave.append(item)
        if item.job.spec.request_id is not None:
            names.add(item.job.spec.request_id)
    if wave:
        yield wave


def check(parts: Parts, request: JobRequest) -> None:
    """Refuse what `enqueue` would refuse of this request by itself; nothing is stored. Raises `InvalidRequest`."""
    (whole,) = with_sets([request], parts.policy_sets)
    if faults := [*_faults(parts, [whole], [_new_job(parts, whole)]), *Upstreams(parts, [whole]).faults]:
        raise InvalidRequest(faults)


def _faults(parts: Parts, requests: Sequence[JobRequest], new: Sequence[NewJob]) -> Iterator[Fault]:
    """Everything that the requests alone do not show to be wrong with them."""
    for index, (request, item) in enumerate(zip(requests, new, strict=True)):
        found = [*own_secret_faults(request, parts.own_secrets), *unfit(parts, request)]
        if len(item.document) > DEFINITION_AT_MOST:
            message = (
                f"is larger than {DEFINITION_AT_MOST} bytes with the dispatcher's stamp in its meta, which the "
                "account needs: keep data out of it"
            )
            found.append(Fault("definition", message))
        yield from among(found, index, len(requests))


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
    stamped = any(parts.stamps(account) for account in accounts_of(request))
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
