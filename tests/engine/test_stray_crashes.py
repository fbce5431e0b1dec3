"""A round may be killed at any call, or overtaken: of two jobs one is left, and it is the right one."""

from collections.abc import Callable
from typing import Any

import pytest

from dispatcher.domain.ids import JobId, RemoteAddress
from dispatcher.domain.words import State
from dispatcher.engine.reconcile import reconcile
from dispatcher.simulator.fault_plan import parse_plan
from tests.engine.listing import (
    orphaned,
    stamped,
    twice,
    with_listing,
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


@pytest.mark.parametrize(("make", "index"), kill_points())
def test_a_round_that_is_killed_leaves_one_job_and_no_second(
    make: Callable[[], tuple[World, Any, JobId, RemoteAddress]], index: int
) -> None:
    wire = Tripwire()
    wire.arm(index, before=False)
    world = rounds_with(wire, make)
    (job,) = world.parts.store.list_jobs()
    assert job.state is (State.STOPPED if make is orphan else State.COMPLETED)
    ends = sorted(str(each.end) for each in world.network)
    assert ends == ["stopped" if make is orphan else "finished", "stopped"]
    assert not any(stray.is_open for stray in world.parts.store.strays())
    world.check_log(job.id)


class Answered(Tripwire):
    """At one call of a round, before it or after, the answer to a post arrives that did not come so far."""

    def __init__(self, at: int, *, before: bool, arrives: Callable[[], None]) -> None:
        super().__init__()
        self._at, self._before_it, self._arrives = at, before, arrives

    def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
        here = len(self.calls) == self._at
        self.calls.append(name)
        if here and self._before_it:
            self._arrives()
        answer = call()
        if here and not self._before_it:
            self._arrives()
        return answer


def answered_late(at: int, *, before: bool) -> tuple[World, Tripwire]:
    """A definition that bears the stamp of a job that is over is posted again, and its answer comes in mid-round."""
    world = World()
    listing = with_listing(world)
    plain, document = world.parts, stamped(1, runs_for="30m")
    world.enqueue(document, timeout="1h")
    world.run()
    world.clock.move(86400)
    world.network.faults.replace(parse_plan([{"route": "jobs.list", "kind": "lose_answer"}]))
    second = world.enqueue(document, timeout="1h")
    world.run_for(600)
    assert world.job(second).state is State.POSTING

    def arrives() -> None:
        world.network.faults.replace(parse_plan([]))
        world.run_for(90)
        assert world.job(second).remote is not None

    wire = Answered(at, before=before, arrives=arrives)
    reconcile(wired(plain, wire), whole=True)
    assert listing.stop_keys == []
    assert world.parts.store.strays() == []
    return world, wire


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_an_answer_that_comes_in_the_middle_of_a_round_keeps_the_job_from_being_stopped(before: bool) -> None:
    _, wire = answered_late(10**6, before=before)
    assert len(wire.calls) > 20
    for at in range(len(wire.calls)):
        world, _ = answered_late(at, before=before)
        world.run()
        assert {job.state for job in world.parts.store.list_jobs()} == {State.COMPLETED}
