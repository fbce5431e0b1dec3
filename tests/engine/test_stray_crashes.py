"""A round may be killed at any call: of two jobs one is left, and it is the right one."""

from collections.abc import Callable
from typing import Any

import pytest

from dispatcher.domain.ids import JobId, RemoteAddress
from dispatcher.domain.job import State
from dispatcher.engine.reconcile import reconcile
from tests.engine.listing import (
    orphaned,
    twice,
)
from tests.engine.test_crashes import Killed, Tripwire, wired
from tests.world import World


def rounds_with(wire: Tripwire, make: Callable[[], tuple[World, Any, JobId, RemoteAddress]]) -> World:
    """Rounds and turns until all is over; whoever is killed is followed by somebody."""
    world, _, _, _ = make()
    world.parts = wired(world.parts, wire)
    for _ in range(60):
        try:
            reconcile(world.parts, whole=True)
        except Killed:
            world.bell.rung.clear()
        for _ in range(4):
            world.run_for(15)
    world.clock.move(200)
    world.run()
    return world


def older() -> tuple[World, Any, JobId, RemoteAddress]:
    return twice(older_recorded=True)


def younger() -> tuple[World, Any, JobId, RemoteAddress]:
    return twice(older_recorded=False)


def orphan() -> tuple[World, Any, JobId, RemoteAddress]:
    return orphaned()


def kill_points() -> list[Any]:
    points = []
    for make in (older, younger, orphan):
        wire, (world, _, _, _) = Tripwire(), make()
        world.parts = wired(world.parts, wire)
        reconcile(world.parts, whole=True)
        points += [
            pytest.param(make, index, id=f"{make.__name__}-{index}-{call}")
            for index, call in enumerate(wire.calls)
            if not call.startswith(("store.walk", "store.bookmark", "store.set_bookmark", "providers."))
        ]
    return points


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(("make", "index"), kill_points())
def test_a_round_that_is_killed_leaves_one_job_and_no_second(
    make: Callable[[], tuple[World, Any, JobId, RemoteAddress]], index: int, before: bool
) -> None:
    wire = Tripwire()
    wire.arm(index, before=before)
    world = rounds_with(wire, make)
    (job,) = world.parts.store.list_jobs()
    assert job.state is (State.STOPPED if make is orphan else State.COMPLETED)
    ends = sorted(str(each.end) for each in world.network)
    assert ends == ["stopped" if make is orphan else "finished", "stopped"]
    assert not any(stray.is_open for stray in world.parts.store.strays())
    world.check_log(job.id)
