"""Every paid call is written down, durably, with its key and what it asks for, before it is sent."""

from dataclasses import replace
from typing import Any

import pytest

from dispatcher.domain.errors import Bug
from dispatcher.domain.job import Job
from dispatcher.domain.words import Operation
from dispatcher.engine import calls
from dispatcher.store.memory import MemoryStore
from tests.world import World, definition


class Watched:
    """A store that remembers what was saved durably."""

    def __init__(self, store: MemoryStore) -> None:
        self._store, self.durable = store, list[Job]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def save(self, claim: Any, job: Job, log: Any, **how: Any) -> Any:
        answer = self._store.save(claim, job, log, **how)
        if how.get("durable"):
            self.durable.append(job)
        return answer


def test_every_paid_call_and_no_other_is_saved_durably_before_it_is_sent() -> None:
    world = World()
    watched = Watched(MemoryStore())
    world.parts = replace(world.parts, store=watched)
    job_id = world.enqueue(definition(runs_for="25m"), policies={"extend": {"by": "10m"}})
    world.run_for(1300)
    world.stop(job_id)
    world.run()

    written = [job.call.key for job in watched.durable if job.call is not None]
    paid = [event.key for _, event in world.recorder.seen if event.kind in {"posted", "extended"}]
    assert len(paid) == 3
    assert written == paid
    assert all(job.call is not None and len(job.call.payload) == 64 for job in watched.durable)


@pytest.mark.parametrize("operation", [Operation.POST, Operation.EXTEND])
def test_a_call_that_would_ask_for_something_else_than_was_written_down_is_not_sent(
    operation: Operation,
) -> None:
    world = World(
        faults=[
            {"route": "jobs.list", "kind": "status", "status": 503, "nth": [1]},
            {"route": "jobs.extend", "kind": "status", "status": 503, "nth": [1]},
        ]
    )
    job_id = world.enqueue(definition(runs_for="25m"), policies={"extend": {"by": "10m"}})
    while (job := world.job(job_id)).call is None or job.call.operation is not operation:
        assert world.leap()
        world.work()
    sent = world.network.ledger.total
    changed = job.model_copy(update={"call": job.call.model_copy(update={"seconds": 999})})
    with pytest.raises(Bug, match="was written down for something else"):
        calls.send(world.parts, changed)
    assert world.network.ledger.total == sent
