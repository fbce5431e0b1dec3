"""Operators stop and extend at any moment, many times: a stop always wins, and no order is lost without a word."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.domain.errors import NotPossible
from dispatcher.domain.ids import JobId
from dispatcher.domain.words import Operation, Reason, State
from dispatcher.engine import dead
from dispatcher.simulator.fault_plan import parse_plan
from tests.engine.audit import audit, last_call, remotes
from tests.engine.test_crashes import LIVES, extended_twice, fails, kill_points, stopped_in_the_queue, wired
from tests.engine.test_two_workers import Intruder
from tests.world import World, definition

POINTS = [
    point
    for point in kill_points({life.__name__: life for life in (extended_twice, fails, stopped_in_the_queue)})
    if any(call in str(point.id) for call in ("network.", "ledger.hold", "store.save", "store.release"))
]


def commanded(name: str, index: int, *, before: bool, command: Callable[[World], Any]) -> tuple[World, JobId]:
    """One life during which an operator does something while a worker is inside one of its calls."""
    world = World()
    world.parts = wired(world.parts, Intruder(index, before=before, intrude=lambda: command(world)))
    job_id = LIVES[name](world)
    world.run()
    return world, job_id


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(("name", "index"), POINTS)
def test_a_stop_holds_whatever_a_worker_is_doing_at_that_moment(name: str, index: int, before: bool) -> None:
    asked: list[float] = []

    def stop(world: World) -> None:
        for job in world.parts.store.list_jobs():
            if not job.state.is_final:
                asked.append(world.clock.at)
                world.stop(job.id)

    world, job_id = commanded(name, index, before=before, command=stop)
    job = world.job(job_id)
    audit(world)
    if not asked:
        return  # it was over already
    for remote in remotes(world, job_id):
        assert remote.ended_at <= asked[0] + 1
        late = [r for r in remote.reservations if r.kind == "extend" and r.at > asked[0]]
        assert late == []
    if job.remote is not None and job.stop is not None:
        assert (job.state, job.stop.by) in {
            (State.STOPPED, "tester"),
            (State.STOPPED, "policy"),
            (State.COMPLETED, "tester"),
            (State.FAILED, "tester"),
        }
    assert job.updated_at - asked[0] < 120


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(("name", "index"), POINTS)
def test_an_extension_is_had_once_or_refused_with_a_reason(name: str, index: int, before: bool) -> None:
    asked: list[str] = []

    def extend(world: World) -> None:
        for job in world.parts.store.list_jobs():
            try:
                world.extend(job.id, 180)
                asked.append("taken")
            except NotPossible as e:
                asked.append(str(e))

    world, job_id = commanded(name, index, before=before, command=extend)
    job, kinds = world.job(job_id), world.kinds(job_id)
    audit(world)
    by_order = [
        reservation
        for remote in remotes(world, job_id)
        for reservation in remote.reservations
        if (reservation.kind, reservation.seconds) == ("extend", 180)
    ]
    if "taken" not in asked:
        assert by_order == []
        return
    dropped = [event for event in world.parts.store.events(job_id) if event.kind == "extend_dropped"]
    answered = len(by_order) + len(dropped)
    assert answered == 1 or (answered == 0 and (job.state.is_final and "extend_ordered" not in kinds))
    assert all(event.detail for event in dropped)


def test_a_stop_that_the_network_does_not_hear_is_repeated_until_it_does() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="10h"), timeout="10h")
    world.run_for(600)
    world.network.faults.replace(parse_plan([{"route": "*", "kind": "cut"}]))
    world.stop(job_id)
    world.run_for(1800)
    stopping = world.job(job_id)
    assert (stopping.state, stopping.reason) == (State.STOPPING, Reason.STOP_REQUESTED)
    assert stopping.call is not None
    assert "no answer" in (stopping.call.error or "")
    world.network.faults.replace([])
    healed = world.clock.at
    world.run()
    assert (world.job(job_id).state, world.job(job_id).reason) == (State.STOPPED, Reason.OPERATOR)
    assert remotes(world, job_id)[0].ended_at <= healed + 75
    audit(world)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_stop_that_is_refused_is_asked_for_again(status: int) -> None:
    world = World(faults=[{"route": "jobs.stop", "kind": "status", "status": status, "times": 3}])
    job_id = world.enqueue(definition(runs_for="10h"), timeout="10h")
    world.run_for(600)
    world.stop(job_id)
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason, job.stops) == (State.STOPPED, Reason.OPERATOR, 4)
    assert remotes(world, job_id)[0].ended_at <= 600 + remotes(world, job_id)[0].listed_at + 30
    audit(world)


def test_a_stop_goes_before_an_extension_whose_answer_does_not_come() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="10h"), timeout="10m", policies={"extend": {"by": "10m"}})
    world.run_for(500)
    world.network.faults.replace(parse_plan([{"route": "jobs.extend", "kind": "lose_answer"}]))
    world.run_for(60)
    assert world.job(job_id).call is not None
    asked = world.clock.at
    world.stop(job_id)
    world.run()
    assert (world.job(job_id).state, world.job(job_id).reason) == (State.STOPPED, Reason.OPERATOR)
    assert remotes(world, job_id)[0].ended_at <= asked + 1
    assert last_call(world, job_id, Operation.EXTEND) == "undecided"
    audit(world)


def test_a_stop_while_nobody_knows_whether_the_post_landed_stops_what_landed() -> None:
    world = World(faults=[{"route": "jobs.list", "kind": "lose_answer", "times": 5}])
    job_id = world.enqueue(definition(runs_for="10h"), timeout="10h")
    world.work()
    assert world.job(job_id).state is State.POSTING
    world.stop(job_id)
    world.run()
    assert (world.job(job_id).state, world.job(job_id).reason) == (State.STOPPED, Reason.OPERATOR)
    assert len(remotes(world, job_id)) == 1
    audit(world)


def test_a_hundred_extensions_at_once_are_all_had() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="100m"))
    world.run_for(60)
    for _ in range(100):
        world.extend(job_id, 60)
    world.work()
    assert world.job(job_id).extends == 100
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


@pytest.mark.parametrize("seconds", [0, -60, 360_001, 10**15])
def test_an_extension_beyond_reason_is_refused_at_once(seconds: int) -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="5m"))
    world.run_for(60)
    with pytest.raises(NotPossible, match="100h"):
        world.extend(job_id, seconds)
    world.run()
    audit(world)


def test_a_bug_while_a_command_waits_is_tried_again_at_a_pace_and_not_for_ever() -> None:
    """A command makes its job due at once; if every turn fails, that must not become a circle without a pause."""
    world = World()
    job_id = world.enqueue(definition(runs_for="10h"), timeout="10h")
    world.run_for(60)
    plain, tries = world.parts, 0

    class Broken:
        def names(self) -> Any:
            return plain.providers.names()

        def account(self, name: Any, **how: Any) -> Any:
            nonlocal tries
            tries += 1
            raise AssertionError("a bug")

    world.parts = replace(plain, providers=Broken())
    world.stop(job_id)
    end = world.clock.at + 600
    while world.clock.at < end:
        try:
            world.run_for(end - world.clock.at)
        except AssertionError:
            continue
    assert tries == world.parts.timing.crashes_at_most
    world.parts = plain
    dead.retry(plain, [job_id])
    world.run()
    assert world.job(job_id).reason is Reason.OPERATOR
    audit(world)
