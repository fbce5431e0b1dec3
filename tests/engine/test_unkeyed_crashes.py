"""Without idempotency keys too, a worker may die at any instruction, while the network does its worst to calls.

Every kind of fault hits the first post and the first extension; besides, the worker is killed after each call that
leaves the engine, which is before the next one. The end must be the same: one job on the network, extended once, paid
once.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from dispatcher.domain.ids import JobId
from dispatcher.domain.money import price
from dispatcher.domain.words import State
from tests.engine.audit import audit
from tests.engine.test_crashes import RATE, Killed, Tripwire, live, telling, wired
from tests.engine.test_unkeyed import unkeyed
from tests.world import World, definition

_HITS: dict[str, dict[str, Any]] = {
    "lost answer": {"kind": "lose_answer"},
    "cut": {"kind": "cut"},
    "502 done": {"kind": "status", "status": 502, "done": True},
}
FAULTS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    **{
        name: [{"route": route, "nth": [1], **hit} for route in ("jobs.list", "jobs.extend")]
        for name, hit in _HITS.items()
    },
    "503 not done": [{"route": "jobs.extend", "nth": [1], "kind": "status", "status": 503}],
    "lost answer, late in the index": [
        {"route": "jobs.list", "nth": [1], "kind": "lose_answer"},
        {"route": "jobs.extend", "nth": [1], "kind": "lose_answer"},
        {"route": "jobs.list", "kind": "list_late", "seconds": 60},
    ],
}


def extended_once(world: World) -> JobId:
    return world.enqueue(
        definition(runs_for="14m", queued_for="1s", results_after="0s"),
        request_id="k",
        policies={"extend": {"by": "10m", "margin": "5m"}, "poll": {"every": "4m", "at_most": "4m"}},
    )


def worlds(faults: str) -> Callable[[], World]:
    return lambda: unkeyed(faults=FAULTS[faults])


@cache
def kill_points(faults: str) -> tuple[tuple[int, str], ...]:
    wire = Tripwire()
    live(extended_once, wire, worlds(faults))
    return tuple((at, wire.calls[at]) for at in telling(wire))


@pytest.mark.parametrize("faults", FAULTS)
def test_a_killed_worker_posts_and_extends_nothing_twice(faults: str) -> None:
    for index, call in kill_points(faults):
        wire = Tripwire()
        wire.arm(index, before=False)
        world, job_id = live(extended_once, wire, worlds(faults))
        job = world.job(job_id)
        there = list(world.network.jobs.values())
        told = f"killed after call {index}, {call}"
        assert len(there) == 1, told
        assert there[0].timeout == 1200, told
        assert (job.state, job.extends) == (State.COMPLETED, 1), told
        assert job.spend.settled == price(RATE, 14 * 60) == Decimal(there[0].settled or 0) / 1000, told
        audit(world)


@pytest.mark.parametrize("faults", ["lost answer", "cut"])
def test_an_operator_who_stops_a_job_whose_worker_was_killed_leaves_nothing_running(faults: str) -> None:
    for index, _ in kill_points(faults):
        world, wire = worlds(faults)(), Tripwire()
        world.parts = wired(world.parts, wire)
        wire.arm(index, before=False)
        try:
            extended_once(world)
            world.run()
        except Killed:
            world.bell.rung.clear()
        stored = world.parts.store.find("k")
        if stored is None:
            continue
        world.stop(stored)
        world.run()
        assert len(world.network.jobs) <= 1
        assert all(remote.over for remote in world.network.jobs.values())
        audit(world)
