"""The jobs that new requests come after: looked up at intake, and named by their ids from then on."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from dispatcher.domain.chain import Upstream
from dispatcher.domain.chaining import GONE, Seen, failed
from dispatcher.domain.events import Enqueued
from dispatcher.domain.faults import Fault, among
from dispatcher.domain.ids import JobId
from dispatcher.domain.lifecycle import create
from dispatcher.domain.request import JobRequest, JobSpec
from dispatcher.engine.chaining import look
from dispatcher.engine.parts import Parts
from dispatcher.ports.store import NewJob


class Upstreams:
    """What the requests of one call come after.

    `faults`: jobs that are not there, that ended so that this one would never begin, or that have too many after them.
    A request whose own id is known gets the job that is there: what it comes after may be long over, or forgotten.
    """

    def __init__(self, parts: Parts, requests: Sequence[JobRequest]) -> None:
        self._parts = parts
        self._ids: dict[str, JobId] = {}
        self._found: dict[str, JobId | None] = {}
        self.faults: list[Fault] = []
        new = [(at, each) for at, each in enumerate(requests) if each.after and not self._is_known(each)]
        if new:
            named = [self._find(upstream) for _, each in new for upstream in each.after]
            seen = look(parts, [job_id for job_id in named if job_id is not None])
            earlier = _first_places(requests)
            count: Counter[str] = Counter()
            for at, request in new:
                found = self._faults(request, at, earlier, seen, count)
                self.faults.extend(among(found, at, len(requests)))

    def known(self, request_id: str | None, job_id: JobId) -> None:
        """The request was stored, or was there: its job is this one."""
        if request_id is not None:
            self._ids[request_id] = job_id

    def resolved(self, new: NewJob) -> NewJob:
        """The job with the ids of all that it comes after. A request that is gone by now becomes a job that never was,
        as one that is forgotten is."""
        spec, event = new.job.spec, new.enqueued
        if not isinstance(event, Enqueued) or not request_ids(spec):
            return new
        after = tuple(
            each.model_copy(update={"id": each.id or self._id(each.request_id), "request_id": None})
            for each in spec.after
        )
        take = {
            place: each.model_copy(update={"job": each.job or self._id(each.request_id), "request_id": None})
            for place, each in spec.take.items()
        }
        event = event.model_copy(update={"spec": spec.model_copy(update={"after": after, "take": take})})
        return replace(new, job=create(event), enqueued=event)

    def _id(self, request_id: str | None) -> JobId:
        found = self._ids.get(request_id or "") or self._parts.store.find(request_id or "")
        return self._ids.setdefault(request_id or "", found or self._parts.new_id())

    def _is_known(self, request: JobRequest) -> bool:
        return request.request_id is not None and self._parts.store.find(request.request_id) is not None

    def _find(self, upstream: Upstream) -> JobId | None:
        """Looked up once: what another producer stores meanwhile is not there yet for this call."""
        if upstream.id is not None:
            return upstream.id
        name = upstream.request_id or ""
        if name not in self._found:
            self._found[name] = self._parts.store.find(name)
        return self._found[name]

    def _faults(
        self,
        request: JobRequest,
        at: int,
        earlier: Mapping[str, int],
        seen: Mapping[JobId, Seen],
        count: Counter[str],
    ) -> Iterator[Fault]:
        for index, upstream in enumerate(request.after):
            path, job_id = f"after[{index}]", self._find(upstream)
            name = job_id or upstream.request_id or ""
            if job_id is None:
                if earlier.get(name, at) >= at:
                    yield Fault(
                        path, f"no job is kept, and no earlier request of this call is, named {name!r}"
                    )
                    continue
            elif seen[job_id] is GONE:
                yield Fault(path, f"no job {job_id} is kept: `dispatcher jobs` lists those that are")
                continue
            elif (why := failed(upstream, seen[job_id])) is not None:
                yield Fault(path, f"{job_id} {why}: this job would never begin. Leave it out, or say on: any")
                continue
            most = self._parts.limits.dependents
            if name not in count and job_id is not None:
                count[name] = self._parts.store.count_dependents(job_id)
            count[name] += 1
            if count[name] > most:
                yield Fault(
                    path,
                    f"{name} has {most} jobs after it already, and no job may have more: put one in between",
                )


def request_ids(spec: JobSpec) -> set[str]:
    """The request ids by which it names other jobs."""
    named = [each.request_id for each in spec.after] + [each.request_id for each in spec.take.values()]
    return {request_id for request_id in named if request_id is not None}


def _first_places(requests: Sequence[JobRequest]) -> dict[str, int]:
    """Where each request id stands first."""
    places: dict[str, int] = {}
    for at, request in enumerate(requests):
        if request.request_id is not None:
            places.setdefault(request.request_id, at)
    return places
