"""A worker dies anywhere between the end of one job and the post, and the callback, of the next."""

from dataclasses import replace
from typing import Any

import pytest

from dispatcher.domain.ids import JobId
from dispatcher.domain.words import State
from dispatcher.engine import intake
from tests.engine.audit import audit
from tests.engine.test_chains import ENV, request, with_env
from tests.engine.test_crashes import Killed, Tripwire, Wired, telling, wired
from tests.world import World


def chained(world: World) -> tuple[JobId, JobId]:
    """Two jobs, the second after the first, and both told to the application."""
    batch = [
        request("first", request_id="first", callback="app.ended"),
        request(
            "second",
            definition=with_env({"IN": ""}),
            request_id="second",
            after=[{"request_id": "first"}],
            take={f"{ENV}.IN": {"request_id": "first", "field": "result.status"}},
            callback="app.ended",
        ),
    ]
    first, second = (item.id for item in intake.enqueue(world.parts, batch))
    return first, second


def live(wire: Tripwire) -> tuple[World, JobId, JobId]:
    world = World()
    callbacks: Any = Wired(world.parts.callbacks, wire, "callbacks")
    world.parts = replace(wired(world.parts, wire), callbacks=callbacks)
    while True:
        try:
            first, second = chained(world)
            world.run()
            return world, first, second
        except Killed:
            world.bell.rung.clear()


def kill_points() -> list[Any]:
    wire = Tripwire()
    live(wire)
    return [pytest.param(at, id=f"{at}-{wire.calls[at]}") for at in telling(wire)]


@pytest.mark.parametrize("index", kill_points())
def test_a_killed_worker_breaks_no_chain(index: int) -> None:
    wire = Tripwire()
    wire.arm(index, before=False)
    world, first, second = live(wire)
    one, two = world.job(first), world.job(second)
    assert (one.state, two.state) == (State.COMPLETED, State.COMPLETED)
    assert world.parts.store.document(second) is not None
    assert b'"IN":"success"' in (world.parts.store.document(second) or b"")
    assert one.ending is not None
    assert two.remote is not None
    # Whoever dies on the way costs a lease, not a ladder of ten minutes.
    assert two.remote.posted_at - one.ending.at < 100
    told = [message.task_id for message in world.receiver.sent]
    assert set(told) == {f"{first}:ended", f"{second}:ended"}
    assert len(told) <= 3
    audit(world)
